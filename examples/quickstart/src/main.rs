//! A first actor: it hears ticks and answers with their sum.
#![forbid(unsafe_code)]

use mycelium::{MainResult, MessageBus, actor};
mycelium::contracts!(); // Tick

struct Total; // a question, which the actor below answers
struct Sum(u64);

#[actor]
impl Sum {
    #[on]
    fn tick(&mut self, tick: &Tick) {
        self.0 += tick.value;
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
    for value in 1..=10 {
        ticks.publish(Tick { value }).await?;
    }
    println!("the sum is {}", sum.ask(Total).await?);
    Ok(bus.shutdown().await?)
}
