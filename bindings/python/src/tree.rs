//! Running supervision trees.

use std::sync::Arc;
use std::time::Duration;

use mycelium::tree::{Builder, ChildStatus};
use mycelium_hosted::{Error, HostedTree};
use pyo3::prelude::*;

use crate::core::Core;
use crate::wait;

/// A running supervision tree.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Tree {
    core: Arc<Core>,
    tree: HostedTree,
}

impl Tree {
    pub(crate) fn start(py: Python<'_>, core: &Arc<Core>, builder: Builder) -> PyResult<Self> {
        let started = Self::wait(py, core, || core.hosted.start(builder))?;
        core.keep(started.clone());
        Ok(Self { core: Arc::clone(core), tree: started })
    }

    /// Waits detached: the actors of the tree need the interpreter meanwhile.
    fn wait<T: Send>(
        py: Python<'_>,
        core: &Arc<Core>,
        call: impl FnOnce() -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        core.open(py)?;
        wait::detached(py, core, call)
    }
}

/// The word of OTP, but for one that runs.
pub(crate) fn status(status: ChildStatus) -> &'static str {
    match status {
        ChildStatus::Starting => "starting",
        ChildStatus::Running(_) => "running",
        ChildStatus::Waiting { .. } => "restarting",
        ChildStatus::Stopping => "stopping",
        _ => "undefined",
    }
}

#[pymethods]
impl Tree {
    /// Of each child of the supervisor at this path: id, whether it is a supervisor, its state.
    fn children(&self, py: Python<'_>, path: &str) -> PyResult<Vec<(String, bool, String)>> {
        let children = Self::wait(py, &self.core, || self.tree.which_children(path))?;
        Ok(children
            .iter()
            .map(|child| {
                let supervisor = child.kind == mycelium::tree::ChildKind::Supervisor;
                (child.id.to_string(), supervisor, status(child.status).to_owned())
            })
            .collect())
    }

    fn terminate_child(&self, py: Python<'_>, path: &str) -> PyResult<()> {
        Self::wait(py, &self.core, || self.tree.terminate_child(path))
    }

    fn restart_child(&self, py: Python<'_>, path: &str) -> PyResult<()> {
        Self::wait(py, &self.core, || self.tree.restart_child(path))
    }

    fn shut_down(&self, py: Python<'_>, limit: f64) -> PyResult<()> {
        let limit = wait::limit(Some(limit))?.unwrap_or(Duration::ZERO);
        Self::wait(py, &self.core, || self.tree.shutdown(limit))
    }

    fn drain(&self, py: Python<'_>, limit: f64) -> PyResult<()> {
        let limit = wait::limit(Some(limit))?.unwrap_or(Duration::ZERO);
        Self::wait(py, &self.core, || self.tree.drain(limit).map(drop))
    }

    /// Why it has ended, if it has, or does within so many seconds.
    fn end_reason(&self, py: Python<'_>, limit: f64) -> PyResult<Option<String>> {
        let limit = wait::limit(Some(limit))?.unwrap_or(Duration::ZERO);
        Self::wait(py, &self.core, || Ok(self.tree.end_reason(limit).map(|reason| reason.to_string())))
    }
}
