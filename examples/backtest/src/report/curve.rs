//! Equity over time against buy and hold, with the drawdown below.

use std::fmt::Write as _;

use super::scale::{number, tick_label, ticks};
use crate::data::{NS_PER_DAY, civil_from_days, days_from_civil};

/// Most points of one line; a longer one keeps the extremes of each stretch.
const POINTS_MAX: usize = 1_200;

/// Two equities at the same times.
pub(super) struct Curves<'a> {
    pub(super) timestamps: &'a [i64],
    pub(super) best: &'a [f64],
    pub(super) hold: &'a [f64],
}

/// Both charts.
pub(super) fn render(curves: &Curves<'_>) -> String {
    let axis = TimeAxis::new(curves.timestamps);
    let mut html = String::from(
        "<div class=\"key\"><span><i style=\"background:var(--best)\"></i>best pair</span>\
         <span><i style=\"background:var(--hold)\"></i>buy and hold</span></div>",
    );
    let (low, high) = bounds(curves.best.iter().chain(curves.hold));
    html.push_str(&chart(&axis, 300, (low, high), "Equity", tick_label, |top, bottom| {
        let place = |values: &[f64]| line(&axis, values, (top, bottom));
        format!(
            "<path class=\"line hold\" d=\"{}\"/><path class=\"line best\" d=\"{}\"/>",
            place(curves.hold),
            place(curves.best)
        )
    }));
    let (best, hold) = (drawdowns(curves.best), drawdowns(curves.hold));
    let deepest = best.iter().chain(&hold).copied().fold(-1.0, f64::min);
    html.push_str(&chart(&axis, 150, (deepest, 0.0), "Drawdown", |value, _| format!("{}\u{202f}%", number(value, 0)), |top, bottom| {
        let outline = line(&axis, &best, (top, bottom));
        let zero = (top - 0.0) / (top - bottom) * 100.0;
        format!(
            "<path class=\"under\" d=\"{outline}L1000 {zero:.2}L0 {zero:.2}z\"/><path class=\"line hold\" d=\"{}\"/>\
             <path class=\"line best\" d=\"{outline}\"/>",
            line(&axis, &hold, (top, bottom))
        )
    }));
    html
}

/// Fall from the peak so far, in percent.
pub(super) fn drawdowns(equity: &[f64]) -> Vec<f64> {
    let mut peak = f64::MIN_POSITIVE;
    equity
        .iter()
        .map(|value| {
            peak = peak.max(*value);
            (value / peak - 1.0) * 100.0
        })
        .collect()
}

struct TimeAxis<'a> {
    timestamps: &'a [i64],
    first: f64,
    span: f64,
}

impl<'a> TimeAxis<'a> {
    fn new(timestamps: &'a [i64]) -> Self {
        let first = timestamps.first().copied().unwrap_or(0) as f64;
        let last = timestamps.last().copied().unwrap_or(0) as f64;
        Self { timestamps, first, span: (last - first).max(1.0) }
    }

    /// Place along the axis, 0 to 1.
    fn share(&self, timestamp: i64) -> f64 {
        (timestamp as f64 - self.first) / self.span
    }

    /// Places and names of the first days of years, months or days, whichever make a dozen at most.
    fn labels(&self) -> Vec<(f64, String)> {
        const LABELS_MAX: i64 = 12;
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (Some(first), Some(last)) = (self.timestamps.first(), self.timestamps.last()) else {
            return Vec::new();
        };
        let (from, to) = (first.div_euclid(NS_PER_DAY), last.div_euclid(NS_PER_DAY));
        let at = |days: i64| self.share(days * NS_PER_DAY);
        let (first_year, first_month, _) = civil_from_days(from);
        let (last_year, last_month, _) = civil_from_days(to);
        let months = (last_year - first_year) * 12 + i64::from(last_month) - i64::from(first_month);
        let labels: Vec<(f64, String)> = if months > 24 {
            let step = ((last_year - first_year) / LABELS_MAX + 1).max(1);
            (first_year..=last_year)
                .step_by(step as usize)
                .map(|y| (at(days_from_civil(y, 1, 1)), y.to_string()))
                .collect()
        } else if months > 2 {
            let step = months / LABELS_MAX + 1;
            (0..=months)
                .step_by(step as usize)
                .map(|offset| {
                    let month = i64::from(first_month) - 1 + offset;
                    let (year, month) = (first_year + month / 12, (month % 12) as u32);
                    (at(days_from_civil(year, month + 1, 1)), format!("{} {year}", MONTHS[month as usize]))
                })
                .collect()
        } else {
            let step = (to - from) / (LABELS_MAX / 2) + 1;
            (from..=to)
                .step_by(step as usize)
                .map(|days| {
                    let (_, month, day) = civil_from_days(days);
                    (at(days), format!("{day} {}", MONTHS[month as usize - 1]))
                })
                .collect()
        };
        labels.into_iter().filter(|(share, _)| (0.0..=1.0).contains(share)).collect()
    }
}

fn bounds<'a>(values: impl Iterator<Item = &'a f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    if low < high { (low, high) } else { (low - 1.0, low + 1.0) }
}

/// A chart with its axes. Shapes stretch with the page, text does not: it lies above them as HTML.
fn chart(
    axis: &TimeAxis<'_>,
    height_px: u32,
    (low, high): (f64, f64),
    title: &str,
    label: impl Fn(f64, f64) -> String,
    shapes: impl Fn(f64, f64) -> String,
) -> String {
    let margin = (high - low) * 0.04;
    let (top, bottom) = (if high == 0.0 { 0.0 } else { high + margin }, low - margin);
    let (mut grid, mut texts) = (String::new(), String::new());
    let values = ticks(bottom, top, if height_px < 200 { 3 } else { 6 });
    let step = if values.len() > 1 { values[1] - values[0] } else { 1.0 };
    for value in values {
        let y = (top - value) / (top - bottom) * 100.0;
        let _ = write!(grid, "<path class=\"grid\" d=\"M0 {y:.2}H1000\"/>");
        let _ = write!(texts, "<span class=\"y\" style=\"top:{y:.2}%\">{}</span>", label(value, step));
    }
    for (order, (share, text)) in axis.labels().into_iter().enumerate() {
        let _ = write!(grid, "<path class=\"grid\" d=\"M{:.1} 0V100\"/>", share * 1000.0);
        let class = if order % 2 == 1 { "x minor" } else { "x" };
        let _ = write!(texts, "<span class=\"{class}\" style=\"left:{:.2}%\">{text}</span>", share * 100.0);
    }
    format!(
        "<div class=\"plot\" style=\"height:{height_px}px\"><svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{title}\">{grid}{}</svg>{texts}</div>",
        shapes(top, bottom)
    )
}

fn line(axis: &TimeAxis<'_>, values: &[f64], (top, bottom): (f64, f64)) -> String {
    let mut path = String::new();
    let mut point = |at: usize| {
        let (x, y) = (axis.share(axis.timestamps[at]) * 1000.0, (top - values[at]) / (top - bottom) * 100.0);
        let _ = write!(path, "{}{x:.1} {y:.2}", if path.is_empty() { 'M' } else { 'L' });
    };
    // Each stretch gives its lowest and its highest point, in the order in which they came.
    let stretch = (values.len() * 2).div_ceil(POINTS_MAX).max(1);
    for start in (0..values.len()).step_by(stretch) {
        let range = start..(start + stretch).min(values.len());
        let low = range.clone().min_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(start);
        let high = range.max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(start);
        point(low.min(high));
        if low != high {
            point(low.max(high));
        }
    }
    path
}
