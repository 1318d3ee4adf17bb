//! Strategies: what a user writes, and what hosts it.
//!
//! A [`Strategy`] is called once for each bar. It sees the bars so far and the account after everything that
//! was filled in that bar, and sends orders for the bars that follow. [`Backtest`] runs it against the
//! exchange simulator ([`engine`](crate::engine)) in an isolate. Its host is an actor, a [`Trader`]. It has
//! the exchange beside it over prices in memory; where prices come as messages, that is an actor too, a
//! [`Venue`].
//!
//! ```
//! use backtest::strategy::{Backtest, Size, Strategy, StrategyContext};
//! # use backtest::messages::{Bar, Timestamp};
//! /// Buys after three falling closes, and sells after three rising ones.
//! struct Reversal;
//!
//! impl Strategy for Reversal {
//!     fn next(&mut self, ctx: &mut StrategyContext<'_>) {
//!         let [.., a, b, c, d] = ctx.bars() else { return };
//!         if ctx.is_flat() && a.close > b.close && b.close > c.close && c.close > d.close {
//!             ctx.buy(Size::All);
//!         } else if a.close < b.close && b.close < c.close && c.close < d.close {
//!             ctx.close();
//!         }
//!     }
//! }
//!
//! # let bar = |i: u32| { let close = [9.0, 8.0, 7.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0][i as usize];
//! #     Bar { timestamp: Timestamp::from_nanos(i64::from(i) * 86_400_000_000_000), open: close, high: close,
//! #           low: close, close, volume: 1.0, close_ticks: close as i64, index: i, asset: 0 } };
//! # let bars: Vec<Bar> = (0..9).map(bar).collect();
//! let report = Backtest::new(bars).cash(700.0).run(Reversal)?;
//! assert_eq!((report.trades[0].entry_price, report.trades[0].exit_price), (7.0, 10.0));
//! assert_eq!(report.statistics.equity_final, 1_000.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
mod desk;
mod feed;
mod heard;
mod history;
mod host;
mod journal;
mod past;
mod replay;
mod run;
mod ticket;
mod trader;
mod venue;

pub use self::context::{OpenOrder, OrderId, StrategyContext};
pub use self::desk::Desk;
pub use self::feed::{MarketFeed, OnBus};
pub use self::journal::{Journal, OpenPosition, OrderRecord, Trade};
pub use self::run::{Backtest, Report};
pub use self::ticket::{Size, Ticket};
pub use self::trader::Trader;
pub use self::venue::Venue;

/// Decides, bar by bar, what to buy and sell.
pub trait Strategy: Send + 'static {
    /// The latest bar has closed, and everything that was filled in it is known. Called once for each bar, in
    /// order.
    fn next(&mut self, ctx: &mut StrategyContext<'_>);
}

/// A closure is a strategy.
impl<F: FnMut(&mut StrategyContext<'_>) + Send + 'static> Strategy for F {
    #[inline]
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        self(ctx);
    }
}
