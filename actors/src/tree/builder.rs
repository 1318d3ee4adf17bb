//! The description of one supervisor and its children.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor::{AutoShutdown, Backoff, ChildSpec, Flags, SpecError, Strategy, check};

use super::child::Child;
#[cfg(doc)]
use super::child::Supervisor;
use super::handle::{StartError, Tree};
use super::launch::Launcher;
use super::live::LiveTree;
use super::observe::Observer;
#[cfg(unix)]
use super::process::ProcessSpec;
use super::shell::TreeShared;
use crate::{Actor, MessageBus, Service};

/// Describes one supervisor; see [`Supervisor::builder`].
///
/// ```
/// use mycelium::tree::{Backoff, Child, Restart, Strategy};
/// use mycelium::{Actor, BoxError, MessageBus, Supervisor};
/// use std::time::Duration;
///
/// struct Gateway;
/// impl Actor for Gateway { type Error = BoxError; }
/// struct Book;
/// impl Actor for Book { type Error = BoxError; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let desk = Supervisor::builder("desk")
///     .strategy(Strategy::RestForOne) // the books restart when the gateway does
///     .intensity(3, Duration::from_secs(10))
///     .backoff(Backoff { initial: Duration::from_millis(50), ..Backoff::default() })
///     .actor("gateway", || Gateway)
///     .child(Child::actor("book", || Book).restart(Restart::Transient));
/// let bus = MessageBus::new();
/// let tree = Supervisor::builder("root").supervisor(desk).start(&bus).await?;
/// assert!(tree.lookup::<Book>("root/desk/book").is_some());
/// tree.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder starts nothing before `start`"]
pub struct Builder {
    pub(crate) id: Arc<str>,
    pub(crate) flags: Flags,
    pub(crate) children: Vec<ChildSpec<Launcher>>,
    pub(crate) observer: Option<Observer>,
    pub(crate) seed: u64,
}

impl Builder {
    /// Which children are restarted when one ends.
    ///
    /// ```
    /// use mycelium::{Supervisor, tree::Strategy};
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let root = Supervisor::builder("root").strategy(Strategy::OneForAll);
    /// # let _ = root;
    /// ```
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.flags.strategy = strategy;
        self
    }

    /// How many restarts are allowed within `period`; one more ends this supervisor, and its parent decides.
    ///
    /// ```
    /// use mycelium::Supervisor;
    /// use std::time::Duration;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// // The sixth restart within ten seconds ends the tree.
    /// let root = Supervisor::builder("root").intensity(5, Duration::from_secs(10));
    /// # let _ = root;
    /// ```
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        (self.flags.intensity, self.flags.period) = (restarts, period);
        self
    }

    /// Whether the end of significant children ends this supervisor.
    ///
    /// ```
    /// use mycelium::{Supervisor, tree::{AutoShutdown, Child, Restart}};
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let root = Supervisor::builder("root")
    ///     .auto_shutdown(AutoShutdown::AnySignificant)
    ///     .child(Child::actor("feed", || Feed).restart(Restart::Temporary).significant(true)); // its end ends the tree
    /// # let _ = root;
    /// ```
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.flags.auto_shutdown = auto_shutdown;
        self
    }

    /// How long to wait before a restart, for the children that have no backoff of their own.
    ///
    /// ```
    /// use mycelium::{Supervisor, tree::Backoff};
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let root = Supervisor::builder("root").backoff(Backoff::default());
    /// # let _ = root;
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.flags.backoff = Some(backoff);
        self
    }

    /// From which the jitter of the backoffs in the whole tree is drawn, as in a dry run: one seed, different
    /// waits for different supervisors. That of a supervisor below the root means nothing. 0 unless set:
    /// processes that run the same tree should set different ones, or all come back at the same moment.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Calls `observer` with the path of the supervisor and what happened, for each event of the whole tree,
    /// in the order of each supervisor. It runs on the supervisor's task and must not block.
    ///
    /// ```
    /// use mycelium::tree::Notice;
    /// use mycelium::{MessageBus, Supervisor};
    /// use std::sync::{Arc, Mutex};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), mycelium::BoxError> {
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let events = Arc::clone(&seen);
    /// let root = Supervisor::builder("root")
    ///     .future("once", || async { Ok(()) })
    ///     .on_event(move |path, notice: &Notice| events.lock().unwrap().push(format!("{path}: {notice:?}")));
    /// let tree = root.start(&MessageBus::new()).await?;
    /// tree.shutdown().await?;
    /// assert!(seen.lock().unwrap()[0].starts_with("root: "));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(
        mut self,
        observer: impl Fn(&str, &mycelium_supervisor::Notice) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Adds a child after the others.
    ///
    /// ```
    /// use mycelium::{Supervisor, tree::{Child, Restart}};
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let root = Supervisor::builder("root").child(Child::actor("feed", || Feed).restart(Restart::Transient));
    /// # let _ = root;
    /// ```
    pub fn child(mut self, child: Child) -> Self {
        self.children.push(child.0);
        self
    }

    /// Adds an actor with the default options; see [`Child::actor`].
    ///
    /// ```
    /// use mycelium::Supervisor;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let root = Supervisor::builder("root").actor("feed", || Feed);
    /// # let _ = root;
    /// ```
    pub fn actor<A: Actor>(
        self,
        id: impl Into<Arc<str>>,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        self.child(Child::actor(id, make))
    }

    /// Adds a service with the default options; see [`Child::service`].
    ///
    /// ```
    /// # use mycelium::{Result, ServiceContext, Supervisor, service};
    /// # struct Feed;
    /// # #[service] impl Feed { async fn run(&mut self, _: &ServiceContext) -> Result { Ok(()) } }
    /// let root = Supervisor::builder("root").service("feed", || Feed);
    /// # let _ = root;
    /// ```
    pub fn service<S: Service>(
        self,
        id: impl Into<Arc<str>>,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        self.child(Child::service(id, make))
    }

    /// Adds a future with the default options; see [`Child::future`].
    ///
    /// ```
    /// use mycelium::Supervisor;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let root = Supervisor::builder("root").future("warm-up", || async { Ok(()) });
    /// # let _ = root;
    /// ```
    pub fn future<F>(self, id: impl Into<Arc<str>>, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = crate::Result> + Send + 'static,
    {
        self.child(Child::future(id, make))
    }

    /// Adds a process with the default options; see [`Child::process`].
    #[cfg(unix)]
    pub fn process(self, id: impl Into<Arc<str>>, spec: ProcessSpec) -> Self {
        self.child(Child::process(id, spec))
    }

    /// Adds a supervisor with the default options; see [`Child::supervisor`].
    ///
    /// ```
    /// use mycelium::Supervisor;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let desk = Supervisor::builder("desk").actor("feed", || Feed); // `root/desk/feed`
    /// let root = Supervisor::builder("root").supervisor(desk);
    /// # let _ = root;
    /// ```
    pub fn supervisor(self, builder: Builder) -> Self {
        self.child(Child::supervisor(builder))
    }

    /// Starts the tree on `bus`: the children in order, each after the one before has started. It is ready
    /// when all run.
    ///
    /// ```
    /// use mycelium::{MessageBus, Result, Supervisor};
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let tree = Supervisor::builder("root").actor("feed", || Feed).start(&bus).await?;
    /// assert_eq!(tree.count_children("root").await?.active, 1);
    /// tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StartError`]: a specification is not valid, or a child did not start; then those before it were
    /// stopped again, in reverse order.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the tree is shut down.
    pub async fn start(self, bus: &MessageBus) -> Result<Tree, StartError> {
        self.check().map_err(StartError::Spec)?;
        let shared = Arc::new(TreeShared::new(bus.clone(), &self));
        LiveTree::start(&self, shared).await.map(Tree::live)
    }

    /// Checks this supervisor and all below it.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        // The root is in no list of children.
        ChildSpec::worker(Arc::clone(&self.id), ()).check(&Flags::default())?;
        check(&self.flags, &self.children)?;
        self.children.iter().filter_map(|child| child.start.builder()).try_for_each(Builder::check)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("id", &self.id).field("flags", &self.flags).finish_non_exhaustive()
    }
}
