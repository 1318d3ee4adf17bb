//! References to actors of other buses, for messages of one type.

use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::TrySendError;
use mycelium_mailbox::wire::Wire;
use mycelium_remote::link::Taken;
use tokio::runtime::Handle;

use super::expose::write;
use super::hub::Hub;
use super::mailbox::{Letter, NAME, RemoteMailbox, not_asked};
use crate::live::{CancelPoint, block_on, cancellable, poll_turn, turn};
use crate::recipient::{Accepting, Answering, BoxFuture, RecipientOf};
use crate::reference::{Target, sealed};
use crate::wire::{Carried, Kind, WireValue};
use crate::{ActorId, AskError, Identity, Recipient, RemoteError, ReplyRecipient, StopReason, TellError};

/// An actor of another bus, or one that is exposed on this one, for messages of one type.
struct RemoteRef<M> {
    mailbox: Arc<RemoteMailbox>,
    hub: Weak<Hub>,
    of: PhantomData<fn(M)>,
}

pub(super) fn recipient<M: Wire>(mailbox: Arc<RemoteMailbox>, hub: Weak<Hub>) -> Recipient<M> {
    Recipient::of(RemoteRef { mailbox, hub, of: PhantomData })
}

pub(super) fn reply_recipient<Q: Wire, R: Wire>(
    mailbox: Arc<RemoteMailbox>,
    hub: Weak<Hub>,
) -> ReplyRecipient<Q, R> {
    ReplyRecipient::of(RemoteRef { mailbox, hub, of: PhantomData })
}

impl<M: Wire> RemoteRef<M> {
    const TOLD: Taken = Taken { type_id: M::TYPE_ID, asked: false };
    const ASKED: Taken = Taken { type_id: M::TYPE_ID, asked: true };

    /// Somebody of this very bus.
    fn local<R: Clone + 'static>(&self, taken: Taken) -> Option<Result<R, RemoteError>> {
        if !self.mailbox.is_own() {
            return None;
        }
        let hub = self.hub.upgrade()?;
        let Some(exposed) = hub.exposed(self.mailbox.name()) else { return Some(Err(RemoteError::NoActor)) };
        let door = exposed.door(taken).and_then(|door| door.recipient().downcast_ref::<R>().cloned());
        Some(door.ok_or(RemoteError::NotTaken))
    }
}

impl<M> sealed::Watchable for RemoteRef<M> {
    fn watched(&self) -> sealed::WatchRef {
        sealed::WatchRef(Target::Live(Arc::clone(&self.mailbox) as _))
    }
}

impl<M> RecipientOf for RemoteRef<M> {
    fn id(&self) -> ActorId {
        self.mailbox.id()
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn identity(&self) -> Identity {
        self.mailbox.identity()
    }

    fn is_alive(&self) -> bool {
        self.mailbox.reason().is_none()
    }

    fn ended(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(cancellable(self.mailbox.ended()))
    }
}

impl<M: Wire> Accepting<M> for RemoteRef<M> {
    fn poll_turn(&self, cx: &mut TaskContext<'_>, at: &mut Option<CancelPoint>) -> Poll<()> {
        poll_turn(cx, at)
    }

    fn offer(&self, message: M) -> Result<(), TellError<M>> {
        match self.local::<Recipient<M>>(Self::TOLD) {
            Some(Ok(recipient)) => return recipient.offer(message),
            Some(Err(error)) => return Err(self.mailbox.not_told(message, error)),
            None => {}
        }
        let gate = match self.mailbox.gate(Self::TOLD, 0) {
            Ok(Some(gate)) => gate,
            Ok(None) => return Err(TellError::Full(message, None)),
            Err(error) => return Err(self.mailbox.not_told(message, error)),
        };
        match write(&message) {
            Ok(value) if value.bytes().len() <= gate.longest => {
                match gate.port.offer(Letter { value, asks: None }) {
                    Ok(()) => Ok(()),
                    // Closed: the peer has just said something else, which whoever waits will see.
                    Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                        Err(TellError::Full(message, None))
                    }
                    Err(_) => Err(TellError::Full(message, None)),
                }
            }
            Ok(_) => Err(self.mailbox.not_told(message, RemoteError::TooLong)),
            Err(error) => Err(self.mailbox.not_told(message, error)),
        }
    }

    fn try_tell(&self, message: M) -> Result<(), TellError<M>> {
        self.offer(message).map_err(|error| match error {
            TellError::Full(message, None) => {
                TellError::Full(message, Some(Arc::new(self.mailbox.identity())))
            }
            other => other,
        })
    }

    fn tell(&self, message: M) -> BoxFuture<'_, Result<(), TellError<M>>> {
        Box::pin(async move {
            match self.local::<Recipient<M>>(Self::TOLD) {
                Some(Ok(recipient)) => return recipient.tell(message).await,
                Some(Err(error)) => return Err(self.mailbox.not_told(message, error)),
                None => {}
            }
            let value = match write(&message) {
                Ok(value) => value,
                Err(error) => return Err(self.mailbox.not_told(message, error)),
            };
            match self.mailbox.send(Self::TOLD, Letter { value, asks: None }).await {
                Ok(_) => Ok(()),
                Err(error) => Err(self.mailbox.not_told(message, error)),
            }
        })
    }

    fn tell_blocking(&self, message: M) -> Result<(), TellError<M>> {
        // By its path, an actor may turn out to be one of this bus; it is none of an isolate.
        block_on(Accepting::tell(self, message))
    }
}

impl<Q: Wire, R: Wire> Answering<Q, R> for RemoteRef<Q> {
    fn ask(&self, query: Q, limit: Option<Duration>) -> BoxFuture<'_, Result<R, AskError>> {
        Box::pin(async move {
            turn().await;
            match self.local::<ReplyRecipient<Q, R>>(Self::ASKED) {
                Some(Ok(recipient)) => {
                    return match limit {
                        Some(limit) => recipient.ask_within(query, limit).await,
                        None => recipient.ask(query).await,
                    };
                }
                Some(Err(error)) => return Err(AskError::remote(Some(self.mailbox.identity()), error)),
                None => {}
            }
            let of_bus = self.hub.upgrade().map(|hub| (hub.ask_limit(), hub.runtime().clone()));
            let Some((of_bus, runtime)) = of_bus else {
                return Err(AskError::remote(Some(self.mailbox.identity()), RemoteError::NotLinked));
            };
            let limit = limit.or(of_bus);
            let asked = self.asked(query, runtime, limit).await;
            asked.map_err(|error| error.of(self.mailbox.identity(), limit))
        })
    }
}

impl<Q: Wire> RemoteRef<Q> {
    async fn asked<R: Wire>(
        &self,
        query: Q,
        runtime: Handle,
        limit: Option<Duration>,
    ) -> Result<R, AskError> {
        let value = write(&query).map_err(not_asked)?;
        drop(query);
        let answer = self.mailbox.ask(runtime, Self::ASKED, value, limit).await?;
        let read = StopReason::catch(|| {
            R::from_wire(Kind::of::<R>(), answer.header(), answer.bytes(), WireValue::new)
        });
        let unreadable = || not_asked(RemoteError::Unanswerable);
        if answer.header().type_id != R::TYPE_ID {
            return Err(unreadable());
        }
        read.map_err(|_| unreadable())?.map_err(|_| unreadable())
    }
}
