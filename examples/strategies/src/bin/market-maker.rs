//! `cargo run --release -p strategies --bin market-maker -- run --data quotes.csv --half-spread 0.02`
#![forbid(unsafe_code)]

use strategies::market_maker::MarketMaker;

backtest::main!(MarketMaker::new(size: f64 = 1.0, half_spread: f64 = 0.02, most: f64 = 10.0));
