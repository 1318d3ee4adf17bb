//! A process: a host of links as a real one is, but for its sockets.

use std::collections::BTreeMap;

use mycelium_mailbox::wire::{Layout, Offer};
use mycelium_remote::frame::{Decoder, Frame, Header};
use mycelium_remote::link::{
    Accept, Agreement, AttachError, Greeting, Handshake, Hello, Input, Link, LinkConfig, LinkFault, Output,
    PeerHello, Reject, Standing,
};

pub(crate) const TYPES: [u16; 3] = [3, 7, 9];
pub(crate) const CONFIG: LinkConfig = LinkConfig {
    window_bytes: 4_096,
    credit: 8,
    heartbeat_ns: 1_000_000_000,
    silence_ns: 3_500_000_000,
    frame_ns: 10_000_000_000,
    ack_delay_ns: 5_000_000,
};

const fn offer(name: &'static str) -> Offer<'static> {
    const LAYOUTS: &[Layout] = &[Layout { version: 1, root_len: 16, digest: 1 }];
    Offer { name, version: 1, layouts: LAYOUTS, enums: &[] }
}

const OFFERS: &[(u16, Offer<'static>)] = &[(3, offer("A")), (7, offer("B")), (9, offer("C"))];

/// A connection as one side sees it.
pub(crate) struct Session {
    pub(crate) dialed: Option<usize>,
    decoder: Decoder,
    pub(crate) handshake: Handshake,
    nonce: u64,
    hello: Option<PeerHello>,
    stated: Standing,
    /// Attached to the link to this node.
    pub(crate) peer: Option<usize>,
    pub(crate) out: Vec<u8>,
}

/// The link to one node, and what both ends are used for.
pub(crate) struct Peer {
    pub(crate) link: Link,
    pub(crate) connection: Option<usize>,
    /// The number of the last message sent.
    pub(crate) sent: u64,
    /// The process that the last message came from, and its number.
    pub(crate) seen: BTreeMap<u64, u64>,
    /// Messages of each type that wait to be consumed.
    pub(crate) held: BTreeMap<u16, u64>,
    pub(crate) redial_at: u64,
}

/// What the world does for a process when it has read.
#[derive(PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    /// The session is over. Its dialer tries again, at once or later.
    Close {
        again_at_once: bool,
    },
}

pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) node: usize,
    pub(crate) peers: BTreeMap<usize, Peer>,
    pub(crate) sessions: BTreeMap<usize, Session>,
    /// Messages received, by the process that has sent them.
    pub(crate) got: BTreeMap<u64, u64>,
    next_end: u64,
    /// Loses the next message, to see that it is missed.
    pub(crate) lose_one: bool,
    /// No process of this world dies: nothing may be lost.
    pub(crate) strict: bool,
}

impl Process {
    pub(crate) fn new(id: u64, node: usize, strict: bool) -> Self {
        let (peers, sessions, got) = Default::default();
        Self { id, node, peers, sessions, got, next_end: id * 1_000, lose_one: false, strict }
    }

    pub(crate) fn peer(&mut self, node: usize) -> &mut Peer {
        let next_end = &mut self.next_end;
        self.peers.entry(node).or_insert_with(|| {
            *next_end += 100;
            Peer {
                link: Link::new(CONFIG, *next_end),
                connection: None,
                sent: 0,
                seen: BTreeMap::new(),
                held: BTreeMap::new(),
                redial_at: 0,
            }
        })
    }

    pub(crate) fn open(&mut self, now: u64, connection: usize, dialed: Option<usize>, nonce: u64) {
        let mut out = Vec::new();
        if dialed.is_some() {
            self.greet(nonce, &mut out);
        }
        let session = Session {
            dialed,
            decoder: Decoder::new(),
            handshake: Handshake::new(now, nonce),
            nonce,
            hello: None,
            stated: Standing::default(),
            peer: None,
            out,
        };
        self.sessions.insert(connection, session);
    }

    fn greet(&self, nonce: u64, out: &mut Vec<u8>) {
        let name = format!("node-{}", self.node);
        Hello { name: &name, nonce, value_len_max: 1 << 20, offers: OFFERS }
            .encode(out)
            .expect("a Hello of ours is sound");
    }

    /// Bytes have come.
    pub(crate) fn read(&mut self, now: u64, connection: usize, mut bytes: &[u8]) -> Fate {
        let Some(mut session) = self.sessions.remove(&connection) else { return Fate::Open };
        let mut fate = Fate::Open;
        while !bytes.is_empty() && fate == Fate::Open {
            if let Some(peer) = session.peer.filter(|peer| self.peers[peer].connection == Some(connection)) {
                self.peer(peer).link.step(now, Input::Heard).expect("this breaks no rule");
            }
            let taken = session.decoder.feed(bytes);
            bytes = &bytes[taken..];
            let mut decoder = std::mem::take(&mut session.decoder);
            while fate == Fate::Open {
                match decoder.next_frame() {
                    Ok(Some(frame)) => fate = self.frame(now, connection, &mut session, &frame),
                    Ok(None) => break,
                    Err(_) => fate = Fate::Close { again_at_once: false },
                }
            }
            session.decoder = decoder;
        }
        self.sessions.insert(connection, session);
        fate
    }

    fn frame(&mut self, now: u64, at: usize, session: &mut Session, frame: &Frame<'_>) -> Fate {
        let Some(node) = session.peer else {
            return match session.handshake.frame(frame) {
                Ok(Greeting::Hello(hello)) => self.greeted(session, hello),
                Ok(Greeting::Accepted(standing)) => self.accepted(now, at, session, &standing),
                Err(fault) => {
                    assert!(matches!(fault, LinkFault::Rejected(_)), "{fault}");
                    refused(session, None)
                }
            };
        };
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.connection == Some(at)) else {
            return Fate::Close { again_at_once: false };
        };
        match peer.link.step(now, Input::Frame(frame)) {
            Ok(Output::Message) => self.message(node, frame),
            Ok(_) => {}
            // Nobody here breaks the rules. An attach may be refused by one side when the other has begun.
            Err(LinkFault::Rejected(_)) => return refused(session, None),
            Err(fault) => panic!("node {} to {node}: {fault}", self.node),
        }
        Fate::Open
    }

    fn greeted(&mut self, session: &mut Session, hello: PeerHello) -> Fate {
        let node: usize = hello.name()["node-".len()..].parse().expect("a name of ours");
        assert_ne!(node, self.node);
        if session.dialed.is_none() {
            self.greet(session.nonce, &mut session.out);
        }
        session.stated = self.peer(node).link.standing();
        Accept { nonce: hello.nonce(), standing: session.stated }.encode(&mut session.out);
        session.hello = Some(hello);
        Fate::Open
    }

    fn accepted(&mut self, now: u64, at: usize, session: &mut Session, standing: &Standing) -> Fate {
        let hello = session.hello.as_ref().expect("it was greeted");
        let node: usize = hello.name()["node-".len()..].parse().expect("a name of ours");
        let agreement = Agreement::of(OFFERS, hello);
        assert_eq!(agreement.agreed(), TYPES);
        let peer = self.peer(node);
        match peer.link.attach(now, &agreement, &session.stated, standing) {
            Ok(_) => {
                session.peer = Some(node);
                // The world closes the one before.
                peer.connection = Some(at);
                Fate::Open
            }
            Err(error) => refused(session, Some(error)),
        }
    }

    fn message(&mut self, node: usize, frame: &Frame<'_>) {
        let word = |at: usize| u64::from_le_bytes(frame.value[at..at + 8].try_into().expect("eight bytes"));
        let (from, number) = (word(0), word(8));
        if std::mem::take(&mut self.lose_one) {
            return;
        }
        *self.got.entry(from).or_default() += 1;
        let strict = self.strict;
        let peer = self.peer(node);
        let last = peer.seen.insert(from, number).unwrap_or(0);
        assert!(number > last, "message {number} of process {from} came after {last}");
        assert!(!strict || number == last + 1, "message {number} came where {} comes next", last + 1);
        let held = peer.held.entry(frame.header.type_id).or_default();
        *held += 1;
        assert!(*held <= u64::from(CONFIG.credit), "{held} messages wait, more than there is credit for");
    }

    /// Sends one message if the link takes it.
    pub(crate) fn send(&mut self, node: usize, type_id: u16, len: usize) {
        let id = self.id;
        let peer = self.peer(node);
        let mut value = vec![0; 16 + len];
        value[..8].copy_from_slice(&id.to_le_bytes());
        value[8..16].copy_from_slice(&(peer.sent + 1).to_le_bytes());
        let header = Header { type_id, version: 1, root_len: 16, ..Header::default() };
        if peer.link.send(&header, &value).is_ok() {
            peer.sent += 1;
        }
    }

    /// What holds at any time.
    pub(crate) fn check(&self) {
        for peer in self.peers.values() {
            let stats = peer.link.stats();
            assert_eq!(stats.sent, stats.acknowledged + stats.lost + stats.waiting, "{stats:?}");
            assert!(stats.waiting_bytes <= 4_096 || stats.waiting == 1, "{stats:?}");
            assert_eq!(stats.sent, peer.sent);
            assert_eq!(stats.unconsumed, peer.held.values().sum::<u64>(), "{stats:?}");
        }
    }
}

/// Tells the peer why, and whether its dialer tries again at once.
fn refused(session: &mut Session, error: Option<AttachError>) -> Fate {
    let again_at_once = matches!(error, Some(AttachError::PeerRestarted { .. }));
    if let Some(error) = error {
        assert!(!matches!(error, AttachError::Beyond { .. }), "{error}");
        let Reject { reason, text } = error.reject();
        Reject { reason, text }.encode(&mut session.out);
    }
    Fate::Close { again_at_once }
}
