//! Ending a tree without losing what is queued: sources first, then mailboxes, then everybody in reverse
//! order.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::Stop;
use mycelium_supervisor::{self as pure, Call};

use super::handle::{CallError, GOES_ON, TREE_SHUTDOWN_DEADLINE, Tree, TreeBackend, split};
use super::live::LiveTree;
use super::shell::TreeShared;
use crate::dead_letters::Account;
use crate::error::first_named;
use crate::live::{Member, Work, sleep_anywhere, within_anywhere};
use crate::rt::Instant;
use crate::{MessageBus, SHUTDOWN_DEADLINE, ShutdownError, clock};

/// How often a drain looks whether everybody rests: at first, then more and more seldom.
pub(crate) const PAUSE_MIN: Duration = Duration::from_millis(1);
/// See [`PAUSE_MIN`].
pub(crate) const PAUSE_MAX: Duration = Duration::from_millis(20);
/// How long a linked bus may take to say that it sends no more (time).
const SETTLE: Duration = Duration::from_secs(1);

/// A tree or a bus has ended, and every message that was queued was handled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many sources were stopped first.
    pub sources: usize,
    /// How long all of it took.
    pub elapsed: Duration,
}

/// A tree or a bus has ended, and not everything was done by then.
///
/// Its fields name all of it, its text the first ten of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainError {
    /// How long was waited for the sources and the mailboxes.
    pub limit: Duration,
    /// Sources that had not stopped when the time was over.
    pub sources: Vec<Arc<str>>,
    /// Actors that still had something to do when the time was over.
    pub busy: Vec<Arc<str>>,
    /// The messages that they left behind, by actor and message. All of it is among the bus's dead
    /// letters too.
    pub left: Box<[Left]>,
    /// How many messages those are, also where there were too many actors to list each.
    pub messages: u64,
    /// Children that did not stop within their shutdown time, and were killed. Where a bus has ended,
    /// [`ShutdownError`] names them, and the trees that go on.
    pub killed: Vec<Arc<str>>,
    /// The tree has not ended and goes on: see [`TreeShutdownError::stuck`](super::TreeShutdownError::stuck).
    pub stuck: bool,
}

/// Messages that one actor did not handle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The actor, as [`Identity`](crate::Identity) writes it.
    pub actor: Arc<str>,
    /// The name of the message.
    pub message: &'static str,
    /// The topic it came from; `None` if it was sent to this actor alone.
    pub topic: Option<&'static str>,
    /// How many.
    pub messages: u64,
    /// Whether it was being handled, rather than waited.
    pub in_hand: bool,
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sources, elapsed } = self;
        let plural = if *sources == 1 { "" } else { "s" };
        write!(f, "drained in {elapsed:?}: {sources} source{plural} stopped, every mailbox empty")
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, message, topic, messages, in_hand } = self;
        let verb = if *in_hand { "in hand" } else { "waiting" };
        write!(f, "{actor}: {messages} {message} {verb}")?;
        topic.map_or(Ok(()), |topic| write!(f, " from topic {topic}"))
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        if self.sources.is_empty() && self.busy.is_empty() {
            write!(f, "every mailbox was empty within {limit:?}, and the end was not in order")?;
        } else {
            write!(f, "not drained within {limit:?}")?;
        }
        for (paths, what) in [
            (&self.sources, "source had not stopped"),
            (&self.busy, "was still at work"),
            (&self.killed, "was killed, because it missed its shutdown time"),
        ] {
            let (first, more) = first_named(paths);
            first.iter().try_for_each(|path| write!(f, "\n  {path} {what}"))?;
            more.map_or(Ok(()), |more| write!(f, "\n  and {more} more: {what}"))?;
        }
        if self.stuck {
            write!(f, "\n  the tree {GOES_ON}")?;
        }
        let (first, more) = first_named(&self.left);
        first.iter().try_for_each(|left| write!(f, "\n  {left}"))?;
        more.map_or(Ok(()), |more| write!(f, "\n  and {more} more actors and messages"))?;
        match self.messages {
            0 => Ok(()),
            1 => write!(f, "\n  1 message was not handled; it is a dead letter"),
            messages => write!(f, "\n  {messages} messages were not handled; they are dead letters"),
        }
    }
}

impl std::error::Error for DrainError {}

impl Tree {
    /// Ends the tree and loses nothing that is queued, if that can be done within `limit`:
    ///
    /// 1. A bus takes nothing from publishers outside any more ([`MessageBus::pause_ingress`]). The sources
    ///    of the tree are stopped one after the other in the order in which they started, and so are the
    ///    services of the bus that no supervisor looks after. [`Child::source`](super::Child::source) says
    ///    which children are sources.
    /// 2. Actors go on until all of the bus rest: nothing waits in any mailbox, and no handler runs. A child
    ///    in backoff is waited for if messages wait for it. Timers that are not due yet are not waited for.
    /// 3. Children are stopped in reverse order, as [`shutdown`](Self::shutdown) does and in its time.
    ///
    /// When `limit` has passed, step 3 begins whatever waits. In an isolate the time is virtual, and moves as
    /// far as sources and handlers need it. Live, the bus stays open for those that are left on it, and goes
    /// on refusing publishers outside until [`MessageBus::resume_ingress`].
    ///
    /// Tells and asks through references are not refused, from wherever they come: they are handled as
    /// long as the actor is there. Code that goes on telling keeps the drain from ending before its
    /// limit. Of two drains at once on one bus, each waits for all actors of the bus, and names what
    /// those of its own tree have left, and those of no tree.
    ///
    /// # Errors
    /// [`DrainError`] names what was not done. The tree has ended all the same, unless the error says that it
    /// is `stuck`.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, what was stopped stays stopped; [`shutdown`](Self::shutdown) ends the
    /// rest.
    ///
    /// ```
    /// use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Supervisor};
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// struct Slow(Arc<AtomicU32>);
    /// impl Actor for Slow { type Error = BoxError; }
    /// impl Handler<u32> for Slow {
    ///     async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
    ///         tokio::time::sleep(Duration::from_millis(1)).await;
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///         Ok(())
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let (bus, handled) = (MessageBus::new(), Arc::new(AtomicU32::new(0)));
    /// let count = Arc::clone(&handled);
    /// let tree = Supervisor::builder("root").actor("slow", move || Slow(count.clone())).start(&bus).await?;
    /// let slow = tree.lookup::<Slow>("root/slow").expect("it runs");
    /// for number in 0..20 {
    ///     slow.tell(number).await?;
    /// }
    /// tree.drain(Duration::from_secs(10)).await?;
    /// assert_eq!(handled.load(Ordering::Relaxed), 20);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn drain(&self, limit: Duration) -> Result<Drained, DrainError> {
        match self.backend() {
            TreeBackend::Isolate(isolate) => isolate.drain(limit).await,
            TreeBackend::Live(live) => live.drain(limit).await,
        }
    }
}

impl LiveTree {
    async fn drain(&self, limit: Duration) -> Result<Drained, DrainError> {
        let began = Instant::now();
        let shared = self.shared();
        let bus = &shared.bus;
        let before = shared.missed().mark();
        let account = bus.core.dead_letters.open_account(Some(shared.number));
        let rest = bring_to_rest(bus, limit, || vec![Arc::clone(shared)]).await;
        // Its kills are found below.
        let stuck = self.stop_within(TREE_SHUTDOWN_DEADLINE).await;
        let end = TreeEnd { killed: shared.missed().since(before), stuck };
        rest.outcome(began.elapsed(), limit, account.close(), end)
    }
}

/// Ends all of a bus and loses nothing that is queued, if that can be done within `limit`: the sources of its
/// trees and the services that are in none, then what waits in mailboxes, then the bus.
pub(super) async fn drain_bus(
    bus: &MessageBus,
    limit: Duration,
) -> (Result<Drained, DrainError>, Result<(), ShutdownError>) {
    let began = Instant::now();
    let account = bus.core.dead_letters.open_account(None);
    let rest = bring_to_rest(bus, limit, || trees(bus)).await;
    let has_trees = bus.core.forest.stands();
    let closed = bus.end_within(if has_trees { TREE_SHUTDOWN_DEADLINE } else { SHUTDOWN_DEADLINE }).await;
    // The bus names those that had to be killed, and the trees that go on.
    (rest.outcome(began.elapsed(), limit, account.close(), TreeEnd::default()), closed)
}

/// The trees of a bus that have not ended.
pub(super) fn trees(bus: &MessageBus) -> Vec<Arc<TreeShared>> {
    let standing = bus.core.forest.standing().into_iter().map(|tree| tree as Arc<dyn Any + Send + Sync>);
    standing.filter_map(|tree| tree.downcast().ok()).collect()
}

/// How far a bus, or an isolate, has come to rest.
pub(crate) struct AtRest {
    pub(crate) stopped: usize,
    pub(crate) late: Vec<Arc<str>>,
    pub(crate) busy: Vec<Arc<str>>,
}

/// What the end of a tree took.
#[derive(Default)]
pub(crate) struct TreeEnd {
    pub(crate) killed: Vec<Arc<str>>,
    pub(crate) stuck: bool,
}

impl AtRest {
    /// The result of a drain with this limit, which has taken so long.
    pub(crate) fn outcome(
        self,
        elapsed: Duration,
        limit: Duration,
        account: Account,
        end: TreeEnd,
    ) -> Result<Drained, DrainError> {
        let (Self { stopped, late, busy }, TreeEnd { killed, stuck }) = (self, end);
        if late.is_empty() && busy.is_empty() && killed.is_empty() && account.messages == 0 && !stuck {
            return Ok(Drained { sources: stopped, elapsed });
        }
        let messages = account.messages;
        let left = left_of(account);
        Err(DrainError { limit, sources: late, busy, left, messages, killed, stuck })
    }
}

/// Refuses publishers outside, stops the sources of these trees and the services of none, and waits until
/// nobody on the bus has anything to do, for `limit` in all.
async fn bring_to_rest(
    bus: &MessageBus,
    limit: Duration,
    trees: impl Fn() -> Vec<Arc<TreeShared>>,
) -> AtRest {
    let deadline = clock::after(limit);
    bus.pause_ingress();
    let (mut stopped, mut late) = (0, Vec::new());
    let (mut pause, mut settled) = (PAUSE_MIN, false);
    let busy = loop {
        // Actors that still handle something, and supervisors that were restarted, may start more of them.
        for tree in trees() {
            stopped += tree.stop_sources(deadline, &mut late).await;
        }
        stopped += stop_services(bus, deadline, &mut late).await;
        let (still, busy) = look(bus);
        let no_source = trees().iter().all(|tree| tree.sources().is_empty());
        let rests = still && no_source && services(bus).next().is_none();
        if rests && !settled {
            // What came before the pause and had no room may have some meanwhile: all are looked at again.
            settle(bus, until(deadline)).await;
            settled = true;
            continue;
        }
        if rests || Instant::now() >= deadline {
            break busy;
        }
        sleep_anywhere(pause.min(until(deadline))).await;
        pause = (pause * 2).min(PAUSE_MAX);
    };
    let busy: Vec<_> = busy.iter().map(|member| member.identity().text()).collect();
    AtRest { stopped, late, busy }
}

/// Waits until all has come that linked buses sent before they knew that this one asks for no more: it is
/// counted as late here. Its senders could not tell it from what a dead process has lost.
pub(super) async fn settle(bus: &MessageBus, limit: Duration) {
    if let Some(links) = bus.core.links.get() {
        within_anywhere(limit.min(SETTLE), links.settle()).await;
    }
}

impl TreeShared {
    /// Stops the sources that run, each within its shutdown time: how many stopped by the deadline. Those
    /// that did not are `late`.
    async fn stop_sources(&self, deadline: Instant, late: &mut Vec<Arc<str>>) -> usize {
        let mut stopped = 0;
        for seen in self.sources() {
            let (above, id) = split(&seen.path);
            let terminated = self.call(above, Call::TerminateChild(id.into()));
            match within_anywhere(until(deadline), terminated).await {
                Some(Ok(_)) => stopped += usize::from(self.source_stopped(&seen)),
                Some(Err(error)) if is_to_be_asked_again(&error) => {}
                // It has gone by itself.
                Some(Err(_)) => _ = self.source_stopped(&seen),
                None => note_late(late, seen.path),
            }
        }
        stopped
    }
}

/// How long it is until then.
fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// A supervisor with too many calls has not looked at this one.
pub(crate) fn is_to_be_asked_again(error: &CallError) -> bool {
    matches!(error, CallError::Refused(pure::CallError::Busy))
}

/// Each is late once, however often it is looked at.
pub(crate) fn note_late(late: &mut Vec<Arc<str>>, path: Arc<str>) {
    if !late.contains(&path) {
        late.push(path);
    }
}

/// The services that no supervisor looks after, the eldest first.
fn services(bus: &MessageBus) -> impl Iterator<Item = Arc<dyn Member>> + use<> {
    let services = |member: &Arc<dyn Member>| member.work() == (Work::Service { supervised: false });
    bus.core.members.youngest_first().into_iter().rev().filter(services)
}

/// Stops them: how many stopped by the deadline. Those that did not are `late`.
async fn stop_services(bus: &MessageBus, deadline: Instant, late: &mut Vec<Arc<str>>) -> usize {
    let mut stopped = 0;
    for member in services(bus) {
        member.stop(Stop::ForGood);
        match within_anywhere(until(deadline), member.ended().wait()).await {
            Some(_) => stopped += 1,
            None => note_late(late, member.identity().text()),
        }
    }
    stopped
}

/// Whether all actors of a bus rest, and those that have something to do.
///
/// Each is looked at twice. Those that sleep with the same turn both times have slept all the time between,
/// so there was a moment at which all of them did; and whoever sleeps has nothing in a queue. Actors that
/// were spawned meanwhile are seen next time.
fn look(bus: &MessageBus) -> (bool, Vec<Arc<dyn Member>>) {
    let ids = bus.core.ids();
    let everybody = bus.core.members.youngest_first();
    let first: Vec<Work> = everybody.iter().map(|member| member.work()).collect();
    let mut busy: Vec<_> = everybody.into_iter().zip(first).collect();
    busy.retain(|(member, first)| {
        let rests = matches!(first, Work::Rests(_) | Work::Service { .. }) && member.work() == *first;
        !rests && !member.ended().initialized()
    });
    let busy: Vec<_> = busy.into_iter().map(|(member, _)| member).collect();
    (busy.is_empty() && bus.core.ids() == ids, busy)
}

/// What an account says, by the names of the actors.
fn left_of(account: Account) -> Box<[Left]> {
    let rows = account.rows.into_iter();
    let left = rows.map(|((actor, message, topic, in_hand), messages)| Left {
        actor: actor.text(),
        message,
        topic,
        messages,
        in_hand,
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, ActorRef, BoxError, Context, Handler};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    const STEPS: u32 = 50_000;

    type Crowd = Arc<OnceLock<Vec<ActorRef<Walker>>>>;

    /// Sends the one message of the bus on to the actor before it, until it has gone far enough.
    struct Walker {
        number: usize,
        crowd: Crowd,
        left: Arc<AtomicU32>,
    }
    impl Actor for Walker {
        type Error = BoxError;
    }
    impl Handler<()> for Walker {
        async fn handle(&mut self, _: &(), ctx: &mut Context<Self>) -> Result<(), BoxError> {
            let crowd = self.crowd.get().ok_or("nobody is there")?;
            let next = &crowd[(self.number + crowd.len() - 1) % crowd.len()];
            if self.left.fetch_sub(1, Ordering::SeqCst) > 1 {
                ctx.tell(next, ()).await?;
            }
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_bus_on_which_one_message_goes_round_does_not_rest() {
        for size in [2, 3, 16] {
            let (bus, crowd, left) = (MessageBus::new(), Crowd::default(), Arc::new(AtomicU32::new(STEPS)));
            let walker = |number| Walker { number, crowd: Arc::clone(&crowd), left: Arc::clone(&left) };
            let all: Vec<_> = (0..size).map(|number| bus.spawn(walker(number)).unwrap()).collect();
            let first = all[0].clone();
            assert!(crowd.set(all).is_ok());
            first.tell(()).await.unwrap();
            let mut looks = 0_u64;
            while !look(&bus).0 {
                looks += 1;
                tokio::task::consume_budget().await;
            }
            assert_eq!(left.load(Ordering::SeqCst), 0, "after {looks} looks at {size} actors");
            bus.shutdown().await.unwrap();
        }
    }
}
