//! What is due when, by any clock: virtual time or the runtime's.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// With fewer timers than this, cancelled ones are left where they are until their time (timers).
pub(crate) const SWEEP_TIMERS_MIN: usize = 64;

/// Timers by their time; those of one moment keep the order in which they were set.
pub(crate) struct TimerQueue<At, What> {
    /// The earliest, if it is not in the heap: one timer that is set after another never touches the heap.
    soon: Option<Timer<At, What>>,
    later: BinaryHeap<Timer<At, What>>,
    next: u64,
    /// At so many in the heap the cancelled ones are swept out, so that they never outnumber the others for
    /// long: those of deadlines that were met hours before they are due.
    sweep_at: usize,
}

/// What was set for a time.
pub(crate) struct Timer<At, What> {
    pub(crate) at: At,
    /// The order in which the timers were set.
    pub(crate) number: u64,
    pub(crate) what: What,
}

impl<At: Copy + Ord, What> TimerQueue<At, What> {
    pub(crate) fn new() -> Self {
        Self { soon: None, later: BinaryHeap::new(), next: 0, sweep_at: SWEEP_TIMERS_MIN }
    }

    /// Sets a timer and says its number. Where many wait, those that `is_cancelled` come back, to be dropped
    /// where their destructors may use the timers.
    #[inline]
    #[must_use = "destructors of users run where it is dropped"]
    pub(crate) fn set(
        &mut self,
        at: At,
        what: What,
        is_cancelled: impl FnMut(&Timer<At, What>) -> bool,
    ) -> (u64, Vec<Timer<At, What>>) {
        let number = self.next;
        self.next += 1;
        let new = Timer { at, number, what };
        let swept = match &mut self.soon {
            None if self.later.is_empty() => {
                self.soon = Some(new);
                Vec::new()
            }
            Some(soon) if at < soon.at => {
                let later = std::mem::replace(soon, new);
                self.push(later, is_cancelled)
            }
            _ => self.push(new, is_cancelled),
        };
        (number, swept)
    }

    fn push(
        &mut self,
        timer: Timer<At, What>,
        is_cancelled: impl FnMut(&Timer<At, What>) -> bool,
    ) -> Vec<Timer<At, What>> {
        self.later.push(timer);
        if self.later.len() < self.sweep_at {
            return Vec::new();
        }
        self.sweep(is_cancelled)
    }

    #[cold]
    fn sweep(&mut self, is_cancelled: impl FnMut(&Timer<At, What>) -> bool) -> Vec<Timer<At, What>> {
        let all = std::mem::take(&mut self.later).into_vec();
        let (swept, kept) = all.into_iter().partition(is_cancelled);
        self.later = BinaryHeap::from(kept);
        self.sweep_at = (self.later.len() * 2).max(SWEEP_TIMERS_MIN);
        swept
    }

    /// The earliest, cancelled or not.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Timer<At, What>> {
        self.soon.as_ref().or_else(|| self.later.peek())
    }

    /// Takes the earliest, cancelled or not.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Timer<At, What>> {
        self.soon.take().or_else(|| self.later.pop())
    }
}

impl<At: Ord, What> PartialEq for Timer<At, What> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<At: Ord, What> Eq for Timer<At, What> {}

impl<At: Ord, What> PartialOrd for Timer<At, What> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<At: Ord, What> Ord for Timer<At, What> {
    /// Reversed, so that the heap's greatest is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (&other.at, other.number).cmp(&(&self.at, self.number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list sorted by time and number: whatever is set, cancelled and taken in between.
        #[test]
        fn timers_come_by_time_and_then_in_the_order_they_were_set(
            steps in prop::collection::vec((0i64..20, 0u8..4), 0..400)
        ) {
            let mut timers = TimerQueue::new();
            let mut model: Vec<(i64, u64)> = Vec::new();
            let mut cancelled = BTreeSet::new();
            for (at, kind) in steps {
                match kind {
                    0 | 1 => {
                        let (number, _) = timers.set(at, at, |timer| cancelled.contains(&timer.number));
                        model.push((at, number));
                    }
                    2 => if let Some(&(_, number)) = model.get(at as usize) {
                        cancelled.insert(number);
                        model.remove(at as usize);
                    },
                    _ => {
                        while timers.first().is_some_and(|first| cancelled.contains(&first.number)) {
                            timers.pop();
                        }
                        let taken = timers.pop().map(|timer| (timer.what, timer.number));
                        prop_assert_eq!(taken, model.iter().copied().min());
                        model.retain(|timer| Some(*timer) != taken);
                    }
                }
            }
        }
    }

    #[test]
    fn cancelled_timers_take_no_room_until_they_are_due() {
        let mut timers = TimerQueue::new();
        for number in 0..10_000_u64 {
            let _ = timers.set(1_000_000, (), |timer| timer.number % 100 > 0);
            assert!(timers.later.len() < SWEEP_TIMERS_MIN.max(2 * (2 + number as usize / 100)));
        }
    }
}
