//! The exchange simulator's decisions: orders and prices in, executions and updates out. No
//! clock, no IO.
//!
//! # Rules
//! - An order decided on event `i` is filled on later events of its asset alone, and on no bar that began
//!   before the order could be there. A cancellation undoes nothing in a bar that began before it. Where news
//!   takes its time, events are passed in the sequence in which they are heard of.
//! - A bar is passed in steps: its open first, for market orders and for stops and limits that the open has
//!   gone beyond, all of which are filled *at the open*; then what its high and low reach. [`Intrabar`] says
//!   in which sequence. Within a step, what protects a trade comes first, and the others in the sequence in
//!   which they were sent. Bars of several assets that begin at one time have one open, and all of them are
//!   valued at it when it sizes an order.
//! - Of a quote, buyers meet the ask and sellers the bid; of a tick, both its price. A limit that has
//!   waited is filled at its limit: by quotes when the other side comes to it, by ticks when one goes
//!   beyond it.
//! - A limit is filled at the limit or better, whatever the spread. Stops and market orders slip.
//! - The position in an asset is netted. A fill against it closes trades, first in first out, and opens
//!   with what is left. All assets share the cash; what can be bought for follows from the equity. Money
//!   that was freed after a bar began pays for no fill of that bar; what an open frees pays at that open.
//! - A stop that was touched and could not be filled whole, for want of volume, goes on at the market from
//!   the next open on, a stop-limit order as a limit. The rest of an entry ends when its stop loss or take
//!   profit has begun to close it, or when its trade is closed.
//! - A fill is charged once, however many trades it closes, and whether or not it opens one.
//! - A protective order belongs to the trade that its order has opened, closes what is left of it, and ends
//!   with it.
//! - A reduce-only order never opens, and ends when the position that it has been working against is closed,
//!   unless it came with the market order that has closed it. In the bar of the entry it is filled as
//!   a protective order is, by what came after the entry; at an open that leaves it nothing it ends.
//! - An account whose equity at a close is not above zero is liquidated, and trades no more; what it owes
//!   is written off. With a maintenance margin all positions are closed, with costs, when the equity falls
//!   below it.
//! - An order is filled by what begins within the session of its asset. A price outside of it is seen, and
//!   the account is valued and looked at by it. A day order works for the session in which it could be filled
//!   first.
//! - At the end of a run that leaves no position, orders of the last close close and open nothing.
//! - A position pays for the time from the begin of the event of its entry to that of its exit.
//!
//! A bar costs the same whatever has been traded; without working orders and without a position that could be
//! ruined or pays for the time it is only remembered.

mod account;
mod announced;
mod book;
mod calendar;
mod calm;
mod carry;
mod costs;
mod fault;
mod ladder;
mod latency;
mod margin;
mod models;
mod moment;
mod orders;
mod passing;
mod position;
mod power;
mod session;
mod terms;

pub use self::calendar::{Calendar, CalendarError};
pub use self::costs::{
    Commission, Conditions, Filling, Fixed, MakerTaker, PerUnit, RangeShare, Share, Slippage, SquareRoot,
    Tiers, VolumeShare,
};
pub use self::fault::{CostFault, CostKind};
pub use self::ladder::{QueueModel, Queueing};
pub(crate) use self::latency::parse_duration;
pub use self::latency::{Jitter, Latency};
pub use self::margin::{Exposure, Leverage, Maintenance, MarginTier, MarginTiers};
pub use self::models::{AssetTerms, AtEnd, Funding, FundingEvery, Intrabar, Market, MarketError, Ready};
pub(crate) use self::orders::are_prices;
pub use self::session::{Session, SessionError, SessionHours};
pub use self::terms::{FillModel, LendingRate, Loan, MarketState, Spread};
pub use crate::config::FillAt;

use std::cell::Cell;

use self::account::Listing;
pub(crate) use self::announced::{Announced, Placed};
use self::book::WorkingOrder;
use self::calm::Calm;
use self::carry::Carry;
use self::moment::Begun;
use self::passing::{Kind, Passing};
use self::power::Late;
use self::terms::Constants;
use crate::limits::ORDERS_WORKING_MAX;
use crate::messages::{
    Bar, BarDone, CancelOrder, Charge, Execution, Moment, NewOrder, OrderCause, OrderStatus, OrderType,
    OrderUpdate, Timestamp,
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
    constants: Constants,
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
    /// The prices between which nothing happens, if there are any.
    calm: Option<Calm>,
    /// Whether the latest event came as a message that did not say when it is known.
    by_message: bool,
    /// The moment whose events come as messages.
    announced: Announced,
    /// Events that came as messages and on which nobody could trade, and why nobody could on the latest.
    passed_over: (u64, &'static str),
    /// Whether each event has its [`BarDone`].
    always: bool,
    ruined: bool,
    /// Whether the run is over and leaves no position: nothing is opened any more.
    closing: bool,
    /// What the account has now and had not when the event at hand began.
    late: Late,
    /// Whether nobody has noted what can be bought for since the latest event.
    unnoted: bool,
    /// Events of one time that are to be passed.
    together: Vec<Begun>,
    /// The first cost that a model has made of no number.
    fault: Cell<Option<CostFault>>,
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
        let constants = Constants::of(&market);
        let pays = !constants.interest.is_zero() || !constants.borrow.is_zero() || market.funding.is_some();
        Self {
            cash: market.cash,
            carry: Carry::new(pays || assets.iter().any(|terms| !terms.dividends.is_empty())),
            market,
            constants,
            traded: 0.0,
            opened: 0,
            listings: assets.into_iter().zip(0..).map(|(terms, asset)| Listing::new(terms, asset)).collect(),
            book: Vec::new(),
            events: Vec::new(),
            number: 0,
            touched: Vec::new(),
            heard: 0,
            told: false,
            attentive: false,
            calm: None,
            by_message: false,
            announced: Announced::default(),
            passed_over: (0, ""),
            always: false,
            ruined: false,
            closing: false,
            late: Late::default(),
            unnoted: true,
            together: Vec::new(),
            fault: Cell::new(None),
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
        } else if !listing.has_price() {
            Some(OrderCause::NoPrice)
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
            from_ns: self.arrival(order.asset),
            until_ns: i64::MAX,
            rested: waits && latest.kind != Kind::Bar,
            queue: listing
                .ladder
                .as_ref()
                .filter(|_| waits && ladder::may_wait(&order))
                .map(|ladder| ladder.queue(buy, order.limit)),
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
        let (until_ns, working) = (self.arrival(self.book[at].order.asset), &mut self.book[at]);
        let listing = &self.listings[usize::from(working.order.asset)];
        let late = until_ns > self.carry.known_ns() || self.market.feed.is_some();
        let begun = late || listing.may_have_begun(self.carry.known_ns());
        if begun && working.from_ns < until_ns {
            working.until_ns = working.until_ns.min(until_ns);
        } else {
            let order = self.book.remove(at).order;
            self.update(&order, OrderStatus::Cancelled, OrderCause::Asked);
        }
    }

    /// When something on this asset reaches the exchange that is decided on the latest event.
    fn arrival(&self, asset: u16) -> i64 {
        self.after_latency(asset, self.carry.known_ns())
    }

    fn after_latency(&self, asset: u16, known_ns: i64) -> i64 {
        let latency_ns = self.constants.latency_ns.unwrap_or_else(|| {
            let delay = self.market.latency.delay(asset, Timestamp::from_nanos(known_ns));
            i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX)
        });
        known_ns.saturating_add(latency_ns)
    }

    /// Remembers an event in which nothing could be filled, as the latest. `known` is when a strategy can
    /// know it.
    #[inline]
    pub fn look(&mut self, asset: u16, number: u32, known: Timestamp, data: MarketData<'_>) {
        let Self { listings, fault, .. } = self;
        let Some(listing) = listings.get_mut(usize::from(asset)) else { return };
        let passing = Passing::of(number, known, data);
        listing.see(&passing, fault);
        if passing.kind == Kind::Depth {
            listing.hear_of(data);
            listing.turn();
        }
        listing.mark = passing.price;
        let start_ns = passing.timestamp.as_nanos();
        listing.paid_ns = listing.paid_ns.max(start_ns);
        listing.dividends_ns = listing.dividends_ns.max(start_ns);
        listing.power.restart();
        self.unnoted = true;
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

    /// As [`on_bar`](Engine::on_bar), of any asset. Numbers count the events of all assets. Of an announced
    /// moment all events have one [`BarDone`], which comes with the last of them, or from
    /// [`end_moment_before`](Engine::end_moment_before) where that one does not come.
    ///
    /// Passed over are events of assets that there are not, and those that a tape would refuse: books without
    /// a side, and prices and sizes that are no numbers. Nobody could value a position by them.
    #[inline]
    pub fn on_data(&mut self, asset: u16, number: u32, data: MarketData<'_>) -> Option<BarDone> {
        let is_listed = usize::from(asset) < self.listings.len();
        let fault = if is_listed { data.fault() } else { None };
        let is_sound = fault.is_none();
        let Placed { moment, ends_moment } = self.announced.place(number, is_listed && is_sound);
        if !is_listed || !is_sound {
            if let Some(fault) = fault {
                self.passed_over = (self.passed_over.0 + 1, fault);
            }
            return (ends_moment && self.is_within_moment()).then(|| self.finish());
        }
        self.by_message = moment.is_none();
        let known = match moment {
            // Nobody knew it before it began.
            Some(moment) => moment.known.max(data.timestamp()),
            None => self.known(asset, &data),
        };
        if self.is_quiet() {
            self.look(asset, number, known, data);
            return None;
        }
        self.pass(asset, number, known, data);
        ends_moment.then(|| self.finish())
    }

    /// Ends the moment at hand, whose last event has not come, if the event of this number does not belong to
    /// it, or if the next moment comes (`None`): to be asked before [`on_data`](Engine::on_data) and
    /// [`announce`](Engine::announce), so that what is filled in the one is told before the other.
    #[inline]
    pub fn end_moment_before(&mut self, next: Option<u32>) -> Option<BarDone> {
        let goes_on = next.is_some_and(|number| self.announced.goes_on(number));
        (!goes_on && self.is_within_moment()).then(|| self.finish())
    }

    /// Whether some of the events of a moment were passed, and the account was not looked at since.
    #[inline]
    fn is_within_moment(&self) -> bool {
        !self.touched.is_empty() || !self.together.is_empty()
    }

    /// How many events came as messages on which nobody could trade, and were passed over.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over.0
    }

    /// Why nobody could trade on the latest event that was passed over.
    pub(crate) fn latest_fault(&self) -> &'static str {
        self.passed_over.1
    }

    /// The events that come as messages from now on, up to its last one, are one moment.
    pub fn announce(&mut self, moment: Moment) {
        self.announced.announce(moment, self.listings.len());
    }

    /// Whether it matters when a bar is over: where an order takes its time, and where a position that is
    /// entered at the close pays for the time behind it. Otherwise an order is there before the next bar
    /// begins, and that is enough.
    #[inline]
    fn asks_for_ends(&self) -> bool {
        self.constants.has_latency() || self.market.fill_at == FillAt::OnClose && self.carry.is_wanted()
    }

    /// When an event that came as a message became known, as far as anybody can tell.
    #[inline]
    fn known(&self, asset: u16, data: &MarketData<'_>) -> Timestamp {
        let start = data.timestamp();
        match (data, self.listings.get(usize::from(asset))) {
            (MarketData::Bar(_), Some(listing)) if self.asks_for_ends() => {
                Timestamp::from_nanos(listing.known_ns(start.as_nanos()))
            }
            _ => start,
        }
    }

    /// Whether each event counts, also where nothing can be filled: sizes that stand are shown once.
    pub(crate) fn sees_each(&self) -> bool {
        self.listings.iter().any(|listing| listing.is_limited() || listing.ladder.is_some())
    }

    /// Whether nothing can be filled in the next event.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.attentive && !self.told
    }

    /// A moment is over: all assets are valued anew, and the account is looked at. Says what there is to
    /// know.
    pub fn finish(&mut self) -> BarDone {
        if let [listing] = &mut self.listings[..] {
            if !self.touched.is_empty() {
                listing.mark = listing.latest.price;
                self.touched.clear();
            }
            self.look_after_margin();
            self.unnoted = false;
            return self.done();
        }
        self.pass_collected();
        let mut touched = std::mem::take(&mut self.touched);
        for asset in &touched {
            let listing = &mut self.listings[usize::from(*asset)];
            listing.mark = listing.latest.price;
        }
        self.look_after_margin();
        for asset in touched.drain(..) {
            self.listings[usize::from(asset)].power.restart();
        }
        self.note_power(self.carry.known_ns());
        // For the next moment.
        self.touched = touched;
        self.done()
    }

    /// The latest event of an asset was its last one. An order that was sent for its close closes and opens
    /// nothing, as at the end of a run, unless the run leaves its positions open: nobody could trade it any
    /// more.
    pub fn is_last(&mut self, asset: u16) {
        if let Some(listing) = self.listings.get_mut(usize::from(asset)) {
            listing.over = true;
        }
    }

    /// What has happened since this was last asked, in its sequence.
    pub fn events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// As [`events`](Engine::events), one after the other, where they lie.
    pub(crate) fn tell_events(&mut self, tell: impl FnMut(&Event)) {
        self.events.iter().for_each(tell);
        self.events.clear();
    }

    /// Ends the session: what was sent for the last close is filled at it, other orders expire, and open
    /// positions are treated as [`AtEnd`] says. Where that closes them, an order of the last close opens
    /// nothing: it would be closed in the same instant, for two commissions.
    pub fn end(&mut self) -> BarDone {
        if self.is_within_moment() {
            // A moment that was announced, and whose last event has not come.
            self.finish();
        }
        self.closing = self.market.at_end != AtEnd::Keep;
        self.fill_closes();
        for working in std::mem::take(&mut self.book) {
            if working.until_ns != i64::MAX {
                self.update(&working.order, OrderStatus::Cancelled, OrderCause::Asked);
            } else if working.guard.is_none() {
                self.update(&working.order, OrderStatus::Expired, OrderCause::SessionEnd);
            }
        }
        if self.closing {
            for asset in 0..self.listings.len() {
                let Listing { latest, holdings, .. } = &self.listings[asset];
                let path = latest.path(holdings.lots < 0);
                let price = if self.market.at_end == AtEnd::CloseAtOpen { path.open } else { path.close };
                self.close_slipped(asset, price);
            }
            self.look_after_margin();
        }
        self.done()
    }

    fn done(&mut self) -> BarDone {
        self.told = false;
        let waits = !self.book.is_empty() || self.could_be_ruined() || self.carry.needs(&self.listings);
        self.attentive = self.always || waits;
        self.calm = self.calm_prices();
        BarDone { index: self.number, heard: self.heard, attentive: self.attentive }
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
