//! Properties of one supervisor under a shell that is slow, reorders what it may, and reports about the dead.
//!
//! `MYCELIUM_SEED=N` replays a run, `MYCELIUM_CASES=N` makes it longer; seeds are printed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use mycelium_random::{Random, seed, seeds};
use mycelium_supervisor::{
    Action, AutoShutdown, Backoff, Call, CallId, ChildRef, ChildSpec, ChildStatus, Event, ExitReason, Flags,
    Notice, Restart, Shutdown, StopHow, Strategy, Supervisor, add_restart,
};

const CASES: u64 = 3_000;
const STEPS: u64 = 120;
/// A supervisor that has not ended after so many steps of its shutdown hangs.
const SHUTDOWN_STEPS_MAX: u64 = 10_000;

/// A child as the shell knows it. Its start value says whether it ignores a polite stop.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Starting,
    Running,
}

struct Live {
    id: String,
    doing: Doing,
    stubborn: bool,
    told: Option<StopHow>,
}

struct Shell {
    random: Random,
    supervisor: Supervisor<bool>,
    simple: bool,
    /// Whether instances may be stubborn: their template sets a limit to their shutdown.
    stubborn_instances: bool,
    now: Duration,
    live: BTreeMap<ChildRef, Live>,
    dead: Vec<ChildRef>,
    started: BTreeMap<String, i64>,
    unanswered: BTreeSet<CallId>,
    calls: u64,
    ready: bool,
    exited: bool,
    /// It ends: it has begun to.
    ending: bool,
    /// It is to end when it comes to that.
    told_to_end: bool,
    /// The child stopped last while the supervisor ends.
    last_stopped: Option<ChildRef>,
}

impl Shell {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let strategy = random.pick(&[
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
            Strategy::SimpleOneForOne,
        ]);
        let simple = strategy == Strategy::SimpleOneForOne;
        let backoff = random.chance(50).then(|| Backoff {
            initial: Duration::from_millis(random.below(50)),
            jitter: random.pick(&[0.0, 0.5, 1.0]),
            cap: Duration::from_millis(400),
            reset_after: Duration::from_millis(300),
            ..Backoff::default()
        });
        let flags = Flags {
            strategy,
            intensity: random.pick(&[0, 1, 3, 50]),
            period: Duration::from_millis(1 + random.below(500)),
            auto_shutdown: random.pick(&[
                AutoShutdown::Never,
                AutoShutdown::AnySignificant,
                AutoShutdown::AllSignificant,
            ]),
            backoff,
        };
        let count = if simple { 1 } else { random.below(6) };
        let children: Vec<ChildSpec<bool>> =
            (0..count).map(|i| spec(&mut random, &flags, &format!("c{i}"))).collect();
        Self {
            stubborn_instances: children.first().is_some_and(|template| template.start),
            supervisor: Supervisor::new(flags, children, seed).expect("the specifications are valid"),
            random,
            simple,
            now: Duration::ZERO,
            live: BTreeMap::new(),
            dead: Vec::new(),
            started: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            calls: 0,
            ready: false,
            exited: false,
            ending: false,
            told_to_end: false,
            last_stopped: None,
        }
    }

    /// One that rests begins to end at once; another one finishes first what it is doing and what has come
    /// before.
    fn tell_to_end(&mut self) {
        let rests = |live: &Live| live.doing == Doing::Running && live.told.is_none();
        self.told_to_end = true;
        self.ending |= self.live.values().all(rests);
    }

    fn step(&mut self, event: Event<bool>) {
        let mut actions = Vec::new();
        let ended = self.exited;
        self.supervisor.step(self.now, event, &mut actions);
        assert!(
            !ended || actions.iter().all(|a| matches!(a, Action::Reply(..))),
            "it acts after its end: {actions:?}"
        );
        for action in actions {
            self.perform(action);
        }
        let lives: BTreeSet<ChildRef> = self.supervisor.lives().collect();
        assert!(lives.iter().eq(self.live.keys()), "started minus ended is not what it holds: {lives:?}");
        for child in self.supervisor.children() {
            let up = i64::from(matches!(child.status, ChildStatus::Running(_) | ChildStatus::Stopping));
            let told = self.started.get(&*child.id).copied().unwrap_or_default();
            // A child stopped while it was starting never counted as started.
            assert!(told == up || (told == 0 && child.status == ChildStatus::Stopping), "{child:?}: {told}");
        }
    }

    fn perform(&mut self, action: Action<bool>) {
        match action {
            Action::Start { child, spec } => {
                assert!(!self.ending, "it starts {} while it ends", spec.id);
                let twin = self.live.values().find(|live| *live.id == *spec.id);
                assert!(twin.is_none(), "two live instances of {}", spec.id);
                if !self.ready {
                    assert!(self.live.keys().all(|earlier| *earlier < child), "children start in order");
                }
                let live = Live {
                    id: spec.id.to_string(),
                    doing: Doing::Starting,
                    stubborn: spec.start,
                    told: None,
                };
                self.live.insert(child, live);
            }
            Action::Stop { child, how } => self.told_to_stop(child, how),
            Action::Reply(call, _) => assert!(self.unanswered.remove(&call), "{call:?} was answered before"),
            Action::Notice(notice) => self.count(notice),
            Action::Ready => self.ready = true,
            Action::Exit(_) => {
                assert!(self.live.is_empty(), "it ends before its children");
                assert!(!self.exited, "it ends twice");
                self.exited = true;
                self.ending = true;
            }
        }
    }

    fn told_to_stop(&mut self, child: ChildRef, how: StopHow) {
        let stopping =
            self.live.iter().filter(|(other, live)| **other != child && live.told.is_some()).count();
        let live = self.live.get_mut(&child).expect("only the living are stopped");
        match live.told {
            None if self.simple => {}
            None => assert_eq!(stopping, 0, "children are stopped one after another"),
            Some(before) => {
                assert_eq!((before, how), (StopHow::Shutdown, StopHow::Kill), "a second stop is a kill");
            }
        }
        if live.told.is_none() && self.ending && !self.simple {
            let in_order = self.last_stopped.is_none_or(|last| child < last);
            assert!(in_order, "{} is stopped out of reverse order", live.id);
            let above = self.live.keys().any(|other| *other > child);
            assert!(!above, "a child started after it is still there");
            self.last_stopped = Some(child);
        }
        if let Some(live) = self.live.get_mut(&child) {
            live.told = Some(how);
        }
    }

    fn count(&mut self, notice: Notice) {
        let (id, change) = match notice {
            Notice::Started { id, .. } => (id, 1),
            Notice::Exited { id, .. } => (id, -1),
            Notice::Stopped { id, .. } => {
                let up = self.started.get(&*id).copied().unwrap_or_default();
                (id, -up)
            }
            Notice::GaveUp { .. } | Notice::AutoShutdown { .. } => {
                self.ending = true;
                return;
            }
            _ => return,
        };
        *self.started.entry(id.to_string()).or_default() += change;
    }

    fn end(&mut self, child: ChildRef, reason: ExitReason) {
        if let Some(live) = self.live.remove(&child) {
            self.dead.push(child);
            let failed_first_start = live.doing == Doing::Starting && live.told.is_none() && !self.ready;
            self.ending |= failed_first_start;
            self.step(Event::Exited(child, reason));
        }
    }

    fn random_event(&mut self) {
        let children: Vec<ChildRef> = self.live.keys().copied().collect();
        if !children.is_empty() && self.random.chance(60) {
            let child = self.random.pick(&children);
            self.random_child_event(child);
            return;
        }
        match self.random.below(10) {
            0..=2 => {
                self.now += Duration::from_millis(self.random.below(60));
                self.step(Event::Wake);
            }
            3 if !self.dead.is_empty() => {
                let ghost = self.random.pick(&self.dead);
                let event = match self.random.below(3) {
                    0 => Event::Started(ghost),
                    1 => Event::StartFailed(ghost, ExitReason::Normal),
                    _ => Event::Exited(ghost, ExitReason::Killed),
                };
                self.step(event);
            }
            4 if self.random.chance(10) => {
                self.tell_to_end();
                self.step(Event::Shutdown(ExitReason::Shutdown));
            }
            5 if self.told_to_end => self.step(Event::AbandonStart),
            _ => self.random_call(),
        }
    }

    fn random_child_event(&mut self, child: ChildRef) {
        let live = &self.live[&child];
        match (live.told, live.doing) {
            (Some(StopHow::Shutdown), _) if live.stubborn => {
                // It ends when it is killed, and the kill comes with time.
                self.now += Duration::from_millis(self.random.below(60));
                self.step(Event::Wake);
            }
            (Some(StopHow::Shutdown), _) => self.end(child, ExitReason::Shutdown),
            (Some(StopHow::Kill), _) => self.end(child, ExitReason::Killed),
            (None, Doing::Starting) => match self.random.below(12) {
                0 => self.end(child, ExitReason::Abnormal("died while it started".into())),
                1 => {
                    self.live.remove(&child);
                    self.dead.push(child);
                    self.ending |= !self.ready;
                    self.step(Event::StartFailed(child, ExitReason::Abnormal("no".into())));
                }
                2 => {
                    self.live.remove(&child);
                    self.dead.push(child);
                    self.step(Event::Ignored(child));
                }
                _ => {
                    self.live.get_mut(&child).expect("alive").doing = Doing::Running;
                    self.step(Event::Started(child));
                }
            },
            (None, Doing::Running) => {
                if self.random.chance(30) {
                    let crash = ExitReason::Abnormal("crash".into());
                    let reasons = [ExitReason::Normal, ExitReason::Shutdown, ExitReason::Killed, crash];
                    let reason = self.random.pick(&reasons);
                    self.end(child, reason);
                }
            }
        }
    }

    fn random_call(&mut self) {
        let names = ["c0", "c1", "c2", "x0", "x1", "c0#1", "c0#2", "nobody"];
        let name = self.random.pick(&names).into();
        let call = match self.random.below(8) {
            0 | 1 => Call::TerminateChild(name),
            2 => Call::RestartChild(name),
            3 => Call::DeleteChild(name),
            4 => Call::WhichChildren,
            5 => Call::CountChildren,
            _ if self.simple => {
                Call::StartInstance { id: None, start: self.stubborn_instances && self.random.chance(50) }
            }
            _ => {
                let flags = *self.supervisor.flags();
                Call::StartChild(spec(&mut self.random, &flags, &name))
            }
        };
        self.calls += 1;
        let id = CallId(self.calls);
        self.unanswered.insert(id);
        self.step(Event::Call(id, call));
    }

    /// Tells the supervisor to end and lets its children obey, or be killed.
    fn shut_down(&mut self) {
        self.tell_to_end();
        self.last_stopped = None;
        let in_flight = self.live.values().any(|live| live.told.is_some());
        self.step(Event::Shutdown(ExitReason::Shutdown));
        for _ in 0..SHUTDOWN_STEPS_MAX {
            if self.exited {
                break;
            }
            let obeys =
                |live: &Live| live.told == Some(StopHow::Kill) || (live.told.is_some() && !live.stubborn);
            let gone = self.live.iter().find(|(_, live)| obeys(live)).map(|(child, _)| *child);
            if self.live.values().any(|live| live.doing == Doing::Starting && live.told.is_none()) {
                self.step(Event::AbandonStart);
            } else if let Some(child) = gone {
                self.end(child, ExitReason::Shutdown);
            } else if let Some(at) = self.supervisor.next_wake() {
                self.now = self.now.max(at);
                self.step(Event::Wake);
            } else {
                panic!("the shutdown hangs (one was on its way out before: {in_flight})");
            }
        }
        assert!(self.exited, "the shutdown takes for ever");
        assert!(self.unanswered.is_empty(), "calls without an answer: {:?}", self.unanswered);
    }
}

fn spec(random: &mut Random, flags: &Flags, id: &str) -> ChildSpec<bool> {
    let restart = random.pick(&[Restart::Permanent, Restart::Transient, Restart::Temporary]);
    let may_be = flags.auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent;
    let stubborn = random.chance(30);
    let timeout = Shutdown::Timeout(Duration::from_millis(random.below(100)));
    // Without a limit a stubborn child could be waited for without end, rightly.
    let polite = [Shutdown::BrutalKill, timeout, Shutdown::Infinity];
    let shutdown = if stubborn { timeout } else { random.pick(&polite) };
    let spec = ChildSpec::worker(id, stubborn).restart(restart).stop_by(shutdown);
    spec.significant(may_be && random.chance(50))
}

#[test]
fn one_life_per_child_reverse_stops_and_a_shutdown_that_ends() {
    for seed in seeds(CASES) {
        let mut shell = Shell::new(seed);
        shell.step(Event::Init);
        for _ in 0..STEPS {
            shell.random_event();
        }
        shell.shut_down();
    }
}

/// The window as a sentence: all restarts so far that are at most one period old.
#[test]
fn the_intensity_window_agrees_with_a_naive_count() {
    let mut random = Random::new(seed());
    for _ in 0..500 {
        let period = Duration::from_millis(1 + random.below(20));
        let (mut window, mut all, mut now) = (VecDeque::new(), Vec::new(), Duration::ZERO);
        for _ in 0..200 {
            now += Duration::from_millis(random.below(8));
            all.push(now);
            let naive = all.iter().filter(|at| now - **at <= period).count();
            assert_eq!(add_restart(&mut window, now, period), naive, "at {now:?}, period {period:?}");
            assert_eq!(window.len(), naive, "nothing older is kept");
        }
    }
}

/// A supervisor gives up with the first restart of which more than its intensity lie within one period,
/// failed starts included, and with none before: whatever its strategy, whoever of its children ends.
#[test]
fn a_supervisor_gives_up_when_a_naive_count_says_so() {
    let mut random = Random::new(seed());
    let (mut gave_up, mut endured) = (0, 0);
    for _ in 0..2_000 {
        let flags = Flags {
            strategy: random.pick(&[Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]),
            intensity: random.below(6) as u32,
            period: Duration::from_millis(1 + random.below(20)),
            ..Flags::default()
        };
        let children = ["a", "b", "c"].map(|id| ChildSpec::worker(id, ())).into();
        let mut supervisor = Supervisor::new(flags, children, 0).expect("the specifications are valid");
        let mut restarts: Vec<Duration> = Vec::new();
        let mut now = Duration::ZERO;
        let mut has_given_up = drive(&mut supervisor, now, Event::Init, &mut || false);
        for _ in 0..20 {
            now += Duration::from_millis(random.below(25));
            let lives: Vec<ChildRef> = supervisor.lives().collect();
            let crash = Event::Exited(random.pick(&lives), ExitReason::Abnormal("crash".into()));
            restarts.push(now);
            let mut fails = || {
                let fails = random.chance(15);
                // A start that fails is tried again at once, and that is one more restart.
                restarts.extend(fails.then_some(now));
                fails
            };
            has_given_up = drive(&mut supervisor, now, crash, &mut fails);
            let window =
                |at: &Duration| restarts.iter().filter(|r| *r <= at && *at - **r <= flags.period).count();
            // Restarts of the same time were decided one after another: the last of them saw all.
            let too_many = restarts.iter().any(|at| window(at) > flags.intensity as usize);
            assert_eq!(has_given_up, too_many, "{flags:?}: restarts at {restarts:?}");
            if has_given_up {
                break;
            }
        }
        gave_up += u32::from(has_given_up);
        endured += u32::from(!has_given_up);
    }
    assert!(gave_up > 100 && endured > 100, "{gave_up} gave up, {endured} did not");
}

/// Carries out all that follows from an event; whether the supervisor gave up.
fn drive(
    supervisor: &mut Supervisor<()>,
    now: Duration,
    event: Event<()>,
    fails: &mut dyn FnMut() -> bool,
) -> bool {
    let mut events = VecDeque::from([event]);
    let mut gave_up = false;
    loop {
        let due = supervisor.next_wake().is_some_and(|at| at <= now);
        let Some(event) = events.pop_front().or(due.then_some(Event::Wake)) else { return gave_up };
        let mut actions = Vec::new();
        supervisor.step(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Start { child, .. } if fails() => {
                    events.push_back(Event::StartFailed(child, ExitReason::Normal));
                }
                Action::Start { child, .. } => events.push_back(Event::Started(child)),
                Action::Stop { child, .. } => events.push_back(Event::Exited(child, ExitReason::Shutdown)),
                Action::Notice(Notice::GaveUp { .. }) => gave_up = true,
                _ => {}
            }
        }
    }
}
