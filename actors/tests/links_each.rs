//! What is promised across links, once for each transport: a new one is a row of `over_each!`.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;
#[path = "links_each/promises.rs"]
mod promises;
#[path = "links_each/waiting.rs"]
mod waiting;

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::Child;
use mycelium::{
    Actor, BoxError, Context, Down, Exposed, Handler, LinkAddress, LinkOptions, MessageBus, Query, Recipient,
    RemoteError, Responder, Retention, Subscription, Subscriptions, Supervisor, TellError,
};

use common::{Heard, on_every_runtime};
use kit::{Fill, Order, Text, Tick, builder, bus, find, link, socket, until, until_wanted};
use promises::{
    a_bus_that_pauses_is_sent_nothing_until_it_goes_on,
    a_drain_handles_all_that_has_come_and_is_sent_nothing_more,
    an_ask_ends_with_its_answer_its_limit_or_its_actor,
    each_policy_of_a_subscriber_keeps_of_what_comes_what_it_says,
    many_publishers_on_many_topics_are_each_received_in_order,
    questions_that_wait_for_an_actor_that_fails_were_put_to_nobody,
};
use waiting::{
    a_full_subscriber_under_block_keeps_its_topic_waiting_and_no_other,
    long_and_short_messages_travel_also_as_bytes, two_buses_that_flood_each_other_on_one_topic_go_on,
    what_waits_for_room_has_a_bound_in_bytes_and_nothing_of_it_is_lost,
};

/// How two buses are linked.
trait Transport: 'static {
    /// Has `there` listen and `here` dial; what is returned is kept as long as they are linked.
    async fn link(there: &MessageBus, here: &MessageBus, options: LinkOptions) -> Box<dyn Any + Send>;
}

struct Unix;
impl Transport for Unix {
    async fn link(there: &MessageBus, here: &MessageBus, options: LinkOptions) -> Box<dyn Any + Send> {
        let path = socket();
        there.bind_unix_with(&path, options.clone()).unwrap();
        here.connect_with(LinkAddress::unix(&*path), options).unwrap().linked().await;
        Box::new(path)
    }
}

struct Tcp;
impl Transport for Tcp {
    async fn link(there: &MessageBus, here: &MessageBus, options: LinkOptions) -> Box<dyn Any + Send> {
        let listener = there.bind_tcp_with("127.0.0.1:0", options.clone()).unwrap();
        here.connect_with(LinkAddress::tcp(listener.address()), options).unwrap().linked().await;
        Box::new(listener)
    }
}

/// With rings of the smallest size, which are full again and again.
struct Shm;
impl Transport for Shm {
    async fn link(there: &MessageBus, here: &MessageBus, options: LinkOptions) -> Box<dyn Any + Send> {
        let (path, options) = (socket(), options.ring(1));
        there.bind_shm_with(&path, options.clone()).unwrap();
        here.connect_with(LinkAddress::shm(&*path), options).unwrap().linked().await;
        Box::new(path)
    }
}

/// The same, whose receivers look for what comes themselves.
struct SpinningShm;
impl Transport for SpinningShm {
    async fn link(there: &MessageBus, here: &MessageBus, options: LinkOptions) -> Box<dyn Any + Send> {
        Shm::link(there, here, options.spin(Duration::from_secs(3_600))).await
    }
}

/// A test of each body over each transport.
macro_rules! over_each {
    ($($body:ident)*) => {
        mod unix { $(#[test] fn $body() { super::on_every_runtime(super::$body::<super::Unix>); })* }
        mod tcp { $(#[test] fn $body() { super::on_every_runtime(super::$body::<super::Tcp>); })* }
        mod shm_spinning { $(#[test] fn $body() { super::on_every_runtime(super::$body::<super::SpinningShm>); })* }
        mod shm { $(#[test] fn $body() { super::on_every_runtime(super::$body::<super::Shm>); })* }
    };
}

over_each! {
    each_message_comes_once_and_in_order_both_ways
    what_one_sender_publishes_on_two_topics_keeps_its_order
    a_lossy_queue_slows_nobody_and_each_message_is_sent_or_counted
    what_a_topic_retains_comes_first_and_once
    nothing_comes_back
    only_what_somebody_wants_travels
    an_actor_is_told_and_asked_in_order
    what_is_published_to_one_service_keeps_its_order_and_nobody_else_hears_it
    a_watch_ends_with_its_actor
    a_shutdown_waits_until_the_peer_has_everything
    long_and_short_messages_travel_also_as_bytes
    two_buses_that_flood_each_other_on_one_topic_go_on
    what_waits_for_room_has_a_bound_in_bytes_and_nothing_of_it_is_lost
    a_full_subscriber_under_block_keeps_its_topic_waiting_and_no_other
    each_policy_of_a_subscriber_keeps_of_what_comes_what_it_says
    an_ask_ends_with_its_answer_its_limit_or_its_actor
    questions_that_wait_for_an_actor_that_fails_were_put_to_nobody
    many_publishers_on_many_topics_are_each_received_in_order
    a_drain_handles_all_that_has_come_and_is_sent_nothing_more
    a_bus_that_pauses_is_sent_nothing_until_it_goes_on
}

/// Two buses that are linked, and what keeps them so.
async fn linked<T: Transport>() -> (MessageBus, MessageBus, Box<dyn Any + Send>) {
    let (market, desk) = (bus("market"), bus("desk"));
    let kept = T::link(&market, &desk, LinkOptions::default()).await;
    until(|| find(&market, "desk").is_some()).await;
    (market, desk, kept)
}

async fn each_message_comes_once_and_in_order_both_ways<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let (mut ticks, mut texts) = (desk.subscriber::<Tick>().unwrap(), market.subscriber::<Text>().unwrap());
    until_wanted(&market, "desk", &["Tick"]).await;
    until_wanted(&desk, "market", &["Text"]).await;
    let (of_ticks, of_texts) = (market.publisher::<Tick>().unwrap(), desk.publisher::<Text>().unwrap());
    // Of all lengths, also longer than what a connection takes at once.
    let words = |n: u64| "x".repeat((n * n * 31 % 20_011) as usize);
    let send = async {
        for n in 0..300 {
            of_ticks.publish(Tick { n }).await.unwrap();
            of_texts.publish(Text { words: words(n) }).await.unwrap();
        }
    };
    let hear = async {
        for n in 0..300 {
            assert_eq!(ticks.recv().await.unwrap().n, n);
            assert_eq!(texts.recv().await.unwrap().words, words(n));
        }
    };
    tokio::join!(send, hear);
    until(|| link(&market, "desk").waiting + link(&desk, "market").waiting == 0).await;
    let (out, home) = (link(&market, "desk"), link(&desk, "market"));
    assert_eq!((out.sent, out.received, out.resent, out.connections), (300, 300, 0, 1), "{out}");
    assert_eq!((home.sent, home.received, home.duplicates), (300, 300, 0), "{home}");
}

/// Receives two topics, and writes down what comes.
struct Both(Heard);
impl Actor for Both {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>().on::<Fill>();
    }
}
impl Handler<Tick> for Both {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(tick.n.to_string());
        Ok(())
    }
}
impl Handler<Fill> for Both {
    async fn handle(&mut self, fill: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(fill.n.to_string());
        Ok(())
    }
}

async fn what_one_sender_publishes_on_two_topics_keeps_its_order<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let heard = Heard::default();
    desk.spawn(Both(heard.clone())).unwrap();
    until_wanted(&market, "desk", &["Tick", "Fill"]).await;
    let (ticks, fills) = (market.publisher::<Tick>().unwrap(), market.publisher::<Fill>().unwrap());
    for n in 0..400 {
        match n % 3 {
            0 => ticks.publish(Tick { n }).await.unwrap(),
            _ => fills.publish(Fill { n }).await.unwrap(),
        }
    }
    until(|| heard.words().len() == 400).await;
    assert_eq!(heard.words(), (0..400).map(|n| n.to_string()).collect::<Vec<_>>());
}

async fn a_lossy_queue_slows_nobody_and_each_message_is_sent_or_counted<T: Transport>() {
    for queue in [Subscription::drop_oldest(), Subscription::drop_newest()] {
        let (market, desk) = (bus("market"), bus("desk"));
        let options = LinkOptions::default().queue(queue.capacity(16)).credit(64);
        let _kept = T::link(&market, &desk, options).await;
        let mut slow = desk.subscriber_with(Subscription::<Tick>::block().capacity(4)).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 0..2_000 {
            ticks.try_publish(Tick { n }).unwrap();
            if n % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let topic = || market.topics().into_iter().find(|topic| topic.message == "Tick").unwrap();
        let (mut last, mut seen) = (None, 0);
        while seen + topic().dropped_oldest + topic().dropped_newest < 2_000 {
            let n = slow.recv().await.unwrap().n;
            assert!(last < Some(n), "in order and once");
            (last, seen) = (Some(n), seen + 1);
        }
        assert!(topic().dropped_oldest + topic().dropped_newest > 0 && slow.try_recv().is_none());
        assert_eq!(link(&market, "desk").sent, seen);
    }
}

async fn what_a_topic_retains_comes_first_and_once<T: Transport>() {
    let market = builder("market").retain(Retention::<Tick>::last_n(3)).build();
    let desk = bus("desk");
    let ticks = market.publisher::<Tick>().unwrap();
    for n in 0..5 {
        ticks.publish(Tick { n }).await.unwrap();
    }
    let mut heard = desk.subscriber::<Tick>().unwrap();
    let _kept = T::link(&market, &desk, LinkOptions::default()).await;
    assert_eq!(heard.recv().await.unwrap().n, 2);
    ticks.publish(Tick { n: 5 }).await.unwrap();
    for n in 3..6 {
        assert_eq!(heard.recv().await.unwrap().n, n);
    }
    until(|| link(&market, "desk").waiting == 0).await;
    assert!(heard.try_recv().is_none());
}

async fn nothing_comes_back<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let mut all = [&market, &desk].map(|bus| bus.subscriber::<Tick>().unwrap());
    until_wanted(&market, "desk", &["Tick"]).await;
    until_wanted(&desk, "market", &["Tick"]).await;
    let ticks = market.publisher::<Tick>().unwrap();
    for n in 0..100 {
        ticks.publish(Tick { n }).await.unwrap();
    }
    for heard in &mut all {
        for n in 0..100 {
            assert_eq!(heard.recv().await.unwrap().n, n);
        }
    }
    until(|| link(&market, "desk").acknowledged == 100).await;
    assert_eq!((link(&desk, "market").sent, link(&market, "desk").received), (0, 0));
    assert!(all.iter_mut().all(|heard| heard.try_recv().is_none()));
}

async fn only_what_somebody_wants_travels<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let (ticks, fills) = (market.publisher::<Tick>().unwrap(), market.publisher::<Fill>().unwrap());
    let mut heard = desk.subscriber::<Tick>().unwrap();
    until_wanted(&market, "desk", &["Tick"]).await;
    for n in 0..10 {
        fills.publish(Fill { n }).await.unwrap();
        ticks.publish(Tick { n }).await.unwrap();
        assert_eq!(heard.recv().await.unwrap().n, n);
    }
    drop(heard);
    until(|| link(&market, "desk").wants.is_empty()).await;
    ticks.publish(Tick { n: 10 }).await.unwrap();
    let mut heard = desk.subscriber::<Fill>().unwrap();
    until_wanted(&market, "desk", &["Fill"]).await;
    fills.publish(Fill { n: 10 }).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().n, 10);
    assert_eq!(link(&market, "desk").sent, 11);
}

impl Query for Fill {
    type Reply = Order;
}

/// Answers a fill with an order of twice its number, and writes down orders and fills.
#[derive(Clone, Default)]
struct Desk(Heard);
impl Actor for Desk {
    type Error = BoxError;
}
impl Handler<Order> for Desk {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(order.n.to_string());
        Ok(())
    }
}
impl Responder<Fill> for Desk {
    type Reply = Order;
    async fn answer(&mut self, fill: &Fill, _: &mut Context<Self>) -> Order {
        self.0.add(fill.n.to_string());
        Order { n: 2 * fill.n }
    }
}

/// A desk that is exposed, and the recipient of its orders at the market, which has reached it.
async fn exposed(
    market: &MessageBus,
    desk: &MessageBus,
) -> (mycelium::ActorRef<Desk>, Heard, Recipient<Order>) {
    let heard = Heard::default();
    let actor = desk.spawn(Desk(heard.clone())).unwrap();
    let doors = Exposed::new().takes::<Order>(actor.clone()).answers::<Fill>(actor.clone());
    desk.expose("risk", doors).unwrap();
    let orders = market.recipient::<Order>("desk/risk").unwrap();
    // Until the market has heard of it.
    while orders.tell(Order { n: 0 }).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    until(|| heard.words() == ["0"]).await;
    (actor, heard, orders)
}

async fn an_actor_is_told_and_asked_in_order<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let (_actor, heard, orders) = exposed(&market, &desk).await;
    let fills = market.reply_recipient::<Fill>("desk/risk").unwrap();
    for n in 1..200 {
        if n % 5 == 0 {
            assert_eq!(fills.ask(Fill { n }).await.unwrap(), Order { n: 2 * n });
        } else {
            orders.tell(Order { n }).await.unwrap();
        }
    }
    until(|| heard.words().len() == 200).await;
    assert_eq!(heard.words(), (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    let nobody = market.recipient::<Order>("desk/nobody").unwrap();
    let refused = nobody.tell(Order { n: 1 }).await.unwrap_err();
    assert!(matches!(refused, TellError::Remote(Order { n: 1 }, _, RemoteError::NoActor)), "{refused}");
}

/// Writes down ticks, published to all or to it alone.
struct Listener(Heard);
impl Actor for Listener {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Listener {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(tick.n.to_string());
        Ok(())
    }
}

async fn what_is_published_to_one_service_keeps_its_order_and_nobody_else_hears_it<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let (target, others) = (Heard::default(), [Heard::default(), Heard::default()]);
    let heard = target.clone();
    let child = Child::exposed(
        "desk",
        move || Listener(heard.clone()),
        |listener| Exposed::new().takes::<Tick>(listener),
    );
    let _tree = Supervisor::builder("floor").child(child).start(&desk).await.unwrap();
    desk.spawn(Listener(others[0].clone())).unwrap();
    market.spawn(Listener(others[1].clone())).unwrap();
    until_wanted(&market, "desk", &["Tick"]).await;
    let (ticks, to_desk) =
        (market.publisher::<Tick>().unwrap(), market.publisher_to::<Tick>("desk").unwrap());
    until(|| to_desk.is_alive()).await;
    for n in 0..300 {
        match n % 3 {
            1 => to_desk.publish(Tick { n }).await.unwrap(),
            _ => ticks.publish(Tick { n }).await.unwrap(),
        }
    }
    let words = |of: fn(&u64) -> bool| (0..300).filter(of).map(|n| n.to_string()).collect::<Vec<_>>();
    until(|| target.words().len() == 300 && others.iter().all(|other| other.words().len() == 200)).await;
    assert_eq!(target.words(), words(|_| true));
    for other in &others {
        assert_eq!(other.words(), words(|n| n % 3 != 1));
    }
}

/// Watches somebody, and counts how often they have ended.
struct Watcher(Recipient<Order>, Arc<Mutex<u32>>);
impl Actor for Watcher {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.watch(&self.0);
        Ok(())
    }
}
impl Handler<Down> for Watcher {
    async fn handle(&mut self, _: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        *self.1.lock().unwrap() += 1;
        Ok(())
    }
}

async fn a_watch_ends_with_its_actor<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let (actor, _heard, orders) = exposed(&market, &desk).await;
    let ends = Arc::default();
    market.spawn(Watcher(orders.clone(), Arc::clone(&ends))).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    assert!(orders.is_alive() && *ends.lock().unwrap() == 0);
    actor.kill();
    until(|| *ends.lock().unwrap() == 1).await;
    orders.ended().await;
    assert!(!orders.is_alive());
    let refused = orders.tell(Order { n: 1 }).await.unwrap_err();
    assert!(matches!(refused, TellError::Remote(_, _, RemoteError::NoActor)), "{refused}");
    // The next one of that name is reached by the same reference.
    let (_actor, heard, _) = exposed(&market, &desk).await;
    orders.tell(Order { n: 1 }).await.unwrap();
    until(|| heard.words() == ["0", "1"]).await;
    assert_eq!(*ends.lock().unwrap(), 1);
}

async fn a_shutdown_waits_until_the_peer_has_everything<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let mut heard = desk.subscriber_with(Subscription::<Tick>::block().capacity(16)).unwrap();
    until_wanted(&market, "desk", &["Tick"]).await;
    let ticks = market.publisher::<Tick>().unwrap();
    let publish = async {
        for n in 0..500 {
            ticks.publish(Tick { n }).await.unwrap();
        }
        market.shutdown().await.unwrap();
    };
    let hear = async {
        for n in 0..500 {
            assert_eq!(heard.recv().await.unwrap().n, n);
        }
    };
    tokio::join!(publish, hear);
    until(|| find(&desk, "market").is_some_and(|link| link.state == mycelium::LinkState::Gone)).await;
    desk.shutdown().await.unwrap();
}
