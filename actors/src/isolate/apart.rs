//! Keeping tokio out of an isolate: its clock and its turns depend on the machine, an isolate's results must
//! not.
//!
//! - Inside of a tokio task, tokio's channels make the task wait after a number of uses, so that it yields.
//!   The run loop does not yield: whoever waited so in an isolate would wait for ever. So there is no such
//!   number while it runs.
//! - `tokio::time::sleep` and sockets panic where no runtime is entered, and where one is, wait for the
//!   machine. While an isolate runs, a runtime of its own is entered that has neither, so that they panic in
//!   both cases, and the panic is told as what it is: [`RunError::NeedsTokio`](super::RunError::NeedsTokio).

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Handle, Runtime};

/// What is entered in place of the runtime outside. Made when it is first needed: in a sweep it never is.
#[derive(Default)]
pub(crate) struct Apart(OnceCell<Option<Box<Bare>>>);

/// A runtime without timers and sockets, which nobody drives.
struct Bare(Option<Runtime>);

impl Apart {
    /// Calls `f` where tokio neither measures its turns nor offers timers and sockets.
    ///
    /// # Panics
    /// When `f` does.
    pub(crate) fn call<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        let _entered = self.bare().map(Runtime::enter);
        let mut f = Some(f);
        let all = tokio::task::coop::unconstrained(poll_fn(|_| Poll::Ready(f.take().map(|f| f()))));
        match pin!(all).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => None,
        }
    }

    fn bare(&self) -> Option<&Runtime> {
        if self.0.get().is_none() && Handle::try_current().is_err() {
            return None;
        }
        self.0
            .get_or_init(|| Builder::new_current_thread().build().ok().map(|it| Box::new(Bare(Some(it)))))
            .as_ref()?
            .0
            .as_ref()
    }

    /// How many tasks were spawned there, which nobody polls.
    pub(crate) fn tasks(&self) -> usize {
        let bare = self.0.get().and_then(|bare| bare.as_ref()?.0.as_ref());
        bare.map_or(0, |bare| bare.metrics().num_alive_tasks())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // The usual drop waits, which a task of another runtime must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whether a panic with this text is tokio's, about a runtime or a part of it that is missing.
pub(crate) fn is_tokios(panic: &str) -> bool {
    panic.contains("Tokio 1.x") || panic.contains("of Tokio runtime")
}
