//! The actor that hosts a strategy. It keeps the protocol with the exchange, so that a strategy cannot see
//! the future, nor decide on a stale account.
//!
//! ```text
//! as messages: Feed --Moment, Bar, Quote, Tick, Depth--> Venue, Trader
//!              Trader --NewOrder, CancelOrder--> Venue --Execution, OrderUpdate, BarDone--> Trader
//!              Feed --SessionEnd--> Venue --Execution, OrderUpdate, Settlement--> Trader
//! in memory:   Feed --Stretch, SessionEnd--> Trader
//! ```
//!
//! A strategy is called once for each bar, when everything that was filled in it is known. Both sides know
//! from what they have said whether a bar needs an answer: it does if the trader has sent something that the
//! latest [`BarDone`] had not heard, or if that one was attentive, which it is while orders work or the
//! position could be ruined. On other bars nothing can be filled, and the trader calls the strategy at once.
//! Each event is as a bar is here, and the events of a [`Moment`] are one.
//!
//! A history in memory is read by all runs. Its bars are no messages: the trader hears of a stretch of them,
//! takes them one by one, and has the exchange beside it ([`Replay`]), which steps to those that need an
//! answer.

use mycelium::{Actor, BoxError, Context, Handler, Subscriptions};

use super::Strategy;
use super::desk::{Desk, Instruction};
use super::heard::Heard;
use super::host::{Seat, Situation};
use super::past::Past;
use super::replay::Replay;
use crate::engine::{AssetTerms, Event, Market};
use crate::ledger::{Ledger, Statistics};
use crate::messages::{
    Bar, BarDone, Charge, Depth, Execution, Moment, OrderUpdate, Quote, SessionEnd, Settlement, Stretch, Tick,
};

/// Hosts a strategy. Its type ends here: there is one actor for all of them.
///
/// On a bus it keeps events until the venue has said what was filled in them,
/// [`EVENTS_WAITING_MAX`](crate::limits::EVENTS_WAITING_MAX) at most. It fails at the next one, because
/// statistics of a part of the prices would pass for those of all. This happens if the venue is gone or far
/// behind: the capacity of its subscriptions has to be below that number, as
/// [`DEFAULT_CAPACITY`](mycelium::DEFAULT_CAPACITY) is, so that the feed waits for the venue first.
pub struct Trader {
    strategy: Box<dyn Situation>,
    pub(super) seat: Seat,
    /// Instructions sent so far.
    sent: u32,
    heard: u32,
    attentive: bool,
    /// The exchange, where both have the prices in memory.
    replay: Option<Replay>,
}

impl Trader {
    /// A trader for a bus, live or in an isolate, that hears of [`Bar`], [`Quote`], [`Tick`] and [`Depth`] as
    /// somebody publishes them, and trades with the [`Venue`](super::Venue) on that bus. Their numbers,
    /// `index`, must grow, and are counted over all assets; `asset` is the place of a name. Events that
    /// become known together, and of which the strategy is to decide once, are announced by a [`Moment`]:
    /// a [`MarketFeed`](super::MarketFeed) does that. [`Backtest::on_bus`](super::Backtest::on_bus) makes
    /// all three.
    #[must_use]
    pub fn on_bus(strategy: impl Strategy, market: &Market, symbols: &[&str]) -> Self {
        let terms = market.asset_terms();
        let symbols = if symbols.is_empty() { &[""] } else { symbols };
        Self::of(strategy, market, symbols.iter().map(|symbol| (*symbol, &terms)))
    }

    /// As [`on_bus`](Trader::on_bus), of assets with terms of their own: those that
    /// [`Venue::of`](super::Venue::of) has, in the same sequence.
    #[must_use]
    pub fn of<'a>(
        strategy: impl Strategy,
        market: &Market,
        assets: impl IntoIterator<Item = (&'a str, &'a AssetTerms)>,
    ) -> Self {
        let (symbols, lots): (Vec<String>, Vec<f64>) =
            assets.into_iter().map(|(symbol, terms)| (symbol.to_owned(), terms.lot)).unzip();
        let symbols = symbols.into();
        let desk = Desk::new(Past::own(lots.len()), market, symbols, &lots, None);
        Self::new(Box::new(strategy), desk, Ledger::new(market.cash), None)
    }

    pub(super) fn new(
        strategy: Box<dyn Situation>,
        desk: Desk,
        ledger: Ledger,
        replay: Option<Replay>,
    ) -> Self {
        Self { strategy, seat: Seat { desk, ledger }, sent: 0, heard: 0, attentive: false, replay }
    }

    /// What the account has made of its time so far: everything, once the [`Settlement`] has come.
    #[must_use]
    pub fn statistics(self) -> Statistics {
        self.seat.ledger.finish().0
    }

    /// How many events were passed over because nobody could trade on them: books without a side, prices and
    /// sizes that are no numbers. Over prices in memory there are none: a backtest refuses such prices.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.seat.desk.past.passed_over().0
    }

    /// Lets the strategy decide on what came whole before this event, of which the exchange tells: had there
    /// been anything to tell of that, it would have come before.
    async fn decide_before(&mut self, number: u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        while self.seat.desk.past.next_number().is_some_and(|next| next < number) {
            self.strategy.decide(&mut self.seat);
            self.send(ctx).await?;
        }
        Ok(())
    }

    /// Goes on with what has come until the exchange has to say what it has filled.
    async fn go_on(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        while !self.attentive && self.sent == self.heard && self.strategy.decide(&mut self.seat) {
            self.send(ctx).await?;
        }
        Ok(())
    }

    /// Sends what the strategy has decided.
    async fn send(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for instruction in self.seat.desk.outbox.drain(..).as_slice() {
            self.sent = self.sent.wrapping_add(1);
            match instruction {
                Instruction::Place(order) => ctx.publish(*order).await?,
                Instruction::Cancel(cancel) => ctx.publish(*cancel).await?,
            }
        }
        Ok(())
    }
}

impl Actor for Trader {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        if self.replay.is_some() {
            topics.on::<Stretch>().on::<SessionEnd>();
            return;
        }
        topics.on::<Execution>().on::<OrderUpdate>().on::<BarDone>().on::<Settlement>();
        topics.on::<Charge>().on::<Bar>().on::<Quote>().on::<Tick>().on::<Depth>().on::<Moment>();
    }
}

impl Handler<Moment> for Trader {
    async fn handle(&mut self, moment: &Moment, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.desk.past.announce(*moment);
        self.go_on(ctx).await
    }
}

impl Handler<Bar> for Trader {
    async fn handle(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.desk.past.push(Heard::Bar(*bar))?;
        self.go_on(ctx).await
    }
}

impl Handler<Quote> for Trader {
    async fn handle(&mut self, quote: &Quote, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.desk.past.push(Heard::Quote(*quote))?;
        self.go_on(ctx).await
    }
}

impl Handler<Tick> for Trader {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.desk.past.push(Heard::Tick(*tick))?;
        self.go_on(ctx).await
    }
}

impl Handler<Depth> for Trader {
    async fn handle(&mut self, book: &Depth, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.desk.past.push(Heard::Depth(Box::new(*book)))?;
        self.go_on(ctx).await
    }
}

impl Handler<Stretch> for Trader {
    async fn handle(&mut self, stretch: &Stretch, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.desk.past.happened(stretch.first as usize + stretch.count as usize);
        match &mut self.replay {
            Some(replay) => Ok(self.strategy.replay(&mut self.seat, replay)?),
            None => Ok(()),
        }
    }
}

impl Handler<SessionEnd> for Trader {
    async fn handle(&mut self, _end: &SessionEnd, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(mut replay) = self.replay.take() else { return Ok(()) };
        replay.end()?;
        replay.tell_events(|event| self.seat.hear(event));
        self.seat.settle();
        Ok(())
    }
}

impl Handler<BarDone> for Trader {
    async fn handle(&mut self, done: &BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        (self.heard, self.attentive) = (done.heard, done.attentive);
        self.seat.desk.past.end_at(done.index);
        while self.seat.desk.past.next_number().is_some_and(|number| number <= done.index) {
            self.strategy.decide(&mut self.seat);
            self.send(ctx).await?;
        }
        self.go_on(ctx).await
    }
}

impl Handler<Execution> for Trader {
    async fn handle(&mut self, execution: &Execution, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.decide_before(execution.index, ctx).await?;
        self.seat.hear(&Event::Executed(*execution));
        Ok(())
    }
}

impl Handler<Charge> for Trader {
    async fn handle(&mut self, charge: &Charge, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.decide_before(charge.index, ctx).await?;
        self.seat.hear(&Event::Charged(*charge));
        Ok(())
    }
}

impl Handler<OrderUpdate> for Trader {
    async fn handle(&mut self, update: &OrderUpdate, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.decide_before(update.index, ctx).await?;
        self.seat.hear(&Event::Update(*update));
        Ok(())
    }
}

impl Handler<Settlement> for Trader {
    async fn handle(&mut self, _settlement: &Settlement, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.seat.settle();
        Ok(())
    }
}
