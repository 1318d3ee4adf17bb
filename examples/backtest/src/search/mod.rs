//! What searches over parameters are made of and judged by: pure functions.

mod deflated;
mod entries;
mod folds;
mod normal;
mod overfitting;
mod resample;
mod units;

pub use self::deflated::{ReturnShape, deflated_sharpe, expected_max_sharpe, probabilistic_sharpe};
pub use self::entries::{Entries, Spell, p_value, scattered, spells};
pub use self::folds::{Fold, FoldError, folds};
pub use self::normal::{normal_cdf, normal_quantile};
pub use self::overfitting::{BLOCKS_MAX, BlockSums, Overfitting, overfitting};
pub use self::resample::{
    ResampledPath, bootstrapped_returns, compound, drawn_trades, perturbed, shuffled_trades,
};
pub use self::units::trade_units;
