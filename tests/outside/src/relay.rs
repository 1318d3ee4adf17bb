//! Messages whose types this program does not have: their contract is loaded when it runs.

use std::path::Path;
use std::{env, fs};

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Recipient, Result, Subscriptions,
    WireMessage, WireTopics,
};

use crate::{CONTRACT, Reading};

/// The type id of a gauge, which `gauges.table` describes.
const GAUGE: u16 = 10;

/// Publishes what it gets as bytes once more, as another message with the same layout.
struct Relay {
    from: WireTopics,
    to: u16,
    batches: u32,
}

impl Actor for Relay {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire(self.from.clone());
    }

    async fn batch_ended(&mut self, _: &mut Context<Self>) -> Result {
        self.batches += 1;
        Ok(())
    }
}

impl Handler<WireMessage> for Relay {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result {
        let header = Header { type_id: self.to, ..*message.header() };
        ctx.publish_wire(&header, message.bytes()).await?;
        Ok(())
    }
}

fn relay() -> Relay {
    Relay { from: ["gauges.*"].into(), to: Reading::TYPE_ID, batches: 0 }
}

/// The gauges' contract, as another program has written it.
fn gauges() -> Result<Contract> {
    let folder = env::var_os("CARGO_MANIFEST_DIR").ok_or("run it with cargo")?;
    Ok(Contract::parse(&fs::read_to_string(Path::new(&folder).join("gauges.table"))?)?)
}

/// What a frame says of a gauge, and the value.
fn gauge(contract: &Contract, value: i64) -> Result<(Header, Vec<u8>)> {
    let layout = contract.message(GAUGE).ok_or("the table has it")?.offer().layouts[0];
    let header =
        Header { type_id: GAUGE, version: layout.version, root_len: layout.root_len, ..Header::default() };
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0]; // the sensor, and the gap before the value
    bytes.extend(value.to_le_bytes());
    Ok((header, bytes))
}

/// Bytes without a type come in, typed readings go out, and both are received as bytes in one order.
pub(crate) async fn live() -> Result {
    let contract = gauges()?;
    let bus = MessageBus::builder().contract(CONTRACT).contract(contract).build();
    let mut readings = bus.subscriber::<Reading>()?;
    let mut wire = bus.subscribe_wire(["gauges.readings", "sensors.readings"])?;
    let relay = bus.spawn(relay())?;
    for value in 1..=100 {
        let (header, bytes) = gauge(&contract, value)?;
        bus.publish_wire(&header, &bytes).await?;
        let reading = readings.recv().await.ok_or("the bus is there")?;
        assert_eq!((reading.sensor, reading.value), (1, value));
    }
    let (mut names, mut last) = ([0, 0], None);
    let seen = wire.drain(usize::MAX, |delivery| {
        assert!(last < Some(delivery.stamp) && delivery.bytes.len() == 16);
        last = Some(delivery.stamp);
        names[usize::from(delivery.sender == Some(relay.id()))] += 1;
    });
    assert_eq!((seen, names), (200, [100, 100]), "from outside, and from the relay");

    let (header, bytes) = gauge(&contract, 7)?;
    bus.publish_wire(&header, &bytes).await?;
    let message = wire.recv().await.ok_or("the bus is there")?;
    assert_eq!((message.name(), message.topic(), message.bytes()), ("Gauge", "gauges.readings", &bytes[..]));
    let anybody: Recipient<WireMessage> = relay.recipient();
    anybody.tell(message).await?;
    for _ in 0..2 {
        assert_eq!(readings.recv().await.ok_or("the bus is there")?.value, 7, "published, and told");
    }
    let error = bus.publish_wire(&header, &bytes[..9]).await.err().ok_or("it is too short")?;
    assert!(error.to_string().contains("Gauge"), "{error}");
    Ok(bus.shutdown().await?)
}

/// The same relay in virtual time: the names and times of all that was published, and its batches.
pub(crate) fn isolate() -> Result<(Vec<(&'static str, i64)>, u32)> {
    let contract = gauges()?;
    let mut isolate = Isolate::new(7);
    isolate.contract(CONTRACT).contract(contract);
    let mut wire = isolate.subscribe_wire(WireTopics::all())?;
    let relay = isolate.spawn(relay())?;
    for value in [5, 6] {
        let (header, bytes) = gauge(&contract, value)?;
        isolate.publish_wire(&header, &bytes)?;
    }
    isolate.run()?;
    let seen = std::iter::from_fn(|| wire.try_recv())
        .map(|message| (message.name(), message.published().as_nanos()))
        .collect();
    Ok((seen, isolate.take(&relay).ok_or("it is there")?.batches))
}
