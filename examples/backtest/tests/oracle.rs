//! Every row of an independent implementation's results, to 1e-9; and the main job to the bit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use backtest::config::{FillAt, Pair, Rule, Terms};
use backtest::data::{Actions, ReadOptions, Series, load_with};
use backtest::instance;
use backtest::ledger::Statistics;
use backtest::messages::Bar;
use backtest::source::History;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn terms(config: &Value) -> Terms {
    let number = |key: &str| config[key].as_f64().unwrap_or(0.0);
    Terms {
        rule: match config["strategy"].as_str().expect("a strategy") {
            "long" => Rule::Long,
            "flip" => Rule::Flip,
            "fixed" => Rule::Fixed,
            other => panic!("unknown strategy {other}"),
        },
        units: config["units"].as_i64().unwrap_or(0),
        cash: number("cash"),
        commission: number("commission"),
        spread: number("spread"),
        fill: if config["trade_on_close"].as_bool() == Some(true) {
            FillAt::OnClose
        } else {
            FillAt::NextOpen
        },
    }
}

fn series(config: &Value) -> Series {
    let data = config["data"].as_str().expect("a data file");
    let (file, symbol) = data.strip_suffix(']').and_then(|data| data.split_once('[')).expect("file[SYMBOL]");
    // The oracle knows nothing of splits.
    let symbol = Some(symbol.to_owned());
    let options = ReadOptions { symbol, actions: Actions::Raw, ..ReadOptions::default() };
    load_with(&folder().join("data").join(file), &options).expect("the data loads").0
}

/// Compares every row with what `run` computes, and returns how many figures agreed.
fn compare(run: impl Fn(&[Bar], Pair, &Terms) -> Statistics) -> usize {
    let text = std::fs::read_to_string(folder().join("tests/data/oracle.json")).expect("the oracle's file");
    let oracle: Value = serde_json::from_str(&text).expect("JSON");
    let results: BTreeMap<String, Vec<Value>> =
        serde_json::from_value(oracle["results"].clone()).expect("results");
    let mut agreed = 0;
    for (name, rows) in &results {
        let config = &oracle["configs"][name];
        let (series, terms) = (series(config), terms(config));
        for row in rows {
            if row.get("tie").is_some() || row.get("last_bar_signal").is_some() {
                continue;
            }
            let window =
                |key: &str| u32::try_from(row[key].as_u64().expect("a window")).expect("a small one");
            let pair = Pair { fast: window("fast"), slow: window("slow") };
            let got = serde_json::to_value(run(&series.bars, pair, &terms)).expect("JSON");
            for (key, expected) in
                row.as_object().expect("a row").iter().filter(|(key, _)| *key != "fast" && *key != "slow")
            {
                let (got, expected) =
                    (got[key].as_f64().expect("a figure"), expected.as_f64().expect("a figure"));
                let error = (got - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
                assert!(
                    got == expected || error <= TOLERANCE,
                    "{name} {pair:?} {key}: {got} is not {expected} ({error:e})"
                );
                agreed += 1;
            }
        }
    }
    agreed
}

#[test]
fn the_plain_loop_agrees_with_the_oracle() {
    assert_eq!(compare(backtest::floor::run), 640);
}

#[test]
fn the_actors_agree_with_the_oracle() {
    let agreed = compare(|bars, pair, terms| {
        instance::run(History::new(bars.into()), pair, terms).expect("the instance runs").statistics
    });
    assert_eq!(agreed, 640);
}

/// What `cargo xtask demo` runs, through the command. A debug build takes a minute for it.
#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes a minute in a debug build; the release step of all tests runs it"
)]
fn the_main_job_has_its_digest_and_stays_under_100_mb() {
    let (stocks, out) = (folder().join("data/stocks.csv"), tempfile::tempdir().expect("a folder"));
    for threads in ["1", "2"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backtest"));
        command.args(["sweep", "--symbol", "GOOG", "--fast", "5..=104", "--slow", "110..=209", "--json"]);
        command.args(["--threads", threads, "--data"]).arg(&stocks).arg("--out").arg(out.path());
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout and nothing else");
        assert_eq!(told["digest"], "4ec68a081cf9f2ad", "what the grid brings has changed");
        assert_eq!(told["instances"], 10_000);
        let peak = &told["memory_peak_bytes"];
        assert!(peak.is_null() || peak.as_u64().is_some_and(|bytes| bytes < 100_000_000), "{peak} bytes");
    }
}
