//! A first actor: it hears ticks and answers with their sum. Run it with `cargo run -p mycelium --example
//! first_actor`.

use mycelium::{MainResult, Message, MessageBus, actor};

#[derive(Clone, Debug)]
struct Tick(u64);
impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "ticks";
}
struct Total;
struct Sum(u64);

#[actor]
impl Sum {
    #[on]
    fn tick(&mut self, tick: &Tick) {
        self.0 += tick.0;
    }
    #[ask]
    fn total(&self, _: &Total) -> u64 {
        self.0
    }
}

#[tokio::main]
async fn main() -> MainResult {
    let bus = MessageBus::new();
    let sum = bus.spawn(Sum(0))?;
    let ticks = bus.publisher::<Tick>()?;
    for n in 1..=10 {
        ticks.publish(Tick(n)).await?;
    }
    println!("the sum is {}", sum.ask(Total).await?);
    bus.shutdown().await?;
    Ok(())
}
