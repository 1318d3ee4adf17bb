//! The threads that call the code of a foreign language.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mycelium::ThreadHooks;
use tokio::runtime::Handle;

use crate::wait::{Ending, take_timers_of};

/// The language's hooks, and which threads call its code.
pub(crate) struct Inside {
    hooks: Arc<dyn ThreadHooks>,
    /// Whose timers its threads wait by.
    handle: Handle,
    threads: Mutex<HashSet<ThreadId>>,
    one_ended: Condvar,
}

impl Inside {
    pub(crate) fn new(hooks: Arc<dyn ThreadHooks>, handle: Handle) -> Self {
        Self { hooks, handle, threads: Mutex::default(), one_ended: Condvar::new() }
    }

    /// Whether this thread is one of them.
    pub(crate) fn is_here(&self) -> bool {
        self.threads().contains(&thread::current().id())
    }

    /// Waits until no thread calls the language's code any more; whether none does by then.
    pub(crate) fn wait_end(&self, ending: &Ending, grace: Duration) -> bool {
        ending.wait_while(&self.one_ended, &self.threads, grace, |threads| threads.is_empty())
    }

    fn threads(&self) -> MutexGuard<'_, HashSet<ThreadId>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThreadHooks for Inside {
    fn started(&self) {
        self.threads().insert(thread::current().id());
        take_timers_of(&self.handle);
        self.hooks.started();
    }

    fn before_wait(&self) {
        self.hooks.before_wait();
    }

    fn after_wait(&self) {
        self.hooks.after_wait();
    }

    fn ended(&self) {
        self.hooks.ended();
        self.threads().remove(&thread::current().id());
        self.one_ended.notify_all();
    }
}

/// Of languages that do not care.
pub(crate) struct NoHooks;

impl ThreadHooks for NoHooks {}
