//! Reads bars from Parquet, batch by batch: in memory are the bars and one batch.

use std::fs::File;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::columns::Columns;
use super::rows::{RawRow, Rows, Symbols};
use super::{Decimal, DroppedRows, LoadError, NS_PER_DAY, ReadOptions, RowError, Series};
use crate::messages::Timestamp;

/// What a file of Parquet begins with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

/// Reads the bars of one symbol. Columns are found by their names, as in CSV. Times are timestamps, dates,
/// text, or integers as they may stand in CSV.
pub(super) fn load(
    file: File,
    options: &ReadOptions,
    name: &str,
) -> Result<(Series, DroppedRows), LoadError> {
    let reader = SerializedFileReader::new(file).map_err(|error| broken(&error))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let header: ::csv::StringRecord = schema.columns().iter().map(|column| column.path().string()).collect();
    let columns = Columns::find(&header, 1, options)?;
    let place = |row, at: usize, cause| LoadError::ParquetRow { row, column: header[at].to_owned(), cause };
    let mut rows = Rows::new(options, columns, &place);
    let mut symbols = Symbols::new(options.symbol.as_deref());
    let mut row = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|error| broken(&error))?;
        let mut open = |at: usize| Stream::open(&*group, at, &schema.column(at));
        let prices = [columns.open, columns.high, columns.low, columns.close];
        let mut prices = [open(prices[0])?, open(prices[1])?, open(prices[2])?, open(prices[3])?];
        let mut date = open(columns.date)?;
        let mut time = columns.time.map(&mut open).transpose()?;
        let mut volume = columns.volume.map(&mut open).transpose()?;
        let mut symbol = columns.symbol.map(&mut open).transpose()?;
        loop {
            let dates = date.next()?;
            if dates.is_empty() {
                break;
            }
            let mut batch = Batch {
                times: time.as_mut().map(Stream::next).transpose()?,
                prices: prices.each_mut().map(Stream::next).into_iter().collect::<Result<_, _>>()?,
                volumes: volume.as_mut().map(Stream::next).transpose()?,
                dates,
            };
            let names = symbol.as_mut().map(Stream::next).transpose()?;
            for at in 0..batch.dates.len() {
                row += 1;
                let wanted = match names.as_ref().map(|names| names.get(at)) {
                    None => true,
                    Some(Some(Cell::Text(name))) => symbols.select(name),
                    Some(_) => symbols.select(""),
                };
                if wanted {
                    let raw = batch.row(at, &columns, &rows);
                    rows.add_raw(row, raw)?;
                }
            }
        }
    }
    let symbol = symbols.chosen(columns.symbol.is_some(), name)?;
    rows.finish(symbol)
}

fn broken(error: &ParquetError) -> LoadError {
    let mut reason = error.to_string();
    if reason.contains("Disabled feature") {
        reason.push_str("; write it with `compression=\"snappy\"`, or with none");
    }
    LoadError::Parquet { reason }
}

/// One value of a column.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Missing,
    Number(f64),
    /// An integer, which may be an amount or a time.
    Integer(i64),
    /// Nanoseconds since 1970.
    Time(i64),
    Text(String),
}

/// The columns of some rows.
struct Batch {
    dates: Vec<Cell>,
    times: Option<Vec<Cell>>,
    prices: Vec<Vec<Cell>>,
    volumes: Option<Vec<Cell>>,
}

impl Batch {
    fn row(&mut self, at: usize, columns: &Columns, rows: &Rows<'_>) -> Result<RawRow, (usize, RowError)> {
        let timestamp = self.timestamp(at, rows).map_err(|cause| (columns.date, cause))?;
        let places = [columns.open, columns.high, columns.low, columns.close];
        let mut prices = [0.0; 4];
        for ((price, cells), place) in prices.iter_mut().zip(&self.prices).zip(places) {
            *price = number(cells.get(at)).map_err(|cause| (place, cause))?;
        }
        let [open, high, low, close] = prices;
        let volume = match (&self.volumes, columns.volume) {
            (Some(cells), Some(_)) if cells.get(at) == Some(&Cell::Missing) => 0.0,
            (Some(cells), Some(place)) => number(cells.get(at)).map_err(|cause| (place, cause))?,
            _ => 0.0,
        };
        // The shortest decimal that reads back as this float: what somebody has written, most likely.
        let exact = Decimal::parse(&close.to_string())
            .ok_or_else(|| (columns.close, RowError::BadPrice(close.to_string())))?;
        Ok(RawRow { timestamp, open, high, low, close, volume, exact })
    }

    fn timestamp(&self, at: usize, rows: &Rows<'_>) -> Result<Timestamp, RowError> {
        let time = self.times.as_ref().and_then(|times| times.get(at));
        match (&self.dates[at], time) {
            (Cell::Missing, _) => Err(RowError::Missing),
            (Cell::Time(ns), None) => Ok(Timestamp::from_nanos(*ns)),
            // Both in nanoseconds: a date, and the time of day.
            (Cell::Time(date), Some(Cell::Time(day))) => Ok(Timestamp::from_nanos(date.saturating_add(*day))),
            (Cell::Integer(count), None) => rows.time_of(&count.to_string()),
            (Cell::Text(date), None) => rows.time_of(date),
            (Cell::Text(date), Some(Cell::Text(time))) => rows.time_of(&format!("{date} {time}")),
            (date, time) => Err(RowError::BadTimestamp(format!("{date:?} and {time:?}"))),
        }
    }
}

fn number(cell: Option<&Cell>) -> Result<f64, RowError> {
    match cell {
        Some(Cell::Number(number)) => Ok(*number),
        Some(Cell::Integer(number)) => Ok(*number as f64),
        Some(Cell::Text(text)) => text.trim().parse().map_err(|_| RowError::NotANumber(text.clone())),
        Some(Cell::Time(_)) => Err(RowError::NotANumber("a timestamp".to_owned())),
        Some(Cell::Missing) | None => Err(RowError::Missing),
    }
}

/// A column of a row group, batch by batch.
struct Stream {
    reader: ColumnReader,
    /// Whether values may be missing.
    optional: bool,
    /// Nanoseconds that one integer stands for, if it is a time.
    unit_ns: Option<i64>,
    /// Whether integers have no sign.
    unsigned: bool,
}

impl Stream {
    fn open(group: &dyn RowGroupReader, at: usize, column: &ColumnDescriptor) -> Result<Self, LoadError> {
        if column.max_rep_level() > 0 || column.max_def_level() > 1 {
            let reason = format!("the column `{}` is nested; write it as a plain one", column.name());
            return Err(LoadError::Parquet { reason });
        }
        let unit_ns = match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Timestamp(time)), _) => Some(match time.unit {
                TimeUnit::MILLIS => 1_000_000,
                TimeUnit::MICROS => 1_000,
                TimeUnit::NANOS => 1,
            }),
            (Some(LogicalType::Time(time)), _) => Some(match time.unit {
                TimeUnit::MILLIS => 1_000_000,
                TimeUnit::MICROS => 1_000,
                TimeUnit::NANOS => 1,
            }),
            (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) => Some(NS_PER_DAY),
            (None, ConvertedType::TIMESTAMP_MILLIS) => Some(1_000_000),
            (None, ConvertedType::TIMESTAMP_MICROS) => Some(1_000),
            (Some(LogicalType::Decimal(_)), _) | (None, ConvertedType::DECIMAL) => {
                let reason = format!("the column `{}` holds decimals; write it as doubles", column.name());
                return Err(LoadError::Parquet { reason });
            }
            _ => None,
        };
        let unsigned = match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Integer(integer)), _) => !integer.is_signed,
            (_, converted) => matches!(converted, ConvertedType::UINT_32 | ConvertedType::UINT_64),
        };
        let reader = group.get_column_reader(at).map_err(|error| broken(&error))?;
        Ok(Self { reader, optional: column.max_def_level() > 0, unit_ns, unsigned })
    }

    /// The next values; none at the end.
    fn next(&mut self) -> Result<Vec<Cell>, LoadError> {
        let (optional, unit_ns, unsigned) = (self.optional, self.unit_ns, self.unsigned);
        let integer = move |value: i64| match unit_ns {
            None => Cell::Integer(value),
            // What does not fit is no time: the row is refused for it.
            Some(unit) => value.checked_mul(unit).map_or(Cell::Integer(value), Cell::Time),
        };
        let text = |bytes: ByteArray| match bytes.as_utf8() {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Text("\u{fffd}".to_owned()),
        };
        match &mut self.reader {
            ColumnReader::Int32ColumnReader(it) if unsigned => {
                cells(it, optional, |value| integer(i64::from(value.cast_unsigned())))
            }
            ColumnReader::Int32ColumnReader(it) => cells(it, optional, |value| integer(i64::from(value))),
            ColumnReader::Int64ColumnReader(it) if unsigned => cells(it, optional, |value| match value {
                0.. => integer(value),
                _ => Cell::Number(value.cast_unsigned() as f64),
            }),
            ColumnReader::Int64ColumnReader(it) => cells(it, optional, integer),
            // The float's own digits: 0.1 is 0.1, and not what an `f64` makes of it.
            ColumnReader::FloatColumnReader(it) => {
                cells(it, optional, |value| Cell::Number(value.to_string().parse().unwrap_or(f64::NAN)))
            }
            ColumnReader::DoubleColumnReader(it) => cells(it, optional, Cell::Number),
            ColumnReader::ByteArrayColumnReader(it) => cells(it, optional, text),
            ColumnReader::Int96ColumnReader(it) => cells(it, optional, |value| Cell::Time(value.to_nanos())),
            ColumnReader::BoolColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                let reason = "a column of prices or times holds truth values or raw bytes".to_owned();
                Err(LoadError::Parquet { reason })
            }
        }
    }
}

fn cells<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    optional: bool,
    cell: impl Fn(T::T) -> Cell,
) -> Result<Vec<Cell>, LoadError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let present = if optional { Some(&mut levels) } else { None };
    reader.read_records(BATCH_ROWS, present, None, &mut values).map_err(|error| broken(&error))?;
    let mut values = values.into_iter().map(cell);
    if !optional {
        return Ok(values.collect());
    }
    let next = |level: i16| if level > 0 { values.next().unwrap_or(Cell::Missing) } else { Cell::Missing };
    Ok(levels.into_iter().map(next).collect())
}
