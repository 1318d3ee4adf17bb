//! One end of a link: what it sends, has received, and waits for.

use crate::frame::{self, Flags, Frame, Header, Run};

use super::control::{Control, Ended, Fields, Words};
use super::direct::Mailboxes;
use super::flow::{Flow, NO_CHANNEL};
use super::probe::Probes;
use super::window::Window;
use super::{Agreement, AttachError, Attached, Input, LinkFault, LinkStats, Output, Reject, Standing};

/// By how much a frame that is not whole grows within [`LinkConfig::frame_ns`], in bytes.
const FRAME_STEP: usize = 64 << 10;

/// How often the time of silence doubles at most, over connections of which nothing was heard for as long.
const DOUBLED_MAX: u32 = 4;
/// A connection on which the peer was heard for so many times of silence was a good one. Its time of silence
/// is judged anew then, and whenever as much time has passed again.
const GOOD_SILENCES: u64 = 4;

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
    /// heartbeats. After each connection that has died so, or by [`frame_ns`](Self::frame_ns), before it was
    /// of use for long, both times are twice as long, up to 16 times: a peer that is slow is heard in the
    /// end. They fall again while a connection is of use, down to twice the longest silence on it of late.
    pub silence_ns: u64,
    /// A frame that is not whole grows by 64 KiB in this time, or its connection is dead, in nanoseconds: a
    /// damaged length announces bytes that never come, though others do.
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
            frame_ns: 5_000_000_000,
            ack_delay_ns: 5_000_000,
        }
    }
}

/// One end of the link to one peer. It outlives connections.
///
/// An incarnation of an end is attached to one incarnation of the other end in all its life, and numbers its
/// messages from one. So it always means the same message by a number, whoever has forgotten whom.
#[derive(Debug)]
pub struct Link {
    pub(super) config: LinkConfig,
    /// See [`keep_acks`](Self::keep_acks).
    pub(super) keeps_acks: bool,
    pub(super) end: u64,
    peer_end: u64,
    /// When either of the two changed last.
    changed_at: u64,
    pub(super) attached: bool,
    pub(super) window: Window,
    /// By rising type id.
    pub(super) flows: Vec<Flow>,
    pub(super) mailboxes: Mailboxes,
    pub(super) probes: Probes,
    pub(super) words: Words,
    /// The place in `flows` that was looked for last.
    pub(super) last: usize,
    pub(super) received: u64,
    pub(super) told: u64,
    pub(super) unacked_bytes: usize,
    /// Some flow or mailbox has something to tell.
    pub(super) tells: bool,
    /// This end wants no messages of topics now.
    pub(super) paused: bool,
    /// The longest value that the peer reads, in bytes.
    pub(super) value_len_max: usize,
    pub(super) ack_at: u64,
    attached_at: u64,
    /// How often the times after which a connection is dead have doubled.
    doubled: u32,
    heard_at: u64,
    /// Since when the longest silence is looked for, to let those times fall, and how long it was.
    judged_at: u64,
    longest_ns: u64,
    framed_at: u64,
    /// Bytes that have come since, up to a step.
    unframed: usize,
    pub(super) wrote_at: u64,
    pub(super) stats: LinkStats,
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
            keeps_acks: false,
            end,
            peer_end: 0,
            changed_at: 0,
            attached: false,
            window: Window::default(),
            flows: Vec::new(),
            mailboxes: Mailboxes::default(),
            probes: Probes::default(),
            words: Words::default(),
            last: 0,
            received: 0,
            told: 0,
            unacked_bytes: 0,
            tells: false,
            paused: false,
            value_len_max: 0,
            ack_at: u64::MAX,
            attached_at: 0,
            doubled: 0,
            heard_at: 0,
            judged_at: 0,
            longest_ns: 0,
            framed_at: 0,
            unframed: 0,
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
    /// `began` is when our Hello on this connection was written, or earlier, by the clock of `now`; `stated`
    /// is what our Accept has said, `peer` what the peer's has.
    ///
    /// # Errors
    /// The connection is not attached; one that is attached stays. After [`AttachError::PeerRestarted`] and
    /// [`AttachError::Stale`] the next handshake may be begun at once.
    pub fn attach(
        &mut self,
        now: u64,
        began: u64,
        agreement: &Agreement,
        stated: &Standing,
        peer: &Standing,
    ) -> Result<Attached, AttachError> {
        let first = self.peer_end == 0;
        if !first && peer.end != self.peer_end {
            if self.attached {
                return Err(AttachError::NameTaken);
            }
            // The peer lived when our Hello was written. A process that this link has met since then may be
            // its successor.
            let is_older =
                self.changed_at > began || (stated.end, stated.peer_end) != (self.end, self.peer_end);
            return Err(if is_older { AttachError::Stale } else { self.restart(now) });
        }
        let knows = peer.peer_end == self.end;
        let stale = stated.end != self.end
            // So it has since our Hello.
            || first && self.changed_at > began
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
        if first {
            (self.peer_end, self.changed_at) = (peer.end, now);
        }
        self.stats.acknowledged += self.window.acknowledge(received);
        let resent = self.window.rewind();
        self.stats.resent += resent;
        self.connect(now, agreement, stated);
        Ok(if first { Attached::First } else { Attached::Resumed { resent } })
    }

    /// A connection begins.
    fn connect(&mut self, now: u64, agreement: &Agreement, stated: &Standing) {
        self.attached = true;
        (self.attached_at, self.heard_at) = (now, now);
        (self.judged_at, self.longest_ns) = (now, 0);
        (self.framed_at, self.unframed) = (now, 0);
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
        self.mailboxes.attach();
        self.probes = Probes::default();
        self.stats.attached += 1;
    }

    /// The other end is another incarnation than the one that this was attached to, and so this becomes
    /// another one too.
    fn restart(&mut self, now: u64) -> AttachError {
        let lost = self.window.reset();
        self.stats.lost += lost;
        self.stats.peer_restarts += 1;
        self.end = self.end.wrapping_add(1).max(1);
        (self.peer_end, self.changed_at, self.doubled) = (0, now, 0);
        (self.received, self.told, self.unacked_bytes) = (0, 0, 0);
        self.flows.iter_mut().for_each(|flow| flow.restart(self.config.credit));
        self.mailboxes.restart();
        self.words.restart();
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
                self.heard(now);
                (self.framed_at, self.unframed) = (now, 0);
                if frame.header.flags.contains(Flags::CONTROL) {
                    self.control(frame)
                } else if let Some(run) = frame.run() {
                    self.run(now, frame, run)
                } else {
                    self.message(now, frame)
                }
            }
            Input::Heard { bytes } => {
                self.heard(now);
                // From the first bytes of a frame on, and anew after each step.
                let begins = self.unframed == 0;
                self.unframed += bytes;
                if begins || self.unframed >= FRAME_STEP {
                    (self.framed_at, self.unframed) = (now, self.unframed % FRAME_STEP);
                }
                Ok(Output::Nothing)
            }
            Input::Busy => {
                self.heard(now);
                self.framed_at = now;
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
            Input::Pause(paused) => {
                if std::mem::replace(&mut self.paused, paused) != paused {
                    self.flows.iter_mut().for_each(Flow::tell_anew);
                    self.tells = true;
                }
                Ok(Output::Nothing)
            }
            Input::Consumed { type_id, count } => {
                if let Some(at) = self.find(type_id) {
                    self.flows[at].consume(count, credit);
                    self.tells |= self.flows[at].tell_credit;
                }
                Ok(Output::Nothing)
            }
            Input::Ping => {
                self.tells |= self.probes.ask(self.attached);
                Ok(Output::Nothing)
            }
            Input::Tick => self.tick(now),
        };
        if stepped.is_err() {
            self.attached = false;
        }
        stepped
    }

    fn heard(&mut self, now: u64) {
        if self.doubled > 0 {
            self.judge(now);
        }
        self.heard_at = now;
    }

    /// Lets the times after which a connection is dead fall, once they were long without need. All that ends
    /// a connection later finds them so.
    #[cold]
    fn judge(&mut self, now: u64) {
        self.longest_ns = self.longest_ns.max(now.saturating_sub(self.heard_at));
        if now.saturating_sub(self.judged_at) < self.silence_ns().saturating_mul(GOOD_SILENCES) {
            return;
        }
        let enough = self.longest_ns.saturating_mul(2);
        while self.doubled > 0 && self.config.silence_ns.saturating_mul(1 << (self.doubled - 1)) >= enough {
            self.doubled -= 1;
        }
        (self.judged_at, self.longest_ns) = (now, 0);
    }

    /// Whether the connection is dead by now.
    fn tick(&mut self, now: u64) -> Result<Output, LinkFault> {
        let (silence_ns, frame_ns) = (self.silence_ns(), self.frame_ns());
        let fault = match self.attached {
            true if now >= self.heard_at.saturating_add(silence_ns) => {
                LinkFault::Silent { limit_ns: silence_ns }
            }
            true if now >= self.framed_at.saturating_add(frame_ns) => LinkFault::Slow { limit_ns: frame_ns },
            _ => return Ok(Output::Nothing),
        };
        let was_good =
            self.heard_at.saturating_sub(self.attached_at) >= silence_ns.saturating_mul(GOOD_SILENCES);
        if !was_good {
            self.doubled = (self.doubled + 1).min(DOUBLED_MAX);
        }
        Err(fault)
    }

    fn silence_ns(&self) -> u64 {
        self.config.silence_ns.saturating_mul(1 << self.doubled)
    }

    fn frame_ns(&self) -> u64 {
        self.config.frame_ns.saturating_mul(1 << self.doubled)
    }

    fn message(&mut self, now: u64, frame: &Frame<'_>) -> Result<Output, LinkFault> {
        let Header { type_id, sequence, .. } = frame.header;
        let expected = self.received + 1;
        if sequence > expected {
            return Err(LinkFault::Gap { expected, got: sequence });
        }
        self.owe_ack(now);
        if sequence < expected {
            self.stats.duplicates += 1;
            return Ok(Output::Duplicate);
        }
        let output = if frame.header.flags.contains(Flags::DIRECT) {
            self.direct(frame)?
        } else {
            self.of_topic(type_id, 1)?;
            Output::Message
        };
        self.received = sequence;
        self.unacked_bytes += frame::frame_len(frame.value.len());
        self.stats.received += 1;
        Ok(output)
    }

    /// Messages that share a frame: each is taken as if it had come alone.
    fn run(&mut self, now: u64, frame: &Frame<'_>, run: Run<'_>) -> Result<Output, LinkFault> {
        let (first, expected) = (frame.header.sequence, self.received + 1);
        if first > expected {
            return Err(LinkFault::Gap { expected, got: first });
        }
        self.owe_ack(now);
        // At most as many as the frame has bytes.
        let skip = usize::try_from(expected - first).unwrap_or(usize::MAX);
        let new = self.take_rows(&run, skip)?;
        let all = if new > 0 { skip as u64 + new } else { run.count() as u64 };
        self.stats.duplicates += all - new;
        self.received += new;
        self.stats.received += new;
        if new == 0 {
            return Ok(Output::Duplicate);
        }
        self.unacked_bytes += frame::frame_len(frame.value.len());
        Ok(Output::Run { skip })
    }

    /// Takes all of these messages of topics but for the first `skip`, or none. How many.
    fn take_rows(&mut self, run: &Run<'_>, skip: usize) -> Result<u64, LinkFault> {
        let rows = || Rows::new(run.clone(), skip);
        let mut all = 0;
        for (at, (type_id, count)) in rows().enumerate() {
            let Err(fault) = self.of_topic(type_id, count) else {
                all += count;
                continue;
            };
            for (type_id, count) in rows().take(at) {
                self.flow_mut(type_id).taken -= count;
            }
            return Err(fault);
        }
        Ok(all)
    }

    /// Something has come that the peer waits to hear of.
    fn owe_ack(&mut self, now: u64) {
        self.ack_at = self.ack_at.min(now.saturating_add(self.config.ack_delay_ns));
    }

    /// So many messages of a topic have come.
    fn of_topic(&mut self, type_id: u16, count: u64) -> Result<(), LinkFault> {
        let flow = self.agreed_flow(type_id)?;
        if flow.granted.saturating_sub(flow.taken) < count {
            return Err(LinkFault::Credit { type_id, limit: flow.granted });
        }
        flow.taken += count;
        Ok(())
    }

    fn direct(&mut self, frame: &Frame<'_>) -> Result<Output, LinkFault> {
        self.mailboxes.message(self.end, frame)
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
                let is_late = self.words.is_late(&frame.header);
                self.of_interest(fields, is_late)
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
            Control::Begin => {
                while !fields.rest().is_empty() {
                    let (type_id, round, sequence) = (fields.u16()?, fields.u32()?, fields.u64()?);
                    self.agreed_flow(type_id)?.begin(round, sequence);
                }
                Ok(Output::Nothing)
            }
            Control::Bye => Ok(Output::Bye(Ended::parse(frame.value)?)),
            Control::Reject => Err(LinkFault::Rejected(Reject::parse(frame.value)?)),
            Control::Ping => {
                fields.end()?;
                self.tells |= self.probes.asked();
                Ok(Output::Nothing)
            }
            Control::Pong => fields.end().map(|()| Output::Pong),
            Control::Open | Control::Mailbox | Control::Close | Control::Closed => {
                self.of_mailbox(control, &frame.header, fields)
            }
            Control::Hello | Control::Accept => {
                Err(LinkFault::Unexpected { expected: "a message", got: control.name() })
            }
        }
    }

    /// The longest value that the peer reads, in bytes.
    #[must_use]
    pub fn value_len_max(&self) -> usize {
        self.value_len_max
    }

    /// Whether both ends know this type and mean the same by it, as they have said on the last connection.
    #[must_use]
    pub fn is_agreed(&self, type_id: u16) -> bool {
        self.find_from(self.last, type_id).is_some_and(|at| self.flows[at].agreed)
    }

    /// When to call [`step`](Self::step) with [`Input::Tick`] and [`fill`](Self::fill) at the latest; `None`
    /// while there is no connection.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        Some(self.silent_at()?.min(self.ack_at).min(self.wrote_at.saturating_add(self.config.heartbeat_ns)))
    }

    /// The same while the connection takes nothing: there is nothing to fill.
    #[must_use]
    pub fn silent_at(&self) -> Option<u64> {
        let heard_until = self.heard_at.saturating_add(self.silence_ns());
        self.attached.then(|| heard_until.min(self.framed_at.saturating_add(self.frame_ns())))
    }

    /// How many messages of a type may be sent now, the window aside.
    #[must_use]
    pub fn credit(&self, type_id: u16) -> u64 {
        self.find_from(self.last, type_id).map_or(0, |at| self.flows[at].credit())
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
            waiting: self.window.len(),
            waiting_bytes: self.window.bytes() as u64,
            unconsumed: self.flows.iter().map(Flow::unconsumed).sum::<u64>() + self.mailboxes.unconsumed(),
            ..self.stats
        }
    }

    pub(super) fn agreed_flow(&mut self, type_id: u16) -> Result<&mut Flow, LinkFault> {
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

    pub(super) fn find(&mut self, type_id: u16) -> Option<usize> {
        let at = self.find_from(self.last, type_id)?;
        self.last = at;
        Some(at)
    }

    pub(super) fn find_from(&self, last: usize, type_id: u16) -> Option<usize> {
        if self.flows.get(last).is_some_and(|flow| flow.type_id == type_id) {
            return Some(last);
        }
        self.flows.binary_search_by_key(&type_id, |flow| flow.type_id).ok()
    }
}

/// The types of a run's messages, each with how many of it come in a row.
struct Rows<'a>(Run<'a>);

impl<'a> Rows<'a> {
    /// But for the first `skip`.
    fn new(mut run: Run<'a>, skip: usize) -> Self {
        run.by_ref().take(skip).for_each(drop);
        Self(run)
    }
}

impl Iterator for Rows<'_> {
    type Item = (u16, u64);

    #[inline]
    fn next(&mut self) -> Option<(u16, u64)> {
        let type_id = self.0.next()?.type_id;
        let mut count = 1;
        while self.0.next_type() == Some(type_id) {
            self.0.next();
            count += 1;
        }
        Some((type_id, count))
    }
}
