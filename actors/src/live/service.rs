//! Live services: one task each.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::Stop;
use tokio::runtime::Handle;

use super::address::{Member, Work, tree_number};
use super::bus::BusCore;
use super::cancel::{ServiceEnding, cancellable};
use super::current::{self, Current, OwnCode, OwnValue};
use super::lookout::{Noted, PackedNote, Waits};
use super::members::MemberSeat;
use super::outlet::Outlet;
use super::runtime::has_ended;
use super::subscriber::LiveSubscriber;
use super::watch::{Pulse, Readiness};
use super::wire::LiveEars;
use crate::life::{Origin, ServiceAct, ServiceEvent, ServiceLife};
use crate::rt::{self, AbortHandle};
use crate::sync::{AtomicU64, Ordering, SetOnce, fence};
use crate::{
    ActorId, Identity, Message, MessageBus, Service, ServiceContext, ServiceRef, SpawnError, StopReason,
    Subscription, Timestamp, WireMessage, WireTopics,
};

/// What a service knows of its supervisor.
pub(crate) struct Supervision {
    /// The number of its tree.
    pub(crate) tree: u64,
    /// Its path in its tree.
    pub(crate) path: Arc<str>,
    /// Where it says that it is ready, if that is waited for.
    pub(crate) readiness: Option<Arc<Readiness>>,
}

/// What the bus, the service and its handles share.
struct Post {
    id: ActorId,
    name: &'static str,
    /// Present if a supervisor restarts it.
    supervision: Option<Supervision>,
    /// What its random numbers follow from.
    origin: Origin,
    /// How often it has said that it is alive.
    beats: AtomicU64,
    ending: Arc<ServiceEnding>,
    ended: SetOnce<StopReason>,
    waits: Waits,
    task: SetOnce<AbortHandle>,
    runtime: Handle,
    /// That runtime is a thread of its own.
    own_thread: bool,
}

impl Member for Post {
    fn id(&self) -> ActorId {
        self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn path(&self) -> Option<Arc<str>> {
        self.supervision.as_ref().map(|supervision| Arc::clone(&supervision.path))
    }

    fn tree(&self) -> u32 {
        tree_number(self.supervision.as_ref().map(|supervision| supervision.tree))
    }

    fn stop(&self, stop: Stop) {
        self.ending.stop.set(stop);
    }

    fn kill(&self) {
        // Its task ends when it returns to its runtime; its code may come to a wait before.
        self.ending.kill();
        // It finds the task, or whoever starts the task finds that it is killed.
        fence(Ordering::SeqCst);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    fn ended(&self) -> &SetOnce<StopReason> {
        &self.ended
    }

    fn work(&self) -> Work {
        Work::Service { supervised: self.supervision.is_some() }
    }

    fn waits(&self) -> Noted {
        self.waits.noted()
    }

    fn note(&self, noted: Noted) {
        self.waits.write(PackedNote::new(noted));
    }

    fn runtime(&self) -> Option<Handle> {
        Some(self.runtime.clone())
    }

    fn keeps_itself(&self) -> bool {
        self.own_thread
    }

    fn pulse(&self) -> Pulse {
        Pulse { beats: self.beats.load(Ordering::Relaxed), rests: false, hand: None }
    }

    fn abort(&self, _: &str, seen: Option<u64>) {
        if seen.is_none_or(|beats| beats == self.beats.load(Ordering::Relaxed)) {
            self.kill();
        }
    }
}

/// The live half of a [`ServiceRef`].
#[derive(Clone)]
pub(crate) struct LiveServiceRef {
    post: Arc<Post>,
}

impl LiveServiceRef {
    pub(crate) fn id(&self) -> ActorId {
        self.post.id
    }

    pub(crate) fn member(&self) -> Arc<dyn Member> {
        Arc::clone(&self.post) as _
    }

    pub(crate) fn stop(&self) {
        Member::stop(&*self.post, Stop::Life);
    }

    pub(crate) fn kill(&self) {
        self.post.kill();
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.post.ended.initialized()
    }

    pub(crate) async fn ended(&self) -> StopReason {
        current::turn().await;
        cancellable(self.post.ended.wait()).await.clone()
    }
}

/// The live half of a [`ServiceContext`].
pub(crate) struct LiveService {
    post: Arc<Post>,
    pub(crate) outlet: Outlet,
}

impl LiveService {
    pub(crate) fn id(&self) -> ActorId {
        self.post.id
    }

    /// What publishers are told when a queue of its is full.
    fn who(&self) -> Arc<Identity> {
        Arc::new(self.post.identity())
    }

    pub(crate) fn subscribe<M: Message>(
        &self,
        subscription: Subscription<M>,
    ) -> Result<LiveSubscriber<M>, SpawnError> {
        LiveSubscriber::new(self.outlet.core(), subscription, Some(self.who()))
    }

    pub(crate) fn subscribe_wire(
        &self,
        topics: &WireTopics,
        how: &Subscription<WireMessage>,
    ) -> Result<LiveEars, SpawnError> {
        LiveEars::new(self.outlet.core(), topics, how, Some(self.who()))
    }

    pub(crate) fn ready(&self) {
        let readiness = self.post.supervision.as_ref().and_then(|supervision| supervision.readiness.as_ref());
        readiness.into_iter().for_each(|readiness| readiness.tell());
    }

    pub(crate) fn alive(&self) {
        self.post.beats.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let ending = Arc::clone(&self.post.ending);
        self.ends_by_hand();
        async move {
            current::turn().await;
            ending.stop.wait().await;
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.ends_by_hand();
        self.post.ending.stop.initialized()
    }

    fn ends_by_hand(&self) {
        self.post.ending.by_hand();
        if current::is(&*self.post) {
            current::ends_by_hand();
        }
    }

    pub(crate) fn sleep_until(&self, at: Timestamp) -> rt::Sleep {
        rt::sleep(self.outlet.core().clock.until(at))
    }
}

/// Records the service's end however it comes, even when its task is dropped.
struct Exit {
    post: Arc<Post>,
    core: Arc<BusCore>,
    seat: MemberSeat,
    reason: StopReason,
}

impl Drop for Exit {
    fn drop(&mut self) {
        let reason = std::mem::replace(&mut self.reason, StopReason::Killed);
        if self.post.supervision.is_none() {
            self.post.log_failure(&reason);
        }
        self.core.leave(self.seat, self.post.id, None, || self.post.ended.set(reason));
    }
}

impl MessageBus {
    /// Starts a service: its loop runs on a task of its own until it returns.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, ServiceContext, service};
    /// # use std::time::Duration;
    /// struct Heartbeat;
    /// #[service]
    /// impl Heartbeat {
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result {
    ///         loop {
    ///             ctx.sleep(Duration::from_secs(1)).await; // a stop ends it here
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let heartbeat = bus.spawn_service(Heartbeat)?;
    /// heartbeat.stop();
    /// heartbeat.ended().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::NoRuntime`] outside a tokio runtime, [`SpawnError::RuntimeEnded`] on one that ends or
    /// has ended, [`SpawnError::Closed`] after a shutdown began.
    pub fn spawn_service<S: Service>(&self, service: S) -> Result<ServiceRef<S>, SpawnError> {
        self.core.launch_service(service, None).map(ServiceRef::live)
    }
}

impl BusCore {
    /// Starts a service, for a supervisor or for nobody.
    pub(crate) fn launch_service<S: Service>(
        self: &Arc<Self>,
        service: S,
        supervision: Option<Supervision>,
    ) -> Result<LiveServiceRef, SpawnError> {
        self.launch_service_on(&self.runtime()?, false, service, supervision)
    }

    /// The same on this runtime, which may be a thread of its own.
    pub(super) fn launch_service_on<S: Service>(
        self: &Arc<Self>,
        runtime: &Handle,
        own_thread: bool,
        service: S,
        supervision: Option<Supervision>,
    ) -> Result<LiveServiceRef, SpawnError> {
        let core = self;
        let _entered = rt::enter(runtime);
        let path = supervision.as_ref().map(|supervision| Arc::clone(&supervision.path));
        let origin = path.map_or_else(|| Origin::Number(core.count::<S>()), Origin::Path);
        let post = Arc::new(Post {
            id: core.next_id(),
            name: S::name(),
            origin,
            supervision,
            beats: AtomicU64::new(0),
            ending: Arc::default(),
            ended: SetOnce::new(),
            waits: Waits::new(Arc::clone(&core.lookout)),
            task: SetOnce::new(),
            runtime: runtime.clone(),
            own_thread,
        });
        let member: Arc<dyn Member> = Arc::clone(&post) as _;
        let exit = |seat, reason| Exit { post: Arc::clone(&post), core: Arc::clone(core), seat, reason };
        let seat = core.add(&member).map_err(|seat| {
            drop(exit(seat, StopReason::Shutdown));
            SpawnError::Closed
        })?;
        let exit = exit(seat, StopReason::Killed);
        let task = rt::spawn(run(service, exit));
        if post.ended.initialized() && has_ended(runtime) {
            return Err(SpawnError::RuntimeEnded);
        }
        post.task.set(task.abort_handle());
        fence(Ordering::SeqCst);
        if post.ending.is_killed() {
            task.abort();
        }
        Ok(LiveServiceRef { post })
    }
}

async fn run<S: Service>(service: S, mut exit: Exit) {
    let live = LiveService {
        post: Arc::clone(&exit.post),
        outlet: Outlet::new(Arc::clone(&exit.core), exit.post.id),
    };
    let post = Arc::clone(&exit.post);
    let current = Current::new(exit.core.topics.mark(), post.id, &*post);
    let mut life = ServiceLife::default();
    // Its task may be dropped at each of its waits.
    let mut own = OwnValue::new(current, service);
    if let Some(service) = &mut own.value {
        let ctx = ServiceContext::live(live, exit.post.origin.clone(), S::name);
        let code = pin!(Some(service.run(&ctx)));
        let mut code = OwnCode::new(current, code);
        let (mut told, mut asked) = (pin!(post.ending.stop.wait()), false);
        std::future::poll_fn(|cx| {
            // Once is enough: the waker of a task stays the same.
            if !std::mem::replace(&mut asked, true) {
                let _ = told.as_mut().poll(cx);
            }
            post.poll_loop(current, code.as_mut(), &mut life, cx)
        })
        .await;
    }
    let left = StopReason::catch(|| drop(own));
    exit.post.ending.tell(&mut life);
    if let ServiceAct::Over(reason) = life.step(ServiceEvent::Dropped(left.err())) {
        exit.reason = reason;
    }
}

impl Post {
    /// Polls the loop of the service, and drops it where its life ends: ready then.
    fn poll_loop<E: fmt::Display>(
        &self,
        current: Current,
        mut code: Pin<&mut Option<impl Future<Output = Result<(), E>>>>,
        life: &mut ServiceLife,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let mut poll = |cx: &mut TaskContext<'_>| {
            let looping = code.as_mut().as_pin_mut()?;
            // Nothing of the service is used after a panic, so nothing half-changed can be seen.
            Some(StopReason::catch(|| {
                // The code of its error is its own, too.
                let poll = || looping.poll(cx).map_err(StopReason::of_error);
                current::poll_service(current, &self.ending, &self.waits, poll)
            }))
        };
        let mut polled = poll(cx);
        if let Some(Ok((Poll::Pending, true))) = polled {
            // It may have kept the wait and gone on to something else.
            current::wake_points(cx.waker());
            polled = poll(cx);
        }
        current::forget_wakers();
        let Some(polled) = polled else { return Poll::Ready(()) };
        let event = match polled {
            Ok((Poll::Pending, false)) => return Poll::Pending,
            Ok((Poll::Pending, true)) => {
                self.ending.tell(life);
                ServiceEvent::Waits
            }
            Ok((Poll::Ready(Ok(())), _)) => ServiceEvent::Returned,
            Ok((Poll::Ready(Err(reason)), _)) | Err(reason) => ServiceEvent::Failed(reason),
        };
        if life.step(event) != ServiceAct::Drop {
            // It ends by its own hand from now on, and its waits have not begun.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Err(panicked) = StopReason::catch(|| current::enter(current, || code.set(None))) {
            life.step(ServiceEvent::Failed(panicked));
        }
        Poll::Ready(())
    }
}
