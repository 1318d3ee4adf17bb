//! Sweeps: one function of Python over many points, on the threads of the core's sweep.

use std::time::Duration;

use mycelium::Timestamp;
use mycelium::sweep::{FailureCause, Progress, StopFlag, Sweep as SweepOf, Trial as TrialOf};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::contract::Contract;
use crate::isolate::Isolate;
use crate::leaving;

/// How often signals are looked for and the progress is told.
const LOOK: Duration = Duration::from_millis(50);

/// What an instance of a sweep is told besides its parameters.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Trial(TrialOf);

/// The core's sweep.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Sweep;

#[pymethods]
impl Trial {
    #[new]
    fn new(index: usize, seed: u64) -> Self {
        Self(TrialOf::new(index, seed))
    }

    #[getter]
    fn index(&self) -> usize {
        self.0.index()
    }

    #[getter]
    fn seed(&self) -> u64 {
        self.0.seed()
    }

    fn isolate(&self, contract: &Bound<'_, Contract>, start: i64, validate: bool) -> PyResult<Isolate> {
        let isolate = self.0.isolate_at(Timestamp::from_nanos(start));
        Isolate::of(isolate, contract, validate, true)
    }
}

#[pymethods]
impl Sweep {
    /// The seeds of the instances with an index below `count`.
    #[staticmethod]
    fn seeds(py: Python<'_>, count: usize, seed: u64) -> PyResult<Vec<u64>> {
        let swept =
            py.detach(|| SweepOf::new(0..count).seed(seed).threads(1).run(|_, trial| Ok(trial.seed())));
        let swept = swept.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(swept.values().copied().collect())
    }

    /// Calls `instance(trial)` for each index below `count`, and `progress(done, failed, seconds, stopping)`
    /// meanwhile. Ctrl-C ends it with what it has.
    #[staticmethod]
    fn run<'py>(
        py: Python<'py>,
        count: usize,
        seed: u64,
        threads: usize,
        instance: Py<PyAny>,
        progress: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let stop = StopFlag::new();
        let mut raised = None;
        let mut look = |told: &Progress| {
            Python::attach(|py| {
                let signals = py.check_signals();
                let done = signals.and_then(|()| {
                    let seconds = told.elapsed.as_secs_f64();
                    progress.call1(py, (told.done, told.failed, seconds, told.stopping)).map(drop)
                });
                if let Err(error) = done {
                    stop.stop();
                    if !error.is_instance_of::<PyKeyboardInterrupt>(py) {
                        raised = Some(error);
                    }
                }
            });
        };
        let one = |_: &usize, trial: &TrialOf| {
            leaving::enter()?;
            Python::attach(|py| Ok(instance.call1(py, (Trial(trial.clone()),))?))
        };
        let swept = py.detach(|| {
            let sweep = SweepOf::new(0..count).seed(seed).threads(threads).stop(&stop);
            sweep.progress_every(LOOK).progress(&mut look).run(one)
        });
        if let Some(error) = raised {
            return Err(error);
        }
        let swept = swept.map_err(|error| PyValueError::new_err(error.to_string()))?;
        let results = PyList::empty(py);
        for row in &swept.results {
            results.append((row.index, row.result.bind(py)))?;
        }
        let failures = PyList::empty(py);
        for failure in &swept.failures {
            let error = match &failure.cause {
                FailureCause::Failed(error) => match error.downcast_ref::<PyErr>() {
                    Some(error) => error.clone_ref(py),
                    None => PyRuntimeError::new_err(error.to_string()),
                },
                FailureCause::Panicked(text) => PyRuntimeError::new_err(text.clone()),
                other => PyRuntimeError::new_err(other.to_string()),
            };
            failures.append((failure.index, failure.seed, error.into_value(py)))?;
        }
        let all = PyDict::new(py);
        all.set_item("results", results)?;
        all.set_item("failures", failures)?;
        all.set_item("failed", swept.failed)?;
        all.set_item("cancelled", swept.cancelled)?;
        all.set_item("elapsed", swept.elapsed.as_secs_f64())?;
        Ok(all)
    }
}
