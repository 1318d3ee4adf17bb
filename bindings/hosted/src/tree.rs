//! Trees of a runtime.

use std::sync::Arc;
use std::time::Duration;

use mycelium::Tree;
use mycelium::tree::{CallError, Child, ChildInfo, Drained, ExitReason};

use crate::wait::{block_beside, looking_within, within};
use crate::{Address, Error, HostedActor, Runtime};

/// A running supervision tree, whose calls block: see [`Runtime::start`]. Dropping the last handle of it
/// shuts the tree down without waiting.
#[derive(Clone, Debug)]
pub struct HostedTree {
    tree: Arc<Tree>,
    runtime: Runtime,
}

impl HostedTree {
    pub(crate) fn new(tree: Arc<Tree>, runtime: Runtime) -> Self {
        Self { tree, runtime }
    }

    /// The tree itself. A clone of it keeps the tree running without a `HostedTree`; the close of a runtime
    /// on a shared bus does not find it then.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The hosted actor at this path, such as `root/desk`, or the pool of them. Its address outlives its
    /// lives.
    ///
    /// # Errors
    /// [`Error::NoAddress`].
    pub fn address(&self, path: &str) -> Result<Address, Error> {
        let actor = self.tree.lookup::<HostedActor>(path).map(Address::of);
        let found = actor.or_else(|| self.tree.lookup_pool::<HostedActor>(path).map(Address::of_pool));
        found.ok_or_else(|| Error::NoAddress { path: path.to_owned() })
    }

    /// The children of the supervisor at this path.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub fn which_children(&self, path: &str) -> Result<Vec<ChildInfo>, Error> {
        self.call("to ask a supervisor", self.tree.which_children(path))
    }

    /// Starts a child under the supervisor at this path.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Inside`].
    pub fn start_child(&self, path: &str, child: Child) -> Result<(), Error> {
        self.call("to start a child", self.tree.start_child(path, child))
    }

    /// Stops the child at this path; it is not restarted.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Inside`].
    pub fn terminate_child(&self, path: &str) -> Result<(), Error> {
        self.call("to terminate a child", self.tree.terminate_child(path))
    }

    /// Starts the child at this path, which has ended, again.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Inside`].
    pub fn restart_child(&self, path: &str) -> Result<(), Error> {
        self.call("to restart a child", self.tree.restart_child(path))
    }

    /// Has the tree end, and waits for nobody.
    pub fn stop(&self) {
        self.tree.stop();
    }

    /// Ends the tree, its children in reverse order, within `limit`; what is left then is killed.
    ///
    /// # Errors
    /// [`Error::Killed`] names who was killed, and says if the tree goes on all the same; [`Error::Inside`];
    /// [`Error::WaitInterrupted`], and the tree goes on to end.
    pub fn shutdown(&self, limit: Duration) -> Result<(), Error> {
        self.runtime.check_outside("to shut a tree down")?;
        let _entered = self.runtime.enter();
        let ending =
            async { self.tree.shutdown_within(limit).await.map_err(|error| Error::Killed(vec![error])) };
        block_beside("the tree goes on to end", ending)
    }

    /// Ends the tree and loses nothing that is queued, if that can be done within `limit`: see
    /// [`Tree::drain`].
    ///
    /// # Errors
    /// [`Error::Drain`] says what was not done; the tree has ended all the same, unless it says otherwise.
    /// [`Error::Inside`]; [`Error::WaitInterrupted`], and sources that were stopped stay so.
    pub fn drain(&self, limit: Duration) -> Result<Drained, Error> {
        self.runtime.check_outside("to drain a tree")?;
        let _entered = self.runtime.enter();
        let draining = async { self.tree.drain(limit).await.map_err(|error| Error::Drain(Box::new(error))) };
        block_beside("what it had stopped stays so: shut the tree down, or drain it again", draining)
    }

    /// Why it has ended, if it has, or does within `limit`.
    #[must_use]
    pub fn end_reason(&self, limit: Duration) -> Option<ExitReason> {
        self.tree.end_reason().or_else(|| within(limit, self.tree.ended()))
    }

    /// The same while what looks on this thread may end the wait: see [`on_wait`](crate::on_wait).
    ///
    /// # Errors
    /// [`Error::WaitInterrupted`].
    pub fn ended(&self, limit: Duration) -> Result<Option<ExitReason>, Error> {
        if let Some(reason) = self.tree.end_reason() {
            return Ok(Some(reason));
        }
        match looking_within(limit, async { Ok(self.tree.ended().await) }) {
            None => Ok(None),
            Some(Ok(reason)) => Ok(Some(reason)),
            Some(Err(_)) => Err(Error::WaitInterrupted { after: "the tree goes on" }),
        }
    }

    fn call<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, Error> {
        self.runtime.check_outside(what)?;
        let _entered = self.runtime.enter();
        block_beside("the supervisor does it all the same", async { call.await.map_err(Error::Call) })
    }
}
