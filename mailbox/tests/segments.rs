//! Rings in shared memory by their public face: waits in a way of one's own, streams, limits and errors.
#![cfg(all(target_os = "linux", target_endian = "little"))]

use std::error::Error;
use std::io::ErrorKind;

use mycelium_mailbox::shm::{
    SHM_READERS_MAX, SHM_WRITERS_MAX, ShmAccess, ShmError, ShmFault, ShmMode, ShmReadError, ShmReader,
    ShmSegment, ShmSendError, ShmWriter,
};
use mycelium_random::{Random, cases, seed};

fn ring(access: ShmAccess) -> (ShmSegment, ShmWriter, ShmReader) {
    let segment = ShmSegment::create(4_096).unwrap();
    let (writer, reader) = (segment.writer(access).unwrap(), segment.reader(ShmMode::Block).unwrap());
    (segment, writer, reader)
}

#[test]
fn a_reader_that_sleeps_in_a_way_of_its_own_is_called_once_for_what_comes() {
    let (_segment, mut writer, mut reader) = ring(ShmAccess::Sole);
    writer.send(b"before").unwrap();
    assert!(!writer.take_calls(), "nobody sleeps");
    assert!(reader.arm(), "there is something to read");
    assert_eq!(reader.read(), Ok(Some(&b"before"[..])));
    assert!(!reader.arm());
    writer.send(b"one").unwrap();
    writer.send(b"two").unwrap();
    assert_eq!((writer.take_calls(), writer.take_calls()), (true, false));
    assert_eq!(reader.read(), Ok(Some(&b"one"[..])));
    assert_eq!(reader.read(), Ok(Some(&b"two"[..])));
    assert!(!reader.arm());
    reader.disarm();
    writer.send(b"three").unwrap();
    assert!(!writer.take_calls(), "it has taken that back");
    assert_eq!(reader.read(), Ok(Some(&b"three"[..])));
    assert!(!reader.arm());
    writer.close();
    assert!(writer.take_calls(), "nothing will come any more");
    assert!(reader.arm(), "so it need not sleep");
}

#[test]
fn a_writer_that_waits_in_a_way_of_its_own_is_called_once_there_is_room() {
    for access in [ShmAccess::Sole, ShmAccess::Shared] {
        let (_segment, mut writer, mut reader) = ring(access);
        let longest = vec![1; writer.longest()];
        assert!(writer.arm(longest.len()), "there is room");
        while writer.send(&longest).is_ok() {}
        // What it said above is still so.
        reader.commit();
        let _said_before = reader.take_calls();
        assert!(!writer.arm(longest.len()));
        assert!(!reader.take_calls(), "nothing is read yet");
        while reader.read().unwrap().is_some() {}
        assert_eq!((reader.take_calls(), reader.take_calls()), (true, false));
        assert_eq!(writer.send(&longest), Ok(()));
    }
}

#[test]
fn a_stream_is_read_in_pieces_of_any_length() {
    let (_segment, mut writer, mut reader) = ring(ShmAccess::Sole);
    assert!(!reader.has_news() && reader.has_writer());
    writer.send(b"bid 42").unwrap();
    writer.send(b"ask 43").unwrap();
    assert!(reader.has_news());
    let (mut got, mut piece) = (Vec::new(), [0; 4]);
    for expected in [4, 2, 4] {
        let count = reader.read_bytes(&mut piece).unwrap();
        assert_eq!(count, expected);
        got.extend_from_slice(&piece[..count]);
    }
    writer.close();
    assert!(reader.is_closed() && writer.is_closed());
    assert!(reader.has_news() && !reader.is_finished(), "two bytes are left");
    assert_eq!(reader.read_bytes(&mut piece), Ok(2));
    got.extend_from_slice(&piece[..2]);
    assert_eq!(got, b"bid 42ask 43");
    assert_eq!(reader.read_bytes(&mut piece), Ok(0));
    assert!(reader.is_finished() && reader.has_news(), "nothing comes any more, which is news");
    // A message that was begun as a stream is passed by the next read.
    let (_segment, mut writer, mut reader) = ring(ShmAccess::Sole);
    writer.send(b"bid 42").unwrap();
    writer.send(b"ask 43").unwrap();
    assert_eq!(reader.read_bytes(&mut piece), Ok(4));
    assert_eq!(reader.read(), Ok(Some(&b"ask 43"[..])));
}

#[test]
fn a_stream_is_the_same_bytes_whatever_is_written_and_read_at_once() {
    let mut random = Random::new(seed());
    for _ in 0..cases(30) {
        let (_segment, mut writer, mut reader) = ring(ShmAccess::Sole);
        let (mut sent, mut got, mut next) = (Vec::new(), Vec::new(), 0_u8);
        // Some times around the ring.
        for _ in 0..600 {
            let longest = if random.chance(90) { 100 } else { writer.longest() };
            let record: Vec<u8> = (0..=random.index(longest)).map(|n| next.wrapping_add(n as u8)).collect();
            if random.chance(60) && writer.send(&record).is_ok() {
                next = next.wrapping_add(record.len() as u8);
                sent.extend(record);
            }
            let pieces = if random.chance(90) { 300 } else { 9 };
            let mut piece = vec![0; 1 + random.index(pieces)];
            let count = reader.read_bytes(&mut piece).unwrap();
            got.extend_from_slice(&piece[..count]);
        }
        let mut piece = [0; 1_000];
        while let count @ 1.. = reader.read_bytes(&mut piece).unwrap() {
            got.extend_from_slice(&piece[..count]);
        }
        assert!(got == sent && !got.is_empty(), "{} bytes of {}", got.len(), sent.len());
        assert!(!reader.has_news());
    }
}

#[test]
fn a_segment_that_is_full_closed_or_taken_says_so() {
    let (segment, mut writer, _reader) = ring(ShmAccess::Sole);
    assert!(matches!(segment.writer(ShmAccess::Sole), Err(ShmError::Taken)));
    writer.close();
    drop(writer);
    assert!(matches!(segment.writer(ShmAccess::Sole), Err(ShmError::Closed)));
    let segment = ShmSegment::create(4_096).unwrap();
    let _all: Vec<_> = (0..SHM_WRITERS_MAX).map(|_| segment.writer(ShmAccess::Shared).unwrap()).collect();
    assert!(matches!(segment.writer(ShmAccess::Shared), Err(ShmError::TooManyWriters)));
    let shown = format!("{segment:?} {:?} {:?}", _all[0], segment.reader(ShmMode::Lossy).unwrap());
    for part in ["capacity: 4096", "longest: 1008", "missed: 0"] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
}

#[test]
fn errors_of_segments_say_what_was_found_and_what_to_do() {
    let system = ShmError::System { doing: "map a segment", cause: ErrorKind::OutOfMemory.into() };
    let causes = [&ShmError::Damaged(ShmFault::Magic), &system].map(|error| error.source().is_some());
    assert_eq!((causes, ShmError::Taken.source().is_some()), ([true; 2], false));
    let (found, at) = (77, 5);
    let faults: [(ShmFault, &[&str]); 8] = [
        (ShmFault::Magic, &["does not begin with `MYCELSHM`"]),
        (ShmFault::Version { found }, &["version 77", "the same release on both sides"]),
        (ShmFault::Capacity { found }, &["77 bytes"]),
        (ShmFault::Salt { found }, &["0x4d", "32 bits"]),
        (ShmFault::Tail { found, at }, &["at 77", "from 5"]),
        (ShmFault::Claim { found, at }, &["77", "5"]),
        (ShmFault::Record { found, at }, &["begins at 5", "0x000000000000004d"]),
        (ShmFault::Empty { at }, &["record at 5 is empty"]),
    ];
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for (fault, parts) in faults {
        let texts = [
            fault.to_string(),
            ShmError::from(fault).to_string(),
            ShmSendError::from(fault).to_string(),
            ShmReadError::from(fault).to_string(),
        ];
        all.extend(texts.map(|text| (text, parts.to_vec())));
    }
    let errors: [(ShmError, &str); 8] = [
        (ShmError::Capacity { bytes: 5_000 }, "5000 bytes cannot be made: take a power of two"),
        (ShmError::NotSealed, "sealed against shrinking"),
        (ShmError::Size { bytes: 9, max: 8 }, "9 bytes are no segment, or more than the 8 bytes"),
        (ShmError::TooManyReaders, &format!("{SHM_READERS_MAX} readers")),
        (ShmError::TooManyWriters, &format!("{SHM_WRITERS_MAX} writers")),
        (ShmError::Taken, "end it, or let all its writers be"),
        (ShmError::Closed, "is closed"),
        (system, "cannot map a segment: "),
    ];
    all.extend(errors.iter().map(|(error, part)| (error.to_string(), vec![*part])));
    let sends: [(ShmSendError, &str); 4] = [
        (ShmSendError::Full { reader: 3 }, "reader 3 has to read first"),
        (ShmSendError::TooLong { len: 9, max: 8 }, "9 bytes are more than the 8 bytes"),
        (ShmSendError::Busy, "it is stopped"),
        (ShmSendError::Closed, "is closed"),
    ];
    all.extend(sends.iter().map(|(error, part)| (error.to_string(), vec![*part])));
    all.push((ShmReadError::Evicted.to_string(), vec!["become a new one"]));
    for (text, parts) in all {
        for part in parts {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text:?}");
    }
}
