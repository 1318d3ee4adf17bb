//! The message in hand when an actor fails: kept for its next life, or a dead letter.

use mycelium_mailbox::{Merge, Sources};

use super::super::address::Member;
use super::super::context::LiveContext;
use super::super::envelope::Envelope;
use super::super::source::{ActorSource, Inlet};
use super::Body;
use crate::dead_letters::{DeadLetter, DeadLetterCause};
use crate::{Actor, StopReason};

/// Where the message lies that is being handled.
pub(super) enum Hand<A: Actor> {
    Empty,
    /// In front of this source.
    Source(usize),
    /// A timer's message.
    Timer(Envelope<A>),
}

/// A message whose handler has failed and that the next life handles before all others.
pub(super) enum KeptMessage<A: Actor> {
    /// It is still in front of the one source that says so ([`ActorSource::take_kept`]).
    InFront,
    /// That of a timer.
    Timer(Envelope<A>),
}

/// What a dead letter says of the message itself.
#[derive(Clone, Copy)]
struct Message {
    name: &'static str,
    topic: Option<&'static str>,
    /// Whether its handler has taken it.
    taken: bool,
}

impl<A: Actor> Body<A> {
    /// A handler has failed: what is in hand is kept for the next life, or it is a dead letter.
    pub(super) fn keep_hand(&mut self, reason: &StopReason) {
        self.keep_or_bury(reason);
        // Who has unsubscribed holds nobody up until its next life.
        self.ctx.apply_changes(&mut self.sources);
    }

    fn keep_or_bury(&mut self, reason: &StopReason) {
        // Its last words, and its backoff, may take long.
        self.sources.commit();
        if matches!(self.hand, Hand::Empty) {
            return self.settle_attempts();
        }
        let again = self.attempts.fail();
        self.kept = match std::mem::replace(&mut self.hand, Hand::Empty) {
            Hand::Timer(envelope) if again && !envelope.is_by_value() => {
                Some(Box::new(KeptMessage::Timer(envelope)))
            }
            Hand::Source(source)
                if again && self.sources.get_mut(source).is_some_and(|source| source.keep()) =>
            {
                Some(Box::new(KeptMessage::InFront))
            }
            hand => {
                self.bury_hand(hand, reason);
                return self.sources.commit();
            }
        };
    }

    /// Unless it is kept for the next life, the last message is none to be tried again.
    fn settle_attempts(&mut self) {
        if self.kept.is_none() {
            self.attempts.settle();
        }
    }

    /// Handles the message that the last life failed on, if it is still there. Nothing else is handled
    /// before.
    #[cold]
    pub(super) async fn retry_kept(&mut self) -> bool {
        let Some(kept) = self.kept.take() else { return false };
        // Where it has unsubscribed meanwhile, the message has gone with the rest of the queue.
        let source = self.sources.iter_mut().position(|source| source.take_kept());
        let retries = source.is_some() || matches!(*kept, KeptMessage::Timer(_));
        if let Some(live) = self.ctx.as_live().filter(|_| retries) {
            live.core().dead_letters.count_retry();
        }
        match (*kept, source) {
            (KeptMessage::Timer(timer), _) => {
                self.hand = Hand::Timer(timer);
                self.handle_timer().await;
            }
            (KeptMessage::InFront, Some(source)) => {
                self.drain_front(source).await;
            }
            (KeptMessage::InFront, None) => {}
        }
        self.settle_attempts();
        retries
    }

    /// The actor ends while something is in hand.
    pub(super) fn lose_hand(&mut self, reason: &StopReason) {
        match std::mem::replace(&mut self.hand, Hand::Empty) {
            Hand::Empty => {}
            hand => {
                self.attempts.fail();
                self.bury_hand(hand, reason);
            }
        }
    }

    /// The message in hand is a dead letter.
    fn bury_hand(&mut self, hand: Hand<A>, reason: &StopReason) {
        let attempts = self.attempts.settle();
        let message = match hand {
            Hand::Empty => None,
            Hand::Source(source) => self.sources.get_mut(source).and_then(|source| discard(&mut **source)),
            Hand::Timer(envelope) => Some(of_timer(envelope)),
        };
        if let Some(message) = message {
            let cut_off = matches!(reason, StopReason::Shutdown | StopReason::Killed);
            let in_hand = DeadLetterCause::InHand { attempts };
            let cause = if message.taken { DeadLetterCause::Taken } else { in_hand };
            self.bury(message, 1, cause, reason, cut_off);
        }
    }

    /// The next life that a message was kept for does not come.
    fn bury_kept(&mut self, reason: &StopReason) {
        let Some(kept) = self.kept.take() else { return };
        let attempts = self.attempts.settle();
        let message = match *kept {
            KeptMessage::Timer(envelope) => Some(of_timer(envelope)),
            KeptMessage::InFront => {
                let source = self.sources.iter_mut().find_map(|source| source.take_kept().then_some(source));
                source.and_then(|source| discard(&mut **source))
            }
        };
        if let Some(message) = message {
            self.bury(message, 1, DeadLetterCause::InHand { attempts }, reason, true);
        }
    }

    /// Drops all sources; what waits in them becomes dead letters.
    pub(super) fn leave(&mut self, reason: &StopReason) {
        self.bury_kept(reason);
        self.ctx.apply_changes(&mut self.sources);
        let tree = self.fate.as_ref().and_then(|fate| fate.tree());
        if let Some(live) = self.ctx.as_live() {
            leave(live, &mut self.sources, tree, reason);
        }
    }

    /// `cut_off`: it would have been handled, had its actor not ended.
    fn bury(
        &mut self,
        message: Message,
        messages: u64,
        cause: DeadLetterCause,
        reason: &StopReason,
        cut_off: bool,
    ) {
        let tree = self.fate.as_ref().and_then(|fate| fate.tree());
        if let Some(live) = self.ctx.as_live() {
            put(live, message, messages, cause, reason, (tree, cut_off));
        }
    }
}

/// Drops all sources of an actor, of this tree if it is in one; what waits in them becomes dead letters.
pub(in crate::live) fn leave<A: Actor>(
    live: &LiveContext<A>,
    sources: &mut Sources<Inlet<A>>,
    tree: Option<u64>,
    reason: &StopReason,
) {
    while let Some(mut source) = sources.pop() {
        let topic = source.topic_name();
        let bury = |(name, messages)| {
            let message = Message { name, topic, taken: false };
            put(live, message, messages, DeadLetterCause::Waiting, reason, (tree, true));
        };
        while let Some(waiting) = source.abandon() {
            bury(waiting);
        }
        source.leave().into_iter().for_each(bury);
    }
}

/// See [`Body::bury`].
fn put<A: Actor>(
    live: &LiveContext<A>,
    message: Message,
    messages: u64,
    cause: DeadLetterCause,
    reason: &StopReason,
    (tree, cut_off): (Option<u64>, bool),
) {
    let (actor, at, reason) = (live.address.identity(), live.core().clock.now(), reason.clone());
    let Message { name: message, topic, .. } = message;
    let letter = DeadLetter { actor, message, topic, messages, cause, reason, at };
    live.core().dead_letters.put(letter, tree, cut_off);
}

fn discard<A: Actor>(source: &mut dyn ActorSource<A>) -> Option<Message> {
    let (topic, taken) = (source.topic_name(), source.is_taken());
    source.discard().map(|name| Message { name, topic, taken })
}

fn of_timer<A: Actor>(envelope: Envelope<A>) -> Message {
    let taken = envelope.is_by_value();
    Message { name: envelope.discard(), topic: None, taken }
}
