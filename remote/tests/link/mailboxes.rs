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
