//! What whoever starts a tree in an isolate does with it: calls that it has no time for, declared trees, what
//! it refuses.

use std::time::Duration;

use mycelium::tree::{CallError, Child, ChildStatus, Factories, Restart, StartError, Strategy};
use mycelium::{Actor, BoxError, Context, Handler, Isolate, RunError, StopReason, Supervisor};

use super::ear::{Ear, ear};
use crate::common::{Heard, Tick, at_ms, at_once};

#[test]
fn calls_are_answered_at_once_unless_a_child_takes_its_time() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").child(ear("a", &log));
    let tree = isolate.supervise(&root).unwrap();
    at_once(tree.start_child("root", ear("b", &log).restart(Restart::Temporary))).unwrap().unwrap();
    assert!(matches!(at_once(tree.start_child("root", ear("b", &log))).unwrap(), Err(CallError::Refused(_))));
    assert_eq!(at_once(tree.count_children("root")).unwrap().unwrap().active, 2);
    let ids: Vec<_> = at_once(tree.which_children("root"))
        .unwrap()
        .unwrap()
        .iter()
        .map(|child| child.id.to_string())
        .collect();
    assert_eq!(ids, ["b", "a"]);
    at_once(tree.terminate_child("root/b")).unwrap().unwrap();
    assert_eq!(at_once(tree.count_children("root")).unwrap().unwrap().specs, 1);
    at_once(tree.terminate_child("root/a")).unwrap().unwrap();
    at_once(tree.restart_child("root/a")).unwrap().unwrap();
    at_once(tree.terminate_child("root/a")).unwrap().unwrap();
    at_once(tree.delete_child("root/a")).unwrap().unwrap();
    assert_eq!(
        at_once(tree.delete_child("root/a")),
        Some(Err(CallError::Refused(mycelium_supervisor::CallError::NotFound)))
    );
    assert!(matches!(at_once(tree.which_children("root/desk")).unwrap(), Err(CallError::NoSupervisor(_))));
    // One that is in the middle of something finishes it first.
    at_once(tree.start_child("root", ear("c", &log))).unwrap().unwrap();
    isolate.publish(Tick(30)).unwrap();
    isolate.run_until(at_ms(1)).unwrap();
    log.take();
    assert_eq!(at_once(tree.terminate_child("root/c")), None);
    assert_eq!(at_once(tree.child("root/c")).unwrap().unwrap().status, ChildStatus::Stopping);
    isolate.run().unwrap();
    assert_eq!(at_once(tree.child("root/c")).unwrap().unwrap().status, ChildStatus::Down);
    assert_eq!(log.take(), [format!("3000 -c {}", StopReason::Shutdown)]);
}

#[test]
fn what_has_no_virtual_time_is_refused_with_its_path() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let desk = Supervisor::builder("desk").future("warm-up", || async { Ok(()) });
    let root = Supervisor::builder("root").child(ear("a", &log)).supervisor(desk);
    let error = isolate.supervise(&root).unwrap_err();
    let path = "root/desk/warm-up".into();
    assert_eq!(error, StartError::OnlyLive { path, what: "a plain future" });
    assert!(
        error
            .to_string()
            .starts_with("root/desk/warm-up is a plain future, which cannot run inside an isolate")
    );
    assert!(log.take().is_empty(), "nothing was started");
    #[cfg(unix)]
    {
        use mycelium::tree::ProcessSpec;
        let process = || Child::process("worker", ProcessSpec::new("true"));
        let error = isolate.supervise(&Supervisor::builder("root").child(process())).unwrap_err();
        assert!(error.to_string().starts_with("root/worker is an operating-system process"), "{error}");
        let tree = isolate.supervise(&Supervisor::builder("root")).unwrap();
        assert!(matches!(
            at_once(tree.start_child("root", process())).unwrap(),
            Err(CallError::OnlyLive { .. })
        ));
    }
}

#[test]
fn a_declared_process_is_refused_by_an_isolate() {
    let process = "[tree]\n[[tree.children]]\nid = \"p\"\ncommand = [\"true\"]";
    let root = Supervisor::from_toml(process, &Factories::new()).unwrap();
    let error = Isolate::new(1).supervise(&root).unwrap_err();
    assert!(error.to_string().starts_with("root/p is"), "{error}");
}

#[test]
fn the_page_shows_an_example_that_is_run() {
    // The documentation of `Isolate::supervise` is compiled and run.
    let page = include_str!("../../../../docs/supervision.md");
    let source = include_str!("../../../src/isolate/tree/handle.rs");
    let (_, section) = page.split_once("## In an isolate").unwrap();
    let (_, example) = section.split_once("```rust").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let lines: Vec<_> = example.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 5, "{example}");
    for line in lines {
        assert!(source.contains(&format!("/// {line}\n")), "not in handle.rs: {line}");
    }
}

/// Waits for a second when it is told to.
struct Before;
impl Actor for Before {
    type Error = BoxError;
}
impl Handler<Tick> for Before {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

#[test]
fn a_child_that_takes_the_id_of_another_gets_nothing_of_it() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let root = Supervisor::builder("root").strategy(Strategy::RestForOne).actor("a", || Before);
    let tree = isolate.supervise(&root).unwrap();
    isolate.tell(&tree.lookup::<Before>("root/a").unwrap(), Tick(0)).unwrap();
    isolate.run_until(at_ms(500)).unwrap();
    // The supervisor is busy until the handler has returned, and then does all of it at once.
    assert_eq!(at_once(tree.terminate_child("root/a")), None);
    assert_eq!(at_once(tree.delete_child("root/a")), None);
    assert_eq!(at_once(tree.start_child("root", ear("a", &log))), None);
    isolate.run().unwrap();
    assert_eq!(log.take(), ["1000 +a"]);
    assert!(tree.lookup::<Before>("root/a").is_none() && tree.lookup::<Ear>("root/a").is_some());
}

#[test]
fn who_runs_an_isolate_waits_for_what_its_tree_answers() {
    let log = Heard::default();
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&Supervisor::builder("root").child(ear("a", &log))).unwrap();
    // Its handler waits for three seconds, so it takes as long to stop.
    isolate.publish(Tick(30)).unwrap();
    isolate.run_until(at_ms(1)).unwrap();
    isolate.block_on(tree.terminate_child("root/a")).unwrap().unwrap();
    assert_eq!(isolate.now(), at_ms(3_000), "no further than to the answer");
    isolate.block_on(tree.restart_child("root/a")).unwrap().unwrap();
    assert_eq!(isolate.now(), at_ms(3_000));
    let never = isolate.block_on(std::future::pending::<()>()).unwrap_err();
    assert!(matches!(never, RunError::NeverReady { .. }), "{never}");
    let a = tree.lookup::<Ear>("root/a").unwrap();
    a.kill();
    assert_eq!(isolate.block_on(a.ended()).unwrap(), StopReason::Killed);
    // A bell that was taken down pauses nobody.
    let clock = isolate.clock();
    isolate
        .block_on(async {
            tokio::select! {
                biased;
                () = clock.sleep(Duration::from_secs(1)) => {}
                _ = tree.ended() => {}
            }
        })
        .unwrap();
    assert_eq!(isolate.now(), at_ms(4_000));
    tree.stop();
    isolate.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(isolate.now(), at_ms(5_000));
    let other =
        std::thread::scope(|threads| threads.spawn(|| at_once(tree.count_children("root"))).join().unwrap());
    assert_eq!(other, Some(Err(CallError::WrongThread)));
}
