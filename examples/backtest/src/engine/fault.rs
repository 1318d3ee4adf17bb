//! Costs that are no numbers: models are a user's own functions, and no account can be kept with such costs.

use std::cell::Cell;
use std::fmt;

use super::Engine;
use super::costs::Conditions;

/// Which model has made a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CostKind {
    /// A [`Commission`](super::Commission).
    Commission,
    /// A [`Slippage`](super::Slippage).
    Slippage,
    /// A [`Funding`](super::Funding).
    Funding,
    /// A [`Spread`](super::Spread).
    Spread,
    /// A [`FillModel`](super::FillModel).
    Fill,
    /// A [`LendingRate`](super::LendingRate).
    Lending,
    /// A [`Maintenance`](super::Maintenance).
    Maintenance,
    /// A [`Leverage`](super::Leverage).
    Leverage,
}

/// A cost that cannot be booked. The run ends with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostFault {
    /// Which model has made it.
    pub kind: CostKind,
    /// Number of the asset.
    pub asset: u16,
    /// Units that were to be traded, or that are held.
    pub units: f64,
    /// At which price.
    pub price: f64,
    /// What the model has said.
    pub said: f64,
}

impl Engine {
    /// The first cost that is no number, if there was one: what was booked since then is worth nothing.
    #[must_use]
    pub fn fault(&self) -> Option<CostFault> {
        self.fault.get()
    }

    /// The commission of a number of lots of either sign.
    pub(super) fn commission(&self, asset: usize, lots: i64, price: f64, maker: bool, traded: f64) -> f64 {
        let terms = &self.listings[asset].terms;
        let charge = terms.charge(lots, price, maker, traded);
        sound(&self.fault, CostKind::Commission, asset, (terms.units(lots.abs()), price), charge)
    }

    /// How far an order slips.
    pub(super) fn distance(&self, asset: usize, lots: i64, price: f64, market: &Conditions) -> f64 {
        let terms = &self.listings[asset].terms;
        let units = terms.units(lots.abs());
        let distance = terms.slippage.distance(units, price, market);
        sound(&self.fault, CostKind::Slippage, asset, (units, price), distance)
    }

    /// The sum of rates that a position pays.
    pub(super) fn funding(&self, asset: usize, rate: f64) -> f64 {
        let listing = &self.listings[asset];
        let units = listing.terms.units(listing.holdings.lots);
        sound(&self.fault, CostKind::Funding, asset, (units, listing.mark), rate)
    }
}

impl CostKind {
    /// Whether an account can be kept with what such a model has said.
    fn allows(self, said: f64) -> bool {
        match self {
            Self::Commission | Self::Funding | Self::Lending => said.is_finite(),
            Self::Slippage | Self::Maintenance | Self::Leverage => said.is_finite() && said >= 0.0,
            Self::Spread => (0.0..0.5).contains(&said),
            Self::Fill => said >= 0.0,
        }
    }
}

/// The amount, or zero and a fault.
pub(super) fn sound(
    fault: &Cell<Option<CostFault>>,
    kind: CostKind,
    asset: usize,
    (units, price): (f64, f64),
    said: f64,
) -> f64 {
    if kind.allows(said) {
        return said;
    }
    if fault.get().is_none() {
        fault.set(Some(CostFault { kind, asset: asset as u16, units, price, said }));
    }
    0.0
}

impl fmt::Display for CostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, asset, units, price, said } = self;
        let (model, allowed) = match kind {
            CostKind::Commission => ("commission", "a finite number, negative for a rebate"),
            CostKind::Slippage => ("slippage", "a finite number of at least 0, whatever the side"),
            CostKind::Funding => ("funding", "a finite rate"),
            CostKind::Spread => ("spread", "a share from 0 to below 0.5"),
            CostKind::Fill => ("fill model", "a number of at least 0"),
            CostKind::Lending => ("lending rate", "a finite rate per year"),
            CostKind::Maintenance => ("maintenance", "a finite amount of at least 0"),
            CostKind::Leverage => ("leverage", "a finite amount of at least 0"),
        };
        write!(
            f,
            "the {model} of {units} units at {price} of asset {asset} is {said}, must be {allowed}: mend the model"
        )
    }
}

impl std::error::Error for CostFault {}
