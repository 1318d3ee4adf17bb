//! The end of a link whose bus ends.

use std::time::Duration;

use mycelium_remote::link::Ended;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::{Driver, Phase};
use crate::rt::Instant;

/// How long a peer that wants nothing, and whose messages are not taken any more, may take to acknowledge
/// something when it has read all that is for it (time).
const PATIENCE: Duration = Duration::from_secs(1);

/// A ping behind all that was sent.
pub(super) struct LastPing {
    /// How many messages were sent and acknowledged by then: it tells nothing of others.
    said: (u64, u64),
    pong: oneshot::Receiver<u64>,
    answered: Option<Instant>,
}

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
    /// be seen, and that it has read what was for it and acknowledges nothing; a peer that never wanted any
    /// topic has until the limit.
    fn is_in_vain(&mut self) -> bool {
        let wants_no_more = self.wanted_some && self.interest.is_empty() && self.outflow.is_empty();
        let stats = self.link.stats();
        let said = (stats.sent, stats.acknowledged);
        if !self.skipped || !wants_no_more || self.probe.as_ref().is_some_and(|probe| probe.said != said) {
            self.probe = None;
            return false;
        }
        let Some(probe) = &mut self.probe else {
            let written = self.line.as_ref().is_some_and(|line| line.written == line.out.len());
            if written && self.link.is_written() {
                let (reply, pong) = oneshot::channel();
                self.ping(reply);
                self.probe = Some(LastPing { said, pong, answered: None });
            }
            return false;
        };
        match (probe.answered, probe.pong.try_recv()) {
            (Some(answered), _) => answered.elapsed() >= PATIENCE,
            (None, Err(TryRecvError::Empty)) => false,
            (None, Ok(_)) => {
                probe.answered = Some(Instant::now());
                false
            }
            // With its connection.
            (None, Err(TryRecvError::Closed)) => {
                self.probe = None;
                false
            }
        }
    }

    /// Whether there is nothing left to do for ever.
    pub(super) fn is_over(&mut self) -> bool {
        // Looked at last, as it looks into all queues.
        let drained = |driver: &mut Self| driver.link.is_drained() && driver.outflow.is_empty();
        let ends = self.phase == Phase::Draining && self.line.is_none();
        // One that is gone is not waited for.
        self.phase == Phase::Ended || (ends && (self.broken.is_none() || drained(self)))
    }
}
