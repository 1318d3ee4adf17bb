//! What reaches an isolate's run loop from wakers, which may be on any thread, and from its own code.
//!
//! `any` is set last, with `Release`, by everybody who has something to tell, and read first, with `Acquire`,
//! by the run loop: what was told before is seen then. The loop clears it while it holds the lock of `woken`,
//! under which wakers set it, so no wake-up is lost between the two.
//!
//! Wake-ups of other threads are kept apart. When they come depends on the machine, so the loop follows none
//! of them.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use mycelium_mailbox::this_thread;

/// What the run loop must look at before the next event.
pub(crate) struct LoopSignals {
    any: AtomicBool,
    halt: AtomicBool,
    /// What whoever runs the isolate waits for has come: the run is to return.
    pause: AtomicBool,
    /// The isolate's own thread.
    thread: NonZeroU64,
    woken: Mutex<Woken>,
}

#[derive(Default)]
struct Woken {
    /// Seats whose futures were woken by the isolate's own thread, in the order of the wake-ups.
    own: Vec<u32>,
    /// Seats that were woken by others.
    foreign: BTreeSet<u32>,
}

impl Default for LoopSignals {
    fn default() -> Self {
        let (any, halt, pause, woken) = Default::default();
        Self { any, halt, pause, thread: this_thread(), woken }
    }
}

impl LoopSignals {
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Makes the run loop look.
    pub(crate) fn raise(&self) {
        self.any.store(true, Ordering::Release);
    }

    /// Has the run return between two events.
    pub(crate) fn pause(&self) {
        self.pause.store(true, Ordering::Release);
        self.raise();
    }

    /// Whether it is to return; it is not any more.
    pub(crate) fn take_pause(&self) -> bool {
        self.pause.swap(false, Ordering::AcqRel)
    }

    /// Whether this is the isolate's own thread.
    pub(crate) fn is_here(&self) -> bool {
        this_thread() == self.thread
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

    /// Moves the woken seats into `own`, and those that other threads woke into `foreign`.
    pub(crate) fn take_woken(&self, own: &mut VecDeque<u32>, foreign: &mut BTreeSet<u32>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        own.extend(woken.own.drain(..));
        foreign.append(&mut woken.foreign);
    }
}

impl LoopSignals {
    /// Wakes the future in this seat.
    pub(crate) fn waker(self: &Arc<Self>, seat: u32) -> Waker {
        Waker::from(Arc::new(SeatWaker { signals: Arc::clone(self), seat }))
    }
}

struct SeatWaker {
    signals: Arc<LoopSignals>,
    seat: u32,
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = self.signals.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.signals.is_here() {
            // Woken twice in a row it is resumed once.
            if woken.own.last() != Some(&self.seat) {
                woken.own.push(self.seat);
            }
        } else {
            woken.foreign.insert(self.seat);
        }
        self.signals.any.store(true, Ordering::Release);
    }
}
