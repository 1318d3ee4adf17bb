//! The tests of buses, isolates and trees that can share a process: one binary links once. Those that count
//! allocations, set a hook of the process or are signalled are binaries of their own, beside this folder.

#[path = "../common/adder.rs"]
mod adder;
#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod batches;
mod blocking;
mod busy;
mod cooperation;
mod declare;
mod destructors;
mod drain;
mod ends_of_time;
mod factories;
mod health;
mod in_hand;
mod intervals;
mod isolate;
mod isolate_accounts;
mod isolate_bounds;
mod isolate_drops;
mod isolate_outside;
mod isolate_services;
mod isolate_tree;
mod itself;
mod life;
mod live;
mod many_types;
mod paused;
mod policies;
#[cfg(unix)]
mod process_lines;
#[cfg(unix)]
mod processes;
mod readiness;
mod receivers;
mod recipients;
mod references;
mod replay;
mod resilience;
mod runtimes;
mod semantics;
mod shutdown;
mod stats;
mod stops;
mod sweep;
mod testing;
mod tree;
mod untyped;
mod wire;
mod wire_actors;
