//! Reports of a run of an isolate.

use std::fmt;
use std::sync::Arc;

use super::waits::WaitsFor;
use crate::error::first_named;
use crate::{Identity, ShutdownError, StopReason, Timestamp};

/// Counters of one isolate since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsolateStats {
    /// The isolate's clock.
    pub now: Timestamp,
    /// Messages taken from the queue and handed to their receivers.
    pub events: u64,
    /// How often code went on without a message: after a wake-up, a timer or a wait that was over before it
    /// began.
    pub resumptions: u64,
    /// Messages published while nobody was subscribed to their topic.
    pub unheard: u64,
    /// Messages that waited for an actor when it ended, and those in the hand of one that failed or was
    /// killed, unless they are tried again.
    pub dead_letters: u64,
    /// How often a message on which a supervised actor had failed was handled once more.
    pub retried: u64,
}

/// A handler or service that waits: see [`RunError::Stuck`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The actor or service.
    pub actor: Identity,
    /// The wait of its handler or loop.
    pub waits_for: WaitsFor,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.actor, self.waits_for)
    }
}

const OUTSIDE_REMEDY: &str = " (a thread, a socket, a `tokio::spawn`, a channel on which nobody sends: none of them goes on while \
                              the isolate runs, so bring their answers in with `Isolate::tell` between two runs, and wait for \
                              time with `ctx.sleep`)";

/// The effect of a failure of an actor or service that is in no tree: of an error or a
/// panic.
///
/// It ends alone either way, as on a live bus: everybody else gets the message on which it failed.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, OnFailure};
///
/// struct Fragile;
/// impl Actor for Fragile { type Error = BoxError; }
/// impl Handler<u32> for Fragile {
///     async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> { Err("broken".into()) }
/// }
/// let mut isolate = Isolate::new(1);
/// isolate.on_failure(OnFailure::GoOn);
/// let fragile = isolate.spawn(Fragile)?;
/// isolate.tell(&fragile, 1)?;
/// isolate.run()?;
/// assert!(!fragile.is_alive());
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// It ends with [`RunError::ActorFailed`] when the event in hand is done: results of which a part has
    /// failed are none.
    #[default]
    StopRun,
    /// It goes on without that actor, as a live bus does.
    GoOn,
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// An actor or service failed or panicked. The isolate stays as it was at that event.
    ActorFailed {
        /// The actor or service.
        actor: Identity,
        /// Its error, or the message of its panic.
        reason: StopReason,
        /// The virtual time of the event.
        at: Timestamp,
    },
    /// Nothing is left to do, but handlers or services still wait, and not for messages. It does not depend
    /// on what other threads do meanwhile: their wake-ups are not followed.
    Stuck {
        /// Whose handlers, which services, and for what.
        waiting: Vec<Waiting>,
    },
    /// Nothing is left to do, and what [`Isolate::block_on`](crate::Isolate::block_on) waits for is not
    /// ready.
    NeverReady {
        /// Whose handlers wait, and which services, and for what.
        waiting: Vec<Waiting>,
    },
    /// A wake-up of another thread has met one of the isolate: a handler waits for both, so what it does next
    /// would depend on which came first.
    ForeignWake {
        /// The actor or service that was woken.
        actor: Identity,
        /// The virtual time.
        at: Timestamp,
    },
    /// An actor or service uses timers, sockets, tasks or processes of tokio, which an isolate does not have:
    /// their time is that of the machine.
    NeedsTokio {
        /// The actor or service.
        actor: Identity,
        /// The virtual time.
        at: Timestamp,
    },
    /// So many tasks were given to `tokio::spawn`, which nothing runs in an isolate.
    Spawned {
        /// How many.
        tasks: usize,
    },
    /// The run took more steps than [`Isolate::limit_events`](crate::Isolate::limit_events) allows. It can go
    /// on: raise the limit and run again.
    TooManyEvents {
        /// The limit.
        events_max: u64,
        /// The one that still goes on: a service that does not come to its end, or else the one whose
        /// code ran last.
        actor: Identity,
        /// The virtual time.
        at: Timestamp,
    },
    /// Code went on without a message more often than
    /// [`DEFAULT_RESUMPTIONS_MAX`](crate::DEFAULT_RESUMPTIONS_MAX) since input last came: a service has no
    /// end, such as one that beats every second. It can go on, with the next run or with a limit of one's
    /// own, which replaces this bound.
    TooManyResumptions {
        /// The bound.
        resumptions_max: u64,
        /// The one that still goes on: a service that does not come to its end, or else the one whose
        /// code ran last.
        actor: Identity,
        /// The virtual time.
        at: Timestamp,
    },
    /// An actor or service goes on again and again at one moment, and no message is handled. A limit of one's
    /// own replaces this bound as well.
    Spinning {
        /// The actor or service.
        actor: Identity,
        /// The moment.
        at: Timestamp,
    },
    /// The stop flag is set. Once it is reset, the isolate can run on.
    Stopped {
        /// The virtual time.
        at: Timestamp,
    },
    /// The root supervisor of a tree passed its intensity: its children are stopped, and it has ended.
    TreeGaveUp {
        /// The child that was to be restarted.
        child: Arc<str>,
        /// The virtual time of the tree's end.
        at: Timestamp,
    },
    /// Actors and services did not end in the time of a shutdown, or children of trees in theirs, and were
    /// killed.
    Late(ShutdownError),
    /// The isolate is being driven already, from inside one of its own handlers.
    Closed,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ActorFailed { actor, reason, at } => write!(f, "{actor} {reason} (at {at})"),
            Self::Stuck { waiting } => {
                f.write_str("nothing is left to do, but not everybody is done; these wait: ")?;
                tell_waiting(f, waiting)
            }
            Self::NeverReady { waiting } => {
                f.write_str("nothing is left to do, and what `block_on` waits for has not come; futures of other threads are not followed")?;
                if waiting.is_empty() {
                    return Ok(());
                }
                f.write_str("; these wait: ")?;
                tell_waiting(f, waiting)
            }
            Self::ForeignWake { actor, at } => write!(
                f,
                "{actor} was woken by another thread as well as by its isolate (at {at}): what comes first depends on the \
                 machine; bring the thread's answer in with `Isolate::tell` or `Isolate::publish` between two runs"
            ),
            Self::NeedsTokio { actor, at } => write!(
                f,
                "{actor} uses timers, sockets or tasks of tokio, which an isolate does not have (at {at}): wait with \
                 `ctx.sleep` or `ctx.clock()` instead of `tokio::time`, and run what needs a socket on a `MessageBus`"
            ),
            Self::Spawned { tasks } => write!(
                f,
                "{tasks} tasks were given to `tokio::spawn`, which nothing runs in an isolate: make each an actor or a service"
            ),
            Self::TooManyEvents { events_max, actor, at } => write!(
                f,
                "more than {events_max} events and resumptions, and {actor} still goes on (at {at}): do actors feed each \
                 other for ever? For a service that never ends use `run_until` or `run_for`; if the work is that long, raise \
                 `limit_events`"
            ),
            Self::TooManyResumptions { resumptions_max, actor, at } => write!(
                f,
                "more than {resumptions_max} resumptions, and {actor} still goes on (at {at}): for a service that never ends, \
                 such as a heartbeat, use `run_until` or `run_for`; if the work is that long, set `limit_events`, or hand data \
                 that has an end to `ctx.replay`"
            ),
            Self::Spinning { actor, at } => write!(
                f,
                "{actor} goes on again and again at one moment and no message is handled (at {at}): let it wait for a message \
                 or sleep for more than zero; `limit_events` replaces this bound"
            ),
            Self::Stopped { at } => {
                write!(f, "stopped by its stop flag (at {at}); once that is reset, run again to go on")
            }
            Self::TreeGaveUp { child, at } => write!(
                f,
                "the tree gave up: {child} was to be restarted more often than the root's intensity allows (at {at})"
            ),
            Self::Late(late) => late.fmt(f),
            Self::Closed => f.write_str("the isolate is already running"),
        }
    }
}

/// Names who waits, up to a bound; [`RunError::Stuck`] has them all.
fn tell_waiting(f: &mut fmt::Formatter<'_>, waiting: &[Waiting]) -> fmt::Result {
    let (first, more) = first_named(waiting);
    for (at, one) in first.iter().enumerate() {
        write!(f, "{}{one}", if at > 0 { ", " } else { "" })?;
    }
    if let Some(more) = more {
        write!(f, " and {more} more")?;
    }
    if waiting.iter().any(|one| one.waits_for == WaitsFor::Outside) {
        f.write_str(OUTSIDE_REMEDY)?;
    }
    Ok(())
}

impl std::error::Error for RunError {}
