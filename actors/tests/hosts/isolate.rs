//! An isolate.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::pool::PoolRef;
use mycelium::tree::{Builder, StartError};
use mycelium::{
    Actor, ActorRef, DeadLetters, Isolate, Message, OnFailure, Probe, PublishError, Retention, RunError,
    Service, ServiceRef, SpawnError, Takes, TellError, Timestamp, TopicStats, Tree, WirePublishError,
    WireSubscriber,
};

use crate::common::wire::Mine;
use crate::host::{Host, Letters, Limits, who_was_late};
use crate::offers::{ISOLATE, Offers};

/// Nothing happens between two calls.
pub(crate) struct InIsolate(Isolate);

/// Where the clock begins: not at zero.
const BEGIN: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

impl InIsolate {
    /// Handles all up to this moment. A tree that gives up ends the run, and what it says is its test's
    /// affair.
    fn run_until(&mut self, until: Timestamp) {
        match self.0.run_until(until) {
            Ok(_) | Err(RunError::TreeGaveUp { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

impl Host for InIsolate {
    const OFFERS: Offers = ISOLATE;

    fn with(_: Limits) -> Self {
        Self::seeded(1)
    }

    fn probed(probe: Arc<dyn Probe>) -> Self {
        let mut host = Self::new();
        host.0.probe(probe);
        host
    }

    fn seeded(seed: u64) -> Self {
        let mut isolate = Isolate::starting_at(seed, BEGIN);
        isolate.on_failure(OnFailure::GoOn);
        Self(isolate)
    }

    fn retaining<M: Message>(retention: Retention<M>) -> Self {
        let mut host = Self::new();
        host.0.retain(retention).unwrap();
        host
    }

    fn with_contract() -> Self {
        let mut host = Self::new();
        host.0.contract(Mine);
        host
    }

    fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.0.spawn(actor)
    }
    fn spawn_named<A: Actor>(&mut self, name: &str, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.0.spawn_named(name, actor)
    }
    fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        self.0.lookup(name)
    }
    fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        self.0.lookup_pool(path)
    }
    fn spawn_service<S: Service>(&mut self, service: S) -> Result<ServiceRef<S>, SpawnError> {
        self.0.spawn_service(service)
    }

    fn publish<M: Message>(&mut self, mut message: M) -> Result<(), PublishError<M>> {
        loop {
            match self.0.publish(message) {
                Err(PublishError::Full(back, _)) => message = back,
                other => return other,
            }
            self.advance(Duration::from_millis(1));
        }
    }
    fn try_publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        self.0.publish(message)
    }
    fn publish_wire(&mut self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        self.0.publish_wire(header, bytes)
    }
    fn subscribe_wire(&mut self, topics: &str) -> Result<WireSubscriber, SpawnError> {
        self.0.subscribe_wire(topics)
    }
    fn wait<F: Future>(&mut self, what: F) -> F::Output {
        self.settle();
        let output = self.0.block_on(what).unwrap();
        self.settle();
        output
    }
    fn try_tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.0.tell(to, message)
    }
    fn settle(&mut self) {
        self.run_until(self.0.now());
    }
    fn advance(&mut self, time: Duration) {
        self.run_until(self.0.now() + time);
    }
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn supervise(&mut self, root: Builder) -> Result<Tree, StartError> {
        self.0.supervise(&root)
    }
    fn topics(&self) -> Vec<TopicStats> {
        self.0.topics()
    }
    fn letters(&mut self) -> Letters {
        self.settle();
        let stats = self.0.stats();
        Letters { dead: stats.dead_letters, retried: stats.retried }
    }
    fn dead_letters(&self) -> DeadLetters {
        self.0.dead_letters()
    }
    fn shutdown_within(&mut self, limit: Duration) -> Vec<String> {
        match self.0.shutdown_within(limit) {
            Ok(_) => Vec::new(),
            Err(RunError::Late(late)) => who_was_late(&late),
            Err(error) => panic!("{error}"),
        }
    }
}
