//! One answer from whoever gives it to whoever waits for it.
//!
//! # Protocol
//! Both share one [`Desk`], a piece of memory that serves one answer after the other (`reuse.rs`). `state` is
//! a set of
//! - `WAITS`: `waker` holds the receiver's. Set and taken back by the receiver.
//! - `GIVEN`: the sender has gone; `value` holds its answer if it has given one. Set once, by the sender,
//!   with a read-modify-write.
//! - `OUT`: the sender touches the memory no more. Set by it after `GIVEN` if it found `WAITS` there: until
//!   then the waker is the sender's, which reads it and wakes after `OUT`. If it did not find `WAITS`, it is
//!   out with `GIVEN`, and sets both at once.
//! - `LEFT`: the receiver has gone. Set once, by it, with a read-modify-write.
//!
//! `value` is the sender's before `GIVEN` and the receiver's after it; if the sender finds `LEFT`, it is the
//! sender's for good. `waker` is the receiver's as long as `WAITS` is not set. **Sync point "answered or
//! waiting"**: the sender writes `value` and then changes `state`; the receiver writes `waker` and then
//! changes `state`. The one that comes second sees what the other has written.
//!
//! The one that goes last gives the memory back: the receiver if it finds `GIVEN`, once the sender is out;
//! the sender if it finds `LEFT`. An answer for one who waits costs one read-modify-write there, and two
//! here.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::discard::{discard, wake};
use crate::reuse::{place, take_out};
use crate::sync::{AtomicU8, Backoff, Freed, Ordering, Shared};

const WAITS: u8 = 1;
const GIVEN: u8 = 2;
const OUT: u8 = 4;
const LEFT: u8 = 8;

struct Desk<R> {
    state: AtomicU8,
    waker: Shared<MaybeUninit<Waker>>,
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
        state: AtomicU8::new(0),
        waker: Shared::new(MaybeUninit::uninit()),
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
    let mut seen = desk.state.load(Ordering::Relaxed);
    loop {
        let out = if seen & WAITS == 0 { GIVEN | OUT } else { GIVEN };
        // AcqRel: the receiver sees `value`, and this sees `waker`.
        match desk.state.compare_exchange(seen, seen | out, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => seen = now,
        }
    }
    let waker = (seen & WAITS != 0).then(|| {
        // SAFETY: `WAITS` says that the receiver has written it and left it alone since, and with `GIVEN` it
        // is the sender's, which reads it once.
        desk.waker.with(|waker| unsafe { waker.cast::<Waker>().read() })
    });
    if seen & LEFT != 0 {
        // SAFETY: the receiver has gone before.
        let back = unsafe { free(at) };
        discard(waker);
        return back;
    }
    if let Some(waker) = waker {
        // Release: the memory is the receiver's, from here on.
        desk.state.fetch_or(OUT, Ordering::Release);
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
    fn desk(&self) -> &Desk<R> {
        // SAFETY: the memory lives until both have gone, and whoever is `done` does not come here.
        unsafe { self.desk.as_ref() }
    }

    /// Takes what was given, as `GIVEN` was seen in `seen`.
    #[inline]
    fn take(&mut self, seen: u8) -> Option<R> {
        if seen & OUT == 0 {
            self.wait_for_out();
        }
        self.done = true;
        // SAFETY: the sender is out, and this is the receiver, which comes here once.
        unsafe { free(self.desk) }
    }

    /// Waits until the sender, which is about to wake this, has read the waker: some instructions.
    #[cold]
    fn wait_for_out(&self) {
        let mut backoff = Backoff::default();
        // A read-modify-write reads the last value, so that no model waits for ever.
        while self.desk().state.fetch_or(0, Ordering::Acquire) & OUT == 0 {
            backoff.wait();
        }
    }

    /// Leaves `waker` with the sender, unless that has gone: then what is in `state`.
    fn wait(&self, waker: &Waker) -> Result<(), u8> {
        let fresh = waker.clone();
        // SAFETY: `WAITS` is not set, so the cell is the receiver's, and there is nothing in it to drop.
        self.desk().waker.with_mut(|cell| unsafe { (*cell).write(fresh) });
        // AcqRel: the sender sees the waker, and this sees `value`.
        let seen = self.desk().state.fetch_or(WAITS, Ordering::AcqRel);
        if seen & GIVEN == 0 {
            return Ok(());
        }
        // SAFETY: the sender went without looking at it, so it is here still.
        drop(self.desk().waker.with(|cell| unsafe { cell.cast::<Waker>().read() }));
        Err(seen)
    }

    /// The same where a waker was left before.
    #[cold]
    fn wait_again(&self, waker: &Waker) -> Result<(), u8> {
        // SAFETY: it was written before, and the sender reads it at most.
        let same = self.desk().waker.with(|cell| unsafe { &*cell.cast::<Waker>() }.will_wake(waker));
        if same {
            return Ok(());
        }
        let state = &self.desk().state;
        match state.compare_exchange(WAITS, 0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: `WAITS` was taken back before the sender went, so the cell is the receiver's.
                drop(self.desk().waker.with(|cell| unsafe { cell.cast::<Waker>().read() }));
                self.wait(waker)
            }
            Err(seen) => Err(seen),
        }
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
        let waiting = match seen {
            seen if seen & GIVEN != 0 => Err(seen),
            0 => self.wait(cx.waker()),
            _ => self.wait_again(cx.waker()),
        };
        match waiting {
            Ok(()) => Poll::Pending,
            Err(seen) => Poll::Ready(self.take(seen)),
        }
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
            discard(self.take(seen));
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
