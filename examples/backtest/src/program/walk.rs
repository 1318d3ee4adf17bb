//! `walk-forward`: parameters chosen on the past, traded on what follows, fold by fold.

use std::fmt::Write as _;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::Tunable;
use super::args::{self, ExploreFlags, Search, WalkFlags, flags};
use super::objective::better;
use super::report::page_of_walk;
use super::run::{asset_table, table};
use crate::commands::{CommandError, make_folder, write};
use crate::config::ConfigError;
use crate::data::format_moment;
use crate::engine::Session;
use crate::instance::InstanceError;
use crate::ledger::Statistics;
use crate::messages::{Bar, Charge};
use crate::performance::{AssetFigures, Figures, exposure_pct, write_equity, write_trades};
use crate::runner::run_each;
use crate::search::{Fold, folds};
use crate::strategy::{Backtest, Report, Trade};

/// One fold with what became of it.
#[derive(Clone, Debug)]
pub(super) struct FoldResult {
    pub(super) fold: Fold,
    /// The values that were best on the training bars.
    pub(super) point: Vec<f64>,
    /// What they were worth there.
    pub(super) score: f64,
    /// Their statistics there.
    pub(super) inside: Statistics,
    /// The return on the test bars, in percent.
    pub(super) outside_pct: f64,
    /// Trades closed on the test bars.
    pub(super) trades: usize,
}

/// All tests, one behind the other.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) folds: Vec<FoldResult>,
    /// Equity at each test bar. Each test begins with what the one before has left.
    pub(super) equity: Vec<f64>,
    /// Exposure at each of them.
    pub(super) exposure: Vec<f64>,
    /// Trades of all tests; bars are numbered from the first test bar.
    pub(super) trades: Vec<Trade>,
    /// What was paid or earned in them without a trade.
    charges: Vec<Charge>,
    /// Figures of each asset over all tests, if there are several.
    pub(super) by_asset: Vec<AssetFigures>,
    /// Figures of the stitched equity.
    pub(super) figures: Option<Figures>,
    /// Mean log growth of a moment outside, over the mean of that inside of what was chosen, fold by fold.
    /// Not defined where nothing has moved inside, or an account was used up.
    pub(super) efficiency: f64,
    /// If it ended early, why.
    pub(super) warning: Option<String>,
}

impl Walk {
    /// Takes in the trades of a test. `moved` says where a bar of theirs is among all tests.
    fn take(&mut self, report: Report, moved: impl Fn(u16, u32) -> u32) {
        // Each run numbers its trades from 1 on.
        let before = self.trades.iter().map(|trade| trade.number).max().unwrap_or(0);
        self.charges.extend(report.charges);
        self.trades.extend(report.trades.into_iter().map(|trade| Trade {
            number: before.saturating_add(trade.number),
            entry_bar: moved(trade.asset, trade.entry_bar),
            exit_bar: moved(trade.asset, trade.exit_bar),
            ..trade
        }));
    }
}

/// How a walk-forward cuts its bars.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folding {
    /// Bars to choose on.
    pub(super) train: usize,
    /// Bars to trade behind them.
    pub(super) test: usize,
    /// Whether all of the past is chosen on.
    pub(super) anchored: bool,
}

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: WalkFlags = flags(matches)?;
    let ExploreFlags { market, search: how } = &flags.explore;
    let search = how.search(program, matches)?;
    if let Some(short) = &search.short {
        eprintln!("warning: {short}");
    }
    let traded = market.open()?;
    let folding = Folding { train: flags.train, test: flags.test, anchored: flags.anchored };
    // What cannot be cut or written is told before the work.
    cut(&folding, &traded.backtest)?;
    flags.out.as_deref().map_or(Ok(()), make_folder)?;
    let walk = walk(program, &folding, &search, how.threads, &traded.backtest)?;
    if walk.folds.is_empty() {
        return Err(CommandError::NothingFinished(walk.warning.unwrap_or_default()));
    }
    let bars = traded.backtest.bars();
    if let Some(warning) = &walk.warning {
        eprintln!("warning: {warning}");
    }
    let names: Vec<&str> = traded.assets.iter().map(|asset| asset.symbol.as_str()).collect();
    if let Some(folder) = &flags.out {
        let (value, traded_on) = (to_json(program, &walk, bars), &bars[flags.train..]);
        write(&folder.join("walk-forward.json"), |out| writeln!(out, "{value}"))?;
        let html = page_of_walk(program, &traded, &folding, &walk);
        write(&folder.join("report.html"), |out| out.write_all(html?.as_bytes()))?;
        write(&folder.join("equity.csv"), |out| write_equity(traded_on, &walk.equity, &walk.exposure, out))?;
        write(&folder.join("trades.csv"), |out| write_trades(&walk.trades, &names, out))?;
    }
    if flags.json {
        return Ok(format!("{}\n", to_json(program, &walk, bars)));
    }
    let mut text = format!("{}, walk-forward\n{}\n\n", program.name(), traded.stretches("\n"));
    text.push_str(&fold_table(program, &walk, bars));
    let _ = writeln!(text, "\nAll tests, one behind the other:\n");
    text.push_str(&table(walk.figures.as_ref()));
    text.push_str(&asset_table(&walk.by_asset));
    let _ = writeln!(text, "{:<32}{:>18.4}", "walk_forward_efficiency", walk.efficiency);
    Ok(text)
}

/// The folds of these prices.
///
/// # Errors
/// There are too few bars for one of them.
pub(super) fn cut(folding: &Folding, backtest: &Backtest) -> Result<Vec<Fold>, CommandError> {
    let Folding { train, test, anchored } = *folding;
    folds(backtest.bars().len(), train, test, anchored)
        .map_err(|error| ConfigError { flag: "--train", reason: error.to_string() }.into())
}

/// Chooses and trades, fold by fold. Bars are the moments of the backtest.
pub(super) fn walk(
    program: &dyn Tunable,
    folding: &Folding,
    search: &Search,
    threads: Option<usize>,
    backtest: &Backtest,
) -> Result<Walk, CommandError> {
    let (train, bars) = (folding.train, backtest.bars());
    let all = cut(folding, backtest)?;
    // The rows of each asset before the first test.
    let before_tests = backtest.rows(0..train);
    // A part of the night has no hours of the session. The whole has.
    backtest.check()?;
    let mut walk = Walk::default();
    let start_cash = backtest.start_cash();
    let mut cash = start_cash;
    // The rows of each asset before the training of the fold.
    let (mut unseen, mut counted) = (vec![0; before_tests.len()], 0);
    for (number, fold) in all.iter().enumerate() {
        let training = backtest.part(fold.train.clone());
        let place = format!("fold {} of {}", number + 1, all.len());
        let Some((point, score, inside)) = choose(program, search, threads, &training, &place)? else {
            walk.warning = Some(format!("ended after {number} of {} folds.", all.len()));
            break;
        };
        // The training bars warm the strategy up; it trades from the first test bar on.
        let from = fold.test.start - fold.train.start;
        let seen = backtest.part(fold.train.start..fold.test.end).cash(cash);
        let report = match program.report_from(&seen, from, &point) {
            Ok(report) => report,
            Err(error) => {
                walk.warning = Some(format!("ended in the test of {place}: {error}."));
                break;
            }
        };
        let before = cash;
        let own = report.equity.get(from..).unwrap_or_default();
        walk.equity.extend_from_slice(own);
        walk.exposure.extend_from_slice(report.exposure.get(from..).unwrap_or_default());
        cash = own.last().copied().unwrap_or(cash);
        for (rows, more) in unseen.iter_mut().zip(backtest.rows(counted..fold.train.start)) {
            *rows += more;
        }
        counted = fold.train.start;
        let moved = |asset: u16, bar: u32| {
            let of = |rows: &[usize]| rows.get(usize::from(asset)).copied().unwrap_or(0) as u32;
            (bar + of(&unseen)).saturating_sub(of(&before_tests))
        };
        walk.folds.push(FoldResult {
            fold: fold.clone(),
            point,
            score,
            inside,
            outside_pct: (cash / before - 1.0) * 100.0,
            trades: report.trades.len(),
        });
        walk.take(report, moved);
        // Nobody trades on with nothing.
        if cash.is_nan() || cash <= 0.0 {
            walk.warning = Some(format!("the account was used up in {place}."));
            break;
        }
    }
    walk.figures = figures(&bars[train - 1..], &walk, start_cash, &backtest.session_of_account());
    if before_tests.len() > 1 {
        // Rows are numbered there as those of the trades are.
        let tests = backtest.part(train..train + walk.equity.len());
        let tape = tests.tape().map_err(|error| InstanceError::Tape(error.clone()))?;
        walk.by_asset = AssetFigures::of(&walk.trades, &walk.charges, tape);
    }
    walk.efficiency = efficiency(&walk, start_cash);
    Ok(walk)
}

/// Growth of a moment, and not of a year: that of a fold of minutes would be beyond all numbers.
fn efficiency(walk: &Walk, start_cash: f64) -> f64 {
    let inside = |fold: &FoldResult| (fold.inside.return_pct / 100.0).ln_1p() / fold.fold.train.len() as f64;
    let inside = walk.folds.iter().map(inside).sum::<f64>() / walk.folds.len() as f64;
    let end = walk.equity.last().copied().unwrap_or(start_cash);
    let outside = (end / start_cash).ln() / walk.equity.len() as f64;
    let efficiency = outside / inside;
    if efficiency.is_finite() && inside.is_finite() { efficiency } else { f64::NAN }
}

/// The figures of all tests, from the last bar before them: an order of that bar is filled on the first
/// test bar, whose profit counts. Nothing is held before, so the share of bars held is that of test bars.
fn figures(bars: &[Bar], walk: &Walk, cash: f64, session: &Session) -> Option<Figures> {
    let bars = bars.get(..=walk.equity.len())?;
    let equity: Vec<f64> = std::iter::once(cash).chain(walk.equity.iter().copied()).collect();
    let exposure_pct = exposure_pct(bars.get(1..)?, &walk.trades);
    Some(Figures { exposure_pct, ..Figures::by_session(bars, &equity, &walk.trades, session)? })
}

type Chosen = (Vec<f64>, f64, Statistics);

/// The best point on these bars; of equals the first. `None` if it was interrupted, or if no run came to its
/// end. An error if there is a choice and no point has a score.
fn choose(
    program: &dyn Tunable,
    search: &Search,
    threads: Option<usize>,
    backtest: &Backtest,
    place: &str,
) -> Result<Option<Chosen>, CommandError> {
    let indices: Vec<usize> = (0..search.points.count()).collect();
    let finished = run_each(&indices, threads, "fold", |index| {
        let scored = search.objective.score(program, backtest, search.points.get(index), &search.chosen)?;
        let events = scored.events;
        Ok((scored, events))
    })?;
    if finished.interrupted {
        return Ok(None);
    }
    if let Some((index, why)) = finished.failures.first() {
        let point = args::show(program, search.points.get(*index));
        let (failed, all) = (finished.failed, indices.len());
        eprintln!("warning: {failed} of {all} points failed; the first is {point}: {why}");
    }
    let traded = finished.rows.iter().any(|(_, scored)| scored.statistics.n_trades != 0);
    let best = finished.rows.into_iter().reduce(|a, b| if better(b.1.score, a.1.score) { b } else { a });
    if indices.len() > 1 && best.as_ref().is_some_and(|(_, best)| best.score.is_nan()) {
        let why = search.objective.unscored(backtest.bars(), traded);
        return Err(CommandError::NoScore(format!("finds nothing in {place}: {why}")));
    }
    Ok(best.map(|(index, scored)| (search.points.get(index).to_vec(), scored.score, scored.statistics)))
}

fn fold_table(program: &dyn Tunable, walk: &Walk, bars: &[Bar]) -> String {
    let mut text = format!(
        "{:>5} {:<24} {:<24} {:>10} {:>10} {:>7}  chosen\n",
        "fold", "trained on", "traded", "score", "return %", "trades"
    );
    let day = |at: usize| bars.get(at).map(|bar| format_moment(bar.timestamp)).unwrap_or_default();
    let span = |range: &std::ops::Range<usize>| format!("{} {}", day(range.start), day(range.end - 1));
    for (number, result) in walk.folds.iter().enumerate() {
        let _ = writeln!(
            text,
            "{:>5} {:<24} {:<24} {:>10.4} {:>10.2} {:>7}  {}",
            number + 1,
            span(&result.fold.train),
            span(&result.fold.test),
            result.score,
            result.outside_pct,
            result.trades,
            args::show(program, &result.point)
        );
    }
    text
}

/// Folds and figures.
pub(super) fn to_json(program: &dyn Tunable, walk: &Walk, bars: &[Bar]) -> Value {
    let day = |at: usize| bars.get(at).map(|bar| format_moment(bar.timestamp)).unwrap_or_default();
    let fold = |result: &FoldResult| {
        let point: serde_json::Map<String, Value> = program
            .parameters()
            .iter()
            .zip(&result.point)
            .map(|(parameter, value)| (parameter.name.to_owned(), parameter.json(*value)))
            .collect();
        json!({
            "train": [day(result.fold.train.start), day(result.fold.train.end - 1)],
            "test": [day(result.fold.test.start), day(result.fold.test.end - 1)],
            "point": point,
            // In the sequence of their declaration, which an object of JSON does not keep.
            "chosen": args::show(program, &result.point),
            "score": result.score,
            "inside_return_pct": result.inside.return_pct,
            "outside_return_pct": result.outside_pct,
            "trades": result.trades,
        })
    };
    let mut value = json!({
        "folds": walk.folds.iter().map(fold).collect::<Vec<Value>>(),
        "figures": walk.figures,
        "walk_forward_efficiency": walk.efficiency,
        "warning": walk.warning,
    });
    if walk.by_asset.len() > 1 {
        value["by_asset"] = json!(walk.by_asset);
    }
    value
}
