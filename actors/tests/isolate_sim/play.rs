//! Plays a scenario with real actors in an isolate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Builder, CallError, Child, ChildStatus, Notice, StartError};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, RunError, StopReason, Supervisor, Timestamp, Tree,
};
use mycelium_supervisor::sim::{self, Act, Exit, Plan, Scenario, Scripted};
use mycelium_supervisor::{Call, ChildSpec};

use crate::common::at_once;
use crate::{Line, Played, reply_of, result_of};

/// A worker of a plan.
struct Worker {
    plan: Plan,
    starts: Arc<AtomicU32>,
}

impl Actor for Worker {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        let start = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        match self.plan.start_fails.contains(&start) {
            true => Err("scripted".into()),
            false => Ok(()),
        }
    }
    async fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        if *reason == StopReason::Shutdown && !self.plan.stop_takes.is_zero() {
            ctx.sleep(self.plan.stop_takes).await;
        }
    }
}

struct Crash;
impl Handler<Crash> for Worker {
    async fn handle(&mut self, _: &Crash, _: &mut Context<Self>) -> Result<(), BoxError> {
        // Half of them by a panic.
        assert!(self.starts.load(Ordering::Relaxed).is_multiple_of(2), "crash");
        Err("crash".into())
    }
}

struct Leave;
impl Handler<Leave> for Worker {
    async fn handle(&mut self, _: &Leave, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.stop();
        Ok(())
    }
}

fn builder(id: &str, tree: &sim::Tree) -> Builder {
    let flags = tree.flags;
    let mut builder = Supervisor::builder(id)
        .strategy(flags.strategy)
        .intensity(flags.intensity, flags.period)
        .auto_shutdown(flags.auto_shutdown);
    if let Some(backoff) = flags.backoff {
        builder = builder.backoff(backoff);
    }
    tree.children.iter().fold(builder, |builder, spec| builder.child(child(spec)))
}

fn child(spec: &ChildSpec<Plan>) -> Child {
    let mut child = match &spec.start.tree {
        Some(tree) => Child::supervisor(builder(&spec.id, tree)),
        None => worker(&spec.id, &spec.start),
    };
    if let Some(shutdown) = spec.shutdown {
        child = child.shutdown(shutdown);
    }
    if let Some(backoff) = spec.backoff {
        child = child.backoff(backoff);
    }
    child.restart(spec.restart).significant(spec.significant)
}

fn worker(id: &str, plan: &Plan) -> Child {
    let (plan, starts) = (Arc::clone(plan), Arc::<AtomicU32>::default());
    Child::actor(id, move || Worker { plan: Arc::clone(&plan), starts: Arc::clone(&starts) })
}

/// The path that a notice concerns, and what it tells.
fn line(at: Timestamp, supervisor: &str, notice: &Notice) -> Line {
    let of = |id: &str| format!("{supervisor}/{id}");
    let (path, what) = match notice {
        Notice::Started { id, .. } => (of(id), "started".to_owned()),
        Notice::StartFailed { id, reason } => (of(id), format!("start_failed {}", crate::kind(reason))),
        Notice::Exited { id, reason } => (of(id), format!("exited {}", crate::kind(reason))),
        Notice::Stopped { id, killed, reason } => {
            (of(id), format!("stopped {} killed={killed}", crate::kind(reason)))
        }
        Notice::Waiting { id, backoff, .. } => (of(id), format!("waiting {backoff:?}")),
        Notice::GaveUp { .. } => (supervisor.to_owned(), "gave_up".to_owned()),
        Notice::AutoShutdown { .. } => (supervisor.to_owned(), "auto_shutdown".to_owned()),
        other => panic!("nobody is stuck here: {other:?}"),
    };
    Line { at: Duration::from_nanos(at.as_nanos() as u64), path, what }
}

/// Plays it, and gives the part of the script that was played.
pub(crate) fn play(scenario: &Scenario, seed: u64) -> (Played, Vec<Scripted>) {
    let mut isolate = Isolate::new(seed);
    let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
    let (seen, clock) = (Arc::clone(&lines), isolate.clock());
    let root = builder(&scenario.root, &scenario.tree)
        .seed(seed)
        .on_event(move |supervisor, notice| seen.lock().unwrap().push(line(clock.now(), supervisor, notice)));
    let (mut replies, mut acted) = (BTreeMap::new(), Vec::new());
    let (started, end) = match isolate.supervise(&root) {
        Err(StartError::Failed(reason)) => (false, Some(reason)),
        Err(other) => panic!("a valid tree: {other}"),
        Ok(tree) => {
            let mut script: Vec<_> = scenario.script.iter().collect();
            script.sort_by_key(|scripted| scripted.at);
            for scripted in script {
                let at = Timestamp::from_nanos(scripted.at.as_nanos() as i64);
                run(&mut isolate, &tree, Some(at));
                if let Some(act) = act(&scripted.act, &tree, &mut replies) {
                    acted.push(Scripted { at: scripted.at, act });
                }
            }
            run(&mut isolate, &tree, None);
            (true, tree.end_reason())
        }
    };
    drop(isolate);
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    (Played { lines, replies, started, end }, acted)
}

/// Runs to a moment, or until nothing is left to do. A tree that gave up ends the run.
fn run(isolate: &mut Isolate, tree: &Tree, until: Option<Timestamp>) {
    let result = match until {
        Some(at) => isolate.run_until(at),
        None => isolate.run(),
    };
    match result {
        Ok(_) => {}
        Err(RunError::TreeGaveUp { child, .. }) => {
            assert!(tree.end_reason().is_some() && child.starts_with("root/"), "{child}");
        }
        Err(other) => panic!("the tree looks after its actors: {other}"),
    }
}

fn act(act: &Act, tree: &Tree, replies: &mut BTreeMap<String, Option<String>>) -> Option<Act> {
    match act {
        Act::Exit { path, .. } if path == "root" => tree.stop(),
        Act::Exit { path, exit } if can_end(tree, path, *exit) => end(tree, path, *exit),
        Act::Exit { .. } => return None,
        Act::Call { supervisor, target, call } => {
            let answer = ask(tree, supervisor, call);
            replies.insert(target.clone(), answer);
        }
        Act::Start { .. } => panic!("generated scripts know the kind of every supervisor"),
        Act::Burst(acts) => {
            // An actor that is being stopped is left alone here: its end is told in its place, not behind the
            // burst.
            let runs = |act: &&Act| match act {
                Act::Exit { path, .. } if path != "root" => can_end(tree, path, Exit::Crash),
                _ => true,
            };
            let acts = acts.iter().filter(runs).filter_map(|one| self::act(one, tree, replies));
            return Some(Act::Burst(acts.collect()));
        }
    }
    Some(act.clone())
}

/// An actor that stops handles nothing any more, so it can be killed and not crash.
fn can_end(tree: &Tree, path: &str, exit: Exit) -> bool {
    at_once(tree.child(path)).and_then(Result::ok).is_some_and(|child| match child.status {
        ChildStatus::Running(_) => true,
        ChildStatus::Stopping => exit == Exit::Kill,
        _ => false,
    })
}

fn end(tree: &Tree, path: &str, exit: Exit) {
    let worker = tree.lookup::<Worker>(path).expect("it runs");
    match exit {
        Exit::Crash => worker.try_tell(Crash).expect("it has room"),
        Exit::Normal => worker.try_tell(Leave).expect("it has room"),
        Exit::Kill => worker.kill(),
        Exit::Shutdown => panic!("no worker does that by itself"),
    }
}

/// What a call came to; `None` if there was no answer yet.
fn ask(tree: &Tree, supervisor: &str, call: &Call<Plan>) -> Option<String> {
    let of = |id: &Arc<str>| format!("{supervisor}/{id}");
    let result = at_once(async {
        match call {
            Call::WhichChildren => {
                tree.which_children(supervisor).await.map(|children| format!("{children:?}"))
            }
            Call::CountChildren => tree.count_children(supervisor).await.map(|counts| format!("{counts:?}")),
            Call::TerminateChild(id) => tree.terminate_child(&of(id)).await.map(|()| "ok".to_owned()),
            Call::RestartChild(id) => tree.restart_child(&of(id)).await.map(|()| "ok".to_owned()),
            Call::DeleteChild(id) => tree.delete_child(&of(id)).await.map(|()| "ok".to_owned()),
            Call::StartChild(spec) => {
                tree.start_child(supervisor, child(spec)).await.map(|()| "ok".to_owned())
            }
            Call::StartInstance { id: Some(id), start } => {
                tree.start_child(supervisor, worker(id, start)).await.map(|()| "ok".to_owned())
            }
            other => panic!("not generated: {other:?}"),
        }
    });
    match result {
        None => None,
        Some(Ok(answer)) => Some(answer),
        Some(Err(CallError::NoSupervisor(_) | CallError::Ended)) => Some(reply_of(None)),
        Some(Err(CallError::Refused(error))) => Some(result_of(Err(&error))),
        Some(Err(other)) => panic!("{other}"),
    }
}
