//! What a direct inbox holds: a message or a query of any type, and how the actor handles it. Nothing is
//! allocated for messages up to 64 bytes.

use std::fmt;
use std::future::Future;
use std::task::Context as TaskContext;

use mycelium_mailbox::{FutureSlot, Parcel, Started};

use super::source::SourceDrained;
use crate::error::short_type_name;
use crate::life::{self, MARKER, Marker, Witness};
use crate::sync::oneshot;
use crate::{Actor, Context, Handler, Responder, StopReason};

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
    reply: Option<oneshot::Sender<R>>,
}

struct TellFn<A, M>(std::marker::PhantomData<(A, M)>);

impl<A: Handler<M>, M: Send + Sync + 'static> TellFn<A, M> {
    const KIND: EnvelopeKind<A> = EnvelopeKind {
        handle: handle_message::<A, M>,
        name: short_type_name::<M>,
        is: EnvelopeContent::Message,
    };
}

struct Ask<A, Q>(std::marker::PhantomData<(A, Q)>);

impl<A: Responder<Q>, Q: Send + Sync + 'static> Ask<A, Q> {
    const KIND: EnvelopeKind<A> =
        EnvelopeKind { handle: handle_query::<A, Q>, name: short_type_name::<Q>, is: EnvelopeContent::Query };
}

struct MarkerFn<A>(std::marker::PhantomData<A>);

impl<A: Actor> MarkerFn<A> {
    const KIND: EnvelopeKind<A> =
        EnvelopeKind { handle: pass_marker::<A>, name: || MARKER, is: EnvelopeContent::Marker };
}

impl<A: Actor> Envelope<A> {
    #[inline]
    pub(crate) fn message<M>(message: M) -> Self
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        Self { content: Parcel::new(message), kind: &TellFn::<A, M>::KIND }
    }

    #[inline]
    pub(crate) fn query<Q>(query: Q, reply: oneshot::Sender<A::Reply>) -> Self
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        Self { content: Parcel::new(RequestFn { query, reply: Some(reply) }), kind: &Ask::<A, Q>::KIND }
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
    let Some(message) = content.downcast_ref::<M>() else { return Started::Ready(Ok(1)) };
    call(actor, message, ctx, slot, cx)
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
    let Some(asked) = content.downcast_mut::<RequestFn<Q, A::Reply>>() else { return Started::Ready(Ok(1)) };
    let witness = if ctx.is_probed() { Witness::of::<A, Q>(ctx) } else { None };
    let answering = async move {
        let reply = life::answer(actor, &asked.query, ctx).await;
        if let Some(sender) = asked.reply.take() {
            // Whoever asked may have stopped waiting.
            let _ = sender.send(reply);
        }
        Ok(1)
    };
    if witness.is_none() {
        return slot.start(answering, cx);
    }
    let seen = async move {
        let answered = life::seen(witness, async { answering.await.map(drop) });
        answered.await.map(|()| 1)
    };
    slot.start(seen, cx)
}

fn pass_marker<'a, A: Actor>(
    content: &'a mut Parcel,
    _: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained> {
    let Some(marker) = content.downcast_ref::<Marker>() else { return Started::Ready(Ok(1)) };
    let passing = async move {
        marker.take_effect(ctx).await;
        Ok(1)
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
        return slot.start(drained(life::seen(witness, life::handle(actor, message, ctx))), cx);
    }
    slot.start(drained(life::handle(actor, message, ctx)), cx)
}

async fn drained<E: fmt::Display>(handling: impl Future<Output = Result<(), E>>) -> SourceDrained {
    match handling.await {
        Ok(()) => Ok(1),
        Err(error) => Err(StopReason::Failed(error.to_string().into())),
    }
}
