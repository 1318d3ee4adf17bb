//! Strategies to copy and change. Each is one file, and runs in the tests.
#![forbid(unsafe_code)]

pub mod asks_model;
pub mod breakout;
pub mod imbalance;
pub mod market_maker;
pub mod pairs;
pub mod rsi_stop;
pub mod sma_cross;
