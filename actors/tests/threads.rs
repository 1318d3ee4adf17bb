//! Actors and services with a thread of their own.
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;

use std::time::Duration;

use common::{Heard, Tick, on_both_runtimes};
use mycelium::tree::{CallError, Child, Factories, StartError};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, OwnThread, Responder, Service, ServiceContext, SpawnError,
    StopReason, Subscriptions, Supervisor,
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
impl Handler<&'static str> for Blocks {
    async fn handle(&mut self, word: &&'static str, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err((*word).into())
    }
}
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

/// The number that the system gives the thread which runs this.
fn thread_number() -> String {
    std::fs::read_link("/proc/thread-self").unwrap().display().to_string()
}

struct Number;
impl Responder<Number> for Blocks {
    type Reply = String;
    async fn answer(&mut self, _: &Number, _: &mut Context<Self>) -> String {
        thread_number()
    }
}

#[test]
fn a_supervised_actor_keeps_its_thread_over_restarts_and_has_another_when_it_is_made_anew() {
    on_both_runtimes(|| async {
        let core: usize = allowed().split([',', '-']).next().unwrap().parse().unwrap();
        for thread in [OwnThread::new("child").pin_to(core), OwnThread::new("child").busy_polling()] {
            let bus = MessageBus::new();
            let child = Child::actor("model", || Blocks(0)).on_thread(thread);
            let root = Supervisor::builder("root").intensity(9, Duration::from_secs(60)).child(child);
            let tree = root.start(&bus).await.unwrap();
            let model = tree.lookup::<Blocks>("root/model").unwrap();
            let first = model.ask(Number).await.unwrap();
            assert_ne!(first, thread_number());
            model.tell("fail").await.unwrap();
            assert_eq!(model.ask(Number).await.unwrap(), first, "a restart in place");
            let (sum, name, _) = model.ask(Where).await.unwrap();
            assert_eq!((sum, name.as_deref()), (0, Some("child")));
            // Killed, it is made anew, with a thread of its own again.
            model.kill();
            model.ended().await;
            let again = loop {
                match tree.lookup::<Blocks>("root/model").filter(mycelium::ActorRef::is_alive) {
                    Some(again) => break again,
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            };
            assert_ne!(again.ask(Number).await.unwrap(), first);
            tree.terminate_child("root/model").await.unwrap();
            gone("child").await;
            tree.restart_child("root/model").await.unwrap();
            assert!(has_thread("child"));
            tree.shutdown().await.unwrap();
            gone("child").await;
            bus.shutdown().await.unwrap();
        }
    });
}

/// Writes down the name of the thread that it runs on, and fails in its first life.
struct Feed(Heard);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.add(std::thread::current().name().unwrap_or_default());
        if self.0.words().len() == 1 {
            return Err("the line is dead".into());
        }
        ctx.stopped().await;
        Ok(())
    }
}

#[test]
fn a_supervised_service_has_a_thread_in_each_life() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let seen = heard.clone();
        let feed =
            Child::service("feed", move || Feed(seen.clone())).on_thread(OwnThread::new("feed-thread"));
        let tree = Supervisor::builder("root").child(feed).start(&bus).await.unwrap();
        while heard.words().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(heard.words(), ["feed-thread", "feed-thread"]);
        bus.shutdown().await.unwrap();
        gone("feed-thread").await;
        drop(tree);
    });
}

#[test]
fn a_child_whose_thread_cannot_be_had_has_not_started() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let nowhere =
            || Child::actor("model", || Blocks(0)).on_thread(OwnThread::new("nowhere").pin_to(1023));
        let refused = Supervisor::builder("root").child(nowhere()).start(&bus).await;
        let Err(StartError::Failed(reason)) = refused else { panic!("{refused:?}") };
        assert!(reason.to_string().contains("core 1023"), "{reason}");
        let tree = Supervisor::builder("root").start(&bus).await.unwrap();
        let refused = tree.start_child("root", nowhere()).await.unwrap_err();
        assert!(
            matches!(&refused, CallError::Refused(_)) && refused.to_string().contains("core 1023"),
            "{refused}"
        );
        gone("nowhere").await;
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_declared_thread_is_used_live_and_ignored_in_an_isolate() {
    on_both_runtimes(|| async {
        let factories =
            Factories::new().actor("blocks", || Blocks(0)).service("feed", || Feed(Heard::default()));
        let text = "[tree]\n[[tree.children]]\nid = \"declared\"\nactor = \"blocks\"\nthread = { busy_polling = true }\n";
        let root = Supervisor::from_toml(text, &factories).unwrap();
        let mut isolate = mycelium::Isolate::new(42);
        isolate.supervise(&root).unwrap();
        assert!(!has_thread("declared"));
        let bus = MessageBus::new();
        let tree = root.start(&bus).await.unwrap();
        let blocks = tree.lookup::<Blocks>("root/declared").unwrap();
        assert_eq!(blocks.ask(Where).await.unwrap().1.as_deref(), Some("declared"));
        bus.shutdown().await.unwrap();
        gone("declared").await;
        for (wrong, expected) in [
            ("thread = { pin = 1 }", "line 5, column 12: unknown key `pin` in `thread`"),
            ("thread = { pin_to = 5000 }", "line 5, column 21: `pin_to` is 5000"),
            ("thread = true", "line 5, column 10: `thread` must be a table"),
        ] {
            let text = text.replace("thread = { busy_polling = true }", wrong);
            let error = Supervisor::from_toml(&text, &factories).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        for (wrong, expected) in [
            ("command = [\"true\"]\nthread = {}", "child `declared` is a process"),
            ("type = \"supervisor\"\nthread = {}", "`thread` belongs to a worker"),
        ] {
            let text = format!("[tree]\n[[tree.children]]\nid = \"declared\"\n{wrong}\n");
            let error = Supervisor::from_toml(&text, &factories).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    });
}
