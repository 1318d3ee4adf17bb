//! What has come as messages: events that wait until their fills are known, in moments, and those that the
//! strategy has seen.

use std::collections::VecDeque;
use std::fmt;

use crate::engine::{Announced, Placed};
use crate::limits::{EVENTS_WAITING_MAX, LOOKBACK_BARS};
use crate::messages::{Bar, Depth, Moment, Quote, Tick, Timestamp};
use crate::tape::MarketData;

/// An event that came as a message.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Bar(Bar),
    Quote(Quote),
    Tick(Tick),
    /// Far larger than the others.
    Depth(Box<Depth>),
}

/// An event that the strategy has not seen.
#[derive(Clone, Debug)]
struct Waiting {
    heard: Heard,
    /// The moment that it was announced with, if it was.
    moment: Option<Moment>,
    ends_moment: bool,
}

/// What has come of one asset, and was seen: the latest.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnPast {
    pub(super) bars: Vec<Bar>,
    pub(super) quotes: Vec<Quote>,
    pub(super) ticks: Vec<Tick>,
    pub(super) books: Vec<Depth>,
    pub(super) latest: Bar,
    seen: usize,
}

/// What has come of all assets.
#[derive(Clone, Debug)]
pub(super) struct HeardPast {
    assets: Vec<OwnPast>,
    queue: VecDeque<Waiting>,
    /// The moment whose events come.
    announced: Announced,
    /// Number of the latest event that the strategy has seen.
    number: u32,
    /// How many events were passed over, and why the first was.
    passed_over: (u64, &'static str),
}

/// An event came while [`EVENTS_WAITING_MAX`] waited for an exchange that does not answer. Results without it
/// would be those of other prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyWait {
    number: u32,
    asset: u16,
}

impl HeardPast {
    pub(super) fn new(assets: usize) -> Self {
        Self {
            assets: vec![OwnPast::default(); assets],
            queue: VecDeque::new(),
            announced: Announced::default(),
            number: 0,
            passed_over: (0, ""),
        }
    }

    /// The events that come from now on, up to its last one, are one moment.
    pub(super) fn announce(&mut self, moment: Moment) {
        self.end_moment();
        self.announced.announce(moment, self.assets.len());
    }

    /// An event has come, for the strategy to see when its fills are known. The exchange passes over the same
    /// ones.
    ///
    /// # Errors
    /// Too many wait already: this one is lost.
    pub(super) fn push(&mut self, heard: Heard) -> Result<(), TooManyWait> {
        let (asset, data) = heard.data();
        let is_named = usize::from(asset) < self.assets.len();
        let fault = if is_named { data.fault() } else { None };
        let Placed { moment, ends_moment } =
            self.announced.place(heard.number(), is_named && fault.is_none());
        if moment.is_none() {
            self.end_moment();
        }
        if !is_named || fault.is_some() {
            if ends_moment {
                self.end_moment();
            }
            if let Some(fault) = fault {
                let (count, first) = self.passed_over;
                self.passed_over = (count + 1, if count == 0 { fault } else { first });
            }
            return Ok(());
        }
        if self.queue.len() >= EVENTS_WAITING_MAX {
            return Err(TooManyWait { number: heard.number(), asset });
        }
        self.queue.push_back(Waiting { heard, moment, ends_moment });
        Ok(())
    }

    /// The exchange is done with all up to this event, and its moment is over. A moment of whose events some
    /// are on their way yet goes on: the event has not come.
    pub(super) fn end_at(&mut self, number: u32) {
        let done = self.queue.iter_mut().take_while(|waiting| waiting.heard.number() <= number).last();
        if let Some(waiting) = done.filter(|waiting| waiting.heard.number() == number) {
            waiting.ends_moment = true;
        }
    }

    /// How many events were passed over because nobody could trade on them, and why the first was.
    pub(super) fn passed_over(&self) -> (u64, &'static str) {
        self.passed_over
    }

    /// No more is to come of the moment at hand, though its last event was never heard of.
    fn end_moment(&mut self) {
        if let Some(last) = self.queue.back_mut() {
            last.ends_moment = true;
        }
    }

    /// The number of the last event of the next moment that has come whole.
    pub(super) fn next_number(&self) -> Option<u32> {
        self.queue.iter().find(|waiting| waiting.ends_moment).map(|waiting| waiting.heard.number())
    }

    /// Shows the strategy one moment more: tells each asset's price, and says the time. `None` if none has
    /// come whole.
    pub(super) fn see(&mut self, mut price: impl FnMut(usize, f64)) -> Option<Timestamp> {
        self.next_number()?;
        while let Some(Waiting { heard, moment, ends_moment }) = self.queue.pop_front() {
            self.number = heard.number();
            let (asset, data) = heard.data();
            let time = self.booked(&data, moment);
            let counts_assets = self.assets.len() > 1;
            if let Some(past) = self.assets.get_mut(usize::from(asset)) {
                let heard = if counts_assets { heard.at_place(past.seen as u32) } else { heard };
                past.remember(heard);
                price(usize::from(asset), past.latest.close);
            }
            if ends_moment {
                return Some(time);
            }
        }
        None
    }

    /// The time to which an event is booked, as that of a tape: the one that was said, or of a bar beside
    /// other assets its last instant.
    fn booked(&self, data: &MarketData<'_>, moment: Option<Moment>) -> Timestamp {
        let begin = data.timestamp();
        match (data, moment) {
            (_, Some(Moment { known, booked, .. })) if (begin..=known).contains(&booked) => booked,
            (MarketData::Bar(_), Some(Moment { known, .. })) if self.assets.len() > 1 => {
                Timestamp::from_nanos(known.as_nanos().saturating_sub(1)).max(begin)
            }
            _ => begin,
        }
    }

    pub(super) fn of(&self, asset: usize) -> &OwnPast {
        &self.assets[asset]
    }

    /// The number of the latest event that the strategy has seen.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

impl OwnPast {
    fn remember(&mut self, heard: Heard) {
        self.latest = heard.data().1.as_bar(self.seen);
        self.seen += 1;
        match heard {
            Heard::Bar(bar) => keep(&mut self.bars, bar),
            Heard::Quote(quote) => keep(&mut self.quotes, quote),
            Heard::Tick(tick) => keep(&mut self.ticks, tick),
            Heard::Depth(book) => keep(&mut self.books, *book),
        }
    }
}

impl Heard {
    fn number(&self) -> u32 {
        match self {
            Self::Bar(bar) => bar.index,
            Self::Quote(quote) => quote.index,
            Self::Tick(tick) => tick.index,
            Self::Depth(book) => book.index,
        }
    }

    /// As a strategy on several assets sees it: it has the number of its place among those of its asset.
    fn at_place(mut self, place: u32) -> Self {
        let number = match &mut self {
            Self::Bar(bar) => &mut bar.index,
            Self::Quote(quote) => &mut quote.index,
            Self::Tick(tick) => &mut tick.index,
            Self::Depth(book) => &mut book.index,
        };
        *number = place;
        self
    }

    fn data(&self) -> (u16, MarketData<'_>) {
        match self {
            Self::Bar(bar) => (bar.asset, MarketData::Bar(bar)),
            Self::Quote(quote) => (quote.asset, MarketData::Quote(quote)),
            Self::Tick(tick) => (tick.asset, MarketData::Tick(tick)),
            Self::Depth(book) => (book.asset, MarketData::Depth(book)),
        }
    }
}

impl fmt::Display for TooManyWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, asset } = self;
        write!(
            f,
            "{EVENTS_WAITING_MAX} events wait for the exchange, and the strategy would never see event \
             {number} of asset {asset}: look whether the venue is alive and keeps up, and let the capacity of \
             its subscriptions be below {EVENTS_WAITING_MAX}, so that the feed waits for it"
        )
    }
}

impl std::error::Error for TooManyWait {}

/// Keeps the latest: when there are twice as many as are wanted, the older half goes.
fn keep<T>(past: &mut Vec<T>, next: T) {
    if past.len() == 2 * LOOKBACK_BARS {
        past.drain(..LOOKBACK_BARS);
    }
    past.push(next);
}
