//! Mycelium's links: a publisher on one bus, a subscriber on the other.

use std::path::Path;
use std::time::{Duration, Instant};

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{LinkAddress, LinkOptions, Message, MessageBus};

use super::{Peer, Words, expect, message, on_this_thread};
use crate::Outcome;
use crate::reader::{Reader, Says};

macro_rules! words {
    ($name:ident, $id:literal, $topic:literal) => {
        #[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        struct $name {
            words: Words,
        }
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $id;
            const TOPIC: &'static str = $topic;
        }
        impl Wire for $name {
            const FIXED: bool = true;
            const LAYOUTS: &'static [Layout] =
                &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: $id }];
        }
    };
}
words!(There, 21, "there");
words!(Back, 22, "back");

struct Contract;
impl Messages for Contract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<There>();
        visitor.typed::<Back>();
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Unix,
    Tcp,
    Shm { spin: bool },
}

struct Ours(Kind);

pub(super) fn all() -> Vec<Box<dyn Peer>> {
    let kinds = [Kind::Unix, Kind::Tcp, Kind::Shm { spin: false }, Kind::Shm { spin: true }];
    kinds.map(|kind| Box::new(Ours(kind)) as _).into()
}

impl Ours {
    fn options(&self) -> LinkOptions {
        let spins = matches!(self.0, Kind::Shm { spin: true });
        LinkOptions::default().spin(if spins { Duration::from_millis(10) } else { Duration::ZERO })
    }

    fn listen(&self, bus: &MessageBus, place: &Path) -> Outcome<String> {
        let path = place.join("bus");
        let address = match self.0 {
            Kind::Unix => bus.bind_unix_with(&path, self.options())?.address(),
            Kind::Tcp => bus.bind_tcp_with("127.0.0.1:0", self.options())?.address(),
            Kind::Shm { .. } => bus.bind_shm_with(&path, self.options())?.address(),
        };
        Ok(address.to_string())
    }

    /// Linked with the reader, who wants what is published.
    async fn dial(&self, bus: &MessageBus, reader: &Reader) -> Outcome<()> {
        let address = match self.0 {
            Kind::Unix => LinkAddress::unix(&reader.address),
            Kind::Tcp => LinkAddress::tcp(reader.address.as_str()),
            Kind::Shm { .. } => LinkAddress::shm(&reader.address),
        };
        bus.connect_with(address, self.options())?;
        while !bus.stats().links.iter().any(|link| link.wants.contains(&There::NAME)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

fn bus(name: &str) -> MessageBus {
    MessageBus::builder().node(name).contract(Contract).build()
}

impl Peer for Ours {
    fn name(&self) -> &'static str {
        match self.0 {
            Kind::Unix => "mycelium unix",
            Kind::Tcp => "mycelium tcp",
            Kind::Shm { spin: false } => "mycelium shm",
            Kind::Shm { spin: true } => "mycelium shm, spinning",
        }
    }

    fn read(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        on_this_thread(async {
            let desk = bus("desk");
            let mut subscriber = desk.subscriber::<There>()?;
            says.ready(&self.listen(&desk, place)?)?;
            for due in 0..number {
                expect(subscriber.recv().await.ok_or("the bus has ended")?.words[7], due)?;
            }
            says.done()?;
            Ok(desk.shutdown().await?)
        })
    }

    fn write(&self, _: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration> {
        on_this_thread(async {
            let market = bus("market");
            self.dial(&market, reader).await?;
            let publisher = market.publisher::<There>()?;
            let begin = Instant::now();
            for word in 0..number {
                publisher.publish(There { words: message(word) }).await?;
            }
            // Sends what is on its way.
            market.shutdown().await?;
            Ok(reader.done()? - begin)
        })
    }

    fn echo(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        on_this_thread(async {
            let desk = bus("desk");
            let mut subscriber = desk.subscriber::<There>()?;
            let publisher = desk.publisher::<Back>()?;
            says.ready(&self.listen(&desk, place)?)?;
            for _ in 0..number {
                let words = subscriber.recv().await.ok_or("the bus has ended")?.words;
                publisher.publish(Back { words }).await?;
            }
            Ok(desk.shutdown().await?)
        })
    }

    fn ping(&self, _: &Path, number: u64, reader: &mut Reader) -> Outcome<Vec<Duration>> {
        on_this_thread(async {
            let market = bus("market");
            let mut subscriber = market.subscriber::<Back>()?;
            let publisher = market.publisher::<There>()?;
            self.dial(&market, reader).await?;
            let mut trips = Vec::new();
            for word in 0..number {
                let begin = Instant::now();
                publisher.publish(There { words: message(word) }).await?;
                expect(subscriber.recv().await.ok_or("the bus has ended")?.words[7], word)?;
                trips.push(begin.elapsed());
            }
            market.shutdown().await?;
            Ok(trips)
        })
    }
}
