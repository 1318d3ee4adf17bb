//! A run as JSON and CSV.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::data::format_timestamp;
use crate::messages::Bar;
use crate::strategy::{OrderRecord, Report};

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
        let mut rows = csv::Writer::from_writer(out);
        for trade in &self.trades {
            rows.serialize(trade)?;
        }
        rows.flush()
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
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["timestamp", "equity"])?;
        for (bar, equity) in bars.iter().zip(&self.equity) {
            rows.write_record([format_timestamp(bar.timestamp), equity.to_string()])?;
        }
        rows.flush()
    }
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
