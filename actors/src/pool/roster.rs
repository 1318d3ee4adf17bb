//! Who belongs to a pool: decisions only.
//!
//! # The pool
//! A pool is open until it is stopped: while that goes on it is stopping, and then stopped. A worker that
//! begins opens a pool that is stopped, and none that is stopping. A pool that its tree has forgotten never
//! has workers again.
//!
//! # Its workers
//! Each has a number. Those below the size are seated: they get messages. Those from the size on leave: they
//! handle what they have been sent. One that its supervisor has taken away, or has given up, runs only when
//! somebody has it started again. Whether a worker runs right now is no matter: it may be between two lives.
//!
//! Only the supervisor of the pool knows which of its children will run again, so it says so
//! ([`Roster::taken_away`]) whenever it has decided something. When the supervisor itself ends, its successor
//! has the first workers and no others ([`Roster::begin_anew`]).
//!
//! # Fences
//! A crossing is a resize by which keys move, for as long as not all fences that its gates wait for are
//! passed (see [`route`](super::route)). A worker that gains keys by it stands at its gate, and so does the
//! one that replaces it. [`CROSSINGS_MAX`] bounds how many markers resizes leave in an inbox, and a
//! [`FenceLine`] how many flushes do: one. A worker whose place another takes, or that is taken away, has
//! passed its fences: usually its inbox is gone, but one that keeps its thread and was given up has it still.

use std::ops::Range;
use std::sync::Arc;

use super::route::{Moves, moves};
use super::worker_id;
use crate::life::{Passed, PutFences};

/// Most resizes whose fences are not passed yet; a further one waits for the eldest of them (resizes).
pub(super) const CROSSINGS_MAX: usize = 8;

/// What a pool takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolPhase {
    Open,
    /// It takes nothing more, and its workers handle what they have.
    Stopping,
    /// Its workers have ended.
    Stopped,
    /// Its tree knows it no more.
    Forgotten,
}

/// The workers of a pool, and how far they are with its resizes.
pub(super) struct Roster<W> {
    first_size: usize,
    size: usize,
    epoch: u64,
    beginnings: u64,
    phase: PoolPhase,
    /// Its supervisor ends: whoever is away does not come back.
    ends: bool,
    seats: Vec<WorkerSeat<W>>,
    crossings: Vec<Crossing>,
    /// How many fences were put for those who wait.
    fences: u64,
}

/// What there is under one number.
struct WorkerSeat<W> {
    id: Arc<str>,
    /// The last one that has begun.
    worker: Option<W>,
    taken_away: bool,
    line: FenceLine,
    put: PutFences,
}

/// A resize whose keys have not all moved yet.
struct Crossing {
    gain: Range<usize>,
    /// Its own, and those of the crossings before it.
    fences: Arc<[Passed]>,
}

/// The last fence of one inbox, so that many who wait put in few of them.
#[derive(Default)]
pub(super) struct FenceLine(Option<(u64, Passed)>);

impl FenceLine {
    /// What to wait for until all is handled that was there when `since` was the number of the last fence,
    /// and whether that is enough. Else it is asked again then. `put` puts in a fence, which gets a number.
    pub(super) fn next(
        &mut self,
        since: u64,
        last: &mut u64,
        put: impl FnOnce() -> Passed,
    ) -> (Passed, bool) {
        match &self.0 {
            Some((number, passed)) if *number > since => (passed.clone(), true),
            Some((_, passed)) if !passed.is_passed() => (passed.clone(), false),
            _ => {
                *last += 1;
                let passed = put();
                self.0 = Some((*last, passed.clone()));
                (passed, true)
            }
        }
    }
}

impl<W> Roster<W> {
    pub(super) fn new(first_size: usize) -> Self {
        Self {
            first_size,
            size: first_size,
            epoch: 0,
            beginnings: 0,
            phase: PoolPhase::Open,
            ends: false,
            seats: Vec::new(),
            crossings: Vec::new(),
            fences: 0,
        }
    }

    /// How many get messages: at least 1.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Changes with who gets messages.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Changes when the supervisor has begun anew.
    pub(super) fn beginnings(&self) -> u64 {
        self.beginnings
    }

    pub(super) fn phase(&self) -> PoolPhase {
        self.phase
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == PoolPhase::Open
    }

    /// How many there are, with those that leave.
    pub(super) fn numbers(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn worker(&self, number: usize) -> Option<&W> {
        self.seats.get(number)?.worker.as_ref()
    }

    /// Those that get messages.
    pub(super) fn seated(&self) -> impl Iterator<Item = &W> {
        self.seats.iter().take(self.size).filter_map(|seat| seat.worker.as_ref())
    }

    /// The same with those that leave.
    pub(super) fn all(&self) -> impl Iterator<Item = &W> {
        self.seats.iter().filter_map(|seat| seat.worker.as_ref())
    }

    /// Whether the supervisor keeps a worker under this number, which runs or will run.
    pub(super) fn is_kept(&self, number: usize) -> bool {
        !self.ends && self.seats.get(number).is_some_and(|seat| seat.worker.is_some() && !seat.taken_away)
    }

    /// One that handles what it has been sent, now or in its next life.
    pub(super) fn at_work(&self, number: usize) -> Option<&W> {
        self.seats.get(number).filter(|seat| self.ends || !seat.taken_away)?.worker.as_ref()
    }

    /// Whether a message may have to wait for one of these, and will not wait in vain.
    pub(super) fn may_come_back(&self, mut numbers: Range<usize>) -> bool {
        self.is_open() && numbers.any(|number| self.is_kept(number))
    }

    /// A worker has begun. `again`: it is the one that was there. The fences that it stands before, if it is
    /// another one, and what is left of that one.
    #[must_use]
    pub(super) fn seat(
        &mut self,
        number: usize,
        worker: W,
        again: bool,
    ) -> (Arc<[Passed]>, impl Sized + use<W>) {
        while self.seats.len() <= number {
            let (id, line) = (worker_id(self.seats.len()).into(), FenceLine::default());
            let put = PutFences::default();
            self.seats.push(WorkerSeat { id, worker: None, taken_away: true, line, put });
        }
        if self.phase == PoolPhase::Stopped {
            self.phase = PoolPhase::Open;
        }
        if std::mem::take(&mut self.ends) {
            // Its successor begins with all of them.
            self.seats.iter_mut().for_each(|seat| seat.taken_away = false);
        }
        let seat = &mut self.seats[number];
        seat.taken_away = false;
        let before = seat.worker.replace(worker);
        if again {
            return (Arc::default(), (before, PutFences::default()));
        }
        let before = (before, std::mem::take(&mut seat.put));
        seat.line = FenceLine::default();
        self.epoch += 1;
        self.forget_crossed();
        let own = self.crossings.iter().rfind(|crossing| crossing.gain.contains(&number));
        (own.map_or_else(Arc::default, |crossing| Arc::clone(&crossing.fences)), before)
    }

    /// What the supervisor says: whether it `ends`, and which children it does not have run again. Whether
    /// anything has changed, and the fences of those, unless it ends: then their inboxes may live again.
    #[must_use]
    pub(super) fn taken_away(
        &mut self,
        ends: bool,
        is_away: impl Fn(&str) -> bool,
    ) -> (bool, Vec<PutFences>) {
        let mut changed = std::mem::replace(&mut self.ends, ends) != ends;
        let mut left = Vec::new();
        for seat in &mut self.seats {
            let away = is_away(&seat.id);
            if std::mem::replace(&mut seat.taken_away, away) != away {
                changed = true;
                left.extend((away && !ends).then(|| std::mem::take(&mut seat.put)));
            }
        }
        (changed, left)
    }

    /// The supervisor has ended: who is there next are the first ones. Those that are not among them.
    #[must_use]
    pub(super) fn begin_anew(&mut self) -> impl Sized + use<W> {
        self.beginnings += 1;
        self.epoch += 1;
        self.size = self.first_size;
        if self.phase != PoolPhase::Forgotten {
            self.phase = PoolPhase::Open;
        }
        self.seats.split_off(self.first_size.min(self.seats.len()))
    }

    /// Its tree knows it no more. Returns the fences of its workers.
    #[must_use]
    pub(super) fn forget(&mut self) -> Vec<PutFences> {
        self.phase = PoolPhase::Forgotten;
        self.epoch += 1;
        self.seats.iter_mut().map(|seat| std::mem::take(&mut seat.put)).collect()
    }

    /// It takes no more.
    pub(super) fn stop(&mut self) {
        if self.phase == PoolPhase::Open {
            self.phase = PoolPhase::Stopping;
        }
    }

    /// Its workers have ended.
    pub(super) fn stopped(&mut self) {
        if self.phase == PoolPhase::Stopping {
            self.phase = PoolPhase::Stopped;
        }
    }

    /// From now on `size` workers get messages: which of them lose keys, and which gain some. `None`: it has
    /// that size.
    pub(super) fn switch(&mut self, size: usize) -> Option<Moves> {
        if size == self.size {
            return None;
        }
        let moved = moves(self.size, size);
        (self.size, self.epoch) = (size, self.epoch + 1);
        Some(moved)
    }

    /// Keys move to these once the fences in the inboxes of those that lose them are passed: before which
    /// fences they stand.
    #[must_use]
    pub(super) fn cross(&mut self, gain: Range<usize>, lose: Vec<(usize, Passed)>) -> Arc<[Passed]> {
        self.forget_crossed();
        let mut fences = Vec::with_capacity(lose.len());
        for (number, fence) in lose {
            self.seats.get_mut(number).into_iter().for_each(|seat| seat.put.add(&fence));
            fences.push(fence);
        }
        // The last crossing waits for those before it, too.
        let before = self.crossings.last().into_iter().flat_map(|last| &*last.fences);
        fences.extend(before.filter(|fence| !fence.is_passed()).cloned());
        let fences: Arc<[Passed]> = fences.into();
        self.crossings.push(Crossing { gain, fences: Arc::clone(&fences) });
        fences
    }

    /// What the next resize has to wait for first: that of the eldest crossing, where there are too many.
    pub(super) fn crowded(&mut self) -> Option<Arc<[Passed]>> {
        self.forget_crossed();
        let eldest = self.crossings.first().filter(|_| self.crossings.len() >= CROSSINGS_MAX)?;
        Some(Arc::clone(&eldest.fences))
    }

    fn forget_crossed(&mut self) {
        self.crossings.retain(|crossing| !crossing.fences.iter().all(Passed::is_passed));
    }

    /// This one has left, unless it is seated by now. Others behind it may have come meanwhile.
    #[must_use]
    pub(super) fn unseat(&mut self, number: usize) -> impl Sized + use<W> {
        let left = self.seats.get_mut(number).filter(|_| number >= self.size);
        let left = left.and_then(|seat| Some((seat.worker.take()?, std::mem::take(&mut seat.put))));
        while self.seats.len() > self.size && self.seats.last().is_some_and(|last| last.worker.is_none()) {
            self.seats.pop();
        }
        left
    }

    /// The number of the last fence that was put for somebody who waits.
    pub(super) fn last_fence(&self) -> u64 {
        self.fences
    }

    /// See [`FenceLine::next`]. `None`: nothing is handled there, or will be.
    pub(super) fn next_fence(
        &mut self,
        number: usize,
        since: u64,
        put: impl FnOnce(&W) -> Passed,
    ) -> Option<(Passed, bool)> {
        self.at_work(number)?;
        let seat = self.seats.get_mut(number)?;
        let WorkerSeat { worker, line, put: fences, .. } = seat;
        let worker = worker.as_ref()?;
        Some(line.next(since, &mut self.fences, || {
            let passed = put(worker);
            fences.add(&passed);
            passed
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use mycelium_random::{Random, seeds};

    use super::*;
    use crate::life::Fence;
    use crate::pool::route::worker_of;

    /// A roster of so many workers, each called by its number.
    fn roster(size: usize) -> Roster<usize> {
        let mut roster = Roster::new(size);
        (0..size).for_each(|number| drop(roster.seat(number, number, false)));
        roster
    }

    #[test]
    fn a_worker_that_begins_opens_a_pool_that_is_stopped_and_none_that_is_stopping() {
        let mut pool = roster(2);
        pool.stopped();
        assert!(pool.is_open(), "nobody has stopped it");
        pool.stop();
        drop(pool.seat(1, 7, false));
        assert_eq!(pool.phase(), PoolPhase::Stopping);
        pool.stopped();
        assert_eq!(pool.phase(), PoolPhase::Stopped);
        drop(pool.seat(0, 8, false));
        assert!(pool.is_open());
        drop(pool.forget());
        pool.stop();
        drop(pool.seat(0, 9, false));
        drop(pool.begin_anew());
        assert_eq!(pool.phase(), PoolPhase::Forgotten, "for good");
    }

    #[test]
    fn only_what_the_supervisor_has_given_up_does_not_come_back() {
        let mut pool = roster(3);
        assert!(pool.may_come_back(0..3));
        assert!(pool.taken_away(false, |id| id == "worker-2").0);
        assert!(!pool.taken_away(false, |id| id == "worker-2").0, "nothing new");
        assert!(pool.may_come_back(0..1) && !pool.may_come_back(1..2) && !pool.may_come_back(3..9));
        drop(pool.seat(1, 1, true));
        assert!(pool.may_come_back(1..2));
        assert!(pool.taken_away(true, |_| false).0);
        assert!(!pool.may_come_back(0..3), "its supervisor ends");
    }

    #[test]
    fn a_supervisor_that_begins_anew_has_the_first_workers() {
        let mut pool = roster(2);
        drop(pool.seat(2, 2, false));
        pool.switch(3).unwrap();
        let (epoch, beginnings) = (pool.epoch(), pool.beginnings());
        drop(pool.begin_anew());
        assert_eq!((pool.size(), pool.numbers()), (2, 2));
        assert!(pool.epoch() > epoch && pool.beginnings() > beginnings);
        // One that has shrunk before grows again.
        pool.switch(1).unwrap();
        drop(pool.unseat(1));
        drop(pool.begin_anew());
        assert_eq!((pool.size(), pool.numbers(), pool.worker(1)), (2, 1, None));
    }

    #[test]
    fn whoever_replaces_a_worker_at_its_gate_stands_there_until_the_fences_are_passed() {
        let mut pool = roster(1);
        (1..3).for_each(|number| drop(pool.seat(number, number, false)));
        let moved = pool.switch(3).unwrap();
        let (fence, passed) = Fence::new();
        assert_eq!(pool.cross(moved.gain, vec![(0, passed)]).len(), 1);
        assert_eq!(pool.seat(2, 9, false).0.len(), 1);
        assert_eq!(pool.seat(2, 9, true).0.len(), 0, "the same one has its gate");
        assert_eq!(pool.seat(1, 9, false).0.len(), 1);
        drop(fence);
        assert!(pool.seat(2, 10, false).0.iter().all(Passed::is_passed));
    }

    #[test]
    fn nobody_waits_for_a_worker_that_was_given_up_and_never_comes_to_its_fences() {
        for ends in ["replaced", "taken away", "forgotten", "left", "begun anew"] {
            let mut pool = roster(1);
            drop(pool.seat(1, 1, false));
            let moved = pool.switch(2).unwrap();
            let (_never_passed, passed) = Fence::new();
            let gate = pool.cross(moved.gain, vec![(1, passed)]);
            let mut flushes = Vec::new();
            let (flushed, _) = pool
                .next_fence(1, 0, |_| {
                    let (fence, passed) = Fence::new();
                    flushes.push(fence);
                    passed
                })
                .unwrap();
            assert!(!gate[0].is_passed() && !flushed.is_passed());
            match ends {
                "replaced" => drop(pool.seat(1, 2, false)),
                "taken away" => drop(pool.taken_away(false, |id| id == "worker-2")),
                "forgotten" => drop(pool.forget()),
                "left" => {
                    pool.switch(1).unwrap();
                    drop(pool.unseat(1));
                }
                _ => drop(pool.begin_anew()),
            }
            assert!(gate[0].is_passed() && flushed.is_passed(), "{ends}");
            if ends == "taken away" {
                assert!(pool.taken_away(true, |_| true).1.is_empty() && pool.at_work(0).is_some());
                drop(pool.taken_away(false, |id| id == "worker-2"));
                assert!(pool.at_work(1).is_none() && pool.next_fence(1, 0, |_| unreachable!()).is_none());
            }
        }
    }

    #[test]
    fn a_resize_waits_where_too_many_are_not_crossed() {
        let mut pool = roster(1);
        let mut open = Vec::new();
        for _ in 0..CROSSINGS_MAX {
            assert!(pool.crowded().is_none());
            let (fence, passed) = Fence::new();
            open.push(fence);
            drop(pool.cross(1..2, vec![(0, passed)]));
        }
        let eldest = pool.crowded().unwrap();
        open.remove(0);
        assert!(eldest.iter().all(Passed::is_passed) && pool.crowded().is_none());
    }

    #[test]
    fn those_who_wait_at_once_share_fences_and_none_is_too_early() {
        let mut pool = roster(1);
        let mut inbox = Vec::new();
        let next = |pool: &mut Roster<usize>, inbox: &mut Vec<Fence>, since| {
            pool.next_fence(0, since, |_| {
                let (fence, passed) = Fence::new();
                inbox.push(fence);
                passed
            })
            .unwrap()
        };
        let since = pool.last_fence();
        let (first, enough) = next(&mut pool, &mut inbox, since);
        assert!(enough);
        // Something may have been sent since: another fence is needed, when that one is passed.
        let since = pool.last_fence();
        for _ in 0..100 {
            let (shared, enough) = next(&mut pool, &mut inbox, since);
            assert!(!enough && !shared.is_passed());
        }
        assert_eq!(inbox.len(), 1);
        inbox.clear();
        assert!(first.is_passed());
        let (second, enough) = next(&mut pool, &mut inbox, since);
        assert!(enough && !second.is_passed());
        assert!(next(&mut pool, &mut inbox, since).1, "one for all of them");
        assert_eq!(inbox.len(), 1);
        assert!(pool.next_fence(1, 0, |_| unreachable!()).is_none());
    }

    /// What lies in the queue of a worker of the model.
    enum Item {
        Message { key: u64, number: u64 },
        Fence(#[expect(dead_code, reason = "its drop is all that it does")] Fence),
        Gate(Arc<[Passed]>),
    }

    /// Senders, workers that are as slow as chance will have it and may be killed, and resizes.
    struct Model {
        roster: Roster<usize>,
        queues: Vec<VecDeque<Item>>,
        sent: BTreeMap<u64, u64>,
        handled: BTreeMap<u64, u64>,
        kills: bool,
    }

    impl Model {
        fn send(&mut self, key: u64) {
            let number = self.sent.entry(key).or_default();
            *number += 1;
            let message = Item::Message { key, number: *number };
            self.queues[worker_of(key, self.roster.size())].push_back(message);
        }

        fn resize(&mut self, to: usize) {
            for number in self.queues.len()..to {
                self.queues.push(VecDeque::new());
                drop(self.roster.seat(number, number, false));
            }
            if self.roster.crowded().is_some() {
                return;
            }
            let Some(Moves { lose, gain }) = self.roster.switch(to) else { return };
            let (fences, passed): (Vec<_>, Vec<_>) = lose.clone().map(|_| Fence::new()).unzip();
            let gate = self.roster.cross(gain.clone(), lose.clone().zip(passed).collect());
            lose.zip(fences).for_each(|(number, fence)| self.queues[number].push_back(Item::Fence(fence)));
            gain.for_each(|number| self.queues[number].push_back(Item::Gate(Arc::clone(&gate))));
        }

        /// Another worker takes the place of this one, whose messages are lost.
        fn kill(&mut self, number: usize) {
            self.queues[number].clear();
            let (gate, _before) = self.roster.seat(number, number, false);
            self.queues[number].push_back(Item::Gate(gate));
        }

        /// Lets a worker do one thing; whether there was any that it could do.
        fn work(&mut self, number: usize) -> bool {
            if let Some(Item::Gate(gate)) = self.queues[number].front()
                && !gate.iter().all(Passed::is_passed)
            {
                return false;
            }
            let Some(item) = self.queues[number].pop_front() else { return false };
            if let Item::Message { key, number } = item {
                let before = self.handled.insert(key, number).unwrap_or(0);
                let is_next = if self.kills { before < number } else { before + 1 == number };
                assert!(is_next, "key {key}: {number} behind {before}");
            }
            true
        }
    }

    #[test]
    fn each_key_is_handled_in_order_whatever_the_resizes_and_whoever_is_killed() {
        for seed in seeds(2_000) {
            let mut random = Random::new(seed);
            let mut below = |most: usize| random.below(most as u64) as usize;
            let first = 1 + below(4);
            let queues = (0..first).map(|_| VecDeque::new()).collect();
            let (roster, sent, handled, kills) =
                (roster(first), BTreeMap::new(), BTreeMap::new(), below(2) == 0);
            let mut model = Model { roster, queues, sent, handled, kills };
            for _ in 0..200 {
                match below(20) {
                    0..3 => model.resize(1 + below(6)),
                    3 if kills => model.kill(below(model.queues.len())),
                    4..12 => model.send(below(7) as u64),
                    _ => _ = model.work(below(model.queues.len())),
                }
            }
            while (0..model.queues.len()).any(|number| model.work(number)) {}
            assert!(model.queues.iter().all(VecDeque::is_empty), "somebody waits for ever");
            assert!(kills || model.sent == model.handled);
        }
    }

    #[test]
    fn only_those_that_leave_are_unseated() {
        let mut pool = roster(4);
        pool.switch(2).unwrap();
        drop(pool.unseat(2));
        assert_eq!((pool.numbers(), pool.all().count()), (4, 3), "the last one has not left");
        drop(pool.unseat(3));
        assert_eq!((pool.numbers(), pool.all().count(), pool.seated().count()), (2, 2, 2));
        drop(pool.unseat(1));
        assert_eq!(pool.all().count(), 2, "nobody who gets messages");
        assert!(pool.switch(2).is_none());
    }
}
