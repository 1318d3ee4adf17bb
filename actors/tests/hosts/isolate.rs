//! An isolate.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Builder, CallError, Child, ChildStatus, Counts, ExitReason, StartError};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Handler, Isolate, IsolateTree, Message, OnFailure, PublishError,
    Responder, Retention, RunError, Service, ServiceContext, ServiceRef, SpawnError, StopReason, TellError,
    Timestamp, TopicStats,
};

use crate::host::{Host, Letters, Limits};
use crate::offers::{ISOLATE, Offers};

/// Nothing happens between two calls.
pub(crate) struct InIsolate(Isolate);

/// Where the clock begins: not at zero.
const BEGIN: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

impl InIsolate {
    /// Handles all up to this moment. A tree that gives up ends the run, and what it says is its test's affair.
    fn run_until(&mut self, until: Timestamp) {
        match self.0.run_until(until) {
            Ok(_) | Err(RunError::TreeGaveUp { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    /// Lets time pass until there is one.
    fn wait<T>(&mut self, mut look: impl FnMut(&mut Isolate) -> Option<T>) -> T {
        self.settle();
        loop {
            match look(&mut self.0) {
                Some(it) => return it,
                None => self.advance(Duration::from_millis(1)),
            }
        }
    }
    /// A call that the supervisor has no time for is carried out as the isolate runs.
    fn called(
        &mut self,
        result: Result<(), CallError>,
        is_done: impl Fn(&mut Isolate) -> bool,
    ) -> Result<(), CallError> {
        if result == Err(CallError::Unanswered) {
            self.wait(|isolate| is_done(isolate).then_some(()));
            return Ok(());
        }
        result
    }
}

/// What was answered, once it was.
type Answer<R> = Arc<Mutex<Option<Result<R, AskError>>>>;

/// Asks in the isolate, so that time passes while it waits.
struct Asker<A: Responder<Q>, Q> {
    to: ActorRef<A>,
    query: Option<Q>,
    limit: Option<Duration>,
    answer: Answer<A::Reply>,
}

impl<A: Responder<Q>, Q: Send + Sync + 'static> Service for Asker<A, Q> {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        let query = self.query.take().expect("it asks once");
        let answer = match self.limit {
            Some(limit) => self.to.ask_within(query, limit).await,
            None => self.to.ask(query).await,
        };
        *self.answer.lock().unwrap() = Some(answer);
        Ok(())
    }
}

impl Host for InIsolate {
    const OFFERS: Offers = ISOLATE;
    type Tree = IsolateTree;
    type ServiceRef = Arc<Mutex<bool>>;

    fn with(_: Limits) -> Self {
        let mut isolate = Isolate::starting_at(1, BEGIN);
        isolate.on_failure(OnFailure::GoOn);
        Self(isolate)
    }

    fn retaining<M: Message>(retention: Retention<M>) -> Self {
        let mut host = Self::new();
        host.0.retain(retention).unwrap();
        host
    }

    fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.0.spawn(actor)
    }
    fn spawn_service<S: Service>(&mut self, service: S) -> Result<Self::ServiceRef, SpawnError> {
        let ended = Arc::<Mutex<bool>>::default();
        let _: ServiceRef<Told<S>> = self.0.spawn_service(Told(service, Arc::clone(&ended)))?;
        Ok(ended)
    }
    fn service_ended(&mut self, service: &Self::ServiceRef) {
        self.wait(|_| service.lock().unwrap().then_some(()));
    }

    fn publish<M: Message>(&mut self, mut message: M) -> Result<(), PublishError<M>> {
        loop {
            match self.0.publish(message) {
                Err(PublishError::Full(back)) => message = back,
                other => return other,
            }
            self.advance(Duration::from_millis(1));
        }
    }
    fn try_publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        self.0.publish(message)
    }
    fn tell<A, M>(&mut self, to: &ActorRef<A>, mut message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        loop {
            match self.0.tell(to, message) {
                Err(TellError::Full(back)) => message = back,
                other => return other,
            }
            self.advance(Duration::from_millis(1));
        }
    }
    fn try_tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Handler<M>,
        M: Send + Sync + 'static,
    {
        self.0.tell(to, message)
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
        let answer = Answer::<A::Reply>::default();
        let (to, query) = (to.clone(), Some(query));
        self.0.spawn_service(Asker { to, query, limit, answer: Arc::clone(&answer) }).unwrap();
        self.wait(|_| answer.lock().unwrap().take())
    }
    fn ended<A: Actor>(&mut self, actor: &ActorRef<A>) -> StopReason {
        self.wait(|isolate| isolate.end_reason(actor))
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

    fn supervise(&mut self, root: Builder) -> Result<IsolateTree, StartError> {
        self.0.supervise(&root)
    }
    fn child<A: Actor>(&self, tree: &IsolateTree, path: &str) -> Option<ActorRef<A>> {
        tree.actor_ref(path)
    }
    fn status(&mut self, tree: &IsolateTree, path: &str) -> Option<ChildStatus> {
        tree.child(path).map(|child| child.status)
    }
    fn count_children(&mut self, tree: &IsolateTree, path: &str) -> Result<Counts, CallError> {
        self.settle();
        tree.count_children(path)
    }
    fn start_child(&mut self, tree: &IsolateTree, path: &str, child: Child) -> Result<(), CallError> {
        let result = tree.start_child(path, child);
        self.settle();
        result
    }
    fn terminate_child(&mut self, tree: &IsolateTree, path: &str) -> Result<(), CallError> {
        let result = tree.terminate_child(path);
        let is_down =
            |_: &mut Isolate| tree.child(path).is_none_or(|child| child.status == ChildStatus::Down);
        let result = self.called(result, is_down);
        self.settle();
        result
    }
    fn restart_child(&mut self, tree: &IsolateTree, path: &str) -> Result<(), CallError> {
        let result = tree.restart_child(path);
        self.settle();
        result
    }
    fn delete_child(&mut self, tree: &IsolateTree, path: &str) -> Result<(), CallError> {
        tree.delete_child(path)
    }
    fn shut_tree(&mut self, tree: &IsolateTree) -> Vec<String> {
        tree.stop();
        self.wait(|_| tree.ended());
        tree.missed().iter().map(ToString::to_string).collect()
    }
    fn tree_ended(&mut self, tree: &IsolateTree) -> ExitReason {
        self.wait(|_| tree.ended())
    }

    fn topics(&self) -> Vec<TopicStats> {
        self.0.topics()
    }
    fn letters(&mut self) -> Letters {
        self.settle();
        let stats = self.0.stats();
        Letters { dead: stats.dead_letters, retried: stats.retried }
    }
    fn shutdown(&mut self) {
        self.0.shutdown().unwrap();
    }
}

/// A service that says when it has returned.
struct Told<S>(S, Arc<Mutex<bool>>);

impl<S: Service> Service for Told<S> {
    type Error = S::Error;
    fn name() -> &'static str {
        S::name()
    }
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), S::Error> {
        self.0.run(ctx).await?;
        *self.1.lock().unwrap() = true;
        Ok(())
    }
}
