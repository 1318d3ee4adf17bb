//! What happens to a link, and what comes of it.

use crate::frame::Frame;

use super::{Direct, Ended};

/// What happens to a link.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A frame has come on the connection that is attached.
    Frame(&'a Frame<'a>),
    /// Bytes have come, of which no whole frame may have been made yet: a long one takes its time.
    Heard {
        /// How many.
        bytes: usize,
    },
    /// This end does not read, because it has no room: the peer is neither silent nor slow.
    Busy,
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
    /// This end wants no messages of topics for now, or those that it wanted before again: nobody has left
    /// meanwhile.
    Pause(bool),
    /// So many received messages of a type were consumed: they wait nowhere for room any more.
    Consumed {
        /// Their type.
        type_id: u16,
        /// How many.
        count: u64,
    },
    /// This end wants to hear at once that the peer is there: [`Output::Pong`].
    Ping,
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
    /// The frame is a direct message, whose value [goes on](super::message_of) with an envelope.
    Direct(Direct),
    /// The frame is a [run](crate::frame::Run) of messages: all but the first so many come next from this
    /// peer, and are to be published. Those came before.
    Run {
        /// How many to leave out.
        skip: usize,
    },
    /// The frame came before: leave it out.
    Duplicate,
    /// The peer wants other messages than before: see [`Link::interest`](super::Link::interest).
    Interest,
    /// The peer takes more messages of some types: see [`Link::credit`](super::Link::credit).
    Credit,
    /// The peer has opened mailboxes: see [`Link::served`](super::Link::served), and
    /// [`Link::serve`](super::Link::serve) them.
    Opened,
    /// The peer has said more of mailboxes: see [`Link::mailbox`](super::Link::mailbox).
    Mailboxes,
    /// The peer has answered a [`Ping`](Input::Ping), in the order in which they were sent.
    Pong,
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
