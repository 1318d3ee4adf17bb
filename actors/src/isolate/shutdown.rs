//! The end of an isolate in order: trees first, then everybody else.

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use mycelium_mailbox::Stop;

use super::core::IsolateCore;
use super::handle::Place;
use super::seat::AnySeat;
use super::steps::enter;
use super::{FOREVER, Isolate, IsolateStats, IsolateTree, OUTSIDE, RunError};
use crate::error::{KILL_GRACE, Missed, SHUTDOWN_DEADLINE, ShutdownError};
use crate::{StopReason, Timestamp};

impl Isolate {
    /// Ends everybody, with [`SHUTDOWN_DEADLINE`] of virtual time to do so.
    ///
    /// # Errors
    /// See [`shutdown_within`](Self::shutdown_within).
    pub fn shutdown(&mut self) -> Result<IsolateStats, RunError> {
        self.shutdown_within(SHUTDOWN_DEADLINE)
    }

    /// Shuts the trees down, the last one first, each as [`Tree::shutdown`](crate::Tree::shutdown) does. Then
    /// all other actors and services are asked at once: each actor finishes the message in hand and runs
    /// `stopping`, with [`StopReason::Shutdown`], and each service ends where it waits, or by its own hand.
    /// The clock moves as far as they need it. After `limit` of virtual time those still alive are killed; if
    /// the trees have taken all of it, the others have half a second, or `limit` if that is less. Where time
    /// ends before that, those are killed that wait for longer than there is time.
    ///
    /// ```
    /// # use mycelium::{Context, Isolate, Result, actor};
    /// # use std::time::Duration;
    /// struct Writer;
    /// #[actor]
    /// impl Writer {
    ///     #[on(direct)]
    ///     async fn write(&mut self, _: &String, ctx: &mut Context<Self>) -> Result {
    ///         ctx.sleep(Duration::from_secs(1)).await;
    ///         Ok(())
    ///     }
    /// }
    /// let mut isolate = Isolate::new(42);
    /// let writer = isolate.spawn(Writer)?;
    /// isolate.tell(&writer, "half a line".to_owned())?;
    /// isolate.run_for(Duration::from_millis(500))?;
    /// isolate.shutdown()?;
    /// assert!(!writer.is_alive());
    /// assert_eq!(isolate.now().as_nanos(), 1_000_000_000, "it finishes what it has begun");
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`RunError::Late`] names who had to be killed. See [`RunError`] for the others: what `stopping` did
    /// may fail like any handler.
    pub fn shutdown_within(&mut self, limit: Duration) -> Result<IsolateStats, RunError> {
        let deadline = self.now() + limit;
        let mut late = ShutdownError::default();
        let trees: Vec<_> = self.core.trees().into_iter().map(|tree| (tree.missed_mark(), tree)).collect();
        for (before, tree) in trees.iter().rev() {
            let handle = IsolateTree::new(&self.core, tree);
            let left = deadline.saturating_since(self.now());
            if !self.has_come(handle.stop_within(left), left)? {
                self.block_on(handle.kill())?;
            }
            late.children.extend(tree.missed_since(*before));
        }
        let left = deadline.saturating_since(self.now()).max(limit.min(KILL_GRACE));
        let mut alive = alive(&self.core);
        enter(&self.core, || alive.iter().rev().for_each(|(_, seat)| seat.ask_stop(Stop::ForGood)));
        // One after the other: all of them, looked at whenever one ends, would be the square of a crowd.
        let all_over = poll_fn(|cx| {
            while alive.pop_if(|(_, seat)| seat.is_over()).is_some() {}
            alive.last().map_or(Poll::Ready(()), |(_, seat)| {
                seat.watch(cx.waker());
                Poll::Pending
            })
        });
        let time = Place::new(&self.core, OUTSIDE).sleep(left);
        let until = async {
            tokio::select! {
                biased;
                () = all_over => {}
                () = time => {}
            }
        };
        self.has_come(until, left)?;
        for (number, seat) in alive.iter().filter(|(_, seat)| !seat.is_over()) {
            let actor = self.core.identity(*number, seat.name());
            late.missed.push(Missed { actor, killed: true });
            if let Err(panicked) = enter(&self.core, || StopReason::catch(|| seat.kill())) {
                seat.end(panicked);
            }
        }
        drop(alive);
        self.run_to(self.now().as_nanos())?;
        if late == ShutdownError::default() { Ok(self.stats()) } else { Err(RunError::Late(late)) }
    }

    /// Whether this is ready, which it is in `limit` at the latest, before the end of time.
    fn has_come(&mut self, what: impl Future<Output = ()>, limit: Duration) -> Result<bool, RunError> {
        let comes = self.now() + limit <= Timestamp::from_nanos(FOREVER);
        match self.block_on(what) {
            Ok(()) => Ok(true),
            Err(RunError::NeverReady { .. }) if !comes => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn alive(core: &IsolateCore) -> Vec<(u32, Rc<dyn AnySeat>)> {
    core.seats().into_iter().filter(|(_, seat)| !seat.is_over()).collect()
}
