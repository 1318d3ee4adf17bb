//! The children of the tree that live in this process. None of them knows that it is supervised.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mycelium::{Context, Result, ServiceContext, actor, service};

use crate::market::Market;
use crate::{Order, Price};

/// Time between two prices.
const BETWEEN_PRICES: Duration = Duration::from_millis(5);
/// How many fillers share the orders.
pub(crate) const FILLERS: u64 = 3;

/// Publishes prices until it is stopped, or its connection breaks.
pub(crate) struct Feed {
    pub(crate) market: Arc<Market>,
}

#[service]
impl Feed {
    async fn run(&mut self, ctx: &ServiceContext) -> Result<()> {
        let mut stopped = std::pin::pin!(ctx.stopped());
        loop {
            tokio::select! {
                () = &mut stopped => return Ok(()),
                () = ctx.sleep(BETWEEN_PRICES) => {}
            }
            if self.market.feed_fails_now() {
                return Err("connection lost".into());
            }
            if self.market.open.load(Ordering::Relaxed) {
                let number = self.market.next_number();
                let ticks = 10_000 + (number % 17) as i64;
                ctx.publish(Price { number, ticks }).await?;
            }
        }
    }
}

/// Orders at every tenth price.
pub(crate) struct Strategy {
    pub(crate) market: Arc<Market>,
}

#[actor]
impl Strategy {
    #[on]
    async fn price(&mut self, price: &Price, ctx: &mut Context<Self>) -> Result<()> {
        if Market::happens(&self.market.strategy_panics) {
            panic!("a spread of zero");
        }
        if Market::happens(&self.market.strategy_hangs) {
            std::future::pending::<()>().await; // an answer that never comes
        }
        if price.number.is_multiple_of(10) {
            ctx.publish(Order { number: price.number / 10, ticks: price.ticks }).await?;
        }
        Ok(())
    }
}

/// One of the fillers: hears all orders and fills its share of them.
pub(crate) struct Filler {
    pub(crate) share: u64,
    pub(crate) market: Arc<Market>,
}

#[actor]
impl Filler {
    #[on]
    async fn order(&mut self, order: &Order) -> Result<()> {
        if self.share == 1 && Market::happens(&self.market.filler_panics) {
            panic!("an order of {} ticks", order.ticks);
        }
        if order.number % FILLERS == self.share {
            tokio::time::sleep(Duration::from_millis(1)).await; // to the venue and back
        }
        Ok(())
    }
}
