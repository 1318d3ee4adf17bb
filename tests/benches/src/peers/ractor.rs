//! ractor 0.16, with its default features.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use ractor::factory::{self, FactoryMessage, Worker, WorkerId};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::ask::Asked;
use crate::carrier::Carrier;
use crate::crash::{Lap, Stage};
use crate::crowd::Crowd;
use crate::load::{Counter, Load, Small};
use crate::pool::{Pooled, Tally, WORKERS, Way};

/// What is cast: a newtype, for symmetry with the other peers.
#[derive(Debug)]
pub(crate) struct Told<M>(M);

/// An actor around a [`Counter`].
struct Receiver<M>(PhantomData<fn(M)>);

impl<M: Load> Actor for Receiver<M> {
    type Msg = Told<M>;
    type State = Counter;
    type Arguments = Counter;

    async fn pre_start(&self, _: ActorRef<Told<M>>, counter: Counter) -> Result<Counter, ActorProcessingErr> {
        Ok(counter)
    }

    async fn handle(
        &self,
        _: ActorRef<Told<M>>,
        Told(message): Told<M>,
        counter: &mut Counter,
    ) -> Result<(), ActorProcessingErr> {
        counter.see(&message);
        Ok(())
    }
}

/// `cast` through ractor's unbounded mailbox; fan-out is a loop, as in a process group.
#[derive(Debug)]
pub(crate) struct Cast<M: Load> {
    actors: Vec<ActorRef<Told<M>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl<M: Load> Carrier<M> for Cast<M> {
    type Sender = Vec<ActorRef<Told<M>>>;

    async fn start(counters: Vec<Counter>) -> Self {
        let (mut actors, mut tasks) = (Vec::new(), Vec::new());
        for counter in counters {
            let spawned = Actor::spawn(None, Receiver::<M>(PhantomData), counter).await;
            let (actor, task) = spawned.expect("the actor starts");
            actors.push(actor);
            tasks.push(task);
        }
        Self { actors, tasks }
    }

    fn sender(&self) -> Self::Sender {
        self.actors.clone()
    }

    async fn send(sender: &mut Self::Sender, message: M) {
        let Some((last, others)) = sender.split_last() else { return };
        for actor in others {
            assert!(actor.cast(Told(message.clone())).is_ok(), "the actor is alive");
        }
        assert!(last.cast(Told(message)).is_ok(), "the actor is alive");
    }

    async fn stop(self) {
        for (actor, task) in self.actors.into_iter().zip(self.tasks) {
            actor.stop(None);
            task.await.expect("the actor does not panic");
        }
    }
}

/// An actor that answers, or just is.
struct Echo;

/// A question with the place for its answer.
#[derive(Debug)]
pub(crate) struct Question(u64, RpcReplyPort<u64>);

impl Actor for Echo {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        Question(number, reply): Question,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        reply.send(number + 1).ok();
        Ok(())
    }
}

/// `call`.
#[derive(Debug)]
pub(crate) struct Call(ActorRef<Question>);

impl Asked for Call {
    async fn start() -> Self {
        Self(Actor::spawn(None, Echo, ()).await.expect("the actor starts").0)
    }

    async fn ask(&mut self, number: u64) -> u64 {
        let answer = self.0.call(|port| Question(number, port), None).await;
        answer.expect("the actor is alive").unwrap()
    }

    async fn stop(self) {
        self.0.stop(None);
    }
}

/// One idle actor.
#[derive(Debug)]
pub(crate) struct Idle(ActorRef<Question>, JoinHandle<()>);

impl Crowd for Idle {
    type Home = ();

    fn home() {}

    async fn spawn((): &()) -> Self {
        let (actor, task) = Actor::spawn(None, Echo, ()).await.expect("the actor starts");
        Self(actor, task)
    }

    // `spawn` has waited for it.
    async fn started((): &(), _: &[Self]) {}

    async fn stop(&self) {
        self.0.stop(None);
    }

    async fn stopped(self) {
        self.1.await.ok();
    }
}

/// What the crashing actor can be told.
#[derive(Debug)]
enum Order {
    Boom,
    Next(RpcReplyPort<Instant>),
}

type Announce = (Stage, mpsc::UnboundedSender<ActorRef<Order>>);

/// Half of the siblings start before the child that crashes, the others after it.
type Family = (Announce, usize);

/// An actor that crashes when told to, and announces itself each time it starts.
struct Crasher;

impl Actor for Crasher {
    type Msg = Order;
    type State = Stage;
    type Arguments = Announce;

    async fn pre_start(
        &self,
        myself: ActorRef<Order>,
        (stage, up): Announce,
    ) -> Result<Stage, ActorProcessingErr> {
        up.send(myself).ok();
        Ok(stage)
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        stage: &mut Stage,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Boom => stage.crash(),
            Order::Next(reply) => reply.send(Instant::now())?,
        }
        Ok(())
    }
}

/// A supervisor that spawns the child again when it fails, as ractor's documentation has it.
struct Boss;

/// Never sent: the supervisor listens to its child only.
#[derive(Debug)]
struct Silence;

impl Actor for Boss {
    type Msg = Silence;
    type State = Announce;
    type Arguments = Family;

    async fn pre_start(
        &self,
        myself: ActorRef<Silence>,
        (announce, siblings): Family,
    ) -> Result<Announce, ActorProcessingErr> {
        for _ in 0..siblings / 2 {
            Actor::spawn_linked(None, Echo, (), myself.get_cell()).await?;
        }
        Actor::spawn_linked(None, Crasher, announce.clone(), myself.get_cell()).await?;
        for _ in siblings / 2..siblings {
            Actor::spawn_linked(None, Echo, (), myself.get_cell()).await?;
        }
        Ok(announce)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Silence>,
        event: SupervisionEvent,
        announce: &mut Announce,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            Actor::spawn_linked(None, Crasher, announce.clone(), myself.get_cell()).await?;
        }
        Ok(())
    }
}

/// Crashes a supervised child, which has so many siblings, and times each crash until the child handles its
/// next message.
pub(crate) async fn crashes(times: usize, siblings: usize) -> Vec<f64> {
    let stage = Stage::default();
    let (up, mut started) = mpsc::unbounded_channel();
    let family = ((stage.clone(), up), siblings);
    let (boss, task) = Actor::spawn(None, Boss, family).await.expect("the supervisor starts");
    let mut child = started.recv().await.expect("the child starts");
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        child.cast(Order::Boom).ok();
        child = started.recv().await.expect("the child is restarted");
        let handled = child.call(Order::Next, None).await.expect("the child is alive").unwrap();
        samples.push(stage.since_crash(handled));
    }
    boss.stop_children_and_wait(None, None).await;
    boss.stop(None);
    task.await.ok();
    samples
}

/// Seconds in which so many linked children start, each after the one before, and in which they stop.
pub(crate) async fn start_and_stop(workers: usize) -> Vec<f64> {
    let (boss, task) = Actor::spawn(None, Echo, ()).await.expect("the supervisor starts");
    let lap = Lap::begin();
    for _ in 0..workers {
        Actor::spawn_linked(None, Echo, (), boss.get_cell()).await.expect("the child starts");
    }
    let (start, start_cpu) = lap.end();
    let lap = Lap::begin();
    boss.stop_children_and_wait(None, None).await;
    boss.stop(None);
    task.await.ok();
    let (stop, stop_cpu) = lap.end();
    vec![start, stop, start_cpu, stop_cpu]
}

/// A factory of workers, each of which has a queue of its own.
pub(crate) struct Workers {
    factory: ActorRef<FactoryMessage<u64, Job>>,
    task: JoinHandle<()>,
}

/// What is dispatched.
#[derive(Debug)]
pub(crate) struct Job(Small);

struct Hand;

impl Worker for Hand {
    type Key = u64;
    type Message = Job;
    type State = Arc<Tally>;
    type Arguments = Arc<Tally>;

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &ActorRef<FactoryMessage<u64, Job>>,
        tally: Arc<Tally>,
    ) -> Result<Arc<Tally>, ActorProcessingErr> {
        Ok(tally)
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &ActorRef<FactoryMessage<u64, Job>>,
        factory::Job { msg, key, .. }: factory::Job<u64, Job>,
        tally: &mut Arc<Tally>,
    ) -> Result<u64, ActorProcessingErr> {
        tally.see(&msg.0);
        Ok(key)
    }
}

type Queue = factory::queues::DefaultQueue<u64, Job>;

async fn factory_of<R>(router: R, tally: Arc<Tally>) -> Workers
where
    R: factory::routing::Router<u64, Job>,
{
    let builder = factory::worker::worker_builder(move |_| (Hand, Arc::clone(&tally)));
    let arguments = factory::FactoryArguments::builder()
        .worker_builder(Box::new(builder))
        .queue(Queue::default())
        .router(router)
        .num_initial_workers(WORKERS)
        .build();
    let definition = factory::Factory::<u64, Job, Arc<Tally>, Hand, R, Queue>::default();
    let (factory, task) = Actor::spawn(None, definition, arguments).await.expect("the factory starts");
    Workers { factory, task }
}

impl Pooled for Workers {
    async fn start(way: Way, tally: Arc<Tally>) -> Self {
        match way {
            Way::ByKey => factory_of(factory::routing::KeyPersistentRouting::default(), tally).await,
            Way::LeastBusy => factory_of(factory::routing::QueuerRouting::default(), tally).await,
            Way::RoundRobin => factory_of(factory::routing::RoundRobinRouting::default(), tally).await,
        }
    }

    async fn send(&mut self, message: Small) {
        let job = factory::Job::new(message.number(), Job(message));
        assert!(self.factory.cast(FactoryMessage::Dispatch(job)).is_ok(), "the factory is alive");
    }

    async fn stop(self) {
        self.factory.stop(None);
        self.task.await.expect("the factory does not panic");
    }
}
