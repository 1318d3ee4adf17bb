//! Several assets on the command line: one account, and what each of them has brought.

use std::path::{Path, PathBuf};

use backtest::engine::AtEnd;
use backtest::messages::{Bar, Timestamp};
use backtest::prelude::*;
use backtest::program::Program;
use mycelium_random::{Random, seeds};
use serde_json::Value;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Holds the first asset against the second while it is below its average.
struct Spread {
    average: Sma,
    share: f64,
}

impl Spread {
    fn new(window: usize, share: f64) -> Self {
        Self { average: Sma::new(window), share }
    }
}

impl Strategy for Spread {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let Some(average) = self.average.push(ctx.price()) else { return };
        if ctx.price() < average && ctx.is_flat() {
            ctx.target(Size::Equity(self.share));
            ctx.asset_at(1).target(Size::Equity(-self.share));
        } else if ctx.price() > average {
            ctx.close();
            ctx.asset_at(1).close();
        }
    }
}

fn spread() -> Program<Spread> {
    backtest::program!(Spread::new(window: usize = 20, share: f64 = 0.4))
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a plain path")
}

fn stocks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv")
}

fn execute(command: &str, files: &[&Path], flags: &[&str]) -> Result<String, String> {
    let data = files.iter().flat_map(|file| ["--data", path(file)]);
    let all: Vec<&str> = ["it", command].into_iter().chain(data).chain(flags.iter().copied()).collect();
    spread().execute(all).map_err(|error| error.to_string())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// What a page holds for its script.
fn held(folder: &Path) -> Value {
    let html = std::fs::read_to_string(folder.join("report.html")).expect("a page");
    let start = "<script type=\"application/json\" id=\"data\">";
    json(html.split(start).nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data"))
}

#[test]
fn a_run_on_two_symbols_tells_what_each_has_brought() {
    let folder = tempfile::tempdir().expect("a folder");
    let two = ["--symbol", "IBM", "--symbol", "MSFT"];
    let flags = [&two[..], &["--commission", "0.001", "--parquet", "--out", path(folder.path())]].concat();
    let text = execute("run", &[&stocks()], &flags).expect("it runs");
    for part in ["IBM: ", "\nMSFT: ", "\nasset ", "\nIBM  ", "\nMSFT  "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let report = json(&std::fs::read_to_string(folder.path().join("report.json")).expect("written"));
    assert_eq!(report["assets"], serde_json::json!(["IBM", "MSFT"]));
    let rows = report["by_asset"].as_array().expect("two rows");
    let sum = |of: &str| rows.iter().map(|row| row[of].as_f64().expect("a number")).sum::<f64>();
    let end = report["statistics"]["equity_final"].as_f64().expect("a number");
    assert!((10_000.0 + sum("profit") - sum("charges") - end).abs() < 1e-6, "{end}");
    assert_eq!(sum("trades"), report["figures"]["trades"].as_f64().expect("a number"));
    assert!(rows.iter().all(|row| row["trades"].as_u64().is_some_and(|count| count > 10)), "{rows:?}");
    let trades = std::fs::read_to_string(folder.path().join("trades.csv")).expect("written");
    let of = |symbol: &str| trades.lines().filter(|line| line.ends_with(&format!(",{symbol}"))).count();
    let counts = rows.iter().map(|row| row["trades"].as_u64().expect("a number") as usize);
    assert_eq!([of("IBM"), of("MSFT")].to_vec(), counts.collect::<Vec<_>>());
    // The page has the price of each, and marks its trades there.
    let data = held(folder.path());
    let names: Vec<&Value> = data["assets"].as_array().expect("two").iter().map(|a| &a["symbol"]).collect();
    assert_eq!(names, ["IBM", "MSFT"]);
    assert_eq!(data["by_asset"], report["by_asset"]);
    for trade in data["trades"].as_array().expect("trades") {
        assert_eq!(trade["symbol"], report["assets"][trade["asset"].as_u64().expect("a number") as usize]);
    }
    // Each symbol from a file of its own is the same.
    let text = std::fs::read_to_string(stocks()).expect("the example's data");
    let one = |symbol: &str| {
        let file = folder.path().join(format!("{symbol}.csv"));
        let kept = |(at, line): &(usize, &str)| *at == 0 || line.starts_with(symbol);
        let lines: Vec<&str> = text.lines().enumerate().filter(kept).map(|(_, line)| line).collect();
        std::fs::write(&file, lines.join("\n")).expect("written");
        file
    };
    let (ibm, msft) = (one("IBM"), one("MSFT"));
    let run = |files: &[&Path], flags: &[&str]| {
        execute("run", files, &[&["--json", "--commission", "0.001"], flags].concat()).expect("it runs")
    };
    assert_eq!(run(&[&ibm, &msft], &[]), run(&[&stocks()], &two));
    assert_eq!(run(&[&ibm, &msft], &two), run(&[&stocks()], &two));
    assert_ne!(run(&[&msft, &ibm], &[]), run(&[&ibm, &msft], &[]), "the first is the strategy's own");
}

/// Bars of so many hours with random walks and, now and then, a row that is missing.
fn walk(random: &mut Random, hours: i64, count: i64, gaps: bool) -> Vec<Bar> {
    let mut ticks = 10_000_i64;
    let mut bars: Vec<Bar> = Vec::new();
    for at in 0..count {
        let open = ticks;
        ticks = (ticks + random.below(301) as i64 - 150).max(1_000);
        if gaps && random.below(8) == 0 {
            continue;
        }
        let price = |ticks: i64| ticks as f64 / 100.0;
        bars.push(Bar {
            timestamp: Timestamp::from_nanos(at * hours * HOUR_NS),
            open: price(open),
            high: price(open.max(ticks) + 20),
            low: price(open.min(ticks) - 20),
            close: price(ticks),
            volume: 100.0,
            close_ticks: ticks,
            index: bars.len() as u32,
            asset: 0,
        });
    }
    bars
}

/// Two assets of other calendars and other lengths of their bars.
fn uneven(seed: u64) -> [(&'static str, Vec<Bar>); 2] {
    let random = &mut Random::new(seed);
    let hours = random.pick(&[1, 4, 24]);
    let first = walk(random, hours, 60 * 24 / hours, true);
    let gaps = random.below(2) == 0;
    [("A", first), ("B", walk(random, 24, 60, gaps))]
}

fn written(folder: &Path, name: &str, bars: &[Bar]) -> PathBuf {
    let row = |bar: &Bar| {
        let time = backtest::data::format_timestamp(bar.timestamp);
        format!("{time},{},{},{},{},{}\n", bar.open, bar.high, bar.low, bar.close, bar.volume)
    };
    let file = folder.join(format!("{name}.csv"));
    let rows: String = bars.iter().map(row).collect();
    std::fs::write(&file, format!("Date,Open,High,Low,Close,Volume\n{rows}")).expect("written");
    file
}

#[test]
fn all_commands_take_assets_of_other_calendars() {
    let folder = tempfile::tempdir().expect("a folder");
    let assets = uneven(7).map(|(name, bars)| written(folder.path(), name, &bars));
    let files = assets.each_ref().map(PathBuf::as_path);
    let at = |name: &str| folder.path().join(name);
    let run = |command: &str, flags: &[&str]| execute(command, &files, flags);
    let ranges = ["--window", "3..=9:2", "--share", "0.2,0.4", "--json", "--out"];
    let digest = |command: &str, name: &str, flags: &[&str]| {
        let text = run(command, &[&ranges[..], &[path(&at(name))], flags].concat()).expect(command);
        json(&text)["digest"].clone()
    };
    assert_eq!(digest("sweep", "one", &["--threads", "1"]), digest("sweep", "three", &["--threads", "3"]));
    digest("optimise", "best", &["--runs", "8"]);
    assert_eq!(held(&at("best"))["assets"].as_array().map(Vec::len), Some(2));
    let page = at("page.html");
    let flags = ["--window", "3..=9:2", "--train", "20", "--test", "10", "--out", path(&page)];
    assert!(run("report", &flags).expect("report").contains("\nasset "));
    let walked = at("walk");
    let folds = ["--window", "3..=9:2", "--train", "20", "--test", "10", "--out", path(&walked)];
    let flags = [&folds[..], &["--objective", "return_pct"]].concat();
    run("walk-forward", &flags).expect("walk-forward");
    assert_eq!(held(&at("walk"))["assets"].as_array().map(Vec::len), Some(2));
    for method in ["returns", "shuffle", "trades", "parameters"] {
        run("monte-carlo", &["--method", method, "--paths", "20"]).expect(method);
    }
    for method in ["prices", "entries"] {
        let error = run("monte-carlo", &["--method", method]).expect_err("of one asset alone");
        assert!(error.contains(&format!("--method is `{method}`")) && error.contains("`returns`"), "{error}");
    }
}

#[test]
fn a_path_of_resampled_prices_keeps_assets_together() {
    /// Twice as much of the one as is sold of the other, from the first bar on.
    struct Hedge;
    impl Strategy for Hedge {
        fn next(&mut self, ctx: &mut StrategyContext<'_>) {
            if ctx.bar().index == 0 {
                ctx.buy(20);
                ctx.asset_at(1).sell(10);
            }
        }
    }
    impl Hedge {
        fn new(_: usize) -> Self {
            Self
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let one = walk(&mut Random::new(5), 24, 200, false);
    let double = |bar: &Bar| {
        let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(|price| price * 2.0);
        Bar { open, high, low, close, ..*bar }
    };
    let two: Vec<Bar> = one.iter().map(double).collect();
    let files = [written(folder.path(), "A", &one), written(folder.path(), "B", &two)];
    let program = backtest::program!(Hedge::new(of: usize = 1));
    let data = files.iter().flat_map(|file| ["--data", path(file)]);
    let flags = ["--leverage", "9", "--paths", "50", "--json"];
    let all: Vec<&str> = ["it", "monte-carlo"].into_iter().chain(data).chain(flags).collect();
    let told = json(&program.execute(all).expect("it runs"));
    assert_eq!(told["risk"]["paths"], 50, "{told}");
    // The one gains what the other loses, but for prices that are rounded to ticks: a block that was drawn
    // for one of them alone would make them differ by percents.
    for figure in ["mean_pct", "deviation_pct"] {
        let value = told["risk"][figure].as_f64().expect("a number");
        assert!(value.abs() < 0.3, "{figure}: {told}");
    }
}

#[test]
fn mistakes_with_several_assets_name_the_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = uneven(3).map(|(name, bars)| written(folder.path(), name, &bars));
    let refused = |files: &[&Path], flags: &[&str]| execute("run", files, flags).expect_err("refused");
    let error = refused(&[&a, &b], &["--symbol", "A"]);
    assert!(error.contains("--symbol is given 1 times for 2 files; give one for each file"), "{error}");
    let error = refused(&[&a, &a], &[]);
    assert!(error.contains("two assets are called `A`"), "{error}");
    let error = refused(&[&stocks()], &["--symbol", "IBM", "--symbol", "IBN"]);
    assert!(error.contains("no symbol `IBN` in the file"), "{error}");
    let error = refused(&[&a], &[]);
    assert!(error.contains("there is no asset number 1") && error.contains("[\"A\"]"), "{error}");
    let error = refused(&[&a, &folder.path().join("none.csv")], &[]);
    assert!(error.contains("none.csv"), "{error}");
}

#[test]
fn a_part_of_the_moments_is_the_run_up_to_there() {
    for seed in seeds(40) {
        let whole = Backtest::of(uneven(seed)).leverage(2.0).at_end(AtEnd::Keep);
        let report = whole.run(Spread::new(5, 0.4)).expect("it runs");
        let count = whole.bars().len();
        assert_eq!(report.equity.len(), count);
        let cut = 1 + Random::new(seed ^ 0xc07).index(count);
        let part = whole.part(0..cut).run(Spread::new(5, 0.4)).expect("it runs");
        assert_eq!(part.equity, report.equity[..cut], "seed {seed}, {cut} of {count}");
        let closed = report.trades.iter().filter(|trade| part.trades.contains(trade)).count();
        assert_eq!(closed, part.trades.len(), "seed {seed}");
        // The part behind a cut has the same moments, numbered from the first.
        let rest = whole.part(cut..count);
        let times = |backtest: &Backtest| backtest.bars().iter().map(|bar| bar.timestamp).collect::<Vec<_>>();
        assert_eq!(times(&rest), times(&whole)[cut..], "seed {seed}");
    }
}

#[test]
fn a_walk_forward_over_two_assets_trades_each_moment_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in seeds(5) {
        let assets = uneven(seed);
        let moments = Backtest::of(assets.clone()).bars().to_vec();
        let files = assets.map(|(name, bars)| written(folder.path(), name, &bars));
        let out = folder.path().join(format!("{seed}"));
        let folds = ["--window", "3..=6", "--train", "21", "--test", "7", "--out", path(&out)];
        let flags = [&folds[..], &["--objective", "return_pct"]].concat();
        let text = execute("walk-forward", &files.each_ref().map(PathBuf::as_path), &flags).expect("it runs");
        let walked = json(&std::fs::read_to_string(out.join("walk-forward.json")).expect("written"));
        let rows = walked["by_asset"].as_array().expect("two rows");
        assert_eq!(held(&out)["by_asset"], walked["by_asset"], "the page has them as well");
        assert!(text.contains("\nasset ") && rows.len() == 2, "{text}");
        let sum = |of: &str| rows.iter().map(|row| row[of].as_f64().expect("a number")).sum::<f64>();
        let end = walked["figures"]["equity_final"].as_f64().expect("a number");
        assert!((10_000.0 + sum("profit") - sum("charges") - end).abs() < 1e-6, "seed {seed}: {end}");
        assert!(rows.iter().all(|row| row["exposure_pct"].as_f64().is_some_and(|share| share <= 100.0)));
        let equity = std::fs::read_to_string(out.join("equity.csv")).expect("written");
        let times: Vec<&str> = equity.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        let wanted = moments[21..].iter().map(|bar| backtest::data::format_timestamp(bar.timestamp));
        assert_eq!(times, wanted.collect::<Vec<_>>(), "seed {seed}");
        let first = moments[21].timestamp;
        for trade in held(&out)["trades"].as_array().expect("trades") {
            let entry = trade["entry_s"].as_f64().expect("a time") * 1e9;
            // The bar of an entry may have begun before the moment at which it is over.
            assert!(entry + 25.0 * HOUR_NS as f64 > first.as_nanos() as f64, "seed {seed}: {trade}");
        }
    }
}

/// The legs of a pair are one unit of a shuffle: apart, each would be a gain or a loss that nobody had.
#[test]
fn a_shuffle_of_two_assets_ends_where_the_run_did_and_keeps_its_legs_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let costs = ["--commission", "0.001", "--leverage", "2", "--window", "20"];
    let method = ["--method", "shuffle", "--paths", "40", "--out", path(folder.path()), "--json"];
    let flags = [&["--symbol", "IBM", "--symbol", "MSFT"], &costs[..], &method].concat();
    let shuffled = json(&execute("monte-carlo", &[&stocks()], &flags).expect("it runs"));
    let end = shuffled["history"]["return_pct"].as_f64().expect("a number");
    let paths = std::fs::read_to_string(folder.path().join("paths.csv")).expect("written");
    let ends: Vec<f64> = paths
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).and_then(|end| end.parse().ok()).expect("a number"))
        .collect();
    assert_eq!(ends.len(), 40);
    assert!(ends.iter().all(|of| (of - end).abs() < 1e-6), "{end} is not {ends:?}");
    // One leg gains what the other one loses, at the same times: no sequence of them falls.
    let day = |at: i64, close: f64| Bar {
        timestamp: Timestamp::from_nanos(at * 24 * HOUR_NS),
        open: close,
        high: close,
        low: close,
        close,
        ..Bar::default()
    };
    // Bought at 90 and left at 110, again and again: what the first asset wins, the second loses.
    let up = |at: i64| day(at, if at % 10 < 5 { 90.0 } else { 110.0 });
    let hedged = [("A", (0..40).map(up).collect::<Vec<_>>()), ("B", (0..40).map(up).collect())];
    let files = hedged.map(|(name, bars)| written(folder.path(), name, &bars));
    let files = files.each_ref().map(PathBuf::as_path);
    let flags = ["--window", "3", "--lot", "0.001", "--method", "shuffle", "--paths", "20", "--json"];
    let shuffled = json(&execute("monte-carlo", &files, &flags).expect("it runs"));
    assert!(shuffled["history"]["n_trades"].as_u64() > Some(4), "{shuffled}");
    let deepest = shuffled["risk"]["median_drawdown_pct"].as_f64().expect("a number");
    assert!(deepest > -0.1, "{deepest}");
}
