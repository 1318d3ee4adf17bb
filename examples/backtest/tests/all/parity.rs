//! Trades and figures of backtesting.py 0.6.6, which `tests/oracle/backtesting_py.py` has written.

use std::path::{Path, PathBuf};

use backtest::config::Pair;
use backtest::crossover::{Crossover, Signal};
use backtest::data;
use backtest::engine::{AtEnd, Intrabar, Share};
use backtest::indicators::{Indicator, Rsi};
use backtest::strategy::{Backtest, Report, Size, Strategy, StrategyContext, Ticket};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// GOOG on the terms of backtesting.py.
fn goog() -> Backtest {
    let series = data::load(&folder().join("data/stocks.csv"), Some("GOOG")).expect("the example's data");
    Backtest::new(series.bars).intrabar(Intrabar::NextBar).at_end(AtEnd::Keep)
}

fn crossover() -> Crossover {
    Crossover::new(Pair { fast: 10, slow: 30 })
}

fn sma() -> impl Strategy {
    let mut crossover = crossover();
    move |ctx: &mut StrategyContext<'_>| {
        let Some(signal) = crossover.push(ctx.bar().close_ticks) else { return };
        ctx.close();
        match signal {
            Signal::Up => ctx.buy(Size::All),
            Signal::Down => ctx.sell(Size::All),
        };
    }
}

fn rsi() -> impl Strategy {
    let mut rsi = Rsi::new(14);
    move |ctx: &mut StrategyContext<'_>| {
        let Some(value) = rsi.push(ctx.price()) else { return };
        if value < 30.0 && ctx.is_flat() {
            ctx.buy(Ticket::all().stop_loss(ctx.price() * 0.9));
        } else if value > 70.0 {
            ctx.close();
        }
    }
}

fn bracket() -> impl Strategy {
    let mut crossover = crossover();
    move |ctx: &mut StrategyContext<'_>| {
        let signal = crossover.push(ctx.bar().close_ticks);
        let (Some(signal), true) = (signal, ctx.is_flat()) else { return };
        let side = if signal == Signal::Up { 1.0 } else { -1.0 };
        let price = ctx.price();
        let ticket =
            Ticket::all().stop_loss(price * (1.0 - 0.04 * side)).take_profit(price * (1.0 + 0.06 * side));
        if signal == Signal::Up {
            ctx.buy(ticket)
        } else {
            ctx.sell(ticket)
        };
    }
}

fn limit(ctx: &mut StrategyContext<'_>) {
    let (at, price) = (ctx.bar().index, ctx.price());
    if at % 20 == 10 && ctx.is_flat() {
        ctx.cancel_all();
    }
    if at != 0 && at % 20 == 0 && ctx.is_flat() && ctx.orders().is_empty() {
        let ticket = Ticket::new(10).limit(price * 0.98);
        ctx.buy(ticket.stop_loss(price * 0.92).take_profit(price * 1.04));
    }
}

fn stop(ctx: &mut StrategyContext<'_>) {
    let (at, price) = (ctx.bar().index, ctx.price());
    if at != 0 && at % 30 == 0 {
        ctx.cancel_all();
        ctx.buy(Ticket::new(7).stop(price * 1.03));
        ctx.sell(Ticket::new(4).stop(price * 0.97));
    }
}

fn parts(ctx: &mut StrategyContext<'_>) {
    match ctx.bar().index {
        0 => {}
        at if at % 40 == 0 => _ = ctx.buy(3),
        at if at % 40 == 25 => _ = ctx.sell(5),
        _ => {}
    }
}

/// Compares trade by trade and figure by figure, and returns how many figures were compared.
fn compare(name: &str, report: &Report) -> usize {
    let text = std::fs::read_to_string(folder().join("tests/data/backtesting_py.json")).expect("the figures");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let mut trades = report.trades.clone();
    trades.sort_by_key(|trade| (trade.exit_bar, trade.entry_bar));
    let rows: Vec<Vec<f64>> = serde_json::from_value(all[name]["trades"].clone()).expect("rows");
    for (at, (trade, row)) in trades.iter().zip(&rows).enumerate() {
        let (entry, exit) = (f64::from(trade.entry_bar), f64::from(trade.exit_bar));
        let got = [trade.size, entry, exit, trade.entry_price, trade.exit_price, trade.commission];
        assert!(got.iter().zip(row).all(|(a, b)| near(*a, *b)), "{name} trade {at}: {got:?} is not {row:?}");
    }
    assert_eq!(trades.len(), rows.len(), "{name}");
    let figures = serde_json::to_value(report.figures.expect("there are bars")).expect("JSON");
    let mut compared = 0;
    for (key, expected) in all[name]["figures"].as_object().expect("figures") {
        let (mut got, expected) = (figures[key].as_f64(), expected.as_f64());
        if key.ends_with("mean_days") {
            // backtesting.py shows whole days.
            got = got.map(f64::ceil);
        }
        let agree = got.zip(expected).map_or(got == expected, |(a, b)| near(a, b));
        assert!(agree, "{name} {key}: {got:?} is not {expected:?}");
        compared += 1;
    }
    compared
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= TOLERANCE * b.abs().max(1.0)
}

#[test]
fn trades_and_figures_are_those_of_backtesting_py() {
    fn run(backtest: &Backtest, strategy: impl Strategy) -> Report {
        backtest.run(strategy).expect("it runs")
    }
    let mut compared = 0;
    let cost = |share| goog().commission(Share(share));
    compared += compare("sma", &run(&goog(), sma()));
    compared += compare("sma_commission", &run(&cost(0.002), sma()));
    compared += compare("sma_finalized", &run(&cost(0.002).at_end(AtEnd::CloseAtOpen), sma()));
    compared += compare("sma_spread", &run(&goog().spread(0.001), sma()));
    compared += compare("rsi_stop", &run(&cost(0.001), rsi()));
    compared += compare("bracket", &run(&cost(0.002), bracket()));
    compared += compare("limit", &run(&cost(0.001), limit));
    compared += compare("stop", &run(&cost(0.001).cash(100_000.0), stop));
    compared += compare("parts", &run(&cost(0.001).cash(100_000.0), parts));
    let margin = |times: f64| cost(0.001).leverage(times);
    compared += compare("margin", &run(&margin(2.0), sma()));
    compared += compare("margin_bracket", &run(&margin(4.0).cash(5_000.0), bracket()));
    let per_unit = |units: f64, _price: f64| 0.02 * units;
    compared += compare("commission_function", &run(&goog().commission(per_unit), sma()));
    assert_eq!(compared, 12 * 30 - 2, "without commissions there is no figure of them");
}
