//! Handles of services.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;

use crate::isolate::{Place, Tied};
use crate::live::LiveServiceRef;
use crate::{ActorId, Identity, Service, StopReason};

/// A running service: cheap to clone, the same type live and in an isolate. Dropping it does not end the
/// service.
///
/// ```
/// use mycelium::{BoxError, Isolate, Service, ServiceContext, StopReason};
///
/// struct Once(u32);
/// impl Service for Once {
///     type Error = BoxError;
///     async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
///         self.0 += 1;
///         Ok(())
///     }
/// }
///
/// let mut isolate = Isolate::new(42);
/// let once = isolate.spawn_service(Once(0))?;
/// assert_eq!(isolate.block_on(once.ended())?, StopReason::Normal);
/// assert_eq!(isolate.take_service(&once).map(|once| once.0), Some(1));
/// # Ok::<(), BoxError>(())
/// ```
pub struct ServiceRef<S: Service> {
    backend: ServiceRefBackend,
    service: PhantomData<fn() -> S>,
}

#[derive(Clone)]
enum ServiceRefBackend {
    Isolate(Tied<Place>),
    Live(LiveServiceRef),
}

impl<S: Service> Clone for ServiceRef<S> {
    fn clone(&self) -> Self {
        Self { backend: self.backend.clone(), service: PhantomData }
    }
}

impl<S: Service> fmt::Debug for ServiceRef<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.identity(), f)
    }
}

impl<S: Service> ServiceRef<S> {
    pub(crate) fn in_isolate(place: Place) -> Self {
        Self { backend: ServiceRefBackend::Isolate(Tied::new(place)), service: PhantomData }
    }

    pub(crate) fn live(live: LiveServiceRef) -> Self {
        Self { backend: ServiceRefBackend::Live(live), service: PhantomData }
    }

    pub(crate) fn as_isolate(&self) -> Option<&Place> {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => Some(place),
            ServiceRefBackend::Live(_) => None,
        }
    }

    /// The service's identity within its bus or isolate.
    #[must_use]
    pub fn id(&self) -> ActorId {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => place.id(),
            ServiceRefBackend::Live(live) => live.id(),
        }
    }

    /// The name of the service in logs, statistics and errors. On a thread that does not run its isolate
    /// it has no path.
    #[must_use]
    pub fn identity(&self) -> Identity {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => place.identity(S::name()),
            ServiceRefBackend::Live(live) => live.member().identity(),
        }
    }

    /// The name of the service's type: [`Service::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        S::name()
    }

    /// Tells the service to stop: it ends at its next wait, or by its own hand; see
    /// [`Service`](crate::Service#how-it-ends).
    pub fn stop(&self) {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => place.ask_stop(),
            ServiceRefBackend::Live(live) => live.stop(),
        }
    }

    /// Drops the service's code where it waits; it ends with [`StopReason::Killed`].
    pub fn kill(&self) {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => place.kill(),
            ServiceRefBackend::Live(live) => live.kill(),
        }
    }

    /// Whether its loop has not ended. On a thread that does not run its isolate the answer is `false`.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => place.is_alive(),
            ServiceRefBackend::Live(live) => live.is_alive(),
        }
    }

    /// Waits for its end and says why it ended. Any number of others may wait.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn ended(&self) -> StopReason {
        match &self.backend {
            ServiceRefBackend::Isolate(place) => poll_fn(|cx| place.poll_ended(cx)).await,
            ServiceRefBackend::Live(live) => live.ended().await,
        }
    }
}
