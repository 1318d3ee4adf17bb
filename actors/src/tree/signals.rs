//! The signals that ask a process to stop, heard on a thread of their own, so that they are heard whatever
//! the program's runtime does.

use std::fmt;
use std::future::Future;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::run::{EXIT_SIGNAL, complain};

/// How long a program may take to obey a second signal, and a runtime to go down when some member never
/// awaits.
const OBEY: Duration = Duration::from_secs(2);

/// A signal that asks the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager, or `kill`.
    Terminate,
}

impl StopSignal {
    /// Its number: 2 or 15.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Signals as they come. Dropping it ends the thread, unless the process is to be ended.
pub(super) struct Signals {
    pub(super) received: mpsc::UnboundedReceiver<StopSignal>,
    /// Whose drop or message ends the listening.
    over: Option<oneshot::Sender<LastWord>>,
}

/// How the process ends if nobody else ends it.
#[derive(Debug, PartialEq)]
struct LastWord {
    code: u8,
    why: String,
}

/// Listens from now on. `patience` after the first signal the process ends with `code`, if it still runs.
/// Before the process is ended from here, `clean_up` is called.
pub(super) fn listen(
    patience: Duration,
    code: u8,
    clean_up: impl FnOnce() + Send + 'static,
) -> io::Result<Signals> {
    let (heard, received) = mpsc::unbounded_channel();
    let (over, is_over) = oneshot::channel();
    let (listens, is_listening) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let source = match Source::new() {
                Ok(source) => source,
                Err(error) => return drop(listens.send(Err(error))),
            };
            let _ = listens.send(Ok(()));
            let last = watch(source, SignalWatch::new(patience, code), &heard, is_over).await;
            if let Some(LastWord { code, why }) = last {
                complain(&why);
                clean_up();
                std::process::exit(i32::from(code));
            }
        });
    })?;
    is_listening.recv().map_err(|_| io::Error::other("the thread that listens for signals has ended"))??;
    Ok(Signals { received, over: Some(over) })
}

impl Signals {
    /// Ends the process with this code a little later, if it still runs then.
    pub(super) fn end_process_soon(mut self, code: u8, why: &dyn fmt::Display) {
        if let Some(over) = self.over.take() {
            let why =
                format!("{why}\nsome code never awaits and keeps the process from ending: it is ended now");
            let _ = over.send(LastWord { code, why });
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
        let killed =
            |why: &str| LastWord { code: EXIT_SIGNAL + signal.number(), why: format!("{signal}: {why}") };
        match self.signals {
            1 => {
                let why =
                    format!("{signal}: the runtime did not end in {:?}: ended without it", self.patience);
                // Past the end of time there is no deadline.
                self.end = now.checked_add(self.patience).map(|at| (at, LastWord { code: self.code, why }));
                None
            }
            2 => {
                self.end = Some((now + OBEY, killed("the runtime does not obey: ended without it")));
                None
            }
            _ => Some(killed("ended at once")),
        }
    }
}

async fn watch(
    mut source: Source,
    mut watch: SignalWatch,
    heard: &mpsc::UnboundedSender<StopSignal>,
    mut is_over: oneshot::Receiver<LastWord>,
) -> Option<LastWord> {
    loop {
        let at = watch.end.as_ref().map_or_else(Instant::now, |(at, _)| *at);
        tokio::select! {
            biased;
            over = &mut is_over => {
                let last = over.ok()?;
                tokio::time::sleep(OBEY).await;
                return Some(last);
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

/// Where signals come from.
#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    fn next(&mut self) -> impl Future<Output = StopSignal> + '_ {
        let Self { interrupt, terminate } = self;
        async move {
            // A source that is at its end says `None` for ever, and the other one is still there.
            tokio::select! {
                Some(()) = interrupt.recv() => StopSignal::Interrupt,
                Some(()) = terminate.recv() => StopSignal::Terminate,
                else => std::future::pending().await,
            }
        }
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new() -> io::Result<Self> {
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
