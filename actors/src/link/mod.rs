//! Links between buses of several processes, over Unix sockets, TCP and shared memory: the sockets, clock and
//! tasks around the machines of `mycelium_remote::link`.
//!
//! - `hub.rs` has what the links of one bus share: the table of peers by name, what this bus wants from them
//!   (`interest.rs`), and how it all ends. The bus knows it as a `Bridge` (`live/links.rs`).
//! - `endpoint.rs` listens and dials; both end in `greet.rs`, the handshake of one connection.
//! - `driver.rs` is the task of one link. It alone touches the link's machine and its connection, so nothing
//!   is locked for a message. `outflow.rs` has the queues in which messages wait for the peer, `inflow.rs`
//!   those from the peer that wait for room here.
//! - `sockets.rs` has the kinds of connections; `shm.rs` is the one through shared memory.
//! - `expose.rs` has the actors that peers may write to, `mailbox.rs` those of peers that somebody here
//!   writes to (`publisher_to.rs`: by the name of a service), and `driver/mail.rs` what the task of a link
//!   does for both.
//!
//! # One hop
//! All links of a bus publish and subscribe under one id, so what came over a link goes out over none: every
//! bus is linked with those that it wants messages from. And their queues are apart from the rings of topics,
//! so that a message from a peer never waits for room in the queue of a link. Two buses that flood each other
//! on one topic would wait for each other else.

#[cfg(all(target_os = "linux", target_endian = "big"))]
compile_error!(
    "links through shared memory need a processor with little-endian words: the words of a segment are shared as \
     they lie in memory (docs/wire.md, \"Shared memory\"), and big-endian targets were never tried"
);

mod address;
mod backoff;
mod driver;
mod endpoint;
mod error;
mod expose;
mod greet;
mod hub;
mod inflow;
mod interest;
mod lookup;
mod mailbox;
mod options;
mod outflow;
mod peer;
mod pending_answer;
mod publisher_to;
mod remote_ref;
mod secret;
mod security;
#[cfg(target_os = "linux")]
mod shm;
mod sockets;
#[cfg(feature = "tls")]
mod tls;

#[cfg(all(test, not(any(loom, shuttle))))]
mod sim;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use self::address::LinkAddress;
pub use self::endpoint::{Dialer, LinkListener};
pub use self::error::LinkError;
pub use self::expose::Exposed;
pub use self::hub::LINKS_MAX;
pub use self::options::LinkOptions;
pub use self::publisher_to::PublisherTo;
#[cfg(feature = "tls")]
pub use self::tls::{TlsError, TlsIdentity};

use mycelium_mailbox::Query;
use mycelium_mailbox::wire::Wire;
use mycelium_remote::frame::Header;

use self::expose::ExposedChild;
use self::hub::Hub;
use crate::wire::{Carried, WireValue};
use crate::{AskError, Message, MessageBus, Recipient, RemoteError, ReplyRecipient, WireMessage};

/// The target of everything that links log.
const TARGET: &str = "mycelium::link";

impl MessageBus {
    /// Lets buses of other processes of this user link themselves with this one over a Unix socket.
    ///
    /// A link carries what either side subscribes to, both ways: each message of a contract of both that a
    /// subscriber of the other side wants, in order, once, over whatever happens to connections while both
    /// processes live. See `docs/semantics.md`, "Links". The bus needs a name ([`BusBuilder::node`]) and
    /// contracts ([`BusBuilder::contract`]). It goes on listening until it is shut down or the listener is
    /// closed; in which order two buses bind and connect does not matter.
    ///
    /// The socket gets the permissions 0600. Its directory is made with 0700 if it is missing; one that
    /// others may enter is refused. A socket file that nobody listens at is replaced. One that is removed
    /// below the listener is made again within two seconds.
    ///
    /// [`BusBuilder::node`]: crate::BusBuilder::node
    /// [`BusBuilder::contract`]: crate::BusBuilder::contract
    ///
    /// # Errors
    /// See [`LinkError`].
    #[cfg(unix)]
    pub fn bind_unix(&self, path: impl AsRef<Path>) -> Result<LinkListener, LinkError> {
        self.bind_unix_with(path, LinkOptions::default())
    }

    /// The same with options, for the links that are made here.
    ///
    /// # Errors
    /// See [`LinkError`].
    #[cfg(unix)]
    pub fn bind_unix_with(
        &self,
        path: impl AsRef<Path>,
        options: LinkOptions,
    ) -> Result<LinkListener, LinkError> {
        Hub::of(self)?.bind(&LinkAddress::unix(path.as_ref()), options)
    }

    /// Lets buses of other processes link themselves with this one over TCP, as
    /// [`bind_unix`](Self::bind_unix) does. `address` is an IP address or a name with a port, such as
    /// `127.0.0.1:7000`; with port 0 the system chooses one, which [`LinkListener::address`] tells.
    ///
    /// Unless the options have TLS (`LinkOptions::tls`), nothing is encrypted and nobody is authenticated:
    /// every process that reaches the port can link itself. So addresses other than those of the machine
    /// itself are refused then, unless [`LinkOptions::plaintext`] says that the network is trusted. A name
    /// is looked up here, which may block this thread.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn bind_tcp(&self, address: impl Into<Arc<str>>) -> Result<LinkListener, LinkError> {
        self.bind_tcp_with(address, LinkOptions::default())
    }

    /// The same with options, for the links that are made here.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn bind_tcp_with(
        &self,
        address: impl Into<Arc<str>>,
        options: LinkOptions,
    ) -> Result<LinkListener, LinkError> {
        Hub::of(self)?.bind(&LinkAddress::tcp(address), options)
    }

    /// Lets buses of other processes of this user link themselves with this one through shared memory, as
    /// [`bind_unix`](Self::bind_unix) does: the same link, whose frames go through a ring each way, without a
    /// system call as long as both sides are busy. The Unix socket at `path` hands the rings over and tells
    /// when a process ends. See [`LinkOptions::ring`] and [`LinkOptions::spin`]. A peer connects to
    /// [`LinkAddress::shm`]. Linux only.
    ///
    /// # Errors
    /// See [`LinkError`].
    #[cfg(target_os = "linux")]
    pub fn bind_shm(&self, path: impl AsRef<Path>) -> Result<LinkListener, LinkError> {
        self.bind_shm_with(path, LinkOptions::default())
    }

    /// The same with options, for the links that are made here.
    ///
    /// # Errors
    /// See [`LinkError`].
    #[cfg(target_os = "linux")]
    pub fn bind_shm_with(
        &self,
        path: impl AsRef<Path>,
        options: LinkOptions,
    ) -> Result<LinkListener, LinkError> {
        Hub::of(self)?.bind(&LinkAddress::shm(path.as_ref()), options)
    }

    /// Links this bus with the one that listens at an address, now or as soon as it does: `Ok` says that it
    /// is tried from now on, again after each failure, and again whenever the connection is lost. See
    /// [`bind_unix`](Self::bind_unix) for what a link is.
    ///
    /// ```
    /// # use mycelium::wire::{Layout, Messages, Visitor, Wire};
    /// use mycelium::{BoxError, LinkAddress, Message, MessageBus};
    /// # #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// # struct Tick { price: i64 }
    /// # impl Message for Tick {
    /// #     const NAME: &'static str = "Tick";
    /// #     const TYPE_ID: u16 = 7;
    /// #     const TOPIC: &'static str = "ticks";
    /// # }
    /// # impl Wire for Tick {
    /// #     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Tick::ROOT_LEN, digest: 0 }];
    /// # }
    /// # struct CONTRACT;
    /// # impl Messages for CONTRACT {
    /// #     fn each<V: Visitor>(&self, visitor: &mut V) { visitor.typed::<Tick>(); }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let market = MessageBus::builder().node("market").contract(CONTRACT).build();
    /// let desk = MessageBus::builder().node("desk").contract(CONTRACT).build();
    /// let listener = market.bind_tcp("127.0.0.1:0")?; // in one process,
    /// let dialer = desk.connect(LinkAddress::tcp(listener.address()))?; // and in another
    ///
    /// let mut ticks = desk.subscriber::<Tick>()?;
    /// assert_eq!(&*dialer.linked().await, "market");
    /// while !market.stats().links.iter().any(|link| link.wants.contains(&"Tick")) {
    ///     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    /// }
    /// market.publisher::<Tick>()?.publish(Tick { price: 42 }).await?;
    /// assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { price: 42 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`LinkError`]; that nobody listens there is none.
    pub fn connect(&self, to: impl Into<LinkAddress>) -> Result<Dialer, LinkError> {
        self.connect_with(to, LinkOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn connect_with(
        &self,
        to: impl Into<LinkAddress>,
        options: LinkOptions,
    ) -> Result<Dialer, LinkError> {
        Hub::of(self)?.dial(to.into(), options)
    }

    /// Has buses that are linked with this one find an actor under a name: those alone, and for what it is
    /// said to take and answer. A child of a tree says it in its description:
    /// [`Child::exposed`](crate::tree::Child::exposed).
    ///
    /// The last one of a name counts, until it has ended or [`unexpose`](Self::unexpose) is called. The bus
    /// needs a name and contracts, as for a link.
    ///
    /// ```
    /// # use mycelium::wire::{Layout, Messages, Visitor, Wire};
    /// use mycelium::{BoxError, Exposed, LinkAddress, MessageBus};
    /// # #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// # struct Limit { of: i64 }
    /// # #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// # struct Left { lots: i64 }
    /// # macro_rules! message { ($name:ident, $id:literal) => {
    /// # impl mycelium::Message for $name {
    /// #     const NAME: &'static str = stringify!($name);
    /// #     const TYPE_ID: u16 = $id;
    /// #     const TOPIC: &'static str = "risk";
    /// # }
    /// # impl Wire for $name {
    /// #     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: $name::ROOT_LEN, digest: 0 }];
    /// # } } }
    /// # message!(Limit, 7);
    /// # message!(Left, 8);
    /// # impl mycelium::Query for Limit { type Reply = Left; }
    /// # struct CONTRACT;
    /// # impl Messages for CONTRACT {
    /// #     fn each<V: Visitor>(&self, visitor: &mut V) { visitor.typed::<Limit>(); visitor.typed::<Left>(); }
    /// # }
    ///
    /// struct Risk(i64);
    /// #[mycelium::actor]
    /// impl Risk {
    ///     #[ask]
    ///     fn left(&self, limit: &Limit) -> Left {
    ///         Left { lots: limit.of - self.0 }
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let desk = MessageBus::builder().node("desk").contract(CONTRACT).build();
    /// let risk = desk.spawn(Risk(3))?;
    /// desk.expose("risk", Exposed::new().answers::<Limit>(risk))?;
    /// let listener = desk.bind_tcp("127.0.0.1:0")?;
    ///
    /// // In another process:
    /// let market = MessageBus::builder().node("market").contract(CONTRACT).build();
    /// market.connect(LinkAddress::tcp(listener.address()))?.linked().await;
    /// let risk = market.reply_recipient::<Limit>("desk/risk")?;
    /// assert_eq!(risk.ask(Limit { of: 10 }).await?, Left { lots: 7 });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn expose(&self, name: &str, exposed: Exposed) -> Result<(), LinkError> {
        self.expose_as(name, exposed, None)
    }

    /// Has nobody be found under this name any more; whether somebody was who lives. Senders have the errors
    /// of an actor that has ended; messages that are on their way to it are delivered.
    ///
    /// An actor that ends needs no such call.
    pub fn unexpose(&self, name: &str) -> bool {
        Hub::of(self).is_ok_and(|hub| hub.unexpose(name))
    }

    /// Has a child of a tree be found under its id, where anybody can be linked with this bus.
    pub(crate) fn expose_child(&self, tree: u64, path: &Arc<str>, exposed: Exposed) -> Result<(), LinkError> {
        let id = path.rsplit('/').next().unwrap_or_default();
        match self.core.node_names.own {
            Some(_) => self.expose_as(id, exposed, Some(ExposedChild { tree, path: Arc::clone(path) })),
            None => Ok(()),
        }
    }

    fn expose_as(&self, name: &str, exposed: Exposed, child: Option<ExposedChild>) -> Result<(), LinkError> {
        let hub = Hub::of(self)?;
        for door in exposed.doors() {
            let kind = door.kind();
            if !hub.knows(kind.type_id) {
                return Err(LinkError::NotInContract { message: kind.name });
            }
        }
        hub.expose(name, exposed, child)
    }

    /// The actor that is [exposed](Self::expose) on a linked bus, as one that takes messages of type `M`:
    /// `path` is the name of that bus, a slash, and the name of the actor there. The name of this bus stands
    /// for the actors that are exposed here.
    ///
    /// `Ok` says nothing of that bus, or of a link to it: [`tell`](Recipient::tell) does. It waits until the
    /// peer has said who is there, and then for room, up to the actor's inbox. Its `Ok` says that the link
    /// has the message: it is delivered if both processes live and the connection comes back within
    /// [`LinkOptions::hold`]. The order of one sender is that of [`publish`](crate::Publisher::publish), for
    /// all that one actor there is told, asked and subscribed to.
    ///
    /// # Errors
    /// [`LinkError::Path`], [`LinkError::NotInContract`], and those of [`connect`](Self::connect).
    pub fn recipient<M: Wire>(&self, path: &str) -> Result<Recipient<M>, LinkError> {
        let hub = Hub::of(self)?;
        let mailbox = hub.mailbox_at::<M>(path)?;
        Ok(remote_ref::recipient(mailbox, std::sync::Arc::downgrade(&hub)))
    }

    /// The same for queries, which the actor answers with the message that the contract gives (`reply`).
    ///
    /// An answer comes once or not at all. [`AskError::Remote`](crate::AskError::Remote) says why it does not
    /// come; after [`RemoteError::Lost`](crate::RemoteError::Lost) and a timeout the question may have been
    /// handled.
    ///
    /// # Errors
    /// Those of [`recipient`](Self::recipient).
    pub fn reply_recipient<Q>(&self, path: &str) -> Result<ReplyRecipient<Q>, LinkError>
    where
        Q: Query + Wire,
        Q::Reply: Wire,
    {
        let hub = Hub::of(self)?;
        if !hub.knows(Q::Reply::TYPE_ID) {
            return Err(LinkError::NotInContract { message: Q::Reply::NAME });
        }
        let mailbox = hub.mailbox_at::<Q>(path)?;
        Ok(remote_ref::reply_recipient(mailbox, std::sync::Arc::downgrade(&hub)))
    }

    /// Asks an actor of a linked bus in bytes: for tools and bindings, which have a contract and no types.
    /// `path` is that of [`recipient`](Self::recipient), also one of this very bus; `header` and `bytes` are
    /// those of [`publish_wire`](Self::publish_wire). The answer has no place in the order of this bus: its
    /// stamp is zero, and it is of the message that the contract gives, if that says which (`reply`).
    /// `limit`: how long to wait; the bus's own if there is none.
    ///
    /// # Errors
    /// [`AskError::Remote`] says why there is no answer: [`RemoteError::NotTaken`] also where the path is
    /// none, or no contract of this bus has the message; [`RemoteError::Invalid`] where the bytes are no
    /// value of it; [`RemoteError::Unanswerable`] where the answer is another message than the contract's.
    /// [`AskError::Timeout`]: see [`reply_recipient`](Self::reply_recipient).
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the question may be put all the same.
    pub async fn ask_wire(
        &self,
        path: &str,
        header: &Header,
        bytes: &[u8],
        limit: Option<Duration>,
    ) -> Result<WireMessage, AskError> {
        let failed = |error| AskError::remote(Some(mailbox::identity_at(path)), error);
        let hub = Hub::of(self).map_err(|_| failed(RemoteError::NotLinked))?;
        let table = self.core.wire.table();
        let at = table.place_of(header, bytes.len()).map_err(|_| failed(RemoteError::NotTaken))?;
        let reply = table.known()[at].reply;
        let value = WireValue::from_wire(table.known()[at].kind, header, bytes, WireValue::new);
        let value = value.map_err(|_| failed(RemoteError::Invalid))?;
        let mailbox = hub.mailbox_of(path).map_err(|_| failed(RemoteError::NotTaken))?;
        let answer = mailbox.ask_wire(&hub, value, limit).await?;
        if reply.is_some_and(|reply| reply != answer.header().type_id) {
            return Err(failed(RemoteError::Unanswerable));
        }
        let unreadable = |_| failed(RemoteError::Unanswerable);
        let at = table.place_of(answer.header(), answer.bytes().len()).map_err(unreadable)?;
        let kind = table.known()[at].kind;
        let answer = WireValue::from_wire(kind, answer.header(), answer.bytes(), WireValue::new);
        Ok(WireMessage::new(answer.map_err(|_| failed(RemoteError::Unanswerable))?, kind, 0, 0))
    }
}
