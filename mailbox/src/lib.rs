//! Bounded queues, gated broadcast rings and in-place futures for Mycelium.
//!
//! This is the only crate of the workspace that contains `unsafe` code (FFI glue apart). Each structure that
//! threads share opens with its protocol: which thread may touch which field when, and which ordering pairs
//! with which. Publishers of a topic take turns under a lock of one bit, and senders to an inbox under a
//! short mutex; a receiver reads a ring without a lock. The crate depends on no async runtime: a receiver
//! that waits leaves a `std::task::Waker`.
//!
//! # The parts
//! - [`Topic`] and [`Subscription`]: one publisher's message to many. A ring is written once per message for
//!   all `Block` subscribers; those with another policy have a lane of their own.
//! - [`InboxSender`] and [`Inbox`]: many senders' messages to one receiver.
//! - [`Stamps`], [`Source`], [`pick`] and [`poll_pick`]: one receiver reads all its sources in the order that
//!   its senders can observe. The proof is in the module's source, `merge.rs`. [`Sources`]: however many
//!   there are. [`Groups`]: in several orders, each by itself.
//! - [`Doorbell`]: what a receiver sleeps on. [`Presence`] and [`Interlude`]: how it is asked to end, and
//!   what it does with its sources between two lives.
//! - [`reply`]: one answer, for one who waits for it.
//! - [`SharedBytes`], [`Row`], [`Shelf`]: bytes of messages that many share, many in one allocation.
//! - [`Parcel`]: a value of any type, in place up to 64 bytes. [`FutureSlot`]: futures run in memory that is
//!   reused.
//! - [`Stage`], [`Fifo`], [`Line`], [`Held`], [`Typed`], [`Loan`] and [`Confined`]: what an isolate is made
//!   of, for one thread alone. [`Backlog`]: a bounded queue and its policy, for an isolate as for a lane.
//! - [`wire`] and [`scalar`]: the value on the wire.
//! - `shm`: a ring between processes, on Linux. [`spill`]: values for all, more of them than memory has.
//!
//! # How a receiver reads
//! ```
//! use std::future::poll_fn;
//! use mycelium_mailbox::{Doorbell, Subscription, poll_pick};
//!
//! /// Handles messages until the topics are closed.
//! async fn receive(mut sources: Vec<Subscription<u64>>, bell: &Doorbell, mut handle: impl AsyncFnMut(&u64)) {
//!     loop {
//!         let picked = poll_fn(|cx| {
//!             let polled = poll_pick(&mut sources, bell, cx).map(Some);
//!             let ended = polled.is_pending() && sources.iter().all(Subscription::is_finished);
//!             if ended { std::task::Poll::Ready(None) } else { polled }
//!         });
//!         let Some(picked) = picked.await else { return };
//!         let source = &mut sources[picked.index];
//!         while let Some(delivery) = source.peek() {
//!             if delivery.stamp >= picked.below {
//!                 break;
//!             }
//!             handle(delivery.message).await;
//!             source.advance(); // Only now is it passed: a panic above leaves it in front.
//!         }
//!     }
//! }
//! ```
//! A subscription tells producers how far it is every 32 messages, when it finds nothing more, and before it
//! sleeps. A receiver that is about to wait for something else for long calls [`Source::commit`] first. Its
//! own publish to a topic whose ring it holds back itself is an error, not a deadlock
//! ([`PublishError::WouldDeadlock`]); a circle of several actors that wait for each other is not detected
//! here.
//!
//! # What it costs
//! An uncontended publish is one locked instruction (the lock; a second, the stamp, after a message in
//! another queue of the bus) and one copy, whatever the number of awake subscribers; reading is a copy-free
//! walk. `cargo bench -p mycelium-mailbox` measures it. Producers exclude each other by a lock held for some
//! tens of nanoseconds: they spin 64 times, then yield, then nap 50 us, so that a preempted holder, even of
//! lower real-time priority, gets on.
//!
//! # How it is checked
//! - `tests/model.rs` compares random use with plain models; `tests/order.rs` runs real threads;
//!   `tests/alloc.rs` counts allocations; `tests/flood.rs` sends ten million messages to a stuck receiver
//!   under each policy.
//! - loom explores each protocol's interleavings up to two preemptions, in some ten seconds on two cores:
//!   `RUSTFLAGS="--cfg loom" cargo test -p mycelium-mailbox --release --lib --target-dir target/loom loom`.

// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod aside;
mod backlog;
mod batch;
mod checksum;
mod confined;
mod discard;
mod doorbell;
mod fifo;
mod future_slot;
mod groups;
mod heads;
mod held;
mod inbox;
mod line;
mod loan;
#[cfg(all(test, loom))]
mod loom_drops;
#[cfg(all(test, loom))]
mod loom_many;
#[cfg(all(test, loom))]
mod loom_models;
#[cfg(all(test, loom))]
mod loom_pieces;
#[cfg(all(test, loom))]
mod loom_reply;
#[cfg(all(test, loom))]
mod loom_restart;
#[cfg(all(test, loom))]
mod loom_support;
mod merge;
mod message;
mod parcel;
mod piece;
mod policy;
mod presence;
mod reply;
mod reuse;
pub mod scalar;
#[cfg(any(loom, all(target_os = "linux", target_endian = "little")))]
pub mod shm;
mod sources;
pub mod spill;
mod stage;
mod stamps;
mod sync;
mod ticks;
mod topic;
mod typed;
mod wait;
pub mod wire;
mod words;

pub use aside::Aside;
pub use backlog::{Backlog, Offered, WhenFull};
pub use batch::{Lent, Shared};
pub use checksum::crc32c_short;
pub use confined::{Confined, enter, this_thread};
pub use discard::{caught, discard, wake};
pub use doorbell::Doorbell;
pub use fifo::Fifo;
pub use future_slot::{FutureSlot, Parked, StartAttempt, Started, attempt};
pub use groups::Groups;
pub use held::{Held, Present};
pub use inbox::{
    INBOX_CAPACITY_DEFAULT, Inbox, InboxOptions, InboxSender, InboxStats, LinePlace, Port,
    QUEUE_CAPACITY_MAX, SendError, Sending, TrySendError,
};
pub use line::Line;
pub use loan::Loan;
pub use merge::{Merge, Pick, Source, pick, poll_pick};
pub use message::{Message, Query, ValidationError};
pub use parcel::Parcel;
pub use piece::{Releases, Row, SHELF_BYTES_MAX, SHELVED_BYTES_MAX, SharedBytes, Shelf};
pub use policy::{KeyFn, Overflow, conflation_key};
pub use presence::{Interlude, Presence, Stop};
pub use reply::{ReplyReceiver, ReplySender, reply};
pub use sources::{OtherSources, Sources};
pub use stage::{Phase, Play, Stage};
pub use stamps::Stamps;
pub use sync::{Spin, SpinGuard};
pub use ticks::Ticks;
pub use topic::{
    AsOf, Badge, Blocker, Changed, Consume, Delivery, Drained, Front, INLINE_BYTES_MAX, Obstacle, Origin,
    PublishError, Publishing, RETAINED_MAX, Retain, SUBSCRIBERS_MAX, Span, StampTime, StampTimes,
    SubscribeError, SubscribeOptions, SubscriberInfo, Subscription, TOPIC_CAPACITY_DEFAULT, Topic,
    TopicStats, TryPublishError, Visible,
};
pub use typed::Typed;

/// The serialization library of the wire, as generated code refers to it.
pub use rkyv;
