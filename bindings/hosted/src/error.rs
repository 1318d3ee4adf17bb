//! What can go wrong, with what to do about it.

use std::fmt;
use std::sync::Arc;

use mycelium::tree::{CallError, DrainError, StartError, TreeShutdownError};
use mycelium::wire::ValueError;
use mycelium::{AskError, ShutdownError, SpawnError, TellError, WirePublishError};

/// What a callback of the foreign language failed with: its text, such as a traceback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Arc<str>);

/// An operation of a runtime failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The runtime, or what was asked of, is closed.
    Closed {
        /// What is closed.
        what: &'static str,
    },
    /// The contract cannot be read.
    Contract(String),
    /// The contract of the runtime is not the one that the program was generated with.
    Digest {
        /// Of the schema, or of which message.
        what: String,
        /// The runtime's.
        runtime: u64,
        /// The program's.
        program: u64,
    },
    /// The runtime's contract has no such message.
    UnknownType {
        /// Its type id.
        type_id: u16,
    },
    /// It was not published.
    Publish(WirePublishError),
    /// A subscription was not made, or an actor not spawned.
    Subscribe(SpawnError),
    /// A message is none of those that a batch takes.
    NotInBatch {
        /// Which one.
        message: &'static str,
        /// How long it is, in bytes.
        len: usize,
        /// What the batch takes for each message, in bytes.
        stride: usize,
    },
    /// A message of this type has no fixed size, so a batch cannot take it.
    NotFixed {
        /// Which one.
        message: &'static str,
    },
    /// A buffer is too small for one message.
    Buffer {
        /// What it takes, in bytes.
        needed: usize,
        /// What there is, in bytes.
        got: usize,
    },
    /// A callback of this runtime called what waits for the callbacks to return.
    Inside {
        /// What it called.
        what: &'static str,
    },
    /// A call would keep the very thread that runs the isolate which it waits for.
    Isolated {
        /// What it would wait for.
        what: &'static str,
    },
    /// What looks while this thread waits has ended the wait, and nothing was sent: see
    /// [`on_wait`](crate::on_wait).
    Interrupted,
    /// It has ended the wait for an answer: the query may have been received, and may still be answered.
    AskInterrupted,
    /// It has ended the wait for actors, and what was begun goes on.
    WaitInterrupted {
        /// What becomes of it.
        after: &'static str,
    },
    /// A tree was not started.
    Start(StartError),
    /// A supervisor refused a call.
    Call(CallError),
    /// Nobody is at this address.
    NoAddress {
        /// The name or path.
        path: String,
    },
    /// A message was not told.
    Tell(String),
    /// A message was not told: the mailbox is the caller's own, and full.
    TellItself(String),
    /// The bytes are no value of their message.
    Value(ValueError),
    /// A query was not answered.
    Ask(AskError),
    /// The actor that was asked failed to answer.
    Answer(Failure),
    /// Actors, services or children did not end in time.
    Shutdown(ShutdownError),
    /// Children of these trees did not end in time and were killed; or a tree goes on that cannot be ended.
    Killed(Vec<TreeShutdownError>),
    /// A callback has not returned in time, and so one of those, if it is an actor's, was not ended.
    Callback(Option<Box<Error>>),
    /// Actors of a tree that the program has started still run on a shared bus.
    ActorsRun,
    /// A tree was drained, and not all was done in time.
    Drain(Box<DrainError>),
    /// The topology cannot be used: the file, the line, the cause and the remedy.
    Topology(String),
    /// Threads of the system could not be started.
    Threads(String),
}

/// What kind of error it is: the same numbers in each language, which never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// See [`Error::Closed`], [`WirePublishError::Closed`], [`SpawnError::Closed`].
    Closed = 1,
    /// A queue is full: [`WirePublishError::Full`].
    Full = 2,
    /// No message came, or no answer, in the time that was given.
    Timeout = 3,
    /// The contract cannot be read, or lacks the message or topic.
    Contract = 4,
    /// See [`Error::Digest`].
    Digest = 5,
    /// The bytes are no value of their message: [`Error::Value`], [`WirePublishError::Value`].
    Value = 6,
    /// See [`Error::Buffer`] and [`Error::NotInBatch`].
    Buffer = 7,
    /// See [`Error::Inside`]; also a publish, tell or ask that would wait for whoever calls it.
    Inside = 8,
    /// See [`Error::NoAddress`]; also whoever has ended.
    NoAddress = 9,
    /// A supervision tree, or a child of it.
    Tree = 10,
    /// A callback failed: [`Error::Answer`].
    Callback = 11,
    /// The system: threads, memory.
    System = 12,
    /// An argument makes no sense.
    Argument = 13,
    /// See [`Error::Interrupted`], [`Error::AskInterrupted`] and [`Error::WaitInterrupted`].
    Interrupted = 17,
    /// See [`Error::Topology`].
    Topology = 18,
}

/// Some messages of several were published, and then one was not.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedSome {
    /// How many were published.
    pub published: usize,
    /// Why the next one was not.
    pub error: Error,
}

impl Failure {
    /// With this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Error {
    /// Whether a publish that does not wait has found no room: nobody has received the message.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Publish(WirePublishError::Full { .. }))
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed { .. }
            | Self::Publish(WirePublishError::Closed { .. })
            | Self::Subscribe(SpawnError::Closed | SpawnError::RuntimeEnded) => ErrorKind::Closed,
            Self::Publish(WirePublishError::Full { .. }) => ErrorKind::Full,
            Self::Publish(WirePublishError::SelfBlocked { .. })
            | Self::Inside { .. }
            | Self::Isolated { .. }
            | Self::TellItself(_)
            | Self::Ask(AskError::Itself(_)) => ErrorKind::Inside,
            Self::Value(_) | Self::Publish(WirePublishError::Value(_) | WirePublishError::TooLong { .. }) => {
                ErrorKind::Value
            }
            Self::Contract(_) | Self::UnknownType { .. } | Self::Publish(_) => ErrorKind::Contract,
            Self::Digest { .. } => ErrorKind::Digest,
            Self::Subscribe(SpawnError::Thread { .. } | SpawnError::CapacityTooLarge { .. })
            | Self::Threads(_) => ErrorKind::System,
            Self::Subscribe(_) => ErrorKind::Contract,
            Self::NotInBatch { .. } | Self::NotFixed { .. } | Self::Buffer { .. } => ErrorKind::Buffer,
            Self::Start(_) | Self::Call(_) | Self::Shutdown(_) | Self::Killed(_) | Self::Drain(_) => {
                ErrorKind::Tree
            }
            Self::Topology(_) => ErrorKind::Topology,
            Self::Ask(AskError::Timeout(_)) => ErrorKind::Timeout,
            Self::NoAddress { .. } | Self::Tell(_) | Self::Ask(_) => ErrorKind::NoAddress,
            Self::Interrupted | Self::AskInterrupted | Self::WaitInterrupted { .. } => ErrorKind::Interrupted,
            Self::Answer(_) | Self::Callback(_) | Self::ActorsRun => ErrorKind::Callback,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

const ACTORS_RUN: &str = "actors of a tree still run: shut their trees down before `close`, or give one whose handler has not \
                          returned more time";

/// What ends children that were killed.
const GIVE_TIME: &str = "give those that were killed more of it, or have their callbacks return";
/// What ends a tree that goes on: more time does not.
const HAVE_FACTORIES_RETURN: &str = "have the factories of a tree that goes on return";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { what } => write!(f, "{what} is closed: make another one, or close it after its last use"),
            Self::Contract(cause) => write!(f, "the contract cannot be used: {cause}"),
            Self::Digest { what, runtime, program } => write!(
                f,
                "{what} differs: the runtime's contract has digest {runtime:#018x}, this program was generated with \
                 {program:#018x}; generate it again with `mycelium gen`, or load the contract that it was generated from"
            ),
            Self::UnknownType { type_id } => write!(
                f,
                "the runtime's contract has no message with type id {type_id}: load the contract that has it, or check the number"
            ),
            Self::Publish(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::NotFixed { message } => write!(
                f,
                "{message} has no fixed size, so its values do not lie in an array: read them as records or one by one"
            ),
            Self::NotInBatch { message, len, stride } => write!(
                f,
                "the next message is a {message} of {len} bytes, and the batch takes {stride} for each: read it by itself \
                 (`poll`), and subscribe to one message of fixed size for batches"
            ),
            Self::Buffer { needed, got } => {
                write!(f, "the buffer has {got} bytes, and the next message takes {needed}: call again with a larger one")
            }
            Self::Inside { what } => write!(
                f,
                "{what} waits for the callbacks of this runtime, and was called from one of them: have another thread call it \
                 once this callback has returned"
            ),
            Self::Isolated { what } => write!(
                f,
                "{what} is waited for on the thread that runs the isolate, which would stand still: between runs use \
                 `HostedIsolate::ask`, or run the isolate first; a callback leaves it until it has returned, with \
                 `Scope::publish_later`, `tell_later` or `pause_to_ask`"
            ),
            Self::Interrupted => f.write_str(
                "the wait was interrupted, and nothing was sent: do it again to go on waiting",
            ),
            Self::AskInterrupted => f.write_str(
                "the wait for an answer was interrupted: the query may have been received and may still be answered, so ask \
                 again only what does no harm twice",
            ),
            Self::WaitInterrupted { after } => write!(f, "the wait was interrupted, and {after}"),
            Self::Start(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::NoAddress { path } => write!(
                f,
                "nobody is called {path:?}: a path begins with the name of its tree, as in `root/desk`; a Rust actor is \
                 found under the name that it was exposed with"
            ),
            Self::Tell(cause) | Self::TellItself(cause) => f.write_str(cause),
            Self::Value(cause) => cause.fmt(f),
            Self::Ask(error) => error.fmt(f),
            Self::Answer(failure) => write!(f, "whoever was asked failed to answer: {failure}"),
            Self::Shutdown(error) => error.fmt(f),
            Self::Killed(trees) => killed(trees, f),
            Self::Callback(ended) => {
                f.write_str(
                    "a callback has not returned in time: it runs on, and none comes after it; have it return, or give it more time",
                )?;
                ended.iter().try_for_each(|error| write!(f, " ({error})"))
            }
            Self::ActorsRun => f.write_str(ACTORS_RUN),
            Self::Drain(error) => error.fmt(f),
            Self::Topology(cause) => f.write_str(cause),
            Self::Threads(cause) => write!(f, "a thread cannot be started: {cause}"),
        }
    }
}

/// Who was killed with its tree, and what to do.
fn killed(trees: &[TreeShutdownError], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    trees.iter().try_for_each(|error| write!(f, "{error}; "))?;
    let killed = trees.iter().any(|error| !error.missed.is_empty());
    match (killed, trees.iter().any(|error| error.stuck)) {
        (true, true) => write!(f, "{GIVE_TIME}; {HAVE_FACTORIES_RETURN}"),
        (true, false) => f.write_str(GIVE_TIME),
        (false, _) => f.write_str(HAVE_FACTORIES_RETURN),
    }
}

impl std::error::Error for Error {}

impl fmt::Display for PublishedSome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published = self.published;
        match &self.error {
            // A caller that does it again publishes the others alone.
            Error::Interrupted if published > 0 => {
                write!(
                    f,
                    "{published} were published, then the wait was interrupted: publish those behind them to go on"
                )
            }
            error => write!(f, "{published} were published, then: {error}"),
        }
    }
}

impl std::error::Error for PublishedSome {}

impl<M> From<TellError<M>> for Error {
    fn from(error: TellError<M>) -> Self {
        match &error {
            // A tell waits for room, but for that in the mailbox of whoever tells.
            TellError::Full(..) | TellError::Itself(..) => Self::TellItself(error.to_string()),
            _ => Self::Tell(error.to_string()),
        }
    }
}

impl From<WirePublishError> for Error {
    fn from(error: WirePublishError) -> Self {
        Self::Publish(error)
    }
}

impl From<SpawnError> for Error {
    fn from(error: SpawnError) -> Self {
        Self::Subscribe(error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mycelium::{Actor, BoxError, Context, Handler, Isolate, Supervisor};

    use super::*;

    struct Slow;
    impl Actor for Slow {
        type Error = BoxError;
    }
    impl Handler<u8> for Slow {
        async fn handle(&mut self, _: &u8, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            ctx.sleep(Duration::from_secs(3_600)).await;
            Ok(())
        }
    }

    #[test]
    fn a_tree_that_goes_on_is_named_and_more_time_is_no_remedy_for_it() {
        let mut isolate = Isolate::new(1);
        let tree = isolate.supervise(&Supervisor::builder("desk").actor("slow", || Slow)).unwrap();
        let slow = tree.lookup::<Slow>("desk/slow").unwrap();
        isolate.tell(&slow, 1).unwrap();
        isolate.run_until(isolate.now()).unwrap();
        let killed = isolate.block_on(tree.shutdown_within(Duration::ZERO)).unwrap().unwrap_err();
        let mut stuck = killed.clone();
        (stuck.missed, stuck.stuck) = (Vec::new(), true);
        let text = |trees: &[&TreeShutdownError]| {
            Error::Killed(trees.iter().copied().cloned().collect()).to_string()
        };
        let (one, other) = (text(&[&killed]), text(&[&stuck]));
        assert!(one.contains("desk/slow") && one.ends_with(GIVE_TIME), "{one}");
        assert!(
            other.starts_with("the tree desk goes on") && other.ends_with(HAVE_FACTORIES_RETURN),
            "{other}"
        );
        let both = text(&[&killed, &stuck]);
        assert!(both.ends_with(&format!("{GIVE_TIME}; {HAVE_FACTORIES_RETURN}")), "{both}");
    }
}
