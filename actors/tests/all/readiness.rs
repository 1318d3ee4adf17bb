//! When a supervised child counts as started, and what becomes of one whose start takes too long.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{Heard, PERIOD, observer, on_both_runtimes};
use mycelium::tree::{Child, Shutdown, StartError};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, Responder, Service, ServiceContext, StopReason, Supervisor,
};

const SHORT: Duration = Duration::from_millis(50);

/// Starts at once.
#[derive(Default)]
struct Worker;
impl Actor for Worker {
    type Error = BoxError;
}

/// Which of its lives an actor is in.
struct Life;
impl Responder<Life> for Worker {
    type Reply = u32;
    async fn answer(&mut self, _: &Life, _: &mut Context<Self>) -> u32 {
        0
    }
}

/// Says that it is ready once it is let go.
struct Gate(Arc<tokio::sync::Notify>);
impl Service for Gate {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.notified().await;
        ctx.ready();
        ctx.ready();
        ctx.stopped().await;
        Ok(())
    }
}

#[test]
fn a_service_that_is_not_ready_holds_up_those_after_it_until_it_says_so() {
    on_both_runtimes(|| async {
        let (bus, log, gate) = (MessageBus::new(), Heard::default(), Arc::new(tokio::sync::Notify::new()));
        let open = Arc::clone(&gate);
        let root = Supervisor::builder("root").on_event(observer(&log));
        let root = root.child(Child::service("gate", move || Gate(Arc::clone(&open))).ready_when_told());
        let start = root.actor("after", || Worker).start(&bus);
        tokio::pin!(start);
        tokio::select! {
            biased;
            _ = &mut start => panic!("the gate is not ready"),
            () = tokio::time::sleep(SHORT) => {}
        }
        assert_eq!(log.words(), [""; 0]);
        gate.notify_one();
        let tree = start.await.unwrap();
        assert_eq!(log.words(), ["started gate", "started after"]);
        tree.shutdown().await.unwrap();
    });
}

/// Its `started` never returns, in the lives that `stuck` counts down.
struct Sleeper {
    stuck: Arc<AtomicU32>,
}
impl Actor for Sleeper {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        let left = self.stuck.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            pending::<()>().await;
        }
        Ok(())
    }
}
impl Handler<u32> for Sleeper {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(*number, 13);
        Ok(())
    }
}
impl Responder<Life> for Sleeper {
    type Reply = u32;
    async fn answer(&mut self, _: &Life, _: &mut Context<Self>) -> u32 {
        1
    }
}

fn sleeper(lives: u32) -> (Arc<AtomicU32>, Child) {
    let stuck = Arc::new(AtomicU32::new(lives));
    let shared = Arc::clone(&stuck);
    let child = Child::actor("sleeper", move || Sleeper { stuck: Arc::clone(&shared) });
    (stuck, child.start_timeout(SHORT))
}

#[test]
fn a_start_that_takes_too_long_has_failed_and_is_rolled_back() {
    on_both_runtimes(|| async {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let root = Supervisor::builder("root").on_event(observer(&log)).actor("before", || Worker);
        let error = root.child(sleeper(1).1).start(&bus).await.unwrap_err();
        assert!(matches!(&error, StartError::Failed(_)), "{error}");
        let lines = log.words();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], "started before");
        assert!(
            lines[1].starts_with("start_failed sleeper: ") && lines[1].contains("not ready after 50ms"),
            "{lines:?}"
        );
        assert_eq!(lines[2], "stopped before");
        while bus.alive() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_service_that_is_never_ready_and_a_supervisor_can_time_out_too() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let service = Child::service("gate", || Gate(Arc::default())).ready_when_told().start_timeout(SHORT);
        let error = Supervisor::builder("root").child(service).start(&bus).await.unwrap_err();
        assert!(error.to_string().contains("not ready after 50ms"), "{error}");

        let inner = Supervisor::builder("inner").child(sleeper(1).1.start_timeout(PERIOD));
        let inner = Child::supervisor(inner).start_timeout(SHORT);
        let error = Supervisor::builder("root").child(inner).start(&bus).await.unwrap_err();
        assert!(error.to_string().contains("not ready after 50ms"), "{error}");
    });
}

#[test]
fn a_tree_whose_child_hangs_in_a_restart_answers_and_shuts_down() {
    on_both_runtimes(|| async {
        let (bus, log) = (MessageBus::new(), Heard::default());
        let (stuck, child) = sleeper(0);
        let child = child.start_timeout(PERIOD).shutdown(Shutdown::Timeout(SHORT));
        let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log));
        let tree = root.actor("other", || Worker).child(child).start(&bus).await.unwrap();
        stuck.store(1, Ordering::SeqCst);
        tree.lookup::<Sleeper>("root/sleeper").unwrap().tell(13).await.unwrap();
        log.wait_for("exited sleeper").await;
        // Its next life hangs when it has begun.
        while stuck.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let other = tree.lookup::<Worker>("root/other").unwrap();
        assert_eq!(other.ask(Life).await.unwrap(), 0);
        let missed = tree.shutdown().await.unwrap_err().missed;
        assert_eq!(missed.iter().map(|path| &**path).collect::<Vec<_>>(), ["root/sleeper"]);
    });
}

/// Says that it is ready in all lives but the second, which rests without a word.
struct Silent {
    life: u32,
    log: Heard,
}
impl Actor for Silent {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.life != 1 {
            ctx.ready();
        }
        Ok(())
    }
    async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
        self.log.add(format!("{} {reason}", self.life));
    }
}
impl Handler<u32> for Silent {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(*number, 13);
        Ok(())
    }
}
impl Responder<Life> for Silent {
    type Reply = u32;
    async fn answer(&mut self, _: &Life, _: &mut Context<Self>) -> u32 {
        self.life
    }
}

#[test]
fn an_actor_that_rests_and_never_says_that_it_is_ready_keeps_its_mailbox() {
    on_both_runtimes(|| async {
        let (log, tree) = loop {
            let (bus, log, lives) = (MessageBus::new(), Heard::default(), AtomicU32::new(0));
            let words = log.clone();
            let make = move || Silent { life: lives.fetch_add(1, Ordering::SeqCst), log: words.clone() };
            let child = Child::actor("silent", make).ready_when_told().start_timeout(SHORT);
            let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(&log));
            // It fails where the machine is held up for longer than that.
            if let Ok(tree) = root.child(child).start(&bus).await {
                break (log, tree);
            }
        };
        let silent = tree.lookup::<Silent>("root/silent").unwrap();
        silent.tell(13).await.unwrap();
        log.wait_for("start_failed silent: not ready after 50ms").await;
        // The next one, unless that was held up too.
        assert!(silent.ask(Life).await.unwrap() >= 2);
        assert_eq!(log.words().iter().filter(|word| word.starts_with("1 ")).count(), 1, "it took its leave");
        tree.shutdown().await.unwrap();
    });
}
