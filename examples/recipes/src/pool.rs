//! Four workers behind one subscription. One of them handles each order; orders of one symbol keep their
//! order, also while the pool grows.

use mycelium::{MessageBus, Result, Supervisor, actor, pool::Pool};

use crate::Order;

struct Risk(usize);
struct Count;

#[actor]
impl Risk {
    #[on(direct)] // the pool has the subscription, not each worker
    fn order(&mut self, _: &Order) {
        self.0 += 1;
    }
    #[ask]
    fn count(&self, _: &Count) -> usize {
        self.0
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let risk = Pool::new(|| Risk(0)).workers(4).on::<Order>().key(|order: &Order| u64::from(order.symbol));
    let tree = Supervisor::builder("root").supervisor(risk.supervisor("risk")).start(&bus).await?;
    let risk = tree.lookup_pool::<Risk>("root/risk").expect("it runs");
    let orders = bus.publisher::<Order>()?;
    for symbol in 0..1_000 {
        orders.publish(Order { symbol, quantity: 1 }).await?;
        if symbol == 500 {
            risk.resize(6).await?;
        }
    }
    risk.flush().await?;
    let mut handled = 0;
    for worker in risk.workers() {
        handled += worker.ask(Count).await?;
    }
    assert_eq!((risk.size(), handled), (6, 1_000));
    Ok(tree.shutdown().await?)
}
