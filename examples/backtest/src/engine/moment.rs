//! From events to the orders that they reach. A moment has at most one event of each asset; those that begin
//! at one time are passed together, so that what one open frees pays at the others.

use super::account::Listing;
use super::book::{Entered, Pass, Reached, Touch, WorkingOrder};
use super::passing::{Kind, Passing};
use super::power::Late;
use super::session::SessionHours;
use super::{AtEnd, Engine};
use crate::messages::{OrderCause, OrderStatus, OrderType, TimeInForce, Timestamp};
use crate::tape::MarketData;

/// An event that is being passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    asset: u16,
    passing: Passing,
    /// Whether it is within the session.
    open: bool,
    /// What the account has now and had not when it began.
    late: Late,
}

impl Engine {
    /// Passes one event of a moment, at once or with those that begin at the same time.
    pub fn pass(&mut self, asset: u16, number: u32, known: Timestamp, data: MarketData<'_>) {
        if usize::from(asset) >= self.listings.len() {
            return;
        }
        let begun =
            Begun { asset, passing: Passing::of(number, known, data), open: false, late: Late::default() };
        if !self.has_several() {
            self.listings[0].hear_of(data);
            self.pass_together(&mut [begun]);
            return;
        }
        let other_time = |first: &Begun| first.passing.timestamp != begun.passing.timestamp;
        if self.together.first().is_some_and(other_time) {
            self.pass_collected();
        }
        self.listings[usize::from(asset)].hear_of(data);
        self.together.push(begun);
    }

    /// Passes what waits for others that begin at its time.
    pub(super) fn pass_collected(&mut self) {
        let mut events = std::mem::take(&mut self.together);
        if !events.is_empty() {
            self.pass_together(&mut events);
            events.clear();
        }
        self.together = events;
    }

    // Of one asset, which most have, there is one event, and no loop.
    #[inline(always)]
    fn pass_together(&mut self, events: &mut [Begun]) {
        if self.touched.is_empty() {
            self.begin_moment();
        }
        for event in &mut *events {
            // Before anything is paid or earned in it.
            event.late = self.late_money(usize::from(event.asset), &event.passing);
        }
        for Begun { asset, passing, .. } in &*events {
            self.number = passing.number;
            if self.carry.is_wanted() {
                self.charge_until(usize::from(*asset), passing.timestamp.as_nanos());
                self.pay_dividends(usize::from(*asset), passing.timestamp.as_nanos());
            }
            self.carry.see(passing.known_ns);
            self.correct_arrivals(passing, *asset);
            self.listings[usize::from(*asset)].see(passing, &self.fault);
            if passing.kind == Kind::Depth {
                self.listings[usize::from(*asset)].turn();
            }
            self.touched.push(*asset);
        }
        self.mark_at_opens(events);
        if self.book.is_empty() {
            return;
        }
        for Begun { asset, passing, open, .. } in &mut *events {
            let hours = self.listings[usize::from(*asset)].hours(passing.timestamp);
            self.expire_days(passing, *asset, hours);
            *open = hours.contain(passing.timestamp);
        }
        self.pass_opens(events);
        self.number = events.last().map_or(self.number, |event| event.passing.number);
        if self.book.iter().all(|working| working.ended) {
            // Most often the opens fill all that waits.
            self.book.clear();
            return;
        }
        let free = self.has_several().then(|| self.free_power());
        for event in events.iter_mut().filter(|event| event.open) {
            if event.passing.kind == Kind::Bar {
                // All prices of the others are one. Money that was freed within another bar came after this
                // open.
                event.late.power += free.map_or(0.0, |free| (self.free_power() - free).max(0.0));
                for pass in self.market.intrabar.passes_within() {
                    self.pass_book(std::slice::from_ref(event), pass);
                }
            }
            self.follow_prices(event);
        }
        self.book.retain(|working| !working.ended);
        self.number = events.last().map_or(self.number, |event| event.passing.number);
    }

    /// What is filled now is sized with all that begins at this time at its open: a position that one open
    /// has entered is worth what was paid for it, and not the close before.
    #[inline]
    fn mark_at_opens(&mut self, events: &[Begun]) {
        if self.has_several() {
            for Begun { asset, passing, .. } in events {
                self.listings[usize::from(*asset)].mark = passing.open();
            }
        }
    }

    /// Before the first event of a moment, the closes of the one before fill what was sent for them.
    fn begin_moment(&mut self) {
        self.fill_closes();
        if self.unnoted {
            self.note_power(self.carry.known_ns());
        }
    }

    /// Fills what was sent for the latest closes.
    #[inline]
    pub(super) fn fill_closes(&mut self) {
        if self.book.iter().any(|working| working.on_close) {
            self.fill_all_on_close();
        }
    }

    fn fill_all_on_close(&mut self) {
        self.late = Late::default();
        self.pay_at_closes();
        for at in 0..self.book.len() {
            if self.book[at].on_close && !self.book[at].ended {
                self.fill_on_close(at);
                if self.book[at].order.time_in_force == TimeInForce::ImmediateOrCancel {
                    self.finish_order(at, OrderStatus::Expired, OrderCause::TimeInForce);
                }
            }
        }
        self.book.retain(|working| !working.ended);
        self.unnoted = true;
    }

    /// All positions pay for the time up to the latest closes before the first order is filled at them: it is
    /// sized by what is left. A bar that runs pays when it has come, as its begin may be where the position
    /// ends.
    fn pay_at_closes(&mut self) {
        if !self.carry.is_wanted() {
            return;
        }
        let now_ns = self.carry.known_ns();
        for asset in 0..self.listings.len() {
            if !self.listings[asset].may_have_begun(now_ns) {
                self.charge_until(asset, now_ns);
                // One that falls due when the bar is over belongs to who holds the asset behind the fills.
                self.pay_dividends(asset, now_ns.saturating_sub(1));
            }
        }
    }

    /// Fills a market order at the price at which it was decided.
    fn fill_on_close(&mut self, at: usize) {
        let order = self.book[at].order;
        let asset = usize::from(order.asset);
        let latest = self.listings[asset].latest;
        let buy = self.buys(&order, latest.buy.close);
        self.book[at].on_close = false;
        let number = std::mem::replace(&mut self.number, latest.number);
        let over = self.listings[asset].over && self.market.at_end != AtEnd::Keep;
        let closing = self.closing;
        self.closing |= over;
        let reached = Reached::at(latest.path(buy).close, Entered::AtOpen);
        match latest.kind {
            Kind::Depth => self.take_levels(at, buy, reached),
            _ => self.fill(at, buy, reached),
        }
        (self.number, self.closing) = (number, closing);
    }

    /// Fills at the opens of events that begin at one time. Money that they free pays at each of them; what
    /// is freed within one of them pays for nothing in the others.
    fn pass_opens(&mut self, events: &mut [Begun]) {
        self.pass_book(events, Pass::Open);
        for Begun { asset, passing, .. } in events.iter().filter(|event| event.open) {
            self.expire_immediate(passing, *asset);
        }
        if let (true, Some(first)) = (self.has_several(), events.first()) {
            self.note_power(first.passing.timestamp.as_nanos());
        }
    }

    /// Looks at all orders, for the events that are within their sessions. Orders that protect a trade come
    /// first.
    fn pass_book(&mut self, events: &[Begun], pass: Pass) {
        let here = self.book.len();
        for place in 0..here {
            if self.book[place].guard.is_some() {
                self.look_at(place, events, pass);
            }
        }
        // Orders that a fill adds come behind, and are looked at in the same pass. Each has at most two.
        let mut place = 0;
        while place < self.book.len() {
            if place >= here || self.book[place].guard.is_none() {
                self.look_at(place, events, pass);
            }
            place += 1;
        }
    }

    fn look_at(&mut self, at: usize, events: &[Begun], pass: Pass) {
        let working = &self.book[at];
        let asset = working.order.asset;
        let Some(Begun { passing: bar, late, .. }) =
            events.iter().find(|event| event.asset == asset && event.open)
        else {
            return;
        };
        if working.ended || !working.can_be_filled_in(bar) {
            return;
        }
        (self.number, self.late) = (bar.number, *late);
        let working = &self.book[at];
        let buy = match working.guard {
            Some(guard) => guard.direction < 0.0,
            None => self.buys(&working.order, bar.buy.open),
        };
        let spread = self.spread_for(working, buy);
        if bar.kind == Kind::Depth {
            return self.look_at_depth(at, bar, buy);
        }
        let (intrabar, listing) = (self.market.intrabar, &self.listings[usize::from(asset)]);
        if pass != Pass::Open && working.only_reduces() && !listing.is_reduced_by(buy) {
            // Within a bar nobody knows whether its price or an entry came first.
            return;
        }
        let fresh = match (working.guard, listing.entry) {
            (Some(guard), _) => guard.fresh(bar),
            (None, Some(entry)) if working.only_reduces() => entry.fresh(bar),
            (None, _) => None,
        };
        match working.touch(bar, pass, buy, spread, (intrabar, fresh)) {
            Touch::No => {}
            Touch::Triggered => self.trigger(at, bar.number, pass),
            Touch::Fill(reached) => {
                self.fill(at, buy, reached);
                if self.book[at].waits_for_stop() {
                    // The volume was too little: it has been touched all the same.
                    self.trigger(at, bar.number, pass);
                }
            }
        }
    }

    /// What an order pays on top of the price as the position stands: exits pay none.
    #[inline]
    pub(super) fn spread_for(&self, working: &WorkingOrder, buy: bool) -> f64 {
        let Listing { holdings, spread, .. } = &self.listings[usize::from(working.order.asset)];
        let against = if buy { holdings.lots < 0 } else { holdings.lots > 0 };
        let closes = working.guard.is_some() || working.order.reduce_only || against;
        if closes { 0.0 } else { *spread }
    }

    /// The stop of an order was touched, and not all of it is filled.
    pub(super) fn trigger(&mut self, at: usize, number: u32, pass: Pass) {
        let working = &mut self.book[at];
        working.triggered = Some(number + u32::from(pass != Pass::Open));
        let (order, guard) = (working.order, working.guard);
        if order.kind == OrderType::StopLimit {
            self.update(&order, OrderStatus::Triggered, OrderCause::NotApplicable);
        }
        if let Some(guard) = guard {
            self.end_entry(guard.trade);
        }
    }

    /// After an event: what has waited through it has its place in the queue, and stops trail.
    fn follow_prices(&mut self, event: &Begun) {
        let Begun { asset, passing, .. } = event;
        if passing.kind == Kind::Depth {
            self.follow_queues(*asset, passing);
        }
        for working in self.book.iter_mut().filter(|working| working.order.asset == *asset && !working.ended)
        {
            let buy = working.guard.map_or(working.order.size > 0.0, |guard| guard.direction < 0.0);
            if working.can_be_filled_in(passing) {
                working.rested |= passing.kind != Kind::Bar;
                working.trail(passing, buy);
            } else if passing.timestamp.as_nanos() < working.from_ns {
                working.rested = passing.kind != Kind::Bar && working.would_rest(passing, buy);
            }
        }
    }

    /// A bar that came as a message may begin before the one before it was taken to be over. Orders that
    /// were decided on that one were sent when this one began.
    fn correct_arrivals(&mut self, passing: &Passing, asset: u16) {
        let known_ns = self.listings[usize::from(asset)].latest.known_ns;
        let early_ns = known_ns.saturating_sub(passing.timestamp.as_nanos());
        if !self.by_message || !self.asks_for_ends() || early_ns <= 0 {
            return;
        }
        let arrival_ns = self.after_latency(asset, known_ns);
        for working in self.book.iter_mut().filter(|working| working.order.asset == asset) {
            for time_ns in [&mut working.from_ns, &mut working.until_ns] {
                if *time_ns == arrival_ns {
                    *time_ns -= early_ns;
                }
            }
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
                None if hours.contain(bar.timestamp) => working.day_ends_ns = Some(hours.ends.as_nanos()),
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
}
