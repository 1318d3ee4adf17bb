//! `report`: everything on one page.

use std::fmt::Write as _;

use clap::ArgMatches;

use super::Tunable;
use super::args::{self, ReportFlags, TradeArgs, WalkFlags, flags};
use super::explore::{check_blocks, explore, panel, sober, warning};
use super::run::stretch;
use super::sweep::empty;
use super::walk::{Walk, to_json, walk};
use crate::commands::{CommandError, read, write};
use crate::data::Series;
use crate::report::{Page, SearchPanel, render};
use crate::search::BlockSums;
use crate::strategy::{Report, Trade};

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: ReportFlags = flags(matches)?;
    check_blocks(flags.overfitting)?;
    let search = flags.search.search(program, matches)?;
    let series = read(&flags.data)?;
    let backtest = flags.trade.backtest(series.bars.clone())?;
    let all: Vec<usize> = (0..search.points.count()).collect();
    let blocks = if all.len() > 1 { flags.overfitting } else { 0 };
    let finished = explore(program, &search, &backtest, &all, flags.search.threads, blocks, |_| {})?;
    let mut missing = warning(program, &search, &finished, all.len());
    let mut sheet = empty(program, &search, &series, &flags.trade.describe());
    let mut sums: Vec<BlockSums> = Vec::new();
    for (_, (row, own)) in finished.rows {
        sheet.rows.push(row);
        sums.extend(own);
    }
    let Some(best) = sheet.best() else {
        return Err(CommandError::NothingFinished(missing.unwrap_or_default()));
    };
    let point = sheet.rows[best].point.clone();
    let report = program.report(&backtest, &point)?;
    let facts =
        if sheet.rows.len() > 1 { sober(&sheet, &report, &series.bars, &sums, blocks) } else { Vec::new() };
    let mut folds = None;
    if let (Some(train), Some(test)) = (flags.train, flags.test) {
        let walked = WalkFlags {
            data: flags.data.clone(),
            trade: flags.trade.clone(),
            search: flags.search.clone(),
            train,
            test,
            anchored: flags.anchored,
            out: None,
            json: false,
        };
        let walk = walk(program, &walked, &search, &series.bars)?;
        folds = Some(to_json(program, &walk, &series.bars));
        missing = missing.or(walk.warning);
    }
    if let Some(missing) = &missing {
        eprintln!("warning: {missing}");
    }
    let html = page(&PageOfRun {
        program,
        series: &series,
        trade: &flags.trade,
        point: &point,
        report: &report,
        search: panel(program, &search, &sheet),
        facts: &facts,
        folds,
        warning: missing.as_deref(),
    });
    write(&flags.out, |out| out.write_all(html.as_bytes()))?;
    let mut text = super::run::heading(program, &series, &point);
    text.push_str(&super::run::table(report.figures.as_ref()));
    for (name, value) in &facts {
        let _ = writeln!(text, "{name}: {value}");
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "wrote {}", flags.out.display());
    Ok(text)
}

/// What the page of a run, of a search or of both is made of.
pub(super) struct PageOfRun<'a> {
    pub(super) program: &'a dyn Tunable,
    pub(super) series: &'a Series,
    pub(super) trade: &'a TradeArgs,
    pub(super) point: &'a [f64],
    pub(super) report: &'a Report,
    pub(super) search: Option<SearchPanel>,
    pub(super) facts: &'a [(String, String)],
    pub(super) folds: Option<serde_json::Value>,
    pub(super) warning: Option<&'a str>,
}

/// The page of one run.
pub(super) fn page(of: &PageOfRun<'_>) -> String {
    let values = args::show(of.program, of.point);
    let runs = of.search.as_ref().map_or(String::new(), |search| format!("Best of {} runs. ", search.total));
    let values = if values.is_empty() { String::new() } else { format!(" With {values}.") };
    let summary = format!("{runs}{}.{values} {}.", stretch(of.series), capitalised(&of.trade.describe()));
    render(&Page {
        title: &format!("{} on {}", of.program.name(), of.series.symbol),
        summary: &summary,
        warning: of.warning,
        bars: &of.series.bars,
        equity: &of.report.equity,
        figures: None,
        trades: &of.report.trades,
        notes: &of.report.notes,
        search: of.search.clone(),
        folds: of.folds.clone(),
        facts: of.facts,
    })
}

/// The page of a walk-forward: the tests, one behind the other.
pub(super) fn page_of_walk(program: &dyn Tunable, series: &Series, flags: &WalkFlags, walk: &Walk) -> String {
    let how = if flags.anchored { "anchored" } else { "rolling" };
    let summary = format!(
        "{}. Chosen anew every {} bars on {} bars ({how}); what is shown is traded on bars that no choice has seen. {}.",
        stretch(series),
        flags.test,
        flags.train,
        capitalised(&flags.trade.describe())
    );
    // As the figures: from the last bar before the tests, whose order is filled on the first of them.
    let equity: Vec<f64> = std::iter::once(flags.trade.cash).chain(walk.equity.iter().copied()).collect();
    let later = |trade: &Trade| Trade {
        entry_bar: trade.entry_bar.saturating_add(1),
        exit_bar: trade.exit_bar.saturating_add(1),
        ..trade.clone()
    };
    let trades: Vec<Trade> = walk.trades.iter().map(later).collect();
    render(&Page {
        title: &format!("{} on {}, walk-forward", program.name(), series.symbol),
        summary: &summary,
        warning: walk.warning.as_deref(),
        bars: &series.bars[flags.train - 1..],
        equity: &equity,
        figures: walk.figures.as_ref(),
        trades: &trades,
        notes: &[],
        search: None,
        folds: Some(to_json(program, walk, &series.bars)),
        facts: &[],
    })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
