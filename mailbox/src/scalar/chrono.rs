//! [`Timestamp`] to and from the crate `chrono`.

use chrono::{DateTime, Utc};

use super::{ScalarError, Timestamp};

impl From<Timestamp> for DateTime<Utc> {
    fn from(time: Timestamp) -> Self {
        Self::from_timestamp_nanos(time.as_nanos())
    }
}

impl TryFrom<DateTime<Utc>> for Timestamp {
    type Error = ScalarError;

    /// # Errors
    /// The time lies before 1677 or after 2262.
    fn try_from(time: DateTime<Utc>) -> Result<Self, ScalarError> {
        time.timestamp_nanos_opt()
            .map(Self::from_nanos)
            .ok_or_else(|| ScalarError::no_timestamp(format!("{time:?}")))
    }
}
