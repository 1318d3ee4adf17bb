//! Services in an isolate: one future each.

mod supervised;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Stop, wake};

use self::supervised::ServiceWard;
pub(crate) use self::supervised::seat_service;
use super::Waiting;
use super::core::{IsolateCore, Parts};
use super::handle::{IsolateContext, Place, seat_of};
use super::remember;
use super::seat::AnySeat;
use super::tree::SeatedChild;
use super::waits::SeatWait;
use crate::life::{Origin, ServiceAct, ServiceEvent, ServiceLife};
use crate::{Actor, Service, SpawnError, StopReason};

type Run<S> = Pin<Box<dyn Future<Output = (S, Result<(), <S as Service>::Error>)>>>;

/// One service of an isolate.
pub(crate) struct ServiceSeat<S: Service> {
    core: Rc<IsolateCore>,
    index: u32,
    waker: Waker,
    run: RefCell<Option<Run<S>>>,
    life: RefCell<ServiceLife>,
    /// Whether the loop of this life was polled: it waits, then.
    begun: Cell<bool>,
    /// Its code runs or is dropped now, further up the stack.
    busy: Cell<bool>,
    /// Who waits for it to be told to stop.
    stop_watchers: RefCell<Vec<Waker>>,
    /// What its loop waits for, besides what may still come.
    wait: Cell<SeatWait>,
    retired: RefCell<Option<S>>,
    ended: RefCell<Option<StopReason>>,
    watchers: RefCell<Vec<Waker>>,
    /// What its supervisor needs; `None`: nobody looks after it.
    ward: Option<Box<ServiceWard<S>>>,
}

/// The loop of a service in a seat.
fn run_in<S: Service>(core: &Rc<IsolateCore>, index: u32, mut service: S, origin: Origin) -> Run<S> {
    let place = Place::new(core, index);
    Box::pin(async move {
        let ctx = crate::ServiceContext::in_isolate(place, origin, S::name);
        let result = service.run(&ctx).await;
        (service, result)
    })
}

impl<S: Service> ServiceSeat<S> {
    pub(crate) fn new(core: &Rc<IsolateCore>, index: u32, waker: Waker, service: S) -> Self {
        let origin = core.names.origin::<S>(None);
        Self {
            core: Rc::clone(core),
            index,
            waker,
            ward: None,
            run: RefCell::new(Some(run_in(core, index, service, origin))),
            life: RefCell::default(),
            begun: Cell::new(false),
            busy: Cell::new(false),
            stop_watchers: RefCell::default(),
            wait: Cell::new(SeatWait::Outside),
            retired: RefCell::default(),
            ended: RefCell::default(),
            watchers: RefCell::default(),
        }
    }

    /// The service, once its loop has returned.
    pub(crate) fn take(&self) -> Option<S> {
        self.retired.borrow_mut().take()
    }

    /// Takes in what has happened: whether its code is to be dropped.
    fn is_to_go(&self, event: ServiceEvent) -> bool {
        self.life.borrow_mut().step(event) == ServiceAct::Drop
    }

    /// Notes that its code runs or is dropped, up to the drop of this.
    fn is_busy(&self) -> impl Drop + use<'_, S> {
        struct Busy<'a>(&'a Cell<bool>);
        impl Drop for Busy<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        self.busy.set(true);
        Busy(&self.busy)
    }

    /// Whether it is in its loop.
    fn runs(&self) -> bool {
        self.busy.get() || self.run.borrow().is_some()
    }

    /// Its code goes, if it is to go where it waits. Where it runs or is dropped, further up the stack, it
    /// has not come to a wait.
    fn may_go(&self) {
        if !self.busy.get() && self.runs() && self.is_to_go(ServiceEvent::Waits) {
            self.go();
        }
    }

    /// Its code goes, whoever's code runs now. Where it is its own, it goes when that waits.
    fn go(&self) {
        if self.busy.get() {
            return;
        }
        let run = self.run.take();
        let caller = self.core.calls_others();
        self.core.running.set(self.index);
        let left = StopReason::catch(|| {
            let _busy = self.is_busy();
            drop(run);
        });
        drop(caller);
        self.has_left(left.err());
    }

    /// Nothing of it runs any more.
    fn has_left(&self, panicked: Option<StopReason>) {
        let act = self.life.borrow_mut().step(ServiceEvent::Dropped(panicked));
        let ServiceAct::Over(reason) = act else { return };
        self.core.judge(S::name(), self.index, &reason);
        drop(self.stop_watchers.take());
        if let Some(ward) = &self.ward {
            let over = ward.over(&reason);
            over.into_iter().for_each(|reason| self.has_ended_as_child(reason));
        } else {
            *self.ended.borrow_mut() = Some(reason.clone());
            self.core.left_alone(S::name(), self.index, reason);
            self.watchers.take().into_iter().for_each(wake);
            self.core.may_be_free(self.index);
        }
    }
}

impl<A: Actor> IsolateContext<A> {
    /// Adds a service beside this actor.
    pub(crate) fn seat_service<S: Service>(&self, service: S) -> Result<Place, SpawnError> {
        let seat = self.place().core().and_then(|core| seat_of::<A>(core, self.place().seat()));
        let core = Rc::clone(&seat.ok_or(SpawnError::WrongThread)?.core);
        let (index, waker) = core.next_seat();
        core.add_seat(Rc::new(ServiceSeat::new(&core, index, waker, service)));
        Ok(Place::new(&core, index))
    }
}

impl<S: Service> AnySeat for ServiceSeat<S> {
    fn resume(&self) {
        // Only the run loop resumes, and it does one thing at a time.
        let Ok(mut slot) = self.run.try_borrow_mut() else { return };
        let Some(run) = slot.as_mut() else { return };
        self.core.running.set(self.index);
        self.core.went_on.set(self.index);
        self.begun.set(true);
        let busy = self.is_busy();
        let polled = run.as_mut().poll(&mut TaskContext::from_waker(&self.waker));
        self.wait.set(self.core.take_wait(self.index));
        let Poll::Ready((service, result)) = polled else {
            drop((slot, busy));
            return self.may_go();
        };
        let over = slot.take();
        drop(slot);
        self.is_to_go(match result {
            Ok(()) => ServiceEvent::Returned,
            Err(error) => ServiceEvent::Failed(StopReason::of_error(error)),
        });
        let left = StopReason::catch(|| {
            drop(over);
            // One that no supervisor looks after can be taken out.
            match self.ward {
                None => *self.retired.borrow_mut() = Some(service),
                Some(_) => drop(service),
            }
        });
        drop(busy);
        self.has_left(left.err());
    }

    fn number(&self) -> u32 {
        self.index
    }

    fn name(&self) -> &'static str {
        S::name()
    }

    fn is_service(&self) -> bool {
        true
    }

    fn waiting(&self) -> Option<Waiting> {
        let wait = self.wait.get();
        let is_at_rest = self.core.rests(self.index)
            || matches!(wait, SeatWait::End(_) | SeatWait::TreeEnd | SeatWait::EndOfTime);
        (self.runs() && !is_at_rest).then(|| Waiting {
            actor: self.core.identity(self.index, S::name()),
            waits_for: wait.told(&self.core),
        })
    }

    fn end(&self, reason: StopReason) {
        match reason {
            StopReason::Normal => self.ask_stop(Stop::Life),
            StopReason::Shutdown => self.ask_stop(Stop::ForGood),
            StopReason::Killed => self.kill(),
            failure => {
                if self.is_to_go(ServiceEvent::Failed(failure)) {
                    self.go();
                }
            }
        }
    }

    fn ask_stop(&self, stop: Stop) {
        self.is_to_go(ServiceEvent::Told(stop));
        self.stop_watchers.take().into_iter().for_each(wake);
        // One that has not begun comes to its first wait.
        if self.begun.get() {
            self.may_go();
        }
    }

    fn kill(&self) {
        self.is_to_go(ServiceEvent::Killed);
        self.may_go();
    }

    fn asks_for_stop(&self) -> bool {
        self.is_to_go(ServiceEvent::ByHand);
        self.life.borrow().is_told()
    }

    fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        if self.life.borrow().is_told() {
            return Poll::Ready(());
        }
        remember(&self.stop_watchers, waker);
        Poll::Pending
    }

    fn is_woken_by(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }

    fn watch(&self, waker: &Waker) {
        remember(&self.watchers, waker);
    }

    fn end_reason(&self) -> Option<StopReason> {
        self.ended.borrow().clone()
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    fn as_child(&self) -> Option<&dyn SeatedChild> {
        self.ward.as_ref().map(|_| self as &dyn SeatedChild)
    }

    fn clear(&self) {
        let mut parts = Parts::new();
        parts.run(|| drop(self.run.take()));
        parts.run(|| drop(self.retired.take()));
        parts.finish();
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
