//! The errors of the public operations, one small type for each. An unsent value comes back in its error.

mod ask;
mod shutdown;
mod tell;

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use mycelium_mailbox::{SUBSCRIBERS_MAX, discard};
use mycelium_supervisor::ExitReason;

pub use self::ask::{AskError, Asked, RemoteError};
pub use self::shutdown::{KILL_GRACE, Missed, SHUTDOWN_DEADLINE, ShutdownError};
pub use self::tell::{TellError, Undelivered};
use crate::Identity;

/// So many of a kind are named in the text of an error; its fields have them all.
const NAMED_MAX: usize = 10;

/// Those of `all` that the text of an error names, and how many more there are, if any.
pub(crate) fn first_named<T>(all: &[T]) -> (&[T], Option<usize>) {
    let (first, others) = all.split_at(all.len().min(NAMED_MAX));
    (first, Some(others.len()).filter(|more| *more > 0))
}

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
    #[inline(always)] // Of each code there is one call, and some are in the way of each message.
    pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(code)).map_err(Self::of_panic)
    }

    /// The reason of a panic that was caught, and nothing is left of it.
    pub(crate) fn of_panic(payload: Box<dyn std::any::Any + Send>) -> Self {
        let reason = Self::from_panic(&*payload);
        // It may be of any type, with a destructor that panics.
        discard(payload);
        reason
    }

    /// Drives code that may panic. After that it is not polled again.
    pub(crate) fn caught<F: Future>(mut code: Pin<&mut F>) -> impl Future<Output = Result<F::Output, Self>> {
        poll_fn(move |cx| match Self::catch(|| code.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(panicked) => Poll::Ready(Err(panicked)),
        })
    }

    /// The reason of code that has returned this error. Its text and its destructor are the user's code: a
    /// panic in one of them is the reason.
    #[cold]
    pub(crate) fn of_error<E: fmt::Display>(error: E) -> Self {
        let text = Self::catch(|| error.to_string());
        // Apart: a destructor that panics while the text unwinds would abort the process.
        let dropped = Self::catch(|| drop(error));
        let panicked = |what: &str, reason: &Self| {
            let Self::Panicked(panic) = reason else { return reason.clone() };
            Self::Panicked(format!("the {what} of its error panicked: {panic}").into())
        };
        match (text, dropped) {
            (Ok(text), Ok(())) => Self::Failed(text.into()),
            (Err(reason), _) => panicked("text", &reason),
            (Ok(_), Err(reason)) => panicked("destructor", &reason),
        }
    }

    /// The reason that a caught panic's payload stands for.
    fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
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
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $(: $($more:ty),+)?;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name<M> {
            $($(#[$vdoc])* $variant(M $($(, $more)+)?),)+
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

pub(crate) use unsent;

unsent! {
    /// A message was not published. Nobody received it.
    PublishError {
        /// The bus, or the isolate's run, has ended; or it refuses what comes from outside, because it
        /// drains.
        Closed;
        /// A queue is full and its subscription asked for an error (or `try_publish` does not wait). With
        /// the actor or service whose queue it is; a link is called `link to <peer>`. `None`: the queue of
        /// code that is neither an actor nor a service, or the isolate's own.
        Full: Option<Arc<Identity>>;
        /// The publishing actor itself is the one whose queue is full: waiting would never end.
        SelfBlocked;
        /// The call came from a thread that does not run the isolate.
        WrongThread;
        /// Another message type on this bus claims the same `TYPE_ID`, or the bus knows the message from a
        /// contract that it has read at run time, and not this type.
        DuplicateTypeId;
    }
}

/// The queue of a subscriber that is full, by whose it is.
pub(crate) struct FullQueue<'a>(pub(crate) &'a Option<Arc<Identity>>);

impl fmt::Display for FullQueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(whose) => write!(f, "the queue of {whose} is full"),
            None => f.write_str("the queue of a subscriber that is no actor, or the isolate's own, is full"),
        }
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
                FullQueue(whose)
            ),
            Self::SelfBlocked(_) => f.write_str(
                "the publishing actor's own subscription to this topic is full, so it would wait for itself; raise its \
                 capacity or choose another overflow policy",
            ),
            Self::WrongThread(_) => f.write_str(
                "this context belongs to an isolate, which runs on one thread; do not move it to another",
            ),
            Self::DuplicateTypeId(_) => f.write_str(
                "another message type on this bus has its TYPE_ID, or the bus knows it from a contract that was read and \
                 not as this type; give each message of contracts.yaml a `tlv_type` of its own, and the bus the \
                 generated CONTRACT",
            ),
        }
    }
}

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
    /// The topic has as many subscribers as it takes, 65,536.
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
    /// The actor is a worker of a pool that has a subscription to this message, and gives each one to one of
    /// its workers: that worker would handle it twice, and every other one too.
    OfThePool {
        /// The message.
        message: &'static str,
        /// The type of the worker.
        worker: &'static str,
        /// Its path.
        path: Arc<str>,
    },
    /// There is no memory for the ring that a `Block` subscription asks for, or its bus.
    CapacityTooLarge {
        /// The message whose topic it is.
        message: &'static str,
        /// The capacity that was asked for, in messages: the larger one of the two.
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
    /// A child cannot be spawned outside of a tree, or was not made.
    Child {
        /// Its id.
        id: Arc<str>,
        /// The reason.
        cause: String,
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
                let most = SUBSCRIBERS_MAX;
                write!(
                    f,
                    "the topic of {message} has {most} subscribers, which are as many as it takes: let one of them hand its \
                     messages on to others"
                )
            }
            Self::AlreadySubscribed { message } => write!(
                f,
                "the actor has a subscription to {message} with another policy, capacity or echo, and an actor has one for each \
                 message: call `ctx.unsubscribe::<{message}>()` first, or ask for the same"
            ),
            Self::OfThePool { message, worker, path } => {
                let pool = path.rsplit_once('/').map_or(&**path, |(pool, _)| pool);
                write!(
                    f,
                    "`{worker}` ({path}) subscribes to `{message}`, and so does its pool {pool}, for one worker each (`Pool::on`): \
                     every worker would handle each one, and one worker twice. Take `{message}` out of the subscriptions of \
                     `{worker}` (write `#[on(direct)]` in place of `#[on]`), or out of those of the pool"
                )
            }
            Self::CapacityTooLarge { message, capacity } => write!(
                f,
                "there is no memory for a ring of {capacity} {message}: ask for less with `Subscription::capacity`, or \
                 `BusBuilder::topic_capacity`"
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
            Self::Child { id, cause } => write!(f, "the child `{id}` was not spawned: {cause}"),
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
