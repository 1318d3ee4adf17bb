//! What a full queue does with the next message.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// Gives a message the key under which only the latest is kept. Equal keys are one series.
///
/// A contract's numeric id (instrument, account) is the natural key. A hash of a longer key works too; two
/// keys that share a hash are then one series.
pub type KeyFn<M> = Arc<dyn Fn(&M) -> u64 + Send + Sync>;

/// The policy of one queue.
pub enum Overflow<M> {
    /// The producer waits, and nothing is lost.
    Block,
    /// The oldest message not yet handed out makes room, and is counted.
    DropOldest,
    /// The new message is not queued, and is counted.
    DropNewest,
    /// The producer gets an error at once, and nobody gets the message.
    Fail,
    /// Only the latest message per key is kept, at the place of the newest. More keys than the capacity drop
    /// the oldest. Both are counted.
    Conflate(KeyFn<M>),
}

impl<M> Overflow<M> {
    /// Keeps the latest message of each key.
    pub fn conflate(key: impl Fn(&M) -> u64 + Send + Sync + 'static) -> Self {
        Self::Conflate(Arc::new(key))
    }

    /// Name for logs and counters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Fail => "fail",
            Self::Conflate(_) => "conflate",
        }
    }
}

impl<M> Clone for Overflow<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Block => Self::Block,
            Self::DropOldest => Self::DropOldest,
            Self::DropNewest => Self::DropNewest,
            Self::Fail => Self::Fail,
            Self::Conflate(key) => Self::Conflate(Arc::clone(key)),
        }
    }
}

impl<M> fmt::Debug for Overflow<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes the `u64` key of [`Overflow::Conflate`] from any hashable value, the same in every run and on every
/// machine.
///
/// Distinct values collide with probability 2^-64 or so; a collision conflates them. Use the number itself as
/// the key where there is one.
pub fn conflation_key<K: Hash + ?Sized>(key: &K) -> u64 {
    #[allow(deprecated)] // SipHasher13 has no stable name; this one is specified and seeded with constants.
    let mut hasher = std::hash::SipHasher::new();
    key.hash(&mut hasher);
    std::hash::Hasher::finish(&hasher)
}
