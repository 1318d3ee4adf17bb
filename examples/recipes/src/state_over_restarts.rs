//! Keep state that must outlive a crash outside the actor: the factory gives each life a handle to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use mycelium::{MessageBus, Result, Supervisor, actor};

struct Position {
    saved: Arc<AtomicI64>, // in a real program a file or a database
    units: i64,
}
struct Units;

#[actor]
impl Position {
    #[started]
    fn load(&mut self) {
        self.units = self.saved.load(Relaxed);
    }
    #[on(direct)]
    fn bought(&mut self, units: &i64) -> Result {
        self.units = self.units.checked_add(*units).ok_or("more than there can be")?;
        self.saved.store(self.units, Relaxed); // after the checks: never half of it
        Ok(())
    }
    #[ask]
    fn units(&self, _: &Units) -> i64 {
        self.units
    }
}

pub(crate) async fn run() -> Result {
    let (bus, saved) = (MessageBus::new(), Arc::new(AtomicI64::new(0)));
    let make = move || Position { saved: Arc::clone(&saved), units: 0 };
    let tree = Supervisor::builder("root").actor("position", make).start(&bus).await?;
    let position = tree.lookup::<Position>("root/position").ok_or("it runs")?;
    position.tell(5_i64).await?;
    position.tell(i64::MAX).await?; // fails, and is not handled again
    assert_eq!(position.ask(Units).await?, 5);
    Ok(bus.shutdown().await?)
}
