//! The live half of a [`Context`](crate::Context).

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::address::Address;
use super::bus::Core;
use super::envelope::Envelope;
use super::monitor::{Watched, Watching};
use super::outlet::Outlet;
use super::source::{Inlet, TopicSource};
use super::timers::Timers;
use super::watch::Readiness;
use crate::subscription::Terms;
use crate::sync::Mutex;
use crate::{Actor, ActorId, Down, Every, Handler, Message, Monitor, SpawnError, Subscription, TimerHandle};

/// What a handler reaches through its context.
pub(crate) struct LiveContext<A: Actor> {
    pub(crate) address: Arc<Address<A>>,
    pub(crate) outlet: Outlet,
    /// Where the actor says that it is ready, if that is waited for.
    pub(crate) readiness: Option<Arc<Readiness>>,
    /// Whether `changes` has any. The body is nudged then.
    changed: bool,
    /// What it receives, each topic once.
    topics: Vec<Heard>,
    // Never locked, only reached through `get_mut`: the mutexes make the context `Sync`, so that a handler may keep a
    // shared reference to it across an await.
    timers: Mutex<Option<Box<Timers<A>>>>,
    changes: Mutex<Changes<A>>,
    /// Empty until the actor watches somebody.
    pub(crate) watching: Option<Box<Watching<A>>>,
}

/// A topic that an actor receives.
struct Heard {
    topic: u16,
    /// This life has it from the one before and has not asked for it yet.
    inherited: bool,
    terms: Terms,
}

/// Subscriptions that a handler made and ended: its body takes them over when the handler has returned.
struct Changes<A: Actor> {
    joined: Vec<Inlet<A>>,
    left: Vec<u16>,
}

impl<A: Actor> LiveContext<A> {
    pub(crate) fn new(address: Arc<Address<A>>, core: Arc<Core>) -> Self {
        let changes = Mutex::new(Changes { joined: Vec::new(), left: Vec::new() });
        Self {
            outlet: Outlet::new(core, address.id),
            address,
            readiness: None,
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

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.outlet.core()
    }

    pub(crate) fn schedule_after<M>(&mut self, delay: Duration, message: M) -> TimerHandle
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        self.timers_to_set().set_once(delay, Envelope::message(message))
    }

    pub(crate) fn schedule_every<M>(&mut self, every: Every, message: M) -> TimerHandle
    where
        A: Handler<M>,
        M: Clone + Send + Sync + 'static,
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
        let terms = subscription.terms();
        if let Some(heard) = self.topics.iter_mut().find(|heard| heard.topic == M::TYPE_ID) {
            return match std::mem::take(&mut heard.inherited) || heard.terms == terms {
                true => Ok(()),
                false => Err(SpawnError::AlreadySubscribed { message: M::NAME }),
            };
        }
        let queue = entry.subscribe(
            subscription,
            self.address.id.get(),
            Arc::clone(self.address.inbox.doorbell()),
        )?;
        self.topics.push(Heard { topic: M::TYPE_ID, inherited: false, terms });
        get_mut(&mut self.changes).joined.push(Inlet::Topic(Box::new(TopicSource::new(queue, entry))));
        self.change();
        Ok(())
    }

    pub(crate) fn unsubscribe<M: Message>(&mut self) {
        let changes = get_mut(&mut self.changes);
        changes.joined.retain(|source| source.topic() != Some(M::TYPE_ID));
        changes.left.push(M::TYPE_ID);
        self.topics.retain(|heard| heard.topic != M::TYPE_ID);
        self.change();
    }

    pub(crate) fn watch(&mut self, other: &Arc<dyn Watched>) -> Monitor
    where
        A: Handler<Down>,
    {
        let id = self.id();
        self.watching().watch(id, other)
    }

    pub(crate) fn link(&mut self, other: &Arc<dyn Watched>) -> Monitor {
        let id = self.id();
        self.watching().link(id, other)
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
    pub(crate) fn apply_changes(&mut self, sources: &mut Vec<Inlet<A>>) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let changes = get_mut(&mut self.changes);
        for topic in changes.left.drain(..) {
            sources.retain(|source| source.topic() != Some(topic));
        }
        sources.append(&mut changes.joined);
    }

    /// A new life begins, with all `sources` of the last one.
    pub(crate) fn begin_life(&mut self, sources: &mut Vec<Inlet<A>>) {
        self.apply_changes(sources);
        self.topics.iter_mut().for_each(|heard| heard.inherited = true);
        self.clear_timers();
        self.clear_watches();
    }

    pub(crate) fn timers(&mut self) -> Option<&mut Timers<A>> {
        get_mut(&mut self.timers).as_deref_mut()
    }

    /// Forgets the timers: they end with their actor.
    pub(crate) fn clear_timers(&mut self) {
        *get_mut(&mut self.timers) = None;
    }

    pub(crate) fn random(&self) -> Pcg64Mcg {
        random_for(self.core().seed, self.address.id)
    }
}

/// The generator of one actor: the bus's seed and the actor's id, mixed so that neighbours share nothing.
pub(crate) fn random_for(seed: u64, id: ActorId) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed ^ id.get().wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31))
}

fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}
