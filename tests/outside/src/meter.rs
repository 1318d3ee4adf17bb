//! Actors written by hand, and code that knows them only by what they take.

use mycelium::{
    Actor, BoxError, Context, Down, Handler, Recipient, ReplyRecipient, Responder, Result, StopReason,
    Subscriptions,
};

use crate::{Reading, Total, TotalQuery};

/// Sums the readings of its topic and those sent to it. A negative one breaks it.
#[derive(Default)]
pub(crate) struct Meter {
    sum: i64,
    batches: u32,
}

impl Actor for Meter {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Reading>();
    }

    async fn batch_ended(&mut self, ctx: &mut Context<Self>) -> Result {
        self.batches += 1;
        ctx.publish(Total { value: self.sum, batches: self.batches }).await?;
        Ok(())
    }
}

impl Handler<Reading> for Meter {
    async fn handle(&mut self, reading: &Reading, _ctx: &mut Context<Self>) -> Result {
        if reading.value < 0 {
            return Err(format!("sensor {} counts backwards", reading.sensor).into());
        }
        self.sum += reading.value;
        Ok(())
    }
}

impl Responder<TotalQuery> for Meter {
    type Reply = Total;

    async fn answer(&mut self, _query: &TotalQuery, _ctx: &mut Context<Self>) -> Total {
        Total { value: self.sum, batches: self.batches }
    }
}

/// Keeps the latest reading only, and nothing of topics.
#[derive(Default)]
pub(crate) struct Display(pub(crate) Option<i64>);

impl Actor for Display {
    type Error = BoxError;
}

impl Handler<Reading> for Display {
    async fn handle(&mut self, reading: &Reading, ctx: &mut Context<Self>) -> Result {
        self.0 = Some(reading.value);
        if reading.value == 0 {
            ctx.stop();
        }
        Ok(())
    }
}

/// Sends what it is sent to everybody else, asks the meter, and notes who has ended.
pub(crate) struct Panel {
    pub(crate) everybody: Vec<Recipient<Reading>>,
    pub(crate) meter: ReplyRecipient<TotalQuery>,
    pub(crate) ended: Vec<StopReason>,
}

impl Actor for Panel {
    type Error = BoxError;

    async fn started(&mut self, ctx: &mut Context<Self>) -> Result {
        for recipient in &self.everybody {
            ctx.watch(recipient);
        }
        Ok(())
    }
}

impl Handler<Reading> for Panel {
    async fn handle(&mut self, reading: &Reading, _ctx: &mut Context<Self>) -> Result {
        for recipient in self.everybody.iter().filter(|recipient| recipient.is_alive()) {
            recipient.tell(reading.clone()).await?;
        }
        Ok(())
    }
}

impl Handler<Down> for Panel {
    async fn handle(&mut self, down: &Down, _ctx: &mut Context<Self>) -> Result {
        self.ended.push(down.reason.clone());
        Ok(())
    }
}

impl Responder<TotalQuery> for Panel {
    type Reply = Option<Total>;

    async fn answer(&mut self, query: &TotalQuery, _ctx: &mut Context<Self>) -> Option<Total> {
        self.meter.ask(query.clone()).await.ok()
    }
}

/// How often the panel was told of an end.
pub(crate) struct Ends;

impl Responder<Ends> for Panel {
    type Reply = Vec<StopReason>;

    async fn answer(&mut self, _: &Ends, _ctx: &mut Context<Self>) -> Vec<StopReason> {
        self.ended.clone()
    }
}
