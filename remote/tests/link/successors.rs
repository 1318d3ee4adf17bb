//! Processes that take the place of others.

use super::*;

#[test]
fn a_peer_started_anew_costs_what_was_not_acknowledged_and_is_not_mistaken_for_the_former_one() {
    let mut link = linked();
    for _ in 0..3 {
        send(&mut link, 7).expect("credit");
    }
    step(&mut link, &control(6, &1_u64.to_le_bytes())).expect("an ack");
    let anew = Standing { end: 60, ..PEER };
    assert_eq!(
        attach(&mut link, anew),
        Err(AttachError::NameTaken),
        "the former one lives, for all that is known"
    );
    assert_eq!(AttachError::NameTaken.reject().reason, Reason::NameTaken);
    link.step(0, Input::Detach).expect("ours");
    assert_eq!(attach(&mut link, anew), Err(AttachError::PeerRestarted { lost: 2 }));
    let stats = link.stats();
    assert_eq!(
        (stats.sent, stats.acknowledged, stats.lost, stats.waiting, stats.peer_restarts),
        (3, 1, 2, 0, 1)
    );
    assert_eq!((link.standing(), link.interest().count()), (Standing { end: 11, ..Standing::default() }, 0));
    assert_eq!(attach(&mut link, anew), Ok(Attached::First));
    assert_eq!(written(&mut link, 0), [("interest", 1), ("credit", 1), ("ack", 0)], "the new one is told");
}

/// Its last words may be late: in its place there is another process by then, whose connection was cut.
#[test]
fn a_handshake_with_a_dead_process_that_ends_late_takes_nothing_from_its_successor() {
    let mut link = Link::new(LinkConfig::default(), 10);
    let before = link.standing();
    assert_eq!(attach(&mut link, PEER), Ok(Attached::First));
    link.step(0, Input::Detach).expect("ours");
    let dead = Standing { end: 40, ..PEER };
    assert_eq!(link.attach(0, 0, &agreement(), &before, &dead), Err(AttachError::Stale));
    let knows = Standing { peer_end: 10, ..PEER };
    assert!(matches!(attach(&mut link, knows), Ok(Attached::Resumed { .. })), "it lives, and goes on");
    assert_eq!((link.stats().lost, link.stats().peer_restarts), (0, 0));
}

/// Who dials says Hello first: its own standing is of later, and so are both answers of a dead process.
#[test]
fn a_dialed_process_that_died_takes_nothing_from_its_successor_however_late_its_answers_are() {
    let mut link = Link::new(LinkConfig::default(), 10);
    let greeting = Handshake::new(20, 1);
    link.attach(30, 25, &agreement(), &link.standing(), &PEER).expect("its successor dials");
    link.step(40, Input::Detach).expect("ours");
    let dead = Standing { end: 40, ..PEER };
    let late = |link: &mut Link| link.attach(50, greeting.began(), &agreement(), &link.standing(), &dead);
    assert_eq!(late(&mut link), Err(AttachError::Stale));
    let knows = Standing { peer_end: 10, ..PEER };
    let resumed = link.attach(60, 55, &agreement(), &link.standing(), &knows);
    assert!(matches!(resumed, Ok(Attached::Resumed { .. })), "it lives, and goes on");
    assert_eq!((link.stats().lost, link.stats().peer_restarts), (0, 0));

    // The successor has a successor, and the first of the three is late again.
    link.step(70, Input::Detach).expect("ours");
    let anew = Standing { end: 60, ..PEER };
    let restarted = link.attach(80, 75, &agreement(), &link.standing(), &anew);
    assert_eq!(restarted, Err(AttachError::PeerRestarted { lost: 0 }));
    assert_eq!(late(&mut link), Err(AttachError::Stale), "the next connection is that of the last");
    assert_eq!(link.attach(90, 85, &agreement(), &link.standing(), &anew), Ok(Attached::First));
}
