//! Asks a model, an actor of its own, and speaks the messages of the exchange itself.
//!
//! A [`Strategy`](backtest::strategy::Strategy) is one function that waits for nobody. An actor can wait, for
//! a model that runs on a thread of its own or in another process. Beside it the
//! [`Venue`](backtest::strategy::Venue) has to
//! [`tell_every_bar`](backtest::strategy::Venue::tell_every_bar).

use backtest::indicators::{Indicator, Roc, StdDev};
use backtest::messages::{Bar, BarDone, Execution, NewOrder, SizeUnit};
use mycelium::{ActorRef, BoxError, Context, actor};

/// What the model is asked for: how likely a rise is, from 0 to 1.
pub struct Features {
    /// Change over ten bars, in percent.
    pub momentum_pct: f64,
    /// Standard deviation of twenty closes over the close.
    pub deviation: f64,
}

/// A logistic regression. Weights that were learned elsewhere go here.
pub struct Model {
    /// Of the momentum, of the deviation, and the constant.
    pub weights: [f64; 3],
}

#[actor]
impl Model {
    #[ask]
    fn forecast(&self, features: &Features) -> f64 {
        let [momentum, deviation, constant] = self.weights;
        let sum = momentum * features.momentum_pct + deviation * features.deviation + constant;
        1.0 / (1.0 + (-sum).exp())
    }
}

/// Holds while the model says that a rise is likelier than not.
pub struct AsksModel {
    model: ActorRef<Model>,
    momentum: Roc,
    deviation: StdDev,
    latest: Bar,
    lots: i64,
    orders: u32,
}

impl AsksModel {
    /// Asks this model.
    #[must_use]
    pub fn new(model: ActorRef<Model>) -> Self {
        let (momentum, deviation) = (Roc::new(10), StdDev::new(20));
        Self { model, momentum, deviation, latest: Bar::default(), lots: 0, orders: 0 }
    }
}

#[actor]
impl AsksModel {
    #[on]
    fn bar(&mut self, bar: &Bar) {
        self.latest = *bar;
    }

    #[on]
    fn execution(&mut self, execution: &Execution) {
        self.lots += execution.quantity;
    }

    /// The fills of the bar are known now.
    #[on]
    async fn decide(&mut self, done: &BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let close = self.latest.close;
        let (momentum, deviation) = (self.momentum.push(close), self.deviation.push(close));
        let (Some(momentum_pct), Some(deviation)) = (momentum, deviation) else { return Ok(()) };
        let rises = self.model.ask(Features { momentum_pct, deviation: deviation / close }).await? > 0.5;
        let (unit, size) = match (rises, self.lots) {
            (true, 0) => (SizeUnit::Cash, 1.0),
            (false, lots) if lots > 0 => (SizeUnit::Lots, -(lots as f64)),
            _ => return Ok(()),
        };
        // Each order has three numbers: its own, and those of its stop loss and its take profit.
        self.orders += 1;
        let (order, after) = (3 * self.orders - 2, done.index);
        ctx.publish(NewOrder { order, after, unit, size, ..NewOrder::default() }).await?;
        Ok(())
    }
}
