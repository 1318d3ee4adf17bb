//! A bus, on one thread with a stopped clock or on two workers with the wall clock.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium::tree::{Builder, CallError, Child, ChildStatus, Counts, ExitReason, StartError};
use mycelium::{
    Actor, ActorRef, AskError, BusBuilder, Handler, Message, MessageBus, PublishError, Responder, Retention,
    Service, ServiceHandle, SpawnError, StopReason, TellError, Timestamp, TopicStats, Tree,
};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::host::{Host, Letters, Limits};
use crate::offers::{LIVE, Offers};

/// With one thread, time is virtual: it passes when nothing else is left to do and somebody waits for it. Nothing happens between two
/// calls.
pub(crate) struct Live<const WORKERS: usize> {
    bus: MessageBus,
    runtime: Runtime,
    rest: Arc<Rest>,
}

/// Told by a runtime of one thread when it has nothing to do.
#[derive(Default)]
struct Rest {
    is_wanted: AtomicBool,
    is_there: Notify,
}

impl<const WORKERS: usize> Live<WORKERS> {
    fn built(limits: Limits, set: impl FnOnce(BusBuilder) -> BusBuilder) -> Self {
        let rest = Arc::<Rest>::default();
        let mut builder = match WORKERS {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        if WORKERS == 1 {
            let rest = Arc::clone(&rest);
            builder.start_paused(true).on_thread_park(move || {
                if rest.is_wanted.swap(false, Ordering::Relaxed) {
                    rest.is_there.notify_one();
                }
            });
        } else {
            builder.worker_threads(WORKERS);
        }
        let runtime = builder.enable_all().build().unwrap();
        let mut builder = MessageBus::builder().runtime(runtime.handle().clone());
        if let Some(messages) = limits.topic_capacity {
            builder = builder.topic_capacity(messages);
        }
        if let Some(messages) = limits.inbox_capacity {
            builder = builder.inbox_capacity(messages);
        }
        let bus = runtime.block_on(async { set(builder).build() });
        Self { bus, runtime, rest }
    }
    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}

/// A runtime of two workers rests when both are parked and nothing waits for them.
fn all_are_parked(runtime: &Runtime) -> bool {
    let metrics = runtime.metrics();
    let counts =
        || (0..metrics.num_workers()).map(|at| metrics.worker_park_unpark_count(at)).collect::<Vec<_>>();
    let before = counts();
    before.iter().all(|count| count % 2 == 1) && metrics.global_queue_depth() == 0 && counts() == before
}

impl<const WORKERS: usize> Host for Live<WORKERS> {
    const OFFERS: Offers = Offers { exact_time: WORKERS == 1, ..LIVE };
    type Tree = Tree;
    type ServiceRef = ServiceHandle;

    fn with(limits: Limits) -> Self {
        Self::built(limits, |builder| builder)
    }
    fn retaining<M: Message>(retention: Retention<M>) -> Self {
        Self::built(Limits::default(), |builder| builder.retain(retention))
    }

    fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.bus.spawn(actor)
    }
    fn spawn_service<S: Service>(&mut self, service: S) -> Result<ServiceHandle, SpawnError> {
        self.bus.spawn_service(service)
    }
    fn service_ended(&mut self, service: &ServiceHandle) {
        assert_eq!(self.wait(service.ended()), StopReason::Normal);
    }

    fn publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        let publisher = self.bus.publisher().unwrap();
        self.wait(publisher.publish(message))
    }
    fn try_publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        self.bus.publisher().unwrap().try_publish(message)
    }
    fn tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        self.wait(to.tell(message))
    }
    fn try_tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        to.try_tell(message)
    }
    fn ask_for<A, Q>(
        &mut self,
        to: &ActorRef<A>,
        query: Q,
        limit: Option<Duration>,
    ) -> Result<A::Reply, AskError>
    where
        A: Responder<Q>,
        Q: Send + Sync + 'static,
    {
        match limit {
            Some(limit) => self.wait(to.ask_within(query, limit)),
            None => self.wait(to.ask(query)),
        }
    }
    fn ended<A: Actor>(&mut self, actor: &ActorRef<A>) -> StopReason {
        self.wait(actor.ended())
    }

    fn settle(&mut self) {
        if WORKERS == 1 {
            self.rest.is_wanted.store(true, Ordering::Relaxed);
            self.wait(self.rest.is_there.notified());
        } else {
            while !all_are_parked(&self.runtime) {
                std::thread::sleep(Duration::from_micros(20));
            }
        }
    }
    fn advance(&mut self, time: Duration) {
        self.wait(async { tokio::time::sleep(time).await });
        self.settle();
    }
    fn now(&self) -> Timestamp {
        self.wait(async { self.bus.clock().now() })
    }

    fn supervise(&mut self, root: Builder) -> Result<Tree, StartError> {
        self.wait(root.start(&self.bus))
    }
    fn child<A: Actor>(&self, tree: &Tree, path: &str) -> Option<ActorRef<A>> {
        tree.actor_ref(path)
    }
    fn status(&mut self, tree: &Tree, path: &str) -> Option<ChildStatus> {
        let (supervisor, id) = path.rsplit_once('/').unwrap();
        let children = self.wait(tree.which_children(supervisor)).ok()?;
        children.into_iter().find(|child| &*child.id == id).map(|child| child.status)
    }
    fn count_children(&mut self, tree: &Tree, path: &str) -> Result<Counts, CallError> {
        self.wait(tree.count_children(path))
    }
    fn start_child(&mut self, tree: &Tree, path: &str, child: Child) -> Result<(), CallError> {
        self.wait(tree.start_child(path, child))
    }
    fn terminate_child(&mut self, tree: &Tree, path: &str) -> Result<(), CallError> {
        self.wait(tree.terminate_child(path))
    }
    fn restart_child(&mut self, tree: &Tree, path: &str) -> Result<(), CallError> {
        self.wait(tree.restart_child(path))
    }
    fn delete_child(&mut self, tree: &Tree, path: &str) -> Result<(), CallError> {
        self.wait(tree.delete_child(path))
    }
    fn shut_tree(&mut self, tree: &Tree) -> Vec<String> {
        match self.wait(tree.shutdown()) {
            Ok(()) => Vec::new(),
            Err(error) => error.missed.iter().map(ToString::to_string).collect(),
        }
    }
    fn tree_ended(&mut self, tree: &Tree) -> ExitReason {
        self.wait(tree.ended())
    }

    fn topics(&self) -> Vec<TopicStats> {
        self.bus.topics()
    }
    fn letters(&mut self) -> Letters {
        self.settle();
        let letters = self.bus.dead_letters();
        Letters { dead: letters.in_hand + letters.waiting, retried: letters.retried }
    }
    fn shutdown(&mut self) {
        self.wait(self.bus.shutdown()).unwrap();
    }
}
