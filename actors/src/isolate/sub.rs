//! The ways into an actor of an isolate: its subscriptions, and the messages and queries sent to it.
//!
//! A handler is a play on its actor's [`Stage`](mycelium_mailbox::Stage): polled in place, with nothing
//! allocated for each message. Messages that come while one waits are kept here, by the rule of the
//! subscription.

mod hand;
mod taking;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};

use mycelium_mailbox::{Lent, Play, Shared};
use tokio::sync::oneshot;

pub(crate) use self::hand::{HandedMessage, Repeats, TopicWay};
pub(crate) use self::taking::{ReplyStep, TakeStep, Takeable};
use super::core::EventPlace;
use super::gauge::{Gauge, Label, OnUnwind, count};
use super::lane::{Lane, LaneReceiving, LaneWay, Receive};
use super::let_go;
use super::queue::{Kept, PolicyQueue};
use super::retained::PublishedAt;
use super::seat::{ActorCell, AnySeat, Bundle};
use crate::error::short_type_name;
use crate::life::{self, MARKER, Marker, Witness};
use crate::sync::answer;
use crate::{Actor, Handler, Responder, StopReason, Subscription};

/// What a handler ends with.
type Handled<A> = Result<(), <A as Actor>::Error>;

/// Plays a message.
pub(crate) struct HandleStep;

impl<A: Handler<M>, M> Play<Bundle<A>, M> for HandleStep {
    type Output = Handled<A>;

    #[inline]
    fn play<'a>(bundle: &'a mut Bundle<A>, message: &'a M) -> impl Future<Output = Handled<A>> + 'a {
        life::handle(&mut bundle.actor, message, &mut bundle.ctx)
    }
}

/// A play that calls a handler, and the one that takes its place where a probe looks on.
pub(crate) trait Called<A: Actor, M>: Play<Bundle<A>, M, Output = Handled<A>> + 'static {
    type Seen: Play<Bundle<A>, M, Output = Handled<A>> + 'static;
    /// Whether the handler takes what it is given.
    const BY_VALUE: bool = false;
    /// Whether nobody has sent it: see [`Label::own`](super::gauge::Label).
    const OWN: bool = false;
    /// What becomes of a message that was sent directly when its handler fails.
    const REPEATS: Repeats = Repeats::Never;
    /// The name of what the handler is given.
    fn name() -> &'static str;
}

impl<A: Handler<M>, M: 'static> Called<A, M> for HandleStep {
    type Seen = SeenStep;
    const REPEATS: Repeats = Repeats::Direct;

    fn name() -> &'static str {
        short_type_name::<M>()
    }
}

impl<A: Responder<Q>, Q: 'static> Called<A, PendingRequest<Q, A::Reply>> for AnswerStep {
    type Seen = AnswerSeen;

    fn name() -> &'static str {
        short_type_name::<Q>()
    }
}

/// Plays a message while a probe looks on.
pub(crate) struct SeenStep;

impl<A: Handler<M>, M> Play<Bundle<A>, M> for SeenStep {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, message: &M) -> Handled<A> {
        life::seen(Witness::of::<A, M>(&bundle.ctx), HandleStep::play(bundle, message)).await
    }
}

/// A query and the way back.
pub(crate) struct PendingRequest<Q, R> {
    pub(crate) query: Q,
    pub(crate) reply: Cell<Option<oneshot::Sender<R>>>,
}

/// Plays a query.
pub(crate) struct AnswerStep;

impl<A: Responder<Q>, Q> Play<Bundle<A>, PendingRequest<Q, A::Reply>> for AnswerStep {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, asked: &PendingRequest<Q, A::Reply>) -> Handled<A> {
        // Taken first, so that whoever asked knows at once if this play is dropped.
        let back = asked.reply.take();
        let reply = life::answer(&mut bundle.actor, &asked.query, &mut bundle.ctx).await;
        if let Some(back) = back {
            // The asker may have stopped waiting.
            answer(back, reply);
        }
        Ok(())
    }
}

/// Plays a query while a probe looks on.
pub(crate) struct AnswerSeen;

impl<A: Responder<Q>, Q> Play<Bundle<A>, PendingRequest<Q, A::Reply>> for AnswerSeen {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, asked: &PendingRequest<Q, A::Reply>) -> Handled<A> {
        life::seen(Witness::of::<A, Q>(&bundle.ctx), AnswerStep::play(bundle, asked)).await
    }
}

/// Plays a marker, which no probe sees.
pub(crate) struct MarkerStep;

impl<A: Actor> Play<Bundle<A>, Marker> for MarkerStep {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, marker: &Marker) -> Handled<A> {
        marker.take_effect(&mut bundle.ctx).await;
        Ok(())
    }
}

impl<A: Actor> Called<A, Marker> for MarkerStep {
    type Seen = Self;
    const REPEATS: Repeats = Repeats::Always;

    fn name() -> &'static str {
        MARKER
    }
}

/// Plays the beginning of an actor.
pub(crate) struct Begin;

impl<A: Actor> Play<Bundle<A>, ()> for Begin {
    type Output = Handled<A>;

    fn play<'a>(bundle: &'a mut Bundle<A>, (): &'a ()) -> impl Future<Output = Handled<A>> + 'a {
        bundle.actor.started(&mut bundle.ctx)
    }
}

/// Plays the end of a batch.
pub(crate) struct EndBatch;

impl<A: Actor> Play<Bundle<A>, ()> for EndBatch {
    type Output = Handled<A>;

    fn play<'a>(bundle: &'a mut Bundle<A>, (): &'a ()) -> impl Future<Output = Handled<A>> + 'a {
        bundle.actor.batch_ended(&mut bundle.ctx)
    }
}

/// Plays the end of an actor.
pub(crate) struct EndStep;

impl<A: Actor> Play<Bundle<A>, StopReason> for EndStep {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, reason: &StopReason) -> Handled<A> {
        bundle.actor.stopping(reason, &mut bundle.ctx).await;
        Ok(())
    }
}

/// A way in that keeps messages behind a parked handler.
pub(crate) trait ParkedSource {
    /// Delivers its oldest message, unless its policy has dropped that one meanwhile.
    fn deliver_waiting(&self);
    /// Drops its oldest message: nobody will handle it.
    fn discard(&self);
    /// What it is.
    fn label(&self) -> Label;
}

/// How one way in treats what waits behind a parked handler.
pub(crate) struct Rule<M> {
    pub(crate) how: Subscription<M>,
    pub(crate) gauge: Rc<Gauge>,
    pub(crate) repeats: Repeats,
}

impl<M> Rule<M> {
    /// That of a subscription to a topic.
    pub(crate) fn of_topic(way: TopicWay, how: &Subscription<M>, gauge: &Rc<Gauge>) -> Self {
        Self { how: *how, gauge: Rc::clone(gauge), repeats: Repeats::Topic(way) }
    }
}

/// One way into an actor, handled by the play `P`.
pub(crate) struct Sub<A: Actor, M, P> {
    seat: Rc<ActorCell<A>>,
    me: Weak<Self>,
    echo: bool,
    repeats: Repeats,
    /// Messages behind a parked handler, by rising numbers. The seat has an entry for each, so that the order
    /// between subscriptions is kept.
    waiting: PolicyQueue<M, (u64, Shared<M>)>,
    /// What the topic had retained when this came, as far as it is not handled: the seat has an entry for
    /// each too, and it is in no capacity.
    given: RefCell<VecDeque<(u64, Shared<M>)>>,
    plays: PhantomData<P>,
}

impl<A, M, P> Sub<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    /// A way into `seat`.
    pub(crate) fn new(seat: &Rc<ActorCell<A>>, rule: Rule<M>) -> Rc<Self> {
        let Rule { how, gauge, repeats } = rule;
        Rc::new_cyclic(|me| Self {
            seat: Rc::clone(seat),
            me: Weak::clone(me),
            echo: how.echo,
            repeats,
            waiting: PolicyQueue::new(&how, gauge, seat.index),
            given: RefCell::default(),
            plays: PhantomData,
        })
    }

    /// Has the actor handle a message that was kept.
    fn play(&self, message: Lent<'_, M>) {
        let panicked = OnUnwind(|| self.seat.has_in_hand(&self.waiting.gauge));
        self.seat.play::<P, M>(message, || &self.waiting.gauge);
        std::mem::forget(panicked);
    }

    /// Keeps a message for later, by the rule.
    #[cold]
    fn keep(&self, message: Lent<'_, M>) -> bool {
        if self.seat.has_ended() {
            count(&self.waiting.gauge.dead);
            self.seat.lose_late(self.waiting.gauge.label);
            return false;
        }
        let Some(me) = self.me.upgrade() else { return false };
        // A key that panics is this actor's code.
        self.seat.core.running.set(self.seat.index);
        let number = self.seat.parked.next();
        match self.waiting.offer(&message, || (number, message.share())) {
            Kept::Dropped => false,
            Kept::InPlaceOf(old) => {
                old.iter().for_each(|(number, _)| self.seat.parked.dropped(*number));
                self.seat.parked.push(number, self.seat.core.place_in_hand(), me);
                let_go(old);
                self.seat.catch_up();
                true
            }
        }
    }

    fn close(&self) {
        let (waiting, given) = (self.waiting.close(), self.given.take());
        waiting.iter().for_each(|(number, _)| self.seat.parked.dropped(*number));
        given.iter().for_each(|(number, _)| self.seat.parked.dropped_given(*number));
        self.waiting.gauge.left_with((waiting.len() + given.len()) as u64);
        let_go((given, waiting));
    }

    /// Keeps a retained message until its place in the order has come.
    fn give(&self, place: EventPlace, message: Lent<'_, M>) {
        let Some(me) = self.me.upgrade() else { return };
        let number = self.seat.parked.next();
        self.given.borrow_mut().push_back((number, message.share()));
        self.seat.is_given(number, place, Rc::new(Given(me)));
    }

    /// Handles a message that waited.
    fn play_waiting(&self, message: &Shared<M>) {
        let message = message.lend();
        self.put_in_hand(message);
        self.play(message);
        self.seat.lay_down();
    }

    /// This as a receiver of a lane.
    pub(crate) fn receiver(self: Rc<Self>) -> impl Receive<M> {
        ToActor { seat: Rc::clone(&self.seat), echo: self.echo, sub: self }
    }
}

/// An actor's subscription as one of the receivers of a lane: what every message needs of it, without a look
/// at the subscription.
struct ToActor<A: Actor, M, P> {
    seat: Rc<ActorCell<A>>,
    echo: bool,
    sub: Rc<Sub<A, M, P>>,
}

impl<A: Actor, M, P> Clone for ToActor<A, M, P> {
    fn clone(&self) -> Self {
        Self { seat: Rc::clone(&self.seat), echo: self.echo, sub: Rc::clone(&self.sub) }
    }
}

impl<A, M, P> ToActor<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    #[inline(always)]
    fn hand(&self, sender: u32, message: Lent<'_, M>) -> bool {
        if sender == self.seat.index && !self.echo {
            return false;
        }
        // It finds all it needs from here: a way of its own to the seat would cost a register for each
        // message.
        let panicked = OnUnwind(|| self.seat.has_in_hand(&self.sub.waiting.gauge));
        let played = self.seat.play::<P, M>(message, || &self.sub.waiting.gauge);
        std::mem::forget(panicked);
        played || self.sub.keep(message)
    }
}

impl<A, M, P> Receive<M> for ToActor<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    fn alone(&self, lane: Rc<Lane<M>>) -> Box<dyn LaneWay> {
        Box::new(ToOne { lane, to: self.clone() })
    }

    #[inline]
    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool {
        self.hand(sender, message)
    }

    fn misses(&self, sender: u32) -> bool {
        // A message that its actor does not get because it has ended is a dead letter.
        if self.seat.has_ended() {
            return false;
        }
        if self.hears(sender) {
            self.sub.waiting.gauge.left(1);
        }
        true
    }

    fn hold(&self, message: Lent<'_, M>) {
        self.sub.put_in_hand(message);
    }

    fn give(&self, published: PublishedAt, message: Lent<'_, M>) {
        self.sub.give(published.place, message);
    }
}

impl<A, M, P> LaneReceiving for ToActor<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    fn seat(&self) -> u32 {
        self.seat.index
    }

    fn hears(&self, sender: u32) -> bool {
        self.echo || sender != self.seat.index
    }

    fn is_full(&self) -> bool {
        self.sub.waiting.is_full()
    }

    fn room(&self) -> usize {
        self.sub.waiting.room()
    }

    fn waiting(&self) -> usize {
        self.sub.waiting.len() + self.sub.given.borrow().len()
    }

    fn is_actor(&self) -> bool {
        true
    }

    fn close(&self) {
        self.sub.close();
    }
}

/// The way of a lane's messages to the one actor that receives them.
struct ToOne<A: Actor, M, P> {
    lane: Rc<Lane<M>>,
    to: ToActor<A, M, P>,
}

impl<A, M, P> LaneWay for ToOne<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    fn dispatch(&self, sender: u32) {
        self.lane.hand_out_to(|message| self.to.hand(sender, message));
    }
}

impl<A, M, P> ParkedSource for Sub<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    fn deliver_waiting(&self) {
        let Some((_, message)) = self.waiting.pop() else { return };
        self.play_waiting(&message);
    }

    fn discard(&self) {
        let_go(self.waiting.pop());
    }

    fn label(&self) -> Label {
        self.waiting.gauge.label
    }
}

/// The retained messages of a subscription, as a source of its seat's backlog.
struct Given<A: Actor, M, P>(Rc<Sub<A, M, P>>);

impl<A, M, P> ParkedSource for Given<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    fn deliver_waiting(&self) {
        let next = self.0.given.borrow_mut().pop_front();
        next.iter().for_each(|(_, message)| self.0.play_waiting(message));
        let_go(next);
    }

    fn discard(&self) {
        let next = self.0.given.borrow_mut().pop_front();
        let_go(next);
    }

    fn label(&self) -> Label {
        self.0.waiting.gauge.label
    }
}
