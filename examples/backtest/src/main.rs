//! Ten thousand isolated buses backtest real prices in parallel.
#![forbid(unsafe_code)]

fn main() {}
