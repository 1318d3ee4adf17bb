//! CPU time of the demo grid on the same bars in one process: the tightest loop of arrays, the plain loop
//! with the broker and the ledger, a `Strategy` with its trader and venue, and the four actors of the demo.
//!
//! `cargo bench -p backtest` prints CPU-seconds per 1,000 runs, ns per bar, and the ratio. With the name of
//! one measurement behind `--`, as `quotes`, it runs that alone and once, for an instruction counter.

use std::path::Path;
use std::sync::Arc;

use backtest::config::{Pair, Terms};
use backtest::crossover::{Crossover, Signal};
use backtest::engine::Share;
use backtest::ledger::Statistics;
use backtest::messages::{Bar, Quote, Timestamp};
use backtest::source::History;
use backtest::strategy::{Backtest, Size, StrategyContext, Ticket};
use backtest::{data, floor, instance, tight, usage};

/// Rounds of each; the fastest counts, because whatever else runs on the machine only adds.
const ROUNDS: usize = 5;

/// The name of the only measurement, if one was asked for.
fn only() -> Option<String> {
    std::env::args().skip(1).find(|argument| !argument.starts_with('-'))
}

/// How often this one is run.
fn rounds(name: &str) -> usize {
    match only() {
        None => ROUNDS,
        Some(only) => usize::from(name.starts_with(&only)),
    }
}

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
    if only().is_none() {
        println!("actors / plain loop: {:.2}", actors / plain);
        println!("a strategy / tight loop: {:.2}", strategy / tightest);
    }
    for count in [100_000, 1_000_000] {
        let quotes = Backtest::of([("X", quotes(count))]).cash(1e6).leverage(5.0);
        per_event("quotes, market making", count, || {
            quotes.outcome(market_maker()).expect("it runs").statistics
        });
    }
    let long: Arc<[Bar]> = (0..1_000_000).map(|at| bars[at as usize % 1_000]).zip(0..).map(daily).collect();
    let turned = Backtest::new(long).cash(1e9);
    per_event("bars, turned every other bar", 1_000_000, || {
        let turn =
            |ctx: &mut StrategyContext<'_>| if ctx.is_flat() { _ = ctx.buy(1) } else { _ = ctx.close() };
        turned.outcome(turn).expect("it runs").statistics
    });
}

/// The same bar on another day.
fn daily((bar, index): (Bar, u32)) -> Bar {
    let timestamp = Timestamp::from_nanos(i64::from(index) * 60_000_000_000);
    Bar { timestamp, index, ..bar }
}

/// Quotes about 100, two ticks wide, that jump by up to seven ticks.
fn quotes(count: u32) -> Vec<Quote> {
    let mut state = 7_u32;
    let quote = |index: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let middle = 9_997 + i64::from(state >> 29);
        let (bid, ask) = ((middle - 1) as f64 / 100.0, (middle + 1) as f64 / 100.0);
        let timestamp = Timestamp::from_nanos(i64::from(index) * 1_000_000);
        Quote { timestamp, bid, ask, bid_size: 10.0, ask_size: 10.0, index, asset: 0 }
    };
    (0..count).map(quote).collect()
}

/// A bid and an ask about the middle, moved when the market has moved.
fn market_maker() -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let mut around = 0.0;
    move |ctx| {
        let centre = ctx.price() - 0.003 * ctx.position();
        if (centre - around).abs() < 0.01 && ctx.orders().len() == 2 {
            return;
        }
        around = centre;
        ctx.cancel_all();
        ctx.buy(Ticket::new(1).limit(centre - 0.03));
        ctx.sell(Ticket::new(1).limit(centre + 0.03));
    }
}

/// Events per CPU-second and ns per trade, from the fastest round.
fn per_event(name: &str, events: u32, run: impl Fn() -> Statistics) {
    let (mut fastest, mut trades) = (f64::INFINITY, 0);
    for _ in 0..rounds(name) {
        let start = usage::cpu_seconds();
        trades = run().n_trades;
        fastest = fastest.min(usage::cpu_seconds() - start);
    }
    if fastest.is_infinite() {
        return;
    }
    println!(
        "{name}: {:.1} M per CPU-s, {events} with {trades} trades, {:.0} ns per trade",
        f64::from(events) / fastest / 1e6,
        fastest * 1e9 / f64::from(trades.max(1))
    );
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
    for _ in 0..rounds(name) {
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
    if runs == 0 {
        return f64::NAN;
    }
    let per_run = fastest / f64::from(runs);
    println!(
        "{name:12} {:.4} CPU-s per 1,000 runs, {:6.2} ns per bar",
        per_run * 1e3,
        per_run * 1e9 / bars as f64
    );
    per_run * 1e3
}
