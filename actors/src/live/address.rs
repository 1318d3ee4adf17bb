//! What references, the bus and the actor itself share of one live actor.

use std::future::Future;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::{Parcel, Port, Presence, ReplyReceiver, SendError, Stop, TrySendError, caught};
use tokio::runtime::Handle as Runtime;

use super::asking::{LimitedAsk, PendingAsk};
use super::current;
use super::envelope::Envelope;
use super::lookout::{Lookout, NOTHING, Noted, PackedNote, Wait, Waits, waiting};
use super::monitor::Watchers;
use super::runtime::{Limit, sleep_on};
use super::topics::QueueOwner;
use super::watch::{Pulse, Watch};
use crate::error::Asked;
use crate::host::HostHandle;
use crate::life::Marker;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, SetOnce};
use crate::{Actor, ActorId, AskError, Identity, Replies, StopReason, Takes, TellError};

/// Why something was not queued.
pub(crate) enum OfferRefusal<T> {
    /// There may be room later.
    Full(T),
    /// There will be none.
    Gone(T),
}

/// Whatever lives on a bus and can be ended: actors and services.
pub(crate) trait Member: Send + Sync {
    fn id(&self) -> ActorId;
    fn name(&self) -> &'static str;
    /// Its path in a tree, or the name that it was registered under.
    fn path(&self) -> Option<Arc<str>>;
    /// The number of the tree that it is in, without its upper half; 0: it is in none.
    fn tree(&self) -> u32 {
        0
    }
    /// What logs, statistics and errors call it.
    fn identity(&self) -> Identity {
        Identity { id: self.id(), name: self.name(), path: self.path() }
    }
    /// Says in the log that it has failed, which its supervisor does where it has one.
    fn log_failure(&self, reason: &StopReason) {
        if reason.is_abnormal() && *reason != StopReason::Killed {
            let member = self.identity();
            caught(
                || tracing::warn!(target: "mycelium::supervision", %member, %reason, "a member of no tree failed"),
            );
        }
    }
    /// Asks it to end by itself.
    fn stop(&self, stop: Stop);
    /// Drops its code where it waits.
    fn kill(&self);
    /// Takes back what the last life was asked, because a new one is about to begin. A shutdown stays; a stop
    /// does too if it `stands`: then the new life ends by it.
    fn resume(&self, stands: bool) {
        let _ = stands;
    }
    fn ended(&self) -> &SetOnce<StopReason>;
    /// Which one it is.
    fn work(&self) -> Work;
    /// What its code waits for, and a number that stays the same for as long as it waits for that.
    fn waits(&self) -> Noted {
        NOTHING
    }
    /// Has its note say this while its code keeps its thread, of which nobody else may call it.
    fn note(&self, noted: Noted) {
        let _ = noted;
    }
    /// The runtime that its code runs on.
    fn runtime(&self) -> Option<Runtime> {
        None
    }
    /// Whether it is a service on a thread of its own, which nobody else keeps from saying that it is alive.
    fn keeps_itself(&self) -> bool {
        false
    }
    /// What a probe sees.
    fn pulse(&self) -> Pulse;
    /// Ends what it is doing, where it waits, as a failure with this reason; kills what cannot be ended in
    /// part. `seen`: only if it has made no progress since a pulse with these beats.
    fn abort(&self, reason: &str, seen: Option<u64>);
    /// How many messages wait in its inbox, and how many may; `None` if it has none.
    fn inbox(&self) -> Option<(u64, u64)> {
        None
    }

    /// How many messages and queries sent to it directly it has not handled, as far as it has told: see
    /// [`Address::inbox_len`].
    fn unhandled(&self) -> u64 {
        0
    }
}

/// What a member has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// An actor that sleeps and has nothing to do; see [`Presence::turn`].
    Rests(u64),
    /// An actor that has something to do.
    Busy,
    /// A service: what it does is its own affair. Whether a supervisor restarts it.
    Service { supervised: bool },
}

/// One live actor as the others see it: one piece of memory, with its inbox in it.
pub(crate) struct Address<A: Actor> {
    pub(crate) id: ActorId,
    pub(crate) presence: Presence,
    pub(crate) ended: SetOnce<StopReason>,
    watch: OnceLock<Box<Watch>>,
    pub(crate) watchers: Watchers,
    pub(crate) waits: Waits,
    /// Its path in a tree, or the name under which the bus registered it.
    pub(crate) path: Option<Arc<str>>,
    /// What those are told that it has no room for, once anybody may be.
    who: OnceLock<Arc<Identity>>,
    pub(crate) inbox: Port<Envelope<A>>,
    /// See [`Member::tree`].
    tree: u32,
    /// A [`Marker::Stop`] is in the inbox.
    stops_at_marker: AtomicBool,
    /// How many markers are in the inbox, where they count as messages.
    markers: AtomicUsize,
    runtime: Runtime,
    /// Empty after the end, so that a reference that is kept holds no channel and no task.
    host: Mutex<Option<HostHandle>>,
}

impl<A: Actor> AsRef<Port<Envelope<A>>> for Address<A> {
    fn as_ref(&self) -> &Port<Envelope<A>> {
        &self.inbox
    }
}

impl<A: Actor> Member for Address<A> {
    fn id(&self) -> ActorId {
        self.id
    }

    fn name(&self) -> &'static str {
        A::name()
    }

    fn path(&self) -> Option<Arc<str>> {
        self.path.clone()
    }

    fn tree(&self) -> u32 {
        self.tree
    }

    fn stop(&self, stop: Stop) {
        self.presence.ask(stop, self.inbox.doorbell());
    }

    fn kill(&self) {
        let host = lock(&self.host).clone();
        if let Some(host) = host {
            host.kill();
        }
    }

    fn resume(&self, stands: bool) {
        match stands {
            true => self.presence.take_back_pause(),
            false => self.presence.take_back(),
        }
    }

    fn ended(&self) -> &SetOnce<StopReason> {
        &self.ended
    }

    fn work(&self) -> Work {
        self.presence.turn(self.inbox.doorbell()).map_or(Work::Busy, Work::Rests)
    }

    fn waits(&self) -> Noted {
        self.waits.noted()
    }

    fn note(&self, noted: Noted) {
        self.waits.write(PackedNote::new(noted));
    }

    fn runtime(&self) -> Option<Runtime> {
        Some(self.runtime.clone())
    }

    fn pulse(&self) -> Pulse {
        self.watch().pulse(matches!(self.work(), Work::Rests(_)))
    }

    fn abort(&self, reason: &str, seen: Option<u64>) {
        self.watch().abort(reason, seen);
    }

    fn inbox(&self) -> Option<(u64, u64)> {
        Some((self.inbox.len() as u64, u64::from(self.inbox.capacity())))
    }

    fn unhandled(&self) -> u64 {
        self.inbox_len() as u64
    }
}

impl<A: Actor> Address<A> {
    pub(crate) fn new(
        id: ActorId,
        (path, tree): (Option<Arc<str>>, Option<u64>),
        inbox: Port<Envelope<A>>,
        host: HostHandle,
        runtime: Runtime,
        lookout: Arc<Lookout>,
    ) -> Arc<Self> {
        let (presence, ended) = (Presence::new(), SetOnce::new());
        let host = Mutex::new(Some(host));
        let (who, watch, watchers, waits) =
            (OnceLock::new(), OnceLock::new(), Watchers::default(), Waits::new(lookout));
        let (stops_at_marker, markers) = (AtomicBool::new(false), AtomicUsize::new(0));
        Arc::new(Self {
            id,
            presence,
            ended,
            watch,
            watchers,
            waits,
            path,
            who,
            inbox,
            tree: tree_number(tree),
            stops_at_marker,
            markers,
            runtime,
            host,
        })
    }

    /// What those are told that it has no room for.
    pub(crate) fn who(&self) -> Arc<Identity> {
        Arc::clone(self.who.get_or_init(|| Arc::new(self.identity())))
    }

    /// Whose its queues are.
    pub(crate) fn queue_owner(&self) -> QueueOwner {
        QueueOwner::new(self.who(), Arc::clone(self.inbox.doorbell()))
    }

    /// What those are told who asked it in vain.
    #[cold]
    fn asked(&self) -> Asked {
        Asked::of(self.identity()).ended(self.ended.get().cloned())
    }

    /// What its supervisor sees of its progress.
    pub(crate) fn watch(&self) -> &Watch {
        self.watch.get_or_init(Box::default)
    }

    /// The same, if its supervisor probes it.
    #[inline]
    pub(crate) fn probed(&self) -> Option<&Watch> {
        self.watch.get().map(Box::as_ref).filter(|watch| watch.is_probed())
    }

    /// Lets go of the host and tells everybody that the actor has ended.
    pub(crate) fn end(&self, reason: StopReason) {
        drop(lock(&self.host).take());
        self.ended.set(reason);
        self.watchers.tell_of(self);
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.ended.initialized()
    }

    pub(crate) fn try_tell<M>(&self, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        self.inbox.try_send(Envelope::message(message)).or_else(|error| self.refused(error))
    }

    /// Queues a marker behind all that was sent before.
    pub(crate) fn mark(&self, marker: Marker) {
        self.markers.fetch_add(1, Ordering::Relaxed);
        // An actor that has ended handles nothing any more: the marker goes.
        drop(self.inbox.send_past_bound(Envelope::marker(marker)));
    }

    /// A marker has taken effect.
    pub(crate) fn has_passed_marker(&self) {
        self.markers.fetch_sub(1, Ordering::Relaxed);
    }

    /// For code of the actor that waits and is not a handler's: ready once it is asked to stop.
    pub(super) fn poll_asked(&self, cx: &mut TaskContext<'_>) -> Poll<Stop> {
        if !self.inbox.doorbell().prepare(cx.waker()) {
            // Somebody rings right now, perhaps for that.
            cx.waker().wake_by_ref();
        }
        // After the bell was set: who asks rings afterwards.
        self.presence.asked().map_or(Poll::Pending, Poll::Ready)
    }

    /// How many messages and queries are in the inbox.
    pub(crate) fn inbox_len(&self) -> usize {
        // Before: one that comes in between counts as a message once, and none that goes does so for ever.
        let markers = self.markers.load(Ordering::Relaxed);
        self.inbox.load().saturating_sub(markers)
    }

    /// Has the actor end when it has handled all that was sent before.
    pub(crate) fn stop_at_marker(&self) {
        if !self.stops_at_marker.swap(true, Ordering::Relaxed) {
            self.mark(Marker::Stop);
        }
    }

    /// The actor has come to its [`Marker::Stop`].
    pub(crate) fn is_at_marker(&self) {
        self.stops_at_marker.store(false, Ordering::Relaxed);
    }

    /// The error with the message that its inbox has refused.
    #[cold]
    pub(crate) fn refused<M: 'static>(&self, error: TrySendError<Envelope<A>>) -> Result<(), TellError<M>> {
        match error {
            TrySendError::Closed(envelope) => {
                back(envelope, |message| TellError::Stopped(message, Some(self.who())))
            }
            other => back(other.into_inner(), |message| TellError::Full(message, Some(self.who()))),
        }
    }

    /// Queues a message now, or gives it back wrapped.
    #[inline]
    pub(crate) fn offer<M>(&self, message: M) -> Result<(), TrySendError<Envelope<A>>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        if !Parcel::has_place_for::<M>() {
            // Allocated where no lock is held.
            return self.inbox.offer(Envelope::message(message));
        }
        self.inbox.offer_made(|| Envelope::message(message))
    }

    /// Queues a message that was offered in vain.
    pub(crate) async fn wait_to_tell<M: 'static>(&self, message: Envelope<A>) -> Result<(), TellError<M>> {
        let sending = self.inbox.send(message, self.sender());
        waiting(self.wait(Wait::Inbox), sending).await.or_else(|error| match error {
            SendError::Closed(envelope) => {
                back(envelope, |message| TellError::Stopped(message, Some(self.who())))
            }
            // A sender that waits finds it full only if it would wait for itself.
            other => back(other.into_inner(), |message| TellError::Itself(message, Some(self.who()))),
        })
    }

    /// Queues an envelope now, or gives it back.
    pub(crate) fn offer_envelope(&self, envelope: Envelope<A>) -> Result<(), OfferRefusal<Envelope<A>>> {
        self.inbox.offer(envelope).map_err(|error| match error {
            TrySendError::Closed(back) => OfferRefusal::Gone(back),
            other => OfferRefusal::Full(other.into_inner()),
        })
    }

    /// Waits for the answer to a query that was queued.
    pub(crate) async fn answered<R>(&self, answer: ReplyReceiver<R>) -> Result<R, AskError> {
        let answered = waiting(self.wait(Wait::Answer), answer).await;
        answered.ok_or_else(|| self.unanswered())
    }

    /// The error of an ask whose query was queued.
    #[cold]
    pub(super) fn unanswered(&self) -> AskError {
        AskError::stopped(self.asked().sent())
    }

    /// The error of an ask whose query was not.
    #[cold]
    pub(super) fn unasked(&self) -> AskError {
        AskError::stopped(self.asked())
    }

    /// The error of an ask by the actor's own code.
    #[cold]
    pub(super) fn asked_itself(&self) -> AskError {
        AskError::itself(self.identity())
    }

    /// Whether the actor's own code runs now.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        current::is(self)
    }

    /// How a member of its bus waits for room in its inbox.
    pub(crate) fn wait_for_room(&self) -> Wait {
        self.wait(Wait::Inbox)
    }

    /// How a member of its bus waits for room in the inbox of any worker of the pool that it is one of.
    pub(crate) fn wait_for_pool(&self) -> Wait {
        self.wait(Wait::Pool)
    }

    /// How a member of its bus waits for it; those of other buses are not looked after.
    #[inline]
    pub(super) fn wait(&self, of: impl FnOnce(u64) -> Wait) -> Wait {
        if current::is_on(self.waits.lookout.bus) { of(self.id.get()) } else { Wait::Nothing }
    }

    /// How long an ask waits that does not say it.
    pub(crate) fn ask_limit(&self) -> Option<Duration> {
        self.waits.lookout.ask_limit
    }

    /// The actor's own id if its own code runs now, which must not wait for itself; else 0.
    fn sender(&self) -> u64 {
        if current::is(self) { self.id.get() } else { 0 }
    }

    #[inline]
    pub(crate) fn ask<Q>(&self, query: Q) -> PendingAsk<'_, A, Q>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        PendingAsk::new(self, query)
    }

    #[inline]
    pub(crate) fn ask_within<Q>(&self, query: Q, limit: Duration) -> LimitedAsk<'_, A, Q>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        LimitedAsk::new(self, query, limit)
    }

    /// Queues a query.
    pub(crate) async fn begin<Q>(&self, query: Q) -> Result<ReplyReceiver<A::Reply>, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        if current::is(self) {
            return Err(self.asked_itself());
        }
        let (reply, answer) = mycelium_mailbox::reply();
        self.wait_to_ask(Envelope::query(query, reply)).await?;
        Ok(answer)
    }

    /// Queues a query that was offered in vain.
    pub(super) async fn wait_to_ask(&self, asked: Envelope<A>) -> Result<(), AskError> {
        let sending = self.inbox.send(asked, 0);
        waiting(self.wait(Wait::Inbox), sending).await.map_err(|_| self.unasked())
    }

    /// The limit of somebody who asks, on a runtime or outside.
    pub(crate) fn timer(&self, limit: Duration) -> impl Future<Output = ()> + Send + use<A> {
        sleep_on(self.runtime.clone(), limit)
    }

    /// The same, which begins now.
    pub(super) fn limit(&self, limit: Duration) -> Limit {
        Limit::on(&self.runtime, limit)
    }
}

/// See [`Member::tree`].
pub(crate) fn tree_number(tree: Option<u64>) -> u32 {
    tree.unwrap_or_default() as u32
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error with the message that an envelope of this type holds.
fn back<A: Actor, M: 'static>(
    envelope: Envelope<A>,
    error: impl FnOnce(M) -> TellError<M>,
) -> Result<(), TellError<M>> {
    // An envelope made from an `M` always gives one back.
    envelope.into_message().map_or(Ok(()), |message| Err(error(message)))
}
