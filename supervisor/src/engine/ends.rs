//! How lives and supervisors end other than by themselves: killed, given up, or with the supervisor above
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{ChildRef, ChildStatus, Event, Notice};
use crate::reason::ExitReason;

use super::node::{Due, Node};
use super::{Body, Engine, Estate, Host, LifeId, Look, NodeId, Report, Seen, release, release_all};

impl<H: Host> Engine<H> {
    /// Kills a supervisor: all below it ends with it, last started first.
    pub fn kill(&mut self, host: &mut H, id: NodeId) {
        let Some(parent) = self.nodes.get(&id).map(|node| node.parent) else { return };
        self.end_below(host, id);
        match parent {
            Some(life) => host.post(life.node, Report::Event(Event::Exited(life.child, ExitReason::Killed))),
            None => host.ended(ExitReason::Killed, Estate::new()),
        }
    }

    fn end_below(&mut self, host: &mut H, id: NodeId) {
        let Some(mut node) = self.remove(host, id) else { return };
        let lives: Vec<ChildRef> = node.core.lives().collect();
        // Of those that have ended before, and of which their supervisor will not hear any more.
        let mut ends = if lives.is_empty() { BTreeMap::new() } else { host.unheard_ends(id) };
        for child in lives {
            let Some(life) = node.take(child) else { continue };
            let at = LifeId { node: id, child };
            let unheard = ends.remove(&child).map(|reason| life.reason(host, reason));
            match life.body {
                Body::Node(below) => self.end_below(host, below),
                Body::Worker(body) => host.abandon(at, body, unheard.is_some()),
            }
            let child = Arc::clone(&life.spec.id);
            let status = node.core.child(&child).map(|child| child.status);
            let notice = match unheard {
                // Nobody was told that it ran.
                _ if status == Some(ChildStatus::Starting) => continue,
                Some(reason) => Notice::Exited { id: child, reason },
                None => Notice::Stopped { id: child, killed: true, reason: ExitReason::Killed },
            };
            host.notice(&node.at(id), &notice);
        }
        release_all(host, node.parked);
    }

    /// A supervisor has ended.
    pub(super) fn close(&mut self, host: &mut H, id: NodeId, reason: ExitReason) {
        let Some(mut node) = self.remove(host, id) else { return };
        let mut estate = std::mem::take(&mut node.parked);
        // A successor has the declared children alone.
        for added in node.core.added() {
            if let Some(parked) = estate.remove(added) {
                release(host, parked.left, parked.asked);
            }
        }
        if node.for_good {
            release_all(host, std::mem::take(&mut estate));
        }
        match node.parent {
            None => host.ended(reason, estate),
            Some(LifeId { node, child }) => host.post(
                node,
                match estate.is_empty() {
                    true => Report::Event(Event::Exited(child, reason)),
                    false => Report::Left(child, reason, super::Left::Tree(estate)),
                },
            ),
        }
    }

    fn remove(&mut self, host: &mut H, id: NodeId) -> Option<Node<H>> {
        let node = self.nodes.remove(&id)?;
        node.due.map(|due| self.due.remove(&due));
        // A successor has the declared children alone.
        for added in node.core.added() {
            host.forgotten(&node.at(id), added);
        }
        host.gone(&node.at(id));
        Some(node)
    }

    /// Something is due for a life.
    pub(super) fn fire(&mut self, now: Duration, host: &mut H, life: LifeId, due: Due) {
        match due {
            Due::Ready(limit) => self.end_late_start(now, host, life, limit),
            Due::Look => self.look(now, host, life),
            Due::Gone => {
                let LifeId { node: id, child } = life;
                let Some(node) = self.nodes.get_mut(&id) else { return };
                let Some(given_up) = node.take(child) else { return };
                if let Body::Worker(body) = &given_up.body {
                    host.kill(life, body);
                }
                host.missed(node.at(id).child_path(&given_up.spec.id));
                let reason = given_up.reason(host, ExitReason::Killed);
                self.step(now, host, id, Event::Exited(child, reason));
                self.forget(host, id, &given_up.spec.id);
            }
        }
    }

    fn end_late_start(&mut self, now: Duration, host: &mut H, life: LifeId, limit: Duration) {
        let Some(node) = self.nodes.get_mut(&life.node) else { return };
        let Some(late) = node.lives.get_mut(&life.child) else { return };
        let verdict: Arc<str> = format!("not ready after {limit:?}").into();
        late.verdict = Some(Arc::clone(&verdict));
        let id = Arc::clone(&late.spec.id);
        match &late.body {
            Body::Worker(body) => {
                let grace = host.give_up(life, body, &verdict);
                node.expect_gone(now, life.child, grace);
            }
            &Body::Node(below) => self.kill(host, below),
        }
        // A supervisor that is told to end waits for this start, and for nothing that has failed in it: it
        // has cut off what the child still does.
        if let Some(node) = self.nodes.get(&life.node).filter(|node| node.is_ending()) {
            host.missed(node.at(life.node).child_path(&id));
        }
    }

    fn look(&mut self, now: Duration, host: &mut H, life: LifeId) {
        let LifeId { node: id, child } = life;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(running) = node.lives.get_mut(&child) else { return };
        let Body::Worker(body) = &mut running.body else { return };
        let Look { next, seen } = host.look(now, life, body);
        let name = Arc::clone(&running.spec.id);
        let notice = seen.map(|seen| match seen {
            Seen::Recovered => {
                running.verdict = None;
                Notice::Recovered { id: name }
            }
            Seen::Stuck { quiet, detail, verdict } => {
                running.verdict = verdict.or(running.verdict.take());
                Notice::Stuck { id: name, quiet, detail }
            }
        });
        node.set_due(child, next.map(|at| (at, Due::Look)));
        if let Some(notice) = notice {
            host.notice(&node.at(id), &notice);
        }
    }
}
