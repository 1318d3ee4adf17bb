//! The Rust half: a feed, and a desk that hears the model.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mycelium::{Actor, BoxError, Context, Handler, Service, ServiceContext, Subscriptions};

use crate::{Signal, Tick};

/// What outlives the lives of the tree's children.
#[derive(Default)]
pub(crate) struct Market {
    /// How many ticks the feed has published.
    ticks: AtomicU64,
    /// Whether the next one has a price of zero.
    poisoned: AtomicBool,
    /// The last signal: of which tick, and from how many prices.
    signal: Mutex<(u64, u32)>,
}

impl Market {
    /// The next tick has a price of zero.
    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Relaxed);
    }

    /// The last signal, for people.
    pub(crate) fn latest(&self) -> String {
        let (number, window) = *self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        format!("the last signal is of tick {number}, from a window of {window} prices")
    }

    /// Whether the model has had the last tick of the feed.
    pub(crate) fn account(&self) -> String {
        let (number, _) = *self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        format!(
            "the last tick was {}, the last signal is of tick {number}",
            self.ticks.load(Ordering::Relaxed)
        )
    }
}

/// Publishes a tick each millisecond.
pub(crate) struct Feed {
    pub(crate) market: Arc<Market>,
}

impl Service for Feed {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            ctx.sleep(Duration::from_millis(1)).await;
            let number = self.market.ticks.fetch_add(1, Ordering::Relaxed) + 1;
            let price = match self.market.poisoned.swap(false, Ordering::Relaxed) {
                true => 0.0,
                false => 100.0 + f64::from(u32::try_from(number % 17)?) / 10.0,
            };
            ctx.publish(Tick { number, price }).await?;
        }
    }
}

/// Hears what the model says.
pub(crate) struct Desk {
    pub(crate) market: Arc<Market>,
}

impl Actor for Desk {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Signal>();
    }
}

impl Handler<Signal> for Desk {
    async fn handle(&mut self, signal: &Signal, _: &mut Context<Self>) -> Result<(), BoxError> {
        let mut last = self.market.signal.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (signal.number, signal.window);
        Ok(())
    }
}
