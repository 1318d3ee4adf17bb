//! Messages that share a frame.

use mycelium_random::cases;
use mycelium_remote::link::RowKind;

use super::*;

/// A run of messages, each with its type id.
fn run(first: u64, types: &[u16]) -> Vec<u8> {
    let mut value = Vec::new();
    for type_id in types {
        value.extend_from_slice(&[8, 0, 0, 0, 1, 0, 0, 0]);
        value.extend_from_slice(&type_id.to_le_bytes());
        value.extend_from_slice(&[1, 0, 8, 0, 0, 0]);
        value.extend_from_slice(&[5; 8]);
    }
    let header = Header { flags: Flags::RUN, sequence: first, publish_ns: 70, ..Header::default() };
    let mut out = Vec::new();
    frame::encode(&header, &value, &mut out).expect("short enough");
    out
}

#[test]
fn a_run_of_messages_is_the_bytes_of_the_page() {
    let mut link = linked();
    written(&mut link, 0);
    let header = |publish_ns| Header { type_id: 7, version: 1, root_len: 8, publish_ns, ..Header::default() };
    link.send(&header(1_700_000_000_000_000_000), &1.5_f64.to_le_bytes()).expect("credit");
    link.send(&Header { type_id: 9, ..header(1_700_000_000_000_000_080) }, &2.5_f64.to_le_bytes())
        .expect("credit");
    let mut out = Vec::new();
    link.fill(0, &mut out);
    assert_eq!(out, example("a run of two"), "{out:02x?}");
}

#[test]
fn a_run_is_taken_as_its_messages_would_be_or_not_at_all() {
    let mut link = linked();
    link.step(0, Input::Want { type_id: 9, channel: Some(0) }).expect("a wish");
    assert_eq!(step(&mut link, &message(7, 1)), Ok(Output::Message));
    assert_eq!(step(&mut link, &run(1, &[7, 9, 9, 7])), Ok(Output::Run { skip: 1 }), "the first came before");
    let frame = run(1, &[7, 9, 9, 7]);
    let entries: Vec<_> = parse(&frame).run().expect("a run").collect();
    assert_eq!((entries.len(), entries[1].type_id, entries[1].publish_ns), (4, 9, 71));
    assert_eq!((entries[3].version, entries[3].root_len, entries[3].value), (1, 8, &[5; 8][..]));
    assert_eq!(step(&mut link, &run(2, &[9, 9, 7])), Ok(Output::Duplicate));
    let stats = link.stats();
    assert_eq!((stats.received, stats.duplicates, stats.unconsumed), (4, 4, 4));
    let gap = step(&mut link, &run(6, &[7]));
    assert_eq!(gap, Err(LinkFault::Gap { expected: 5, got: 6 }));
    // Refused as a whole: what came with it uses up no credit.
    let mut again = |types: &[u16]| {
        link.step(0, Input::Detach).expect("ours");
        let (stated, here) = (link.standing(), Standing { peer_end: 10, ..PEER });
        link.attach(0, 0, &agreement(), &stated, &here).expect("it goes on");
        let stepped = step(&mut link, &run(5, types));
        (stepped, link.standing().received, link.stats().unconsumed)
    };
    assert_eq!(again(&[7, 9, 8]), (Err(LinkFault::NotAgreed { type_id: 8 }), 4, 4));
    let credit = LinkFault::Credit { type_id: 9, limit: 1_024 };
    assert_eq!(again(&[9, 7].repeat(1_023)), (Err(credit), 4, 4), "two of each have come");
    assert_eq!(again(&[9, 7].repeat(1_022)), (Ok(Output::Run { skip: 0 }), 2_048, 2_048));
}

#[test]
fn what_is_added_to_an_open_run_is_written_and_refused_as_if_it_was_sent() {
    let mut random = Random::new(seed());
    for _ in 0..cases(200) {
        let [mut sends, mut extends] = [(); 2].map(|()| {
            let mut link = linked();
            written(&mut link, 0);
            link
        });
        let (kind, mut time, mut added) = (RowKind { version: 1, root_len: 8 }, 1_000_i64, 0);
        for _ in 0..random.below(3_000) {
            let (usual, short) = (random.chance(98), random.chance(99));
            time += [0, 3, -40, 1 << 33][random.index(if usual { 2 } else { 4 })];
            let value = vec![7; 8 * (1 + random.index(if short { 2 } else { 200 }))];
            let type_id = if random.chance(95) { 7 } else { 9 };
            let header = Header { type_id, version: 1, root_len: 8, publish_ns: time, ..Header::default() };
            let mut row = extends.row(type_id);
            let is_added = row.extend(kind, time, &value);
            added += usize::from(is_added);
            let extended = if is_added { None } else { Some(row.send(&header, &value)) };
            let sent = sends.send(&header, &value);
            assert_eq!(extended.unwrap_or(sent), sent);
            assert!(!is_added || sent.is_ok(), "{sent:?} and yet it was added");
            if random.chance(1) {
                let (mut one, mut other) = (Vec::new(), Vec::new());
                sends.fill(0, &mut one);
                extends.fill(0, &mut other);
                assert!(one == other, "other bytes");
            }
        }
        assert_eq!((sends.stats(), sends.credit(7)), (extends.stats(), extends.credit(7)));
        println!("{added} were added");
    }
}
