//! Hosted actors in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mycelium::tree::{Backoff, Redelivery};
use mycelium::wire::Contract;
use mycelium::{Isolate, RunError, Subscription, Supervisor, Timestamp, WireDelivery};
use mycelium_hosted::{ActorSpec, Address, Behavior, Encoded, Error, Failure, HostedIsolate, Scope};

use crate::common::{Log, TABLE, price, tick};

fn isolate() -> HostedIsolate {
    HostedIsolate::new(Isolate::new(7), &Contract::parse(TABLE).unwrap())
}

const SLEEPS: i64 = -1;
const ASKS: i64 = -2;
const FAILS_LATER: i64 = -3;

/// Publishes what it hears once more, later; some numbers have it wait or ask.
struct Echo {
    log: Log,
    other: Option<Address>,
    paused: i64,
}

impl Echo {
    fn spec(log: &Log, other: Option<Address>) -> ActorSpec {
        let log = log.clone();
        let made = move || {
            let (log, other) = (log.clone(), other.clone());
            Ok(Box::new(Self { log, other, paused: 0 }) as Box<dyn Behavior>)
        };
        ActorSpec::new(made).on("ticks", Subscription::block().capacity(4))
    }

    fn pause(&mut self, n: i64, scope: &mut Scope<'_>) {
        self.paused = n;
        match (n, &self.other) {
            (ASKS, Some(other)) => {
                scope.pause_to_ask(other.clone(), scope.encoded(10, &5_i64.to_le_bytes()).unwrap());
            }
            _ => scope.pause_for(Duration::from_secs(60)),
        }
    }
}

impl Behavior for Echo {
    fn message(&mut self, message: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let n = price(message.bytes);
        self.log.add(format!("{n} at {}", scope.now().as_nanos() / 1_000_000_000));
        if n < 0 {
            self.pause(n, scope);
        }
        for text in 0..n.max(0) {
            let text = text.to_le_bytes();
            scope.publish_later(scope.encoded(10, &text).unwrap());
        }
        Ok(())
    }

    fn told(&mut self, message: &Encoded, _: &mut Scope<'_>) -> Result<(), Failure> {
        self.log.add(format!("told {}", price(&message.bytes)));
        Ok(())
    }

    fn query(&mut self, query: &Encoded, scope: &mut Scope<'_>) -> Result<Encoded, Failure> {
        let n = price(&query.bytes);
        if n < 0 {
            self.pause(n, scope);
            return Ok(query.clone());
        }
        Ok(Encoded { bytes: (n * 2).to_le_bytes().to_vec(), ..query.clone() })
    }

    fn resumed(
        &mut self,
        answer: Option<Result<Encoded, Failure>>,
        scope: &mut Scope<'_>,
    ) -> Result<Option<Encoded>, Failure> {
        let told = answer.map(|answer| answer.map(|answer| price(&answer.bytes)));
        self.log.add(format!(
            "{} goes on at {}: {told:?}",
            self.paused,
            scope.now().as_nanos() / 1_000_000_000
        ));
        if self.paused == FAILS_LATER {
            return Err(Failure::new("ValueError: later"));
        }
        Ok(Some(scope.encoded(10, &self.paused.to_le_bytes()).unwrap()))
    }
}

fn run(hosted: &mut HostedIsolate) {
    hosted.isolate_mut().run().unwrap();
}

#[test]
fn what_a_callback_publishes_later_waits_for_room_and_keeps_its_order() {
    let (mut hosted, log) = (isolate(), Log::default());
    hosted.spawn("echo", Echo::spec(&log, None)).unwrap();
    let asks = hosted.record("asks").unwrap();
    hosted.publish(7, &tick(5_000)).unwrap();
    hosted.publish(7, &tick(2)).unwrap();
    run(&mut hosted);
    let seen: Vec<_> = asks.take().iter().map(|ask| price(&ask.bytes)).collect();
    assert_eq!(seen, (0..5_000).chain(0..2).collect::<Vec<_>>());
    assert!(asks.take().is_empty());
    assert!(hosted.publish(99, &[]).is_err());
}

#[test]
fn a_callback_that_pauses_handles_nothing_until_it_goes_on() {
    let (mut hosted, log) = (isolate(), Log::default());
    let first = hosted.spawn("first", Echo::spec(&log, None)).unwrap();
    hosted.publish(7, &tick(SLEEPS)).unwrap();
    hosted.publish(7, &tick(0)).unwrap();
    run(&mut hosted);
    assert_eq!(log.all(), ["-1 at 0", "-1 goes on at 60: None", "0 at 60"]);
    assert_eq!(hosted.isolate_mut().now(), Timestamp::from_nanos(60_000_000_000));

    let log = Log::default();
    hosted.spawn("second", Echo::spec(&log, Some(first))).unwrap();
    let header = hosted.known().get(10).unwrap().header();
    let query = |n: i64| Encoded { header, bytes: n.to_le_bytes().to_vec() };
    assert_eq!(price(&hosted.ask("second", query(4)).unwrap().bytes), 8);
    assert_eq!(price(&hosted.ask("second", query(ASKS)).unwrap().bytes), ASKS);
    assert_eq!(log.all(), ["-2 goes on at 60: Some(Ok(10))"]);
    assert!(matches!(hosted.ask("second", query(SLEEPS)), Err(Error::Ask(_))), "the clock does not move");
    assert!(matches!(hosted.ask("nobody", query(1)), Err(Error::NoAddress { .. })));
    assert!(matches!(hosted.tell("nobody", query(1)), Err(Error::NoAddress { .. })));
}

/// Publishes at once, more than has room.
struct Hasty;

impl Behavior for Hasty {
    fn message(&mut self, _: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let own = scope.address();
        let query = scope.encoded(10, &tick(1)).unwrap();
        let asked = own.ask(query, None).unwrap_err();
        let full = (0..1_000_000).find_map(|n: i64| scope.publish(10, &tick(n)).err());
        Err(Failure::new(format!("{asked}; {}", full.unwrap())))
    }
}

#[test]
fn what_would_keep_the_isolates_own_thread_is_an_error_that_says_what_to_do() {
    let (mut hosted, log) = (isolate(), Log::default());
    let header = hosted.known().get(10).unwrap().header();
    let query = || Encoded { header, bytes: tick(4).to_vec() };
    let echo = hosted.spawn("echo", Echo::spec(&log, None)).unwrap();
    for limit in [None, Some(Duration::from_secs(3600))] {
        let error = echo.ask(query(), limit).unwrap_err();
        assert!(matches!(error, Error::Isolated { .. }), "{error}");
        assert!(error.to_string().contains("HostedIsolate::ask"), "{error}");
    }
    let full = (0..1_000_000).find_map(|_| echo.tell(query()).err());
    assert!(matches!(full, Some(Error::Isolated { .. } | Error::Tell(_))), "{full:?}");

    let mut hosted = isolate();
    let _asks = hosted.record("asks").unwrap();
    let hasty = || Ok(Box::new(Hasty) as Box<dyn Behavior>);
    hosted.spawn("hasty", ActorSpec::new(hasty).on("ticks", Subscription::block())).unwrap();
    hosted.publish(7, &tick(1)).unwrap();
    let failed = hosted.isolate_mut().run().unwrap_err().to_string();
    assert!(failed.contains("an answer is waited for on the thread that runs the isolate"), "{failed}");
    assert!(failed.contains("room in a full queue") && failed.contains("publish_later"), "{failed}");
}

#[test]
fn a_callback_that_fails_when_it_goes_on_ends_its_life() {
    let (mut hosted, log) = (isolate(), Log::default());
    let child = hosted.child("echo", Echo::spec(&log, None));
    let tree = Supervisor::builder("root").backoff(Backoff::default()).child(child);
    let tree = hosted.start(&tree).unwrap();
    hosted.publish(7, &tick(FAILS_LATER)).unwrap();
    hosted.publish(7, &tick(0)).unwrap();
    run(&mut hosted);
    assert_eq!(log.all(), ["-3 at 0", "-3 goes on at 60: None", "0 at 60"]);
    assert_eq!(hosted.isolate_mut().stats().dead_letters, 1);
    assert!(tree.lookup::<mycelium_hosted::HostedActor>("root/echo").is_some());

    let mut alone = isolate();
    alone.spawn("echo", Echo::spec(&log, None)).unwrap();
    assert!(alone.spawn("echo", Echo::spec(&log, None)).is_err(), "the name is taken");
    alone.publish(7, &tick(FAILS_LATER)).unwrap();
    let failed = alone.isolate_mut().run().unwrap_err();
    assert!(matches!(&failed, RunError::ActorFailed { reason, .. } if reason.to_string().contains("later")));
}

/// Its timer fails in its first life, after it has set itself again where it is told to.
struct Ticking {
    log: Log,
    first: bool,
    sets_itself: bool,
}

impl Behavior for Ticking {
    fn started(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        if self.first || !self.sets_itself {
            scope.schedule_after(Duration::from_secs(10), 1);
        }
        Ok(())
    }

    fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn timer(&mut self, number: u64, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let life = if self.first { "first" } else { "second" };
        self.log.add(format!("{life}: {number} at {}", scope.now().as_nanos() / 1_000_000_000));
        if !self.first {
            return Ok(());
        }
        if self.sets_itself {
            scope.schedule_after(Duration::from_secs(60), number);
        }
        Err(Failure::new("told to"))
    }
}

#[test]
fn a_timer_that_failed_comes_again_beside_those_of_the_next_life() {
    for (sets_itself, wanted) in [
        (true, vec!["first: 1 at 10", "second: 1 at 10"]),
        (false, vec!["first: 1 at 10", "second: 1 at 10", "second: 1 at 20"]),
    ] {
        let (mut hosted, log) = (isolate(), Log::default());
        let (of_actor, lives) = (log.clone(), AtomicUsize::new(0));
        let spec = ActorSpec::new(move || {
            let first = lives.fetch_add(1, Ordering::SeqCst) == 0;
            Ok(Box::new(Ticking { log: of_actor.clone(), first, sets_itself }) as Box<dyn Behavior>)
        });
        let child = hosted.child("ticking", spec).redelivery(Redelivery::Retry { attempts: 2 });
        hosted.start(&Supervisor::builder("root").child(child)).unwrap();
        run(&mut hosted);
        assert_eq!(log.all(), wanted);
    }
}

#[test]
fn the_workers_of_a_pool_share_what_is_published_told_and_asked() {
    let (mut hosted, log) = (isolate(), Log::default());
    let pool = hosted.pool(Echo::spec(&log, None)).workers(2);
    let tree = hosted.start(&Supervisor::builder("root").supervisor(pool.supervisor("pool"))).unwrap();
    for _ in 0..4 {
        hosted.publish(7, &tick(0)).unwrap();
    }
    let query = Encoded { header: hosted.known().get(10).unwrap().header(), bytes: tick(21).to_vec() };
    assert_eq!(price(&hosted.ask("root/pool", query.clone()).unwrap().bytes), 42);
    run(&mut hosted);
    assert_eq!(log.all(), vec!["0 at 0"; 4], "each is handled once");
    hosted.tell("root/pool", query).unwrap();
    hosted.isolate_mut().block_on(tree.drain(Duration::from_secs(1))).unwrap().unwrap();
    assert_eq!(log.all()[4..], ["told 21"], "a drain handles what waits");
    assert!(tree.end_reason().is_some());
}
