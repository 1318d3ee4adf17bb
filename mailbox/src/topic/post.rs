//! Publishing: everything that happens to a message inside the topic's lock.
//!
//! A publish is all or nothing: gates and lanes that refuse are checked before anything is stored, and code
//! of the message's author runs where no lock is held and nothing is stored yet. That is its `Clone`, for
//! lanes, and the keys of lanes that conflate: see `provision.rs`. The destructors of what a publish
//! displaces run outside, too.

use super::Badge;
use super::core::{Core, Producer, Refusal, Section, TAIL_SHIFT};
use super::counters::Cause;
use super::error::{Blocker, Obstacle};
use super::few::Few;
use super::lane::Lane;
use super::origin::Origin;
use super::payload::Payload;
use super::provision::{Provision, lacks_memory, take_memory};
use super::retain::{Displaced, Prepared};
use super::ring::{RingEntry, WARMED};
use crate::discard::{discard, discard_all};
use crate::sync::Arc;

/// How many messages subscribers are moved past at once, of those whose last reader drops them.
const PASSED_AT_ONCE: usize = 256;

impl<V: Payload> Core<V> {
    /// Publishes `value`, which is empty afterwards, or says why not and leaves it there.
    ///
    /// # Panics
    /// When `value` is empty, or its `Clone` or a key function panics; then nothing is published.
    #[inline(always)] // As a call of its own it is a tenth of a publish: 19 of 188 instructions.
    pub(crate) fn try_publish<O: Origin>(
        &self,
        value: &mut Option<V>,
        origin: O,
    ) -> Result<(), Refusal<O::Outdated>> {
        let crowd = self.listeners.crowd();
        if crowd.is_empty() {
            self.admit(origin)?;
            self.counters.add_unheard(1);
            discard(value.take());
            return Ok(());
        }
        if crowd.has_lanes() {
            return if crowd.is_one_lane() {
                self.publish_to_one_lane(value, origin)
            } else if const { !std::mem::needs_drop::<V>() } && crowd.is_one_lane_beside_gates() {
                self.publish_beside_one_lane(value, origin)
            } else {
                self.publish_to_lanes(value, origin)
            };
        }
        let mut section = self.enter(origin)?;
        let tail = section.tail();
        let producer = section.producer();
        if self.listeners.crowd().has_lanes() {
            // The first lane has just come.
            drop(section);
            return self.publish_to_lanes(value, origin);
        }
        let Some(ring) = &producer.ring else {
            // The last subscriber has just left.
            drop(section);
            self.counters.add_unheard(1);
            discard(value.take());
            return Ok(());
        };
        assert!(value.is_some(), "a message is published once");
        if const { V::IN_SLOT && !V::KEPT } && tail % WARMED == 0 && tail + WARMED <= producer.limit {
            // SAFETY: the lock is held, `tail` is the next position, and below the limit no cursor is less
            // than the capacity behind.
            unsafe { ring.warm(tail) };
        }
        let stamp = self.stamps.stamp(&mut producer.mark);
        self.counters.count(Cause::Published);
        // Taken here and not before, so that it moves straight into its slot.
        let kept = value.take().and_then(|value| {
            // SAFETY: the lock is held, `tail` is the next position, and `enter` found every cursor past the
            // slot.
            unsafe { ring.write(tail, stamp, origin.sender(), value, producer.gates.len()) }
        });
        let quiet = producer.sleepers.is_empty();
        section.word = (tail + 1) << TAIL_SHIFT;
        if quiet {
            drop(section);
        } else {
            self.wake_after(section);
        }
        drop(kept);
        Ok(())
    }

    /// The same where there are lanes, and perhaps a ring too.
    #[inline(never)]
    pub(super) fn publish_to_lanes<O: Origin>(
        &self,
        value: &mut Option<V>,
        origin: O,
    ) -> Result<(), Refusal<O::Outdated>> {
        assert!(value.is_some(), "a message is published once");
        let sender = origin.sender();
        // Declared first, so that it is dropped after the lock is free, whatever happens.
        let (mut provision, mut displaced) =
            (Provision::new(usize::from(self.retention.is_some())), Few::new());
        let mut to_retain = match (&self.retention, &*value) {
            (Some(retention), Some(value)) => Some(retention.prepare(value.message())),
            _ => None,
        };
        provision.foresee(self, value.as_ref());
        let mut section = loop {
            let mut section = self.enter_lanes(origin)?;
            let lanes = lacks_memory(&displaced, section.producer());
            if lanes > 0 {
                drop(section);
                take_memory(self, &mut displaced, lanes);
                continue;
            }
            let Some(lack) = provision.lacks(section.producer()) else { break section };
            drop(section);
            provision.fill(self, value.as_ref(), lack);
        };
        let tail = section.tail();
        let producer = section.producer();
        if producer.lane_count() > 0 || producer.ring.is_some() {
            self.counters.count(Cause::Published);
        } else {
            self.counters.add_unheard(1);
        }
        let stamp = self.stamps.stamp(&mut producer.mark);
        self.fill_lanes(producer, &mut provision, &mut displaced, stamp, sender, value);
        let forgotten = self.retain(&mut provision, &mut to_retain, stamp, sender, value);
        let mut kept = None;
        if let Some(ring) = &producer.ring
            && let Some(value) = value.take()
        {
            // SAFETY: the lock is held, `tail` is the next position, and `enter` found every cursor past the
            // slot.
            kept = unsafe { ring.write(tail, stamp, sender, value, producer.gates.len()) };
            section.word = (tail + 1) << TAIL_SHIFT;
        }
        self.wake_after(section);
        displaced.clear();
        drop(kept);
        discard(forgotten);
        discard(value.take());
        provision.leave_memory(self, &mut displaced);
        Ok(())
    }

    /// Publishes as many messages as everybody has room for, at most `most`, under one lock, if they lie in
    /// their slots and go into the ring alone, and nobody is told of each: else none. How many, which `take`
    /// was asked for. Should it panic, none was published, and those that it has given are not dropped.
    #[inline]
    pub(crate) fn try_publish_row<I: Iterator<Item = V::Message>>(
        &self,
        most: usize,
        origin: impl Origin,
        take: impl FnOnce(usize) -> I,
    ) -> usize {
        if const { V::KEPT || !V::IN_SLOT } || self.listeners.crowd().is_empty() {
            return 0;
        }
        let mut section = self.lock();
        let tail = section.tail();
        let producer = section.producer();
        if self.admit(origin).is_err() || self.listeners.crowd().has_lanes() || producer.mark.is_timed() {
            return 0;
        }
        if most as u64 > producer.limit.saturating_sub(tail) {
            producer.rescan();
        }
        let Some(ring) = &producer.ring else { return 0 };
        let room = usize::try_from(producer.limit.saturating_sub(tail)).unwrap_or(usize::MAX);
        let (sender, count, mut next) = (origin.sender(), room.min(most), tail);
        for message in take(count).take(count) {
            let stamp = self.stamps.stamp(&mut producer.mark);
            // SAFETY: the lock is held, `next` is the next one, and every cursor is past the slot: it is
            // below the limit. A message that is not kept leaves nothing in a slot.
            let _nothing = unsafe { ring.write(next, stamp, sender, V::wrap(message), producer.gates.len()) };
            next += 1;
        }
        self.counters.count_published(next - tail);
        let quiet = next == tail || producer.sleepers.is_empty();
        section.word = next << TAIL_SHIFT;
        if quiet {
            drop(section);
        } else {
            self.wake_after(section);
        }
        usize::try_from(next - tail).unwrap_or(usize::MAX)
    }

    /// The lock, once everybody has room for one more message.
    #[inline(always)]
    pub(super) fn enter_lanes<O: Origin>(&self, origin: O) -> Result<Section<'_, V>, Refusal<O::Outdated>> {
        let mut section = self.enter(origin)?;
        section.producer().check_lanes(origin.sender())?;
        Ok(section)
    }

    /// The lock, once every gate has room for one more message.
    #[inline]
    pub(super) fn enter<O: Origin>(&self, origin: O) -> Result<Section<'_, V>, Refusal<O::Outdated>> {
        let mut section = self.lock();
        // First, so that a closed topic is an end and not a wait, however full it is.
        self.admit(origin)?;
        let tail = section.tail();
        let producer = section.producer();
        if tail >= producer.limit && producer.ring.is_some() {
            return self.enter_full(section, origin);
        }
        Ok(section)
    }

    /// Where the cursors have to be read, as far as the last look at them goes.
    #[cold]
    fn enter_full<'a, O: Origin>(
        &'a self,
        mut section: Section<'a, V>,
        origin: O,
    ) -> Result<Section<'a, V>, Refusal<O::Outdated>> {
        let mut passed = Vec::new();
        // Each further round comes after memory was taken for what is passed, or after a gate was moved on.
        loop {
            let tail = section.tail();
            let producer = section.producer();
            self.admit(origin)?;
            let mut blocker = producer.rescan();
            if tail >= producer.limit && producer.ring.is_some() && producer.move_past_own(tail, &mut passed)
            {
                if V::COUNTED {
                    drop(section);
                    let room = if passed.capacity() == 0 { PASSED_AT_ONCE } else { 0 };
                    discard_all(std::mem::replace(&mut passed, Vec::with_capacity(room)));
                    section = self.lock();
                    continue;
                }
                blocker = producer.rescan();
            }
            if tail >= producer.limit && producer.ring.is_some() {
                return Err(Refusal::Full(blocker));
            }
            return Ok(section);
        }
    }

    /// Retains the message, if this topic does; what that displaces is for the caller to drop.
    #[inline(always)]
    fn retain(
        &self,
        provision: &mut Provision<V>,
        prepared: &mut Option<Prepared<V>>,
        stamp: u64,
        sender: u64,
        value: &mut Option<V>,
    ) -> Displaced<V> {
        let (Some(retention), Some(prepared)) = (&self.retention, prepared.take()) else {
            return (None, None);
        };
        retention.put(prepared, RingEntry { stamp, sender, value: provision.copy_for_others(value) })
    }

    /// Puts the message into the lanes; what that displaces is for the caller to drop.
    #[inline(always)] // It has one caller.
    fn fill_lanes(
        &self,
        producer: &Producer<V>,
        provision: &mut Provision<V>,
        trash: &mut Few<V>,
        stamp: u64,
        sender: u64,
        value: &mut Option<V>,
    ) {
        provision.hand_out(producer, sender, value, |lane, key, copies| {
            let entry = || RingEntry { stamp, sender, value: copies.next() };
            // SAFETY: the caller holds the topic's lock: it has the producers' side.
            let Some((cause, displaced)) = (unsafe { lane.offer(key, entry) }) else { return };
            self.counters.count(cause);
            if std::mem::needs_drop::<V>()
                && let Some(displaced) = displaced
            {
                trash.push(displaced.value);
            }
        });
    }
}

impl<V: Payload> Core<V> {
    /// See [`Topic::badge_of`](super::Topic::badge_of).
    #[cold]
    pub(super) fn badge_of(&self, by: Blocker) -> Option<Badge> {
        let mut section = self.lock();
        let producer = section.producer();
        // Several may have one id: the badge is that of the one in the way.
        let seat = if by.obstacle == Obstacle::Ring {
            let gates = producer.gates.iter().filter(|gate| gate.id == by.subscriber);
            gates.min_by_key(|gate| gate.limit())
        } else {
            let meant =
                |lane: &&Arc<Lane<V>>| lane.seat.id == by.subscriber && lane.refuses == Some(by.obstacle);
            let lanes = || producer.lanes.iter().filter(meant);
            // SAFETY: the topic's lock is held.
            let is_full = |lane: &&Arc<Lane<V>>| unsafe { lane.is_full() };
            let lane = lanes().find(is_full).or_else(|| lanes().next());
            lane.map(|lane| &lane.seat)
        };
        seat?.badge.clone()
    }
}

impl<V: Payload> Producer<V> {
    #[inline]
    pub(super) fn check_lanes<O>(&self, sender: u64) -> Result<(), Refusal<O>> {
        if self.refusing_lanes == 0 {
            return Ok(());
        }
        let full = |lane: &Arc<Lane<V>>| {
            // SAFETY: the caller holds the topic's lock: it has the producers' side.
            let is_full = || unsafe { lane.is_full() };
            let obstacle = lane.refuses.filter(|_| !lane.seat.skips(sender) && is_full())?;
            Some(Blocker { subscriber: lane.seat.id, obstacle })
        };
        let mut blocker = None;
        for found in self.lanes.iter().filter_map(full) {
            // An error now comes before a wait for another.
            if found.obstacle == Obstacle::FailLane {
                return Err(Refusal::Full(found));
            }
            blocker = blocker.or(Some(found));
        }
        blocker.map_or(Ok(()), |blocker| Err(Refusal::Full(blocker)))
    }

    /// Moves those that hold the tail back past what they have published themselves, where they have read
    /// everything else. Messages that they were the last to pass go into `passed`, for the caller to drop,
    /// and no more than that has memory for: nobody is moved further. Whether anybody was moved, or could
    /// be if there were memory.
    #[cold]
    fn move_past_own(&mut self, tail: u64, passed: &mut Vec<V>) -> bool {
        let mut any = false;
        for gate in self.gates.iter().filter(|gate| gate.skipped() != 0 && gate.limit() <= tail) {
            let own = |position| {
                // SAFETY: positions from the gate's cursor to the tail are published, and nobody writes while
                // the lock is held.
                self.ring_at(position).is_some_and(|ring| gate.skips(unsafe { ring.sender_of(position) }))
            };
            let room = if V::COUNTED { (passed.capacity() - passed.len()) as u64 } else { u64::MAX };
            if room == 0 {
                any |= gate.is_idle() && own(gate.position());
                continue;
            }
            for position in gate.move_past(tail, room, own) {
                any = true;
                let Some(ring) = self.ring_at(position) else { continue };
                // SAFETY: the gate was at `position` and is past it now by our hand, so it passes it here and
                // nowhere else. Nobody writes while the lock is held.
                passed.extend(unsafe { ring.pass_and_take(position) });
            }
        }
        any
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
