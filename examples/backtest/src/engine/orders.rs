//! From an order that was reached to executions: how many lots, at which price, and what follows for other
//! orders.

use super::book::{Entered, Guard, PositionEntry, Reached, WorkingOrder};
use super::costs::Conditions;
use super::{Engine, Event, NUMBERS_OF_AN_ORDER};
use crate::account::floor_div;
use crate::limits::LOTS_MAX;
use crate::messages::{NewOrder, OrderCause, OrderStatus, OrderType, OrderUpdate, SizeUnit, TimeInForce};

/// Whether each is a price, or zero for none. The bits of what is below zero, infinite or no number are
/// above those of every price, so that one comparison tells of all. The sum makes a zero of one below zero.
#[inline]
pub(crate) fn are_prices<const N: usize>(prices: &[f64; N]) -> bool {
    // Most orders have none.
    if prices.iter().fold(0, |all, price| all | price.to_bits()) == 0 {
        return true;
    }
    let largest = prices.iter().fold(0, |largest, price| (price + 0.0).to_bits().max(largest));
    largest < f64::INFINITY.to_bits()
}

/// What is wrong with an order, apart from the account. `price` is the latest close.
pub(super) fn fault(order: &NewOrder, price: f64) -> Option<OrderCause> {
    let prices = [order.limit, order.stop, order.trail, order.stop_loss, order.take_profit];
    let needed = match order.kind {
        OrderType::Market => true,
        OrderType::Limit => order.limit > 0.0,
        OrderType::Stop => order.stop > 0.0,
        OrderType::StopLimit => order.limit > 0.0 && order.stop > 0.0,
        OrderType::TrailingStop => order.trail > 0.0 && order.limit == 0.0,
    };
    if !needed || !are_prices(&prices) {
        return Some(OrderCause::BadPrice);
    }
    let target = is_target(order);
    if !order.size.is_finite() || order.size == 0.0 && !target {
        return Some(OrderCause::BadSize);
    }
    if target || order.stop_loss == 0.0 && order.take_profit == 0.0 {
        return None;
    }
    // Where it will be entered, as far as anybody knows: the loss must be behind and the profit ahead.
    let entry = [order.limit, order.stop, price].into_iter().find(|price| *price > 0.0).unwrap_or(0.0);
    let side = order.size.signum();
    let ahead = |from: f64, to: f64| from == 0.0 || to == 0.0 || (to - from) * side > 0.0;
    let in_sequence = ahead(order.stop_loss, entry) && ahead(entry, order.take_profit);
    (!in_sequence).then_some(OrderCause::BadPrice)
}

/// What a fill is charged: once, however many trades it closes, and whether or not it opens one.
#[derive(Clone, Copy)]
struct Charging {
    asset: usize,
    maker: bool,
    /// Value that the account had traded before.
    traded: f64,
    /// Lots that it closes, and at which price.
    closing: i64,
    exit_price: f64,
}

impl Charging {
    /// For an order that has closed nothing.
    fn of(asset: usize, maker: bool, traded: f64) -> Self {
        Self { asset, maker, traded, closing: 0, exit_price: 0.0 }
    }

    fn for_closing(&self, engine: &Engine) -> f64 {
        engine.commission(self.asset, self.closing, self.exit_price, self.maker, self.traded)
    }

    /// By how much the charge grows with lots that it opens.
    fn for_opening(&self, engine: &Engine, lots: i64, price: f64) -> f64 {
        let lots = lots.abs();
        if self.closing == 0 || lots == 0 {
            return engine.commission(self.asset, lots, price, self.maker, self.traded);
        }
        let all = self.closing.saturating_add(lots);
        let mean = (self.closing as f64 * self.exit_price + lots as f64 * price) / all as f64;
        engine.commission(self.asset, all, mean, self.maker, self.traded) - self.for_closing(engine)
    }
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
                order.size * self.equity_to_share(asset, price) > value
            }
            SizeUnit::TargetValue => order.size > self.listings[asset].terms.units(lots) * price,
            _ => order.size > 0.0,
        }
    }

    /// Fills an order at a price of the market, which is that of the side.
    pub(super) fn fill(&mut self, at: usize, buy: bool, reached: Reached) {
        let working = &self.book[at];
        let (order, guard, asset) = (working.order, working.guard, usize::from(working.order.asset));
        // A share of what can be bought for is whole, however much that is.
        let is_share = order.unit == SizeUnit::Cash || working.is_rest;
        let Reached { price: market_price, bound, maker, .. } = reached;
        let before = self.listings[asset].holdings.lots;
        let Wanted { lots, as_far_as_it_goes } = self.wanted(working, market_price, maker);
        let lots = within_purpose(working, buy, before, lots);
        if lots == 0 && order.reduce_only && guard.is_none() {
            return self.finish_order(at, OrderStatus::Cancelled, OrderCause::NothingToReduce);
        }
        let side = if lots < 0 { -1.0 } else { 1.0 };
        let mut asked = lots;
        let Some(lots) = self.within_room(at, asset, lots) else { return };
        let exit_price = self.slipped(asset, market_price, lots, side, bound);
        let entry_price = self.with_spread(asset, exit_price, side, bound);
        let rate = Charging::of(asset, maker, self.traded);
        if let Some(guard) = guard {
            self.close_trade(rate, guard.trade, lots.abs(), order.order, exit_price);
            self.end_entry(guard.trade);
            return self.filled(at, before, asked, lots);
        }
        let closing = if (before < 0) == (lots < 0) { 0 } else { lots.abs().min(before.abs()) };
        let mut need = lots.abs() - closing;
        let whole = order.time_in_force == TimeInForce::FillOrKill;
        if need > 0 && (self.closing || closing > 0 && !self.reaches_with_spread(asset, &reached, side)) {
            // Exits pay no spread, so the limit was reached for what closes alone, and the rest waits. When
            // the run is over, the rest expires.
            if whole {
                return self.finish_order(at, OrderStatus::Expired, OrderCause::TimeInForce);
            }
            if closing == 0 {
                return;
            }
            need = 0;
        }
        let rate = Charging { closing, exit_price, ..rate };
        if whole && need > 0 && !is_share {
            // Seen before anything is closed: all of it or nothing.
            let power = self.power_behind(&rate, market_price, side);
            if !self.pays(&rate, power, need, entry_price) {
                let cause = OrderCause::NotEnoughCash;
                return self.refuse(at, OrderStatus::Cancelled, cause, power, entry_price);
            }
        }
        self.close_first(&rate, order.order);
        let closed = closing * side as i64;
        if need > 0 {
            let power = self.buying_power(asset, market_price, side);
            if as_far_as_it_goes {
                let affordable = self.affordable(&rate, power, entry_price);
                if affordable < need {
                    // That is all of it.
                    need = affordable;
                    asked = closed + need * side as i64;
                }
            }
            if need == 0 || !self.pays(&rate, power, need, entry_price) {
                if as_far_as_it_goes && closed != 0 {
                    return self.filled(at, before, closed, closed);
                }
                let cause = if need == 0 { OrderCause::NoLot } else { OrderCause::NotEnoughCash };
                self.refuse(at, OrderStatus::Cancelled, cause, power, entry_price);
                return self.keep_closed(at, before, closed);
            }
            self.open(at, need * side as i64, Reached { price: entry_price, ..reached }, &rate);
        } else if lots == 0 && !is_target(&order) {
            let power = self.buying_power(asset, market_price, side);
            return self.refuse(at, OrderStatus::Cancelled, OrderCause::NoLot, power, entry_price);
        }
        self.filled(at, before, asked, closed + need * side as i64);
    }

    /// The lots that an order would trade at a price, of either sign.
    pub(super) fn lots_wanted(&self, at: usize, buy: bool, price: f64) -> i64 {
        let working = &self.book[at];
        let held = self.listings[usize::from(working.order.asset)].holdings.lots;
        within_purpose(working, buy, held, self.wanted(working, price, false).lots)
    }

    /// Whether an order for a share of the money has a rest that the money buys no lot of.
    pub(super) fn is_used_up(&self, at: usize, price: f64) -> bool {
        let WorkingOrder { order, is_rest, .. } = &self.book[at];
        let (asset, side) = (usize::from(order.asset), order.size.signum());
        if !is_rest || self.listings[asset].holdings.lots as f64 * side < 0.0 {
            return false;
        }
        let bound = (order.limit > 0.0).then_some(order.limit);
        let slipped = self.slipped(asset, price, side as i64, side, bound);
        let entry = self.with_spread(asset, slipped, side, bound);
        let rate = Charging::of(asset, false, self.traded);
        self.affordable(&rate, self.buying_power(asset, price, side), entry) == 0
    }

    /// As many of the lots as the volume has left. Without any the order waits, and one that is to be filled
    /// whole ends.
    fn within_room(&mut self, at: usize, asset: usize, lots: i64) -> Option<i64> {
        let room = self.listings[asset].room(lots > 0);
        if lots.abs() <= room {
            return Some(lots);
        }
        if self.book[at].order.time_in_force == TimeInForce::FillOrKill {
            self.finish_order(at, OrderStatus::Expired, OrderCause::TimeInForce);
            return None;
        }
        (room != 0).then_some(room * lots.signum())
    }

    /// What could be bought for behind what a fill closes, with all that the closing costs.
    fn power_behind(&self, rate: &Charging, market_price: f64, side: f64) -> f64 {
        let Charging { asset, closing, exit_price, .. } = *rate;
        let terms = &self.listings[asset].terms;
        let slipped = terms.units(closing) * (market_price - exit_price).abs();
        self.power_without(asset, closing, market_price, side, rate.for_closing(self) + slipped)
    }

    /// Whether an entry could be filled at the limit of the order, which is reached without the spread.
    fn reaches_with_spread(&self, asset: usize, reached: &Reached, side: f64) -> bool {
        let entry = reached.best * (1.0 + self.listings[asset].spread * side);
        reached.passed || reached.bound.is_none_or(|limit| (limit - entry) * side >= 0.0)
    }

    /// Lots that an order has closed before it was refused are closed.
    fn keep_closed(&mut self, at: usize, before: i64, lots: i64) {
        if lots != 0 {
            let asset = usize::from(self.book[at].order.asset);
            self.listings[asset].take_room(lots > 0, lots.abs());
            self.follow(at, before);
        }
    }

    fn wanted(&self, working: &WorkingOrder, price: f64, maker: bool) -> Wanted {
        let (order, asset) = (&working.order, usize::from(working.order.asset));
        let (size, listing) = (order.size, &self.listings[asset]);
        let side = if size < 0.0 { -1 } else { 1 };
        let whole = |lots: f64| lots.clamp(-LOTS_MAX, LOTS_MAX) as i64;
        let for_value = |value: f64| {
            let lots = whole(floor_div(value, price * listing.terms.lot));
            // A thousandth is a little more than that as a float, and a thousand of them are one.
            let one_more = listing.terms.units(lots.saturating_add(1)) * price <= value;
            side * (lots + i64::from(one_more))
        };
        let exactly = |lots: i64| Wanted { lots, as_far_as_it_goes: false };
        let of_equity = || for_value(self.equity_to_share(asset, price).max(0.0) * size.abs());
        if let Some(guard) = working.guard {
            let trade = listing.holdings.trades.iter().find(|trade| trade.number == guard.trade);
            return exactly(trade.map_or(0, |trade| -trade.lots));
        }
        match order.unit {
            SizeUnit::Lots => Wanted { lots: whole(size), as_far_as_it_goes: working.is_rest },
            SizeUnit::Value => exactly(for_value(size.abs())),
            SizeUnit::TargetValue => exactly(for_value(size.abs()) - listing.holdings.lots),
            SizeUnit::TargetLots => exactly(whole(size) - listing.holdings.lots),
            SizeUnit::Cash => {
                let bound = (order.limit > 0.0).then_some(order.limit);
                let slipped = self.slipped(asset, price, side, side as f64, bound);
                let entry = slipped * (1.0 + listing.spread * side as f64);
                let power = self.buying_power(asset, price, side as f64) * size.abs();
                let rate = Charging::of(asset, maker, self.traded);
                let lots = side * self.affordable(&rate, power, entry);
                Wanted { lots, as_far_as_it_goes: true }
            }
            SizeUnit::Equity => Wanted { lots: of_equity(), as_far_as_it_goes: true },
            SizeUnit::TargetEquity => {
                Wanted { lots: of_equity() - listing.holdings.lots, as_far_as_it_goes: true }
            }
        }
    }

    /// The price after slippage. An order with a bound, a limit, does not slip.
    pub(super) fn slipped(&self, asset: usize, price: f64, lots: i64, side: f64, bound: Option<f64>) -> f64 {
        if bound.is_some() {
            return price;
        }
        let listing = &self.listings[asset];
        let volume = listing.latest.volume[usize::from(side < 0.0)];
        let market = Conditions { volume, range: listing.latest.range() };
        (price + self.distance(asset, lots, price, &market) * side).max(0.0)
    }

    /// The price of an entry, which pays the spread, but never more than its limit.
    fn with_spread(&self, asset: usize, price: f64, side: f64, bound: Option<f64>) -> f64 {
        let entry = price * (1.0 + self.listings[asset].spread * side);
        match bound {
            Some(limit) if side > 0.0 => entry.min(limit),
            Some(limit) => entry.max(limit),
            None => entry,
        }
    }

    /// Whether the money pays for so many lots, costs included.
    fn pays(&self, rate: &Charging, money: f64, lots: i64, price: f64) -> bool {
        let terms = &self.listings[rate.asset].terms;
        terms.units(lots) * price + rate.for_opening(self, lots, price) <= money
    }

    /// The most lots that the money pays for, if the commission grows with the size.
    fn affordable(&self, rate: &Charging, money: f64, price: f64) -> i64 {
        let terms = &self.listings[rate.asset].terms;
        let lot_price = price * terms.lot;
        if lot_price <= 0.0 || money < lot_price {
            return 0;
        }
        let without_costs = floor_div(money, lot_price).min(LOTS_MAX) as i64;
        let cost = rate.for_opening(self, without_costs, price) / without_costs as f64;
        let guess = floor_div(money, lot_price + cost).min(LOTS_MAX) as i64;
        let pays_for = |lots: i64| self.pays(rate, money, lots, price);
        if pays_for(guess) && !pays_for(guess.saturating_add(1)) {
            return guess;
        }
        // A commission that is no share of the size: the bounds meet after 63 steps at most. The quotient may
        // be one too few, where it is whole but for its rounding.
        let (mut pays, mut too_many) = (0, without_costs.saturating_add(2));
        while pays + 1 < too_many {
            let middle = pays + (too_many - pays) / 2;
            if pays_for(middle) { pays = middle } else { too_many = middle }
        }
        pays
    }

    /// Closes trades, the first first. Each bears its share of the charge.
    fn close_first(&mut self, rate: &Charging, order: u32) {
        let Charging { asset, closing, exit_price, .. } = *rate;
        let charge = rate.for_closing(self);
        let borne_by = |closed: i64| charge * (closed as f64 / closing as f64);
        let mut closed = 0;
        while closed < closing {
            let Some(trade) = self.listings[asset].holdings.trades.front().copied() else { return };
            let lots = trade.lots.abs().min(closing - closed);
            let commission = borne_by(closed + lots) - borne_by(closed);
            closed += lots;
            self.close_at(asset, 0, lots * trade.lots.signum(), order, exit_price, commission);
        }
    }

    fn close_trade(&mut self, rate: Charging, number: u32, lots: i64, order: u32, price: f64) {
        let holdings = &self.listings[rate.asset].holdings;
        if let Some(place) = holdings.trades.iter().position(|trade| trade.number == number) {
            let trade = &holdings.trades[place];
            let closing = lots.min(trade.lots.abs());
            let lots = closing * trade.lots.signum();
            let commission = Charging { closing, exit_price: price, ..rate }.for_closing(self);
            self.close_at(rate.asset, place, lots, order, price, commission);
        }
    }

    fn close_at(&mut self, asset: usize, place: usize, lots: i64, order: u32, price: f64, commission: f64) {
        let trade = self.listings[asset].holdings.trades[place];
        self.close_lots(asset, place, lots, order, price, commission);
        if lots == trade.lots {
            // What protects it, and what is left of its entry.
            self.end_where(OrderCause::TradeClosed, |working| {
                let of_it = working.guard.map_or(working.opened, |guard| guard.trade) == trade.number;
                of_it && working.order.order != order
            });
        }
    }

    /// Closes all trades of an asset in one fill, at the market: it slips.
    pub(super) fn close_slipped(&mut self, asset: usize, market_price: f64) {
        let lots = self.listings[asset].holdings.lots;
        if lots == 0 {
            return;
        }
        let side = if lots < 0 { 1.0 } else { -1.0 };
        let market_price = self.swept(asset, -lots, market_price);
        let price = self.slipped(asset, market_price, lots, side, None);
        let closing = lots.abs();
        let rate = Charging { closing, exit_price: price, ..Charging::of(asset, false, self.traded) };
        self.close_first(&rate, 0);
        // It is filled whatever the volume, and leaves less of it for orders.
        self.listings[asset].take_room(lots < 0, closing);
    }

    fn open(&mut self, place: usize, lots: i64, reached: Reached, rate: &Charging) {
        let WorkingOrder { order: NewOrder { order, asset, .. }, opened, .. } = self.book[place];
        let asset = usize::from(asset);
        let Reached { price, entered, .. } = reached;
        let commission = rate.for_opening(self, lots, price);
        let at = self.at(asset, order, price, commission);
        let Self { listings, cash, traded, .. } = self;
        let listing = &mut listings[asset];
        *traded += listing.terms.units(lots.abs()) * price;
        if listing.holdings.lots == 0 {
            listing.entry = Some(PositionEntry { index: self.number, entered, price });
        }
        let numbers = (opened, self.opened + 1);
        let execution = listing.holdings.open(cash, numbers, lots, listing.terms.lot, at);
        self.events.push(Event::Executed(execution));
        self.book[place].opened = execution.trade;
        if execution.trade == self.opened + 1 {
            self.opened += 1;
            self.protect(place, execution.trade, lots, price, entered);
        }
    }

    /// Adds the orders that protect a new trade.
    fn protect(&mut self, place: usize, trade: u32, lots: i64, price: f64, entered: Entered) {
        let NewOrder { trail, stop_loss, take_profit, .. } = self.book[place].order;
        if trail == 0.0 && stop_loss == 0.0 && take_profit == 0.0 {
            return;
        }
        let working = self.book[place];
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
            queue: None,
            is_rest: false,
            ended: false,
            // A cancellation on its way to the entry is none of what protects it.
            until_ns: i64::MAX,
            ..working
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
        self.follow(at, before);
    }

    /// Ends what a fill leaves without a purpose.
    fn follow(&mut self, at: usize, before: i64) {
        let WorkingOrder { order, guard, .. } = self.book[at];
        let now = self.listings[usize::from(order.asset)].holdings.lots;
        if let Some(group) = group_of(&order) {
            // Itself it waits for the rest, if it was filled in part.
            let number = order.order;
            self.end_where(OrderCause::OtherFilled, |working| {
                group_of(&working.order) == Some(group) && working.order.order != number
            });
        }
        if before != 0 && (now == 0 || (now < 0) != (before < 0)) {
            // Those that came with the market order that has closed it may be meant for the position that
            // comes next. An order that has waited for its price was an exit, and so are those beside it.
            let at_market = order.kind == OrderType::Market && guard.is_none();
            self.end_where(OrderCause::TradeClosed, |working| {
                let against = (working.order.size < 0.0) == (before > 0);
                let beside = at_market && working.order.after == order.after;
                against && working.only_reduces() && working.order.asset == order.asset && !beside
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_finite_and_not_below_zero() {
        for price in [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, 1.0, f64::MAX] {
            assert!(are_prices(&[1.0, price, 2.0]), "{price}");
        }
        for price in [-5e-324, -1.0, f64::MIN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN] {
            assert!(!are_prices(&[1.0, price, 2.0]), "{price}");
        }
    }
}
