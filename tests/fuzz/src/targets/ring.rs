//! Another process's words in a ring in shared memory: read by readers, and by writers that take it up again.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use mycelium_mailbox::shm::{
    ShmAccess, ShmMode, ShmReadError, ShmReader, ShmSegment, ShmSendError, ShmWriter,
};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "ring",
    reads: "rings in shared memory that another process overwrites",
    run,
    seeds,
    words: &[
        b"\0\x04\0\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x01\0\0\x05\0\0\0\0\0\0\0",
        b"\x02\0\0\x08\0\0\0\0\0\0\0",
        b"\x04\x06\0\x01\0\0\0\0\0\0\0",
        b"\x0b\0\0\0\0\0\0\0\0\0\0",
        b"\x0c\0\0\0\0\0\0\0\0\0\0",
        b"\x0d\0\0\0\0\0\0\0\0\0\0",
    ],
};

/// Bytes of the smallest ring, and before it.
const CAPACITY: u64 = 4_096;
const RING_AT: u64 = 12_288;
/// The largest segment that is mapped (bytes).
const SEGMENT_MAX: u64 = 1 << 20;
/// What one step takes of the input (bytes), and how many are taken.
const STEP: usize = 11;
const STEPS_MAX: usize = 256;
/// The words that have a name: of the maker, of owners, of readers that come and of writers that wait.
const NAMED: [u64; 15] = [0, 8, 16, 24, 128, 136, 256, 264, 272, 384, 512, 640, 648, 768, 9_216];
/// The words of the first readers.
const READERS_AT: u64 = 1_024;
const READER: u64 = 128;

/// Whether nothing was found to be wrong. Whatever stands in the segment, each call ends, and what it says
/// is an error or a message.
fn run(bytes: &[u8]) -> bool {
    let segment = ShmSegment::create(CAPACITY).expect("the system has memory to share");
    let file = segment.as_fd().try_clone_to_owned().expect("the system has descriptors");
    let mut ring = Ring {
        words: File::from(file),
        writer: segment.writer(ShmAccess::Sole).ok(),
        reader: segment.reader(ShmMode::Block).ok(),
        segment,
        sent: Some(VecDeque::new()),
        is_sound: true,
        count: 0,
    };
    for step in bytes.chunks(STEP).take(STEPS_MAX) {
        let mut all = [0; STEP];
        all[..step.len()].copy_from_slice(step);
        let [op, low, high, value @ ..] = all;
        ring.step(op % 16, u16::from_le_bytes([low, high]).into(), u64::from_le_bytes(value));
    }
    ring.is_sound
}

struct Ring {
    segment: ShmSegment,
    /// Its memory, as another process writes there.
    words: File,
    writer: Option<ShmWriter>,
    reader: Option<ShmReader>,
    /// What the reader gets next, as long as nobody has overwritten anything.
    sent: Option<VecDeque<Vec<u8>>>,
    is_sound: bool,
    count: u8,
}

impl Ring {
    fn step(&mut self, op: u8, at: u64, value: u64) {
        match op {
            0 => self.overwrite(NAMED[at as usize % NAMED.len()], |_| value),
            1 => self.overwrite(READERS_AT + at % 4 * READER + at / 4 % 4 * 8, |_| value),
            2 => self.overwrite(RING_AT + at % (CAPACITY / 8) * 8, |_| value),
            3 => self.overwrite(at % ((RING_AT + CAPACITY) / 8) * 8, |_| value),
            4 => self.overwrite(NAMED[at as usize % NAMED.len()], |old| old.wrapping_add(value)),
            5 => self.overwrite(RING_AT + at % (CAPACITY / 8) * 8, |old| old ^ value),
            6 | 7 => self.send(value as usize % 1_100, op == 7),
            8 => self.read(),
            9 => self.read_bytes(at as usize % 64),
            10 => self.wait(value as usize % 1_100),
            11 => self.enter(if value & 1 == 0 { ShmMode::Block } else { ShmMode::Lossy }),
            12 => self.take_up(),
            13 => self.map_again(),
            14 => self.reader = None,
            _ => self.writer = None,
        }
    }

    fn overwrite(&mut self, at: u64, new: impl Fn(u64) -> u64) {
        let mut word = [0; 8];
        self.words.read_exact_at(&mut word, at).expect("it is in the segment");
        let new = new(u64::from_le_bytes(word));
        self.words.write_all_at(&new.to_le_bytes(), at).expect("it is in the segment");
        self.sent = None;
    }

    fn send(&mut self, len: usize, staged: bool) {
        let Some(writer) = &mut self.writer else { return };
        self.count = self.count.wrapping_add(1);
        let message = vec![self.count; len];
        let sent = if staged { writer.stage(&message) } else { writer.send(&message) };
        if staged {
            writer.publish();
        }
        match sent {
            Ok(()) if self.reader.is_some() => {
                self.sent.iter_mut().for_each(|all| all.push_back(message.clone()));
            }
            Ok(()) => {}
            Err(error) => {
                assert!(!error.to_string().is_empty());
                let is_usual = matches!(error, ShmSendError::Full { .. } | ShmSendError::TooLong { .. });
                assert!(is_usual || self.sent.is_none(), "{error}, and nobody has overwritten anything");
                self.is_sound &= is_usual;
            }
        }
    }

    fn read(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        let read = reader.read().map(|message| message.map(<[u8]>::to_vec));
        match read {
            Ok(message) => {
                let is_next = self.sent.as_mut().is_none_or(|sent| sent.pop_front() == message);
                assert!(is_next || reader.missed() > 0, "another message than was sent");
            }
            Err(error) => self.found(error),
        }
    }

    fn read_bytes(&mut self, len: usize) {
        // The rest of a message is none of those that are waited for.
        self.sent = None;
        let Some(reader) = &mut self.reader else { return };
        if let Err(error) = reader.read_bytes(&mut [0; 64][..len]) {
            self.found(error);
        }
    }

    /// What is wrong stays so.
    fn found(&mut self, error: ShmReadError) {
        assert!(self.sent.is_none(), "{error}, and nobody has overwritten anything");
        assert!(!error.to_string().is_empty());
        let again = self.reader.as_mut().map(|reader| reader.read().map(|message| message.is_some()));
        assert_eq!(again, Some(Err(error)));
        self.is_sound = false;
    }

    /// All that a participant does who waits, but for the time.
    fn wait(&mut self, len: usize) {
        if let Some(writer) = &mut self.writer {
            writer.wait_room(len, Duration::ZERO, Duration::ZERO);
            let _ = (writer.arm(len), writer.take_calls(), writer.release_dead(), writer.is_closed());
        }
        if let Some(reader) = &mut self.reader {
            reader.wait(Duration::ZERO, Duration::ZERO);
            reader.commit();
            let _ = (reader.arm(), reader.take_calls(), reader.has_news(), reader.is_finished());
            let _ = (reader.has_writer(), reader.is_closed());
            reader.disarm();
        }
    }

    /// A reader comes, in place of the one that there is.
    fn enter(&mut self, mode: ShmMode) {
        self.reader = None;
        // A lossy one does not get all.
        self.sent = self.sent.take().filter(|_| mode == ShmMode::Block).map(|_| VecDeque::new());
        self.reader = self.segment.reader(mode).ok();
        self.is_sound &= self.reader.is_some();
    }

    /// A writer comes, in place of the one that there is.
    fn take_up(&mut self) {
        self.writer = None;
        let writer = self.segment.writer(ShmAccess::Sole);
        assert!(writer.is_ok() || self.sent.is_none(), "nobody has overwritten anything");
        self.is_sound &= writer.is_ok();
        self.writer = writer.ok();
    }

    /// Another process gets the descriptor, and takes part in place of this one.
    fn map_again(&mut self) {
        let file = self.segment.as_fd().try_clone_to_owned().expect("the system has descriptors");
        match ShmSegment::from_fd(file, SEGMENT_MAX) {
            Ok(segment) => {
                assert_eq!(segment.capacity(), CAPACITY, "no other has this size");
                (self.writer, self.segment) = (None, segment);
                self.take_up();
                self.enter(ShmMode::Block);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty() && self.sent.is_none());
                self.is_sound = false;
            }
        }
    }
}

/// One step, as an input has it.
fn step(op: u8, at: u16, value: u64) -> Vec<u8> {
    [&[op][..], &at.to_le_bytes(), &value.to_le_bytes()].concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let mut used = Vec::new();
    for n in 0..40 {
        used.extend([step(6 + (n % 2) as u8, 0, n * 37), step(8, 0, 0), step(10, 0, n)].concat());
    }
    let lossy = [step(11, 0, 1), (0..9).flat_map(|_| step(6, 0, 900)).collect(), step(8, 0, 0)].concat();
    let again = [step(6, 0, 64), step(13, 0, 0), step(12, 0, 0), step(6, 0, 9), step(8, 0, 0)].concat();
    // The tail, an owner, and a record that are not what they should be.
    let wrong = [(0, 4, 40_000), (0, 6, 1), (2, 0, u64::MAX)];
    let wrong = wrong.map(|(op, at, value)| {
        [step(6, 0, 64), step(op, at, value), step(8, 0, 0), step(12, 0, 0), step(6, 0, 64), step(8, 0, 0)]
            .concat()
    });
    [vec![used, lossy, again], wrong.to_vec()].concat()
}
