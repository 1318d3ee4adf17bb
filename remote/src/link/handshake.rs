//! The first frames of a connection, before it is that of a link.

use crate::frame::{Flags, Frame};

use super::control::Control;
use super::{Accept, HANDSHAKE_NS, LinkFault, PeerHello, Reject, Standing};

/// What one side of a connection waits for until it is attached to a link. Both sides are alike but for who
/// speaks first: the side that dials sends its Hello at once, the other when it has read that one.
///
/// - At [`Greeting::Hello`], the host finds the peer's link by its name, sends its own Hello if it has not
///   yet, and then an Accept with the link's standing; or a Reject, and closes.
/// - At [`Greeting::Accepted`], it attaches the connection to the link.
#[derive(Debug)]
pub struct Handshake {
    nonce: u64,
    began: u64,
    greeted: bool,
    accepted: bool,
}

/// What came of a frame of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The peer has said who it is.
    Hello(PeerHello),
    /// The peer accepts, and says where its end of the link stands.
    Accepted(Standing),
}

impl Handshake {
    /// A handshake that begins now, with the nonce of our own Hello, which was not written yet.
    #[must_use]
    pub fn new(now: u64, nonce: u64) -> Self {
        Self { nonce, began: now, greeted: false, accepted: false }
    }

    /// When it began, for [`Link::attach`](super::Link::attach).
    #[must_use]
    pub fn began(&self) -> u64 {
        self.began
    }

    /// When it has to be done.
    #[must_use]
    pub fn deadline(&self) -> u64 {
        self.began.saturating_add(HANDSHAKE_NS)
    }

    /// To be called at the deadline.
    ///
    /// # Errors
    /// The deadline has passed: close the connection.
    pub fn tick(&self, now: u64) -> Result<(), LinkFault> {
        if now < self.deadline() { Ok(()) } else { Err(LinkFault::HandshakeLate { limit_ns: HANDSHAKE_NS }) }
    }

    /// The next frame of the connection.
    ///
    /// # Errors
    /// The peer refuses, or breaks the rules: close the connection, and in the second case tell it why
    /// ([`LinkFault::reject`]).
    pub fn frame(&mut self, frame: &Frame<'_>) -> Result<Greeting, LinkFault> {
        let expected = if self.greeted { Control::Accept } else { Control::Hello };
        if !frame.header.flags.contains(Flags::CONTROL) || self.accepted {
            return Err(LinkFault::Unexpected { expected: expected.name(), got: "a message" });
        }
        match Control::of(&frame.header)? {
            Control::Reject => Err(LinkFault::Rejected(Reject::parse(frame.value)?)),
            Control::Hello if !self.greeted => {
                let hello = PeerHello::parse(frame.value)?;
                self.greeted = true;
                Ok(Greeting::Hello(hello))
            }
            Control::Accept if self.greeted => {
                let Accept { nonce, standing } = Accept::parse(frame.value)?;
                if nonce != self.nonce {
                    return Err(LinkFault::Nonce);
                }
                self.accepted = true;
                Ok(Greeting::Accepted(standing))
            }
            got => Err(LinkFault::Unexpected { expected: expected.name(), got: got.name() }),
        }
    }
}
