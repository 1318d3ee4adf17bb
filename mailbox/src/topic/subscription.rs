//! The subscriber's half of a topic.

use std::fmt;
use std::mem::ManuallyDrop;
use std::task::Context;

use super::core::Core;
use super::cursor::Cursor;
use super::drain::{Consume, Drained, Span, drain, for_each, pass_runs, take_runs};
use super::error::{Obstacle, SubscribeError};
use super::front::Front;
use super::lane::LaneReader;
use super::payload::{Boxed, Inline, Owned, Payload};
use super::seat::{Occupant, SubscriberState};
use super::visible::Visible;
use super::{Form, SubscribeOptions};
use crate::backlog::{Backlog, WhenFull};
use crate::merge::Source;
use crate::policy::Overflow;
use crate::sync::Arc;
use crate::{Doorbell, FutureSlot, QUEUE_CAPACITY_MAX};

/// A message at the front of a subscription, read in place.
#[derive(Debug)]
pub struct Delivery<'a, M> {
    /// The message.
    pub message: &'a M,
    /// Its place in the order of the bus.
    pub stamp: u64,
    /// The id its publisher gave, or 0.
    pub sender: u64,
}

impl<M> Clone for Delivery<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Delivery<'_, M> {}

/// What one receiver gets of one topic. Dropping it unsubscribes: its room is free for the others at once,
/// and publishers that waited for it are woken.
///
/// [`head`](Source::head) makes messages visible, [`peek`](Self::peek) shows the one in front, and only
/// [`advance`](Self::advance) passes it: after a panic of its handler it is still in front.
pub struct Subscription<M: Clone + Send + Sync + 'static> {
    reader: Reader<M>,
}

/// It drops what it has by itself, as [`Form`] does.
enum Reader<M: Clone + Send + Sync + 'static> {
    InlineRing(ManuallyDrop<Cursor<Inline<M>>>),
    OwnedRing(ManuallyDrop<Cursor<Owned<M>>>),
    BoxedRing(ManuallyDrop<Cursor<Boxed<M>>>),
    InlineLane(ManuallyDrop<LaneReader<Inline<M>>>),
    OwnedLane(ManuallyDrop<LaneReader<Owned<M>>>),
    BoxedLane(ManuallyDrop<LaneReader<Boxed<M>>>),
}

/// Runs the same expression on each reader, or one on rings and another on lanes. Only the form of the
/// message type is compiled in.
macro_rules! each_reader {
    ($reader:expr, $inner:ident => $body:expr) => {
        each_reader!($reader, $inner => $body, $inner => $body)
    };
    ($reader:expr, $cursor:ident => $of_ring:expr, $lane:ident => $of_lane:expr) => {
        match $reader {
            Reader::InlineRing($cursor) if const { Form::<M>::IS_INLINE } => $of_ring,
            Reader::OwnedRing($cursor) if const { Form::<M>::IS_OWNED } => $of_ring,
            Reader::BoxedRing($cursor) if const { Form::<M>::IS_BOXED } => $of_ring,
            Reader::InlineLane($lane) if const { Form::<M>::IS_INLINE } => $of_lane,
            Reader::OwnedLane($lane) if const { Form::<M>::IS_OWNED } => $of_lane,
            Reader::BoxedLane($lane) if const { Form::<M>::IS_BOXED } => $of_lane,
            _ => unreachable!("the form is a constant of the message type"),
        }
    };
}

impl<M: Clone + Send + Sync + 'static> Drop for Reader<M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the drop of its owner, after which nothing reaches it.
        each_reader!(self, reader => unsafe { ManuallyDrop::drop(reader) });
    }
}

impl<M: Clone + Send + Sync + 'static> Subscription<M> {
    pub(super) fn new(
        form: &Form<M>,
        doorbell: Arc<Doorbell>,
        options: SubscribeOptions<M>,
    ) -> Result<Self, SubscribeError> {
        let (block, retained) =
            (matches!(options.overflow, Overflow::Block) && !options.apart, options.retained);
        macro_rules! reader {
            ($core:ident, $ring:ident, $lane:ident) => {
                if block {
                    let cursor = Core::add_gate($core, seat($core, doorbell, &options), retained)?;
                    Reader::$ring(ManuallyDrop::new(cursor))
                } else {
                    Reader::$lane(ManuallyDrop::new(lane($core, doorbell, options)?))
                }
            };
        }
        let reader = match form {
            Form::Inline(core) if const { Form::<M>::IS_INLINE } => reader!(core, InlineRing, InlineLane),
            Form::Owned(core) if const { Form::<M>::IS_OWNED } => reader!(core, OwnedRing, OwnedLane),
            Form::Boxed(core) if const { Form::<M>::IS_BOXED } => reader!(core, BoxedRing, BoxedLane),
            _ => unreachable!("the form is a constant of the message type"),
        };
        Ok(Self { reader })
    }

    /// The message in front, among those a [`head`](Source::head) has made visible.
    // As calls of their own, this and `advance` made 607 instructions of a publish in bytes of 567.
    #[inline(always)]
    pub fn peek(&mut self) -> Option<Delivery<'_, M>> {
        each_reader!(&mut self.reader, reader => reader.peek().map(|entry| Delivery {
            message: entry.value.message(),
            stamp: entry.stamp,
            sender: entry.sender,
        }))
    }

    /// Passes the message in front: it was handled. Without a visible message it does nothing.
    #[inline(always)]
    pub fn advance(&mut self) {
        each_reader!(&mut self.reader, reader => reader.advance());
    }

    /// Makes messages visible, and holds the one in front until it is passed.
    #[inline]
    pub fn front(&mut self) -> Option<Front<'_, M>> {
        self.head()?;
        Front::new(self)
    }

    /// Passes the message in front and returns it, or a clone if others have it too; `passed` is raised by
    /// one then.
    pub(super) fn take_front(&mut self, passed: &mut u64) -> Option<M> {
        each_reader!(&mut self.reader, reader => reader.take_front(passed))
    }

    /// Somebody begins to handle the message in front: what was before it is over. See
    /// [`was_cut_between`](Self::was_cut_between).
    #[inline]
    pub fn begin_front(&mut self) {
        each_reader!(&mut self.reader, reader => reader.cut_between = false);
    }

    /// Passes the message in front, which nobody will handle. If this is the last subscriber, it drops it as
    /// [`discard`](crate::discard) does.
    pub fn discard(&mut self) {
        each_reader!(&mut self.reader, reader => reader.discard());
    }

    /// Handles visible messages one after the other, in futures that run in `slot`; like [`peek`](Self::peek)
    /// and [`advance`](Self::advance) in a loop, but nothing is paid for handlers that do not wait.
    ///
    /// A message is passed, and added to `handled`, once its handler was ready and [`Consume::is_handled`]
    /// said yes. After a panic, an output that says no, or a handler that waits, it is still in front.
    ///
    /// A message with a destructor is dropped here if this is the last subscriber that it is handled by,
    /// before the next handler begins.
    ///
    /// # Panics
    /// When a handler does, or the destructor of a message that was handled, which is passed then.
    #[inline]
    #[allow(clippy::too_many_arguments)] // Each is lent for `'a` on its own, so that a handler may wait in the slot.
    pub fn drain<'a, H, S, C>(
        &'a mut self,
        state: &'a mut S,
        context: &'a mut C,
        slot: &'a mut FutureSlot,
        span: &Span<'_>,
        handled: &mut u64,
        cx: &mut Context<'_>,
    ) -> Drained<'a, H::Output>
    where
        H: Consume<S, C, M>,
        H::Output: 'a,
    {
        each_reader!(&mut self.reader, reader => drain::<H, S, C, _>(&mut **reader, state, context, slot, span, handled, cx))
    }

    /// Shows up to `most` visible messages to `each`, in order and where they lie; like [`peek`](Self::peek)
    /// and [`advance`](Self::advance) in a loop, for less. Each is passed, and added to `handled`, once
    /// `each` has returned from it.
    ///
    /// # Panics
    /// When `each` does: the message in hand is still in front. When the destructor of a message does, which
    /// is passed then.
    #[inline]
    pub fn for_each(&mut self, most: u32, handled: &mut u64, each: impl FnMut(Delivery<'_, M>)) {
        each_reader!(&mut self.reader, reader => for_each(&mut **reader, most, handled, each));
    }

    /// Shows visible messages with stamps below `below` to `take`, at most `most` of them, in order, where
    /// they lie and several at once: it says how many of these it takes, from the front. They are passed, and
    /// added to `handled`. Of each that nobody else reads any more, `gone` is given the message itself, in
    /// place of its drop. It ends with the first that is not taken, which is in front then.
    ///
    /// # Panics
    /// When `take` does: nothing of what it was shown is passed. When `gone` or the destructor of a message
    /// does, which is passed then.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{Doorbell, Source, Stamps, SubscribeOptions, Topic, Visible};
    ///
    /// let topic = Topic::<String>::new(Arc::new(Stamps::new()), 8);
    /// let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    /// ["a", "b", "stop", "c"].map(|word| topic.try_publish(word.into(), 0).unwrap());
    /// queue.head();
    ///
    /// let (mut handled, mut kept) = (0, Vec::new());
    /// let fits = |run: Visible<'_, String>| run.take_while(|word| word.message != "stop").count();
    /// queue.take_runs((u64::MAX, 100), &mut handled, fits, |word| kept.push(word));
    /// assert_eq!((handled, kept), (2, vec!["a".to_string(), "b".to_string()]));
    /// assert_eq!(queue.peek().unwrap().message, "stop");
    /// ```
    #[inline]
    pub fn take_runs(
        &mut self,
        (below, most): (u64, u32),
        handled: &mut u64,
        take: impl FnMut(Visible<'_, M>) -> usize,
        gone: impl FnMut(M),
    ) {
        each_reader!(&mut self.reader, reader => take_runs(&mut **reader, (below, most), handled, take, gone));
    }

    /// As [`take_runs`](Self::take_runs), without the messages themselves: those that are taken are passed
    /// and dropped together, which costs less.
    ///
    /// # Panics
    /// When `take` does: nothing of what it was shown is passed. When the destructor of a message does, which
    /// is passed then.
    #[inline]
    pub fn pass_runs(
        &mut self,
        (below, most): (u64, u32),
        handled: &mut u64,
        take: impl FnMut(Visible<'_, M>) -> usize,
    ) {
        each_reader!(&mut self.reader, reader => pass_runs(&mut **reader, (below, most), handled, take));
    }

    /// Messages published and not passed yet; for a ring, the subscriber's own among them.
    #[must_use]
    pub fn unread(&self) -> u64 {
        each_reader!(&self.reader, cursor => cursor.unread(), lane => lane.unread() as u64)
    }

    /// Whether the last [`drain`](Self::drain) was cut short by the destructor of a message that was handled:
    /// then nobody has begun to handle the one in front.
    #[must_use]
    pub fn was_cut_between(&self) -> bool {
        each_reader!(&self.reader, reader => reader.cut_between)
    }

    /// Unsubscribes, as a drop does, and returns how many messages were published and not passed by then,
    /// without the subscriber's own: exactly what the topic counts as unread. [`unread`](Self::unread) before
    /// a drop may miss a message that is published in between.
    pub fn leave(self) -> u64 {
        let seat = Arc::clone(self.seat());
        drop(self);
        seat.left_behind()
    }

    /// Whether the topic is closed and everything is read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        // Closed first: no message is added after.
        each_reader!(&self.reader, reader => reader.core.is_closed()) && self.unread() == 0
    }

    /// The id given when subscribing.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.seat().id
    }

    fn seat(&self) -> &Arc<SubscriberState> {
        each_reader!(&self.reader, cursor => &cursor.seat, reader => &reader.lane.seat)
    }
}

impl<M: Clone + Send + Sync + 'static> Source for Subscription<M> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        each_reader!(&mut self.reader, reader => reader.head())
    }

    #[inline]
    fn commit(&mut self) {
        each_reader!(&mut self.reader, reader => reader.commit());
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        each_reader!(&mut self.reader, reader => reader.arm(tag))
    }
}

fn seat<V: Payload>(
    core: &Core<V>,
    doorbell: Arc<Doorbell>,
    options: &SubscribeOptions<V::Message>,
) -> SubscriberState {
    let most = u64::from(QUEUE_CAPACITY_MAX);
    let capacity = options.capacity.map_or(core.ring_capacity(), u64::from).clamp(1, most);
    SubscriberState::new(Occupant {
        doorbell,
        id: options.id,
        capacity,
        echo: options.echo,
        apart: options.apart,
        policy: options.overflow.name(),
        badge: options.badge.clone(),
    })
}

fn lane<V: Payload>(
    core: &Arc<Core<V>>,
    doorbell: Arc<Doorbell>,
    options: SubscribeOptions<V::Message>,
) -> Result<LaneReader<V>, SubscribeError> {
    let seat = seat(core, doorbell, &options);
    let capacity = u32::try_from(seat.capacity).unwrap_or(QUEUE_CAPACITY_MAX);
    let backlog = Backlog::new(WhenFull::from(&options.overflow), capacity);
    let refuses = match options.overflow {
        Overflow::Block => Some(Obstacle::Lane),
        Overflow::Fail => Some(Obstacle::FailLane),
        _ => None,
    };
    let retained = options.retained;
    let key = if let Overflow::Conflate(key) = options.overflow { Some(key) } else { None };
    Core::add_lane(core, seat, backlog, key, refuses, retained)
}

impl<M: Clone + Send + Sync + 'static> fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seat = self.seat();
        f.debug_struct("Subscription")
            .field("id", &seat.id)
            .field("policy", &seat.policy)
            .field("unread", &self.unread())
            .finish()
    }
}
