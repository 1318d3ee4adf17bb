//! How links are to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mycelium_remote::link::LinkConfig;

use super::security::Security;
use crate::{Policy, Subscription, WireMessage};

/// How long what a peer wants waits for it while there is no connection, unless said otherwise.
const HOLD: Duration = Duration::from_secs(30);

/// How much of a peer waits for room here at most, unless said otherwise (bytes).
const HELD_BYTES: usize = 64 << 20;

/// How many messages of each topic wait for a tool (messages).
const TOOL_QUEUE: usize = 4_096;

/// The ring each way of a link through shared memory, unless said otherwise; the smallest and the largest
/// (bytes).
const RING_BYTES: u64 = 256 << 10;
const RING_BYTES_MIN: u64 = 4 << 10;
const RING_BYTES_MAX: u64 = 64 << 20;

/// Options of the links that are made by one listener or dialer. A link has those of the endpoint by which
/// its peer was first seen.
///
/// ```
/// use mycelium::{LinkOptions, Subscription};
/// use std::time::Duration;
///
/// // A peer that is slow loses the oldest messages and slows nobody; one that is away is given up after 2 s.
/// let lossy =
/// LinkOptions::default().queue(Subscription::drop_oldest().capacity(256)).hold(Duration::from_secs(2));
/// # let _ = lossy;
/// ```
#[derive(Clone, Debug)]
#[must_use = "options are given to `bind_unix_with` and its siblings"]
pub struct LinkOptions {
    pub(super) queue: Subscription<WireMessage>,
    pub(super) hold: Duration,
    pub(super) held_bytes: usize,
    plaintext: bool,
    pub(super) security: Security,
    pub(super) ring: u64,
    pub(super) spin: Duration,
    pub(super) config: LinkConfig,
    /// The queues of single topics, by name.
    topics: BTreeMap<Arc<str>, Subscription<WireMessage>>,
    /// Options of the links with single peers, by name.
    peers: BTreeMap<Arc<str>, Arc<Self>>,
    /// The only peer that may be dialed.
    expected: Option<Arc<str>>,
    /// Peers that may not be linked by a listener.
    refused: BTreeSet<Arc<str>>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        let config = LinkConfig::default();
        Self {
            queue: Subscription::block(),
            hold: HOLD,
            held_bytes: HELD_BYTES,
            plaintext: false,
            security: Security::default(),
            ring: RING_BYTES,
            spin: Duration::ZERO,
            config,
            topics: BTreeMap::new(),
            peers: BTreeMap::new(),
            expected: None,
            refused: BTreeSet::new(),
        }
    }
}

impl LinkOptions {
    /// The queue of each topic that the peer wants, in which messages wait until the peer takes them: its
    /// policy and capacity. `Block` unless set: publishers here wait while a subscriber under `Block` there
    /// is full, or the connection is gone. Not `Conflate`, whose key is taken from a message and not from
    /// bytes.
    pub fn queue(mut self, queue: Subscription<WireMessage>) -> Self {
        self.queue = queue;
        self
    }

    /// The queue of one topic, in place of that of [`queue`](Self::queue).
    pub fn topic(mut self, topic: impl Into<Arc<str>>, queue: Subscription<WireMessage>) -> Self {
        self.topics.insert(topic.into(), queue);
        self
    }

    /// Options of the link with the peer of this name, in place of these: a listener links itself with many
    /// peers. They are those of queues, times, credit and bounds. How connections are secured
    /// (`tls`, [`plaintext`](Self::plaintext)) is said for all of them, as it comes before the
    /// name: there it is an error ([`LinkError::SecuredPeer`](crate::LinkError::SecuredPeer)).
    pub fn peer(mut self, name: impl Into<Arc<str>>, options: Self) -> Self {
        self.peers.insert(name.into(), Arc::new(options));
        self
    }

    /// For a dialer: whoever answers under another name than this is not linked, and
    /// [`Dialer::fault`](crate::Dialer::fault) says so.
    pub fn expect(mut self, name: impl Into<Arc<str>>) -> Self {
        self.expected = Some(name.into());
        self
    }

    /// For a listener: a bus of this name is not linked, and its [`Dialer::fault`](crate::Dialer::fault) says
    /// so. Others are.
    pub fn refuse(mut self, name: impl Into<Arc<str>>) -> Self {
        self.refused.insert(name.into());
        self
    }

    /// For how long messages wait for a peer without a connection, 30 seconds unless set. It counts only
    /// while the link's task runs: a process that is stopped or starved waits longer by the clock. Then the
    /// peer is given up ([`LinkState::Gone`](crate::LinkState::Gone)): what waited in queues is dropped and
    /// counted, publishers wait for it no more, and it gets what is published after it is back. Zero: at
    /// once.
    pub fn hold(mut self, time: Duration) -> Self {
        self.hold = time;
        self
    }

    /// How many messages of each type the peer may have under way to subscribers here that are full: so many
    /// wait here at most (messages, 1,024 unless set).
    pub fn credit(mut self, messages: u32) -> Self {
        self.config.credit = messages.max(1);
        self
    }

    /// How many bytes of values from the peer, of all types, may wait here for room in queues of subscribers;
    /// one value may be more (bytes, 64 MiB unless set). Beyond that the whole link waits until there is
    /// room, unless something here waits for the peer in turn: an answer, or room for what is to be sent.
    /// Then the bounds in number ([`credit`](Self::credit)) hold alone.
    pub fn held_bytes(mut self, bytes: usize) -> Self {
        self.held_bytes = bytes.max(1);
        self
    }

    /// How many bytes may wait for their acknowledgement by the peer; one message may be longer (bytes, 1 MiB
    /// unless set). A busy peer acknowledges after 64 KiB or 512 messages, so less than 256 KiB makes a link
    /// wait.
    pub fn window(mut self, bytes: usize) -> Self {
        self.config.window_bytes = bytes;
        self
    }

    /// Allows TCP to and from other machines though nothing is encrypted and nobody is authenticated: for a
    /// network that nobody else reaches.
    pub fn plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// TLS for all TCP connections, in this machine too: both sides show certificates of one authority, and
    /// a peer has no other name than those in its certificate. TCP may leave the machine then. Both sides
    /// need it. Unix sockets and shared memory are as they are without.
    ///
    /// With the feature `tls`.
    ///
    /// # Examples
    /// ```no_run
    /// use mycelium::{LinkOptions, TlsIdentity};
    ///
    /// // `mycelium certs certs desk market` makes them.
    /// let identity = TlsIdentity::from_files("certs/ca.crt", "certs/desk.crt", "certs/desk.key")?;
    /// let options = LinkOptions::default().tls(identity);
    /// # let _ = options;
    /// # Ok::<(), mycelium::TlsError>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, identity: super::TlsIdentity) -> Self {
        self.security = Security::Tls(identity);
        self
    }

    /// Whether TCP may leave the machine.
    pub(super) fn may_leave(&self) -> bool {
        self.plaintext || self.security.is_safe()
    }

    /// The ring each way of a link through shared memory, made by the side that dials (bytes, 256 KiB unless
    /// set; rounded up to a power of two from 4 KiB to 64 MiB). A peer that is busy with something else fills
    /// it, and messages wait in queues then.
    pub fn ring(mut self, bytes: usize) -> Self {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).clamp(RING_BYTES_MIN, RING_BYTES_MAX);
        self.ring = bytes.next_power_of_two();
        self
    }

    /// For how long this side of a link through shared memory looks for more before it sleeps (time, zero
    /// unless set). To be woken costs its peer a system call and takes some microseconds; to look keeps a
    /// thread of the runtime busy, though all other tasks have their turn every few microseconds. A handler
    /// that keeps its thread for long keeps the link waiting that looks there, and no other thread takes it
    /// over: give such work an actor on a thread of its own.
    ///
    /// In a runtime of one thread the receiver that waits looks itself: what comes is handled in the same
    /// poll, and the others have their turn behind 16 messages at most. Code of other messages' authors
    /// (their `Clone`, and the keys of subscriptions) may run inside of its wait then.
    ///
    /// This side acknowledges what comes 2.5 milliseconds later at the earliest, and not with each message
    /// that goes the other way. If its process dies meanwhile, its peer counts messages as not acknowledged
    /// that it has answered, as it does in a stream.
    pub fn spin(mut self, time: Duration) -> Self {
        self.spin = time;
        self
    }

    /// Those of the link with a tool, which is never waited for.
    pub(super) fn of_tool(&self) -> Self {
        let options = Self { topics: BTreeMap::new(), ..self.clone() };
        options.queue(Subscription::drop_oldest().capacity(TOOL_QUEUE)).hold(Duration::ZERO)
    }

    /// The queue of one topic in a link.
    pub(super) fn queue_of(&self, topic: &str, retained: bool) -> Subscription<WireMessage> {
        let queue = self.topics.get(topic).copied().unwrap_or(self.queue);
        Subscription { apart: true, echo: false, retained, ..queue }
    }

    /// Those of the link with this peer.
    pub(super) fn of<'o>(this: &'o Arc<Self>, peer: &str) -> &'o Arc<Self> {
        this.peers.get(peer).unwrap_or(this)
    }

    /// Whether one peer alone may be dialed.
    pub(super) fn expects_one(&self) -> bool {
        self.expected.is_some()
    }

    /// Why a peer of this name may not be dialed.
    pub(super) fn unexpected(&self, name: &str) -> Option<String> {
        let expected = self.expected.as_ref().filter(|expected| ***expected != *name)?;
        Some(format!(
            "`{name}` answers there, where `{expected}` was expected: one of both has a wrong address"
        ))
    }

    /// Why a peer of this name, which dials, is not linked with this bus.
    pub(super) fn unwanted(&self, name: &str, own: &str) -> Option<String> {
        self.refused.contains(name).then(|| {
            format!("`{own}` is told not to be linked with `{name}`: give both the same topology or options")
        })
    }

    /// A peer whose options say how its connections are secured, which is not known before they are.
    pub(super) fn secured_peer(&self) -> Option<Arc<str>> {
        let mut peers = self.peers.iter();
        peers.find(|(_, options)| options.may_leave()).map(|(name, _)| Arc::clone(name))
    }

    pub(super) fn conflates(&self) -> bool {
        let conflates = |queue: &Subscription<_>| matches!(queue.policy, Policy::Conflate(_));
        conflates(&self.queue)
            || self.topics.values().any(conflates)
            || self.peers.values().any(|options| options.conflates())
    }
}
