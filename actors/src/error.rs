//! The errors of the public operations, one small type for each. An unsent value comes back in its error.

mod shutdown;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mycelium_mailbox::discard;
use mycelium_supervisor::ExitReason;

pub use self::shutdown::{KILL_GRACE, Missed, SHUTDOWN_DEADLINE, ShutdownError};
use crate::Identity;

/// Why an actor or a service ended.
///
/// Supervisors have a reason of their own, [`ExitReason`](crate::tree::ExitReason), which tells apart what
/// Erlang's supervisors tell apart: each converts into the other.
///
/// ```
/// use mycelium::StopReason;
/// use mycelium::tree::ExitReason;
///
/// let failed = StopReason::Failed("no route".into());
/// assert_eq!(ExitReason::from(&failed), ExitReason::Abnormal("failed: no route".into()));
/// assert_eq!(StopReason::from(ExitReason::Killed), StopReason::Killed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// It was asked to stop, or its loop returned `Ok`.
    Normal,
    /// Its bus was shut down.
    Shutdown,
    /// A handler, `started` or a service's loop returned this error.
    Failed(Arc<str>),
    /// Its code panicked with this message.
    Panicked(Arc<str>),
    /// It was killed: its code was dropped where it waited.
    Killed,
    /// An actor that it [depended on](crate::Context::depend_on) ended abnormally: which, and why.
    DependencyEnded(Arc<str>),
    /// It is an actor of another bus, to which there is no link, or no longer. It may live.
    NoConnection,
}

impl StopReason {
    /// Whether this end is one that a supervisor counts as a failure.
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown)
    }

    /// Runs a user's code, whose panic becomes a reason. Nothing that it may have left half-changed may be
    /// used after that.
    pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
            let reason = Self::from_panic(&*payload);
            // It may be of any type, with a destructor that panics.
            discard(payload);
            reason
        })
    }

    /// The reason that a caught panic's payload stands for.
    pub(crate) fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::from_panic_text(text)
    }

    /// The same for a payload that was looked into already.
    pub(crate) fn from_panic_text(text: Option<&str>) -> Self {
        Self::Panicked(text.unwrap_or("a panic whose payload is not text").into())
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended normally"),
            Self::Shutdown => f.write_str("was shut down"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Killed => f.write_str("was killed"),
            Self::DependencyEnded(other) => write!(f, "depended on one that ended: {other}"),
            Self::NoConnection => f.write_str("cannot be reached: there is no link to its bus"),
        }
    }
}

/// As supervisors see it: they tell apart what their rules tell apart, and the rest is text.
impl From<&StopReason> for ExitReason {
    fn from(reason: &StopReason) -> Self {
        match reason {
            StopReason::Normal => Self::Normal,
            StopReason::Shutdown => Self::Shutdown,
            StopReason::Killed => Self::Killed,
            StopReason::Failed(_)
            | StopReason::Panicked(_)
            | StopReason::DependencyEnded(_)
            | StopReason::NoConnection => Self::Abnormal(reason.to_string().into()),
        }
    }
}

/// As actors see it. Each end that is abnormal for a supervisor is a failure.
impl From<ExitReason> for StopReason {
    fn from(reason: ExitReason) -> Self {
        match reason {
            ExitReason::Normal => Self::Normal,
            ExitReason::Shutdown | ExitReason::ShutdownWith(_) => Self::Shutdown,
            ExitReason::Killed => Self::Killed,
            ExitReason::Abnormal(cause) => Self::Failed(cause),
        }
    }
}

/// Defines an error enum whose variants carry the unsent value, with `into_message` to get it back.
macro_rules! unsent {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $(: $more:ty)?,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name<M> {
            $($(#[$vdoc])* $variant(M $(, $more)?),)+
        }

        impl<M> $name<M> {
            /// The message that was not sent.
            pub fn into_message(self) -> M {
                match self {
                    $(Self::$variant(message, ..) => message,)+
                }
            }
        }

        // Written by hand so that `M` need not be `Debug`: a large payload has no place in a log line.
        impl<M> fmt::Debug for $name<M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(..) => f.write_str(concat!(stringify!($name), "::", stringify!($variant))),)+
                }
            }
        }

        impl<M> std::error::Error for $name<M> {}
    };
}

unsent! {
    /// A message was not published. Nobody received it.
    PublishError {
        /// The bus, or the isolate's run, has ended; or it refuses what comes from outside, because it
        /// drains.
        Closed,
        /// A queue is full and its subscription asked for an error (or `try_publish` does not wait). With
        /// the actor or service whose queue it is; a link is called `link to <peer>`. `None`: the queue of
        /// code that is neither an actor nor a service, or the isolate's own.
        Full: Option<Arc<Identity>>,
        /// The publishing actor itself is the one whose queue is full: waiting would never end.
        SelfBlocked,
        /// The call came from a thread that does not run the isolate.
        WrongThread,
        /// Another message type on this bus claims the same `TYPE_ID`.
        DuplicateTypeId,
    }
}

unsent! {
    /// A message did not reach the actor's mailbox.
    TellError {
        /// The actor has ended.
        Stopped,
        /// The mailbox is full: `try_tell` does not wait, and an actor does not wait for room in its own.
        /// With the actor whose mailbox it is. Of a pool that is the worker of the message's key; without a
        /// key all workers are full, and the path is that of the pool. `None`: it is the isolate's own queue,
        /// and what else happens there is in it.
        Full: Option<Arc<Identity>>,
        /// The call came from a thread that does not run the isolate.
        WrongThread,
        /// The actor is not of this isolate: another one has it, or a live bus.
        OtherBus,
        /// The actor is one of another bus, and cannot be reached.
        Remote: RemoteError,
    }
}

/// Whose queue is full, and what it is where that is not known.
pub(crate) struct FullQueue<'a> {
    pub(crate) whose: &'a Option<Arc<Identity>>,
    pub(crate) queue: &'static str,
    pub(crate) else_called: &'static str,
}

impl fmt::Display for FullQueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whose {
            Some(whose) => write!(f, "the {} of {whose} is full", self.queue),
            None => write!(f, "{} is full", self.else_called),
        }
    }
}

impl<'a> FullQueue<'a> {
    /// That of a subscriber.
    pub(crate) fn of_subscriber(whose: &'a Option<Arc<Identity>>) -> Self {
        let else_called = "the queue of a subscriber that is no actor, or the isolate's own,";
        Self { whose, queue: "queue", else_called }
    }
}

impl<M> fmt::Display for PublishError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not published: ", short_type_name::<M>())?;
        match self {
            Self::Closed(_) => {
                f.write_str("its bus is closed, or drains and takes nothing from outside any more")
            }
            Self::Full(_, whose) => write!(
                f,
                "{}; use `publish(..).await` to wait, raise its capacity or choose another overflow policy",
                FullQueue::of_subscriber(whose)
            ),
            Self::SelfBlocked(_) => f.write_str(
                "the publishing actor's own subscription to this topic is full, so it would wait for itself; raise its \
                 capacity or choose another overflow policy",
            ),
            Self::WrongThread(_) => f.write_str(
                "this context belongs to an isolate, which runs on one thread; do not move it to another",
            ),
            Self::DuplicateTypeId(_) => f.write_str(
                "another message type on this bus has its TYPE_ID; give each message of contracts.yaml a `tlv_type` of \
                 its own",
            ),
        }
    }
}

impl<M> fmt::Display for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not sent: ", short_type_name::<M>())?;
        match self {
            Self::Stopped(_) => f.write_str("the actor has ended"),
            Self::Full(_, whose) => write!(
                f,
                "{}; use `tell(..).await` to wait. An actor does not wait for room in its own: raise \
                 `BusBuilder::inbox_capacity`, or call the method",
                FullQueue { whose, queue: "mailbox", else_called: "the isolate's own queue" }
            ),
            Self::WrongThread(_) => {
                f.write_str("this reference belongs to an isolate, which runs on one thread")
            }
            Self::OtherBus(_) => f.write_str(
                "the actor is not of this isolate, which shares nothing with other isolates and buses; spawn it here, \
                 or use the isolate that it is of, between two runs",
            ),
            Self::Remote(_, error) => write!(f, "{error}"),
        }
    }
}

impl<M> TellError<M> {
    /// The same error without the message, which is dropped: for `?` where the message is not `Sync`, so that
    /// this error is none that a [`BoxError`](crate::BoxError) could hold.
    ///
    /// ```
    /// use mycelium::{Actor, ActorRef, BoxError, TellError, Takes};
    ///
    /// type Job = Box<dyn FnOnce() -> u64 + Send>; // `Send`, and not `Sync`
    ///
    /// async fn submit<A: Actor + Takes<Job>>(worker: &ActorRef<A>) -> Result<(), BoxError> {
    ///     worker.tell(Box::new(|| 7_u64) as Job).await.map_err(TellError::without_message)?;
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn without_message(self) -> Undelivered {
        Undelivered { text: self.to_string().into() }
    }
}

/// A message did not reach the actor's mailbox, and is gone: see [`TellError::without_message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// As the error with the message says it.
    text: Box<str>,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Undelivered {}

/// A query got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The actor had ended, or ended before it answered.
    Stopped,
    /// The deadline passed first. The actor may still answer; nobody listens.
    Timeout,
    /// An actor asked itself: it would wait for its own answer for ever.
    Itself,
    /// The call came from a thread that does not run the isolate.
    WrongThread,
    /// The actor is not of this isolate: another one has it, or a live bus.
    OtherBus,
    /// The actor is one of another bus, and cannot be reached or does not answer.
    Remote(RemoteError),
}

/// Why an actor of another bus was not told or asked, or does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteError {
    /// There is no link to a bus of this name, or it was given up.
    NotLinked,
    /// Nobody is exposed under this name there, or who was has ended.
    NoActor,
    /// The actor takes no such message, or both buses do not mean the same by it.
    NotTaken,
    /// The message is longer than the bus there reads.
    TooLong,
    /// The message breaks a rule of its contract, or cannot be written as bytes.
    Invalid,
    /// The link was given up, or the process there has died, before the answer came. The question may have
    /// been handled.
    Lost,
    /// Code there has panicked while the question was read or its answer written.
    Panicked,
    /// The answer cannot be sent or read.
    Unanswerable,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLinked => {
                "there is no link to a bus of this name; look at `MessageBus::stats().links`, and wait for \
                 `Dialer::linked` before"
            }
            Self::NoActor => {
                "nobody is exposed under this name there, or who was has ended; call `MessageBus::expose` on that bus"
            }
            Self::NotTaken => {
                "the actor there takes no such message; add it to what is exposed (`Exposed::takes`, `Exposed::answers`), and \
                 generate both programs from one contract"
            }
            Self::TooLong => "the message is longer than the bus there reads; split it, or raise its limit",
            Self::Invalid => "the message breaks a rule of its contract, or cannot be written as bytes",
            Self::Lost => {
                "the link was given up, or the process there has died, before the answer came; the question may have been handled"
            }
            Self::Panicked => "code there has panicked; see the log of that process",
            Self::Unanswerable => {
                "the answer cannot be sent or read; generate both programs from one contract, and look at their logs"
            }
        })
    }
}

impl std::error::Error for RemoteError {}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Remote(error) = self {
            return write!(f, "no answer: {error}");
        }
        f.write_str(match self {
            Self::Stopped => "no answer: the actor has ended",
            Self::Remote(_) => "no answer of another bus",
            Self::Timeout => {
                "no answer before the deadline; the actor may be busy or waiting for the one who asks"
            }
            Self::Itself => "not asked: an actor that asks itself waits for ever; call the method instead",
            Self::WrongThread => "not asked: this reference belongs to an isolate, which runs on one thread",
            Self::OtherBus => {
                "not asked: the actor is not of this isolate, which shares nothing with other isolates and buses; spawn it \
                 here, or use the isolate that it is of, between two runs"
            }
        })
    }
}

impl std::error::Error for AskError {}

/// An actor or service could not be spawned, or a subscription could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// The bus is closed.
    Closed,
    /// Two message types claim one `TYPE_ID`.
    DuplicateTypeId {
        /// The identity that both claim.
        type_id: u16,
        /// The message that came first.
        held_by: &'static str,
        /// The message that was refused.
        refused: &'static str,
    },
    /// The topic has as many subscribers as it takes.
    TooManySubscribers {
        /// The message whose topic it is.
        message: &'static str,
    },
    /// The actor has a subscription to this message, with another policy, capacity or echo. It stays as it
    /// is.
    AlreadySubscribed {
        /// The message.
        message: &'static str,
    },
    /// There is no memory for the ring that a `Block` subscription asks for.
    CapacityTooLarge {
        /// The message whose topic it is.
        message: &'static str,
        /// The capacity that was asked for, in messages.
        capacity: usize,
    },
    /// The context is that of a `routing_config!`, which has no topics to subscribe to.
    NotOnABus,
    /// A live bus needs a tokio runtime, and none is running here.
    NoRuntime,
    /// The runtime that it would run on has ended, or ends now.
    RuntimeEnded,
    /// The thread that it would have for itself could not be started or pinned.
    Thread {
        /// Why.
        cause: String,
    },
    /// The name is taken by another actor of this bus.
    NameTaken(String),
    /// The call came from a thread that does not run the isolate.
    WrongThread,
    /// No contract of the bus has a message on this topic.
    UnknownTopic {
        /// The topic, or the beginning of topics, as it was asked for.
        topic: String,
    },
    /// A subscription to bytes asks for `Conflate`.
    ConflatesBytes {
        /// The message whose topic it is.
        message: &'static str,
    },
    /// The bus has the message from a contract that was loaded at run time, and its topic carries bytes
    /// alone.
    Untyped {
        /// The message.
        message: &'static str,
    },
    /// Two contracts of the bus contradict each other about a message.
    Contradiction {
        /// The message.
        message: &'static str,
        /// The point of the contradiction.
        cause: Arc<str>,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the bus is closed"),
            Self::DuplicateTypeId { type_id, held_by, refused } => write!(
                f,
                "{refused} has TYPE_ID {type_id}, which {held_by} holds on this bus: give each message of \
                 contracts.yaml a `tlv_type` of its own"
            ),
            Self::TooManySubscribers { message } => {
                write!(f, "the topic of {message} has as many subscribers as it takes")
            }
            Self::AlreadySubscribed { message } => write!(
                f,
                "the actor has a subscription to {message} with another policy, capacity or echo, and an actor has one for each \
                 message: call `ctx.unsubscribe::<{message}>()` first, or ask for the same"
            ),
            Self::CapacityTooLarge { message, capacity } => write!(
                f,
                "there is no memory for a ring of {capacity} {message}: ask for less with `Subscription::capacity`"
            ),
            Self::NotOnABus => f.write_str(
                "a `routing_config!` has no topics to subscribe to: name the message in its list of routes",
            ),
            Self::NoRuntime => f.write_str(
                "a live actor needs a tokio runtime: call this inside `#[tokio::main]` or `Runtime::enter`, or use \
                 an `Isolate`, which needs none",
            ),
            Self::RuntimeEnded => f.write_str(
                "the tokio runtime of this bus has ended, or ends now: keep it until the bus is shut down, or make a bus on \
                 the runtime that runs",
            ),
            Self::Thread { cause } => write!(f, "no thread of its own for it: {cause}"),
            Self::NameTaken(name) => write!(f, "an actor named \"{name}\" is already registered on this bus"),
            Self::WrongThread => f.write_str("this belongs to an isolate, which runs on one thread"),
            Self::UnknownTopic { topic } => write!(
                f,
                "no contract of this bus has a message on the topic {topic:?}: give it the contract that has one, with \
                 `MessageBus::builder().contract(..)` or `Isolate::contract(..)`, or check the name"
            ),
            Self::ConflatesBytes { message } => write!(
                f,
                "a subscription to {message} as bytes cannot conflate, because keys are taken from messages: use another \
                 policy, or subscribe to the type"
            ),
            Self::Untyped { message } => write!(
                f,
                "this bus has {message} from a contract that was loaded at run time, so that its topic carries bytes alone: give the \
                 bus the generated `CONTRACT` that has the type, too"
            ),
            Self::Contradiction { message, cause } => {
                write!(f, "two contracts of this bus contradict each other about {message}: {cause}")
            }
        }
    }
}

impl std::error::Error for SpawnError {}

/// A type's name without the paths of its crate and modules.
pub(crate) fn short_type_name<M>() -> &'static str {
    let full = std::any::type_name::<M>();
    let head = full.split('<').next().unwrap_or(full);
    head.rsplit("::").next().unwrap_or(full)
}
