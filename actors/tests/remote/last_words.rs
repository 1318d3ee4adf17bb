//! What a bus says when it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, Recipient, Service, ServiceContext, StopReason, Subscription,
};

use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, link, linked, until, until_wanted};

/// Counts orders, and subscribes to nothing.
struct Gate(Arc<AtomicU64>);
impl Actor for Gate {
    type Error = BoxError;
}
impl Handler<Order> for Gate {
    async fn handle(&mut self, _: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Its first words there are its last ones.
struct Leaves(Recipient<Order>);
impl Service for Leaves {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        Ok(self.0.tell(Order { n: 1 }).await?)
    }
}

#[test]
fn the_last_words_of_a_bus_are_acknowledged_however_old_its_link_is_and_whatever_comes() {
    on_every_runtime(async || {
        let ((market, other), told) = (linked().await, Arc::new(AtomicU64::new(0)));
        let gate = other.spawn(Gate(Arc::clone(&told))).unwrap();
        other.expose("gate", Exposed::new().takes::<Order>(gate)).unwrap();
        let _fills = market.subscriber_with::<Fill>(Subscription::drop_oldest()).unwrap();
        until_wanted(&other, "market", &["Fill"]).await;
        let fills = other.publisher::<Fill>().unwrap();
        // It goes on while the market ends, and passes messages over that it will never acknowledge.
        let feed = tokio::spawn(async move {
            while fills.publish(Fill { n: 0 }).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        market.spawn_service(Leaves(market.recipient("desk/gate").unwrap())).unwrap();
        // Longer than the market waits for a peer that ends as well.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        market.shutdown_within(Duration::from_secs(3_600)).await.unwrap();
        // It is in its actor's inbox, and handled a moment later.
        until(|| told.load(Ordering::SeqCst) == 1).await;
        feed.abort();
    });
}

/// Takes longer to stop than a frame may to become whole, which a peer that is passed over must not seem to.
struct Lingers;
impl Actor for Lingers {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        tokio::time::sleep(Duration::from_millis(6_500)).await;
    }
}
impl Handler<Order> for Lingers {
    async fn handle(&mut self, _: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_bus_that_ends_slowly_keeps_the_connection_of_a_peer_that_goes_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (market, other) = linked().await;
        let gate = market.spawn(Lingers).unwrap();
        market.expose("gate", Exposed::new().takes::<Order>(gate)).unwrap();
        let orders = other.recipient::<Order>("market/gate").unwrap();
        orders.tell(Order { n: 0 }).await.unwrap();
        let feed = tokio::spawn(async move {
            while orders.tell(Order { n: 1 }).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let peer = other.clone();
        let ended = market.shutdown_within(Duration::from_secs(20));
        let mut connections = 0;
        let look = async {
            loop {
                connections = connections.max(link(&peer, "market").connections);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ended = ended => {}
            () = look => {}
        }
        assert_eq!(connections, 1, "{:?}", link(&peer, "market").fault);
        feed.abort();
    });
}
