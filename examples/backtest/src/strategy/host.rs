//! Where the type of a strategy ends. The loop over prices in memory is compiled for each strategy, because
//! its calls cost more than what it does otherwise; the actor around it is compiled once.

use super::Strategy;
use super::context::StrategyContext;
use super::desk::Desk;
use super::replay::Replay;
use crate::engine::{CostFault, Event};
use crate::ledger::Ledger;
use crate::messages::FillKind;

/// What a strategy sits before: its view of the market and of the account, and the account's books.
pub(super) struct Seat {
    pub(super) desk: Desk,
    pub(super) ledger: Ledger,
}

/// A strategy whose type nobody names.
pub(super) trait Situation: Send {
    /// Lets the strategy decide on the next bar, whose fills are known. `false` if there is none yet.
    fn decide(&mut self, seat: &mut Seat) -> bool;

    /// Goes on with what has happened in memory.
    ///
    /// # Errors
    /// A cost that is no number.
    fn replay(&mut self, seat: &mut Seat, replay: &mut Replay) -> Result<(), CostFault>;
}

impl<S: Strategy> Situation for S {
    fn decide(&mut self, seat: &mut Seat) -> bool {
        seat.decide(self)
    }

    fn replay(&mut self, seat: &mut Seat, replay: &mut Replay) -> Result<(), CostFault> {
        while let Some(number) = seat.desk.past.next_number() {
            if replay.is_quiet() {
                while seat.decide(self) && seat.desk.outbox.is_empty() {}
            } else {
                if !replay.is_calm(number as usize) {
                    replay.step(number as usize)?;
                    replay.tell_events(|event| seat.hear(event));
                }
                seat.decide(self);
            }
            seat.desk.outbox.iter().for_each(|instruction| replay.hear(instruction));
            seat.desk.outbox.clear();
        }
        Ok(())
    }
}

impl Seat {
    // Once per bar and per event, from the one loop over prices in memory: a call costs 5 % of a run.
    #[inline(always)]
    fn decide<S: Strategy>(&mut self, strategy: &mut S) -> bool {
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
        strategy.next(&mut StrategyContext { desk: &mut self.desk, asset: 0 });
        if told != 0 {
            // Orders that were refused meanwhile are told next time.
            self.desk.updates.drain(..told);
        }
        true
    }

    /// Hears of what the exchange has done.
    #[inline(always)]
    pub(super) fn hear(&mut self, event: &Event) {
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
    pub(super) fn settle(&mut self) {
        self.desk.value();
        self.ledger.settle_equity(self.desk.equity);
        let (equity, exposure) = (self.desk.equity, self.desk.exposure());
        if let Some(journal) = &mut self.desk.journal {
            journal.curves.settle(equity, exposure);
        }
    }
}
