//! Draining a tree of an isolate; what that means says [`Tree::drain`](crate::Tree::drain).

use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::Stop;
use mycelium_supervisor::Call;

use super::handle::IsolateTree;
use crate::Timestamp;
use crate::dead_letters::Account;
use crate::isolate::core::IsolateCore;
use crate::isolate::handle::Place;
use crate::isolate::seat::AnySeat;
use crate::tree::{
    AtRest, DrainError, Drained, PAUSE_MAX, PAUSE_MIN, TREE_SHUTDOWN_DEADLINE, TreeEnd, is_to_be_asked_again,
    note_late, split,
};

impl IsolateTree {
    pub(crate) async fn drain(&self, limit: Duration) -> Result<Drained, DrainError> {
        let began = self.place.now();
        let deadline = began + limit;
        let before = self.missed_mark();
        let account = self.here().map(|(core, tree)| core.open_account(tree.number()));
        let account = IsolateAccount { place: &self.place, number: account };
        let (mut stopped, mut late) = (0, Vec::new());
        let mut pause = PAUSE_MIN;
        let busy = loop {
            // Actors that still handle something, and supervisors that were restarted, may start more of
            // them.
            stopped += self.stop_sources(deadline, &mut late).await;
            stopped += self.stop_services(deadline, &mut late).await;
            let (rests, busy) = self.here().map_or_else(Default::default, |(core, tree)| {
                let (rests, busy) = look(core);
                (rests && tree.sources().is_empty() && services(core).is_empty(), busy)
            });
            let now = self.place.now();
            if rests || now >= deadline {
                break busy;
            }
            self.place.sleep(pause.min(deadline.saturating_since(now))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        };
        self.stop_within(TREE_SHUTDOWN_DEADLINE).await;
        let killed = self.missed_since(before);
        let elapsed = self.place.now().saturating_since(began);
        let rest = AtRest { stopped, late, busy };
        rest.outcome(elapsed, limit, account.close(), TreeEnd { killed, stuck: false })
    }

    async fn stop_sources(&self, deadline: Timestamp, late: &mut Vec<Arc<str>>) -> usize {
        let mut stopped = 0;
        for seen in self.here().map(|(_, tree)| tree.sources()).unwrap_or_default() {
            let (above, id) = split(&seen.path);
            let limit = deadline.saturating_since(self.place.now());
            let was_stopped = || self.here().is_some_and(|(_, tree)| tree.source_stopped(&seen));
            tokio::select! {
                biased;
                answer = self.call(above, Call::TerminateChild(id.into())) => match answer {
                    Ok(_) => stopped += usize::from(was_stopped()),
                    Err(error) if is_to_be_asked_again(&error) => {}
                    // It has gone by itself.
                    Err(_) => _ = was_stopped(),
                },
                () = self.place.sleep(limit) => note_late(late, Arc::clone(&seen.path)),
            }
        }
        stopped
    }

    /// Stops the services that no supervisor looks after, the eldest first, but for the one that runs this.
    async fn stop_services(&self, deadline: Timestamp, late: &mut Vec<Arc<str>>) -> usize {
        let mut stopped = 0;
        for index in self.here().map(|(core, _)| services(core)).unwrap_or_default() {
            let seat = || self.here()?.0.seat(index);
            if let Some(seat) = seat() {
                seat.ask_stop(Stop::ForGood);
            }
            while seat().is_some_and(|seat| !seat.has_ended()) && self.place.now() < deadline {
                self.place.sleep(PAUSE_MIN).await;
            }
            match seat() {
                Some(seat) if !seat.has_ended() => {
                    note_late(late, self.place.beside(index).identity(seat.name()).text());
                }
                _ => stopped += 1,
            }
        }
        stopped
    }
}

/// An account that something is entered into until it is closed or dropped.
struct IsolateAccount<'a> {
    place: &'a Place,
    number: Option<u64>,
}

impl IsolateAccount<'_> {
    fn close(mut self) -> Account {
        self.take().unwrap_or_default()
    }

    fn take(&mut self) -> Option<Account> {
        Some(self.place.core()?.close_account(self.number.take()?))
    }
}

impl Drop for IsolateAccount<'_> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

fn services(core: &IsolateCore) -> Vec<u32> {
    let alone = |seat: &dyn AnySeat| seat.is_service() && seat.as_child().is_none() && !seat.has_ended();
    let seats = core.seats();
    let services = seats.iter().filter(|(_, seat)| alone(&**seat)).map(|(number, _)| *number);
    services.filter(|number| *number != core.running.get()).collect()
}

/// Whether all actors of an isolate rest, and those that have something to do.
fn look(core: &IsolateCore) -> (bool, Vec<Arc<str>>) {
    let seats = core.seats();
    let at_work = seats.iter().filter(|(_, seat)| !seat.has_ended() && seat.has_work());
    let busy: Vec<_> = at_work.map(|(number, seat)| core.identity(*number, seat.name()).text()).collect();
    (busy.is_empty() && core.is_empty(), busy)
}
