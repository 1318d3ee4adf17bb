//! The page of one run: everything in one file, with a chart library that zooms (uPlot), readable on a phone,
//! in light and in dark, without a network.

use std::io;

use serde_json::{Map, Value, json};

use super::scale::escape;
use crate::data::{format_moment, format_timestamp};
use crate::engine::Session;
use crate::messages::{Bar, Timestamp};
use crate::performance::{AssetFigures, FigureUnit, Figures, days_of_rows, drawdowns, returns_by};
use crate::spill;
use crate::strategy::Trade;
use crate::tape::{Prices, Tape};

/// Most points of a chart: of longer data, so many bars become one.
const POINTS_MAX: usize = 10_000;

/// Most trades in the table and on the chart, and most remarks; how many there are in all is said.
const TRADES_MAX: usize = 5_000;

/// Most falls in the table of drawdowns.
const DRAWDOWNS_MAX: usize = 10;

/// Days of the rolling Sharpe ratio.
const ROLLING_DAYS: usize = 126;

/// Columns of the distribution of daily returns.
const COLUMNS_OF_RETURNS: usize = 41;

/// The version of the library in `uplot/`.
const LIBRARY: &str = "uPlot 1.6.32";

/// What a page shows.
pub(crate) struct Page<'a> {
    /// What was run.
    pub(crate) title: &'a str,
    /// On what, and on which terms.
    pub(crate) summary: &'a str,
    /// If something is missing, a sentence on it.
    pub(crate) warning: Option<&'a str>,
    /// The bars of the run; of several assets, those of the account.
    pub(crate) bars: &'a [Bar],
    /// The prices of each asset.
    pub(crate) assets: Vec<PageAsset<'a>>,
    /// The figures of each, shown if there are several.
    pub(crate) by_asset: &'a [AssetFigures],
    /// The equity at the close of each.
    pub(crate) equity: &'a [f64],
    /// Its figures, if they are others than those of the equity and the trades.
    pub(crate) figures: Option<&'a Figures>,
    /// By which its days go.
    pub(crate) session: &'a Session,
    /// Closed trades.
    pub(crate) trades: &'a [Trade],
    /// Remarks.
    pub(crate) notes: &'a [String],
    /// The runs of a search.
    pub(crate) search: Option<SearchPanel>,
    /// The folds of a walk-forward.
    pub(crate) folds: Option<Value>,
    /// Further figures with their names, as text.
    pub(crate) facts: &'a [(String, String)],
}

/// The prices of one asset.
pub(crate) struct PageAsset<'a> {
    /// Its name.
    pub(crate) symbol: &'a str,
    /// Its rows.
    pub(crate) prices: &'a Prices,
}

impl<'a> PageAsset<'a> {
    /// All assets of a tape.
    pub(crate) fn all(tape: &'a Tape) -> Vec<Self> {
        let named = tape.symbols().zip(0..);
        named.filter_map(|(symbol, at)| Some(Self { symbol, prices: tape.prices(at)? })).collect()
    }

    /// The line of its price, in groups of rows where there are many.
    fn line(&self) -> Value {
        let count = self.prices.len();
        let step = count.div_ceil(POINTS_MAX).max(1);
        let (mut times, mut highs, mut lows, mut closes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for first in (0..count).step_by(step) {
            let rows = first..(first + step).min(count);
            let (mut high, mut low, mut close) = (f64::MIN, f64::MAX, f64::NAN);
            for row in rows.filter_map(|at| self.prices.get(at)) {
                (high, low, close) = (high.max(row.high()), low.min(row.low()), row.price());
            }
            times.push(self.prices.get(first).map_or(f64::NAN, |row| in_seconds(row.timestamp())));
            highs.push(high);
            lows.push(low);
            closes.push(close);
        }
        let kind = self.prices.kind().to_string();
        json!({
            "symbol": self.symbol,
            "kind": kind,
            "step": step,
            "times": times,
            "high": highs,
            "low": lows,
            "close": closes,
        })
    }
}

/// The runs of a search, for a heat map of any two parameters.
#[derive(Clone)]
pub(crate) struct SearchPanel {
    /// Names of the parameters.
    pub(crate) parameters: Vec<String>,
    /// Places of those that are `true` or `false`.
    pub(crate) switches: Vec<usize>,
    /// Names of the figures, the first of which is what was searched for.
    pub(crate) figures: Vec<String>,
    /// For each run the values of its parameters and its figures.
    pub(crate) rows: Vec<Vec<f64>>,
    /// How many runs there were, if not all are shown.
    pub(crate) total: usize,
}

/// The page as HTML.
///
/// # Errors
/// There is no file for curves that memory does not keep.
pub(crate) fn render(page: &Page<'_>) -> io::Result<String> {
    let title = escape(page.title);
    // Inside of a script no text may look like the end of it.
    let data = data(page)?.to_string().replace('<', "\\u003c");
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><link rel=\"icon\" href=\"data:,\">\
         <style>{}{}{}</style></head><body><main><h1>{title}</h1><p class=\"lead\">{}</p><div id=\"app\"></div>\
         <noscript><section>This page draws its charts with the script that it holds.</section></noscript>\
         <footer><p>Charts: {LIBRARY}.</p><details><summary>Its licence</summary><pre>{}</pre></details></footer></main>\
         <script type=\"application/json\" id=\"data\">{data}</script><script>{}</script><script>{}</script>\
         <script>{}</script></body></html>\n",
        include_str!("style.css"),
        include_str!("uplot/uPlot.min.css"),
        include_str!("page.css"),
        escape(page.summary),
        escape(include_str!("uplot/LICENSE")),
        library(),
        include_str!("charts.js"),
        include_str!("page.js"),
    ))
}

/// The library without the address in its first line: a page that names no host cannot be suspected to ask
/// one.
fn library() -> &'static str {
    let text = include_str!("uplot/uPlot.iife.min.js");
    text.split_once("*/").map_or(text, |(_, code)| code.trim_start())
}

fn data(page: &Page<'_>) -> io::Result<Value> {
    let count = page.bars.len().min(page.equity.len());
    let (bars, equity) = (&page.bars[..count], &page.equity[..count]);
    let first_close = bars.first().map_or(1.0, |bar| bar.close);
    let first_equity = equity.first().copied().unwrap_or(1.0);
    let hold = spill::collect(bars.iter().map(|bar| first_equity * (bar.close / first_close)))?;
    let step = count.div_ceil(POINTS_MAX).max(1);
    let last =
        |values: &[f64]| -> Vec<f64> { values.chunks(step).map(|part| part[part.len() - 1]).collect() };
    let session = page.session;
    let own = || Figures::by_session(bars, equity, page.trades, session);
    let own = page.figures.copied().or_else(own);
    Ok(json!({
        "warning": page.warning,
        "step": step,
        "times": bars.chunks(step).map(|part| seconds(&part[0])).collect::<Vec<f64>>(),
        "assets": page.assets.iter().map(PageAsset::line).collect::<Vec<Value>>(),
        "by_asset": page.by_asset,
        "equity": last(equity),
        "hold": last(&hold),
        "drawdown": drawdown(equity, step),
        "rolling": rolling_sharpe(bars, equity, session),
        "rolling_days": ROLLING_DAYS,
        "returns": distribution(&returns_by(bars, equity, session)),
        "months": months(bars, equity, session),
        "figures": figures(own, Figures::by_session(bars, &hold, &[], session)),
        "drawdowns": drawdown_rows(bars, equity),
        "trades": page.trades.iter().take(TRADES_MAX).map(|trade| trade_row(trade, &page.assets)).collect::<Vec<Value>>(),
        "trades_total": page.trades.len(),
        "notes": page.notes.iter().take(TRADES_MAX).collect::<Vec<&String>>(),
        "facts": page.facts,
        "search": page.search.as_ref().map(|search| json!({
            "parameters": search.parameters,
            "switches": search.switches,
            "figures": search.figures,
            "rows": search.rows,
            "total": search.total,
        })),
        "folds": page.folds,
    }))
}

fn seconds(bar: &Bar) -> f64 {
    in_seconds(bar.timestamp)
}

fn in_seconds(time: Timestamp) -> f64 {
    time.as_nanos() as f64 / 1e9
}

/// How far the equity is below the highest so far, in percent: the deepest of each group of rows.
fn drawdown(equity: &[f64], step: usize) -> Vec<f64> {
    let mut peak = f64::MIN;
    let mut below = |value: &f64| {
        peak = peak.max(*value);
        (value / peak - 1.0) * 100.0
    };
    equity.chunks(step).map(|part| part.iter().map(&mut below).fold(0.0, f64::min)).collect()
}

/// The Sharpe ratio of the last days, for a year, at each day that has so many before it: times and values.
fn rolling_sharpe(bars: &[Bar], equity: &[f64], session: &Session) -> Value {
    let Some(figures) = Figures::by_session(bars, equity, &[], session) else { return Value::Null };
    // Each with the time of its first row and its last equity.
    let mut days: Vec<(i64, f64, f64)> = Vec::new();
    for ((today, bar), equity) in days_of_rows(bars, session).zip(bars).zip(equity) {
        match days.last_mut() {
            Some((day, _, last)) if *day == today => *last = *equity,
            _ => days.push((today, seconds(bar), *equity)),
        }
    }
    let returns: Vec<f64> = days.windows(2).map(|pair| pair[1].2 / pair[0].2 - 1.0).collect();
    let step = returns.len().div_ceil(POINTS_MAX).max(1);
    let ends = (ROLLING_DAYS..=returns.len()).step_by(step);
    let ratio = |end: usize| {
        let shape = crate::search::ReturnShape::of(&returns[end - ROLLING_DAYS..end]);
        shape.sharpe * figures.days_per_year.sqrt()
    };
    json!({
        "times": ends.clone().map(|end| days[end].1).collect::<Vec<f64>>(),
        "values": ends.map(ratio).collect::<Vec<f64>>(),
    })
}

/// Daily returns in columns of equal width between their 0.5 and 99.5 % quantiles; what is beyond is in the
/// outermost columns. In percent.
fn distribution(returns: &[f64]) -> Value {
    let mut sorted: Vec<f64> = returns.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    if sorted.is_empty() {
        return Value::Null;
    }
    let quantile = |share| crate::risk::quantile(&sorted, share);
    let reach = quantile(0.005).abs().max(quantile(0.995).abs()).max(1e-6);
    let width = 2.0 * reach / COLUMNS_OF_RETURNS as f64;
    let mut counts = vec![0_u32; COLUMNS_OF_RETURNS];
    for value in &sorted {
        let at = ((value + reach) / width).floor().clamp(0.0, (COLUMNS_OF_RETURNS - 1) as f64);
        counts[at as usize] += 1;
    }
    let middle = |at: usize| (-reach + (at as f64 + 0.5) * width) * 100.0;
    json!({
        "middles": (0..COLUMNS_OF_RETURNS).map(middle).collect::<Vec<f64>>(),
        "counts": counts,
        "width": width * 100.0,
    })
}

/// One row for each year: the year, twelve months and the whole, in percent; `null` where there is no data.
fn months(bars: &[Bar], equity: &[f64], session: &Session) -> Value {
    let rows = super::monthly::returns(days_of_rows(bars, session), equity);
    rows.iter().map(|row| json!([row.year, row.months, row.total])).collect()
}

fn figures(own: Option<Figures>, held: Option<Figures>) -> Value {
    let (Some(own), Some(held)) = (own, held) else {
        return Value::Null;
    };
    let row = |row: &crate::performance::FigureRow| {
        let unit = match row.unit {
            FigureUnit::Percent => "%",
            FigureUnit::Days => "days",
            FigureUnit::Count => "count",
            FigureUnit::Money | FigureUnit::Ratio => "",
        };
        // Of a position that is held throughout there are no trades to tell of.
        let of_trades = row.name.contains("trade")
            || ["exposure_pct", "win_rate_pct", "profit_factor", "expectancy_pct", "sqn", "kelly"]
                .contains(&row.name)
            || ["turnover_annual", "commissions"].contains(&row.name);
        let hold = if of_trades { f64::NAN } else { (row.get)(&held) };
        json!({ "name": row.name, "title": row.title, "unit": unit, "value": (row.get)(&own), "hold": hold })
    };
    Figures::TABLE.iter().map(row).collect()
}

fn drawdown_rows(bars: &[Bar], equity: &[f64]) -> Value {
    let day = |at: usize| bars.get(at).map(|bar| format_moment(bar.timestamp));
    let rows = drawdowns(bars, equity, DRAWDOWNS_MAX).into_iter();
    rows.map(|fall| {
        json!([
            day(fall.peak_bar),
            day(fall.trough_bar),
            fall.recovery_bar.and_then(day),
            fall.depth_pct,
            fall.duration_days
        ])
    })
    .collect()
}

fn trade_row(trade: &Trade, assets: &[PageAsset<'_>]) -> Value {
    let symbol = assets.get(usize::from(trade.asset)).map_or("", |asset| asset.symbol);
    let fields = [
        ("number", trade.number.into()),
        ("size", trade.size.into()),
        ("entry", format_timestamp(trade.entry_time).into()),
        ("exit", format_timestamp(trade.exit_time).into()),
        ("entry_price", trade.entry_price.into()),
        ("exit_price", trade.exit_price.into()),
        ("profit", trade.profit.into()),
        ("return_pct", trade.return_pct.into()),
        ("bars", trade.bars.into()),
        ("mae_pct", trade.mae_pct.into()),
        ("mfe_pct", trade.mfe_pct.into()),
        ("tag", trade.tag.into()),
        ("asset", trade.asset.into()),
        ("symbol", symbol.into()),
        ("entry_s", in_seconds(trade.entry_time).into()),
        ("exit_s", in_seconds(trade.exit_time).into()),
    ];
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Value::Object(fields)
}
