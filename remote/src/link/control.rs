//! Control frames: what belongs to the link and not to a message.

use crate::frame::{self, Flags, Header};

use super::LinkFault;

/// The version in the header of each control frame. That of links is in the Hello.
const FRAME_VERSION: u16 = 1;

/// The longest text in a Reject, in bytes.
const TEXT_LEN_MAX: usize = 512;

/// The type ids of control frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Hello = 1,
    Accept = 2,
    Reject = 3,
    Interest = 4,
    Credit = 5,
    Ack = 6,
    Bye = 7,
    Open = 8,
    Mailbox = 9,
    Ping = 10,
    Pong = 11,
    Begin = 12,
    Close = 13,
    Closed = 14,
}

impl Control {
    pub(super) fn of(header: &Header) -> Result<Self, LinkFault> {
        Ok(match header.type_id {
            1 => Self::Hello,
            2 => Self::Accept,
            3 => Self::Reject,
            4 => Self::Interest,
            5 => Self::Credit,
            6 => Self::Ack,
            7 => Self::Bye,
            8 => Self::Open,
            9 => Self::Mailbox,
            10 => Self::Ping,
            11 => Self::Pong,
            12 => Self::Begin,
            13 => Self::Close,
            14 => Self::Closed,
            type_id => return Err(LinkFault::UnknownControl { type_id }),
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hello => "Hello",
            Self::Accept => "Accept",
            Self::Reject => "Reject",
            Self::Interest => "Interest",
            Self::Credit => "Credit",
            Self::Ack => "Ack",
            Self::Bye => "Bye",
            Self::Open => "Open",
            Self::Mailbox => "Mailbox",
            Self::Ping => "Ping",
            Self::Pong => "Pong",
            Self::Begin => "Begin",
            Self::Close => "Close",
            Self::Closed => "Closed",
        }
    }

    /// Appends the frame that carries `value`.
    pub(super) fn encode(self, value: &[u8], out: &mut Vec<u8>) {
        self.encode_as(0, value, out);
    }

    /// The same with a number of [`Words`].
    pub(super) fn encode_as(self, number: u64, value: &[u8], out: &mut Vec<u8>) {
        let (type_id, version, sequence) = (self as u16, FRAME_VERSION, number);
        let header = Header { flags: Flags::CONTROL, type_id, version, sequence, ..Header::default() };
        let written = frame::encode(&header, value, out);
        debug_assert!(written.is_ok(), "control values are far below the longest value of a frame");
    }

    pub(super) fn malformed(self, what: &'static str) -> LinkFault {
        LinkFault::Malformed { control: self.name(), what }
    }
}

/// The numbers of frames that say what holds from then on, and say all of it again on each connection. Of two
/// connections each end may attach another one last: what was said on the earlier one is heard late then, and
/// holds no more.
#[derive(Debug, Default)]
pub(super) struct Words {
    said: u64,
    /// The highest that has come from this incarnation of the peer.
    heard: u64,
}

impl Words {
    /// That of the next frame of this end.
    pub(super) fn next(&mut self) -> u64 {
        self.said += 1;
        self.said
    }

    /// Whether this frame of the peer was said before one that was heard. One that has no number never is:
    /// there are peers that number nothing.
    pub(super) fn is_late(&mut self, header: &Header) -> bool {
        let is_late = header.sequence != 0 && header.sequence < self.heard;
        self.heard = self.heard.max(header.sequence);
        is_late
    }

    /// The peer is another process than before.
    pub(super) fn restart(&mut self) {
        self.heard = 0;
    }
}

/// Reads the fields of a control frame, one behind the other, without padding.
pub(super) struct Fields<'a> {
    of: Control,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(of: Control, value: &'a [u8]) -> Self {
        Self { of, rest: value }
    }

    pub(super) fn u8(&mut self) -> Result<u8, LinkFault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, LinkFault> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, LinkFault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, LinkFault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length of two bytes and so many bytes of UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str, LinkFault> {
        let len = usize::from(self.u16()?);
        let (text, rest) = self.rest.split_at_checked(len).ok_or(self.of.malformed("it ends in a text"))?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| self.of.malformed("a text is not UTF-8"))
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn end(&self) -> Result<(), LinkFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.of.malformed("bytes follow its last field")) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LinkFault> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(self.of.malformed("it ends in a field"))?;
        self.rest = rest;
        Ok(*field)
    }
}

/// Where one end of a link stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The incarnation of this end: drawn anew when the link is made, so that a process started again has
    /// another. Never zero.
    pub end: u64,
    /// The incarnation of the other end that this one was attached to last; zero if to none.
    pub peer_end: u64,
    /// The sequence of the last message that this end has received from that one.
    pub received: u64,
}

/// Says that the peer's Hello was read and may become a link, and where this end of it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The nonce of the peer's Hello: an Accept that was recorded opens no other connection.
    pub nonce: u64,
    /// Where this end stands.
    pub standing: Standing,
}

impl Accept {
    /// Appends its frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Standing { end, peer_end, received } = self.standing;
        let value: Vec<u8> =
            [self.nonce, end, peer_end, received].into_iter().flat_map(u64::to_le_bytes).collect();
        Control::Accept.encode(&value, out);
    }

    pub(super) fn parse(value: &[u8]) -> Result<Self, LinkFault> {
        let mut fields = Fields::new(Control::Accept, value);
        let nonce = fields.u64()?;
        let standing = Standing { end: fields.u64()?, peer_end: fields.u64()?, received: fields.u64()? };
        fields.end()?;
        if standing.end == 0 {
            return Err(Control::Accept.malformed("its incarnation is zero"));
        }
        Ok(Self { nonce, standing })
    }
}

/// Why a connection does not become, or stay, that of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The peer speaks another version of links.
    Version,
    /// What the peer sent breaks the rules of the handshake.
    Malformed,
    /// Another process with the peer's name has a link that lives. Passes when that one is found to be dead.
    NameTaken,
    /// The peer has this node's own name.
    OwnName,
    /// This node has as many links or handshakes as it takes.
    TooMany,
    /// The position that one end has told is no longer so. Passes with the next handshake.
    Stale,
    /// This node may not be connected to by the peer.
    NotAllowed,
    /// This node shuts down.
    Closing,
    /// A reason that this version does not know.
    Other(u8),
}

impl Reason {
    const KNOWN: [(u8, Self); 8] = [
        (1, Self::Version),
        (2, Self::Malformed),
        (3, Self::NameTaken),
        (4, Self::OwnName),
        (5, Self::TooMany),
        (6, Self::Stale),
        (7, Self::NotAllowed),
        (8, Self::Closing),
    ];

    /// The number as it travels.
    #[must_use]
    pub fn code(self) -> u8 {
        if let Self::Other(code) = self {
            return code;
        }
        Self::KNOWN.iter().find(|(_, reason)| *reason == self).map_or(0, |(code, _)| *code)
    }

    fn of(code: u8) -> Self {
        Self::KNOWN.iter().find(|(known, _)| *known == code).map_or(Self::Other(code), |(_, reason)| *reason)
    }

    /// Whether a later attempt may succeed though nobody changes a configuration.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        !matches!(self, Self::Version | Self::OwnName | Self::NotAllowed)
    }
}

/// Refuses a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// The same for people: what is wrong and what to do.
    pub text: String,
}

impl Reject {
    /// Appends its frame. A text of more than 512 bytes is cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fits = |end: &usize| self.text.is_char_boundary(*end);
        let end = (0..=self.text.len().min(TEXT_LEN_MAX)).rev().find(fits).unwrap_or(0);
        let text = &self.text[..end];
        let mut value = vec![self.reason.code()];
        put_text(text, &mut value);
        Control::Reject.encode(&value, out);
    }

    pub(super) fn parse(value: &[u8]) -> Result<Self, LinkFault> {
        let mut fields = Fields::new(Control::Reject, value);
        let (reason, text) = (Reason::of(fields.u8()?), fields.text()?);
        fields.end()?;
        if text.len() > TEXT_LEN_MAX {
            return Err(Control::Reject.malformed("its text has more than 512 bytes"));
        }
        // It will stand in a log: a peer must not write lines of its own there.
        let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Ok(Self { reason, text })
    }
}

/// Why a peer has ended its connection in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// Its process shuts down.
    Shutdown,
    /// It has no use for the link any more.
    Unlinked,
    /// A reason that this version does not know.
    Other(u8),
}

impl Ended {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let code = match self {
            Self::Shutdown => 1,
            Self::Unlinked => 2,
            Self::Other(code) => code,
        };
        Control::Bye.encode(&[code], out);
    }

    pub(super) fn parse(value: &[u8]) -> Result<Self, LinkFault> {
        let mut fields = Fields::new(Control::Bye, value);
        let code = fields.u8()?;
        fields.end()?;
        Ok(match code {
            1 => Self::Shutdown,
            2 => Self::Unlinked,
            code => Self::Other(code),
        })
    }
}

/// Appends a text as [`Fields::text`] reads it. Callers have checked its length.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(len)]);
}
