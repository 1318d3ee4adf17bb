//! Tables whose columns have types, those of Parquet and Arrow: the rows of one symbol, batch by batch.

use std::borrow::Cow;

use super::columns::Header;
use super::kinds::{BarRow, Loaded, PriceRow};
use super::rows::{Fault, Fields, Rows, Symbols, decimal_point, time_of};
use super::{Decimal, DroppedRows, LoadError, ReadOptions, RowError};
use crate::depth::Depth;
use crate::messages::{Quote, Tick, Timestamp};
use crate::tape::PriceKind;

/// A table that is read batch by batch.
pub(super) trait Table {
    /// The next rows of the columns of these numbers, equally many of each; `None` at the end.
    fn next(&mut self, used: &[usize]) -> Result<Option<Vec<Vec<Cell>>>, LoadError>;
}

/// Reads the rows of one symbol. Columns are found by their names, as in CSV. Times are timestamps, dates,
/// text, or integers as they may stand in CSV. With `bars`, other rows are an error.
pub(super) fn load(
    table: impl Table,
    fields: &::csv::StringRecord,
    options: &ReadOptions,
    name: &str,
    bars: bool,
) -> Result<(Loaded, DroppedRows), LoadError> {
    let header = Header::new(fields, 1, options)?;
    match header.kind()? {
        PriceKind::Bars => rows::<BarRow>(table, fields, &header, options, name),
        kind if bars => Err(LoadError::OtherKind(kind)),
        PriceKind::Quotes => rows::<Quote>(table, fields, &header, options, name),
        PriceKind::Ticks => rows::<Tick>(table, fields, &header, options, name),
        PriceKind::Depth => rows::<Depth>(table, fields, &header, options, name),
    }
}

fn rows<R: PriceRow>(
    mut table: impl Table,
    fields: &::csv::StringRecord,
    header: &Header<'_>,
    options: &ReadOptions,
    name: &str,
) -> Result<(Loaded, DroppedRows), LoadError> {
    let (times, columns) = (header.times()?, R::columns(header)?);
    let place = |row, at: usize, cause| LoadError::ParquetRow { row, column: fields[at].to_owned(), cause };
    let mut rows = Rows::<R>::new(options, times, columns, &place);
    let mut symbols = Symbols::new(options.symbol.as_deref());
    let mut row = 0;
    // The date is first, and each column once.
    let mut used = vec![times.date];
    for at in R::used(&columns).into_iter().chain(times.time).chain(times.symbol) {
        if !used.contains(&at) {
            used.push(at);
        }
    }
    while let Some(read) = table.next(&used)? {
        let mut batch = Batch { columns: vec![Vec::new(); fields.len()], options };
        for (at, cells) in used.iter().zip(read) {
            batch.columns[*at] = cells;
        }
        for at in 0..batch.columns[times.date].len() {
            row += 1;
            let wanted = match times.symbol {
                None => true,
                Some(symbol) => symbols.select(&symbol_of(batch.columns[symbol].get(at), &fields[symbol])?),
            };
            if wanted {
                rows.add(row, &BatchRow { batch: &batch, row: at })?;
            }
        }
    }
    rows.finish(symbols.chosen(times.symbol.is_some(), name)?)
}

/// The symbol of a row, in the column of this name. One that is missing has no name, as in CSV.
fn symbol_of<'a>(cell: Option<&'a Cell>, column: &str) -> Result<Cow<'a, str>, LoadError> {
    let refused = |holds| Err(LoadError::SymbolColumn { column: column.to_owned(), holds });
    match cell {
        Some(Cell::Text(name)) => Ok(Cow::Borrowed(name)),
        Some(Cell::Integer(number)) => Ok(Cow::Owned(number.to_string())),
        Some(Cell::Missing) | None => Ok(Cow::Borrowed("")),
        Some(Cell::Number(_)) => refused("floats, or integers beyond 63 bits"),
        Some(Cell::Time(_)) => refused("times"),
    }
}

/// One value of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Missing,
    Number(f64),
    /// An integer, which may be an amount or a time.
    Integer(i64),
    /// Nanoseconds since 1970; `None` of a time that they do not hold. It is never an integer, which would be
    /// read as a time of another unit.
    Time(Option<i64>),
    Text(String),
}

impl Cell {
    /// Text without letters is what an empty field of CSV is.
    fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}

/// The columns of some rows, by their numbers; those that are not used are empty.
struct Batch<'a> {
    columns: Vec<Vec<Cell>>,
    options: &'a ReadOptions,
}

/// One of these rows.
struct BatchRow<'a> {
    batch: &'a Batch<'a>,
    row: usize,
}

impl BatchRow<'_> {
    fn cell(&self, at: usize) -> Option<&Cell> {
        self.batch.columns[at].get(self.row)
    }

    /// As `cell`, and `None` of one that is missing.
    fn value(&self, at: usize) -> Option<&Cell> {
        self.cell(at).filter(|cell| !cell.is_missing())
    }

    fn timestamp(&self, date: usize, time: Option<usize>) -> Result<Timestamp, RowError> {
        let read = |text: &str| time_of(self.batch.options, text);
        let in_ns = |ns: Option<i64>| ns.map(Timestamp::from_nanos).ok_or(RowError::TimeBeyond);
        match (self.value(date), time.and_then(|time| self.cell(time))) {
            (None, _) => Err(RowError::Missing),
            (Some(Cell::Time(ns)), None) => in_ns(*ns),
            // Both in nanoseconds: a date, and the time of day.
            (Some(Cell::Time(date)), Some(Cell::Time(day))) => {
                in_ns(date.zip(*day).and_then(|(date, day)| date.checked_add(day)))
            }
            (Some(Cell::Integer(count)), None) => read(&count.to_string()),
            (Some(Cell::Text(date)), None) => read(date),
            (Some(Cell::Text(date)), Some(Cell::Text(time))) => read(&format!("{date} {time}")),
            (Some(date), time) => Err(RowError::BadTimestamp(format!("{date:?} and {time:?}"))),
        }
    }
}

impl Fields for BatchRow<'_> {
    fn time(&self, date: usize, time: Option<usize>) -> Result<Timestamp, Fault> {
        self.timestamp(date, time).map_err(|cause| (date, cause))
    }

    fn number(&self, at: usize) -> Result<f64, Fault> {
        number(self.value(at), self.batch.options).map_err(|cause| (at, cause))
    }

    fn exact(&self, at: usize) -> Result<(f64, Decimal), Fault> {
        let number = self.number(at)?;
        // The shortest decimal that reads back as this float: what somebody has written, most likely.
        let exact = Decimal::parse(&number.to_string());
        Ok((number, exact.ok_or_else(|| (at, RowError::BadPrice(number.to_string())))?))
    }

    fn amount(&self, at: Option<usize>) -> Result<f64, Fault> {
        match at {
            Some(at) if self.value(at).is_some() => self.number(at),
            _ => Ok(0.0),
        }
    }
}

fn number(cell: Option<&Cell>, options: &ReadOptions) -> Result<f64, RowError> {
    match cell {
        Some(Cell::Number(number)) => Ok(*number),
        Some(Cell::Integer(number)) => Ok(*number as f64),
        Some(Cell::Text(text)) => {
            let number = decimal_point(options, text.trim())?;
            number.parse().map_err(|_| RowError::NotANumber(text.clone()))
        }
        Some(Cell::Time(_)) => Err(RowError::NotANumber("a timestamp".to_owned())),
        Some(Cell::Missing) | None => Err(RowError::Missing),
    }
}
