//! What a step of a run is taken from, and how a run ends that may not go on.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use super::apart::is_tokios;
use super::bounds::{Over, Seen};
use super::core::IsolateCore;
use super::waits::SeatWait;
use super::{OUTSIDE, RunError};
use crate::{StopReason, Timestamp};

thread_local! {
    /// The isolate whose code runs on this thread.
    static RUNS: RefCell<Option<Rc<IsolateCore>>> = const { RefCell::new(None) };
}

/// Polls code of an isolate.
///
/// # Panics
/// When `code` does.
pub(super) fn enter<R>(core: &Rc<IsolateCore>, code: impl FnOnce() -> R) -> R {
    struct Leave(Option<Rc<IsolateCore>>);
    impl Drop for Leave {
        fn drop(&mut self) {
            RUNS.set(self.0.take());
        }
    }
    let _leave = Leave(RUNS.replace(Some(Rc::clone(core))));
    mycelium_mailbox::enter(core, code)
}

/// Whether code may go on that has waited for nothing, whomever it wanted something of: in an isolate that is
/// a step of the run, see [`IsolateCore::goes_on`].
#[cold]
pub(crate) fn goes_on(cx: &TaskContext<'_>) -> bool {
    let core = RUNS.with_borrow(Clone::clone);
    core.is_none_or(|core| core.goes_on(cx))
}

/// The step of a wait that is over before it begins, because of an error or of work that is done in place:
/// without it a loop of such waits would be no part of any bound. Ready at once where no isolate runs.
pub(crate) fn step() -> impl Future<Output = ()> + Send {
    poll_fn(|cx| if goes_on(cx) { Poll::Ready(()) } else { Poll::Pending })
}

/// The outcome of such a wait, after its step.
pub(crate) async fn stepped<T>(outcome: T) -> T {
    step().await;
    outcome
}

impl IsolateCore {
    /// Looks at the bounds of the run. `Ok`: there is a step.
    #[cold]
    pub(crate) fn look(&self) -> Result<(), Over> {
        let (now, unheard, replayed) = (self.now.get(), self.unheard.get(), self.replayed.get());
        if self.bounds.look(&Seen { now, unheard, replayed })? {
            self.went_on.set(OUTSIDE);
        }
        Ok(())
    }

    /// How a run ends that is over.
    #[cold]
    pub(crate) fn over(&self, over: Over) -> RunError {
        let service = self.seat(self.went_on.get()).filter(|seat| !seat.has_ended());
        let seat = if service.is_some() { self.went_on.get() } else { self.running.get() };
        let (actor, at) = (self.identity_in(seat), self.moment());
        match over {
            Over::Stopped => RunError::Stopped { at },
            Over::TooMany(events_max) => RunError::TooManyEvents { events_max, actor, at },
            Over::TooManyResumptions(resumptions_max) => {
                RunError::TooManyResumptions { resumptions_max, actor, at }
            }
            Over::Spinning => RunError::Spinning { actor, at },
        }
    }

    /// What the clock shows.
    pub(crate) fn moment(&self) -> Timestamp {
        Timestamp::from_nanos(self.now.get())
    }

    /// Code that runs now has to wait for this.
    pub(crate) fn note_wait(&self, wait: SeatWait) {
        self.waits.note(wait, self.running.get(), self.bounds.events());
    }

    /// What the code in this seat, which waits now, has to wait for.
    pub(crate) fn take_wait(&self, seat: u32) -> SeatWait {
        self.waits.take(seat, self.bounds.events())
    }

    /// Ends the run if an actor or service ended because it wanted something of tokio.
    pub(crate) fn judge(&self, actor: &'static str, seat: u32, reason: &StopReason) {
        if let StopReason::Panicked(panic) = reason
            && is_tokios(panic)
        {
            let (actor, at) = (self.identity(seat, actor), self.moment());
            self.fail(RunError::NeedsTokio { actor, at });
        }
    }

    /// Takes a step for code that goes on without a message, if the run is not over.
    #[inline]
    pub(crate) fn take_step(&self) -> Result<(), Over> {
        if !self.bounds.has_step() {
            self.look()?;
        }
        self.bounds.count_resumption();
        Ok(())
    }

    /// The same in the midst of code, which is to return to the run loop before the run ends.
    pub(crate) fn takes_step(&self) -> bool {
        self.take_step().is_ok() || self.bounds.overdraw()
    }

    /// Ends the run if it is over, and code has taken steps since.
    pub(crate) fn end_overdrawn(&self) -> Result<(), RunError> {
        if !self.bounds.is_overdrawn() {
            return Ok(());
        }
        self.look().map_err(|over| self.over(over))
    }

    /// The same for code that would go on without a return to the run loop: where that takes too long after
    /// the run is over, it is woken when there is another one.
    pub(crate) fn goes_on(&self, cx: &TaskContext<'_>) -> bool {
        let goes_on = self.takes_step();
        if !goes_on {
            cx.waker().wake_by_ref();
        }
        goes_on
    }
}
