//! `cargo run --release -p strategies --bin imbalance -- run --data book.csv --kind depth --entry 0.5`
#![forbid(unsafe_code)]

use strategies::imbalance::Imbalance;

backtest::main!(Imbalance::new(size: f64 = 1.0, entry: f64 = 0.3));
