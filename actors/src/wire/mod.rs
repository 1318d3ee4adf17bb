//! The door for bytes: frames enter and leave the topics of a bus or an isolate here.
//!
//! A bus is given the messages of contracts ([`BusBuilder::contract`](crate::BusBuilder::contract)) and then
//! takes and hands out their values as bytes. A message that enters is decoded and validated once, and then
//! is one like any other; what leaves is encoded once for all who listen in bytes. Links, bindings, journals
//! and taps use this door and no other.
//!
//! `table` knows which messages there are, `carried` what lies in a topic and how bytes come of it;
//! `live/wire` and `isolate/wire` are the two hosts' halves.

mod carried;
mod error;
mod message;
mod row;
mod subscriber;
mod table;
mod topics;

pub use mycelium_mailbox::wire::*;

pub(crate) use carried::{Carried, Kind};
pub use error::WirePublishError;
pub(crate) use message::WireValue;
pub use message::{WireDelivery, WireMessage};
pub(crate) use row::Entrance;
pub use row::{WireArray, WireRow};
pub use subscriber::WireSubscriber;
pub(crate) use subscriber::into_slots;
pub(crate) use table::{Known, Table};
pub use topics::WireTopics;

/// How long a value may be that is published as bytes, unless the bus was built with another limit (bytes).
pub const WIRE_VALUE_MAX: usize = mycelium_remote::frame::VALUE_LEN_DEFAULT_MAX;
