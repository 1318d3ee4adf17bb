//! Waiting for a future on a thread that runs nothing else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::task::coop::unconstrained;

use super::address::Member;
use super::current::{self, without_end};
use super::lookout::Noted;
use super::thread::occupant;

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
    let mut note = None;
    // The wait of the code around this stays noted: it waits for that still when this is done.
    let _around = current::set_noted_aside();
    without_cancellation(|| {
        loop {
            match work.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return output,
                Poll::Pending => {
                    let (waits, before) = current::take_noted();
                    note.get_or_insert_with(|| BlockedNote::new(before)).write(waits);
                    // A waker that came meanwhile has left a token, with which this returns at once.
                    thread::park();
                }
            }
        }
    })
}

/// Has the note of a member that keeps its own thread say what it waits for, until this is dropped.
struct BlockedNote {
    /// Whose thread it is, if its code is what waits.
    member: Option<Arc<dyn Member>>,
    /// What its note said.
    before: Noted,
}

impl BlockedNote {
    #[cold]
    fn new(before: Noted) -> Self {
        Self { member: occupant().filter(|member| current::is(&**member)), before }
    }

    fn write(&self, waits: Noted) {
        if let Some(member) = &self.member {
            member.note(waits);
        }
    }
}

impl Drop for BlockedNote {
    fn drop(&mut self) {
        if let Some(member) = &self.member {
            member.note(self.before);
        }
    }
}

/// Runs code that keeps its thread until futures of this crate are ready: an executor of another crate, or
/// one of your own. A service that was told to stop ends at its next wait; a wait inside of `code` is none,
/// because a thread that is kept cannot return to the service's task. The first wait after it is.
///
/// [`Publisher::publish_blocking`](crate::Publisher::publish_blocking),
/// [`MessageBus::publish_wire_blocking`](crate::MessageBus::publish_wire_blocking) and `tell_blocking` (of an
/// [`ActorRef`](crate::ActorRef::tell_blocking), a [`Recipient`](crate::Recipient::tell_blocking) and a
/// [`PoolRef`](crate::pool::PoolRef::tell_blocking)) do so by themselves.
///
/// ```
/// # use mycelium::{BoxError, MessageBus, Message, without_cancellation};
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # #[derive(Clone, Debug)] struct Tick(u64);
/// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
/// # fn spin_until_ready<T>(work: impl Future<Output = T>) -> T {
/// #     let (mut work, mut cx) = (pin!(work), Context::from_waker(Waker::noop()));
/// #     loop { if let Poll::Ready(done) = work.as_mut().poll(&mut cx) { return done; } }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let publisher = bus.publisher::<Tick>()?;
/// without_cancellation(|| spin_until_ready(publisher.publish(Tick(1))))?;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// When `code` does.
pub fn without_cancellation<R>(code: impl FnOnce() -> R) -> R {
    without_end(code)
}
