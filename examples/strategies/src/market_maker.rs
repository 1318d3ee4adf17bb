//! Earns the spread: a bid and an ask around the middle of the market, moved away from what is held already.

use backtest::strategy::{OrderId, Strategy, StrategyContext, Ticket};

/// Quotes one size on either side.
pub struct MarketMaker {
    size: f64,
    half_spread: f64,
    most: f64,
    quotes: Option<(f64, OrderId, OrderId)>,
}

impl MarketMaker {
    /// Units of each order, its distance from the middle in units of the price, and the largest position.
    #[must_use]
    pub fn new(size: f64, half_spread: f64, most: f64) -> Self {
        Self { size, half_spread, most, quotes: None }
    }
}

impl Strategy for MarketMaker {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        // A long market maker wants to sell: both prices move down, up to the whole distance.
        let centre = ctx.price() - self.half_spread * ctx.position() / self.most;
        if let Some((at, bid, ask)) = self.quotes {
            if (at - centre).abs() < self.half_spread * 0.25 && ctx.orders().len() == 2 {
                return;
            }
            ctx.cancel(bid);
            ctx.cancel(ask);
        }
        let order = |price: f64| Ticket::new(self.size).limit(price);
        let (bid, ask) = (centre - self.half_spread, centre + self.half_spread);
        self.quotes = Some((centre, ctx.buy(order(bid)), ctx.sell(order(ask))));
    }
}
