//! The exchange simulator's decisions: orders, bars, quotes and ticks in, executions and updates out. No
//! clock, no IO.
//!
//! # Rules
//! - An order decided on event `i` is filled on later events of its asset alone, and on no bar that began
//!   before the order could be there. A cancellation undoes nothing in a bar that began before it.
//! - A bar is passed in steps: its open first, for market orders and for stops and limits that the open has
//!   gone beyond, all of which are filled *at the open*; then what its high and low reach. [`Intrabar`] says
//!   in which sequence. Within a step, orders are taken in the sequence in which they were sent.
//! - Of a quote, buyers meet the ask and sellers the bid; of a tick, both its price. A limit that has
//!   waited is filled at its limit: by quotes when the other side comes to it, by ticks when one goes
//!   beyond it.
//! - A limit is filled at the limit or better, whatever the spread. Stops and market orders slip.
//! - The position in an asset is netted. What goes against it closes trades, first in first out, and opens
//!   with what is left. All assets share the cash; what can be bought for follows from the equity. Money that
//!   was freed after a bar began pays for no fill of that bar.
//! - A protective order belongs to the trade that its order has opened, closes what is left of it, and ends
//!   with it.
//! - A reduce-only order never opens, and ends when the position that it has been working against is closed.
//! - An account whose equity at a close is not above zero is liquidated, and trades no more; what it owes
//!   when it is flat is written off. With a maintenance margin all positions are closed, with costs, when the
//!   equity falls below it.
//! - An order is filled by what begins within the session of its asset. What comes outside of it is seen, and
//!   the account is valued and looked at by it. A day order works for the session in which it could be filled
//!   first.
//! - A position pays for the time from the begin of the event of its entry to that of its exit.
//!
//! A bar costs the same whatever has been traded; without working orders and without a position that could be
//! ruined or pays for the time it is only remembered.

mod account;
mod book;
mod carry;
mod costs;
mod models;
mod orders;
mod passing;
mod position;
mod session;

pub use self::costs::{
    Commission, Conditions, Filling, Fixed, MakerTaker, PerUnit, RangeShare, Share, Slippage, Tiers,
    VolumeShare,
};
pub use self::models::{AssetTerms, AtEnd, Funding, FundingEvery, Intrabar, Market, MarketError};
pub use self::session::{Session, SessionError, SessionHours};
pub use crate::config::FillAt;

use self::account::Listing;
use self::book::{Entered, Pass, Reached, Touch, WorkingOrder};
use self::carry::Carry;
use self::passing::{Kind, Passing};
use crate::limits::ORDERS_WORKING_MAX;
use crate::messages::{
    Bar, BarDone, CancelOrder, Charge, Execution, NewOrder, OrderCause, OrderStatus, OrderType, OrderUpdate,
    TimeInForce, Timestamp,
};
use crate::tape::MarketData;

/// Numbers that one order takes: its own, and those of its stop loss and its take profit.
pub(crate) const NUMBERS_OF_AN_ORDER: u32 = 3;

/// What the engine tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Of an order.
    Update(OrderUpdate),
    /// Of a trade.
    Executed(Execution),
    /// Of money for the time.
    Charged(Charge),
}

/// One account on one or several assets.
#[derive(Clone, Debug)]
pub struct Engine {
    market: Market,
    cash: f64,
    /// Value traded so far.
    traded: f64,
    /// Trades opened so far.
    opened: u32,
    listings: Vec<Listing>,
    book: Vec<WorkingOrder>,
    events: Vec<Event>,
    carry: Carry,
    /// Number of the latest event.
    number: u32,
    /// Assets that have passed an event since the latest moment was over.
    touched: Vec<u16>,
    /// Instructions heard.
    heard: u32,
    /// Whether some of them came after the bar that was last told of.
    told: bool,
    attentive: bool,
    /// Whether each event has its [`BarDone`].
    always: bool,
    ruined: bool,
    /// What can be bought for now and could not when the event at hand began.
    late: f64,
}

impl Engine {
    /// A flat account with the cash of the market's terms, on one asset.
    #[must_use]
    pub fn new(market: Market) -> Self {
        let terms = market.asset_terms();
        Self::on(market, vec![terms])
    }

    /// A flat account on assets with these terms; their numbers are their places.
    #[must_use]
    pub fn on(market: Market, assets: Vec<AssetTerms>) -> Self {
        Self {
            cash: market.cash,
            carry: Carry::new(market.has_carry()),
            market,
            traded: 0.0,
            opened: 0,
            listings: assets.into_iter().map(Listing::new).collect(),
            book: Vec::new(),
            events: Vec::new(),
            number: 0,
            touched: Vec::new(),
            heard: 0,
            told: false,
            attentive: false,
            always: false,
            ruined: false,
            late: 0.0,
        }
    }

    /// Has something to say of each event, whether or not something could be filled in it.
    pub fn tell_always(&mut self) {
        (self.always, self.attentive) = (true, true);
    }

    /// Takes an order for the events after the one that it was decided on. A refusal is an event.
    pub fn place(&mut self, order: NewOrder) {
        self.heard = self.heard.wrapping_add(1);
        self.told = true;
        let Some(listing) = self.listings.get(usize::from(order.asset)) else {
            return self.update(&order, OrderStatus::Rejected, OrderCause::UnknownAsset);
        };
        let latest = listing.latest;
        let cause = if self.ruined {
            Some(OrderCause::Ruined)
        } else if self.book.len() >= ORDERS_WORKING_MAX {
            Some(OrderCause::TooManyOrders)
        } else {
            orders::fault(&order, latest.price)
        };
        if let Some(cause) = cause {
            return self.update(&order, OrderStatus::Rejected, cause);
        }
        let buy = order.size > 0.0;
        let level = match order.kind {
            OrderType::TrailingStop if order.stop > 0.0 => order.stop,
            // It begins at its distance from the price on which it was decided.
            OrderType::TrailingStop if buy => latest.price + order.trail,
            OrderType::TrailingStop => latest.price - order.trail,
            _ => order.stop,
        };
        let beyond = |price: f64| if buy { price > order.limit } else { price < order.limit };
        let waits = order.kind == OrderType::Limit && beyond(latest.path(buy).close);
        // A close that is older than the order cannot fill it.
        let at_close = self.market.fill_at == FillAt::OnClose
            && listing.has_price()
            && latest.known_ns == self.carry.known_ns()
            && listing.terms.session.contains(latest.timestamp);
        self.book.push(WorkingOrder {
            guard: None,
            opened: 0,
            level,
            triggered: None,
            day_ends_ns: None,
            from_ns: self.arrival(),
            until_ns: i64::MAX,
            rested: waits && latest.kind != Kind::Bar,
            is_rest: false,
            on_close: at_close && order.kind == OrderType::Market,
            ended: false,
            order,
        });
    }

    /// Ends an order. One that is not there any more is passed over: it may have been filled meanwhile.
    pub fn cancel(&mut self, cancel: CancelOrder) {
        self.heard = self.heard.wrapping_add(1);
        self.told = true;
        let Some(at) = self.book.iter().position(|working| working.order.order == cancel.order) else {
            return;
        };
        let (until_ns, working) = (self.arrival(), &mut self.book[at]);
        let listing = &self.listings[usize::from(working.order.asset)];
        let begun = !self.market.latency.is_zero() || listing.may_have_begun(self.carry.known_ns());
        if begun && working.from_ns < until_ns {
            working.until_ns = working.until_ns.min(until_ns);
        } else {
            let order = self.book.remove(at).order;
            self.update(&order, OrderStatus::Cancelled, OrderCause::Asked);
        }
    }

    /// When something reaches the exchange that is decided on the latest event.
    fn arrival(&self) -> i64 {
        self.after_latency(self.carry.known_ns())
    }

    fn after_latency(&self, known_ns: i64) -> i64 {
        known_ns.saturating_add(i64::try_from(self.market.latency.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Remembers an event in which nothing could be filled, as the latest. `known` is when a strategy can
    /// know it.
    #[inline]
    pub fn look(&mut self, asset: u16, number: u32, known: Timestamp, data: MarketData<'_>) {
        let Some(listing) = self.listings.get_mut(usize::from(asset)) else { return };
        let passing = Passing::of(number, known, data);
        listing.see(&passing);
        listing.mark = passing.price;
        let start_ns = passing.timestamp.as_nanos();
        listing.paid_ns = listing.paid_ns.max(start_ns);
        listing.power_low = f64::INFINITY;
        self.number = number;
        self.carry.see(passing.known_ns);
        self.carry.pass_over(start_ns);
    }

    /// Passes a bar of the only asset, which is known when it has come. `None` if there was nothing to do,
    /// which a trader knows beforehand: it has sent nothing that the latest [`BarDone`] had not `heard`,
    /// and that was not `attentive`.
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) -> Option<BarDone> {
        self.on_data(0, bar.index, MarketData::Bar(bar))
    }

    /// As [`on_bar`](Engine::on_bar), of any asset. Numbers count the events of all assets.
    #[inline]
    pub fn on_data(&mut self, asset: u16, number: u32, data: MarketData<'_>) -> Option<BarDone> {
        let known = self.known(asset, &data);
        if self.is_quiet() {
            self.look(asset, number, known, data);
            return None;
        }
        self.pass(asset, number, known, data);
        Some(self.finish())
    }

    /// When an event that came as a message became known, as far as anybody can tell. It matters where the
    /// news takes its time: without latency an order is there before the next event begins.
    #[inline]
    fn known(&self, asset: u16, data: &MarketData<'_>) -> Timestamp {
        let start = data.timestamp();
        match (data, self.listings.get(usize::from(asset))) {
            (MarketData::Bar(_), Some(listing)) if !self.market.latency.is_zero() => {
                Timestamp::from_nanos(listing.known_ns(start.as_nanos()))
            }
            _ => start,
        }
    }

    /// Whether nothing can be filled in the next event.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.attentive && !self.told
    }

    /// Passes one event of a moment.
    pub fn pass(&mut self, asset: u16, number: u32, known: Timestamp, data: MarketData<'_>) {
        let at = usize::from(asset);
        if at >= self.listings.len() {
            return;
        }
        let passing = Passing::of(number, known, data);
        self.number = number;
        // Before anything is paid or earned in it.
        let late = self.late_money(at, passing.kind);
        if self.book.iter().any(|working| working.on_close) {
            self.late = 0.0;
            self.charge_until(at, self.listings[at].latest.known_ns);
            self.fill_on_close(asset);
        }
        self.charge_until(at, passing.timestamp.as_nanos());
        self.carry.see(passing.known_ns);
        self.late = late;
        self.correct_arrivals(&passing, asset);
        self.listings[at].see(&passing);
        self.touched.push(asset);
        if self.book.is_empty() {
            return;
        }
        let hours = self.listings[at].hours(passing.timestamp);
        self.expire_days(&passing, asset, hours);
        if hours.contain(passing.timestamp) {
            self.pass_book(&passing, asset);
        }
        self.book.retain(|working| !working.ended);
    }

    /// Fills what the event reaches.
    fn pass_book(&mut self, passing: &Passing, asset: u16) {
        for (step, pass) in self.market.intrabar.passes().into_iter().enumerate() {
            // Orders that a fill adds come behind, and are looked at in the same pass. Each has at most
            // two.
            let mut place = 0;
            while place < self.book.len() {
                self.look_at(place, asset, pass, passing);
                place += 1;
            }
            if step == 0 {
                self.expire_immediate(passing, asset);
            }
            if passing.kind != Kind::Bar {
                // All of its prices are one.
                break;
            }
        }
        for working in self.book.iter_mut().filter(|working| working.order.asset == asset && !working.ended) {
            let buy = working.guard.map_or(working.order.size > 0.0, |guard| guard.direction < 0.0);
            if working.can_be_filled_in(passing) {
                working.rested |= passing.kind != Kind::Bar;
                working.trail(passing, buy);
            } else if passing.timestamp.as_nanos() < working.from_ns {
                working.rested = passing.kind != Kind::Bar && working.would_rest(passing, buy);
            }
        }
    }

    /// A bar that came as a message may begin before the one before it was taken to be over. What was decided
    /// on that one was sent when this one began.
    fn correct_arrivals(&mut self, passing: &Passing, asset: u16) {
        let known_ns = self.listings[usize::from(asset)].latest.known_ns;
        let early_ns = known_ns.saturating_sub(passing.timestamp.as_nanos());
        if self.market.latency.is_zero() || early_ns <= 0 {
            return;
        }
        let arrival_ns = self.after_latency(known_ns);
        for working in self.book.iter_mut().filter(|working| working.order.asset == asset) {
            for time_ns in [&mut working.from_ns, &mut working.until_ns] {
                if *time_ns == arrival_ns {
                    *time_ns -= early_ns;
                }
            }
        }
    }

    /// A moment is over: all assets are valued anew, and the account is looked at. Says what there is to
    /// know.
    pub fn finish(&mut self) -> BarDone {
        let mut touched = std::mem::take(&mut self.touched);
        for asset in &touched {
            let listing = &mut self.listings[usize::from(*asset)];
            listing.mark = listing.latest.price;
        }
        self.look_after_margin();
        self.note_power(&touched);
        touched.clear();
        // For the next moment.
        self.touched = touched;
        self.done()
    }

    /// What has happened since this was last asked, in its sequence.
    pub fn events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// Ends the session: orders expire, and open positions are treated as [`AtEnd`] says.
    pub fn end(&mut self) -> BarDone {
        for working in std::mem::take(&mut self.book) {
            if working.until_ns != i64::MAX {
                self.update(&working.order, OrderStatus::Cancelled, OrderCause::Asked);
            } else if working.guard.is_none() {
                self.update(&working.order, OrderStatus::Expired, OrderCause::SessionEnd);
            }
        }
        if self.market.at_end != AtEnd::Keep {
            for asset in 0..self.listings.len() {
                let Listing { latest, holdings, .. } = &self.listings[asset];
                let path = latest.path(holdings.lots < 0);
                let price = if self.market.at_end == AtEnd::CloseAtOpen { path.open } else { path.close };
                self.close_all(asset, price);
            }
            self.look_after_margin();
        }
        self.done()
    }

    fn done(&mut self) -> BarDone {
        self.told = false;
        let waits = !self.book.is_empty() || self.could_be_ruined() || self.carry.needs(&self.listings);
        self.attentive = self.always || waits;
        BarDone { index: self.number, heard: self.heard, attentive: self.attentive }
    }

    /// Fills market orders at the prices at which they were decided.
    fn fill_on_close(&mut self, asset: u16) {
        for at in 0..self.book.len() {
            let working = &self.book[at];
            if working.order.asset != asset || !working.on_close || working.ended {
                continue;
            }
            let latest = self.listings[usize::from(asset)].latest;
            let buy = self.buys(&working.order, latest.price);
            let price = latest.path(buy).close;
            self.book[at].on_close = false;
            let number = std::mem::replace(&mut self.number, latest.number);
            self.fill(at, Reached::at(price, Entered::AtOpen));
            self.number = number;
        }
        self.book.retain(|working| !working.ended);
    }

    fn look_at(&mut self, at: usize, asset: u16, pass: Pass, bar: &Passing) {
        let working = &self.book[at];
        if working.order.asset != asset || working.ended || !working.can_be_filled_in(bar) {
            return;
        }
        let buy = match working.guard {
            Some(guard) => guard.direction < 0.0,
            None => self.buys(&working.order, bar.buy.open),
        };
        let Listing { holdings, terms, .. } = &self.listings[usize::from(asset)];
        let against = if buy { holdings.lots < 0 } else { holdings.lots > 0 };
        let closes = working.guard.is_some() || working.order.reduce_only || against;
        let spread = if closes { 0.0 } else { terms.spread };
        match working.touch(bar, pass, buy, spread, self.market.intrabar) {
            Touch::No => {}
            Touch::Triggered => {
                let working = &mut self.book[at];
                working.triggered = Some(bar.number + u32::from(pass != Pass::Open));
                let order = working.order;
                self.update(&order, OrderStatus::Triggered, OrderCause::NotApplicable);
            }
            Touch::Fill(reached) => self.fill(at, reached),
        }
    }

    /// `hours` are those that the event is in, or the next ones.
    fn expire_days(&mut self, bar: &Passing, asset: u16, hours: SessionHours) {
        let now_ns = bar.timestamp.as_nanos();
        for at in 0..self.book.len() {
            let working = &mut self.book[at];
            if working.order.asset != asset {
                continue;
            }
            if working.until_ns <= now_ns {
                self.finish_order(at, OrderStatus::Cancelled, OrderCause::Asked);
                continue;
            }
            if working.order.time_in_force != TimeInForce::Day || !working.can_be_filled_in(bar) {
                continue;
            }
            match working.day_ends_ns {
                Some(ends_ns) if ends_ns <= now_ns => {
                    self.finish_order(at, OrderStatus::Expired, OrderCause::TimeInForce);
                }
                None if hours.contain(bar.timestamp) => working.day_ends_ns = Some(hours.closes.as_nanos()),
                _ => {}
            }
        }
    }

    fn expire_immediate(&mut self, bar: &Passing, asset: u16) {
        for at in 0..self.book.len() {
            let working = &self.book[at];
            let immediate = matches!(
                working.order.time_in_force,
                TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill
            );
            let meant = immediate && working.guard.is_none() && working.order.asset == asset;
            if meant && !working.ended && working.can_be_filled_in(bar) {
                self.finish_order(at, OrderStatus::Expired, OrderCause::TimeInForce);
            }
        }
    }

    fn finish_order(&mut self, at: usize, status: OrderStatus, cause: OrderCause) {
        let working = &mut self.book[at];
        if !working.ended {
            working.ended = true;
            let order = working.order;
            self.update(&order, status, cause);
        }
    }

    fn update(&mut self, order: &NewOrder, status: OrderStatus, cause: OrderCause) {
        self.update_with_money(order, status, cause, 0.0, 0.0);
    }

    fn update_with_money(
        &mut self,
        order: &NewOrder,
        status: OrderStatus,
        cause: OrderCause,
        money: f64,
        price: f64,
    ) {
        // The latest event of its own asset.
        let listing = self.listings.get(usize::from(order.asset));
        let (order, index) = (order.order, listing.map_or(self.number, |listing| listing.latest.number));
        self.events.push(Event::Update(OrderUpdate { order, index, status, cause, money, price }));
    }
}
