//! Circles among those who wait for each other: decisions only.

use std::collections::{BTreeMap, BTreeSet};

use super::lookout::TOLD_MAX;

/// Without those who go on as soon as others do that go on by themselves: one of all that they wait for if
/// they wait `at_pools`, else every one of them.
pub(super) fn held(mut edges: BTreeMap<u64, Vec<u64>>, at_pools: &BTreeSet<u64>) -> BTreeMap<u64, Vec<u64>> {
    if at_pools.is_empty() {
        return edges;
    }
    let (mut behind, mut waits, mut free) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new(), Vec::new());
    for (id, of) in &edges {
        let still = of.iter().filter(|other| edges.contains_key(other));
        still.clone().for_each(|other| behind.entry(*other).or_default().push(*id));
        let still = still.count();
        if still == 0 || (at_pools.contains(id) && still < of.len()) {
            free.push(*id);
        }
        waits.insert(*id, still);
    }
    while let Some(id) = free.pop() {
        if edges.remove(&id).is_none() {
            continue;
        }
        for other in behind.get(&id).into_iter().flatten() {
            let Some(still) = waits.get_mut(other) else { continue };
            *still -= 1;
            if *still == 0 || at_pools.contains(other) {
                free.push(*other);
            }
        }
    }
    edges
}

/// Circles in a graph that have a node which `is_new`; [`TOLD_MAX`] at most. If all nodes are new and there
/// are no more circles, every node that lies on one lies on one of these or leads to one.
pub(super) fn circles(edges: &BTreeMap<u64, Vec<u64>>, is_new: impl Fn(u64) -> bool) -> Vec<Vec<u64>> {
    let mut found = Vec::new();
    // Of each node that was come to: whether it is on the path now, and where.
    let mut state: BTreeMap<u64, Option<usize>> = BTreeMap::new();
    for root in edges.keys() {
        if state.contains_key(root) {
            continue;
        }
        // Each with the next of its edges, and how many are new up to it.
        let mut path = vec![(*root, 0, usize::from(is_new(*root)))];
        state.insert(*root, Some(0));
        while let Some((node, next, new)) = path.last_mut() {
            let Some(target) = edges[node].get(*next).copied() else {
                state.insert(*node, None);
                path.pop();
                continue;
            };
            *next += 1;
            let new = *new;
            match state.get(&target) {
                Some(Some(at)) => {
                    let before = at.checked_sub(1).map_or(0, |before| path[before].2);
                    if new > before {
                        found.push(path[*at..].iter().map(|(node, ..)| *node).collect());
                    }
                    if found.len() == TOLD_MAX {
                        return found;
                    }
                }
                Some(None) => {}
                None if edges.contains_key(&target) => {
                    state.insert(target, Some(path.len()));
                    path.push((target, 0, new + usize::from(is_new(target))));
                }
                None => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use mycelium_random::{Random, cases, seed};

    /// Each of a crowd waits for each of another: a search that keeps all it finds takes their product.
    #[test]
    fn two_crowds_that_wait_for_each_other_are_told_of_with_a_bound() {
        const CROWD: u64 = 300;
        let edges: BTreeMap<u64, Vec<u64>> = (0..2 * CROWD)
            .map(|id| (id, if id < CROWD { (CROWD..2 * CROWD).collect() } else { (0..CROWD).collect() }))
            .collect();
        assert_eq!(circles(&edges, |_| true).len(), TOLD_MAX);
        assert!(circles(&edges, |_| false).is_empty(), "all of them were told");
        assert!(circles(&edges, |id| id == 7).iter().all(|circle| circle.contains(&7)));
    }

    /// Every circle that is found is one, and one is found exactly if some node comes back to itself.
    #[test]
    fn circles_are_those_of_a_naive_search() {
        let mut random = Random::new(seed());
        for _ in 0..cases(2_000) {
            let nodes = random.below(8) + 1;
            let edges: BTreeMap<u64, Vec<u64>> = (0..nodes)
                .map(|node| (node, (0..random.below(3)).map(|_| random.below(nodes + 2)).collect()))
                .collect();
            let reaches = |from: u64, to: u64| {
                let (mut open, mut seen) = (vec![from], std::collections::BTreeSet::new());
                while let Some(node) = open.pop() {
                    for next in edges.get(&node).into_iter().flatten() {
                        if seen.insert(*next) {
                            open.push(*next);
                        }
                    }
                }
                seen.contains(&to)
            };
            let found = circles(&edges, |_| true);
            for circle in &found {
                for (at, node) in circle.iter().enumerate() {
                    assert!(edges[node].contains(&circle[(at + 1) % circle.len()]), "{edges:?}: {circle:?}");
                }
            }
            for node in edges.keys().filter(|node| reaches(**node, **node)) {
                let near =
                    |circle: &Vec<u64>| circle.iter().any(|other| other == node || reaches(*node, *other));
                assert!(found.iter().any(near), "{edges:?}: {node}");
            }
            assert_eq!(found.is_empty(), !edges.keys().any(|node| reaches(*node, *node)), "{edges:?}");
        }
    }
}
