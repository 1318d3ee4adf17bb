//! What a topic of an isolate retains for late subscribers.
//!
//! Messages are retained when they are published, as live: a subscriber that comes while a message is still
//! on its way gets it among the retained, and not a second time. A topic that retains is never "open"
//! ([`Gauge`](super::gauge::Gauge)), so that each of its publishes comes here, and no other does.

use std::cell::{Cell, RefCell};

use mycelium_mailbox::{Backlog, Held, Lent, Offered, Shared, WhenFull};

use super::core::{Event, EventPlace, IsolateCore, Refusal};
use super::lane::Lane;
use super::{Isolate, let_go};
use crate::subscription::Keep;
use crate::{Message, Retention, SpawnError};

/// The retained messages of one topic.
pub(crate) struct Retained<M> {
    keep: Keep<M>,
    clone: fn(&M) -> M,
    /// In the order in which they were published.
    kept: RefCell<Backlog<One<M>>>,
    evicted: Cell<u64>,
    given: Cell<u64>,
}

/// When a retained message was published, by whom, and where in the order of all events.
#[derive(Clone, Copy)]
pub(crate) struct PublishedAt {
    pub(crate) at: i64,
    pub(crate) sender: u32,
    pub(crate) place: EventPlace,
}

/// A retained message.
pub(crate) struct One<M> {
    pub(crate) published: PublishedAt,
    message: Shared<M>,
}

impl<M> Clone for One<M> {
    fn clone(&self) -> Self {
        Self { message: self.message.clone(), ..*self }
    }
}

impl<M: 'static> One<M> {
    pub(crate) fn lend(&self) -> Lent<'_, M> {
        self.message.lend()
    }
}

/// A store for as many messages as are retained.
fn store<M>(keep: &Keep<M>) -> Backlog<One<M>> {
    match keep {
        Keep::Last(messages) => Backlog::new(WhenFull::DropOldest, *messages),
        Keep::LastPerKey(_, keys_max) => Backlog::new(WhenFull::Conflate, *keys_max),
    }
}

impl<M: 'static> Retained<M> {
    fn new(keep: Keep<M>, clone: fn(&M) -> M) -> Self {
        let kept = RefCell::new(store(&keep));
        Self { keep, clone, kept, evicted: Cell::new(0), given: Cell::new(0) }
    }

    /// Retains a message, and returns what it takes the place of.
    fn put(&self, key: u64, published: PublishedAt, message: M) -> Option<One<M>> {
        match self.kept.borrow_mut().offer(One { published, message: Shared::of(message) }, key) {
            Offered::Stored => None,
            Offered::DroppedOldest(old) => {
                let forgotten = u64::from(matches!(self.keep, Keep::LastPerKey(..)));
                self.evicted.set(self.evicted.get() + forgotten);
                Some(old)
            }
            Offered::Conflated(old) | Offered::DroppedNewest(old) | Offered::Refused(old) => Some(old),
        }
    }

    /// What somebody who comes now is given, of those that `hears` says.
    pub(crate) fn give(&self, hears: impl Fn(u32) -> bool) -> Vec<One<M>> {
        let mut given = Vec::new();
        self.kept.borrow().for_each(|one| {
            if hears(one.published.sender) {
                given.push(one.clone());
            }
        });
        self.given.set(self.given.get() + given.len() as u64);
        given
    }

    /// How many it retains, has given, and has forgotten because of too many keys.
    pub(crate) fn counts(&self) -> [u64; 3] {
        [self.kept.borrow().len() as u64, self.given.get(), self.evicted.get()]
    }

    /// Lets go of all messages.
    pub(crate) fn clear(&self) {
        drop(self.kept.replace(store(&self.keep)));
    }
}

impl<M: 'static> Lane<M> {
    /// What it retains, if it does.
    pub(crate) fn retained(&self) -> Option<&Retained<M>> {
        self.retained.get().map(|retained| &**retained)
    }

    pub(crate) fn retain(&self, retained: Retained<M>) {
        if self.retained.set(Box::new(retained)).is_ok() {
            self.gauge.retains();
        }
    }
}

impl IsolateCore {
    /// Queues the message for the subscribers of a topic that is not open.
    #[cold]
    pub(super) fn publish_refused<M: 'static>(
        &self,
        topic: &Lane<M>,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        match topic.retained() {
            Some(retained) => self.publish_retained(retained, topic, sender, message),
            None if topic.heard() => Err(topic.refusal(sender)),
            None => self.nobody_listens(sender, message),
        }
    }

    fn publish_retained<M: 'static>(
        &self,
        retained: &Retained<M>,
        topic: &Lane<M>,
        sender: u32,
        message: &mut Held<M, impl Sized>,
    ) -> Result<(), Refusal> {
        if self.closed.get() {
            return Err(Refusal::Closed);
        }
        let Some((published, with)) = message.take_all() else { return Ok(()) };
        // Both are foreign code, which may do anything: before anything is looked at. A panic loses the
        // message, and nobody has it.
        let copy = (retained.clone)(&published);
        let key = match retained.keep {
            Keep::Last(_) => 0,
            Keep::LastPerKey(key, _) => key(&published),
        };
        let its_place = PublishedAt { at: self.now.get(), sender, place: self.place_of_next() };
        let refusal = match topic.heard() {
            true if topic.gauge.is_refused() => Some(topic.refusal(sender)),
            true => (!self.order.try_push(Event { lane: topic.index(), of: sender }))
                .then_some(Refusal::Full(None)),
            false => None,
        };
        if let Some(refusal) = refusal {
            *message = Held::new(published, with);
            let_go(copy);
            return Err(refusal);
        }
        if topic.heard() {
            topic.write(published);
        } else {
            let mut unheard = Held::new(published, ());
            if let Err(refusal) = self.nobody_listens(sender, &mut unheard) {
                *message = unheard
                    .take()
                    .map_or_else(|| unreachable!("a refused message stays"), |back| Held::new(back, with));
                let_go(copy);
                return Err(refusal);
            }
        }
        let_go(retained.put(key, its_place, copy));
        Ok(())
    }
}

impl Isolate {
    /// Has the topic of `M` retain messages for subscribers that come late and ask for them, as
    /// [`BusBuilder::retain`](crate::BusBuilder::retain) does it for a live bus. Call it before `M` is
    /// published; a second call for the same message changes nothing.
    ///
    /// # Errors
    /// [`SpawnError::DuplicateTypeId`] when another message type has this `TYPE_ID` here.
    pub fn retain<M: Message>(&mut self, retention: Retention<M>) -> Result<&mut Self, SpawnError> {
        let topic = self.core.topic::<M>()?;
        topic.retain(Retained::new(retention.keep, M::clone));
        Ok(self)
    }
}
