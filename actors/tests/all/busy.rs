//! What reaches a supervisor while it is busy starting or stopping a child: live, and in an isolate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{Heard, PERIOD, at_ms, at_once, observer, on_both_runtimes};
use mycelium::tree::{Builder, CallError, Child, ChildStatus, Shutdown, Strategy};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, Service, ServiceContext, StopReason, Supervisor,
};
use tokio::sync::Semaphore;

/// Fails when it is told anything.
struct Frail;
impl Actor for Frail {
    type Error = BoxError;
}
impl Handler<u32> for Frail {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("it breaks".into())
    }
}

/// Each start but the first, and each stop, waits until somebody lets it go on.
struct Slow {
    life: u32,
    starts: Arc<Semaphore>,
    stops: Arc<Semaphore>,
}
impl Service for Slow {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        if self.life > 0 {
            tokio::select! {
                permit = self.starts.acquire() => permit?.forget(),
                () = ctx.stopped() => return Ok(()),
            }
        }
        ctx.ready();
        ctx.stopped().await;
        self.stops.acquire().await?.forget();
        Ok(())
    }
}

fn gates() -> (Arc<Semaphore>, Arc<Semaphore>) {
    (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)))
}

fn slow(starts: &Arc<Semaphore>, stops: &Arc<Semaphore>) -> Child {
    let (starts, stops, lives) = (Arc::clone(starts), Arc::clone(stops), AtomicU32::new(0));
    let make = move || {
        let life = lives.fetch_add(1, Ordering::SeqCst);
        Slow { life, starts: Arc::clone(&starts), stops: Arc::clone(&stops) }
    };
    Child::service("slow", make).ready_when_told().shutdown(Shutdown::Infinity)
}

/// A group of two that break and one that takes its time.
fn group(slow: Child) -> Builder {
    let root = Supervisor::builder("root").strategy(Strategy::OneForAll).intensity(9, PERIOD);
    root.actor("b", || Frail).actor("d", || Frail).child(slow)
}

/// Waits until this was said so many times.
async fn said(log: &Heard, word: &str, times: usize) {
    while log.words().iter().filter(|said| said.starts_with(word)).count() < times {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An exit once kept the place of its child in the order, so that the next death of that child overtook a
/// call.
#[test]
fn a_call_is_answered_before_an_exit_that_comes_after_it() {
    on_both_runtimes(|| async {
        let (bus, log, (starts, stops)) = (MessageBus::new(), Heard::default(), gates());
        let root = group(slow(&starts, &stops)).on_event(observer(&log));
        let tree = root.start(&bus).await.unwrap();
        let frail = |path: &str| tree.lookup::<Frail>(path).unwrap();
        frail("root/d").tell(1).await.unwrap();
        said(&log, "exited d", 1).await;
        // It is stopping `slow`; the restart of the group settles this one too.
        frail("root/b").tell(1).await.unwrap();
        said(&log, "exited b", 1).await;
        stops.add_permits(1);
        said(&log, "started d", 2).await;
        // It is starting `slow`. A call comes, then b breaks once more.
        let call = tree.terminate_child("root/b");
        tokio::pin!(call);
        tokio::select! {
            biased;
            _ = &mut call => panic!("it is busy"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        frail("root/b").tell(1).await.unwrap();
        said(&log, "exited b", 2).await;
        let before = log.words().len();
        starts.add_permits(1);
        call.await.unwrap();
        let children = tree.which_children("root").await.unwrap();
        assert_eq!(children[2].status, ChildStatus::Down, "{children:?}");
        assert_eq!(log.words()[before..], ["started slow"], "no exit has overtaken the call");
        stops.add_permits(1);
        tree.shutdown().await.unwrap();
    });
}

/// OTP carries out the restart of a group that is under way, and then stops what it has started. Live,
/// whoever is told to end starts nothing any more: neither what comes next of the group, nor does it wait for
/// a start that is slow.
#[test]
fn a_supervisor_that_is_told_to_end_starts_nothing_more() {
    on_both_runtimes(|| async {
        for meanwhile_starts in [false, true] {
            let (bus, log, (starts, stops)) = (MessageBus::new(), Heard::default(), gates());
            let root = group(slow(&starts, &stops)).on_event(observer(&log));
            let tree = root.start(&bus).await.unwrap();
            tree.lookup::<Frail>("root/d").unwrap().tell(1).await.unwrap();
            said(&log, "exited d", 1).await;
            if meanwhile_starts {
                stops.add_permits(1);
                said(&log, "started d", 2).await;
            }
            let end = tree.shutdown();
            tokio::pin!(end);
            if !meanwhile_starts {
                tokio::select! {
                    biased;
                    _ = &mut end => panic!("it waits for `slow`"),
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
                stops.add_permits(1);
            }
            end.await.unwrap();
            let count = |word: &str| log.words().iter().filter(|said| said.starts_with(word)).count();
            let words = log.words();
            assert_eq!(count("started slow"), 1, "{words:?}");
            assert_eq!(count("started b"), 1 + usize::from(meanwhile_starts), "{words:?}");
            assert_eq!(bus.alive(), 0);
        }
    });
}

/// Calls and the end of a supervisor have one order: those that came before are carried out and answered,
/// those after are refused.
#[test]
fn calls_that_came_before_a_shutdown_are_answered_as_otp_does() {
    on_both_runtimes(|| async {
        for stopping in [false, true] {
            let (bus, log, (starts, stops)) = (MessageBus::new(), Heard::default(), gates());
            let root = group(slow(&starts, &stops)).on_event(observer(&log));
            let tree = root.start(&bus).await.unwrap();
            // A supervisor that stops a child for one call has others wait behind it.
            let mut first = std::pin::pin!(tree.terminate_child("root/slow"));
            if stopping {
                tokio::select! {
                    biased;
                    _ = &mut first => panic!("it waits for `slow`"),
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
            let rest = async {
                let second = tree.terminate_child("root/b");
                let third = tree.restart_child("root/b");
                let end = async {
                    stops.add_permits(1);
                    tree.shutdown().await
                };
                let late = tree.which_children("root");
                tokio::join!(biased; second, third, end, late)
            };
            let (first, (second, third, end, late)) = tokio::join!(biased; first, rest);
            assert_eq!((first, second, end), (Ok(()), Ok(()), Ok(())));
            // It starts nothing any more once it is told to end, and that is what a live tree differs in.
            assert!(matches!(third, Ok(()) | Err(CallError::Refused(_))), "{third:?}");
            assert!(late.is_err(), "{late:?}");
            assert_eq!(bus.alive(), 0);
        }
    });
}

/// Takes 100 ms to stop, in virtual time.
struct Heavy;
impl Actor for Heavy {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        ctx.sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn in_an_isolate_a_call_finds_what_has_not_had_its_turn() {
    let mut isolate = Isolate::new(1);
    let log = Heard::default();
    let root = Supervisor::builder("root").on_event(observer(&log));
    let root = root.actor("a", || Frail).child(Child::actor("heavy", || Heavy));
    let tree = isolate.supervise(&root).unwrap();
    assert_eq!(at_once(tree.terminate_child("root/heavy")), None);
    assert_eq!(at_once(tree.delete_child("root/a")), None);
    assert_eq!(at_once(tree.terminate_child("root/a")), None);
    isolate.tell(&tree.lookup::<Frail>("root/a").unwrap(), 1).unwrap();
    isolate.run_until(at_ms(50)).unwrap();
    assert_eq!(log.take()[2..], ["exited a: failed: it breaks"]);
    isolate.run().unwrap();
    // Both calls came before its exit: it was not deleted, since it had a life, and then was terminated.
    assert_eq!(log.take(), ["stopped heavy"]);
    let children = isolate.block_on(tree.which_children("root")).unwrap().unwrap();
    assert_eq!(children[1].status, ChildStatus::Down);
}
