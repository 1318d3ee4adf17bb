//! An exchange as the page describes it, written for the reader and not for speed: it keeps every fill and
//! computes the account anew from all of them each time it is asked. It shares nothing with
//! `backtest::engine`.

use std::collections::BTreeMap;

use backtest::messages::Bar;

/// An order of the random tests. A price of 0 is none; `size` is in units, negative to sell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spec {
    pub(crate) size: i64,
    pub(crate) limit: f64,
    pub(crate) stop: f64,
    /// A stop of its own that trails, if there is no stop loss.
    pub(crate) trail: f64,
    pub(crate) stop_loss: f64,
    pub(crate) take_profit: f64,
    pub(crate) reduce_only: bool,
    pub(crate) day: bool,
    pub(crate) immediate: bool,
    /// Orders of one bar with the same group cancel each other.
    pub(crate) group: u32,
}

/// A fill: bar, units, price.
pub(crate) type SlowFill = (u32, i64, f64);

#[derive(Clone, Debug)]
struct Waiting {
    spec: Spec,
    sent: u32,
    level: f64,
    triggered_from: Option<u32>,
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

pub(crate) struct SlowExchange {
    cash: f64,
    share: f64,
    pub(crate) fills: Vec<SlowFill>,
    /// What is left of each entry.
    entries: BTreeMap<usize, i64>,
    waiting: Vec<Waiting>,
    pub(crate) ruined: bool,
}

impl SlowExchange {
    pub(crate) fn new(cash: f64, share: f64) -> Self {
        let (fills, entries, waiting) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { cash, share, fills, entries, waiting, ruined: false }
    }

    pub(crate) fn position(&self) -> i64 {
        if self.ruined { 0 } else { self.fills.iter().map(|fill| fill.1).sum() }
    }

    /// All the money that has flowed, and what the position is worth.
    pub(crate) fn equity(&self, price: f64) -> f64 {
        if self.ruined {
            return 0.0;
        }
        let flow = |&(_, units, at): &SlowFill| -(units as f64) * at - (units.abs() as f64) * at * self.share;
        self.cash + self.fills.iter().map(flow).sum::<f64>() + self.position() as f64 * price
    }

    pub(crate) fn send(&mut self, spec: Spec, bar: &Bar) {
        let level = if spec.stop > 0.0 || spec.trail == 0.0 || spec.stop_loss > 0.0 {
            spec.stop
        } else {
            bar.close + spec.trail * spec.size.signum() as f64
        };
        let (triggered_from, first_bar, guards, ended) = (None, None, None, false);
        self.waiting.push(Waiting { spec, sent: bar.index, level, triggered_from, first_bar, guards, ended });
    }

    pub(crate) fn cancel_all(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn pass(&mut self, bar: &Bar) {
        if self.ruined {
            return;
        }
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.sent < bar.index) {
            waiting.first_bar.get_or_insert(bar.index);
        }
        // Daily bars: a day is a bar.
        self.waiting.retain(|w| !w.spec.day || w.first_bar.is_none_or(|first| first == bar.index));
        for step in ["open", "stops", "limits", "stops of entries"] {
            let mut at = 0;
            while at < self.waiting.len() {
                match self.price(&self.waiting[at], bar, step) {
                    Some((price, how)) => self.fill(at, price, how, bar),
                    None => self.trigger(at, bar, step),
                }
                at += 1;
            }
            self.waiting.retain(|w| !w.ended);
            if step == "open" {
                self.waiting.retain(|w| !w.spec.immediate || w.sent >= bar.index);
            }
        }
        for waiting in &mut self.waiting {
            let trails = waiting.spec.trail > 0.0 && waiting.sent < bar.index;
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
        if self.equity(bar.close) <= 0.0 {
            self.ruined = true;
            self.waiting.clear();
        }
    }

    /// Whether this order is reached in this step, at which price, and how an entry would have come about.
    fn price(&self, w: &Waiting, bar: &Bar, step: &str) -> Option<(f64, How)> {
        if w.sent >= bar.index || w.ended {
            return None;
        }
        let (buys, profits) = (w.spec.size > 0, w.spec.limit > 0.0);
        let new = w.guards.filter(|(_, index, _)| *index == bar.index).map(|(.., how)| how);
        let concerned = match (new, step) {
            (None | Some(How::Open), "stops of entries") => false,
            (None | Some(How::Open | How::Stop), _) => true,
            (Some(How::Limit), _) => !profits,
        };
        if !concerned {
            return None;
        }
        let above = |price: f64, mark: f64| if buys { price >= mark } else { price <= mark };
        let far = if buys { bar.high } else { bar.low };
        let near = if buys { bar.low } else { bar.high };
        let limit_counts = w.spec.stop == 0.0 || w.triggered_from.is_some_and(|from| from <= bar.index);
        if w.spec.limit > 0.0 && limit_counts {
            return match step {
                "open" if !above(bar.open, w.spec.limit) || bar.open == w.spec.limit => {
                    Some((bar.open, How::Open))
                }
                "limits" if !above(near, w.spec.limit) || near == w.spec.limit => {
                    Some((w.spec.limit, How::Limit))
                }
                _ => None,
            };
        }
        if w.spec.limit > 0.0 {
            // A stop-limit order whose stop was not touched before; a touch without a fill is noted by
            // `trigger`.
            let (price, how) = self.stop_price(w, bar, step, far, &above)?;
            let filled = !above(price, w.spec.limit) || price == w.spec.limit;
            return (filled && w.triggered_from.is_none()).then_some((price, how));
        }
        let trails = w.spec.trail > 0.0 && w.spec.stop_loss == 0.0;
        if w.guards.is_some() || w.spec.stop > 0.0 || trails {
            return self.stop_price(w, bar, step, far, &above);
        }
        (step == "open").then_some((bar.open, How::Open))
    }

    fn stop_price(
        &self,
        w: &Waiting,
        bar: &Bar,
        step: &str,
        far: f64,
        above: &dyn Fn(f64, f64) -> bool,
    ) -> Option<(f64, How)> {
        match step {
            "open" if above(bar.open, w.level) => Some((bar.open, How::Open)),
            "stops" | "stops of entries" if above(far, w.level) => Some((w.level, How::Stop)),
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
            "stops" if reached(if w.spec.size > 0 { bar.high } else { bar.low }) => {
                w.triggered_from = Some(bar.index + 1);
            }
            _ => {}
        }
    }

    fn fill(&mut self, at: usize, price: f64, how: How, bar: &Bar) {
        self.waiting[at].ended = true;
        let w = self.waiting[at].clone();
        let before = self.position();
        let mut units = w.spec.size;
        if let Some((entry, ..)) = w.guards {
            let left = self.entries.remove(&entry).expect("a protective order ends with its entry");
            self.fills.push((bar.index, -left, price));
            return self.after(before, &w, bar);
        }
        if w.spec.reduce_only {
            units = units.signum() * units.abs().min(if units * before < 0 { before.abs() } else { 0 });
        }
        let asked = units;
        while units != 0 {
            let Some((&entry, &left)) = self.entries.iter().find(|(_, left)| **left * units < 0) else {
                break;
            };
            let closed = left.signum() * left.abs().min(units.abs());
            self.fills.push((bar.index, -closed, price));
            units += closed;
            if left == closed {
                self.entries.remove(&entry)
            } else {
                self.entries.insert(entry, left - closed)
            };
        }
        let bound = (self.position().abs() as f64) * price;
        let free = (self.equity(price) - bound).max(0.0);
        let opens = units != 0 && units.abs() as f64 * price * (1.0 + self.share) <= free;
        if opens {
            self.open(&w, units, price, how, bar);
        }
        if opens || units != asked {
            self.after(before, &w, bar);
        }
    }

    fn open(&mut self, w: &Waiting, units: i64, price: f64, how: How, bar: &Bar) {
        let entry = self.fills.len();
        self.fills.push((bar.index, units, price));
        self.entries.insert(entry, units);
        let spec = Spec { size: -units, ..Spec::default() };
        if w.spec.stop_loss > 0.0 {
            let worst = if units > 0 { w.spec.stop_loss.min(price) } else { w.spec.stop_loss.max(price) };
            let level = if how == How::Open { w.spec.stop_loss } else { worst };
            let guards = Some((entry, bar.index, how));
            let spec = Spec { trail: w.spec.trail, ..spec };
            self.waiting.push(Waiting {
                spec,
                level,
                guards,
                ended: false,
                triggered_from: None,
                ..w.clone()
            });
        }
        if w.spec.take_profit > 0.0 {
            let guards = Some((entry, bar.index, how));
            let spec = Spec { limit: w.spec.take_profit, ..spec };
            let level = 0.0;
            self.waiting.push(Waiting {
                spec,
                level,
                guards,
                ended: false,
                triggered_from: None,
                ..w.clone()
            });
        }
    }

    /// What a fill ends: protective orders of closed entries, its group, and reduce-only orders of a position
    /// that is gone.
    fn after(&mut self, before: i64, filled: &Waiting, bar: &Bar) {
        let now = self.position();
        let gone = before != 0 && (now == 0 || (now < 0) != (before < 0));
        for w in &mut self.waiting {
            let (group, guarded) = (filled.spec.group, w.guards.is_some());
            let same_group = filled.guards.is_none() && group != 0 && !guarded && w.spec.group == group;
            let left_over = gone && w.spec.reduce_only && !guarded && w.sent + 1 < bar.index;
            let unguarded = w.guards.is_some_and(|(entry, ..)| !self.entries.contains_key(&entry));
            w.ended |= same_group || left_over || unguarded;
        }
    }
}
