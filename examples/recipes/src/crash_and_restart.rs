//! Restart an actor that fails, with exponential backoff; the next life handles the queued messages.

use std::time::Duration;

use mycelium::tree::{Backoff, Child};
use mycelium::{MessageBus, Result, Supervisor, actor};

#[derive(Default)]
struct Parser(u32);
struct Good;

#[actor]
impl Parser {
    #[on(direct)]
    fn parse(&mut self, text: &&'static str) -> Result {
        text.parse::<u64>()?; // an error ends this life, as a panic does
        self.0 += 1;
        Ok(())
    }
    #[ask]
    fn good(&self, _: &Good) -> u32 {
        self.0
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let backoff = Backoff { initial: Duration::from_millis(10), ..Backoff::default() };
    let tree = Supervisor::builder("root")
        .intensity(3, Duration::from_secs(5))
        .child(Child::actor("parser", Parser::default).backoff(backoff))
        .start(&bus)
        .await?;
    let parser = tree.lookup::<Parser>("root/parser").ok_or("it runs")?;
    parser.tell("1").await?;
    parser.tell("one").await?; // the end of the first life
    parser.tell("2").await?; // the second life handles it; the reference stays good
    assert_eq!(parser.ask(Good).await?, 1);
    Ok(bus.shutdown().await?) // its trees first
}
