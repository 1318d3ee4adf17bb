//! How each kind of child is started, and what its supervisor holds of it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use mycelium_mailbox::Stop;
use mycelium_supervisor::engine::{Left, Report};
use mycelium_supervisor::{Call, ChildRef, ExitReason, Strategy};

use super::builder::Builder;
use super::child::Redelivery;
use super::health::Health;
use super::quiet::Quiet;
use super::shell::{Estate, Mail, Placed, StopTether, Suspended, Tasks, TreeShared, Word, spawn_supervisor};
use super::start_waits::StartWaits;
use crate::isolate::{AnySeat, Factory, SeatSite, seat_actor, seat_service};
use crate::live::{Directive, Fate, Member, Readiness, Supervision};
use crate::rt;
use crate::subscription::OnceEach;
use crate::sync::{mpsc, oneshot};
use crate::{
    Actor, ActorRef, BoxError, Isolate, MessageBus, OwnThread, Service, ServiceContext, SpawnError,
    StopReason,
};

/// What a child specification is started with.
#[derive(Clone)]
pub(crate) struct Launcher {
    launch: Quiet<Arc<dyn Launch>>,
    /// Whether a drain stops it first; by default what its kind says.
    pub(crate) source: Option<bool>,
    /// Whether it says by itself when it is ready.
    pub(crate) tells: bool,
    /// How long it may take to be ready; without limit if `None`.
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) health: Option<Health>,
    /// Of an actor: what becomes of the message on which it fails.
    pub(crate) redelivery: Redelivery,
    /// The thread that it has live.
    pub(crate) thread: Option<Arc<OwnThread>>,
}

/// What the last life of a child has left for this one.
pub(crate) type StartLeft = Option<Left<Tasks>>;

/// How long a worker may take to be ready, unless its specification says otherwise.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Launcher {
    pub(crate) fn new(launch: impl Launch + 'static) -> Self {
        let start_timeout = launch.builder().is_none().then_some(START_TIMEOUT);
        let (launch, redelivery) = (Quiet::new(Arc::new(launch) as _), Redelivery::default());
        Self { launch, source: None, tells: false, start_timeout, health: None, redelivery, thread: None }
    }

    pub(crate) fn builder(&self) -> Option<&Builder> {
        self.launch.builder()
    }

    /// Whether both start the same child.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.launch, &other.launch)
    }

    pub(crate) fn is_source(&self) -> bool {
        self.source.unwrap_or_else(|| self.launch.is_source())
    }

    pub(crate) fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason> {
        self.launch.launch(site, left)
    }

    /// Takes a seat in an isolate, where no life has begun yet.
    pub(crate) fn take_seat(&self, site: SeatSite) -> Result<Rc<dyn AnySeat>, ExitReason> {
        self.launch.take_seat(site)
    }

    /// Adds it to an isolate outside of all trees.
    pub(crate) fn spawn(&self, isolate: &mut Isolate, id: &Arc<str>) -> Result<(), SpawnError> {
        let not = |cause: String| Err(SpawnError::Child { id: Arc::clone(id), cause });
        if self.builder().is_some() {
            return not("it is a supervisor: start it with `Isolate::supervise`".to_owned());
        }
        if let Some(what) = self.only_live() {
            return not(format!("{what} has no virtual time"));
        }
        self.launch.spawn(isolate, id)
    }

    /// What it is, if it cannot be in an isolate.
    pub(crate) fn only_live(&self) -> Option<&'static str> {
        self.launch.only_live()
    }
}

/// The call as a supervisor of this strategy takes it: where all children are instances of one specification,
/// a new one is too.
pub(crate) fn fitting(call: Call<Launcher>, strategy: Strategy) -> Call<Launcher> {
    match call {
        Call::StartChild(spec) if strategy == Strategy::SimpleOneForOne => {
            Call::StartInstance { id: Some(spec.id), start: spec.start }
        }
        other => other,
    }
}

/// Where and for whom a child is started.
pub(crate) struct Site {
    pub(crate) child: ChildRef,
    pub(crate) path: Arc<str>,
    pub(crate) shared: Arc<TreeShared>,
    pub(crate) post: mpsc::UnboundedSender<Mail>,
    /// Whether the child says by itself when it is ready.
    pub(crate) tells: bool,
    /// Of an actor: how often the handler of one message is tried.
    pub(crate) attempts_max: u32,
    /// Of an actor: whether a stop that came between two lives ends the next one.
    pub(crate) stop_stands: bool,
    /// Whether its progress is looked at.
    pub(crate) probed: bool,
    pub(crate) thread: Option<Arc<OwnThread>>,
}

impl Site {
    fn start(&self) -> Start {
        let (path, waits) = (Arc::clone(&self.path), Arc::clone(&self.shared.starts));
        Start { child: self.child, path, waits, post: self.post.clone() }
    }

    /// The child has started.
    pub(crate) fn has_started(&self) {
        self.start().is_over();
    }

    /// Where the child says that it is ready, if it does.
    fn readiness(&self) -> Option<Arc<Readiness>> {
        self.tells.then(|| {
            let readiness = Readiness::default();
            aim(&readiness, self.start());
            Arc::new(readiness)
        })
    }
}

fn aim(readiness: &Readiness, start: Start) {
    readiness.aim(move || start.is_over());
}

/// A start that goes on.
struct Start {
    child: ChildRef,
    path: Arc<str>,
    waits: Arc<StartWaits>,
    post: mpsc::UnboundedSender<Mail>,
}

impl Start {
    /// The child has started.
    fn is_over(&self) {
        // First: whoever calls its supervisor from now on waits for others.
        self.waits.started(&self.path, self.child);
        let _ = self.post.send(Mail::started(self.child));
    }
}

/// Starts one kind of child. It reports by itself that it has started.
pub(crate) trait Launch: Send + Sync {
    fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason>;

    /// See [`Launcher::take_seat`].
    fn take_seat(&self, site: SeatSite) -> Result<Rc<dyn AnySeat>, ExitReason> {
        let _ = site;
        Err(ExitReason::Abnormal("it cannot run inside an isolate".into()))
    }

    /// See [`Launcher::spawn`].
    fn spawn(&self, isolate: &mut Isolate, id: &Arc<str>) -> Result<(), SpawnError> {
        let _ = isolate;
        Err(SpawnError::Child { id: Arc::clone(id), cause: "it cannot run inside an isolate".to_owned() })
    }

    fn only_live(&self) -> Option<&'static str> {
        None
    }

    fn builder(&self) -> Option<&Builder> {
        None
    }

    /// Whether children of this kind bring messages in, so that a drain stops them first.
    fn is_source(&self) -> bool {
        false
    }
}

/// What a supervisor holds of a child that runs.
#[derive(Clone)]
pub(crate) enum Life {
    Member(Arc<dyn Member>),
    Supervisor(StopTether),
}

impl Life {
    /// `for_good`: it will not be started again in place.
    pub(crate) fn stop(&self, for_good: bool) {
        match self {
            Self::Member(member) => member.stop(if for_good { Stop::ForGood } else { Stop::Pause }),
            Self::Supervisor(leash) => leash.stop(for_good),
        }
    }

    pub(crate) fn kill(&self) {
        match self {
            Self::Member(member) => member.kill(),
            Self::Supervisor(leash) => leash.kill(),
        }
    }

    /// Why it ended, if it has.
    pub(crate) fn end(&self) -> Option<ExitReason> {
        match self {
            Self::Member(member) => member.ended().get().map(ExitReason::from),
            Self::Supervisor(_) => None,
        }
    }
}

/// Calls user code, such as a factory or `Actor::subscriptions`, that must not end the supervisor's task.
fn make<T>(code: impl FnOnce() -> T) -> Result<T, ExitReason> {
    StopReason::catch(code).map_err(|reason| ExitReason::from(&reason))
}

/// A factory that any task may be the last to hold.
fn quiet<T, F: Fn() -> T + Send + Sync + 'static>(factory: F) -> Factory<T> {
    let factory = Quiet::new(factory);
    Arc::new(move || (*factory)())
}

/// Makes an actor known under its id, when it is there; or says why it cannot be. It is told the number of
/// the tree and the path.
pub(crate) type Announce<A> =
    dyn Fn(&MessageBus, u64, &Arc<str>, &ActorRef<A>) -> Result<(), String> + Send + Sync;

/// Starts actors.
pub(crate) struct ActorLaunch<A: Actor> {
    factory: Factory<A>,
    announce: Option<Quiet<Box<Announce<A>>>>,
    once_each: Option<Arc<OnceEach>>,
}

impl<A: Actor> ActorLaunch<A> {
    pub(crate) fn new(factory: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self { factory: quiet(factory), announce: None, once_each: None }
    }

    /// The same for one that is made known.
    #[cfg(not(shuttle))]
    pub(crate) fn announced(self, announce: Box<Announce<A>>) -> Self {
        Self { announce: Some(Quiet::new(announce)), ..self }
    }

    /// Starts those that do not subscribe to what their pool does.
    pub(crate) fn of_pool(self, once_each: &Arc<OnceEach>) -> Self {
        Self { once_each: Some(Arc::clone(once_each)), ..self }
    }

    fn make(&self) -> Result<A, StopReason> {
        StopReason::catch(&*self.factory)
    }

    /// One that cannot be made known is not started.
    fn announce(&self, site: &Site, actor: &ActorRef<A>) -> Result<(), ExitReason> {
        let Some(announce) = &self.announce else { return Ok(()) };
        let announced = make(|| announce(&site.shared.bus, site.shared.number, &site.path, actor))
            .and_then(|announced| announced.map_err(|cause| ExitReason::Abnormal(cause.into())));
        announced.inspect_err(|_| actor.kill())
    }
}

impl<A: Actor> Launch for ActorLaunch<A> {
    fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason> {
        if let Some(Left::Worker(Suspended { actor, word })) = left {
            // Before the word: a stop that follows this start must not be taken back.
            actor.resume(site.stop_stands);
            if word.send(Word::Live(site.child, site.post.clone())).is_ok() {
                return Ok(Life::Member(actor));
            }
        }
        let fate = Supervised {
            child: site.child,
            factory: Arc::clone(&self.factory),
            post: site.post.clone(),
            readiness: site.readiness(),
            attempts_max: site.attempts_max,
            probed: site.probed,
            tree: site.shared.number,
            waits: Arc::clone(&site.shared.starts),
            path: Arc::clone(&site.path),
            once_each: self.once_each.clone(),
            verdict: None,
        };
        let bus = &site.shared.bus.core;
        let actor = self.make().map_err(|reason| ExitReason::from(&reason))?;
        let actor = make(|| bus.spawn_supervised(actor, Box::new(fate), site.thread.as_deref()))?;
        let actor = actor.map_err(|error| ExitReason::Abnormal(error.to_string().into()))?;
        self.announce(site, &actor)?;
        let Some(member) = actor.member() else { return Err(ExitReason::Killed) };
        let placed = Placed { id: member.id(), reference: Box::new(actor) };
        site.shared.place(&site.path, placed);
        Ok(Life::Member(member))
    }

    fn take_seat(&self, site: SeatSite) -> Result<Rc<dyn AnySeat>, ExitReason> {
        let seat = |actor| seat_actor(site, actor, &self.factory, self.once_each.clone());
        let seated = self.make().and_then(seat);
        seated.map_err(|reason| ExitReason::from(&reason))
    }

    fn spawn(&self, isolate: &mut Isolate, id: &Arc<str>) -> Result<(), SpawnError> {
        let actor = self.make().map_err(|reason| not_made(id, &reason))?;
        isolate.spawn_named(id, actor).map(drop)
    }
}

/// The factory has failed.
fn not_made(id: &Arc<str>, reason: &StopReason) -> SpawnError {
    SpawnError::Child { id: Arc::clone(id), cause: reason.to_string() }
}

/// The fate of an actor under a supervisor: it reports each end and does what it is told.
struct Supervised<A> {
    /// The life that goes on, or was the last.
    child: ChildRef,
    factory: Factory<A>,
    post: mpsc::UnboundedSender<Mail>,
    readiness: Option<Arc<Readiness>>,
    attempts_max: u32,
    probed: bool,
    tree: u64,
    waits: Arc<StartWaits>,
    path: Arc<str>,
    once_each: Option<Arc<OnceEach>>,
    verdict: Option<oneshot::Receiver<Word>>,
}

impl<A> Supervised<A> {
    fn start(&self) -> Start {
        let (path, waits) = (Arc::clone(&self.path), Arc::clone(&self.waits));
        Start { child: self.child, path, waits, post: self.post.clone() }
    }
}

impl<A: Actor> Fate<A> for Supervised<A> {
    fn started(&mut self) {
        if self.readiness.is_none() {
            self.start().is_over();
        }
    }

    fn readiness(&self) -> Option<Arc<Readiness>> {
        self.readiness.clone()
    }

    fn tree(&self) -> Option<u64> {
        Some(self.tree)
    }

    fn path(&self) -> Option<Arc<str>> {
        Some(Arc::clone(&self.path))
    }

    fn once_each(&self) -> Option<Arc<OnceEach>> {
        self.once_each.clone()
    }

    fn is_probed(&self) -> bool {
        self.probed
    }

    fn attempts_max(&self) -> u32 {
        self.attempts_max
    }

    fn poll_verdict(&mut self, reason: &StopReason, cx: &mut TaskContext<'_>) -> Poll<Directive<A>> {
        let Self { child, post, verdict, .. } = self;
        let waiting = verdict.get_or_insert_with(|| {
            let (verdict, waiting) = oneshot::channel();
            let _ = post.send(Mail::Parked(*child, ExitReason::from(reason), verdict));
            waiting
        });
        let answer = ready!(Pin::new(waiting).poll(cx));
        // First: a factory that panics ends this new life, and the supervisor is asked again.
        self.verdict = None;
        match answer {
            Ok(Word::Live(child, own)) => {
                // Those of another supervisor, if its last one has been restarted.
                *post = own;
                self.child = child;
                if let Some(readiness) = &self.readiness {
                    aim(readiness, self.start());
                }
                Poll::Ready(Directive::Restart((self.factory)()))
            }
            Ok(Word::ShutDown) => Poll::Ready(Directive::ShutDown),
            Err(_) => Poll::Ready(Directive::Stop),
        }
    }
}

impl<A> Drop for Supervised<A> {
    fn drop(&mut self) {
        // A kill may come between the word and the life: then it is that life which is gone.
        if let Some(waiting) = &mut self.verdict {
            waiting.close();
            if let Ok(Word::Live(child, post)) = waiting.try_recv() {
                (self.child, self.post) = (child, post);
            }
        }
        let _ = self.post.send(Mail::Gone(self.child, None));
    }
}

/// Starts services.
pub(crate) struct ServiceLaunch<S> {
    factory: Factory<S>,
    only_live: Option<&'static str>,
}

impl<S: Service> ServiceLaunch<S> {
    pub(crate) fn new(factory: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self { factory: quiet(factory), only_live: None }
    }

    /// The same, for what cannot be in an isolate.
    pub(crate) fn only_live(self, what: &'static str) -> Self {
        Self { only_live: Some(what), ..self }
    }
}

impl<S: Service> Launch for ServiceLaunch<S> {
    fn launch(&self, site: &Site, _: StartLeft) -> Result<Life, ExitReason> {
        make(|| launch_service(site, (self.factory)()))?
    }

    fn take_seat(&self, site: SeatSite) -> Result<Rc<dyn AnySeat>, ExitReason> {
        Ok(seat_service(site, &self.factory))
    }

    fn spawn(&self, isolate: &mut Isolate, id: &Arc<str>) -> Result<(), SpawnError> {
        let service = StopReason::catch(&*self.factory).map_err(|reason| not_made(id, &reason))?;
        isolate.spawn_service(service).map(drop)
    }

    fn only_live(&self) -> Option<&'static str> {
        self.only_live
    }

    fn is_source(&self) -> bool {
        true
    }
}

/// Starts a service as a child.
pub(crate) fn launch_service<S: Service>(site: &Site, service: S) -> Result<Life, ExitReason> {
    let (tree, path) = (site.shared.number, Arc::clone(&site.path));
    let supervision = Supervision { tree, path, readiness: site.readiness() };
    let handle = site.shared.bus.launch_supervised(service, supervision, site.thread.as_deref());
    let handle = handle.map_err(|error| ExitReason::Abnormal(error.to_string().into()))?;
    let member = handle.member();
    let (child, post) = (site.child, site.post.clone());
    if !site.tells {
        site.has_started();
    }
    rt::spawn(async move {
        let reason = ExitReason::from(&handle.ended().await);
        let _ = post.send(Mail::Gone(child, Some(reason)));
    });
    Ok(Life::Member(member))
}

/// Starts supervisors.
pub(crate) struct SupervisorLaunch(pub(crate) Builder);

impl Launch for SupervisorLaunch {
    fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason> {
        let estate = match left {
            Some(Left::Tree(estate)) => estate,
            _ => Estate::new(),
        };
        let (child, post) = (site.child, site.post.clone());
        let start = site.start();
        let leash = spawn_supervisor(
            &self.0,
            &site.path,
            &site.shared,
            estate,
            Box::new(move || start.is_over()),
            Box::new(move |reason, estate| {
                let mail = match estate.is_empty() {
                    true => Mail::Gone(child, Some(reason)),
                    false => Mail::Report(Report::Left(child, reason, Left::Tree(estate))),
                };
                drop(post.send(mail));
            }),
        );
        leash.map(Life::Supervisor).map_err(|error| ExitReason::Abnormal(error.to_string().into()))
    }

    fn builder(&self) -> Option<&Builder> {
        Some(&self.0)
    }
}

/// A future as a service.
pub(crate) struct FutureService<F>(Option<Pin<Box<F>>>);

impl<F> FutureService<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future<Output = crate::Result> + Send + 'static> Service for FutureService<F> {
    type Error = BoxError;

    fn name() -> &'static str {
        "Future"
    }

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let Some(mut future) = self.0.take() else { return Ok(()) };
        // An isolate repeats what it did: nothing here is as chance will have it.
        tokio::select! {
            biased;
            result = &mut future => result,
            () = ctx.stopped() => Ok(()),
        }
    }
}
