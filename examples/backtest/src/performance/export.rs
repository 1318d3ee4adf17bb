//! A run as JSON and CSV.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::data::format_timestamp;
use crate::engine::NUMBERS_OF_AN_ORDER;
use crate::messages::{Bar, OrderType, Timestamp};
use crate::parquet::{ColumnData, write_table};
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

    /// Trades as Parquet, with the columns of [`write_trades`](Report::write_trades); times are timestamps of
    /// UTC in nanoseconds. `about` goes into the metadata of the file: what was run, on which terms.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_trades_parquet(&self, about: &[(String, String)], out: impl Write + Send) -> io::Result<()> {
        let trades = &self.trades;
        let whole = |of: fn(&Trade) -> u32| {
            ColumnData::Integers(trades.iter().map(|trade| i64::from(of(trade))).collect())
        };
        let time = |of: fn(&Trade) -> Timestamp| {
            ColumnData::Times(trades.iter().map(|trade| of(trade).as_nanos()).collect())
        };
        let number = |of: fn(&Trade) -> f64| ColumnData::Numbers(trades.iter().map(of).collect());
        let symbol = |trade: &Trade| self.assets.get(usize::from(trade.asset)).cloned().unwrap_or_default();
        let tags = ColumnData::Texts(trades.iter().map(|trade| trade.tag.to_owned()).collect());
        let columns = [
            ("number", whole(|trade| trade.number)),
            ("asset", whole(|trade| u32::from(trade.asset))),
            ("size", number(|trade| trade.size)),
            ("entry_bar", whole(|trade| trade.entry_bar)),
            ("exit_bar", whole(|trade| trade.exit_bar)),
            ("entry_time", time(|trade| trade.entry_time)),
            ("exit_time", time(|trade| trade.exit_time)),
            ("entry_price", number(|trade| trade.entry_price)),
            ("exit_price", number(|trade| trade.exit_price)),
            ("commission", number(|trade| trade.commission)),
            ("profit", number(|trade| trade.profit)),
            ("return_pct", number(|trade| trade.return_pct)),
            ("bars", whole(|trade| trade.bars)),
            ("mae_pct", number(|trade| trade.mae_pct)),
            ("mfe_pct", number(|trade| trade.mfe_pct)),
            ("tag", tags),
            ("symbol", ColumnData::Texts(trades.iter().map(symbol).collect())),
        ];
        let columns = columns.map(|(name, data)| (name.to_owned(), data));
        write_table("trades", &columns, about, out)
    }

    /// The equity at the close of each bar as Parquet: `timestamp`, `equity` and `exposure`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_equity_parquet(
        &self,
        bars: &[Bar],
        about: &[(String, String)],
        out: impl Write + Send,
    ) -> io::Result<()> {
        let count = bars.len().min(self.equity.len()).min(self.exposure.len());
        let times = bars[..count].iter().map(|bar| bar.timestamp.as_nanos()).collect();
        let columns = [
            ("timestamp".to_owned(), ColumnData::Times(times)),
            ("equity".to_owned(), ColumnData::Numbers(self.equity[..count].to_vec())),
            ("exposure".to_owned(), ColumnData::Numbers(self.exposure[..count].to_vec())),
        ];
        write_table("equity", &columns, about, out)
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
struct OrderRow<'a> {
    order: u32,
    asset: &'a str,
    side: &'static str,
    kind: String,
    size: Option<f64>,
    size_in: Option<&'static str>,
    limit: Option<f64>,
    stop: Option<f64>,
    trail: Option<f64>,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
    tag: &'static str,
    placed_bar: u32,
    status: String,
    cause: String,
    ended_bar: Option<u32>,
    filled: f64,
    fill_price: Option<f64>,
    money: Option<f64>,
    lot_price: Option<f64>,
}

impl<'a> OrderRow<'a> {
    const COLUMNS: [&'static str; 20] = [
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

    fn of(record: &OrderRecord, assets: &'a [String]) -> Self {
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
