//! What a trader knows: the bars so far, the account as the exchange has told it, and its orders.

use std::sync::Arc;

use super::context::{OpenOrder, OrderId};
use super::journal::Journal;
use super::ticket::Ticket;
use crate::limits::LOOKBACK_BARS;
use crate::messages::{
    Bar, CancelOrder, Execution, FillKind, NewOrder, OrderCause, OrderStatus, OrderUpdate,
};

/// Numbers that one order takes: its own, and those of its stop loss and its take profit.
const NUMBERS_OF_AN_ORDER: u32 = 3;

/// The bars so far.
#[derive(Clone, Debug)]
pub(super) enum Past {
    /// All of them are in memory, shared by all runs; so many have been seen.
    Shared { bars: Arc<[Bar]>, seen: usize },
    /// The latest, as they came.
    Own(Vec<Bar>),
}

/// What goes to the exchange.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instruction {
    Place(NewOrder),
    Cancel(CancelOrder),
}

/// One account, as its trader sees it.
#[derive(Clone, Debug)]
pub struct Desk {
    past: Past,
    lot: f64,
    pub(super) lots: i64,
    pub(super) cash: f64,
    /// The position at its entry prices.
    pub(super) cost: f64,
    pub(super) equity: f64,
    /// Whether something was filled in the bar at hand.
    pub(super) traded: bool,
    pub(super) next_order: u32,
    pub(super) open: Vec<OpenOrder>,
    pub(super) updates: Vec<OrderUpdate>,
    pub(super) outbox: Vec<Instruction>,
    pub(super) journal: Option<Journal>,
}

impl Desk {
    pub(super) fn new(past: Past, cash: f64, lot: f64, journal: Option<Journal>) -> Self {
        Self {
            past,
            lot,
            lots: 0,
            cash,
            cost: 0.0,
            equity: cash,
            traded: false,
            // 0 is the exchange itself.
            next_order: 1,
            open: Vec::new(),
            updates: Vec::new(),
            outbox: Vec::new(),
            journal,
        }
    }

    /// Takes the next bar into the past, and values the account at its close.
    #[inline]
    pub(super) fn see(&mut self, bar: &Bar) {
        match &mut self.past {
            Past::Shared { seen, .. } => *seen += 1,
            Past::Own(bars) => remember(bars, bar),
        }
        self.value(bar.close);
    }

    #[inline]
    pub(super) fn value(&mut self, close: f64) {
        self.equity = self.cash + (self.units() * close - self.cost);
    }

    #[inline]
    pub(super) fn bar(&self) -> &Bar {
        match &self.past {
            Past::Shared { bars, seen } => &bars[seen - 1],
            Past::Own(bars) => &bars[bars.len() - 1],
        }
    }

    pub(super) fn bars(&self) -> &[Bar] {
        match &self.past {
            Past::Shared { bars, seen } => &bars[..*seen],
            Past::Own(bars) => bars,
        }
    }

    #[inline]
    pub(super) fn units(&self) -> f64 {
        self.lots as f64 * self.lot
    }

    pub(super) fn send(&mut self, ticket: Ticket, side: f64) -> OrderId {
        let number = self.next_order;
        self.next_order += NUMBERS_OF_AN_ORDER;
        let (id, index) = (OrderId(number), self.bar().index);
        let open = OpenOrder { id, ticket, buy: side > 0.0 };
        if let Some(journal) = &mut self.journal {
            journal.placed(open, index);
        }
        let bad = ticket.is_no_number() || ticket.has_bad_price();
        if bad {
            let (status, cause) = (OrderStatus::Rejected, OrderCause::BadPrice);
            let update = OrderUpdate { order: number, index, status, cause, money: 0.0, price: 0.0 };
            self.updates.push(update);
            if let Some(journal) = &mut self.journal {
                journal.updated(&update);
            }
        } else {
            self.open.push(open);
            self.outbox.push(Instruction::Place(ticket.order(number, index, side, self.lot)));
        }
        id
    }

    pub(super) fn cancel(&mut self, order: OrderId) {
        if let Some(at) = self.open.iter().position(|open| open.id == order) {
            self.open.remove(at);
            let after = self.bar().index;
            self.outbox.push(Instruction::Cancel(CancelOrder { order: order.0, after }));
        }
    }

    pub(super) fn note(&mut self, line: String) {
        if let Some(journal) = &mut self.journal {
            journal.note(line);
        }
    }

    /// Hears of a trade.
    pub(super) fn executed(&mut self, execution: &Execution) {
        self.traded = true;
        self.cash = execution.cash;
        self.cost = execution.cost;
        self.lots += execution.quantity;
        if execution.kind == FillKind::Liquidation {
            self.lots = 0;
        }
        if let Some(journal) = &mut self.journal {
            journal.executed(execution);
        }
    }

    /// Hears of an order.
    pub(super) fn updated(&mut self, update: &OrderUpdate) {
        self.updates.push(*update);
        match update.status {
            OrderStatus::Working => self.protect(update),
            OrderStatus::Triggered => {}
            _ => self.open.retain(|open| open.id.0 != update.order),
        }
        if let Some(journal) = &mut self.journal {
            journal.updated(update);
        }
    }

    /// A protective order has become active: its number follows that of its order.
    fn protect(&mut self, update: &OrderUpdate) {
        let number = update.order - (update.order - 1) % NUMBERS_OF_AN_ORDER;
        let Some(entry) = self.open.iter().find(|open| open.id.0 == number).copied() else { return };
        let open = OpenOrder { id: OrderId(update.order), buy: !entry.buy, ..entry };
        self.open.push(open);
        if let Some(journal) = &mut self.journal {
            journal.placed(open, update.index);
        }
    }
}

/// Keeps the latest bars: when there are twice as many as are wanted, the older half goes.
fn remember(bars: &mut Vec<Bar>, bar: &Bar) {
    if bars.len() == 2 * LOOKBACK_BARS {
        bars.drain(..LOOKBACK_BARS);
    }
    bars.push(*bar);
}
