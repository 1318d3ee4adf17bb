//! What the protocol needs of the memory that it runs in: words that several processes reach, to know who
//! lives, and to sleep.

use std::time::Duration;

use super::layout::{DATA, Geometry};
use crate::sync::{Ordering, Word};

/// Instants at which a process may die, as tests name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A writer owns the ring.
    Owned,
    /// It has claimed what it is about to overwrite.
    Claimed,
    /// Half of a record is written.
    InCopy,
    /// A record is written and not published.
    BeforeCommit,
    /// The sequence of the record after it is told, and the new end is not.
    Numbered,
    /// The new end is published, and nothing else of what belongs to it.
    Committed,
    /// Its sleepers are not woken yet.
    BeforeWake,
    /// A reader has a copy, and its cursor stands before it.
    Copied,
    /// Its cursor has moved on, and writers that wait for room are not woken yet.
    Moved,
    /// It has entered, and its cursor is not where it begins.
    Entering,
    /// It has said that it sleeps.
    Asleep,
}

pub(crate) trait SharedWords {
    /// All words of the segment.
    fn words(&self) -> &[Word];

    /// Whether the participant with this lock lives. One that is known to nobody counts as alive.
    fn lives(&self, lock: usize) -> bool;

    /// Sleeps until this word is woken, unless its lower half is not `seen` any more, or that long.
    fn sleep(&self, word: usize, seen: u64, at_most: Duration);

    /// Wakes all that sleep on this word.
    fn wake(&self, word: usize);

    /// A test may have this process die here.
    #[inline(always)]
    fn reach(&self, _point: Point) {}
}

/// Waits for somebody who writes: at first only a little, then by sleeping.
#[derive(Default)]
pub(super) struct Patience {
    backoff: crate::sync::Backoff,
    rounds: u32,
}

/// How often a writer waits before it asks whether the owner lives, and gives up (rounds; the later ones take
/// 50 us and more each, so the second is about a second).
const ASK_AFTER: u32 = 100;
const GIVE_UP_AFTER: u32 = 10_000;
/// One who would have the ring for itself asks at once, and only tries again because the owner may have gone
/// meanwhile (rounds, none of which sleeps).
const ENTERS_IN: u32 = 4;

impl Patience {
    pub(super) fn wait(&mut self) {
        self.rounds += 1;
        self.backoff.wait();
    }

    /// Whether it is worth asking who lives.
    pub(super) fn is_short(&self, enters: bool) -> bool {
        cfg!(loom) || enters || self.rounds >= ASK_AFTER
    }

    /// Whether that was long enough; for one who enters, that is at once: whoever holds the ring may have it
    /// for as long as it lives.
    pub(super) fn is_over(&self, enters: bool) -> bool {
        self.rounds >= if enters { ENTERS_IN } else { GIVE_UP_AFTER }
    }
}

/// Writes bytes into the ring from this position on. The last word is filled with zeros.
#[inline]
pub(super) fn put(words: &[Word], geometry: Geometry, at: u64, bytes: &[u8]) {
    let ring = &words[DATA..];
    let first = geometry.index(at);
    let run = ring.len() - first;
    let (now, wrapped) = bytes.split_at(bytes.len().min(run * 8));
    put_run(&ring[first..], now);
    if !wrapped.is_empty() {
        put_run(ring, wrapped);
    }
}

#[inline]
fn put_run(words: &[Word], bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<8>();
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words[whole.len()].store(u64::from_le_bytes(last), Ordering::Relaxed);
    }
}

/// Copies as many words as `to` takes out of the ring, from this position on.
#[inline]
pub(super) fn get(words: &[Word], geometry: Geometry, at: u64, to: &mut [[u8; 8]]) {
    let ring = &words[DATA..];
    let first = geometry.index(at);
    let run = (ring.len() - first).min(to.len());
    let (now, wrapped) = to.split_at_mut(run);
    for (to, word) in now.iter_mut().zip(&ring[first..]) {
        *to = word.load(Ordering::Relaxed).to_le_bytes();
    }
    for (to, word) in wrapped.iter_mut().zip(ring) {
        *to = word.load(Ordering::Relaxed).to_le_bytes();
    }
}

/// Copies bytes out of the ring, from this position on: into memory of any length, from the beginning of a
/// word.
#[inline]
pub(super) fn get_bytes(words: &[Word], geometry: Geometry, at: u64, to: &mut [u8]) {
    let ring = &words[DATA..];
    let first = geometry.index(at);
    let run = to.len().min((ring.len() - first) * 8);
    let (now, wrapped) = to.split_at_mut(run);
    get_run(&ring[first..], now);
    get_run(ring, wrapped);
}

#[inline]
fn get_run(words: &[Word], to: &mut [u8]) {
    let (whole, rest) = to.as_chunks_mut::<8>();
    for (to, word) in whole.iter_mut().zip(words) {
        *to = word.load(Ordering::Relaxed).to_le_bytes();
    }
    if !rest.is_empty() {
        let last = words[whole.len()].load(Ordering::Relaxed).to_le_bytes();
        rest.copy_from_slice(&last[..rest.len()]);
    }
}
