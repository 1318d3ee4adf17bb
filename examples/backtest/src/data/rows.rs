//! From fields to rows: in which order they come, and which are left out.

use std::borrow::Cow;
use std::collections::HashSet;

use mycelium::sweep::SpillWriter;

use super::columns::TimeColumns;
use super::kinds::{Loaded, PriceRow};
use super::{
    Decimal, DroppedRows, LoadError, ReadOptions, RowError, format_timestamp, parse_timestamp,
    parse_timestamp_as,
};
use crate::limits::BARS_MAX;
use crate::messages::Timestamp;

/// The symbols met so far, and which of them is wanted.
pub(super) struct Symbols<'a> {
    wanted: Option<&'a str>,
    /// In order of appearance.
    present: Vec<String>,
    /// The same, to look up: a file may hold thousands.
    known: HashSet<String>,
}

impl<'a> Symbols<'a> {
    pub(super) fn new(wanted: Option<&'a str>) -> Self {
        Self { wanted, present: Vec::new(), known: HashSet::new() }
    }

    /// Notes the symbol and tells whether its row is to be read.
    ///
    /// Without a choice only the first symbol is read: should a second one follow, `chosen` refuses them all.
    pub(super) fn select(&mut self, symbol: &str) -> bool {
        if !self.known.contains(symbol) {
            self.known.insert(symbol.to_owned());
            self.present.push(symbol.to_owned());
        }
        match self.wanted {
            Some(wanted) => wanted == symbol,
            None => self.present[0] == symbol,
        }
    }

    pub(super) fn chosen(self, has_column: bool, name: &str) -> Result<String, LoadError> {
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

/// Makes an error of what is wrong in a row and a column.
pub(super) type Place<'a> = &'a dyn Fn(u64, usize, RowError) -> LoadError;

/// What is wrong, and in which column.
pub(super) type Fault = (usize, RowError);

/// The fields of a row, by the numbers of their columns.
pub(super) trait Fields {
    /// The time: a date, and the time of day if that has a column of its own.
    fn time(&self, date: usize, time: Option<usize>) -> Result<Timestamp, Fault>;
    fn number(&self, at: usize) -> Result<f64, Fault>;
    /// A number with all its digits.
    fn exact(&self, at: usize) -> Result<(f64, Decimal), Fault>;
    /// A number, or zero where there is none.
    fn amount(&self, at: Option<usize>) -> Result<f64, Fault>;
}

/// The rows read so far.
pub(super) struct Rows<'a, R: PriceRow> {
    options: &'a ReadOptions,
    times: TimeColumns,
    columns: R::Columns,
    place: Place<'a>,
    rows: SpillWriter<R>,
    /// The line of each.
    lines: SpillWriter<u64>,
    /// Whether each is later than the one before it, or of the same time where rows may share it.
    is_ascending: bool,
    dropped: DroppedRows,
}

impl<'a, R: PriceRow> Rows<'a, R> {
    pub(super) fn new(
        options: &'a ReadOptions,
        times: TimeColumns,
        columns: R::Columns,
        place: Place<'a>,
    ) -> Self {
        let dropped = DroppedRows::default();
        let (rows, lines) = (SpillWriter::new(options.memory()), SpillWriter::new(options.memory()));
        Self { options, times, columns, place, rows, lines, is_ascending: true, dropped }
    }

    /// Ends the reading with this error, or leaves the row out.
    pub(super) fn refuse(&mut self, error: LoadError) -> Result<(), LoadError> {
        let of_a_row = matches!(error, LoadError::Row { .. } | LoadError::ParquetRow { .. });
        if !self.options.drop_bad_rows || !of_a_row {
            return Err(error);
        }
        self.dropped.add(error);
        Ok(())
    }

    /// Takes a row.
    pub(super) fn add(&mut self, line: u64, fields: &impl Fields) -> Result<(), LoadError> {
        match self.parse(fields) {
            Ok(row) if self.rows.as_slice().len() < BARS_MAX => {
                if let Some(last) = self.rows.as_slice().last() {
                    self.is_ascending &= ascends::<R>(last.timestamp(), row.timestamp());
                }
                self.rows.push(row)?;
                Ok(self.lines.push(line)?)
            }
            Ok(_) => Err(LoadError::TooManyRows),
            Err((at, cause)) => self.refuse((self.place)(line, at, cause)),
        }
    }

    /// A row that is sound, and in time.
    fn parse(&self, fields: &impl Fields) -> Result<R, Fault> {
        let timestamp = fields.time(self.times.date, self.times.time)?;
        let row = R::read(fields, &self.columns, timestamp)?;
        row.check(&self.columns)?;
        match self.rows.as_slice().last() {
            // Which rows of many are out of time shows at the end.
            Some(before) if !self.options.sort && !self.options.drop_bad_rows => {
                let line = self.lines.as_slice().last().copied().unwrap_or(1);
                let later = self.later(timestamp, before.timestamp(), line);
                later.map(|()| row).map_err(|cause| (self.times.date, cause))
            }
            _ => Ok(row),
        }
    }

    fn later(&self, this: Timestamp, previous: Timestamp, previous_line: u64) -> Result<(), RowError> {
        let shown = || format_timestamp(this);
        match this.cmp(&previous) {
            std::cmp::Ordering::Equal if !R::MAY_SHARE_TIME => {
                Err(RowError::Duplicate { this: shown(), previous_line })
            }
            std::cmp::Ordering::Greater | std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => {
                let previous = format_timestamp(previous);
                Err(RowError::NotAscending { this: shown(), previous, previous_line })
            }
        }
    }

    /// The rows, with what was left out.
    pub(super) fn finish(mut self, symbol: String) -> Result<(Loaded, DroppedRows), LoadError> {
        match self.options {
            _ if self.is_ascending => {}
            ReadOptions { sort: true, .. } => self.sort()?,
            _ => self.keep_ascending()?,
        }
        if self.rows.as_slice().is_empty() {
            // Where all rows were wrong, the first of them says more.
            return Err(self.dropped.first.unwrap_or(LoadError::Empty(R::KIND)));
        }
        let (lines, options) = (self.lines.as_slice(), self.options);
        let loaded = R::finish(symbol, self.rows, lines, &self.columns, self.place, options)?;
        Ok((loaded, self.dropped))
    }

    /// The time and the line of a row.
    fn placed(&self, at: u32) -> (Timestamp, u64) {
        (self.rows.as_slice()[at as usize].timestamp(), self.lines.as_slice()[at as usize])
    }

    /// Puts all in order of time; of rows that may not share one the first stays.
    fn sort(&mut self) -> Result<(), LoadError> {
        let mut order = SpillWriter::new(self.options.memory());
        (0..self.rows.as_slice().len() as u32).try_for_each(|at| order.push(at))?;
        let rows = self.rows.as_slice();
        order.as_mut_slice().sort_unstable_by_key(|at| (rows[*at as usize].timestamp(), *at));
        let mut kept = SpillWriter::new(self.options.memory());
        for at in order.as_slice() {
            let (this, line) = self.placed(*at);
            let before = kept.as_slice().last().map(|last| self.placed(*last));
            match before.map_or(Ok(()), |(time, line)| self.later(this, time, line)) {
                Ok(()) => kept.push(*at)?,
                Err(cause) => self.refuse((self.place)(line, self.times.date, cause))?,
            }
        }
        self.keep(kept.as_slice())
    }

    fn keep(&mut self, kept: &[u32]) -> Result<(), LoadError> {
        let (mut rows, mut lines) =
            (SpillWriter::new(self.options.memory()), SpillWriter::new(self.options.memory()));
        for at in kept {
            rows.push(self.rows.as_slice()[*at as usize])?;
            lines.push(self.lines.as_slice()[*at as usize])?;
        }
        (self.rows, self.lines) = (rows, lines);
        Ok(())
    }

    /// Leaves out rows until the time of each is after that of the one before, or the same where rows may
    /// share it: as few as possible, and of equals those that come later.
    fn keep_ascending(&mut self) -> Result<(), LoadError> {
        let kept = longest_ascending(self.rows.as_slice(), self.options.memory())?;
        let kept = kept.as_slice();
        let mut following = kept.iter().copied().peekable();
        let mut last: Option<u32> = None;
        for at in 0..self.rows.as_slice().len() as u32 {
            if following.next_if_eq(&at).is_some() {
                last = Some(at);
                continue;
            }
            let (this, line) = self.placed(at);
            let before = last.map(|last| self.placed(last));
            let cause = before.and_then(|(time, line)| self.later(this, time, line).err());
            let cause = cause.or_else(|| following.peek().map(|next| self.too_late(at, *next)));
            if let Some(cause) = cause {
                self.refuse((self.place)(line, self.times.date, cause))?;
            }
        }
        self.keep(kept)
    }

    fn too_late(&self, at: u32, next: u32) -> RowError {
        let (this, (next, line)) = (self.placed(at).0, self.placed(next));
        RowError::TooLate {
            this: format_timestamp(this),
            next: format!("{} of line {line}", format_timestamp(next)),
        }
    }
}

/// Whether a row of the second time may follow one of the first.
fn ascends<R: PriceRow>(before: Timestamp, after: Timestamp) -> bool {
    before < after || R::MAY_SHARE_TIME && before == after
}

/// Reads a time as the options say.
pub(super) fn time_of(options: &ReadOptions, text: &str) -> Result<Timestamp, RowError> {
    match &options.date_format {
        None => parse_timestamp(text).ok_or_else(|| RowError::BadTimestamp(text.to_owned())),
        Some(format) => parse_timestamp_as(text, format)
            .ok_or_else(|| RowError::NotAsSaid { text: text.to_owned(), format: format.clone() }),
    }
}

/// A number with a decimal point, from text that is written as the options say.
pub(super) fn decimal_point<'a>(options: &ReadOptions, text: &'a str) -> Result<Cow<'a, str>, RowError> {
    if !options.decimal_comma {
        return Ok(Cow::Borrowed(text));
    }
    without_groups(text).map(Cow::Owned).ok_or_else(|| RowError::NotInGroups(text.to_owned()))
}

/// A row of text.
pub(super) struct TextRow<'a> {
    pub(super) record: &'a ::csv::StringRecord,
    pub(super) options: &'a ReadOptions,
}

impl TextRow<'_> {
    /// A number with a decimal point.
    fn decimal_point(&self, at: usize) -> Result<Cow<'_, str>, Fault> {
        decimal_point(self.options, &self.record[at]).map_err(|cause| (at, cause))
    }
}

impl Fields for TextRow<'_> {
    fn time(&self, date: usize, time: Option<usize>) -> Result<Timestamp, Fault> {
        let text = &self.record[date];
        if text.is_empty() {
            return Err((date, RowError::Missing));
        }
        let text = match time {
            Some(time) => Cow::Owned(format!("{text} {}", &self.record[time])),
            None => Cow::Borrowed(text),
        };
        time_of(self.options, &text).map_err(|cause| (date, cause))
    }

    fn number(&self, at: usize) -> Result<f64, Fault> {
        let text = &self.record[at];
        if text.is_empty() {
            return Err((at, RowError::Missing));
        }
        let number = self.decimal_point(at)?;
        number.parse().map_err(|_| (at, RowError::NotANumber(text.to_owned())))
    }

    fn exact(&self, at: usize) -> Result<(f64, Decimal), Fault> {
        let number = self.number(at)?;
        // Every text that `f64` reads as a number is a decimal, unless it is none or has an absurd number of
        // digits.
        let text = self.decimal_point(at)?;
        match Decimal::parse(&text) {
            Some(exact) => Ok((number, exact)),
            None if !number.is_finite() => Err((at, RowError::BadPrice(text.into_owned()))),
            None => Err((at, RowError::NotANumber(self.record[at].to_owned()))),
        }
    }

    fn amount(&self, at: Option<usize>) -> Result<f64, Fault> {
        match at {
            Some(at) if !self.record[at].is_empty() => self.number(at),
            _ => Ok(0.0),
        }
    }
}

/// `1.234,50` as `1234.50`. `None` if a point stands anywhere but before three digits: then it is no comma
/// that separates the decimals.
fn without_groups(text: &str) -> Option<String> {
    let (whole, decimals) = text.split_once(',').unwrap_or((text, ""));
    let mut groups = whole.trim_start_matches(['+', '-']).split('.');
    let first = groups.next()?.len();
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let in_threes = groups.all(|group| group.len() == 3 && digits(group) && (1..=3).contains(&first));
    (in_threes && !decimals.contains('.')).then(|| text.replace('.', "").replacen(',', ".", 1))
}

/// The places of the most rows whose times ascend, and of all such choices the first.
fn longest_ascending<R: PriceRow>(rows: &[R], memory_bytes_max: usize) -> std::io::Result<SpillWriter<u32>> {
    // How many there can be from each place on, from the last one to the first. `latest[n]` is the latest
    // time with which n + 1 begin.
    let mut latest = SpillWriter::new(memory_bytes_max);
    let mut counts = SpillWriter::new(memory_bytes_max);
    for time in rows.iter().rev().map(R::timestamp) {
        let behind = latest.as_slice().partition_point(|other| ascends::<R>(time, *other));
        match latest.as_mut_slice().get_mut(behind) {
            Some(other) => *other = time,
            None => latest.push(time)?,
        }
        counts.push(behind as u32 + 1)?;
    }
    let mut wanted = latest.as_slice().len() as u32;
    let mut kept = SpillWriter::new(memory_bytes_max);
    for ((row, count), at) in rows.iter().zip(counts.as_slice().iter().rev()).zip(0..) {
        let follows = |last: &u32| ascends::<R>(rows[*last as usize].timestamp(), row.timestamp());
        if *count == wanted && kept.as_slice().last().is_none_or(follows) {
            kept.push(at)?;
            wanted -= 1;
        }
    }
    Ok(kept)
}
