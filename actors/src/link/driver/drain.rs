//! The end of a link whose bus ends.

use std::time::Duration;

use mycelium_remote::link::Ended;

use super::{Driver, Phase};
use crate::rt::Instant;

/// How long a peer that wants nothing, and whose messages are not taken any more, may take to acknowledge
/// something (time).
const PATIENCE: Duration = Duration::from_secs(1);

impl Driver {
    /// The bus ends: so does the link once its peer has everything.
    pub(super) fn drain(&mut self) {
        self.peer.tell_left(self.outflow.waiting(), self.inflow.late());
        let drained = self.link.is_drained() && self.outflow.is_empty() && self.answers.is_empty();
        if !drained && !self.is_in_vain() {
            return;
        }
        match &mut self.line {
            Some(line) if !line.ends => {
                line.ends = true;
                self.link.bye(Ended::Shutdown, &mut line.out);
            }
            _ => {}
        }
    }

    /// Whether the peer ends too, as far as can be seen, and takes as little of this bus as this bus of it:
    /// they would wait for each other for ever. That it wanted topics, and wants none any more, is what can
    /// be seen; a peer that never wanted any has until the limit.
    fn is_in_vain(&mut self) -> bool {
        let acknowledged = self.link.stats().acknowledged;
        let written = self.line.as_ref().is_some_and(|line| line.written == line.out.len());
        let wants_no_more = self.wanted_some && self.interest.is_empty() && self.outflow.is_empty();
        if acknowledged != self.heard.0 || !written || !self.skipped || !wants_no_more {
            self.heard = (acknowledged, Instant::now());
        }
        self.heard.1.elapsed() >= PATIENCE
    }

    /// Whether there is nothing left to do for ever.
    pub(super) fn is_over(&mut self) -> bool {
        let drained = self.link.is_drained() && self.outflow.is_empty();
        // One that is gone is not waited for.
        let ends = self.phase == Phase::Draining && self.line.is_none() && (drained || self.broken.is_none());
        self.phase == Phase::Ended || ends
    }
}
