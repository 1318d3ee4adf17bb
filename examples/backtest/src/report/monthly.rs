//! Returns by month and year.

use std::fmt::Write as _;

use super::scale::number;
use crate::data::civil_from_days;

/// Returns of one calendar year, in percent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Year {
    pub(super) year: i64,
    pub(super) months: [Option<f64>; 12],
    pub(super) total: f64,
}

/// Compounded returns of each month: the equity at its last bar over that at the last bar before it. Bars
/// come with their days since 1970, one by one: there may be more of them than memory has.
pub(super) fn returns(days: impl IntoIterator<Item = i64>, equity: &[f64]) -> Vec<Year> {
    let mut years: Vec<Year> = Vec::new();
    let Some(first) = equity.first().copied() else { return years };
    let (mut month_start, mut year_start, mut previous) = (first, first, first);
    let mut current = None;
    for (day, equity) in days.into_iter().zip(equity) {
        let (year, month, _) = civil_from_days(day);
        if current != Some((year, month)) {
            month_start = previous;
            if years.last().is_none_or(|last| last.year != year) {
                year_start = previous;
                years.push(Year { year, months: [None; 12], total: 0.0 });
            }
            current = Some((year, month));
        }
        previous = *equity;
        if let Some(last) = years.last_mut() {
            let change = |from: f64| if from > 0.0 { (equity / from - 1.0) * 100.0 } else { 0.0 };
            last.months[month as usize - 1] = Some(change(month_start));
            last.total = change(year_start);
        }
    }
    years
}

/// The table, months tinted by gain and loss.
pub(super) fn render(years: &[Year]) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"months\"><thead><tr><th>Year</th>");
    for month in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year"]
    {
        let _ = write!(html, "<th>{month}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    // The strongest months take the full tint; one extreme month must not pale the others.
    const FULL_TINT_PCT: f64 = 15.0;
    let cell = |value: Option<f64>| match value {
        Some(value) => {
            let tint = (value.abs() / FULL_TINT_PCT).min(1.0) * 0.55;
            let hue = if value < 0.0 { "loss" } else { "gain" };
            format!("<td style=\"background:rgba(var(--{hue}),{tint:.2})\">{}</td>", number(value, 1))
        }
        None => "<td></td>".to_owned(),
    };
    for year in years {
        let _ = write!(html, "<tr><td>{}</td>", year.year);
        for month in year.months {
            html.push_str(&cell(month));
        }
        let _ = write!(html, "{}</tr>", cell(Some(year.total)));
    }
    html.push_str("</tbody></table></div>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{NS_PER_DAY, parse_timestamp};

    #[test]
    fn months_compound_to_the_year() {
        let days = ["2004-11-29", "2004-11-30", "2004-12-31", "2005-01-03", "2005-01-31"];
        let days = days.map(|day| parse_timestamp(day).expect("a date").as_nanos().div_euclid(NS_PER_DAY));
        let years = returns(days, &[100.0, 110.0, 99.0, 99.0, 198.0]);
        let rounded = |value: f64| value.round() as i64;
        let months =
            |year: &Year| year.months.iter().flatten().map(|month| rounded(*month)).collect::<Vec<_>>();
        assert_eq!(years.iter().map(|year| year.year).collect::<Vec<_>>(), [2004, 2005]);
        assert_eq!((months(&years[0]), rounded(years[0].total)), (vec![10, -10], -1));
        assert_eq!((months(&years[1]), rounded(years[1].total)), (vec![100], 100));
        assert!(years[0].months[10].is_some() && years[1].months[0].is_some());
        assert!(returns([], &[]).is_empty());
    }
}
