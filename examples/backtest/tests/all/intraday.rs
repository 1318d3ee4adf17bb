//! Figures, folds and searches where the data is no series of days: quotes, ticks, minutes, mixed calendars.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use backtest::data::format_timestamp;
use backtest::messages::{Bar, Quote, Tick, Timestamp};
use backtest::performance::Figures;
use backtest::prelude::*;
use backtest::program::{Program, Sheet};
use backtest::tape::Prices;
use serde_json::Value;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
/// A Monday.
const MONDAY_NS: i64 = 1_704_067_200 * SECOND_NS;

/// Long after a fall and short after a rise, of so many moments.
struct Back {
    span: usize,
    prices: Vec<f64>,
}

impl Back {
    fn new(span: usize) -> Self {
        Self { span, prices: Vec::new() }
    }
}

impl Strategy for Back {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        self.prices.push(ctx.price());
        let Some(before) = self.prices.len().checked_sub(self.span + 1).map(|at| self.prices[at]) else {
            return;
        };
        ctx.target(Size::Equity(if ctx.price() < before { 0.5 } else { -0.5 }));
    }
}

fn back() -> Program<Back> {
    backtest::program!(Back::new(span: usize = 3))
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a plain path")
}

fn execute(command: &str, files: &[&Path], flags: &[&str]) -> Result<String, String> {
    let data = files.iter().flat_map(|file| ["--data", path(file)]);
    let terms = ["--lot", "0.001"];
    let all: Vec<&str> =
        ["it", command].into_iter().chain(data).chain(terms).chain(flags.iter().copied()).collect();
    back().execute(all).map_err(|error| error.to_string())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A price that swings, and rises a little.
fn price(at: i64) -> f64 {
    ((at as f64 * 0.7).sin() * 2.0 + (at as f64 * 0.13).cos() * 3.0 + 100.0 + at as f64 * 1e-4) * 100.0
}

/// Ticks at these times.
fn ticks_file(folder: &Path, name: &str, times_ns: impl Iterator<Item = i64>) -> PathBuf {
    let rows: String =
        times_ns.zip(0..).map(|(ns, at)| format!("{ns},{:.0},{}\n", price(at), 1 + at % 3)).collect();
    let file = folder.join(format!("{name}.csv"));
    std::fs::write(&file, format!("timestamp,price,size\n{rows}")).expect("written");
    file
}

fn bar(time_ns: i64, close: f64) -> Bar {
    let timestamp = Timestamp::from_nanos(time_ns);
    Bar { timestamp, open: close, high: close, low: close, close, ..Bar::default() }
}

fn bars_file(folder: &Path, name: &str, times_ns: impl Iterator<Item = i64>) -> PathBuf {
    let row = |(ns, at): (i64, i64)| {
        let (time, price) = (format_timestamp(Timestamp::from_nanos(ns)), price(at));
        format!("{time},{price},{price},{price},{price}\n")
    };
    let rows: String = times_ns.zip(0..).map(row).collect();
    let file = folder.join(format!("{name}.csv"));
    std::fs::write(&file, format!("Date,Open,High,Low,Close\n{rows}")).expect("written");
    file
}

/// The days of a year, from rows at these times.
fn days_per_year(times_ns: impl Iterator<Item = i64>) -> f64 {
    let bars: Vec<Bar> = times_ns.zip(0..).map(|(ns, at)| bar(ns, price(at))).collect();
    let equity: Vec<f64> = bars.iter().map(|bar| bar.close).collect();
    Figures::of(&bars, &equity, &[]).expect("bars").days_per_year
}

fn weekday(day: i64) -> bool {
    day.rem_euclid(7) < 5
}

/// Rows do not count, days do: each return of a year of days is that of one day.
#[test]
fn a_year_has_as_many_days_as_the_data_has_returns() {
    let at = |day: i64, second: i64| MONDAY_NS + day * DAY_NS + second * SECOND_NS;
    // Each day of the week, with fewer rows on weekends, and as many.
    let quiet =
        (0..70).flat_map(|day| (0..if weekday(day) { 100 } else { 5 }).map(move |row| at(day, row * 800)));
    assert_eq!(days_per_year(quiet), 365.0);
    assert_eq!(days_per_year((0..70 * 24).map(|hour| at(0, hour * 3_600))), 365.0);
    // Minutes of a stock, and one bar a day of a coin.
    let mixed =
        (0..70).flat_map(|day| (0..if weekday(day) { 78 } else { 1 }).map(move |row| at(day, row * 300)));
    assert_eq!(days_per_year(mixed), 365.0);
    // A stock alone; by days, and by ticks.
    assert_eq!(days_per_year((0..300).filter(|day| weekday(*day)).map(|day| at(day, 0))), 252.0);
    let ticks = (0..70).filter(|day| weekday(*day)).flat_map(|day| (0..50).map(move |row| at(day, row)));
    assert_eq!(days_per_year(ticks), 252.0);
    // A market that trades from Sunday to Thursday, and one whose sessions end when Saturday has begun.
    for closed in [[4, 5], [6, 0]] {
        let days = (0..300).filter(|day: &i64| !closed.contains(&day.rem_euclid(7)));
        assert_eq!(days_per_year(days.map(|day| at(day, 0))), 252.0, "{closed:?}");
    }
    // One series of weeks, two of them on other days, months and quarters.
    assert_eq!(days_per_year((0..40).map(|week| at(7 * week, 0))), 52.0);
    for other in 1..7 {
        let two = (0..40).flat_map(|week| [at(7 * week, 0), at(7 * week + other, 0)]);
        assert_eq!(days_per_year(two), 104.0, "{other}");
    }
    assert_eq!(days_per_year((0..40).map(|month| at(30 * month, 0))), 12.0);
    assert_eq!(days_per_year((0..40).map(|quarter| at(91 * quarter, 0))).round(), 4.0);
    assert_eq!(days_per_year((0..9).map(|year| at(365 * year, 0))), 1.0);
    assert_eq!(days_per_year(std::iter::once(at(0, 0))), 252.0);
}

/// By hand: two ticks a day that end at 100, 110, 99 and 108.9 have returns of 10 %, -10 % and 10 %.
#[test]
fn the_sharpe_ratio_of_ticks_is_that_of_their_days() {
    let closes = [100.0, 110.0, 99.0, 108.9];
    let ticks: Vec<Tick> = (0..8)
        .map(|row| Tick {
            timestamp: Timestamp::from_nanos(MONDAY_NS + row / 2 * DAY_NS + row % 2 * 3_600 * SECOND_NS),
            price: if row % 2 == 0 { 50.0 } else { closes[row as usize / 2] },
            size: 1.0,
            index: 0,
            asset: 0,
        })
        .collect();
    let report =
        Backtest::of([("X", ticks)]).cash(100.0).run(|_: &mut StrategyContext<'_>| {}).expect("runs");
    let figures = report.figures.expect("ticks");
    assert!(figures.sharpe.is_nan() && figures.volatility_annual_pct == 0.0, "{figures:?}");
    let bars: Vec<Bar> =
        (0..8).map(|row| bar(MONDAY_NS + row / 2 * DAY_NS + row % 2 * 3_600 * SECOND_NS, 1.0)).collect();
    let equity: Vec<f64> =
        (0..8).map(|row: usize| if row.is_multiple_of(2) { 50.0 } else { closes[row / 2] }).collect();
    let figures = Figures::of(&bars, &equity, &[]).expect("bars");
    let growth = (1.1_f64 * 0.9 * 1.1).cbrt();
    let mean = 0.1 / 3.0;
    let variance = (2.0 * (0.1 - mean) * (0.1 - mean) + (0.1 + mean) * (0.1 + mean)) / 2.0;
    let annual = growth.powf(252.0) - 1.0;
    let volatility = ((variance + growth * growth).powf(252.0) - growth.powf(504.0)).sqrt();
    assert!((figures.sharpe - annual / volatility).abs() < 1e-9, "{}", figures.sharpe);
}

/// Growth a year of a minute is a number without a meaning, and one above it decides nothing.
#[test]
fn a_walk_forward_over_seconds_compares_growth_for_each_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ticks_file(folder.path(), "X", (0..600).map(|at| MONDAY_NS + at * SECOND_NS / 10));
    let flags = ["--span", "1..=4", "--train", "60", "--test", "20", "--objective", "return_pct"];
    let walked = json(&execute("walk-forward", &[&file], &[&flags[..], &["--json"]].concat()).expect("runs"));
    assert_eq!(walked["figures"]["cagr_pct"], Value::Null, "below a day: {}", walked["figures"]);
    assert_eq!(walked["figures"]["turnover_annual"], Value::Null);
    let folds = walked["folds"].as_array().expect("folds");
    let growth = |fold: &Value, of: &str| (1.0 + fold[of].as_f64().expect("a number") / 100.0).ln();
    let inside = folds.iter().map(|fold| growth(fold, "inside_return_pct") / 60.0).sum::<f64>();
    let outside = folds.iter().map(|fold| growth(fold, "outside_return_pct")).sum::<f64>() / 540.0;
    let wanted = outside / (inside / folds.len() as f64);
    let efficiency = walked["walk_forward_efficiency"].as_f64().expect("a number");
    assert!((efficiency - wanted).abs() < 1e-9 * wanted.abs(), "{efficiency} is not {wanted}");
    assert!(efficiency.abs() > 1e-3 && efficiency.abs() < 1e3, "{efficiency}");
    // The same in the statistics that sweeps rank by.
    let run = json(&execute("run", &[&file], &["--json"]).expect("it runs"));
    assert_eq!(run["statistics"]["cagr_pct"], Value::Null);
}

/// The first of points without a score is not the best one.
#[test]
fn a_search_without_a_score_says_so_and_names_another_objective() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ticks_file(folder.path(), "X", (0..400).map(|at| MONDAY_NS + at * SECOND_NS));
    let lengths = ["--span", "1,2", "--train", "100", "--test", "50"];
    let out = folder.path().join("out");
    let out = ["--out", path(&out)];
    let error = execute("walk-forward", &[&file], &lengths).expect_err("no score");
    for part in ["--objective", "`sharpe`", "fold 1", "1 day", "--objective return_pct"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let optimise = ["--span", "1..=9", "--runs", "6"];
    let error = execute("optimise", &[&file], &[&optimise[..], &out].concat()).expect_err("no score");
    assert!(error.contains("`sharpe`") && error.contains("--objective return_pct"), "{error}");
    // A sweep has its rows nonetheless, and its page says it.
    execute("sweep", &[&file], &[&["--span", "1,2"][..], &out].concat()).expect("it runs");
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).expect("a page");
    assert!(html.contains("no point has a `sharpe`") && !html.contains("Best of"), "the page");
    let page = folder.path().join("page.html");
    execute("report", &[&file], &[&lengths[..], &["--out", path(&page)]].concat()).expect("it runs");
    let html = std::fs::read_to_string(page).expect("a page");
    assert!(html.contains("no point has a `sharpe`") && !html.contains("Best of"), "the page");
    // With a score, it is as it was.
    let objective = ["--objective", "return_pct"];
    execute("walk-forward", &[&file], &[&lengths[..], &objective].concat()).expect("it runs");
    // Where nothing was traded, that is why.
    let days = bars_file(folder.path(), "D", (0..60).map(|day| MONDAY_NS + day * DAY_NS));
    let still = ["--span", "50,51", "--train", "20", "--test", "20"];
    let error = execute("walk-forward", &[&days], &still).expect_err("no score");
    assert!(error.contains("nothing was traded"), "{error}");
}

/// A night has no hours of the session, and a fold of it has no trade: it is no mistake.
#[test]
fn folds_of_a_night_are_folds_without_trades() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = bars_file(folder.path(), "X", (0..2_000).map(|at| MONDAY_NS + at * 60 * SECOND_NS));
    let flags = ["--span", "1,3", "--train", "100", "--test", "50", "--objective", "return_pct", "--json"];
    let hours = ["--session", "14:30-21:00"];
    let walked = json(&execute("walk-forward", &[&file], &[&flags[..], &hours].concat()).expect("it runs"));
    let folds = walked["folds"].as_array().expect("folds");
    assert_eq!((folds.len(), &walked["warning"]), (38, &Value::Null), "{walked}");
    let traded = |fold: &&Value| fold["trades"].as_u64() != Some(0);
    let count = folds.iter().filter(traded).count();
    assert!((4..38).contains(&count), "{count} folds of {} have trades", folds.len());
    // Hours in which nothing begins are a mistake all the same.
    let days = bars_file(folder.path(), "D", (0..200).map(|day| MONDAY_NS + day * DAY_NS));
    let error = execute("walk-forward", &[&days], &[&flags[..], &hours].concat()).expect_err("no hours");
    assert!(error.contains("no price of `D` begins then"), "{error}");
}

/// Numbers of rows and assets, as a strategy sees them.
type Seen = Vec<(u32, u16, u32, u16)>;

/// A part of the tape is numbered as a tape of its own, whatever it holds, and each row names its asset.
#[test]
fn quotes_and_ticks_know_their_number_and_their_asset() {
    let quote = |at: i64| Quote {
        timestamp: Timestamp::from_nanos(at * SECOND_NS),
        bid: 99.0,
        ask: 101.0,
        bid_size: 1.0,
        ask_size: 1.0,
        index: 77,
        asset: 9,
    };
    let tick = |at: i64| Tick {
        timestamp: Timestamp::from_nanos(at * SECOND_NS),
        price: 100.0,
        size: 1.0,
        index: 77,
        asset: 9,
    };
    let whole = Backtest::of([
        ("T", Prices::from((0..20).map(tick).collect::<Vec<_>>())),
        ("Q", Prices::from((0..20).map(quote).collect::<Vec<_>>())),
    ]);
    let seen = |backtest: &Backtest| {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let own = Arc::clone(&seen);
        let look = move |ctx: &mut StrategyContext<'_>| {
            let tick = ctx.ticks().last().expect("a tick");
            let (index, asset) = (tick.index, tick.asset);
            let other = ctx.asset_at(1);
            let quote = other.quote().expect("a quote");
            own.lock().expect("no panic").push((index, asset, quote.index, quote.asset));
        };
        backtest.run(look).expect("it runs");
        let seen = seen.lock().expect("no panic");
        seen.clone()
    };
    let numbered = |count: u32| (0..count).map(|at| (at, 0, at, 1)).collect::<Seen>();
    assert_eq!(seen(&whole), numbered(20));
    assert_eq!(seen(&whole.part(5..12)), numbered(7));
}

/// The digest, the rows and the folder of a sweep.
fn sweep(files: &[&Path], out: &Path, flags: &[&str]) -> Value {
    let own = ["--span", "1..=7", "--objective", "return_pct", "--json", "--out", path(out)];
    json(&execute("sweep", files, &[&own[..], flags].concat()).expect("it runs"))
}

/// Parts of a search over ticks and bars make the whole, and no part of another one goes with them.
#[test]
fn searches_over_ticks_and_several_assets_are_resumed_and_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let ticks = ticks_file(folder.path(), "T", (0..900).map(|row| MONDAY_NS + row * 600 * SECOND_NS));
    let bars = bars_file(folder.path(), "B", (0..60).map(|row| MONDAY_NS + row * 3_600 * SECOND_NS));
    for (name, files) in [("ticks", vec![&*ticks]), ("two", vec![&*ticks, &*bars])] {
        let (out, parts, merged) = (at(name), at(&format!("{name}-parts")), at(&format!("{name}-merged")));
        let whole = sweep(&files, &out, &[]);
        assert_eq!(whole["rows"], 7, "{name}");
        let merge = |first: &Path| {
            let second = parts.join("results-2-of-2.csv");
            let all = ["it", "merge", path(first), path(&second), "--json", "--out", path(&merged)];
            back().execute(all).map(|text| json(&text)).map_err(|error| error.to_string())
        };
        sweep(&files, &parts, &["--shard", "1/2"]);
        sweep(&files, &parts, &["--shard", "2/2"]);
        let first = parts.join("results-1-of-2.csv");
        assert_eq!(merge(&first).expect("parts of one search")["digest"], whole["digest"], "{name}");
        // As a kill leaves it: some rows, one of which no run has.
        let text = std::fs::read_to_string(out.join("results.csv")).expect("written");
        std::fs::remove_file(out.join("results.csv")).expect("removed");
        let mut sheet = Sheet::parse(&text, false).expect("a sheet");
        sheet.rows.truncate(4);
        sheet.rows[0].figures[0] = 1.0;
        let partial = out.join("results.partial.csv");
        std::fs::write(&partial, sheet.text()).expect("written");
        assert_ne!(sweep(&files, &out, &[])["digest"], whole["digest"], "{name}: goes on");
        // Other prices: one tick of another size, the assets in another sequence, or one of them alone.
        let text = std::fs::read_to_string(&ticks).expect("written");
        let other = folder.path().join(format!("{name}-other")).join("T.csv");
        std::fs::create_dir(other.parent().expect("a folder")).expect("made");
        let end = text.trim_end().rfind(',').expect("a size");
        std::fs::write(&other, format!("{}7\n", &text[..=end])).expect("written");
        let mut others = vec![std::iter::once(&*other).chain(files[1..].iter().copied()).collect::<Vec<_>>()];
        if files.len() > 1 {
            others.extend([vec![&*bars, &*ticks], vec![&*ticks]]);
        }
        for files in others {
            let elsewhere = at(&format!("{name}-elsewhere"));
            sweep(&files, &elsewhere, &["--shard", "1/2", "--fresh"]);
            let error = merge(&elsewhere.join("results-1-of-2.csv")).expect_err("another search");
            assert!(error.contains("it is of another search: `data`"), "{name}: {error}");
        }
    }
    // The same file as quotes and as ticks.
    let both = at("both.csv");
    let row = |row: i64| {
        let (ns, price) = (MONDAY_NS + row * 600 * SECOND_NS, price(row));
        format!("{ns},{price},{price},{price}\n")
    };
    let rows: String = (0..300).map(row).collect();
    std::fs::write(&both, format!("timestamp,bid,ask,price\n{rows}")).expect("written");
    let head = |kind: &str| {
        sweep(&[&both], &at(kind), &["--kind", kind]);
        let text = std::fs::read_to_string(at(kind).join("results.csv")).expect("written");
        Sheet::parse(&text, false).expect("a sheet")
    };
    let error = head("ticks").check_same(&head("quotes")).expect_err("another kind").to_string();
    assert!(error.contains("`data`"), "{error}");
}

/// Each fold over assets of other calendars is a sweep of its part, and a run of what that found best.
#[test]
fn folds_over_two_assets_are_their_parts_run_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ticks, bars) = (
        ticks_file(folder.path(), "T", (0..300).map(|row| MONDAY_NS + row * 600 * SECOND_NS)),
        bars_file(folder.path(), "B", (0..50).map(|row| MONDAY_NS + row * 3_600 * SECOND_NS)),
    );
    let flags = ["--span", "1..=4", "--train", "90", "--test", "40", "--objective", "return_pct", "--json"];
    let walked = json(&execute("walk-forward", &[&ticks, &bars], &flags).expect("it runs"));
    let load =
        |file: &Path| backtest::data::load_prices(file, &Default::default()).expect("it reads").0.prices;
    let whole = Backtest::of([("T", load(&ticks)), ("B", load(&bars))]).lot(0.001);
    let folds = walked["folds"].as_array().expect("folds");
    assert_eq!(folds.len(), (whole.bars().len() - 90).div_ceil(40));
    let mut cash = 10_000.0;
    for (number, fold) in folds.iter().enumerate() {
        let start = number * 40;
        let train = whole.part(start..start + 90);
        let gain = |span: usize| train.outcome(Back::new(span)).expect("it runs").statistics.return_pct;
        let gains: Vec<f64> = (1..=4).map(gain).collect();
        let best = (0..4).reduce(|a, b| if gains[b] > gains[a] { b } else { a }).expect("four");
        assert_eq!(
            (&fold["point"]["span"], &fold["score"]),
            (&((best + 1) as f64).into(), &gains[best].into())
        );
        // Nothing is traded before the last moment of the training.
        let end = (start + 130).min(whole.bars().len());
        let (mut inner, last) = (Back::new(best + 1), whole.bars()[start + 89].timestamp);
        let late = move |ctx: &mut StrategyContext<'_>| {
            inner.next(ctx);
            if ctx.time() < last {
                ctx.cancel_all();
            }
        };
        let end = whole.part(start..end).cash(cash).run(late).expect("it runs").statistics.equity_final;
        let wanted = (end / cash - 1.0) * 100.0;
        let outside = fold["outside_return_pct"].as_f64().expect("a number");
        assert!((outside - wanted).abs() < 1e-9, "fold {number}: {outside} is not {wanted}");
        cash = end;
    }
}
