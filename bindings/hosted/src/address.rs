//! Who can be told and asked in bytes.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::pool::PoolRef;
use mycelium::rkyv::util::AlignedVec;
use mycelium::wire::{Encoder, Wire, valid};
use mycelium::{ActorRef, AskError, Context, Monitor, Recipient, ReplyRecipient, Watchable};

use crate::actor::Told;
use crate::wait::{at_once, block_looking, looking_within};
use crate::{Error, Failure, HostedActor};

/// A message as bytes, with what a frame says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Which message it is, of which version, and how long its root is.
    pub header: Header,
    /// The value, as `docs/wire.md` describes it.
    pub bytes: Vec<u8>,
}

/// The address of an actor that takes and answers bytes: a [`HostedActor`], or one of Rust that was
/// [exposed](crate::Runtime::expose). Cloning is cheap. It does not keep the actor alive, and stays valid
/// over the actor's restarts.
#[derive(Clone)]
pub struct Address(Arc<dyn Addressed>);

type Awaited<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

trait Addressed: Send + Sync {
    fn tell(&self, message: Encoded) -> Awaited<'_, ()>;
    fn ask(&self, query: Encoded) -> Awaited<'_, Encoded>;
    fn watch(&self, by: &mut Context<HostedActor>) -> Option<Monitor>;
    fn is_alive(&self) -> bool;
    /// Whether it lives in an isolate, which stands still while its thread waits.
    fn is_isolated(&self) -> bool;
}

impl Encoded {
    /// The bytes of a value.
    ///
    /// # Errors
    /// The value cannot be encoded: it is too long.
    pub fn of<M: Wire>(message: &M) -> Result<Self, Failure> {
        let mut encoder = Encoder::new();
        let bytes = encoder.encode(message).map_err(|error| Failure::new(error.to_string()))?.to_vec();
        let header =
            Header { type_id: M::TYPE_ID, version: M::VERSION, root_len: M::ROOT_LEN, ..Header::default() };
        Ok(Self { header, bytes })
    }

    /// The value that the bytes are.
    ///
    /// # Errors
    /// They are that of another message, or no value of this one.
    pub fn decode<M: Wire>(&self) -> Result<M, Failure> {
        let Header { type_id, version, root_len, .. } = self.header;
        if type_id != M::TYPE_ID {
            return Err(Failure::new(format!(
                "{} has type id {}, and these bytes have {type_id}",
                M::NAME,
                M::TYPE_ID
            )));
        }
        let mut aligned = AlignedVec::<16>::with_capacity(self.bytes.len());
        aligned.extend_from_slice(&self.bytes);
        valid(&aligned, version, root_len).map_err(|error| Failure::new(error.to_string()))
    }
}

impl Address {
    /// That of a hosted actor.
    #[must_use]
    pub fn of(actor: ActorRef<HostedActor>) -> Self {
        Self(Arc::new(actor))
    }

    /// That of a pool of hosted actors: one worker gets what is sent to it. It is alive as long as a worker
    /// is; whoever watches it watches its first worker.
    #[must_use]
    pub fn of_pool(pool: PoolRef<HostedActor>) -> Self {
        Self(Arc::new(pool))
    }

    /// Puts a message into the mailbox, and keeps the thread while that is full. `Ok` does not say that it
    /// was handled.
    ///
    /// # Errors
    /// [`Error::Tell`]: the actor has ended; [`Error::TellItself`]; [`Error::Answer`]: it takes no such
    /// message; [`Error::Interrupted`]. Where the mailbox of an actor in an isolate is full,
    /// [`Error::Isolated`].
    pub fn tell(&self, message: Encoded) -> Result<(), Error> {
        if self.0.is_isolated() {
            let told = at_once(self.0.tell(message));
            return told.unwrap_or(Err(Error::Isolated { what: "room in a full mailbox" }));
        }
        block_looking(self.0.tell(message))
    }

    /// Asks, and keeps the thread until there is an answer, for `limit` at most; without one as long as the
    /// bus says.
    ///
    /// # Errors
    /// [`Error::Ask`], and [`Error::Answer`] when the actor's code has failed to answer;
    /// [`Error::AskInterrupted`]. For an actor in an isolate [`Error::Isolated`], and it was not asked.
    pub fn ask(&self, query: Encoded, limit: Option<Duration>) -> Result<Encoded, Error> {
        if self.0.is_isolated() {
            return Err(Error::Isolated { what: "an answer" });
        }
        let asked = self.0.ask(query);
        let answer = match limit {
            // By this thread, which waits: the actor's own may be what is busy.
            Some(limit) => looking_within(limit, asked)
                .unwrap_or_else(|| Err(Error::Ask(AskError::timed_out(None, limit)))),
            None => block_looking(asked),
        };
        answer.map_err(|error| if error == Error::Interrupted { Error::AskInterrupted } else { error })
    }

    /// The same as [`tell`](Self::tell), for tasks, and for threads that wait in their own way
    /// ([`Runtime::enter`](crate::Runtime::enter)).
    ///
    /// # Errors
    /// Those of [`tell`](Self::tell).
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the message was not put into the mailbox.
    pub async fn told(&self, message: Encoded) -> Result<(), Error> {
        self.0.tell(message).await
    }

    /// The same as [`ask`](Self::ask), as long as the bus says.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the query may be answered, and the answer is dropped.
    pub async fn asked(&self, query: Encoded) -> Result<Encoded, Error> {
        self.0.ask(query).await
    }

    /// Whether it has not ended. One that waits for its restart has not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    pub(crate) fn watch(&self, by: &mut Context<HostedActor>) -> Option<Monitor> {
        self.0.watch(by)
    }
}

impl Addressed for ActorRef<HostedActor> {
    fn tell(&self, message: Encoded) -> Awaited<'_, ()> {
        Box::pin(async { self.tell(Told(message)).await.map_err(Error::from) })
    }

    fn ask(&self, query: Encoded) -> Awaited<'_, Encoded> {
        Box::pin(async move { self.ask(query).await.map_err(Error::Ask)?.map_err(Error::Answer) })
    }

    fn watch(&self, by: &mut Context<HostedActor>) -> Option<Monitor> {
        Some(by.watch(self))
    }

    fn is_alive(&self) -> bool {
        self.is_alive()
    }

    fn is_isolated(&self) -> bool {
        self.is_isolated()
    }
}

impl Addressed for PoolRef<HostedActor> {
    fn tell(&self, message: Encoded) -> Awaited<'_, ()> {
        Box::pin(async { self.tell(Told(message)).await.map_err(Error::from) })
    }

    fn ask(&self, query: Encoded) -> Awaited<'_, Encoded> {
        Box::pin(async move { self.ask(query).await.map_err(Error::Ask)?.map_err(Error::Answer) })
    }

    fn watch(&self, by: &mut Context<HostedActor>) -> Option<Monitor> {
        Some(by.watch(&self.recipient::<Told>()))
    }

    fn is_alive(&self) -> bool {
        self.workers().iter().any(ActorRef::is_alive)
    }

    fn is_isolated(&self) -> bool {
        self.workers().first().is_some_and(ActorRef::is_isolated)
    }
}

/// What a Rust actor takes and answers in bytes: for [`Runtime::expose`](crate::Runtime::expose).
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, MessageBus};
/// # use mycelium::wire::{Layout, Wire};
/// # use mycelium_hosted::Exposed;
/// # #[derive(Clone, Debug, mycelium::rkyv::Archive, mycelium::rkyv::Serialize, mycelium::rkyv::Deserialize)]
/// # #[rkyv(crate = mycelium::rkyv)]
/// # struct Fill { quantity: i64 }
/// # impl mycelium::Message for Fill {
/// #     const NAME: &'static str = "Fill"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "fills";
/// # }
/// # impl Wire for Fill {
/// #     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Fill::ROOT_LEN, digest: 0 }];
/// # }
/// struct Risk;
/// impl Actor for Risk { type Error = BoxError; }
/// impl Handler<Fill> for Risk {
///     async fn handle(&mut self, _: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let bus = MessageBus::new();
/// let risk = bus.spawn(Risk)?;
/// let exposed = Exposed::new().takes::<Fill>(risk.recipient());
/// # let _ = exposed;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "nobody finds it before `Runtime::expose`"]
pub struct Exposed {
    takes: HashMap<u16, Take>,
    answers: HashMap<u16, Answer>,
    alive: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    watch: Option<Watch>,
}

type Watch = Box<dyn Fn(&mut Context<HostedActor>) -> Monitor + Send + Sync>;
type Take = Box<dyn Fn(Encoded) -> Awaited<'static, ()> + Send + Sync>;
type Answer = Box<dyn Fn(Encoded) -> Awaited<'static, Encoded> + Send + Sync>;

impl Exposed {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// It takes this message.
    pub fn takes<M: Wire>(mut self, recipient: Recipient<M>) -> Self {
        self.known_by(recipient.clone(), Recipient::is_alive);
        let take = move |message: Encoded| -> Awaited<'static, ()> {
            let recipient = recipient.clone();
            Box::pin(async move {
                let message: M = message.decode().map_err(Error::Answer)?;
                recipient.tell(message).await.map_err(Error::from)
            })
        };
        self.takes.insert(M::TYPE_ID, Box::new(take));
        self
    }

    /// It answers this query.
    pub fn answers<Q: Wire, R: Wire>(mut self, recipient: ReplyRecipient<Q, R>) -> Self {
        self.known_by(recipient.clone(), ReplyRecipient::is_alive);
        let answer = move |query: Encoded| -> Awaited<'static, Encoded> {
            let recipient = recipient.clone();
            Box::pin(async move {
                let query: Q = query.decode().map_err(Error::Answer)?;
                let reply = recipient.ask(query).await.map_err(Error::Ask)?;
                Encoded::of(&reply).map_err(Error::Answer)
            })
        };
        self.answers.insert(Q::TYPE_ID, Box::new(answer));
        self
    }

    fn known_by<W: Watchable + Clone + Send + Sync + 'static>(
        &mut self,
        who: W,
        is_alive: impl Fn(&W) -> bool + Send + Sync + 'static,
    ) {
        let alive = who.clone();
        self.alive.get_or_insert_with(|| Box::new(move || is_alive(&alive)));
        self.watch.get_or_insert_with(|| Box::new(move |by| by.watch(&who)));
    }

    pub(crate) fn address(self) -> Address {
        Address(Arc::new(self))
    }
}

impl Addressed for Exposed {
    fn tell(&self, message: Encoded) -> Awaited<'_, ()> {
        match self.takes.get(&message.header.type_id) {
            Some(take) => take(message),
            None => Box::pin(async move { Err(not_taken("takes", message.header.type_id)) }),
        }
    }

    fn ask(&self, query: Encoded) -> Awaited<'_, Encoded> {
        match self.answers.get(&query.header.type_id) {
            Some(answer) => answer(query),
            None => Box::pin(async move { Err(not_taken("answers", query.header.type_id)) }),
        }
    }

    fn watch(&self, by: &mut Context<HostedActor>) -> Option<Monitor> {
        self.watch.as_ref().map(|watch| watch(by))
    }

    fn is_alive(&self) -> bool {
        self.alive.as_ref().is_some_and(|alive| alive())
    }

    // It is for runtimes, which are live.
    fn is_isolated(&self) -> bool {
        false
    }
}

pub(crate) fn not_taken(what: &str, type_id: u16) -> Error {
    Error::Answer(not_handled(what, type_id))
}

pub(crate) fn not_handled(what: &str, type_id: u16) -> Failure {
    Failure::new(format!(
        "this actor {what} no message with type id {type_id}: check whom you address, or have it do so"
    ))
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("alive", &self.is_alive()).finish()
    }
}

impl fmt::Debug for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |ids: Vec<&u16>| format!("{ids:?}");
        f.debug_struct("Exposed")
            .field("takes", &ids(self.takes.keys().collect()))
            .field("answers", &ids(self.answers.keys().collect()))
            .finish()
    }
}
