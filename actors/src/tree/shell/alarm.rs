//! The timer of one supervisor.

use crate::rt::{Instant, Sleep, sleep_until};
use std::pin::Pin;

/// A timer that moves only when it has to ring earlier than it would.
///
/// Nearly every wait of a supervisor has a deadline of its own, the time that a start or a stop may take, and
/// nearly none is reached. A timer made anew for each would cost more than the wait: on a runtime with
/// several threads it wakes the thread that sleeps on the timers, whenever that one knew of none. This one
/// stays where the first of them set it. So it may ring early; whoever hears it looks at what is due, and
/// asks for the next time.
#[derive(Default)]
pub(super) struct TreeAlarm(Option<Pin<Box<Sleep>>>);

impl TreeAlarm {
    /// Waits until `at`, or less long.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub(super) async fn ring_by(&mut self, at: Instant) {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at || sleep.is_elapsed() {
            sleep.as_mut().reset(at);
        }
        sleep.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Where it is set after a wait until `at` that something else has ended.
    async fn set_by(alarm: &mut TreeAlarm, at: Instant) -> Instant {
        tokio::select! {
            biased;
            () = alarm.ring_by(at) => panic!("it is not due"),
            () = std::future::ready(()) => {}
        }
        alarm.0.as_ref().unwrap().deadline()
    }

    #[tokio::test]
    async fn it_moves_only_to_ring_earlier_and_after_it_has_rung() {
        let (mut alarm, now) = (TreeAlarm::default(), Instant::now());
        let (early, late) = (now + Duration::from_secs(600), now + Duration::from_secs(3600));
        assert_eq!(set_by(&mut alarm, late).await, late);
        assert_eq!(set_by(&mut alarm, early).await, early);
        assert_eq!(set_by(&mut alarm, late).await, early, "it rings before that");
        alarm.ring_by(now).await;
        assert_eq!(set_by(&mut alarm, late).await, late);
    }
}
