//! The readers' half of the protocol.

use std::time::{Duration, Instant};

use super::error::{ShmFault, ShmReadError};
use super::layout::{
    CALL, CLAIM, CLOSED, FUTEX, GATES, Geometry, LAST, ROOM_BELL, ROOM_WAITS, ReaderState, ReaderWords,
    SLEEPERS, TAIL, WORD, reader_words,
};
use super::memory::{Point, SharedWords, get, get_bytes};
use super::write::BEAT;
use crate::sync::{Ordering, Word, word_fence};

/// How often a lossy reader that is lapped while it looks tries again, before it lets others run.
const LAPS_MAX: u32 = 64;

/// What waiting for a message has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShmWaited {
    /// There is something to read.
    Ready,
    /// The time has passed.
    TimedOut,
    /// The segment is closed, and all of it is read.
    Closed,
}

pub(super) struct ReaderCore<M> {
    pub(super) memory: M,
    geometry: Geometry,
    index: usize,
    words: ReaderWords,
    state: ReaderState,
    /// The position of the next record, and up to where there are some.
    at: u64,
    seen: u64,
    /// The position that writers know of.
    committed: u64,
    /// The sequence of the next record, once one was read.
    expected: Option<u64>,
    missed: u64,
    calls: bool,
    fault: Option<ShmReadError>,
    /// A copy of the last record.
    copy: Vec<[u8; 8]>,
    /// The record at `at`, as far as it is read in parts.
    part: RecordPart,
}

/// What is left of a record: where that begins, and how many bytes it has. None: it was not begun.
#[derive(Clone, Copy, Default)]
struct RecordPart {
    at: u64,
    left: u64,
    /// The record behind it.
    next: u64,
}

impl<M: SharedWords> ReaderCore<M> {
    /// The reader with this number, whose lock the caller holds. It gets what is published from now on.
    pub(super) fn new(memory: M, geometry: Geometry, index: usize, lossy: bool) -> Result<Self, ShmFault> {
        let words = reader_words(index);
        let all = memory.words();
        let tail = all[TAIL].load(Ordering::Acquire);
        all[words.cursor].store(tail, Ordering::Release);
        // A writer may evict the last holder meanwhile, which keeps the generation. Nobody else writes here.
        let before = ReaderState(all[words.state].load(Ordering::Acquire));
        let state = before.next(if lossy { ReaderState::LOSSY } else { ReaderState::GATE });
        all[words.state].swap(state.0, Ordering::AcqRel);
        let bit = 1 << index;
        if !lossy {
            all[GATES].fetch_or(bit, Ordering::AcqRel);
        }
        memory.reach(Point::Entering);
        // SYNC POINT "entering", see `WriterCore::floor`.
        word_fence(Ordering::SeqCst);
        let tail = all[TAIL].load(Ordering::Acquire);
        if !Geometry::is_position(tail) {
            all[words.state].store(state.with(ReaderState::FREE).0, Ordering::Release);
            return Err(ShmFault::Tail { found: tail, at: 0 });
        }
        all[words.cursor].store(tail, Ordering::Release);
        let mut reader = Self {
            memory,
            geometry,
            index,
            words,
            state,
            at: tail,
            seen: tail,
            committed: tail,
            expected: None,
            missed: 0,
            calls: false,
            fault: None,
            copy: Vec::new(),
            part: RecordPart::default(),
        };
        // A writer may have found the ring full behind the cursor of before.
        reader.tell_writers();
        Ok(reader)
    }

    fn word(&self, at: usize) -> &Word {
        &self.memory.words()[at]
    }

    pub(super) fn is_lossy(&self) -> bool {
        self.state.kind() == ReaderState::LOSSY
    }

    /// The next record, in a copy that nobody else can change.
    #[inline]
    pub(super) fn read(&mut self) -> Result<Option<&[u8]>, ShmReadError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.advance() {
            Ok(None) => Ok(None),
            Ok(Some(len)) => Ok(Some(&self.copy.as_flattened()[..len])),
            Err(fault) => {
                self.fault = Some(fault);
                Err(fault)
            }
        }
    }

    /// The record that was read last is empty, and this is a stream: whoever writes such ones could have it
    /// read them without end, and get nothing.
    #[cold]
    pub(super) fn refuse_empty(&mut self) -> ShmReadError {
        let fault = ShmFault::Empty { at: self.at - Geometry::room(0) }.into();
        self.fault = Some(fault);
        fault
    }

    /// Copies bytes of the next record, or of the one that was begun, straight to where they are to be: as
    /// many as `to` takes, or zero where there are none. For readers that writers wait for: the record stays
    /// in the ring until all of it is read. A record that is longer than `to` is left at the end of a word,
    /// so zero is returned too where `to` is shorter than a word and the rest of the record.
    pub(super) fn read_part(&mut self, to: &mut [u8]) -> Result<usize, ShmReadError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.part.left == 0
            && let Err(fault) = self.begin_part()
        {
            self.fault = Some(fault);
            return Err(fault);
        }
        let mut count = self.part.left.min(to.len() as u64);
        if count < self.part.left {
            count -= count % WORD;
        }
        if count > 0 {
            // At most the length of `to`.
            get_bytes(self.memory.words(), self.geometry, self.part.at, &mut to[..count as usize]);
            self.part.at += count;
            self.part.left -= count;
            self.end_part();
        }
        Ok(count as usize)
    }

    /// Copies what is left of the record that was begun to where [`last`](Self::last) has it: how much.
    pub(super) fn read_rest(&mut self) -> usize {
        let RecordPart { at, left, .. } = self.part;
        let count = left.div_ceil(WORD) as usize;
        if self.copy.len() < count {
            self.copy.resize(count, [0; 8]);
        }
        get(self.memory.words(), self.geometry, at, &mut self.copy[..count]);
        self.part.left = 0;
        if count > 0 {
            self.end_part();
        }
        left as usize
    }

    /// What is left of the record that was begun is not read.
    pub(super) fn skip_part(&mut self) {
        if std::mem::take(&mut self.part.left) > 0 {
            self.end_part();
        }
    }

    /// Finds the next record, if there is one.
    fn begin_part(&mut self) -> Result<(), ShmReadError> {
        if self.at == self.seen {
            self.commit();
            self.look()?;
            if self.at == self.seen {
                return Ok(());
            }
        } else if self.at - self.committed >= self.geometry.capacity / 8 {
            self.commit();
        }
        let at = self.at;
        let mut head = [[0; 8]; 2];
        get(self.memory.words(), self.geometry, at, &mut head);
        let [head, sequence] = head.map(u64::from_le_bytes);
        let len = self.geometry.len_of(at, head).filter(|len| Geometry::room(*len) <= self.seen - at);
        let len = len.ok_or(ShmFault::Record { at, found: head })?;
        if let Some(expected) = self.expected.filter(|expected| *expected != sequence) {
            return Err(ShmFault::Sequence { expected, found: sequence }.into());
        }
        if len == 0 {
            return Err(ShmFault::Empty { at }.into());
        }
        self.expected = Some(sequence.wrapping_add(1));
        self.part = RecordPart { at: at + 2 * WORD, left: len, next: at + Geometry::room(len) };
        Ok(())
    }

    /// Goes on behind the record, if all of it is read.
    fn end_part(&mut self) {
        if self.part.left == 0 {
            self.at = self.part.next;
            self.memory.reach(Point::Copied);
        }
    }

    #[inline]
    fn advance(&mut self) -> Result<Option<usize>, ShmReadError> {
        for _ in 0..LAPS_MAX {
            if self.at == self.seen {
                self.commit();
                self.look()?;
                if self.at == self.seen {
                    return Ok(None);
                }
            } else if self.at - self.committed >= self.geometry.capacity / 8 {
                self.commit();
            }
            if let Some(len) = self.copy_next()? {
                return Ok(Some(len));
            }
            self.jump()?;
        }
        Ok(None)
    }

    /// How far there is something to read.
    #[inline]
    fn look(&mut self) -> Result<(), ShmReadError> {
        // SYNC POINT "record visible", see `WriterCore::publish`.
        let tail = self.word(TAIL).load(Ordering::Acquire);
        if tail == self.at {
            return Ok(());
        }
        if self.word(self.words.state).load(Ordering::Relaxed) != self.state.0 {
            return Err(ShmReadError::Evicted);
        }
        let ahead = tail.checked_sub(self.at).filter(|_| Geometry::is_position(tail));
        let ahead = ahead.filter(|ahead| self.is_lossy() || *ahead <= self.geometry.capacity);
        if ahead.is_none() {
            return Err(ShmFault::Tail { found: tail, at: self.at }.into());
        }
        self.seen = tail;
        Ok(())
    }

    /// Copies the record at the cursor, then finds out whether that is one. `None`: it was overwritten, as
    /// happens to a lossy reader.
    #[inline]
    fn copy_next(&mut self) -> Result<Option<usize>, ShmReadError> {
        let at = self.at;
        let lossy = self.is_lossy();
        if lossy && self.is_lapped(at)? {
            return Ok(None);
        }
        let words = self.memory.words();
        let mut head = [[0; 8]; 2];
        get(words, self.geometry, at, &mut head);
        let [head, sequence] = head.map(u64::from_le_bytes);
        let ahead = self.seen - at;
        let len = self.geometry.len_of(at, head).filter(|len| Geometry::room(*len) <= ahead);
        if let Some(len) = len {
            // At most a quarter of the ring.
            let count = len.div_ceil(WORD) as usize;
            if self.copy.len() < count {
                self.copy.resize(count, [0; 8]);
            }
            get(words, self.geometry, at + 2 * WORD, &mut self.copy[..count]);
        }
        if lossy && self.is_lapped(at)? {
            return Ok(None);
        }
        let len = len.ok_or(ShmFault::Record { at, found: head })?;
        match self.expected {
            Some(expected) if expected != sequence => {
                let missed = sequence.wrapping_sub(expected);
                if !lossy || missed > u64::MAX / 2 {
                    return Err(ShmFault::Sequence { expected, found: sequence }.into());
                }
                self.missed = self.missed.saturating_add(missed);
            }
            _ => {}
        }
        self.expected = Some(sequence.wrapping_add(1));
        self.at = at + Geometry::room(len);
        self.memory.reach(Point::Copied);
        Ok(Some(len as usize))
    }

    /// Whether a writer may have written over what is at this position, before or since it was read.
    #[inline]
    fn is_lapped(&self, at: u64) -> Result<bool, ShmReadError> {
        // SYNC POINT "lapped": whatever was read before, its claim is seen.
        word_fence(Ordering::Acquire);
        let claim = self.word(CLAIM).load(Ordering::Relaxed);
        match claim.checked_sub(at) {
            Some(ahead) if Geometry::is_position(claim) => Ok(ahead > self.geometry.capacity),
            _ => Err(ShmFault::Claim { found: claim, at }.into()),
        }
    }

    /// Goes on with the last record there is.
    #[cold]
    fn jump(&mut self) -> Result<(), ShmReadError> {
        // SYNC POINT "lapped": whoever has seen the claim sees the last record before it.
        word_fence(Ordering::Acquire);
        let last = self.word(LAST).load(Ordering::Acquire);
        let tail = self.word(TAIL).load(Ordering::Acquire);
        if last < self.at || last > tail || !Geometry::is_position(last) || !Geometry::is_position(tail) {
            return Err(ShmFault::Tail { found: last, at: self.at }.into());
        }
        (self.at, self.seen) = (last, tail);
        Ok(())
    }

    /// Tells writers how far it is.
    #[inline]
    pub(super) fn commit(&mut self) {
        if self.committed == self.at {
            return;
        }
        self.committed = self.at;
        if self.is_lossy() {
            return;
        }
        self.word(self.words.cursor).store(self.at, Ordering::Release);
        self.memory.reach(Point::Moved);
        self.tell_writers();
    }

    fn tell_writers(&mut self) {
        // SYNC POINT "room", see `WriterCore::arm`.
        word_fence(Ordering::SeqCst);
        if self.word(ROOM_WAITS).load(Ordering::Relaxed) == 0 {
            return;
        }
        let kinds = self.word(ROOM_WAITS).swap(0, Ordering::AcqRel);
        if kinds & FUTEX != 0 {
            self.word(ROOM_BELL).fetch_add(1, Ordering::Release);
            self.memory.wake(ROOM_BELL);
        }
        self.calls |= kinds & CALL != 0;
    }

    /// Whether there is something to read, or nothing will ever be again.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.has_record() || self.is_closed()
    }

    /// Whether there is something to read.
    #[inline]
    pub(super) fn has_record(&self) -> bool {
        self.at != self.seen || self.word(TAIL).load(Ordering::Acquire) != self.at
    }

    /// Says that it sleeps, to be woken in one way or the other. Whether there is news already.
    pub(super) fn arm(&mut self, kind: u64) -> bool {
        self.commit();
        self.word(self.words.kind).store(kind, Ordering::Relaxed);
        self.word(SLEEPERS).fetch_or(1 << self.index, Ordering::AcqRel);
        // SYNC POINT "nobody sleeps", see `WriterCore::publish`.
        word_fence(Ordering::SeqCst);
        let news = self.has_news();
        if news {
            self.disarm();
        } else {
            self.memory.reach(Point::Asleep);
        }
        news
    }

    pub(super) fn disarm(&self) {
        if self.word(SLEEPERS).load(Ordering::Relaxed) & 1 << self.index != 0 {
            self.word(SLEEPERS).fetch_and(!(1 << self.index), Ordering::AcqRel);
        }
    }

    /// Waits for a record, spinning first.
    pub(super) fn wait(&mut self, spin: Duration, limit: Duration) -> ShmWaited {
        self.commit();
        let mut since = None;
        loop {
            if self.at != self.seen || self.word(TAIL).load(Ordering::Acquire) != self.at {
                return ShmWaited::Ready;
            }
            if self.is_closed() {
                return if self.is_finished() { ShmWaited::Closed } else { ShmWaited::Ready };
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if waited >= limit {
                return ShmWaited::TimedOut;
            }
            if waited < spin {
                std::hint::spin_loop();
                continue;
            }
            let seen = self.word(self.words.bell).load(Ordering::Acquire);
            if !self.arm(FUTEX) {
                self.memory.sleep(self.words.bell, seen, BEAT.min(limit - waited));
                self.disarm();
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.word(CLOSED).load(Ordering::Acquire) != 0
    }

    /// Whether it is closed, and read to the end.
    pub(super) fn is_finished(&self) -> bool {
        // In this order: it is closed behind the last record.
        self.is_closed() && self.at == self.seen && self.word(TAIL).load(Ordering::Acquire) == self.at
    }

    /// The memory of the last record that was read, and of longer ones before it.
    pub(super) fn last(&self) -> &[u8] {
        self.copy.as_flattened()
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    pub(super) fn take_calls(&mut self) -> bool {
        std::mem::take(&mut self.calls)
    }

    /// Goes: nobody waits for it any more.
    pub(super) fn leave(&mut self) {
        self.disarm();
        let all = self.memory.words();
        if !self.is_lossy() {
            all[GATES].fetch_and(!(1 << self.index), Ordering::AcqRel);
        }
        let free = self.state.with(ReaderState::FREE).0;
        let state = &all[self.words.state];
        let _evicted = state.compare_exchange(self.state.0, free, Ordering::AcqRel, Ordering::Relaxed);
        self.tell_writers();
    }
}
