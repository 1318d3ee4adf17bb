//! Publishing where one lane is all there is, the common case of those with lanes.
//!
//! That lane gets the message itself: nothing is copied. If it conflates, the key function runs where no lock
//! is held, and then the lock is taken again. If another lane or a gate has come meanwhile, or the lane has
//! left, the publish starts anew in `post.rs`.
//!
//! Where there is one lane beside the ring, as there is beside local subscribers if a link sends the topic,
//! plain data needs one copy, which is made where no lock is held.

use super::core::{Core, Producer, Refusal, Section, TAIL_SHIFT};
use super::counters::Cause;
use super::lane::Lane;
use super::origin::Origin;
use super::payload::Payload;
use super::ring::RingEntry;
use crate::discard::discard;
use crate::stamps::Mark;
use crate::sync::Arc;

impl<V: Payload> Core<V> {
    /// Publishes where a look without the lock has found one lane, and no gate.
    #[inline(never)]
    pub(super) fn publish_to_one_lane<O: Origin>(
        &self,
        value: &mut Option<V>,
        origin: O,
    ) -> Result<(), Refusal<O::Outdated>> {
        assert!(value.is_some(), "a message is published once");
        let sender = origin.sender();
        let mut section = self.enter(origin)?;
        // With one look at the lane, where it has room.
        let is_there = if let Some((lane, mark)) = section.producer().only_lane()
            && !lane.seat.skips(sender)
            // SAFETY: the topic's lock is held.
            && unsafe { lane.has_place() }
            && let Some(value) = value.take()
        {
            self.counters.count(Cause::Published);
            let entry = RingEntry { stamp: self.stamps.stamp(mark), sender, value };
            // SAFETY: the topic's lock is held.
            unsafe { lane.put(entry) };
            true
        } else {
            false
        };
        if is_there {
            if section.producer().sleepers.is_empty() {
                drop(section);
            } else {
                self.wake_after(section);
            }
            return Ok(());
        }
        section.producer().check_lanes(sender)?;
        let Some((lane, _)) = section.producer().only_lane() else {
            drop(section);
            return self.publish_to_lanes(value, origin);
        };
        if lane.has_key() && !lane.seat.skips(sender) {
            let lane = Arc::clone(lane);
            drop(section);
            return self.publish_by_key(&lane, value, origin);
        }
        self.give_to_only_lane(section, value, sender, 0);
        Ok(())
    }

    /// Publishes plain data where a look without the lock has found gates, and one lane.
    #[inline(never)]
    pub(super) fn publish_beside_one_lane<O: Origin>(
        &self,
        value: &mut Option<V>,
        origin: O,
    ) -> Result<(), Refusal<O::Outdated>> {
        assert!(value.is_some(), "a message is published once");
        let sender = origin.sender();
        // Foreign code, which may panic: nothing is published then.
        let copy = value.clone();
        let mut section = self.enter(origin)?;
        let tail = section.tail();
        let Producer { ring, gates, lanes, keyed, mark, sleepers, .. } = section.producer();
        let (Some(ring), [lane], []) = (ring, lanes.as_slice(), keyed.as_slice()) else {
            drop(section);
            return self.publish_to_lanes(value, origin);
        };
        let skips = lane.seat.skips(sender);
        // SAFETY: the topic's lock is held.
        if !skips && !unsafe { lane.has_place() } {
            drop(section);
            return self.publish_to_lanes(value, origin);
        }
        self.counters.count(Cause::Published);
        let stamp = self.stamps.stamp(mark);
        if !skips && let Some(value) = copy {
            // SAFETY: the topic's lock is held.
            unsafe { lane.put(RingEntry { stamp, sender, value }) };
        }
        if let Some(value) = value.take() {
            // SAFETY: the lock is held, `tail` is the next position, and `enter` found every cursor past the
            // slot. Plain data leaves nothing in it.
            let _nothing = unsafe { ring.write(tail, stamp, sender, value, gates.len()) };
        }
        let quiet = sleepers.is_empty();
        section.word = (tail + 1) << TAIL_SHIFT;
        if quiet {
            drop(section);
        } else {
            self.wake_after(section);
        }
        Ok(())
    }

    /// Publishes to that lane, which conflates, as long as it is the only one.
    #[inline(never)]
    fn publish_by_key<O: Origin>(
        &self,
        lane: &Arc<Lane<V>>,
        value: &mut Option<V>,
        origin: O,
    ) -> Result<(), Refusal<O::Outdated>> {
        let key = value.as_ref().map_or(0, |value| lane.key_of(value.message()));
        let mut section = self.enter_lanes(origin)?;
        if !section.producer().only_lane().is_some_and(|(now, _)| Arc::ptr_eq(now, lane)) {
            drop(section);
            return self.publish_to_lanes(value, origin);
        }
        self.give_to_only_lane(section, value, origin.sender(), key);
        Ok(())
    }

    /// Ends a publish to the only lane, where the message has this key.
    #[inline(always)]
    fn give_to_only_lane(&self, mut section: Section<'_, V>, value: &mut Option<V>, sender: u64, key: u64) {
        let mut displaced = None;
        if let Some((lane, mark)) = section.producer().only_lane() {
            self.counters.count(Cause::Published);
            let stamp = self.stamps.stamp(mark);
            if !lane.seat.skips(sender) {
                // It is there: `value` is looked at first of all.
                let entry = || match value.take() {
                    Some(value) => RingEntry { stamp, sender, value },
                    None => unreachable!("a message is published once"),
                };
                // SAFETY: the topic's lock is held.
                if let Some((cause, old)) = unsafe { lane.offer(key, entry) } {
                    self.counters.count(cause);
                    displaced = old.filter(|_| std::mem::needs_drop::<V>());
                }
            }
        }
        self.wake_after(section);
        discard(displaced);
        discard(value.take());
    }
}

impl<V: Payload> Producer<V> {
    /// The lane, if there is one and nothing else, and the mark of the topic.
    #[inline(always)]
    fn only_lane(&mut self) -> Option<(&Arc<Lane<V>>, &mut Mark)> {
        match (&self.ring, self.lanes.as_slice(), self.keyed.as_slice()) {
            (None, [lane], []) | (None, [], [lane]) => Some((lane, &mut self.mark)),
            _ => None,
        }
    }
}
