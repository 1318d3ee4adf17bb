//! Who gets a published message, and what a publisher is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Handler, Message, PublishError, Responder, Service, ServiceContext, StopReason,
    Subscription, Subscriptions, Supervisor,
};

use crate::common::{Flush, Heard, Log, Tick, Tock};
use crate::host::Host;

conformance!(a_publish_right_after_spawn_is_received);
fn a_publish_right_after_spawn_is_received<H: Host>() {
    let mut host = H::new();
    let log = host.spawn(Log::default()).unwrap();
    host.publish(Tock(7)).unwrap();
    assert_eq!(host.ask(&log, Flush).unwrap(), ["tock 7"]);
}

conformance!(publishing_to_nobody_is_ok);
fn publishing_to_nobody_is_ok<H: Host>() {
    let mut host = H::new();
    host.publish(Tick(0)).unwrap();
    host.try_publish(Tick(0)).unwrap();
    host.settle();
    assert_eq!(host.letters().dead, 0);
}

/// Publishes what it hears, one higher, and in the end the last.
struct Echo(Subscription<Tick>, u64);
impl Actor for Echo {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(ctx.subscribe(self.0)?)
    }
}
impl Handler<Tick> for Echo {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.1 += 1;
        if tick.0 < 10 {
            ctx.publish(Tick(tick.0 + 1)).await?;
        } else {
            ctx.publish(Tock(tick.0)).await?;
        }
        Ok(())
    }
}
impl Responder<Flush> for Echo {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
        self.1
    }
}

conformance!(an_actor_hears_itself_only_if_it_asks_to);
fn an_actor_hears_itself_only_if_it_asks_to<H: Host>() {
    for (subscription, heard, said) in [
        (Subscription::block(), 1, vec!["tick 0", "tick 1"]),
        (Subscription::block().echo(), 11, vec!["tick 0", "tick 10", "tock 10"]),
        (Subscription::drop_oldest().echo(), 11, vec!["tick 0", "tick 10", "tock 10"]),
        (Subscription::drop_newest(), 1, vec!["tick 0", "tick 1"]),
    ] {
        let mut host = H::new();
        let log = host.spawn(Log::default()).unwrap();
        host.ask(&log, Flush).unwrap();
        let echo = host.spawn(Echo(subscription, 0)).unwrap();
        host.ask(&echo, Flush).unwrap();
        host.publish(Tick(0)).unwrap();
        host.settle();
        assert_eq!(host.ask(&echo, Flush).unwrap(), heard, "{subscription:?}");
        let words = host.ask(&log, Flush).unwrap();
        assert!(said.iter().all(|word| words.contains(&(*word).to_owned())), "{words:?}");
        assert_eq!(words.len(), if heard == 1 { 2 } else { 12 });
    }
}

conformance!(an_actor_that_fills_its_own_subscription_gets_an_error_instead_of_waiting_for_itself);
fn an_actor_that_fills_its_own_subscription_gets_an_error_instead_of_waiting_for_itself<H: Host>() {
    #[derive(Default)]
    struct Greedy(Vec<Result<(), PublishError<Tick>>>);
    impl Actor for Greedy {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on_with(Subscription::<Tick>::block().capacity(2).echo());
        }
    }
    impl Handler<Tick> for Greedy {
        async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            if self.0.is_empty() {
                for n in 1..=3 {
                    self.0.push(ctx.publish(Tick(n)).await);
                    // By then what it published is in its queue on any host.
                    ctx.sleep(Duration::from_millis(1)).await;
                }
            }
            Ok(())
        }
    }
    impl Responder<Flush> for Greedy {
        type Reply = Vec<Result<(), PublishError<Tick>>>;
        async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Self::Reply {
            self.0.clone()
        }
    }
    let mut host = H::new();
    let greedy = host.spawn(Greedy::default()).unwrap();
    host.publish(Tick(0)).unwrap();
    let results = host.ask(&greedy, Flush).unwrap();
    assert_eq!(results.last(), Some(&Err(PublishError::SelfBlocked(Tick(3)))), "{results:?}");
    assert_eq!(results[0], Ok(()));
}

conformance!(an_actor_that_has_read_everything_is_not_held_back_by_what_it_published);
fn an_actor_that_has_read_everything_is_not_held_back_by_what_it_published<H: Host>() {
    #[derive(Default)]
    struct Chatty(Vec<u64>);
    struct Talk(u64);
    impl Actor for Chatty {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on_with(Subscription::<Tick>::block().capacity(2));
        }
    }
    impl Handler<Tick> for Chatty {
        async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.push(tick.0);
            Ok(())
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
        type Reply = Vec<u64>;
        async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<u64> {
            self.0.clone()
        }
    }
    let mut host = H::with(crate::host::Limits { topic_capacity: Some(2), ..Default::default() });
    let chatty = host.spawn(Chatty::default()).unwrap();
    for _ in 0..5 {
        host.tell(&chatty, Talk(100)).unwrap();
    }
    host.ask(&chatty, Flush).unwrap();
    host.publish(Tick(500)).unwrap();
    assert_eq!(host.ask(&chatty, Flush).unwrap(), [500]);
}

conformance!(a_second_type_with_the_same_id_is_refused);
fn a_second_type_with_the_same_id_is_refused<H: Host>() {
    #[derive(Clone, Debug)]
    struct Impostor;
    impl Message for Impostor {
        const NAME: &'static str = "Impostor";
        const TYPE_ID: u16 = Tick::TYPE_ID;
        const TOPIC: &'static str = "impostors";
    }
    struct Fooled;
    impl Actor for Fooled {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Impostor>();
        }
    }
    impl Handler<Impostor> for Fooled {
        async fn handle(&mut self, _: &Impostor, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let mut host = H::new();
    let log = host.spawn(Log::default()).unwrap();
    host.ask(&log, Flush).unwrap();
    let held_by = "Tick";
    let expected = mycelium::SpawnError::DuplicateTypeId { type_id: 1, held_by, refused: "Impostor" };
    assert_eq!(host.spawn(Fooled).unwrap_err(), expected);
}

/// Hears tocks from one tick to the next.
#[derive(Default)]
struct Moody {
    heard: Vec<u64>,
}
impl Actor for Moody {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
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

conformance!(a_handler_may_subscribe_and_unsubscribe);
fn a_handler_may_subscribe_and_unsubscribe<H: Host>() {
    let mut host = H::new();
    let moody = host.spawn(Moody::default()).unwrap();
    for n in 0..10 {
        host.publish(Tick(n)).unwrap();
        host.ask(&moody, Flush).unwrap();
        host.publish(Tock(n)).unwrap();
    }
    assert_eq!(host.ask(&moody, Flush).unwrap(), [0, 2, 4, 6, 8]);
}

/// Publishes as fast as it may.
struct Flood(u64);
impl Service for Flood {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for n in 0..self.0 {
            ctx.publish(Tick(n)).await?;
        }
        Ok(())
    }
}

/// Reads a topic in a loop of its own, until it has this many.
struct Reader(u64, Heard, Arc<Mutex<Vec<u64>>>);
impl Service for Reader {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::block().capacity(2))?;
        self.1.add("subscribed");
        for _ in 0..self.0 {
            let tick = ticks.recv().await.ok_or("the topic has ended")?;
            self.2.lock().unwrap().push(tick.0);
        }
        Ok(())
    }
}

conformance!(a_service_reads_all_that_another_publishes);
fn a_service_reads_all_that_another_publishes<H: Host>() {
    const ALL: u64 = 10_000;
    let mut host = H::new();
    let (heard, ticks) = (Heard::default(), Arc::<Mutex<Vec<u64>>>::default());
    let reader = host.spawn_service(Reader(ALL, heard.clone(), Arc::clone(&ticks))).unwrap();
    host.until(|| !heard.words().is_empty());
    let flood = host.spawn_service(Flood(ALL)).unwrap();
    host.service_ended(&flood);
    host.service_ended(&reader);
    assert!(ticks.lock().unwrap().iter().copied().eq(0..ALL));
}

/// Contradicts itself.
struct Confused;
impl Actor for Confused {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
        topics.on_with(Subscription::<Tick>::drop_newest().capacity(3));
    }
}
impl Handler<Tick> for Confused {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

conformance!(an_actor_whose_subscriptions_contradict_each_other_is_not_spawned);
fn an_actor_whose_subscriptions_contradict_each_other_is_not_spawned<H: Host>() {
    let mut host = H::new();
    let error = host.spawn(Confused).map(drop).unwrap_err().to_string();
    assert!(error.contains("Tick") && error.contains("unsubscribe"), "{error}");
    // Nothing of it is left.
    host.publish(Tick(1)).unwrap();
    host.settle();
    assert_eq!(host.letters().dead, 0);
    let error = host.supervise(Supervisor::builder("root").actor("confused", || Confused)).err().unwrap();
    assert!(error.to_string().contains("unsubscribe"), "{error}");
}

conformance!(an_error_of_a_publish_or_a_tell_gives_the_message_back);
fn an_error_of_a_publish_or_a_tell_gives_the_message_back<H: Host>() {
    let mut host = H::new();
    let log = host.spawn(Log::default()).unwrap();
    log.stop();
    assert_eq!(host.ended(&log), StopReason::Normal);
    let note = || crate::common::Note("late".into());
    assert_eq!(host.try_tell(&log, note()).unwrap_err().into_message(), note());
    assert_eq!(host.tell(&log, note()).unwrap_err().into_message(), note());
}
