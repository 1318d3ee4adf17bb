//! Timestamps: text to nanoseconds since 1970 and back, in the proleptic Gregorian calendar of `jiff`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::messages::Timestamp;

/// Nanoseconds in a calendar day.
pub const NS_PER_DAY: i64 = 86_400 * NS_PER_SECOND;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// The day from which days are counted.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Reads a date or timestamp as nanoseconds since 1970-01-01 00:00 UTC.
///
/// Accepted: `2017-04-19`, `2017/04/19`, `2017.04.19`, `20170419`, each also followed by a space or `T` and
/// `09:00`, `09:00:00` or `09:00:00.123456789` or `090000`, then optionally `Z`, `UTC` or an offset such as
/// `+02:00`; or an integer of 10, 13, 16 or 19 digits, which counts seconds, milliseconds, microseconds or
/// nanoseconds. Text without an offset is taken as UTC. Ten digits that are a date of this century or the
/// last with its hour, `2017041909`, are refused: they might be either.
///
/// Returns `None` for any other text, and for instants outside of the years 1678 to 2261.
///
/// ```
/// use backtest::data::parse_timestamp;
/// use backtest::messages::Timestamp;
/// assert_eq!(parse_timestamp("1970-01-02 00:00:01"), Some(Timestamp::from_nanos(86_401_000_000_000)));
/// assert_eq!(parse_timestamp("02/01/1970"), None);
/// ```
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    parse_ns(text).map(Timestamp::from_nanos)
}

/// Writes a timestamp as `2017-04-19`, or with the time of day if it is not midnight.
#[must_use]
pub fn format_timestamp(timestamp: Timestamp) -> String {
    let instant = jiff::Timestamp::from_nanosecond(timestamp.as_nanos().into()).unwrap_or_default();
    let time = TimeZone::UTC.to_datetime(instant);
    match timestamp.as_nanos().rem_euclid(NS_PER_DAY) {
        0 => time.date().to_string(),
        _ => time.to_string().replace('T', " "),
    }
}

/// As [`format_timestamp`], for readers. The last nanosecond of a day or of a second, to which things are
/// booked that are over then, is shown as that day, or as the second that begins.
pub(crate) fn format_moment(timestamp: Timestamp) -> String {
    let next_ns = timestamp.as_nanos().saturating_add(1);
    if next_ns.rem_euclid(NS_PER_DAY) == 0 {
        return format_timestamp(Timestamp::from_nanos(next_ns.saturating_sub(NS_PER_DAY)));
    }
    let whole = next_ns.rem_euclid(NS_PER_SECOND) == 0;
    format_timestamp(if whole { Timestamp::from_nanos(next_ns) } else { timestamp })
}

/// Days from 1970-01-01 to a date, negative before it. 0 for a date that does not exist.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let date = || Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok();
    date().map_or(0, |date: Date| date.duration_since(EPOCH).as_hours() / 24)
}

/// The date (year, month, day) that lies `days` after 1970-01-01; the first or last one of `jiff` for days
/// beyond.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let span = jiff::SignedDuration::from_hours(days.clamp(-4_000_000, 4_000_000) * 24);
    let date = EPOCH.saturating_add(span);
    (date.year().into(), date.month().unsigned_abs().into(), date.day().unsigned_abs().into())
}

/// Reads a date or timestamp that is written as `format` says, with the letters of `strptime`. Without an
/// offset or the name of a time zone (`%Q`) it is UTC, and without a time of day midnight. Of two instants
/// that one clock shows, because it was set back between them, it is the first.
///
/// Returns `None` for any other text, for a zone that nobody knows, and for instants outside of the years
/// 1678 to 2261.
#[must_use]
pub fn parse_timestamp_as(text: &str, format: &str) -> Option<Timestamp> {
    let read = jiff::fmt::strtime::parse(format, text.trim()).ok()?;
    let civil = || read.to_datetime().or_else(|_| read.to_date().map(|date| date.at(0, 0, 0, 0)));
    let instant = match read.to_timestamp() {
        Ok(instant) => instant,
        Err(_) => {
            let zone = match (read.iana_time_zone(), read.offset()) {
                (Some(name), _) => TimeZone::get(name).ok()?,
                (None, Some(offset)) => TimeZone::fixed(offset),
                (None, None) => TimeZone::UTC,
            };
            zone.to_timestamp(civil().ok()?).ok()?
        }
    };
    within_range(i64::try_from(instant.as_nanosecond()).ok()?).map(Timestamp::from_nanos)
}

fn within_range(ns: i64) -> Option<i64> {
    let (year, ..) = civil_from_days(ns.div_euclid(NS_PER_DAY));
    (1678..=2261).contains(&year).then_some(ns)
}

fn parse_ns(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() != 8 {
        return parse_epoch(text);
    }
    let text = in_iso(text)?;
    let instant = match text.get(10..).and_then(|rest| rest.find(['Z', '+', '-'])) {
        Some(_) => text.parse::<jiff::Timestamp>().ok()?,
        None => TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    within_range(i64::try_from(instant.as_nanosecond()).ok()?)
}

/// The same as ISO 8601 with separators, which `jiff` reads; `None` where that is not what follows the date.
fn in_iso(text: &str) -> Option<String> {
    let (date, rest) = if text.get(..8)?.bytes().all(|byte| byte.is_ascii_digit()) {
        let (date, rest) = text.split_at(8);
        (format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]), rest)
    } else {
        let (date, rest) = text.split_at_checked(10)?;
        let separator = *date.as_bytes().get(4)?;
        let is_separated = matches!(separator, b'-' | b'/' | b'.') && date.as_bytes()[7] == separator;
        (is_separated.then(|| date.replace(['/', '.'], "-"))?, rest)
    };
    let Some(time) = rest.strip_prefix([' ', 'T']) else { return rest.is_empty().then_some(date) };
    let zone_at = time.find(['Z', 'U', '+', '-', ' ']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let zone = if zone.trim_start() == "UTC" { "Z" } else { zone.trim_start() };
    // An hour alone is more likely a text that was cut off. Names of zones are not looked up.
    (clock.len() >= 5 && !time.contains('[')).then(|| format!("{date}T{clock}{zone}"))
}

/// Whether ten digits are `YYYYMMDDHH`. As seconds since 1970 they are a time after March 2030.
pub(super) fn is_date_and_hour(text: &str) -> bool {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let in_time = matches!(text.get(..2), Some("19" | "20")) && number(8, 10).is_some_and(|hour| hour < 24);
    let date = || {
        let year = text.get(..4)?.parse::<i16>().ok()?;
        Date::new(year, number(4, 6)?, number(6, 8)?).ok()
    };
    text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit()) && in_time && date().is_some()
}

fn parse_epoch(text: &str) -> Option<i64> {
    if is_date_and_hour(text) {
        return None;
    }
    let unit = match text.len() {
        10 => NS_PER_SECOND,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return None,
    };
    text.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_six_centuries_converts_there_and_back() {
        let mut previous = (0, 0, 0);
        for days in days_from_civil(1678, 1, 1)..=days_from_civil(2261, 12, 31) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!((year, month, day) > previous, "{days}");
            previous = (year, month, day);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(days_from_civil(2004, 8, 19), 12_649);
    }

    #[test]
    fn the_usual_shapes_are_read() {
        let nine = days_from_civil(2017, 4, 19) * NS_PER_DAY + 9 * 3600 * NS_PER_SECOND;
        for text in [
            "2017-04-19 09:00:00",
            "2017-04-19T09:00",
            "2017/04/19 09:00:00.000",
            "20170419 09:00",
            "2017-04-19T09:00:00Z",
            "2017-04-19 11:00:00+02:00",
            "2017-04-19 03:30:00 -0530",
            "20170419 090000",
            "2017.04.19 09:00 UTC",
            "1492592400",
            "1492592400000",
            "1492592400000000000",
        ] {
            assert_eq!(parse_ns(text), Some(nine), "{text}");
        }
        assert_eq!(parse_ns("2017-04-19"), Some(nine - 9 * 3600 * NS_PER_SECOND));
        let format = |ns| format_timestamp(Timestamp::from_nanos(ns));
        assert_eq!(format(nine), "2017-04-19 09:00:00");
        assert_eq!(format(nine + 250_000_000), "2017-04-19 09:00:00.25");
        assert_eq!(format(-NS_PER_DAY), "1969-12-31");
        let moment = |ns| format_moment(Timestamp::from_nanos(ns));
        assert_eq!(moment(-1), "1969-12-31");
        assert_eq!(moment(nine - 1), "2017-04-19 09:00:00");
        assert_eq!(moment(nine + 250_000_000), "2017-04-19 09:00:00.25");
        assert_eq!(moment(i64::MAX), format(i64::MAX));
    }

    #[test]
    fn dates_are_read_as_was_said() {
        let nine = days_from_civil(2017, 4, 19) * NS_PER_DAY + 9 * 3600 * NS_PER_SECOND;
        let read = |text, format| parse_timestamp_as(text, format).map(Timestamp::as_nanos);
        assert_eq!(read("19.04.2017 09:00", "%d.%m.%Y %H:%M"), Some(nine));
        assert_eq!(read("4/19/17 11:00 +0200", "%m/%d/%y %H:%M %z"), Some(nine));
        assert_eq!(read("19 Apr 2017", "%d %b %Y"), Some(nine - 9 * 3600 * NS_PER_SECOND));
        for (text, format) in [
            ("31.02.2017", "%d.%m.%Y"),
            ("19.04.2017", "%Y-%m-%d"),
            ("", "%Y"),
            ("x", ""),
            ("1.1.0001", "%d.%m.%Y"),
        ] {
            assert_eq!(read(text, format), None, "{text} {format}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "x",
            "2017",
            "19.04.2017",
            "04/19/2017",
            "2017-13-01",
            "2017-02-29",
            "2017-00-10",
            "2017-04-1",
            "2017-04-19 25:00",
            "2017-04-19 09",
            "2017-04-19 0900",
            "2017-04/19",
            "2017-04-19 09:00[Europe/Berlin]",
            "2017-04-19 246060",
            "2017-04-19x09:00",
            "2017-04-19 09:00:00.1234567890",
            "2017-04-19 09:00:00+99:00",
            "2017-04-19 09:00:00 CET",
            "0001-01-01",
            "9999-12-31",
            "２０１７-04-19",
            "99999999999999999999",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_zone_that_is_named_holds() {
        let nine = days_from_civil(2017, 4, 19) * NS_PER_DAY + 9 * 3600 * NS_PER_SECOND;
        let read = |text, format| parse_timestamp_as(text, format).map(Timestamp::as_nanos);
        assert_eq!(read("2017-04-19 05:00 America/New_York", "%Y-%m-%d %H:%M %Q"), Some(nine));
        assert_eq!(
            read("2017-01-19 04:00 America/New_York", "%Y-%m-%d %H:%M %Q"),
            Some(nine - 90 * NS_PER_DAY)
        );
        assert_eq!(read("2017-04-19 11:00 +02:00", "%Y-%m-%d %H:%M %:Q"), Some(nine));
        // A date begins at midnight of its zone.
        assert_eq!(read("2017-04-19 Asia/Tokyo", "%Y-%m-%d %Q"), Some(nine - 18 * 3600 * NS_PER_SECOND));
        assert_eq!(read("2017-04-19 -0900", "%Y-%m-%d %z"), Some(nine));
        assert_eq!(read("2017-04-19 09:00 Europe/Nowhere", "%Y-%m-%d %H:%M %Q"), None);
    }
}
