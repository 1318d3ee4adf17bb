//! A tree of an isolate: its engine, and when the run loop turns to it.
//!
//! It does what `mycelium_supervisor::sim` does with scripted children, with real ones: `actors/tests/isolate_sim.rs` compares
//! the two.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::enter;
use mycelium_supervisor as pure;
use pure::engine::{self, Body, Engine, Estate, Left, LifeId, ROOT, Report};
use pure::{CallId, Event, ExitReason, Strategy};

use super::child::{Post, Told};
use super::seats::Seats;
use crate::Timestamp;
use crate::isolate::RunError;
use crate::isolate::core::Core;
use crate::isolate::feed::AnyFeed;
use crate::isolate::seat::AnySeat;
use crate::tree::{Builder, Launcher, SpecError};

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

struct Run {
    engine: Engine<Seats>,
    seats: Seats,
    post: Rc<Post>,
    /// The isolate's clock when the tree began.
    epoch: i64,
    now: Duration,
    next_call: u64,
}

pub(super) type Answer = engine::Answer<Seats>;

impl TreeRun {
    /// A tree that begins to start when it is tended.
    pub(crate) fn new(core: &Rc<Core>, root: &Builder) -> Result<Rc<Self>, SpecError> {
        let post = Post::new(core);
        let mut seats = Seats::new(core, &post, root);
        let (path, children) = (Arc::clone(&root.id), root.children.clone());
        let engine = Engine::new(&mut seats, path, root.flags, children, true, Estate::new())?;
        let (epoch, now) = (core.now.get(), Duration::ZERO);
        let run = Run { engine, seats, post: Rc::clone(&post), epoch, now, next_call: 0 };
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
        self.run.try_borrow().map(|run| run.seats.missed.clone()).unwrap_or_default()
    }

    /// Begins to stop it.
    pub(crate) fn stop(&self) {
        self.post.report(ROOT, Report::Stop { for_good: true });
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
            let node = run.engine.find(path)?;
            let call = call(run.engine.node(node)?.core().flags().strategy);
            let id = CallId(run.next_call);
            run.next_call += 1;
            (run.seats.asked, run.seats.answer) = (Some(id), None);
            run.post.report(node, Report::Event(Event::Call(id, call)));
            run.drain();
            run.seats.asked = None;
            let answer = run.seats.answer.take();
            // It may have ended before it could take the call in.
            (answer.is_some() || run.engine.node(node).is_some()).then_some(answer)
        };
        self.with_run(core, post).flatten()
    }

    /// The child at a path at this moment.
    pub(super) fn child(&self, path: &str) -> Option<pure::ChildInfo> {
        let run = self.run.try_borrow().ok()?;
        let (above, id) = path.rsplit_once('/')?;
        run.engine.node(run.engine.find(above)?)?.core().child(id)
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
            let observer = run.seats.leave();
            (run.engine.clear(), observer)
        });
        drop(left);
    }

    /// Runs `f`, then deals with whatever was reported.
    fn with_run<R>(&self, core: &Core, f: impl FnOnce(&mut Run) -> R) -> Option<R> {
        // Borrowed: a child's code has come back here. Whoever has it goes on until nothing is reported any more.
        let run = self.run.try_borrow_mut().ok()?;
        // Children's code runs, also where the tree's owner calls.
        enter(&run.seats.core()?, || self.step_run(run, core, f))
    }

    fn step_run<R>(&self, mut run: RefMut<'_, Run>, core: &Core, f: impl FnOnce(&mut Run) -> R) -> Option<R> {
        let since = i128::from(core.now.get()) - i128::from(run.epoch);
        run.now = run.now.max(Duration::from_nanos(u64::try_from(since).unwrap_or(0)));
        let result = f(&mut run);
        run.drain();
        let due = run.next_due();
        let (ready, end) = (run.seats.ready, run.seats.end.clone());
        let gave_up = run.seats.gave_up.clone();
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
        crate::isolate::OUTSIDE
    }

    fn fire(&self, core: &Core, _: i64) -> Option<i64> {
        self.with_run(core, |run| run.engine.fire_due(run.now, &mut run.seats));
        // What comes next is found anew: children have come and gone.
        None
    }
}

impl Run {
    /// Deals with what is reported until nothing is any more.
    fn drain(&mut self) {
        while let Some(told) = self.post.take() {
            let (to, report) = match told {
                Told::Report(to, report) => (to, report),
                Told::Parked(life, reason) => match self.engine.body(life) {
                    Some(Body::Worker(running)) => {
                        (life.node, Report::Left(life.child, reason, Left::Worker(Rc::clone(&running.seat))))
                    }
                    _ => continue,
                },
                Told::AtWork(life) => (life.node, Report::LookAt(life.child, self.next_look(life, true))),
                Told::Rests(life) => (life.node, Report::LookAt(life.child, self.next_look(life, false))),
            };
            self.engine.handle(self.now, &mut self.seats, to, report);
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
        let nanos = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        Some(self.epoch.saturating_add(nanos))
    }
}
