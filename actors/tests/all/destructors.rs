//! What the destructor of a message may do that panics.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Heard, PERIOD, on_both_runtimes};
use mycelium::{
    Actor, BoxError, Context, Handler, Message, MessageBus, PublishError, StopReason, Subscriptions,
    TellError,
};

/// Panics when it is gone, if it is told to.
#[derive(Clone, Debug)]
struct Order {
    number: u64,
    _gone: Arc<Gone>,
}

#[derive(Debug)]
struct Gone(bool);

impl Drop for Gone {
    fn drop(&mut self) {
        assert!(!self.0, "asked to panic in a destructor");
    }
}

impl Message for Order {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 9;
    const TOPIC: &'static str = "orders";
}

fn order(number: u64, panics: bool) -> Order {
    Order { number, _gone: Arc::new(Gone(panics)) }
}

#[derive(Clone, Default)]
struct Desk {
    heard: Heard,
}

impl Actor for Desk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Order>();
    }
}

impl Handler<Order> for Desk {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        if order.number % 2 == 1 {
            tokio::task::yield_now().await;
        }
        self.heard.add(order.number.to_string());
        Ok(())
    }
}

#[test]
fn without_a_supervisor_what_waits_is_a_dead_letter_and_nothing_was_in_hand() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let desk = Desk::default();
        let actor = bus.spawn(desk.clone()).unwrap();
        let orders = bus.publisher::<Order>().unwrap();
        for at in 0..6 {
            orders.try_publish(order(at, at == 2)).unwrap();
        }
        assert!(matches!(actor.ended().await, StopReason::Panicked(_)));
        assert_eq!(desk.heard.words(), ["0", "1", "2"]);
        let letters = bus.dead_letters();
        // A message that is published once it has ended is published to nobody, and not counted.
        let published = bus.topics()[0].published;
        assert_eq!((letters.in_hand, letters.waiting), (0, published - 3));
        // Nobody is there: it is dropped here, and its destructor harms nobody.
        orders.publish(order(7, true)).await.unwrap();
        bus.shutdown_within(Duration::from_secs(5)).await.unwrap();
    });
}

/// Handles no order: its handler fails, or waits for ever. It says when it has begun, and that it waits.
struct Refuser {
    waits: bool,
    timers: u64,
    heard: Heard,
}

impl Actor for Refuser {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Order>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for number in 0..self.timers {
            ctx.schedule_after(if self.waits { PERIOD } else { Duration::ZERO }, order(number, true));
        }
        self.heard.add("begun");
        Ok(())
    }
}

impl Handler<Order> for Refuser {
    async fn handle(&mut self, _: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        if self.waits {
            self.heard.add("waits");
            std::future::pending::<()>().await;
        }
        Err("refused".into())
    }
}

#[test]
fn what_nobody_will_handle_is_a_dead_letter_whatever_its_destructor_does() {
    on_both_runtimes(|| async {
        for (told, waits) in [(false, false), (false, true), (true, false), (true, true)] {
            let (bus, heard) = (MessageBus::new(), Heard::default());
            let actor = bus.spawn(Refuser { waits, timers: 0, heard: heard.clone() }).unwrap();
            let orders = bus.publisher::<Order>().unwrap();
            let mut sent = 0;
            for number in 0..5 {
                let order = order(number, true);
                let refused = match told {
                    false => orders.try_publish(order).map_err(PublishError::into_message).err(),
                    true => actor.try_tell(order).map_err(TellError::into_message).err(),
                };
                sent += u64::from(refused.is_none());
                // Given back by an actor that has ended, it is this test's to drop.
                std::mem::forget(refused);
            }
            if waits {
                heard.wait_for("waits").await;
                actor.kill();
                assert_eq!(actor.ended().await, StopReason::Killed);
            } else {
                assert_eq!(actor.ended().await, StopReason::Failed("refused".into()));
            }
            let letters = bus.dead_letters();
            let all = letters.in_hand + letters.waiting;
            assert_eq!(letters.in_hand, 1, "told {told}, waits {waits}: {letters:?}");
            // A message that is published once the actor has ended is published to nobody.
            assert!(if told || waits { all == sent } else { all <= sent }, "{letters:?}");
            bus.shutdown().await.unwrap();
        }
    });
}

#[test]
fn timers_end_with_their_actor_whatever_the_destructors_of_their_messages_do() {
    on_both_runtimes(|| async {
        for waits in [false, true] {
            let (bus, heard) = (MessageBus::new(), Heard::default());
            let actor = bus.spawn(Refuser { waits, timers: 3, heard: heard.clone() }).unwrap();
            if waits {
                heard.wait_for("begun").await;
                actor.stop();
                assert_eq!(actor.ended().await, StopReason::Normal);
            } else {
                assert_eq!(actor.ended().await, StopReason::Failed("refused".into()));
                assert_eq!(bus.dead_letters().in_hand, 1);
            }
            bus.shutdown().await.unwrap();
        }
    });
}
