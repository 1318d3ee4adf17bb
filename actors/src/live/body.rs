//! A live actor from the inside: its value, its sources, and the loop that handles what they hold.
//!
//! The loop runs in a task beside its host (see `host.rs`); nothing here knows that. All that must outlive a
//! panic lies in [`Body`], not in the loop's future: the message in hand is still in front of its source.

mod hand;
mod shift;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use mycelium_mailbox::{FutureSlot, Interlude, Merge, Pick, Source, Sources, Started, Stop, discard};
use tokio::runtime::Handle;

pub(super) use self::hand::leave;
use self::hand::{Hand, KeptMessage};
use self::shift::{Shift, ShiftEnd};
use super::address::{Address, Member as _};
use super::context::LiveContext;
use super::current::{Current, enter};
use super::fate::{Directive, Fate};
use super::members::MemberSeat;
use super::source::{InSlot, Inlet, SourceDrained, drained};
use super::timers::Timers;
use crate::actor::has_batches;
use crate::life::{Act, Attempts, Happening, Lifecycle, Origin};
use crate::{Actor, Context, StopReason, clock};

/// How many messages an actor handles before it looks at the time (messages). To read our queues consumes
/// nothing of tokio's budget, so nothing else would make it let the other tasks of its thread run.
const SLICE_MESSAGES: u32 = 256;

/// How quick a slice has to be (time) for the actor to go on to the end of its turn.
const SLICE_QUICK: Duration = Duration::from_micros(10);

/// How many messages it handles, if they are quick, before it lets the others run all the same (messages).
const TURN_MESSAGES: u32 = 1024;

/// How many messages one look has to find, so that it is worth while to wait for more (messages).
const STREAM_MESSAGES: u32 = 8;

/// How long an actor on a runtime with several threads waits, awake, for more of a stream before it sleeps
/// (time). A publisher on another thread has written tens of messages by then, and neither pays for a
/// wake-up. An actor that looks without a pause finds them one by one, and takes the queue's cache lines away
/// from the publisher each time.
const LINGER: Duration = Duration::from_micros(1);

/// How many messages an actor handles in one go whose progress its supervisor probes (messages).
const PROBED_MESSAGES: u32 = 16;

/// The place of the direct inbox among the sources.
const DIRECT: usize = 0;

/// One actor with all that belongs to it.
pub(crate) struct Body<A: Actor> {
    /// Empty after its end, and while its fate is decided.
    actor: Option<A>,
    ctx: Context<A>,
    address: Arc<Address<A>>,
    sources: Sources<Inlet<A>>,
    slot: FutureSlot,
    hand: Hand<A>,
    /// What the next life handles before all else.
    kept: Option<Box<KeptMessage<A>>>,
    attempts: Attempts,
    life: Lifecycle,
    /// What it does next.
    act: Act,
    /// Who decides after a life; nobody: it is the end.
    fate: Option<Box<dyn Fate<A>>>,
    seat: MemberSeat,
}

/// How a slice of work ended.
enum SliceWork {
    /// There may be more to do at once.
    More,
    /// Nothing waits any more; so many messages were handled.
    Done(u32),
}

impl<A: Actor> Body<A> {
    /// `sources` begins with the direct inbox.
    pub(crate) fn new(
        actor: A,
        live: LiveContext<A>,
        origin: Origin,
        sources: Sources<Inlet<A>>,
        fate: Option<Box<dyn Fate<A>>>,
        seat: MemberSeat,
    ) -> Box<Self> {
        let address = Arc::clone(&live.address);
        let mut live = live;
        live.readiness = fate.as_ref().and_then(|fate| fate.readiness());
        let attempts = Attempts::new(fate.as_ref().map_or(1, |fate| fate.attempts_max()));
        let life = Lifecycle::new(fate.is_some());
        Box::new(Self {
            actor: Some(actor),
            ctx: Context::live(live, origin),
            address,
            sources,
            slot: FutureSlot::new(),
            hand: Hand::Empty,
            kept: None,
            attempts,
            life,
            act: Act::Begin,
            fate,
            seat,
        })
    }

    /// Whose code runs in here: whoever polls this says so.
    pub(crate) fn current(&mut self) -> Current {
        let Self { ctx, address, .. } = self;
        let mark = ctx.as_live().map_or(0, |live| live.core().topics.mark());
        Current::new(mark, address.id, &**address)
    }

    /// What others see of the actor.
    pub(crate) fn address(&self) -> Arc<Address<A>> {
        Arc::clone(&self.address)
    }

    /// Lives until the actor's end, whatever of it panics. After that call [`finish`](Self::finish).
    pub(crate) async fn live(&mut self) {
        loop {
            let lived = match self.act {
                Act::Finish => return,
                Act::Work | Act::Nothing => StopReason::caught(pin!(self.turns())).await,
                _ => StopReason::caught(pin!(self.pass())).await,
            };
            if let Err(panicked) = lived {
                // It knows that it has to end, or to begin anew: the next round does either.
                self.panicked(&panicked);
            }
        }
    }

    /// Handles messages, and sleeps where there are none, for as long as that is what the actor does.
    async fn turns(&mut self) {
        let mut turn = Turn::new();
        while self.is_at_work() {
            let work = if self.kept.is_some() {
                // Boxed, as it is rare: the task of each actor would keep room for it.
                if !Box::pin(self.retry_kept()).await {
                    continue;
                }
                SliceWork::More
            } else {
                let goes_on = match Shift::new(self, &mut turn).await {
                    ShiftEnd::Over(work) => Err(work),
                    ShiftEnd::Waited(source, drained) => {
                        turn.count(self.settle(source, drained));
                        Ok(self.goes_on_in(&mut turn))
                    }
                    ShiftEnd::Probed(pick) => {
                        turn.count(self.drain_probed(pick, turn.left.max(1)).await);
                        Ok(self.goes_on_in(&mut turn))
                    }
                    ShiftEnd::Timer => {
                        self.handle_timer().await;
                        turn.count(1);
                        turn.timed = true;
                        Ok(self.is_at_work())
                    }
                };
                match goes_on {
                    Ok(true) => continue,
                    Ok(false) => SliceWork::More,
                    Err(work) => work,
                }
            };
            self.end_slice(work).await;
            turn = Turn::new();
        }
    }

    /// Lets others run after a slice, or waits a moment for more.
    async fn end_slice(&mut self, work: SliceWork) {
        if has_batches::<A>() && !matches!(work, SliceWork::Done(0)) && self.is_at_work() {
            self.commit_direct();
            self.end_batch().await;
        }
        match work {
            SliceWork::More => yield_now().await,
            SliceWork::Done(handled) if handled >= STREAM_MESSAGES => {
                self.commit_direct();
                linger().await;
            }
            // It may have failed, or have sent itself more: then others run first.
            SliceWork::Done(1..) => yield_now().await,
            SliceWork::Done(0) => {}
        }
    }

    /// Passes from one life to the next, or towards the end.
    async fn pass(&mut self) {
        match self.act {
            Act::Begin => self.start().await,
            Act::Part { polite } => self.last_words(polite).await,
            Act::Ask => self.ask().await,
            Act::Leave { polite } => {
                let reason = self.life.reason().clone();
                self.leave(&reason);
                self.last_words(polite).await;
            }
            Act::Work | Act::Nothing | Act::Finish => {}
        }
    }

    /// Something has happened to the actor.
    fn happens(&mut self, happening: Happening) {
        match self.life.step(happening) {
            Act::Nothing => {}
            act => self.act = act,
        }
    }

    fn is_at_work(&self) -> bool {
        self.act == Act::Work
    }

    async fn start(&mut self) {
        let supervised = self.fate.is_some();
        let Self { actor: Some(actor), ctx, slot, address, .. } = self else { return };
        let started = {
            let mut starting =
                InSlot::new(move |cx: &mut TaskContext<'_>| slot.start(actor.started(ctx), cx));
            let begun = poll_fn(|cx| Poll::Ready(Pin::new(&mut starting).poll(cx))).await;
            match begun {
                Poll::Ready(started) => Ok(started),
                // Its supervisor may lose its patience.
                Poll::Pending if supervised => address.watch().follow("started", None, starting).await,
                Poll::Pending => Ok(starting.await),
            }
        };
        let started = match started {
            Ok(started) => started,
            Err(given_up) => return self.panicked(&given_up),
        };
        if started.is_ok() {
            self.happens(Happening::Started);
            self.fate.iter_mut().for_each(|fate| fate.started());
        }
        self.look_after(drained(started));
    }

    /// Handles the message in front of a source, which is tried again.
    #[cold]
    async fn drain_front(&mut self, source: usize) {
        let pick = Pick { index: source, below: u64::MAX };
        if source != DIRECT {
            self.commit_direct();
        }
        self.hand = Hand::Source(source);
        if self.address.probed().is_some() {
            self.drain_probed(pick, 1).await;
            return;
        }
        let body = &mut *self;
        let drained = InSlot::new(move |cx: &mut TaskContext<'_>| body.begin(pick, 1, cx)).await;
        self.settle(source, drained);
    }

    /// Has what was handled of the direct inbox take no room in it.
    #[inline]
    fn commit_direct(&mut self) {
        if let Some(direct) = self.sources.get_mut(DIRECT) {
            direct.commit();
        }
    }

    /// Handles what a source holds, seen by the supervisor: how many messages.
    #[cold]
    async fn drain_probed(&mut self, pick: Pick, most: u32) -> u32 {
        let Some(from) = self.sources.get(pick.index) else { return 0 };
        let (message, topic) = (from.front_name().unwrap_or("nothing"), from.topic_name());
        let (address, body) = (Arc::clone(&self.address), &mut *self);
        let draining =
            InSlot::new(move |cx: &mut TaskContext<'_>| body.begin(pick, most.min(PROBED_MESSAGES), cx));
        match address.watch().follow(message, topic, draining).await {
            Ok(drained) => self.settle(pick.index, drained),
            Err(given_up) => {
                self.panicked(&given_up);
                1
            }
        }
    }

    /// Tells the actor that a batch has ended.
    #[cold]
    async fn end_batch(&mut self) {
        let Self { actor: Some(actor), ctx, slot, address, sources, .. } = self else { return };
        let ending = InSlot::new(move |cx: &mut TaskContext<'_>| {
            let started = slot.start(actor.batch_ended(ctx), cx);
            if matches!(started, Started::Parked(_)) {
                sources.commit();
            }
            started
        });
        let ended = match address.probed() {
            None => Ok(ending.await),
            Some(watch) => watch.follow("batch_ended", None, ending).await,
        };
        match ended {
            Ok(ended) => self.look_after(drained(ended)),
            Err(given_up) => self.panicked(&given_up),
        }
    }

    /// What is to be done after each drain.
    #[inline(always)] // As `begin`.
    fn settle(&mut self, source: usize, drained: SourceDrained) -> u32 {
        if drained.is_err() {
            self.look_after_interrupt(drained);
            return 1;
        }
        // First: should a handled message's drop panic in `settle`, the next one is not in hand.
        self.hand = Hand::Empty;
        let handled = self.sources[source].settle();
        self.look_after(Ok(()));
        // At least one, so that a slice ends whatever a source says.
        handled.max(1)
    }

    /// Takes the message of the timer that is due, if there is one, in hand.
    fn take_due(&mut self) -> bool {
        let due = self.timers().and_then(Timers::take_due);
        due.is_some_and(|message| {
            self.hand = Hand::Timer(message);
            true
        })
    }

    /// Handles the message of a timer that is in hand.
    #[cold]
    async fn handle_timer(&mut self) {
        // Its handler may wait.
        self.sources.commit();
        let Self { actor: Some(actor), ctx, slot, address, hand: Hand::Timer(message), .. } = self else {
            return;
        };
        let name = message.name();
        let handling = InSlot::new(move |cx: &mut TaskContext<'_>| message.handle(actor, ctx, slot, cx));
        let result = match address.probed() {
            None => Ok(handling.await),
            Some(watch) => watch.follow(name, None, handling).await,
        };
        let result = match result {
            Ok(result) => result,
            Err(given_up) => return self.panicked(&given_up),
        };
        if result.is_ok() {
            self.hand = Hand::Empty;
        }
        self.look_after(result);
    }

    /// What a handler has left to do: new subscriptions, a stop, an error.
    #[inline]
    fn look_after(&mut self, result: SourceDrained) {
        if result.is_ok() && !self.address.presence.is_called() {
            return;
        }
        self.look_after_interrupt(result);
    }

    #[cold]
    fn look_after_interrupt(&mut self, result: SourceDrained) {
        if let Err(reason) = result {
            self.keep_hand(&reason);
            // No error of a handler is one of these: it was at a gate.
            let stopped = matches!(*reason, StopReason::Normal | StopReason::Shutdown);
            let asked = stopped.then(|| self.address.presence.asked()).flatten();
            return self.happens(asked.map_or_else(|| Happening::by(*reason), Happening::Stop));
        }
        self.address.presence.settle();
        let asked = self.ctx.wants_stop().then_some(Stop::Life);
        self.ctx.apply_changes(&mut self.sources);
        if let Some(stop) = asked.or_else(|| self.address.presence.asked()) {
            self.happens(Happening::Stop(stop));
        }
    }

    /// Lets the actor say its last words, if it is polite.
    async fn last_words(&mut self, polite: bool) {
        let Self { actor, ctx, slot, address, life, .. } = self;
        if let Some(actor) = actor.as_mut().filter(|_| polite) {
            let reason = life.reason();
            let words =
                InSlot::new(move |cx: &mut TaskContext<'_>| slot.start(actor.stopping(reason, ctx), cx));
            match address.probed() {
                None => words.await,
                // Given up, they are over.
                Some(watch) => drop(watch.follow("stopping", None, words).await),
            }
        }
        self.happens(Happening::Said);
    }

    /// Asks what becomes of the actor after a life.
    async fn ask(&mut self) {
        drop(self.actor.take());
        let Self { fate: Some(fate), ctx, address, sources, life, .. } = self else { return };
        // Before it waits: nobody who ends meanwhile gives it something to do.
        ctx.as_live().into_iter().for_each(|live| live.end_life(sources));
        let mut interlude = Interlude::begin(sources, self.kept.is_some());
        let verdict = poll_fn(|cx| {
            // Nor does a notice that was on its way.
            ctx.as_live().into_iter().for_each(|live| live.end_life(sources));
            if interlude.poll(&address.presence, sources, address.inbox.doorbell(), cx) {
                return Poll::Ready(Directive::Stop);
            }
            fate.poll_verdict(life.reason(), cx)
        })
        .await;
        self.address.presence.wake_up();
        match verdict {
            Directive::Stop => self.happens(Happening::NoMore { shut_down: false }),
            Directive::ShutDown => self.happens(Happening::NoMore { shut_down: true }),
            Directive::Restart(fresh) => {
                self.ctx.begin_life(&mut self.sources);
                self.actor = Some(fresh);
                self.happens(Happening::Restart);
            }
        }
    }

    /// A handler or hook has panicked, or was given up.
    fn panicked(&mut self, reason: &StopReason) {
        self.happens(Happening::Broke(reason.clone()));
        self.keep_hand(reason);
    }

    /// The end of the end: nothing of the actor is left but the reason of its end. It may be called twice.
    pub(crate) fn finish(&mut self) {
        // Unless it is over, its code was dropped where it was.
        self.happens(Happening::Killed);
        self.happens(Happening::Said);
        let reason = self.life.reason().clone();
        self.lose_hand(&reason);
        self.leave(&reason);
        self.clear_timers();
        if self.fate.is_none() && self.address.is_alive() {
            self.address.log_failure(&reason);
        }
        // Where it ends with its runtime, nobody else would hear of a destructor that panics, nor of the end.
        discard(self.actor.take());
        // Before it leaves: a shutdown does not wait for those who have left, and this may wait.
        self.address.inbox.doorbell().forget();
        let Some(live) = self.ctx.as_live() else { return self.address.end(reason) };
        live.clear_watches();
        live.forget_interrupt();
        let address = &self.address;
        live.core().leave(self.seat, address.id, address.path.as_deref(), || address.end(reason));
    }

    fn timers(&mut self) -> Option<&mut Timers<A>> {
        self.ctx.as_live()?.timers()
    }

    fn clear_timers(&mut self) {
        if let Some(live) = self.ctx.as_live() {
            live.clear_timers();
        }
    }
}

impl<A: Actor> Drop for Body<A> {
    /// Reached without [`Body::finish`] when the runtime goes down with its tasks, or the actor's drop
    /// panicked.
    fn drop(&mut self) {
        if self.address.is_alive() {
            enter(self.current(), || self.finish());
        }
    }
}

/// How much an actor has worked since it let other tasks run: a slice, a second one by the clock, and then
/// the rest of the turn if that was quick.
struct Turn {
    /// Of this slice, in messages.
    left: u32,
    /// With this slice, in messages.
    granted: u32,
    /// Handled before it last found nothing and did not sleep, as more had come meanwhile (messages).
    before: u32,
    /// Whether the last one was that of a timer.
    timed: bool,
    /// When the first slice had ended.
    since: Option<Instant>,
    /// How often in a row it has looked at links that spin with success.
    looks: u32,
}

impl Turn {
    fn new() -> Self {
        Self { left: SLICE_MESSAGES, granted: SLICE_MESSAGES, before: 0, timed: false, since: None, looks: 0 }
    }

    #[inline]
    fn count(&mut self, messages: u32) {
        self.left -= messages.min(self.left);
    }

    /// How many messages it has handled since it last found nothing.
    fn handled(&self) -> u32 {
        self.granted - self.left - self.before
    }

    /// It has found nothing, and did not sleep: its turn goes on, or messages that come one by one, as fast
    /// as they are handled, would make it one without an end.
    fn looks_again(&mut self) {
        self.before = self.granted - self.left;
    }

    /// Begins the next slice, unless it is time for others.
    fn goes_on(&mut self) -> bool {
        self.left = match self.since {
            None => {
                self.since = Some(clock::monotonic());
                SLICE_MESSAGES
            }
            Some(since) if self.granted < TURN_MESSAGES && since.elapsed() < SLICE_QUICK => {
                TURN_MESSAGES - self.granted
            }
            Some(_) => return false,
        };
        self.granted += self.left;
        true
    }
}

/// Waits a moment for more messages of a stream: idly where other threads may bring them, else by letting
/// others run.
async fn linger() {
    if Handle::try_current().is_ok_and(|runtime| runtime.metrics().num_workers() > 1) {
        clock::spin(LINGER);
    }
    yield_now().await;
}

/// Lets the other tasks of this thread run once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
