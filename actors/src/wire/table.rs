//! The messages that a bus or an isolate knows without their types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use mycelium_mailbox::wire::{Messages, Offer, Untyped, Visitor, Wire};
use mycelium_remote::frame::{Flags, Header};

use super::{Kind, WIRE_VALUE_MAX, WirePublishError, WireValue};
use crate::SpawnError;
use crate::isolate::{WireLane, WireLaneOf};
use crate::live::{LiveWire, Topics};

/// What is known of all messages, by rising type id. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Table {
    known: Arc<[Known]>,
    value_max: usize,
}

/// What is known of one message.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) offer: Offer<'static>,
    /// The type id of its answer.
    pub(crate) reply: Option<u16>,
    port: Arc<dyn Port>,
    /// What contracts contradict each other about.
    disabled: Option<Arc<str>>,
}

/// The way of a message's bytes into and out of either host, whose topics have a type that is known only
/// here.
pub(crate) trait Port: Send + Sync {
    /// The topic on a live bus, made on first use.
    fn live(&self, kind: Kind, topics: &Topics) -> Result<Arc<dyn LiveWire>, SpawnError>;
    /// The topic in an isolate.
    fn isolate(&self) -> &dyn WireLane;
}

struct Typed<M>(PhantomData<fn() -> M>);

impl<M: Wire> Port for Typed<M> {
    fn live(&self, _: Kind, topics: &Topics) -> Result<Arc<dyn LiveWire>, SpawnError> {
        topics.entry::<M>().map(|entry| entry as Arc<dyn LiveWire>)
    }

    fn isolate(&self) -> &dyn WireLane {
        const { &WireLaneOf::<M>::NEW }
    }
}

/// A topic of bytes, whose type the process does not have.
struct Raw;

impl Port for Raw {
    fn live(&self, kind: Kind, topics: &Topics) -> Result<Arc<dyn LiveWire>, SpawnError> {
        topics.entry_of::<WireValue>(kind).map(|entry| entry as Arc<dyn LiveWire>)
    }

    fn isolate(&self) -> &dyn WireLane {
        const { &WireLaneOf::<WireValue>::NEW }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self { known: Arc::default(), value_max: WIRE_VALUE_MAX }
    }
}

/// Adds the messages of one contract to those of others.
struct Add(Vec<Known>);

impl Visitor for Add {
    fn typed<M: Wire>(&mut self) {
        let port = Arc::new(Typed::<M>(PhantomData));
        let (kind, offer, reply) = (Kind::of::<M>(), M::OFFER, M::REPLY);
        self.put(Known { kind, offer, reply, port, disabled: None });
    }

    fn untyped(&mut self, message: Untyped) {
        let (type_id, name, topic) = (message.type_id(), message.name(), message.topic());
        let kind = Kind { type_id, name, topic, untyped: Some(message) };
        let (offer, reply) = (message.offer(), message.reply());
        self.put(Known { kind, offer, reply, port: Arc::new(Raw), disabled: None });
    }
}

impl Add {
    /// The message that came first stays, or the one whose type the process has. Another with its type id
    /// must be the same one, as peers would find it.
    fn put(&mut self, new: Known) {
        let at = self.0.partition_point(|known| known.kind.type_id < new.kind.type_id);
        let Some(known) = self.0.get_mut(at).filter(|known| known.kind.type_id == new.kind.type_id) else {
            return self.0.insert(at, new);
        };
        if let Err(error) = known.offer.compare(&new.offer) {
            known.disabled.get_or_insert_with(|| error.to_string().into());
        } else if known.kind.topic != new.kind.topic {
            let cause = format!(
                "one says that its topic is {:?}, the other {:?}: generate both from one contract",
                known.kind.topic, new.kind.topic
            );
            known.disabled.get_or_insert_with(|| cause.into());
        } else if let (Some(one), Some(other)) = (known.reply, new.reply)
            && one != other
        {
            let cause = format!(
                "one says that its answer has the type id {one}, the other {other}: generate both from one contract"
            );
            known.disabled.get_or_insert_with(|| cause.into());
        }
        // A type that nobody has generated says nothing of answers.
        let reply = known.reply.or(new.reply);
        if known.kind.untyped.is_some() && new.kind.untyped.is_none() {
            *known = Known { disabled: known.disabled.take(), ..new };
        }
        known.reply = reply;
    }
}

impl Table {
    /// The same with the messages of one more contract.
    pub(crate) fn with(self, messages: &impl Messages) -> Self {
        let mut add = Add(self.known.to_vec());
        messages.each(&mut add);
        Self { known: add.0.into(), ..self }
    }

    /// The same for values of at most so many bytes.
    pub(crate) fn value_max(self, bytes: usize) -> Self {
        Self { value_max: bytes, ..self }
    }

    /// The messages whose types the process does not have.
    pub(crate) fn untyped(&self) -> impl Iterator<Item = u16> {
        self.known.iter().filter(|known| known.kind.untyped.is_some()).map(|known| known.kind.type_id)
    }

    /// Whether this is one of them.
    pub(crate) fn is_untyped(&self, type_id: u16) -> bool {
        self.find(type_id).is_some_and(|at| self.known[at].kind.untyped.is_some())
    }

    /// The longest value that is taken, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.value_max
    }

    /// The place of the message with this type id.
    #[inline]
    pub(crate) fn find(&self, type_id: u16) -> Option<usize> {
        self.known.binary_search_by_key(&type_id, |known| known.kind.type_id).ok()
    }

    pub(crate) fn known(&self) -> &[Known] {
        &self.known
    }

    /// The place of the message that such a frame is of, if one of this length may be published here.
    #[inline]
    pub(crate) fn place_of(&self, header: &Header, value_len: usize) -> Result<usize, WirePublishError> {
        let type_id = header.type_id;
        if header.flags.contains(Flags::CONTROL) {
            return Err(WirePublishError::Control { type_id });
        }
        let found = self.known.binary_search_by_key(&type_id, |known| known.kind.type_id);
        let Ok(at) = found else { return Err(WirePublishError::UnknownType { type_id }) };
        let known = &self.known[at];
        let message = known.kind.name;
        if let Some(cause) = &known.disabled {
            return Err(WirePublishError::Disabled { type_id, message, cause: Arc::clone(cause) });
        }
        if value_len > self.value_max {
            return Err(WirePublishError::TooLong { message, max: self.value_max, got: value_len });
        }
        Ok(at)
    }
}

impl Known {
    pub(crate) fn port(&self) -> &dyn Port {
        &*self.port
    }

    /// Whether nothing contradicts it; else that is told.
    pub(crate) fn enabled(&self) -> Result<&Self, SpawnError> {
        match &self.disabled {
            None => Ok(self),
            Some(cause) => {
                Err(SpawnError::Contradiction { message: self.kind.name, cause: Arc::clone(cause) })
            }
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|known| known.kind.name)).finish()
    }
}
