//! Runtimes that are not the caller's, are gone, or end: what a bus says of them, and that nobody waits for
//! ever.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::common::{Flush, Log, WATCHDOG};
use mycelium::pool::Pool;
use mycelium::tree::Tree;
use mycelium::{
    Actor, AskError, BoxError, Context, MessageBus, OwnThread, Responder, Service, ServiceContext,
    SpawnError, Supervisor,
};
use tokio::runtime::{Builder, Runtime};

/// Wakes the thread that waits.
struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread, without a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// One of each kind that has ended.
fn ended_runtimes() -> [tokio::runtime::Handle; 3] {
    let current = Builder::new_current_thread().enable_all().build().unwrap();
    [current, runtime(1), runtime(2)].map(|runtime| {
        let handle = runtime.handle().clone();
        drop(runtime);
        handle
    })
}

/// Never answers.
#[derive(Clone, Default)]
struct Mute {
    was_asked: Arc<AtomicBool>,
}
impl Actor for Mute {
    type Error = BoxError;
}
impl Responder<Flush> for Mute {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {
        self.was_asked.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
}

struct Idle;
impl Service for Idle {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        Ok(())
    }
}

#[test]
fn who_is_outside_of_tokio_may_ask_with_a_limit() {
    let runtime = runtime(1);
    let bus = MessageBus::builder().runtime(runtime.handle().clone()).build();
    let (log, mute) = (bus.spawn(Log::default()).unwrap(), bus.spawn(Mute::default()).unwrap());
    let limit = Duration::from_secs(3600);
    assert_eq!(block_on(log.ask_within(Flush, limit)), Ok(vec![]));
    assert!(matches!(block_on(mute.ask_within(Flush, Duration::from_millis(5))), Err(AskError::Timeout(_))));
    assert!(matches!(block_on(mute.ask_within(Flush, Duration::ZERO)), Err(AskError::Timeout(_))));
    // A caller that waits beyond the end of the runtime hears of the actor's end, not of the timer's.
    let waiting = thread::spawn({
        let mute = mute.clone();
        move || block_on(mute.ask_within(Flush, limit))
    });
    thread::sleep(Duration::from_millis(5));
    drop(runtime);
    assert!(matches!(waiting.join().unwrap(), Err(AskError::Stopped(_))));
    assert!(matches!(block_on(log.ask_within(Flush, limit)), Err(AskError::Stopped(_))));
}

/// Keeps its thread until the test lets it go on.
struct Computes(Arc<AtomicBool>, std::sync::mpsc::Receiver<()>);
impl Actor for Computes {
    type Error = BoxError;
}
impl Responder<Flush> for Computes {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {
        self.0.store(true, Ordering::SeqCst);
        let _ = self.1.recv();
    }
}

#[test]
fn an_ask_from_outside_of_tokio_has_its_limit_while_the_actor_keeps_its_thread() {
    let (bus, has_begun) = (MessageBus::new(), Arc::new(AtomicBool::new(false)));
    let (ends, end) = std::sync::mpsc::channel();
    let actor =
        bus.spawn_on_thread(OwnThread::new("computes"), Computes(Arc::clone(&has_begun), end)).unwrap();
    for _ in 0..2 {
        // A hang is the failure: nobody lets it go on.
        let asked = block_on(actor.ask_within(Flush, Duration::from_millis(50)));
        assert!(matches!(asked, Err(AskError::Timeout(_))));
    }
    assert!(has_begun.load(Ordering::SeqCst));
    drop(ends);
}

#[test]
fn an_ask_of_a_pool_has_its_limit_when_the_thread_of_a_worker_has_gone() {
    let runtime = runtime(1);
    let bus = MessageBus::builder().runtime(runtime.handle().clone()).build();
    let workers = Pool::new(Mute::default).workers(2).each(|child| child.on_thread(OwnThread::new("mute")));
    let root = Supervisor::builder("root").supervisor(workers.supervisor("pool"));
    let tree = runtime.block_on(root.start(&bus)).unwrap();
    let pool = tree.lookup_pool::<Mute>("root/pool").unwrap();
    runtime.block_on(tree.terminate_child("root/pool/worker-1")).unwrap();
    let limit = Duration::from_millis(5);
    // Its thread may end while the first of them waits, and has gone when the last one does.
    for _ in 0..5 {
        assert!(matches!(block_on(pool.ask_within(Flush, limit)), Err(AskError::Timeout(_))));
    }
}

#[test]
fn who_is_outside_of_tokio_may_end_a_bus_and_its_trees() {
    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(5);
    let ends = |waits: bool, end: fn(&MessageBus, &Tree) -> bool| {
        for own in [false, true] {
            let runtime = runtime(1);
            let bus = match own {
                true => MessageBus::builder().runtime(runtime.handle().clone()).build(),
                false => MessageBus::new(),
            };
            let mute = Mute::default();
            let actor = mute.clone();
            let root =
                Supervisor::builder("root").actor("mute", move || actor.clone()).service("idle", || Idle);
            let tree = runtime.block_on(root.start(&bus)).unwrap();
            let asked = tree.lookup::<Mute>("root/mute").unwrap();
            let asking = waits.then(|| runtime.spawn(async move { asked.ask(Flush).await }));
            while waits && !mute.was_asked.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(end(&bus, &tree), !waits);
            // What is killed has gone when it has had its turn, which may come late on a busy machine.
            let begun = std::time::Instant::now();
            while waits && bus.alive() > 0 && begun.elapsed() < WATCHDOG {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(bus.alive(), 0);
            drop(asking);
        }
    };
    ends(false, |bus, _| block_on(bus.shutdown()).is_ok());
    ends(false, |bus, _| block_on(bus.shutdown_within(LONG)).is_ok());
    ends(true, |bus, _| block_on(bus.shutdown_within(SHORT)).is_ok());
    ends(false, |_, tree| block_on(tree.shutdown()).is_ok());
    ends(false, |_, tree| block_on(tree.shutdown_within(LONG)).is_ok());
    ends(true, |_, tree| block_on(tree.shutdown_within(SHORT)).is_ok());
    ends(false, |_, tree| block_on(tree.drain(LONG)).is_ok());
    ends(true, |_, tree| block_on(tree.drain(SHORT)).is_ok());
    // One on which nobody ever was.
    block_on(MessageBus::new().shutdown()).unwrap();
}

#[test]
fn nothing_is_spawned_on_a_runtime_that_has_ended() {
    for ended in ended_runtimes() {
        let bus = MessageBus::builder().runtime(ended).build();
        let refused = [
            bus.spawn(Log::default()).map(drop),
            bus.spawn_named("log", Log::default()).map(drop),
            bus.spawn_service(Idle).map(drop),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert!(error.to_string().contains("runtime"), "{error}");
            assert_ne!(error, SpawnError::NoRuntime, "there is one, and it has ended");
        }
        assert_eq!(bus.alive(), 0);
        assert!(bus.lookup::<Log>("log").is_none());
        assert_eq!(bus.dead_letters().waiting, 0);
        // The supervisor runs here, its children would there.
        let here = runtime(1);
        let start = here.block_on(Supervisor::builder("root").actor("log", Log::default).start(&bus));
        assert!(start.unwrap_err().to_string().contains("runtime"));
        let start = here.block_on(Supervisor::builder("root").service("idle", || Idle).start(&bus));
        assert!(start.unwrap_err().to_string().contains("runtime"));
    }
}

#[test]
fn no_tree_starts_on_a_runtime_that_has_ended() {
    for ended in ended_runtimes() {
        let _entered = ended.enter();
        let bus = MessageBus::new();
        let error = block_on(Supervisor::builder("root").actor("log", Log::default).start(&bus)).unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
        assert_eq!(bus.alive(), 0);
    }
}

#[test]
fn without_a_runtime_every_way_to_spawn_says_so() {
    let bus = MessageBus::new();
    assert_eq!(bus.spawn(Log::default()).unwrap_err(), SpawnError::NoRuntime);
    assert_eq!(bus.spawn_service(Idle).unwrap_err(), SpawnError::NoRuntime);
    let start = block_on(Supervisor::builder("root").actor("log", Log::default).start(&bus));
    assert!(start.unwrap_err().to_string().contains("runtime"));
}

/// Tries to spawn others when it is dropped.
struct Heir {
    bus: MessageBus,
    refused: Arc<Mutex<Vec<SpawnError>>>,
}
impl Actor for Heir {
    type Error = BoxError;
}
impl Drop for Heir {
    fn drop(&mut self) {
        let tries = [self.bus.spawn(Log::default()).map(drop), self.bus.spawn_service(Idle).map(drop)];
        self.refused.lock().unwrap().extend(tries.into_iter().filter_map(Result::err));
    }
}

#[test]
fn what_is_spawned_while_its_runtime_ends_is_refused_too() {
    for workers in [0, 1, 2] {
        let runtime = match workers {
            0 => Builder::new_current_thread().enable_all().build().unwrap(),
            workers => runtime(workers),
        };
        let (bus, refused) = (MessageBus::new(), Arc::default());
        let heir = Heir { bus: bus.clone(), refused: Arc::clone(&refused) };
        let heir = runtime.block_on(async { bus.spawn(heir).unwrap() });
        drop(runtime);
        assert!(!heir.is_alive());
        assert_eq!(refused.lock().unwrap().len(), 2, "{workers} workers");
        assert_eq!(bus.alive(), 0);
    }
}

/// Whoever spawns may have used up what its task may do in one turn.
#[test]
fn a_runtime_that_has_ended_is_seen_by_a_task_without_any_budget_left() {
    for ended in ended_runtimes() {
        runtime(1).block_on(async {
            tokio::spawn(async move {
                let bus = MessageBus::builder().runtime(ended).build();
                while tokio::task::coop::has_budget_remaining() {
                    tokio::task::coop::consume_budget().await;
                }
                let spawned = bus.spawn(Mute::default());
                assert!(matches!(spawned, Err(SpawnError::RuntimeEnded)));
            })
            .await
            .unwrap();
        });
    }
}
