//! The shell of a tree in an isolate: it carries out what the pure core decides, in virtual time.
//!
//! It does what `mycelium_supervisor::sim` does with scripted children, with real ones: `actors/tests/isolate_sim.rs` compares
//! the two.

mod ends;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::enter;
use mycelium_supervisor as pure;
use pure::{Action, CallId, ChildRef, Event, ExitReason, Jitter, Notice, Strategy};

use super::child::{Post, Site, Told, guard};
use super::{NodeId, ROOT};
use crate::Timestamp;
use crate::isolate::RunError;
use crate::isolate::core::Core;
use crate::isolate::feed::AnyFeed;
use crate::isolate::seat::AnySeat;
use crate::tree::{Builder, Launcher, Observer, SpecError, observe};

/// One tree of an isolate.
pub(crate) struct TreeRun {
    post: Rc<Post>,
    /// When the tree itself has something to do next.
    due: Cell<Option<i64>>,
    end: RefCell<Option<ExitReason>>,
    ready: Cell<bool>,
    /// Somebody waits for it to be ready or to end.
    pub(super) awaited: Cell<bool>,
    run: RefCell<Run>,
}

pub(super) struct Run {
    core: Weak<Core>,
    post: Rc<Post>,
    observer: Option<Observer>,
    /// The isolate's clock when the tree began.
    epoch: i64,
    now: Duration,
    nodes: BTreeMap<NodeId, Node>,
    next_node: NodeId,
    /// When each supervisor is due to wake, soonest first.
    wakes: BTreeSet<(Duration, NodeId)>,
    /// Until when those who start may take.
    starts: BTreeSet<(Duration, NodeId, ChildRef)>,
    seeds: Jitter,
    next_call: u64,
    /// The call that somebody waits for, and its answer.
    asked: Option<CallId>,
    answer: Option<Answer>,
    missed: Vec<Arc<str>>,
    gave_up: Option<Arc<str>>,
    ready: bool,
    end: Option<ExitReason>,
}

pub(super) type Answer = Result<pure::Reply<Launcher>, pure::CallError>;

/// A supervisor that runs.
struct Node {
    path: Arc<str>,
    supervisor: pure::Supervisor<Launcher>,
    parent: Option<(NodeId, ChildRef)>,
    ready: bool,
    /// Nothing that stops from now on is started again by this supervisor.
    ending: bool,
    wake: Option<Duration>,
    lives: BTreeMap<ChildRef, Life>,
    /// The lives that are starting or stopping.
    busy: BTreeSet<ChildRef>,
    /// Those between two lives.
    parked: BTreeMap<Arc<str>, Parked>,
}

/// A seat whose life is over, and what it was started with: another child of the same id gets nothing of it.
struct Parked {
    from: Launcher,
    seat: Rc<dyn AnySeat>,
}

/// A child that runs.
struct Life {
    id: Arc<str>,
    from: Launcher,
    body: Body,
    /// Told to stop.
    asked: bool,
    starts_by: Option<(Duration, Duration)>,
}

#[derive(Clone)]
enum Body {
    Seat(Rc<dyn AnySeat>),
    Node(NodeId),
}

impl TreeRun {
    /// A tree that begins to start when it is tended.
    pub(crate) fn new(core: &Rc<Core>, root: &Builder) -> Result<Rc<Self>, SpecError> {
        let post = Post::new(core);
        let mut run = Run {
            core: Rc::downgrade(core),
            post: Rc::clone(&post),
            observer: root.observer.clone(),
            epoch: core.now.get(),
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            next_node: ROOT,
            wakes: BTreeSet::new(),
            starts: BTreeSet::new(),
            seeds: Jitter::new(root.seed),
            next_call: 0,
            asked: None,
            answer: None,
            missed: Vec::new(),
            gave_up: None,
            ready: false,
            end: None,
        };
        run.open(None, Arc::clone(&root.id), root)?;
        let (due, end, ready, awaited) = Default::default();
        Ok(Rc::new(Self { post, due, end, ready, awaited, run: RefCell::new(run) }))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    pub(crate) fn end(&self) -> Option<ExitReason> {
        self.end.borrow().clone()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    pub(crate) fn missed(&self) -> Vec<Arc<str>> {
        self.run.try_borrow().map(|run| run.missed.clone()).unwrap_or_default()
    }

    /// Begins to stop it.
    pub(crate) fn stop(&self) {
        self.post.tell(ROOT, Told::Event(Event::Shutdown(ExitReason::Shutdown)));
    }

    /// Deals with what was reported.
    pub(crate) fn tend(&self, core: &Core) {
        if !self.post.is_empty() {
            self.with_run(core, |_| ());
        }
    }

    /// Calls a supervisor. `None`: there is none. `Some(None)`: it cannot answer yet.
    pub(super) fn call(
        &self,
        core: &Core,
        path: &str,
        call: impl FnOnce(Strategy) -> pure::Call<Launcher>,
    ) -> Option<Option<Answer>> {
        let post = |run: &mut Run| {
            let node = run.find_node(path)?;
            let call = call(run.nodes.get(&node)?.supervisor.flags().strategy);
            let id = CallId(run.next_call);
            run.next_call += 1;
            (run.asked, run.answer) = (Some(id), None);
            run.post.tell(node, Told::Event(Event::Call(id, call)));
            run.drain();
            run.asked = None;
            let answer = run.answer.take();
            // It may have ended before it could take the call in.
            (answer.is_some() || run.nodes.contains_key(&node)).then_some(answer)
        };
        self.with_run(core, post).flatten()
    }

    /// The child at a path at this moment.
    pub(super) fn child(&self, path: &str) -> Option<pure::ChildInfo> {
        let run = self.run.try_borrow().ok()?;
        let (above, id) = path.rsplit_once('/')?;
        run.nodes.get(&run.find_node(above)?)?.supervisor.child(id)
    }

    /// The seat of the child at a path.
    pub(super) fn seat(&self, path: &str) -> Option<Rc<dyn AnySeat>> {
        let run = self.run.try_borrow().ok()?;
        let (above, id) = path.rsplit_once('/')?;
        let node = run.nodes.get(&run.find_node(above)?)?;
        let running = node.lives.values().find(|life| &*life.id == id).map(|life| &life.body);
        match running {
            Some(Body::Seat(seat)) => Some(Rc::clone(seat)),
            Some(Body::Node(_)) => None,
            None => node.parked.get(id).map(|parked| Rc::clone(&parked.seat)),
        }
    }

    /// Drops all that is left, at the isolate's end.
    pub(crate) fn clear(&self) {
        self.post.clear();
        self.due.set(None);
        self.end.borrow_mut().get_or_insert(ExitReason::Killed);
        let left = self.run.try_borrow_mut().map(|mut run| {
            run.core = Weak::new();
            (std::mem::take(&mut run.nodes), run.observer.take())
        });
        drop(left);
    }

    /// Runs `f`, then deals with whatever was reported.
    fn with_run<R>(&self, core: &Core, f: impl FnOnce(&mut Run) -> R) -> Option<R> {
        // Borrowed: a child's code has come back here. Whoever has it goes on until nothing is reported any more.
        let run = self.run.try_borrow_mut().ok()?;
        // Children's code runs, also where the tree's owner calls.
        enter(&run.core.upgrade()?, || self.step_run(run, core, f))
    }

    fn step_run<R>(&self, mut run: RefMut<'_, Run>, core: &Core, f: impl FnOnce(&mut Run) -> R) -> Option<R> {
        let since = i128::from(core.now.get()) - i128::from(run.epoch);
        run.now = run.now.max(Duration::from_nanos(u64::try_from(since).unwrap_or(0)));
        let result = f(&mut run);
        run.drain();
        let due = run.next_due();
        let (ready, end) = (run.ready, run.end.clone());
        let gave_up = run.gave_up.clone();
        drop(run);
        if (ready && !self.ready.replace(ready)) | end.is_some() {
            core.pause.set(core.pause.get() || self.awaited.get());
        }
        if let Some(reason) = end
            && !self.has_ended()
        {
            *self.end.borrow_mut() = Some(reason);
            if let Some(child) = gave_up {
                core.fail(RunError::TreeGaveUp { child, at: Timestamp::from_nanos(core.now.get()) });
            }
            // It is forgotten between two events.
            core.signals().raise();
        }
        if self.due.replace(due) != due {
            core.look_at_feeds();
        }
        Some(result)
    }
}

/// A tree is due at times of its own, as a feed is: after the actors' timers of that moment.
impl AnyFeed for TreeRun {
    fn at(&self) -> Option<i64> {
        self.due.get()
    }

    fn seat(&self) -> u32 {
        super::super::OUTSIDE
    }

    fn fire(&self, core: &Core, _: i64) -> Option<i64> {
        self.with_run(core, Run::fire_due);
        // What comes next is found anew: children have come and gone.
        None
    }
}

impl Run {
    /// Begins to start a supervisor.
    fn open(
        &mut self,
        parent: Option<(NodeId, ChildRef)>,
        path: Arc<str>,
        builder: &Builder,
    ) -> Result<NodeId, SpecError> {
        let seed = self.seeds.next_u64();
        let supervisor = pure::Supervisor::new(builder.flags, builder.children.clone(), seed)?;
        let id = self.next_node;
        self.next_node += 1;
        let (lives, busy, parked) = Default::default();
        let (ready, ending, wake) = Default::default();
        self.nodes.insert(id, Node { path, supervisor, parent, ready, ending, wake, lives, busy, parked });
        self.post.tell(id, Told::Event(Event::Init));
        Ok(id)
    }

    /// Steps the supervisors until nothing is reported any more.
    fn drain(&mut self) {
        while let Some((id, told)) = self.post.take() {
            let Some(event) = self.take_in(id, told) else { continue };
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            let mut actions = Vec::new();
            node.supervisor.step(self.now, event, &mut actions);
            let wake = node.supervisor.next_wake();
            let before = std::mem::replace(&mut node.wake, wake);
            before.map(|at| self.wakes.remove(&(at, id)));
            self.wakes.extend(wake.map(|at| (at, id)));
            for action in actions {
                self.act(id, action);
            }
            self.release_parked(id);
        }
    }

    /// What a report means for the supervisor, if it concerns a life that it knows.
    fn take_in(&mut self, id: NodeId, told: Told) -> Option<Event<Launcher>> {
        let (child, reason, stays) = match told {
            Told::Event(Event::Started(child)) => {
                let node = self.nodes.get_mut(&id)?;
                if let Some(life) = node.lives.get_mut(&child) {
                    life.starts_by.take().map(|(at, _)| self.starts.remove(&(at, id, child)));
                    if !life.asked {
                        node.busy.remove(&child);
                    }
                }
                return Some(Event::Started(child));
            }
            Told::Event(Event::Shutdown(reason)) => {
                self.nodes.get_mut(&id)?.ending = true;
                return Some(Event::Shutdown(reason));
            }
            Told::Event(event) => return Some(event),
            Told::Parked(child, reason) => (child, reason, true),
            Told::Gone(child, reason) => (child, reason, false),
        };
        let life = self.take_life(id, child)?;
        let reason = if life.asked && !reason.is_abnormal() { ExitReason::Shutdown } else { reason };
        if let (true, Body::Seat(seat)) = (stays, life.body) {
            self.nodes.get_mut(&id)?.parked.insert(life.id, Parked { from: life.from, seat });
        }
        Some(Event::Exited(child, reason))
    }

    fn take_life(&mut self, id: NodeId, child: ChildRef) -> Option<Life> {
        let node = self.nodes.get_mut(&id)?;
        node.busy.remove(&child);
        let life = node.lives.remove(&child)?;
        life.starts_by.map(|(at, _)| self.starts.remove(&(at, id, child)));
        Some(life)
    }

    fn act(&mut self, id: NodeId, action: Action<Launcher>) {
        match action {
            Action::Start { child, spec } => {
                if let Err(reason) = self.start(id, child, &spec) {
                    self.post.tell(id, Told::Event(Event::StartFailed(child, reason)));
                }
            }
            Action::Stop { child, how } => self.stop(id, child, how),
            Action::Reply(call, reply) => {
                if self.asked == Some(call) {
                    self.answer = Some(reply);
                }
            }
            Action::Notice(notice) => self.notice(id, &notice),
            Action::Ready => {
                let Some(node) = self.nodes.get_mut(&id) else { return };
                node.ready = true;
                match node.parent {
                    Some((parent, child)) => self.post.tell(parent, Told::Event(Event::Started(child))),
                    None => self.ready = true,
                }
            }
            Action::Exit(reason) => self.close(id, reason),
        }
    }

    fn start(
        &mut self,
        id: NodeId,
        child: ChildRef,
        spec: &pure::ChildSpec<Launcher>,
    ) -> Result<(), ExitReason> {
        let Some(core) = self.core.upgrade() else { return Err(ExitReason::Killed) };
        let Some(path) = self.child_path(id, &spec.id) else { return Err(ExitReason::Killed) };
        let parked = self.take_parked(id, spec);
        let body = match (spec.start.builder(), parked) {
            (Some(builder), _) => {
                let opened = self.open(Some((id, child)), path, builder);
                Body::Node(opened.map_err(|error| ExitReason::Abnormal(error.to_string().into()))?)
            }
            (None, Some(seat)) => Body::Seat(seat),
            (None, None) => {
                let (post, tells) = (Rc::clone(&self.post), spec.start.tells);
                let attempts_max = spec.start.in_hand.attempts_max();
                let site = Site { core, post, node: id, tells, attempts_max };
                Body::Seat(spec.start.take_seat(site)?)
            }
        };
        let limit = spec.start.start_timeout;
        let starts_by = limit.and_then(|limit| Some((self.now.checked_add(limit)?, limit)));
        self.starts.extend(starts_by.map(|(at, _)| (at, id, child)));
        let (name, from) = (Arc::clone(&spec.id), spec.start.clone());
        let life = Life { id: name, from, body: body.clone(), asked: false, starts_by };
        if let Some(node) = self.nodes.get_mut(&id) {
            node.busy.insert(child);
            node.lives.insert(child, life);
        }
        if let Body::Seat(seat) = body {
            guard(&*seat, || seat.as_child().iter().for_each(|seat| seat.begin_life(child)));
        }
        Ok(())
    }

    fn notice(&mut self, id: NodeId, notice: &Notice) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if matches!(notice, Notice::GaveUp { .. } | Notice::AutoShutdown { .. }) {
            node.ending = true;
        }
        if let (Notice::GaveUp { id }, None) = (notice, node.parent) {
            self.gave_up = Some(format!("{}/{id}", node.path).into());
        }
        observe(&node.path, notice, self.observer.as_ref());
    }

    /// The earliest time at which the tree itself has something to do, on the isolate's clock.
    fn next_due(&self) -> Option<i64> {
        let wake = self.wakes.first().map(|(at, _)| *at);
        let start = self.starts.first().map(|(at, ..)| *at);
        let at = wake.into_iter().chain(start).min()?.max(self.now);
        let nanos = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        Some(self.epoch.saturating_add(nanos))
    }

    /// Does what is due now: ends one late start, or wakes one supervisor.
    fn fire_due(&mut self) {
        if let Some(&(at, id, child)) = self.starts.first()
            && at <= self.now
        {
            self.starts.remove(&(at, id, child));
            self.end_late_start(id, child);
        } else if let Some(&(at, id)) = self.wakes.first()
            && at <= self.now
        {
            self.post.tell(id, Told::Event(Event::Wake));
        }
    }

    fn child_path(&self, id: NodeId, child: &str) -> Option<Arc<str>> {
        Some(format!("{}/{child}", self.nodes.get(&id)?.path).into())
    }

    /// The supervisor at this path, whatever it is doing.
    fn find_node(&self, path: &str) -> Option<NodeId> {
        let root = self.nodes.get(&ROOT)?;
        let below = path.strip_prefix(&*root.path)?;
        let mut ids = below.split('/');
        if ids.next() != Some("") {
            return None;
        }
        ids.try_fold(ROOT, |node, id| {
            let node = self.nodes.get(&node)?;
            match node.lives.get(&node.supervisor.life(id)?)?.body {
                Body::Node(below) => Some(below),
                Body::Seat(_) => None,
            }
        })
    }
}
