//! For how long a peer may say nothing.

use super::*;

/// A link, and the time by its clock.
struct Clocked {
    link: Link,
    now: u64,
}

impl Clocked {
    /// Four connections have died of silence before they were of use.
    fn slow() -> Self {
        let mut clocked = Self { link: linked(), now: 0 };
        assert_eq!([0; 6].map(|heard| clocked.lasts(1, heard)), [5, 10, 20, 40, 80, 80]);
        clocked
    }

    /// How long a connection lasts on which the peer is heard each `every` seconds, for so many, in seconds.
    fn lasts(&mut self, every: u64, heard: u64) -> u64 {
        self.reconnect();
        self.hears(every, heard) + heard
    }

    fn reconnect(&mut self) {
        let knows = Standing { peer_end: 10, ..PEER };
        self.link.step(self.now, Input::Detach).expect("ours");
        self.link
            .attach(self.now, self.now, &agreement(), &self.link.standing(), &knows)
            .expect("the same peer");
    }

    /// The peer is heard so long: after how many seconds of silence its connection is dead then.
    fn hears(&mut self, every: u64, heard: u64) -> u64 {
        let begin = self.now;
        for second in 0.. {
            self.now = begin + second * 1_000 * MS;
            if second <= heard && second.is_multiple_of(every) {
                self.link.step(self.now, Input::Busy).expect("a sign of life");
            }
            if let Err(LinkFault::Silent { limit_ns }) = self.link.step(self.now, Input::Tick) {
                assert_eq!(self.now, begin + heard * 1_000 * MS + limit_ns);
                return second - heard;
            }
        }
        unreachable!("it is silent for ever")
    }
}

#[test]
fn a_peer_that_is_slow_is_heard_once_it_was_given_time_enough() {
    let mut clocked = Clocked::slow();
    assert_eq!(clocked.lasts(1, 319), 319 + 80, "it was of use for less than four times as long");
    assert_eq!(
        [320, 20, 20].map(|heard| clocked.lasts(1, heard)),
        [325, 25, 25],
        "one that was of use is found to be silent as soon as ever, and gives the next one no more time"
    );
}

#[test]
fn a_connection_that_was_of_use_and_ended_otherwise_gives_the_next_one_no_more_time() {
    let mut clocked = Clocked::slow();
    clocked.reconnect();
    for _ in 0..320 {
        clocked.now += 1_000 * MS;
        clocked.link.step(clocked.now, Input::Busy).expect("a sign of life");
    }
    // Another connection takes its place, or the system ends it.
    assert_eq!(clocked.lasts(1, 0), 5);
}

#[test]
fn a_peer_that_stays_slow_keeps_as_much_time_as_it_needs() {
    let mut clocked = Clocked::slow();
    assert_eq!(clocked.lasts(30, 3_000), 3_000 + 80);
    assert_eq!(clocked.lasts(8, 800), 800 + 20, "twice the longest silence, and no less");
    assert_eq!(clocked.lasts(8, 800), 800 + 20, "so has the next one");
    assert_eq!(clocked.lasts(1, 160), 160 + 5, "it is slow no more");
}
