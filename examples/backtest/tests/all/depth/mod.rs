//! Books of several levels: what takes walks the levels, what waits has a queue before it, and files.

mod files;
mod queue;
mod reference;
mod taking;

use std::sync::{Arc, Mutex};

use backtest::depth::Depth;
use backtest::messages::Timestamp;
use backtest::strategy::{Backtest, Report, StrategyContext};

/// The second that a row is at.
pub(crate) fn second(number: usize) -> Timestamp {
    Timestamp::from_nanos(number as i64 * 1_000_000_000)
}

/// Numbers the rows and gives each the next second.
pub(crate) fn timed(books: &[Depth]) -> Vec<Depth> {
    let mut books = books.to_vec();
    for (at, book) in books.iter_mut().enumerate() {
        (book.timestamp, book.index) = (second(at), at as u32);
    }
    books
}

/// Bids of 99 and 98, asks of 101, 102 and 103.
pub(crate) fn base() -> Depth {
    book(&[(99.0, 5.0), (98.0, 7.0)], &[(101.0, 3.0), (102.0, 4.0), (103.0, 10.0)])
}

pub(crate) fn book(bids: &[(f64, f64)], asks: &[(f64, f64)]) -> Depth {
    Depth::new(Timestamp::from_nanos(0), bids, asks)
}

/// Runs a strategy that is given the number of the event, and says what was held at each.
pub(crate) fn held_by(
    backtest: &Backtest,
    mut act: impl FnMut(usize, &mut StrategyContext<'_>) + Send + 'static,
) -> (Report, Vec<f64>) {
    let held = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&held);
    let report = backtest.run(move |ctx: &mut StrategyContext<'_>| {
        let mut seen = seen.lock().expect("not poisoned");
        act(seen.len(), ctx);
        seen.push(ctx.position());
    });
    let held = held.lock().expect("not poisoned").clone();
    (report.expect("it runs"), held)
}

/// As [`held_by`], on these books with much money.
pub(crate) fn held(
    books: &[Depth],
    act: impl FnMut(usize, &mut StrategyContext<'_>) + Send + 'static,
) -> (Report, Vec<f64>) {
    held_by(&Backtest::of([("B", timed(books))]).cash(1e6), act)
}

/// Checks how much each order was filled by, and at which mean price.
pub(crate) fn assert_fills(report: &Report, wanted: &[(f64, f64)]) {
    let got: Vec<(f64, f64)> = report.orders.iter().map(|order| (order.filled, order.price)).collect();
    let same = |((size, price), (wanted, at)): (&(f64, f64), &(f64, f64))| {
        size == wanted && (price - at).abs() < 1e-9
    };
    assert!(got.len() == wanted.len() && got.iter().zip(wanted).all(same), "{got:?} is not {wanted:?}");
}
