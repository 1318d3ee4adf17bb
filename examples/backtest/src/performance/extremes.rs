//! The lowest low and the highest high of any stretch of bars, in logarithmic time.

use crate::messages::Bar;

/// A tree over bars: a node at `i` holds the extremes of its children at `2 i` and `2 i + 1`.
pub(super) struct Extremes {
    nodes: Vec<(f64, f64)>,
    leaves: usize,
}

const NOTHING: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

impl Extremes {
    pub(super) fn of(bars: &[Bar]) -> Self {
        let leaves = bars.len().max(1);
        let mut nodes = vec![NOTHING; 2 * leaves];
        for (node, bar) in nodes[leaves..].iter_mut().zip(bars) {
            *node = (bar.low, bar.high);
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
            let bar = |at: usize| {
                let low = (at * 7 % 11) as f64;
                Bar { low, high: low + (at * 5 % 13) as f64, ..Bar::default() }
            };
            let bars: Vec<Bar> = (0..count).map(bar).collect();
            let extremes = Extremes::of(&bars);
            for first in 0..count {
                for last in first..count {
                    let slow = bars[first..=last].iter().fold(NOTHING, |e, bar| join(e, (bar.low, bar.high)));
                    assert_eq!(extremes.between(first, last), slow, "{count} {first} {last}");
                }
            }
        }
    }
}
