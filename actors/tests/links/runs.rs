//! Messages that share a frame, where the receiving bus does not take all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{Message, MessageBus, Subscription, ValidationError};

use crate::common::log::hear;
use crate::common::on_every_runtime;
use crate::kit::{link, socket, until, until_wanted};

/// A price as its publisher knows it.
#[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Loose {
    n: u64,
}

/// The same with a rule, which the publisher does not know.
#[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Strict {
    n: u64,
}

const LAYOUTS: &[Layout] = &[Layout { version: 1, root_len: 8, digest: 31 }];

impl Message for Loose {
    const NAME: &'static str = "Price";
    const TYPE_ID: u16 = 31;
    const TOPIC: &'static str = "prices";
}
impl Wire for Loose {
    const LAYOUTS: &'static [Layout] = LAYOUTS;
}
impl Message for Strict {
    const NAME: &'static str = "Price";
    const TYPE_ID: u16 = 31;
    const TOPIC: &'static str = "prices";
    fn validate(&self) -> Result<(), ValidationError> {
        assert!(self.n % 100 != 50, "code of the message's author");
        if self.n % 10 == 3 {
            return Err(ValidationError::broken("Price", "n", &self.n, "no number that ends with 3"));
        }
        Ok(())
    }
}
impl Wire for Strict {
    const LAYOUTS: &'static [Layout] = LAYOUTS;
}

struct Of<M>(std::marker::PhantomData<M>);
impl<M: Wire> Messages for Of<M> {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<M>();
    }
}

fn bus<M: Wire>(name: &str) -> MessageBus {
    MessageBus::builder().node(name).contract(Of::<M>(std::marker::PhantomData)).build()
}

/// Messages of each test.
const MESSAGES: u64 = 4_000;

fn refused(n: u64) -> bool {
    n % 10 == 3 || n % 100 == 50
}

/// What a full subscriber holds up, and what is refused, is decided message by message, wherever in a frame
/// it is.
async fn with(receiver: Subscription<Strict>, beside: bool) {
    with_key(receiver, beside, None).await;
}

/// A key that panics at 77.
fn key(price: &Strict) -> u64 {
    assert!(price.n != 77, "code of the subscriber's author");
    price.n
}

/// The same. Another subscriber keeps the latest message of each key; nobody gets that at which it panics.
async fn with_key(receiver: Subscription<Strict>, beside: bool, key: Option<fn(&Strict) -> u64>) {
    let refused = |n: u64| refused(n) || key.is_some() && n == 77;
    let (market, desk, path) = (bus::<Loose>("market"), bus::<Strict>("desk"), socket());
    market.bind_unix(&path).unwrap();
    let mut prices = desk.subscriber_with(receiver).unwrap();
    // With it the topic has a queue of its own beside the ring, and messages are published one by one.
    let mut other = beside.then(|| desk.subscriber_with(Subscription::drop_oldest().capacity(8)).unwrap());
    let _latest = key.map(|key| desk.subscriber_with(Subscription::conflate(key)).unwrap());
    desk.connect(mycelium::LinkAddress::unix(&path)).unwrap();
    until_wanted(&market, "desk", &["Price"]).await;
    let publisher = market.publisher::<Loose>().unwrap();
    let publishing = tokio::spawn({
        let publisher = publisher.clone();
        async move {
            for n in 0..MESSAGES {
                publisher.publish(Loose { n }).await.unwrap();
            }
        }
    });
    for n in (0..MESSAGES).filter(|n| !refused(*n)) {
        assert_eq!(prices.recv().await.as_deref(), Some(&Strict { n }));
    }
    publishing.await.unwrap();
    let all = (0..MESSAGES).filter(|n| refused(*n)).count() as u64;
    until(|| link(&desk, "market").received == MESSAGES && link(&market, "desk").waiting == 0).await;
    // Counted once the turn is over in which the last of them came into its topic.
    until(|| link(&desk, "market").refused == all && link(&desk, "market").held == 0).await;
    assert_eq!((link(&desk, "market").duplicates, link(&market, "desk").lost), (0, 0));
    if let Some(other) = &mut other {
        assert_eq!(other.recv().await.as_deref(), Some(&Strict { n: last_taken(8) }));
    }
    // Credit has come back for all of them, refused or not.
    for n in (0..2_000).map(|n| n * 10).filter(|n| !refused(*n)) {
        publisher.publish(Loose { n }).await.unwrap();
        assert_eq!(prices.recv().await.as_deref(), Some(&Strict { n }));
    }
}

/// The message from which on so many are taken.
fn last_taken(from_end: usize) -> u64 {
    (0..MESSAGES).rev().filter(|n| !refused(*n)).nth(from_end - 1).unwrap()
}

#[test]
fn what_is_not_taken_of_a_run_is_refused_alone_and_the_rest_comes_in_order() {
    on_every_runtime(async || {
        with(Subscription::block(), false).await;
        with(Subscription::block().capacity(1), false).await;
        with(Subscription::block().capacity(7), true).await;
    });
}

#[test]
fn a_key_that_panics_in_the_middle_of_a_run_costs_that_message_alone_and_doubles_none() {
    on_every_runtime(async || {
        with_key(Subscription::block(), false, Some(key)).await;
        with_key(Subscription::block().capacity(7), true, Some(key)).await;
    });
}

/// A number that is not written as bytes if it is 13, with a panic if it is 14.
#[derive(Clone, Debug, PartialEq)]
struct Unlucky(u64);

impl Message for Unlucky {
    const NAME: &'static str = "Unlucky";
    const TYPE_ID: u16 = 33;
    const TOPIC: &'static str = "unlucky";
}
impl rkyv::Archive for Unlucky {
    type Archived = rkyv::rend::u64_le;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(rkyv::rend::u64_le::from_native(self.0));
    }
}
impl<S: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized> rkyv::Serialize<S> for Unlucky {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        match self.0 {
            13 => Err(rkyv::rancor::Source::new(std::io::Error::other("it is unlucky"))),
            14 => panic!("it is worse"),
            _ => Ok(()),
        }
    }
}
impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Unlucky, D> for rkyv::rend::u64_le {
    fn deserialize(&self, _: &mut D) -> Result<Unlucky, D::Error> {
        Ok(Unlucky(self.to_native()))
    }
}
impl Wire for Unlucky {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: 8, digest: 33 }];
}

#[test]
fn what_comes_behind_a_message_that_cannot_be_written_does_not_wait_for_a_heartbeat() {
    on_every_runtime(async || {
        let (market, desk, path) = (bus::<Unlucky>("market"), bus::<Unlucky>("desk"), socket());
        market.bind_unix(&path).unwrap();
        let mut heard = desk.subscriber::<Unlucky>().unwrap();
        desk.connect(mycelium::LinkAddress::unix(&path)).unwrap();
        until_wanted(&market, "desk", &["Unlucky"]).await;
        let publisher = market.publisher::<Unlucky>().unwrap();
        // Were each to wait for a heartbeat, the watchdog of the test would be shorter than this.
        for n in 100..300 {
            publisher.publish(Unlucky(13)).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            publisher.publish(Unlucky(n)).await.unwrap();
            assert_eq!(heard.recv().await.as_deref(), Some(&Unlucky(n)));
        }
    });
}

/// Counts the errors that links log.
#[derive(Clone, Default)]
struct Errors(Arc<AtomicU64>);
impl tracing::Subscriber for Errors {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "mycelium::link" && *metadata.level() == tracing::Level::ERROR
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn messages_that_cannot_be_sent_are_counted_and_do_not_fill_the_log() {
    let errors = Errors::default();
    let _logged = hear(errors.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (market, desk, path) = (bus::<Unlucky>("market"), bus::<Unlucky>("desk"), socket());
        market.bind_unix(&path).unwrap();
        let mut heard = desk.subscriber::<Unlucky>().unwrap();
        desk.connect(mycelium::LinkAddress::unix(&path)).unwrap();
        until_wanted(&market, "desk", &["Unlucky"]).await;
        let publisher = market.publisher::<Unlucky>().unwrap();
        for _ in 0..100 {
            publisher.publish(Unlucky(14)).await.unwrap();
        }
        publisher.publish(Unlucky(1)).await.unwrap();
        assert_eq!(heard.recv().await.as_deref(), Some(&Unlucky(1)));
        until(|| link(&market, "desk").too_long == 100).await;
        assert_eq!(errors.0.load(Ordering::SeqCst), 7, "the first, and each power of two up to 64");
    });
}

/// A number whose destructor panics once, if it is told to.
#[derive(Clone, Debug, Default)]
struct Fragile {
    n: u64,
    breaks: Arc<AtomicBool>,
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.breaks.swap(false, Ordering::SeqCst), "a destructor of the test");
    }
}
impl Message for Fragile {
    const NAME: &'static str = "Fragile";
    const TYPE_ID: u16 = 34;
    const TOPIC: &'static str = "fragile";
}
impl rkyv::Archive for Fragile {
    type Archived = rkyv::rend::u64_le;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(rkyv::rend::u64_le::from_native(self.n));
    }
}
impl<S: rkyv::rancor::Fallible + ?Sized> rkyv::Serialize<S> for Fragile {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}
impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Fragile, D> for rkyv::rend::u64_le {
    fn deserialize(&self, _: &mut D) -> Result<Fragile, D::Error> {
        Ok(Fragile { n: self.to_native(), breaks: Arc::default() })
    }
}
impl Wire for Fragile {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: 8, digest: 34 }];
}

#[test]
fn a_destructor_that_panics_when_its_message_was_sent_costs_no_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for others_listen in [false, true] {
            let (market, desk, path) = (bus::<Fragile>("market"), bus::<Fragile>("desk"), socket());
            market.bind_unix(&path).unwrap();
            let mut heard = desk.subscriber::<Fragile>().unwrap();
            desk.connect(mycelium::LinkAddress::unix(&path)).unwrap();
            until_wanted(&market, "desk", &["Fragile"]).await;
            let mut other = others_listen.then(|| market.subscribe_wire(["fragile"]).unwrap());
            let (publisher, breaks) =
                (market.publisher::<Fragile>().unwrap(), Arc::new(AtomicBool::new(false)));
            for n in 0..10 {
                let breaks = if n == 5 { Arc::clone(&breaks) } else { Arc::default() };
                publisher.try_publish(Fragile { n, breaks }).unwrap();
            }
            // The link has had no turn, and drops each of them last.
            if let Some(other) = &mut other {
                for _ in 0..10 {
                    other.recv().await.unwrap();
                }
            }
            breaks.store(true, Ordering::SeqCst);
            for n in 0..10 {
                assert_eq!(heard.recv().await.unwrap().n, n);
            }
            assert!(!breaks.load(Ordering::SeqCst), "it has broken");
            let stats = link(&market, "desk");
            assert_eq!((stats.sent, stats.too_long), (10, 0), "{stats}");
        }
    });
}
