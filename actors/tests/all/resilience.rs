//! Helpers for calls to the outside: in virtual time where time matters, and the breaker against a naive
//! model.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::resilience::{
    AttemptError, Backoff, Breaker, BreakerAction, BreakerEvent, BreakerPolicy, BreakerState, CircuitBreaker,
    CircuitError, GaveUp, Outcome, Retry, RetryError, RetryPolicy, Ticket,
};
use mycelium::{BoxError, Clock, Isolate, MessageBus, Service, ServiceContext, Timestamp};
use mycelium_random::{Random, seed};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// 100, 200, 400 ... up to 1,000 ms, without jitter.
fn steady() -> Backoff {
    Backoff { initial: MS(100), multiplier: 2.0, cap: MS(1_000), jitter: 0.0, reset_after: MS(1) }
}

/// What happened and when, in milliseconds of virtual time.
type Journal = Arc<Mutex<Vec<(u64, String)>>>;

fn ms(clock: &Clock) -> u64 {
    (clock.now() - Timestamp::ZERO).as_millis() as u64
}

/// Runs `script` as a service of an isolate.
fn in_virtual_time<F>(script: impl FnOnce(Clock, Journal) -> F + Send + 'static) -> Vec<(u64, String)>
where
    F: Future<Output = ()> + Send + 'static,
{
    struct Script<G>(Option<G>, Journal);
    impl<F, G> Service for Script<G>
    where
        G: FnOnce(Clock, Journal) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let script = self.0.take().expect("it runs once");
            script(ctx.clock(), Arc::clone(&self.1)).await;
            self.1.lock().unwrap().push((ms(&ctx.clock()), "end".to_owned()));
            Ok(())
        }
    }
    let journal = Journal::default();
    let mut isolate = Isolate::new(1);
    isolate.spawn_service(Script(Some(script), Arc::clone(&journal))).unwrap();
    isolate.run().unwrap();
    let seen = journal.lock().unwrap().clone();
    assert_eq!(seen.last().map(|(_, word)| word.as_str()), Some("end"), "the script came to its end");
    seen
}

fn note(journal: &Journal, clock: &Clock, word: &impl ToString) {
    journal.lock().unwrap().push((ms(clock), word.to_string()));
}

#[test]
fn a_retry_waits_longer_each_time_and_returns_the_first_success() {
    let seen = in_virtual_time(|clock, journal| async move {
        let policy = RetryPolicy { attempts_max: 5, backoff: steady(), ..RetryPolicy::default() };
        let attempts = Mutex::new(0);
        let attempt = || {
            *attempts.lock().unwrap() += 1;
            let number = *attempts.lock().unwrap();
            note(&journal, &clock, &number);
            async move { if number < 4 { Err("down") } else { Ok(number) } }
        };
        let result = Retry::new(policy).unwrap().run(&clock, attempt).await;
        assert_eq!(result, Ok(4));
    });
    let expected = [(0, "1"), (100, "2"), (300, "3"), (700, "4"), (700, "end")];
    assert_eq!(seen, expected.map(|(at, word)| (at, word.to_owned())));
}

#[test]
fn a_retry_says_how_often_it_tried_and_what_failed_last() {
    in_virtual_time(|clock, _| async move {
        let policy = RetryPolicy { attempts_max: 3, backoff: steady(), ..RetryPolicy::default() };
        let mut retry = Retry::new(policy).unwrap();
        let error: RetryError<&str> = retry.run(&clock, || async { Err::<(), _>("down") }).await.unwrap_err();
        assert_eq!((error.attempts, error.elapsed, error.cause), (3, MS(300), GaveUp::Attempts));
        assert_eq!(
            error.to_string(),
            "gave up after 3 attempts in 300ms (no attempt is left); the last error: down"
        );
        assert_eq!(error.into_last(), Some("down"));

        let mut errors = ["busy", "forbidden", "busy"].into_iter();
        let attempt = || std::future::ready(Err::<(), _>(errors.next().unwrap()));
        let error = retry.run_if(&clock, attempt, |error| *error == "busy").await.unwrap_err();
        assert_eq!((error.attempts, error.cause), (2, GaveUp::NotRetried));
        assert_eq!(error.last, Some(AttemptError::Failed("forbidden")));
    });
}

#[test]
fn a_retry_ends_at_its_deadline_whatever_the_attempt_does() {
    let seen = in_virtual_time(|clock, journal| async move {
        let backoff = steady();
        let policy =
            RetryPolicy { attempts_max: 100, backoff, deadline: Some(MS(650)), ..Default::default() };
        let mut retry = Retry::new(policy).unwrap();
        // The attempts hang, and nothing limits one of them: the deadline cuts the first off.
        let hang = || std::future::pending::<Result<(), &str>>();
        let error = retry.run(&clock, hang).await.unwrap_err();
        assert_eq!((error.attempts, error.cause, &error.last), (1, GaveUp::Deadline, &None));
        note(&journal, &clock, &error);
        // With a limit for each there are several, the last of which is cut off.
        let policy = RetryPolicy { attempt_timeout: Some(MS(150)), ..policy };
        let error = Retry::new(policy).unwrap().run(&clock, hang).await.unwrap_err();
        assert_eq!(error.last, Some(AttemptError::TimedOut(MS(150))));
        note(&journal, &clock, &error);
    });
    let first = "gave up after 1 attempt in 650ms (the deadline); the first attempt was still under way";
    assert_eq!(seen[0], (650, first.to_owned()));
    // 150 + 100 + 150 + 200: the third attempt would begin at 600 and be cut off at 650.
    let second = "gave up after 3 attempts in 650ms (the deadline); the last error: not done within 150ms";
    assert_eq!(seen[1], (1_300, second.to_owned()));
}

/// A timer of tokio goes off at the next whole millisecond.
#[tokio::test(start_paused = true)]
async fn a_retry_whose_wait_ends_at_the_deadline_begins_no_further_attempt() {
    let backoff = Backoff { initial: Duration::from_micros(9_900), jitter: 0.0, ..steady() };
    let policy = RetryPolicy { attempts_max: 100, backoff, deadline: Some(MS(10)), ..Default::default() };
    let (clock, mut calls) = (MessageBus::new().clock(), 0);
    let attempt = || {
        calls += 1;
        std::future::ready(if calls == 1 { Err("down") } else { Ok(()) })
    };
    let error = Retry::new(policy).unwrap().run(&clock, attempt).await.unwrap_err();
    assert_eq!((calls, error.attempts, error.cause), (1, 1, GaveUp::Deadline));
    assert_eq!(error.last, Some(AttemptError::Failed("down")));
}

#[test]
fn the_same_seed_waits_the_same_and_another_does_not() {
    let waits = |seed| {
        in_virtual_time(move |clock, journal| async move {
            let backoff = Backoff { jitter: 0.5, ..steady() };
            let policy = RetryPolicy { attempts_max: 6, backoff, seed, ..RetryPolicy::default() };
            let attempt = || {
                note(&journal, &clock, &"try");
                async { Err::<(), _>("down") }
            };
            Retry::new(policy).unwrap().run(&clock, attempt).await.unwrap_err();
        })
    };
    assert_eq!(waits(7), waits(7));
    assert_ne!(waits(7), waits(8));
}

#[test]
fn a_circuit_opens_refuses_probes_and_closes() {
    let policy = BreakerPolicy { calls_min: 4, failure_share: 0.5, open_for: MS(500), ..Default::default() };
    in_virtual_time(move |clock, _| async move {
        let circuit = CircuitBreaker::new("venue", policy).unwrap();
        let made = AtomicU32::new(0);
        let count = |result: Result<(), &'static str>| {
            let made = &made;
            async move {
                made.fetch_add(1, Ordering::Relaxed);
                result
            }
        };
        // Refusals by the other side are no failures here.
        for result in [Err("refused"), Err("refused"), Err("down"), Err("down")] {
            let _ = circuit.call_if(&clock, count(result), |error| *error == "down").await;
        }
        assert!(matches!(circuit.state(), BreakerState::Open { .. }), "2 of 4 failed");
        clock.sleep(MS(100)).await;
        let error = circuit.call(&clock, count(Ok(()))).await.unwrap_err();
        assert_eq!(made.load(Ordering::Relaxed), 4, "a refused call is not made");
        assert_eq!(
            error.to_string(),
            "`venue` was not called: its circuit opened when 2 of 4 calls had failed; a call is let through again in 400ms"
        );
        clock.sleep(MS(400)).await;
        assert_eq!(circuit.call(&clock, count(Err("down"))).await, Err(CircuitError::Failed("down")));
        assert!(matches!(circuit.state(), BreakerState::Open { .. }), "its probe failed");
        clock.sleep(MS(500)).await;
        let probe = circuit.permit(&clock).unwrap();
        assert_eq!(circuit.state(), BreakerState::HalfOpen);
        assert!(circuit.permit(&clock).is_err(), "one probe at a time");
        drop(probe); // its caller left: another may probe
        circuit.permit(&clock).unwrap().succeeded();
        assert_eq!(circuit.state(), BreakerState::Closed);
        let counted = circuit.counters();
        assert_eq!((counted.admitted, counted.refused), (7, 2));
        assert_eq!((counted.succeeded, counted.failed, counted.cancelled), (3, 3, 1));
        assert_eq!((counted.opened, counted.closed), (2, 1));
    });
}

#[test]
fn a_probe_that_hangs_does_not_keep_a_circuit_half_open() {
    let policy = BreakerPolicy { calls_min: 1, open_for: MS(500), ..BreakerPolicy::default() };
    in_virtual_time(move |clock, _| async move {
        let circuit = CircuitBreaker::new("venue", policy).unwrap();
        circuit.permit(&clock).unwrap().failed();
        clock.sleep(MS(500)).await;
        let hangs = circuit.permit(&clock).unwrap();
        clock.sleep(MS(499)).await;
        assert_eq!(circuit.permit(&clock).unwrap_err().retry_after, MS(1));
        clock.sleep(MS(1)).await;
        circuit.permit(&clock).unwrap().succeeded();
        assert_eq!(circuit.state(), BreakerState::Closed);
        hangs.failed();
        assert_eq!(circuit.state(), BreakerState::Closed, "what an earlier probe says comes too late");
    });
}

#[tokio::test]
async fn a_panic_counts_as_a_failure_and_poisons_nothing() {
    let clock = MessageBus::new().clock();
    let policy = BreakerPolicy { calls_min: 1, ..BreakerPolicy::default() };
    let circuit = CircuitBreaker::new("venue", policy).unwrap();
    let (theirs, time) = (circuit.clone(), clock.clone());
    let panicking =
        async move { theirs.call(&time, async { panic!("on purpose") as Result<(), &str> }).await };
    assert!(tokio::spawn(panicking).await.unwrap_err().is_panic());
    assert_eq!(circuit.counters().failed, 1);
    assert!(circuit.permit(&clock).is_err());
}

/// The breaker told as a story: it remembers every call and counts them anew each time.
struct Model {
    policy: BreakerPolicy,
    now: u64,
    /// When each call ended since the circuit closed, and whether it failed.
    ended: Vec<(u64, bool)>,
    stands: Stands,
    /// The tickets that still decide something.
    valid: Vec<Ticket>,
}

enum Stands {
    Closed,
    Open(u64),
    /// When each probe was admitted that was not cancelled; how many succeeded.
    HalfOpen(Vec<u64>, u32),
}

impl Model {
    fn call(&mut self) -> Result<(), u64> {
        let wait = self.policy.open_for.as_nanos() as u64;
        if let Stands::Open(until) = self.stands {
            if self.now < until {
                return Err(until - self.now);
            }
            self.stands = Stands::HalfOpen(Vec::new(), 0);
        }
        if let Stands::HalfOpen(probes, succeeded) = &mut self.stands {
            if probes.len() == self.policy.probes as usize {
                let latest = *probes.last().unwrap();
                if self.now < latest + wait {
                    return Err(latest + wait - self.now);
                }
                probes.clear();
                *succeeded = 0;
                self.valid.clear();
            }
            probes.push(self.now);
        }
        Ok(())
    }

    fn ended(&mut self, ticket: Ticket, outcome: Outcome) -> BreakerAction {
        let Some(at) = self.valid.iter().position(|valid| *valid == ticket) else {
            return BreakerAction::Nothing;
        };
        self.valid.remove(at);
        let open = match &mut self.stands {
            Stands::Closed => {
                if outcome == Outcome::Cancelled {
                    return BreakerAction::Nothing;
                }
                self.ended.push((self.now, outcome == Outcome::Failed));
                let tenth = self.policy.window.as_nanos() as u64 / 10;
                let recent = self.ended.iter().filter(|(at, _)| at / tenth + 10 > self.now / tenth);
                let failures = recent.clone().filter(|(_, failed)| *failed).count();
                let calls = recent.count();
                calls >= self.policy.calls_min as usize
                    && failures as f64 >= self.policy.failure_share * calls as f64
            }
            Stands::Open(_) => false,
            Stands::HalfOpen(probes, succeeded) => match outcome {
                Outcome::Failed => true,
                Outcome::Cancelled => {
                    // Which one is of no account: the latest time stays the measure of those that hang.
                    let latest = probes.pop().unwrap();
                    if let Some(last) = probes.last_mut() {
                        *last = latest;
                    }
                    false
                }
                Outcome::Succeeded => {
                    *succeeded += 1;
                    if *succeeded < self.policy.probes {
                        return BreakerAction::Nothing;
                    }
                    self.stands = Stands::Closed;
                    self.ended.clear();
                    self.valid.clear();
                    return BreakerAction::Closed;
                }
            },
        };
        if open {
            self.stands = Stands::Open(self.now + self.policy.open_for.as_nanos() as u64);
            self.ended.clear();
            self.valid.clear();
            return BreakerAction::Opened;
        }
        BreakerAction::Nothing
    }
}

#[test]
fn the_breaker_decides_as_a_naive_model_does() {
    let seed = seed();
    let (mut opened, mut closed, mut refused, mut late) = (0, 0, 0, 0);
    for run in 0..2_000 {
        let mut random = Random::new(seed ^ run);
        let policy = BreakerPolicy {
            window: MS(10 + random.below(200)),
            calls_min: 1 + random.below(6) as u32,
            failure_share: (1 + random.below(10)) as f64 / 10.0,
            open_for: MS(1 + random.below(60)),
            probes: 1 + random.below(3) as u32,
        };
        let mut breaker = Breaker::new(policy).unwrap();
        let (ended, valid, stands) = (Vec::new(), Vec::new(), Stands::Closed);
        let mut model = Model { policy, now: 0, ended, stands, valid };
        let mut out: Vec<Ticket> = Vec::new();
        let mut clock = 1_000_000_000;
        for step in 0..200 {
            // Now and then the clock is set back.
            clock = if random.below(20) == 0 {
                clock - random.below(clock / 100)
            } else {
                clock + random.below(8_000_000)
            };
            model.now = model.now.max(clock);
            let now = Timestamp::from_nanos(clock as i64);
            if out.is_empty() || random.below(2) == 0 {
                match (breaker.step(now, BreakerEvent::Call), model.call()) {
                    (BreakerAction::Admit(ticket), Ok(())) => {
                        model.valid.push(ticket);
                        out.push(ticket);
                    }
                    (BreakerAction::Refuse { retry_after }, Err(after)) => {
                        assert_eq!(retry_after.as_nanos(), u128::from(after), "run {run}, step {step}");
                        refused += 1;
                    }
                    (is, should) => panic!("run {run}, step {step}: {is:?} for {should:?}"),
                }
            } else {
                let ticket = out.swap_remove(random.index(out.len()));
                let outcomes = [Outcome::Succeeded, Outcome::Failed, Outcome::Failed, Outcome::Cancelled];
                let outcome = random.pick(&outcomes);
                late += u32::from(!model.valid.contains(&ticket));
                let (is, should) =
                    (breaker.step(now, BreakerEvent::Ended(ticket, outcome)), model.ended(ticket, outcome));
                assert_eq!(is, should, "run {run}, step {step}");
                opened += u32::from(is == BreakerAction::Opened);
                closed += u32::from(is == BreakerAction::Closed);
            }
        }
        let counted = breaker.counters();
        let ended = counted.succeeded + counted.failed + counted.cancelled;
        assert_eq!(counted.admitted, ended + out.len() as u64, "run {run}");
    }
    assert!(
        opened > 1_000 && closed > 200 && refused > 1_000 && late > 200,
        "{opened} {closed} {refused} {late}"
    );
}
