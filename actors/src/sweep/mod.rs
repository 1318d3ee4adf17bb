//! Sweeps: one function over many parameters, on all cores, with results that do not depend on the
//! scheduling.
//!
//! A [`Sweep`] runs a function for every point of a [`Space`]: a range, a list, a [`Grid`] or random
//! [`Samples`]. Each call makes an instance of its own, usually an [`Isolate`](crate::Isolate), runs it to
//! its end and drops it on the thread that made it, so the memory in use grows with the threads, not with the
//! points.

#[cfg(feature = "progress")]
mod bar;
mod grid;
mod progress;
mod report;
mod samples;
mod seed;
mod space;
mod worker;

use std::fmt;
use std::time::{Duration, Instant};

use crate::BoxError;

pub use self::grid::{Axes, Grid};
pub use self::progress::{PROGRESS_INTERVAL, Progress};
pub use self::report::{FAILURES_KEPT_MAX, FailureCause, SweepFailure, SweepReport, SweepResult, Trial};
pub use self::samples::{Domain, SampleError, Samples};
pub use self::space::{Filtered, Space, linspace};
pub use crate::stop::{CtrlCError, StopFlag};
pub use mycelium_mailbox::spill::{SharedSlice, SpillWriter};

/// Most points of one sweep. Their results are all kept.
pub const POINTS_MAX: usize = 1_000_000_000;

/// Most threads of one sweep.
pub const THREADS_MAX: usize = 1_024;

/// Most points that a thread takes at once, unless [`Sweep::chunk`] says otherwise.
const CHUNK_MAX: usize = 256;

/// How many chunks each thread takes at least: the last one to end leaves the others idle for at most this
/// share.
const CHUNKS_PER_THREAD: usize = 64;

/// Runs a function for every point of a space, on all cores.
///
/// The results are in the order of the space and each instance's seed follows from the sweep's seed and the
/// point's index alone: as long as the function depends on nothing but its arguments, results are equal for
/// any number of threads and any order.
///
/// An instance that returns an error or panics is reported and stops no other. The panic's message goes to
/// stderr as any panic's does, because a sweep sets no panic hook: to silence thousands of them call
/// [`std::panic::set_hook`] yourself. An end of the process cannot be caught: a stack overflow, an allocation
/// that fails, `panic = "abort"`.
///
/// The function may borrow: it runs on scoped threads. Actors are `'static`, so what they share must be
/// behind an [`Arc`](std::sync::Arc), which costs a counter per instance and copies nothing:
///
/// ```
/// use std::sync::Arc;
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscriptions};
/// use mycelium::sweep::{Grid, Sweep};
///
/// #[derive(Clone, Copy, Debug)]
/// struct Price(f64);
/// impl Message for Price {
///     const NAME: &'static str = "Price";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "prices";
/// }
///
/// /// Counts prices between two bounds, as far as a shared table says that they count.
/// struct Counter { low: f64, high: f64, counts: Arc<[bool]>, seen: usize, found: usize }
/// impl Actor for Counter {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on::<Price>();
///     }
/// }
/// impl Handler<Price> for Counter {
///     async fn handle(&mut self, price: &Price, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         let counts = self.counts[self.seen];
///         self.seen += 1;
///         self.found += usize::from(counts && self.low <= price.0 && price.0 < self.high);
///         Ok(())
///     }
/// }
///
/// let prices = [1.0, 2.0, 3.0, 4.0]; // borrowed by all instances
/// let counts: Arc<[bool]> = [true, true, true, false].into();
/// let report = Sweep::new(Grid::new((0..=2u32, 3..=4u32))).seed(42).run(|&(low, high), trial| {
///     let mut isolate = trial.isolate();
///     let (low, high, counts) = (f64::from(low), f64::from(high), Arc::clone(&counts));
///     let counter = isolate.spawn(Counter { low, high, counts, seen: 0, found: 0 })?;
///     for price in prices {
///         isolate.publish(Price(price))?;
///     }
///     isolate.run()?;
///     let counter = isolate.take(&counter).ok_or("the counter has ended")?;
///     Ok(counter.found)
/// })?;
/// assert!(report.is_complete());
/// assert!(report.values().copied().eq([2, 3, 2, 3, 1, 2]));
/// assert_eq!(report.results[4].params, (2, 3));
/// # Ok::<(), BoxError>(())
/// ```
#[must_use = "a sweep does nothing until it is run"]
pub struct Sweep<'a, S> {
    space: S,
    options: Options,
    progress: Option<Callback<'a>>,
}

/// Told how far the sweep is.
type Callback<'a> = Box<dyn FnMut(&Progress) + 'a>;

/// How a sweep runs.
struct Options {
    seed: u64,
    threads: usize,
    chunk: usize,
    shuffle: Option<u64>,
    stop: StopFlag,
    progress_every: Duration,
}

impl<'a, S: Space> Sweep<'a, S> {
    /// A sweep over `space` with seed zero, on all cores.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let report = Sweep::new(1..=100_u64).run(|n, _| Ok(n * n))?;
    /// assert_eq!(report.values().sum::<u64>(), 338_350);
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn new(space: S) -> Self {
        let options = Options {
            seed: 0,
            threads: 0,
            chunk: 0,
            shuffle: None,
            stop: StopFlag::new(),
            progress_every: PROGRESS_INTERVAL,
        };
        Self { space, options, progress: None }
    }

    /// The seed from which every instance's seed follows.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let seeds = |seed| Sweep::new(0..3_u32).seed(seed).run(|_, trial| Ok(trial.seed()));
    /// assert!(seeds(42)?.values().eq(seeds(42)?.values()));
    /// assert!(seeds(42)?.values().ne(seeds(43)?.values()));
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// How many threads run instances, at most [`THREADS_MAX`] and one per point. Zero, the default, is as
    /// many as the process may use at once ([`std::thread::available_parallelism`]).
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let report = Sweep::new(0..10_u32).threads(2).run(|n, _| Ok(*n))?;
    /// assert_eq!(report.threads, 2);
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = threads;
        self
    }

    /// How many neighbouring points a thread takes at once. Zero, the default, suits the number of points.
    /// One is best for few, long instances; it costs some tens of nanoseconds per instance.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let report = Sweep::new(0..4_u32).chunk(1).run(|n, _| Ok(*n))?; // long instances, few of them
    /// assert!(report.is_complete());
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn chunk(mut self, points: usize) -> Self {
        self.options.chunk = points;
        self
    }

    /// Begins instances in an order that follows from `seed`: to test that results do not depend on it. It
    /// takes 8 bytes per point.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let square = |n: &u32, _: &mycelium::sweep::Trial| Ok(n * n);
    /// let (plain, shuffled) = (Sweep::new(0..99_u32), Sweep::new(0..99_u32).shuffled(7));
    /// let (plain, shuffled) = (plain.run(square)?, shuffled.run(square)?);
    /// assert!(plain.values().eq(shuffled.values()));
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn shuffled(mut self, seed: u64) -> Self {
        self.options.shuffle = Some(seed);
        self
    }

    /// Ends the sweep early, with what it has, when `flag` is set.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let flag = mycelium::sweep::StopFlag::new();
    /// let report = Sweep::new(0..1_000_u32).threads(1).chunk(1).stop(&flag).run(|n, _| {
    ///     if *n == 9 {
    ///         flag.stop(); // another thread, or Ctrl-C
    ///     }
    ///     Ok(*n)
    /// })?;
    /// assert!(report.cancelled && report.results.len() < 1_000);
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn stop(mut self, flag: &StopFlag) -> Self {
        self.options.stop = flag.clone();
        self
    }

    /// Calls `report` about every [`PROGRESS_INTERVAL`] while the sweep runs, and once at its end. It is
    /// called on the thread that runs the sweep, which does nothing else meanwhile.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let mut last = 0;
    /// let sweep = Sweep::new(0..100_u32).progress(|progress| last = progress.done);
    /// sweep.run(|n, _| Ok(*n))?;
    /// assert_eq!(last, 100);
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn progress(mut self, report: impl FnMut(&Progress) + 'a) -> Self {
        self.progress = Some(Box::new(report));
        self
    }

    /// The time between two calls of the progress callback.
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// # use std::time::Duration;
    /// let sweep = Sweep::new(0..100_u32).progress(|progress| eprintln!("{progress}"));
    /// sweep.progress_every(Duration::from_secs(10)).run(|n, _| Ok(*n))?;
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    pub fn progress_every(mut self, interval: Duration) -> Self {
        self.options.progress_every = interval;
        self
    }

    /// Shows `label` and a bar on stderr if that is a terminal. Elsewhere it writes a line every five
    /// seconds, and so none for a shorter sweep. Replaces the progress callback.
    #[cfg(feature = "progress")]
    pub fn progress_bar(self, label: &str) -> Self {
        let show = bar::show(label);
        self.progress(show)
    }

    /// Runs `instance` for every point and gathers what it returns. `?` turns any error within it into its
    /// failure.
    ///
    /// `Ok` promises neither that all points were tried nor that none failed: see
    /// [`SweepReport::is_complete`].
    ///
    /// ```
    /// # use mycelium::sweep::Sweep;
    /// let report = Sweep::new([4_u32, 0]).run(|n, _| Ok(8_u32.checked_div(*n).ok_or("divided by zero")?))?;
    /// assert_eq!(report.results[0].result, 2);
    /// assert_eq!((report.failed, report.failures[0].params), (1, 0)); // with its parameters
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    ///
    /// # Errors
    /// [`SweepError`], if the sweep could not be started; no instance was run.
    ///
    /// # Panics
    /// If the space or the progress callback panics, once the instances in hand have ended.
    pub fn run<R, F>(self, instance: F) -> Result<SweepReport<S::Point, R>, SweepError>
    where
        S: Sync,
        S::Point: Send,
        R: Send,
        F: Fn(&S::Point, &Trial) -> Result<R, BoxError> + Sync,
    {
        let total = self.space.points();
        if total > POINTS_MAX {
            return Err(SweepError::TooManyPoints { points: total });
        }
        let start = Instant::now();
        let (threads, chunk) = division(total, self.options.threads, self.options.chunk);
        let plan = worker::Plan {
            space: &self.space,
            instance: &instance,
            order: self.options.shuffle.map(|seed| seed::shuffled(total, seed)),
            seed: self.options.seed,
            total,
            chunk,
            stop: self.options.stop.watch(),
            tally: worker::SweepTally::default(),
        };
        worker::run(&plan, threads, self.options.progress_every, self.progress, start)
    }
}

/// How many threads run, and how many points each takes at once.
fn division(total: usize, threads: usize, chunk: usize) -> (usize, usize) {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let threads = threads.min(THREADS_MAX).min(total);
    let chunk = match chunk {
        0 => (total / (threads.max(1) * CHUNKS_PER_THREAD)).clamp(1, CHUNK_MAX),
        // No larger than a thread's share: none stays idle, and the next index cannot overflow.
        chunk => chunk.min(total.div_ceil(threads.max(1))).max(1),
    };
    (threads, chunk)
}

/// A sweep could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepError {
    /// The space has more than [`POINTS_MAX`] points.
    TooManyPoints {
        /// How many; `usize::MAX` stands for more than can be counted.
        points: usize,
    },
    /// The system refused even one thread, for this reason.
    NoThread {
        /// Its message.
        reason: String,
    },
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyPoints { points } => write!(
                f,
                "a sweep over {points} points, above the limit of {POINTS_MAX}; take fewer values per axis, or draw \
                 `Samples` from the same ranges"
            ),
            Self::NoThread { reason } => write!(f, "the system refused a thread for the sweep: {reason}"),
        }
    }
}

impl std::error::Error for SweepError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_divided_in_small_chunks_and_bounded() {
        assert_eq!(division(0, 2, 0), (0, 1));
        assert_eq!(division(1, 8, 0), (1, 1));
        assert_eq!(division(10_000, 2, 0), (2, 78));
        assert_eq!(division(POINTS_MAX, 2, 0), (2, CHUNK_MAX));
        assert_eq!(division(10, usize::MAX, usize::MAX), (10, 1));
        assert_eq!(division(10, 3, usize::MAX), (3, 4));
        assert_eq!(division(POINTS_MAX, usize::MAX, 0), (THREADS_MAX, CHUNK_MAX));
    }
}
