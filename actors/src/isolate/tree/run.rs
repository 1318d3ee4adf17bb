//! A tree of an isolate: its engine, and when the run loop turns to it.
//!
//! It does what `mycelium_supervisor::sim` does with scripted children, with real ones:
//! `actors/tests/isolate_sim.rs` compares the two.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use mycelium_mailbox::wake;
use mycelium_supervisor as pure;
use pure::engine::{Body, Engine, Estate, Host, Left, LifeId, NodeId, ROOT, Report};
use pure::{CallId, ChildInfo, Event, ExitReason};

use super::child::{Told, TreeAsk, TreePost, TreeQuestion};
use super::seats::Seats;
use crate::isolate::core::IsolateCore;
use crate::isolate::feed::AnyFeed;
use crate::isolate::seat::AnySeat;
use crate::isolate::steps::enter;
use crate::isolate::{RunError, remember};
use crate::life::MissedMark;
use crate::sync::answer;
use crate::tree::{Builder, CallError, Pools, SourceSeen, SpecError, fitting};
use crate::{PendingRestart, Timestamp};

/// How many lives may end in a row before each further one counts as a step of the run (lives). Large trees
/// shut down so, and groups restart; what goes on is a child that fails in each life.
const ENDS_IN_A_ROW: u32 = 1_024;

/// One tree of an isolate.
pub(crate) struct TreeRun {
    path: Arc<str>,
    post: Rc<TreePost>,
    /// The run loop has it deal with something now.
    of_loop: Cell<bool>,
    /// The isolate's clock when it began.
    epoch: i64,
    /// Among the feeds of the isolate.
    feed: Cell<u64>,
    /// When the tree itself has something to do next.
    due: Cell<Option<i64>>,
    end: RefCell<Option<ExitReason>>,
    ready: Cell<bool>,
    /// Who waits for it to be ready or to end.
    watchers: RefCell<Vec<Waker>>,
    run: RefCell<RunState>,
}

struct RunState {
    engine: Engine<Seats>,
    seats: Seats,
    post: Rc<TreePost>,
    /// The isolate's clock when the tree began.
    epoch: i64,
    now: Duration,
    next_call: u64,
    /// How many ends in a row were dealt with when the run was over.
    ends: u32,
}

impl TreeRun {
    /// A tree that begins to start when it is tended.
    pub(crate) fn new(core: &Rc<IsolateCore>, root: &Builder) -> Result<Rc<Self>, SpecError> {
        let post = TreePost::new(core);
        let mut seats = Seats::new(core, &post, root);
        let (path, children) = (Arc::clone(&root.id), root.children.clone());
        let engine = Engine::new(&mut seats, Arc::clone(&path), root.flags, children, true, Estate::new())?;
        let (epoch, now) = (core.now.get(), Duration::ZERO);
        let run = RunState { engine, seats, post: Rc::clone(&post), epoch, now, next_call: 0, ends: 0 };
        let (feed, due, end, ready, watchers, of_loop) = Default::default();
        let run = RefCell::new(run);
        Ok(Rc::new(Self { path, post, of_loop, epoch, feed, due, end, ready, watchers, run }))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    pub(crate) fn end(&self) -> Option<ExitReason> {
        self.end.borrow().clone()
    }

    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    pub(crate) fn missed(&self) -> Vec<Arc<str>> {
        self.post.missed.borrow().all()
    }

    /// Begins to stop it.
    pub(crate) fn stop(&self) {
        self.post.report(ROOT, Report::Stop { for_good: true });
    }

    /// Deals with what was reported.
    pub(crate) fn tend(&self, core: &IsolateCore) {
        if self.is_told() {
            self.with_run(core, |_| ());
        }
    }

    /// The same by the run loop, between two steps.
    pub(crate) fn tend_in_loop(&self, core: &IsolateCore) {
        self.in_loop(|| self.tend(core));
    }

    /// What this does is done by the run loop.
    fn in_loop(&self, work: impl FnOnce()) {
        self.of_loop.set(true);
        work();
        self.of_loop.set(false);
    }

    /// Whether something is reported that nobody has dealt with.
    pub(in crate::isolate) fn is_told(&self) -> bool {
        !self.post.is_empty()
    }

    /// Its pools.
    pub(in crate::isolate) fn pools(&self) -> &Pools {
        &self.post.pools
    }

    /// The seat that the child at this path took last.
    pub(super) fn place_of(&self, path: &str) -> Option<u32> {
        self.post.place_of(path)
    }

    /// Its number in the isolate.
    pub(in crate::isolate) fn number(&self) -> u64 {
        self.post.number
    }

    /// Kills what is left of it.
    pub(super) fn kill(&self) {
        self.post.tell(Told::Kill);
    }

    /// Asks a supervisor behind all that was told to it. Without an answer, it has ended before that.
    pub(super) fn ask(&self, core: &IsolateCore, asked: TreeAsk) {
        if self.has_ended() {
            return asked.refuse();
        }
        // A supervisor that is not there now is not asked, even if what was reported before brings it back.
        let is_there =
            |run: &RunState| run.engine.find(&asked.path).is_some_and(|node| run.engine.node(node).is_some());
        if self.run.try_borrow().is_ok_and(|run| !is_there(&run)) {
            return asked.refuse();
        }
        if let TreeQuestion::Call(..) = asked.what
            && let Err(itself) = self.check_caller(core, &asked.path)
        {
            return asked.fail(itself);
        }
        self.post.tell(Told::Asked(asked));
        self.tend(core);
    }

    /// Whether the one whose code runs, if it is a child of this tree, may wait for the supervisor at this
    /// path.
    pub(super) fn check_caller(&self, core: &IsolateCore, path: &str) -> Result<(), CallError> {
        let caller = core.seat(core.running.get());
        let caller = caller.as_ref().and_then(|seat| seat.as_child());
        match caller.filter(|child| child.tree() == self.number()) {
            Some(child) => self.post.starts.check(path, &child.path()),
            None => Ok(()),
        }
    }

    /// What the child of this id is doing. A look lets no supervisor do anything. `None`: a child's
    /// code has come here while its supervisor is at work, and may ask it.
    pub(super) fn look(&self, above: &str, id: &str) -> Option<Result<Option<ChildInfo>, CallError>> {
        let run = self.run.try_borrow().ok()?;
        let node = run.engine.find(above).and_then(|node| run.engine.node(node));
        Some(match node {
            Some(node) => Ok(node.core().child(id)),
            None => Err(CallError::NoSupervisor(above.into())),
        })
    }

    /// The children that wait for their restart, by path, at this moment of the isolate.
    pub(super) fn pending_restarts(&self, core: &IsolateCore) -> Vec<PendingRestart> {
        self.post.pending_restarts(self.time(core))
    }

    /// How long ago it began.
    fn time(&self, core: &IsolateCore) -> Duration {
        let since = i128::from(core.now.get()) - i128::from(self.epoch);
        Duration::from_nanos(u64::try_from(since).unwrap_or(0))
    }

    /// Wakes `waker` when it is ready, and when it ends.
    pub(super) fn watch(&self, waker: &Waker) {
        remember(&self.watchers, waker);
    }

    /// The sources that no drain has stopped, in the order of their first starts.
    pub(super) fn sources(&self) -> Vec<SourceSeen> {
        self.post.sources.borrow().all()
    }

    /// A drain has stopped this one: see [`Sources::stopped`](crate::tree::Sources::stopped).
    pub(super) fn source_stopped(&self, seen: &SourceSeen) -> bool {
        self.post.sources.borrow_mut().stopped(seen)
    }

    /// A moment, for [`missed_since`](Self::missed_since).
    pub(in crate::isolate) fn missed_mark(&self) -> MissedMark {
        self.post.missed.borrow().mark()
    }

    pub(in crate::isolate) fn missed_since(&self, mark: MissedMark) -> Vec<Arc<str>> {
        self.post.missed.borrow().since(mark)
    }

    /// Whether its supervisors do something just now.
    pub(super) fn is_at_work(&self) -> bool {
        self.run.try_borrow().is_err()
    }

    /// The seat of the child at a path.
    pub(super) fn seat(&self, path: &str) -> Option<Rc<dyn AnySeat>> {
        let run = self.run.try_borrow().ok()?;
        match run.engine.find_child(path).and_then(|life| run.engine.body(life)) {
            Some(Body::Worker(running)) => Some(Rc::clone(&running.seat)),
            Some(Body::Node(_)) => None,
            None => run.engine.kept(path).map(Rc::clone),
        }
    }

    /// Drops all that is left, at the isolate's end.
    pub(crate) fn clear(&self) {
        self.post.clear();
        self.due.set(None);
        self.end.borrow_mut().get_or_insert(ExitReason::Killed);
        let left = self.run.try_borrow_mut().map(|mut run| {
            let left = run.seats.leave();
            (run.engine.clear(), left)
        });
        drop((left, self.watchers.take()));
    }

    /// Runs `f`, then deals with whatever was reported.
    fn with_run<R>(&self, core: &IsolateCore, f: impl FnOnce(&mut RunState) -> R) -> Option<R> {
        // Borrowed: a child's code has come back here. The code that has it goes on until nothing is reported
        // any more.
        let run = self.run.try_borrow_mut().ok()?;
        // Children's code runs, also where an actor or service calls that runs itself.
        let _caller = core.calls_others();
        enter(&run.seats.core()?, || self.step_run(run, core, f))
    }

    fn step_run<R>(
        &self,
        mut run: RefMut<'_, RunState>,
        core: &IsolateCore,
        f: impl FnOnce(&mut RunState) -> R,
    ) -> Option<R> {
        // Also where `f` panics.
        let of_loop = self.of_loop.take();
        run.now = run.now.max(self.time(core));
        let result = f(&mut run);
        run.drain(core, of_loop);
        let due = run.next_due();
        let (ready, end) = (run.seats.ready, run.seats.end.clone());
        let gave_up = run.seats.gave_up.clone();
        drop(run);
        let is_news = (ready && !self.ready.replace(ready)) | end.is_some();
        if let Some(reason) = end
            && !self.has_ended()
        {
            *self.end.borrow_mut() = Some(reason);
            if let Some(child) = gave_up {
                core.fail(RunError::TreeGaveUp { child, at: Timestamp::from_nanos(core.now.get()) });
            }
            self.post.has_ended();
        }
        if is_news {
            self.watchers.take().into_iter().for_each(wake);
        }
        if self.due.replace(due) != due {
            core.list_feed(self);
        }
        Some(result)
    }
}

/// A tree is due at times of its own, as a feed is: after the actors' timers of that moment.
impl AnyFeed for TreeRun {
    fn number(&self) -> &Cell<u64> {
        &self.feed
    }

    fn at(&self) -> Option<i64> {
        self.due.get()
    }

    fn seat(&self) -> u32 {
        crate::isolate::OUTSIDE
    }

    fn takes_steps(&self) -> bool {
        false
    }

    fn fire(&self, core: &IsolateCore, _: i64) -> Option<i64> {
        self.in_loop(|| _ = self.with_run(core, |run| run.engine.fire_due(run.now, &mut run.seats)));
        // The next one is found anew: children have come and gone.
        None
    }
}

impl RunState {
    /// Deals with what is reported until nothing is any more, or the run is over: children that fail at once
    /// in each life, and are restarted without a backoff, would keep it for ever. `of_loop`: it is the run
    /// loop that has it do so, which may end here, and not code in the midst of a handler.
    fn drain(&mut self, core: &IsolateCore, of_loop: bool) {
        let takes_step = || if of_loop { core.take_step().is_ok() } else { core.takes_step() };
        let mut ends = std::mem::take(&mut self.ends);
        while let Some(told) = self.post.take() {
            ends += u32::from(told.is_end());
            if ends > ENDS_IN_A_ROW && told.is_end() && !takes_step() {
                self.ends = ends - 1;
                if let Told::Parked(life, _) = &told
                    && let Some(Body::Worker(running)) = self.engine.body(*life)
                {
                    // The error names it.
                    core.went_on.set(running.seat.number());
                }
                return self.post.put_back(told);
            }
            let (to, report) = match told {
                Told::Report(to, report) => (to, report),
                Told::Parked(life, reason) => match self.engine.body(life) {
                    Some(Body::Worker(running)) => {
                        (life.node, Report::Left(life.child, reason, Left::Worker(Rc::clone(&running.seat))))
                    }
                    _ => continue,
                },
                Told::Asked(asked) => {
                    self.answer(asked);
                    continue;
                }
                Told::Kill => {
                    self.kill();
                    continue;
                }
                Told::AtWork(life) => (life.node, Report::LookAt(life.child, self.next_look(life, true))),
                Told::Rests(life) => (life.node, Report::LookAt(life.child, self.next_look(life, false))),
            };
            self.engine.handle(self.now, &mut self.seats, to, report);
        }
    }

    fn answer(&mut self, asked: TreeAsk) {
        let found = self.engine.find(&asked.path).and_then(|id| Some((id, self.engine.node(id)?)));
        let Some((node, there)) = found else { return asked.refuse() };
        match asked.what {
            TreeQuestion::Call(call, to) => {
                let call = fitting(*call, there.core().flags().strategy);
                let id = CallId(self.next_call);
                self.next_call += 1;
                self.seats.replies.insert(id, (node, to));
                self.engine.handle(self.now, &mut self.seats, node, Report::Event(Event::Call(id, call)));
            }
            TreeQuestion::Child(id, to) => {
                // The asker may have left.
                answer(to, Ok(there.core().child(&id)));
            }
        }
    }

    /// Ends all at once. Those who had their time in a shutdown have missed it.
    fn kill(&mut self) {
        let mut late = Vec::new();
        self.find_late(ROOT, false, &mut late);
        late.into_iter().for_each(|path| self.seats.missed(path));
        self.engine.kill(&mut self.seats, ROOT);
    }

    fn find_late(&self, node: NodeId, ending: bool, late: &mut Vec<Arc<str>>) {
        let Some(node) = self.engine.node(node) else { return };
        let ending = ending || node.is_ending();
        for child in node.core().lives() {
            match node.body(child) {
                Some(&Body::Node(below)) => self.find_late(below, ending, late),
                Some(Body::Worker(_)) if ending => {
                    let id = node.core().spec(child).map(|spec| Arc::clone(&spec.id));
                    late.extend(id.map(|id| Arc::from(format!("{}/{id}", node.path()))));
                }
                _ => {}
            }
        }
    }

    /// When to look at a probed child.
    fn next_look(&self, life: LifeId, works: bool) -> Option<Duration> {
        match self.engine.body(life)? {
            Body::Worker(running) => running.next_look(self.now, works),
            Body::Node(_) => None,
        }
    }

    /// The earliest time at which the tree itself has something to do, on the isolate's clock.
    fn next_due(&self) -> Option<i64> {
        let at = self.engine.next_due()?.max(self.now);
        Some((Timestamp::from_nanos(self.epoch) + at).as_nanos())
    }
}
