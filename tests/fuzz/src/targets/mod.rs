//! One file for each target, called after it: `cargo xtask fuzz` lists this folder.

mod contract;
mod csv;
mod frame;
mod link;
mod ring;
mod tables;
mod topology;
mod tree;
mod values;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    frame::TARGET,
    link::TARGET,
    ring::TARGET,
    values::TARGET,
    tables::TARGET,
    contract::TARGET,
    tree::TARGET,
    topology::TARGET,
    csv::TARGET,
];
