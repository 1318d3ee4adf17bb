//! The exchange simulator's decisions: orders and bars in, fills out.

use crate::account::{Account, commission};
use crate::config::{FillAt, Terms};
use crate::limits::ORDERS_MAX;
use crate::messages::{Bar, Fill, FillKind, Order, OrderKind, Timestamp};

/// Most fills of one bar: close, open, liquidate.
const FILLS_MAX: usize = 3;

/// The fills of one bar, in the sequence in which they happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fills {
    fills: [Option<Fill>; FILLS_MAX],
    count: usize,
}

/// An order came while [`ORDERS_MAX`] were waiting for the next bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueFull(pub Order);

/// What the broker remembers of the latest bar.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    timestamp: Timestamp,
    open: f64,
    close: f64,
    previous_close: f64,
    index: u32,
}

/// Fills the orders of one account against the bars of one instrument.
///
/// An order placed after a bar is filled while the next bar is processed: at that bar's open, or at the close
/// of the bar before ([`FillAt`]). Entries pay the spread, exits do not. An account whose equity reaches zero
/// is liquidated for good.
#[derive(Clone, Debug)]
pub struct Broker {
    terms: Terms,
    account: Account,
    orders: [Option<Order>; ORDERS_MAX],
    queued: usize,
    /// The latest bar; before the first one, none whose fields matter.
    latest: Latest,
}

impl Broker {
    /// A flat account with the cash of the terms.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        let account = Account::new(terms.cash);
        Self { terms, account, orders: [None; ORDERS_MAX], queued: 0, latest: Latest::default() }
    }

    /// Processes a bar. `None` if nothing was filled, which is the usual case.
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) -> Option<Fills> {
        self.latest = Latest {
            timestamp: bar.timestamp,
            open: bar.open,
            close: bar.close,
            previous_close: self.latest.close,
            index: bar.index,
        };
        if self.queued == 0 && self.account.position >= 0 && self.account.cash > 0.0 {
            return None;
        }
        Some(self.fill())
    }

    /// Keeps an order for the next bar.
    ///
    /// # Errors
    /// The order, if the queue is full.
    pub fn place(&mut self, order: Order) -> Result<(), QueueFull> {
        let slot = self.orders.get_mut(self.queued).ok_or(QueueFull(order))?;
        *slot = Some(order);
        self.queued += 1;
        Ok(())
    }

    /// Ends the session: closes the open position by processing the last bar once more.
    ///
    /// Orders that still wait are dropped, for there is no next bar to fill them.
    pub fn end(&mut self) -> Fills {
        self.queued = 0;
        if self.account.position != 0 {
            let timestamp = self.latest.timestamp;
            self.orders[0] = Some(Order { timestamp, units: 0, kind: OrderKind::Close });
            self.queued = 1;
        }
        self.fill()
    }

    /// The close of the latest bar; zero before the first.
    #[must_use]
    pub fn last_close(&self) -> f64 {
        self.latest.close
    }

    fn fill(&mut self) -> Fills {
        let mut fills = Fills::default();
        for at in 0..std::mem::take(&mut self.queued) {
            if let Some(fill) = self.orders[at].take().and_then(|order| self.execute(&order)) {
                self.book(fill, &mut fills);
            }
        }
        let Latest { timestamp, close, index, .. } = self.latest;
        if self.account.cash != 0.0 && self.account.equity(close) <= 0.0 {
            let (quantity, kind) = (-self.account.position, FillKind::Liquidation);
            self.book(Fill { timestamp, quantity, price: close, commission: 0.0, index, kind }, &mut fills);
        }
        fills
    }

    fn execute(&self, order: &Order) -> Option<Fill> {
        let latest = self.latest;
        let timestamp = latest.timestamp;
        let (price, index) = match self.terms.fill {
            FillAt::NextOpen => (latest.open, latest.index),
            FillAt::OnClose => (latest.previous_close, latest.index.saturating_sub(1)),
        };
        let direction = match order.kind {
            OrderKind::Buy => 1.0,
            OrderKind::Sell => -1.0,
            OrderKind::Close if self.account.position == 0 => return None,
            OrderKind::Close => {
                let quantity = -self.account.position;
                let commission = commission(quantity, price, &self.terms);
                let kind = FillKind::Close;
                return Some(Fill { timestamp, quantity, price, commission, index, kind });
            }
        };
        // One position at a time: an entry waits for nothing and adds to nothing.
        if self.account.position != 0 {
            return None;
        }
        let entry = self.account.size(direction, order.units, price, &self.terms)?;
        Some(Fill {
            timestamp,
            quantity: entry.quantity,
            price: entry.price,
            commission: entry.commission,
            index,
            kind: FillKind::Open,
        })
    }

    fn book(&mut self, fill: Fill, fills: &mut Fills) {
        self.account.apply(&fill);
        fills.fills[fills.count] = Some(fill);
        fills.count += 1;
    }
}

impl IntoIterator for Fills {
    type Item = Fill;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Fill>, FILLS_MAX>>;

    fn into_iter(self) -> Self::IntoIter {
        self.fills.into_iter().flatten()
    }
}

impl std::fmt::Display for QueueFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the exchange holds {ORDERS_MAX} orders until the next bar, and this one came on top: {:?}",
            self.0
        )
    }
}

impl std::error::Error for QueueFull {}
