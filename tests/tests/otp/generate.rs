//! Random trees and scripts: starts and stops that take time, events that meet busy supervisors, ends of
//! periods to the microsecond, kills of supervisors.
//!
//! Left out, because OTP leaves the outcome open or has nothing of the kind (see `docs/otp-differences.md`):
//! a shutdown time of zero, backoff, and an instance that ignores a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mycelium_random::Random;
use mycelium_supervisor::sim::{Act, Behaviour, Exit, Plan, Scenario, Scripted, Tree};
use mycelium_supervisor::{AutoShutdown, Call, ChildSpec, Flags, Restart, Shutdown, Strategy};

const DEPTH_MAX: u64 = 4;
const CHILDREN_MAX: u64 = 4;
const ACTS_MAX: u64 = 18;
/// Script and periods keep to multiples of this, so that restarts often are exactly one period apart.
const TICK: Duration = Duration::from_millis(50);

pub(crate) fn scenario(seed: u64) -> Scenario {
    generate(seed, true)
}

/// One that a file can say: nothing happens in bursts.
#[allow(dead_code)] // One of the two tests that share this file needs it.
pub(crate) fn plain(seed: u64) -> Scenario {
    generate(seed, false)
}

fn generate(seed: u64, bursts: bool) -> Scenario {
    let mut generator = Generator {
        random: Random::new(seed),
        supervisors: Vec::new(),
        children: Vec::new(),
        templates: BTreeMap::new(),
        slow: false,
        bursts,
        added: 0,
        now: Duration::ZERO,
    };
    // In every third nothing takes time, as in most trees.
    generator.slow = generator.random.chance(67);
    let tree = generator.tree("root", 1);
    let count = generator.random.below(ACTS_MAX + 1);
    let script = (0..count).map(|_| generator.scripted()).collect();
    Scenario { root: "root".into(), tree, script }
}

struct Generator {
    random: Random,
    /// Paths of supervisors, with their strategy.
    supervisors: Vec<(String, Strategy)>,
    /// Paths of children, and whether they are supervisors.
    children: Vec<(String, bool)>,
    /// What the instances of simple-one-for-one supervisors are made of, by the supervisor's path.
    templates: BTreeMap<String, Plan>,
    /// Whether starts and stops take time.
    slow: bool,
    bursts: bool,
    added: u64,
    now: Duration,
}

impl Generator {
    fn tree(&mut self, path: &str, depth: u64) -> Tree {
        let strategy = self.random.pick(&[
            Strategy::OneForOne,
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::OneForAll,
            Strategy::RestForOne,
            Strategy::RestForOne,
            Strategy::SimpleOneForOne,
        ]);
        let flags = Flags {
            strategy,
            intensity: self.random.pick(&[0, 1, 1, 2, 2, 3, 5]),
            period: self.random.pick(&[TICK / 2, TICK, TICK * 2, TICK * 5, TICK * 100]),
            auto_shutdown: self.random.pick(&[
                AutoShutdown::Never,
                AutoShutdown::Never,
                AutoShutdown::AnySignificant,
                AutoShutdown::AllSignificant,
            ]),
            backoff: None,
        };
        self.supervisors.push((path.to_owned(), strategy));
        let ids: &[&str] = match (strategy, self.random.below(CHILDREN_MAX + 1).max(2 - depth.min(2))) {
            (Strategy::SimpleOneForOne, _) => &["t"],
            (_, count) => &["a", "b", "c", "d"][..count as usize],
        };
        let children = ids.iter().map(|id| self.child(path, id, &flags, depth)).collect();
        Tree { flags, children }
    }

    fn child(&mut self, above: &str, id: &str, flags: &Flags, depth: u64) -> ChildSpec<Plan> {
        let path = format!("{above}/{id}");
        let template = flags.strategy == Strategy::SimpleOneForOne;
        let (supervisors, children) = (self.supervisors.len(), self.children.len());
        let nested = depth < DEPTH_MAX && self.random.chance(35);
        let restart = self.random.pick(&[
            Restart::Permanent,
            Restart::Permanent,
            Restart::Transient,
            Restart::Temporary,
        ]);
        let may_be = flags.auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent;
        let spec = if nested {
            let tree = self.tree(&path, depth + 1);
            let plan = Behaviour { tree: Some(tree), ..self.behaviour() };
            ChildSpec::supervisor(id, Arc::new(plan))
        } else {
            let plan = self.worker();
            ChildSpec::worker(id, Arc::new(plan))
        };
        // A worker may be ready to end at the very time at which it would be killed.
        let just_so = Some(spec.start.stop_takes).filter(|takes| !takes.is_zero());
        let spec = match self.random.below(20) {
            0 | 1 => spec.stop_by(Shutdown::BrutalKill),
            2 | 3 => spec.stop_by(Shutdown::Infinity),
            4 | 5 if self.slow => spec.stop_by(Shutdown::Timeout(self.some_time())),
            6 => spec.stop_by(Shutdown::Timeout(just_so.unwrap_or(TICK))),
            _ => spec,
        };
        if template {
            // Nothing runs below a template: its instances bring these paths.
            self.supervisors.truncate(supervisors);
            self.children.truncate(children);
            self.templates.insert(above.to_owned(), spec.start.clone());
        }
        self.children.push((path, nested));
        spec.restart(restart).significant(may_be && self.random.chance(60))
    }

    /// Odd, so that hardly ever two things are due at one time which nothing puts in an order.
    fn some_time(&mut self) -> Duration {
        Duration::from_micros(1 + self.random.below(300_000))
    }

    fn worker(&mut self) -> Behaviour {
        let mut behaviour = self.behaviour();
        if self.slow && self.random.chance(35) {
            behaviour.stop_takes = self.some_time();
        }
        if self.slow && self.random.chance(15) {
            behaviour.start_takes = self.some_time();
        }
        behaviour
    }

    fn behaviour(&mut self) -> Behaviour {
        let mut behaviour = Behaviour::default();
        if self.random.chance(3) {
            behaviour.start_fails.push(1);
        }
        for start in 2..6 {
            if self.random.chance(8) {
                behaviour.start_fails.push(start);
            }
        }
        if self.random.chance(4) {
            behaviour.start_ignores.push(1 + self.random.below(3) as u32);
        }
        behaviour
    }

    fn scripted(&mut self) -> Scripted {
        let passes = match self.random.below(10) {
            0..=3 => Duration::ZERO,
            4..=7 => TICK * (1 + self.random.below(6) as u32),
            8 => self.some_time(),
            _ => TICK * 100,
        };
        self.now += passes;
        let act = match self.random.below(100) {
            0..=49 => self.exit(),
            50..=84 => self.call(),
            _ if !self.bursts => self.call(),
            _ => self.burst(),
        };
        Scripted { at: self.now, act }
    }

    fn exit(&mut self) -> Act {
        let (path, supervisor) = match self.children.is_empty() {
            true => ("root/a".to_owned(), false),
            false => self.random.pick(&self.children),
        };
        // The root ends now and then, as any supervisor may.
        let (path, supervisor) =
            if self.random.chance(1) { ("root".to_owned(), true) } else { (path, supervisor) };
        let exits: &[Exit] = if supervisor {
            &[
                Exit::Crash,
                Exit::Crash,
                Exit::Normal,
                Exit::Normal,
                Exit::Shutdown,
                Exit::Shutdown,
                Exit::Kill,
            ]
        } else {
            &[Exit::Crash, Exit::Crash, Exit::Crash, Exit::Normal, Exit::Shutdown, Exit::Kill]
        };
        Act::Exit { path, exit: self.random.pick(exits) }
    }

    /// Workers of one supervisor end and it is called, all before it deals with the first.
    fn burst(&mut self) -> Act {
        let (supervisor, _) = self.random.pick(&self.supervisors);
        let below = |path: &str| path.rsplit_once('/').is_some_and(|(above, _)| above == supervisor);
        let workers: Vec<String> = self
            .children
            .iter()
            .filter(|(path, nested)| !nested && below(path))
            .map(|(path, _)| path.clone())
            .collect();
        let mut acts = Vec::new();
        for _ in 0..self.random.below(4) {
            if !workers.is_empty() {
                let exit = self.random.pick(&[Exit::Crash, Exit::Crash, Exit::Normal, Exit::Kill]);
                acts.push(Act::Exit { path: self.random.pick(&workers), exit });
            }
        }
        for _ in 0..1 + self.random.below(3) {
            let name: Arc<str> = match workers.is_empty() {
                true => "nobody".into(),
                false => self.random.pick(&workers).rsplit('/').next().unwrap_or_default().into(),
            };
            let child = format!("{supervisor}/{name}");
            let (target, call) = match self.random.below(6) {
                0 => (supervisor.clone(), Call::WhichChildren),
                1 => (supervisor.clone(), Call::CountChildren),
                2 | 3 => (child, Call::TerminateChild(name)),
                4 => (child, Call::RestartChild(name)),
                _ => (child, Call::DeleteChild(name)),
            };
            acts.push(Act::Call { supervisor: supervisor.clone(), target, call });
        }
        Act::Burst(acts)
    }

    fn call(&mut self) -> Act {
        let (supervisor, strategy) = self.random.pick(&self.supervisors);
        match self.random.below(8) {
            0 => Act::Call { target: supervisor.clone(), supervisor, call: Call::WhichChildren },
            1 => Act::Call { target: supervisor.clone(), supervisor, call: Call::CountChildren },
            2 | 3 if strategy == Strategy::SimpleOneForOne => self.start_instance(supervisor),
            2 | 3 => self.start_child(supervisor, strategy),
            _ => self.call_of_child(),
        }
    }

    fn start_instance(&mut self, supervisor: String) -> Act {
        self.added += 1;
        let name = format!("i{}", self.added);
        let target = format!("{supervisor}/{name}");
        let below = self.templates.get(&supervisor).and_then(|template| template.tree.clone());
        let mut plan = if below.is_some() { self.behaviour() } else { self.worker() };
        plan.tree = below;
        // An instance that ignores a later start leaves OTP with a child that is no process.
        plan.start_ignores.retain(|start| *start == 1);
        self.children.push((target.clone(), plan.tree.is_some()));
        if let Some(tree) = &plan.tree {
            self.add_paths(&target, tree);
        }
        let call = Call::StartInstance { id: Some(name.into()), start: Arc::new(plan) };
        Act::Call { supervisor, target, call }
    }

    /// What an instance brings that is a supervisor.
    fn add_paths(&mut self, path: &str, tree: &Tree) {
        self.supervisors.push((path.to_owned(), tree.flags.strategy));
        for child in &tree.children {
            let below = format!("{path}/{}", child.id);
            self.children.push((below.clone(), child.start.tree.is_some()));
            if tree.flags.strategy == Strategy::SimpleOneForOne {
                self.templates.insert(path.to_owned(), child.start.clone());
            } else if let Some(tree) = &child.start.tree {
                self.add_paths(&below, tree);
            }
        }
    }

    fn start_child(&mut self, supervisor: String, strategy: Strategy) -> Act {
        let id = if self.random.chance(30) {
            self.random.pick(&["a", "b", "c", "d"]).to_owned()
        } else {
            self.added += 1;
            format!("x{}", self.added)
        };
        let target = format!("{supervisor}/{id}");
        // Under a taken id the new child must not change what the path means: it stays a worker.
        let depth = if id.starts_with('x') { supervisor.matches('/').count() as u64 + 1 } else { DEPTH_MAX };
        let auto_shutdown = self.random.pick(&[AutoShutdown::Never, AutoShutdown::AnySignificant]);
        let flags = Flags { strategy, auto_shutdown, ..Flags::default() };
        let known = self.children.iter().position(|(path, _)| *path == target);
        let spec = self.child(&supervisor, &id, &flags, depth);
        if known.is_some() {
            self.children.pop();
        }
        Act::Call { supervisor, target, call: Call::StartChild(spec) }
    }

    fn call_of_child(&mut self) -> Act {
        let target = match self.children.is_empty() || (self.bursts && self.random.chance(5)) {
            true => "root/nobody".to_owned(),
            false => self.random.pick(&self.children).0,
        };
        let (supervisor, id) = target.rsplit_once('/').expect("a child has a supervisor");
        let id: Arc<str> = id.into();
        let call = match self.random.below(5) {
            0 | 1 => Call::TerminateChild(id),
            2 | 3 => Call::RestartChild(id),
            _ => Call::DeleteChild(id),
        };
        Act::Call { supervisor: supervisor.to_owned(), target: target.clone(), call }
    }
}
