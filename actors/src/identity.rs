//! The identity of an actor or service, as logs, statistics and errors call it.

use std::fmt;
use std::sync::Arc;

use crate::ActorId;

/// The identity of an actor or service.
///
/// As text it is the path of a child of a tree (`root/desk/strategy`), the name of an actor that was
/// registered under one, and else the type's name with the number: `Strategy#2`.
///
/// ```
/// # use mycelium::{Actor, BoxError, Isolate, Supervisor};
/// # struct Strategy;
/// # impl Actor for Strategy { type Error = BoxError; }
/// let mut isolate = Isolate::new(42);
/// let desk = Supervisor::builder("desk").actor("strategy", || Strategy);
/// let tree = isolate.supervise(&Supervisor::builder("root").supervisor(desk))?;
/// let supervised = tree.lookup::<Strategy>("root/desk/strategy").expect("it runs");
/// assert_eq!(supervised.identity().to_string(), "root/desk/strategy");
/// assert_eq!(isolate.spawn(Strategy)?.identity().to_string(), "Strategy#2");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// Its number within its bus or isolate.
    pub id: ActorId,
    /// Its [`Actor::name`](crate::Actor::name) or [`Service::name`](crate::Service::name).
    pub name: &'static str,
    /// Its path in a tree, or the name under which it was registered; `None` if it has neither.
    /// [`MessageBus::lookup`](crate::MessageBus::lookup) finds an actor by it.
    pub path: Option<Arc<str>>,
}

impl Identity {
    /// The text of it.
    pub(crate) fn text(&self) -> Arc<str> {
        self.path.clone().unwrap_or_else(|| self.to_string().into())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => f.write_str(path),
            None => write!(f, "{}{}", self.name, self.id),
        }
    }
}
