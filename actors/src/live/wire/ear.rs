//! One who listens to one topic in bytes.

use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use mycelium_mailbox::wire::{Encoder, WireError};
use mycelium_mailbox::{Delivery, Releases, Source, Subscription as Queue, Visible};
use mycelium_remote::frame::Header;
use mycelium_remote::link::Row;

use super::WireQueue;
use super::tap::TimeLog;
use crate::live::source::{Tally, counted_queue};
use crate::live::topics::TopicEntry;
use crate::wire::{Carried, Kind, WireDelivery, WireValue, into_slots};
use crate::{StopReason, WireArray};

/// How many messages are taken before it is asked whether others listen (messages).
const ALONE_MAX: usize = 64;

/// A place at the tap.
pub(super) struct TapPlace<T: Carried> {
    entry: Arc<TopicEntry<T>>,
    at: Option<usize>,
}

impl<T: Carried> TapPlace<T> {
    /// `None`: the topic carries bytes, and has no tap.
    pub(super) fn new(entry: Arc<TopicEntry<T>>, at: Option<usize>) -> Self {
        Self { entry, at }
    }
}

impl<T: Carried> Drop for TapPlace<T> {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            self.entry.tap.leave(self.entry.topic(), at);
        }
    }
}

/// One who listens to one topic in bytes.
pub(super) struct Ear<T: Carried> {
    // Dropped first: it has left the topic when it leaves the tap.
    queue: Queue<T>,
    tally: Tally<T>,
    encoder: Encoder,
    /// Of the message in front.
    header: Header,
    shared: Option<WireValue>,
    /// When messages were published, from the one in front: what nobody else wants to know.
    times: TimeLog,
    passed: Option<u64>,
    place: TapPlace<T>,
}

impl<T: Carried> Ear<T> {
    pub(super) fn new(queue: Queue<T>, entry: Arc<TopicEntry<T>>, place: TapPlace<T>) -> Self {
        let (encoder, header, shared, times) = (Encoder::new(), Header::default(), None, TimeLog::default());
        let (tally, passed) = (Tally::new(entry), None);
        Self { queue, tally, encoder, header, shared, times, passed, place }
    }
}

impl<T: Carried> Ear<T> {
    /// Shows the message in front to `take`, encoded, while nobody else listens, and passes it if that takes
    /// it: whether it has. `None`: there is none below `below`.
    #[inline]
    fn take_alone(
        &mut self,
        below: u64,
        take: &mut dyn FnMut(&Header, &[u8]) -> bool,
    ) -> Option<Result<bool, WireError>> {
        let Self { queue, tally, encoder, times, passed, .. } = self;
        let front = queue.peek().filter(|front| front.stamp < below)?;
        let stamp = front.stamp;
        // Another may have come meanwhile: nothing is forgotten that it asks for.
        let published = tally.entry.tap.published(tally.entry.topic(), times, stamp, 0);
        match front.message.to_wire(tally.entry.kind(), published, encoder) {
            Ok((header, bytes)) if take(&header, bytes) => {}
            Ok(_) => return Some(Ok(false)),
            Err(error) => return Some(Err(error)),
        }
        *passed = Some(stamp);
        pass(tally, queue);
        Some(Ok(true))
    }

    fn seen(&mut self, seen: usize) -> usize {
        self.tell();
        seen
    }
}

/// Passes the message in front, which was taken: should its destructor panic, it was all the same, and
/// whoever reads on does not mistake the next one for it. The hook of panics has told of it.
#[inline]
fn pass<T: Carried>(tally: &mut Tally<T>, queue: &mut Queue<T>) {
    tally.passed();
    if needs_drop::<T>() {
        let _panicked = StopReason::catch(|| queue.advance());
    } else {
        queue.advance();
    }
}

impl<T: Carried> Source for Ear<T> {
    counted_queue!();
}

impl<T: Carried> WireQueue for Ear<T> {
    fn kind(&self) -> Kind {
        self.tally.entry.kind()
    }

    fn peek(&mut self, below: u64) -> Option<Result<WireDelivery<'_>, WireError>> {
        let Self { queue, tally, encoder, header, shared, times, place: TapPlace { at, .. }, .. } = self;
        let Delivery { message, stamp, sender } = queue.peek().filter(|front| front.stamp < below)?;
        let (kind, tap, topic) = (tally.entry.kind(), &tally.entry.tap, tally.entry.topic());
        let (None, Some(at)) = (message.as_value(), *at) else {
            let value = message.as_value()?;
            return Some(Ok(WireDelivery::shared(value, kind, stamp, sender)));
        };
        if tap.is_alone() {
            let published = tap.published(topic, times, stamp, 0);
            return Some(message.to_wire(kind, published, encoder).map(|(of, bytes)| {
                *header = of;
                WireDelivery::new(header, bytes, kind, stamp, sender)
            }));
        }
        let value = tap.value(at, stamp, |keep_from| {
            let published = tap.published(topic, times, stamp, keep_from);
            let (header, bytes) = message.to_wire(kind, published, encoder)?;
            Ok(WireValue::new(header, bytes))
        });
        Some(value.map(|value| WireDelivery::shared(shared.insert(value), kind, stamp, sender)))
    }

    fn take_while(&mut self, below: u64, most: usize, take: &mut dyn FnMut(&Header, &[u8]) -> bool) -> usize {
        let mut seen = 0;
        while seen < most {
            // Whether anybody else listens is asked again now and then: one who comes needs none of these.
            let alone = self.place.at.is_some() && self.tally.entry.tap.is_alone();
            let begun = seen;
            while alone && seen < most.min(begun + ALONE_MAX) {
                match self.take_alone(below, take) {
                    Some(Ok(true)) => seen += 1,
                    Some(Ok(false)) | None => return self.seen(seen),
                    Some(Err(error)) => self.discard_unwritten(&error),
                }
            }
            if alone {
                continue;
            }
            match self.peek(below) {
                Some(Ok(delivery)) if take(delivery.header, delivery.bytes) => {
                    let stamp = delivery.stamp;
                    self.passed = Some(stamp);
                }
                Some(Ok(_)) | None => break,
                Some(Err(error)) => {
                    self.discard_unwritten(&error);
                    continue;
                }
            }
            pass(&mut self.tally, &mut self.queue);
            seen += 1;
        }
        self.seen(seen)
    }

    fn send_row(&mut self, below: u64, most: usize, row: &mut Row<'_>) -> Option<usize> {
        let (kind, _) = T::FIXED_ROW?;
        let Self { queue, tally, encoder, times, passed, place, .. } = self;
        if place.at.is_none() || !tally.entry.tap.is_alone() {
            return None;
        }
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let (mut sent, mut panicked) = (0, None);
        let take = |run: Visible<'_, T>| {
            let mut taken = 0;
            let send = || {
                for Delivery { message, stamp, .. } in run {
                    let published = tally.entry.tap.published(tally.entry.topic(), times, stamp, 0);
                    // A constant, so that it is no call to copy so many bytes.
                    let len = const { if let Some((_, len)) = T::FIXED_ROW { len } else { 0 } };
                    let bytes = message.to_row(encoder).filter(|bytes| bytes.len() == len);
                    let Some(bytes) = bytes.and_then(|bytes| bytes.get(..len)) else { return };
                    if !row.extend(kind, published, bytes) {
                        return;
                    }
                    (taken, *passed) = (taken + 1, Some(stamp));
                }
            };
            // Foreign code: what the link has before it panics is not to be sent again.
            panicked = catch_unwind(AssertUnwindSafe(send)).err();
            taken
        };
        queue.pass_runs((below, most), &mut sent, take);
        tally.passed_together(sent);
        if sent > 0 {
            self.tell();
        }
        if let Some(panicked) = panicked {
            resume_unwind(panicked);
        }
        Some(usize::try_from(sent).unwrap_or(usize::MAX))
    }

    fn read_array(&mut self, below: u64, of: &WireArray, out: &mut [u8]) -> usize {
        if T::ENCODED {
            let most = out.len() / of.stride;
            return self.take_while(below, most, &mut into_slots(of, out));
        }
        let (mut handled, mut at, mut releases) = (0, 0, Releases::new());
        let most = u32::try_from(out.len() / of.stride).unwrap_or(u32::MAX);
        let take = |run: Visible<'_, T>| {
            let values = run.map_while(|front| front.message.as_value());
            let taken = of.copy(values, &mut out[at..]);
            at += taken * of.stride;
            taken
        };
        let gone = |value: T| value.release(&mut releases);
        self.queue.take_runs((below, most), &mut handled, take, gone);
        drop(releases);
        self.tally.passed_together(handled);
        self.tell();
        usize::try_from(handled).unwrap_or(usize::MAX)
    }

    fn advance(&mut self) {
        self.tally.passed();
        self.queue.advance();
    }

    fn discard(&mut self) {
        self.queue.discard();
        self.tally.entry.count_dead_letter();
    }

    fn tell(&mut self) {
        self.queue.commit();
        self.tally.settle();
    }

    fn settle(&mut self) {
        self.tally.settle();
    }

    fn is_finished(&self) -> bool {
        self.queue.is_finished()
    }

    fn passed(&self) -> Option<u64> {
        self.passed
    }

    fn pass_up_to(&mut self, stamp: u64) {
        self.passed = Some(stamp);
        while self.queue.head().is_some_and(|head| head <= stamp) {
            self.tally.passed();
            self.queue.advance();
        }
        self.tell();
    }

    fn unread(&self) -> u64 {
        self.queue.unread()
    }

    fn leave(self: Box<Self>) -> u64 {
        self.queue.leave()
    }
}
