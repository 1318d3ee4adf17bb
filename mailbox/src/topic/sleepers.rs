//! Who sleeps at a topic: the seats that the next publish has to ring, found in constant time whoever comes
//! and leaves.
//!
//! Everything here belongs to the holder of the topic's lock.

use std::task::Waker;

use super::core::{Core, Section};
use super::membership::give_back;
use super::payload::Payload;
use super::seat::Seat;
use crate::sync::Arc;

/// How many sleepers are taken from the list under one lock, after the first.
const RING_CHUNK: usize = 16;

/// All seats of a topic, and those among them that are armed.
#[derive(Default)]
pub(super) struct Sleepers {
    /// All seats, each at its place.
    roster: Vec<Arc<Seat>>,
    /// The places of the armed seats, each seat's at its bed, with room for all.
    asleep: Vec<u32>,
}

impl Sleepers {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.asleep.is_empty()
    }

    pub(super) fn enrol(&mut self, seat: &Arc<Seat>) {
        seat.set_place(self.roster.len());
        self.roster.push(Arc::clone(seat));
        // Going to sleep allocates nothing.
        self.asleep.reserve(self.roster.len() - self.asleep.len());
    }

    pub(super) fn strike(&mut self, seat: &Seat) {
        if let Some(bed) = seat.bed() {
            seat.set_bed(None);
            self.asleep.swap_remove(bed);
            if let Some(&moved) = self.asleep.get(bed) {
                self.roster[moved as usize].set_bed(Some(bed));
            }
        }
        let place = seat.place();
        self.roster.swap_remove(place as usize);
        if let Some(moved) = self.roster.get(place as usize) {
            moved.set_place(place as usize);
            if let Some(bed) = moved.bed() {
                self.asleep[bed] = place;
            }
        }
        give_back(&mut self.roster);
        self.asleep.shrink_to(self.roster.capacity());
    }

    /// Puts the seat on the list, unless it is there.
    fn arm(&mut self, seat: &Seat) {
        if seat.bed().is_none() {
            seat.set_bed(Some(self.asleep.len()));
            self.asleep.push(seat.place());
        }
    }

    /// Takes the waker of one sleeper off the list; `None` if nobody is left who sleeps.
    #[inline]
    fn take(&mut self) -> Option<Waker> {
        while let Some(place) = self.asleep.pop() {
            let seat = &self.roster[place as usize];
            seat.set_bed(None);
            let waker = seat.doorbell.take_waker();
            if waker.is_some() {
                return waker;
            }
        }
        None
    }
}

impl<V: Payload> Core<V> {
    /// Asks to be rung at the next publish, for a subscriber whose doorbell is prepared. Returns the tail.
    pub(super) fn arm(&self, seat: &Seat) -> u64 {
        let mut section = self.lock();
        section.producer().sleepers.arm(seat);
        section.tail()
    }

    /// Ends the section and wakes everybody who sleeps. Wakers run foreign code: no lock is held.
    #[inline]
    pub(super) fn wake_after(&self, mut section: Section<'_, V>) {
        let sleepers = &mut section.producer().sleepers;
        let first = sleepers.take();
        let more = !sleepers.is_empty();
        drop(section);
        if let Some(waker) = first {
            waker.wake();
        }
        if more {
            self.wake_others();
        }
    }

    #[cold]
    fn wake_others(&self) {
        let mut more = true;
        while more {
            let mut wakers = [const { None }; RING_CHUNK];
            let mut section = self.lock();
            let sleepers = &mut section.producer().sleepers;
            wakers.fill_with(|| sleepers.take());
            more = !sleepers.is_empty();
            drop(section);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}
