//! The Rust part: a feed, and a desk that hears the model and the check of risk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mycelium::{Actor, BoxError, Context, Handler, Service, ServiceContext, Subscriptions};

use crate::{Signal, Tick, Verdict};

/// What outlives the lives of the tree's children.
#[derive(Default)]
pub(crate) struct Market {
    /// How many ticks the feed has published.
    ticks: AtomicU64,
    /// Whether the next one has a price of zero.
    poisoned: AtomicBool,
    /// The last signal: of which tick, and from how many prices.
    signal: Mutex<(u64, u32)>,
    /// The last verdict: of which tick, and how many signals were refused.
    verdict: Mutex<(u64, u32)>,
}

impl Market {
    /// The next tick has a price of zero.
    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Relaxed);
    }

    /// The last signal, for people, and what the check says.
    pub(crate) fn latest(&self) -> String {
        let ((number, window), (_, refused)) = (last(&self.signal), last(&self.verdict));
        format!(
            "the last signal is of tick {number}, from a window of {window} prices; {refused} are refused"
        )
    }

    /// Whether the model and the check have had the last tick of the feed.
    pub(crate) fn account(&self) -> String {
        let ((signal, _), (verdict, _)) = (last(&self.signal), last(&self.verdict));
        let ticks = self.ticks.load(Ordering::Relaxed);
        format!(
            "the last tick was {ticks}, the last signal is of tick {signal}, the last verdict is of tick {verdict}"
        )
    }
}

fn last(of: &Mutex<(u64, u32)>) -> (u64, u32) {
    *of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(last: (u64, u32), of: &Mutex<(u64, u32)>) {
    *of.lock().unwrap_or_else(PoisonError::into_inner) = last;
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

/// Hears what the model and the check say.
pub(crate) struct Desk {
    pub(crate) market: Arc<Market>,
}

impl Actor for Desk {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Signal>().on::<Verdict>();
    }
}

impl Handler<Signal> for Desk {
    async fn handle(&mut self, signal: &Signal, _: &mut Context<Self>) -> Result<(), BoxError> {
        keep((signal.number, signal.window), &self.market.signal);
        Ok(())
    }
}

impl Handler<Verdict> for Desk {
    async fn handle(&mut self, verdict: &Verdict, _: &mut Context<Self>) -> Result<(), BoxError> {
        keep((verdict.number, verdict.refused), &self.market.verdict);
        Ok(())
    }
}
