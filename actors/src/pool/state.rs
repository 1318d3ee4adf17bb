//! What the references to one pool share: its workers, and how messages get to them.

use std::any::{Any, TypeId};
use std::sync::{Arc, PoisonError};

use super::Dispatch;
use super::feed::PoolFeed;
use super::route::{Moves, least_busy, moves, worker_of};
use crate::life::{Marker, Passed};
use crate::live::{Envelope, OfferRefusal, Unsent, turn};
use crate::sync::{AtomicUsize, Mutex, Ordering, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::tree::{AnyPool, Child};
use crate::{Actor, ActorRef, AskError, PoolStats, Replies, Takes, TellError};

/// The key function of one message type, as a `fn(&M) -> u64`.
pub(super) type Key = (TypeId, Box<dyn Any + Send + Sync>);

/// How a pool hands out messages.
pub(super) struct PoolPlan {
    pub(super) dispatch: Dispatch,
    pub(super) keys: Vec<Key>,
    /// With how many workers it starts.
    pub(super) size: usize,
    /// The worker of this number as a child; `None` while the plan is made.
    pub(super) child: Box<dyn Fn(usize) -> Option<Child> + Send + Sync>,
}

/// One pool of a tree.
pub(crate) struct PoolState<A: Actor> {
    pub(super) path: Arc<str>,
    pub(super) is_live: bool,
    plan: Arc<PoolPlan>,
    /// Held for reading while a message is put into an inbox: after a resize nothing comes by the old one.
    roster: RwLock<Roster<A>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    pub(super) feed: Mutex<Option<ActorRef<PoolFeed<A>>>>,
    /// Held by the resize that goes on.
    pub(super) resizing: tokio::sync::Mutex<()>,
}

struct Roster<A: Actor> {
    /// How many workers get messages: the first of `workers`. At least 1.
    size: usize,
    /// Changes with the size.
    epoch: u64,
    /// By their numbers; those behind `size` come or go.
    workers: Vec<Option<ActorRef<A>>>,
    /// It takes no more.
    closed: bool,
}

/// A message that nobody has taken.
enum PoolRefusal<A: Actor, T> {
    /// All who may have it are full; the first of them.
    Full { back: T, worker: ActorRef<A>, epoch: u64 },
    /// There is nobody.
    Gone(T),
}

impl<A: Actor> PoolState<A> {
    pub(super) fn new(path: Arc<str>, plan: &Arc<PoolPlan>, is_live: bool) -> Self {
        let roster = Roster { size: plan.size, epoch: 0, workers: Vec::new(), closed: false };
        Self {
            path,
            is_live,
            plan: Arc::clone(plan),
            roster: RwLock::new(roster),
            turn: AtomicUsize::new(0),
            feed: Mutex::default(),
            resizing: tokio::sync::Mutex::default(),
        }
    }

    /// Whether it is the pool that is described so.
    pub(super) fn is_of(&self, plan: &Arc<PoolPlan>) -> bool {
        Arc::ptr_eq(&self.plan, plan)
    }

    fn read(&self) -> RwLockReadGuard<'_, Roster<A>> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Roster<A>> {
        self.roster.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker has begun.
    pub(super) fn seat(&self, number: usize, worker: ActorRef<A>) {
        let mut roster = self.write();
        if roster.workers.len() <= number {
            roster.workers.resize_with(number + 1, || None);
        }
        roster.closed = false;
        let before = roster.workers[number].replace(worker);
        drop(roster);
        drop(before);
    }

    /// How many workers get messages.
    pub(super) fn size(&self) -> usize {
        self.read().size
    }

    /// How many there are, with those that come or go.
    pub(super) fn seated(&self) -> usize {
        self.read().workers.len()
    }

    /// The worker of this number as a child.
    pub(super) fn child(&self, number: usize) -> Option<Child> {
        (self.plan.child)(number)
    }

    /// Those that get messages.
    pub(super) fn workers(&self) -> Vec<ActorRef<A>> {
        self.read().here().cloned().collect()
    }

    pub(super) fn worker(&self, number: usize) -> Option<ActorRef<A>> {
        self.read().workers.get(number).cloned().flatten()
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.write().closed = true;
    }

    /// A worker that has gone.
    pub(super) fn unseat(&self, number: usize) {
        let mut roster = self.write();
        if number >= roster.size {
            let kept = number.min(roster.workers.len());
            let gone = roster.workers.split_off(kept);
            drop(roster);
            drop(gone);
        }
    }

    /// From now on `size` workers get messages.
    pub(super) fn switch(&self, size: usize) {
        let mut roster = self.write();
        if size == roster.size {
            return;
        }
        let Moves { lose, gain } = moves(roster.size, size);
        (roster.size, roster.epoch) = (size, roster.epoch + 1);
        // Without keys there is no order to keep.
        if self.plan.keys.is_empty() {
            return;
        }
        let worker = |number: usize| roster.workers.get(number).and_then(Option::as_ref);
        let passed: Vec<Passed> = lose.filter_map(worker).map(ActorRef::fence).collect();
        gain.filter_map(worker).for_each(|worker| worker.mark(Marker::Gate(passed.clone())));
    }

    /// The end of what each worker has to do now.
    pub(super) fn fences(&self) -> Vec<Passed> {
        self.read().here().map(ActorRef::fence).collect()
    }

    /// Whether the code that runs is that of one of these workers.
    pub(super) fn is_current(&self, mut numbers: std::ops::Range<usize>) -> bool {
        numbers.any(|number| self.worker(number).is_some_and(|worker| worker.is_current()))
    }

    fn key_of<M: 'static>(&self, message: &M) -> Option<u64> {
        let id = TypeId::of::<M>();
        let (_, key) = self.plan.keys.iter().find(|(of, _)| *of == id)?;
        key.downcast_ref::<fn(&M) -> u64>().map(|key| key(message))
    }

    /// Offers something to the worker of its key, or to all in turn, until one takes it.
    fn offer<T, R>(
        &self,
        key: Option<u64>,
        mut what: T,
        mut give: impl FnMut(&ActorRef<A>, T) -> Result<R, OfferRefusal<T>>,
    ) -> Result<R, PoolRefusal<A, T>> {
        loop {
            match self.offer_once(key, what, &mut give) {
                Err(PoolRefusal::Gone(back)) if key.is_some() && self.forget_lost() => what = back,
                other => return other,
            }
        }
    }

    /// The supervisor of the pool has been restarted: those are gone that were added to the first ones. Their
    /// keys are others' then. Whether there were any.
    #[cold]
    fn forget_lost(&self) -> bool {
        let mut roster = self.write();
        let is_alive = |number: usize| {
            roster.workers.get(number).and_then(Option::as_ref).is_some_and(ActorRef::is_alive)
        };
        // Elsewhere than on the thread of an isolate nobody seems alive.
        if roster.closed || !is_alive(0) {
            return false;
        }
        let mut size = roster.size;
        while size > self.plan.size && !is_alive(size - 1) {
            size -= 1;
        }
        let lost = size < roster.size;
        if lost {
            (roster.size, roster.epoch) = (size, roster.epoch + 1);
        }
        lost
    }

    fn offer_once<T, R>(
        &self,
        key: Option<u64>,
        mut what: T,
        give: &mut impl FnMut(&ActorRef<A>, T) -> Result<R, OfferRefusal<T>>,
    ) -> Result<R, PoolRefusal<A, T>> {
        let roster = self.read();
        let size = roster.size;
        let (first, tries) = match (key, self.plan.dispatch) {
            _ if roster.closed => (0, 0),
            (Some(key), _) => (worker_of(key, size), 1),
            (None, dispatch) => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let load = |number| roster.load(number);
                match dispatch {
                    Dispatch::RoundRobin => (turn % size, size),
                    Dispatch::LeastBusy => (least_busy(size, turn, load), size),
                }
            }
        };
        let mut full = None;
        for number in (first..size).chain(0..first).take(tries) {
            let Some(Some(worker)) = roster.workers.get(number) else { continue };
            match give(worker, what) {
                Ok(taken) => return Ok(taken),
                Err(OfferRefusal::Full(back)) => {
                    full.get_or_insert(worker);
                    what = back;
                }
                Err(OfferRefusal::Gone(back)) => what = back,
            }
        }
        match full {
            Some(worker) => {
                Err(PoolRefusal::Full { back: what, worker: worker.clone(), epoch: roster.epoch })
            }
            None => Err(PoolRefusal::Gone(what)),
        }
    }

    /// Leave to put something into an inbox, as long as this is the epoch.
    fn leave(&self, epoch: u64) -> Option<RwLockReadGuard<'_, Roster<A>>> {
        Some(self.read()).filter(|roster| roster.epoch == epoch)
    }

    pub(super) async fn tell<M>(&self, mut message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        if self.is_live {
            turn().await;
        }
        let key = self.key_of(&message);
        loop {
            let (worker, epoch) = match self.offer_message(key, message)? {
                Ok(()) => return Ok(()),
                Err((back, worker, epoch)) => {
                    message = back;
                    (worker, epoch)
                }
            };
            match worker.wait_to_tell(message, || self.leave(epoch)).await {
                Ok(()) => return Ok(()),
                Err(Unsent::Full(message)) => return Err(TellError::Full(message)),
                Err(Unsent::Moved(back) | Unsent::Closed(back)) => message = back,
            }
        }
    }

    pub(super) fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        let key = self.key_of(&message);
        self.offer_message(key, message)?.map_err(|(back, ..)| TellError::Full(back))
    }

    /// The inner error: all who may have it are full, and the first of them may be waited for.
    #[allow(clippy::type_complexity)]
    fn offer_message<M>(
        &self,
        key: Option<u64>,
        message: M,
    ) -> Result<Result<(), (M, ActorRef<A>, u64)>, TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        // An error that is the same whoever is asked.
        let mut elsewhere: Option<fn(M) -> TellError<M>> = None;
        let offered = self.offer(key, message, |worker, message| {
            worker.offer(message).map_err(|error| match error {
                TellError::Full(back) => OfferRefusal::Full(back),
                TellError::WrongThread(back) => {
                    elsewhere = Some(TellError::WrongThread);
                    OfferRefusal::Gone(back)
                }
                TellError::OtherBus(back) => {
                    elsewhere = Some(TellError::OtherBus);
                    OfferRefusal::Gone(back)
                }
                other => OfferRefusal::Gone(other.into_message()),
            })
        });
        match offered {
            Ok(()) => Ok(Ok(())),
            Err(PoolRefusal::Full { back, worker, epoch }) => Ok(Err((back, worker, epoch))),
            Err(PoolRefusal::Gone(back)) => Err(elsewhere.unwrap_or(TellError::Stopped)(back)),
        }
    }

    /// Asks for as long as it takes.
    pub(super) async fn ask<Q>(&self, query: Q) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        if self.is_live {
            turn().await;
        }
        let key = self.key_of(&query);
        // Who asks is no worker that can answer now.
        let mut itself = false;
        let mut other = |worker: &ActorRef<A>| {
            let is_current = worker.is_current();
            itself |= is_current;
            !is_current
        };
        if !self.is_live {
            let chosen = self.offer(key, query, |worker, query| match other(worker) && worker.is_alive() {
                true => Ok((worker.clone(), query)),
                false => Err(OfferRefusal::Gone(query)),
            });
            return match chosen {
                Ok((worker, query)) => worker.query(query).await,
                Err(_) => Err(if itself { AskError::Itself } else { AskError::Stopped }),
            };
        }
        let (reply, answer) = mycelium_mailbox::reply();
        let mut envelope = Envelope::query(query, reply);
        let worker = loop {
            let offered = self.offer(key, envelope, |worker, envelope| match other(worker) {
                true => worker.offer_envelope(envelope).map(|()| worker.clone()),
                false => Err(OfferRefusal::Gone(envelope)),
            });
            let (back, worker, epoch) = match offered {
                Ok(worker) => break worker,
                Err(PoolRefusal::Full { back, worker, epoch }) => (back, worker, epoch),
                Err(PoolRefusal::Gone(_)) if itself => return Err(AskError::Itself),
                Err(PoolRefusal::Gone(_)) => return Err(AskError::Stopped),
            };
            match worker.wait_to_send(back, || self.leave(epoch)).await {
                Ok(()) => break worker,
                Err(Unsent::Full(_)) => return Err(AskError::Itself),
                Err(Unsent::Moved(back) | Unsent::Closed(back)) => envelope = back,
            }
        };
        worker.answered(answer).await
    }
}

impl<A: Actor> AnyPool for PoolState<A> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn stats(&self) -> Option<PoolStats> {
        let workers = self.workers();
        let alive: Vec<_> = workers.iter().filter(|worker| worker.is_alive()).collect();
        (!alive.is_empty()).then(|| PoolStats {
            path: Arc::clone(&self.path),
            workers: self.size(),
            alive: alive.len(),
            waiting: alive.iter().map(|worker| worker.inbox_len() as u64).sum(),
        })
    }
}

impl<A: Actor> Roster<A> {
    fn here(&self) -> impl Iterator<Item = &ActorRef<A>> {
        self.workers.iter().take(self.size).flatten()
    }

    /// How much a worker has to do; one that is not there is the last to be chosen.
    fn load(&self, number: usize) -> usize {
        match self.workers.get(number) {
            Some(Some(worker)) if worker.is_alive() => worker.load(),
            _ => usize::MAX,
        }
    }
}
