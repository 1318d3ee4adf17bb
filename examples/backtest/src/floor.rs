//! One run as a plain loop, without actors: what the bench compares the actors with, and a second opinion for
//! the tests.

use crate::broker::Broker;
use crate::config::{Pair, Terms};
use crate::crossover::Crossover;
use crate::ledger::{Ledger, Statistics};
use crate::messages::Bar;
use crate::rule;

/// Runs one pair over all bars.
#[must_use]
pub fn run(bars: &[Bar], pair: Pair, terms: &Terms) -> Statistics {
    let mut ledger = Ledger::new(terms.cash);
    let mut broker = Broker::new(*terms);
    let mut crossover = Crossover::new(pair);
    let mut position = 0;
    for bar in bars {
        for fill in broker.on_bar(bar).into_iter().flatten() {
            position += fill.quantity;
            ledger.fill(&fill);
        }
        ledger.mark(bar.timestamp, bar.close);
        let Some(signal) = crossover.push(bar.close_ticks) else { continue };
        for order in rule::orders(terms, signal, position, bar.timestamp).into_iter().flatten() {
            // The queue holds all orders that one signal can call for, and it is emptied on every bar.
            let _fits = broker.place(order);
        }
    }
    for fill in broker.end() {
        ledger.fill(&fill);
    }
    if let Some(last) = bars.last() {
        ledger.settle(last.close);
    }
    ledger.finish().0
}
