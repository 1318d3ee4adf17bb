//! The feed of a tape in memory: it says how far the time has come, and the events stay where they are.

use std::sync::Arc;
use std::time::Duration;

use mycelium::{BoxError, Service, ServiceContext};

use crate::messages::{SessionEnd, Stretch, Timestamp};
use crate::tape::Tape;

/// Events of one stretch, or as many more as its last moment has. The clock of the isolate moves by
/// stretches.
const STRETCH_EVENTS: usize = 256;

/// Publishes the events of a tape in stretches, each at the time at which its last event is booked.
pub(super) struct Stretches(pub(super) Arc<Tape>);

impl Service for Stretches {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let (tape, start) = (Arc::clone(&self.0), ctx.now());
        let time_ns = |tape: &Tape, number| tape.event(number).map(|event| tape.time_of(&event).as_nanos());
        let first_ns = time_ns(&tape, 0).unwrap_or(0);
        let last_ns = tape.len().checked_sub(1).and_then(|last| time_ns(&tape, last)).unwrap_or(0);
        let mut first = 0;
        let stretches = std::iter::from_fn(move || {
            let rest = tape.len().checked_sub(first).filter(|rest| *rest > 0)?;
            let last = tape.moment_end(first + rest.min(STRETCH_EVENTS) - 1);
            let elapsed = Duration::from_nanos(time_ns(&tape, last)?.abs_diff(first_ns));
            let stretch = Stretch { first: first as u32, count: (last + 1 - first) as u32 };
            first = last + 1;
            Some((start + elapsed, stretch))
        });
        ctx.replay(stretches).await?;
        // One more moment, for what the last event causes.
        ctx.sleep(Duration::from_nanos(1)).await;
        ctx.publish(SessionEnd { timestamp: Timestamp::from_nanos(last_ns) }).await?;
        Ok(())
    }
}
