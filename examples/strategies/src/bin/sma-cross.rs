//! `cargo run --release -p strategies --bin sma-cross -- sweep --data prices.csv --fast 5..=30 --out out`
#![forbid(unsafe_code)]

use strategies::sma_cross::SmaCross;

backtest::main!(SmaCross::new(fast: usize = 10, slow: usize = 30) where fast < slow);
