//! The signals that ask a process to stop, heard on a thread of their own, so that they are heard whatever
//! the program's runtime does.

use std::fmt;
use std::future::Future;
use std::io;
use std::thread;
use std::time::Duration;

use mycelium_mailbox::caught;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::run::{EXIT_SIGNAL, complain};
#[cfg(unix)]
use crate::stop::is_ignored;

/// How long a program may take to obey a second signal, and a runtime to go down when some member never
/// awaits.
const OBEY: Duration = Duration::from_secs(2);

/// How long the last word of a process may take to be printed: standard error may be a pipe that nobody
/// reads.
const LAST_WORD: Duration = Duration::from_millis(200);

/// A signal that asks the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopSignal {
    /// SIGHUP: the terminal has gone.
    Hangup,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGQUIT: Ctrl-\\.
    Quit,
    /// SIGTERM: a service manager, or `kill`.
    Terminate,
}

impl StopSignal {
    /// Its number: 1, 2, 3 or 15.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Terminate => 15,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Signals as they come. Dropping it ends the thread, unless the process is to be ended.
pub(super) struct Signals {
    received: mpsc::UnboundedReceiver<StopSignal>,
    /// One was received.
    came: bool,
    /// Whose drop or message ends the listening.
    over: Option<oneshot::Sender<AfterRun>>,
}

/// What is to become of the process now that its tree has ended.
enum AfterRun {
    /// It is ended a little later.
    Soon(LastWord),
    /// One more signal ends it: nobody else hears any, and they have lost their default effect.
    Told,
}

/// How the process ends if nobody else ends it.
#[derive(Debug, PartialEq)]
struct LastWord {
    code: u8,
    why: String,
}

impl LastWord {
    fn of(signal: StopSignal, why: &str) -> Self {
        Self { code: EXIT_SIGNAL + signal.number(), why: format!("{signal}: {why}") }
    }
}

/// Listens from now on. `patience` after the first signal the process ends with `code`, if it still runs.
/// Before the process is ended from here, `clean_up` is called. The end of `parent`, if it is given, counts
/// as SIGTERM.
pub(super) fn listen(
    patience: Duration,
    code: u8,
    parent: Option<u32>,
    clean_up: impl FnOnce() + Send + 'static,
) -> io::Result<Signals> {
    let (heard, received) = mpsc::unbounded_channel();
    let (over, is_over) = oneshot::channel();
    let (listens, is_listening) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let source = match Source::new(parent) {
                Ok(source) => source,
                Err(error) => return drop(listens.send(Err(error))),
            };
            let _ = listens.send(Ok(()));
            let last = watch(source, SignalWatch::new(patience, code), &heard, is_over).await;
            if let Some(LastWord { code, why }) = last {
                clean_up();
                say_last(why);
                std::process::exit(i32::from(code));
            }
        });
    })?;
    is_listening.recv().map_err(|_| io::Error::other("the thread that listens for signals has ended"))??;
    Ok(Signals { received, came: false, over: Some(over) })
}

/// Prints it, unless that takes too long.
fn say_last(why: String) {
    let (printed, is_printed) = std::sync::mpsc::channel();
    let print = move || {
        complain(&why);
        // A receiver that waits no more ends the process.
        let _ = printed.send(());
    };
    if thread::Builder::new().spawn(print).is_ok() {
        let _ = is_printed.recv_timeout(LAST_WORD);
    }
}

impl Signals {
    /// The next one. `None`: nobody listens any more.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no signal is lost.
    pub(super) async fn next(&mut self) -> Option<StopSignal> {
        let signal = self.received.recv().await;
        self.came |= signal.is_some();
        signal
    }

    /// Whether one has come by now.
    pub(super) fn came(&mut self) -> bool {
        self.came || self.received.try_recv().is_ok()
    }

    /// Ends the process with this code a little later, if it still runs then.
    pub(super) fn end_process_soon(mut self, code: u8, why: &dyn fmt::Display) {
        if let Some(over) = self.over.take() {
            let still =
                "some code never awaits, or blocks, and keeps the process from ending: it is ended now";
            let _ = over.send(AfterRun::Soon(LastWord { code, why: format!("{why}\n{still}") }));
        }
    }

    /// Ends the process at the next signal, if it still runs then.
    pub(super) fn end_process_when_told(mut self) {
        if let Some(over) = self.over.take() {
            let _ = over.send(AfterRun::Told);
        }
    }
}

/// When the process is ended from here: the decisions, without signals, clock or exit.
#[derive(Debug)]
struct SignalWatch {
    patience: Duration,
    code: u8,
    signals: u32,
    /// When, and how.
    end: Option<(Instant, LastWord)>,
}

impl SignalWatch {
    fn new(patience: Duration, code: u8) -> Self {
        Self { patience, code, signals: 0, end: None }
    }

    /// A signal came. `Some`: the process ends at once.
    fn signal(&mut self, now: Instant, signal: StopSignal) -> Option<LastWord> {
        self.signals += 1;
        match self.signals {
            1 => {
                let why =
                    format!("{signal}: the runtime did not end in {:?}: ended without it", self.patience);
                // Past the end of time there is no deadline.
                self.end = now.checked_add(self.patience).map(|at| (at, LastWord { code: self.code, why }));
                None
            }
            2 => {
                self.end =
                    Some((now + OBEY, LastWord::of(signal, "the runtime does not obey: ended without it")));
                None
            }
            _ => Some(LastWord::of(signal, "ended at once")),
        }
    }
}

async fn watch(
    mut source: Source,
    mut watch: SignalWatch,
    heard: &mpsc::UnboundedSender<StopSignal>,
    mut is_over: oneshot::Receiver<AfterRun>,
) -> Option<LastWord> {
    loop {
        let at = watch.end.as_ref().map_or_else(Instant::now, |(at, _)| *at);
        tokio::select! {
            biased;
            over = &mut is_over => {
                return Some(match over.ok()? {
                    AfterRun::Soon(last) => end_by_signal(&mut source, OBEY).await.unwrap_or(last),
                    AfterRun::Told => end_by_signal(&mut source, Duration::MAX).await?,
                });
            }
            signal = source.next() => {
                if let Some(last) = watch.signal(Instant::now(), signal) {
                    return Some(last);
                }
                let _ = heard.send(signal);
            }
            () = sleep_until(at), if watch.end.is_some() => return watch.end.map(|(_, last)| last),
        }
    }
}

/// How the next signal that comes within this time ends the process.
async fn end_by_signal(source: &mut Source, within: Duration) -> Option<LastWord> {
    timeout(within, source.next()).await.ok().map(|signal| LastWord::of(signal, "ended at once"))
}

/// Where signals come from.
#[cfg(unix)]
struct Source {
    /// None where the process was started with SIGHUP ignored (`nohup`): it stays ignored.
    hangup: Option<tokio::signal::unix::Signal>,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    parent: Parent,
}

#[cfg(unix)]
impl Source {
    fn new(parent: Option<u32>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if is_ignored(StopSignal::Hangup.number().into()) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            hangup,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            parent: Parent::new(parent),
        })
    }

    fn next(&mut self) -> impl Future<Output = StopSignal> + '_ {
        let Self { hangup, interrupt, quit, terminate, parent } = self;
        let hangup = async move {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => None,
            }
        };
        async move {
            // A source that is at its end says `None` for ever, and the other ones are still there.
            let signal = tokio::select! {
                Some(()) = hangup => StopSignal::Hangup,
                Some(()) = interrupt.recv() => StopSignal::Interrupt,
                Some(()) = quit.recv() => StopSignal::Quit,
                Some(()) = terminate.recv() => StopSignal::Terminate,
                () = parent.ended() => {
                    // It may be printed to where nobody reads any more, and signals are to be heard.
                    let warn = || {
                        caught(|| tracing::warn!(target: "mycelium::shutdown", "the process that started this one has ended"));
                    };
                    let _unsaid = thread::Builder::new().spawn(warn);
                    StopSignal::Terminate
                }
                else => std::future::pending().await,
            };
            // The parent's end asks nothing more of a process that was told to end before.
            *parent = Parent::None;
            signal
        }
    }
}

/// The process whose end ends this one, if there is one.
#[cfg(unix)]
enum Parent {
    None,
    Ended,
    #[cfg(target_os = "linux")]
    Runs(tokio::net::unix::pipe::Receiver),
}

#[cfg(unix)]
impl Parent {
    /// Where the system cannot tell of its end (before Linux 5.3), it is not waited for.
    #[cfg(target_os = "linux")]
    fn new(number: Option<u32>) -> Self {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let pid = number.and_then(|number| i32::try_from(number).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return Self::None };
        match pidfd_open(pid, PidfdFlags::empty()) {
            // It is no pipe, and is never read: like one, it is ready when the other end has gone.
            Ok(handle) => tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(handle)
                .map_or(Self::None, Self::Runs),
            Err(rustix::io::Errno::SRCH) => Self::Ended,
            Err(_) => Self::None,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn new(_: Option<u32>) -> Self {
        Self::None
    }

    /// Ready once.
    async fn ended(&mut self) {
        match self {
            Self::None => std::future::pending().await,
            Self::Ended => {}
            #[cfg(target_os = "linux")]
            Self::Runs(handle) => drop(handle.readable().await),
        }
        *self = Self::None;
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new(_: Option<u32>) -> io::Result<Self> {
        Ok(Self)
    }

    fn next(&mut self) -> impl Future<Output = StopSignal> + '_ {
        async {
            match tokio::signal::ctrl_c().await {
                Ok(()) => StopSignal::Interrupt,
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_more_urgent_than_the_one_before() {
        let now = Instant::now();
        let mut watch = SignalWatch::new(Duration::from_secs(60), 3);
        assert_eq!(watch.signal(now, StopSignal::Terminate), None);
        assert_eq!(
            watch.end.as_ref().map(|(at, last)| (*at, last.code)),
            Some((now + Duration::from_secs(60), 3))
        );
        assert_eq!(watch.signal(now, StopSignal::Interrupt), None);
        assert_eq!(watch.end.as_ref().map(|(at, last)| (*at, last.code)), Some((now + OBEY, 130)));
        assert_eq!(watch.signal(now, StopSignal::Terminate).map(|last| last.code), Some(143));
    }

    #[test]
    fn a_limit_past_the_end_of_time_is_no_deadline() {
        let mut watch = SignalWatch::new(Duration::MAX, 3);
        assert_eq!(watch.signal(Instant::now(), StopSignal::Terminate), None);
        assert_eq!(watch.end, None);
    }
}
