//! How links are to be.

use std::time::Duration;

use mycelium_remote::link::LinkConfig;

use crate::{Policy, Subscription, WireMessage};

/// How long what a peer wants waits for it while there is no connection, unless said otherwise.
const HOLD: Duration = Duration::from_secs(30);

/// How much of a peer waits for room here at most, unless said otherwise (bytes).
const HELD_BYTES: usize = 64 << 20;

/// Options of the links that are made by one listener or dialer. A link has those of the endpoint by which
/// its peer was first seen.
///
/// ```
/// use mycelium::{LinkOptions, Subscription};
/// use std::time::Duration;
///
/// // A peer that is slow loses the oldest messages and slows nobody; one that is away is given up after 2 s.
/// let lossy = LinkOptions::default().queue(Subscription::drop_oldest().capacity(256)).hold(Duration::from_secs(2));
/// # let _ = lossy;
/// ```
#[derive(Clone, Debug)]
#[must_use = "options are given to `bind_unix_with` and its siblings"]
pub struct LinkOptions {
    pub(super) queue: Subscription<WireMessage>,
    pub(super) hold: Duration,
    pub(super) held_bytes: usize,
    pub(super) plaintext: bool,
    pub(super) config: LinkConfig,
}

impl Default for LinkOptions {
    fn default() -> Self {
        let config = LinkConfig::default();
        Self { queue: Subscription::block(), hold: HOLD, held_bytes: HELD_BYTES, plaintext: false, config }
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

    /// For how long messages wait for a peer without a connection, 30 seconds unless set. Then it is given up
    /// ([`LinkState::Gone`](crate::LinkState::Gone)): what waited in queues is dropped and counted,
    /// publishers wait for it no more, and it gets what is published after it is back. Zero: at once.
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
    /// room.
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

    /// The queue of one topic.
    pub(super) fn queue_of(&self, retained: bool) -> Subscription<WireMessage> {
        Subscription { apart: true, echo: false, retained, ..self.queue }
    }

    pub(super) fn conflates(&self) -> bool {
        matches!(self.queue.policy, Policy::Conflate(_))
    }
}
