//! What is known of messages without their types: one entry for each, and a way back to the types.

use std::any::Any;
use std::fmt;

use super::{Encoder, Offer, Untyped, Wire, WireError};
use crate::ValidationError;

/// The messages of a contract. Generated code has one beside its types, the constant `CONTRACT`; a bus takes
/// it (`MessageBus::builder().contract(CONTRACT)`) and knows then what frames of these messages are.
///
/// ```
/// use mycelium_mailbox::{Message, wire::{Entry, Layout, Messages, Visitor, Wire, entries}};
///
/// #[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
/// struct Tick { price: i64 }
/// impl Message for Tick {
///     const NAME: &'static str = "Tick";
///     const TYPE_ID: u16 = 7;
///     const TOPIC: &'static str = "ticks";
/// }
/// impl Wire for Tick {
///     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Tick::ROOT_LEN, digest: 0 }];
/// }
///
/// // What generated code writes for a contract, and a program for messages of its own.
/// struct Mine;
/// impl Messages for Mine {
///     fn each<V: Visitor>(&self, visitor: &mut V) {
///         visitor.typed::<Tick>();
///     }
/// }
/// assert_eq!(entries(&Mine)[0].topic, "ticks");
/// ```
pub trait Messages {
    /// Shows each message to `visitor`, once.
    fn each<V: Visitor>(&self, visitor: &mut V);
}

/// Whoever wants to know the messages of a contract: see [`Messages::each`].
pub trait Visitor {
    /// A message whose type the process has.
    fn typed<M: Wire>(&mut self);

    /// A message whose type the process does not have: of a [`Contract`](super::Contract) that was loaded at
    /// run time.
    fn untyped(&mut self, message: Untyped) {
        let _ = message;
    }
}

/// The entries of a contract, in its order; of messages whose types the process has.
#[must_use]
pub fn entries(messages: &impl Messages) -> Vec<Entry> {
    struct Collect(Vec<Entry>);
    impl Visitor for Collect {
        fn typed<M: Wire>(&mut self) {
            self.0.push(Entry::of::<M>());
        }
    }
    let mut collect = Collect(Vec::new());
    messages.each(&mut collect);
    collect.0
}

/// All that a topic, a link or a journal needs to know of a message whose type it does not know.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Entry {
    /// The `tlv_type` of the contract.
    pub type_id: u16,
    /// The message's name.
    pub name: &'static str,
    /// The topic that carries it.
    pub topic: &'static str,
    /// The digest of the current version and of all variants of its enums:
    /// [`Message::DIGEST`](crate::Message::DIGEST).
    pub digest: u64,
    /// What a peer is told, and what its offer is compared with: version, layouts with their digests, enums
    /// that have grown.
    pub offer: Offer<'static>,
    /// The length of the current version's root, in bytes.
    pub root_len: u32,
    /// Whether a value is its root and nothing else.
    pub fixed: bool,
    encode: fn(&dyn Any, &mut Encoder) -> Encoded,
    decode: fn(&[u8], u16, u32) -> Decoded,
    check: fn(&[u8], u16, u32) -> Result<(), ValueError>,
}

/// `None`: the message is of another type.
type Encoded = Option<Result<Vec<u8>, WireError>>;
type Decoded = Result<Box<dyn Any + Send + Sync>, ValueError>;

/// Bytes are no value that a topic takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// They are no value of the message.
    Wire(WireError),
    /// They are one, and it breaks a rule of the contract.
    Rule(ValidationError),
}

impl Entry {
    /// The entry of a message whose type is known.
    #[must_use]
    pub const fn of<M: Wire>() -> Self {
        Self {
            type_id: M::TYPE_ID,
            name: M::NAME,
            topic: M::TOPIC,
            digest: M::DIGEST,
            offer: M::OFFER,
            root_len: M::ROOT_LEN,
            fixed: M::FIXED,
            encode: encode::<M>,
            decode: |bytes, version, root_len| Ok(Box::new(valid::<M>(bytes, version, root_len)?)),
            check: |bytes, version, root_len| valid::<M>(bytes, version, root_len).map(drop),
        }
    }

    /// The bytes of `message`; `None` if it is of another type. It copies once: a topic's own subscribers use
    /// [`Encoder`].
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode(&self, message: &dyn Any, encoder: &mut Encoder) -> Option<Result<Vec<u8>, WireError>> {
        (self.encode)(message, encoder)
    }

    /// The message that these bytes of `version` are, as a value of its type, with the rules of the contract
    /// checked.
    ///
    /// # Errors
    /// See [`ValueError`]; the bytes must start at a multiple of [`VALUE_ALIGN`](super::VALUE_ALIGN).
    pub fn decode(
        &self,
        bytes: &[u8],
        version: u16,
        root_len: u32,
    ) -> Result<Box<dyn Any + Send + Sync>, ValueError> {
        (self.decode)(bytes, version, root_len)
    }

    /// Whether these bytes of `version` are a value of the message that keeps the rules of the contract.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn validate(&self, bytes: &[u8], version: u16, root_len: u32) -> Result<(), ValueError> {
        (self.check)(bytes, version, root_len)
    }
}

/// The message that these bytes of `version` are, if it keeps the rules of its contract.
///
/// # Errors
/// See [`ValueError`].
#[inline(always)]
pub fn valid<M: Wire>(bytes: &[u8], version: u16, root_len: u32) -> Result<M, ValueError> {
    // No `?` and no `map_err`: each moves the message into another result.
    match M::decode_version(bytes, version, root_len) {
        Ok(message) => match message.validate() {
            Ok(()) => Ok(message),
            Err(error) => Err(ValueError::Rule(error)),
        },
        Err(error) => Err(ValueError::Wire(error)),
    }
}

fn encode<M: Wire>(message: &dyn Any, encoder: &mut Encoder) -> Encoded {
    Some(encoder.encode(message.downcast_ref::<M>()?).map(<[u8]>::to_vec))
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_id, name, topic, .. } = self;
        f.debug_struct("Entry")
            .field("type_id", type_id)
            .field("name", name)
            .field("topic", topic)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Rule(error) => {
                write!(f, "{error}: its publisher must keep the rules of the contract (`validation`)")
            }
        }
    }
}

impl std::error::Error for ValueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Wire(error) => Some(error),
            Self::Rule(error) => Some(error),
        }
    }
}
