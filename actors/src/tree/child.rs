//! Where the description of a tree begins, and the description of one child.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor::declare::REDELIVERY_ATTEMPTS_MAX;
use mycelium_supervisor::{Backoff, ChildSpec, Flags, Restart, Shutdown};

use super::builder::Builder;
use super::health::Health;
use super::launch::{ActorLaunch, FutureService, Launch, Launcher, ServiceLaunch, SupervisorLaunch};
#[cfg(unix)]
use super::process::{ProcessLaunch, ProcessSpec};
use crate::{Actor, OwnThread, Service};

/// Where the description of a tree begins: [`Supervisor::builder`].
#[derive(Debug)]
pub struct Supervisor;

impl Supervisor {
    /// A supervisor with OTP's defaults: one-for-one, one restart in 5 s, no backoff, no auto-shutdown.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, Supervisor};
    /// use std::time::Duration;
    ///
    /// struct Parser;
    /// impl Actor for Parser { type Error = BoxError; }
    /// impl Handler<&'static str> for Parser {
    ///     async fn handle(&mut self, text: &&'static str, _: &mut Context<Self>) -> Result<(), BoxError> {
    ///         text.parse::<u64>()?; // an error ends this life of the actor
    ///         Ok(())
    ///     }
    /// }
    /// # struct Alive;
    /// # impl Responder<Alive> for Parser {
    /// #     type Reply = bool;
    /// #     async fn answer(&mut self, _: &Alive, _: &mut Context<Self>) -> bool { true }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let tree = Supervisor::builder("root")
    ///     .intensity(3, Duration::from_secs(5))
    ///     .actor("parser", || Parser)
    ///     .start(&bus)
    ///     .await?;
    /// let parser = tree.lookup::<Parser>("root/parser").expect("it runs");
    /// parser.tell("not a number").await?;
    /// assert!(parser.ask(Alive).await?, "the same reference reaches the next life");
    /// tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(id: impl Into<Arc<str>>) -> Builder {
        Builder { id: id.into(), flags: Flags::default(), children: Vec::new(), observer: None, seed: 0 }
    }
}

/// Describes one child with its options.
///
/// ```
/// use mycelium::tree::{Child, Restart, Shutdown};
///
/// let once = Child::future("warm-up", || async { Ok(()) })
///     .restart(Restart::Temporary)
///     .shutdown(Shutdown::BrutalKill);
/// assert_eq!(once.id(), "warm-up");
/// ```
#[derive(Clone)]
#[must_use = "a child runs under a supervisor: give it to `Builder::child` or `Tree::start_child`"]
pub struct Child(pub(crate) ChildSpec<Launcher>);

/// The fate of the message that an actor is handling when it fails, by an error, a panic, or because its
/// health probe has given it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redelivery {
    /// It is a dead letter.
    #[default]
    DeadLetter,
    /// The next life handles it once more, before everything that came after it. An ask is not repeated:
    /// whoever asked has its error at once.
    ///
    /// Its handler may have done a part of its work before it failed: repeat only what may be repeated. Each
    /// failure is a restart, which counts for the intensity: allow at least as many restarts as attempts.
    Retry {
        /// How often its handler is tried in all, the first time included; after that it is a dead letter. 1
        /// and 0 mean the same as [`DeadLetter`](Self::DeadLetter), and more than
        /// [`REDELIVERY_ATTEMPTS_MAX`] the same as that.
        attempts: u32,
    },
}

impl Redelivery {
    pub(crate) fn attempts_max(self) -> u32 {
        match self {
            Self::DeadLetter => 1,
            Self::Retry { attempts } => attempts.clamp(1, REDELIVERY_ATTEMPTS_MAX),
        }
    }
}

impl Child {
    /// An actor. `make` gives its value for each life; its reference, mailbox and subscriptions outlive the
    /// lives.
    ///
    /// ```
    /// use mycelium::tree::Child;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let feed = Child::actor("feed", || Feed); // `Feed` anew for each life
    /// # let _ = feed;
    /// ```
    pub fn actor<A: Actor>(id: impl Into<Arc<str>>, make: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self(ChildSpec::worker(id, Launcher::new(ActorLaunch::new(make))))
    }

    /// One that is started so.
    pub(crate) fn launched(id: impl Into<Arc<str>>, launch: impl Launch + 'static) -> Self {
        Self(ChildSpec::worker(id, Launcher::new(launch)))
    }

    /// A service. `make` gives its value for each life.
    ///
    /// ```
    /// # use mycelium::tree::Child;
    /// # use mycelium::{BoxError, Service, ServiceContext};
    /// # use std::time::Duration;
    /// struct Feed { port: u16 }
    /// impl Service for Feed {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         loop {
    ///             ctx.sleep(Duration::from_secs(1)).await;
    ///         }
    ///     }
    /// }
    /// let feed = Child::service("feed", || Feed { port: 4_000 }).start_timeout(Duration::from_secs(5));
    /// # let _ = feed;
    /// ```
    pub fn service<S: Service>(
        id: impl Into<Arc<str>>,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self(ChildSpec::worker(id, Launcher::new(ServiceLaunch::new(make))))
    }

    /// A plain future, made anew for each life. Told to stop, it is dropped where it waits.
    ///
    /// ```
    /// use mycelium::tree::Child;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let feed = Child::future("feed", || async { Ok(()) });
    /// # let _ = feed;
    /// ```
    pub fn future<F>(id: impl Into<Arc<str>>, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = crate::Result> + Send + 'static,
    {
        let launch = ServiceLaunch::new(move || FutureService::new(make()));
        Self(ChildSpec::worker(id, Launcher::new(launch.only_live("a plain future"))))
    }

    /// An operating-system process in a process group of its own.
    ///
    /// ```
    /// use mycelium::tree::{Child, ProcessSpec};
    /// let model = Child::process("model", ProcessSpec::new("python3").args(["model.py"]).ready_line("ready"));
    /// # let _ = model;
    /// ```
    #[cfg(unix)]
    pub fn process(id: impl Into<Arc<str>>, spec: ProcessSpec) -> Self {
        let id = id.into();
        let tells = spec.has_ready_line();
        let launch = ProcessLaunch::new(spec);
        let mut launcher = Launcher::new(launch);
        launcher.tells = tells;
        Self(ChildSpec::worker(id, launcher))
    }

    /// A supervisor with children of its own. Its observer, if any, is not used: the root's sees the whole
    /// tree.
    ///
    /// ```
    /// use mycelium::{Supervisor, tree::{Child, Restart}};
    /// let desk = Supervisor::builder("desk"); // its path is `root/desk`
    /// let root = Supervisor::builder("root").child(Child::supervisor(desk).restart(Restart::Transient));
    /// # let _ = root;
    /// ```
    pub fn supervisor(builder: Builder) -> Self {
        Self(ChildSpec::supervisor(Arc::clone(&builder.id), Launcher::new(SupervisorLaunch(builder))))
    }

    /// When it is restarted; permanent unless set.
    ///
    /// ```
    /// use mycelium::tree::{Child, Restart};
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let feed = Child::actor("feed", || Feed).restart(Restart::Transient); // after a failure only
    /// # let _ = feed;
    /// ```
    pub fn restart(self, restart: Restart) -> Self {
        Self(self.0.restart(restart))
    }

    /// How it is stopped; 5 s, then a kill, unless set. A supervisor has no limit.
    ///
    /// ```
    /// use mycelium::tree::{Child, Shutdown};
    /// use std::time::Duration;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let feed = Child::actor("feed", || Feed).shutdown(Shutdown::Timeout(Duration::from_secs(1)));
    /// # let _ = feed;
    /// ```
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self(self.0.stop_by(shutdown))
    }

    /// Whether its end counts for its supervisor's auto-shutdown.
    pub fn significant(self, significant: bool) -> Self {
        Self(self.0.significant(significant))
    }

    /// Whether it brings messages in, so that a drain ([`Tree::drain`](crate::Tree::drain)) stops it before
    /// the mailboxes are waited for. Services, futures and processes do unless set otherwise, actors do not.
    /// A service that only consumes, and an actor that lives on its timers, should say so. For a supervisor
    /// it means nothing.
    ///
    /// ```
    /// use mycelium::tree::Child;
    /// use mycelium::{BoxError, Service, ServiceContext};
    ///
    /// struct Journal;
    /// impl Service for Journal {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         ctx.stopped().await; // In place of reading what others publish, and writing it down.
    ///         Ok(())
    ///     }
    /// }
    /// // It brings nothing in: a drain stops it last, when it has read all.
    /// let journal = Child::service("journal", || Journal).source(false);
    /// # assert_eq!(journal.id(), "journal");
    /// ```
    pub fn source(mut self, source: bool) -> Self {
        self.0.start.source = Some(source);
        self
    }

    /// It counts as started when it says so with [`Context::ready`](crate::Context::ready) or
    /// [`ServiceContext::ready`](crate::ServiceContext::ready), in place of when its `started` has returned
    /// or its loop has begun; the next child starts after that. A process says so with a line of its output:
    /// [`ProcessSpec::ready_line`](super::ProcessSpec::ready_line). For a supervisor it means nothing.
    ///
    /// ```
    /// use mycelium::tree::Child;
    /// use mycelium::{BoxError, MessageBus, Service, ServiceContext, Supervisor};
    ///
    /// struct Prices;
    /// impl Service for Prices {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         tokio::task::yield_now().await; // In place of loading what the next child needs.
    ///         ctx.ready();
    ///         ctx.stopped().await;
    ///         Ok(())
    ///     }
    /// }
    /// # struct Strategy;
    /// # impl mycelium::Actor for Strategy { type Error = BoxError; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let desk = Supervisor::builder("desk")
    ///     .child(Child::service("prices", || Prices).ready_when_told())
    ///     .child(Child::actor("strategy", || Strategy)); // Starts when the prices are ready.
    /// let tree = desk.start(&bus).await?;
    /// # tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ready_when_told(mut self) -> Self {
        self.0.start.tells = self.0.start.builder().is_none();
        self
    }

    /// How long it may take until it counts as started: [`START_TIMEOUT`](super::START_TIMEOUT) unless set,
    /// without limit for a supervisor. After that its start has failed, and what it was doing is ended.
    ///
    /// ```
    /// use mycelium::tree::Child;
    /// use std::time::Duration;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let feed = Child::actor("feed", || Feed).start_timeout(Duration::from_secs(5));
    /// # let _ = feed;
    /// ```
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.0.start.start_timeout = Some(limit);
        self
    }

    /// Has its progress probed; not, unless set. For a supervisor it means nothing: probe its children.
    ///
    /// A probed actor handles at most 16 messages in one go, and tells what it has in hand; others pay
    /// nothing for it.
    ///
    /// ```
    /// use mycelium::tree::{Child, Health};
    /// use mycelium::{BoxError, Service, ServiceContext};
    /// use std::time::Duration;
    ///
    /// struct Feed;
    /// impl Service for Feed {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         loop {
    ///             ctx.sleep(Duration::from_millis(100)).await; // In place of reading a line.
    ///             ctx.alive();
    ///         }
    ///     }
    /// }
    /// // Without a line for two seconds it is restarted.
    /// let feed = Child::service("feed", || Feed).health(Health::within(Duration::from_secs(2)).restart());
    /// # assert_eq!(feed.id(), "feed");
    /// ```
    pub fn health(mut self, health: Health) -> Self {
        self.0.start.health = Some(health);
        self
    }

    /// Of an actor: what becomes of the message that it is handling when it fails. A dead letter, unless set.
    ///
    /// ```
    /// use mycelium::tree::{Child, Redelivery};
    /// # struct Orders;
    /// # impl mycelium::Actor for Orders { type Error = mycelium::BoxError; }
    ///
    /// let orders = Child::actor("orders", || Orders).redelivery(Redelivery::Retry { attempts: 3 });
    /// # assert_eq!(orders.id(), "orders");
    /// ```
    pub fn redelivery(mut self, redelivery: Redelivery) -> Self {
        self.0.start.redelivery = redelivery;
        self
    }

    /// Gives it a thread of the operating system of its own, alike for each of its lives. A restart in place
    /// keeps the thread; a child that is started anew has a new one. Where the thread cannot be had, its
    /// start has failed.
    ///
    /// A child in another language has a thread already, which its language knows by its hooks. The one
    /// that is given gets them and the size of its stack, unless it has its own.
    ///
    /// In an isolate, which is one thread, it means nothing, nor does it for a supervisor or a process.
    ///
    /// ```
    /// use mycelium::{OwnThread, tree::Child};
    /// # struct Model;
    /// # impl mycelium::Actor for Model { type Error = mycelium::BoxError; }
    ///
    /// let model = Child::actor("model", || Model).on_thread(OwnThread::new("model").pin_to(1));
    /// # assert_eq!(model.id(), "model");
    /// ```
    pub fn on_thread(mut self, thread: OwnThread) -> Self {
        let thread = match self.0.start.thread.as_deref() {
            Some(before) => thread.inheriting(before),
            None => thread,
        };
        self.0.start.thread = Some(Arc::new(thread));
        self
    }

    /// A backoff of its own, in place of the supervisor's.
    ///
    /// ```
    /// use mycelium::tree::{Backoff, Child};
    /// use std::time::Duration;
    /// # struct Feed;
    /// # impl mycelium::Actor for Feed { type Error = mycelium::BoxError; }
    /// let backoff = Backoff { initial: Duration::from_millis(50), ..Backoff::default() };
    /// let feed = Child::actor("feed", || Feed).backoff(backoff);
    /// # let _ = feed;
    /// ```
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self(self.0.backoff(backoff))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({})", self.0.id)
    }
}
