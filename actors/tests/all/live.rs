//! Live buses from the outside: publish, tell, ask, the ends of actors, names, subscribers, services.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Flush, Heard, Log, Note, Tick, Tock, on_both_runtimes};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Handler, Message, MessageBus, PublishError, Responder,
    Service, ServiceContext, SpawnError, StopReason, Subscription, Subscriptions, TellError,
};
use tokio::sync::Notify;

/// Lets the subscription that `started` makes come into force.
async fn spawn_log(bus: &MessageBus) -> ActorRef<Log> {
    let log = bus.spawn(Log::default()).unwrap();
    log.ask(Flush).await.unwrap();
    log
}

#[test]
fn what_is_published_told_and_asked_arrives_in_that_order() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let log = spawn_log(&bus).await;
        let ticks = bus.publisher::<Tick>().unwrap();
        let tocks = bus.publisher::<Tock>().unwrap();
        let mut expected = Vec::new();
        for n in 0..1_000 {
            ticks.publish(Tick(n)).await.unwrap();
            tocks.publish(Tock(n)).await.unwrap();
            log.tell(Note(format!("note {n}"))).await.unwrap();
            expected.extend([format!("tick {n}"), format!("tock {n}"), format!("note {n}")]);
        }
        assert_eq!(log.ask(Flush).await.unwrap(), expected);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_publish_right_after_spawn_is_received() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let log = bus.spawn(Log::default()).unwrap();
        bus.publisher::<Tock>().unwrap().publish(Tock(7)).await.unwrap();
        assert_eq!(log.ask(Flush).await.unwrap(), ["tock 7"]);
    });
}

#[test]
fn publishing_to_nobody_is_ok() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        bus.publisher::<Tick>().unwrap().publish(Tick(0)).await.unwrap();
        bus.publisher::<Tick>().unwrap().try_publish(Tick(0)).unwrap();
    });
}

#[test]
fn a_stopped_actor_finishes_the_message_in_hand_and_takes_its_leave() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let heard = Heard::default();
        let log = bus.spawn(Log { heard: heard.clone(), ..Log::default() }).unwrap();
        log.ask(Flush).await.unwrap();
        assert!(log.is_alive());
        log.stop();
        assert_eq!(log.ended().await, StopReason::Normal);
        assert!(!log.is_alive());
        assert_eq!(heard.words(), ["stopping: ended normally"]);
        assert_eq!(log.try_tell(Note("late".into())), Err(TellError::Stopped(Note("late".into()))));
        assert_eq!(log.ask(Flush).await, Err(AskError::Stopped));
        assert_eq!(bus.alive(), 0);
    });
}

#[test]
fn an_error_ends_its_actor_alone_and_its_message_is_a_dead_letter() {
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

#[test]
fn a_panic_ends_its_actor_alone_and_what_waits_is_counted() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let neighbour = spawn_log(&bus).await;
        let heard = Heard::default();
        let doomed = bus.spawn(Log { heard: heard.clone(), ..Log::default() }).unwrap();
        // Nothing is handled before this task awaits something on the one-threaded runtime, so all of it waits.
        doomed.try_tell(Note("panic".into())).unwrap();
        let _ = doomed.try_tell(Note("never".into()));
        let StopReason::Panicked(text) = doomed.ended().await else { panic!("it should have panicked") };
        assert_eq!(&*text, "told to");
        assert!(heard.words().is_empty(), "`stopping` does not run after a panic");
        assert!(neighbour.is_alive());
        assert_eq!(bus.dead_letters().in_hand, 1);
    });
}

/// Waits in its handler until it is killed.
#[derive(Default)]
struct Stuck {
    witness: Arc<()>,
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
impl Responder<Tick> for Stuck {
    type Reply = ();
    async fn answer(&mut self, _: &Tick, _: &mut Context<Self>) {
        self.entered.notify_one();
        std::future::pending::<()>().await;
    }
}

#[test]
fn a_kill_drops_the_handler_where_it_waits() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let stuck = Stuck::default();
        let (witness, entered) = (Arc::clone(&stuck.witness), Arc::clone(&stuck.entered));
        let stuck = bus.spawn(stuck).unwrap();
        stuck.tell(Tick(0)).await.unwrap();
        entered.notified().await;
        stuck.kill();
        assert_eq!(stuck.ended().await, StopReason::Killed);
        assert_eq!(Arc::strong_count(&witness), 1);
    });
}

#[test]
fn an_ask_ends_with_its_deadline_or_its_actor() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let stuck = bus.spawn(Stuck::default()).unwrap();
        assert_eq!(stuck.ask_within(Tick(0), Duration::from_millis(5)).await, Err(AskError::Timeout));
        let asking = tokio::spawn({
            let stuck = stuck.clone();
            async move { stuck.ask(Tick(0)).await }
        });
        tokio::task::yield_now().await;
        stuck.kill();
        assert_eq!(asking.await.unwrap(), Err(AskError::Stopped));
    });
}

#[test]
fn a_shutdown_names_what_missed_it_and_does_not_hang() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let log = spawn_log(&bus).await;
        let stuck = Stuck::default();
        let entered = Arc::clone(&stuck.entered);
        let stuck = bus.spawn(stuck).unwrap();
        stuck.tell(Tick(0)).await.unwrap();
        entered.notified().await;
        let mut late = bus.subscriber::<Tick>().unwrap();
        let error = bus.shutdown_within(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(error.missed.len(), 1);
        assert_eq!((error.missed[0].id, error.missed[0].killed), (stuck.id(), true));
        assert_eq!(log.ended().await, StopReason::Shutdown);
        assert_eq!(late.recv().await, None);
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
fn a_second_type_with_the_same_id_is_refused() {
    #[derive(Clone, Debug)]
    struct Impostor;
    impl Message for Impostor {
        const NAME: &'static str = "Impostor";
        const TYPE_ID: u16 = Tick::TYPE_ID;
        const TOPIC: &'static str = "impostors";
    }
    let bus = MessageBus::new();
    bus.publisher::<Tick>().unwrap();
    let error = bus.publisher::<Impostor>().unwrap_err();
    assert_eq!(error, SpawnError::DuplicateTypeId { type_id: 1, held_by: "Tick", refused: "Impostor" });
    assert!(bus.subscriber::<Impostor>().is_err());
}

#[test]
fn outside_a_runtime_spawn_says_so() {
    assert_eq!(MessageBus::new().spawn(Log::default()).unwrap_err(), SpawnError::NoRuntime);
}

/// Publishes what it hears, one higher.
struct Echo {
    subscription: Subscription<Tick>,
}
impl Actor for Echo {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(ctx.subscribe(self.subscription)?)
    }
}
impl Handler<Tick> for Echo {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 < 10 {
            ctx.publish(Tick(tick.0 + 1)).await?;
        } else {
            ctx.publish(Tock(tick.0)).await?;
        }
        Ok(())
    }
}
impl Responder<Flush> for Echo {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

#[test]
fn an_actor_hears_itself_only_if_it_asks_to() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let mut ticks = bus.subscriber::<Tick>().unwrap();
        let mut tocks = bus.subscriber::<Tock>().unwrap();
        let publisher = bus.publisher::<Tick>().unwrap();
        let silent = bus.spawn(Echo { subscription: Subscription::block() }).unwrap();
        silent.ask(Flush).await.unwrap();
        publisher.publish(Tick(0)).await.unwrap();
        silent.ask(Flush).await.unwrap();
        assert_eq!(
            [ticks.try_recv(), ticks.try_recv(), ticks.try_recv()],
            [Some(Tick(0)), Some(Tick(1)), None]
        );
        silent.stop();
        silent.ended().await;
        let echo = bus.spawn(Echo { subscription: Subscription::block().echo() }).unwrap();
        echo.ask(Flush).await.unwrap();
        publisher.publish(Tick(0)).await.unwrap();
        assert_eq!(tocks.recv().await, Some(Tock(10)));
    });
}

#[test]
fn an_actor_that_fills_its_own_subscription_gets_an_error_instead_of_waiting_for_itself() {
    struct Greedy;
    impl Actor for Greedy {
        type Error = BoxError;
        fn subscriptions(topics: &mut Subscriptions<Self>) {
            topics.on_with(Subscription::<Tick>::block().capacity(2).echo());
        }
    }
    impl Handler<Tick> for Greedy {
        async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            for n in 0..3 {
                ctx.publish(Tick(n)).await?;
            }
            Ok(())
        }
    }
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let greedy = bus.spawn(Greedy).unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(0)).await.unwrap();
        let StopReason::Failed(text) = greedy.ended().await else { panic!("it should have failed") };
        assert_eq!(*text, PublishError::SelfBlocked(Tick(0)).to_string());
    });
}

#[test]
fn an_actor_that_has_read_everything_is_not_held_back_by_what_it_published() {
    struct Chatty;
    struct Talk(u64);
    impl Actor for Chatty {
        type Error = BoxError;
        fn subscriptions(topics: &mut Subscriptions<Self>) {
            topics.on_with(Subscription::<Tick>::block().capacity(2));
        }
    }
    impl Handler<Tick> for Chatty {
        async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            Err(format!("heard {tick:?}").into())
        }
    }
    impl Handler<Talk> for Chatty {
        async fn handle(&mut self, talk: &Talk, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            for n in 0..talk.0 {
                ctx.publish(Tick(n)).await?;
            }
            Ok(())
        }
    }
    impl Responder<Flush> for Chatty {
        type Reply = ();
        async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
    }
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().topic_capacity(2).build();
        let chatty = bus.spawn(Chatty).unwrap();
        for _ in 0..5 {
            chatty.tell(Talk(100)).await.unwrap();
        }
        chatty.ask(Flush).await.unwrap();
        let tick = bus.publisher::<Tick>().unwrap();
        tick.publish(Tick(500)).await.unwrap();
        let StopReason::Failed(text) = chatty.ended().await else { panic!("it should have failed") };
        assert_eq!(*text, *"heard Tick(500)");
    });
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
        assert_eq!(tocks.recv().await, Some(Tock(5050)));
    });
}

/// Hears tocks from one tick to the next.
#[derive(Default)]
struct Moody {
    heard: Vec<u64>,
}
impl Actor for Moody {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Moody {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0.is_multiple_of(2) {
            ctx.subscribe(Subscription::<Tock>::block())?;
        } else {
            ctx.unsubscribe::<Tock>();
        }
        Ok(())
    }
}
impl Handler<Tock> for Moody {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.push(tock.0);
        Ok(())
    }
}
impl Responder<Flush> for Moody {
    type Reply = Vec<u64>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<u64> {
        self.heard.clone()
    }
}

#[test]
fn a_handler_may_subscribe_and_unsubscribe() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let moody = bus.spawn(Moody::default()).unwrap();
        let (ticks, tocks) = (bus.publisher::<Tick>().unwrap(), bus.publisher::<Tock>().unwrap());
        for n in 0..6 {
            ticks.publish(Tick(n)).await.unwrap();
            moody.ask(Flush).await.unwrap();
            tocks.publish(Tock(n)).await.unwrap();
        }
        assert_eq!(moody.ask(Flush).await.unwrap(), [0, 2, 4]);
        let stats = bus.topics().into_iter().find(|stats| stats.message == "Tock").unwrap();
        assert_eq!(stats.published, 3, "nobody is subscribed after an unsubscribe");
    });
}
