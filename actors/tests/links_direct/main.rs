//! Actors that are told, asked and watched across links: what happens while others subscribe, processes are
//! replaced, and answers wait.

#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../links/kit.rs"]
#[allow(dead_code, reason = "what the tests of topics need")]
mod kit;
#[path = "../links/proxy.rs"]
#[allow(dead_code, reason = "what the tests of topics need")]
mod proxy;

mod answers;
mod names;
mod order;
mod paths;
mod services;
mod watches;
