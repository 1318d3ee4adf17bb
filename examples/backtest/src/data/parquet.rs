//! Reads prices from Parquet, batch by batch: in memory are the rows and one batch.

use std::fs::File;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::cells::{self, Cell, Table};
use super::kinds::Loaded;
use super::{DroppedRows, LoadError, NS_PER_DAY, ReadOptions};

/// What a file of Parquet begins with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

/// Reads the rows of one symbol. With `bars`, other rows are an error.
pub(super) fn load(
    file: File,
    options: &ReadOptions,
    name: &str,
    bars: bool,
) -> Result<(Loaded, DroppedRows), LoadError> {
    let reader = SerializedFileReader::new(file).map_err(|error| broken(&error))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let fields: ::csv::StringRecord = schema.columns().iter().map(|column| column.path().string()).collect();
    cells::load(Groups { reader, next: 0, streams: Vec::new() }, &fields, options, name, bars)
}

/// The row groups of a file.
struct Groups {
    reader: SerializedFileReader<File>,
    /// The group behind the one that is being read.
    next: usize,
    streams: Vec<Stream>,
}

impl Table for Groups {
    fn next(&mut self, used: &[usize]) -> Result<Option<Vec<Vec<Cell>>>, LoadError> {
        loop {
            let read = self.streams.iter_mut().map(Stream::next).collect::<Result<Vec<_>, LoadError>>()?;
            if read.first().is_some_and(|cells| !cells.is_empty()) {
                return Ok(Some(read));
            }
            if self.next == self.reader.num_row_groups() {
                return Ok(None);
            }
            let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
            let group = self.reader.get_row_group(self.next).map_err(|error| broken(&error))?;
            let open = |at: &usize| Stream::open(&*group, *at, &schema.column(*at));
            self.streams = used.iter().map(open).collect::<Result<Vec<_>, LoadError>>()?;
            self.next += 1;
        }
    }
}

fn broken(error: &ParquetError) -> LoadError {
    let mut reason = error.to_string();
    if reason.contains("Disabled feature") {
        reason.push_str("; write it with `compression=\"snappy\"`, or with none");
    }
    LoadError::Parquet { reason }
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
            Some(unit) => Cell::Time(value.checked_mul(unit)),
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
            ColumnReader::Int96ColumnReader(it) => cells(it, optional, |value| Cell::Time(nanos_of(&value))),
            ColumnReader::BoolColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                let reason = "a column of prices or times holds truth values or raw bytes".to_owned();
                Err(LoadError::Parquet { reason })
            }
        }
    }
}

/// A time of 96 bits in nanoseconds since 1970, if they hold it: the conversion of parquet wraps around.
fn nanos_of(time: &Int96) -> Option<i64> {
    /// The Julian day of 1970-01-01.
    const EPOCH_DAY: i64 = 2_440_588;
    let &[low, high, day] = time.data() else { return None };
    let in_day = i64::try_from(u64::from(high) << 32 | u64::from(low)).ok()?;
    (i64::from(day) - EPOCH_DAY).checked_mul(NS_PER_DAY)?.checked_add(in_day)
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
