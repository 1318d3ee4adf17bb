//! From a crossing to orders.

use crate::config::{Rule, Terms};
use crate::crossover::Signal;
use crate::limits::ORDERS_MAX;
use crate::messages::{Order, OrderKind, Timestamp};

/// The orders that a signal calls for, in the sequence in which they are to be filled.
///
/// `position` is the position known from fills; a positive one is long.
#[must_use]
pub fn orders(
    terms: &Terms,
    signal: Signal,
    position: i64,
    timestamp: Timestamp,
) -> [Option<Order>; ORDERS_MAX] {
    let order = |kind, units| Some(Order { timestamp, units, kind });
    let close = || order(OrderKind::Close, 0);
    match (terms.rule, signal) {
        (Rule::Long, Signal::Up) if position == 0 => [order(OrderKind::Buy, 0), None],
        (Rule::Fixed, Signal::Up) if position == 0 => [order(OrderKind::Buy, terms.units), None],
        (Rule::Long | Rule::Fixed, Signal::Down) if position > 0 => [close(), None],
        (Rule::Long | Rule::Fixed, _) => [None, None],
        (Rule::Flip, signal) => {
            let entry = order(if signal == Signal::Up { OrderKind::Buy } else { OrderKind::Sell }, 0);
            if position == 0 { [entry, None] } else { [close(), entry] }
        }
    }
}
