//! Typed actors, topics, supervision trees and deterministic isolates for low-latency services.
//!
//! An actor has state and handles one message at a time. Messages are described once in `contracts.yaml`, or
//! are types of your own. Topics connect actors; every queue has a bound and a policy, and what is dropped is
//! counted. The same actors run live on a [`MessageBus`], as tasks of tokio, or in an [`Isolate`], on one
//! thread and in virtual time: same inputs and seed, same outputs. Supervisors restart what fails,
//! by the rules of Erlang/OTP.
//!
//! # A first actor
//! ```
//! use mycelium::{MainResult, Message, MessageBus, actor};
//!
//! #[derive(Clone, Copy, Debug)]
//! struct Tick {
//!     value: u64,
//! }
//! impl Message for Tick {
//!     // Generated from a contract, or written by hand as here.
//!     const NAME: &'static str = "Tick";
//!     const TYPE_ID: u16 = 100;
//!     const TOPIC: &'static str = "ticks";
//! }
//!
//! struct Total; // a question, which the actor below answers
//! struct Sum(u64);
//!
//! #[actor]
//! impl Sum {
//!     #[on]
//!     fn tick(&mut self, tick: &Tick) {
//!         self.0 += tick.value;
//!     }
//!     #[ask]
//!     fn total(&self, _: &Total) -> u64 {
//!         self.0
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> MainResult {
//!     let bus = MessageBus::new();
//!     let sum = bus.spawn(Sum(0))?;
//!     let ticks = bus.publisher::<Tick>()?;
//!     for value in 1..=10 {
//!         ticks.publish(Tick { value }).await?;
//!     }
//!     assert_eq!(sum.ask(Total).await?, 55);
//!     Ok(bus.shutdown().await?)
//! }
//! ```
//!
//! # I want to ..
//! | I want to | look at |
//! |---|---|
//! | write an actor | [`macro@actor`], or [`Actor`], [`Handler`] and [`Responder`] by hand |
//! | write a loop of my own | [`macro@service`], [`Service`], [`ServiceContext`] |
//! | run them | [`MessageBus::spawn`], [`MessageBus::spawn_service`] |
//! | send to one actor, or ask it | [`ActorRef::tell`], [`ActorRef::ask`]; without its type [`Recipient`] |
//! | publish and subscribe | [`Context::publish`], [`Publisher`], [`Subscriptions`], [`Subscriber`] |
//! | say what a full queue does | [`Policy`], [`Subscription`] |
//! | give late subscribers what came before | [`Retention`], [`BusBuilder::retain`] |
//! | wait, or repeat something | [`Context::sleep`], [`Context::schedule_every`] |
//! | call code that blocks | [`Context::spawn_blocking`]; [`OwnThread`] |
//! | handle a stream | [`Context::attach_stream`] |
//! | have several actors do the work of one | [`pool::Pool`], [`pool::PoolRef`] |
//! | restart what fails | [`Supervisor`], [`tree::Child`], [`Tree`]; from a file [`Supervisor::from_toml`] |
//! | be told when an actor ends | [`Context::watch`], [`Context::depend_on`], [`ActorRef::ended`] |
//! | end in order on Ctrl-C | [`MessageBus::run_until_signal`]; with a tree [`tree::Builder::run_until_signal`] |
//! | find an actor by its name or path | [`MessageBus::spawn_named`], [`MessageBus::lookup`] |
//! | see what a bus does | [`MessageBus::stats`], [`MessageBus::dead_letters`], [`Probe`] |
//! | retry, break a circuit, limit a wait | [`resilience`] |
//! | test in virtual time | [`Isolate`], [`testing`] |
//! | run a thousand variants | [`Sweep`] |
//! | call handlers without a queue | [`routing_config!`] |
//! | send and receive bytes | [`wire`], [`frame`] |
//! | link buses of several processes | [`MessageBus::bind_unix`], [`MessageBus::bind_tcp`], `MessageBus::bind_shm` (Linux), [`MessageBus::connect`] |
//! | run services in one process or many, by one file | [`topology`], [`MessageBus::from_topology`] |
//! | calculate with contract scalars | [`scalar`] |
//!
//! The types that most programs need are in the [`prelude`].
//!
//! # Features
//! All are off by default, and they are additive.
//!
//! | feature | adds |
//! |---|---|
//! | `ctrl-c` | `StopFlag::stop_on_ctrl_c`: Ctrl-C stops a sweep |
//! | `progress` | `Sweep::progress_bar` |
//! | `tls` | TLS for links over TCP: `LinkOptions::tls`, `TlsIdentity` |
//! | `rust_decimal`, `ruint`, `jiff`, `chrono` | arithmetic on contract scalars, see [`scalar`] |
//!
//! # Where to read on
//! In the repository: `docs/tour.md` shows each part with code, `docs/semantics.md` lists what is promised
//! and which test holds it, `docs/recipes.md` answers small questions, `docs/coming-from.md` lists the names
//! in other frameworks.

#![forbid(unsafe_code)]
// Links and topologies are not modelled: what only they use stands idle in the models.
#![cfg_attr(shuttle, allow(dead_code, unused_imports))]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod actor;
mod by_value;
mod clock;
mod context;
mod dead_letters;
mod error;
mod host;
mod identity;
mod isolate;
mod life;
// Sockets are not modelled.
#[cfg(not(shuttle))]
mod link;
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
mod subscriber;
mod subscription;
pub mod sweep;
mod sync;
pub mod testing;
mod timer;
#[cfg(not(shuttle))]
pub mod topology;
pub mod tree;
pub mod wire;

pub use actor::{Actor, BoxError, Handler, Responder, Result, Service};
pub use by_value::{Replies, Takes};
pub use clock::Clock;
pub use context::{ActorId, BlockingError, Context, StreamHandle};
pub use dead_letters::{DEAD_LETTERS_RECENT_MAX, DeadLetter, DeadLetterCause, DeadLetters};
pub use error::{
    AskError, Asked, Missed, PublishError, RemoteError, SHUTDOWN_DEADLINE, ShutdownError, SpawnError,
    StopReason, TellError, Undelivered,
};
pub use identity::Identity;
pub use isolate::{
    DEFAULT_EVENTS_MAX, DEFAULT_RESUMPTIONS_MAX, Isolate, IsolateStats, OnFailure, QUEUE_CAPACITY, RunError,
    Waiting, WaitsFor,
};
pub use life::{Call, CallOutcome, Probe};
#[cfg(not(shuttle))]
pub use link::{Dialer, Exposed, LINKS_MAX, LinkAddress, LinkError, LinkListener, LinkOptions, PublisherTo};
#[cfg(feature = "tls")]
pub use link::{TlsError, TlsIdentity};
pub use live::{
    BusBuilder, MessageBus, OwnThread, Publisher, PublisherPublish, ThreadHooks, WeakBus, WirePublisher,
    without_cancellation,
};
pub use monitor::{Down, Monitor};
pub use mycelium_macros::{actor, routing_config, service};
pub use mycelium_mailbox::scalar::Timestamp;
pub use mycelium_mailbox::{Message, Query, RETAINED_MAX, ValidationError, conflation_key};
pub use publish::Publish;
pub use recipient::{Recipient, ReplyRecipient};
pub use reference::{ActorRef, Watchable};
pub use report::{MainResult, Report};
pub use service::ServiceContext;
pub use service_ref::ServiceRef;
pub use stats::{
    Alive, BusStats, LinkDisabled, LinkLoss, LinkState, LinkStats, PENDING_RESTARTS_MAX, PendingRestart,
    PoolStats, QueueStats, TopicStats,
};
pub use subscriber::{Delivery, Received, Subscriber};
pub use subscription::{DEFAULT_CAPACITY, Policy, Retention, Subscription, Subscriptions};
pub use sweep::{Sweep, SweepReport};
pub use timer::{Every, Interval, MissedTicks, TimerHandle};
pub use tree::{RunEnd, Supervisor, Tree};
pub use wire::{
    WIRE_VALUE_MAX, WireArray, WireDelivery, WireMessage, WirePublishError, WireRow, WireSubscriber,
    WireTopics,
};

pub use {rand_core, rand_pcg};
// What generated code refers to.
pub use mycelium_mailbox::{rkyv, scalar};
/// The frame that carries values between processes, and its header.
pub use mycelium_remote::frame;
pub use mycelium_remote::link::TOOL_PREFIX;

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
        include!(concat!(
            env!(
                "OUT_DIR",
                "`mycelium::contracts!()` needs a build script: a `build.rs` with `fn main() { \
                 mycelium_codegen::build(\"contracts.yaml\"); }`, and `mycelium-codegen` in `[build-dependencies]`"
            ),
            "/contracts.rs"
        ));
    };
}
