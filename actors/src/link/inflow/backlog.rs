//! What waits in one channel: the first message was tried, the others come after it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::AsOf;
use mycelium_remote::link::Failure;

use super::{
    DirectMail, DoorRefusal, HeldAttempt, NotTaken, Relieved, Rests, Strand, WayBack, failed, poll,
    try_publish,
};
use crate::link::pending_answer::PendingAnswer;
use crate::live::{Begun, BusCore, published_before};
use crate::wire::WireValue;

pub(super) struct Backlog {
    pub(super) channel: u32,
    /// One at most, but where several backlogs have become one.
    pub(super) tried: Vec<Tried>,
    pub(super) others: VecDeque<BacklogEntry>,
}

/// A message that waits.
pub(super) struct BacklogEntry {
    /// The number of messages that had waited before.
    pub(super) arrival: u64,
    pub(super) value: WireValue,
    /// The round of its topic for which it has come: see [`AsOf`].
    pub(super) round: Option<u64>,
    pub(super) mail: Option<DirectMail>,
}

/// One that was tried.
pub(super) struct Tried {
    pub(super) strand: Strand,
    pub(super) type_id: u16,
    pub(super) bytes: usize,
    pub(super) attempt: HeldAttempt,
    /// What is told if it succeeds.
    pub(super) passed: Relieved,
    /// The question that is answered with a failure if it does not.
    pub(super) pending: Option<Arc<PendingAnswer>>,
}

/// A message that waits no more.
pub(super) struct Unheld {
    pub(super) type_id: u16,
    pub(super) bytes: usize,
    pub(super) passed: Relieved,
    /// Whether it is not outdated; what was said of it if it was not taken.
    pub(super) end: Result<bool, String>,
}

impl BacklogEntry {
    fn strand(&self) -> Strand {
        let topic = Strand::Topic(self.value.header().type_id);
        self.mail.as_ref().map_or(topic, |mail| Strand::Actor(mail.place))
    }

    fn rests(&self, rests: Rests) -> bool {
        match &self.mail {
            None => rests.topics_after.is_some_and(|arrived| self.arrival > arrived),
            Some(mail) => rests.questions && mail.way_back.is_some(),
        }
    }
}

impl Backlog {
    pub(super) fn new(channel: u32) -> Self {
        Self { channel, tried: Vec::new(), others: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tried.is_empty() && self.others.is_empty()
    }

    /// How many messages wait for this, and not for room.
    pub(super) fn resting(&self, rests: Rests) -> u64 {
        self.others.iter().filter(|held| held.rests(rests)).count() as u64
    }

    /// The strands of what waits.
    pub(super) fn strands(&self) -> impl Iterator<Item = Strand> {
        self.tried.iter().map(|tried| tried.strand).chain(self.others.iter().map(BacklogEntry::strand))
    }

    /// Messages that wait there wait here, in the order in which they have come.
    pub(super) fn join(&mut self, other: Self) {
        self.tried.extend(other.tried);
        self.others.extend(other.others);
        self.others.make_contiguous().sort_by_key(|held| held.arrival);
    }

    /// Lets go of the messages of this topic: how many, and how many bytes.
    pub(super) fn forget(&mut self, type_id: u16) -> (usize, usize) {
        let mut gone = (0, 0);
        let mut let_go = |strand, bytes| {
            let goes = strand == Strand::Topic(type_id);
            gone = if goes { (gone.0 + 1, gone.1 + bytes) } else { gone };
            goes
        };
        self.tried.retain(|tried| !let_go(tried.strand, tried.bytes));
        self.others.retain(|held| !let_go(held.strand(), held.value.bytes().len()));
        gone
    }

    /// Lets go of the questions whose time is over: their types, and how many bytes each has.
    pub(super) fn forget_late(&mut self, late: &mut Vec<(u16, usize)>) {
        let is_over = |pending: Option<&Arc<PendingAnswer>>| pending.is_some_and(|pending| pending.is_over());
        self.tried.retain(|tried| {
            let goes = is_over(tried.pending.as_ref());
            late.extend(goes.then_some((tried.type_id, tried.bytes)));
            !goes
        });
        self.others.retain(|held| {
            let way_back = held.mail.as_ref().and_then(|mail| mail.way_back.as_ref());
            let goes = is_over(way_back.and_then(WayBack::pending));
            late.extend(goes.then_some((held.value.header().type_id, held.value.bytes().len())));
            !goes
        });
    }

    /// The next message that waits no more.
    pub(super) fn poll(
        &mut self,
        core: &Arc<BusCore>,
        sender: u64,
        rests: Rests,
        cx: &mut TaskContext<'_>,
    ) -> Option<Unheld> {
        if self.tried.is_empty()
            && let Some(unheld) = self.attempt(core, sender, rests, cx)
        {
            return Some(unheld);
        }
        for at in 0..self.tried.len() {
            let tried = &mut self.tried[at];
            let Poll::Ready(result) = poll(&mut tried.attempt, cx) else { continue };
            let Tried { type_id, bytes, passed, pending, .. } = self.tried.remove(at);
            return Some(match result {
                Ok(published) => Unheld { type_id, bytes, passed, end: Ok(published) },
                Err(refusal) => unheld(type_id, bytes, passed, pending, refusal),
            });
        }
        None
    }

    /// Tries the next one; what is returned waits no more.
    fn attempt(
        &mut self,
        core: &Arc<BusCore>,
        sender: u64,
        rests: Rests,
        cx: &mut TaskContext<'_>,
    ) -> Option<Unheld> {
        let next = self.others.front().filter(|held| !held.rests(rests))?;
        let strand = next.strand();
        let BacklogEntry { value, round, mail, .. } = self.others.pop_front()?;
        let (type_id, bytes) = (value.header().type_id, value.bytes().len());
        let (passed, pending) = match &mail {
            None => (Relieved::Message(type_id), None),
            Some(mail) => (mail.passed(), mail.pending()),
        };
        let tried = match mail {
            None => try_topic(core, value, AsOf { sender, round }),
            Some(mut mail) => mail.enter(value.header(), value.bytes(), cx),
        };
        match tried {
            Ok(Begun::Over(published)) => Some(Unheld { type_id, bytes, passed, end: Ok(published) }),
            Ok(Begun::Waits(attempt)) => {
                self.tried.push(Tried { strand, type_id, bytes, attempt, passed, pending });
                None
            }
            Err(refusal) => Some(unheld(type_id, bytes, passed, pending, refusal)),
        }
    }
}

/// One that was refused.
fn unheld(
    type_id: u16,
    bytes: usize,
    passed: Relieved,
    pending: Option<Arc<PendingAnswer>>,
    refusal: DoorRefusal,
) -> Unheld {
    Unheld { type_id, bytes, passed: failed(passed, pending, refusal.failure), end: Err(refusal.text) }
}

/// Publishes, or has it wait.
fn try_topic(core: &Arc<BusCore>, value: WireValue, origin: AsOf) -> Result<Begun<HeldAttempt>, DoorRefusal> {
    match try_publish(core, value.header(), value.bytes(), origin) {
        Ok(published) => Ok(Begun::Over(published)),
        Err(NotTaken::Told(error)) => Err(DoorRefusal::new(Failure::Invalid, error)),
        Err(NotTaken::Full) => {
            let core = Arc::clone(core);
            Ok(Begun::Waits(Box::pin(async move {
                let mut publishing = pin!(core.publish_wire(value.header(), value.bytes(), Some(origin)));
                let at = value.header().publish_ns;
                let published = poll_fn(|cx| published_before(at, || publishing.as_mut().poll(cx))).await;
                published.map_err(|error| DoorRefusal::new(Failure::Invalid, error))
            })))
        }
    }
}
