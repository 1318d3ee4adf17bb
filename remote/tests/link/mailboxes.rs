//! When the peer is told of mailboxes, and when the host is.

use super::*;

#[test]
fn the_peer_is_told_once_who_is_behind_a_mailbox_and_again_on_a_new_connection() {
    let mut link = with_mailboxes();
    step(&mut link, &control(8, &[&[1, 0, 0, 0][..], &[6, 0], b"nobody"].concat())).expect("the peer may");
    let told = |link: &mut Link| {
        let mut out = Vec::new();
        link.fill(0, &mut out);
        let (mut at, mut told) = (0, Vec::new());
        while at < out.len() {
            let frame = parse(&out[at..]);
            if frame.header.flags == Flags::CONTROL && frame.header.type_id == 9 {
                told.push((frame.value[0], frame.value.len() > 12));
            }
            at += frame_len(frame.value.len());
        }
        told
    };
    assert_eq!(told(&mut link), [(0, true)], "the host has not said yet who the other is");
    for _ in 0..3 {
        link.serve(1, None);
        link.serve(0, Some(Served { channel: None, takes: Vec::new() }));
    }
    assert_eq!(told(&mut link), [(1, false)]);
    link.step(0, Input::Detach).expect("breaks no rule");
    attach(&mut link, Standing { peer_end: 10, ..PEER }).expect("the same two");
    assert_eq!(told(&mut link), [(0, true), (1, false)]);
    link.serve(1, Some(Served { channel: Some(3), takes: Vec::new() }));
    assert_eq!((told(&mut link), told(&mut link)), (vec![(1, true)], vec![]));
}

#[test]
fn what_the_peer_says_of_mailboxes_is_news_once() {
    let mut link = with_mailboxes();
    assert_eq!((link.take_news(), link.take_news()), (vec![0], vec![]));
    let described = [&[0; 4][..], &16_u64.to_le_bytes(), &[255, 255, 7, 0, 0, 9, 0, 1]].concat();
    step(&mut link, &control(9, &described)).expect("more credit");
    assert!(link.take_news().is_empty() && link.mailbox_credit(0) == 16);
    for _ in 0..3 {
        step(&mut link, &control(9, &[&[0; 4][..], &16_u64.to_le_bytes()].concat())).expect("nobody");
        step(&mut link, &control(9, &described)).expect("somebody");
    }
    assert_eq!(link.take_news(), [0], "each mailbox once, however often it has changed");
}

/// However often the peer says what it has said: the host looks at a mailbox once, and no answer is owed.
#[test]
fn a_mailbox_that_the_peer_opens_again_is_no_news() {
    let mut link = with_mailboxes();
    let mut out = Vec::new();
    link.fill(0, &mut out);
    let open = |number: u8, name: &[u8]| {
        control(8, &[&[number, 0, 0, 0][..], &(name.len() as u16).to_le_bytes(), name].concat())
    };
    let waits = |link: &Link| link.opened().map(|(place, name)| (place, name.to_owned())).collect::<Vec<_>>();
    for _ in 0..3 {
        assert_eq!(step(&mut link, &open(0, b"here")), Ok(Output::Nothing));
    }
    assert_eq!(waits(&link), []);
    for _ in 0..3 {
        assert_eq!(step(&mut link, &open(1, b"nobody")), Ok(Output::Opened));
        assert_eq!(waits(&link), [(1, "nobody".to_owned())]);
    }
    link.serve(1, None);
    assert_eq!((step(&mut link, &open(1, b"nobody")), waits(&link)), (Ok(Output::Nothing), vec![]));
    out.clear();
    link.fill(0, &mut out);
    assert_eq!(out.len(), frame_len(12), "what the first one asked");
}

/// The type ids and numbers of the frames about mailboxes that are to be written.
fn about(link: &mut Link) -> Vec<(u16, u8)> {
    let mut out = Vec::new();
    link.fill(0, &mut out);
    let (mut at, mut told) = (0, Vec::new());
    while at < out.len() {
        let frame = parse(&out[at..]);
        if frame.header.flags == Flags::CONTROL && [8, 9, 13, 14].contains(&frame.header.type_id) {
            told.push((frame.header.type_id, frame.value[0]));
        }
        at += frame_len(frame.value.len());
    }
    told
}

/// The peer says that it knows of it.
fn closed(number: u32) -> Vec<u8> {
    control(14, &number.to_le_bytes())
}

#[test]
fn there_is_room_for_another_name_when_the_peer_knows_that_one_is_closed() {
    let mut link = with_mailboxes();
    let header = Header { type_id: 7, version: 1, root_len: 8, ..Header::default() };
    link.tell(0, &header, &[0; 8]).expect("it takes eight");
    assert_eq!(about(&mut link), [(8, 0), (9, 0)]);
    assert!(!link.close(0), "the peer may not have the message yet");
    step(&mut link, &control(6, &1_u64.to_le_bytes())).expect("an acknowledgement");
    assert!(link.close(0) && !link.close(0) && !link.close(7));
    // Its name waits until then, and others have other numbers.
    assert_eq!(link.open("there"), Err(SendError::Mailbox));
    assert_eq!(link.open("other"), Ok(1));
    assert_eq!(link.tell(0, &header, &[0; 8]), Err(SendError::NotWanted { type_id: 7 }));
    assert_eq!(about(&mut link), [(13, 0), (8, 1)]);
    // What the peer had said before is about the former name.
    let described = [&[0; 4][..], &8_u64.to_le_bytes(), &[255, 255, 7, 0, 0]].concat();
    assert_eq!(step(&mut link, &control(9, &described)), Ok(Output::Nothing));
    link.step(0, Input::Detach).expect("breaks no rule");
    attach(&mut link, Standing { peer_end: 10, received: 1, ..PEER }).expect("the same two");
    assert_eq!(about(&mut link), [(13, 0), (8, 1), (9, 0)], "it is said again");
    assert_eq!(step(&mut link, &closed(0)), Ok(Output::Mailboxes));
    assert_eq!((link.open("there"), link.mailbox_credit(2)), (Ok(2), 0));
    assert_eq!(about(&mut link), [(8, 2)]);
    // What comes late, by a connection that the peer had attached before, is about a closed one.
    assert_eq!(step(&mut link, &closed(0)), Ok(Output::Nothing));
    assert_eq!(step(&mut link, &control(9, &described)), Ok(Output::Nothing));
    // One by one, there may be any number of names; at the same time, as many as may be.
    for number in 2..10_000 {
        assert!(link.close(number));
        step(&mut link, &closed(number)).expect("closed");
        assert_eq!(link.open(&number.to_string()), Ok(number + 1));
    }
    for number in 10_001..10_001 + 4_094 {
        assert_eq!(link.open(&number.to_string()), Ok(number));
    }
    assert_eq!(link.open("one more"), Err(SendError::Mailbox));
    assert!(link.close(10_001));
    assert_eq!(link.open("one more"), Err(SendError::Mailbox), "the peer does not know yet");
    step(&mut link, &closed(10_001)).expect("closed");
    assert!(link.open("one more").is_ok());
}

#[test]
fn the_peer_has_room_for_another_name_when_nothing_waits_behind_one_that_it_has_closed() {
    let mut link = with_mailboxes();
    about(&mut link);
    let close = control(13, &[0; 4]);
    let tell = |sequence| direct(sequence, &[0; 8], &envelope(0, 0, 1, 0));
    step(&mut link, &tell(1)).expect("it was granted");
    step(&mut link, &close).expect("the peer may");
    assert_eq!((about(&mut link), link.served().count()), (vec![], 0));
    link.serve(0, None);
    assert_eq!(about(&mut link), [], "it wants to know no more of it");
    link.delivered(0, 1);
    assert_eq!(about(&mut link), [(14, 0)]);
    // On another connection, on which the answer to the first may not have come.
    link.step(0, Input::Detach).expect("breaks no rule");
    attach(&mut link, Standing { peer_end: 10, ..PEER }).expect("the same two");
    step(&mut link, &close).expect("the peer may");
    assert_eq!(about(&mut link), [(8, 0), (14, 0)]);
    let open = |number: u8, name: &[u8]| control(8, &[&[number, 0, 0, 0][..], &[4, 0], name].concat());
    // What comes late, by a connection that this end had attached before, is about a closed one.
    assert_eq!(step(&mut link, &open(0, b"here")), Ok(Output::Nothing));
    assert_eq!((link.served().count(), about(&mut link)), (0, vec![]));
    // The next ones are in the same place.
    for (number, name) in [(1, b"hier"), (2, b"here"), (3, b"hier")] {
        assert_eq!(step(&mut link, &open(number, name)), Ok(Output::Opened));
        let served: Vec<_> = link.served().map(|(place, name)| (place, name.to_owned())).collect();
        assert_eq!(served, [(0, String::from_utf8_lossy(name).into_owned())]);
        link.serve(0, Some(Served { channel: None, takes: Vec::new() }));
        assert_eq!(about(&mut link), [(9, number)]);
        step(&mut link, &control(13, &[number, 0, 0, 0])).expect("the peer may");
        assert_eq!(about(&mut link), [(14, number)]);
    }
    let late = step(&mut link, &direct(2, &[0; 8], &envelope(0, 3, 1, 0))).expect_err("nobody is there");
    assert!(late.to_string().contains("never opened"), "{late}");
}
