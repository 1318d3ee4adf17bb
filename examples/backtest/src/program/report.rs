//! `report`: everything on one page.

use std::fmt::Write as _;
use std::io;

use clap::ArgMatches;

use super::Tunable;
use super::args::{self, ExploreFlags, ReportFlags, Search, flags};
use super::explore::{check_blocks, explore, joined, panel, sober, unscored, warning};
use super::run::{asset_table, by_asset};
use super::sweep::empty;
use super::traded::Traded;
use super::walk::{Folding, Walk, cut, to_json, walk};
use crate::commands::{CommandError, make_folder, write};
use crate::report::{Page, PageAsset, SearchPanel, render};
use crate::search::BlockSums;
use crate::strategy::{Backtest, Report};

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: ReportFlags = flags(matches)?;
    check_blocks(flags.overfitting)?;
    let ExploreFlags { market, search: how } = &flags.explore;
    let search = flags.figures.chosen_by(how.search(program, matches)?, program)?;
    let traded = market.open()?;
    let backtest = &traded.backtest;
    // What cannot be cut or written is told before the work.
    flags.folding().map_or(Ok(()), |folding| cut(&folding, backtest).map(drop))?;
    flags.out.parent().filter(|folder| *folder != "").map_or(Ok(()), make_folder)?;
    let all: Vec<usize> = (0..search.points.count()).collect();
    let blocks = if all.len() > 1 { flags.overfitting } else { 0 };
    let finished = explore(program, &search, backtest, &all, how.threads, blocks, |_| {})?;
    let mut missing = warning(program, &search, &finished, all.len());
    let mut sheet = empty(program, &search, &traded);
    let mut sums: Vec<BlockSums> = Vec::new();
    for (_, (row, own)) in finished.rows {
        sheet.rows.push(row);
        sums.extend(own);
    }
    let Some(best) = sheet.best() else {
        return Err(CommandError::NothingFinished(missing.unwrap_or_default()));
    };
    let point = sheet.rows[best].point.clone();
    let report = program.report(backtest, &point)?;
    missing = unscored(&search, &sheet, backtest.bars(), missing);
    let facts = if sheet.rows.len() > 1 && !sheet.is_unscored() {
        sober(&sheet, &report, backtest.bars(), &sums, blocks)
    } else {
        Vec::new()
    };
    let (folds, unwalked) = folds(program, &flags, &search, backtest)?;
    missing = joined([missing, unwalked]);
    if let Some(missing) = &missing {
        eprintln!("warning: {missing}");
    }
    let html = page(&PageOfRun {
        program,
        traded: &traded,
        point: &point,
        report: &report,
        search: panel(program, &search, &sheet),
        facts: &facts,
        folds,
        warning: missing.as_deref(),
        unscored: sheet.is_unscored(),
    });
    write(&flags.out, |out| out.write_all(html?.as_bytes()))?;
    let mut text = super::run::heading(program, &traded, &point);
    text.push_str(&super::run::table(report.figures.as_ref()));
    text.push_str(&asset_table(&by_asset(backtest, &report)));
    for (name, value) in &facts {
        let _ = writeln!(text, "{name}: {value}");
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "wrote {}", flags.out.display());
    Ok(text)
}

impl ReportFlags {
    /// The folds that were asked for.
    fn folding(&self) -> Option<Folding> {
        let (train, test) = self.train.zip(self.test)?;
        Some(Folding { train, test, anchored: self.anchored })
    }
}

/// The folds, if they were asked for, and what is missing of them.
fn folds(
    program: &dyn Tunable,
    flags: &ReportFlags,
    search: &Search,
    backtest: &Backtest,
) -> Result<(Option<serde_json::Value>, Option<String>), CommandError> {
    let Some(folding) = flags.folding() else { return Ok((None, None)) };
    match walk(program, &folding, search, flags.explore.search.threads, backtest) {
        Ok(walk) => Ok((Some(to_json(program, &walk, backtest.bars())), walk.warning)),
        // The page has the rest.
        Err(CommandError::NoScore(why)) => Ok((None, Some(format!("The walk-forward {why}.")))),
        Err(error) => Err(error),
    }
}

/// What the page of a run, of a search or of both is made of.
pub(super) struct PageOfRun<'a> {
    pub(super) program: &'a dyn Tunable,
    pub(super) traded: &'a Traded,
    pub(super) point: &'a [f64],
    pub(super) report: &'a Report,
    pub(super) search: Option<SearchPanel>,
    pub(super) facts: &'a [(String, String)],
    pub(super) folds: Option<serde_json::Value>,
    pub(super) warning: Option<&'a str>,
    /// Whether no run of the search has a score.
    pub(super) unscored: bool,
}

/// The page of one run.
pub(super) fn page(of: &PageOfRun<'_>) -> io::Result<String> {
    let values = args::show(of.program, of.point);
    let first = if of.unscored { "First" } else { "Best" };
    let runs = |search: &SearchPanel| format!("{first} of {} runs. ", search.total);
    let runs = of.search.as_ref().map_or(String::new(), runs);
    let values = if values.is_empty() { String::new() } else { format!(" With {values}.") };
    let stretches = of.traded.stretches("; ");
    let summary = format!("{runs}{stretches}.{values} {}.", capitalised(&of.traded.terms));
    let backtest = &of.traded.backtest;
    let tape = backtest.tape();
    render(&Page {
        title: &format!("{} on {}", of.program.name(), of.traded.symbols()),
        summary: &summary,
        warning: of.warning,
        bars: backtest.bars(),
        assets: tape.map(|tape| PageAsset::all(tape)).unwrap_or_default(),
        by_asset: &by_asset(backtest, of.report),
        equity: &of.report.equity,
        figures: None,
        session: &backtest.session_of_account(),
        trades: &of.report.trades,
        notes: &of.report.notes,
        search: of.search.clone(),
        folds: of.folds.clone(),
        facts: of.facts,
    })
}

/// The page of a walk-forward: the tests, one behind the other.
pub(super) fn page_of_walk(
    program: &dyn Tunable,
    traded: &Traded,
    folding: &Folding,
    walk: &Walk,
) -> io::Result<String> {
    let how = if folding.anchored { "anchored" } else { "rolling" };
    let summary = format!(
        "{}. Chosen anew every {} bars on {} bars ({how}); what is shown is traded on bars that no choice has seen. {}.",
        traded.stretches("; "),
        folding.test,
        folding.train,
        capitalised(&traded.terms)
    );
    // As the figures: from the last bar before the tests, whose order is filled on the first of them.
    let from = folding.train - 1;
    let equity: Vec<f64> =
        std::iter::once(traded.backtest.start_cash()).chain(walk.equity.iter().copied()).collect();
    let shown = traded.backtest.part(from..from + equity.len());
    render(&Page {
        title: &format!("{} on {}, walk-forward", program.name(), traded.symbols()),
        summary: &summary,
        warning: walk.warning.as_deref(),
        bars: &traded.backtest.bars()[from..],
        assets: shown.tape().map(|tape| PageAsset::all(tape)).unwrap_or_default(),
        by_asset: &walk.by_asset,
        equity: &equity,
        figures: walk.figures.as_ref(),
        session: &traded.backtest.session_of_account(),
        trades: &walk.trades,
        notes: &[],
        search: None,
        folds: Some(to_json(program, walk, traded.backtest.bars())),
        facts: &[],
    })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
