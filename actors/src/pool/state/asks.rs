//! Questions to one worker.
//!
//! A question may be large, and so may its answer. A future that waits for another one which holds the
//! question would hold it a second time, and would be moved with both. So it is taken where it begins, and
//! what seldom waits is boxed.

use std::future::Future;

use mycelium_mailbox::ReplyReceiver;
use tokio::sync::oneshot;

use super::{PoolRefusal, PoolState};
use crate::error::Asked;
use crate::isolate::stepped;
use crate::live::{Envelope, OfferRefusal};
use crate::recipient::BoxFuture;
use crate::reference::rare;
use crate::{Actor, ActorRef, AskError, Replies};

/// The worker of an isolate that has a question, and where its answer comes.
pub(in crate::pool) type BegunHere<A, R> = (ActorRef<A>, oneshot::Receiver<R>);

/// The wait of a question that no worker has yet.
pub(in crate::pool) type BeginLater<'a, A, R> = BoxFuture<'a, Result<BegunHere<A, R>, AskError>>;

/// Offers a question to a worker of an isolate, unless that is the one who asks.
fn give_here<A, Q>(
    worker: &ActorRef<A>,
    query: Q,
    itself: &mut bool,
) -> Result<BegunHere<A, A::Reply>, OfferRefusal<Q>>
where
    A: Replies<Q>,
    Q: Send + 'static,
{
    let is_current = worker.is_current();
    *itself |= is_current;
    match is_current {
        false => worker.offer_query(query).map(|answer| (worker.clone(), answer)),
        true => Err(OfferRefusal::Gone(query)),
    }
}

impl<A: Actor> PoolState<A> {
    /// In an isolate: queues the query for a worker, which is not the one that asks; else what is ready when
    /// that is done, or cannot be.
    pub(in crate::pool) fn begin_here<Q>(
        &self,
        query: Q,
    ) -> Result<BegunHere<A, A::Reply>, BeginLater<'_, A, A::Reply>>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let (key, mut itself) = (self.key_of(&query), false);
        let offered = self.offer(key, query, |worker, query| give_here(worker, query, &mut itself));
        offered.map_err(|refused| rare(move || self.begin_later(key, refused, itself)))
    }

    /// Ready when a query that was offered in vain is queued. `itself`: the one who asks may have it, and no
    /// other one took it.
    async fn begin_later<Q>(
        &self,
        key: Option<u64>,
        refused: PoolRefusal<Q>,
        mut itself: bool,
    ) -> Result<BegunHere<A, A::Reply>, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let offered = match refused {
            PoolRefusal::Full(query) => {
                let give = |worker: &_, query| give_here(worker, query, &mut itself);
                self.wait_to_offer(key, query, ActorRef::lane_for_query::<Q>, give).await
            }
            gone => Err(gone),
        };
        let refused = match offered {
            Ok(begun) => return Ok(begun),
            Err(_) if itself => AskError::itself(self.whose(key)),
            // The first one knows why: on another thread nobody seems alive.
            Err(_) => match self.worker(0).map(|first| first.why_not()) {
                None | Some(AskError::Stopped(_)) => AskError::stopped(Asked::of(self.whose(key))),
                Some(other) => other,
            },
        };
        stepped(Err(refused)).await
    }

    /// Live: ready when the query is in the inbox of a worker, with what waits for its answer.
    pub(in crate::pool) fn begin<Q>(
        &self,
        query: Q,
    ) -> impl Future<Output = Result<(ActorRef<A>, ReplyReceiver<A::Reply>), AskError>> + Send + use<'_, A, Q>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let key = self.key_of(&query);
        let (reply, answer) = mycelium_mailbox::reply();
        let envelope = Envelope::query(query, reply);
        async move { Ok((self.begin_envelope(key, envelope).await?, answer)) }
    }

    async fn begin_envelope(&self, key: Option<u64>, envelope: Envelope<A>) -> Result<ActorRef<A>, AskError> {
        let mut itself = false;
        let mut give = |worker: &ActorRef<A>, envelope| {
            let is_current = worker.is_current();
            itself |= is_current;
            match is_current {
                false => worker.offer_envelope(envelope).map(|()| worker.clone()),
                true => Err(OfferRefusal::Gone(envelope)),
            }
        };
        let offered = match self.offer(key, envelope, &mut give) {
            Err(PoolRefusal::Full(envelope)) => {
                Box::pin(self.wait_to_offer(key, envelope, |_| None, give)).await
            }
            other => other,
        };
        match offered {
            Ok(worker) => Ok(worker),
            Err(_) if itself => Err(AskError::itself(self.whose(key))),
            Err(_) => Err(AskError::stopped(Asked::of(self.whose(key)))),
        }
    }
}
