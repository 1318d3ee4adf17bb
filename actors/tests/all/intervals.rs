//! Intervals of no time, live: in an isolate they would never let it pass. All others are in the suite of
//! hosts.

use std::time::Duration;

use crate::common::{Flush, Tick, on_both_runtimes};
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, Subscriptions};

#[derive(Clone)]
struct Beat(u64);

/// Is busy with each beat for longer than the period, and hears ticks too.
#[derive(Default)]
struct Late {
    ticks: u32,
}
impl Actor for Late {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_every(Duration::ZERO, Beat(0));
        ctx.schedule_every(Duration::from_nanos(1), Beat(1));
        Ok(())
    }
}
impl Handler<Beat> for Late {
    async fn handle(&mut self, beat: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if beat.0 == 1 {
            ctx.sleep(Duration::from_micros(1)).await;
        }
        Ok(())
    }
}
impl Handler<Tick> for Late {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.ticks += 1;
        Ok(())
    }
}
impl Responder<Flush> for Late {
    type Reply = u32;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u32 {
        self.ticks
    }
}

#[test]
fn an_interval_of_no_time_keeps_no_message_waiting() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let late = bus.spawn(Late::default()).unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        for number in 0..20 {
            ticks.publish(Tick(number)).await.unwrap();
        }
        assert_eq!(late.ask(Flush).await.unwrap(), 20);
        bus.shutdown().await.unwrap();
    });
}
