//! Models of the rings between processes. A process is a thread here, memory is words that all of them share,
//! and the kernel's locks are flags: a thread that dies leaves everything as it is and gives its lock back.

use std::time::Duration;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::error::ShmSendError;
use super::layout::Geometry;
use super::memory::SharedWords;
use super::read::{ReaderCore, ShmWaited};
use super::write::{WriterCore, writer_lock};
use crate::loom_support::explore;
use crate::sync::{Arc, Word};

const GEOMETRY: Geometry = Geometry { capacity: 128, salt: 5 };

struct Machine {
    words: Vec<Word>,
    alive: Vec<AtomicBool>,
    /// What the kernel holds while it compares and puts to sleep.
    kernel: Mutex<()>,
    woken: Condvar,
}

/// A process, and the lock that it holds: the kernel never names an own one.
#[derive(Clone)]
struct Modelled(Arc<Machine>, Option<usize>);

impl SharedWords for Modelled {
    fn words(&self) -> &[Word] {
        &self.0.words
    }

    fn lives(&self, lock: usize) -> bool {
        self.1 != Some(lock) && self.0.alive[lock].load(Ordering::Acquire)
    }

    fn sleep(&self, word: usize, seen: u64, _at_most: Duration) {
        let kernel = self.0.kernel.lock().unwrap();
        if self.0.words[word].load(Ordering::Acquire) == seen {
            // No time passes in a model: who is not woken is stuck, which loom finds.
            drop(self.0.woken.wait(kernel).unwrap());
        }
    }

    fn wake(&self, _word: usize) {
        drop(self.0.kernel.lock().unwrap());
        self.0.woken.notify_all();
    }
}

impl Modelled {
    fn new() -> Self {
        let words: Vec<Word> = (0..Geometry::words(GEOMETRY.capacity)).map(|_| Word::new(0)).collect();
        GEOMETRY.write(&words);
        let alive = (0..4).map(|_| AtomicBool::new(true)).collect();
        Self(Arc::new(Machine { words, alive, kernel: Mutex::new(()), woken: Condvar::new() }), None)
    }

    fn writer(&self, index: usize, sole: bool) -> WriterCore<Self> {
        let holder = Self(Arc::clone(&self.0), Some(writer_lock(index)));
        WriterCore::new(holder, GEOMETRY, index, sole)
    }

    fn reader(&self, lossy: bool) -> ReaderCore<Self> {
        ReaderCore::new(Self(Arc::clone(&self.0), Some(0)), GEOMETRY, 0, lossy).unwrap()
    }

    fn dies(&self, lock: usize) {
        self.0.alive[lock].store(false, Ordering::Release);
    }
}

/// A message of two words which must belong together.
fn pair(n: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes[8..].copy_from_slice(&(!n).to_le_bytes());
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    let n = u64::from_le_bytes(*bytes.first_chunk().unwrap());
    assert_eq!(bytes, pair(n), "torn");
    n
}

fn next(reader: &mut ReaderCore<Modelled>) -> u64 {
    loop {
        if let Some(bytes) = reader.read().unwrap() {
            return number(bytes);
        }
        assert_eq!(reader.wait(Duration::ZERO, Duration::MAX), ShmWaited::Ready);
    }
}

fn send(writer: &mut WriterCore<Modelled>, n: u64) {
    while let Err(error) = writer.stage(&pair(n)) {
        assert!(matches!(error, ShmSendError::Full { .. }), "{error}");
        assert!(writer.wait_room(16, Duration::ZERO, Duration::MAX));
    }
    writer.publish();
}

#[test]
fn loom_a_reader_that_sleeps_is_woken() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let mut writer = process.writer(0, true);
        let thread = thread::spawn(move || {
            writer.own().unwrap();
            send(&mut writer, 1);
            send(&mut writer, 2);
        });
        assert_eq!((next(&mut reader), next(&mut reader)), (1, 2));
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_waits_for_room_is_woken_and_overwrites_nothing_unread() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let mut writer = process.writer(0, true);
        writer.own().unwrap();
        // Four of 32 bytes fill the ring.
        (0..4).for_each(|n| send(&mut writer, n));
        let thread = thread::spawn(move || send(&mut writer, 4));
        for n in 0..5 {
            assert_eq!(next(&mut reader), n);
        }
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_lossy_reader_gets_nothing_torn() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(true);
        let mut writer = process.writer(0, true);
        writer.own().unwrap();
        (0..4).for_each(|n| send(&mut writer, n));
        let thread = thread::spawn(move || (4..6).for_each(|n| send(&mut writer, n)));
        let mut before = None;
        for _ in 0..2 {
            if let Some(n) = reader.read().unwrap().map(number) {
                assert!(before.is_none_or(|before| before < n));
                before = Some(n);
            }
        }
        thread.join().unwrap();
        let mut last = before.unwrap();
        while let Some(n) = reader.read().unwrap().map(number) {
            last = n;
        }
        assert_eq!(last, 5);
    });
}

/// The claim is of one process and what is written under it of another, so that one's fence has to be there.
#[test]
fn loom_a_lossy_reader_gets_nothing_torn_of_a_writer_that_goes_on_under_the_claim_of_a_dead_one() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(true);
        let (mut dying, mut other) = (process.writer(0, false), process.writer(1, false));
        (0..4).for_each(|n| send(&mut dying, n));
        let reading = thread::spawn(move || {
            let read = reader.read().unwrap().map(number);
            (reader, read)
        });
        dying.stage(&pair(7)).unwrap();
        process.dies(writer_lock(0));
        let writing = thread::spawn(move || send(&mut other, 4));
        let (mut reader, mut before) = reading.join().unwrap();
        writing.join().unwrap();
        while let Some(n) = reader.read().unwrap().map(number) {
            assert!(before.is_none_or(|before| before < n));
            before = Some(n);
        }
        assert_eq!(before, Some(4));
    });
}

#[test]
fn loom_a_reader_that_enters_gets_all_that_is_published_behind_its_beginning() {
    explore(|| {
        let process = Modelled::new();
        let mut writer = process.writer(0, true);
        writer.own().unwrap();
        (0..3).for_each(|n| send(&mut writer, n));
        let entering = process.clone();
        let thread = thread::spawn(move || {
            let mut reader = entering.reader(false);
            let mut got = Vec::new();
            while let Some(n) = reader.read().unwrap().map(number) {
                got.push(n);
            }
            (reader, got)
        });
        let mut sent = 3;
        while sent < 8 {
            if writer.stage(&pair(sent)).is_err() {
                break;
            }
            writer.publish();
            sent += 1;
        }
        let (mut reader, mut got) = thread.join().unwrap();
        while let Some(n) = reader.read().unwrap().map(number) {
            got.push(n);
        }
        assert!(got.windows(2).all(|two| two[0] + 1 == two[1]), "{got:?}");
        assert!(got.is_empty() || *got.last().unwrap() == sent - 1);
    });
}

#[test]
fn loom_a_reader_that_sleeps_gets_what_is_left_and_hears_that_the_ring_is_closed() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let mut writer = process.writer(0, true);
        let thread = thread::spawn(move || {
            writer.own().unwrap();
            send(&mut writer, 1);
            writer.close();
        });
        assert_eq!(next(&mut reader), 1);
        assert_eq!(reader.wait(Duration::ZERO, Duration::MAX), ShmWaited::Closed);
        assert_eq!(reader.read(), Ok(None));
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_waits_for_room_goes_on_when_the_reader_leaves() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let mut writer = process.writer(0, true);
        writer.own().unwrap();
        (0..4).for_each(|n| send(&mut writer, n));
        let thread = thread::spawn(move || reader.leave());
        send(&mut writer, 4);
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_waits_for_room_hears_that_another_one_has_closed_the_ring() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let (mut closing, mut waiting) = (process.writer(0, false), process.writer(1, false));
        (0..4).for_each(|n| send(&mut waiting, n));
        let thread = thread::spawn(move || closing.close());
        assert!(waiting.wait_room(16, Duration::ZERO, Duration::MAX));
        assert_eq!(waiting.stage(&pair(4)), Err(ShmSendError::Closed));
        thread.join().unwrap();
        let got: Vec<_> = (0..4).map(|_| next(&mut reader)).collect();
        assert_eq!(got, [0, 1, 2, 3]);
        assert_eq!(reader.wait(Duration::ZERO, Duration::MAX), ShmWaited::Closed);
    });
}

#[test]
fn loom_a_ring_is_closed_while_its_reader_leaves() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let mut writer = process.writer(0, true);
        writer.own().unwrap();
        send(&mut writer, 0);
        let thread = thread::spawn(move || {
            let heard = reader.read().unwrap().map(number);
            reader.leave();
            heard
        });
        writer.close();
        assert_eq!(writer.stage(&pair(1)), Err(ShmSendError::Closed));
        assert_eq!(thread.join().unwrap(), Some(0));
        assert_eq!(process.reader(false).wait(Duration::ZERO, Duration::MAX), ShmWaited::Closed);
    });
}

#[test]
fn loom_writers_take_turns() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let (mut one, mut two) = (process.writer(0, false), process.writer(1, false));
        let thread = thread::spawn(move || send(&mut two, 2));
        send(&mut one, 1);
        thread.join().unwrap();
        let mut got = [next(&mut reader), next(&mut reader)];
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert_eq!(reader.read(), Ok(None));
    });
}

#[test]
fn loom_a_writer_that_dies_stands_in_nobodys_way_and_nothing_of_it_is_read_twice_or_in_part() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let (mut dying, mut other) = (process.writer(0, false), process.writer(1, false));
        let end = process.clone();
        let thread = thread::spawn(move || {
            send(&mut dying, 1);
            dying.stage(&pair(7)).unwrap();
            // Neither published nor given back.
            end.dies(2);
        });
        send(&mut other, 2);
        thread.join().unwrap();
        send(&mut other, 3);
        let got = [next(&mut reader), next(&mut reader), next(&mut reader)];
        assert!(got == [1, 2, 3] || got == [2, 1, 3], "{got:?}");
        assert_eq!(reader.read(), Ok(None));
    });
}

#[test]
fn loom_a_writer_that_has_the_place_of_a_dead_one_and_writes_nothing_stands_in_nobodys_way() {
    explore(|| {
        let process = Modelled::new();
        let mut reader = process.reader(false);
        let (mut dead, mut other) = (process.writer(0, false), process.writer(1, false));
        send(&mut dead, 1);
        dead.stage(&pair(7)).unwrap();
        process.dies(writer_lock(0));
        let entering = process.clone();
        let thread = thread::spawn(move || {
            // The kernel gives it the lock of the dead one.
            entering.0.alive[writer_lock(0)].store(true, Ordering::Release);
            entering.writer(0, false)
        });
        send(&mut other, 2);
        let _idle = thread.join().unwrap();
        assert_eq!((next(&mut reader), next(&mut reader)), (1, 2));
        assert_eq!(reader.read(), Ok(None));
    });
}

#[test]
fn loom_a_reader_that_dies_is_let_go_and_its_successor_is_not() {
    explore(|| {
        let process = Modelled::new();
        let dead = process.reader(false);
        let mut writer = process.writer(0, true);
        writer.own().unwrap();
        (0..4).for_each(|n| send(&mut writer, n));
        process.dies(0);
        drop(dead);
        let entering = process.clone();
        let thread = thread::spawn(move || {
            // The kernel gives it the lock of the dead one.
            entering.0.alive[0].store(true, Ordering::Release);
            entering.reader(false)
        });
        writer.release_dead();
        let mut sent = 4;
        while sent < 7 && writer.stage(&pair(sent)).is_ok() {
            writer.publish();
            sent += 1;
        }
        let mut reader = thread.join().unwrap();
        let mut got = Vec::new();
        while let Some(n) = reader.read().unwrap().map(number) {
            got.push(n);
        }
        assert!(got.is_empty() || *got.last().unwrap() == sent - 1, "{got:?} of {sent}");
        assert!(got.windows(2).all(|two| two[0] + 1 == two[1]), "{got:?}");
    });
}
