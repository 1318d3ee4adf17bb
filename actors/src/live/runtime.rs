//! The tokio runtimes that actors run on, seen from outside of them.

use std::future::{Future, pending};
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::rt;

/// Whether this runtime takes no more tasks: one that has ended, or is about to, drops them at once.
pub(crate) fn has_ended(runtime: &Handle) -> bool {
    let mut probe = runtime.spawn(async {});
    let ended = Pin::new(&mut probe).poll(&mut TaskContext::from_waker(Waker::noop()));
    matches!(ended, Poll::Ready(Err(error)) if error.is_cancelled())
}

/// Waits on the runtime of the one who polls. Outside of tokio, and on a runtime that has no timers, it is
/// `runtime` that waits; should that end, this is never ready.
pub(crate) async fn sleep_on(runtime: Handle, duration: Duration) {
    if let Ok(current) = Handle::try_current() {
        if current.id() == runtime.id() {
            return rt::sleep(duration).await;
        }
        // A runtime without timers cannot be asked whether it has any: it panics here.
        if let Ok(sleep) = catch_unwind(|| rt::sleep(duration)) {
            return sleep.await;
        }
    }
    let mut alarm = Alarm(runtime.spawn(async move { rt::sleep(duration).await }));
    if (&mut alarm.0).await.is_err() {
        pending::<()>().await;
    }
}

/// A task that ends with whoever waits for it.
struct Alarm(JoinHandle<()>);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.abort();
    }
}
