//! The exchange simulator beside a trader: over prices that both have in memory, neither needs messages to
//! tell the other where it is.

use std::sync::Arc;

use super::desk::Instruction;
use crate::engine::{AssetTerms, CostFault, Engine, Event, Market};
use crate::tape::Tape;

/// Steps through a tape to the events in which something could be filled.
pub(super) struct Replay {
    engine: Engine,
    tape: Arc<Tape>,
    /// Events of the tape that were passed.
    passed: usize,
}

impl Replay {
    /// One flat account, before the first event.
    pub(super) fn new(tape: Arc<Tape>, market: Market, assets: Vec<AssetTerms>) -> Self {
        Self { engine: Engine::on(market, assets), tape, passed: 0 }
    }

    /// Whether nothing can be filled in the next event.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.engine.is_quiet()
    }

    /// Whether nothing can happen in the next event, which is this one, though something waits.
    #[inline]
    pub(super) fn is_calm(&self, number: usize) -> bool {
        self.engine.may_be_calm()
            && self.tape.event(number).is_some_and(|event| self.engine.is_calm(&event.data))
    }

    /// Takes what was decided on an event.
    pub(super) fn hear(&mut self, instruction: &Instruction) {
        match instruction {
            Instruction::Place(order) => {
                self.catch_up(order.after as usize);
                self.engine.place(*order);
            }
            Instruction::Cancel(cancel) => {
                self.catch_up(cancel.after as usize);
                self.engine.cancel(*cancel);
            }
        }
    }

    /// Catches up with the event on which something was decided: since the latest one nothing could be
    /// filled.
    #[inline]
    fn catch_up(&mut self, until: usize) {
        if self.passed <= until {
            self.look_until(until);
        }
    }

    fn look_until(&mut self, until: usize) {
        if self.tape.assets() == 1 && !self.engine.sees_each() {
            // The latest is all that is needed.
            self.passed = until;
        }
        while self.passed <= until {
            let Some(event) = self.tape.event(self.passed) else { return };
            self.engine.look(event.asset, self.passed as u32, self.tape.known(&event), event.data);
            if self.tape.is_last_of_several(&event) {
                self.engine.is_last(event.asset);
            }
            self.passed += 1;
        }
    }

    /// Passes the events up to this one, the last of a moment.
    ///
    /// # Errors
    /// A cost that is no number.
    pub(super) fn step(&mut self, until: usize) -> Result<(), CostFault> {
        if self.tape.assets() == 1 {
            self.pass_alone(until);
            self.engine.finish();
            return self.sound();
        }
        let mut over = Vec::new();
        while self.passed <= until {
            let Some(event) = self.tape.event(self.passed) else { break };
            self.engine.pass(event.asset, self.passed as u32, self.tape.known(&event), event.data);
            over.extend(self.tape.is_last_of_several(&event).then_some(event.asset));
            self.passed += 1;
        }
        self.engine.finish();
        // Not before: events that begin at one time wait for each other, and the closes before them are
        // filled with the first of them.
        over.into_iter().for_each(|asset| self.engine.is_last(asset));
        self.sound()
    }

    /// Passes this event of the only asset, and none of those before: they were looked at.
    #[inline]
    fn pass_alone(&mut self, number: usize) {
        if let Some(before) = number.checked_sub(1) {
            self.catch_up(before);
        }
        if self.passed <= number
            && let Some(event) = self.tape.event(number)
        {
            self.engine.pass(event.asset, number as u32, self.tape.known(&event), event.data);
            self.passed = number + 1;
        }
    }

    /// The run is over.
    ///
    /// # Errors
    /// As of [`step`](Replay::step).
    pub(super) fn end(&mut self) -> Result<(), CostFault> {
        if let Some(last) = self.tape.len().checked_sub(1) {
            self.catch_up(last);
        }
        self.engine.end();
        self.sound()
    }

    fn sound(&self) -> Result<(), CostFault> {
        self.engine.fault().map_or(Ok(()), Err)
    }

    /// Tells what has happened since this was last asked.
    #[inline]
    pub(super) fn tell_events(&mut self, tell: impl FnMut(&Event)) {
        self.engine.tell_events(tell);
    }
}
