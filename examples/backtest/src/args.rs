//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{ConfigError, FillAt, Pair, Rule, Terms};
use crate::data::{Actions, ReadOptions};
use crate::limits::{PAIRS_MAX, PATHS_MAX};
use crate::named::Named;
use crate::tape::PriceKind;

/// Backtests crossings of two moving averages. Every run is a bus of its own with four actors.
#[derive(Debug, Parser)]
#[command(name = "backtest", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one pair of averages and print its statistics
    Run(RunArgs),
    /// Run a grid of pairs; write results.csv and report.html
    Sweep(SweepArgs),
    /// Run one pair on resampled histories; print and draw how the results spread
    MonteCarlo(MonteCarloArgs),
    /// Choose pairs on the past and trade what follows, fold by fold; `walk-forward --help` has the flags
    #[command(disable_help_flag = true)]
    WalkForward(StrategyArgs),
    /// Write one page on a pair or a grid of them; `report --help` has the flags
    #[command(disable_help_flag = true)]
    Report(StrategyArgs),
}

/// Flags of the commands that every [program](mod@crate::program) of a strategy has.
#[derive(Debug, Args)]
pub struct StrategyArgs {
    /// As those of a strategy of one's own, whose parameters are `--fast`, `--slow` and `--flip`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub flags: Vec<OsString>,
}

/// Which prices to read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Prices")]
pub struct DataArgs {
    /// CSV, Parquet or Arrow file with a date or timestamp column and Open, High, Low, Close, or Bid and Ask,
    /// or Price, or the levels of a book; again for another asset
    #[arg(long, value_name = "FILE", required = true)]
    pub data: Vec<PathBuf>,
    /// Symbol to read, if the file has a Ticker or Symbol column with several; again for another asset. Of
    /// several files each has its own, in the same sequence
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Vec<String>,
    /// What the rows are, bars, quotes, ticks or depth; the names of the columns tell it, unless it is said.
    /// Of one file or symbol: `NAME:ticks`
    #[arg(long, value_name = "[NAME:]KIND")]
    pub kind: Vec<String>,
    /// How dates are written, with the letters of strptime: '%d.%m.%Y %H:%M'. UTC without an offset (`%z`)
    /// or the name of a time zone (`%Q`). Of one file: `NAME:FORMAT`
    #[arg(long, value_name = "[NAME:]FORMAT")]
    pub date_format: Vec<String>,
    /// Numbers have a decimal comma: 1.234,50
    #[arg(long)]
    pub decimal_comma: bool,
    /// Put the rows in order of time
    #[arg(long)]
    pub sort: bool,
    /// Leave out rows that cannot be used, and say how many
    #[arg(long)]
    pub drop_bad_rows: bool,
    /// Names of columns: `close=Last,date=Day`; what they are is one of symbol, date, time, open, high, low,
    /// close, volume, bid, ask, bid_size, ask_size, price, size, trade_price, trade_size, dividends,
    /// split_ratio, adj_close. Of one file: `NAME:close=Last`
    #[arg(long, value_name = "[NAME:]NAMES")]
    pub columns: Vec<String>,
    /// What becomes of splits and dividends that a file of bars tells of
    #[arg(long, value_enum, default_value = "auto")]
    pub prices: Actions,
}

impl DataArgs {
    /// The file of each asset, and the symbol in it if one was chosen.
    ///
    /// # Errors
    /// There are more or fewer symbols than files.
    pub fn assets(&self) -> Result<Vec<(&Path, Option<&str>)>, ConfigError> {
        let (files, symbols) = (self.data.len(), self.symbol.len());
        if files > 1 && symbols != 0 && symbols != files {
            let reason = format!(
                "is given {symbols} times for {files} files; give one for each file, in the same sequence, or none"
            );
            return Err(ConfigError { flag: "--symbol", reason });
        }
        let chosen = |at: usize| self.symbol.get(at).map(String::as_str);
        let file = |at: usize| self.data[if files == 1 { 0 } else { at }].as_path();
        Ok((0..files.max(symbols)).map(|at| (file(at), chosen(at))).collect())
    }

    /// By which names flags may be given for one of these files and symbols alone.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for name in self.symbol.iter().cloned().chain(self.data.iter().flat_map(|file| names_of(file))) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// How a file is to be read, with this symbol in it.
    ///
    /// # Errors
    /// What is wrong with `--columns`, `--kind` or `--date-format`, or a name before one of them.
    pub fn options(&self, file: &Path, symbol: Option<&str>) -> Result<ReadOptions, ConfigError> {
        let (all, own) = (self.names(), own_names(file, symbol));
        let kind = |text: &str| {
            PriceKind::from_str(text, true)
                .map_err(|_| format!("is `{text}`, must be one of bars, quotes, ticks and depth"))
        };
        let format = |text: &str| Ok(text.to_owned());
        let columns = Named::read("--columns", &self.columns, &all, ReadOptions::parse_columns)?;
        Ok(ReadOptions {
            symbol: symbol.map(str::to_owned),
            kind: Named::read("--kind", &self.kind, &all, kind)?.of(&own).copied(),
            date_format: Named::read("--date-format", &self.date_format, &all, format)?.of(&own).cloned(),
            decimal_comma: self.decimal_comma,
            sort: self.sort,
            drop_bad_rows: self.drop_bad_rows,
            columns: columns.of(&own).cloned().unwrap_or_default(),
            actions: self.prices,
            memory_bytes_max: None,
        })
    }
}

/// The names of a file: with its ending, and without.
fn names_of(file: &Path) -> impl Iterator<Item = String> {
    let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
    [file.file_name(), file.file_stem()].into_iter().flatten().map(text)
}

/// The names of an asset, the most its own first.
pub(crate) fn own_names(file: &Path, symbol: Option<&str>) -> Vec<String> {
    symbol.map(str::to_owned).into_iter().chain(names_of(file)).collect()
}

/// On which terms to trade.
#[derive(Debug, Args)]
pub struct TermsArgs {
    /// What to do at a crossing
    #[arg(long, value_enum, default_value = "long")]
    pub strategy: Rule,
    /// Units per trade; needed by `--strategy fixed`, not used by the others
    #[arg(long, value_name = "N")]
    pub units: Option<i64>,
    /// Initial cash
    #[arg(long, value_name = "X", default_value_t = 10_000.0)]
    pub cash: f64,
    /// Commission as a share of the traded value, at entry and at exit (0.002 is 0.2 %)
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub commission: f64,
    /// Spread as a share of the price, paid at entry
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub spread: f64,
    /// Where orders are filled
    #[arg(long, value_enum, default_value = "next-open")]
    pub fill: FillAt,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Prices.
    #[command(flatten)]
    pub data: DataArgs,
    /// Window of the fast average, in bars
    #[arg(long, value_name = "N")]
    pub fast: u32,
    /// Window of the slow average, in bars
    #[arg(long, value_name = "N")]
    pub slow: u32,
    /// Terms.
    #[command(flatten)]
    pub terms: TermsArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Also print the equity of every bar
    #[arg(long)]
    pub equity_curve: bool,
}

/// Flags of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Prices.
    #[command(flatten)]
    pub data: DataArgs,
    /// Windows of the fast average: `5..=104`, `5..105`, `5..=104:3` (every third) or `20`
    #[arg(long, value_name = "A..=B")]
    pub fast: Windows,
    /// Windows of the slow average, written alike
    #[arg(long, value_name = "C..=D")]
    pub slow: Windows,
    /// Terms.
    #[command(flatten)]
    pub terms: TermsArgs,
    /// Threads; all cores unless given
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Folder for results.csv and report.html; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What makes a pair the best
    #[arg(long, value_enum, default_value = "return")]
    pub rank: Rank,
    /// Also write results.parquet
    #[arg(long)]
    pub parquet: bool,
    /// Also write results.arrow
    #[arg(long)]
    pub arrow: bool,
    /// Print one JSON object instead of the table; progress still goes to stderr
    #[arg(long)]
    pub json: bool,
}

/// Flags of `monte-carlo`.
#[derive(Debug, Args)]
pub struct MonteCarloArgs {
    /// Prices.
    #[command(flatten)]
    pub data: DataArgs,
    /// Window of the fast average, in bars
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub fast: u32,
    /// Window of the slow average, in bars
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub slow: u32,
    /// Terms.
    #[command(flatten)]
    pub terms: TermsArgs,
    /// Histories to resample
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=i64::from(PATHS_MAX)))]
    pub paths: u32,
    /// Length of the blocks of consecutive bars that are kept together
    #[arg(long, value_name = "BARS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub block: u32,
    /// Seed: the same seed gives the same paths
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads; all cores unless given
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Folder for monte-carlo.html; made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Print one JSON object instead of the table; progress still goes to stderr
    #[arg(long)]
    pub json: bool,
}

/// What makes a pair the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rank {
    /// Largest return.
    Return,
    /// Largest Sharpe ratio of daily returns.
    Sharpe,
    /// Smallest drawdown.
    Drawdown,
}

/// A range of windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows(pub Vec<u32>);

impl FromStr for Windows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape =
            || format!("`{text}` is no range of windows; write `5..=104`, `5..105`, `5..=104:3` or `20`");
        let (range, step) = match text.split_once(':') {
            Some((range, step)) => (range, step.trim().parse::<u32>().map_err(|_| shape())?),
            None => (text, 1),
        };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| shape());
        let (first, last) = match range.split_once("..") {
            None => (number(range)?, number(range)?),
            Some((first, last)) => match last.strip_prefix('=') {
                Some(last) => (number(first)?, number(last)?),
                None => (number(first)?, number(last)?.checked_sub(1).ok_or_else(shape)?),
            },
        };
        if step == 0 || first > last {
            return Err(format!(
                "`{text}` holds no window; the first must not exceed the last, nor the step be 0"
            ));
        }
        if ((last - first) / step) as usize >= PAIRS_MAX {
            return Err(format!("`{text}` holds more than {PAIRS_MAX} windows"));
        }
        Ok(Self((first..=last).step_by(step as usize).collect()))
    }
}

impl SweepArgs {
    /// All pairs, by fast window and then by slow window.
    ///
    /// # Errors
    /// A window out of range, or more than [`PAIRS_MAX`] pairs.
    pub fn pairs(&self) -> Result<Vec<Pair>, ConfigError> {
        let count = self.fast.0.len().saturating_mul(self.slow.0.len());
        if count > PAIRS_MAX {
            let reason = format!(
                "and --slow make {count} pairs, and at most {PAIRS_MAX} fit; take a step, `5..=104:3`"
            );
            return Err(ConfigError { flag: "--fast", reason });
        }
        let pairs: Vec<Pair> = self
            .fast
            .0
            .iter()
            .flat_map(|&fast| self.slow.0.iter().map(move |&slow| Pair { fast, slow }))
            .collect();
        pairs.iter().try_for_each(|pair| pair.check())?;
        Ok(pairs)
    }
}

impl TermsArgs {
    /// The terms, checked.
    ///
    /// # Errors
    /// The first flag that is out of range.
    pub fn terms(&self) -> Result<Terms, ConfigError> {
        if self.strategy == Rule::Fixed && self.units.is_none() {
            return Err(ConfigError {
                flag: "--units",
                reason: "is missing; `--strategy fixed` needs it".to_owned(),
            });
        }
        let terms = Terms {
            rule: self.strategy,
            units: self.units.unwrap_or(0),
            cash: self.cash,
            commission: self.commission,
            spread: self.spread,
            fill: self.fill,
        };
        terms.check()?;
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn ranges_of_windows() {
        let read = |text: &str| text.parse::<Windows>().map(|windows| windows.0);
        assert_eq!(read("5..=8"), Ok(vec![5, 6, 7, 8]));
        assert_eq!(read("5..8"), Ok(vec![5, 6, 7]));
        assert_eq!(read("5..=12:3"), Ok(vec![5, 8, 11]));
        assert_eq!(read("20"), Ok(vec![20]));
        for wrong in ["", "a", "5..", "..5", "8..=5", "5..5", "5..=9:0", "-1..=3", "1..=4294967295", "5...9"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
