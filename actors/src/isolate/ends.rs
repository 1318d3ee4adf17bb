//! The end of whoever sits in a place, as others see and bring it about.

use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::Stop;

use super::handle::Place;
use super::seat::AnySeat;
use super::waits::SeatWait;
use crate::StopReason;

impl Place {
    /// The seat, ended or not, on the isolate's thread.
    fn any_seat(&self) -> Option<Rc<dyn AnySeat>> {
        self.core()?.seat(self.seat())
    }

    pub(crate) fn ask_stop(&self) {
        if let Some(seat) = self.any_seat() {
            seat.ask_stop(Stop::Life);
        }
    }

    pub(crate) fn kill(&self) {
        let Some((core, seat)) = self.core().zip(self.any_seat()) else { return };
        let caller = core.calls_others();
        core.running.set(self.seat());
        let killed = StopReason::catch(|| seat.kill());
        drop(caller);
        // A destructor has panicked: that is its own, and not whose code calls this.
        if let Err(panicked) = killed {
            seat.end(panicked);
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.any_seat().is_some_and(|seat| !seat.has_ended())
    }

    /// Why whoever sits here has ended, if it has.
    pub(crate) fn end_reason(&self) -> Option<StopReason> {
        let seat = self.any_seat()?;
        seat.end_reason().filter(|_| seat.has_ended())
    }

    /// Ready with the reason once whoever sits here has ended; on another thread never.
    pub(crate) fn poll_ended(&self, cx: &mut TaskContext<'_>) -> Poll<StopReason> {
        let Some(core) = self.core() else { return Poll::Pending };
        // A seat that is gone went with its isolate.
        let Some(seat) = core.seat(self.seat()) else { return Poll::Ready(StopReason::Shutdown) };
        if let Some(reason) = seat.end_reason().filter(|_| seat.is_over()) {
            return if core.goes_on(cx) { Poll::Ready(reason) } else { Poll::Pending };
        }
        seat.watch(cx.waker());
        core.note_wait(SeatWait::End(self.seat()));
        Poll::Pending
    }
}
