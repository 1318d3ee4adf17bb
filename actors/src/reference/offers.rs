//! What a pool needs of its workers: to offer something to one after the other, to wait for one as long as it
//! is the right one, and to know when it has handled what it was sent.

use std::time::Duration;

use mycelium_mailbox::ReplyReceiver;

use super::{ActorRef, ReferenceBackend};
use crate::life::{Fence, Marker, Passed};
use crate::live::{Envelope, OfferRefusal, Unsent};
use crate::{Actor, AskError, Takes};

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

    /// Waits for room for a message that was offered in vain, and puts it there if `leave` is given then,
    /// which is kept meanwhile. In an isolate it comes back, to be offered again.
    pub(crate) async fn wait_to_tell<M, G>(
        &self,
        message: M,
        leave: impl Fn() -> Option<G>,
    ) -> Result<(), Unsent<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match &self.backend {
            ReferenceBackend::Live(live) => {
                let sent = live.wait_to_send(Envelope::message(message), leave).await;
                // An envelope made from an `M` always gives one back.
                sent.or_else(|unsent| unsent.and_then(Envelope::into_message).map_or(Ok(()), Err))
            }
            ReferenceBackend::Isolate(isolate) => match isolate.is_current() {
                // What waits for it does not become less while it waits.
                true => Err(Unsent::Full(message)),
                false => {
                    isolate.room().await;
                    Err(Unsent::Moved(message))
                }
            },
            ReferenceBackend::Nowhere(_) => Err(Unsent::Closed(message)),
        }
    }

    /// Queues an envelope for a live actor.
    pub(crate) fn offer_envelope(&self, envelope: Envelope<A>) -> Result<(), OfferRefusal<Envelope<A>>> {
        match &self.backend {
            ReferenceBackend::Live(live) => live.offer_envelope(envelope),
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Err(OfferRefusal::Gone(envelope)),
        }
    }

    /// The same for an envelope that was offered to a live actor in vain.
    pub(crate) async fn wait_to_send<G>(
        &self,
        envelope: Envelope<A>,
        leave: impl Fn() -> Option<G>,
    ) -> Result<(), Unsent<Envelope<A>>> {
        match &self.backend {
            ReferenceBackend::Live(live) => live.wait_to_send(envelope, leave).await,
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Err(Unsent::Closed(envelope)),
        }
    }

    /// Waits for the answer of a live actor to a query that it was sent.
    pub(crate) async fn answered<R>(&self, answer: ReplyReceiver<R>) -> Result<R, AskError> {
        match &self.backend {
            ReferenceBackend::Live(live) => live.answered(answer).await,
            ReferenceBackend::Isolate(_) | ReferenceBackend::Nowhere(_) => Err(AskError::Stopped),
        }
    }
}
