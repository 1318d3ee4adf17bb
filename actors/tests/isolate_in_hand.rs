//! The message in hand of a supervised actor in an isolate: tried again, or a dead letter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Backoff, Child, ChildStatus, InHand};
use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscriptions, Supervisor, Timestamp};

const PERIOD: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Tick(u32);
impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "ticks";
}

/// What happened, with the millisecond at which it did.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, at: Timestamp, what: impl std::fmt::Display) {
        self.0.lock().unwrap().push(format!("{} {what}", at.as_nanos() / 1_000_000));
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn backoff(initial_ms: u64) -> Backoff {
    Backoff { initial: Duration::from_millis(initial_ms), ..Backoff::default() }
}

fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

/// Fails on each tick as often as its number says, after a second for odd ones.
struct Picky {
    failed: Arc<Mutex<std::collections::BTreeMap<u32, u32>>>,
    log: Log,
}
impl Actor for Picky {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add(ctx.now(), "+");
        Ok(())
    }
}
impl Handler<Tick> for Picky {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 % 2 == 1 {
            ctx.sleep(Duration::from_secs(1)).await;
        }
        let failed = std::mem::replace(self.failed.lock().unwrap().entry(tick.0).or_default(), 0);
        self.log.add(ctx.now(), format_args!("{} {failed}", tick.0));
        if failed < tick.0 {
            self.failed.lock().unwrap().insert(tick.0, failed + 1);
            assert!(failed > 0, "first by a panic");
            return Err("then by an error".into());
        }
        Ok(())
    }
}

#[test]
fn a_message_in_hand_is_retried_first_and_is_a_dead_letter_after_its_attempts() {
    let (log, failed) = (Log::default(), Arc::default());
    let picky = log.clone();
    let make = move || Picky { failed: Arc::clone(&failed), log: picky.clone() };
    let child = Child::actor("picky", make).in_hand(InHand::Retry { attempts: 3 });
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").intensity(20, PERIOD).backoff(backoff(100)).child(child);
    let tree = isolate.supervise(&root).unwrap();
    let picky = tree.actor_ref::<Picky>("root/picky").unwrap();
    for number in [0, 1, 2] {
        isolate.publish(Tick(number)).unwrap();
    }
    isolate.tell(&picky, Tick(4)).unwrap();
    isolate.publish(Tick(0)).unwrap();
    let stats = isolate.run().unwrap();
    let expected = [
        "0 +", "0 0 0", "1000 1 0", "1100 +", "2100 1 1", "2100 2 0", "2300 +", "2300 2 1", "2700 +",
        "2700 2 2", "2700 4 0", "3500 +", "3500 4 1", "5100 +", "5100 4 2", "8300 +", "8300 0 0",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!((stats.retried, stats.dead_letters), (5, 1));
    assert_eq!(isolate.topics()[0].delivered, 4, "a message is delivered once, however often it is tried");
}

#[test]
fn a_message_whose_retry_does_not_come_is_a_dead_letter_of_its_isolate() {
    let (log, failed) = (Log::default(), Arc::default());
    let picky = log.clone();
    let make = move || Picky { failed: Arc::clone(&failed), log: picky.clone() };
    let child = Child::actor("picky", make).in_hand(InHand::Retry { attempts: 9 });
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&Supervisor::builder("root").backoff(backoff(100)).child(child)).unwrap();
    isolate.publish(Tick(2)).unwrap();
    isolate.run_until(at_ms(50)).unwrap();
    assert!(matches!(tree.child("root/picky").unwrap().status, ChildStatus::Waiting { .. }));
    assert_eq!(isolate.stats().dead_letters, 0);
    isolate.shutdown().unwrap();
    assert_eq!((isolate.stats().dead_letters, isolate.stats().retried), (1, 0));
}
