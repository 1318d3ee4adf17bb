//! What a bus counts.

/// The counters of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// The message's name.
    pub message: &'static str,
    /// The topic's name.
    pub topic: &'static str,
    /// Messages that at least one subscriber was there for.
    pub published: u64,
    /// Messages handed to a handler or a subscriber's queue, summed over subscribers.
    pub delivered: u64,
    /// Dropped by `DropOldest`, or by `Conflate` when more keys waited than its capacity.
    pub dropped_oldest: u64,
    /// Dropped by `DropNewest`.
    pub dropped_newest: u64,
    /// Replaced by a later message with the same key.
    pub conflated: u64,
    /// Waited for a subscriber that unsubscribed or ended.
    pub dropped_unsubscribed: u64,
    /// Came to an actor that had ended.
    pub dead_letters: u64,
}
