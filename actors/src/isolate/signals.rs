//! What reaches an isolate's run loop from wakers, which may be on any thread, and from its own code.
//!
//! `any` is set last, with `Release`, by everybody who has something to tell, and read first, with `Acquire`, by the run
//! loop: what was told before is seen then. The loop clears it while it holds the lock of `woken`, under which wakers set it,
//! so no wake-up is lost between the two.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// What the run loop must look at before the next event.
#[derive(Default)]
pub(crate) struct Signals {
    any: AtomicBool,
    halt: AtomicBool,
    /// Seats whose futures were woken, in the order of the wake-ups.
    woken: Mutex<Vec<u32>>,
}

impl Signals {
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Makes the run loop look.
    pub(crate) fn raise(&self) {
        self.any.store(true, Ordering::Release);
    }

    /// Ends the run.
    pub(crate) fn halt(&self) {
        self.halt.store(true, Ordering::Release);
        self.any.store(true, Ordering::Release);
    }

    /// Whether an actor has ended abnormally.
    pub(crate) fn halted(&self) -> bool {
        self.halt.load(Ordering::Acquire)
    }

    /// Moves the woken seats into `into`.
    pub(crate) fn take_woken(&self, into: &mut VecDeque<u32>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        into.extend(woken.drain(..));
    }
}

impl Signals {
    /// Wakes the future in this seat.
    pub(crate) fn waker(self: &Arc<Self>, seat: u32) -> Waker {
        Waker::from(Arc::new(SeatWaker { signals: Arc::clone(self), seat }))
    }
}

struct SeatWaker {
    signals: Arc<Signals>,
    seat: u32,
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.signals.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(self.seat);
        self.signals.any.store(true, Ordering::Release);
    }
}
