//! Runs many instances over all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::instance::{InstanceError, Outcome};
use crate::ledger::Statistics;
use crate::report::Effort;
use crate::usage;

/// What is left of many runs.
pub struct Finished<P> {
    /// Parameters and statistics of the runs that came to their end, in the order in which the parameters were given.
    pub rows: Vec<(P, Statistics)>,
    /// Parameters of runs that failed, and why.
    pub failed: Vec<(P, String)>,
    /// Whether it was interrupted before all parameters were tried.
    pub interrupted: bool,
    /// What it took. The digest is left for the caller, who knows what identifies a row.
    pub effort: Effort,
}

/// Runs `instance` for every parameter on `threads` threads.
pub fn run_all<P: Copy + Send + Sync + std::fmt::Debug>(
    parameters: &[P],
    threads: Option<usize>,
    label: &str,
    instance: impl Fn(P) -> Result<Outcome, InstanceError> + Sync,
) -> Finished<P> {
    let threads = threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
        .max(1);
    let start = std::time::Instant::now();
    let cpu = usage::cpu_seconds();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(parameters.len()));
    let _ = label;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(p) = parameters.get(at) else { break };
                    mine.push((at, instance(*p)));
                }
                done.lock().unwrap_or_else(PoisonError::into_inner).extend(mine);
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    let mut finished = Finished {
        rows: Vec::new(),
        failed: Vec::new(),
        interrupted: false,
        effort: Effort {
            instances: 0,
            threads,
            elapsed_s: 0.0,
            cpu_s: 0.0,
            events: 0,
            memory_peak_bytes: None,
            instance_bytes: None,
            digest: 0,
        },
    };
    for (at, result) in done {
        match result {
            Ok(outcome) => {
                finished.effort.events += outcome.events;
                finished.rows.push((parameters[at], outcome.statistics));
            }
            Err(error) => finished.failed.push((parameters[at], error.to_string())),
        }
    }
    finished.effort.instances = finished.rows.len();
    finished.effort.elapsed_s = start.elapsed().as_secs_f64();
    finished.effort.cpu_s = usage::cpu_seconds() - cpu;
    finished.effort.memory_peak_bytes = usage::memory_peak_bytes();
    finished
}
