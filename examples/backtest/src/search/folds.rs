//! Walk-forward: which bars are trained on, and which are traded then.

use std::fmt;
use std::ops::Range;

/// Most folds of one walk-forward.
const FOLDS_MAX: usize = 100_000;

/// One step of a walk-forward: the parameters that were best on the training bars trade the test bars.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fold {
    /// The bars that the parameters are chosen on.
    pub train: Range<usize>,
    /// The bars behind them that are traded with these parameters.
    pub test: Range<usize>,
}

/// There are no such folds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoldError {
    /// A length of zero bars.
    Zero,
    /// The bars do not suffice for one fold.
    TooFew {
        /// Bars of the data.
        bars: usize,
        /// Bars needed.
        needed: usize,
    },
    /// More than 100,000.
    TooMany {
        /// How many.
        folds: usize,
    },
}

/// Cuts `bars` bars into folds. Tests follow one another without a gap, the last one may be shorter. The
/// training bars are the `train` bars before each test, or all before it if `anchored`.
///
/// # Errors
/// [`FoldError`].
pub fn folds(bars: usize, train: usize, test: usize, anchored: bool) -> Result<Vec<Fold>, FoldError> {
    if train == 0 || test == 0 {
        return Err(FoldError::Zero);
    }
    let needed = train.saturating_add(1);
    if bars < needed {
        return Err(FoldError::TooFew { bars, needed });
    }
    let count = (bars - train).div_ceil(test);
    if count > FOLDS_MAX {
        return Err(FoldError::TooMany { folds: count });
    }
    let fold = |number: usize| {
        let start = train + number * test;
        let first = if anchored { 0 } else { start - train };
        Fold { train: first..start, test: start..(start + test).min(bars) }
    };
    Ok((0..count).map(fold).collect())
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("is 0 bars; both lengths must be at least 1"),
            Self::TooFew { bars, needed } => {
                write!(f, "needs {needed} bars and the data has {bars}; take a shorter one")
            }
            Self::TooMany { folds } => {
                write!(f, "makes {folds} folds, and at most {FOLDS_MAX} fit; take longer tests")
            }
        }
    }
}

impl std::error::Error for FoldError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_follow_one_another_and_training_comes_before() {
        let rolling = folds(11, 4, 3, false).expect("folds");
        let shown: Vec<_> = rolling.iter().map(|fold| (fold.train.clone(), fold.test.clone())).collect();
        assert_eq!(shown, [(0..4, 4..7), (3..7, 7..10), (6..10, 10..11)]);
        let anchored = folds(11, 4, 3, true).expect("folds");
        assert!(anchored.iter().all(|fold| fold.train.start == 0 && fold.train.end == fold.test.start));
        for (bars, train, test) in [(100, 10, 7), (20, 19, 1), (50, 1, 49), (2, 1, 1)] {
            let all = folds(bars, train, test, false).expect("folds");
            let traded: Vec<usize> = all.iter().flat_map(|fold| fold.test.clone()).collect();
            assert_eq!(traded, (train..bars).collect::<Vec<_>>(), "each bar after the first training once");
        }
    }

    #[test]
    fn what_makes_no_fold_says_why() {
        assert_eq!(folds(10, 0, 1, false), Err(FoldError::Zero));
        assert_eq!(folds(10, 10, 1, false), Err(FoldError::TooFew { bars: 10, needed: 11 }));
        assert_eq!(folds(10, usize::MAX, 1, false), Err(FoldError::TooFew { bars: 10, needed: usize::MAX }));
        assert_eq!(folds(1_000_000, 1, 1, true), Err(FoldError::TooMany { folds: 999_999 }));
    }
}
