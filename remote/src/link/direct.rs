//! Mailboxes: direct messages to actors of the peer, questions and their answers.
//!
//! The end that sends *opens* a mailbox by its name, under a number of its own. The other end says who takes
//! what under that name, in which channel, and how many messages: its credit, as types of topics have it. A
//! question uses up credit until it is answered or has failed, so what the peer may ask at the same time has
//! a bound, and answers need no credit. Each end tells all of that again on each connection.
//!
//! An end that writes to a mailbox no more, and whose messages to it are acknowledged, closes it. There is
//! room for another one when the other end has said that it has heard so, and that nothing which was sent
//! there waits any more. Numbers rise, and none is used again: so what comes late, by a connection that the
//! other end had attached before, is known to be about a mailbox that is closed.

mod of_link;

use std::collections::{BTreeMap, BTreeSet};

use crate::frame::{Flags, Frame, Header};

use super::control::{Control, Fields, Words, put_text};
use super::envelope::{Direct, ENVELOPE_LEN, Envelope, Failure, Question};
use super::machine::Link;
use super::{LinkFault, NAME_LEN_MAX, Output, SendError};

/// How many mailboxes each end has open at most at the same time.
pub const MAILBOXES_MAX: usize = 4_096;
/// The longest name of a mailbox, in bytes.
pub const MAILBOX_LEN_MAX: usize = 255;
/// How many kinds of messages a mailbox takes at most.
pub const TAKES_MAX: usize = 1_024;
/// No channel: the mailbox has none in common with topics.
const NO_CHANNEL: u16 = u16::MAX;

const _: () = assert!(NAME_LEN_MAX <= MAILBOX_LEN_MAX);

/// What an actor takes directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Taken {
    /// The type of the message.
    pub type_id: u16,
    /// Whether it is a question.
    pub asked: bool,
}

/// Who is behind a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The channel of the topics that the same actor receives, if there are any: it gets all in one order.
    pub channel: Option<u16>,
    /// What it takes, rising.
    pub takes: Vec<Taken>,
}

/// A mailbox of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailboxState {
    /// The peer has not said yet.
    Unknown,
    /// The peer has nobody of this name.
    Absent,
    /// Somebody is there.
    Open(Served),
}

/// Numbers are below this.
const NUMBERS_MAX: u32 = 1 << 31;

/// A mailbox of the peer, to send to.
#[derive(Debug)]
struct Outbox {
    name: Box<str>,
    /// It is closed, and the peer has not said yet that it knows.
    closing: bool,
    state: MailboxState,
    sent: u64,
    limit: u64,
    /// The sequence of the last message that was sent there.
    last: u64,
    /// The peer has to be told that it is used, or closed.
    tell: bool,
    /// The peer has said something else than before, which the host has not looked at.
    news: bool,
}

/// A mailbox of this end, which the peer sends to.
#[derive(Debug)]
struct Inbox {
    name: Box<str>,
    /// The peer's number of it; `None`: of an earlier incarnation of the peer, whose messages still wait.
    number: Option<u32>,
    served: Option<Served>,
    /// The host has said who is behind it since the peer has opened it.
    described: bool,
    /// The peer has closed it, and what it has sent there still waits.
    closing: bool,
    /// Messages received, from this incarnation of the peer.
    taken: u64,
    /// Messages consumed. Below zero by what came from an earlier incarnation and still waits.
    consumed: i64,
    granted: u64,
    tell: bool,
}

/// All mailboxes of a link, and its questions.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    /// By their numbers.
    out: BTreeMap<u32, Outbox>,
    /// The number of the next one.
    next: u32,
    inboxes: Vec<Inbox>,
    /// The peer's next number: what it says of those below that are not open is about closed ones.
    opened: u32,
    /// Numbers that the peer has closed and has to be told so.
    closed: BTreeSet<u32>,
    /// The numbers of mailboxes with news, in the order in which they came.
    news: Vec<u32>,
    /// Their places, by the peer's numbers.
    places: BTreeMap<u32, usize>,
    /// Questions of this end that wait for their answers.
    asks: BTreeSet<u64>,
    last_ask: u64,
}

impl Inbox {
    /// The peer has no number for it any more. Messages that it has sent there may still wait.
    fn leave(&mut self) {
        self.consumed = -(self.unconsumed() as i64);
        (self.number, self.taken, self.granted, self.tell) = (None, 0, 0, false);
        (self.described, self.closing) = (false, false);
    }

    fn unconsumed(&self) -> u64 {
        (self.taken as i64 - self.consumed).unsigned_abs()
    }

    /// Raises what the peer may send once that is worth a frame.
    fn grant(&mut self, credit: u32) {
        let limit = u64::try_from(self.consumed + i64::from(credit)).unwrap_or(0);
        if self.served.is_some() && limit >= self.granted + u64::from(credit / 2).max(1) {
            self.granted = limit;
            self.tell = true;
        }
    }
}

impl Mailboxes {
    /// The other end is another process than before: the questions of this end that nobody answers any more.
    pub(super) fn restart(&mut self) {
        self.asks.clear();
        self.places.clear();
        self.closed.clear();
        self.opened = 0;
        self.out.retain(|_, out| !out.closing);
        for out in self.out.values_mut() {
            (out.state, out.sent, out.limit, out.last) = (MailboxState::Unknown, 0, 0, 0);
        }
        self.inboxes.iter_mut().for_each(Inbox::leave);
    }

    /// A connection has come: the peer is told again what it may have missed.
    pub(super) fn attach(&mut self) {
        self.out.values_mut().for_each(|out| out.tell = true);
        // The peer closes them again.
        self.closed.clear();
        self.inboxes.iter_mut().for_each(|inbox| inbox.tell = inbox.described && !inbox.closing);
    }

    /// Appends what the peer has to know.
    pub(super) fn tell(&mut self, words: &mut Words, out: &mut Vec<u8>) {
        // By rising numbers: the peer takes one below the highest that it has heard of for a closed one.
        for (number, of) in self.out.iter_mut().filter(|(_, of)| of.tell) {
            of.tell = false;
            let mut value = number.to_le_bytes().to_vec();
            if of.closing {
                Control::Close.encode(&value, out);
            } else {
                put_text(&of.name, &mut value);
                Control::Open.encode(&value, out);
            }
        }
        while let Some(number) = self.closed.pop_first() {
            Control::Closed.encode(&number.to_le_bytes(), out);
        }
        for inbox in self.inboxes.iter_mut().filter(|inbox| inbox.tell) {
            inbox.tell = false;
            let Some(number) = inbox.number else { continue };
            let mut value = number.to_le_bytes().to_vec();
            value.extend_from_slice(&inbox.granted.to_le_bytes());
            if let Some(served) = &inbox.served {
                value.extend_from_slice(&served.channel.unwrap_or(NO_CHANNEL).to_le_bytes());
                for taken in &served.takes {
                    value.extend_from_slice(&taken.type_id.to_le_bytes());
                    value.push(u8::from(taken.asked));
                }
            }
            Control::Mailbox.encode_as(words.next(), &value, out);
        }
    }

    /// The peer opens a mailbox.
    fn opened(&mut self, mut fields: Fields<'_>) -> Result<Output, LinkFault> {
        let (number, name) = (fields.u32()?, fields.text()?);
        fields.end()?;
        if name.len() > MAILBOX_LEN_MAX || number >= NUMBERS_MAX {
            return Err(Control::Open.malformed("its name is too long, or it has too high a number"));
        }
        if let Some(place) = self.places.get(&number) {
            let inbox = &self.inboxes[*place];
            if &*inbox.name != name {
                return Err(Control::Open.malformed("its number is that of another mailbox"));
            }
            // On a new connection, where it is told who is there anyway, or as often as it likes.
            return Ok(if inbox.described || inbox.closing { Output::Nothing } else { Output::Opened });
        }
        if number < self.opened {
            return Ok(Output::Nothing);
        }
        if self.places.len() >= MAILBOXES_MAX {
            return Err(Control::Open.malformed("there are more mailboxes than may be"));
        }
        self.opened = number + 1;
        // Messages that an earlier process has sent there may still wait.
        let place = self.inboxes.iter().position(|inbox| &*inbox.name == name);
        let place = place.or_else(|| {
            let free = |inbox: &Inbox| inbox.number.is_none() && inbox.unconsumed() == 0;
            let free = self.inboxes.iter().position(free)?;
            self.inboxes[free].consumed = 0;
            Some(free)
        });
        let place = match place {
            Some(place) if self.inboxes[place].number.is_some() => {
                return Err(Control::Open.malformed("its name has another number"));
            }
            Some(place) => place,
            None if self.inboxes.len() >= MAILBOXES_MAX => {
                return Err(Control::Open.malformed("there are more mailboxes than may be"));
            }
            None => {
                let (number, served, name) = (None, None, "".into());
                let (taken, consumed, granted) = (0, 0, 0);
                let (described, closing, tell) = (false, false, false);
                self.inboxes.push(Inbox {
                    name,
                    number,
                    served,
                    described,
                    closing,
                    taken,
                    consumed,
                    granted,
                    tell,
                });
                self.inboxes.len() - 1
            }
        };
        self.places.insert(number, place);
        let inbox = &mut self.inboxes[place];
        (inbox.name, inbox.number, inbox.served) = (name.into(), Some(number), None);
        inbox.described = false;
        Ok(Output::Opened)
    }

    /// The peer closes a mailbox.
    fn close(&mut self, mut fields: Fields<'_>) -> Result<Output, LinkFault> {
        let number = fields.u32()?;
        fields.end()?;
        if number >= NUMBERS_MAX || self.closed.len() >= MAILBOXES_MAX {
            return Err(Control::Close.malformed("it has too high a number, or as many are closed as may be"));
        }
        self.opened = self.opened.max(number + 1);
        match self.places.get(&number).copied() {
            Some(place) => {
                self.inboxes[place].closing = true;
                self.end_closed(place);
            }
            // It was closed, or opened, on another connection.
            None => _ = self.closed.insert(number),
        }
        Ok(Output::Nothing)
    }

    /// The peer has its number back if it has closed this mailbox and nothing waits there any more.
    fn end_closed(&mut self, place: usize) -> bool {
        let inbox = &mut self.inboxes[place];
        let Some(number) = inbox.number.filter(|_| inbox.closing && inbox.unconsumed() == 0) else {
            return false;
        };
        inbox.leave();
        self.places.remove(&number);
        self.closed.insert(number)
    }

    /// The peer knows that a mailbox is closed.
    fn is_closed(&mut self, mut fields: Fields<'_>) -> Result<Output, LinkFault> {
        let number = fields.u32()?;
        fields.end()?;
        match self.out.get(&number) {
            Some(of) if of.closing => drop(self.out.remove(&number)),
            // That was said on another connection before.
            None if number < self.next => return Ok(Output::Nothing),
            _ => return Err(Control::Closed.malformed("it was not closed")),
        }
        Ok(Output::Mailboxes)
    }

    /// The peer says what a mailbox takes. `is_late`: it has said something else since.
    fn described(&mut self, mut fields: Fields<'_>, is_late: bool) -> Result<Output, LinkFault> {
        let (number, limit) = (fields.u32()?, fields.u64()?);
        let state = Self::state_of(fields)?;
        let of = match self.out.get_mut(&number) {
            Some(of) if !of.closing => of,
            // It was said before the peer knew that it is closed.
            _ if number < self.next => return Ok(Output::Nothing),
            _ => return Err(Control::Mailbox.malformed("it was never opened")),
        };
        // A limit never falls.
        of.limit = of.limit.max(limit);
        if !is_late && of.state != state {
            of.state = state;
            if !std::mem::replace(&mut of.news, true) {
                self.news.push(number);
            }
        }
        Ok(Output::Mailboxes)
    }

    fn state_of(mut fields: Fields<'_>) -> Result<MailboxState, LinkFault> {
        if fields.rest().is_empty() {
            return Ok(MailboxState::Absent);
        }
        let channel = Some(fields.u16()?).filter(|channel| *channel != NO_CHANNEL);
        let mut takes = Vec::new();
        while !fields.rest().is_empty() {
            let (type_id, asked) = (fields.u16()?, fields.u8()?);
            if asked > 1 || takes.len() >= TAKES_MAX {
                return Err(
                    Control::Mailbox.malformed("it takes too much, or what is neither told nor asked")
                );
            }
            takes.push(Taken { type_id, asked: asked == 1 });
        }
        if !takes.is_sorted() {
            return Err(Control::Mailbox.malformed("what it takes does not rise"));
        }
        Ok(MailboxState::Open(Served { channel, takes }))
    }

    /// A direct message has come.
    pub(super) fn message(&mut self, end: u64, frame: &Frame<'_>) -> Result<Output, LinkFault> {
        let direct = match Envelope::parse(frame.value)? {
            Envelope::Tell { mailbox } => Direct::Tell { place: self.take(mailbox)? },
            Envelope::Ask { mailbox, ask, limit_ns } => {
                let place = self.take(mailbox)?;
                Direct::Ask { place, question: Question { ask, place, end }, limit_ns }
            }
            // The asker may wait no more.
            Envelope::Answer { ask } | Envelope::Failed { ask, .. } if !self.asks.remove(&ask) => {
                return Ok(Output::Nothing);
            }
            Envelope::Answer { ask } => Direct::Answer { ask },
            Envelope::Failed { ask, failure } => Direct::Failed { ask, failure },
        };
        Ok(Output::Direct(direct))
    }

    fn take(&mut self, number: u32) -> Result<usize, LinkFault> {
        let place = self.places.get(&number).copied();
        let open = place.map(|place| (place, &mut self.inboxes[place])).filter(|(_, inbox)| !inbox.closing);
        let Some((place, inbox)) = open else {
            return Err(LinkFault::Malformed {
                control: "direct message",
                what: "its mailbox was never opened",
            });
        };
        if inbox.taken >= inbox.granted {
            return Err(LinkFault::MailboxCredit { limit: inbox.granted });
        }
        inbox.taken += 1;
        Ok(place)
    }

    pub(super) fn unconsumed(&self) -> u64 {
        self.inboxes.iter().map(Inbox::unconsumed).sum()
    }
}
