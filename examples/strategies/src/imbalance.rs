//! Joins the side of a book on which more is displayed.

use backtest::depth::Level;
use backtest::strategy::{Strategy, StrategyContext, Ticket};

/// Bids at the best price while far more is bid than asked, and sells when it is the other way round.
pub struct Imbalance {
    size: f64,
    entry: f64,
}

impl Imbalance {
    /// Units of an order, and the share of what is displayed by which bids exceed asks: from 0 to 1.
    #[must_use]
    pub fn new(size: f64, entry: f64) -> Self {
        Self { size, entry }
    }
}

impl Strategy for Imbalance {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let Some(book) = ctx.depth() else { return };
        let units = |levels: &[Level]| levels.iter().map(|level| level.size).sum::<f64>();
        let (bid, bids, asks) = (book.bid().price, units(book.bids()), units(book.asks()));
        let excess = (bids - asks) / (bids + asks);
        if excess > self.entry && ctx.is_flat() && ctx.orders().is_empty() {
            ctx.buy(Ticket::new(self.size).limit(bid));
        } else if excess < 0.0 {
            ctx.cancel_all();
            ctx.close();
        }
    }
}
