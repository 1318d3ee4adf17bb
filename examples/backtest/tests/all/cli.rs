//! The commands as a user runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use backtest::averages::Averages;
use backtest::engine::{AtEnd, Share};
use backtest::strategy::Backtest;
use serde_json::Value;

fn stocks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv")
}

fn backtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backtest")).args(arguments).output().expect("the binary runs")
}

/// Runs on the GOOG bars.
fn on_goog(command: &str, arguments: &[&str]) -> Output {
    let stocks = stocks();
    let data = [command, "--data", stocks.to_str().expect("a plain path"), "--symbol", "GOOG"];
    backtest(&[&data, arguments].concat())
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout and nothing else")
}

#[test]
fn run_prints_the_statistics() {
    let flags = ["--fast", "20", "--slow", "50", "--commission", "0.002"];
    let result = json(&on_goog("run", &[&flags[..], &["--json"]].concat()));
    assert_eq!(result["n_trades"], 20);
    assert!((result["equity_final"].as_f64().expect("a number") - 26_112.844_710_800_007).abs() < 1e-4);
    assert!(result.get("equity_curve").is_none());
    let output = on_goog("run", &flags);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in
        ["GOOG: 2148 bars from 2004-08-19 to 2013-03-01", "commission 0.2 %", "n_trades", "exposure_pct"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn run_gives_the_equity_curve_on_request() {
    let flags = [
        "--fast",
        "20",
        "--slow",
        "50",
        "--strategy",
        "flip",
        "--fill",
        "on-close",
        "--json",
        "--equity-curve",
    ];
    let result = json(&on_goog("run", &flags));
    let curve = result["equity_curve"].as_array().expect("a list");
    assert_eq!(curve.len(), 2148);
    assert_eq!(curve[0], 10_000.0);
    assert_eq!(curve[2147], result["equity_final"]);
    assert_eq!(result["timestamps"][2147], "2013-03-01");
}

#[test]
fn figures_that_are_not_defined_are_null() {
    let output = on_goog("run", &["--fast", "5000", "--slow", "20", "--json"]);
    let result = json(&output);
    assert_eq!((&result["sharpe_daily252"], &result["n_trades"]), (&Value::Null, &Value::from(0)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("too few for averages of 5000"));
}

#[test]
fn mistakes_end_with_code_2_and_a_remedy() {
    let pair = ["--fast", "5", "--slow", "20"];
    let rows: [(&[&str], &str); 7] = [
        (&["--cash", "0"], "--cash is 0, must be above 0"),
        (&["--commission", "2"], "0.2 % is 0.002"),
        (&["--spread", "nan"], "--spread is NaN"),
        (&["--strategy", "fixed"], "--units is missing"),
        (&["--strategy", "fixed", "--units", "0"], "must be at least 1"),
        (&["--strategy", "hold"], "possible values: long, flip, fixed"),
        (&["--fill", "never"], "possible values: next-open, on-close"),
    ];
    for (flags, expected) in rows {
        let output = on_goog("run", &[&pair[..], flags].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
        assert!(stderr.contains(expected), "{flags:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    let output = on_goog("run", &["--fast", "0", "--slow", "20"]);
    assert_eq!(output.status.code(), Some(2));
    let output =
        backtest(&["run", "--data", stocks().to_str().expect("a path"), "--fast", "5", "--slow", "20"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("choose one with --symbol: AAPL, FB, GOOG, IBM, MSFT"), "{stderr}");
    let output = on_goog("run", &["--symbol", "IBM", "--fast", "5", "--slow", "20"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("--data and --symbol name 2 assets, and the four actors of `run` trade bars of one")
            && stderr.contains("cargo run -p strategies --bin pairs -- run"),
        "{stderr}"
    );
    let ticks = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(ticks.path(), "Timestamp,Price\n2024-01-02 09:30:00,1\n").expect("written");
    for command in ["run", "sweep", "monte-carlo"] {
        let path = ticks.path().to_str().expect("a plain path");
        let out: &[&str] = if command == "sweep" { &["--out", "target/none"] } else { &[] };
        let grid = [command, "--data", path, "--fast", "5", "--slow", "20"];
        let output = backtest(&[&grid[..], out].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr.contains(&format!("it holds ticks, and the four actors of `{command}` trade bars")),
            "{stderr}"
        );
        assert!(stderr.contains(&format!("--bin sma-cross -- {command}`, takes ticks")), "{stderr}");
    }
    let output = on_goog("sweep", &["--fast", "9..=5", "--slow", "20", "--out", "/tmp"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no window"));
}

#[test]
fn sweep_writes_the_same_results_for_any_number_of_threads_and_run_after_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut seen: Option<(Value, Vec<u8>, Vec<u8>)> = None;
    for (at, threads) in ["1", "2", "5", "2"].into_iter().enumerate() {
        let out = folder.path().join(at.to_string());
        let out = out.to_str().expect("a path");
        let flags = ["--fast", "5..=14", "--slow", "12..=30:2", "--strategy", "flip", "--parquet", "--json"];
        let result = json(&on_goog("sweep", &[&flags[..], &["--threads", threads, "--out", out]].concat()));
        assert_eq!(result["instances"], 100);
        let read = |name: &str| std::fs::read(Path::new(out).join(name)).expect("it was written");
        let this = (result["digest"].clone(), read("results.csv"), read("results.parquet"));
        assert!(read("report.html").starts_with(b"<!doctype html>"));
        if let Some(first) = &seen {
            assert_eq!(first.0, this.0, "threads {threads}");
            assert!(first.1 == this.1 && first.2 == this.2, "threads {threads}");
        }
        seen = Some(this);
    }
    let (_, csv, parquet) = seen.expect("it ran");
    let csv = String::from_utf8(csv).expect("text");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 101);
    assert!(lines[0].starts_with("fast,slow,equity_final,return_pct,n_trades,"));
    assert!(lines[1].starts_with("5,12,") && lines[100].starts_with("14,30,"));
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

/// The figures of a grid do not depend on how the program was compiled.
#[test]
fn a_sweep_has_the_digest_of_an_optimised_build() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    let result =
        json(&on_goog("sweep", &["--fast", "5..=14", "--slow", "12..=30:2", "--out", out, "--json"]));
    assert_eq!((&result["instances"], &result["digest"]), (&100.into(), &"8c1c621e2d01c857".into()));
}

#[test]
fn the_report_needs_no_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    let output = on_goog("sweep", &["--fast", "5..=9", "--slow", "20..=24", "--out", out]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["25 instances", "ns per message", "digest of all results", "report.html"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let html = std::fs::read_to_string(folder.path().join("report.html")).expect("a page");
    for part in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(part), "the page refers to {part}");
    }
    assert!(html.contains("digest of all results") || html.contains("Digest of all results"));
}

#[test]
fn monte_carlo_follows_from_its_seed() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path");
    let run = |seed: &str, threads: &str| {
        let flags = ["--paths", "200", "--seed", seed, "--threads", threads, "--out", out, "--json"];
        json(&on_goog("monte-carlo", &flags))
    };
    let first = run("1", "1");
    assert_eq!(first["digest"], run("1", "3")["digest"]);
    assert_ne!(first["digest"], run("2", "1")["digest"]);
    let risk = |key: &str| first["risk"][key].as_f64().expect("a figure");
    assert!(risk("expected_shortfall_99_pct") >= risk("var_99_pct"));
    assert!(risk("expected_shortfall_95_pct") >= risk("var_95_pct"));
    assert!(risk("var_99_pct") >= risk("var_95_pct"));
    assert!(
        std::fs::read_to_string(folder.path().join("monte-carlo.html"))
            .expect("a page")
            .contains("value at risk")
    );
    let output = on_goog("monte-carlo", &["--paths", "50", "--out", out]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["95 % value at risk", "99 % expected shortfall", "█", "digest"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_built_in_strategy_walks_forward_and_has_a_page() {
    // As a strategy it trades as the four actors do, which close what is open at the last open.
    let series = backtest::data::load(&stocks(), Some("GOOG")).expect("the example's data");
    let terms = Backtest::new(series.bars).commission(Share(0.002)).at_end(AtEnd::CloseAtOpen);
    let flags = ["--fast", "20", "--slow", "50", "--commission", "0.002"];
    for (flip, rule) in [(false, "long"), (true, "flip")] {
        let own = terms.outcome(Averages::new(20, 50, flip)).expect("it runs").statistics.equity_final;
        let actors = json(&on_goog("run", &[&flags[..], &["--strategy", rule, "--json"]].concat()));
        let actors = actors["equity_final"].as_f64().expect("a number");
        assert!((own - actors).abs() < 1e-6, "{rule}: {own} is not {actors}");
    }
    let lengths = ["--train", "500", "--test", "400", "--json"];
    let walked =
        json(&on_goog("walk-forward", &[&["--fast", "5..=20:5", "--slow", "50,100"], &lengths[..]].concat()));
    assert_eq!(walked["folds"].as_array().map(Vec::len), Some((2148 - 500_usize).div_ceil(400)));
    let fold = &walked["folds"][0];
    assert_eq!(fold["point"]["flip"], serde_json::Value::Bool(false), "{fold}");
    let chosen = fold["chosen"].as_str().expect("text");
    assert!(chosen.starts_with("fast ") && chosen.ends_with(", flip false"), "{chosen}");
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let out = ["--fast", "20", "--out", page.to_str().expect("a plain path")];
    assert!(on_goog("report", &out).status.success());
    assert!(std::fs::read_to_string(&page).expect("a page").contains("Averages"));
    let help = backtest(&["walk-forward", "--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--anchored"));
    let wrong = backtest(&["report", "--data", "x.csv", "--fast", "50", "--slow", "20"]);
    assert_eq!(wrong.status.code(), Some(2));
}
