//! Random trees and scripts.
//!
//! Left out, because OTP leaves the outcome open or cannot be told (see `docs/otp-differences.md`): a shutdown time of
//! zero, a periods' boundary, backoff, and children that take their time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mycelium_random::Random;
use mycelium_supervisor::sim::{Act, Behaviour, Exit, Plan, Scenario, Scripted, Tree};
use mycelium_supervisor::{AutoShutdown, Call, ChildSpec, Flags, Restart, Shutdown, Strategy};

use crate::compare::BURST;

const DEPTH_MAX: u64 = 3;
const CHILDREN_MAX: u64 = 4;
const ACTS_MAX: u64 = 14;
/// Time passes in these steps; periods end half-way between, since OTP's clock is real and cannot be held still.
const TICK: Duration = Duration::from_secs(1_000);

pub(crate) fn scenario(seed: u64) -> Scenario {
    let mut generator = Generator {
        random: Random::new(seed),
        supervisors: Vec::new(),
        children: Vec::new(),
        templates: BTreeMap::new(),
        in_template: false,
        added: 0,
        now: Duration::ZERO,
    };
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
    /// Whether the part being made belongs to a template, so that its paths are not known yet.
    in_template: bool,
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
            period: self.random.pick(&[TICK / 2, TICK / 2 * 3, TICK / 2 * 5, TICK * 100]),
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
        let was_in_template = self.in_template;
        self.in_template |= template;
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
            let spec = ChildSpec::supervisor(id, Arc::new(plan));
            match self.random.below(10) {
                // What this ends is not compared, so its path must be known.
                0 if !self.in_template => spec.stop_by(Shutdown::BrutalKill),
                1 => spec.stop_by(Shutdown::Timeout(TICK)),
                _ => spec,
            }
        } else {
            let spec = ChildSpec::worker(id, Arc::new(self.behaviour()));
            match self.random.below(10) {
                0 => spec.stop_by(Shutdown::BrutalKill),
                1 => spec.stop_by(Shutdown::Infinity),
                _ => spec,
            }
        };
        self.in_template = was_in_template;
        if template {
            // Nothing runs below a template: its instances bring these paths.
            self.supervisors.truncate(supervisors);
            self.children.truncate(children);
            self.templates.insert(above.to_owned(), spec.start.clone());
        }
        self.children.push((path, nested));
        spec.restart(restart).significant(may_be && self.random.chance(60))
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
        if self.random.chance(12) {
            self.now += TICK * (1 + self.random.below(3) as u32);
        }
        let act = match self.random.below(100) {
            0..=49 => self.exit(),
            50..=84 => self.call(),
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
        let (supervisor, strategy) = self.random.pick(&self.supervisors);
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
            let call = match self.random.below(6) {
                0 => Call::WhichChildren,
                1 => Call::CountChildren,
                // A pid, which is what OTP knows an instance by, is another one after the exits of the burst.
                _ if strategy == Strategy::SimpleOneForOne => Call::DeleteChild(name),
                2 | 3 => Call::TerminateChild(name),
                4 => Call::RestartChild(name),
                _ => Call::DeleteChild(name),
            };
            let target = format!("{supervisor}{BURST}");
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
        // An instance that ignores a later start leaves OTP with a child that is no process.
        let mut plan = self.behaviour();
        plan.start_ignores.retain(|start| *start == 1);
        plan.tree = self.templates.get(&supervisor).and_then(|template| template.tree.clone());
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
        let target = match self.children.is_empty() || self.random.chance(5) {
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
