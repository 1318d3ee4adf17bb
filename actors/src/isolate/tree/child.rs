//! What a supervisor of an isolate and its children say to each other.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::Lent;
use mycelium_supervisor as pure;
use pure::engine::{At, LifeId, NodeId, Report};
use pure::{ChildRef, Event, ExitReason};
use tokio::sync::oneshot;

use super::seats::Seats;
use crate::isolate::core::{IsolateCore, TreeCalls};
use crate::isolate::lane::{HandsOn, LaneReceiving, Receive};
use crate::isolate::retained::PublishedAt;
use crate::isolate::seat::AnySeat;
use crate::isolate::signals::LoopSignals;
use crate::life::MissedLog;
use crate::sync::answer;
use crate::tree::{CallError, Launcher, Pools, Sources, StartWaits, take_below};
use crate::{PENDING_RESTARTS_MAX, PendingRestart, StopReason};

/// What gives the value of each life.
pub(crate) type Factory<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// What a supervisor can do with a child in its seat.
pub(crate) trait SeatedChild {
    /// Begins the first life, or another one in place of that which is over. `stop_stands`: a stop that came
    /// between the two ends it.
    fn begin_life(&self, life: LifeId, stop_stands: bool);
    /// Asks it to end. `for_good`: it will not be started again in place.
    fn ask_shutdown(&self, for_good: bool);
    /// Ends what it is doing as a failure.
    fn give_up(&self, reason: &str);
    /// A handler of its has returned.
    fn lay_down(&self) {}
    /// The number of its tree in the isolate.
    fn tree(&self) -> u64;
    /// Its path in the tree.
    fn path(&self) -> Arc<str>;
    /// It says that it is ready.
    fn says_ready(&self);
    /// Its supervisor wants to know from now on when it has something to do, and when it has done it. It
    /// has something now: `true`.
    fn probe(&self) -> bool;
    /// Whether it has something to do that it has not finished.
    fn is_at_work(&self) -> bool;
    /// It says that it makes progress.
    fn beat(&self) {}
    /// No other life comes, and nobody wants to know more of it. `shut_down`: its supervisor had asked it to
    /// stop.
    fn retire(&self, shut_down: bool);
}

/// What is told to a supervisor.
pub(super) enum Told {
    Report(NodeId, Report<Seats>),
    /// A life is over; the seat waits for another.
    Parked(LifeId, ExitReason),
    /// It has something to do from now on, or makes progress with it.
    AtWork(LifeId),
    /// It has nothing to do any more.
    Rests(LifeId),
    /// Somebody asks a supervisor.
    Asked(TreeAsk),
    /// The tree is to end at once.
    Kill,
}

impl Told {
    /// Whether another life may follow at once.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Report(_, Report::Event(Event::StartFailed(..))) | Self::Parked(..) => true,
            Self::Report(_, report) => report.end().is_some(),
            _ => false,
        }
    }
}

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, CallError>>;

/// A question to the supervisor at this path.
pub(super) struct TreeAsk {
    pub(super) path: Arc<str>,
    pub(super) what: TreeQuestion,
}

/// What it is asked.
pub(super) enum TreeQuestion {
    /// To carry this out.
    Call(Box<pure::Call<Launcher>>, Reply<pure::Reply<Launcher>>),
    /// What the child of this id is doing.
    Child(Arc<str>, Reply<Option<pure::ChildInfo>>),
}

impl TreeAsk {
    /// There is no such supervisor.
    pub(super) fn refuse(self) {
        let error = CallError::NoSupervisor((*self.path).into());
        self.fail(error);
    }

    /// The asker may have left.
    pub(super) fn fail(self, error: CallError) {
        match self.what {
            TreeQuestion::Call(_, to) => answer(to, Err(error)),
            TreeQuestion::Child(_, to) => answer(to, Err(error)),
        }
    }
}

/// The children of one supervisor that wait for their restart.
#[derive(Default)]
struct NodeBackoffs {
    /// At which of its [changes](pure::Supervisor::backoff_changes).
    changes: u64,
    /// Their ids, and until when on the clock of the tree.
    waiting: Vec<(Arc<str>, Duration)>,
}

/// Where the supervisors of one tree are told what happens, and what is known of them at any time.
pub(crate) struct TreePost {
    /// Of the tree in its isolate.
    pub(super) number: u64,
    told: RefCell<VecDeque<Told>>,
    signals: Arc<LoopSignals>,
    calls: Rc<TreeCalls>,
    pub(super) pools: Pools,
    pub(super) starts: StartWaits,
    // These are here, and not with the supervisors: code of children asks for them that runs while their
    // supervisors are at work.
    pub(super) sources: RefCell<Sources>,
    pub(super) missed: RefCell<MissedLog>,
    /// By the paths of their supervisors.
    backoffs: RefCell<BTreeMap<Arc<str>, NodeBackoffs>>,
    /// The seats that its children took last, by their paths: for those who look each other up while their
    /// supervisors are at work.
    places: RefCell<BTreeMap<Arc<str>, u32>>,
}

impl TreePost {
    pub(super) fn new(core: &IsolateCore) -> Rc<Self> {
        let number = core.trees_made.get();
        core.trees_made.set(number + 1);
        let (signals, calls) = (Arc::clone(core.signals()), Rc::clone(core.tree_calls()));
        let (told, pools, starts, places) = Default::default();
        let (sources, missed, backoffs) = Default::default();
        Rc::new(Self { number, told, signals, calls, pools, starts, sources, missed, backoffs, places })
    }

    pub(super) fn tell(&self, told: Told) {
        self.call();
        self.told.borrow_mut().push_back(told);
    }

    pub(super) fn report(&self, to: NodeId, report: Report<Seats>) {
        self.tell(Told::Report(to, report));
    }

    pub(super) fn take(&self) -> Option<Told> {
        self.told.borrow_mut().pop_front()
    }

    /// Its turn comes when the run goes on.
    pub(super) fn put_back(&self, told: Told) {
        self.call();
        self.told.borrow_mut().push_front(told);
    }

    /// Has the run loop tend the tree. Where something is told already, the tree is among those to be tended.
    fn call(&self) {
        if self.is_empty() {
            self.calls.tell(self.number);
        }
        self.signals.raise();
    }

    /// The tree has ended, and is forgotten between two events.
    pub(super) fn has_ended(&self) {
        self.calls.end(self.number);
        self.signals.raise();
    }

    /// See [`Host::unheard_ends`](mycelium_supervisor::engine::Host::unheard_ends).
    pub(super) fn unheard_ends(&self, node: NodeId) -> BTreeMap<ChildRef, ExitReason> {
        let mut ends = BTreeMap::new();
        for told in &*self.told.borrow() {
            let end = match told {
                Told::AtWork(_) | Told::Rests(_) | Told::Asked(_) | Told::Kill => None,
                Told::Report(to, report) => report.end().map(|(child, reason)| (*to, child, reason)),
                Told::Parked(life, reason) => Some((life.node, life.child, reason)),
            };
            if let Some((_, child, reason)) = end.filter(|(to, ..)| *to == node) {
                ends.entry(child).or_insert_with(|| reason.clone());
            }
        }
        ends
    }

    /// A supervisor has decided something.
    pub(super) fn decided(&self, at: &At<'_, Seats>) {
        self.starts.decided(at);
        self.pools.decided(at.path, at.ending, at.core);
        let (mut all, changes) = (self.backoffs.borrow_mut(), at.core.backoff_changes());
        if all.get(at.path).map_or(0, |known| known.changes) != changes {
            let waiting = at.core.backoffs().take(PENDING_RESTARTS_MAX);
            let waiting = waiting.map(|(id, until)| (Arc::clone(id), until)).collect();
            all.insert(Arc::clone(at.path), NodeBackoffs { changes, waiting });
        }
    }

    /// A supervisor is gone.
    pub(super) fn supervisor_ended(&self, path: &str) {
        self.starts.supervisor_ended(path);
        self.pools.supervisor_ended(path);
        self.backoffs.borrow_mut().remove(path);
    }

    /// The children that wait for their restart, by path, at this time of the tree.
    pub(super) fn pending_restarts(&self, now: Duration) -> Vec<PendingRestart> {
        let all = self.backoffs.borrow();
        let waiting = all.iter().flat_map(|(path, backoffs)| {
            backoffs.waiting.iter().map(move |(id, until)| PendingRestart {
                path: format!("{path}/{id}").into(),
                remaining: until.saturating_sub(now),
            })
        });
        let mut pending: Vec<_> = waiting.collect();
        pending.sort();
        pending
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.borrow().is_empty()
    }

    /// The child at this path has this seat from now on.
    pub(super) fn place(&self, path: Arc<str>, seat: u32) {
        self.places.borrow_mut().insert(path, seat);
    }

    /// The seat that the child at this path took last.
    pub(super) fn place_of(&self, path: &str) -> Option<u32> {
        self.places.borrow().get(path).copied()
    }

    /// A child is no more, with all below it.
    pub(super) fn forget(&self, path: &str) {
        take_below(&mut self.places.borrow_mut(), path);
        self.sources.borrow_mut().forget(path);
        self.pools.forget(path);
    }

    pub(super) fn clear(&self) {
        drop((self.told.take(), self.backoffs.take()));
        self.pools.clear();
    }
}

/// Where and for whom a child takes its seat.
#[derive(Clone)]
pub(crate) struct SeatSite {
    pub(crate) core: Rc<IsolateCore>,
    pub(super) post: Rc<TreePost>,
    pub(crate) path: Arc<str>,
    pub(super) tells: bool,
    /// How often the handler of one message is tried.
    pub(crate) attempts_max: u32,
}

impl SeatSite {
    /// The pools of its tree.
    pub(crate) fn pools(&self) -> &Pools {
        &self.post.pools
    }

    pub(crate) fn reporter(self) -> Reporter {
        let Self { post, path, tells, .. } = self;
        Reporter { post, path, tells, life: Cell::new(None), starting: Cell::new(false) }
    }
}

/// How a seat tells its supervisor what becomes of each life: of its start once, and of its end once.
pub(crate) struct Reporter {
    post: Rc<TreePost>,
    path: Arc<str>,
    /// Whether the child says by itself when it is ready.
    tells: bool,
    life: Cell<Option<LifeId>>,
    starting: Cell<bool>,
}

impl Reporter {
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(crate) fn tree(&self) -> u64 {
        self.post.number
    }

    pub(crate) fn begin(&self, life: LifeId) {
        self.life.set(Some(life));
        self.starting.set(true);
    }

    pub(crate) fn started(&self) {
        if !self.tells {
            self.ready();
        }
    }

    pub(crate) fn ready(&self) {
        if let Some(LifeId { node, child }) = self.life.get()
            && self.starting.take()
        {
            self.post.starts.started_in(node, child);
            self.post.report(node, Report::Event(Event::Started(child)));
        }
    }

    /// What a probed child does now.
    pub(crate) fn does(&self, work: bool) {
        if let Some(life) = self.life.get() {
            self.post.tell(if work { Told::AtWork(life) } else { Told::Rests(life) });
        }
    }

    pub(crate) fn parked(&self, reason: &StopReason) {
        if let Some(life) = self.life.take() {
            self.post.tell(Told::Parked(life, ExitReason::from(reason)));
        }
    }

    pub(crate) fn gone(&self, reason: &StopReason) {
        if let Some(LifeId { node, child }) = self.life.take() {
            self.post.report(node, Report::Event(Event::Exited(child, ExitReason::from(reason))));
        }
    }

    /// Nobody listens any more.
    pub(crate) fn dismiss(&self) {
        self.life.set(None);
    }
}

/// A way into a supervised actor: a panic ends the actor's life and not the delivery to others.
pub(crate) struct GuardedReceiver<M> {
    to: Box<dyn Receive<M>>,
    core: Rc<IsolateCore>,
    seat: u32,
    /// Whether what it is handling when it fails may be tried again.
    retries: bool,
}

impl<M: 'static> GuardedReceiver<M> {
    pub(crate) fn new(
        to: impl Receive<M> + 'static,
        core: &Rc<IsolateCore>,
        seat: u32,
        retries: bool,
    ) -> Self {
        Self { to: Box::new(to), core: Rc::clone(core), seat, retries }
    }
}

impl<M: 'static> Receive<M> for GuardedReceiver<M> {
    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool {
        if self.retries {
            self.to.hold(message);
        }
        let delivered = StopReason::catch(|| self.to.deliver(sender, message));
        let delivered = delivered.unwrap_or_else(|reason| {
            if let Some(seat) = self.core.seat(self.seat) {
                guard(&*seat, || seat.end(reason));
            }
            true
        });
        if self.retries {
            let seat = self.core.seat(self.seat);
            seat.iter().filter_map(|seat| seat.as_child()).for_each(SeatedChild::lay_down);
        }
        delivered
    }

    fn misses(&self, sender: u32) -> bool {
        self.to.misses(sender)
    }

    fn give(&self, published: PublishedAt, message: Lent<'_, M>) {
        self.to.give(published, message);
    }
}

impl<M> HandsOn for GuardedReceiver<M> {
    fn to(&self) -> &dyn LaneReceiving {
        &*self.to
    }
}

/// Runs code of the one who sits there; a panic in it ends its life.
pub(super) fn guard(seat: &dyn AnySeat, f: impl FnOnce()) {
    if let Err(reason) = StopReason::catch(f) {
        // The value that it leaves behind may panic in turn: it has been reported by then.
        let _ = StopReason::catch(|| seat.end(reason));
    }
}
