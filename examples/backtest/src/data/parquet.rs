//! Reads prices from Parquet, batch by batch: in memory are the rows and one batch.

use std::fs::File;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::columns::Header;
use super::kinds::{BarRow, Loaded, PriceRow};
use super::rows::{Fault, Fields, Rows, Symbols, time_of};
use super::{Decimal, DroppedRows, LoadError, NS_PER_DAY, ReadOptions, RowError};
use crate::depth::Depth;
use crate::messages::{Quote, Tick, Timestamp};
use crate::tape::PriceKind;

/// What a file of Parquet begins with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

/// Reads the rows of one symbol. Columns are found by their names, as in CSV. Times are timestamps, dates,
/// text, or integers as they may stand in CSV. With `bars`, other rows are an error.
pub(super) fn load(
    file: File,
    options: &ReadOptions,
    name: &str,
    bars: bool,
) -> Result<(Loaded, DroppedRows), LoadError> {
    let reader = SerializedFileReader::new(file).map_err(|error| broken(&error))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let fields: ::csv::StringRecord = schema.columns().iter().map(|column| column.path().string()).collect();
    let header = Header::new(&fields, 1, options)?;
    match header.kind()? {
        PriceKind::Bars => rows::<BarRow>(&reader, &fields, &header, options, name),
        kind if bars => Err(LoadError::OtherKind(kind)),
        PriceKind::Quotes => rows::<Quote>(&reader, &fields, &header, options, name),
        PriceKind::Ticks => rows::<Tick>(&reader, &fields, &header, options, name),
        PriceKind::Depth => rows::<Depth>(&reader, &fields, &header, options, name),
    }
}

fn rows<R: PriceRow>(
    reader: &SerializedFileReader<File>,
    fields: &::csv::StringRecord,
    header: &Header<'_>,
    options: &ReadOptions,
    name: &str,
) -> Result<(Loaded, DroppedRows), LoadError> {
    let (times, columns) = (header.times()?, R::columns(header)?);
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
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
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|error| broken(&error))?;
        let open = |at: &usize| Ok((*at, Stream::open(&*group, *at, &schema.column(*at))?));
        let mut streams = used.iter().map(open).collect::<Result<Vec<_>, LoadError>>()?;
        loop {
            let mut batch = Batch { columns: vec![Vec::new(); fields.len()], options };
            for (at, stream) in &mut streams {
                batch.columns[*at] = stream.next()?;
            }
            let count = batch.columns[times.date].len();
            if count == 0 {
                break;
            }
            for at in 0..count {
                row += 1;
                let wanted = match times.symbol.map(|symbol| batch.columns[symbol].get(at)) {
                    None => true,
                    Some(Some(Cell::Text(name))) => symbols.select(name),
                    Some(_) => symbols.select(""),
                };
                if wanted {
                    rows.add(row, &BatchRow { batch: &batch, row: at })?;
                }
            }
        }
    }
    rows.finish(symbols.chosen(times.symbol.is_some(), name)?)
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

    fn timestamp(&self, date: usize, time: Option<usize>) -> Result<Timestamp, RowError> {
        let read = |text: &str| time_of(self.batch.options, text);
        match (self.cell(date), time.and_then(|time| self.cell(time))) {
            (None | Some(Cell::Missing), _) => Err(RowError::Missing),
            (Some(Cell::Time(ns)), None) => Ok(Timestamp::from_nanos(*ns)),
            // Both in nanoseconds: a date, and the time of day.
            (Some(Cell::Time(date)), Some(Cell::Time(day))) => {
                Ok(Timestamp::from_nanos(date.saturating_add(*day)))
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
        number(self.cell(at)).map_err(|cause| (at, cause))
    }

    fn exact(&self, at: usize) -> Result<(f64, Decimal), Fault> {
        let number = self.number(at)?;
        // The shortest decimal that reads back as this float: what somebody has written, most likely.
        let exact = Decimal::parse(&number.to_string());
        Ok((number, exact.ok_or_else(|| (at, RowError::BadPrice(number.to_string())))?))
    }

    fn amount(&self, at: Option<usize>) -> Result<f64, Fault> {
        match at {
            Some(at) if self.cell(at) != Some(&Cell::Missing) => self.number(at),
            _ => Ok(0.0),
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
            // A value that does not fit is no time: the row is refused for it.
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
