//! A program that knows Mycelium by its public API alone: recipients, batches, actors written by hand, a
//! relay of messages without a type, a tree, an isolate, and a library whose actors the macros write.
#![forbid(unsafe_code)]
#![deny(warnings)]

mod meter;
mod relay;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use meter::{Display, Ends, Meter, Panel};
use mycelium::tree::Backoff;
use mycelium::{
    BoxError, Isolate, MessageBus, Query, Recipient, ReplyRecipient, Service, ServiceContext, StopReason,
    Subscription, Supervisor, Timestamp,
};

mycelium::contracts!();

fn reading(value: i64) -> Reading {
    Reading { sensor: 1, value }
}

/// What generated code says of a query, for code that knows the query alone.
fn zero<Q: Query<Reply = Total>>() -> Q::Reply {
    Total { value: 0, batches: 0 }
}

async fn live() -> Result<(), BoxError> {
    let bus = MessageBus::new();
    // The latest is enough, and nobody waits for who reads it.
    let mut totals = bus.subscriber_with(Subscription::conflate(|_: &Total| 0).capacity(1))?;
    let (meter, display) = (bus.spawn(Meter::default())?, bus.spawn(Display::default())?);
    let everybody: Vec<Recipient<Reading>> = vec![meter.recipient(), display.clone().into()];
    let panel = bus.spawn(Panel { everybody, meter: meter.reply_recipient(), ended: Vec::new() })?;
    for value in 1..=100 {
        panel.tell(reading(value)).await?;
    }
    let total = loop {
        match panel.ask(TotalQuery { sensor: 1 }).await? {
            Some(total) if total.value == 5_050 => break total,
            _ => tokio::task::yield_now().await,
        }
    };
    panel.tell(reading(0)).await?;
    assert_eq!(display.ended().await, StopReason::Normal);
    while panel.ask(Ends).await?.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut last = zero::<TotalQuery>();
    while last.value < total.value {
        totals
            .recv_many(16, |delivery| {
                assert!(delivery.message.value >= last.value && delivery.sender == Some(meter.id()));
                last = delivery.message.clone();
            })
            .await;
    }
    bus.shutdown().await?;
    Ok(())
}

async fn tree() -> Result<(), BoxError> {
    let bus = MessageBus::new();
    let starts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&starts);
    let tree = Supervisor::builder("root")
        .backoff(Backoff { initial: Duration::from_millis(1), ..Backoff::default() })
        .actor("meter", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Meter::default()
        })
        .start(&bus)
        .await?;
    let meter = tree.lookup::<Meter>("root/meter").ok_or("it is there")?;
    let (readings, total): (Recipient<Reading>, ReplyRecipient<TotalQuery>) =
        (meter.recipient(), meter.reply_recipient());
    for value in [5, -1, 7] {
        readings.tell(reading(value)).await?;
    }
    assert_eq!(total.ask(TotalQuery { sensor: 1 }).await?.value, 7, "a new life behind the same address");
    assert_eq!((starts.load(Ordering::SeqCst), readings.name()), (2, "Meter"));
    tree.shutdown().await?;
    assert!(!readings.is_alive());
    Ok(())
}

/// Three readings at one moment and one later.
struct Sensor;

impl Service for Sensor {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let timed = [(1, 10), (1, 20), (1, 30), (2, 40)];
        ctx.replay(timed.map(|(at, value)| (Timestamp::from_nanos(at), reading(value)))).await?;
        Ok(())
    }
}

/// Reads totals until one reaches a hundred.
struct Reader(Vec<(i64, i64, u32)>);

impl Service for Reader {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut totals = ctx.subscribe::<Total>(Default::default())?;
        while self.0.last().is_none_or(|last| last.1 < 100) {
            let now = ctx.now().as_nanos();
            totals
                .recv_many(16, |delivery| {
                    self.0.push((now, delivery.message.value, delivery.message.batches))
                })
                .await;
        }
        Ok(())
    }
}

fn isolate() -> Result<Vec<(i64, i64, u32)>, BoxError> {
    let mut isolate = Isolate::new(42);
    let (meter, display) = (isolate.spawn(Meter::default())?, isolate.spawn(Display::default())?);
    let reader = isolate.spawn_service(Reader(Vec::new()))?;
    isolate.spawn_service(Sensor)?;
    let panel =
        Panel { everybody: vec![display.recipient()], meter: meter.reply_recipient(), ended: Vec::new() };
    let panel = isolate.spawn(panel)?;
    isolate.tell(&panel, reading(3))?;
    isolate.run()?;
    let total = isolate.ask(&panel, TotalQuery { sensor: 1 })?.ok_or("it is answered")?;
    assert_eq!((total.value, total.batches), (100, 2), "one batch for each moment");
    assert_eq!(isolate.take(&display).ok_or("it is there")?.0, Some(3));
    Ok(isolate.take_service(&reader).ok_or("it has ended")?.0)
}

/// What the library's actor has counted on an isolate, and by direct routes.
fn by_macros() -> Result<(i64, i64), BoxError> {
    use outside::messages::{Reading, TotalQuery};
    use outside::tally::{Again, Once, Routes, Tally};
    let reading = |value| Reading { sensor: 1, value };
    let mut isolate = Isolate::new(1);
    let tally = isolate.spawn(Tally::default())?;
    isolate.spawn_service(Once(reading(5)))?;
    isolate.tell(&tally, Again(reading(7)))?;
    isolate.run()?;
    let mut routes = Routes::new(Tally::default());
    routes.route(&reading(5))?;
    routes.route(&reading(7))?;
    let routed = routes.tally().total(&TotalQuery { sensor: 1 }).value;
    Ok((isolate.ask(&tally, TotalQuery { sensor: 1 })?.value, routed))
}

fn main() -> Result<(), BoxError> {
    for threads in [1, 2] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
        runtime.block_on(live())?;
        runtime.block_on(tree())?;
        runtime.block_on(relay::live())?;
        println!("live, tree and relay, {threads} threads");
    }
    assert_eq!(isolate()?.iter().map(|(_, value, _)| *value).collect::<Vec<_>>(), [60, 100]);
    assert_eq!(isolate()?, isolate()?);
    assert_eq!(by_macros()?, (12, 12));
    let relayed = [("Gauge", 0), ("Gauge", 0), ("Reading", 0), ("Reading", 0)];
    assert_eq!(relay::isolate()?, (relayed.to_vec(), 1));
    println!("isolate");
    Ok(())
}
