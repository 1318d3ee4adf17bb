//! Working orders: when one is reached within a bar, and at which price.

use super::ladder::Queue;
use super::models::Intrabar;
use super::passing::{Kind, Passing};
use crate::messages::{NewOrder, OrderType};

/// How the position that a protective order guards was entered, in the bar in which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    AtOpen,
    ByStop,
    ByLimit,
}

/// The entry of a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct PositionEntry {
    /// The event in which it was entered from nothing, and how.
    pub(super) index: u32,
    pub(super) entered: Entered,
    pub(super) price: f64,
}

/// What was entered in the very bar that is being passed, for an order that would close it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    pub(super) entered: Entered,
    pub(super) price: f64,
    /// Whether something else may have closed it in this bar.
    pub(super) in_doubt: bool,
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
    /// Number of the trade that it has opened, to which its further parts are added; 0 before.
    pub(super) opened: u32,
    /// The stop as it stands: a trailing one moves, and may come from below zero.
    pub(super) level: f64,
    /// The bar from which on an order goes on without its stop, a stop-limit order as a limit and another at
    /// the market: the one in which the stop was touched, if that was at the open, or else the next.
    pub(super) triggered: Option<u32>,
    /// When the session ends in which it could be filled first.
    pub(super) day_ends_ns: Option<i64>,
    /// When it has reached the exchange, in ns: what begins before cannot fill it.
    pub(super) from_ns: i64,
    /// When its cancellation reaches the exchange.
    pub(super) until_ns: i64,
    /// Whether it has waited at the exchange through something else than a bar.
    pub(super) rested: bool,
    /// Its place among the orders at its price, of a limit that waits on a book.
    pub(super) queue: Option<Queue>,
    /// The rest of an order for a share of the money, which may do with less.
    pub(super) is_rest: bool,
    /// It is filled at the price at which it was decided on, before the next event.
    pub(super) on_close: bool,
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
    /// Filled at this price of the market. Its `bound` is the limit, beyond which no fill may go; a price
    /// without one slips.
    Fill(Reached),
}

/// A price at which an order is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reached {
    pub(super) price: f64,
    /// The best price of the market on its way there: what a limit could be filled at, without its spread.
    pub(super) best: f64,
    pub(super) bound: Option<f64>,
    pub(super) entered: Entered,
    /// It has waited for somebody else to come to it.
    pub(super) maker: bool,
    /// The market has gone beyond the order's price: it would have been filled whatever the spread.
    pub(super) passed: bool,
}

impl Reached {
    pub(super) fn at(price: f64, entered: Entered) -> Self {
        Self { price, best: price, bound: None, entered, maker: false, passed: false }
    }
}

impl Intrabar {
    /// The steps through a bar behind its open.
    pub(super) fn passes_within(self) -> [Pass; 3] {
        match self {
            Self::Pessimistic | Self::NextBar => [Pass::Stops, Pass::Limits, Pass::EnteredStops],
            Self::Optimistic => [Pass::Limits, Pass::Stops, Pass::EnteredLimits],
        }
    }
}

impl PositionEntry {
    /// What a reduce-only order meets in this bar. Nobody knows what else protects the position.
    pub(super) fn fresh(&self, bar: &Passing) -> Option<Fresh> {
        let Self { index, entered, price } = *self;
        (index == bar.number).then_some(Fresh { entered, price, in_doubt: true })
    }
}

impl Guard {
    /// What the order meets in this bar.
    pub(super) fn fresh(&self, bar: &Passing) -> Option<Fresh> {
        let in_doubt = self.other != 0.0 && (bar.sell.low..=bar.buy.high).contains(&self.other);
        let fresh = Fresh { entered: self.entered, price: self.entry, in_doubt };
        (self.index == bar.number).then_some(fresh)
    }
}

impl WorkingOrder {
    /// Whether it closes a position, whatever trade that is, and never opens one.
    pub(super) fn only_reduces(&self) -> bool {
        self.order.reduce_only && self.guard.is_none()
    }

    /// Whether the order is at the exchange when the event begins.
    #[inline]
    pub(super) fn can_be_filled_in(&self, bar: &Passing) -> bool {
        let start_ns = bar.timestamp.as_nanos();
        self.order.after < bar.number && self.from_ns <= start_ns && start_ns < self.until_ns
    }

    /// Whether it waits for the market to come to it, with the market as it is after this event.
    pub(super) fn would_rest(&self, bar: &Passing, buy: bool) -> bool {
        let price = bar.path(buy).close;
        let beyond = if buy { price > self.order.limit } else { price < self.order.limit };
        self.order.kind == OrderType::Limit && self.guard.is_none() && beyond
    }

    /// Whether it has a stop that nothing has touched.
    pub(super) fn waits_for_stop(&self) -> bool {
        let has_stop = !matches!(self.order.kind, OrderType::Market | OrderType::Limit);
        has_stop && self.triggered.is_none() && !self.ended
    }

    /// Whether the order is reached in this pass. `buy` is its side; `spread` is what an entry pays on top of
    /// the price.
    pub(super) fn touch(
        &self,
        bar: &Passing,
        pass: Pass,
        buy: bool,
        spread: f64,
        (intrabar, fresh): (Intrabar, Option<Fresh>),
    ) -> Touch {
        if !self.takes_part(pass, intrabar, fresh) {
            return Touch::No;
        }
        match self.order.kind {
            OrderType::Limit => self.limit(bar, pass, buy, spread),
            OrderType::Stop | OrderType::TrailingStop if self.triggered.is_none() => {
                self.stop(bar, pass, buy, fresh)
            }
            OrderType::Market | OrderType::Stop | OrderType::TrailingStop if pass == Pass::Open => {
                Touch::Fill(Reached::at(bar.path(buy).open, Entered::AtOpen))
            }
            OrderType::Market | OrderType::Stop | OrderType::TrailingStop => Touch::No,
            OrderType::StopLimit => match self.triggered {
                None => self.stop_limit(bar, pass, buy, (spread, fresh)),
                Some(from) if from <= bar.number => self.limit(bar, pass, buy, spread),
                Some(_) => Touch::No,
            },
        }
    }

    /// Whether the pass concerns this order at all: one that closes what this very bar has entered must not
    /// be filled by prices from before the entry.
    fn takes_part(&self, pass: Pass, intrabar: Intrabar, fresh: Option<Fresh>) -> bool {
        let again = matches!(pass, Pass::EnteredStops | Pass::EnteredLimits);
        let Some(Fresh { entered, in_doubt, .. }) = fresh else { return !again };
        let protects_profit = self.order.kind == OrderType::Limit;
        match (entered, intrabar) {
            (Entered::AtOpen, _) => !again,
            // The price has come from the other side of the stop, so the profit lies ahead of the entry.
            (Entered::ByStop, Intrabar::Pessimistic) => true,
            (Entered::ByStop, Intrabar::Optimistic) => protects_profit,
            (Entered::ByStop, Intrabar::NextBar) => protects_profit && !in_doubt,
            // The price has come from the side of the profit, so the loss lies ahead of the entry.
            (Entered::ByLimit, Intrabar::Pessimistic) => !protects_profit,
            (Entered::ByLimit, Intrabar::Optimistic) => true,
            (Entered::ByLimit, Intrabar::NextBar) => false,
        }
    }

    fn stop(&self, bar: &Passing, pass: Pass, buy: bool, fresh: Option<Fresh>) -> Touch {
        let path = bar.path(buy);
        let reached = |price: f64| if buy { price >= self.level } else { price <= self.level };
        match pass {
            Pass::Open if reached(path.open) => Touch::Fill(Reached::at(path.open, Entered::AtOpen)),
            Pass::Stops | Pass::EnteredStops if reached(if buy { path.high } else { path.low }) => {
                let mut price = self.level;
                // A stop loss on the wrong side of its entry is reached at once, and at no better price than
                // the entry.
                if let Some(fresh) = fresh {
                    price = if buy { price.max(fresh.price) } else { price.min(fresh.price) };
                }
                Touch::Fill(Reached::at(price, Entered::ByStop))
            }
            _ => Touch::No,
        }
    }

    fn limit(&self, bar: &Passing, pass: Pass, buy: bool, spread: f64) -> Touch {
        let (limit, path) = (self.order.limit, bar.path(buy));
        // Others may stand before it in the queue at its price: a trade at that price is not yet its own.
        let (waited, behind) = (self.rested && bar.kind != Kind::Bar, bar.kind == Kind::Tick && self.rested);
        let reached = |price: f64| match (buy, behind) {
            (true, false) => price * (1.0 + spread) <= limit,
            (false, false) => price * (1.0 - spread) >= limit,
            (true, true) => price < limit,
            (false, true) => price > limit,
        };
        let far = if buy { path.low } else { path.high };
        let fill = |price, best, entered, maker| {
            Touch::Fill(Reached { price, best, bound: Some(limit), entered, maker, passed: behind })
        };
        match pass {
            Pass::Open if reached(path.open) && waited => fill(limit, path.open, Entered::AtOpen, true),
            Pass::Open if reached(path.open) => fill(path.open, path.open, Entered::AtOpen, false),
            Pass::Limits | Pass::EnteredLimits if reached(far) => fill(limit, far, Entered::ByLimit, true),
            _ => Touch::No,
        }
    }

    fn stop_limit(
        &self,
        bar: &Passing,
        pass: Pass,
        buy: bool,
        (spread, fresh): (f64, Option<Fresh>),
    ) -> Touch {
        let limit = self.order.limit;
        match self.stop(bar, pass, buy, fresh) {
            Touch::Fill(reached) => {
                let price = reached.price;
                let cost =
                    if buy { price * (1.0 + spread) <= limit } else { price * (1.0 - spread) >= limit };
                if cost { Touch::Fill(Reached { bound: Some(limit), ..reached }) } else { Touch::Triggered }
            }
            other => other,
        }
    }

    /// Moves a trailing stop after a bar, for the bars that follow.
    pub(super) fn trail(&mut self, bar: &Passing, buy: bool) {
        // The distance of an entry is that of the stop loss that it will have.
        let trails = self.order.kind == OrderType::TrailingStop || self.guard.is_some();
        if !trails || self.order.trail == 0.0 || self.triggered.is_some() {
            return;
        }
        // The extreme of the bar of an entry may lie before the entry.
        let within =
            self.guard.is_some_and(|guard| guard.index == bar.number && guard.entered != Entered::AtOpen);
        let path = bar.path(buy);
        let best = match (within, buy) {
            (true, _) => path.close,
            (false, true) => path.low,
            (false, false) => path.high,
        };
        self.level = if buy {
            self.level.min(best + self.order.trail)
        } else {
            self.level.max(best - self.order.trail)
        };
    }
}
