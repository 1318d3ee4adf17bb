//! What one sender publishes and tells reaches an actor in order, whoever subscribes meanwhile.

use std::sync::{Arc, Mutex};

use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, LinkAddress, MessageBus, Recipient, Subscription,
    Subscriptions,
};
use tokio::sync::Semaphore;

use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, Tick, builder, bus, link, until, until_wanted};

/// An order at which the actor subscribes to ticks.
const SUBSCRIBES: u64 = 1_000;

/// Writes down the numbers of what it receives, one for each permit.
#[derive(Clone)]
struct Gated {
    permits: Arc<Semaphore>,
    heard: Arc<Mutex<Vec<u64>>>,
    of_fills: bool,
}
impl Gated {
    fn new(of_fills: bool) -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), heard: Arc::default(), of_fills }
    }

    async fn hear(&self, n: u64) -> Result<(), BoxError> {
        self.permits.acquire().await?.forget();
        self.heard.lock().unwrap().push(n);
        Ok(())
    }

    fn heard(&self) -> Vec<u64> {
        self.heard.lock().unwrap().clone()
    }
}
impl Actor for Gated {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        if self.of_fills {
            topics.on_with(Subscription::<Fill>::block().capacity(1));
        }
    }
}
impl Handler<Order> for Gated {
    async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(order.n).await?;
        if order.n == SUBSCRIBES {
            ctx.subscribe(Subscription::<Tick>::block())?;
        }
        Ok(())
    }
}
impl Handler<Tick> for Gated {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(tick.n).await
    }
}
impl Handler<Fill> for Gated {
    async fn handle(&mut self, fill: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(fill.n).await
    }
}

/// Two linked buses, an actor on the second one that hardly takes anything at once, and the way to it.
async fn with(gated: &Gated) -> (MessageBus, MessageBus, Recipient<Order>) {
    behind(gated, |_| Exposed::new()).await
}

/// The same where others are behind its name too.
async fn behind(
    gated: &Gated,
    others: impl FnOnce(&MessageBus) -> Exposed,
) -> (MessageBus, MessageBus, Recipient<Order>) {
    let (market, desk) = (bus("market"), builder("desk").inbox_capacity(1).build());
    let listener = market.bind_tcp("127.0.0.1:0").unwrap();
    desk.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
    let actor = desk.spawn(gated.clone()).unwrap();
    desk.expose("desk", others(&desk).takes::<Order>(actor)).unwrap();
    let orders = market.recipient::<Order>("desk/desk").unwrap();
    until(|| orders.is_alive()).await;
    (market, desk, orders)
}

#[test]
fn what_is_told_stays_behind_what_waits_when_its_actor_subscribes() {
    on_every_runtime(async || {
        let gated = Gated::new(false);
        let (market, desk, orders) = with(&gated).await;
        orders.tell(Order { n: SUBSCRIBES }).await.unwrap();
        for n in 0..10 {
            orders.tell(Order { n }).await.unwrap();
        }
        until(|| link(&desk, "market").received == 11).await;
        gated.permits.add_permits(1);
        until_wanted(&market, "desk", &["Tick"]).await;
        assert!(link(&desk, "market").held > 5);
        orders.tell(Order { n: 10 }).await.unwrap();
        until(|| link(&desk, "market").received == 12).await;
        market.publisher::<Tick>().unwrap().publish(Tick { n: 11 }).await.unwrap();
        until(|| link(&desk, "market").received == 13).await;
        gated.permits.add_permits(100);
        until(|| gated.heard().len() == 13).await;
        assert_eq!(gated.heard(), std::iter::once(SUBSCRIBES).chain(0..12).collect::<Vec<_>>());
    });
}

/// Of several actors behind one name each gets all in order, whichever was named first and whatever the
/// others receive.
#[test]
fn what_is_told_to_one_of_several_actors_behind_a_name_stays_behind_its_topics() {
    on_every_runtime(async || {
        for other_receives in [false, true] {
            let (gated, other) = (Gated::new(true), Gated::new(false));
            other.permits.add_permits(100);
            let spawned = other.clone();
            let (market, desk, orders) = behind(&gated, |desk| {
                let other = desk.spawn(spawned).unwrap();
                if other_receives {
                    other.try_tell(Order { n: SUBSCRIBES }).unwrap();
                }
                Exposed::new().takes::<Tick>(other)
            })
            .await;
            until_wanted(&market, "desk", if other_receives { &["Fill", "Tick"] } else { &["Fill"] }).await;
            let fills = market.publisher::<Fill>().unwrap();
            for n in 0..10 {
                fills.publish(Fill { n }).await.unwrap();
            }
            until(|| link(&desk, "market").received == 10).await;
            assert!(link(&desk, "market").held > 5);
            orders.tell(Order { n: 10 }).await.unwrap();
            market.recipient::<Tick>("desk/desk").unwrap().tell(Tick { n: 11 }).await.unwrap();
            until(|| link(&desk, "market").received == 12).await;
            // A message that can pass now would.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            gated.permits.add_permits(100);
            until(|| gated.heard().len() == 11 && other.heard().last() == Some(&11)).await;
            assert_eq!(gated.heard(), (0..11).collect::<Vec<_>>());
        }
    });
}

#[test]
fn what_is_told_stays_behind_topics_that_wait_when_somebody_else_subscribes() {
    on_every_runtime(async || {
        let gated = Gated::new(true);
        let (market, desk, orders) = with(&gated).await;
        until_wanted(&market, "desk", &["Fill"]).await;
        let fills = market.publisher::<Fill>().unwrap();
        for n in 0..10 {
            fills.publish(Fill { n }).await.unwrap();
        }
        until(|| link(&desk, "market").received == 10).await;
        assert!(link(&desk, "market").held > 5);
        // Ties fills to ticks: both are in the channel of ticks now, and the actor with them.
        let _both = desk.subscribe_wire(["ticks", "fills"]).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        orders.tell(Order { n: 10 }).await.unwrap();
        until(|| link(&desk, "market").received == 11).await;
        gated.permits.add_permits(100);
        until(|| gated.heard().len() == 11).await;
        assert_eq!(gated.heard(), (0..11).collect::<Vec<_>>());
    });
}

#[test]
fn topics_and_actors_that_wait_apart_wait_together_once_one_actor_has_both() {
    on_every_runtime(async || {
        let gated = Gated::new(false);
        let (market, desk, orders) = with(&gated).await;
        // Ticks wait for somebody else.
        let mut slow = desk.subscriber_with(Subscription::<Tick>::block().capacity(1)).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 100..110 {
            ticks.publish(Tick { n }).await.unwrap();
        }
        orders.tell(Order { n: SUBSCRIBES }).await.unwrap();
        for n in 0..10 {
            orders.tell(Order { n }).await.unwrap();
        }
        until(|| link(&desk, "market").received == 21).await;
        let before = link(&market, "desk").received;
        gated.permits.add_permits(1);
        until(|| gated.heard().len() == 1).await;
        // Both buses have heard of it when a later subscription is known.
        let _orders = desk.subscriber::<Fill>().unwrap();
        until_wanted(&market, "desk", &["Fill"]).await;
        assert_eq!(link(&market, "desk").received, before);
        orders.tell(Order { n: 10 }).await.unwrap();
        ticks.publish(Tick { n: 110 }).await.unwrap();
        until(|| link(&desk, "market").received == 23).await;
        let draining = tokio::spawn(async move {
            for n in 100..111 {
                assert_eq!(slow.recv().await.unwrap().n, n);
            }
        });
        // A message that can pass now would.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        gated.permits.add_permits(100);
        draining.await.unwrap();
        until(|| gated.heard().contains(&110)).await;
        let heard = gated.heard();
        let told: Vec<u64> = heard.iter().copied().filter(|n| *n < 100).collect();
        assert_eq!(told, (0..11).collect::<Vec<_>>());
        assert_eq!(heard.last(), Some(&110), "{heard:?}");
    });
}

#[test]
fn an_actor_that_subscribes_later_to_what_is_wanted_already_gets_all_in_order() {
    on_every_runtime(async || {
        let gated = Gated::new(false);
        let (market, desk, orders) = with(&gated).await;
        let mut other = desk.subscriber::<Tick>().unwrap();
        tokio::spawn(async move { while other.recv().await.is_some() {} });
        until_wanted(&market, "desk", &["Tick"]).await;
        gated.permits.add_permits(1);
        orders.tell(Order { n: SUBSCRIBES }).await.unwrap();
        until(|| gated.heard().len() == 1).await;
        let ticks = market.publisher::<Tick>().unwrap();
        // In order from the moment at which its bus knows what the actor receives.
        let (mut next, mut received) = (0, link(&desk, "market").received);
        loop {
            gated.heard.lock().unwrap().clear();
            for n in next..next + 5 {
                ticks.publish(Tick { n }).await.unwrap();
            }
            orders.tell(Order { n: next + 5 }).await.unwrap();
            (next, received) = (next + 6, received + 6);
            until(|| link(&desk, "market").received == received).await;
            gated.permits.add_permits(6);
            // The first round may begin before the subscription is there.
            until(|| gated.heard().contains(&(next - 1)) && link(&desk, "market").held == 0).await;
            let heard = gated.heard();
            if heard == (next - 6..next).collect::<Vec<_>>() {
                break;
            }
            until(|| gated.heard().len() == 6 || next == 6).await;
        }
    });
}
