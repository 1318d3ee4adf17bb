//! What is sent, who counts it, and the runtimes it runs on.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

/// A message of 64 bytes or of 1 KiB.
pub(crate) trait Load: mycelium::Message {
    /// How the size is written in a case's name.
    const SIZE: &'static str;
    /// A message that carries `number`.
    fn new(number: u64) -> Self;
    /// The number that it carries.
    fn number(&self) -> u64;
}

/// 64 bytes: the size of a quote or a fill.
#[derive(Clone, Debug)]
pub(crate) struct Small([u64; 8]);

/// 1 KiB: the size of a book snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Large([u64; 128]);

impl Load for Small {
    const SIZE: &'static str = "64 B";
    fn new(number: u64) -> Self {
        Self([number; 8])
    }
    fn number(&self) -> u64 {
        self.0[7]
    }
}

impl Load for Large {
    const SIZE: &'static str = "1 KiB";
    fn new(number: u64) -> Self {
        Self([number; 128])
    }
    fn number(&self) -> u64 {
        self.0[127]
    }
}

/// How many messages a receiver has handled; alone in its cache lines, so that receivers do not disturb each
/// other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Progress(AtomicU64);

impl Progress {
    /// The number handled so far.
    pub(crate) fn handled(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A receiver's state: counts and sums what arrives, and reports the sum once all of it has.
#[derive(Debug)]
pub(crate) struct Counter {
    seen: u64,
    sum: u64,
    expected: u64,
    progress: Arc<Progress>,
    done: Option<oneshot::Sender<u64>>,
}

/// What the sending side knows of a counter.
#[derive(Debug)]
pub(crate) struct Watch {
    /// How many messages have been handled.
    pub(crate) progress: Arc<Progress>,
    /// Resolves to the sum when all have.
    pub(crate) done: oneshot::Receiver<u64>,
}

impl Counter {
    /// A counter that waits for `expected` messages.
    pub(crate) fn new(expected: u64) -> (Self, Watch) {
        let progress = Arc::new(Progress::default());
        let (tell, done) = oneshot::channel();
        let counter = Self { seen: 0, sum: 0, expected, progress: Arc::clone(&progress), done: Some(tell) };
        (counter, Watch { progress, done })
    }

    /// Handles a message. Returns true when it was the last one.
    pub(crate) fn see<M: Load>(&mut self, message: &M) -> bool {
        self.seen += 1;
        self.sum = self.sum.wrapping_add(message.number());
        self.progress.0.store(self.seen, Ordering::Relaxed);
        if self.seen == self.expected
            && let Some(done) = self.done.take()
        {
            done.send(self.sum).ok();
        }
        self.seen >= self.expected
    }
}

/// The runtime a contender runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// tokio's current_thread.
    Current,
    /// tokio's multi_thread with two workers.
    Multi,
}

/// Both, in the order of the tables.
pub(crate) const FLAVOURS: [Flavour; 2] = [Flavour::Current, Flavour::Multi];

impl Flavour {
    /// How the flavour is written in a case's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Current => "current_thread",
            Self::Multi => "multi_thread(2)",
        }
    }

    /// Runs `work` as a task on a fresh runtime, so that a publisher is a worker's task and not the blocked
    /// main thread.
    pub(crate) fn run<T: Send + 'static>(self, work: impl Future<Output = T> + Send + 'static) -> T {
        let mut builder = match self {
            Self::Current => tokio::runtime::Builder::new_current_thread(),
            Self::Multi => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime can be built");
        runtime.block_on(async { tokio::spawn(work).await.expect("the contender does not panic") })
    }
}
