//! One program as one process, or as three over Unix sockets, TCP or TLS: `topology.toml` decides.
//! The README shows how to run it.
#![forbid(unsafe_code)]

mod execution;
mod market;
mod strategy;

use mycelium::topology::LocalNode;
use mycelium::tree::{Builder, RunEnd};
use mycelium::{MainResult, MessageBus, Supervisor};

mycelium::contracts!(); // Tick, MarketClosed, Order, StrategyDone, and CONTRACT

/// All services of the program. Each process runs those that the topology gives to its node.
fn services() -> Builder {
    Supervisor::builder("desk")
        .actor("execution", execution::Execution::default)
        .actor("strategy", strategy::Strategy::default)
        .service("market", || market::Market)
}

#[tokio::main]
async fn main() -> MainResult<RunEnd> {
    let node = LocalNode::from_env()?;
    println!("runs {}", node.plan().services.join(", "));
    Ok(node.run(MessageBus::builder().contract(CONTRACT), services()).await?)
}
