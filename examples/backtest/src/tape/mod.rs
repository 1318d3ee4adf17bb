//! What the market has said: bars, quotes, ticks and books of one or several assets, merged in the sequence
//! in which they become known. All runs read the same memory.
//!
//! A bar is known when it has closed, and orders are filled in it from its open on. It lasts until the next
//! one of its series, unless that is far away beside the distances next to it, before and behind: then a
//! night, a weekend or a gap lies between, and it lasts as long as the longer of these. So months, days of 23
//! and 25 hours, and series that change the length of their bars show nothing early. Bars of a day and of an
//! hour may be on one tape.
//!
//! Events that become known at the same time, one of each asset at most, are one *moment*: a strategy is
//! called once, when all of them are taken in. Within a moment, what began first comes first.
//!
//! Where the news takes its time ([`Latency`]), a row becomes known so much later, and rows are merged by
//! that. It is booked to its own time, or to that of an event that was heard of before it, if that is later.

mod price;
mod prices;

use std::fmt;
use std::io;
use std::ops::Range;

use mycelium::sweep::SharedSlice;

pub use self::price::MarketData;
pub(crate) use self::price::NO_MIDDLE;
pub use self::prices::{PriceKind, Prices};

use crate::data::{NS_PER_DAY, format_timestamp};
use crate::engine::{Latency, MarketError, Session};
use crate::limits::{ASSETS_MAX, EVENTS_MAX};
use crate::messages::{Bar, Timestamp};
use crate::spill;

/// How many times as far as its neighbours two bars may be from each other without a gap between them: months
/// and days of local time differ by less, weekends and nights by more.
const UNEVEN_MAX: f64 = 1.25;

/// One asset on a tape.
#[derive(Clone, Debug)]
struct OnTape {
    symbol: String,
    prices: Prices,
    /// When each row is over, in ns, where that does not follow from the rows: of a part of a series, whose
    /// neighbours are elsewhere.
    ends_ns: Option<SharedSlice<i64>>,
    /// When a strategy hears of each row, in ns, if that is later.
    heard_ns: Option<SharedSlice<i64>>,
}

/// Where an event lies.
#[derive(Clone, Copy, Debug)]
struct Slot {
    asset: u16,
    ends_moment: bool,
    at: u32,
}

/// One event of a tape.
#[derive(Clone, Copy, Debug)]
pub struct TapeEvent<'a> {
    /// Its place on the tape.
    pub number: usize,
    /// Number of the asset.
    pub asset: u16,
    /// Its place in the asset's series.
    pub at: usize,
    /// What it says.
    pub data: MarketData<'a>,
    /// Whether it is the last of its moment.
    pub ends_moment: bool,
}

/// Several series, merged by time.
#[derive(Clone, Debug)]
pub struct Tape {
    assets: Vec<OnTape>,
    /// Empty for one asset: then events are its rows.
    slots: SharedSlice<Slot>,
    /// Behind which slot each moment ends.
    moment_ends: SharedSlice<u32>,
    /// The time to which each event is booked, in ns, where news of several assets may overtake one another.
    booked_ns: Option<SharedSlice<i64>>,
}

/// Prices that make no tape.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TapeError {
    /// There is no asset.
    NoAsset,
    /// Two assets have this name.
    SameName(String),
    /// More assets than [`ASSETS_MAX`], or more events than [`EVENTS_MAX`].
    TooMany,
    /// A row that cannot be.
    Row {
        /// The asset.
        symbol: String,
        /// The row, from 0.
        row: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no file for what memory does not keep.
    Spill {
        /// What the operating system said, and what to do.
        reason: String,
    },
}

impl From<io::Error> for TapeError {
    fn from(error: io::Error) -> Self {
        Self::Spill { reason: error.to_string() }
    }
}

impl Tape {
    /// Merges series. The first asset is that of a strategy's own methods (`ctx.buy`).
    ///
    /// # Errors
    /// [`TapeError`]: no asset, two of one name, too many events, a row out of order or without a price, or
    /// no file for what memory does not keep.
    pub fn new(assets: impl IntoIterator<Item = (String, Prices)>) -> Result<Self, TapeError> {
        let mut listed: Vec<OnTape> = Vec::new();
        for (symbol, prices) in assets {
            if listed.iter().any(|other| other.symbol == symbol) {
                return Err(TapeError::SameName(symbol));
            }
            if let Some((row, reason)) = prices.fault() {
                return Err(TapeError::Row { symbol, row, reason });
            }
            // Too many assets are refused below.
            let number = u16::try_from(listed.len()).unwrap_or(u16::MAX);
            listed.push(OnTape { symbol, prices: prices.numbered(number)?, ends_ns: None, heard_ns: None });
        }
        let events: usize = listed.iter().map(|asset| asset.prices.len()).sum();
        if listed.is_empty() {
            return Err(TapeError::NoAsset);
        }
        if listed.len() > ASSETS_MAX || events > EVENTS_MAX {
            return Err(TapeError::TooMany);
        }
        let mut tape = Self {
            assets: listed,
            slots: SharedSlice::default(),
            moment_ends: SharedSlice::default(),
            booked_ns: None,
        };
        if tape.assets.len() > 1 {
            tape.slots = tape.merged()?;
            tape.moment_ends = moment_ends(&tape.slots)?;
        }
        Ok(tape)
    }

    /// Numbers of events in the sequence of their times. Of one time, what began first is first, and of that
    /// the asset that was named first.
    fn merged(&self) -> io::Result<SharedSlice<Slot>> {
        let mut slots = spill::writer::<Slot>();
        let mut next = vec![0_usize; self.assets.len()];
        let key = |asset: usize, at: usize| {
            let known_ns = self.known_at(asset, at)?;
            Some(std::cmp::Reverse((known_ns, self.assets[asset].prices.time_ns(at), asset)))
        };
        let first = |asset: usize| key(asset, 0);
        let mut heap: std::collections::BinaryHeap<_> = (0..self.assets.len()).filter_map(first).collect();
        let (mut moment_ns, mut in_moment) = (i64::MIN, vec![false; self.assets.len()]);
        while let Some(std::cmp::Reverse((ns, _, asset))) = heap.pop() {
            if ns != moment_ns || in_moment[asset] {
                if let Some(last) = slots.as_mut_slice().last_mut() {
                    last.ends_moment = true;
                }
                in_moment.fill(false);
                moment_ns = ns;
            }
            in_moment[asset] = true;
            slots.push(Slot { asset: asset as u16, ends_moment: false, at: next[asset] as u32 })?;
            next[asset] += 1;
            heap.extend(key(asset, next[asset]));
        }
        if let Some(last) = slots.as_mut_slice().last_mut() {
            last.ends_moment = true;
        }
        slots.finish()
    }

    /// Checks that an asset has something to trade on within its hours.
    pub(crate) fn check_session(&self, asset: u16, session: &Session) -> Result<(), MarketError> {
        let Some(prices) = self.prices(asset).filter(|prices| !prices.is_empty()) else { return Ok(()) };
        let within = |at| prices.get(at).is_some_and(|data| session.contains(data.timestamp()));
        if session.is_whole_day() || (0..prices.len()).any(within) {
            return Ok(());
        }
        let first = prices.get(0).map(|data| format_timestamp(data.timestamp())).unwrap_or_default();
        let reason = format!(
            "is {session}, and no price of `{}` begins then; the first is at {first} UTC. Bars of a day have no \
             hours: beside prices of an asset that has, give each its own terms in code",
            self.assets[usize::from(asset)].symbol
        );
        Err(MarketError { term: "session", reason })
    }

    /// When a strategy hears of a row of an asset.
    fn known_at(&self, asset: usize, at: usize) -> Option<i64> {
        match &self.assets.get(asset)?.heard_ns {
            Some(heard_ns) => heard_ns.get(at).copied(),
            None => self.end_at(asset, at),
        }
    }

    /// When a row of an asset is over.
    fn end_at(&self, asset: usize, at: usize) -> Option<i64> {
        let OnTape { prices, ends_ns, .. } = self.assets.get(asset)?;
        if let Some(ends_ns) = ends_ns {
            return ends_ns.get(at).copied();
        }
        let start_ns = prices.get(at)?.timestamp().as_nanos();
        let length_ns = if let Prices::Bars(bars) = prices { length_ns(bars, at) } else { 0 };
        Some(start_ns.saturating_add(length_ns))
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.assets.len() == 1 { self.assets[0].prices.len() } else { self.slots.len() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bars, if that is all there is.
    #[must_use]
    pub fn only_bars(&self) -> Option<&SharedSlice<Bar>> {
        match &self.assets[..] {
            [OnTape { prices: Prices::Bars(bars), .. }] => Some(bars),
            _ => None,
        }
    }

    /// How many assets there are, at least one.
    #[must_use]
    pub fn assets(&self) -> usize {
        self.assets.len()
    }

    /// The names of the assets, by their numbers.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.assets.iter().map(|asset| asset.symbol.as_str())
    }

    /// The series of an asset.
    #[must_use]
    pub fn prices(&self, asset: u16) -> Option<&Prices> {
        self.assets.get(usize::from(asset)).map(|asset| &asset.prices)
    }

    /// An event by its number.
    #[inline]
    #[must_use]
    pub fn event(&self, number: usize) -> Option<TapeEvent<'_>> {
        let slot = if self.assets.len() == 1 {
            Slot { asset: 0, ends_moment: true, at: number as u32 }
        } else {
            *self.slots.get(number)?
        };
        let data = self.assets[usize::from(slot.asset)].prices.get(slot.at as usize)?;
        Some(TapeEvent {
            number,
            asset: slot.asset,
            at: slot.at as usize,
            data,
            ends_moment: slot.ends_moment,
        })
    }

    /// Whether no event of its asset follows, while those of others may. Of one asset, the end of the tape
    /// says it.
    #[inline]
    pub(crate) fn is_last_of_several(&self, event: &TapeEvent<'_>) -> bool {
        self.assets.len() > 1 && event.at + 1 == self.assets[usize::from(event.asset)].prices.len()
    }

    /// The same prices, each of which is heard of so much after it is over.
    pub(crate) fn delayed(&self, latency: &dyn Latency) -> Result<Self, TapeError> {
        let heard = |asset: usize| -> io::Result<SharedSlice<i64>> {
            let mut before_ns = i64::MIN;
            let rows = 0..self.assets[asset].prices.len();
            spill::collect(rows.map(|at| {
                let end_ns = self.end_at(asset, at).unwrap_or_default();
                let delay = latency.delay(asset as u16, Timestamp::from_nanos(end_ns));
                let delay_ns = i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX);
                before_ns = before_ns.max(end_ns.saturating_add(delay_ns));
                before_ns
            }))
        };
        let mut tape = self.clone();
        for (at, asset) in tape.assets.iter_mut().enumerate() {
            asset.heard_ns = Some(heard(at)?);
        }
        if tape.assets.len() > 1 {
            tape.slots = tape.merged()?;
            tape.moment_ends = moment_ends(&tape.slots)?;
            let mut latest_ns = i64::MIN;
            let booked = (0..tape.len()).filter_map(|number| tape.event(number)).map(|event| {
                latest_ns = latest_ns.max(tape.own_time(&event).as_nanos());
                latest_ns
            });
            tape.booked_ns = Some(spill::collect(booked)?);
        }
        Ok(tape)
    }

    /// Whether rows are heard of later than they are over.
    pub(crate) fn is_delayed(&self) -> bool {
        self.assets.iter().any(|asset| asset.heard_ns.is_some())
    }

    /// When an event becomes known: a bar when it is over.
    #[inline]
    #[must_use]
    pub fn known(&self, event: &TapeEvent<'_>) -> Timestamp {
        let known = self.known_at(usize::from(event.asset), event.at);
        known.map_or(event.data.timestamp(), Timestamp::from_nanos)
    }

    /// The last event of the moment that begins with this one.
    #[must_use]
    pub fn moment_end(&self, number: usize) -> usize {
        let rest = self.slots.get(number..).unwrap_or_default();
        number + rest.iter().position(|slot| slot.ends_moment).unwrap_or(0)
    }

    /// The moments of this range, as a tape of its own: rows are numbered from the first, and become known
    /// when they do here. Of one asset each row is a moment.
    ///
    /// # Errors
    /// [`TapeError::Spill`].
    pub fn part(&self, moments: Range<usize>) -> Result<Self, TapeError> {
        let events = self.events_of(moments);
        let mut rows: Vec<Option<Range<usize>>> = vec![None; self.assets.len()];
        for event in events.clone().filter_map(|number| self.event(number)) {
            let rows = rows[usize::from(event.asset)].get_or_insert(event.at..event.at);
            rows.end = event.at + 1;
        }
        let rows: Vec<Range<usize>> = rows.into_iter().map(Option::unwrap_or_default).collect();
        let of_asset = |(asset, listed): (usize, &OnTape)| -> io::Result<OnTape> {
            let rows = rows[asset].clone();
            let end = |at: usize| self.end_at(asset, at).unwrap_or_default();
            // One series has no other that would have to know.
            let ends_ns = (self.assets.len() > 1).then(|| spill::collect(rows.clone().map(end)));
            Ok(OnTape {
                symbol: listed.symbol.clone(),
                prices: listed.prices.part(rows.clone())?,
                ends_ns: ends_ns.transpose()?,
                heard_ns: part_of(listed.heard_ns.as_ref(), rows)?,
            })
        };
        let renumbered =
            |slot: &Slot| Slot { at: slot.at - rows[usize::from(slot.asset)].start as u32, ..*slot };
        let slots =
            spill::collect(self.slots.get(events.clone()).unwrap_or_default().iter().map(renumbered))?;
        Ok(Self {
            assets: self.assets.iter().enumerate().map(of_asset).collect::<io::Result<_>>()?,
            booked_ns: part_of(self.booked_ns.as_ref(), events)?,
            moment_ends: moment_ends(&slots)?,
            slots,
        })
    }

    /// How many rows of each asset are in these moments. It takes as long as there are events in them; of one
    /// asset no time.
    pub(crate) fn rows(&self, moments: Range<usize>) -> Vec<usize> {
        let events = self.events_of(moments);
        if self.assets.len() == 1 {
            return vec![events.len()];
        }
        let mut rows = vec![0; self.assets.len()];
        for slot in self.slots.get(events).unwrap_or_default() {
            rows[usize::from(slot.asset)] += 1;
        }
        rows
    }

    /// The events of these moments.
    fn events_of(&self, moments: Range<usize>) -> Range<usize> {
        let end = |moments: usize| match moments {
            _ if self.assets.len() == 1 => moments.min(self.len()),
            0 => 0,
            count => self.moment_ends.get(count - 1).map_or(self.slots.len(), |end| *end as usize),
        };
        let start = end(moments.start);
        start..end(moments.end).max(start)
    }

    /// Time and value of all assets in equal parts at each moment, as bars: what buying and holding is
    /// measured by. Of one series of bars, these are the bars.
    pub(crate) fn benchmark(&self) -> Result<SharedSlice<Bar>, TapeError> {
        if let Some(bars) = self.only_bars() {
            return Ok(bars.clone());
        }
        let mut prices = vec![(0.0, 0.0); self.assets.len()];
        let mut bars = spill::writer();
        for number in 0..self.len() {
            let Some(event) = self.event(number) else { break };
            let price = event.data.price();
            let (first, latest) = &mut prices[usize::from(event.asset)];
            if *first == 0.0 {
                *first = price;
            }
            *latest = price;
            if event.ends_moment {
                // A price that is not known yet has not moved.
                let growth = |(first, latest): &(f64, f64)| if *first == 0.0 { 1.0 } else { latest / first };
                let close = 100.0 * prices.iter().map(growth).sum::<f64>() / prices.len() as f64;
                let timestamp = self.time_of(&event);
                let index = bars.as_slice().len() as u32;
                bars.push(Bar {
                    timestamp,
                    open: close,
                    high: close,
                    low: close,
                    close,
                    index,
                    ..Bar::default()
                })?;
            }
        }
        Ok(bars.finish()?)
    }

    /// The time to which a moment is booked: that of its bars where there is nothing else, and otherwise
    /// the last instant before it became known, so that a day's bar belongs to its day.
    #[inline]
    pub(crate) fn time_of(&self, event: &TapeEvent<'_>) -> Timestamp {
        match &self.booked_ns {
            Some(booked_ns) => Timestamp::from_nanos(booked_ns[event.number]),
            None => self.own_time(event),
        }
    }

    #[inline]
    fn own_time(&self, event: &TapeEvent<'_>) -> Timestamp {
        match event.data {
            MarketData::Bar(_) if self.assets.len() > 1 => {
                let end_ns = self.end_at(usize::from(event.asset), event.at).unwrap_or_default();
                Timestamp::from_nanos(end_ns.saturating_sub(1))
            }
            data => data.timestamp(),
        }
    }
}

/// Behind which of these each moment ends.
fn moment_ends(slots: &[Slot]) -> io::Result<SharedSlice<u32>> {
    let ends = slots.iter().zip(1..).filter(|(slot, _)| slot.ends_moment);
    spill::collect(ends.map(|(_, end)| end))
}

/// Some of these times, if there are any.
fn part_of(times_ns: Option<&SharedSlice<i64>>, rows: Range<usize>) -> io::Result<Option<SharedSlice<i64>>> {
    times_ns.map(|times_ns| spill::collect(times_ns[rows].iter().copied())).transpose()
}

/// How long a bar lasts. Nothing says it of the last one but the bar before; of a single one it is a day.
#[inline]
fn length_ns(bars: &[Bar], at: usize) -> i64 {
    let begins_ns = |bar: &Bar| bar.timestamp.as_nanos();
    if let Some([before, this, next]) = at.checked_sub(1).and_then(|from| bars.get(from..from + 3)) {
        // Most often: what comes behind makes it no longer, and no shorter.
        let next_ns = begins_ns(next).saturating_sub(begins_ns(this));
        if next_ns == begins_ns(this).saturating_sub(begins_ns(before)) {
            return next_ns;
        }
    }
    uneven_length_ns(bars, at)
}

fn uneven_length_ns(bars: &[Bar], at: usize) -> i64 {
    let start_ns = |at: usize| bars.get(at).map(|bar| bar.timestamp.as_nanos());
    let step_ns = |at: usize| Some(start_ns(at + 1)?.saturating_sub(start_ns(at)?));
    let at = if at + 1 == bars.len() { at.saturating_sub(1) } else { at };
    let Some(next_ns) = step_ns(at) else { return NS_PER_DAY };
    let before_ns = at.checked_sub(1).and_then(step_ns);
    if before_ns == Some(next_ns) {
        return next_ns;
    }
    let beside_ns = before_ns.max(step_ns(at + 1)).filter(|ns| *ns > 0).unwrap_or(next_ns);
    if next_ns as f64 <= beside_ns as f64 * UNEVEN_MAX { next_ns } else { beside_ns }
}

impl fmt::Display for TapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAsset => f.write_str("there is no asset: give at least one series"),
            Self::SameName(symbol) => {
                write!(
                    f,
                    "two assets are called `{symbol}`: give each a name of its own. A file without a column of \
                     symbols has its own name: rename one, or add the column"
                )
            }
            Self::TooMany => {
                write!(f, "more than {ASSETS_MAX} assets or {EVENTS_MAX} events: run parts of them")
            }
            Self::Row { symbol, row, reason } => write!(f, "row {row} of `{symbol}`: {reason}"),
            Self::Spill { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for TapeError {}
