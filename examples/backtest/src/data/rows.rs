//! From fields to rows: in which order they come, and which are left out.

use std::borrow::Cow;
use std::collections::HashSet;

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
    rows: Vec<R>,
    /// The line of each.
    lines: Vec<u64>,
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
        Self { options, times, columns, place, rows: Vec::new(), lines: Vec::new(), dropped }
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
            Ok(row) if self.rows.len() < BARS_MAX => {
                self.rows.push(row);
                self.lines.push(line);
                Ok(())
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
        match self.rows.last() {
            // Which rows of many are out of time shows at the end.
            Some(before) if !self.options.sort && !self.options.drop_bad_rows => {
                let line = self.lines.last().copied().unwrap_or(1);
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
        if self.options.sort {
            self.sort()?;
        } else if self.options.drop_bad_rows {
            self.keep_ascending()?;
        }
        if self.rows.is_empty() {
            // Where all rows were wrong, the first of them says more.
            return Err(self.dropped.first.unwrap_or(LoadError::Empty(R::KIND)));
        }
        let loaded = R::finish(symbol, self.rows, &self.lines, &self.columns, self.place)?;
        Ok((loaded, self.dropped))
    }

    /// Puts all in order of time; of rows that may not share one the first stays.
    fn sort(&mut self) -> Result<(), LoadError> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|at| self.rows[*at].timestamp());
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        for at in order {
            let before = kept.last().map(|last| (self.rows[*last].timestamp(), self.lines[*last]));
            match before.map_or(Ok(()), |(time, line)| self.later(self.rows[at].timestamp(), time, line)) {
                Ok(()) => kept.push(at),
                Err(cause) => self.refuse((self.place)(self.lines[at], self.times.date, cause))?,
            }
        }
        self.keep(&kept);
        Ok(())
    }

    fn keep(&mut self, kept: &[usize]) {
        self.rows = kept.iter().map(|at| self.rows[*at]).collect();
        self.lines = kept.iter().map(|at| self.lines[*at]).collect();
    }

    /// Leaves out rows until the time of each is after that of the one before, or the same where rows may
    /// share it: as few as possible, and of equals those that come later.
    fn keep_ascending(&mut self) -> Result<(), LoadError> {
        let times: Vec<Timestamp> = self.rows.iter().map(R::timestamp).collect();
        if times.is_sorted_by(|a, b| a < b || R::MAY_SHARE_TIME && a == b) {
            return Ok(());
        }
        let kept = longest_ascending(&times, R::MAY_SHARE_TIME);
        let mut following = kept.iter().copied().peekable();
        let mut last: Option<usize> = None;
        for at in 0..times.len() {
            if following.next_if_eq(&at).is_some() {
                last = Some(at);
                continue;
            }
            let before = last.map(|last| (times[last], self.lines[last]));
            let cause = before.and_then(|(time, line)| self.later(times[at], time, line).err());
            let cause = cause.or_else(|| following.peek().map(|next| self.too_late(at, *next)));
            if let Some(cause) = cause {
                self.refuse((self.place)(self.lines[at], self.times.date, cause))?;
            }
        }
        self.keep(&kept);
        Ok(())
    }

    fn too_late(&self, at: usize, next: usize) -> RowError {
        let shown = |at: usize| format_timestamp(self.rows[at].timestamp());
        RowError::TooLate { this: shown(at), next: format!("{} of line {}", shown(next), self.lines[next]) }
    }
}

/// Reads a time as the options say.
pub(super) fn time_of(options: &ReadOptions, text: &str) -> Result<Timestamp, RowError> {
    match &options.date_format {
        None => parse_timestamp(text).ok_or_else(|| RowError::BadTimestamp(text.to_owned())),
        Some(format) => parse_timestamp_as(text, format)
            .ok_or_else(|| RowError::NotAsSaid { text: text.to_owned(), format: format.clone() }),
    }
}

/// A row of text.
pub(super) struct TextRow<'a> {
    pub(super) record: &'a ::csv::StringRecord,
    pub(super) options: &'a ReadOptions,
}

impl TextRow<'_> {
    /// A number with a decimal point.
    fn decimal_point(&self, at: usize) -> Result<Cow<'_, str>, Fault> {
        let text = &self.record[at];
        if !self.options.decimal_comma {
            return Ok(Cow::Borrowed(text));
        }
        without_groups(text).map(Cow::Owned).ok_or_else(|| (at, RowError::NotInGroups(text.to_owned())))
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
        // Whatever `f64` reads as a number is a decimal, unless it is none or has an absurd number of digits.
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

/// The places of the most times that ascend, and of all such choices the first. `equal` ones may follow one
/// another, or not.
fn longest_ascending(times: &[Timestamp], equal: bool) -> Vec<usize> {
    let before = |a: &Timestamp, b: &Timestamp| a < b || equal && a == b;
    // How many there can be from each place on. `latest[n]` is the latest time with which n + 1 begin.
    let mut latest: Vec<Timestamp> = Vec::new();
    let mut counts = vec![0_u32; times.len()];
    for (time, count) in times.iter().zip(&mut counts).rev() {
        let behind = latest.partition_point(|other| before(time, other));
        match latest.get_mut(behind) {
            Some(other) => *other = *time,
            None => latest.push(*time),
        }
        *count = behind as u32 + 1;
    }
    let mut wanted = latest.len() as u32;
    let mut kept: Vec<usize> = Vec::with_capacity(latest.len());
    for (at, count) in counts.iter().enumerate() {
        if *count == wanted && kept.last().is_none_or(|last| before(&times[*last], &times[at])) {
            kept.push(at);
            wanted -= 1;
        }
    }
    kept
}
