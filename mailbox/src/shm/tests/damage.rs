//! Segments that others have overwritten.

use std::time::Duration;

use mycelium_random::{Random, cases, seed};

use super::fd;
use crate::shm::layout::{CLAIM, CLOSED, DATA, GATES, LAST, NEXT, OWNER, SLEEPERS, TAIL, reader_words};
use crate::shm::*;
use crate::sync::Ordering;

#[test]
fn a_first_word_that_is_none_of_a_record_is_damage() {
    // A bit of the length, one of what tells the position, and both words of a record longer than any is.
    let longest = 4_096 / 4 - 16;
    for (len, flipped, fits) in
        [(64, 0, true), (64, 1, false), (64, 1 << 40, false), (longest, 0, true), (longest + 8, 0, false)]
    {
        let segment = ShmSegment::create(4_096).unwrap();
        let (mut writer, mut reader) =
            (segment.writer(ShmAccess::Sole).unwrap(), segment.reader(ShmMode::Block).unwrap());
        (0..20).for_each(|_| writer.send(&[1; 64]).unwrap());
        let (mapping, geometry) = segment.parts();
        let found = geometry.head(0, len) ^ flipped;
        mapping.words()[DATA].store(found, Ordering::Relaxed);
        let read = reader.read().map(|bytes| bytes.map(<[u8]>::len));
        let damage = ShmReadError::Damaged(ShmFault::Record { at: 0, found });
        assert_eq!(read, if fits { Ok(Some(len as usize)) } else { Err(damage) }, "{len} {flipped}");
    }
}

#[test]
fn a_writer_takes_up_no_positions_that_none_can_have_left() {
    let segment = ShmSegment::create(4_096).unwrap();
    let mut writer = segment.writer(ShmAccess::Sole).unwrap();
    (0..100).for_each(|_| writer.send(&[1; 64]).unwrap());
    drop(writer);
    let words = segment.parts().0.words();
    let end = words[TAIL].load(Ordering::Relaxed);
    let tail = |found, at| ShmFault::Tail { found, at };
    let claim = |found| ShmFault::Claim { found, at: end };
    for (word, fault) in [
        (TAIL, tail(end + 4, 0)),
        (CLAIM, claim(end - 8)),
        (CLAIM, claim(end + 4)),
        (CLAIM, claim(end + 4_096 + 8)),
        (LAST, tail(end + 8, end)),
        (LAST, tail(end - 4, end)),
        (LAST, tail(end - 4_096 - 8, end)),
    ] {
        let (ShmFault::Tail { found, .. } | ShmFault::Claim { found, .. }) = fault else { unreachable!() };
        let before = words[word].swap(found, Ordering::Relaxed);
        let refused = segment.writer(ShmAccess::Sole).expect_err("it is damaged");
        assert!(matches!(refused, ShmError::Damaged(told) if told == fault), "{refused}");
        words[word].store(before, Ordering::Relaxed);
        assert!(segment.writer(ShmAccess::Sole).is_ok(), "the others are as they were");
    }
}

/// Uses a segment in which anything may stand. The only thing that matters is that it comes to an end.
fn use_up(segment: &ShmSegment, reader: &mut ShmReader, writer: &mut ShmWriter, seen: &mut [u64; 3]) {
    for _ in 0..40 {
        match writer.send(&[7; 100]) {
            Ok(()) => seen[0] += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                seen[1] += 1;
            }
        }
        writer.wait_room(100, Duration::ZERO, Duration::ZERO);
        match reader.read() {
            Ok(_) => {}
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert_eq!(reader.read(), Err(error), "again and again");
                seen[2] += 1;
            }
        }
        reader.wait(Duration::ZERO, Duration::ZERO);
        reader.commit();
    }
    for mode in [ShmMode::Block, ShmMode::Lossy] {
        if let Ok(mut late) = segment.reader(mode) {
            let _ = late.read();
        }
    }
}

#[test]
fn whatever_others_write_into_a_segment_it_is_an_error_or_a_message_and_no_crash() {
    let mut random = Random::new(seed());
    let named = [TAIL, LAST, OWNER, NEXT, CLOSED, CLAIM, SLEEPERS, GATES];
    let (mut seen, all) = ([0; 3], cases(4_000));
    for case in 0..all {
        let segment = ShmSegment::create(4_096).unwrap();
        let mode = random.pick(&[ShmMode::Block, ShmMode::Lossy]);
        let (mut reader, mut writer) =
            (segment.reader(mode).unwrap(), segment.writer(ShmAccess::Sole).unwrap());
        let before = random.index(60);
        for _ in 0..before {
            let _ = writer.send(&[1; 64]);
            let _ = random.chance(50) && reader.read().is_err();
        }
        let (mapping, geometry) = segment.parts();
        let words = mapping.words();
        for _ in 0..1 + random.index(3) {
            let at = match random.below(4) {
                0 => random.pick(&named),
                1 => reader_words(random.index(2)).state + random.index(4),
                2 => {
                    DATA + geometry
                        .index(words[TAIL].load(Ordering::Relaxed).wrapping_sub(8 * random.below(40)))
                }
                _ => (case as usize) % words.len(),
            };
            let old = words[at].load(Ordering::Relaxed);
            let value = match random.below(6) {
                0 => 0,
                1 => u64::MAX,
                2 => old.wrapping_add(8 * random.below(2_000)),
                3 => old.wrapping_sub(8 * random.below(2_000)),
                4 => old ^ 1 << random.below(64),
                _ => random.next_u64(),
            };
            words[at].store(value, Ordering::Relaxed);
        }
        use_up(&segment, &mut reader, &mut writer, &mut seen);
        // Another process that finds it like that.
        if let Ok(found) = ShmSegment::from_fd(fd(&segment), 1 << 20) {
            drop(writer);
            if let (Ok(mut writer), Ok(mut reader)) =
                (found.writer(ShmAccess::Sole), found.reader(ShmMode::Block))
            {
                use_up(&found, &mut reader, &mut writer, &mut seen);
            }
        }
    }
    assert!(all < 1_000 || seen.iter().all(|count| *count > all / 10), "{seen:?}");
}
