//! The strategies on the prices of the backtest example.

use std::path::Path;

use backtest::data;
use backtest::engine::Share;
use backtest::messages::OrderStatus;
use backtest::strategy::{Backtest, Report, Strategy};
use strategies::breakout::Breakout;
use strategies::rsi_stop::RsiStop;
use strategies::sma_cross::SmaCross;

fn goog() -> Backtest {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backtest/data/stocks.csv");
    Backtest::new(data::load(&file, Some("GOOG")).expect("the example's data").bars).commission(Share(0.002))
}

/// What holds of every run.
fn check(report: &Report, cash: f64) {
    assert_eq!(report.notes, Vec::<String>::new());
    let profit: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    let end = report.statistics.equity_final;
    assert!((cash + profit - end).abs() < 1e-6 * end, "{cash} and {profit} are not {end}");
    assert_eq!(report.statistics.n_trades as usize, report.trades.len());
    assert!(report.trades.iter().all(|trade| trade.mae_pct <= 0.0 && trade.mfe_pct >= 0.0));
    assert_eq!(report.equity.last(), Some(&end));
}

fn run(strategy: impl Strategy) -> Report {
    let report = goog().run(strategy).expect("it runs");
    check(&report, 10_000.0);
    report
}

#[test]
fn the_crossing_of_averages_turns_its_position() {
    let report = run(SmaCross::new(10, 20));
    assert!(report.trades.len() > 80);
    assert!(report.trades.windows(2).all(|pair| pair[0].size * pair[1].size < 0.0));
    // It is never out of the market for a bar: the next entry is at the price of the exit before.
    assert!(report.trades.windows(2).all(|pair| pair[0].exit_bar == pair[1].entry_bar));
}

#[test]
fn the_stop_loss_bounds_what_a_trade_loses() {
    let report = run(RsiStop::new(14, (30.0, 70.0), 0.1));
    assert!(!report.trades.is_empty());
    let stopped: Vec<_> = report.orders.iter().filter(|order| order.order.id.0 % 3 == 2).collect();
    assert_eq!(stopped.len(), report.trades.len(), "each entry has its stop loss");
    assert!(stopped.iter().any(|order| order.status == OrderStatus::Filled));
    assert!(stopped.iter().any(|order| order.status == OrderStatus::Cancelled), "some took their profit");
}

#[test]
fn the_breakout_enters_at_its_stop_and_leaves_by_the_one_that_trails() {
    let report = run(Breakout::new(50, 3.0));
    assert!(report.trades.len() > 5);
    assert!(report.trades.iter().all(|trade| trade.tag == "breakout"));
    assert!(report.trades.iter().any(|trade| trade.profit > 0.0));
}

#[test]
fn a_sweep_gives_the_same_rows_for_any_number_of_threads() {
    let pairs: Vec<(usize, usize)> = (5..9).flat_map(|fast| (20..24).map(move |slow| (fast, slow))).collect();
    let rows = |threads| {
        let finished = goog().sweep(&pairs, Some(threads), |(fast, slow)| SmaCross::new(fast, slow));
        finished.expect("it runs").rows
    };
    let (one, three) = (rows(1), rows(3));
    assert_eq!(one.len(), 16);
    assert_eq!(format!("{one:?}"), format!("{three:?}"));
    // A run that keeps everything has the same figures.
    let report = run(SmaCross::new(pairs[3].0, pairs[3].1));
    assert_eq!(format!("{:?}", report.statistics), format!("{:?}", one[3].1));
}

#[test]
fn the_strategy_of_the_readme_is_the_one_that_is_compiled() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |file: &str| std::fs::read_to_string(here.join(file)).expect("it is there");
    let (readme, program) = (text("../backtest/README.md"), text("src/bin/my-rsi.rs"));
    let (_, code) = program.split_once("#![forbid(unsafe_code)]\n\n").expect("its first lines");
    assert!(code.lines().count() < 25);
    assert!(
        readme.contains(&format!("```rust\n{code}```\n")),
        "examples/backtest/README.md shows another strategy"
    );
}
