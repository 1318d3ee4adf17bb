//! The actor that hosts a strategy. It keeps the protocol with the exchange, so that a strategy cannot see
//! the future, nor decide on a stale account.
//!
//! ```text
//! as messages: Feed --Bar--> Venue, Trader
//!              Trader --NewOrder, CancelOrder--> Venue --Execution, OrderUpdate, BarDone--> Trader
//!              Feed --SessionEnd--> Venue --Execution, OrderUpdate, Settlement--> Trader
//! in memory:   Feed --Stretch, SessionEnd--> Trader
//! ```
//!
//! A strategy is called once for each bar, when everything that was filled in it is known. Both sides know
//! from what they have said whether a bar needs an answer: it does if the trader has sent something that the
//! latest [`BarDone`] had not heard, or if that one was attentive, which it is while orders work or the
//! position could be ruined. On other bars nothing can be filled, and the trader calls the strategy at once.
//!
//! A history in memory is read by all runs. Its bars are no messages: the trader hears of a stretch of them,
//! takes them one by one, and has the exchange beside it ([`Replay`]), which steps to those that need an
//! answer.

use mycelium::{Actor, BoxError, Context, Handler, Subscriptions};

use super::Strategy;
use super::context::StrategyContext;
pub(super) use super::desk::Desk;
use super::desk::Instruction;
use super::past::{Heard, Past};
use super::replay::Replay;
use crate::engine::{AssetTerms, Event, Market};
use crate::ledger::Ledger;
use crate::messages::{
    Bar, BarDone, Charge, Execution, FillKind, OrderUpdate, Quote, SessionEnd, Settlement, Stretch, Tick,
};

/// Hosts a strategy.
pub struct Trader<S> {
    pub(super) strategy: S,
    pub(super) desk: Desk,
    pub(super) ledger: Ledger,
    /// Instructions sent so far.
    sent: u32,
    heard: u32,
    attentive: bool,
    /// The exchange, where both have the prices in memory.
    replay: Option<Replay>,
}

impl<S: Strategy> Trader<S> {
    /// A trader for a bus, live or in an isolate, that hears of [`Bar`] (of the first asset), [`Quote`] and
    /// [`Tick`] as somebody publishes them, and trades with the [`Venue`](super::Venue) on that bus. Their
    /// numbers, `index`, must grow, and are counted over all assets.
    #[must_use]
    pub fn on_bus(strategy: S, market: &Market, symbols: &[&str]) -> Self {
        let terms = market.asset_terms();
        let symbols = if symbols.is_empty() { &[""] } else { symbols };
        Self::of(strategy, market, symbols.iter().map(|symbol| (*symbol, &terms)))
    }

    /// As [`on_bus`](Trader::on_bus), of assets with terms of their own: those that
    /// [`Venue::of`](super::Venue::of) has, in the same sequence.
    #[must_use]
    pub fn of<'a>(
        strategy: S,
        market: &Market,
        assets: impl IntoIterator<Item = (&'a str, &'a AssetTerms)>,
    ) -> Self {
        let (symbols, lots): (Vec<String>, Vec<f64>) =
            assets.into_iter().map(|(symbol, terms)| (symbol.to_owned(), terms.lot)).unzip();
        let symbols = symbols.into();
        let desk = Desk::new(Past::own(lots.len()), market, symbols, &lots, None);
        Self::new(strategy, desk, Ledger::new(market.cash), None)
    }

    pub(super) fn new(strategy: S, desk: Desk, ledger: Ledger, replay: Option<Replay>) -> Self {
        Self { strategy, desk, ledger, sent: 0, heard: 0, attentive: false, replay }
    }

    /// Lets the strategy decide on the next bar, whose fills are known. `false` if there is none yet.
    #[inline]
    fn decide(&mut self) -> bool {
        let Some(time) = self.desk.see() else { return false };
        self.ledger.mark_equity(time, self.desk.equity);
        if self.desk.traded || self.desk.holds() {
            self.ledger.cover_bar();
            self.desk.traded = false;
        }
        let exposure = self.desk.journal.is_some().then(|| self.desk.exposure());
        if let (Some(journal), Some(exposure)) = (&mut self.desk.journal, exposure) {
            journal.curves.push(self.desk.equity, exposure);
        }
        if !self.desk.is_ready() {
            return true;
        }
        let told = self.desk.updates.len();
        self.strategy.next(&mut StrategyContext { desk: &mut self.desk, asset: 0 });
        if told != 0 {
            // Orders that were refused meanwhile are told next time.
            self.desk.updates.drain(..told);
        }
        true
    }

    /// Goes on with what has come until the exchange has to say what it has filled.
    async fn go_on(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        while !self.attentive && self.sent == self.heard && self.decide() {
            self.send(ctx).await?;
        }
        Ok(())
    }

    /// Goes on with what has happened in memory.
    fn replay(&mut self) -> Result<(), BoxError> {
        let Some(mut replay) = self.replay.take() else { return Ok(()) };
        while let Some(number) = self.desk.past.next_number() {
            if replay.is_quiet() {
                while self.decide() && self.desk.outbox.is_empty() {}
            } else {
                if !replay.is_calm(number as usize) {
                    replay.step(number as usize)?;
                    replay.events().for_each(|event| self.hear(&event));
                }
                self.decide();
            }
            self.desk.outbox.drain(..).for_each(|instruction| replay.hear(&instruction));
        }
        self.replay = Some(replay);
        Ok(())
    }

    /// Hears of what the exchange has done.
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Update(update) => self.desk.updated(update),
            Event::Charged(charge) => self.desk.charged(charge),
            Event::Executed(execution) => {
                self.desk.executed(execution);
                if execution.kind != FillKind::Open {
                    self.ledger.count_trade();
                }
            }
        }
    }

    /// Values the account after the end.
    fn settle(&mut self) {
        self.desk.value();
        self.ledger.settle_equity(self.desk.equity);
        let (equity, exposure) = (self.desk.equity, self.desk.exposure());
        if let Some(journal) = &mut self.desk.journal {
            journal.curves.settle(equity, exposure);
        }
    }

    /// Sends what the strategy has decided.
    async fn send(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for instruction in self.desk.outbox.drain(..).as_slice() {
            self.sent = self.sent.wrapping_add(1);
            match instruction {
                Instruction::Place(order) => ctx.publish(*order).await?,
                Instruction::Cancel(cancel) => ctx.publish(*cancel).await?,
            }
        }
        Ok(())
    }
}

impl<S: Strategy> Actor for Trader<S> {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        if self.replay.is_some() {
            topics.on::<Stretch>().on::<SessionEnd>();
            return;
        }
        topics.on::<Execution>().on::<OrderUpdate>().on::<BarDone>().on::<Settlement>();
        topics.on::<Charge>().on::<Bar>().on::<Quote>().on::<Tick>();
    }
}

impl<S: Strategy> Handler<Bar> for Trader<S> {
    async fn handle(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.past.push(Heard::Bar(*bar));
        self.go_on(ctx).await
    }
}

impl<S: Strategy> Handler<Quote> for Trader<S> {
    async fn handle(&mut self, quote: &Quote, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.past.push(Heard::Quote(*quote));
        self.go_on(ctx).await
    }
}

impl<S: Strategy> Handler<Tick> for Trader<S> {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.past.push(Heard::Tick(*tick));
        self.go_on(ctx).await
    }
}

impl<S: Strategy> Handler<Stretch> for Trader<S> {
    async fn handle(&mut self, stretch: &Stretch, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.past.happened(stretch.first as usize + stretch.count as usize);
        self.replay()
    }
}

impl<S: Strategy> Handler<SessionEnd> for Trader<S> {
    async fn handle(&mut self, _end: &SessionEnd, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(mut replay) = self.replay.take() else { return Ok(()) };
        replay.end()?;
        replay.events().for_each(|event| self.hear(&event));
        self.settle();
        Ok(())
    }
}

impl<S: Strategy> Handler<BarDone> for Trader<S> {
    async fn handle(&mut self, done: &BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        (self.heard, self.attentive) = (done.heard, done.attentive);
        while self.desk.past.next_number().is_some_and(|number| number <= done.index) {
            self.decide();
            self.send(ctx).await?;
        }
        self.go_on(ctx).await
    }
}

impl<S: Strategy> Handler<Execution> for Trader<S> {
    async fn handle(&mut self, execution: &Execution, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(&Event::Executed(*execution));
        Ok(())
    }
}

impl<S: Strategy> Handler<Charge> for Trader<S> {
    async fn handle(&mut self, charge: &Charge, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(&Event::Charged(*charge));
        Ok(())
    }
}

impl<S: Strategy> Handler<OrderUpdate> for Trader<S> {
    async fn handle(&mut self, update: &OrderUpdate, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(&Event::Update(*update));
        Ok(())
    }
}

impl<S: Strategy> Handler<Settlement> for Trader<S> {
    async fn handle(&mut self, _settlement: &Settlement, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.settle();
        Ok(())
    }
}
