//! The message in front of a subscription, held there.

use std::fmt;
use std::ptr::NonNull;

use super::subscription::{Delivery, Subscription};
use crate::Source;

/// The message in front of a [`Subscription`], which is borrowed until the message is passed. Dropped without
/// that, it leaves the message in front.
///
/// The message keeps its place in the queue: there is room for another one only once it is passed.
///
/// ```
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Stamps, SubscribeOptions, Topic};
///
/// let topic = Topic::<String>::new(Arc::new(Stamps::new()), 8);
/// let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
/// topic.try_publish("one".into(), 0).unwrap();
/// topic.try_publish("two".into(), 0).unwrap();
///
/// assert_eq!(queue.front().unwrap().delivery().message, "one");
/// queue.front().unwrap().pass();
/// assert_eq!(queue.front().unwrap().into_owned(), "two");
/// assert!(queue.front().is_none());
/// ```
pub struct Front<'a, M: Clone + Send + Sync + 'static> {
    queue: &'a mut Subscription<M>,
    /// In front of `queue`. No reference: one that is an argument of a function must be valid until that
    /// returns, and this message may be dropped before.
    message: NonNull<M>,
    stamp: u64,
    sender: u64,
}

// SAFETY: it is a borrowed subscription, which may be sent, and a pointer that is read alone; messages are
// `Sync`.
unsafe impl<M: Clone + Send + Sync + 'static> Send for Front<'_, M> {}
// SAFETY: a shared one gives references to the message alone, which is `Sync`.
unsafe impl<M: Clone + Send + Sync + 'static> Sync for Front<'_, M> {}

impl<'a, M: Clone + Send + Sync + 'static> Front<'a, M> {
    /// The message in front of `queue`, among the visible ones.
    #[inline]
    pub(super) fn new(queue: &'a mut Subscription<M>) -> Option<Self> {
        let Delivery { message, stamp, sender } = queue.peek()?;
        let message = NonNull::from(message);
        Some(Self { queue, message, stamp, sender })
    }

    /// The message, its place in the order of the bus, and who published it.
    #[inline]
    #[must_use]
    pub fn delivery(&self) -> Delivery<'_, M> {
        // SAFETY: (1) the message was in front of `queue` when this was made, and a message in front stays
        // where it is, in a slot of the ring or of the subscriber's own queue, until `queue` passes it;
        // (2) `queue` is borrowed by this alone, and each method that passes takes `self`.
        let message = unsafe { self.message.as_ref() };
        Delivery { message, stamp: self.stamp, sender: self.sender }
    }

    /// Passes the message, which was handled, and makes that known to the publishers at once.
    ///
    /// # Panics
    /// When the destructor of the message does, which is passed then.
    #[inline]
    pub fn pass(self) {
        let commits = Commits(self.queue);
        commits.0.advance();
    }

    /// Passes the message, which nobody will handle: no panic of its destructor gets out.
    pub fn discard(self) {
        self.queue.discard();
        self.queue.commit();
    }

    /// Passes the message and returns it: the very message if no other subscriber reads it any more, else a
    /// clone.
    ///
    /// # Panics
    /// When the clone does: the message stays in front then. When the destructor of a message does that was
    /// cloned, which is passed then.
    #[must_use = "`pass` passes it without a clone"]
    pub fn into_owned(self) -> M {
        self.into_owned_counted(&mut 0)
    }

    /// The same, and adds one to `passed` when the message is passed: also where its destructor panics then.
    ///
    /// # Panics
    /// When [`into_owned`](Self::into_owned) does.
    #[must_use = "`pass` passes it without a clone"]
    pub fn into_owned_counted(self, passed: &mut u64) -> M {
        let commits = Commits(self.queue);
        let message = commits.0.take_front(passed);
        message.unwrap_or_else(|| unreachable!("this is the message in front"))
    }
}

/// Makes known what was passed, also when foreign code has panicked.
struct Commits<'a, M: Clone + Send + Sync + 'static>(&'a mut Subscription<M>);

impl<M: Clone + Send + Sync + 'static> Drop for Commits<'_, M> {
    #[inline]
    fn drop(&mut self) {
        self.0.commit();
    }
}

impl<M: Clone + Send + Sync + fmt::Debug + 'static> fmt::Debug for Front<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Front").field(self.delivery().message).finish()
    }
}
