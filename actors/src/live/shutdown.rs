//! Ending a bus: everybody is asked, everybody is waited for, and nobody is waited for longer than the deadline.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{ActorId, MessageBus, Service, ServiceHandle, SpawnError};

/// How long [`MessageBus::shutdown`] waits before it kills what is still alive.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// How long a killed actor may take to be gone. Only code that never awaits takes longer, and no one can end that.
const KILL_DEADLINE: Duration = Duration::from_millis(500);

/// Actors and services did not end in time and were killed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownError {
    /// Who missed the deadline.
    pub missed: Vec<Missed>,
}

/// One actor or service that missed the deadline of a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// Its name.
    pub name: &'static str,
    /// Its identity.
    pub id: ActorId,
    /// Whether it is gone now; if not, it is stuck in code that never awaits, and its task goes on.
    pub killed: bool,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("did not end before the deadline of the shutdown:")?;
        for (n, Missed { name, id, killed }) in self.missed.iter().enumerate() {
            let fate = if *killed { "killed" } else { "stuck in code that never awaits" };
            write!(f, "{} {name}{id} ({fate})", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for ShutdownError {}

impl MessageBus {
    /// Ends all actors and services and closes the topics; waits [`SHUTDOWN_DEADLINE`] at most.
    ///
    /// # Errors
    /// See [`shutdown_within`](Self::shutdown_within).
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        self.shutdown_within(SHUTDOWN_DEADLINE).await
    }

    /// Asks all actors and services to end, the youngest first: each finishes the message in hand and runs `stopping`.
    /// After `limit` those still alive are killed. Then the topics are closed: publishing fails, and
    /// subscribers read what waits for them and then the end.
    ///
    /// Calling it again, or from several tasks, is harmless. An actor that calls it waits for itself until the limit.
    ///
    /// # Errors
    /// [`ShutdownError`] names who missed the deadline. The bus is closed all the same.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, everybody has been asked to end, and the topics are still open.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<(), ShutdownError> {
        let deadline = Instant::now() + limit;
        self.core.close();
        let everybody = self.core.everybody();
        everybody.iter().for_each(|member| member.stop(true));
        let mut late = Vec::new();
        for member in &everybody {
            if timeout_at(deadline, member.ended().wait()).await.is_err() {
                late.push(member);
            }
        }
        late.retain(|member| !member.ended().initialized());
        late.iter().for_each(|member| member.kill());
        let deadline = Instant::now() + KILL_DEADLINE;
        let mut missed = Vec::new();
        for member in late {
            let killed = timeout_at(deadline, member.ended().wait()).await.is_ok();
            missed.push(Missed { name: member.name(), id: member.id(), killed });
        }
        self.core.topics.close();
        if missed.is_empty() { Ok(()) } else { Err(ShutdownError { missed }) }
    }
}

/// Runs services on a bus and ends them together.
///
/// ```
/// use mycelium::{BoxError, MessageBus, Service, ServiceContext, ServiceRuntime};
///
/// struct Patient;
/// impl Service for Patient {
///     type Error = BoxError;
///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
///         ctx.stopped().await;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let runtime = ServiceRuntime::new(MessageBus::new());
/// runtime.spawn_service(Patient)?;
/// runtime.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceRuntime {
    bus: MessageBus,
}

impl ServiceRuntime {
    /// A runtime for the services of `bus`.
    #[must_use]
    pub fn new(bus: MessageBus) -> Self {
        Self { bus }
    }

    /// The bus.
    #[must_use]
    pub fn bus(&self) -> &MessageBus {
        &self.bus
    }

    /// Starts a service. The same as [`MessageBus::spawn_service`].
    ///
    /// # Errors
    /// See there.
    pub fn spawn_service<S: Service>(&self, service: S) -> Result<ServiceHandle, SpawnError> {
        self.bus.spawn_service(service)
    }

    /// Ends everything on the bus. The same as [`MessageBus::shutdown`].
    ///
    /// # Errors
    /// See there.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        self.bus.shutdown().await
    }
}
