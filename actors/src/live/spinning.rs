//! Links that spin, and the receivers that look in their place.
//!
//! A link that spins looks for messages without a pause, in a task of its own. A message that it has found
//! comes to its receiver when the runtime has let that one's task run. So a receiver of this bus that has
//! nothing to do looks itself: it drives the link for a moment where it would go to sleep, and what comes
//! meanwhile is published, and handled, in one poll of its task. The link's task stays what it is, and looks
//! itself where no receiver does.

use std::sync::{Arc, PoisonError, Weak};
use std::task::Context as TaskContext;

use mycelium_mailbox::Doorbell;

use super::current::address_of;
use crate::rt;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// How often in a row a receiver has a message that it has looked for, before it lets others run: each look
/// may have taken two microseconds (looks).
const LOOKS_MAX: u32 = 16;

/// A link that spins, or may do so later.
pub(crate) trait SpinningLink: Send + Sync {
    /// Takes what comes in the next moment, for a receiver that has nothing to do, unless another receiver
    /// looks for this link. `is_served`: whether this one has something to do by now. Whether it is to look
    /// again when others have run.
    fn look(&self, receiver: usize, is_served: &dyn Fn() -> bool) -> bool;
}

/// Those of one bus.
#[derive(Default)]
pub(crate) struct SpinningLinks {
    /// There has been one.
    any: AtomicBool,
    links: Mutex<Arc<[Weak<dyn SpinningLink>]>>,
    /// With which the next look begins.
    first: AtomicUsize,
}

impl SpinningLinks {
    /// From now on receivers look at this one too.
    pub(crate) fn add(&self, link: Weak<dyn SpinningLink>) {
        // Each change leaves what is inside whole.
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let those_left = links.iter().filter(|link| link.strong_count() > 0).cloned();
        *links = those_left.chain([link]).collect();
        self.any.store(true, Ordering::Release);
    }

    /// Has a receiver that has nothing to do look at the links for a moment. It has set `bell`, which is
    /// rung when there is something for it: whether it was. `in_a_row` is the receiver's, for this alone.
    ///
    /// If not, the receiver goes to sleep as ever. It is polled again soon where there are links to be looked
    /// at.
    #[inline]
    pub(crate) fn look(&self, cx: &mut TaskContext<'_>, bell: &Doorbell, in_a_row: &mut u32) -> bool {
        self.any() && self.look_for(cx, address_of(bell), &|| !bell.is_asleep(), in_a_row)
    }

    /// Whether there may be any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// The same for one that waits for something else than its bell, as `is_served` tells, and is no other
    /// receiver by that number. For whoever has found that there may be any.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_for(
        &self,
        cx: &mut TaskContext<'_>,
        receiver: usize,
        is_served: &dyn Fn() -> bool,
        in_a_row: &mut u32,
    ) -> bool {
        if *in_a_row >= LOOKS_MAX {
            *in_a_row = 0;
            rt::poll_later(cx);
            return false;
        }
        // While it looks, others may add theirs.
        let links = Arc::clone(&self.links.lock().unwrap_or_else(PoisonError::into_inner));
        let first = self.first.fetch_add(1, Ordering::Relaxed) % links.len().max(1);
        let (before, from) = links.split_at(first);
        for link in from.iter().chain(before).filter_map(Weak::upgrade) {
            let again = link.look(receiver, is_served);
            if is_served() {
                *in_a_row += 1;
                return true;
            }
            if again {
                // It has taken its moment. The next one is that of another link.
                rt::poll_later(cx);
                break;
            }
        }
        *in_a_row = 0;
        false
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Is looked at again or not, and rings a bell when it was looked at so often.
    struct Looked {
        again: bool,
        looks: AtomicUsize,
        rings_at: usize,
        bell: Arc<Doorbell>,
    }

    impl SpinningLink for Looked {
        fn look(&self, _: usize, _: &dyn Fn() -> bool) -> bool {
            if self.looks.fetch_add(1, Ordering::SeqCst) + 1 == self.rings_at {
                self.bell.ring();
            }
            self.again
        }
    }

    #[test]
    fn each_look_is_at_one_link_that_takes_time_and_each_has_its_turn() {
        let (links, bell) = (SpinningLinks::default(), Arc::new(Doorbell::new()));
        let looked = [true, false, true].map(|again| {
            let (looks, bell) = (AtomicUsize::new(0), Arc::clone(&bell));
            let link = Arc::new(Looked { again, looks, rings_at: usize::MAX, bell });
            let weak: Weak<dyn SpinningLink> = Arc::downgrade(&(Arc::clone(&link) as Arc<dyn SpinningLink>));
            links.add(weak);
            link
        });
        assert!(bell.prepare(Waker::noop()));
        let (mut cx, mut in_a_row) = (TaskContext::from_waker(Waker::noop()), 0);
        for look in 1..=12 {
            assert!(!links.look(&mut cx, &bell, &mut in_a_row));
            let all = |link: &Arc<Looked>| link.looks.load(Ordering::SeqCst);
            assert_eq!(all(&looked[0]) + all(&looked[2]), look, "one of those that take time");
        }
        assert!(looked.iter().all(|link| link.looks.load(Ordering::SeqCst) >= 4));
    }

    #[test]
    fn whoever_finds_something_at_each_look_lets_others_run_now_and_then() {
        let (links, bell) = (SpinningLinks::default(), Arc::new(Doorbell::new()));
        let mut in_a_row = 0;
        let mut found = 0;
        for _ in 0..2 * (LOOKS_MAX + 1) {
            let looks = AtomicUsize::new(0);
            let link: Arc<dyn SpinningLink> =
                Arc::new(Looked { again: true, looks, rings_at: 1, bell: Arc::clone(&bell) });
            links.add(Arc::downgrade(&link));
            assert!(bell.prepare(Waker::noop()));
            let mut cx = TaskContext::from_waker(Waker::noop());
            found += u32::from(links.look(&mut cx, &bell, &mut in_a_row));
        }
        assert_eq!(found, 2 * LOOKS_MAX, "one look of {} is none", LOOKS_MAX + 1);
    }
}
