//! Signals while an isolate runs: handlers of Python run on its main thread alone, which may be the one that
//! runs the isolate, and where all actors are of Rust it runs no Python meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::host::Host;

/// How often a run looks for signals.
const LOOK: Duration = Duration::from_millis(50);

/// Has handlers of signals run while this isolate does, if its thread is Python's main thread. One that
/// raises, as that of Ctrl-C does, ends the run.
pub(crate) fn hear(py: Python<'_>, isolate: &mut mycelium::Isolate, host: &Arc<Host>) -> PyResult<()> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    if !main.eq(threading.call_method0("get_ident")?)? {
        return Ok(());
    }
    let (host, mut looked) = (Arc::clone(host), Instant::now());
    isolate.stop_when(move || {
        if looked.elapsed() < LOOK {
            return false;
        }
        let raised = Python::attach(|py| py.check_signals().err());
        looked = Instant::now();
        match (raised, &host.isolate) {
            (Some(error), Some(apart)) => {
                apart.interrupts(error);
                true
            }
            _ => false,
        }
    });
    Ok(())
}
