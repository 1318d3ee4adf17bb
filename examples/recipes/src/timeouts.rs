//! Limit each wait: all questions of a bus, one question, and any other future. A limit follows the bus's
//! clock.

use std::time::Duration;

use mycelium::resilience::timeout;
use mycelium::{AskError, Context, MessageBus, Result, actor};

struct Gateway;
struct Status;

#[actor]
impl Gateway {
    #[ask]
    async fn status(&mut self, _: &Status, ctx: &mut Context<Self>) -> bool {
        ctx.sleep(Duration::from_secs(3600)).await; // as if the venue hung
        true
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::builder().ask_limit(Duration::from_millis(20)).build();
    let gateway = bus.spawn(Gateway)?;
    // The limit of the bus. The question may have been handled all the same: the error says which.
    assert!(matches!(gateway.ask(Status).await, Err(AskError::Timeout(_))));
    // A limit of this question.
    let answer = gateway.ask_within(Status, Duration::from_millis(5)).await;
    println!("{}", answer.err().ok_or("it hangs")?);
    // A limit of anything that is awaited; at its end the future is dropped where it waits.
    let reply = std::future::pending::<u32>();
    let late = timeout(&bus.clock(), Duration::from_millis(5), reply).await;
    println!("{}", late.err().ok_or("it hangs")?);
    gateway.kill(); // an orderly end would wait for the handler
    Ok(bus.shutdown().await?)
}
