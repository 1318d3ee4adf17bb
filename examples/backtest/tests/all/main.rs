//! Each program of tests is linked by itself, with all that it is made of: so there are few. `agreement` and
//! `oracle` stand apart because they are run on a release build too.
#![forbid(unsafe_code)]

mod accounts;
mod actions;
mod arrow;
mod assets;
mod booking;
mod calendars;
mod calm;
mod cli;
mod common;
mod costs;
mod csv;
mod depth;
mod edges;
mod feeds;
mod flags;
mod hostile;
mod indicators;
mod intraday;
mod latency;
mod lookahead;
mod margin;
mod mishaps;
mod models;
mod on_bus;
mod orders;
mod own_models;
mod parity;
mod program;
mod quotes;
mod raw;
mod reference;
mod search;
mod searches;
mod sessions;
mod slow;
mod slow_account;
mod slow_terms;
mod streaming;
mod tables;
mod together;
