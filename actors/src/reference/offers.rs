//! What a pool needs of its workers: to offer something to one after the other, to wait for one as long as it
//! is the right one, and to know when it has handled what it was sent.

use std::time::Duration;

use mycelium_mailbox::{LinePlace, ReplyReceiver};
use tokio::sync::oneshot;

use super::{ActorRef, ReferenceBackend};
use crate::isolate::Unqueued;
use crate::life::{Fence, Marker, Passed};
use crate::live::{Envelope, OfferRefusal, Wait};
use crate::{Actor, AskError, Replies, Takes};

impl<A: Actor> ActorRef<A> {
    /// Puts a marker into the actor's inbox.
    pub(crate) fn mark(&self, marker: Marker) {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.mark(marker),
            ReferenceBackend::Live(live) => live.mark(marker),
            ReferenceBackend::Nowhere(_) => {}
        }
    }

    /// The end of all that the actor was sent before.
    pub(crate) fn fence(&self) -> Passed {
        let (fence, passed) = Fence::new();
        self.mark(Marker::Fence(fence));
        passed
    }

    /// How much the actor has to do (messages).
    pub(crate) fn load(&self) -> usize {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.load(),
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => self.inbox_len(),
        }
    }

    /// Whether the code that runs is the actor's.
    pub(crate) fn is_current(&self) -> bool {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.is_current(),
            ReferenceBackend::Live(live) => live.is_current(),
            ReferenceBackend::Nowhere(_) => false,
        }
    }

    /// How long an ask waits that does not say it.
    pub(crate) fn ask_limit(&self) -> Option<Duration> {
        match &self.backend {
            ReferenceBackend::Live(live) => live.ask_limit(),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => None,
        }
    }

    /// A place in the line for room in the inbox of a live actor.
    pub(crate) fn place_in_line(&self) -> Option<LinePlace<'_>> {
        match &self.backend {
            ReferenceBackend::Live(live) => Some(live.inbox.place()),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => None,
        }
    }

    /// How a live actor that waits for room in this one's inbox is seen to wait.
    pub(crate) fn wait_for_room(&self) -> Wait {
        match &self.backend {
            ReferenceBackend::Live(live) => live.wait_for_room(),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Wait::Nothing,
        }
    }

    /// The same, where room at any worker of the pool that this is one of will do.
    pub(crate) fn wait_for_pool(&self) -> Wait {
        match &self.backend {
            ReferenceBackend::Live(live) => live.wait_for_pool(),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Wait::Nothing,
        }
    }

    /// The lane by which messages of this type come to an actor of an isolate.
    pub(crate) fn lane_for<M>(&self) -> Option<u32>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.lane_for::<M>(),
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => None,
        }
    }

    /// The lane by which queries of this type come to an actor of an isolate.
    pub(crate) fn lane_for_query<Q>(&self) -> Option<u32>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.lane_for_query::<Q>(),
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => None,
        }
    }

    /// Queues a query for an actor of an isolate.
    pub(crate) fn offer_query<Q>(&self, query: Q) -> Result<oneshot::Receiver<A::Reply>, OfferRefusal<Q>>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => {
                isolate.send_query(query).map_err(|unqueued| match unqueued {
                    Unqueued::Full(query, _) => OfferRefusal::Full(query),
                    Unqueued::Failed(query, _) => OfferRefusal::Gone(query),
                })
            }
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => Err(OfferRefusal::Gone(query)),
        }
    }

    /// Waits for the answer of an actor of an isolate to a query that was queued for it.
    pub(crate) async fn answered_here<R>(&self, answer: oneshot::Receiver<R>) -> Result<R, AskError> {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.answered(answer).await,
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => {
                Err(AskError::stopped(self.whom().sent()))
            }
        }
    }

    /// Waits in an isolate for its turn in any of these lanes, which lead to this actor and others.
    pub(crate) async fn room_in(&self, lanes: Vec<u32>) {
        if let ReferenceBackend::Isolate(isolate) = &self.backend {
            isolate.room_in(lanes).await;
        }
    }

    /// Why an actor that seems to have ended cannot be asked.
    pub(crate) fn why_not(&self) -> AskError {
        match &self.backend {
            ReferenceBackend::Isolate(isolate) => isolate.why_not(),
            ReferenceBackend::Live(_) | ReferenceBackend::Nowhere(_) => AskError::stopped(self.whom()),
        }
    }

    /// Queues an envelope for a live actor.
    pub(crate) fn offer_envelope(&self, envelope: Envelope<A>) -> Result<(), OfferRefusal<Envelope<A>>> {
        match &self.backend {
            ReferenceBackend::Live(live) => live.offer_envelope(envelope),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Err(OfferRefusal::Gone(envelope)),
        }
    }

    /// Waits for the answer of a live actor to a query that it was sent.
    pub(crate) async fn answered<R>(&self, answer: ReplyReceiver<R>) -> Result<R, AskError> {
        match &self.backend {
            ReferenceBackend::Live(live) => live.answered(answer).await,
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => {
                Err(AskError::stopped(self.whom().sent()))
            }
        }
    }
}
