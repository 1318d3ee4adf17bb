//! One answer from whoever gives it to whoever waits for it.
//!
//! # Protocol
//! Both share one [`Desk`], a piece of memory that serves one answer after the other (`reuse.rs`). `state` is
//! a set of
//! - `WAITS`: `waker` holds the receiver's. Set and taken back by the receiver.
//! - `GIVEN`: the sender has gone; `value` holds its answer if it has given one. Set once, by the sender.
//! - `LEFT`: the receiver has gone. Set once, by it.
//! - above them, how often `WAITS` was taken back.
//!
//! `value` is the sender's before `GIVEN` and the receiver's after it; if the sender finds `LEFT`, it is the
//! sender's for good. `waker` is the receiver's as long as `WAITS` is not set, and the sender's if `GIVEN` is
//! set while it is. **Sync point "answered or waiting"**: the sender writes `value` and then changes
//! `state`; the receiver writes `waker` and then changes `state`. The one that comes second sees what the
//! other has written.
//!
//! The sender reads the waker *before* it sets `GIVEN`, so that it touches the memory no more after that,
//! unless it has found `LEFT`. It sets `GIVEN` by a compare-exchange from the very state at which it has
//! read: the receiver writes another waker only after it has taken `WAITS` back, which no later state
//! forgets. So the exchange fails if what was read is not, or no longer, the waker that waits.
//!
//! The one that goes last gives the memory back: the receiver if it finds `GIVEN`, the sender if it finds
//! `LEFT`. An answer costs one read-modify-write on each side.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::discard::{discard, wake};
use crate::reuse::{place, take_out};
use crate::sync::{AtomicU64, Freed, Ordering, Shared};
use crate::words::WakerWords;

const WAITS: u64 = 1;
const GIVEN: u64 = 2;
const LEFT: u64 = 4;
/// Added for each time that `WAITS` is taken back.
const TAKEN_BACK: u64 = 8;

struct Desk<R> {
    state: AtomicU64,
    waker: WakerWords,
    value: Shared<Option<R>>,
    _freed: Freed,
}

/// Who gives the answer. Dropped, there will be none.
pub struct ReplySender<R> {
    desk: NonNull<Desk<R>>,
    owns: PhantomData<Desk<R>>,
}

/// Who waits for the answer: a future of it, or of `None` if there will be none.
///
/// # Cancel safety
/// Dropped before it is ready, the answer is dropped when it is given.
#[must_use = "an answer is only there once it was waited for"]
pub struct ReplyReceiver<R> {
    desk: NonNull<Desk<R>>,
    /// Whether the answer was taken, so that the memory is gone.
    done: bool,
    owns: PhantomData<Desk<R>>,
}

// SAFETY: the protocol gives each cell to one of the two at a time; what moves between threads is an `R` and
// a `Waker`, which is Send and Sync.
unsafe impl<R: Send> Send for ReplySender<R> {}
// SAFETY: `&ReplySender` gives access to nothing.
unsafe impl<R: Send> Sync for ReplySender<R> {}
// SAFETY: as for the sender.
unsafe impl<R: Send> Send for ReplyReceiver<R> {}
// SAFETY: `&ReplyReceiver` gives access to nothing.
unsafe impl<R: Send> Sync for ReplyReceiver<R> {}

impl<R> Unpin for ReplyReceiver<R> {}

/// The two ends of one answer.
///
/// ```
/// use std::future::Future;
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
///
/// let (sender, receiver) = mycelium_mailbox::reply();
/// let (mut receiver, mut cx) = (pin!(receiver), Context::from_waker(Waker::noop()));
/// assert!(receiver.as_mut().poll(&mut cx).is_pending());
/// assert!(sender.give(42).is_ok());
/// assert_eq!(receiver.poll(&mut cx), Poll::Ready(Some(42)));
/// ```
#[inline]
pub fn reply<R>() -> (ReplySender<R>, ReplyReceiver<R>) {
    let desk = Desk {
        state: AtomicU64::new(0),
        waker: WakerWords::new(),
        value: Shared::new(None),
        _freed: Freed::new(),
    };
    let desk = place(desk);
    (ReplySender { desk, owns: PhantomData }, ReplyReceiver { desk, done: false, owns: PhantomData })
}

/// Gives the memory back, whose waker is nobody's any more: what was given and not taken.
///
/// # Safety
/// The caller is the last of the two to use it.
unsafe fn free<R>(desk: NonNull<Desk<R>>) -> Option<R> {
    // SAFETY: `reply` has placed it, and the caller says that nobody else uses it.
    let desk = unsafe { take_out(desk) };
    // SAFETY: as above.
    desk.value.with_mut(|value| unsafe { (*value).take() })
}

impl<R> ReplySender<R> {
    /// Gives the answer. `Ok` does not say that it is ever looked at.
    ///
    /// # Errors
    /// The answer, where nobody waits for it any more.
    #[inline]
    pub fn give(self, answer: R) -> Result<(), R> {
        let this = ManuallyDrop::new(self);
        // SAFETY: this is the sender, which goes with this call.
        match unsafe { leave(this.desk, Some(answer)) } {
            None => Ok(()),
            Some(answer) => Err(answer),
        }
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_in_vain(&self) -> bool {
        // SAFETY: the memory lives until both have gone.
        unsafe { self.desk.as_ref() }.state.load(Ordering::Relaxed) & LEFT != 0
    }
}

/// The sender goes, with its answer, which comes back if nobody takes it.
///
/// # Safety
/// The caller is the sender, and uses the memory no more.
#[inline]
unsafe fn leave<R>(at: NonNull<Desk<R>>, answer: Option<R>) -> Option<R> {
    // SAFETY: the memory lives until both have gone.
    let desk = unsafe { at.as_ref() };
    // SAFETY: `GIVEN` is not set, so the cell is the sender's, and there is nothing in it to drop.
    desk.value.with_mut(|value| unsafe { value.write(answer) });
    // Acquire: the words of the waker that waits at this state.
    let mut seen = desk.state.load(Ordering::Acquire);
    let read = loop {
        let read = desk.waker.read();
        // AcqRel: the receiver sees `value`.
        match desk.state.compare_exchange(seen, seen | GIVEN, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break read,
            Err(now) => seen = now,
        }
    };
    // SAFETY: `WAITS` is set at the state at which it was read, and with `GIVEN` the waker is the sender's.
    let waker = (seen & WAITS != 0).then(|| unsafe { read.take() });
    if seen & LEFT != 0 {
        // SAFETY: the receiver has gone before.
        let back = unsafe { free(at) };
        discard(waker);
        return back;
    }
    if let Some(waker) = waker {
        wake(waker);
    }
    None
}

impl<R> Drop for ReplySender<R> {
    fn drop(&mut self) {
        // SAFETY: this is the sender, which goes.
        let _nothing = unsafe { leave(self.desk, None) };
    }
}

impl<R> ReplyReceiver<R> {
    /// Whether nothing is to be waited for any more: an answer is there, will never be, or was taken.
    #[inline]
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.done || self.desk().state.load(Ordering::Relaxed) & GIVEN != 0
    }

    fn desk(&self) -> &Desk<R> {
        // SAFETY: the memory lives until both have gone, and whoever is `done` does not come here.
        unsafe { self.desk.as_ref() }
    }

    /// Takes what was given, as `GIVEN` was seen.
    #[inline]
    fn take(&mut self) -> Option<R> {
        self.done = true;
        // SAFETY: the sender touches it no more, and this is the receiver, which comes here once.
        unsafe { free(self.desk) }
    }

    /// Leaves `waker` with the sender; whether that has gone.
    #[inline]
    fn wait(&self, waker: &Waker) -> bool {
        let desk = self.desk();
        desk.waker.put(waker.clone());
        // AcqRel: the sender sees the waker, and this sees `value`.
        let has_gone = desk.state.fetch_or(WAITS, Ordering::AcqRel) & GIVEN != 0;
        if has_gone {
            // SAFETY: it went while `WAITS` was not set, so what was put there now is the receiver's still.
            drop(unsafe { desk.waker.read().take() });
        }
        has_gone
    }

    /// The same where a waker was left before, at the state `seen`.
    #[cold]
    fn wait_again(&self, seen: u64, waker: &Waker) -> bool {
        let desk = self.desk();
        let read = desk.waker.read();
        if read.is(waker) {
            return false;
        }
        let back = (seen & !WAITS) + TAKEN_BACK;
        if desk.state.compare_exchange(seen, back, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // Only the sender has changed it.
            return true;
        }
        // SAFETY: `WAITS` was taken back before the sender went, so it is the receiver's.
        drop(unsafe { read.take() });
        self.wait(waker)
    }
}

impl<R> Future for ReplyReceiver<R> {
    type Output = Option<R>;

    /// # Panics
    /// When polled after it was ready.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R>> {
        assert!(!self.done, "`ReplyReceiver` polled after it was ready");
        let seen = self.desk().state.load(Ordering::Acquire);
        let has_gone = if seen & GIVEN != 0 {
            true
        } else if seen & WAITS == 0 {
            self.wait(cx.waker())
        } else {
            self.wait_again(seen, cx.waker())
        };
        if has_gone { Poll::Ready(self.take()) } else { Poll::Pending }
    }
}

impl<R> Drop for ReplyReceiver<R> {
    #[inline]
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // AcqRel: this sees `value`, and the sender that the receiver is done with the waker.
        let seen = self.desk().state.fetch_or(LEFT, Ordering::AcqRel);
        if seen & GIVEN != 0 {
            discard(self.take());
        }
    }
}

impl<R> fmt::Debug for ReplySender<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplySender").field("in_vain", &self.is_in_vain()).finish()
    }
}

impl<R> fmt::Debug for ReplyReceiver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyReceiver").field("done", &self.done).finish_non_exhaustive()
    }
}
