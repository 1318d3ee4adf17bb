//! A supervision tree that fails and heals before your eyes. `tree.toml` describes it; the README explains
//! what is seen.
#![forbid(unsafe_code)]

mod desk;
mod gateway;
mod market;
mod report;
mod script;
mod timeline;

use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use mycelium::tree::Factories;
use mycelium::{MainResult, MessageBus, Result, Supervisor};

use desk::{Feed, Filler, Strategy};
use market::Market;
use timeline::Timeline;

mycelium::contracts!(); // Price, Order

/// How long the mailboxes may take to drain at the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

fn main() -> MainResult<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        None => Ok(run()?),
        Some("gateway") => {
            Ok(gateway::run(&std::env::args().nth(2).ok_or("the gateway is started by the tree")?)?)
        }
        Some(other) => {
            eprintln!("error: `{other}` is no mode of this example; run it without arguments");
            Ok(ExitCode::from(2))
        }
    }
}

#[tokio::main]
async fn run() -> Result<ExitCode> {
    // The time line tells of panics; their backtraces would only hide it.
    std::panic::set_hook(Box::new(|_| {}));
    let (market, timeline) = (Arc::new(Market::default()), Timeline::begin());
    let bus = MessageBus::new();
    let tree = Supervisor::from_toml(&declaration()?, &factories(&market))?
        .on_event(timeline.observer())
        .start(&bus)
        .await?;
    tokio::select! {
        // Ctrl-C ends it as the end of the script does.
        end = tree.run_until_signal(DRAIN_LIMIT) => return Ok(end?.report()),
        played = script::play(&tree, &bus, &market, &timeline) => played?,
    }
    timeline.say("the script is over: draining");
    let drained = tree.drain(DRAIN_LIMIT).await?;
    timeline.say(&drained.to_string());
    report::print(&bus);
    bus.shutdown().await?;
    Ok(ExitCode::SUCCESS)
}

/// The tree, with the path and the process number of this program where the gateway's command stands.
fn declaration() -> Result<String> {
    let this = std::env::current_exe()?;
    let this = this.to_str().ok_or("the path of this program is no text")?;
    Ok(include_str!("../tree.toml").replace("$EXE", this).replace("$PID", &std::process::id().to_string()))
}

/// What the names in `tree.toml` stand for.
fn factories(market: &Arc<Market>) -> Factories {
    let (strategy, feed, filler) = (Arc::clone(market), Arc::clone(market), Arc::clone(market));
    Factories::new()
        .actor("strategy", move || Strategy { market: Arc::clone(&strategy) })
        .service("feed", move || Feed { market: Arc::clone(&feed) })
        .actor("filler", move || Filler { share: 0, market: Arc::clone(&filler) })
}
