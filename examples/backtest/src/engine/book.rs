//! Working orders: when one is reached within a bar, and at which price.

use super::models::Intrabar;
use crate::messages::{Bar, NewOrder, OrderType};

/// How the position that a protective order guards was entered, in the bar in which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    AtOpen,
    ByStop,
    ByLimit,
}

/// What a protective order guards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    /// Number of the trade.
    pub(super) trade: u32,
    /// Its direction: 1.0 is long.
    pub(super) direction: f64,
    pub(super) entry: f64,
    /// The bar of the entry, and how it was entered.
    pub(super) index: u32,
    pub(super) entered: Entered,
    /// The other protective order's price: a stop loss or take profit; 0 if there is none.
    pub(super) other: f64,
}

/// An order that waits for its price.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkingOrder {
    pub(super) order: NewOrder,
    pub(super) guard: Option<Guard>,
    /// The stop as it stands: a trailing one moves, and may come from below zero.
    pub(super) level: f64,
    /// The bar from which on the limit of a stop-limit order counts: the one in which its stop was touched,
    /// if that was at the open, or else the next.
    pub(super) triggered: Option<u32>,
    /// The UTC day of the first bar on which it could be filled.
    pub(super) day: Option<i64>,
    /// It has ended and is swept out after the bar.
    pub(super) ended: bool,
}

/// A step through a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Open,
    Stops,
    Limits,
    /// What was entered within the bar, against the rest of it.
    EnteredStops,
    EnteredLimits,
}

/// What a pass finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Touch {
    No,
    /// The stop of a stop-limit order was touched, and its limit is not reached yet.
    Triggered,
    /// Filled at this price of the market. `bound` is the limit, beyond which no fill may go; a price without
    /// one slips.
    Fill {
        price: f64,
        bound: Option<f64>,
        entered: Entered,
    },
}

impl Intrabar {
    pub(super) fn passes(self) -> [Pass; 4] {
        match self {
            Self::Pessimistic | Self::NextBar => [Pass::Open, Pass::Stops, Pass::Limits, Pass::EnteredStops],
            Self::Optimistic => [Pass::Open, Pass::Limits, Pass::Stops, Pass::EnteredLimits],
        }
    }
}

impl WorkingOrder {
    /// Whether the order is reached in this pass. `buy` is its side; `spread` is what an entry pays on top of
    /// the price.
    pub(super) fn touch(&self, bar: &Bar, pass: Pass, buy: bool, spread: f64, intrabar: Intrabar) -> Touch {
        if !self.takes_part(bar, pass, intrabar) {
            return Touch::No;
        }
        match self.order.kind {
            OrderType::Market if pass == Pass::Open => {
                Touch::Fill { price: bar.open, bound: None, entered: Entered::AtOpen }
            }
            OrderType::Market => Touch::No,
            OrderType::Limit => self.limit(bar, pass, buy, spread),
            OrderType::Stop | OrderType::TrailingStop => self.stop(bar, pass, buy),
            OrderType::StopLimit => match self.triggered {
                None => self.stop_limit(bar, pass, buy, spread),
                Some(from) if from <= bar.index => self.limit(bar, pass, buy, spread),
                Some(_) => Touch::No,
            },
        }
    }

    /// Whether the pass concerns this order at all: one that guards what this very bar has entered must not
    /// be filled by prices from before the entry.
    fn takes_part(&self, bar: &Bar, pass: Pass, intrabar: Intrabar) -> bool {
        let again = matches!(pass, Pass::EnteredStops | Pass::EnteredLimits);
        let Some(guard) = self.guard.filter(|guard| guard.index == bar.index) else { return !again };
        let protects_profit = self.order.kind == OrderType::Limit;
        match (guard.entered, intrabar) {
            (Entered::AtOpen, _) => !again,
            // The price has come from the other side of the stop, so the profit lies ahead of the entry.
            (Entered::ByStop, Intrabar::Pessimistic) => true,
            (Entered::ByStop, Intrabar::Optimistic) => protects_profit,
            (Entered::ByStop, Intrabar::NextBar) => {
                let stopped = guard.other != 0.0 && (bar.low..=bar.high).contains(&guard.other);
                protects_profit && !stopped
            }
            // The price has come from the side of the profit, so the loss lies ahead of the entry.
            (Entered::ByLimit, Intrabar::Pessimistic) => !protects_profit,
            (Entered::ByLimit, Intrabar::Optimistic) => true,
            (Entered::ByLimit, Intrabar::NextBar) => false,
        }
    }

    fn stop(&self, bar: &Bar, pass: Pass, buy: bool) -> Touch {
        let reached = |price: f64| if buy { price >= self.level } else { price <= self.level };
        match pass {
            Pass::Open if reached(bar.open) => {
                Touch::Fill { price: bar.open, bound: None, entered: Entered::AtOpen }
            }
            Pass::Stops | Pass::EnteredStops if reached(if buy { bar.high } else { bar.low }) => {
                let mut price = self.level;
                // A stop loss on the wrong side of its entry is reached at once, and at no better price than
                // the entry.
                if let Some(guard) = self.guard.filter(|guard| guard.index == bar.index) {
                    price = if buy { price.max(guard.entry) } else { price.min(guard.entry) };
                }
                Touch::Fill { price, bound: None, entered: Entered::ByStop }
            }
            _ => Touch::No,
        }
    }

    fn limit(&self, bar: &Bar, pass: Pass, buy: bool, spread: f64) -> Touch {
        let limit = self.order.limit;
        let reached = |price: f64| {
            if buy { price * (1.0 + spread) <= limit } else { price * (1.0 - spread) >= limit }
        };
        match pass {
            Pass::Open if reached(bar.open) => {
                Touch::Fill { price: bar.open, bound: Some(limit), entered: Entered::AtOpen }
            }
            Pass::Limits | Pass::EnteredLimits if reached(if buy { bar.low } else { bar.high }) => {
                Touch::Fill { price: limit, bound: Some(limit), entered: Entered::ByLimit }
            }
            _ => Touch::No,
        }
    }

    fn stop_limit(&self, bar: &Bar, pass: Pass, buy: bool, spread: f64) -> Touch {
        let limit = self.order.limit;
        match self.stop(bar, pass, buy) {
            Touch::Fill { price, entered, .. } => {
                let cost =
                    if buy { price * (1.0 + spread) <= limit } else { price * (1.0 - spread) >= limit };
                if cost { Touch::Fill { price, bound: Some(limit), entered } } else { Touch::Triggered }
            }
            other => other,
        }
    }

    /// Moves a trailing stop after a bar, for the bars that follow.
    pub(super) fn trail(&mut self, bar: &Bar, buy: bool) {
        // The distance of an entry is that of the stop loss that it will have.
        let trails = self.order.kind == OrderType::TrailingStop || self.guard.is_some();
        if !trails || self.order.trail == 0.0 {
            return;
        }
        // The extreme of the bar of an entry may lie before the entry.
        let within =
            self.guard.is_some_and(|guard| guard.index == bar.index && guard.entered != Entered::AtOpen);
        let best = match (within, buy) {
            (true, _) => bar.close,
            (false, true) => bar.low,
            (false, false) => bar.high,
        };
        self.level = if buy {
            self.level.min(best + self.order.trail)
        } else {
            self.level.max(best - self.order.trail)
        };
    }
}
