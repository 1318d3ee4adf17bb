//! `run`: once, with everything that is kept.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::Tunable;
use super::args::{self, RunFlags, flags};
use super::report::{PageOfRun, page};
use super::traded::Traded;
use crate::commands::{CommandError, make_folder, write};
use crate::performance::{AssetFigures, FigureUnit, Figures};
use crate::strategy::{Backtest, Report};
use crate::tape::Tape;

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: RunFlags = flags(matches)?;
    let point = args::point(program, matches)?;
    let traded = flags.market.open()?;
    let backtest = &traded.backtest;
    let report = program.report(backtest, &point)?;
    let by_asset = by_asset(backtest, &report);
    let json = to_json(&report, &by_asset);
    if let Some(folder) = &flags.out {
        make_folder(folder)?;
        write(&folder.join("report.json"), |out| writeln!(out, "{json}"))?;
        write(&folder.join("trades.csv"), |out| report.write_trades(out))?;
        write(&folder.join("orders.csv"), |out| report.write_orders(out))?;
        write(&folder.join("equity.csv"), |out| report.write_equity(backtest.bars(), out))?;
        let html = page(&PageOfRun {
            program,
            traded: &traded,
            point: &point,
            report: &report,
            search: None,
            facts: &[],
            folds: None,
            warning: None,
            unscored: false,
        });
        write(&folder.join("report.html"), |out| out.write_all(html?.as_bytes()))?;
        write_tables(program, &traded, (&point, &report), &flags, folder)?;
    }
    if flags.json {
        return Ok(format!("{json}\n"));
    }
    let mut text = heading(program, &traded, &point);
    text.push_str(&table(report.figures.as_ref()));
    text.push_str(&asset_table(&by_asset));
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    Ok(text)
}

/// Writes trades, orders and equity with types, as the flags say.
fn write_tables(
    program: &dyn Tunable,
    traded: &Traded,
    (point, report): (&[f64], &Report),
    flags: &RunFlags,
    folder: &Path,
) -> Result<(), CommandError> {
    let about = [
        ("program".to_owned(), heading(program, traded, point).trim_end().replace('\n', "; ")),
        ("terms".to_owned(), traded.terms.clone()),
    ];
    let bars = traded.backtest.bars();
    let place = |name: &str| folder.join(name);
    if flags.parquet {
        write(&place("trades.parquet"), |out| report.write_trades_parquet(&about, out))?;
        write(&place("orders.parquet"), |out| report.write_orders_parquet(&about, out))?;
        write(&place("equity.parquet"), |out| report.write_equity_parquet(bars, &about, out))?;
    }
    if flags.arrow {
        write(&place("trades.arrow"), |out| report.write_trades_arrow(&about, out))?;
        write(&place("orders.arrow"), |out| report.write_orders_arrow(&about, out))?;
        write(&place("equity.arrow"), |out| report.write_equity_arrow(bars, &about, out))?;
    }
    Ok(())
}

/// The report with the figures of each asset, if there are several.
fn to_json(report: &Report, by_asset: &[AssetFigures]) -> Value {
    let mut object = report.to_json();
    if by_asset.len() > 1 {
        object["by_asset"] = json!(by_asset);
    }
    object
}

/// The figures of each asset.
pub(super) fn by_asset(backtest: &Backtest, report: &Report) -> Vec<AssetFigures> {
    let of = |tape: &Arc<Tape>| AssetFigures::of(&report.trades, &report.charges, tape);
    backtest.tape().map(of).unwrap_or_default()
}

/// What was run on what.
pub(super) fn heading(program: &dyn Tunable, traded: &Traded, point: &[f64]) -> String {
    let values = args::show(program, point);
    let values = if values.is_empty() { String::new() } else { format!(" with {values}") };
    format!("{}{values}\n{}\n\n", program.name(), traded.stretches("\n"))
}

/// The figures of several assets for a terminal.
pub(super) fn asset_table(rows: &[AssetFigures]) -> String {
    if rows.len() < 2 {
        return String::new();
    }
    let mut text = format!(
        "\n{:<16}{:>8}{:>14}{:>14}{:>12}{:>12}{:>12}{:>14}\n",
        "asset", "trades", "profit", "commissions", "win rate %", "mean %", "exposed %", "buy & hold %"
    );
    for row in rows {
        let share = |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{value:.2}") };
        let [win, mean] = [row.win_rate_pct, row.expectancy_pct].map(share);
        let [exposed, hold] = [row.exposure_pct, row.buy_and_hold_pct].map(share);
        let AssetFigures { symbol, trades, profit, commissions, .. } = row;
        let _ = writeln!(
            text,
            "{symbol:<16}{trades:>8}{profit:>14.2}{commissions:>14.2}{win:>12}{mean:>12}{exposed:>12}{hold:>14}"
        );
    }
    text.push('\n');
    text
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
