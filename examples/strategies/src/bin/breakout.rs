//! `cargo run --release -p strategies --bin breakout -- run --data prices.csv --window 55`
#![forbid(unsafe_code)]

use strategies::breakout::Breakout;

backtest::main!(Breakout::new(window: usize = 50, distance: f64 = 3.0));
