//! Virtual time: what is due when.

use std::collections::BTreeSet;
use std::task::Waker;

use super::core::IsolateCore;
use crate::TimerHandle;
use crate::life::{Timer, TimerQueue};

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

/// A timer that is over, with what nobody waits for any more.
pub(crate) type Swept = Timer<i64, Due>;

/// What [`IsolateTimers::take`] found.
pub(crate) enum Taken {
    /// No timer is due.
    Nothing,
    /// It was called off, or its actor has ended. The clock does not move for it. Its destructor may use the
    /// timers: it is dropped where they are not borrowed.
    Over(Due),
    /// This is due at its time.
    Due(i64, Due),
}

/// The timers of one isolate.
pub(crate) struct IsolateTimers {
    queue: TimerQueue<i64, Due>,
    /// Those that were called off and are still in the queue, by time and number.
    cancelled: BTreeSet<(i64, u64)>,
    /// The last that was due: all that come before it are out of the queue.
    taken: Option<(i64, u64)>,
}

impl Default for IsolateTimers {
    fn default() -> Self {
        Self { queue: TimerQueue::new(), cancelled: BTreeSet::new(), taken: None }
    }
}

/// Whether a timer was called off; what is known of that is needed once.
#[inline]
fn is_cancelled(cancelled: &mut BTreeSet<(i64, u64)>, timer: &Swept) -> bool {
    (!cancelled.is_empty() && cancelled.remove(&(timer.at, timer.number)))
        || matches!(&timer.what, Due::Fire(fire) if fire.handle.is_cancelled())
}

impl IsolateTimers {
    /// Sets a timer; its number can be given to [`IsolateTimers::cancel`]. Where many wait, those that were
    /// called off and the messages of actors that have `ended` come back, to be dropped outside.
    #[inline]
    #[must_use = "destructors of users run where it is dropped"]
    pub(crate) fn set(&mut self, at: i64, due: Due, ended: impl Fn(&Fire) -> bool) -> (u64, Vec<Swept>) {
        let Self { queue, cancelled, .. } = self;
        queue.set(at, due, |timer| {
            is_cancelled(cancelled, timer) || matches!(&timer.what, Due::Fire(fire) if ended(fire))
        })
    }

    /// Forgets the timer that was set for `at` with this number, so that the clock does not move for it. One
    /// that was taken is left alone: whoever waited may not have been polled since.
    pub(crate) fn cancel(&mut self, at: i64, number: u64) {
        if self.taken.is_none_or(|taken| (at, number) > taken) {
            self.cancelled.insert((at, number));
        }
    }

    /// Takes the earliest, whenever it is due.
    pub(crate) fn pop(&mut self) -> Option<Swept> {
        self.queue.pop()
    }

    /// When the earliest is due, cancelled or not; the end of time if there is none.
    pub(crate) fn first(&self) -> i64 {
        self.queue.first().map_or(i64::MAX, |timer| timer.at)
    }

    /// Takes the earliest timer if it is due by `until`.
    #[inline]
    pub(crate) fn take(&mut self, until: i64, ended: impl Fn(&Fire) -> bool) -> Taken {
        if self.first() > until {
            return Taken::Nothing;
        }
        let Some(timer) = self.queue.pop() else { return Taken::Nothing };
        let is_over = is_cancelled(&mut self.cancelled, &timer)
            || matches!(&timer.what, Due::Fire(fire) if ended(fire));
        if is_over {
            return Taken::Over(timer.what);
        }
        self.taken = self.taken.max(Some((timer.at, timer.number)));
        Taken::Due(timer.at, timer.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_timer_does_not_fire_and_leaves_no_number_behind() {
        let mut timers = IsolateTimers::default();
        for number in 0..10_000_u32 {
            let (set, _) = timers.set(1_000_000, Due::Resume(number), |_| false);
            if number % 100 > 0 {
                timers.cancel(1_000_000, set);
            }
            assert!(timers.cancelled.len() <= 200 + number as usize / 50);
        }
        let mut taken = 0;
        loop {
            match timers.take(i64::MAX, |_| false) {
                Taken::Due(..) => taken += 1,
                Taken::Over(_) => {}
                Taken::Nothing => break,
            }
        }
        assert_eq!((taken, timers.cancelled.len()), (100, 0));
    }

    #[test]
    fn a_timer_that_was_taken_leaves_no_number_behind_when_it_is_called_off() {
        let mut timers = IsolateTimers::default();
        for at in 0..100 {
            let (due, _) = timers.set(at, Due::Resume(1), |_| false);
            let (later, _) = timers.set(at, Due::Resume(2), |_| false);
            assert!(matches!(timers.take(at, |_| false), Taken::Due(_, Due::Resume(1))));
            timers.cancel(at, due);
            assert!(timers.cancelled.is_empty());
            timers.cancel(at, later);
            assert!(matches!(timers.take(at, |_| false), Taken::Over(Due::Resume(2))));
            // One that was called off and was far away says nothing of those before it.
            let (far, _) = timers.set(at + 1_000, Due::Resume(3), |_| false);
            timers.cancel(at + 1_000, far);
            assert!(matches!(timers.take(i64::MAX, |_| false), Taken::Over(Due::Resume(3))));
        }
    }

    #[test]
    fn timers_of_one_moment_keep_their_order() {
        let mut timers = IsolateTimers::default();
        for (seat, at) in [(1, 20), (2, 10), (3, 20), (4, 10)] {
            let _ = timers.set(at, Due::Resume(seat), |_| false);
        }
        let mut fired = Vec::new();
        while let Taken::Due(at, Due::Resume(seat)) = timers.take(20, |_| false) {
            fired.push((at, seat));
        }
        assert_eq!(fired, [(10, 2), (10, 4), (20, 1), (20, 3)]);
    }
}
