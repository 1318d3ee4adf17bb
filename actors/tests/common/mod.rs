//! Messages and actors that the tests of live buses share.
#![allow(dead_code, unreachable_pub, missing_docs)] // Each test binary uses a part.

pub mod apart;
pub mod costly;
pub mod log;
pub mod wire;

use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use mycelium::tree::{Backoff, Notice};
use mycelium::{
    Actor, BoxError, Context, Handler, Message, Responder, Subscription, Subscriptions, Timestamp,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick(pub u64);
impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "ticks";
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tock(pub u64);
impl Message for Tock {
    const NAME: &'static str = "Tock";
    const TYPE_ID: u16 = 2;
    const TOPIC: &'static str = "tocks";
}

#[derive(Clone, Debug, PartialEq)]
pub struct Note(pub String);
impl Message for Note {
    const NAME: &'static str = "Note";
    const TYPE_ID: u16 = 3;
    const TOPIC: &'static str = "notes";
}

/// What a future is ready with at once; `None`: it is not, and is dropped.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Never ends a test before a watchdog says that it hangs; nobody asserts how long anything takes.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// The period of an intensity: longer than a test takes, so that every restart counts.
pub const PERIOD: Duration = Duration::from_secs(60);

/// Runs a test on both runtime flavours.
pub fn on_both_runtimes(test: impl AsyncFn()) {
    on_both_runtimes_within(WATCHDOG, test);
}

/// The same, with another watchdog.
pub fn on_both_runtimes_within(watchdog: Duration, test: impl AsyncFn()) {
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for runtime in [current, multi] {
        let timed = async { tokio::time::timeout(watchdog, test()).await.expect("the test hangs") };
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(timed)));
        if let Err(failure) = outcome {
            // Whoever keeps a thread of it would keep the test from failing.
            runtime.shutdown_background();
            resume_unwind(failure);
        }
    }
}

/// Runs a test on both runtime flavours with a limit, and with ever longer ones until it holds: whoever has
/// done nothing wrong misses a short one too, if the machine holds up their thread for so long.
pub fn with_ever_longer_limits(test: impl AsyncFn(Duration)) {
    ever_longer(|limit| on_both_runtimes(async || test(limit).await));
}

/// The same for a test that makes its own runtimes.
pub fn ever_longer(test: impl Fn(Duration)) {
    for limit_ms in [50, 500] {
        if catch_unwind(AssertUnwindSafe(|| test(Duration::from_millis(limit_ms)))).is_ok() {
            return;
        }
    }
    test(Duration::from_secs(5));
}

/// Runs a test on a current thread, on one worker and on two, each in a thread of its own: a test that keeps
/// its runtime from running anything else is seen to hang.
pub fn on_every_runtime(test: impl AsyncFn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    for workers in 0..=2 {
        let (done, is_done) = std::sync::mpsc::channel();
        let test = Arc::clone(&test);
        let running = std::thread::spawn(move || {
            let runtime = match workers {
                0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
                _ => tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(workers)
                    .enable_all()
                    .build()
                    .unwrap(),
            };
            runtime.block_on((*test)());
            let _ = done.send(());
            runtime.shutdown_background();
        });
        if is_done.recv_timeout(WATCHDOG) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            panic!("the test hangs with {workers} workers");
        }
        running.join().unwrap();
    }
}

/// A backoff that begins with so many milliseconds and doubles.
pub fn backoff(initial_ms: u64) -> Backoff {
    Backoff { initial: Duration::from_millis(initial_ms), ..Backoff::default() }
}

/// So many milliseconds of virtual time after the start.
pub fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

/// What was heard or happened, in order, shared with the test.
#[derive(Clone, Default)]
pub struct Heard(pub Arc<Mutex<Vec<String>>>);

impl Heard {
    pub fn add(&self, word: impl Into<String>) {
        self.0.lock().unwrap().push(word.into());
    }
    /// Behind the millisecond at which it was heard.
    pub fn add_at(&self, at: Timestamp, word: impl Display) {
        self.add(format!("{} {word}", at.as_nanos() / 1_000_000));
    }
    pub fn words(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    /// The first that begins like this, once it is there.
    pub async fn wait_for(&self, start: &str) -> String {
        loop {
            if let Some(word) = self.words().into_iter().find(|word| word.starts_with(start)) {
                return word;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    /// The same, and keeps its thread meanwhile; `false`: it has not come in all the time that a test has.
    pub fn keep_until(&self, start: &str) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < WATCHDOG {
            if self.words().iter().any(|word| word.starts_with(start)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }
}

/// Writes down what happens in a tree.
pub fn observer(log: &Heard) -> impl Fn(&str, &Notice) + Send + Sync + 'static {
    let log = log.clone();
    move |_, notice| {
        log.add(match notice {
            Notice::Started { id, .. } => format!("started {id}"),
            Notice::StartFailed { id, reason } => format!("start_failed {id}: {reason}"),
            Notice::Exited { id, reason } => format!("exited {id}: {reason}"),
            Notice::Stopped { id, .. } => format!("stopped {id}"),
            Notice::Stuck { id, detail, .. } => format!("stuck {id}: {detail}"),
            Notice::Recovered { id } => format!("recovered {id}"),
            other => format!("{other:?}"),
        });
    }
}

/// Writes down what it hears: ticks on the topic (with this subscription), notes and tocks.
#[derive(Default)]
pub struct Log {
    pub heard: Heard,
    pub ticks: Option<Subscription<Tick>>,
}

impl Actor for Log {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>().on::<Note>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(self.ticks.unwrap_or_default())?;
        Ok(())
    }
    async fn stopping(&mut self, reason: &mycelium::StopReason, _: &mut Context<Self>) {
        self.heard.add(format!("stopping: {reason}"));
    }
}

impl Handler<Tick> for Log {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tick {}", tick.0));
        Ok(())
    }
}

impl Handler<Tock> for Log {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tock {}", tock.0));
        Ok(())
    }
}

impl Handler<Note> for Log {
    async fn handle(&mut self, note: &Note, _: &mut Context<Self>) -> Result<(), BoxError> {
        if note.0 == "panic" {
            panic!("told to");
        }
        if note.0 == "fail" {
            return Err("told to fail".into());
        }
        self.heard.add(note.0.clone());
        Ok(())
    }
}

/// Answers each message of one topic with several on the other: two of them fill each other's queues.
pub struct Left;
impl Actor for Left {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Left {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for _ in 0..3 {
            ctx.publish(Tock(tick.0)).await?;
        }
        Ok(())
    }
}
pub struct Right;
impl Actor for Right {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
}
impl Handler<Tock> for Right {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for _ in 0..3 {
            ctx.publish(Tick(tock.0)).await?;
        }
        Ok(())
    }
}

/// Answers when everything sent before it was handled.
pub struct Flush;
impl Responder<Flush> for Log {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.heard.words()
    }
}
