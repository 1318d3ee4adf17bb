//! Trading hours: when an order can be filled, and when a day order ends.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

use crate::data::NS_PER_DAY;
use crate::messages::Timestamp;

/// The daily hours of a market. Orders are filled by what begins within them, and day orders end with them.
///
/// `"09:30-16:00 America/New_York"` are the hours of a stock exchange, by its own clock in summer and
/// winter. `"17:00-16:00 America/Chicago"` run over midnight. Hours that end when they begin, `"17:00-17:00
/// America/New_York"`, are a whole day. Without a zone they are UTC; an offset such as `-05:00` is a zone
/// too. The default is the day of UTC.
///
/// Days without trade need no list: nothing is filled where there are no prices. A price after the end of a
/// day that ends early is still within its hours.
///
/// ```
/// use backtest::data::parse_timestamp;
/// use backtest::engine::Session;
/// let session: Session = "09:30-16:00 -05:00".parse()?;
/// let at = |text| parse_timestamp(text).expect("a time");
/// let hours = session.hours(at("2024-01-02 15:00"));
/// assert_eq!((hours.opens, hours.closes), (at("2024-01-02 14:30"), at("2024-01-02 21:00")));
/// // After them come those of the next day.
/// assert_eq!(session.hours(at("2024-01-02 21:00")).opens, at("2024-01-03 14:30"));
/// # Ok::<(), backtest::engine::SessionError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session(Option<LocalHours>);

#[derive(Clone, Debug, PartialEq)]
struct LocalHours {
    opens: Time,
    closes: Time,
    zone: TimeZone,
    /// As it was written.
    text: String,
}

/// One session: from its open up to, and without, its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHours {
    /// The first instant at which it is open.
    pub opens: Timestamp,
    /// The first instant at which it is closed again.
    pub closes: Timestamp,
}

/// Text that names no hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionError(String);

impl SessionHours {
    /// Whether this time is within them.
    #[inline]
    #[must_use]
    pub fn contain(&self, time: Timestamp) -> bool {
        (self.opens.as_nanos()..self.closes.as_nanos()).contains(&time.as_nanos())
    }
}

impl Session {
    /// The session that this time is in, or else the next one. A strategy that wants to be flat overnight
    /// asks how far its close is: `session.hours(ctx.time()).closes`.
    #[must_use]
    pub fn hours(&self, time: Timestamp) -> SessionHours {
        let now_ns = time.as_nanos();
        let Some(local) = &self.0 else {
            let opens_ns = now_ns.div_euclid(NS_PER_DAY).saturating_mul(NS_PER_DAY);
            return SessionHours {
                opens: Timestamp::from_nanos(opens_ns),
                closes: Timestamp::from_nanos(opens_ns.saturating_add(NS_PER_DAY)),
            };
        };
        let today = local.zone.to_datetime(instant(now_ns)).date();
        // One that began yesterday may go on, and that of today may be over.
        let days = [today.yesterday().unwrap_or(today), today];
        let mut hours = days.into_iter().map(|day| local.of(day));
        let running = hours.find(|hours| now_ns < hours.closes.as_nanos());
        running.unwrap_or_else(|| local.of(today.tomorrow().unwrap_or(today)))
    }

    /// Whether this time is within a session.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.hours(time).contain(time)
    }

    /// Whether it is the default, the day of UTC, in which all times are.
    #[must_use]
    pub fn is_whole_day(&self) -> bool {
        self.0.is_none()
    }
}

impl LocalHours {
    /// The session that opens on this day.
    fn of(&self, day: Date) -> SessionHours {
        let at = |day: Date, time: Time| {
            // A time that a change of the clock skips is that much later, one that it repeats the earlier.
            let instant = self.zone.to_timestamp(day.to_datetime(time)).unwrap_or_default();
            Timestamp::from_nanos(i64::try_from(instant.as_nanosecond()).unwrap_or(i64::MAX))
        };
        let over_midnight = self.closes <= self.opens;
        let last = if over_midnight { day.tomorrow().unwrap_or(day) } else { day };
        SessionHours { opens: at(day, self.opens), closes: at(last, self.closes) }
    }
}

fn instant(ns: i64) -> jiff::Timestamp {
    // Nanoseconds of 64 bits are within the years of `jiff`.
    jiff::Timestamp::from_nanosecond(ns.into()).unwrap_or_default()
}

impl FromStr for Session {
    type Err = SessionError;

    fn from_str(text: &str) -> Result<Self, SessionError> {
        let text = text.trim();
        let (hours, zone) = text.split_once(' ').unwrap_or((text, "UTC"));
        let time = |text: &str| format!("{text}:00").parse::<Time>().ok().filter(|_| text.len() == 5);
        let times = hours.split_once('-').and_then(|(opens, closes)| Some((time(opens)?, time(closes)?)));
        let Some((opens, closes)) = times else {
            return Err(SessionError(format!(
                "`{text}` names no hours; write `09:30-16:00`, or `09:30-16:00 America/New_York`"
            )));
        };
        let zone = zone_of(zone.trim())?;
        Ok(Self(Some(LocalHours { opens, closes, zone, text: text.to_owned() })))
    }
}

/// A zone by its name, or by its offset from UTC.
fn zone_of(name: &str) -> Result<TimeZone, SessionError> {
    let unknown = || {
        SessionError(format!(
            "`{name}` is no time zone that this machine knows; write one as `America/New_York`, or an offset \
             as `-05:00`"
        ))
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

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("00:00-00:00 UTC", |local| &local.text))
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SessionError {}
