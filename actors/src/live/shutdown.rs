//! Ending a bus: trees first, then everybody else; all are asked, all are waited for, and nobody is waited
//! for longer than the deadline.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mycelium_mailbox::Stop;

use super::address::{Member, Work};
use super::bus::BusCore;
use super::deadline::{by, with_deadlines, within_grace};
use super::forest::Felling;
use super::links::Bridge;
use crate::error::{KILL_GRACE, Missed, SHUTDOWN_DEADLINE, ShutdownError};
use crate::life::{MissedLog, MissedMark};
use crate::rt::Instant;
use crate::sync::MutexGuard;
use crate::{ActorId, Identity, MessageBus, clock};

impl MessageBus {
    /// Ends all actors and services and closes the topics; waits [`SHUTDOWN_DEADLINE`] at most.
    ///
    /// ```
    /// # use mycelium::{MainResult, MessageBus};
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> MainResult {
    ///     let bus = MessageBus::new();
    ///     // ...
    ///     Ok(bus.shutdown().await?) // An error names who did not end in time, and ends with code 1.
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`shutdown_within`](Self::shutdown_within).
    ///
    /// # Cancel safety
    /// See there.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        self.shutdown_within(SHUTDOWN_DEADLINE).await
    }

    /// Ends everybody on the bus. From the beginning it takes nothing from publishers outside any more. First
    /// the trees that were started on it end, the youngest first, each as
    /// [`Tree::shutdown`](crate::Tree::shutdown) does: its children in reverse order, each within its
    /// shutdown time. Then all other actors and services are asked at once: each finishes the message in hand
    /// and runs `stopping`. After `limit` those still alive are killed; if the trees have taken all of it,
    /// whoever was not asked yet is asked then, and has half a second, or `limit` if that is less. Then links
    /// send what was published to the buses that want it, and wait for their acknowledgement in the same
    /// time. Last the topics are closed: publishing fails, and subscribers read what waits for them and then
    /// the end.
    ///
    /// A service ends at its next wait, unless it ends by its own hand: see
    /// [`Service`](crate::Service#how-it-ends).
    ///
    /// Calling it again, or from several tasks, is harmless; each kills at its own limit, and names all that
    /// were killed since it was called. An actor that calls
    /// it waits for itself until the limit. Where code that never awaits keeps every worker of the runtime,
    /// `limit` holds if this is awaited inside `block_on`, which needs no worker.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, actor};
    /// # use std::time::Duration;
    /// # struct Echo;
    /// # #[actor] impl Echo { #[on(direct)] fn note(&mut self, _: &u64) {} }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let echo = bus.spawn(Echo)?;
    /// if let Err(late) = bus.shutdown_within(Duration::from_secs(2)).await {
    ///     eprintln!("{late}"); // Who was killed, and what was lost.
    /// }
    /// assert!(!echo.is_alive());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ShutdownError`] names who missed the deadline, or its own shutdown time in a tree, and which linked
    /// bus has not acknowledged how many messages. The bus is closed all the same.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, everybody has been asked to end, and the topics are still open to actors
    /// and services.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<(), ShutdownError> {
        // Of a bus that has ended it is over at once, and in a loop lets others run.
        tokio::task::consume_budget().await;
        let since = self.core.missed().mark();
        with_deadlines(end(&self.core, limit, since)).await
    }

    /// The same. It names also those that other shutdowns have killed before.
    pub(crate) async fn end_within(&self, limit: Duration) -> Result<(), ShutdownError> {
        with_deadlines(end(&self.core, limit, BusMissedMark::default())).await
    }
}

impl BusCore {
    /// Those that its shutdowns have killed.
    pub(crate) fn missed(&self) -> MutexGuard<'_, BusMissed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that the shutdowns of a bus have killed. A closed bus takes nobody any more, so they are no more
/// than it had.
#[derive(Default)]
pub(crate) struct BusMissed {
    members: MissedLog<Identity, { usize::MAX }>,
    /// By their paths in their trees.
    pub(crate) children: MissedLog<Arc<str>, { usize::MAX }>,
}

/// A moment in that.
#[derive(Clone, Copy, Default)]
struct BusMissedMark {
    members: MissedMark,
    children: MissedMark,
}

impl BusMissed {
    /// What has happened since then on a bus that had `everybody` on it.
    fn error(
        &self,
        since: BusMissedMark,
        stuck: Vec<Arc<str>>,
        everybody: &[Arc<dyn Member>],
    ) -> ShutdownError {
        let go_on = everybody.iter().filter(|member| !member.ended().initialized());
        let go_on: HashSet<_> = go_on.map(|member| member.id()).collect();
        let missed = self.members.since(since.members).into_iter();
        let missed = missed.map(|actor| Missed { killed: !go_on.contains(&actor.id), actor }).collect();
        ShutdownError { missed, children: self.children.since(since.children), stuck, links: Vec::new() }
    }

    fn mark(&self) -> BusMissedMark {
        BusMissedMark { members: self.members.mark(), children: self.children.mark() }
    }
}

async fn end(core: &BusCore, limit: Duration, since: BusMissedMark) -> Result<(), ShutdownError> {
    let deadline = clock::after(limit);
    core.end_by(deadline);
    core.close();
    core.links.get().into_iter().for_each(Bridge::close);
    core.topics.pause_ingress();
    let asked = AskAll(core);
    let trees = core.forest.youngest_first();
    // Now: children that calls have added are forgotten with their tree.
    let in_trees: HashSet<ActorId> = trees.iter().flat_map(Felling::actors).collect();
    let felled = by(deadline, async {
        for tree in &trees {
            tree.stop();
            tree.ended().await;
        }
    });
    let deadline = match felled.await {
        Some(()) => deadline,
        None => Instant::now() + limit.min(KILL_GRACE),
    };
    drop(asked);
    let everybody = core.members.youngest_first();
    by(deadline, all_ended(&everybody)).await;
    // Those who were on their way out when everybody was looked for.
    by(deadline, core.members.all_have_told()).await;
    let late: Vec<_> = everybody.iter().filter(|member| !member.ended().initialized()).collect();
    let stuck = kill(core, &late, &trees, &in_trees, deadline).await;
    let mut ended = core.missed().error(since, stuck, &everybody);
    if let Some(links) = core.links.get() {
        // Nobody publishes any more.
        by(deadline.max(Instant::now() + limit.min(KILL_GRACE)), links.drain()).await;
        ended.links = links.end().await;
    }
    core.topics.close();
    if ended == ShutdownError::default() { Ok(()) } else { Err(ended) }
}

async fn all_ended(members: &[Arc<dyn Member>]) {
    for member in members {
        member.ended().wait().await;
    }
}

/// Asks everybody who is left to end: when it is their turn, or when the shutdown is dropped before.
struct AskAll<'a>(&'a BusCore);

impl Drop for AskAll<'_> {
    fn drop(&mut self) {
        self.0.forest.youngest_first().iter().for_each(Felling::stop);
        self.0.members.youngest_first().iter().for_each(|member| member.stop(Stop::ForGood));
    }
}

/// Kills who is late, and has the bus's log name them, children of trees by their paths. Returns the trees
/// that go on.
async fn kill(
    core: &BusCore,
    late: &[&Arc<dyn Member>],
    trees: &[Felling],
    in_trees: &HashSet<ActorId>,
    deadline: Instant,
) -> Vec<Arc<str>> {
    let mut unfelled = Vec::new();
    for tree in trees {
        if by(deadline, tree.ended()).await.is_none() {
            tree.kill();
            unfelled.push(tree);
        }
    }
    // A root gives up on what cannot be killed after its own grace.
    within_grace(KILL_GRACE * 2, async {
        for tree in &unfelled {
            tree.ended().await;
        }
    })
    .await;
    let mut stuck = Vec::new();
    for tree in unfelled {
        if by(Instant::now(), tree.ended()).await.is_none() {
            stuck.extend(tree.outlives());
        }
    }
    // Before they are killed: a shutdown that goes on elsewhere looks as soon as the last one has ended.
    let by_its_tree = |member: &Arc<dyn Member>| {
        in_trees.contains(&member.id()) || member.work() == Work::Service { supervised: true }
    };
    let in_none = late.iter().filter(|member| !by_its_tree(member));
    in_none.for_each(|member| core.missed().members.add(member.identity()));
    late.iter().for_each(|member| member.kill());
    within_grace(KILL_GRACE, async {
        for member in late {
            member.ended().wait().await;
        }
    })
    .await;
    // Its tree has named it as killed, and it is not.
    let goes_on = |member: &&&Arc<dyn Member>| by_its_tree(member) && !member.ended().initialized();
    late.iter().filter(goes_on).for_each(|member| core.missed().members.add(member.identity()));
    stuck
}
