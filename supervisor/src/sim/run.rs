//! The shell that runs a tree in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Jitter;
use crate::message::{Action, Call, CallId, ChildRef, ChildStatus, Event, Notice, Reply, StopHow};
use crate::reason::ExitReason;
use crate::spec::ChildSpec;
use crate::supervisor::Supervisor;

use super::{Act, DEPTH_MAX, Entry, Exit, Happening, Plan, STEPS_MAX, Scenario, SimError, Tree};

/// Runs a scenario and hands each line of its trace to `observe`, in order.
///
/// The run ends when the root has ended, or when the script is over and nothing waits any more. `seed` feeds the jitter
/// of backoffs. See the [module](super) for an example.
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
    let mut run = Run::new(seed, observe);
    run.open(None, scenario.root.clone(), &scenario.tree)
        .map_err(|error| SimError::Spec { path: scenario.root.to_string(), error })?;
    let mut script = script.into_iter().peekable();
    loop {
        run.drain()?;
        if run.root_ended {
            return Ok(());
        }
        let scripted = script.peek().map(|(_, scripted)| scripted.at);
        match (run.next_due(), scripted) {
            (None, None) => return Ok(()),
            (Some(due), scripted) if scripted.is_none_or(|at| due <= at) => {
                run.now = run.now.max(due);
                run.fire_due();
            }
            _ => {
                if let Some((number, scripted)) = script.next() {
                    run.entry = Some(number);
                    run.now = run.now.max(scripted.at);
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

/// A supervisor that runs, by a number that is never used twice.
type NodeId = u64;

const ROOT: NodeId = 0;

struct Node {
    path: Arc<str>,
    supervisor: Supervisor<Plan>,
    parent: Option<(NodeId, ChildRef)>,
    ready: bool,
    /// What `wakes` says of it.
    wake: Option<(Duration, u64)>,
    lives: BTreeMap<ChildRef, Life>,
    /// The calls that it has not answered: where their replies are filed, and the function.
    calls: BTreeMap<CallId, (Arc<str>, &'static str)>,
}

/// A child that starts, runs or stops.
struct Life {
    stop_takes: Duration,
    /// Present for a child that is a supervisor.
    node: Option<NodeId>,
}

/// What a worker that takes its time comes to.
#[derive(Clone, Copy)]
enum Outcome {
    Started,
    StartFailed,
    Ignored,
    Stopped,
}

struct Run<'a> {
    now: Duration,
    nodes: BTreeMap<NodeId, Node>,
    next_node: NodeId,
    queue: VecDeque<(NodeId, Event<Plan>)>,
    /// When each supervisor is due to wake, soonest first, then in the order in which that was set; a run may have very many.
    wakes: BTreeMap<(Duration, u64), NodeId>,
    next_wake: u64,
    /// Workers that take their time, soonest first, then in the order in which they began.
    slow: BTreeMap<(Duration, u64), (NodeId, ChildRef, Outcome)>,
    next_slow: u64,
    /// Starts so far, by the address of the plan: every child that shares a plan shares its count.
    starts: BTreeMap<*const super::Behaviour, u32>,
    next_call: u64,
    seeds: Jitter,
    steps: u64,
    root_ended: bool,
    observe: &'a mut dyn FnMut(&Entry) -> ControlFlow<()>,
    /// Whether the observer wants no more.
    stopped: bool,
    /// The entry of the script that was carried out last.
    entry: Option<usize>,
}

impl<'a> Run<'a> {
    fn new(seed: u64, observe: &'a mut dyn FnMut(&Entry) -> ControlFlow<()>) -> Self {
        Self {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            next_node: ROOT,
            queue: VecDeque::new(),
            wakes: BTreeMap::new(),
            next_wake: 0,
            slow: BTreeMap::new(),
            next_slow: 0,
            starts: BTreeMap::new(),
            next_call: 0,
            seeds: Jitter::new(seed),
            steps: 0,
            root_ended: false,
            observe,
            stopped: false,
            entry: None,
        }
    }

    fn tell(&mut self, path: Arc<str>, what: Happening) {
        if !self.stopped {
            self.stopped = (self.observe)(&Entry { at: self.now, path, what }).is_break();
        }
    }

    /// Begins to start a supervisor.
    fn open(
        &mut self,
        parent: Option<(NodeId, ChildRef)>,
        path: Arc<str>,
        tree: &Tree,
    ) -> Result<NodeId, crate::SpecError> {
        let supervisor = Supervisor::new(tree.flags, tree.children.clone(), self.seeds.next_u64())?;
        let id = self.next_node;
        self.next_node += 1;
        let (lives, calls) = Default::default();
        self.nodes.insert(id, Node { path, supervisor, parent, ready: false, wake: None, lives, calls });
        self.queue.push_back((id, Event::Init));
        Ok(id)
    }

    fn drain(&mut self) -> Result<(), SimError> {
        let mut actions = Vec::new();
        loop {
            if self.stopped {
                return Err(SimError::Stopped { at: self.now, entry: self.entry });
            }
            let Some((id, event)) = self.queue.pop_front() else { return Ok(()) };
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(SimError::TooManySteps);
            }
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            node.supervisor.step(self.now, event, &mut actions);
            let wake = node.supervisor.next_wake();
            if node.wake.map(|(at, _)| at) != wake {
                self.next_wake += 1;
                let wake = wake.map(|at| (at, self.next_wake));
                let before = std::mem::replace(&mut node.wake, wake);
                before.map(|wake| self.wakes.remove(&wake));
                self.wakes.extend(wake.map(|wake| (wake, id)));
            }
            for action in actions.drain(..) {
                self.perform(id, action);
            }
        }
    }

    fn perform(&mut self, id: NodeId, action: Action<Plan>) {
        match action {
            Action::Start { child, spec } => self.start(id, child, &spec),
            Action::Stop { child, how } => self.stop(id, child, how),
            Action::Reply(call, result) => {
                let asked = self.nodes.get_mut(&id).and_then(|node| node.calls.remove(&call));
                if let Some((target, call)) = asked {
                    let child = match &result {
                        Ok(Reply::Started(child)) => self.live_path(id, *child),
                        _ => None,
                    };
                    self.tell(target, Happening::Reply { call, result: Some(result), child });
                }
            }
            Action::Notice(notice) => self.notice(id, notice),
            Action::Ready => {
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.ready = true;
                    if let Some((parent, child)) = node.parent {
                        self.queue.push_back((parent, Event::Started(child)));
                    }
                }
            }
            Action::Exit(reason) => self.close(id, reason),
        }
    }

    fn start(&mut self, id: NodeId, child: ChildRef, spec: &ChildSpec<Plan>) {
        let plan = &spec.start;
        let count = self.starts.entry(Arc::as_ptr(plan)).or_default();
        *count += 1;
        let mut outcome = Outcome::Started;
        if plan.start_fails.contains(count) {
            outcome = Outcome::StartFailed;
        } else if plan.start_ignores.contains(count) {
            outcome = Outcome::Ignored;
        }
        let mut below = None;
        if let (Some(tree), Outcome::Started) = (&plan.tree, outcome) {
            let path = self.child_path(id, &spec.id);
            match self.open(Some((id, child)), path, tree) {
                Ok(node) => below = Some(node),
                Err(error) => {
                    let reason = ExitReason::Abnormal(format!("start_spec: {error}").into());
                    self.queue.push_back((id, Event::StartFailed(child, reason)));
                    return;
                }
            }
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.lives.insert(child, Life { stop_takes: plan.stop_takes, node: below });
        }
        if below.is_none() {
            let takes = if plan.tree.is_none() { plan.start_takes } else { Duration::ZERO };
            self.take_time(id, child, takes, outcome);
        }
    }

    /// The worker comes to this outcome, now or later.
    fn take_time(&mut self, id: NodeId, child: ChildRef, takes: Duration, outcome: Outcome) {
        if takes.is_zero() {
            return self.come_to(id, child, outcome);
        }
        self.next_slow += 1;
        self.slow.insert((self.now.saturating_add(takes), self.next_slow), (id, child, outcome));
    }

    fn come_to(&mut self, id: NodeId, child: ChildRef, outcome: Outcome) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if !node.lives.contains_key(&child) {
            return;
        }
        let event = match outcome {
            Outcome::Started => Event::Started(child),
            Outcome::StartFailed => Event::StartFailed(child, ExitReason::Abnormal("scripted".into())),
            Outcome::Ignored => Event::Ignored(child),
            Outcome::Stopped => Event::Exited(child, ExitReason::Shutdown),
        };
        if !matches!(outcome, Outcome::Started) {
            node.lives.remove(&child);
        }
        self.queue.push_back((id, event));
    }

    fn stop(&mut self, id: NodeId, child: ChildRef, how: StopHow) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(life) = node.lives.get(&child) else { return };
        match (how, life.node) {
            (StopHow::Shutdown, Some(below)) => {
                self.queue.push_back((below, Event::Shutdown(ExitReason::Shutdown)));
            }
            (StopHow::Shutdown, None) => {
                let takes = life.stop_takes;
                self.take_time(id, child, takes, Outcome::Stopped);
            }
            (StopHow::Kill, below) => {
                if let Some(below) = below {
                    self.kill_below(below);
                }
                self.end_worker(id, child, ExitReason::Killed);
            }
        }
    }

    fn end_worker(&mut self, id: NodeId, child: ChildRef, reason: ExitReason) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.lives.remove(&child);
            self.queue.push_back((id, Event::Exited(child, reason)));
        }
    }

    /// Takes a supervisor out of the run. Those whose calls it leaves unanswered are told.
    fn remove(&mut self, id: NodeId) -> Option<Node> {
        let mut node = self.nodes.remove(&id)?;
        node.wake.map(|wake| self.wakes.remove(&wake));
        for (target, call) in std::mem::take(&mut node.calls).into_values() {
            self.tell(target, Happening::Reply { call, result: None, child: None });
        }
        Some(node)
    }

    /// A supervisor is killed: all below it ends with it, last started first.
    fn kill_below(&mut self, id: NodeId) {
        let Some(mut node) = self.remove(id) else { return };
        let lives: Vec<ChildRef> = node.supervisor.lives().collect();
        for child in lives {
            let what = match node.lives.remove(&child) {
                Some(life) => {
                    if let Some(below) = life.node {
                        self.kill_below(below);
                    }
                    Happening::Stopped { killed: true, reason: ExitReason::Killed }
                }
                // It has ended before, and its supervisor will not hear of it any more.
                None => match self.unheard_exit(id, child) {
                    Some(reason) => Happening::Exited { reason },
                    None => continue,
                },
            };
            let Some(spec) = node.supervisor.spec(child) else { continue };
            let status = node.supervisor.child(&spec.id).map(|child| child.status);
            // One that was starting: nobody was told that it ran.
            if status != Some(ChildStatus::Starting) {
                self.tell(format!("{}/{}", node.path, spec.id).into(), what);
            }
        }
    }

    fn unheard_exit(&self, id: NodeId, child: ChildRef) -> Option<ExitReason> {
        self.queue.iter().find_map(|(to, event)| match event {
            Event::Exited(who, reason) if (*to, *who) == (id, child) => Some(reason.clone()),
            _ => None,
        })
    }

    /// A supervisor has ended.
    fn close(&mut self, id: NodeId, reason: ExitReason) {
        let Some(node) = self.remove(id) else { return };
        let Some((parent, child)) = node.parent else {
            self.root_ended = true;
            self.tell(node.path, Happening::RootExited { reason });
            return;
        };
        if let Some(node) = self.nodes.get_mut(&parent) {
            node.lives.remove(&child);
        }
        let event = if node.ready { Event::Exited(child, reason) } else { Event::StartFailed(child, reason) };
        self.queue.push_back((parent, event));
    }

    fn notice(&mut self, id: NodeId, notice: Notice) {
        let (path, what) = match notice {
            Notice::Started { id: child } => (self.child_path(id, &child), Happening::Started),
            Notice::StartFailed { id: child, reason } => {
                (self.child_path(id, &child), Happening::StartFailed { reason })
            }
            Notice::Exited { id: child, reason } => {
                (self.child_path(id, &child), Happening::Exited { reason })
            }
            Notice::Stopped { id: child, killed, reason } => {
                (self.child_path(id, &child), Happening::Stopped { killed, reason })
            }
            Notice::Waiting { id: child, backoff, .. } => {
                (self.child_path(id, &child), Happening::Waiting { backoff })
            }
            Notice::GaveUp { .. } => (self.path(id), Happening::GaveUp),
            Notice::AutoShutdown { .. } => (self.path(id), Happening::AutoShutdown),
            // Shells tell these; nobody is stuck in a simulation.
            Notice::Stuck { .. } | Notice::Recovered { .. } => return,
        };
        self.tell(path, what);
    }

    fn path(&self, id: NodeId) -> Arc<str> {
        self.nodes.get(&id).map_or_else(|| "".into(), |node| node.path.clone())
    }

    fn child_path(&self, id: NodeId, child: &str) -> Arc<str> {
        format!("{}/{child}", self.path(id)).into()
    }

    fn live_path(&self, id: NodeId, child: ChildRef) -> Option<Arc<str>> {
        let spec = self.nodes.get(&id)?.supervisor.spec(child)?;
        Some(self.child_path(id, &spec.id))
    }

    /// The earliest time at which the tree itself has something to do, not before now.
    fn next_due(&self) -> Option<Duration> {
        let slow = self.slow.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wakes.first_key_value().map(|((at, _), _)| *at);
        [slow, wake].into_iter().flatten().min().map(|at| at.max(self.now))
    }

    /// Does what is due now: one worker's start or stop is over, or one supervisor wakes.
    fn fire_due(&mut self) {
        if let Some(slow) = self.slow.first_entry()
            && slow.key().0 <= self.now
        {
            let (id, child, outcome) = slow.remove();
            self.come_to(id, child, outcome);
        } else if let Some((&(at, _), &id)) = self.wakes.first_key_value()
            && at <= self.now
        {
            self.queue.push_back((id, Event::Wake));
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Exit { path, exit } => self.exit(path, *exit),
            Act::Call { supervisor, target, call } => self.call(supervisor, target, call),
            Act::Start { supervisor, target, calls } => self.start_as(supervisor, target, calls),
            Act::Burst(acts) => {
                let before = self.queue.len();
                acts.iter().for_each(|act| self.act(act));
                // All of it is there when a busy supervisor sees what it waits for.
                let burst = self.queue.split_off(before);
                let (awaited, mail): (Vec<_>, Vec<_>) = burst.into_iter().partition(|it| self.is_awaited(it));
                self.queue.extend(mail.into_iter().chain(awaited));
            }
        }
    }

    /// Whether the supervisor is starting or stopping the child that this is about.
    fn is_awaited(&self, (id, event): &(NodeId, Event<Plan>)) -> bool {
        let Event::Exited(child, _) = event else { return false };
        let Some(Node { supervisor, .. }) = self.nodes.get(id) else { return false };
        let info = supervisor.spec(*child).and_then(|spec| supervisor.child(&spec.id));
        info.is_some_and(|info| !matches!(info.status, ChildStatus::Running(_)))
    }

    fn exit(&mut self, path: &str, exit: Exit) {
        if self.path(ROOT).as_ref() == path {
            return self.exit_supervisor(ROOT, exit);
        }
        let Some((id, child)) = self.find_child(path) else {
            return self.tell(path.into(), Happening::Skipped);
        };
        match self.nodes.get(&id).and_then(|node| node.lives.get(&child)).and_then(|life| life.node) {
            Some(below) => self.exit_supervisor(below, exit),
            None => self.end_worker(id, child, exit.reason()),
        }
    }

    fn exit_supervisor(&mut self, id: NodeId, exit: Exit) {
        if exit != Exit::Kill {
            self.queue.push_back((id, Event::Shutdown(exit.reason())));
            return;
        }
        let Some((path, parent)) = self.nodes.get(&id).map(|node| (node.path.clone(), node.parent)) else {
            return;
        };
        self.kill_below(id);
        match parent {
            Some((parent, child)) => self.end_worker(parent, child, ExitReason::Killed),
            None => {
                self.root_ended = true;
                self.tell(path, Happening::RootExited { reason: ExitReason::Killed });
            }
        }
    }

    fn call(&mut self, supervisor: &str, target: &str, call: &Call<Plan>) {
        let name = call_name(call);
        let Some(id) = self.find_node(supervisor) else {
            return self.tell(target.into(), Happening::Reply { call: name, result: None, child: None });
        };
        self.next_call += 1;
        let call_id = CallId(self.next_call);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.calls.insert(call_id, (target.into(), name));
        }
        self.queue.push_back((id, Event::Call(call_id, call.clone())));
    }

    /// Asks the supervisor that runs at this path for a child, in the way that is meant for it.
    fn start_as(&mut self, path: &str, target: &str, calls: &[(Option<Plan>, Call<Plan>)]) {
        let node = self.find_node(path).and_then(|id| self.nodes.get(&id));
        let template =
            node.and_then(|node| node.supervisor.template()).map(|template| Arc::as_ptr(&template.start));
        let meant = calls.iter().find(|(of, _)| of.as_ref().map(Arc::as_ptr) == template);
        if let Some((_, call)) = meant.or(calls.first()) {
            self.call(path, target, call);
        }
    }

    /// The supervisor at this path, whatever it is doing.
    fn find_node(&self, path: &str) -> Option<NodeId> {
        if self.path(ROOT).as_ref() == path {
            return Some(ROOT);
        }
        let (id, child) = self.find_child(path)?;
        self.nodes.get(&id)?.lives.get(&child)?.node
    }

    /// The child at this path, whatever it is doing, and its supervisor.
    fn find_child(&self, path: &str) -> Option<(NodeId, ChildRef)> {
        let (above, id) = path.rsplit_once('/')?;
        let above = self.find_node(above)?;
        let node = self.nodes.get(&above)?;
        let child = node.supervisor.life(id)?;
        node.lives.contains_key(&child).then_some((above, child))
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
