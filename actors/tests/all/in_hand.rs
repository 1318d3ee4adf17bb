//! The message that an actor has in hand when it fails: retried, in order, a bounded number of times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Heard, PERIOD, Tick, Tock, on_both_runtimes};
use mycelium::tree::{Backoff, Child, Health, InHand, Restart, Shutdown};
use mycelium::{
    Actor, AskError, BoxError, Context, DeadLetterCause, Handler, MessageBus, Policy, Responder, StopReason,
    Subscription, Subscriptions, Supervisor, Tree,
};

/// How a handler fails.
#[derive(Clone, Copy)]
enum Fault {
    Error,
    Panic,
    /// After it has waited.
    Late,
    /// It waits for ever.
    Hang,
}

/// Which numbers fail, how, and how often still. It outlives the lives.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<HashMap<u64, (Fault, u32)>>>);

impl Faults {
    fn of(number: u64, fault: Fault, times: u32) -> Self {
        let faults = Self::default();
        faults.add(number, fault, times);
        faults
    }

    fn add(&self, number: u64, fault: Fault, times: u32) {
        self.0.lock().unwrap().insert(number, (fault, times));
    }

    async fn strike(&self, number: u64) -> Result<(), BoxError> {
        let fault = match self.0.lock().unwrap().get_mut(&number) {
            Some((fault, times)) if *times > 0 => {
                *times -= 1;
                *fault
            }
            _ => return Ok(()),
        };
        match fault {
            Fault::Error => Err("an error".into()),
            Fault::Panic => panic!("at once"),
            Fault::Late => {
                tokio::task::yield_now().await;
                panic!("after a while");
            }
            Fault::Hang => std::future::pending().await,
        }
    }
}

/// The number of a failing `started`.
const START: u64 = 0;

#[derive(Clone, Default)]
struct Fragile {
    heard: Heard,
    faults: Faults,
    ticks: Option<Subscription<Tick>>,
}

impl Actor for Fragile {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some(ticks) = self.ticks {
            ctx.subscribe(ticks)?;
        }
        self.heard.add("started");
        self.faults.strike(START).await
    }
}

impl Handler<Tick> for Fragile {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tick {}", tick.0));
        self.faults.strike(tick.0).await
    }
}

impl Handler<Tock> for Fragile {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tock {}", tock.0));
        self.faults.strike(tock.0).await
    }
}

impl Handler<u64> for Fragile {
    async fn handle(&mut self, number: &u64, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("told {number}"));
        if *number == 100 {
            ctx.schedule_after(Duration::ZERO, 101_u64);
        }
        self.faults.strike(*number).await
    }
}

/// Answers with all that was heard; 7 fails like a message.
struct Flush(u64);
impl Responder<Flush> for Fragile {
    type Reply = Vec<String>;
    async fn answer(&mut self, flush: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.faults.strike(flush.0).await.unwrap();
        self.heard.words()
    }
}

/// A tree with one fragile actor whose messages are tried so often.
async fn fragile(bus: &MessageBus, attempts: u32, fragile: &Fragile) -> Tree {
    let make = fragile.clone();
    let child = Child::actor("fragile", move || make.clone()).in_hand(InHand::Retry { attempts });
    start(bus, child).await
}

async fn start(bus: &MessageBus, child: Child) -> Tree {
    Supervisor::builder("root").intensity(20, PERIOD).child(child).start(bus).await.unwrap()
}

#[test]
fn a_message_that_fails_once_is_retried_first_and_all_keep_their_order() {
    on_both_runtimes(|| async {
        for fault in [Fault::Error, Fault::Panic, Fault::Late] {
            let bus = MessageBus::new();
            let actor = Fragile { faults: Faults::of(3, fault, 1), ..Fragile::default() };
            let tree = fragile(&bus, 2, &actor).await;
            let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
            let tocks = bus.publisher::<Tock>().unwrap();
            // Tocks 1 to 5, each followed by a tell: whichever fails, nothing overtakes it.
            for number in 1..=5 {
                tocks.publish(Tock(number)).await.unwrap();
                reference.tell(number * 10).await.unwrap();
            }
            let heard = reference.ask(Flush(0)).await.unwrap();
            let expected = [
                "started", "tock 1", "told 10", "tock 2", "told 20", "tock 3", "started", "tock 3",
                "told 30", "tock 4", "told 40", "tock 5", "told 50",
            ];
            assert_eq!(heard, expected);
            let letters = bus.dead_letters();
            assert_eq!((letters.in_hand, letters.waiting, letters.retried), (0, 0, 1));
            let topic = bus.topics().into_iter().find(|topic| topic.message == "Tock").unwrap();
            assert_eq!((topic.delivered, topic.dead_letters), (5, 0), "a retried message is delivered once");
            tree.shutdown().await.unwrap();
        }
    });
}

#[test]
fn a_direct_message_and_that_of_a_timer_are_retried() {
    on_both_runtimes(|| async {
        for fault in [Fault::Error, Fault::Panic, Fault::Late] {
            let bus = MessageBus::new();
            let actor = Fragile { faults: Faults::of(20, fault, 1), ..Fragile::default() };
            actor.faults.add(101, fault, 2);
            let tree = fragile(&bus, 3, &actor).await;
            let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
            for number in [10, 20, 30] {
                reference.tell(number).await.unwrap();
            }
            let heard = reference.ask(Flush(0)).await.unwrap();
            assert_eq!(heard, ["started", "told 10", "told 20", "started", "told 20", "told 30"]);
            reference.tell(100).await.unwrap();
            while actor.heard.words().iter().filter(|word| *word == "told 101").count() < 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let letters = bus.dead_letters();
            assert_eq!((letters.in_hand, letters.retried), (0, 3));
            tree.shutdown().await.unwrap();
        }
    });
}

#[test]
fn a_poison_message_is_a_dead_letter_after_its_attempts_and_those_behind_it_go_on() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let actor = Fragile { faults: Faults::of(2, Fault::Panic, u32::MAX), ..Fragile::default() };
        actor.faults.add(3, Fault::Error, 1);
        let tree = fragile(&bus, 4, &actor).await;
        let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
        let tocks = bus.publisher::<Tock>().unwrap();
        for number in [1, 2, 3] {
            tocks.publish(Tock(number)).await.unwrap();
        }
        let heard = reference.ask(Flush(0)).await.unwrap();
        let tries = |word: &str| heard.iter().filter(|heard| *heard == word).count();
        assert_eq!((tries("tock 1"), tries("tock 2"), tries("tock 3"), tries("started")), (1, 4, 2, 6));
        let letters = bus.dead_letters();
        // The attempts of one message do not count for the next.
        assert_eq!((letters.in_hand, letters.retried), (1, 4));
        let [letter] = &letters.recent[..] else { panic!("{letters:?}") };
        assert_eq!(letter.cause, DeadLetterCause::InHand { attempts: 4 });
        assert_eq!((letter.message, letter.topic), ("Tock", Some("tocks")));
        assert!(letter.to_string().ends_with("(attempt 4)"), "{letter}");
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn lossy_subscriptions_retry_what_is_in_hand_before_what_has_come_since() {
    on_both_runtimes(|| async {
        // What came while the actor waited in its backoff fills a queue of three.
        let newest: &[u64] = &[4, 5, 6];
        let oldest: &[u64] = &[2, 3];
        for (policy, left) in [
            (Policy::DropOldest, newest),
            (Policy::DropNewest, oldest),
            (Policy::Fail, oldest),
            (Policy::Conflate(|tick: &Tick| tick.0), newest),
        ] {
            let bus = MessageBus::new();
            let ticks = Some(Subscription::new(policy).capacity(3));
            let actor = Fragile { faults: Faults::of(1, Fault::Late, 1), ticks, ..Fragile::default() };
            let make = actor.clone();
            let pause = Duration::from_millis(50);
            let backoff = Backoff { initial: pause, cap: pause, ..Backoff::default() };
            let child = Child::actor("fragile", move || make.clone()).backoff(backoff);
            let tree = start(&bus, child.in_hand(InHand::Retry { attempts: 2 })).await;
            let publisher = bus.publisher::<Tick>().unwrap();
            publisher.publish(Tick(1)).await.unwrap();
            actor.heard.wait_for("tick 1").await;
            for number in 2..=6 {
                let _ = publisher.try_publish(Tick(number));
            }
            let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
            let heard = reference.ask(Flush(0)).await.unwrap();
            let mut expected = vec!["started".to_owned(), "tick 1".into(), "started".into(), "tick 1".into()];
            expected.extend(left.iter().map(|number| format!("tick {number}")));
            assert_eq!(heard, expected, "{policy:?}");
            assert_eq!(bus.dead_letters().in_hand, 0);
            tree.shutdown().await.unwrap();
        }
    });
}

#[test]
fn an_ask_is_not_retried_and_its_asker_gets_an_error_at_once() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let actor = Fragile { faults: Faults::of(7, Fault::Panic, 1), ..Fragile::default() };
        let tree = fragile(&bus, 3, &actor).await;
        let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
        assert_eq!(reference.ask(Flush(7)).await, Err(AskError::Stopped));
        assert_eq!(reference.ask(Flush(7)).await.unwrap(), ["started", "started"]);
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.retried), (1, 0));
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_life_that_does_not_start_costs_no_attempt() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let actor = Fragile::default();
        let tree = fragile(&bus, 2, &actor).await;
        actor.faults.add(1, Fault::Panic, 1);
        actor.faults.add(START, Fault::Error, 3);
        let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
        bus.publisher::<Tock>().unwrap().publish(Tock(1)).await.unwrap();
        let heard = reference.ask(Flush(0)).await.unwrap();
        assert_eq!(heard, ["started", "tock 1", "started", "started", "started", "started", "tock 1"]);
        assert_eq!((bus.dead_letters().in_hand, bus.dead_letters().retried), (0, 1));
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_handler_that_its_probe_gives_up_is_retried_too() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let actor = Fragile { faults: Faults::of(1, Fault::Hang, 1), ..Fragile::default() };
        let make = actor.clone();
        let child = Child::actor("fragile", move || make.clone())
            .health(Health::within(Duration::from_millis(20)).restart())
            .in_hand(InHand::Retry { attempts: 2 });
        let tree = start(&bus, child).await;
        let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
        for number in [1, 2] {
            bus.publisher::<Tock>().unwrap().publish(Tock(number)).await.unwrap();
        }
        let heard = reference.ask(Flush(0)).await.unwrap();
        assert_eq!(heard, ["started", "tock 1", "started", "tock 1", "tock 2"]);
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_message_whose_retry_does_not_come_is_a_dead_letter() {
    on_both_runtimes(|| async {
        // The actor is not restarted at all.
        let bus = MessageBus::new();
        let actor = Fragile { faults: Faults::of(1, Fault::Panic, 9), ..Fragile::default() };
        let make = actor.clone();
        let once = Child::actor("fragile", move || make.clone()).restart(Restart::Temporary);
        let tree = start(&bus, once.in_hand(InHand::Retry { attempts: 5 })).await;
        let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
        reference.tell(1).await.unwrap();
        assert!(matches!(reference.ended().await, StopReason::Panicked(_)));
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.waiting, letters.retried), (1, 0, 0));
        tree.shutdown().await.unwrap();

        // Its supervisor gives up first.
        let bus = MessageBus::new();
        let make = actor.clone();
        let child = Child::actor("fragile", move || make.clone()).in_hand(InHand::Retry { attempts: 9 });
        let tree = Supervisor::builder("root").intensity(2, PERIOD).child(child).start(&bus).await.unwrap();
        tree.actor_ref::<Fragile>("root/fragile").unwrap().tell(1).await.unwrap();
        tree.ended().await;
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.retried), (1, 2));
        assert_eq!(letters.recent[0].cause, DeadLetterCause::InHand { attempts: 3 });

        // A shutdown comes while it waits, or a kill.
        for kill in [false, true] {
            let (bus, hour) = (MessageBus::new(), Duration::from_secs(3600));
            let backoff = Backoff { initial: hour, cap: hour, ..Backoff::default() };
            let make = actor.clone();
            let child = Child::actor("fragile", move || make.clone()).backoff(backoff);
            let tree = start(&bus, child.in_hand(InHand::Retry { attempts: 9 })).await;
            let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
            actor.faults.add(1, Fault::Panic, 1);
            reference.tell(1).await.unwrap();
            while tree.count_children("root").await.unwrap().active > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(bus.dead_letters().in_hand, 0);
            if kill {
                reference.kill();
            } else {
                tree.shutdown().await.unwrap();
            }
            reference.ended().await;
            let letters = bus.dead_letters();
            assert_eq!((letters.in_hand, letters.retried), (1, 0));
            assert_eq!(letters.recent[0].reason == StopReason::Killed, kill);
            assert_eq!(letters.recent[0].cause, DeadLetterCause::InHand { attempts: 1 });
        }
    });
}

#[test]
fn a_drain_waits_for_the_retry() {
    on_both_runtimes(|| async {
        let (bus, pause) = (MessageBus::new(), Duration::from_millis(50));
        let actor = Fragile { faults: Faults::of(1, Fault::Panic, 1), ..Fragile::default() };
        let make = actor.clone();
        let backoff = Backoff { initial: pause, cap: pause, ..Backoff::default() };
        let child = Child::actor("fragile", move || make.clone()).backoff(backoff);
        let child = child.in_hand(InHand::Retry { attempts: 2 }).shutdown(Shutdown::Infinity);
        let tree = start(&bus, child).await;
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
        let actor = Fragile { faults: Faults::of(1, Fault::Panic, 1), ..Fragile::default() };
        let make = actor.clone();
        let backoff = Backoff { initial: hour, cap: hour, ..Backoff::default() };
        let child = Child::actor("fragile", move || make.clone()).backoff(backoff);
        let tree = start(&bus, child.in_hand(InHand::Retry { attempts: 2 })).await;
        bus.publisher::<Tock>().unwrap().publish(Tock(1)).await.unwrap();
        let error = tree.drain(Duration::from_millis(50)).await.unwrap_err();
        assert!(error.to_string().contains("Tock"), "the tree waits for who was in backoff: {error}");
    });
}

#[test]
fn a_subscription_made_anew_by_each_life_is_one_subscription() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let ticks = Some(Subscription::default());
        let actor = Fragile { faults: Faults::of(2, Fault::Panic, 2), ticks, ..Fragile::default() };
        let tree = fragile(&bus, 3, &actor).await;
        let reference = tree.actor_ref::<Fragile>("root/fragile").unwrap();
        let publisher = bus.publisher::<Tick>().unwrap();
        for number in [1, 2, 3] {
            publisher.publish(Tick(number)).await.unwrap();
        }
        let words = ["started", "tick 1", "tick 2", "started", "tick 2", "started", "tick 2", "tick 3"];
        assert_eq!(reference.ask(Flush(0)).await.unwrap(), words);
        publisher.publish(Tick(4)).await.unwrap();
        assert_eq!(reference.ask(Flush(0)).await.unwrap()[words.len()..], ["tick 4"]);
        tree.shutdown().await.unwrap();
    });
}
