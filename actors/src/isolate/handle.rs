//! What contexts and references of an isolate hold: its core, which only its thread can reach, and a seat.

mod direct;
mod tied;

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use mycelium_mailbox::{Confined, Held};

pub(crate) use self::direct::{IsolateAsk, IsolateRef, Unqueued};
pub(super) use self::direct::{direct_rule, push};
pub(crate) use self::tied::Tied;
use super::beat::{Beat, BeatAgain, PlayTimed, Timed};
use super::core::{IsolateCore, Refusal};
use super::seat::ActorCell;
use super::steps::goes_on;
use super::sub::{Called, TopicWay};
use super::timers::{Due, Fire};
use super::waits::{Rest, SeatWait};
use crate::{
    Actor, ActorId, ActorRef, Every, Handler, Message, PublishError, SpawnError, StopReason, Subscription,
    Takes, TimerHandle, Timestamp,
};

/// A place in an isolate.
#[derive(Clone)]
pub(crate) struct Place {
    core: Confined<IsolateCore>,
    seat: u32,
}

impl Place {
    pub(crate) fn new(core: &Rc<IsolateCore>, seat: u32) -> Self {
        Self { core: Confined::new(Rc::clone(core)), seat }
    }

    /// The isolate's core, on its thread, and not from inside another isolate.
    #[inline]
    pub(crate) fn core(&self) -> Option<&IsolateCore> {
        // Code that runs in an isolate finds it so; the rest is for tests and for code that sets an isolate
        // up.
        self.core.entered().or_else(|| self.core.here())
    }

    /// The isolate's core on its thread, whatever else runs there: for what whoever runs the isolate may do
    /// from anywhere.
    pub(super) fn core_from_anywhere(&self) -> Option<&IsolateCore> {
        self.core.get()
    }

    /// Whether it is a place in this isolate.
    pub(crate) fn is_of(&self, core: &Rc<IsolateCore>) -> bool {
        self.core.is(core)
    }

    /// Whether this is its thread, though another isolate's code runs there.
    fn is_elsewhere(&self) -> bool {
        self.core.get().is_some()
    }

    pub(crate) fn seat(&self) -> u32 {
        self.seat
    }

    pub(crate) fn id(&self) -> ActorId {
        id_of(self.seat)
    }

    pub(crate) fn now(&self) -> Timestamp {
        // Reading does no harm, from wherever.
        let core = self.core.entered().or_else(|| self.core.get());
        Timestamp::from_nanos(core.map_or(0, |core| core.now.get()))
    }

    #[inline(always)]
    fn queue<M: Message>(&self, message: &mut Held<M, impl Sized>) -> Result<(), Refusal> {
        match self.core() {
            Some(core) => core.publish(self.seat, message),
            None => Err(Refusal::WrongThread),
        }
    }

    pub(crate) fn try_publish<M: Message>(&self, message: M) -> Result<(), PublishError<M>> {
        let mut message = Held::new(message, ());
        match (self.queue(&mut message), message.take()) {
            (Err(refusal), Some(message)) => Err(refused(self.core(), refusal, message)),
            _ => Ok(()),
        }
    }

    /// Takes the message out of `message` if its queue has room.
    #[inline(always)]
    pub(crate) fn has_published<M: Message>(&self, message: &mut Held<M, impl Sized>) -> bool {
        self.queue(message).is_ok()
    }

    /// Takes the message out of `message` once its queue has room; the isolate's half of
    /// [`Publish`](crate::Publish).
    pub(crate) fn poll_publish<M: Message>(
        &self,
        message: &mut Held<M, impl Sized>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(), PublishError<M>>> {
        match self.queue(message) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(refusal) => self.publish_refused(M::TYPE_ID, refusal, message, cx),
        }
    }

    #[cold]
    pub(super) fn publish_refused<M: 'static>(
        &self,
        type_id: u16,
        refusal: Refusal,
        message: &mut Held<M, impl Sized>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(), PublishError<M>>> {
        if let (Refusal::Full(_), Some(core)) = (refusal, self.core()) {
            core.wait_for_topic(type_id, self.seat, cx.waker());
            return Poll::Pending;
        }
        if refusal == Refusal::Over {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !goes_on(cx) {
            return Poll::Pending;
        }
        Poll::Ready(message.take().map_or(Ok(()), |message| Err(refused(self.core(), refusal, message))))
    }

    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Another place in this isolate.
    pub(crate) fn beside(&self, seat: u32) -> Self {
        Self { core: self.core.clone(), seat }
    }

    #[inline]
    pub(crate) fn sleep_until(&self, at: Timestamp) -> Sleep {
        Sleep { place: self.clone(), at: at.as_nanos(), timer: None }
    }
}

/// Waits until somebody wants a service to return.
pub(crate) struct Stopped {
    place: Place,
    rest: Option<Rest>,
}

impl Place {
    /// Tells the supervisor that whoever sits here is ready.
    pub(crate) fn ready(&self) {
        let seat = self.core().and_then(|core| core.seat(self.seat));
        if let Some(child) = seat.as_ref().and_then(|seat| seat.as_child()) {
            child.says_ready();
        }
    }

    /// Tells the supervisor that whoever sits here makes progress.
    pub(crate) fn alive(&self) {
        let seat = self.core().and_then(|core| core.seat(self.seat));
        if let Some(child) = seat.as_ref().and_then(|seat| seat.as_child()) {
            child.beat();
        }
    }

    pub(crate) fn stopped(&self) -> Stopped {
        self.is_stopping();
        Stopped { place: self.clone(), rest: None }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.core().and_then(|core| core.seat(self.seat)).is_some_and(|seat| seat.asks_for_stop())
    }
}

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Self { place, rest } = &mut *self;
        let Some(core) = place.core() else { return Poll::Pending };
        if rest.is_none() {
            *rest = Rest::begin(place);
        }
        match core.seat(place.seat).map(|seat| seat.poll_stopped(cx.waker())) {
            Some(Poll::Ready(())) if core.goes_on(cx) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

/// The identity of the actor in a seat.
pub(crate) fn id_of(seat: u32) -> ActorId {
    ActorId(u64::from(seat) + 1)
}

/// The error for a message that was not queued.
#[cold]
pub(crate) fn refused<M>(core: Option<&IsolateCore>, refusal: Refusal, message: M) -> PublishError<M> {
    let who = |seat| core.map(|core| Arc::new(core.identity_in(seat)));
    match refusal {
        Refusal::Full(by) | Refusal::Fail(by) => PublishError::Full(message, by.and_then(who)),
        Refusal::Over => PublishError::Full(message, None),
        Refusal::OwnFull => PublishError::SelfBlocked(message),
        Refusal::Duplicate => PublishError::DuplicateTypeId(message),
        Refusal::Closed => PublishError::Closed(message),
        Refusal::WrongThread => PublishError::WrongThread(message),
    }
}

/// Waits for its turn in one of these lanes to the actor in this place, and to others.
pub(super) struct Room<'a> {
    pub(super) place: &'a Place,
    pub(super) lanes: Vec<u32>,
}

impl Future for Room<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        match self.place.core() {
            Some(core) if !self.lanes.is_empty() => {
                for lane in std::mem::take(&mut self.lanes) {
                    core.wait_for_room(lane, core.running.get(), cx.waker());
                }
                core.note_wait(SeatWait::Mailbox(self.place.seat));
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

/// Waits in virtual time.
pub(crate) struct Sleep {
    place: Place,
    at: i64,
    /// The number of its timer, and who goes on when that is due.
    timer: Option<(u64, Sleeper)>,
}

/// Whoever polled a sleep last.
enum Sleeper {
    /// The code of this seat, which a timer resumes without a waker.
    Seat(u32),
    /// A task within such code, or code outside of all seats.
    Task(Waker),
}

impl Sleeper {
    fn new(core: &IsolateCore, waker: &Waker) -> Self {
        match core.seat_polled_with(waker) {
            Some(seat) => Self::Seat(seat),
            None => Self::Task(waker.clone()),
        }
    }

    fn is(&self, core: &IsolateCore, waker: &Waker) -> bool {
        match self {
            Self::Seat(seat) => core.seat_polled_with(waker) == Some(*seat),
            Self::Task(task) => task.will_wake(waker),
        }
    }

    fn due(&self) -> Due {
        match self {
            Self::Seat(seat) => Due::Resume(*seat),
            Self::Task(task) => Due::Wake(task.clone()),
        }
    }
}

impl Sleep {
    pub(crate) fn due(&self) -> Timestamp {
        Timestamp::from_nanos(self.at)
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        // Off its thread it can never be ready; the isolate reports the actor that waits.
        let Some(core) = this.place.core() else { return Poll::Pending };
        // The end of time does not come.
        if this.at == i64::MAX {
            core.note_wait(SeatWait::EndOfTime);
            return Poll::Pending;
        }
        if core.now.get() >= this.at {
            // A timer was a step of its own.
            if this.timer.take().is_none() && !core.goes_on(cx) {
                return Poll::Pending;
            }
            return Poll::Ready(());
        }
        if this.timer.as_ref().is_none_or(|(_, sleeper)| !sleeper.is(core, cx.waker())) {
            if let Some((timer, _)) = this.timer.take() {
                core.cancel_timer(this.at, timer);
            }
            let sleeper = Sleeper::new(core, cx.waker());
            this.timer = Some((core.set_timer(this.at, sleeper.due()), sleeper));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let (Some((timer, _)), Some(core)) = (&self.timer, self.place.core()) {
            core.cancel_timer(self.at, *timer);
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

    #[inline]
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Ends the actor once the handler that runs has returned.
    pub(crate) fn ask_stop(&self) {
        self.place.ask_stop();
    }

    /// The same, for this reason.
    pub(crate) fn ask_end(&self, reason: StopReason) {
        if let Some(seat) = self.place.core().and_then(|core| core.seat(self.place.seat)) {
            seat.ask_end(reason);
        }
    }

    pub(crate) fn actor_ref(&self) -> ActorRef<A> {
        ActorRef::in_isolate(IsolateRef::new(self.place.clone()))
    }

    pub(crate) fn schedule_after<M>(&self, delay: Duration, message: M) -> TimerHandle
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let handle = TimerHandle::default();
        self.begin_timer(message, self.place.now() + delay, &handle);
        handle
    }

    pub(crate) fn schedule_every<M>(&self, every: Every, message: M) -> TimerHandle
    where
        A: Takes<M>,
        M: Clone + Send + 'static,
    {
        let handle = TimerHandle::default();
        self.begin_beat(message, every, handle.clone());
        handle
    }

    /// Which of its lives this is.
    pub(super) fn life(&self) -> u32 {
        self.place.core().and_then(|core| core.seat(self.place.seat)).map_or(0, |seat| seat.life())
    }

    /// Queues the message when it is due.
    pub(super) fn once<T, P>(&self, at: Timestamp, message: T, handle: &TimerHandle)
    where
        P: Called<A, T>,
        T: 'static,
    {
        let (target, life) = (IsolateRef::<A>::new(self.place.clone()), self.life());
        let timed = Timed::new(message, life, handle.clone());
        self.fire_at(at, life, handle, move |core| target.put_as::<_, PlayTimed<P>>(core, timed));
    }

    /// Queues the beat when it is due.
    pub(super) fn beat<T, P>(&self, beat: Beat<T>)
    where
        P: Called<A, T>,
        T: Clone + 'static,
    {
        let target = IsolateRef::<A>::new(self.place.clone());
        let (due, life, handle) = (beat.due(), beat.life(), beat.handle().clone());
        self.fire_at(due, life, &handle, move |core| target.put_as::<_, BeatAgain<P>>(core, beat));
    }

    fn fire_at(
        &self,
        at: Timestamp,
        life: u32,
        handle: &TimerHandle,
        queue: impl FnOnce(&IsolateCore) + 'static,
    ) {
        let Some(core) = self.place.core() else { return };
        let seat = self.place.seat;
        let fire = Fire { seat, life, handle: handle.clone(), queue: Box::new(queue) };
        core.set_timer(at.as_nanos(), Due::Fire(Box::new(fire)));
    }

    pub(crate) fn subscribe<M: Message>(&self, subscription: Subscription<M>) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        let seat = self.place.core().and_then(|core| seat_of::<A>(core, self.place.seat));
        seat.ok_or(SpawnError::WrongThread)?.subscribe(subscription)
    }

    pub(crate) fn unsubscribe<M: Message>(&self) {
        if let Some(seat) = self.place.core().and_then(|core| core.seat(self.place.seat)) {
            seat.left(TopicWay::typed(M::TYPE_ID));
        }
        let Some(core) = self.place.core() else { return };
        if let Some(lane) = core.find_topic::<M>() {
            lane.remove_typed(core, self.place.seat);
        }
    }
}

/// The seat of an actor of type `A`.
pub(crate) fn seat_of<A: Actor>(core: &IsolateCore, seat: u32) -> Option<Rc<ActorCell<A>>> {
    core.seat(seat)?.into_any().downcast().ok()
}
