//! The order of arrival: a supervisor that is busy when something reaches it decides as one that is sent the
//! same things one at a time, each when it rests.
//!
//! `MYCELIUM_SEED=N` replays a run, `MYCELIUM_CASES=N` makes it longer; seeds are printed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mycelium_random::{Random, cases, seeds};
use mycelium_supervisor::{
    Action, AutoShutdown, Call, CallError, CallId, ChildRef, ChildSpec, Event, ExitReason, Flags, Notice,
    Restart, Strategy, Supervisor,
};

const CASES: u64 = 3_000;
const EVENTS: u64 = 60;

/// What has a turn.
#[derive(Clone)]
enum Mail {
    Exit(ChildRef, ExitReason),
    Call(CallId, Call<()>),
    Shutdown,
}

/// A supervisor, what it waits for, and what it has decided.
struct Side {
    supervisor: Supervisor<()>,
    /// Starts and stops that it waits for.
    awaited: VecDeque<Event<()>>,
    running: BTreeMap<ChildRef, Arc<str>>,
    decided: Vec<String>,
    refused: Vec<CallId>,
}

impl Side {
    fn new(flags: Flags, children: &[ChildSpec<()>]) -> Self {
        let supervisor = Supervisor::new(flags, children.to_vec(), 0).expect("the specifications are valid");
        let (awaited, running, decided, refused) = Default::default();
        let mut side = Self { supervisor, awaited, running, decided, refused };
        side.step(Event::Init);
        side.rest();
        side
    }

    fn step(&mut self, event: Event<()>) {
        let mut actions = Vec::new();
        // One moment: every restart counts.
        self.supervisor.step(Duration::ZERO, event, &mut actions);
        for action in actions {
            let decision = match action {
                Action::Start { child, spec } => {
                    self.running.insert(child, spec.id.clone());
                    self.awaited.push_back(Event::Started(child));
                    format!("start {} {child:?}", spec.id)
                }
                Action::Stop { child, .. } => {
                    self.awaited.push_back(Event::Exited(child, ExitReason::Shutdown));
                    // A child that has ended by itself before is not stopped when its supervisor comes to
                    // that.
                    continue;
                }
                Action::Reply(call, Err(CallError::Stopping)) => {
                    self.refused.push(call);
                    continue;
                }
                Action::Reply(call, reply) => format!("reply {call:?} {reply:?}"),
                Action::Notice(Notice::Exited { .. } | Notice::Stopped { .. }) => continue,
                Action::Notice(notice) => format!("{notice:?}"),
                other => format!("{other:?}"),
            };
            self.decided.push(decision);
        }
    }

    /// What it waits for happens. False if it waits for nothing.
    fn go_on(&mut self) -> bool {
        let Some(event) = self.awaited.pop_front() else { return false };
        if let Event::Exited(child, _) = &event {
            self.running.remove(child);
        }
        self.step(event);
        true
    }

    fn rest(&mut self) {
        while self.go_on() {}
    }

    /// Whether this life runs, and nobody waits for its start or its end.
    fn can_end(&self, child: ChildRef) -> bool {
        let is_awaited = |event: &Event<()>| match event {
            Event::Started(other) | Event::Exited(other, _) => *other == child,
            _ => false,
        };
        self.running.contains_key(&child) && !self.awaited.iter().any(is_awaited)
    }

    fn send(&mut self, mail: Mail) {
        match mail {
            Mail::Exit(child, reason) => {
                self.running.remove(&child);
                self.step(Event::Exited(child, reason));
            }
            Mail::Call(id, call) => self.step(Event::Call(id, call)),
            Mail::Shutdown => self.step(Event::Shutdown(ExitReason::Normal)),
        }
    }
}

fn specs(random: &mut Random) -> (Flags, Vec<ChildSpec<()>>) {
    let strategies = [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::OneForAll,
        Strategy::RestForOne,
        Strategy::SimpleOneForOne,
    ];
    let strategy = random.pick(&strategies);
    let auto = [AutoShutdown::Never, AutoShutdown::Never, AutoShutdown::AnySignificant];
    let flags = Flags {
        strategy,
        intensity: random.pick(&[1, 5, 1_000, 1_000]),
        auto_shutdown: random.pick(&auto),
        ..Flags::default()
    };
    let count = if strategy == Strategy::SimpleOneForOne { 1 } else { 2 + random.below(4) };
    let children = (0..count).map(|i| spec(random, &flags, &format!("c{i}"))).collect();
    (flags, children)
}

fn spec(random: &mut Random, flags: &Flags, id: &str) -> ChildSpec<()> {
    let restarts = [Restart::Permanent, Restart::Permanent, Restart::Transient, Restart::Temporary];
    let restart = random.pick(&restarts);
    let may_be = flags.auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent;
    ChildSpec::worker(id, ()).restart(restart).significant(may_be && random.chance(20))
}

fn call(random: &mut Random, flags: &Flags) -> Call<()> {
    let simple = flags.strategy == Strategy::SimpleOneForOne;
    let ids: &[&str] = if simple { &["c0#1", "c0#2", "c0#3"] } else { &["c0", "c1", "c2", "x0"] };
    let id: Arc<str> = random.pick(ids).into();
    match random.below(8) {
        0..=2 => Call::TerminateChild(id),
        3 => Call::RestartChild(id),
        4 => Call::DeleteChild(id),
        5 => Call::WhichChildren,
        _ if simple => Call::StartInstance { id: None, start: () },
        _ => Call::StartChild(spec(random, flags, &id)),
    }
}

#[test]
fn a_busy_supervisor_decides_as_one_that_gets_its_mail_one_at_a_time() {
    let mut waited = 0;
    for seed in seeds(cases(CASES)) {
        let mut random = Random::new(seed);
        let (flags, children) = specs(&mut random);
        let (mut busy, mut sent) = (Side::new(flags, &children), Vec::new());
        for number in 0..EVENTS {
            if random.chance(40) && busy.go_on() {
                continue;
            }
            let alive: Vec<ChildRef> =
                busy.running.keys().copied().filter(|child| busy.can_end(*child)).collect();
            let mail = match random.below(20) {
                0 if random.chance(10) => Mail::Shutdown,
                0..=9 if !alive.is_empty() => {
                    let reasons = [ExitReason::Abnormal("crash".into()), ExitReason::Normal];
                    Mail::Exit(random.pick(&alive), random.pick(&reasons))
                }
                _ => Mail::Call(CallId(number), call(&mut random, &flags)),
            };
            waited += u64::from(!busy.awaited.is_empty());
            let last = matches!(mail, Mail::Shutdown);
            sent.push(mail.clone());
            busy.send(mail);
            if last {
                break;
            }
        }
        busy.rest();

        let mut rested = Side::new(flags, &children);
        for mail in sent {
            // The end of a life that its supervisor has settled meanwhile means nothing.
            if let Mail::Exit(child, _) = &mail
                && !rested.running.contains_key(child)
            {
                continue;
            }
            rested.send(mail);
            rested.rest();
        }
        let hint = format!("MYCELIUM_SEED={seed} MYCELIUM_CASES=1: {flags:?}");
        // A caller that is refused because the supervisor ends is told as soon as that is known.
        busy.decided.retain(|decision| !decision.starts_with("Exit("));
        rested.decided.retain(|decision| !decision.starts_with("Exit("));
        assert_eq!(busy.decided, rested.decided, "{hint}");
        assert_eq!(busy.refused, rested.refused, "{hint}");
        assert_eq!(busy.supervisor.has_ended(), rested.supervisor.has_ended(), "{hint}");
    }
    assert!(waited > 10_000 || cases(CASES) < CASES, "hardly anything reached a busy supervisor");
}
