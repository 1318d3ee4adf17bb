//! Messages from a peer on their way into the topics of this bus.
//!
//! Messages that have room are published from where they lie in the buffer of the connection. The others
//! wait here, by channels: a full subscriber keeps its channel waiting and no other. How much waits is
//! bounded by the credit that the peer was granted. `backlog.rs` is what waits in one channel.

mod backlog;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::{AsOf, caught};
use mycelium_remote::frame::{Header, Run};
use mycelium_remote::link::{Failure, Question};

use self::backlog::{Backlog, BacklogEntry, Tried, Unheld};
use super::TARGET;
use super::expose::{Door, DoorRefusal, WayBack};
use super::interest::{Interest, find};
use super::pending_answer::PendingAnswer;
use crate::live::{Begun, BusCore, header_of, published_before};
use crate::wire::WireValue;
use crate::{StopReason, WirePublishError};

/// A publish, or a message to one actor, that waits for room. Whether the message is not outdated.
type HeldAttempt = Pin<Box<dyn Future<Output = Result<bool, DoorRefusal>> + Send>>;

/// Channels of actors that receive no topic of the peer begin here: above those of topics.
const OWN_CHANNELS: u32 = 1 << 16;

/// What waits no more, or was never to wait.
#[derive(Clone, Copy)]
pub(super) enum Relieved {
    /// A message of this type.
    Message(u16),
    /// A message told to the mailbox at this place.
    Told(usize),
    /// A question that its actor has: it is passed when it is answered.
    Asked,
    /// A question that will have no answer.
    Failed(Question, Failure),
}

/// A message for one actor.
pub(super) struct DirectMail {
    pub(super) place: usize,
    pub(super) door: Arc<dyn Door>,
    pub(super) way_back: Option<WayBack>,
}

impl DirectMail {
    /// What is to be told when it has entered.
    fn passed(&self) -> Relieved {
        if self.way_back.is_some() { Relieved::Asked } else { Relieved::Told(self.place) }
    }
}

/// What waits for something else than room. A pause is for what is published; what is told and asked is not
/// refused.
#[derive(Clone, Copy)]
struct Rests {
    /// What has come after so many messages of topics and actors that waited.
    topics_after: Option<u64>,
    questions: bool,
}

/// What keeps its order: a topic, or what is written to the actor at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strand {
    Topic(u16),
    Actor(usize),
}

pub(super) struct Inflow {
    core: Arc<BusCore>,
    /// Whose messages they are.
    sender: u64,
    wanted: Arc<Interest>,
    /// The channels of topics that actors have, by their places.
    actors: Vec<Option<u16>>,
    channels: Vec<Backlog>,
    /// The numbers of channels of which something waited when channels changed, each with that of the
    /// backlog: they stay with it until it is empty, so that none of their messages passes those that wait
    /// there.
    homes: BTreeMap<u32, u32>,
    /// How many messages have waited.
    arrived: u64,
    held: usize,
    held_bytes: usize,
    held_bytes_max: usize,
    refused: u64,
    /// Messages for subscribers who had all left when they would have taken their place.
    outdated: u64,
    /// Messages of topics that have come after so many wait.
    paused: Option<u64>,
    /// Questions wait: too many answers do.
    pub(super) questions_wait: bool,
}

impl Inflow {
    /// `held_bytes_max`: how much may wait here.
    pub(super) fn new(core: Arc<BusCore>, sender: u64, held_bytes_max: usize) -> Self {
        Self {
            core,
            sender,
            wanted: Arc::default(),
            actors: Vec::new(),
            channels: Vec::new(),
            homes: BTreeMap::new(),
            arrived: 0,
            held: 0,
            held_bytes: 0,
            held_bytes_max,
            refused: 0,
            outdated: 0,
            paused: None,
            questions_wait: false,
        }
    }

    /// Messages of topics that come from now on wait, whatever room there is; or no longer.
    pub(super) fn pause(&mut self, paused: bool) {
        if self.paused.is_some() != paused {
            self.paused = paused.then_some(self.arrived);
        }
    }

    /// Messages that have come since the pause has begun, and wait for its end.
    pub(super) fn late(&self) -> u64 {
        let rests = Rests { topics_after: self.paused, questions: false };
        self.channels.iter().map(|backlog| backlog.resting(rests)).sum()
    }

    /// Whether as much waits here as may.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes >= self.held_bytes_max
    }

    /// From now on types and actors are in these channels. Waiting messages are passed by nothing that
    /// comes later in a channel with them: where several backlogs belong to one channel now, they become
    /// one. A channel of which nothing waits is apart from all that wait, though it was with them before.
    pub(super) fn set_channels(&mut self, wanted: &Arc<Interest>, actors: Vec<Option<u16>>) {
        if Arc::ptr_eq(wanted, &self.wanted) && actors == self.actors {
            return;
        }
        (self.wanted, self.actors) = (Arc::clone(wanted), actors);
        let mut all: Vec<(BTreeSet<u32>, Backlog)> = Vec::new();
        for mut backlog in std::mem::take(&mut self.channels) {
            let mut channels: BTreeSet<u32> = backlog.strands().map(|strand| self.wished(strand)).collect();
            for at in (0..all.len()).rev() {
                if !all[at].0.is_disjoint(&channels) {
                    let (others, mut before) = all.remove(at);
                    channels.extend(others);
                    before.join(backlog);
                    backlog = before;
                }
            }
            all.push((channels, backlog));
        }
        self.homes.clear();
        for (channels, mut backlog) in all {
            // Nothing else is under this number: it is that of one of them alone.
            let Some(&home) = channels.first() else { continue };
            self.homes.extend(channels.into_iter().map(|channel| (channel, home)));
            backlog.channel = home;
            self.channels.push(backlog);
        }
    }

    /// Messages that wait for room.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Messages that were not taken.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Messages for subscribers who have left.
    pub(super) fn outdated(&self) -> u64 {
        self.outdated
    }

    /// For whom a message of this type is that comes now: for those because of whom the peer sends it.
    fn origin(&self, type_id: u16) -> AsOf {
        let round = find(&self.wanted, type_id).and_then(|wanted| wanted.round);
        AsOf { sender: self.sender, round }
    }

    /// A message has come. Whether it waits nowhere any more.
    pub(super) fn take(&mut self, header: &Header, bytes: &[u8]) -> bool {
        if self.held == 0 && self.paused.is_none() {
            match try_publish(&self.core, header, bytes, self.origin(header.type_id)) {
                Ok(published) => {
                    self.outdated += u64::from(!published);
                    return true;
                }
                Err(NotTaken::Full) => {}
                Err(NotTaken::Told(error)) => {
                    self.refuse(header.type_id, &error);
                    return true;
                }
            }
        }
        let channel = self.channel(Strand::Topic(header.type_id));
        self.hold(channel, header, bytes, None);
        false
    }

    /// Messages have come that share a frame: takes those in front, all of one type. How many of them wait
    /// nowhere any more, and how many wait.
    pub(super) fn take_row(&mut self, run: &mut Run<'_>) -> (u64, u64) {
        let Some(type_id) = run.next_type() else { return (0, 0) };
        let (origin, mut gone, mut waiting) = (self.origin(type_id), 0, 0);
        while self.held == 0 && self.paused.is_none() && run.next_type() == Some(type_id) {
            let (refused, published) = try_publish_row(&self.core, run, origin);
            gone += published;
            match refused {
                Ok(true) => {}
                Ok(false) => {
                    // Nor are those behind it for anybody.
                    while run.next_type() == Some(type_id) {
                        run.next();
                        gone += 1;
                        self.outdated += 1;
                    }
                }
                Err(NotTaken::Full) => break,
                Err(NotTaken::Told(error)) => {
                    // It is in front, and nobody takes it.
                    run.next();
                    gone += 1;
                    self.refuse(type_id, &error);
                }
            }
        }
        let channel = self.channel(Strand::Topic(type_id));
        while run.next_type() == Some(type_id)
            && let Some(entry) = run.next()
        {
            self.hold(channel, &header_of(&entry), entry.value, None);
            waiting += 1;
        }
        (gone, waiting)
    }

    /// A message for one actor has come; what has passed.
    pub(super) fn take_mail(
        &mut self,
        header: &Header,
        bytes: &[u8],
        mut mail: DirectMail,
        cx: &mut TaskContext<'_>,
    ) -> Option<Relieved> {
        let channel = self.channel(Strand::Actor(mail.place));
        let waits = self.questions_wait && mail.way_back.is_some();
        if waits || self.channels.iter().any(|backlog| backlog.channel == channel) {
            self.hold(channel, header, bytes, Some(mail));
            return None;
        }
        let (passed, pending) = (mail.passed(), mail.pending());
        match mail.enter(header, bytes, cx) {
            Ok(Begun::Over(_)) => Some(passed),
            Ok(Begun::Waits(attempt)) => {
                let (strand, type_id, bytes) = (Strand::Actor(mail.place), header.type_id, bytes.len());
                let at = self.place(channel);
                self.channels[at].tried.push(Tried { strand, type_id, bytes, attempt, passed, pending });
                self.held += 1;
                self.held_bytes += bytes;
                None
            }
            Err(refusal) => {
                self.refuse(header.type_id, &refusal.text);
                Some(failed(passed, pending, refusal.failure))
            }
        }
    }

    /// A message has come for an actor that takes none such.
    pub(super) fn refuse_mail(&mut self, type_id: u16) {
        self.refuse(type_id, "nobody takes it under the name of its mailbox");
    }

    fn hold(&mut self, channel: u32, header: &Header, bytes: &[u8], mail: Option<DirectMail>) {
        let (at, round) = (self.place(channel), self.origin(header.type_id).round);
        self.arrived += 1;
        let (arrival, value) = (self.arrived, WireValue::new(*header, bytes));
        self.channels[at].others.push_back(BacklogEntry { arrival, value, round, mail });
        self.held += 1;
        self.held_bytes += bytes.len();
    }

    /// The channel that messages of this strand wait in.
    fn channel(&self, strand: Strand) -> u32 {
        let wished = self.wished(strand);
        self.homes.get(&wished).copied().unwrap_or(wished)
    }

    /// The channel that this strand is to be in once nothing waits.
    fn wished(&self, strand: Strand) -> u32 {
        match strand {
            Strand::Topic(type_id) => {
                u32::from(find(&self.wanted, type_id).map_or(type_id, |wanted| wanted.channel))
            }
            Strand::Actor(place) => {
                let of_topics = self.actors.get(place).copied().flatten();
                of_topics.map_or(OWN_CHANNELS + place as u32, u32::from)
            }
        }
    }

    /// The backlog of this channel.
    fn place(&mut self, channel: u32) -> usize {
        let found = self.channels.iter().position(|backlog| backlog.channel == channel);
        found.unwrap_or_else(|| {
            self.channels.push(Backlog::new(channel));
            self.channels.len() - 1
        })
    }

    /// Publishes and delivers what has room by now until `stops`, and tells of each message that waits no
    /// more. Whether there were any. Actors answer meanwhile: `answered` says whether as much as may waits
    /// to be sent, and is asked before each message.
    pub(super) fn publish(
        &mut self,
        cx: &mut TaskContext<'_>,
        stops: impl Fn() -> bool,
        answered: impl Fn() -> bool,
        mut gone: impl FnMut(Relieved),
    ) -> bool {
        let before = self.held;
        if self.channels.is_empty() {
            self.homes.clear();
            return false;
        }
        for at in 0..self.channels.len() {
            while !stops() {
                self.questions_wait |= answered();
                let rests = Rests { topics_after: self.paused, questions: self.questions_wait };
                let unheld = self.channels[at].poll(&self.core, self.sender, rests, cx);
                let Some(Unheld { type_id, bytes, passed, end }) = unheld else { break };
                self.held -= 1;
                self.held_bytes -= bytes;
                match end {
                    Ok(published) => self.outdated += u64::from(!published),
                    Err(error) => self.refuse(type_id, &error),
                }
                gone(passed);
            }
        }
        self.channels.retain(|backlog| !backlog.is_empty());
        let Self { homes, channels, .. } = self;
        homes.retain(|_, channel| channels.iter().any(|backlog| backlog.channel == *channel));
        self.held < before
    }

    /// Nobody here wants messages of this type any more: lets go of those that wait, and says how many.
    pub(super) fn forget(&mut self, type_id: u16) -> u64 {
        let before = self.held;
        for backlog in &mut self.channels {
            let (messages, bytes) = backlog.forget(type_id);
            self.held -= messages;
            self.held_bytes -= bytes;
        }
        self.channels.retain(|backlog| !backlog.is_empty());
        (before - self.held) as u64
    }

    /// The time of questions is over that wait here: lets go of them.
    pub(super) fn forget_late(&mut self) {
        let mut late = Vec::new();
        for backlog in &mut self.channels {
            backlog.forget_late(&mut late);
        }
        self.channels.retain(|backlog| !backlog.is_empty());
        for (type_id, bytes) in late {
            self.held -= 1;
            self.held_bytes -= bytes;
            self.refuse(type_id, "the time of a question was over before its actor had room for it");
        }
    }

    fn refuse(&mut self, type_id: u16, error: &str) {
        self.refused += 1;
        // Each power of two: a peer does not fill the log.
        if self.refused.is_power_of_two() {
            let refused = self.refused;
            caught(
                || tracing::warn!(target: TARGET, type_id, refused, error, "a message from a peer was not taken"),
            );
        }
    }
}

impl DirectMail {
    fn pending(&self) -> Option<Arc<PendingAnswer>> {
        self.way_back.as_ref().and_then(WayBack::pending).map(Arc::clone)
    }

    /// Gives its actor the message, once; what is returned waits for room.
    fn enter(
        &mut self,
        header: &Header,
        bytes: &[u8],
        cx: &mut TaskContext<'_>,
    ) -> Result<Begun<HeldAttempt>, DoorRefusal> {
        // Foreign code: keys of pools, and destructors.
        let (door, way_back) = (&self.door, self.way_back.take());
        let entered = StopReason::catch(|| door.enter(header, bytes, way_back));
        let entered = entered.map_err(|panicked| DoorRefusal::new(Failure::Panicked, panicked))?;
        let Some(mut waiting) = entered? else { return Ok(Begun::Over(true)) };
        match poll(&mut waiting, cx) {
            Poll::Pending => Ok(Begun::Waits(Box::pin(async { waiting.await.map(|()| true) }))),
            Poll::Ready(result) => result.map(|()| Begun::Over(true)),
        }
    }
}

/// What is told of one that was refused.
fn failed(passed: Relieved, pending: Option<Arc<PendingAnswer>>, failure: Failure) -> Relieved {
    let question = pending.and_then(|pending| pending.give_up());
    question.map_or(passed, |question| Relieved::Failed(question, failure))
}

/// Polls code that may panic.
fn poll<T>(
    attempt: &mut Pin<Box<dyn Future<Output = Result<T, DoorRefusal>> + Send>>,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<T, DoorRefusal>> {
    StopReason::catch(|| attempt.as_mut().poll(cx))
        .unwrap_or_else(|panicked| Poll::Ready(Err(DoorRefusal::new(Failure::Panicked, panicked))))
}

enum NotTaken {
    /// There is no room.
    Full,
    /// It is not taken, for this reason.
    Told(String),
}

/// Publishes the messages of one type that are in front, until one is not taken: that one stays in front.
/// Whether it is not outdated, and how many were published.
fn try_publish_row(core: &BusCore, run: &mut Run<'_>, origin: AsOf) -> (Result<bool, NotTaken>, u64) {
    let mut published = 0;
    // Foreign code: `Clone` of messages, and keys.
    let tried = StopReason::catch(|| core.try_publish_row(run, origin, &mut published));
    (not_taken(tried), published)
}

fn not_taken(tried: Result<Result<bool, WirePublishError>, StopReason>) -> Result<bool, NotTaken> {
    match tried {
        Ok(Ok(published)) => Ok(published),
        Ok(Err(WirePublishError::Full { .. })) => Err(NotTaken::Full),
        Ok(Err(error)) => Err(NotTaken::Told(error.to_string())),
        Err(panicked) => Err(NotTaken::Told(panicked.to_string())),
    }
}

/// Publishes a message. Whether it is not outdated.
fn try_publish(core: &BusCore, header: &Header, bytes: &[u8], origin: AsOf) -> Result<bool, NotTaken> {
    // Foreign code: `Clone` of the message, and keys.
    let publish =
        || published_before(header.publish_ns, || core.try_publish_wire_as_of(header, bytes, origin));
    not_taken(StopReason::catch(publish))
}
