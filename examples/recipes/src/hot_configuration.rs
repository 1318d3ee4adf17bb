//! Change a setting while everything runs: publish it, and whoever it concerns takes it in its turn.

use mycelium::{Isolate, Result, actor};

use crate::{Limits, Order};

struct Risk {
    quantity_max: u32,
    refused: u32,
}

#[actor]
impl Risk {
    #[on(policy = conflate, key = |_| 0, capacity = 1)] // only the latest counts
    fn limits(&mut self, limits: &Limits) {
        self.quantity_max = limits.quantity_max;
    }
    #[on]
    fn order(&mut self, order: &Order) {
        self.refused += u32::from(order.quantity > self.quantity_max);
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(1);
    let risk = isolate.spawn(Risk { quantity_max: 10, refused: 0 })?;
    for quantity_max in [10, 100] {
        isolate.publish(Limits { quantity_max })?;
        isolate.run()?;
        isolate.publish(Order { symbol: 1, quantity: 50 })?;
        isolate.run()?;
    }
    assert_eq!(isolate.with(&risk, |risk| risk.refused), Some(1));
    Ok(())
}
