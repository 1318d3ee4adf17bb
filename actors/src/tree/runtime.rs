//! Services that run on one bus and end together.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Backoff, Child, RunEnd, StartError, Supervisor, Tree};
use crate::sync::OnceCell;
use crate::{MessageBus, Service, ServiceRef, ShutdownError, SpawnError};

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
    /// Started with the first service that is to be restarted.
    tree: Arc<OnceCell<Tree>>,
}

/// How many restarts within [`RUNTIME_PERIOD`] a runtime takes before it gives up all supervised services. A
/// service that fails at once comes to about 10 a minute with the default backoff.
const RUNTIME_INTENSITY: u32 = 1_000;

/// See [`RUNTIME_INTENSITY`].
const RUNTIME_PERIOD: Duration = Duration::from_secs(60);

impl ServiceRuntime {
    /// A runtime for the services of `bus`.
    #[must_use]
    pub fn new(bus: MessageBus) -> Self {
        Self { bus, tree: Arc::default() }
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
    pub fn spawn_service<S: Service>(&self, service: S) -> Result<ServiceRef<S>, SpawnError> {
        self.bus.spawn_service(service)
    }

    /// Starts a service that is restarted whenever it ends, with the default [`Backoff`]; `make` gives its
    /// value for each life. It is the child `runtime/ID` of a tree; use [`Supervisor`] for other rules.
    ///
    /// # Errors
    /// [`StartError`]: the id is taken or not valid, or `make` panicked.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the service is started all the same, if its supervisor has been asked.
    pub async fn supervise<S: Service>(
        &self,
        id: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Result<(), StartError> {
        let tree = self.tree().await?;
        tree.start_child("runtime", Child::service(id, make)).await.map_err(StartError::Refused)
    }

    async fn tree(&self) -> Result<&Tree, StartError> {
        let root = || {
            let root = Supervisor::builder("runtime").intensity(RUNTIME_INTENSITY, RUNTIME_PERIOD);
            root.backoff(Backoff::default())
        };
        self.tree.get_or_try_init(|| root().start(&self.bus)).await
    }

    /// Runs until SIGINT (Ctrl-C) or SIGTERM, or until the supervised services have failed too often: then it
    /// stops all services, lets the actors of the bus handle what is queued for `limit` at most, and ends
    /// everything. What it returns sets the exit code; see [`Tree::run_until_signal`].
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    ///
    /// # Cancel safety
    /// See there.
    ///
    /// ```no_run
    /// use mycelium::tree::RunEnd;
    /// use mycelium::{BoxError, MessageBus, ServiceRuntime};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<RunEnd, BoxError> {
    ///     let runtime = ServiceRuntime::new(MessageBus::new());
    ///     Ok(runtime.run_until_signal(std::time::Duration::from_secs(10)).await?)
    /// }
    /// ```
    pub async fn run_until_signal(self, limit: Duration) -> io::Result<RunEnd> {
        self.tree().await.map_err(io::Error::other)?.run_until_signal(limit).await
    }

    /// Ends everything on the bus as [`MessageBus::shutdown`] does, and restarts nothing any more.
    ///
    /// # Errors
    /// See there.
    ///
    /// # Cancel safety
    /// See [`MessageBus::shutdown_within`].
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        self.bus.shutdown().await
    }
}
