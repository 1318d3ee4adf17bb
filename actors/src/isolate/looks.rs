//! What code outside of an isolate sees of it, and takes out of it.

use super::handle::Place;
use super::seat::AnySeat;
use super::service::ServiceSeat;
use super::steps::enter;
use super::{Isolate, IsolateStats, OUTSIDE};
use crate::{Actor, ActorRef, Clock, Service, ServiceRef, StopReason, Timestamp, TopicStats};

impl Isolate {
    /// Takes an actor out, with its state, also one that has ended; `None` if it is in the middle of a
    /// handler, panicked, was taken before, is in a tree, which counts on it, or is not of this isolate. To
    /// those who wait for its end it has ended, as one that was stopped.
    ///
    /// ```
    /// # use mycelium::{Isolate, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// let mut isolate = Isolate::new(42);
    /// let sum = isolate.spawn(Sum(0))?;
    /// isolate.tell(&sum, 7_u64)?;
    /// isolate.run()?;
    /// assert_eq!(isolate.take(&sum).map(|sum| sum.0), Some(7));
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    pub fn take<A: Actor>(&mut self, actor: &ActorRef<A>) -> Option<A> {
        let seat = self.seat(actor)?;
        enter(&self.core, || seat.take())
    }

    /// Looks at an actor's state between events; `None` if there is none: it is in the middle of a handler,
    /// has panicked, was taken, waits to be restarted, or is not of this isolate.
    ///
    /// ```
    /// # use mycelium::{Isolate, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// let mut isolate = Isolate::new(42);
    /// let sum = isolate.spawn(Sum(0))?;
    /// isolate.tell(&sum, 7_u64)?;
    /// isolate.run()?;
    /// assert_eq!(isolate.with(&sum, |sum| sum.0), Some(7));
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    pub fn with<A: Actor, R>(&mut self, actor: &ActorRef<A>, f: impl FnOnce(&mut A) -> R) -> Option<R> {
        let seat = self.seat(actor)?;
        enter(&self.core, || seat.with(f))
    }

    /// Takes a service out once its loop has returned.
    pub fn take_service<S: Service>(&mut self, service: &ServiceRef<S>) -> Option<S> {
        let place = service.as_isolate().filter(|place| place.is_of(&self.core))?;
        self.core.seat(place.seat())?.into_any().downcast::<ServiceSeat<S>>().ok()?.take()
    }

    /// Why an actor of this isolate ended, if it has.
    pub fn end_reason<A: Actor>(&mut self, actor: &ActorRef<A>) -> Option<StopReason> {
        self.seat(actor)?.end_reason()
    }

    /// The isolate's clock, for code that is no actor, such as the observer of a tree. The
    /// future of [`block_on`](Self::block_on) may wait on it.
    pub fn clock(&self) -> Clock {
        Clock::in_isolate(Place::new(&self.core, OUTSIDE))
    }

    /// The time on the isolate's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.core.now.get())
    }

    /// The counters of the isolate so far.
    pub fn stats(&self) -> IsolateStats {
        IsolateStats {
            now: self.now(),
            events: self.core.bounds.events(),
            resumptions: self.core.bounds.resumptions(),
            unheard: self.core.unheard.get(),
            dead_letters: self.core.dead_letters.get(),
            retried: self.core.retried.get(),
        }
    }

    /// The counters of every topic that anybody ever subscribed or published to.
    pub fn topics(&self) -> Vec<TopicStats> {
        self.core.topics()
    }
}
