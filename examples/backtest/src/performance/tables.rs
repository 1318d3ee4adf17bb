//! A run as tables of Parquet and Arrow: columns with types, and what was run in their metadata.

use std::io::{self, Write};

use super::export::OrderRow;
use crate::messages::{Bar, Timestamp};
use crate::parquet::ColumnData;
use crate::strategy::{Report, Trade};
use crate::{arrow, parquet};

type Columns = Vec<(String, ColumnData)>;

impl Report {
    /// Trades as Parquet, with the columns of [`write_trades`](Report::write_trades); times are timestamps of
    /// UTC in nanoseconds. `about` goes into the metadata of the file: what was run, on which terms.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_trades_parquet(&self, about: &[(String, String)], out: impl Write + Send) -> io::Result<()> {
        parquet::write_table("trades", &self.trade_columns(), about, out)
    }

    /// The same as an Arrow IPC file, `about` in the metadata of its schema.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_trades_arrow(&self, about: &[(String, String)], out: impl Write) -> io::Result<()> {
        arrow::write_table(&self.trade_columns(), about, out)
    }

    /// The order log as Parquet, with the columns of [`write_orders`](Report::write_orders): a number that
    /// there is not is NaN, a text empty, and the bar on which an order has ended -1.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_orders_parquet(&self, about: &[(String, String)], out: impl Write + Send) -> io::Result<()> {
        parquet::write_table("orders", &self.order_columns(), about, out)
    }

    /// The same as an Arrow IPC file, `about` in the metadata of its schema.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_orders_arrow(&self, about: &[(String, String)], out: impl Write) -> io::Result<()> {
        arrow::write_table(&self.order_columns(), about, out)
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
        parquet::write_table("equity", &self.equity_columns(bars), about, out)
    }

    /// The same as an Arrow IPC file, `about` in the metadata of its schema.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_equity_arrow(
        &self,
        bars: &[Bar],
        about: &[(String, String)],
        out: impl Write,
    ) -> io::Result<()> {
        arrow::write_table(&self.equity_columns(bars), about, out)
    }

    fn trade_columns(&self) -> Columns {
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
        named([
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
        ])
    }

    fn order_columns(&self) -> Columns {
        let rows: Vec<OrderRow<'_>> =
            self.orders.iter().map(|record| OrderRow::of(record, &self.assets)).collect();
        let whole = |of: fn(&OrderRow<'_>) -> i64| ColumnData::Integers(rows.iter().map(of).collect());
        let number = |of: fn(&OrderRow<'_>) -> Option<f64>| {
            ColumnData::Numbers(rows.iter().map(|row| of(row).unwrap_or(f64::NAN)).collect())
        };
        let text = |of: fn(&OrderRow<'_>) -> String| ColumnData::Texts(rows.iter().map(of).collect());
        let data = [
            whole(|row| i64::from(row.order)),
            text(|row| row.asset.to_owned()),
            text(|row| row.side.to_owned()),
            text(|row| row.kind.clone()),
            number(|row| row.size),
            text(|row| row.size_in.unwrap_or_default().to_owned()),
            number(|row| row.limit),
            number(|row| row.stop),
            number(|row| row.trail),
            number(|row| row.stop_loss),
            number(|row| row.take_profit),
            text(|row| row.tag.to_owned()),
            whole(|row| i64::from(row.placed_bar)),
            text(|row| row.status.clone()),
            text(|row| row.cause.clone()),
            whole(|row| row.ended_bar.map_or(-1, i64::from)),
            number(|row| Some(row.filled)),
            number(|row| row.fill_price),
            number(|row| row.money),
            number(|row| row.lot_price),
        ];
        OrderRow::COLUMNS.into_iter().map(str::to_owned).zip(data).collect()
    }

    fn equity_columns(&self, bars: &[Bar]) -> Columns {
        let count = bars.len().min(self.equity.len()).min(self.exposure.len());
        let times = bars[..count].iter().map(|bar| bar.timestamp.as_nanos()).collect();
        named([
            ("timestamp", ColumnData::Times(times)),
            ("equity", ColumnData::Numbers(self.equity[..count].to_vec())),
            ("exposure", ColumnData::Numbers(self.exposure[..count].to_vec())),
        ])
    }
}

fn named<const N: usize>(columns: [(&str, ColumnData); N]) -> Columns {
    columns.into_iter().map(|(name, data)| (name.to_owned(), data)).collect()
}
