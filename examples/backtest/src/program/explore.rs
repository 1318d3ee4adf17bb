//! Runs the points of a search, and says soberly what the best of them is worth.

use super::Tunable;
use super::args::{self, Search};
use super::objective::Scored;
use super::sheet::{Sheet, SheetRow};
use crate::commands::CommandError;
use crate::config::ConfigError;
use crate::instance::InstanceError;
use crate::messages::Bar;
use crate::performance::{daily_changes, daily_returns, variance};
use crate::report::SearchPanel;
use crate::results::{COLUMNS, figures};
use crate::runner::{Finished, run_each};
use crate::search::{
    BLOCKS_MAX, BlockSums, ReturnShape, deflated_sharpe, expected_max_sharpe, overfitting,
    probabilistic_sharpe,
};
use crate::strategy::{Backtest, Report};

/// Most runs that a page holds: the best ones.
const PANEL_ROWS_MAX: usize = 20_000;

/// A row, and its returns in blocks if they were asked for.
pub(super) type Explored = (SheetRow, Option<BlockSums>);

/// Checks a number of blocks for cross-validation; zero is none.
///
/// # Errors
/// What can be given.
pub(super) fn check_blocks(blocks: usize) -> Result<(), CommandError> {
    if blocks != 0 && (blocks > BLOCKS_MAX || !blocks.is_multiple_of(2)) {
        let reason = format!("is {blocks}, and must be an even number of blocks up to {BLOCKS_MAX}");
        return Err(ConfigError { flag: "--overfitting", reason }.into());
    }
    Ok(())
}

/// Runs these points. `done` hears of each row as it comes, on any thread.
pub(super) fn explore(
    program: &dyn Tunable,
    search: &Search,
    backtest: &Backtest,
    indices: &[usize],
    threads: Option<usize>,
    blocks: usize,
    done: impl Fn(&SheetRow) + Sync,
) -> Result<Finished<usize, Explored>, CommandError> {
    let finished = run_each(indices, threads, program.name(), |index| {
        let point = search.points.get(index);
        let (scored, sums) = match blocks {
            0 => (search.objective.score(program, backtest, point, &search.chosen)?, None),
            blocks => with_blocks(program, search, backtest, point, blocks)?,
        };
        let figures = figures(&scored.statistics);
        let Scored { score, chosen, events, .. } = scored;
        let row = SheetRow { index, point: point.to_vec(), figures, chosen, score };
        done(&row);
        Ok(((row, sums), events))
    })?;
    Ok(finished)
}

fn with_blocks(
    program: &dyn Tunable,
    search: &Search,
    backtest: &Backtest,
    point: &[f64],
    blocks: usize,
) -> Result<(Scored, Option<BlockSums>), InstanceError> {
    let report = program.report(backtest, point)?;
    let returns = daily_changes(backtest.bars(), &report.equity);
    let scored = search.objective.scored(program, &report, &search.chosen);
    Ok((scored, Some(BlockSums::of(&returns, blocks))))
}

/// What is left of the best of many trials when luck is taken off, as names and sentences.
pub(super) fn sober(
    sheet: &Sheet,
    best: &Report,
    bars: &[Bar],
    sums: &[BlockSums],
    blocks: usize,
) -> Vec<(String, String)> {
    let shape = ReturnShape::of(&daily_returns(bars, &best.equity));
    let column = COLUMNS.iter().position(|name| *name == "sharpe_simple_daily252").unwrap_or(0);
    let daily = |row: &SheetRow| row.figures[column] / 252_f64.sqrt();
    let ratios: Vec<f64> = sheet.rows.iter().map(daily).filter(|ratio| ratio.is_finite()).collect();
    let mut facts = vec![(
        "Probability that its Sharpe ratio is above 0, had it been the only trial".to_owned(),
        share(probabilistic_sharpe(&shape, 0.0)),
    )];
    if ratios.len() > 1 {
        let variance = variance(&ratios);
        let expected = expected_max_sharpe(variance, ratios.len()) * 252_f64.sqrt();
        let trials = format!("Best Sharpe ratio to be expected of {} trials without skill", ratios.len());
        facts.push((trials, format!("{expected:.2}")));
        let deflated = deflated_sharpe(&shape, variance, ratios.len());
        let verdict = if deflated >= 0.95 { "skill is likely" } else { "luck explains it well enough" };
        facts.push((
            "Deflated Sharpe ratio: probability that it is above 0, as the best of these".to_owned(),
            format!("{}; {verdict}", share(deflated)),
        ));
    }
    let length = daily_changes(bars, &best.equity).len() / blocks.max(1);
    if let Some(found) = overfitting(sums, length) {
        let name = format!("Probability of overfitting, over {} splits into {blocks} blocks", found.splits);
        let verdict = if found.probability < 0.5 { "better than chance" } else { "no better than chance" };
        facts.push((name, format!("{}; the search chooses {verdict}", share(found.probability))));
        let name = "Splits in which the best of one half loses money in the other".to_owned();
        facts.push((name, share(found.loss_share)));
    }
    facts
}

/// A share as percent. Of what is not defined there is none.
fn share(of: f64) -> String {
    if of.is_finite() { format!("{:.1} %", of * 100.0) } else { "not defined".to_owned() }
}

/// The rows for a heat map.
pub(super) fn panel(program: &dyn Tunable, search: &Search, sheet: &Sheet) -> Option<SearchPanel> {
    if sheet.rows.len() < 2 {
        return None;
    }
    let rows = sheet.ranked(PANEL_ROWS_MAX);
    let row = |row: &&SheetRow| {
        let mut values = row.point.clone();
        values.push(row.score);
        values.extend(row.figures.iter().chain(&row.chosen));
        values
    };
    let mut figures = vec![format!("objective ({})", search.objective.name)];
    figures.extend(COLUMNS.map(str::to_owned));
    figures.extend(sheet.chosen.iter().cloned());
    Some(SearchPanel {
        switches: sheet.switches.clone(),
        parameters: program.parameters().iter().map(|parameter| parameter.name.to_owned()).collect(),
        figures,
        rows: rows.iter().map(row).collect(),
        total: sheet.rows.len(),
    })
}

/// A sentence on what is missing.
pub(super) fn warning(
    program: &dyn Tunable,
    search: &Search,
    finished: &Finished<usize, Explored>,
    wanted: usize,
) -> Option<String> {
    let missing = finished.warning(wanted, "points", |index| {
        format!("point {index} ({})", args::show(program, search.points.get(*index)))
    });
    joined([search.short.clone(), missing])
}

/// All of these sentences.
pub(super) fn joined(sentences: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    sentences.into_iter().flatten().reduce(|all, next| format!("{all} {next}"))
}

/// That there is no best row, if none has a score; joined to what is said already.
pub(super) fn unscored(
    search: &Search,
    sheet: &Sheet,
    bars: &[Bar],
    warning: Option<String>,
) -> Option<String> {
    if !sheet.is_unscored() {
        return warning;
    }
    let why = search.objective.unscored(bars, sheet.traded());
    let why = format!("{why}. The first of {} runs is shown, and it is not the best.", sheet.rows.len());
    joined([warning, Some(why)])
}
