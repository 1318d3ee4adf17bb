//! Who sleeps at a topic: the seats that the next publish has to ring, found in constant time whoever comes
//! and leaves.
//!
//! A seat may be armed with a tag, by which its receiver knows the source. Then its doorbell is told the tag
//! before the next message can be seen, and at the latest when the seat is taken off the list: a tag is on a
//! seat only as long as the seat is on the list.
//!
//! Everything here belongs to the holder of the topic's lock.

use std::task::Waker;

use super::core::{Core, Section};
use super::membership::give_back;
use super::payload::Payload;
use super::seat::SubscriberState;
use crate::discard::wake;
use crate::sync::Arc;

/// How many sleepers are taken from the list under one lock, after the first.
const RING_CHUNK: usize = 16;

/// All seats of a topic, and those among them that are armed.
///
/// Seats apart are woken behind all others: they are those of links, which do work of their own where they
/// are woken, and have their peers wait rather than the actors of their process.
#[derive(Default)]
pub(super) struct Sleepers {
    /// All seats, each at its place.
    roster: Vec<Arc<SubscriberState>>,
    /// The places of the armed seats, each seat's at its bed, with room for all. They are taken from the end.
    asleep: Vec<u32>,
    /// How many of those are apart. They lie before the others.
    apart: usize,
    /// How many of those have tags.
    tagged: usize,
}

impl Sleepers {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.asleep.is_empty()
    }

    pub(super) fn enrol(&mut self, seat: &Arc<SubscriberState>) {
        seat.set_place(self.roster.len());
        self.roster.push(Arc::clone(seat));
        // Going to sleep allocates nothing.
        self.asleep.reserve(self.roster.len() - self.asleep.len());
    }

    pub(super) fn strike(&mut self, seat: &SubscriberState) {
        if let Some(mut bed) = seat.bed() {
            if bed < self.apart {
                // Its bed becomes one between those apart and the others.
                self.apart -= 1;
                self.exchange(bed, self.apart);
                bed = self.apart;
            }
            seat.set_bed(None);
            self.tagged -= usize::from(seat.set_tag(None));
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
    fn arm(&mut self, seat: &SubscriberState, tag: Option<u32>) {
        if seat.bed().is_none() {
            let bed = self.asleep.len();
            seat.set_bed(Some(bed));
            self.asleep.push(seat.place());
            if seat.apart {
                self.exchange(self.apart, bed);
                self.apart += 1;
            }
        }
        self.tagged += usize::from(tag.is_some());
        self.tagged -= usize::from(seat.set_tag(tag));
    }

    /// The seats of these two beds exchange them.
    fn exchange(&mut self, one: usize, other: usize) {
        self.asleep.swap(one, other);
        for bed in [one, other] {
            self.roster[self.asleep[bed] as usize].set_bed(Some(bed));
        }
    }

    /// Tells the doorbells of all seats with tags that there will be a message. Before anybody can see it:
    /// what depends on it is published later.
    #[inline]
    pub(super) fn tell(&mut self) {
        if self.tagged > 0 {
            self.tell_all();
        }
    }

    #[inline(never)]
    fn tell_all(&mut self) {
        for &place in &self.asleep {
            self.tagged -= usize::from(self.roster[place as usize].tell_tag());
        }
    }

    /// Takes the waker of one sleeper off the list; `None` if nobody is left who sleeps.
    #[inline]
    fn take(&mut self) -> Option<Waker> {
        while let Some(place) = self.asleep.pop() {
            self.apart = self.apart.min(self.asleep.len());
            let seat = &self.roster[place as usize];
            seat.set_bed(None);
            self.tagged -= usize::from(seat.tell_tag());
            let waker = seat.doorbell.take_waker();
            if waker.is_some() {
                return waker;
            }
        }
        None
    }

    /// The same, for those behind the first.
    #[inline(never)]
    fn take_another(&mut self) -> Option<Waker> {
        self.take()
    }
}

impl<V: Payload> Core<V> {
    /// Asks to be rung at the next publish, for a subscriber whose doorbell is prepared. It looks inside the
    /// section that this returns whether there is something already.
    pub(super) fn arm(&self, seat: &SubscriberState, tag: Option<u32>) -> Section<'_, V> {
        let mut section = self.lock();
        section.producer().sleepers.arm(seat, tag);
        section
    }

    /// Ends the section and wakes everybody who sleeps. Wakers may be foreign code: no lock is held.
    #[inline]
    pub(super) fn wake_after(&self, mut section: Section<'_, V>) {
        let sleepers = &mut section.producer().sleepers;
        sleepers.tell();
        let first = sleepers.take();
        // An actor and a link are so common that the link takes no second section.
        let second = if sleepers.is_empty() { None } else { sleepers.take_another() };
        let more = !sleepers.is_empty();
        drop(section);
        if let Some(waker) = first {
            wake(waker);
        }
        if let Some(waker) = second {
            wake(waker);
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
            wakers.into_iter().flatten().for_each(wake);
        }
    }
}
