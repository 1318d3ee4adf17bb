//! Values by the `TYPE_ID` of a message, read without a lock while more are added.

use std::array;
use std::sync::OnceLock;

/// Bits of an id that one level of the tree tells apart.
const BITS: u32 = 4;
const BRANCHES: usize = 1 << BITS;
const LEVELS: u32 = u16::BITS / BITS;

/// A map from `u16` that only grows: a tree with a level for each four bits of an id, the highest first, so
/// that ids that lie close together share what leads to them. A look-up reads four nodes, however many values
/// there are; the memory is that of the ids in use.
pub(crate) struct Index<V> {
    root: IndexInner<V>,
}

/// One level; below the last one are the values.
#[expect(
    clippy::large_enum_variant,
    reason = "both are arrays of as many places, and each is in a box of its own"
)]
enum Level<V> {
    IndexInner(IndexInner<V>),
    Last([OnceLock<V>; BRANCHES]),
}

type IndexInner<V> = [OnceLock<Box<Level<V>>>; BRANCHES];

impl<V> Index<V> {
    pub(crate) fn new() -> Self {
        Self { root: array::from_fn(|_| OnceLock::new()) }
    }

    /// The value of this id.
    #[inline]
    pub(crate) fn get(&self, id: u16) -> Option<&V> {
        let mut inner = &self.root;
        for level in 0..LEVELS {
            match &**inner[branch(id, level)].get()? {
                Level::IndexInner(next) => inner = next,
                Level::Last(values) => return values[branch(id, LEVELS - 1)].get(),
            }
        }
        None
    }

    /// The value of this id, made by `make` if there is none. Of several threads that make one, one is heard.
    pub(crate) fn get_or_init(&self, id: u16, make: impl FnOnce() -> V) -> &V {
        let mut inner = &self.root;
        let mut level = 0;
        loop {
            let below = inner[branch(id, level)].get_or_init(|| Box::new(Level::new(level + 1)));
            match &**below {
                Level::IndexInner(next) => inner = next,
                Level::Last(values) => return values[branch(id, LEVELS - 1)].get_or_init(make),
            }
            level += 1;
        }
    }
}

impl<V> Level<V> {
    fn new(level: u32) -> Self {
        if level == LEVELS - 1 {
            Self::Last(array::from_fn(|_| OnceLock::new()))
        } else {
            Self::IndexInner(array::from_fn(|_| OnceLock::new()))
        }
    }
}

/// Which way `id` takes at this level.
#[inline]
fn branch(id: u16, level: u32) -> usize {
    usize::from(id >> ((LEVELS - 1 - level) * BITS)) % BRANCHES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_all_ids_has_a_value_of_its_own() {
        let index = Index::new();
        let order = (0..=u16::MAX).map(|id| id.wrapping_mul(40_503));
        for id in order {
            assert_eq!(index.get(id), None);
            assert_eq!(*index.get_or_init(id, || u32::from(id) + 1), u32::from(id) + 1);
        }
        for id in 0..=u16::MAX {
            assert_eq!(index.get(id), Some(&(u32::from(id) + 1)));
            assert_eq!(*index.get_or_init(id, || unreachable!("there is one")), u32::from(id) + 1);
        }
    }

    #[test]
    fn threads_that_add_the_same_ids_agree() {
        let index = &Index::new();
        let seen: Vec<Vec<u64>> = std::thread::scope(|threads| {
            let add = |thread| (0..2_000).map(|id| *index.get_or_init(id, || thread)).collect();
            let all: Vec<_> = (0..4).map(|thread| threads.spawn(move || add(thread))).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|other| *other == seen[0]));
    }
}
