//! Models of live buses and trees, explored with shuttle: thousands of schedules of whole programs, drawn at
//! random.
//!
//! `cargo xtask shuttle` runs them. loom explores each shared structure of `mailbox` alone, under every
//! schedule of two preemptions; here the structures work together: actors hosted by kameo, publishers,
//! supervisors, shutdowns and drains, with a scheduling point before each operation on an atomic or a lock,
//! and at each `await` that waits. Operations on a channel are one step each, without a point of their own.
//!
//! A failure prints its seed, which replays the schedule: `MYCELIUM_SEED=n MYCELIUM_CASES=1`.
//! `MYCELIUM_CASES=n` alone sets how many schedules each model tries.
//!
//! They do not see: orderings weaker than `SeqCst` (loom does), the insides of tokio's channels and of
//! `dashmap`, tokio's scheduler and its budget, processes and signals.

mod buses;
mod cast;
mod pools;
mod schedule;
mod trees;
mod watches;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use self::schedule::{Explorer, Pace, Seen};
use crate::rt::model::{all_ended, begin, keep_time};

/// How many schedules each model tries, if `MYCELIUM_CASES` does not say.
const SCHEDULES: u64 = 1_000;

/// How many scheduling points a schedule may have: more is a livelock.
const STEPS_MAX: usize = 200_000;

/// Of each task, in bytes.
const STACK_BYTES: usize = 1 << 17;

/// How many schedules share a tokio runtime, which nobody drives: it keeps the empty tasks that kameo leaves
/// there.
const CHUNK: u64 = 200;

/// Runs `model` under many schedules, and after each makes sure that no task is left.
fn explore<F: Future<Output = ()>>(model: impl Fn() -> F + Clone + Send + Sync + 'static) {
    explore_at(Pace::Short, model);
}

/// The same, with limits that may pass at any moment too.
fn explore_in_a_hurry<F: Future<Output = ()>>(model: impl Fn() -> F + Clone + Send + Sync + 'static) {
    explore_at(Pace::Any, model);
}

fn explore_at<F: Future<Output = ()>>(pace: Pace, model: impl Fn() -> F + Clone + Send + Sync + 'static) {
    let first = mycelium_random::seed();
    let cases = mycelium_random::cases(SCHEDULES);
    let mut from = 0;
    while from < cases {
        let chunk = CHUNK.min(cases - from);
        let seen = Arc::new(Seen::default());
        let explorer = Explorer::new(first.wrapping_add(from), chunk, Arc::clone(&seen), pace);
        let model = model.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(explorer, model)));
        if let Err(payload) = outcome {
            let seed = seen.seed.load(Ordering::SeqCst);
            println!("schedule {} of {cases}", seed.wrapping_sub(first) + 1);
            println!("replay with MYCELIUM_SEED={seed} MYCELIUM_CASES=1");
            resume_unwind(payload);
        }
        from += chunk;
    }
}

fn run<F: Future<Output = ()>>(explorer: Explorer, model: impl Fn() -> F + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = STACK_BYTES;
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.max_steps = shuttle::MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    // kameo and the bus ask whether there is a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    shuttle::Runner::new(explorer, config).run(move || {
        begin();
        // The first task after the model's own: see `schedule::KEEPER`.
        let keeper = shuttle::future::spawn(keep_time());
        shuttle::future::block_on(async {
            model().await;
            all_ended().await;
        });
        keeper.abort();
    });
}

/// The canary: a wake-up that is lost is a deadlock, and a seed replays its schedule to the last step.
#[test]
fn shuttle_a_lost_wake_up_is_found_and_a_seed_replays() {
    let lost = || async {
        let flag = Arc::new(crate::sync::AtomicBool::new(false));
        let waker = Arc::new(crate::sync::Mutex::new(None::<std::task::Waker>));
        let (set, wake) = (Arc::clone(&flag), Arc::clone(&waker));
        crate::rt::spawn(async move {
            set.store(true, Ordering::SeqCst);
            wake.lock().unwrap().take().into_iter().for_each(std::task::Waker::wake);
        });
        // Looks first, and leaves its waker after: the other may come in between.
        std::future::poll_fn(|cx| {
            if flag.load(Ordering::SeqCst) {
                return std::task::Poll::Ready(());
            }
            *waker.lock().unwrap() = Some(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    };
    let explored = |from, schedules| {
        let seen = Arc::new(Seen::default());
        let explorer = Explorer::new(from, schedules, Arc::clone(&seen), Pace::Short);
        let outcome = catch_unwind(AssertUnwindSafe(|| run(explorer, lost)));
        let text = outcome
            .err()
            .map(|payload| payload.downcast::<String>().map_or_else(|_| String::new(), |text| *text));
        (text, seen)
    };
    let (found, seen) = explored(1, 1_000);
    assert!(found.is_some_and(|text| text.contains("deadlock")), "it was not found");
    let seed = seen.seed.load(Ordering::SeqCst);
    let [one, other] = [(); 2].map(|()| explored(seed, 1));
    assert!(one.0.is_some_and(|text| text.contains("deadlock")), "the seed does not replay it");
    assert_eq!(one.1.trace.load(Ordering::SeqCst), other.1.trace.load(Ordering::SeqCst));
}

/// Everything in a model follows from its seed: trees, buses and pools take no chance from elsewhere.
#[test]
fn shuttle_the_same_seed_gives_the_same_schedule() {
    check_replays(Pace::Any, trees::groups_calls_and_an_end);
    check_replays(Pace::Short, pools::kill_and_resize);
}

fn check_replays<F: Future<Output = ()>>(pace: Pace, model: impl Fn() -> F + Copy + Send + Sync + 'static) {
    let trace = |seed| {
        let seen = Arc::new(Seen::default());
        run(Explorer::new(seed, 1, Arc::clone(&seen), pace), model);
        seen.trace.load(Ordering::SeqCst)
    };
    let first = mycelium_random::seed();
    let traces: Vec<u64> = (0..50).map(|case| trace(first.wrapping_add(case))).collect();
    for (case, expected) in traces.iter().enumerate() {
        assert_eq!(
            trace(first.wrapping_add(case as u64)),
            *expected,
            "MYCELIUM_SEED={first}, schedule {case}"
        );
    }
    assert!(
        traces.iter().collect::<std::collections::BTreeSet<_>>().len() > 40,
        "seeds give different schedules"
    );
}
