//! Ask an actor beside you. A tree starts its children in order, and an actor finds another one by its path.

use crate::{Order, Quote};
use mycelium::{ActorRef, Context, Isolate, Result, Supervisor, actor};

struct Risk;
#[actor]
impl Risk {
    #[ask]
    fn allows(&self, order: &Order) -> bool {
        order.quantity <= 10
    }
}
#[derive(Default)]
struct Strategy(Option<ActorRef<Risk>>);
#[actor]
impl Strategy {
    #[started] // the reference stays good when the sibling is restarted
    fn begin(&mut self, ctx: &mut Context<Self>) {
        self.0 = ctx.lookup("root/risk");
    }
    #[on]
    async fn quote(&mut self, quote: &Quote, ctx: &mut Context<Self>) -> Result {
        let order = Order { symbol: quote.symbol, quantity: 5 };
        if ctx.ask(self.0.as_ref().ok_or("no risk")?, order).await? {
            ctx.publish(order).await?;
        }
        Ok(())
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(1);
    let orders = isolate.record::<Order>()?;
    let root = Supervisor::builder("root").actor("risk", || Risk).actor("strategy", Strategy::default);
    let _tree = isolate.supervise(&root)?;
    isolate.publish(Quote { symbol: 1, ticks: 99 })?;
    isolate.run()?;
    orders.expect(&Order { symbol: 1, quantity: 5 });
    Ok(())
}
