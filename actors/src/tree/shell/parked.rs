//! Actors between two lives. Their supervisor keeps them while it may start them again; when it ends itself, and may be restarted,
//! it leaves them to the supervisor above, which hands them to its successor.

use std::collections::BTreeMap;
use std::sync::Arc;

use mycelium_supervisor::{ChildInfo, ChildRef, ChildStatus, Strategy, Supervisor};

use super::{KILL_GRACE, Report, Shell};
use crate::live::Member;
use crate::rt;
use crate::sync::{mpsc, oneshot};
use crate::tree::launch::Launcher;

/// What waits for the next life of a child. Dropped, the actors in it end.
pub(crate) struct Parked {
    /// What the child was started with: another child of the same id gets nothing of it.
    pub(crate) from: Launcher,
    pub(crate) what: Waits,
}

pub(crate) enum Waits {
    /// An actor whose life is over: its mailbox fills, and it waits for its supervisor's word.
    Actor {
        actor: Arc<dyn Member>,
        word: oneshot::Sender<Word>,
        /// Whether its supervisor had asked it to stop.
        asked: bool,
    },
    /// The actors below a supervisor that has ended.
    Tree(Estate),
}

/// What a supervisor leaves behind, by child: in an order that is the same in each run.
pub(crate) type Estate = BTreeMap<Arc<str>, Parked>;

/// What becomes of an actor that waits.
pub(crate) enum Word {
    /// It lives on as this child, of the supervisor that takes these reports.
    Live(ChildRef, mpsc::UnboundedSender<Report>),
    /// It ends with its supervisor.
    ShutDown,
}

impl Parked {
    /// Tells all actors in it that there is no other life, and adds them to `leaving`.
    fn release(self, leaving: &mut Vec<Arc<dyn Member>>) {
        match self.what {
            Waits::Actor { actor, word, asked } => {
                if asked {
                    // One that has been killed meanwhile has ended anyway.
                    let _ = word.send(Word::ShutDown);
                }
                leaving.push(actor);
            }
            Waits::Tree(estate) => estate.into_values().for_each(|parked| parked.release(leaving)),
        }
    }
}

/// Which of the parked children wait for a life that will not come. While one of a group is in backoff, all of it comes back.
pub(crate) fn released<'a>(
    core: &Supervisor<Launcher>,
    parked: impl Iterator<Item = &'a Arc<str>>,
) -> Vec<Arc<str>> {
    let waits = |child: ChildInfo| matches!(child.status, ChildStatus::Waiting { .. });
    let group = matches!(core.flags().strategy, Strategy::OneForAll | Strategy::RestForOne);
    if group && core.children().any(waits) {
        return Vec::new();
    }
    parked.filter(|id| !core.child(id).is_some_and(waits)).cloned().collect()
}

impl Shell {
    /// Whether nothing that stops now is started again by this very supervisor: it ends, or its own start has failed.
    fn is_leaving(&self) -> bool {
        self.ending || self.on_ready.is_some()
    }

    /// Whether a child that is stopped now lives again neither under this supervisor nor under its successor.
    pub(super) fn stops_for_good(&self) -> bool {
        // A group comes back, unless all of it ends: its actors keep their mailboxes.
        let group = matches!(self.core.flags().strategy, Strategy::OneForAll | Strategy::RestForOne);
        if self.is_leaving() { self.for_good } else { !group }
    }

    /// What waits for a child that is started with `start`.
    pub(super) fn take_parked(&mut self, id: &str, start: &Launcher) -> Option<Parked> {
        let parked = self.parked.remove(id)?;
        if parked.from.is(start) {
            return Some(parked);
        }
        parked.release(&mut self.leaving);
        None
    }

    /// Lets the actors go that wait for a life which will not come.
    pub(super) fn release_parked(&mut self) {
        if self.parked.is_empty() || !self.busy.is_empty() || (self.is_leaving() && !self.for_good) {
            return;
        }
        self.leaving.retain(|actor| !actor.ended().initialized());
        for id in released(&self.core, self.parked.keys()) {
            if let Some(parked) = self.parked.remove(&id) {
                parked.release(&mut self.leaving);
            }
            self.forget_path(&id);
        }
    }

    pub(super) fn let_all_go(&mut self) {
        let parked = std::mem::take(&mut self.parked);
        self.let_go(parked);
    }

    /// The actors of `estate` end.
    pub(super) fn let_go(&mut self, estate: Estate) {
        estate.into_values().for_each(|parked| parked.release(&mut self.leaving));
    }

    /// Waits until those have ended that were let go: then what waited for them is among the dead letters. Waits until killed
    /// processes are reaped, too.
    pub(super) async fn see_off(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        let gone = async {
            for actor in &leaving {
                actor.ended().wait().await;
            }
            #[cfg(unix)]
            self.shared.groups.reaped().await;
        };
        // Nothing of theirs runs but their drops.
        let _ = rt::timeout(KILL_GRACE, gone).await;
    }
}
