//! Receiving for code that is no actor.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::{Doorbell, Front, Source, Subscription as Queue};

use super::bus::BusCore;
use super::cancel::CancelPoint;
use super::current::poll_turn;
use super::source::Tally;
use super::spinning::SpinningLinks;
use super::topics::QueueOwner;
use crate::{ActorId, Delivery, Identity, Message, SpawnError, Subscription};

/// The live half of a [`Subscriber`](crate::Subscriber).
pub(crate) struct LiveSubscriber<M: Message> {
    queue: Queue<M>,
    bell: Arc<Doorbell>,
    tally: Tally<M>,
    /// Where its service ends, if it waits for the next message there.
    at: Option<CancelPoint>,
    spinning: Arc<SpinningLinks>,
    /// How often in a row it has looked at those with success.
    looks: u32,
}

impl<M: Message> LiveSubscriber<M> {
    /// `who` is the service it belongs to.
    pub(crate) fn new(
        core: &BusCore,
        subscription: Subscription<M>,
        who: Option<Arc<Identity>>,
    ) -> Result<Self, SpawnError> {
        let entry = core.topics.entry::<M>()?;
        let bell = Arc::new(Doorbell::new());
        let queue = entry.subscribe(subscription, &QueueOwner { who, bell: Arc::clone(&bell) })?;
        let spinning = Arc::clone(&core.links.spinning);
        Ok(Self { queue, bell, tally: Tally::new(entry), at: None, spinning, looks: 0 })
    }

    #[inline]
    pub(crate) fn try_recv(&mut self) -> Option<LiveReceived<'_, M>> {
        let Self { queue, tally, .. } = self;
        Some(LiveReceived { front: Some(queue.front()?), tally })
    }

    pub(crate) fn drain(&mut self, most: usize, mut each: impl FnMut(Delivery<'_, M>)) -> usize {
        // Of what waits now, so that it ends however fast others publish.
        let most = u64::try_from(most).unwrap_or(u64::MAX).min(self.queue.unread());
        // A panic of `each` leaves here what was passed before.
        let begun = self.tally.uncounted;
        loop {
            let left = most - (self.tally.uncounted - begun);
            if left == 0 || self.queue.head().is_none() {
                break;
            }
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            self.queue.for_each(left, &mut self.tally.uncounted, |shown| {
                let sender = (shown.sender != 0).then_some(ActorId(shown.sender));
                each(Delivery::new(shown.message, shown.stamp, sender));
            });
        }
        let passed = self.tally.uncounted - begun;
        self.queue.commit();
        self.tally.settle();
        // No more than `most`.
        usize::try_from(passed).unwrap_or(usize::MAX)
    }

    /// Nobody waits for the next message any more.
    #[inline]
    pub(crate) fn forget_wait(&mut self) {
        self.at = None;
    }

    /// Whether a message waits; `false` once there will be none any more.
    #[inline]
    pub(crate) fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        ready!(poll_turn(cx, &mut self.at));
        if self.queue.head().is_some() {
            return Poll::Ready(true);
        }
        self.sleep(cx)
    }

    /// Sleeps until there is one, if there still is none.
    #[inline(never)]
    fn sleep(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        if self.queue.is_finished() {
            return Poll::Ready(false);
        }
        if !self.bell.prepare(cx.waker()) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let waits = !self.queue.arm() && !self.queue.is_finished();
        if waits && !self.spinning.look(cx, &self.bell, &mut self.looks) {
            return Poll::Pending;
        }
        self.bell.cancel();
        match self.queue.head() {
            Some(_) => Poll::Ready(true),
            None if self.queue.is_finished() => Poll::Ready(false),
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// Tells the topic what was passed, also when the destructor of a message has panicked.
struct CountsPassed<'a, M: Message>(&'a mut Tally<M>);

impl<M: Message> Drop for CountsPassed<'_, M> {
    fn drop(&mut self) {
        self.0.settle();
    }
}

/// The live half of a [`Received`](crate::Received).
pub(crate) struct LiveReceived<'a, M: Message> {
    /// There until it is passed.
    front: Option<Front<'a, M>>,
    tally: &'a mut Tally<M>,
}

impl<M: Message> LiveReceived<'_, M> {
    #[inline]
    pub(crate) fn delivery(&self) -> Delivery<'_, M> {
        let Some(front) = &self.front else { unreachable!("nobody has it once the message is passed") };
        let shown = front.delivery();
        let sender = (shown.sender != 0).then_some(ActorId(shown.sender));
        Delivery::new(shown.message, shown.stamp, sender)
    }

    /// Passes the message, if it is there.
    #[inline]
    pub(crate) fn pass(&mut self) {
        let Some(front) = self.front.take() else { return };
        self.count();
        if std::thread::panicking() { front.discard() } else { front.pass() }
    }

    pub(crate) fn take(&mut self) -> M {
        let Some(front) = self.front.take() else { unreachable!("who takes the message has the guard") };
        let counts = CountsPassed(self.tally);
        front.into_owned_counted(&mut counts.0.uncounted)
    }

    /// At once: it may be long until the next one is asked for.
    #[inline]
    fn count(&mut self) {
        self.tally.uncounted += 1;
        self.tally.settle();
    }
}
