//! How pools are found by their paths, by those who have no handle of the tree.

use super::PoolRef;
use crate::{Actor, Context, Isolate, MessageBus, ServiceContext};

impl MessageBus {
    /// The pool at this path of a tree of the bus, in the eldest tree that has one there; `None` if there is
    /// none or its workers are of another type. As [`Tree::lookup_pool`](crate::Tree::lookup_pool), for those
    /// who have no handle of the tree.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, MessageBus, Supervisor, pool::Pool};
    /// # struct Risk;
    /// # impl Actor for Risk { type Error = BoxError; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let risk = Pool::new(|| Risk).workers(3).supervisor("risk");
    /// let _tree = Supervisor::builder("root").supervisor(risk).start(&bus).await?;
    /// assert_eq!(bus.lookup_pool::<Risk>("root/risk").map(|pool| pool.size()), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        self.find_pool(path, PoolRef::found)
    }
}

impl Isolate {
    /// The pool at this path of a tree of the isolate, in the eldest tree that has one there; `None` if there
    /// is none or its workers are of another type.
    #[must_use]
    pub fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        self.find_pool(path, PoolRef::found)
    }
}

impl<A: Actor> Context<A> {
    /// The pool at this path of a tree of the same bus or isolate; `None` if there is none or its workers are
    /// of another type, and on a direct route.
    #[must_use]
    pub fn lookup_pool<B: Actor>(&self, path: &str) -> Option<PoolRef<B>> {
        self.find_pool(path, PoolRef::found)
    }
}

impl ServiceContext {
    /// The pool at this path on the same bus or isolate: see [`Context::lookup_pool`].
    #[must_use]
    pub fn lookup_pool<A: Actor>(&self, path: &str) -> Option<PoolRef<A>> {
        self.find_pool(path, PoolRef::found)
    }
}
