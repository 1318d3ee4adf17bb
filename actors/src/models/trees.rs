//! Supervised actors: restarts against publishes, calls, shutdowns and drains.

use std::time::Duration;

use super::cast::{
    Faults, Log, Reader, Relay, Sink, Tick, Tock, below, bus, pause, publish_ticks, short_backoff,
};
use super::{explore, explore_in_a_hurry};
use crate::rt;
use crate::tree::{Builder, Child, ExitReason, Shutdown, Strategy};
use crate::{ActorRef, BoxError, Service, ServiceContext, Supervisor, Tree};

const NUMBERS: u32 = 4;

/// Longer than any model takes, except that the clock of an impatient schedule may pass it.
const LONG: Duration = Duration::from_secs(1_000_000);

fn root() -> Builder {
    Supervisor::builder("root").intensity(1_000, Duration::from_secs(60))
}

fn any_strategy() -> Strategy {
    [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][below(3) as usize]
}

/// Tells the reader its numbers.
fn tell(reader: &ActorRef<Reader>, from: u32, numbers: u32) -> impl Future<Output = u32> {
    let reader = reader.clone();
    let task = rt::spawn(async move {
        let mut taken = 0;
        while taken < numbers && reader.tell(Tock(Tick { from, number: taken })).await.is_ok() {
            taken += 1;
        }
        taken
    });
    async { task.await.unwrap() }
}

/// Messages that are published and told while an actor fails and begins anew are handled, once and in
/// order; its message in hand is retried.
#[test]
fn shuttle_a_restart_meets_publishers() {
    explore(|| async {
        let (bus, log, faults) = (bus(), Log::default(), Faults::draw(NUMBERS, 2));
        let reader = Reader::new("reader", &log).with(&faults);
        let mut root = root().child(reader.patient_child());
        if below(2) == 0 {
            root = root.backoff(short_backoff());
        }
        let tree = root.start(&bus).await.unwrap();
        let reader = tree.lookup::<Reader>("root/reader").unwrap();
        let publishers = [0, 1].map(|from| publish_ticks(&bus, from, NUMBERS));
        let teller = tell(&reader, 2, NUMBERS);
        for publisher in publishers {
            assert_eq!(publisher.await, NUMBERS);
        }
        assert_eq!(teller.await, NUMBERS);
        log.wait_for("reader t", 3 * NUMBERS as usize).await;
        log.check_complete("reader tick", 0..2, NUMBERS);
        log.check_complete("reader told", 2..3, NUMBERS);
        tree.shutdown().await.unwrap();
        let letters = bus.dead_letters();
        assert_eq!(letters.in_hand + letters.waiting, 0, "{letters:?}");
        log.check_lives("reader");
        assert_eq!(bus.alive(), 0);
    });
}

/// Calls of one task to a tree, whatever they find there.
async fn call_about(tree: Tree, log: Log) {
    for _ in 0..3 {
        let child = ["root/a", "root/desk", "root/desk/c"][below(3) as usize];
        match below(6) {
            0 => drop(tree.terminate_child(child).await),
            1 => drop(tree.restart_child(child).await),
            2 => drop(tree.which_children("root").await),
            3 => drop(tree.count_children("root/desk").await),
            4 => drop(tree.start_child("root", Reader::new("d", &log).child()).await),
            _ => drop(tree.delete_child("root/d").await),
        }
    }
}

/// Groups restart, calls start and stop children, and a shutdown ends it all: no child lives twice, no
/// message is unaccounted for.
#[test]
fn shuttle_groups_and_calls_meet_a_shutdown() {
    explore(|| async {
        let (ended, log) = groups_and_calls().await;
        assert!(ended.is_ok(), "{ended:?}");
        ["a", "b", "c", "d", "z"].iter().for_each(|name| log.check_lives(name));
    });
}

/// The same on a machine that is held up, where any limit may pass at any moment: somebody may be killed, and
/// replaced before its task has seen it, but no message is unaccounted for and nothing is left.
#[test]
fn shuttle_limits_pass_at_any_moment() {
    explore_in_a_hurry(groups_calls_and_an_end);
}

pub(super) async fn groups_calls_and_an_end() {
    drop(groups_and_calls().await);
}

async fn groups_and_calls() -> (Result<(), String>, Log) {
    let (bus, log, faults) = (bus(), Log::default(), Faults::draw(NUMBERS, 2));
    let reader = |name| Reader::new(name, &log).with(&faults).patient_child();
    let desk = Supervisor::builder("desk").strategy(any_strategy()).intensity(below(3), LONG);
    let desk = desk.child(reader("b")).child(reader("c"));
    let root = root().strategy(any_strategy()).child(reader("a")).supervisor(desk).child(reader("z"));
    // In a hurry it may take too long.
    let tree = match root.start(&bus).await {
        Ok(tree) => tree,
        Err(error) => return (Err(error.to_string()), log),
    };
    let paths = ["root/a", "root/desk/b", "root/desk/c", "root/z"];
    let Some(readers) = paths.map(|path| tree.lookup::<Reader>(path)).into_iter().collect::<Option<Vec<_>>>()
    else {
        unreachable!("they have started")
    };
    let tellers = [(0, 0), (2, 1), (1, 2)].map(|(at, from)| tell(&readers[at], from, NUMBERS));
    let calls = rt::spawn(call_about(tree.clone(), log.clone()));
    pause(60).await;
    let ended = match below(2) {
        0 => tree.shutdown().await.map_err(|error| error.to_string()),
        _ => bus.shutdown_within(LONG).await.map_err(|error| error.to_string()),
    };
    tree.ended().await;
    let mut taken = 0;
    for teller in tellers {
        taken += u64::from(teller.await);
    }
    calls.await.unwrap();
    for reader in &readers {
        reader.ended().await;
    }
    let ended = ended.and(bus.shutdown().await.map_err(|error| error.to_string()));
    // In a hurry the killed have not seen it yet.
    while bus.alive() > 0 {
        assert!(ended.is_err(), "a shutdown returns when all have left");
        shuttle::future::yield_now().await;
    }
    let letters = bus.dead_letters();
    let told = ["a", "b", "c", "z"].map(|name| log.count(&format!("{name} told")) as u64);
    assert_eq!(told.iter().sum::<u64>() + letters.in_hand + letters.waiting, taken, "{letters:?}");
    (ended, log)
}

/// A supervisor past its intensity is restarted by the one above, and what waits for its children survives.
#[test]
fn shuttle_an_escalation_keeps_what_waits() {
    explore(|| async {
        let (bus, log, faults) = (bus(), Log::default(), Faults::draw(NUMBERS, 2));
        let desk = Supervisor::builder("desk").intensity(0, LONG).strategy(any_strategy());
        let reader = |name| Reader::new(name, &log).with(&faults).patient_child();
        let root = root().strategy(any_strategy()).supervisor(desk.child(reader("b")).child(reader("c")));
        let tree = root.child(reader("z")).start(&bus).await.unwrap();
        let paths = ["root/desk/b", "root/desk/c", "root/z"];
        let readers = paths.map(|path| tree.lookup::<Reader>(path).unwrap());
        let tellers = [0, 1, 2].map(|at| tell(&readers[at], at as u32, NUMBERS));
        for teller in tellers {
            assert_eq!(teller.await, NUMBERS);
        }
        log.wait_for("b told", NUMBERS as usize).await;
        log.wait_for("c told", NUMBERS as usize).await;
        log.wait_for("z told", NUMBERS as usize).await;
        tree.shutdown().await.unwrap();
        for (at, name) in ["b", "c", "z"].iter().enumerate() {
            log.check_complete(&format!("{name} told"), at as u32..at as u32 + 1, NUMBERS);
            log.check_lives(name);
        }
        assert_eq!(bus.dead_letters().waiting, 0);
        assert_eq!(bus.alive(), 0);
    });
}

/// Publishes until it is stopped, and writes down what it has published.
struct Feed(Log);

impl Service for Feed {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut stopped = std::pin::pin!(ctx.stopped());
        for number in 0..NUMBERS {
            let now = std::future::poll_fn(|cx| std::task::Poll::Ready(stopped.as_mut().poll(cx)));
            if now.await.is_ready() {
                return Ok(());
            }
            ctx.publish(Tick { from: 0, number }).await?;
            self.0.add(format!("fed {number}"));
        }
        stopped.await;
        Ok(())
    }
}

/// A drain handles all that its sources have published, whatever fails and restarts meanwhile; who publishes
/// outside is refused.
#[test]
fn shuttle_a_drain_loses_nothing() {
    explore(|| async {
        let (bus, log, faults) = (bus(), Log::default(), Faults::draw(NUMBERS, 1));
        let (sink, feed) = (log.clone(), log.clone());
        // A supervisor that waits for its feed restarts nobody meanwhile, so the feed has another one than
        // its readers.
        let desk = Supervisor::builder("desk").intensity(1_000, LONG);
        let desk = desk
            .child(Child::actor("sink", move || Sink { log: sink.clone() }).shutdown(Shutdown::Infinity))
            .child(Reader::new("reader", &log).with(&faults).patient_child())
            .child(Child::actor("relay", || Relay).shutdown(Shutdown::Infinity));
        let feed = Child::service("feed", move || Feed(feed.clone())).shutdown(Shutdown::Infinity);
        let tree = root().supervisor(desk).child(feed).start(&bus).await.unwrap();
        let reader = tree.lookup::<Reader>("root/desk/reader").unwrap();
        let outsider = publish_ticks(&bus, 1, NUMBERS);
        let teller = tell(&reader, 2, 2);
        pause(40).await;
        let drained = tree.drain(LONG).await;
        let (outside, told) = (outsider.await, teller.await);
        let letters = bus.dead_letters();
        let fed = log.count("fed") as u32;
        if drained.is_ok() {
            log.check_complete("sink tock", 0..1, fed);
            log.check_complete("sink tock", 1..2, outside);
            log.check_complete("reader tick", 0..1, fed);
            log.check_complete("reader tick", 1..2, outside);
        }
        let heard = log.count("reader told") as u64;
        assert!(heard + letters.in_hand + letters.waiting >= u64::from(told), "{letters:?}");
        assert!(drained.is_ok() || letters.in_hand + letters.waiting > 0, "{drained:?}");
        assert_eq!(tree.ended().await, ExitReason::Shutdown, "{drained:?} {letters:?} {:?}", log.lines());
        log.check_lives("reader");
        assert_eq!(bus.alive(), 0);
    });
}
