//! The exchange simulator's decisions: orders and bars in, executions and updates out. No clock, no IO.
//!
//! # Rules
//! - An order decided on bar `i` is filled on bars after `i` alone.
//! - A bar is passed in steps: its open first, for market orders and for stops and limits that the open has
//!   gone beyond, all of which are filled *at the open*; then what its high and low reach. [`Intrabar`] says
//!   in which sequence. Within a step, orders are taken in the sequence in which they were sent.
//! - A limit is filled at the limit or better, whatever the spread. Stops and market orders slip.
//! - The position is netted. What goes against it closes trades, first in first out, and opens with what is
//!   left.
//! - A protective order belongs to the trade that its order has opened, closes what is left of it, and ends
//!   with it.
//! - A reduce-only order never opens, and ends when the position that it has been working against is closed.
//! - An account whose equity at a close is not above zero is liquidated, and trades no more.
//!
//! A bar costs the same whatever has been traded; without working orders and without a position that could be
//! ruined it is only remembered.

mod book;
mod models;
mod orders;
mod position;

pub use self::models::{AtEnd, Commission, Fixed, Intrabar, Market, MarketError, PerUnit, Share, Slippage};

use self::book::{Touch, WorkingOrder};
use self::position::{FillAtPrice, Holdings};
use crate::limits::ORDERS_WORKING_MAX;
use crate::messages::{
    Bar, BarDone, CancelOrder, Execution, NewOrder, OrderCause, OrderStatus, OrderType, OrderUpdate,
    TimeInForce,
};

/// What the engine tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Of an order.
    Update(OrderUpdate),
    /// Of a trade.
    Executed(Execution),
}

/// One account on one asset.
#[derive(Clone, Debug)]
pub struct Engine {
    market: Market,
    holdings: Holdings,
    book: Vec<WorkingOrder>,
    events: Vec<Event>,
    latest: Bar,
    /// Instructions heard.
    heard: u32,
    /// Whether some of them came after the bar that was last told of.
    told: bool,
    attentive: bool,
    ruined: bool,
}

impl Engine {
    /// A flat account with the cash of the market's terms.
    #[must_use]
    pub fn new(market: Market) -> Self {
        Self {
            holdings: Holdings::new(market.cash),
            market,
            book: Vec::new(),
            events: Vec::new(),
            latest: Bar::default(),
            heard: 0,
            told: false,
            attentive: false,
            ruined: false,
        }
    }

    /// Takes an order for the bars after the one that it was decided on. A refusal is an event.
    pub fn place(&mut self, order: NewOrder) {
        self.heard += 1;
        self.told = true;
        let cause = if self.ruined {
            Some(OrderCause::Ruined)
        } else if self.book.len() >= ORDERS_WORKING_MAX {
            Some(OrderCause::TooManyOrders)
        } else {
            orders::fault(&order, self.latest.close)
        };
        if let Some(cause) = cause {
            return self.update(order.order, OrderStatus::Rejected, cause);
        }
        let level = match order.kind {
            OrderType::TrailingStop if order.stop > 0.0 => order.stop,
            // It begins at its distance from the price on which it was decided.
            OrderType::TrailingStop if order.size > 0.0 => self.latest.close + order.trail,
            OrderType::TrailingStop => self.latest.close - order.trail,
            _ => order.stop,
        };
        let (guard, triggered, day, ended) = (None, None, None, false);
        self.book.push(WorkingOrder { order, guard, level, triggered, day, ended });
    }

    /// Ends an order. One that is not there any more is passed over: it may have been filled meanwhile.
    pub fn cancel(&mut self, cancel: CancelOrder) {
        self.heard += 1;
        self.told = true;
        if let Some(at) = self.book.iter().position(|working| working.order.order == cancel.order) {
            self.book.remove(at);
            self.update(cancel.order, OrderStatus::Cancelled, OrderCause::Asked);
        }
    }

    /// Passes a bar. `None` if there was nothing to do, which a trader knows beforehand: it has sent nothing
    /// that the latest [`BarDone`] had not `heard`, and that was not `attentive`.
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) -> Option<BarDone> {
        self.latest = *bar;
        if !self.attentive && !self.told {
            return None;
        }
        self.process();
        Some(self.done())
    }

    /// What has happened since this was last asked, in its sequence.
    pub fn events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// Ends the session: orders expire, and the open position is treated as [`AtEnd`] says.
    pub fn end(&mut self) -> BarDone {
        for working in std::mem::take(&mut self.book) {
            if working.guard.is_none() {
                self.update(working.order.order, OrderStatus::Expired, OrderCause::SessionEnd);
            }
        }
        let price = match self.market.at_end {
            AtEnd::Close => Some(self.latest.close),
            AtEnd::CloseAtOpen => Some(self.latest.open),
            AtEnd::Keep => None,
        };
        if let Some(price) = price {
            let at = self.at(0, price);
            while let Some(trade) = self.holdings.trades.front().copied() {
                let closed = self.holdings.close(&self.market, 0, trade.lots, at);
                self.events.push(Event::Executed(closed));
            }
        }
        self.done()
    }

    /// The latest bar.
    #[must_use]
    pub fn latest(&self) -> &Bar {
        &self.latest
    }

    /// Realised cash.
    #[must_use]
    pub fn cash(&self) -> f64 {
        self.holdings.cash
    }

    /// Position in lots.
    #[must_use]
    pub fn lots(&self) -> i64 {
        self.holdings.lots
    }

    /// Equity at a price.
    #[must_use]
    pub fn equity(&self, price: f64) -> f64 {
        self.holdings.equity(&self.market, price)
    }

    fn done(&mut self) -> BarDone {
        self.told = false;
        let Holdings { cash, cost, lots, .. } = self.holdings;
        let could_be_ruined = lots < 0 || (lots > 0 && cash < cost);
        self.attentive = !self.book.is_empty() || could_be_ruined;
        BarDone { index: self.latest.index, heard: self.heard, attentive: self.attentive }
    }

    fn process(&mut self) {
        let bar = self.latest;
        if !self.book.is_empty() {
            self.expire_days(&bar);
            for (step, pass) in self.market.intrabar.passes().into_iter().enumerate() {
                // Orders that a fill adds come behind, and are looked at in the same pass. Each has at most
                // two.
                let mut at = 0;
                while at < self.book.len() {
                    self.look_at(at, pass, &bar);
                    at += 1;
                }
                if step == 0 {
                    self.expire_immediate(&bar);
                }
            }
            self.book.retain(|working| !working.ended);
            for working in &mut self.book {
                let buy = working.guard.map_or(working.order.size > 0.0, |guard| guard.direction < 0.0);
                if working.order.after < bar.index {
                    working.trail(&bar, buy);
                }
            }
        }
        let equity = self.holdings.equity(&self.market, bar.close);
        if self.holdings.lots != 0 && equity <= 0.0 {
            self.ruined = true;
            let (at, events) = (self.at(0, bar.close), &mut self.events);
            self.holdings.liquidate(at, &mut |execution| events.push(Event::Executed(execution)));
            for working in std::mem::take(&mut self.book) {
                self.update(working.order.order, OrderStatus::Cancelled, OrderCause::Ruined);
            }
        }
    }

    fn look_at(&mut self, at: usize, pass: book::Pass, bar: &Bar) {
        let working = self.book[at];
        if working.ended || working.order.after >= bar.index {
            return;
        }
        let buy = match working.guard {
            Some(guard) => guard.direction < 0.0,
            None => orders::buys(&working.order, &self.holdings, &self.market, bar.open),
        };
        let against = if buy { self.holdings.lots < 0 } else { self.holdings.lots > 0 };
        let closes = working.guard.is_some() || working.order.reduce_only || against;
        let spread = if closes { 0.0 } else { self.market.spread };
        match working.touch(bar, pass, buy, spread, self.market.intrabar) {
            Touch::No => {}
            Touch::Triggered => {
                self.book[at].triggered = Some(bar.index + u32::from(pass != book::Pass::Open));
                self.update(working.order.order, OrderStatus::Triggered, OrderCause::NotApplicable);
            }
            Touch::Fill { price, bound, entered } => self.fill(at, price, bound, entered),
        }
    }

    fn expire_days(&mut self, bar: &Bar) {
        let today = bar.timestamp.as_nanos().div_euclid(crate::data::NS_PER_DAY);
        for at in 0..self.book.len() {
            let working = &mut self.book[at];
            if working.order.time_in_force != TimeInForce::Day || working.order.after >= bar.index {
                continue;
            }
            if *working.day.get_or_insert(today) != today {
                self.finish(at, OrderStatus::Expired, OrderCause::TimeInForce);
            }
        }
    }

    fn expire_immediate(&mut self, bar: &Bar) {
        for at in 0..self.book.len() {
            let working = &self.book[at];
            let immediate = matches!(
                working.order.time_in_force,
                TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill
            );
            if immediate && working.guard.is_none() && !working.ended && working.order.after < bar.index {
                self.finish(at, OrderStatus::Expired, OrderCause::TimeInForce);
            }
        }
    }

    fn finish(&mut self, at: usize, status: OrderStatus, cause: OrderCause) {
        let working = &mut self.book[at];
        if !working.ended {
            working.ended = true;
            let order = working.order.order;
            self.update(order, status, cause);
        }
    }

    fn update(&mut self, order: u32, status: OrderStatus, cause: OrderCause) {
        self.update_with_money(order, status, cause, 0.0, 0.0);
    }

    fn update_with_money(
        &mut self,
        order: u32,
        status: OrderStatus,
        cause: OrderCause,
        money: f64,
        price: f64,
    ) {
        let index = self.latest.index;
        self.events.push(Event::Update(OrderUpdate { order, index, status, cause, money, price }));
    }

    fn at(&self, order: u32, price: f64) -> FillAtPrice {
        FillAtPrice { timestamp: self.latest.timestamp, index: self.latest.index, order, price }
    }
}
