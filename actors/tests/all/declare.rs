//! Trees from TOML: what they run, and how mistakes are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::tree::{ChildKind, DeclareError, Factories};
use mycelium::{Actor, BoxError, Context, MessageBus, Responder, Service, ServiceContext, Supervisor};

use crate::adder::{Adder, Sum};

struct Feed(Arc<AtomicU32>);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        ctx.stopped().await;
        Ok(())
    }
}

fn factories() -> (Factories, Arc<AtomicU32>) {
    let feeds = Arc::new(AtomicU32::new(0));
    let started = Arc::clone(&feeds);
    let factories = Factories::new()
        .actor("adder", Adder::default)
        .service("feed", move || Feed(Arc::clone(&started)))
        .future("once", || async { Ok(()) });
    (factories, feeds)
}

const TREE: &str = r#"
[tree]
id = "root"
intensity = 10
period_s = 60

[[tree.children]]
id = "feed"
service = "feed"

[[tree.children]]
id = "warm-up"
service = "once"
restart = "temporary"
start_fails = [2]       # for the dry run: means nothing live

[[tree.children]]
id = "desk"
type = "supervisor"
strategy = "one_for_all"
intensity = 10
period_s = 60
backoff = { initial_ms = 3600000, cap_ms = 3600000 }
own_backoff = { initial_ms = 1, cap_ms = 1 }

[[tree.children.children]]
id = "patient"
actor = "adder"

[[tree.children.children]]
id = "hasty"
actor = "adder"
backoff = { initial_ms = 0, cap_ms = 0 }
redelivery_attempts = 3

[[tree.children]]
id = "pool"
type = "supervisor"
strategy = "simple_one_for_one"
[[tree.children.children]]
id = "worker"
actor = "adder"

[[events]]              # for the dry run
at_ms = 1000
child = "root/feed"
exit = "crash"
"#;

#[tokio::test]
async fn a_declared_tree_runs_what_is_registered_with_the_options_it_declares() {
    let (factories, feeds) = factories();
    let bus = MessageBus::new();
    let tree = Supervisor::from_toml(TREE, &factories).unwrap().start(&bus).await.unwrap();
    let hasty = tree.lookup::<Adder>("root/desk/hasty").unwrap();
    hasty.tell(13).await.unwrap();
    hasty.tell(4).await.unwrap();
    // Its own backoff is none; the desk's would be an hour.
    assert_eq!(hasty.ask(Sum).await.unwrap(), 4);
    // Its 13 was tried three times.
    assert_eq!((bus.dead_letters().in_hand, bus.dead_letters().retried), (1, 2));
    assert_eq!(feeds.load(Ordering::SeqCst), 1, "the scripted crash is for the dry run");
    let children = tree.which_children("root").await.unwrap();
    let supervisors = children.iter().filter(|child| child.kind == ChildKind::Supervisor).count();
    assert_eq!(supervisors, 2);
    tree.start_child("root/pool", mycelium::tree::Child::actor("w1", Adder::default)).await.unwrap();
    assert_eq!(tree.count_children("root/pool").await.unwrap().active, 1);
    tree.drain(Duration::from_secs(50)).await.unwrap();
}

#[tokio::test]
async fn a_factory_may_be_told_the_id_of_its_child() {
    struct Named(String);
    impl Actor for Named {
        type Error = BoxError;
    }
    struct Name;
    impl Responder<Name> for Named {
        type Reply = String;
        async fn answer(&mut self, _: &Name, _: &mut Context<Self>) -> String {
            self.0.clone()
        }
    }
    let factories = Factories::new()
        .actor_by_id("book", |id| Named(id.to_owned()))
        .service_by_id("feed", |id| Feed(Arc::new(AtomicU32::new(id.len() as u32))));
    let text = "[tree]\n[[tree.children]]\nid = \"GOOG\"\nactor = \"book\"\n\
                [[tree.children]]\nid = \"AMZN\"\nactor = \"book\"\n\
                [[tree.children]]\nid = \"feed\"\nservice = \"feed\"\n";
    let tree = Supervisor::from_toml(text, &factories).unwrap().start(&MessageBus::new()).await.unwrap();
    for id in ["GOOG", "AMZN"] {
        let book = tree.lookup::<Named>(&format!("root/{id}")).unwrap();
        assert_eq!(book.ask(Name).await.unwrap(), id);
    }
    tree.shutdown().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_declared_process_gets_its_arguments_environment_and_directory() {
    let directory = std::env::temp_dir().join(format!("mycelium-declare-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let text = format!(
        r#"
        [tree]
        [[tree.children]]
        id = "writer"
        restart = "temporary"
        command = ["/bin/sh", "-c", 'echo "$GREETING $0" > out.tmp; mv out.tmp out', "reader"]
        env = {{ GREETING = "hello" }}
        cwd = {:?}
        "#,
        directory.to_str().unwrap()
    );
    let bus = MessageBus::new();
    let tree = Supervisor::from_toml(&text, &Factories::new()).unwrap().start(&bus).await.unwrap();
    let written = loop {
        match std::fs::read_to_string(directory.join("out")) {
            Ok(text) => break text,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    assert_eq!(written, "hello reader\n");
    tree.shutdown().await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn mistakes_are_told_with_place_cause_and_remedy() {
    let child = |rest: &str| format!("[tree]\n[[tree.children]]\nid = \"a\"\n{rest}\n");
    let supervisor = |rest: &str| child(&format!("type = \"supervisor\"\n{rest}"));
    for (text, line, cause) in [
        (child("actor = \"ader\""), 4, "no actor `ader` is registered; did you mean `adder`?"),
        (
            child("service = \"zzzzzzzz\""),
            4,
            "no service `zzzzzzzz` is registered; registered are feed, once",
        ),
        (child("actor = \"feed\""), 4, "`feed` is registered, but not as an actor: write service = \"feed\""),
        (child(""), 2, "child `a` does not say what it runs: give it actor"),
        (child("actor = \"adder\"\nservice = \"feed\""), 5, "child `a` is either `actor` or `service`"),
        (child("acter = \"adder\""), 4, "unknown key `acter` in a child; did you mean `actor`?"),
        (child("actor = 7"), 4, "`actor` must be a string, not integer"),
        (child("command = \"ls\""), 4, "`command` must be a list of strings such as"),
        (child("command = []"), 4, "`command` is empty"),
        (child("command = [\"\"]"), 4, "`command` is empty"),
        (child("command = [\"ls\", 7]"), 4, "an entry of `command` must be a string in quotes, not integer"),
        (child("command = [\"ls\"]\nenv = { A = 7 }"), 5, "`A` in `env` must be a string in quotes"),
        (child("command = [\"ls\"]\nenv = \"A=7\""), 5, "`env` must be a table such as"),
        (
            child("actor = \"adder\"\ncwd = \"/\""),
            5,
            "`cwd` goes with `command`, which child `a` does not have",
        ),
        (child("actor = \"adder\"\nown_backoff = {}"), 5, "the backoff of worker `a` is `backoff`"),
        (child("actor = \"adder\"\nbackoff = { jitter = 2 }"), 5, "jitter is 2, it must lie between 0 and 1"),
        (child("actor = \"adder\"\nstrategy = \"one_for_all\""), 5, "add type = \"supervisor\" to child `a`"),
        (supervisor("actor = \"adder\""), 5, "`actor` belongs to a worker: `a` is a supervisor"),
        (child("actor = \"adder\"\nready_line = \"up\""), 5, "`ready_line` goes with `command`"),
        (child("command = [\"ls\"]\nready_when_told = true"), 5, "give child `a` a `ready_line`"),
        (
            child("actor = \"adder\"\nrestart_when_stuck = true"),
            5,
            "`restart_when_stuck` goes with `stuck_after_ms`",
        ),
        (child("actor = \"adder\"\nstart_timeout_ms = 0"), 5, "no child starts in no time"),
        (supervisor("stuck_after_ms = 10"), 5, "`stuck_after_ms` belongs to a worker"),
        (supervisor("redelivery_attempts = 2"), 5, "`redelivery_attempts` belongs to a worker"),
        (child("actor = \"adder\"\nredelivery_attempts = 0"), 5, "it must lie between 1 (a dead letter at"),
        (child("actor = \"adder\"\nredelivery_attempts = 1001"), 5, "and 1000"),
        (child("service = \"feed\"\nredelivery_attempts = 2"), 5, "child `a` is a `service`"),
        (supervisor("source = true"), 5, "`source` belongs to a worker"),
        (supervisor("own_backoff = { multiplier = 0.5 }"), 5, "multiplier is 0.5, it must be at least 1"),
        ("[tre]\n".to_owned(), 1, "unknown key `tre` in the file; did you mean `tree`?"),
        (String::new(), 1, "`[tree]` is missing"),
        ("[tree]\nid = \n".to_owned(), 2, ""),
    ] {
        let error = Supervisor::from_toml(&text, &factories().0).unwrap_err();
        let DeclareError::Mistake { path: None, mistake } = &error else { panic!("{error}") };
        assert_eq!(mistake.line, line, "{text}\n{error}");
        assert!(error.to_string().contains(cause), "{error} lacks {cause}");
    }
}

#[tokio::test]
async fn what_a_file_says_of_sources_and_readiness_holds() {
    const FEED: &str = "[tree]\n[[tree.children]]\nid = \"feed\"\nservice = \"feed\"\n";
    const ADDER: &str = "[[tree.children]]\nid = \"adder\"\nactor = \"adder\"\n";
    let (factories, _) = factories();
    for (of_feed, of_adder, sources) in [
        ("", "", 1),
        ("source = false\n", "", 0),
        ("", "source = true\n", 2),
        ("source = false\n", "source = true\n", 1),
    ] {
        let text = format!("{FEED}{of_feed}{ADDER}{of_adder}");
        let tree = Supervisor::from_toml(&text, &factories).unwrap().start(&MessageBus::new()).await.unwrap();
        let drained = tree.drain(Duration::from_secs(50)).await.unwrap();
        assert_eq!(drained.sources, sources, "{text}");
    }
    // Neither says that it is ready.
    for child in [FEED.to_owned(), format!("[tree]\n{ADDER}")] {
        let text = child + "ready_when_told = true\nstart_timeout_ms = 20\n";
        let late = Supervisor::from_toml(&text, &factories).unwrap().start(&MessageBus::new()).await;
        assert!(late.is_err_and(|error| error.to_string().contains("not ready after 20ms")), "{text}");
    }
}

#[tokio::test]
async fn what_a_file_says_of_starts_and_health_holds() {
    let text = r#"
[[tree.children]]
id = "inner"
type = "supervisor"
start_timeout_ms = 60000
[[tree.children.children]]
id = "feed"
service = "feed"
stuck_after_ms = 20
restart_when_stuck = true
[[tree.children.children]]
id = "server"
command = ["sh", "-c", "echo up; exec sleep 60"]
ready_line = "up"
[[tree.children]]
id = "mute"
command = ["sleep", "60"]
ready_line = "up"
start_timeout_ms = 50
"#;
    let (factories, feeds) = factories();
    let text = format!("[tree]\n{text}");
    let mute = Supervisor::from_toml(&text, &factories).unwrap().start(&MessageBus::new()).await.unwrap_err();
    assert!(mute.to_string().contains("not ready after 50ms"), "{mute}");

    let well = text
        .replace("50\n", "50000\n")
        .replace("[\"sleep\", \"60\"]", "[\"sh\", \"-c\", \"echo up; sleep 60\"]");
    let tree = Supervisor::from_toml(&well, &factories).unwrap().intensity(100, Duration::from_secs(60));
    let tree = tree.start(&MessageBus::new()).await.unwrap();
    let before = feeds.load(Ordering::SeqCst);
    // It never says that it is alive.
    while feeds.load(Ordering::SeqCst) == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let _ = tree.shutdown().await;
}

#[test]
fn a_mistake_in_a_file_and_a_missing_file_are_told_with_its_name() {
    let path = std::env::temp_dir().join(format!("mycelium-declare-{}.toml", std::process::id()));
    let missing = Supervisor::from_toml_file(&path, &Factories::new()).unwrap_err();
    assert!(missing.to_string().starts_with(&format!("cannot read {}: ", path.display())), "{missing}");
    std::fs::write(&path, "[tree]\nintensity = -1").unwrap();
    let mistake = Supervisor::from_toml_file(&path, &Factories::new()).unwrap_err();
    assert!(
        mistake.to_string().starts_with(&format!("{}: line 2, column 13: ", path.display())),
        "{mistake}"
    );
    std::fs::remove_file(path).unwrap();
}
