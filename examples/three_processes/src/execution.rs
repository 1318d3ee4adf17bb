//! Execution: it fills each order at its price, and prints what has come of all of them.

use mycelium::actor;

use crate::{Order, StrategyDone};

#[derive(Default)]
pub(crate) struct Execution {
    orders: u64,
    position: i64,
    cash: i64,
    /// Of all orders in the order in which they came.
    checksum: u64,
    done_after: Option<u64>,
}

#[actor]
impl Execution {
    #[on(retained)]
    fn order(&mut self, order: &Order) {
        let quantity = if order.buys { 1 } else { -1 };
        self.position += quantity;
        self.cash = self.cash.saturating_sub(order.price.saturating_mul(quantity));
        for value in [order.number, order.price.unsigned_abs(), u64::from(order.buys)] {
            self.checksum = (self.checksum ^ value).wrapping_mul(0x0100_0000_01b3);
        }
        self.orders += 1;
        self.report();
    }

    #[on(retained)]
    fn done(&mut self, done: &StrategyDone) {
        self.done_after = Some(done.orders);
        self.report();
    }

    fn report(&self) {
        if self.done_after == Some(self.orders) {
            let Self { orders, position, cash, checksum, .. } = self;
            println!(
                "result: {orders} orders, position {position}, cash {cash} cents, checksum {checksum:016x}"
            );
        }
    }
}
