//! `run`: once, with everything that is kept.

use std::fmt::Write as _;

use clap::ArgMatches;

use super::Tunable;
use super::args::{self, RunFlags, flags};
use super::report::{PageOfRun, page};
use crate::commands::{CommandError, make_folder, read, write};
use crate::data::{Series, format_timestamp};
use crate::performance::{FigureUnit, Figures};

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: RunFlags = flags(matches)?;
    let point = args::point(program, matches)?;
    let series = read(&flags.data)?;
    let backtest = flags.trade.backtest(series.bars.clone())?;
    let report = program.report(&backtest, &point)?;
    if let Some(folder) = &flags.out {
        make_folder(folder)?;
        write(&folder.join("report.json"), |out| writeln!(out, "{}", report.to_json()))?;
        write(&folder.join("trades.csv"), |out| report.write_trades(out))?;
        write(&folder.join("orders.csv"), |out| report.write_orders(out))?;
        write(&folder.join("equity.csv"), |out| report.write_equity(&series.bars, out))?;
        let html = page(&PageOfRun {
            program,
            series: &series,
            trade: &flags.trade,
            point: &point,
            report: &report,
            search: None,
            facts: &[],
            folds: None,
            warning: None,
        });
        write(&folder.join("report.html"), |out| out.write_all(html.as_bytes()))?;
        if flags.parquet {
            let about = [
                ("program".to_owned(), heading(program, &series, &point).trim_end().replace('\n', "; ")),
                ("terms".to_owned(), flags.trade.describe()),
            ];
            let (trades, equity) = (folder.join("trades.parquet"), folder.join("equity.parquet"));
            write(&trades, |out| report.write_trades_parquet(&about, out))?;
            write(&equity, |out| report.write_equity_parquet(&series.bars, &about, out))?;
        }
    }
    if flags.json {
        return Ok(format!("{}\n", report.to_json()));
    }
    let mut text = heading(program, &series, &point);
    text.push_str(&table(report.figures.as_ref()));
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    Ok(text)
}

/// What was run on what.
pub(super) fn heading(program: &dyn Tunable, series: &Series, point: &[f64]) -> String {
    let values = args::show(program, point);
    let values = if values.is_empty() { String::new() } else { format!(" with {values}") };
    format!("{}{values}\n{}\n\n", program.name(), stretch(series))
}

/// The symbol, how many bars, and when.
pub(super) fn stretch(series: &Series) -> String {
    let at = |bar: Option<&crate::messages::Bar>| {
        bar.map(|bar| format_timestamp(bar.timestamp)).unwrap_or_default()
    };
    let (first, last) = (at(series.bars.first()), at(series.bars.last()));
    format!("{}: {} bars from {first} to {last}", series.symbol, series.bars.len())
}

/// The figures for a terminal.
pub(super) fn table(figures: Option<&Figures>) -> String {
    let mut text = String::new();
    for row in figures.map(|_| Figures::TABLE).unwrap_or_default() {
        let value = figures.map_or(f64::NAN, row.get);
        let unit = match row.unit {
            FigureUnit::Percent => " %",
            FigureUnit::Days => " d",
            _ => "",
        };
        let value = match value {
            value if value.is_nan() => "not defined".to_owned(),
            value if value.fract() == 0.0 => format!("{value}{unit}"),
            value => format!("{value:.4}{unit}"),
        };
        let _ = writeln!(text, "{:<32}{value:>18}", row.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_units() {
        let bars = [crate::messages::Bar { close: 1.0, ..Default::default() }; 2];
        let text = table(Figures::of(&bars, &[1.0, 1.5], &[]).as_ref());
        assert!(text.contains("return_pct") && text.contains("50 %"), "{text}");
        assert!(text.contains("not defined"), "{text}");
        assert_eq!(table(None), "");
    }
}
