//! Reads bars from CSV. Either the whole file is sound, or nothing of it is used.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::columns::Columns;
use super::{Decimal, LoadError, RowError, Scale, Series, format_timestamp, parse_timestamp};
use crate::limits::{BARS_MAX, FILE_BYTES_MAX};
use crate::messages::{Bar, Timestamp};

/// Reads the bars of one symbol from a file.
///
/// # Errors
/// See [`read`]; also if the file cannot be opened.
pub fn load(path: &Path, symbol: Option<&str>) -> Result<Series, LoadError> {
    let open = |source| LoadError::Open { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(open)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(open)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(LoadError::FileTooLarge);
    }
    let name = path.file_stem().map_or_else(|| "data".to_owned(), |stem| stem.to_string_lossy().into_owned());
    read(&text, symbol, &name)
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
    if let Some((found, remedy)) = other_format(text) {
        return Err(LoadError::OtherFormat { found, remedy });
    }
    let mut lines = Lines { text, byte: 0, line: 1 };
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .comment(Some(COMMENT))
        .trim(::csv::Trim::All)
        .from_reader(text);
    let header = reader.headers().map_err(|error| malformed(&error, &mut lines))?.clone();
    if header.iter().all(str::is_empty) {
        return Err(LoadError::Empty);
    }
    let columns = Columns::find(&header, lines.at(header.position()))?;
    let mut rows = Rows { header, columns, bars: Vec::new(), closes: Vec::new(), lines: Vec::new() };
    let mut symbols = Symbols { wanted: symbol, present: Vec::new(), known: HashSet::new() };
    let mut record = ::csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| malformed(&error, &mut lines))? {
        let line = lines.at(record.position());
        match columns.symbol {
            Some(at) if !symbols.select(&record[at]) => {}
            _ => rows.add(&record, line)?,
        }
        if rows.bars.len() > BARS_MAX {
            return Err(LoadError::TooManyBars);
        }
    }
    let symbol = symbols.chosen(columns.symbol.is_some(), name)?;
    rows.finish(symbol)
}

/// What a line starts with that is passed over.
const COMMENT: u8 = b'#';

/// Tells the line of a record. The reader's own count does not pass over the blank lines and comments before
/// one.
struct Lines<'a> {
    text: &'a [u8],
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the record at `position`, which is not before the one asked for last; lines count from 1.
    fn at(&mut self, position: Option<&::csv::Position>) -> u64 {
        let from = position.and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(self.byte);
        let mut to = from.clamp(self.byte, self.text.len());
        // Past what the reader skips before a record.
        loop {
            let rest = &self.text[to..];
            to += match rest.first() {
                Some(b'\n' | b'\r') => 1,
                Some(&COMMENT) => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
                _ => break,
            };
        }
        // A line ends at `\n`, or at a `\r` that no `\n` follows.
        let ends = (self.byte..to).filter(|at| match self.text[*at] {
            b'\n' => true,
            b'\r' => self.text.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        self.line += ends.count() as u64;
        self.byte = to;
        self.line
    }
}

/// The symbols met so far, and which of them is wanted.
struct Symbols<'a> {
    wanted: Option<&'a str>,
    /// In order of appearance.
    present: Vec<String>,
    /// The same, to look up: a file may hold thousands.
    known: HashSet<String>,
}

impl Symbols<'_> {
    /// Notes the symbol and tells whether its row is to be read.
    ///
    /// Without a choice only the first symbol is read: should a second one follow, `chosen` refuses them all.
    fn select(&mut self, symbol: &str) -> bool {
        if !self.known.contains(symbol) {
            self.known.insert(symbol.to_owned());
            self.present.push(symbol.to_owned());
        }
        match self.wanted {
            Some(wanted) => wanted == symbol,
            None => self.present[0] == symbol,
        }
    }

    fn chosen(self, has_column: bool, name: &str) -> Result<String, LoadError> {
        match self.wanted {
            Some(wanted) if self.present.iter().any(|known| known == wanted) => Ok(wanted.to_owned()),
            // A file of one instrument is often asked for by its own name.
            Some(wanted) if !has_column && wanted.eq_ignore_ascii_case(name) => Ok(name.to_owned()),
            Some(wanted) => {
                Err(LoadError::UnknownSymbol { symbol: wanted.to_owned(), present: self.present })
            }
            None if self.present.len() > 1 => Err(LoadError::SymbolNeeded { present: self.present }),
            None => Ok(self.present.into_iter().next().unwrap_or_else(|| name.to_owned())),
        }
    }
}

/// The rows read so far.
struct Rows {
    header: ::csv::StringRecord,
    columns: Columns,
    bars: Vec<Bar>,
    closes: Vec<Decimal>,
    /// The line of each bar.
    lines: Vec<u64>,
}

impl Rows {
    fn add(&mut self, record: &::csv::StringRecord, line: u64) -> Result<(), LoadError> {
        let columns = self.columns;
        let timestamp = self.timestamp(record, line)?;
        let close = self.price(record, columns.close, line)?;
        // Whatever `f64` reads as a positive number is a decimal, unless it has an absurd number of digits.
        let exact = Decimal::parse(&record[columns.close]).ok_or_else(|| {
            self.error(line, columns.close, RowError::NotANumber(record[columns.close].to_owned()))
        })?;
        let bar = Bar {
            timestamp,
            open: self.price(record, columns.open, line)?,
            high: self.price(record, columns.high, line)?,
            low: self.price(record, columns.low, line)?,
            close,
            volume: columns.volume.map_or(Ok(0.0), |at| self.volume(record, at, line))?,
            close_ticks: 0,
            index: self.bars.len() as u32,
        };
        self.bars.push(bar);
        self.closes.push(exact);
        self.lines.push(line);
        Ok(())
    }

    fn finish(mut self, symbol: String) -> Result<Series, LoadError> {
        if self.bars.is_empty() {
            return Err(LoadError::Empty);
        }
        let scale = Scale::of(&self.closes);
        for (at, close) in self.closes.iter().enumerate() {
            // A price so small beside the others that it rounds to nothing cannot be told from zero.
            let ticks = scale.ticks(*close).filter(|ticks| *ticks > 0);
            let price = self.bars[at].close.to_string();
            self.bars[at].close_ticks = ticks
                .ok_or_else(|| self.error(self.lines[at], self.columns.close, RowError::BadPrice(price)))?;
        }
        Ok(Series { symbol, bars: self.bars, scale })
    }

    fn timestamp(&self, record: &::csv::StringRecord, line: u64) -> Result<Timestamp, LoadError> {
        let at = self.columns.date;
        let date = &record[at];
        let text = match self.columns.time {
            Some(time) => format!("{date} {}", &record[time]),
            None => date.to_owned(),
        };
        if date.is_empty() {
            return Err(self.error(line, at, RowError::Missing));
        }
        let timestamp =
            parse_timestamp(&text).ok_or_else(|| self.error(line, at, RowError::BadTimestamp(text)))?;
        let Some(previous) = self.bars.last().map(|bar| bar.timestamp) else { return Ok(timestamp) };
        let previous_line = self.lines.last().copied().unwrap_or(1);
        let this = || format_timestamp(timestamp);
        match timestamp.cmp(&previous) {
            std::cmp::Ordering::Greater => Ok(timestamp),
            std::cmp::Ordering::Equal => {
                Err(self.error(line, at, RowError::Duplicate { this: this(), previous_line }))
            }
            std::cmp::Ordering::Less => {
                let previous = format_timestamp(previous);
                Err(self.error(line, at, RowError::NotAscending { this: this(), previous, previous_line }))
            }
        }
    }

    fn price(&self, record: &::csv::StringRecord, at: usize, line: u64) -> Result<f64, LoadError> {
        let value = self.number(record, at, line)?;
        if value.is_finite() && value > 0.0 {
            return Ok(value);
        }
        Err(self.error(line, at, RowError::BadPrice(record[at].to_owned())))
    }

    fn volume(&self, record: &::csv::StringRecord, at: usize, line: u64) -> Result<f64, LoadError> {
        // An empty volume is common for indices and currencies, and nothing depends on it.
        if record[at].is_empty() {
            return Ok(0.0);
        }
        let value = self.number(record, at, line)?;
        if value.is_finite() && value >= 0.0 {
            return Ok(value);
        }
        Err(self.error(line, at, RowError::BadVolume(record[at].to_owned())))
    }

    fn number(&self, record: &::csv::StringRecord, at: usize, line: u64) -> Result<f64, LoadError> {
        let text = &record[at];
        if text.is_empty() {
            return Err(self.error(line, at, RowError::Missing));
        }
        text.parse().map_err(|_| self.error(line, at, RowError::NotANumber(text.to_owned())))
    }

    fn error(&self, line: u64, at: usize, cause: RowError) -> LoadError {
        let name = self.header[at].trim();
        let column = if name.is_empty() { "(unnamed)" } else { name };
        LoadError::Row { line, column: Some(column.to_owned()), cause }
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
    const KNOWN: [(&[u8], &str, &str); 8] = [
        (b"\x1f\x8b", "a gzip archive", "unpack it with `gunzip --keep`"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it with `unzstd`"),
        (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
        (b"PAR1", "Parquet", "convert it, for instance with pandas' `read_parquet` and `to_csv`"),
        (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
        (b"{", "JSON", "export it as CSV"),
        (b"<!", "an HTML page", "look at it in a browser: the download may have failed"),
    ];
    KNOWN.iter().find(|(start, ..)| text.starts_with(start)).map(|(_, found, remedy)| (*found, *remedy))
}

fn malformed(error: &::csv::Error, lines: &mut Lines<'_>) -> LoadError {
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
