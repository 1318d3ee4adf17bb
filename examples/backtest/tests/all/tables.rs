//! Columns of Parquet and Arrow whose types say something else than those of the files that were committed.

use std::io::Write;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_ipc::writer::FileWriter;
use backtest::data::{LoadError, ReadOptions, load_prices};
use backtest::tape::Prices;
use parquet::data_type::{DoubleType, Int32Type as Physical32, Int64Type, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use tempfile::NamedTempFile;

/// The symbol and the rows: time and price.
type Ticks = (String, Vec<(i64, f64)>);

fn ticks(file: &NamedTempFile, options: &ReadOptions) -> Result<Ticks, String> {
    let (asset, _) = load_prices(file.path(), options).map_err(|error: LoadError| error.to_string())?;
    let Prices::Ticks(rows) = asset.prices else { return Err("no ticks".to_owned()) };
    Ok((asset.symbol, rows.iter().map(|row| (row.timestamp.as_nanos(), row.price)).collect()))
}

fn arrow(columns: Vec<(&str, ArrayRef)>) -> NamedTempFile {
    let batch = RecordBatch::try_from_iter(columns).expect("a table");
    let mut bytes = Vec::new();
    let mut out = FileWriter::try_new(&mut bytes, &batch.schema()).expect("begun");
    out.write(&batch).and_then(|()| out.finish()).expect("written");
    drop(out);
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(&bytes).expect("written");
    file
}

enum Column {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Double(Vec<f64>),
}

fn parquet(schema: &str, columns: &[Column]) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    let schema = parquet::schema::parser::parse_message_type(schema).expect("a schema").into();
    let out = file.reopen().expect("the same");
    let mut writer = SerializedFileWriter::new(out, schema, Arc::default()).expect("begun");
    let mut group = writer.next_row_group().expect("a group");
    for values in columns {
        let mut column = group.next_column().expect("a column").expect("a column");
        match values {
            Column::Int32(values) => column.typed::<Physical32>().write_batch(values, None, None),
            Column::Int64(values) => column.typed::<Int64Type>().write_batch(values, None, None),
            Column::Int96(values) => column.typed::<Int96Type>().write_batch(values, None, None),
            Column::Double(values) => column.typed::<DoubleType>().write_batch(values, None, None),
        }
        .expect("written");
        column.close().expect("written");
    }
    group.close().expect("written");
    writer.close().expect("written");
    file
}

fn of_symbol(symbol: &str) -> ReadOptions {
    ReadOptions { symbol: Some(symbol.to_owned()), ..ReadOptions::default() }
}

const SECOND_NS: i64 = 1_000_000_000;

/// Four ticks, whose prices are 1 to 4, with this column of symbols.
fn with_symbols(symbols: ArrayRef) -> NamedTempFile {
    let times = Int64Array::from_iter_values((0..4).map(|at| 1_704_067_200 + at));
    let prices = Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]);
    arrow(vec![("time", Arc::new(times)), ("symbol", symbols), ("price", Arc::new(prices))])
}

#[test]
fn symbols_that_are_integers_are_told_apart() {
    let plain: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 7, 8]));
    let keys = Int32Array::from(vec![0, 1, 0, 1]);
    let categories = DictionaryArray::<Int32Type>::new(keys, Arc::new(Int64Array::from(vec![7, 8])));
    let time = Column::Int64((0..4).map(|at| (1_704_067_200 + at) * SECOND_NS).collect());
    let schema = "message ticks { required int64 time (TIMESTAMP(NANOS,true)); required int32 symbol; required double price; }";
    let columns = [time, Column::Int32(vec![7, 8, 7, 8]), Column::Double(vec![1.0, 2.0, 3.0, 4.0])];
    for file in [with_symbols(plain), with_symbols(Arc::new(categories)), parquet(schema, &columns)] {
        let error = ticks(&file, &ReadOptions::default()).expect_err("two symbols");
        assert!(error.contains("choose one with --symbol: 7, 8"), "{error}");
        let (symbol, rows) = ticks(&file, &of_symbol("8")).expect("it reads");
        let first = 1_704_067_200 * SECOND_NS;
        let expected = vec![(first + SECOND_NS, 2.0), (first + 3 * SECOND_NS, 4.0)];
        assert_eq!((symbol.as_str(), rows), ("8", expected));
    }
}

#[test]
fn symbols_that_are_none_are_refused_with_their_column() {
    let error = ticks(&with_symbols(Arc::new(Float64Array::from(vec![1.5; 4]))), &of_symbol("1.5"));
    let error = error.expect_err("fractions");
    assert!(error.contains("column `symbol`") && error.contains("text or integers"), "{error}");
    let times = TimestampMillisecondArray::from(vec![1; 4]);
    let error = ticks(&with_symbols(Arc::new(times)), &ReadOptions::default()).expect_err("times");
    assert!(error.contains("column `symbol`") && error.contains("--columns symbol="), "{error}");
    // What is missing is the symbol without a name, as an empty field of text is.
    let missing = Int64Array::from(vec![Some(7), None, Some(7), None]);
    let error = ticks(&with_symbols(Arc::new(missing)), &of_symbol("8")).expect_err("another symbol");
    assert!(error.contains("it holds: 7, "), "{error}");
}

#[test]
fn text_of_tables_follows_the_decimal_comma() {
    let file = |prices: [&str; 3], sizes: [&str; 3]| {
        let times = Int64Array::from_iter_values((0..3).map(|at| 1_704_067_200 + at));
        arrow(vec![
            ("time", Arc::new(times)),
            ("price", Arc::new(StringArray::from(prices.to_vec()))),
            ("size", Arc::new(StringArray::from(sizes.to_vec()))),
        ])
    };
    let read = |prices, sizes, decimal_comma| {
        let options = ReadOptions { decimal_comma, ..ReadOptions::default() };
        let rows = ticks(&file(prices, sizes), &options)?.1;
        Ok::<Vec<f64>, String>(rows.into_iter().map(|(_, price)| price).collect())
    };
    let sizes = ["1,5", "", "2"];
    assert_eq!(read(["1,5", "1.234", " 1.234,25 "], sizes, true), Ok(vec![1.5, 1_234.0, 1_234.25]));
    assert_eq!(read(["1.5", "1.234", "17"], ["1.5", " ", "2"], false), Ok(vec![1.5, 1.234, 17.0]));
    let error = read(["1,5", "1.5", "2"], sizes, true).expect_err("a point before one digit");
    assert!(error.contains("row 2, column `price`") && error.contains("--decimal-comma"), "{error}");
    let error = read(["1,5", "2", "2"], sizes, false).expect_err("a comma");
    assert!(error.contains("row 1, column `price`") && error.contains("--decimal-comma"), "{error}");
    let error = read(["1", "", "2"], ["1", "1", "1"], false).expect_err("nothing");
    assert!(error.contains("row 2, column `price`: the field is empty"), "{error}");
}

/// One tick at this time.
fn at_time(time: ArrayRef) -> Result<Ticks, String> {
    let price = Float64Array::from(vec![1.0]);
    ticks(&arrow(vec![("time", time), ("price", Arc::new(price))]), &ReadOptions::default())
}

#[test]
fn typed_times_beyond_all_years_are_refused_and_never_read_otherwise() {
    let parquet_at = |kind: &str, time: Column| {
        let schema = format!("message ticks {{ required {kind}; required double price; }}");
        ticks(&parquet(&schema, &[time, Column::Double(vec![1.0])]), &ReadOptions::default())
    };
    // As microseconds and as a date, these would be of 2017.
    let (micros, date) = (1_492_592_400_000_000, 20_170_419);
    let int96 = |day: u32, nanos: u64| {
        let mut value = Int96::new();
        value.set_data(nanos as u32, (nanos >> 32) as u32, day);
        Column::Int96(vec![value])
    };
    let of_day = |day: i64| Ok(vec![(day * 86_400 * SECOND_NS, 1.0)]);
    let refused = [
        at_time(Arc::new(TimestampMillisecondArray::from(vec![micros]))),
        at_time(Arc::new(Date32Array::from(vec![date]))),
        parquet_at("int64 time (TIMESTAMP(MILLIS,true))", Column::Int64(vec![micros])),
        parquet_at("int32 time (DATE)", Column::Int32(vec![date])),
        parquet_at("int96 time", int96(3_000_000, 0)),
        parquet_at("int96 time", int96(0, 0)),
    ];
    for (at, read) in refused.into_iter().enumerate() {
        let error = read.expect_err("of no year");
        assert!(error.contains("row 1, column `time`") && error.contains("1678 to 2261"), "{at}: {error}");
    }
    let read = [
        parquet_at("int96 time", int96(2_440_588 + 17_275, 0)),
        parquet_at("int32 time (DATE)", Column::Int32(vec![17_275])),
    ];
    for read in read {
        assert_eq!(read.map(|(_, rows)| rows), of_day(17_275));
    }
    assert_eq!(
        parquet_at("int96 time", int96(2_440_587, 1)).map(|(_, rows)| rows[0].0),
        Ok(1 - 86_400 * SECOND_NS)
    );
}
