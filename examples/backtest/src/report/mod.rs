//! Self-contained pages: no network, readable on a phone, in light and in dark.

mod curve;
mod distribution;
mod heatmap;
mod monthly;
mod page;
mod scale;

use std::fmt::Write as _;

use self::scale::{escape, number, percent};
use crate::config::Pair;
use crate::data::NS_PER_DAY;
use crate::ledger::Statistics;
use crate::results::Row;

pub use self::distribution::{MonteCarloPage, monte_carlo_page};
pub(crate) use self::page::{Page, PageAsset, SearchPanel, render};

/// Rows of the table of the best.
const BEST_ROWS: usize = 10;

/// What it took to compute the results, for the footer.
#[derive(Clone, Debug)]
pub struct Effort {
    /// Instances that came to their end.
    pub instances: usize,
    /// Threads.
    pub threads: usize,
    /// Elapsed time, s.
    pub elapsed_s: f64,
    /// CPU time of all threads, s.
    pub cpu_s: f64,
    /// Messages published and handled in all instances.
    pub events: u64,
    /// Largest resident memory of the process, bytes.
    pub memory_peak_bytes: Option<u64>,
    /// Memory of one instance, bytes.
    pub instance_bytes: Option<u64>,
    /// Digest of all results.
    pub digest: u64,
}

/// Everything that the page of a sweep shows.
pub struct SweepPage<'a> {
    /// The symbol.
    pub symbol: &'a str,
    /// What was run, in a sentence.
    pub summary: &'a str,
    /// If the sweep ended early or instances failed, a sentence on it.
    pub warning: Option<&'a str>,
    /// One row per pair.
    pub rows: &'a [Row],
    /// The best rows, best first; at least one.
    pub best: &'a [Row],
    /// Which row is better, for the cells of the map that stand for several.
    pub better: fn(&Statistics, &Statistics) -> bool,
    /// The time of every bar, ns since 1970.
    pub timestamps: &'a [i64],
    /// The equity of the best pair at every bar.
    pub curve: &'a [f64],
    /// The equity of buying at the first close and holding.
    pub hold: &'a [f64],
    /// Its statistics.
    pub hold_statistics: &'a Statistics,
    /// What it took.
    pub effort: &'a Effort,
}

/// The page of a sweep.
#[must_use]
pub fn sweep_page(page: &SweepPage<'_>) -> String {
    let symbol = escape(page.symbol);
    let Some((pair, best)) = page.best.first() else {
        return html_page(&symbol, "<p>No run came to its end.</p>");
    };
    let mut body = format!(
        "<h1>Moving-average crossover on {symbol}</h1><p class=\"lead\">{}</p>",
        escape(page.summary)
    );
    if let Some(warning) = page.warning {
        let _ = write!(body, "<section><b>Incomplete.</b> {}</section>", escape(warning));
    }
    body.push_str(&cards(*pair, best, page.hold_statistics));
    let resting = format!(
        "Best: fast {}, slow {}, return {}. Point at a cell to read it.",
        pair.fast,
        pair.slow,
        percent(best.return_pct, 1)
    );
    let _ = write!(
        body,
        "<section><h2>All {} pairs</h2>{}</section>",
        number(page.rows.len() as f64, 0),
        heatmap::render(page.rows, page.better, &resting)
    );
    let curves = curve::Curves { timestamps: page.timestamps, best: page.curve, hold: page.hold };
    let _ = write!(
        body,
        "<section><h2>Equity and drawdown of the best pair</h2>{}</section>",
        curve::render(&curves)
    );
    let _ = write!(
        body,
        "<section><h2>Monthly returns of the best pair, %</h2>{}</section>",
        monthly::render(&monthly::returns(
            page.timestamps.iter().map(|ns| ns.div_euclid(NS_PER_DAY)),
            page.curve
        ))
    );
    let _ = write!(
        body,
        "<section><h2>Ten best pairs</h2>{}</section>",
        best_table(&page.best[..page.best.len().min(BEST_ROWS)], page.hold_statistics)
    );
    body.push_str(&footer(page.effort));
    html_page(&format!("Moving-average crossover on {symbol}"), &body)
}

fn html_page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><link rel=\"icon\" href=\"data:,\">\
         <style>{}</style></head><body><main>{body}</main></body></html>\n",
        include_str!("style.css")
    )
}

fn cards(pair: Pair, best: &Statistics, hold: &Statistics) -> String {
    let mut html = String::from("<div class=\"cards\">");
    let mut card = |value: String, label: String| {
        let _ = write!(html, "<div class=\"card\"><b>{value}</b><span>{label}</span></div>");
    };
    card(format!("{} / {}", pair.fast, pair.slow), "best pair, fast / slow".to_owned());
    card(percent(best.return_pct, 1), format!("return; buy and hold {}", percent(hold.return_pct, 1)));
    card(percent(best.cagr_pct, 2), format!("a year; buy and hold {}", percent(hold.cagr_pct, 2)));
    card(
        number(best.sharpe_simple_daily252, 2),
        format!("Sharpe ratio; buy and hold {}", number(hold.sharpe_simple_daily252, 2)),
    );
    card(
        percent(best.max_drawdown_pct, 1),
        format!("max. drawdown; buy and hold {}", percent(hold.max_drawdown_pct, 1)),
    );
    card(
        number(f64::from(best.n_trades), 0),
        format!("trades; {} of bars invested", percent(best.exposure_pct, 0)),
    );
    html.push_str("</div>");
    html
}

fn best_table(rows: &[Row], hold: &Statistics) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table><thead><tr><th>Fast / slow</th><th>Final equity</th><th>Return</th><th>A year</th>\
         <th>Sharpe</th><th>Sharpe, compounded</th><th>Max. drawdown</th><th>Trades</th><th>Invested</th></tr></thead><tbody>",
    );
    let mut row = |name: String, s: &Statistics, trades: String| {
        let _ = write!(
            html,
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{trades}</td><td>{}</td></tr>",
            number(s.equity_final, 2),
            percent(s.return_pct, 1),
            percent(s.cagr_pct, 2),
            number(s.sharpe_simple_daily252, 3),
            number(s.sharpe_daily252, 3),
            percent(s.max_drawdown_pct, 1),
            percent(s.exposure_pct, 1),
        );
    };
    for (pair, statistics) in rows {
        row(format!("{} / {}", pair.fast, pair.slow), statistics, number(f64::from(statistics.n_trades), 0));
    }
    let hold = Statistics { exposure_pct: 100.0, ..*hold };
    row("buy and hold".to_owned(), &hold, "–".to_owned());
    html.push_str("</tbody></table></div>");
    html
}

fn footer(effort: &Effort) -> String {
    const BYTES_PER_MB: f64 = 1e6;
    let mut html = String::from("<footer><dl>");
    let mut fact = |name: &str, value: String| {
        let _ = write!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    fact("Instances", format!("{} on {} threads", number(effort.instances as f64, 0), effort.threads));
    fact("Elapsed", format!("{} s", number(effort.elapsed_s, 2)));
    fact("CPU", format!("{} s", number(effort.cpu_s, 2)));
    fact(
        "CPU per 1,000 runs",
        format!("{} s", number(effort.cpu_s / effort.instances.max(1) as f64 * 1e3, 4)),
    );
    fact("Instances per second", number(effort.instances as f64 / effort.elapsed_s, 0));
    fact("Messages per second", number(effort.events as f64 / effort.elapsed_s, 0));
    fact("CPU per message", format!("{} ns", number(effort.cpu_s * 1e9 / effort.events.max(1) as f64, 1)));
    if let Some(bytes) = effort.instance_bytes {
        fact("Memory per instance", format!("{} kB", number(bytes as f64 / 1e3, 1)));
    }
    if let Some(bytes) = effort.memory_peak_bytes {
        fact("Peak memory", format!("{} MB", number(bytes as f64 / BYTES_PER_MB, 1)));
    }
    let _ = write!(
        html,
        "<div class=\"wide\"><dt>Digest of all results, the same for any number of threads</dt><dd>{:016x}</dd></div></dl>\
         <p>Each run is a Mycelium isolate: a feed, a strategy, a portfolio and an exchange on a bus of their own, in virtual time. \
         Signals compare sums of integer ticks, so a tie is a tie on every machine. Past results of a rule that was chosen among \
         thousands on the same data say little about its future.</p></footer>",
        effort.digest
    );
    html
}
