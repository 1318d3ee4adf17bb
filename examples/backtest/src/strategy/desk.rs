//! What a trader knows: the market so far, the account as the exchange has told it, and its orders.

use std::sync::Arc;

use super::context::{OpenOrder, OrderId};
use super::journal::Journal;
use super::past::Past;
use super::ticket::Ticket;
use crate::engine::{Market, NUMBERS_OF_AN_ORDER, Ready};
use crate::messages::{
    CancelOrder, Charge, Execution, FillKind, NewOrder, OrderStatus, OrderUpdate, Timestamp,
};

/// What goes to the exchange.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instruction {
    Place(NewOrder),
    Cancel(CancelOrder),
}

/// What an account holds of one asset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) lots: i64,
    /// The position at its entry prices.
    pub(super) cost: f64,
    /// Units of one lot.
    lot: f64,
    /// The latest price; zero before the first.
    price: f64,
    /// Whether there was one.
    priced: bool,
}

impl Held {
    pub(super) fn nothing(lot: f64) -> Self {
        Self { lots: 0, cost: 0.0, lot, price: 0.0, priced: false }
    }

    #[inline]
    pub(super) fn units(&self) -> f64 {
        self.lots as f64 * self.lot
    }
}

/// One account, as its trader sees it.
#[derive(Debug)]
pub struct Desk {
    pub(super) past: Past,
    symbols: Arc<[String]>,
    pub(super) held: Vec<Held>,
    /// How many of them are held.
    positions: usize,
    /// Assets without a price yet, for which the strategy waits.
    unpriced: usize,
    /// Whether it waits for all of them.
    ready: Ready,
    pub(super) cash: f64,
    pub(super) equity: f64,
    /// Whether something was filled in the moment at hand.
    pub(super) traded: bool,
    next_order: u32,
    pub(super) open: Vec<OpenOrder>,
    /// Orders that the strategy has cancelled, until the exchange says what became of them.
    leaving: Vec<OpenOrder>,
    pub(super) updates: Vec<OrderUpdate>,
    pub(super) outbox: Vec<Instruction>,
    pub(super) journal: Option<Journal>,
}

impl Desk {
    /// `lots` has the units of a lot of each asset.
    pub(super) fn new(
        past: Past,
        market: &Market,
        symbols: Arc<[String]>,
        lots: &[f64],
        journal: Option<Journal>,
    ) -> Self {
        Self {
            past,
            symbols,
            held: lots.iter().copied().map(Held::nothing).collect(),
            positions: 0,
            unpriced: lots.len(),
            ready: market.ready,
            cash: market.cash,
            equity: market.cash,
            traded: false,
            // 0 is the exchange itself.
            next_order: 1,
            open: Vec::new(),
            leaving: Vec::new(),
            updates: Vec::new(),
            outbox: Vec::new(),
            journal,
        }
    }

    /// The number of an asset.
    pub(super) fn asset(&self, symbol: &str) -> Option<u16> {
        self.symbols.iter().position(|other| other == symbol).map(|at| at as u16)
    }

    pub(super) fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// Whether each asset has a price, or some asset, if that is enough.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.unpriced == 0 || self.ready == Ready::Any
    }

    /// Shows the strategy one moment more, and values the account. `None` if nothing more has happened.
    #[inline]
    pub(super) fn see(&mut self) -> Option<Timestamp> {
        let Self { past, held, unpriced, .. } = self;
        let time = past.see(|asset, price| {
            let held = &mut held[asset];
            if !held.priced {
                held.priced = true;
                *unpriced -= 1;
            }
            held.price = price;
        })?;
        self.value();
        Some(time)
    }

    /// Values the account at the latest prices.
    #[inline]
    pub(super) fn value(&mut self) {
        let mut profits = 0.0;
        if self.holds() {
            for held in self.held.iter().filter(|held| held.lots != 0) {
                profits += held.units() * held.price - held.cost;
            }
        }
        self.equity = self.cash + profits;
    }

    /// The value of all positions, long and short added, as a share of the equity; zero without either.
    pub(super) fn exposure(&self) -> f64 {
        let value: f64 = self.held.iter().map(|held| held.units().abs() * held.price).sum();
        if value > 0.0 && self.equity > 0.0 { value / self.equity } else { 0.0 }
    }

    /// Whether anything is held.
    #[inline]
    pub(super) fn holds(&self) -> bool {
        self.positions != 0
    }

    pub(super) fn send(&mut self, asset: u16, ticket: Ticket, side: f64) -> OrderId {
        self.send_order(asset, ticket, side, side > 0.0)
    }

    /// `side` is that of the size; `buy` what it comes to, which of a target is another matter.
    pub(super) fn send_order(&mut self, asset: u16, ticket: Ticket, side: f64, buy: bool) -> OrderId {
        let number = self.next_order;
        self.next_order = number.wrapping_add(NUMBERS_OF_AN_ORDER);
        let (id, index) = (OrderId(number), self.past.number());
        let open = OpenOrder { id, asset, ticket, buy, opened: false };
        if let Some(journal) = &mut self.journal {
            journal.placed(open, self.past.latest_place(usize::from(asset)));
        }
        if let Some(cause) = ticket.fault() {
            let status = OrderStatus::Rejected;
            let update = OrderUpdate { order: number, index, status, cause, money: 0.0, price: 0.0 };
            self.updates.push(update);
            self.log(&update);
        } else {
            self.open.push(open);
            let lot = self.held[usize::from(asset)].lot;
            self.outbox.push(Instruction::Place(ticket.order(number, index, asset, side, lot)));
        }
        id
    }

    fn log(&mut self, update: &OrderUpdate) {
        if let Some(journal) = &mut self.journal {
            journal.updated(update, self.past.place(update.index));
        }
    }

    pub(super) fn cancel(&mut self, order: OrderId) {
        if let Some(at) = self.open.iter().position(|open| open.id == order) {
            self.leaving.push(self.open.remove(at));
            let after = self.past.number();
            self.outbox.push(Instruction::Cancel(CancelOrder { order: order.0, after }));
        }
    }

    /// Cancels what is left of orders that have entered the position in part.
    pub(super) fn cancel_entries(&mut self, asset: u16) {
        while let Some(open) = self.open.iter().find(|open| open.asset == asset && open.opened) {
            self.cancel(open.id);
        }
    }

    pub(super) fn note(&mut self, line: String) {
        if let Some(journal) = &mut self.journal {
            journal.note(line);
        }
    }

    /// Hears of a trade.
    pub(super) fn executed(&mut self, execution: &Execution) {
        let Some(held) = self.held.get_mut(usize::from(execution.asset)) else { return };
        self.traded = true;
        self.cash = execution.cash;
        held.cost = execution.cost;
        let before = held.lots;
        held.lots = if execution.kind == FillKind::Liquidation { 0 } else { before + execution.quantity };
        self.positions = self.positions + usize::from(held.lots != 0) - usize::from(before != 0);
        let buy = execution.quantity > 0;
        let mut orders = self.open.iter_mut().chain(&mut self.leaving);
        if let Some(open) = orders.find(|open| open.id.0 == execution.order) {
            open.opened |= execution.kind == FillKind::Open;
            if open.ticket.is_target() {
                open.buy = buy;
                if let Some(journal) = &mut self.journal {
                    journal.turned(execution.order, buy);
                }
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.executed(execution, self.past.place(execution.index));
        }
    }

    /// Hears of money for the time.
    pub(super) fn charged(&mut self, charge: &Charge) {
        self.cash = charge.cash;
        if let Some(journal) = &mut self.journal {
            journal.charges.push(*charge);
        }
    }

    /// Hears of an order.
    pub(super) fn updated(&mut self, update: &OrderUpdate) {
        self.updates.push(*update);
        match update.status {
            OrderStatus::Working => self.protect(update),
            OrderStatus::Triggered => {}
            _ => {
                for orders in [&mut self.open, &mut self.leaving] {
                    orders.retain(|open| open.id.0 != update.order);
                }
            }
        }
        self.log(update);
    }

    /// A protective order has become active: its number follows that of its order.
    fn protect(&mut self, update: &OrderUpdate) {
        // Orders count from 1: this one is not ours.
        let Some(before) = update.order.checked_sub(1) else { return };
        let number = update.order - before % NUMBERS_OF_AN_ORDER;
        // One that was cancelled may have been filled before.
        let mut entries = self.open.iter().chain(&self.leaving);
        let Some(entry) = entries.find(|open| open.id.0 == number).copied() else { return };
        let open = OpenOrder { id: OrderId(update.order), buy: !entry.buy, opened: false, ..entry };
        self.open.push(open);
        if let Some(journal) = &mut self.journal {
            journal.placed(open, self.past.place(update.index));
        }
    }
}
