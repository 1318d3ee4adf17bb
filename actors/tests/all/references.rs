//! Which references and mailboxes outlive what: a test for each line of the table in docs/supervision.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{PERIOD, Tick, on_both_runtimes, with_ever_longer_limits};
use mycelium::tree::{Backoff, Builder, Child, Health, Notice, Restart, Shutdown, Strategy};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, MessageBus, Responder, StopReason, Subscriptions,
    Supervisor, Tree,
};

/// Counts ticks and what it is told; fails at 13, hangs at 14, and in its start as often as `failing` says.
#[derive(Clone, Default)]
struct Counter {
    count: u32,
    failing: Arc<AtomicU32>,
    hangs: Arc<AtomicBool>,
}

impl Actor for Counter {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        let failing =
            self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        failing.map_or(Ok(()), |_| Err("not yet".into()))
    }
}

impl Handler<Tick> for Counter {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.count += tick.0 as u32;
        Ok(())
    }
}

impl Handler<u32> for Counter {
    async fn handle(&mut self, number: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match number {
            13 => panic!("an unlucky number"),
            14 => {
                self.hangs.store(true, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            15 => ctx.stop(),
            _ => self.count += number,
        }
        Ok(())
    }
}

struct Count;
impl Responder<Count> for Counter {
    type Reply = u32;
    async fn answer(&mut self, _: &Count, _: &mut Context<Self>) -> u32 {
        self.count
    }
}

fn counter(id: &'static str) -> Child {
    Child::actor(id, Counter::default)
}

fn counter_of(tree: &Tree, path: &str) -> ActorRef<Counter> {
    tree.lookup(path).unwrap_or_else(|| panic!("{path} is there"))
}

/// A supervisor that allows no restart, with `a` and `b` below it.
fn strict(strategy: Strategy) -> Builder {
    let strict = Supervisor::builder("desk").strategy(strategy).intensity(0, PERIOD);
    strict.child(counter("a")).child(counter("b"))
}

fn root() -> Builder {
    Supervisor::builder("root").intensity(20, PERIOD)
}

/// The references work and what was sent to them in between is there.
async fn live_on(references: &[&ActorRef<Counter>]) {
    for reference in references {
        reference.tell(7).await.unwrap();
        assert_eq!(reference.ask(Count).await.unwrap(), 7, "a new life that has what was sent to it");
    }
}

#[test]
fn a_restart_of_the_actor_and_of_its_group() {
    with_ever_longer_limits(async |limit| {
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            let bus = MessageBus::new();
            let stuck = Health::within(limit * 2).restart();
            let tree = root().strategy(strategy).child(counter("a").health(stuck)).child(counter("b"));
            let tree = tree.start(&bus).await.unwrap();
            let [a, b] = ["root/a", "root/b"].map(|path| counter_of(&tree, path));
            for end in [13, 14, 15] {
                a.tell(end).await.unwrap();
                assert_eq!(a.ask(Count).await.unwrap(), 0);
            }
            live_on(&[&a]).await;
            assert!(b.is_alive() && b.ask(Count).await.is_ok());
            assert_eq!(counter_of(&tree, "root/a").id(), a.id());
            tree.shutdown().await.unwrap();
        }
    });
}

#[test]
fn a_restart_of_the_supervisor_above() {
    on_both_runtimes(|| async {
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            let (bus, gave_up) = (MessageBus::new(), Arc::new(AtomicU32::new(0)));
            let seen = Arc::clone(&gave_up);
            let tree = root().supervisor(strict(strategy)).on_event(move |_, notice| {
                seen.fetch_add(u32::from(matches!(notice, Notice::GaveUp { .. })), Ordering::SeqCst);
            });
            let tree = tree.start(&bus).await.unwrap();
            let [a, b] = ["root/desk/a", "root/desk/b"].map(|path| counter_of(&tree, path));
            let (alive, ticks) = (bus.alive(), bus.publisher::<Tick>().unwrap());
            for round in 1..=5 {
                a.tell(13).await.unwrap();
                ticks.publish(Tick(3)).await.unwrap();
                a.tell(4).await.unwrap();
                assert_eq!(
                    a.ask(Count).await.unwrap(),
                    7,
                    "the one that failed, with its mailbox and topics"
                );
                while gave_up.load(Ordering::SeqCst) < round {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                // Its sibling was restarted with it, before or after the tick.
                assert!(matches!(b.ask(Count).await, Ok(0 | 3)));
            }
            assert_eq!(bus.alive(), alive);
            assert_eq!((counter_of(&tree, "root/desk/a").id(), bus.dead_letters().waiting), (a.id(), 0));
            tree.shutdown().await.unwrap();
            assert_eq!([a.ended().await, b.ended().await], [StopReason::Shutdown, StopReason::Shutdown]);
            assert_eq!(bus.alive(), 0);
        }
    });
}

#[test]
fn a_restart_of_supervisors_further_above() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        // The failure of `a` ends desk and floor; the restart of floor is one of the whole group with
        // `other`.
        let floor = Supervisor::builder("floor").intensity(0, PERIOD).supervisor(strict(Strategy::OneForOne));
        let other = Supervisor::builder("other").child(counter("c"));
        let tree = root().strategy(Strategy::OneForAll).supervisor(floor).supervisor(other);
        let tree = tree.start(&bus).await.unwrap();
        let paths = ["root/floor/desk/a", "root/floor/desk/b", "root/other/c"];
        let [a, b, c] = paths.map(|path| counter_of(&tree, path));
        c.tell(100).await.unwrap();
        assert_eq!(c.ask(Count).await.unwrap(), 100);
        a.tell(13).await.unwrap();
        while !matches!(c.ask(Count).await, Ok(0)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        live_on(&[&a, &b, &c]).await;
        tree.shutdown().await.unwrap();
        assert_eq!(bus.alive(), 0);
    });
}

#[test]
fn a_supervisor_that_waits_in_its_backoff_or_does_not_start_at_once() {
    on_both_runtimes(|| async {
        let (bus, failing) = (MessageBus::new(), Arc::new(AtomicU32::new(0)));
        let pause = Duration::from_millis(20);
        let backoff = Backoff { initial: pause, cap: pause, ..Backoff::default() };
        let last = Counter { failing: Arc::clone(&failing), ..Counter::default() };
        let desk = strict(Strategy::OneForOne).child(Child::actor("last", move || last.clone()));
        let starts = Arc::new(AtomicU32::new(0));
        let started = Arc::clone(&starts);
        let tree = root()
            .child(Child::supervisor(desk).backoff(backoff))
            .on_event(move |path, notice| {
                let desk = path == "root" && matches!(notice, Notice::Started { .. });
                started.fetch_add(u32::from(desk), Ordering::SeqCst);
            })
            .start(&bus)
            .await
            .unwrap();
        let paths = ["root/desk/a", "root/desk/b", "root/desk/last"];
        let [a, b, last] = paths.map(|path| counter_of(&tree, path));
        // Three starts fail half-way, and are rolled back.
        failing.store(3, Ordering::SeqCst);
        a.tell(13).await.unwrap();
        // A message before the fourth start is handled by a life that is rolled back, if it is handled then.
        while starts.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(failing.load(Ordering::SeqCst), 0);
        live_on(&[&a, &b, &last]).await;
        tree.shutdown().await.unwrap();
        assert_eq!(bus.alive(), 0);
    });
}

#[test]
fn a_supervisor_that_is_not_restarted() {
    on_both_runtimes(|| async {
        for restart in [Restart::Transient, Restart::Temporary] {
            let bus = MessageBus::new();
            let desk = Child::supervisor(strict(Strategy::OneForOne)).restart(restart);
            let tree = root().child(desk).child(counter("c")).start(&bus).await.unwrap();
            let [a, b, c] = ["root/desk/a", "root/desk/b", "root/c"].map(|path| counter_of(&tree, path));
            a.tell(13).await.unwrap();
            assert!(matches!(a.ended().await, StopReason::Panicked(_)));
            assert_eq!(b.ended().await, StopReason::Shutdown);
            live_on(&[&c]).await;
            tree.shutdown().await.unwrap();
            assert_eq!(bus.alive(), 0);
        }
    });
}

#[test]
fn terminate_child_and_restart_child() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let tree =
            root().child(counter("c")).supervisor(strict(Strategy::OneForAll)).start(&bus).await.unwrap();
        for (call, path) in
            [("root/c", "root/c"), ("root/desk/b", "root/desk/b"), ("root/desk", "root/desk/a")]
        {
            let old = counter_of(&tree, path);
            tree.terminate_child(call).await.unwrap();
            assert_eq!(old.ended().await, StopReason::Shutdown, "{path}");
            assert!(old.try_tell(1).is_err(), "nobody waits for one that may never come back");
            tree.restart_child(call).await.unwrap();
            let new = counter_of(&tree, path);
            assert_ne!(new.id(), old.id());
            live_on(&[&new]).await;
        }
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_kill_of_the_actor_or_of_the_supervisor_above() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let brutal = Child::supervisor(strict(Strategy::OneForOne)).shutdown(Shutdown::BrutalKill);
        let tree = root().strategy(Strategy::OneForAll).child(counter("c")).child(brutal);
        let tree = tree.start(&bus).await.unwrap();
        let [a, c] = ["root/desk/a", "root/c"].map(|path| counter_of(&tree, path));
        c.kill();
        assert_eq!([c.ended().await, a.ended().await], [StopReason::Killed, StopReason::Killed]);
        loop {
            let [a, c] = ["root/desk/a", "root/c"].map(|path| counter_of(&tree, path));
            if a.is_alive() && c.is_alive() {
                break live_on(&[&a, &c]).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // One that misses its shutdown time in a restart of its group is killed.
        let make = Counter::default();
        let hangs = Arc::clone(&make.hangs);
        let slow = Child::actor("slow", move || make.clone());
        let slow = slow.shutdown(Shutdown::Timeout(Duration::from_millis(10)));
        tree.start_child("root", slow).await.unwrap();
        let slow = counter_of(&tree, "root/slow");
        slow.tell(14).await.unwrap();
        while !hangs.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        counter_of(&tree, "root/c").tell(13).await.unwrap();
        assert_eq!(slow.ended().await, StopReason::Killed);
        let _ = tree.shutdown().await;
        assert_eq!(bus.alive(), 0);
    });
}

#[test]
fn a_child_that_was_added_at_run_time_when_the_supervisor_above_restarts() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let tree = root().supervisor(strict(Strategy::OneForOne)).start(&bus).await.unwrap();
        let [a, b] = ["root/desk/a", "root/desk/b"].map(|path| counter_of(&tree, path));
        tree.start_child("root/desk", counter("d")).await.unwrap();
        let d = counter_of(&tree, "root/desk/d");
        // Another `b` than the one that is declared.
        tree.terminate_child("root/desk/b").await.unwrap();
        tree.delete_child("root/desk/b").await.unwrap();
        tree.start_child("root/desk", counter("b")).await.unwrap();
        let other = counter_of(&tree, "root/desk/b");
        a.tell(13).await.unwrap();
        assert_eq!([d.ended().await, other.ended().await], [StopReason::Shutdown, StopReason::Shutdown]);
        live_on(&[&a]).await;
        // It starts behind `a`.
        let declared = loop {
            match tree.lookup::<Counter>("root/desk/b") {
                Some(declared) => break declared,
                None => tokio::task::yield_now().await,
            }
        };
        assert!(declared.id() != b.id() && declared.id() != other.id());
        tree.shutdown().await.unwrap();
        assert_eq!(bus.alive(), 0);
    });
}

#[test]
fn kills_and_shutdowns_that_meet_a_restart_leave_nothing_behind() {
    on_both_runtimes(|| async {
        for round in 0..100 {
            let bus = MessageBus::new();
            let tree = root().supervisor(strict(Strategy::OneForAll)).start(&bus).await.unwrap();
            let [a, b] = ["root/desk/a", "root/desk/b"].map(|path| counter_of(&tree, path));
            a.tell(13).await.unwrap();
            let doomed = b.clone();
            let killing = tokio::spawn(async move {
                for _ in 0..round % 8 {
                    tokio::task::yield_now().await;
                }
                doomed.kill();
            });
            if round % 2 == 0 {
                // There is a `b` in the end, at whatever moment the kill came.
                killing.await.unwrap();
                b.ended().await;
                while counter_of(&tree, "root/desk/b").ask(Count).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            tree.shutdown().await.unwrap();
            bus.shutdown().await.unwrap();
            assert_eq!(bus.alive(), 0);
        }
    });
}

#[test]
fn in_an_isolate_a_restart_of_the_supervisor_above() {
    let mut isolate = Isolate::new(1);
    let tree =
        isolate.supervise(&root().child(counter("c")).supervisor(strict(Strategy::OneForOne))).unwrap();
    let [a, c] = ["root/desk/a", "root/c"].map(|path| tree.lookup::<Counter>(path).unwrap());
    for actor in [&a, &c] {
        isolate.tell(actor, 13_u32).unwrap();
        isolate.run().unwrap();
    }
    assert!(c.is_alive() && a.is_alive());
    assert_eq!(tree.lookup::<Counter>("root/desk/a").unwrap().id(), a.id());
}
