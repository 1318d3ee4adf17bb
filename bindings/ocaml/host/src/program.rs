//! The one OCaml of the process, and the thread that enters it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use mycelium::ThreadHooks;

use crate::OCamlError;
use crate::door::Door;

/// The stack of OCaml's first thread (bytes): what top levels of modules and `configure` run on. That of
/// the main thread of a program has as much, mostly.
const STACK_BYTES: usize = 16 << 20;

/// How many calls may wait to be sent (calls): each caller waits for its own.
const WAITING_MAX: usize = 64;

type Job = Box<dyn FnOnce(&Door) + Send>;

/// The OCaml of this process, which runs.
pub(crate) struct Program {
    jobs: SyncSender<Job>,
    hooks: Arc<dyn ThreadHooks>,
    process: u32,
}

static PROGRAM: OnceLock<Result<Program, OCamlError>> = OnceLock::new();

impl Program {
    /// Starts OCaml, unless somebody has. It waits until the top level of its modules has run.
    ///
    /// # Errors
    /// No OCaml is linked, its top level has raised, or there are no threads: the same each time.
    pub(crate) fn get() -> Result<&'static Self, OCamlError> {
        PROGRAM.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    fn start() -> Result<Self, OCamlError> {
        let door = Door::find()?;
        let hooks = door.hooks();
        let (jobs, to_do) = sync_channel(WAITING_MAX);
        let (told, started) = sync_channel(1);
        let thread = thread::Builder::new().name("ocaml".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || {
            let begun = door.start();
            let begun = begun.map_err(|failure| {
                OCamlError::new(format!(
                    "the OCaml in this program has raised at the top level of a module, when it was started: {failure}"
                ))
            });
            // The asker waits.
            let _ = told.send(begun);
            // It is OCaml's first thread, which may not end.
            work(&door, &to_do);
        });
        thread.map_err(|error| OCamlError::new(format!("a thread cannot be started: {error}")))?;
        started.recv().unwrap_or_else(|_| Err(OCamlError::new("the thread of OCaml has ended early")))?;
        Ok(Self { jobs, hooks, process: process::id() })
    }

    /// What threads that call OCaml do besides.
    pub(crate) fn hooks(&self) -> Arc<dyn ThreadHooks> {
        Arc::clone(&self.hooks)
    }

    /// Runs this on OCaml's first thread, and waits for it.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        run: impl FnOnce(&Door) -> R + Send + 'static,
    ) -> Result<R, OCamlError> {
        if self.process != process::id() {
            return Err(OCamlError::new(
                "this process was forked after OCaml was started, whose threads are not here: start OCaml after `fork`",
            ));
        }
        let (told, done) = sync_channel(1);
        let job: Job = Box::new(move |door| {
            // The asker waits.
            let _ = told.send(run(door));
        });
        let gone = |_| OCamlError::new("the thread of OCaml has failed; please report it");
        self.jobs.send(job).map_err(|_| gone(()))?;
        done.recv().map_err(|_| gone(()))
    }
}

/// Does what comes, for ever.
fn work(door: &Door, to_do: &Receiver<Job>) {
    while let Ok(job) = to_do.recv() {
        // One that panics tells whoever waits by not answering.
        let _ = catch_unwind(AssertUnwindSafe(|| job(door)));
    }
    // The start has failed, so nobody sends. Code that was started by then may have threads.
    loop {
        thread::park();
    }
}
