//! Classes of Python as children of trees.

use std::fmt;
use std::sync::Arc;

use mycelium::tree::{Child, Factories};
use mycelium_hosted::{self as hosted, ActorSpec, HostedPool};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::interpreter::HOST_MODULE;
use super::{Argument, PythonError, PythonRuntime, argument};
use crate::plan;

/// An actor class of Python that was found and checked, with its arguments: any number of children are made
/// of it. See [`PythonRuntime::actor`].
#[derive(Clone)]
pub struct PythonActor {
    class: Arc<str>,
    hosted: hosted::Runtime,
    spec: ActorSpec,
}

impl PythonActor {
    pub(super) fn new(
        runtime: &PythonRuntime,
        class: &str,
        arguments: Vec<(&str, Argument)>,
    ) -> Result<Self, PythonError> {
        let guest = &runtime.0;
        let spec = Python::attach(|py| {
            let named = PyDict::new(py);
            for (name, value) in arguments {
                named.set_item(name, argument::value(py, &value)?)?;
            }
            let made = py.import(HOST_MODULE)?.call_method1("plan", (&guest.runtime, class, named))?;
            plan::spec(&made, &guest.core.host)
        });
        let spec = spec.map_err(|error: PyErr| PythonError::raised(&error))?;
        // An actor that lives has its bus in Python, `mycelium.host()`, whatever the program has dropped.
        let spec = spec.keeping(Arc::clone(guest));
        Ok(Self { class: class.into(), hosted: guest.core.hosted.clone(), spec })
    }

    /// A child of a tree, on a thread of its own that stays attached to Python. Everything that a child has
    /// can be set. An exception ends a life, with its traceback as the reason.
    pub fn child(&self, id: &str) -> Child {
        self.hosted.child(id, self.spec.clone())
    }

    /// A pool of this actor: each message is handled by one of its workers, of which each is an instance on
    /// a thread of its own. Python runs one of them at a time; several are worth it where they wait, or
    /// compute outside of the interpreter.
    ///
    /// ```no_run
    /// use mycelium::Supervisor;
    /// use mycelium::pool::Dispatch;
    /// use mycelium::tree::Redelivery;
    ///
    /// # fn with(python: &mycelium_python::PythonRuntime) -> Result<(), mycelium_python::PythonError> {
    /// let pricers = python.actor("pricing:Pricer")?.pool().workers(4).dispatch(Dispatch::LeastBusy);
    /// let pricers = pricers.each(|worker| worker.redelivery(Redelivery::Retry { attempts: 3 }));
    /// let desk = Supervisor::builder("desk").supervisor(pricers.supervisor("pricers"));
    /// # let _ = desk;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool(&self) -> HostedPool {
        self.hosted.pool(self.spec.clone())
    }
}

impl fmt::Debug for PythonActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PythonActor").field(&self.class).finish()
    }
}

/// Children of trees that are written in Python.
pub trait PythonChild {
    /// An actor of Python. Each life is a new instance, on a thread of its own that stays attached to the
    /// interpreter; its mailbox and subscriptions outlive the lives. An exception ends a life: its traceback
    /// is the reason that the supervisor sees. So does `SystemExit`, which ends nothing else.
    ///
    /// ```no_run
    /// use mycelium::tree::{Child, Restart};
    /// use mycelium_python::PythonChild;
    ///
    /// # fn with(python: &mycelium_python::PythonRuntime) -> Result<(), mycelium_python::PythonError> {
    /// let model = Child::python("model", &python.actor("signals:Model")?).restart(Restart::Transient);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    fn python(id: &str, actor: &PythonActor) -> Child;
}

impl PythonChild for Child {
    fn python(id: &str, actor: &PythonActor) -> Child {
        actor.child(id)
    }
}

/// Trees in TOML whose children are written in Python.
pub trait PythonFactories {
    /// Has `actor = "python:module:Class"` be an actor of that class, made without arguments, and `pool` a
    /// pool of it. A class that cannot be used is a mistake at that place of the file. A pool with keys,
    /// arguments or options of its workers is registered under a name: `Factories::pool("pricers", ..)`.
    ///
    /// ```no_run
    /// use mycelium::Supervisor;
    /// use mycelium::tree::Factories;
    /// use mycelium_python::PythonFactories;
    ///
    /// # fn with(python: &mycelium_python::PythonRuntime) -> Result<(), mycelium::BoxError> {
    /// let wide = python.actor_with("signals:Model", [("window", 200.into())])?;
    /// let factories = Factories::new().python(python).python_actor("wide-model", &wide);
    /// let tree = Supervisor::from_toml(
    ///     r#"
    ///     [tree]
    ///     [[tree.children]]
    ///     id = "model"
    ///     actor = "python:signals:Model"
    ///     redelivery_attempts = 3
    ///     [[tree.children]]
    ///     id = "wide"
    ///     actor = "wide-model"
    ///     "#,
    ///     &factories,
    /// )?;
    /// # let _ = tree;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    fn python(self, runtime: &PythonRuntime) -> Self;

    /// Has `actor = "name"` be this one, which may have arguments.
    #[must_use]
    fn python_actor(self, name: impl Into<String>, actor: &PythonActor) -> Self;
}

impl PythonFactories for Factories {
    fn python(self, runtime: &PythonRuntime) -> Self {
        let runtime = runtime.clone();
        let of_pools = runtime.clone();
        self.scheme("python", move |class, id| {
            let actor = runtime.actor(class).map_err(|error| error.to_string())?;
            Ok(actor.child(id))
        })
        .pool_scheme("python", move |class| {
            let actor = of_pools.actor(class).map_err(|error| error.to_string())?;
            Ok(move || actor.pool().into())
        })
    }

    fn python_actor(self, name: impl Into<String>, actor: &PythonActor) -> Self {
        let actor = actor.clone();
        self.child(name, move |id| actor.child(id))
    }
}
