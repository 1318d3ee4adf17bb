//! Pools of trees that are declared in TOML.

use std::sync::Arc;

use mycelium_supervisor::declare::DeclaredDispatch;

use super::{Dispatch, Pool};
use crate::Actor;
use crate::tree::Factories;

impl Factories {
    /// Children with `pool = "name"`. `make` describes the pool: its workers, keys and topics. How many
    /// workers it has, and `dispatch` if it stands there, the file says.
    ///
    /// ```
    /// use mycelium::pool::Pool;
    /// use mycelium::tree::Factories;
    /// use mycelium::{Actor, BoxError, Isolate, Supervisor};
    ///
    /// #[derive(Default)]
    /// struct Risk;
    /// impl Actor for Risk { type Error = BoxError; }
    ///
    /// let factories = Factories::new().pool("risk", || Pool::new(Risk::default));
    /// let root = Supervisor::from_toml(
    ///     r#"
    ///     [tree]
    ///     [[tree.children]]
    ///     id = "risk"
    ///     pool = "risk"
    ///     workers = 4
    ///     dispatch = "least_busy"
    ///     "#,
    ///     &factories,
    /// )?;
    /// let mut isolate = Isolate::new(1);
    /// let tree = isolate.supervise(&root)?;
    /// assert_eq!(tree.pool_ref::<Risk>("root/risk").expect("it runs").workers().len(), 4);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[must_use]
    pub fn pool<A: Actor>(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> Pool<A> + Send + Sync + 'static,
    ) -> Self {
        let pool = move |id: &Arc<str>, workers: u32, dispatch: Option<DeclaredDispatch>| {
            let pool = make().workers(workers as usize);
            let pool = match dispatch {
                Some(DeclaredDispatch::RoundRobin) => pool.dispatch(Dispatch::RoundRobin),
                Some(DeclaredDispatch::LeastBusy) => pool.dispatch(Dispatch::LeastBusy),
                _ => pool,
            };
            pool.supervisor(Arc::clone(id))
        };
        self.pools.insert(name.into(), Arc::new(pool));
        self
    }
}
