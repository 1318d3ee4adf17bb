//! What a run leaves in full: trades, orders, the curve of the equity, remarks.

use std::collections::{HashMap, VecDeque};
use std::io;

use mycelium::sweep::{SharedSlice, SpillWriter};

use super::context::OpenOrder;
use crate::messages::{
    Charge, Execution, FillKind, OrderCause, OrderStatus, OrderType, OrderUpdate, Timestamp,
};
use crate::spill;

/// Most remarks that are kept; what comes after is counted.
const NOTES_MAX: usize = 1_000;

/// A trade that was closed: what one entry and one exit have in common. An entry that was closed in parts is
/// several.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Trade {
    /// Number of the entry, from 1.
    pub number: u32,
    /// Number of the asset: its place among those of the backtest.
    pub asset: u16,
    /// Units; negative when short.
    pub size: f64,
    /// Number of the bar of the entry, in the asset's series.
    pub entry_bar: u32,
    /// Number of the bar of the exit.
    pub exit_bar: u32,
    /// When the bar of the entry began.
    #[serde(serialize_with = "as_text")]
    pub entry_time: Timestamp,
    /// When the bar of the exit began.
    #[serde(serialize_with = "as_text")]
    pub exit_time: Timestamp,
    /// Price of the entry with its spread and slippage.
    pub entry_price: f64,
    /// Price of the exit with its slippage.
    pub exit_price: f64,
    /// Commissions of entry and exit, in units of the currency.
    pub commission: f64,
    /// Profit net of commissions, in units of the currency.
    pub profit: f64,
    /// Profit over the value at the entry, in percent.
    pub return_pct: f64,
    /// Bars held: exit less entry.
    pub bars: u32,
    /// Maximal adverse excursion: the most it was under water, over the entry price, in percent; zero or
    /// negative. The bars of entry and exit count whole.
    pub mae_pct: f64,
    /// Maximal favourable excursion: the most it was ahead, over the entry price, in percent; zero or
    /// positive.
    pub mfe_pct: f64,
    /// The word that the order bore.
    pub tag: &'static str,
}

/// An order and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRecord {
    /// The order.
    pub order: OpenOrder,
    /// Number of the bar on which it was decided, or on which a protective order became active.
    pub placed_bar: u32,
    /// What became of it; [`OrderStatus::Working`] while it works.
    pub status: OrderStatus,
    /// Why.
    pub cause: OrderCause,
    /// Number of the bar on which it ended.
    pub ended_bar: Option<u32>,
    /// Units that were filled.
    pub filled: f64,
    /// Their mean price, with spread and slippage; zero if nothing was filled.
    pub price: f64,
    /// What could be spent, if money was the cause.
    pub money: f64,
    /// What a lot would have cost, if money was the cause.
    pub lot_price: f64,
}

impl OrderRecord {
    /// Whether it has opened a trade at a limit, or added to one.
    pub(crate) fn has_entered_at_limit(&self) -> bool {
        let limited = matches!(self.order.ticket.kind(), OrderType::Limit | OrderType::StopLimit);
        limited && self.order.opened && self.filled > 0.0
    }
}

/// An entry that is not closed, or not wholly.
#[derive(Clone, Copy, Debug)]
struct OpenEntry {
    number: u32,
    asset: u16,
    lots: i64,
    index: u32,
    timestamp: Timestamp,
    price: f64,
    /// Of what is left of it.
    commission: f64,
    tag: &'static str,
}

/// Equity and exposure at each moment. There may be more of them than memory has.
#[derive(Debug)]
pub(super) struct RunCurves {
    equity: SpillWriter<f64>,
    exposure: SpillWriter<f64>,
    /// Why there is no file for them, once there is none: what comes behind is not kept.
    fault: Option<io::Error>,
}

impl Default for RunCurves {
    fn default() -> Self {
        Self { equity: spill::writer(), exposure: spill::writer(), fault: None }
    }
}

impl RunCurves {
    /// Adds a moment.
    #[inline]
    pub(super) fn push(&mut self, equity: f64, exposure: f64) {
        if self.fault.is_none() {
            let pushed = self.equity.push(equity).and_then(|()| self.exposure.push(exposure));
            self.fault = pushed.err();
        }
    }

    /// What the account came to at the last moment, after all.
    pub(super) fn settle(&mut self, equity: f64, exposure: f64) {
        for (curve, value) in [(&mut self.equity, equity), (&mut self.exposure, exposure)] {
            if let Some(last) = curve.as_mut_slice().last_mut() {
                *last = value;
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<(SharedSlice<f64>, SharedSlice<f64>)> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok((self.equity.finish()?, self.exposure.finish()?)),
        }
    }
}

/// Keeps everything, for one run that is looked at.
#[derive(Debug)]
pub struct Journal {
    /// Units of a lot of each asset.
    lots: Vec<f64>,
    /// Their numbers rise, and the first is closed first in nearly all cases: neither grows with their count.
    entries: VecDeque<OpenEntry>,
    pub(super) trades: Vec<Trade>,
    pub(super) orders: Vec<OrderRecord>,
    places: HashMap<u32, usize>,
    pub(super) curves: RunCurves,
    pub(super) charges: Vec<Charge>,
    pub(super) notes: Vec<String>,
    /// Remarks beyond [`NOTES_MAX`].
    pub(super) notes_dropped: usize,
}

impl Journal {
    pub(super) fn new(lots: Vec<f64>) -> Self {
        Self {
            lots,
            charges: Vec::new(),
            entries: VecDeque::new(),
            trades: Vec::new(),
            orders: Vec::new(),
            places: HashMap::new(),
            curves: RunCurves::default(),
            notes: Vec::new(),
            notes_dropped: 0,
        }
    }

    pub(super) fn placed(&mut self, order: OpenOrder, index: u32) {
        self.places.insert(order.id.0, self.orders.len());
        self.orders.push(OrderRecord {
            order,
            placed_bar: index,
            status: OrderStatus::Working,
            cause: OrderCause::NotApplicable,
            ended_bar: None,
            filled: 0.0,
            price: 0.0,
            money: 0.0,
            lot_price: 0.0,
        });
    }

    /// A target was filled, which tells its side.
    pub(super) fn turned(&mut self, order: u32, buy: bool) {
        if let Some(record) = self.places.get(&order).and_then(|at| self.orders.get_mut(*at)) {
            record.order.buy = buy;
        }
    }

    pub(super) fn updated(&mut self, update: &OrderUpdate, place: u32) {
        let Some(record) = self.places.get(&update.order).and_then(|at| self.orders.get_mut(*at)) else {
            return;
        };
        if matches!(update.status, OrderStatus::Working | OrderStatus::Triggered) {
            return;
        }
        record.status = update.status;
        record.cause = update.cause;
        record.ended_bar = Some(place);
        record.money = update.money;
        record.lot_price = update.price;
    }

    pub(super) fn note(&mut self, line: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(line);
        } else {
            self.notes_dropped += 1;
        }
    }

    fn units(&self, asset: u16, lots: i64) -> f64 {
        lots as f64 * self.lots.get(usize::from(asset)).copied().unwrap_or(1.0)
    }

    /// Books a fill, and a trade, at its place in the series of its asset.
    pub(super) fn executed(&mut self, execution: &Execution, place: u32) {
        let units = self.units(execution.asset, execution.quantity).abs();
        if let Some(record) = self.places.get(&execution.order).and_then(|at| self.orders.get_mut(*at)) {
            let value = record.price * record.filled + execution.price * units;
            record.filled += units;
            record.price = value / record.filled;
            record.order.opened |= execution.kind == FillKind::Open;
        }
        let found = self.entries.binary_search_by_key(&execution.trade, |entry| entry.number);
        if execution.kind == FillKind::Open {
            return self.opened(found, execution, place);
        }
        let Ok(at) = found else { return };
        let entry = &mut self.entries[at];
        let lots = -execution.quantity;
        // A part bears its share of what the entry has cost.
        let paid = entry.commission * (lots as f64 / entry.lots as f64);
        let before = *entry;
        entry.lots -= lots;
        entry.commission -= paid;
        if entry.lots == 0 {
            self.entries.remove(at);
        }
        let size = self.units(before.asset, lots);
        self.trades.push(closed(&before, size, paid, execution, place));
    }

    /// Adds to the entry that was found, or makes one where it would have been.
    fn opened(&mut self, found: Result<usize, usize>, execution: &Execution, place: u32) {
        if let Some(entry) = found.ok().and_then(|at| self.entries.get_mut(at)) {
            // One more part of an order.
            let value = entry.price * entry.lots as f64 + execution.price * execution.quantity as f64;
            entry.lots += execution.quantity;
            entry.price = value / entry.lots as f64;
            entry.commission += execution.commission;
            return;
        }
        let order = self.places.get(&execution.order).and_then(|at| self.orders.get(*at));
        let entry = OpenEntry {
            number: execution.trade,
            asset: execution.asset,
            lots: execution.quantity,
            index: place,
            timestamp: execution.timestamp,
            price: execution.price,
            commission: execution.commission,
            tag: order.map_or("", |record| record.order.ticket.tag),
        };
        self.entries.insert(found.unwrap_or_else(|at| at), entry);
    }

    /// Entries that are open still: number, units, bar and price.
    pub(super) fn open_trades(&self) -> Vec<OpenPosition> {
        let row = |entry: &OpenEntry| OpenPosition {
            number: entry.number,
            asset: entry.asset,
            size: self.units(entry.asset, entry.lots),
            entry_bar: entry.index,
            entry_price: entry.price,
            tag: entry.tag,
        };
        self.entries.iter().map(row).collect()
    }
}

/// A trade that was open when the run ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OpenPosition {
    /// Number of the entry.
    pub number: u32,
    /// Number of the asset.
    pub asset: u16,
    /// Units; negative when short.
    pub size: f64,
    /// Number of the bar of the entry.
    pub entry_bar: u32,
    /// Price of the entry.
    pub entry_price: f64,
    /// The word that the order bore.
    pub tag: &'static str,
}

fn closed(entry: &OpenEntry, size: f64, paid: f64, exit: &Execution, place: u32) -> Trade {
    let commission = paid + exit.commission;
    let gross = size * (exit.price - entry.price);
    let value = size.abs() * entry.price;
    Trade {
        number: entry.number,
        asset: entry.asset,
        size,
        entry_bar: entry.index,
        exit_bar: place,
        entry_time: entry.timestamp,
        exit_time: exit.timestamp,
        entry_price: entry.price,
        exit_price: exit.price,
        commission,
        profit: gross - commission,
        return_pct: (size.signum() * (exit.price / entry.price - 1.0) - commission / value) * 100.0,
        bars: place.saturating_sub(entry.index),
        // Found when the run is over.
        mae_pct: 0.0,
        mfe_pct: 0.0,
        tag: entry.tag,
    }
}

fn as_text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::data::format_timestamp(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buyer who never closes has as many entries open as fills, and the end closes them all.
    #[test]
    fn a_fill_costs_the_same_among_many_open_trades() {
        const FILLS: u32 = 200_000;
        let mut journal = Journal::new(vec![1.0]);
        let execution = |trade: u32, kind, quantity| Execution {
            trade,
            kind,
            quantity,
            price: f64::from(trade),
            ..Execution::default()
        };
        (1..=FILLS).for_each(|trade| journal.executed(&execution(trade, FillKind::Open, 2), trade));
        assert_eq!(journal.open_trades().len(), FILLS as usize);
        // A part more of each, then all are closed, the first first.
        (1..=FILLS).for_each(|trade| journal.executed(&execution(trade, FillKind::Open, 1), trade));
        (1..=FILLS).for_each(|trade| journal.executed(&execution(trade, FillKind::Close, -3), FILLS));
        assert!(journal.open_trades().is_empty());
        assert_eq!(journal.trades.len(), FILLS as usize);
        let last = journal.trades.last().expect("all of them");
        assert_eq!((last.number, last.size, last.entry_price), (FILLS, 3.0, f64::from(FILLS)));
        // One from the middle, as what protects it closes it.
        (1..=9).for_each(|trade| journal.executed(&execution(FILLS + trade, FillKind::Open, 1), 1));
        journal.executed(&execution(FILLS + 5, FillKind::Close, -1), 2);
        let open: Vec<u32> = journal.open_trades().iter().map(|trade| trade.number - FILLS).collect();
        assert_eq!(open, [1, 2, 3, 4, 6, 7, 8, 9]);
    }
}
