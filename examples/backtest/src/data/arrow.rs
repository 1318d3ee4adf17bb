//! Reads prices from Arrow IPC, files and streams alike, batch by batch. In memory are the rows and one batch
//! of the file.
//!
//! A file is a stream behind a few bytes, with an index at its end that nothing here needs. Lengths are
//! checked against what the file has before anything is made of them: the reader of arrow trusts them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::{read_dictionary, read_record_batch};
use arrow_ipc::{Message, MessageHeader, root_as_message};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::cells::{self, Cell, Table};
use super::damage::{broken, check};
use super::kinds::Loaded;
use super::{DroppedRows, LoadError, NS_PER_DAY, ReadOptions};

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"ARROW1";
/// What each message of a stream begins with.
pub(super) const CONTINUATION: &[u8] = &[0xff; 4];
/// Most bytes of a file before its first message.
const HEAD_BYTES_MAX: u64 = 128;
/// Rows of a batch that are made cells of at once.
const ROWS_AT_ONCE: usize = 65_536;

/// Reads the rows of one symbol. With `bars`, other rows are an error.
pub(super) fn load(
    mut file: File,
    options: &ReadOptions,
    name: &str,
    bars: bool,
) -> Result<(Loaded, DroppedRows), LoadError> {
    use std::io::{Seek, SeekFrom};
    let unread = |error: std::io::Error| LoadError::Read { reason: error.to_string() };
    let mut start = Vec::new();
    let bytes = file.metadata().map_err(unread)?.len();
    file.seek(SeekFrom::Start(0)).map_err(unread)?;
    file.by_ref().take(HEAD_BYTES_MAX).read_to_end(&mut start).map_err(unread)?;
    let is_file = start.starts_with(MAGIC);
    let head = if is_file { head_of(&start) } else { 0 };
    file.seek(SeekFrom::Start(head)).map_err(unread)?;
    let mut messages = Messages { source: BufReader::new(file), left: bytes.saturating_sub(head), is_file };
    let Some((first, _)) = messages.next()? else { return Err(broken("it has no schema")) };
    let schema = schema_of(&first)?;
    let fields: ::csv::StringRecord = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let batches = Batches { messages, schema, dictionaries: HashMap::new(), rows: None };
    cells::load(batches, &fields, options, name, bars)
}

/// Bytes before the first message of a file: what it begins with, and zeros up to the boundary of its writer.
fn head_of(start: &[u8]) -> u64 {
    let words = start.chunks_exact(8).skip(1);
    8 * (1 + words.take_while(|word| word.iter().all(|byte| *byte == 0)).count() as u64)
}

fn message_of(bytes: &[u8]) -> Result<Message<'_>, LoadError> {
    root_as_message(bytes).map_err(|error| broken(format!("a message is damaged: {error}")))
}

fn schema_of(bytes: &[u8]) -> Result<Arc<Schema>, LoadError> {
    let message = message_of(bytes)?;
    let schema = message.header_as_schema().ok_or_else(|| broken("it does not begin with a schema"))?;
    if !schema.endianness().equals_to_target_endianness() {
        return Err(broken("its numbers are of the other byte order; write it on a machine like this one"));
    }
    arrow_ipc::convert::try_fb_to_schema(schema).map(Arc::new).map_err(|error| broken(error.to_string()))
}

/// A message: its metadata and its body.
type MessageBytes = (Vec<u8>, Vec<u8>);

/// One message after the other.
struct Messages {
    source: BufReader<File>,
    /// Bytes of the file that were not read.
    left: u64,
    /// Whether it says where it ends.
    is_file: bool,
}

impl Messages {
    /// So many bytes, if the file has them.
    fn take(&mut self, bytes: u64) -> Result<Vec<u8>, LoadError> {
        let cut = || broken("it ends within a message: the file is cut off, or damaged");
        self.left = self.left.checked_sub(bytes).ok_or_else(cut)?;
        let mut taken = vec![0; usize::try_from(bytes).map_err(|error| broken(error.to_string()))?];
        self.source.read_exact(&mut taken).map_err(|error| LoadError::Read { reason: error.to_string() })?;
        Ok(taken)
    }

    fn number(&mut self) -> Result<[u8; 4], LoadError> {
        let bytes = self.take(4)?;
        bytes.try_into().map_err(|_| broken("four bytes"))
    }

    fn next(&mut self) -> Result<Option<MessageBytes>, LoadError> {
        if self.left == 0 && !self.is_file {
            // A stream may end so.
            return Ok(None);
        }
        let mut length = self.number()?;
        if length == CONTINUATION {
            length = self.number()?;
        }
        let length =
            u64::try_from(i32::from_le_bytes(length)).map_err(|_| broken("a length is below zero"))?;
        if length == 0 {
            return Ok(None);
        }
        let metadata = self.take(length)?;
        let body = u64::try_from(message_of(&metadata)?.bodyLength());
        let body = self.take(body.map_err(|_| broken("a length is below zero"))?)?;
        Ok(Some((metadata, body)))
    }
}

/// The record batches of a file.
struct Batches {
    messages: Messages,
    schema: Arc<Schema>,
    dictionaries: HashMap<i64, ArrayRef>,
    /// The batch at hand, and how many of its rows were read.
    rows: Option<(RecordBatch, usize)>,
}

impl Table for Batches {
    fn next(&mut self, used: &[usize]) -> Result<Option<Vec<Vec<Cell>>>, LoadError> {
        loop {
            if let Some((batch, read)) = &mut self.rows {
                let count = (batch.num_rows() - *read).min(ROWS_AT_ONCE);
                if count > 0 {
                    let part = batch.slice(*read, count);
                    *read += count;
                    let names = used.iter().map(|at| self.schema.field(*at).name());
                    let columns = part.columns().iter().zip(names);
                    return columns
                        .map(|(column, name)| cells_of(column, name))
                        .collect::<Result<_, _>>()
                        .map(Some);
                }
            }
            match self.batch(used)? {
                Some(batch) => self.rows = Some((batch, 0)),
                None => return Ok(None),
            }
        }
    }
}

impl Batches {
    /// The next batch, of these columns.
    fn batch(&mut self, used: &[usize]) -> Result<Option<RecordBatch>, LoadError> {
        while let Some((metadata, body)) = self.messages.next()? {
            let message = message_of(&metadata)?;
            let (version, body) = (message.version(), Buffer::from(body));
            match message.header_type() {
                MessageHeader::DictionaryBatch => {
                    let batch =
                        message.header_as_dictionary_batch().ok_or_else(|| broken("an empty message"))?;
                    let values = batch.data().ok_or_else(|| broken("an empty dictionary"))?;
                    // Of the fields that it may be for, each must be able to take it.
                    for field in self.schema.fields() {
                        if let DataType::Dictionary(_, values_type) = field.data_type() {
                            let column = Field::new("", (**values_type).clone(), true);
                            check(&values, &body, std::iter::once(&column), |_| true)?;
                        }
                    }
                    let (schema, known) = (&self.schema, &mut self.dictionaries);
                    read_dictionary(&body, batch, schema, known, &version)
                        .map_err(|error| broken(error.to_string()))?;
                }
                MessageHeader::RecordBatch => {
                    let batch = message.header_as_record_batch().ok_or_else(|| broken("an empty message"))?;
                    let fields = self.schema.fields().iter().map(|field| &**field);
                    check(&batch, &body, fields, |at| used.contains(&at))?;
                    for at in used {
                        check_type(self.schema.field(*at).name(), self.schema.field(*at).data_type())?;
                    }
                    let schema = Arc::clone(&self.schema);
                    let batch =
                        read_record_batch(&body, batch, schema, &self.dictionaries, Some(used), &version);
                    return batch.map(Some).map_err(|error| broken(error.to_string()));
                }
                _ => return Err(broken("it has a message that is neither a batch nor a dictionary")),
            }
        }
        Ok(None)
    }
}

/// Whether a column is of a type that prices, sizes, times or symbols may have.
fn check_type(name: &str, data_type: &DataType) -> Result<(), LoadError> {
    let remedy = match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8 => {
            return Ok(());
        }
        DataType::UInt16 | DataType::UInt32 | DataType::UInt64 | DataType::Float32 | DataType::Float64 => {
            return Ok(());
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => return Ok(()),
        DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond) => return Ok(()),
        DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => return Ok(()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => return Ok(()),
        DataType::Dictionary(_, values) if !values.is_nested() => return check_type(name, values),
        nested if nested.is_nested() => "a nested column, which is to be a plain one",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "a column of decimals, which are to be doubles",
        _ => "a column of another type than numbers, times and text",
    };
    Err(broken(format!("`{name}` is {remedy}: it is of the type {data_type}")))
}

fn cells_of(column: &ArrayRef, name: &str) -> Result<Vec<Cell>, LoadError> {
    let time = |unit_ns: i64| move |value: i64| Cell::Time(value.checked_mul(unit_ns));
    let of_unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let cells = match column.data_type() {
        DataType::Int8 => integers::<Int8Type>(column, Cell::Integer),
        DataType::Int16 => integers::<Int16Type>(column, Cell::Integer),
        DataType::Int32 => integers::<Int32Type>(column, Cell::Integer),
        DataType::Int64 => integers::<Int64Type>(column, Cell::Integer),
        DataType::UInt8 => integers::<UInt8Type>(column, Cell::Integer),
        DataType::UInt16 => integers::<UInt16Type>(column, Cell::Integer),
        DataType::UInt32 => integers::<UInt32Type>(column, Cell::Integer),
        DataType::UInt64 => primitives::<UInt64Type>(column, |value| {
            i64::try_from(value).map_or(Cell::Number(value as f64), Cell::Integer)
        }),
        // The float's own digits: 0.1 is 0.1, and not what an `f64` makes of it.
        DataType::Float32 => primitives::<Float32Type>(column, |value| {
            Cell::Number(value.to_string().parse().unwrap_or(f64::NAN))
        }),
        DataType::Float64 => primitives::<Float64Type>(column, Cell::Number),
        DataType::Date32 => integers::<Date32Type>(column, time(NS_PER_DAY)),
        DataType::Date64 => integers::<Date64Type>(column, time(1_000_000)),
        DataType::Timestamp(unit, _) => {
            let cell = time(of_unit(unit));
            match unit {
                TimeUnit::Second => integers::<TimestampSecondType>(column, cell),
                TimeUnit::Millisecond => integers::<TimestampMillisecondType>(column, cell),
                TimeUnit::Microsecond => integers::<TimestampMicrosecondType>(column, cell),
                TimeUnit::Nanosecond => integers::<TimestampNanosecondType>(column, cell),
            }
        }
        DataType::Time32(TimeUnit::Second) => integers::<Time32SecondType>(column, time(1_000_000_000)),
        DataType::Time32(_) => integers::<Time32MillisecondType>(column, time(1_000_000)),
        DataType::Time64(TimeUnit::Microsecond) => integers::<Time64MicrosecondType>(column, time(1_000)),
        DataType::Time64(_) => integers::<Time64NanosecondType>(column, time(1)),
        DataType::Utf8 => texts(column.as_string_opt::<i32>()),
        DataType::LargeUtf8 => texts(column.as_string_opt::<i64>()),
        DataType::Utf8View => texts(column.as_string_view_opt()),
        DataType::Dictionary(..) => return of_dictionary(column, name),
        _ => None,
    };
    cells.ok_or_else(|| broken(format!("`{name}` is not of the type that it says")))
}

fn of_dictionary(column: &ArrayRef, name: &str) -> Result<Vec<Cell>, LoadError> {
    let damaged = || broken(format!("the dictionary of `{name}` is damaged"));
    let dictionary = column.as_any_dictionary_opt().ok_or_else(damaged)?;
    let values = cells_of(dictionary.values(), name)?;
    let keys = arrow_array::make_array(dictionary.keys().to_data());
    let of_key = |key: Cell| match key {
        Cell::Integer(key) => {
            usize::try_from(key).ok().and_then(|key| values.get(key)).cloned().ok_or_else(damaged)
        }
        missing => Ok(missing),
    };
    cells_of(&keys, name)?.into_iter().map(of_key).collect()
}

fn primitives<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    cell: impl Fn(T::Native) -> Cell,
) -> Option<Vec<Cell>> {
    let values = column.as_primitive_opt::<T>()?;
    Some(values.iter().map(|value| value.map_or(Cell::Missing, &cell)).collect())
}

fn integers<T: ArrowPrimitiveType<Native: Into<i64>>>(
    column: &ArrayRef,
    cell: impl Fn(i64) -> Cell,
) -> Option<Vec<Cell>> {
    primitives::<T>(column, |value| cell(value.into()))
}

fn texts<'a>(values: Option<impl IntoIterator<Item = Option<&'a str>>>) -> Option<Vec<Cell>> {
    let cell = |text: Option<&str>| text.map_or(Cell::Missing, |text| Cell::Text(text.to_owned()));
    Some(values?.into_iter().map(cell).collect())
}
