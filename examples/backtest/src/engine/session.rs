//! Trading hours: when an order can be filled, and when a day order ends.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::calendar::Calendar;
use crate::data::NS_PER_DAY;
use crate::messages::Timestamp;

/// The hours of a market. Orders are filled by what begins within them, and day orders end with them.
///
/// `"09:30-16:00 America/New_York"` are the hours of a stock exchange, by its own clock in summer and
/// winter. `"17:00-16:00 America/Chicago"` run over midnight. Hours that end when they begin, `"17:00-17:00
/// America/New_York"`, are a whole day. `"09:00-11:30 12:30-15:30 Asia/Tokyo"` have a break, over which a day
/// order waits. Without a zone they are UTC; an offset such as `-05:00` is a zone too. The default is the day
/// of UTC.
///
/// Days without trade need no list: nothing is filled where there are no prices. A price on a day off, or
/// after the end of a day that ends early, is within such hours all the same; a [`Calendar`] knows these
/// days.
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
pub struct Session(Option<Arc<Calendar>>);

/// One session: from its open up to, and without, its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHours {
    /// The first instant at which it is open.
    pub opens: Timestamp,
    /// The first instant at which it is closed again.
    pub closes: Timestamp,
    /// When the last session of its day closes, and day orders end: `closes`, where the day has no break.
    pub ends: Timestamp,
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
        if let Some(calendar) = &self.0 {
            return calendar.hours(time);
        }
        let opens_ns = time.as_nanos().div_euclid(NS_PER_DAY).saturating_mul(NS_PER_DAY);
        let closes = Timestamp::from_nanos(opens_ns.saturating_add(NS_PER_DAY));
        SessionHours { opens: Timestamp::from_nanos(opens_ns), closes, ends: closes }
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

impl From<Calendar> for Session {
    fn from(calendar: Calendar) -> Self {
        Self(Some(Arc::new(calendar)))
    }
}

impl FromStr for Session {
    type Err = SessionError;

    fn from_str(text: &str) -> Result<Self, SessionError> {
        Calendar::daily(text.trim()).map(Self::from).map_err(SessionError)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("00:00-00:00 UTC"),
            Some(calendar) => calendar.fmt(f),
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SessionError {}
