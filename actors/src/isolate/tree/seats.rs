//! The host of a tree in an isolate: children are seats, and time is the isolate's.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor as pure;
use pure::engine::{Answer, At, Begun, Estate, Host, Left, LifeId, NodeId, ROOT, Report};
use pure::{CallId, ChildRef, ExitReason, Jitter, Notice};

use super::child::{Child, Post, Site, guard};
use crate::isolate::core::Core;
use crate::isolate::seat::AnySeat;
use crate::tree::{Builder, Launcher, MISSED_MAX, Observer, observe};

/// What the supervisors of one tree have in common, and what users are told of it.
pub(crate) struct Seats {
    core: Weak<Core>,
    post: Rc<Post>,
    observer: Option<Observer>,
    seeds: Jitter,
    /// The call that somebody waits for, and its answer.
    pub(super) asked: Option<CallId>,
    pub(super) answer: Option<Answer<Self>>,
    pub(super) missed: Vec<Arc<str>>,
    /// The child with which the root passed its intensity.
    pub(super) gave_up: Option<Arc<str>>,
    pub(super) ready: bool,
    pub(super) end: Option<ExitReason>,
}

impl Seats {
    pub(super) fn new(core: &Rc<Core>, post: &Rc<Post>, root: &Builder) -> Self {
        Self {
            core: Rc::downgrade(core),
            post: Rc::clone(post),
            observer: root.observer.clone(),
            seeds: Jitter::new(root.seed),
            asked: None,
            answer: None,
            missed: Vec::new(),
            gave_up: None,
            ready: false,
            end: None,
        }
    }

    pub(super) fn core(&self) -> Option<Rc<Core>> {
        self.core.upgrade()
    }

    /// The isolate ends: nothing starts any more.
    pub(super) fn leave(&mut self) -> Option<Observer> {
        self.core = Weak::new();
        self.observer.take()
    }
}

/// Runs code of the child that sits there.
fn call(seat: &Rc<dyn AnySeat>, f: impl FnOnce(&dyn Child)) {
    guard(&**seat, || _ = seat.as_child().map(f));
}

impl Host for Seats {
    type Start = Launcher;
    type Body = Rc<dyn AnySeat>;
    type Kept = Rc<dyn AnySeat>;

    fn next_seed(&mut self) -> u64 {
        self.seeds.next_u64()
    }

    fn start(
        &mut self,
        at: &At<'_, Self>,
        child: ChildRef,
        spec: &pure::ChildSpec<Launcher>,
        left: &mut Option<Left<Self>>,
    ) -> Result<Begun<Self>, ExitReason> {
        let core = self.core.upgrade().ok_or(ExitReason::Killed)?;
        if let Some(builder) = spec.start.builder() {
            return Ok(Begun::Supervisor { flags: builder.flags, children: builder.children.clone() });
        }
        let seat = match left.take() {
            Some(Left::Worker(seat)) => seat,
            _ => {
                let (tells, attempts_max) = (spec.start.tells, spec.start.in_hand.attempts_max());
                let (path, post) = (at.child_path(&spec.id), Rc::clone(&self.post));
                spec.start.take_seat(Site { core, post, path, tells, attempts_max })?
            }
        };
        call(&seat, |seat| seat.begin_life(LifeId { node: at.node, child }));
        Ok(Begun::Worker(seat))
    }

    fn is_same(one: &Launcher, other: &Launcher) -> bool {
        one.is(other)
    }

    fn start_limit(start: &Launcher) -> Option<Duration> {
        start.start_timeout
    }

    fn stop(&mut self, _: LifeId, seat: &Rc<dyn AnySeat>, for_good: bool) {
        call(seat, |seat| seat.ask_shutdown(for_good));
    }

    fn kill(&mut self, _: LifeId, seat: &Rc<dyn AnySeat>) -> Option<Duration> {
        guard(&**seat, || seat.kill());
        None
    }

    fn give_up(&mut self, _: LifeId, seat: &Rc<dyn AnySeat>, verdict: &str) -> Option<Duration> {
        call(seat, |seat| seat.give_up(verdict));
        None
    }

    fn abandon(&mut self, life: LifeId, seat: Rc<dyn AnySeat>, ended: bool) {
        if !ended {
            self.kill(life, &seat);
        }
        call(&seat, |seat| seat.retire());
    }

    fn release(&mut self, seat: Rc<dyn AnySeat>, _: bool) {
        call(&seat, |seat| seat.retire());
    }

    fn reason(&self, reason: ExitReason, asked: bool) -> ExitReason {
        if asked && reason == ExitReason::Normal { ExitReason::Shutdown } else { reason }
    }

    fn post(&mut self, to: NodeId, report: Report<Self>) {
        self.post.report(to, report);
    }

    fn unheard_ends(&self, node: NodeId) -> BTreeMap<ChildRef, ExitReason> {
        self.post.unheard_ends(node)
    }

    fn notice(&mut self, at: &At<'_, Self>, notice: &Notice) {
        if let (Notice::GaveUp { id }, ROOT) = (notice, at.node) {
            self.gave_up = Some(at.child_path(id));
        }
        observe(at.path, notice, self.observer.as_ref());
    }

    fn reply(&mut self, _: &At<'_, Self>, call: CallId, answer: Answer<Self>) {
        if self.asked == Some(call) {
            self.answer = Some(answer);
        }
    }

    fn missed(&mut self, path: Arc<str>) {
        if self.missed.len() < MISSED_MAX && !self.missed.contains(&path) {
            self.missed.push(path);
        }
    }

    fn ready(&mut self) {
        self.ready = true;
    }

    fn ended(&mut self, reason: ExitReason, _: Estate<Self>) {
        self.end = Some(reason);
    }
}
