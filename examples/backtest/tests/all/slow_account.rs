//! The account of the slow exchange: all the money that has flowed, and what it can pay for.

use backtest::messages::Bar;

use crate::slow::{SlowExchange, SlowFill};
use crate::slow_terms::{Asked, Hit, Spec};

impl SlowExchange {
    pub(crate) fn position(&self) -> i64 {
        if self.ruined { 0 } else { self.fills.iter().map(|fill| fill.1).sum() }
    }

    /// All the money that has flowed, and what the position is worth.
    pub(crate) fn equity(&self, price: f64) -> f64 {
        if self.ruined {
            return 0.0;
        }
        let flow = |&(_, units, at): &SlowFill| -(units as f64) * at;
        let flows = self.fills.iter().map(flow).sum::<f64>() - self.fees;
        self.terms.cash + flows + self.position() as f64 * price
    }

    /// Units that an order asks for, without a sign.
    pub(crate) fn asked(&self, spec: &Spec, hit: Hit) -> i64 {
        let so_many = |value: f64| {
            let mut units = (value / hit.price) as i64 + 2;
            while units > 0 && units as f64 * hit.price > value {
                units -= 1;
            }
            units
        };
        match spec.asked {
            Asked::Units | Asked::Lots => spec.size.abs(),
            Asked::ToUnits | Asked::ToValue(_) | Asked::ToEquity(_) => self.missing(spec, hit.price).abs(),
            Asked::Value(value) => so_many(value),
            Asked::Equity(share) => so_many(self.equity(hit.price).max(0.0) * share),
            Asked::Cash(share) => {
                let side = spec.size.signum() as f64;
                let entry = self.terms.exit(hit, side) * (1.0 + self.terms.spread * side);
                let power = self.power(hit.price) * share;
                let mut units = (power / entry) as i64 + 2;
                while units > 0 && !self.pays(units, entry, (0, 0.0), power) {
                    units -= 1;
                }
                units
            }
        }
    }

    /// What an order for a position trades, with a sign: nothing where the value is too much for the one
    /// side and too little for the other.
    pub(crate) fn missing(&self, spec: &Spec, price: f64) -> i64 {
        let (held, value) = (self.position(), self.position() as f64 * price);
        let so_many = |value: f64| {
            let mut units = (value.abs() / price) as i64 + 2;
            while units > 0 && units as f64 * price > value.abs() {
                units -= 1;
            }
            if value < 0.0 { -units } else { units }
        };
        let (wanted, buys) = match spec.asked {
            Asked::ToUnits => (spec.size, spec.size > held),
            Asked::ToValue(wanted) => (so_many(wanted), wanted > value),
            Asked::ToEquity(share) => {
                let equity = self.equity(price);
                (so_many(share * equity.max(0.0)), share * equity > value)
            }
            _ => return spec.size,
        };
        let missing = wanted - held;
        if (missing > 0) == buys { missing } else { 0 }
    }

    /// What can be bought for, credit included.
    pub(crate) fn power(&self, price: f64) -> f64 {
        let bound = self.position().abs() as f64 * price / self.terms.leverage;
        (self.equity(price) - bound).max(0.0) * self.terms.leverage
    }

    /// By how much the charge grows with units that open, behind so many that have closed at a price.
    pub(crate) fn growth(&self, units: i64, price: f64, (closed, exit): (i64, f64)) -> f64 {
        if closed == 0 {
            return self.charge(units, price);
        }
        let all = units + closed;
        let mean = (units as f64 * price + closed as f64 * exit) / all as f64;
        self.charge(all, mean) - self.charge(closed, exit)
    }

    pub(crate) fn charge(&self, units: i64, price: f64) -> f64 {
        self.terms.fee.of(units, price, self.traded)
    }

    /// What was traded before the fill at hand decides what it is charged.
    pub(crate) fn begin_fill(&mut self) {
        self.traded = self.fills.iter().map(|&(_, units, price)| units.abs() as f64 * price).sum();
    }

    /// Pays for the night before a bar: interest on what the position costs beyond the money, and for what
    /// was sold short.
    pub(crate) fn pay_for_the_night(&mut self, close_before: f64) {
        let ((credit, short), value) = (self.terms.carry, self.position() as f64 * close_before);
        let lent = (value.max(0.0) - self.equity(close_before)).max(0.0);
        self.fees += (lent * credit + (-value).max(0.0) * short) / 365.0;
    }

    pub(crate) fn pays(&self, units: i64, price: f64, closed: (i64, f64), power: f64) -> bool {
        units as f64 * price + self.growth(units, price, closed) <= power
    }

    /// Closes so many units of the entries, the first first.
    pub(crate) fn close_first(&mut self, units: i64, price: f64, bar: &Bar) {
        self.fees += self.charge(units, price);
        let mut rest = units;
        while let (true, Some((&entry, &left))) = (rest > 0, self.entries.first_key_value()) {
            let closed = left.abs().min(rest);
            rest -= closed;
            self.reduce(entry, closed * left.signum(), price, bar);
        }
    }

    pub(crate) fn reduce(&mut self, entry: usize, units: i64, price: f64, bar: &Bar) {
        self.fills.push((bar.index, -units, price));
        self.room -= units.abs();
        let left = self.entries[&entry] - units;
        if left == 0 {
            self.entries.remove(&entry)
        } else {
            self.entries.insert(entry, left)
        };
    }
}
