//! A point in time.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ScalarError;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds; negative before. From 1677 to 2262.
///
/// On the wire it is an `i64`.
///
/// ```
/// use mycelium_mailbox::scalar::Timestamp;
///
/// assert_eq!(Timestamp::from_nanos(1_700_000_000_000_000_001).to_string(), "2023-11-14T22:13:20.000000001Z");
/// assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
///
/// # use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let mut time = Timestamp::from_nanos(0) + second;
/// time += second;
/// time -= Duration::from_nanos(1);
/// assert_eq!(time - second, Timestamp::from_nanos(999_999_999));
/// assert_eq!(time - Timestamp::ZERO, Duration::from_nanos(1_999_999_999));
/// assert_eq!(Timestamp::from_nanos(i64::MIN) - Duration::MAX, Timestamp::from_nanos(i64::MIN));
/// ```
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
)]
#[rkyv(derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord))]
#[repr(transparent)]
pub struct Timestamp {
    nanos: i64,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const ZERO: Self = Self { nanos: 0 };

    /// The point `nanos` nanoseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// The point `millis` milliseconds after 1970-01-01T00:00:00Z; beyond the ends of time, the end.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { nanos: millis.saturating_mul(1_000_000) }
    }

    /// The point `seconds` seconds after 1970-01-01T00:00:00Z; beyond the ends of time, the end.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self { nanos: seconds.saturating_mul(NANOS_PER_SECOND) }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// What the system's clock shows, for code that is no actor: setting up, tests, tools. An actor asks its
    /// context (`ctx.now()`), which is virtual time in an isolate. A clock beyond the year 2262 gives the
    /// last point in time, one before 1677 the first.
    #[must_use]
    pub fn now() -> Self {
        let now = SystemTime::now();
        Self::try_from(now).unwrap_or(Self { nanos: if now < UNIX_EPOCH { i64::MIN } else { i64::MAX } })
    }

    /// The point so much later; `None` after the end of time, in the year 2262.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = i128::from(self.nanos).saturating_add_unsigned(duration.as_nanos());
        Some(Self { nanos: i64::try_from(nanos).ok()? })
    }

    /// The point so much earlier; `None` before the beginning of time, in the year 1677.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = i128::from(self.nanos).saturating_sub_unsigned(duration.as_nanos());
        Some(Self { nanos: i64::try_from(nanos).ok()? })
    }

    /// How long after `earlier` this is; `None` when it is before it.
    #[must_use]
    pub const fn checked_since(self, earlier: Self) -> Option<Duration> {
        if self.nanos < earlier.nanos { None } else { Some(self.saturating_since(earlier)) }
    }

    /// The nanoseconds from `other` to this, below zero when this is before it.
    ///
    /// ```
    /// use mycelium_mailbox::scalar::Timestamp;
    ///
    /// let (sent, received) = (Timestamp::from_millis(2), Timestamp::from_millis(1));
    /// assert_eq!(received.nanos_since(sent), -1_000_000);
    /// assert_eq!(received.checked_since(sent), None);
    /// ```
    #[must_use]
    pub const fn nanos_since(self, other: Self) -> i128 {
        self.nanos as i128 - other.nanos as i128
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        if self.nanos <= earlier.nanos {
            Duration::ZERO
        } else {
            Duration::from_nanos(self.nanos.abs_diff(earlier.nanos))
        }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time, in the year 2262.
    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self { nanos: i64::MAX })
    }
}

impl AddAssign<Duration> for Timestamp {
    /// As `+`.
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the beginning of time, in the year 1677.
    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self { nanos: i64::MIN })
    }
}

impl SubAssign<Duration> for Timestamp {
    /// As `-`.
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// The same as [`Timestamp::saturating_since`].
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = ScalarError;

    /// # Errors
    /// The time lies before 1677 or after 2262.
    fn try_from(time: SystemTime) -> Result<Self, ScalarError> {
        let nanos = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).ok(),
            Err(before) => {
                0i64.checked_sub_unsigned(u64::try_from(before.duration().as_nanos()).unwrap_or(u64::MAX))
            }
        };
        nanos.map(Self::from_nanos).ok_or_else(|| ScalarError::no_timestamp(format!("{time:?}")))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let distance = Duration::from_nanos(time.nanos.unsigned_abs());
        if time.nanos < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

impl ArchivedTimestamp {
    /// The point in time.
    #[must_use]
    pub const fn to_native(&self) -> Timestamp {
        Timestamp { nanos: self.nanos.to_native() }
    }
}

/// ISO 8601 in UTC, with as many digits of the second as there are, in groups of three.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) =
            (self.nanos.div_euclid(NANOS_PER_SECOND), self.nanos.rem_euclid(NANOS_PER_SECOND));
        let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = civil(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )?;
        match nanos {
            0 => {}
            n if n % 1_000_000 == 0 => write!(f, ".{:03}", n / 1_000_000)?,
            n if n % 1_000 == 0 => write!(f, ".{:06}", n / 1_000)?,
            n => write!(f, ".{n:09}")?,
        }
        f.write_str("Z")
    }
}

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the leap day
/// comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_400_YEARS: i64 = 146_097;
    const DAYS_FROM_0000_03_01_TO_1970: i64 = 719_468;
    let day = days + DAYS_FROM_0000_03_01_TO_1970;
    let (era, day) = (day.div_euclid(DAYS_PER_400_YEARS), day.rem_euclid(DAYS_PER_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let (first, last) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
        assert_eq!(last - first, Duration::from_nanos(u64::MAX));
        assert_eq!(first - last, Duration::ZERO);
        assert_eq!(first + (last - first), last);
        assert_eq!(Timestamp::ZERO + Duration::MAX, last);
        assert_eq!((Timestamp::ZERO + Duration::from_nanos(5)).as_nanos(), 5);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999_000_000, "2000-02-29T23:59:59.999Z"),
            (4_107_542_400_000_001_000, "2100-03-01T00:00:00.000001Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(Timestamp::from_nanos(nanos).to_string(), text);
        }
    }
}
