//! What a test body sees of a host, and how bodies are instantiated.
//!
//! A body is a function over [`Host`]. It stands outside of all actors: it spawns, publishes, tells, asks,
//! lets time pass, and looks at what actors have written down. [`conformance!`] makes a test of it for each
//! host. A new host (a bus on the other side of a transport) is one more implementation of [`Host`] and one
//! more line in that macro.

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::pool::PoolRef;
use mycelium::tree::{Builder, CallError, Child, ChildStatus, Counts, ExitReason, StartError};
use mycelium::{
    Actor, ActorRef, AskError, DeadLetters, Message, Probe, PublishError, Replies, Retention, Service,
    ServiceRef, ShutdownError, SpawnError, StopReason, Takes, TellError, Timestamp, TopicStats, Tree,
    WirePublishError, WireSubscriber,
};

pub(crate) use crate::offers::Offers;

use crate::common::{Heard, WATCHDOG};

/// The bounds of a whole bus, on hosts that have them ([`Offers::limits`]).
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    pub topic_capacity: Option<usize>,
    pub inbox_capacity: Option<u32>,
}

/// What was not handled, at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Letters {
    /// In hand at a failure, or waiting at an end.
    pub dead: u64,
    pub retried: u64,
}

/// Whatever runs actors. Its methods are called from outside of all of them.
///
/// Methods that wait (`publish`, `tell`, `ask`, `ended`, calls of trees) let the host go on until they have
/// what they wait for, time included; the others let nothing happen by themselves.
pub(crate) trait Host: Sized {
    const OFFERS: Offers;

    fn with(limits: Limits) -> Self;
    fn new() -> Self {
        Self::with(Limits::default())
    }
    /// One whose topic of `M` retains messages.
    fn retaining<M: Message>(retention: Retention<M>) -> Self;

    /// One that knows the messages of `common::wire` by their bytes.
    fn with_contract() -> Self;
    /// One whose handlers this looks at.
    fn probed(probe: Arc<dyn Probe>) -> Self;
    /// One whose chance follows from this seed.
    fn seeded(seed: u64) -> Self;

    fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A>, SpawnError>;
    fn spawn_named<A: Actor>(&mut self, name: &str, actor: A) -> Result<ActorRef<A>, SpawnError>;
    fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>>;
    fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>>;
    fn spawn_service<S: Service>(&mut self, service: S) -> Result<ServiceRef<S>, SpawnError>;
    /// Waits until its loop has returned.
    fn service_ended<S: Service>(&mut self, service: &ServiceRef<S>) {
        assert_eq!(self.wait(service.ended()), StopReason::Normal);
    }

    fn publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>>;
    fn try_publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>>;
    /// Publishes bytes without waiting.
    fn publish_wire(&mut self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError>;
    fn subscribe_wire(&mut self, topics: &str) -> Result<WireSubscriber, SpawnError>;
    /// Lets the host go on until a future is ready.
    fn wait<F: Future>(&mut self, what: F) -> F::Output;
    fn tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.wait(to.tell(message))
    }
    fn try_tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static;
    /// Waits for `limit`, or however long it takes.
    fn ask_for<A, Q>(
        &mut self,
        to: &ActorRef<A>,
        query: Q,
        limit: Option<Duration>,
    ) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        match limit {
            Some(limit) => self.wait(to.ask_within(query, limit)),
            None => self.wait(to.ask(query)),
        }
    }
    fn ask<A, Q>(&mut self, to: &ActorRef<A>, query: Q) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        self.ask_for(to, query, None)
    }
    fn ended<A: Actor>(&mut self, actor: &ActorRef<A>) -> StopReason {
        self.wait(actor.ended())
    }

    /// Lets all happen that needs no time.
    fn settle(&mut self);
    /// Lets this much time pass, whole milliseconds, and all happen that comes with it.
    fn advance(&mut self, time: Duration);
    fn now(&self) -> Timestamp;
    /// Lets time pass until it is so.
    fn until(&mut self, so: impl Fn() -> bool) {
        self.settle();
        while !so() {
            self.advance(Duration::from_millis(1));
        }
    }

    fn supervise(&mut self, root: Builder) -> Result<Tree, StartError>;
    fn child<A: Actor>(&self, tree: &Tree, path: &str) -> Option<ActorRef<A>> {
        tree.lookup(path)
    }
    fn status(&mut self, tree: &Tree, path: &str) -> Option<ChildStatus> {
        self.wait(tree.child(path)).ok().map(|child| child.status)
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
    /// Stops a tree; the children that had to be killed.
    fn shut_tree(&mut self, tree: &Tree) -> Vec<String> {
        match self.wait(tree.shutdown()) {
            Ok(()) => Vec::new(),
            Err(error) => error.missed.iter().map(ToString::to_string).collect(),
        }
    }
    fn tree_ended(&mut self, tree: &Tree) -> ExitReason {
        self.wait(tree.ended())
    }

    fn topics(&self) -> Vec<TopicStats>;
    fn topic<M: Message>(&self) -> TopicStats {
        self.topics().into_iter().find(|topic| topic.message == M::NAME).expect("somebody has used it")
    }
    /// At rest.
    fn letters(&mut self) -> Letters;
    fn dead_letters(&self) -> DeadLetters;
    /// Ends all, in order.
    fn shutdown(&mut self) {
        assert_eq!(self.shutdown_within(mycelium::SHUTDOWN_DEADLINE), Vec::<String>::new());
    }
    /// The same; who had to be killed because it was late.
    fn shutdown_within(&mut self, limit: Duration) -> Vec<String>;

    /// A list for actors that write down what happens, and when.
    fn diary(&self) -> Diary {
        Diary { heard: Heard::default(), begun: self.now() }
    }
    /// That the diary says this and nothing else. Where time is the wall clock's, it may be later than that.
    fn has_heard(&mut self, diary: &Diary, expected: &[&str]) {
        self.until(|| diary.heard.words().len() >= expected.len());
        self.settle();
        let heard = diary.heard.words();
        if Self::OFFERS.exact_time {
            assert_eq!(heard, expected);
            return;
        }
        let split =
            |line: &str| line.split_once(' ').map(|(at, word)| (at.parse::<i64>().unwrap(), word.to_owned()));
        let got: Vec<_> = heard.iter().map(|line| split(line).unwrap()).collect();
        let due: Vec<_> = expected.iter().map(|line| split(line).unwrap()).collect();
        let words = |all: &[(i64, String)]| all.iter().map(|(_, word)| word.clone()).collect::<Vec<_>>();
        assert_eq!(words(&got), words(&due));
        // The wall clock and the timers' clock may run apart by a little.
        assert!(
            got.iter().zip(&due).all(|(got, due)| got.0 + 1 >= due.0),
            "{heard:?} comes before {expected:?}"
        );
    }
}

/// Those that a shutdown has killed, children of trees by their paths.
pub(crate) fn who_was_late(late: &ShutdownError) -> Vec<String> {
    let children = late.children.iter().map(ToString::to_string);
    children.chain(late.missed.iter().map(|missed| missed.actor.name.to_owned())).collect()
}

/// What happened, each behind the millisecond after the beginning at which it did.
#[derive(Clone, Default)]
pub(crate) struct Diary {
    pub heard: Heard,
    begun: Timestamp,
}

impl Diary {
    pub(crate) fn note(&self, now: Timestamp, word: impl std::fmt::Display) {
        self.heard.add_at(Timestamp::ZERO + now.saturating_since(self.begun), word);
    }
}

/// Runs a body in a thread of its own: one that keeps its host from doing anything else is seen to hang.
pub(crate) fn run(body: fn()) {
    let (done, is_done) = channel();
    let running = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if is_done.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Makes a test of a body for each host: `conformance!(body)`. A host is left out only for something that it
/// does not offer: `conformance!(body, not isolate: limits)`, `conformance!(body, not live: one_order)`,
/// `conformance!(body, not live2: exact_time)`. What is left out although the host offers it by now does not
/// compile.
macro_rules! conformance {
    ($body:ident) => { conformance!(@tests $body live1 live2 isolate); };
    ($body:ident, not isolate: $lack:ident) => {
        conformance!(@lacks crate::isolate::InIsolate, $lack);
        conformance!(@tests $body live1 live2);
    };
    ($body:ident, not live: $lack:ident) => {
        conformance!(@lacks crate::live::Live<1>, $lack);
        conformance!(@lacks crate::live::Live<2>, $lack);
        conformance!(@tests $body isolate);
    };
    ($body:ident, not live2: $lack:ident) => {
        conformance!(@lacks crate::live::Live<2>, $lack);
        conformance!(@tests $body live1 isolate);
    };
    (@lacks $host:ty, $lack:ident) => {
        const _: () = assert!(!<$host as $crate::host::Host>::OFFERS.$lack, "this host offers it by now: include it");
    };
    (@tests $body:ident $($host:ident)+) => {
        mod $body {
            $(#[test] fn $host() { conformance!(@run $body $host); })+
        }
    };
    (@run $body:ident live1) => { $crate::host::run(super::$body::<$crate::live::Live<1>>) };
    (@run $body:ident live2) => { $crate::host::run(super::$body::<$crate::live::Live<2>>) };
    (@run $body:ident isolate) => { $crate::host::run(super::$body::<$crate::isolate::InIsolate>) };
}
