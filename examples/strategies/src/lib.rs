//! Strategies to copy and change. Each is one file, and runs in the tests.
#![forbid(unsafe_code)]

pub mod breakout;
pub mod rsi_stop;
pub mod sma_cross;
