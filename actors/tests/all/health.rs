//! Health probes of supervised children.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{
    Heard, Left, PERIOD, Right, Tick, WATCHDOG, ever_longer, observer, on_both_runtimes,
    with_ever_longer_limits,
};
use mycelium::tree::{Child, Health, Restart, Shutdown, Tree};
use mycelium::{
    Actor, ActorRef, BoxError, Context, DeadLetterCause, Handler, MessageBus, OwnThread, Responder, Service,
    ServiceContext, StopReason, Supervisor,
};

const SHORT: Duration = Duration::from_millis(50);

/// Adds up what it hears, and waits for ever at 13.
#[derive(Default)]
struct Worker {
    heard: u32,
}

impl Actor for Worker {
    type Error = BoxError;
}
impl Handler<u32> for Worker {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *number == 13 {
            pending::<()>().await;
        }
        self.heard += number;
        Ok(())
    }
}
struct Pause(Duration);
impl Handler<Pause> for Worker {
    async fn handle(&mut self, pause: &Pause, _: &mut Context<Self>) -> Result<(), BoxError> {
        tokio::time::sleep(pause.0).await;
        Ok(())
    }
}
/// Its handler waits until this has been written down.
struct Until(Heard, &'static str);
impl Handler<Until> for Worker {
    async fn handle(&mut self, until: &Until, _: &mut Context<Self>) -> Result<(), BoxError> {
        until.0.wait_for(until.1).await;
        Ok(())
    }
}
struct Sum;
impl Responder<Sum> for Worker {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        self.heard
    }
}

async fn probed(health: Health, bus: &MessageBus, log: &Heard) -> (Tree, ActorRef<Worker>) {
    let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(log));
    let tree = root.child(Child::actor("w", Worker::default).health(health)).start(bus).await.unwrap();
    let worker = tree.lookup("root/w").unwrap();
    (tree, worker)
}

#[test]
fn a_handler_that_never_returns_is_reported_with_its_message() {
    with_ever_longer_limits(async |limit| {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let (tree, worker) = probed(Health::within(limit), &bus, &log).await;
        worker.tell(1).await.unwrap();
        worker.tell(13).await.unwrap();
        let line = log.wait_for("stuck").await;
        assert_eq!(line, "stuck w: u32, whose handler waits");
        assert_eq!(log.words(), ["started w", &*line], "it is reported once and not touched");
        assert!(worker.is_alive());
        let missed = tree.shutdown_within(limit).await.unwrap_err().missed;
        assert_eq!(missed.iter().map(|path| &**path).collect::<Vec<_>>(), ["root/w"]);
    });
}

#[test]
fn a_stuck_handler_is_ended_and_its_actor_restarted_if_that_is_wanted() {
    with_ever_longer_limits(async |limit| {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let (tree, worker) = probed(Health::within(limit).restart(), &bus, &log).await;
        for number in [1, 13, 2, 3] {
            worker.tell(number).await.unwrap();
        }
        assert_eq!(worker.ask(Sum).await.unwrap(), 5, "what waited is handled by the next life");
        let exited = log.wait_for("exited w").await;
        assert!(exited.contains("stuck for") && exited.contains("u32, whose handler waits"), "{exited}");
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.waiting), (1, 0));
        assert_eq!(letters.recent[0].cause, DeadLetterCause::InHand { attempts: 1 });
        // The next life is probed as well.
        worker.tell(13).await.unwrap();
        worker.tell(7).await.unwrap();
        assert_eq!(worker.ask(Sum).await.unwrap(), 7);
        tree.shutdown().await.unwrap();
    });
}

/// Takes a moment to start, and what waits for it then is what its very first life hangs on.
struct Hasty(Worker);
impl Actor for Hasty {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.0.heard == 13 {
            ctx.actor_ref().try_tell(13)?;
        }
        tokio::time::sleep(SHORT / 2).await;
        Ok(())
    }
}
impl Handler<u32> for Hasty {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        pending().await
    }
}
impl Responder<Sum> for Hasty {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        self.0.heard
    }
}

#[test]
fn a_message_that_waits_for_the_first_life_of_an_actor_is_probed_too() {
    with_ever_longer_limits(async |limit| {
        let (bus, log, lives) = (MessageBus::new(), Heard::default(), AtomicU32::new(13));
        let child = Child::actor("w", move || Hasty(Worker { heard: lives.fetch_add(1, Ordering::SeqCst) }));
        let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log));
        let tree = root.child(child.health(Health::within(limit).restart())).start(&bus).await.unwrap();
        let worker = tree.lookup::<Hasty>("root/w").unwrap();
        assert_eq!(worker.ask(Sum).await.unwrap(), 14);
        let exited = log.wait_for("exited w").await;
        assert!(exited.contains("u32, whose handler waits"), "{exited}");
        tree.shutdown().await.unwrap();
    });
}

/// Keeps its thread until it was found stuck, and ends then.
struct Leaver(Heard);
impl Actor for Leaver {
    type Error = BoxError;
}
impl Handler<u32> for Leaver {
    async fn handle(&mut self, _: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.keep_until("stuck w");
        ctx.stop();
        Ok(())
    }
}

#[test]
fn an_actor_that_was_found_stuck_and_ends_by_itself_has_not_failed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let test = async {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let seen = log.clone();
        let child = Child::actor("w", move || Leaver(seen.clone())).restart(Restart::Transient);
        let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log));
        let tree = root.child(child.health(Health::within(SHORT).restart())).start(&bus).await.unwrap();
        let leaver = tree.lookup::<Leaver>("root/w").unwrap();
        leaver.tell(13).await.unwrap();
        log.wait_for("stuck w").await;
        assert_eq!(log.wait_for("exited w").await, "exited w: normal");
        tree.shutdown().await.unwrap();
        assert_eq!(log.words().iter().filter(|word| word.starts_with("started")).count(), 1);
    };
    runtime.block_on(async { tokio::time::timeout(WATCHDOG, test).await }).expect("the test hangs");
}

#[test]
fn slow_is_not_stuck_and_what_goes_on_has_recovered() {
    with_ever_longer_limits(async |limit| {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let (tree, worker) = probed(Health::within(limit), &bus, &log).await;
        // Each message ends well before the limit, all of them after it.
        for _ in 0..12 {
            worker.tell(Pause(limit / 8)).await.unwrap();
        }
        assert_eq!(worker.ask(Sum).await.unwrap(), 0);
        assert_eq!(log.words(), ["started w"]);
        worker.tell(Until(log.clone(), "stuck w: Until")).await.unwrap();
        log.wait_for("recovered w").await;
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn two_actors_that_wait_for_each_others_full_queues_are_reported() {
    with_ever_longer_limits(async |limit| {
        let (bus, log) = (MessageBus::builder().topic_capacity(8).build(), Heard::default());
        let root = Supervisor::builder("root").on_event(observer(&log));
        let root = root.child(Child::actor("left", || Left).health(Health::within(limit)));
        let root = root.child(Child::actor("right", || Right).health(Health::within(limit)));
        let tree = root.start(&bus).await.unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(1)).await.unwrap();
        assert_eq!(
            log.wait_for("stuck left").await,
            "stuck left: Tick from topic ticks, whose handler waits"
        );
        assert_eq!(
            log.wait_for("stuck right").await,
            "stuck right: Tock from topic tocks, whose handler waits"
        );
        assert_eq!(tree.shutdown_within(limit).await.unwrap_err().missed.len(), 2);
    });
}

#[test]
fn a_handler_that_keeps_its_thread_is_reported_and_cannot_be_ended() {
    struct Keeper;
    impl Actor for Keeper {
        type Error = BoxError;
    }
    impl Handler<Arc<std::sync::Barrier>> for Keeper {
        async fn handle(
            &mut self,
            barrier: &Arc<std::sync::Barrier>,
            _: &mut Context<Self>,
        ) -> Result<(), BoxError> {
            barrier.wait();
            Ok(())
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (bus, log, barrier) = (MessageBus::new(), Heard::default(), Arc::new(std::sync::Barrier::new(2)));
        let child = Child::actor("keeper", || Keeper).health(Health::within(SHORT).restart());
        let root = Supervisor::builder("root").on_event(observer(&log)).child(child);
        let tree = root.start(&bus).await.unwrap();
        let keeper = tree.lookup::<Keeper>("root/keeper").unwrap();
        keeper.tell(Arc::clone(&barrier)).await.unwrap();
        let line = log.wait_for("stuck keeper").await;
        assert!(line.ends_with("whose handler keeps its thread"), "{line}");
        assert!(keeper.is_alive());
        barrier.wait();
        log.wait_for("recovered keeper").await;
        tree.shutdown().await.unwrap();
    });
}

/// Says that it is alive for a while, then no more.
struct Heartbeat(Arc<AtomicU32>);
impl Service for Heartbeat {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10 {
            ctx.alive();
            ctx.sleep(SHORT / 5).await;
        }
        pending::<()>().await;
        Ok(())
    }
}

#[test]
fn a_service_without_a_heartbeat_is_restarted() {
    on_both_runtimes(|| async {
        let (bus, log, lives) = (MessageBus::new(), Heard::default(), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&lives);
        let child = Child::service("beat", move || Heartbeat(Arc::clone(&count)));
        let child = child.health(Health::within(SHORT * 2).restart()).shutdown(Shutdown::BrutalKill);
        let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log)).child(child);
        let tree = root.start(&bus).await.unwrap();
        while lives.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let exited = log.wait_for("exited beat").await;
        assert!(exited.contains("stuck for"), "{exited}");
        tree.shutdown().await.unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_process_is_ready_by_a_line_and_stuck_without_one() {
    use mycelium::tree::ProcessSpec;
    on_both_runtimes(|| async {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let script = "echo warming up; sleep 0.1; echo listening on 7; exec sleep 60";
        let spec = ProcessSpec::new("sh").args(["-c", script]).ready_line("listening");
        let child = Child::process("server", spec).health(Health::within(SHORT * 4));
        let root = Supervisor::builder("root").on_event(observer(&log)).child(child);
        let tree = root.actor("client", Worker::default).start(&bus).await.unwrap();
        // It may have been silent for too long by now.
        let (words, started) = (log.words(), |word: &&String| word.starts_with("started"));
        assert_eq!(words.iter().filter(started).collect::<Vec<_>>(), ["started server", "started client"]);
        log.wait_for("stuck server").await;
        tree.shutdown().await.unwrap();

        let spec = ProcessSpec::new("sh").args(["-c", "exec sleep 60"]).ready_line("listening");
        let child = Child::process("mute", spec).start_timeout(SHORT);
        let error = Supervisor::builder("root").child(child).start(&bus).await.unwrap_err();
        assert!(error.to_string().contains("not ready after 50ms"), "{error}");
    });
}

/// Fails at once, and its first life has not said its last words then.
struct Speechless(u32);
impl Actor for Speechless {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        if self.0 == 0 {
            pending::<()>().await;
        }
    }
}
impl Handler<u32> for Speechless {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}
impl Responder<Sum> for Speechless {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        self.0
    }
}

#[test]
fn last_words_that_never_end_are_cut_short_and_the_failure_stays_the_reason() {
    with_ever_longer_limits(async |limit| {
        let (bus, log, lives) = (MessageBus::new(), Heard::default(), AtomicU32::new(0));
        let child = Child::actor("w", move || Speechless(lives.fetch_add(1, Ordering::SeqCst)));
        let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log));
        let tree = root.child(child.health(Health::within(limit).restart())).start(&bus).await.unwrap();
        let worker = tree.lookup::<Speechless>("root/w").unwrap();
        worker.tell(1).await.unwrap();
        assert_eq!(worker.ask(Sum).await.unwrap(), 1);
        let stuck = log.wait_for("stuck w").await;
        assert_eq!(stuck, "stuck w: stopping, whose handler waits");
        log.wait_for("exited w: failed: told to").await;
        tree.shutdown().await.unwrap();
    });
}

/// Works for a while between any two signs of life, without ever waiting.
struct Busy {
    work: Duration,
    turns: Arc<AtomicU32>,
}
impl Service for Busy {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            ctx.alive();
            self.turns.fetch_add(1, Ordering::SeqCst);
            let begin = std::time::Instant::now();
            while begin.elapsed() < self.work {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
        }
    }
}

/// More of them than threads: each waits for its turn longer than its limit, and none is stuck. Also where
/// they run on a runtime that is not the supervisor's.
#[test]
fn who_waits_for_a_turn_is_not_stuck() {
    for (workers, apart) in [(1, false), (2, false), (1, true)] {
        ever_longer(|limit| {
            let mut busy = tokio::runtime::Builder::new_multi_thread();
            let busy = busy.worker_threads(workers).enable_all().build().unwrap();
            let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let builder = MessageBus::builder();
            let bus = if apart { builder.runtime(busy.handle().clone()) } else { builder }.build();
            let test = busy_ones_and_a_stuck_one(bus, limit);
            if apart { other.block_on(test) } else { busy.block_on(test) }
        });
    }
}

async fn busy_ones_and_a_stuck_one(bus: MessageBus, limit: Duration) {
    let (log, turns) = (Heard::default(), Arc::<AtomicU32>::default());
    let mut root = Supervisor::builder("root").intensity(1_000, PERIOD).on_event(observer(&log));
    for n in 0..10 {
        let turns = Arc::clone(&turns);
        // The others' turns take longer than the limit.
        let busy = move || Busy { work: limit / 4, turns: Arc::clone(&turns) };
        let child = Child::service(&*format!("busy-{n}"), busy).health(Health::within(limit));
        root = root.child(child.shutdown(Shutdown::BrutalKill));
    }
    // One that is stuck is found all the same.
    let child = Child::actor("w", Worker::default).health(Health::within(limit / 2));
    let tree = root.child(child).start(&bus).await.unwrap();
    tree.lookup::<Worker>("root/w").unwrap().tell(13).await.unwrap();
    log.wait_for("stuck w").await;
    while turns.load(Ordering::SeqCst) < 60 {
        tokio::time::sleep(limit / 4).await;
    }
    let false_alarms: Vec<_> =
        log.words().into_iter().filter(|word| word.starts_with("stuck busy")).collect();
    assert_eq!(false_alarms, [""; 0]);
    let _ = tree.shutdown_within(WATCHDOG).await;
}

/// Has a task on its own thread compute for so long, and waits for it.
struct Helped(Duration);
impl Actor for Helped {
    type Error = BoxError;
}
impl Responder<Sum> for Helped {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        let time = self.0;
        let helper = tokio::spawn(async move {
            std::thread::sleep(time);
            7
        });
        helper.await.unwrap()
    }
}

/// Keeps its own thread until it was found stuck, and says nothing meanwhile.
struct Silent(Heard);

impl Service for Silent {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.alive();
        self.0.keep_until("stuck silent");
        ctx.alive();
        ctx.stopped().await;
        Ok(())
    }
}

#[test]
fn a_service_that_keeps_its_own_thread_is_stuck() {
    on_both_runtimes(|| async {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let seen = log.clone();
        let child =
            Child::service("silent", move || Silent(seen.clone())).on_thread(OwnThread::new("silent"));
        let child = child.health(Health::within(SHORT * 2));
        let root = Supervisor::builder("root").on_event(observer(&log));
        let tree = root.child(child).start(&bus).await.unwrap();
        log.wait_for("stuck silent").await;
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn who_waits_for_a_task_that_keeps_their_own_thread_is_not_stuck() {
    with_ever_longer_limits(async |limit| {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let child = Child::actor("helped", move || Helped(limit * 5)).on_thread(OwnThread::new("helped"));
        let child = child.health(Health::within(limit));
        let root = Supervisor::builder("root").on_event(observer(&log));
        let tree = root.child(child).start(&bus).await.unwrap();
        assert_eq!(tree.lookup::<Helped>("root/helped").unwrap().ask(Sum).await, Ok(7));
        assert_eq!(log.words(), ["started helped"]);
        tree.shutdown().await.unwrap();
    });
}

/// Keeps its thread at 13, as an interpreter does, until it is told to give up.
#[derive(Default)]
struct Keeper {
    given_up: Arc<AtomicU32>,
    sum: u32,
}
impl Actor for Keeper {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let given_up = Arc::clone(&self.given_up);
        let looked_at = ctx.interrupted_by(move |why| {
            assert!(why.contains("u32, whose handler keeps its thread"), "{why}");
            given_up.fetch_add(1, Ordering::SeqCst);
        });
        assert!(looked_at);
        Ok(())
    }
}
impl Handler<u32> for Keeper {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *number == 13 {
            while self.given_up.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Err("it was given up".into());
        }
        self.sum += number;
        Ok(())
    }
}
impl Responder<Sum> for Keeper {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        self.sum
    }
}

#[test]
fn a_handler_that_keeps_its_thread_is_interrupted_once_and_its_actor_restarted() {
    with_ever_longer_limits(async |limit| {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log));
        let child = Child::actor("w", Keeper::default).on_thread(OwnThread::new("w"));
        let tree = root.child(child.health(Health::within(limit).restart())).start(&bus).await.unwrap();
        let keeper = tree.lookup::<Keeper>("root/w").unwrap();
        for _ in 0..2 {
            for number in [13, 4] {
                keeper.tell(number).await.unwrap();
            }
            assert_eq!(keeper.ask(Sum).await.unwrap(), 4, "what waited is handled by the next life");
        }
        assert_eq!(log.wait_for("exited w").await, "exited w: failed: it was given up");
        assert_eq!(bus.dead_letters().in_hand, 2);
        tree.shutdown().await.unwrap();
        // Without a probe nobody would call it.
        let lonely = bus.spawn(Unseen).unwrap();
        assert!(!lonely.ask(Sum).await.unwrap());
    });
}

struct Unseen;
impl Actor for Unseen {
    type Error = BoxError;
}
impl Responder<Sum> for Unseen {
    type Reply = bool;
    async fn answer(&mut self, _: &Sum, ctx: &mut Context<Self>) -> bool {
        ctx.interrupted_by(|_| {})
    }
}
