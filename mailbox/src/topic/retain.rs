//! What a topic retains for late subscribers.
//!
//! # Protocol
//! `kept` is written inside the topic's critical section, by the publish that also writes ring and lanes. A
//! late subscriber takes its place and copies the list of retained messages inside one critical section. So a
//! message is either in that list or is published after the subscriber has its place, and never both: none is
//! lost between the two, and none comes twice.
//!
//! A retained message lies behind an `Arc` of its own: the list is copied without a call of the message's
//! `Clone`. The late subscriber clones the messages afterwards, where no lock is held. A topic that retains
//! nothing pays nothing: one that retains counts as two lanes from its beginning, so that each publish takes
//! the way of those with lanes (`post.rs`), and never that of one lane (`sole.rs`).

use super::payload::Payload;
use super::ring::RingEntry;
use crate::backlog::{Backlog, Offered, WhenFull};
use crate::discard::discard_all;
use crate::policy::KeyFn;
use crate::sync::{Arc, AtomicU64, Ordering, Spin};

/// How many messages one topic retains at most.
pub const RETAINED_MAX: u32 = 65_536;

/// What a topic keeps for subscribers that come late: see [`Topic::retaining`](super::Topic::retaining).
pub enum Retain<M> {
    /// The last so many messages; clamped to 1..=[`RETAINED_MAX`].
    Last(u32),
    /// The last message of each key, in the order in which they were published. With more keys than
    /// `keys_max`, clamped to 1..=[`RETAINED_MAX`], the key that was published longest ago is forgotten, and
    /// counted.
    LastPerKey {
        /// Gives a message its key.
        key: KeyFn<M>,
        /// The bound, in keys.
        keys_max: u32,
    },
}

impl<M> std::fmt::Debug for Retain<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Last(messages) => write!(f, "last {messages}"),
            Self::LastPerKey { keys_max, .. } => write!(f, "last of each of {keys_max} keys"),
        }
    }
}

/// One retained message. `value` is empty only in one that is kept for its memory.
#[derive(Debug)]
pub(crate) struct Retained<V> {
    stamp: u64,
    pub(super) sender: u64,
    value: Option<V>,
}

impl<V: Payload> Retained<V> {
    /// The message, cloned. Foreign code: no lock is held.
    pub(super) fn to_entry(&self) -> Option<RingEntry<V>> {
        let Self { stamp, sender, value } = self;
        value.as_ref().map(|value| RingEntry { stamp: *stamp, sender: *sender, value: value.clone() })
    }
}

/// The retained messages of one topic.
pub(crate) struct Retention<V: Payload> {
    key: Option<KeyFn<V::Message>>,
    kept: Spin<Kept<V>>,
    /// Keys that were forgotten.
    evicted: AtomicU64,
    /// Retained messages that late subscribers were given.
    given: AtomicU64,
}

struct Kept<V> {
    messages: Backlog<Arc<Retained<V>>>,
    /// The memory of one that was displaced and that nobody else holds.
    spare: Option<Arc<Retained<V>>>,
}

/// The key of a message that is to be retained, and the memory for it, which is empty and held by nobody
/// else.
pub(super) struct Prepared<V> {
    key: u64,
    memory: Arc<Retained<V>>,
}

/// What a retained message has displaced: to be dropped where no lock is held.
pub(super) type Displaced<V> = (Option<V>, Option<Arc<Retained<V>>>);

impl<V: Payload> Retention<V> {
    pub(crate) fn new(retain: Retain<V::Message>) -> Self {
        let (key, when_full, most) = match retain {
            Retain::Last(messages) => (None, WhenFull::DropOldest, messages),
            Retain::LastPerKey { key, keys_max } => (Some(key), WhenFull::Conflate, keys_max),
        };
        let messages = Backlog::new(when_full, most.clamp(1, RETAINED_MAX));
        let kept = Spin::new(Kept { messages, spare: None });
        Self { key, kept, evicted: AtomicU64::new(0), given: AtomicU64::new(0) }
    }

    /// What is needed to retain this message: its key here, which is foreign code, and memory. No lock is
    /// held.
    pub(super) fn prepare(&self, message: &V::Message) -> Prepared<V> {
        let key = self.key.as_ref().map_or(0, |key| key(message));
        let spare = self.kept.lock().spare.take();
        let memory = spare.unwrap_or_else(|| Arc::new(Retained { stamp: 0, sender: 0, value: None }));
        Prepared { key, memory }
    }

    /// Retains an entry, for which this was prepared. Inside the topic's critical section.
    pub(super) fn put(&self, prepared: Prepared<V>, entry: RingEntry<V>) -> Displaced<V> {
        let (RingEntry { stamp, sender, value }, Prepared { key, mut memory }) = (entry, prepared);
        let Some(place) = Arc::get_mut(&mut memory) else {
            unreachable!("nobody else holds what was prepared")
        };
        *place = Retained { stamp, sender, value: Some(value) };
        let mut kept = self.kept.lock();
        let mut old = match kept.messages.offer(memory, key) {
            Offered::Stored => return (None, None),
            Offered::DroppedOldest(old) => {
                if self.key.is_some() {
                    self.evicted.fetch_add(1, Ordering::Relaxed);
                }
                old
            }
            Offered::Conflated(old) | Offered::DroppedNewest(old) | Offered::Refused(old) => old,
        };
        let Some(value) = Arc::get_mut(&mut old).map(|old| old.value.take()) else {
            // A late subscriber is cloning it.
            return (None, Some(old));
        };
        // Another publish may have left one; that one is let go of where no lock is held.
        (value, kept.spare.replace(old))
    }

    /// How many messages are retained, as far as can be seen from outside.
    pub(super) fn len(&self) -> usize {
        self.kept.lock().messages.len()
    }

    /// The retained messages but those of `skips`, in order. Inside the critical section in which the late
    /// subscriber takes its place.
    pub(super) fn list(
        &self,
        mut list: Vec<Arc<Retained<V>>>,
        skips: impl Fn(u64) -> bool,
    ) -> Vec<Arc<Retained<V>>> {
        let kept = self.kept.lock();
        kept.messages.for_each(|retained| {
            if !skips(retained.sender) {
                list.push(Arc::clone(retained));
            }
        });
        list
    }

    /// A late subscriber has them.
    pub(super) fn has_given(&self, messages: usize) {
        self.given.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(super) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }
}

/// Messages on their way to a late subscriber. Those that do not arrive are discarded, one by one.
pub(super) struct Given<T>(Vec<T>);

impl<T> Given<T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }
}

impl<T> Drop for Given<T> {
    fn drop(&mut self) {
        discard_all(std::mem::take(&mut self.0));
    }
}

/// The retained messages of a late subscriber, cloned. No lock is held.
///
/// # Panics
/// When the `Clone` of a message does.
pub(super) fn to_entries<V: Payload>(list: Vec<Arc<Retained<V>>>) -> Given<RingEntry<V>> {
    // It may hold the last of what a publish has displaced.
    let list = Given(list);
    let mut entries = Given(Vec::with_capacity(list.len()));
    for retained in &list.0 {
        entries.0.extend(retained.to_entry());
    }
    entries
}
