//! Arrow IPC: files of pyarrow and pandas, files that are damaged, and what is written. It stands apart
//! because it is small.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use backtest::data::{LoadError, ReadOptions, load, load_prices, load_with, read_with};
use backtest::messages::Bar;
use backtest::strategy::{Backtest, Report, StrategyContext, Ticket};
use backtest::tape::Prices;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn goog() -> ReadOptions {
    ReadOptions { symbol: Some("GOOG".to_owned()), ..ReadOptions::default() }
}

/// Files that pyarrow and pandas have written (`tests/oracle/arrow_files.py`), against the same rows of CSV.
#[test]
fn arrow_of_pyarrow_gives_the_bars_of_the_csv() {
    let text = std::fs::read(data().join("parquet/prices.csv")).expect("committed");
    let csv = read_with(&text, &goog(), "prices").expect("it reads").0;
    let mut found = 0;
    for file in std::fs::read_dir(data().join("arrow")).expect("committed") {
        let file = file.expect("an entry").path();
        let name = file.display().to_string();
        let symbol = name.contains("symbol").then(|| "GOOG".to_owned());
        let options =
            ReadOptions { symbol, drop_bad_rows: name.contains("missing"), ..ReadOptions::default() };
        let loaded = load_with(&file, &options);
        if name.contains("zstd") {
            let error = loaded.expect_err("not compiled in").to_string();
            assert!(
                error.starts_with("the Arrow file cannot be read: it is compressed with zstd; write"),
                "{error}"
            );
            continue;
        }
        let (series, dropped) = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(dropped.count, usize::from(name.contains("missing")), "{name}");
        assert_eq!((series.bars, series.scale), (csv.bars.clone(), csv.scale), "{name}");
        found += 1;
    }
    assert_eq!(found, 12, "files");
    // Where two symbols are in one file, one is chosen, and a bad row is named by its number and its column.
    let error = load(&data().join("arrow/symbol_view.arrow"), None).expect_err("two symbols").to_string();
    assert!(error.contains("choose one with --symbol: IBM, GOOG"), "{error}");
    let error = load(&data().join("arrow/missing.arrow"), None).expect_err("a hole").to_string();
    assert!(error.starts_with("row 4, column `Close`: the field is empty"), "{error}");
}

fn table() -> RecordBatch {
    let times = Int64Array::from_iter_values((0..40).map(|at| 1_704_067_200 + 60 * at));
    let of = |add: f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..40).map(|at| f64::from(at) + add)))
    };
    let columns: [(&str, ArrayRef); 5] = [
        ("time", Arc::new(times)),
        ("bid", of(9.0)),
        ("ask", of(10.0)),
        ("bid_size", of(1.0)),
        ("ask_size", of(2.0)),
    ];
    RecordBatch::try_from_iter(columns).expect("a table")
}

fn written(as_stream: bool) -> Vec<u8> {
    let (batch, mut bytes) = (table(), Vec::new());
    if as_stream {
        let mut out = StreamWriter::try_new(&mut bytes, &batch.schema()).expect("begun");
        out.write(&batch.slice(0, 15)).and_then(|()| out.write(&batch.slice(15, 25))).expect("written");
        out.finish().expect("written");
    } else {
        let mut out = FileWriter::try_new(&mut bytes, &batch.schema()).expect("begun");
        out.write(&batch.slice(0, 15)).and_then(|()| out.write(&batch.slice(15, 25))).expect("written");
        out.finish().expect("written");
    }
    bytes
}

fn read_bytes(bytes: &[u8]) -> Result<Prices, LoadError> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    load_prices(file.path(), &ReadOptions::default()).map(|(asset, _)| asset.prices)
}

#[test]
fn files_and_streams_have_the_same_rows() {
    let Prices::Quotes(file) = read_bytes(&written(false)).expect("it reads") else { panic!("quotes") };
    let Prices::Quotes(stream) = read_bytes(&written(true)).expect("it reads") else { panic!("quotes") };
    assert_eq!((file.len(), &file[..]), (40, &stream[..]));
    assert_eq!((file[39].bid, file[39].ask_size, file[39].index), (48.0, 41.0, 39));
    assert_eq!(file[39].timestamp.as_nanos(), (1_704_067_200 + 60 * 39) * 1_000_000_000);
}

/// Each cut is an error, and each damaged byte is one or makes other numbers: nothing panics.
#[test]
fn damaged_files_are_errors_and_nothing_else() {
    let feather = std::fs::read(data().join("arrow/pandas.feather")).expect("committed");
    let categories = std::fs::read(data().join("arrow/symbol_categories.arrow")).expect("committed");
    let view = std::fs::read(data().join("arrow/symbol_view.arrow")).expect("committed");
    let (mut errors, mut read) = (0, 0);
    for (bytes, step) in
        [(written(false), 5), (written(true), 5), (feather, 11), (categories, 11), (view, 11)]
    {
        for at in (0..bytes.len()).step_by(step) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                match read_bytes(&damaged) {
                    Ok(_) => read += 1,
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        errors += 1;
                    }
                }
            }
        }
    }
    assert!(errors > 500 && read > 500, "{errors} errors, {read} without");
    let (file, stream) = (written(false), written(true));
    // Behind its last batch a file has its end and an index.
    let batches = stream.len() - 8;
    for at in (64..batches).step_by(5) {
        let error = read_bytes(&file[..at]).expect_err("a part").to_string();
        assert!(error.contains("the file is cut off, or damaged"), "{at}: {error}");
    }
    for at in (8..batches).step_by(7) {
        // A stream may end behind any message.
        let Ok(Prices::Quotes(rows)) = read_bytes(&stream[..at]) else { continue };
        assert_eq!(rows.len(), 15);
    }
}

#[test]
fn lengths_that_a_file_does_not_have_are_never_reserved() {
    let mut bytes = written(true);
    bytes[4..8].copy_from_slice(&i32::MAX.to_le_bytes());
    let error = read_bytes(&bytes).expect_err("too long").to_string();
    assert!(error.contains("cut off"), "{error}");
    bytes[4..8].copy_from_slice(&(-8_i32).to_le_bytes());
    let error = read_bytes(&bytes).expect_err("below zero").to_string();
    assert!(error.contains("a length is below zero"), "{error}");
}

#[test]
fn columns_of_other_types_are_refused_with_their_names() {
    use arrow_array::{BooleanArray, Decimal128Array, LargeStringArray};
    let quotes = table();
    let with = |name: &str, column: ArrayRef| {
        let columns = ["time", "bid", "ask"].map(|own| {
            let kept = quotes.column_by_name(own).expect("a column");
            (own, if own == name { Arc::clone(&column) } else { Arc::clone(kept) })
        });
        let batch = RecordBatch::try_from_iter(columns).expect("a table");
        let mut bytes = Vec::new();
        let mut out = FileWriter::try_new(&mut bytes, &batch.schema()).expect("begun");
        out.write(&batch).and_then(|()| out.finish()).expect("written");
        drop(out);
        read_bytes(&bytes)
    };
    let decimals = Decimal128Array::from(vec![100; 40]).with_precision_and_scale(10, 1).expect("decimals");
    let error = with("bid", Arc::new(decimals)).expect_err("decimals").to_string();
    assert!(error.contains("`bid` is a column of decimals, which are to be doubles"), "{error}");
    let error = with("ask", Arc::new(BooleanArray::from(vec![true; 40]))).expect_err("truth").to_string();
    assert!(error.contains("`ask` is a column of another type than numbers"), "{error}");
    let texts: Vec<String> = (0..40).map(|at| format!("{}.5", at + 9)).collect();
    let Prices::Quotes(quotes) = with("bid", Arc::new(LargeStringArray::from(texts))).expect("text is read")
    else {
        panic!("quotes")
    };
    assert_eq!(quotes[1].bid, 10.5);
}

fn run() -> (Vec<Bar>, Report) {
    let bars = load(&data().join("../../data/stocks.csv"), Some("GOOG")).expect("the example's data").bars;
    let busy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index % 7 {
        2 if ctx.is_flat() => _ = ctx.buy(Ticket::all().tag("second")),
        5 => _ = ctx.close(),
        _ => {}
    };
    let report = Backtest::new(bars.clone()).run(busy).expect("it runs");
    (bars, report)
}

/// The only batch of a file, and the metadata of its schema.
fn only_batch(file: &Path) -> RecordBatch {
    let mut reader = FileReader::try_new(File::open(file).expect("a file"), None).expect("Arrow");
    let batch = reader.next().expect("a batch").expect("it reads");
    assert!(reader.next().is_none());
    batch
}

#[test]
fn what_this_crate_writes_is_read_back_with_its_terms() {
    let (bars, report) = run();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let out = |name: &str| File::create(at(name)).expect("a file");
    let about = [("terms".to_owned(), "cash 10000".to_owned()), ("program".to_owned(), "a test".to_owned())];
    report.write_trades_arrow(&about, out("trades.arrow")).expect("written");
    report.write_equity_arrow(&bars, &about, out("equity.arrow")).expect("written");
    report.write_orders_arrow(&about, out("orders.arrow")).expect("written");
    let trades = only_batch(&at("trades.arrow"));
    assert_eq!(trades.schema().metadata()["terms"], "cash 10000");
    assert_eq!((trades.num_rows(), report.trades.len() > 100), (report.trades.len(), true));
    let number =
        |name: &str| trades.column_by_name(name).expect(name).as_primitive::<Float64Type>().values().to_vec();
    assert_eq!(number("profit"), report.trades.iter().map(|trade| trade.profit).collect::<Vec<_>>());
    let exits = trades.column_by_name("exit_time").expect("times").as_primitive::<TimestampNanosecondType>();
    assert_eq!(exits.timezone(), Some("UTC"));
    assert_eq!(exits.value(3), report.trades[3].exit_time.as_nanos());
    assert_eq!(trades.column_by_name("tag").expect("tags").as_string::<i32>().value(0), "second");
    let orders = only_batch(&at("orders.arrow"));
    assert_eq!(orders.num_rows(), report.orders.len());
    let placed = orders.column_by_name("placed_bar").expect("bars").as_primitive::<Int64Type>();
    assert!(placed.iter().zip(&report.orders).all(|(at, order)| at == Some(i64::from(order.placed_bar))));
    let limits = orders.column_by_name("limit").expect("prices").as_primitive::<Float64Type>();
    assert!(limits.values().iter().all(|limit| limit.is_nan()), "no order has a limit");
    // An equity is no bar, but its columns can be named for one.
    let columns = "date=timestamp,open=equity,high=equity,low=equity,close=equity";
    let columns = ReadOptions::parse_columns(columns).expect("columns");
    let options = ReadOptions { columns, ..ReadOptions::default() };
    let (equity, _) = load_with(&at("equity.arrow"), &options).expect("it reads");
    assert_eq!(report.equity[..], equity.bars.iter().map(|bar| bar.close).collect::<Vec<f64>>()[..]);
    assert_eq!(equity.bars[0].timestamp, bars[0].timestamp);
    // The same run gives the same bytes.
    report.write_trades_arrow(&about, out("again.arrow")).expect("written");
    assert!(
        std::fs::read(at("again.arrow")).expect("a file")
            == std::fs::read(at("trades.arrow")).expect("a file")
    );
}
