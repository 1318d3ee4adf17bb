//! Which worker of a pool gets a message, and who waits for whom when the pool changes its size: decisions
//! only.
//!
//! # A key and its worker
//! The worker of a key is the one with the highest weight for it, by a hash of both. So one more worker
//! takes its share of the keys from all others, and no key moves between two that stay; one less leaves its
//! keys to all others.
//!
//! # A fence for each resize
//! Where keys move, those that lose some get a fence behind all that they were sent before, and those that
//! gain some get a gate before all that they will be sent. Nobody goes through a gate before all fences of
//! its resize are passed, and of those before it. So the messages of one key are handled in the order in
//! which they were sent, whoever handles them. The fences of the resize alone would not do: a worker that is
//! killed takes along a fence that lay behind a gate, and who waits for that would overtake those for whom
//! the gate was.
//!
//! Nobody waits for ever: one and the same resize gives no worker both a fence and a gate, because workers
//! are either added or removed. So a gate of one resize can only wait for gates of earlier ones.

use std::ops::Range;

use mycelium_supervisor::{MIX_STEP, mix};

/// The worker for `key` among `size`, which is at least 1.
#[inline]
pub(super) fn worker_of(key: u64, size: usize) -> usize {
    let mut best = (0, weight(key, 0));
    for worker in 1..size {
        let weight = weight(key, worker);
        if weight > best.1 {
            best = (worker, weight);
        }
    }
    best.0
}

/// How much `worker` is for `key`.
#[inline]
fn weight(key: u64, worker: usize) -> u64 {
    mix(key ^ (worker as u64 + 1).wrapping_mul(MIX_STEP))
}

/// What a resize means to the workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moves {
    /// They get a fence.
    pub(super) lose: Range<usize>,
    /// They get a gate.
    pub(super) gain: Range<usize>,
}

/// The moves of a resize.
pub(super) fn moves(from: usize, to: usize) -> Moves {
    if from < to { Moves { lose: 0..from, gain: from..to } } else { Moves { lose: to..from, gain: 0..to } }
}

/// The worker with the least to do among `size`, the first of them from `turn` on. `load` says how much a
/// worker has to do.
pub(super) fn least_busy(size: usize, turn: usize, load: impl Fn(usize) -> usize) -> usize {
    let from = turn % size;
    (from..size).chain(0..from).min_by_key(|worker| load(*worker)).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_spread_and_move_only_to_who_comes_and_from_who_goes() {
        for size in 1..20 {
            let mut counts = vec![0_u32; size];
            for key in 0..10_000 {
                let (before, after) = (worker_of(key, size), worker_of(key, size + 1));
                counts[before] += 1;
                assert!(after == before || after == size, "key {key}: {before} of {size}, then {after}");
            }
            let share = 10_000 / u32::try_from(size).unwrap();
            assert!(
                counts.iter().all(|count| (share * 7 / 10..share * 13 / 10).contains(count)),
                "{counts:?}"
            );
        }
    }

    #[test]
    fn the_least_busy_is_found_and_those_alike_take_turns() {
        let load = [3, 1, 2, 1];
        assert_eq!([0, 1, 2, 3, 4].map(|turn| least_busy(4, turn, |at| load[at])), [1, 1, 3, 3, 1]);
        assert_eq!(least_busy(1, 9, |_| usize::MAX), 0);
    }

    #[test]
    fn nobody_both_waits_and_is_waited_for() {
        for (from, to) in (1..9).flat_map(|from| (1..9).map(move |to| (from, to))) {
            let Moves { lose, gain } = moves(from, to);
            assert!(lose.clone().all(|worker| !gain.contains(&worker)), "{from} to {to}");
            let held: BTreeSet<_> = lose.chain(gain).collect();
            assert!((0..from.max(to)).all(|worker| held.contains(&worker)) || from == to);
        }
    }
}
