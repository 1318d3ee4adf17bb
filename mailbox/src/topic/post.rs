//! Publishing: everything that happens to a message inside the topic's lock.
//!
//! A publish is all or nothing: gates and `Fail` lanes are checked before anything is stored. Only a message's `Clone` or a
//! key function that panics can leave a message in some lanes and not in others; the lock is released then, too. Both run
//! inside the critical section and must not publish to the same topic. What a publish displaces is dropped outside.

use super::core::{Core, Producer, Refusal, Section, TAIL_SHIFT};
use super::counters::Cause;
use super::error::{Blocker, Obstacle};
use super::lane::Lane;
use super::payload::Payload;
use super::ring::Entry;
use super::trash::Trash;
use crate::sync::{Arc, Ordering};

impl<V: Payload> Core<V> {
    /// Publishes `value`, which is empty afterwards, or says why not and leaves it there.
    ///
    /// # Panics
    /// When `value` is empty.
    #[inline]
    pub(crate) fn try_publish(&self, value: &mut Option<V>, sender: u64) -> Result<(), Refusal> {
        if self.listeners.active.load(Ordering::Acquire) == 0 {
            return if self.refuses(sender) {
                Err(Refusal::Closed)
            } else {
                *value = None;
                Ok(())
            };
        }
        let mut section = self.lock();
        let tail = section.tail();
        let producer = section.producer();
        self.admit(producer, tail, sender)?;
        assert!(value.is_some(), "a message is published once");
        let stamp = self.stamps.stamp(&mut producer.mark);
        self.counters.count(Cause::Published);
        if !producer.lanes.is_empty() {
            if let Some(value) = value.take() {
                self.publish_to_lanes(section, Entry { stamp, sender, value });
            }
            return Ok(());
        }
        let Some(ring) = &producer.ring else {
            // The last subscriber has just left.
            drop(section);
            *value = None;
            return Ok(());
        };
        // Taken here and not before, so that it moves straight into its slot.
        let old = value.take().and_then(|value| {
            // SAFETY: the lock is held, `tail` is the next position, and `admit` found every cursor past the slot.
            unsafe { ring.write(tail, stamp, sender, value) }
        });
        if producer.sleepers.is_empty() {
            section.word = (tail + 1) << TAIL_SHIFT;
            drop(section);
        } else {
            section.word = (tail + 1) << TAIL_SHIFT;
            self.wake_after(section);
        }
        drop(old);
        Ok(())
    }

    /// The rest of a publish where there are lanes, and perhaps a ring too.
    #[inline(never)]
    fn publish_to_lanes(&self, mut section: Section<'_, V>, entry: Entry<V>) {
        let tail = section.tail();
        let producer = section.producer();
        let trash = self.fill_lanes(producer, &entry);
        let old = if let Some(ring) = &producer.ring {
            // SAFETY: the lock is held, `tail` is the next position, and `admit` found every cursor past the slot.
            let old = unsafe { ring.write(tail, entry.stamp, entry.sender, entry.value) };
            section.word = (tail + 1) << TAIL_SHIFT;
            old
        } else {
            Some(entry)
        };
        self.wake_after(section);
        drop(old);
        drop(trash);
    }

    /// Whether everybody has room for one more message.
    #[inline]
    fn admit(&self, producer: &mut Producer<V>, tail: u64, sender: u64) -> Result<(), Refusal> {
        // First, so that a closed topic is an end and not a wait, however full it is.
        if self.refuses(sender) {
            return Err(Refusal::Closed);
        }
        if tail >= producer.limit && producer.ring.is_some() {
            let mut blocker = producer.rescan();
            if tail >= producer.limit {
                blocker = producer.move_past_own(tail, blocker);
            }
            if tail >= producer.limit {
                return Err(Refusal::Full(blocker));
            }
        }
        if producer.fail_lanes > 0 {
            let full = |lane: &&Arc<Lane<V>>| lane.fails && !lane.seat.skips(sender) && lane.is_full();
            if let Some(lane) = producer.lanes.iter().find(full) {
                return Err(Refusal::Full(Blocker {
                    subscriber: lane.seat.id,
                    obstacle: Obstacle::FailLane,
                }));
            }
        }
        Ok(())
    }

    fn fill_lanes(&self, producer: &Producer<V>, entry: &Entry<V>) -> Trash<Entry<V>> {
        let mut trash = Trash::default();
        for lane in &producer.lanes {
            if lane.seat.skips(entry.sender) {
                continue;
            }
            let Some((cause, displaced)) = lane.offer(entry) else { continue };
            self.counters.count(cause);
            trash.put(displaced);
        }
        trash
    }
}

impl<V: Payload> Producer<V> {
    /// Moves those that hold the tail back past what they have published themselves, where they have read everything else,
    /// and rescans.
    #[cold]
    fn move_past_own(&mut self, tail: u64, blocker: Blocker) -> Blocker {
        let mut moved = false;
        for gate in self.gates.iter().filter(|gate| gate.skipped() != 0 && gate.limit() <= tail) {
            moved |= gate.move_past(tail, |position| {
                let Some(ring) = self.ring_at(position) else { return false };
                // SAFETY: `move_past` asks for positions from the gate's cursor to the tail: they are published, and nobody
                // writes while the lock is held.
                gate.skips(unsafe { ring.read(position) }.sender)
            });
        }
        if moved { self.rescan() } else { blocker }
    }

    /// Reads all cursors: how far the tail may go, and who says so.
    #[cold]
    fn rescan(&mut self) -> Blocker {
        let mut blocker = Blocker { subscriber: 0, obstacle: Obstacle::Ring };
        self.limit = u64::MAX;
        for seat in &self.gates {
            let limit = seat.limit();
            if limit < self.limit {
                self.limit = limit;
                blocker.subscriber = seat.id;
            }
        }
        blocker
    }
}
