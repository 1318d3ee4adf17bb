//! Corporate actions of a file of bars: splits that its prices have not in them are taken in, and dividends
//! are told apart, so that a night over a split is no loss and one over a dividend is paid.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::kinds::{BarColumns, BarRow};
use super::{Decimal, ReadOptions, RowError, format_timestamp};
use crate::messages::{Bar, Timestamp};

/// What becomes of splits and dividends that a file tells of, by a column of them or by its adjusted closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Actions {
    /// Prices and volumes before a split are those of today's shares. Dividends are paid in money.
    #[default]
    Auto,
    /// Prices are taken as they stand, and nothing is paid
    Raw,
    /// All prices are scaled by the adjusted close, which has the dividends in it, and nothing is paid
    Adjusted,
}

/// A split that was taken into the prices before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The first bar of the new shares.
    pub timestamp: Timestamp,
    /// New shares for an old one.
    pub ratio: f64,
}

/// What was made of a file's corporate actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CorporateActions {
    /// What was asked for.
    pub prices: Actions,
    /// Splits that were taken in.
    pub splits: Vec<Split>,
    /// Times in ns and amounts for a unit of today's: what a position that was held before is paid.
    pub dividends: Arc<[(i64, f64)]>,
    /// What else a reader should know.
    pub remark: Option<&'static str>,
}

/// What a row says of corporate actions. Without a column it is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) dividend: f64,
    /// New shares for an old one; 0 or 1 on most days.
    pub(super) split: f64,
    /// The adjusted close.
    pub(super) adjusted: f64,
}

/// What happens between a row and the one before it.
#[derive(Clone, Copy, Debug)]
struct Step {
    row: usize,
    /// New shares for an old one that the prices have not in them.
    ratio: f64,
    /// Logarithm of the step of the adjusted close against the close.
    moved: f64,
    /// Below this it is none.
    noise: f64,
    /// The dividend, as a column has it.
    amount: f64,
}

/// What is wrong, in which row and column.
type Refusal = (usize, usize, RowError);

/// Steps of the adjusted close beyond this are splits, below it dividends: 20 %.
const SPLIT_LEAST: f64 = 0.182_321_556_793_955;
/// The most that a step beyond it may be, if it is none of a small ratio and so a dividend: half of the
/// price.
const DIVIDEND_MOST: f64 = std::f64::consts::LN_2;
/// How far a step may be above that of a split, which is a dividend of the same day, and below it.
const BESIDE_SPLIT: (f64, f64) = (0.02, 0.001);
/// Adjusted closes of few digits may be so much further from a split.
const NOISE_MOST: f64 = 0.03;
/// Steps below this are none.
const STEP_LEAST: f64 = 2e-4;

/// As many as one reads.
const SPLITS_SHOWN: usize = 10;

const ALREADY_IN: &str = "its dividends are taken to be in its prices, as it has no `Adj Close`, and nothing \
     is paid; if they are not, name their column: --columns dividends=NAME";

impl Said {
    /// What is wrong with it, and in which column.
    pub(super) fn check(&self, columns: &BarColumns) -> Result<(), (usize, RowError)> {
        let amounts = [(columns.dividends, self.dividend), (columns.splits, self.split)];
        for (at, amount) in amounts {
            if let Some(at) = at.filter(|_| !amount.is_finite() || amount < 0.0) {
                return Err((at, RowError::Action(format!("`{amount:?}` is no dividend or split"))));
            }
        }
        match columns.adjusted {
            Some(at) if !self.adjusted.is_finite() || self.adjusted <= 0.0 => {
                let text =
                    format!("`{:?}` is no adjusted close, which is a number above zero", self.adjusted);
                Err((at, RowError::Action(text)))
            }
            _ => Ok(()),
        }
    }
}

/// Takes the splits into the rows before them, and finds the dividends.
pub(super) fn taken_in(
    rows: &mut [BarRow],
    columns: &BarColumns,
    options: &ReadOptions,
) -> Result<CorporateActions, Refusal> {
    let mut taken = CorporateActions { prices: options.actions, ..CorporateActions::default() };
    if options.actions == Actions::Raw || !columns.has_actions() || rows.is_empty() {
        return Ok(taken);
    }
    let steps = steps(rows, columns)?;
    let scaled = options.actions == Actions::Adjusted;
    let told = columns.adjusted.is_some() || options.named("dividends").is_some();
    let mut dividends = Vec::new();
    // From the last row to the first: what comes later counts for all that is before it.
    let (mut factor, mut end) = (1.0, rows.len());
    for step in steps.iter().rev() {
        scale(rows, step.row..end, columns, (factor, scaled))?;
        end = step.row;
        // Of a split and a dividend of one day, the dividend is that of the new shares.
        let close = rows[step.row - 1].bar.close / (factor * step.ratio);
        let amount = if columns.dividends.is_some() { step.amount / factor } else { close * step.paid() };
        let time = rows[step.row].bar.timestamp;
        if !amount.is_finite() {
            return Err((step.row, columns.any(), RowError::Action("its dividend is no number".to_owned())));
        }
        if amount > 0.0 && told {
            dividends.push((time.as_nanos(), amount));
        } else if amount > 0.0 {
            taken.remark = Some(ALREADY_IN);
        }
        if step.ratio != 1.0 {
            taken.splits.push(Split { timestamp: time, ratio: step.ratio });
            factor *= step.ratio;
        }
    }
    scale(rows, 0..end, columns, (factor, scaled))?;
    taken.splits.reverse();
    dividends.reverse();
    if !scaled {
        taken.dividends = dividends.into();
    } else {
        taken.remark = None;
    }
    Ok(taken)
}

/// Divides prices by the shares that one has become, or makes the adjusted close of the close.
fn scale(
    rows: &mut [BarRow],
    which: Range<usize>,
    columns: &BarColumns,
    (factor, to_adjusted): (f64, bool),
) -> Result<(), Refusal> {
    if factor == 1.0 && !to_adjusted {
        return Ok(());
    }
    for at in which {
        let row = &mut rows[at];
        let share = row.said.adjusted / row.bar.close;
        // A division by two is exact, and a product with the inverse is not for all numbers.
        let price = |price: f64| if to_adjusted { price * share } else { price / factor };
        let bar = &mut row.bar;
        let prices = [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close];
        prices.into_iter().for_each(|of| *of = price(*of));
        bar.volume *= factor;
        let Bar { low, high, close, volume, .. } = *bar;
        match Decimal::parse(&close.to_string()) {
            Some(exact) if low > 0.0 && high.is_finite() && volume.is_finite() => row.exact = exact,
            _ => {
                let text =
                    format!("with it the bar would be from {low:?} to {high:?}, with a volume of {volume:?}");
                return Err((at, columns.any(), RowError::Action(text)));
            }
        }
    }
    Ok(())
}

impl Step {
    /// The share of the close before that is paid as a dividend, as the adjusted closes have it.
    fn paid(&self) -> f64 {
        let beside = self.moved - self.ratio.ln();
        if beside > self.noise { -(-beside).exp_m1() } else { 0.0 }
    }
}

/// The rows before which something happens.
fn steps(rows: &[BarRow], columns: &BarColumns) -> Result<Vec<Step>, Refusal> {
    let coarse = rounding(rows, columns);
    let (mut steps, mut splits) = (Vec::<Step>::new(), Vec::new());
    for (row, pair) in (1..).zip(rows.windows(2)) {
        let (before, now) = (&pair[0], &pair[1]);
        let mut step = Step { row, ratio: 1.0, moved: 0.0, noise: STEP_LEAST, amount: now.said.dividend };
        if now.said.split > 0.0 && now.said.split != 1.0 {
            splits.push((steps.len(), (now.bar.open / before.bar.close).ln()));
            step.ratio = now.said.split;
        }
        if let Some(at) = columns.adjusted {
            let (old, new) = (before.said.adjusted, now.said.adjusted);
            step.moved = (before.bar.close / old * (new / now.bar.close)).ln();
            step.noise += coarse / old + coarse / new;
            if columns.splits.is_none() && step.moved.abs() > SPLIT_LEAST {
                step.ratio = split_of(&step).map_err(|cause| (row, at, cause))?;
            }
        }
        if step.ratio != 1.0 || step.moved > step.noise || step.amount != 0.0 {
            steps.push(step);
        }
    }
    if let Some(at) = columns.splits {
        decide(&mut steps, &splits).map_err(|(row, cause)| (row, at, cause))?;
    }
    Ok(steps)
}

/// Half of the last digit that the adjusted closes are written with.
fn rounding(rows: &[BarRow], columns: &BarColumns) -> f64 {
    const ENOUGH: u32 = 6;
    let mut decimals = 0;
    let rows = rows.iter().filter(|_| columns.adjusted.is_some());
    for exact in rows.filter_map(|row| Decimal::parse(&row.said.adjusted.to_string())) {
        decimals = decimals.max(exact.decimals);
        if decimals >= ENOUGH {
            break;
        }
    }
    0.5 * 10_f64.powi(-(decimals as i32))
}

/// The ratio of the split that a large step of the adjusted close is; 1 of a large dividend.
fn split_of(step: &Step) -> Result<f64, RowError> {
    const PARTS: [(u32, u32); 9] = [(3, 2), (5, 2), (4, 3), (5, 3), (5, 4), (6, 5), (7, 2), (7, 4), (7, 5)];
    let whole = (2..=100).map(|many| (many, 1));
    let all = whole.chain(PARTS).flat_map(|(new, old)| [(new, old), (old, new)]);
    let ratios = all.map(|(new, old)| f64::from(new) / f64::from(old));
    let beside = |ratio: &f64| step.moved - ratio.ln();
    // Where the adjusted closes are coarse, so are their steps; but two ratios must not be one.
    let ((above, below), noise) = (BESIDE_SPLIT, step.noise.min(NOISE_MOST));
    let near = ratios.filter(|ratio| (-below - noise..above + noise).contains(&beside(ratio)));
    match near.min_by(|a, b| beside(a).abs().total_cmp(&beside(b).abs())) {
        Some(ratio) => Ok(ratio),
        None if (0.0..DIVIDEND_MOST).contains(&step.moved) => Ok(1.0),
        None => Err(RowError::Action(format!(
            "the close moves {:.4} times as far as the adjusted close: that is no split of a small ratio",
            (-step.moved).exp()
        ))),
    }
}

/// Whether the prices have the splits of a column in them already, as yfinance writes them: then the open
/// after one is near the close before it. All of them do, or none.
fn decide(steps: &mut [Step], splits: &[(usize, f64)]) -> Result<(), (usize, RowError)> {
    // How much nearer the open is to where a raw price falls to than to where it was.
    let raw = |(at, moved): &(usize, f64)| moved.abs() - (moved + steps[*at].ratio.ln()).abs();
    let clear = |(at, _): &&(usize, f64)| steps[*at].ratio.ln().abs() >= SPLIT_LEAST;
    // A split of a few percent may be a night like others: the large ones tell.
    let first = splits.iter().find(clear);
    let all_raw = first.map_or_else(|| splits.iter().map(raw).sum::<f64>(), raw) > 0.0;
    let other = splits.iter().filter(clear).find(|split| (raw(split) > 0.0) != all_raw);
    if let (Some((at, _)), Some((first, _))) = (other, first) {
        let (here, there) = if all_raw { ("have", "have not") } else { ("have not", "have") };
        return Err((
            steps[*at].row,
            RowError::Action(format!(
                "prices before it {here} the split of {} in them, and those before the one of {} {there}",
                shown(steps[*at].ratio),
                shown(steps[*first].ratio)
            )),
        ));
    }
    for (at, _) in splits.iter().filter(|_| !all_raw) {
        steps[*at].ratio = 1.0;
    }
    Ok(())
}

fn shown(ratio: f64) -> String {
    for old in 1..=100 {
        let new = ratio * f64::from(old);
        if (new - new.round()).abs() < 1e-9 * new && new >= 1.0 {
            return format!("{new:.0}:{old}");
        }
    }
    // Not the three hundred digits that the smallest floats have.
    format!("{ratio:?}:1")
}

impl fmt::Display for CorporateActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.prices == Actions::Raw {
            parts.push("prices as they stand".to_owned());
        } else if self.prices == Actions::Adjusted {
            parts.push("prices scaled by the adjusted close".to_owned());
        }
        if let count @ 1.. = self.splits.len() {
            let one = |split: &Split| format!("{} {}", format_timestamp(split.timestamp), shown(split.ratio));
            let mut all: Vec<String> = self.splits.iter().take(SPLITS_SHOWN).map(one).collect();
            all.extend((count > SPLITS_SHOWN).then(|| format!("and {} more", count - SPLITS_SHOWN)));
            let noun = if count == 1 { "split" } else { "splits" };
            parts.push(format!("{count} {noun} adjusted, {}", all.join(", ")));
        }
        if let count @ 1.. = self.dividends.len() {
            let sum: f64 = self.dividends.iter().map(|(_, amount)| amount).sum();
            let noun = if count == 1 { "dividend" } else { "dividends" };
            parts.push(format!("{count} {noun} paid, {sum:.4} a unit"));
        }
        parts.extend(self.remark.map(str::to_owned));
        f.write_str(&parts.join("; "))
    }
}

impl CorporateActions {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let none = self.splits.is_empty() && self.dividends.is_empty() && self.remark.is_none();
        none && self.prices == Actions::Auto
    }
}
