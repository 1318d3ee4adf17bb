//! The children of a pool: how its workers and its feed are started, and how they find each other.

use std::rc::Rc;
use std::sync::Arc;

use super::PoolTopics;
use super::feed::PoolFeed;
use super::state::{PoolPlan, PoolState};
use crate::isolate::{ActorCell, AnySeat, Factory, IsolateRef, Place, SeatSite};
use crate::tree::{ActorLaunch, ExitReason, Launch, Life, Placed, Pools, Site, StartLeft, split};
use crate::{Actor, ActorRef};

/// Starts one worker.
pub(super) struct WorkerLaunch<A: Actor> {
    launch: ActorLaunch<A>,
    plan: Arc<PoolPlan>,
    number: usize,
}

/// Starts the feed.
pub(super) struct FeedLaunch<A: Actor> {
    plan: Arc<PoolPlan>,
    topics: PoolTopics<A>,
}

/// The pool whose child has this path.
fn pool_of<A: Actor>(pools: &Pools, path: &str, plan: &Arc<PoolPlan>, is_live: bool) -> Arc<PoolState<A>> {
    let (path, _) = split(path);
    if let Some(pool) = find::<A>(pools, path).filter(|pool| pool.is_of(plan)) {
        return pool;
    }
    let pool = Arc::new(PoolState::new(path.into(), plan, is_live));
    pools.set(path, Arc::clone(&pool) as _);
    pool
}

/// The pool at this path, if it is one of these workers.
pub(super) fn find<A: Actor>(pools: &Pools, path: &str) -> Option<Arc<PoolState<A>>> {
    pools.get(path)?.into_any().downcast::<PoolState<A>>().ok()
}

/// The live actor that has begun at this path.
fn placed<A: Actor>(site: &Site) -> Option<ActorRef<A>> {
    let actors = site.shared.actors();
    let Placed { reference, .. } = actors.get(&site.path)?;
    reference.downcast_ref::<ActorRef<A>>().cloned()
}

/// The actor that has taken this seat.
fn seated<A: Actor>(site: &SeatSite, seat: &Rc<dyn AnySeat>) -> Option<ActorRef<A>> {
    let seat = Rc::clone(seat).into_any().downcast::<ActorCell<A>>().ok()?;
    Some(ActorRef::in_isolate(IsolateRef::new(Place::new(&site.core, seat.index))))
}

impl<A: Actor> WorkerLaunch<A> {
    pub(super) fn new(make: &Factory<A>, plan: &Arc<PoolPlan>, number: usize) -> Self {
        let make = Arc::clone(make);
        let launch = ActorLaunch::new(move || make()).of_pool(&plan.once_each);
        Self { launch, plan: Arc::clone(plan), number }
    }

    fn begun(&self, pools: &Pools, path: &str, worker: Option<ActorRef<A>>, is_live: bool) {
        if let Some(worker) = worker {
            pool_of(pools, path, &self.plan, is_live).seat(self.number, worker);
        }
    }
}

impl<A: Actor> Launch for WorkerLaunch<A> {
    fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason> {
        let life = self.launch.launch(site, left)?;
        self.begun(&site.shared.pools, &site.path, placed(site), true);
        Ok(life)
    }

    fn take_seat(&self, site: SeatSite) -> Result<Rc<dyn AnySeat>, ExitReason> {
        let here = site.clone();
        let seat = self.launch.take_seat(site)?;
        self.begun(here.pools(), &here.path, seated(&here, &seat), false);
        Ok(seat)
    }
}

impl<A: Actor> FeedLaunch<A> {
    pub(super) fn new(plan: &Arc<PoolPlan>, topics: &PoolTopics<A>) -> Self {
        Self { plan: Arc::clone(plan), topics: Arc::clone(topics) }
    }

    fn launcher(&self, pool: &Arc<PoolState<A>>) -> ActorLaunch<PoolFeed<A>> {
        let (pool, topics) = (Arc::clone(pool), Arc::clone(&self.topics));
        ActorLaunch::new(move || PoolFeed { pool: Arc::clone(&pool), topics: Arc::clone(&topics) })
    }
}

impl<A: Actor> Launch for FeedLaunch<A> {
    fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason> {
        let pool = pool_of(&site.shared.pools, &site.path, &self.plan, true);
        let life = self.launcher(&pool).launch(site, left)?;
        pool.set_feed(placed(site));
        Ok(life)
    }

    fn take_seat(&self, site: SeatSite) -> Result<Rc<dyn AnySeat>, ExitReason> {
        let here = site.clone();
        let pool = pool_of(here.pools(), &here.path, &self.plan, false);
        let seat = self.launcher(&pool).take_seat(site)?;
        pool.set_feed(seated(&here, &seat));
        Ok(seat)
    }
}
