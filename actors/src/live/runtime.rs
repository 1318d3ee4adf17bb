//! The tokio runtimes that actors run on, seen from outside of them.

use std::future::{Future, pending, poll_fn};
use std::panic::catch_unwind;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, unconstrained};

use super::bus::BusCore;
use super::members::Members;
use super::thread::is_own;
use crate::SpawnError;
use crate::recipient::BoxFuture;
use crate::rt::{self, Instant, Sleep};
use crate::sync::oneshot;

/// Whether this runtime takes no more tasks: one that has ended, or is about to, drops them at once.
pub(crate) fn has_ended(runtime: &Handle) -> bool {
    let probe = pin!(unconstrained(runtime.spawn(async {})));
    // Whoever asks may have used up what a task may do in one turn.
    let ended = probe.poll(&mut TaskContext::from_waker(Waker::noop()));
    matches!(ended, Poll::Ready(Err(error)) if error.is_cancelled())
}

/// Where the tasks of a bus run.
pub(super) struct Runtimes {
    /// All of them, if the bus was built so.
    given: Option<Handle>,
    /// Where somebody was spawned first on a thread that is nobody's own.
    first: OnceLock<Handle>,
}

impl Runtimes {
    pub(super) fn new(given: Option<Handle>) -> Self {
        Self { given, first: OnceLock::new() }
    }

    /// The runtime for a new task.
    pub(super) fn for_a_task(&self) -> Result<Handle, SpawnError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let here = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        if self.first.get().is_none() && !is_own() {
            let _ = self.first.set(here.clone());
        }
        Ok(here)
    }

    /// Where what belongs to the bus as a whole runs: on none that has ended, nor on the thread of an actor
    /// that may keep it, unless there is nothing else but those of `members`.
    pub(super) fn home(&self, members: &Members) -> Option<Handle> {
        let lives = |runtime: &Handle| cfg!(shuttle) || !has_ended(runtime);
        let here = || Handle::try_current().ok();
        // The first one may live and be driven no more; where somebody waits just now is driven.
        let shared = [self.given.clone(), here().filter(|_| !is_own()), self.first.get().cloned(), here()];
        let home = shared.into_iter().flatten().find(lives);
        home.or_else(|| members.waiting().iter().filter_map(|member| member.runtime()).find(lives))
    }
}

impl BusCore {
    /// The runtime for a new task.
    pub(crate) fn runtime(&self) -> Result<Handle, SpawnError> {
        if self.is_closed() { Err(SpawnError::Closed) } else { self.runtimes.for_a_task() }
    }
}

/// Waits on the runtime of the one who polls. Outside of tokio, and on a runtime that has no timers, it is
/// `runtime` that waits, and a thread where that has ended, or has one thread alone: an actor that computes
/// keeps that for as long as it does.
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
    let until = Instant::now().checked_add(duration);
    let rest = move || until.map_or(duration, |until| until.saturating_duration_since(Instant::now()));
    if runtime.metrics().num_workers() > 1 {
        // Its task may begin late.
        let mut alarm = Alarm(runtime.spawn(async move { rt::sleep(rest()).await }));
        if (&mut alarm.0).await.is_ok() {
            return;
        }
    }
    sleep_on_a_thread(rest()).await;
}

/// A limit on a wait: what [`sleep_on`] waits for, from when this was made.
pub(super) enum Limit {
    /// On the runtime of the one who waits, as nearly always.
    Here(Pin<Box<Sleep>>),
    Elsewhere(BoxFuture<'static, ()>),
}

impl Limit {
    /// On this runtime, where the one who waits has no timers.
    pub(super) fn on(runtime: &Handle, duration: Duration) -> Self {
        if Handle::try_current().is_ok_and(|current| current.id() == runtime.id()) {
            Self::Here(Box::pin(rt::sleep(duration)))
        } else {
            Self::Elsewhere(Box::pin(sleep_on(runtime.clone(), duration)))
        }
    }

    #[inline]
    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        match self {
            Self::Here(sleep) => sleep.as_mut().poll(cx),
            Self::Elsewhere(waits) => waits.as_mut().poll(cx),
        }
    }
}

/// Waits as tokio does, or on a thread of its own where it is not there, or has no timers.
pub(crate) async fn sleep_anywhere(duration: Duration) {
    // In a model there is one time for all.
    if (cfg!(shuttle) || Handle::try_current().is_ok())
        && let Ok(sleep) = catch_unwind(|| rt::sleep(duration))
    {
        return sleep.await;
    }
    sleep_on_a_thread(duration).await;
}

/// Whether the runtime that runs this has timers. It cannot be asked: one without them panics.
pub(super) fn has_timers() -> bool {
    catch_unwind(|| drop(rt::sleep(Duration::ZERO))).is_ok()
}

/// Waits for `work`, and not for longer than this: then `None`.
pub(crate) async fn within_anywhere<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    // Not by the budget of this task, which the work may use up.
    let (mut work, mut limit) = (pin!(work), pin!(unconstrained(sleep_anywhere(limit))));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Waits on a thread that ends with whoever waits. Without a thread to be had it is never ready.
pub(super) async fn sleep_on_a_thread(duration: Duration) {
    let (until_dropped, dropped) = channel::<()>();
    let (rings, has_rung) = oneshot::channel::<()>();
    let waiting = move || {
        if dropped.recv_timeout(duration) == Err(RecvTimeoutError::Timeout) {
            let _ = rings.send(());
        }
    };
    if thread::Builder::new().name("mycelium-alarm".to_owned()).spawn(waiting).is_err()
        || has_rung.await.is_err()
    {
        pending::<()>().await;
    }
    drop(until_dropped);
}

/// A task that ends with whoever waits for it.
struct Alarm(JoinHandle<()>);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.abort();
    }
}
