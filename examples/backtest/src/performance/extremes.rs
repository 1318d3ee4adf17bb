//! The lowest low and the highest high of any stretch of bars, in logarithmic time.

/// Rows of which the tree holds the extremes in one leaf: the rows themselves are looked at where a stretch
/// begins and ends.
const BLOCK_ROWS: usize = 64;

/// A tree over blocks of rows: a node at `i` holds the extremes of its children at `2 i` and `2 i + 1`.
pub(super) struct Extremes<R> {
    nodes: Vec<(f64, f64)>,
    leaves: usize,
    rows: usize,
    /// The low and the high of a row.
    range: R,
}

const NOTHING: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

impl<R: Fn(usize) -> (f64, f64)> Extremes<R> {
    /// Of the lows and highs of so many rows.
    pub(super) fn of(rows: usize, range: R) -> Self {
        let leaves = rows.div_ceil(BLOCK_ROWS).max(1);
        let nodes = vec![NOTHING; 2 * leaves];
        let mut made = Self { nodes, leaves, rows, range };
        for leaf in 0..leaves {
            made.nodes[leaves + leaf] = made.scan(leaf * BLOCK_ROWS, (leaf + 1) * BLOCK_ROWS);
        }
        for at in (1..leaves).rev() {
            made.nodes[at] = join(made.nodes[2 * at], made.nodes[2 * at + 1]);
        }
        made
    }

    /// The lowest low and the highest high of the rows from `first` to `last`, both included.
    pub(super) fn between(&self, first: usize, last: usize) -> (f64, f64) {
        let end = last.saturating_add(1).min(self.rows);
        let (from, to) = (first.div_ceil(BLOCK_ROWS), end / BLOCK_ROWS);
        if from >= to {
            return self.scan(first, end);
        }
        let edges = join(self.scan(first, from * BLOCK_ROWS), self.scan(to * BLOCK_ROWS, end));
        join(edges, self.of_leaves(from, to))
    }

    /// Those of the leaves from `from` on and before `to`.
    fn of_leaves(&self, from: usize, to: usize) -> (f64, f64) {
        let (mut from, mut to) = (from + self.leaves, to + self.leaves);
        let mut found = NOTHING;
        while from < to {
            if from % 2 == 1 {
                found = join(found, self.nodes[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                found = join(found, self.nodes[to]);
            }
            (from, to) = (from / 2, to / 2);
        }
        found
    }

    /// Those of the rows from `from` on and before `to`, one by one.
    fn scan(&self, from: usize, to: usize) -> (f64, f64) {
        (from..to.min(self.rows)).fold(NOTHING, |found, at| join(found, (self.range)(at)))
    }
}

fn join(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_of_a_few_bars() {
        for count in (1..20).chain([63, 64, 65, 128, 200]) {
            let range = |at: usize| {
                let low = (at * 7 % 11) as f64;
                (low, low + (at * 5 % 13) as f64)
            };
            let ranges: Vec<(f64, f64)> = (0..count).map(range).collect();
            let extremes = Extremes::of(count, |at| ranges[at]);
            for first in 0..count {
                for last in first..count {
                    let slow = ranges[first..=last].iter().fold(NOTHING, |e, range| join(e, *range));
                    assert_eq!(extremes.between(first, last), slow, "{count} {first} {last}");
                }
            }
        }
    }
}
