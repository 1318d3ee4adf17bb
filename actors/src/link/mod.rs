//! Links between buses of several processes, over Unix sockets and TCP: the sockets, clock and tasks around
//! the machines of `mycelium_remote::link`.
//!
//! - `hub.rs` has what the links of one bus share: the table of peers by name, what this bus wants from them
//!   (`interest.rs`), and how it all ends. The bus knows it as a `Bridge` (`live/links.rs`).
//! - `endpoint.rs` listens and dials; both end in `greet.rs`, the handshake of one connection.
//! - `driver.rs` is the task of one link. It alone touches the link's machine and its connection, so nothing
//!   is locked for a message. `outflow.rs` has the queues in which messages wait for the peer, `inflow.rs`
//!   those from the peer that wait for room here.
//!
//! # One hop
//! All links of a bus publish and subscribe under one id, so what came over a link goes out over none: every
//! bus is linked with those that it wants messages from. And their queues are apart from the rings of topics,
//! so that a message from a peer never waits for room in the queue of a link. Two buses that flood each other
//! on one topic would wait for each other else.

mod address;
mod backoff;
mod driver;
mod endpoint;
mod error;
mod greet;
mod hub;
mod inflow;
mod interest;
mod options;
mod outflow;
mod peer;
mod secret;
mod sockets;

use std::path::Path;
use std::sync::Arc;

pub use self::address::LinkAddress;
pub use self::endpoint::{Dialer, LinkListener};
pub use self::error::LinkError;
pub use self::hub::LINKS_MAX;
pub use self::options::LinkOptions;

use self::hub::Hub;
use crate::MessageBus;

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
    /// others may enter is refused. A socket file that nobody listens at is replaced.
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
    /// Nothing is encrypted and nobody is authenticated: every process that reaches the port can link itself.
    /// So addresses other than those of the machine itself are refused, unless [`LinkOptions::plaintext`]
    /// says that the network is trusted. A name is looked up here, which may block this thread.
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
}
