//! For how long a peer may say nothing.

use super::*;

#[test]
fn a_peer_that_is_slow_is_heard_once_it_was_given_time_enough() {
    let (mut link, mut now) = (linked(), 0);
    let knows = Standing { peer_end: 10, ..PEER };
    // How long a connection lasts on which the peer is heard for so long, in seconds.
    let mut lasts = |heard: u64| {
        link.step(now, Input::Detach).expect("ours");
        link.attach(now, &agreement(), &link.standing(), &knows).expect("the same peer");
        let begin = now;
        for second in 0.. {
            now = begin + second * 1_000 * MS;
            if second <= heard {
                link.step(now, Input::Busy).expect("a sign of life");
            }
            if let Err(LinkFault::Silent { limit_ns }) = link.step(now, Input::Tick) {
                assert_eq!(now, begin + heard * 1_000 * MS + limit_ns);
                return second;
            }
        }
        unreachable!("it is silent for ever")
    };
    assert_eq!([0; 6].map(&mut lasts), [5, 10, 20, 40, 80, 80]);
    assert_eq!(lasts(319), 319 + 80, "it was of use for less than four times as long");
    assert_eq!(
        [320, 20, 20].map(lasts),
        [400, 25, 25],
        "one that was of use gives the next one no more time"
    );
}
