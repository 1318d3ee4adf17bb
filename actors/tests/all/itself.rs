//! An actor that uses itself: through its context, a publisher that it keeps or a reference to itself, it is
//! the same actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::common::wire::{Mine, Price, Text, bytes, header};
use crate::common::{Flush, Heard, Tick, Tock, on_both_runtimes};
use mycelium::tree::Child;
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Exposed, Handler, MessageBus, PublishError, Publisher,
    Query, Responder, Service, ServiceContext, StopReason, Subscription, Subscriptions, Supervisor,
    TellError,
};

/// Does to itself what it is told to.
struct Selfish {
    ticks: Publisher<Tick>,
    me: Option<ActorRef<Self>>,
    heard: u64,
    bus: MessageBus,
}

impl Query for Price {
    type Reply = Text;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Publish,
    TryPublish,
    Tell,
    TellThroughContext,
    Ask,
    AskThroughContext,
    AskWithin,
    AskInBytes,
    /// Publishes one tick through what it keeps.
    PublishOne,
    /// From a task of its own.
    TellFromTask,
    AskFromTask,
    /// From another executor, on its thread.
    AskInside,
}

fn selfish(bus: &MessageBus) -> ActorRef<Selfish> {
    let bus_of_it = bus.clone();
    bus.spawn(Selfish { ticks: bus.publisher().unwrap(), me: None, heard: 0, bus: bus_of_it }).unwrap()
}

impl Actor for Selfish {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(4).echo());
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.me = Some(ctx.actor_ref());
        assert!(matches!(ctx.actor_ref().ask(Flush).await, Err(AskError::Itself(_))));
        Ok(())
    }
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        assert!(matches!(ctx.actor_ref().ask(Flush).await, Err(AskError::Itself(_))));
    }
}
impl Handler<Tick> for Selfish {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard += 1;
        Ok(())
    }
}
impl Responder<Flush> for Selfish {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
        self.heard
    }
}
impl Responder<Price> for Selfish {
    type Reply = Text;
    async fn answer(&mut self, _: &Price, _: &mut Context<Self>) -> Text {
        Text { words: "answered".into() }
    }
}
impl Responder<To> for Selfish {
    type Reply = String;
    async fn answer(&mut self, to: &To, ctx: &mut Context<Self>) -> String {
        let me = self.me.clone().unwrap();
        let asked = me.clone();
        let ask = async {
            tokio::select! {
                answer = asked.ask(Flush) => answer,
                () = std::future::pending() => Ok(0),
            }
        };
        loop {
            let failed = match to {
                To::Publish => self.ticks.publish(Tick(1)).await.map_err(|error| format!("{error:?}")),
                To::TryPublish => self.ticks.try_publish(Tick(1)).map_err(|error| format!("{error:?}")),
                To::PublishOne => return format!("{:?}", self.ticks.publish(Tick(1)).await),
                To::Tell => me.tell(Tick(1)).await.map_err(|error| format!("{error:?}")),
                To::TellThroughContext => ctx.tell(&me, Tick(1)).await.map_err(|error| format!("{error:?}")),
                To::Ask => return itself(&ask.await.unwrap_err()),
                To::AskThroughContext => return itself(&ctx.ask(&me, Flush).await.unwrap_err()),
                To::AskWithin => return itself(&me.ask_within(Flush, Duration::MAX).await.unwrap_err()),
                To::AskInBytes => {
                    let (header, price) = (header::<Price>(), bytes(&Price { at: 1 }));
                    let asked = self.bus.ask_wire("desk/selfish", &header, &price, None);
                    return itself(&asked.await.unwrap_err());
                }
                To::TellFromTask => {
                    tokio::spawn(async move {
                        for _ in 0..100 {
                            me.tell(Tick(1)).await.unwrap();
                        }
                    });
                    return "spawned".into();
                }
                To::AskFromTask => {
                    tokio::spawn(async move { assert!(me.ask(Flush).await.is_ok()) });
                    return "spawned".into();
                }
                To::AskInside => {
                    let handle = tokio::runtime::Handle::current();
                    let asked = tokio::task::block_in_place(|| handle.block_on(ask));
                    return itself(&asked.map(drop).unwrap_err());
                }
            };
            if let Err(failed) = failed {
                return failed;
            }
        }
    }
}

fn itself(error: &AskError) -> String {
    assert!(
        !error.may_have_been_handled() && error.to_string().contains("call the method instead"),
        "{error}"
    );
    if matches!(error, AskError::Itself(_)) { "itself".into() } else { format!("{error:?}") }
}

#[test]
fn an_actor_never_waits_for_itself_whatever_it_goes_through() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().node("desk").contract(Mine).inbox_capacity(4).build();
        for (to, outcome) in [
            (To::Publish, "PublishError::SelfBlocked"),
            (To::TryPublish, "PublishError::Full"),
            (To::Tell, "TellError::Itself"),
            (To::TellThroughContext, "TellError::Itself"),
            (To::Ask, "itself"),
            (To::AskThroughContext, "itself"),
            (To::AskWithin, "itself"),
            (To::AskInBytes, "itself"),
        ] {
            let selfish = selfish(&bus);
            bus.expose("selfish", Exposed::new().answers::<Price>(selfish.clone())).unwrap();
            assert_eq!(selfish.ask(to).await.unwrap(), outcome, "{to:?}");
            selfish.stop();
            selfish.ended().await;
        }
    });
}

#[test]
fn what_an_actor_spawns_is_somebody_else() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(4).build();
        let selfish = selfish(&bus);
        selfish.ask(To::AskFromTask).await.unwrap();
        selfish.ask(To::TellFromTask).await.unwrap();
        while selfish.ask(Flush).await.unwrap() < 100 {
            tokio::task::yield_now().await;
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_inside_a_handler_is_still_the_actor() {
    let bus = MessageBus::new();
    assert_eq!(selfish(&bus).ask(To::AskInside).await.unwrap(), "itself");
}

/// Hears what it publishes through what it keeps only if it asked to.
#[test]
fn what_an_actor_publishes_through_a_publisher_is_its_own() {
    struct Quiet(Publisher<Tick>, u64);
    impl Actor for Quiet {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Tick>();
        }
    }
    impl Handler<Tick> for Quiet {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.1 += 1;
            self.0.publish(Tick(0)).await?;
            Ok(self.0.try_publish(Tick(0))?)
        }
    }
    impl Responder<Flush> for Quiet {
        type Reply = u64;
        async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
            self.1
        }
    }
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let ticks = bus.publisher::<Tick>().unwrap();
        let mut all = bus.subscriber::<Tick>().unwrap();
        let quiet = bus.spawn(Quiet(ticks.clone(), 0)).unwrap();
        for _ in 0..10 {
            ticks.publish(Tick(7)).await.unwrap();
        }
        assert_eq!(quiet.ask(Flush).await.unwrap(), 10);
        for _ in 0..30 {
            all.recv().await.unwrap();
        }
        assert!(all.try_recv().is_none());
        let echoing = selfish(&bus);
        assert_eq!(echoing.ask(To::PublishOne).await.unwrap(), "Ok(())");
        while echoing.ask(Flush).await.unwrap() < 1 {
            tokio::task::yield_now().await;
        }
    });
}

/// Makes a tock of each tick, through a publisher that it keeps.
struct Forwarder {
    tocks: Publisher<Tock>,
    also_tries: bool,
}
impl Actor for Forwarder {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Forwarder {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        match self.also_tries {
            true => Ok(self.tocks.try_publish(Tock(tick.0))?),
            false => Ok(self.tocks.publish(Tock(tick.0)).await?),
        }
    }
}

/// Counts tocks.
struct Counter(Arc<AtomicU64>);
impl Actor for Counter {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
}
impl Handler<Tock> for Counter {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.fetch_add(tock.0, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_drain_refuses_nothing_that_an_actor_publishes_through_a_publisher() {
    on_both_runtimes(|| async {
        for also_tries in [false, true] {
            let (bus, count) = (MessageBus::new(), Arc::new(AtomicU64::new(0)));
            let (tocks, counted) = (bus.publisher::<Tock>().unwrap(), Arc::clone(&count));
            let tree = Supervisor::builder("root")
                .child(Child::actor("counter", move || Counter(Arc::clone(&counted))))
                .child(Child::actor("forwarder", move || Forwarder { tocks: tocks.clone(), also_tries }))
                .start(&bus)
                .await
                .unwrap();
            let ticks = bus.publisher::<Tick>().unwrap();
            for _ in 0..100 {
                ticks.publish(Tick(1)).await.unwrap();
            }
            tree.drain(Duration::from_secs(50)).await.unwrap();
            assert_eq!(bus.dead_letters().in_hand, 0);
            assert_eq!(count.load(Ordering::SeqCst), 100);
        }
    });
}

#[test]
fn the_next_life_of_an_actor_is_the_same_actor() {
    on_both_runtimes(|| async {
        struct Phoenix(Heard);
        impl Actor for Phoenix {
            type Error = BoxError;
            async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
                self.0.add(itself(&ctx.actor_ref().ask(Flush).await.unwrap_err()));
                Ok(())
            }
        }
        impl Handler<Tick> for Phoenix {
            async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
                panic!("told to");
            }
        }
        impl Responder<Flush> for Phoenix {
            type Reply = ();
            async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
        }
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let log = heard.clone();
        let child = Child::actor("phoenix", move || Phoenix(log.clone()));
        let child = child.backoff(crate::common::backoff(1));
        let tree = Supervisor::builder("root").child(child).start(&bus).await.unwrap();
        let phoenix = tree.lookup::<Phoenix>("root/phoenix").unwrap();
        phoenix.tell(Tick(1)).await.unwrap();
        assert_eq!(phoenix.ask(Flush).await, Ok(()), "the test is somebody else");
        assert_eq!(heard.words(), ["itself", "itself"]);
    });
}

/// Asks another actor when it is told to.
struct Asking(ActorRef<Selfish>);
impl Actor for Asking {
    type Error = BoxError;
}
impl Responder<Flush> for Asking {
    type Reply = Result<u64, AskError>;
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) -> Self::Reply {
        ctx.ask(&self.0, Flush).await?;
        self.0.ask(Flush).await
    }
}

#[test]
fn an_actor_of_another_bus_with_the_same_number_is_another_actor() {
    on_both_runtimes(|| async {
        let (here, there) = (MessageBus::new(), MessageBus::new());
        let other = selfish(&there);
        let asking = here.spawn(Asking(other.clone())).unwrap();
        assert_eq!(asking.id(), other.id());
        assert_eq!(asking.ask(Flush).await.unwrap(), Ok(0));
    });
}

#[test]
fn a_service_that_fills_its_own_subscription_through_a_publisher_gets_an_error() {
    struct Greedy(Publisher<Tick>, Heard);
    impl Service for Greedy {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let mut own = ctx.subscribe::<Tick>(Subscription::block().capacity(4).echo())?;
            let failed = loop {
                if let Err(failed) = self.0.publish(Tick(1)).await {
                    break failed;
                }
            };
            self.1.add(format!("{failed:?}"));
            let taken = std::iter::from_fn(|| own.try_recv().map(drop)).count();
            self.1.add(format!("{taken} taken"));
            Ok(())
        }
    }
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::builder().topic_capacity(4).build(), Heard::default());
        let greedy = bus.spawn_service(Greedy(bus.publisher().unwrap(), heard.clone())).unwrap();
        assert_eq!(greedy.ended().await, StopReason::Normal);
        assert_eq!(heard.words(), ["PublishError::SelfBlocked", "4 taken"]);
    });
}

#[test]
fn errors_of_an_actor_that_would_wait_for_itself_say_what_to_do() {
    let own = TellError::Itself(Tick(1), None).to_string();
    assert!(own.contains("wait for itself") && own.contains("inbox_capacity"), "{own}");
    assert!(PublishError::SelfBlocked(Tick(1)).to_string().contains("raise its capacity"));
}
