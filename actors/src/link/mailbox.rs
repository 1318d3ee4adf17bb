//! Actors of other buses, as senders of this bus see them.
//!
//! All references to one actor share a [`RemoteMailbox`], which the task of its link opens and closes: while
//! the peer says that somebody is there it has a queue, in which messages wait until the link takes them, in
//! order with what the same sender publishes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use mycelium_mailbox::{Port, ReplyReceiver, ReplySender, SendError};
use mycelium_remote::link::Taken;
use tokio::runtime::Handle;

use super::expose::{DoorRefusal, WayBack, failure_of};
use super::hub::Hub;
use crate::context::within;
use crate::error::Asked;
use crate::live::{SpinningLinks, Watched, Watchers, address_of, cancellable, sleep_on, turn};
use crate::rt::Instant;
use crate::sync::Notify;
use crate::wire::WireValue;
use crate::{ActorId, AskError, Down, Identity, Monitor, RemoteError, StopReason, TellError};

/// The name that actors of other buses have in identities.
pub(super) const NAME: &str = "remote";

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

    /// Whether it is one of this very bus.
    pub(super) fn is_own(&self) -> bool {
        self.is_own
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
    pub(super) async fn ended(&self) -> StopReason {
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
    pub(super) fn reason(&self) -> Option<StopReason> {
        match &*self.reach() {
            Reach::NotLinked => Some(StopReason::NoConnection),
            Reach::Absent(reason) => Some(reason.clone()),
            Reach::Opening | Reach::Open(_) | Reach::Here => None,
        }
    }

    /// The queue for such messages; `None`: it is not known yet who is there.
    pub(super) fn gate(&self, taken: Taken, len: usize) -> Result<Option<Gate>, RemoteError> {
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

    /// Queues a letter; waits for room. The queue that has it.
    pub(super) async fn send(&self, taken: Taken, letter: Letter) -> Result<Arc<Port<Letter>>, RemoteError> {
        cancellable(self.queue(taken, letter)).await
    }

    async fn queue(&self, taken: Taken, mut letter: Letter) -> Result<Arc<Port<Letter>>, RemoteError> {
        loop {
            let gate = self.open_gate(taken, letter.value.bytes().len()).await?;
            match gate.port.send(letter, 0).await {
                Ok(()) => return Ok(gate.port),
                // The peer has said something else meanwhile.
                Err(SendError::Closed(back)) => letter = back,
                Err(other) => letter = other.into_inner(),
            }
            // Until that is known here too.
            tokio::task::yield_now().await;
        }
    }
}

/// A question that was queued.
struct Put {
    /// `None`: it has come, or nobody waits for it any more.
    answer: Option<Answer>,
    port: Arc<Port<Letter>>,
}

impl Put {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<WireValue, AskError>>> {
        let Some(answer) = &mut self.answer else { return Poll::Ready(None) };
        let given = ready!(Pin::new(answer).poll(cx));
        self.answer = None;
        Poll::Ready(given)
    }

    fn is_ready(&self) -> bool {
        self.answer.as_ref().is_some_and(Answer::is_ready)
    }
}

impl Drop for Put {
    fn drop(&mut self) {
        // As long as it waits for the peer it holds up what is behind it, and it is to be sent no more.
        if self.answer.take().is_some() && self.port.load() > 0 {
            self.port.doorbell().ring();
        }
    }
}

impl RemoteMailbox {
    /// Puts a question; waits for room, and for the answer.
    pub(super) async fn ask(
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
    async fn put(&self, taken: Taken, value: WireValue, until: Option<Instant>) -> Result<Put, AskError> {
        let (reply, answer) = mycelium_mailbox::reply();
        let letter = Letter { value, asks: Some(Asking { reply, until }) };
        let port = self.send(taken, letter).await.map_err(not_asked)?;
        Ok(Put { answer: Some(answer), port })
    }

    async fn answered(&self, mut put: Put) -> Result<WireValue, AskError> {
        let given = poll_fn(|cx| {
            loop {
                match put.poll(cx) {
                    Poll::Pending if self.looks_for(cx, &put) => {}
                    given => return given,
                }
            }
        });
        cancellable(given).await.unwrap_or_else(|| Err(not_asked(RemoteError::Lost)))
    }

    /// Looks at links that spin, if there are any: whether the answer has come meanwhile.
    fn looks_for(&self, cx: &mut TaskContext<'_>, put: &Put) -> bool {
        if !self.spinning.any() {
            return false;
        }
        // Askers of one actor count together: more looks or fewer are no harm.
        let mut looks = self.looks.load(Ordering::Relaxed);
        let found = self.spinning.look_for(cx, address_of(self), &|| put.is_ready(), &mut looks);
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
        let refused = |refusal: DoorRefusal| failure_of(refusal.failure);
        let entered =
            door.enter(value.header(), value.bytes(), Some(WayBack::Here(reply))).map_err(refused)?;
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
    pub(super) fn identity(&self) -> Identity {
        Identity { id: self.id, name: NAME, path: Some(Arc::clone(&self.path)) }
    }

    #[cold]
    pub(super) fn not_told<M>(&self, message: M, error: RemoteError) -> TellError<M> {
        TellError::Remote(message, Arc::new(self.identity()), error)
    }
}

/// The error of a question that was put to nobody, or that nobody answers; whoever returns it adds to whom.
#[cold]
pub(super) fn not_asked(error: RemoteError) -> AskError {
    AskError::remote(None, error)
}

impl fmt::Debug for RemoteMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::{Wake, Waker};

    use mycelium_mailbox::{Doorbell, Inbox, InboxOptions, Source, Stamps};
    use mycelium_remote::frame::Header;

    use super::*;

    /// Looks at the queue as the task of a link would, and notes whether anybody waits for an answer.
    struct Looks(Mutex<Inbox<Letter>>, AtomicBool);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            let inbox = self.0.lock().unwrap();
            let asked = inbox.peek().and_then(|(letter, _)| letter.asks.as_ref());
            self.1.store(asked.is_some_and(|asking| asking.reply.is_in_vain()), Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_gives_up_a_question_that_waits_for_the_peer_has_the_link_look_at_it() {
        let bell = Arc::new(Doorbell::new());
        let port = Arc::new(Port::new(Arc::new(Stamps::new()), Arc::clone(&bell), InboxOptions::default()));
        let mut inbox = Inbox::of(Arc::clone(&port));
        let put = || {
            let (reply, answer) = mycelium_mailbox::reply();
            let value = WireValue::new(Header::default(), &[]);
            assert!(port.offer(Letter { value, asks: Some(Asking { reply, until: None }) }).is_ok());
            Put { answer: Some(answer), port: Arc::clone(&port) }
        };
        let sent = put();
        assert!(inbox.head().is_some() && inbox.take().is_some());
        inbox.commit();
        let waits = put();
        assert!(inbox.head().is_some());
        let looks = Arc::new(Looks(Mutex::new(inbox), AtomicBool::new(false)));
        assert!(bell.prepare(&Waker::from(Arc::clone(&looks))));
        drop(waits);
        assert!(looks.1.load(Ordering::SeqCst) && !bell.is_asleep());
        looks.0.lock().unwrap().take();
        looks.0.lock().unwrap().commit();
        assert!(bell.prepare(Waker::noop()));
        drop(sent);
        assert!(bell.is_asleep(), "the link has it");
    }
}
