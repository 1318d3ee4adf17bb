//! What others see of a receiver and ask of it, through all its lives.
//!
//! # Protocol
//! `calls` is a set of [`STOP`], [`PAUSE`], [`SHUT_DOWN`] and [`NUDGE`]. A caller that asks for
//! a stop adds it by a read-modify-write and rings; [`SHUT_DOWN`] is never taken back. A nudge is the
//! receiver's note to itself, added and removed by it alone: so one look between two messages tells whether
//! there is anything else to do. **Sync point "asked or asleep"**: who asks writes `calls` and then looks
//! at the bell; the receiver sets its bell and then looks at `calls`. All four are `SeqCst`, so one of them
//! sees the other.
//!
//! `turn` counts how often the receiver has fallen asleep and woken: it is odd while the receiver sleeps with
//! nothing to do. The receiver alone writes it, with `Release`.
//!
//! Between two lives (an actor has failed, and its supervisor has not yet said what becomes of it) the
//! receiver keeps its sources. Its [`Interlude`] frees the place of the message that was in hand, so that
//! producers get on, and leaves the bell set: who asks for a stop rings it. The first message that arrives
//! rings too and ends the rest; the next ones find no seat armed, so publishing to it costs what it costs
//! otherwise. The next life finds the bell set with the waker of this one, and seats armed: both
//! [`Doorbell::prepare`] and [`Merge::arm`] put up with that.

use std::fmt;
use std::task::{Context, Poll};

use crate::merge::poll_arm;
use crate::sync::{AtomicU8, AtomicU64, Ordering, fence};
use crate::{Doorbell, Merge};

const STOP: u8 = 1;
const SHUT_DOWN: u8 = 2;
const NUDGE: u8 = 4;
const PAUSE: u8 = 8;

/// What a receiver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// To end this life; it may be taken back, for a next one.
    Life,
    /// The same, by the supervisor's wish, which means to begin the next one.
    Pause,
    /// To end for good.
    ForGood,
}

/// What others see of one receiver, and ask of it.
///
/// ```
/// use mycelium_mailbox::{Doorbell, Presence, Stop};
///
/// let (presence, bell) = (Presence::new(), Doorbell::new());
/// presence.ask(Stop::Life, &bell);
/// presence.take_back();
/// assert_eq!(presence.asked(), None);
/// presence.ask(Stop::Life, &bell);
/// presence.ask(Stop::Pause, &bell);
/// assert_eq!(presence.asked(), Some(Stop::Pause));
/// presence.ask(Stop::ForGood, &bell);
/// presence.take_back(); // too late
/// assert_eq!(presence.asked(), Some(Stop::ForGood));
/// let presence = Presence::new();
/// presence.ask(Stop::Life, &bell);
/// presence.ask(Stop::Pause, &bell);
/// presence.take_back_pause();
/// assert_eq!(presence.asked(), Some(Stop::Life));
/// ```
#[derive(Default)]
pub struct Presence {
    calls: AtomicU8,
    turn: AtomicU64,
}

impl Presence {
    /// A receiver that is awake and asked for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { calls: AtomicU8::new(0), turn: AtomicU64::new(0) }
    }

    /// Asks the receiver, who sleeps on `bell`, to end, and wakes it. It says nothing of when that happens.
    pub fn ask(&self, stop: Stop, bell: &Doorbell) {
        let call = match stop {
            Stop::Life => STOP,
            Stop::Pause => PAUSE,
            Stop::ForGood => SHUT_DOWN,
        };
        // Beside what is asked already: a shutdown that finds a stop must outlast it.
        self.calls.fetch_or(call, Ordering::SeqCst);
        bell.ring();
    }

    /// Takes back a [`Stop::Life`] and a [`Stop::Pause`]; a [`Stop::ForGood`] stays.
    pub fn take_back(&self) {
        self.calls.fetch_and(!(STOP | PAUSE), Ordering::SeqCst);
    }

    /// Takes back a [`Stop::Pause`] alone: the next life is to obey a [`Stop::Life`] that came before it.
    pub fn take_back_pause(&self) {
        self.calls.fetch_and(!PAUSE, Ordering::SeqCst);
    }

    /// Whether anything is asked, or the receiver was nudged, as far as this thread has seen: for the
    /// receiver, between two messages.
    #[inline(always)]
    #[must_use]
    pub fn is_called(&self) -> bool {
        self.calls.load(Ordering::Relaxed) != 0
    }

    /// The receiver's: a handler has left something to do before the next message. It ends a
    /// [`drain`](crate::Subscription::drain).
    pub fn nudge(&self) {
        self.calls.fetch_or(NUDGE, Ordering::Relaxed);
    }

    /// The receiver's: what it was nudged for is done next.
    pub fn settle(&self) {
        self.calls.fetch_and(!NUDGE, Ordering::Relaxed);
    }

    /// The most that is asked.
    #[must_use]
    pub fn asked(&self) -> Option<Stop> {
        let calls = self.calls.load(Ordering::SeqCst);
        let stops = [(SHUT_DOWN, Stop::ForGood), (PAUSE, Stop::Pause), (STOP, Stop::Life)];
        stops.into_iter().find_map(|(call, stop)| (calls & call != 0).then_some(stop))
    }

    /// The receiver's: ready if a message is there or something is asked; else `bell` is set to wake it for
    /// either.
    ///
    /// For a receiver that has just looked at its sources in vain: another look comes after the bell is set.
    /// Wake-ups may be spurious, as those of [`poll_pick`](crate::poll_pick).
    pub fn poll_work<M: Merge + ?Sized>(
        &self,
        sources: &mut M,
        bell: &Doorbell,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if poll_arm(sources, bell, cx).is_ready() {
            return Poll::Ready(());
        }
        // After the bell was set: who asks rings afterwards.
        if self.calls.load(Ordering::SeqCst) & !NUDGE == 0 { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The receiver's: nothing waits for it, and its bell is set.
    pub fn fall_asleep(&self) {
        self.turn_to(1);
    }

    /// The receiver's: it looks for work. Called before it sets its bell again.
    pub fn wake_up(&self) {
        self.turn_to(0);
    }

    /// The turn of a sleep in which nobody has rung; `None` while there is something to do. A sleep with the
    /// same turn as before has lasted since then.
    #[must_use]
    pub fn turn(&self, bell: &Doorbell) -> Option<u64> {
        let turn = self.turn.load(Ordering::Acquire);
        let asleep = bell.is_asleep();
        // The bell may have been set anew meanwhile, for a later sleep: then the turn has moved on, and this
        // read sees it.
        fence(Ordering::Acquire);
        (turn % 2 == 1 && asleep && self.turn.load(Ordering::Relaxed) == turn).then_some(turn)
    }

    fn turn_to(&self, parity: u64) {
        let turn = self.turn.load(Ordering::Relaxed);
        if turn % 2 != parity {
            // Release: who reads an odd turn sees everything that the receiver did before it fell asleep.
            self.turn.store(turn + 1, Ordering::Release);
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("asked", &self.asked()).finish_non_exhaustive()
    }
}

/// A receiver between two lives: it handles nothing, keeps its sources and waits for somebody's word.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Waker};
/// use mycelium_mailbox::{Doorbell, Inbox, InboxOptions, Interlude, Presence, Stamps, Stop};
///
/// let (presence, bell) = (Presence::new(), Arc::new(Doorbell::new()));
/// let inbox = Inbox::new(Arc::new(Stamps::new()), Arc::clone(&bell), InboxOptions::default());
/// let (sender, mut sources) = (inbox.sender(), [inbox]);
/// let mut interlude = Interlude::begin(&mut sources, false);
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(!interlude.poll(&presence, &mut sources, &bell, &mut cx));
/// sender.try_send(1).unwrap(); // waits for the next life
/// presence.ask(Stop::ForGood, &bell);
/// assert!(interlude.poll(&presence, &mut sources, &bell, &mut cx));
/// ```
#[derive(Debug)]
pub struct Interlude {
    /// Whether a message was found: from then on no source is armed.
    waits: bool,
}

impl Interlude {
    /// Begins one: frees the places of what was handled and dropped, so that producers get on. `waits` says
    /// that the next life has something to do already.
    #[must_use]
    pub fn begin<M: Merge + ?Sized>(sources: &mut M, waits: bool) -> Self {
        sources.commit();
        Self { waits }
    }

    /// Whether the receiver is asked to end for good. If not, `bell` is set for that, and the caller looks
    /// next at what else it waits for. To be called at each wake-up.
    pub fn poll<M: Merge + ?Sized>(
        &mut self,
        presence: &Presence,
        sources: &mut M,
        bell: &Doorbell,
        cx: &mut Context<'_>,
    ) -> bool {
        presence.wake_up();
        if !bell.prepare(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        if !self.waits {
            self.waits = sources.arm(bell);
        }
        if !self.waits {
            presence.fall_asleep();
        }
        presence.asked() == Some(Stop::ForGood)
    }
}
