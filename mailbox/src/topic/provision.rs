//! What a publish to lanes needs of the message's author: copies, and the keys by which lanes conflate.
//!
//! # Protocol
//! `Clone` and key functions may take long, panic, publish to the same topic, subscribe or leave. So they
//! run where no lock is held, before anything is stored, for the lanes that a look under the lock has
//! found; the lock is taken again then, and if a lane has come meanwhile, all is done once more. After
//! [`ROUNDS_MAX`] rounds the lanes that still come are passed over: they subscribe while the message is
//! being published, so it counts as published before. Not where the topic retains: one that has come before
//! this message was retained would not have it either way. There it is all done again for as long as lanes
//! come, though not for ever: a key function that subscribes whenever it is called would hold the publish
//! up, so that after [`ROUNDS_RETAINED_MAX`] rounds those that still come miss this one message.
//!
//! Any copy serves any lane. Copies of plain data are cheap: they are made before the first look, for as many
//! lanes as there seem to be. Others are made once it is known that everybody has room.

use super::core::{Core, Producer};
use super::few::Few;
use super::lane::Lane;
use super::payload::Payload;
use crate::sync::Arc;

/// How often lanes that come meanwhile make a publish look again.
const ROUNDS_MAX: u32 = 8;

/// The same where the topic retains.
const ROUNDS_RETAINED_MAX: u32 = 1_024;

/// The lanes that conflate, at one moment.
pub(super) type Keyed<V> = Arc<Vec<Arc<Lane<V>>>>;

pub(super) struct Provision<V: Payload> {
    copies: Few<V>,
    keys: Few<u64>,
    /// Whose keys these are.
    keyed: Option<Keyed<V>>,
    /// How many lanes had come, of all time, when it was made: it serves them.
    as_of: u64,
    rounds: u32,
    /// Copies for others than lanes: one for what is retained.
    others: usize,
}

/// Memory for what does not fit in place, kept from one publish to the next.
pub(super) struct Memory<V> {
    copies: Vec<V>,
    keys: Vec<u64>,
    /// For what lanes displace.
    displaced: Vec<V>,
}

/// What is lacking, found under the lock.
pub(super) struct Lack<V: Payload> {
    copies: usize,
    keyed: Option<Keyed<V>>,
    as_of: u64,
}

impl<V: Payload> Provision<V> {
    #[inline(always)] // Made where it stays, as its parts.
    pub(super) fn new(others: usize) -> Self {
        Self { copies: Few::new(), keys: Few::new(), keyed: None, as_of: 0, rounds: 0, others }
    }

    /// Makes what can be foreseen.
    #[inline]
    pub(super) fn foresee(&mut self, core: &Core<V>, value: Option<&V>) {
        if V::FOREIGN_CLONE && !std::mem::needs_drop::<V>() {
            let crowd = core.listeners.crowd();
            // A retained message counts as two lanes, and takes one copy.
            let copies = crowd.lanes().saturating_sub(self.others);
            self.copy(core, value, copies.saturating_sub(usize::from(!crowd.has_gates())));
        }
    }

    /// Whether it serves all lanes, or what is lacking. Under the topic's lock, which is to be let go before
    /// that is mended.
    pub(super) fn lacks(&mut self, producer: &mut Producer<V>) -> Option<Lack<V>> {
        let copies = if V::FOREIGN_CLONE { producer.lane_count() + self.others } else { 0 };
        let original = usize::from(producer.ring.is_none());
        let enough = self.copies.len() + original >= copies;
        let complete = if self.rounds == 0 {
            self.as_of = producer.lanes_ever;
            enough && producer.keyed.is_empty()
        } else {
            enough && self.as_of == producer.lanes_ever
        };
        let rounds_max = if self.others == 0 { ROUNDS_MAX } else { ROUNDS_RETAINED_MAX };
        let is_enough = self.rounds >= rounds_max;
        if complete || is_enough {
            return None;
        }
        // The last lane gets the message itself if there is no ring. There may be one at the next look.
        let spared = if self.rounds == 0 { original } else { 0 };
        Some(Lack {
            copies: copies.saturating_sub(spared),
            keyed: producer.keyed_now(),
            as_of: producer.lanes_ever,
        })
    }

    /// Mends that. No lock is held.
    #[cold]
    pub(super) fn fill(&mut self, core: &Core<V>, value: Option<&V>, lack: Lack<V>) {
        self.rounds += 1;
        self.as_of = lack.as_of;
        self.copy(core, value, lack.copies);
        self.keys.clear();
        self.keyed = lack.keyed;
        let (Some(keyed), Some(value)) = (&self.keyed, value) else { return };
        if self.keys.needs_memory_for(keyed.len()) {
            self.keys.use_memory(std::mem::take(&mut core.memory.lock().keys));
        }
        keyed.iter().for_each(|lane| self.keys.push(lane.key_of(value.message())));
    }

    #[inline]
    fn copy(&mut self, core: &Core<V>, value: Option<&V>, copies: usize) {
        let Some(value) = value else { return };
        if self.copies.needs_memory_for(copies) {
            self.copies.use_memory(std::mem::take(&mut core.memory.lock().copies));
        }
        while self.copies.len() < copies {
            self.copies.push(value.clone());
        }
    }

    /// Offers each lane that `sender`'s message is for a copy, and gives it its key. Under the topic's lock,
    /// once nothing is [lacking](Self::lacks). The last copy may be the message itself.
    #[inline]
    pub(super) fn hand_out(
        &mut self,
        producer: &Producer<V>,
        sender: u64,
        message: &mut Option<V>,
        mut give: impl FnMut(&Lane<V>, u64, &mut Copies<'_, V>),
    ) {
        let Self { copies, keys, keyed, as_of, .. } = self;
        let mut copies = Copies { made: copies, message };
        let mut hand_out = |lane: &Lane<V>, key| {
            if !lane.seat.skips(sender) && lane.is_served(*as_of) {
                give(lane, key, &mut copies);
            }
        };
        producer.lanes.iter().for_each(|lane| hand_out(lane, 0));
        let keyed = keyed.iter().flat_map(|keyed| keyed.iter()).enumerate();
        keyed.for_each(|(at, lane)| hand_out(lane, keys.get(at).copied().unwrap_or_default()));
    }

    /// A copy for what is retained, after those for lanes were [handed out](Self::hand_out). It may be the
    /// message itself.
    pub(super) fn copy_for_others(&mut self, message: &mut Option<V>) -> V {
        Copies { made: &mut self.copies, message }.next()
    }

    /// Leaves its memory to the next publish, and that of what was `displaced`, which is discarded. No lock
    /// is held.
    #[inline]
    pub(super) fn leave_memory(&mut self, core: &Core<V>, displaced: &mut Few<V>) {
        if self.copies.has_memory() || self.keys.has_memory() || displaced.has_memory() {
            let (copies, keys) = (self.copies.take_memory(), self.keys.take_memory());
            let mut left = Memory { copies, keys, displaced: displaced.take_memory() };
            core.memory.lock().take_larger(&mut left);
        }
    }
}

/// How many messages the lanes may displace that `displaced` has no memory for; 0: it has. Under the topic's
/// lock.
#[inline]
pub(super) fn lacks_memory<V: Payload>(displaced: &Few<V>, producer: &Producer<V>) -> usize {
    let lanes = if std::mem::needs_drop::<V>() { producer.lane_count() } else { 0 };
    if displaced.needs_memory_for(lanes) { lanes } else { 0 }
}

/// Takes that memory. No lock is held.
#[cold]
pub(super) fn take_memory<V: Payload>(core: &Core<V>, displaced: &mut Few<V>, lanes: usize) {
    displaced.use_memory(std::mem::take(&mut core.memory.lock().displaced));
    // For half as many again: so lanes that come meanwhile make few publishes look once more.
    displaced.make_room_for(lanes + lanes / 2);
}

/// A copy for each lane.
pub(super) struct Copies<'a, V> {
    made: &'a mut Few<V>,
    message: &'a mut Option<V>,
}

impl<V: Payload> Copies<'_, V> {
    /// The next one, which may be the message itself if there is no ring.
    #[inline]
    pub(super) fn next(&mut self) -> V {
        let copy = if V::FOREIGN_CLONE {
            self.made.pop().or_else(|| self.message.take())
        } else {
            self.message.clone()
        };
        match copy {
            Some(copy) => copy,
            None => unreachable!("there is a copy for each lane"),
        }
    }
}

impl<V> Memory<V> {
    pub(super) const fn new() -> Self {
        Self { copies: Vec::new(), keys: Vec::new(), displaced: Vec::new() }
    }

    /// Exchanges what is larger in `other`, where it is dropped after the lock of this is free.
    fn take_larger(&mut self, other: &mut Self) {
        if other.copies.capacity() > self.copies.capacity() {
            std::mem::swap(&mut self.copies, &mut other.copies);
        }
        if other.keys.capacity() > self.keys.capacity() {
            std::mem::swap(&mut self.keys, &mut other.keys);
        }
        if other.displaced.capacity() > self.displaced.capacity() {
            std::mem::swap(&mut self.displaced, &mut other.displaced);
        }
    }
}
