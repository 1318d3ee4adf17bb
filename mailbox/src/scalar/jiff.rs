//! [`Timestamp`] to and from the crate `jiff`, which also reads its text.

use std::str::FromStr;

use super::{ScalarError, Timestamp};

impl From<Timestamp> for jiff::Timestamp {
    fn from(time: Timestamp) -> Self {
        // The library reaches from the year -9999 to 9999: every `i64` of nanoseconds lies within.
        Self::from_nanosecond(time.as_nanos().into()).unwrap_or_default()
    }
}

impl TryFrom<jiff::Timestamp> for Timestamp {
    type Error = ScalarError;

    /// # Errors
    /// The time lies before 1677 or after 2262.
    fn try_from(time: jiff::Timestamp) -> Result<Self, ScalarError> {
        i64::try_from(time.as_nanosecond())
            .map(Self::from_nanos)
            .map_err(|_| ScalarError::no_timestamp(time.to_string()))
    }
}

impl FromStr for Timestamp {
    type Err = ScalarError;

    /// RFC 3339: a date, a time and an offset, as in `2024-01-31T09:30:00.5Z` or `2024-01-31T10:30:00+01:00`.
    fn from_str(text: &str) -> Result<Self, ScalarError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| ScalarError {
            of: "Timestamp",
            got: text.chars().take(64).collect(),
            expected: "a date, a time and an offset, as in 2024-01-31T09:30:00.5Z",
        })?;
        time.try_into()
    }
}
