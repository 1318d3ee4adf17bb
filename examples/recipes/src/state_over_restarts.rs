//! Keep what must outlive a crash outside the actor: the factory gives each life a handle to it.

use std::sync::{Arc, Mutex, PoisonError};

use mycelium::{MessageBus, Result, Supervisor, actor};

/// What a real program keeps in a file or a database.
type Snapshot = Arc<Mutex<i64>>;

struct Position {
    saved: Snapshot,
    units: i64,
}

struct Units;

#[actor]
impl Position {
    #[started]
    fn load(&mut self) {
        self.units = *self.saved.lock().unwrap_or_else(PoisonError::into_inner);
    }
    #[on(direct)]
    fn bought(&mut self, units: &i64) -> Result {
        let after = self.units.checked_add(*units).ok_or("more than there can be")?;
        self.units = after;
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = after; // after the checks: never half of it
        Ok(())
    }
    #[ask]
    fn units(&self, _: &Units) -> i64 {
        self.units
    }
}

pub(crate) async fn run() -> Result {
    let (bus, saved) = (MessageBus::new(), Snapshot::default());
    let make = move || Position { saved: Arc::clone(&saved), units: 0 };
    let tree = Supervisor::builder("root").actor("position", make).start(&bus).await?;
    let position = tree.actor_ref::<Position>("root/position").ok_or("it runs")?;
    position.tell(5_i64).await?;
    position.tell(i64::MAX).await?; // fails, and is not handled again
    assert_eq!(position.ask(Units).await?, 5);
    tree.shutdown().await?;
    Ok(bus.shutdown().await?)
}
