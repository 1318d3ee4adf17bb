//! The actors of the benches of isolates: a number that goes to and fro, and a stream of numbers that are
//! added up.

use std::time::Duration;

use mycelium::{Actor, BoxError, Context, Handler, Message, Service, ServiceContext, Subscriptions};

/// A number that goes round.
#[derive(Clone, Debug)]
pub(crate) struct Ping(pub(crate) [u64; 8]);
impl Message for Ping {
    const NAME: &'static str = "Ping";
    const TYPE_ID: u16 = 11;
    const TOPIC: &'static str = "pings";
}

/// The same number on its way back.
#[derive(Clone, Debug)]
pub(crate) struct Pong(pub(crate) [u64; 8]);
impl Message for Pong {
    const NAME: &'static str = "Pong";
    const TYPE_ID: u16 = 12;
    const TOPIC: &'static str = "pongs";
}

/// Turns a ping into a pong.
#[derive(Default)]
pub(crate) struct Left(pub(crate) u64);
impl Actor for Left {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Ping>();
    }
}
impl Handler<Ping> for Left {
    async fn handle(&mut self, ping: &Ping, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += 1;
        ctx.publish(Pong(ping.0)).await?;
        Ok(())
    }
}

/// Turns a pong into a ping until the number has run down.
#[derive(Default)]
pub(crate) struct Right(pub(crate) u64);
impl Actor for Right {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Pong>();
    }
}
impl Handler<Pong> for Right {
    async fn handle(&mut self, pong: &Pong, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += 1;
        let mut words = pong.0;
        if words[0] > 0 {
            words[0] -= 1;
            ctx.publish(Ping(words)).await?;
        }
        Ok(())
    }
}

/// Publishes pings one after the other, waiting where the isolate's queue is full.
pub(crate) struct Source(pub(crate) u64);
impl Service for Source {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 0..self.0 {
            ctx.publish(Ping([number; 8])).await?;
        }
        Ok(())
    }
}

/// Publishes one ping in each moment of virtual time.
pub(crate) struct Clockwork(pub(crate) u64);
impl Service for Clockwork {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 0..self.0 {
            ctx.sleep(Duration::from_nanos(1)).await;
            ctx.publish(Ping([number; 8])).await?;
        }
        Ok(())
    }
}

/// Adds up pings.
#[derive(Default)]
pub(crate) struct Sum(pub(crate) u64);
impl Actor for Sum {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Ping>();
    }
}
impl Handler<Ping> for Sum {
    async fn handle(&mut self, ping: &Ping, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0 += ping.0[7];
        Ok(())
    }
}
