//! What a strategy needs, in one line: `use backtest::prelude::*;`.

pub use crate::engine::{
    Commission, Fixed, MakerTaker, PerUnit, RangeShare, Share, Slippage, Tiers, VolumeShare,
};
pub use crate::indicators::*;
pub use crate::messages::Bar;
pub use crate::strategy::{Backtest, OrderId, Report, Size, Strategy, StrategyContext, Ticket};
