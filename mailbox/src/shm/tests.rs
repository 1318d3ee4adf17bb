//! Rings beside a plain model and under threads; overwritten by others in `damage.rs`.

mod damage;
mod questions;
mod sleep;

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use mycelium_random::{Random, cases, seeds};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

use super::layout::{
    CLAIM, CLOSED, DATA, GATES, Geometry, LAST, NEXT, OWNER, ROOM_BELL, ROOM_WAITS, SLEEPERS, TAIL,
    reader_words, writer_word,
};
use super::mapping::Participant;
use super::*;
use crate::sync::Ordering;
use sleep::sleeps;

const LONG: Duration = Duration::from_secs(60);

/// What message `n` consists of: its number, and bytes that follow from it.
pub(super) fn message(n: u64, len: usize) -> Vec<u8> {
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.extend((8..len.max(8)).map(|at| (n as u8).wrapping_mul(31).wrapping_add(at as u8)));
    bytes
}

/// The number of a message that is whole.
pub(super) fn number(bytes: &[u8]) -> u64 {
    let n = u64::from_le_bytes(*bytes.first_chunk().expect("a number"));
    assert_eq!(bytes, message(n, bytes.len()), "torn");
    n
}

fn fd(segment: &ShmSegment) -> OwnedFd {
    segment.as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn messages_of_every_length_come_as_they_were_written() {
    let segment = ShmSegment::create(4_096).unwrap();
    let other = ShmSegment::from_fd(fd(&segment), 1 << 20).unwrap();
    assert_eq!(other.capacity(), 4_096);
    let (mut writer, mut reader) =
        (segment.writer(ShmAccess::Sole).unwrap(), other.reader(ShmMode::Block).unwrap());
    let longest = writer.longest();
    for round in 0..3_usize {
        for len in 0..=longest {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + len + round) as u8).collect();
            writer.send(&bytes).unwrap();
            assert_eq!(reader.read().unwrap().unwrap(), bytes);
            assert_eq!(reader.read(), Ok(None));
        }
    }
    let max = longest;
    assert_eq!(writer.send(&vec![0; max + 1]), Err(ShmSendError::TooLong { len: max + 1, max }));
}

/// The bytes that the page shows behind a name.
fn of_page(name: &str) -> Vec<u8> {
    let page = include_str!("../../../docs/wire.md");
    let (_, rest) = page.split_once(name).expect("named on the page");
    let rows =
        rest.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| line.starts_with("    "));
    let bytes = rows.flat_map(|row| row.split('|').next().unwrap_or_default().split_whitespace());
    bytes.map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits")).collect()
}

#[test]
fn the_bytes_of_a_segment_are_those_of_the_page() {
    let segment = ShmSegment::create(64 << 10).unwrap();
    let geometry = Geometry { capacity: 64 << 10, salt: 7 };
    geometry.write(segment.parts().0.words());
    let segment = ShmSegment::from_fd(fd(&segment), 1 << 20).unwrap();
    let (mut writer, mut reader) =
        (segment.writer(ShmAccess::Sole).unwrap(), segment.reader(ShmMode::Block).unwrap());
    writer.send(b"bid 42").unwrap();
    writer.send(b"ask 43").unwrap();
    assert_eq!(reader.read(), Ok(Some(&b"bid 42"[..])));
    let bytes: Vec<u8> = segment
        .parts()
        .0
        .words()
        .iter()
        .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
        .collect();
    assert_eq!(bytes[..32], of_page("`its identity`"));
    assert_eq!(bytes[12_288..12_288 + 48], of_page("`two records`"));
    let word = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap());
    let words = [128, 136, 256, 264, 384, 768, 1_024, 1_032, 9_216].map(word);
    assert_eq!(words, [48, 24, 1 << 8 | 1, 2, 16 << 10, 1, 1 << 2 | 1, 0, 1]);
    drop((writer, reader));
    let gone = segment.parts().0.words();
    assert_eq!([256, 768, 1_024, 1_032].map(|at| gone[at / 8].load(Ordering::Relaxed)), [0, 0, 1 << 2, 0]);
}

/// The word that the place of this number has.
type WordOfPlace = fn(usize) -> usize;

#[test]
fn each_word_of_a_segment_lies_where_the_page_says() {
    let page = include_str!("../../../docs/wire.md");
    let (_, table) = page.split_once("| byte | word | written by | |\n").expect("the table of words");
    let rows = table.lines().skip(1).map_while(|line| line.strip_prefix("| "));
    let said: Vec<(&str, Vec<usize>)> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            let bytes = cells.next().expect("where it lies").split_whitespace();
            (cells.next().expect("its name"), bytes.filter_map(|part| part.parse().ok()).collect())
        })
        .collect();
    let words = [
        ("tail", TAIL),
        ("last", LAST),
        ("owner", OWNER),
        ("next", NEXT),
        ("closed", CLOSED),
        ("claim", CLAIM),
        ("sleepers", SLEEPERS),
        ("room waits", ROOM_WAITS),
        ("room bell", ROOM_BELL),
        ("gates", GATES),
    ];
    let of_places: [(&str, WordOfPlace); 5] = [
        ("state", |place| reader_words(place).state),
        ("cursor", |place| reader_words(place).cursor),
        ("bell", |place| reader_words(place).bell),
        ("kind of sleep", |place| reader_words(place).kind),
        ("generation", writer_word),
    ];
    let alone = words.map(|(name, word)| (name, vec![8 * word]));
    let each = of_places.map(|(name, word)| (name, vec![8 * word(0), 8 * (word(1) - word(0))]));
    let ring = [("the ring", vec![8 * DATA])];
    // The four words before these are the identity, whose bytes the page has.
    assert_eq!(said[4..], [&alone[..], &each[..], &ring[..]].concat());
    for (_, word) in of_places {
        assert_eq!(word(63), word(0) + 63 * (word(1) - word(0)));
    }
}

#[test]
fn a_stream_in_which_a_record_is_empty_is_damaged_and_not_read_on() {
    let segment = ShmSegment::create(4_096).unwrap();
    let mut writer = segment.writer(ShmAccess::Sole).unwrap();
    let mut streams = [(); 2].map(|()| segment.reader(ShmMode::Block).unwrap());
    writer.send(b"bid 42").unwrap();
    for _ in 0..100 {
        writer.send(b"").unwrap();
    }
    writer.send(b"ask 43").unwrap();
    let (empty, mut bytes) = (ShmReadError::Damaged(ShmFault::Empty { at: 24 }), [0; 64]);
    let [stream, messages] = &mut streams;
    assert_eq!(stream.read_bytes(&mut bytes), Ok(6));
    for _ in 0..3 {
        assert_eq!(stream.read_bytes(&mut bytes), Err(empty));
        assert_eq!(stream.read(), Err(empty));
    }
    // As a message it is one.
    assert_eq!(messages.read(), Ok(Some(&b"bid 42"[..])));
    assert_eq!(messages.read(), Ok(Some(&b""[..])));
}

/// A reader in the model: what it will get, if it loses nothing.
struct Twin {
    reader: ShmReader,
    lossy: bool,
    queue: VecDeque<u64>,
    got: u64,
    entered: Option<u64>,
}

impl Twin {
    fn read(&mut self) -> bool {
        let Some(bytes) = self.reader.read().unwrap() else { return false };
        let n = number(bytes);
        self.got += 1;
        if self.lossy {
            while self.queue.pop_front().expect("published") != n {}
            let first = *self.entered.get_or_insert(n);
            assert_eq!(
                self.got + self.reader.missed(),
                n + 1 - first,
                "all are counted from the first one on"
            );
        } else {
            assert_eq!(self.queue.pop_front(), Some(n));
        }
        true
    }
}

#[test]
fn random_use_agrees_with_a_plain_model() {
    for seed in seeds(60) {
        let mut random = Random::new(seed);
        let segment = ShmSegment::create(4_096).unwrap();
        let access = random.pick(&[ShmAccess::Sole, ShmAccess::Shared]);
        let mut writers: Vec<ShmWriter> = Vec::new();
        let mut readers: Vec<Twin> = Vec::new();
        // What one writer has staged, which others wait for.
        let (mut next, mut staged, mut stager) = (0, Vec::new(), 0);
        for _ in 0..3_000 {
            match random.below(100) {
                0..3 if readers.len() < 5 => {
                    let mode = random.pick(&[ShmMode::Block, ShmMode::Lossy]);
                    let reader = segment.reader(mode).unwrap();
                    let lossy = mode == ShmMode::Lossy;
                    readers.push(Twin { reader, lossy, queue: VecDeque::new(), got: 0, entered: None });
                }
                3..5 if !readers.is_empty() => drop(readers.remove(random.index(readers.len()))),
                5..7 if writers.len() < 3 && (access == ShmAccess::Shared || writers.is_empty()) => {
                    writers.push(segment.writer(access).unwrap());
                }
                7 if !writers.is_empty() && (access == ShmAccess::Sole || staged.is_empty()) => {
                    // It leaves what it has not published.
                    drop(writers.remove(random.index(writers.len())));
                    next -= staged.drain(..).count() as u64;
                }
                8..50 if !writers.is_empty() => {
                    if staged.is_empty() {
                        stager = random.index(writers.len());
                    }
                    let writer = &mut writers[stager];
                    let bytes = message(next, 8 + random.index(600));
                    match writer.stage(&bytes) {
                        Ok(()) => {
                            staged.push(next);
                            next += 1;
                        }
                        Err(ShmSendError::Full { .. }) => {
                            show(&mut staged, &mut readers);
                            let mut held: Vec<_> = readers.iter_mut().filter(|twin| !twin.lossy).collect();
                            assert!(!held.is_empty(), "somebody is in the way");
                            while held.iter_mut().fold(false, |more, twin| more | twin.read()) {}
                            writer.publish();
                        }
                        Err(error) => panic!("{error}"),
                    }
                    // So much has room beside what is staged, unless a reader is in the way.
                    if random.chance(60) || staged.len() == 3 {
                        writer.publish();
                        show(&mut staged, &mut readers);
                    }
                }
                _ => {
                    if let Some(index) = readers.len().checked_sub(1) {
                        readers[random.index(index + 1)].read();
                    }
                }
            }
        }
        writers.iter_mut().for_each(ShmWriter::publish);
        show(&mut staged, &mut readers);
        for twin in &mut readers {
            while twin.read() {}
            assert!(twin.queue.is_empty(), "{:?}", twin.queue);
        }
    }
}

fn show(staged: &mut Vec<u64>, readers: &mut [Twin]) {
    for n in staged.drain(..) {
        readers.iter_mut().for_each(|twin| twin.queue.push_back(n));
    }
}

#[test]
fn threads_that_write_and_read_lose_nothing_and_tear_nothing() {
    let count = cases(20_000);
    let spin = Duration::from_micros(5);
    for writers in [1, 3] {
        let segment = ShmSegment::create(4_096).unwrap();
        std::thread::scope(|scope| {
            for mode in [ShmMode::Block, ShmMode::Block, ShmMode::Lossy] {
                let mut reader = segment.reader(mode).unwrap();
                scope.spawn(move || {
                    let mut of: Vec<u64> = vec![0; writers as usize];
                    let mut got = 0;
                    loop {
                        match reader.wait(spin, LONG) {
                            ShmWaited::Ready => {}
                            ShmWaited::Closed => break,
                            ShmWaited::TimedOut => panic!("nobody wakes it"),
                        }
                        while let Some(bytes) = reader.read().unwrap() {
                            let n = number(bytes);
                            let (from, n) = ((n % writers) as usize, n / writers);
                            assert!(n == of[from] || (n > of[from] && mode == ShmMode::Lossy));
                            of[from] = n + 1;
                            got += 1;
                        }
                    }
                    // A lossy reader may be lapped after the last message of one writer, but gets the last
                    // of all.
                    match mode {
                        ShmMode::Block => assert_eq!(of, vec![count; writers as usize]),
                        ShmMode::Lossy => assert!(of.contains(&count), "{of:?}"),
                    }
                    // Unless it slept until the first one had gone.
                    assert!(
                        got + reader.missed() <= count * writers
                            && (mode == ShmMode::Lossy || got == count * writers)
                    );
                });
            }
            let mut threads = Vec::new();
            for from in 0..writers {
                let access = if writers == 1 { ShmAccess::Sole } else { ShmAccess::Shared };
                let mut writer = segment.writer(access).unwrap();
                threads.push(scope.spawn(move || {
                    for n in 0..count {
                        let bytes = message(n * writers + from, 8 + (n % 90) as usize);
                        loop {
                            match writer.send(&bytes) {
                                Ok(()) => break,
                                Err(ShmSendError::Full { .. }) => {
                                    assert!(writer.wait_room(bytes.len(), spin, LONG));
                                }
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                    writer
                }));
            }
            let mut all: Vec<ShmWriter> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            all[0].close();
            assert_eq!(all[0].send(b"more"), Err(ShmSendError::Closed));
        });
    }
}

#[test]
fn a_lossy_reader_that_is_lapped_goes_on_with_the_last_message_and_counts_what_it_has_missed() {
    let segment = ShmSegment::create(4_096).unwrap();
    let mut writer = segment.writer(ShmAccess::Sole).unwrap();
    let mut reader = segment.reader(ShmMode::Lossy).unwrap();
    writer.send(&message(0, 64)).unwrap();
    assert_eq!(number(reader.read().unwrap().unwrap()), 0);
    (1..1_000).for_each(|n| writer.send(&message(n, 64)).unwrap());
    assert_eq!(number(reader.read().unwrap().unwrap()), 999);
    assert_eq!((reader.missed(), reader.read()), (998, Ok(None)));
    // Staged records overwrite what can be read, but never all of it.
    let mut got = 2;
    for n in 1_000..1_100 {
        writer.stage(&message(n, 64)).unwrap();
        let read = reader.read().unwrap().map(number);
        assert!(read.is_none_or(|read| read < n), "it is not published");
        got += u64::from(read.is_some());
    }
    let mut late = segment.reader(ShmMode::Lossy).unwrap();
    writer.publish();
    assert!(late.read().unwrap().is_some());
    while let Some(n) = reader.read().unwrap().map(number) {
        got += 1;
        assert_eq!(got + reader.missed(), n + 1);
    }
    assert!(got > 3);
}

#[test]
fn a_sole_writer_is_alone_and_a_place_is_free_again_when_its_holder_has_gone() {
    let segment = ShmSegment::create(4_096).unwrap();
    let one = segment.writer(ShmAccess::Sole).unwrap();
    let before = sleeps();
    for _ in 0..20 {
        assert!(matches!(segment.writer(ShmAccess::Sole), Err(ShmError::Taken)));
    }
    let slept = sleeps() - before;
    assert!(slept < 20, "whoever would be the only writer waits for another one: {slept} times");
    drop(one);
    let mut shared = segment.writer(ShmAccess::Shared).unwrap();
    let mut sole = segment.writer(ShmAccess::Sole).unwrap();
    assert_eq!(shared.send(b"one"), Err(ShmSendError::Busy));
    sole.send(b"two").unwrap();
    drop(sole);
    shared.send(b"three").unwrap();
    let mut readers: Vec<_> = (0..SHM_READERS_MAX).map(|_| segment.reader(ShmMode::Block).unwrap()).collect();
    assert!(matches!(segment.reader(ShmMode::Lossy), Err(ShmError::TooManyReaders)));
    readers.remove(7);
    let mut late = segment.reader(ShmMode::Block).unwrap();
    shared.send(b"four").unwrap();
    assert_eq!(late.read().unwrap(), Some(&b"four"[..]));
    assert!(late.has_writer());
    drop(shared);
    assert!(!late.has_writer());
}

#[test]
fn a_writer_that_only_tries_again_gets_past_readers_that_have_died() {
    for access in [ShmAccess::Sole, ShmAccess::Shared] {
        let segment = ShmSegment::create(4_096).unwrap();
        let mut writer = segment.writer(access).unwrap();
        let dead = [ShmMode::Block, ShmMode::Lossy, ShmMode::Block, ShmMode::Block].map(|mode| {
            writer.send(&message(0, 8)).unwrap();
            segment.reader(mode).unwrap()
        });
        let mut lives = segment.reader(ShmMode::Block).unwrap();
        dead.into_iter().for_each(ShmReader::die);
        let mut sent = 0;
        while writer.send(&message(sent, 64)).is_ok() {
            sent += 1;
        }
        assert!(matches!(writer.send(b"more"), Err(ShmSendError::Full { reader: 4 })));
        for n in 0..sent {
            assert_eq!(lives.read().unwrap().map(number), Some(n));
        }
        writer.send(b"more").unwrap();
        assert_eq!(writer.release_dead(), 0);
    }
}

#[test]
fn a_writer_that_has_the_place_of_one_that_died_stands_in_for_it_in_nobodys_way() {
    for access in [ShmAccess::Sole, ShmAccess::Shared] {
        let segment = ShmSegment::create(4_096).unwrap();
        let mut reader = segment.reader(ShmMode::Block).unwrap();
        let mut dead = segment.writer(access).unwrap();
        dead.send(&message(0, 64)).unwrap();
        dead.stage(&message(1, 64)).unwrap();
        dead.die();
        // The kernel gives it the lock of the dead one. It writes nothing.
        let idle = segment.writer(ShmAccess::Shared).unwrap();
        segment.writer(ShmAccess::Shared).unwrap().send(&message(2, 64)).unwrap();
        segment.writer(ShmAccess::Sole).unwrap().send(&message(3, 64)).unwrap();
        let got: Vec<_> = std::iter::from_fn(|| reader.read().unwrap().map(number)).collect();
        assert_eq!(got, [0, 2, 3]);
        drop(idle);
    }
}

#[test]
fn what_a_dead_writer_said_too_much_is_taken_back_though_its_successor_writes_nothing() {
    let segment = ShmSegment::create(4_096).unwrap();
    let mut readers = [ShmMode::Block, ShmMode::Lossy].map(|mode| segment.reader(mode).unwrap());
    let mut dead = segment.writer(ShmAccess::Shared).unwrap();
    let mut successor = segment.writer(ShmAccess::Shared).unwrap();
    dead.send(&message(0, 64)).unwrap();
    dead.stage(&message(1, 64)).unwrap();
    // Killed between the sequence that comes next and the end.
    segment.parts().0.words()[NEXT].fetch_add(1, Ordering::Relaxed);
    dead.die();
    successor.stage(&message(2, 64)).unwrap();
    drop(successor);
    segment.writer(ShmAccess::Shared).unwrap().send(&message(3, 64)).unwrap();
    for reader in &mut readers {
        let got: Vec<_> = std::iter::from_fn(|| reader.read().unwrap().map(number)).collect();
        assert_eq!((got, reader.missed()), (vec![0, 3], 0));
    }
}

#[test]
fn a_place_is_free_again_although_a_child_was_forked_while_it_was_held() {
    let segment = ShmSegment::create(4_096).unwrap();
    let (mapping, _) = segment.parts();
    let take = |lock| Participant::new(mapping, segment.as_fd(), [lock]).unwrap();
    let (holder, _) = take(3).unwrap();
    let child = holder.inherited();
    assert!(take(3).is_none());
    drop(holder);
    let (next, _) = take(3).expect("nobody holds it");
    drop(child);
    assert!(take(3).is_none(), "the child's end takes nothing from the next holder");
    drop(next);
}

#[test]
fn a_forked_child_that_drops_its_copies_takes_nothing_from_its_parent() {
    let segment = ShmSegment::create(4_096).unwrap();
    let (mut writer, mut reader) =
        (segment.writer(ShmAccess::Sole).unwrap(), segment.reader(ShmMode::Block).unwrap());
    let mut lossy = segment.reader(ShmMode::Lossy).unwrap();
    writer.send(&message(0, 64)).unwrap();
    // SAFETY: the child drops what it has, which takes no lock of another thread, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop((writer, reader, lossy));
        // SAFETY: it runs nothing else of this process.
        unsafe { libc::_exit(0) }
    }
    let mut status = 0;
    // SAFETY: the status is this thread's.
    assert_eq!((unsafe { libc::waitpid(child, &raw mut status, 0) }, status), (child, 0));
    assert!(segment.writer(ShmAccess::Sole).is_err(), "there is one");
    let fill = |writer: &mut ShmWriter| (1..).take_while(|n| writer.send(&message(*n, 64)).is_ok()).count();
    let sent = fill(&mut writer) as u64;
    assert!(sent > 10, "the reader holds the writer back");
    for reader in [&mut reader, &mut lossy] {
        let got: Vec<_> = std::iter::from_fn(|| reader.read().unwrap().map(number)).collect();
        assert_eq!(got, (0..=sent).collect::<Vec<_>>());
    }
}

#[test]
fn memory_that_could_end_this_process_is_not_mapped() {
    let refused = |fd: OwnedFd| ShmSegment::from_fd(fd, 1 << 20).unwrap_err();
    assert!(matches!(refused(File::open("/proc/self/exe").unwrap().into()), ShmError::NotSealed));
    assert!(matches!(refused(File::open("/dev/null").unwrap().into()), ShmError::NotSealed));
    assert!(matches!(refused(File::open(".").unwrap().into()), ShmError::NotSealed));
    let memory = |bytes: u64, seals: SealFlags| {
        let file = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, bytes).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file
    };
    assert!(matches!(refused(memory(1 << 16, SealFlags::GROW)), ShmError::NotSealed));
    for (bytes, magic) in
        [(0, false), (1, false), (8, true), (4_096, true), (1 << 16, true), (1 << 21, false)]
    {
        match refused(memory(bytes, SealFlags::SHRINK)) {
            ShmError::Size { bytes: found, .. } if !magic => assert_eq!(found, bytes),
            ShmError::Damaged(ShmFault::Magic) if magic => {}
            error => panic!("{bytes}: {error}"),
        }
    }
    // A segment that can only be read, and one that is larger than this process takes.
    let segment = ShmSegment::create(4_096).unwrap();
    assert!(matches!(ShmSegment::from_fd(fd(&segment), 4_096), Err(ShmError::Size { .. })));
    fcntl_add_seals(memory(4_096, SealFlags::SHRINK), SealFlags::WRITE).unwrap();
    assert!(matches!(ShmSegment::create(5_000), Err(ShmError::Capacity { bytes: 5_000 })));
    assert!(ftruncate(&segment, 0).is_err(), "the seal holds");
}
