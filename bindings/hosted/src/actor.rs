//! Actors whose behaviour is a set of callbacks.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use mycelium::{
    Actor, Context, Down, Handler, Monitor, Responder, StopReason, Subscription, Subscriptions, TimerHandle,
    WireDelivery, WireMessage, WireTopics,
};

use crate::address::not_handled;
use crate::{Encoded, Failure, Known, Scope};

/// What a hosted actor does: the callbacks of one life. It is made on the actor's own thread, called and
/// dropped there.
///
/// An error of a callback ends the life, as one of a Rust handler does; its text is the reason that the
/// supervisor, the log and whoever watches see. The message in hand is a dead letter or handled once more by
/// the next life, as the child's redelivery says. An error of [`query`](Self::query) goes to whoever asked
/// and ends nothing.
pub trait Behavior: Send + 'static {
    /// Before the first message of a life.
    ///
    /// # Errors
    /// The life has not begun.
    fn started(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let _ = scope;
        Ok(())
    }

    /// A message of one of its topics.
    ///
    /// # Errors
    /// The life ends.
    fn message(&mut self, message: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure>;

    /// A message that was told to it.
    ///
    /// # Errors
    /// The life ends.
    fn told(&mut self, message: &Encoded, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let _ = scope;
        Err(not_handled("takes", message.header.type_id))
    }

    /// A query; its answer.
    ///
    /// # Errors
    /// Whoever asked gets it. The life goes on.
    fn query(&mut self, query: &Encoded, scope: &mut Scope<'_>) -> Result<Encoded, Failure> {
        let _ = scope;
        Err(not_handled("answers", query.header.type_id))
    }

    /// The timer with this number is due: [`Scope::schedule_after`].
    ///
    /// # Errors
    /// The life ends.
    fn timer(&mut self, number: u64, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let _ = (number, scope);
        Ok(())
    }

    /// The actor that it watches under this number has ended: [`Scope::watch`].
    ///
    /// # Errors
    /// The life ends.
    fn down(&mut self, number: u64, reason: &StopReason, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let _ = (number, reason, scope);
        Ok(())
    }

    /// After each batch of messages: see [`Actor::batch_ended`].
    ///
    /// # Errors
    /// The life ends, with no message in hand.
    fn batch_ended(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let _ = scope;
        Ok(())
    }

    /// After the last message of a life that was told to stop, or has failed by an error.
    fn stopping(&mut self, reason: &StopReason, scope: &mut Scope<'_>) {
        let _ = (reason, scope);
    }
}

type Make = dyn Fn() -> Result<Box<dyn Behavior>, Failure> + Send + Sync;

/// How a hosted actor is made, and what it receives.
#[derive(Clone)]
#[must_use = "an actor runs under a supervisor: give it to `Runtime::child`"]
pub struct ActorSpec {
    make: Arc<Make>,
    topics: Vec<(WireTopics, Subscription<WireMessage>)>,
    pub(crate) known: Arc<Known>,
}

/// An actor whose behaviour is a set of callbacks: a child of a supervision tree, made by
/// [`Runtime::child`](crate::Runtime::child).
pub struct HostedActor {
    spec: ActorSpec,
    behavior: Option<Box<dyn Behavior>>,
    own: Own,
}

/// What the framework keeps for one life.
#[derive(Default)]
pub(crate) struct Own {
    pub(crate) timers: HashMap<u64, Timed>,
    pub(crate) watches: HashMap<Monitor, u64>,
    /// How many timers were set.
    pub(crate) serials: u64,
}

/// A timer that is set.
pub(crate) struct Timed {
    pub(crate) handle: TimerHandle,
    pub(crate) repeats: bool,
    /// Which of all timers that were set.
    pub(crate) serial: u64,
}

/// A message that was told, apart from those of topics.
pub(crate) struct Told(pub(crate) Encoded);

/// A timer is due.
#[derive(Clone)]
pub(crate) struct Due {
    pub(crate) number: u64,
    pub(crate) serial: u64,
}

impl ActorSpec {
    /// `make` gives the behaviour of each life, on the thread of the actor.
    pub fn new(make: impl Fn() -> Result<Box<dyn Behavior>, Failure> + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make), topics: Vec::new(), known: Arc::default() }
    }

    /// Receives all messages of these topics, from the moment on in which the actor is spawned.
    pub fn on(mut self, topics: impl Into<WireTopics>, how: Subscription<WireMessage>) -> Self {
        self.topics.push((topics.into(), how));
        self
    }
}

impl HostedActor {
    pub(crate) fn new(spec: ActorSpec) -> Self {
        Self { spec, behavior: None, own: Own::default() }
    }

    /// Calls the behaviour, which is there from `started` on.
    fn call<R>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut dyn Behavior, &mut Scope<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let Self { spec, behavior, own } = self;
        let Some(behavior) = behavior else { return Err(Failure::new("this life has not begun")) };
        call(&mut **behavior, &mut Scope { ctx, own, known: &spec.known })
    }
}

impl Actor for HostedActor {
    type Error = Failure;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        for (wanted, how) in &self.spec.topics {
            topics.on_wire_with(wanted.clone(), *how);
        }
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.behavior = Some((self.spec.make)()?);
        self.call(ctx, Behavior::started)
    }

    async fn batch_ended(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.call(ctx, Behavior::batch_ended)
    }

    async fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        // One that has not begun has nothing to stop.
        let _ = self.call(ctx, |behavior, scope| {
            behavior.stopping(reason, scope);
            Ok(())
        });
    }
}

impl Handler<WireMessage> for HostedActor {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.call(ctx, |behavior, scope| behavior.message(&message.delivery(), scope))
    }
}

impl Handler<Told> for HostedActor {
    async fn handle(&mut self, told: &Told, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.call(ctx, |behavior, scope| behavior.told(&told.0, scope))
    }
}

impl Handler<Due> for HostedActor {
    async fn handle(&mut self, due: &Due, ctx: &mut Context<Self>) -> Result<(), Failure> {
        // Another one may have been set under its number while it waited.
        match self.own.timers.get(&due.number) {
            Some(timed) if timed.serial == due.serial && !timed.repeats => {
                self.own.timers.remove(&due.number)
            }
            Some(timed) if timed.serial == due.serial => None,
            _ => return Ok(()),
        };
        self.call(ctx, |behavior, scope| behavior.timer(due.number, scope))
    }
}

impl Handler<Down> for HostedActor {
    async fn handle(&mut self, down: &Down, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let Some(number) = self.own.watches.remove(&down.monitor) else { return Ok(()) };
        self.call(ctx, |behavior, scope| behavior.down(number, &down.reason, scope))
    }
}

impl Responder<Encoded> for HostedActor {
    type Reply = Result<Encoded, Failure>;

    async fn answer(&mut self, query: &Encoded, ctx: &mut Context<Self>) -> Self::Reply {
        self.call(ctx, |behavior, scope| behavior.query(query, scope))
    }
}

impl fmt::Debug for HostedActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedActor").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl fmt::Debug for ActorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics: Vec<_> = self.topics.iter().map(|(topics, _)| topics).collect();
        f.debug_struct("ActorSpec").field("topics", &topics).finish_non_exhaustive()
    }
}
