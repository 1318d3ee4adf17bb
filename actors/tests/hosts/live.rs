//! A bus, on one thread with a stopped clock or on two workers with the wall clock.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::pool::PoolRef;
use mycelium::tree::{Builder, StartError};
use mycelium::{
    Actor, ActorRef, BusBuilder, DeadLetters, Message, MessageBus, Probe, PublishError, Retention, Service,
    ServiceRef, SpawnError, Takes, TellError, Timestamp, TopicStats, Tree, WirePublishError, WireSubscriber,
};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::common::wire::Mine;
use crate::host::{Host, Letters, Limits, who_was_late};
use crate::offers::{LIVE, Offers};

/// With one thread, time is virtual: it passes when nothing else is left to do and somebody waits for it.
/// Nothing happens between two calls.
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
    fn block_on<F: Future>(&self, what: F) -> F::Output {
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

    fn with(limits: Limits) -> Self {
        Self::built(limits, |builder| builder)
    }
    fn retaining<M: Message>(retention: Retention<M>) -> Self {
        Self::built(Limits::default(), |builder| builder.retain(retention))
    }

    fn with_contract() -> Self {
        Self::built(Limits::default(), |builder| builder.contract(Mine))
    }

    fn probed(probe: Arc<dyn Probe>) -> Self {
        Self::built(Limits::default(), |builder| builder.probe(probe))
    }
    fn seeded(seed: u64) -> Self {
        Self::built(Limits::default(), |builder| builder.seed(seed))
    }

    fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.bus.spawn(actor)
    }
    fn spawn_named<A: Actor>(&mut self, name: &str, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.bus.spawn_named(name, actor)
    }
    fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        self.bus.lookup(name)
    }
    fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        self.bus.lookup_pool(path)
    }
    fn spawn_service<S: Service>(&mut self, service: S) -> Result<ServiceRef<S>, SpawnError> {
        self.bus.spawn_service(service)
    }
    fn publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        let publisher = self.bus.publisher().unwrap();
        self.block_on(publisher.publish(message))
    }
    fn try_publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        self.bus.publisher().unwrap().try_publish(message)
    }
    fn publish_wire(&mut self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.bus.try_publish_wire(header, bytes)
    }
    fn subscribe_wire(&mut self, topics: &str) -> Result<WireSubscriber, SpawnError> {
        self.bus.subscribe_wire(topics)
    }
    fn wait<F: Future>(&mut self, what: F) -> F::Output {
        self.block_on(what)
    }
    fn try_tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        to.try_tell(message)
    }
    fn settle(&mut self) {
        if WORKERS == 1 {
            self.rest.is_wanted.store(true, Ordering::Relaxed);
            self.block_on(self.rest.is_there.notified());
        } else {
            while !all_are_parked(&self.runtime) {
                std::thread::sleep(Duration::from_micros(20));
            }
        }
    }
    fn advance(&mut self, time: Duration) {
        self.block_on(async { tokio::time::sleep(time).await });
        if WORKERS != 1 {
            // A worker fires timers while it still counts as parked, and may be held up between this one and
            // those that it wakes with it. The next timer fires when it has come back to them.
            self.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        }
        self.settle();
    }
    fn now(&self) -> Timestamp {
        self.block_on(async { self.bus.clock().now() })
    }

    fn supervise(&mut self, root: Builder) -> Result<Tree, StartError> {
        self.block_on(root.start(&self.bus))
    }
    fn topics(&self) -> Vec<TopicStats> {
        self.bus.topics()
    }
    fn letters(&mut self) -> Letters {
        self.settle();
        let letters = self.bus.dead_letters();
        Letters { dead: letters.in_hand + letters.waiting, retried: letters.retried }
    }
    fn dead_letters(&self) -> DeadLetters {
        self.bus.dead_letters()
    }
    fn shutdown_within(&mut self, limit: Duration) -> Vec<String> {
        let ended = self.block_on(self.bus.shutdown_within(limit));
        ended.map_or_else(|late| who_was_late(&late), |()| Vec::new())
    }
}
