//! Messages and queries that an actor takes by value.

use std::cell::RefCell;

use mycelium_mailbox::Play;

use super::{Called, Handled, PendingRequest};
use crate::error::short_type_name;
use crate::isolate::seat::Bundle;
use crate::life::{self, Witness};
use crate::{Replies, Takes};

/// A message or query that waits in a lane to be taken.
pub(crate) struct Takeable<M>(RefCell<Option<M>>);

impl<M> Takeable<M> {
    pub(crate) fn new(message: M) -> Self {
        Self(RefCell::new(Some(message)))
    }

    fn take(&self) -> Option<M> {
        self.0.borrow_mut().take()
    }
}

impl<M: Clone> Clone for Takeable<M> {
    fn clone(&self) -> Self {
        Self(RefCell::clone(&self.0))
    }
}

/// Plays a message that the actor takes.
pub(crate) struct TakeStep;

impl<A: Takes<M>, M: 'static> Play<Bundle<A>, Takeable<M>> for TakeStep {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, message: &Takeable<M>) -> Handled<A> {
        match message.take() {
            Some(message) => life::take(&mut bundle.actor, message, &mut bundle.ctx).await,
            None => Ok(()),
        }
    }
}

impl<A: Takes<M>, M: 'static> Called<A, Takeable<M>> for TakeStep {
    type Seen = TakeSeen;
    const BY_VALUE: bool = true;

    fn name() -> &'static str {
        short_type_name::<M>()
    }
}

/// The same, while a probe looks on.
pub(crate) struct TakeSeen;

impl<A: Takes<M>, M: 'static> Play<Bundle<A>, Takeable<M>> for TakeSeen {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, message: &Takeable<M>) -> Handled<A> {
        life::seen(Witness::of::<A, M>(&bundle.ctx), TakeStep::play(bundle, message)).await
    }
}

/// Plays a query that the actor takes.
pub(crate) struct ReplyStep;

impl<A: Replies<Q>, Q: 'static> Play<Bundle<A>, PendingRequest<Takeable<Q>, A::Reply>> for ReplyStep {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, asked: &PendingRequest<Takeable<Q>, A::Reply>) -> Handled<A> {
        // Taken first, so that whoever asked knows at once if this play is dropped.
        let back = asked.reply.take();
        let Some(query) = asked.query.take() else { return Ok(()) };
        let reply = life::reply(&mut bundle.actor, query, &mut bundle.ctx).await;
        if let Some(back) = back {
            // The asker may have stopped waiting.
            let _ = back.send(reply);
        }
        Ok(())
    }
}

impl<A: Replies<Q>, Q: 'static> Called<A, PendingRequest<Takeable<Q>, A::Reply>> for ReplyStep {
    type Seen = ReplySeen;
    const BY_VALUE: bool = true;

    fn name() -> &'static str {
        short_type_name::<Q>()
    }
}

/// The same, while a probe looks on.
pub(crate) struct ReplySeen;

impl<A: Replies<Q>, Q: 'static> Play<Bundle<A>, PendingRequest<Takeable<Q>, A::Reply>> for ReplySeen {
    type Output = Handled<A>;

    async fn play(bundle: &mut Bundle<A>, asked: &PendingRequest<Takeable<Q>, A::Reply>) -> Handled<A> {
        life::seen(Witness::of::<A, Q>(&bundle.ctx), ReplyStep::play(bundle, asked)).await
    }
}
