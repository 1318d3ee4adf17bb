//! Bounded queues, gated broadcast rings and in-place futures for Mycelium.
//!
//! This is the only crate of the workspace that contains `unsafe` code (FFI glue apart). Each lock-free structure
//! opens with its protocol: who may touch which field when, and which ordering pairs with which.

mod backlog;
mod doorbell;
mod future_slot;
mod inbox;
#[cfg(all(test, loom))]
mod loom_models;
mod merge;
mod message;
mod parcel;
mod policy;
pub mod scalar;
mod stamps;
mod sync;
mod topic;
mod wait;
pub mod wire;

pub use doorbell::Doorbell;
pub use future_slot::{FutureSlot, Parked, Started};
pub use inbox::{
    INBOX_CAPACITY_DEFAULT, Inbox, InboxOptions, InboxSender, InboxStats, QUEUE_CAPACITY_MAX, SendError,
    Sending, TrySendError,
};
pub use merge::{Pick, Source, pick, poll_pick};
pub use message::{Message, ValidationError};
pub use parcel::Parcel;
pub use policy::{KeyFn, Overflow};
pub use stamps::Stamps;
pub use topic::{
    Blocker, Delivery, INLINE_BYTES_MAX, Obstacle, PublishError, Publishing, SUBSCRIBERS_MAX, SubscribeError,
    SubscribeOptions, SubscriberInfo, Subscription, TOPIC_CAPACITY_DEFAULT, Topic, TopicStats,
    TryPublishError,
};

/// The serialization library of the wire, as generated code refers to it.
pub use rkyv;
