//! What is below a path of a tree.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Takes out what is at this path and below it.
pub(crate) fn take_below<V>(map: &mut BTreeMap<Arc<str>, V>, path: &str) -> Vec<V> {
    let mut taken: Vec<_> = map.remove(path).into_iter().collect();
    let above = format!("{path}/");
    loop {
        // Those below follow each other.
        let rest = map.range::<str, _>((Bound::Included(&*above), Bound::Unbounded));
        let below = rest.map(|(at, _)| at).next().filter(|at| at.starts_with(&above)).cloned();
        let Some(value) = below.and_then(|at| map.remove(&at)) else { return taken };
        taken.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_with_all_below_it_and_no_neighbour() {
        let paths = ["root", "root/a", "root/a-b", "root/a/b", "root/a/b/c", "root/a0", "root/b/a"];
        let mut map: BTreeMap<Arc<str>, _> = paths.into_iter().map(|path| (path.into(), path)).collect();
        assert_eq!(take_below(&mut map, "root/a"), ["root/a", "root/a/b", "root/a/b/c"]);
        assert_eq!(take_below(&mut map, "root/b"), ["root/b/a"]);
        assert!(map.into_values().eq(["root", "root/a-b", "root/a0"]));
    }
}
