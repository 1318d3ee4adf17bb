//! The lowest low and the highest high of any stretch of bars, in logarithmic time.

/// A tree over bars: a node at `i` holds the extremes of its children at `2 i` and `2 i + 1`.
pub(super) struct Extremes {
    nodes: Vec<(f64, f64)>,
    leaves: usize,
}

const NOTHING: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

impl Extremes {
    /// Of lows and highs.
    pub(super) fn of(ranges: impl ExactSizeIterator<Item = (f64, f64)>) -> Self {
        let leaves = ranges.len().max(1);
        let mut nodes = vec![NOTHING; 2 * leaves];
        for (node, range) in nodes[leaves..].iter_mut().zip(ranges) {
            *node = range;
        }
        for at in (1..leaves).rev() {
            nodes[at] = join(nodes[2 * at], nodes[2 * at + 1]);
        }
        Self { nodes, leaves }
    }

    /// The lowest low and the highest high of the bars from `first` to `last`, both included.
    pub(super) fn between(&self, first: usize, last: usize) -> (f64, f64) {
        let (mut from, mut to) =
            (first.min(self.leaves) + self.leaves, last.min(self.leaves - 1) + self.leaves + 1);
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
}

fn join(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_of_a_few_bars() {
        for count in 1..20_usize {
            let range = |at: usize| {
                let low = (at * 7 % 11) as f64;
                (low, low + (at * 5 % 13) as f64)
            };
            let ranges: Vec<(f64, f64)> = (0..count).map(range).collect();
            let extremes = Extremes::of(ranges.iter().copied());
            for first in 0..count {
                for last in first..count {
                    let slow = ranges[first..=last].iter().fold(NOTHING, |e, range| join(e, *range));
                    assert_eq!(extremes.between(first, last), slow, "{count} {first} {last}");
                }
            }
        }
    }
}
