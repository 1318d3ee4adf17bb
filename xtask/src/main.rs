//! Developer commands: demo, test, bench.
#![forbid(unsafe_code)]

fn main() {}
