//! Files that are written otherwise, and files that mean harm.

use std::path::Path;
use std::sync::Arc;

use backtest::data::{DroppedRows, LoadError, ReadOptions, Series, format_timestamp, load_with, read_with};
use backtest::prelude::*;

fn read(text: &str, options: &ReadOptions) -> Result<(Series, DroppedRows), LoadError> {
    read_with(text.as_bytes(), options, "file")
}

/// The bars as text: time and close.
fn shown(series: &Series) -> Vec<String> {
    series.bars.iter().map(|bar| format!("{} {}", format_timestamp(bar.timestamp), bar.close)).collect()
}

#[test]
fn switches_read_what_is_written_otherwise() {
    let text = "Tag;Zeit;Erster;Hoch;Tief;Letzter;Volume\n\
        20.08.2004;09:30;101,5;1.109,25;100,5;1.008,31;5\n\
        19.08.2004;09:30;100;104,06;95,96;100,34;1.000\n";
    let columns =
        ReadOptions::parse_columns("date=Tag,time=Zeit,open=Erster,high=Hoch,low=Tief,close=Letzter");
    let options = ReadOptions {
        date_format: Some("%d.%m.%Y %H:%M".to_owned()),
        decimal_comma: true,
        sort: true,
        columns: columns.expect("columns"),
        ..ReadOptions::default()
    };
    let (series, dropped) = read(text, &options).expect("it reads");
    assert_eq!(shown(&series), ["2004-08-19 09:30:00 100.34", "2004-08-20 09:30:00 1008.31"]);
    assert_eq!((series.bars[0].volume, series.bars[0].close_ticks), (1000.0, 10_034));
    assert_eq!(series.bars.iter().map(|bar| bar.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(dropped.count, 0);
    // Without its switch each is refused, with the switch in the words.
    let without = |change: fn(&mut ReadOptions)| {
        let mut options = options.clone();
        change(&mut options);
        read(text, &options).expect_err("refused").to_string()
    };
    for (error, part) in [
        (without(|options| options.date_format = None), "--date-format"),
        (without(|options| options.decimal_comma = false), "--decimal-comma"),
        (without(|options| options.sort = false), "--sort"),
        (without(|options| options.columns.clear()), "no column `Date`"),
        (
            without(|options| options.columns[0].1 = "Datum".to_owned()),
            "no column `Datum`, which --columns names for `date`",
        ),
        (
            without(|options| options.date_format = Some("%Y-%m-%d".to_owned())),
            "is not written as `%Y-%m-%d`",
        ),
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    for wrong in ["close", "close=", "last=Close", "close=A,close=B", ""] {
        assert!(ReadOptions::parse_columns(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_point_that_separates_no_thousands_is_refused_with_a_decimal_comma() {
    let options = ReadOptions { decimal_comma: true, ..ReadOptions::default() };
    let close = |text: &str| {
        let rows = format!("Date;Open;High;Low;Close\n2020-01-01;1;9999999;1;{text}\n");
        read(&rows, &options).map(|(series, _)| series.bars[0].close).map_err(|error| error.to_string())
    };
    for (text, value) in [("1,5", 1.5), ("1.234", 1_234.0), ("1.234.567,25", 1_234_567.25), ("17", 17.0)] {
        assert_eq!(close(text), Ok(value), "{text}");
    }
    for text in ["1.5", "1,234.5", "12.34", "1234.567", ".500", "1.2345", "1.234.5", "1.5e2"] {
        let error = close(text).expect_err(text);
        assert!(error.contains("--decimal-comma") && error.contains(text), "{text}: {error}");
    }
    assert!(close("1,2,3").is_err());
}

#[test]
fn ten_digits_that_are_a_date_and_an_hour_are_no_seconds() {
    let rows = "Date,Open,High,Low,Close\n2017041909,1,1,1,1\n2017041910,1,1,1,1\n";
    let error = read(rows, &ReadOptions::default()).expect_err("it might be either").to_string();
    assert!(error.contains("--date-format '%Y%m%d%H'"), "{error}");
    let said = |format: &str| {
        let options = ReadOptions { date_format: Some(format.to_owned()), ..ReadOptions::default() };
        shown(&read(rows, &options).expect("it reads").0)
    };
    assert_eq!(said("%Y%m%d%H"), ["2017-04-19 09:00:00 1", "2017-04-19 10:00:00 1"]);
    assert_eq!(said("%s")[0], "2033-12-01 09:25:09 1");
    // No such date, or no such hour: seconds.
    let seconds = "Date,Open,High,Low,Close\n1492592400,1,1,1,1\n2017041924,1,1,1,1\n2017043909,1,1,1,1\n";
    assert_eq!(read(seconds, &ReadOptions::default()).expect("it reads").0.bars.len(), 3);
}

#[test]
fn bad_rows_are_refused_with_their_place_or_left_out_and_counted() {
    let head = "Date,Open,High,Low,Close\n2020-01-01,5,6,4,5\n";
    let tail = "2020-01-09,5,6,4,5.5\n";
    let drop = ReadOptions { drop_bad_rows: true, ..ReadOptions::default() };
    for (row, part) in [
        ("2020-01-02,5,6,4,NaN", "line 3, column `Close`: a price must be a finite number above zero"),
        ("2020-01-02,5,inf,4,5", "line 3, column `High`: a price must be"),
        ("2020-01-02,5,6,-4,5", "line 3, column `Low`: a price must be"),
        ("2020-01-02,0,6,4,5", "line 3, column `Open`: a price must be"),
        ("2020-01-02,1e999,6,4,5", "line 3, column `Open`: a price must be"),
        ("2020-01-02,5,6,5.5,5", "line 3, column `Low`: the low 5.5 and the open 5 do not go together"),
        ("2020-01-02,5,6,4,6.5", "line 3, column `High`: the high 6 and the close 6.5 do not go together"),
        ("2020-01-01,5,6,4,5", "line 3, column `Date`: 2020-01-01 stands on line 2 too"),
        ("2019-01-01,5,6,4,5", "line 3, column `Date`: 2019-01-01 comes after"),
        ("2020-01-02,5,6,4", "line 3: the row has 4 fields and the header 5"),
        ("2020-01-02,5,6,4,5,5", "line 3: the row has 6 fields and the header 5"),
        ("2020-01-02,5,6,4,", "line 3, column `Close`: the field is empty"),
        ("2020-01-02,5,x,4,5", "line 3, column `High`: `x` is not a number"),
        ("2020-02-31,5,6,4,5", "line 3, column `Date`: `2020-02-31` is no timestamp"),
    ] {
        let text = format!("{head}{row}\n{tail}");
        let error = read(&text, &ReadOptions::default()).expect_err(row).to_string();
        assert!(error.starts_with(part), "{row}: {error}");
        let (series, dropped) = read(&text, &drop).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(shown(&series), ["2020-01-01 5", "2020-01-09 5.5"], "{row}");
        assert_eq!(dropped.count, 1, "{row}");
        let words = dropped.to_string();
        assert!(words.starts_with("1 rows were left out; the first: line 3"), "{row}: {words}");
    }
    // Nothing left is an error, and it says why.
    let error = read("Date,Open,High,Low,Close\nx,1,1,1,1\n", &drop).expect_err("nothing left").to_string();
    assert!(error.starts_with("line 2, column `Date`"), "{error}");
    // A sort keeps the first of two rows with one time.
    let both = ReadOptions { sort: true, ..drop };
    let text = "Date,Open,High,Low,Close\n2020-01-03,1,9,1,3\n2020-01-01,1,9,1,1\n2020-01-03,1,9,1,4\n";
    let (series, dropped) = read(text, &both).expect("it reads");
    assert_eq!(
        (shown(&series), dropped.count),
        (vec!["2020-01-01 1".to_owned(), "2020-01-03 3".to_owned()], 1)
    );
    let sort = ReadOptions { sort: true, ..ReadOptions::default() };
    assert!(
        read(text, &sort)
            .expect_err("doubled")
            .to_string()
            .starts_with("line 4, column `Date`: 2020-01-03 stands on line 2")
    );
}

#[test]
fn one_row_out_of_time_is_left_out_and_none_of_those_around_it() {
    let drop = ReadOptions { drop_bad_rows: true, ..ReadOptions::default() };
    let days = |days: &[&str]| -> String {
        let rows: Vec<String> = days.iter().map(|day| format!("{day},5,6,4,5\n")).collect();
        format!("Date,Open,High,Low,Close\n{}", rows.concat())
    };
    let kept = |rows: &[&str]| {
        let (series, dropped) = read(&days(rows), &drop).expect("it reads");
        let kept: Vec<String> = shown(&series).iter().map(|row| row[8..10].to_owned()).collect();
        (kept.join(" "), dropped.count, dropped.to_string())
    };
    // A stamp of the future, which all that follow would be before.
    let (days, count, words) = kept(&["2020-01-01", "2099-01-02", "2020-01-03", "2020-01-04", "2020-01-05"]);
    assert_eq!((days.as_str(), count), ("01 03 04 05", 1));
    assert!(words.contains("line 3, column `Date`: 2099-01-02 comes before 2020-01-03 of line 4"), "{words}");
    // The first of all, two in a row, and one of the past among them.
    let (days, count, _) = kept(&[
        "2098-01-01",
        "2020-01-02",
        "2020-01-03",
        "2099-01-04",
        "2099-01-05",
        "2020-01-06",
        "2020-01-07",
        "2020-01-08",
    ]);
    assert_eq!((days.as_str(), count), ("02 03 06 07 08", 3), "as few as can be");
    let (days, count, words) = kept(&["2020-01-01", "2020-01-02", "2019-01-03", "2020-01-04", "2020-01-04"]);
    assert_eq!((days.as_str(), count), ("01 02 04", 2));
    assert!(words.contains("line 4, column `Date`: 2019-01-03 comes after 2020-01-02 of line 3"), "{words}");
}

#[test]
fn prices_too_far_apart_for_64_bits_are_refused_with_the_reason() {
    let text = "Date,Open,High,Low,Close\n2020-01-01,1e15,1e15,1e15,1e15\n2020-01-02,1e15,1e15,1e-9,1e-9\n";
    let error = read(text, &ReadOptions::default()).expect_err("refused").to_string();
    assert!(error.starts_with("line 3, column `Close`: `0.000000001` is so small beside"), "{error}");
}

/// A strategy that trades on every bar.
fn busy(ctx: &mut StrategyContext<'_>) {
    match ctx.bar().index % 3 {
        0 => _ = ctx.buy(Ticket::all().stop_loss(ctx.price() * 0.9)),
        1 => _ = ctx.sell(Size::Equity(0.5)),
        _ => _ = ctx.close(),
    }
}

#[test]
fn one_bar_and_jumps_of_a_million_have_a_result_without_nonsense() {
    for closes in [vec![5.0_f64], vec![5.0, 5e6], vec![1e-6, 1.0, 1e6, 1.0, 1e-6, 1e6, 3.0]] {
        let mut text = "Date,Open,High,Low,Close\n".to_owned();
        let mut before = closes[0];
        for (day, close) in closes.iter().enumerate() {
            let (low, high) = (before.min(*close), before.max(*close));
            text += &format!("2020-01-{:02},{before:e},{high:e},{low:e},{close:e}\n", day + 1);
            before = *close;
        }
        let (series, _) =
            read(&text, &ReadOptions::default()).unwrap_or_else(|error| panic!("{closes:?}: {error}"));
        let report = Backtest::new(series.bars).lot(1e-6).run(busy).expect("it runs");
        assert_eq!(report.equity.len(), closes.len());
        assert!(report.equity.iter().all(|equity| equity.is_finite()), "{closes:?}: {:?}", report.equity);
        let profit: f64 = report.trades.iter().map(|trade| trade.profit).sum();
        let end = report.statistics.equity_final;
        let booked = 10_000.0 + profit;
        let near = (booked - end).abs() <= 1e-9 * end.abs().max(profit.abs()).max(1e4);
        // An account that is ruined owes nothing.
        assert!(near || (end == 0.0 && booked < 0.0), "{closes:?}: {booked} is not {end}");
        let json = report.to_json().to_string();
        assert!(!json.contains("NaN") && !json.contains("inf"), "{json}");
    }
}

#[test]
fn a_file_of_another_kind_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prices.parquet");
    for bytes in
        [&b"PAR1"[..], b"PAR1PAR1", b"PAR1\0\0\0\0\xff\xff\xff\x7fPAR1", b"PAR1 is no table, but a text"]
    {
        std::fs::write(&file, bytes).expect("written");
        let error = load_with(&file, &ReadOptions::default()).expect_err("refused").to_string();
        assert!(error.starts_with("the Parquet file cannot be read"), "{error}");
    }
    std::fs::write(&file, b"").expect("written");
    assert!(matches!(load_with(&file, &ReadOptions::default()), Err(LoadError::Empty(_))));
}

/// Files that pandas has written (`tests/oracle/parquet_files.py`), against the same rows of CSV.
/// A table by its name whose first bytes are lost is not read as text, and one of another name is what it is.
#[test]
fn a_table_by_its_name_that_begins_as_none_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("written");
        load_with(&file, &ReadOptions::default())
            .map(|(series, _)| series.bars.len())
            .map_err(|error| error.to_string())
    };
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parquet/integers.parquet");
    let whole = std::fs::read(whole).expect("committed");
    let bars = read("whole.csv", &whole);
    assert!(bars.as_ref().is_ok_and(|bars| *bars > 5) && bars == read("whole.parquet", &whole), "{bars:?}");
    let text = b"Date,Open,High,Low,Close\n2020-01-01,1,2,1,2\n";
    for (name, bytes) in [("cut.parquet", &whole[1..]), ("cut.PQ", &whole[4..]), ("text.parquet", text)] {
        let error = read(name, bytes).expect_err("no magic bytes");
        let part = "does not begin with `PAR1` as those of Parquet do: it is damaged or something else";
        assert!(error.contains(part) && error.contains("call it `.csv`"), "{name}: {error}");
    }
    for (name, bytes, part) in [
        ("empty.parquet", &b""[..], "the file holds no bars"),
        ("text.feather", text, "called `.feather`, and does not begin with `ARROW1` as those of Arrow do"),
        ("text.arrows", text, "does not begin with `\\xff\\xff\\xff\\xff` as those of Arrow do"),
        ("zip.parquet", b"PK\x03\x04..", "the file is a zip archive"),
    ] {
        let error = read(name, bytes).expect_err("no magic bytes");
        assert!(error.contains(part), "{name}: {error}");
    }
    assert_eq!(read("text", text), Ok(1));
}

#[test]
fn parquet_of_pandas_gives_the_bars_of_the_csv() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let csv = read_with(
        &std::fs::read(folder.join("parquet/prices.csv")).expect("committed"),
        &ReadOptions { symbol: Some("GOOG".to_owned()), ..ReadOptions::default() },
        "prices",
    );
    let csv = csv.expect("it reads").0;
    let mut found = 0;
    for file in std::fs::read_dir(folder.join("parquet")).expect("committed") {
        let file = file.expect("an entry").path();
        if file.extension().is_none_or(|end| end != "parquet") {
            continue;
        }
        let name = file.display().to_string();
        let has_symbol = name.contains("symbol");
        let symbol = has_symbol.then(|| "GOOG".to_owned());
        let drop = ReadOptions { symbol, drop_bad_rows: name.contains("missing"), ..ReadOptions::default() };
        let loaded = load_with(&file, &drop);
        if name.contains("zstd") {
            let error = loaded.expect_err("not compiled in").to_string();
            assert!(error.contains("snappy"), "{error}");
            continue;
        }
        let (series, dropped) = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(dropped.count, usize::from(name.contains("missing")), "{name}");
        assert_eq!((series.bars, series.scale), (csv.bars.clone(), csv.scale), "{name}");
        found += 1;
    }
    assert!(found >= 6, "only {found} files");
}

#[test]
fn what_this_crate_writes_it_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (series, _) = load_with(
        &folder.join("data/stocks.csv"),
        &ReadOptions { symbol: Some("GOOG".to_owned()), ..ReadOptions::default() },
    )
    .expect("the example's data");
    let report = Backtest::new(series.bars.clone()).run(busy).expect("it runs");
    let out = tempfile::NamedTempFile::new().expect("a file");
    let about = [("what".to_owned(), "a test".to_owned())];
    report.write_equity_parquet(&series.bars, &about, out.reopen().expect("the same")).expect("written");
    // An equity is no bar, but its columns can be named for one.
    let columns =
        ReadOptions::parse_columns("date=timestamp,open=equity,high=equity,low=equity,close=equity");
    let options = ReadOptions { columns: columns.expect("columns"), ..ReadOptions::default() };
    let (equity, _) = load_with(out.path(), &options).expect("it reads");
    let read: Vec<f64> = equity.bars.iter().map(|bar| bar.close).collect();
    assert_eq!(report.equity, read);
    assert_eq!(equity.bars[0].timestamp, series.bars[0].timestamp);
    let trades = tempfile::NamedTempFile::new().expect("a file");
    report.write_trades_parquet(&about, trades.reopen().expect("the same")).expect("written");
    assert!(std::fs::metadata(trades.path()).expect("a file").len() > 1_000);
}

#[test]
fn an_unsigned_volume_above_half_its_range_is_no_negative_one() {
    use parquet::data_type::{DoubleType, Int32Type, Int64Type};
    let schema = "message bars { required int64 date (TIMESTAMP(NANOS,true)); required double open; required double high;
        required double low; required double close; required int32 volume (INTEGER(32,false)); }";
    let file = tempfile::NamedTempFile::with_suffix(".parquet").expect("a file");
    let schema = parquet::schema::parser::parse_message_type(schema).expect("a schema").into();
    let copy = file.reopen().expect("the same");
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(copy, schema, Arc::default()).expect("begun");
    let mut group = writer.next_row_group().expect("a group");
    for at in 0..6 {
        let mut column = group.next_column().expect("a column").expect("a column");
        match at {
            0 => column.typed::<Int64Type>().write_batch(&[86_400_000_000_000], None, None),
            5 => column.typed::<Int32Type>().write_batch(&[3_000_000_000_u32 as i32], None, None),
            _ => column.typed::<DoubleType>().write_batch(&[100.0], None, None),
        }
        .expect("written");
        column.close().expect("written");
    }
    group.close().expect("written");
    writer.close().expect("written");
    let series = backtest::data::load(file.path(), None).expect("it reads");
    assert_eq!(series.bars[0].volume, 3_000_000_000.0);
}
