//! Live services: one task each.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mycelium_mailbox::Stop;

use super::address::{Member, Work};
use super::bus::Core;
use super::current::{self, Current};
use super::lookout::{Wait, Waits};
use super::members::Seat;
use super::outlet::Outlet;
use super::publisher::LiveSubscriber;
use super::runtime::has_ended;
use super::watch::{Pulse, Readiness};
use super::wire::LiveEars;
use crate::life::reason_of;
use crate::rt::{self, AbortHandle};
use crate::sync::{AtomicBool, AtomicU64, Ordering, SetOnce};
use crate::{
    ActorId, Message, MessageBus, Service, ServiceContext, SpawnError, StopReason, Subscription, Timestamp,
    WireMessage, WireTopics,
};

/// What a service knows of its supervisor.
#[derive(Default)]
pub(crate) struct Supervision {
    /// Where it says that it is ready, if that is waited for.
    pub(crate) readiness: Option<Arc<Readiness>>,
}

/// What the bus, the service and its handles share.
struct Post {
    id: ActorId,
    name: &'static str,
    /// Present if a supervisor restarts it.
    supervision: Option<Supervision>,
    /// How often it has said that it is alive.
    beats: AtomicU64,
    /// Set when it should end.
    stop: SetOnce<Stop>,
    /// Whether it has ever asked when it should: else it learns of it by a publish that fails, or not at all.
    listens: AtomicBool,
    ended: SetOnce<StopReason>,
    waits: Waits,
    task: SetOnce<AbortHandle>,
}

impl Member for Post {
    fn id(&self) -> ActorId {
        self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn stop(&self, stop: Stop) {
        let _ = self.stop.set(stop);
    }

    fn kill(&self) {
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

    fn listens(&self) -> bool {
        self.listens.load(Ordering::Relaxed)
    }

    fn waits(&self) -> (Wait, u64) {
        self.waits.noted()
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

/// A running service. Dropping the handle does not end it.
#[derive(Clone)]
pub struct ServiceHandle {
    post: Arc<Post>,
}

impl ServiceHandle {
    /// The service's identity within its bus.
    #[must_use]
    pub fn id(&self) -> ActorId {
        self.post.id
    }

    pub(crate) fn member(&self) -> Arc<dyn Member> {
        Arc::clone(&self.post) as _
    }

    /// Makes [`ServiceContext::stopped`] ready, so that the service returns by itself.
    pub fn stop(&self) {
        Member::stop(&*self.post, Stop::Life);
    }

    /// Drops the service's code where it waits.
    pub fn kill(&self) {
        self.post.kill();
    }

    /// Whether its loop has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.post.ended.initialized()
    }

    /// Waits for its end and says why it ended.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn ended(&self) -> StopReason {
        current::turn().await;
        self.post.ended.wait().await.clone()
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.post.name, self.post.id)
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

    pub(crate) fn subscribe<M: Message>(
        &self,
        subscription: Subscription<M>,
    ) -> Result<LiveSubscriber<M>, SpawnError> {
        LiveSubscriber::new(&self.outlet.core().topics, subscription, self.post.id.get())
    }

    pub(crate) fn subscribe_wire(
        &self,
        topics: &WireTopics,
        how: &Subscription<WireMessage>,
    ) -> Result<LiveEars, SpawnError> {
        LiveEars::new(self.outlet.core(), topics, how, self.post.id.get())
    }

    pub(crate) fn ready(&self) {
        let readiness = self.post.supervision.as_ref().and_then(|supervision| supervision.readiness.as_ref());
        readiness.into_iter().for_each(|readiness| readiness.tell());
    }

    pub(crate) fn alive(&self) {
        self.post.beats.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let post = Arc::clone(&self.post);
        post.listens.store(true, Ordering::Relaxed);
        async move {
            current::turn().await;
            post.stop.wait().await;
        }
    }

    pub(crate) fn sleep_until(&self, at: Timestamp) -> rt::Sleep {
        rt::sleep(self.outlet.core().clock.until(at))
    }

    pub(crate) fn sleep(duration: Duration) -> rt::Sleep {
        rt::sleep(duration)
    }
}

/// Records the service's end however it comes, even when its task is dropped.
struct Exit {
    post: Arc<Post>,
    core: Arc<Core>,
    seat: Seat,
    reason: StopReason,
}

impl Drop for Exit {
    fn drop(&mut self) {
        self.core.remove(self.seat, self.post.id, None);
        let reason = std::mem::replace(&mut self.reason, StopReason::Killed);
        let _ = self.post.ended.set(reason);
    }
}

impl MessageBus {
    /// Starts a service: its loop runs on a task of its own until it returns.
    ///
    /// # Errors
    /// [`SpawnError::NoRuntime`] outside a tokio runtime, [`SpawnError::RuntimeEnded`] on one that ends or has ended,
    /// [`SpawnError::Closed`] after a shutdown began.
    pub fn spawn_service<S: Service>(&self, service: S) -> Result<ServiceHandle, SpawnError> {
        self.launch_service(service, None)
    }

    /// The same, for a supervisor too.
    pub(crate) fn launch_service<S: Service>(
        &self,
        service: S,
        supervision: Option<Supervision>,
    ) -> Result<ServiceHandle, SpawnError> {
        let core = &self.core;
        let runtime = core.runtime()?;
        let _entered = rt::enter(&runtime);
        let post = Arc::new(Post {
            id: core.next_id(),
            name: S::name(),
            supervision,
            beats: AtomicU64::new(0),
            stop: SetOnce::new(),
            listens: AtomicBool::new(false),
            ended: SetOnce::new(),
            waits: Waits::new(Arc::clone(&core.lookout)),
            task: SetOnce::new(),
        });
        let member: Arc<dyn Member> = Arc::clone(&post) as _;
        let seat = core.add(&member);
        let exit = Exit { post: Arc::clone(&post), core: Arc::clone(core), seat, reason: StopReason::Killed };
        let task = rt::spawn(run(service, exit));
        if post.ended.initialized() && has_ended(&runtime) {
            return Err(SpawnError::RuntimeEnded);
        }
        let _ = post.task.set(task.abort_handle());
        Ok(ServiceHandle { post })
    }
}

async fn run<S: Service>(mut service: S, mut exit: Exit) {
    let live = LiveService {
        post: Arc::clone(&exit.post),
        outlet: Outlet::new(Arc::clone(&exit.core), exit.post.id),
    };
    let reason = {
        let ctx = ServiceContext::live(live);
        let mut looping = pin!(service.run(&ctx));
        let (post, core) = (&*exit.post, &exit.core);
        let current = Current::new(core.topics.mark(), post.id, post);
        std::future::poll_fn(|cx| {
            let hushed = || core.is_hushed() && post.stop.initialized() && !post.listens();
            let poll =
                || current::poll_code(current.hushed(hushed()), &post.waits, || looping.as_mut().poll(cx));
            // Nothing of the service is used after a panic, so nothing half-changed can be seen.
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(Ok(()))) => Poll::Ready(None),
                Ok(Poll::Ready(Err(error))) if hushed() => {
                    // That is how it was told.
                    tracing::debug!(service = post.name, id = post.id.get(), %error, "ended by the shutdown");
                    Poll::Ready(None)
                }
                Ok(Poll::Ready(Err(error))) => {
                    Poll::Ready(Some(StopReason::Failed(error.to_string().into())))
                }
                Err(payload) => Poll::Ready(Some(StopReason::from_panic(&*payload))),
            }
        })
        .await
    };
    drop(service);
    let asked = || exit.post.stop.get().map_or(StopReason::Normal, |stop| reason_of(*stop));
    exit.reason = reason.unwrap_or_else(asked);
}
