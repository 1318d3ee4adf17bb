//! What a direct inbox holds: a message or a query of any type, and how the actor handles it, in place or by
//! value: then what is left of the envelope is empty, and it is not handled again. Nothing is
//! allocated for messages up to 64 bytes.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::{FutureSlot, Parcel, ReplySender, Started};

use super::source::{SourceDrained, drained};
use crate::by_value::sealed::{DispatchMessage, DispatchQuery};
use crate::error::short_type_name;
use crate::life::{self, MARKER, Marker, Witness, reason_of};
use crate::{Actor, Context, Handler, Replies, Responder, Takes};

/// One direct message to an actor of type `A`.
pub(crate) struct Envelope<A: Actor> {
    content: Parcel,
    kind: &'static EnvelopeKind<A>,
}

type HandleFn<A> = for<'a> fn(
    &'a mut Parcel,
    &'a mut A,
    &'a mut Context<A>,
    &'a mut FutureSlot,
    &mut TaskContext<'_>,
) -> Started<'a, SourceDrained>;

/// What is known of the content besides its bytes.
struct EnvelopeKind<A: Actor> {
    handle: HandleFn<A>,
    name: fn() -> &'static str,
    is: EnvelopeContent,
    /// Whether its handler takes it out.
    by_value: bool,
}

/// What an envelope holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EnvelopeContent {
    Message,
    /// Somebody waits for the answer.
    Query,
    Marker,
}

struct RequestFn<Q, R> {
    query: Q,
    /// Empty once it was answered.
    reply: Option<ReplySender<R>>,
}

/// The kind of a message.
struct TellKind;

impl<A: Takes<M>, M: Send + 'static> DispatchMessage<A, M> for TellKind {
    type Output = &'static EnvelopeKind<A>;

    #[inline(always)]
    fn by_value(self) -> &'static EnvelopeKind<A> {
        &EnvelopeKind {
            handle: hand_over::<A, M>,
            name: short_type_name::<M>,
            is: EnvelopeContent::Message,
            by_value: true,
        }
    }

    #[inline(always)]
    fn by_reference(self) -> &'static EnvelopeKind<A>
    where
        A: Handler<M>,
        M: Sync,
    {
        &EnvelopeKind {
            handle: handle_message::<A, M>,
            name: short_type_name::<M>,
            is: EnvelopeContent::Message,
            by_value: false,
        }
    }
}

/// The kind of a query.
struct AskKind;

impl<A: Replies<Q>, Q: Send + 'static> DispatchQuery<A, Q> for AskKind {
    type Output = &'static EnvelopeKind<A>;

    #[inline(always)]
    fn by_value(self) -> &'static EnvelopeKind<A> {
        &EnvelopeKind {
            handle: hand_over_query::<A, Q>,
            name: short_type_name::<Q>,
            is: EnvelopeContent::Query,
            by_value: true,
        }
    }

    #[inline(always)]
    fn by_reference(self) -> &'static EnvelopeKind<A>
    where
        A: Responder<Q, Reply = <A as Replies<Q>>::Reply>,
        Q: Sync,
    {
        &EnvelopeKind {
            handle: handle_query::<A, Q>,
            name: short_type_name::<Q>,
            is: EnvelopeContent::Query,
            by_value: false,
        }
    }
}

struct MarkerFn<A>(std::marker::PhantomData<A>);

impl<A: Actor> MarkerFn<A> {
    const KIND: EnvelopeKind<A> = EnvelopeKind {
        handle: pass_marker::<A>,
        name: || MARKER,
        is: EnvelopeContent::Marker,
        by_value: false,
    };
}

impl<A: Actor> Envelope<A> {
    #[inline]
    pub(crate) fn message<M>(message: M) -> Self
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        Self { content: Parcel::new(message), kind: <A as Takes<M>>::dispatch(TellKind) }
    }

    #[inline]
    pub(crate) fn query<Q>(query: Q, reply: ReplySender<A::Reply>) -> Self
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        Self {
            content: Parcel::new(RequestFn { query, reply: Some(reply) }),
            kind: <A as Replies<Q>>::dispatch(AskKind),
        }
    }

    /// Whether nothing is allocated for a query of this type.
    pub(crate) const fn has_place_for<Q>() -> bool
    where
        A: Replies<Q>,
        Q: 'static,
    {
        Parcel::has_place_for::<RequestFn<Q, A::Reply>>()
    }

    pub(crate) fn marker(marker: Marker) -> Self {
        Self { content: Parcel::new(marker), kind: &MarkerFn::<A>::KIND }
    }

    /// The message back, after it was not sent.
    pub(crate) fn into_message<M: 'static>(self) -> Option<M> {
        self.content.into().ok()
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.kind.name)()
    }

    /// Drops what nobody will handle, whose destructor may panic; its name.
    pub(crate) fn discard(self) -> &'static str {
        let name = self.name();
        mycelium_mailbox::discard(self);
        name
    }

    /// Whether somebody waits for an answer to it.
    pub(crate) fn is_query(&self) -> bool {
        self.kind.is == EnvelopeContent::Query
    }

    /// Whether it is no message, but one of the framework's own marks between them.
    pub(crate) fn is_marker(&self) -> bool {
        self.kind.is == EnvelopeContent::Marker
    }

    /// Whether whoever begins to handle it has it for good.
    pub(crate) fn is_by_value(&self) -> bool {
        self.kind.by_value
    }

    #[inline]
    pub(crate) fn handle<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        (self.kind.handle)(&mut self.content, actor, ctx, slot, cx)
    }
}

fn handle_message<'a, A, M>(
    content: &'a mut Parcel,
    actor: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained>
where
    A: Handler<M>,
    M: Send + Sync + 'static,
{
    let Some(message) = content.downcast_ref::<M>() else { return Started::Ready(Ok(())) };
    call(actor, message, ctx, slot, cx)
}

/// Hands over a message that the actor takes. The envelope is empty after that.
fn hand_over<'a, A, M>(
    content: &'a mut Parcel,
    actor: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained>
where
    A: Takes<M>,
    M: Send + 'static,
{
    match take_out(content) {
        Some(message) => call_taking(actor, message, ctx, slot, cx),
        None => Started::Ready(Ok(())),
    }
}

fn take_out<T: 'static>(content: &mut Parcel) -> Option<T> {
    std::mem::replace(content, Parcel::new(())).into().ok()
}

fn handle_query<'a, A, Q>(
    content: &'a mut Parcel,
    actor: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained>
where
    A: Responder<Q>,
    Q: Send + Sync + 'static,
{
    let Some(asked) = content.downcast_mut::<RequestFn<Q, A::Reply>>() else { return Started::Ready(Ok(())) };
    let RequestFn { query, reply } = asked;
    if !ctx.is_probed() {
        let answering = life::answer(actor, query, ctx);
        return slot.start_then(answering, move |answer| give(reply.take(), answer), cx);
    }
    let witness = Witness::of::<A, Q>(ctx);
    let answering = async move {
        let answer = life::answer(actor, query, ctx).await;
        drop(give(reply.take(), answer));
        Ok::<_, A::Error>(())
    };
    slot.start_then(life::seen(witness, answering), drained, cx)
}

/// Gives the answer to the asker, who may have stopped waiting.
#[inline]
fn give<R>(to: Option<ReplySender<R>>, answer: R) -> SourceDrained {
    if let Some(sender) = to {
        let _ = sender.give(answer);
    }
    Ok(())
}

/// Hands over a query that the actor takes.
fn hand_over_query<'a, A, Q>(
    content: &'a mut Parcel,
    actor: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    let Some(RequestFn { query, reply }) = take_out::<RequestFn<Q, A::Reply>>(content) else {
        return Started::Ready(Ok(()));
    };
    if !ctx.is_probed() {
        return slot.start_then(life::reply(actor, query, ctx), move |answer| give(reply, answer), cx);
    }
    let witness = Witness::of::<A, Q>(ctx);
    let replying = async move {
        let answer = life::reply(actor, query, ctx).await;
        drop(give(reply, answer));
        Ok::<_, A::Error>(())
    };
    slot.start_then(life::seen(witness, replying), drained, cx)
}

/// Has the actor take one message, in a future that lives in `slot`.
pub(super) fn call_taking<'a, A: Takes<M>, M: Send + 'static>(
    actor: &'a mut A,
    message: M,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained> {
    if ctx.is_probed() {
        let witness = Witness::of::<A, M>(ctx);
        return slot.start_then(life::seen(witness, life::take(actor, message, ctx)), drained, cx);
    }
    slot.start_then(life::take(actor, message, ctx), drained, cx)
}

fn pass_marker<'a, A: Actor>(
    content: &'a mut Parcel,
    _: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained> {
    let Some(marker) = content.downcast_ref::<Marker>() else { return Started::Ready(Ok(())) };
    let Some(address) = ctx.as_live().map(|live| Arc::clone(&live.address)) else {
        return Started::Ready(Ok(()));
    };
    let passing = async move {
        let mut passing = pin!(marker.take_effect(ctx));
        // It obeys a stop while it waits at a gate, which stays in front: the next life stands there again.
        poll_fn(|cx| match passing.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => address.poll_asked(cx).map(|stop| Err(Box::new(reason_of(stop)))),
        })
        .await?;
        address.has_passed_marker();
        Ok(())
    };
    slot.start(passing, cx)
}

/// Has the actor handle one message, in a future that lives in `slot`.
pub(super) fn call<'a, A: Handler<M>, M: Sync>(
    actor: &'a mut A,
    message: &'a M,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained> {
    if ctx.is_probed() {
        let witness = Witness::of::<A, M>(ctx);
        return slot.start_then(life::seen(witness, life::handle(actor, message, ctx)), drained, cx);
    }
    slot.start_then(life::handle(actor, message, ctx), drained, cx)
}
