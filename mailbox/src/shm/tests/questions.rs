//! How often a writer asks the kernel whether a reader lives.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::super::layout::{GATES, Geometry, ReaderState, reader_words};
use super::super::mapping::{Mapping, Participant};
use super::super::memory::SharedWords;
use super::super::write::{TRIES_PER_QUESTION, WriterCore, writer_lock};
use super::super::{ShmMode, ShmSegment, ShmSendError};
use super::message;
use crate::sync::{Ordering, Word};

/// A participant that counts how often it asks the kernel who lives. A peer may write that a reader is in the
/// way at this place, whenever it looks.
struct Asking(Participant, Cell<u32>, Cell<Option<usize>>);

impl SharedWords for Asking {
    fn words(&self) -> &[Word] {
        let words = self.0.words();
        if let Some(haunted) = self.2.get() {
            words[reader_words(haunted).state].store(ReaderState::GATE, Ordering::Relaxed);
            words[GATES].fetch_or(1 << haunted, Ordering::Relaxed);
        }
        words
    }

    fn lives(&self, lock: usize) -> bool {
        self.1.set(self.1.get() + 1);
        self.0.lives(lock)
    }

    fn sleep(&self, word: usize, seen: u64, at_most: Duration) {
        self.0.sleep(word, seen, at_most);
    }

    fn wake(&self, word: usize) {
        self.0.wake(word);
    }
}

fn asking_writer(segment: &ShmSegment, sole: bool) -> WriterCore<Asking> {
    let mapping = Arc::new(Mapping::of(segment.as_fd(), 1 << 20).unwrap());
    let geometry = Geometry::read(mapping.words()).unwrap();
    let (participant, _) = Participant::new(&mapping, segment.as_fd(), [writer_lock(0)]).unwrap().unwrap();
    WriterCore::new(Asking(participant, Cell::new(0), Cell::new(None)), geometry, 0, sole)
}

#[test]
fn a_wait_for_room_ends_in_time_though_a_peer_has_readers_die_without_end() {
    let segment = ShmSegment::create(4_096).unwrap();
    let mut writer = asking_writer(&segment, false);
    let _slow = segment.reader(ShmMode::Block).unwrap();
    while writer.stage(&message(0, 64)).is_ok() {
        writer.publish();
    }
    writer.memory.2.set(Some(1));
    // A hang is the failure.
    assert!(!writer.wait_room(64, Duration::ZERO, Duration::from_millis(50)));
    assert!(writer.memory.1.get() > 1, "it has let go of some");
}

#[test]
fn a_writer_that_tries_without_a_pause_seldom_asks_the_kernel_who_lives() {
    for sole in [true, false] {
        let segment = ShmSegment::create(4_096).unwrap();
        let mut writer = asking_writer(&segment, sole);
        let mut send = |bytes: &[u8]| {
            let sent = writer.stage(bytes).map(|()| writer.publish());
            (sent, writer.memory.1.get())
        };
        let mut reader = segment.reader(ShmMode::Block).unwrap();
        while send(&message(0, 64)).0.is_ok() {}
        let (_, before) = send(b"more");
        let (full, after) = (0..1_000).map(|_| send(b"more")).last().unwrap();
        assert!(matches!(full, Err(ShmSendError::Full { reader: 0 })), "{full:?}");
        assert!(after - before < 200, "a thousand tries ask {} times", after - before);
        // It has died meanwhile.
        assert!(reader.read().unwrap().is_some());
        reader.die();
        assert!((0..TRIES_PER_QUESTION).any(|_| send(b"more").0.is_ok()), "the dead one is in the way");
    }
}
