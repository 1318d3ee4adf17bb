//! The main job: the backtest grid through four actors per instance, against the same arithmetic in a plain
//! loop.

use std::path::Path;
use std::sync::Arc;

use backtest::config::{Pair, Terms};
use backtest::source::History;
use backtest::{data, floor, instance, usage};

use crate::harness::{OURS, Report, Round};

/// Every third parameter of the demo's grid in both directions: 34 x 34 runs a round.
const STEP: usize = 3;

/// CPU time of whole runs, statistics included, on one thread.
pub(crate) fn against_plain_loop(report: &mut Report) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/backtest/data/stocks.csv");
    let series = data::load(&file, Some("GOOG")).expect("the example's own data");
    let terms = Terms { commission: 0.002, ..Terms::default() };
    let bars: Arc<[_]> = series.bars.into();
    let (ours, plain) = (Arc::clone(&bars), bars);
    let (terms_ours, terms_plain) = (terms, terms);
    let run = move |pair| {
        instance::run(History::new(Arc::clone(&ours)), pair, &terms_ours)
            .expect("it runs")
            .statistics
            .equity_final
    };
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, grid(run)),
        ("plain loop", grid(move |pair| floor::run(&plain, pair, &terms_plain).equity_final)),
    ];
    report.contest("backtest", "GOOG grid", "CPU-s per 1,000 runs", contenders);
}

fn grid(run: impl Fn(Pair) -> f64 + 'static) -> Round {
    Box::new(move || {
        let (mut runs, mut total) = (0_u32, 0.0);
        let begin = usage::cpu_seconds();
        for fast in (5..=104).step_by(STEP) {
            for slow in (110..=209).step_by(STEP) {
                total += run(Pair { fast, slow });
                runs += 1;
            }
        }
        let spent = usage::cpu_seconds() - begin;
        assert!(std::hint::black_box(total) > 0.0, "the runs must not be optimised away");
        spent * 1_000.0 / f64::from(runs)
    })
}
