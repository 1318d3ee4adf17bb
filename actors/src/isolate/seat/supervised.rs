//! An actor of an isolate under a supervisor: it has one life after another in the same seat, and its mailbox
//! waits for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use mycelium_mailbox::Stop;
use mycelium_supervisor::engine::LifeId;

use super::{ActorCell, AnySeat, Bundle, Hook};
use crate::isolate::core::Parts;
use crate::isolate::gauge::{Label, PendingHand, count};
use crate::isolate::handle::{IsolateContext, Place};
use crate::isolate::lane::Receive;
use crate::isolate::sub::{HandedMessage, TopicWay};
use crate::isolate::tree::{Factory, GuardedReceiver, Reporter, SeatSite, SeatedChild};
use crate::life::{Attempts, Happening, LifeState, Origin};
use crate::subscription::OnceEach;
use crate::wire::{Kind, WireTopics};
use crate::{Actor, Context, SpawnError, StopReason, Subscriptions};

/// What an actor under a supervisor has besides.
pub(super) struct SeatWard<A: Actor> {
    reporter: Reporter,
    factory: Factory<A>,
    /// What it does not subscribe to, because its pool does.
    once_each: Option<Arc<OnceEach>>,
    /// Its context between two lives.
    spare: RefCell<Option<Context<A>>>,
    lives: Cell<u32>,
    /// `started` has not returned.
    is_new: Cell<bool>,
    /// Whether its supervisor wants to know when it is at work.
    probed: Cell<bool>,
    /// A handler waits.
    at_work: Cell<bool>,
    attempts: RefCell<Attempts>,
    /// What its handler has, if it may be tried again.
    hand: RefCell<Option<Rc<dyn HandedMessage>>>,
    /// Its handler has left the way by which that came.
    has_left_hand: Cell<bool>,
    /// What its next life handles before all else.
    kept: RefCell<Option<(Rc<dyn HandedMessage>, PendingHand)>>,
    /// What it has subscribed to.
    topics: RefCell<Vec<TopicWay>>,
    /// What its life before has, and this one has not asked for yet.
    inherited: RefCell<Vec<TopicWay>>,
    /// Somebody has asked it to stop, and no life has begun since that does not obey.
    was_stopped: Cell<bool>,
    /// No other life comes: it ends as soon as its code has come to a wait or to its end. Whether it was shut
    /// down.
    retired: Cell<Option<bool>>,
}

impl<A: Actor> SeatWard<A> {
    pub(super) fn life(&self) -> u32 {
        self.lives.get()
    }

    pub(super) fn left(&self, way: TopicWay) {
        self.topics.borrow_mut().retain(|other| *other != way);
        let dropped = self.kept.borrow_mut().take_if(|(kept, _)| kept.way() == Some(way));
        if let Some((kept, hand)) = dropped {
            hand.stay_behind();
            drop(kept);
        }
        if self.hand.borrow().as_ref().is_some_and(|hand| hand.way() == Some(way)) {
            self.has_left_hand.set(true);
        }
        self.inherited.borrow_mut().retain(|other| *other != way);
    }

    /// Whether its next life has a message to try again.
    pub(super) fn keeps(&self) -> bool {
        self.kept.borrow().is_some()
    }

    pub(super) fn clear(&self) {
        let mut parts = Parts::new();
        parts.run(|| drop(self.spare.take()));
        parts.run(|| drop((self.hand.take(), self.kept.take())));
        parts.finish();
    }

    /// The message in hand was handled, unless its next life is to try it again.
    fn settle_attempts(&self) {
        if self.kept.borrow().is_none() {
            self.attempts.borrow_mut().settle();
        }
    }

    /// The message that was to be tried again is a dead letter: what it was, and how often it was tried.
    fn lose_kept(&self) -> Option<(Label, u32)> {
        let (kept, hand) = self.kept.take()?;
        let label = hand.die();
        drop(kept);
        Some((label, self.attempts.borrow_mut().settle()))
    }
}

/// Seats an actor under a supervisor; its first life begins when its supervisor says so.
pub(crate) fn seat_actor<A: Actor>(
    site: SeatSite,
    actor: A,
    factory: &Factory<A>,
    once_each: Option<Arc<OnceEach>>,
) -> Result<Rc<dyn AnySeat>, StopReason> {
    let wanted = StopReason::catch(|| Subscriptions::of(&actor))?.wanted;
    let attempts_max = site.attempts_max;
    let core = Rc::clone(&site.core);
    let (index, waker) = core.next_seat();
    let ctx = Context::in_isolate(
        IsolateContext::new(Place::new(&core, index)),
        Origin::Path(Arc::clone(&site.path)),
    );
    let ward = SeatWard {
        reporter: site.reporter(),
        factory: Factory::clone(factory),
        once_each,
        spare: RefCell::default(),
        lives: Cell::new(0),
        is_new: Cell::new(false),
        probed: Cell::new(false),
        at_work: Cell::new(false),
        attempts: RefCell::new(Attempts::new(attempts_max)),
        hand: RefCell::default(),
        has_left_hand: Cell::new(false),
        kept: RefCell::default(),
        topics: RefCell::default(),
        inherited: RefCell::default(),
        was_stopped: Cell::new(false),
        retired: Cell::new(None),
    };
    let seat =
        Rc::new(ActorCell::of(Rc::clone(&core), index, waker, Bundle { actor, ctx }, Some(Box::new(ward))));
    core.add_quiet_seat(Rc::clone(&seat) as Rc<dyn AnySeat>);
    let subscribed =
        || -> Result<(), SpawnError> { wanted.into_iter().try_for_each(|wanted| wanted.in_isolate(&seat)) };
    let failed = match StopReason::catch(subscribed) {
        Ok(Ok(())) => return Ok(seat),
        Ok(Err(error)) => StopReason::of_error(error),
        Err(panicked) => panicked,
    };
    seat.retire(false);
    AnySeat::clear(&*seat);
    Err(failed)
}

impl<A: Actor> ActorCell<A> {
    /// Somebody asks it to stop: if this life does not obey, the next one may.
    pub(crate) fn was_stopped(&self) {
        self.ward.iter().for_each(|ward| ward.was_stopped.set(true));
    }

    /// A way into this actor; under a supervisor, its panics end there.
    pub(super) fn guarded<M: 'static>(
        &self,
        retries: bool,
        to: impl Receive<M> + 'static,
    ) -> Box<dyn Receive<M>> {
        match self.ward {
            None => Box::new(to),
            Some(_) => Box::new(GuardedReceiver::new(to, &self.core, self.index, retries)),
        }
    }

    /// Whether what comes may have to be tried again. `always`: whatever its child says.
    pub(super) fn retries(&self, always: bool) -> bool {
        self.ward.as_ref().is_some_and(|ward| always || ward.attempts.borrow().retry())
    }

    /// The same of what comes now and is handled at once.
    pub(crate) fn takes_in_hand(&self, always: bool) -> bool {
        self.retries(always) && self.is_open.get() && self.is_ready()
    }

    pub(crate) fn take_in_hand(&self, hand: Rc<dyn HandedMessage>) {
        if let Some(ward) = &self.ward {
            ward.has_left_hand.set(false);
            *ward.hand.borrow_mut() = Some(hand);
        }
    }

    /// Its message in hand is done, unless its handler waits or has failed.
    pub(crate) fn lay_down(&self) {
        if let Some(ward) = &self.ward
            && self.is_ready()
        {
            ward.settle_attempts();
            drop(ward.hand.take());
        }
    }

    /// Handles what its last life has failed on, if there is such a message.
    pub(super) fn plays_again(&self) -> bool {
        let Some(kept) = self.ward.as_ref().and_then(|ward| ward.kept.take()) else { return false };
        let (kept, in_hand) = kept;
        if !in_hand.is_marker() {
            count(&self.core.retried);
        }
        drop(in_hand);
        kept.play_again();
        true
    }

    /// Whether its pool leaves the subscription to this message to each worker.
    pub(in crate::isolate) fn is_its_own(&self, kind: Kind) -> Result<(), SpawnError> {
        let Some(ward) = &self.ward else { return Ok(()) };
        let Some(once_each) = &ward.once_each else { return Ok(()) };
        let table = self.core.table.borrow().clone();
        let has = |at: usize| table.known()[at].kind.type_id == kind.type_id;
        let hears = |topics: &WireTopics| topics.among(&table).is_ok_and(|heard| heard.into_iter().any(has));
        once_each.allows::<A>(kind, Some(ward.reporter.path()), hears)
    }

    /// Whether this subscription is there from the life before, and this one asks for it for the first time.
    pub(in crate::isolate) fn inherits(&self, way: TopicWay) -> bool {
        let Some(ward) = &self.ward else { return false };
        let mut inherited = ward.inherited.borrow_mut();
        let at = inherited.iter().position(|other| *other == way);
        at.map(|at| inherited.swap_remove(at)).is_some()
    }

    /// Its next life has this subscription too.
    pub(in crate::isolate) fn has_joined(&self, way: TopicWay) {
        if let Some(ward) = &self.ward {
            ward.topics.borrow_mut().push(way);
        }
    }

    /// It ends, as it was asked, or as one that it depends on has.
    pub(super) fn obey(&self, stop: Stop) {
        let broken = self.failed_dependency.take();
        self.happens(broken.map_or(Happening::Stop(stop), Happening::Failed));
    }

    /// Whether it waits at a gate: a marker is in hand.
    pub(super) fn is_at_gate(&self) -> bool {
        let in_hand = self.hand.take();
        let is_marker = in_hand.as_ref().is_some_and(PendingHand::is_marker);
        self.hand.set(in_hand);
        is_marker
    }

    /// `started` has returned.
    pub(super) fn has_started(&self) {
        if let Some(ward) = &self.ward {
            ward.is_new.set(false);
            ward.reporter.started();
        }
    }

    /// A handler has been polled: it waits, or has returned.
    #[cold]
    pub(super) fn is_seen_at_work(&self, waits: bool) {
        // At a gate it waits for others to finish, and rests.
        let waits = waits && !self.is_at_gate();
        if let Some(ward) = &self.ward
            && ward.at_work.replace(waits) != waits
            && ward.probed.get()
        {
            ward.reporter.does(waits);
        }
    }

    /// A life ends: what its handler has is kept for the next one, or is a dead letter; what is handled is
    /// done with.
    pub(super) fn put_hand_by(&self) {
        let (in_hand, ward) = (self.hand.take(), self.ward.as_deref());
        // A marker is nobody's attempt.
        let again = in_hand
            .as_ref()
            .zip(ward)
            .is_some_and(|(in_hand, ward)| in_hand.is_marker() || ward.attempts.borrow_mut().fail());
        let attempts = || ward.map_or(1, |ward| ward.attempts.borrow_mut().settle());
        match (in_hand, ward.and_then(|ward| Some((ward, ward.hand.take()?)))) {
            (Some(in_hand), Some((ward, hand))) if again && ward.has_left_hand.take() => {
                // As what waited there, it is dropped.
                in_hand.stay_behind();
                drop(hand);
            }
            (Some(in_hand), Some((ward, hand))) if again => {
                *ward.kept.borrow_mut() = Some((hand, in_hand));
            }
            (Some(in_hand), _) => self.lose_hand(in_hand, attempts()),
            (None, _) => {}
        }
        if let Some(ward) = ward {
            ward.settle_attempts();
        }
    }

    /// The message that its next life was to try again is a dead letter: what it was, and how often it was
    /// tried.
    pub(super) fn lose_kept(&self) -> Option<(Label, u32)> {
        self.ward.as_ref()?.lose_kept()
    }

    /// Nothing of this life runs any more: its supervisor decides.
    pub(super) fn ask(&self) {
        self.hook.set(None);
        let Some(ward) = &self.ward else { return };
        if let Some(Bundle { actor, ctx }) = self.stage.take() {
            ward.lives.set(ward.lives.get().wrapping_add(1));
            *ward.spare.borrow_mut() = Some(ctx);
            self.end_own_watches();
            if let Err(panicked) = StopReason::catch(|| drop(actor)) {
                return self.happens(Happening::Broke(panicked));
            }
        }
        match ward.retired.get() {
            // Nobody else would answer.
            Some(shut_down) => self.has_no_more(shut_down),
            None => ward.reporter.parked(&self.reason()),
        }
    }

    /// No other life comes.
    fn has_no_more(&self, shut_down: bool) {
        self.happens(Happening::NoMore { shut_down });
        self.ward.iter().for_each(|ward| ward.clear());
    }

    /// It is over for good.
    pub(super) fn is_gone(&self) {
        if let Some(ward) = &self.ward {
            ward.reporter.gone(&self.reason());
        }
    }
}

impl<A: Actor> SeatedChild for ActorCell<A> {
    fn begin_life(&self, life: LifeId, stop_stands: bool) {
        let Some(ward) = &self.ward else { return };
        ward.reporter.begin(life);
        ward.is_new.set(true);
        ward.probed.set(false);
        ward.at_work.set(false);
        let stands = stop_stands && ward.was_stopped.get();
        ward.was_stopped.set(stands);
        self.stop_asked.set(stands.then_some(Stop::Life));
        self.failed_dependency.take();
        self.kill_asked.set(false);
        if let Some(ctx) = ward.spare.take() {
            match StopReason::catch(&*ward.factory) {
                Ok(actor) => {
                    ward.inherited.borrow_mut().clone_from(&ward.topics.borrow());
                    // Its stage is empty between two lives.
                    let _ = self.stage.put(Bundle { actor, ctx });
                    self.happens(Happening::Restart);
                }
                Err(reason) => {
                    *ward.spare.borrow_mut() = Some(ctx);
                    return self.happens(Happening::Broke(reason));
                }
            }
        }
        self.resume();
        if ward.is_new.get() && self.hook.get() == Some(Hook::Stopping) {
            // Its `started` failed: its supervisor waits.
            self.resume();
        }
    }

    fn ask_shutdown(&self, for_good: bool) {
        self.ask_stop(if for_good { Stop::ForGood } else { Stop::Pause });
        if self.hook.get() == Some(Hook::Stopping) {
            self.resume();
        }
    }

    fn give_up(&self, reason: &str) {
        match self.state() {
            LifeState::Starting | LifeState::Running => {
                self.happens(Happening::Broke(StopReason::Failed(reason.into())));
            }
            // Given up, its last words are over.
            LifeState::Parting => {
                self.stage.cancel();
                self.happens(Happening::Said);
            }
            LifeState::Down | LifeState::Ending | LifeState::Over => {}
        }
    }

    fn lay_down(&self) {
        Self::lay_down(self);
    }

    fn probe(&self) -> bool {
        let Some(ward) = &self.ward else { return false };
        ward.probed.set(true);
        ward.at_work.get()
    }

    fn is_at_work(&self) -> bool {
        self.ward.as_ref().is_some_and(|ward| ward.at_work.get())
    }

    fn tree(&self) -> u64 {
        self.ward.as_ref().map_or(0, |ward| ward.reporter.tree())
    }

    fn path(&self) -> Arc<str> {
        self.ward.as_ref().map_or_else(|| A::name().into(), |ward| Arc::clone(ward.reporter.path()))
    }

    fn says_ready(&self) {
        if let Some(ward) = &self.ward {
            ward.reporter.ready();
        }
    }

    fn retire(&self, shut_down: bool) {
        let Some(ward) = &self.ward else { return };
        ward.reporter.dismiss();
        if self.is_running() {
            // Its own code has brought this about: it goes as soon as that waits, returns or panics, with
            // what it has in hand.
            ward.retired.set(Some(shut_down));
            AnySeat::kill(self);
        } else if !self.has_ended() {
            self.happens(Happening::NoMore { shut_down });
            // Unless it waited for that.
            self.happens(Happening::Killed);
            ward.clear();
        }
    }
}
