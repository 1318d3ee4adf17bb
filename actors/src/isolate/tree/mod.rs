//! Supervision trees in an isolate: the same as live ones, on one thread and in virtual time.

mod child;
mod drain;
mod handle;
mod run;
mod seats;

pub(crate) use self::child::{Factory, GuardedReceiver, Reporter, SeatSite, SeatedChild};
pub(crate) use self::handle::IsolateTree;
pub(crate) use self::run::TreeRun;
