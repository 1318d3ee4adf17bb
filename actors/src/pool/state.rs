//! What the references to one pool share: its workers, and how messages get to them.

mod asks;
mod tells;

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use super::Dispatch;
use super::feed::PoolFeed;
use super::roster::{FenceLine, PoolPhase, Roster};
use super::route::{Moves, least_busy, worker_of};
use crate::life::{Marker, Passed};
use crate::live::OfferRefusal;
use crate::subscription::OnceEach;
use crate::sync::{
    AtomicUsize, Mutex, MutexGuard, Notify, Ordering, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use crate::tree::{AnyPool, Child, SupervisorCore};
use crate::{Actor, ActorRef, PoolStats, Takes, TellError};

/// The key function of one message type, as a [`KeyOf`].
pub(super) type Key = (TypeId, Box<dyn Any + Send + Sync>);

/// The key of a message, if it has one.
pub(super) type KeyOf<M> = Box<dyn Fn(&M) -> Option<u64> + Send + Sync>;

/// How a pool hands out messages.
pub(super) struct PoolPlan {
    pub(super) dispatch: Dispatch,
    pub(super) keys: Vec<Key>,
    /// With how many workers it starts.
    pub(super) size: usize,
    pub(super) once_each: Arc<OnceEach>,
    /// The worker of this number as a child; `None` while the plan is made.
    pub(super) child: Box<dyn Fn(usize) -> Option<Child> + Send + Sync>,
}

/// One pool of a tree.
pub(crate) struct PoolState<A: Actor> {
    pub(super) path: Arc<str>,
    pub(super) is_live: bool,
    plan: Arc<PoolPlan>,
    /// Held for reading while a message is put into an inbox: after a resize nothing comes by the old one.
    roster: RwLock<Roster<ActorRef<A>>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    feed: Mutex<Feeding<A>>,
    /// That of the bus, which is known once a worker has begun.
    ask_limit: OnceLock<Option<Duration>>,
    /// Held by the resize or the stop that goes on: whether one of them was left in the middle.
    pub(super) resizing: tokio::sync::Mutex<bool>,
    /// Told when the workers are others, or one is taken away.
    pub(super) changed: Notify,
}

/// The feed of a pool, and the fences in its inbox.
struct Feeding<A: Actor> {
    feed: Option<ActorRef<PoolFeed<A>>>,
    line: FenceLine,
    fences: u64,
}

/// Whose inbox a fence is for.
#[derive(Clone, Copy)]
pub(super) enum Fenced {
    Feed,
    Worker(usize),
}

/// Something that nobody has taken.
pub(super) enum PoolRefusal<T> {
    /// All who may have it are full.
    Full(T),
    /// There is nobody.
    Gone(T),
}

impl<A: Actor> PoolState<A> {
    pub(super) fn new(path: Arc<str>, plan: &Arc<PoolPlan>, is_live: bool) -> Self {
        let feed = Feeding { feed: None, line: FenceLine::default(), fences: 0 };
        Self {
            path,
            is_live,
            plan: Arc::clone(plan),
            roster: RwLock::new(Roster::new(plan.size)),
            turn: AtomicUsize::new(0),
            feed: Mutex::new(feed),
            ask_limit: OnceLock::new(),
            resizing: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Whether it is the pool that is described so.
    pub(super) fn is_of(&self, plan: &Arc<PoolPlan>) -> bool {
        Arc::ptr_eq(&self.plan, plan)
    }

    fn read(&self) -> RwLockReadGuard<'_, Roster<ActorRef<A>>> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Roster<ActorRef<A>>> {
        self.roster.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn feeding(&self) -> MutexGuard<'_, Feeding<A>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the roster; those who wait for that look again. The value that `change` returns is dropped
    /// where the roster is free again.
    fn change<R>(&self, change: impl FnOnce(&mut Roster<ActorRef<A>>) -> R) -> R {
        let changed = change(&mut self.write());
        self.changed.notify_waiters();
        changed
    }

    /// How long an ask waits that does not say it.
    pub(super) fn ask_limit(&self) -> Option<Duration> {
        self.ask_limit.get().copied().flatten()
    }

    /// A worker has begun.
    pub(super) fn seat(&self, number: usize, worker: ActorRef<A>) {
        self.ask_limit.get_or_init(|| worker.ask_limit());
        let before = self.change(|roster| {
            let again = roster.worker(number).is_some_and(|before| before.id() == worker.id());
            let (gate, before) = roster.seat(number, worker, again);
            if let Some(worker) = roster.worker(number).filter(|_| !gate.is_empty()) {
                worker.mark(Marker::Gate(gate));
            }
            before
        });
        drop(before);
    }

    pub(super) fn set_feed(&self, feed: Option<ActorRef<PoolFeed<A>>>) {
        let mut feeding = self.feeding();
        let id = |feed: &Option<ActorRef<_>>| feed.as_ref().map(ActorRef::id);
        if id(&feeding.feed) != id(&feed) {
            feeding.line = FenceLine::default();
        }
        let before = std::mem::replace(&mut feeding.feed, feed);
        drop(feeding);
        drop(before);
    }

    pub(super) fn feed(&self) -> Option<ActorRef<PoolFeed<A>>> {
        self.feeding().feed.clone()
    }

    /// How many workers get messages.
    pub(super) fn size(&self) -> usize {
        self.read().size()
    }

    /// How many there are, with those that leave.
    pub(super) fn numbers(&self) -> usize {
        self.read().numbers()
    }

    /// Changes when its supervisor has begun anew.
    pub(super) fn beginnings(&self) -> u64 {
        self.read().beginnings()
    }

    pub(super) fn phase(&self) -> PoolPhase {
        self.read().phase()
    }

    pub(super) fn has_keys(&self) -> bool {
        !self.plan.keys.is_empty()
    }

    /// The worker of this number as a child.
    pub(super) fn child(&self, number: usize) -> Option<Child> {
        (self.plan.child)(number)
    }

    /// Whether its supervisor keeps a worker under this number, which runs or will run.
    pub(super) fn is_kept(&self, number: usize) -> bool {
        self.read().is_kept(number)
    }

    /// Those that get messages.
    pub(super) fn workers(&self) -> Vec<ActorRef<A>> {
        self.read().seated().cloned().collect()
    }

    /// How many messages wait for its workers, those that leave among them.
    pub(super) fn waiting(&self) -> usize {
        let workers: Vec<_> = self.read().all().cloned().collect();
        workers.iter().map(ActorRef::inbox_len).sum()
    }

    pub(super) fn worker(&self, number: usize) -> Option<ActorRef<A>> {
        self.read().worker(number).cloned()
    }

    /// The number of the worker whose code runs, if it is one of these.
    pub(super) fn caller(&self) -> Option<usize> {
        let roster = self.read();
        (0..roster.numbers()).find(|number| roster.worker(*number).is_some_and(ActorRef::is_current))
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.change(Roster::stop);
    }

    /// Its workers have ended, unless its supervisor has begun anew since.
    pub(super) fn closed(&self, beginnings: u64) -> bool {
        self.change(|roster| {
            let same = roster.beginnings() == beginnings;
            if same {
                roster.stopped();
            }
            same
        })
    }

    /// A worker has gone.
    pub(super) fn unseat(&self, number: usize) {
        drop(self.change(|roster| roster.unseat(number)));
    }

    /// From now on `size` workers get messages, unless its supervisor has begun anew since.
    pub(super) fn switch(&self, size: usize, beginnings: u64) -> bool {
        self.change(|roster| {
            if roster.beginnings() != beginnings {
                return false;
            }
            // Without keys there is no order to keep.
            if let Some(Moves { lose, gain }) = roster.switch(size).filter(|_| self.has_keys()) {
                let fences = Self::fences(roster, lose);
                let gate = roster.cross(gain.clone(), fences);
                gain.filter_map(|at| roster.worker(at))
                    .for_each(|worker| worker.mark(Marker::Gate(Arc::clone(&gate))));
            }
            true
        })
    }

    /// A fence for each of these that is at work.
    fn fences(roster: &Roster<ActorRef<A>>, numbers: std::ops::Range<usize>) -> Vec<(usize, Passed)> {
        numbers.filter_map(|at| Some((at, roster.at_work(at)?.fence()))).collect()
    }

    /// What the next resize has to wait for first.
    pub(super) fn crowded(&self) -> Option<Arc<[Passed]>> {
        self.write().crowded()
    }

    /// The number after which a fence is new, for [`handled`](Self::handled).
    pub(super) fn since(&self, whose: Fenced) -> u64 {
        match whose {
            Fenced::Feed => self.feeding().fences,
            Fenced::Worker(_) => self.read().last_fence(),
        }
    }

    /// What there is to wait for; see [`FenceLine::next`]. `None`: there is nobody.
    pub(super) fn next_fence(&self, whose: Fenced, since: u64) -> Option<(Passed, bool)> {
        match whose {
            Fenced::Worker(number) => self.write().next_fence(number, since, ActorRef::fence),
            Fenced::Feed => {
                let Feeding { feed, line, fences } = &mut *self.feeding();
                let feed = feed.as_ref()?;
                Some(line.next(since, fences, || feed.fence()))
            }
        }
    }

    /// Waits until all is handled that was sent before the fence of this number was put.
    pub(super) async fn handled(&self, whose: Fenced, since: u64) {
        while let Some((passed, enough)) = self.next_fence(whose, since) {
            passed.passed().await;
            if enough {
                return;
            }
        }
    }

    /// Waits until all workers have handled what they were sent before.
    pub(super) async fn all_handled(&self) {
        let since = self.read().last_fence();
        let numbers = 0..self.numbers();
        // First a fence for each, then the waits.
        numbers.clone().for_each(|number| drop(self.next_fence(Fenced::Worker(number), since)));
        for number in numbers {
            self.handled(Fenced::Worker(number), since).await;
        }
    }

    /// Which worker a message of this key goes to; all of them if it has none.
    fn range(key: Option<u64>, size: usize) -> std::ops::Range<usize> {
        key.map_or(0..size, |key| {
            let number = worker_of(key, size);
            number..number + 1
        })
    }

    /// Whether somebody who may have this message, and is away, will come back.
    pub(super) fn may_come_back<M: 'static>(&self, message: &M) -> bool {
        self.comes_back(self.key_of(message))
    }

    pub(super) fn comes_back(&self, key: Option<u64>) -> bool {
        let roster = self.read();
        roster.may_come_back(Self::range(key, roster.size()))
    }

    /// Those who may have it and can be waited for, as long as the epoch is this.
    pub(super) fn crowd(&self, key: Option<u64>) -> (Vec<ActorRef<A>>, u64) {
        let roster = self.read();
        let workers = Self::range(key, roster.size()).filter_map(|number| roster.worker(number));
        // A worker that waits for itself waits in vain.
        let others = workers.filter(|worker| worker.is_alive() && !worker.is_current());
        (others.cloned().collect(), roster.epoch())
    }

    pub(super) fn epoch(&self) -> u64 {
        self.read().epoch()
    }

    fn key_of<M: 'static>(&self, message: &M) -> Option<u64> {
        let id = TypeId::of::<M>();
        let (_, key) = self.plan.keys.iter().find(|(of, _)| *of == id)?;
        key.downcast_ref::<KeyOf<M>>().and_then(|key| key(message))
    }

    /// Offers something to the worker of its key, or to all in turn, until one takes it.
    pub(super) fn offer<T, R>(
        &self,
        key: Option<u64>,
        mut what: T,
        mut give: impl FnMut(&ActorRef<A>, T) -> Result<R, OfferRefusal<T>>,
    ) -> Result<R, PoolRefusal<T>> {
        let roster = self.read();
        let size = roster.size();
        let (first, tries) = match (key, self.plan.dispatch) {
            _ if !roster.is_open() => (0, 0),
            (Some(key), _) => (worker_of(key, size), 1),
            (None, dispatch) => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                match dispatch {
                    Dispatch::RoundRobin => (turn % size, size),
                    Dispatch::LeastBusy => {
                        (least_busy(size, turn, |number| load(roster.worker(number))), size)
                    }
                }
            }
        };
        let mut full = false;
        for number in (first..size).chain(0..first).take(tries) {
            let Some(worker) = roster.worker(number) else { continue };
            match give(worker, what) {
                Ok(taken) => return Ok(taken),
                Err(OfferRefusal::Full(back)) => (full, what) = (true, back),
                Err(OfferRefusal::Gone(back)) => what = back,
            }
        }
        Err(if full { PoolRefusal::Full(what) } else { PoolRefusal::Gone(what) })
    }

    pub(super) fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let key = self.key_of(&message);
        self.offer_message(key, message).map_err(|error| self.named(key, error))
    }

    /// The same for a sender that waits then: the error says of nobody that it is full.
    pub(super) fn offer_to_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let key = self.key_of(&message);
        self.offer_message(key, message).map_err(|error| match error {
            TellError::Full(..) => error,
            other => self.named(key, other),
        })
    }

    fn offer_message<M>(&self, key: Option<u64>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let mut elsewhere = None;
        let offered = self.offer(key, message, |worker, message| give(worker, message, &mut elsewhere));
        offered.map_err(|refusal| refusal.told(elsewhere))
    }
}

/// An error that is the same whoever is told.
type Elsewhere<M> = Option<fn(M) -> TellError<M>>;

/// Offers a message to one worker.
fn give<A, M>(worker: &ActorRef<A>, message: M, elsewhere: &mut Elsewhere<M>) -> Result<(), OfferRefusal<M>>
where
    A: Takes<M>,
    M: Send + 'static,
{
    worker.offer(message).map_err(|error| match error {
        TellError::Full(back, _) => OfferRefusal::Full(back),
        TellError::WrongThread(back) => {
            *elsewhere = Some(TellError::WrongThread);
            OfferRefusal::Gone(back)
        }
        TellError::OtherBus(back) => {
            *elsewhere = Some(TellError::OtherBus);
            OfferRefusal::Gone(back)
        }
        other => OfferRefusal::Gone(other.into_message()),
    })
}

impl<M> PoolRefusal<M> {
    fn told(self, elsewhere: Elsewhere<M>) -> TellError<M> {
        match self {
            Self::Full(back) => TellError::Full(back, None),
            Self::Gone(back) => match elsewhere {
                Some(error) => error(back),
                None => TellError::Stopped(back, None),
            },
        }
    }
}

/// How much a worker has to do; one that is not there is the last to be chosen.
fn load<A: Actor>(worker: Option<&ActorRef<A>>) -> usize {
    worker.filter(|worker| worker.is_alive()).map_or(usize::MAX, ActorRef::load)
}

impl<A: Actor> AnyPool for PoolState<A> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn stats(&self) -> Option<PoolStats> {
        let workers = self.workers();
        let alive = workers.iter().filter(|worker| worker.is_alive()).count();
        (alive > 0).then(|| PoolStats {
            path: Arc::clone(&self.path),
            workers: self.size(),
            alive,
            waiting: self.waiting() as u64,
        })
    }

    fn workers_with(&self, worker: u64) -> Option<Vec<u64>> {
        let workers: Vec<_> = self.read().seated().map(|one| one.id().get()).collect();
        workers.contains(&worker).then_some(workers)
    }

    fn decided(&self, ends: bool, core: &SupervisorCore) {
        let (changed, left) = self.write().taken_away(ends, |id| core.is_down(id));
        if changed {
            self.changed.notify_waiters();
        }
        drop(left);
    }

    fn supervisor_ended(&self) {
        drop(self.change(|roster| {
            let before = roster.size();
            let gone = roster.begin_anew();
            // Keys go to workers that were not there: after all that waits for them at those who were.
            if self.has_keys() && before < roster.size() {
                let fences = Self::fences(roster, 0..before);
                // They stand there once they are seated.
                drop(roster.cross(before..roster.size(), fences));
            }
            gone
        }));
    }

    fn forgotten(&self) {
        drop(self.change(Roster::forget));
    }
}
