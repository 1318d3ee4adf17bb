//! A worker that subscribes to what its pool receives would handle every message, and one worker each twice.
#![forbid(unsafe_code)]

use mycelium::pool::Pool;
use mycelium::tree::Builder;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Responder, Subscriptions, Supervisor,
};

#[derive(Clone, Debug)]
struct Order;
impl Message for Order {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "orders";
}

#[derive(Clone, Debug)]
struct Limits;
impl Message for Limits {
    const NAME: &'static str = "Limits";
    const TYPE_ID: u16 = 2;
    const TOPIC: &'static str = "limits";
}

/// Subscribes to limits by itself, and to orders where it is told to.
struct Risk {
    hears_orders: bool,
    handled: (u32, u32),
}
impl Actor for Risk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Limits>();
        if self.hears_orders {
            topics.on::<Order>();
        }
    }
}
impl Handler<Order> for Risk {
    async fn handle(&mut self, _: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.handled.0 += 1;
        Ok(())
    }
}
impl Handler<Limits> for Risk {
    async fn handle(&mut self, _: &Limits, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.handled.1 += 1;
        Ok(())
    }
}
struct Handled;
impl Responder<Handled> for Risk {
    type Reply = (u32, u32);
    async fn answer(&mut self, _: &Handled, _: &mut Context<Self>) -> (u32, u32) {
        self.handled
    }
}

fn root(hears_orders: bool) -> Builder {
    let risk = Pool::new(move || Risk { hears_orders, handled: (0, 0) }).workers(2).on::<Order>();
    Supervisor::builder("root").supervisor(risk.supervisor("risk"))
}

#[track_caller]
fn assert_says_what_to_do(error: &dyn std::error::Error) {
    let text = error.to_string();
    for part in ["risk", "worker-1", "`Risk`", "`Order`", "#[on(direct)]"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[tokio::test]
async fn a_worker_that_subscribes_to_what_its_pool_receives_does_not_start() {
    let bus = MessageBus::new();
    let error = root(true).start(&bus).await.expect_err("each order would come three times to two workers");
    assert_says_what_to_do(&error);
    let error = Isolate::new(1).supervise(&root(true)).expect_err("the same in an isolate");
    assert_says_what_to_do(&error);
}

#[tokio::test]
async fn a_worker_subscribes_to_what_its_pool_does_not_receive() -> Result<(), BoxError> {
    let bus = MessageBus::new();
    let tree = root(false).start(&bus).await?;
    let risk = tree.lookup_pool::<Risk>("root/risk").ok_or("it runs")?;
    bus.publisher()?.publish(Limits).await?;
    for _ in 0..4 {
        bus.publisher()?.publish(Order).await?;
    }
    risk.flush().await?;
    for worker in risk.workers() {
        assert_eq!(worker.ask(Handled).await?, (2, 1));
    }
    Ok(tree.shutdown().await?)
}
