//! The command line of a strategy of one's own.
#![forbid(unsafe_code)]

use std::path::Path;

use backtest::commands::{OwnArgs, execute_strategy};
use backtest::indicators::{Indicator, Sma};
use backtest::strategy::{Size, StrategyContext};
use clap::Parser;

/// Long above the average of 50 bars.
fn above() -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let mut average = Sma::new(50);
    move |ctx| match average.push(ctx.price()) {
        Some(average) if ctx.price() > average && ctx.is_flat() => _ = ctx.buy(Size::All),
        Some(average) if ctx.price() < average => _ = ctx.close(),
        _ => {}
    }
}

fn run(flags: &[&str]) -> Result<String, String> {
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let data = ["mine", "--data", stocks.to_str().expect("a plain path"), "--symbol", "GOOG"];
    let args = OwnArgs::try_parse_from([&data, flags].concat()).map_err(|error| error.to_string())?;
    execute_strategy(&args, above()).map_err(|error| error.to_string())
}

#[test]
fn it_prints_figures_and_notes_and_writes_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("new");
    let text = run(&["--commission", "0.002", "--out", out.to_str().expect("a path")]).expect("it runs");
    for part in ["GOOG: 2148 bars from 2004-08-19 to 2013-03-01", "sortino ", "kelly "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let lines = |name: &str| std::fs::read_to_string(out.join(name)).expect("it was written").lines().count();
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("report.json")).expect("it was written"))
            .expect("JSON");
    let trades = json["figures"]["trades"].as_u64().expect("a number") as usize;
    assert!(trades > 20);
    assert_eq!((lines("trades.csv"), lines("equity.csv")), (trades + 1, 2149));
    assert_eq!(lines("orders.csv"), json["orders"].as_array().expect("orders").len() + 1);
    let none = run(&["--cash", "50"]).expect("it runs");
    assert!(none.contains("note: no order could be filled: 50 buys no lot at"), "{none}");
}

#[test]
fn mistakes_name_the_flag_or_the_term() {
    assert!(run(&["--commission", "2"]).expect_err("refused").contains("--commission is 2"));
    assert!(run(&["--lot", "0"]).expect_err("refused").contains("`lot` is 0"));
    assert!(run(&["--data", "nowhere.csv"]).is_err());
}
