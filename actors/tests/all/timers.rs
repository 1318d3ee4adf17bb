//! Timers on the live clock. Nothing here asserts that a timer is not late.

use std::time::Duration;

use crate::common::on_both_runtimes;
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, Timestamp};

struct Alarm {
    due: Timestamp,
    number: u32,
}

/// Sets timers and writes down which came, and whether any came early.
#[derive(Default)]
struct Clock {
    rung: Vec<u32>,
    early: u32,
    waiting: Vec<tokio::sync::oneshot::Sender<Vec<u32>>>,
}
impl Clock {
    fn set(ctx: &mut Context<Self>, number: u32, millis: u64) -> mycelium::TimerHandle {
        let delay = Duration::from_millis(millis);
        let due = ctx.now() + delay;
        ctx.schedule_after(delay, Alarm { due, number })
    }
}
impl Actor for Clock {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Self::set(ctx, 3, 15);
        Self::set(ctx, 1, 5);
        Self::set(ctx, 2, 5);
        Self::set(ctx, 9, 8).cancel();
        Ok(())
    }
}
impl Handler<Alarm> for Clock {
    async fn handle(&mut self, alarm: &Alarm, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.rung.push(alarm.number);
        // The wall clock and the timers' clock may run apart by a little.
        self.early += u32::from(ctx.now() + Duration::from_millis(1) < alarm.due);
        match alarm.number {
            3 => drop(Self::set(ctx, 4, 1)),
            4 => self.waiting.drain(..).for_each(|waiting| drop(waiting.send(self.rung.clone()))),
            _ => {}
        }
        Ok(())
    }
}
struct Done(std::sync::Mutex<Option<tokio::sync::oneshot::Sender<Vec<u32>>>>);
impl Handler<Done> for Clock {
    async fn handle(&mut self, done: &Done, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.waiting.extend(done.0.lock().unwrap().take());
        Ok(())
    }
}
struct Early;
impl Responder<Early> for Clock {
    type Reply = u32;
    async fn answer(&mut self, _: &Early, ctx: &mut Context<Self>) -> u32 {
        let before = ctx.now();
        ctx.sleep(Duration::from_millis(3)).await;
        self.early + u32::from(ctx.now() + Duration::from_millis(1) < before + Duration::from_millis(3))
    }
}

#[test]
fn scheduled_messages_come_in_time_order_and_never_early() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let clock = bus.spawn(Clock::default()).unwrap();
        let (done, rung) = tokio::sync::oneshot::channel();
        clock.tell(Done(std::sync::Mutex::new(Some(done)))).await.unwrap();
        assert_eq!(rung.await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(clock.ask(Early).await.unwrap(), 0);
        bus.shutdown().await.unwrap();
    });
}
