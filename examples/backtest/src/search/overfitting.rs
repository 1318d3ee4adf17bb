//! How probable it is that the best of many trials was chosen for its luck.
//!
//! D. H. Bailey, J. M. Borwein, M. López de Prado, Q. J. Zhu: "The Probability of Backtest Overfitting"
//! (Journal of Computational Finance 20(4), 2017): combinatorially symmetric cross-validation. The periods
//! are cut into blocks. For each way to take half of the blocks, the trial with the best Sharpe ratio there
//! is looked at in the other half: the probability is the share of ways in which it ends up in the lower half
//! of all trials.

/// Most blocks: 12,870 ways to take half of them.
pub const BLOCKS_MAX: usize = 16;

/// The returns of one trial, as sums over each block: what a Sharpe ratio of any blocks is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSums {
    sums: Vec<(f64, f64)>,
}

impl BlockSums {
    /// Cuts returns into so many blocks of equal length. The remainder at the end is left out, as the paper
    /// does. Of fewer returns than blocks there are none. A return that is no number, after ruin, makes a
    /// trial the worst wherever its block is.
    #[must_use]
    pub fn of(returns: &[f64], blocks: usize) -> Self {
        let length = returns.len() / blocks.max(1);
        if length == 0 {
            return Self { sums: Vec::new() };
        }
        let sum = |block: &[f64]| block.iter().fold((0.0, 0.0), |(s, q), r| (s + r, q + r * r));
        Self { sums: returns.chunks_exact(length).take(blocks).map(sum).collect() }
    }
}

/// What cross-validation says of a search.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Overfitting {
    /// Share of splits in which the best of one half is in the lower half of the other: the probability of
    /// backtest overfitting. From 0.5 on, the search chooses no better than chance.
    pub probability: f64,
    /// Share of splits in which the best of one half loses money in the other.
    pub loss_share: f64,
    /// Mean relative rank of the chosen trial out of sample, from 0 to 1.
    pub rank_mean: f64,
    /// How many ways there are to take half of the blocks.
    pub splits: usize,
    /// How many trials were compared.
    pub trials: usize,
}

/// Compares trials over all ways to take half of the blocks. `length` is how many returns a block has.
///
/// `None` of fewer than two trials, of a number of blocks that is odd, below 2 or above [`BLOCKS_MAX`], or of
/// trials that have not all the same number.
#[must_use]
pub fn overfitting(trials: &[BlockSums], length: usize) -> Option<Overfitting> {
    let blocks = trials.first()?.sums.len();
    let even = (2..=BLOCKS_MAX).contains(&blocks) && blocks.is_multiple_of(2);
    if trials.len() < 2 || !even || trials.iter().any(|trial| trial.sums.len() != blocks) {
        return None;
    }
    let count = (length * blocks / 2) as f64;
    let (mut splits, mut lower, mut losses, mut ranks) = (0_usize, 0_usize, 0_usize, 0.0);
    let mut outside = vec![0.0; trials.len()];
    for half in (0_u32..1 << blocks).filter(|half| half.count_ones() as usize == blocks / 2) {
        let (mut best, mut best_inside) = (0, f64::NAN);
        for (at, trial) in trials.iter().enumerate() {
            let (mut inner, mut outer) = ((0.0, 0.0), (0.0, 0.0));
            for (block, (sum, square)) in trial.sums.iter().enumerate() {
                let side = if half >> block & 1 == 1 { &mut inner } else { &mut outer };
                *side = (side.0 + sum, side.1 + square);
            }
            let inside = sharpe(inner, count);
            outside[at] = sharpe(outer, count);
            if inside > best_inside || best_inside.is_nan() {
                (best, best_inside) = (at, inside);
            }
        }
        let chosen = outside[best];
        // A rank from 1; trials that are equal share the middle of theirs. An undefined value is the worst.
        let below = outside.iter().filter(|other| **other < chosen || (other.is_nan() && !chosen.is_nan()));
        let below = below.count() as f64;
        let equal = outside.iter().filter(|other| **other == chosen || (other.is_nan() && chosen.is_nan()));
        let rank = below + (equal.count() as f64 + 1.0) / 2.0;
        let relative = rank / (trials.len() as f64 + 1.0);
        splits += 1;
        // The logit of the paper is at most 0 where the relative rank is at most a half.
        lower += usize::from(relative <= 0.5);
        losses += usize::from(chosen < 0.0);
        ranks += relative;
    }
    let share = |of: usize| of as f64 / splits as f64;
    Some(Overfitting {
        probability: share(lower),
        loss_share: share(losses),
        rank_mean: ranks / splits as f64,
        splits,
        trials: trials.len(),
    })
}

/// Mean over deviation of a sample, from the sum and the sum of squares; zero where nothing moves. Not
/// defined where a return is not: of a ruined account.
fn sharpe((sum, square): (f64, f64), count: f64) -> f64 {
    if sum.is_nan() {
        return f64::NAN;
    }
    let mean = sum / count;
    let variance = (square - sum * mean) / (count - 1.0);
    if variance > 0.0 { mean / variance.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Random;

    fn trials(returns: &[Vec<f64>], blocks: usize) -> Vec<BlockSums> {
        returns.iter().map(|returns| BlockSums::of(returns, blocks)).collect()
    }

    /// By hand: with two blocks there are two splits. Trial 0 wins in the first block and loses in the
    /// second; trial 1 the other way; trial 2 is between them. The best of one half is the worst of the
    /// other.
    #[test]
    fn the_best_of_one_half_that_is_the_worst_of_the_other() {
        let returns = vec![
            vec![0.03, 0.02, -0.02, -0.01],
            vec![-0.02, -0.01, 0.03, 0.02],
            vec![0.001, 0.0, 0.001, 0.0],
        ];
        let found = overfitting(&trials(&returns, 2), 2).expect("two blocks");
        assert_eq!((found.splits, found.trials), (2, 3));
        assert_eq!((found.probability, found.loss_share, found.rank_mean), (1.0, 1.0, 0.25));
    }

    #[test]
    fn skill_is_told_from_luck() {
        let mut random = Random::new(7);
        let mut noise = |mean: f64| -> Vec<f64> {
            let mut draw = || (0..12).map(|_| random.share()).sum::<f64>() - 6.0;
            (0..480).map(|_| mean + 0.01 * draw()).collect()
        };
        let lucky: Vec<Vec<f64>> = (0..40).map(|_| noise(0.0)).collect();
        let mut skilled = lucky.clone();
        skilled[17] = noise(0.004);
        let of = |returns: &[Vec<f64>]| overfitting(&trials(returns, 12), 40).expect("blocks");
        let (luck, skill) = (of(&lucky), of(&skilled));
        assert_eq!(luck.splits, 924);
        assert!(luck.probability > 0.3, "{luck:?}");
        assert!(skill.probability < 0.01 && skill.rank_mean > 0.95, "{skill:?}");
    }

    /// A ruined trial has no returns any more; it beats none that still trades, even those that lose.
    #[test]
    fn a_ruined_trial_is_the_worst() {
        let lost = f64::NAN;
        let returns = vec![
            vec![-0.01, -0.02, -0.01, -0.03],
            vec![-0.01, -0.03, -0.02, -0.03],
            vec![0.09, 0.08, -1.0, lost],
        ];
        let found = overfitting(&trials(&returns, 2), 2).expect("two blocks");
        // In the second half the best of the first one is ruined. In the first half the best of the second
        // one is the worst of three.
        assert_eq!((found.probability, found.rank_mean), (1.0, 0.25));
        let ruined = vec![vec![lost; 4], returns[0].clone(), returns[1].clone()];
        let found = overfitting(&trials(&ruined, 2), 2).expect("two blocks");
        assert_eq!(found.rank_mean, 0.5, "it is never chosen, and what is chosen is above it");
    }

    #[test]
    fn what_cannot_be_compared_is_none() {
        let two = vec![vec![0.1; 8]; 2];
        for blocks in [0, 1, 3, 18] {
            assert_eq!(overfitting(&trials(&two, blocks), 1), None, "{blocks}");
        }
        assert_eq!(overfitting(&trials(&two[..1], 2), 4), None);
        let equal = overfitting(&trials(&two, 4), 2).expect("four blocks");
        assert_eq!((equal.probability, equal.rank_mean), (1.0, 0.5), "equal trials are no skill");
    }
}
