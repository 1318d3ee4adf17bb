//! Splits and dividends: what the columns of a file say of them, and what a position is worth over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backtest::data::{
    Actions, AssetPrices, ReadOptions, format_timestamp, load, load_prices, load_with, read_prices,
};
use backtest::engine::{AtEnd, FillAt};
use backtest::messages::{Bar, ChargeKind};
use backtest::strategy::{Backtest, Report, Size, Strategy, StrategyContext};
use backtest::tape::Prices;

use crate::common::on_bar;
use mycelium_random::{Random, cases, seeds};

fn stocks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv")
}

/// Equity at the closes from one day on, of what was bought with 4,830 at the open before.
fn over_the_night(bars: &[Bar]) -> Report {
    let backtest = Backtest::new(bars.to_vec()).at_end(AtEnd::Keep);
    let buy = |ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index == 0 {
            ctx.buy(Size::Value(4_830.0));
        }
    };
    backtest.run(buy).expect("it runs")
}

#[test]
fn a_split_is_no_loss() {
    let series = load(&stocks(), Some("MSFT")).expect("the example's data");
    let day = |text| series.bars.iter().position(|bar| format_timestamp(bar.timestamp) == text);
    let (before, after) = (day("2003-02-13").expect("a day"), day("2003-02-18").expect("a day"));
    let report = over_the_night(&series.bars[before..=after]);
    // From 48.30 to twice 24.96.
    let gain = report.equity[2] - report.equity[1];
    assert!((100.0..250.0).contains(&gain), "{gain}: about 100 shares at 48.30 became 200 at 24.96");
}

fn read_as(text: &str, actions: Actions) -> Result<AssetPrices, String> {
    let options = ReadOptions { actions, ..ReadOptions::default() };
    read_prices(text.as_bytes(), &options, "X").map(|(read, _)| read).map_err(|error| error.to_string())
}

fn auto(text: &str) -> AssetPrices {
    read_as(text, Actions::Auto).expect("a sound file")
}

fn bars_of(asset: &AssetPrices) -> &[Bar] {
    let Prices::Bars(bars) = &asset.prices else { panic!("bars") };
    bars
}

fn closes(asset: &AssetPrices) -> Vec<f64> {
    bars_of(asset).iter().map(|bar| bar.close).collect()
}

/// Rows of flat bars, a day each.
fn rows(header: &str, rows: &[&str]) -> String {
    let row = |(at, text): (usize, &&str)| {
        let (price, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
        format!("2024-01-{:02},{price},{price},{price},{price},100{rest}\n", at + 1)
    };
    let rows: Vec<String> = rows.iter().enumerate().map(row).collect();
    format!("Date,Open,High,Low,Close,Volume{header}\n{}", rows.concat())
}

#[test]
fn the_splits_of_the_shipped_file_are_found_and_told() {
    let of = |symbol: &str, actions| {
        let options = ReadOptions { symbol: Some(symbol.to_owned()), actions, ..ReadOptions::default() };
        load_prices(&stocks(), &options).expect("the example's data").0
    };
    let told = |symbol| of(symbol, Actions::Auto).actions.to_string();
    assert!(
        told("MSFT").starts_with("1 split adjusted, 2003-02-18 2:1; 37 dividends paid, 7.7162 a unit"),
        "{}",
        told("MSFT")
    );
    let apple = told("AAPL");
    assert!(
        apple.starts_with("2 splits adjusted, 2000-06-21 2:1, 2005-02-28 2:1; 3 dividends paid, "),
        "{apple}"
    );
    assert_eq!((told("GOOG"), told("FB")), (String::new(), String::new()));
    // The first bar of AAPL was before both, and the last behind them.
    let (adjusted, raw) = (of("AAPL", Actions::Auto), of("AAPL", Actions::Raw));
    let (first, plain) = (bars_of(&adjusted)[0], bars_of(&raw)[0]);
    assert_eq!((first.open, first.close, first.volume), (118.56 / 4.0, 130.31 / 4.0, 9_616_100.0 * 4.0));
    assert_eq!((plain.open, plain.close, plain.volume), (118.56, 130.31, 9_616_100.0));
    assert_eq!(closes(&adjusted).last(), closes(&raw).last());
    // Three dollars of MSFT in 2004, and what IBM has paid all along.
    let special = of("MSFT", Actions::Auto).actions;
    assert!(special.dividends.iter().any(|(_, amount)| (amount - 3.03).abs() < 0.01), "{special:?}");
    assert_eq!(of("IBM", Actions::Auto).actions.dividends.len(), 52);
    assert_eq!(of("IBM", Actions::Raw).actions.dividends.len(), 0);
    // The whole return, dividends included, is that of the adjusted closes.
    let total = closes(&of("MSFT", Actions::Adjusted));
    let [first, .., last] = total[..] else { panic!("many") };
    let day = |text: &str| read_line("MSFT", text).expect("a row");
    assert!((last / first - day("2013-03-01") / day("2000-03-01")).abs() < 1e-12);
}

/// The adjusted close of a day in the shipped file.
fn read_line(symbol: &str, day: &str) -> Option<f64> {
    let text = std::fs::read_to_string(stocks()).expect("the example's data");
    let line = text.lines().find(|line| line.starts_with(&format!("{symbol},{day},")))?;
    line.split(',').next_back()?.parse().ok()
}

#[test]
fn prices_as_they_stand_are_what_they_were() {
    let options =
        ReadOptions { symbol: Some("MSFT".to_owned()), actions: Actions::Raw, ..ReadOptions::default() };
    let (series, _) = load_with(&stocks(), &options).expect("the example's data");
    let from =
        series.bars.iter().position(|bar| format_timestamp(bar.timestamp) == "2003-02-13").expect("a day");
    let report = over_the_night(&series.bars[from..=from + 2]);
    let gain = report.equity[2] - report.equity[1];
    assert!((-2_500.0..-2_200.0).contains(&gain), "{gain}: a split that nobody took in");
    assert!(series.actions.is_empty() || series.actions.to_string() == "prices as they stand");
}

#[test]
fn a_dividend_is_earned_by_who_is_long_and_owed_by_who_is_short() {
    // 100, 100, 98 after a dividend of 2, 98.
    let text = rows(",Dividends,Adj Close", &["100 0,98", "100 0,98", "98 2,98", "98 0,98"]);
    let asset = auto(&text);
    assert_eq!(asset.actions.dividends[..], [(asset_time(&asset, 2), 2.0)]);
    for side in [1.0, -1.0] {
        let backtest = Backtest::of([("X", asset.prices.clone())])
            .dividends("X", Arc::clone(&asset.actions.dividends))
            .at_end(AtEnd::Keep);
        let report =
            backtest.run(on_bar(0, move |ctx| _ = ctx.target(Size::Units(10.0 * side)))).expect("it runs");
        assert_eq!(report.equity.to_vec(), [10_000.0; 4], "the price falls by what is paid");
        let [charge] = &report.charges[..] else { panic!("{:?}", report.charges) };
        assert_eq!((charge.kind, charge.amount), (ChargeKind::Dividend, -20.0 * side));
    }
    {
        let backtest = Backtest::of([("X", asset.prices.clone())])
            .dividends("X", Arc::clone(&asset.actions.dividends))
            .at_end(AtEnd::Keep);
        // Who buys at the open of that day has none, and who buys at the close before it has it.
        let late = backtest.run(on_bar(1, |ctx| _ = ctx.buy(10))).expect("it runs");
        assert!(late.charges.is_empty(), "{:?}", late.charges);
        let close =
            backtest.clone().fill_at(FillAt::OnClose).run(on_bar(1, |ctx| _ = ctx.buy(10))).expect("it runs");
        assert_eq!(close.charges.iter().map(|charge| charge.amount).sum::<f64>(), -20.0);
        assert_eq!(close.equity[3], 10_000.0);
        let left = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
            0 => _ = ctx.buy(10),
            1 => _ = ctx.close(),
            _ => {}
        };
        let left = backtest.clone().fill_at(FillAt::OnClose).run(left).expect("it runs");
        assert!(left.charges.is_empty(), "sold at the close before: {:?}", left.charges);
    }
}

fn asset_time(asset: &AssetPrices, at: usize) -> i64 {
    bars_of(asset)[at].timestamp.as_nanos()
}

#[test]
fn a_split_column_is_taken_in_where_the_prices_have_it_not() {
    // As yfinance writes it: the prices have the split in them.
    let text = rows(",Dividends,Stock Splits", &["50 0,0", "51 0.5,0", "51 0,2", "52 0,0"]);
    let asset = auto(&text);
    assert_eq!(closes(&asset), [50.0, 51.0, 51.0, 52.0]);
    assert!(asset.actions.splits.is_empty() && asset.actions.dividends.is_empty());
    assert!(asset.actions.to_string().contains("--columns dividends=NAME"), "{}", asset.actions);
    // Named, or beside an adjusted close, its dividends are paid.
    let columns = ReadOptions::parse_columns("dividends=Dividends").expect("a column");
    let named = ReadOptions { columns, ..ReadOptions::default() };
    let named = read_prices(text.as_bytes(), &named, "X").expect("sound").0;
    assert_eq!(named.actions.dividends[..], [(asset_time(&asset, 1), 0.5)]);
    // Raw prices: all that is before the split is divided, dividends as well.
    let text = rows(
        ",Dividends,Split_Ratio,Adj Close",
        &["100 0,1,490", "102 1,1,505", "51 0,2,510", "52 0,1,520", "530 0,0.1,530"],
    );
    let raw = read_as(&text, Actions::Auto).expect("sound");
    assert_eq!(closes(&raw), [500.0, 510.0, 510.0, 520.0, 530.0]);
    assert_eq!(
        raw.actions.to_string(),
        "2 splits adjusted, 2024-01-03 2:1, 2024-01-05 1:10; 1 dividend paid, 5.0000 a unit"
    );
    let volumes: Vec<f64> = bars_of(&raw).iter().map(|bar| bar.volume.round()).collect();
    assert_eq!(volumes, [20.0, 20.0, 10.0, 10.0, 100.0]);
    let ticks: Vec<i64> = bars_of(&raw).iter().map(|bar| bar.close_ticks).collect();
    assert_eq!(ticks, [500, 510, 510, 520, 530], "in whole ticks still");
    // One split in the prices, and one not.
    let mixed = rows(",Stock Splits", &["100 0", "50 2", "50 0", "51 2"]);
    let error = read_as(&mixed, Actions::Auto).expect_err("mixed");
    assert!(error.starts_with("line 5, column `Stock Splits`: "), "{error}");
    assert!(error.contains("2:1") && error.ends_with("--prices raw"), "{error}");
    assert!(read_as(&mixed, Actions::Raw).is_ok());
}

#[test]
fn an_adjusted_close_tells_splits_from_dividends() {
    // 3:2, 1:10, and a split of 2:1 with a dividend of 1 % on one day.
    for (before, after, adjusted, ratio) in
        [("90", "61", "60", 1.5), ("1", "10.5", "10", 0.1), ("700", "101", "100", 7.0)]
    {
        let asset =
            auto(&rows(",Adj Close", &[&format!("{before} {adjusted}"), &format!("{after} {after}")]));
        assert_eq!(asset.actions.splits.iter().map(|split| split.ratio).collect::<Vec<_>>(), [ratio]);
        let close = before.parse::<f64>().expect("a number") / ratio;
        assert!((closes(&asset)[0] - close).abs() < 1e-9, "{asset:?}");
        assert!(asset.actions.dividends.is_empty(), "{:?}", asset.actions);
    }
    let both = auto(&rows(",Adj Close", &["200 99.00001", "100 100", "101 101"]));
    assert_eq!((closes(&both)[0], both.actions.splits.len()), (100.0, 1));
    assert!((both.actions.dividends[0].1 - 0.99999).abs() < 1e-9, "{:?}", both.actions);
    // An adjusted close of few digits moves a little every day, and that is no dividend.
    let coarse =
        auto(&rows(",Adj Close", &["20.01 5.01", "20.03 5.01", "20.08 5.02", "19.00 5.00", "19.02 5.01"]));
    assert_eq!(coarse.actions.dividends.len(), 1, "{:?}", coarse.actions);
    for (row, text) in [
        ("100 11.000001", "no split of a small ratio"),
        ("100 0", "is no adjusted close"),
        ("100 -1", "above zero"),
    ] {
        let error =
            read_as(&rows(",Adj Close", &["170 100.000001", row]), Actions::Auto).expect_err("refused");
        assert!(error.starts_with("line 3, column `Adj Close`: "), "{error}");
        assert!(error.contains(text) && error.ends_with("--prices raw"), "{error}");
    }
    // Scaled by the adjusted close.
    let text = rows(",Adj Close", &["100 49", "100 49", "98 49"]);
    let adjusted = read_as(&text, Actions::Adjusted).expect("sound");
    assert_eq!(closes(&adjusted), [49.0; 3]);
    assert_eq!(adjusted.actions.to_string(), "prices scaled by the adjusted close");
    let error = read_as(&rows("", &["100", "98"]), Actions::Adjusted).expect_err("no such column");
    assert!(error.contains("no column `Adj Close`"), "{error}");
}

#[test]
fn a_program_pays_what_the_file_says_and_its_rows_tell_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.csv");
    let text = rows(",Dividends,Adj Close", &["100 0,98", "100 0,98", "98 2,98", "98 0,98"]);
    std::fs::write(&file, text).expect("written");
    let program = || backtest::program!(Holder::new());
    let execute = |command: &str, more: &[&str]| {
        let all = [&["it", command, "--data", file.to_str().expect("plain"), "--json"], more].concat();
        program().execute(all).map_err(|error| error.to_string())
    };
    let end = |more: &[&str]| {
        let value: serde_json::Value =
            serde_json::from_str(&execute("run", more).expect("it runs")).expect("JSON");
        value["statistics"]["equity_final"].as_f64().expect("a number")
    };
    assert_eq!(
        (end(&[]), end(&["--prices", "raw"]), end(&["--prices", "adjusted"])),
        (10_000.0, 9_800.0, 10_000.0)
    );
    let error = execute("monte-carlo", &["--method", "prices", "--paths", "3"]).expect_err("refused");
    assert!(error.contains("--prices adjusted"), "{error}");
    // A sweep on other prices does not go on.
    let sweep = |prices: &str| {
        execute("sweep", &["--prices", prices, "--out", folder.path().to_str().expect("plain"), "--fresh"])
            .expect("it runs");
        let rows = std::fs::read_to_string(folder.path().join("results.csv")).expect("written");
        rows.lines().find(|line| line.starts_with("# data")).expect("the data").to_owned()
    };
    let (paid, raw) = (sweep("auto"), sweep("raw"));
    assert!(paid.contains("1 dividend paid") && raw.contains("prices as they stand"), "{paid}\n{raw}");
}

struct Holder;

impl Holder {
    fn new() -> Self {
        Self
    }
}

impl Strategy for Holder {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        if ctx.is_flat() {
            ctx.buy(100);
        }
    }
}

/// Whatever stands in the columns, what is read can be traded on.
#[test]
fn hostile_actions_leave_no_price_that_is_none() {
    let numbers = [
        "0", "1", "2", "0.5", "1e-308", "1e308", "1e-320", "1e30", "-1", "nan", "inf", "", "100", "99.5",
        "1e12",
    ];
    let mut read = 0;
    for seed in seeds(cases(400)) {
        let mut random = Random::new(seed);
        let mut row = |_| {
            // Most of them sane, or nothing would be read.
            let mut any = || match random.below(6) {
                0 => numbers[random.index(numbers.len())],
                _ => ["1", "1", "99.5", "100"][random.index(4)],
            };
            let (dividend, split, adjusted) = (any(), any(), any());
            let price = ["100", "50", "1e-300", "1e300"][random.index(40).saturating_sub(36)];
            format!("{price} {dividend},{split},{adjusted}")
        };
        let text: Vec<String> = (0..4).map(&mut row).collect();
        let text: Vec<&str> = text.iter().map(String::as_str).collect();
        for (header, actions) in [
            (",Dividends,Stock Splits,Adj Close", Actions::Auto),
            (",Dividends,Stock Splits,Adj Close", Actions::Adjusted),
            (",Dividends,x,Adj Close", Actions::Auto),
            (",Dividends,Stock Splits,x", Actions::Auto),
            (",x,y,Adj Close", Actions::Adjusted),
        ] {
            match read_as(&rows(header, &text), actions) {
                Ok(asset) => {
                    read += 1;
                    for bar in bars_of(&asset) {
                        assert!(bar.low > 0.0 && bar.high.is_finite() && bar.volume.is_finite(), "{bar:?}");
                        assert!(bar.close_ticks > 0);
                    }
                    let dividends = &asset.actions.dividends;
                    assert!(dividends.iter().all(|(_, amount)| amount.is_finite() && *amount > 0.0));
                    assert!(dividends.is_sorted_by(|a, b| a.0 < b.0), "{dividends:?}");
                }
                Err(error) => assert!(error.starts_with("line ") && error.len() < 600, "{error}"),
            }
        }
    }
    assert!(cases(400) < 400 || read > 20, "{read} were read");
}
