//! Walk-forward, Monte Carlo and reports of a strategy of one's own.

use std::path::Path;

use backtest::engine::Share;
use backtest::prelude::*;
use backtest::program::Program;
use backtest::search::{Entries, spells};
use backtest::strategy::{Backtest, Report};
use serde_json::Value;

/// Long above the average, and flat below it.
pub(crate) struct Above {
    average: Sma,
    margin: f64,
}

impl Above {
    pub(crate) fn new(window: usize, margin: f64) -> Self {
        Self { average: Sma::new(window), margin }
    }
}

impl Strategy for Above {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let Some(average) = self.average.push(ctx.price()) else { return };
        if ctx.price() > average * (1.0 + self.margin) && ctx.is_flat() {
            ctx.buy(Size::All);
        } else if ctx.price() < average {
            ctx.close();
        }
    }
}

fn above() -> Program<Above> {
    backtest::program!(Above::new(window: usize = 50, margin: f64 = 0.0))
}

/// Runs a command on the GOOG bars.
fn on_goog(command: &str, flags: &[&str]) -> Result<String, String> {
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let data = ["it", command, "--data", stocks.to_str().expect("a plain path"), "--symbol", "GOOG"];
    above().execute([&data, flags].concat()).map_err(|error| error.to_string())
}

fn json(command: &str, flags: &[&str]) -> Value {
    let text = on_goog(command, &[flags, &["--json"]].concat()).expect("it runs");
    serde_json::from_str(&text).expect("JSON and nothing else")
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).expect("it was written")
}

const RANGES: [&str; 4] = ["--window", "10..=100:30", "--objective", "return_pct"];

#[test]
fn a_walk_forward_chooses_on_the_past_alone_and_trades_each_bar_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    let lengths = ["--train", "500", "--test", "200", "--out", out];
    let walked = json("walk-forward", &[&RANGES[..], &lengths].concat());
    let folds = walked["folds"].as_array().expect("folds");
    assert_eq!(folds.len(), (2148 - 500_usize).div_ceil(200));
    // The choice is what a sweep over these bars alone finds best.
    let series =
        backtest::data::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv"), Some("GOOG"))
            .expect("the example's data");
    let renumbered = |bars: &[Bar]| -> Vec<Bar> {
        bars.iter().enumerate().map(|(at, bar)| Bar { index: at as u32, ..*bar }).collect()
    };
    let mut equity = 10_000.0;
    for (number, fold) in folds.iter().enumerate() {
        let start = 500 + number * 200;
        let windows = [10_usize, 40, 70, 100];
        let train = Backtest::new(renumbered(&series.bars[start - 500..start]));
        let returns: Vec<f64> = windows
            .iter()
            .map(|window| train.outcome(Above::new(*window, 0.0)).expect("it runs").statistics.return_pct)
            .collect();
        let best = (0..4).reduce(|a, b| if returns[b] > returns[a] { b } else { a }).expect("four");
        assert_eq!(fold["point"]["window"], windows[best] as f64, "fold {number}: {returns:?}");
        assert_eq!(fold["score"], returns[best], "fold {number}");
        equity *= 1.0 + fold["outside_return_pct"].as_f64().expect("a number") / 100.0;
    }
    // An order of the last training bar is filled on the first test bar, whose profit counts.
    let whole = walked["figures"]["return_pct"].as_f64().expect("a number");
    assert!((whole - (equity / 100.0 - 100.0)).abs() < 1e-6, "{whole} of {equity}");
    let end = walked["figures"]["equity_final"].as_f64().expect("a number");
    assert!((equity - end).abs() < 1e-6 * end, "the tests compound: {equity} is not {end}");
    let trades = read(folder.path(), "trades.csv");
    let closed = folds.iter().map(|fold| fold["trades"].as_u64().expect("a number")).sum::<u64>();
    assert_eq!(trades.lines().count() as u64, closed + 1);
    assert_eq!(read(folder.path(), "equity.csv").lines().count(), 2148 - 500 + 1);
    // No trade begins before the first test bar, and none spans two tests.
    let mut reader = csv::Reader::from_reader(trades.as_bytes());
    let names = reader.headers().expect("a header").clone();
    let column = |wanted: &str| names.iter().position(|name| name == wanted).expect("a column");
    let (entry, exit) = (column("entry_bar"), column("exit_bar"));
    let bars: Vec<(usize, usize)> = reader
        .records()
        .map(|row| row.expect("a row"))
        .map(|row| (row[entry].parse().expect("a bar"), row[exit].parse().expect("a bar")))
        .collect();
    assert!(bars.iter().all(|(entry, exit)| entry / 200 == exit / 200 && *exit < 1648), "{bars:?}");
    assert!(read(folder.path(), "report.html").contains("Above on GOOG, walk-forward"));
}

#[test]
fn the_profit_of_the_first_test_bar_is_in_the_figures() {
    let mut differ = 0;
    for train in ["240", "250", "260", "270"] {
        let walked = json("walk-forward", &["--window", "20", "--train", train, "--test", "40"]);
        let folds = walked["folds"].as_array().expect("folds");
        let growth = |fold: &Value| 1.0 + fold["outside_return_pct"].as_f64().expect("a number") / 100.0;
        let expected = (folds.iter().map(growth).product::<f64>() - 1.0) * 100.0;
        let whole = walked["figures"]["return_pct"].as_f64().expect("a number");
        assert!((whole - expected).abs() < 1e-6, "{train}: {whole} is not {expected}");
        differ += usize::from(walked["figures"]["exposure_pct"].as_f64() > Some(0.0));
    }
    assert_eq!(differ, 4);
}

#[test]
fn an_order_on_the_close_of_the_last_training_bar_is_filled_at_that_close() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--window", "20", "--train", "250", "--test", "40", "--fill", "on-close"];
    let out = ["--out", folder.path().to_str().expect("a path")];
    let walked = json("walk-forward", &[&flags[..], &out].concat());
    let folds = walked["folds"].as_array().expect("folds");
    let growth = |fold: &Value| 1.0 + fold["outside_return_pct"].as_f64().expect("a number") / 100.0;
    let expected = (folds.iter().map(growth).product::<f64>() - 1.0) * 100.0;
    let whole = walked["figures"]["return_pct"].as_f64().expect("a number");
    assert!((whole - expected).abs() < 1e-6, "what the first night brings counts: {whole}, {expected}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let series = backtest::data::load(&file, Some("GOOG")).expect("the example's data");
    let day = |at: usize| backtest::data::format_timestamp(series.bars[at].timestamp);
    let trades = read(folder.path(), "trades.csv");
    let mut reader = csv::Reader::from_reader(trades.as_bytes());
    let names = reader.headers().expect("a header").clone();
    let column = |wanted: &str| names.iter().position(|name| name == wanted).expect("a column");
    let (time, price) = (column("entry_time"), column("entry_price"));
    let mut before_tests = 0;
    for row in reader.records().map(|row| row.expect("a row")) {
        let at = (0..series.bars.len()).find(|at| day(*at) == row[time]).expect("a bar of that time");
        assert_eq!(row[price].parse(), Ok(series.bars[at].close), "{row:?}");
        assert!(at >= 249, "nothing is filled on earlier bars: {row:?}");
        before_tests += usize::from((at + 1 - 250) % 40 == 0);
    }
    assert!(before_tests > 5, "{before_tests} trades begin at the close before a test: {trades}");
}

#[test]
fn an_anchored_walk_keeps_all_of_the_past() {
    let lengths = ["--train", "1000", "--test", "300", "--anchored"];
    let walked = json("walk-forward", &[&RANGES[..], &lengths].concat());
    let folds = walked["folds"].as_array().expect("folds");
    assert!(folds.iter().all(|fold| fold["train"][0] == "2004-08-19"), "{folds:?}");
    assert_eq!(folds.len(), 4);
    let text = on_goog("walk-forward", &[&RANGES[..], &lengths].concat()).expect("it runs");
    assert!(text.contains("walk_forward_efficiency") && text.contains("chosen"), "{text}");
    for (flags, part) in [
        (["--train", "0"], "both lengths must be at least 1"),
        (["--train", "5000"], "needs 5001 bars and the data has 2148"),
        (["--test", "0"], "both lengths must be at least 1"),
    ] {
        let error = on_goog("walk-forward", &flags).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn monte_carlo_follows_from_its_seed_by_each_method() {
    for method in ["prices", "returns", "shuffle", "trades", "parameters", "entries"] {
        let run = |seed: &str, threads: &str| {
            let flags = ["--method", method, "--paths", "60", "--seed", seed, "--threads", threads];
            json("monte-carlo", &flags)
        };
        let first = run("1", "1");
        assert_eq!(first["digest"], run("1", "3")["digest"], "{method}");
        assert_ne!(first["digest"], run("2", "2")["digest"], "{method}");
        assert_eq!(first["risk"]["paths"], 60, "{method}");
        let risk = |name: &str| first["risk"][name].as_f64().expect("a number");
        assert!(risk("median_drawdown_pct") < 0.0, "{method}");
        if method == "shuffle" {
            // Each trade once: all paths end where the run did.
            assert!(risk("deviation_pct") < 1e-6 * risk("mean_pct").abs(), "{first}");
            let ran = first["history"]["return_pct"].as_f64().expect("a number");
            assert!((risk("mean_pct") - ran).abs() < 1e-6 * ran.abs(), "{first}");
        } else {
            assert!(risk("deviation_pct") > 1.0, "{method}: {first}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    let text = on_goog("monte-carlo", &["--paths", "50", "--out", out]).expect("it runs");
    for part in ["Above with window 50, margin 0", "95 % value at risk", "█", "method Prices, seed 1"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(read(folder.path(), "paths.csv").lines().count(), 51);
    let error = on_goog("monte-carlo", &["--method", "trades", "--cash", "1"]).expect_err("no trades");
    assert!(error.contains("needs trades, and there were none"), "{error}");
    let error = on_goog("monte-carlo", &["--perturb", "2"]).expect_err("refused");
    assert!(error.contains("--perturb is 2"), "{error}");
}

#[test]
fn spells_at_their_own_bars_are_the_run_again() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let bars = backtest::data::load(&file, Some("GOOG")).expect("the example's data").bars;
    let backtest = Backtest::new(bars).commission(Share(0.002)).spread(0.001);
    // Turns at some bars, and is out between others.
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index % 90 {
        10 => _ = ctx.target(Size::Equity(0.8)),
        30 => {
            ctx.close();
            ctx.target(Size::Equity(-0.5));
        }
        50 => _ = ctx.close(),
        _ => {}
    };
    let run = backtest.run(strategy).expect("it runs");
    let found = spells(&run.trades, &run.equity, 10_000.0);
    assert_eq!(found.len(), 2 * (2148_usize.div_ceil(90)));
    let again = backtest.run(Entries::new(found)).expect("it runs");
    let places = |report: &Report| -> Vec<(u32, u32, bool)> {
        report.trades.iter().map(|trade| (trade.entry_bar, trade.exit_bar, trade.size > 0.0)).collect()
    };
    assert_eq!(places(&again), places(&run));
    // Sizes are shares of the equity at the bar before, which the open has left: they differ by a little.
    let (ran, once_more) = (run.statistics.equity_final, again.statistics.equity_final);
    assert!((once_more / ran - 1.0).abs() < 0.02, "{once_more} is not {ran}");
}

#[test]
fn foresight_is_told_from_chance() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let bars = backtest::data::load(&file, Some("GOOG")).expect("the example's data").bars;
    // Weeks of which the second half rises: it is in the market then, and knows it beforehand.
    let rises: Vec<bool> = bars
        .iter()
        .map(|bar| bars.get(bar.index as usize + 5).is_some_and(|later| later.close > bar.close))
        .collect();
    let p = |chooses: &'static str| {
        let rises = rises.clone();
        let program = backtest::program::Program::new("Chooser", Vec::new(), move |_: &[f64]| {
            let rises = rises.clone();
            move |ctx: &mut StrategyContext<'_>| {
                let bar = ctx.bar().index as usize;
                match (bar % 5, chooses) {
                    (0, "foresight") if rises[bar] => _ = ctx.target(Size::Equity(0.9)),
                    (0, "calendar") if bar.is_multiple_of(10) => _ = ctx.target(Size::Equity(0.9)),
                    (0, _) => _ = ctx.close(),
                    _ => {}
                }
            }
        });
        let data = file.to_str().expect("a path");
        let line = ["it", "monte-carlo", "--data", data, "--symbol", "GOOG", "--method", "entries", "--json"];
        let text = program.execute([&line[..], &["--paths", "99"]].concat()).expect("it runs");
        let found: Value = serde_json::from_str(&text).expect("JSON");
        found["p_value"].as_f64().expect("a number")
    };
    assert_eq!(p("foresight"), 0.01, "none of 99 does as well");
    let calendar = p("calendar");
    assert!((0.05..0.95).contains(&calendar), "{calendar}");
}

/// Chance pays the market's price, so a run that has waited for its own differs by that as well.
#[test]
fn entries_of_limits_are_told() {
    let limited = |limit: f64| {
        let program = backtest::program::Program::new("Limits", Vec::new(), move |_: &[f64]| {
            move |ctx: &mut StrategyContext<'_>| match ctx.bar().index % 20 {
                0 if limit > 0.0 => _ = ctx.buy(Ticket::new(5).limit(ctx.price() * limit)),
                0 => _ = ctx.buy(5),
                // A limit that closes is none of an entry.
                10 => _ = ctx.sell(Ticket::new(Size::All).limit(ctx.price() * 0.5).reduce_only()),
                _ => {}
            }
        });
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
        let data = file.to_str().expect("a path");
        let line = ["it", "monte-carlo", "--data", data, "--symbol", "GOOG", "--method", "entries", "--json"];
        let text = program.execute([&line[..], &["--paths", "9"]].concat()).expect("it runs");
        let found: Value = serde_json::from_str(&text).expect("JSON");
        found["entered_at_limits"].clone()
    };
    assert_eq!((limited(1.0), limited(0.0)), (true.into(), false.into()));
}

/// What a page holds for its script.
fn held(html: &str) -> Value {
    let start = "<script type=\"application/json\" id=\"data\">";
    let text = html.split(start).nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data");
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_report_holds_all_of_a_search_and_asks_no_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    let flags = ["--margin", "0..=0.02:0.01", "--train", "500", "--test", "500", "--out"];
    let text = on_goog("report", &[&RANGES[..], &flags, &[file.to_str().expect("a path")]].concat());
    let text = text.expect("it runs");
    for part in ["Deflated Sharpe ratio", "Probability of overfitting, over 252 splits", "wrote "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let html = std::fs::read_to_string(&file).expect("a page");
    for part in ["http:", "https:", "src=", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!html.contains(part), "the page refers to {part}");
    }
    assert!(html.contains("Permission is hereby granted"), "the licence of the charts is there");
    let data = held(&html);
    assert_eq!(data["times"].as_array().expect("times").len(), 2148);
    assert_eq!(data["search"]["rows"].as_array().expect("rows").len(), 12);
    assert_eq!(data["folds"]["folds"].as_array().expect("folds").len(), 4);
    assert_eq!(data["trades"].as_array().expect("trades").len(), data["trades_total"]);
    let drawdown = data["drawdown"].as_array().expect("a curve");
    let deepest = drawdown.iter().filter_map(Value::as_f64).fold(0.0, f64::min);
    let figures = data["figures"].as_array().expect("figures");
    let figure =
        |name: &str| figures.iter().find(|row| row["name"] == name).expect("a figure")["value"].clone();
    assert!((deepest - figure("drawdown_max_pct").as_f64().expect("a number")).abs() < 1e-9);
    let days: u64 =
        data["returns"]["counts"].as_array().expect("counts").iter().filter_map(Value::as_u64).sum();
    assert_eq!(days, 2147, "each day after the first is in one column");
    let years = data["months"].as_array().expect("years");
    let grown = years.iter().fold(1.0, |all, year| all * (1.0 + year[2].as_f64().expect("a number") / 100.0));
    assert!(((grown - 1.0) * 100.0 - figure("return_pct").as_f64().expect("a number")).abs() < 1e-6);
    assert_eq!(data["drawdowns"][0][3], deepest);
}

#[test]
fn the_page_of_a_walk_has_the_figures_of_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    // The first test bar earns: its order is of the last bar before.
    let flags = ["--window", "2..=10:4", "--train", "500", "--test", "400", "--out", out];
    let walked = json("walk-forward", &flags);
    let data = held(&read(folder.path(), "report.html"));
    for row in data["figures"].as_array().expect("figures") {
        let name = row["name"].as_str().expect("a name");
        assert_eq!(row["value"].as_f64(), walked["figures"][name].as_f64(), "{name}");
    }
    assert_eq!(data["times"].as_array().expect("times").len(), 2148 - 499);
    assert_eq!(data["equity"][0], 10_000.0);
    for trade in data["trades"].as_array().expect("trades") {
        let day = trade["entry"].as_str().expect("a day");
        let seconds = backtest::data::parse_timestamp(day).expect("a day").as_nanos() / 1_000_000_000;
        assert_eq!(trade["entry_s"].as_f64(), Some(seconds as f64), "{day}");
    }
}

#[test]
fn a_name_from_a_file_is_text_and_no_markup() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prices.csv");
    let row = |day: u32| format!("</script><b>,2020-01-{day:02},1,1,1,{day}\n");
    let rows: String = (1..=9).map(row).collect();
    let rows = rows.replace(",1,1,1,", ",5,9,1,");
    std::fs::write(&file, format!("Ticker,Date,Open,High,Low,Close\n{rows}")).expect("written");
    let out = folder.path().join("page.html");
    let paths = [file.to_str().expect("a path"), out.to_str().expect("a path")];
    above()
        .execute(["it", "report", "--data", paths[0], "--window", "2", "--out", paths[1]])
        .expect("it runs");
    let html = std::fs::read_to_string(&out).expect("a page");
    assert!(html.contains("Above on &lt;/script&gt;&lt;b&gt;"), "{}", &html[..200]);
    assert!(!html.contains("</script><b>"));
    held(&html);
}

#[test]
fn one_bar_makes_a_page_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, out) = (folder.path().join("prices.csv"), folder.path().join("page.html"));
    std::fs::write(&file, "Date,Open,High,Low,Close\n2020-01-01,1,2,1,2\n").expect("written");
    let paths = [file.to_str().expect("a path"), out.to_str().expect("a path")];
    above().execute(["it", "report", "--data", paths[0], "--out", paths[1]]).expect("it runs");
    let data = held(&std::fs::read_to_string(&out).expect("a page"));
    assert_eq!((data["equity"][0].as_f64(), &data["returns"]), (Some(10_000.0), &Value::Null));
    let none = above().execute(["it", "monte-carlo", "--data", paths[0]]).expect_err("too few");
    assert!(none.to_string().contains("the data has 1 bars"), "{none}");
}

#[test]
fn trades_of_a_walk_forward_have_numbers_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    on_goog("walk-forward", &[&RANGES[..], &["--train", "500", "--test", "400", "--out", out]].concat())
        .expect("it runs");
    let text = read(folder.path(), "trades.csv");
    let at = text.lines().next().and_then(|line| line.split(',').position(|name| name == "number"));
    let at = at.expect("a column of numbers");
    let number = |line: &str| line.split(',').nth(at).and_then(|field| field.parse().ok()).expect("a number");
    let numbers: Vec<u32> = text.lines().skip(1).map(number).collect();
    let different: std::collections::BTreeSet<u32> = numbers.iter().copied().collect();
    assert!(numbers.len() > 40, "{numbers:?}");
    assert_eq!(different.len(), numbers.len(), "{numbers:?}");
}
