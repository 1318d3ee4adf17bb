//! Monte Carlo on what a run has left: its trades in another sequence, its returns in blocks.

use crate::chance::Random;

/// One resampled equity: where it ends and how deep it falls.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct ResampledPath {
    /// Return over the whole path, in percent.
    pub return_pct: f64,
    /// Deepest fall from the highest value so far, in percent; zero or negative.
    pub max_drawdown_pct: f64,
}

/// The equity that follows from compounding these returns. Once nothing is left, nothing comes back.
#[must_use]
pub fn compound(returns: impl IntoIterator<Item = f64>) -> ResampledPath {
    let (mut value, mut peak, mut deepest) = (1.0_f64, 1.0_f64, 0.0_f64);
    for change in returns {
        value = (value * (1.0 + change)).max(0.0);
        peak = peak.max(value);
        deepest = deepest.min(value / peak - 1.0);
    }
    ResampledPath { return_pct: (value - 1.0) * 100.0, max_drawdown_pct: deepest * 100.0 }
}

/// Trades in a random sequence, each once: where the equity ends stays, how deep it falls on the way does
/// not. Path `path` of those that follow from `seed`. Returns are those of
/// [`trade_units`](crate::search::trade_units).
#[must_use]
pub fn shuffled_trades(returns: &[f64], seed: u64, path: u64) -> ResampledPath {
    let mut returns = returns.to_vec();
    Random::of_path(seed, path).shuffle(&mut returns);
    compound(returns)
}

/// As many trades, each drawn at random from all, with replacement.
#[must_use]
pub fn drawn_trades(returns: &[f64], seed: u64, path: u64) -> ResampledPath {
    bootstrapped_returns(returns, 1, seed, path)
}

/// A circular block bootstrap of returns: stretches of `block` of them, each from a random place, wrapping at
/// the end, as many in all as there are.
#[must_use]
pub fn bootstrapped_returns(returns: &[f64], block: usize, seed: u64, path: u64) -> ResampledPath {
    let mut random = Random::of_path(seed, path);
    let (mut at, mut left) = (0, 0);
    let draw = |_| {
        if left == 0 {
            (at, left) = (random.below(returns.len()), block.max(1));
        }
        let drawn = returns[at];
        (at, left) = ((at + 1) % returns.len(), left - 1);
        drawn
    };
    compound((0..returns.len()).map(draw))
}

/// Values of a point moved at random by up to `share` of each, both ways. Whole numbers are rounded, and move
/// by up to 1 at least where the share is not zero; they keep their sign.
#[must_use]
pub fn perturbed(point: &[f64], whole: &[bool], share: f64, seed: u64, path: u64) -> Vec<f64> {
    let mut random = Random::of_path(seed, path);
    let moved = |(at, value): (usize, &f64)| {
        let way = 2.0 * random.share() - 1.0;
        if whole.get(at).copied().unwrap_or(false) {
            let reach = if share > 0.0 { (value.abs() * share).max(1.0) } else { 0.0 };
            let moved = (value + (way * (reach + 0.5)).round().clamp(-reach, reach)).round();
            match value.total_cmp(&0.0) {
                std::cmp::Ordering::Greater => moved.max(1.0),
                std::cmp::Ordering::Less => moved.min(-1.0),
                std::cmp::Ordering::Equal => 0.0,
            }
        } else {
            value * (1.0 + way * share)
        }
    };
    point.iter().enumerate().map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compounding_by_hand() {
        let path = compound([0.1, -0.5, 0.2]);
        assert!((path.return_pct + 34.0).abs() < 1e-12 && (path.max_drawdown_pct + 50.0).abs() < 1e-12);
        assert_eq!(compound([]), ResampledPath { return_pct: 0.0, max_drawdown_pct: 0.0 });
        let ruin = compound([-1.5, 10.0]);
        assert_eq!((ruin.return_pct, ruin.max_drawdown_pct), (-100.0, -100.0));
    }

    #[test]
    fn a_shuffle_ends_where_the_run_did_and_falls_otherwise() {
        let returns = [0.1, -0.2, 0.05, -0.1, 0.3];
        let paths: Vec<ResampledPath> = (0..50).map(|path| shuffled_trades(&returns, 3, path)).collect();
        let end = compound(returns).return_pct;
        assert!(paths.iter().all(|path| (path.return_pct - end).abs() < 1e-9));
        assert!(paths.iter().any(|path| path.max_drawdown_pct < -27.0), "both losses in a row");
        assert!(paths.iter().any(|path| path.max_drawdown_pct > -21.0), "the losses apart");
        assert_eq!(shuffled_trades(&returns, 3, 7), paths[7]);
    }

    #[test]
    fn blocks_keep_neighbours_together() {
        // Each loss is followed by its gain: whole blocks of two that begin at a loss leave the equity as it
        // was, and single draws do not.
        let returns = [-0.5, 1.0, -0.5, 1.0, -0.5, 1.0];
        let ends =
            |block| (0..200).map(move |path| bootstrapped_returns(&returns, block, 1, path).return_pct);
        assert!(ends(6).all(|end| end == 0.0));
        assert!(ends(1).any(|end| end.abs() > 200.0));
        assert!((0..50).any(|path| drawn_trades(&returns, 1, path).return_pct < -90.0));
        assert_eq!(bootstrapped_returns(&[], 5, 1, 1).return_pct, 0.0);
    }

    #[test]
    fn perturbed_values_stay_near_and_whole_ones_whole() {
        let moved: Vec<Vec<f64>> =
            (0..500).map(|path| perturbed(&[10.0, 0.1], &[true, false], 0.2, 1, path)).collect();
        assert!(moved.iter().all(|p| p[0].fract() == 0.0 && (8.0..=12.0).contains(&p[0])));
        assert!(moved.iter().all(|p| (0.08..=0.12).contains(&p[1])));
        for value in [8.0, 9.0, 10.0, 11.0, 12.0] {
            assert!(moved.iter().any(|p| p[0] == value), "{value}");
        }
        assert_eq!(perturbed(&[10.0, 0.1], &[true, false], 0.0, 1, 1), [10.0, 0.1]);
        let signs = (0..99).map(|path| perturbed(&[1.0, -1.0, 0.0], &[true; 3], 0.9, 1, path));
        assert!(signs.into_iter().all(|p| p[0] >= 1.0 && p[1] <= -1.0 && p[2] == 0.0));
    }
}
