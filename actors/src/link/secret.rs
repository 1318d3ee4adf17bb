//! Numbers that no peer may guess: nonces of handshakes, incarnations of links, and how long a dialer waits.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where they come from: a keyed hash, whose key is the system's chance, of a number that rises.
#[derive(Default)]
pub(super) struct Secret {
    key: RandomState,
    next: AtomicU64,
    /// In a simulation its numbers follow from this seed, so that a run can be replayed.
    #[cfg(test)]
    seed: std::sync::OnceLock<u64>,
}

impl Secret {
    /// A number that is not zero.
    pub(super) fn draw(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        if let Some(seed) = self.seed.get() {
            return mycelium_random::Random::new(seed.wrapping_add(number)).next_u64().max(1);
        }
        let mut hasher = self.key.build_hasher();
        hasher.write_u64(number);
        hasher.finish().max(1)
    }

    /// From now on its numbers follow from `seed`, unless they do already.
    #[cfg(test)]
    pub(super) fn replay(&self, seed: u64) {
        self.seed.get_or_init(|| seed);
    }
}
