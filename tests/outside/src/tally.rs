//! A public actor, a public service, and public direct routes, by the macros.

use mycelium::{Context, Result, ServiceContext, actor, service};

use crate::messages::{Reading, Total, TotalQuery};

/// Sums readings.
#[derive(Debug, Default)]
pub struct Tally {
    sum: i64,
    batches: u32,
}

/// Each reading goes round once more, late.
#[derive(Debug)]
pub struct Again(pub Reading);

#[actor]
impl Tally {
    /// Adds a reading.
    #[on]
    pub fn reading(&mut self, reading: &Reading) {
        self.sum += reading.value;
    }

    /// Adds a reading that was sent to this tally alone, and publishes the sum.
    #[on(direct)]
    pub async fn again(&mut self, again: Again, ctx: &mut Context<Self>) -> Result<()> {
        self.reading(&again.0);
        ctx.publish(Total { value: self.sum, batches: self.batches }).await
    }

    /// The sum so far.
    #[ask]
    pub fn total(&self, _: &TotalQuery) -> Total {
        Total { value: self.sum, batches: self.batches }
    }

    #[batch_ended]
    fn count(&mut self) {
        self.batches += 1;
    }
}

/// Publishes one reading.
#[derive(Debug)]
pub struct Once(pub Reading);

#[service]
impl Once {
    /// Publishes it.
    pub async fn run(&mut self, ctx: &ServiceContext) -> Result<()> {
        ctx.publish(self.0.clone()).await
    }
}

mycelium::routing_config! {
    /// Readings go to one tally.
    pub struct Routes {
        Reading => [tally: Tally],
    }
}
