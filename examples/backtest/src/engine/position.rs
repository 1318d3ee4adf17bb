//! The netted position of one account: open trades, first in first out, and the money behind them.

use std::collections::VecDeque;

use super::models::Market;
use crate::messages::{Execution, FillKind, Timestamp};

/// An open trade. Its lots are negative when short.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenTrade {
    pub(super) number: u32,
    pub(super) lots: i64,
    pub(super) price: f64,
}

/// Cash, position and open trades.
///
/// Cash is what is realised: commissions and the profits of closed trades. The equity at a price is
/// `cash + position * price - cost`, where `cost` is the position at its entry prices.
#[derive(Clone, Debug)]
pub(super) struct Holdings {
    pub(super) cash: f64,
    pub(super) cost: f64,
    pub(super) lots: i64,
    pub(super) trades: VecDeque<OpenTrade>,
    opened: u32,
}

/// Who is filled, when and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct FillAtPrice {
    pub(super) timestamp: Timestamp,
    pub(super) index: u32,
    pub(super) order: u32,
    pub(super) price: f64,
}

impl Holdings {
    pub(super) fn new(cash: f64) -> Self {
        Self { cash, cost: 0.0, lots: 0, trades: VecDeque::new(), opened: 0 }
    }

    pub(super) fn equity(&self, market: &Market, price: f64) -> f64 {
        self.cash + (market.units(self.lots) * price - self.cost)
    }

    /// What can still be bought for, credit included, when the position is valued at `price`.
    pub(super) fn buying_power(&self, market: &Market, price: f64) -> f64 {
        let bound = market.units(self.lots.abs()) * price / market.leverage;
        (self.equity(market, price) - bound).max(0.0) * market.leverage
    }

    pub(super) fn open(&mut self, market: &Market, lots: i64, at: FillAtPrice) -> Execution {
        self.opened += 1;
        let commission = market.charge(lots, at.price);
        self.cash -= commission;
        self.cost += market.units(lots) * at.price;
        self.lots += lots;
        self.trades.push_back(OpenTrade { number: self.opened, lots, price: at.price });
        self.execution(FillKind::Open, self.opened, lots, commission, at)
    }

    /// Closes `lots` (of the trade's sign, at most its size) of the open trade at `place`.
    pub(super) fn close(&mut self, market: &Market, place: usize, lots: i64, at: FillAtPrice) -> Execution {
        let trade = &mut self.trades[place];
        let (number, entry) = (trade.number, trade.price);
        trade.lots -= lots;
        if trade.lots == 0 {
            // The first in nearly all cases, so this moves nothing.
            self.trades.remove(place);
        }
        let commission = market.charge(lots, at.price);
        self.cash += market.units(lots) * (at.price - entry) - commission;
        self.cost -= market.units(lots) * entry;
        self.lots -= lots;
        if self.lots == 0 {
            // What rounding has left of it belongs to no position.
            self.cost = 0.0;
        }
        self.execution(FillKind::Close, number, -lots, commission, at)
    }

    /// The equity was used up: everything is closed and no cash is left, nor owed.
    pub(super) fn liquidate(&mut self, at: FillAtPrice, out: &mut impl FnMut(Execution)) {
        (self.cash, self.cost, self.lots) = (0.0, 0.0, 0);
        while let Some(trade) = self.trades.pop_front() {
            out(self.execution(FillKind::Liquidation, trade.number, -trade.lots, 0.0, at));
        }
    }

    fn execution(
        &self,
        kind: FillKind,
        trade: u32,
        quantity: i64,
        commission: f64,
        at: FillAtPrice,
    ) -> Execution {
        let FillAtPrice { timestamp, index, order, price } = at;
        let (cash, cost) = (self.cash, self.cost);
        Execution { timestamp, order, trade, index, kind, quantity, price, commission, cash, cost }
    }
}
