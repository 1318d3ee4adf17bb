//! Reads prices from CSV. Either the whole file is sound, or nothing of it is used.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use super::columns::Header;
use super::kinds::{BarRow, Loaded, PriceRow};
use super::rows::{Rows, Symbols, TextRow};
use super::{AssetPrices, DroppedRows, LoadError, ReadOptions, RowError, Series};
use crate::depth::Depth;
use crate::limits::ROW_BYTES_MAX;
use crate::messages::{Quote, Tick};
use crate::tape::PriceKind;

/// Reads the bars of one symbol from a file.
///
/// # Errors
/// See [`read`]; also if the file cannot be opened.
pub fn load(path: &Path, symbol: Option<&str>) -> Result<Series, LoadError> {
    let options = ReadOptions { symbol: symbol.map(str::to_owned), ..ReadOptions::default() };
    load_with(path, &options).map(|(series, _)| series)
}

/// Reads the bars of one symbol from a file of CSV, Parquet or Arrow, as the options say, with what was left
/// out.
///
/// # Errors
/// See [`read_with`]; also if the file cannot be opened.
pub fn load_with(path: &Path, options: &ReadOptions) -> Result<(Series, DroppedRows), LoadError> {
    bars_of(load_any(path, options, true)?)
}

/// Reads the bars, quotes, ticks or books of one symbol from a file of CSV, Parquet or Arrow, with what was
/// left out. The options say which they are, or it follows from the names of the columns.
///
/// # Errors
/// See [`read_with`]; also if the file cannot be opened.
pub fn load_prices(path: &Path, options: &ReadOptions) -> Result<(AssetPrices, DroppedRows), LoadError> {
    load_any(path, options, false).map(|(loaded, dropped)| (loaded.into(), dropped))
}

fn load_any(path: &Path, options: &ReadOptions, bars: bool) -> Result<(Loaded, DroppedRows), LoadError> {
    let open = |source| LoadError::Open { path: path.to_owned(), source };
    let name = path.file_stem().map_or_else(|| "data".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let mut file = File::open(path).map_err(open)?;
    let mut start = Vec::new();
    file.by_ref().take(super::arrow::MAGIC.len() as u64).read_to_end(&mut start).map_err(open)?;
    if start.starts_with(super::parquet::MAGIC) {
        return super::parquet::load(file, options, &name, bars);
    }
    if start == super::arrow::MAGIC || start.starts_with(super::arrow::CONTINUATION) {
        return super::arrow::load(file, options, &name, bars);
    }
    if let Some(error) = misnamed(path, &start) {
        return Err(error);
    }
    read_any(start.as_slice().chain(file), options, &name, bars)
}

/// Names that files of Parquet and Arrow have, and what such a file begins with.
const ENDINGS: [(&str, &str, &[u8]); 6] = [
    ("parquet", "Parquet", super::parquet::MAGIC),
    ("pq", "Parquet", super::parquet::MAGIC),
    ("arrow", "Arrow", super::arrow::MAGIC),
    ("arrows", "Arrow", super::arrow::CONTINUATION),
    ("feather", "Arrow", super::arrow::MAGIC),
    ("ipc", "Arrow", super::arrow::MAGIC),
];

/// A file that has the name of a table and begins as none: read as text, it would be blamed for its first
/// line. Formats that are known by their first bytes are told by those.
fn misnamed(path: &Path, start: &[u8]) -> Option<LoadError> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    let (_, format, magic) = ENDINGS.iter().find(|(known, ..)| *known == ending)?;
    // An empty file is told as one.
    if start.is_empty() || other_format(start).is_some() {
        return None;
    }
    Some(LoadError::Misnamed { ending, format, magic: magic.escape_ascii().to_string() })
}

fn bars_of((loaded, dropped): (Loaded, DroppedRows)) -> Result<(Series, DroppedRows), LoadError> {
    match loaded {
        Loaded::Bars(symbol, bars, scale, actions) => {
            Ok((Series { symbol, bars: bars.to_vec(), scale, actions }, dropped))
        }
        Loaded::Quotes(..) => Err(LoadError::OtherKind(PriceKind::Quotes)),
        Loaded::Ticks(..) => Err(LoadError::OtherKind(PriceKind::Ticks)),
        Loaded::Depth(..) => Err(LoadError::OtherKind(PriceKind::Depth)),
    }
}

/// Reads the bars of one symbol. `name` stands in for the symbol where the data has no `Ticker` or `Symbol`
/// column.
///
/// Rows of other symbols are passed over unread. Separators may be commas, semicolons, tabs or `|`; the
/// header decides. Blank lines and lines that start with `#` are passed over.
///
/// # Errors
/// A missing column, an unknown symbol, or the first bad row with its line, column and cause. There is no
/// partial result.
pub fn read(text: &[u8], symbol: Option<&str>, name: &str) -> Result<Series, LoadError> {
    let options = ReadOptions { symbol: symbol.map(str::to_owned), ..ReadOptions::default() };
    read_with(text, &options, name).map(|(series, _)| series)
}

/// As [`read`], as the options say, with what was left out.
///
/// # Errors
/// As [`read`]; rows that are wrong are no error if they are to be left out. Other rows than bars are
/// one.
pub fn read_with(text: &[u8], options: &ReadOptions, name: &str) -> Result<(Series, DroppedRows), LoadError> {
    bars_of(read_any(text, options, name, true)?)
}

/// As [`read_with`], also of quotes, ticks and books.
///
/// # Errors
/// As [`read_with`].
pub fn read_prices(
    text: &[u8],
    options: &ReadOptions,
    name: &str,
) -> Result<(AssetPrices, DroppedRows), LoadError> {
    read_any(text, options, name, false).map(|(loaded, dropped)| (loaded.into(), dropped))
}

fn read_any(
    mut source: impl Read,
    options: &ReadOptions,
    name: &str,
    bars: bool,
) -> Result<(Loaded, DroppedRows), LoadError> {
    let mut start = Vec::new();
    source.by_ref().take(START_BYTES).read_to_end(&mut start).map_err(|error| unread(&error))?;
    if let Some((found, remedy)) = other_format(&start) {
        return Err(LoadError::OtherFormat { found, remedy });
    }
    let held = Rc::new(RefCell::new(HeldText::default()));
    let mut lines = Lines { held: Rc::clone(&held), line: 1 };
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(&start))
        .comment(Some(COMMENT))
        .trim(::csv::Trim::All)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(Text { source: start.as_slice().chain(source), held });
    let fields = reader.headers().map_err(|error| malformed(&error, &mut lines))?.clone();
    if fields.iter().all(str::is_empty) {
        return Err(LoadError::Empty(options.kind.unwrap_or(PriceKind::Bars)));
    }
    let header = Header::new(&fields, lines.at(fields.position()), options)?;
    let file = TextFile { reader, lines, fields: &fields, options, name };
    match header.kind()? {
        PriceKind::Bars => file.rows::<BarRow>(&header),
        kind if bars => Err(LoadError::OtherKind(kind)),
        PriceKind::Quotes => file.rows::<Quote>(&header),
        PriceKind::Ticks => file.rows::<Tick>(&header),
        PriceKind::Depth => file.rows::<Depth>(&header),
    }
}

/// A file behind its header.
struct TextFile<'a, S> {
    reader: ::csv::Reader<Text<S>>,
    lines: Lines,
    fields: &'a ::csv::StringRecord,
    options: &'a ReadOptions,
    name: &'a str,
}

impl<S: Read> TextFile<'_, S> {
    fn rows<R: PriceRow>(mut self, header: &Header<'_>) -> Result<(Loaded, DroppedRows), LoadError> {
        let (times, options) = (header.times()?, self.options);
        let place = |row, at: usize, cause| {
            let name = self.fields[at].trim();
            let column = if name.is_empty() { "(unnamed)" } else { name };
            LoadError::Row { line: row, column: Some(column.to_owned()), cause }
        };
        let mut rows = Rows::<R>::new(options, times, R::columns(header)?, &place);
        let mut symbols = Symbols::new(options.symbol.as_deref());
        let mut record = ::csv::StringRecord::new();
        loop {
            match self.reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    rows.refuse(malformed(&error, &mut self.lines))?;
                    continue;
                }
            }
            let line = self.lines.at(record.position());
            match times.symbol {
                Some(at) if !symbols.select(&record[at]) => {}
                _ => rows.add(line, &TextRow { record: &record, options })?,
            }
        }
        rows.finish(symbols.chosen(times.symbol.is_some(), self.name)?)
    }
}

/// What a line starts with that is passed over.
const COMMENT: u8 = b'#';

/// Bytes at the start of a file that tell what it is, and what separates its fields.
const START_BYTES: u64 = 1 << 20;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// What was read of a file and lies behind the last record that was asked for.
#[derive(Default)]
struct HeldText {
    bytes: Vec<u8>,
    /// The first of them that counts.
    start: usize,
    /// Its place in the file.
    offset: u64,
}

/// The text of a file, which holds what the reader has got of it.
struct Text<S> {
    source: S,
    held: Rc<RefCell<HeldText>>,
}

impl<S: Read> Read for Text<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut held = self.held.borrow_mut();
        let start = std::mem::take(&mut held.start);
        held.bytes.drain(..start);
        if held.bytes.len() > ROW_BYTES_MAX {
            let bytes = held.bytes.len();
            return Err(io::Error::other(format!("a row has more than {bytes} bytes; is this a table?")));
        }
        let count = self.source.read(into)?;
        held.bytes.extend_from_slice(&into[..count]);
        Ok(count)
    }
}

/// Tells the line of a record. The reader's own count does not pass over the blank lines and comments before
/// one.
struct Lines {
    held: Rc<RefCell<HeldText>>,
    line: u64,
}

impl Lines {
    /// The line of the record at `position`, which is not before the one asked for last; lines count from 1.
    fn at(&mut self, position: Option<&::csv::Position>) -> u64 {
        let mut held = self.held.borrow_mut();
        let text = &held.bytes[held.start..];
        let from = position.map_or(0, |at| at.byte().saturating_sub(held.offset));
        let mut to = usize::try_from(from).map_or(text.len(), |from| from.min(text.len()));
        // Past what the reader skips before a record.
        loop {
            let rest = &text[to..];
            to += match rest.first() {
                Some(b'\n' | b'\r') => 1,
                Some(&COMMENT) => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
                _ => break,
            };
        }
        // A line ends at `\n`, or at a `\r` that no `\n` follows.
        let ends = (0..to).filter(|at| match text[*at] {
            b'\n' => true,
            b'\r' => text.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        self.line += ends.count() as u64;
        held.start += to;
        held.offset += to as u64;
        self.line
    }
}

/// The separator that the header uses.
fn delimiter(text: &[u8]) -> u8 {
    let header = text
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .find(|line| !line.trim_ascii().is_empty() && line[0] != COMMENT)
        .unwrap_or_default();
    let count = |separator: u8| header.iter().filter(|byte| **byte == separator).count();
    // On a draw the comma wins, being the last of the maxima.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// What a file is that was taken for CSV by mistake, and how to make CSV of it.
fn other_format(text: &[u8]) -> Option<(&'static str, &'static str)> {
    const KNOWN: [(&[u8], &str, &str); 10] = [
        (b"\x1f\x8b", "a gzip archive", "unpack it with `gunzip --keep`"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it with `unzstd`"),
        (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
        (b"PAR1", "Parquet", "give it as a file: Parquet is not read from text"),
        (b"ARROW1", "Arrow", "give it as a file: Arrow is not read from text"),
        (
            b"FEA1",
            "Feather of the first version",
            "write it anew: `pyarrow.feather.write_feather` writes Arrow",
        ),
        (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
        (b"{", "JSON", "export it as CSV"),
        (b"<!", "an HTML page", "look at it in a browser: the download may have failed"),
    ];
    KNOWN.iter().find(|(start, ..)| text.starts_with(start)).map(|(_, found, remedy)| (*found, *remedy))
}

fn unread(error: &io::Error) -> LoadError {
    LoadError::Read { reason: error.to_string() }
}

fn malformed(error: &::csv::Error, lines: &mut Lines) -> LoadError {
    if let ::csv::ErrorKind::Io(error) = error.kind() {
        return unread(error);
    }
    let line = lines.at(error.position());
    let cause = match error.kind() {
        ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            RowError::FieldCount { expected: *expected_len, got: *len }
        }
        ::csv::ErrorKind::Utf8 { .. } => RowError::NotUtf8,
        _ => RowError::Malformed(error.to_string()),
    };
    LoadError::Row { line, column: None, cause }
}
