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
//! its resize are passed. So the messages of one key are handled in the order in which they were sent,
//! whoever handles them.
//!
//! Nobody waits for ever: one and the same resize gives no worker both a fence and a gate, because workers
//! are either added or removed. So a gate of one resize can only wait for a gate of an earlier one.

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
    use std::collections::{BTreeMap, BTreeSet, VecDeque};

    use mycelium_random::{Random, seeds};

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

    /// What lies in the queue of a worker of the model.
    enum Item {
        Message {
            key: u64,
            number: u64,
        },
        Fence(usize),
        /// Waits for the fences of this resize.
        Gate(usize),
    }

    /// Senders, workers that are as slow as chance will have it, and resizes in between.
    #[derive(Default)]
    struct Model {
        size: usize,
        queues: Vec<VecDeque<Item>>,
        /// How many fences of each resize are not passed.
        fences: Vec<usize>,
        sent: BTreeMap<u64, u64>,
        handled: BTreeMap<u64, u64>,
    }

    impl Model {
        fn send(&mut self, key: u64) {
            let number = self.sent.entry(key).or_default();
            self.queues[worker_of(key, self.size)].push_back(Item::Message { key, number: *number });
            *number += 1;
        }

        fn resize(&mut self, to: usize) {
            let Moves { lose, gain } = moves(self.size, to);
            let resize = self.fences.len();
            self.queues.resize_with(self.queues.len().max(to), VecDeque::new);
            self.fences.push(lose.len());
            lose.for_each(|worker| self.queues[worker].push_back(Item::Fence(resize)));
            gain.for_each(|worker| self.queues[worker].push_back(Item::Gate(resize)));
            self.size = to;
        }

        /// Lets a worker do one thing; whether there was any that it could do.
        fn work(&mut self, worker: usize) -> bool {
            match self.queues[worker].front() {
                Some(Item::Gate(resize)) if self.fences[*resize] > 0 => return false,
                None => return false,
                Some(_) => {}
            }
            match self.queues[worker].pop_front() {
                Some(Item::Fence(resize)) => self.fences[resize] -= 1,
                Some(Item::Message { key, number }) => {
                    let next = self.handled.entry(key).or_default();
                    assert_eq!(number, *next, "key {key}");
                    *next += 1;
                }
                _ => {}
            }
            true
        }
    }

    #[test]
    fn each_key_is_handled_in_order_and_once_whatever_the_resizes() {
        for seed in seeds(2_000) {
            let mut random = Random::new(seed);
            let size = 1 + random.below(4) as usize;
            let mut model = Model { size, ..Model::default() };
            model.queues.resize_with(size, VecDeque::new);
            for _ in 0..200 {
                match random.below(10) {
                    0 => {
                        let size = 1 + random.below(6) as usize;
                        model.resize(size);
                    }
                    1..6 => {
                        let key = random.below(7);
                        model.send(key);
                    }
                    _ => {
                        let worker = random.below(model.queues.len() as u64) as usize;
                        model.work(worker);
                    }
                }
            }
            while (0..model.queues.len()).any(|worker| model.work(worker)) {}
            assert!(model.queues.iter().all(VecDeque::is_empty), "somebody waits for ever: seed {seed}");
            assert_eq!(model.sent, model.handled, "seed {seed}");
        }
    }
}
