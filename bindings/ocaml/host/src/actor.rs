//! Modules of OCaml as children of trees.

use std::fmt;
use std::sync::Arc;

use mycelium::tree::{Child, Factories};
use mycelium_hosted::{self as hosted, ActorSpec, HostedPool};

use crate::OCamlRuntime;

/// An actor of OCaml that was found and checked: any number of children are made of it. See
/// [`OCamlRuntime::actor`].
#[derive(Clone)]
pub struct OCamlActor {
    name: Arc<str>,
    hosted: hosted::Runtime,
    spec: ActorSpec,
}

impl OCamlActor {
    pub(crate) fn new(name: &str, hosted: hosted::Runtime, spec: ActorSpec) -> Self {
        Self { name: name.into(), hosted, spec }
    }

    /// A child of a tree, on a thread of its own that OCaml knows. Everything that a child has can be set. An
    /// exception ends a life, with its text and backtrace as the reason.
    pub fn child(&self, id: &str) -> Child {
        self.hosted.child(id, self.spec.clone())
    }

    /// A pool of this actor: each message is handled by one of its workers, of which each has a state and a
    /// thread of its own. OCaml runs one of them at a time; several are worth it where they wait, or compute
    /// outside of OCaml.
    ///
    /// ```no_run
    /// use mycelium::Supervisor;
    ///
    /// # fn with(ocaml: &mycelium_ocaml::OCamlRuntime) -> Result<(), mycelium_ocaml::OCamlError> {
    /// let pool = ocaml.actor("risk")?.pool().workers(4);
    /// let desk = Supervisor::builder("desk").supervisor(pool.supervisor("risk"));
    /// # let _ = desk;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool(&self) -> HostedPool {
        self.hosted.pool(self.spec.clone())
    }
}

impl fmt::Debug for OCamlActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OCamlActor").field(&self.name).finish()
    }
}

/// Children of trees that are written in OCaml.
pub trait OCamlChild {
    /// An actor of OCaml. Each life begins with its `started`, on a thread of its own; its mailbox and
    /// subscriptions outlive the lives. An exception ends a life: its text and backtrace are the reason that
    /// the supervisor sees. So does `exit`, which ends nothing else.
    ///
    /// ```no_run
    /// use mycelium::tree::{Child, Restart};
    /// use mycelium_ocaml::OCamlChild;
    ///
    /// # fn with(ocaml: &mycelium_ocaml::OCamlRuntime) -> Result<(), mycelium_ocaml::OCamlError> {
    /// let risk = Child::ocaml("risk", &ocaml.actor("risk")?).restart(Restart::Transient);
    /// # let _ = risk;
    /// # Ok(())
    /// # }
    /// ```
    fn ocaml(id: &str, actor: &OCamlActor) -> Child;
}

impl OCamlChild for Child {
    fn ocaml(id: &str, actor: &OCamlActor) -> Child {
        actor.child(id)
    }
}

/// Trees in TOML whose children are written in OCaml.
pub trait OCamlFactories {
    /// Has `actor = "ocaml:name"` be the actor that OCaml has registered under this name, and `pool` a pool
    /// of it. One that cannot be used is a mistake at that place of the file. A pool with keys or options of
    /// its workers is registered under a name: `Factories::pool("pricers", ..)`.
    ///
    /// ```no_run
    /// use mycelium::Supervisor;
    /// use mycelium::tree::Factories;
    /// use mycelium_ocaml::OCamlFactories;
    ///
    /// # fn with(ocaml: &mycelium_ocaml::OCamlRuntime) -> Result<(), mycelium::BoxError> {
    /// let tree = Supervisor::from_toml(
    ///     r#"
    ///     [tree]
    ///     [[tree.children]]
    ///     id = "risk"
    ///     actor = "ocaml:risk"
    ///     redelivery_attempts = 3
    ///     "#,
    ///     &Factories::new().ocaml(ocaml),
    /// )?;
    /// # let _ = tree;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    fn ocaml(self, runtime: &OCamlRuntime) -> Self;
}

impl OCamlFactories for Factories {
    fn ocaml(self, runtime: &OCamlRuntime) -> Self {
        let runtime = runtime.clone();
        let of_pools = runtime.clone();
        self.scheme("ocaml", move |name, id| {
            let actor = runtime.actor(name).map_err(|error| error.to_string())?;
            Ok(actor.child(id))
        })
        .pool_scheme("ocaml", move |name| {
            let actor = of_pools.actor(name).map_err(|error| error.to_string())?;
            Ok(move || actor.pool().into())
        })
    }
}
