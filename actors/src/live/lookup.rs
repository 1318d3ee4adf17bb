//! Who is found on a bus, by name and by path.

use std::any::Any;

use super::address::Address;
use super::bus::{BusCore, MessageBus};
use crate::{Actor, ActorRef};

impl BusCore {
    pub(crate) fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        let named = self.names.get(name).and_then(|address| address.downcast::<Address<A>>().ok());
        named.map(ActorRef::live).or_else(|| self.forest.lookup(name))
    }
}

impl MessageBus {
    /// The actor registered under `name`, or else the one at this path of a tree of the bus
    /// (`root/desk/strategy`, in the eldest tree that has one there); `None` if there is none or it is of
    /// another type.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, MessageBus, Supervisor};
    /// # struct Strategy;
    /// # impl Actor for Strategy { type Error = BoxError; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let desk = Supervisor::builder("desk").actor("strategy", || Strategy);
    /// let _tree = Supervisor::builder("root").supervisor(desk).start(&bus).await?;
    /// assert!(bus.lookup::<Strategy>("root/desk/strategy").is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        self.core.lookup(name)
    }

    pub(crate) fn find_pool<R>(&self, path: &str, take: fn(Box<dyn Any>) -> Option<R>) -> Option<R> {
        self.core.forest.find_pool(path, take)
    }
}
