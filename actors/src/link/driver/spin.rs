//! How a link whose connection spins waits: it looks again where it is, for a moment, and then lets others
//! run.
//!
//! The runtime polls a task that wakes itself again and again before it comes back to what it blocks on,
//! and a turn of the link costs far more than a look at the ring. So a turn that has found nothing to do is
//! followed by looks, one behind the other, for as long as others can be kept waiting; and where the socket
//! has asked to be polled again, it has asked for that behind all others (`rt::poll_later`). A turn that
//! has moved something is followed by none: who has got it is to run first.

use std::time::Duration;

use super::Driver;
use crate::rt::Instant;

/// How often a link looks before others have their turn.
pub(super) const LOOKS_MAX: u32 = 128;
/// How long it looks (time): a pause between two looks takes 10 to 50 ns, as processors go.
const LOOKS_TIME: Duration = Duration::from_micros(2);
/// How many looks there are to one at the clock.
const LOOKS_PER_CLOCK: u32 = 8;

impl Driver {
    /// After [`sleep`](Self::sleep), where nothing has moved: looks again for a moment, if the connection
    /// is one that spins. Whether there is something to do.
    pub(super) fn spin(&self) -> bool {
        // Where it reads no more for now, there is something all the time.
        let Some(line) = self.line.as_ref().filter(|_| !self.rested) else { return false };
        let mut begin = None;
        for look in 1..=LOOKS_MAX {
            match line.socket.look() {
                Some(true) => return true,
                // Whoever has rung the bell has woken this task already.
                Some(false) if self.peer.bell.is_asleep() => {}
                Some(false) | None => return false,
            }
            let since = begin.get_or_insert_with(Instant::now);
            if look.is_multiple_of(LOOKS_PER_CLOCK) && since.elapsed() >= LOOKS_TIME {
                return false;
            }
            std::hint::spin_loop();
        }
        false
    }
}
