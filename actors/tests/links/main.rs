//! Links between buses over real sockets: what is promised across them, whatever happens to connections.

#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod both_dial;
mod ends;
mod faults;
mod hostile;
mod kit;
mod logs;
mod many;
mod plain;
mod processes;
mod proxy;
mod runs;
mod sockets;
mod topics;
