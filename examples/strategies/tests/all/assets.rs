//! Strategies on two assets and on quotes.

use std::path::Path;

use backtest::data;
use backtest::engine::{MakerTaker, Share};
use backtest::messages::{Bar, Quote, Timestamp};
use backtest::strategy::{Backtest, StrategyContext};
use strategies::market_maker::MarketMaker;
use strategies::pairs::Pairs;

pub(crate) fn bars(symbol: &str) -> Vec<Bar> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backtest/data/stocks.csv");
    data::load(&file, Some(symbol)).expect("the example's data").bars
}

#[test]
fn pairs_trades_one_asset_against_the_other() {
    let backtest = Backtest::of([("IBM", bars("IBM")), ("MSFT", bars("MSFT"))]).cash(100_000.0).leverage(2.0);
    let report = backtest.commission(Share(0.0005)).run(Pairs::new(50, 2.0)).expect("it runs");
    assert_eq!(report.assets, ["IBM", "MSFT"]);
    let of = |asset: u16| report.trades.iter().filter(move |trade| trade.asset == asset);
    assert!(of(0).count() > 10 && of(1).count() > 10, "{} trades", report.trades.len());
    // Each entry in one asset has its opposite in the other.
    for trade in of(0) {
        let other =
            of(1).find(|other| other.entry_time == trade.entry_time).expect("both are entered together");
        assert!(other.size * trade.size < 0.0);
    }
    let profit: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    let end = report.statistics.equity_final;
    assert!((100_000.0 + profit - end).abs() < 1e-6 * end, "{profit} {end}");
}

/// Quotes about 100, two ticks wide, that jump by up to seven ticks.
pub(crate) fn quotes(count: u32) -> Vec<Quote> {
    let mut state = 7_u32;
    let quote = |index: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let middle = 9_997 + i64::from(state >> 29);
        Quote {
            timestamp: Timestamp::from_nanos(i64::from(index) * 1_000_000),
            bid: (middle - 1) as f64 / 100.0,
            ask: (middle + 1) as f64 / 100.0,
            bid_size: 10.0,
            ask_size: 10.0,
            index,
            asset: 0,
        }
    };
    (0..count).map(quote).collect()
}

#[test]
fn the_market_maker_earns_the_spread_of_a_market_that_comes_back() {
    let backtest = Backtest::of([("X", quotes(20_000))]).cash(100_000.0).leverage(5.0);
    let backtest = backtest.commission(MakerTaker { maker: -0.000_01, taker: 0.000_5 });
    let report = backtest.run(MarketMaker::new(1.0, 0.03, 10.0)).expect("it runs");
    assert!(report.trades.len() > 500, "{} trades", report.trades.len());
    assert!(report.statistics.equity_final > 100_000.0, "{}", report.statistics.equity_final);
    // Nothing was filled as a taker but what was open at the end: each trade has earned its rebates.
    let paid = report.trades.iter().filter(|trade| trade.commission > 0.0).count();
    assert!(paid <= 10, "{paid} trades have paid");
}

#[test]
fn a_name_that_is_no_asset_ends_the_run_and_says_which_there_are() {
    let backtest = Backtest::of([("IBM", bars("IBM")), ("MSFT", bars("MSFT"))]);
    let error =
        backtest.run(|ctx: &mut StrategyContext<'_>| _ = ctx.asset("FB").price()).expect_err("no such asset");
    let text = error.to_string();
    assert!(text.contains("FB") && text.contains("MSFT"), "{text}");
    let error =
        backtest.terms("FB", |_| {}).run(|_: &mut StrategyContext<'_>| {}).expect_err("no such asset");
    assert!(error.to_string().contains("FB"), "{error}");
}
