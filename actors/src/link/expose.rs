//! Actors of this bus that peers may tell and ask, and the way of their messages in.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use mycelium_mailbox::wire::{Encoder, Wire};
use mycelium_mailbox::{Query, ReplySender};
use mycelium_remote::frame::Header;
use mycelium_remote::link::{Failure, Taken};

use super::pending_answer::{AnswerBytes, PendingAnswer};
use crate::error::Asked;
use crate::recipient::BoxFuture;
use crate::wire::{Carried, Kind, WireValue};
use crate::{ActorId, AskError, Recipient, RemoteError, ReplyRecipient, StopReason, TellError};

/// What buses of other processes may tell and ask an actor: for [`MessageBus::expose`] and
/// [`Child::exposed`](crate::tree::Child::exposed).
///
/// [`MessageBus::expose`]: crate::MessageBus::expose
#[derive(Clone, Default)]
#[must_use = "nobody finds it before `MessageBus::expose`"]
pub struct Exposed {
    doors: Vec<Arc<dyn Door>>,
}

impl Exposed {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// It takes this message.
    pub fn takes<M: Wire>(self, recipient: impl Into<Recipient<M>>) -> Self {
        self.with(TellDoor(recipient.into()))
    }

    /// It answers this query with the message that the contract gives (`reply`).
    pub fn answers<Q>(self, recipient: impl Into<ReplyRecipient<Q>>) -> Self
    where
        Q: Query + Wire,
        Q::Reply: Wire,
    {
        self.with(AskDoor(recipient.into()))
    }

    pub(super) fn with(mut self, door: impl Door + 'static) -> Self {
        self.doors.retain(|other| other.taken() != door.taken());
        self.doors.push(Arc::new(door));
        self
    }

    pub(super) fn doors(&self) -> &[Arc<dyn Door>] {
        &self.doors
    }

    /// The door for such messages.
    pub(super) fn door(&self, taken: Taken) -> Option<&Arc<dyn Door>> {
        self.doors.iter().find(|door| door.taken() == taken)
    }
}

impl fmt::Debug for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.doors.iter().map(|door| door.kind().name)).finish()
    }
}

/// A child of a tree that is exposed, whichever actor it is by now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExposedChild {
    /// The number of the tree.
    pub(super) tree: u64,
    pub(super) path: Arc<str>,
}

/// A message that waits for room in the mailbox of its actor.
pub(super) type WaitsForRoom = BoxFuture<'static, Result<(), DoorRefusal>>;

/// Why a message from a peer was not taken.
pub(super) struct DoorRefusal {
    pub(super) failure: Failure,
    pub(super) text: String,
}

impl DoorRefusal {
    pub(super) fn new(failure: Failure, text: impl fmt::Display) -> Self {
        Self { failure, text: text.to_string() }
    }
}

/// The way of messages of one type to one actor.
pub(super) trait Door: Send + Sync {
    fn kind(&self) -> Kind;
    fn taken(&self) -> Taken;
    fn actor(&self) -> ActorId;
    fn is_alive(&self) -> bool;
    /// Ready when the actor has ended: why.
    fn ended(&self) -> BoxFuture<'static, StopReason>;
    /// The recipient, for senders of this bus.
    fn recipient(&self) -> &dyn Any;
    /// Gives the actor the message; what is returned waits for room. `way_back`: where the answer goes.
    fn enter(
        &self,
        header: &Header,
        bytes: &[u8],
        way_back: Option<WayBack>,
    ) -> Result<Option<WaitsForRoom>, DoorRefusal>;
}

/// Where the answer to a question goes.
pub(super) enum WayBack {
    Peer(Arc<PendingAnswer>),
    /// To somebody of this very bus.
    Here(ReplySender<Result<WireValue, AskError>>),
}

impl WayBack {
    /// The question, if a peer has put it.
    pub(super) fn pending(&self) -> Option<&Arc<PendingAnswer>> {
        match self {
            Self::Peer(pending) => Some(pending),
            Self::Here(_) => None,
        }
    }
}

/// What a door says of the actor behind it, whose recipient it holds.
macro_rules! those_of_its_recipient {
    () => {
        fn actor(&self) -> ActorId {
            self.0.id()
        }

        fn is_alive(&self) -> bool {
            self.0.is_alive()
        }

        fn ended(&self) -> BoxFuture<'static, StopReason> {
            let recipient = self.0.clone();
            Box::pin(async move { recipient.ended().await })
        }

        fn recipient(&self) -> &dyn Any {
            &self.0
        }
    };
}

struct TellDoor<M>(Recipient<M>);
struct AskDoor<Q: Query>(ReplyRecipient<Q>);

/// The message, decoded and validated.
fn read<M: Wire>(header: &Header, bytes: &[u8]) -> Result<M, DoorRefusal> {
    let read = StopReason::catch(|| M::from_wire(Kind::of::<M>(), header, bytes, WireValue::new));
    read.map_err(|panicked| DoorRefusal::new(Failure::Panicked, panicked))?
        .map_err(|error| DoorRefusal::new(Failure::Invalid, error))
}

fn not_told<M>(error: &TellError<M>) -> DoorRefusal {
    DoorRefusal::new(Failure::Stopped, error)
}

impl<M: Wire> Door for TellDoor<M> {
    fn kind(&self) -> Kind {
        Kind::of::<M>()
    }

    fn taken(&self) -> Taken {
        Taken { type_id: M::TYPE_ID, asked: false }
    }

    those_of_its_recipient!();

    fn enter(
        &self,
        header: &Header,
        bytes: &[u8],
        _: Option<WayBack>,
    ) -> Result<Option<WaitsForRoom>, DoorRefusal> {
        match self.0.offer(read::<M>(header, bytes)?) {
            Ok(()) => Ok(None),
            Err(TellError::Full(message, _)) => {
                let recipient = self.0.clone();
                let waiting = async move { recipient.tell(message).await.map_err(|error| not_told(&error)) };
                Ok(Some(Box::pin(waiting)))
            }
            Err(error) => Err(not_told(&error)),
        }
    }
}

impl<Q> Door for AskDoor<Q>
where
    Q: Query + Wire,
    Q::Reply: Wire,
{
    fn kind(&self) -> Kind {
        Kind::of::<Q>()
    }

    fn taken(&self) -> Taken {
        Taken { type_id: Q::TYPE_ID, asked: true }
    }

    those_of_its_recipient!();

    fn enter(
        &self,
        header: &Header,
        bytes: &[u8],
        way_back: Option<WayBack>,
    ) -> Result<Option<WaitsForRoom>, DoorRefusal> {
        let query = read::<Q>(header, bytes)?;
        // In the code of whoever asks, where that is somebody of this bus, so that it is known who waits for
        // whom. One that waits no more hears nothing.
        match (self.0.begin(query), way_back) {
            (_, None) => Ok(None),
            (Ok(asking), Some(WayBack::Peer(pending))) => Ok(Some(Box::pin(async move {
                let answer = asking.await.map_err(|error| not_asked(&error))?;
                // It may take its time: others go on.
                pending.begin(as_bytes(answer));
                Ok(())
            }))),
            (Err(query), Some(WayBack::Peer(pending))) => {
                let to = self.0.clone();
                pending.begin_task(as_bytes(async move { to.ask(query).await }));
                Ok(None)
            }
            (Ok(asking), Some(WayBack::Here(asker))) => Ok(Some(Box::pin(async move {
                _ = asker.give(answered(async move { asking.await?.await }).await);
                Ok(())
            }))),
            (Err(query), Some(WayBack::Here(asker))) => {
                let to = self.0.clone();
                Ok(Some(Box::pin(async move {
                    _ = asker.give(answered(to.ask(query)).await);
                    Ok(())
                })))
            }
        }
    }
}

/// The answer for a peer.
fn as_bytes<R: Wire>(answer: impl Future<Output = Result<R, AskError>> + Send + 'static) -> AnswerBytes {
    Box::pin(async move {
        let answer = answer.await.map_err(|error| not_asked(&error).failure);
        answer.and_then(|answer| written(&answer))
    })
}

/// The answer to somebody of this very bus.
async fn answered<R: Wire>(answer: impl Future<Output = Result<R, AskError>>) -> Result<WireValue, AskError> {
    written(&answer.await?).map_err(failure_of)
}

fn not_asked(error: &AskError) -> DoorRefusal {
    let failure = match error {
        AskError::Timeout(_) => Failure::Late,
        AskError::Remote(_, RemoteError::NotTaken) => Failure::NotTaken,
        _ => Failure::Stopped,
    };
    DoorRefusal::new(failure, error)
}

/// What the asker is told. The peer does not say whether the actor had the question.
pub(super) fn failure_of(failure: Failure) -> AskError {
    let remote = |error| AskError::remote(None, error);
    match failure {
        Failure::Stopped => AskError::stopped(Asked::default().sent()),
        Failure::Late => AskError::timeout(Asked::default().sent()),
        Failure::NotTaken => remote(RemoteError::NotTaken),
        Failure::Invalid => remote(RemoteError::Invalid),
        Failure::Panicked => remote(RemoteError::Panicked),
        _ => remote(RemoteError::Unanswerable),
    }
}

/// An answer as bytes.
fn written<R: Wire>(answer: &R) -> Result<WireValue, Failure> {
    let written = StopReason::catch(|| write(answer));
    written.map_err(|_| Failure::Panicked)?.map_err(|_| Failure::Unanswerable)
}

/// A message as bytes, which a peer would take: the rules of its contract are checked.
pub(super) fn write<M: Wire>(message: &M) -> Result<WireValue, RemoteError> {
    message.validate().map_err(|_| RemoteError::Invalid)?;
    let mut encoder = Encoder::new();
    let (header, bytes) =
        message.to_wire(Kind::of::<M>(), 0, &mut encoder).map_err(|_| RemoteError::Invalid)?;
    Ok(WireValue::new(header, bytes))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::link::hub::Hub;
    use crate::link::pending_answer::AnswerBytes;
    use crate::{LinkError, MessageBus};
    use mycelium_remote::link::TAKES_MAX;

    type Answers = Box<dyn Fn() -> AnswerBytes + Send + Sync>;

    /// A door for some type, which counts who enters.
    #[derive(Default)]
    pub(in crate::link) struct Stub {
        type_id: u16,
        pub(in crate::link) entered: AtomicUsize,
        answers: Option<Answers>,
        is_full: bool,
    }

    impl Stub {
        /// Each question is answered so.
        pub(in crate::link) fn that_answers(
            type_id: u16,
            answer: impl Fn() -> AnswerBytes + Send + Sync + 'static,
        ) -> Self {
            Self { type_id, answers: Some(Box::new(answer)), ..Self::default() }
        }

        /// It answers questions, and never has room for one.
        pub(in crate::link) fn that_is_full(type_id: u16) -> Self {
            let never = || unreachable!("nobody gets in");
            Self { is_full: true, ..Self::that_answers(type_id, never) }
        }
    }

    impl Door for Stub {
        fn kind(&self) -> Kind {
            unreachable!("nobody encodes")
        }
        fn taken(&self) -> Taken {
            Taken { type_id: self.type_id, asked: self.answers.is_some() }
        }
        fn actor(&self) -> ActorId {
            ActorId(0)
        }
        fn is_alive(&self) -> bool {
            true
        }
        fn ended(&self) -> BoxFuture<'static, StopReason> {
            Box::pin(std::future::pending())
        }
        fn recipient(&self) -> &dyn Any {
            self
        }
        fn enter(
            &self,
            _: &Header,
            _: &[u8],
            way_back: Option<WayBack>,
        ) -> Result<Option<WaitsForRoom>, DoorRefusal> {
            if self.is_full {
                return Ok(Some(Box::pin(std::future::pending())));
            }
            self.entered.fetch_add(1, Ordering::Relaxed);
            if let (Some(answer), Some(way_back)) = (&self.answers, way_back) {
                way_back.pending().unwrap().begin(answer());
            }
            Ok(None)
        }
    }

    #[tokio::test]
    async fn more_kinds_than_a_peer_reads_are_an_error_and_not_a_link_that_flaps() {
        let table = "mycelium contract 1\nschema one 1\nmessage One 40 1 ones\nfield n 1 u64\n";
        let contract = crate::wire::Contract::parse(table).unwrap();
        let bus = MessageBus::builder().node("desk").contract(contract).build();
        let hub = Hub::of(&bus).unwrap();
        let stub = |type_id| Stub { type_id, ..Stub::default() };
        let exposed =
            |count: usize| (0..count as u16).fold(Exposed::new(), |all, type_id| all.with(stub(type_id)));
        hub.expose("desk", exposed(TAKES_MAX), None).unwrap();
        let refused = hub.expose("desk", exposed(TAKES_MAX + 1), None).unwrap_err();
        assert!(matches!(refused, LinkError::TooManyKinds { max: TAKES_MAX, .. }), "{refused}");
        assert!(refused.to_string().contains("expose it under two names"), "{refused}");
    }
}
