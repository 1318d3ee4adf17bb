//! Prices that are more than memory keeps: the same rows, the same errors, the same results, and a process
//! that may not have the memory for them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use backtest::data::{DroppedRows, LoadError, ReadOptions, load_prices, read_prices};
use backtest::prelude::*;
use backtest::tape::Prices;

/// Crosses two averages of the price.
struct Cross {
    averages: (Sma, Sma),
}

impl Cross {
    fn new(fast: usize, slow: usize) -> Self {
        Self { averages: (Sma::new(fast), Sma::new(slow)) }
    }
}

impl Strategy for Cross {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let (fast, slow) = (self.averages.0.push(ctx.price()), self.averages.1.push(ctx.price()));
        match (fast, slow) {
            (Some(fast), Some(slow)) if fast > slow && ctx.is_flat() => _ = ctx.buy(Size::All),
            (Some(fast), Some(slow)) if fast < slow => _ = ctx.close(),
            _ => {}
        }
    }
}

/// Options that keep nothing in memory, or all.
fn keeping(bytes: usize) -> ReadOptions {
    ReadOptions { memory_bytes_max: Some(bytes), ..ReadOptions::default() }
}

fn is_mapped(prices: &Prices) -> bool {
    match prices {
        Prices::Bars(bars) => bars.is_mapped(),
        Prices::Quotes(quotes) => quotes.is_mapped(),
        Prices::Ticks(ticks) => ticks.is_mapped(),
        Prices::Depth(books) => books.is_mapped(),
    }
}

fn same(a: &Prices, b: &Prices) -> bool {
    match (a, b) {
        (Prices::Bars(a), Prices::Bars(b)) => a == b,
        (Prices::Quotes(a), Prices::Quotes(b)) => a == b,
        (Prices::Ticks(a), Prices::Ticks(b)) => a == b,
        _ => false,
    }
}

#[test]
fn rows_in_a_file_trade_as_rows_in_memory() {
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let read = |bytes| {
        let options = ReadOptions { symbol: Some("GOOG".to_owned()), ..keeping(bytes) };
        load_prices(&stocks, &options).expect("the example's data").0
    };
    let (mapped, kept) = (read(0), read(usize::MAX));
    assert_eq!((is_mapped(&mapped.prices), is_mapped(&kept.prices)), (cfg!(target_os = "linux"), false));
    assert!(same(&mapped.prices, &kept.prices) && mapped.scale == kept.scale);
    let run = |prices: &Prices| {
        let backtest = Backtest::of([("GOOG", prices.clone())]);
        let report = backtest.run(Cross::new(10, 30)).expect("it runs");
        let sweep = backtest.sweep(&[5, 10, 20], Some(2), |fast| Cross::new(fast, 50)).expect("it runs");
        let rows: Vec<_> = sweep.rows.iter().map(|(_, statistics)| *statistics).collect();
        (report.equity, report.exposure, report.trades, report.figures, rows)
    };
    let (mapped, kept) = (run(&mapped.prices), run(&kept.prices));
    assert!(!kept.2.is_empty());
    assert_eq!(mapped, kept);
}

/// Rows that are sound, and rows that are not.
const TEXTS: [&str; 9] = [
    "Timestamp,Price,Size\n# a remark\n\n2024-01-02 09:30:00,1,1\r\n2024-01-02 09:30:00,2,1\n2024-01-02 09:30:01,3,1\n",
    "Timestamp,Price,Size\n2024-01-02 09:30:02,1,1\n\n2024-01-02 09:30:00,2,1\n2024-01-02 09:30:03,3,1\n",
    "Timestamp,Price,Size\n2024-01-02 09:30:02,1,1\n2024-01-02 09:30:03,0,1\n2024-01-02 09:30:04,3,1\n",
    "Timestamp,Price,Size\n2024-01-02 09:30:02,1,1\n2024-01-02 09:30:03,x\n",
    "Timestamp,Bid,Ask\n2024-01-02 09:30:02,1,2\n2024-01-02 09:30:03,3,2\n2024-01-02 09:30:01,3,4\n",
    "Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n2024-01-02,1,1,1,1\n2024-01-01,2,2,2,2\n2024-01-04,1,1,1,1\n",
    "Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n# between\r\n2024-01-03,1,1,1,1e-30\n2024-01-04,1,1,1,1\n",
    "Date,Open,High,Low,Close\n2024-01-05,1,1,1,1\n2024-01-01,1,1,1,1\n2024-01-02,2,2,2,2\n2024-01-03,1,1,1,1\n",
    "Date,Open,High,Low,Close\n",
];

#[test]
fn errors_and_dropped_rows_are_the_same_wherever_rows_are_kept() {
    let shown = |read: Result<(Prices, DroppedRows), LoadError>| match read {
        Ok((prices, dropped)) => format!("{prices:?}; {dropped}"),
        Err(error) => format!("error: {error}"),
    };
    let mut refused = 0;
    for text in TEXTS {
        for (sort, drop_bad_rows) in [(false, false), (true, false), (false, true), (true, true)] {
            let read = |bytes| {
                let options = ReadOptions { sort, drop_bad_rows, ..keeping(bytes) };
                shown(
                    read_prices(text.as_bytes(), &options, "file")
                        .map(|(asset, dropped)| (asset.prices, dropped)),
                )
            };
            let (mapped, kept) = (read(0), read(usize::MAX));
            assert_eq!(mapped, kept, "{text}");
            refused += usize::from(kept.starts_with("error"));
        }
    }
    assert!((10..30).contains(&refused), "{refused} of 36");
}

#[test]
fn the_line_of_a_row_is_told_wherever_the_buffer_ends() {
    // Longer than what is read at once, in lines of different lengths, with remarks and blank lines.
    let mut text = "Timestamp,Price\n".to_owned();
    let mut lines = 1;
    for at in 0..20_000 {
        if at % 7 == 0 {
            text.push_str(["\n", "# a remark, \"of\" some length\r\n", "\r\n"][at / 7 % 3]);
            lines += 1;
        }
        text.push_str(&format!("{},1{}\n", 1_704_187_800_000_u64 + at as u64, "0".repeat(at % 5)));
        lines += 1;
    }
    text.push_str("1704187800000,1\n");
    let error =
        read_prices(text.as_bytes(), &ReadOptions::default(), "file").expect_err("too early").to_string();
    assert!(error.starts_with(&format!("line {}, column `Timestamp`", lines + 1)), "{error}");
}

#[test]
fn a_row_without_an_end_is_refused_before_memory_is_full() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut out = BufWriter::new(file.reopen().expect("the same"));
    write!(out, "Timestamp,Price\n2024-01-02,\"").expect("written");
    for _ in 0..20 {
        out.write_all(&[b'1'; 1 << 20]).expect("written");
    }
    drop(out);
    let error = load_prices(file.path(), &ReadOptions::default()).expect_err("no table").to_string();
    assert!(error.contains("a row has more than"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_folder_for_the_file_nothing_is_read() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    write_ticks(file.path(), 10);
    let path = file.path().to_str().expect("a plain path");
    let variables = [("TMPDIR", "/nowhere/at/all"), ("KEEP", "0"), ("TICKS", path), ("COUNT", "10")];
    let output = again("reads_ticks", &variables, None);
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("no file for what memory does not keep, in /nowhere"),
        "{text}"
    );
}

/// Runs one of the tests that are for other processes, with at most so much memory of its own, in KiB. What
/// is mapped of a file that it shares does not count.
fn again(test: &str, variables: &[(&str, &str)], memory_kib: Option<u64>) -> std::process::Output {
    let own = std::env::current_exe().expect("this program");
    let limit = memory_kib.map_or(String::new(), |kib| format!("ulimit -d {kib} && "));
    std::process::Command::new("sh")
        .args([
            "-c",
            &format!("{limit}exec \"$0\" --ignored --exact --nocapture --test-threads 1 streaming::{test}"),
        ])
        .arg(own)
        .envs(variables.iter().copied())
        .output()
        .expect("a shell")
}

/// Writes so many ticks as text, a thousand of them a second: about 28 bytes each.
fn write_ticks(path: &Path, count: u64) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).expect("a file"));
    out.write_all(b"Timestamp,Price,Size\n").expect("room");
    let mut price = 100_000_i64;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for at in 0..count {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        price = (price + (random % 21) as i64 - 10).clamp(10_000, 1_000_000);
        writeln!(out, "{},{}.{:03},{}", 1_704_187_800_000 + at, price / 1_000, price % 1_000, random % 9 + 1)
            .expect("room");
    }
    out.flush().expect("room");
}

/// What a process reads and trades, with what it was told by its environment.
fn read_and_trade(path: &Path, count: u64) {
    let bytes = std::env::var("KEEP").expect("how much to keep").parse().expect("a number");
    let options = ReadOptions { memory_bytes_max: Some(bytes), ..ReadOptions::default() };
    let asset = load_prices(path, &options).unwrap_or_else(|error| panic!("{error}")).0;
    assert_eq!(asset.prices.len() as u64, count);
    let backtest = Backtest::of([("T", asset.prices)]);
    let report = backtest.run(Cross::new(500, 20_000)).expect("it runs");
    assert_eq!(report.equity.len() as u64, count);
    let sweep = backtest.sweep(&[1_000], Some(1), |fast| Cross::new(fast, 20_000)).expect("it runs");
    let mut json = format!("{:?}", (report.statistics, report.figures, sweep.rows));
    json.retain(|letter| letter != '\n');
    println!("\nresult: {json}");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status
            .lines()
            .filter(|line| line.starts_with("RssAnon") || line.starts_with("VmHWM"))
            .for_each(|line| println!("{line}"));
    }
}

/// What a process has printed of its run.
fn result(output: &std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("result: "));
    line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))).to_owned()
}

/// Ticks of the test below: 120 MB of rows and curves.
const TICKS: u64 = 1_000_000;

#[test]
#[ignore = "runs in a process of its own, which another test starts"]
fn reads_ticks() {
    let (Ok(path), Ok(count)) = (std::env::var("TICKS"), std::env::var("COUNT")) else { return };
    read_and_trade(Path::new(&path), count.parse().expect("a number"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_million_ticks_need_no_memory_for_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ticks.csv");
    write_ticks(&path, TICKS);
    let (path, count) = (path.to_str().expect("a plain path"), TICKS.to_string());
    let run = |keep: &str, memory_kib| {
        again("reads_ticks", &[("TICKS", path), ("COUNT", &count), ("KEEP", keep)], memory_kib)
    };
    let bound_kib = Some(48 << 10);
    let streamed = result(&run("8388608", bound_kib));
    // Without a bound of the rows in memory, the same process dies of that limit; and with enough memory it
    // has the same result.
    let kept = usize::MAX.to_string();
    assert!(!run(&kept, bound_kib).status.success(), "the limit holds back nothing");
    assert_eq!(streamed, result(&run(&kept, None)));
}

#[test]
#[ignore = "takes minutes and 20 GB of disk; COUNT says how many, 100 million unless told"]
#[cfg(target_os = "linux")]
fn a_hundred_million_ticks_need_no_memory_for_them() {
    let count = std::env::var("COUNT").unwrap_or_else(|_| "100000000".to_owned());
    let folder = tempfile::tempdir_in(std::env::var_os("TMPDIR").unwrap_or_else(|| "/var/tmp".into()));
    let folder = folder.expect("a folder");
    let path = folder.path().join("ticks.csv");
    write_ticks(&path, count.parse().expect("a number"));
    let path = path.to_str().expect("a plain path");
    let output =
        again("reads_ticks", &[("TICKS", path), ("COUNT", &count), ("KEEP", "8388608")], Some(96 << 10));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(result(&output).contains("n_trades"));
}
