//! What a report leads to: a step of its supervisor, and what that decides.

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Action, Call, CallId, ChildRef, Event, Notice, StopHow};
use crate::reason::ExitReason;
use crate::spec::ChildSpec;

use super::node::{Due, EndCall, Life, Node};
use super::{
    Answer, Begun, Body, Engine, Estate, Host, Left, LifeId, NodeId, Parked, Report, TreePlace, release,
};

impl<H: Host> Engine<H> {
    /// Deals with one report. `now` is the time since any moment the host likes, never earlier than before.
    pub fn handle(&mut self, now: Duration, host: &mut H, to: NodeId, report: Report<H>) {
        let Some(node) = self.nodes.get_mut(&to) else {
            // Nobody knows it any more.
            if let Report::Left(_, _, left) = report {
                release(host, left, false);
            }
            return;
        };
        let mut ended = None;
        let event = match report {
            Report::Event(Event::Started(child)) => {
                // One that was given up meanwhile has not started in time: its end follows.
                if node.lives.get(&child).is_some_and(|life| life.verdict.is_some()) {
                    return;
                }
                node.has_started(now, host, to, child);
                Event::Started(child)
            }
            Report::Event(Event::Ignored(child)) => {
                node.take(child);
                Event::Ignored(child)
            }
            Report::Event(Event::StartFailed(child, reason)) => {
                node.take(child);
                Event::StartFailed(child, reason)
            }
            Report::Event(Event::Exited(child, reason)) => {
                let Some(life) = node.take(child) else { return };
                ended = Some(Arc::clone(&life.spec.id));
                Event::Exited(child, life.reason(host, reason))
            }
            Report::Left(child, reason, left) => {
                let Some(life) = node.take(child) else { return release(host, left, false) };
                if matches!(left, Left::Tree(_)) {
                    ended = Some(Arc::clone(&life.spec.id));
                }
                let reason = life.reason(host, reason);
                let Life { spec, asked, .. } = life;
                let parked = Parked { from: spec.start.clone(), asked, left };
                node.park(&spec.id, parked);
                Event::Exited(child, reason)
            }
            Report::Event(Event::Shutdown(reason)) => {
                node.ending = true;
                node.look_at_all();
                Event::Shutdown(reason)
            }
            Report::Stop { for_good } => {
                (node.ending, node.for_good) = (true, node.for_good | for_good);
                node.look_at_all();
                Event::Shutdown(ExitReason::Shutdown)
            }
            Report::LookAt(child, at) => {
                node.look_at(child, at);
                return self.note_due(to);
            }
            Report::Event(Event::Call(call, asked)) => {
                if let Call::DeleteChild(child) | Call::TerminateChild(child) = &asked {
                    let deletes = matches!(asked, Call::DeleteChild(_));
                    node.ends.insert(call, EndCall { child: Arc::clone(child), deletes });
                }
                Event::Call(call, asked)
            }
            Report::Event(other) => other,
        };
        self.step(now, host, to, event);
        ended.iter().for_each(|id| self.forget(host, to, id));
    }

    /// Does what is due first, if anything is by now; whether there was something.
    pub fn fire_due(&mut self, now: Duration, host: &mut H) -> bool {
        let Some((&(at, _), &id)) = self.due.first_key_value() else { return false };
        if at > now {
            return false;
        }
        match self.nodes.get_mut(&id).and_then(|node| node.take_due(now)) {
            Some((child, due)) => self.fire(now, host, LifeId { node: id, child }, due),
            None => self.step(now, host, id, Event::Wake),
        }
        self.note_due(id);
        true
    }

    /// Steps a supervisor and carries out what it decides.
    pub(super) fn step(&mut self, now: Duration, host: &mut H, id: NodeId, event: Event<H::Start>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let mut actions = std::mem::take(&mut self.actions);
        node.core.step(now, event, &mut actions);
        host.decided(&node.at(id));
        let ending = node.ending;
        for action in actions.drain(..) {
            self.perform(now, host, id, action);
        }
        self.actions = actions;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.ending != ending {
            host.decided(&node.at(id));
        }
        for (id_of_child, parked) in node.take_released() {
            release(host, parked.left, parked.asked);
            self.forget(host, id, &id_of_child);
        }
        self.note_due(id);
    }

    fn perform(&mut self, now: Duration, host: &mut H, id: NodeId, action: Action<H::Start>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        match action {
            Action::Start { child, spec } => {
                if let Err(reason) = self.start(now, host, LifeId { node: id, child }, &spec) {
                    host.post(id, Report::Event(Event::StartFailed(child, reason)));
                }
            }
            Action::Stop { child, how } => self.stop(now, host, LifeId { node: id, child }, how),
            Action::Reply(call, answer) => self.reply(host, id, call, answer),
            Action::Notice(notice) => {
                if matches!(notice, Notice::GaveUp { .. } | Notice::AutoShutdown { .. }) {
                    node.ending = true;
                    node.look_at_all();
                }
                host.notice(&node.at(id), &notice);
            }
            Action::Ready => {
                node.ready = true;
                node.look_at_all();
                match node.parent {
                    Some(life) => host.post(life.node, Report::Event(Event::Started(life.child))),
                    None => host.ready(),
                }
            }
            Action::Exit(reason) => self.close(host, id, reason),
        }
    }

    /// Answers a call; whoever has deleted a child finds that it is forgotten. Nothing of a child that a call
    /// has ended waits for another life, although its group may start it again.
    fn reply(&mut self, host: &mut H, id: NodeId, call: CallId, answer: Answer<H>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let ended = node.ends.remove(&call).filter(|_| answer.is_ok());
        let parked = ended.as_ref().and_then(|ended| node.parked.remove(&ended.child));
        let forget = |engine: &Self, host: &mut H, deleted: bool| {
            let ended = ended.iter().filter(|ended| ended.deletes == deleted);
            ended.for_each(|EndCall { child, .. }| engine.forget(host, id, child));
        };
        forget(self, host, true);
        if let Some(node) = self.nodes.get(&id) {
            host.reply(&node.at(id), call, answer);
        }
        if let Some(Parked { left, asked, .. }) = parked {
            release(host, left, asked);
            // A temporary one.
            forget(self, host, false);
        }
    }

    fn start(
        &mut self,
        now: Duration,
        host: &mut H,
        life: LifeId,
        spec: &Arc<ChildSpec<H::Start>>,
    ) -> Result<(), ExitReason> {
        let LifeId { node: id, child } = life;
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        let parked = node.parked.remove(&spec.id);
        let (parked, other) = match parked {
            Some(parked) if H::is_same(&parked.from, &spec.start) => (Some(parked), None),
            other => (None, other),
        };
        if let Some(Parked { left, asked, .. }) = other {
            release(host, left, asked);
        }
        let (before, mut left) = parked.map(|parked| ((parked.from, parked.asked), parked.left)).unzip();
        let begun = match host.start(&node.at(id), child, spec, &mut left) {
            Ok(begun) => begun,
            Err(reason) => {
                if let (Some((from, asked)), Some(left)) = (before, left) {
                    node.park(&spec.id, Parked { from, asked, left });
                }
                return Err(reason);
            }
        };
        let body = match begun {
            Begun::Worker(body) => Body::Worker(body),
            Begun::Supervisor { flags, children } => {
                let place =
                    TreePlace { path: node.at(id).child_path(&spec.id), parent: Some(life), for_good: false };
                let estate = match left.take() {
                    Some(Left::Tree(estate)) => estate,
                    other => {
                        left = other;
                        Estate::new()
                    }
                };
                let opened = self.open(host, place, flags, children, estate);
                Body::Node(
                    opened.map_err(|error| ExitReason::Abnormal(format!("start_spec: {error}").into()))?,
                )
            }
        };
        if let Some(left) = left {
            release(host, left, before.is_some_and(|(_, asked)| asked));
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.lives.insert(child, Life::new(Arc::clone(spec), body));
            let limit = H::start_limit(&spec.start);
            let ready_by = limit.and_then(|limit| Some((now.checked_add(limit)?, Due::Ready(limit))));
            node.set_due(child, ready_by);
        }
        Ok(())
    }

    fn stop(&mut self, now: Duration, host: &mut H, life: LifeId, how: StopHow) {
        let LifeId { node: id, child } = life;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let for_good = node.stops_for_good();
        node.stop_caring(child);
        let Some(running) = node.lives.get_mut(&child) else { return };
        let late = std::mem::replace(&mut running.asked, true) && how == StopHow::Kill;
        let missed = late.then(|| Arc::clone(&running.spec.id));
        match (how, &running.body) {
            (StopHow::Shutdown, Body::Worker(body)) => host.stop(life, body, for_good),
            (StopHow::Shutdown, &Body::Node(below)) => host.post(below, Report::Stop { for_good }),
            (StopHow::Kill, Body::Worker(body)) => {
                let grace = host.kill(life, body);
                node.expect_gone(now, child, grace);
            }
            (StopHow::Kill, &Body::Node(below)) => self.kill(host, below),
        }
        if let (Some(missed), Some(node)) = (missed, self.nodes.get(&id)) {
            host.missed(node.at(id).child_path(&missed));
        }
    }

    /// Tells the host when a supervisor has forgotten a child.
    pub(super) fn forget(&self, host: &mut H, node: NodeId, id: &str) {
        let Some(known) = self.nodes.get(&node) else { return };
        if known.core.child(id).is_none() {
            host.forgotten(&known.at(node), id);
        }
    }

    /// Keeps in order when a supervisor has something to do.
    pub(super) fn note_due(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let next = node.next_due();
        if node.due.map(|(at, _)| at) == next {
            return;
        }
        self.next_due += 1;
        let next = next.map(|at| (at, self.next_due));
        let before = std::mem::replace(&mut node.due, next);
        before.map(|due| self.due.remove(&due));
        self.due.extend(next.map(|due| (due, id)));
    }
}

impl<H: Host> Node<H> {
    /// A life is ready: from now on its progress is looked at, if its host wants that.
    fn has_started(&mut self, now: Duration, host: &mut H, node: NodeId, child: ChildRef) {
        let Some(life) = self.lives.get_mut(&child) else { return };
        if life.asked {
            return;
        }
        let first = match &mut life.body {
            Body::Worker(body) => host.watch(now, LifeId { node, child }, body),
            Body::Node(_) => None,
        };
        self.set_due(child, first.map(|at| (at, Due::Look)));
    }

    /// A life is given up if it is not gone by then.
    pub(super) fn expect_gone(&mut self, now: Duration, child: ChildRef, grace: Option<Duration>) {
        if let Some(grace) = grace {
            self.set_due(child, Some((now.saturating_add(grace), Due::Gone)));
        }
    }
}
