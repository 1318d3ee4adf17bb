//! What a runtime for a foreign language is made of.
//!
//! A [`Runtime`] has a bus and the threads below it, or shares the bus of a Rust program. Its messages are
//! bytes (`docs/wire.md`), whose contract is loaded at run time and
//! checked against the digest that generated code has. Its calls block, so that they can be called from any
//! thread of any language: a binding lets go of its interpreter's lock around them. Nothing here knows any
//! language.
//!
//! - Bytes in: [`Runtime::publish`], [`Runtime::try_publish`], [`Runtime::publish_many`]; a
//!   [`HostedPublisher`] for many values of one message.
//! - Bytes out: a [`Reader`] is polled or read in batches; a callback is called on the runtime's one delivery
//!   thread ([`Runtime::subscribe`]), which waits blocking and costs no hop for each message.
//! - Actors: a [`Behavior`] is a set of callbacks, made anew for each life. [`Runtime::child`] is a child
//!   of any supervision tree, on a thread of its own. The text of its error is the reason of its end.
//! - [`Runtime::pool`]: several of an actor, of which one handles each message.
//! - The same actors in an isolate, in virtual time, called in place: [`HostedIsolate`].
//! - [`Address`]: whoever can be told and asked in bytes, a Rust actor too ([`Runtime::expose`]).
//!
//! # Threads and locks
//! [`ThreadHooks`](mycelium::ThreadHooks) tell a language which threads call it: `started` once, then
//! `before_wait` and `after_wait` around each wait, `ended` at the end. Between `after_wait` and
//! `before_wait` a thread may call callbacks at any time, so a language with a lock for its interpreter takes
//! it in `started` and `after_wait`, and gives it back in `before_wait` and `ended`. No hook is called inside
//! of a call that a callback makes: a binding that blocks there lets go of the lock by itself, as on every
//! other thread.
#![forbid(unsafe_code)]

mod actor;
mod address;
mod builder;
mod delivery;
mod error;
mod inside;
mod isolate;
mod known;
mod pool;
mod publisher;
mod reader;
mod records;
mod runtime;
mod scope;
mod tree;
mod wait;

pub use actor::{ActorSpec, Behavior, HostedActor};
pub use address::{Address, Encoded, Exposed};
pub use builder::RuntimeBuilder;
pub use delivery::CallbackId;
pub use error::{Error, ErrorKind, Failure, PublishedSome};
pub use isolate::{HostedIsolate, Recorded};
pub use known::{Described, Known};
pub use pool::HostedPool;
pub use publisher::HostedPublisher;
pub use reader::Reader;
pub use records::{RECORD_HEADER_LEN, Record, records};
pub use runtime::{CLOSE_DEADLINE, Runtime};
pub use scope::Scope;
pub use tree::HostedTree;
pub use wait::{looking, on_wait};
