//! The exchange simulator as an actor: a thin shell around the [`Engine`].

use mycelium::{Actor, BoxError, Context, Handler, Subscriptions};

use crate::engine::{Engine, Event, Market};
use crate::messages::{Bar, BarDone, CancelOrder, NewOrder, SessionEnd, Settlement};

/// Fills orders against bars.
pub struct Venue {
    engine: Engine,
}

impl Venue {
    /// A venue with one flat account.
    #[must_use]
    pub fn new(market: Market) -> Self {
        Self { engine: Engine::new(market) }
    }

    /// Publishes what has happened, and then that this was all.
    async fn tell(&mut self, done: BarDone, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for event in self.engine.events() {
            match event {
                Event::Update(update) => ctx.publish(update).await?,
                Event::Executed(execution) => ctx.publish(execution).await?,
            }
        }
        ctx.publish(done).await?;
        Ok(())
    }
}

impl Actor for Venue {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Bar>().on::<NewOrder>().on::<CancelOrder>().on::<SessionEnd>();
    }
}

impl Handler<Bar> for Venue {
    #[inline]
    async fn handle(&mut self, bar: &Bar, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match self.engine.on_bar(bar) {
            None => Ok(()),
            Some(done) => self.tell(done, ctx).await,
        }
    }
}

impl Handler<NewOrder> for Venue {
    async fn handle(&mut self, order: &NewOrder, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.engine.place(*order);
        Ok(())
    }
}

impl Handler<CancelOrder> for Venue {
    async fn handle(&mut self, cancel: &CancelOrder, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.engine.cancel(*cancel);
        Ok(())
    }
}

impl Handler<SessionEnd> for Venue {
    async fn handle(&mut self, end: &SessionEnd, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let done = self.engine.end();
        self.tell(done, ctx).await?;
        let price = self.engine.latest().close;
        ctx.publish(Settlement { timestamp: end.timestamp, price }).await?;
        Ok(())
    }
}
