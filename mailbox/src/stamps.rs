//! The bus-wide order: a counter that puts the messages of all queues of a bus in an order.
//!
//! # Protocol
//! Each queue of the bus has a [`Mark`], owned by the producer that is alone in the queue (inside its
//! critical section). A message takes a number of its own from `next` by an increment, unless the last number
//! taken on the whole bus is this queue's own, as far as the producer sees: then it shares that number, and
//! only a load is paid. So stamps never fall within a queue, where the position decides among equals, and no
//! two queues ever have the same stamp.
//!
//! A queue whose mark has a [`Note`] never shares: each of its messages takes a number of its own, and the
//! note is told it, still inside the critical section. The mark then stands where `next` never gets, so that
//! whoever has no note pays nothing for it.
//!
//! # Why that is right
//! Let A in one queue be published before B in another, whatever links them. A's producer saw `next` at s + 1
//! or made it so, where s is A's stamp. B's producer looks at `next` later, so coherence shows it s + 1 or
//! more, although all accesses are relaxed. If that is not its queue's own mark, B's stamp is the result of a
//! still later increment: above s. If it is, B's stamp is at least s, and not s, because that number belongs
//! to A's queue. Either way B's is above A's.

use std::fmt;
use std::sync::Arc;

use crate::sync::{AtomicU64, CachePadded, Ordering};

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

/// Is told the stamp of each message of one queue, inside its critical section: it must be short and must not
/// panic.
pub type Note = Arc<dyn Fn(u64) + Send + Sync>;

/// The last number that one queue took, plus one.
pub(crate) struct Mark {
    last: u64,
    /// One word: each inbox has a mark too, and the usual queue has no note.
    note: Option<Box<Note>>,
}

impl Mark {
    /// Of a queue that has taken none.
    pub(crate) const NONE: Self = Self { last: Self::NOWHERE, note: None };
    /// `next` never gets there.
    const NOWHERE: u64 = u64::MAX;

    /// Has each message take a stamp of its own, and tells `note`; `None` ends that. The note before, to be
    /// dropped outside of the critical section.
    pub(crate) fn note_each(&mut self, note: Option<Box<Note>>) -> Option<Box<Note>> {
        self.last = Self::NOWHERE;
        std::mem::replace(&mut self.note, note)
    }

    /// Whether each message is told to somebody.
    pub(crate) fn is_noted(&self) -> bool {
        self.note.is_some()
    }

    /// The queue's own number, just taken.
    #[inline]
    fn takes(&mut self, stamp: u64) -> u64 {
        match &self.note {
            None => self.last = stamp + 1,
            Some(note) => note(stamp),
        }
        stamp
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark").field("last", &self.last).field("noted", &self.note.is_some()).finish()
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
        if self.next.load(Ordering::Relaxed) != mark.last {
            return mark.takes(self.take());
        }
        mark.last - 1
    }

    /// How many stamps were taken so far; a lower bound while producers run. Messages in a row of one queue
    /// share one.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}
