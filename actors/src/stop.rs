//! Asking sweeps and isolates to end early.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Ends sweeps early: clones share one flag, which anyone may set, from any thread.
///
/// No further instance is begun. The isolates in hand, those of
/// [`Trial::isolate`](crate::sweep::Trial::isolate), end between two events with
/// [`RunError::Stopped`](crate::RunError::Stopped); such an instance counts as not tried, whatever it
/// returns. An instance that runs none of them any more is finished, and its result kept. The flag stays set,
/// so a sweep that is started with it afterwards runs nothing until somebody calls [`reset`](Self::reset).
///
/// Any other isolate is stopped by it after [`Isolate::stop_on`](crate::Isolate::stop_on).
///
/// ```
/// use mycelium::sweep::{StopFlag, Sweep};
/// let stop = StopFlag::new();
/// let report = Sweep::new(0..1_000).threads(1).chunk(1).stop(&stop).run(|n, _| {
///     if *n == 9 {
///         stop.stop();
///     }
///     Ok(*n)
/// })?;
/// assert!(report.cancelled);
/// assert_eq!(report.results.len(), 10);
/// # Ok::<(), mycelium::sweep::SweepError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StopFlag {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    set: AtomicBool,
    /// Sweeps that watch the flag at this moment.
    watched_by: AtomicUsize,
}

impl StopFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it.
    pub fn stop(&self) {
        self.inner.set.store(true, Ordering::Relaxed);
    }

    /// Whether it is set.
    pub fn is_stopped(&self) -> bool {
        self.inner.set.load(Ordering::Relaxed)
    }

    /// Takes it back, so that further sweeps run.
    pub fn reset(&self) {
        self.inner.set.store(false, Ordering::Relaxed);
    }

    pub(crate) fn watch(&self) -> SweepWatch {
        self.inner.watched_by.fetch_add(1, Ordering::Relaxed);
        SweepWatch(self.clone())
    }

    /// Lets Ctrl-C set this flag while a sweep watches it. A second Ctrl-C, or one at any other time, ends
    /// the process with exit code 130, as it would have without a handler.
    ///
    /// Signals belong to the process: call this once, near the start of `main`, and give the flag to every
    /// sweep.
    ///
    /// A process that was started with the signal ignored, as the `&` of a script does, goes on ignoring it,
    /// and its flag is not set. Only Linux tells: elsewhere that is [`CtrlCError::HandlerExists`].
    ///
    /// # Errors
    /// [`CtrlCError`], if the process has a handler for Ctrl-C already, or the system refuses one.
    #[cfg(feature = "ctrl-c")]
    pub fn stop_on_ctrl_c(&self) -> Result<(), CtrlCError> {
        /// What shells report for a process that SIGINT ended: 128 + 2.
        const EXIT_CODE: i32 = 130;
        #[cfg(unix)]
        if is_ignored(SIGINT) {
            return Ok(());
        }
        let flag = self.clone();
        let handler = move || {
            let watched = flag.inner.watched_by.load(Ordering::Relaxed) > 0;
            if flag.inner.set.swap(true, Ordering::Relaxed) || !watched {
                std::process::exit(EXIT_CODE);
            }
        };
        // Not with `tokio::signal`, as trees do: a sweep has no runtime.
        ctrlc::try_set_handler(handler).map_err(|error| match error {
            ctrlc::Error::MultipleHandlers => CtrlCError::HandlerExists,
            ctrlc::Error::System(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                CtrlCError::HandlerExists
            }
            ctrlc::Error::System(error) => CtrlCError::System(error.to_string()),
            ctrlc::Error::NoSuchSignal(_) => CtrlCError::System(error.to_string()),
        })
    }
}

#[cfg(all(unix, feature = "ctrl-c"))]
const SIGINT: u32 = 2;

/// Whether the process ignores this signal, as it may have been told to where it was started. Only Linux
/// tells; elsewhere the answer is no.
#[cfg(unix)]
pub(crate) fn is_ignored(signal: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// A sweep in progress, counted for as long as this lives.
pub(crate) struct SweepWatch(StopFlag);

impl SweepWatch {
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    pub(crate) fn leash(&self) -> Arc<Leash> {
        Leash::new(&self.0)
    }
}

impl Drop for SweepWatch {
    fn drop(&mut self) {
        self.0.inner.watched_by.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What holds isolates to a flag, and notes that it has held one back.
#[derive(Debug)]
pub(crate) struct Leash {
    flag: StopFlag,
    pulled: AtomicBool,
}

impl Leash {
    pub(crate) fn new(flag: &StopFlag) -> Arc<Self> {
        Arc::new(Self { flag: flag.clone(), pulled: AtomicBool::new(false) })
    }

    /// Whether an isolate that asks has to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        let stopped = self.flag.is_stopped();
        if stopped {
            self.pulled.store(true, Ordering::Relaxed);
        }
        stopped
    }

    /// Whether one had to since the last time.
    pub(crate) fn take_pulled(&self) -> bool {
        self.pulled.swap(false, Ordering::Relaxed)
    }
}

/// Ctrl-C keeps what it did before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CtrlCError {
    /// The process handles Ctrl-C already.
    HandlerExists,
    /// The system refused, for this reason.
    System(String),
}

impl fmt::Display for CtrlCError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandlerExists => f.write_str(
                "Ctrl-C has a handler already; call `stop_on_ctrl_c` once per process and share the flag, or call \
                 `stop` from your own handler",
            ),
            Self::System(error) => write!(f, "the system refused a handler for Ctrl-C: {error}"),
        }
    }
}

impl std::error::Error for CtrlCError {}
