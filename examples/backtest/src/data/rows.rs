//! From rows to bars: what a row must be, in which order they come, and which are left out.

use std::borrow::Cow;
use std::collections::HashSet;

use super::columns::Columns;
use super::{
    Decimal, DroppedRows, LoadError, ReadOptions, RowError, Scale, Series, format_timestamp, parse_timestamp,
    parse_timestamp_as,
};
use crate::limits::BARS_MAX;
use crate::messages::{Bar, Timestamp};

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
type Place<'a> = &'a dyn Fn(u64, usize, RowError) -> LoadError;

/// What is wrong, and in which column.
type Fault = (usize, RowError);

/// The rows read so far.
pub(super) struct Rows<'a> {
    options: &'a ReadOptions,
    columns: Columns,
    place: Place<'a>,
    bars: Vec<Bar>,
    closes: Vec<Decimal>,
    /// The line of each bar.
    lines: Vec<u64>,
    dropped: DroppedRows,
}

/// A row whose prices and time are known, but for whether they make sense.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRow {
    pub(super) timestamp: Timestamp,
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: f64,
    /// The close with all its digits.
    pub(super) exact: Decimal,
}

impl<'a> Rows<'a> {
    pub(super) fn new(options: &'a ReadOptions, columns: Columns, place: Place<'a>) -> Self {
        let dropped = DroppedRows::default();
        Self { options, columns, place, bars: Vec::new(), closes: Vec::new(), lines: Vec::new(), dropped }
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

    /// Takes a row of text.
    pub(super) fn add(&mut self, line: u64, record: &::csv::StringRecord) -> Result<(), LoadError> {
        let row = self.parse(record);
        self.add_raw(line, row)
    }

    /// Takes a row that was read, or what is wrong with it.
    pub(super) fn add_raw(&mut self, line: u64, row: Result<RawRow, Fault>) -> Result<(), LoadError> {
        match row.and_then(|row| self.check(&row).map(|()| row)) {
            Ok(row) => self.push(line, &row),
            Err((at, cause)) => self.refuse((self.place)(line, at, cause)),
        }
    }

    fn push(&mut self, line: u64, row: &RawRow) -> Result<(), LoadError> {
        if self.bars.len() == BARS_MAX {
            return Err(LoadError::TooManyBars);
        }
        self.bars.push(Bar {
            timestamp: row.timestamp,
            open: row.open,
            high: row.high,
            low: row.low,
            close: row.close,
            volume: row.volume,
            close_ticks: 0,
            index: 0,
        });
        self.closes.push(row.exact);
        self.lines.push(line);
        Ok(())
    }

    /// What a bar must be: prices above zero, none outside of low and high, later than the one before.
    fn check(&self, row: &RawRow) -> Result<(), Fault> {
        let Columns { open, high, low, close, date, .. } = self.columns;
        for (at, price) in [(open, row.open), (high, row.high), (low, row.low), (close, row.close)] {
            if !(price.is_finite() && price > 0.0) {
                return Err((at, RowError::BadPrice(price.to_string())));
            }
        }
        if !(row.volume.is_finite() && row.volume >= 0.0) {
            let at = self.columns.volume.unwrap_or(close);
            return Err((at, RowError::BadVolume(row.volume.to_string())));
        }
        let edges = [("low", low, row.low), ("high", high, row.high)];
        for (edge, at, limit) in edges {
            for (name, price) in [("open", row.open), ("close", row.close)] {
                if (edge == "low" && price < limit) || (edge == "high" && price > limit) {
                    let (edge, beyond) = (format!("{edge} {limit}"), format!("{name} {price}"));
                    return Err((at, RowError::OutsideRange { edge, beyond }));
                }
            }
        }
        match self.bars.last() {
            // Which rows of many are out of time shows at the end.
            Some(before) if !self.options.sort && !self.options.drop_bad_rows => {
                self.later(row.timestamp, before.timestamp, self.lines.last().copied().unwrap_or(1))
            }
            _ => Ok(()),
        }
        .map_err(|cause| (date, cause))
    }

    fn later(&self, this: Timestamp, previous: Timestamp, previous_line: u64) -> Result<(), RowError> {
        let shown = || format_timestamp(this);
        match this.cmp(&previous) {
            std::cmp::Ordering::Greater => Ok(()),
            std::cmp::Ordering::Equal => Err(RowError::Duplicate { this: shown(), previous_line }),
            std::cmp::Ordering::Less => {
                let previous = format_timestamp(previous);
                Err(RowError::NotAscending { this: shown(), previous, previous_line })
            }
        }
    }

    /// The bars, with what was left out.
    pub(super) fn finish(mut self, symbol: String) -> Result<(Series, DroppedRows), LoadError> {
        if self.options.sort {
            self.sort()?;
        } else if self.options.drop_bad_rows {
            self.keep_ascending()?;
        }
        if self.bars.is_empty() {
            // Where all rows were wrong, the first of them says more.
            return Err(self.dropped.first.unwrap_or(LoadError::Empty));
        }
        let scale = Scale::of(&self.closes);
        for (at, close) in self.closes.iter().enumerate() {
            // A price so small beside the others that it rounds to nothing cannot be told from zero.
            let ticks = scale.ticks(*close).filter(|ticks| *ticks > 0);
            let price = self.bars[at].close.to_string();
            let small = || (self.place)(self.lines[at], self.columns.close, RowError::TooSmall(price));
            self.bars[at].close_ticks = ticks.ok_or_else(small)?;
            self.bars[at].index = at as u32;
        }
        Ok((Series { symbol, bars: self.bars, scale }, self.dropped))
    }

    /// Puts all in order of time; of rows with one time the first stays.
    fn sort(&mut self) -> Result<(), LoadError> {
        let mut order: Vec<usize> = (0..self.bars.len()).collect();
        order.sort_by_key(|at| self.bars[*at].timestamp);
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        for at in order {
            let before = kept.last().map(|last| (self.bars[*last].timestamp, self.lines[*last]));
            match before.map_or(Ok(()), |(time, line)| self.later(self.bars[at].timestamp, time, line)) {
                Ok(()) => kept.push(at),
                Err(cause) => self.refuse((self.place)(self.lines[at], self.columns.date, cause))?,
            }
        }
        self.keep(&kept);
        Ok(())
    }

    fn keep(&mut self, kept: &[usize]) {
        self.bars = kept.iter().map(|at| self.bars[*at]).collect();
        self.closes = kept.iter().map(|at| self.closes[*at]).collect();
        self.lines = kept.iter().map(|at| self.lines[*at]).collect();
    }

    /// Leaves out rows until the time of each is after that of the one before: as few as possible, and of
    /// equals those that come later.
    fn keep_ascending(&mut self) -> Result<(), LoadError> {
        if self.bars.is_sorted_by(|a, b| a.timestamp < b.timestamp) {
            return Ok(());
        }
        let times: Vec<Timestamp> = self.bars.iter().map(|bar| bar.timestamp).collect();
        let kept = longest_ascending(&times);
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
                self.refuse((self.place)(self.lines[at], self.columns.date, cause))?;
            }
        }
        self.keep(&kept);
        Ok(())
    }

    fn too_late(&self, at: usize, next: usize) -> RowError {
        let shown = |at: usize| format_timestamp(self.bars[at].timestamp);
        RowError::TooLate { this: shown(at), next: format!("{} of line {}", shown(next), self.lines[next]) }
    }

    fn parse(&self, record: &::csv::StringRecord) -> Result<RawRow, Fault> {
        let columns = self.columns;
        let timestamp = self.timestamp(record)?;
        let close = self.number(record, columns.close)?;
        // Whatever `f64` reads as a number is a decimal, unless it is none or has an absurd number of digits.
        let text = self.decimal_point(record, columns.close)?;
        let exact = match Decimal::parse(&text) {
            Some(exact) => exact,
            None if !close.is_finite() => return Err((columns.close, RowError::BadPrice(text.into_owned()))),
            None => return Err((columns.close, RowError::NotANumber(record[columns.close].to_owned()))),
        };
        Ok(RawRow {
            timestamp,
            open: self.number(record, columns.open)?,
            high: self.number(record, columns.high)?,
            low: self.number(record, columns.low)?,
            close,
            volume: match columns.volume {
                // An empty volume is common for indices and currencies, and nothing depends on it.
                Some(at) if !record[at].is_empty() => self.number(record, at)?,
                _ => 0.0,
            },
            exact,
        })
    }

    fn timestamp(&self, record: &::csv::StringRecord) -> Result<Timestamp, Fault> {
        let at = self.columns.date;
        let date = &record[at];
        if date.is_empty() {
            return Err((at, RowError::Missing));
        }
        let text = match self.columns.time {
            Some(time) => Cow::Owned(format!("{date} {}", &record[time])),
            None => Cow::Borrowed(date),
        };
        self.time_of(&text).map_err(|cause| (at, cause))
    }

    /// Reads a time as the options say.
    pub(super) fn time_of(&self, text: &str) -> Result<Timestamp, RowError> {
        match &self.options.date_format {
            None => parse_timestamp(text).ok_or_else(|| RowError::BadTimestamp(text.to_owned())),
            Some(format) => parse_timestamp_as(text, format)
                .ok_or_else(|| RowError::NotAsSaid { text: text.to_owned(), format: format.clone() }),
        }
    }

    /// A number with a decimal point.
    fn decimal_point<'t>(&self, record: &'t ::csv::StringRecord, at: usize) -> Result<Cow<'t, str>, Fault> {
        let text = &record[at];
        if !self.options.decimal_comma {
            return Ok(Cow::Borrowed(text));
        }
        without_groups(text).map(Cow::Owned).ok_or_else(|| (at, RowError::NotInGroups(text.to_owned())))
    }

    fn number(&self, record: &::csv::StringRecord, at: usize) -> Result<f64, Fault> {
        let text = &record[at];
        if text.is_empty() {
            return Err((at, RowError::Missing));
        }
        let number = self.decimal_point(record, at)?;
        number.parse().map_err(|_| (at, RowError::NotANumber(text.to_owned())))
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

/// The places of the most times that ascend, and of all such choices the first.
fn longest_ascending(times: &[Timestamp]) -> Vec<usize> {
    // How many there can be from each place on. `latest[n]` is the latest time with which n + 1 begin.
    let mut latest: Vec<Timestamp> = Vec::new();
    let mut counts = vec![0_u32; times.len()];
    for (time, count) in times.iter().zip(&mut counts).rev() {
        let behind = latest.partition_point(|other| other > time);
        match latest.get_mut(behind) {
            Some(other) => *other = *time,
            None => latest.push(*time),
        }
        *count = behind as u32 + 1;
    }
    let mut wanted = latest.len() as u32;
    let mut kept: Vec<usize> = Vec::with_capacity(latest.len());
    for (at, count) in counts.iter().enumerate() {
        if *count == wanted && kept.last().is_none_or(|last| times[*last] < times[at]) {
            kept.push(at);
            wanted -= 1;
        }
    }
    kept
}
