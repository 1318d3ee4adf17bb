//! Numbers that no peer may guess: nonces of handshakes, incarnations of links, and how long a dialer waits.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where they come from: a keyed hash, whose key is the system's chance, of a number that rises.
#[derive(Default)]
pub(super) struct Secret {
    key: RandomState,
    next: AtomicU64,
}

impl Secret {
    /// A number that is not zero.
    pub(super) fn draw(&self) -> u64 {
        let mut hasher = self.key.build_hasher();
        hasher.write_u64(self.next.fetch_add(1, Ordering::Relaxed));
        hasher.finish().max(1)
    }
}
