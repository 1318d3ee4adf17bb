//! How often a writer asks the kernel whether a reader lives.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::super::layout::Geometry;
use super::super::mapping::{Mapping, Participant};
use super::super::memory::SharedWords;
use super::super::write::{TRIES_PER_QUESTION, WriterCore, writer_lock};
use super::super::{ShmMode, ShmSegment, ShmSendError};
use super::message;
use crate::sync::Word;

/// A participant that counts how often it asks the kernel who lives.
struct Asking(Participant, Cell<u32>);

impl SharedWords for Asking {
    fn words(&self) -> &[Word] {
        self.0.words()
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

#[test]
fn a_writer_that_tries_without_a_pause_seldom_asks_the_kernel_who_lives() {
    for sole in [true, false] {
        let segment = ShmSegment::create(4_096).unwrap();
        let mapping = Arc::new(Mapping::of(segment.as_fd(), 1 << 20).unwrap());
        let geometry = Geometry::read(mapping.words()).unwrap();
        let (participant, _) =
            Participant::new(&mapping, segment.as_fd(), [writer_lock(0)]).unwrap().unwrap();
        let mut writer = WriterCore::new(Asking(participant, Cell::new(0)), geometry, 0, sole);
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
