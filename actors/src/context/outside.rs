//! Work that does not fit into a handler: code that blocks, and streams of others.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use futures_core::Stream;

use crate::context::ContextBackend;
use crate::isolate::step;
use crate::live::{BusCore, cancellable};
use crate::sync::{AtomicUsize, Ordering};
use crate::{Actor, ActorRef, BoxError, Context, Service, ServiceContext, SpawnError, StopReason, Takes};

/// Work that was given to [`Context::spawn_blocking`] has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockingError {
    /// It panicked with this message.
    Panicked(Arc<str>),
    /// The runtime has ended before it.
    RuntimeEnded,
}

impl fmt::Display for BlockingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => {
                write!(f, "the work that was done off the runtime panicked: {message}")
            }
            Self::RuntimeEnded => {
                f.write_str("the work was not done: its tokio runtime has ended, or ends now")
            }
        }
    }
}

impl std::error::Error for BlockingError {}

/// Counts a piece of work until it has ended, or was dropped before it began.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn on(core: &BusCore) -> Self {
        core.blocking.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&core.blocking))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Live: on a thread of the runtime's pool for such work. It may outlive whoever waits for it, so the bus
/// knows of it: a runtime that goes down waits for it without limit.
async fn off_the_runtime<T: Send + 'static>(
    core: &BusCore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let under_way = UnderWay::on(core);
    let counted = move || {
        let _under_way = under_way;
        work()
    };
    cancellable(tokio::task::spawn_blocking(counted)).await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => panicked(StopReason::of_panic(panic)),
        Err(_) => BlockingError::RuntimeEnded,
    })
}

/// In an isolate: here and now, in no virtual time.
async fn inline<T>(work: impl FnOnce() -> T) -> Result<T, BlockingError> {
    step().await;
    StopReason::catch(work).map_err(panicked)
}

fn panicked(reason: StopReason) -> BlockingError {
    match reason {
        StopReason::Panicked(message) => BlockingError::Panicked(message),
        other => BlockingError::Panicked(other.to_string().into()),
    }
}

impl<A: Actor> Context<A> {
    /// Runs code that blocks or computes for long on a thread that is there for such work, and waits for its
    /// result. This actor handles nothing meanwhile, and holds up nobody else.
    ///
    /// In an isolate the code runs at once, on the isolate's thread, and takes no virtual time: a run stays
    /// the same each time, if the code does.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Isolate, Responder};
    ///
    /// struct Model;
    /// impl Actor for Model { type Error = BoxError; }
    /// struct Fit(Vec<f64>);
    /// impl Responder<Fit> for Model {
    ///     type Reply = Option<f64>;
    ///     async fn answer(&mut self, fit: &Fit, ctx: &mut Context<Self>) -> Option<f64> {
    ///         let points = fit.0.clone();
    ///         ctx.spawn_blocking(move || points.iter().sum::<f64>() / points.len() as f64).await.ok()
    ///     }
    /// }
    ///
    /// let mut isolate = Isolate::new(42);
    /// let model = isolate.spawn(Model)?;
    /// assert_eq!(isolate.ask(&model, Fit(vec![1.0, 3.0]))?, Some(2.0));
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`BlockingError::Panicked`] if the code panicked, and [`BlockingError::RuntimeEnded`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, code that has begun goes on, and its result is dropped. So it is when the
    /// actor is killed meanwhile.
    pub async fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        match &self.backend {
            ContextBackend::Live(live) => off_the_runtime(live.core(), work).await,
            ContextBackend::Isolate(_) | ContextBackend::Direct(_) => inline(work).await,
        }
    }

    /// Has each item of a stream handled by this actor, in the stream's order, and `ended` after the last.
    /// Items wait for room in its mailbox as what is told does, and the stream is read no further meanwhile.
    ///
    /// The stream is read for as long as the handle that is returned is kept: kept in the actor's value,
    /// it ends with this life of the actor, and the next life attaches a stream of its own in `started`.
    /// It also ends with the bus, and a drain ends it as it ends services. Messages that it has told the
    /// actor by then are handled.
    ///
    /// In an isolate a stream may wait for the isolate's clock and its actors. One that waits for anything
    /// else, such as a socket or another thread, ends the run with
    /// [`RunError::Stuck`](crate::RunError::Stuck), which names it.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, Isolate, StreamHandle};
    /// # use std::pin::Pin;
    /// # use std::task::{Context as TaskContext, Poll};
    /// # struct Numbers(std::ops::Range<u64>);
    /// # impl futures_core::Stream for Numbers {
    /// #     type Item = u64;
    /// #     fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<u64>> {
    /// #         Poll::Ready(self.0.next())
    /// #     }
    /// # }
    ///
    /// #[derive(Default)]
    /// struct Sum { sum: u64, numbers: Option<StreamHandle> }
    /// impl Actor for Sum {
    ///     type Error = BoxError;
    ///     async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.numbers = Some(ctx.attach_stream(Numbers(0..5), NoMore)?);
    ///         Ok(())
    ///     }
    /// }
    /// impl Handler<u64> for Sum {
    ///     async fn handle(&mut self, number: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
    ///         self.sum += number;
    ///         Ok(())
    ///     }
    /// }
    /// struct NoMore;
    /// impl Handler<NoMore> for Sum {
    ///     async fn handle(&mut self, _: &NoMore, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         assert_eq!(self.sum, 10);
    ///         ctx.stop();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut isolate = Isolate::new(42);
    /// let sum = isolate.spawn(Sum::default())?;
    /// isolate.run()?;
    /// assert!(!sum.is_alive());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Closed`] on a bus that is closed; [`SpawnError::NotOnABus`] in a direct call.
    pub fn attach_stream<S, E>(&mut self, stream: S, ended: E) -> Result<StreamHandle, SpawnError>
    where
        S: Stream + Send + 'static,
        S::Item: Send + 'static,
        E: Send + 'static,
        A: Takes<S::Item> + Takes<E>,
    {
        let to = self.actor_ref();
        let reader = StreamReader { stream: Box::pin(stream), to, ended: Some(ended) };
        let detach: Box<dyn Fn() + Send + Sync> = match &self.backend {
            ContextBackend::Live(live) => {
                let reader = live.core().launch_service(reader, None)?;
                Box::new(move || reader.kill())
            }
            ContextBackend::Isolate(isolate) => {
                let reader = isolate.seat_service(reader)?;
                Box::new(move || reader.kill())
            }
            ContextBackend::Direct(_) => return Err(SpawnError::NotOnABus),
        };
        Ok(StreamHandle(detach))
    }
}

impl ServiceContext {
    /// Runs code that blocks or computes for long on a thread that is there for such work, and waits for its
    /// result; the rest is as with [`Context::spawn_blocking`].
    ///
    /// # Errors
    /// [`BlockingError::Panicked`] if the code panicked, and [`BlockingError::RuntimeEnded`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, code that has begun goes on, and its result is dropped.
    pub async fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        match self.live_core() {
            Some(core) => off_the_runtime(core, work).await,
            None => inline(work).await,
        }
    }
}

/// A stream whose items an actor handles: see [`Context::attach_stream`]. Dropped, it detaches the stream.
#[must_use = "dropped, the stream is detached: keep it in the actor"]
pub struct StreamHandle(Box<dyn Fn() + Send + Sync>);

impl Drop for StreamHandle {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamHandle")
    }
}

/// Reads a stream for an actor.
struct StreamReader<S, A: Actor, E> {
    stream: Pin<Box<S>>,
    to: ActorRef<A>,
    ended: Option<E>,
}

impl<S, A, E> Service for StreamReader<S, A, E>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
    E: Send + 'static,
    A: Takes<S::Item> + Takes<E>,
{
    type Error = BoxError;

    fn name() -> &'static str {
        "Stream"
    }

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let Self { stream, to, ended } = self;
        let reading = async {
            while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                if to.tell(item).await.is_err() {
                    return;
                }
            }
            if let Some(ended) = ended.take() {
                // One that has ended need not know.
                let _ = to.tell(ended).await;
            }
        };
        let mut reading = pin!(reading);
        if ctx.live_core().is_none() {
            // There it is ended where it waits; to wait for a stop too would be to rest.
            reading.await;
            return Ok(());
        }
        let mut stopped = pin!(ctx.stopped());
        poll_fn(|cx| match stopped.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => reading.as_mut().poll(cx),
        })
        .await;
        Ok(())
    }
}
