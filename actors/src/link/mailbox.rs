//! Actors of other buses, as senders of this bus see them.
//!
//! All references to one actor share a [`RemoteMailbox`], which the task of its link opens and closes: while
//! the peer says that somebody is there it has a queue, in which messages wait until the link takes them, in
//! order with what the same sender publishes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::wire::Wire;
use mycelium_mailbox::{Port, ReplyReceiver, ReplySender, SendError, TrySendError};
use mycelium_remote::link::Taken;
use tokio::runtime::Handle;

use super::expose::{AnswerTo, DoorRefusal, WayBack, failure_of, write};
use super::hub::Hub;
use crate::context::within;
use crate::error::Asked;
use crate::live::{
    CancelPoint, SpinningLinks, Watched, Watchers, address_of, block_on, cancellable, poll_turn, sleep_on,
    turn,
};
use crate::recipient::{Accepting, Answering, BoxFuture, RecipientOf};
use crate::reference::{Target, sealed};
use crate::rt::Instant;
use crate::sync::Notify;
use crate::wire::{Carried, Kind, WireValue};
use crate::{
    ActorId, AskError, Down, Identity, Monitor, Recipient, RemoteError, ReplyRecipient, StopReason, TellError,
};

/// The name that actors of other buses have in identities.
const NAME: &str = "remote";

/// An actor of another bus by its path, which nobody has looked for yet.
pub(super) fn identity_at(path: &str) -> Identity {
    Identity { id: ActorId(0), name: NAME, path: Some(path.into()) }
}

/// A message on its way to an actor of a peer.
pub(super) struct Letter {
    pub(super) value: WireValue,
    pub(super) asks: Option<Asking>,
}

/// What is asked with it.
pub(super) struct Asking {
    pub(super) reply: AnswerSender,
    /// When the asker waits no more.
    pub(super) until: Option<Instant>,
}

pub(super) type AnswerSender = ReplySender<Result<WireValue, AskError>>;
type Answer = ReplyReceiver<Result<WireValue, AskError>>;

/// How an actor of a peer can be reached.
#[derive(Clone)]
pub(super) enum Reach {
    /// There is no link to its bus, or it was given up.
    NotLinked,
    /// Its bus has not said yet who is there.
    Opening,
    /// Nobody is there, for this reason.
    Absent(StopReason),
    Open(Gate),
    /// It is one of this very bus.
    Here,
}

/// Nobody is there, because the actor has ended so; `None`: nothing is known of one.
pub(super) fn absent(ended: Option<StopReason>) -> Reach {
    let nobody = || StopReason::Failed("nobody is exposed under this name there".into());
    Reach::Absent(ended.unwrap_or_else(nobody))
}

/// The queue to an actor, and what is taken.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) port: Arc<Port<Letter>>,
    pub(super) takes: Arc<[Taken]>,
    /// The longest value that the peer reads, in bytes.
    pub(super) longest: usize,
}

pub(super) struct RemoteMailbox {
    id: ActorId,
    name: Arc<str>,
    path: Arc<str>,
    /// It is one of this very bus.
    is_own: bool,
    reach: Mutex<Reach>,
    /// How often its bus turned out to be another process than before.
    restarts: AtomicU64,
    changed: Notify,
    watchers: Watchers,
    /// At which whoever waits for an answer looks.
    spinning: Arc<SpinningLinks>,
    /// How often in a row one who looked has found the answer.
    looks: AtomicU32,
}

impl RemoteMailbox {
    pub(super) fn new(
        id: ActorId,
        node: &str,
        name: &str,
        is_own: bool,
        reach: Reach,
        spinning: Arc<SpinningLinks>,
    ) -> Self {
        Self {
            id,
            name: name.into(),
            path: format!("{node}/{name}").into(),
            is_own,
            reach: Mutex::new(reach),
            restarts: AtomicU64::new(0),
            changed: Notify::new(),
            watchers: Watchers::default(),
            spinning,
            looks: AtomicU32::new(0),
        }
    }

    pub(super) fn id(&self) -> ActorId {
        self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether somebody waits to hear of its end.
    pub(super) fn is_watched(&self) -> bool {
        !self.watchers.is_empty()
    }

    fn reach(&self) -> MutexGuard<'_, Reach> {
        // Each change leaves it whole.
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task of its link has heard of it.
    pub(super) fn set(&self, reach: Reach) {
        let before = std::mem::replace(&mut *self.reach(), reach);
        drop(before);
        self.changed.notify_waiters();
        if self.reason().is_some() {
            self.watchers.tell_of(self);
        }
    }

    /// Its bus is another process than before: the actor that was there has died with it.
    pub(super) fn begin_anew(&self) {
        let before = std::mem::replace(&mut *self.reach(), Reach::Opening);
        drop(before);
        self.restarts.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        self.watchers.tell_of(&FormerLife(self));
    }

    /// Waits until it cannot be reached any more, or another process is there.
    async fn ended(&self) -> StopReason {
        let restarts = || self.restarts.load(Ordering::SeqCst);
        let before = restarts();
        loop {
            let changed = self.changed.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            if restarts() != before {
                return StopReason::NoConnection;
            }
            changed.await;
        }
    }

    /// Why it cannot be reached; `None`: it can, or that is not known yet.
    fn reason(&self) -> Option<StopReason> {
        match &*self.reach() {
            Reach::NotLinked => Some(StopReason::NoConnection),
            Reach::Absent(reason) => Some(reason.clone()),
            Reach::Opening | Reach::Open(_) | Reach::Here => None,
        }
    }

    /// The queue for such messages; `None`: it is not known yet who is there.
    fn gate(&self, taken: Taken, len: usize) -> Result<Option<Gate>, RemoteError> {
        match &*self.reach() {
            // One of this bus comes here only when the bus has ended.
            Reach::NotLinked | Reach::Here => Err(RemoteError::NotLinked),
            Reach::Absent(_) => Err(RemoteError::NoActor),
            Reach::Opening => Ok(None),
            Reach::Open(gate) if gate.takes.binary_search(&taken).is_err() => Err(RemoteError::NotTaken),
            Reach::Open(gate) if len > gate.longest => Err(RemoteError::TooLong),
            Reach::Open(gate) => Ok(Some(gate.clone())),
        }
    }

    /// Waits until there is a queue for such messages.
    async fn open_gate(&self, taken: Taken, len: usize) -> Result<Gate, RemoteError> {
        loop {
            let changed = self.changed.notified();
            if let Some(gate) = self.gate(taken, len)? {
                return Ok(gate);
            }
            changed.await;
        }
    }

    /// Queues a letter; waits for room.
    async fn send(&self, taken: Taken, letter: Letter) -> Result<(), RemoteError> {
        cancellable(self.queue(taken, letter)).await
    }

    async fn queue(&self, taken: Taken, mut letter: Letter) -> Result<(), RemoteError> {
        loop {
            let gate = self.open_gate(taken, letter.value.bytes().len()).await?;
            match gate.port.send(letter, 0).await {
                Ok(()) => return Ok(()),
                // The peer has said something else meanwhile.
                Err(SendError::Closed(back)) => letter = back,
                Err(other) => letter = other.into_inner(),
            }
            // Until that is known here too.
            tokio::task::yield_now().await;
        }
    }
}

impl RemoteMailbox {
    /// Puts a question; waits for room, and for the answer.
    async fn ask(
        &self,
        runtime: Handle,
        taken: Taken,
        value: WireValue,
        limit: Option<Duration>,
    ) -> Result<WireValue, AskError> {
        let Some(limit) = limit else { return self.answered(self.put(taken, value, None).await?).await };
        let until = crate::clock::later(Instant::now(), limit);
        let mut timer = pin!(sleep_on(runtime, limit));
        let Some(put) = within(timer.as_mut(), self.put(taken, value, Some(until))).await else {
            return Err(AskError::timeout(Asked::default()));
        };
        let answered = within(timer, self.answered(put?)).await;
        answered.unwrap_or_else(|| Err(AskError::timed_out(None, limit)))
    }

    /// Queues a question; waits for room.
    async fn put(&self, taken: Taken, value: WireValue, until: Option<Instant>) -> Result<Answer, AskError> {
        let (reply, answer) = mycelium_mailbox::reply();
        let letter = Letter { value, asks: Some(Asking { reply, until }) };
        self.send(taken, letter).await.map_err(not_asked)?;
        Ok(answer)
    }

    async fn answered(&self, mut answer: Answer) -> Result<WireValue, AskError> {
        let given = poll_fn(|cx| {
            loop {
                match Pin::new(&mut answer).poll(cx) {
                    Poll::Pending if self.looks_for(cx, &answer) => {}
                    given => return given,
                }
            }
        });
        cancellable(given).await.unwrap_or_else(|| Err(not_asked(RemoteError::Lost)))
    }

    /// Looks at links that spin, if there are any: whether the answer has come meanwhile.
    fn looks_for(&self, cx: &mut TaskContext<'_>, answer: &Answer) -> bool {
        if !self.spinning.any() {
            return false;
        }
        // Askers of one actor count together: more looks or fewer are no harm.
        let mut looks = self.looks.load(Ordering::Relaxed);
        let found = self.spinning.look_for(cx, address_of(self), &|| answer.is_ready(), &mut looks);
        self.looks.store(looks, Ordering::Relaxed);
        found
    }

    /// Puts a question whose type this process may not have: see
    /// [`MessageBus::ask_wire`](crate::MessageBus::ask_wire).
    pub(super) async fn ask_wire(
        &self,
        hub: &Hub,
        value: WireValue,
        limit: Option<Duration>,
    ) -> Result<WireValue, AskError> {
        turn().await;
        let taken = Taken { type_id: value.header().type_id, asked: true };
        let limit = limit.or(hub.ask_limit());
        let runtime = hub.runtime().clone();
        let asked = match (self.is_own, limit) {
            (false, limit) => self.ask(runtime, taken, value, limit).await,
            (true, None) => self.ask_here(hub, taken, value).await,
            (true, Some(limit)) => {
                let asked = within(pin!(sleep_on(runtime, limit)), self.ask_here(hub, taken, value)).await;
                asked.unwrap_or_else(|| Err(AskError::timed_out(None, limit)))
            }
        };
        asked.map_err(|error| error.of(self.identity(), limit))
    }

    /// Puts a question to an actor of this very bus.
    async fn ask_here(&self, hub: &Hub, taken: Taken, value: WireValue) -> Result<WireValue, AskError> {
        let exposed = hub.exposed(self.name()).ok_or_else(|| not_asked(RemoteError::NoActor))?;
        let door = exposed.door(taken).ok_or_else(|| not_asked(RemoteError::NotTaken))?;
        let (reply, answer) = mycelium_mailbox::reply();
        let way_back = WayBack { to: AnswerTo::Here(reply), runtime: hub.runtime().clone(), limit: None };
        let refused = |refusal: DoorRefusal| failure_of(refusal.failure);
        let entered = door.enter(value.header(), value.bytes(), Some(way_back)).map_err(refused)?;
        if let Some(waits_for_room) = entered {
            waits_for_room.await.map_err(refused)?;
        }
        answer.await.unwrap_or_else(|| Err(AskError::stopped(Asked::default().sent())))
    }
}

impl Watched for RemoteMailbox {
    fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    fn down(&self, monitor: Monitor) -> Option<Down> {
        Some(Down { monitor, actor: self.identity(), reason: self.reason()? })
    }
}

/// The actor that was there before its bus became another process.
struct FormerLife<'m>(&'m RemoteMailbox);

impl Watched for FormerLife<'_> {
    fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    fn down(&self, monitor: Monitor) -> Option<Down> {
        Some(Down { monitor, actor: self.0.identity(), reason: StopReason::NoConnection })
    }
}

impl RemoteMailbox {
    fn identity(&self) -> Identity {
        Identity { id: self.id, name: NAME, path: Some(Arc::clone(&self.path)) }
    }

    #[cold]
    fn not_told<M>(&self, message: M, error: RemoteError) -> TellError<M> {
        TellError::Remote(message, Arc::new(self.identity()), error)
    }
}

/// The error of a question that was put to nobody, or that nobody answers; whoever returns it adds to whom.
#[cold]
fn not_asked(error: RemoteError) -> AskError {
    AskError::remote(None, error)
}

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
        if !self.mailbox.is_own {
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
        self.mailbox.id
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
                Ok(()) => Ok(()),
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

impl fmt::Debug for RemoteMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}
