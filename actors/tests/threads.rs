//! Actors and services with a thread of their own.
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;

use std::time::Duration;

use common::{Heard, Tick, on_both_runtimes};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, OwnThread, Responder, Service, ServiceContext, SpawnError,
    StopReason, Subscriptions,
};

/// Blocks its thread for a while with each message, and says where it runs.
struct Blocks(u64);
impl Actor for Blocks {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Blocks {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        std::thread::sleep(Duration::from_micros(100));
        ctx.sleep(Duration::from_micros(100)).await;
        self.0 += tick.0;
        Ok(())
    }
}
struct Where;
impl Responder<Where> for Blocks {
    type Reply = (u64, Option<String>, String);
    async fn answer(&mut self, _: &Where, _: &mut Context<Self>) -> Self::Reply {
        (self.0, std::thread::current().name().map(str::to_owned), allowed())
    }
}

/// The cores that this thread may run on, as Linux lists them.
fn allowed() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
}

/// Whether this process has a thread of this name.
fn has_thread(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.into_iter().any(|comm| comm.trim() == name)
}

async fn gone(name: &str) {
    while has_thread(name) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn an_actor_on_a_thread_of_its_own_holds_nobody_up_and_takes_the_thread_with_it() {
    on_both_runtimes(|| async {
        let core: usize = allowed().split([',', '-']).next().unwrap().parse().unwrap();
        for (name, thread, pinned) in [
            ("plain", OwnThread::new("plain"), false),
            ("pinned", OwnThread::new("pinned").pin_to(core), true),
            ("busy", OwnThread::new("busy").busy_polling(), false),
        ] {
            let bus = MessageBus::new();
            let blocks = bus.spawn_on_thread(thread, Blocks(0)).unwrap();
            let ticks = bus.publisher::<Tick>().unwrap();
            for number in 1..=20 {
                ticks.publish(Tick(number)).await.unwrap();
            }
            // Asked without an order to what was published by another: until it is so.
            let (mut sum, mut thread, mut cores) = blocks.ask(Where).await.unwrap();
            while sum < 210 {
                (sum, thread, cores) = blocks.ask(Where).await.unwrap();
            }
            assert_eq!((sum, thread.as_deref()), (210, Some(name)));
            assert!(has_thread(name));
            if pinned {
                assert_eq!(cores, core.to_string());
            }
            blocks.stop();
            assert_eq!(blocks.ended().await, StopReason::Normal);
            gone(name).await;
            bus.shutdown().await.unwrap();
        }
    });
}

/// Blocks for good, as code that calls a library may.
struct Loops(Heard);
impl Service for Loops {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            std::thread::sleep(Duration::from_millis(1));
            ctx.publish(Tick(1)).await?;
            self.0.add("beat");
        }
    }
}

#[test]
fn a_service_on_a_thread_of_its_own_ends_with_its_bus() {
    on_both_runtimes(|| async {
        for (name, thread) in
            [("loops", OwnThread::new("loops")), ("loops-busy", OwnThread::new("loops-busy").busy_polling())]
        {
            let (bus, heard) = (MessageBus::new(), Heard::default());
            let loops = bus.spawn_service_on_thread(thread, Loops(heard.clone())).unwrap();
            heard.wait_for("beat").await;
            bus.shutdown().await.unwrap();
            assert_eq!(loops.ended().await, StopReason::Shutdown);
            gone(name).await;
        }
    });
}

#[test]
fn a_thread_that_cannot_be_had_is_an_error_and_leaves_nothing() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        for thread in [OwnThread::new("zero\0"), OwnThread::new("no-core").pin_to(1_000_000)] {
            let error = bus.spawn_on_thread(thread, Blocks(0)).unwrap_err();
            assert!(matches!(error, SpawnError::Thread { .. }), "{error}");
        }
        let error = bus.spawn_on_thread(OwnThread::new("no-core").pin_to(1023), Blocks(0)).unwrap_err();
        assert!(error.to_string().contains("core 1023"), "{error}");
        gone("no-core").await;
        bus.shutdown().await.unwrap();
        assert_eq!(bus.spawn_on_thread(OwnThread::new("late"), Blocks(0)).unwrap_err(), SpawnError::Closed);
        assert_eq!(bus.alive(), 0);
    });
}
