//! A crowd of actors that comes and goes: what it leaves behind is counted by the allocator.

#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{Flush, Tick, on_both_runtimes};
use mycelium::pool::Pool;
use mycelium::tree::Child;
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, Subscriptions, Supervisor, Tree};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Hears a topic, and has done a little of everything.
struct Guest;
impl Actor for Guest {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_secs(3_600), Tick(0));
        ctx.schedule_every(Duration::from_secs(3_600), Tick(0));
        let _ = ctx.random();
        Ok(())
    }
}
impl Handler<Tick> for Guest {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Responder<Flush> for Guest {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

/// The same in a pool, which hears the topic for it.
struct Porter;
impl Actor for Porter {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_every(Duration::from_secs(3_600), Tick(0));
        Ok(())
    }
}
impl Handler<Tick> for Porter {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Responder<Flush> for Porter {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

/// The allocator counts for all tests at once: one after the other.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const CROWD: usize = 5_000;

/// What may be left of the whole crowd on its bus, which goes on with one actor (bytes).
const LEFT_MAX: i64 = 32 * 1024;

/// Waits until nothing but so many tasks are alive.
async fn settled(tasks: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    while metrics.num_alive_tasks() > tasks {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn come_and_go(bus: &MessageBus) {
    let named = |n| bus.spawn_named(&format!("guest {n}"), Guest).unwrap();
    let crowd: Vec<_> = (0..CROWD).map(named).collect();
    for guest in &crowd {
        guest.ask(Flush).await.unwrap();
    }
    crowd.iter().for_each(mycelium::ActorRef::stop);
    for guest in &crowd {
        guest.ended().await;
    }
    drop(crowd);
    settled(1).await;
}

#[test]
fn a_crowd_that_has_ended_leaves_no_memory_behind_on_a_bus_that_goes_on() {
    let _turn = turn();
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let host = bus.spawn_named("host", Guest).unwrap();
        host.ask(Flush).await.unwrap();
        // Tokio's own memory for a crowd of tasks is there after the first one.
        come_and_go(&bus).await;
        let before = heap::live_bytes_of_all();
        come_and_go(&bus).await;
        let again = heap::live_bytes_of_all();
        assert!((again - before).abs() < LEFT_MAX, "each crowd leaves {} bytes", again - before);
        bus.shutdown().await.unwrap();
        settled(0).await;
        drop((bus, host));
        let kept = again - heap::live_bytes_of_all();
        // One ring of the topic is the most of it.
        assert!(kept < 2 * LEFT_MAX, "a bus of one actor held {kept} bytes");
    });
}

/// Pools of three workers under `root`, each with another path in each round, resized and deleted.
async fn pools_come_and_go(tree: &Tree, round: usize) {
    for number in 0..200 {
        let id = format!("pool-{round}-{number}");
        let pool =
            Pool::new(|| Porter).workers(2).key(|tick: &Tick| tick.0).on::<Tick>().supervisor(id.as_str());
        tree.start_child("root", Child::supervisor(pool)).await.unwrap();
        let path = format!("root/{id}");
        let pool = tree.lookup_pool::<Porter>(&path).unwrap();
        pool.resize(3).await.unwrap();
        pool.ask(Flush).await.unwrap();
        tree.terminate_child(&path).await.unwrap();
        tree.delete_child(&path).await.unwrap();
    }
}

#[test]
fn pools_that_are_deleted_leave_no_memory_behind_in_a_tree_that_goes_on() {
    let _turn = turn();
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let root = Supervisor::builder("root").actor("host", || Guest);
        let tree = root.start(&bus).await.unwrap();
        let rest = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let tasks = rest();
        pools_come_and_go(&tree, 1).await;
        settled(tasks).await;
        let before = heap::live_bytes_of_all();
        pools_come_and_go(&tree, 2).await;
        settled(tasks).await;
        let again = heap::live_bytes_of_all();
        assert!((again - before).abs() < LEFT_MAX, "200 pools leave {} bytes", again - before);
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
    });
}
