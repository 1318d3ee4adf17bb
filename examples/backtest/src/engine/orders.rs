//! From an order that was reached to executions: how many lots, at which price, and what follows for other
//! orders.

use super::book::{Entered, Guard, WorkingOrder};
use super::models::Market;
use super::position::Holdings;
use super::{Engine, Event};
use crate::account::floor_div;
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
    let target = matches!(order.unit, SizeUnit::TargetLots | SizeUnit::TargetEquity);
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

/// Whether the order buys as the account stands.
pub(super) fn buys(order: &NewOrder, holdings: &Holdings, market: &Market, price: f64) -> bool {
    match order.unit {
        SizeUnit::TargetLots => order.size > holdings.lots as f64,
        SizeUnit::TargetEquity => {
            order.size * holdings.equity(market, price) > market.units(holdings.lots) * price
        }
        _ => order.size > 0.0,
    }
}

/// The lots that an order trades.
struct Wanted {
    lots: i64,
    /// Whether fewer will do, if the money is short.
    as_far_as_it_goes: bool,
}

impl Engine {
    /// Fills an order at a price of the market. `bound` is its limit.
    pub(super) fn fill(&mut self, at: usize, market_price: f64, bound: Option<f64>, entered: Entered) {
        let working = self.book[at];
        let order = &working.order;
        let before = self.holdings.lots;
        let Wanted { mut lots, as_far_as_it_goes } = self.wanted(&working, market_price);
        if order.reduce_only && working.guard.is_none() {
            lots = if lots > 0 { lots.min((-before).max(0)) } else { lots.max((-before).min(0)) };
            if lots == 0 {
                return self.finish(at, OrderStatus::Cancelled, OrderCause::NothingToReduce);
            }
        }
        let side = if lots < 0 { -1.0 } else { 1.0 };
        let exit_price = self.slipped(market_price, lots, side, bound);
        let mut entry_price = exit_price * (1.0 + self.market.spread * side);
        if let Some(limit) = bound {
            entry_price = if side > 0.0 { entry_price.min(limit) } else { entry_price.max(limit) };
        }
        if let Some(guard) = working.guard {
            self.close_trade(guard.trade, order.order, exit_price);
            return self.filled(at, before);
        }
        let closing = if (before < 0) == (lots < 0) { 0 } else { lots.abs().min(before.abs()) };
        let mut need = lots.abs() - closing;
        if order.time_in_force == TimeInForce::FillOrKill && !as_far_as_it_goes && need > 0 {
            // Seen before anything is closed: all of it or nothing.
            let power = self.power_without(closing, market_price);
            if !self.pays(power, need, entry_price) {
                return self.refuse(
                    at,
                    OrderStatus::Cancelled,
                    OrderCause::NotEnoughCash,
                    power,
                    entry_price,
                );
            }
        }
        self.close_first(closing, order.order, exit_price);
        if need > 0 {
            let power = self.holdings.buying_power(&self.market, market_price);
            if as_far_as_it_goes {
                need = need.min(self.affordable(power, entry_price));
            }
            if need == 0 || !self.pays(power, need, entry_price) {
                let cause =
                    if need == 0 || lots == 0 { OrderCause::NoLot } else { OrderCause::NotEnoughCash };
                if as_far_as_it_goes && closing > 0 {
                    return self.filled(at, before);
                }
                self.refuse(at, OrderStatus::Cancelled, cause, power, entry_price);
                // What it has closed is closed.
                if closing > 0 {
                    self.follow(&working.order, before);
                }
                return;
            }
            self.open(&working, need * side as i64, entry_price, entered);
        } else if lots == 0 && !is_target(order) {
            let power = self.holdings.buying_power(&self.market, market_price);
            return self.refuse(at, OrderStatus::Cancelled, OrderCause::NoLot, power, entry_price);
        }
        self.filled(at, before);
    }

    fn wanted(&self, working: &WorkingOrder, price: f64) -> Wanted {
        let order = &working.order;
        let (size, market, holdings) = (order.size, &self.market, &self.holdings);
        let lot_price = price * market.lot;
        let side = if size < 0.0 { -1 } else { 1 };
        let whole = |lots: f64| lots as i64;
        let exactly = |lots: i64| Wanted { lots, as_far_as_it_goes: false };
        if let Some(guard) = working.guard {
            let trade = self.holdings.trades.iter().find(|trade| trade.number == guard.trade);
            return exactly(trade.map_or(0, |trade| -trade.lots));
        }
        match order.unit {
            SizeUnit::Lots => exactly(whole(size)),
            SizeUnit::Value => exactly(side * whole(floor_div(size.abs(), lot_price))),
            SizeUnit::TargetLots => exactly(whole(size) - holdings.lots),
            SizeUnit::Cash => {
                let slipped =
                    self.slipped(price, side, side as f64, (order.limit > 0.0).then_some(order.limit));
                let entry = slipped * (1.0 + market.spread * side as f64);
                let power = holdings.buying_power(market, price) * size.abs();
                Wanted { lots: side * self.affordable(power, entry), as_far_as_it_goes: true }
            }
            SizeUnit::Equity => {
                let value = holdings.equity(market, price).max(0.0) * size.abs();
                Wanted { lots: side * whole(floor_div(value, lot_price)), as_far_as_it_goes: true }
            }
            SizeUnit::TargetEquity => {
                let value = holdings.equity(market, price).max(0.0) * size.abs();
                let target = side * whole(floor_div(value, lot_price));
                Wanted { lots: target - holdings.lots, as_far_as_it_goes: true }
            }
        }
    }

    /// The price after slippage. What has a bound, a limit, does not slip.
    fn slipped(&self, price: f64, lots: i64, side: f64, bound: Option<f64>) -> f64 {
        if bound.is_some() {
            return price;
        }
        let distance = self.market.slippage.distance(self.market.units(lots.abs()), price);
        (price + distance.max(0.0) * side).max(0.0)
    }

    /// Whether the money pays for so many lots, costs included.
    fn pays(&self, money: f64, lots: i64, price: f64) -> bool {
        self.market.units(lots) * price + self.market.charge(lots, price) <= money
    }

    /// The most lots that the money pays for, if the commission grows with the size.
    fn affordable(&self, money: f64, price: f64) -> i64 {
        let lot_price = price * self.market.lot;
        if lot_price <= 0.0 || money < lot_price {
            return 0;
        }
        let without_costs = floor_div(money, lot_price) as i64;
        let cost = self.market.charge(without_costs, price) / without_costs as f64;
        let guess = floor_div(money, lot_price + cost) as i64;
        if self.pays(money, guess, price) && !self.pays(money, guess + 1, price) {
            return guess;
        }
        // A commission that is no share of the size: the bounds meet after 63 steps at most.
        let (mut pays, mut too_many) = (0, without_costs + 1);
        while pays + 1 < too_many {
            let middle = pays + (too_many - pays) / 2;
            if self.pays(money, middle, price) { pays = middle } else { too_many = middle }
        }
        pays
    }

    /// What could be bought for after `closing` lots of the position were closed at the price.
    fn power_without(&self, closing: i64, price: f64) -> f64 {
        let left = self.market.units(self.holdings.lots.abs() - closing) * price / self.market.leverage;
        (self.equity(price) - left).max(0.0) * self.market.leverage
    }

    fn close_first(&mut self, mut closing: i64, order: u32, price: f64) {
        while closing > 0 {
            let Some(trade) = self.holdings.trades.front().copied() else { return };
            let lots = trade.lots.abs().min(closing);
            closing -= lots;
            self.close_at(0, lots * trade.lots.signum(), order, price);
        }
    }

    fn close_trade(&mut self, number: u32, order: u32, price: f64) {
        if let Some(place) = self.holdings.trades.iter().position(|trade| trade.number == number) {
            self.close_at(place, self.holdings.trades[place].lots, order, price);
        }
    }

    fn close_at(&mut self, place: usize, lots: i64, order: u32, price: f64) {
        let trade = self.holdings.trades[place];
        let execution = self.holdings.close(&self.market, place, lots, self.at(order, price));
        self.events.push(Event::Executed(execution));
        if lots == trade.lots {
            self.end_where(OrderCause::TradeClosed, |working| {
                working.order.order != order && working.guard.is_some_and(|guard| guard.trade == trade.number)
            });
        }
    }

    fn open(&mut self, working: &WorkingOrder, lots: i64, price: f64, entered: Entered) {
        let order = &working.order;
        let execution = self.holdings.open(&self.market, lots, self.at(order.order, price));
        self.events.push(Event::Executed(execution));
        // A stop that trails is a stop loss even if it has no price of its own yet.
        let trails = order.trail > 0.0 && order.kind != OrderType::TrailingStop;
        let direction = if lots < 0 { -1.0 } else { 1.0 };
        let stop = match order.stop_loss {
            0.0 if trails => price - order.trail * direction,
            stop => stop,
        };
        let (trade, index) = (execution.trade, self.latest.index);
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
        let (triggered, day, ended) = (None, None, false);
        if stop > 0.0 || trails {
            let trail = if trails { order.trail } else { 0.0 };
            let order = NewOrder { order: order.order + 1, kind: OrderType::Stop, stop, trail, ..protective };
            let guard = guard(working.order.take_profit);
            self.book.push(WorkingOrder { order, guard, level: stop, triggered, day, ended });
            self.update(order.order, OrderStatus::Working, OrderCause::NotApplicable);
        }
        if order.take_profit > 0.0 {
            let limit = order.take_profit;
            let order = NewOrder { order: order.order + 2, kind: OrderType::Limit, limit, ..protective };
            self.book.push(WorkingOrder { order, guard: guard(stop), level: 0.0, triggered, day, ended });
            self.update(order.order, OrderStatus::Working, OrderCause::NotApplicable);
        }
    }

    /// An order was filled.
    fn filled(&mut self, at: usize, before: i64) {
        self.finish(at, OrderStatus::Filled, OrderCause::NotApplicable);
        let order = self.book[at].order;
        self.follow(&order, before);
    }

    /// Ends what a fill leaves without a purpose.
    fn follow(&mut self, order: &NewOrder, before: i64) {
        let now = self.holdings.lots;
        if order.group != 0 {
            self.end_where(OrderCause::OtherFilled, |working| working.order.group == order.group);
        }
        if before != 0 && (now == 0 || (now < 0) != (before < 0)) {
            // Those that came with the order that has closed it may be meant for the position that comes
            // next.
            let index = self.latest.index;
            self.end_where(OrderCause::TradeClosed, |working| {
                working.order.reduce_only && working.guard.is_none() && working.order.after + 1 < index
            });
        }
    }

    fn refuse(&mut self, at: usize, status: OrderStatus, cause: OrderCause, money: f64, price: f64) {
        self.book[at].ended = true;
        let order = self.book[at].order.order;
        let price = price * self.market.lot;
        self.update_with_money(order, status, cause, money, price);
    }

    /// Cancels the working orders that `which` names.
    fn end_where(&mut self, cause: OrderCause, which: impl Fn(&WorkingOrder) -> bool) {
        let index = self.latest.index;
        let Self { book, events, .. } = self;
        for working in book.iter_mut().filter(|working| !working.ended) {
            if which(working) {
                working.ended = true;
                let (order, status) = (working.order.order, OrderStatus::Cancelled);
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

fn is_target(order: &NewOrder) -> bool {
    matches!(order.unit, SizeUnit::TargetLots | SizeUnit::TargetEquity)
}
