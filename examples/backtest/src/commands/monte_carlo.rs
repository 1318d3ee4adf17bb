//! `backtest monte-carlo`

use std::fmt::Write as _;
use std::sync::Arc;

use super::{CommandError, describe, make_folder, print, read, write};
use crate::args::MonteCarloArgs;
use crate::config::Pair;
use crate::instance;
use crate::ledger::Statistics;
use crate::report::{MonteCarloPage, monte_carlo_page};
use crate::results::{Row, digest};
use crate::risk::{Histogram, Risk};
use crate::runner::{Finished, run_all};
use crate::source::{Bootstrap, History, Returns};

pub(super) fn execute(args: &MonteCarloArgs) -> Result<(), CommandError> {
    let pair = Pair { fast: args.fast, slow: args.slow };
    pair.check()?;
    let terms = args.terms.terms()?;
    let series = read(&args.data, "monte-carlo")?;
    let needed = pair.fast.max(pair.slow) as usize + 2;
    let too_few = || CommandError::TooFewBars { bars: series.bars.len(), needed };
    if series.bars.len() < needed {
        return Err(too_few());
    }
    let returns = Returns::of(&series.bars, series.scale).ok_or_else(too_few)?;
    make_folder(&args.out)?;
    let history = instance::run(History::new(series.bars.clone().into()), pair, &terms)?.statistics;
    let paths: Vec<u32> = (0..args.paths).collect();
    let mut finished = run_all(&paths, args.threads, &series.symbol, |path| {
        instance::run(Bootstrap::new(Arc::clone(&returns), args.seed, path, args.block), pair, &terms)
    })?;
    let rows: Vec<Row> = finished.rows.iter().map(|(_, statistics)| (pair, *statistics)).collect();
    finished.effort.digest = digest(&rows);
    let results: Vec<Statistics> = finished.rows.iter().map(|(_, statistics)| *statistics).collect();
    let warning = finished.warning(paths.len(), "paths", |path| format!("path {path}"));
    let Some(risk) = Risk::of(&results) else {
        return Err(CommandError::NothingFinished(warning.unwrap_or_default()));
    };
    let histogram = Histogram::of(&results);
    let summary = format!(
        "{} histories of {} bars, resampled in blocks of {} bars (seed {}), each traded with averages of {} and {} bars: {}.",
        results.len(),
        series.bars.len(),
        args.block,
        args.seed,
        pair.fast,
        pair.slow,
        describe(&series, &terms)
    );
    let html = monte_carlo_page(&MonteCarloPage {
        symbol: &series.symbol,
        summary: &summary,
        warning: warning.as_deref(),
        risk: &risk,
        histogram: &histogram,
        history_pct: history.return_pct,
        effort: &finished.effort,
    });
    let file = args.out.join("monte-carlo.html");
    write(&file, |out| out.write_all(html.as_bytes()))?;
    if let Some(warning) = &warning {
        eprintln!("warning: {warning}");
    }
    if args.json {
        return print(&json(&risk, &history, &finished));
    }
    let mut text = format!("{summary}\n\n");
    text.push_str(&draw(&histogram, &risk));
    text.push_str(&print_risk(&risk, &history));
    text.push_str(&super::sweep::effort(&finished.effort));
    let _ = writeln!(text, "wrote {}", file.display());
    print(&text)
}

/// The histogram for a terminal: two columns of the page in one line.
pub(crate) fn draw(histogram: &Histogram, risk: &Risk) -> String {
    const WIDTH: usize = 60;
    const LINES: usize = 20;
    let per_line = histogram.counts.len().div_ceil(LINES);
    let lines: Vec<u32> = histogram.counts.chunks(per_line).map(|counts| counts.iter().sum()).collect();
    let tallest = lines.iter().copied().max().unwrap_or(1).max(1);
    let step = (histogram.high - histogram.low) / lines.len() as f64;
    let mut text = String::from("return %     paths\n");
    for (at, count) in lines.iter().enumerate() {
        let from = histogram.low + at as f64 * step;
        let length = (f64::from(*count) / f64::from(tallest) * WIDTH as f64).round() as usize;
        let mark = |value: f64| value >= from && value < from + step;
        let note = match () {
            () if mark(-risk.var_99_pct) => "  < 99 % VaR",
            () if mark(-risk.var_95_pct) => "  < 95 % VaR",
            () if mark(risk.median_pct) => "  < median",
            () => "",
        };
        let _ = writeln!(text, "{from:>9.1} {count:>8} {}{note}", "█".repeat(length));
    }
    if histogram.above > 0 {
        let _ = writeln!(text, "{:>9} {:>8}", "above", histogram.above);
    }
    text
}

/// The figures of a distribution for a terminal.
pub(crate) fn print_risk(risk: &Risk, history: &Statistics) -> String {
    let mut text = String::from("\n");
    let mut line = |name: &str, value: f64| {
        let _ = writeln!(text, "{name:<34}{value:>12.2} %");
    };
    line("median return", risk.median_pct);
    line("mean return", risk.mean_pct);
    line("standard deviation", risk.deviation_pct);
    line("return on the history itself", history.return_pct);
    line("paths that lose money", risk.loss_share * 100.0);
    line("median of max. drawdowns", risk.median_drawdown_pct);
    line("95 % value at risk (a loss)", risk.var_95_pct);
    line("95 % expected shortfall", risk.expected_shortfall_95_pct);
    line("99 % value at risk (a loss)", risk.var_99_pct);
    line("99 % expected shortfall", risk.expected_shortfall_99_pct);
    text
}

fn json(risk: &Risk, history: &Statistics, finished: &Finished<u32>) -> String {
    let object = serde_json::json!({
        "risk": risk,
        "history": history,
        "failed": finished.failed,
        "interrupted": finished.interrupted,
        "threads": finished.effort.threads,
        "elapsed_s": finished.effort.elapsed_s,
        "cpu_s": finished.effort.cpu_s,
        "events": finished.effort.events,
        "digest": format!("{:016x}", finished.effort.digest),
    });
    format!("{object}\n")
}
