//! What contexts and references of an isolate hold: the isolate's number and a seat.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use tokio::sync::oneshot;

use super::core::{Core, Due, Fire, NotHere, Refusal, with_core};
use super::lane::DirectLane;
use super::seat::Seat;
use super::sub::{Overflow, Rule, Sub};
use crate::error::short_type_name;
use crate::subscription::DEFAULT_CAPACITY;
use crate::{
    Actor, ActorId, ActorRef, AskError, Handler, Message, PublishError, Responder, SpawnError, Subscription,
    TellError, TimerHandle, Timestamp,
};

/// A place in an isolate that runs on this thread.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) isolate: u64,
    pub(crate) seat: u32,
}

impl Place {
    pub(crate) fn id(self) -> ActorId {
        ActorId(u64::from(self.seat) + 1)
    }

    pub(crate) fn now(self) -> Timestamp {
        Timestamp::from_nanos(with_core(self.isolate, |core| core.now).unwrap_or_default())
    }

    #[inline]
    fn queue<M: Message>(self, message: &mut Option<M>) -> Result<(), Refusal> {
        with_core(self.isolate, |core| core.publish(self.seat, message)).unwrap_or(Ok(()))
    }

    pub(crate) fn try_publish<M: Message>(self, message: M) -> Result<(), PublishError<M>> {
        let mut message = Some(message);
        let queued = self.queue(&mut message);
        match message {
            None => Ok(()),
            Some(message) => Err(refused(queued.err(), message)),
        }
    }

    #[inline]
    pub(crate) fn publish<M: Message>(self, message: M) -> IsolatePublish<M> {
        IsolatePublish { place: self, message: Some(message) }
    }

    pub(crate) fn sleep(self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    pub(crate) fn sleep_until(self, at: Timestamp) -> Sleep {
        Sleep { place: self, at: at.as_nanos(), timer: None, own: true }
    }
}

/// The error for a message that was not queued; no refusal at all means that the isolate is not on this thread.
fn refused<M>(refusal: Option<Refusal>, message: M) -> PublishError<M> {
    match refusal {
        Some(Refusal::Full | Refusal::Fail) => PublishError::Full(message),
        Some(Refusal::OwnFull) => PublishError::SelfBlocked(message),
        Some(Refusal::Duplicate) => PublishError::DuplicateTypeId(message),
        None => PublishError::WrongThread(message),
    }
}

/// The isolate's half of a [`Publish`](crate::Publish).
pub(crate) struct IsolatePublish<M> {
    place: Place,
    message: Option<M>,
}

// The message is moved out when it is published, never pinned.
impl<M> Unpin for IsolatePublish<M> {}

impl<M: Message> Future for IsolatePublish<M> {
    type Output = Result<(), PublishError<M>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let queued = this.place.queue(&mut this.message);
        if this.message.is_none() { Poll::Ready(Ok(())) } else { this.refused(queued.err(), cx) }
    }
}

impl<M: Message> IsolatePublish<M> {
    #[cold]
    fn refused(
        &mut self,
        refusal: Option<Refusal>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(), PublishError<M>>> {
        if let Some(Refusal::Full) = refusal
            && with_core(self.place.isolate, |core| core.wait_for_room(cx.waker())).is_ok()
        {
            return Poll::Pending;
        }
        Poll::Ready(self.message.take().map_or(Ok(()), |message| Err(refused(refusal, message))))
    }
}

/// Waits until something that was queued has been handled.
struct Room {
    isolate: u64,
    waited: bool,
}

impl Future for Room {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.waited, true) {
            return Poll::Ready(());
        }
        match with_core(self.isolate, |core| core.wait_for_room(cx.waker())) {
            Ok(()) => Poll::Pending,
            Err(NotHere) => Poll::Ready(()),
        }
    }
}

/// Waits in virtual time.
pub(crate) struct Sleep {
    place: Place,
    at: u64,
    timer: Option<u64>,
    /// Whether the seat's own future waits, so that the timer can resume it without a waker.
    own: bool,
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        let done = with_core(this.place.isolate, |core| {
            if core.now >= this.at {
                return true;
            }
            if this.timer.is_none() {
                let due = if this.own { Due::Resume(this.place.seat) } else { Due::Wake(cx.waker().clone()) };
                this.timer = Some(core.set_timer(this.at, due));
            }
            false
        });
        match done {
            Ok(true) => {
                this.timer = None;
                Poll::Ready(())
            }
            // Off its thread it can never be ready; the isolate reports the actor that waits.
            Ok(false) | Err(NotHere) => Poll::Pending,
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            let _ = with_core(self.place.isolate, |core| core.cancel_timer(timer));
        }
    }
}

/// The isolate's half of a [`Context`](crate::Context).
pub(crate) struct IsolateContext<A: Actor> {
    place: Place,
    actor: PhantomData<fn(A)>,
}

impl<A: Actor> IsolateContext<A> {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, actor: PhantomData }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn actor_ref(&self) -> ActorRef<A> {
        ActorRef::in_isolate(IsolateRef { place: self.place, actor: PhantomData })
    }

    pub(crate) fn schedule_after<M>(&self, delay: Duration, message: M) -> TimerHandle
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        let handle = TimerHandle::default();
        let at = (self.place.now() + delay).as_nanos();
        let target = IsolateRef::<A> { place: self.place, actor: PhantomData };
        let queue = Box::new(move |core: &mut Core| {
            if let Some(lane) = target.messages::<M>(core) {
                lane.push(message);
                core.enqueue(lane.index());
            }
        });
        let due = Due::Fire(Box::new(Fire { seat: self.place.seat, handle: handle.clone(), queue }));
        let _ = with_core(self.place.isolate, |core| core.set_timer(at, due));
        handle
    }

    fn seat(&self) -> Option<Rc<Seat<A>>> {
        let index = self.place.seat as usize;
        let seat = with_core(self.place.isolate, |core| core.seats.get(index).cloned()).ok()??;
        seat.into_any().downcast().ok()
    }

    pub(crate) fn subscribe<M: Message>(&self, subscription: Subscription<M>) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        self.seat().ok_or(SpawnError::WrongThread)?.subscribe(subscription)
    }

    pub(crate) fn unsubscribe<M: Message>(&self) {
        if let Ok(Some(lane)) = with_core(self.place.isolate, |core| core.lane_of(M::TYPE_ID)) {
            lane.remove(self.place.seat);
        }
    }

    pub(crate) fn random(&self) -> Pcg64Mcg {
        let seed = with_core(self.place.isolate, |core| core.seed).unwrap_or_default();
        random_for(seed, self.place.id())
    }
}

/// The generator of one actor: the bus's seed and the actor's id, mixed so that neighbours share nothing.
pub(crate) fn random_for(seed: u64, id: ActorId) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed ^ id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31))
}

/// The isolate's half of an [`ActorRef`].
pub(crate) struct IsolateRef<A: Actor> {
    pub(crate) place: Place,
    actor: PhantomData<fn(A)>,
}

impl<A: Actor> Clone for IsolateRef<A> {
    fn clone(&self) -> Self {
        Self { place: self.place, actor: PhantomData }
    }
}

struct Query<Q, R> {
    query: Q,
    reply: oneshot::Sender<R>,
}

/// The lane of queries of type `Q` to one actor.
type QueryLane<Q, R> = DirectLane<Query<Q, R>>;

impl<A: Actor> IsolateRef<A> {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, actor: PhantomData }
    }

    pub(crate) fn timer(&self, limit: Duration) -> Sleep {
        // Whoever asks is not this actor, so its timer goes through the waker of the one that polls.
        let mut sleep = self.place.sleep(limit);
        sleep.own = false;
        sleep
    }

    fn seat(&self, core: &Core) -> Option<Rc<Seat<A>>> {
        let seat =
            core.seats.get(self.place.seat as usize).cloned()?.into_any().downcast::<Seat<A>>().ok()?;
        (!seat.has_ended()).then_some(seat)
    }

    /// The lane of direct messages of type `M` to this actor; `None` when it has ended.
    fn messages<M>(&self, core: &mut Core) -> Option<Rc<DirectLane<M>>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        let seat = self.seat(core)?;
        Some(core.direct(self.place.seat, |index| {
            let sub = Sub::new(&seat, direct_rule(), |seat, hand| async move {
                loop {
                    let message: M = hand.next().await;
                    let mut lent = seat.lend();
                    let Some(state) = lent.as_mut() else { continue };
                    let result = state.actor.handle(&message, &mut state.ctx).await;
                    seat.settle(lent, result);
                }
            });
            DirectLane::new(index, short_type_name::<M>(), sub)
        }))
    }

    fn queries<Q>(&self, core: &mut Core) -> Option<Rc<QueryLane<Q, A::Reply>>>
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        let seat = self.seat(core)?;
        Some(core.direct(self.place.seat, |index| {
            let sub = Sub::new(&seat, direct_rule(), |seat, hand| async move {
                loop {
                    let asked: Query<Q, A::Reply> = hand.next().await;
                    let mut lent = seat.lend();
                    let Some(state) = lent.as_mut() else { continue };
                    let reply = state.actor.answer(&asked.query, &mut state.ctx).await;
                    // Whoever asked may have stopped waiting.
                    let _ = asked.reply.send(reply);
                    seat.settle(lent, Ok(()));
                }
            });
            DirectLane::new(index, short_type_name::<Q>(), sub)
        }))
    }

    /// Queues `message` for this actor; `Err(Full)` where [`tell`](Self::tell) waits.
    pub(crate) fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        match with_core(self.place.isolate, |core| {
            let lane = self.messages::<M>(core)?;
            Some((!lane.is_full() && !core.is_full()).then_some(lane))
        }) {
            Err(NotHere) => Err(TellError::WrongThread(message)),
            Ok(None) => Err(TellError::Stopped(message)),
            Ok(Some(None)) => Err(TellError::Full(message)),
            Ok(Some(Some(lane))) => {
                lane.push(message);
                let _ = with_core(self.place.isolate, |core| core.enqueue(lane.index()));
                Ok(())
            }
        }
    }

    pub(crate) async fn tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        let mut attempt = self.try_tell(message);
        loop {
            match attempt {
                Err(TellError::Full(message)) => {
                    Room { isolate: self.place.isolate, waited: false }.await;
                    attempt = self.try_tell(message);
                }
                other => return other,
            }
        }
    }

    /// Queues a query; the receiver gets the reply.
    pub(crate) fn send_query<Q>(&self, query: Q) -> Result<oneshot::Receiver<A::Reply>, AskError>
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        let lane = with_core(self.place.isolate, |core| self.queries::<Q>(core));
        let lane = lane.map_err(|NotHere| AskError::WrongThread)?.ok_or(AskError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        lane.push(Query { query, reply });
        with_core(self.place.isolate, |core| core.enqueue(lane.index()))
            .map_err(|NotHere| AskError::WrongThread)?;
        Ok(answer)
    }

    pub(crate) async fn ask<Q>(&self, query: Q) -> Result<A::Reply, AskError>
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        let answer = self.send_query(query)?;
        answer.await.map_err(|_| AskError::Stopped)
    }
}

fn direct_rule<P>() -> Rule<P> {
    Rule { overflow: Overflow::Refuse, capacity: DEFAULT_CAPACITY, echo: true, gauge: Rc::default() }
}
