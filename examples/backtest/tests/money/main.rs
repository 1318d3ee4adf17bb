//! What a run must not invent: money over a split, sizes that were shown once, costs that are no numbers,
//! prices from ahead.
#![forbid(unsafe_code)]

mod actions;
#[path = "../all/common/mod.rs"]
mod common;
mod costs;
mod flags;

use common::{bars, on_bar};
