//! An actor of an isolate under a supervisor: it has one life after another in the same seat, and its mailbox waits for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mycelium_mailbox::Phase;
use mycelium_supervisor::engine::LifeId;

use super::{AnySeat, Bundle, Life, Seat};
use crate::isolate::core::Core;
use crate::isolate::gauge::{Hand, count};
use crate::isolate::handle::{IsolateContext, Place};
use crate::isolate::lane::Receive;
use crate::isolate::sub::InHand;
use crate::isolate::tree::{Child, Factory, Guarded, Reporter, Site};
use crate::{Actor, Context, SpawnError, StopReason, Subscriptions};

/// What an actor under a supervisor has besides.
pub(super) struct Ward<A: Actor> {
    reporter: Reporter,
    factory: Factory<A>,
    /// Its context between two lives.
    spare: RefCell<Option<Context<A>>>,
    lives: Cell<u32>,
    /// `started` has not returned.
    is_new: Cell<bool>,
    /// Its supervisor wants it to stop: for good, or to come back with its group.
    shutdown: Cell<Option<Stay>>,
    last_end: RefCell<Option<StopReason>>,
    /// How often the handler of one message is tried.
    attempts_max: u32,
    /// What its handler has, if it may be tried again, and how often that has failed before.
    hand: RefCell<Option<Rc<dyn InHand>>>,
    failed: Cell<u32>,
    /// What its next life handles before all else.
    kept: RefCell<Option<(Rc<dyn InHand>, Hand)>>,
    /// What it has subscribed to.
    topics: RefCell<Vec<u16>>,
    /// What its life before has, and this one has not asked for yet.
    inherited: RefCell<Vec<u16>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stay {
    ForGood,
    InPlace,
}

impl<A: Actor> Ward<A> {
    pub(super) fn life(&self) -> u32 {
        self.lives.get()
    }

    pub(super) fn left(&self, topic: u16) {
        self.topics.borrow_mut().retain(|other| *other != topic);
        let dropped = self.kept.borrow_mut().take_if(|(kept, _)| kept.topic() == Some(topic));
        if let Some((kept, hand)) = dropped {
            hand.stay_behind();
            drop(kept);
        }
        self.inherited.borrow_mut().retain(|other| *other != topic);
    }

    pub(super) fn clear(&self) {
        drop(self.spare.take());
        drop((self.hand.take(), self.kept.take()));
    }

    /// A handler has failed: its message is kept for the next life, or it is a dead letter.
    fn keep_hand(&self, core: &Core, in_hand: Hand) {
        let failed = self.failed.take().saturating_add(1);
        match self.hand.take() {
            Some(hand) if failed < self.attempts_max => {
                self.failed.set(failed);
                *self.kept.borrow_mut() = Some((hand, in_hand));
            }
            _ => {
                in_hand.die();
                count(&core.dead_letters);
            }
        }
    }

    /// What was to be tried again is a dead letter; whether there was any.
    pub(super) fn loses_kept(&self) -> bool {
        let Some((kept, hand)) = self.kept.take() else { return false };
        hand.die();
        drop(kept);
        true
    }
}

/// Seats an actor under a supervisor; its first life begins when its supervisor says so.
pub(crate) fn seat_actor<A: Actor>(site: Site, factory: &Factory<A>) -> Result<Rc<dyn AnySeat>, StopReason> {
    let actor = StopReason::catch(&**factory)?;
    let wanted = StopReason::catch(|| Subscriptions::of(&actor))?.wanted;
    let attempts_max = site.attempts_max;
    let core = Rc::clone(&site.core);
    let (index, waker) = core.next_seat();
    let ctx = Context::in_isolate(IsolateContext::new(Place::new(&core, index)));
    let ward = Ward {
        reporter: site.reporter(),
        factory: Factory::clone(factory),
        spare: RefCell::default(),
        lives: Cell::new(0),
        is_new: Cell::new(false),
        shutdown: Cell::new(None),
        last_end: RefCell::default(),
        attempts_max,
        hand: RefCell::default(),
        failed: Cell::new(0),
        kept: RefCell::default(),
        topics: RefCell::default(),
        inherited: RefCell::default(),
    };
    let seat =
        Rc::new(Seat { ward: Some(Box::new(ward)), ..Seat::new(Rc::clone(&core), index, waker, actor, ctx) });
    core.add_quiet_seat(Rc::clone(&seat) as Rc<dyn AnySeat>);
    let subscribed =
        || -> Result<(), SpawnError> { wanted.into_iter().try_for_each(|wanted| wanted.in_isolate(&seat)) };
    let failed = match StopReason::catch(subscribed) {
        Ok(Ok(())) => return Ok(seat),
        Ok(Err(error)) => StopReason::Failed(error.to_string().into()),
        Err(panicked) => panicked,
    };
    seat.retire();
    AnySeat::clear(&*seat);
    Err(failed)
}

impl<A: Actor> Seat<A> {
    /// A way into this actor; under a supervisor, its panics end there.
    pub(crate) fn guarded<M: 'static>(&self, to: impl Receive<M> + 'static) -> Box<dyn Receive<M>> {
        match self.ward {
            None => Box::new(to),
            Some(_) => Box::new(Guarded::new(to, &self.core, self.index, self.retries())),
        }
    }

    fn retries(&self) -> bool {
        self.ward.as_ref().is_some_and(|ward| ward.attempts_max > 1)
    }

    /// Whether what comes now is handled at once, and may have to be tried again.
    pub(crate) fn takes_in_hand(&self) -> bool {
        self.retries() && self.is_ready()
    }

    pub(crate) fn take_in_hand(&self, hand: Rc<dyn InHand>) {
        if let Some(ward) = &self.ward {
            *ward.hand.borrow_mut() = Some(hand);
        }
    }

    /// What it had in hand is done, unless its handler waits or has failed.
    pub(crate) fn lay_down(&self) {
        if let Some(ward) = &self.ward
            && self.is_ready()
        {
            ward.failed.set(0);
            drop(ward.hand.take());
        }
    }

    /// Handles what its last life has failed on, if there is such a message.
    pub(super) fn plays_again(&self) -> bool {
        let Some(kept) = self.ward.as_ref().and_then(|ward| ward.kept.take()) else { return false };
        count(&self.core.retried);
        let (kept, in_hand) = kept;
        drop(in_hand);
        kept.play_again();
        true
    }

    /// Whether this subscription is there from the life before, and this one asks for it for the first time.
    pub(in crate::isolate) fn inherits(&self, topic: u16) -> bool {
        let Some(ward) = &self.ward else { return false };
        let mut inherited = ward.inherited.borrow_mut();
        let at = inherited.iter().position(|other| *other == topic);
        at.map(|at| inherited.swap_remove(at)).is_some()
    }

    /// Its next life has this subscription too.
    pub(in crate::isolate) fn has_joined(&self, topic: u16) {
        if let Some(ward) = &self.ward {
            ward.topics.borrow_mut().push(topic);
        }
    }

    /// `started`, or a handler that had to wait, has returned.
    pub(super) fn has_started(&self) {
        let Some(ward) = &self.ward else { return };
        if ward.is_new.take() {
            ward.reporter.started();
        } else {
            self.lay_down();
        }
    }

    pub(super) fn why_stopped(&self) -> StopReason {
        let shutdown = self.ward.as_ref().is_some_and(|ward| ward.shutdown.get().is_some());
        if shutdown { StopReason::Shutdown } else { StopReason::Normal }
    }

    /// Why this life, or the whole, has ended.
    pub(super) fn why_left(&self) -> StopReason {
        let last = self.ward.as_ref().and_then(|ward| ward.last_end.borrow().clone());
        last.unwrap_or(StopReason::Normal)
    }

    /// Whether an end for this reason is none: it has ended before, or its supervisor decides.
    pub(super) fn goes_on(&self, reason: &StopReason) -> bool {
        let Some(ward) = &self.ward else { return self.has_ended() };
        let phase = self.stage.phase();
        if self.has_ended() {
            // Its last words panicked or were cut short.
            if matches!(reason, StopReason::Panicked(_) | StopReason::Killed) && phase != Phase::Waiting {
                self.life.set(Life::Over);
                self.end_watches();
                ward.reporter.gone(reason);
            }
            return true;
        }
        let for_good = ward.shutdown.get() == Some(Stay::ForGood);
        if *reason == StopReason::Killed || (for_good && !reason.is_abnormal()) {
            return false;
        }
        self.end_life(ward, reason);
        true
    }

    fn end_life(&self, ward: &Ward<A>, reason: &StopReason) {
        if self.life.get() == Life::Down {
            return;
        }
        // Something else than its parked handler has panicked: a key of its subscription, or a destructor.
        if self.stage.phase() == Phase::Waiting {
            self.stage.cancel();
        }
        let first = matches!(self.life.get(), Life::New | Life::Running);
        if first && !ward.is_new.get() {
            self.put_hand_by(ward);
        }
        *ward.last_end.borrow_mut() = Some(reason.clone());
        if first && !matches!(reason, StopReason::Panicked(_)) {
            self.life.set(Life::Leaving);
            // The run loop goes on with it, so that ends keep the order of events.
            self.core.enqueue_resume(self.index);
        } else {
            self.leave_life(ward);
        }
    }

    /// A life ends: what its handler has is kept for the next one, or is a dead letter; what is handled is done with.
    fn put_hand_by(&self, ward: &Ward<A>) {
        if let Some(in_hand) = self.hand.take() {
            ward.keep_hand(&self.core, in_hand);
        } else {
            ward.failed.set(0);
            drop(ward.hand.take());
        }
    }

    /// Nothing of this life runs any more.
    fn leave_life(&self, ward: &Ward<A>) {
        self.life.set(Life::Down);
        ward.lives.set(ward.lives.get().wrapping_add(1));
        let bundle = self.stage.take();
        ward.reporter.parked(&self.why_left());
        self.end_own_watches();
        if let Some(Bundle { actor, ctx }) = bundle {
            *ward.spare.borrow_mut() = Some(ctx);
            // Last: it is the actor's code.
            drop(actor);
        }
    }

    /// `stopping` has returned, or was not to run.
    #[cold]
    pub(super) fn has_said_last_words(&self) {
        match &self.ward {
            Some(ward) if self.life.get() == Life::Left => self.leave_life(ward),
            ward => {
                self.end_watches();
                if let Some(ward) = ward {
                    ward.reporter.gone(&self.end_reason().unwrap_or(StopReason::Killed));
                }
            }
        }
    }
}

impl<A: Actor> Child for Seat<A> {
    fn begin_life(&self, life: LifeId) {
        let Some(ward) = &self.ward else { return };
        ward.reporter.begin(life);
        ward.is_new.set(true);
        ward.shutdown.set(None);
        self.stop_asked.set(false);
        self.kill_asked.set(false);
        if let Some(ctx) = ward.spare.take() {
            match StopReason::catch(&*ward.factory) {
                Ok(actor) => {
                    ward.inherited.borrow_mut().clone_from(&ward.topics.borrow());
                    // Its stage is empty between two lives.
                    let _ = self.stage.put(Bundle { actor, ctx });
                }
                Err(reason) => {
                    *ward.spare.borrow_mut() = Some(ctx);
                    *ward.last_end.borrow_mut() = Some(reason.clone());
                    ward.reporter.parked(&reason);
                    return;
                }
            }
        }
        self.life.set(Life::New);
        self.resume();
        if self.life.get() == Life::Leaving && ward.is_new.get() {
            // Its `started` failed: its supervisor waits.
            self.resume();
        }
    }

    fn ask_shutdown(&self, for_good: bool) {
        let Some(ward) = &self.ward else { return };
        ward.shutdown.set(Some(if for_good { Stay::ForGood } else { Stay::InPlace }));
        self.ask_stop();
        if matches!(self.life.get(), Life::Leaving | Life::Ending) {
            self.resume();
        }
    }

    fn give_up(&self, reason: &str) {
        let Some(ward) = &self.ward else { return };
        if matches!(self.life.get(), Life::Running | Life::Leaving | Life::Left) {
            self.stage.cancel();
            self.put_hand_by(ward);
            *ward.last_end.borrow_mut() = Some(StopReason::Failed(reason.into()));
            self.leave_life(ward);
        }
    }

    fn lay_down(&self) {
        Self::lay_down(self);
    }

    fn says_ready(&self) {
        if let Some(ward) = &self.ward {
            ward.reporter.ready();
        }
    }

    fn retire(&self) {
        let Some(ward) = &self.ward else { return };
        ward.reporter.dismiss();
        if self.has_ended() {
            return;
        }
        self.life.set(Life::Over);
        *self.ended.borrow_mut() = Some(self.why_left());
        let waiting = self.backlog.take();
        let in_hand = self.loses_hand();
        self.core.seat_ended(self.index, waiting.len() as u64 + in_hand);
        waiting.iter().for_each(|source| source.discard());
        self.watchers.take().into_iter().for_each(std::task::Waker::wake);
        self.end_watches();
        ward.clear();
    }
}
