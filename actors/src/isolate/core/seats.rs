//! The seats of an isolate: how they are found, and when nothing is left of one.
//!
//! # Protocol
//! The number of a seat is that of one actor or service alone. Numbers rise, so a stale reference, waker,
//! timer or event finds nobody, and never the next one. A seat lies in the table at its number, without the
//! bits beyond the table's size; a number is passed over while its place is taken. So there is one place to
//! look at, and as long as nothing is freed the numbers have no gaps.
//!
//! A seat goes when nothing of its actor runs any more, no [`Tied`](crate::isolate::handle::Tied) reference
//! is left, and what was sent to it alone was taken out of its lanes. Each of the three
//! [says so](IsolateCore::may_be_free); the run loop looks before the next event, where no code of actors
//! runs: what goes with a seat is dropped there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use super::{DirectLane, IsolateCore};
use crate::StopReason;
use crate::isolate::OUTSIDE;
use crate::isolate::seat::AnySeat;

/// How many seats the first table has; each further one is twice as large.
const SEATS_MIN: usize = 4;

/// The seats by their numbers.
#[derive(Default)]
pub(crate) struct SeatTable {
    /// A power of two of them, or none.
    places: RefCell<Vec<SeatPlace>>,
    taken: Cell<usize>,
    /// No number from here on was given yet.
    next: Cell<u32>,
    /// Those that the run loop is to look at, each once.
    leaving: RefCell<Vec<u32>>,
    /// Indices of lanes that were freed.
    pub(super) free_lanes: RefCell<Vec<u32>>,
}

#[derive(Default)]
struct SeatPlace {
    seat: Option<Rc<dyn AnySeat>>,
    number: u32,
    /// How many references there are.
    ties: Cell<u32>,
    /// How many futures of a service wait for what may still come.
    rests: Cell<u32>,
    is_leaving: Cell<bool>,
}

impl SeatTable {
    #[inline]
    fn with<R>(&self, number: u32, look: impl FnOnce(&SeatPlace, &Rc<dyn AnySeat>) -> R) -> Option<R> {
        let places = self.places.borrow();
        let place = places.get(number as usize & places.len().wrapping_sub(1))?;
        let seat = place.seat.as_ref().filter(|_| place.number == number)?;
        Some(look(place, seat))
    }

    /// The number of the next seat, which has a place.
    fn next(&self) -> u32 {
        let mut places = self.places.borrow_mut();
        let (mut next, taken) = (self.next.get(), self.taken.get());
        // Numbers below the size have places that none before has had. They begin anew after four thousand
        // millions of seats.
        if taken == places.len() || (next as usize >= places.len() && taken * 2 >= places.len()) {
            grow(&mut places);
        }
        let mask = places.len() - 1;
        while next == OUTSIDE || places[next as usize & mask].seat.is_some() {
            next = next.wrapping_add(1);
        }
        self.next.set(next);
        next
    }

    /// Adds the seat with the number that [`next`](Self::next) has said.
    fn add(&self, seat: Rc<dyn AnySeat>) {
        let (mut places, number) = (self.places.borrow_mut(), self.next.get());
        let mask = places.len() - 1;
        places[number as usize & mask] = SeatPlace { seat: Some(seat), number, ..SeatPlace::default() };
        self.taken.set(self.taken.get() + 1);
        self.next.set(number.wrapping_add(1));
    }

    fn remove(&self, number: u32) -> Option<Rc<dyn AnySeat>> {
        let mut places = self.places.borrow_mut();
        let mask = places.len().wrapping_sub(1);
        let place = places.get_mut(number as usize & mask).filter(|place| place.number == number)?;
        let seat = place.seat.take()?;
        self.taken.set(self.taken.get() - 1);
        Some(seat)
    }

    /// All of them, in the order in which they were taken.
    fn all(&self) -> Vec<(u32, Rc<dyn AnySeat>)> {
        let places = self.places.borrow();
        let taken = places.iter().filter_map(|place| Some((place.number, Rc::clone(place.seat.as_ref()?))));
        let mut all: Vec<_> = taken.collect();
        if self.next.get() as usize > places.len() {
            all.sort_unstable_by_key(|(number, _)| *number);
        }
        all
    }

    /// Empties it for good; what was there, in the order in which it was taken.
    pub(super) fn take(&self) -> impl Iterator<Item = Rc<dyn AnySeat>> + use<> {
        let mut places = self.places.take();
        if self.next.get() as usize > places.len() {
            places.sort_unstable_by_key(|place| place.number);
        }
        self.taken.set(0);
        places.into_iter().filter_map(|place| place.seat)
    }
}

/// Two numbers with places of their own in a table have so in one that is twice as large.
fn grow(places: &mut Vec<SeatPlace>) {
    let size = (places.len() * 2).max(SEATS_MIN);
    let before = std::mem::replace(places, std::iter::repeat_with(SeatPlace::default).take(size).collect());
    for place in before.into_iter().filter(|place| place.seat.is_some()) {
        let at = place.number as usize & (size - 1);
        places[at] = place;
    }
}

impl IsolateCore {
    /// The next free seat and the waker that resumes it.
    pub(crate) fn next_seat(&self) -> (u32, Waker) {
        let seat = self.seats.next();
        (seat, self.signals.waker(seat))
    }

    /// Takes the next seat; it is resumed for the first time after everything that is queued now.
    pub(crate) fn add_seat(&self, seat: Rc<dyn AnySeat>) {
        self.enqueue_resume(self.seats.next.get());
        self.add_quiet_seat(seat);
    }

    /// Takes a seat that whoever takes it resumes.
    pub(crate) fn add_quiet_seat(&self, seat: Rc<dyn AnySeat>) {
        self.seats.add(seat);
    }

    #[inline]
    pub(crate) fn seat(&self, seat: u32) -> Option<Rc<dyn AnySeat>> {
        self.seats.with(seat, |_, seat| Rc::clone(seat))
    }

    /// Whoever runs calls code of others, up to the drop of this: afterwards its own code runs again.
    pub(crate) fn calls_others(&self) -> impl Drop + use<'_> {
        struct Caller<'a>(&'a IsolateCore, u32);
        impl Drop for Caller<'_> {
            fn drop(&mut self) {
                self.0.running.set(self.1);
            }
        }
        Caller(self, self.running.get())
    }

    /// The seat whose code runs, if `waker` resumes that: then no task within it waits, nor code outside.
    #[inline]
    pub(crate) fn seat_polled_with(&self, waker: &Waker) -> Option<u32> {
        let running = self.running.get();
        self.seats.with(running, |_, seat| seat.is_woken_by(waker))?.then_some(running)
    }

    /// All seats by their numbers, the first that was taken at first.
    pub(crate) fn seats(&self) -> Vec<(u32, Rc<dyn AnySeat>)> {
        self.seats.all()
    }

    /// There is one reference more to who sits there.
    pub(crate) fn tie(&self, seat: u32) {
        self.seats.with(seat, |place, _| place.ties.set(place.ties.get().saturating_add(1)));
    }

    /// There is one reference less.
    pub(crate) fn untie(&self, seat: u32) {
        let is_last = self.seats.with(seat, |place, seat| {
            // So many that they were not counted: it stays.
            let ties = place.ties.get();
            place.ties.set(if ties == u32::MAX { ties } else { ties - 1 });
            ties == 1 && seat.is_over()
        });
        if is_last == Some(true) {
            self.may_be_free(seat);
        }
    }

    /// A future of the service that sits there waits for what may still come, or does so no more.
    pub(crate) fn count_rest(&self, seat: u32, more: bool) {
        self.seats.with(seat, |place, _| {
            let rests = place.rests.get();
            place.rests.set(if more { rests + 1 } else { rests.saturating_sub(1) });
        });
    }

    /// Whether something of this service waits for what may still come.
    pub(crate) fn rests(&self, seat: u32) -> bool {
        self.seats.with(seat, |place, _| place.rests.get() > 0).unwrap_or_default()
    }

    /// Something has gone without which nothing may be left of this seat.
    pub(crate) fn may_be_free(&self, seat: u32) {
        if self.seats.with(seat, |place, _| place.is_leaving.replace(true)) == Some(false) {
            self.seats.leaving.borrow_mut().push(seat);
            self.signals.raise();
        }
    }

    /// Whether there are seats of which nothing may be left.
    pub(crate) fn has_leaving(&self) -> bool {
        !self.seats.leaving.borrow().is_empty()
    }

    /// Frees the seats of which nothing is left. Not while code of an actor runs: what goes with them may be
    /// the user's.
    pub(crate) fn free_seats(&self) {
        // One that goes may have held the last reference to another.
        while self.has_leaving() {
            for number in self.seats.leaving.take() {
                let seat = self.seats.with(number, |place, seat| {
                    place.is_leaving.set(false);
                    (Rc::clone(seat), place.ties.get() > 0)
                });
                let Some((seat, is_tied)) = seat.filter(|(seat, _)| seat.is_over()) else { continue };
                // A destructor's panic is nobody's, and the panic hook has told it.
                let _ = StopReason::catch(|| seat.has_gone());
                if !is_tied && self.has_no_mail(number) {
                    self.free_seat(number);
                    let _ = StopReason::catch(|| seat.clear());
                }
                let _ = StopReason::catch(|| drop(seat));
            }
        }
    }

    /// Whether nothing that was sent to it alone is queued.
    fn has_no_mail(&self, seat: u32) -> bool {
        self.inboxes.borrow().get(&seat).is_none_or(|lanes| lanes.iter().all(|direct| direct.lane.is_empty()))
    }

    fn free_seat(&self, seat: u32) {
        // Its last words may have subscribed again.
        self.leave_topics(seat);
        let inbox = self.inboxes.borrow_mut().remove(&seat).unwrap_or_default();
        for DirectLane { of, lane } in inbox {
            let (index, typed) = (lane.index(), self.direct.borrow_mut().remove(&(seat, of)));
            self.lanes.borrow_mut()[index as usize] = None;
            self.seats.free_lanes.borrow_mut().push(index);
            self.changes.room.freed(index);
            // Its way goes with the next look at the changes.
            self.changes.list(index);
            drop((typed, lane));
        }
        self.stop_markers.borrow_mut().remove(&seat);
        self.names.forget(seat);
        drop(self.seats.remove(seat));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mycelium_random::{Random, seeds};

    use super::*;
    use crate::isolate::service::ServiceSeat;
    use crate::{BoxError, Service, ServiceContext};

    struct Idle;
    impl Service for Idle {
        type Error = BoxError;
        async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
            Ok(())
        }
    }

    fn seat(core: &Rc<IsolateCore>) -> (u32, Rc<dyn AnySeat>) {
        let (number, waker) = core.next_seat();
        (number, Rc::new(ServiceSeat::new(core, number, waker, Idle)))
    }

    #[test]
    fn the_table_finds_who_is_there_and_no_number_comes_twice() {
        for seed in seeds(50) {
            let (mut random, core) = (Random::new(seed), Rc::new(IsolateCore::new(0, 0)));
            let (mut model, mut given) = (BTreeMap::new(), 0);
            for _ in 0..2_000 {
                if random.chance(55) || model.is_empty() {
                    let (number, new) = seat(&core);
                    assert!(model.is_empty() || number >= given, "{number} was given before");
                    given = number + 1;
                    core.seats.add(Rc::clone(&new));
                    model.insert(number, new);
                } else {
                    let at = random.below(model.len() as u64) as usize;
                    let number = *model.keys().nth(at).unwrap();
                    let (removed, gone) = (core.seats.remove(number), model.remove(&number));
                    assert!(Rc::ptr_eq(&removed.unwrap(), &gone.unwrap()));
                    assert!(core.seat(number).is_none() && core.seats.remove(number).is_none());
                }
                assert!(core.seats.places.borrow().len() <= (4 * model.len()).max(4_096));
            }
            let all = core.seats();
            assert!(all.iter().map(|(number, _)| number).eq(model.keys()));
            assert!(all.iter().all(|(number, seat)| Rc::ptr_eq(&core.seat(*number).unwrap(), seat)));
            core.dismantle();
        }
    }

    #[test]
    fn numbers_have_no_gaps_while_nothing_is_freed_and_begin_anew_after_the_last() {
        let core = Rc::new(IsolateCore::new(0, 0));
        for expected in 0..1_000 {
            let (number, new) = seat(&core);
            assert_eq!(number, expected);
            core.seats.add(new);
        }
        core.seats.next.set(OUTSIDE - 1);
        let numbers = [(); 3].map(|()| {
            let (number, new) = seat(&core);
            core.seats.add(new);
            number
        });
        assert!(!numbers.contains(&OUTSIDE) && core.seats().len() == 1_003, "{numbers:?}");
        core.dismantle();
    }
}
