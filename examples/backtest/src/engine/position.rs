//! The netted position in one asset: open trades, first in first out, and what they have cost.

use std::collections::VecDeque;

use crate::messages::{Execution, FillKind, Timestamp};

/// An open trade. Its lots are negative when short.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenTrade {
    pub(super) number: u32,
    pub(super) lots: i64,
    pub(super) price: f64,
}

/// Position and open trades.
///
/// The value of a position at a price is `position * price - cost`, where `cost` is the position at its entry
/// prices. Cash is what is realised: commissions and the profits of closed trades.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    pub(super) cost: f64,
    pub(super) lots: i64,
    pub(super) trades: VecDeque<OpenTrade>,
}

/// Who is filled, when and where, and at what cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct FillAtPrice {
    pub(super) timestamp: Timestamp,
    pub(super) index: u32,
    pub(super) order: u32,
    pub(super) asset: u16,
    pub(super) price: f64,
    pub(super) commission: f64,
}

impl Holdings {
    /// Adds to the trade of this number, if it is open still: the one that the order has opened with a part
    /// before. Otherwise opens a trade of the number `next`. `units` is a lot.
    pub(super) fn open(
        &mut self,
        cash: &mut f64,
        (number, next): (u32, u32),
        lots: i64,
        units: f64,
        at: FillAtPrice,
    ) -> Execution {
        *cash -= at.commission;
        self.cost += lots as f64 * units * at.price;
        self.lots += lots;
        // Their numbers rise.
        let place = self.trades.binary_search_by_key(&number, |trade| trade.number);
        let number = match place.ok().and_then(|place| self.trades.get_mut(place)) {
            Some(trade) => {
                let value = trade.price * trade.lots as f64 + at.price * lots as f64;
                trade.lots += lots;
                trade.price = value / trade.lots as f64;
                number
            }
            None => {
                self.trades.push_back(OpenTrade { number: next, lots, price: at.price });
                next
            }
        };
        self.execution(FillKind::Open, number, lots, *cash, at)
    }

    /// Closes `lots` (of the trade's sign, at most its size) of the open trade at `place`.
    pub(super) fn close(
        &mut self,
        cash: &mut f64,
        place: usize,
        lots: i64,
        units: f64,
        at: FillAtPrice,
    ) -> Execution {
        let trade = &mut self.trades[place];
        let (number, entry) = (trade.number, trade.price);
        trade.lots -= lots;
        if trade.lots == 0 {
            // The first in nearly all cases, so this moves nothing.
            self.trades.remove(place);
        }
        let size = lots as f64 * units;
        *cash += size * (at.price - entry) - at.commission;
        self.cost -= size * entry;
        self.lots -= lots;
        if self.lots == 0 {
            // A rest that rounding has left belongs to no position.
            self.cost = 0.0;
        }
        self.execution(FillKind::Close, number, -lots, *cash, at)
    }

    /// The equity was used up: everything is gone.
    pub(super) fn liquidate(&mut self, at: FillAtPrice, out: &mut impl FnMut(Execution)) {
        (self.cost, self.lots) = (0.0, 0);
        while let Some(trade) = self.trades.pop_front() {
            out(self.execution(FillKind::Liquidation, trade.number, -trade.lots, 0.0, at));
        }
    }

    fn execution(&self, kind: FillKind, trade: u32, quantity: i64, cash: f64, at: FillAtPrice) -> Execution {
        let FillAtPrice { timestamp, index, order, asset, price, commission } = at;
        let cost = self.cost;
        Execution { timestamp, order, trade, index, kind, asset, quantity, price, commission, cash, cost }
    }
}
