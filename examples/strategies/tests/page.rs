//! The code of `examples/backtest/README.md` that is no file of its own, compiled; `tests/tests/blocks.rs`
//! compares it with the page.
#![allow(dead_code, reason = "it reads files that are not here")]
#![allow(non_local_definitions, reason = "the page has both in one block")]
#![allow(clippy::new_ret_no_self, reason = "the page calls the function that it makes a program of so")]
#![forbid(unsafe_code)]

use backtest::prelude::*;
use backtest::strategy::OnBus;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

struct RsiStop {
    rsi: Rsi,
    levels: (f64, f64),
    stop_share: f64,
}

impl RsiStop {
    fn new(window: usize, levels: (f64, f64), stop_share: f64) -> Self {
        Self { rsi: Rsi::new(window), levels, stop_share }
    }
}

fn a_strategy() -> Result {
    impl Strategy for RsiStop {
        fn next(&mut self, ctx: &mut StrategyContext<'_>) {
            let Some(rsi) = self.rsi.push(ctx.price()) else { return };
            if rsi < self.levels.0 && ctx.is_flat() {
                ctx.buy(Ticket::all().stop_loss(ctx.price() * (1.0 - self.stop_share)));
            } else if rsi > self.levels.1 {
                ctx.close();
            }
        }
    }

    let series = backtest::data::load("prices.csv".as_ref(), None)?;
    let strategy = RsiStop::new(14, (30.0, 70.0), 0.1);
    let report = Backtest::new(series.bars).commission(Share(0.002)).run(strategy)?;
    println!("{:?}\n{:#?}", report.statistics, report.trades);
    Ok(())
}

fn hours(bars: Vec<Bar>) -> Result {
    let backtest = Backtest::new(bars).session("09:30-16:00 America/New_York".parse()?);
    drop(backtest);
    Ok(())
}

fn assets(ibm: Vec<Bar>, msft: Vec<Bar>) {
    let backtest = Backtest::of([("IBM", ibm), ("MSFT", msft)]).terms("MSFT", |terms| terms.lot = 0.1);
    drop(backtest);
}

fn books(ctx: &mut StrategyContext<'_>) -> Option<()> {
    let bid = ctx.depth()?.bid(); // price and size; `bids()` has all levels
    ctx.buy(Ticket::new(3).limit(bid.price)); // the last in the queue at that price
    Some(())
}

fn live(backtest: &Backtest, strategy: impl Strategy, bus: &mycelium::MessageBus) -> Result {
    let OnBus { venue, trader, feed } = backtest.on_bus(strategy)?;
    bus.spawn(venue)?; // the exchange simulator
    bus.spawn(trader)?; // hosts the strategy
    bus.spawn_service(feed.speed(60.0))?; // publishes the prices in their own time: here a minute in a second
    Ok(())
}

mod program {
    use super::*;

    struct RsiStop;
    impl RsiStop {
        fn new(window: usize, low: f64, high: f64) -> impl Strategy {
            super::RsiStop::new(window, (low, high), 0.1)
        }
    }

    backtest::main!(RsiStop::new(window: usize = 14, low: f64 = 30.0, high: f64 = 70.0) where low < high);
}
