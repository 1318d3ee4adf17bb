//! Quotes and ticks from files: their shapes, what is refused, and the commands that trade them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backtest::data::{
    DroppedRows, LoadError, ReadOptions, format_timestamp, load, load_prices, read_prices, read_with,
};
use backtest::messages::{Quote, Tick, Timestamp};
use backtest::prelude::*;
use backtest::program::Program;
use backtest::tape::{PriceKind, Prices};
use parquet::data_type::{DoubleType, Int64Type};
use serde_json::Value;

fn read(text: &str, options: &ReadOptions) -> Result<(Prices, DroppedRows), LoadError> {
    read_prices(text.as_bytes(), options, "file").map(|(asset, dropped)| (asset.prices, dropped))
}

/// Each row in words, without its day.
fn shown(prices: &Prices) -> Vec<String> {
    let time = |time: Timestamp| format_timestamp(time).split_off(11);
    match prices {
        Prices::Bars(bars) => bars.iter().map(|bar| format!("bar {}", bar.close)).collect(),
        Prices::Quotes(quotes) => {
            let row = |q: &Quote| {
                format!("{} {}/{} {}/{}", time(q.timestamp), q.bid, q.ask, q.bid_size, q.ask_size)
            };
            quotes.iter().map(row).collect()
        }
        Prices::Ticks(ticks) => {
            ticks.iter().map(|t| format!("{} {} {}", time(t.timestamp), t.price, t.size)).collect()
        }
        Prices::Depth(books) => books.iter().map(|book| format!("{book:?}")).collect(),
    }
}

#[test]
fn the_usual_shapes_of_quotes_and_trades_are_read() {
    let quotes = ["09:30:00.5 99.5/100.5 3/4", "09:30:00.5 99/100 1/0"];
    for text in [
        "Timestamp,Bid,Ask,Bid_Size,Ask_Size\n2024-01-02 09:30:00.5,99.5,100.5,3,4\n2024-01-02 09:30:00.5,99,100,1,\n",
        "Gmt time,Ask,Bid,AskVolume,BidVolume\n2024-01-02 09:30:00.500,100.5,99.5,4,3\n2024-01-02 09:30:00.500,100,99,0,1\n",
        "exchange;timestamp;local_timestamp;ask_amount;ask_price;bid_price;bid_amount\nx;1704187800500000;1;4;100.5;99.5;3\nx;1704187800500000;1;;100;99;1\n",
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time\n1,99.5,3,100.5,4,1704187800500\n2,99,1,100,0,1704187800500\n",
        "sip_timestamp,bid_price,ask_price,bid_size,ask_size\n1704187800500000000,99.5,100.5,3,4\n1704187800500000000,99,100,1,0\n",
        // Of an event of a book, the price is that of an order, and the best bid and ask stand beside it.
        "ts_recv,ts_event,rtype,action,side,depth,price,size,flags,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00\n1,1704187800500000000,1,A,B,0,42,9,0,99.5,100.5,3,4\n2,1704187800500000000,1,C,A,0,43,9,0,99,100,1,0\n",
    ] {
        let (prices, dropped) = read(text, &ReadOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!((shown(&prices), dropped.count), (quotes.map(str::to_owned).to_vec(), 0), "{text}");
    }
    let ticks = ["09:30:00.5 99.5 3", "09:30:01 99 0"];
    for text in [
        "Timestamp,Price,Size\n2024-01-02 09:30:00.5,99.5,3\n2024-01-02 09:30:01,99,\n",
        "id,price,qty,quote_qty,time,is_buyer_maker\n1,99.5,3,298.5,1704187800500,true\n2,99,0,0,1704187801000,false\n",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time\n1,99.5,3,1,1,1704187800500\n2,99,0,2,2,1704187801000\n",
        "symbol,timestamp,id,side,price,amount\nX,1704187800500000,1,buy,99.5,3\nX,1704187801000000,2,sell,99,0\n",
    ] {
        let (prices, _) = read(text, &ReadOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(shown(&prices), ticks, "{text}");
    }
    // An order that was added or cancelled is no trade.
    for (text, column) in [
        ("ts_event,action,side,price,size\n1704187800500000000,T,B,99.5,3\n", "action"),
        ("ts_event,Order_Id,price,size\n1704187800500000000,7,99.5,3\n", "Order_Id"),
    ] {
        let error = read(text, &ReadOptions::default()).expect_err("an event of a book").to_string();
        assert!(error.contains(&format!("`{column}`")) && error.contains("--kind ticks"), "{error}");
        let options = ReadOptions { kind: Some(PriceKind::Ticks), ..ReadOptions::default() };
        assert_eq!(shown(&read(text, &options).expect("it was said").0), ["09:30:00.5 99.5 3"]);
    }
    // Without sizes there are none.
    let (prices, _) =
        read("time,bid,ask\n2024-01-02 10:00,1,2\n", &ReadOptions::default()).expect("it reads");
    assert_eq!(shown(&prices), ["10:00:00 1/2 0/0"]);
    // Rows are numbered, and switches are those of bars.
    let columns = ReadOptions::parse_columns("date=t,bid=b,ask=a").expect("columns");
    let options = ReadOptions {
        columns,
        decimal_comma: true,
        date_format: Some("%d.%m.%Y %H:%M".to_owned()),
        sort: true,
        symbol: Some("X".to_owned()),
        ..ReadOptions::default()
    };
    let text = "symbol;t;b;a\nX;02.01.2024 10:01;1,5;2,5\nY;02.01.2024 09:00;7;8\nX;02.01.2024 10:00;1;2\nX;02.01.2024 10:01;3;4\n";
    let (prices, dropped) = read(text, &options).expect("it reads");
    assert_eq!(shown(&prices), ["10:00:00 1/2 0/0", "10:01:00 1.5/2.5 0/0", "10:01:00 3/4 0/0"]);
    let Prices::Quotes(quotes) = prices else { panic!("quotes") };
    assert_eq!((quotes.iter().map(|q| q.index).collect::<Vec<_>>(), dropped.count), (vec![0, 1, 2], 0));
}

#[test]
fn the_kind_may_be_said_and_bars_are_wanted_where_bars_are() {
    let text = "Date,Open,High,Low,Close,Bid,Ask\n2024-01-02 10:00,1,2,1,2,5,6\n";
    let of = |kind| ReadOptions { kind, ..ReadOptions::default() };
    assert_eq!(shown(&read(text, &of(None)).expect("bars").0), ["bar 2"]);
    assert_eq!(shown(&read(text, &of(Some(PriceKind::Quotes))).expect("quotes").0), ["10:00:00 5/6 0/0"]);
    let error = read(text, &of(Some(PriceKind::Ticks))).expect_err("no price").to_string();
    assert!(error.starts_with("line 1: no column `Price`; the header has: Date, Open"), "{error}");
    let error = read("Time,Bid,Volume\n", &of(None)).expect_err("no ask").to_string();
    assert!(error.starts_with("line 1: no column `Ask`"), "{error}");
    let error = read("Time,Bid,Ask\n", &of(None)).expect_err("nothing").to_string();
    assert!(
        error.starts_with("the file holds no quotes; expected a header line such as `Timestamp,Bid"),
        "{error}"
    );
    let error = read("Time,Price\n", &of(None)).expect_err("nothing").to_string();
    assert!(error.contains("holds no ticks") && error.contains("one row per tick"), "{error}");
    let error = read_with(b"Time,Bid,Ask\n2024-01-02,1,2\n", &of(None), "x").expect_err("quotes").to_string();
    assert!(error.starts_with("the file holds quotes, and bars are wanted here"), "{error}");
}

#[test]
fn bad_quotes_and_ticks_are_refused_with_their_place_or_left_out_and_counted() {
    let drop = ReadOptions { drop_bad_rows: true, ..ReadOptions::default() };
    let quotes = "Time,Bid,Ask,Bid_Size,Ask_Size\n2024-01-02 10:00,5,6,1,1\n";
    let ticks = "Time,Price,Size\n2024-01-02 10:00,5,1\n";
    for (head, row, tail, part) in [
        (
            quotes,
            "2024-01-02 10:01,7,6,1,1",
            ",5,6,1,1",
            "line 3, column `Bid`: the bid 7 is above the ask 6",
        ),
        (quotes, "2024-01-02 10:01,NaN,6,1,1", ",5,6,1,1", "line 3, column `Bid`: a price must be a finite"),
        (quotes, "2024-01-02 10:01,5,inf,1,1", ",5,6,1,1", "line 3, column `Ask`: a price must be a finite"),
        (quotes, "2024-01-02 10:01,0,6,1,1", ",5,6,1,1", "line 3, column `Bid`: a price must be a finite"),
        (quotes, "2024-01-02 10:01,-5,6,1,1", ",5,6,1,1", "line 3, column `Bid`: a price must be a finite"),
        (quotes, "2024-01-02 10:01,,6,1,1", ",5,6,1,1", "line 3, column `Bid`: the field is empty"),
        (
            quotes,
            "2024-01-02 10:01,5,6,-1,1",
            ",5,6,1,1",
            "line 3, column `Bid_Size`: a volume or size must be",
        ),
        (
            quotes,
            "2024-01-02 10:01,5,6,1,nan",
            ",5,6,1,1",
            "line 3, column `Ask_Size`: a volume or size must",
        ),
        (quotes, "2024-01-02 10:01,5,x,1,1", ",5,6,1,1", "line 3, column `Ask`: `x` is not a number"),
        (
            quotes,
            "2024-01-02 09:59,5,6,1,1",
            ",5,6,1,1",
            "line 3, column `Time`: 2024-01-02 09:59:00 comes after",
        ),
        (quotes, "2024-01-02 10:01,5,6,1", ",5,6,1,1", "line 3: the row has 4 fields and the header 5"),
        (ticks, "2024-01-02 10:01,0,1", ",5,1", "line 3, column `Price`: a price must be a finite"),
        (ticks, "2024-01-02 10:01,NaN,1", ",5,1", "line 3, column `Price`: a price must be a finite"),
        (ticks, "2024-01-02 10:01,5,-1", ",5,1", "line 3, column `Size`: a volume or size must be"),
        (ticks, "2024-01-02 09:59,5,1", ",5,1", "line 3, column `Time`: 2024-01-02 09:59:00 comes after"),
        (ticks, "2024-02-31 10:01,5,1", ",5,1", "line 3, column `Time`: `2024-02-31 10:01` is no timestamp"),
    ] {
        let text = format!("{head}{row}\n2024-01-02 10:02{tail}\n");
        let error = read(&text, &ReadOptions::default()).expect_err(row).to_string();
        assert!(error.starts_with(part), "{row}: {error}");
        let (prices, dropped) = read(&text, &drop).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!((prices.len(), dropped.count), (2, 1), "{row}");
        assert!(dropped.to_string().starts_with("1 rows were left out; the first: line 3"), "{dropped}");
    }
    // One that is far too late goes, and not those behind it; equal times stay.
    let text = format!("{ticks}2025-01-01 00:00,6,1\n2024-01-02 10:00,7,1\n2024-01-02 10:00,8,1\n");
    let (prices, dropped) = read(&text, &drop).expect("it reads");
    assert_eq!(shown(&prices), ["10:00:00 5 1", "10:00:00 7 1", "10:00:00 8 1"]);
    assert_eq!(dropped.count, 1);
}

/// Quotes about 100, two ticks wide, that jump by up to seven ticks, each 90 s after the one before.
fn quotes(count: u32) -> Vec<Quote> {
    let mut state = 7_u32;
    let quote = |index: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let middle = 9_997 + i64::from(state >> 29);
        Quote {
            timestamp: Timestamp::from_nanos(i64::from(index) * 90_000_000_000),
            bid: (middle - 1) as f64 / 100.0,
            ask: (middle + 1) as f64 / 100.0,
            bid_size: 10.0,
            ask_size: 10.0,
            index,
            asset: 0,
        }
    };
    (0..count).map(quote).collect()
}

fn ticks(count: u32) -> Vec<Tick> {
    let tick = |q: &Quote| Tick { timestamp: q.timestamp, price: q.bid, size: 2.0, index: q.index, asset: 0 };
    quotes(count).iter().map(tick).collect()
}

/// Writes columns of numbers behind one of times.
fn parquet_of(file: &Path, names: &[&str], times: &[i64], columns: &[Vec<f64>]) {
    let fields: String = names.iter().map(|name| format!("required double {name}; ")).collect();
    let schema = format!("message rows {{ required int64 timestamp (TIMESTAMP(NANOS,true)); {fields} }}");
    let schema = parquet::schema::parser::parse_message_type(&schema).expect("a schema").into();
    let out = std::fs::File::create(file).expect("a file");
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(out, schema, Arc::default()).expect("begun");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = group.next_column().expect("a column").expect("a column");
    column.typed::<Int64Type>().write_batch(times, None, None).expect("written");
    column.close().expect("written");
    for values in columns {
        let mut column = group.next_column().expect("a column").expect("a column");
        column.typed::<DoubleType>().write_batch(values, None, None).expect("written");
        column.close().expect("written");
    }
    group.close().expect("written");
    writer.close().expect("written");
}

#[test]
fn parquet_has_the_rows_of_csv_and_the_same_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, quotes, ticks) = (folder.path().join("rows.parquet"), quotes(500), ticks(500));
    let times: Vec<i64> = quotes.iter().map(|quote| quote.timestamp.as_nanos()).collect();
    let of = |value: fn(&Quote) -> f64| quotes.iter().map(value).collect::<Vec<f64>>();
    let columns = [of(|q| q.bid), of(|q| q.ask), of(|q| q.bid_size), of(|q| q.ask_size)];
    let names = ["bid", "ask", "bid_size", "ask_size"];
    parquet_of(&file, &names, &times, &columns);
    let loaded = load_prices(&file, &ReadOptions::default()).expect("it reads").0;
    let Prices::Quotes(read) = loaded.prices else { panic!("quotes") };
    assert!(read[..] == quotes[..] && loaded.symbol == "rows");
    assert!(load(&file, None).expect_err("quotes").to_string().starts_with("the file holds quotes"));
    let sizes: Vec<f64> = ticks.iter().map(|tick| tick.size).collect();
    parquet_of(&file, &["price", "size"], &times, &[columns[0].clone(), sizes]);
    let Prices::Ticks(read) = load_prices(&file, &ReadOptions::default()).expect("it reads").0.prices else {
        panic!("ticks")
    };
    assert!(read[..] == ticks[..]);
    let mut crossed = columns.clone();
    crossed[0][1] = 200.0;
    parquet_of(&file, &names, &times, &crossed);
    let error = load_prices(&file, &ReadOptions::default()).expect_err("crossed").to_string();
    assert!(error.starts_with("row 2, column `bid`: the bid 200 is above the ask"), "{error}");
    let drop = ReadOptions { drop_bad_rows: true, ..ReadOptions::default() };
    let (asset, dropped) = load_prices(&file, &drop).expect("it reads");
    assert_eq!((asset.prices.len(), dropped.count), (499, 1));
}

/// Quotes one size on either side of the middle, and takes what it has earned.
struct Maker {
    half_spread: f64,
}

impl Maker {
    fn new(half_spread: f64) -> Self {
        Self { half_spread }
    }
}

impl Strategy for Maker {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        ctx.cancel_all();
        let price = ctx.price();
        if ctx.position() < 5.0 {
            ctx.buy(Ticket::new(1).limit(price - self.half_spread));
        }
        if ctx.position() > -5.0 {
            ctx.sell(Ticket::new(1).limit(price + self.half_spread));
        }
    }
}

fn maker() -> Program<Maker> {
    backtest::program!(Maker::new(half_spread: f64 = 0.02))
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a plain path")
}

fn execute(command: &str, file: &Path, flags: &[&str]) -> Result<String, String> {
    let all = [&["it", command, "--data", path(file), "--leverage", "5"][..], flags].concat();
    maker().execute(all).map_err(|error| error.to_string())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn quotes_file(folder: &Path, quotes: &[Quote]) -> PathBuf {
    let row = |q: &Quote| {
        format!(
            "{},{},{},{},{}\n",
            q.timestamp.as_nanos() + 1_704_067_200_000_000_000,
            q.bid,
            q.ask,
            q.bid_size,
            q.ask_size
        )
    };
    let rows: String = quotes.iter().map(row).collect();
    let file = folder.join("X.csv");
    std::fs::write(&file, format!("timestamp,bid,ask,bid_size,ask_size\n{rows}")).expect("written");
    file
}

#[test]
fn all_commands_trade_quotes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = quotes_file(folder.path(), &quotes(3_000));
    let at = |name: &str| folder.path().join(name);
    let text = execute("run", &file, &["--out", path(&at("run"))]).expect("it runs");
    assert!(text.contains("X: 3000 quotes from 2024-01-01 to 2024-01-04 02:58:30"), "{text}");
    // The same as from code.
    let moved = |q: &Quote| Quote {
        timestamp: Timestamp::from_nanos(q.timestamp.as_nanos() + 1_704_067_200_000_000_000),
        ..*q
    };
    let rows: Vec<Quote> = quotes(3_000).iter().map(moved).collect();
    let report = Backtest::of([("X", rows)]).leverage(5.0).run(Maker::new(0.02)).expect("it runs");
    assert!(report.trades.len() > 200, "{} trades", report.trades.len());
    let written = json(&std::fs::read_to_string(at("run").join("report.json")).expect("written"));
    assert_eq!(written, json(&report.to_json().to_string()));
    let html = std::fs::read_to_string(at("run").join("report.html")).expect("a page");
    assert!(html.contains("\"kind\":\"quotes\""));
    let ranges = ["--half-spread", "0.01,0.02,0.03", "--json", "--out"];
    let digest = |command: &str, name: &str, flags: &[&str]| {
        let text = execute(command, &file, &[&ranges[..], &[path(&at(name))], flags].concat());
        json(&text.expect(command))["digest"].clone()
    };
    assert_eq!(digest("sweep", "one", &["--threads", "1"]), digest("sweep", "three", &["--threads", "3"]));
    digest("optimise", "best", &["--runs", "4"]);
    let (page, walked) = (at("page.html"), at("walked"));
    let folds = ["--half-spread", "0.01,0.02", "--train", "900", "--test", "500", "--out"];
    // A stretch of a day has no Sharpe ratio to choose by.
    let error = execute("walk-forward", &file, &[&folds[..], &[path(&walked)]].concat()).expect_err("a day");
    assert!(error.contains("no point has a `sharpe`"), "{error}");
    let folds = [&["--objective", "return_pct"], &folds[..]].concat();
    execute("report", &file, &[&folds[..], &[path(&page)]].concat()).expect("report");
    execute("walk-forward", &file, &[&folds[..], &[path(&walked)]].concat()).expect("walk-forward");
    let equity = std::fs::read_to_string(walked.join("equity.csv")).expect("written");
    assert_eq!(equity.lines().count(), 1 + 3_000 - 900);
    for method in ["returns", "parameters"] {
        execute("monte-carlo", &file, &["--method", method, "--paths", "9"]).expect(method);
    }
    let error = execute("monte-carlo", &file, &["--method", "entries"]).expect_err("quotes");
    assert!(error.contains("--method is `entries`") && error.contains("the spread"), "{error}");
    let error = execute("monte-carlo", &file, &[]).expect_err("no bars");
    assert!(
        error.contains("--method is `prices`, which resamples bars that begin at the same times"),
        "{error}"
    );
    // The crossing of averages, which is built in, takes them too.
    let flags = ["--fast", "5", "--slow", "20", "--out", path(&page)];
    let words = [&["backtest", "report", "--data", path(&file)][..], &flags].concat();
    let text = backtest::averages::program().execute(words).expect("it runs");
    let trades = text.lines().find(|line| line.starts_with("trades ")).expect("the number of trades");
    assert!(!trades.trim_end().ends_with(" 0"), "{trades}");
}

#[test]
fn a_market_of_ticks_is_one_of_the_tape() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |t: &Tick| format!("{},{},{}\n", format_timestamp(t.timestamp), t.price, t.size);
    let rows: String = ticks(400).iter().map(row).collect();
    let file = folder.path().join("T.csv");
    std::fs::write(&file, format!("date,price,size\n{rows}")).expect("written");
    let report = Backtest::of([("T", ticks(400))]).leverage(5.0).run(Maker::new(0.02)).expect("it runs");
    let text = execute("run", &file, &["--json"]).expect("it runs");
    assert_eq!(json(&text), json(&report.to_json().to_string()));
    assert!(!report.trades.is_empty());
    // Bars of a file and quotes of another are one market.
    let quotes = quotes_file(folder.path(), &quotes(50));
    let all = ["it", "run", "--data", path(&file), "--data", path(&quotes)];
    let text = maker().execute(all).expect("it runs");
    assert!(text.contains("T: 400 ticks") && text.contains("X: 50 quotes"), "{text}");
}

#[test]
fn beta_of_quotes_is_that_of_minutes() {
    // Within each minute the middle jumps; at its end, it is where it should be.
    let closes = [100.0, 102.0, 101.0, 104.0, 103.0, 107.0];
    let mut rows = Vec::new();
    for (minute, close) in (0..).zip(closes) {
        for (second, price) in [(10, 90.0 + f64::from(minute)), (30, 110.0), (50, close)] {
            let timestamp = Timestamp::from_nanos((minute as i64 * 60 + second) * 1_000_000_000);
            let (bid, ask, index) = (price - 0.5, price + 0.5, rows.len() as u32);
            rows.push(Quote { timestamp, bid, ask, bid_size: 1.0, ask_size: 1.0, index, asset: 0 });
        }
    }
    let hold = |ctx: &mut StrategyContext<'_>| {
        if ctx.is_flat() {
            ctx.buy(50);
        }
    };
    let report = Backtest::of([("X", rows)]).run(hold).expect("it runs");
    let equity: Vec<f64> = report.equity.iter().skip(2).step_by(3).copied().collect();
    let changes = |values: &[f64]| values.windows(2).map(|p| (p[1] / p[0]).ln()).collect::<Vec<f64>>();
    let (own, market) = (changes(&equity), changes(&closes));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (own_mean, market_mean) = (mean(&own), mean(&market));
    let covariance: f64 = own.iter().zip(&market).map(|(a, b)| (a - own_mean) * (b - market_mean)).sum();
    let squares: f64 = market.iter().map(|b| (b - market_mean).powi(2)).sum();
    let beta = report.figures.expect("figures").beta;
    assert!((beta - covariance / squares).abs() < 1e-12, "{beta} is not {}", covariance / squares);
}
