//! Waiting for a future on a thread that runs nothing else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::task::coop::unconstrained;

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Keeps this thread until `work` is ready. In a task of tokio it takes no part in its budget, which is not
/// refilled while the task's code runs.
pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    let mut work = pin!(unconstrained(work));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match work.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            // Whoever woke it meanwhile has left a token, with which this returns at once.
            Poll::Pending => thread::park(),
        }
    }
}
