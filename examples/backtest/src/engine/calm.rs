//! Prices between which nothing happens: an event within them need not be passed, however many orders wait.

use super::Engine;
use super::book::WorkingOrder;
use super::passing::Kind;
use crate::messages::{OrderType, SizeUnit, TimeInForce};
use crate::tape::MarketData;

/// Prices that reach no working order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calm {
    /// Above the limits of orders to buy, and below their stops.
    ask: (f64, f64),
    /// Above the stops of orders to sell, and below their limits.
    bid: (f64, f64),
    /// Whether a price alone could end the account or call for its margin.
    at_risk: bool,
}

impl Calm {
    /// Leaves out the prices that reach this order. `None` if other things than its price can happen to it.
    fn without(mut self, working: &WorkingOrder, latest: Kind, known_ns: i64) -> Option<Self> {
        let order = &working.order;
        let buy = working.guard.map_or(order.size > 0.0, |guard| guard.direction < 0.0);
        // One that has not been at the exchange for a whole event may get its place in the queue in the next
        // one, or has not come.
        let settled = working.from_ns <= known_ns && (working.rested || latest == Kind::Bar);
        let by_price = order.time_in_force == TimeInForce::GoodTillCancelled
            && working.until_ns == i64::MAX
            && order.trail == 0.0
            && !matches!(order.unit, SizeUnit::TargetLots | SizeUnit::TargetValue | SizeUnit::TargetEquity);
        let is_limit = match (order.kind, working.triggered) {
            (OrderType::Limit, _) | (OrderType::StopLimit, Some(_)) => true,
            (OrderType::Stop | OrderType::StopLimit, None) => false,
            _ => return None,
        };
        match (is_limit, buy) {
            (true, true) => self.ask.0 = self.ask.0.max(order.limit),
            (true, false) => self.bid.1 = self.bid.1.min(order.limit),
            (false, true) => self.ask.1 = self.ask.1.min(working.level),
            (false, false) => self.bid.0 = self.bid.0.max(working.level),
        }
        (settled && by_price).then_some(self)
    }
}

impl Engine {
    /// Whether there are prices between which nothing happens in the next event.
    #[inline]
    pub(crate) fn may_be_calm(&self) -> bool {
        !self.told && self.calm.is_some()
    }

    /// Whether nothing can happen in the next event, which is this one.
    #[inline]
    pub(crate) fn is_calm(&self, data: &MarketData<'_>) -> bool {
        let Some(Calm { ask, bid, at_risk }) = &self.calm else { return false };
        let (lowest, highest) = match data {
            MarketData::Bar(bar) => ((bar.low, bar.low), (bar.high, bar.high)),
            MarketData::Quote(quote) => ((quote.ask, quote.bid), (quote.ask, quote.bid)),
            MarketData::Tick(tick) => ((tick.price, tick.price), (tick.price, tick.price)),
            // Each book moves the queues at its prices, and shows what has not been taken.
            MarketData::Depth(_) => return false,
        };
        !self.told
            && lowest.0 > ask.0
            && highest.0 < ask.1
            && lowest.1 > bid.0
            && highest.1 < bid.1
            && !(*at_risk && self.needs_margin(data.price()))
    }

    /// The prices between which nothing happens from now on. Of several assets there are none, because what
    /// could be bought for at which time is noted with each event.
    pub(super) fn calm_prices(&self) -> Option<Calm> {
        let [listing] = &self.listings[..] else { return None };
        if self.carry.needs(&self.listings) {
            return None;
        }
        let everything = (f64::NEG_INFINITY, f64::INFINITY);
        let calm = Calm { ask: everything, bid: everything, at_risk: self.could_be_ruined() };
        let (kind, known_ns) = (listing.latest.kind, self.carry.known_ns());
        self.book.iter().try_fold(calm, |calm, working| calm.without(working, kind, known_ns))
    }
}
