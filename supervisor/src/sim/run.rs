//! The host that runs a tree in virtual time: scripted children under the engine.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Jitter;
use crate::engine::{
    Answer, At, Begun, Body, Engine, Estate, Host, Left, LifeId, Node, NodeId, ROOT, Report,
};
use crate::message::{Call, CallId, ChildRef, ChildStatus, Event, Notice, Reply};
use crate::reason::ExitReason;
use crate::spec::{ChildSpec, SpecError};

use super::{Act, DEPTH_MAX, Entry, Exit, Happening, Plan, STEPS_MAX, Scenario, SimError, Tree};

/// Runs a scenario and hands each line of its trace to `observe`, in order.
///
/// The run ends when the root has ended, or when the script is over and nothing waits any more. `seed` feeds
/// the jitter of backoffs. See the [module](super) for an example.
///
/// # Errors
/// An invalid specification anywhere in the tree, before anything starts; more than [`STEPS_MAX`] steps.
pub fn simulate(scenario: &Scenario, seed: u64, observe: &mut dyn FnMut(&Entry)) -> Result<(), SimError> {
    simulate_while(scenario, seed, &mut |entry| {
        observe(entry);
        ControlFlow::Continue(())
    })
}

/// The same, as long as `observe` goes on: a trace may be very long.
///
/// ```
/// use mycelium_supervisor::sim::{Scenario, SimError, simulate_while};
/// use std::{ops::ControlFlow, time::Duration};
///
/// let scenario = Scenario::parse("[tree]\n[[tree.children]]\nid = \"feed\"\n")?;
/// let ended = simulate_while(&scenario, 0, &mut |_| ControlFlow::Break(()));
/// assert_eq!(ended, Err(SimError::Stopped { at: Duration::ZERO, entry: None }));
/// # Ok::<(), mycelium_supervisor::declare::Mistake>(())
/// ```
///
/// # Errors
/// Those of [`simulate`], and [`SimError::Stopped`].
pub fn simulate_while(
    scenario: &Scenario,
    seed: u64,
    observe: &mut dyn FnMut(&Entry) -> ControlFlow<()>,
) -> Result<(), SimError> {
    check_tree(&scenario.root, &scenario.tree, 1)?;
    let mut script: Vec<_> = scenario.script.iter().enumerate().collect();
    script.sort_by_key(|(_, scripted)| scripted.at);
    let mut run = Run::new(scenario, seed, observe)
        .map_err(|error| SimError::Spec { path: scenario.root.to_string(), error })?;
    let mut script = script.into_iter().peekable();
    loop {
        run.drain()?;
        if run.stage.root_ended {
            return Ok(());
        }
        let scripted = script.peek().map(|(_, scripted)| scripted.at);
        match (run.next_due(), scripted) {
            (None, None) => return Ok(()),
            (Some(due), scripted) if scripted.is_none_or(|at| due <= at) => {
                run.stage.now = run.stage.now.max(due);
                run.fire_due();
            }
            _ => {
                if let Some((number, scripted)) = script.next() {
                    run.entry = Some(number);
                    run.stage.now = run.stage.now.max(scripted.at);
                    run.act(&scripted.act);
                }
            }
        }
    }
}

fn check_tree(path: &str, tree: &Tree, depth: usize) -> Result<(), SimError> {
    if depth > DEPTH_MAX {
        return Err(SimError::TooDeep { path: path.to_owned() });
    }
    crate::spec::check(&tree.flags, &tree.children)
        .map_err(|error| SimError::Spec { path: path.to_owned(), error })?;
    for child in &tree.children {
        if let Some(below) = &child.start.tree {
            check_tree(&format!("{path}/{}", child.id), below, depth + 1)?;
        }
    }
    Ok(())
}

/// A worker that starts, runs or stops.
struct Worker {
    stop_takes: Duration,
    /// Its end is reported.
    over: Cell<bool>,
}

/// What a worker that takes its time comes to.
#[derive(Clone, Copy)]
enum Outcome {
    Started,
    StartFailed,
    Ignored,
    Stopped,
}

/// A call that has no answer yet: where its reply is filed, and the function.
type Asked = (Arc<str>, &'static str);

/// The scripted children, and the trace.
struct Stage<'a> {
    now: Duration,
    queue: VecDeque<(NodeId, Report<Self>)>,
    /// Workers that take their time, soonest first, then in the order in which they began.
    slow: BTreeMap<(Duration, u64), (LifeId, Outcome)>,
    next_slow: u64,
    /// Starts so far, by the address of the plan: every child that shares a plan shares its count.
    starts: BTreeMap<*const super::Behaviour, u32>,
    calls: BTreeMap<NodeId, BTreeMap<CallId, Asked>>,
    seeds: Jitter,
    root: Arc<str>,
    root_ended: bool,
    observe: &'a mut dyn FnMut(&Entry) -> ControlFlow<()>,
    /// Whether the observer wants no more.
    stopped: bool,
}

impl Stage<'_> {
    fn tell(&mut self, path: Arc<str>, what: Happening) {
        if !self.stopped {
            self.stopped = (self.observe)(&Entry { at: self.now, path, what }).is_break();
        }
    }

    /// The worker comes to this outcome, now or later.
    fn take_time(&mut self, life: LifeId, worker: &Worker, takes: Duration, outcome: Outcome) {
        if takes.is_zero() {
            return self.come_to(life, worker, outcome);
        }
        self.next_slow += 1;
        self.slow.insert((self.now.saturating_add(takes), self.next_slow), (life, outcome));
    }

    fn come_to(&mut self, life: LifeId, worker: &Worker, outcome: Outcome) {
        if worker.over.get() {
            return;
        }
        worker.over.set(!matches!(outcome, Outcome::Started));
        let child = life.child;
        let event = match outcome {
            Outcome::Started => Event::Started(child),
            Outcome::StartFailed => Event::StartFailed(child, ExitReason::Abnormal("scripted".into())),
            Outcome::Ignored => Event::Ignored(child),
            Outcome::Stopped => Event::Exited(child, ExitReason::Shutdown),
        };
        self.post(life.node, Report::Event(event));
    }

    fn end(&mut self, life: LifeId, worker: &Worker, reason: ExitReason) {
        if !worker.over.replace(true) {
            self.post(life.node, Report::Event(Event::Exited(life.child, reason)));
        }
    }
}

impl Host for Stage<'_> {
    type Start = Plan;
    type Body = Worker;
    type Kept = Infallible;

    fn next_seed(&mut self) -> u64 {
        self.seeds.next_u64()
    }

    fn start(
        &mut self,
        at: &At<'_, Self>,
        child: ChildRef,
        spec: &ChildSpec<Plan>,
        _: &mut Option<Left<Self>>,
    ) -> Result<Begun<Self>, ExitReason> {
        let plan = &spec.start;
        let count = self.starts.entry(Arc::as_ptr(plan)).or_default();
        *count += 1;
        let mut outcome = Outcome::Started;
        if plan.start_fails.contains(count) {
            outcome = Outcome::StartFailed;
        } else if plan.start_ignores.contains(count) {
            outcome = Outcome::Ignored;
        }
        if let (Some(tree), Outcome::Started) = (&plan.tree, outcome) {
            return Ok(Begun::Supervisor { flags: tree.flags, children: tree.children.clone() });
        }
        let worker = Worker { stop_takes: plan.stop_takes, over: Cell::new(false) };
        let takes = if plan.tree.is_none() { plan.start_takes } else { Duration::ZERO };
        self.take_time(LifeId { node: at.node, child }, &worker, takes, outcome);
        Ok(Begun::Worker(worker))
    }

    fn is_same(one: &Plan, other: &Plan) -> bool {
        Arc::ptr_eq(one, other)
    }

    fn stop(&mut self, life: LifeId, worker: &Worker, _: bool) {
        if !worker.over.get() {
            self.take_time(life, worker, worker.stop_takes, Outcome::Stopped);
        }
    }

    fn kill(&mut self, life: LifeId, worker: &Worker) -> Option<Duration> {
        self.end(life, worker, ExitReason::Killed);
        None
    }

    fn give_up(&mut self, life: LifeId, worker: &Worker, _: &str) -> Option<Duration> {
        self.kill(life, worker)
    }

    fn abandon(&mut self, _: LifeId, _: Worker, _: bool) {}

    fn release(&mut self, kept: Infallible, _: bool) {
        match kept {}
    }

    fn post(&mut self, to: NodeId, report: Report<Self>) {
        self.queue.push_back((to, report));
    }

    fn unheard_ends(&self, node: NodeId) -> BTreeMap<ChildRef, ExitReason> {
        let reports = self.queue.iter().filter(|(to, _)| *to == node);
        // A worker ends once.
        reports
            .filter_map(|(_, report)| report.end().map(|(child, reason)| (child, reason.clone())))
            .collect()
    }

    fn notice(&mut self, at: &At<'_, Self>, notice: &Notice) {
        let what = match notice.clone() {
            Notice::Started { id, .. } => (at.child_path(&id), Happening::Started),
            Notice::StartFailed { id, reason } => (at.child_path(&id), Happening::StartFailed { reason }),
            Notice::Exited { id, reason } => (at.child_path(&id), Happening::Exited { reason }),
            Notice::Stopped { id, killed, reason } => {
                (at.child_path(&id), Happening::Stopped { killed, reason })
            }
            Notice::Waiting { id, backoff, .. } => (at.child_path(&id), Happening::Waiting { backoff }),
            Notice::GaveUp { .. } => (Arc::clone(at.path), Happening::GaveUp),
            Notice::AutoShutdown { .. } => (Arc::clone(at.path), Happening::AutoShutdown),
            // Nobody is stuck in a simulation.
            Notice::Stuck { .. } | Notice::Recovered { .. } => return,
        };
        self.tell(what.0, what.1);
    }

    fn reply(&mut self, at: &At<'_, Self>, call: CallId, answer: Answer<Self>) {
        let asked = self.calls.get_mut(&at.node).and_then(|calls| calls.remove(&call));
        let Some((target, call)) = asked else { return };
        let child = match &answer {
            Ok(Reply::Started(child)) => at.core.spec(*child).map(|spec| at.child_path(&spec.id)),
            _ => None,
        };
        self.tell(target, Happening::Reply { call, result: Some(answer), child });
    }

    fn missed(&mut self, _: Arc<str>) {}

    fn gone(&mut self, at: &At<'_, Self>) {
        for (target, call) in self.calls.remove(&at.node).unwrap_or_default().into_values() {
            self.tell(target, Happening::Reply { call, result: None, child: None });
        }
    }

    fn ready(&mut self) {}

    fn ended(&mut self, reason: ExitReason, _: Estate<Self>) {
        self.root_ended = true;
        self.tell(Arc::clone(&self.root), Happening::RootExited { reason });
    }
}

struct Run<'a> {
    engine: Engine<Stage<'a>>,
    stage: Stage<'a>,
    next_call: u64,
    steps_left: u64,
    /// The entry of the script that was carried out last.
    entry: Option<usize>,
}

impl<'a> Run<'a> {
    fn new(
        scenario: &Scenario,
        seed: u64,
        observe: &'a mut dyn FnMut(&Entry) -> ControlFlow<()>,
    ) -> Result<Self, SpecError> {
        let (queue, slow, starts, calls) = Default::default();
        let (root, seeds) = (Arc::clone(&scenario.root), Jitter::new(seed));
        let mut stage = Stage {
            now: Duration::ZERO,
            queue,
            slow,
            next_slow: 0,
            starts,
            calls,
            seeds,
            root: Arc::clone(&root),
            root_ended: false,
            observe,
            stopped: false,
        };
        let Tree { flags, children } = scenario.tree.clone();
        let engine = Engine::new(&mut stage, root, flags, children, true, Estate::new())?;
        Ok(Self { engine, stage, next_call: 0, steps_left: STEPS_MAX, entry: None })
    }

    fn drain(&mut self) -> Result<(), SimError> {
        loop {
            if self.stage.stopped {
                return Err(SimError::Stopped { at: self.stage.now, entry: self.entry });
            }
            let Some((id, report)) = self.stage.queue.pop_front() else { return Ok(()) };
            self.steps_left = self.steps_left.checked_sub(1).ok_or(SimError::TooManySteps)?;
            self.engine.handle(self.stage.now, &mut self.stage, id, report);
        }
    }

    /// The earliest time at which the tree itself has something to do, not before now.
    fn next_due(&self) -> Option<Duration> {
        let slow = self.stage.slow.first_key_value().map(|((at, _), _)| *at);
        slow.into_iter().chain(self.engine.next_due()).min().map(|at| at.max(self.stage.now))
    }

    /// Does what is due now: one worker's start or stop is over, or one supervisor wakes.
    fn fire_due(&mut self) {
        if let Some(slow) = self.stage.slow.first_entry()
            && slow.key().0 <= self.stage.now
        {
            let (life, outcome) = slow.remove();
            if let Some(Body::Worker(worker)) = self.engine.body(life) {
                self.stage.come_to(life, worker, outcome);
            }
        } else {
            self.engine.fire_due(self.stage.now, &mut self.stage);
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Exit { path, exit } => self.exit(path, *exit),
            Act::Call { supervisor, target, call } => self.call(supervisor, target, call),
            Act::Start { supervisor, target, calls } => self.start_as(supervisor, target, calls),
            Act::Burst(acts) => {
                let before = self.stage.queue.len();
                acts.iter().for_each(|act| self.act(act));
                // All of it is there when a busy supervisor sees what it waits for.
                let burst = self.stage.queue.split_off(before);
                let (awaited, mail): (Vec<_>, Vec<_>) = burst.into_iter().partition(|it| self.is_awaited(it));
                self.stage.queue.extend(mail.into_iter().chain(awaited));
            }
        }
    }

    /// Whether the supervisor is starting or stopping the child that this is about.
    fn is_awaited(&self, (id, report): &(NodeId, Report<Stage<'a>>)) -> bool {
        let Report::Event(Event::Exited(child, _)) = report else { return false };
        let Some(core) = self.engine.node(*id).map(Node::core) else { return false };
        let info = core.spec(*child).and_then(|spec| core.child(&spec.id));
        info.is_some_and(|info| !matches!(info.status, ChildStatus::Running(_)))
    }

    fn exit(&mut self, path: &str, exit: Exit) {
        if *self.stage.root == *path {
            return self.exit_supervisor(ROOT, exit);
        }
        let life = self.engine.find_child(path);
        match life.and_then(|life| Some((life, self.engine.body(life)?))) {
            Some((_, &Body::Node(below))) => self.exit_supervisor(below, exit),
            Some((life, Body::Worker(worker))) if !worker.over.get() => {
                self.stage.end(life, worker, exit.reason());
            }
            _ => self.stage.tell(path.into(), Happening::Skipped),
        }
    }

    fn exit_supervisor(&mut self, id: NodeId, exit: Exit) {
        match exit {
            Exit::Kill => self.engine.kill(&mut self.stage, id),
            _ => self.stage.post(id, Report::Event(Event::Shutdown(exit.reason()))),
        }
    }

    fn call(&mut self, supervisor: &str, target: &str, call: &Call<Plan>) {
        let name = call_name(call);
        let Some(id) = self.engine.find(supervisor).filter(|id| self.engine.node(*id).is_some()) else {
            return self
                .stage
                .tell(target.into(), Happening::Reply { call: name, result: None, child: None });
        };
        self.next_call += 1;
        let call_id = CallId(self.next_call);
        self.stage.calls.entry(id).or_default().insert(call_id, (target.into(), name));
        self.stage.post(id, Report::Event(Event::Call(call_id, call.clone())));
    }

    /// Asks the supervisor that runs at this path for a child, in the way that is meant for it.
    fn start_as(&mut self, path: &str, target: &str, calls: &[(Option<Plan>, Call<Plan>)]) {
        let node = self.engine.find(path).and_then(|id| self.engine.node(id));
        let template =
            node.and_then(|node| node.core().template()).map(|template| Arc::as_ptr(&template.start));
        let meant = calls.iter().find(|(of, _)| of.as_ref().map(Arc::as_ptr) == template);
        if let Some((_, call)) = meant.or(calls.first()) {
            self.call(path, target, call);
        }
    }
}

/// The name of OTP's function for a call.
fn call_name(call: &Call<Plan>) -> &'static str {
    match call {
        Call::StartChild(_) | Call::StartInstance { .. } => "start_child",
        Call::TerminateChild(_) => "terminate_child",
        Call::RestartChild(_) => "restart_child",
        Call::DeleteChild(_) => "delete_child",
        Call::WhichChildren => "which_children",
        Call::CountChildren => "count_children",
        Call::ChildSpec(_) => "get_childspec",
    }
}
