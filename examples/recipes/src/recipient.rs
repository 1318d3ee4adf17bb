//! Pass the address of an actor that accepts one message type, without its concrete type.

use mycelium::{MessageBus, Recipient, Result, actor};

use crate::Order;

#[derive(Default)]
struct Venue {
    orders: u32,
}

struct Orders;

#[actor]
impl Venue {
    #[on(direct)]
    fn order(&mut self, _: &Order) {
        self.orders += 1;
    }
    #[ask]
    fn orders(&self, _: &Orders) -> u32 {
        self.orders
    }
}

/// Knows nothing of venues: a test gives it an actor of its own.
async fn trade(to: &Recipient<Order>) -> Result {
    to.tell(Order { symbol: 1, quantity: 10 }).await?;
    Ok(())
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let venue = bus.spawn(Venue::default())?;
    trade(&venue.recipient()).await?;
    assert_eq!(venue.ask(Orders).await?, 1);
    Ok(bus.shutdown().await?)
}
