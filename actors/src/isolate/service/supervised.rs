//! A service of an isolate under a supervisor: one loop after another in the same seat.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use mycelium_mailbox::{Stop, wake};
use mycelium_supervisor::engine::LifeId;

use super::{ServiceSeat, run_in};
use crate::isolate::seat::AnySeat;
use crate::isolate::tree::{Factory, Reporter, SeatSite, SeatedChild};
use crate::isolate::waits::SeatWait;
use crate::life::Origin;
use crate::{Service, StopReason};

/// What a service under a supervisor has besides.
pub(super) struct ServiceWard<S> {
    reporter: Reporter,
    factory: Factory<S>,
    /// Whether its supervisor wants to know that it makes progress.
    probed: Cell<bool>,
    last_end: RefCell<Option<StopReason>>,
    /// No other life comes: it ends as soon as its code has come to a wait. Whether it was shut down.
    retired: Cell<Option<bool>>,
}

impl<S> ServiceWard<S> {
    /// A life is over. Why the whole is, if it is too.
    pub(super) fn over(&self, reason: &StopReason) -> Option<StopReason> {
        *self.last_end.borrow_mut() = Some(reason.clone());
        self.reporter.parked(reason);
        self.retired.get().map(|shut_down| self.reason(shut_down))
    }

    /// Why the whole is over.
    fn reason(&self, shut_down: bool) -> StopReason {
        let last = self.last_end.take();
        let by_itself = last.filter(|reason| !(shut_down && *reason == StopReason::Normal));
        by_itself.unwrap_or(StopReason::Shutdown)
    }
}

/// Seats a service under a supervisor; its first life begins when its supervisor says so.
pub(crate) fn seat_service<S: Service>(site: SeatSite, factory: &Factory<S>) -> Rc<dyn AnySeat> {
    let core = Rc::clone(&site.core);
    let (index, waker) = core.next_seat();
    let ward = ServiceWard {
        reporter: site.reporter(),
        factory: Factory::clone(factory),
        probed: Cell::new(false),
        last_end: RefCell::default(),
        retired: Cell::new(None),
    };
    let seat: Rc<dyn AnySeat> = Rc::new(ServiceSeat {
        core: Rc::clone(&core),
        index,
        waker,
        run: RefCell::default(),
        life: RefCell::default(),
        begun: Cell::new(false),
        busy: Cell::new(false),
        stop_watchers: RefCell::default(),
        wait: Cell::new(SeatWait::Outside),
        retired: RefCell::default(),
        ended: RefCell::default(),
        watchers: RefCell::default(),
        ward: Some(Box::new(ward)),
    });
    core.add_quiet_seat(Rc::clone(&seat));
    seat
}

impl<S: Service> ServiceSeat<S> {
    /// It has ended for good, and was its supervisor's.
    pub(super) fn has_ended_as_child(&self, reason: StopReason) {
        *self.ended.borrow_mut() = Some(reason);
        self.core.seat_ended(self.index);
        self.watchers.take().into_iter().for_each(wake);
        self.core.may_be_free(self.index);
    }
}

impl<S: Service> SeatedChild for ServiceSeat<S> {
    fn begin_life(&self, life: LifeId, _: bool) {
        let Some(ward) = &self.ward else { return };
        ward.reporter.begin(life);
        ward.probed.set(false);
        self.begun.set(false);
        self.life.take();
        match StopReason::catch(&*ward.factory) {
            Ok(service) => {
                *self.run.borrow_mut() =
                    Some(run_in(&self.core, self.index, service, Origin::Path(self.path())));
                self.core.enqueue_resume(self.index);
                ward.reporter.started();
            }
            Err(reason) => _ = ward.over(&reason),
        }
    }

    fn ask_shutdown(&self, for_good: bool) {
        self.ask_stop(if for_good { Stop::ForGood } else { Stop::Pause });
    }

    fn give_up(&self, reason: &str) {
        self.end(StopReason::Failed(reason.into()));
    }

    fn tree(&self) -> u64 {
        self.ward.as_ref().map_or(0, |ward| ward.reporter.tree())
    }

    fn path(&self) -> Arc<str> {
        self.ward.as_ref().map_or_else(|| S::name().into(), |ward| Arc::clone(ward.reporter.path()))
    }

    fn says_ready(&self) {
        if let Some(ward) = &self.ward {
            ward.reporter.ready();
        }
    }

    fn probe(&self) -> bool {
        self.ward.as_ref().is_some_and(|ward| !ward.probed.replace(true))
    }

    fn is_at_work(&self) -> bool {
        true
    }

    fn beat(&self) {
        if let Some(ward) = &self.ward
            && ward.probed.get()
        {
            ward.reporter.does(true);
        }
    }

    fn retire(&self, shut_down: bool) {
        let Some(ward) = &self.ward else { return };
        ward.reporter.dismiss();
        if self.has_ended() {
            return;
        }
        if self.busy.get() {
            // Its own code has brought this about: it ends when that has come to a wait.
            return ward.retired.set(Some(shut_down));
        }
        let reason = ward.reason(shut_down);
        drop(self.run.take());
        self.has_ended_as_child(reason);
    }
}
