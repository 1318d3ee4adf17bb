//! What a trader has heard of the market, and how much of it its strategy has seen.

use std::sync::Arc;

use mycelium::sweep::SharedSlice;

use super::heard::{Heard, HeardPast, TooManyWait};
use crate::messages::{Bar, Depth, Moment, Quote, Tick, Timestamp};
use crate::tape::{Prices, Tape};

/// How much was seen of one asset of a tape.
#[derive(Clone, Debug, Default)]
struct SeenPast {
    seen: usize,
    latest: Bar,
}

#[derive(Clone, Debug)]
enum Store {
    /// One series of bars in memory, shared by all runs.
    Bars(SharedSlice<Bar>),
    /// A tape in memory, shared by all runs.
    Tape(Arc<Tape>, Vec<SeenPast>),
    /// The latest events, as they came, and those that the strategy has not seen.
    Heard(Box<HeardPast>),
}

/// The events so far, and those that are known to the trader but not yet to its strategy.
#[derive(Clone, Debug)]
pub(super) struct Past {
    store: Store,
    /// Events that the strategy has seen, of those in memory.
    seen: usize,
    /// Events that have happened, of those in memory.
    happened: usize,
}

impl Past {
    /// That of a tape in memory, of which nothing has happened yet.
    pub(super) fn shared(tape: &Arc<Tape>) -> Self {
        let store = match tape.only_bars() {
            Some(bars) => Store::Bars(bars.clone()),
            None => Store::Tape(Arc::clone(tape), vec![SeenPast::default(); tape.assets()]),
        };
        Self { store, seen: 0, happened: 0 }
    }

    /// That of events of so many assets that come one by one.
    pub(super) fn own(assets: usize) -> Self {
        Self { store: Store::Heard(Box::new(HeardPast::new(assets))), seen: 0, happened: 0 }
    }

    /// An event has come, for the strategy to see when its fills are known.
    ///
    /// # Errors
    /// Too many wait already: this one is lost.
    pub(super) fn push(&mut self, heard: Heard) -> Result<(), TooManyWait> {
        match &mut self.store {
            Store::Heard(past) => past.push(heard),
            Store::Bars(_) | Store::Tape(..) => Ok(()),
        }
    }

    /// The events that come from now on, up to its last one, are one moment.
    pub(super) fn announce(&mut self, moment: Moment) {
        if let Store::Heard(past) = &mut self.store {
            past.announce(moment);
        }
    }

    /// The exchange is done with all up to this event.
    pub(super) fn end_at(&mut self, number: u32) {
        if let Store::Heard(past) = &mut self.store {
            past.end_at(number);
        }
    }

    /// How many events were passed over because nobody could trade on them, and why the first was.
    pub(super) fn passed_over(&self) -> (u64, &'static str) {
        match &self.store {
            Store::Heard(past) => past.passed_over(),
            Store::Bars(_) | Store::Tape(..) => (0, ""),
        }
    }

    /// Events in memory have happened, up to this number.
    pub(super) fn happened(&mut self, until: usize) {
        self.happened = match &self.store {
            Store::Bars(bars) => until.min(bars.len()),
            Store::Tape(tape, _) => until.min(tape.len()),
            Store::Heard(_) => 0,
        };
    }

    /// The number of the last event of the next moment that the strategy has not seen.
    pub(super) fn next_number(&self) -> Option<u32> {
        match &self.store {
            Store::Heard(past) => past.next_number(),
            Store::Bars(_) => (self.seen < self.happened).then_some(self.seen as u32),
            Store::Tape(tape, _) => {
                let end = tape.moment_end(self.seen);
                (end < self.happened).then_some(end as u32)
            }
        }
    }

    /// Shows the strategy one moment more: tells each asset's price, and says the time. `None` if nothing
    /// more has happened.
    #[inline]
    pub(super) fn see(&mut self, mut price: impl FnMut(usize, f64)) -> Option<Timestamp> {
        let Store::Bars(bars) = &self.store else { return self.see_more_than_bars(price) };
        let bar = bars[..self.happened].get(self.seen)?;
        self.seen += 1;
        price(0, bar.close);
        Some(bar.timestamp)
    }

    /// Apart, so that the loop over the bars of one series is a short one.
    #[inline(never)]
    fn see_more_than_bars(&mut self, mut price: impl FnMut(usize, f64)) -> Option<Timestamp> {
        match &mut self.store {
            Store::Bars(_) => None,
            Store::Tape(tape, assets) => {
                let mut time = None;
                while self.seen < self.happened {
                    let event = tape.event(self.seen)?;
                    let past = &mut assets[usize::from(event.asset)];
                    past.seen = event.at + 1;
                    past.latest = event.data.as_bar(event.at);
                    self.seen += 1;
                    price(usize::from(event.asset), past.latest.close);
                    time = Some(tape.time_of(&event));
                    if event.ends_moment {
                        break;
                    }
                }
                time
            }
            Store::Heard(past) => past.see(price),
        }
    }

    /// The latest event of an asset as a bar.
    #[inline]
    pub(super) fn bar(&self, asset: usize) -> &Bar {
        match &self.store {
            Store::Bars(bars) => &bars[self.seen - 1],
            Store::Tape(_, assets) => &assets[asset].latest,
            Store::Heard(past) => &past.of(asset).latest,
        }
    }

    pub(super) fn bars(&self, asset: usize) -> &[Bar] {
        match &self.store {
            Store::Bars(bars) => &bars[..self.seen],
            Store::Tape(tape, assets) => match tape.prices(asset as u16) {
                Some(Prices::Bars(bars)) => &bars[..assets[asset].seen],
                _ => &[],
            },
            Store::Heard(past) => &past.of(asset).bars,
        }
    }

    pub(super) fn quotes(&self, asset: usize) -> &[Quote] {
        match &self.store {
            Store::Bars(_) => &[],
            Store::Tape(tape, assets) => match tape.prices(asset as u16) {
                Some(Prices::Quotes(quotes)) => &quotes[..assets[asset].seen],
                _ => &[],
            },
            Store::Heard(past) => &past.of(asset).quotes,
        }
    }

    pub(super) fn ticks(&self, asset: usize) -> &[Tick] {
        match &self.store {
            Store::Bars(_) => &[],
            Store::Tape(tape, assets) => match tape.prices(asset as u16) {
                Some(Prices::Ticks(ticks)) => &ticks[..assets[asset].seen],
                _ => &[],
            },
            Store::Heard(past) => &past.of(asset).ticks,
        }
    }

    pub(super) fn books(&self, asset: usize) -> &[Depth] {
        match &self.store {
            Store::Tape(tape, assets) => match tape.prices(asset as u16) {
                Some(Prices::Depth(books)) => &books[..assets[asset].seen],
                _ => &[],
            },
            Store::Bars(_) => &[],
            Store::Heard(past) => &past.of(asset).books,
        }
    }

    /// The number of the latest event that the strategy has seen.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        match &self.store {
            Store::Bars(_) | Store::Tape(..) => (self.seen as u32).saturating_sub(1),
            Store::Heard(past) => past.number(),
        }
    }

    /// The place of the latest event of an asset in its series.
    pub(super) fn latest_place(&self, asset: usize) -> u32 {
        match &self.store {
            Store::Tape(_, assets) => (assets[asset].seen as u32).saturating_sub(1),
            _ => self.number(),
        }
    }

    /// The place of an event in the series of its asset.
    pub(super) fn place(&self, number: u32) -> u32 {
        match &self.store {
            Store::Tape(tape, _) => tape.event(number as usize).map_or(number, |event| event.at as u32),
            _ => number,
        }
    }
}
