//! Words of a connection that goes, heard behind those of the next one: of two connections each end may
//! attach another one last.

use super::*;

fn words(link: &mut Link) -> Vec<u8> {
    let mut out = Vec::new();
    link.fill(0, &mut out);
    out
}

fn hear(link: &mut Link, bytes: &[u8]) {
    let (mut decoder, mut rest) = (Decoder::new(), bytes);
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)..];
        while let Some(frame) = decoder.next_frame().expect("ours are sound") {
            link.step(0, Input::Frame(&frame)).expect("it keeps the rules");
        }
    }
}

fn do_as(link: &mut Link, input: Input<'_>) {
    link.step(0, input).expect("it breaks no rule");
}

/// Two ends that are linked.
fn two() -> [Link; 2] {
    let [mut here, mut there] = [10, 50].map(|end| Link::new(LinkConfig::default(), end));
    do_as(&mut here, Input::Want { type_id: 7, channel: Some(0) });
    let (ours, theirs) = (here.standing(), there.standing());
    here.attach(0, 0, &agreement(), &ours, &theirs).expect("a connection");
    there.attach(0, 0, &agreement(), &theirs, &ours).expect("a connection");
    let said = words(&mut here);
    hear(&mut there, &said);
    let said = words(&mut there);
    hear(&mut here, &said);
    [here, there]
}

/// `here` attaches one connection and then another, and does something before each; `there` attaches them the
/// other way round.
fn cross([here, there]: [&mut Link; 2], does: [&dyn Fn(&mut Link); 2]) {
    let (ours, theirs) = (here.standing(), there.standing());
    let said = does.map(|does| {
        does(here);
        here.attach(0, 0, &agreement(), &ours, &theirs).expect("a connection");
        words(here)
    });
    for said in said.iter().rev() {
        there.attach(0, 0, &agreement(), &theirs, &ours).expect("a connection");
        hear(there, said);
    }
}

#[test]
fn a_pause_that_is_over_and_a_channel_that_was_left_are_not_heard_late() {
    let channel = |channel| Input::Want { type_id: 7, channel: Some(channel) };
    for does in [[Input::Pause(true), Input::Pause(false)], [channel(4), channel(0)]] {
        let [mut here, mut there] = two();
        let [before, after] = does;
        let does: [&dyn Fn(&mut Link); 2] = [&|link| do_as(link, before), &|link| do_as(link, after)];
        cross([&mut here, &mut there], does);
        assert_eq!(there.interest().collect::<Vec<_>>(), [(7, 0)]);
        // What is said from now on is heard.
        do_as(&mut here, Input::Pause(true));
        let said = words(&mut here);
        hear(&mut there, &said);
        assert_eq!(there.interest().count(), 0);
    }
}

#[test]
fn an_actor_that_is_there_is_not_heard_to_be_absent_late() {
    let [mut here, mut there] = two();
    let number = there.open("desk").expect("a name");
    let said = words(&mut there);
    hear(&mut here, &said);
    let served = Served { channel: None, takes: Vec::new() };
    let is_there = |link: &mut Link| link.serve(0, Some(served.clone()));
    cross([&mut here, &mut there], [&|link| link.serve(0, None), &is_there]);
    assert_eq!(*there.mailbox(number), MailboxState::Open(served.clone()));
    here.serve(0, None);
    let said = words(&mut here);
    hear(&mut there, &said);
    assert_eq!(*there.mailbox(number), MailboxState::Absent);
}

/// Peers of before number nothing.
#[test]
fn words_without_a_number_are_heard_as_they_come() {
    let mut link = linked();
    for channel in [3, 0, 5] {
        step(&mut link, &control(4, &[7, 0, channel, 0, 0, 0, 0, 0])).expect("interest");
        assert_eq!(link.interest().next(), Some((7, channel.into())));
    }
}
