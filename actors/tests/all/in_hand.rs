//! The message in hand of an actor that fails, in what only live buses have: dead letters by name, probes and
//! drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{Flush, Heard, PERIOD, Tock, backoff, on_both_runtimes};
use mycelium::tree::{Backoff, Child, Health, Redelivery, Shutdown};
use mycelium::{
    Actor, BoxError, Context, DeadLetterCause, Handler, MessageBus, Responder, Subscriptions, Supervisor,
    Tree,
};

/// Panics, or hangs, on tock 1 as often as is said.
#[derive(Clone, Default)]
struct Fragile {
    heard: Heard,
    failures: Arc<AtomicU32>,
    hangs: bool,
}

impl Fragile {
    fn failing(times: u32) -> Self {
        Self { failures: Arc::new(AtomicU32::new(times)), ..Self::default() }
    }
}

impl Actor for Fragile {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add("started");
        Ok(())
    }
}

impl Handler<Tock> for Fragile {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tock {}", tock.0));
        let left = self.failures.load(Ordering::SeqCst);
        if tock.0 == 1 && left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            if self.hangs {
                std::future::pending::<()>().await;
            }
            panic!("told to");
        }
        Ok(())
    }
}

impl Responder<Flush> for Fragile {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.heard.words()
    }
}

fn child(fragile: &Fragile, attempts: u32) -> Child {
    let make = fragile.clone();
    Child::actor("fragile", move || make.clone()).redelivery(Redelivery::Retry { attempts })
}

async fn start(bus: &MessageBus, child: Child) -> Tree {
    Supervisor::builder("root").intensity(20, PERIOD).child(child).start(bus).await.unwrap()
}

#[test]
fn a_dead_letter_says_what_it_was_and_how_often_it_was_tried() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let tree = start(&bus, child(&Fragile::failing(u32::MAX), 4)).await;
        let reference = tree.lookup::<Fragile>("root/fragile").unwrap();
        bus.publisher::<Tock>().unwrap().publish(Tock(1)).await.unwrap();
        reference.ask(Flush).await.unwrap();
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.retried), (1, 3));
        let [letter] = &letters.recent[..] else { panic!("{letters:?}") };
        assert_eq!(letter.cause, DeadLetterCause::InHand { attempts: 4 });
        assert_eq!((letter.message, letter.topic), ("Tock", Some("tocks")));
        assert!(letter.to_string().ends_with("(attempt 4)"), "{letter}");
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_handler_that_its_probe_gives_up_is_retried_too() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let actor = Fragile { hangs: true, ..Fragile::failing(1) };
        let probed = child(&actor, 2).health(Health::within(Duration::from_millis(20)).restart());
        let tree = start(&bus, probed).await;
        let reference = tree.lookup::<Fragile>("root/fragile").unwrap();
        for number in [1, 2] {
            bus.publisher::<Tock>().unwrap().publish(Tock(number)).await.unwrap();
        }
        let heard = reference.ask(Flush).await.unwrap();
        assert_eq!(heard, ["started", "tock 1", "started", "tock 1", "tock 2"]);
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_drain_waits_for_the_retry() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let actor = Fragile::failing(1);
        let tree = start(&bus, child(&actor, 2).backoff(backoff(50)).shutdown(Shutdown::Infinity)).await;
        bus.publisher::<Tock>().unwrap().publish(Tock(1)).await.unwrap();
        tree.drain(Duration::from_secs(50)).await.unwrap();
        assert_eq!(actor.heard.words(), ["started", "tock 1", "started", "tock 1"]);
        assert_eq!(bus.dead_letters().in_hand, 0);
    });
}

#[test]
fn a_drain_past_its_limit_names_the_message_whose_retry_did_not_come() {
    on_both_runtimes(|| async {
        let (bus, hour) = (MessageBus::new(), Duration::from_secs(3600));
        let backoff = Backoff { initial: hour, cap: hour, ..Backoff::default() };
        let tree = start(&bus, child(&Fragile::failing(1), 2).backoff(backoff)).await;
        bus.publisher::<Tock>().unwrap().publish(Tock(1)).await.unwrap();
        let error = tree.drain(Duration::from_millis(50)).await.unwrap_err();
        assert!(error.to_string().contains("Tock"), "the tree waits for who was in backoff: {error}");
    });
}
