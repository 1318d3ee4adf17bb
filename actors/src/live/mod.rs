//! Live buses: actors on a tokio runtime, in wall-clock time.
//!
//! `bus` owns what a bus has, `body` is an actor from the inside, `address` from the outside; `source` and
//! `envelope` are what it receives; `links` is all that it knows of other buses; `topics` finds a message's
//! topic. `host.rs`, one level up, is the only module that knows kameo.

mod address;
mod arrival;
mod asking;
mod blocking;
mod body;
mod builder;
mod bus;
mod cancel;
mod circles;
mod context;
mod current;
mod dead_letters;
mod deadline;
mod envelope;
mod fate;
mod forest;
mod index;
mod links;
mod lookout;
mod lookup;
mod members;
mod monitor;
mod names;
mod outlet;
mod publisher;
mod runtime;
mod service;
mod shutdown;
mod source;
mod spinning;
mod stats;
mod subscriber;
mod thread;
mod timers;
mod topics;
mod watch;
mod wire;

/// Trees know lives through their hosts alone.
pub(crate) use crate::life::{MissedLog, MissedMark};
pub(crate) use address::{Address, Member, OfferRefusal, Work, tree_number};
pub(crate) use asking::PendingAsk;
pub(crate) use blocking::block_on;
pub use blocking::without_cancellation;
pub(crate) use body::Body;
pub use builder::BusBuilder;
pub(crate) use bus::BusCore;
pub use bus::{MessageBus, WeakBus};
pub(crate) use cancel::{CancelPoint, cancellable, poll_cancellable};
pub(crate) use context::LiveContext;
#[cfg(test)]
pub(crate) use current::Current;
pub(crate) use current::{OwnCode, address_of, aside, enter, outside, poll_code, poll_turn, sender_on, turn};
pub(crate) use deadline::within_grace;
pub(crate) use envelope::Envelope;
pub(crate) use fate::{Directive, Fate};
pub(crate) use forest::{Control, ForestPlace, Standing};
pub(crate) use links::Bridge;
pub(crate) use lookout::{Wait, waiting};
pub(crate) use monitor::{Watched, Watchers};
pub(crate) use outlet::Outlet;
pub use publisher::{Publisher, PublisherPublish};
pub(crate) use runtime::{has_ended, sleep_anywhere, sleep_on, within_anywhere};
pub(crate) use service::{LiveService, LiveServiceRef, Supervision};
pub(crate) use source::Inlet;
pub(crate) use spinning::{SpinningLink, SpinningLinks};
pub(crate) use subscriber::{LiveReceived, LiveSubscriber};
pub use thread::{OwnThread, ThreadHooks};
pub(crate) use topics::{QueueOwner, Topics, poll_publishing};
pub(crate) use watch::{Pulse, Readiness};
pub use wire::WirePublisher;
pub(crate) use wire::{Begun, LiveEars, LiveWire, WireQueue, header_of, published_before};
