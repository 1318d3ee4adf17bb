//! Virtual time: what is due when.

use std::collections::BTreeSet;
use std::task::Waker;

use super::core::IsolateCore;
use crate::TimerHandle;
use crate::life::TimerQueue;

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

/// The timers of one isolate.
pub(crate) struct IsolateTimers {
    queue: TimerQueue<i64, Due>,
    /// Those that were called off by their number and are still in the queue.
    cancelled: BTreeSet<u64>,
}

impl Default for IsolateTimers {
    fn default() -> Self {
        Self { queue: TimerQueue::new(), cancelled: BTreeSet::new() }
    }
}

/// Whether a timer was called off; a number is needed for it once.
#[inline]
fn is_cancelled(cancelled: &mut BTreeSet<u64>, number: u64, due: &Due) -> bool {
    (!cancelled.is_empty() && cancelled.remove(&number))
        || matches!(due, Due::Fire(fire) if fire.handle.is_cancelled())
}

impl IsolateTimers {
    /// Sets a timer; its number can be given to [`IsolateTimers::cancel`]. Where many wait, the messages of
    /// actors that have `ended` are dropped.
    #[inline]
    pub(crate) fn set(&mut self, at: i64, due: Due, ended: impl Fn(&Fire) -> bool) -> u64 {
        let Self { queue, cancelled } = self;
        queue.set(at, due, |number, due| {
            is_cancelled(cancelled, number, due) || matches!(due, Due::Fire(fire) if ended(fire))
        })
    }

    /// Forgets a timer that has not fired, so that the clock does not move for it.
    pub(crate) fn cancel(&mut self, number: u64) {
        self.cancelled.insert(number);
    }

    /// When the earliest is due, cancelled or not; the end of time if there is none.
    pub(crate) fn first(&self) -> i64 {
        self.queue.first().map_or(i64::MAX, |timer| timer.at)
    }

    /// Takes the earliest timer and its time if it is due by `until`. Messages of actors that have `ended`
    /// are dropped.
    #[inline]
    pub(crate) fn take(&mut self, until: i64, ended: impl Fn(&Fire) -> bool) -> Option<(i64, Due)> {
        while self.queue.first()?.at <= until {
            let timer = self.queue.pop()?;
            let is_over = is_cancelled(&mut self.cancelled, timer.number, &timer.what)
                || matches!(&timer.what, Due::Fire(fire) if ended(fire));
            if !is_over {
                return Some((timer.at, timer.what));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_timer_does_not_fire_and_leaves_no_number_behind() {
        let mut timers = IsolateTimers::default();
        for number in 0..10_000_u32 {
            let set = timers.set(1_000_000, Due::Resume(number), |_| false);
            if number % 100 > 0 {
                timers.cancel(set);
            }
            assert!(timers.cancelled.len() <= 200 + number as usize / 50);
        }
        let taken = std::iter::from_fn(|| timers.take(i64::MAX, |_| false)).count();
        assert_eq!((taken, timers.cancelled.len()), (100, 0));
    }

    #[test]
    fn timers_of_one_moment_keep_their_order() {
        let mut timers = IsolateTimers::default();
        for (seat, at) in [(1, 20), (2, 10), (3, 20), (4, 10)] {
            timers.set(at, Due::Resume(seat), |_| false);
        }
        let mut fired = Vec::new();
        while let Some((at, Due::Resume(seat))) = timers.take(20, |_| false) {
            fired.push((at, seat));
        }
        assert_eq!(fired, [(10, 2), (10, 4), (20, 1), (20, 3)]);
    }
}
