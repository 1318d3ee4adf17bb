//! Receiving by polling and in batches.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mycelium::{WireArray, WireDelivery, WireMessage, WireSubscriber};

use crate::known::Described;
use crate::wait::{Parking, Waited};
use crate::{Error, Known, records};

/// How many messages a batch of records takes from the topics in one go (messages).
const RECORDS_AT_ONCE: usize = 64;

const CLOSED: Error = Error::Closed { what: "the runtime of this reader" };

/// The messages of some topics, for code that asks for them: see [`Runtime::reader`](crate::Runtime::reader).
/// Dropping it unsubscribes.
pub struct Reader {
    from: From,
    parking: Arc<Parking>,
    known: Arc<Known>,
}

/// Where its messages come from.
enum From {
    /// A bus that ends with the runtime.
    Own(Reading),
    /// The bus of a program, which goes on.
    Lent(Arc<LentReading>),
}

/// What a reader reads.
struct Reading {
    /// `None` once it has left its topics.
    subscriber: Option<WireSubscriber>,
    /// Taken from the subscriber, and not read yet.
    held: VecDeque<WireMessage>,
}

/// The same where a close of the runtime reaches it: publishers of the program would wait for whoever reads
/// no more.
pub(crate) struct LentReading {
    reading: Mutex<Reading>,
    parking: Arc<Parking>,
}

/// What a close finds of a reader.
pub(crate) enum OpenReader {
    Own(Weak<Parking>),
    Lent(Weak<LentReading>),
}

impl OpenReader {
    /// Ends it: it reads what waits for it, and then the end. Whether it has left a bus that goes on: a
    /// thread that reads sees that it is to leave before it is done.
    pub(crate) fn close(&self) -> bool {
        match self {
            Self::Own(parking) => {
                parking.upgrade().inspect(Parking::stop);
                true
            }
            Self::Lent(reading) => reading.upgrade().is_none_or(|reading| reading.leave()),
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Own(parking) => parking.strong_count() > 0,
            Self::Lent(reading) => reading.strong_count() > 0,
        }
    }
}

impl LentReading {
    fn leave(&self) -> bool {
        self.parking.stop();
        match self.reading.try_lock() {
            Ok(mut reading) => reading.leave(),
            Err(TryLockError::Poisoned(reading)) => reading.into_inner().leave(),
            Err(TryLockError::WouldBlock) => return false,
        }
        true
    }
}

impl Reader {
    pub(crate) fn new(subscriber: WireSubscriber, known: Arc<Known>, is_lent: bool) -> (Self, OpenReader) {
        let parking = Arc::new(Parking::default());
        let reading = Reading { subscriber: Some(subscriber), held: VecDeque::new() };
        let (from, open) = if is_lent {
            let lent = LentReading { reading: Mutex::new(reading), parking: Arc::clone(&parking) };
            let lent = Arc::new(lent);
            let open = Arc::downgrade(&lent);
            (From::Lent(lent), OpenReader::Lent(open))
        } else {
            (From::Own(reading), OpenReader::Own(Arc::downgrade(&parking)))
        };
        (Self { from, parking, known }, open)
    }

    /// Has `work` use what it reads.
    #[inline]
    fn with<R>(&mut self, work: impl FnOnce(&mut Reading, &Arc<Parking>, &Known) -> R) -> R {
        match &mut self.from {
            From::Own(reading) => work(reading, &self.parking, &self.known),
            From::Lent(lent) => {
                let mut reading = lent.reading.lock().unwrap_or_else(PoisonError::into_inner);
                let done = work(&mut reading, &self.parking, &self.known);
                drop(reading);
                if self.parking.is_stopped() {
                    // The close could not, while this had it.
                    lent.leave();
                }
                done
            }
        }
    }

    /// Shows `look` the messages that wait, at most `most` of them, where they lie; how many. It does not
    /// wait.
    ///
    /// # Errors
    /// [`Error::Closed`] once the runtime is closed and all that waited is read.
    pub fn drain(&mut self, most: usize, look: impl FnMut(&WireDelivery<'_>)) -> Result<usize, Error> {
        self.with(|reading, parking, _| reading.drain(parking, most, look))
    }

    /// Waits until a message is there, for `limit` at most; whether one is. `None` waits without a limit.
    ///
    /// # Errors
    /// [`Error::Closed`] once the runtime or its bus is closed and all that waited is read.
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        self.with(|reading, parking, _| reading.wait(parking, limit))
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
        self.with(|reading, parking, known| reading.read_array(parking, known.get(type_id)?, out))
    }

    /// Copies the messages that wait into `out` as [`Record`](crate::Record)s, at most `most` of them; how
    /// many. It does not wait.
    ///
    /// # Errors
    /// [`Error::Buffer`] when the next message has no room, which it says; [`Error::Closed`].
    pub fn read_records(&mut self, out: &mut [u8], most: usize) -> Result<usize, Error> {
        self.with(|reading, parking, _| reading.read_records(parking, out, most))
    }
}

impl Reading {
    /// Leaves its topics, and keeps what waits.
    fn leave(&mut self) {
        let Some(mut subscriber) = self.subscriber.take() else { return };
        // No more than that: publishers go on meanwhile.
        let waiting = subscriber.unread();
        subscriber.drain(waiting, |delivery| self.held.push_back(delivery.to_message()));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<WireMessage>> {
        self.subscriber.as_mut().map_or(Poll::Ready(None), |subscriber| subscriber.poll_recv(cx))
    }

    fn drain(
        &mut self,
        parking: &Parking,
        most: usize,
        mut look: impl FnMut(&WireDelivery<'_>),
    ) -> Result<usize, Error> {
        let mut seen = 0;
        while seen < most
            && let Some(message) = self.held.pop_front()
        {
            look(&message.delivery());
            seen += 1;
        }
        if let Some(subscriber) = &mut self.subscriber {
            seen += subscriber.drain(most - seen, |delivery| look(&delivery));
        }
        if seen == 0 && most > 0 {
            self.check_end(parking)?;
        }
        Ok(seen)
    }

    fn wait(&mut self, parking: &Arc<Parking>, limit: Option<Duration>) -> Result<bool, Error> {
        if !self.held.is_empty() {
            return Ok(true);
        }
        match parking.wait(limit, None, |cx| self.poll(cx)) {
            Waited::Ready(Some(message)) => {
                self.held.push_back(message);
                Ok(true)
            }
            Waited::TimedOut => Ok(false),
            Waited::Ready(None) | Waited::Stopped | Waited::Interrupted => {
                // An end is an end for all calls.
                parking.stop();
                self.subscriber = None;
                Err(CLOSED)
            }
        }
    }

    fn read_array(&mut self, parking: &Parking, message: &Described, out: &mut [u8]) -> Result<usize, Error> {
        if !message.fixed {
            return Err(Error::NotFixed { message: message.name });
        }
        let stride = message.root_len as usize;
        let wanted = WireArray { type_id: message.type_id, version: message.version, stride, newer: true };
        if stride == 0 || out.len() < stride {
            return Err(Error::Buffer { needed: stride.max(1), got: out.len() });
        }
        loop {
            let mut taken = self.take_held(&wanted, out);
            if let Some(subscriber) = self.subscriber.as_mut().filter(|_| self.held.is_empty()) {
                taken += subscriber.read_array(&wanted, &mut out[taken * stride..]);
            }
            if taken > 0 {
                return Ok(taken);
            }
            // Nothing waits, or what has no place here, or it has just come.
            let Some(message) = self.held.pop_front().or_else(|| self.subscriber.as_mut()?.try_recv()) else {
                self.check_end(parking)?;
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

    fn read_records(&mut self, parking: &Parking, out: &mut [u8], most: usize) -> Result<usize, Error> {
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
            let Some(subscriber) = &mut self.subscriber else { break };
            subscriber.drain((most - taken).min(RECORDS_AT_ONCE), |delivery| {
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
            self.check_end(parking)?;
        }
        Ok(taken)
    }

    /// Says so if nothing will come any more.
    fn check_end(&mut self, parking: &Parking) -> Result<(), Error> {
        if !parking.is_stopped() {
            return Ok(());
        }
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(message)) => {
                self.held.push_back(message);
                Ok(())
            }
            // A bus that goes on is that of a program.
            Poll::Ready(None) | Poll::Pending => {
                self.subscriber = None;
                Err(CLOSED)
            }
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("is_over", &self.parking.is_stopped()).finish_non_exhaustive()
    }
}
