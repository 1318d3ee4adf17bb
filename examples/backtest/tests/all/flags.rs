//! Flags that hold for one file or symbol, and what a sweep compares of them.

use std::path::{Path, PathBuf};

use backtest::prelude::*;
use backtest::program::Program;
use serde_json::Value;

/// Buys ten of each asset on its first bar, and tells what they are.
struct Ten;

impl Ten {
    fn new() -> Self {
        Self
    }
}

impl Strategy for Ten {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        for at in 0..2 {
            let mut ctx = ctx.asset_at(at);
            if ctx.is_flat() && ctx.orders().is_empty() {
                ctx.buy(10);
            }
        }
    }
}

fn ten() -> Program<Ten> {
    backtest::program!(Ten::new())
}

/// Bars of one vendor, and quotes of another, whose dates and columns are written otherwise.
fn files(folder: &Path) -> [PathBuf; 2] {
    let (es, spy) = (folder.join("es.csv"), folder.join("spy.csv"));
    let hours = |hour: i64| format!("2024-01-02 {hour:02}:00,100,100,100,100,5\n");
    let bars: String = (0..24).map(hours).collect();
    std::fs::write(&es, format!("Date,Open,High,Low,Last,Volume\n{bars}")).expect("written");
    let quotes: String = (0..24).map(|hour| format!("02.01.2024 {hour:02}:30;50;50\n")).collect();
    std::fs::write(&spy, format!("Stamp;B;A\n{quotes}")).expect("written");
    [es, spy]
}

const READ: [&str; 10] = [
    "--columns",
    "es:close=Last",
    "--columns",
    "spy.csv:date=Stamp,bid=B,ask=A",
    "--date-format",
    "spy:%d.%m.%Y %H:%M",
    "--kind",
    "spy:quotes",
    "--kind",
    "bars",
];

fn execute(folder: &Path, command: &str, more: &[&str]) -> Result<String, String> {
    let files = files(folder);
    let files = files.each_ref().map(|file| file.to_str().expect("a plain path"));
    let data = ["it", command, "--data", files[0], "--data", files[1]];
    ten().execute([&data[..], &READ, more].concat()).map_err(|error| error.to_string())
}

fn end(folder: &Path, more: &[&str]) -> f64 {
    let text = execute(folder, "run", &[&["--json"], more].concat()).expect("it runs");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    value["statistics"]["equity_final"].as_f64().expect("a number")
}

#[test]
fn a_flag_may_hold_for_one_file_or_symbol() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = |more: &[&str]| end(folder.path(), more);
    assert_eq!(end(&[]), 10_000.0, "both are read, and cost nothing");
    // Ten of 100, and ten of 50, in and out.
    assert!((end(&["--commission", "0.01"]) - (10_000.0 - 20.0 - 10.0)).abs() < 1e-9);
    assert!((end(&["--commission", "es:0.01"]) - (10_000.0 - 20.0)).abs() < 1e-9);
    assert!((end(&["--commission", "0.01", "--commission", "spy.csv:0"]) - (10_000.0 - 20.0)).abs() < 1e-9);
    assert!((end(&["--spread", "spy:0.01"]) - (10_000.0 - 5.0)).abs() < 1e-9);
    assert!((end(&["--slippage", "spy:0.01"]) - (10_000.0 - 10.0)).abs() < 1e-9);
    // Quotes begin at half past, and bars at the full hour.
    assert_eq!(end(&["--session", "spy:05:15-06:00"]), 10_000.0);
    let error =
        execute(folder.path(), "run", &["--session", "es:05:15-06:00"]).expect_err("no bar begins then");
    assert!(error.contains("no price of `es` begins then"), "{error}");
    // Of lots of four, ten are two.
    let lots = end(&["--commission", "0.01", "--lot", "es:4"]);
    assert!((lots - (10_000.0 - 16.0 - 10.0)).abs() < 1e-9, "{lots}");
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_lists_the_names() {
    let folder = tempfile::tempdir().expect("a folder");
    for flag in ["--commission", "--slippage", "--spread", "--lot", "--session", "--kind", "--columns"] {
        let error = execute(folder.path(), "run", &[flag, "EZ:0.01"]).expect_err("refused");
        let whole =
            error.starts_with(flag) && error.contains("`EZ`") && error.contains("es.csv, es, spy.csv, spy");
        assert!(whole, "{error}");
    }
    for (flags, part) in [
        (["--commission", "es:0.7"], "--commission is 0.7"),
        (["--lot", "es:x"], "--lot is `x`, must be a number"),
        (["--lot", "es:0"], "--lot is 0, must be a number above 0"),
        (["--cash", "nan"], "--cash is NaN, must be above 0"),
        (["--maintenance", "1"], "--maintenance is 1, must be a share from 0 to below 1"),
        (["--session", "es:9-17"], "--session "),
        (["--kind", "es:candles"], "must be one of bars, quotes, ticks and depth"),
    ] {
        let error = execute(folder.path(), "run", &flags).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_sweep_tells_and_compares_the_terms_of_each_asset() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let out = out.to_str().expect("a plain path");
    execute(folder.path(), "sweep", &["--out", out, "--commission", "es:0.01"]).expect("it runs");
    let rows = std::fs::read_to_string(Path::new(out).join("results.csv")).expect("written");
    assert!(rows.contains("commission 0 (es 0.01), spread 0,"), "{rows}");
    // The same in other words is the same.
    let text = execute(folder.path(), "sweep", &["--out", out, "--commission", "es.csv:0.01", "--fresh"]);
    assert!(text.is_ok(), "{text:?}");
    let again = std::fs::read_to_string(Path::new(out).join("results.csv")).expect("written");
    assert_eq!(
        again.lines().find(|line| line.contains("terms")),
        rows.lines().find(|line| line.contains("terms"))
    );
}

#[test]
fn a_calendar_holds_for_all_assets_or_for_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let days = |text: &str| {
        let path = folder.path().join("days.txt");
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let off = days("hours 09:00-17:00\n2024-01-02 closed");
    for flag in [off.clone(), format!("es:{off}")] {
        let error = execute(folder.path(), "run", &["--calendar", &flag]).expect_err("nothing begins then");
        assert!(error.contains("no price of `es` begins then") && error.contains("1 other days"), "{error}");
    }
    let both = ["--calendar", &off, "--session", "es:09:00-17:00"];
    let error = execute(folder.path(), "run", &both).expect_err("the hours are said twice");
    assert!(error.contains("--calendar and --session are both given for `es`"), "{error}");
    let on = days("hours 09:00-17:00\n2024-01-03 closed");
    let out = folder.path().join("out");
    let out = out.to_str().expect("a plain path");
    let flags = ["--out", out, "--calendar", &format!("spy:{on}")];
    execute(folder.path(), "sweep", &flags).expect("it runs");
    let rows = std::fs::read_to_string(Path::new(out).join("results.csv")).expect("written");
    assert!(rows.contains("spy 09:00-17:00 by a calendar of 1 other days"), "{rows}");
    let wrong = days("hours 09:00-17:00\n2024-01-03 shut");
    let error = execute(folder.path(), "run", &["--calendar", &wrong]).expect_err("it is no calendar");
    assert!(error.contains("no calendar: line 2") && error.contains("`closed`"), "{error}");
}

#[test]
fn margin_is_said_by_switches_or_by_a_file_of_tiers() {
    let folder = tempfile::tempdir().expect("a folder");
    let tiers = |text: &str| {
        let path = folder.path().join("margin.toml");
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    // Ten of 100 are more than there is, and ten of 50 are not. In and out of the first cost 20.
    let end =
        |more: &[&str]| end(folder.path(), &[&["--cash", "600", "--commission", "es:0.01"], more].concat());
    assert_eq!(end(&[]), 600.0);
    assert!((end(&["--leverage", "4"]) - 580.0).abs() < 1e-9);
    assert!(end(&["--leverage", "4", "--maintenance", "0.5"]) < 580.0, "all are closed, again and again");
    let all = "[[tier]]\ninitial = 0.1\nmaintenance = 0.05\n";
    assert!((end(&["--margin-tiers", &tiers(all)]) - 580.0).abs() < 1e-9);
    let own = format!("{all}[[tier]]\nasset = \"es\"\ninitial = 1\nmaintenance = 0\n");
    assert_eq!(end(&["--margin-tiers", &tiers(&own)]), 600.0);
    let out = folder.path().join("out");
    let flags = ["--out", out.to_str().expect("a plain path"), "--margin-tiers", &tiers(&own)];
    execute(folder.path(), "sweep", &flags).expect("it runs");
    let rows = std::fs::read_to_string(out.join("results.csv")).expect("written");
    assert!(rows.contains("lot 1, margin 0.1/0.05 from 0, es 1/0 from 0"), "{rows}");
    let error = |flags: &[&str]| execute(folder.path(), "run", flags).expect_err("refused");
    let both = error(&["--margin-tiers", &tiers(all), "--leverage", "2"]);
    assert!(both.contains("cannot be used with"), "{both}");
    let missing = error(&["--margin-tiers", "none.toml"]);
    assert!(missing.contains("--margin-tiers is `none.toml`, which cannot be read"), "{missing}");
    let file = tiers("[[tier]]\ninitial = 50\nmaintenence = 1");
    let wrong = error(&["--margin-tiers", &file]);
    let place = format!("is `{file}`, which is no table of margins: line 3, column 1: unknown key");
    assert!(wrong.contains(&place) && wrong.contains("did you mean `maintenance`?"), "{wrong}");
}

#[test]
fn further_terms_have_switches() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = |more: &[&str]| end(folder.path(), more);
    // A tenth of a volume of 5 is no lot.
    assert_eq!(end(&["--commission", "es:0.01", "--participation", "es:0.1"]), 10_000.0);
    assert_eq!(end(&["--fill", "on-close", "--intrabar", "optimistic"]), 10_000.0);
    let out = folder.path().join("out");
    let out = out.to_str().expect("a plain path");
    let flags = ["--out", out, "--interest", "0.05", "--borrow", "0.03", "--participation", "0.5"];
    let flags = [&flags[..], &["--fill", "on-close", "--intrabar", "next-bar"]].concat();
    execute(folder.path(), "sweep", &flags).expect("it runs");
    let rows = std::fs::read_to_string(Path::new(out).join("results.csv")).expect("written");
    let terms = "leverage 1, interest 0.05, borrow 0.03, filled on the close, protective orders from the next bar \
                 on, participation 0.5";
    assert!(rows.contains(terms), "{rows}");
}

#[test]
fn the_tiers_of_the_page_are_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let page = page.expect("the page").replace("\"SPY\"", "\"spy\"");
    let tiers = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its tiers");
    let file = folder.path().join("margin.toml");
    std::fs::write(&file, tiers).expect("written");
    let flags = ["--cash", "600", "--margin-tiers", file.to_str().expect("a plain path")];
    assert_eq!(end(folder.path(), &flags), 600.0);
}

/// Figures go by the days of the session, whether it was given for all or for the only one by its name.
#[test]
fn a_session_given_by_name_reaches_the_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("es.csv");
    let row = |hour: i64| {
        let (day, price) = (1 + hour / 24, 100 + (hour * hour) % 37);
        format!("2024-01-{day:02} {:02}:00,{price},{price},{price},{price},5\n", hour % 24)
    };
    let rows: String = (0..24 * 20).map(row).collect();
    std::fs::write(&file, format!("Date,Open,High,Low,Close,Volume\n{rows}")).expect("written");
    let hold = backtest::program::Program::new("Hold", Vec::new(), |_: &[f64]| {
        |ctx: &mut StrategyContext<'_>| {
            if ctx.is_flat() && ctx.orders().is_empty() {
                ctx.buy(10);
            }
        }
    });
    let figures = |command: &str, flags: &[&str]| {
        let data = ["it", command, "--data", file.to_str().expect("a plain path"), "--json"];
        let text = hold.execute([&data[..], flags].concat()).unwrap_or_else(|error| panic!("{error}"));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        value["figures"].clone()
    };
    let walk = ["--train", "48", "--test", "48"];
    for (command, more) in [("run", &[][..]), ("walk-forward", &walk)] {
        let with = |session: &[&str]| figures(command, &[session, more].concat());
        let all = with(&["--session", "17:00-16:00 America/Chicago"]);
        assert_eq!(with(&["--session", "es:17:00-16:00 America/Chicago"]), all, "{command}");
        assert_ne!(with(&[])["volatility_annual_pct"], all["volatility_annual_pct"], "{command}");
    }
}
