//! Declared trees: where a mistake is said to be, what is read of a child, and which paths a script may name.

use std::time::Duration;

use mycelium_supervisor::declare::{Declaration, DeclaredThread};
use mycelium_supervisor::sim::{Act, DEPTH_MAX, Scenario, simulate};

/// A tree whose one child has these lines, from the fourth on.
fn with_child(lines: &str) -> String {
    format!("[tree]\n[[tree.children]]\nid = \"c\"\n{lines}\n")
}

#[test]
fn a_value_that_does_not_fit_is_found_in_its_own_line() {
    for (lines, line, cause) in [
        ("restart = \"transient\"\nsignificant = true", 5, "auto_shutdown = \"never\""),
        ("restart = \"transient\"\nbackoff = { multiplier = 0.5 }", 5, "multiplier is 0.5"),
        ("type = \"supervisor\"\nown_backoff = { multiplier = 0.5 }", 5, "multiplier is 0.5"),
        ("type = \"supervisor\"\nbackoff = { multiplier = 0.5 }", 5, "multiplier is 0.5"),
        ("type = \"supervisor\"\nperiod_s = 0", 5, "period is 0ns"),
        ("restart = \"transient\"\nthread = { pin_to = 1024 }", 5, "must lie between 0 and 1023"),
        ("restart = \"transient\"\nthread = { pin = 1 }", 5, "known keys: pin_to, busy_polling"),
        ("command = [\"x\"]\nthread = {}", 5, "is a process, which has its own"),
    ] {
        let mistake = Declaration::parse(&with_child(lines)).expect_err(lines);
        assert!(mistake.cause.contains(cause), "{lines}: {mistake}");
        assert_eq!(mistake.line, line, "{lines}: {mistake}");
    }
    let ends =
        "[tree]\nauto_shutdown = \"any_significant\"\n[[tree.children]]\nid = \"c\"\nsignificant = true\n";
    let mistake = Declaration::parse(ends).unwrap_err();
    assert!(mistake.cause.contains("make it transient or temporary"), "{mistake}");
    assert_eq!(mistake.line, 5);
    let twice = with_child("[[tree.children]]\nrestart = \"transient\"\nid = \"c\"");
    assert_eq!(Declaration::parse(&twice).unwrap_err().line, 6, "the id of the second");
}

#[test]
fn what_a_file_says_of_a_child_is_read() {
    let child = |lines: &str| Declaration::parse(&with_child(lines)).unwrap().tree.children.remove(0).start;
    for kind in ["worker", "supervisor"] {
        let said = child(&format!("type = \"{kind}\"\nstart_timeout_ms = 7"));
        assert_eq!(said.care.start_timeout, Some(Duration::from_millis(7)), "{kind}");
    }
    assert_eq!(child("").care.thread, None);
    assert_eq!(child("thread = {}").care.thread, Some(DeclaredThread::default()));
    let thread = child("thread = { pin_to = 1023, busy_polling = true }").care.thread.unwrap();
    assert_eq!((thread.pin_to, thread.busy_polling), (Some(1023), true));
}

/// What a script that begins like this comes to.
fn run(text: &str) -> Result<String, String> {
    let scenario = Scenario::parse(text).map_err(|mistake| mistake.to_string())?;
    let mut lines = String::new();
    simulate(&scenario, 0, &mut |line| lines.push_str(&format!("{line:?}\n"))).map_err(|e| e.to_string())?;
    Ok(lines)
}

fn event(at: u32, rest: &str) -> String {
    format!("[[events]]\nat_ms = {at}\n{rest}\n")
}

#[test]
fn a_script_may_name_what_it_has_added() {
    let tree = "[tree]\n[[tree.children]]\nid = \"desk\"\ntype = \"supervisor\"\n\
        [[tree.children]]\nid = \"pool\"\ntype = \"supervisor\"\nstrategy = \"simple_one_for_one\"\n\
        [[tree.children.children]]\nid = \"w\"\n";
    let start = |target: &str, child: &str| {
        event(
            1,
            &format!("call = \"start_child\"\ntarget = \"root/{target}\"\nchild = {{ id = \"{child}\" }}"),
        )
    };
    let exit = |path: &str| event(2, &format!("child = \"root/{path}\"\nexit = \"crash\""));
    for (target, child) in [("desk", "new"), ("pool", "named")] {
        let path = format!("{target}/{child}");
        let lines = run(&(tree.to_owned() + &start(target, child) + &exit(&path))).unwrap();
        assert!(lines.contains("Exited"), "{path}: {lines}");
        let mistake = run(&(tree.to_owned() + &exit(&path))).unwrap_err();
        assert!(mistake.contains("no child"), "{mistake}");
    }
    let unnamed = tree.to_owned() + &event(1, "call = \"start_child\"\ntarget = \"root/pool\"");
    let lines = run(&(unnamed.clone() + &exit("pool/w#1"))).unwrap();
    assert!(lines.contains("path: \"root/pool/w#1\", what: Exited"), "{lines}");
    assert!(run(&(unnamed + &exit("pool/w#one"))).unwrap_err().contains("no child `root/pool/w#one`"));
}

#[test]
fn a_script_restarts_and_deletes_what_it_has_terminated() {
    let call = |at, name: &str| event(at, &format!("call = \"{name}\"\ntarget = \"root/c\""));
    let begun = with_child("") + &call(1, "terminate_child");
    let lines = run(&(begun.clone() + &call(2, "restart_child"))).unwrap();
    assert!(lines.contains("call: \"restart_child\", result: Some(Ok(Started("), "{lines}");
    let lines = run(&(begun + &call(2, "delete_child") + &call(3, "restart_child"))).unwrap();
    assert!(lines.contains("call: \"delete_child\", result: Some(Ok(Ok))"), "{lines}");
    assert!(lines.contains("call: \"restart_child\", result: Some(Err(NotFound))"), "{lines}");
}

#[test]
fn an_instance_may_repeat_what_its_template_says() {
    let pool = "[tree]\nstrategy = \"simple_one_for_one\"\nauto_shutdown = \"any_significant\"\n\
        [[tree.children]]\nid = \"w\"\nrestart = \"transient\"\nsignificant = true\nshutdown_ms = 50\n";
    for said in ["type = \"worker\"", "restart = \"transient\"", "significant = true", "shutdown_ms = 50"] {
        let child = format!("{{ id = \"n\", {said} }}");
        let start = event(1, &format!("call = \"start_child\"\ntarget = \"root\"\nchild = {child}"));
        let lines = run(&(pool.to_owned() + &start)).unwrap_or_else(|mistake| panic!("{said}: {mistake}"));
        assert!(lines.contains("path: \"root/n\", what: Started"), "{said}: {lines}");
    }
}

/// At one path a plain supervisor may stand first and a pool later: both are in what the script may name.
#[test]
fn below_an_instance_stands_what_any_supervisor_of_that_path_may_have() {
    let tree = "[tree]\n[[tree.children]]\nid = \"p\"\ntype = \"supervisor\"\n\
        [[tree.children.children]]\nid = \"x\"\n";
    let pool = "{ id = \"p\", type = \"supervisor\", strategy = \"simple_one_for_one\", children = [\
        { id = \"w\", type = \"supervisor\", children = [{ id = \"feed\" }] }] }";
    let text = tree.to_owned()
        + &event(1, "call = \"terminate_child\"\ntarget = \"root/p\"")
        + &event(2, "call = \"delete_child\"\ntarget = \"root/p\"")
        + &event(3, &format!("call = \"start_child\"\ntarget = \"root\"\nchild = {pool}"))
        + &event(4, "call = \"start_child\"\ntarget = \"root/p\"\nchild = { id = \"x\" }")
        + &event(5, "child = \"root/p/x/feed\"\nexit = \"crash\"");
    let lines = run(&text).unwrap();
    assert!(lines.contains("path: \"root/p/x/feed\", what: Exited"), "{lines}");
}

#[test]
fn as_many_pools_may_stand_at_one_path_as_the_limit_says_and_no_more() {
    let pools = |count: u32| {
        let pool = |number: u32| {
            let child = format!(
                "{{ id = \"p\", type = \"supervisor\", strategy = \"simple_one_for_one\", \
                 children = [{{ id = \"w{number}\" }}] }}"
            );
            event(number, &format!("call = \"start_child\"\ntarget = \"root\"\nchild = {child}"))
        };
        run(&("[tree]\n".to_owned() + &(1..=count).map(pool).collect::<String>()))
    };
    assert!(pools(16).is_ok());
    assert!(pools(17).is_err_and(|mistake| mistake.contains("more than 16 different pools at one path")));
}

/// A chain of so many supervisors, the root included, whose deepest is asked for this child.
fn deep(supervisors: usize, child: &str) -> String {
    let below =
        |depth: usize| format!("[[tree{}]]\nid = \"s\"\ntype = \"supervisor\"\n", ".children".repeat(depth));
    let chain: String = (1..supervisors).map(below).collect();
    let deepest = "root".to_owned() + &"/s".repeat(supervisors - 1);
    let start = format!("call = \"start_child\"\ntarget = \"{deepest}\"\nchild = {child}");
    "[tree]\n".to_owned() + &chain + &event(1, &start)
}

#[test]
fn a_child_that_a_script_adds_may_stand_as_deep_as_a_declared_one() {
    let supervisor = "{ id = \"new\", type = \"supervisor\" }";
    let lines = run(&deep(DEPTH_MAX - 1, supervisor)).unwrap();
    assert!(lines.contains("/s/new\", what: Started"), "{lines}");
    assert!(run(&deep(DEPTH_MAX, supervisor)).unwrap_err().contains("supervisors are nested deeper than"));
    let lines = run(&deep(DEPTH_MAX, "{ id = \"new\" }")).unwrap();
    assert!(lines.contains("/s/new\", what: Started"), "a worker is no supervisor: {lines}");
}

#[test]
fn a_start_is_told_by_what_runs_only_where_it_may_be_meant_in_several_ways() {
    let tree = "[tree]\n[[tree.children]]\nid = \"p\"\ntype = \"supervisor\"\n";
    let pool = "{ id = \"p\", type = \"supervisor\", strategy = \"simple_one_for_one\", children = [{ id = \"w\" }] }";
    let begun =
        tree.to_owned() + &event(1, &format!("call = \"start_child\"\ntarget = \"root\"\nchild = {pool}"));
    let acts = |child: &str| {
        let start = event(2, &format!("call = \"start_child\"\ntarget = \"root/p\"{child}"));
        let mut script = Scenario::parse(&(begun.clone() + &start)).unwrap().script;
        script.pop().expect("two entries").act
    };
    // A child for either of the two, and one that only the pool can start.
    assert!(matches!(acts("\nchild = { id = \"x\" }"), Act::Start { calls, .. } if calls.len() == 2));
    assert!(matches!(acts(""), Act::Call { .. }));
}
