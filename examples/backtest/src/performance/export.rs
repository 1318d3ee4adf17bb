//! A run as JSON and CSV.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::data::format_timestamp;
use crate::engine::NUMBERS_OF_AN_ORDER;
use crate::messages::{Bar, OrderType};
use crate::strategy::{OpenOrder, OrderRecord, Report, Trade};

impl Report {
    /// Everything but the equity: `assets` (their names), `statistics`, `figures`, `trades`, `open_trades`,
    /// `orders`, `notes`. A figure that is not defined is `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "assets": self.assets,
            "statistics": self.statistics,
            "figures": self.figures,
            "trades": self.trades,
            "open_trades": self.open_trades,
            "orders": self.orders.iter().map(|record| OrderRow::of(record, &self.assets)).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    /// Closed trades as CSV, one row for each, with the names of [`Trade`](crate::strategy::Trade)'s fields
    /// and, last, the asset's `symbol`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_trades(&self, out: impl Write) -> io::Result<()> {
        let names: Vec<&str> = self.assets.iter().map(String::as_str).collect();
        write_trades(&self.trades, &names, out)
    }

    /// The order log as CSV: what was asked for, what became of it and why, and what was filled at which
    /// mean price. `size_in` says in what the size is: `units`, `value`, a share of what can be bought for
    /// (`cash`) or of the `equity`, or `target` and one of them. An order that protects a trade has the
    /// size of the trade.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_orders(&self, out: impl Write) -> io::Result<()> {
        let mut rows = csv::WriterBuilder::new().has_headers(false).from_writer(out);
        rows.write_record(OrderRow::COLUMNS)?;
        for record in &self.orders {
            rows.serialize(OrderRow::of(record, &self.assets))?;
        }
        rows.flush()
    }

    /// Equity and exposure at the close of each bar as CSV. `bars` are those of the run.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_equity(&self, bars: &[Bar], out: impl Write) -> io::Result<()> {
        write_equity(bars, &self.equity, &self.exposure, out)
    }
}

/// The fields of a [`Trade`].
const TRADE_COLUMNS: [&str; 16] = [
    "number",
    "asset",
    "size",
    "entry_bar",
    "exit_bar",
    "entry_time",
    "exit_time",
    "entry_price",
    "exit_price",
    "commission",
    "profit",
    "return_pct",
    "bars",
    "mae_pct",
    "mfe_pct",
    "tag",
];

/// Trades as CSV. `names` are those of the assets by their numbers.
pub(crate) fn write_trades(trades: &[Trade], names: &[&str], out: impl Write) -> io::Result<()> {
    let mut rows = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    // Also without trades.
    rows.write_record(TRADE_COLUMNS.iter().chain(&["symbol"]))?;
    for trade in trades {
        rows.serialize((trade, names.get(usize::from(trade.asset)).copied().unwrap_or_default()))?;
    }
    rows.flush()
}

/// Equity and exposure of each bar as CSV.
pub(crate) fn write_equity(
    bars: &[Bar],
    equity: &[f64],
    exposure: &[f64],
    out: impl Write,
) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(["timestamp", "equity", "exposure"])?;
    for ((bar, equity), exposure) in bars.iter().zip(equity).zip(exposure) {
        rows.write_record([format_timestamp(bar.timestamp), equity.to_string(), exposure.to_string()])?;
    }
    rows.flush()
}

/// An order and what became of it, as a row.
#[derive(serde::Serialize)]
pub(super) struct OrderRow<'a> {
    pub(super) order: u32,
    pub(super) asset: &'a str,
    pub(super) side: &'static str,
    pub(super) kind: String,
    pub(super) size: Option<f64>,
    pub(super) size_in: Option<&'static str>,
    pub(super) limit: Option<f64>,
    pub(super) stop: Option<f64>,
    pub(super) trail: Option<f64>,
    pub(super) stop_loss: Option<f64>,
    pub(super) take_profit: Option<f64>,
    pub(super) tag: &'static str,
    pub(super) placed_bar: u32,
    pub(super) status: String,
    pub(super) cause: String,
    pub(super) ended_bar: Option<u32>,
    pub(super) filled: f64,
    pub(super) fill_price: Option<f64>,
    pub(super) money: Option<f64>,
    pub(super) lot_price: Option<f64>,
}

impl<'a> OrderRow<'a> {
    pub(super) const COLUMNS: [&'static str; 20] = [
        "order",
        "asset",
        "side",
        "kind",
        "size",
        "size_in",
        "limit",
        "stop",
        "trail",
        "stop_loss",
        "take_profit",
        "tag",
        "placed_bar",
        "status",
        "cause",
        "ended_bar",
        "filled",
        "fill_price",
        "money",
        "lot_price",
    ];

    pub(super) fn of(record: &OrderRecord, assets: &'a [String]) -> Self {
        let OpenOrder { id, asset, ticket, buy, .. } = record.order;
        let given = |number: f64| (number != 0.0).then_some(number);
        let [limit, stop, trail, stop_loss, take_profit] = ticket.prices();
        // Orders that protect a trade have the ticket of its entry, and the numbers behind it.
        let (kind, asked, prices) = match id.0.wrapping_sub(1) % NUMBERS_OF_AN_ORDER {
            1 => (OrderType::Stop, None, [0.0, stop_loss, trail, 0.0, 0.0]),
            2 => (OrderType::Limit, None, [take_profit, 0.0, 0.0, 0.0, 0.0]),
            _ => (ticket.kind(), Some(ticket.asked()), [limit, stop, trail, stop_loss, take_profit]),
        };
        let [limit, stop, trail, stop_loss, take_profit] = prices.map(given);
        Self {
            order: id.0,
            asset: assets.get(usize::from(asset)).map_or("", String::as_str),
            side: if buy { "buy" } else { "sell" },
            kind: format!("{kind:?}"),
            size: asked.map(|(size, _)| size),
            size_in: asked.map(|(_, unit)| unit),
            limit,
            stop,
            trail,
            stop_loss,
            take_profit,
            tag: ticket.tag,
            placed_bar: record.placed_bar,
            status: format!("{:?}", record.status),
            cause: format!("{:?}", record.cause),
            ended_bar: record.ended_bar,
            filled: record.filled,
            fill_price: given(record.price),
            money: given(record.money),
            lot_price: given(record.lot_price),
        }
    }
}
