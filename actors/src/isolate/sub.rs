//! The ways into an actor of an isolate: its subscriptions, and the messages and queries sent to it.
//!
//! A handler is a play on its actor's [`Stage`](mycelium_mailbox::Stage): polled in place, with nothing
//! allocated for each message. What comes while one waits is kept here, by the rule of the subscription.

mod hand;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};

use mycelium_mailbox::{Lent, Play, Shared};
use tokio::sync::oneshot;

pub(crate) use self::hand::{HandedMessage, Repeats};
use super::gauge::{Gauge, Label, OnUnwind, count};
use super::lane::{Lane, LaneReceiving, LaneWay, Receive};
use super::let_go;
use super::seat::{AnySeat, Bundle, Seat};
use crate::life::{self, Witness};
use crate::{Actor, Handler, Policy, Responder, StopReason, Subscription};

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
}

impl<A: Handler<M>, M: 'static> Called<A, M> for HandleStep {
    type Seen = SeenStep;
}

impl<A: Responder<Q>, Q: 'static> Called<A, PendingRequest<Q, A::Reply>> for AnswerStep {
    type Seen = AnswerSeen;
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
            // Whoever asked may have stopped waiting.
            let _ = back.send(reply);
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
    /// Whether the message of this number still waits.
    fn holds(&self, number: u64) -> bool;
    /// What it is.
    fn label(&self) -> Label;
}

/// What happens to a message when `capacity` of them wait.
pub(crate) enum Overflow<M> {
    /// Publishers are refused while this is full, so nothing is dropped.
    Refuse,
    DropOldest,
    DropNewest,
    Conflate(fn(&M) -> u64),
}

/// How one way in treats what waits behind a parked handler.
pub(crate) struct Rule<M> {
    pub(crate) overflow: Overflow<M>,
    pub(crate) capacity: usize,
    pub(crate) echo: bool,
    pub(crate) gauge: Rc<Gauge>,
    pub(crate) repeats: Repeats,
}

impl<M> Rule<M> {
    /// That of a subscription to the topic with this `TYPE_ID`.
    pub(crate) fn of_topic(type_id: u16, how: &Subscription<M>, gauge: &Rc<Gauge>) -> Self {
        let overflow = match how.policy {
            Policy::Block | Policy::Fail => Overflow::Refuse,
            Policy::DropOldest => Overflow::DropOldest,
            Policy::DropNewest => Overflow::DropNewest,
            Policy::Conflate(key) => Overflow::Conflate(key),
        };
        let (capacity, echo, gauge) = (how.room(), how.echo, Rc::clone(gauge));
        Self { overflow, capacity, echo, gauge, repeats: Repeats::Topic(type_id) }
    }
}

/// One way into an actor, handled by the play `P`.
pub(crate) struct Sub<A: Actor, M, P> {
    seat: Rc<Seat<A>>,
    me: Weak<Self>,
    rule: Rule<M>,
    /// Messages behind a parked handler, by rising numbers. The seat's backlog has an entry for each, so that
    /// the order between subscriptions is kept.
    waiting: RefCell<VecDeque<(u64, Shared<M>)>>,
    /// How many they are.
    waiting_count: Cell<usize>,
    /// What the topic had retained when this came, as far as it is not handled: in the seat's backlog too,
    /// and in no capacity.
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
    pub(crate) fn new(seat: &Rc<Seat<A>>, rule: Rule<M>) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            seat: Rc::clone(seat),
            me: Weak::clone(me),
            rule,
            waiting: RefCell::default(),
            waiting_count: Cell::new(0),
            given: RefCell::default(),
            plays: PhantomData,
        })
    }

    /// Has the actor handle a message that was kept.
    fn play(&self, message: Lent<'_, M>) {
        let panicked = OnUnwind(|| self.seat.has_in_hand(&self.rule.gauge));
        self.seat.play::<P, M>(message, || &self.rule.gauge);
        std::mem::forget(panicked);
    }

    /// Keeps a message for later, by the rule.
    #[cold]
    fn keep(&self, message: Lent<'_, M>) -> bool {
        if self.seat.has_ended() {
            count(&self.rule.gauge.dead);
            self.seat.lose_late(self.rule.gauge.label);
            return false;
        }
        let full = self.waiting_count.get() >= self.rule.capacity;
        // A key is foreign code.
        let told = OnUnwind(|| self.rule.gauge.died());
        let conflated = match &self.rule.overflow {
            Overflow::Conflate(key) => self.take_where(|old| key(old) == key(&message)),
            _ => None,
        };
        std::mem::forget(told);
        let dropped = match &self.rule.overflow {
            _ if conflated.is_some() => {
                count(&self.rule.gauge.conflated);
                conflated
            }
            Overflow::DropNewest if full => {
                count(&self.rule.gauge.newest);
                return false;
            }
            Overflow::DropOldest | Overflow::Conflate(_) if full => {
                count(&self.rule.gauge.oldest);
                self.take_where(|_| true)
            }
            _ => None,
        };
        let Some(me) = self.me.upgrade() else { return false };
        let number = self.seat.backlog.push(me);
        self.waiting.borrow_mut().push_back((number, message.share()));
        self.set_waiting(self.waiting_count.get() + 1);
        let_go(dropped);
        true
    }

    /// Notes how many wait, and whether that makes this way in refuse.
    fn set_waiting(&self, waiting: usize) {
        let before = self.waiting_count.replace(waiting) >= self.rule.capacity;
        let after = waiting >= self.rule.capacity;
        if before != after && matches!(self.rule.overflow, Overflow::Refuse) {
            self.rule.gauge.refuses(after);
        }
    }

    /// Takes out the oldest message that `matches`.
    fn take_where(&self, matches: impl Fn(&M) -> bool) -> Option<Shared<M>> {
        let mut waiting = self.waiting.borrow_mut();
        let found = waiting.iter().position(|(_, message)| matches(message));
        let (_, taken) = waiting.remove(found?)?;
        drop(waiting);
        self.set_waiting(self.waiting_count.get() - 1);
        self.seat.backlog.dropped(1);
        Some(taken)
    }

    fn take_oldest(&self) -> Option<Shared<M>> {
        let (_, message) = self.waiting.borrow_mut().pop_front()?;
        self.set_waiting(self.waiting_count.get() - 1);
        Some(message)
    }

    fn close(&self) {
        let (waiting, given) = (self.waiting.take(), self.given.take());
        self.set_waiting(0);
        let left = waiting.len() + given.len();
        self.seat.backlog.dropped(left);
        self.rule.gauge.left_with(left as u64);
        let_go((given, waiting));
    }

    /// Keeps a retained message, which is handled before what comes.
    fn give(&self, message: Lent<'_, M>) {
        let Some(me) = self.me.upgrade() else { return };
        let number = self.seat.backlog.push(Rc::new(Given(me)));
        self.given.borrow_mut().push_back((number, message.share()));
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
        ToActor { seat: Rc::clone(&self.seat), echo: self.rule.echo, sub: self }
    }
}

/// An actor's subscription as one of the receivers of a lane: what every message needs of it, without a look
/// at the subscription.
struct ToActor<A: Actor, M, P> {
    seat: Rc<Seat<A>>,
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
        let panicked = OnUnwind(|| self.seat.has_in_hand(&self.sub.rule.gauge));
        let played = self.seat.play::<P, M>(message, || &self.sub.rule.gauge);
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

    fn again(&self) -> Box<dyn Receive<M>> {
        Box::new(self.clone())
    }

    #[inline]
    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool {
        self.hand(sender, message)
    }

    fn hold(&self, message: Lent<'_, M>) {
        self.sub.put_in_hand(message);
    }

    fn give(&self, _: u32, _: i64, message: Lent<'_, M>) {
        self.sub.give(message);
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
        self.sub.waiting_count.get() >= self.sub.rule.capacity
    }

    fn waiting(&self) -> usize {
        self.sub.waiting_count.get() + self.sub.given.borrow().len()
    }

    fn is_actor(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        false
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
        let Some(message) = self.take_oldest() else { return };
        self.seat.core.made_room();
        self.play_waiting(&message);
    }

    fn discard(&self) {
        let_go(self.take_oldest());
    }

    fn holds(&self, number: u64) -> bool {
        let waiting = self.waiting.borrow();
        let first = waiting.front().is_some_and(|(first, _)| *first == number);
        first || waiting.binary_search_by_key(&number, |(number, _)| *number).is_ok()
    }

    fn label(&self) -> Label {
        self.rule.gauge.label
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

    fn holds(&self, number: u64) -> bool {
        self.0.given.borrow().front().is_some_and(|(first, _)| *first <= number)
    }

    fn label(&self) -> Label {
        self.0.rule.gauge.label
    }
}
