//! Ten thousand isolated buses backtest real prices in parallel.
#![forbid(unsafe_code)]

pub mod account;
pub mod actors;
pub mod args;
mod arrow;
pub mod averages;
pub mod broker;
mod chance;
pub mod commands;
pub mod config;
pub mod crossover;
pub mod data;
pub mod depth;
pub mod engine;
pub mod floor;
pub mod indicators;
pub mod instance;
pub mod ledger;
pub mod limits;
pub mod messages;
mod named;
pub mod parquet;
pub mod performance;
pub mod prelude;
pub mod program;
pub mod report;
pub mod results;
pub mod risk;
pub mod rule;
pub mod runner;
pub mod search;
pub mod source;
mod spill;
pub mod strategy;
pub mod tape;
pub mod tight;
pub mod usage;
