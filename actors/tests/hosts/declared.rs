//! A tree that a file declares.

use mycelium::tree::Factories;
use mycelium::{Actor, BoxError, Context, Handler, Responder, Supervisor};

use crate::common::{Flush, Tick};
use crate::host::{Diary, Host, Letters};

/// Panics at 13.
struct Counter(Diary, u64);
impl Actor for Counter {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.note(ctx.now(), "started");
        Ok(())
    }
}
impl Handler<Tick> for Counter {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(tick.0, 13, "an unlucky number");
        self.1 += tick.0;
        Ok(())
    }
}
impl Responder<Flush> for Counter {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
        self.1
    }
}

const TREE: &str = r#"
    [tree]
    intensity = 9
    [[tree.children]]
    id = "desk"
    type = "supervisor"
    intensity = 9
    backoff = { initial_ms = 3600000, cap_ms = 3600000 }
    [[tree.children.children]]
    id = "own"
    actor = "counter"
    backoff = { initial_ms = 25 }
    redelivery_attempts = 2
"#;

conformance!(a_declared_tree_runs_what_is_registered_with_the_options_it_declares);
fn a_declared_tree_runs_what_is_registered_with_the_options_it_declares<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let seen = diary.clone();
    let factories = Factories::new().actor("counter", move || Counter(seen.clone(), 0));
    let tree = host.supervise(Supervisor::from_toml(TREE, &factories).unwrap()).unwrap();
    let own = host.child::<Counter>(&tree, "root/desk/own").unwrap();
    host.tell(&own, Tick(13)).unwrap();
    host.tell(&own, Tick(4)).unwrap();
    assert_eq!(host.ask(&own, Flush).unwrap(), 4);
    // Its own backoff, and not its supervisor's hour; it doubles. Its 13 was tried twice.
    host.has_heard(&diary, &["0 started", "25 started", "75 started"]);
    assert_eq!(host.letters(), Letters { dead: 1, retried: 1 });
    host.shut_tree(&tree);
}
