//! Pools of trees that are declared in TOML.

use std::sync::Arc;

use mycelium_supervisor::declare::DeclaredDispatch;

use super::{Dispatch, Pool};
use crate::Actor;
use crate::tree::{Factories, MakePool};

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
    /// assert_eq!(tree.lookup_pool::<Risk>("root/risk").expect("it runs").workers().len(), 4);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[must_use]
    pub fn pool<A: Actor>(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> Pool<A> + Send + Sync + 'static,
    ) -> Self {
        self.pools.insert(name.into(), declared(make));
        self
    }

    /// Children with `pool = "scheme:name"`, which need not be registered one by one: `find` is told the name
    /// behind the colon, and says why there is none of that name. It is looked for once for each pool of the
    /// file, and `make` of what it has found gives that pool, as in [`pool`](Self::pool). A name that is
    /// registered as a whole counts before.
    ///
    /// ```
    /// use mycelium::pool::Pool;
    /// use mycelium::tree::Factories;
    /// use mycelium::{Actor, BoxError, Supervisor};
    ///
    /// struct Book { symbol: String }
    /// impl Actor for Book { type Error = BoxError; }
    ///
    /// let factories = Factories::new().pool_scheme("book", |symbol| {
    ///     if symbol.is_empty() {
    ///         return Err("a symbol is missing: write it behind the colon, as in book:GOOG".to_owned());
    ///     }
    ///     let symbol = symbol.to_owned();
    ///     Ok(move || {
    ///         let symbol = symbol.clone();
    ///         Pool::new(move || Book { symbol: symbol.clone() })
    ///     })
    /// });
    /// let file = "[tree]\n[[tree.children]]\nid = \"first\"\nworkers = 2\npool = \"book:\"";
    /// let error = Supervisor::from_toml(file, &factories).unwrap_err();
    /// assert!(error.to_string().starts_with("line 5, column 8: a symbol is missing"), "{error}");
    /// ```
    #[must_use]
    pub fn pool_scheme<A: Actor, F: Fn() -> Pool<A> + Send + Sync + 'static>(
        mut self,
        scheme: impl Into<String>,
        find: impl Fn(&str) -> Result<F, String> + Send + Sync + 'static,
    ) -> Self {
        self.pool_schemes.insert(scheme.into(), Arc::new(move |name| find(name).map(declared)));
        self
    }
}

/// The pool with what the file says of it.
fn declared<A: Actor>(make: impl Fn() -> Pool<A> + Send + Sync + 'static) -> MakePool {
    Arc::new(move |id: &Arc<str>, workers: u32, dispatch: Option<DeclaredDispatch>| {
        let pool = make().workers(workers as usize);
        let pool = match dispatch {
            Some(DeclaredDispatch::RoundRobin) => pool.dispatch(Dispatch::RoundRobin),
            Some(DeclaredDispatch::LeastBusy) => pool.dispatch(Dispatch::LeastBusy),
            _ => pool,
        };
        pool.supervisor(Arc::clone(id))
    })
}
