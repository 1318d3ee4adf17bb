//! The writers' half of the protocol.

use std::time::{Duration, Instant};

use super::error::{ShmFault, ShmSendError};
use super::layout::{
    CALL, CLAIM, CLOSED, FUTEX, GATES, Geometry, LAST, NEXT, OWNER, ROOM_BELL, ROOM_WAITS, ReaderState,
    SHM_READERS_MAX, SLEEPERS, TAIL, WORD, reader_words, writer_word,
};
use super::memory::{Patience, Point, SharedWords, get, put};
use crate::sync::{Ordering, Word, word_fence};

/// The longest sleep, so that a process that died before it could wake this one costs no more (time).
pub(super) const BEAT: Duration = Duration::from_millis(20);

/// How often a writer that finds the same reader in its way looks for room before it asks the kernel again
/// whether that one lives, which takes ten times as long. One that tries each 10 ms passes the dead within
/// 100.
pub(super) const TRIES_PER_QUESTION: u32 = 8;

/// A writer's lock, and above it its generation.
fn owner_value(index: usize, generation: u64) -> u64 {
    (generation << 8) | (index as u64 + 1)
}

/// The lock of the writer with this number.
pub(super) fn writer_lock(index: usize) -> usize {
    SHM_READERS_MAX + index
}

pub(super) struct WriterCore<M> {
    pub(super) memory: M,
    geometry: Geometry,
    me: u64,
    /// It is the owner as long as it lives.
    sole: bool,
    owns: bool,
    /// Up to where records are written, and up to where readers may read them.
    staged: u64,
    published: u64,
    /// Where the last record begins.
    last: u64,
    /// The sequence of the next record.
    next: u64,
    /// Up to where nothing is in the way.
    limit: u64,
    calls: bool,
    /// The reader that was found in the way last, for which limit, and how often.
    in_way: (usize, u64, u32),
    /// What the dead owner has left that cannot be taken up: told once, as to whoever finds it.
    damage: Option<ShmSendError>,
}

impl<M: SharedWords> WriterCore<M> {
    /// The writer with this number, whose lock the caller holds.
    pub(super) fn new(memory: M, geometry: Geometry, index: usize, sole: bool) -> Self {
        let generation = memory.words()[writer_word(index)].fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        let me = owner_value(index, generation & (u64::MAX >> 8));
        let mut writer = Self {
            memory,
            geometry,
            me,
            sole,
            owns: false,
            staged: 0,
            published: 0,
            last: 0,
            next: 0,
            limit: 0,
            calls: false,
            in_way: (SHM_READERS_MAX, 0, 0),
            damage: None,
        };
        writer.bury();
        writer
    }

    /// An owner that had this writer's lock before it is dead, and nobody else can tell any more: the lock
    /// is held. Its rest is put in order here, and others may write.
    fn bury(&mut self) {
        let owner = self.word(OWNER);
        let other = owner.load(Ordering::Relaxed);
        if other & 0xff == self.me & 0xff
            && owner.compare_exchange(other, self.me, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            self.owns = true;
            self.memory.reach(Point::Owned);
            self.damage = self.take_up(true).err();
            self.disown();
        }
    }

    fn word(&self, at: usize) -> &Word {
        &self.memory.words()[at]
    }

    /// Becomes the owner, or says why not. A dead owner's work is taken up.
    pub(super) fn own(&mut self) -> Result<(), ShmSendError> {
        let mut patience = Patience::default();
        let dead = loop {
            let owner = self.word(OWNER);
            match owner.compare_exchange(0, self.me, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break false,
                Err(other) => {
                    let lock = (other & 0xff).checked_sub(1).map(|index| index as usize);
                    let dead = patience.is_short(self.sole) && !lock.is_some_and(|index| self.lives(index));
                    if dead
                        && owner
                            .compare_exchange(other, self.me, Ordering::Acquire, Ordering::Relaxed)
                            .is_ok()
                    {
                        break true;
                    }
                }
            }
            if patience.is_over(self.sole) {
                return Err(ShmSendError::Busy);
            }
            patience.wait();
        };
        self.owns = true;
        self.memory.reach(Point::Owned);
        let taken_up = self.damage.take().map_or_else(|| self.take_up(dead), Err);
        if taken_up.is_err() {
            self.disown();
        }
        taken_up
    }

    /// Whether the writer with this number lives; there is none beyond the last.
    fn lives(&self, index: usize) -> bool {
        index < super::layout::SHM_WRITERS_MAX && self.memory.lives(writer_lock(index))
    }

    /// Goes on where the last owner has ended.
    fn take_up(&mut self, dead: bool) -> Result<(), ShmSendError> {
        if self.word(CLOSED).load(Ordering::Acquire) != 0 {
            return Err(ShmSendError::Closed);
        }
        let tail = self.word(TAIL).load(Ordering::Acquire);
        let claim = self.word(CLAIM).load(Ordering::Acquire);
        let last = self.word(LAST).load(Ordering::Acquire);
        if !Geometry::is_position(tail) {
            return Err(ShmFault::Tail { found: tail, at: self.published }.into());
        }
        let claimed = claim.checked_sub(tail).is_some_and(|bytes| bytes <= self.geometry.capacity);
        if !claimed || !Geometry::is_position(claim) {
            return Err(ShmFault::Claim { found: claim, at: tail }.into());
        }
        let behind = tail.checked_sub(last).is_some_and(|bytes| bytes <= self.geometry.capacity);
        if !behind || !Geometry::is_position(last) {
            return Err(ShmFault::Tail { found: last, at: tail }.into());
        }
        self.next = self.word(NEXT).load(Ordering::Acquire);
        self.last = last;
        if dead {
            self.count_on(last, tail)?;
            // For whoever owns the ring next, should this one publish nothing.
            self.word(NEXT).store(self.next, Ordering::Relaxed);
            self.word(LAST).store(self.last, Ordering::Release);
        }
        (self.staged, self.published, self.limit) = (tail, tail, claim);
        // SYNC POINT "lapped": what is written under a claim that another owner made is behind it as well.
        word_fence(Ordering::Release);
        Ok(())
    }

    /// The sequence of the next record, from the records that can be read: an owner that died may have said
    /// too much.
    fn count_on(&mut self, mut at: u64, tail: u64) -> Result<(), ShmFault> {
        if tail == 0 {
            self.next = 0;
        }
        while at < tail {
            let mut head = [[0; 8]; 2];
            get(self.memory.words(), self.geometry, at, &mut head);
            let [head, sequence] = head.map(u64::from_le_bytes);
            let room = self.geometry.len_of(at, head).map(Geometry::room);
            let room = room.filter(|room| *room <= tail - at);
            let room = room.ok_or(ShmFault::Record { at, found: head })?;
            (self.last, self.next) = (at, sequence.wrapping_add(1));
            at += room;
        }
        Ok(())
    }

    fn disown(&mut self) {
        if self.owns {
            self.owns = false;
            self.word(OWNER).store(0, Ordering::Release);
        }
    }

    /// Writes a record behind those that are staged. Readers see it after [`WriterCore::publish`].
    #[inline]
    pub(super) fn stage(&mut self, bytes: &[u8]) -> Result<(), ShmSendError> {
        let len = bytes.len() as u64;
        if len > self.geometry.longest() {
            return Err(ShmSendError::TooLong { len: bytes.len(), max: self.geometry.longest() as usize });
        }
        if !self.owns {
            self.own()?;
        }
        let room = Geometry::room(len);
        if self.limit - self.staged < room {
            self.make_room(room)?;
        }
        let at = self.staged;
        let words = self.memory.words();
        let (head, next) = (self.geometry.head(at, len as u32), self.next);
        let ring = &words[super::layout::DATA..];
        ring[self.geometry.index(at)].store(head, Ordering::Relaxed);
        ring[self.geometry.index(at + WORD)].store(next, Ordering::Relaxed);
        self.memory.reach(Point::InCopy);
        put(words, self.geometry, at + 2 * WORD, bytes);
        self.last = at;
        self.staged = at + room;
        self.next = next.wrapping_add(1);
        Ok(())
    }

    /// Shows readers what is staged, and lets other writers write.
    #[inline]
    pub(super) fn publish(&mut self) {
        self.show();
        if !self.sole {
            self.disown();
        }
    }

    #[inline]
    fn show(&mut self) {
        if self.staged == self.published {
            return;
        }
        self.memory.reach(Point::BeforeCommit);
        self.word(NEXT).store(self.next, Ordering::Relaxed);
        self.memory.reach(Point::Numbered);
        // SYNC POINT "record visible": pairs with the load in `ReaderCore::look`.
        self.word(TAIL).store(self.staged, Ordering::Release);
        self.memory.reach(Point::Committed);
        self.word(LAST).store(self.last, Ordering::Release);
        self.published = self.staged;
        // SYNC POINT "nobody sleeps": either this load sees the sleeper's bit, or the sleeper sees the new
        // end.
        word_fence(Ordering::SeqCst);
        self.memory.reach(Point::BeforeWake);
        if self.word(SLEEPERS).load(Ordering::Relaxed) != 0 {
            self.wake_readers();
        }
    }

    #[cold]
    fn wake_readers(&mut self) {
        let mut sleepers = self.word(SLEEPERS).swap(0, Ordering::AcqRel);
        while sleepers != 0 {
            let index = sleepers.trailing_zeros() as usize;
            sleepers &= sleepers - 1;
            if index >= SHM_READERS_MAX {
                break;
            }
            let words = reader_words(index);
            if self.word(words.kind).load(Ordering::Relaxed) == CALL {
                self.calls = true;
            } else {
                self.word(words.bell).fetch_add(1, Ordering::Release);
                self.memory.wake(words.bell);
            }
        }
    }

    /// Moves the limit, as far as readers allow.
    #[cold]
    fn make_room(&mut self, room: u64) -> Result<(), ShmSendError> {
        if self.word(CLOSED).load(Ordering::Relaxed) != 0 {
            self.publish();
            return Err(ShmSendError::Closed);
        }
        let mut tried = self.extend(room);
        if tried.is_err() && self.published != self.staged {
            // Readers cannot go on before they see it.
            self.show();
            tried = self.extend(room);
        }
        // The dead hold nobody back, also where a writer only tries again.
        for _ in 0..SHM_READERS_MAX {
            match tried {
                Err(ShmSendError::Full { reader }) if self.asks(reader) && self.release(reader) => {
                    tried = self.extend(room);
                }
                _ => break,
            }
        }
        if tried.is_err() && !self.sole {
            self.disown();
        }
        tried
    }

    /// Whether this try, which has found the reader in its way, asks the kernel if that one lives.
    fn asks(&mut self, reader: usize) -> bool {
        let (before, limit, tries) = self.in_way;
        let again = (before, limit) == (reader, self.limit);
        let tries = if again { tries.wrapping_add(1) } else { 0 };
        self.in_way = (reader, self.limit, tries);
        tries.is_multiple_of(TRIES_PER_QUESTION)
    }

    fn extend(&mut self, room: u64) -> Result<(), ShmSendError> {
        let (floor, reader) = self.floor(self.published);
        // A quarter at a time: lossy readers have the rest of the ring for themselves. And never more than
        // three quarters beyond what is published: the last record can always be read.
        let quarter = self.geometry.capacity / 4;
        let most = (self.staged + quarter).min(self.published + 3 * quarter);
        let limit = (floor + self.geometry.capacity).min(most).max(self.limit);
        if limit > self.limit {
            self.limit = limit;
            self.word(CLAIM).store(limit, Ordering::Relaxed);
            // SYNC POINT "lapped": a reader that reads anything written after this sees the claim.
            word_fence(Ordering::Release);
            self.memory.reach(Point::Claimed);
        }
        if limit - self.staged < room { Err(ShmSendError::Full { reader }) } else { Ok(()) }
    }

    /// The smallest cursor of those that hold writers back, from this published end on, and whose it is. An
    /// owner, whose end is the true one, lets go of those who are beyond it.
    fn floor(&self, published: u64) -> (u64, usize) {
        // SYNC POINT "entering": either this sees the gate of a reader that enters, or that reader sees the
        // published end.
        word_fence(Ordering::SeqCst);
        let mut gates = self.word(GATES).load(Ordering::Acquire);
        let (mut floor, mut reader) = (published, 0);
        while gates != 0 {
            let index = gates.trailing_zeros() as usize;
            gates &= gates - 1;
            if index >= SHM_READERS_MAX {
                break;
            }
            let words = reader_words(index);
            let state = ReaderState(self.word(words.state).load(Ordering::Acquire));
            if state.kind() != ReaderState::GATE {
                continue;
            }
            let cursor = self.word(words.cursor).load(Ordering::Acquire);
            if cursor > published || !Geometry::is_position(cursor) {
                if self.owns {
                    // No reader can be there: it is not waited for, and finds out.
                    self.evict(index, state);
                }
            } else if cursor < floor {
                // One that enters may stand far behind, until it knows where it begins.
                (floor, reader) = (cursor.max(published.saturating_sub(self.geometry.capacity)), index);
            }
        }
        (floor, reader)
    }

    fn evict(&self, index: usize, state: ReaderState) -> bool {
        let word = self.word(reader_words(index).state);
        let evicted = state.with(ReaderState::EVICTED).0;
        word.compare_exchange(state.0, evicted, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Lets go of readers that have died. How many those were.
    pub(super) fn release_dead(&self) -> usize {
        let mut gates = self.word(GATES).load(Ordering::Acquire);
        let mut released = 0;
        while gates != 0 {
            let index = gates.trailing_zeros() as usize;
            gates &= gates - 1;
            if index >= SHM_READERS_MAX {
                break;
            }
            released += usize::from(self.release(index));
        }
        released
    }

    /// Lets go of this reader if it has died.
    fn release(&self, index: usize) -> bool {
        let state = ReaderState(self.word(reader_words(index).state).load(Ordering::Acquire));
        // In this order: a successor that takes its place has another generation.
        state.kind() == ReaderState::GATE && !self.memory.lives(index) && self.evict(index, state)
    }

    /// Whether a record of so many bytes has room.
    fn has_room(&self, len: u64) -> bool {
        let tail = if self.owns { self.published } else { self.word(TAIL).load(Ordering::Acquire) };
        let (floor, _) = self.floor(tail);
        let staged = if self.owns { self.staged } else { tail };
        floor.saturating_add(self.geometry.capacity).saturating_sub(staged) >= Geometry::room(len)
    }

    /// Says that it waits for room in one way or the other. Whether there is some already.
    pub(super) fn arm(&self, kind: u64, len: u64) -> bool {
        self.word(ROOM_WAITS).fetch_or(kind, Ordering::AcqRel);
        // SYNC POINT "room": `floor` has the fence. Either it sees the reader's cursor, or the reader sees
        // that a writer waits.
        self.has_room(len)
    }

    /// Waits until a record of so many bytes has room, at most that long: spinning first. Whether it has.
    /// Readers that have died are let go.
    pub(super) fn wait_room(&mut self, len: u64, spin: Duration, limit: Duration) -> bool {
        if !self.sole {
            self.publish();
        }
        let since = Instant::now();
        loop {
            if self.has_room(len) || self.word(CLOSED).load(Ordering::Relaxed) != 0 {
                return true;
            }
            let waited = since.elapsed();
            if waited < spin.min(limit) {
                std::hint::spin_loop();
                continue;
            }
            let freed = self.release_dead() > 0;
            // First: who writes into the segment can make it look as if readers died without end.
            if waited >= limit {
                return self.has_room(len);
            }
            if freed {
                continue;
            }
            let seen = self.word(ROOM_BELL).load(Ordering::Acquire);
            // Both behind the fence of `arm`: one that closes it meanwhile finds that somebody waits.
            if !self.arm(FUTEX, len) && !self.is_closed() {
                self.memory.sleep(ROOM_BELL, seen, BEAT.min(limit - waited));
            }
        }
    }

    /// Says that nothing more will be written, for good.
    pub(super) fn close(&mut self) {
        self.publish();
        // As the owner: else another one could publish after it, with a reader that has gone at the end. An
        // owner that was stopped is not waited for longer than others wait for it.
        let _gave_up = if self.owns { Ok(()) } else { self.own() };
        // An owner looks at the word when it has come to its limit.
        self.limit = self.staged;
        self.word(CLOSED).store(1, Ordering::Release);
        word_fence(Ordering::SeqCst);
        self.wake_readers();
        self.word(ROOM_BELL).fetch_add(1, Ordering::Release);
        self.memory.wake(ROOM_BELL);
        if !self.sole {
            self.disown();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.word(CLOSED).load(Ordering::Acquire) != 0
    }

    pub(super) fn take_calls(&mut self) -> bool {
        std::mem::take(&mut self.calls)
    }

    /// What the longest record may have (bytes).
    pub(super) fn longest(&self) -> usize {
        self.geometry.longest() as usize
    }

    /// Goes, and leaves what it has not published.
    pub(super) fn leave(&mut self) {
        self.disown();
    }
}
