//! The live bus.

use std::fmt;
use std::sync::{Arc, PoisonError, Weak};

use mycelium_mailbox::{Stamps, Stop};

use super::address::Member;
use super::builder::BusBuilder;
use super::dead_letters::DeadLetterBox;
use super::forest::Forest;
use super::links::{Bridge, Links, NodeNames};
use super::lookout::Lookout;
use super::members::{MemberSeat, Members};
use super::names::Names;
use super::runtime::Runtimes;
use super::shutdown::BusMissed;
use super::topics::Topics;
use super::wire::WireTable;
use crate::clock::LiveClock;
use crate::dead_letters::DeadLetters;
use crate::life::Census;
use crate::rt;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, SetOnce};
use crate::{Actor, ActorId, ActorRef, Clock, Identity, Probe, SpawnError, TopicStats};

/// One live bus: its topics, actors, services, names and clock. Cloning the handle is cheap; nothing is
/// global, so any number of buses live side by side.
///
/// The bus owns its actors: they run until they end by themselves, [`shutdown`](Self::shutdown) ends them, or
/// the last handle is dropped, which asks them to end as `shutdown` does but waits for nobody. References,
/// publishers and subscribers keep neither the bus nor an actor alive.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Message, MessageBus, Responder, Subscriptions};
///
/// #[derive(Clone, Copy, Debug)]
/// struct Fill { quantity: i64 }
/// impl Message for Fill {
///     const NAME: &'static str = "Fill";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "fills";
/// }
///
/// #[derive(Default)]
/// struct Portfolio { position: i64 }
/// impl Actor for Portfolio {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on::<Fill>();
///     }
/// }
/// impl Handler<Fill> for Portfolio {
///     async fn handle(&mut self, fill: &Fill, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.position += fill.quantity;
///         Ok(())
///     }
/// }
///
/// struct Position;
/// impl Responder<Position> for Portfolio {
///     type Reply = i64;
///     async fn answer(&mut self, _: &Position, _ctx: &mut Context<Self>) -> i64 {
///         self.position
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let portfolio = bus.spawn(Portfolio::default())?;
/// bus.publisher::<Fill>()?.publish(Fill { quantity: 3 }).await?;
/// assert_eq!(portfolio.ask(Position).await?, 3);
/// bus.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MessageBus {
    pub(crate) core: Arc<BusCore>,
    owner: Arc<Owner>,
}

/// A handle that does not keep the bus alive, for an actor that holds its own bus.
#[derive(Clone)]
pub struct WeakBus {
    core: Weak<BusCore>,
    owner: Weak<Owner>,
}

/// Shared by the bus's handles: its drop is that of the last one.
struct Owner(Arc<BusCore>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// What the handles, contexts and bodies of one bus share.
pub(crate) struct BusCore {
    pub(crate) topics: Topics,
    pub(crate) wire: WireTable,
    pub(crate) dead_letters: DeadLetterBox,
    pub(crate) seed: u64,
    census: Mutex<Census>,
    pub(crate) probe: Option<Arc<dyn Probe>>,
    pub(crate) members: Members,
    pub(crate) forest: Forest,
    pub(crate) links: Links,
    pub(crate) node_names: NodeNames,
    /// Children that supervisors have started anew.
    pub(crate) restarts: AtomicU64,
    /// How many pieces of work that block have been given to the runtime's threads and have not ended.
    pub(crate) blocking: Arc<AtomicUsize>,
    pub(crate) clock: LiveClock,
    pub(super) names: Names,
    pub(crate) stamps: Arc<Stamps>,
    next_id: AtomicU64,
    closed: AtomicBool,
    /// Set when it is closed, for those that wait for it.
    pub(crate) closing: SetOnce<()>,
    /// Until when the most patient of those who have begun a shutdown waits.
    ends_by: Mutex<Option<rt::Instant>>,
    /// Those that its shutdowns have killed.
    pub(super) missed: Mutex<BusMissed>,
    pub(crate) lookout: Arc<Lookout>,
    pub(super) inbox_capacity: u32,
    pub(super) runtimes: Runtimes,
}

impl BusBuilder {
    /// The bus.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().seed(42).build();
    /// assert_eq!(bus.alive(), 0);
    /// ```
    #[must_use]
    pub fn build(self) -> MessageBus {
        let stamps = Arc::new(Stamps::new());
        let clock = LiveClock::new();
        let topics =
            Topics::new(Arc::clone(&stamps), self.topic_capacity, clock, &self.table, self.retentions);
        let core = Arc::new_cyclic(|core| BusCore {
            lookout: Lookout::new(core.clone(), topics.mark(), self.ask_limit, self.circle_after),
            topics,
            wire: WireTable::new(self.table),
            dead_letters: DeadLetterBox::default(),
            seed: self.seed,
            census: Mutex::default(),
            probe: self.probe,
            members: Members::default(),
            forest: Forest::default(),
            links: Links::default(),
            node_names: self.names,
            restarts: AtomicU64::new(0),
            blocking: Arc::default(),
            clock,
            names: Names::default(),
            stamps,
            next_id: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            closing: SetOnce::new(),
            ends_by: Mutex::new(None),
            missed: Mutex::default(),
            inbox_capacity: self.inbox_capacity,
            runtimes: Runtimes::new(self.runtime),
        });
        MessageBus { owner: Arc::new(Owner(Arc::clone(&core))), core }
    }
}

impl MessageBus {
    /// An empty bus with the usual capacities.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let (live, shadow) = (MessageBus::new(), MessageBus::new()); // neither knows of the other
    /// # drop((live, shadow));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A bus with other capacities, seed or runtime.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().node("desk").topic_capacity(4_096).build();
    /// # drop(bus);
    /// ```
    pub fn builder() -> BusBuilder {
        BusBuilder::default()
    }

    /// Starts an actor. Its subscriptions are in force when this returns; `started` runs on its own task.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, n: &u64) { self.0 += n; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let sum = bus.spawn(Sum(0))?;
    /// sum.tell(7).await?;
    /// assert_eq!(sum.ask(Total).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::NoRuntime`] outside a tokio runtime, [`SpawnError::RuntimeEnded`] on one that ends or
    /// has ended, [`SpawnError::Closed`] after a shutdown began, [`SpawnError::AlreadySubscribed`] and
    /// [`SpawnError::DuplicateTypeId`].
    pub fn spawn<A: Actor>(&self, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.core.spawn(actor, None, None)
    }

    /// Starts an actor that [`lookup`](Self::lookup) finds under `name` until it has ended.
    ///
    /// ```
    /// # struct Desk;
    /// # impl mycelium::Actor for Desk { type Error = mycelium::BoxError; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mycelium::Result {
    /// # let bus = mycelium::MessageBus::new();
    /// let desk = bus.spawn_named("desk", Desk)?;
    /// assert_eq!(bus.lookup::<Desk>("desk").map(|found| found.id()), Some(desk.id()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::NameTaken`], also where an actor or pool of a tree has this path, and those of
    /// [`spawn`](Self::spawn).
    pub fn spawn_named<A: Actor>(&self, name: &str, actor: A) -> Result<ActorRef<A>, SpawnError> {
        if self.core.forest.has(name) {
            return Err(SpawnError::NameTaken(name.into()));
        }
        self.core.spawn(actor, Some(name), None)
    }

    /// A place in the order of this bus: what was published before this call has a lower stamp
    /// ([`WireDelivery::stamp`](crate::WireDelivery::stamp)), and what is published after it a higher one.
    #[must_use]
    pub fn take_stamp(&self) -> u64 {
        self.core.stamps.take()
    }

    /// The counters of every topic that was ever used, by message name. [`stats`](Self::stats) shows the
    /// whole bus.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// bus.publisher()?.publish(Tick(7)).await?;
    /// let topics = bus.topics();
    /// assert_eq!((topics[0].message, topics[0].unheard), ("Tick", 1)); // nobody had subscribed
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn topics(&self) -> Vec<TopicStats> {
        self.core.topics.stats()
    }

    /// The messages that reached an actor and were never handled.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, actor};
    /// # struct Picky;
    /// # #[actor] impl Picky {
    /// #     #[on(direct)] fn number(&mut self, _: &u64) -> Result { Err("not this one".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let picky = bus.spawn(Picky)?;
    /// picky.tell(7_u64).await?;
    /// picky.ended().await; // its handler has returned an error
    /// assert_eq!(bus.dead_letters().in_hand, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        self.core.dead_letters.snapshot()
    }

    /// The identity of an actor or a service that has not ended. It looks at everybody on the bus.
    #[must_use]
    pub fn identity(&self, id: ActorId) -> Option<Identity> {
        let members = self.core.members.youngest_first();
        members.iter().find(|member| member.id() == id).map(|member| member.identity())
    }

    /// How many actors and services have not ended.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.core.members.alive()
    }

    /// The clock of this bus: the wall clock, see [`Clock::now`].
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::live(self.core.clock)
    }

    /// Refuses from now on what [`publisher`](Self::publisher)s outside of actors and services publish, also
    /// what waits for room: they get [`PublishError::Closed`](crate::PublishError::Closed). Actors and
    /// services go on publishing. Linked buses are asked for no messages of topics: what waits there is
    /// [`unsent`](crate::LinkStats::unsent), and what is on its way waits here. So it stays until
    /// [`resume_ingress`](Self::resume_ingress); a drain ([`Tree::drain`](crate::Tree::drain)) begins with
    /// it. Tells and asks through references are not refused.
    pub fn pause_ingress(&self) {
        self.core.links.admit(false);
        self.core.topics.pause_ingress();
    }

    /// Takes what publishers outside publish, again: after the drain of a tree on a bus that goes on.
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus};
    /// # #[derive(Clone, Copy, Debug)]
    /// # struct Tick;
    /// # impl Message for Tick {
    /// #     const NAME: &'static str = "Tick";
    /// #     const TYPE_ID: u16 = 1;
    /// #     const TOPIC: &'static str = "ticks";
    /// # }
    /// let bus = MessageBus::new();
    /// let ticks = bus.publisher::<Tick>()?;
    /// bus.pause_ingress();
    /// assert!(ticks.try_publish(Tick).is_err());
    /// bus.resume_ingress();
    /// assert!(ticks.try_publish(Tick).is_ok());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn resume_ingress(&self) {
        self.core.topics.resume_ingress();
        self.core.links.admit(true);
    }

    /// A handle that does not keep the bus alive. An actor that needs its own bus holds one of these: with a
    /// [`MessageBus`] inside, the bus would keep the actor and the actor the bus until a shutdown.
    #[must_use]
    pub fn downgrade(&self) -> WeakBus {
        WeakBus { core: Arc::downgrade(&self.core), owner: Arc::downgrade(&self.owner) }
    }
}

impl Default for MessageBus {
    fn default() -> Self {
        Self::new()
    }
}

impl WeakBus {
    /// The bus, if a handle of it still exists.
    #[must_use]
    pub fn upgrade(&self) -> Option<MessageBus> {
        Some(MessageBus { core: self.core.upgrade()?, owner: self.owner.upgrade()? })
    }
}

impl fmt::Debug for MessageBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBus").field("alive", &self.alive()).finish_non_exhaustive()
    }
}

impl fmt::Debug for WeakBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakBus").field("alive", &(self.owner.strong_count() > 0)).finish_non_exhaustive()
    }
}

impl BusCore {
    /// How many of this type there were before, of those without a name.
    pub(crate) fn count<T: 'static>(&self) -> u64 {
        self.census.lock().unwrap_or_else(PoisonError::into_inner).count::<T>()
    }

    pub(crate) fn next_id(&self) -> ActorId {
        ActorId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// How many ids were given so far.
    pub(crate) fn ids(&self) -> u64 {
        self.next_id.load(Ordering::SeqCst)
    }

    /// Adds a member. `Err`: a shutdown has begun meanwhile, which may have missed it.
    pub(crate) fn add(&self, member: &Arc<dyn Member>) -> Result<MemberSeat, MemberSeat> {
        let seat = self.members.add(Arc::clone(member));
        if self.is_closed() { Err(seat) } else { Ok(seat) }
    }

    /// Forgets a member that has ended, and its name, and has others told of the end, for which a shutdown
    /// waits.
    pub(crate) fn leave(&self, seat: MemberSeat, id: ActorId, name: Option<&str>, tell: impl FnOnce()) {
        let _leaving = self.members.leaves();
        self.remove(seat, id, name);
        tell();
    }

    /// Forgets a member that has ended, and its name.
    pub(crate) fn remove(&self, seat: MemberSeat, id: ActorId, name: Option<&str>) {
        // The name first: where no member is left, all names are free.
        let named = name.and_then(|name| self.names.free(name, id));
        let member = self.members.remove(seat, id);
        // Dropped here, where no lock is held.
        drop((member, named));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Refuses new members from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.closing.set(());
        self.lookout.stop();
    }

    /// Somebody shuts the bus down until then.
    pub(super) fn end_by(&self, deadline: rt::Instant) {
        let mut ends_by = self.ends_by.lock().unwrap_or_else(PoisonError::into_inner);
        *ends_by = (*ends_by).max(Some(deadline));
    }

    /// Until when those who shut it down wait, if anybody does.
    pub(crate) fn ends_by(&self) -> Option<rt::Instant> {
        *self.ends_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks everybody to end, and waits for nobody. A tree keeps its bus, so none is left here.
    fn abandon(&self) {
        self.close();
        self.members.youngest_first().iter().for_each(|member| member.stop(Stop::ForGood));
        self.links.get().into_iter().for_each(Bridge::abandon);
        self.topics.close();
    }
}
