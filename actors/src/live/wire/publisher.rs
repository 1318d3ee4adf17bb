//! A publisher of the bytes of one message, which has found its topic.

use std::fmt;
use std::sync::Arc;

use mycelium_remote::frame::Header;

use super::LiveWire;
use crate::{MessageBus, WirePublishError};

/// Publishes values of one message that are bytes already. Its topic and layout were looked up once, where
/// [`MessageBus::try_publish_wire`] looks them up for each value. Cloning is cheap.
#[derive(Clone)]
pub struct WirePublisher {
    topic: Arc<dyn LiveWire>,
    /// Of a value of the current version.
    header: Header,
    message: &'static str,
    len_max: usize,
}

impl MessageBus {
    /// Publishes values of the message with this type id, in its current version, that are bytes already.
    /// Make one and keep it: it holds its topic.
    ///
    /// ```
    /// # use mycelium::{BoxError, MessageBus, wire::Contract};
    /// let table = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n";
    /// let bus = MessageBus::builder().contract(Contract::parse(table)?).build();
    /// let mut ticks = bus.subscribe_wire("ticks")?;
    /// let publisher = bus.wire_publisher(7)?;
    /// publisher.try_publish(&42_i64.to_le_bytes())?;
    /// # let mut heard = 0;
    /// # ticks.drain(1, |tick| heard = tick.bytes[0]);
    /// # assert_eq!(heard, 42);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`WirePublishError::UnknownType`], [`WirePublishError::Disabled`],
    /// [`WirePublishError::DuplicateTypeId`]: this bus cannot publish the message.
    pub fn wire_publisher(&self, type_id: u16) -> Result<WirePublisher, WirePublishError> {
        let (wire, header) = (&self.core.wire, Header { type_id, ..Header::default() });
        let at = wire.table().place_of(&header, 0)?;
        let known = &wire.table().known()[at];
        let (message, offer) = (known.kind.name, known.offer);
        let topic = Arc::clone(wire.topic_to(&self.core.topics, at)?);
        let header = Header { version: offer.version, root_len: offer.root_len(), ..header };
        Ok(WirePublisher { topic, header, message, len_max: wire.table().longest() })
    }
}

impl WirePublisher {
    /// Publishes a value without waiting. It is checked as [`MessageBus::publish_wire`] checks it, and `Ok`
    /// says the same.
    ///
    /// # Errors
    /// Those of [`MessageBus::try_publish_wire`]; nobody has received anything.
    #[inline]
    pub fn try_publish(&self, bytes: &[u8]) -> Result<(), WirePublishError> {
        let (message, max, got) = (self.message, self.len_max, bytes.len());
        if got > max {
            return Err(WirePublishError::TooLong { message, max, got });
        }
        self.topic.try_publish_wire(&self.header, bytes)
    }
}

impl fmt::Debug for WirePublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WirePublisher<{}>", self.message)
    }
}
