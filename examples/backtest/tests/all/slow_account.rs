//! The account of the slow exchange: all the money that has flowed, and what it can pay for.

use backtest::messages::Bar;

use crate::slow::{SlowExchange, SlowFill};
use crate::slow_terms::{Asked, Hit, Spec};

impl SlowExchange {
    pub(crate) fn position(&self, asset: usize) -> i64 {
        let of_it = |fill: &&SlowFill| fill.0 == asset;
        if self.ruined { 0 } else { self.fills.iter().filter(of_it).map(|fill| fill.2).sum() }
    }

    /// All the money that has flowed, and what the positions are worth, with one asset at this price.
    pub(crate) fn equity_at(&self, asset: usize, price: f64) -> f64 {
        if self.ruined {
            return 0.0;
        }
        let flow = |&(_, _, units, at): &SlowFill| -(units as f64) * at;
        let flows = self.fills.iter().map(flow).sum::<f64>() - self.fees;
        let worth =
            |at: usize| self.position(at) as f64 * if at == asset { price } else { self.assets[at].mark };
        self.terms.cash + flows + (0..self.assets.len()).map(worth).sum::<f64>()
    }

    /// The equity with all assets as they are valued now.
    pub(crate) fn equity(&self) -> f64 {
        self.equity_at(0, self.assets[0].mark)
    }

    /// The value of all positions with one asset at this price.
    fn bound_at(&self, asset: usize, price: f64) -> f64 {
        let value = |at: usize| {
            self.position(at).abs() as f64 * if at == asset { price } else { self.assets[at].mark }
        };
        (0..self.assets.len()).map(value).sum()
    }

    /// The value of all positions as they are valued now.
    pub(crate) fn bound(&self) -> f64 {
        self.bound_at(0, self.assets[0].mark)
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
            Asked::Equity(share) => so_many(self.equity_at(spec.asset, hit.price).max(0.0) * share),
            Asked::Cash(share) => {
                let side = spec.size.signum() as f64;
                let entry = self.terms.exit(hit, side) * (1.0 + self.terms.spread * side);
                let power = self.power(spec.asset, hit.price) * share;
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
        let held = self.position(spec.asset);
        let value = held as f64 * price;
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
                let equity = self.equity_at(spec.asset, price);
                (so_many(share * equity.max(0.0)), share * equity > value)
            }
            _ => return spec.size,
        };
        let missing = wanted - held;
        if (missing > 0) == buys { missing } else { 0 }
    }

    /// What can be bought for, credit included, with one asset at this price and without what came too late.
    pub(crate) fn power(&self, asset: usize, price: f64) -> f64 {
        let bound = self.bound_at(asset, price) / self.terms.leverage;
        ((self.equity_at(asset, price) - bound).max(0.0) * self.terms.leverage - self.late).max(0.0)
    }

    /// What can be bought for with all assets as they are valued now.
    pub(crate) fn free(&self) -> f64 {
        (self.equity() * self.terms.leverage - self.bound()).max(0.0)
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
        self.traded = self.fills.iter().map(|&(_, _, units, price)| units.abs() as f64 * price).sum();
    }

    /// Pays for the night, once: the first asset also interest on what all positions cost beyond the money,
    /// and each for what was sold short of it.
    pub(crate) fn pay_for_the_night(&mut self, asset: usize) {
        let (credit, short) = self.terms.carry;
        let value = |at: usize| self.position(at) as f64 * self.assets[at].mark;
        let long: f64 = (0..self.assets.len()).map(|at| value(at).max(0.0)).sum();
        let (lent, sold) = ((long - self.equity()).max(0.0), (-value(asset)).max(0.0));
        let fee = |is_due: bool, amount: f64, rate: f64| if is_due { amount * rate / 365.0 } else { 0.0 };
        let fees = fee(self.due.0, lent, credit) + fee(self.due.1[asset], sold, short);
        self.fees += fees;
        (self.due.0, self.due.1[asset]) = (false, false);
    }

    pub(crate) fn pays(&self, units: i64, price: f64, closed: (i64, f64), power: f64) -> bool {
        units as f64 * price + self.growth(units, price, closed) <= power
    }

    /// Closes so many units of the entries of an asset, the first first.
    pub(crate) fn close_first(&mut self, asset: usize, units: i64, price: f64, bar: &Bar) {
        self.fees += self.charge(units, price);
        let mut rest = units;
        while rest > 0 {
            let mut entries = self.entries.iter();
            let Some((&entry, &left)) = entries.find(|(entry, _)| self.fills[**entry].0 == asset) else {
                return;
            };
            let closed = left.abs().min(rest);
            rest -= closed;
            self.reduce(entry, closed * left.signum(), price, bar);
        }
    }

    pub(crate) fn reduce(&mut self, entry: usize, units: i64, price: f64, bar: &Bar) {
        let asset = self.fills[entry].0;
        self.fills.push((asset, bar.index, -units, price));
        self.assets[asset].room -= units.abs();
        let left = self.entries[&entry] - units;
        if left == 0 {
            self.entries.remove(&entry)
        } else {
            self.entries.insert(entry, left)
        };
    }
}
