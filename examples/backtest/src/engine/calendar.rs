//! The calendar of a venue: at which hours it trades, on which days, and the days that are otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};

use super::session::SessionHours;
use crate::limits::{CALENDAR_BYTES_MAX, CALENDAR_DAYS_MAX};
use crate::messages::Timestamp;
use crate::results::Digest;

/// What can be written where hours are wanted.
const HOURS: &str = "write `09:30-16:00`, or `09:30-16:00 America/New_York`";

/// When a venue trades: hours, days of the week, and days that are otherwise.
///
/// As text it is a line for each, and `#` begins a remark:
///
/// ```text
/// hours 09:30-16:00 America/New_York    # required; UTC without a zone; two, `09:00-11:30 12:30-15:30`
/// days mon-fri                          # or `mon,wed,fri`; each day unless it is said
/// 2024-07-03 09:30-13:00                # other hours
/// 2024-07-04 closed
/// 2024-10-01..2024-10-07 closed         # all of these days
/// ```
///
/// Dates and days are those of the venue's clock on which a session opens. Hours that end when they begin, or
/// before, run over midnight.
///
/// ```
/// use backtest::data::parse_timestamp;
/// use backtest::engine::{Calendar, Session};
/// let calendar: Calendar = "hours 09:30-16:00 -05:00\ndays mon-fri\n2024-01-02 closed".parse()?;
/// let at = |text| parse_timestamp(text).expect("a time");
/// // The day off and the night before it are passed over.
/// let hours = Session::from(calendar).hours(at("2024-01-01 21:00"));
/// assert_eq!((hours.opens, hours.closes), (at("2024-01-03 14:30"), at("2024-01-03 21:00")));
/// # Ok::<(), backtest::engine::CalendarError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    /// Of an ordinary day, one behind the other.
    hours: Vec<LocalHours>,
    /// From Monday on.
    days: [bool; 7],
    /// Days that are otherwise; without hours they are closed.
    others: BTreeMap<Date, Vec<LocalHours>>,
    /// The hours as they were written.
    text: String,
}

/// Hours of a clock. Those that end when they begin, or before, end on the next day.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LocalHours {
    opens: Time,
    closes: Time,
}

/// A calendar that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarError {
    /// The line, from 1; 0 is the whole.
    pub line: usize,
    /// What is wrong, and what can be written.
    pub reason: String,
}

impl CalendarError {
    fn whole(reason: String) -> Self {
        Self { line: 0, reason }
    }
}

impl Calendar {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read or is too large, and the first line that says no part of a calendar.
    pub fn read(path: &Path) -> Result<Self, CalendarError> {
        let place = path.display();
        let cannot = |error: std::io::Error| {
            CalendarError::whole(format!("`{place}` cannot be read: {error}; name a file of text"))
        };
        let bytes = std::fs::metadata(path).map_err(cannot)?.len();
        if bytes > CALENDAR_BYTES_MAX {
            let reason =
                format!("`{place}` has {bytes} bytes, more than {CALENDAR_BYTES_MAX}: it is no calendar");
            return Err(CalendarError::whole(reason));
        }
        std::fs::read_to_string(path).map_err(cannot)?.parse()
    }

    /// The same hours on each day.
    pub(super) fn daily(text: &str) -> Result<Self, String> {
        let (hours, zone) = read_hours(text)?;
        Ok(Self { zone, hours, days: [true; 7], others: BTreeMap::new(), text: text.to_owned() })
    }

    /// Whether all days are the same.
    fn is_daily(&self) -> bool {
        self.days == [true; 7] && self.others.is_empty()
    }

    /// The hours that this time is in, or else the next ones.
    pub(super) fn hours(&self, time: Timestamp) -> SessionHours {
        let today = self.zone.to_datetime(instant(time.as_nanos())).date();
        // Those that began yesterday may go on, and those of today may be over.
        let mut from = Some(today.yesterday().unwrap_or(today));
        while let Some(day) = from.and_then(|day| self.open_day(day)) {
            let hours = self.of(day);
            let ends = hours.iter().map(|hours| self.between(day, *hours).1).max().unwrap_or(time);
            let mut between = hours.iter().map(|hours| self.between(day, *hours));
            if let Some((opens, closes)) = between.find(|(_, closes)| time.as_nanos() < closes.as_nanos()) {
                return SessionHours { opens, closes, ends };
            }
            from = day.tomorrow().ok();
        }
        let never = Timestamp::from_nanos(i64::MAX);
        SessionHours { opens: never, closes: never, ends: never }
    }

    fn of(&self, day: Date) -> &[LocalHours] {
        match self.others.get(&day) {
            Some(hours) => hours,
            None if self.days[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())] => {
                &self.hours
            }
            None => &[],
        }
    }

    /// The first day from this one on that has hours.
    fn open_day(&self, from: Date) -> Option<Date> {
        // It passes over as many as are closed, and over a week at most.
        let mut day = from;
        while self.of(day).is_empty() {
            day = day.tomorrow().ok()?;
        }
        Some(day)
    }

    fn between(&self, day: Date, hours: LocalHours) -> (Timestamp, Timestamp) {
        let at = |day: Date, time: Time| {
            // A time that a change of the clock skips is that much later, one that it repeats the earlier.
            let instant = self.zone.to_timestamp(day.to_datetime(time)).unwrap_or_default();
            Timestamp::from_nanos(i64::try_from(instant.as_nanosecond()).unwrap_or(i64::MAX))
        };
        let last = if hours.closes <= hours.opens { day.tomorrow().unwrap_or(day) } else { day };
        (at(day, hours.opens), at(last, hours.closes))
    }

    /// Takes a line that is not empty.
    fn take(&mut self, line: &str) -> Result<(), String> {
        let (key, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match key {
            "hours" if self.hours.is_empty() => {
                (self.hours, self.zone) = read_hours(rest)?;
                rest.clone_into(&mut self.text);
            }
            "hours" => return Err("`hours` are said twice; leave one line".to_owned()),
            "days" => self.days = read_days(rest)?,
            _ => self.take_day(key, rest)?,
        }
        Ok(())
    }

    fn take_day(&mut self, dates: &str, rest: &str) -> Result<(), String> {
        let date = |text: &str| {
            let read = text.parse::<Date>().ok().filter(|_| text.len() == 10);
            read.ok_or_else(|| {
                format!("`{text}` is no date; write `2024-12-25 closed`, `hours ..` or `days ..`")
            })
        };
        let (first, last) = dates.split_once("..").unwrap_or((dates, dates));
        let (mut day, last) = (date(first)?, date(last)?);
        if last < day {
            return Err(format!("`{dates}` ends before it begins; write the earlier date first"));
        }
        let hours = match rest {
            "closed" => Vec::new(),
            _ => read_all_hours(rest.split_whitespace(), rest)
                .map_err(|reason| format!("{reason}, or `closed`"))?,
        };
        while day <= last {
            if self.others.insert(day, hours.clone()).is_some() {
                return Err(format!("`{day}` is said twice; leave one line"));
            }
            if self.others.len() > CALENDAR_DAYS_MAX {
                return Err(format!(
                    "more than {CALENDAR_DAYS_MAX} days are otherwise; leave out early ones"
                ));
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        Ok(())
    }

    /// A number that differs where a calendar does.
    fn digest(&self) -> u64 {
        let mut digest = Digest::new();
        digest.add(format!("{:?}{:?}", self.days, self.others).as_bytes());
        digest.value()
    }
}

impl FromStr for Calendar {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let (zone, others) = (TimeZone::UTC, BTreeMap::new());
        let mut read = Self { zone, hours: Vec::new(), days: [true; 7], others, text: String::new() };
        for (line, number) in text.lines().zip(1..) {
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if !line.is_empty() {
                read.take(line).map_err(|reason| CalendarError { line: number, reason })?;
            }
        }
        if read.hours.is_empty() {
            let reason = "no line has the hours; write `hours 09:30-16:00 America/New_York`".to_owned();
            return Err(CalendarError::whole(reason));
        }
        Ok(read)
    }
}

/// Hours one behind the other, and behind them the zone, if there is one.
fn read_hours(text: &str) -> Result<(Vec<LocalHours>, TimeZone), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_hours =
        |word: &&&str| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('-');
    let count = words.iter().take_while(is_hours).count();
    let hours = read_all_hours(words[..count].iter().copied(), text)?;
    let zone = match words[count..] {
        [] => TimeZone::UTC,
        [zone] => zone_of(zone)?,
        _ => return Err(format!("`{text}` names no hours; {HOURS}")),
    };
    Ok((hours, zone))
}

fn read_all_hours<'a>(words: impl Iterator<Item = &'a str>, all: &str) -> Result<Vec<LocalHours>, String> {
    let time = |text: &str| format!("{text}:00").parse::<Time>().ok().filter(|_| text.len() == 5);
    let mut read: Vec<LocalHours> = Vec::new();
    for word in words {
        let times = word.split_once('-').and_then(|(opens, closes)| Some((time(opens)?, time(closes)?)));
        let (opens, closes) = times.ok_or_else(|| format!("`{all}` names no hours; {HOURS}"))?;
        let follows = |before: &LocalHours| before.opens < before.closes && before.closes <= opens;
        if read.last().is_some_and(|before| !follows(before)) {
            return Err(format!(
                "`{word}` begins before the hours ahead of it are over; write them in their sequence"
            ));
        }
        read.push(LocalHours { opens, closes });
    }
    let overlaps =
        |first: &LocalHours, last: &LocalHours| last.closes <= last.opens && last.closes > first.opens;
    match (read.first(), read.last()) {
        (None, _) | (_, None) => Err(format!("`{all}` names no hours; {HOURS}")),
        (Some(first), Some(last)) if read.len() > 1 && overlaps(first, last) => {
            Err(format!("`{all}` runs over midnight into the first hours of the next day; end it at them"))
        }
        _ => Ok(read),
    }
}

fn read_days(text: &str) -> Result<[bool; 7], String> {
    let wrong = || format!("`{text}` are no days; write `mon-fri`, `sun-thu` or `mon,wed,fri`");
    let day = |name: &str| {
        let name = name.trim().to_lowercase();
        let all = Weekday::Monday.cycle_forward().take(7);
        let named = |day: &Weekday| {
            let whole = format!("{day:?}").to_lowercase();
            name == whole || name.len() == 3 && whole.starts_with(&name)
        };
        all.zip(0_usize..).find(|(day, _)| named(day)).map(|(_, at)| at).ok_or_else(wrong)
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        (0..=(last + 7 - first) % 7).for_each(|step| days[(first + step) % 7] = true);
    }
    Ok(days)
}

/// A zone by its name, or by its offset from UTC.
fn zone_of(name: &str) -> Result<TimeZone, String> {
    let unknown = || {
        format!(
            "`{name}` is no time zone that this machine knows; write one as `America/New_York`, or an offset \
             as `-05:00`"
        )
    };
    if let Some(rest) = name.strip_prefix(['+', '-']) {
        let sign = if name.starts_with('-') { -1 } else { 1 };
        let (hours, minutes) = rest.split_once(':').ok_or_else(unknown)?;
        let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2);
        let (hours, minutes) = number(hours).zip(number(minutes)).ok_or_else(unknown)?;
        let seconds = sign * (i32::from(hours) * 3_600 + i32::from(minutes) * 60);
        let valid = hours < 24 && minutes < 60;
        return Offset::from_seconds(seconds).ok().filter(|_| valid).map(TimeZone::fixed).ok_or_else(unknown);
    }
    if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(name).map_err(|_| unknown()) }
}

fn instant(ns: i64) -> jiff::Timestamp {
    // Nanoseconds of 64 bits are within the years of `jiff`.
    jiff::Timestamp::from_nanosecond(ns.into()).unwrap_or_default()
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.is_daily() {
            true => Ok(()),
            false => write!(f, " by a calendar of {} other days ({:016x})", self.others.len(), self.digest()),
        }
    }
}

impl fmt::Display for CalendarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.reason),
            line => write!(f, "line {line}: {}", self.reason),
        }
    }
}

impl std::error::Error for CalendarError {}
