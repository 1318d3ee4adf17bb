//! What the script does to the tree, one fault after the other; `tree.toml` has the same for the dry run.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mycelium::tree::{Child, Tree};
use mycelium::{Message, MessageBus, Result};
use tokio::time::sleep;

use crate::desk::{FILLERS, Filler};
use crate::gateway::pid_file;
use crate::market::Market;
use crate::timeline::Timeline;
use crate::{Price, report};

const PAUSE: Duration = Duration::from_millis(800);

pub(crate) async fn play(tree: &Tree, bus: &MessageBus, market: &Arc<Market>, timeline: &Timeline) -> Result {
    for share in 0..FILLERS {
        let market = Arc::clone(market);
        let filler =
            Child::actor(format!("filler-{share}"), move || Filler { share, market: market.clone() });
        tree.start_child("root/fillers", filler).await?;
    }
    timeline.say("the market opens: a price every 5 ms");
    market.open.store(true, Ordering::Relaxed);
    sleep(PAUSE).await;

    timeline
        .say("the strategy panics at its next price, which is a dead letter; the others wait in its mailbox");
    market.strategy_panics.store(true, Ordering::Relaxed);
    timeline.wait_for("waiting", "root/desk/strategy", 1).await?;
    let mut most = 0;
    for _ in 0..40 {
        sleep(Duration::from_millis(5)).await;
        most = most.max(waiting_prices(bus));
    }
    timeline.say(&format!("prices that wait for it: {most}"));
    timeline.wait_for("started", "root/desk/strategy", 2).await?;
    sleep(PAUSE).await;
    timeline.say(&format!("prices that wait for it: {}", waiting_prices(bus)));

    timeline.say("the feed loses its connection three times in a row: its backoff grows");
    market.feed_fails.store(3, Ordering::Relaxed);
    timeline.wait_for("started", "root/desk/feed", 4).await?;
    sleep(PAUSE).await;

    timeline
        .say("the strategy waits for an answer that never comes: its health is probed, so somebody notices");
    market.strategy_hangs.store(true, Ordering::Relaxed);
    timeline.wait_for("started", "root/desk/strategy", 3).await?;
    sleep(PAUSE).await;

    timeline.say("one of the fillers panics; the others go on");
    market.filler_panics.store(true, Ordering::Relaxed);
    timeline.wait_for("started", "root/fillers/filler-1", 2).await?;
    sleep(PAUSE).await;

    timeline.say("kill -9 for the gateway process");
    kill_gateway().await?;
    timeline.wait_for("started", "root/venue/gateway", 2).await?;
    sleep(PAUSE).await;
    timeline.say("kill -9 again: one restart more than the venue allows, so its supervisor gives up");
    kill_gateway().await?;
    timeline.wait_for("started", "root/venue", 2).await?;
    sleep(PAUSE).await;
    let _ = std::fs::remove_file(pid_file(&std::process::id().to_string()));
    Ok(())
}

/// How many prices were published and not handled yet.
fn waiting_prices(bus: &MessageBus) -> u64 {
    report::rows(bus).into_iter().find(|row| row.message == Price::NAME).map_or(0, |row| row.missing())
}

/// Sends SIGKILL to the gateway of this life.
async fn kill_gateway() -> Result {
    let file = pid_file(&std::process::id().to_string());
    let pid = loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) => break pid,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    };
    // The next life writes a number of its own.
    std::fs::remove_file(file)?;
    let sent = Command::new("kill").args(["-9", &pid]).status()?;
    if sent.success() { Ok(()) } else { Err(format!("kill -9 {pid}: {sent}").into()) }
}
