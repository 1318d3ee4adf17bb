//! Change a setting while everything runs, and keep it over restarts: all interested actors receive it, the
//! topic retains the latest, and each new life starts with it.

use crate::{Limits, Order};
use mycelium::{MessageBus, Result, Retention, Subscription, Supervisor, WeakBus, actor};

struct Risk {
    bus: WeakBus,
    quantity_max: u32,
}

#[actor]
impl Risk {
    #[started] // before all that waits in the mailbox
    fn configure(&mut self) -> Result {
        let bus = self.bus.upgrade().ok_or("the bus has ended")?;
        let mut latest = bus.subscriber_with::<Limits>(Subscription::block().with_retained())?;
        self.quantity_max = latest.try_recv().ok_or("nothing is configured")?.quantity_max;
        Ok(())
    }
    #[on]
    fn limits(&mut self, limits: &Limits) {
        self.quantity_max = limits.quantity_max;
    }
    #[ask]
    fn allows(&self, order: &Order) -> bool {
        assert!(order.quantity > 0, "a bug");
        order.quantity <= self.quantity_max
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::builder().retain(Retention::<Limits>::last()).build();
    bus.publisher::<Limits>()?.publish(Limits { quantity_max: 100 }).await?;
    let weak = bus.downgrade();
    let make = move || Risk { bus: weak.clone(), quantity_max: 0 };
    let tree = Supervisor::builder("root").actor("risk", make).start(&bus).await?;
    let risk = tree.lookup::<Risk>("root/risk").ok_or("it runs")?;
    assert!(risk.ask(Order { symbol: 1, quantity: 0 }).await.is_err()); // the end of this life
    assert!(risk.ask(Order { symbol: 1, quantity: 50 }).await?);
    Ok(bus.shutdown().await?)
}
