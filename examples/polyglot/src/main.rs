//! A feed and a desk in Rust, a model in Python and a check of risk in OCaml under one supervision tree, in
//! one process. The model is killed, and heals. The README shows what is seen.
#![forbid(unsafe_code)]

mod market;
mod timeline;

use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use mycelium::tree::Factories;
use mycelium::{MainResult, MessageBus, Result, Supervisor};
use mycelium_ocaml::{OCamlFactories, OCamlRuntime};
use mycelium_python::{PythonFactories, PythonRuntime};

use market::{Desk, Feed, Market};
use timeline::Timeline;

mycelium::contracts!(); // Tick, Signal, Verdict, and CONTRACT

/// How long the mailboxes may take to drain at the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How long the reader watches what goes well.
const SCENE: Duration = Duration::from_millis(400);

#[tokio::main]
async fn main() -> MainResult<ExitCode> {
    Ok(run().await?)
}

async fn run() -> Result<ExitCode> {
    let market = Arc::new(Market::default());
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    let python = PythonRuntime::builder(&bus).contract(CONTRACT).path(folder).start()?;
    let ocaml = OCamlRuntime::builder(&bus).contract(CONTRACT).start()?;
    let factories = factories(&market).python(&python).ocaml(&ocaml);
    let timeline = Timeline::begin();
    let root = Supervisor::from_toml(include_str!("../tree.toml"), &factories)?;
    let tree = root.on_event(timeline.observer()).start(&bus).await?;
    tokio::select! {
        // Ctrl-C ends it as the end of the script does: Python has no signal handler here.
        end = tree.run_until_signal(DRAIN_LIMIT) => {
            let end = end?;
            // Everything that the tree has left is in `end`, and counts for the exit code.
            if let Err(error) = close(&python, &ocaml).await {
                timeline.say(&error.to_string());
            }
            return Ok(end.report());
        }
        played = play(&market, &timeline) => played?,
    }
    timeline.say("the script is over: draining");
    timeline.say(&tree.drain(DRAIN_LIMIT).await?.to_string());
    timeline.say(&market.account());
    close(&python, &ocaml).await?;
    bus.shutdown().await?;
    Ok(ExitCode::SUCCESS)
}

/// Ends what the two have begun on the bus.
async fn close(python: &PythonRuntime, ocaml: &OCamlRuntime) -> Result {
    python.close(DRAIN_LIMIT).await?;
    Ok(ocaml.close(DRAIN_LIMIT).await?)
}

/// What the names in `tree.toml` stand for.
fn factories(market: &Arc<Market>) -> Factories {
    let (desk, feed) = (Arc::clone(market), Arc::clone(market));
    Factories::new()
        .actor("desk", move || Desk { market: Arc::clone(&desk) })
        .service("feed", move || Feed { market: Arc::clone(&feed) })
}

/// Does the damage.
async fn play(market: &Market, timeline: &Timeline) -> Result {
    timeline.say("the feed is Rust, the model is Python, the check is OCaml: each millisecond a tick");
    tokio::time::sleep(SCENE).await;
    timeline.say(&market.latest());
    timeline.say("a tick with a price of zero: the model raises");
    market.poison();
    timeline.wait_for("waiting root/model", 1).await?;
    timeline.say("the feed goes on, and its ticks wait in the model's mailbox");
    timeline.wait_for("started root/model", 2).await?;
    timeline.say("the next life has them as arrays, in order");
    tokio::time::sleep(SCENE).await;
    timeline.say(&market.latest());
    Ok(())
}
