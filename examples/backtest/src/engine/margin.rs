//! Margin: the equity that positions need, to be opened and to be kept.

use std::collections::BTreeMap;

use super::Engine;
use super::account::Listing;
use super::fault::{CostKind, sound};

/// Most times its equity that all positions of an account are worth at an entry, whatever a model says.
pub(super) const LEVERAGE_MAX: f64 = 1_000.0;

/// A share by which the equity may be too little: rounding of a model's sums refuses no round lot.
const ROUNDING: f64 = 1e-12;

/// Halvings of the value that is looked for: enough for each bit of a float below [`LEVERAGE_MAX`] times the
/// equity.
const HALVINGS: u32 = 80;

/// A position, as a [`Leverage`] and a [`Maintenance`] see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Number of the asset.
    pub asset: u16,
    /// Units; negative when short, never zero.
    pub units: f64,
    /// At which price it is valued.
    pub price: f64,
}

impl Exposure {
    /// What it is worth, above zero also when short.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.units.abs() * self.price
    }
}

/// The equity that an account has to have to enter: the initial margin. An order for more than it allows buys
/// less or is refused, and what has been entered is not touched by it.
///
/// An order that turns a position closes first, which needs nothing, and is asked for with what is left. Only
/// the size of an order for a share of what can be bought, [`Size::All`](crate::strategy::Size::All) or
/// [`Size::Cash`](crate::strategy::Size::Cash), is found before anything is closed: against a position it is
/// what could be added on the order's side beside the position, and the model is asked of both, the position
/// first.
///
/// A number is how many times its money an account can buy, and each function of the [`Exposure`]s to the
/// equity that they need is a model:
///
/// ```
/// use backtest::engine::Exposure;
/// use backtest::strategy::Backtest;
/// // Twice the money of the first asset, and no credit for the others.
/// let broker = |positions: &[Exposure]| -> f64 {
///     let share = |position: &Exposure| if position.asset == 0 { 0.5 } else { 1.0 };
///     positions.iter().map(|held| share(held) * held.value()).sum()
/// };
/// let backtest = Backtest::new(Vec::new()).leverage(broker);
/// # let _ = backtest;
/// ```
pub trait Leverage: Send + Sync {
    /// The equity that these positions need, in units of the currency, at least zero. It must not fall where
    /// a position grows. It is asked at each entry, of what is held and would be added; and where there are
    /// several assets, at each moment, of all positions that are open.
    ///
    /// An entry leaves all positions together worth 1,000 times the equity at most, whatever it says.
    fn required(&self, positions: &[Exposure]) -> f64;

    /// How many times its money an account can buy, if that is always the same: from 1, no credit, to 1,000.
    fn constant(&self) -> Option<f64> {
        None
    }

    /// Looks at the model before anything is traded. A model has no mistake that can be told without asking
    /// it, unless it says otherwise.
    ///
    /// # Errors
    /// The mistake, where it is and what is allowed: it follows the name of the term.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The equity that an account has to keep. Below it all orders are cancelled, and all positions closed at the
/// market, with costs.
///
/// A number is that share of the value of all positions, and each function of the [`Exposure`]s is a model:
///
/// ```
/// use backtest::engine::Exposure;
/// use backtest::strategy::Backtest;
/// // A quarter of what is held long, and 30 % of what was sold short.
/// let broker = |positions: &[Exposure]| -> f64 {
///     let share = |position: &Exposure| if position.units < 0.0 { 0.3 } else { 0.25 };
///     positions.iter().map(|held| share(held) * held.value()).sum()
/// };
/// let backtest = Backtest::new(Vec::new()).maintenance(broker);
/// # let _ = backtest;
/// ```
pub trait Maintenance: Send + Sync {
    /// The equity that these positions need, in units of the currency, at least zero. It is asked at each
    /// close, of positions that are open.
    fn required(&self, positions: &[Exposure]) -> f64;

    /// The share of the value of all positions, if it is always the same.
    fn constant(&self) -> Option<f64> {
        None
    }

    /// Looks at the model before anything is traded. A model has no mistake that can be told without asking
    /// it, unless it says otherwise.
    ///
    /// # Errors
    /// The mistake, where it is and what is allowed: it follows the name of the term.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A step of [`MarginTiers`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginTier {
    /// From which value of a position on, in units of the currency: finite, at least zero, and another one in
    /// each step. That of the first step counts as zero.
    pub from: f64,
    /// Share of the value that an entry needs: finite, at least zero.
    pub initial: f64,
    /// Share of the value that is to be kept: finite, at least zero.
    pub maintenance: f64,
}

/// Margin that grows with the size of a position, as futures exchanges and brokers publish it: the shares of
/// a step hold for the part of the value that lies within it. Each asset has the same steps, or its own; the
/// needs of all positions add up. A run with steps that are none ends with an error before it begins.
///
/// ```
/// use backtest::engine::{MarginTier, MarginTiers};
/// use backtest::strategy::Backtest;
/// let tier = |from, initial, maintenance| MarginTier { from, initial, maintenance };
/// // 50 times up to 10,000, and 10 times what is beyond; of asset 1 twice.
/// let tiers = MarginTiers::new([tier(0.0, 0.02, 0.01), tier(10_000.0, 0.1, 0.05)]);
/// let backtest = Backtest::new(Vec::new()).margin(tiers.asset(1, [tier(0.0, 0.5, 0.25)]));
/// # let _ = backtest;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarginTiers {
    all: Vec<MarginTier>,
    own: BTreeMap<u16, Vec<MarginTier>>,
}

impl MarginTiers {
    /// The same steps for each asset, in any sequence. Without any there is no credit.
    #[must_use]
    pub fn new(tiers: impl IntoIterator<Item = MarginTier>) -> Self {
        Self { all: ascending(tiers), own: BTreeMap::new() }
    }

    /// Other steps for the asset of this number, its place among those of the backtest.
    #[must_use]
    pub fn asset(mut self, number: u16, tiers: impl IntoIterator<Item = MarginTier>) -> Self {
        self.own.insert(number, ascending(tiers));
        self
    }

    /// Looks whether each step has a begin of its own and such a share.
    fn check_all(&self, share: impl Fn(&MarginTier) -> f64) -> Result<(), String> {
        check_steps(&self.all, &share).map_err(|mistake| format!("of all assets has {mistake}"))?;
        self.own.iter().try_for_each(|(asset, tiers)| {
            check_steps(tiers, &share).map_err(|mistake| format!("of asset {asset} has {mistake}"))
        })
    }

    fn sum(&self, positions: &[Exposure], share: impl Fn(&MarginTier) -> f64, without: f64) -> f64 {
        let of = |position: &Exposure| -> f64 {
            let (tiers, value) = (self.own.get(&position.asset).unwrap_or(&self.all), position.value());
            if tiers.is_empty() {
                return value * without;
            }
            let next = tiers.iter().skip(1).map(|tier| tier.from).chain([f64::INFINITY]);
            let mut from = 0.0;
            let part = |(tier, until): (&MarginTier, f64)| {
                let within = (value.min(until) - from).max(0.0);
                from = until;
                share(tier) * within
            };
            tiers.iter().zip(next).map(part).sum()
        };
        positions.iter().map(of).sum()
    }
}

fn ascending(tiers: impl IntoIterator<Item = MarginTier>) -> Vec<MarginTier> {
    let mut tiers: Vec<MarginTier> = tiers.into_iter().collect();
    tiers.sort_by(|a, b| a.from.total_cmp(&b.from));
    tiers
}

/// The first mistake of steps that ascend.
fn check_steps(tiers: &[MarginTier], share: impl Fn(&MarginTier) -> f64) -> Result<(), String> {
    let sound = |number: f64| number.is_finite() && number >= 0.0;
    for tier in tiers {
        let (from, said) = (tier.from, share(tier));
        if !sound(from) {
            return Err(format!("a step from {from}, must be from a finite value of at least 0"));
        }
        if !sound(said) {
            return Err(format!(
                "a share of {said} in its step from {from}, must be a finite share of at least 0: 0.1 is 10 %"
            ));
        }
    }
    match tiers.windows(2).find(|pair| pair[0].from == pair[1].from) {
        Some(pair) => Err(format!("two steps from {}: leave one of them out", pair[0].from)),
        None => Ok(()),
    }
}

impl Leverage for MarginTiers {
    fn required(&self, positions: &[Exposure]) -> f64 {
        self.sum(positions, |tier| tier.initial, 1.0)
    }

    fn check(&self) -> Result<(), String> {
        self.check_all(|tier| tier.initial)
    }
}

impl Maintenance for MarginTiers {
    fn required(&self, positions: &[Exposure]) -> f64 {
        self.sum(positions, |tier| tier.maintenance, 0.0)
    }

    fn check(&self) -> Result<(), String> {
        self.check_all(|tier| tier.maintenance)
    }
}

impl Leverage for f64 {
    fn required(&self, positions: &[Exposure]) -> f64 {
        positions.iter().map(Exposure::value).sum::<f64>() / self
    }

    fn constant(&self) -> Option<f64> {
        Some(*self)
    }
}

impl<F: Fn(&[Exposure]) -> f64 + Send + Sync> Leverage for F {
    fn required(&self, positions: &[Exposure]) -> f64 {
        self(positions)
    }
}

impl Maintenance for f64 {
    fn required(&self, positions: &[Exposure]) -> f64 {
        self * positions.iter().map(Exposure::value).sum::<f64>()
    }

    fn constant(&self) -> Option<f64> {
        Some(*self)
    }
}

impl<F: Fn(&[Exposure]) -> f64 + Send + Sync> Maintenance for F {
    fn required(&self, positions: &[Exposure]) -> f64 {
        self(positions)
    }
}

impl Engine {
    /// All positions but that in one asset, if one is left out.
    fn exposures(&self, without: Option<usize>, price: impl Fn(&Listing) -> f64) -> Vec<Exposure> {
        let held = self.listings.iter().enumerate();
        let held = held.filter(|(at, listing)| listing.holdings.lots != 0 && Some(*at) != without);
        held.map(|(_, listing)| listing.exposure(listing.holdings.lots, price(listing))).collect()
    }

    /// The equity that positions of this value have to keep; a model is asked of each at its price.
    pub(super) fn maintenance_of(&self, exposure: f64, price: impl Fn(&Listing) -> f64) -> f64 {
        if let Some(share) = self.constants.maintenance {
            return share * exposure;
        }
        let positions = self.exposures(None, price);
        let Some(first) = positions.first() else { return 0.0 };
        let said = self.market.maintenance.required(&positions);
        let asset = usize::from(first.asset);
        sound(&self.fault, CostKind::Maintenance, asset, (first.units, first.price), said)
    }

    /// What a model says that these positions need to be entered.
    fn initial_of(&self, positions: &[Exposure]) -> f64 {
        let Some(first) = positions.first() else { return 0.0 };
        let said = self.market.leverage.required(positions);
        let asset = usize::from(first.asset);
        sound(&self.fault, CostKind::Leverage, asset, (first.units, first.price), said)
    }

    /// The equity that nothing binds, as a model says, with all assets as they were valued last.
    pub(super) fn free_by_model(&self, equity: f64) -> f64 {
        (equity - self.initial_of(&self.exposures(None, |listing| listing.mark))).max(0.0)
    }

    /// The largest value that can be added on this side to a position of so many lots of either sign, or
    /// beside one on the other side, with so much equity.
    pub(super) fn power_by_model(&self, asset: usize, price: f64, side: f64, lots: i64, equity: f64) -> f64 {
        let mut positions = self.exposures(Some(asset), |listing| listing.mark);
        let mut held = self.listings[asset].exposure(lots, price);
        let free = (equity - self.late.power).max(0.0);
        let bound = held.value() + positions.iter().map(Exposure::value).sum::<f64>();
        if held.units * side < 0.0 {
            // What it closes needs nothing: both are beside each other, each on its own side.
            positions.push(held);
            held.units = 0.0;
        }
        let mut needs = |value: f64| {
            positions.push(Exposure { units: held.units + side * value / price, ..held });
            let needed = self.initial_of(&positions);
            positions.pop();
            needed
        };
        let enough = free * (1.0 + ROUNDING);
        let (mut fits, mut exceeds) = (0.0, free * LEVERAGE_MAX - bound);
        if exceeds <= 0.0 || needs(exceeds) <= enough {
            return exceeds.max(0.0);
        }
        for _ in 0..HALVINGS {
            let middle = 0.5 * (fits + exceeds);
            if needs(middle) <= enough {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(from: f64, initial: f64, maintenance: f64) -> MarginTier {
        MarginTier { from, initial, maintenance }
    }

    fn held(asset: u16, units: f64) -> Exposure {
        Exposure { asset, units, price: 10.0 }
    }

    #[test]
    fn shares_of_a_step_hold_for_what_lies_within_it() {
        let steps = [tier(1_000.0, 0.5, 0.25), tier(0.0, 0.1, 0.05), tier(5_000.0, 1.0, 0.5)];
        let tiers = MarginTiers::new(steps).asset(1, [tier(7.0, 0.25, 0.125)]);
        let rows = [
            (vec![], 0.0, 0.0),
            (vec![held(0, 50.0)], 50.0, 25.0),
            (vec![held(0, -100.0)], 100.0, 50.0),
            (vec![held(0, 300.0)], 100.0 + 1_000.0, 50.0 + 500.0),
            (vec![held(0, 600.0)], 100.0 + 2_000.0 + 1_000.0, 50.0 + 1_000.0 + 500.0),
            // Each position has its own steps, and that of the first is from zero on.
            (vec![held(0, 50.0), held(1, 40.0), held(2, -50.0)], 50.0 + 100.0 + 50.0, 25.0 + 50.0 + 25.0),
        ];
        for (positions, initial, maintenance) in rows {
            assert_eq!(Leverage::required(&tiers, &positions), initial, "{positions:?}");
            assert_eq!(Maintenance::required(&tiers, &positions), maintenance, "{positions:?}");
        }
        let none = MarginTiers::default();
        assert_eq!(Leverage::required(&none, &[held(0, 5.0)]), 50.0);
        assert_eq!(Maintenance::required(&none, &[held(0, 5.0)]), 0.0);
    }
}
