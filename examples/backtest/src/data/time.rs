//! Timestamps: text to nanoseconds since 1970 and back, in the proleptic Gregorian calendar.

use crate::messages::Timestamp;

/// Nanoseconds in a calendar day.
pub const NS_PER_DAY: i64 = 86_400 * NS_PER_SECOND;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Reads a date or timestamp as nanoseconds since 1970-01-01 00:00 UTC.
///
/// Accepted: `2017-04-19`, `2017/04/19`, `20170419`, each also followed by a space or `T` and `09:00`,
/// `09:00:00` or `09:00:00.123456789` or `090000`, then optionally `Z` or an offset such as `+02:00`; or an
/// integer of 10, 13, 16 or 19 digits, which counts seconds, milliseconds, microseconds or nanoseconds. Text
/// without an offset is taken as UTC.
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
    let ns = timestamp.as_nanos();
    let (year, month, day) = civil_from_days(ns.div_euclid(NS_PER_DAY));
    let of_day = ns.rem_euclid(NS_PER_DAY);
    if of_day == 0 {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    let seconds = of_day / NS_PER_SECOND;
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = of_day % NS_PER_SECOND;
    let mut text = format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}");
    if fraction != 0 {
        text.push_str(format!(".{fraction:09}").trim_end_matches('0'));
    }
    text
}

/// Days from 1970-01-01 to a date, negative before it.
///
/// Counts in years that begin in March, so that the leap day is the last of its year.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date (year, month, day) that lies `days` after 1970-01-01.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn parse_ns(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) && text.len() != 8 {
        return parse_epoch(text);
    }
    let (date, rest) = if text.len() >= 8 && text.as_bytes()[..8].iter().all(u8::is_ascii_digit) {
        ((&text[..4], &text[4..6], &text[6..8]), &text[8..])
    } else {
        let separator = *text.as_bytes().get(4)?;
        if !matches!(separator, b'-' | b'/' | b'.') || text.as_bytes().get(7) != Some(&separator) {
            return None;
        }
        ((&text[..4], &text[5..7], text.get(8..10)?), text.get(10..)?)
    };
    let (year, month, day) = (digits(date.0)?, digits(date.1)?, digits(date.2)?);
    if !(1678..=2261).contains(&year)
        || !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
    {
        return None;
    }
    let midnight = days_from_civil(year, month as u32, day as u32) * NS_PER_DAY;
    match rest.as_bytes().first() {
        None => Some(midnight),
        Some(b' ' | b'T') => midnight.checked_add(parse_time_of_day(&rest[1..])?),
        Some(_) => None,
    }
}

fn parse_epoch(text: &str) -> Option<i64> {
    let unit = match text.len() {
        10 => NS_PER_SECOND,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return None,
    };
    text.parse::<i64>().ok()?.checked_mul(unit)
}

/// Nanoseconds since midnight of `HH:MM[:SS[.fraction]][ ][Z|+HH:MM|+HHMM|+HH]` or `HHMMSS`, less the offset.
fn parse_time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', '+', '-', ' ']).unwrap_or(text.len());
    let (clock, zone) = (&text[..zone_at], text[zone_at..].trim_start());
    let spaced;
    let clock = if clock.len() == 6 && clock.bytes().all(|byte| byte.is_ascii_digit()) {
        spaced = format!("{}:{}:{}", &clock[..2], &clock[2..4], &clock[4..]);
        &spaced
    } else {
        clock
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?)?;
    let minute = digits(parts.next()?)?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            (digits(whole)?, parse_fraction(fraction)?)
        }
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(
        (hour * 3600 + minute * 60 + second) * NS_PER_SECOND + fraction - parse_offset(zone)? * NS_PER_SECOND,
    )
}

/// Offset from UTC in seconds.
fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "UTC") {
        return Some(0);
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        3 => (&text[1..3], "00"),
        5 => (&text[1..3], &text[3..5]),
        6 if text.as_bytes()[3] == b':' => (&text[1..3], &text[4..6]),
        _ => return None,
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn parse_fraction(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    Some(digits(text)? * 10_i64.pow(9 - text.len() as u32))
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
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
}
