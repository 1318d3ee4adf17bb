//! Pools: several actors behind one reference and one subscription, each message handled by one of them.
//!
//! A pool is a supervisor with its workers, so it is restarted, stopped, drained and observed as any part of
//! a tree. References hand out messages by themselves: between a sender and a worker is nobody.

mod change;
mod declare;
mod feed;
mod launch;
mod lookup;
mod named;
mod pool_ref;
mod roster;
mod route;
mod state;
mod waiting;

use std::any::TypeId;
use std::sync::Arc;

use self::feed::{PoolTopic, TopicOf, WireTopicOf};
use self::launch::{FeedLaunch, WorkerLaunch};
pub use self::pool_ref::{PoolError, PoolRef};
use self::state::{Key, KeyOf, PoolPlan};
use crate::isolate::Factory;
use crate::subscription::OnceEach;
use crate::tree::{Builder, Child, Restart};
use crate::{Actor, Handler, Message, Subscription, Supervisor, WireMessage, WireTopics};

/// Most workers of a pool (actors).
pub const POOL_WORKERS_MAX: usize = mycelium_supervisor::declare::POOL_WORKERS_MAX as usize;

/// Which worker gets a message that has no key.
///
/// ```
/// # use mycelium::pool::{Dispatch, Pool};
/// # struct Worker;
/// # #[mycelium::actor] impl Worker { #[on(direct)] fn job(&mut self, _: &u64) {} }
/// let even = Pool::new(|| Worker).workers(4); // round robin: jobs that take equally long
/// let uneven = Pool::new(|| Worker).workers(4).dispatch(Dispatch::LeastBusy);
/// # let _ = (even, uneven);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatch {
    /// Each in turn; who is full is passed over.
    #[default]
    RoundRobin,
    /// The one with the fewest messages in its inbox, as far as it has told: a worker tells after each batch,
    /// of at most 32 messages. Those with equally many take turns. It looks at all of them for each message.
    LeastBusy,
}

type PoolTopics<A> = Arc<[Box<dyn PoolTopic<A>>]>;

/// Describes a pool of workers; [`supervisor`](Self::supervisor) makes a part of a tree of it.
///
/// Each message that is told to the pool's [`PoolRef`], or published to one of its topics, is handled by one
/// worker. A worker that fails is restarted by the rules of its tree and keeps its inbox, as any child.
///
/// ```
/// use mycelium::pool::Pool;
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Responder, Supervisor};
///
/// struct Order { account: u64 }
///
/// #[derive(Default)]
/// struct Risk { orders: u64 }
/// impl Actor for Risk { type Error = BoxError; }
/// impl Handler<Order> for Risk {
///     async fn handle(&mut self, _: &Order, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.orders += 1;
///         Ok(())
///     }
/// }
/// struct Count;
/// impl Responder<Count> for Risk {
///     type Reply = u64;
///     async fn answer(&mut self, _: &Count, _ctx: &mut Context<Self>) -> u64 { self.orders }
/// }
///
/// let mut isolate = Isolate::new(1);
/// let risk = Pool::new(Risk::default).workers(4).key(|order: &Order| order.account);
/// let tree = isolate.supervise(&Supervisor::builder("root").supervisor(risk.supervisor("risk")))?;
/// let risk = tree.lookup_pool::<Risk>("root/risk").expect("it runs");
/// isolate.block_on(async {
///     for account in 0..100 {
///         risk.tell(Order { account }).await?;
///     }
///     risk.resize(6).await?; // no order is lost, and the order of each account stands
///     risk.flush().await?;
///     let mut handled = 0;
///     for worker in risk.workers() {
///         handled += worker.ask(Count).await?;
///     }
///     assert_eq!(handled, 100);
///     Ok::<(), BoxError>(())
/// })??;
/// # Ok::<(), BoxError>(())
/// ```
#[must_use = "a pool runs under a supervisor: see `Pool::supervisor`"]
pub struct Pool<A: Actor> {
    make: Factory<A>,
    size: usize,
    dispatch: Dispatch,
    keys: Vec<Key>,
    topics: Vec<Box<dyn PoolTopic<A>>>,
    each: Arc<dyn Fn(Child) -> Child + Send + Sync>,
}

impl<A: Actor> Pool<A> {
    /// A pool of one worker, round robin. `make` gives the value for each life of each worker.
    ///
    /// The workers' own [`Actor::subscriptions`] are each worker's: every one of them hears everything there.
    /// A message that is to be handled once belongs to the pool: see [`on`](Self::on). A worker that
    /// subscribes to one of the pool's too, by its type or as bytes, is not started, and has an error where
    /// it does so later by its context: [`SpawnError::OfThePool`](crate::SpawnError::OfThePool).
    pub fn new(make: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            size: 1,
            dispatch: Dispatch::default(),
            keys: Vec::new(),
            topics: Vec::new(),
            each: Arc::new(|child| child),
        }
    }

    /// With how many workers it starts: at least 1 and at most [`POOL_WORKERS_MAX`].
    pub fn workers(mut self, workers: usize) -> Self {
        self.size = workers.clamp(1, POOL_WORKERS_MAX);
        self
    }

    /// Sets the worker that gets a message without a key.
    pub fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.dispatch = dispatch;
        self
    }

    /// Messages and queries of type `M` go by this key: those of one key to one worker, in the order in which
    /// they were sent, also over resizes. The key of a value that is no number is that of
    /// [`conflation_key`](crate::conflation_key).
    ///
    /// Types without a key have no order, nor one with those that have keys. It looks at each worker for each
    /// message, a nanosecond or so.
    ///
    /// ```
    /// # use mycelium::pool::Pool;
    /// # struct Risk;
    /// # #[mycelium::actor] impl Risk { #[on(direct)] fn order(&mut self, _: &Order) {} }
    /// struct Order { account: u64 }
    /// // All orders of one account go to one worker, in their order.
    /// let risk = Pool::new(|| Risk).workers(4).key(|order: &Order| order.account);
    /// # let _ = risk;
    /// ```
    pub fn key<M: 'static>(self, key: impl Fn(&M) -> u64 + Send + Sync + 'static) -> Self {
        self.key_if(move |message| Some(key(message)))
    }

    /// The same, where not each message of that type has a key: one without goes to any worker.
    ///
    /// ```
    /// # use mycelium::pool::Pool;
    /// # struct Risk;
    /// # #[mycelium::actor] impl Risk { #[on(direct)] fn order(&mut self, _: &Order) {} }
    /// struct Order { account: Option<u64> }
    /// let risk = Pool::new(|| Risk).workers(4).key_if(|order: &Order| order.account);
    /// # let _ = risk;
    /// ```
    pub fn key_if<M: 'static>(mut self, key: impl Fn(&M) -> Option<u64> + Send + Sync + 'static) -> Self {
        self.keys.retain(|(of, _)| *of != TypeId::of::<M>());
        let key: KeyOf<M> = Box::new(key);
        self.keys.push((TypeId::of::<M>(), Box::new(key)));
        self
    }

    /// Receives every `M` that is published, each for one worker. See [`on_with`](Self::on_with).
    pub fn on<M: Message>(self) -> Self
    where
        A: Handler<M>,
    {
        self.on_with(Subscription::block())
    }

    /// The same with a policy and capacity. The pool has one subscription for all its workers. A published
    /// message is cloned once and told to a worker by a small actor of the pool, its feed. While the
    /// workers who may have it are full, the feed waits and the subscription's policy decides; drops are
    /// counted in the topic's [`TopicStats`](crate::TopicStats).
    ///
    /// Published messages of one key keep their order, whatever their types, and so do those that are told; a
    /// message that is published and one that is told have none with each other.
    pub fn on_with<M: Message>(mut self, subscription: Subscription<M>) -> Self
    where
        A: Handler<M>,
    {
        self.topics.push(Box::new(TopicOf::new(subscription)));
        self
    }

    /// Receives the messages of these topics as bytes, each for one worker: by name, by list, or all whose
    /// names begin alike. See [`on_wire_with`](Self::on_wire_with).
    pub fn on_wire(self, topics: impl Into<WireTopics>) -> Self
    where
        A: Handler<WireMessage>,
    {
        self.on_wire_with(topics, Subscription::block())
    }

    /// The same with a policy and capacity, which hold for each message type by itself. The bus needs the
    /// contract that has them. A key of these is one of [`WireMessage`]:
    ///
    /// ```
    /// # use mycelium::pool::Pool;
    /// # use mycelium::{Actor, BoxError, Context, Handler, Subscription, WireMessage};
    /// # struct Journal;
    /// # impl Actor for Journal { type Error = BoxError; }
    /// # impl Handler<WireMessage> for Journal {
    /// #     async fn handle(&mut self, _: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// // All messages of one type go to one worker, in their order.
    /// let journals = Pool::new(|| Journal)
    ///     .workers(4)
    ///     .on_wire_with("orders.*", Subscription::block())
    ///     .key(|message: &WireMessage| message.header().type_id.into());
    /// # let _ = journals;
    /// ```
    pub fn on_wire_with(
        mut self,
        topics: impl Into<WireTopics>,
        subscription: Subscription<WireMessage>,
    ) -> Self
    where
        A: Handler<WireMessage>,
    {
        self.topics.push(Box::new(WireTopicOf { topics: topics.into(), how: subscription }));
        self
    }

    /// Options of each worker as a child of its supervisor: redelivery, backoff, shutdown time, health.
    ///
    /// ```
    /// # use mycelium::actor;
    /// # struct Risk;
    /// # #[actor] impl Risk { #[on(direct)] fn order(&mut self, _: &u64) {} }
    /// use mycelium::pool::Pool;
    /// use mycelium::tree::Redelivery;
    ///
    /// let pool = Pool::new(|| Risk).workers(4).each(|worker| worker.redelivery(Redelivery::Retry { attempts: 3 }));
    /// # let _ = pool.supervisor("risk");
    /// ```
    pub fn each(mut self, options: impl Fn(Child) -> Child + Send + Sync + 'static) -> Self {
        self.each = Arc::new(options);
        self
    }

    /// The pool as a supervisor of this id: one-for-one, its workers are `worker-1`, `worker-2` and so
    /// on, and its feed, if it has topics, is `feed`. Set its intensity and backoff as of any other.
    ///
    /// [`Tree::lookup_pool`](crate::Tree::lookup_pool) finds the pool by its path.
    pub fn supervisor(self, id: impl Into<Arc<str>>) -> Builder {
        let Self { make, size, dispatch, keys, topics, each } = self;
        let worker = {
            let each = Arc::clone(&each);
            move |plan: &Arc<PoolPlan>, number: usize| {
                let id = worker_id(number);
                each(Child::launched(id, WorkerLaunch::new(&make, plan, number)))
            }
        };
        let mut once_each = OnceEach::default();
        topics.iter().for_each(|topic| topic.add_to(&mut once_each));
        let plan = Arc::new_cyclic(|plan| {
            let (plan, worker) = (std::sync::Weak::clone(plan), worker.clone());
            let child = move |number| plan.upgrade().map(|plan| worker(&plan, number));
            PoolPlan { dispatch, keys, size, once_each: Arc::new(once_each), child: Box::new(child) }
        });
        let mut supervisor = Supervisor::builder(id);
        for number in 0..size {
            supervisor = supervisor.child(worker(&plan, number));
        }
        if !topics.is_empty() {
            // Last, so that it begins with all workers and ends before them.
            let feed = FeedLaunch::<A>::new(&plan, &topics.into());
            supervisor = supervisor.child(Child::launched(FEED_ID, feed).restart(Restart::Transient));
        }
        supervisor
    }
}

/// The id of the feed.
const FEED_ID: &str = "feed";

/// The id of a worker, by its number from 0.
fn worker_id(number: usize) -> String {
    format!("worker-{}", number + 1)
}

impl<A: Actor> std::fmt::Debug for Pool<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { size, dispatch, .. } = self;
        write!(f, "Pool<{}>({size} workers, {dispatch:?})", A::name())
    }
}
