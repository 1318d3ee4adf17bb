//! Running a program's tree until it ends or a signal asks it to: what the process's exit code says.

use std::fmt;
use std::io::{self, Write};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::caught;
use mycelium_supervisor::ExitReason;

use super::builder::Builder;
use super::drain::{DrainError, Drained, drain_bus, settle, trees};
use super::handle::{StartError, TREE_SHUTDOWN_DEADLINE, Tree, TreeBackend};
use super::live::LiveTree;
use super::shell::TreeShared;
use super::signals::{self, Signals, StopSignal};
use crate::rt::Instant;
use crate::sync::Ordering;
use crate::{MessageBus, SHUTDOWN_DEADLINE, ShutdownError, WeakBus};

/// Exit code of a program that handled everything that was queued, or whose tree had done its work.
pub const EXIT_DRAINED: u8 = 0;
/// Exit code of a program that was told to stop and could not do everything in time.
pub const EXIT_UNDRAINED: u8 = 3;
/// Exit code of a program whose root supervisor gave up, or has failed itself.
pub const EXIT_GAVE_UP: u8 = 4;
/// The exit code of a program that a second signal ended is this plus the signal's number: 129 for SIGHUP,
/// 130 for SIGINT, 131 for SIGQUIT, 143 for SIGTERM, as a shell reports a process that the signal killed.
pub const EXIT_SIGNAL: u8 = 128;

/// Why a program's tree, or its bus, has ended; see [`Tree::run_until_signal`] and
/// [`MessageBus::run_until_signal`]. Returned from `main` it sets the exit code, and prints itself to
/// standard error unless that code is 0.
///
/// ```
/// use mycelium::{MainResult, MessageBus, RunEnd};
/// use std::time::Duration;
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> MainResult<RunEnd> {
///     let bus = MessageBus::new();
///     let ending = bus.clone();
///     tokio::spawn(async move { ending.shutdown().await }); // in a program a signal
///     Ok(bus.run_until_signal(Duration::from_secs(10)).await?)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "return it from `main`, or turn it into an `ExitCode`"]
pub enum RunEnd {
    /// By itself: the significant children of the tree had ended, or somebody shut it or its bus down in
    /// time. Code 0.
    Finished,
    /// By a signal, and all that was queued was handled. Code 0.
    Drained {
        /// The signal.
        signal: StopSignal,
        /// The result of the drain.
        drained: Drained,
    },
    /// By a signal that came before all children had started: those that had were stopped. Code 0.
    Unstarted {
        /// The signal.
        signal: StopSignal,
    },
    /// By a signal, and something was not done in time. Code [`EXIT_UNDRAINED`].
    Undrained {
        /// The signal.
        signal: StopSignal,
        /// The result of the drain, if anything is left.
        drain: Option<DrainError>,
        /// The members that missed the end of the bus, if any.
        bus: Option<ShutdownError>,
    },
    /// Somebody shut the bus or the tree down, and something was not done in time; or the tree ended by
    /// itself, and a linked bus has not acknowledged what was published. Code [`EXIT_UNDRAINED`].
    Unfinished(ShutdownError),
    /// By itself: the root passed its intensity. Code [`EXIT_GAVE_UP`].
    GaveUp {
        /// The path of the child that failed once too often.
        child: Arc<str>,
    },
    /// By itself: the root supervisor has failed, which is a fault of the framework. Code [`EXIT_GAVE_UP`].
    Failed {
        /// Why.
        reason: ExitReason,
    },
    /// By a second signal, without waiting for anybody. Code [`EXIT_SIGNAL`] plus its number.
    Forced {
        /// The second signal.
        signal: StopSignal,
    },
}

impl RunEnd {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Finished | Self::Drained { .. } | Self::Unstarted { .. } => EXIT_DRAINED,
            Self::Undrained { .. } | Self::Unfinished(_) => EXIT_UNDRAINED,
            Self::GaveUp { .. } | Self::Failed { .. } => EXIT_GAVE_UP,
            Self::Forced { signal } => EXIT_SIGNAL + signal.number(),
        }
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("ended by itself"),
            Self::Drained { signal, drained } => write!(f, "{signal}: {drained}"),
            Self::Unstarted { signal } => write!(f, "{signal}: stopped before all had started"),
            Self::Undrained { signal, drain, bus } => {
                write!(f, "{signal}: ")?;
                drain.as_ref().map_or(Ok(()), |error| error.fmt(f))?;
                let between = if drain.is_some() && bus.is_some() { "\n" } else { "" };
                bus.as_ref().map_or(Ok(()), |error| write!(f, "{between}{error}"))
            }
            Self::Unfinished(error) => write!(f, "shut down: {error}"),
            Self::Failed { reason } => write!(f, "the root supervisor has failed: {reason}"),
            Self::GaveUp { child } => {
                write!(
                    f,
                    "the root supervisor gave up: `{child}` failed more often than its intensity allows"
                )
            }
            Self::Forced { signal } => write!(f, "a second signal ({signal}): stopped at once"),
        }
    }
}

impl From<RunEnd> for ExitCode {
    fn from(end: RunEnd) -> Self {
        Self::from(end.code())
    }
}

impl Termination for RunEnd {
    fn report(self) -> ExitCode {
        if self.code() != EXIT_DRAINED {
            complain(&self);
        }
        self.into()
    }
}

impl Builder {
    /// [Starts](Self::start) the tree on `bus`, and runs it as [`Tree::run_until_signal`] does. Signals are
    /// listened to before the first child starts, so one that comes meanwhile is obeyed too: what has
    /// started is stopped.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and [`StartError::Signals`]; nothing runs then.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the tree is shut down, and signals do nothing any more.
    ///
    /// ```no_run
    /// use mycelium::{MainResult, MessageBus, RunEnd, Supervisor};
    /// use std::time::Duration;
    ///
    /// #[tokio::main]
    /// async fn main() -> MainResult<RunEnd> {
    ///     let bus = MessageBus::new();
    ///     Ok(Supervisor::builder("root").run_until_signal(&bus, Duration::from_secs(10)).await?)
    /// }
    /// ```
    pub async fn run_until_signal(self, bus: &MessageBus, limit: Duration) -> Result<RunEnd, StartError> {
        self.run_until_told(bus, limit, None).await
    }

    /// The same; the end of the process `parent` counts as SIGTERM.
    pub(crate) async fn run_until_told(
        self,
        bus: &MessageBus,
        limit: Duration,
        parent: Option<u32>,
    ) -> Result<RunEnd, StartError> {
        self.check().map_err(StartError::Spec)?;
        let shared = Arc::new(TreeShared::new(bus.clone(), &self));
        let unheard = |error: io::Error| StartError::Signals(error.to_string().into());
        let mut signals = listen(&shared, limit, parent).map_err(unheard)?;
        let started = tokio::select! {
            biased;
            started = LiveTree::start(&self, Arc::clone(&shared)) => Ok(started?),
            Some(signal) = signals.next() => Err(signal),
        };
        let end = match started {
            Ok(live) => {
                let tree = Tree::live(live.clone());
                tree.run_until(&live, &mut signals, limit).await
            }
            Err(signal) => stop_start(bus, signal, &mut signals, limit).await,
        };
        signals.ended(bus, &end);
        Ok(end)
    }
}

/// Listens for a tree, whose processes are killed before the process is ended from there.
fn listen(shared: &Arc<TreeShared>, limit: Duration, parent: Option<u32>) -> io::Result<Signals> {
    #[cfg(unix)]
    let groups = Arc::clone(&shared.groups);
    #[cfg(not(unix))]
    let _ = shared;
    let clean_up = move || {
        #[cfg(unix)]
        groups.kill();
    };
    signals::listen(patience(limit), EXIT_UNDRAINED, parent, clean_up)
}

/// How long an end by a signal may take in all.
fn patience(limit: Duration) -> Duration {
    limit.saturating_add(TREE_SHUTDOWN_DEADLINE).saturating_add(SHUTDOWN_DEADLINE * 2)
}

/// Kills the processes of all trees of a bus.
fn kill_processes(bus: &WeakBus) {
    #[cfg(unix)]
    if let Some(bus) = bus.upgrade() {
        trees(&bus).iter().for_each(|tree| tree.groups.kill());
    }
    #[cfg(not(unix))]
    let _ = bus;
}

impl Signals {
    /// Sees to the end of the process, which has nothing to do any more. A member that is still here never
    /// awaits, or blocks a thread, and would keep the runtime from going down.
    fn ended(mut self, bus: &MessageBus, end: &RunEnd) {
        if bus.alive() > 0 || bus.core.forest.stands() || bus.core.blocking.load(Ordering::SeqCst) > 0 {
            self.end_process_soon(end.code(), end);
        } else if self.came() {
            self.end_process_when_told();
        }
    }
}

/// Ends a bus whose tree has ended, or that somebody shuts down already, who may not wait for its end: the
/// limit is that one's, or the usual one if that leaves more; from a signal on `limit`. `Err`: the second
/// signal has cut it short. Those that the other has killed are named too.
async fn end_with_others(
    bus: &MessageBus,
    signals: &mut Signals,
    limit: Duration,
) -> Result<Result<(), ShutdownError>, RunEnd> {
    let theirs = bus.core.ends_by().map(|by| by.saturating_duration_since(Instant::now()));
    let ended = async {
        if theirs.is_none() {
            bus.pause_ingress();
            settle(bus, SHUTDOWN_DEADLINE).await;
        }
        bus.end_within(theirs.unwrap_or_default().max(SHUTDOWN_DEADLINE)).await
    };
    tokio::select! {
        biased;
        closed = ended => return Ok(closed),
        Some(_) = signals.next() => {}
    }
    tokio::select! {
        biased;
        closed = bus.end_within(limit) => Ok(closed),
        Some(signal) = signals.next() => {
            let _ = bus.shutdown_within(Duration::ZERO).await;
            Err(RunEnd::Forced { signal })
        }
    }
}

/// Waits for the end of a tree whose start was given up.
async fn stop_start(bus: &MessageBus, signal: StopSignal, signals: &mut Signals, limit: Duration) -> RunEnd {
    tokio::select! {
        biased;
        closed = bus.end_within(limit) => match closed {
            Ok(()) => RunEnd::Unstarted { signal },
            Err(error) => RunEnd::Undrained { signal, drain: None, bus: Some(error) },
        },
        Some(signal) = signals.next() => {
            let _ = bus.shutdown_within(Duration::ZERO).await;
            RunEnd::Forced { signal }
        }
    }
}

impl TreeShared {
    /// How a tree has ended that no signal has ended; what the end of its bus has come to, and whether
    /// somebody else had begun that.
    pub(super) fn run_end(
        &self,
        reason: ExitReason,
        closed: Result<(), ShutdownError>,
        by_others: bool,
    ) -> RunEnd {
        if let Some(child) = self.gave_up() {
            return RunEnd::GaveUp { child: Arc::clone(child) };
        }
        if matches!(reason, ExitReason::Abnormal(_)) {
            return RunEnd::Failed { reason };
        }
        let mut unfinished = closed.err().unwrap_or_default();
        if !by_others {
            // Members that are left on a bus that nobody else ends are no part of what the tree had to do;
            // what it has published is.
            unfinished = ShutdownError { links: unfinished.links, ..ShutdownError::default() };
        }
        for child in self.missed_since_told() {
            if !unfinished.children.contains(&child) {
                unfinished.children.push(child);
            }
        }
        if unfinished == ShutdownError::default() { RunEnd::Finished } else { RunEnd::Unfinished(unfinished) }
    }
}

impl Tree {
    /// Waits until the tree ends by itself or the process gets SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal
    /// has gone) or SIGQUIT, then ends it and its bus, and says how that went. Call it once, at the end of
    /// `main`. On Linux, a process that was started with SIGHUP ignored (`nohup`) goes on ignoring it.
    ///
    /// A signal that comes before this is called has its default effect, which kills the process and leaves
    /// processes of the tree behind: [`Builder::run_until_signal`] listens before it starts the tree.
    ///
    /// The first signal begins a [`drain`](Self::drain) with this limit. The second one stops everybody at
    /// once. After either, what is left on the bus is shut down too.
    ///
    /// It never hangs. A thread of its own watches the signals: when the runtime does not obey (all its
    /// threads are stuck in code that never awaits), it ends the process by itself, 2 s after the second
    /// signal, or when all deadlines have passed after the first. It does so as well when members that
    /// cannot be killed, or work of [`Context::spawn_blocking`](crate::Context::spawn_blocking), would keep
    /// the runtime from going down after `main`. Work that nobody knows of may do that too (a read of
    /// `tokio::io::stdin`): after an end by a signal, one more ends the process at once. Processes of the
    /// tree are killed first.
    ///
    /// # Errors
    /// When the signals cannot be listened to, as in an isolate. The tree goes on.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, signals do nothing any more: they have lost their default effect.
    ///
    /// ```no_run
    /// use mycelium::{MainResult, MessageBus, RunEnd, Supervisor};
    /// use std::time::Duration;
    ///
    /// #[tokio::main]
    /// async fn main() -> MainResult<RunEnd> {
    ///     let bus = MessageBus::new();
    ///     let tree = Supervisor::builder("root").start(&bus).await?;
    ///     Ok(tree.run_until_signal(Duration::from_secs(10)).await?)
    /// }
    /// ```
    pub async fn run_until_signal(&self, limit: Duration) -> io::Result<RunEnd> {
        let TreeBackend::Live(live) = self.backend() else {
            let what = "the tree is in an isolate, which gets no signals: start it on a bus";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        };
        let mut signals = listen(live.shared(), limit, None)?;
        let end = self.run_until(live, &mut signals, limit).await;
        signals.ended(&live.shared().bus, &end);
        Ok(end)
    }

    async fn run_until(&self, live: &LiveTree, signals: &mut Signals, limit: Duration) -> RunEnd {
        let bus = &live.shared().bus;
        let signal = tokio::select! {
            biased;
            Some(signal) = signals.next() => signal,
            reason = self.ended() => {
                let theirs = bus.core.is_closed();
                return match end_with_others(bus, signals, limit).await {
                    Ok(closed) => live.shared().run_end(reason, closed, theirs),
                    Err(forced) => forced,
                };
            }
        };
        caught(|| tracing::info!(target: "mycelium::shutdown", %signal, "draining"));
        let orderly = async {
            let drained = self.drain(limit).await;
            (drained, bus.end_within(SHUTDOWN_DEADLINE).await)
        };
        tokio::select! {
            biased;
            (drained, closed) = orderly => drain_end(signal, drained, closed),
            Some(signal) = signals.next() => {
                let _ = self.shutdown_within(Duration::ZERO).await;
                let _ = bus.shutdown_within(Duration::ZERO).await;
                RunEnd::Forced { signal }
            }
        }
    }
}

fn drain_end(
    signal: StopSignal,
    drained: Result<Drained, DrainError>,
    closed: Result<(), ShutdownError>,
) -> RunEnd {
    match (drained, closed) {
        (Ok(drained), Ok(())) => RunEnd::Drained { signal, drained },
        (drained, closed) => RunEnd::Undrained { signal, drain: drained.err(), bus: closed.err() },
    }
}

impl MessageBus {
    /// Waits until the process gets SIGINT (Ctrl-C), SIGTERM, SIGHUP or SIGQUIT, ends all of the bus in
    /// order, and says how that went: the last line of a `main` that has spawned its actors and services. A
    /// program that restarts what fails has a tree, and calls [`Builder::run_until_signal`].
    ///
    /// The first signal drains. Publishers outside are refused. The services end, and the sources of trees,
    /// if there are any. The actors go on until nothing waits in any mailbox, or until `limit` has passed;
    /// then the bus is shut down. The second signal stops everybody at once. It never hangs, as
    /// [`Tree::run_until_signal`] says.
    ///
    /// It returns as well when somebody shuts the bus down, and waits for that as long as they do, or five
    /// seconds if that is longer; from a signal on at most `limit`, and no more after a second one. The end
    /// of an actor, a service or a tree ends nothing here, also one by a failure, which is logged.
    ///
    /// A signal that comes before this is polled first has its default effect, which kills the process.
    ///
    /// # Errors
    /// When the signals cannot be listened to. The bus goes on.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, signals do nothing any more: they have lost their default effect.
    ///
    /// ```no_run
    /// use mycelium::{MainResult, MessageBus, Result, RunEnd, ServiceContext, service};
    /// use std::time::Duration;
    ///
    /// struct Beat;
    ///
    /// #[service]
    /// impl Beat {
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result {
    ///         loop {
    ///             println!("tick");
    ///             ctx.sleep(Duration::from_secs(1)).await; // at a signal the service ends here
    ///         }
    ///     }
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> MainResult<RunEnd> {
    ///     let bus = MessageBus::new();
    ///     bus.spawn_service(Beat)?;
    ///     Ok(bus.run_until_signal(Duration::from_secs(10)).await?)
    /// }
    /// ```
    pub async fn run_until_signal(&self, limit: Duration) -> io::Result<RunEnd> {
        let weak = self.downgrade();
        let clean_up = move || kill_processes(&weak);
        let mut signals = signals::listen(patience(limit), EXIT_UNDRAINED, None, clean_up)?;
        let end = self.run_until(&mut signals, limit).await;
        signals.ended(self, &end);
        Ok(end)
    }

    async fn run_until(&self, signals: &mut Signals, limit: Duration) -> RunEnd {
        let signal = tokio::select! {
            biased;
            Some(signal) = signals.next() => signal,
            _ = self.core.closing.wait() => {
                return match end_with_others(self, signals, limit).await {
                    Ok(closed) => closed.map_or_else(RunEnd::Unfinished, |()| RunEnd::Finished),
                    Err(forced) => forced,
                };
            }
        };
        caught(|| tracing::info!(target: "mycelium::shutdown", %signal, "draining"));
        tokio::select! {
            biased;
            (drained, closed) = drain_bus(self, limit) => drain_end(signal, drained, closed),
            Some(signal) = signals.next() => {
                let _ = self.shutdown_within(Duration::ZERO).await;
                RunEnd::Forced { signal }
            }
        }
    }
}

/// One message to standard error. Nothing can be done if that fails.
pub(super) fn complain(text: &dyn fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
