//! What an end of a link writes.

use crate::frame::{self, Header};

use super::SendError;
use super::control::{Control, Ended};
use super::flow::Flow;
use super::machine::Link;

/// What is to be written next is so much, enough for one system call, in bytes.
const FILL_BYTES: usize = 64 << 10;
/// Behind words of the link's own there is so much of messages, so that both need one system call, in bytes.
const BEHIND_BYTES: usize = 8 << 10;
/// An acknowledgement is sent at once when so many messages, or bytes, wait for it.
const ACK_MESSAGES: u64 = 512;
const ACK_BYTES: usize = 64 << 10;

/// Messages of one type that are sent one behind the other: see [`Link::row`].
#[derive(Debug)]
pub struct Row<'a> {
    link: &'a mut Link,
    type_id: u16,
    /// The place of its flow, where there is credit.
    at: usize,
    credit: u64,
}

/// What messages say of themselves that are sent one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowKind {
    /// As in a frame's header.
    pub version: u16,
    /// As in a frame's header.
    pub root_len: u32,
}

impl Row<'_> {
    /// How many more messages of the type may be sent, the window aside.
    #[must_use]
    pub fn credit(&self) -> u64 {
        self.credit
    }

    /// Takes a message to send: as [`Link::send`]. It is of the type of the row.
    ///
    /// # Errors
    /// It was not taken: as [`Link::send`].
    #[inline]
    pub fn send(&mut self, header: &Header, value: &[u8]) -> Result<u64, SendError> {
        if self.credit == 0 || header.type_id != self.type_id {
            return Err(self.refusal(header.type_id));
        }
        let link = &mut *self.link;
        link.room(value.len())?;
        link.window.push(header, value, link.value_len_max).map_err(SendError::Encode)?;
        link.flows[self.at].sent += 1;
        link.stats.sent += 1;
        self.credit -= 1;
        Ok(link.window.last())
    }

    /// Takes a message that has nothing to say but what [`RowKind`] says, if it goes into the frame that is
    /// open: whether it does. [`send`](Self::send) takes the others, and says why not.
    ///
    /// For many of one length, where that is known when this is compiled: it comes to little more than a
    /// copy.
    #[inline(always)]
    pub fn extend(&mut self, kind: RowKind, publish_ns: i64, value: &[u8]) -> bool {
        let link = &mut *self.link;
        let run_max = link.value_len_max;
        if self.credit == 0 || link.window.bytes() + frame::frame_len(value.len()) > link.config.window_bytes
        {
            return false;
        }
        let RowKind { version, root_len } = kind;
        if !link.window.extend_run((self.type_id, version, root_len), publish_ns, value, run_max) {
            return false;
        }
        link.flows[self.at].sent += 1;
        link.stats.sent += 1;
        self.credit -= 1;
        true
    }

    #[cold]
    fn refusal(&self, type_id: u16) -> SendError {
        let wanted = |flow: &&Flow| flow.agreed && flow.asked.is_some();
        let flow = self.link.flows.get(self.at).filter(|flow| flow.type_id == type_id).filter(wanted);
        match flow {
            Some(_) => SendError::NoCredit { type_id },
            None => SendError::NotWanted { type_id },
        }
    }
}

impl Link {
    /// Takes a message to send; its sequence is set here, and returned. Messages that are taken one behind
    /// the other share a frame, where it can say what they are.
    ///
    /// `Ok` says that it is sent as soon as there is a connection, and again until the peer's process has it
    /// or is dead. It does not say that anybody there has handled it.
    ///
    /// # Errors
    /// It was not taken.
    pub fn send(&mut self, header: &Header, value: &[u8]) -> Result<u64, SendError> {
        self.row(header.type_id).send(header, value)
    }

    /// For several messages of this type: what is the same for all of them is looked up once.
    #[inline]
    pub fn row(&mut self, type_id: u16) -> Row<'_> {
        let found = self.find(type_id);
        let credit = found.map_or(0, |at| self.flows[at].credit());
        Row { link: self, type_id, at: found.unwrap_or(usize::MAX), credit }
    }

    /// Whether a value of this length may be sent now.
    #[inline]
    pub(super) fn room(&self, value_len: usize) -> Result<(), SendError> {
        let (max, window_bytes) = (self.value_len_max, self.config.window_bytes);
        if value_len > max {
            return Err(SendError::TooLong { max, got: value_len });
        }
        if self.window.len() > 0 && self.window.bytes() + frame::frame_len(value_len) > window_bytes {
            return Err(SendError::Full { window_bytes });
        }
        Ok(())
    }

    /// Appends what is to be written to the connection now: whole frames, and about 64 KiB of them at most.
    /// Bytes that it appends count as written: after a cut, `out` is dropped.
    ///
    /// It copies all messages into `out`. A host that need not have them all in one buffer writes what
    /// [`speak`](Self::speak) appends, and then [`unwritten`](Self::unwritten) from where it lies.
    pub fn fill(&mut self, now: u64, out: &mut Vec<u8>) {
        if !self.attached || out.len() >= FILL_BYTES {
            return;
        }
        let before = out.len();
        if self.is_mid_frame() {
            self.window.fill(before + 1, out);
        }
        self.say(now, out);
        self.window.fill(FILL_BYTES, out);
        if out.len() > before {
            self.wrote_at = now;
        }
    }

    /// Appends what this end has to say itself, such as acknowledgements and credit, and behind it the first
    /// messages that are not written yet; nothing, if it has nothing to say. Not while a frame is [written in
    /// part](Self::is_mid_frame). Bytes that it appends count as written.
    pub fn speak(&mut self, now: u64, out: &mut Vec<u8>) {
        let before = out.len();
        if !self.attached || self.is_mid_frame() {
            return;
        }
        self.say(now, out);
        if out.len() > before {
            self.window.fill(before + BEHIND_BYTES, out);
            self.wrote_at = now;
        }
    }

    /// Messages that are not written yet, as frames: about 64 KiB of them at most, and only the rest of one
    /// that is [written in part](Self::is_mid_frame), if something else is to be [said](Self::speak) behind
    /// it.
    pub fn unwritten(&mut self, now: u64) -> &[u8] {
        let most = match self.attached {
            false => 0,
            true if self.is_mid_frame() && self.speaks(now) => 1,
            true => FILL_BYTES,
        };
        self.window.unwritten(most)
    }

    /// The rest of the frame that is [written in part](Self::is_mid_frame), if one is.
    pub fn rest_of_frame(&mut self) -> &[u8] {
        let most = usize::from(self.attached && self.is_mid_frame());
        self.window.unwritten(most)
    }

    /// So many bytes of what was to be written next were written, a part of a frame among them.
    pub fn wrote(&mut self, now: u64, count: usize) {
        self.window.wrote(count);
        self.wrote_at = now;
    }

    /// Whether the bytes that were [written](Self::wrote) end inside a frame: the rest of it comes before
    /// anything else.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.window.is_mid_frame()
    }

    /// Whether an acknowledgement travels with no message before it has waited for half of
    /// [`ack_delay_ns`](super::LinkConfig::ack_delay_ns); not so at first. Where messages go to and fro in a
    /// microsecond, one for each is a second frame each way; but a peer that dies meanwhile leaves those
    /// behind as not acknowledged that it has answered.
    pub fn keep_acks(&mut self, keep: bool) {
        self.keeps_acks = keep;
    }

    /// Whether there is nothing to be written before the [deadline](Self::deadline): no message, and nothing
    /// that this end has to say itself.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.attached || self.window.is_written() && !self.tells && !self.owes_much()
    }

    /// Whether this end has something to say itself.
    fn speaks(&self, now: u64) -> bool {
        self.tells || self.owes_ack(now)
    }

    /// Whether an acknowledgement is to be written now.
    fn owes_ack(&self, now: u64) -> bool {
        let waits = self.ack_at != u64::MAX;
        let stays = if self.keeps_acks { self.config.ack_delay_ns / 2 } else { 0 };
        let travels = || now.saturating_add(self.config.ack_delay_ns) >= self.ack_at.saturating_add(stays);
        self.is_idle(now)
            || self.owes_much()
            || waits && (now >= self.ack_at || !self.window.is_written() && travels())
    }

    /// Whether so much waits for an acknowledgement that it is not to wait.
    fn owes_much(&self) -> bool {
        self.received - self.told >= ACK_MESSAGES || self.unacked_bytes >= ACK_BYTES
    }

    /// Whether it is time for a heartbeat.
    fn is_idle(&self, now: u64) -> bool {
        now >= self.wrote_at.saturating_add(self.config.heartbeat_ns)
    }

    fn say(&mut self, now: u64, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.tells) {
            self.tell_peer(out);
        }
        if self.owes_ack(now) {
            self.acknowledge(out);
        }
        if self.is_idle(now) {
            self.window.shrink();
        }
    }

    /// Appends how far this end has received.
    fn acknowledge(&mut self, out: &mut Vec<u8>) {
        Control::Ack.encode(&self.received.to_le_bytes(), out);
        self.told = self.received;
        self.unacked_bytes = 0;
        self.ack_at = u64::MAX;
    }

    /// Appends what the peer has to know of interest, credit and mailboxes.
    fn tell_peer(&mut self, out: &mut Vec<u8>) {
        self.probes.tell(out);
        self.mailboxes.tell(&mut self.words, out);
        self.tell_flows(out);
    }

    /// Appends the frame that ends the connection in order, behind the last acknowledgement. A frame that
    /// the peer has not acknowledged stays in the window. It comes behind the rest of one that is [written in
    /// part](Self::is_mid_frame).
    pub fn bye(&mut self, ended: Ended, out: &mut Vec<u8>) {
        if self.attached {
            // Else the peer would count as lost what has come.
            if self.told < self.received {
                self.acknowledge(out);
            }
            ended.encode(out);
        }
    }
}
