//! One end of a link: what it sends, has received, and waits for.

use crate::frame::{self, Flags, Frame, Header};

use super::control::{Control, Ended, Fields};
use super::flow::Flow;
use super::window::Window;
use super::{Agreement, AttachError, LinkFault, LinkStats, Reject, SendError, Standing};

/// `fill` stops when it has appended this much: enough for one system call, in bytes.
const FILL_BYTES: usize = 64 << 10;
/// An acknowledgement is sent at once when so many messages, or bytes, wait for it.
const ACK_MESSAGES: u64 = 512;
const ACK_BYTES: usize = 64 << 10;
/// How many entries a frame of interest or credit has at most.
const ENTRIES_MAX: usize = 1_024;
/// The channel of an interest that is withdrawn.
const NO_CHANNEL: u16 = u16::MAX;

/// Bounds and times of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// How many bytes of frames may wait for their acknowledgement. One frame may be longer. The buffer takes
    /// up to four times as much while the link is busy.
    pub window_bytes: usize,
    /// How many messages of each type the peer may send beyond those that are consumed.
    pub credit: u32,
    /// After so long without a word to the peer it gets a heartbeat, in nanoseconds.
    pub heartbeat_ns: u64,
    /// After so long without a word from the peer its connection is dead, in nanoseconds. At least three
    /// heartbeats.
    pub silence_ns: u64,
    /// A frame is whole so long after the one before it, or its connection is dead, in nanoseconds. A damaged
    /// length announces bytes that never come, though others do.
    pub frame_ns: u64,
    /// An acknowledgement waits so long for a message that it could travel with, in nanoseconds.
    pub ack_delay_ns: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            window_bytes: 1 << 20,
            credit: 1_024,
            heartbeat_ns: 1_000_000_000,
            silence_ns: 5_000_000_000,
            frame_ns: 30_000_000_000,
            ack_delay_ns: 5_000_000,
        }
    }
}

/// What happens to a link.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A frame has come on the connection that is attached.
    Frame(&'a Frame<'a>),
    /// Bytes have come, of which no whole frame was made yet: a long one takes its time.
    Heard,
    /// The connection has ended, or was closed here.
    Detach,
    /// This end wants the messages of a type, or no longer. All types of one channel keep their order among
    /// each other: types that have a receiver in common belong into one channel. [`u16::MAX`] is no channel.
    Want {
        /// The type.
        type_id: u16,
        /// In which channel.
        channel: Option<u16>,
    },
    /// So many received messages of a type were consumed: they wait nowhere for room any more.
    Consumed {
        /// Their type.
        type_id: u16,
        /// How many.
        count: u64,
    },
    /// Time has passed.
    Tick,
}

/// What comes of an [`Input`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Nothing to do.
    Nothing,
    /// The frame is a message: it comes next from this peer, and is to be published.
    Message,
    /// The frame came before: leave it out.
    Duplicate,
    /// The peer wants other messages than before: see [`Link::interest`].
    Interest,
    /// The peer takes more messages of some types: see [`Link::credit`].
    Credit,
    /// The peer has so many more messages: the window has more room.
    Acknowledged {
        /// How many.
        count: u64,
    },
    /// The peer ends the connection in order.
    Bye(Ended),
}

/// What it means that a connection was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// The first connection of these two incarnations.
    First,
    /// The link goes on where it was: so many messages are written again.
    Resumed {
        /// How many.
        resent: u64,
    },
}

/// One end of the link to one peer. It outlives connections.
///
/// An incarnation of an end is attached to one incarnation of the other end in all its life, and numbers its
/// messages from one. So it always means the same message by a number, whoever has forgotten whom.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    end: u64,
    peer_end: u64,
    attached: bool,
    window: Window,
    /// By rising type id.
    flows: Vec<Flow>,
    /// The place in `flows` that was looked for last.
    last: usize,
    received: u64,
    told: u64,
    unacked_bytes: usize,
    /// Some flow has something to tell.
    tells: bool,
    /// The longest value that the peer reads, in bytes.
    value_len_max: usize,
    ack_at: u64,
    heard_at: u64,
    framed_at: u64,
    wrote_at: u64,
    stats: LinkStats,
}

impl Link {
    /// An end with an incarnation of its own: a number that no other has, not zero.
    ///
    /// # Panics
    /// `end` is zero.
    #[must_use]
    pub fn new(config: LinkConfig, end: u64) -> Self {
        assert!(end != 0, "an incarnation is not zero");
        Self {
            config,
            end,
            peer_end: 0,
            attached: false,
            window: Window::default(),
            flows: Vec::new(),
            last: 0,
            received: 0,
            told: 0,
            unacked_bytes: 0,
            tells: false,
            value_len_max: 0,
            ack_at: u64::MAX,
            heard_at: 0,
            framed_at: 0,
            wrote_at: 0,
            stats: LinkStats::default(),
        }
    }

    /// Where this end stands, for an Accept. It is given to [`attach`](Self::attach) as it was stated.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing { end: self.end, peer_end: self.peer_end, received: self.received }
    }

    /// Whether it has a connection.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// The peer has accepted on this connection. If the link has another one, that is the peer's former one:
    /// close it, and forget what was not written to it yet.
    ///
    /// `stated` is what our Accept on this connection has said, `peer` what the peer's has.
    ///
    /// # Errors
    /// The connection is not attached; one that is attached stays. After [`AttachError::PeerRestarted`] and
    /// [`AttachError::Stale`] the next handshake may be begun at once.
    pub fn attach(
        &mut self,
        now: u64,
        agreement: &Agreement,
        stated: &Standing,
        peer: &Standing,
    ) -> Result<Attached, AttachError> {
        let first = self.peer_end == 0;
        if !first && peer.end != self.peer_end {
            return Err(if self.attached { AttachError::NameTaken } else { self.restart() });
        }
        let knows = peer.peer_end == self.end;
        let stale = stated.end != self.end
            // It was attached to an earlier incarnation of this end, and will see that it has to begin anew.
            || !knows && peer.peer_end != 0;
        if stale {
            return Err(AttachError::Stale);
        }
        // A peer that was not attached when it said so has nothing yet, or by now what it has acknowledged.
        let received = if knows { peer.received } else { 0 };
        if received > self.window.last() {
            return Err(AttachError::Beyond { sent: self.window.last(), got: received });
        }
        self.peer_end = peer.end;
        self.stats.acknowledged += self.window.acknowledge(received);
        let resent = self.window.rewind();
        self.stats.resent += resent;
        self.connect(now, agreement, stated);
        Ok(if first { Attached::First } else { Attached::Resumed { resent } })
    }

    /// A connection begins.
    fn connect(&mut self, now: u64, agreement: &Agreement, stated: &Standing) {
        self.attached = true;
        self.heard_at = now;
        self.framed_at = now;
        self.wrote_at = now;
        // The Accept has told what was received by then. It may have become more.
        self.told = stated.received;
        self.ack_at = now;
        self.tells = true;
        self.value_len_max = agreement.value_len_max;
        for type_id in agreement.agreed() {
            self.flow_mut(*type_id);
        }
        for flow in &mut self.flows {
            flow.attach(agreement.agreed().binary_search(&flow.type_id).is_ok());
        }
        self.stats.attached += 1;
    }

    /// The other end is another incarnation than the one that this was attached to, and so this becomes
    /// another one too.
    fn restart(&mut self) -> AttachError {
        let lost = self.window.reset();
        self.stats.lost += lost;
        self.stats.peer_restarts += 1;
        self.end = self.end.wrapping_add(1).max(1);
        self.peer_end = 0;
        self.received = 0;
        self.told = 0;
        self.unacked_bytes = 0;
        self.flows.iter_mut().for_each(|flow| flow.restart(self.config.credit));
        AttachError::PeerRestarted { lost }
    }

    /// What happens next.
    ///
    /// # Errors
    /// The peer breaks the rules or is silent: the link is detached, close its connection. It waits for
    /// another one.
    pub fn step(&mut self, now: u64, input: Input<'_>) -> Result<Output, LinkFault> {
        let credit = self.config.credit;
        let stepped = match input {
            Input::Frame(_) if !self.attached => Ok(Output::Nothing),
            Input::Frame(frame) => {
                self.heard_at = now;
                self.framed_at = now;
                if frame.header.flags.contains(Flags::CONTROL) {
                    self.control(frame)
                } else {
                    self.message(now, frame)
                }
            }
            Input::Heard => {
                self.heard_at = now;
                Ok(Output::Nothing)
            }
            Input::Detach => {
                self.attached = false;
                Ok(Output::Nothing)
            }
            Input::Want { type_id, channel } => {
                let channel = channel.filter(|channel| *channel != NO_CHANNEL);
                self.flow_mut(type_id).want(channel, credit);
                self.tells = true;
                Ok(Output::Nothing)
            }
            Input::Consumed { type_id, count } => {
                let flow = self.flow_mut(type_id);
                flow.consume(count, credit);
                self.tells |= flow.tell_credit;
                Ok(Output::Nothing)
            }
            Input::Tick if self.attached && now >= self.heard_at.saturating_add(self.config.silence_ns) => {
                Err(LinkFault::Silent { limit_ns: self.config.silence_ns })
            }
            Input::Tick if self.attached && now >= self.framed_at.saturating_add(self.config.frame_ns) => {
                Err(LinkFault::Slow { limit_ns: self.config.frame_ns })
            }
            Input::Tick => Ok(Output::Nothing),
        };
        if stepped.is_err() {
            self.attached = false;
        }
        stepped
    }

    fn message(&mut self, now: u64, frame: &Frame<'_>) -> Result<Output, LinkFault> {
        let Header { type_id, sequence, .. } = frame.header;
        let expected = self.received + 1;
        if sequence > expected {
            return Err(LinkFault::Gap { expected, got: sequence });
        }
        self.ack_at = self.ack_at.min(now.saturating_add(self.config.ack_delay_ns));
        if sequence < expected {
            self.stats.duplicates += 1;
            return Ok(Output::Duplicate);
        }
        let Some(flow) = self.find(type_id).map(|at| &mut self.flows[at]).filter(|flow| flow.agreed) else {
            return Err(LinkFault::NotAgreed { type_id });
        };
        if flow.taken >= flow.granted {
            return Err(LinkFault::Credit { type_id, limit: flow.granted });
        }
        flow.taken += 1;
        self.received = sequence;
        self.unacked_bytes += frame::frame_len(frame.value.len());
        self.stats.received += 1;
        Ok(Output::Message)
    }

    fn control(&mut self, frame: &Frame<'_>) -> Result<Output, LinkFault> {
        let control = Control::of(&frame.header)?;
        let mut fields = Fields::new(control, frame.value);
        match control {
            Control::Ack => {
                let got = fields.u64()?;
                fields.end()?;
                if got > self.window.last() {
                    return Err(LinkFault::Acknowledged { sent: self.window.last(), got });
                }
                let count = self.window.acknowledge(got);
                self.stats.acknowledged += count;
                Ok(if count > 0 { Output::Acknowledged { count } } else { Output::Nothing })
            }
            Control::Interest => {
                while !fields.rest().is_empty() {
                    let (type_id, channel) = (fields.u16()?, fields.u16()?);
                    self.agreed_flow(type_id)?.asked = Some(channel).filter(|channel| *channel != NO_CHANNEL);
                }
                Ok(Output::Interest)
            }
            Control::Credit => {
                while !fields.rest().is_empty() {
                    let (type_id, limit) = (fields.u16()?, fields.u64()?);
                    let flow = self.agreed_flow(type_id)?;
                    // A limit never falls.
                    flow.limit = flow.limit.max(limit);
                }
                Ok(Output::Credit)
            }
            Control::Bye => Ok(Output::Bye(Ended::parse(frame.value)?)),
            Control::Reject => Err(LinkFault::Rejected(Reject::parse(frame.value)?)),
            Control::Hello | Control::Accept => {
                Err(LinkFault::Unexpected { expected: "a message", got: control.name() })
            }
        }
    }

    /// Takes a message to send; its sequence is set here, and returned.
    ///
    /// `Ok` says that it is sent as soon as there is a connection, and again until the peer's process has it
    /// or is dead. It does not say that anybody there has handled it.
    ///
    /// # Errors
    /// It was not taken.
    pub fn send(&mut self, header: &Header, value: &[u8]) -> Result<u64, SendError> {
        let type_id = header.type_id;
        let wanted = |flow: &&mut Flow| flow.agreed && flow.asked.is_some();
        let window_bytes = self.config.window_bytes;
        let full =
            self.window.len() > 0 && self.window.bytes() + frame::frame_len(value.len()) > window_bytes;
        let (sequence, max) = (self.window.last() + 1, self.value_len_max);
        let Some(flow) = self.find(type_id).map(|at| &mut self.flows[at]).filter(wanted) else {
            return Err(SendError::NotWanted { type_id });
        };
        if flow.credit() == 0 {
            return Err(SendError::NoCredit { type_id });
        }
        if value.len() > max {
            return Err(SendError::TooLong { max, got: value.len() });
        }
        if full {
            return Err(SendError::Full { window_bytes });
        }
        let header = Header { flags: Flags::NONE, sequence, ..*header };
        self.window.push(&header, value).map_err(SendError::Encode)?;
        flow.sent += 1;
        self.stats.sent += 1;
        Ok(sequence)
    }

    /// Appends what is to be written to the connection now: whole frames, and about 64 KiB of them at most.
    /// What it appends counts as written: after a cut, `out` is dropped.
    pub fn fill(&mut self, now: u64, out: &mut Vec<u8>) {
        if !self.attached || out.len() >= FILL_BYTES {
            return;
        }
        let before = out.len();
        if std::mem::take(&mut self.tells) {
            self.tell(out);
        }
        let waits = self.ack_at != u64::MAX;
        let at_once = self.received - self.told >= ACK_MESSAGES || self.unacked_bytes >= ACK_BYTES;
        let idle = now >= self.wrote_at.saturating_add(self.config.heartbeat_ns);
        if idle || at_once || waits && (!self.window.is_written() || now >= self.ack_at) {
            Control::Ack.encode(&self.received.to_le_bytes(), out);
            self.told = self.received;
            self.unacked_bytes = 0;
            self.ack_at = u64::MAX;
        }
        if idle {
            self.window.shrink();
        }
        self.window.fill(FILL_BYTES, out);
        if out.len() > before {
            self.wrote_at = now;
        }
    }

    /// Appends what the peer has to know of interest and credit.
    fn tell(&mut self, out: &mut Vec<u8>) {
        let (mut interest, mut credit) = (Vec::new(), Vec::new());
        for flow in self.flows.iter_mut().filter(|flow| flow.agreed) {
            if std::mem::take(&mut flow.tell_interest) {
                interest.extend_from_slice(&flow.type_id.to_le_bytes());
                interest.extend_from_slice(&flow.wanted.unwrap_or(NO_CHANNEL).to_le_bytes());
            }
            if std::mem::take(&mut flow.tell_credit) {
                credit.extend_from_slice(&flow.type_id.to_le_bytes());
                credit.extend_from_slice(&flow.granted.to_le_bytes());
            }
        }
        interest.chunks(4 * ENTRIES_MAX).for_each(|entries| Control::Interest.encode(entries, out));
        credit.chunks(10 * ENTRIES_MAX).for_each(|entries| Control::Credit.encode(entries, out));
    }

    /// Appends the frame that ends the connection in order. What was not acknowledged stays in the window.
    pub fn bye(&mut self, ended: Ended, out: &mut Vec<u8>) {
        if self.attached {
            ended.encode(out);
        }
    }

    /// When to call [`step`](Self::step) with [`Input::Tick`] and [`fill`](Self::fill) at the latest; `None`
    /// while there is no connection.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        let beat_at = self.wrote_at.saturating_add(self.config.heartbeat_ns);
        let heard_until = self.heard_at.saturating_add(self.config.silence_ns);
        let silent_at = heard_until.min(self.framed_at.saturating_add(self.config.frame_ns));
        self.attached.then(|| self.ack_at.min(beat_at).min(silent_at))
    }

    /// How many messages of a type may be sent now, the window aside.
    #[must_use]
    pub fn credit(&self, type_id: u16) -> u64 {
        self.find_from(self.last, type_id).map_or(0, |at| self.flows[at].credit())
    }

    /// What the peer wants: type ids, rising, each with its channel.
    pub fn interest(&self) -> impl Iterator<Item = (u16, u16)> {
        let wanted = self.flows.iter().filter(|flow| flow.agreed);
        wanted.filter_map(|flow| Some((flow.type_id, flow.asked?)))
    }

    /// Whether everything that was sent is acknowledged.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.window.len() == 0
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            waiting: self.window.len() as u64,
            waiting_bytes: self.window.bytes() as u64,
            unconsumed: self.flows.iter().map(Flow::unconsumed).sum(),
            ..self.stats
        }
    }

    fn agreed_flow(&mut self, type_id: u16) -> Result<&mut Flow, LinkFault> {
        let found = self.find(type_id).map(|at| &mut self.flows[at]).filter(|flow| flow.agreed);
        found.ok_or(LinkFault::NotAgreed { type_id })
    }

    /// The flow of this type, made if there is none: this end's own types alone, never at a peer's word.
    fn flow_mut(&mut self, type_id: u16) -> &mut Flow {
        let at = self.flows.partition_point(|flow| flow.type_id < type_id);
        if self.flows.get(at).is_none_or(|flow| flow.type_id != type_id) {
            self.flows.insert(at, Flow::new(type_id));
        }
        &mut self.flows[at]
    }

    fn find(&mut self, type_id: u16) -> Option<usize> {
        let at = self.find_from(self.last, type_id)?;
        self.last = at;
        Some(at)
    }

    fn find_from(&self, last: usize, type_id: u16) -> Option<usize> {
        if self.flows.get(last).is_some_and(|flow| flow.type_id == type_id) {
            return Some(last);
        }
        self.flows.binary_search_by_key(&type_id, |flow| flow.type_id).ok()
    }
}
