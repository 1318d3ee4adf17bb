//! What only live buses have: dead letters by name, names, subscribers outside of actors, shutdowns with a
//! limit.

use std::sync::Arc;

use crate::common::{Flush, Log, Note, Tick, Tock, on_both_runtimes, with_ever_longer_limits};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, MessageBus, PublishError, Service, ServiceContext,
    SpawnError, StopReason, Subscription,
};
use tokio::sync::Notify;

/// Lets the subscription that `started` makes come into force.
async fn spawn_log(bus: &MessageBus) -> ActorRef<Log> {
    let log = bus.spawn(Log::default()).unwrap();
    log.ask(Flush).await.unwrap();
    log
}

#[test]
fn a_dead_letter_says_what_it_was_and_why() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (failing, neighbour) = (spawn_log(&bus).await, spawn_log(&bus).await);
        failing.tell(Note("fail".into())).await.unwrap();
        assert_eq!(failing.ended().await, StopReason::Failed("told to fail".into()));
        bus.publisher::<Tock>().unwrap().publish(Tock(1)).await.unwrap();
        assert_eq!(neighbour.ask(Flush).await.unwrap(), ["tock 1"]);
        let dead = bus.dead_letters();
        assert_eq!(dead.in_hand, 1);
        assert_eq!(
            dead.recent[0].to_string(),
            format!("1 Note was being handled when {failing:?} failed: told to fail")
        );
    });
}

/// Waits in its handler until it is killed.
#[derive(Default)]
struct Stuck {
    entered: Arc<Notify>,
}
impl Actor for Stuck {
    type Error = BoxError;
}
impl Handler<Tick> for Stuck {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.entered.notify_one();
        std::future::pending().await
    }
}

#[test]
fn a_shutdown_names_what_missed_it_and_does_not_hang() {
    with_ever_longer_limits(async |limit| {
        let bus = MessageBus::new();
        let log = spawn_log(&bus).await;
        let stuck = Stuck::default();
        let entered = Arc::clone(&stuck.entered);
        let stuck = bus.spawn(stuck).unwrap();
        stuck.tell(Tick(0)).await.unwrap();
        entered.notified().await;
        let mut late = bus.subscriber::<Tick>().unwrap();
        let error = bus.shutdown_within(limit).await.unwrap_err();
        assert_eq!(error.missed.len(), 1);
        assert_eq!((error.missed[0].actor.id, error.missed[0].killed), (stuck.id(), true));
        assert_eq!(log.ended().await, StopReason::Shutdown);
        assert!(late.recv().await.is_none());
        assert_eq!(bus.publisher::<Tick>().unwrap().try_publish(Tick(0)), Err(PublishError::Closed(Tick(0))));
        assert_eq!(bus.spawn(Log::default()).unwrap_err(), SpawnError::Closed);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn names_are_taken_typed_and_freed() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let log = bus.spawn_named("log", Log::default()).unwrap();
        assert_eq!(bus.spawn_named("log", Log::default()).unwrap_err(), SpawnError::NameTaken("log".into()));
        assert_eq!(bus.lookup::<Log>("log").unwrap().id(), log.id());
        assert!(bus.lookup::<Stuck>("log").is_none());
        log.stop();
        log.ended().await;
        assert!(bus.lookup::<Log>("log").is_none());
        bus.spawn_named("log", Log::default()).unwrap();
    });
}

#[test]
fn outside_a_runtime_spawn_says_so() {
    assert_eq!(MessageBus::new().spawn(Log::default()).unwrap_err(), SpawnError::NoRuntime);
}

/// Reads ticks and publishes their sum until it is stopped.
struct Sum;
impl Service for Sum {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::block().capacity(4))?;
        ctx.publish(Note("ready".into())).await?;
        let mut sum = 0;
        loop {
            tokio::select! {
                tick = ticks.recv() => sum += tick.map_or(0, |tick| tick.0),
                () = ctx.stopped() => break,
            }
        }
        ctx.publish(Tock(sum)).await?;
        Ok(())
    }
}

#[test]
fn a_service_runs_until_it_is_stopped() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let mut notes = bus.subscriber::<Note>().unwrap();
        let mut tocks = bus.subscriber::<Tock>().unwrap();
        let sum = bus.spawn_service(Sum).unwrap();
        notes.recv().await.unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        for n in 0..=100 {
            ticks.publish(Tick(n)).await.unwrap();
        }
        let tick = |stats: &mycelium::TopicStats| stats.message == "Tick";
        while bus.topics().into_iter().find(tick).unwrap().delivered < 101 {
            tokio::task::yield_now().await;
        }
        sum.stop();
        assert_eq!(sum.ended().await, StopReason::Normal);
        assert_eq!(tocks.recv().await.as_deref(), Some(&Tock(5050)));
    });
}
