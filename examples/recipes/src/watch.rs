//! Hear of another actor's end.

use mycelium::{ActorRef, Context, Down, MessageBus, Result, actor};

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
    heard: Option<String>,
}

struct Heard;

#[actor]
impl Desk {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.watch(&self.gateway); // `depend_on` would end this actor too
    }
    #[on(direct)]
    fn down(&mut self, down: &Down) {
        self.heard = Some(down.reason.to_string());
    }
    #[ask]
    fn heard(&self, _: &Heard) -> Option<String> {
        self.heard.clone()
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let gateway = bus.spawn(Gateway)?;
    let desk = bus.spawn(Desk { gateway: gateway.clone(), heard: None })?;
    desk.ask(Heard).await?; // it watches from here on
    gateway.tell("no route").await?;
    gateway.ended().await;
    let heard = loop {
        if let Some(heard) = desk.ask(Heard).await? {
            break heard;
        }
    };
    assert!(heard.contains("no route"), "{heard}");
    Ok(bus.shutdown().await?)
}
