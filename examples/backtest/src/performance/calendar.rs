//! How many days with prices a year has.

use crate::data::NS_PER_DAY;
use crate::engine::{Session, SessionHours};
use crate::messages::{Bar, Timestamp};

/// So many weeks between the first one and the last one say how many days a week has.
const WEEKS_MIN: usize = 3;

/// Days of a week, at most, that make a series one of some days a week. A week of a stock has 4.8 with its
/// holidays.
const RARE_MAX: f64 = 3.75;

/// The least share of all days that are Saturdays, and that are Sundays, where both trade: of a week it is a
/// seventh, and some days may be missing.
const WEEKEND_MIN: f64 = 0.6 / 7.0;

/// To which day a row counts: the day of UTC on which its session ends, or the next one outside of all. Rows
/// come in their sequence, so that a session is looked for once.
struct DayOf<'a> {
    session: &'a Session,
    latest: Option<SessionHours>,
}

impl<'a> DayOf<'a> {
    fn new(session: &'a Session) -> Self {
        Self { session, latest: None }
    }

    /// The day, from 1970 on.
    fn day(&mut self, time: Timestamp) -> i64 {
        if self.session.is_whole_day() {
            return time.as_nanos().div_euclid(NS_PER_DAY);
        }
        let hours = match self.latest {
            // What comes between is of the session that opens next.
            Some(hours) if time.as_nanos() < hours.closes.as_nanos() => hours,
            _ => self.session.hours(time),
        };
        self.latest = Some(hours);
        hours.ends.as_nanos().saturating_sub(1).div_euclid(NS_PER_DAY)
    }
}

/// How many days of UTC have a row.
pub(crate) fn count_days(bars: &[Bar]) -> usize {
    days(bars, &Session::default()).len()
}

/// To which day each row counts, from 1970 on.
pub(crate) fn days_of_rows<'a>(bars: &'a [Bar], session: &'a Session) -> impl Iterator<Item = i64> + 'a {
    let mut of = DayOf::new(session);
    bars.iter().map(move |bar| of.day(bar.timestamp))
}

/// The days that have a row, from 1970 on, each once.
fn days(bars: &[Bar], session: &Session) -> Vec<i64> {
    let mut days: Vec<i64> = Vec::new();
    for day in days_of_rows(bars, session) {
        if days.last() != Some(&day) {
            days.push(day);
        }
    }
    days
}

/// Trading days per year: from the median distance of the days that have rows, from how many of them a week
/// has, and from what falls on weekends.
pub(super) fn days_per_year(bars: &[Bar], session: &Session) -> f64 {
    let days = days(bars, session);
    let mut steps: Vec<i64> = days.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    steps.sort_unstable();
    match steps.get(steps.len() / 2).copied().unwrap_or(1) {
        7 => return 52.0,
        28..=31 => return 12.0,
        365 | 366 => return 1.0,
        rare @ 8.. => return 365.25 / rare as f64,
        _ => {}
    }
    if let Some(rare) = days_per_week(&days).filter(|count| *count <= RARE_MAX) {
        return 52.0 * rare;
    }
    // 1970-01-01 was a Thursday: Saturday and Sunday are two and three days later. A market with a week of
    // five days may trade on one of both: from Sunday to Thursday, or in a session of Friday that ends when
    // Saturday has begun.
    let share_of = |weekday: i64| {
        days.iter().filter(|day| day.rem_euclid(7) == weekday).count() as f64 / days.len().max(1) as f64
    };
    if [2, 3].into_iter().all(|weekday| share_of(weekday) > WEEKEND_MIN) { 365.0 } else { 252.0 }
}

/// The mean number of days of the weeks that have any, without the first and the last week, which may be cut.
fn days_per_week(days: &[i64]) -> Option<f64> {
    // Weeks begin on Monday, and 1970 began on a Thursday.
    let week = |day: i64| day.saturating_add(3).div_euclid(7);
    let (first, last) = (week(*days.first()?), week(*days.last()?));
    let whole = || days.iter().map(|day| week(*day)).filter(|week| (first + 1..last).contains(week));
    let mut weeks: Vec<i64> = whole().collect();
    weeks.dedup();
    (weeks.len() >= WEEKS_MIN).then(|| whole().count() as f64 / weeks.len() as f64)
}
