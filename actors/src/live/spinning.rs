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
use crate::sync::{AtomicBool, Mutex, Ordering};

/// How often in a row a receiver has a message that it has looked for, before it lets others run: each look
/// may have taken a microsecond (looks).
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
        self.any() && self.look_at_links(cx, bell, in_a_row)
    }

    /// Whether there may be any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn look_at_links(&self, cx: &mut TaskContext<'_>, bell: &Doorbell, in_a_row: &mut u32) -> bool {
        if *in_a_row >= LOOKS_MAX {
            *in_a_row = 0;
            rt::poll_later(cx);
            return false;
        }
        // While it looks, others may add theirs.
        let links = Arc::clone(&self.links.lock().unwrap_or_else(PoisonError::into_inner));
        let mut again = false;
        for link in links.iter().filter_map(Weak::upgrade) {
            again |= link.look(address_of(bell), &|| !bell.is_asleep());
            if !bell.is_asleep() {
                *in_a_row += 1;
                return true;
            }
        }
        *in_a_row = 0;
        if again {
            rt::poll_later(cx);
        }
        false
    }
}
