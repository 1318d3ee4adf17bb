//! The message that an actor has in hand when it fails: retried, in order, a bounded number of times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Backoff, Child, ChildStatus, Redelivery, Restart};
use mycelium::{
    Actor, AskError, BoxError, Context, Handler, Policy, Responder, StopReason, Subscription, Subscriptions,
    Supervisor, Tree,
};

use crate::common::{Heard, PERIOD, Tick, Tock, backoff};
use crate::host::{Host, Letters};

/// How a handler fails.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error,
    Panic,
    /// After it has waited.
    Late,
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

    async fn strike<A: Actor>(&self, number: u64, ctx: &Context<A>) -> Result<(), BoxError> {
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
                ctx.sleep(Duration::from_millis(1)).await;
                panic!("after a while");
            }
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
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some(ticks) = self.ticks {
            ctx.subscribe(ticks)?;
        }
        self.heard.add("started");
        self.faults.strike(START, ctx).await
    }
}

impl Handler<Tick> for Fragile {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tick {}", tick.0));
        self.faults.strike(tick.0, ctx).await
    }
}

impl Handler<Tock> for Fragile {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tock {}", tock.0));
        self.faults.strike(tock.0, ctx).await
    }
}

impl Handler<u64> for Fragile {
    async fn handle(&mut self, number: &u64, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("told {number}"));
        if *number == 100 {
            ctx.schedule_after(Duration::ZERO, 101_u64);
        }
        self.faults.strike(*number, ctx).await
    }
}

/// Answers with all that was heard; 7 fails like a message.
struct Flush(u64);
impl Responder<Flush> for Fragile {
    type Reply = Vec<String>;
    async fn answer(&mut self, flush: &Flush, ctx: &mut Context<Self>) -> Vec<String> {
        self.faults.strike(flush.0, ctx).await.unwrap();
        self.heard.words()
    }
}

/// An hour between two lives.
fn an_hour() -> Backoff {
    let hour = Duration::from_secs(3600);
    Backoff { initial: hour, cap: hour, ..Backoff::default() }
}

/// A child whose messages are tried so often.
fn child(fragile: &Fragile, attempts: u32) -> Child {
    let make = fragile.clone();
    Child::actor("fragile", move || make.clone()).redelivery(Redelivery::Retry { attempts })
}

/// A host with it in a tree.
fn with<H: Host>(child: Child) -> (H, Tree, mycelium::ActorRef<Fragile>) {
    let mut host = H::new();
    let tree = host.supervise(Supervisor::builder("root").intensity(20, PERIOD).child(child)).unwrap();
    let reference = host.child(&tree, "root/fragile").unwrap();
    (host, tree, reference)
}

conformance!(a_message_that_fails_once_is_retried_first_and_all_keep_their_order);
fn a_message_that_fails_once_is_retried_first_and_all_keep_their_order<H: Host>() {
    for fault in [Fault::Error, Fault::Panic, Fault::Late] {
        let actor = Fragile { faults: Faults::of(3, fault, 1), ..Fragile::default() };
        let (mut host, _tree, reference) = with::<H>(child(&actor, 2));
        // Tocks 1 to 5, each followed by a tell: whichever fails, nothing overtakes it.
        for number in 1..=5 {
            host.publish(Tock(number)).unwrap();
            host.tell(&reference, number * 10).unwrap();
        }
        let heard = host.ask(&reference, Flush(0)).unwrap();
        let expected = [
            "started", "tock 1", "told 10", "tock 2", "told 20", "tock 3", "started", "tock 3", "told 30",
            "tock 4", "told 40", "tock 5", "told 50",
        ];
        assert_eq!(heard, expected, "{fault:?}");
        assert_eq!(host.letters(), Letters { dead: 0, retried: 1 });
        let topic = host.topic::<Tock>();
        assert_eq!((topic.delivered, topic.dead_letters), (5, 0), "a retried message is delivered once");
        host.shutdown();
    }
}

conformance!(a_direct_message_and_that_of_a_timer_are_retried);
fn a_direct_message_and_that_of_a_timer_are_retried<H: Host>() {
    for fault in [Fault::Error, Fault::Panic, Fault::Late] {
        let actor = Fragile { faults: Faults::of(20, fault, 1), ..Fragile::default() };
        actor.faults.add(101, fault, 2);
        let (mut host, _tree, reference) = with::<H>(child(&actor, 3));
        for number in [10, 20, 30] {
            host.tell(&reference, number).unwrap();
        }
        let heard = host.ask(&reference, Flush(0)).unwrap();
        assert_eq!(heard, ["started", "told 10", "told 20", "started", "told 20", "told 30"]);
        host.tell(&reference, 100).unwrap();
        let tries = || actor.heard.words().iter().filter(|word| *word == "told 101").count();
        host.until(|| tries() == 3);
        assert_eq!(host.letters(), Letters { dead: 0, retried: 3 });
        host.shutdown();
    }
}

conformance!(a_poison_message_is_a_dead_letter_after_its_attempts_and_those_behind_it_go_on);
fn a_poison_message_is_a_dead_letter_after_its_attempts_and_those_behind_it_go_on<H: Host>() {
    let actor = Fragile { faults: Faults::of(2, Fault::Panic, u32::MAX), ..Fragile::default() };
    actor.faults.add(3, Fault::Error, 1);
    let (mut host, _tree, reference) = with::<H>(child(&actor, 4));
    for number in [1, 2, 3] {
        host.publish(Tock(number)).unwrap();
    }
    let heard = host.ask(&reference, Flush(0)).unwrap();
    let tries = |word: &str| heard.iter().filter(|heard| *heard == word).count();
    assert_eq!((tries("tock 1"), tries("tock 2"), tries("tock 3"), tries("started")), (1, 4, 2, 6));
    // The attempts of one message do not count for the next.
    assert_eq!(host.letters(), Letters { dead: 1, retried: 4 });
    host.shutdown();
}

conformance!(lossy_subscriptions_retry_what_is_in_hand_before_what_has_come_since);
fn lossy_subscriptions_retry_what_is_in_hand_before_what_has_come_since<H: Host>() {
    // Messages that came while the actor waited in its backoff fill a queue of three.
    let newest: &[u64] = &[4, 5, 6];
    let oldest: &[u64] = if H::OFFERS.capacity_counts_all { &[2, 3] } else { &[2, 3, 4] };
    for (policy, left) in [
        (Policy::DropOldest, newest),
        (Policy::DropNewest, oldest),
        (Policy::Fail, oldest),
        (Policy::Conflate(|tick: &Tick| tick.0), newest),
    ] {
        let ticks = Some(Subscription::new(policy).capacity(3));
        let actor = Fragile { faults: Faults::of(1, Fault::Late, 1), ticks, ..Fragile::default() };
        let (mut host, tree, reference) = with::<H>(child(&actor, 2).backoff(backoff(1_000)));
        host.publish(Tick(1)).unwrap();
        loop {
            match host.status(&tree, "root/fragile") {
                Some(ChildStatus::Waiting { .. }) => break,
                _ => host.advance(Duration::from_millis(1)),
            }
        }
        for number in 2..=6 {
            let _ = host.try_publish(Tick(number));
            // By then it is in its queue on any host.
            host.settle();
        }
        let heard = host.ask(&reference, Flush(0)).unwrap();
        let mut expected = vec!["started".to_owned(), "tick 1".into(), "started".into(), "tick 1".into()];
        expected.extend(left.iter().map(|number| format!("tick {number}")));
        assert_eq!(heard, expected, "{policy:?}");
        assert_eq!(host.letters().dead, 0);
        host.shutdown();
    }
}

conformance!(an_ask_is_not_retried_and_its_asker_gets_an_error_at_once);
fn an_ask_is_not_retried_and_its_asker_gets_an_error_at_once<H: Host>() {
    let actor = Fragile { faults: Faults::of(7, Fault::Panic, 1), ..Fragile::default() };
    let (mut host, _tree, reference) = with::<H>(child(&actor, 3));
    assert!(matches!(host.ask(&reference, Flush(7)), Err(AskError::Stopped(_))));
    assert_eq!(host.ask(&reference, Flush(7)).unwrap(), ["started", "started"]);
    assert_eq!(host.letters(), Letters { dead: 1, retried: 0 });
    host.shutdown();
}

conformance!(a_life_that_does_not_start_costs_no_attempt);
fn a_life_that_does_not_start_costs_no_attempt<H: Host>() {
    let actor = Fragile::default();
    let (mut host, _tree, reference) = with::<H>(child(&actor, 2));
    actor.faults.add(1, Fault::Panic, 1);
    actor.faults.add(START, Fault::Error, 3);
    host.publish(Tock(1)).unwrap();
    let heard = host.ask(&reference, Flush(0)).unwrap();
    assert_eq!(heard, ["started", "tock 1", "started", "started", "started", "started", "tock 1"]);
    assert_eq!(host.letters(), Letters { dead: 0, retried: 1 });
    host.shutdown();
}

conformance!(a_message_of_an_actor_that_is_not_restarted_is_a_dead_letter);
fn a_message_of_an_actor_that_is_not_restarted_is_a_dead_letter<H: Host>() {
    let actor = Fragile { faults: Faults::of(1, Fault::Panic, 9), ..Fragile::default() };
    let (mut host, _tree, reference) = with::<H>(child(&actor, 5).restart(Restart::Temporary));
    host.tell(&reference, 1).unwrap();
    assert!(matches!(host.ended(&reference), StopReason::Panicked(_)));
    assert_eq!(host.letters(), Letters { dead: 1, retried: 0 });
    host.shutdown();
}

conformance!(a_message_is_a_dead_letter_when_its_supervisor_gives_up_first);
fn a_message_is_a_dead_letter_when_its_supervisor_gives_up_first<H: Host>() {
    let mut host = H::new();
    let actor = Fragile { faults: Faults::of(1, Fault::Panic, 9), ..Fragile::default() };
    let root = Supervisor::builder("root").intensity(2, PERIOD).child(child(&actor, 9));
    let tree = host.supervise(root).unwrap();
    let reference = host.child::<Fragile>(&tree, "root/fragile").unwrap();
    host.tell(&reference, 1).unwrap();
    host.tree_ended(&tree);
    assert_eq!(host.letters(), Letters { dead: 1, retried: 2 });
}

conformance!(a_message_that_waits_for_its_retry_is_a_dead_letter_of_a_shutdown_and_of_a_kill);
fn a_message_that_waits_for_its_retry_is_a_dead_letter_of_a_shutdown_and_of_a_kill<H: Host>() {
    for kill in [false, true] {
        let actor = Fragile { faults: Faults::of(1, Fault::Panic, 9), ..Fragile::default() };
        let (mut host, tree, reference) = with::<H>(child(&actor, 9).backoff(an_hour()));
        host.tell(&reference, 1).unwrap();
        host.settle();
        assert!(matches!(host.status(&tree, "root/fragile"), Some(ChildStatus::Waiting { .. })));
        assert_eq!(host.letters().dead, 0);
        if kill {
            reference.kill();
            assert_eq!(host.ended(&reference), StopReason::Killed);
        } else {
            host.shut_tree(&tree);
        }
        assert!(!reference.is_alive());
        assert_eq!(host.letters(), Letters { dead: 1, retried: 0 });
    }
}

conformance!(a_subscription_made_anew_by_each_life_is_one_subscription);
fn a_subscription_made_anew_by_each_life_is_one_subscription<H: Host>() {
    let ticks = Some(Subscription::default());
    let actor = Fragile { faults: Faults::of(2, Fault::Panic, 2), ticks, ..Fragile::default() };
    let (mut host, _tree, reference) = with::<H>(child(&actor, 3));
    for number in [1, 2, 3] {
        host.publish(Tick(number)).unwrap();
    }
    let words = ["started", "tick 1", "tick 2", "started", "tick 2", "started", "tick 2", "tick 3"];
    assert_eq!(host.ask(&reference, Flush(0)).unwrap(), words);
    host.publish(Tick(4)).unwrap();
    assert_eq!(host.ask(&reference, Flush(0)).unwrap()[words.len()..], ["tick 4"]);
    host.shutdown();
}
