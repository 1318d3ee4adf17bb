//! The bus-wide order: a counter that puts the messages of all queues of a bus in an order.
//!
//! # Protocol
//! Each queue of the bus has a [`Mark`], owned by the producer that is alone in the queue (inside its
//! critical section). A message takes a number of its own from `next` by an increment, unless the last number
//! taken on the whole bus is this queue's own, as far as the producer sees: then it shares that number, and
//! only a load is paid. So stamps never fall within a queue, where the position decides among equals, and no
//! two queues ever have the same stamp.
//!
//! A queue that keeps [times](StampTimes) never shares: each of its messages has a number of its own, by
//! which its time is found. It takes numbers [`BLOCK`] at a time, by one increment, and gives them out one by
//! one as long as `next` stands at the end of its block, as far as the producer sees: for most of its
//! messages only a load is paid, too. Then the mark stands where `next` never gets, so that a queue without
//! times pays nothing for those that have them.
//!
//! # Why that is right
//! Let A in one queue be published before B in another, whatever links them. A's producer saw `next` at the
//! end of what its queue had taken, or made it so: at e, and A's stamp is below e. B's producer looks at
//! `next` later, so coherence shows it e or more, although all accesses are relaxed. If that is not the end
//! of what its own queue has taken last, B's stamp is the result of a still later increment: e or more. If it
//! is, B's queue has taken the numbers up to there by an increment of its own. That is not the one which made
//! `next` e, so it is a later one, and all its numbers are e or more. Either way B's is above A's.

use std::fmt;
use std::ops::Range;

use crate::sync::{AtomicU64, CachePadded, Ordering};
use crate::topic::StampTimes;

/// How many numbers a queue takes at once whose messages have each one of their own. At a block for each
/// message, one each nanosecond, the counter lasts 36 years.
const BLOCK: u64 = 16;

/// The counter that gives all queues of one bus a common order.
///
/// ```
/// use mycelium_mailbox::Stamps;
///
/// let stamps = Stamps::new();
/// assert!(stamps.take() < stamps.take());
/// ```
#[derive(Debug, Default)]
pub struct Stamps {
    /// The last number taken, plus one.
    next: CachePadded<AtomicU64>,
}

/// The last number that one queue took, plus one.
pub(crate) struct Mark {
    last: u64,
    /// One word: each inbox has a mark too, and the usual queue has no times.
    timed: Option<Box<Timed>>,
}

/// What a queue has that keeps times.
struct Timed {
    /// The numbers of its block that nobody has yet.
    free: Range<u64>,
    times: StampTimes,
}

impl Mark {
    /// Of a queue that has taken none.
    pub(crate) const NONE: Self = Self { last: Self::NOWHERE, timed: None };
    /// `next` never gets there.
    const NOWHERE: u64 = u64::MAX;

    /// Has each message take a stamp of its own, and keeps its time; `None` ends that. The log before, to be
    /// dropped outside of the critical section.
    pub(crate) fn keep_times(&mut self, times: Option<StampTimes>) -> Option<StampTimes> {
        self.last = Self::NOWHERE;
        let timed = times.map(|times| Box::new(Timed { free: Self::NOWHERE..Self::NOWHERE, times }));
        std::mem::replace(&mut self.timed, timed).map(|timed| timed.times)
    }

    /// When its messages took their places, if that is kept.
    pub(crate) fn times(&mut self) -> Option<&mut StampTimes> {
        self.timed.as_mut().map(|timed| &mut timed.times)
    }

    /// Whether the time of each message is kept.
    pub(crate) fn is_timed(&self) -> bool {
        self.timed.is_some()
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark").field("last", &self.last).field("timed", &self.is_timed()).finish()
    }
}

impl Stamps {
    /// A counter of its own: one for each bus.
    #[must_use]
    pub fn new() -> Self {
        Self { next: CachePadded(AtomicU64::new(0)) }
    }

    /// A stamp above all that were taken before. At one per nanosecond the counter lasts 584 years.
    #[inline]
    pub fn take(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The stamp of the next message of the queue that `mark` belongs to. Only inside the queue's critical
    /// section.
    #[inline]
    pub(crate) fn stamp(&self, mark: &mut Mark) -> u64 {
        let next = self.next.load(Ordering::Relaxed);
        if next == mark.last {
            return mark.last - 1;
        }
        if let Some(timed) = &mut mark.timed {
            return self.own_stamp(timed, next);
        }
        let stamp = self.take();
        mark.last = stamp + 1;
        stamp
    }

    /// A stamp that no other message has, and its time.
    #[inline]
    fn own_stamp(&self, timed: &mut Timed, next: u64) -> u64 {
        let Timed { free, times } = timed;
        if next != free.end || free.is_empty() {
            let first = self.next.fetch_add(BLOCK, Ordering::Relaxed);
            *free = first..first + BLOCK;
        }
        let stamp = free.start;
        free.start += 1;
        times.put(stamp);
        stamp
    }

    /// How many stamps were taken so far; a lower bound while producers run. Messages in a row of one queue
    /// share one, and a topic that keeps [times](StampTimes) takes some in advance.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}
