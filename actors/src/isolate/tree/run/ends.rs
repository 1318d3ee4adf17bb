//! How children and supervisors end: asked to, killed, too late with their start, or between two lives.

use std::rc::Rc;
use std::sync::Arc;

use mycelium_supervisor as pure;
use pure::{ChildRef, ChildStatus, Event, ExitReason, Notice, StopHow, Strategy};

use super::{Body, Life, Node, Run};
use crate::isolate::seat::AnySeat;
use crate::isolate::tree::NodeId;
use crate::isolate::tree::child::{Told, guard};
use crate::tree::{Launcher, MISSED_MAX, observe, released};

impl Run {
    pub(super) fn stop(&mut self, id: NodeId, child: ChildRef, how: StopHow) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        // A group comes back, unless all of it ends: its actors keep their mailboxes.
        let group = matches!(node.supervisor.flags().strategy, Strategy::OneForAll | Strategy::RestForOne);
        let for_good = node.ending || !group;
        let Some(life) = node.lives.get_mut(&child) else { return };
        node.busy.insert(child);
        let late = std::mem::replace(&mut life.asked, true) && how == StopHow::Kill;
        let (name, body) = (Arc::clone(&life.id), life.body.clone());
        match (how, body) {
            (StopHow::Shutdown, Body::Node(below)) => {
                self.post.tell(below, Told::Event(Event::Shutdown(ExitReason::Shutdown)));
            }
            (StopHow::Shutdown, Body::Seat(seat)) => {
                guard(&*seat, || seat.as_child().iter().for_each(|child| child.ask_shutdown(for_good)));
            }
            (StopHow::Kill, Body::Node(below)) => {
                self.kill_below(below);
                self.post.tell(id, Told::Gone(child, ExitReason::Killed));
            }
            (StopHow::Kill, Body::Seat(seat)) => guard(&*seat, || seat.kill()),
        }
        if late {
            self.miss(id, &name);
        }
    }

    fn miss(&mut self, id: NodeId, child: &str) {
        if let Some(path) = self.child_path(id, child)
            && self.missed.len() < MISSED_MAX
            && !self.missed.contains(&path)
        {
            self.missed.push(path);
        }
    }

    /// A supervisor is killed: all below it ends with it, last started first.
    fn kill_below(&mut self, id: NodeId) {
        let Some(mut node) = self.remove(id) else { return };
        let lives: Vec<ChildRef> = node.supervisor.lives().collect();
        for child in lives {
            let Some(life) = node.lives.remove(&child) else { continue };
            life.starts_by.map(|(at, _)| self.starts.remove(&(at, id, child)));
            // One that has ended before, and of which its supervisor will not hear any more.
            let unheard = self.post.unheard_exit(id, child);
            match life.body {
                Body::Node(below) => self.kill_below(below),
                Body::Seat(seat) => {
                    if unheard.is_none() {
                        guard(&*seat, || seat.kill());
                    }
                    retire(&*seat);
                }
            }
            let id = life.id;
            let status = node.supervisor.child(&id).map(|child| child.status);
            let notice = match unheard {
                // Nobody was told that it ran.
                _ if status == Some(ChildStatus::Starting) => continue,
                Some(reason) if life.asked && !reason.is_abnormal() => {
                    Notice::Exited { id, reason: ExitReason::Shutdown }
                }
                Some(reason) => Notice::Exited { id, reason },
                None => Notice::Stopped { id, killed: true, reason: ExitReason::Killed },
            };
            observe(&node.path, &notice, self.observer.as_ref());
        }
        node.parked.values().for_each(|parked| retire(&*parked.seat));
    }

    /// A supervisor has ended.
    pub(super) fn close(&mut self, id: NodeId, reason: ExitReason) {
        let Some(node) = self.remove(id) else { return };
        node.parked.values().for_each(|parked| retire(&*parked.seat));
        match node.parent {
            None => self.end = Some(reason),
            Some((parent, child)) if node.ready => self.post.tell(parent, Told::Gone(child, reason)),
            Some((parent, child)) => {
                self.take_life(parent, child);
                self.post.tell(parent, Told::Event(Event::StartFailed(child, reason)));
            }
        }
    }

    /// Takes a supervisor out of the run.
    fn remove(&mut self, id: NodeId) -> Option<Node> {
        let node = self.nodes.remove(&id)?;
        node.wake.map(|at| self.wakes.remove(&(at, id)));
        Some(node)
    }

    /// What waits for a child that is started.
    pub(super) fn take_parked(
        &mut self,
        id: NodeId,
        spec: &pure::ChildSpec<Launcher>,
    ) -> Option<Rc<dyn AnySeat>> {
        let parked = self.nodes.get_mut(&id)?.parked.remove(&spec.id)?;
        if parked.from.is(&spec.start) {
            return Some(parked.seat);
        }
        retire(&*parked.seat);
        None
    }

    /// Lets those go that wait for a life which will not come.
    pub(super) fn release_parked(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.parked.is_empty() || !node.busy.is_empty() {
            return;
        }
        let ids = released(&node.supervisor, node.parked.keys());
        let parked: Vec<_> = ids.iter().filter_map(|id| node.parked.remove(id)).collect();
        parked.iter().for_each(|parked| retire(&*parked.seat));
    }

    pub(super) fn end_late_start(&mut self, id: NodeId, child: ChildRef) {
        let life = self.nodes.get_mut(&id).and_then(|node| node.lives.get_mut(&child));
        let Some(Life { starts_by, body, asked: false, .. }) = life else { return };
        let Some((_, limit)) = starts_by.take() else { return };
        let verdict = format!("not ready after {limit:?}");
        match body.clone() {
            Body::Seat(seat) => {
                guard(&*seat, || seat.as_child().iter().for_each(|child| child.give_up(&verdict)));
            }
            Body::Node(below) => {
                self.kill_below(below);
                self.post.tell(id, Told::Gone(child, ExitReason::Abnormal(verdict.into())));
            }
        }
    }
}

fn retire(seat: &dyn AnySeat) {
    guard(seat, || seat.as_child().iter().for_each(|child| child.retire()));
}
