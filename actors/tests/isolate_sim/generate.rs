//! Random trees and scripts that a tree of real actors can play as well: no child ignores its start, and only
//! workers fail to start, since a supervisor's start is that of its children.

use std::sync::Arc;
use std::time::Duration;

use mycelium_random::Random;
use mycelium_supervisor::sim::{Act, Behaviour, Exit, Plan, Scenario, Scripted, Tree};
use mycelium_supervisor::{AutoShutdown, Backoff, Call, ChildSpec, Flags, Restart, Shutdown, Strategy};

const DEPTH_MAX: u64 = 3;
const CHILDREN_MAX: u64 = 4;
const ACTS_MAX: u64 = 24;

pub(crate) fn scenario(seed: u64) -> Scenario {
    let mut generator = Generator {
        random: Random::new(seed),
        supervisors: Vec::new(),
        workers: Vec::new(),
        children: Vec::new(),
        made: 0,
        now: Duration::ZERO,
    };
    let tree = generator.tree("root", 1);
    let count = generator.random.below(ACTS_MAX + 1);
    let script = (0..count).map(|number| generator.scripted(number)).collect();
    Scenario { root: "root".into(), tree, script }
}

struct Generator {
    random: Random,
    /// Paths of supervisors, with their strategy.
    supervisors: Vec<(String, Strategy)>,
    workers: Vec<String>,
    children: Vec<String>,
    made: u64,
    now: Duration,
}

impl Generator {
    fn tree(&mut self, path: &str, depth: u64) -> Tree {
        let strategy = self.random.pick(&[
            Strategy::OneForOne,
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
            Strategy::SimpleOneForOne,
        ]);
        let flags = Flags {
            strategy,
            intensity: self.random.pick(&[0, 1, 2, 3, 5, 8]),
            period: Duration::from_millis(self.random.pick(&[50, 400, 3_000, 60_000])),
            auto_shutdown: self.random.pick(&[
                AutoShutdown::Never,
                AutoShutdown::Never,
                AutoShutdown::AnySignificant,
                AutoShutdown::AllSignificant,
            ]),
            backoff: self.random.chance(60).then(|| self.backoff()),
        };
        self.supervisors.push((path.to_owned(), strategy));
        let ids: &[&str] = match (strategy, self.random.below(CHILDREN_MAX + 1).max(2 - depth.min(2))) {
            (Strategy::SimpleOneForOne, _) => &["t"],
            (_, count) => &["a", "b", "c", "d"][..count as usize],
        };
        let children = ids.iter().map(|id| self.child(path, id, &flags, depth)).collect();
        Tree { flags, children }
    }

    fn backoff(&mut self) -> Backoff {
        Backoff {
            initial: Duration::from_millis(1 + self.random.below(200)),
            multiplier: self.random.pick(&[1.0, 1.5, 2.0]),
            cap: Duration::from_millis(200 + self.random.below(2_000)),
            jitter: self.random.pick(&[0.0, 0.3]),
            reset_after: Duration::from_millis(self.random.pick(&[100, 1_000, 60_000])),
        }
    }

    fn child(&mut self, above: &str, id: &str, flags: &Flags, depth: u64) -> ChildSpec<Plan> {
        let path = format!("{above}/{id}");
        let instance = flags.strategy == Strategy::SimpleOneForOne;
        let nested = depth < DEPTH_MAX && !instance && self.random.chance(35);
        let restart = self.random.pick(&[
            Restart::Permanent,
            Restart::Permanent,
            Restart::Transient,
            Restart::Temporary,
        ]);
        let may_be = flags.auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent;
        let mut spec = if nested {
            let tree = self.tree(&path, depth + 1);
            ChildSpec::supervisor(id, Behaviour::supervisor(tree))
        } else {
            if !instance {
                self.workers.push(path.clone());
            }
            ChildSpec::worker(id, self.worker())
        };
        let time = Duration::from_millis(1 + self.random.below(600));
        match self.random.below(8) {
            0 => spec = spec.stop_by(Shutdown::BrutalKill),
            1 => spec = spec.stop_by(Shutdown::Infinity),
            2..=4 => spec = spec.stop_by(Shutdown::Timeout(time)),
            _ => {}
        }
        if self.random.chance(20) {
            spec = spec.backoff(self.backoff());
        }
        self.children.push(path);
        spec.restart(restart).significant(may_be && self.random.chance(60))
    }

    fn worker(&mut self) -> Plan {
        let mut behaviour = Behaviour::default();
        if self.random.chance(2) {
            behaviour.start_fails.push(1);
        }
        behaviour.start_fails.extend((2..8).filter(|_| self.random.chance(12)));
        self.made += 1;
        if self.random.chance(40) {
            // No two take the same time: who of two that stop at one moment comes first is told by nobody.
            let millis = Duration::from_millis(self.random.below(800));
            behaviour.stop_takes = millis + Duration::from_nanos(1 + self.made * 1_001);
        }
        Plan::new(behaviour)
    }

    fn scripted(&mut self, number: u64) -> Scripted {
        if self.random.chance(60) {
            self.now += Duration::from_millis(self.random.pick(&[1, 7, 50, 130, 500, 3_000]));
        }
        let act = match self.random.below(100) {
            0..=54 => self.exit(),
            55..=84 => self.call(number),
            85..=97 => self.burst(number),
            _ => Act::Exit { path: "root".into(), exit: Exit::Shutdown },
        };
        Scripted { at: self.now, act }
    }

    fn exit(&mut self) -> Act {
        let exit = self.random.pick(&[Exit::Crash, Exit::Crash, Exit::Crash, Exit::Normal, Exit::Kill]);
        Act::Exit { path: self.worker_path(), exit }
    }

    fn worker_path(&mut self) -> String {
        match self.workers.is_empty() {
            true => "root/nobody".to_owned(),
            false => self.random.pick(&self.workers),
        }
    }

    /// Some are killed, and a supervisor is called, before any supervisor looks.
    fn burst(&mut self, number: u64) -> Act {
        let mut acts: Vec<_> = (0..1 + self.random.below(4))
            .map(|_| Act::Exit { path: self.worker_path(), exit: Exit::Kill })
            .collect();
        if self.random.chance(50) {
            acts.push(self.call(number));
        }
        Act::Burst(acts)
    }

    /// `target` has a number, so that a reply can be told from all others.
    fn call(&mut self, number: u64) -> Act {
        let (supervisor, strategy) = self.random.pick(&self.supervisors);
        let target = |path: &str| format!("{path}#{number}");
        match self.random.below(8) {
            0 => Act::Call { target: target(&supervisor), supervisor, call: Call::WhichChildren },
            1 => Act::Call { target: target(&supervisor), supervisor, call: Call::CountChildren },
            2 | 3 => {
                self.made += 1;
                let id = format!("x{}", self.made);
                let path = format!("{supervisor}/{id}");
                let call = if strategy == Strategy::SimpleOneForOne {
                    self.workers.push(path.clone());
                    self.children.push(path.clone());
                    Call::StartInstance { id: Some(id.into()), start: self.worker() }
                } else {
                    let depth = supervisor.matches('/').count() as u64 + 1;
                    Call::StartChild(self.child(&supervisor, &id, &Flags::default(), depth))
                };
                Act::Call { target: target(&path), supervisor, call }
            }
            _ => self.call_of_child(number),
        }
    }

    fn call_of_child(&mut self, number: u64) -> Act {
        let path = match self.children.is_empty() || self.random.chance(5) {
            true => "root/nobody".to_owned(),
            false => self.random.pick(&self.children),
        };
        let (supervisor, id) = path.rsplit_once('/').expect("a child has a supervisor");
        let id: Arc<str> = id.into();
        let call = match self.random.below(5) {
            0 | 1 => Call::TerminateChild(id),
            2 | 3 => Call::RestartChild(id),
            _ => Call::DeleteChild(id),
        };
        Act::Call { supervisor: supervisor.to_owned(), target: format!("{path}#{number}"), call }
    }
}
