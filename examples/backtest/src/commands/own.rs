//! The command line of a user's own strategy.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use super::{CommandError, make_folder, print, read, write};
use crate::args::DataArgs;
use crate::data::{Series, format_timestamp};
use crate::engine::Share;
use crate::strategy::{Backtest, Report, Strategy};

/// Flags of a strategy's own binary.
#[derive(Debug, Parser)]
#[command(about = "Runs this strategy over a file of prices", max_term_width = 110)]
pub struct OwnArgs {
    /// Prices.
    #[command(flatten)]
    pub data: DataArgs,
    /// Initial cash
    #[arg(long, value_name = "X", default_value_t = 10_000.0)]
    pub cash: f64,
    /// Commission as a share of the traded value, at entry and at exit (0.002 is 0.2 %)
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub commission: f64,
    /// Spread as a share of the price, paid at entry
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub spread: f64,
    /// Slippage of market orders and stops, as a share of the price
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub slippage: f64,
    /// Units in the least that can be traded
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub lot: f64,
    /// How many times its money the account can buy
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub leverage: f64,
    /// Folder for report.json, trades.csv, orders.csv and equity.csv; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
}

/// What `main` of a strategy's own binary is: reads the command line, runs the strategy, prints and writes
/// the results.
///
/// ```no_run
/// # struct Mine;
/// # impl backtest::strategy::Strategy for Mine {
/// #     fn next(&mut self, _: &mut backtest::strategy::StrategyContext<'_>) {}
/// # }
/// fn main() -> std::process::ExitCode {
///     backtest::commands::run_strategy(|| Mine)
/// }
/// ```
#[must_use]
pub fn run_strategy<S: Strategy>(strategy: impl FnOnce() -> S) -> ExitCode {
    let args = OwnArgs::parse();
    match execute_strategy(&args, strategy()).and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a strategy on what the flags say and returns what is to be printed.
///
/// # Errors
/// [`CommandError`]: the prices, the terms, an actor that failed, or a file that could not be written.
pub fn execute_strategy(args: &OwnArgs, strategy: impl Strategy) -> Result<String, CommandError> {
    for (flag, share) in [("--commission", args.commission), ("--slippage", args.slippage)] {
        if !(0.0..0.5).contains(&share) {
            let reason = format!("is {share}, must be a share from 0 to below 0.5; 0.2 % is 0.002");
            return Err(crate::config::ConfigError { flag, reason }.into());
        }
    }
    let series = read(&args.data)?;
    let backtest = Backtest::new(series.bars.clone())
        .cash(args.cash)
        .commission(Share(args.commission))
        .spread(args.spread)
        .slippage(Share(args.slippage))
        .lot(args.lot)
        .leverage(args.leverage);
    let report = backtest.run(strategy)?;
    if let Some(folder) = &args.out {
        make_folder(folder)?;
        write(&folder.join("report.json"), |out| writeln!(out, "{}", report.to_json()))?;
        write(&folder.join("trades.csv"), |out| report.write_trades(out))?;
        write(&folder.join("orders.csv"), |out| report.write_orders(out))?;
        write(&folder.join("equity.csv"), |out| report.write_equity(&series.bars, out))?;
    }
    Ok(if args.json { format!("{}\n", report.to_json()) } else { table(&series, &report) })
}

fn table(series: &Series, report: &Report) -> String {
    let (first, last) = (&series.bars[0], &series.bars[series.bars.len() - 1]);
    let mut text = format!(
        "{}: {} bars from {} to {}\n\n",
        series.symbol,
        series.bars.len(),
        format_timestamp(first.timestamp),
        format_timestamp(last.timestamp)
    );
    if let Ok(Value::Object(figures)) = serde_json::to_value(report.figures) {
        for (name, figure) in figures {
            let figure = figure.as_f64().map_or("not defined".to_owned(), |figure| {
                if figure.fract() == 0.0 { format!("{figure}") } else { format!("{figure:.4}") }
            });
            let _ = writeln!(text, "{name:<32}{figure:>16}");
        }
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}
