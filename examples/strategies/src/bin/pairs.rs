//! `cargo run --release -p strategies --bin pairs -- run --data prices.csv --symbol IBM --symbol MSFT`
#![forbid(unsafe_code)]

use strategies::pairs::Pairs;

backtest::main!(Pairs::new(window: usize = 50, entry: f64 = 2.0));
