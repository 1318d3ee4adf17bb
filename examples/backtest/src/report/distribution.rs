//! The page of a Monte Carlo run: how the returns spread.

use std::fmt::Write as _;

use super::scale::{escape, number, percent, tick_label, ticks};
use super::{Effort, footer, html_page};
use crate::risk::{Histogram, Risk};

/// Everything that the page shows.
pub struct MonteCarloPage<'a> {
    /// The symbol.
    pub symbol: &'a str,
    /// What was run, in a sentence.
    pub summary: &'a str,
    /// If paths failed or the run ended early, a sentence on it.
    pub warning: Option<&'a str>,
    /// The figures.
    pub risk: &'a Risk,
    /// The returns, counted.
    pub histogram: &'a Histogram,
    /// Return on the history itself, in percent.
    pub history_pct: f64,
    /// What it took.
    pub effort: &'a Effort,
}

/// The page of a Monte Carlo run.
#[must_use]
pub fn monte_carlo_page(page: &MonteCarloPage<'_>) -> String {
    let symbol = escape(page.symbol);
    let title = format!("Resampled returns on {symbol}");
    let mut body = format!("<h1>{title}</h1><p class=\"lead\">{}</p>", escape(page.summary));
    if let Some(warning) = page.warning {
        let _ = write!(body, "<section><b>Incomplete.</b> {}</section>", escape(warning));
    }
    body.push_str(&cards(page.risk));
    let _ = write!(
        body,
        "<section><h2>Return over the whole time</h2><p class=\"soft\">Each column counts paths. The tail beyond the value at risk is \
         tinted.</p>{}</section>",
        chart(page)
    );
    let _ = write!(body, "<section><h2>Percentiles</h2>{}</section>", percentiles(page.risk));
    body.push_str(&footer(page.effort));
    html_page(&title, &body)
}

fn cards(risk: &Risk) -> String {
    let mut html = String::from("<div class=\"cards\">");
    let mut card = |value: String, label: &str| {
        let _ = write!(html, "<div class=\"card\"><b>{value}</b><span>{label}</span></div>");
    };
    card(percent(risk.median_pct, 1), "median return");
    card(percent(risk.mean_pct, 1), "mean return");
    card(percent(risk.loss_share * 100.0, 1), "of paths lose money");
    card(percent(risk.var_95_pct, 1), "95 % value at risk, a loss");
    card(percent(risk.expected_shortfall_95_pct, 1), "95 % expected shortfall");
    card(percent(risk.var_99_pct, 1), "99 % value at risk, a loss");
    card(percent(risk.expected_shortfall_99_pct, 1), "99 % expected shortfall");
    card(percent(risk.median_drawdown_pct, 1), "median of max. drawdowns");
    html.push_str("</div>");
    html
}

fn chart(page: &MonteCarloPage<'_>) -> String {
    let histogram = page.histogram;
    let (low, high) = (histogram.low, histogram.high);
    let tallest = histogram.counts.iter().copied().max().unwrap_or(1).max(1) as f64 * 1.06;
    let (mut svg, mut texts) = (String::new(), String::new());
    for count in ticks(0.0, tallest, 5) {
        let y = 100.0 - count / tallest * 100.0;
        let _ = write!(svg, "<path class=\"grid\" d=\"M0 {y:.2}H1000\"/>");
        let _ = write!(texts, "<span class=\"y\" style=\"top:{y:.2}%\">{}</span>", number(count, 0));
    }
    svg.push_str(&columns(histogram, page.risk, tallest));
    let (lines, key) = marks(page);
    svg.push_str(&lines);
    let places = ticks(low, high, 8);
    let step = if places.len() > 1 { places[1] - places[0] } else { 1.0 };
    for (order, place) in places.into_iter().enumerate() {
        let class = if order % 2 == 1 { "x minor" } else { "x" };
        let left = (place - low) / (high - low) * 100.0;
        let label = tick_label(place, step);
        let _ = write!(texts, "<span class=\"{class}\" style=\"left:{left:.2}%\">{label}\u{202f}%</span>");
    }
    let mut beyond = String::new();
    if histogram.above > 0 {
        let _ = write!(
            beyond,
            "<p class=\"soft\">{} paths lie further right.</p>",
            number(f64::from(histogram.above), 0)
        );
    }
    format!(
        "{key}<div class=\"plot\" style=\"height:320px\"><svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"Histogram of returns\">{svg}</svg>{texts}</div>{beyond}"
    )
}

fn columns(histogram: &Histogram, risk: &Risk, tallest: f64) -> String {
    let mut svg = String::new();
    let width = 1000.0 / histogram.counts.len().max(1) as f64;
    for (at, count) in histogram.counts.iter().enumerate() {
        let share = (at as f64 + 0.5) / histogram.counts.len() as f64;
        let middle = histogram.low + share * (histogram.high - histogram.low);
        let fill = if middle <= -risk.var_99_pct {
            "rgb(var(--loss))"
        } else if middle <= -risk.var_95_pct {
            "rgba(var(--loss),.6)"
        } else {
            "rgba(var(--gain),.75)"
        };
        let (x, wide) = (at as f64 * width, width * 0.92);
        let height = f64::from(*count) / tallest * 100.0;
        let _ = write!(
            svg,
            "<rect x=\"{x:.2}\" y=\"{:.2}\" width=\"{wide:.2}\" height=\"{height:.2}\" style=\"fill:{fill}\">\
             <title>{}: {count} paths</title></rect>",
            100.0 - height,
            percent(middle, 1)
        );
    }
    svg
}

/// Upright lines at the figures that matter, and the key to them.
fn marks(page: &MonteCarloPage<'_>) -> (String, String) {
    let (low, high) = (page.histogram.low, page.histogram.high);
    let lines = [
        (-page.risk.var_99_pct, "rgb(var(--loss))", "4 3", "99 % value at risk"),
        (-page.risk.var_95_pct, "rgba(var(--loss),.7)", "none", "95 % value at risk"),
        (page.risk.median_pct, "var(--ink)", "none", "median"),
        (page.history_pct, "var(--hold)", "6 3", "the history itself"),
    ];
    let (mut svg, mut key) = (String::new(), String::from("<div class=\"key\">"));
    for (value, colour, dashes, name) in lines {
        if (low..=high).contains(&value) {
            let x = (value - low) / (high - low) * 1000.0;
            let _ = write!(
                svg,
                "<path d=\"M{x:.2} 0V100\" style=\"stroke:{colour};stroke-width:2;stroke-dasharray:{dashes};\
                 vector-effect:non-scaling-stroke\"/>"
            );
        }
        let _ = write!(key, "<span><i style=\"background:{colour}\"></i>{name} {}</span>", percent(value, 1));
    }
    key.push_str("</div>");
    (svg, key)
}

fn percentiles(risk: &Risk) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table><thead><tr><th>Percentile</th><th>Return</th><th>Max. drawdown</th></tr></thead><tbody>",
    );
    for row in &risk.percentiles {
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            number(row.percentile, 0),
            percent(row.return_pct, 1),
            percent(row.max_drawdown_pct, 1)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
