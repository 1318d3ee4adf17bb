//! What holds in every trace of a whole tree, whatever its policies: random trees with backoff, slow stops,
//! failing starts and kills, which the comparison with OTP has to leave out.
//!
//! `MYCELIUM_SEED=N MYCELIUM_CASES=1` replays a scenario; seeds are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mycelium_random::{Random, cases, seeds};
use mycelium_supervisor::sim::{
    Act, Behaviour, Entry, Exit, Happening, Plan, Scenario, Scripted, Tree, simulate,
};
use mycelium_supervisor::{
    AutoShutdown, Backoff, Call, ChildSpec, ChildStatus, Flags, Reply, Restart, Shutdown, Strategy,
};

const CASES: u64 = 2_000;
const DEPTH_MAX: u32 = 3;
const ACTS: u64 = 20;
/// Later than anything that a scenario of these sizes still has to do, unless it goes on for ever.
const END: Duration = Duration::from_secs(3_600);

struct Generator {
    random: Random,
    supervisors: Vec<(String, Strategy, AutoShutdown)>,
    /// In the order in which their supervisors start them.
    children: Vec<String>,
    terminated: BTreeSet<String>,
    added: u32,
}

impl Generator {
    fn tree(&mut self, path: &str, depth: u32) -> Tree {
        let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
        let simple = depth > 1 && self.random.chance(15);
        let strategy = if simple { Strategy::SimpleOneForOne } else { self.random.pick(&strategies) };
        let backoff = Backoff {
            initial: Duration::from_millis(self.random.below(40)),
            cap: Duration::from_millis(200),
            jitter: self.random.pick(&[0.0, 0.5]),
            reset_after: Duration::from_millis(300),
            ..Backoff::default()
        };
        let auto = [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];
        let flags = Flags {
            strategy,
            intensity: self.random.pick(&[0, 1, 3, 20]),
            period: Duration::from_millis(1 + self.random.below(1_000)),
            auto_shutdown: self.random.pick(&auto),
            backoff: self.random.chance(50).then_some(backoff),
        };
        self.supervisors.push((path.to_owned(), strategy, flags.auto_shutdown));
        let count = if simple { 1 } else { self.random.below(5) };
        let ids = ["a", "b", "c", "d"];
        let spec = |id: &&str| self.child(path, id, &flags, if simple { DEPTH_MAX } else { depth });
        Tree { flags, children: ids[..count as usize].iter().map(spec).collect() }
    }

    fn child(&mut self, above: &str, id: &str, flags: &Flags, depth: u32) -> ChildSpec<Plan> {
        let path = format!("{above}/{id}");
        self.children.push(path.clone());
        let random = &mut self.random;
        let first = if random.chance(2) { 1 } else { 2 };
        let fails = (first..7).filter(|start| *start == 1 || random.chance(10)).collect();
        let ignores = random.chance(3).then(|| 1 + random.below(3) as u32).into_iter().collect();
        let stop_takes =
            if random.chance(30) { Duration::from_millis(random.below(100)) } else { Duration::ZERO };
        let start_takes =
            if random.chance(20) { Duration::from_millis(random.below(100)) } else { Duration::ZERO };
        let mut plan =
            Behaviour { start_fails: fails, start_ignores: ignores, start_takes, stop_takes, tree: None };
        let restart = random.pick(&[Restart::Permanent, Restart::Transient, Restart::Temporary]);
        let timeout = Shutdown::Timeout(Duration::from_millis(random.below(80)));
        let shutdown = random.pick(&[timeout, Shutdown::BrutalKill, Shutdown::Infinity]);
        let significant =
            flags.auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent && random.chance(50);
        let nested = depth < DEPTH_MAX && random.chance(40);
        if nested {
            plan = Behaviour { stop_takes: Duration::ZERO, tree: Some(self.tree(&path, depth + 1)), ..plan };
        }
        let start = Arc::new(plan);
        let spec = if nested { ChildSpec::supervisor(id, start) } else { ChildSpec::worker(id, start) };
        spec.restart(restart).stop_by(shutdown).significant(significant)
    }

    fn act(&mut self) -> Act {
        let (supervisor, strategy, auto_shutdown) = self.random.pick(&self.supervisors);
        if self.random.chance(55) && !self.children.is_empty() {
            let exit =
                self.random.pick(&[Exit::Crash, Exit::Crash, Exit::Normal, Exit::Shutdown, Exit::Kill]);
            return Act::Exit { path: self.random.pick(&self.children), exit };
        }
        if self.random.chance(30) {
            self.added += 1;
            // Never an id that was there before: the order of ids is the order of starts.
            let id = format!("x{}", self.added);
            let target = format!("{supervisor}/{id}");
            let call = if strategy == Strategy::SimpleOneForOne {
                self.children.push(target.clone());
                Call::StartInstance { id: Some(id.into()), start: Behaviour::worker() }
            } else {
                let flags = Flags { strategy, auto_shutdown, ..Flags::default() };
                let depth = supervisor.matches('/').count() as u32 + 1;
                Call::StartChild(self.child(&supervisor, &id, &flags, depth))
            };
            return Act::Call { supervisor, target, call };
        }
        let target = match self.children.is_empty() {
            true => format!("{supervisor}/nobody"),
            false => self.random.pick(&self.children),
        };
        let (supervisor, id) = target.rsplit_once('/').expect("children have supervisors");
        let id = id.into();
        let call = match self.random.below(3) {
            0 => {
                self.terminated.insert(target.clone());
                Call::TerminateChild(id)
            }
            1 => Call::RestartChild(id),
            _ => Call::WhichChildren,
        };
        Act::Call { supervisor: supervisor.to_owned(), target: target.clone(), call }
    }
}

/// A scenario, and all its children in start order.
fn scenario(seed: u64) -> (Scenario, Generator) {
    let random = Random::new(seed);
    let (supervisors, children, terminated) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut generator = Generator { random, supervisors, children, terminated, added: 0 };
    let tree = generator.tree("root", 1);
    let mut script = Vec::new();
    let mut at = Duration::ZERO;
    for _ in 0..generator.random.below(ACTS) {
        at += Duration::from_millis(generator.random.below(120));
        let act = match generator.random.chance(20) {
            true => Act::Burst((0..3).map(|_| generator.act()).collect()),
            false => generator.act(),
        };
        script.push(Scripted { at, act });
    }
    for (supervisor, ..) in &generator.supervisors {
        let (supervisor, target) = (supervisor.clone(), format!("{supervisor}!"));
        script.push(Scripted { at: END, act: Act::Call { supervisor, target, call: Call::WhichChildren } });
    }
    let exit = Act::Exit { path: "root".to_owned(), exit: Exit::Shutdown };
    script.push(Scripted { at: END, act: exit });
    (Scenario { root: "root".into(), tree, script }, generator)
}

struct Check {
    order: BTreeMap<String, usize>,
    simple: BTreeSet<String>,
    running: BTreeSet<String>,
    /// Whom the script terminates alone, out of turn.
    terminated: BTreeSet<String>,
    at: Duration,
    ended: bool,
}

impl Check {
    fn entry(&mut self, entry: &Entry) {
        let path = entry.path.to_string();
        assert!(entry.at >= self.at, "time runs backwards");
        self.at = entry.at;
        match &entry.what {
            Happening::Started => {
                assert!(!self.ended, "it starts {path} after its end");
                assert!(self.running.insert(path.clone()), "{path} runs twice");
            }
            Happening::StartFailed { .. } => self.gone(&path, false),
            Happening::Exited { .. } => self.gone(&path, true),
            Happening::Stopped { .. } => {
                self.gone(&path, true);
                let (above, _) = path.rsplit_once('/').expect("children have supervisors");
                let later = |other: &&String| {
                    other.rsplit_once('/').is_some_and(|(o, _)| o == above)
                        && self.order[*other] > self.order[&path]
                };
                if !self.simple.contains(above) && !self.terminated.contains(&path) {
                    let later = self.running.iter().find(later);
                    assert_eq!(later, None, "{path} is stopped before one that started after it");
                }
            }
            Happening::Reply { result: Some(Ok(Reply::Children(children))), .. } => {
                let Some(supervisor) = path.strip_suffix('!') else { return };
                let listed = children.iter().filter(|child| matches!(child.status, ChildStatus::Running(_)));
                let listed: BTreeSet<String> =
                    listed.map(|child| format!("{supervisor}/{}", child.id)).collect();
                let below = format!("{supervisor}/");
                let direct = |path: &&String| path.strip_prefix(&below).is_some_and(|id| !id.contains('/'));
                let running: BTreeSet<String> = self.running.iter().filter(direct).cloned().collect();
                assert_eq!(listed, running, "what {supervisor} lists is not what started and has not ended");
            }
            Happening::RootExited { .. } => {
                assert!(!self.ended, "it ends twice");
                self.ended = true;
                assert_eq!(self.running, BTreeSet::new(), "they outlive the root");
            }
            _ => {}
        }
    }

    /// It has ended, and nobody below it may be there any more.
    fn gone(&mut self, path: &str, ran: bool) {
        let below = format!("{path}/");
        let orphan = self.running.iter().find(|other| other.starts_with(&below));
        assert_eq!(orphan, None, "{path} ends before it");
        // One that was told to stop while it started was not there yet.
        let was = self.running.remove(path);
        assert!(was == ran || !was, "{path} fails to start while it runs");
    }
}

#[test]
fn whole_trees_start_in_order_stop_in_reverse_and_leave_nobody() {
    let mut seen = BTreeMap::new();
    for seed in seeds(CASES) {
        let (scenario, generator) = scenario(seed);
        let order = generator.children.iter().enumerate().map(|(place, path)| (path.clone(), place));
        let simple =
            generator.supervisors.iter().filter(|(_, strategy, _)| *strategy == Strategy::SimpleOneForOne);
        let mut check = Check {
            order: order.collect(),
            simple: simple.map(|(path, ..)| path.clone()).collect(),
            running: BTreeSet::new(),
            terminated: generator.terminated,
            at: Duration::ZERO,
            ended: false,
        };
        simulate(&scenario, seed, &mut |entry| {
            let kind = format!("{:?}", entry.what);
            *seen.entry(kind.split([' ', '(']).next().unwrap_or_default().to_owned()).or_insert(0) += 1;
            check.entry(entry);
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert!(check.ended, "the root is told to end, and does not");
    }
    // A generator that never reaches a behaviour would prove nothing about it.
    if cases(CASES) >= CASES {
        for kind in ["Started", "StartFailed", "Exited", "Stopped", "Waiting", "GaveUp", "AutoShutdown"] {
            assert!(seen.get(kind).is_some_and(|count| *count > 100), "hardly any {kind}: {seen:?}");
        }
    }
}
