//! From an order that was reached to executions: how many lots, at which price, and what follows for other
//! orders.

use super::book::{Entered, Guard, Reached, WorkingOrder};
use super::costs::Conditions;
use super::{Engine, Event, NUMBERS_OF_AN_ORDER};
use crate::account::floor_div;
use crate::limits::LOTS_MAX;
use crate::messages::{NewOrder, OrderCause, OrderStatus, OrderType, OrderUpdate, SizeUnit, TimeInForce};

/// What is wrong with an order, apart from the account. `price` is the latest close.
pub(super) fn fault(order: &NewOrder, price: f64) -> Option<OrderCause> {
    let prices = [order.limit, order.stop, order.trail, order.stop_loss, order.take_profit];
    let needed = match order.kind {
        OrderType::Market => true,
        OrderType::Limit => order.limit > 0.0,
        OrderType::Stop => order.stop > 0.0,
        OrderType::StopLimit => order.limit > 0.0 && order.stop > 0.0,
        OrderType::TrailingStop => order.trail > 0.0,
    };
    if !needed || !prices.iter().all(|price| price.is_finite() && *price >= 0.0) {
        return Some(OrderCause::BadPrice);
    }
    let target = is_target(order);
    if !order.size.is_finite() || order.size == 0.0 && !target {
        return Some(OrderCause::BadSize);
    }
    if target {
        return None;
    }
    // Where it will be entered, as far as anybody knows: the loss must be behind and the profit ahead.
    let entry = [order.limit, order.stop, price].into_iter().find(|price| *price > 0.0).unwrap_or(0.0);
    let side = order.size.signum();
    let ahead = |from: f64, to: f64| from == 0.0 || to == 0.0 || (to - from) * side > 0.0;
    let in_sequence = ahead(order.stop_loss, entry) && ahead(entry, order.take_profit);
    (!in_sequence).then_some(OrderCause::BadPrice)
}

/// The lots that an order trades.
struct Wanted {
    lots: i64,
    /// Whether fewer will do, if the money is short.
    as_far_as_it_goes: bool,
}

impl Engine {
    /// Whether the order buys as the account stands.
    pub(super) fn buys(&self, order: &NewOrder, price: f64) -> bool {
        let asset = usize::from(order.asset);
        let lots = self.listings[asset].holdings.lots;
        match order.unit {
            SizeUnit::TargetLots => order.size > lots as f64,
            SizeUnit::TargetEquity => {
                let value = self.listings[asset].terms.units(lots) * price;
                order.size * self.equity_at(asset, price) > value
            }
            SizeUnit::TargetValue => order.size > self.listings[asset].terms.units(lots) * price,
            _ => order.size > 0.0,
        }
    }

    /// Fills an order at a price of the market, which is that of the side.
    pub(super) fn fill(&mut self, at: usize, buy: bool, reached: Reached) {
        let working = self.book[at];
        let (order, asset) = (&working.order, usize::from(working.order.asset));
        let Reached { price: market_price, bound, maker, .. } = reached;
        let before = self.listings[asset].holdings.lots;
        let Wanted { mut lots, as_far_as_it_goes } = self.wanted(&working, market_price, maker);
        lots = within_purpose(&working, buy, before, lots);
        if lots == 0 && order.reduce_only && working.guard.is_none() {
            return self.finish_order(at, OrderStatus::Cancelled, OrderCause::NothingToReduce);
        }
        let side = if lots < 0 { -1.0 } else { 1.0 };
        let mut asked = lots;
        let room = self.listings[asset].room(lots > 0);
        if lots.abs() > room {
            if order.time_in_force == TimeInForce::FillOrKill {
                return self.finish_order(at, OrderStatus::Expired, OrderCause::TimeInForce);
            }
            if room == 0 {
                return;
            }
            lots = room * side as i64;
        }
        let exit_price = self.slipped(asset, market_price, lots, side, bound);
        let entry_price = self.with_spread(asset, exit_price, side, bound);
        if let Some(guard) = working.guard {
            self.close_trade(asset, guard.trade, lots.abs(), order.order, exit_price, maker);
            self.end_entry(guard.trade);
            return self.filled(at, before, asked, lots);
        }
        let closing = if (before < 0) == (lots < 0) { 0 } else { lots.abs().min(before.abs()) };
        let mut need = lots.abs() - closing;
        // A share of what can be bought for is whole, however much that is.
        let may_be_short = need > 0 && order.unit != SizeUnit::Cash;
        if order.time_in_force == TimeInForce::FillOrKill && may_be_short {
            // Seen before anything is closed: all of it or nothing.
            let power = self.power_without(asset, closing, market_price);
            if !self.pays(asset, power, need, entry_price, maker) {
                let cause = OrderCause::NotEnoughCash;
                return self.refuse(at, OrderStatus::Cancelled, cause, power, entry_price);
            }
        }
        self.close_first(asset, closing, order.order, exit_price, maker);
        let closed = closing * side as i64;
        if need > 0 {
            let power = self.buying_power(asset, market_price);
            if as_far_as_it_goes {
                let affordable = self.affordable(asset, power, entry_price, maker);
                if affordable < need {
                    // That is all of it.
                    need = affordable;
                    asked = closed + need * side as i64;
                }
            }
            if need == 0 || !self.pays(asset, power, need, entry_price, maker) {
                if as_far_as_it_goes && closed != 0 {
                    return self.filled(at, before, closed, closed);
                }
                let cause = if need == 0 { OrderCause::NoLot } else { OrderCause::NotEnoughCash };
                self.refuse(at, OrderStatus::Cancelled, cause, power, entry_price);
                return self.keep_closed(at, before, closed);
            }
            self.open(at, need * side as i64, Reached { price: entry_price, ..reached });
        } else if lots == 0 && !is_target(order) {
            let power = self.buying_power(asset, market_price);
            return self.refuse(at, OrderStatus::Cancelled, OrderCause::NoLot, power, entry_price);
        }
        self.filled(at, before, asked, closed + need * side as i64);
    }

    /// What an order has closed before it was refused is closed.
    fn keep_closed(&mut self, at: usize, before: i64, lots: i64) {
        if lots != 0 {
            let order = self.book[at].order;
            self.listings[usize::from(order.asset)].take_room(lots > 0, lots.abs());
            self.follow(&order, before);
        }
    }

    fn wanted(&self, working: &WorkingOrder, price: f64, maker: bool) -> Wanted {
        let (order, asset) = (&working.order, usize::from(working.order.asset));
        let (size, listing) = (order.size, &self.listings[asset]);
        let lot_price = price * listing.terms.lot;
        let side = if size < 0.0 { -1 } else { 1 };
        let whole = |lots: f64| lots.clamp(-LOTS_MAX, LOTS_MAX) as i64;
        let exactly = |lots: i64| Wanted { lots, as_far_as_it_goes: false };
        let of_equity = || {
            let value = self.equity_at(asset, price).max(0.0) * size.abs();
            side * whole(floor_div(value, lot_price))
        };
        if let Some(guard) = working.guard {
            let trade = listing.holdings.trades.iter().find(|trade| trade.number == guard.trade);
            return exactly(trade.map_or(0, |trade| -trade.lots));
        }
        match order.unit {
            SizeUnit::Lots => Wanted { lots: whole(size), as_far_as_it_goes: working.is_rest },
            SizeUnit::Value => exactly(side * whole(floor_div(size.abs(), lot_price))),
            SizeUnit::TargetValue => {
                exactly(side * whole(floor_div(size.abs(), lot_price)) - listing.holdings.lots)
            }
            SizeUnit::TargetLots => exactly(whole(size) - listing.holdings.lots),
            SizeUnit::Cash => {
                let bound = (order.limit > 0.0).then_some(order.limit);
                let slipped = self.slipped(asset, price, side, side as f64, bound);
                let entry = slipped * (1.0 + listing.terms.spread * side as f64);
                let power = self.buying_power(asset, price) * size.abs();
                let lots = side * self.affordable(asset, power, entry, maker);
                Wanted { lots, as_far_as_it_goes: true }
            }
            SizeUnit::Equity => Wanted { lots: of_equity(), as_far_as_it_goes: true },
            SizeUnit::TargetEquity => {
                Wanted { lots: of_equity() - listing.holdings.lots, as_far_as_it_goes: true }
            }
        }
    }

    /// The price after slippage. What has a bound, a limit, does not slip.
    pub(super) fn slipped(&self, asset: usize, price: f64, lots: i64, side: f64, bound: Option<f64>) -> f64 {
        if bound.is_some() {
            return price;
        }
        let listing = &self.listings[asset];
        let volume = listing.latest.volume[usize::from(side < 0.0)];
        let market = Conditions { volume, range: listing.latest.range() };
        let distance = listing.terms.slippage.distance(listing.terms.units(lots.abs()), price, &market);
        (price + distance.max(0.0) * side).max(0.0)
    }

    /// The price of an entry, which pays the spread, but never more than its limit.
    fn with_spread(&self, asset: usize, price: f64, side: f64, bound: Option<f64>) -> f64 {
        let entry = price * (1.0 + self.listings[asset].terms.spread * side);
        match bound {
            Some(limit) if side > 0.0 => entry.min(limit),
            Some(limit) => entry.max(limit),
            None => entry,
        }
    }

    /// Whether the money pays for so many lots, costs included.
    fn pays(&self, asset: usize, money: f64, lots: i64, price: f64, maker: bool) -> bool {
        let terms = &self.listings[asset].terms;
        terms.units(lots) * price + terms.charge(lots, price, maker, self.traded) <= money
    }

    /// The most lots that the money pays for, if the commission grows with the size.
    fn affordable(&self, asset: usize, money: f64, price: f64, maker: bool) -> i64 {
        let terms = &self.listings[asset].terms;
        let lot_price = price * terms.lot;
        if lot_price <= 0.0 || money < lot_price {
            return 0;
        }
        let without_costs = floor_div(money, lot_price).min(LOTS_MAX) as i64;
        let cost = terms.charge(without_costs, price, maker, self.traded) / without_costs as f64;
        let guess = floor_div(money, lot_price + cost).min(LOTS_MAX) as i64;
        let pays_for = |lots: i64| self.pays(asset, money, lots, price, maker);
        if pays_for(guess) && !pays_for(guess.saturating_add(1)) {
            return guess;
        }
        // A commission that is no share of the size: the bounds meet after 63 steps at most.
        let (mut pays, mut too_many) = (0, without_costs + 1);
        while pays + 1 < too_many {
            let middle = pays + (too_many - pays) / 2;
            if pays_for(middle) { pays = middle } else { too_many = middle }
        }
        pays
    }

    fn close_first(&mut self, asset: usize, mut closing: i64, order: u32, price: f64, maker: bool) {
        while closing > 0 {
            let Some(trade) = self.listings[asset].holdings.trades.front().copied() else { return };
            let lots = trade.lots.abs().min(closing);
            closing -= lots;
            self.close_at(asset, 0, lots * trade.lots.signum(), order, price, maker);
        }
    }

    fn close_trade(&mut self, asset: usize, number: u32, lots: i64, order: u32, price: f64, maker: bool) {
        let trades = &self.listings[asset].holdings.trades;
        if let Some(place) = trades.iter().position(|trade| trade.number == number) {
            let lots = lots.min(trades[place].lots.abs()) * trades[place].lots.signum();
            self.close_at(asset, place, lots, order, price, maker);
        }
    }

    fn close_at(&mut self, asset: usize, place: usize, lots: i64, order: u32, price: f64, maker: bool) {
        let trade = self.listings[asset].holdings.trades[place];
        self.close_lots(asset, place, lots, order, price, maker);
        if lots == trade.lots {
            self.end_where(OrderCause::TradeClosed, |working| {
                working.order.order != order && working.guard.is_some_and(|guard| guard.trade == trade.number)
            });
        }
    }

    fn open(&mut self, place: usize, lots: i64, reached: Reached) {
        let working = self.book[place];
        let (order, asset) = (&working.order, usize::from(working.order.asset));
        let Reached { price, entered, maker, .. } = reached;
        let commission = self.listings[asset].terms.charge(lots, price, maker, self.traded);
        let at = self.at(asset, order.order, price, commission);
        let Self { listings, cash, traded, .. } = self;
        let listing = &mut listings[asset];
        *traded += listing.terms.units(lots.abs()) * price;
        let numbers = (working.opened, self.opened + 1);
        let execution = listing.holdings.open(cash, numbers, lots, listing.terms.lot, at);
        self.events.push(Event::Executed(execution));
        self.book[place].opened = execution.trade;
        if execution.trade == self.opened + 1 {
            self.opened += 1;
            self.protect(&working, execution.trade, lots, price, entered);
        }
    }

    /// Adds the orders that protect a new trade.
    fn protect(&mut self, working: &WorkingOrder, trade: u32, lots: i64, price: f64, entered: Entered) {
        let order = &working.order;
        // A stop that trails is a stop loss even if it has no price of its own yet.
        let trails = order.trail > 0.0 && order.kind != OrderType::TrailingStop;
        let direction = if lots < 0 { -1.0 } else { 1.0 };
        let stop = match order.stop_loss {
            0.0 if trails => price - order.trail * direction,
            stop => stop,
        };
        let index = self.number;
        let guard = |other| Some(Guard { trade, direction, entry: price, index, entered, other });
        let protective = NewOrder {
            group: 0,
            unit: SizeUnit::Lots,
            time_in_force: TimeInForce::GoodTillCancelled,
            reduce_only: true,
            size: -(lots as f64),
            limit: 0.0,
            stop: 0.0,
            trail: 0.0,
            stop_loss: 0.0,
            take_profit: 0.0,
            ..*order
        };
        let waiting = WorkingOrder {
            triggered: None,
            day_ends_ns: None,
            rested: false,
            is_rest: false,
            ended: false,
            // A cancellation on its way to the entry is none of what protects it.
            until_ns: i64::MAX,
            ..*working
        };
        if stop > 0.0 || trails {
            let trail = if trails { order.trail } else { 0.0 };
            let order = NewOrder { order: order.order + 1, kind: OrderType::Stop, stop, trail, ..protective };
            let guard = guard(working.order.take_profit);
            self.book.push(WorkingOrder { order, guard, level: stop, ..waiting });
            self.update(&order, OrderStatus::Working, OrderCause::NotApplicable);
        }
        if order.take_profit > 0.0 {
            let limit = order.take_profit;
            let order = NewOrder { order: order.order + 2, kind: OrderType::Limit, limit, ..protective };
            self.book.push(WorkingOrder { order, guard: guard(stop), level: 0.0, ..waiting });
            self.update(&order, OrderStatus::Working, OrderCause::NotApplicable);
        }
    }

    /// An order was filled, wholly or as far as the volume goes; then the rest of it waits.
    fn filled(&mut self, at: usize, before: i64, asked: i64, lots: i64) {
        let asset = usize::from(self.book[at].order.asset);
        self.listings[asset].take_room(lots > 0, lots.abs());
        if asked == lots {
            self.finish_order(at, OrderStatus::Filled, OrderCause::NotApplicable);
        } else if self.book[at].guard.is_none() && !is_target(&self.book[at].order) {
            let working = &mut self.book[at];
            working.is_rest |= matches!(working.order.unit, SizeUnit::Cash | SizeUnit::Equity);
            (working.order.unit, working.order.size) = (SizeUnit::Lots, (asked - lots) as f64);
        }
        let order = self.book[at].order;
        self.follow(&order, before);
    }

    /// Ends what a fill leaves without a purpose.
    fn follow(&mut self, order: &NewOrder, before: i64) {
        let listing = &self.listings[usize::from(order.asset)];
        let (now, bar_before) = (listing.holdings.lots, listing.before);
        if let Some(group) = group_of(order) {
            // Itself it waits for the rest, if it was filled in part.
            let number = order.order;
            self.end_where(OrderCause::OtherFilled, |working| {
                group_of(&working.order) == Some(group) && working.order.order != number
            });
        }
        if before != 0 && (now == 0 || (now < 0) != (before < 0)) {
            // Those that came with the order that has closed it may be meant for the position that comes
            // next.
            let asset = order.asset;
            self.end_where(OrderCause::TradeClosed, |working| {
                let left_over = working.order.reduce_only && working.guard.is_none();
                left_over && working.order.asset == asset && working.order.after < bar_before
            });
        }
    }

    fn refuse(&mut self, at: usize, status: OrderStatus, cause: OrderCause, money: f64, price: f64) {
        self.book[at].ended = true;
        let order = self.book[at].order;
        let price = price * self.listings[usize::from(order.asset)].terms.lot;
        self.update_with_money(&order, status, cause, money, price);
    }

    /// A trade is being closed by what protects it: the rest of its entry has no purpose any more.
    pub(super) fn end_entry(&mut self, trade: u32) {
        self.end_where(OrderCause::TradeClosed, |working| working.guard.is_none() && working.opened == trade);
    }

    /// Cancels the working orders that `which` names.
    fn end_where(&mut self, cause: OrderCause, which: impl Fn(&WorkingOrder) -> bool) {
        let Self { book, events, listings, .. } = self;
        for working in book.iter_mut().filter(|working| !working.ended) {
            if which(working) {
                working.ended = true;
                let (order, status) = (working.order.order, OrderStatus::Cancelled);
                let index = listings[usize::from(working.order.asset)].latest.number;
                events.push(Event::Update(OrderUpdate {
                    order,
                    index,
                    status,
                    cause,
                    money: 0.0,
                    price: 0.0,
                }));
            }
        }
    }
}

/// The number of the first order of its group.
fn group_of(order: &NewOrder) -> Option<u32> {
    let before = u32::from(order.group.checked_sub(1)?) * NUMBERS_OF_AN_ORDER;
    Some(order.order.wrapping_sub(before))
}

/// The lots that an order may trade beside a position: one that only reduces closes no more than there is,
/// and one for a target trades on the side whose price it was given.
fn within_purpose(working: &WorkingOrder, buy: bool, position: i64, lots: i64) -> i64 {
    let order = &working.order;
    if is_target(order) && (lots > 0) != buy {
        // Too much for the one side, and too little for the other.
        0
    } else if !order.reduce_only || working.guard.is_some() {
        lots
    } else if lots > 0 {
        lots.min((-position).max(0))
    } else {
        lots.max((-position).min(0))
    }
}

fn is_target(order: &NewOrder) -> bool {
    matches!(order.unit, SizeUnit::TargetLots | SizeUnit::TargetEquity | SizeUnit::TargetValue)
}
