//! Waiting for a future from outside of an isolate: the isolate runs until it is ready.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::signals::LoopSignals;
use super::steps::enter;
use super::{FOREVER, Isolate, OUTSIDE, RunError};

/// Ends a run when the future that whoever runs the isolate waits for is to be polled.
struct Bell {
    signals: Arc<LoopSignals>,
    rung: AtomicBool,
    /// Somebody waits.
    is_hung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // When other threads come depends on the machine: they are not followed.
        if self.signals.is_here() && self.is_hung.load(Ordering::Relaxed) {
            self.rung.store(true, Ordering::Relaxed);
            self.signals.pause();
        }
    }
}

/// Takes the bell down: what wakes it from then on pauses nobody.
struct TakeDown<'a>(&'a Bell);

impl Drop for TakeDown<'_> {
    fn drop(&mut self) {
        self.0.is_hung.store(false, Ordering::Relaxed);
        self.0.signals.take_pause();
    }
}

impl Isolate {
    /// Runs the isolate until `future` is ready, and no further: its time moves as far as that takes. A
    /// future that is ready at once lets nothing happen.
    ///
    /// It is for futures of this isolate: the methods of its [trees](crate::Tree), the end of an actor, an
    /// answer. Wake-ups of other threads are not followed.
    ///
    /// # Errors
    /// [`RunError::NeverReady`] when nothing is left to do and the future is not ready; see [`RunError`] for
    /// the others. A future that is ready by the event at which a run fails counts as ready.
    ///
    /// # Panics
    /// When the future does.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Isolate, StopReason};
    /// use std::time::Duration;
    ///
    /// struct Mayfly;
    /// impl Actor for Mayfly {
    ///     type Error = BoxError;
    ///     async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
    ///         ctx.sleep(Duration::from_secs(86_400)).await;
    ///         ctx.stop();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut isolate = Isolate::new(42);
    /// let mayfly = isolate.spawn(Mayfly)?;
    /// assert_eq!(isolate.block_on(mayfly.ended())?, StopReason::Normal);
    /// assert_eq!(isolate.now().as_nanos(), 86_400_000_000_000);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn block_on<F: Future>(&mut self, future: F) -> Result<F::Output, RunError> {
        let core = std::rc::Rc::clone(&self.core);
        let bell = Bell {
            signals: Arc::clone(core.signals()),
            rung: AtomicBool::new(false),
            is_hung: AtomicBool::new(true),
        };
        let bell = Arc::new(bell);
        let _at_the_end = TakeDown(&bell);
        let waker = Waker::from(Arc::clone(&bell));
        let mut future = pin!(future);
        let mut run = Ok(());
        core.bounds.begin(false);
        loop {
            bell.rung.store(false, Ordering::Relaxed);
            core.running.set(OUTSIDE);
            // Kept here: it may be large, and each call on the way would have room for it several times.
            let mut output = None;
            let mut poll = || {
                if let Poll::Ready(ready) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    output = Some(ready);
                }
            };
            core.apart.call(|| enter(&core, &mut poll));
            if let Some(output) = output {
                return Ok(output);
            }
            run?;
            run = self.go_on_to(FOREVER);
            if run.is_ok() && !bell.rung.load(Ordering::Relaxed) {
                let waiting = core.seats().iter().filter_map(|(_, seat)| seat.waiting()).collect();
                return Err(RunError::NeverReady { waiting });
            }
            // To poll it again is a step, as it is for code of an actor.
            run = run.and_then(|()| {
                core.take_step().map_err(|over| {
                    // It is polled once more all the same.
                    core.bounds.overdraw();
                    core.over(over)
                })
            });
        }
    }
}
