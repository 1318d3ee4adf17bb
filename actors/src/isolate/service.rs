//! Services in an isolate: one future each.

mod supervised;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use self::supervised::ServiceWard;
pub(crate) use self::supervised::seat_service;
use super::Waiting;
use super::core::{IsolateCore, Parts};
use super::handle::{IsolateContext, Place, seat_of};
use super::remember;
use super::seat::AnySeat;
use super::tree::SeatedChild;
use super::waits::SeatWait;
use crate::life::Origin;
use crate::{Actor, Service, SpawnError, StopReason};

type Run<S> = Pin<Box<dyn Future<Output = (S, Result<(), <S as Service>::Error>)>>>;

/// One service of an isolate.
pub(crate) struct ServiceSeat<S: Service> {
    core: Rc<IsolateCore>,
    index: u32,
    waker: Waker,
    run: RefCell<Option<Run<S>>>,
    /// Its own code has ended it, for this reason: it goes where that waits next.
    end_asked: RefCell<Option<StopReason>>,
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
            end_asked: RefCell::default(),
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

    fn record_end(&self, reason: StopReason) {
        if let Some(ward) = &self.ward {
            ward.over(&reason);
        } else if !self.has_ended() {
            *self.ended.borrow_mut() = Some(reason.clone());
            self.core.left_alone(S::name(), self.index, reason);
            self.watchers.take().into_iter().for_each(Waker::wake);
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
        let polled = run.as_mut().poll(&mut TaskContext::from_waker(&self.waker));
        self.wait.set(self.core.take_wait(self.index));
        let asked = self.end_asked.take();
        let Poll::Ready((service, result)) = polled else {
            drop(slot);
            if let Some(reason) = asked {
                self.end(reason);
            } else if self.ward.as_ref().is_some_and(|ward| ward.ends_here()) {
                self.end(StopReason::Shutdown);
            }
            return;
        };
        let over = slot.take();
        drop(slot);
        drop(over);
        if self.ward.is_none() {
            *self.retired.borrow_mut() = Some(service);
        }
        self.record_end(match result {
            Ok(()) => asked.filter(|reason| *reason == StopReason::Shutdown).unwrap_or(StopReason::Normal),
            Err(error) => StopReason::Failed(error.to_string().into()),
        });
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
        (self.run.borrow().is_some() && !is_at_rest).then(|| Waiting {
            actor: self.core.identity(self.index, S::name()),
            waits_for: wait.told(&self.core),
        })
    }

    fn end(&self, reason: StopReason) {
        let Ok(mut slot) = self.run.try_borrow_mut() else {
            self.end_asked.borrow_mut().get_or_insert(reason);
            return;
        };
        self.core.judge(S::name(), self.index, &reason);
        let run = slot.take();
        drop(slot);
        self.end_asked.take();
        drop(run);
        self.record_end(reason);
    }

    fn ask_stop(&self) {
        self.end(StopReason::Normal);
    }

    fn kill(&self) {
        self.end(StopReason::Killed);
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
