//! Pools declared in TOML: what the file says of them, how a dry run sees them, and what is refused.

use mycelium_supervisor::declare::{Declaration, DeclaredDispatch, Program};
use mycelium_supervisor::sim::{Scenario, simulate};
use mycelium_supervisor::{ChildKind, Strategy};

fn pool(of_pool: &str) -> String {
    format!("[tree]\n[[tree.children]]\nid = \"risk\"\npool = \"risk\"\n{of_pool}\n")
}

#[test]
fn a_declared_pool_is_a_supervisor_with_its_workers() {
    let said = "workers = 3\ndispatch = \"least_busy\"\nintensity = 7\nrestart = \"transient\"";
    let tree = Declaration::parse(&pool(said)).unwrap().tree;
    let risk = &tree.children[0];
    assert_eq!(risk.kind, ChildKind::Supervisor);
    let dispatch = Some(DeclaredDispatch::LeastBusy);
    assert_eq!(risk.start.program, Some(Program::Pool { name: "risk".into(), workers: 3, dispatch }));
    assert_eq!(risk.start.place.line, 4, "mistakes are about its name");
    let below = risk.start.tree.as_ref().unwrap();
    assert_eq!((below.flags.intensity, below.flags.strategy), (7, Strategy::OneForOne));
    let ids: Vec<_> = below.children.iter().map(|child| &*child.id).collect();
    assert_eq!(ids, ["worker-1", "worker-2", "worker-3"]);
}

#[test]
fn a_dry_run_knows_the_workers_of_a_pool() {
    let crash = "[[events]]\nat_ms = 1000\nchild = \"root/risk/worker-2\"\nexit = \"crash\"\n";
    let scenario = Scenario::parse(&(pool("workers = 2") + crash)).unwrap();
    let mut lines = Vec::new();
    simulate(&scenario, 0, &mut |line| lines.push(format!("{line:?}"))).unwrap();
    let of_worker = lines.iter().filter(|line| line.contains("worker-2")).count();
    assert_eq!(of_worker, 3, "it starts, crashes, and starts again: {lines:#?}");
}

#[test]
fn a_pool_that_makes_no_sense_is_refused_with_the_remedy() {
    let many: String = (0..300)
        .map(|n| format!("[[tree.children]]\nid = \"p{n}\"\npool = \"p\"\nworkers = 256\n"))
        .collect();
    let plain = |text: &str| format!("[tree]\n[[tree.children]]\nid = \"a\"\n{text}\n");
    for (text, line, cause) in [
        (pool(""), 4, "pool `risk` does not say how many workers it has: give it workers = 4, say"),
        (pool("workers = 0"), 5, "must lie between 1 and 256"),
        (pool("workers = 257"), 5, "must lie between 1 and 256"),
        (pool("workers = 2\ndispatch = \"leest_busy\""), 6, "did you mean `least_busy`?"),
        (pool("workers = 2\ntype = \"worker\""), 6, "is a pool, which is a supervisor: leave `type` out"),
        (pool("workers = 2\nactor = \"a\""), 6, "either `pool` or `actor`: leave one of them out"),
        (pool("workers = 2\nstrategy = \"one_for_all\""), 6, "`strategy` is not for a pool"),
        (pool("workers = 2\n[[tree.children.children]]\nid = \"a\""), 6, "`children` is not for a pool"),
        (pool("workers = 2\nredelivery_attempts = 2"), 6, "`redelivery_attempts` belongs to a worker"),
        (pool("workers = 2\nintensity = -1"), 6, "`intensity`"),
        (plain("actor = \"a\"\nworkers = 2"), 5, "`workers` goes with `pool`, which child `a` does not have"),
        (plain("type = \"supervisor\"\ndispatch = \"round_robin\""), 5, "`dispatch` goes with `pool`"),
        (plain("pool = 3"), 4, "`pool` must be a string"),
        (format!("[tree]\n{many}"), 1029, "65536 workers at most"),
    ] {
        let mistake = Declaration::parse(&text).expect_err(&text);
        assert!(mistake.to_string().contains(cause), "{mistake} lacks {cause}");
        assert_eq!(mistake.line, line, "{mistake}");
    }
}

#[test]
fn a_pool_may_be_as_deep_as_any_supervisor() {
    for depth in [31, 32, 33, 63, 64, 65] {
        let nested = |last: &str| {
            let mut text = "[tree]\n".to_owned();
            for level in 1..depth {
                let table = format!("tree{}", ".children".repeat(level));
                let what = if level + 1 == depth { last } else { "type = \"supervisor\"" };
                text += &format!("[[{table}]]\nid = \"s{level}\"\n{what}\n");
            }
            Declaration::parse(&text).is_ok()
        };
        assert_eq!(nested("pool = \"p\"\nworkers = 1"), nested("type = \"supervisor\""), "{depth}");
    }
}
