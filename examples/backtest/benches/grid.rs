//! CPU time of the demo grid on the same bars in one process: the tightest loop of arrays, the plain loop
//! with the broker and the ledger, a `Strategy` with its trader and venue, and the four actors of the demo.
//!
//! `cargo bench -p backtest` prints CPU-seconds per 1,000 runs, ns per bar, and the ratio.

use std::path::Path;
use std::sync::Arc;

use backtest::config::{Pair, Terms};
use backtest::crossover::{Crossover, Signal};
use backtest::engine::Share;
use backtest::source::History;
use backtest::strategy::{Backtest, Size, StrategyContext};
use backtest::{data, floor, instance, tight, usage};

/// Rounds of each; the fastest counts, because whatever else runs on the machine only adds.
const ROUNDS: usize = 5;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let series = data::load(&file, Some("GOOG")).expect("the example's own data");
    let terms = Terms { commission: 0.002, ..Terms::default() };
    let bars: Arc<[_]> = series.bars.into();
    let arrays = tight::Arrays::of(&bars);
    let tightest = measure("tight loop", bars.len(), |pair| {
        tight::run(&arrays, pair.fast as usize, pair.slow as usize, terms.cash, terms.commission).equity_final
    });
    let plain = measure("plain loop", bars.len(), |pair| floor::run(&bars, pair, &terms).equity_final);
    let actors = measure("four actors", bars.len(), |pair| {
        instance::run(History::new(Arc::clone(&bars)), pair, &terms).expect("it runs").statistics.equity_final
    });
    let backtest = Backtest::new(Arc::clone(&bars)).commission(Share(terms.commission));
    let strategy = measure("a strategy", bars.len(), |pair| {
        backtest.outcome(hold_above(pair)).expect("it runs").statistics.equity_final
    });
    println!("actors / plain loop: {:.2}", actors / plain);
    println!("a strategy / tight loop: {:.2}", strategy / tightest);
}

/// The demo's rule as a strategy: long while the fast average is above.
fn hold_above(pair: Pair) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let mut crossover = Crossover::new(pair);
    move |ctx| match crossover.push(ctx.bar().close_ticks) {
        None => {}
        Some(Signal::Up) => _ = ctx.buy(Size::All),
        Some(Signal::Down) => _ = ctx.close(),
    }
}

/// CPU-seconds per 1,000 runs, from the fastest round.
fn measure(name: &str, bars: usize, run: impl Fn(Pair) -> f64) -> f64 {
    let mut fastest = f64::INFINITY;
    let mut runs = 0_u32;
    for _ in 0..ROUNDS {
        runs = 0;
        let mut total = 0.0;
        let start = usage::cpu_seconds();
        for fast in (5..=104).step_by(3) {
            for slow in (110..=209).step_by(3) {
                total += run(Pair { fast, slow });
                runs += 1;
            }
        }
        fastest = fastest.min(usage::cpu_seconds() - start);
        assert!(std::hint::black_box(total) > 0.0, "the runs must not be optimised away");
    }
    let per_run = fastest / f64::from(runs);
    println!(
        "{name:12} {:.4} CPU-s per 1,000 runs, {:6.2} ns per bar",
        per_run * 1e3,
        per_run * 1e9 / bars as f64
    );
    per_run * 1e3
}
