//! What a fill costs, how much of a size there is, and what nobody may see.

use std::path::Path;

use backtest::engine::{AtEnd, Fixed, FundingEvery, Ready, Share};
use backtest::messages::{Bar, OrderCause, OrderStatus, Quote, Timestamp};
use backtest::program::Program;
use backtest::strategy::{Backtest, Report, StrategyContext};
use serde_json::Value;

use crate::common::{bars, on_bar};
use crate::searches::Above;

const CALM: (f64, f64, f64, f64) = (100.0, 101.0, 99.0, 100.0);

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

/// A quote for five units at so many milliseconds.
fn quote(ms: i64, bid: f64, ask: f64) -> Quote {
    let timestamp = Timestamp::from_nanos(ms * 1_000_000);
    Quote { timestamp, bid, ask, bid_size: 5.0, ask_size: 5.0, index: 0, asset: 0 }
}

#[test]
fn a_size_that_stands_is_filled_once() {
    // Asks that are each for 5 units.
    let of = |asks: &[(f64, f64)]| -> Vec<Quote> {
        let one = |(ms, (ask, ask_size)): (i64, &(f64, f64))| Quote {
            ask_size: *ask_size,
            bid: 99.0 - ms as f64 * 0.01,
            ..quote(ms, 99.0, *ask)
        };
        (0..).zip(asks).map(one).collect()
    };
    let filled = |asks: &[(f64, f64)]| {
        let backtest = Backtest::of([("X", of(asks))]).at_end(AtEnd::Keep).participation(1.0);
        let report = run(&backtest, on_bar(0, |ctx| _ = ctx.buy(30)));
        report.orders[0].filled
    };
    // Whatever the bid does.
    assert_eq!(filled(&[(100.0, 10.0); 5]), 10.0, "10 units stood there, and no more");
    assert_eq!(filled(&[(100.0, 10.0), (100.0, 10.0), (101.0, 10.0), (101.0, 10.0)]), 20.0, "a new price");
    assert_eq!(filled(&[(100.0, 10.0), (100.0, 10.0), (100.0, 12.0), (100.0, 12.0)]), 22.0, "a new size");
    assert_eq!(filled(&[(100.0, 10.0), (101.0, 10.0), (100.0, 10.0), (101.0, 5.0)]), 25.0, "three new ones");
    // What is left of a size is there for the next order.
    let backtest = Backtest::of([("X", of(&[(100.0, 10.0); 6]))]).at_end(AtEnd::Keep).participation(1.0);
    let report = run(&backtest, |ctx| _ = ctx.buy(4));
    let filled: Vec<f64> = report.orders.iter().map(|order| order.filled).collect();
    assert_eq!(filled[..3], [4.0, 4.0, 2.0]);
    assert_eq!(filled.iter().sum::<f64>(), 10.0);
    // Also where nothing is asked for in between: it was gone, and is shown anew.
    let rows = [(100.0, 10.0), (100.0, 10.0), (101.0, 10.0), (100.0, 10.0), (100.0, 10.0)];
    let backtest = Backtest::of([("X", of(&rows))]).at_end(AtEnd::Keep).participation(1.0);
    let report = run(&backtest, |ctx| {
        if matches!(ctx.quotes().len(), 1 | 4) {
            ctx.buy(10);
        }
    });
    assert_eq!(report.orders.iter().map(|order| order.filled).collect::<Vec<_>>(), [10.0, 10.0]);
}

#[test]
fn a_cost_that_is_no_number_ends_the_run_with_a_cause() {
    let wrong = |backtest: Backtest| {
        let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
            0 => _ = ctx.buy(10),
            2 => _ = ctx.close(),
            _ => {}
        };
        backtest.run(strategy).expect_err("no account can be kept").to_string()
    };
    let calm = || Backtest::new(bars(&[CALM; 5]));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let text = wrong(calm().commission(move |_units: f64, _price: f64| number));
        assert!(text.contains("commission") && text.contains("finite"), "{text}");
    }
    // Of the exit alone.
    let late = |_units: f64, price: f64| if price == 100.0 { 0.0 } else { f64::NAN };
    let mut prices = [CALM; 5];
    prices[3] = (100.5, 101.0, 99.0, 100.0);
    let text = wrong(Backtest::new(bars(&prices)).commission(late));
    assert!(text.contains("commission") && text.contains("10 units at 100.5"), "{text}");
    for number in [f64::NAN, f64::INFINITY, -0.5] {
        let text = wrong(calm().slippage(Fixed(number)));
        assert!(text.contains("slippage") && text.contains("at least 0"), "{text}");
    }
    let text = wrong(calm().funding(FundingEvery { hours: 8, rate: f64::NAN }));
    assert!(text.contains("funding"), "{text}");
    // A rebate is none of these.
    let rebate = calm().commission(Share(-0.001)).run(on_bar(0, |ctx| _ = ctx.buy(10)));
    assert!(rebate.expect("it runs").statistics.equity_final > 10_000.0);
}

#[test]
fn what_the_end_closes_slips_as_what_a_strategy_closes() {
    let of = |at_end| {
        let backtest = Backtest::new(bars(&[CALM; 3])).slippage(Fixed(0.5)).at_end(at_end);
        run(&backtest, on_bar(0, |ctx| _ = ctx.buy(10)))
    };
    let report = of(AtEnd::Close);
    assert_eq!((report.trades[0].entry_price, report.trades[0].exit_price), (100.5, 99.5));
    assert_eq!(report.statistics.equity_final, 10_000.0 - 10.0);
    assert_eq!(of(AtEnd::CloseAtOpen).trades[0].exit_price, 99.5);
}

/// A bar that ends when it begins would be seen at its open.
#[test]
fn bars_of_one_time_are_refused() {
    let bar = |hour: i64| Bar {
        timestamp: Timestamp::from_nanos(hour * 3_600_000_000_000),
        open: 100.0,
        high: 100.0,
        low: 100.0,
        close: 100.0,
        ..Bar::default()
    };
    let rows = || [0, 1, 2, 2, 3].map(bar).to_vec();
    for backtest in [Backtest::of([("A", rows()), ("B", [0, 1, 2].map(bar).to_vec())]), Backtest::new(rows())]
    {
        let error = backtest.run(|_: &mut StrategyContext<'_>| {}).expect_err("two of one time").to_string();
        assert!(error.contains("row 3") && error.contains("has the time of the row above"), "{error}");
    }
}

/// A point that the constraint forbids is drawn anew: the run's own would make the paths look steadier than
/// they are.
#[test]
fn perturbed_parameters_that_are_forbidden_are_drawn_anew() {
    let program = || -> Program<Above> {
        backtest::program!(Above::new(window: usize = 50, margin: f64 = 0.0) where window < 52)
    };
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let folder = tempfile::tempdir().expect("a folder");
    let run = |more: &[&str]| {
        let data =
            ["it", "monte-carlo", "--data", stocks.to_str().expect("a plain path"), "--symbol", "GOOG"];
        let paths = ["--method", "parameters", "--paths", "200", "--json", "--out"];
        let out = folder.path().to_str().expect("a plain path");
        let flags = [&data[..], &paths, &[out], more].concat();
        let text = program().execute(flags).expect("it runs");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let result = run(&[]);
    let own = result["history"]["return_pct"].as_f64().expect("a number");
    let rows = std::fs::read_to_string(folder.path().join("paths.csv")).expect("written");
    let of_row =
        |row: &str| row.split(',').nth(1).and_then(|text| text.parse::<f64>().ok()).expect("a number");
    let unmoved = rows.lines().skip(1).filter(|row| of_row(row) == own).count();
    // The own window is one of the twelve from 40 to 51.
    assert!(unmoved < 40, "{unmoved} of 200 paths are the run itself");
    assert!(result["redrawn"].as_u64().is_some_and(|count| count > 40), "{result}");
    assert_eq!(run(&[])["digest"], result["digest"], "the same again");
}

/// A strategy that asked for it trades what has a price, and hears why it cannot trade the rest.
#[test]
fn a_strategy_may_begin_before_all_assets_have_a_price() {
    let late: Vec<Bar> = bars(&[CALM; 6]).into_iter().skip(3).collect();
    let backtest = Backtest::of([("A", bars(&[CALM; 6])), ("B", late)]).at_end(AtEnd::Keep);
    let calls = |ready| {
        let strategy = |ctx: &mut StrategyContext<'_>| {
            if ctx.bar().index == 0 {
                ctx.buy(1);
                ctx.asset("B").buy(1);
            }
            if ctx.asset("B").price() > 0.0 && ctx.asset("B").is_flat() {
                ctx.asset("B").buy(2);
            }
        };
        run(&backtest.clone().ready_when(ready), strategy)
    };
    let (all, any) = (calls(Ready::All), calls(Ready::Any));
    assert_eq!((all.orders.len(), all.orders[0].placed_bar), (1, 0), "called on the first bar of B");
    assert_eq!(any.open_trades.iter().map(|trade| trade.size).collect::<Vec<_>>(), [1.0, 2.0]);
    let refused = &any.orders[1];
    assert_eq!((refused.status, refused.cause), (OrderStatus::Rejected, OrderCause::NoPrice));
    assert!(any.notes.iter().any(|note| note.contains("had no price yet")), "{:?}", any.notes);
}
