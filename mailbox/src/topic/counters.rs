//! What a topic counts.

use crate::sync::{AtomicU64, Ordering};

/// Snapshot of a topic's counters; each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// Messages published while somebody was subscribed.
    pub published: u64,
    /// Messages published while nobody was.
    pub unheard: u64,
    /// Older messages dropped from `DropOldest` lanes, and from `Conflate` lanes with too many keys.
    pub dropped_oldest: u64,
    /// New messages not queued in full `DropNewest` lanes.
    pub dropped_newest: u64,
    /// Messages replaced by a later one of the same key in `Conflate` lanes.
    pub conflated: u64,
    /// Publishes refused with `Full`.
    pub rejected: u64,
    /// Messages not yet handled by subscribers that left.
    pub unread: u64,
    /// Messages that are retained now.
    pub retained: u64,
    /// Retained messages that late subscribers were given, summed over them: these were published before they
    /// came.
    pub retained_given: u64,
    /// Keys whose retained message was forgotten because there were more keys than the topic retains.
    pub retained_evicted: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    published: AtomicU64,
    unheard: AtomicU64,
    dropped_oldest: AtomicU64,
    dropped_newest: AtomicU64,
    conflated: AtomicU64,
    rejected: AtomicU64,
    unread: AtomicU64,
}

/// One of the counters that only the producer inside the critical section writes.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    Published,
    DroppedOldest,
    DroppedNewest,
    Conflated,
}

impl Counters {
    /// Adds one. Only inside the topic's critical section: one writer at a time, so no read-modify-write is
    /// needed.
    #[inline]
    pub(crate) fn count(&self, cause: Cause) {
        let counter = match cause {
            Cause::Published => &self.published,
            Cause::DroppedOldest => &self.dropped_oldest,
            Cause::DroppedNewest => &self.dropped_newest,
            Cause::Conflated => &self.conflated,
        };
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The same for so many published messages.
    pub(crate) fn count_published(&self, messages: u64) {
        self.published.store(self.published.load(Ordering::Relaxed) + messages, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn add_unheard(&self, messages: u64) {
        self.unheard.fetch_add(messages, Ordering::Relaxed);
    }

    pub(crate) fn add_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_unread(&self, messages: usize) {
        self.unread.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> TopicStats {
        TopicStats {
            published: self.published.load(Ordering::Relaxed),
            unheard: self.unheard.load(Ordering::Relaxed),
            dropped_oldest: self.dropped_oldest.load(Ordering::Relaxed),
            dropped_newest: self.dropped_newest.load(Ordering::Relaxed),
            conflated: self.conflated.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            unread: self.unread.load(Ordering::Relaxed),
            ..TopicStats::default()
        }
    }
}
