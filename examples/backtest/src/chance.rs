//! Random numbers that follow from a seed alone, the same on every machine.

/// The SplitMix64 generator: one word of state. Written here, so that a result can be checked against this
/// file alone, whatever the framework draws from.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Number `path` of the sequences that follow from `seed`. Mixed one after the other, so that neither
    /// neighbouring seeds nor neighbouring paths share their numbers, and path 2 of seed 1 is not path 1 of
    /// seed 2.
    pub(crate) fn of_path(seed: u64, path: u64) -> Self {
        let seed = Self(seed).next_u64();
        Self(Self(seed.wrapping_add(path)).next_u64())
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero. The high half of a product; its bias is below `bound /
    /// 2^64`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to below 1, on a grid of `2^-53`.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts the items into a random sequence.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(at + 1);
            items.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_paths_of_any_seeds_are_one() {
        let pairs = (0..64).flat_map(|seed| (0..64).map(move |path| (seed, path)));
        let firsts: HashSet<u64> = pairs.map(|(seed, path)| Random::of_path(seed, path).next_u64()).collect();
        assert_eq!(firsts.len(), 64 * 64);
    }
}
