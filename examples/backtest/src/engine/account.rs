//! The account over all assets: what it is worth, what it can buy for, and when it is closed down.

use std::cell::Cell;

use super::book::PositionEntry;
use super::fault::{CostFault, CostKind, sound};
use super::ladder::Ladder;
use super::margin::Exposure;
use super::models::AssetTerms;
use super::passing::{Kind, Passing};
use super::position::{FillAtPrice, Holdings};
use super::power::PowerSince;
use super::session::SessionHours;
use super::terms::MarketState;
use super::{Engine, Event};
use crate::messages::{ChargeKind, OrderCause, OrderStatus, Timestamp};
use crate::tape::MarketData;

/// One asset of an account.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) terms: AssetTerms,
    /// Its number.
    asset: u16,
    /// Share of the price that an entry pays on top while the latest event stands.
    pub(super) spread: f64,
    /// Whether a model says so of each event.
    spread_varies: bool,
    /// Share of what is shown that can be filled; `None` of a model.
    share: Option<f64>,
    pub(super) holdings: Holdings,
    /// How the position was entered, if there was one.
    pub(super) entry: Option<PositionEntry>,
    pub(super) latest: Passing,
    /// What the position is valued at while other assets are filled: the price at the end of the moment
    /// before, and within one the open of its own event.
    pub(super) mark: f64,
    /// Up to when its position has paid for the time, in ns.
    pub(super) paid_ns: i64,
    /// Up to when, and with that time, its dividends were paid or passed over, in ns.
    pub(super) dividends_ns: i64,
    /// What could be bought for since its latest event.
    pub(super) power: PowerSince,
    /// Distances of its latest events, in ns.
    steps_ns: [i64; 2],
    /// The session that was asked for last, and from which time on it is the one, in ns.
    hours: Option<(i64, SessionHours)>,
    /// Lots that the latest event has left for buyers and for sellers. A quote that says the same of a side
    /// as the one before shows nothing new: what is left stays as it is.
    room: [i64; 2],
    /// Its book, if it has one.
    pub(super) ladder: Option<Box<Ladder>>,
    /// Whether its latest event is its last one, while those of others may follow.
    pub(super) over: bool,
}

impl Listing {
    pub(super) fn new(terms: AssetTerms, asset: u16) -> Self {
        let (spread, share) = (terms.spread.constant(), terms.participation.constant());
        Self {
            terms,
            asset,
            spread: spread.unwrap_or(0.0),
            spread_varies: spread.is_none(),
            share,
            holdings: Holdings::default(),
            entry: None,
            latest: Passing::default(),
            mark: 0.0,
            paid_ns: i64::MIN,
            dividends_ns: i64::MIN,
            power: PowerSince::default(),
            steps_ns: [0; 2],
            hours: None,
            room: [i64::MAX; 2],
            ladder: None,
            over: false,
        }
    }

    /// Whether orders are filled with a part of what there is.
    #[inline]
    pub(super) fn is_limited(&self) -> bool {
        self.share.is_none_or(f64::is_finite)
    }

    /// Takes the next event.
    #[inline(always)]
    pub(super) fn see(&mut self, passing: &Passing, fault: &Cell<Option<CostFault>>) {
        let step_ns = passing.timestamp.as_nanos().saturating_sub(self.latest.timestamp.as_nanos());
        self.steps_ns = [self.steps_ns[1], if self.has_price() { step_ns } else { 0 }];
        let shown = [true, false].map(|buy| self.latest.path(buy).close);
        let (kind, volume) = (self.latest.kind, self.latest.volume);
        self.latest = *passing;
        if self.spread_varies {
            let said = self.terms.spread.share(&MarketState::of(self.asset, passing));
            let asset = usize::from(self.asset);
            self.spread = sound(fault, CostKind::Spread, asset, (0.0, passing.price), said);
        }
        if self.is_limited() {
            for at in 0..self.room.len() {
                let stands = passing.kind == Kind::Quote
                    && kind == Kind::Quote
                    && passing.path(at == 0).close == shown[at]
                    && passing.volume[at] == volume[at];
                if !stands {
                    self.room[at] = self.displayed_lots(passing.volume[at], fault);
                }
            }
        }
    }

    /// The session that this time is in, or else the next one.
    #[inline]
    pub(super) fn hours(&mut self, time: Timestamp) -> SessionHours {
        let now_ns = time.as_nanos();
        match self.hours {
            Some((from_ns, hours)) if (from_ns..hours.closes.as_nanos()).contains(&now_ns) => hours,
            _ => {
                let hours = self.terms.session.hours(time);
                self.hours = Some((now_ns, hours));
                hours
            }
        }
    }

    /// Whether there was an event.
    pub(super) fn has_price(&self) -> bool {
        self.latest.price > 0.0
    }

    /// When a bar is over that comes as a message, as far as those before tell: a weekend before it, or a
    /// gap, says nothing of its length. Of the first bar, when it begins.
    pub(super) fn known_ns(&self, start_ns: i64) -> i64 {
        let step_ns =
            if self.has_price() { start_ns.saturating_sub(self.latest.timestamp.as_nanos()) } else { 0 };
        let shortest = [step_ns, self.steps_ns[1]].into_iter().filter(|step_ns| *step_ns > 0).min();
        start_ns.saturating_add(shortest.unwrap_or(0))
    }

    /// Whether an event may still come that began before the latest event of another asset: of bars that run.
    pub(super) fn may_have_begun(&self, now_ns: i64) -> bool {
        !self.has_price() || self.latest.kind == Kind::Bar && self.latest.known_ns < now_ns
    }

    /// Lots that can still be filled for a side.
    pub(super) fn room(&self, buy: bool) -> i64 {
        self.room[usize::from(!buy)]
    }

    /// An event has come, and is to be passed: of a snapshot, its levels are kept.
    #[inline]
    pub(super) fn hear_of(&mut self, data: MarketData<'_>) {
        if let MarketData::Depth(book) = data {
            self.ladder.get_or_insert_default().hear(book);
        }
    }

    /// The snapshot that has come is the latest.
    pub(super) fn turn(&mut self) {
        if let Some(ladder) = &mut self.ladder {
            ladder.turn();
        }
    }

    /// A level of a book has so many lots for a side.
    pub(super) fn set_room(&mut self, buy: bool, lots: i64) {
        self.room[usize::from(!buy)] = lots;
    }

    /// Lots of a size that is displayed, as far as own orders take part in it.
    pub(super) fn displayed_lots(&self, units: f64, fault: &Cell<Option<CostFault>>) -> i64 {
        let units = match self.share {
            Some(share) if share.is_finite() => units * share,
            Some(_) => units,
            None => {
                let said = self.terms.participation.units(units, &MarketState::of(self.asset, &self.latest));
                sound(fault, CostKind::Fill, usize::from(self.asset), (units, self.latest.price), said)
            }
        };
        (units / self.terms.lot * (1.0 + 1e-12)) as i64
    }

    /// Some of the volume is used up. A quote has as much on either side.
    pub(super) fn take_room(&mut self, buy: bool, lots: i64) {
        if self.is_limited() {
            let both = self.latest.kind != Kind::Quote;
            for (side, room) in self.room.iter_mut().enumerate() {
                if both || side == usize::from(!buy) {
                    *room = (*room - lots).max(0);
                }
            }
        }
    }

    /// Whether an order of this side closes some of the position.
    pub(super) fn is_reduced_by(&self, buy: bool) -> bool {
        if buy { self.holdings.lots < 0 } else { self.holdings.lots > 0 }
    }

    /// The position at a price, less what it has cost.
    pub(super) fn profit(&self, price: f64) -> f64 {
        self.terms.units(self.holdings.lots) * price - self.holdings.cost
    }

    pub(super) fn value(&self, price: f64) -> f64 {
        self.terms.units(self.holdings.lots.abs()) * price
    }

    /// So many lots at a price.
    pub(super) fn exposure(&self, lots: i64, price: f64) -> Exposure {
        Exposure { asset: self.asset, units: self.terms.units(lots), price }
    }
}

impl Engine {
    /// Realised cash.
    #[must_use]
    pub fn cash(&self) -> f64 {
        self.cash
    }

    /// Position in lots; zero of an asset that there is not.
    #[must_use]
    pub fn lots(&self, asset: u16) -> i64 {
        self.listings.get(usize::from(asset)).map_or(0, |listing| listing.holdings.lots)
    }

    /// Equity at the latest prices.
    #[must_use]
    pub fn equity(&self) -> f64 {
        self.cash + self.listings.iter().map(|listing| listing.profit(listing.latest.price)).sum::<f64>()
    }

    /// The latest price of an asset; zero if there was none.
    #[must_use]
    pub fn price(&self, asset: u16) -> f64 {
        self.listings.get(usize::from(asset)).map_or(0.0, |listing| listing.latest.price)
    }

    fn over_all(&self, asset: usize, price: f64, of: impl Fn(&Listing, f64) -> f64) -> f64 {
        let mut sum = 0.0;
        for (at, listing) in self.listings.iter().enumerate() {
            if at == asset {
                sum += of(listing, price);
            } else if listing.holdings.lots != 0 {
                sum += of(listing, listing.mark);
            }
        }
        sum
    }

    /// Equity with one asset at this price, and the others as they were valued last.
    pub(super) fn equity_at(&self, asset: usize, price: f64) -> f64 {
        self.cash + self.over_all(asset, price, Listing::profit)
    }

    /// The equity that an order for a share of it is sized by: that of the begin of the event at hand, with
    /// its own asset at this price.
    pub(super) fn equity_to_share(&self, asset: usize, price: f64) -> f64 {
        self.equity_at(asset, price) - self.late.equity
    }

    /// What can still be bought for on a side, credit included, with one asset at this price.
    pub(super) fn buying_power(&self, asset: usize, price: f64, side: f64) -> f64 {
        let equity = self.equity_at(asset, price);
        let Some(leverage) = self.constants.leverage else {
            return self.power_by_model(asset, price, side, self.listings[asset].holdings.lots, equity);
        };
        let bound = self.over_all(asset, price, Listing::value) / leverage;
        self.of_its_time((equity - bound).max(0.0) * leverage)
    }

    /// Without the money that came when the event had begun.
    fn of_its_time(&self, power: f64) -> f64 {
        (power - self.late.power).max(0.0)
    }

    /// What could be bought for on a side when `closing` lots of the position were closed at the price,
    /// which costs so much.
    pub(super) fn power_without(&self, asset: usize, closing: i64, price: f64, side: f64, cost: f64) -> f64 {
        let listing = &self.listings[asset];
        let Some(leverage) = self.constants.leverage else {
            let held = listing.holdings.lots;
            let left = held - closing * held.signum();
            return self.power_by_model(asset, price, side, left, self.equity_at(asset, price) - cost);
        };
        let freed = listing.terms.units(closing) * price;
        let bound = (self.over_all(asset, price, Listing::value) - freed) / leverage;
        self.of_its_time((self.equity_at(asset, price) - cost - bound).max(0.0) * leverage)
    }

    pub(super) fn could_be_ruined(&self) -> bool {
        let mut cost = 0.0;
        for Listing { holdings, .. } in &self.listings {
            if holdings.lots < 0 {
                return true;
            }
            cost += holdings.cost;
        }
        let by_model = self.constants.maintenance.is_none();
        cost > 0.0 && (by_model || self.cash < cost)
    }

    /// Whether [`look_after_margin`](Engine::look_after_margin) would close something with the only asset at
    /// this price.
    #[inline]
    pub(super) fn needs_margin(&self, price: f64) -> bool {
        let (equity, exposure) = (self.equity_at(0, price), self.over_all(0, price, Listing::value));
        equity <= 0.0 || equity < self.maintenance_of(exposure, |_| price)
    }

    /// Closes the account down if nothing is left, and its positions if too little is.
    pub(super) fn look_after_margin(&mut self) {
        let flat = self.listings.iter().all(|listing| listing.holdings.lots == 0);
        if self.ruined || flat && self.cash > 0.0 {
            return;
        }
        let marked = |of: fn(&Listing, f64) -> f64| -> f64 {
            self.listings.iter().fold(0.0, |sum, listing| sum + of(listing, listing.mark))
        };
        let (equity, exposure) = (self.cash + marked(Listing::profit), marked(Listing::value));
        if equity <= 0.0 {
            self.ruined = true;
            // Nobody can pay a debt beyond the money.
            self.charge(self.latest_time(), 0, ChargeKind::WriteOff, equity);
            self.cash = 0.0;
            for asset in 0..self.listings.len() {
                let at = self.at(asset, 0, self.listings[asset].latest.price, 0.0);
                let Self { listings, events, .. } = self;
                let mut tell = |execution| events.push(Event::Executed(execution));
                listings[asset].holdings.liquidate(at, &mut tell);
            }
            self.cancel_all(OrderCause::Ruined);
        } else if equity < self.maintenance_of(exposure, |listing| listing.mark) {
            // First: the end of a trade would end those again that protect it.
            self.cancel_all(OrderCause::MarginCall);
            for asset in 0..self.listings.len() {
                let Listing { latest, holdings, .. } = &self.listings[asset];
                let price = latest.path(holdings.lots < 0).close;
                self.close_slipped(asset, price);
            }
            // The costs may be more than what was left.
            self.look_after_margin();
        }
    }

    /// When the latest event of any asset was.
    fn latest_time(&self) -> Timestamp {
        let times = self.listings.iter().map(|listing| listing.latest.timestamp);
        times.max_by_key(|time| time.as_nanos()).unwrap_or_default()
    }

    fn cancel_all(&mut self, cause: OrderCause) {
        for working in std::mem::take(&mut self.book).into_iter().filter(|working| !working.ended) {
            self.update(&working.order, OrderStatus::Cancelled, cause);
        }
    }

    /// Closes lots of one trade at a price.
    pub(super) fn close_lots(
        &mut self,
        asset: usize,
        place: usize,
        lots: i64,
        order: u32,
        price: f64,
        commission: f64,
    ) {
        let at = self.at(asset, order, price, commission);
        let Self { listings, cash, traded, events, .. } = self;
        let listing = &mut listings[asset];
        *traded += listing.terms.units(lots.abs()) * price;
        let execution = listing.holdings.close(cash, place, lots, listing.terms.lot, at);
        events.push(Event::Executed(execution));
    }

    pub(super) fn at(&self, asset: usize, order: u32, price: f64, commission: f64) -> FillAtPrice {
        let latest = &self.listings[asset].latest;
        let (timestamp, index, asset) = (latest.timestamp, latest.number, asset as u16);
        FillAtPrice { timestamp, index, order, asset, price, commission }
    }
}
