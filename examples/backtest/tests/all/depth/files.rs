//! Books from files: their shapes, what is refused, and the commands that trade them.

use std::path::Path;
use std::sync::Arc;

use backtest::data::{DroppedRows, LoadError, ReadOptions, load, load_prices, read_prices};
use backtest::depth::{DEPTH_LEVELS_MAX, Depth, Level};
use backtest::engine::Queueing;
use backtest::messages::Timestamp;
use backtest::prelude::*;
use backtest::program::Program;
use backtest::tape::{PriceKind, Prices};
use parquet::data_type::{DoubleType, Int64Type};

const SAMPLE: &str = include_str!("../../data/depth.csv");

fn read(text: &str, options: &ReadOptions) -> Result<(Vec<Depth>, DroppedRows), LoadError> {
    let (asset, dropped) = read_prices(text.as_bytes(), options, "file")?;
    let Prices::Depth(books) = asset.prices else { panic!("{} in {text}", asset.prices.kind()) };
    Ok((books.to_vec(), dropped))
}

fn levels(levels: &[Level]) -> Vec<(f64, f64)> {
    levels.iter().map(|level| (level.price, level.size)).collect()
}

#[test]
fn the_usual_shapes_of_books_are_read() {
    for text in [
        "Timestamp,Bid_Price_1,Bid_Size_1,Ask_Price_1,Ask_Size_1,Bid_Price_2,Bid_Size_2,Ask_Price_2,Ask_Size_2\n2024-01-02 09:30:00.5,99.5,3,100.5,4,99,1,101,2\n",
        "exchange;symbol;timestamp;local_timestamp;asks[0].price;asks[0].amount;bids[0].price;bids[0].amount;asks[1].price;asks[1].amount;bids[1].price;bids[1].amount\nx;X;1704187800500000;1;100.5;4;99.5;3;101;2;99;1\n",
        "ts_event,action,side,price,size,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_px_01,ask_px_01,bid_sz_01,ask_sz_01\n1704187800500000000,A,B,98,9,99.5,100.5,3,4,99,101,1,2\n",
        // LOBSTER fills levels that there are not with prices that nobody means.
        "time|AskPrice1|AskSize1|BidPrice1|BidSize1|AskPrice2|AskSize2|BidPrice2|BidSize2|AskPrice3|AskSize3|BidPrice3|BidSize3\n1704187800500|100.5|4|99.5|3|101|2|99|1|9999999999|0|-9999999999|0\n",
        // A level without a size is none, also in between.
        "time,bid_price_1,bid_size_1,bid_price_2,bid_size_2,bid_price_3,bid_size_3,ask_price_1,ask_size_1,ask_price_2,ask_size_2\n2024-01-02 09:30:00.5,99.5,3,,,99,1,100.5,4,101,2\n",
    ] {
        let (books, dropped) = read(text, &ReadOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let [book] = &books[..] else { panic!("{text}: {books:?}") };
        assert_eq!(levels(book.bids()), [(99.5, 3.0), (99.0, 1.0)], "{text}");
        assert_eq!(levels(book.asks()), [(100.5, 4.0), (101.0, 2.0)], "{text}");
        assert_eq!(
            (book.timestamp.as_nanos(), book.trade(), dropped.count),
            (1_704_187_800_500_000_000, None, 0)
        );
    }
    // One level that is called as a quote is one.
    let text = "time,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00\n2024-01-02 09:30,99,100,1,1\n";
    let kind =
        |options: &ReadOptions| read_prices(text.as_bytes(), options, "x").expect("it reads").0.prices.kind();
    assert_eq!(kind(&ReadOptions::default()), PriceKind::Quotes);
    assert_eq!(
        kind(&ReadOptions { kind: Some(PriceKind::Depth), ..ReadOptions::default() }),
        PriceKind::Depth
    );
}

#[test]
fn levels_beyond_the_most_are_passed_over_as_other_columns_are() {
    let side = |name: &str| -> String {
        (1..=25).map(|level| format!(",{name}_price_{level},{name}_size_{level}")).collect()
    };
    let values =
        |sign: i32| -> String { (1..=25).map(|level| format!(",{},{level}", 100 + sign * level)).collect() };
    let text = format!("time{}{}\n2024-01-02{}{}\n", side("bid"), side("ask"), values(-1), values(1));
    let (books, _) = read(&text, &ReadOptions::default()).expect("it reads");
    assert_eq!((books[0].bids().len(), books[0].asks().len()), (DEPTH_LEVELS_MAX, DEPTH_LEVELS_MAX));
    assert_eq!(books[0].bids().last(), Some(&Level { price: 90.0, size: 10.0 }));
}

#[test]
fn trades_stand_beside_a_book_or_alone() {
    let (books, _) = read(SAMPLE, &ReadOptions::default()).expect("it reads");
    assert_eq!(books.len(), 12);
    assert!(books.iter().enumerate().all(|(at, book)| book.index == at as u32));
    assert_eq!(books[1].trade(), Some(Level { price: 99.99, size: 40.0 }));
    // The third row is a trade alone: the book is that of the row above it.
    assert_eq!(books[2].trade(), Some(Level { price: 99.99, size: 25.0 }));
    assert_eq!((books[2].bids(), books[2].asks()), (books[1].bids(), books[1].asks()));
    assert_eq!(books[3].trade(), None);
    let columns = ReadOptions::parse_columns("trade_price=last,trade_size=units").expect("columns");
    let options = ReadOptions { columns, ..ReadOptions::default() };
    let text = "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1,last,units\n2024-01-02,9,1,10,1,9,3\n";
    let (books, _) = read(text, &options).expect("it reads");
    assert_eq!(books[0].trade(), Some(Level { price: 9.0, size: 3.0 }));
}

/// Rows behind their date, and what is said of each.
const WRONG: [(&str, &str); 19] = [
    (
        "10:01,100,1,98,1,100,1,101,1,,",
        "column `Bid_Price_1`: the best bid 100 is not below the best ask 100",
    ),
    (
        "10:01,102,1,98,1,100,1,101,1,,",
        "column `Bid_Price_1`: the best bid 102 is not below the best ask 100",
    ),
    (
        "10:01,99,1,99,1,100,1,101,1,,",
        "column `Bid_Price_2`: the bid 99 is not below the bid 99 of the level",
    ),
    (
        "10:01,98,1,99,1,100,1,101,1,,",
        "column `Bid_Price_2`: the bid 99 is not below the bid 98 of the level",
    ),
    ("10:01,99,1,98,1,100,1,99.5,1,,", "column `Ask_Price_2`: the ask 99.5 is not above the ask 100 of the"),
    ("10:01,99,0,98,0,100,1,101,1,,", "column `Bid_Price_1`: the book has no bid, and nobody could value"),
    ("10:01,99,1,98,1,,,,,,", "column `Ask_Price_1`: the book has no ask, and nobody could value a position"),
    ("10:01,,,,,,,,,,", "column `Bid_Price_1`: the book has no bid"),
    ("10:01,99,1,98,1,100,1,101,1,99,-1", "column `Trade_Size`: a volume or size must be a finite number"),
    ("10:01,99,1,98,1,100,1,101,1,0,1", "column `Trade_Price`: a price must be a finite number above zero"),
    ("10:01,99,1,98,1,100,1,101,1,,1", "column `Trade_Price`: the field is empty"),
    ("10:01,99,NaN,98,1,100,1,101,1,,", "column `Bid_Size_1`: a volume or size must be a finite number"),
    ("10:01,99,-3,98,1,100,1,101,1,,", "column `Bid_Size_1`: a volume or size must be a finite number"),
    ("10:01,99,inf,98,1,100,1,101,1,,", "column `Bid_Size_1`: a volume or size must be a finite number"),
    ("10:01,NaN,1,98,1,100,1,101,1,,", "column `Bid_Price_1`: a price must be a finite number above zero"),
    ("10:01,99,1,-98,1,100,1,101,1,,", "column `Bid_Price_2`: a price must be a finite number above zero"),
    ("10:01,99,1,98,1,100,1,x,1,,", "column `Ask_Price_2`: `x` is not a number"),
    ("10:01,,1,98,1,100,1,101,1,,", "column `Bid_Price_1`: the field is empty"),
    ("09:59,99,1,98,1,100,1,101,1,,", "column `Time`: 2024-01-02 09:59:00 comes after"),
];

#[test]
fn bad_books_are_refused_with_their_place_or_left_out_and_counted() {
    let drop = ReadOptions { drop_bad_rows: true, ..ReadOptions::default() };
    let head = "Time,Bid_Price_1,Bid_Size_1,Bid_Price_2,Bid_Size_2,Ask_Price_1,Ask_Size_1,Ask_Price_2,Ask_Size_2,Trade_Price,Trade_Size\n2024-01-02 10:00,99,1,98,1,100,1,101,1,,\n";
    for (row, part) in WRONG {
        let text = format!("{head}2024-01-02 {row}\n2024-01-02 10:02,99,1,98,1,100,1,101,1,,\n");
        let error = read(&text, &ReadOptions::default()).expect_err(row).to_string();
        assert!(error.starts_with(&format!("line 3, {part}")), "{row}: {error}");
        let (books, dropped) = read(&text, &drop).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!((books.len(), dropped.count), (2, 1), "{row}");
    }
}

#[test]
fn a_file_that_is_no_book_says_what_is_missing() {
    let text =
        "Time,Bid_Price_1,Bid_Size_1,Ask_Price_1,Ask_Size_1,Trade_Price,Trade_Size\n2024-01-02,,,,,5,1\n";
    let error = read(text, &ReadOptions::default()).expect_err("no book").to_string();
    assert!(
        error.starts_with("line 2, column `Trade_Price`: a trade comes before the first book"),
        "{error}"
    );
    for (text, column) in [
        ("Time,Bid_Price_1,Bid_Size_1\n", "Ask_Price_1"),
        ("Time,Bid_Price_1,Ask_Price_1,Ask_Size_1\n", "Bid_Size_1"),
        ("Time,Bid_Price_1,Bid_Size_1,Ask_Price_1,Ask_Size_1,Ask_Price_2\n", "Ask_Size_2"),
        ("Time,Bid_Price_1,Bid_Size_1,Ask_Price_1,Ask_Size_1,Trade_Price\n", "Trade_Size"),
    ] {
        let error = read(text, &ReadOptions::default()).expect_err(text).to_string();
        assert!(error.contains(&format!("no column `{column}`")), "{text}: {error}");
    }
    let error = read("Time,Bid_Price_1,Bid_Size_1,Ask_Price_1,Ask_Size_1\n", &ReadOptions::default());
    let error = error.expect_err("nothing").to_string();
    assert!(error.starts_with("the file holds no snapshots; expected a header line such as"), "{error}");
}

#[test]
fn books_of_code_are_held_to_the_same() {
    let book = |bids: &[(f64, f64)], asks: &[(f64, f64)]| Depth::new(Timestamp::from_nanos(0), bids, asks);
    let sound = book(&[(9.0, 1.0)], &[(10.0, 1.0)]);
    for (wrong, part) in [
        (book(&[], &[(10.0, 1.0)]), "no bid or no ask"),
        (book(&[(9.0, 1.0)], &[(10.0, 0.0)]), "no bid or no ask"),
        (book(&[(10.0, 1.0)], &[(10.0, 1.0)]), "not below its best ask"),
        (book(&[(9.0, 1.0), (9.0, 1.0)], &[(10.0, 1.0)]), "not in order"),
        (book(&[(9.0, 1.0)], &[(10.0, 1.0), (f64::INFINITY, 1.0)]), "no number above zero"),
        (book(&[(9.0, -1.0)], &[(10.0, 1.0)]), "a size is no number"),
        (sound.with_trade(9.0, f64::NAN), "a size is no number"),
        (sound.with_trade(-9.0, 1.0), "no number above zero"),
    ] {
        let error = Backtest::of([("B", vec![sound, wrong])]).run(|_: &mut StrategyContext<'_>| {});
        let error = error.expect_err(part).to_string();
        assert!(error.contains("row 1 of `B`") && error.contains(part), "{error}");
    }
}

/// Writes the books as Parquet, with the names of the sample.
fn write_parquet(file: &Path, books: &[Depth]) {
    let mut columns: Vec<(String, Vec<f64>)> = Vec::new();
    for level in 0..3 {
        let of = |side: fn(&Depth) -> &[Level], value: fn(&Level) -> f64| -> Vec<f64> {
            books.iter().map(|book| side(book).get(level).map_or(0.0, value)).collect()
        };
        let number = level + 1;
        columns.push((format!("bid_price_{number}"), of(Depth::bids, |level| level.price)));
        columns.push((format!("bid_size_{number}"), of(Depth::bids, |level| level.size)));
        columns.push((format!("ask_price_{number}"), of(Depth::asks, |level| level.price)));
        columns.push((format!("ask_size_{number}"), of(Depth::asks, |level| level.size)));
    }
    let trade = |value: fn(Level) -> f64| books.iter().map(|book| book.trade().map_or(0.0, value)).collect();
    columns.push(("trade_price".to_owned(), trade(|trade| trade.price)));
    columns.push(("trade_size".to_owned(), trade(|trade| trade.size)));
    let fields: String = columns.iter().map(|(name, _)| format!("required double {name}; ")).collect();
    let schema = format!("message rows {{ required int64 timestamp (TIMESTAMP(NANOS,true)); {fields} }}");
    let schema = parquet::schema::parser::parse_message_type(&schema).expect("a schema").into();
    let out = std::fs::File::create(file).expect("a file");
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(out, schema, Arc::default()).expect("begun");
    let mut group = writer.next_row_group().expect("a group");
    let times: Vec<i64> = books.iter().map(|book| book.timestamp.as_nanos()).collect();
    let mut column = group.next_column().expect("a column").expect("a column");
    column.typed::<Int64Type>().write_batch(&times, None, None).expect("written");
    column.close().expect("written");
    for (_, values) in columns {
        let mut column = group.next_column().expect("a column").expect("a column");
        column.typed::<DoubleType>().write_batch(&values, None, None).expect("written");
        column.close().expect("written");
    }
    group.close().expect("written");
    writer.close().expect("written");
}

#[test]
fn parquet_has_the_books_of_csv() {
    let (books, _) = read(SAMPLE, &ReadOptions::default()).expect("it reads");
    let file = tempfile::NamedTempFile::with_suffix(".parquet").expect("a file");
    write_parquet(file.path(), &books);
    let options = ReadOptions { memory_bytes_max: Some(0), ..ReadOptions::default() };
    let Prices::Depth(read) = load_prices(file.path(), &options).expect("it reads").0.prices else {
        panic!("books")
    };
    assert_eq!(read[..], books[..]);
    assert!(read.is_mapped(), "beyond its bound it is in a file");
    let error = load(file.path(), None).expect_err("no bars").to_string();
    assert!(error.starts_with("the file holds snapshots, and bars are wanted here"), "{error}");
}

/// Bids and asks beside the best, one unit each.
struct Joiner {
    most: f64,
}

impl Joiner {
    fn new(most: f64) -> Self {
        Self { most }
    }
}

impl Strategy for Joiner {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let Some((bid, ask)) = ctx.depth().map(|book| (book.bid().price, book.ask().price)) else { return };
        ctx.cancel_all();
        if ctx.position() < self.most {
            ctx.buy(Ticket::new(1).limit(bid));
        }
        if ctx.position() > -self.most {
            ctx.sell(Ticket::new(1).limit(ask));
        }
    }
}

fn joiner() -> Program<Joiner> {
    backtest::program!(Joiner::new(most: f64 = 5.0))
}

#[test]
fn the_commands_trade_books() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("B.csv");
    std::fs::write(&file, SAMPLE).expect("written");
    let data = file.to_str().expect("a plain path");
    let out = folder.path().join("out");
    let run = |flags: &[&str]| {
        let words = [&["it", "run", "--data", data, "--leverage", "5", "--json"][..], flags].concat();
        joiner().execute(words).map_err(|error| error.to_string())
    };
    let text = run(&["--out", out.to_str().expect("a plain path")]).expect("it runs");
    let (books, _) = read(SAMPLE, &ReadOptions::default()).expect("it reads");
    let by_code = |model| {
        Backtest::of([("B", books.clone())])
            .leverage(5.0)
            .queue(model)
            .run(Joiner::new(5.0))
            .expect("it runs")
    };
    assert_eq!(json(&text), json(&by_code(Queueing::Pessimistic).to_json().to_string()));
    let page = std::fs::read_to_string(out.join("report.html")).expect("a page");
    assert!(page.contains("\"kind\":\"snapshots\""));
    let text = run(&["--queue", "proportional"]).expect("it runs");
    assert_eq!(json(&text), json(&by_code(Queueing::Proportional).to_json().to_string()));
    let sweep = ["it", "sweep", "--data", data, "--most", "1,2,3", "--objective", "return_pct", "--out"];
    let text = joiner().execute([&sweep[..], &[out.to_str().expect("a path")]].concat()).expect("it sweeps");
    assert!(text.contains("\n3 instances on "), "{text}");
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}
