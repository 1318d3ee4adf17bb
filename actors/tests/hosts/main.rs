//! The promises of `docs/semantics.md`, each one test body for all hosts: a bus on one thread, a bus on two
//! workers, an isolate.
//!
//! A test is named for its promise and its host:
//! `order::what_is_published_told_and_asked_arrives_in_that_order::isolate`. What a host does not offer is a
//! row of the table in `docs/semantics.md`; `table.rs` holds that it is. `host.rs` says how to write a body.

#[path = "../common/mod.rs"]
mod common;

#[macro_use]
mod host;
mod isolate;
mod live;
mod offers;
mod table;

mod accounts;
mod asks;
mod attached;
mod batches;
mod by_value;
mod bytes;
mod chance;
mod declared;
mod delivery;
mod destructors;
mod drain;
mod ends;
mod errors;
mod full;
mod graceful;
mod groups;
mod identity;
mod in_hand;
mod itself;
mod mailboxes;
mod monitors;
mod once_each;
mod order;
mod policies;
mod pools;
mod probes;
mod readiness;
mod recipients;
mod resilience;
mod retained;
mod stops;
mod subscribing;
mod timers;
mod trees;
mod wakers;
