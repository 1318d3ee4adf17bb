//! Receiving by polling and in batches.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mycelium::{WireDelivery, WireMessage, WireSubscriber};

use crate::wait::{Parking, Waited};
use crate::{Error, Known, records};

/// How many messages a batch of records takes from the topics in one go (messages).
const RECORDS_AT_ONCE: usize = 64;

const CLOSED: Error = Error::Closed { what: "the runtime of this reader" };

/// The messages of some topics, for code that asks for them: see [`Runtime::reader`](crate::Runtime::reader).
/// Dropping it unsubscribes.
pub struct Reader {
    subscriber: WireSubscriber,
    /// Taken from the subscriber, and not read yet.
    held: VecDeque<WireMessage>,
    parking: Arc<Parking>,
    known: Arc<Known>,
}

impl Reader {
    pub(crate) fn new(subscriber: WireSubscriber, parking: Arc<Parking>, known: Arc<Known>) -> Self {
        Self { subscriber, held: VecDeque::new(), parking, known }
    }

    /// Shows `look` the messages that wait, at most `most` of them, where they lie; how many. It does not
    /// wait.
    ///
    /// # Errors
    /// [`Error::Closed`] once the runtime is closed and all that waited is read.
    pub fn drain(&mut self, most: usize, mut look: impl FnMut(&WireDelivery<'_>)) -> Result<usize, Error> {
        let mut seen = 0;
        while seen < most
            && let Some(message) = self.held.pop_front()
        {
            look(&message.delivery());
            seen += 1;
        }
        seen += self.subscriber.drain(most - seen, |delivery| look(&delivery));
        if seen == 0 && most > 0 {
            self.check_end()?;
        }
        Ok(seen)
    }

    /// Waits until a message is there, for `limit` at most; whether one is. `None` waits without a limit.
    ///
    /// # Errors
    /// [`Error::Closed`] once the runtime or its bus is closed and all that waited is read.
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        if !self.held.is_empty() {
            return Ok(true);
        }
        let Self { subscriber, parking, held, .. } = self;
        match parking.wait(limit, None, |cx| subscriber.poll_recv(cx)) {
            Waited::Ready(Some(message)) => {
                held.push_back(message);
                Ok(true)
            }
            Waited::TimedOut => Ok(false),
            Waited::Ready(None) | Waited::Stopped | Waited::Interrupted => {
                // What is over is over for all calls.
                parking.stop();
                Err(CLOSED)
            }
        }
    }

    /// Copies the messages that wait into `out`, each as its root lies in memory in every language, one
    /// directly behind the other, in the version of the runtime's contract; how many. They are of the message
    /// `type_id`, which has a fixed size. It does not wait.
    ///
    /// # Errors
    /// [`Error::NotFixed`] when that message has no fixed size; [`Error::NotInBatch`] when the next message
    /// is another one or of an older version, and stays the next one. [`Error::Buffer`] when not one has
    /// room, [`Error::UnknownType`], [`Error::Closed`].
    pub fn read_array(&mut self, type_id: u16, out: &mut [u8]) -> Result<usize, Error> {
        let message = self.known.get(type_id)?;
        if !message.fixed {
            return Err(Error::NotFixed { message: message.name });
        }
        let wanted = Fixed { type_id, version: message.version, stride: message.root_len as usize };
        if wanted.stride == 0 || out.len() < wanted.stride {
            return Err(Error::Buffer { needed: wanted.stride.max(1), got: out.len() });
        }
        let (room, mut taken) = (out.len() / wanted.stride, 0);
        let mut slots = out.chunks_exact_mut(wanted.stride);
        while taken < room
            && let Some(message) = self.held.front()
        {
            let Some(root) = wanted.root(&message.delivery()) else { break };
            let Some(slot) = slots.next() else { break };
            slot.copy_from_slice(root);
            self.held.pop_front();
            taken += 1;
        }
        if self.held.is_empty() && taken < room {
            let held = &mut self.held;
            self.subscriber.drain(room - taken, |delivery| {
                // What comes behind a message that has no place here stays behind it.
                if held.is_empty()
                    && let Some(root) = wanted.root(&delivery)
                    && let Some(slot) = slots.next()
                {
                    slot.copy_from_slice(root);
                    taken += 1;
                } else {
                    held.push_back(delivery.to_message());
                }
            });
        }
        match self.held.front() {
            Some(message) if taken == 0 => Err(Error::NotInBatch {
                message: message.name(),
                len: message.bytes().len(),
                stride: wanted.stride,
            }),
            None if taken == 0 => self.check_end().map(|()| 0),
            _ => Ok(taken),
        }
    }

    /// Copies the messages that wait into `out` as [`Record`](crate::Record)s, at most `most` of them; how
    /// many. It does not wait.
    ///
    /// # Errors
    /// [`Error::Buffer`] when the next message has no room, which it says; [`Error::Closed`].
    pub fn read_records(&mut self, out: &mut [u8], most: usize) -> Result<usize, Error> {
        let (mut at, mut taken) = (0, 0);
        while taken < most {
            while taken < most
                && let Some(message) = self.held.front()
            {
                let delivery = message.delivery();
                let end = at + records::room(delivery.bytes.len());
                let Some(slot) = out.get_mut(at..end) else {
                    let needed = end - at;
                    return if taken > 0 { Ok(taken) } else { Err(Error::Buffer { needed, got: out.len() }) };
                };
                records::write(&delivery, slot);
                self.held.pop_front();
                (at, taken) = (end, taken + 1);
            }
            let (held, before) = (&mut self.held, taken);
            self.subscriber.drain((most - taken).min(RECORDS_AT_ONCE), |delivery| {
                let end = at + records::room(delivery.bytes.len());
                match out.get_mut(at..end).filter(|_| held.is_empty()) {
                    Some(slot) => {
                        records::write(&delivery, slot);
                        (at, taken) = (end, taken + 1);
                    }
                    None => held.push_back(delivery.to_message()),
                }
            });
            if taken == before && held.is_empty() {
                break;
            }
        }
        if taken == 0 && most > 0 {
            self.check_end()?;
        }
        Ok(taken)
    }

    /// Says so if nothing will come any more.
    fn check_end(&mut self) -> Result<(), Error> {
        if !self.parking.is_stopped() {
            return Ok(());
        }
        match self.subscriber.poll_recv(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(message)) => self.held.push_back(message),
            Poll::Ready(None) => return Err(CLOSED),
            // Its bus is that of a program which goes on.
            Poll::Pending => return Err(CLOSED),
        }
        Ok(())
    }
}

/// What a batch takes.
struct Fixed {
    type_id: u16,
    version: u16,
    stride: usize,
}

impl Fixed {
    /// The root of this message as a reader of this version sees it, if it is one of these.
    #[inline]
    fn root<'a>(&self, delivery: &WireDelivery<'a>) -> Option<&'a [u8]> {
        let (header, bytes) = (delivery.header, delivery.bytes);
        if header.type_id != self.type_id {
            return None;
        }
        if header.version == self.version {
            return (bytes.len() == self.stride).then_some(bytes);
        }
        // A newer root begins as this one does.
        let start = bytes.len().checked_sub(header.root_len as usize)?;
        if header.version < self.version { None } else { bytes.get(start..start + self.stride) }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("held", &self.held.len()).finish_non_exhaustive()
    }
}
