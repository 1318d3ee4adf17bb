//! What an actor receives from: its topics, one source each, and its direct inbox.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::{
    Consume, Delivery, Drained as Queued, FutureSlot, Inbox, Source, Span, Started, Subscription as Queue,
};

use super::address::Address;
use super::envelope::{Envelope, call};
use super::topics::TopicEntry;
use crate::life;
use crate::{Actor, Context, Handler, Message, StopReason};

/// After how many handled messages, at most, a source adds them to its topic's counter (messages).
const COUNT_EVERY: u64 = 1024;

/// A [`Source`] of what waits in a `queue`, whose messages a `tally` counts.
macro_rules! counted_queue {
    () => {
        #[inline]
        fn head(&mut self) -> Option<u64> {
            let head = self.queue.head();
            if head.is_none() {
                // Before anything else is handled: an answer given after these messages finds them counted.
                self.tally.settle();
            }
            head
        }

        fn commit(&mut self) {
            self.queue.commit();
            self.tally.settle();
        }

        fn arm_as(&mut self, tag: Option<u32>) -> bool {
            self.queue.arm_as(tag)
        }
    };
}
pub(super) use counted_queue;

/// What the handler's error ends the actor with. Boxed, so that this is one word, which lies in a register
/// and not in memory.
pub(crate) type SourceDrained = Result<(), Box<StopReason>>;

/// What a handler ends with.
#[inline]
pub(super) fn drained<E: fmt::Display>(result: Result<(), E>) -> SourceDrained {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

#[cold]
fn failed<E: fmt::Display>(error: E) -> Box<StopReason> {
    Box::new(StopReason::of_error(error))
}

/// One subscription of an actor: a topic, and whether it comes as bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) type_id: u16,
    pub(crate) by_wire: bool,
}

impl Way {
    pub(crate) fn typed<M: Message>() -> Self {
        Self { type_id: M::TYPE_ID, by_wire: false }
    }

    pub(crate) fn wire(type_id: u16) -> Self {
        Self { type_id, by_wire: true }
    }
}

/// One source of an actor, whatever its message type.
pub(crate) trait ActorSource<A: Actor>: Source + Send {
    /// Handles visible messages one after the other, in a future that lives in `slot`.
    ///
    /// A message leaves the source only after its handler has returned `Ok`: after an error or a panic it is
    /// still in front.
    fn drain<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        span: &Span<'_>,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained>;

    /// Called after each `drain` that ended well: how many messages it has handled.
    fn settle(&mut self) -> u32;

    /// Leaves the message in front, whose handler failed, where it is, to be handled again, and says so at
    /// the next [`take_kept`](Self::take_kept). `false`: there is none, or it is not handled twice.
    fn keep(&mut self) -> bool;

    /// Whether the message in front was kept and not asked for since.
    fn take_kept(&mut self) -> bool;

    /// Whether the handler of the message in front has taken it, so that it cannot be handled again.
    fn is_taken(&self) -> bool {
        false
    }

    /// Drops the message in front, which nobody will handle; its name.
    fn discard(&mut self) -> Option<&'static str>;

    /// Drops the next of the messages that wait, for the end; its name and how many of them there were.
    fn abandon(&mut self) -> Option<(&'static str, u64)>;

    /// The life that it was for is over: drops what the next one is not to hear.
    fn end_life(&mut self) {}

    /// Leaves its topic: the name of its messages, and how many of them waited.
    fn leave(self: Box<Self>) -> Option<(&'static str, u64)> {
        None
    }

    /// Which of its actor's subscriptions it is; `None` for the direct inbox.
    fn topic(&self) -> Option<Way>;

    /// The name of the message in front, if there is one.
    fn front_name(&self) -> Option<&'static str>;

    /// The name of its topic; `None` for the direct inbox.
    fn topic_name(&self) -> Option<&'static str> {
        None
    }
}

/// What an actor gets of one topic.
pub(crate) struct TopicSource<M: Message> {
    queue: Queue<M>,
    tally: Tally<M>,
    /// How many messages were handled since the last `settle`.
    handled: u32,
    /// Whether the handler of the message in front waits.
    waits: bool,
    kept: bool,
}

impl<M: Message> TopicSource<M> {
    pub(crate) fn new(queue: Queue<M>, entry: Arc<TopicEntry<M>>) -> Self {
        Self { queue, tally: Tally::new(entry), handled: 0, waits: false, kept: false }
    }
}

impl<M: Message> TopicSource<M> {
    /// Handles the message in front while a probe looks on.
    #[cold]
    fn handle_seen<'a, A: Handler<M>>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        let Self { queue, tally, waits, .. } = self;
        queue.begin_front();
        let Some(Delivery { message, .. }) = queue.peek() else { return Started::Ready(Ok(())) };
        *waits = true;
        tally.settle();
        call(actor, message, ctx, slot, cx)
    }
}

/// What was handled, until the topic's counter has it: at the latest when it is dropped.
pub(crate) struct Tally<M: Clone + Send + Sync + 'static> {
    pub(crate) entry: Arc<TopicEntry<M>>,
    pub(crate) uncounted: u64,
}

impl<M: Clone + Send + Sync + 'static> Tally<M> {
    pub(crate) fn new(entry: Arc<TopicEntry<M>>) -> Self {
        Self { entry, uncounted: 0 }
    }

    /// One more was handled.
    #[inline]
    pub(crate) fn passed(&mut self) {
        self.uncounted += 1;
        if self.uncounted >= COUNT_EVERY {
            self.settle();
        }
    }

    /// So many more were handled.
    pub(crate) fn passed_together(&mut self, messages: u64) {
        self.uncounted += messages;
        if self.uncounted >= COUNT_EVERY {
            self.settle();
        }
    }

    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.uncounted > 0 {
            self.entry.count_delivered(std::mem::take(&mut self.uncounted));
        }
    }
}

impl<M: Clone + Send + Sync + 'static> Drop for Tally<M> {
    fn drop(&mut self) {
        self.settle();
    }
}

/// How an actor handles a published message.
struct Hear;

impl<A: Handler<M>, M: Message> Consume<A, Context<A>, M> for Hear {
    type Result = Result<(), A::Error>;
    type Output = SourceDrained;

    #[inline]
    fn consume<'a>(
        actor: &'a mut A,
        message: &'a M,
        ctx: &'a mut Context<A>,
    ) -> impl Future<Output = Self::Result> + Send + 'a {
        life::handle(actor, message, ctx)
    }

    #[inline]
    fn is_handled(result: &Self::Result) -> bool {
        result.is_ok()
    }

    fn finish(result: Self::Result) -> SourceDrained {
        drained(result)
    }
}

impl<M: Message> Source for TopicSource<M> {
    counted_queue!();
}

impl<A: Handler<M>, M: Message> ActorSource<A> for TopicSource<M> {
    fn drain<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        span: &Span<'_>,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        if ctx.is_probed() {
            return self.handle_seen(actor, ctx, slot, cx);
        }
        if self.tally.uncounted >= COUNT_EVERY {
            self.tally.settle();
        }
        let Self { queue, tally, handled, waits, .. } = self;
        let before = tally.uncounted;
        match queue.drain::<Hear, _, _>(actor, ctx, slot, span, &mut tally.uncounted, cx) {
            Queued::Done => {
                // At most `span.most`.
                *handled = u32::try_from(tally.uncounted - before).unwrap_or(span.most);
                Started::Ready(Ok(()))
            }
            Queued::Failed(failed) => Started::Ready(failed),
            Queued::Parked(parked) => {
                *waits = true;
                tally.settle();
                Started::Parked(parked)
            }
        }
    }

    fn settle(&mut self) -> u32 {
        if std::mem::take(&mut self.waits) {
            // First: should the message's destructor panic, it was handled all the same.
            self.tally.uncounted += 1;
            self.queue.advance();
        }
        std::mem::take(&mut self.handled)
    }

    fn keep(&mut self) -> bool {
        self.waits = false;
        self.kept = !self.queue.was_cut_between() && self.queue.peek().is_some();
        self.kept
    }

    fn take_kept(&mut self) -> bool {
        std::mem::take(&mut self.kept)
    }

    fn discard(&mut self) -> Option<&'static str> {
        self.waits = false;
        if self.queue.was_cut_between() {
            // The one before was handled, and its destructor has panicked. This one waits.
            return None;
        }
        self.queue.peek()?;
        self.queue.discard();
        self.tally.entry.count_dead_letter();
        Some(M::NAME)
    }

    fn abandon(&mut self) -> Option<(&'static str, u64)> {
        // Messages that wait go with the queue.
        None
    }

    fn leave(self: Box<Self>) -> Option<(&'static str, u64)> {
        // Counted in the moment of leaving: until then others publish.
        let unread = self.queue.leave();
        (unread > 0).then_some((M::NAME, unread))
    }

    fn topic(&self) -> Option<Way> {
        Some(Way::typed::<M>())
    }

    fn front_name(&self) -> Option<&'static str> {
        Some(M::NAME)
    }

    fn topic_name(&self) -> Option<&'static str> {
        Some(M::TOPIC)
    }
}

/// What was sent to an actor directly: tells and asks.
pub(crate) struct DirectSource<A: Actor> {
    inbox: Inbox<Envelope<A>, Address<A>>,
    kept: bool,
}

impl<A: Actor> DirectSource<A> {
    pub(crate) fn new(address: &Arc<Address<A>>) -> Self {
        Self { inbox: Inbox::of(Arc::clone(address)), kept: false }
    }

    /// The stamp of the message in front, among those that were seen.
    #[inline]
    pub(crate) fn stamp_seen(&self) -> Option<u64> {
        self.inbox.peek().map(|(_, stamp)| stamp)
    }
}

impl<A: Actor> Source for DirectSource<A> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        self.inbox.head()
    }

    fn commit(&mut self) {
        self.inbox.commit();
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        self.inbox.arm_as(tag)
    }
}

impl<A: Actor> ActorSource<A> for DirectSource<A> {
    #[inline]
    fn drain<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        _: &Span<'_>,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        // One message at a time: each has a future type of its own.
        match self.inbox.peek_mut() {
            Some((envelope, _)) => envelope.handle(actor, ctx, slot, cx),
            None => Started::Ready(Ok(())),
        }
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        self.inbox.advance();
        1
    }

    fn keep(&mut self) -> bool {
        let stays =
            |envelope: &Envelope<A>| !envelope.is_query() && !envelope.is_marker() && !envelope.is_by_value();
        self.kept = self.inbox.peek().is_some_and(|(envelope, _)| stays(envelope));
        self.kept
    }

    fn is_taken(&self) -> bool {
        self.inbox.peek().is_some_and(|(envelope, _)| envelope.is_by_value())
    }

    fn take_kept(&mut self) -> bool {
        std::mem::take(&mut self.kept)
    }

    fn discard(&mut self) -> Option<&'static str> {
        if self.inbox.peek()?.0.is_marker() {
            // No message of anybody's: the next life comes to it again.
            return None;
        }
        self.inbox.take().map(Envelope::discard)
    }

    fn abandon(&mut self) -> Option<(&'static str, u64)> {
        self.inbox.close();
        loop {
            self.inbox.head()?;
            let envelope = self.inbox.take()?;
            if !envelope.is_marker() {
                return Some((envelope.discard(), 1));
            }
        }
    }

    fn topic(&self) -> Option<Way> {
        None
    }

    fn front_name(&self) -> Option<&'static str> {
        self.inbox.peek().map(|(envelope, _)| envelope.name())
    }
}

/// A source as its actor holds it. The direct inbox, which every actor has, needs no memory of its own.
pub(crate) enum Inlet<A: Actor> {
    Direct(DirectSource<A>),
    Topic(Box<dyn ActorSource<A>>),
}

impl<A: Actor> Inlet<A> {
    /// See [`ActorSource::drain`].
    #[inline]
    pub(crate) fn drain<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        span: &Span<'_>,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        match self {
            Self::Direct(direct) => direct.drain(actor, ctx, slot, span, cx),
            Self::Topic(topic) => topic.drain(actor, ctx, slot, span, cx),
        }
    }

    /// See [`ActorSource::settle`].
    #[inline]
    pub(crate) fn settle(&mut self) -> u32 {
        match self {
            Self::Direct(direct) => direct.settle(),
            Self::Topic(topic) => topic.settle(),
        }
    }

    /// See [`ActorSource::leave`].
    pub(crate) fn leave(self) -> Option<(&'static str, u64)> {
        match self {
            Self::Direct(_) => None,
            Self::Topic(topic) => topic.leave(),
        }
    }
}

impl<A: Actor> Deref for Inlet<A> {
    type Target = dyn ActorSource<A>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Direct(direct) => direct,
            Self::Topic(topic) => &**topic,
        }
    }
}

impl<A: Actor> DerefMut for Inlet<A> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Direct(direct) => direct,
            Self::Topic(topic) => &mut **topic,
        }
    }
}

impl<A: Actor> Source for Inlet<A> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        match self {
            Self::Direct(direct) => direct.head(),
            Self::Topic(topic) => topic.head(),
        }
    }

    #[inline]
    fn commit(&mut self) {
        match self {
            Self::Direct(direct) => direct.commit(),
            Self::Topic(topic) => topic.commit(),
        }
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        (**self).arm_as(tag)
    }
}

/// A future that starts in a [`FutureSlot`] at its first poll.
pub(crate) struct InSlot<'a, F, O> {
    start: Option<F>,
    parked: Option<mycelium_mailbox::Parked<'a, O>>,
}

impl<'a, F, O> InSlot<'a, F, O>
where
    F: FnOnce(&mut TaskContext<'_>) -> Started<'a, O> + Unpin,
{
    pub(crate) fn new(start: F) -> Self {
        Self { start: Some(start), parked: None }
    }
}

impl<'a, F, O> Future for InSlot<'a, F, O>
where
    F: FnOnce(&mut TaskContext<'_>) -> Started<'a, O> + Unpin,
{
    type Output = O;

    #[inline]
    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<O> {
        let this = self.get_mut();
        if let Some(parked) = &mut this.parked {
            return std::pin::Pin::new(parked).poll(cx);
        }
        let Some(start) = this.start.take() else { return Poll::Pending };
        match start(cx) {
            Started::Ready(output) => Poll::Ready(output),
            Started::Parked(parked) => {
                this.parked = Some(parked);
                Poll::Pending
            }
        }
    }
}
