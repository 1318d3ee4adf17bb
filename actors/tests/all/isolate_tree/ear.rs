//! An actor that writes down what it hears, and fails on demand.

use std::time::Duration;

use mycelium::tree::Child;
use mycelium::{Actor, BoxError, Context, Handler, StopReason, Subscription};

use crate::common::{Heard, Tick};

/// Logs what it hears; panics at 13, fails at 14, stops at 15.
pub(crate) struct Ear {
    pub(crate) name: &'static str,
    pub(crate) log: Heard,
    pub(crate) ticks: Subscription<Tick>,
}

impl Actor for Ear {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add_at(ctx.now(), format_args!("+{}", self.name));
        Ok(ctx.subscribe(self.ticks)?)
    }
    async fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        self.log.add_at(ctx.now(), format_args!("-{} {reason}", self.name));
    }
}

impl Handler<Tick> for Ear {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add_at(ctx.now(), format_args!("{} {}", self.name, tick.0));
        match tick.0 {
            13 => panic!("told to"),
            14 => return Err("told to".into()),
            15 => ctx.stop(),
            // An actor that is told 20 has something to do a second later.
            20 => drop(ctx.schedule_after(Duration::from_secs(1), Tick(21))),
            30 => ctx.sleep(Duration::from_secs(3)).await,
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn ear_with(name: &'static str, log: &Heard, ticks: Subscription<Tick>) -> Child {
    let log = log.clone();
    Child::actor(name, move || Ear { name, log: log.clone(), ticks })
}

pub(crate) fn ear(name: &'static str, log: &Heard) -> Child {
    ear_with(name, log, Subscription::default())
}
