//! Health probes in virtual time: a child is stuck at the very moment at which its time is over.

use std::future::pending;
use std::time::Duration;

use mycelium::tree::{Builder, Child, Health, Notice, Restart};
use mycelium::{Actor, BoxError, Context, Handler, Isolate, RunError, Service, ServiceContext, Supervisor};

use crate::common::{Heard, PERIOD, at_ms};

const LIMIT: Duration = Duration::from_secs(2);

/// Waits so many milliseconds at each number, and for ever at 13.
struct Worker(Heard);
impl Actor for Worker {
    type Error = BoxError;
}
impl Handler<u64> for Worker {
    async fn handle(&mut self, wait_ms: &u64, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match wait_ms {
            0 => {}
            13 => pending().await,
            wait_ms => ctx.sleep(Duration::from_millis(*wait_ms)).await,
        }
        self.0.add_at(ctx.now(), wait_ms);
        Ok(())
    }
}

/// A root that writes down what its probes find.
fn root(isolate: &Isolate, log: &Heard) -> Builder {
    let (clock, log) = (isolate.clock(), log.clone());
    Supervisor::builder("root").intensity(9, PERIOD).on_event(move |_, notice| match notice {
        Notice::Stuck { id, quiet, detail } => {
            log.add_at(clock.now(), format_args!("{id} stuck for {quiet:?}: {detail}"));
        }
        Notice::Recovered { id } => log.add_at(clock.now(), format_args!("{id} recovered")),
        Notice::Exited { id, reason } => log.add_at(clock.now(), format_args!("{id} ended: {reason}")),
        _ => {}
    })
}

fn worker(log: &Heard, health: Health) -> Child {
    let log = log.clone();
    Child::actor("w", move || Worker(log.clone())).health(health)
}

#[test]
fn a_handler_that_waits_too_long_is_said_to_be_stuck_and_to_have_recovered() {
    let (mut isolate, log) = (Isolate::new(1), Heard::default());
    let tree = isolate.supervise(&root(&isolate, &log).child(worker(&log, Health::within(LIMIT)))).unwrap();
    let w = tree.lookup::<Worker>("root/w").unwrap();
    for wait_ms in [0, 1_500, 1_999, 3_000, 1_000] {
        isolate.tell(&w, wait_ms).unwrap();
    }
    isolate.run().unwrap();
    let heard = log.take();
    assert_eq!(heard[..3], ["0 0", "1500 1500", "3499 1999"], "each in its time");
    assert!(heard[3].starts_with("5499 w stuck for 2s: "), "{heard:?}");
    assert_eq!(heard[4..], ["6499 3000", "6499 w recovered", "7499 1000"]);
    assert_eq!(isolate.now(), at_ms(7_499), "no look moves the time");
}

#[test]
fn a_handler_that_never_returns_is_restarted_if_its_probe_says_so() {
    let (mut isolate, log) = (Isolate::new(1), Heard::default());
    let health = Health::within(LIMIT).restart();
    let tree = isolate.supervise(&root(&isolate, &log).child(worker(&log, health))).unwrap();
    let w = tree.lookup::<Worker>("root/w").unwrap();
    for wait_ms in [13, 0, 13, 1] {
        isolate.tell(&w, wait_ms).unwrap();
    }
    isolate.run().unwrap();
    let heard = log.take();
    assert!(
        heard[0].starts_with("2000 w stuck for 2s: ") && heard[1].starts_with("2000 w ended: "),
        "{heard:?}"
    );
    assert!(heard[1].contains("stuck for 2s"), "{heard:?}");
    assert_eq!(heard[2], "2000 0");
    assert!(heard[3].starts_with("4000 w stuck") && heard[4].starts_with("4000 w ended"), "{heard:?}");
    assert_eq!(heard[5..], ["4001 1"]);
    assert_eq!(isolate.stats().dead_letters, 2, "what it had in hand");
}

#[test]
fn a_probe_that_only_reports_says_it_once_and_the_run_ends_as_without_it() {
    let (mut isolate, log) = (Isolate::new(1), Heard::default());
    let tree = isolate.supervise(&root(&isolate, &log).child(worker(&log, Health::within(LIMIT)))).unwrap();
    isolate.tell(&tree.lookup::<Worker>("root/w").unwrap(), 13).unwrap();
    assert!(matches!(isolate.run(), Err(RunError::Stuck { .. })));
    let heard = log.take();
    assert!(heard.len() == 1 && heard[0].starts_with("2000 w stuck for 2s"), "{heard:?}");
}

/// Says that it is alive each second, five times, and then for three seconds not.
struct Beat;
impl Service for Beat {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for wait_s in [1, 1, 1, 1, 1, 3, 1] {
            ctx.sleep(Duration::from_secs(wait_s)).await;
            ctx.alive();
        }
        Ok(())
    }
}

#[test]
fn a_service_has_to_give_signs_of_life() {
    for restarts in [false, true] {
        let (mut isolate, log) = (Isolate::new(1), Heard::default());
        let health = if restarts { Health::within(LIMIT).restart() } else { Health::within(LIMIT) };
        let beat = Child::service("s", || Beat).restart(Restart::Temporary).health(health);
        isolate.supervise(&root(&isolate, &log).child(beat)).unwrap();
        isolate.run().unwrap();
        let heard = log.take();
        assert!(heard[0].starts_with("7000 s stuck for 2s: "), "{heard:?}");
        if restarts {
            assert!(heard[1].starts_with("7000 s ended: ") && heard.len() == 2, "{heard:?}");
        } else {
            assert_eq!(heard[1..], ["8000 s recovered", "9000 s ended: normal"]);
        }
    }
}
