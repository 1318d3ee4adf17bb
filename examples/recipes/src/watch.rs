//! Be told when another actor ends, and why.

use mycelium::{ActorRef, Context, Down, MessageBus, Result, StopReason, actor};

struct Gateway;

#[actor]
impl Gateway {
    #[on(direct)]
    fn fail(&mut self, why: &&'static str) -> Result {
        Err((*why).into())
    }
}

struct Desk {
    gateway: ActorRef<Gateway>,
}

#[actor]
impl Desk {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.watch(&self.gateway); // `depend_on` would end this actor too
    }
    #[on(direct)]
    fn down(&mut self, down: &Down, ctx: &mut Context<Self>) {
        println!("the gateway has ended: {}", down.reason);
        ctx.stop();
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let gateway = bus.spawn(Gateway)?;
    let desk = bus.spawn(Desk { gateway: gateway.clone() })?;
    gateway.tell("no route").await?;
    assert_eq!(desk.ended().await, StopReason::Normal); // it was told, also if the end came first
    Ok(bus.shutdown().await?)
}
