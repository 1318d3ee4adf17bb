//! Cash, one position, and what an order costs.

use crate::config::Terms;
use crate::messages::{Fill, FillKind};

/// The largest share of the cash that an all-in order uses: the float below one.
const ALL_IN: f64 = 1.0 - f64::EPSILON;

/// Cash and at most one position. The position's value enters the equity as its profit since entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// Realised cash.
    pub cash: f64,
    /// Units held; negative when short, zero when flat.
    pub position: i64,
    /// Price at which the position was entered.
    pub entry: f64,
}

/// An entry that the cash pays for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Units to buy, or to sell short if negative.
    pub quantity: i64,
    /// Price with the spread.
    pub price: f64,
    /// Commission in units of the currency.
    pub commission: f64,
}

impl Account {
    /// A flat account.
    #[must_use]
    pub fn new(cash: f64) -> Self {
        Self { cash, position: 0, entry: 0.0 }
    }

    /// Equity at a price.
    #[inline]
    #[must_use]
    pub fn equity(&self, price: f64) -> f64 {
        self.cash + self.position as f64 * (price - self.entry)
    }

    /// Books a fill.
    pub fn apply(&mut self, fill: &Fill) {
        match fill.kind {
            FillKind::Open => {
                self.cash -= fill.commission;
                self.position = fill.quantity;
                self.entry = fill.price;
            }
            FillKind::Close => {
                self.cash += self.position as f64 * (fill.price - self.entry) - fill.commission;
                self.position = 0;
            }
            FillKind::Liquidation => {
                self.cash = 0.0;
                self.position = 0;
            }
        }
    }

    /// Sizes an entry at `price` with the cash of a flat account, or returns `None` if it does not pay for
    /// it.
    ///
    /// `direction` is 1.0 to buy and -1.0 to sell short; `units` of zero means all the cash.
    #[must_use]
    pub fn size(&self, direction: f64, units: i64, price: f64, terms: &Terms) -> Option<Entry> {
        let available = self.cash.max(0.0);
        let entry = price * (1.0 + terms.spread.copysign(direction));
        // The commission of one unit comes from the commission of the order as it was placed, so that the
        // rounding is the oracle's.
        let asked = if units == 0 { ALL_IN } else { units as f64 };
        let per_unit = entry + asked * price * terms.commission / asked;
        let quantity = if units == 0 { floor_div(available * ALL_IN, per_unit) } else { asked };
        if quantity < 1.0 || quantity * per_unit > available {
            return None;
        }
        let quantity = (quantity * direction) as i64;
        Some(Entry { quantity, price: entry, commission: commission(quantity, entry, terms) })
    }
}

/// Commission on a trade, in units of the currency.
#[must_use]
pub fn commission(quantity: i64, price: f64, terms: &Terms) -> f64 {
    quantity.abs() as f64 * price * terms.commission
}

/// The floor of the exact quotient of two positive numbers. `(a / b).floor()` would be one too high where the
/// division rounds up.
pub(crate) fn floor_div(a: f64, b: f64) -> f64 {
    ((a - a % b) / b).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_div_never_rounds_up() {
        assert_eq!(floor_div(7.0, 2.0), 3.0);
        assert_eq!(floor_div(6.0, 2.0), 3.0);
        assert_eq!(floor_div(0.5, 2.0), 0.0);
        // The division of floats rounds up to 10 here.
        assert_eq!(
            ((1.0_f64 / 0.1).floor(), floor_div(1.0, 0.1)),
            (10.0, 9.0),
            "0.1 is a little above a tenth"
        );
    }

    #[test]
    fn an_order_that_the_cash_does_not_pay_for_is_dropped() {
        let terms = Terms { commission: 0.01, ..Terms::default() };
        let account = Account::new(1_000.0);
        assert_eq!(account.size(1.0, 0, 1_000.0, &terms), None);
        assert_eq!(account.size(1.0, 10, 100.0, &terms), None);
        let entry = account.size(1.0, 9, 100.0, &terms).expect("paid for");
        assert_eq!((entry.quantity, entry.price, entry.commission), (9, 100.0, 9.0));
        let entry = account.size(-1.0, 0, 100.0, &Terms { spread: 0.1, ..terms }).expect("paid for");
        assert_eq!((entry.quantity, entry.price), (-10, 90.0));
        assert_eq!(Account::new(-5.0).size(1.0, 0, 1.0, &terms), None);
    }

    #[test]
    fn a_round_trip_leaves_the_profit_less_both_commissions() {
        let mut account = Account::new(1_000.0);
        let fill = |kind, quantity, price, commission| Fill {
            timestamp: crate::messages::Timestamp::default(),
            quantity,
            price,
            commission,
            index: 0,
            kind,
        };
        account.apply(&fill(FillKind::Open, -5, 100.0, 2.0));
        assert_eq!(account.equity(90.0), 1_048.0);
        account.apply(&fill(FillKind::Close, 5, 80.0, 3.0));
        assert_eq!(account, Account { cash: 1_095.0, position: 0, entry: 100.0 });
        assert_eq!(account.equity(1e9), 1_095.0);
    }
}
