//! Messages to one worker of a pool.

use super::{PoolState, give};
use crate::isolate::{step, stepped};
use crate::reference::{Tellable, Telling, TellingLater, rare};
use crate::{Actor, ActorRef, Takes, TellError};

impl<A: Actor> PoolState<A> {
    pub(in crate::pool) fn tell<M>(&self, message: M) -> Telling<'_, M, Self>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        Telling::new(self, message)
    }

    /// Fails with what was offered in vain, or waits where there is room later.
    async fn refused<M>(&self, key: Option<u64>, error: TellError<M>) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match error {
            TellError::Full(message, _) => self.wait_to_tell(key, message).await,
            other => stepped(Err(self.named(key, other))).await,
        }
    }

    async fn wait_to_tell<M>(&self, key: Option<u64>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let mut elsewhere = None;
        let give = |worker: &_, message| give(worker, message, &mut elsewhere);
        let told = self.wait_to_offer(key, message, ActorRef::lane_for::<M>, give);
        let told = told.await;
        if told.is_err() {
            step().await;
        }
        // A sender that waits finds all of them full only if it would wait for itself.
        told.map_err(|refusal| match self.named(key, refusal.told(elsewhere)) {
            TellError::Full(message, whose) => TellError::Itself(message, whose),
            other => other,
        })
    }
}

impl<A, M> Tellable<M> for PoolState<A>
where
    A: Takes<M>,
    M: Send + 'static,
{
    #[inline]
    fn takes_turns(&self) -> bool {
        self.is_live
    }

    #[inline]
    fn tell_now(&self, message: M) -> Result<(), TellingLater<'_, M>> {
        let key = self.key_of(&message);
        match self.offer_message(key, message) {
            Ok(()) => Ok(()),
            Err(error) => Err(rare(move || self.refused(key, error))),
        }
    }
}
