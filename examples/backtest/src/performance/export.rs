//! A run as JSON and CSV.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::data::format_timestamp;
use crate::messages::{Bar, Timestamp};
use crate::parquet::{ColumnData, write_table};
use crate::strategy::{OrderRecord, Report, Trade};

impl Report {
    /// Everything but the equity: `statistics`, `figures`, `trades`, `open_trades`, `orders`, `notes`. What
    /// is not defined is `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "statistics": self.statistics,
            "figures": self.figures,
            "trades": self.trades,
            "open_trades": self.open_trades,
            "orders": self.orders.iter().map(order).collect::<Vec<Value>>(),
            "notes": self.notes,
        })
    }

    /// Closed trades as CSV, one row for each, with the names of [`Trade`](crate::strategy::Trade)'s fields.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_trades(&self, out: impl Write) -> io::Result<()> {
        write_trades(&self.trades, out)
    }

    /// The order log as CSV: order, side, ticket, bars and what became of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_orders(&self, out: impl Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["order", "side", "tag", "placed_bar", "status", "cause", "ended_bar"])?;
        for record in &self.orders {
            rows.write_record([
                record.order.id.0.to_string(),
                side(record).to_owned(),
                record.order.ticket.tag.to_owned(),
                record.placed_bar.to_string(),
                format!("{:?}", record.status),
                format!("{:?}", record.cause),
                record.ended_bar.map(|bar| bar.to_string()).unwrap_or_default(),
            ])?;
        }
        rows.flush()
    }

    /// The equity at the close of each bar as CSV. `bars` are those of the run.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_equity(&self, bars: &[Bar], out: impl Write) -> io::Result<()> {
        write_equity(bars, &self.equity, out)
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
        ];
        let columns = columns.map(|(name, data)| (name.to_owned(), data));
        write_table("trades", &columns, about, out)
    }

    /// The equity at the close of each bar as Parquet: `timestamp` and `equity`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_equity_parquet(
        &self,
        bars: &[Bar],
        about: &[(String, String)],
        out: impl Write + Send,
    ) -> io::Result<()> {
        let count = bars.len().min(self.equity.len());
        let times = bars[..count].iter().map(|bar| bar.timestamp.as_nanos()).collect();
        let columns = [
            ("timestamp".to_owned(), ColumnData::Times(times)),
            ("equity".to_owned(), ColumnData::Numbers(self.equity[..count].to_vec())),
        ];
        write_table("equity", &columns, about, out)
    }
}

/// Trades as CSV.
pub(crate) fn write_trades(trades: &[Trade], out: impl Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    for trade in trades {
        rows.serialize(trade)?;
    }
    rows.flush()
}

/// The equity of each bar as CSV.
pub(crate) fn write_equity(bars: &[Bar], equity: &[f64], out: impl Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(["timestamp", "equity"])?;
    for (bar, equity) in bars.iter().zip(equity) {
        rows.write_record([format_timestamp(bar.timestamp), equity.to_string()])?;
    }
    rows.flush()
}

fn side(record: &OrderRecord) -> &'static str {
    if record.order.buy { "buy" } else { "sell" }
}

fn order(record: &OrderRecord) -> Value {
    json!({
        "order": record.order.id.0,
        "side": side(record),
        "tag": record.order.ticket.tag,
        "placed_bar": record.placed_bar,
        "status": format!("{:?}", record.status),
        "cause": format!("{:?}", record.cause),
        "ended_bar": record.ended_bar,
    })
}
