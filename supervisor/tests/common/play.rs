//! A host for tests of the engine, which writes down what it is to do, and a clock for it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor::engine::{
    Answer, At, Begun, Engine, Estate, Host, Left, LifeId, Look, NodeId, ROOT, Report, Seen,
};
use mycelium_supervisor::{Backoff, Call, CallId, ChildRef, ChildSpec, Event, ExitReason, Flags, Notice};

/// What a child is started with: a worker of this make, or a supervisor.
#[derive(Clone)]
pub(crate) enum Start {
    Worker(u32),
    Tree(Arc<(Flags, Vec<ChildSpec<Start>>)>),
}

/// Writes down what the engine has it do.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) queue: VecDeque<(NodeId, Report<Self>)>,
    pub(crate) log: Vec<String>,
    pub(crate) lives: BTreeMap<String, LifeId>,
    pub(crate) seeds: u64,
    pub(crate) made: u32,
    pub(crate) end: Option<(ExitReason, usize)>,
    /// Whether the supervisor that decided last is ending.
    pub(crate) ending: bool,
    /// Children are looked at so often, until they are stuck.
    pub(crate) looks: u32,
}

impl Script {
    pub(crate) fn says(&mut self, line: impl Into<String>) {
        self.log.push(line.into());
    }
}

impl Host for Script {
    type Start = Start;
    type Body = String;
    /// The number of a mailbox.
    type Kept = u32;

    fn next_seed(&mut self) -> u64 {
        self.seeds += 1;
        self.seeds
    }

    fn start(
        &mut self,
        at: &At<'_, Self>,
        child: ChildRef,
        spec: &ChildSpec<Start>,
        left: &mut Option<Left<Self>>,
    ) -> Result<Begun<Self>, ExitReason> {
        if let Start::Tree(tree) = &spec.start {
            return Ok(Begun::Supervisor { flags: tree.0, children: tree.1.clone() });
        }
        if self.log.last().is_some_and(|line| line == "nothing starts") {
            return Err(ExitReason::Abnormal("closed".into()));
        }
        let mailbox = match left.take() {
            Some(Left::Worker(mailbox)) => mailbox,
            _ => {
                self.made += 1;
                self.made
            }
        };
        let path = at.child_path(&spec.id).to_string();
        self.lives.insert(path.clone(), LifeId { node: at.node, child });
        self.says(format!("start {} with {mailbox}", spec.id));
        Ok(Begun::Worker(path))
    }

    fn is_same(one: &Start, other: &Start) -> bool {
        match (one, other) {
            (Start::Worker(one), Start::Worker(other)) => one == other,
            (Start::Tree(one), Start::Tree(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn start_limit(start: &Start) -> Option<Duration> {
        matches!(start, Start::Worker(_)).then_some(Duration::from_secs(30))
    }

    fn stop(&mut self, _: LifeId, body: &String, for_good: bool) {
        self.says(format!("stop {body}{}", if for_good { " for good" } else { "" }));
    }

    fn kill(&mut self, _: LifeId, body: &String) -> Option<Duration> {
        self.says(format!("kill {body}"));
        Some(Duration::from_secs(1))
    }

    fn give_up(&mut self, _: LifeId, body: &String, verdict: &str) -> Option<Duration> {
        self.says(format!("give up {body}: {verdict}"));
        Some(Duration::from_secs(1))
    }

    fn abandon(&mut self, _: LifeId, body: String, ended: bool) {
        self.says(format!("abandon {body}{}", if ended { ", which has ended" } else { "" }));
    }

    fn release(&mut self, kept: u32, asked: bool) {
        self.says(format!("release {kept}{}", if asked { ", asked" } else { "" }));
    }

    fn watch(&mut self, now: Duration, _: LifeId, _: &mut String) -> Option<Duration> {
        (self.looks > 0).then_some(now + Duration::from_secs(10))
    }

    fn look(&mut self, now: Duration, _: LifeId, body: &mut String) -> Look {
        self.looks -= 1;
        self.log.push(format!("look at {body}"));
        let verdict = Some("stuck".into());
        let stuck = Seen::Stuck { quiet: Duration::from_secs(10), detail: "".into(), verdict };
        Look {
            next: (self.looks > 0).then_some(now + Duration::from_secs(10)),
            seen: (self.looks == 0).then_some(stuck),
        }
    }

    fn post(&mut self, to: NodeId, report: Report<Self>) {
        self.queue.push_back((to, report));
    }

    fn unheard_ends(&self, node: NodeId) -> BTreeMap<ChildRef, ExitReason> {
        let reports = self.queue.iter().filter(|(to, _)| *to == node);
        reports
            .filter_map(|(_, report)| report.end().map(|(child, reason)| (child, reason.clone())))
            .collect()
    }

    fn notice(&mut self, at: &At<'_, Self>, notice: &Notice) {
        match notice {
            Notice::StartFailed { id, reason } => self.says(format!("{id} did not start: {reason}")),
            Notice::Exited { id, reason } => self.says(format!("{id} ended: {reason}")),
            Notice::Stopped { id, killed, .. } => {
                self.says(format!("{id} was {}", if *killed { "killed" } else { "stopped" }));
            }
            Notice::GaveUp { .. } => self.says(format!("{} gave up", at.path)),
            _ => {}
        }
    }

    fn reply(&mut self, _: &At<'_, Self>, _: CallId, answer: Answer<Self>) {
        self.says(format!("answer {}", answer.is_ok()));
    }

    fn missed(&mut self, path: Arc<str>) {
        self.says(format!("missed {path}"));
    }

    fn forgotten(&mut self, _: &At<'_, Self>, id: &str) {
        self.says(format!("forgot {id}"));
    }

    fn decided(&mut self, at: &At<'_, Self>) {
        self.ending = at.ending;
    }

    fn ready(&mut self) {
        self.says("ready");
    }

    fn ended(&mut self, reason: ExitReason, estate: Estate<Self>) {
        self.end = Some((reason, estate.len()));
    }
}

pub(crate) struct Play {
    pub(crate) now: Duration,
    pub(crate) engine: Engine<Script>,
    pub(crate) host: Script,
}

impl Play {
    pub(crate) fn new(flags: Flags, children: Vec<ChildSpec<Start>>, host: Script) -> Self {
        let mut host = host;
        let engine = Engine::new(&mut host, "root".into(), flags, children, true, Estate::new()).unwrap();
        let mut play = Self { now: Duration::ZERO, engine, host };
        play.run();
        play
    }

    pub(crate) fn run(&mut self) {
        while let Some((to, report)) = self.host.queue.pop_front() {
            self.engine.handle(self.now, &mut self.host, to, report);
        }
    }

    /// Runs what is due until `seconds` have passed.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.engine.next_due().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            assert!(self.engine.fire_due(self.now, &mut self.host));
            self.run();
        }
        self.now = until;
    }

    pub(crate) fn life(&self, path: &str) -> LifeId {
        self.host.lives[path]
    }

    pub(crate) fn report(&mut self, path: &str, report: impl FnOnce(ChildRef) -> Report<Script>) {
        let LifeId { node, child } = self.life(path);
        self.host.post(node, report(child));
        self.run();
    }

    pub(crate) fn started(&mut self, path: &str) {
        self.report(path, |child| Report::Event(Event::Started(child)));
    }

    /// A desk that allows no restart, with the child `a` and one more that a call has added. Both run.
    pub(crate) fn of_a_desk_with_more() -> Self {
        let desk = tree("desk", flags(0), vec![worker("a")]);
        let mut play = Self::new(flags(9), vec![desk], Script::default());
        play.started("root/desk/a");
        let node = play.life("root/desk/a").node;
        let call = Call::StartChild(worker("more"));
        play.host.post(node, Report::Event(Event::Call(CallId(0), call)));
        play.run();
        play.started("root/desk/more");
        play.log();
        play
    }

    /// It fails and leaves this mailbox.
    pub(crate) fn fails(&mut self, path: &str, mailbox: u32) {
        let reason = ExitReason::Abnormal("crash".into());
        self.report(path, |child| Report::Left(child, reason, Left::Worker(mailbox)));
    }

    pub(crate) fn call(&mut self, call: Call<Start>) {
        self.host.post(ROOT, Report::Event(Event::Call(CallId(0), call)));
        self.run();
    }

    pub(crate) fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.host.log)
    }
}

pub(crate) fn flags(intensity: u32) -> Flags {
    let backoff = Backoff { initial: Duration::from_secs(1), jitter: 0.0, ..Backoff::default() };
    Flags { intensity, period: Duration::from_secs(60), backoff: Some(backoff), ..Flags::default() }
}

pub(crate) fn worker(id: &str) -> ChildSpec<Start> {
    ChildSpec::worker(id, Start::Worker(1))
}

pub(crate) fn tree(id: &str, flags: Flags, children: Vec<ChildSpec<Start>>) -> ChildSpec<Start> {
    ChildSpec::supervisor(id, Start::Tree(Arc::new((flags, children))))
}
