//! How far a sweep is.

use std::fmt;
use std::time::Duration;

/// Time between two calls of the progress callback, unless
/// [`Sweep::progress_every`](super::Sweep::progress_every) says otherwise.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How far a sweep is. Displayed, it is one line: `4200/10000 (42 %), 9800/s, 0.6 s left, 3 failed`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Instances that have ended, those that failed included.
    pub done: usize,
    /// Instances in all.
    pub total: usize,
    /// Instances that failed.
    pub failed: usize,
    /// Time since the start.
    pub elapsed: Duration,
    /// Whether the stop flag is set: only the instances in hand are still finished.
    pub stopping: bool,
    /// Whether this is the last report of the sweep.
    pub finished: bool,
}

impl Progress {
    /// Instances per second since the start; zero before the first one has ended.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.done as f64 / seconds } else { 0.0 }
    }

    /// Time left at the rate so far; `None` before the first instance has ended.
    pub fn remaining(&self) -> Option<Duration> {
        let rate = self.rate();
        let left = self.total.saturating_sub(self.done) as f64;
        if rate > 0.0 { Duration::try_from_secs_f64(left / rate).ok() } else { None }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.done as f64 * 100.0 / self.total.max(1) as f64;
        write!(f, "{}/{} ({percent:.0} %), {:.0}/s", self.done, self.total, self.rate())?;
        match self.remaining() {
            _ if self.finished => write!(f, ", took {}", Span(self.elapsed))?,
            _ if self.stopping => f.write_str(", stopping")?,
            Some(left) => write!(f, ", {} left", Span(left))?,
            None => {}
        }
        if self.failed > 0 { write!(f, ", {} failed", self.failed) } else { Ok(()) }
    }
}

/// A time in the unit that suits it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(done: usize, seconds: f64) -> Progress {
        let elapsed = Duration::from_secs_f64(seconds);
        Progress { done, total: 10_000, failed: 0, elapsed, stopping: false, finished: false }
    }

    #[test]
    fn progress_reads_as_one_line() {
        let check = |progress: Progress, line: &str| assert_eq!(progress.to_string(), line);
        check(at(0, 0.0), "0/10000 (0 %), 0/s");
        check(at(2_500, 0.5), "2500/10000 (25 %), 5000/s, 1.5 s left");
        check(at(100, 1.0), "100/10000 (1 %), 100/s, 1 min 39 s left");
        check(at(1, 1.0), "1/10000 (0 %), 1/s, 2 h 46 min left");
        check(
            Progress { stopping: true, failed: 3, ..at(50, 1.0) },
            "50/10000 (0 %), 50/s, stopping, 3 failed",
        );
        check(Progress { finished: true, ..at(10_000, 2.0) }, "10000/10000 (100 %), 5000/s, took 2.0 s");
        check(Progress { total: 0, finished: true, ..at(0, 0.0) }, "0/0 (0 %), 0/s, took 0.0 s");
    }
}
