//! All tests of the strategies in one program: each program that has the whole backtest in it takes half a
//! minute to compile.
#![forbid(unsafe_code)]

mod assets;
mod goog;
mod interrupted;
mod model;
mod on_bus;
