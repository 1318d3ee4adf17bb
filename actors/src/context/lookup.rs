//! How an actor or a service finds others of its bus.

use std::any::Any;

use super::ContextBackend;
use crate::{Actor, ActorRef, Context};

impl<A: Actor> Context<A> {
    /// The actor registered under `name`, or else the one at this path of a tree of the same bus or isolate,
    /// as [`MessageBus::lookup`](crate::MessageBus::lookup) finds it; `None` if there is none or it is of
    /// another type, and on a direct route.
    ///
    /// A supervisor starts its children one after the other: a later sibling is not there yet in `started`.
    /// Its reference outlives its restarts, so look once and keep it.
    ///
    /// ```
    /// # use mycelium::{ActorRef, Context, Isolate, Result, Supervisor, actor};
    /// # struct Risk;
    /// # struct MayI;
    /// # #[actor] impl Risk { #[ask] fn may_i(&self, _: &MayI) -> bool { true } }
    /// #[derive(Default)]
    /// struct Strategy(Option<ActorRef<Risk>>);
    ///
    /// #[actor]
    /// impl Strategy {
    ///     #[started]
    ///     fn begin(&mut self, ctx: &mut Context<Self>) -> Result {
    ///         self.0 = ctx.lookup("root/risk"); // started before
    ///         Ok(())
    ///     }
    /// #   #[ask] fn found(&self, _: &MayI) -> bool { self.0.is_some() }
    /// }
    /// # let mut isolate = Isolate::new(1);
    /// let root = Supervisor::builder("root").actor("risk", || Risk).actor("strategy", Strategy::default);
    /// # let tree = isolate.supervise(&root)?;
    /// # let strategy = tree.lookup::<Strategy>("root/strategy").unwrap();
    /// # assert!(isolate.ask(&strategy, MayI)?);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn lookup<B: Actor>(&self, name: &str) -> Option<ActorRef<B>> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().lookup(name),
            ContextBackend::Live(live) => live.outlet.core().lookup(name),
            ContextBackend::Direct(_) => None,
        }
    }

    pub(crate) fn find_pool<R>(&self, path: &str, take: fn(Box<dyn Any>) -> Option<R>) -> Option<R> {
        match &self.backend {
            ContextBackend::Isolate(isolate) => isolate.place().find_pool(path, take),
            ContextBackend::Live(live) => live.outlet.core().forest.find_pool(path, take),
            ContextBackend::Direct(_) => None,
        }
    }
}
