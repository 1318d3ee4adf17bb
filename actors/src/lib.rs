//! Typed actors, topics, supervision trees and deterministic isolates for low-latency services.
//!
//! Describe the messages once in `contracts.yaml`, write actors that handle them, and run the same actors
//! live on a [`MessageBus`] or, thousands of times side by side, in an [`Isolate`].

#![forbid(unsafe_code)]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod actor;
mod blocking;
mod by_value;
mod clock;
mod context;
mod dead_letters;
mod error;
mod host;
mod identity;
mod isolate;
mod life;
mod live;
#[cfg(all(test, shuttle))]
mod models;
mod monitor;
pub mod pool;
pub mod prelude;
mod publish;
mod recipient;
mod reference;
mod report;
pub mod resilience;
pub mod routing;
mod rt;
mod service;
mod service_ref;
mod stats;
mod stop;
mod subscription;
pub mod sweep;
mod sync;
pub mod testing;
mod timer;
pub mod tree;
pub mod wire;

pub use actor::{Actor, BoxError, Handler, Responder, Result, Service};
pub use by_value::{Replies, Takes};
pub use clock::Clock;
pub use context::{ActorId, Context};
pub use dead_letters::{DEAD_LETTERS_RECENT_MAX, DeadLetter, DeadLetterCause, DeadLetters};
pub use error::{AskError, PublishError, SpawnError, StopReason, TellError};
pub use identity::Identity;
pub use isolate::{
    DEFAULT_EVENTS_MAX, DEFAULT_RESUMPTIONS_MAX, Isolate, IsolateStats, OnFailure, QUEUE_CAPACITY, RunError,
    Waiting, WaitsFor,
};
pub use life::{Call, CallOutcome, Probe};
pub use live::{
    BusBuilder, MessageBus, Missed, OwnThread, Publisher, PublisherPublish, SHUTDOWN_DEADLINE, ShutdownError,
    WeakBus,
};
pub use monitor::{Down, Monitor};
pub use mycelium_macros::{actor, routing_config, service};
pub use mycelium_mailbox::scalar::Timestamp;
pub use mycelium_mailbox::{Message, Query, RETAINED_MAX, ValidationError};
pub use publish::Publish;
pub use recipient::{Recipient, ReplyRecipient};
pub use reference::{ActorRef, Watchable};
pub use report::{MainResult, Report};
pub use service::{Delivery, ServiceContext, Subscriber};
pub use service_ref::ServiceRef;
pub use stats::{Alive, BusStats, PENDING_RESTARTS_MAX, PendingRestart, QueueStats, TopicStats};
pub use subscription::{DEFAULT_CAPACITY, Policy, Retention, Subscription, Subscriptions, conflation_key};
pub use sweep::{Sweep, SweepReport};
pub use timer::{Every, Interval, MissedTicks, TimerHandle};
pub use tree::{Supervisor, Tree};
pub use wire::{WIRE_VALUE_MAX, WireDelivery, WireMessage, WirePublishError, WireSubscriber, WireTopics};

pub use {rand_core, rand_pcg};
// What generated code refers to.
pub use mycelium_mailbox::{rkyv, scalar};
/// The frame that carries values between processes, and its header.
pub use mycelium_remote::frame;

/// Includes the message types that `mycelium_codegen::build` makes of `contracts.yaml` in the crate's build
/// script.
///
/// ```ignore
/// // build.rs:    fn main() { mycelium_codegen::build("contracts.yaml"); }
/// // src/lib.rs:
/// mycelium::contracts!();
/// ```
#[macro_export]
macro_rules! contracts {
    () => {
        include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
    };
}
