//! Publishing to one service alone.

use std::fmt;
use std::sync::Arc;

use mycelium_mailbox::wire::Wire;

use super::LinkError;
use super::hub::Hub;
use super::remote_ref;
use crate::reference::sealed;
use crate::{Identity, MessageBus, Recipient, TellError, Watchable};

/// Publishes messages of type `M` to one service, wherever it runs: [`MessageBus::publisher_to`].
///
/// A message goes to the actor that the service exposes under its own name, which takes it with the
/// `Handler<M>` that it has for the topic. Nobody else gets it, whatever they subscribe to: it is not in the
/// statistics of the topic, and never retained. Otherwise it is as any message that is
/// [told](Recipient::tell): the order is that of one sender over all that it publishes, tells and asks, the
/// queue has a bound, and a full one makes its sender wait, as `Block` does.
///
/// A service in which several are to have the message exposes a pool, or an actor that hands it on. Cheap to
/// clone.
pub struct PublisherTo<M>(Recipient<M>);

impl MessageBus {
    /// Publishes `M` to one service of the topology: to the actor that is exposed as `service/service`, by
    /// [`Child::exposed`](crate::tree::Child::exposed) or [`expose`](Self::expose). The service may run on
    /// this very bus. Make one and keep it: it outlives restarts of the service and of its process.
    ///
    /// `Ok` says nothing of the service, or of a link to it: [`publish`](PublisherTo::publish) does. On a bus
    /// without a topology the service is a bus of that name.
    ///
    /// ```
    /// # use mycelium::wire::{Layout, Messages, Visitor, Wire};
    /// use mycelium::tree::Child;
    /// use mycelium::{BoxError, Exposed, Message, MessageBus, Supervisor, TellError};
    /// # #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// # struct Halt { desk: u32 }
    /// # impl Message for Halt {
    /// #     const NAME: &'static str = "Halt";
    /// #     const TYPE_ID: u16 = 7;
    /// #     const TOPIC: &'static str = "halts";
    /// # }
    /// # impl Wire for Halt {
    /// #     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Halt::ROOT_LEN, digest: 0 }];
    /// # }
    /// # struct CONTRACT;
    /// # impl Messages for CONTRACT {
    /// #     fn each<V: Visitor>(&self, visitor: &mut V) { visitor.typed::<Halt>(); }
    /// # }
    ///
    /// #[derive(Default)]
    /// struct Risk { halted: bool }
    /// #[mycelium::actor]
    /// impl Risk {
    ///     #[on]
    ///     fn halt(&mut self, _: &Halt) {
    ///         self.halted = true;
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let risk = Child::exposed("risk", Risk::default, |risk| Exposed::new().takes::<Halt>(risk));
    /// // In a program: a topology names the bus, and `LocalNode::run` starts the tree.
    /// let bus = MessageBus::builder().node("risk").contract(CONTRACT).build();
    /// let tree = Supervisor::builder("desk").child(risk).start(&bus).await?;
    ///
    /// let halts = bus.publisher_to::<Halt>("risk")?;
    /// halts.publish(Halt { desk: 7 }).await?; // `risk` alone, whoever subscribes to halts
    /// # tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LinkError::Service`]: the topology has no service of this name. [`LinkError::NotInContract`], and
    /// those of [`connect`](Self::connect).
    pub fn publisher_to<M: Wire>(&self, service: &str) -> Result<PublisherTo<M>, LinkError> {
        let hub = Hub::of(self)?;
        let mailbox = hub.mailbox_of_service::<M>(service)?;
        Ok(PublisherTo(remote_ref::recipient(mailbox, Arc::downgrade(&hub))))
    }
}

impl<M: Send + 'static> PublisherTo<M> {
    /// Publishes to the service; waits until it is known who is there, and for room.
    ///
    /// `Ok` says that the inbox has the message, or the link to it, not that it was handled: see
    /// [`MessageBus::recipient`].
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back. [`TellError::Remote`] says why the service is not reached:
    /// [`NotLinked`](crate::RemoteError::NotLinked), [`NoActor`](crate::RemoteError::NoActor),
    /// [`NotTaken`](crate::RemoteError::NotTaken).
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was sent.
    pub async fn publish(&self, message: M) -> Result<(), TellError<M>> {
        self.0.tell(message).await
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// [`TellError::Full`] where [`publish`](Self::publish) would wait.
    pub fn try_publish(&self, message: M) -> Result<(), TellError<M>> {
        self.0.try_tell(message)
    }

    /// The same for code that is not async: it keeps the thread while it waits.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn publish_blocking(&self, message: M) -> Result<(), TellError<M>> {
        self.0.tell_blocking(message)
    }
}

impl<M> PublisherTo<M> {
    /// Whether the service can be reached, or is not known to be away.
    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// The name of the actor in logs and errors.
    pub fn identity(&self) -> Identity {
        self.0.identity()
    }
}

// Written by hand: a derive would ask for messages that can be cloned.
impl<M> Clone for PublisherTo<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> fmt::Debug for PublisherTo<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<M> sealed::Watchable for PublisherTo<M> {
    fn watched(&self) -> sealed::WatchRef {
        self.0.watched()
    }
}

impl<M> Watchable for PublisherTo<M> {}
