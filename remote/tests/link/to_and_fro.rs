//! Messages that go to and fro.

use super::*;

#[test]
fn messages_that_go_to_and_fro_are_acknowledged_one_by_one_unless_that_is_to_stay() {
    for (stay, first) in [(false, vec!["ack", "message"]), (true, vec!["message"])] {
        let mut link = linked_with(LinkConfig { ack_delay_ns: 6 * MS, ..LinkConfig::default() });
        link.keep_acks(stay);
        go_to_and_fro(link, &first);
    }
}

fn go_to_and_fro(mut link: Link, first: &[&str]) {
    written(&mut link, 0);
    let to_and_fro = |link: &mut Link, now| {
        let sequence = link.standing().received + 1;
        link.step(now, Input::Frame(&parse(&message(7, sequence)))).expect("granted");
        assert!(link.is_quiet(), "an acknowledgement can wait");
        link.step(now, Input::Consumed { type_id: 7, count: 1 }).expect("it was taken");
        step(link, &control(5, &[7, 0, 255, 0, 0, 0, 0, 0, 0, 0])).expect("credit");
        send(link, 7).expect("credit");
        written(link, now).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(to_and_fro(&mut link, 0), first);
    assert_eq!(to_and_fro(&mut link, 2 * MS), first);
    let others_wait = first == ["message"];
    assert_eq!(link.deadline() == Some(6 * MS), others_wait, "the first one is acknowledged by then");
    assert_eq!(to_and_fro(&mut link, 3 * MS), ["ack", "message"]);
    assert_eq!(to_and_fro(&mut link, 3 * MS), first);
}
