//! Waiting for room in a pool.
//!
//! A sender that finds all workers full that may have its message stands in line at each of them, offers
//! once more to all, and sleeps. Room at any of them wakes it, and so does a worker that comes or goes. It
//! holds no worker's place once its message is taken, and none while it runs.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::LinePlace;

use super::state::{PoolRefusal, PoolState};
use crate::live::{OfferRefusal, Wait, waiting};
use crate::{Actor, ActorId, ActorRef};

/// What became of something in one line.
enum InLine<R, T> {
    Offered(Result<R, PoolRefusal<T>>),
    /// The workers are others by now.
    Moved(T),
}

impl<A: Actor> PoolState<A> {
    /// Offers something again, whenever there may be room, until it is taken or cannot be: `Full` where
    /// nobody but the code that runs would have to make room. `lane`: by which it comes to a worker of an
    /// isolate.
    pub(super) async fn wait_to_offer<T, R>(
        &self,
        key: Option<u64>,
        mut what: T,
        lane: fn(&ActorRef<A>) -> Option<u32>,
        mut give: impl FnMut(&ActorRef<A>, T) -> Result<R, OfferRefusal<T>> + Send,
    ) -> Result<R, PoolRefusal<T>>
    where
        T: Send,
        R: Send,
    {
        loop {
            let (workers, epoch) = self.crowd(key);
            let Some(first) = workers.first() else { return self.offer(key, what, give) };
            what = if self.is_live {
                match self.stand(key, what, &mut give, &workers, epoch).await {
                    InLine::Offered(offered) => return offered,
                    InLine::Moved(back) => back,
                }
            } else {
                self.stand_in_lanes(first, workers.iter().filter_map(lane).collect(), epoch).await;
                what
            };
            match self.offer(key, what, &mut give) {
                Err(PoolRefusal::Full(back)) => what = back,
                other => return other,
            }
        }
    }

    /// Waits in an isolate for room in one of these lanes to its workers, until those are others.
    async fn stand_in_lanes(&self, first: &ActorRef<A>, lanes: Vec<u32>, epoch: u64) {
        let (mut changed, mut room) = (pin!(self.changed.notified()), pin!(first.room_in(lanes)));
        poll_fn(|cx| match changed.as_mut().poll(cx).is_ready() || self.epoch() != epoch {
            true => Poll::Ready(()),
            false => room.as_mut().poll(cx),
        })
        .await;
    }

    async fn stand<T, R>(
        &self,
        key: Option<u64>,
        what: T,
        mut give: impl FnMut(&ActorRef<A>, T) -> Result<R, OfferRefusal<T>> + Send,
        workers: &[ActorRef<A>],
        epoch: u64,
    ) -> InLine<R, T>
    where
        T: Send,
        R: Send,
    {
        let mut places: Vec<_> =
            workers.iter().filter_map(|of| Some((of.id(), of.place_in_line()?))).collect();
        let mut changed = pin!(self.changed.notified());
        let mut held = Some(what);
        let mut offer = |places: &mut [(ActorId, LinePlace<'_>)], what| {
            let mut taker = None;
            let offered = self.offer(key, what, |worker, what| {
                taker = Some(worker.id());
                give(worker, what)
            });
            if offered.is_ok()
                && let Some((_, place)) = places.iter_mut().find(|(id, _)| Some(*id) == taker)
            {
                place.served();
            }
            offered
        };
        let mut attempt = |cx: &mut TaskContext<'_>| {
            // Whether it is ready is seen by the epoch, too: it may have changed before this was polled.
            let news = changed.as_mut().poll(cx).is_ready() || self.epoch() != epoch;
            let Some(what) = held.take() else { return Poll::Pending };
            if news {
                return Poll::Ready(InLine::Moved(what));
            }
            let what = match offer(&mut places, what) {
                Err(PoolRefusal::Full(back)) => back,
                other => return Poll::Ready(InLine::Offered(other)),
            };
            places.iter_mut().for_each(|(_, place)| place.stand(cx.waker()));
            match offer(&mut places, what) {
                Err(PoolRefusal::Full(back)) => held = Some(back),
                other => return Poll::Ready(InLine::Offered(other)),
            }
            Poll::Pending
        };
        let wait = match workers {
            [] => Wait::Nothing,
            [only] => only.wait_for_room(),
            // Of several, one that is stuck is no reason to wait for ever.
            [first, ..] => first.wait_for_pool(),
        };
        waiting(wait, poll_fn(|cx| attempt(cx))).await
    }
}
