//! Receiving by polling and in batches.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mycelium::{WireArray, WireDelivery, WireMessage, WireSubscriber};

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
                // An end is an end for all calls.
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
        let stride = message.root_len as usize;
        let wanted = WireArray { type_id, version: message.version, stride, newer: true };
        if stride == 0 || out.len() < stride {
            return Err(Error::Buffer { needed: stride.max(1), got: out.len() });
        }
        loop {
            let mut taken = self.take_held(&wanted, out);
            if self.held.is_empty() {
                taken += self.subscriber.read_array(&wanted, &mut out[taken * stride..]);
            }
            if taken > 0 {
                return Ok(taken);
            }
            // Nothing waits, or what has no place here, or it has just come.
            let Some(message) = self.held.pop_front().or_else(|| self.subscriber.try_recv()) else {
                self.check_end()?;
                return Ok(0);
            };
            let fits = wanted.root(message.header(), message.bytes()).is_some();
            let (name, len) = (message.name(), message.bytes().len());
            self.held.push_front(message);
            if !fits {
                return Err(Error::NotInBatch { message: name, len, stride });
            }
        }
    }

    /// Copies those that were taken before, as far as they fit: how many.
    fn take_held(&mut self, wanted: &WireArray, out: &mut [u8]) -> usize {
        let (mut taken, mut slots) = (0, out.chunks_exact_mut(wanted.stride));
        while let Some(message) = self.held.front()
            && let Some(root) = wanted.root(message.header(), message.bytes())
            && let Some(slot) = slots.next()
        {
            slot.copy_from_slice(root);
            self.held.pop_front();
            taken += 1;
        }
        taken
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

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("held", &self.held.len()).finish_non_exhaustive()
    }
}
