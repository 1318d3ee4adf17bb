//! `monte-carlo`: what else could have become of a strategy.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::{ArgMatches, ValueEnum};
use serde_json::json;

use super::args::{self, MonteFlags, flags};
use super::run::heading;
use super::traded::Traded;
use super::{ParameterKind, Tunable};
use crate::commands::{CommandError, draw, effort, make_folder, print_risk, write};
use crate::config::ConfigError;
use crate::data::AssetPrices;
use crate::instance::{InstanceError, Outcome};
use crate::messages::{Bar, Timestamp};
use crate::report::Effort;
use crate::results::Digest;
use crate::risk::{Histogram, Risk};
use crate::runner::{Finished, run_each};
use crate::search::{
    Entries, ResampledPath, bootstrapped_returns, drawn_trades, p_value, perturbed, scattered,
    shuffled_trades, spells, trade_units,
};
use crate::source::{Bootstrap, Returns, Source as _};
use crate::strategy::{OrderRecord, Report};
use crate::tape::Prices;

/// A p-value of such a run is not that of its moments alone.
const ENTERED_AT_LIMITS: &str = "the run has entered at limits, and chance enters at the market: the p-value \
     tells of the prices of limits as well as of the moments";

/// What is made anew in each path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    /// The prices: a block bootstrap of their moves, on which the strategy trades again
    Prices,
    /// The returns of the equity: a block bootstrap
    Returns,
    /// The sequence of the trades: each once; trades that were open at one time are one
    Shuffle,
    /// The trades: as many, drawn with replacement; trades that were open at one time are one
    Trades,
    /// The parameters: each moved at random
    Parameters,
    /// The moments: as often, as long and as much in the market as the run was, at random bars
    Entries,
}

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: MonteFlags = flags(matches)?;
    let point = args::point(program, matches)?;
    let traded = flags.market.open()?;
    let (backtest, cash) = (&traded.backtest, flags.market.trade.cash);
    if backtest.bars().len() < 2 {
        return Err(CommandError::TooFewBars { bars: backtest.bars().len(), needed: 2 });
    }
    let moves = moves(&traded).unwrap_or_default();
    flags.out.as_deref().map_or(Ok(()), make_folder)?;
    let history = program.report(backtest, &point)?;
    let trades = trade_units(&history.trades, &history.charges, cash);
    check(&flags, &point, (&history, trades.len()), (&traded, moves.is_empty()))?;
    let returns: Vec<f64> = history.equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let spells = spells(&history.trades, &history.equity, cash);
    let paths: Vec<u32> = (0..flags.paths).collect();
    let (seed, block) = (flags.seed, flags.block as usize);
    let mut finished = run_each(&paths, flags.threads, program.name(), |path| {
        let number = u64::from(path);
        let outcome = match flags.method {
            Method::Prices => {
                let source =
                    |moves: &Arc<Returns>| Bootstrap::new(Arc::clone(moves), seed, path, flags.block);
                on_path(program, &traded, &moves, source, &point)?
            }
            Method::Parameters => program.outcome(backtest, &moved(program, &point, &flags, number).0)?,
            Method::Entries => {
                let bars = backtest.bars().len() as u32;
                backtest.outcome(Entries::new(scattered(&spells, bars, seed, number)))?
            }
            Method::Returns => return Ok((bootstrapped_returns(&returns, block, seed, number), 0)),
            Method::Shuffle => return Ok((shuffled_trades(&trades, seed, number), 0)),
            Method::Trades => return Ok((drawn_trades(&trades, seed, number), 0)),
        };
        let (return_pct, max_drawdown_pct) =
            (outcome.statistics.return_pct, outcome.statistics.max_drawdown_pct);
        Ok((ResampledPath { return_pct, max_drawdown_pct }, outcome.events))
    })?;
    finished.effort.digest = digest(&finished.rows);
    let mut forbidden = Forbidden::default();
    if flags.method == Method::Parameters {
        finished
            .rows
            .iter()
            .for_each(|(path, _)| forbidden.add(moved(program, &point, &flags, (*path).into()).1));
    }
    told(program, &flags, &finished, (&history, &forbidden), &heading(program, &traded, &point))
}

/// Draws of parameters that the constraint has forbidden.
#[derive(Clone, Copy, Debug, Default)]
struct Forbidden {
    /// So many were drawn anew.
    redrawn: u64,
    /// Paths of which all draws were forbidden: they are the run itself.
    unmoved: u64,
}

impl Forbidden {
    fn add(&mut self, redraws: u64) {
        self.redrawn += redraws;
        self.unmoved += u64::from(redraws > REDRAWS_MAX);
    }
}

/// Most draws of a path's parameters behind the first one.
const REDRAWS_MAX: u64 = 200;

/// Writes and prints what the paths have come to.
fn told(
    program: &dyn Tunable,
    flags: &MonteFlags,
    finished: &Finished<u32, ResampledPath>,
    (history, forbidden): (&Report, &Forbidden),
    heading: &str,
) -> Result<String, CommandError> {
    let warning = finished.warning(flags.paths as usize, "paths", |path| format!("path {path}"));
    let results: Vec<ResampledPath> = finished.rows.iter().map(|(_, path)| *path).collect();
    let Some(risk) = Risk::of_paths(&results) else {
        return Err(CommandError::NothingFinished(warning.unwrap_or_default()));
    };
    let luck = (flags.method == Method::Entries)
        .then(|| p_value(history.statistics.return_pct, results.iter().map(|path| path.return_pct)));
    if let Some(warning) = &warning {
        eprintln!("warning: {warning}");
    }
    let limited =
        flags.method == Method::Entries && history.orders.iter().any(OrderRecord::has_entered_at_limit);
    if limited {
        eprintln!("warning: {ENTERED_AT_LIMITS}");
    }
    if forbidden.unmoved != 0 {
        eprintln!(
            "warning: of {} paths each of {} draws was forbidden, and they are the run itself: the spread is that of \
             the others; take a smaller --perturb",
            forbidden.unmoved,
            REDRAWS_MAX + 1
        );
    }
    let object = json!({
        "program": program.name(),
        "method": format!("{:?}", flags.method).to_lowercase(),
        "risk": risk,
        "history": history.statistics,
        "p_value": luck,
        "entered_at_limits": limited,
        "redrawn": forbidden.redrawn,
        "unmoved": forbidden.unmoved,
        "failed": finished.failed,
        "interrupted": finished.interrupted,
        "digest": format!("{:016x}", finished.effort.digest),
    });
    if let Some(folder) = &flags.out {
        write_files(folder, &object, &finished.rows)?;
    }
    if flags.json {
        return Ok(format!("{object}\n"));
    }
    let mut text = heading.to_owned();
    text.push_str(&draw(&Histogram::of_paths(&results), &risk));
    text.push_str(&print_risk(&risk, &history.statistics));
    if forbidden.redrawn != 0 {
        let _ = writeln!(text, "{:<34}{:>12}", "forbidden parameters drawn anew", forbidden.redrawn);
    }
    text.push_str(&last_lines(flags, luck, &finished.effort));
    Ok(text)
}

/// How likely chance does as well, if that was asked for, and what it took.
fn last_lines(flags: &MonteFlags, luck: Option<f64>, took: &Effort) -> String {
    let mut text = String::new();
    if let Some(luck) = luck {
        let _ = writeln!(text, "{:<34}{:>12.2} %", "chance does as well (p-value)", luck * 100.0);
    }
    text.push_str(&effort(took));
    let _ = writeln!(text, "method {:?}, seed {}", flags.method, flags.seed);
    text
}

fn write_files(
    folder: &Path,
    object: &serde_json::Value,
    rows: &[(u32, ResampledPath)],
) -> Result<(), CommandError> {
    write(&folder.join("monte-carlo.json"), |out| writeln!(out, "{object}"))?;
    write(&folder.join("paths.csv"), |out| {
        writeln!(out, "path,return_pct,max_drawdown_pct")?;
        rows.iter().try_for_each(|(path, result)| {
            writeln!(out, "{path},{},{}", result.return_pct, result.max_drawdown_pct)
        })
    })
}

/// Refuses what there is nothing to resample of.
fn check(
    flags: &MonteFlags,
    point: &[f64],
    (history, units): (&Report, usize),
    (traded, without_moves): (&Traded, bool),
) -> Result<(), CommandError> {
    let refuse = |flag, reason: String| Err(ConfigError { flag, reason }.into());
    let others = "take `returns`, `shuffle`, `trades` or `parameters`";
    if flags.method == Method::Prices && without_moves {
        let reason = format!(
            "is `prices`, which resamples bars that begin at the same times, and here is something else; {others}"
        );
        return refuse("--method", reason);
    }
    let pays = |asset: &&AssetPrices| !asset.actions.dividends.is_empty();
    if let Some(asset) = traded.assets.iter().find(pays).filter(|_| flags.method == Method::Prices) {
        let reason = format!(
            "is `prices`, and `{}` pays dividends: moves on other days would lose what they have paid. Have them \
             in the prices: --prices adjusted; or {others}",
            asset.symbol
        );
        return refuse("--method", reason);
    }
    if flags.method == Method::Entries && traded.only().is_none() {
        let reason = format!("is `entries`, which trades one asset, and there are several; {others}");
        return refuse("--method", reason);
    }
    let is_bars = |asset: &AssetPrices| matches!(asset.prices, Prices::Bars(_));
    if flags.method == Method::Entries && !traded.assets.iter().all(is_bars) {
        let reason = format!(
            "is `entries`, which enters and leaves at the market, and here are quotes or ticks: it would tell \
             whether the spread was paid or earned, and not whether the moments were well chosen; {others}"
        );
        return refuse("--method", reason);
    }
    if history.trades.is_empty() && matches!(flags.method, Method::Shuffle | Method::Trades | Method::Entries)
    {
        return refuse("--method", "needs trades, and there were none".to_owned());
    }
    if history.trades.len() > 1 && units == 1 && matches!(flags.method, Method::Shuffle | Method::Trades) {
        let reason = "draws trades, and all of them were open at one time or overlap: there is no other \
                      sequence; take `returns`";
        return refuse("--method", reason.to_owned());
    }
    if point.is_empty() && flags.method == Method::Parameters {
        return refuse("--method", "is `parameters`, and the strategy has none".to_owned());
    }
    if !(0.0..=1.0).contains(&flags.perturb) {
        return refuse("--perturb", format!("is {}, and must be a share from 0 to 1", flags.perturb));
    }
    Ok(())
}

/// The point with its values moved, and how many draws the constraint has forbidden before. Where it forbids
/// all of them, the point stays as it was.
fn moved(program: &dyn Tunable, point: &[f64], flags: &MonteFlags, path: u64) -> (Vec<f64>, u64) {
    let whole: Vec<bool> =
        program.parameters().iter().map(|parameter| parameter.kind != ParameterKind::Number).collect();
    for redraw in 0..=REDRAWS_MAX {
        let seed = flags.seed.wrapping_add(redraw.wrapping_mul(SEED_STEP));
        let moved = args::within(program, point, &perturbed(point, &whole, flags.perturb, seed, path));
        if program.allows(&moved) {
            return (moved, redraw);
        }
    }
    (point.to_vec(), REDRAWS_MAX + 1)
}

/// From the seed of a draw to that of the next one: odd, so that all differ, and far from the seeds that
/// somebody writes.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The moves of each asset. `None` if there is one without bars, or one whose bars begin at other times.
fn moves(traded: &Traded) -> Option<Vec<Arc<Returns>>> {
    let mut times: Option<Vec<Timestamp>> = None;
    let moves = |asset: &AssetPrices| {
        let Prices::Bars(bars) = &asset.prices else { return None };
        let own = || bars.iter().map(|bar| bar.timestamp);
        let same = times.get_or_insert_with(|| own().collect()).iter().copied().eq(own());
        if same { Returns::of(bars, asset.scale?) } else { None }
    };
    traded.assets.iter().map(moves).collect()
}

/// Trades a path of the prices. Its draws follow from its number alone, so that all assets have the moves of
/// the same bars, and what goes together stays together.
fn on_path(
    program: &dyn Tunable,
    traded: &Traded,
    moves: &[Arc<Returns>],
    source: impl Fn(&Arc<Returns>) -> Bootstrap,
    point: &[f64],
) -> Result<Outcome, InstanceError> {
    let backtest = &traded.backtest;
    if let ([moves], false) = (moves, backtest.has_feed_latency()) {
        return program.outcome_on(backtest, source(moves), point);
    }
    // A close that was rounded stays within its bar.
    let whole = |bar: Bar| Bar { high: bar.high.max(bar.close), low: bar.low.min(bar.close), ..bar };
    let bars = |moves| {
        let mut source = source(moves);
        std::iter::from_fn(|| source.next_bar()).map(whole).collect::<Vec<Bar>>()
    };
    let resampled = traded.assets.iter().zip(moves).map(|(asset, moves)| (asset.symbol.clone(), bars(moves)));
    program.outcome(&backtest.on(resampled), point)
}

fn digest(rows: &[(u32, ResampledPath)]) -> u64 {
    let mut digest = Digest::new();
    for (path, result) in rows {
        digest.add(&path.to_le_bytes());
        digest.add_number(result.return_pct);
        digest.add_number(result.max_drawdown_pct);
    }
    digest.value()
}
