//! Orders on a book of several levels: what takes is filled level by level, what waits has a place in the
//! queue at its price.
//!
//! # Rules
//! - A market order, a stop that was touched, and a limit that the other side reaches when it comes, take the
//!   levels from the best on, each at its price and as far as its limit. Each level is a fill of its own; an
//!   order that is to be filled whole is one fill at the mean price, weighted by size.
//! - Displayed sizes are taken once: a level that keeps price and size shows nothing new.
//! - A limit that waits has ahead of it what was displayed at its price when it came. Behind the last level
//!   nobody knows how much that is, and all is ahead that the book shows there when it first does.
//! - A trade at its price takes from what is ahead, and what is left of the trade fills the order. A trade
//!   beyond its price fills it whole.
//! - A size that shrinks by more than the trades moves the order forward as the [`QueueModel`] says, and no
//!   more is ahead than is displayed.
//! - An order to which the other side comes is filled at its limit, by what that side shows up to there.
//! - A row's trade comes before its book.

use clap::ValueEnum;

use super::Engine;
use super::book::{Entered, Pass, Reached, Touch, WorkingOrder};
use super::passing::Passing;
use crate::depth::{Depth, Level, same_price};
use crate::messages::{NewOrder, OrderCause, OrderStatus, OrderType, SizeUnit, TimeInForce};

/// How far an order moves forward in its queue when the size displayed at its price shrinks by more than the
/// trades: others have cancelled, and nobody says whether they stood before it or behind.
///
/// A function of the three numbers is one: `|ahead: f64, before: f64, now: f64| ahead * now / before`.
pub trait QueueModel: Send + Sync {
    /// The units ahead, of `ahead` before. `before` and `now` are the displayed sizes without what was traded
    /// meanwhile. The answer counts from zero up to `ahead`, and never more than `now`; one that is no
    /// number leaves the order where it was.
    fn ahead(&self, ahead: f64, before: f64, now: f64) -> f64;
}

/// The usual queue models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Queueing {
    /// Trades alone move an order forward: who cancels stood behind it, as long as somebody did
    #[default]
    Pessimistic,
    /// Who cancels stood anywhere: as much of what is ahead goes as of the whole
    Proportional,
}

impl QueueModel for Queueing {
    fn ahead(&self, ahead: f64, before: f64, now: f64) -> f64 {
        match self {
            Self::Proportional if now < before => ahead * (now / before),
            _ => ahead,
        }
    }
}

impl<F: Fn(f64, f64, f64) -> f64 + Send + Sync> QueueModel for F {
    fn ahead(&self, ahead: f64, before: f64, now: f64) -> f64 {
        self(ahead, before, now)
    }
}

/// The place of an order among those at its price.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// Units of others that are filled before it; infinite where the book has not shown them yet.
    ahead: f64,
    /// What was displayed at its price.
    shown: Option<f64>,
}

/// Lots that were taken from a level while it stood so.
#[derive(Clone, Copy, Debug)]
struct TakenLots {
    level: Level,
    lots: i64,
}

/// The latest snapshot of an asset, and what own orders have taken of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    book: Depth,
    /// The snapshot that is to be passed.
    next: Depth,
    /// Of the asks and of the bids.
    taken: [Vec<TakenLots>; 2],
    /// Lots of the latest trade that have filled own orders.
    trade_lots: i64,
}

impl Ladder {
    /// A snapshot has come, and is to be passed with those of its time.
    pub(super) fn hear(&mut self, next: &Depth) {
        self.next = *next;
    }

    /// The snapshot that has come is the latest.
    pub(super) fn turn(&mut self) {
        let Self { book, next, taken, trade_lots } = self;
        (*book, *trade_lots) = (*next, 0);
        for (buy, taken) in [true, false].into_iter().zip(taken) {
            taken.retain(|taken| next.opposite(buy).contains(&taken.level));
        }
    }

    /// The place of an order that comes now.
    pub(super) fn queue(&self, buy: bool, limit: f64) -> Queue {
        let shown = self.book.size_at(buy, limit);
        Queue { ahead: shown.unwrap_or(f64::INFINITY), shown }
    }

    fn take(&mut self, buy: bool, level: Level, lots: i64) {
        let taken = &mut self.taken[usize::from(!buy)];
        match taken.iter_mut().find(|taken| taken.level == level) {
            Some(taken) => taken.lots += lots,
            None => taken.push(TakenLots { level, lots }),
        }
    }
}

/// A level that an order may take from.
#[derive(Clone, Copy, Debug)]
struct Offer {
    level: Level,
    lots: i64,
}

/// Whether a price of the other side is within a limit, with what an entry pays on top.
fn within(limit: Option<f64>, buy: bool, price: f64, spread: f64) -> bool {
    match limit {
        None => true,
        Some(limit) if buy => price * (1.0 + spread) <= limit,
        Some(limit) => price * (1.0 - spread) >= limit,
    }
}

impl Engine {
    /// What the other side still shows an order, the best first.
    fn offers(&self, asset: usize, buy: bool) -> Vec<Offer> {
        let listing = &self.listings[asset];
        let Some(ladder) = &listing.ladder else { return Vec::new() };
        let taken = &ladder.taken[usize::from(!buy)];
        let offer = |level: &Level| {
            let gone = taken.iter().find(|taken| taken.level == *level).map_or(0, |taken| taken.lots);
            Offer { level: *level, lots: (listing.displayed_lots(level.size, &self.fault) - gone).max(0) }
        };
        ladder.book.opposite(buy).iter().map(offer).collect()
    }

    /// Fills an order by so many lots at most, and says by how many.
    fn fill_up_to(&mut self, at: usize, buy: bool, lots: i64, reached: Reached) -> i64 {
        let asset = usize::from(self.book[at].order.asset);
        let held = self.listings[asset].holdings.lots;
        self.listings[asset].set_room(buy, lots);
        self.fill(at, buy, reached);
        (self.listings[asset].holdings.lots - held).abs()
    }

    /// Looks at an order while a snapshot is passed.
    pub(super) fn look_at_depth(&mut self, at: usize, passing: &Passing, buy: bool) {
        let working = &self.book[at];
        if let Some(queue) = working.queue {
            return self.advance(at, buy, queue);
        }
        let spread = self.spread_for(working, buy);
        match working.touch(passing, Pass::Open, buy, spread, (self.market.intrabar, None)) {
            Touch::No => {}
            Touch::Triggered => self.trigger(at, passing.number, Pass::Open),
            Touch::Fill(reached) => {
                self.take_levels(at, buy, Reached { maker: false, ..reached });
                if self.book[at].waits_for_stop() {
                    // The book showed too little: it has been touched all the same.
                    self.trigger(at, passing.number, Pass::Open);
                }
            }
        }
    }

    /// Takes what the other side shows, level by level.
    pub(super) fn take_levels(&mut self, at: usize, buy: bool, reached: Reached) {
        let order = self.book[at].order;
        let asset = usize::from(order.asset);
        if order.time_in_force == TimeInForce::FillOrKill {
            return self.take_whole(at, buy, reached);
        }
        let mut any = false;
        for Offer { level, lots } in self.offers(asset, buy) {
            let spread = self.spread_for(&self.book[at], buy);
            if self.book[at].ended || !within(reached.bound, buy, level.price, spread) {
                return;
            }
            if any && self.is_used_up(at, level.price) {
                // All that the money buys.
                return self.finish_order(at, OrderStatus::Filled, OrderCause::NotApplicable);
            }
            if lots > 0 {
                let reached = Reached { price: level.price, best: level.price, ..reached };
                let filled = self.fill_up_to(at, buy, lots, reached);
                self.take_from(asset, buy, level, filled);
                any |= filled != 0;
            }
        }
    }

    /// All of it in one fill, or nothing.
    fn take_whole(&mut self, at: usize, buy: bool, reached: Reached) {
        let asset = usize::from(self.book[at].order.asset);
        let spread = self.spread_for(&self.book[at], buy);
        let mut offers = self.offers(asset, buy);
        offers.retain(|offer| within(reached.bound, buy, offer.level.price, spread));
        let wanted = self.whole_size(at, buy, reached.price, &offers);
        let (price, all) = mean_of(&offers, wanted).unwrap_or((reached.price, 0));
        let mut left = self.fill_up_to(at, buy, all.min(wanted), Reached { price, best: price, ..reached });
        for Offer { level, lots } in offers {
            let taken = left.min(lots);
            self.take_from(asset, buy, level, taken);
            left -= taken;
        }
    }

    /// The lots that a whole order is for. Money buys as many as it pays for at their own mean price, and the
    /// order is for so many from now on.
    fn whole_size(&mut self, at: usize, buy: bool, price: f64, offers: &[Offer]) -> i64 {
        let unit = self.book[at].order.unit;
        if matches!(unit, SizeUnit::Lots | SizeUnit::TargetLots) {
            return self.lots_wanted(at, buy, price).abs();
        }
        let paid_for =
            |lots| mean_of(offers, lots).map_or(0, |(mean, _)| self.lots_wanted(at, buy, mean).abs());
        let all = offers.iter().fold(0_i64, |all, offer| all.saturating_add(offer.lots));
        let (mut lots, mut too_many) = (0, all.saturating_add(1));
        if paid_for(all) > all {
            // It is for more than there is.
            return paid_for(all);
        }
        while lots + 1 < too_many {
            let middle = lots + (too_many - lots) / 2;
            if paid_for(middle) >= middle { lots = middle } else { too_many = middle }
        }
        if lots > 0 {
            let working = &mut self.book[at];
            working.is_rest = unit == SizeUnit::Cash;
            working.order.unit = SizeUnit::Lots;
            working.order.size = if buy { lots as f64 } else { -(lots as f64) };
        }
        lots
    }

    /// The price at which a position is closed in one fill, by what is displayed; what is beyond the last
    /// level costs as much as there.
    pub(super) fn swept(&mut self, asset: usize, lots: i64, market_price: f64) -> f64 {
        let offers = self.offers(asset, lots > 0);
        let Some((_, all)) = mean_of(&offers, lots.abs()) else { return market_price };
        let (mut left, mut value, mut worst) = (lots.abs(), 0.0, market_price);
        for Offer { level, lots: shown } in offers {
            let taken = left.min(shown);
            self.take_from(asset, lots > 0, level, taken);
            value += taken as f64 * level.price;
            (left, worst) = (left - taken, level.price);
        }
        let beyond = (lots.abs() - all).max(0);
        (value + beyond as f64 * worst) / lots.abs() as f64
    }

    fn take_from(&mut self, asset: usize, buy: bool, level: Level, lots: i64) {
        if let Some(ladder) = self.listings[asset].ladder.as_mut().filter(|_| lots != 0) {
            ladder.take(buy, level, lots);
        }
    }

    /// An order that waits: the trade, its queue, and the other side.
    fn advance(&mut self, at: usize, buy: bool, mut queue: Queue) {
        let order = self.book[at].order;
        let (asset, limit) = (usize::from(order.asset), order.limit);
        let Some(Ladder { book, .. }) = self.listings[asset].ladder.as_deref() else { return };
        let (trade, now) = (book.trade(), book.size_at(buy, limit));
        let at_limit = Reached { bound: Some(limit), maker: true, ..Reached::at(limit, Entered::AtOpen) };
        if let Some(trade) = trade {
            let lots = self.lots_of_trade(asset, buy, limit, trade, &mut queue);
            let filled = if lots > 0 {
                self.fill_up_to(at, buy, lots, Reached { passed: true, ..at_limit })
            } else {
                0
            };
            if let Some(ladder) = &mut self.listings[asset].ladder {
                ladder.trade_lots = ladder.trade_lots.saturating_add(filled);
            }
        }
        let traded = trade.filter(|trade| same_price(trade.price, limit)).map_or(0.0, |trade| trade.size);
        if let Some(now) = now {
            let moved = |before: f64| self.market.queue.ahead(queue.ahead, (before - traded).max(0.0), now);
            // What is no number moves nothing.
            let moved = queue.shown.filter(|_| queue.ahead.is_finite()).map_or(queue.ahead, moved);
            queue.ahead = queue.ahead.min(moved).max(0.0).min(now);
        }
        queue.shown = now;
        self.book[at].queue = Some(queue);
        if self.book[at].ended || queue.ahead > 0.0 {
            return;
        }
        for Offer { level, lots } in self.offers(asset, buy) {
            let spread = self.spread_for(&self.book[at], buy);
            if self.book[at].ended || !within(Some(limit), buy, level.price, spread) {
                return;
            }
            if lots > 0 {
                let filled = self.fill_up_to(at, buy, lots, Reached { best: level.price, ..at_limit });
                self.take_from(asset, buy, level, filled);
            }
        }
    }

    /// How much of a trade of others falls to an order that waits, when what is ahead has had its part.
    fn lots_of_trade(&self, asset: usize, buy: bool, limit: f64, trade: Level, queue: &mut Queue) -> i64 {
        let listing = &self.listings[asset];
        let own = listing.ladder.as_ref().map_or(0, |ladder| ladder.trade_lots);
        if same_price(trade.price, limit) {
            let for_others = (trade.size - listing.terms.units(own)).max(0.0);
            let left = (for_others - queue.ahead).max(0.0);
            queue.ahead = (queue.ahead - for_others).max(0.0);
            return listing.displayed_lots(left, &self.fault);
        }
        let beyond = if buy { trade.price < limit } else { trade.price > limit };
        match beyond {
            false => 0,
            true if listing.is_limited() => listing.displayed_lots(trade.size, &self.fault) - own,
            true => i64::MAX,
        }
    }

    /// After a snapshot: limits that wait have their places from now on.
    pub(super) fn follow_queues(&mut self, asset: u16, passing: &Passing) {
        for at in 0..self.book.len() {
            let WorkingOrder { order, guard, ended, .. } = &self.book[at];
            if order.asset == asset && !ended {
                let buy = guard.map_or(order.size > 0.0, |guard| guard.direction < 0.0);
                self.enter_queue(at, passing, buy);
            }
        }
    }

    fn enter_queue(&mut self, at: usize, passing: &Passing, buy: bool) {
        let working = &self.book[at];
        let (arrived, asset) = (working.can_be_filled_in(passing), usize::from(working.order.asset));
        let early = passing.timestamp.as_nanos() < working.from_ns;
        let waits = arrived && working.is_limit_now(passing) || early && working.would_rest(passing, buy);
        let waits = waits && may_wait(&working.order);
        let Some(ladder) = &self.listings[asset].ladder else { return };
        // One that is on its way takes its place when it comes.
        if early || waits && working.queue.is_none() {
            let queue = waits.then(|| ladder.queue(buy, working.order.limit));
            self.book[at].queue = queue;
        }
    }
}

impl WorkingOrder {
    /// Whether nothing but its limit keeps it from being filled.
    fn is_limit_now(&self, passing: &Passing) -> bool {
        match self.order.kind {
            OrderType::Limit => true,
            OrderType::StopLimit => self.triggered.is_some_and(|from| from <= passing.number),
            _ => false,
        }
    }
}

/// Whether an order goes on when it could not be filled at once.
pub(super) fn may_wait(order: &NewOrder) -> bool {
    !matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
}

/// The mean price of the best so many lots, or of all if there are fewer, and how many there are in all.
/// `None` without any.
fn mean_of(offers: &[Offer], wanted: i64) -> Option<(f64, i64)> {
    let (mut left, mut value, mut all) = (wanted, 0.0, 0_i64);
    for Offer { level, lots } in offers {
        let taken = left.min(*lots);
        value += taken as f64 * level.price;
        (left, all) = (left - taken, all.saturating_add(*lots));
    }
    let taken = wanted - left;
    (taken > 0).then(|| (value / taken as f64, all))
}
