//! An exchange as the page describes it, written for the reader and not for speed: it keeps every fill and
//! computes the account anew from all of them each time it is asked. It shares nothing with
//! `backtest::engine`.

use std::collections::BTreeMap;

use backtest::messages::Bar;

use crate::slow_terms::{Asked, Hit, SlowTerms, Spec};

/// A fill: asset, bar, units, price.
pub(crate) type SlowFill = (usize, u32, i64, f64);

#[derive(Clone, Debug)]
struct Waiting {
    spec: Spec,
    sent: u32,
    /// The rest of an order that takes fewer units too.
    rest: bool,
    level: f64,
    /// It is filled at the close on which it was sent.
    at_close: bool,
    /// From which bar on it goes on without its stop.
    triggered_from: Option<u32>,
    /// The entry that its first part has opened.
    opened: Option<usize>,
    first_bar: Option<u32>,
    /// Of a protective order: its entry, the bar, and whether a limit or a stop has opened it within that
    /// bar.
    guards: Option<(usize, u32, How)>,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Open,
    Stop,
    Limit,
}

/// One asset of the account.
#[derive(Clone)]
pub(crate) struct SlowAsset {
    /// What is left of the volume of its bar.
    pub(crate) room: i64,
    /// What it is valued at while others are filled: the open of its bar, and after it its close.
    pub(crate) mark: f64,
    /// Its latest bar.
    latest: Bar,
    /// The bar in which its position was entered from nothing, how and at which price.
    entered: Option<(u32, How, f64)>,
}

#[derive(Clone)]
pub(crate) struct SlowExchange {
    pub(crate) terms: SlowTerms,
    pub(crate) assets: Vec<SlowAsset>,
    /// Whether interest is due for the night before the bars to come, and the fee for what is short of each
    /// asset.
    pub(crate) due: (bool, Vec<bool>),
    /// What can be bought for and could not when the bar at hand began.
    pub(crate) late: f64,
    pub(crate) fills: Vec<SlowFill>,
    pub(crate) fees: f64,
    /// Value that was traded before the fill at hand.
    pub(crate) traded: f64,
    /// What is left of each entry.
    pub(crate) entries: BTreeMap<usize, i64>,
    waiting: Vec<Waiting>,
    pub(crate) ruined: bool,
    /// Margin calls so far.
    pub(crate) called: u32,
}

impl SlowExchange {
    pub(crate) fn new(terms: SlowTerms, assets: usize) -> Self {
        let asset = SlowAsset { room: 0, mark: 0.0, latest: Bar::default(), entered: None };
        Self {
            terms,
            assets: vec![asset; assets],
            due: (false, vec![false; assets]),
            late: 0.0,
            fills: Vec::new(),
            fees: 0.0,
            traded: 0.0,
            entries: BTreeMap::new(),
            waiting: Vec::new(),
            ruined: false,
            called: 0,
        }
    }

    pub(crate) fn send(&mut self, spec: Spec) {
        let bar = self.assets[spec.asset].latest;
        let level = if spec.stop > 0.0 || spec.trail == 0.0 || spec.stop_loss > 0.0 {
            spec.stop
        } else {
            bar.close + spec.trail * spec.size.signum() as f64
        };
        let (triggered_from, opened, first_bar, guards, ended) = (None, None, None, None, false);
        let (sent, rest) = (bar.index, false);
        let at_close = self.terms.on_close && spec.is_at_market();
        self.waiting.push(Waiting {
            spec,
            sent,
            rest,
            at_close,
            level,
            triggered_from,
            opened,
            first_bar,
            guards,
            ended,
        });
    }

    pub(crate) fn cancel_all(&mut self) {
        self.waiting.clear();
    }

    /// Passes a day: one bar of each asset. What the opens free pays at all of them; what is freed within one
    /// bar pays for nothing in the others, which began before.
    pub(crate) fn pass(&mut self, bars: &[Bar]) {
        if self.ruined {
            return;
        }
        self.late = 0.0;
        self.fill_at_close();
        (0..self.assets.len()).for_each(|asset| self.pay_for_the_night(asset));
        self.due = (true, vec![true; self.assets.len()]);
        let day = bars[0].index;
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.sent < day) {
            waiting.first_bar.get_or_insert(day);
        }
        // Daily bars: a day is a bar.
        self.waiting.retain(|w| !w.spec.day || w.first_bar.is_none_or(|first| first == day));
        let part = self.terms.participation;
        for (asset, bar) in self.assets.iter_mut().zip(bars) {
            (asset.latest, asset.mark) = (*bar, bar.open);
            asset.room = if part.is_finite() { (bar.volume * part) as i64 } else { i64::MAX };
        }
        self.walk(bars, None, "open");
        let now = |w: &Waiting| w.spec.immediate || w.spec.whole;
        self.waiting.retain(|w| !now(w) || w.sent >= day);
        let free = self.free();
        for (asset, bar) in bars.iter().enumerate() {
            self.late = (self.free() - free).max(0.0);
            let steps = match self.terms.optimistic {
                true => ["limits", "stops", "limits of entries"],
                false => ["stops", "limits", "stops of entries"],
            };
            for step in steps {
                self.walk(bars, Some(asset), step);
            }
            self.trail(asset, bar);
        }
        for (asset, bar) in self.assets.iter_mut().zip(bars) {
            asset.mark = bar.close;
        }
        self.look_after_margin();
    }

    /// Looks at the orders on one asset, or on all of them.
    fn walk(&mut self, bars: &[Bar], only: Option<usize>, step: &str) {
        let concerns = |w: &Waiting| only.is_none_or(|asset| asset == w.spec.asset);
        // What protects an entry first; but what protects one of this very step comes behind it.
        let here = self.waiting.len();
        for at in 0..here {
            if self.waiting[at].guards.is_some() && concerns(&self.waiting[at]) {
                self.look_at(at, &bars[self.waiting[at].spec.asset], step);
            }
        }
        let mut at = 0;
        while at < self.waiting.len() {
            if (at >= here || self.waiting[at].guards.is_none()) && concerns(&self.waiting[at]) {
                self.look_at(at, &bars[self.waiting[at].spec.asset], step);
            }
            at += 1;
        }
        self.waiting.retain(|w| !w.ended);
    }

    /// Stops follow the price of a bar that is over.
    fn trail(&mut self, asset: usize, bar: &Bar) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.spec.asset == asset) {
            let trails =
                waiting.spec.trail > 0.0 && waiting.sent < bar.index && waiting.triggered_from.is_none();
            if trails && (waiting.guards.is_some() || waiting.spec.stop_loss == 0.0) {
                let sells = waiting.spec.size < 0;
                let within =
                    waiting.guards.is_some_and(|(_, index, how)| index == bar.index && how != How::Open);
                let best = if within {
                    bar.close
                } else if sells {
                    bar.high
                } else {
                    bar.low
                };
                let next = if sells { best - waiting.spec.trail } else { best + waiting.spec.trail };
                waiting.level = if sells { waiting.level.max(next) } else { waiting.level.min(next) };
            }
        }
    }

    /// Closes all positions where the equity is too little for them, and the account where there is none.
    fn look_after_margin(&mut self) {
        if self.equity() > 0.0 && self.equity() < self.terms.maintenance * self.bound() {
            self.waiting.clear();
            self.called += 1;
            for asset in 0..self.assets.len() {
                let (position, bar) = (self.position(asset), self.assets[asset].latest);
                self.begin_fill();
                let side = if position < 0 { 1.0 } else { -1.0 };
                let price = self.terms.exit(Hit::at(bar.close), side);
                // It is forced, whatever the volume, and leaves less of it for orders.
                self.close_first(asset, position.abs(), price, &bar);
                let room = &mut self.assets[asset].room;
                *room = (*room).max(0);
            }
        }
        if self.equity() <= 0.0 {
            self.ruined = true;
            self.waiting.clear();
        }
    }

    /// No bar follows: what was sent for the last closes is filled at them.
    pub(crate) fn end(&mut self) {
        self.late = 0.0;
        self.fill_at_close();
    }

    /// Fills what was sent for the close of the latest bars, with what is left of their volume. All assets
    /// pay for the night first. The rest goes on at the next open.
    fn fill_at_close(&mut self) {
        if self.waiting.iter().any(|w| w.at_close && !w.ended) {
            (0..self.assets.len()).for_each(|asset| self.pay_for_the_night(asset));
        }
        for at in 0..self.waiting.len() {
            let w = &mut self.waiting[at];
            if std::mem::take(&mut w.at_close) && !w.ended {
                let bar = self.assets[w.spec.asset].latest;
                self.fill(at, Hit::at(bar.close), How::Open, &bar);
                let w = &mut self.waiting[at];
                w.ended |= w.spec.immediate;
            }
        }
        self.waiting.retain(|w| !w.ended);
    }

    fn look_at(&mut self, at: usize, bar: &Bar, step: &str) {
        if !self.is_concerned(&self.waiting[at], bar, step) {
            return;
        }
        let Some((hit, how)) = self.price(&self.waiting[at], bar, step) else {
            return self.trigger(at, bar, step);
        };
        self.fill(at, hit, how, bar);
        let w = &mut self.waiting[at];
        let trails = w.spec.trail > 0.0 && w.spec.stop_loss == 0.0;
        let stops = match w.spec.limit > 0.0 {
            true => w.spec.stop > 0.0,
            false => w.guards.is_some() || w.spec.stop > 0.0 || trails,
        };
        if stops && !w.ended && w.triggered_from.is_none() {
            // Touched, and the volume was too little.
            w.triggered_from = Some(bar.index + u32::from(step != "open"));
            if let Some((entry, ..)) = w.guards {
                self.end_entry(entry);
            }
        }
    }

    /// An entry is being closed by what protects it, so what is left of its order has no purpose.
    fn end_entry(&mut self, entry: usize) {
        for w in self.waiting.iter_mut().filter(|w| w.guards.is_none() && w.opened == Some(entry)) {
            w.ended = true;
        }
    }

    /// How and at which price this bar has entered what the order closes, if that is all that it does.
    fn new_entry(&self, w: &Waiting, bar: &Bar) -> Option<(How, f64)> {
        let (index, how, price) = match w.guards {
            Some((entry, index, how)) => (index, how, self.fills[entry].3),
            None if w.spec.reduce_only => self.assets[w.spec.asset].entered?,
            None => return None,
        };
        (index == bar.index).then_some((how, price))
    }

    /// Whether an order that closes could do so in this step: by prices that came after the entry, and only
    /// when there is something to close. At an open one that reduces nothing ends.
    fn is_concerned(&self, w: &Waiting, bar: &Bar, step: &str) -> bool {
        if w.sent >= bar.index || w.ended {
            return false;
        }
        let only_reduces = w.spec.reduce_only && w.guards.is_none();
        if only_reduces && step != "open" && self.position(w.spec.asset) * w.spec.size >= 0 {
            return false;
        }
        let profits = w.spec.limit > 0.0 && w.spec.stop == 0.0;
        match (self.new_entry(w, bar).map(|(how, _)| how), step) {
            (None | Some(How::Open), "stops of entries" | "limits of entries") => false,
            (None | Some(How::Open), _) => true,
            (Some(How::Stop), _) => profits || !self.terms.optimistic,
            (Some(How::Limit), _) => !profits || self.terms.optimistic,
        }
    }

    /// Whether this order is reached in this step, at which price, and how an entry would have come about.
    fn price(&self, w: &Waiting, bar: &Bar, step: &str) -> Option<(Hit, How)> {
        let buys = w.spec.size > 0;
        let above = |price: f64, mark: f64| if buys { price >= mark } else { price <= mark };
        let far = if buys { bar.high } else { bar.low };
        let near = if buys { bar.low } else { bar.high };
        let limit_counts = w.spec.stop == 0.0 || w.triggered_from.is_some_and(|from| from <= bar.index);
        // What closes pays no spread.
        let closes =
            w.guards.is_some() || w.spec.reduce_only || self.position(w.spec.asset) * w.spec.size < 0;
        let spread = if closes { 0.0 } else { self.terms.spread };
        let fits = |price: f64| match buys {
            true => price * (1.0 + spread) <= w.spec.limit,
            false => price * (1.0 - spread) >= w.spec.limit,
        };
        let limit = Some(w.spec.limit);
        if w.spec.limit > 0.0 && limit_counts {
            return match step {
                "open" if fits(bar.open) => Some((Hit { price: bar.open, best: bar.open, limit }, How::Open)),
                "limits" | "limits of entries" if fits(near) => {
                    Some((Hit { price: w.spec.limit, best: near, limit }, How::Limit))
                }
                _ => None,
            };
        }
        if w.spec.limit > 0.0 {
            // A stop-limit order whose stop was not touched before; a touch without a fill is noted by
            // `trigger`.
            let (hit, how) = self.stop_price(w, bar, step, far, &above)?;
            let filled = fits(hit.price) && w.triggered_from.is_none();
            return filled.then_some((Hit { limit, ..hit }, how));
        }
        let trails = w.spec.trail > 0.0 && w.spec.stop_loss == 0.0;
        let stops = w.guards.is_some() || w.spec.stop > 0.0 || trails;
        if stops && w.triggered_from.is_none() {
            return self.stop_price(w, bar, step, far, &above);
        }
        (step == "open").then_some((Hit::at(bar.open), How::Open))
    }

    fn stop_price(
        &self,
        w: &Waiting,
        bar: &Bar,
        step: &str,
        far: f64,
        above: &dyn Fn(f64, f64) -> bool,
    ) -> Option<(Hit, How)> {
        match step {
            "open" if above(bar.open, w.level) => Some((Hit::at(bar.open), How::Open)),
            "stops" | "stops of entries" if above(far, w.level) => {
                // In the bar of the entry, at no better price than that.
                let price = match self.new_entry(w, bar) {
                    Some((_, entry)) if w.spec.size > 0 => w.level.max(entry),
                    Some((_, entry)) => w.level.min(entry),
                    None => w.level,
                };
                Some((Hit::at(price), How::Stop))
            }
            _ => None,
        }
    }

    /// Notes the touch of the stop of a stop-limit order that was not filled by it.
    fn trigger(&mut self, at: usize, bar: &Bar, step: &str) {
        let w = &mut self.waiting[at];
        if w.sent >= bar.index
            || w.ended
            || w.spec.stop == 0.0
            || w.spec.limit == 0.0
            || w.triggered_from.is_some()
        {
            return;
        }
        let reached = |price: f64| if w.spec.size > 0 { price >= w.level } else { price <= w.level };
        match step {
            "open" if reached(bar.open) => w.triggered_from = Some(bar.index),
            "stops" | "stops of entries" if reached(if w.spec.size > 0 { bar.high } else { bar.low }) => {
                w.triggered_from = Some(bar.index + 1);
            }
            _ => {}
        }
    }

    /// Closes what is left of an entry, as far as the volume goes.
    fn fill_guard(&mut self, at: usize, entry: usize, price: f64, bar: &Bar) {
        let asset = self.waiting[at].spec.asset;
        let (before, left) = (self.position(asset), self.entries[&entry]);
        let units = left.signum() * left.abs().min(self.assets[asset].room);
        if units == 0 {
            return;
        }
        self.waiting[at].ended = units == left;
        self.fees += self.charge(units, price);
        self.reduce(entry, units, price, bar);
        self.end_entry(entry);
        self.after(before, at);
    }

    fn fill(&mut self, at: usize, hit: Hit, how: How, bar: &Bar) {
        self.begin_fill();
        let w = self.waiting[at].clone();
        let (asset, missing) = (w.spec.asset, self.missing(&w.spec, hit.price));
        let (before, side) = (self.position(asset), if missing < 0 { -1 } else { 1 });
        let price = self.terms.exit(hit, side as f64);
        if let Some((entry, ..)) = w.guards {
            return self.fill_guard(at, entry, price, bar);
        }
        let mut asked = self.asked(&w.spec, hit);
        if w.spec.reduce_only {
            asked = asked.min(if side * before < 0 { before.abs() } else { 0 });
        }
        let units = asked.min(self.assets[asset].room);
        let closing = if side * before < 0 { units.min(before.abs()) } else { 0 };
        let mut opening = units - closing;
        if asked == 0 || w.spec.whole && units < asked {
            // It asks for nothing, or there is not enough of it.
            self.waiting[at].ended = true;
            return;
        }
        // What closes was filled at the limit; what opens has to reach it with its spread.
        let dear = hit.best * (1.0 + self.terms.spread * side as f64);
        if opening > 0 && closing > 0 && hit.limit.is_some_and(|limit| (limit - dear) * (side as f64) < 0.0) {
            self.waiting[at].ended = w.spec.whole;
            if w.spec.whole {
                return;
            }
            opening = 0;
        }
        let (entry_price, closed) = (self.terms.entry(hit, side as f64), (closing, price));
        if w.spec.whole && opening > 0 && !matches!(w.spec.asked, Asked::Cash(_)) {
            let mut then = self.clone();
            then.close_first(asset, closing, price, bar);
            if !then.pays(opening, entry_price, closed, then.power(asset, hit.price)) {
                self.waiting[at].ended = true;
                return;
            }
        }
        if units == 0 {
            return;
        }
        self.close_first(asset, closing, price, bar);
        let fewer = w.rest || matches!(w.spec.asked, Asked::Equity(_) | Asked::Cash(_) | Asked::ToEquity(_));
        if opening > 0 {
            let power = self.power(asset, hit.price);
            let most = (0..=opening).rev().find(|n| *n == 0 || self.pays(*n, entry_price, closed, power));
            let most = most.unwrap_or(0);
            if most == 0 || most < opening && !fewer {
                // It is refused; what it has closed is closed.
                self.waiting[at].ended = true;
                if closing > 0 {
                    self.after(before, at);
                }
                return;
            }
            if most < opening {
                (opening, asked) = (most, closing + most);
            }
            self.fees += self.growth(opening, entry_price, closed);
            self.open(at, opening * side, entry_price, how, bar);
        }
        let waiting = &mut self.waiting[at];
        waiting.ended = closing + opening == asked;
        if !w.spec.asked.is_target() {
            waiting.rest = fewer;
            (waiting.spec.size, waiting.spec.asked) = ((asked - closing - opening) * side, Asked::Units);
        }
        self.after(before, at);
    }

    fn open(&mut self, at: usize, units: i64, price: f64, how: How, bar: &Bar) {
        let w = self.waiting[at].clone();
        if self.position(w.spec.asset) == 0 {
            self.assets[w.spec.asset].entered = Some((bar.index, how, price));
        }
        self.assets[w.spec.asset].room -= units.abs();
        self.fills.push((w.spec.asset, bar.index, units, price));
        if let Some(left) = w.opened.and_then(|entry| self.entries.get_mut(&entry)) {
            *left += units;
            return;
        }
        let entry = self.fills.len() - 1;
        self.entries.insert(entry, units);
        self.waiting[at].opened = Some(entry);
        let guards = Some((entry, bar.index, how));
        let spec = Spec { asset: w.spec.asset, size: -units, ..Spec::default() };
        let guard =
            |spec, level| Waiting { spec, level, guards, ended: false, triggered_from: None, ..w.clone() };
        if w.spec.stop_loss > 0.0 {
            self.waiting.push(guard(Spec { trail: w.spec.trail, ..spec }, w.spec.stop_loss));
        }
        if w.spec.take_profit > 0.0 {
            self.waiting.push(guard(Spec { limit: w.spec.take_profit, ..spec }, 0.0));
        }
    }

    /// What a fill ends: protective orders of closed entries, its group, and reduce-only orders of a position
    /// that is gone, but for those that were sent with a market order which has closed it.
    fn after(&mut self, before: i64, at: usize) {
        let filled = self.waiting[at].clone();
        let asset = filled.spec.asset;
        let now = self.position(asset);
        let at_market = filled.spec.is_at_market() && filled.guards.is_none();
        let gone = before != 0 && (now == 0 || (now < 0) != (before < 0));
        for (place, w) in self.waiting.iter_mut().enumerate() {
            let (group, guarded) = (filled.spec.group, w.guards.is_some());
            let same_group = filled.guards.is_none() && group != 0 && !guarded && w.spec.group == group;
            let against = (w.spec.size < 0) == (before > 0);
            let left_over = gone
                && w.spec.asset == asset
                && against
                && w.spec.reduce_only
                && !guarded
                && !(at_market && w.sent == filled.sent);
            let unguarded = w.guards.is_some_and(|(entry, ..)| !self.entries.contains_key(&entry));
            // The rest of an entry ends with its trade; one for a position that has closed it itself goes on.
            let spent = w.opened.is_some_and(|entry| !self.entries.contains_key(&entry));
            if spent && place == at {
                w.opened = None;
            }
            w.ended |= (same_group || spent) && place != at || left_over || unguarded;
        }
    }
}
