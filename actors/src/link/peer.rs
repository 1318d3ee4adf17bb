//! A link as all but its task see it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mycelium_mailbox::Doorbell;
use mycelium_remote::frame::Decoder;
use mycelium_remote::link::{Agreement, AttachError, Failure, Question, Standing, TOOL_PREFIX};
use tokio::sync::oneshot;

use super::pending_answer::{AskTimes, PendingAnswer, expire};
use super::sockets::Socket;
use crate::rt::Instant;
use crate::sync::{Notify, quiet};
use crate::wire::WireValue;
use crate::{LinkLoss, LinkState, LinkStats};

/// How many connections may wait to become that of the link.
const ASKS_MAX: usize = 64;

/// What the task of a link shares with handshakes, statistics and the hub.
pub(super) struct Peer {
    name: Arc<str>,
    /// What the task sleeps on.
    pub(super) bell: Arc<Doorbell>,
    desk: Mutex<Desk>,
    /// There are asks at the desk, or answers. Changed under its lock; set before the bell is rung.
    has_asks: AtomicBool,
    has_answers: AtomicBool,
    is_attached: AtomicBool,
    /// Bytes of the answers at the desk. Read without it: a message more or less is no harm.
    answered: AtomicUsize,
    /// Until when the peer waits for answers. No other lock is taken under its lock.
    times: Mutex<AskTimes>,
    /// There are some. The task's.
    has_times: AtomicBool,
    changed: Notify,
}

struct Desk {
    asks: VecDeque<Ask>,
    /// Answers of actors here to questions of the peer. Their number is bounded by its credit.
    answers: Vec<(Question, Result<WireValue, Failure>)>,
    stats: LinkStats,
    /// Since when there is no connection, though one is waited for.
    broken: Option<Instant>,
    /// Messages that wait in queues, looked at while the bus drains.
    queued: u64,
    /// Of those that are held, how many came after a pause had begun. Likewise.
    late: u64,
    /// The task has ended.
    closed: bool,
}

/// What handshakes ask of the task.
pub(super) enum Ask {
    Standing(oneshot::Sender<Standing>),
    Attach(Box<Arrival>, oneshot::Sender<Result<(), HandedBack>>),
    /// Answered when the peer has, with how many messages had come by then.
    Ping(oneshot::Sender<u64>),
}

/// A connection was not attached: it is handed back.
pub(super) type HandedBack = (AttachError, Box<dyn Socket>, Decoder);

/// A connection whose peer has accepted.
pub(super) struct Arrival {
    pub(super) socket: Box<dyn Socket>,
    pub(super) decoder: Decoder,
    /// When its handshake began, by the clock of the hub.
    pub(super) began: u64,
    pub(super) agreement: Agreement,
    pub(super) stated: Standing,
    pub(super) theirs: Standing,
    pub(super) done: oneshot::Sender<Ending>,
}

/// How a connection has ended, for who dials.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ending {
    /// The next one is expected to succeed.
    pub(super) at_once: bool,
    /// The peer has been heard on it.
    pub(super) lasted: bool,
}

/// How many bytes an answer keeps.
pub(super) fn answer_len(answer: &Result<WireValue, Failure>) -> usize {
    answer.as_ref().map_or(0, |value| value.bytes().len())
}

impl Peer {
    pub(super) fn new(name: &str) -> Self {
        let name: Arc<str> = name.into();
        let stats = LinkStats::new(Arc::clone(&name));
        Self {
            name,
            bell: Arc::new(Doorbell::new()),
            desk: Mutex::new(Desk {
                asks: VecDeque::new(),
                answers: Vec::new(),
                stats,
                broken: None,
                queued: 0,
                late: 0,
                closed: false,
            }),
            has_asks: AtomicBool::new(false),
            has_answers: AtomicBool::new(false),
            is_attached: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
            times: Mutex::default(),
            has_times: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Whether it looks from outside, and is never waited for.
    pub(super) fn is_tool(&self) -> bool {
        self.name.starts_with(TOOL_PREFIX)
    }

    /// Whether it was a tool, and has left nothing behind: what it has sent may still wait for room here.
    pub(super) fn is_past(&self) -> bool {
        let has_left = || {
            let desk = self.desk();
            desk.stats.state == LinkState::Gone && desk.stats.held == 0
        };
        self.is_tool() && self.was_attached() && has_left()
    }

    /// How long a word takes to the peer and back; `None`: there is no connection, or it was lost meanwhile.
    pub(super) async fn round_trip(&self) -> Option<Duration> {
        let asked = Instant::now();
        self.received_by_pong().await?;
        Some(asked.elapsed())
    }

    /// How many messages have come when the peer answers; `None`: there is no connection, or it was lost.
    async fn received_by_pong(&self) -> Option<u64> {
        let (reply, answered) = oneshot::channel();
        self.ask(Ask::Ping(reply));
        quiet(answered).await.ok()
    }

    /// Waits until all has come that the peer had sent before it knew what is not wanted any more. `None`:
    /// there is no connection, or it was lost.
    pub(super) async fn settled(&self) -> Option<()> {
        // The first ping may be written before that.
        self.received_by_pong().await?;
        let mut before = self.received_by_pong().await?;
        loop {
            // Behind an answer comes at once what had not been written by then, if there is anything.
            let received = self.received_by_pong().await?;
            if std::mem::replace(&mut before, received) == received {
                return Some(());
            }
        }
    }

    /// Whether it has ever had a connection.
    pub(super) fn was_attached(&self) -> bool {
        self.desk().stats.connections > 0
    }

    pub(super) fn stats(&self) -> LinkStats {
        let desk = self.desk();
        let mut stats = desk.stats.clone();
        if let Some(broken) = desk.broken {
            stats.state = LinkState::Broken { since: broken.elapsed() };
        }
        stats
    }

    /// Where the link stands; `None`: it has ended.
    pub(super) async fn standing(&self) -> Option<Standing> {
        let (reply, standing) = oneshot::channel();
        self.ask(Ask::Standing(reply));
        quiet(standing).await.ok()
    }

    /// Has the connection become that of the link; `None`: that has ended.
    pub(super) async fn attach(&self, arrival: Arrival) -> Option<Result<(), HandedBack>> {
        let (reply, attached) = oneshot::channel();
        self.ask(Ask::Attach(Box::new(arrival), reply));
        quiet(attached).await.ok()
    }

    fn ask(&self, ask: Ask) {
        let mut desk = self.desk();
        // A question that is dropped here has its reply dropped too, which is an answer.
        if !desk.closed && desk.asks.len() < ASKS_MAX {
            desk.asks.push_back(ask);
            self.has_asks.swap(true, Ordering::SeqCst);
        }
        drop(desk);
        self.bell.ring();
    }

    /// The task's: what it is asked.
    pub(super) fn take_ask(&self) -> Option<Ask> {
        if !self.is_asked() {
            return None;
        }
        let mut desk = self.desk();
        let ask = desk.asks.pop_front();
        self.has_asks.store(!desk.asks.is_empty(), Ordering::SeqCst);
        ask
    }

    /// The task's: whether it is asked anything, or has answers to send.
    pub(super) fn has_work(&self) -> bool {
        self.is_asked() || self.has_answers()
    }

    /// Whether it is asked anything.
    pub(super) fn is_asked(&self) -> bool {
        self.has_asks.load(Ordering::SeqCst)
    }

    fn has_answers(&self) -> bool {
        self.has_answers.load(Ordering::SeqCst)
    }

    /// An actor has answered a question of the peer, or will not.
    pub(super) fn answer(&self, question: Question, answer: Result<WireValue, Failure>) {
        let mut desk = self.desk();
        if desk.closed {
            return;
        }
        self.answered.fetch_add(answer_len(&answer), Ordering::Relaxed);
        desk.answers.push((question, answer));
        self.has_answers.swap(true, Ordering::SeqCst);
        drop(desk);
        self.bell.ring();
    }

    /// The task's: this question is to be answered until then.
    pub(super) fn answer_until(&self, due: Instant, pending: Weak<PendingAnswer>) {
        self.times().push(due, pending);
        self.has_times.store(true, Ordering::SeqCst);
    }

    /// The task's: until when the next question is to be answered.
    pub(super) fn answers_until(&self) -> Option<Instant> {
        if !self.has_times.load(Ordering::SeqCst) {
            return None;
        }
        let next = self.times().next();
        self.has_times.store(next.is_some(), Ordering::SeqCst);
        next
    }

    /// The task's: gives up those whose time is over. Whether the actor of one of them does not have it yet.
    pub(super) fn give_up_late(&self, now: Instant) -> bool {
        let due = self.times().take_due(now);
        expire(&due)
    }

    fn times(&self) -> MutexGuard<'_, AskTimes> {
        // Each change leaves it whole.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task's: the answers.
    pub(super) fn take_answers(&self) -> Vec<(Question, Result<WireValue, Failure>)> {
        if !self.has_answers() {
            return Vec::new();
        }
        let mut desk = self.desk();
        self.answered.store(0, Ordering::Relaxed);
        self.has_answers.store(false, Ordering::SeqCst);
        std::mem::take(&mut desk.answers)
    }

    /// How many bytes those have that nobody has taken.
    pub(super) fn answered_bytes(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// The task's: what it has counted.
    pub(super) fn tell(&self, change: impl FnOnce(&mut LinkStats)) {
        change(&mut self.desk().stats);
    }

    /// The task's: how the link is.
    pub(super) fn tell_state(&self, state: LinkState, broken: Option<Instant>) {
        let mut desk = self.desk();
        desk.stats.state = state;
        desk.broken = broken;
    }

    /// The task's: how many messages wait in queues, and how many came after a pause had begun.
    pub(super) fn tell_left(&self, queued: u64, late: u64) {
        let mut desk = self.desk();
        (desk.queued, desk.late) = (queued, late);
    }

    /// The task's: whether there is a connection.
    pub(super) fn set_attached(&self, attached: bool) {
        self.is_attached.store(attached, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// The task's: it has ended.
    pub(super) fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        let asks = std::mem::take(&mut desk.asks);
        self.has_asks.store(false, Ordering::SeqCst);
        drop(desk);
        drop(asks);
        // Nobody hears the answers.
        let all = std::mem::take(&mut *self.times()).into_all();
        let _those_that_wait_go_too = expire(&all);
        self.set_attached(false);
    }

    /// Whether it has a connection, or what is for it waits for one.
    pub(super) fn is_waited_for(&self) -> bool {
        let desk = self.desk();
        let is_there = desk.stats.state != LinkState::Gone || desk.broken.is_some();
        !desk.closed && desk.stats.connections > 0 && is_there
    }

    pub(super) fn is_closed(&self) -> bool {
        self.desk().closed
    }

    pub(super) fn is_attached(&self) -> bool {
        self.is_attached.load(Ordering::SeqCst)
    }

    /// Waits until there is a connection.
    pub(super) async fn attached(&self) {
        self.until(Self::is_attached).await;
    }

    /// Waits until there is none.
    pub(super) async fn detached(&self) {
        self.until(|peer| !peer.is_attached()).await;
    }

    /// Waits until the task has ended.
    pub(super) async fn ended(&self) {
        self.until(Self::is_closed).await;
    }

    async fn until(&self, so: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            if so(self) {
                return;
            }
            changed.await;
        }
    }

    /// What is left behind, if anything is.
    pub(super) fn loss(&self) -> Option<LinkLoss> {
        let desk = self.desk();
        // A tool looks on, and is owed nothing; what it has sent is owed to those here.
        let unacknowledged = if self.is_tool() { 0 } else { desk.stats.waiting + desk.queued };
        let (unpublished, late) = (desk.stats.held.saturating_sub(desk.late), desk.late);
        (unacknowledged + unpublished + late > 0).then(|| LinkLoss {
            peer: self.name(),
            unacknowledged,
            unpublished,
            late,
        })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Each change leaves it whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
