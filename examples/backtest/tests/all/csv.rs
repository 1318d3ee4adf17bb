//! Shapes of price files that are read, and the words for those that are not.

use backtest::data::{Series, format_timestamp, load, read};
use mycelium_random::{Random, seed};

fn parse(text: &str) -> Result<Series, String> {
    parse_symbol(text, None)
}

fn parse_symbol(text: &str, symbol: Option<&str>) -> Result<Series, String> {
    read(text.as_bytes(), symbol, "file").map_err(|error| error.to_string())
}

/// The bars as text: time, open, close, ticks.
fn shown(series: &Series) -> Vec<String> {
    let row = |bar: &backtest::messages::Bar| {
        format!("{} {} {} {}", format_timestamp(bar.timestamp), bar.open, bar.close, bar.close_ticks)
    };
    series.bars.iter().map(row).collect()
}

const TWO_DAYS: [&str; 2] = ["2004-08-19 100 100.34 10034", "2004-08-20 101.01 108.31 10831"];

#[test]
fn the_usual_shapes_give_the_same_bars() {
    let rows = [
        (
            "ticker",
            "Ticker,Date,Open,High,Low,Close,Volume,Adj Close\nG,2004-08-19,100,104.06,95.96,100.34,22351900,1.5\nG,2004-08-20,101.01,109.08,100.5,108.31,11428600,1.6\n",
        ),
        (
            "unnamed index",
            ",Open,High,Low,Close,Volume\n2004-08-19,100,104.06,95.96,100.34,22351900\n2004-08-20,101.01,109.08,100.5,108.31,11428600\n",
        ),
        (
            "capitals, other order, no volume",
            "CLOSE,LOW,HIGH,OPEN,TIMESTAMP\n100.34,95.96,104.06,100,2004-08-19\n108.31,100.5,109.08,101.01,2004-08-20\n",
        ),
        (
            "midnight times",
            "datetime,open,high,low,close\n2004-08-19 00:00:00,100,104.06,95.96,100.34\n2004-08-20T00:00:00Z,101.01,109.08,100.5,108.31\n",
        ),
        (
            "quotes, spaces, CRLF, no last newline",
            "\"Date\" , Open,High,Low,Close\r\n\"2004-08-19\", 100.0 ,104.06,95.96,100.340\r\n2004-08-20,101.01,109.08,100.5,1.0831e2",
        ),
        (
            "byte order mark",
            "\u{feff}Date,Open,High,Low,Close\n2004-08-19,100,104.06,95.96,100.34\n2004-08-20,101.01,109.08,100.5,108.31\n",
        ),
        (
            "semicolons",
            "Date;Open;High;Low;Close\n2004-08-19;100;104.06;95.96;100.34\n2004-08-20;101.01;109.08;100.5;108.31\n",
        ),
        (
            "tabs and angle brackets",
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\n2004.08.19\t00:00:00\t100\t104.06\t95.96\t100.34\t1\n2004.08.20\t00:00\t101.01\t109.08\t100.5\t108.31\t\n",
        ),
        (
            "blank lines",
            "Date,Open,High,Low,Close\n\n2004-08-19,100,104.06,95.96,100.34\n\n2004-08-20,101.01,109.08,100.5,108.31\n\n",
        ),
        (
            "comments and vertical bars",
            "# from a provider, as of today\nDate|Open|High|Low|Close\n2004-08-19|100|104.06|95.96|100.34\n# a holiday\n2004-08-20|101.01|109.08|100.5|108.31\n",
        ),
        (
            "klines with the open time in milliseconds",
            "open_time,open,high,low,close,volume,close_time\n1092873600000,100,104.06,95.96,100.34,1,1092959999999\n1092960000000,101.01,109.08,100.5,108.31,1,1093046399999\n",
        ),
        (
            "a date and a time of six digits",
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nG,D,20040819,000000,100,104.06,95.96,100.34,1\nG,D,20040820,000000,101.01,109.08,100.5,108.31,1\n",
        ),
        (
            "lines that end in a carriage return alone",
            "Date,Open,High,Low,Close\r2004-08-19,100,104.06,95.96,100.34\r2004-08-20,101.01,109.08,100.5,108.31\r",
        ),
    ];
    for (name, text) in rows {
        let series = parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(shown(&series), TWO_DAYS, "{name}");
        assert!(series.scale.exact && series.scale.decimals == 2, "{name}");
    }
}

#[test]
fn intraday_bars_of_a_currency_pair() {
    let series = parse(
        ",Open,High,Low,Close,Volume\n2017-04-19 09:00:00,1.0716,1.0722,1.07083,1.07219,1413\n2017-04-19 10:00:00,1.07214,1.07296,1.07214,1.0726,1241\n",
    )
    .expect("it reads");
    assert_eq!(
        shown(&series),
        ["2017-04-19 09:00:00 1.0716 1.07219 107219", "2017-04-19 10:00:00 1.07214 1.0726 107260"]
    );
    assert_eq!(series.symbol, "file");
    assert!((series.years() * 365.25 * 24.0 - 1.0).abs() < 1e-12);
}

const TWO_SYMBOLS: &str = "Symbol,Date,Open,High,Low,Close\nA,2020-01-01,1,1,1,1\nB,2020-01-01,2,2,2,2\nA,2020-01-02,3,3,3,3\nB,2020-01-02,bad,4,4,4\n";

#[test]
fn a_symbol_is_chosen_among_several() {
    assert_eq!(parse_symbol(TWO_SYMBOLS, Some("A")).map(|series| series.bars.len()), Ok(2));
    let error = |symbol| parse_symbol(TWO_SYMBOLS, symbol).expect_err("refused");
    assert_eq!(error(None), "the file holds several symbols; choose one with --symbol: A, B");
    assert_eq!(error(Some("C")), "no symbol `C` in the file; it holds: A, B");
    assert_eq!(error(Some("a")), "no symbol `a` in the file; did you mean `A`? it holds: A, B");
    assert!(
        error(Some("B")).starts_with("line 5, column `Open`: `bad` is not a number"),
        "{}",
        error(Some("B"))
    );
    let plain = "Date,Open,High,Low,Close\n2020-01-01,1,1,1,1\n";
    let error = parse_symbol(plain, Some("A")).expect_err("no column");
    assert!(error.contains("has no `Ticker` or `Symbol` column; leave out --symbol"), "{error}");
    assert_eq!(parse_symbol(plain, Some("FILE")).map(|series| series.symbol), Ok("file".to_owned()));
}

#[test]
fn a_bad_row_is_named_with_line_column_and_cause() {
    let head = "Date,Open,High,Low,Close,Volume\n2020-01-01,1,1,1,1,1\n";
    let rows = [
        ("2020-01-02,x,1,1,1,1", "line 3, column `Open`: `x` is not a number"),
        ("2020-01-02,1,,1,1,1", "line 3, column `High`: the field is empty"),
        (
            "2020-01-02,1,1,NaN,1,1",
            "line 3, column `Low`: a price must be a finite number above zero, and this is `NaN`",
        ),
        (
            "2020-01-02,1,1,1,-5,1",
            "line 3, column `Close`: a price must be a finite number above zero, and this is `-5`",
        ),
        (
            "2020-01-02,0,1,1,1,1",
            "line 3, column `Open`: a price must be a finite number above zero, and this is `0`",
        ),
        ("2020-01-02,inf,1,1,1,1", "line 3, column `Open`: a price must be"),
        ("2020-01-02,1e999,1,1,1,1", "line 3, column `Open`: a price must be"),
        ("2020-01-02,\"1,234.5\",1,1,1,1", "line 3, column `Open`: `1,234.5` is not a number"),
        ("2020-01-02,1,1,1,1,-1", "line 3, column `Volume`: a volume or size must be"),
        ("2020-01-02,1,1,1e-40,1e-40,1", "line 3, column `Close`"),
        ("02/01/2020,1,1,1,1,1", "line 3, column `Date`: `02/01/2020` is no timestamp known here"),
        (",1,1,1,1,1", "line 3, column `Date`: the field is empty"),
        ("2020-01-02,1,1,1,1", "line 3: the row has 5 fields and the header 6"),
        ("2020-01-02,1,1,1,1,1,1", "line 3: the row has 7 fields and the header 6"),
        ("2020-01-01,1,1,1,1,1", "line 3, column `Date`: 2020-01-01 stands on line 2 too"),
        (
            "2019-12-31,1,1,1,1,1",
            "line 3, column `Date`: 2019-12-31 comes after 2020-01-01 of line 2; sort the rows",
        ),
        ("\n\n2020-01-02,1,1,1", "line 5: the row has 4 fields"),
        (
            "2020-01-02,1,1,1,1,1\r\n\r\n2020-01-02,1,1,1,1,1",
            "line 5, column `Date`: 2020-01-02 stands on line 3 too",
        ),
        ("2020-01-02,1,1,1,1,1\n\n\n2020-01-03,1,1,1,?,1", "line 6, column `Close`: `?` is not a number"),
        ("# one\n\n# two\n2020-01-03,1,1,1,?,1", "line 6, column `Close`: `?` is not a number"),
        ("2020-01-02,1,1,1,1,1\r2020-01-03,1,1,1,?,1", "line 4, column `Close`: `?` is not a number"),
        ("2020-01-02,1,1,1,a\x1bb,1", "line 3, column `Close`: `a\\u{1b}b` is not a number"),
    ];
    for (row, expected) in rows {
        let error = parse(&format!("{head}{row}\n")).expect_err(row);
        assert!(error.starts_with(expected), "{row}: {error}");
    }
}

#[test]
fn files_that_are_no_price_file() {
    for text in ["", "\n\n", "Date,Open,High,Low,Close\n"] {
        let error = parse(text).expect_err("empty");
        assert!(error.starts_with("the file holds no bars"), "{text:?}: {error}");
    }
    let error = parse("Date,Open,High,Low,Price\n2020-01-01,1,1,1,1\n").expect_err("no close");
    assert!(
        error.starts_with("line 1: no column `Close`; the header has: Date, Open, High, Low, Price"),
        "{error}"
    );
    let error = read(&b"Date,Open,High,Low,Close\n2020-01-01,1,1,\xff,1\n"[..], None, "x")
        .expect_err("not text")
        .to_string();
    assert!(error.starts_with("line 2: the row is not UTF-8 text"), "{error}");
    let error = load(std::path::Path::new("/nowhere/x.csv"), None).expect_err("not there").to_string();
    assert!(error.starts_with("cannot read /nowhere/x.csv"), "{error}");
    let error = load(std::path::Path::new("/"), None).expect_err("a folder").to_string();
    assert!(error.starts_with("cannot read /"), "{error}");
}

#[test]
fn what_is_no_csv_is_called_by_its_name() {
    let rows: [(&[u8], &str); 10] = [
        (b"\x1f\x8b\x08\x00", "the file is a gzip archive, not CSV; unpack it"),
        (b"PK\x03\x04xyz", "the file is a zip archive or a spreadsheet"),
        (b"PAR1xyz", "the file is Parquet"),
        (b"\xff\xfeD\0", "the file is UTF-16 text, not CSV; save it as UTF-8"),
        (b"<!DOCTYPE html>\n", "the file is an HTML page"),
        (b"\n \n", "the file holds no bars"),
        (b"\n1577836800000,1,1,1,1\n", "line 2 starts with `1577836800000`: that is data"),
        (b"2020-01-01,1,1,1,1\n", "line 1 starts with `2020-01-01`: that is data"),
        (
            b"https://example.org\nDate,Open,High,Low,Close\n",
            "line 1: no column `Date`; the header has: https://example.org; the names of the columns must stand on the first line",
        ),
        (
            b"# a\nPrice,Close,High,Low,Open\nTicker,G,G,G,G\nDate,,,,\n",
            "line 2: no column `Date`; the header has: Price, Close, High, Low, Open; yfinance wrote a header of three lines",
        ),
    ];
    for (text, expected) in rows {
        let error = read(text, None, "x").expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn errors_stay_short_whatever_the_file_holds() {
    let field = format!("Date,Open,High,Low,Close\n2020-01-01,1,1,1,{}\n", "x".repeat(100_000));
    let header = format!("Date,{}\n", "y,".repeat(10_000));
    let symbols: String = (0..10_000).map(|at| format!("S{at},2020-01-01,1,1,1,1\n")).collect();
    for text in [field, header, format!("Symbol,Date,Open,High,Low,Close\n{symbols}")] {
        let error = parse(&text).expect_err("refused");
        assert!(error.len() < 600, "{} bytes: {error:.100}", error.len());
    }
}

#[test]
fn random_damage_never_panics() {
    let mut random = Random::new(seed());
    let whole = "Ticker,Date,Open,High,Low,Close,Volume\nG,2004-08-19,100,104.06,95.96,100.34,1\nG,2004-08-20,101.01,109.08,100.5,108.31,2\n";
    let bytes = b",\n\r\"-.:;\t0e9ZT+ \xff\x00";
    let mut read_whole = 0;
    for _ in 0..20_000 {
        let mut text = whole.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            let at = random.index(text.len());
            match random.below(3) {
                0 => text[at] = random.pick(bytes),
                1 => text.truncate(at.max(1)),
                _ => text.insert(at, random.pick(bytes)),
            }
        }
        if let Ok(series) = read(&text[..], None, "x") {
            read_whole += 1;
            assert!(series.bars.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp));
            assert!(series.bars.iter().all(|bar| bar.close > 0.0 && bar.close_ticks > 0));
        }
    }
    assert!(read_whole > 100, "some damage does no harm: {read_whole}");
}

#[test]
fn an_error_is_short_however_long_the_names_of_the_columns_are() {
    // Brackets and quotes around a name do not count: so many of them make a name of any length.
    let open = format!("{}Open", "<".repeat(5_000));
    let header = format!("Date,{open},High,Low,Close\n");
    for text in [
        header.clone() + "2024-01-31,no number,2,1,1.5\n",
        format!("Date,Open,{open},High,Low,Close\n2024-01-31,1,1,2,1,1.5\n"),
        header.replace("Low", "Lov"),
    ] {
        let error = read(text.as_bytes(), None, "t").unwrap_err().to_string();
        assert!(error.chars().count() < 500, "{error}");
    }
}
