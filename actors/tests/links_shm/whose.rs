//! Whose code a message's own is that a link runs inside of a publish.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, LinkAddress, Message, MessageBus, Publisher, Subscriptions,
};

use crate::kit::{Fill, Tick, link, socket, until, until_wanted};
use crate::on_one_thread;

/// Says something when it is encoded.
#[derive(Clone)]
struct Speech {
    n: u64,
    says: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Speech {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Speech({})", self.n)
    }
}
impl Message for Speech {
    const NAME: &'static str = "Speech";
    const TYPE_ID: u16 = 36;
    const TOPIC: &'static str = "speeches";
}
impl rkyv::Archive for Speech {
    type Archived = rkyv::rend::u64_le;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(rkyv::rend::u64_le::from_native(self.n));
    }
}
impl<S: rkyv::rancor::Fallible + ?Sized> rkyv::Serialize<S> for Speech {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        if let Some(says) = &self.says {
            says();
        }
        Ok(())
    }
}
impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Speech, D> for rkyv::rend::u64_le {
    fn deserialize(&self, _: &mut D) -> Result<Speech, D::Error> {
        Ok(Speech { n: self.to_native(), says: None })
    }
}
impl Wire for Speech {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: 8, digest: 36 }];
}

struct Speeches;
impl Messages for Speeches {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Speech>();
        visitor.typed::<Tick>();
    }
}

/// Publishes a speech, which publishes a tick while that goes on, for each fill; hears ticks of others.
struct Speaker {
    speeches: Publisher<Speech>,
    ticks: Publisher<Tick>,
    spoken: Arc<AtomicU32>,
    heard: Arc<Mutex<Vec<u64>>>,
}

impl Actor for Speaker {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Speaker {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.lock().unwrap().push(tick.n);
        Ok(())
    }
}
impl Handler<Fill> for Speaker {
    async fn handle(&mut self, fill: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> {
        let (n, publishes) = (fill.n, Arc::new(AtomicBool::new(true)));
        let (inside, ticks, spoken) = (Arc::clone(&publishes), self.ticks.clone(), Arc::clone(&self.spoken));
        let says = move || {
            if inside.load(Ordering::SeqCst) {
                ticks.try_publish(Tick { n }).unwrap();
                spoken.fetch_add(1, Ordering::SeqCst);
            }
        };
        self.speeches.try_publish(Speech { n, says: Some(Arc::new(says)) })?;
        publishes.store(false, Ordering::SeqCst);
        // Its own, which it does not hear.
        self.ticks.try_publish(Tick { n: 1_000 + n })?;
        Ok(())
    }
}

#[test]
fn code_of_a_message_that_its_link_encodes_inside_of_a_publish_is_nobodys() {
    on_one_thread(async {
        let bus = |name| MessageBus::builder().node(name).contract(Speeches).build();
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        let mut speeches = desk.subscriber::<Speech>().unwrap();
        desk.bind_shm(&path).unwrap();
        market.connect(LinkAddress::shm(&*path)).unwrap().linked().await;
        until_wanted(&market, "desk", &["Speech"]).await;
        let (spoken, heard) = (Arc::<AtomicU32>::default(), Arc::<Mutex<Vec<u64>>>::default());
        let speaker = market.spawn(Speaker {
            speeches: market.publisher().unwrap(),
            ticks: market.publisher().unwrap(),
            spoken: Arc::clone(&spoken),
            heard: Arc::clone(&heard),
        });
        let (speaker, mut n) = (speaker.unwrap(), 0);
        // Until a link has slept when it was published for.
        while spoken.load(Ordering::SeqCst) < 3 {
            until(|| link(&market, "desk").waiting == 0).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            n += 1;
            speaker.tell(Fill { n }).await.unwrap();
            assert_eq!(speeches.recv().await.unwrap().n, n);
        }
        market.publisher::<Tick>().unwrap().publish(Tick { n: 500 }).await.unwrap();
        until(|| heard.lock().unwrap().last() == Some(&500)).await;
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 3 + 1, "those that the speeches have published, and the last: {heard:?}");
        assert!(heard.iter().all(|n| *n < 1_000), "{heard:?}");
    });
}
