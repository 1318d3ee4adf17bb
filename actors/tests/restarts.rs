//! However often children crash, memory, tasks, file descriptors and processes come back to where they were,
//! and what is queued for them is handled.
//!
//! `cargo xtask test restarts` runs a million cycles in place of [`CYCLES`], and prints what they left.

mod common;
#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use common::{Tick, WATCHDOG, on_both_runtimes_within};
use heap::live_bytes_of_all;
use mycelium::tree::{Backoff, Builder, Child, Notice, ProcessSpec, Restart, Shutdown, Strategy, Tree};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, MessageBus, Responder, Service, ServiceContext,
    Subscriptions, Supervisor,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Crashes of the actor that restarts in place, on each runtime, unless `MYCELIUM_RESTARTS` says otherwise.
const CYCLES: u64 = 20_000;

/// Crashes before the first look: pools, rings and maps have their size then.
const WARM_UP: u64 = 500;

/// What may differ before and after, in bytes: the test harness allocates on its own thread meanwhile, and
/// maps rehash. A leak of one byte per cycle exceeds it.
const SLACK_BYTES: i64 = 16 * 1024;

/// How often a test looks, 50 ms apart, whether what it has used has come back.
const LOOKS: u32 = 200;

/// The most that a supervisor accepts, here within a nanosecond.
const RESTARTS: u32 = 1_000_000;

/// What this process holds.
#[derive(Clone, Copy, Debug)]
struct Usage {
    bytes: i64,
    tasks: usize,
    files: usize,
    /// Child processes, zombies among them.
    processes: usize,
}

impl Usage {
    fn now() -> Self {
        Self {
            bytes: live_bytes_of_all(),
            tasks: Handle::current().metrics().num_alive_tasks(),
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            processes: child_processes(),
        }
    }

    fn is_back_at(self, before: Self) -> bool {
        // A task that had ended just before the first look may be gone now: less is no fault.
        self.bytes <= before.bytes + SLACK_BYTES
            && self.tasks <= before.tasks
            && self.files <= before.files
            && self.processes <= before.processes
    }

    /// Waits until everything is where it was. What has ended may be gone a moment later; what is not gone
    /// after [`LOOKS`] of them is left behind.
    async fn comes_back(self, what: &str, cycles: u64) {
        let mut now = Self::now();
        for _ in 0..LOOKS {
            if now.is_back_at(self) {
                println!("{what}: {cycles} cycles left {} bytes, {now:?}", now.bytes - self.bytes);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            now = Self::now();
        }
        panic!("{what}: {self:?} before, {now:?} after {cycles} cycles");
    }
}

/// How many processes have this one as their parent, those included that nobody has reaped.
fn child_processes() -> usize {
    let me = std::process::id().to_string();
    let has_parent = |stat: &str| {
        // The name, in parentheses, may hold anything; state and parent follow it.
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(me.as_str())
    };
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| has_parent(stat)).count()
}

/// Cycles of this run, divided by `share`.
fn cycles(share: u64) -> u64 {
    let given = std::env::var("MYCELIUM_RESTARTS").ok().map(|text| text.parse().expect("a number"));
    (given.unwrap_or(CYCLES) / share).max(1)
}

/// Runs a test on both runtime flavours, with time for the cycles that were asked for.
fn on_both_runtimes(test: impl AsyncFn()) {
    on_both_runtimes_within(WATCHDOG * u32::try_from(4 + cycles(1) / CYCLES).unwrap(), test);
}

/// One test at a time: they count what the whole process holds.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static QUIET: Once = Once::new();
    // Crashes on purpose are not printed; the harness would keep each of their texts.
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&ON_PURPOSE) {
                loud(info);
            }
        }));
    });
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const ON_PURPOSE: &str = "crash on purpose";

/// Runs cycles until everything has its size, then `count` more, and waits for what they have taken to come
/// back.
async fn repeat(what: &str, count: u64, mut cycle: impl AsyncFnMut()) {
    for _ in 0..WARM_UP.min(count) {
        cycle().await;
    }
    let before = Usage::now();
    for _ in 0..count {
        cycle().await;
    }
    before.comes_back(what, count).await;
}

fn root() -> Builder {
    Supervisor::builder("root").intensity(RESTARTS, Duration::from_nanos(1))
}

/// Knows its life, hears ticks, and ends as it is told.
struct Mortal(u64);

impl Actor for Mortal {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_secs(3600), Tick(0));
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum End {
    Panic,
    Error,
    Stop,
}

impl Handler<End> for Mortal {
    async fn handle(&mut self, end: &End, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match end {
            End::Panic => panic::panic_any(ON_PURPOSE),
            End::Error => Err(ON_PURPOSE.into()),
            End::Stop => {
                ctx.stop();
                Ok(())
            }
        }
    }
}
impl Handler<Tick> for Mortal {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
struct WhichLife;
impl Responder<WhichLife> for Mortal {
    type Reply = u64;
    async fn answer(&mut self, _: &WhichLife, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

fn mortal(id: &str) -> Child {
    let lives = AtomicU64::new(0);
    Child::actor(id, move || Mortal(lives.fetch_add(1, Ordering::Relaxed)))
}

/// The actor at `path`, once it is another one than `old`.
async fn another(tree: &Tree, path: &str, old: &ActorRef<Mortal>) -> ActorRef<Mortal> {
    loop {
        if let Some(actor) = tree.lookup::<Mortal>(path)
            && actor.id() != old.id()
            && actor.ask(WhichLife).await.is_ok()
        {
            return actor;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn whatever_is_left_behind_is_noticed() {
    let _alone = alone();
    on_both_runtimes(async || {
        let before = Usage::now();
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        assert!(!Usage::now().is_back_at(before), "a file");
        drop(file);
        let task = tokio::spawn(std::future::pending::<()>());
        assert!(!Usage::now().is_back_at(before), "a task");
        task.abort();
        task.await.unwrap_err();
        let mut process = std::process::Command::new("/bin/sh").args(["-c", "exit 0"]).spawn().unwrap();
        assert!(!Usage::now().is_back_at(before), "a process or its zombie");
        process.wait().unwrap();
        before.comes_back("canary", 1).await;
        // Anew: what the harness has let go of since the first look would hide some of it.
        let before = Usage::now();
        (0..CYCLES).for_each(|_| std::mem::forget(Box::new(1_u8)));
        assert!(!Usage::now().is_back_at(before), "a byte per cycle");
    });
}

#[test]
fn an_actor_that_restarts_in_place_leaves_nothing_behind() {
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let tree = root().child(mortal("mortal")).start(&bus).await.unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        let mortal = tree.lookup::<Mortal>("root/mortal").unwrap();
        let ends = [End::Panic, End::Error, End::Stop];
        for (end, share) in ends.into_iter().zip([1, 10, 10]) {
            let mut life = mortal.ask(WhichLife).await.unwrap();
            repeat("restart in place", cycles(share), async || {
                ticks.publish(Tick(1)).await.unwrap();
                mortal.tell(end).await.unwrap();
                ticks.publish(Tick(2)).await.unwrap();
                life += 1;
                assert_eq!(mortal.ask(WhichLife).await.unwrap(), life);
            })
            .await;
        }
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn actors_that_are_made_anew_leave_nothing_behind() {
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let tree = root().child(mortal("mortal")).start(&bus).await.unwrap();
        let mut mortal = tree.lookup::<Mortal>("root/mortal").unwrap();
        repeat("kill", cycles(20), async || {
            mortal.kill();
            mortal = another(&tree, "root/mortal", &mortal).await;
        })
        .await;
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn actors_that_outlive_their_supervisor_leave_nothing_behind() {
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        // The desk gives up at its first failure, and is restarted with its children.
        let desk = Supervisor::builder("desk").intensity(0, Duration::from_secs(1));
        let desk = desk.child(mortal("a")).child(mortal("b"));
        let tree = root().supervisor(desk).start(&bus).await.unwrap();
        let [a, b] = ["root/desk/a", "root/desk/b"].map(|path| tree.lookup::<Mortal>(path).unwrap());
        let mut life = 0;
        repeat("restart of a supervisor", cycles(20), async || {
            b.tell(End::Panic).await.unwrap();
            life += 1;
            assert_eq!(b.ask(WhichLife).await.unwrap(), life);
            while a.ask(WhichLife).await.unwrap() < life {}
        })
        .await;
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn groups_leave_nothing_behind() {
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let group = root().strategy(Strategy::OneForAll);
        let group = ["a", "b", "c"].into_iter().fold(group, |group, id| group.child(mortal(id)));
        let tree = group.start(&bus).await.unwrap();
        let all = ["root/a", "root/b", "root/c"].map(|path| tree.lookup::<Mortal>(path).unwrap());
        let mut life = 0;
        repeat("restart of a group", cycles(20), async || {
            all[1].tell(End::Panic).await.unwrap();
            life += 1;
            assert_eq!(all[1].ask(WhichLife).await.unwrap(), life);
            while all[2].ask(WhichLife).await.unwrap() < life {}
            assert_eq!(all[0].ask(WhichLife).await.unwrap(), life);
        })
        .await;
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn services_and_futures_leave_nothing_behind() {
    struct Failing(Arc<Notify>, mpsc::UnboundedSender<()>);
    impl Service for Failing {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let _ticks = ctx.subscribe::<Tick>(mycelium::Subscription::default())?;
            self.1.send(())?;
            tokio::select! {
                () = self.0.notified() => panic::panic_any(ON_PURPOSE),
                () = ctx.stopped() => Ok(()),
            }
        }
    }
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let (go, (up, mut lives)) = (Arc::new(Notify::new()), mpsc::unbounded_channel());
        let (ends, begins) = (Arc::clone(&go), up.clone());
        let service = Child::service("service", move || Failing(Arc::clone(&ends), begins.clone()));
        let tree = root().child(service).start(&bus).await.unwrap();
        lives.recv().await.unwrap();
        repeat("service", cycles(20), async || {
            go.notify_one();
            lives.recv().await.unwrap();
        })
        .await;
        tree.shutdown().await.unwrap();

        let ends = Arc::clone(&go);
        let tree = root().future("future", move || {
            let (ends, up) = (Arc::clone(&ends), up.clone());
            async move {
                up.send(())?;
                ends.notified().await;
                Err(ON_PURPOSE.into())
            }
        });
        let tree = tree.start(&bus).await.unwrap();
        lives.recv().await.unwrap();
        repeat("future", cycles(20), async || {
            go.notify_one();
            lives.recv().await.unwrap();
        })
        .await;
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn processes_leave_no_file_and_no_zombie() {
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::new();
        let (tell, mut ends) = mpsc::unbounded_channel();
        let spec =
            ProcessSpec::new("/bin/sh").args(["-c", "echo out; echo err >&2; sleep 300 & read line; exit 3"]);
        // Its standard input is empty, so it ends at once, and leaves somebody behind.
        let tree = root().process("process", spec).on_event(move |_, notice| {
            if matches!(notice, Notice::Exited { .. }) {
                let _ = tell.send(());
            }
        });
        let before = Usage::now();
        let tree = tree.start(&bus).await.unwrap();
        for _ in 0..cycles(200) {
            ends.recv().await.unwrap();
        }
        tree.shutdown().await.unwrap();
        before.comes_back("process", cycles(200)).await;
    });
}

#[test]
fn killed_processes_are_reaped_before_a_shutdown_returns() {
    let _alone = alone();
    on_both_runtimes(async || {
        let mut at_once = 0;
        for _ in 0..10 {
            let bus = MessageBus::new();
            let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
            let spec = ProcessSpec::new("sh").args(["-c", script]).ready_line("ready");
            let child = |id: &str, shutdown| {
                Child::process(id, spec.clone()).restart(Restart::Temporary).shutdown(shutdown)
            };
            let late = Shutdown::Timeout(Duration::from_millis(50));
            let desk = Supervisor::builder("desk").child(child("late", late));
            let root = Supervisor::builder("root").child(child("brutal", Shutdown::BrutalKill));
            let tree = root.supervisor(desk).start(&bus).await.unwrap();
            assert!(child_processes() >= 2);
            assert!(tree.shutdown().await.is_err());
            // No child is left, not even as a zombie. A kill that takes longer than it may is not waited for:
            // it does where the machine holds up a thread.
            at_once += u32::from(child_processes() == 0);
            while child_processes() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(at_once > 5, "{at_once} of 10 shutdowns have waited for the processes");
    });
}

#[test]
fn a_tree_that_has_ended_after_many_crashes_leaves_nothing_behind() {
    let _alone = alone();
    on_both_runtimes(async || {
        repeat("a tree and its bus", cycles(200), async || {
            let bus = MessageBus::new();
            let tree = root().child(mortal("a")).child(mortal("b")).start(&bus).await.unwrap();
            for path in ["root/a", "root/b"] {
                let mortal = tree.lookup::<Mortal>(path).unwrap();
                mortal.tell(End::Panic).await.unwrap();
                assert_eq!(mortal.ask(WhichLife).await.unwrap(), 1);
            }
            tree.shutdown().await.unwrap();
        })
        .await;
    });
}

/// Remembers what it hears in all its lives, and crashes at every 97th of a sender.
struct Ledger(Arc<Mutex<Vec<Tick>>>);

const SENDERS: u64 = 4;
const EACH: u64 = 1_000;

fn is_poison(tick: Tick) -> bool {
    tick.0 % EACH % 97 == 96
}

impl Actor for Ledger {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Ledger {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        if is_poison(*tick) {
            panic::panic_any(ON_PURPOSE);
        }
        self.0.lock().unwrap().push(*tick);
        Ok(())
    }
}

#[test]
fn what_is_queued_for_an_actor_in_backoff_is_neither_lost_nor_doubled_nor_moved() {
    let _alone = alone();
    on_both_runtimes(async || {
        let bus = MessageBus::builder().topic_capacity(64).inbox_capacity(16).build();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ledger = Arc::clone(&heard);
        let backoff = Backoff { initial: Duration::from_millis(2), multiplier: 1.0, ..Backoff::default() };
        let child = Child::actor("ledger", move || Ledger(Arc::clone(&ledger))).backoff(backoff);
        let tree = root().child(child).start(&bus).await.unwrap();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let ticks = bus.publisher::<Tick>().unwrap();
                let ledger = tree.lookup::<Ledger>("root/ledger").unwrap();
                tokio::spawn(async move {
                    for number in 0..EACH {
                        let tick = Tick(sender * EACH + number);
                        match number % 3 {
                            0 => ledger.tell(tick).await.unwrap(),
                            _ => ticks.publish(tick).await.unwrap(),
                        }
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        let all = || (0..SENDERS * EACH).map(Tick);
        let poison = all().filter(|tick| is_poison(*tick)).count();
        let handled = usize::try_from(SENDERS * EACH).unwrap() - poison;
        while heard.lock().unwrap().len() < handled {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tree.shutdown().await.unwrap();
        let heard = heard.lock().unwrap();
        for sender in 0..SENDERS {
            let of = |tick: &Tick| tick.0 / EACH == sender;
            let heard: Vec<_> = heard.iter().copied().filter(of).collect();
            let sent: Vec<_> = all().filter(of).filter(|tick| !is_poison(*tick)).collect();
            assert_eq!(heard, sent, "each once and in order");
        }
        let dead = bus.dead_letters();
        assert_eq!((dead.in_hand, dead.waiting), (poison as u64, 0), "only those in hand at a crash");
    });
}
