//! The message in hand of a supervised actor in an isolate: tried again, or a dead letter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Heard, PERIOD, Tick, at_ms, backoff};
use mycelium::tree::{Builder, Child, ChildStatus, InHand};
use mycelium::{Actor, BoxError, Context, Handler, Isolate, Subscriptions, Supervisor};

/// Fails on each tick as often as its number says, after a second for odd ones.
struct Picky {
    failed: Arc<Mutex<std::collections::BTreeMap<u64, u64>>>,
    log: Heard,
}
impl Actor for Picky {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add_at(ctx.now(), "+");
        Ok(())
    }
}
impl Handler<Tick> for Picky {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 % 2 == 1 {
            ctx.sleep(Duration::from_secs(1)).await;
        }
        let failed = std::mem::replace(self.failed.lock().unwrap().entry(tick.0).or_default(), 0);
        self.log.add_at(ctx.now(), format_args!("{} {failed}", tick.0));
        if failed < tick.0 {
            self.failed.lock().unwrap().insert(tick.0, failed + 1);
            assert!(failed > 0, "first by a panic");
            return Err("then by an error".into());
        }
        Ok(())
    }
}

fn picky(log: &Heard, attempts: u32) -> Builder {
    let (log, failed) = (log.clone(), Arc::default());
    let make = move || Picky { failed: Arc::clone(&failed), log: log.clone() };
    let child = Child::actor("picky", make).in_hand(InHand::Retry { attempts });
    Supervisor::builder("root").intensity(20, PERIOD).backoff(backoff(100)).child(child)
}

#[test]
fn a_message_in_hand_is_retried_first_and_is_a_dead_letter_after_its_attempts() {
    let (log, mut isolate) = (Heard::default(), Isolate::new(1));
    let tree = isolate.supervise(&picky(&log, 3)).unwrap();
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
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&picky(&Heard::default(), 9)).unwrap();
    isolate.publish(Tick(2)).unwrap();
    isolate.run_until(at_ms(50)).unwrap();
    assert!(matches!(tree.child("root/picky").unwrap().status, ChildStatus::Waiting { .. }));
    assert_eq!(isolate.stats().dead_letters, 0);
    isolate.shutdown().unwrap();
    assert_eq!((isolate.stats().dead_letters, isolate.stats().retried), (1, 0));
}
