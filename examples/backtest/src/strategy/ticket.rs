//! What a strategy asks for: orders with their sizes, prices, protection and time.

use crate::engine::are_prices;
use crate::limits::LOTS_MAX;
use crate::messages::{NewOrder, OrderCause, OrderType, SizeUnit, TimeInForce};

/// How much to trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// Everything that the account can still buy for, costs included; of an order that only reduces, the
    /// position.
    All,
    /// Units of the asset, rounded down to whole lots.
    Units(f64),
    /// Lots: so many times the least that is traded of the asset, contracts of a future. At most
    /// [`LOTS_MAX`](crate::limits::LOTS_MAX).
    Lots(i64),
    /// Units of the currency.
    Value(f64),
    /// A share of what the account can still buy for: 0.5 is half.
    Cash(f64),
    /// A share of the equity.
    Equity(f64),
}

impl From<f64> for Size {
    fn from(units: f64) -> Self {
        Self::Units(units)
    }
}

impl From<u32> for Size {
    fn from(units: u32) -> Self {
        Self::Units(f64::from(units))
    }
}

/// An order before it is sent: at the market, good till cancelled, unless it says otherwise.
///
/// Distances of protective orders are prices, in units of the currency.
///
/// ```
/// use backtest::strategy::{Size, Ticket};
/// // Buys for half of the cash at 99 or below; loses at most down to 95 and takes its profit at 110.
/// let ticket = Ticket::new(Size::Cash(0.5)).limit(99.0).stop_loss(95.0).take_profit(110.0).tag("dip");
/// # let _ = ticket;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a ticket is an order once `ctx.buy` or `ctx.sell` has it"]
pub struct Ticket {
    size: Size,
    target: bool,
    limit: f64,
    stop: f64,
    trail: f64,
    /// The distance of a stop loss that trails.
    loss_trail: f64,
    stop_loss: f64,
    take_profit: f64,
    time_in_force: TimeInForce,
    reduce_only: bool,
    group: u16,
    pub(crate) tag: &'static str,
    trailing: bool,
}

impl<S: Into<Size>> From<S> for Ticket {
    fn from(size: S) -> Self {
        Self::new(size)
    }
}

impl Ticket {
    /// An order at the market for this size.
    pub fn new(size: impl Into<Size>) -> Self {
        Self {
            size: size.into(),
            target: false,
            limit: 0.0,
            stop: 0.0,
            trail: 0.0,
            loss_trail: 0.0,
            stop_loss: 0.0,
            take_profit: 0.0,
            time_in_force: TimeInForce::GoodTillCancelled,
            reduce_only: false,
            group: 0,
            tag: "",
            trailing: false,
        }
    }

    /// An order at the market for everything that the account can still buy for.
    pub fn all() -> Self {
        Self::new(Size::All)
    }

    /// Filled at this price or better. With [`stop`](Ticket::stop) it is a stop-limit order.
    pub fn limit(mut self, price: f64) -> Self {
        self.limit = or_none(price);
        self
    }

    /// Filled at the market once this price was touched: above the market to buy, below it to sell.
    pub fn stop(mut self, price: f64) -> Self {
        self.stop = or_none(price);
        self
    }

    /// A stop that follows the best price at this distance. [`stop`](Ticket::stop) says where it begins, if
    /// not at the distance from the latest close. It goes with no limit and no
    /// [`trailing_stop_loss`](Ticket::trailing_stop_loss).
    pub fn trailing_stop(mut self, distance: f64) -> Self {
        self.trail = or_none(distance);
        self.trailing = true;
        self
    }

    /// Closes the trade, once it is open, when the price has gone this far against it.
    pub fn stop_loss(mut self, price: f64) -> Self {
        self.stop_loss = or_none(price);
        self
    }

    /// As [`stop_loss`](Ticket::stop_loss), at a distance that follows the best price since the entry.
    pub fn trailing_stop_loss(mut self, distance: f64) -> Self {
        self.loss_trail = or_none(distance);
        self
    }

    /// Closes the trade, once it is open, at this price or better.
    pub fn take_profit(mut self, price: f64) -> Self {
        self.take_profit = or_none(price);
        self
    }

    /// Works for the [session](crate::engine::Session) of the first bar on which it can be filled, by default
    /// the day of UTC; on daily bars that is this bar alone.
    pub fn day(mut self) -> Self {
        self.time_in_force = TimeInForce::Day;
        self
    }

    /// Is filled at the next open, as far as the account can pay for it, or never.
    pub fn immediate_or_cancel(mut self) -> Self {
        self.time_in_force = TimeInForce::ImmediateOrCancel;
        self
    }

    /// Is filled at the next open, whole, or never.
    pub fn fill_or_kill(mut self) -> Self {
        self.time_in_force = TimeInForce::FillOrKill;
        self
    }

    /// Closes and never opens: what is beyond the position is left out. With it [`Size::All`] is the
    /// position.
    pub fn reduce_only(mut self) -> Self {
        self.reduce_only = true;
        self
    }

    /// A word that the trades of this order bear in the results.
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// Its size is that of the position wanted.
    pub(super) fn as_target(mut self) -> Self {
        self.target = true;
        self
    }

    pub(super) fn is_target(&self) -> bool {
        self.target
    }

    /// It cancels the others of the group when it is filled, and they cancel it. `place` counts from 1.
    pub(super) fn in_group(mut self, place: u16) -> Self {
        self.group = place;
        self
    }

    pub(crate) fn kind(&self) -> OrderType {
        match (self.trailing, self.limit != 0.0, self.stop != 0.0) {
            (true, _, _) => OrderType::TrailingStop,
            (_, true, true) => OrderType::StopLimit,
            (_, true, false) => OrderType::Limit,
            (_, false, true) => OrderType::Stop,
            _ => OrderType::Market,
        }
    }

    /// How much was asked for, and in what.
    pub(crate) fn asked(&self) -> (f64, &'static str) {
        match (self.size, self.target) {
            (Size::All, false) if self.reduce_only => (1.0, "position"),
            (Size::All, false) => (1.0, "cash"),
            (Size::Units(units), false) => (units, "units"),
            (Size::Lots(lots), false) => (lots as f64, "lots"),
            (Size::Value(value), false) => (value, "value"),
            (Size::Cash(share), false) => (share, "cash"),
            (Size::Equity(share), false) => (share, "equity"),
            (Size::Units(units), true) => (units, "target units"),
            (Size::Lots(lots), true) => (lots as f64, "target lots"),
            (Size::Value(value), true) => (value, "target value"),
            (Size::All, true) => (1.0, "target equity"),
            (Size::Cash(share) | Size::Equity(share), true) => (share, "target equity"),
        }
    }

    /// Limit, stop, trail, stop loss and take profit; zero is none.
    pub(crate) fn prices(&self) -> [f64; 5] {
        [self.limit, self.stop, self.distance(), self.stop_loss, self.take_profit]
    }

    /// At which distance its stop follows, or the stop loss of its trade.
    fn distance(&self) -> f64 {
        if self.trailing { self.trail } else { self.loss_trail }
    }

    /// The message. `side` is 1.0 to buy and -1.0 to sell.
    pub(super) fn order(&self, order: u32, after: u32, asset: u16, side: f64, lot: f64) -> NewOrder {
        let kind = self.kind();
        // Whole lots, where a quotient like 0.3 / 0.1 is three in spite of its rounding.
        let lots = |units: f64| whole_part((units.abs() / lot) * (1.0 + 4.0 * f64::EPSILON)).copysign(units);
        let (unit, size) = match (self.size, self.target) {
            // All that there is to close; what is beyond the position is left out.
            (Size::All, false) if self.reduce_only => (SizeUnit::Lots, LOTS_MAX),
            (Size::All, false) => (SizeUnit::Cash, 1.0),
            (Size::Units(units), false) => (SizeUnit::Lots, lots(units)),
            (Size::Lots(lots), false) => (SizeUnit::Lots, lots as f64),
            (Size::Value(value), false) => (SizeUnit::Value, value),
            (Size::Cash(share), false) => (SizeUnit::Cash, share.min(1.0)),
            (Size::Equity(share), false) => (SizeUnit::Equity, share),
            (Size::Units(units), true) => (SizeUnit::TargetLots, lots(units)),
            (Size::Lots(lots), true) => (SizeUnit::TargetLots, lots as f64),
            (Size::All, true) => (SizeUnit::TargetEquity, 1.0),
            (Size::Value(value), true) => (SizeUnit::TargetValue, value),
            (Size::Cash(share) | Size::Equity(share), true) => (SizeUnit::TargetEquity, share),
        };
        let (group, trail) = (self.group, self.distance());
        let Self { limit, stop, stop_loss, take_profit, time_in_force, reduce_only, .. } = *self;
        let size = size * side;
        NewOrder {
            order,
            after,
            asset,
            group,
            kind,
            unit,
            time_in_force,
            reduce_only,
            size,
            limit,
            stop,
            trail,
            stop_loss,
            take_profit,
        }
    }

    /// What is wrong with it as it was given. Such an order is rejected before it is sent: no message may
    /// carry what is no number, and a size below zero would turn the side.
    pub(super) fn fault(&self) -> Option<OrderCause> {
        let size = match self.size {
            Size::All => 1.0,
            Size::Lots(lots) => lots as f64,
            Size::Units(x) | Size::Value(x) | Size::Cash(x) | Size::Equity(x) => x,
        };
        let too_many = matches!(self.size, Size::Lots(_)) && size.abs() > LOTS_MAX;
        if !size.is_finite() || size <= 0.0 && !self.target || too_many {
            Some(OrderCause::BadSize)
        } else if !are_prices(&self.prices())
            || self.trailing && (self.limit != 0.0 || self.loss_trail != 0.0)
        {
            Some(OrderCause::BadPrice)
        } else {
            None
        }
    }
}

/// What `floor` says of a number from zero on, without a call where it fits into an integer.
#[inline]
fn whole_part(number: f64) -> f64 {
    if number < LOTS_MAX { number as i64 as f64 } else { number.floor() }
}

/// A price that was asked for is no longer "none": zero becomes a price that is refused.
fn or_none(price: f64) -> f64 {
    if price == 0.0 { -1.0 } else { price }
}
