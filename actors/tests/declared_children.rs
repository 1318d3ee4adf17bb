//! Children of declared trees that are registered with what they are started with.
#![forbid(unsafe_code)]

#[path = "common/adder.rs"]
mod adder;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mycelium::pool::Pool;
use mycelium::tree::{Backoff, Child, Factories, Redelivery};
use mycelium::{Context, MessageBus, OwnThread, Responder, Supervisor, ThreadHooks};

use self::adder::{Adder, Sum};

/// How many threads have begun with these hooks.
#[derive(Default)]
struct Attached(AtomicU32);
impl ThreadHooks for Attached {
    fn started(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The name of the thread of whoever answers.
struct ThreadName;
impl Responder<ThreadName> for Adder {
    type Reply = Option<String>;
    async fn answer(&mut self, _: &ThreadName, _: &mut Context<Self>) -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }
}

#[tokio::test]
async fn a_registered_child_brings_its_thread_and_its_redelivery_where_the_file_says_nothing() {
    let hooks = Arc::new(Attached::default());
    let of_child = Arc::clone(&hooks);
    let child = move |id: &str| {
        let thread = OwnThread::new(format!("own-{id}")).hooks(Arc::clone(&of_child) as _);
        let child = Child::actor("any", Adder::default).on_thread(thread);
        child.redelivery(Redelivery::Retry { attempts: 3 }).backoff(Backoff::default())
    };
    let by_scheme = child.clone();
    let factories = Factories::new()
        .child("plain", child)
        .actor("desk:book", Adder::default)
        .scheme("odd", move |name, id| match name {
            "adder" => Ok(by_scheme(id)),
            other => Err(format!("nothing odd is called {other:?}")),
        })
        .child("tree", |id| Child::supervisor(Supervisor::builder(id)));
    let file = |actor: &str, more: &str| {
        format!(
            "[tree]\nintensity = 9\n[[tree.children]]\nid = \"one\"\nactor = \"{actor}\"\n\
             backoff = {{ initial_ms = 0, cap_ms = 0 }}\n{more}"
        )
    };
    let cases = [
        ("plain", "", "own-one", 2),
        ("odd:adder", "thread = { busy_polling = true }", "own-one", 2),
        ("plain", "redelivery_attempts = 2", "own-one", 1),
    ];
    for (at, (actor, more, thread, retried)) in (1..).zip(cases) {
        let bus = MessageBus::new();
        let tree = Supervisor::from_toml(&file(actor, more), &factories).unwrap().start(&bus).await.unwrap();
        let one = tree.lookup::<Adder>("root/one").unwrap();
        assert_eq!(one.ask(ThreadName).await.unwrap().as_deref(), Some(thread), "{actor} {more}");
        one.tell(13).await.unwrap();
        assert_eq!(one.ask(Sum).await.unwrap(), 0);
        assert_eq!(bus.dead_letters().retried, retried, "{actor} {more}");
        assert_eq!(hooks.0.load(Ordering::SeqCst), at, "the hooks of its thread were kept");
        tree.shutdown().await.unwrap();
    }
    for (actor, text) in [
        ("odd:other", "line 5, column 9: nothing odd is called \"other\""),
        (
            "even:adder",
            "line 5, column 9: `even:adder` is an actor of the scheme `even`, which is not registered; register it with \
             `Factories::scheme`, as `Factories::python` does for Python",
        ),
        (
            "od:adder",
            "line 5, column 9: `od:adder` is an actor of the scheme `od`, which is not registered; did you mean `odd`?",
        ),
        (
            "desk:bok",
            "line 5, column 9: `desk:bok` is an actor of the scheme `desk`, which is not registered; did you mean `desk:book`?",
        ),
        (
            "zzzzzzzz",
            "line 5, column 9: no actor `zzzzzzzz` is registered; registered are desk:book, plain, tree, odd:..",
        ),
        ("tree", "line 5, column 9: `tree` is registered with a supervisor, which is no actor"),
    ] {
        let error = Supervisor::from_toml(&file(actor, ""), &factories).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn pools_are_found_behind_a_scheme_too() {
    let factories = Factories::new().pool("plain", || Pool::new(Adder::default)).pool_scheme("odd", |name| {
        let found = name == "adders";
        let none = format!("nothing odd is called {name:?}");
        found.then_some(|| Pool::new(Adder::default)).ok_or(none)
    });
    let file =
        |pool: &str| format!("[tree]\n[[tree.children]]\nid = \"adders\"\nworkers = 3\npool = \"{pool}\"");
    for pool in ["plain", "odd:adders"] {
        let bus = MessageBus::new();
        let tree = Supervisor::from_toml(&file(pool), &factories).unwrap().start(&bus).await.unwrap();
        assert_eq!(tree.lookup_pool::<Adder>("root/adders").unwrap().size(), 3);
        tree.shutdown().await.unwrap();
    }
    for (pool, text) in [
        ("odd:other", "line 5, column 8: nothing odd is called \"other\""),
        (
            "even:adders",
            "line 5, column 8: `even:adders` is a pool of the scheme `even`, which is not registered; register it with \
             `Factories::pool_scheme`, as `Factories::python` does for Python",
        ),
        (
            "od:adders",
            "line 5, column 8: `od:adders` is a pool of the scheme `od`, which is not registered; did you mean `odd`?",
        ),
        ("adders", "line 5, column 8: no pool `adders` is registered; registered are plain, odd:.."),
    ] {
        let error = Supervisor::from_toml(&file(pool), &factories).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}
