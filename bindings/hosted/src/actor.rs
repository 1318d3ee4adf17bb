//! Actors whose behaviour is a set of callbacks.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mycelium::{
    Actor, Context, Down, Handler, Monitor, Responder, StopReason, Subscription, Subscriptions, TimerHandle,
    WireDelivery, WireMessage, WireTopics,
};

use crate::address::not_handled;
use crate::{Address, Encoded, Error, Failure, Known, Scope};

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
    /// The asker gets it. The life goes on.
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

    /// Goes on where the last callback has paused: after the time that it was to wait
    /// ([`Scope::pause_for`]), or with the answer to its question ([`Scope::pause_to_ask`]). It handles
    /// nothing in between. The result is the answer, where what has paused is a query; what that has
    /// returned does not count.
    ///
    /// # Errors
    /// Those of the callback that has paused.
    fn resumed(
        &mut self,
        answer: Option<Result<Encoded, Failure>>,
        scope: &mut Scope<'_>,
    ) -> Result<Option<Encoded>, Failure> {
        let _ = (answer, scope);
        Ok(None)
    }

    /// After each batch of messages, but for one that the end of the life ends: see [`Actor::batch_ended`].
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
    pub(crate) topics: Vec<(WireTopics, Subscription<WireMessage>)>,
    pub(crate) known: Arc<Known>,
    /// How many lives have begun, of all actors that are made of it.
    lives: Arc<AtomicU64>,
}

impl ActorSpec {
    /// Has each actor that is made of it keep this alive.
    pub fn keeping(mut self, kept: impl Send + Sync + 'static) -> Self {
        let make = self.make;
        self.make = Arc::new(move || {
            let _ = &kept;
            make()
        });
        self
    }
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
    /// Which life it is.
    pub(crate) life: u64,
    pub(crate) timers: HashMap<u64, Timed>,
    pub(crate) watches: HashMap<Monitor, u64>,
    /// How many timers were set.
    pub(crate) serials: u64,
    /// What is to be sent when the callback that runs has returned.
    pub(crate) later: Vec<Later>,
    /// What the callback waits for, and goes on after.
    pub(crate) pause: Option<Pause>,
}

/// What a callback has left to be sent.
pub(crate) enum Later {
    Publish(Encoded),
    Tell(Address, Encoded),
}

/// What a callback waits for.
pub(crate) enum Pause {
    For(Duration),
    Ask(Address, Encoded),
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
    /// The life that has set it.
    pub(crate) life: u64,
    pub(crate) number: u64,
    pub(crate) serial: u64,
}

impl ActorSpec {
    /// `make` gives the behaviour of each life, on the thread of the actor.
    pub fn new(make: impl Fn() -> Result<Box<dyn Behavior>, Failure> + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make), topics: Vec::new(), known: Arc::default(), lives: Arc::default() }
    }

    /// Receives all messages of these topics, from the moment on in which the actor is spawned.
    pub fn on(mut self, topics: impl Into<WireTopics>, how: Subscription<WireMessage>) -> Self {
        self.topics.push((topics.into(), how));
        self
    }
}

impl HostedActor {
    pub(crate) fn new(spec: ActorSpec) -> Self {
        let life = spec.lives.fetch_add(1, Ordering::Relaxed);
        Self { spec, behavior: None, own: Own { life, ..Own::default() } }
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

    /// Calls it, and does then what the call has left to be done.
    async fn run<R: Send>(
        &mut self,
        ctx: &mut Context<Self>,
        call: impl FnOnce(&mut dyn Behavior, &mut Scope<'_>) -> Result<R, Failure>,
    ) -> Result<(R, Option<Encoded>), Failure> {
        let called = self.call(ctx, call);
        if self.own.later.is_empty() && self.own.pause.is_none() {
            return called.map(|done| (done, None));
        }
        // Boxed, so that callbacks which leave nothing keep no room for it.
        Box::pin(self.go_on(ctx, called)).await
    }

    async fn go_on<R: Send>(
        &mut self,
        ctx: &mut Context<Self>,
        mut called: Result<R, Failure>,
    ) -> Result<(R, Option<Encoded>), Failure> {
        let mut answer = None;
        loop {
            for later in std::mem::take(&mut self.own.later) {
                let sent = match later {
                    Later::Publish(Encoded { header, bytes }) => {
                        ctx.publish_wire(&header, &bytes).await.map_err(Error::Publish)
                    }
                    Later::Tell(to, message) => to.told(message).await,
                };
                if let Err(error) = sent {
                    called = called.and_then(|_| Err(Failure::new(error.to_string())));
                }
            }
            let waited = match self.own.pause.take() {
                Some(_) if called.is_err() => break,
                None => break,
                Some(Pause::For(time)) => {
                    ctx.sleep(time).await;
                    None
                }
                Some(Pause::Ask(whom, query)) => {
                    let told = whom.asked(query).await;
                    Some(told.map_err(|error| match error {
                        Error::Answer(failure) => failure,
                        error => Failure::new(error.to_string()),
                    }))
                }
            };
            match self.call(ctx, |behavior, scope| behavior.resumed(waited, scope)) {
                Ok(told) => answer = told,
                Err(failure) => called = Err(failure),
            }
        }
        called.map(|done| (done, answer))
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
        self.run(ctx, Behavior::started).await.map(drop)
    }

    async fn batch_ended(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.run(ctx, Behavior::batch_ended).await.map(drop)
    }

    async fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        // One that has not begun has nothing to stop.
        let stopping = |behavior: &mut dyn Behavior, scope: &mut Scope<'_>| {
            behavior.stopping(reason, scope);
            Ok(())
        };
        let _ = self.run(ctx, stopping).await;
    }
}

impl Handler<WireMessage> for HostedActor {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.run(ctx, |behavior, scope| behavior.message(&message.delivery(), scope)).await.map(drop)
    }
}

impl Handler<Told> for HostedActor {
    async fn handle(&mut self, told: &Told, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.run(ctx, |behavior, scope| behavior.told(&told.0, scope)).await.map(drop)
    }
}

impl Handler<Due> for HostedActor {
    async fn handle(&mut self, due: &Due, ctx: &mut Context<Self>) -> Result<(), Failure> {
        // One that a life before this has set, and failed on, comes again: it has nothing to do with those of
        // this life. Of this life's own, another one may have been set under its number while it waited.
        if due.life == self.own.life {
            match self.own.timers.get(&due.number) {
                Some(timed) if timed.serial == due.serial && !timed.repeats => {
                    self.own.timers.remove(&due.number)
                }
                Some(timed) if timed.serial == due.serial => None,
                _ => return Ok(()),
            };
        }
        self.run(ctx, |behavior, scope| behavior.timer(due.number, scope)).await.map(drop)
    }
}

impl Handler<Down> for HostedActor {
    async fn handle(&mut self, down: &Down, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let Some(number) = self.own.watches.remove(&down.monitor) else { return Ok(()) };
        self.run(ctx, |behavior, scope| behavior.down(number, &down.reason, scope)).await.map(drop)
    }
}

impl Responder<Encoded> for HostedActor {
    type Reply = Result<Encoded, Failure>;

    async fn answer(&mut self, query: &Encoded, ctx: &mut Context<Self>) -> Self::Reply {
        let (answer, later) = self.run(ctx, |behavior, scope| behavior.query(query, scope)).await?;
        Ok(later.unwrap_or(answer))
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
