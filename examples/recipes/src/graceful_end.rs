//! End in order: sources first, then all queued messages, then the actors. `run_until_signal` does this at
//! Ctrl-C.

use std::time::Duration;

use mycelium::tree::Child;
use mycelium::{MessageBus, Result, ServiceContext, Supervisor, actor, service};

use crate::Quote;

struct Feed;
struct Book;

#[service]
impl Feed {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        for ticks in 1..=1_000 {
            ctx.publish(Quote { symbol: 1, ticks }).await?;
        }
        ctx.stopped().await;
        Ok(())
    }
}

#[actor]
impl Book {
    #[on]
    fn quote(&mut self, _: &Quote) {}
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let tree = Supervisor::builder("root")
        .actor("book", || Book)
        .child(Child::service("feed", || Feed).source(true)) // a drain ends it first
        .start(&bus)
        .await?;
    let drained = tree.drain(Duration::from_secs(5)).await?; // in `main`: tree.run_until_signal(..)
    println!("{drained}");
    assert_eq!(bus.dead_letters().waiting, 0, "nothing that was queued is lost");
    Ok(bus.shutdown().await?)
}
