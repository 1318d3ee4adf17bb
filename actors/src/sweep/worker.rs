//! The threads of a sweep: each takes the next chunk of indices until none is left.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use mycelium_mailbox::discard;

use super::report::{FAILURES_KEPT_MAX, FailureCause, SweepFailure, SweepReport, SweepResult, Trial};
use super::seed::seed_of;
use super::{Callback, Progress, Space, SweepError};
use crate::BoxError;
use crate::stop::{Leash, SweepWatch};

/// What all threads share.
pub(super) struct Plan<'a, S, F> {
    pub(super) space: &'a S,
    pub(super) instance: &'a F,
    /// The indices in the order in which they are begun, unless it is their own.
    pub(super) order: Option<Vec<usize>>,
    pub(super) seed: u64,
    pub(super) total: usize,
    pub(super) chunk: usize,
    pub(super) stop: SweepWatch,
    pub(super) tally: SweepTally,
}

/// How far the threads are.
#[derive(Default)]
pub(super) struct SweepTally {
    /// The position that is taken next.
    next: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicUsize,
    /// Set when the sweep itself panics: the other threads end after the instance in hand.
    broken: AtomicBool,
    running: Mutex<usize>,
    ended: Condvar,
}

/// What one thread brings home.
struct Harvest<P, R> {
    results: Vec<SweepResult<P, R>>,
    /// By index, and never more than are kept.
    failures: BTreeMap<usize, SweepFailure<P>>,
    cpu: Option<Duration>,
}

/// Runs the plan on `threads` threads while this one reports the progress.
pub(super) fn run<S, R, F>(
    plan: &Plan<'_, S, F>,
    threads: usize,
    interval: Duration,
    mut progress: Option<Callback<'_>>,
    start: Instant,
) -> Result<SweepReport<S::Point, R>, SweepError>
where
    S: Space + Sync,
    S::Point: Send,
    R: Send,
    F: Fn(&S::Point, &Trial) -> Result<R, BoxError> + Sync,
{
    let harvests = std::thread::scope(|scope| {
        let handles = spawn(scope, plan, threads)?;
        if let Some(progress) = progress.as_deref_mut() {
            // Without it the threads would run on to the end when the callback panics.
            let _guard = BreakOnPanic(&plan.tally);
            plan.tally.watch(interval, || progress(&plan.progress(start, false)));
        }
        let harvests =
            handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
        Ok(harvests.collect::<Vec<_>>())
    })?;
    let last = plan.progress(start, true);
    if let Some(progress) = progress.as_deref_mut() {
        progress(&last);
    }
    Ok(gather(harvests, &last))
}

type Handle<'scope, P, R> = ScopedJoinHandle<'scope, Harvest<P, R>>;

/// Starts the threads. Fewer than wanted will do, unless there is none.
fn spawn<'scope, S, R, F>(
    scope: &'scope Scope<'scope, '_>,
    plan: &'scope Plan<'_, S, F>,
    threads: usize,
) -> Result<Vec<Handle<'scope, S::Point, R>>, SweepError>
where
    S: Space + Sync,
    S::Point: Send,
    R: Send + 'scope,
    F: Fn(&S::Point, &Trial) -> Result<R, BoxError> + Sync,
{
    let mut handles = Vec::with_capacity(threads);
    for at in 0..threads {
        *lock(&plan.tally.running) += 1;
        match Builder::new().name(format!("sweep-{at}")).spawn_scoped(scope, || plan.work()) {
            Ok(handle) => handles.push(handle),
            Err(error) => {
                plan.tally.leave();
                if handles.is_empty() {
                    return Err(SweepError::NoThread { reason: error.to_string() });
                }
                break;
            }
        }
    }
    Ok(handles)
}

impl<S: Space, F> Plan<'_, S, F> {
    /// The loop of one thread.
    fn work<R>(&self) -> Harvest<S::Point, R>
    where
        F: Fn(&S::Point, &Trial) -> Result<R, BoxError>,
    {
        let _leave = ThreadEnd(&self.tally);
        let _guard = BreakOnPanic(&self.tally);
        let cpu = thread_cpu();
        let leash = self.stop.leash();
        let mut harvest = Harvest { results: Vec::new(), failures: BTreeMap::new(), cpu: None };
        loop {
            let first = self.tally.next.fetch_add(self.chunk, Ordering::Relaxed);
            if first >= self.total {
                break;
            }
            for position in first..self.total.min(first + self.chunk) {
                if self.stop.is_stopped() || self.tally.broken.load(Ordering::Relaxed) {
                    return harvest.after(cpu);
                }
                let index = self.order.as_ref().map_or(position, |order| order[position]);
                self.run_one(index, &leash, &mut harvest);
            }
        }
        harvest.after(cpu)
    }

    fn run_one<R>(&self, index: usize, leash: &Arc<Leash>, harvest: &mut Harvest<S::Point, R>)
    where
        F: Fn(&S::Point, &Trial) -> Result<R, BoxError>,
    {
        let params = self.space.point(index);
        let trial = Trial::held(index, seed_of(self.seed, index), leash);
        // The function's borrowed values are shared with other threads, so it is guarded against being seen
        // half changed.
        let caught = catch_unwind(AssertUnwindSafe(|| (self.instance)(&params, &trial)));
        if leash.take_pulled() {
            // Its result does not count: a full sweep would have another one. No destructor of users ends a
            // sweep.
            discard(caught);
            return discard(params);
        }
        let cause = match caught {
            Ok(Ok(result)) => {
                harvest.results.push(SweepResult { index, params, result });
                self.tally.done.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ok(Err(error)) => FailureCause::Failed(error),
            Err(panic) => FailureCause::from_panic(panic),
        };
        self.tally.failed.fetch_add(1, Ordering::Relaxed);
        self.tally.done.fetch_add(1, Ordering::Relaxed);
        keep(&mut harvest.failures, SweepFailure { index, params, seed: trial.seed(), cause });
    }

    fn progress(&self, start: Instant, finished: bool) -> Progress {
        Progress {
            done: self.tally.done.load(Ordering::Relaxed),
            total: self.total,
            failed: self.tally.failed.load(Ordering::Relaxed),
            elapsed: start.elapsed(),
            stopping: self.stop.is_stopped(),
            finished,
        }
    }
}

impl<P, R> Harvest<P, R> {
    fn after(mut self, cpu_before: Option<Duration>) -> Self {
        self.cpu = thread_cpu().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self
    }
}

impl SweepTally {
    /// Calls `report` at every interval until all threads have ended.
    fn watch(&self, interval: Duration, mut report: impl FnMut()) {
        loop {
            let running = lock(&self.running);
            let waited = self.ended.wait_timeout_while(running, interval, |running| *running > 0);
            let (running, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            drop(running);
            if !timeout.timed_out() {
                return;
            }
            report();
        }
    }

    fn leave(&self) {
        *lock(&self.running) -= 1;
        self.ended.notify_all();
    }
}

/// Counts a thread as ended, however it ends.
struct ThreadEnd<'a>(&'a SweepTally);

impl Drop for ThreadEnd<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Lets the other threads end soon when this one unwinds.
struct BreakOnPanic<'a>(&'a SweepTally);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// Keeps the failures with the lowest indices, which are the same ones on any number of threads.
fn keep<P>(failures: &mut BTreeMap<usize, SweepFailure<P>>, failure: SweepFailure<P>) {
    failures.insert(failure.index, failure);
    if failures.len() > FAILURES_KEPT_MAX {
        discard(failures.pop_last());
    }
}

fn gather<P, R>(harvests: Vec<Harvest<P, R>>, last: &Progress) -> SweepReport<P, R> {
    let threads = harvests.len();
    let mut cpu = Some(Duration::ZERO);
    let mut results = Vec::with_capacity(harvests.iter().map(|harvest| harvest.results.len()).sum());
    let mut failures = BTreeMap::new();
    for harvest in harvests {
        cpu = cpu.zip(harvest.cpu).map(|(sum, one)| sum + one);
        results.extend(harvest.results);
        harvest.failures.into_values().for_each(|failure| keep(&mut failures, failure));
    }
    // Indices are unique, so the order is complete.
    results.sort_unstable_by_key(|result: &SweepResult<P, R>| result.index);
    SweepReport {
        results,
        failures: failures.into_values().collect(),
        failed: last.failed,
        total: last.total,
        cancelled: last.done < last.total,
        elapsed: last.elapsed,
        cpu,
        threads,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// CPU time of this thread so far: the first field of the kernel's scheduler statistics, in nanoseconds.
fn thread_cpu() -> Option<Duration> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
