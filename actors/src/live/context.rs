//! The live half of a [`Context`](crate::Context).

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mycelium_mailbox::{Sources, discard};

use super::address::{Address, Member};
use super::bus::BusCore;
use super::envelope::Envelope;
use super::monitor::{Watched, Watching};
use super::outlet::Outlet;
use super::source::{ActorSource, Inlet, TopicSource, Way};
use super::timers::Timers;
use super::watch::Interrupt;
use super::watch::Readiness;
use super::wire::WireSource;
use crate::dead_letters::{DeadLetter, DeadLetterCause};
use crate::subscription::{OnceEach, Terms};
use crate::sync::Mutex;
use crate::wire::{Kind, WireMessage, WireTopics};
use crate::{
    Actor, ActorId, Down, Every, Handler, Message, Monitor, SpawnError, StopReason, Subscription, Takes,
    TimerHandle,
};

/// What a handler reaches through its context.
// In C's order, with the outlet first: it lies where the place of an actor of an isolate lies, so that a
// publish does not look which of them it goes through.
#[repr(C)]
pub(crate) struct LiveContext<A: Actor> {
    pub(crate) outlet: Outlet,
    pub(crate) address: Arc<Address<A>>,
    /// Where the actor says that it is ready, if that is waited for.
    pub(crate) readiness: Option<Arc<Readiness>>,
    /// What it does not subscribe to, because its pool does.
    pub(super) once_each: Option<Arc<OnceEach>>,
    /// What it receives, each topic once.
    topics: Vec<HeardTopic>,
    // Never locked, only reached through `get_mut`: the mutexes make the context `Sync`, so that a handler
    // may keep a shared reference to it across an await.
    timers: Mutex<Option<Box<Timers<A>>>>,
    changes: Mutex<Changes<A>>,
    /// Empty until the actor watches somebody.
    pub(crate) watching: Option<Box<Watching<A>>>,
    /// Whether `changes` has any. The body is nudged then.
    changed: bool,
}

/// A topic that an actor receives.
struct HeardTopic {
    way: Way,
    /// This life has it from the one before and has not asked for it yet.
    inherited: bool,
    terms: Terms,
}

/// Subscriptions that a handler made and ended: its body takes them over when the handler has returned.
struct Changes<A: Actor> {
    joined: Vec<Inlet<A>>,
    left: Vec<Way>,
}

impl<A: Actor> LiveContext<A> {
    pub(crate) fn new(address: Arc<Address<A>>, core: Arc<BusCore>) -> Self {
        let changes = Mutex::new(Changes { joined: Vec::new(), left: Vec::new() });
        Self {
            outlet: Outlet::new(core, address.id),
            address,
            readiness: None,
            once_each: None,
            changed: false,
            topics: Vec::new(),
            timers: Mutex::default(),
            changes,
            watching: None,
        }
    }

    pub(crate) fn id(&self) -> ActorId {
        self.address.id
    }

    /// Whether a probe looks at it, and knows that now.
    pub(crate) fn interrupted_by(&self, interrupt: Interrupt) -> bool {
        self.address.probed().is_some_and(|watch| {
            drop(watch.interrupted_by(Some(interrupt)));
            true
        })
    }

    pub(crate) fn core(&self) -> &Arc<BusCore> {
        self.outlet.core()
    }

    /// Counts a message that is being handled as a dead letter.
    pub(crate) fn bury(&self, message: &'static str, topic: &'static str, reason: StopReason) {
        let (actor, at, cause) =
            (self.address.identity(), self.core().clock.now(), DeadLetterCause::InHand { attempts: 1 });
        let letter = DeadLetter { actor, message, topic: Some(topic), messages: 1, cause, reason, at };
        self.core().dead_letters.put(letter, None, true);
    }

    pub(crate) fn schedule_after<M>(&mut self, delay: Duration, message: M) -> TimerHandle
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.timers_to_set().set_once(delay, Envelope::message(message))
    }

    pub(crate) fn schedule_every<M>(&mut self, every: Every, message: M) -> TimerHandle
    where
        A: Takes<M>,
        M: Clone + Send + 'static,
    {
        self.timers_to_set().set_every(every, Box::new(move || Envelope::message(message.clone())))
    }

    fn timers_to_set(&mut self) -> &mut Timers<A> {
        get_mut(&mut self.timers).get_or_insert_with(|| Box::new(Timers::new()))
    }

    pub(crate) fn subscribe<M: Message>(&mut self, subscription: Subscription<M>) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        let entry = self.core().topics.entry::<M>()?;
        self.is_its_own(Kind::of::<M>())?;
        let (way, terms) = (Way::typed::<M>(), subscription.terms());
        if let Some(heard) = self.heard(way, terms) {
            return heard.then_some(()).ok_or(SpawnError::AlreadySubscribed { message: M::NAME });
        }
        let queue = entry.subscribe(subscription, &self.address.queue_owner())?;
        self.join(way, terms, Box::new(TopicSource::new(queue, entry)));
        Ok(())
    }

    /// Subscribes to the bytes of these topics: to all of them, or none.
    pub(crate) fn subscribe_wire(
        &mut self,
        topics: &WireTopics,
        how: &Subscription<WireMessage>,
    ) -> Result<(), SpawnError>
    where
        A: Handler<WireMessage>,
    {
        let (core, terms) = (Arc::clone(self.core()), how.terms());
        let mut new = Vec::new();
        for (at, kind) in core.wire.wanted(topics)? {
            self.is_its_own(kind)?;
            match self.heard(Way::wire(kind.type_id), terms) {
                Some(true) => {}
                Some(false) => return Err(SpawnError::AlreadySubscribed { message: kind.name }),
                None => new.push((at, kind)),
            }
        }
        let owner = self.address.queue_owner();
        let listen = |(at, kind): (usize, Kind)| {
            let queue = core.wire.listen_at(&core.topics, at, how, &owner)?;
            Ok((Way::wire(kind.type_id), WireSource::new(queue)))
        };
        let sources: Vec<_> = new.into_iter().map(listen).collect::<Result<_, SpawnError>>()?;
        for (way, source) in sources {
            self.join(way, terms, Box::new(source));
        }
        Ok(())
    }

    /// Whether its pool leaves the subscription to this message to each worker.
    fn is_its_own(&self, kind: Kind) -> Result<(), SpawnError> {
        let Some(once_each) = &self.once_each else { return Ok(()) };
        let wanted = |topics: &WireTopics| self.core().wire.wanted(topics).unwrap_or_default();
        let hears = |topics: &WireTopics| wanted(topics).iter().any(|(_, of)| of.type_id == kind.type_id);
        once_each.allows::<A>(kind, self.address.path.as_ref(), hears)
    }

    /// Whether a subscription that the actor has is one on these terms; `None`: it has none.
    fn heard(&mut self, way: Way, terms: Terms) -> Option<bool> {
        let heard = self.topics.iter_mut().find(|heard| heard.way == way)?;
        Some(std::mem::take(&mut heard.inherited) || heard.terms == terms)
    }

    fn join(&mut self, way: Way, terms: Terms, source: Box<dyn ActorSource<A>>) {
        self.topics.push(HeardTopic { way, inherited: false, terms });
        get_mut(&mut self.changes).joined.push(Inlet::Topic(source));
        self.change();
    }

    pub(crate) fn unsubscribe<M: Message>(&mut self) {
        self.part(Way::typed::<M>());
    }

    /// Unsubscribes from the bytes of these topics.
    pub(crate) fn unsubscribe_wire(&mut self, topics: &WireTopics) {
        let core = Arc::clone(self.core());
        for kind in core.wire.left(topics) {
            self.part(Way::wire(kind.type_id));
        }
    }

    fn part(&mut self, way: Way) {
        let changes = get_mut(&mut self.changes);
        changes.joined.retain(|source| source.topic() != Some(way));
        changes.left.push(way);
        self.topics.retain(|heard| heard.way != way);
        self.change();
    }

    pub(crate) fn watch(&mut self, other: &Arc<dyn Watched>) -> Monitor
    where
        A: Takes<Down>,
    {
        let id = self.id();
        self.watching().watch(id, other)
    }

    pub(crate) fn depend_on(&mut self, other: &Arc<dyn Watched>) -> Monitor {
        let id = self.id();
        self.watching().depend_on(id, other)
    }

    fn watching(&mut self) -> &mut Watching<A> {
        let Self { watching, address, outlet, changes, changed, .. } = self;
        watching.get_or_insert_with(|| {
            let (watching, source) =
                Watching::new(address.id, &outlet.core().stamps, address.inbox.doorbell());
            get_mut(changes).joined.push(Inlet::Topic(source));
            *changed = true;
            address.presence.nudge();
            Box::new(watching)
        })
    }

    pub(crate) fn unwatch(&mut self, monitor: Monitor) -> bool {
        self.watching.as_mut().is_some_and(|watching| watching.remove(monitor))
    }

    /// Forgets whom the actor watches: that ends with its life.
    pub(crate) fn clear_watches(&mut self) {
        if let Some(watching) = &mut self.watching {
            watching.clear();
        }
    }

    fn change(&mut self) {
        self.changed = true;
        self.address.presence.nudge();
    }

    /// Brings `sources` up to date with the subscriptions that handlers made and ended.
    pub(crate) fn apply_changes(&mut self, sources: &mut Sources<Inlet<A>>) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let changes = get_mut(&mut self.changes);
        for topic in changes.left.drain(..) {
            sources.retain(|source| source.topic() != Some(topic));
        }
        changes.joined.drain(..).for_each(|source| sources.push(source));
    }

    /// A life is over: its watches are, too, and what it has said of interrupts.
    pub(crate) fn end_life(&mut self, sources: &mut Sources<Inlet<A>>) {
        self.forget_interrupt();
        if self.watching.is_some() {
            self.clear_watches();
            sources.iter_mut().for_each(|source| source.end_life());
        }
    }

    /// Nothing of its code is to be ended any more.
    pub(crate) fn forget_interrupt(&self) {
        discard(self.address.probed().and_then(|watch| watch.interrupted_by(None)));
    }

    /// A new life begins, with all `sources` of the last one.
    pub(crate) fn begin_life(&mut self, sources: &mut Sources<Inlet<A>>) {
        self.apply_changes(sources);
        self.topics.iter_mut().for_each(|heard| heard.inherited = true);
        self.clear_timers();
    }

    pub(crate) fn timers(&mut self) -> Option<&mut Timers<A>> {
        get_mut(&mut self.timers).as_deref_mut()
    }

    /// Forgets the timers: they end with their actor.
    pub(crate) fn clear_timers(&mut self) {
        *get_mut(&mut self.timers) = None;
    }
}

fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}
