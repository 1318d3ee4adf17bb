//! Why a file could not be read, with the place and the remedy.

use std::fmt;
use std::path::PathBuf;

use super::ROLES;
use crate::tape::PriceKind;

/// A price file could not be read. Nothing of it is used.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be opened or read.
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file has no header line, or no row of this kind below it.
    Empty(PriceKind),
    /// The file holds another kind of rows than bars, which are wanted.
    OtherKind(PriceKind),
    /// The file has prices beside a column of events of an order book. They may be those of orders that were
    /// added or cancelled, at which nobody traded.
    BookEvents {
        /// The name of the column.
        column: String,
    },
    /// The file is of another kind, by its first bytes.
    OtherFormat {
        /// What it is, e.g. `a gzip archive`.
        found: &'static str,
        /// How to make CSV of it.
        remedy: &'static str,
    },
    /// The file is called as a table of Parquet or Arrow is, and begins as none.
    Misnamed {
        /// The ending of its name.
        ending: String,
        /// What files of this ending are.
        format: &'static str,
        /// The first bytes of such a file.
        magic: String,
    },
    /// The first line is a row of data.
    NoHeader {
        /// Its line, counted from 1.
        line: u64,
        /// Its first field.
        first: String,
    },
    /// A needed column is not in the header.
    MissingColumn {
        /// The line of the header, counted from 1.
        line: u64,
        /// What is needed, e.g. `Close`.
        column: &'static str,
        /// The header's names, in order.
        present: Vec<String>,
        /// The name in the header that comes closest.
        suggestion: Option<String>,
    },
    /// A column that was named is not in the header.
    NamedColumn {
        /// What it was named for, e.g. `close`.
        role: String,
        /// The name.
        name: String,
        /// The header's names, in order.
        present: Vec<String>,
    },
    /// A Parquet file cannot be read.
    Parquet {
        /// Why, and how to mend it.
        reason: String,
    },
    /// A file of Arrow cannot be read.
    Arrow {
        /// Why, and how to mend it.
        reason: String,
    },
    /// One row of a file of Parquet or Arrow is wrong.
    ParquetRow {
        /// The row, counted from 1.
        row: u64,
        /// The column's name.
        column: String,
        /// What is wrong with it.
        cause: RowError,
    },
    /// The column of the symbols of Parquet or Arrow holds neither text nor integers.
    SymbolColumn {
        /// The column's name.
        column: String,
        /// What it holds.
        holds: &'static str,
    },
    /// A column that may appear once appears twice.
    DuplicateColumn {
        /// The line of the header, counted from 1.
        line: u64,
        /// The name, as in the header.
        column: String,
    },
    /// The file holds several symbols and none was chosen.
    SymbolNeeded {
        /// The symbols in the file, in order of appearance.
        present: Vec<String>,
    },
    /// The symbol that was chosen is not in the file.
    UnknownSymbol {
        /// The symbol asked for.
        symbol: String,
        /// The symbols in the file, in order of appearance; empty if the file has no `Ticker` column.
        present: Vec<String>,
    },
    /// One row is wrong.
    Row {
        /// Line in the file, counted from 1; the header is a line too.
        line: u64,
        /// The column's name in the header; `None` if the row as a whole is wrong.
        column: Option<String>,
        /// What is wrong with it.
        cause: RowError,
    },
    /// More rows than [`BARS_MAX`](crate::limits::BARS_MAX).
    TooManyRows,
    /// The file could not be read to its end.
    Read {
        /// What the operating system said, or what is too long.
        reason: String,
    },
    /// There is no file for rows that memory does not keep.
    Spill {
        /// What the operating system said, and what to do.
        reason: String,
    },
}

impl From<std::io::Error> for LoadError {
    /// That of a [`SpillWriter`](mycelium::sweep::SpillWriter).
    fn from(error: std::io::Error) -> Self {
        Self::Spill { reason: error.to_string() }
    }
}

/// What is wrong with one row.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum RowError {
    /// The field holds no number.
    NotANumber(String),
    /// A number with a point that separates no thousands, where decimals were said to follow a comma.
    NotInGroups(String),
    /// The field is empty.
    Missing,
    /// A price that is NaN, infinite, zero or negative.
    BadPrice(String),
    /// A close so small beside the others that 64 bits do not hold both in ticks.
    TooSmall(String),
    /// A volume or a size that is NaN, infinite or negative.
    BadVolume(String),
    /// A split, a dividend or an adjusted close that cannot be, or that does not go with the others.
    Action(String),
    /// A snapshot of a book that cannot be, in words.
    Book(String),
    /// A bid above its ask.
    Crossed {
        /// The bid.
        bid: String,
        /// The ask.
        ask: String,
    },
    /// A date or timestamp in no shape known here.
    BadTimestamp(String),
    /// A time that the type of its column puts outside of the years 1678 to 2261.
    TimeBeyond,
    /// A date that is not written as was said.
    NotAsSaid {
        /// The text.
        text: String,
        /// The format that was given.
        format: String,
    },
    /// Open or close lies outside of low and high.
    OutsideRange {
        /// The low or high, as `low 5`.
        edge: String,
        /// The open or close, as `open 4`.
        beyond: String,
    },
    /// The row is earlier than the one before it.
    NotAscending {
        /// The timestamp of this row.
        this: String,
        /// The timestamp of the row before.
        previous: String,
        /// The line of the row before.
        previous_line: u64,
    },
    /// The row is later than those that follow it.
    TooLate {
        /// The timestamp of this row.
        this: String,
        /// The next row that stays, as `2020-01-03 of line 4`.
        next: String,
    },
    /// The row has the timestamp of the one before it.
    Duplicate {
        /// The timestamp that both have.
        this: String,
        /// The line of the row before.
        previous_line: u64,
    },
    /// The row has more or fewer fields than the header.
    FieldCount {
        /// Fields in the header.
        expected: u64,
        /// Fields in the row.
        got: u64,
    },
    /// The row is not UTF-8 text.
    NotUtf8,
    /// The row is malformed in another way; the words are the CSV reader's.
    Malformed(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, source } => {
                write!(f, "cannot read {}: {source}; check the path given with --data", path.display())
            }
            Self::Empty(kind) => write!(
                f,
                "the file holds no {kind}; expected a header line such as `{}` and one row per {}",
                header_of(*kind),
                kind.to_string().trim_end_matches('s')
            ),
            Self::OtherKind(kind) => write!(
                f,
                "the file holds {kind}, and bars are wanted here: a header line such as `{}`, or --kind bars with --columns",
                header_of(PriceKind::Bars)
            ),
            Self::Misnamed { ending, format, magic } => misnamed(f, ending, format, magic),
            Self::OtherFormat { found, remedy } => write!(f, "the file is {found}, not CSV; {remedy}"),
            Self::NoHeader { line, first } => write!(
                f,
                "line {line} starts with `{}`: that is data, and the names of the columns are missing; put a line such as `{}`, `{}` or `{}` above it",
                Quoted(first),
                header_of(PriceKind::Bars),
                header_of(PriceKind::Quotes),
                header_of(PriceKind::Ticks)
            ),
            Self::MissingColumn { line, column, present, suggestion } => {
                missing_column(f, *line, column, present, suggestion.as_deref())
            }
            Self::BookEvents { column } => write!(
                f,
                "a price beside `{}` may be that of an order, and not of a trade; if each row is a trade, say \
                 --kind ticks, and otherwise keep the rows of trades alone",
                Quoted(column)
            ),
            Self::NamedColumn { role, name, present } => write!(
                f,
                "no column `{}`, which --columns names for `{role}`; the header has: {}. Where files have \
                 other names, say whose they are: --columns FILE:{role}=NAME",
                Quoted(name),
                Listed(present)
            ),
            Self::Parquet { reason } => write!(f, "the Parquet file cannot be read: {reason}"),
            Self::Arrow { reason } => write!(f, "the Arrow file cannot be read: {reason}"),
            Self::ParquetRow { row, column, cause } => {
                write!(f, "row {row}, column `{}`: {cause}", Quoted(column))
            }
            Self::SymbolColumn { column, holds } => symbol_column(f, column, holds),
            Self::DuplicateColumn { line, column } => {
                write!(
                    f,
                    "line {line}: the column `{}` appears twice; remove or rename one of them",
                    Quoted(column)
                )
            }
            Self::SymbolNeeded { present } => {
                write!(f, "the file holds several symbols; choose one with --symbol: {}", Listed(present))
            }
            Self::UnknownSymbol { symbol, present } => unknown_symbol(f, symbol, present),
            Self::Row { line, column: Some(column), cause } => {
                write!(f, "line {line}, column `{}`: {cause}", Quoted(column))
            }
            Self::Row { line, column: None, cause } => write!(f, "line {line}: {cause}"),
            Self::Read { reason } => write!(f, "it cannot be read: {reason}"),
            Self::Spill { reason } => f.write_str(reason),
            Self::TooManyRows => {
                write!(f, "the file holds more than {} rows of one symbol; split it", crate::limits::BARS_MAX)
            }
        }
    }
}

fn symbol_column(f: &mut fmt::Formatter<'_>, column: &str, holds: &str) -> fmt::Result {
    write!(
        f,
        "the column `{}` is that of the symbols, and holds {holds}; write it as text or integers, or say which one \
         has them: --columns symbol=NAME",
        Quoted(column)
    )
}

fn unknown_symbol(f: &mut fmt::Formatter<'_>, symbol: &str, present: &[String]) -> fmt::Result {
    if present.is_empty() {
        return write!(
            f,
            "symbol `{symbol}` was asked for, but the file has no `Ticker` or `Symbol` column; leave out --symbol"
        );
    }
    write!(f, "no symbol `{symbol}` in the file; ")?;
    if let Some(known) = present.iter().find(|known| known.eq_ignore_ascii_case(symbol)) {
        write!(f, "did you mean `{known}`? ")?;
    }
    write!(f, "it holds: {}", Listed(present))
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What to do about corporate actions that cannot be.
const RAW: &str = "mend the row, or take prices as they stand with --prices raw";

/// What to do about rows that cannot be.
const MEND: &str = "mend the row, or leave such rows out with --drop-bad-rows";

/// What is wrong with a time of a type, and what to do.
const TIME_BEYOND: &str = "by the type of its column, this time is outside of the years 1678 to 2261; mend the row, \
     or the unit of the column";

/// Formats that a date may have which is not known: months come first in some countries, and days in others.
fn formats_of(text: &str) -> &'static str {
    if text.contains('/') { "'%m/%d/%Y' or '%d/%m/%Y'" } else { "'%d.%m.%Y'" }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(text) => {
                let text = Quoted(text);
                write!(f, "`{text}` is not a number; write it with a decimal point and without separators")?;
                if self.has_comma() { f.write_str(", or read it with --decimal-comma") } else { Ok(()) }
            }
            Self::NotInGroups(text) => write!(
                f,
                "`{}` has a point that separates no thousands, and --decimal-comma says that decimals follow a comma; leave it out if they follow the point",
                Quoted(text)
            ),
            Self::Missing => f.write_str("the field is empty; fill it in or remove the row"),
            Self::BadPrice(text) => {
                write!(f, "a price must be a finite number above zero, and this is `{}`", Quoted(text))
            }
            Self::TooSmall(text) => write!(
                f,
                "`{}` is so small beside the largest price that 64 bits do not hold both to their digits; check the row",
                Quoted(text)
            ),
            Self::BadVolume(text) => write!(
                f,
                "a volume or size must be a finite number of at least zero, and this is `{}`",
                Quoted(text)
            ),
            Self::Action(text) => write!(f, "{text}; {RAW}"),
            Self::Book(text) => write!(f, "{text}; {MEND}"),
            Self::Crossed { bid, ask } => {
                write!(f, "the bid {bid} is above the ask {ask}: nobody could trade on that; {MEND}")
            }
            Self::BadTimestamp(text) if super::time::is_date_and_hour(text.trim()) => write!(
                f,
                "`{}` may be a date with its hour, or seconds since 1970; say which: --date-format '%Y%m%d%H', or '%s'",
                Quoted(text)
            ),
            Self::BadTimestamp(text) => write!(
                f,
                "`{}` is no timestamp known here; use `2017-04-19`, `2017-04-19 09:00:00`, RFC 3339 or seconds since 1970, or say how it is written: --date-format {}",
                Quoted(text),
                formats_of(text)
            ),
            Self::TimeBeyond => f.write_str(TIME_BEYOND),
            Self::NotAsSaid { text, format } => {
                write!(f, "`{}` is not written as `{}`; see --date-format", Quoted(text), Quoted(format))
            }
            Self::OutsideRange { edge, beyond } => write!(
                f,
                "the {edge} and the {beyond} do not go together: no price of a bar is below its low or above its high; {MEND}"
            ),
            Self::NotAscending { this, previous, previous_line } => write!(
                f,
                "{this} comes after {previous} of line {previous_line}; sort the rows in ascending order of time, or read them with --sort"
            ),
            Self::TooLate { this, next } => {
                write!(f, "{this} comes before {next}; mend its date, or read the rows with --sort")
            }
            Self::Duplicate { this, previous_line } => write!(
                f,
                "{this} stands on line {previous_line} too; remove one of them (or choose one symbol, if there are several)"
            ),
            Self::FieldCount { expected, got } => {
                write!(
                    f,
                    "the row has {got} fields and the header {expected}; check for missing or extra separators and for a quote that is not closed"
                )
            }
            Self::NotUtf8 => f.write_str("the row is not UTF-8 text; convert the file"),
            Self::Malformed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RowError {}

impl RowError {
    /// Whether it is a number with a comma in it.
    fn has_comma(&self) -> bool {
        matches!(self, Self::NotANumber(text) if text.contains(','))
    }
}

/// A header that such a file could have.
fn header_of(kind: PriceKind) -> &'static str {
    match kind {
        PriceKind::Bars => "Date,Open,High,Low,Close,Volume",
        PriceKind::Quotes => "Timestamp,Bid,Ask,Bid_Size,Ask_Size",
        PriceKind::Ticks => "Timestamp,Price,Size",
        PriceKind::Depth => "Timestamp,Bid_Price_1,Bid_Size_1,Ask_Price_1,Ask_Size_1,Trade_Price,Trade_Size",
    }
}

fn misnamed(f: &mut fmt::Formatter<'_>, ending: &str, format: &str, magic: &str) -> fmt::Result {
    write!(
        f,
        "the file is called `.{ending}`, and does not begin with `{magic}` as those of {format} do: it is damaged or \
         something else; write or fetch it again or, if it is text, call it `.csv`"
    )
}

fn missing_column(
    f: &mut fmt::Formatter<'_>,
    line: u64,
    column: &str,
    present: &[String],
    suggestion: Option<&str>,
) -> fmt::Result {
    write!(f, "line {line}: no column `{column}`; the header has: {}", Listed(present))?;
    let role = column.to_lowercase().replace(' ', "_");
    let role = ROLES.contains(&role.as_str()).then_some(role);
    match (suggestion, present) {
        // A header of one field is no header, or one whose separator is not known.
        (_, [_]) => f.write_str(
            "; the names of the columns must stand on the first line, separated by commas, semicolons, tabs or `|`; remove what stands above them",
        ),
        (Some(name), _) => {
            write!(f, "; did you mean `{}`? Rename it to `{column}`", Quoted(name))?;
            match role {
                Some(role) => write!(f, ", or name it: --columns '{role}={}'", Quoted(name)),
                None => Ok(()),
            }
        }
        (None, [first, ..]) if first.eq_ignore_ascii_case("price") => f.write_str(
            "; yfinance wrote a header of three lines: save `data.droplevel(1, axis=1)` instead, whose header is one line",
        ),
        (None, _) => match role {
            Some(role) => {
                write!(f, "; add a column of that name, or say which one it is: --columns '{role}=NAME'")
            }
            None => f.write_str("; add a column of that name"),
        },
    }
}

/// Text from a file, in an error: short, and without characters that a terminal would act upon.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_CHARS: usize = 60;
        let mut shown = 0;
        for char in self.0.chars() {
            if shown >= SHOWN_CHARS {
                return f.write_str("...");
            }
            // An escape is longer than what it stands for.
            shown += if char.is_control() { char.escape_default().len() } else { 1 };
            if char.is_control() { write!(f, "{}", char.escape_default()) } else { write!(f, "{char}") }?;
        }
        Ok(())
    }
}

/// Names from a file, in an error: as many as one reads.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_NAMES: usize = 30;
        for (at, name) in self.0.iter().take(SHOWN_NAMES).enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { ", " }, Quoted(name))?;
        }
        match self.0.len().checked_sub(SHOWN_NAMES) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}
