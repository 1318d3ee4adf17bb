//! `cargo run --release -p strategies --bin rsi-stop -- run --data prices.csv --stop 0.05`
#![forbid(unsafe_code)]

use strategies::rsi_stop::RsiStop;

fn rsi_stop(window: usize, low: f64, high: f64, stop: f64) -> RsiStop {
    RsiStop::new(window, (low, high), stop)
}

backtest::main!(rsi_stop(window: usize = 14, low: f64 = 30.0, high: f64 = 70.0, stop: f64 = 0.1) where low < high);
