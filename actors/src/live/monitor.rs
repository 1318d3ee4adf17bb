//! Watching the ends of other live actors, and depending on them.
//!
//! # Protocol
//! [`WatchList`](crate::life::WatchList) decides without a host who is told what, and once. Here each
//! watcher has one queue for all that it hears this way, which is a source like its topics: notices carry
//! stamps of the bus, so they come after everything that the ended actor had sent. The end of an actor is
//! known ([`Address::ended`]) before the list of its watchers is taken, and one that comes to the list
//! looks there first, under the lock of the list: so each watch gets one notice.
//!
//! Bound: one notice for each watch that an actor has made and not ended.

use std::sync::{Arc, PoisonError, Weak};
use std::task::Context as TaskContext;

use mycelium_mailbox::{
    Doorbell, FutureSlot, Inbox, InboxOptions, Overflow, Port, QUEUE_CAPACITY_MAX, Span, Stamps, Started,
};

use super::address::{Address, Member};
use super::envelope::{call, call_taking};
use super::source::{ActorSource, SourceDrained, Way};
use crate::by_value::sealed::DispatchMessage;
use crate::life::{EndNotice, NoticeMeaning, WatchKind, WatchList, WatcherList};
use crate::sync::{Mutex, MutexGuard};
use crate::{Actor, ActorId, Context, Down, Handler, Monitor, Takes};

/// Who watches one actor, by the queues of their notices.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<WatcherList<NoticeQueue>>);

type NoticeQueue = Arc<Port<EndNotice>>;

fn tell((queue, notice): (NoticeQueue, EndNotice)) {
    // One that has ended meanwhile need not know.
    let _ = queue.offer(notice);
}

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, WatcherList<NoticeQueue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells them all that `other`, whose watchers they are, has ended. That is known before.
    pub(crate) fn tell_of(&self, other: &dyn Watched) {
        let watchers = std::mem::take(&mut *self.lock());
        watchers.notices(|monitor| other.down(monitor)).for_each(tell);
    }

    fn remove(&self, monitor: Monitor) {
        let removed = self.lock().leave(monitor);
        // Dropped here, where the lock is free again.
        drop(removed);
    }

    #[cfg(not(shuttle))]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().len()
    }
}

/// A live actor of any type that can be watched.
pub(crate) trait Watched: Send + Sync {
    fn watchers(&self) -> &Watchers;
    /// What is told to `monitor`, if it has ended.
    fn down(&self, monitor: Monitor) -> Option<Down>;
}

impl<A: Actor> Watched for Address<A> {
    fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    fn down(&self, monitor: Monitor) -> Option<Down> {
        let reason = self.ended.get()?.clone();
        Some(Down { monitor, actor: self.identity(), reason })
    }
}

/// How a `Down` is handled; known once the actor has watched somebody.
type HearDown<A> = for<'a> fn(
    &'a Down,
    &'a mut A,
    &'a mut Context<A>,
    &'a mut FutureSlot,
    &mut TaskContext<'_>,
) -> Started<'a, SourceDrained>;

/// Whom one actor watches.
pub(crate) struct Watching<A: Actor> {
    queue: NoticeQueue,
    hear: Option<HearDown<A>>,
    list: WatchList<Weak<dyn Watched>>,
}

impl<A: Actor> Watching<A> {
    /// Nobody yet, and the source that brings the notices.
    pub(crate) fn new(
        id: ActorId,
        stamps: &Arc<Stamps>,
        bell: &Arc<Doorbell>,
    ) -> (Self, Box<dyn ActorSource<A>>) {
        // It is never full before there are so many watches.
        let options =
            InboxOptions { overflow: Overflow::Fail, capacity: QUEUE_CAPACITY_MAX, owner: id.get() };
        let queue = Arc::new(Port::new(Arc::clone(stamps), Arc::clone(bell), options));
        let source = Box::new(Inbox::of(Arc::clone(&queue)));
        (Self { queue, hear: None, list: WatchList::default() }, source)
    }

    pub(crate) fn watch(&mut self, watcher: ActorId, other: &Arc<dyn Watched>) -> Monitor
    where
        A: Takes<Down>,
    {
        self.hear = Some(A::dispatch(PickHear));
        self.add(watcher, other, WatchKind::Watch)
    }

    pub(crate) fn depend_on(&mut self, watcher: ActorId, other: &Arc<dyn Watched>) -> Monitor {
        self.add(watcher, other, WatchKind::Dependency)
    }

    fn add(&mut self, watcher: ActorId, other: &Arc<dyn Watched>, kind: WatchKind) -> Monitor {
        let monitor = self.list.begin(watcher, Arc::downgrade(other));
        let queue = Arc::clone(&self.queue);
        let mut watchers = other.watchers().lock();
        // Looked at under the lock: see the protocol.
        let at_once = watchers.join(monitor, (queue, kind), other.down(monitor));
        drop(watchers);
        at_once.into_iter().for_each(tell);
        monitor
    }

    /// Forgets a watch; whether there was one, and its notice has not been taken.
    pub(crate) fn remove(&mut self, monitor: Monitor) -> bool {
        let Some(other) = self.list.forget(monitor) else { return false };
        leave(&other, monitor);
        true
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.list.forget_all().iter().for_each(|(monitor, other)| leave(other, *monitor));
    }
}

fn leave(other: &Weak<dyn Watched>, monitor: Monitor) {
    if let Some(other) = other.upgrade() {
        other.watchers().remove(monitor);
    }
}

/// How an actor handles a notice.
struct PickHear;

impl<A: Takes<Down>> DispatchMessage<A, Down> for PickHear {
    type Output = HearDown<A>;

    fn by_value(self) -> HearDown<A> {
        |down, actor, ctx, slot, cx| call_taking(actor, down.clone(), ctx, slot, cx)
    }

    fn by_reference(self) -> HearDown<A>
    where
        A: Handler<Down>,
    {
        hear::<A>
    }
}

fn hear<'a, A: Handler<Down>>(
    down: &'a Down,
    actor: &'a mut A,
    ctx: &'a mut Context<A>,
    slot: &'a mut FutureSlot,
    cx: &mut TaskContext<'_>,
) -> Started<'a, SourceDrained> {
    call(actor, down, ctx, slot, cx)
}

/// What an actor hears of the ends of others.
impl<A: Actor> ActorSource<A> for Inbox<EndNotice> {
    fn drain<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        _: &Span<'_>,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        let Some((notice, _)) = self.peek() else { return Started::Ready(Ok(())) };
        let watching = ctx.as_live().and_then(|live| live.watching.as_deref_mut());
        let Some(Watching { list, hear, .. }) = watching else { return Started::Ready(Ok(())) };
        match (list.take_in(notice), *hear) {
            (NoticeMeaning::Handle(down), Some(hear)) => hear(down, actor, ctx, slot, cx),
            (NoticeMeaning::End(reason), _) => Started::Ready(Err(Box::new(reason))),
            (NoticeMeaning::Handle(_) | NoticeMeaning::Nothing, _) => Started::Ready(Ok(())),
        }
    }

    fn settle(&mut self) -> u32 {
        self.advance();
        1
    }

    fn keep(&mut self) -> bool {
        // The next life has no watches from this one.
        false
    }

    fn take_kept(&mut self) -> bool {
        false
    }

    fn discard(&mut self) -> Option<&'static str> {
        self.take().filter(|notice| notice.kind == WatchKind::Watch).map(|_| NAME)
    }

    fn abandon(&mut self) -> Option<(&'static str, u64)> {
        // Nobody sent it: it is no dead letter.
        None
    }

    fn end_life(&mut self) {
        while self.take().is_some() {}
    }

    fn topic(&self) -> Option<Way> {
        None
    }

    fn front_name(&self) -> Option<&'static str> {
        self.peek().map(|_| NAME)
    }
}

/// What a notice is called where a message has a name.
const NAME: &str = "Down";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Target, sealed::Watchable};
    use crate::{ActorRef, BoxError, MessageBus, Responder};

    struct Idle;
    impl Actor for Idle {
        type Error = BoxError;
    }
    impl Handler<Down> for Idle {
        async fn handle(&mut self, _: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    struct Watch(ActorRef<Idle>);
    impl Responder<Watch> for Idle {
        type Reply = [Monitor; 2];
        async fn answer(&mut self, watch: &Watch, ctx: &mut Context<Self>) -> [Monitor; 2] {
            [ctx.watch(&watch.0), ctx.depend_on(&watch.0)]
        }
    }
    struct Unwatch([Monitor; 2]);
    impl Responder<Unwatch> for Idle {
        type Reply = bool;
        async fn answer(&mut self, unwatch: &Unwatch, ctx: &mut Context<Self>) -> bool {
            unwatch.0.map(|monitor| ctx.unwatch(monitor)) == [true; 2]
        }
    }

    fn as_watched(idle: &ActorRef<Idle>) -> Arc<dyn Watched> {
        let Target::Live(watched) = idle.watched().0 else { panic!("it is live") };
        watched
    }

    #[tokio::test]
    async fn neither_end_leaves_anything_behind() {
        let bus = MessageBus::new();
        let watched = bus.spawn(Idle).unwrap();
        let of_watched = as_watched(&watched);
        let watcher = bus.spawn(Idle).unwrap();
        for _ in 0..3 {
            let monitors = watcher.ask(Watch(watched.clone())).await.unwrap();
            assert_eq!(of_watched.watchers().len(), 2);
            assert!(watcher.ask(Unwatch(monitors)).await.unwrap());
            assert_eq!(of_watched.watchers().len(), 0);
        }
        // The watcher ends first, by itself or by force.
        for kill in [false, true] {
            let watcher = bus.spawn(Idle).unwrap();
            watcher.ask(Watch(watched.clone())).await.unwrap();
            if kill {
                watcher.kill();
            } else {
                watcher.stop();
            }
            watcher.ended().await;
            assert_eq!(of_watched.watchers().len(), 0);
        }
        // Each watches the other, and one ends: what is left holds nothing of it.
        watcher.ask(Watch(watched.clone())).await.unwrap();
        watched.ask(Watch(watcher.clone())).await.unwrap();
        watched.stop();
        watched.ended().await;
        assert_eq!(of_watched.watchers().len(), 0);
        assert_eq!(as_watched(&watcher).watchers().len(), 0);
        let weak = Arc::downgrade(&of_watched);
        drop((watched, of_watched));
        // Its task may hold its address a moment longer.
        while weak.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        bus.shutdown().await.unwrap();
    }
}
