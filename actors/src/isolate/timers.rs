//! Virtual time: what is due when.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};
use std::task::Waker;

use super::core::IsolateCore;
use crate::TimerHandle;

/// What happens when a timer is due.
pub(crate) enum Due {
    /// Resume the seat that waits for it.
    Resume(u32),
    /// Wake whatever waits.
    Wake(Waker),
    /// Queue a message that an actor has scheduled for itself.
    Fire(Box<Fire>),
}

/// A message for later.
pub(crate) struct Fire {
    pub(crate) seat: u32,
    /// In which of its lives; a restarted actor has another one.
    pub(crate) life: u32,
    pub(crate) handle: TimerHandle,
    pub(crate) queue: Box<dyn FnOnce(&IsolateCore)>,
}

/// With fewer timers than this, cancelled ones are left where they are until their time (timers).
const SWEEP_TIMERS_MIN: usize = 64;

/// The timers of one isolate.
pub(crate) struct IsolateTimers {
    /// The earliest, if it is not in the heap: a feed that sets one timer after another never touches the
    /// heap.
    soon: Option<IsolateTimer>,
    later: BinaryHeap<IsolateTimer>,
    cancelled: BTreeSet<u64>,
    next: u64,
    /// At so many in the heap the cancelled ones are swept out: those of deadlines that were met hours before
    /// they are due.
    sweep_at: usize,
}

impl Default for IsolateTimers {
    fn default() -> Self {
        let (soon, later, cancelled) = Default::default();
        Self { soon, later, cancelled, next: 0, sweep_at: SWEEP_TIMERS_MIN }
    }
}

impl IsolateTimers {
    /// Sets a timer; its number can be given to [`IsolateTimers::cancel`].
    #[inline]
    pub(crate) fn set(&mut self, at: i64, due: Due) -> u64 {
        let seq = self.next;
        self.next += 1;
        let new = IsolateTimer { at, seq, due };
        match &mut self.soon {
            None if self.later.is_empty() => self.soon = Some(new),
            Some(soon) if at < soon.at => {
                let later = std::mem::replace(soon, new);
                self.push(later);
            }
            _ => self.push(new),
        }
        seq
    }

    fn push(&mut self, timer: IsolateTimer) {
        self.later.push(timer);
        if self.later.len() >= self.sweep_at {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&mut self) {
        let Self { later, cancelled, .. } = self;
        later.retain(|timer| match &timer.due {
            Due::Fire(fire) if fire.handle.is_cancelled() => false,
            _ => cancelled.is_empty() || !cancelled.remove(&timer.seq),
        });
        self.sweep_at = (self.later.len() * 2).max(SWEEP_TIMERS_MIN);
    }

    /// Forgets a timer that has not fired, so that the clock does not move for it.
    pub(crate) fn cancel(&mut self, seq: u64) {
        self.cancelled.insert(seq);
    }

    /// When the earliest is due, cancelled or not; the end of time if there is none.
    pub(crate) fn first(&self) -> i64 {
        self.soon.as_ref().or_else(|| self.later.peek()).map_or(i64::MAX, |timer| timer.at)
    }

    /// Takes the earliest timer and its time if it is due by `until`. Messages of actors that have `ended`
    /// are dropped.
    #[inline]
    pub(crate) fn take(&mut self, until: i64, ended: impl Fn(&Fire) -> bool) -> Option<(i64, Due)> {
        loop {
            let at = self.soon.as_ref().or_else(|| self.later.peek())?.at;
            if at > until {
                return None;
            }
            let timer = self.soon.take().or_else(|| self.later.pop())?;
            if !self.cancelled.is_empty() && self.cancelled.remove(&timer.seq) {
                continue;
            }
            if let Due::Fire(fire) = &timer.due
                && (fire.handle.is_cancelled() || ended(fire))
            {
                continue;
            }
            return Some((timer.at, timer.due));
        }
    }
}

struct IsolateTimer {
    at: i64,
    seq: u64,
    due: Due,
}

impl PartialEq for IsolateTimer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for IsolateTimer {}

impl PartialOrd for IsolateTimer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for IsolateTimer {
    /// Reversed, so that the heap's greatest is the earliest; timers of one moment keep the order they were
    /// set in.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list sorted by time and number: whatever is set, cancelled and taken in between.
        #[test]
        fn timers_fire_by_time_and_then_in_the_order_they_were_set(
            steps in prop::collection::vec((0i64..20, 0u8..4), 0..200)
        ) {
            let mut timers = IsolateTimers::default();
            let mut model: Vec<(i64, u64)> = Vec::new();
            for (number, (at, kind)) in (0u32..).zip(steps) {
                match kind {
                    0 | 1 => {
                        let seq = timers.set(at, Due::Resume(number));
                        model.push((at, seq));
                    }
                    2 => if let Some(&(_, seq)) = model.get(at as usize) {
                        timers.cancel(seq);
                        model.remove(at as usize);
                    },
                    _ => {
                        let expected = model.iter().copied().min().filter(|(due, _)| *due <= at);
                        let taken = timers.take(at, |_| false);
                        prop_assert_eq!(taken.map(|(due, _)| due), expected.map(|(due, _)| due));
                        model.retain(|timer| Some(*timer) != expected);
                    }
                }
            }
        }
    }

    #[test]
    fn cancelled_timers_take_no_room_until_they_are_due() {
        let mut timers = IsolateTimers::default();
        for number in 0..10_000_u32 {
            let seq = timers.set(1_000_000, Due::Resume(number));
            if number % 100 > 0 {
                timers.cancel(seq);
            }
            assert!(timers.later.len() < SWEEP_TIMERS_MIN.max(2 * (2 + number as usize / 100)));
            assert!(timers.cancelled.len() <= timers.later.len() + 1);
        }
        let taken = std::iter::from_fn(|| timers.take(i64::MAX, |_| false)).count();
        assert_eq!((taken, timers.cancelled.len()), (100, 0));
    }

    #[test]
    fn timers_of_one_moment_keep_their_order() {
        let mut timers = IsolateTimers::default();
        for (seat, at) in [(1, 20), (2, 10), (3, 20), (4, 10)] {
            timers.set(at, Due::Resume(seat));
        }
        let mut fired = Vec::new();
        while let Some((at, Due::Resume(seat))) = timers.take(20, |_| false) {
            fired.push((at, seat));
        }
        assert_eq!(fired, [(10, 2), (10, 4), (20, 1), (20, 3)]);
    }
}
