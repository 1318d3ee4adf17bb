//! Where an actor sits in an isolate: its state between messages, and what waits while it is parked.

mod any;
mod supervised;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Lent, Phase, Play, Shared, Stage, Stop, wake};

pub(crate) use self::any::AnySeat;
use self::supervised::SeatWard;
pub(crate) use self::supervised::seat_actor;
use super::Waiting;
use super::core::{EventPlace, IsolateCore, Parts};
use super::gauge::{Gauge, Label, PendingHand};
use super::lane::Receive;
use super::monitors::{TellStep, Watches};
use super::parked::ParkedOrder;
use super::remember;
use super::sub::{Begin, Called, EndBatch, EndStep, HandleStep, ParkedSource, Repeats, Rule, Sub, TopicWay};
use super::tree::SeatedChild;
use super::waits::SeatWait;
use crate::actor::has_batches;
use crate::dead_letters::DeadLetterCause;
use crate::life::{Act, Happening, LifeState, Lifecycle, WatchKind};
use crate::wire::Kind;
use crate::{Actor, Context, Handler, Message, Monitor, SpawnError, StopReason, Subscription};

/// How many there are of each, in the order in which they come first.
fn counted(labels: impl Iterator<Item = Label>) -> Vec<(Label, u64)> {
    let mut counted: Vec<(Label, u64)> = Vec::new();
    for label in labels {
        match counted.iter_mut().find(|(known, _)| *known == label) {
            Some((_, messages)) => *messages += 1,
            None => counted.push((label, 1)),
        }
    }
    counted
}

/// What is asked of an actor of which one has been asked before.
fn stronger(before: Option<Stop>, stop: Stop) -> Stop {
    match (before, stop) {
        (Some(Stop::ForGood), _) => Stop::ForGood,
        (Some(Stop::Pause), Stop::Life) => Stop::Pause,
        _ => stop,
    }
}

/// An actor and its context.
pub(crate) struct Bundle<A: Actor> {
    pub(crate) actor: A,
    pub(crate) ctx: Context<A>,
}

/// Code of an actor besides its handlers that is to run when its seat is resumed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hook {
    Started,
    Stopping,
}

/// How far an actor is with a batch of messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// It has handled nothing since the last one ended.
    None,
    /// The core ends it when nothing waits.
    Open,
    /// The core has found a handler that waits: it ends after that.
    Late,
}

/// One actor of an isolate.
pub(crate) struct ActorCell<A: Actor> {
    pub(crate) core: Rc<IsolateCore>,
    pub(crate) index: u32,
    waker: Waker,
    stage: Stage<Bundle<A>, Result<(), A::Error>>,
    life: RefCell<Lifecycle>,
    /// Whether it handles messages whenever its stage is idle: what its life says.
    is_at_work: Cell<bool>,
    /// Whether it handles what comes at once then: nothing that was retained is to come first. All that each
    /// message looks at.
    is_open: Cell<bool>,
    /// It was asked to stop while its code runs: what its handler returns to looks there.
    looks_back: Cell<bool>,
    hook: Cell<Option<Hook>>,
    /// What a handler of its waits for, while one does.
    wait: Cell<SeatWait>,
    batch: Cell<Batch>,
    /// It is to end so once the handler that runs or waits now, or `started`, has returned.
    stop_asked: Cell<Option<Stop>>,
    /// With that, if the end of one that it depends on has asked.
    failed_dependency: RefCell<Option<StopReason>>,
    pub(crate) parked: ParkedOrder,
    /// The message that a handler has which waits, or has failed.
    hand: Cell<Option<PendingHand>>,
    watchers: RefCell<Vec<Waker>>,
    kill_asked: Cell<bool>,
    pub(crate) watches: RefCell<Option<Box<Watches>>>,
    /// What its supervisor needs; `None`: nobody looks after it.
    ward: Option<Box<SeatWard<A>>>,
}

impl<A: Actor> ActorCell<A> {
    /// Seats an actor; its `started` runs at the first [`AnySeat::resume`].
    pub(crate) fn new(core: Rc<IsolateCore>, index: u32, waker: Waker, actor: A, ctx: Context<A>) -> Self {
        Self::of(core, index, waker, Bundle { actor, ctx }, None)
    }

    fn of(
        core: Rc<IsolateCore>,
        index: u32,
        waker: Waker,
        bundle: Bundle<A>,
        ward: Option<Box<SeatWard<A>>>,
    ) -> Self {
        Self {
            life: RefCell::new(Lifecycle::new(ward.is_some())),
            is_at_work: Cell::new(false),
            is_open: Cell::new(false),
            looks_back: Cell::new(false),
            hook: Cell::new(Some(Hook::Started)),
            ward,
            core,
            index,
            waker,
            stage: Stage::new(bundle),
            wait: Cell::new(SeatWait::Outside),
            batch: Cell::new(Batch::None),
            stop_asked: Cell::new(None),
            failed_dependency: RefCell::default(),
            parked: ParkedOrder::default(),
            hand: Cell::default(),
            watchers: RefCell::default(),
            kill_asked: Cell::new(false),
            watches: RefCell::default(),
        }
    }

    /// Takes the actor out, if none of its code runs or waits and no supervisor counts on it.
    pub(crate) fn take(&self) -> Option<A> {
        if self.ward.is_some() {
            return None;
        }
        let actor = self.stage.take()?.actor;
        self.end_quietly(Happening::Stop(Stop::Life));
        self.core.seat_ended(self.index);
        self.watchers.take().into_iter().for_each(wake);
        self.end_watches();
        self.core.may_be_free(self.index);
        Some(actor)
    }

    /// Calls `f` with the actor, if none of its code runs or waits.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut A) -> R) -> Option<R> {
        let result = self.stage.with(|bundle| f(&mut bundle.actor));
        if self.kill_asked.get() {
            self.kill();
        } else if let Some(stop) = self.stop_asked.get() {
            self.ask_stop(stop);
        }
        result
    }

    /// How many wait for its end.
    #[cfg(test)]
    pub(crate) fn wakers(&self) -> usize {
        self.watchers.borrow().len()
    }

    /// Whether its own code runs now, further up the stack.
    pub(crate) fn is_running(&self) -> bool {
        self.stage.phase() == Phase::Busy
    }

    /// Whether a message can be handled at once.
    fn is_ready(&self) -> bool {
        self.stage.phase() == Phase::Idle && self.is_at_work.get()
    }

    /// Runs a handler, which may park the actor or end it. `false`: the actor is not ready for the message.
    /// `way`: who counts what comes by it, needed only if the handler does not simply return. If it panics,
    /// the caller says [so](Self::has_in_hand).
    #[inline(always)]
    pub(crate) fn play<'g, P, M>(&self, message: Lent<'_, M>, way: impl Fn() -> &'g Rc<Gauge>) -> bool
    where
        P: Play<Bundle<A>, M, Output = Result<(), A::Error>>,
        M: 'static,
    {
        if !self.is_open.get() {
            return false;
        }
        self.core.running.set(self.index);
        let played = self.stage.start::<P, M>(message, &mut TaskContext::from_waker(&self.waker));
        if has_batches::<A>() && played.is_some() {
            self.open_batch();
        }
        // The result of a handler is not put together again here, so that the usual return writes nothing to
        // memory.
        match played {
            Some(Poll::Ready(Ok(()))) => {
                if self.looks_back.get() {
                    self.did_not_simply_return(way(), Poll::Ready(Ok(())));
                }
            }
            Some(Poll::Ready(Err(error))) => self.did_not_simply_return(way(), Poll::Ready(Err(error))),
            Some(Poll::Pending) => self.did_not_simply_return(way(), Poll::Pending),
            None => return false,
        }
        true
    }

    #[cold]
    fn did_not_simply_return(&self, way: &Rc<Gauge>, played: Poll<Result<(), A::Error>>) {
        self.has_in_hand(way);
        self.settle(played);
    }

    /// It has begun to handle a message.
    fn open_batch(&self) {
        if self.batch.get() == Batch::None {
            self.batch.set(Batch::Open);
            self.core.open_batch(self.index);
        }
    }

    /// Notes what a handler has that did not simply return.
    #[cold]
    pub(crate) fn has_in_hand(&self, way: &Rc<Gauge>) {
        self.hand.set(Some(PendingHand::new(way)));
    }

    /// What follows a poll that was more than a handler that simply returned.
    #[cold]
    fn settle(&self, played: Poll<Result<(), A::Error>>) {
        self.wait.set(self.core.take_wait(self.index));
        self.looks_back.set(false);
        if matches!(played, Poll::Ready(Ok(()))) {
            drop(self.hand.take());
        }
        if self.kill_asked.get() {
            return self.kill();
        }
        self.is_seen_at_work(played.is_pending());
        let Poll::Ready(result) = played else { return };
        match (self.state(), result) {
            (LifeState::Parting | LifeState::Ending, _) => return self.happens(Happening::Said),
            (_, Err(error)) => {
                return self.happens(Happening::by(StopReason::of_error(error)));
            }
            (LifeState::Starting, Ok(())) => {
                self.happens(Happening::Started);
                self.has_started();
            }
            (_, Ok(())) => {
                self.lay_down();
                if self.batch.get() == Batch::Late {
                    self.batch.set(Batch::None);
                    self.open_batch();
                }
            }
        }
        self.stop_asked.get().into_iter().for_each(|stop| self.obey(stop));
    }

    fn state(&self) -> LifeState {
        self.life.borrow().state()
    }

    /// Why this life, or the whole, has ended or is about to.
    fn reason(&self) -> StopReason {
        self.life.borrow().reason().clone()
    }

    /// Something has happened to the actor: takes it in, and does what follows.
    fn happens(&self, happening: Happening) {
        let cut_short = matches!(happening, Happening::Broke(_));
        let act = self.life.borrow_mut().step(happening);
        let is_at_work = self.state() == LifeState::Running;
        self.is_at_work.set(is_at_work);
        self.is_open.set(is_at_work && !self.parked.has_given());
        if self.batch.get() == Batch::Late {
            // Its handler does not return any more.
            self.batch.set(Batch::None);
        }
        // Something else than its parked handler has panicked: a key of its subscription, or a destructor.
        if cut_short && self.stage.phase() == Phase::Waiting {
            self.stage.cancel();
        }
        match act {
            Act::Nothing | Act::Work => {}
            Act::Begin => self.hook.set(Some(Hook::Started)),
            Act::Part { polite } => {
                self.put_hand_by();
                self.say_last_words(polite);
            }
            Act::Ask => self.ask(),
            Act::Leave { polite } => {
                self.put_hand_by();
                self.leave();
                self.say_last_words(polite);
            }
            Act::Finish => {
                self.watchers.take().into_iter().for_each(wake);
                self.end_watches();
                self.is_gone();
                self.core.may_be_free(self.index);
            }
        }
    }

    fn say_last_words(&self, polite: bool) {
        self.hook.set(polite.then_some(Hook::Stopping));
        match polite {
            // The run loop goes on with it, so that ends keep the order of events.
            true => self.core.enqueue_resume(self.index),
            false => self.happens(Happening::Said),
        }
    }

    /// It takes part in nothing any more: what waits is dead letters.
    fn leave(&self) {
        let (waiting, kept, reason) = (self.parked.take(), self.lose_kept(), self.reason());
        let bury = |label, lost| self.core.bury((self, self.index), label, lost, reason.clone(), true);
        if let Some((label, attempts)) = kept {
            bury(label, (1, label.lost_in_hand(attempts)));
        }
        for (label, messages) in counted(waiting.iter().map(|from| from.label())) {
            bury(label, (messages, DeadLetterCause::Waiting));
        }
        match self.ward {
            None => self.core.left_alone(A::name(), self.index, self.reason()),
            Some(_) => self.core.seat_ended(self.index),
        }
        waiting.iter().for_each(|source| source.discard());
    }

    /// The message in its handler is nobody's any more.
    fn lose_hand(&self, hand: PendingHand, attempts: u32) {
        let (label, reason) = (hand.die(), self.reason());
        let cut_off = matches!(reason, StopReason::Shutdown | StopReason::Killed);
        let lost = (1, label.lost_in_hand(attempts));
        self.core.bury((self, self.index), label, lost, reason, cut_off);
    }

    /// A message has come after its end. It may have been the last.
    pub(crate) fn lose_late(&self, label: Label) {
        self.core.may_be_free(self.index);
        self.core.bury((self, self.index), label, (1, DeadLetterCause::Waiting), self.reason(), true);
    }

    /// Nobody is to be told of its end.
    fn end_quietly(&self, because: Happening) {
        let mut life = self.life.borrow_mut();
        life.step(because);
        life.step(Happening::Said);
        self.is_at_work.set(false);
        self.is_open.set(false);
    }

    fn begin<P, M>(&self, message: M)
    where
        P: Play<Bundle<A>, M, Output = Result<(), A::Error>>,
        M: 'static,
    {
        self.core.running.set(self.index);
        let message = Shared::of(message);
        let played = self.stage.start::<P, M>(message.lend(), &mut TaskContext::from_waker(&self.waker));
        if let Some(played) = played {
            self.settle(played);
        }
    }

    /// A way into this actor, by which it is called as `P` says.
    pub(crate) fn way_in<M: 'static, P: Called<A, M>>(self: &Rc<Self>, rule: Rule<M>) -> Box<dyn Receive<M>> {
        let retries = self.retries(rule.repeats == Repeats::Always);
        match self.core.is_probed() {
            false => self.guarded(retries, Sub::<A, M, P>::new(self, rule).receiver()),
            true => self.guarded(retries, Sub::<A, M, P::Seen>::new(self, rule).receiver()),
        }
    }

    /// Subscribes this actor to topic `M`.
    pub(crate) fn subscribe<M: Message>(self: &Rc<Self>, how: Subscription<M>) -> Result<(), SpawnError>
    where
        A: Handler<M>,
    {
        let (lane, way) = (self.core.topic::<M>()?, TopicWay::typed(M::TYPE_ID));
        self.is_its_own(Kind::of::<M>())?;
        if let Some(terms) = lane.terms_of(self.index) {
            return match self.inherits(way) || terms == how.terms() {
                true => Ok(()),
                false => Err(SpawnError::AlreadySubscribed { message: M::NAME }),
            };
        }
        let rule = Rule::of_topic(way, &how, &lane.gauge);
        lane.add(self.way_in::<M, HandleStep>(rule), &how);
        self.has_joined(way);
        Ok(())
    }

    /// It has this retained message, and takes it when its place in the order has come: with the next that
    /// comes from behind that, or after all that is queued now.
    pub(super) fn is_given(&self, number: u64, place: EventPlace, from: Rc<dyn ParkedSource>) {
        if self.is_running() && !self.parked.has_given() {
            self.core.enqueue_resume(self.index);
        }
        self.parked.give(number, place, from);
        self.is_open.set(false);
    }

    /// A message has come and waits. If that is for retained messages alone, it has its turn behind them.
    #[cold]
    pub(super) fn catch_up(&self) {
        if self.is_ready() {
            self.go_on();
        }
    }

    /// Handles what waits, as far as its turn has come. A waiting message may park the actor again, or end
    /// it: then the rest goes on waiting, or is gone.
    fn go_on(&self) {
        while self.is_ready() {
            self.is_open.set(true);
            if self.plays_again() {
                continue;
            }
            let Some(next) = self.parked.pop(|place| self.core.has_come_to(place)) else { break };
            next.deliver_waiting();
        }
        if self.parked.has_given() {
            self.is_open.set(false);
        }
    }
}

impl<A: Actor> AnySeat for ActorCell<A> {
    fn resume(&self) {
        if self.stage.phase() == Phase::Waiting {
            self.core.running.set(self.index);
            let played = self.stage.resume(&mut TaskContext::from_waker(&self.waker));
            self.settle(played);
        } else {
            match self.hook.take() {
                Some(Hook::Started) => self.begin::<Begin, ()>(()),
                Some(Hook::Stopping) => self.begin::<EndStep, StopReason>(self.reason()),
                None => {}
            }
        }
        self.go_on();
        if self.parked.has_given() && self.is_ready() {
            self.core.enqueue_resume(self.index);
        }
    }

    fn number(&self) -> u32 {
        self.index
    }

    fn name(&self) -> &'static str {
        A::name()
    }

    fn waiting(&self) -> Option<Waiting> {
        let waits_for = || self.wait.get().told(&self.core);
        let actor = || self.core.identity(self.index, A::name());
        self.is_handling().then(|| Waiting { actor: actor(), waits_for: waits_for() })
    }

    fn is_handling(&self) -> bool {
        self.stage.phase() == Phase::Waiting
    }

    fn has_work(&self) -> bool {
        self.is_handling() || !self.parked.is_empty() || self.ward.as_ref().is_some_and(|ward| ward.keeps())
    }

    fn end_batch(&self) {
        match (self.batch.replace(Batch::None), self.stage.phase()) {
            (Batch::Open, Phase::Waiting) => self.batch.set(Batch::Late),
            (Batch::Open, Phase::Idle) if self.is_at_work.get() => self.begin::<EndBatch, ()>(()),
            _ => {}
        }
    }

    fn end(&self, reason: StopReason) {
        self.core.judge(A::name(), self.index, &reason);
        self.happens(match reason {
            StopReason::Normal => Happening::Stop(Stop::Life),
            StopReason::Shutdown => Happening::Stop(Stop::ForGood),
            StopReason::Killed => Happening::Killed,
            StopReason::Panicked(_) => Happening::Broke(reason),
            StopReason::Failed(_) | StopReason::DependencyEnded(_) | StopReason::NoConnection => {
                Happening::Failed(reason)
            }
        });
    }

    fn ask_stop(&self, stop: Stop) {
        let stop = stronger(self.stop_asked.get(), stop);
        self.stop_asked.set(Some(stop));
        match self.stage.phase() {
            Phase::Idle if self.is_at_work.get() => self.obey(stop),
            // The next life stands there again.
            Phase::Waiting if self.is_at_gate() => {
                self.stage.cancel();
                self.obey(stop);
            }
            // The code that its handler returns to looks there.
            Phase::Busy => self.looks_back.set(true),
            _ => {}
        }
    }

    fn ask_end(&self, reason: StopReason) {
        *self.failed_dependency.borrow_mut() = Some(reason);
        self.ask_stop(Stop::Life);
    }

    fn kill(&self) {
        if self.stage.phase() == Phase::Busy {
            // It kills itself: its handler goes as soon as it waits or returns.
            self.kill_asked.set(true);
            self.looks_back.set(true);
            return;
        }
        self.stage.cancel();
        self.happens(Happening::Killed);
    }

    fn is_over(&self) -> bool {
        self.state() == LifeState::Over
    }

    fn be_watched(&self, monitor: Monitor, tell: TellStep, kind: WatchKind) {
        self.join_watchers(monitor, tell, kind);
    }

    fn be_unwatched(&self, monitor: Monitor) {
        if let Some(watches) = &mut *self.watches.borrow_mut() {
            watches.be_unwatched(monitor);
        }
    }

    fn is_woken_by(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }

    fn watch(&self, waker: &Waker) {
        remember(&self.watchers, waker);
    }

    fn end_reason(&self) -> Option<StopReason> {
        self.has_ended().then(|| self.reason())
    }

    fn has_ended(&self) -> bool {
        matches!(self.state(), LifeState::Ending | LifeState::Over)
    }

    fn life(&self) -> u32 {
        self.ward.as_ref().map_or(0, |ward| ward.life())
    }

    fn left(&self, way: TopicWay) {
        if let Some(ward) = &self.ward {
            ward.left(way);
        }
    }

    fn as_child(&self) -> Option<&dyn SeatedChild> {
        self.ward.as_ref().map(|_| self as &dyn SeatedChild)
    }

    fn has_gone(&self) {
        if self.ward.is_some() {
            drop(self.stage.take());
        }
    }

    fn clear(&self) {
        let mut parts = Parts::new();
        parts.run(|| self.stage.cancel());
        parts.run(|| drop(self.parked.take()));
        parts.run(|| drop(self.stage.take()));
        parts.run(|| self.end_quietly(Happening::Killed));
        parts.run(|| self.ward.iter().for_each(|ward| ward.clear()));
        parts.finish();
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
