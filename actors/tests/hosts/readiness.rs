//! When a supervised child counts as started, in each of its lives.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::tree::{Builder, Child, Shutdown, Strategy};
use mycelium::{Actor, BoxError, Context, Handler, Responder, StopReason, Subscriptions, Supervisor};

use crate::common::{Heard, PERIOD, Tick, observer};
use crate::host::Host;

const SHORT: Duration = Duration::from_millis(50);

/// Starts at once.
struct Worker;
impl Actor for Worker {
    type Error = BoxError;
}

/// Is ready at the first tick that it hears, half a second after its start; 13 is unlucky.
struct Warm;
impl Actor for Warm {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_millis(500), ());
        Ok(())
    }
}
impl Handler<Tick> for Warm {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 == 13 { Err("an unlucky number".into()) } else { Ok(()) }
    }
}
impl Handler<()> for Warm {
    async fn handle(&mut self, (): &(), ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.ready();
        Ok(())
    }
}

conformance!(the_next_child_starts_when_an_actor_says_that_it_is_ready_in_each_life);
fn the_next_child_starts_when_an_actor_says_that_it_is_ready_in_each_life<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let root = Supervisor::builder("root").strategy(Strategy::RestForOne).intensity(10, PERIOD);
    let root = root.on_event(observer(&log)).child(Child::actor("warm", || Warm).ready_when_told());
    let begun = host.now();
    let tree = host.supervise(root.actor("next", || Worker)).unwrap();
    assert!(host.now().saturating_since(begun) >= Duration::from_millis(500), "it waits for that");
    assert_eq!(log.take(), ["started warm", "started next"]);
    host.publish(Tick(13)).unwrap();
    host.until(|| log.words().contains(&"stopped next".to_owned()));
    host.until(|| log.words().len() >= 4);
    assert_eq!(log.words()[2..], ["started warm", "started next"]);
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
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
        if *number == 13 { Err("an unlucky number".into()) } else { Ok(()) }
    }
}
struct Life;
impl Responder<Life> for Sleeper {
    type Reply = u32;
    async fn answer(&mut self, _: &Life, _: &mut Context<Self>) -> u32 {
        1
    }
}

fn sleeper(log: &Heard) -> (Arc<AtomicU32>, Builder) {
    let stuck = Arc::<AtomicU32>::default();
    let shared = Arc::clone(&stuck);
    let child = Child::actor("sleeper", move || Sleeper { stuck: Arc::clone(&shared) });
    let root = Supervisor::builder("root").intensity(10, PERIOD).on_event(observer(log));
    (stuck, root.child(child.start_timeout(SHORT * 10)))
}

conformance!(a_restart_that_hangs_is_tried_again_and_the_mailbox_survives);
fn a_restart_that_hangs_is_tried_again_and_the_mailbox_survives<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let (stuck, root) = sleeper(&log);
    let tree = host.supervise(root).unwrap();
    let sleeper = host.child::<Sleeper>(&tree, "root/sleeper").unwrap();
    stuck.store(2, Ordering::SeqCst);
    host.tell(&sleeper, 13).unwrap();
    // It is answered by the fourth life, after two whose start hung.
    assert_eq!(host.ask(&sleeper, Life).unwrap(), 1);
    let failed = log.words().iter().filter(|line| line.contains("not ready after 500ms")).count();
    assert_eq!(failed, 2, "{:?}", log.words());
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
}

/// Does not start in its second life, and takes an hour for its last words.
struct Wordy(u32, Heard);
impl Actor for Wordy {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        if self.0 == 0 { Ok(()) } else { Err("told not to".into()) }
    }
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        self.1.add("parts");
        ctx.sleep(Duration::from_secs(3600)).await;
    }
}
impl Handler<u32> for Wordy {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        panic!("{number}")
    }
}

conformance!(a_child_whose_start_has_failed_and_that_does_not_end_is_named_by_a_shutdown);
fn a_child_whose_start_has_failed_and_that_does_not_end_is_named_by_a_shutdown<H: Host>() {
    let (mut host, heard, lives) = (H::new(), Heard::default(), AtomicU32::new(0));
    let log = heard.clone();
    let make = move || Wordy(lives.fetch_add(1, Ordering::SeqCst), log.clone());
    let child = Child::actor("wordy", make).start_timeout(SHORT * 10).shutdown(Shutdown::Timeout(SHORT));
    let tree = host.supervise(Supervisor::builder("root").intensity(10, PERIOD).child(child)).unwrap();
    let wordy = host.child::<Wordy>(&tree, "root/wordy").unwrap();
    host.tell(&wordy, 13).unwrap();
    host.until(|| heard.words() == ["parts"]);
    assert_eq!(host.shut_tree(&tree), ["root/wordy"]);
    assert!(!wordy.is_alive());
}
