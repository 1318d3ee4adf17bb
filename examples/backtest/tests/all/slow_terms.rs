//! What the slow exchange is told: orders, and the terms on which it fills them.

/// How much an order asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Asked {
    /// So many units as its size says.
    #[default]
    Units,
    /// So many lots of one unit.
    Lots,
    /// Units for so much money.
    Value(f64),
    /// Units for a share of the equity, or fewer.
    Equity(f64),
    /// Units for a share of what can still be bought for, costs included.
    Cash(f64),
    /// What is missing to a position, which is negative when short: so many units as its size says.
    ToUnits,
    /// What is missing to a position of this value.
    ToValue(f64),
    /// What is missing to a position for a share of the equity, or less.
    ToEquity(f64),
}

impl Asked {
    /// Whether it is for a position.
    pub(crate) fn is_target(self) -> bool {
        matches!(self, Self::ToUnits | Self::ToValue(_) | Self::ToEquity(_))
    }
}

/// An order of the random tests. A price of 0 is none; `size` is in units, negative to sell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spec {
    /// The place of its asset.
    pub(crate) asset: usize,
    pub(crate) size: i64,
    pub(crate) asked: Asked,
    pub(crate) limit: f64,
    pub(crate) stop: f64,
    /// A stop of its own that trails, if there is no stop loss.
    pub(crate) trail: f64,
    pub(crate) stop_loss: f64,
    pub(crate) take_profit: f64,
    pub(crate) reduce_only: bool,
    pub(crate) day: bool,
    pub(crate) immediate: bool,
    /// Filled at the next open, whole, or never.
    pub(crate) whole: bool,
    /// Orders of one bar with the same group cancel each other.
    pub(crate) group: u32,
}

impl Spec {
    /// Whether it waits for no price.
    pub(crate) fn is_at_market(&self) -> bool {
        let trails = self.trail > 0.0 && self.stop_loss == 0.0;
        self.limit == 0.0 && self.stop == 0.0 && !trails
    }
}

/// What a fill is charged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fee {
    Share(f64),
    Fixed(f64),
    PerUnit(f64),
    /// Shares of the value, before and from so much traded value on.
    Tiers(f64, (f64, f64)),
}

impl Fee {
    /// The charge for who has traded so much before.
    pub(crate) fn of(self, units: i64, price: f64, traded: f64) -> f64 {
        let units = units.abs() as f64;
        match self {
            _ if units == 0.0 => 0.0,
            Self::Share(share) => units * price * share,
            Self::Fixed(amount) => amount,
            Self::PerUnit(amount) => units * amount,
            Self::Tiers(share, (from, _)) if traded < from => units * price * share,
            Self::Tiers(_, (_, share)) => units * price * share,
        }
    }
}

/// The terms of the slow exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlowTerms {
    pub(crate) cash: f64,
    pub(crate) fee: Fee,
    /// Share of the price that entries pay.
    pub(crate) spread: f64,
    /// Share of the price by which what has no limit is filled worse.
    pub(crate) slip: f64,
    pub(crate) leverage: f64,
    pub(crate) maintenance: f64,
    /// Share of the volume of a bar.
    pub(crate) participation: f64,
    /// Shares per year of what is lent and of what was sold short, for each night.
    pub(crate) carry: (f64, f64),
    /// Limits are reached before stops.
    pub(crate) optimistic: bool,
    /// Market orders are filled at the close on which they were sent.
    pub(crate) on_close: bool,
}

/// A price at which an order is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) price: f64,
    /// The best price of the market on its way there.
    pub(crate) best: f64,
    /// The limit, which no fill is beyond.
    pub(crate) limit: Option<f64>,
}

impl Hit {
    pub(crate) fn at(price: f64) -> Self {
        Self { price, best: price, limit: None }
    }
}

impl SlowTerms {
    /// The price of what closes.
    pub(crate) fn exit(&self, hit: Hit, side: f64) -> f64 {
        match hit.limit {
            Some(_) => hit.price,
            None => (hit.price + hit.price * self.slip * side).max(0.0),
        }
    }

    /// The price of what opens: with the spread, and at the limit at worst.
    pub(crate) fn entry(&self, hit: Hit, side: f64) -> f64 {
        let entry = self.exit(hit, side) * (1.0 + self.spread * side);
        match hit.limit {
            Some(limit) if side > 0.0 => entry.min(limit),
            Some(limit) => entry.max(limit),
            None => entry,
        }
    }
}
