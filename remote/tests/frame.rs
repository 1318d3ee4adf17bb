//! The frame codec against random streams, random chunking and damage. Every random test prints its seed; set
//! `MYCELIUM_SEED` to replay it, `MYCELIUM_CASES` for its length.

use mycelium_mailbox::wire::{Encoder, Layout, View, Wire};
use mycelium_mailbox::{Message, rkyv};
use mycelium_random::{Random, cases, seed};
use mycelium_remote::frame::{
    self, DecodeError, Decoder, EncodeError, Flags, Frame, HEADER_LEN, Header, VALUE_LEN_MAX, frame_len,
};

const CASES: u64 = 2_000;

fn random_frame(random: &mut Random) -> (Header, Vec<u8>) {
    let len = match random.index(4) {
        0 => random.index(9),
        1 | 2 => random.index(200),
        _ => random.index(40_000),
    };
    let value = random.bytes(len);
    let mut trace_id = [0; 16];
    trace_id.copy_from_slice(&random.bytes(16));
    let header = Header {
        flags: if random.index(2) == 0 { Flags::NONE } else { Flags::CONTROL },
        type_id: random.next_u64() as u16,
        version: random.next_u64() as u16,
        root_len: random.index(value.len() + 1) as u32,
        destination: random.next_u64() as u32,
        sequence: random.next_u64(),
        publish_ns: random.next_u64() as i64,
        trace_id,
        span_id: random.next_u64().to_le_bytes(),
    };
    (header, value)
}

fn random_stream(random: &mut Random, frames: usize) -> (Vec<(Header, Vec<u8>)>, Vec<u8>) {
    let sent: Vec<_> = (0..frames).map(|_| random_frame(random)).collect();
    let mut wire = Vec::new();
    for (header, value) in &sent {
        let written = frame::encode(header, value, &mut wire).expect("lengths are right");
        assert_eq!(written, frame_len(value.len()));
    }
    (sent, wire)
}

/// Feeds `wire` in pieces of random size and collects all frames.
fn decode_in_pieces(
    random: &mut Random,
    wire: &[u8],
    piece_max: usize,
) -> Result<Vec<(Header, Vec<u8>)>, DecodeError> {
    let mut decoder = Decoder::new();
    let (mut got, mut rest) = (Vec::new(), wire);
    while !rest.is_empty() {
        let piece = (1 + random.index(piece_max)).min(rest.len());
        let taken = decoder.feed(&rest[..piece]);
        rest = &rest[taken..];
        let before = got.len();
        while let Some(Frame { header, value }) = decoder.next_frame()? {
            assert_eq!(value.as_ptr() as usize % frame::ALIGN, 0, "values are aligned in memory");
            got.push((header, value.to_vec()));
        }
        assert!(taken > 0 || got.len() > before, "the decoder stands still");
    }
    decoder.finish()?;
    Ok(got)
}

#[test]
fn any_chunking_gives_the_frames_that_were_sent() {
    let mut random = Random::new(seed());
    for _ in 0..cases(100) {
        let (sent, wire) = random_stream(&mut random, 8);
        for piece_max in [1, 7, 64, 1_000, 100_000] {
            let got = decode_in_pieces(&mut random, &wire, piece_max).expect("the stream is right");
            assert_eq!(got, sent);
        }
    }
}

#[test]
fn a_mutation_is_an_error_and_never_a_panic_or_another_frame() {
    let mut random = Random::new(seed());
    for _ in 0..cases(CASES) {
        let (header, value) = random_frame(&mut random);
        let mut wire = Vec::new();
        frame::encode(&header, &value, &mut wire).expect("lengths are right");
        let at = random.index(wire.len());
        wire[at] ^= 1 << random.index(8);
        // A changed length may ask for more bytes; everything else is found at once.
        let result = frame::parse(&wire, 1 << 20, false);
        assert!(result.is_err(), "a flipped bit in byte {at} went unnoticed");
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new(seed());
    for _ in 0..cases(CASES) {
        let len = random.index(300);
        let mut bytes = random.bytes(len);
        // Half of them get past the first checks.
        if random.index(2) == 0 && len >= 20 {
            bytes[..4].copy_from_slice(&[b'M', b'Y', frame::PROTOCOL, 0]);
            bytes[13..16].fill(0);
            bytes[16..20].fill(0);
        }
        let _ = frame::parse(&bytes, 1 << 20, true);
        let _ = decode_in_pieces(&mut random, &bytes, 40);
    }
}

#[test]
fn an_error_is_fatal_and_repeats() {
    let (mut wire, mut decoder) = (Vec::new(), Decoder::new());
    frame::encode(&Header::default(), b"first", &mut wire).expect("lengths are right");
    let second = wire.len();
    frame::encode(&Header { sequence: 9, ..Header::default() }, b"second", &mut wire)
        .expect("lengths are right");
    wire[second + HEADER_LEN] ^= 1;
    assert_eq!(decoder.feed(&wire), wire.len());
    assert_eq!(decoder.next_frame().map(|f| f.map(|f| f.value.len())), Ok(Some(5)));
    let first = decoder.next_frame().expect_err("the value was damaged");
    assert!(matches!(first, DecodeError::Checksum { sequence: 9, .. }), "{first}");
    assert_eq!(decoder.feed(b"more"), 0);
    assert_eq!(decoder.next_frame(), Err(first));
    assert_eq!(decoder.finish(), Err(first));
}

#[test]
fn every_fault_of_the_sender_has_its_own_error() {
    let mut right = Vec::new();
    frame::encode(&Header { root_len: 4, ..Header::default() }, b"12345", &mut right)
        .expect("lengths are right");
    let with = |at: usize, bytes: &[u8]| {
        let mut wire = right.clone();
        wire[at..at + bytes.len()].copy_from_slice(bytes);
        frame::parse(&wire, 1_000, false).map(|_| ()).expect_err("the frame was damaged")
    };
    assert_eq!(with(0, b"GE"), DecodeError::Magic { expected: *b"MY", got: *b"GE" });
    assert_eq!(with(2, &[9]), DecodeError::Protocol { expected: 1, got: 9 });
    assert_eq!(with(3, &[0x80]), DecodeError::Flags { known: 15, got: 0x80 });
    assert_eq!(with(3, &[1]), DecodeError::Unchecked);
    assert_eq!(with(12, &1_001u32.to_le_bytes()), DecodeError::TooLong { max: 1_000, got: 1_001 });
    assert_eq!(
        with(12, &u32::MAX.to_le_bytes()),
        DecodeError::TooLong { max: 1_000, got: u32::MAX as usize }
    );
    assert_eq!(with(12, &100u32.to_le_bytes()), DecodeError::Truncated { needed: 64 + 104, got: 72 });
    assert_eq!(with(16, &6u32.to_le_bytes()), DecodeError::RootLength { value_len: 5, got: 6 });
    assert_eq!(with(71, &[1]), DecodeError::Padding { value_len: 5 });
    assert!(matches!(with(4, &[0, 0, 0, 0]), DecodeError::Checksum { got: 0, .. }));
    assert!(matches!(with(3, &[2]), DecodeError::Checksum { .. }), "the checksum covers the flags");
}

#[test]
fn a_run_of_messages_that_do_not_fit_is_no_frame() {
    let entry = |len: u32, root_len: u32| [len, 0, 7 | 1 << 16, root_len].map(u32::to_le_bytes).concat();
    let parse = |value: &[u8]| {
        let mut wire = Vec::new();
        let header = Header { flags: Flags::RUN, ..Header::default() };
        frame::encode(&header, value, &mut wire).expect("lengths are right");
        frame::parse(&wire, 1_000, false).map(|frame| frame.run().expect("it says so").count())
    };
    let (whole, value) = (entry(3, 2), [0; 8]);
    let two = [&whole[..], &value, &whole, &value].concat();
    assert_eq!((parse(&two), parse(&entry(0, 0))), (Ok(2), Ok(1)));
    let at = |at| Err(DecodeError::Run { at });
    assert_eq!(parse(&[]), at(0), "there is at least one");
    for (cut, first) in [(1, 24), (8, 24), (23, 24), (25, 0), (47, 0)] {
        assert_eq!(parse(&two[..two.len() - cut]), at(first), "{cut} bytes less");
    }
    assert_eq!(parse(&[&two[..], &[0; 3]].concat()), at(48));
    for (len, root_len) in [(3, 4), (9, 0), (u32::MAX, 0), (u32::MAX, u32::MAX), (u32::MAX - 7, 0)] {
        assert_eq!(parse(&[&whole[..], &value, &entry(len, root_len), &value].concat()), at(24));
    }
}

#[test]
fn a_forged_length_allocates_nothing_before_its_bytes_arrive() {
    let mut wire = Vec::new();
    frame::encode(&Header::default(), b"", &mut wire).expect("lengths are right");
    wire[12..16].copy_from_slice(&(1u32 << 30).to_le_bytes());
    let mut decoder = Decoder::with_value_len_max(VALUE_LEN_MAX);
    assert_eq!(decoder.feed(&wire), wire.len());
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.space().len() < 64 << 10);
    assert_eq!(decoder.pending(), HEADER_LEN);
    assert!(matches!(decoder.finish(), Err(DecodeError::Truncated { .. })));
}

#[test]
fn a_frame_of_the_longest_length_passes_and_one_byte_more_does_not() {
    let max = 100_000;
    let value = vec![7; max + 1];
    for (len, passes) in [(max, true), (max + 1, false)] {
        let mut wire = Vec::new();
        frame::encode(&Header::default(), &value[..len], &mut wire).expect("lengths are right");
        let (mut decoder, mut rest) = (Decoder::with_value_len_max(max), &wire[..]);
        let outcome = loop {
            rest = &rest[decoder.feed(rest)..];
            match decoder.next_frame() {
                Ok(None) => assert!(!rest.is_empty(), "all was fed"),
                Ok(Some(frame)) => break Ok(frame.value.len()),
                Err(error) => break Err(error),
            }
        };
        assert_eq!(outcome, if passes { Ok(len) } else { Err(DecodeError::TooLong { max, got: len }) });
    }
}

#[test]
fn sealing_in_place_gives_the_same_bytes_as_encoding() {
    let mut random = Random::new(seed());
    for _ in 0..cases(200) {
        let (header, value) = random_frame(&mut random);
        let mut encoded = Vec::new();
        frame::encode(&header, &value, &mut encoded).expect("lengths are right");
        let mut sealed = vec![0xee; frame_len(value.len())];
        sealed[HEADER_LEN..HEADER_LEN + value.len()].copy_from_slice(&value);
        frame::seal(&header, &mut sealed, value.len()).expect("lengths are right");
        assert_eq!(sealed, encoded);
    }
}

#[test]
fn our_own_mistakes_leave_the_buffer_alone() {
    let mut out = b"before".to_vec();
    let header = Header { root_len: 3, ..Header::default() };
    assert_eq!(
        frame::encode(&header, b"ab", &mut out),
        Err(EncodeError::RootLength { value_len: 2, got: 3 })
    );
    assert_eq!(out, b"before");
    let mut short = [1; 70];
    assert_eq!(frame::seal(&header, &mut short, 8), Err(EncodeError::FrameLength { expected: 72, got: 70 }));
    assert_eq!(short, [1; 70]);
}

#[test]
fn unchecked_frames_need_a_reader_that_allows_them() {
    let mut wire = Vec::new();
    let header = Header { flags: Flags::UNCHECKED, ..Header::default() };
    frame::encode(&header, b"shared", &mut wire).expect("lengths are right");
    let mut strict = Decoder::new();
    assert_eq!(strict.feed(&wire), wire.len());
    assert_eq!(strict.next_frame(), Err(DecodeError::Unchecked));
    let mut lenient = Decoder::new().allow_unchecked();
    assert_eq!(lenient.feed(&wire), wire.len());
    assert_eq!(lenient.next_frame().map(|f| f.map(|f| f.header)), Ok(Some(header)));
}

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(crate = mycelium_mailbox::rkyv, derive(Debug))]
struct Quote {
    bid: f64,
    venue: String,
}

impl Message for Quote {
    const NAME: &'static str = "Quote";
    const TYPE_ID: u16 = 77;
    const TOPIC: &'static str = "quotes";
}

impl Wire for Quote {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 0 }];
}

#[test]
fn a_message_is_encoded_into_its_frame_and_read_where_it_arrived() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    for sequence in 0..100 {
        let sent = Quote { bid: sequence as f64, venue: "v".repeat(sequence as usize) };
        let framed = encoder.encode_framed(HEADER_LEN, &sent).expect("it is small");
        let header = Header {
            type_id: Quote::TYPE_ID,
            version: Quote::VERSION,
            root_len: Quote::ROOT_LEN,
            sequence,
            ..Header::default()
        };
        frame::seal(&header, framed.bytes, framed.value_len).expect("lengths are right");
        assert_eq!(decoder.feed(framed.bytes), framed.bytes.len());

        let got = decoder.next_frame().expect("the stream is right").expect("the frame is whole");
        assert_eq!(got.header, header);
        match Quote::view(got.value, got.header.version, got.header.root_len) {
            Ok(View::Archived(seen)) => {
                assert_eq!((seen.bid.to_native(), seen.venue.as_str()), (sent.bid, &*sent.venue));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The example of `docs/wire.md`, byte for byte.
#[test]
fn the_worked_example_of_the_specification() {
    let header = Header {
        type_id: 0x0102,
        version: 3,
        root_len: 8,
        destination: 0,
        sequence: 0x1122_3344_5566_7788,
        publish_ns: 1_700_000_000_000_000_000,
        ..Header::default()
    };
    let mut wire = Vec::new();
    frame::encode(&header, &1.5f64.to_le_bytes(), &mut wire).expect("lengths are right");
    let hex: String = wire.iter().map(|b| format!("{b:02x}")).collect();
    // Lines of bytes are indented there, with an explanation behind `|`.
    let packed: String = include_str!("../../docs/wire.md")
        .lines()
        .filter(|line| line.starts_with("    "))
        .flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace())
        .collect();
    assert!(packed.contains(&hex), "docs/wire.md shows other bytes than {hex}");
}

#[test]
fn flags_and_destinations_are_the_numbers_of_the_specification() {
    let both = Flags::UNCHECKED | Flags::CONTROL;
    assert_eq!([Flags::NONE, Flags::UNCHECKED, Flags::CONTROL, both].map(Flags::bits), [0, 1, 2, 3]);
    assert!(both.contains(Flags::CONTROL) && both.contains(both) && both.contains(Flags::NONE));
    assert!(!Flags::CONTROL.contains(both) && !Flags::CONTROL.contains(Flags::UNCHECKED));
    // The check value of CRC-32C, and the name whose checksum is 0.
    assert_eq!((frame::destination("123456789"), frame::destination("")), (0xe306_9283, 1));
    // One decoder is like the other: checksums are asked for.
    let mut wire = Vec::new();
    frame::encode(&Header { flags: Flags::UNCHECKED, ..Header::default() }, &[], &mut wire).unwrap();
    for mut decoder in [Decoder::new(), Decoder::default()] {
        assert_eq!(decoder.feed(&wire), wire.len());
        assert_eq!(decoder.next_frame(), Err(DecodeError::Unchecked));
    }
}

#[test]
fn a_checksum_is_the_same_whoever_computes_it() {
    let mut random = mycelium_random::Random::new(mycelium_random::seed());
    let bytes: Vec<u8> = (0..700).map(|_| random.below(256) as u8).collect();
    let mut short = 0;
    for len in 0..bytes.len() {
        let (seed, start) = (random.next_u64() as u32, random.index(bytes.len() - len));
        let piece = &bytes[start..start + len];
        if let Some(sum) = mycelium_mailbox::crc32c_short(seed, piece) {
            assert_eq!(sum, crc32c::crc32c_append(seed, piece), "{len} bytes");
            short += 1;
        }
    }
    println!("{short} lengths by the processor's instruction");
}
