//! A peer's bytes against the frame codec.

use mycelium_remote::frame::{
    self, DecodeError, Decoder, Flags, HEADER_LEN, Header, VALUE_LEN_MAX, frame_len,
};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "frame",
    reads: "frames from a peer",
    run,
    seeds,
    words: &[b"\0\0\0\0\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\0\0\0", b"\x08\0\0\0"],
};

fn run(bytes: &[u8]) -> bool {
    let sealed = sealed(bytes);
    read(bytes, false);
    read(&sealed, true);
    read(&sealed, false)
}

/// The same bytes with the right checksum in the first frame: no random change would find it.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Err(DecodeError::Checksum { expected, .. }) = frame::parse(&bytes, VALUE_LEN_MAX, false) {
        bytes[4..8].copy_from_slice(&expected.to_le_bytes());
    }
    bytes
}

/// What the codec makes of a stream is the same whole, in pieces, and frame by frame.
fn read(bytes: &[u8], unchecked: bool) -> bool {
    let (whole, whole_end) = decode(bytes, bytes.len().max(1), unchecked);
    let (pieces, pieces_end) = decode(bytes, 7, unchecked);
    assert_eq!(whole, pieces, "the same frames, whatever the pieces");
    assert_eq!(whole_end, pieces_end, "the same end, whatever the pieces");
    if let Ok(frame) = frame::parse(bytes, VALUE_LEN_MAX, unchecked) {
        assert_eq!(whole.first(), Some(&(frame.header, frame.value.to_vec())));
        assert!(frame_len(frame.value.len()) <= bytes.len());
    } else {
        assert!(whole.is_empty());
    }
    !whole.is_empty()
}

type Frames = Vec<(Header, Vec<u8>)>;

fn decode(bytes: &[u8], piece: usize, unchecked: bool) -> (Frames, Result<(), DecodeError>) {
    let mut decoder = Decoder::new();
    if unchecked {
        decoder = decoder.allow_unchecked();
    }
    let mut frames = Vec::new();
    for mut part in bytes.chunks(piece) {
        loop {
            let taken = decoder.feed(part);
            part = &part[taken..];
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push((frame.header, frame.value.to_vec())),
                Ok(None) if part.is_empty() => break,
                Ok(None) => assert!(taken > 0, "no frame, and no room for more bytes"),
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return (frames, Err(error));
                }
            }
        }
    }
    (frames, decoder.finish())
}

fn seeds() -> Vec<Vec<u8>> {
    let mut header = Header {
        flags: Flags::NONE,
        type_id: 100,
        version: 1,
        root_len: 24,
        destination: frame::destination("strategy"),
        sequence: 1,
        publish_ns: 1_700_000_000_000_000_000,
        trace_id: [1; 16],
        span_id: [2; 8],
    };
    let mut one = Vec::new();
    frame::encode(&header, &[7; 24], &mut one).expect("sound");
    let mut many = one.clone();
    for len in [0_u32, 1, 300] {
        header.root_len = len;
        header.sequence += 1;
        header.flags = Flags::CONTROL;
        frame::encode(&header, &vec![9; len as usize], &mut many).expect("sound");
    }
    vec![one[..HEADER_LEN].to_vec(), one, many]
}
