//! `backtest run`

use serde_json::{Map, Value};

use super::{CommandError, describe, read};
use crate::args::RunArgs;
use crate::config::{Pair, Terms};
use crate::data::{Series, format_timestamp};
use crate::instance::Instance;
use crate::ledger::{Ledger, Statistics};
use crate::results::{COLUMNS, figures};
use crate::source::History;

pub(super) fn execute(args: &RunArgs) -> Result<(), CommandError> {
    let pair = Pair { fast: args.fast, slow: args.slow };
    pair.check()?;
    let terms = args.terms.terms()?;
    let series = read(&args.data, "run")?;
    if series.bars.len() <= pair.fast.max(pair.slow) as usize {
        eprintln!(
            "note: {} bars are too few for averages of {} and {} bars; there can be no signal",
            series.bars.len(),
            pair.fast,
            pair.slow
        );
    }
    let mut ledger = Ledger::new(terms.cash);
    if args.equity_curve {
        ledger = ledger.with_curve(series.bars.len());
    }
    let source = History::new(series.bars.clone().into());
    let outcome = Instance::new(source, pair, &terms, ledger)?.run()?;
    let text = if args.json {
        json(&series, &outcome.statistics, outcome.curve.as_deref())
    } else {
        table(&series, pair, &terms, &outcome.statistics, outcome.curve.as_deref())
    };
    super::print(&text)
}

fn json(series: &Series, statistics: &Statistics, curve: Option<&[f64]>) -> String {
    let mut object = Map::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(statistics) {
        object.extend(fields);
    }
    if let Some(curve) = curve {
        let times = series.bars.iter().map(|bar| format_timestamp(bar.timestamp).into()).collect();
        object.insert("timestamps".to_owned(), Value::Array(times));
        object.insert("equity_curve".to_owned(), curve.into());
    }
    format!("{}\n", Value::Object(object))
}

fn table(
    series: &Series,
    pair: Pair,
    terms: &Terms,
    statistics: &Statistics,
    curve: Option<&[f64]>,
) -> String {
    use std::fmt::Write as _;
    let (first, last) = (&series.bars[0], &series.bars[series.bars.len() - 1]);
    let mut text = format!(
        "{}: {} bars from {} to {}\naverages of {} and {} bars; {}\n\n",
        series.symbol,
        series.bars.len(),
        format_timestamp(first.timestamp),
        format_timestamp(last.timestamp),
        pair.fast,
        pair.slow,
        describe(series, terms)
    );
    for (name, figure) in COLUMNS.iter().zip(figures(statistics)) {
        let figure = if figure.is_nan() { "not defined".to_owned() } else { format!("{figure}") };
        let _ = writeln!(text, "{name:<24}{figure:>24}");
    }
    if let Some(curve) = curve {
        text.push_str("\ntimestamp,equity\n");
        for (bar, equity) in series.bars.iter().zip(curve) {
            let _ = writeln!(text, "{},{equity}", format_timestamp(bar.timestamp));
        }
    }
    text
}
