//! Publishing many values of one message, one by one.

use std::fmt;

use mycelium::WirePublisher;

use crate::{Error, Runtime};

/// Publishes values of one message, in its current version. The message was looked up once, where
/// [`Runtime::publish`] looks it up for each value. Cloning is cheap.
///
/// ```
/// # let contract = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n";
/// let runtime = mycelium_hosted::Runtime::builder().contract_text(contract, "ticks")?.start()?;
/// let mut reader = runtime.reader("ticks", mycelium::Subscription::block())?;
/// let ticks = runtime.publisher(7)?;
/// (1..=3_i64).try_for_each(|price| ticks.publish(&price.to_le_bytes()))?;
/// assert_eq!(reader.drain(256, |_| {})?, 3);
/// # Ok::<(), mycelium_hosted::Error>(())
/// ```
#[derive(Clone)]
pub struct HostedPublisher {
    runtime: Runtime,
    wire: WirePublisher,
    type_id: u16,
}

impl Runtime {
    /// Publishes values of the message with this type id: see [`HostedPublisher`].
    ///
    /// # Errors
    /// [`Error::UnknownType`], [`Error::Publish`]: the bus cannot publish the message; [`Error::Closed`].
    pub fn publisher(&self, type_id: u16) -> Result<HostedPublisher, Error> {
        self.check_open()?;
        self.known().get(type_id)?;
        let wire = self.bus().wire_publisher(type_id)?;
        Ok(HostedPublisher { runtime: self.clone(), wire, type_id })
    }
}

impl HostedPublisher {
    /// Publishes a value, and keeps the thread while a `Block` subscriber is full: see [`Runtime::publish`].
    ///
    /// # Errors
    /// Those of [`Runtime::publish`]; nobody has received it.
    #[inline]
    pub fn publish(&self, bytes: &[u8]) -> Result<(), Error> {
        match self.try_publish(bytes) {
            Err(error) if error.is_full() => self.publish_waiting(bytes),
            done => done,
        }
    }

    /// The same for a value that [`try_publish`](Self::try_publish) has just found no room for: it is not
    /// tried once more before this waits.
    ///
    /// # Errors
    /// Those of [`Runtime::publish`]; nobody has received it.
    pub fn publish_waiting(&self, bytes: &[u8]) -> Result<(), Error> {
        self.runtime.publish_waiting(&self.runtime.known().get(self.type_id)?.header(), bytes)
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// Those of [`Runtime::try_publish`]; nobody has received it.
    #[inline]
    pub fn try_publish(&self, bytes: &[u8]) -> Result<(), Error> {
        self.runtime.check_open()?;
        Ok(self.wire.try_publish(bytes)?)
    }
}

impl fmt::Debug for HostedPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostedPublisher").field(&self.wire).finish()
    }
}
