//! Several topics over one link: each with its own room, policy and memory.

use std::sync::{Arc, OnceLock};

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, LinkAddress, LinkOptions, Message, MessageBus, Publisher, Retention,
    Subscription, Subscriptions,
};
use tokio::sync::Semaphore;

use crate::common::{Heard, WATCHDOG, on_every_runtime};
use crate::kit::{Contract, Fill, Order, Tick, builder, bus, find, link, linked, until, until_wanted};

/// Receives fills and orders, one fill for each permit.
struct Slow(Heard, Arc<Semaphore>);
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Fill>::block().capacity(1)).on::<Order>();
    }
}
impl Handler<Fill> for Slow {
    async fn handle(&mut self, fill: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.1.acquire().await?.forget();
        self.0.add(format!("fill {}", fill.n));
        Ok(())
    }
}
impl Handler<Order> for Slow {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("order {}", order.n));
        Ok(())
    }
}

#[test]
fn messages_that_wait_are_not_passed_by_later_ones_when_somebody_else_subscribes() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let (heard, permits) = (Heard::default(), Arc::new(Semaphore::new(0)));
        desk.spawn(Slow(heard.clone(), Arc::clone(&permits))).unwrap();
        until_wanted(&market, "desk", &["Fill", "Order"]).await;
        let (fills, orders) = (market.publisher::<Fill>().unwrap(), market.publisher::<Order>().unwrap());
        for n in 0..10 {
            fills.publish(Fill { n }).await.unwrap();
        }
        until(|| link(&desk, "market").received == 10).await;
        until(|| link(&desk, "market").held > 5).await;
        // Ties ticks to fills: all are in the channel of ticks now.
        let _both = desk.subscribe_wire(["ticks", "fills"]).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        orders.publish(Order { n: 10 }).await.unwrap();
        until(|| link(&desk, "market").received == 11).await;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        permits.add_permits(10);
        until(|| heard.words().len() == 11).await;
        let expected = (0..10).map(|n| format!("fill {n}")).chain(["order 10".to_owned()]);
        assert_eq!(heard.words(), expected.collect::<Vec<_>>());
    });
}

#[test]
fn a_topic_that_one_who_has_left_tied_to_another_waits_no_more_for_its_room() {
    on_every_runtime(async || {
        for before in [10, 0] {
            let (market, desk) = linked().await;
            let mut slow = desk.subscriber_with(Subscription::<Fill>::block().capacity(1)).unwrap();
            let mut heard = desk.subscriber::<Tick>().unwrap();
            until_wanted(&market, "desk", &["Fill", "Tick"]).await;
            let (fills, ticks) = (market.publisher::<Fill>().unwrap(), market.publisher::<Tick>().unwrap());
            for n in 0..before {
                fills.publish(Fill { n }).await.unwrap();
            }
            until(|| link(&desk, "market").received == before).await;
            let all = desk.subscribe_wire(["ticks", "fills", "orders"]).unwrap();
            until_wanted(&market, "desk", &["Order"]).await;
            for n in before..10 {
                fills.publish(Fill { n }).await.unwrap();
            }
            until(|| link(&desk, "market").received == 10).await;
            drop(all);
            until(|| link(&market, "desk").wants.len() == 2).await;
            // The fills wait all the time.
            ticks.publish(Tick { n: 7 }).await.unwrap();
            assert_eq!(heard.recv().await.unwrap().n, 7);
            for n in 0..10 {
                assert_eq!(slow.recv().await.unwrap().n, n);
            }
        }
    });
}

#[test]
fn a_lossy_queue_of_a_link_slows_nobody_and_each_message_is_sent_or_counted() {
    on_every_runtime(async || {
        let (market, desk) = (bus("market"), bus("desk"));
        let queue = Subscription::drop_oldest().capacity(16);
        let listener =
            market.bind_tcp_with("127.0.0.1:0", LinkOptions::default().queue(queue).credit(64)).unwrap();
        desk.connect_with(LinkAddress::tcp(listener.address()), LinkOptions::default().credit(64)).unwrap();
        let mut slow = desk.subscriber_with(Subscription::<Tick>::block().capacity(4)).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 0..10_000 {
            ticks.try_publish(Tick { n }).unwrap();
            if n % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let mut last = None;
        let mut seen = 0;
        while last != Some(9_999) {
            let n = slow.recv().await.unwrap().n;
            assert!(last < Some(n));
            (last, seen) = (Some(n), seen + 1);
        }
        until(|| link(&market, "desk").waiting == 0).await;
        let topic = market.topics().into_iter().find(|topic| topic.message == "Tick").unwrap();
        assert_eq!(topic.dropped_oldest + link(&market, "desk").sent, 10_000);
        assert_eq!(link(&market, "desk").sent, seen);
        assert!(topic.dropped_oldest > 0);
    });
}

#[test]
fn what_a_topic_retains_reaches_a_bus_that_is_linked_later_and_once() {
    on_every_runtime(async || {
        let retaining = |name| builder(name).retain(Retention::<Tick>::last_n(3)).build();
        let (market, desk) = (retaining("market"), retaining("desk"));
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 0..10 {
            ticks.publish(Tick { n }).await.unwrap();
        }
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        desk.connect(LinkAddress::tcp(listener.address())).unwrap();
        // Nobody subscribes at the desk: its topic retains.
        until(|| find(&desk, "market").is_some_and(|link| link.received == 3)).await;
        ticks.publish(Tick { n: 10 }).await.unwrap();
        until(|| link(&desk, "market").received == 4).await;
        let mut late = desk.subscriber_with(Subscription::<Tick>::block().with_retained()).unwrap();
        for n in [8, 9, 10] {
            assert_eq!(late.recv().await.unwrap().n, n);
        }
        ticks.publish(Tick { n: 11 }).await.unwrap();
        assert_eq!(late.recv().await.unwrap().n, 11);
        until(|| link(&desk, "market").received == 5).await;
        assert_eq!(link(&desk, "market").sent, 0, "nothing goes back");
    });
}

/// The tick of another contract.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct OtherTick {
    n: u32,
}
impl Message for OtherTick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 7;
    const TOPIC: &'static str = "ticks";
}
impl Wire for OtherTick {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 1_000 }];
}
struct OtherContract;
impl Messages for OtherContract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<OtherTick>();
        visitor.typed::<Fill>();
    }
}

#[test]
fn a_message_that_two_buses_mean_differently_is_disabled_by_name_and_others_travel() {
    on_every_runtime(async || {
        let market = MessageBus::builder().node("market").contract(Contract).build();
        let desk = MessageBus::builder().node("desk").contract(OtherContract).build();
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        desk.connect(LinkAddress::tcp(listener.address())).unwrap();
        let _ticks = desk.subscriber::<OtherTick>().unwrap();
        let mut fills = desk.subscriber::<Fill>().unwrap();
        until_wanted(&market, "desk", &["Fill"]).await;
        for (bus, peer) in [(&market, "desk"), (&desk, "market")] {
            let [disabled] = &link(bus, peer).disabled[..] else { panic!("one is disabled") };
            assert_eq!(disabled.message, "Tick");
            assert!(link(bus, peer).to_string().contains("Tick disabled: "), "{}", link(bus, peer));
        }
        market.publisher::<Tick>().unwrap().publish(Tick { n: 1 }).await.unwrap();
        market.publisher::<Fill>().unwrap().publish(Fill { n: 2 }).await.unwrap();
        assert_eq!(fills.recv().await.as_deref(), Some(&Fill { n: 2 }));
        assert_eq!(link(&market, "desk").sent, 1);
    });
}

/// Publishes on the market's bus, from within what gets a message there.
static ANSWERS: OnceLock<Publisher<Tick>> = OnceLock::new();

fn answers(fill: &Fill) -> u64 {
    ANSWERS.get().unwrap().try_publish(Tick { n: fill.n }).unwrap();
    0
}

/// The wish and the message come to the market together: its runtime is held meanwhile.
#[test]
fn an_answer_to_a_message_is_heard_by_whoever_listened_before_it_was_published() {
    let [theirs, ours] =
        [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let (market, address, _latest) = theirs.block_on(async {
        let market = bus("market");
        let address = market.bind_tcp("127.0.0.1:0").unwrap().address();
        assert!(ANSWERS.set(market.publisher().unwrap()).is_ok());
        let latest = market.subscriber_with(Subscription::conflate(answers)).unwrap();
        (market, address, latest)
    });
    let (let_go, until_let_go) = std::sync::mpsc::channel::<()>();
    let (end, until_end) = tokio::sync::oneshot::channel::<()>();
    let their_handle = theirs.handle().clone();
    let their_thread = std::thread::spawn(move || theirs.block_on(until_end));
    ours.block_on(async {
        let desk = bus("desk");
        let _dialer = desk.connect(LinkAddress::tcp(address)).unwrap();
        until_wanted(&desk, "market", &["Fill"]).await;
        let (tell, held) = tokio::sync::oneshot::channel();
        their_handle.spawn(async move {
            tell.send(()).unwrap();
            let _ = until_let_go.recv();
        });
        held.await.unwrap();
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        desk.publisher::<Fill>().unwrap().publish(Fill { n: 7 }).await.unwrap();
        until(|| link(&desk, "market").sent == 1).await;
        let_go.send(()).unwrap();
        let answer = tokio::time::timeout(WATCHDOG, ticks.recv()).await.expect("it is heard");
        assert_eq!(answer.unwrap().n, 7);
        end.send(()).unwrap();
        desk.shutdown().await.unwrap();
    });
    their_thread.join().unwrap().unwrap();
    drop(market);
}
