//! What is sent to one actor of an isolate: the isolate's half of an [`ActorRef`](crate::ActorRef).

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;

use super::{IsolateContext, Place, Room, Sleep, seat_of};
use crate::by_value::sealed::{DispatchMessage, DispatchQuery};
use crate::error::Asked;
use crate::isolate::beat::{Beat, Timed};
use crate::isolate::core::IsolateCore;
use crate::isolate::gauge::Gauge;
use crate::isolate::lane::Lane;
use crate::isolate::seat::{ActorCell, AnySeat};
use crate::isolate::steps::{step, stepped};
use crate::isolate::sub::{
    AnswerStep, Called, HandleStep, PendingRequest, Repeats, ReplyStep, Rule, TakeStep, Takeable,
};
use crate::isolate::waits::SeatWait;
use crate::recipient::BoxFuture;
use crate::reference::rare;
use crate::subscription::DEFAULT_CAPACITY;
use crate::{
    Actor, AskError, Every, Handler, Identity, Replies, Responder, StopReason, Subscription, Takes,
    TellError, TimerHandle, Timestamp,
};

/// Why a query was not queued.
pub(crate) enum Unqueued<Q> {
    /// There is no room for it in this lane.
    Full(Q, u32),
    Failed(Q, AskError),
}

/// The isolate's half of an [`ActorRef`](crate::ActorRef).
pub(crate) struct IsolateRef<A: Actor> {
    pub(crate) place: Place,
    actor: PhantomData<fn(A)>,
}

impl<A: Actor> Clone for IsolateRef<A> {
    fn clone(&self) -> Self {
        Self::new(self.place.clone())
    }
}

impl<A: Actor> IsolateRef<A> {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, actor: PhantomData }
    }

    pub(crate) fn timer(&self, limit: Duration) -> Sleep {
        self.place.sleep(limit)
    }

    pub(crate) fn stop(&self) {
        if let Some(seat) = self.place.core().and_then(|core| self.seat(core)) {
            seat.was_stopped();
        }
        self.place.ask_stop();
    }

    pub(crate) fn kill(&self) {
        self.place.kill();
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.place.is_alive()
    }

    /// Ready with the reason once the actor has ended; on another thread never.
    pub(crate) fn poll_ended(&self, cx: &mut TaskContext<'_>) -> Poll<StopReason> {
        self.place.poll_ended(cx)
    }

    pub(in crate::isolate) fn seat(&self, core: &IsolateCore) -> Option<Rc<ActorCell<A>>> {
        seat_of::<A>(core, self.place.seat).filter(|seat| !seat.has_ended())
    }

    /// The lane of what is played to this actor by `P`; `None` when it has ended.
    fn lane<T, P>(&self, core: &IsolateCore) -> Option<Rc<Lane<T>>>
    where
        P: Called<A, T>,
        T: 'static,
    {
        let seat = self.seat(core)?;
        Some(core.direct(self.place.seat, |place| {
            let new = if P::OWN { Gauge::own } else { Gauge::direct };
            let gauge = new(P::name(), P::BY_VALUE);
            let rule = Rule { repeats: P::REPEATS, ..direct_rule(&gauge) };
            let to = seat.way_in::<T, P>(rule);
            Lane::to_one(place, to, gauge)
        }))
    }

    /// Queues `message` for this actor; `Err(Full)` where [`tell`](Self::tell) waits.
    pub(crate) fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.offer(message).map_err(|error| self.named(error))
    }

    /// Has the error say whose inbox is full. Where the isolate's own queue is full of what is for others,
    /// it is nobody's.
    #[cold]
    fn named<M>(&self, error: TellError<M>) -> TellError<M>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match (error, self.place.core()) {
            (TellError::Full(message, None), Some(core)) if !core.is_full() || self.has_all::<M>(core) => {
                TellError::Full(message, self.whom())
            }
            (other, _) => other,
        }
    }

    /// The same for a sender that waits then: the error says of nobody that it is full.
    pub(crate) fn offer<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let Some(core) = self.place.core() else {
            let elsewhere = self.place.is_elsewhere();
            return Err(if elsewhere {
                TellError::OtherBus(message)
            } else {
                TellError::WrongThread(message)
            });
        };
        A::dispatch(Offer { to: self, core, message })
    }

    /// Queues a message of its own that is due now, as `P` plays it, however many wait. One that has ended
    /// has no use for it.
    pub(super) fn put_as<T, P>(&self, core: &IsolateCore, message: T)
    where
        P: Called<A, T>,
        T: 'static,
    {
        if let Some(lane) = self.lane::<T, P>(core) {
            push(core, &lane, message);
        }
    }

    /// Queues a message that was offered in vain.
    pub(crate) async fn wait_to_tell<M>(&self, refused: TellError<M>) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let mut attempt = Err(refused);
        loop {
            match attempt {
                // The inbox of an actor that waits for room in it stays as it is.
                Err(TellError::Full(message, _)) if !self.is_own_and_full::<M>() => {
                    Room { place: &self.place, lanes: self.lane_for::<M>().into_iter().collect() }.await;
                    attempt = self.offer(message);
                }
                Ok(()) => return Ok(()),
                Err(error) => {
                    step().await;
                    return Err(match error {
                        TellError::Full(message, _) => TellError::Itself(message, self.whom()),
                        other => other,
                    });
                }
            }
        }
    }

    /// Whether the code that runs is this actor's, and as many messages of this type wait for it as may.
    fn is_own_and_full<M>(&self) -> bool
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let Some(core) = self.place.core() else { return false };
        self.runs_now(core) && self.has_all::<M>(core)
    }

    /// Whether as many messages of this type wait for this actor as may.
    fn has_all<M>(&self, core: &IsolateCore) -> bool
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let lane = <A as Takes<M>>::dispatch(LookAtLane { to: self, core });
        lane.is_some_and(|(_, waiting)| waiting >= DEFAULT_CAPACITY)
    }

    /// The lane by which messages of this type come.
    pub(crate) fn lane_for<M>(&self) -> Option<u32>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let core = self.place.core()?;
        <A as Takes<M>>::dispatch(LookAtLane { to: self, core }).map(|(lane, _)| lane)
    }

    /// The lane by which queries of this type come.
    pub(crate) fn lane_for_query<Q>(&self) -> Option<u32>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let core = self.place.core()?;
        <A as Replies<Q>>::dispatch(LookAtLane { to: self, core }).map(|(lane, _)| lane)
    }

    /// Why an actor that seems to have ended cannot be asked: from here nobody can be, or it has ended.
    #[cold]
    pub(crate) fn why_not(&self) -> AskError {
        match self.place.core() {
            Some(_) => AskError::stopped(self.asked()),
            None if self.place.is_elsewhere() => AskError::OtherBus,
            None => AskError::WrongThread,
        }
    }

    /// What those are told who asked it in vain.
    #[cold]
    pub(crate) fn asked(&self) -> Asked {
        Asked::of(self.place.identity(A::name())).ended(self.place.end_reason())
    }

    #[cold]
    fn whom(&self) -> Option<Arc<Identity>> {
        Some(Arc::new(self.place.identity(A::name())))
    }

    /// Queues a query; the receiver gets the reply.
    pub(crate) fn send_query<Q>(&self, query: Q) -> Result<oneshot::Receiver<A::Reply>, Unqueued<Q>>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let Some(core) = self.place.core() else {
            return Err(Unqueued::Failed(query, self.why_not()));
        };
        A::dispatch(SendQuery { to: self, core, query })
    }

    fn queue_query<Q, T, R, P>(
        &self,
        core: &IsolateCore,
        query: Q,
        hold: impl FnOnce(Q) -> T,
    ) -> Result<oneshot::Receiver<R>, Unqueued<Q>>
    where
        P: Called<A, PendingRequest<T, R>>,
        T: 'static,
        R: 'static,
    {
        // First, as live: its own code runs in its last words, too.
        if self.runs_now(core) {
            return Err(Unqueued::Failed(query, AskError::itself(self.place.identity(A::name()))));
        }
        let Some(lane) = self.lane::<PendingRequest<T, R>, P>(core) else {
            return Err(Unqueued::Failed(query, AskError::stopped(self.asked())));
        };
        // An asker may leave before the answer comes: the number of askers is no bound.
        if core.is_full() || !lane.is_open() {
            return Err(Unqueued::Full(query, lane.index()));
        }
        let (reply, answer) = oneshot::channel();
        push(core, &lane, PendingRequest { query: hold(query), reply: Cell::new(Some(reply)) });
        Ok(answer)
    }

    /// Queues a query for which there was no room, when there is.
    pub(crate) async fn wait_to_ask<Q>(
        &self,
        mut unqueued: Unqueued<Q>,
    ) -> Result<oneshot::Receiver<A::Reply>, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        loop {
            match unqueued {
                Unqueued::Failed(_, error) => return stepped(Err(error)).await,
                Unqueued::Full(query, lane) => {
                    Room { place: &self.place, lanes: vec![lane] }.await;
                    match self.send_query(query) {
                        Ok(answer) => return Ok(answer),
                        Err(again) => unqueued = again,
                    }
                }
            }
        }
    }

    pub(crate) fn ask<Q>(&self, query: Q) -> IsolateAsk<'_, A, Q>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        IsolateAsk { to: self, stage: IsolateAskStage::Begin(query) }
    }

    /// Waits for the answer to a query that was queued.
    pub(crate) async fn answered<R>(&self, mut answer: oneshot::Receiver<R>) -> Result<R, AskError> {
        match poll_fn(|cx| self.poll_answer(&mut answer, cx)).await {
            Ok(answer) => Ok(answer),
            Err(_) => stepped(Err(self.unanswered())).await,
        }
    }

    fn poll_answer<R>(
        &self,
        answer: &mut oneshot::Receiver<R>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<R, RecvError>> {
        let polled = Pin::new(answer).poll(cx);
        if let (Poll::Pending, Some(core)) = (&polled, self.place.core()) {
            core.note_wait(SeatWait::Answer(self.place.seat));
        }
        polled
    }

    /// The error of an ask whose query was queued.
    #[cold]
    fn unanswered(&self) -> AskError {
        AskError::stopped(self.asked().sent())
    }
}

/// An ask in an isolate as a future. Polled after it was ready, it panics, as that of an `async fn` does.
#[must_use = "nothing is asked before this is awaited"]
pub(crate) struct IsolateAsk<'a, A: Replies<Q>, Q> {
    to: &'a IsolateRef<A>,
    stage: IsolateAskStage<'a, Q, A::Reply>,
}

/// How far such an ask has come.
enum IsolateAskStage<'a, Q, R> {
    /// Nothing was done.
    Begin(Q),
    /// The query waits for its turn, or the answer is awaited.
    Queued(oneshot::Receiver<R>),
    /// It waits for room, or fails.
    Rare(BoxFuture<'a, Result<R, AskError>>),
    Over,
}

// Nothing in it is pinned.
impl<A: Replies<Q>, Q> Unpin for IsolateAsk<'_, A, Q> {}

impl<A, Q> Future for IsolateAsk<'_, A, Q>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    type Output = Result<A::Reply, AskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Self { to, stage } = self.get_mut();
        let to = *to;
        loop {
            *stage = match std::mem::replace(stage, IsolateAskStage::Over) {
                IsolateAskStage::Begin(query) => match to.send_query(query) {
                    Ok(answer) => IsolateAskStage::Queued(answer),
                    Err(unqueued) => IsolateAskStage::Rare(rare(move || async move {
                        let answer = to.wait_to_ask(unqueued).await?;
                        to.answered(answer).await
                    })),
                },
                IsolateAskStage::Queued(mut answer) => match to.poll_answer(&mut answer, cx) {
                    Poll::Ready(Ok(answer)) => return Poll::Ready(Ok(answer)),
                    Poll::Ready(Err(_)) => IsolateAskStage::Rare(rare(|| stepped(Err(to.unanswered())))),
                    Poll::Pending => {
                        *stage = IsolateAskStage::Queued(answer);
                        return Poll::Pending;
                    }
                },
                IsolateAskStage::Rare(mut waits) => {
                    let polled = waits.as_mut().poll(cx);
                    if polled.is_pending() {
                        *stage = IsolateAskStage::Rare(waits);
                    }
                    return polled;
                }
                // Pending would keep a `select!` without a guard for ever.
                IsolateAskStage::Over => panic!("an ask was polled after it was ready"),
            };
        }
    }
}

impl<A: Actor> IsolateContext<A> {
    /// Sets a timer for a message that comes once.
    pub(super) fn begin_timer<M>(&self, message: M, at: Timestamp, handle: &TimerHandle)
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        A::dispatch(SetTimer { ctx: self, message, at, handle });
    }

    /// Sets the first of these beats.
    pub(super) fn begin_beat<M>(&self, message: M, every: Every, handle: TimerHandle)
    where
        A: Takes<M>,
        M: Clone + Send + 'static,
    {
        A::dispatch(FirstBeat { ctx: self, message, every, handle });
    }
}

/// A message on its way into the lane of its actor.
struct Offer<'a, A: Actor, M> {
    to: &'a IsolateRef<A>,
    core: &'a IsolateCore,
    message: M,
}

impl<A: Actor, M> Offer<'_, A, M> {
    #[inline(always)]
    fn queue<T: 'static, P: Called<A, T>>(self, hold: impl FnOnce(M) -> T) -> Result<(), TellError<M>> {
        let Self { to, core, message } = self;
        let Some(lane) = to.lane::<T, P>(core) else { return Err(TellError::Stopped(message, to.whom())) };
        if core.is_full() || !lane.is_open() {
            return Err(TellError::Full(message, None));
        }
        push(core, &lane, hold(message));
        Ok(())
    }
}

impl<A: Takes<M>, M: Send + 'static> DispatchMessage<A, M> for Offer<'_, A, M> {
    type Output = Result<(), TellError<M>>;

    #[inline(always)]
    fn by_value(self) -> Self::Output {
        self.queue::<_, TakeStep>(Takeable::new)
    }

    #[inline(always)]
    fn by_reference(self) -> Self::Output
    where
        A: Handler<M>,
    {
        self.queue::<_, HandleStep>(|message| message)
    }
}

/// The lane of messages or queries of a type to an actor, and how many wait.
struct LookAtLane<'a, A: Actor> {
    to: &'a IsolateRef<A>,
    core: &'a IsolateCore,
}

impl<A: Actor> LookAtLane<'_, A> {
    fn look<T: 'static, P: Called<A, T>>(self) -> Option<(u32, usize)> {
        self.to.lane::<T, P>(self.core).map(|lane| (lane.index(), lane.waiting()))
    }
}

impl<A: Takes<M>, M: Send + 'static> DispatchMessage<A, M> for LookAtLane<'_, A> {
    type Output = Option<(u32, usize)>;

    fn by_value(self) -> Self::Output {
        self.look::<Takeable<M>, TakeStep>()
    }

    fn by_reference(self) -> Self::Output
    where
        A: Handler<M>,
    {
        self.look::<M, HandleStep>()
    }
}

impl<A: Replies<Q>, Q: Send + 'static> DispatchQuery<A, Q> for LookAtLane<'_, A> {
    type Output = Option<(u32, usize)>;

    fn by_value(self) -> Self::Output {
        self.look::<PendingRequest<Takeable<Q>, A::Reply>, ReplyStep>()
    }

    fn by_reference(self) -> Self::Output
    where
        A: Responder<Q, Reply = <A as Replies<Q>>::Reply>,
    {
        self.look::<PendingRequest<Q, <A as Replies<Q>>::Reply>, AnswerStep>()
    }
}

/// A message that is to come once.
struct SetTimer<'a, A: Actor, M> {
    ctx: &'a IsolateContext<A>,
    message: M,
    at: Timestamp,
    handle: &'a TimerHandle,
}

impl<A: Takes<M>, M: Send + 'static> DispatchMessage<A, M> for SetTimer<'_, A, M> {
    type Output = ();

    fn by_value(self) {
        self.ctx.once::<_, TakeStep>(self.at, Takeable::new(self.message), self.handle);
    }

    fn by_reference(self)
    where
        A: Handler<M>,
    {
        self.ctx.once::<_, HandleStep>(self.at, self.message, self.handle);
    }
}

/// The first of the beats with this message.
struct FirstBeat<'a, A: Actor, M> {
    ctx: &'a IsolateContext<A>,
    message: M,
    every: Every,
    handle: TimerHandle,
}

impl<A: Actor, M> FirstBeat<'_, A, M> {
    fn set<T: Clone + 'static, P: Called<A, T>>(self, hold: impl FnOnce(M) -> T) {
        let Self { ctx, message, every, handle } = self;
        let (due, life) = (ctx.place().now() + every.first(), ctx.life());
        ctx.beat::<_, P>(Beat::new(Timed::new(hold(message), life, handle), every, due));
    }
}

impl<A: Takes<M>, M: Clone + Send + 'static> DispatchMessage<A, M> for FirstBeat<'_, A, M> {
    type Output = ();

    fn by_value(self) {
        self.set::<_, TakeStep>(Takeable::new);
    }

    fn by_reference(self)
    where
        A: Handler<M>,
    {
        self.set::<_, HandleStep>(|message| message);
    }
}

/// A query on its way into the lane of its actor.
struct SendQuery<'a, A: Actor, Q> {
    to: &'a IsolateRef<A>,
    core: &'a IsolateCore,
    query: Q,
}

impl<A: Replies<Q>, Q: Send + 'static> DispatchQuery<A, Q> for SendQuery<'_, A, Q> {
    type Output = Result<oneshot::Receiver<A::Reply>, Unqueued<Q>>;

    fn by_value(self) -> Self::Output {
        self.to.queue_query::<_, _, _, ReplyStep>(self.core, self.query, Takeable::new)
    }

    fn by_reference(self) -> Self::Output
    where
        A: Responder<Q, Reply = <A as Replies<Q>>::Reply>,
    {
        self.to.queue_query::<_, _, _, AnswerStep>(self.core, self.query, |query| query)
    }
}

pub(in crate::isolate) fn push<M: 'static>(core: &IsolateCore, lane: &Lane<M>, message: M) {
    // Room was looked for by whoever needs it. The timers that an actor has set bound how many of its own
    // come besides.
    lane.write(message);
    core.enqueue(lane.index());
}

pub(in crate::isolate) fn direct_rule<M>(gauge: &Rc<Gauge>) -> Rule<M> {
    Rule { how: Subscription::block().echo(), gauge: Rc::clone(gauge), repeats: Repeats::Never }
}
