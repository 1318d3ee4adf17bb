//! Operating-system processes as children: a service whose loop is the process.

use std::collections::HashSet;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use mycelium_mailbox::caught;
use mycelium_supervisor::ExitReason;
use mycelium_supervisor::engine::Left;

use super::launch::{Launch, Life, Site, launch_service};
use super::shell::Tasks;
use crate::sync::{Mutex, MutexGuard};
use crate::{BoxError, Service, ServiceContext};

/// Longest line of output that goes into one log event, in bytes; a longer one is cut into several.
pub const LINE_BYTES_MAX: usize = 8 * 1024;

/// How long what a process wrote last is read after its end. It is in the pipes by then, and takes no time
/// unless somebody else keeps them open.
const LAST_LINES: Duration = Duration::from_millis(100);

/// The number of SIGTERM, the same on all systems.
const TERM: i32 = 15;

/// A process as a child of a supervisor: command, arguments, environment and working directory.
///
/// It leads a process group of its own. Told to stop, the group gets SIGTERM; after the shutdown time of the
/// child, or when the process has ended and left others behind, the group gets SIGKILL. An exit code of 0 is
/// a normal end, and so is the end by SIGTERM (also as code 143) of one that was told to stop; anything else
/// is a failure, of which nobody hears once it was told to stop but the observer of the tree
/// ([`Notice::Stopped`](super::Notice::Stopped)). Lines of its output become `tracing`
/// events: stdout at info, stderr at warn.
///
/// ```
/// use mycelium::Supervisor;
/// use mycelium::tree::ProcessSpec;
///
/// let worker = ProcessSpec::new("python3").args(["-u", "worker.py"]).env("SYMBOL", "GOOG").cwd("/srv/worker");
/// let _tree = Supervisor::builder("root").process("worker", worker);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a process runs under a supervisor: give it to `Builder::process`"]
pub struct ProcessSpec {
    command: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    cwd: Option<PathBuf>,
    ready_line: Option<Box<str>>,
    is_of_mycelium: bool,
}

impl ProcessSpec {
    /// A process that runs `command`, which is looked up as the platform does.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            ready_line: None,
            is_of_mycelium: false,
        }
    }

    /// It is a program of Mycelium: its code 143 says that a second signal ended it before it had drained,
    /// and is a failure. Of others it is how a shell says that SIGTERM has ended what it ran.
    pub fn of_mycelium(mut self) -> Self {
        self.is_of_mycelium = true;
        self
    }

    /// Adds arguments.
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment, the rest of which it inherits.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// It counts as started when it has written a line to stdout that contains `text`; the next child starts
    /// after that. Without this it counts as started at once.
    pub fn ready_line(mut self, text: impl Into<Box<str>>) -> Self {
        self.ready_line = Some(text.into());
        self
    }

    pub(crate) fn has_ready_line(&self) -> bool {
        self.ready_line.is_some()
    }

    /// Sets its working directory.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }
}

/// Starts processes.
pub(crate) struct ProcessLaunch {
    spec: ProcessSpec,
}

impl ProcessLaunch {
    pub(crate) fn new(spec: ProcessSpec) -> Self {
        Self { spec }
    }
}

impl Launch for ProcessLaunch {
    fn only_live(&self) -> Option<&'static str> {
        Some("an operating-system process")
    }

    fn launch(&self, site: &Site, _: Option<Left<Tasks>>) -> Result<Life, ExitReason> {
        let (path, spec, groups) =
            (Arc::clone(&site.path), self.spec.clone(), Arc::clone(&site.shared.groups));
        launch_service(site, ProcessService { path, spec, groups })
    }

    fn is_source(&self) -> bool {
        true
    }
}

/// The process groups of a tree that run, and who reaps those that were killed.
#[derive(Default)]
pub(crate) struct Groups {
    running: Mutex<HashSet<Pid>>,
    reapers: Mutex<Vec<JoinHandle<()>>>,
}

impl Groups {
    /// Kills all of them: for the end of a program whose runtime does nothing any more.
    pub(crate) fn kill(&self) {
        for group in lock(&self.running).drain() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits until all are reaped that were killed before.
    pub(crate) async fn reaped(&self) {
        let reapers = std::mem::take(&mut *lock(&self.reapers));
        for reaper in reapers {
            // A reaper does not panic; one that went down with its runtime reaps nothing any more.
            let _ = reaper.await;
        }
    }

    fn reap(&self, mut child: Child) {
        // Without a number it was waited for already.
        if let (Some(_), Ok(runtime)) = (child.id(), Handle::try_current()) {
            let reaper = runtime.spawn(async move { drop(child.wait().await) });
            let mut reapers = lock(&self.reapers);
            reapers.retain(|reaper| !reaper.is_finished());
            reapers.push(reaper);
        }
    }
}

/// Runs one process for one life.
struct ProcessService {
    path: Arc<str>,
    spec: ProcessSpec,
    groups: Arc<Groups>,
}

impl ProcessService {
    fn spawn(&self) -> Result<Child, BoxError> {
        let ProcessSpec { command, args, env, cwd, .. } = &self.spec;
        // The system says of a missing directory what it says of a missing program.
        if let Some(directory) = cwd
            && let Err(error) = std::fs::read_dir(directory)
            && matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        {
            let shown = directory.display();
            return Err(format!("cannot run `{command}` in the directory `{shown}`: {error}").into());
        }
        let mut process = Command::new(command);
        process.args(args).envs(env.iter().map(|(name, value)| (name, value)));
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(directory) = cwd {
            process.current_dir(directory);
        }
        process.spawn().map_err(|error| format!("cannot run `{command}`: {error}").into())
    }
}

impl Service for ProcessService {
    type Error = BoxError;

    fn name() -> &'static str {
        "Process"
    }

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut child = self.spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // From here on every way out ends the whole group and reaps the process.
        let mut group = Group { child: Some(child), group, groups: Arc::clone(&self.groups) };
        lock(&group.groups.running).extend(group.group);
        let path = &*self.path;
        let ready_line = self.spec.ready_line.as_deref();
        let mut output = pin!(async {
            tokio::join!(
                lines(stdout, |line| {
                    ctx.alive();
                    if ready_line.is_some_and(|text| line.contains(text)) {
                        ctx.ready();
                    }
                    caught(|| tracing::info!(target: "mycelium::process", process = path, "{line}"));
                }),
                lines(stderr, |line| {
                    ctx.alive();
                    caught(|| tracing::warn!(target: "mycelium::process", process = path, "{line}"));
                }),
            );
        });
        let mut stopped = pin!(ctx.stopped());
        // It may go on after it has closed its output.
        let (mut reads, mut told) = (true, false);
        let Some(child) = &mut group.child else { return Ok(()) };
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut output, if reads => reads = false,
                () = &mut stopped, if !told => {
                    told = true;
                    group.group.map(|group| kill_process_group(group, Signal::TERM));
                }
            }
        };
        drop(group);
        if reads {
            // Its last output is in the pipes still; one that has left its group may keep them open.
            let _ = timeout(LAST_LINES, output).await;
        }
        // Most die of SIGTERM once they are told to end; a shell says that as a code.
        let by_shell = !self.spec.is_of_mycelium && status.code() == Some(128 + TERM);
        let by_term = status.signal() == Some(TERM) || by_shell;
        if status.success() || told && by_term {
            return Ok(());
        }
        Err(format!("the process ended with {status}").into())
    }
}

/// A process and its group, ended at the latest when this is dropped.
struct Group {
    child: Option<Child>,
    group: Option<Pid>,
    groups: Arc<Groups>,
}

impl Drop for Group {
    fn drop(&mut self) {
        // The number of a group stays taken while a process is in it, and our child's until it is reaped.
        // After that it could name another group only if all numbers had been used meanwhile.
        if let Some(group) = self.group {
            lock(&self.groups.running).remove(&group);
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(child) = self.child.take() {
            self.groups.reap(child);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one insertion or removal: what is guarded stays whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands over each line of `output`, and reads as fast as the process writes, so that a flood does not block
/// it.
async fn lines(output: Option<impl tokio::io::AsyncRead + Unpin>, mut tell: impl FnMut(&str)) {
    let Some(output) = output else { return };
    let mut reader = BufReader::with_capacity(LINE_BYTES_MAX, output);
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line).await {
        tell(&String::from_utf8_lossy(&line));
        line.clear();
        tokio::task::consume_budget().await;
    }
}

/// Appends up to a line feed, which is dropped, or [`LINE_BYTES_MAX`] bytes; `false` at the end of the
/// output.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> bool {
    loop {
        let Ok(buffer) = reader.fill_buf().await else { return !line.is_empty() };
        if buffer.is_empty() {
            return !line.is_empty();
        }
        let room = &buffer[..buffer.len().min(LINE_BYTES_MAX - line.len())];
        let end = room.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&room[..end.unwrap_or(room.len())]);
        let taken = end.map_or(room.len(), |end| end + 1);
        reader.consume(taken);
        if end.is_some() || line.len() == LINE_BYTES_MAX {
            return true;
        }
    }
}
