//! Seeds and orders that follow from a seed and an index alone.

use mycelium_supervisor::{MIX_STEP, mix};

/// The seed of the instance at `index`. For one `seed` all indices have different ones.
pub(super) fn seed_of(seed: u64, index: usize) -> u64 {
    mix(mix(seed.wrapping_add(MIX_STEP)).wrapping_add((index as u64).wrapping_mul(MIX_STEP)))
}

/// The indices below `count` in an order that follows from `seed` (Fisher and Yates).
pub(super) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        // The bias of the remainder does not matter: any order serves.
        let other = seed_of(seed, at) % (at as u64 + 1);
        order.swap(at, other as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_those_of_splitmix64() {
        // The first outputs of the published generator from state 0 are mix(MIX_STEP), mix(2 * MIX_STEP), ...
        assert_eq!(mix(MIX_STEP), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(MIX_STEP.wrapping_mul(2)), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn seeds_of_neighbours_differ() {
        let mut seeds: Vec<u64> = (0..10_000).map(|index| seed_of(1, index)).collect();
        seeds.extend((0..10_000).map(|index| seed_of(2, index)));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 20_000);
    }

    #[test]
    fn a_shuffled_order_holds_each_index_once() {
        for count in [0, 1, 2, 3, 100] {
            let mut order = shuffled(count, 7);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..count));
        }
        assert_ne!(shuffled(100, 7), (0..100).collect::<Vec<_>>());
        assert_ne!(shuffled(100, 7), shuffled(100, 8));
    }
}
