//! A process: a host of links as a real one is, but for its sockets.

use std::collections::BTreeMap;

use mycelium_mailbox::wire::{Layout, Offer};
use mycelium_random::Random;
use mycelium_remote::frame::{Decoder, Frame, Header, RunEntry};
use mycelium_remote::link::{
    Accept, Agreement, AttachError, Direct, Failure, Greeting, Handshake, Hello, Input, Link, LinkConfig,
    LinkFault, MailboxState, Output, PeerHello, Question, Reject, SendError, Served, Standing, Taken,
    message_of,
};

pub(crate) const TYPES: [u16; 3] = [3, 7, 9];
/// The mailboxes of each node.
pub(crate) const MAILBOXES: [&str; 2] = ["one", "two"];
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
    /// Told to each mailbox, and not consumed yet.
    pub(crate) told: BTreeMap<usize, u64>,
    /// Questions of the peer that wait for their answers, each with the number of its message.
    pub(crate) questions: Vec<(Question, u64)>,
    /// Questions of this end that wait for theirs, each with the number of its message.
    pub(crate) asked: BTreeMap<u64, u64>,
    /// How many were answered, and how many will never be.
    pub(crate) answers: (u64, u64),
    pub(crate) redial_at: u64,
    /// The queues of each type that this end sends from: which one, and how much was sent of it.
    queues: BTreeMap<u16, (u64, u64)>,
    /// The same of each type that it gets, in this round: none before the first message that is due.
    getting: BTreeMap<u16, (u64, u64)>,
    /// The queue of the peer's that was got last, in whatever round.
    gotten: BTreeMap<u16, u64>,
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
                told: BTreeMap::new(),
                questions: Vec::new(),
                asked: BTreeMap::new(),
                answers: (0, 0),
                redial_at: 0,
                queues: BTreeMap::new(),
                getting: BTreeMap::new(),
                gotten: BTreeMap::new(),
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
                self.peer(peer)
                    .link
                    .step(now, Input::Heard { bytes: bytes.len() })
                    .expect("this breaks no rule");
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
            Ok(Output::Run { skip }) => {
                let entries = (frame.header.sequence..).zip(frame.run().expect("the link says so"));
                for (sequence, entry) in entries.skip(skip) {
                    let RunEntry { type_id, version, root_len, .. } = entry;
                    let header = Header { type_id, version, root_len, sequence, ..Header::default() };
                    self.message(node, &Frame { header, value: entry.value });
                }
            }
            Ok(Output::Direct(direct)) => self.direct(node, direct, frame),
            Ok(Output::Interest) => {
                for type_id in peer.link.take_withdrawn() {
                    peer.begin(type_id);
                }
            }
            Ok(Output::Opened) => {
                let places: Vec<usize> = peer.link.served().map(|(place, _)| place).collect();
                for place in places {
                    peer.link.serve(place, Some(served()));
                }
            }
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
        match peer.link.attach(now, session.handshake.began(), &agreement, &session.stated, standing) {
            Ok(_) => {
                session.peer = Some(node);
                // The world closes the one before.
                peer.connection = Some(at);
                Fate::Open
            }
            Err(error) => {
                if let AttachError::PeerRestarted { .. } = error {
                    peer.answers.1 += peer.asked.len() as u64;
                    peer.asked.clear();
                    TYPES.iter().for_each(|type_id| peer.begin(*type_id));
                    peer.getting.clear();
                }
                refused(session, Some(error))
            }
        }
    }

    /// A direct message has come.
    fn direct(&mut self, node: usize, direct: Direct, frame: &Frame<'_>) {
        let number = match direct {
            // It has no value to count it by.
            Direct::Failed { ask, failure } => {
                assert_eq!(failure, Failure::Stopped);
                let id = self.peer(node).theirs();
                *self.got.entry(id).or_default() += 1;
                let peer = self.peer(node);
                *peer.seen.entry(id).or_default() += 1;
                assert!(peer.asked.remove(&ask).is_some(), "nobody waits for question {ask}");
                peer.answers.0 += 1;
                return;
            }
            _ => self.count(node, frame),
        };
        let Some(number) = number else { return };
        let peer = self.peer(node);
        match direct {
            Direct::Tell { place } => *peer.told.entry(place).or_default() += 1,
            Direct::Ask { question, .. } => peer.questions.push((question, number)),
            Direct::Answer { ask } => {
                let value = message_of(frame.value);
                let of = u64::from_le_bytes(value[16..24].try_into().expect("eight bytes"));
                assert_eq!(peer.asked.remove(&ask), Some(of), "the answer to another question");
                peer.answers.0 += 1;
            }
            other => panic!("{other:?}"),
        }
        let waits = peer.questions.len() as u64 + peer.told.values().sum::<u64>();
        assert!(waits <= u64::from(CONFIG.credit) * MAILBOXES.len() as u64, "{waits} direct messages wait");
    }

    fn message(&mut self, node: usize, frame: &Frame<'_>) {
        if self.count(node, frame).is_none() {
            return;
        }
        let Header { type_id, sequence, .. } = frame.header;
        let peer = self.peer(node);
        if sequence >= peer.link.due_from(type_id) {
            peer.get(type_id, word(frame, 2), word(frame, 3));
        }
        let held = self.peer(node).held.entry(frame.header.type_id).or_default();
        *held += 1;
        assert!(*held <= u64::from(CONFIG.credit), "{held} messages wait, more than there is credit for");
    }

    /// Looks whether a message comes in its turn: its number, unless it is to be lost.
    fn count(&mut self, node: usize, frame: &Frame<'_>) -> Option<u64> {
        let (from, number) = (word(frame, 0), word(frame, 1));
        if std::mem::take(&mut self.lose_one) {
            return None;
        }
        *self.got.entry(from).or_default() += 1;
        let strict = self.strict;
        let peer = self.peer(node);
        let last = peer.seen.insert(from, number).unwrap_or(0);
        assert!(number > last, "message {number} of process {from} came after {last}");
        assert!(!strict || number == last + 1, "message {number} came where {} comes next", last + 1);
        Some(number)
    }

    /// Sends one message if the link takes it.
    pub(crate) fn send(&mut self, node: usize, type_id: u16, len: usize) {
        let id = self.id;
        let peer = self.peer(node);
        let mut value = value(id, peer.sent + 1, len + 16);
        let (queue, sent) = peer.queues.entry(type_id).or_default();
        value[16..24].copy_from_slice(&queue.to_le_bytes());
        value[24..32].copy_from_slice(&(*sent + 1).to_le_bytes());
        if peer.link.send(&header(type_id), &value).is_ok() {
            peer.sent += 1;
            *sent += 1;
        }
    }

    /// Tells or asks, if the link takes it.
    pub(crate) fn send_direct(&mut self, node: usize, random: &mut Random) {
        let id = self.id;
        let peer = self.peer(node);
        // One that is closed is open again when the peer knows.
        let Ok(mailbox) = peer.link.open(random.pick(&MAILBOXES)) else { return };
        if random.chance(10) && peer.link.close(mailbox) {
            return;
        }
        let number = peer.sent + 1;
        let value = value(id, number, random.index(100));
        let sent = if random.chance(50) {
            peer.link.tell(mailbox, &header(3), &value)
        } else {
            let asked = peer.link.ask(mailbox, None, &header(7), &value);
            asked.map(|ask| assert!(peer.asked.insert(ask, number).is_none(), "a question twice"))
        };
        match sent {
            Ok(()) => peer.sent += 1,
            Err(SendError::NoCredit { .. }) => assert_eq!(peer.link.mailbox_credit(mailbox), 0),
            Err(SendError::NotWanted { .. }) => {
                assert_eq!(peer.link.mailbox(mailbox), &MailboxState::Unknown);
            }
            Err(SendError::Full { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Answers a question of the peer, or says that there will be no answer, and handles what was told.
    pub(crate) fn work(&mut self, node: usize, random: &mut Random) {
        let id = self.id;
        let peer = self.peer(node);
        for (place, told) in &mut peer.told {
            peer.link.delivered(*place, std::mem::take(told));
        }
        if peer.questions.is_empty() {
            return;
        }
        let (question, number) = peer.questions.remove(random.index(peer.questions.len()));
        let before = peer.link.stats().sent;
        let answered = if random.chance(80) {
            let mut value = value(id, peer.sent + 1, 8);
            value[16..24].copy_from_slice(&number.to_le_bytes());
            peer.link.answer(question, &header(9), &value)
        } else {
            peer.link.fail(question, Failure::Stopped)
        };
        match answered {
            // Not one of a dead process.
            Ok(()) => peer.sent += peer.link.stats().sent - before,
            Err(SendError::Full { .. }) => peer.questions.push((question, number)),
            Err(error) => panic!("{error}"),
        }
    }

    /// What holds at any time.
    pub(crate) fn check(&self) {
        for peer in self.peers.values() {
            let stats = peer.link.stats();
            assert_eq!(stats.sent, stats.acknowledged + stats.lost + stats.waiting, "{stats:?}");
            assert!(stats.waiting_bytes <= 4_096 || stats.waiting == 1, "{stats:?}");
            assert_eq!(stats.sent, peer.sent);
            let direct = peer.told.values().sum::<u64>() + peer.questions.len() as u64;
            assert_eq!(stats.unconsumed, peer.held.values().sum::<u64>() + direct, "{stats:?}");
        }
    }
}

impl Peer {
    /// The process at the other end, which makes its incarnations of its own number.
    fn theirs(&self) -> u64 {
        self.link.standing().peer_end / 1_000
    }

    /// Others want this type than before: they get another queue.
    fn begin(&mut self, type_id: u16) {
        let (queue, sent) = self.queues.entry(type_id).or_default();
        (*queue, *sent) = (*queue + 1, 0);
    }

    /// A message is due: it is the next of the queue of this round, or the first of one that nobody has had.
    fn get(&mut self, type_id: u16, queue: u64, number: u64) {
        let expected = match self.getting.get(&type_id) {
            Some((queue, number)) => (*queue, number + 1),
            None => (queue, 1),
        };
        assert_eq!((queue, number), expected, "of type {type_id}");
        let theirs = (self.theirs() << 32) + queue;
        if number == 1 {
            let before = self.gotten.insert(type_id, theirs);
            assert!(before.is_none_or(|before| before != theirs), "queue {queue} of {type_id} comes again");
        }
        self.getting.insert(type_id, (queue, number));
    }

    /// Whether this end wants the type from now on, and the peer is told.
    pub(crate) fn want(&mut self, now: u64, type_id: u16, wanted: bool) {
        if !wanted {
            self.getting.remove(&type_id);
        }
        let want = Input::Want { type_id, channel: wanted.then_some(type_id % 2) };
        self.link.step(now, want).expect("a wish breaks no rule");
    }
}

/// A number of the value of a message.
fn word(frame: &Frame<'_>, at: usize) -> u64 {
    u64::from_le_bytes(frame.value[8 * at..8 * at + 8].try_into().expect("eight bytes"))
}

fn served() -> Served {
    let takes = vec![Taken { type_id: 3, asked: false }, Taken { type_id: 7, asked: true }];
    Served { channel: None, takes }
}

fn header(type_id: u16) -> Header {
    Header { type_id, version: 1, root_len: 16, ..Header::default() }
}

/// A value that says whose message it is and which.
fn value(id: u64, number: u64, len: usize) -> Vec<u8> {
    let mut value = vec![0; 16 + len];
    value[..8].copy_from_slice(&id.to_le_bytes());
    value[8..16].copy_from_slice(&number.to_le_bytes());
    value
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
