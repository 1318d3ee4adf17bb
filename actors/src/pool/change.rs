//! Resizes, flushes and stops of a pool: who waits for whom, and in which order.
//!
//! A worker may wait at its gate for any other one. So in a pool with keys none of them waits for one that
//! leaves, and none waits for the turn of a resize: whoever has that may be waiting for it.

use std::pin::pin;

use tokio::sync::MutexGuard;

use super::pool_ref::PoolError;
use super::roster::PoolPhase;
use super::state::{Fenced, PoolState};
use super::{FEED_ID, POOL_WORKERS_MAX, worker_id};
use crate::Actor;
use crate::sync::quiet;
use crate::tree::{CallError, WeakTree};

impl<A: Actor> PoolState<A> {
    /// The turn of a resize or a stop.
    async fn take_turn(&self, caller: Option<usize>) -> Result<MutexGuard<'_, bool>, PoolError> {
        match caller {
            None => Ok(quiet(pin!(self.resizing.lock())).await),
            Some(_) => self.resizing.try_lock().map_err(|_| PoolError::Itself),
        }
    }

    /// See [`PoolRef::resize`](super::PoolRef::resize).
    pub(super) async fn resize(&self, tree: &WeakTree, size: usize) -> Result<(), PoolError> {
        if !(1..=POOL_WORKERS_MAX).contains(&size) {
            return Err(PoolError::Size(size));
        }
        tree.is_here()?;
        let caller = self.caller();
        let mut turn = self.take_turn(caller).await?;
        self.hear_of_workers(tree, &mut turn).await?;
        if caller.is_some_and(|number| number >= size || (self.has_keys() && size < self.numbers())) {
            return Err(PoolError::Itself);
        }
        while let Some(eldest) = self.crowded() {
            if caller.is_some() {
                return Err(PoolError::Itself);
            }
            for passed in &*eldest {
                passed.passed().await;
            }
        }
        loop {
            match self.phase() {
                PoolPhase::Open => {}
                PoolPhase::Stopping | PoolPhase::Stopped => return Err(PoolError::Stopped),
                PoolPhase::Forgotten => return Err(CallError::NoSupervisor((*self.path).into()).into()),
            }
            let beginnings = self.beginnings();
            for number in self.size()..size {
                if let Err(error) = self.add(tree, number).await {
                    // A worker leaves that to the next resize: it would wait for those that wait for it.
                    if caller.is_none() {
                        self.remove_from(tree, self.size()).await?;
                    }
                    return Err(error);
                }
            }
            // Whose supervisor has begun anew meanwhile has its first workers, and begins again.
            if !self.switch(size, beginnings) {
                continue;
            }
            self.remove_from(tree, size).await?;
            if self.beginnings() == beginnings {
                *turn = false;
                return Ok(());
            }
        }
    }

    /// Waits until the supervisor has done what a change was about when it was dropped: a worker that it
    /// starts then is seen here first. `turn` says whether there may be such a change, from now on this one.
    async fn hear_of_workers(&self, tree: &WeakTree, turn: &mut bool) -> Result<(), PoolError> {
        if std::mem::replace(turn, true) {
            // Any call does, behind those that wait.
            let none = worker_id(POOL_WORKERS_MAX);
            tree.terminate_child(&self.path, &none).await?;
        }
        Ok(())
    }

    /// Starts a worker, unless one is there that leaves.
    async fn add(&self, tree: &WeakTree, number: usize) -> Result<(), PoolError> {
        if self.is_kept(number) {
            return Ok(());
        }
        let child = self.child(number).ok_or(CallError::Ended)?;
        Ok(tree.start_child(&self.path, child).await?)
    }

    /// Ends the workers from this number on: they get nothing any more and have nothing to do.
    async fn remove_from(&self, tree: &WeakTree, size: usize) -> Result<(), PoolError> {
        while let Some(number) = self.numbers().checked_sub(1).filter(|last| *last >= size) {
            let worker = Fenced::Worker(number);
            self.handled(worker, self.since(worker)).await;
            // Its supervisor may have begun anew, with this one among the first.
            if number < self.size() {
                return Ok(());
            }
            tree.remove_child(&self.path, &worker_id(number)).await?;
            self.unseat(number);
        }
        Ok(())
    }

    /// See [`PoolRef::flush`](super::PoolRef::flush).
    pub(super) async fn flush(&self, tree: &WeakTree) -> Result<(), PoolError> {
        tree.is_here()?;
        if self.caller().is_some() {
            return Err(PoolError::Itself);
        }
        self.handled(Fenced::Feed, self.since(Fenced::Feed)).await;
        self.all_handled().await;
        Ok(())
    }

    /// See [`PoolRef::stop_gracefully`](super::PoolRef::stop_gracefully).
    pub(super) async fn stop_gracefully(&self, tree: &WeakTree) -> Result<(), PoolError> {
        tree.is_here()?;
        if self.caller().is_some() {
            return Err(PoolError::Itself);
        }
        let mut turn = self.take_turn(None).await?;
        if self.phase() == PoolPhase::Forgotten {
            return Ok(());
        }
        self.hear_of_workers(tree, &mut turn).await?;
        loop {
            let beginnings = self.beginnings();
            if let Some(feed) = self.feed() {
                feed.stop_gracefully();
                feed.ended().await;
                // One that was killed meanwhile would be replaced.
                tree.terminate_child(&self.path, FEED_ID).await?;
            }
            self.close();
            self.all_handled().await;
            for number in (0..self.numbers()).rev() {
                tree.terminate_child(&self.path, &worker_id(number)).await?;
            }
            if self.closed(beginnings) {
                *turn = false;
                return Ok(());
            }
        }
    }
}
