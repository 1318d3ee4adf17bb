//! How a runtime with a bus of its own is set up.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use mycelium::wire::{Contract, Messages};
use mycelium::{BusBuilder, MessageBus, ThreadHooks};

use crate::delivery::text_of;
use crate::inside::NoHooks;
use crate::known::read;
use crate::{Error, Known, Runtime};

/// Sets a runtime up: see [`Runtime::builder`].
#[must_use = "a builder starts nothing before `start`"]
pub struct RuntimeBuilder {
    bus: BusBuilder,
    known: Vec<Contract>,
    hooks: Arc<dyn ThreadHooks>,
    workers: usize,
    /// The file of a topology, and the name in it by which the bus is found.
    topology: Option<(PathBuf, String)>,
}

/// How many threads run what is not hosted by a foreign language, unless told otherwise.
const WORKERS: usize = 1;

impl RuntimeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            bus: MessageBus::builder(),
            known: Vec::new(),
            hooks: Arc::new(NoHooks),
            workers: WORKERS,
            topology: None,
        }
    }

    /// Adds the messages of a contract: the text of `contracts.yaml`, or the table that was made of one.
    /// `file` is its name in errors.
    ///
    /// # Errors
    /// [`Error::Contract`].
    pub fn contract_text(self, text: &str, file: &str) -> Result<Self, Error> {
        let contract = read(text, file)?;
        Ok(self.contract(contract))
    }

    /// Adds the messages of a contract.
    pub fn contract(mut self, contract: Contract) -> Self {
        self.bus = self.bus.contract(contract);
        self.known.push(contract);
        self
    }

    /// What the language wants to know of its threads.
    pub fn hooks(mut self, hooks: Arc<dyn ThreadHooks>) -> Self {
        self.hooks = hooks;
        self
    }

    /// How many threads run supervisors, timers, and Rust actors, at least 1. Hosted actors and callbacks
    /// have threads of their own.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads.max(1);
        self
    }

    /// Changes the bus: see [`BusBuilder`]. The runtime that it is given does not count.
    pub fn bus(mut self, change: impl FnOnce(BusBuilder) -> BusBuilder) -> Self {
        self.bus = change(self.bus);
        self
    }

    /// Has the bus be that of the process which a topology describes under this name: of its node, or of a
    /// service that runs in it. It listens when [`start`](Self::start) returns, and dials from then on. See
    /// [`MessageBus::from_topology`].
    ///
    /// ```no_run
    /// # let contract = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n";
    /// let builder = mycelium_hosted::Runtime::builder().contract_text(contract, "ticks")?;
    /// let runtime = builder.topology("topology.toml", "feed").start()?;
    /// runtime.publish(7, &42_i64.to_le_bytes())?; // also to the other processes
    /// # Ok::<(), mycelium_hosted::Error>(())
    /// ```
    pub fn topology(mut self, path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        self.topology = Some((path.into(), name.into()));
        self
    }

    /// Starts its threads.
    ///
    /// # Errors
    /// [`Error::Threads`], [`Error::Topology`].
    pub fn start(self) -> Result<Runtime, Error> {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        threads.worker_threads(self.workers).thread_name("mycelium").enable_all();
        // A thread that the system refuses is a panic of tokio.
        let threads = catch_unwind(AssertUnwindSafe(|| threads.build()))
            .map_err(|panic| Error::Threads(text_of(&*panic).to_owned()))?
            .map_err(|error| Error::Threads(error.to_string()))?;
        let handle = threads.handle().clone();
        let bus = self.bus.runtime(handle.clone());
        let bus = match self.topology {
            None => Ok(bus.build()),
            Some((path, name)) => bus.build_from(path, &name),
        };
        let bus = match bus {
            Ok(bus) => bus,
            Err(error) => {
                // Whoever asks may be a task, which cannot wait for them.
                threads.shutdown_background();
                return Err(Error::Topology(error.to_string()));
            }
        };
        let known = Known::of(&Several(&self.known));
        Ok(Runtime::new(bus, known, handle, Some(threads), self.hooks))
    }
}

/// The messages of several contracts; of two with one type id, that of the first.
struct Several<'a>(&'a [Contract]);

impl Messages for Several<'_> {
    fn each<V: mycelium::wire::Visitor>(&self, visitor: &mut V) {
        let mut seen = HashSet::new();
        for message in self.0.iter().flat_map(Contract::messages) {
            if seen.insert(message.type_id()) {
                visitor.untyped(message);
            }
        }
    }
}

impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("bus", &self.bus)
            .field("workers", &self.workers)
            .field("topology", &self.topology)
            .finish_non_exhaustive()
    }
}
