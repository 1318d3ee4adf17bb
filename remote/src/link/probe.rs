//! Pings: how long a word takes to the peer and back.

use super::Link;
use super::control::Control;

/// How many pings of one end wait to be answered at most; more are left out.
pub const PINGS_MAX: usize = 64;

/// What is to be written. Of one connection: a new one begins without any.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pings: usize,
    pongs: usize,
}

impl Probes {
    /// This end asks. Whether there is something to tell.
    pub(super) fn ask(&mut self, attached: bool) -> bool {
        let asks = attached && self.pings < PINGS_MAX;
        self.pings += usize::from(asks);
        asks
    }

    /// The peer asks. Whether there is something to tell.
    pub(super) fn asked(&mut self) -> bool {
        let answers = self.pongs < PINGS_MAX;
        self.pongs += usize::from(answers);
        answers
    }

    /// Appends the frames.
    pub(super) fn tell(&mut self, out: &mut Vec<u8>) {
        (0..std::mem::take(&mut self.pongs)).for_each(|_| Control::Pong.encode(&[], out));
        (0..std::mem::take(&mut self.pings)).for_each(|_| Control::Ping.encode(&[], out));
    }
}

impl Link {
    /// Whether all that was taken to send has been appended to what is written: the answer to a ping that is
    /// asked for now is that of a peer which has read it.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.window.is_written()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, Decoder};

    /// The type ids of what there is to tell.
    fn told(probes: &mut Probes) -> Vec<u16> {
        let mut out = Vec::new();
        probes.tell(&mut out);
        let mut decoder = Decoder::new();
        assert_eq!(decoder.feed(&out), out.len());
        let mut all = Vec::new();
        while let Some(frame) = decoder.next_frame().expect("sound") {
            assert_eq!(frame::frame_len(frame.value.len()), frame::frame_len(0));
            all.push(frame.header.type_id);
        }
        all
    }

    #[test]
    fn each_ping_is_answered_once_and_what_waits_has_a_bound() {
        let mut probes = Probes::default();
        assert!(!probes.ask(false), "without a connection nothing is asked");
        assert!(probes.ask(true) && probes.asked() && probes.asked());
        assert_eq!(told(&mut probes), [11, 11, 10]);
        assert_eq!(told(&mut probes), [0; 0]);
        // A peer that sends and does not read.
        let answered = (0..10_000).filter(|_| probes.asked()).count();
        assert_eq!((answered, told(&mut probes).len()), (PINGS_MAX, PINGS_MAX));
    }
}
