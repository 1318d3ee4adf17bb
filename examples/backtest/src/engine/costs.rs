//! What a fill costs: commission and slippage.

/// A fill, as far as its commission depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filling {
    /// Units, above zero.
    pub units: f64,
    /// Price with its costs.
    pub price: f64,
    /// Whether the order has waited for somebody else to come to it: a limit that the price has come to.
    /// Market orders, stops, and limits that were beyond the market at once take what is there.
    pub maker: bool,
    /// Value that the account has traded before, in units of the currency.
    pub traded: f64,
}

/// What the venue charges for one fill.
///
/// Every function from `(units, price)` to an amount is one: `|units: f64, price: f64| 1.0 + 0.001 * units *
/// price`.
pub trait Commission: Send + Sync {
    /// The charge in units of the currency; negative is a rebate. `units` is above zero, `price` is that of
    /// the fill.
    fn charge(&self, units: f64, price: f64) -> f64;

    /// The charge for who asks how it was filled. [`charge`](Commission::charge) unless it says otherwise.
    fn charge_fill(&self, fill: &Filling) -> f64 {
        self.charge(fill.units, fill.price)
    }
}

/// What the market is like where an order slips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Units that were traded in the bar, or that the quote is for.
    pub volume: f64,
    /// From the lowest to the highest price of the bar; of a quote from bid to ask.
    pub range: f64,
}

/// How far from the price of the market an order at the market or a stop is filled. Limits never slip.
///
/// Every function from `(units, price, conditions)` to a distance is one: `|units: f64, _: f64, _:
/// &Conditions| 0.01 * units`.
pub trait Slippage: Send + Sync {
    /// The distance in units of the price, at least zero. `units` is above zero.
    fn distance(&self, units: f64, price: f64, market: &Conditions) -> f64;
}

/// A share of the traded value: 0.002 is 0.2 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// An amount in units of the currency (commission) or of the price (slippage), whatever the size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed(pub f64);

/// An amount for each unit traded, in units of the currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerUnit(pub f64);

/// Shares of the traded value for makers and takers; a negative one is a rebate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MakerTaker {
    /// For who has waited.
    pub maker: f64,
    /// For who takes what is there.
    pub taker: f64,
}

/// [`MakerTaker`] by the value that the account has traded before: the last row whose value it has reached.
/// Below the first row nothing is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiers(pub Vec<(f64, MakerTaker)>);

/// Slippage that grows with the square of the share of the volume: `price * factor * (units / volume)^2`. The
/// share counts as 1 at most, and without any volume as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolumeShare(pub f64);

/// Slippage that grows with the square root of the share of the volume: `price * factor * sqrt(units /
/// volume)`, as large orders are often found to move a price. The share counts as 1 at most, and without any
/// volume as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquareRoot(pub f64);

/// Slippage as a share of the range of the bar, or of the distance from bid to ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeShare(pub f64);

impl Commission for Share {
    fn charge(&self, units: f64, price: f64) -> f64 {
        units * price * self.0
    }
}

impl Commission for Fixed {
    fn charge(&self, _units: f64, _price: f64) -> f64 {
        self.0
    }
}

impl Commission for PerUnit {
    fn charge(&self, units: f64, _price: f64) -> f64 {
        units * self.0
    }
}

impl Commission for MakerTaker {
    fn charge(&self, units: f64, price: f64) -> f64 {
        units * price * self.taker
    }

    fn charge_fill(&self, fill: &Filling) -> f64 {
        fill.units * fill.price * if fill.maker { self.maker } else { self.taker }
    }
}

impl Commission for Tiers {
    fn charge(&self, units: f64, price: f64) -> f64 {
        self.charge_fill(&Filling { units, price, maker: false, traded: 0.0 })
    }

    fn charge_fill(&self, fill: &Filling) -> f64 {
        let reached = self.0.iter().rev().find(|(from, _)| fill.traded >= *from);
        reached.map_or(0.0, |(_, tier)| tier.charge_fill(fill))
    }
}

impl<F: Fn(f64, f64) -> f64 + Send + Sync> Commission for F {
    fn charge(&self, units: f64, price: f64) -> f64 {
        self(units, price)
    }
}

impl Slippage for Share {
    fn distance(&self, _units: f64, price: f64, _market: &Conditions) -> f64 {
        price * self.0
    }
}

impl Slippage for Fixed {
    fn distance(&self, _units: f64, _price: f64, _market: &Conditions) -> f64 {
        self.0
    }
}

impl Slippage for VolumeShare {
    fn distance(&self, units: f64, price: f64, market: &Conditions) -> f64 {
        let share = share_of(units, market);
        price * self.0 * share * share
    }
}

impl Slippage for SquareRoot {
    fn distance(&self, units: f64, price: f64, market: &Conditions) -> f64 {
        price * self.0 * share_of(units, market).sqrt()
    }
}

fn share_of(units: f64, market: &Conditions) -> f64 {
    if market.volume > 0.0 { (units / market.volume).min(1.0) } else { 1.0 }
}

impl<F: Fn(f64, f64, &Conditions) -> f64 + Send + Sync> Slippage for F {
    fn distance(&self, units: f64, price: f64, market: &Conditions) -> f64 {
        self(units, price, market)
    }
}

impl Slippage for RangeShare {
    fn distance(&self, _units: f64, _price: f64, market: &Conditions) -> f64 {
        market.range * self.0
    }
}
