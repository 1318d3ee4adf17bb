//! The host of a tree in an isolate: children are seats, and time is the isolate's.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor as pure;
use pure::engine::{Answer, At, Begun, Estate, Host, Left, LifeId, Look, NodeId, ROOT, Report, Seen};
use pure::{CallId, ChildRef, Event, ExitReason, Jitter, Notice, Restart};

use super::child::{Reply, SeatSite, SeatedChild, TreePost, guard};
use crate::isolate::core::IsolateCore;
use crate::isolate::seat::AnySeat;
use crate::sync;
use crate::tree::{Builder, CallError, Health, Launcher, Observer, observe};

/// What the supervisors of one tree have in common, and what users are told of it.
pub(crate) struct Seats {
    core: Weak<IsolateCore>,
    post: Rc<TreePost>,
    observer: Option<Observer>,
    seeds: Jitter,
    /// Who waits for the answer to a call, and whose that is.
    pub(super) replies: BTreeMap<CallId, (NodeId, Reply<pure::Reply<Launcher>>)>,
    /// The child with which the root passed its intensity.
    pub(super) gave_up: Option<Arc<str>>,
    pub(super) ready: bool,
    pub(super) end: Option<ExitReason>,
}

impl Seats {
    pub(super) fn new(core: &Rc<IsolateCore>, post: &Rc<TreePost>, root: &Builder) -> Self {
        Self {
            core: Rc::downgrade(core),
            post: Rc::clone(post),
            observer: root.observer.clone(),
            seeds: Jitter::new(root.seed),
            replies: BTreeMap::new(),
            gave_up: None,
            ready: false,
            end: None,
        }
    }

    pub(super) fn core(&self) -> Option<Rc<IsolateCore>> {
        self.core.upgrade()
    }

    /// The isolate ends: nothing starts any more.
    pub(super) fn leave(&mut self) -> impl Sized + use<> {
        self.core = Weak::new();
        (self.observer.take(), std::mem::take(&mut self.replies))
    }
}

/// Runs code of the child that sits there.
fn call(seat: &Rc<dyn AnySeat>, f: impl FnOnce(&dyn SeatedChild)) {
    guard(&**seat, || _ = seat.as_child().map(f));
}

/// A child that runs.
///
/// In virtual time nobody waits for a turn: a child is stuck when a handler of its has waited for so long, or
/// a service has given no sign of life. So it is looked at once for each of these, at the moment at which it
/// would be stuck, and time does not move for it else.
pub(crate) struct RunningSeat {
    pub(super) seat: Rc<dyn AnySeat>,
    health: Option<Health>,
    /// It was said to be stuck.
    stuck: bool,
}

impl RunningSeat {
    /// When to look at it next. `works`: it has something to do from now on, or makes progress with it.
    pub(super) fn next_look(&self, now: Duration, works: bool) -> Option<Duration> {
        let health = self.health?;
        match self.stuck {
            true => Some(now),
            false => works.then(|| now.saturating_add(health.stuck_after())),
        }
    }

    fn is_at_work(&self) -> bool {
        self.seat.as_child().is_some_and(SeatedChild::is_at_work)
    }
}

impl Host for Seats {
    type Start = Launcher;
    type Body = RunningSeat;
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
            // One that was killed in its backoff has no other life in it.
            Some(Left::Worker(seat)) if !seat.has_ended() => seat,
            _ => {
                let (tells, attempts_max) = (spec.start.tells, spec.start.redelivery.attempts_max());
                let (path, post) = (at.child_path(&spec.id), Rc::clone(&self.post));
                let site = SeatSite { core, post, path: Arc::clone(&path), tells, attempts_max };
                let seat = spec.start.take_seat(site)?;
                self.post.place(path, seat.number());
                seat
            }
        };
        if spec.start.is_source() {
            self.post.sources.borrow_mut().add(&at.child_path(&spec.id));
        }
        let stop_stands = spec.restart != Restart::Permanent;
        call(&seat, |seat| seat.begin_life(LifeId { node: at.node, child }, stop_stands));
        Ok(Begun::Worker(RunningSeat { seat, health: spec.start.health, stuck: false }))
    }

    fn is_same(one: &Launcher, other: &Launcher) -> bool {
        one.is(other)
    }

    fn start_limit(start: &Launcher) -> Option<Duration> {
        start.start_timeout
    }

    fn stop(&mut self, _: LifeId, running: &RunningSeat, for_good: bool) {
        call(&running.seat, |seat| seat.ask_shutdown(for_good));
    }

    fn kill(&mut self, _: LifeId, RunningSeat { seat, .. }: &RunningSeat) -> Option<Duration> {
        guard(&**seat, || seat.kill());
        None
    }

    fn give_up(&mut self, _: LifeId, running: &RunningSeat, verdict: &str) -> Option<Duration> {
        call(&running.seat, |seat| seat.give_up(verdict));
        None
    }

    fn abandon(&mut self, life: LifeId, running: RunningSeat, ended: bool) {
        if !ended {
            self.kill(life, &running);
        }
        call(&running.seat, |seat| seat.retire(false));
    }

    fn release(&mut self, seat: Rc<dyn AnySeat>, asked: bool) {
        call(&seat, |seat| seat.retire(asked));
    }

    fn watch(&mut self, now: Duration, _: LifeId, running: &mut RunningSeat) -> Option<Duration> {
        running.health?;
        let works = running.seat.as_child().is_some_and(SeatedChild::probe);
        running.next_look(now, works)
    }

    fn look(&mut self, now: Duration, life: LifeId, running: &mut RunningSeat) -> Look {
        let Some(health) = running.health else { return Look { next: None, seen: None } };
        if std::mem::take(&mut running.stuck) {
            let next = running.next_look(now, running.is_at_work());
            return Look { next, seen: Some(Seen::Recovered) };
        }
        if !running.is_at_work() {
            return Look { next: None, seen: None };
        }
        running.stuck = true;
        let quiet = health.stuck_after();
        let detail = match running.seat.waiting() {
            Some(waiting) => waiting.to_string(),
            None => "it gives no sign of life".to_owned(),
        };
        let verdict = health.restarts.then(|| {
            let verdict = format!("stuck for {quiet:?}: {detail}");
            self.give_up(life, running, &verdict);
            verdict.into()
        });
        Look { next: None, seen: Some(Seen::Stuck { quiet, detail: detail.into(), verdict }) }
    }

    fn reason(&self, reason: ExitReason, asked: bool) -> ExitReason {
        if asked && reason == ExitReason::Normal { ExitReason::Shutdown } else { reason }
    }

    fn post(&mut self, to: NodeId, report: Report<Self>) {
        if let Report::Event(Event::Started(child)) = &report {
            self.post.starts.started_in(to, *child);
        }
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
        if let Some((_, to)) = self.replies.remove(&call) {
            // The caller may have left.
            sync::answer(to, answer.map_err(CallError::Refused));
        }
    }

    fn forgotten(&mut self, at: &At<'_, Self>, id: &str) {
        self.post.forget(&at.child_path(id));
    }

    fn decided(&mut self, at: &At<'_, Self>) {
        self.post.decided(at);
    }

    fn gone(&mut self, at: &At<'_, Self>) {
        self.post.supervisor_ended(at.path);
        self.replies.retain(|_, (node, _)| *node != at.node);
    }

    fn missed(&mut self, path: Arc<str>) {
        self.post.missed.borrow_mut().add(path);
    }

    fn ready(&mut self) {
        self.ready = true;
    }

    fn ended(&mut self, reason: ExitReason, _: Estate<Self>) {
        self.end = Some(reason);
    }
}
