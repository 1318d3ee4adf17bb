//! Who waits for whom: members that wait for each other in a circle are named in the log.
//!
//! An actor or a service whose code waits for an answer, or for room in a queue, leaves a note of it
//! ([`Waits`]) when its poll ends, and one that keeps its own thread before that sleeps (`blocking.rs`).
//! The first one that does starts the lookout of its bus: a task that looks at the notes every so often. It
//! ends when a look finds none, so a bus on which nobody waits has no timer. A member that waits for
//! something else, or for another bus, leaves no note.
//!
//! Each wait has a number from when it is first pending, by which it is known as the same however often the
//! code is polled for something else meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mycelium_mailbox::caught;

use super::address::Member;
use super::bus::BusCore;
use super::cancel::CancelPoint;
use super::circles::{circles, held};
use super::current;
use super::runtime::{has_timers, sleep_on_a_thread};
use crate::rt::{self, AbortHandle};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering};

/// How long members wait for each other before the log says so, unless the bus was built with another time.
pub(super) const CIRCLE_AFTER: Duration = Duration::from_secs(5);

/// How often the lookout looks within that time (looks).
const LOOKS: u32 = 4;

/// How many circles one look tells of, and how many members of each (circles, members).
pub(super) const TOLD_MAX: usize = 16;

/// What a member's code waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// Nothing that the lookout knows of.
    Nothing,
    /// An answer of this actor.
    Answer(u64),
    /// Room in the inbox of this actor.
    Inbox(u64),
    /// Room in the topic of this `TYPE_ID`.
    Topic(u16),
    /// Room in the inbox of any worker of the pool that this actor is a worker of.
    Pool(u64),
}

/// What a member waits for, and which of its waits that is: one that goes on has the same number.
pub(crate) type Noted = (Wait, u64);

/// It waits for nothing that the lookout knows of.
pub(crate) const NOTHING: Noted = (Wait::Nothing, 0);

impl Wait {
    const KIND_BITS: u32 = 3;

    fn pack(self) -> u64 {
        let (kind, of) = match self {
            Self::Nothing => (0, 0),
            Self::Answer(id) => (1, id),
            Self::Inbox(id) => (2, id),
            Self::Topic(type_id) => (3, u64::from(type_id)),
            Self::Pool(id) => (4, id),
        };
        of << Self::KIND_BITS | kind
    }

    fn unpack(packed: u64) -> Self {
        let of = packed >> Self::KIND_BITS;
        match packed & 7 {
            1 => Self::Answer(of),
            2 => Self::Inbox(of),
            3 => Self::Topic(u16::try_from(of).unwrap_or_default()),
            4 => Self::Pool(of),
            _ => Self::Nothing,
        }
    }
}

/// What a member waits for, as its note says it: two words, for they are moved and compared at each poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedNote {
    wait: u64,
    number: u64,
}

impl PackedNote {
    pub(crate) const NOTHING: Self = Self { wait: 0, number: 0 };

    pub(crate) fn new((wait, number): Noted) -> Self {
        if wait == Wait::Nothing { Self::NOTHING } else { Self { wait: wait.pack(), number } }
    }

    pub(crate) fn unpack(self) -> Noted {
        (Wait::unpack(self.wait), self.number)
    }
}

/// The note of one member. Written by its task alone.
pub(crate) struct Waits {
    /// A packed [`Wait`].
    noted: AtomicU64,
    /// Which of its waits that is.
    number: AtomicU64,
    pub(crate) lookout: Arc<Lookout>,
}

impl Waits {
    pub(crate) fn new(lookout: Arc<Lookout>) -> Self {
        Self { noted: AtomicU64::new(0), number: AtomicU64::new(0), lookout }
    }

    /// What the member's own task has noted last.
    #[inline]
    pub(crate) fn own(&self) -> PackedNote {
        PackedNote { wait: self.noted.load(Ordering::Relaxed), number: self.number.load(Ordering::Relaxed) }
    }

    /// Notes what the code of this member waits for: its own task alone does.
    #[cold]
    pub(crate) fn write(&self, note: PackedNote) {
        self.number.store(note.number, Ordering::Relaxed);
        // Before it looks whether there is a lookout; see `Lookout::disarm`.
        self.noted.store(note.wait, Ordering::SeqCst);
        if note != PackedNote::NOTHING {
            self.lookout.arm();
        }
    }

    /// What is noted.
    pub(crate) fn noted(&self) -> Noted {
        (Wait::unpack(self.noted.load(Ordering::SeqCst)), self.number.load(Ordering::Relaxed))
    }
}

/// Drives `work`, which is part of a member's code, and has that member's note say what it waits for.
#[inline]
pub(crate) fn waiting<F: Future + Unpin>(wait: Wait, work: F) -> WaitingWork<F> {
    WaitingWork { wait, number: 0, work, at: None }
}

/// See [`waiting`]. A type of its own: an `async fn` would move `work` once more and ask for its state at
/// each poll.
pub(crate) struct WaitingWork<F> {
    wait: Wait,
    /// Which wait it is; 0: it has not begun to wait.
    number: u64,
    work: F,
    at: Option<CancelPoint>,
}

impl<F: Future + Unpin> Future for WaitingWork<F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let polled = Pin::new(&mut self.work).poll(cx);
        if polled.is_pending() {
            // Somebody outside of the bus has nothing to note.
            if self.wait != Wait::Nothing {
                if self.number == 0 {
                    self.number = current::number_wait();
                }
                current::note(self.wait, self.number);
            }
            return CancelPoint::note(polled, &mut self.at, cx);
        }
        polled
    }
}

/// A member that stops waiting in the middle of a poll does not wait at its end.
impl<F> Drop for WaitingWork<F> {
    #[inline]
    fn drop(&mut self) {
        if self.number != 0 {
            current::unnote(self.wait, self.number);
        }
    }
}

/// What a bus knows of how its members wait.
pub(crate) struct Lookout {
    core: Weak<BusCore>,
    /// The mark of the bus.
    pub(crate) bus: usize,
    /// How long an ask waits at most that does not say it.
    pub(crate) ask_limit: Option<Duration>,
    circle_after: Duration,
    /// Whether there is a task, or need not be one any more.
    armed: AtomicBool,
    task: Mutex<Task>,
}

#[derive(Default)]
struct Task {
    looks: Option<AbortHandle>,
    /// The bus is closed.
    over: bool,
}

impl Lookout {
    pub(crate) fn new(
        core: Weak<BusCore>,
        bus: usize,
        ask_limit: Option<Duration>,
        circle_after: Duration,
    ) -> Arc<Self> {
        let (armed, task) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { core, bus, ask_limit, circle_after, armed, task })
    }

    /// Sees to it that somebody looks.
    fn arm(self: &Arc<Self>) {
        if !self.armed.load(Ordering::SeqCst) {
            self.start();
        }
    }

    #[cold]
    fn start(self: &Arc<Self>) {
        let Some(runtime) = self.core.upgrade().and_then(|core| core.runtimes.home(&core.members)) else {
            return;
        };
        if self.armed.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut end = LookoutEnd(Some(Arc::clone(self)));
        let _entered = rt::enter(&runtime);
        // Not under the lock: a runtime that goes down drops the task at once.
        let looks = rt::spawn(async move {
            if let Some(lookout) = &end.0 {
                lookout.look_out().await;
            }
            drop(end.0.take());
        })
        .abort_handle();
        let mut task = self.lock();
        if task.over {
            looks.abort();
        }
        task.looks = Some(looks);
    }

    /// Nobody looks any more.
    pub(crate) fn stop(&self) {
        self.armed.store(true, Ordering::SeqCst);
        let mut task = self.lock();
        task.over = true;
        let looks = task.looks.take();
        drop(task);
        looks.into_iter().for_each(|looks| looks.abort());
    }

    async fn look_out(&self) {
        let (mut watch, pause) = (LookoutWatch::default(), self.circle_after / LOOKS);
        let has_timers = has_timers();
        loop {
            if has_timers {
                rt::sleep(pause).await;
            } else {
                sleep_on_a_thread(pause).await;
            }
            let Some(core) = self.core.upgrade() else { return };
            let waiting = core.members.waiting();
            if waiting.is_empty() {
                if self.disarm(|| !core.members.waiting().is_empty()) {
                    return;
                }
                continue;
            }
            watch.look(waiting.iter().map(|member| (member.id().get(), member.waits())));
            for circle in
                watch.circles(|type_id| core.topics.full(type_id).1, |id| core.forest.workers_with(id))
            {
                tell(&core, &waiting, &circle, self.circle_after);
            }
        }
    }

    /// Whether the task that looks may end: from now on, whoever waits starts another. One that began to wait
    /// just before has seen this one, so it looks once more. It goes on if somebody waits and there is no
    /// other task yet.
    fn disarm(&self, somebody_waits: impl FnOnce() -> bool) -> bool {
        self.armed.store(false, Ordering::SeqCst);
        !somebody_waits() || self.armed.swap(true, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Task> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a task that is dropped while it looks, with its runtime: another goes on if somebody still
/// waits, and else the next wait starts one.
struct LookoutEnd(Option<Arc<Lookout>>);

impl Drop for LookoutEnd {
    fn drop(&mut self) {
        let Some(lookout) = &self.0 else { return };
        let task = lookout.lock();
        lookout.armed.store(task.over, Ordering::SeqCst);
        let over = task.over;
        drop(task);
        let waits = |core: Arc<BusCore>| !core.members.waiting().is_empty();
        // One that has panicked would do so again.
        if !over && !std::thread::panicking() && lookout.core.upgrade().is_some_and(waits) {
            lookout.arm();
        }
    }
}

/// Says in the log who waits for whom.
fn tell(core: &BusCore, waiting: &[Arc<dyn Member>], circle: &[u64], after: Duration) {
    let name = |id: u64| waiting.iter().find(|member| member.id().get() == id);
    let mut lines = Vec::new();
    for (at, id) in circle.iter().enumerate().take(TOLD_MAX) {
        let next = circle[(at + 1) % circle.len()];
        let (Some(member), Some(other)) = (name(*id), name(next)) else { return };
        let waits = member.waits().0;
        let (member, other) = (member.identity(), other.identity());
        lines.push(match waits {
            Wait::Nothing => return,
            Wait::Answer(_) => format!("{member} waits for an answer of {other}"),
            Wait::Inbox(_) => format!("{member} waits for room in the mailbox of {other}"),
            Wait::Pool(_) => {
                format!("{member} waits for room in the mailbox of {other}, or of another worker of its pool")
            }
            Wait::Topic(type_id) => {
                let topic = core.topics.full(type_id).0;
                format!("{member} waits for room in topic {topic}, which {other} does not read")
            }
        });
    }
    let more = circle.len().saturating_sub(TOLD_MAX);
    caught(
        || tracing::warn!(target: "mycelium::waits", members = circle.len(), "{}", Circle { lines, more, after }),
    );
}

struct Circle {
    lines: Vec<String>,
    more: usize,
    after: Duration,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, more, after } = self;
        write!(f, "members wait for each other for {after:?} and longer: {}", lines.join("; "))?;
        if *more > 0 {
            write!(f, "; and {more} more")?;
        }
        f.write_str(
            ". None of them goes on by itself: give one of the asks a limit (`ask_within`, `BusBuilder::ask_limit`), use \
             `try_publish` or `try_tell`, raise a capacity, or choose another overflow policy",
        )
    }
}

/// What several looks have seen: decisions only.
#[derive(Default)]
struct LookoutWatch {
    seen: BTreeMap<u64, SeenTask>,
}

struct SeenTask {
    wait: Wait,
    turn: u64,
    looks: u32,
    told: bool,
}

impl LookoutWatch {
    /// Takes over who waits for what now.
    fn look(&mut self, now: impl Iterator<Item = (u64, (Wait, u64))>) {
        let mut before = std::mem::take(&mut self.seen);
        for (id, (wait, turn)) in now.filter(|(_, (wait, _))| *wait != Wait::Nothing) {
            let same = before.remove(&id).filter(|seen| (seen.wait, seen.turn) == (wait, turn));
            let (looks, told) = same.map_or((0, false), |seen| (seen.looks + 1, seen.told));
            self.seen.insert(id, SeenTask { wait, turn, looks, told });
        }
    }

    /// The circles, of those that have waited long enough, that were not told before. `full` says whose
    /// queues of a topic are, `workers` who belongs to the pool of a worker.
    fn circles(
        &mut self,
        full: impl Fn(u16) -> Vec<u64>,
        workers: impl Fn(u64) -> Vec<u64>,
    ) -> Vec<Vec<u64>> {
        let lasting = self.seen.iter().filter(|(_, seen)| seen.looks >= LOOKS);
        let edges: BTreeMap<u64, Vec<u64>> = lasting
            .map(|(id, seen)| match seen.wait {
                Wait::Nothing => (*id, Vec::new()),
                Wait::Answer(of) | Wait::Inbox(of) => (*id, vec![of]),
                Wait::Topic(type_id) => (*id, full(type_id)),
                // Whoever waits for itself does not: it waits for the others.
                Wait::Pool(of) => (*id, workers(of).into_iter().filter(|worker| worker != id).collect()),
            })
            .collect();
        let at_pools = self.seen.iter().filter(|(_, seen)| matches!(seen.wait, Wait::Pool(_)));
        let edges = held(edges, &at_pools.map(|(id, _)| *id).collect());
        let circles = circles(&edges, |id| self.seen.get(&id).is_some_and(|seen| !seen.told));
        for id in circles.iter().flatten() {
            if let Some(seen) = self.seen.get_mut(id) {
                seen.told = true;
            }
        }
        circles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_what_was_noted() {
        for wait in [Wait::Nothing, Wait::Answer(1), Wait::Pool(u64::MAX >> 3), Wait::Topic(u16::MAX)] {
            assert_eq!(Wait::unpack(wait.pack()), wait);
        }
    }

    #[test]
    fn who_begins_to_wait_while_the_lookout_ends_is_looked_after() {
        let lookout = Lookout::new(Weak::new(), 0, None, CIRCLE_AFTER);
        let armed = |now| lookout.armed.store(now, Ordering::SeqCst);
        let is_armed = || lookout.armed.load(Ordering::SeqCst);
        armed(true);
        assert!(!lookout.disarm(|| true) && is_armed(), "one that saw the lookout waits: it goes on");
        assert!(lookout.disarm(|| false) && !is_armed(), "nobody waits: the next one starts another");
        let another_starts = || {
            armed(true);
            true
        };
        assert!(lookout.disarm(another_starts) && is_armed(), "there is another");
    }

    fn watch_circles(watch: &mut LookoutWatch, now: &[(u64, Wait, u64)]) -> Vec<Vec<u64>> {
        watch.look(now.iter().map(|(id, wait, turn)| (*id, (*wait, *turn))));
        watch.circles(|_| vec![7, 8], |of| vec![of, of + 1])
    }

    #[test]
    fn a_circle_is_told_once_when_it_has_lasted() {
        let asks = [(1, Wait::Answer(2), 5), (2, Wait::Inbox(3), 1), (3, Wait::Answer(1), 9)];
        let mut watch = LookoutWatch::default();
        for look in 0..LOOKS {
            assert!(watch_circles(&mut watch, &asks).is_empty(), "look {look}");
        }
        assert_eq!(watch_circles(&mut watch, &asks), [[1, 2, 3]]);
        assert!(watch_circles(&mut watch, &asks).is_empty(), "told before");
        // One of them has gone on and waits anew.
        let again = [(1, Wait::Answer(2), 6), asks[1], asks[2]];
        for _ in 0..LOOKS {
            assert!(watch_circles(&mut watch, &again).is_empty());
        }
        assert_eq!(watch_circles(&mut watch, &again).len(), 1);
    }

    #[test]
    fn a_publisher_waits_for_all_whose_queues_are_full() {
        let mut watch = LookoutWatch::default();
        let now = [(1, Wait::Topic(4), 1), (8, Wait::Answer(1), 1)];
        let told: Vec<_> = (0..=LOOKS).flat_map(|_| watch_circles(&mut watch, &now)).collect();
        assert_eq!(told, [[1, 8]]);
    }

    #[test]
    fn one_that_waits_at_a_pool_waits_for_all_of_its_workers() {
        let ask = |id, of| (id, Wait::Answer(of), 1);
        let pool = (1, Wait::Pool(7), 1);
        for (now, circles) in [
            (vec![pool, ask(7, 1), ask(8, 1)], vec![vec![1, 7], vec![1, 8]]),
            // The other worker goes on, or waits for somebody who does.
            (vec![pool, ask(7, 1)], vec![]),
            (vec![pool, ask(7, 1), ask(8, 9)], vec![]),
            // One of the workers waits for the other.
            (vec![(7, Wait::Pool(7), 1), ask(8, 7)], vec![vec![7, 8]]),
        ] {
            let mut watch = LookoutWatch::default();
            let told: Vec<_> = (0..=LOOKS).flat_map(|_| watch_circles(&mut watch, &now)).collect();
            assert_eq!(told, circles);
        }
    }

    #[test]
    fn whoever_waits_for_one_that_does_not_wait_is_in_no_circle() {
        let mut watch = LookoutWatch::default();
        let now = [(1, Wait::Answer(2), 1), (3, Wait::Answer(1), 1), (4, Wait::Nothing, 1)];
        for _ in 0..3 * LOOKS {
            assert!(watch_circles(&mut watch, &now).is_empty());
        }
    }
}
