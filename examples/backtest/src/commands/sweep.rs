//! `backtest sweep`

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::{CommandError, describe, make_folder, print, read, write};
use crate::args::SweepArgs;
use crate::config::{Pair, Terms};
use crate::data::{Series, format_timestamp};
use crate::instance::{self, Instance};
use crate::ledger::{Ledger, Statistics};
use crate::messages::Bar;
use crate::report::{Effort, SweepPage, sweep_page};
use crate::results::{COLUMNS, Row, best, digest, write_csv};
use crate::runner::{Finished, run_all};
use crate::source::History;
use crate::usage;

/// Rows that are printed.
const BEST_ROWS: usize = 10;

pub(super) fn execute(args: &SweepArgs) -> Result<(), CommandError> {
    let terms = args.terms.terms()?;
    let pairs = args.pairs()?;
    let series = read(&args.data, "sweep")?;
    make_folder(&args.out)?;
    let bars: Arc<[Bar]> = series.bars.clone().into();
    let mut finished = run_all(&pairs, args.threads, &series.symbol, |pair| {
        instance::run(History::new(Arc::clone(&bars)), pair, &terms)
    })?;
    finished.effort.digest = digest(&finished.rows);
    finished.effort.instance_bytes = instance_bytes(&bars, &pairs, &terms);
    let warning =
        finished.warning(pairs.len(), "pairs", |pair| format!("fast {}, slow {}", pair.fast, pair.slow));
    let top = best(&finished.rows, args.rank, BEST_ROWS);
    let Some((pair, _)) = top.first() else {
        return Err(CommandError::NothingFinished(warning.unwrap_or_default()));
    };
    let csv = args.out.join("results.csv");
    write(&csv, |out| write_csv(&finished.rows, out))?;
    let about = about(&series, &terms, finished.effort.digest);
    if args.parquet {
        write(&args.out.join("results.parquet"), |out| crate::parquet::write(&finished.rows, &about, out))?;
    }
    if args.arrow {
        let place = args.out.join("results.arrow");
        write(&place, |out| crate::parquet::write_as_arrow(&finished.rows, &about, out))?;
    }
    let report = args.out.join("report.html");
    let html = page(args, &series, *pair, &terms, &finished, &top, warning.as_deref())?;
    write(&report, |out| out.write_all(html.as_bytes()))?;
    if let Some(warning) = &warning {
        eprintln!("warning: {warning}");
    }
    if args.json { print(&json(&finished, &top)) } else { print(&table(&finished, &top, &csv, &report)) }
}

/// What was run, for those who find the table alone.
fn about(series: &Series, terms: &Terms, digest: u64) -> [(&'static str, String); 5] {
    let at = |bar: Option<&Bar>| bar.map(|bar| format_timestamp(bar.timestamp)).unwrap_or_default();
    [
        ("symbol", series.symbol.clone()),
        ("from", at(series.bars.first())),
        ("to", at(series.bars.last())),
        ("terms", describe(series, terms)),
        ("digest", format!("{digest:016x}")),
    ]
}

/// Memory of one instance: what the process grows by while many wait side by side, divided by their number.
fn instance_bytes(bars: &Arc<[Bar]>, pairs: &[Pair], terms: &Terms) -> Option<u64> {
    const INSTANCES: usize = 1_000;
    let before = usage::memory_bytes()?;
    let instances: Vec<Instance> = pairs
        .iter()
        .cycle()
        .take(INSTANCES)
        .filter_map(|pair| {
            Instance::new(History::new(Arc::clone(bars)), *pair, terms, Ledger::new(terms.cash)).ok()
        })
        .collect();
    let after = usage::memory_bytes()?;
    Some(after.saturating_sub(before) / instances.len().max(1) as u64)
}

fn page(
    args: &SweepArgs,
    series: &Series,
    pair: Pair,
    terms: &Terms,
    finished: &Finished<Pair>,
    top: &[Row],
    warning: Option<&str>,
) -> Result<String, CommandError> {
    let bars = &series.bars;
    let source = History::new(bars.clone().into());
    let ledger = Ledger::new(terms.cash).with_curve(bars.len());
    let curve = Instance::new(source, pair, terms, ledger)?.run()?.curve.unwrap_or_default();
    let (hold, hold_statistics) = buy_and_hold(bars, terms.cash);
    let timestamps: Vec<i64> = bars.iter().map(|bar| bar.timestamp.as_nanos()).collect();
    let summary = format!(
        "{} pairs, each over {} bars from {} to {}: {}.",
        finished.rows.len(),
        bars.len(),
        format_timestamp(bars[0].timestamp),
        format_timestamp(bars[bars.len() - 1].timestamp),
        describe(series, terms)
    );
    Ok(sweep_page(&SweepPage {
        symbol: &series.symbol,
        summary: &summary,
        warning,
        rows: &finished.rows,
        best: top,
        better: args.rank.better(),
        timestamps: &timestamps,
        curve: &curve,
        hold: &hold,
        hold_statistics: &hold_statistics,
        effort: &finished.effort,
    }))
}

/// The equity of putting all cash in at the first close, in fractions of a unit and without costs.
fn buy_and_hold(bars: &[Bar], cash: f64) -> (Vec<f64>, Statistics) {
    let first = bars.first().map_or(1.0, |bar| bar.close);
    let equity: Vec<f64> = bars.iter().map(|bar| cash * (bar.close / first)).collect();
    let mut ledger = Ledger::new(cash);
    for (bar, equity) in bars.iter().zip(&equity) {
        ledger.mark_equity(bar.timestamp, *equity);
    }
    (equity, ledger.finish().0)
}

fn table(finished: &Finished<Pair>, top: &[Row], csv: &Path, report: &Path) -> String {
    let mut text = format!(
        "{:>5} {:>5} {:>14} {:>10} {:>7} {:>10} {:>8} {:>15} {:>8} {:>9}\n",
        "fast",
        "slow",
        "equity",
        "return %",
        "trades",
        "drawdown %",
        "sharpe",
        "sharpe_daily252",
        "cagr %",
        "exposed %"
    );
    for (pair, s) in top {
        let _ = writeln!(
            text,
            "{:>5} {:>5} {:>14.2} {:>10.2} {:>7} {:>10.2} {:>8.4} {:>15.4} {:>8.3} {:>9.2}",
            pair.fast,
            pair.slow,
            s.equity_final,
            s.return_pct,
            s.n_trades,
            s.max_drawdown_pct,
            s.sharpe_simple_daily252,
            s.sharpe_daily252,
            s.cagr_pct,
            s.exposure_pct
        );
    }
    text.push_str(&effort(&finished.effort));
    let _ = writeln!(text, "wrote {} and {}", csv.display(), report.display());
    text
}

/// Throughput and costs, in lines for a terminal.
pub(crate) fn effort(effort: &Effort) -> String {
    let instances = effort.instances.max(1) as f64;
    let mut text = format!(
        "\n{} instances on {} threads in {:.2} s: {:.0} instances/s, {:.2} M messages/s\n",
        effort.instances,
        effort.threads,
        effort.elapsed_s,
        instances / effort.elapsed_s,
        effort.events as f64 / effort.elapsed_s / 1e6
    );
    let _ = write!(
        text,
        "CPU {:.2} s, {:.4} s per 1,000 runs, {:.1} ns per message",
        effort.cpu_s,
        effort.cpu_s / instances * 1e3,
        effort.cpu_s * 1e9 / effort.events.max(1) as f64
    );
    if let Some(bytes) = effort.instance_bytes {
        let _ = write!(text, "; {:.1} kB per instance", bytes as f64 / 1e3);
    }
    if let Some(bytes) = effort.memory_peak_bytes {
        let _ = write!(text, "; peak memory {:.1} MB", bytes as f64 / 1e6);
    }
    let _ = writeln!(text, "\ndigest of all results {:016x}", effort.digest);
    text
}

fn json(finished: &Finished<Pair>, top: &[Row]) -> String {
    let effort = &finished.effort;
    let best: Vec<serde_json::Value> = top
        .iter()
        .map(|(pair, statistics)| {
            let mut row = serde_json::json!({ "fast": pair.fast, "slow": pair.slow });
            for (name, figure) in COLUMNS.iter().zip(crate::results::figures(statistics)) {
                row[*name] = figure.into();
            }
            row["n_trades"] = statistics.n_trades.into();
            row
        })
        .collect();
    let object = serde_json::json!({
        "instances": effort.instances,
        "failed": finished.failed,
        "interrupted": finished.interrupted,
        "threads": effort.threads,
        "elapsed_s": effort.elapsed_s,
        "cpu_s": effort.cpu_s,
        "events": effort.events,
        "memory_peak_bytes": effort.memory_peak_bytes,
        "instance_bytes": effort.instance_bytes,
        "digest": format!("{:016x}", effort.digest),
        "best": best,
    });
    format!("{object}\n")
}
