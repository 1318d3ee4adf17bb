//! The actor that hosts a strategy. It keeps the protocol with the exchange, so that a strategy cannot see
//! the future, nor decide on a stale account.
//!
//! ```text
//! Feed --Bar--> Venue, Trader
//! Trader --NewOrder, CancelOrder--> Venue --Execution, OrderUpdate, BarDone--> Trader
//! Feed --SessionEnd--> Venue --Execution, OrderUpdate, Settlement--> Trader
//! ```
//!
//! A strategy is called once for each bar, when everything that was filled in it is known. Both sides know
//! from what they have said whether a bar needs an answer: it does if the trader has sent something that the
//! latest [`BarDone`] had not heard, or if that one was attentive, which it is while orders work or the
//! position could be ruined. On other bars nothing can be filled, and the trader calls the strategy at once:
//! most bars cost two messages.

use std::collections::VecDeque;

use mycelium::{Actor, BoxError, Context, Handler, Subscriptions};

use super::Strategy;
use super::context::StrategyContext;
pub(super) use super::desk::Desk;
use super::desk::Instruction;
use crate::ledger::Ledger;
use crate::messages::{Bar, BarDone, Execution, FillKind, OrderUpdate, Settlement};

/// Hosts a strategy.
pub struct Trader<S> {
    pub(super) strategy: S,
    pub(super) desk: Desk,
    pub(super) ledger: Ledger,
    /// Instructions sent so far.
    sent: u32,
    heard: u32,
    attentive: bool,
    /// Bars whose fills are not known yet. In an isolate there is never more than one.
    waiting: VecDeque<Bar>,
    latest_close: f64,
}

impl<S: Strategy> Trader<S> {
    pub(super) fn new(strategy: S, desk: Desk, ledger: Ledger) -> Self {
        Self {
            strategy,
            desk,
            ledger,
            sent: 0,
            heard: 0,
            attentive: false,
            waiting: VecDeque::new(),
            latest_close: 0.0,
        }
    }

    /// Lets the strategy decide on a bar whose fills are known.
    #[inline]
    fn decide(&mut self, bar: &Bar) {
        self.latest_close = bar.close;
        self.desk.see(bar);
        self.ledger.mark_equity(bar.timestamp, self.desk.equity);
        if self.desk.lots != 0 || self.desk.traded {
            self.ledger.cover_bar();
            self.desk.traded = false;
        }
        if let Some(journal) = &mut self.desk.journal {
            journal.equity.push(self.desk.equity);
        }
        let told = self.desk.updates.len();
        self.strategy.next(&mut StrategyContext { desk: &mut self.desk });
        if told != 0 {
            // What was refused meanwhile is told next time.
            self.desk.updates.drain(..told);
        }
    }

    /// Sends what the strategy has decided.
    async fn send(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for instruction in self.desk.outbox.drain(..) {
            self.sent += 1;
            match instruction {
                Instruction::Place(order) => ctx.publish(order).await?,
                Instruction::Cancel(cancel) => ctx.publish(cancel).await?,
            }
        }
        Ok(())
    }
}

impl<S: Strategy> Actor for Trader<S> {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bar>().on::<Execution>().on::<OrderUpdate>().on::<BarDone>().on::<Settlement>();
    }
}

impl<S: Strategy> Handler<Bar> for Trader<S> {
    #[inline]
    async fn handle(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.attentive || self.sent != self.heard {
            self.waiting.push_back(*bar);
            return Ok(());
        }
        self.decide(bar);
        if self.desk.outbox.is_empty() { Ok(()) } else { self.send(ctx).await }
    }
}

impl<S: Strategy> Handler<BarDone> for Trader<S> {
    async fn handle(&mut self, done: &BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        (self.heard, self.attentive) = (done.heard, done.attentive);
        while self.waiting.front().is_some_and(|bar| bar.index <= done.index) {
            let Some(bar) = self.waiting.pop_front() else { break };
            self.decide(&bar);
            self.send(ctx).await?;
        }
        Ok(())
    }
}

impl<S: Strategy> Handler<Execution> for Trader<S> {
    async fn handle(&mut self, execution: &Execution, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.executed(execution);
        if execution.kind != FillKind::Open {
            self.ledger.count_trade();
        }
        Ok(())
    }
}

impl<S: Strategy> Handler<OrderUpdate> for Trader<S> {
    async fn handle(&mut self, update: &OrderUpdate, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.updated(update);
        Ok(())
    }
}

impl<S: Strategy> Handler<Settlement> for Trader<S> {
    async fn handle(&mut self, _settlement: &Settlement, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.desk.value(self.latest_close);
        self.ledger.settle_equity(self.desk.equity);
        if let Some(last) = self.desk.journal.as_mut().and_then(|journal| journal.equity.last_mut()) {
            *last = self.desk.equity;
        }
        Ok(())
    }
}
