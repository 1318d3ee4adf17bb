//! Runs many instances over all cores.

use std::fmt::Debug;
use std::sync::OnceLock;

use mycelium::sweep::{FailureCause, StopFlag, Sweep, SweepError};

use crate::instance::{InstanceError, Outcome};
use crate::ledger::Statistics;
use crate::report::Effort;
use crate::usage;

/// What is left of many runs.
pub struct Finished<P, R = Statistics> {
    /// Parameters and results of the runs that came to their end, in the order in which the parameters were
    /// given.
    pub rows: Vec<(P, R)>,
    /// How many runs failed.
    pub failed: usize,
    /// Parameters of the first runs that failed, and why.
    pub failures: Vec<(P, String)>,
    /// Whether it was interrupted before all parameters were tried.
    pub interrupted: bool,
    /// What it took. The digest is left for the caller, who knows what identifies a row.
    pub effort: Effort,
}

impl<P, R> Finished<P, R> {
    /// How many parameters were tried.
    pub(crate) fn tried(&self) -> usize {
        self.rows.len() + self.failed
    }

    /// A sentence on what is missing of `wanted` runs, called `runs`; `show` names the parameters of one.
    pub(crate) fn warning(
        &self,
        wanted: usize,
        runs: &str,
        show: impl FnOnce(&P) -> String,
    ) -> Option<String> {
        let interrupted =
            self.interrupted.then(|| format!("Interrupted: {} of {wanted} {runs} were run.", self.tried()));
        let failed = self.failures.first().map(|(parameter, why)| {
            format!("{} {runs} failed; the first is {}: {why}", self.failed, show(parameter))
        });
        let sentences: Vec<String> = interrupted.into_iter().chain(failed).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// Runs `instance` for every parameter on `threads` threads, or on all cores, with a bar on a terminal.
/// Ctrl-C ends it early, with what it has.
///
/// # Errors
/// [`SweepError`], if there are too many parameters or the system refuses a thread.
pub fn run_all<P: Copy + Send + Sync + Debug>(
    parameters: &[P],
    threads: Option<usize>,
    label: &str,
    instance: impl Fn(P) -> Result<Outcome, InstanceError> + Sync,
) -> Result<Finished<P>, SweepError> {
    run_each(parameters, threads, label, |parameter| {
        instance(parameter).map(|outcome| (outcome.statistics, outcome.events))
    })
}

/// As [`run_all`], for results of any kind: each comes with the messages that it took.
///
/// # Errors
/// As [`run_all`].
pub fn run_each<P: Copy + Send + Sync + Debug, R: Send>(
    parameters: &[P],
    threads: Option<usize>,
    label: &str,
    instance: impl Fn(P) -> Result<(R, u64), InstanceError> + Sync,
) -> Result<Finished<P, R>, SweepError> {
    let stop = stop_flag();
    let cpu = usage::cpu_seconds();
    let report = Sweep::new(parameters)
        .threads(threads.unwrap_or(0))
        .stop(stop)
        .progress_bar(label)
        .run(|parameter, _| Ok(instance(*parameter)?))?;
    let cpu_s = usage::cpu_seconds() - cpu;
    let why = |cause| match cause {
        FailureCause::Failed(error) => error.to_string(),
        other => other.to_string(),
    };
    Ok(Finished {
        failed: report.failed,
        failures: report.failures.into_iter().map(|failure| (failure.params, why(failure.cause))).collect(),
        interrupted: report.cancelled,
        effort: Effort {
            instances: report.results.len(),
            threads: report.threads,
            elapsed_s: report.elapsed.as_secs_f64(),
            cpu_s,
            events: report.results.iter().map(|row| row.result.1).sum(),
            memory_peak_bytes: usage::memory_peak_bytes(),
            instance_bytes: None,
            digest: 0,
        },
        rows: report.results.into_iter().map(|row| (row.params, row.result.0)).collect(),
    })
}

/// The flag that Ctrl-C sets, for all runs of the process: a process has one handler, and what consists of
/// several sweeps is ended by it too.
fn stop_flag() -> &'static StopFlag {
    static FLAG: OnceLock<StopFlag> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = StopFlag::new();
        // A program that links this as a library may have a handler of its own; then Ctrl-C does what that
        // one says.
        let _ = flag.stop_on_ctrl_c();
        flag
    })
}
