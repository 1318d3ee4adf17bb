//! `mycelium tree simulate` with scenarios that are meant to break it: large, deep, full of control
//! characters, or about supervisors that are not what they were.

mod scenario;

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use scenario::{call, check, event, exit, file, lines, refused, simulate};

const PLAIN: &str =
    "[tree]\n[[tree.children]]\nid = \"d\"\ntype = \"supervisor\"\n[[tree.children.children]]\nid = \"x\"\n";

fn start(at_ms: u32, target: &str, child: &str) -> String {
    event(at_ms, &format!("call = \"start_child\"\ntarget = \"{target}\"\nchild = {{ {child} }}"))
}

/// What is printed has a bound, and the line is named that made it too much: here, 20 lines per restart.
#[test]
fn a_run_that_prints_without_end_is_ended_and_its_event_named() {
    let fails: Vec<u32> = (2..=10_000).collect();
    let mut text = "[tree]\nstrategy = \"one_for_all\"\nintensity = 1000000\n".to_owned();
    for id in 0..20 {
        writeln!(text, "[[tree.children]]\nid = \"a{id}\"").expect("a string");
    }
    text += &format!("[[tree.children]]\nid = \"z\"\nstart_fails = {fails:?}\n");
    text += &exit(5, "root/a1", "crash");
    let event_line = text.lines().count() - 3;
    for options in [&["--max-mib", "1"][..], &["--max-mib", "1", "--json"]] {
        let output = simulate(&text, options);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!((1 << 19..=1 << 20).contains(&output.stdout.len()), "{} bytes", output.stdout.len());
        assert!(output.stdout.ends_with(b"\n"), "whole lines");
        let place = format!("line {event_line}, column 1: in what follows from this event");
        assert!(message.contains(&place) && message.contains("--max-mib"), "{message}");
    }
    let output = simulate(text.split("[[events]]").next().expect("a tree"), &["--max-mib", "0"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("while the tree starts, the run has printed 0 MiB")
    );
    assert!(output.stdout.is_empty());
}

/// `... | head`: nobody reads on, so nothing goes on.
#[test]
fn a_run_ends_when_nobody_reads_it_any_more() {
    let mut text = "[tree]\nstrategy = \"one_for_all\"\nintensity = 1000000\nperiod_s = 0.001\n".to_owned();
    for id in 0..1_000 {
        writeln!(text, "[[tree.children]]\nid = \"a{id}\"").expect("a string");
    }
    for at_ms in 0..20_000 {
        text += &exit(at_ms, "root/a1", "crash");
    }
    let path = file(&text);
    // 40 million lines, which take minutes.
    let mut child = Command::new(env!("CARGO_BIN_EXE_mycelium"))
        .args(["tree", "simulate", "--max-mib", "1000000"])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("mycelium runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let _ = std::fs::remove_file(path);
}

#[test]
fn no_message_hands_control_characters_on() {
    const NASTY: &str = r"\u001b[2J\u0007\n\u009b1m\u202e";
    let child = |id: &str| format!("[tree]\n[[tree.children]]\nid = \"{id}\"\n");
    let nasty = [
        child(NASTY),
        child(&format!("{NASTY}/")),
        format!("[tree]\nid = \"{NASTY}\"\n"),
        format!("[tree]\n\"{NASTY}\" = 1\n"),
        format!("[tree]\nstrategy = \"{NASTY}\"\n"),
        child("a") + &exit(1, NASTY, "crash"),
        child("a") + &exit(1, "root/a", NASTY),
        child("a") + &call(1, "restart_child", &format!("root/{NASTY}")),
        child("a") + &start(1, "root", &format!("id = \"{NASTY}\"")),
        child("a") + &format!("command = [\"x\"]\nenv = {{ \"{NASTY}\" = 1 }}\n"),
    ];
    for text in nasty {
        let output = simulate(&text, &[]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        let line = message.strip_suffix('\n').expect("a line");
        assert!(!line.contains(|letter: char| letter.is_control() || letter == '\u{202e}'), "{message:?}");
        assert!(line.contains(r"\u{1b}[2J\u{7}\n\u{9b}1m\u{202e}"), "{message:?}");
    }
    // A raw control character in the file is a fault of syntax, which names it as an escape or not at all.
    let output = simulate("[tree]\nid = \"a\u{1b}[2J\"\n", &[]);
    assert!(!output.stderr.contains(&0x1b));
    refused(&child("a\\tb"), 3, "without `/` and without control characters");
}

#[test]
fn what_is_nested_too_deep_is_told_with_its_line() {
    let mut tree = "[tree]\n".to_owned();
    let mut below = "tree".to_owned();
    for depth in 0..63 {
        below += ".children";
        writeln!(tree, "[[{below}]]\nid = \"s{depth}\"\ntype = \"supervisor\"").expect("a string");
    }
    assert_eq!(lines(&tree).len(), 63, "64 supervisors, the root not counted");
    for _ in 0..17 {
        below += ".children";
        writeln!(tree, "[[{below}]]\nid = \"s\"\ntype = \"supervisor\"").expect("a string");
    }
    refused(&tree, 191, "supervisors are nested deeper than 64");
    refused(&format!("[tree]\n[[{}]]", ["a"; 80].join(".")), 2, "unknown key `a`");
    refused(&format!("[tree]\n\n[[{}]]", ["a"; 1_000].join(".")), 3, "nested deeper than 160");
    // The same tree within brackets.
    let within = |depth: usize| {
        let open = "{ id = \"s\", type = \"supervisor\", children = [".repeat(depth);
        format!("[tree]\nchildren = [{open}{}]", "] }".repeat(depth))
    };
    assert_eq!(lines(&within(63)).len(), 63);
    refused(&within(64), 2, "supervisors are nested deeper than 64");
    refused(&within(10_000), 2, "nested deeper than 160");
}

/// A `start_child` that is to be refused leaves what runs as it is, for the calls that follow.
#[test]
fn a_start_of_what_runs_already_changes_nothing_for_later_calls() {
    let pool =
        "id = \"d\", type = \"supervisor\", strategy = \"simple_one_for_one\", children = [{ id = \"w\" }]";
    let script = start(1, "root", pool)
        + &start(2, "root/d", "id = \"y\", restart = \"temporary\", type = \"worker\"")
        + &start(3, "root/d", "id = \"z\", backoff = { initial_ms = 5 }")
        + &exit(4, "root/d/z", "crash")
        + &call(5, "count_children", "root/d")
        + &start(6, "root/d", "id = \"s\", type = \"supervisor\", children = [{ id = \"i\" }]")
        + &call(7, "terminate_child", "root/d/s/i")
        + &event(8, "call = \"start_child\"\ntarget = \"root/d\"");
    check(
        &(PLAIN.to_owned() + &script),
        &[
            "0 started root/d/x",
            "0 started root/d",
            "1 reply start_child root {\"error\":\"already_started\"}",
            "2 started root/d/y",
            "2 reply start_child root/d {\"ok\":\"root/d/y\"}",
            "3 started root/d/z",
            "3 reply start_child root/d {\"ok\":\"root/d/z\"}",
            "4 exited root/d/z crash",
            "4 waiting root/d/z 5",
            "5 reply count_children root/d {\"active\":2,\"specs\":3,\"supervisors\":0,\"workers\":3}",
            "6 started root/d/s/i",
            "6 started root/d/s",
            "6 reply start_child root/d {\"ok\":\"root/d/s\"}",
            "7 stopped root/d/s/i shutdown",
            "7 reply terminate_child root/d/s/i ok",
            "8 reply start_child root/d {\"error\":\"not_simple_one_for_one\"}",
            "9 started root/d/z",
        ],
    );
}

/// One supervisor deleted, another started in its stead: calls go to the one that runs.
#[test]
fn calls_go_to_the_supervisor_that_runs_at_the_time() {
    let pool = |template: &str| {
        format!(
            "id = \"d\", type = \"supervisor\", strategy = \"simple_one_for_one\", children = [{{ {template} }}]"
        )
    };
    let gone = |at_ms| call(at_ms, "terminate_child", "root/d") + &call(at_ms, "delete_child", "root/d");
    let named = |at_ms| start(at_ms, "root/d", "id = \"n\"");
    let unnamed = |at_ms| event(at_ms, "call = \"start_child\"\ntarget = \"root/d\"");
    let script = named(1)
        + &gone(2)
        + &start(3, "root", &pool("id = \"w\""))
        + &named(4)
        + &unnamed(5)
        + &exit(6, "root/d/w#1", "crash")
        + &gone(7)
        + &start(8, "root", &pool("id = \"v\", type = \"supervisor\", children = [{ id = \"deep\" }]"))
        + &named(9)
        + &exit(10, "root/d/n/deep", "crash")
        + &gone(11)
        + &start(12, "root", "id = \"d\"")
        + &named(13);
    let replies: Vec<String> = lines(&(PLAIN.to_owned() + &script))
        .into_iter()
        .filter(|line| !line.contains("stopped") && !line.ends_with(" ok"))
        .collect();
    assert_eq!(
        replies,
        [
            "0 started root/d/x",
            "0 started root/d",
            "1 started root/d/n",
            "1 reply start_child root/d {\"ok\":\"root/d/n\"}",
            "3 started root/d",
            "3 reply start_child root {\"ok\":\"root/d\"}",
            "4 started root/d/n",
            "4 reply start_child root/d {\"ok\":\"root/d/n\"}",
            "5 started root/d/w#1",
            "5 reply start_child root/d {\"ok\":\"root/d/w#1\"}",
            "6 exited root/d/w#1 crash",
            "6 started root/d/w#1",
            "8 started root/d",
            "8 reply start_child root {\"ok\":\"root/d\"}",
            "9 started root/d/n/deep",
            "9 started root/d/n",
            "9 reply start_child root/d {\"ok\":\"root/d/n\"}",
            "10 exited root/d/n/deep crash",
            "10 started root/d/n/deep",
            "12 started root/d",
            "12 reply start_child root {\"ok\":\"root/d\"}",
            "13 reply start_child root/d {\"error\":\"noproc\"}",
        ]
    );
    let other = PLAIN.to_owned()
        + &start(1, "root", &pool("id = \"w\""))
        + &start(2, "root/d", "id = \"n\", typ = 1");
    refused(&other, 16, "unknown key `typ`");
}

/// What an instance does not say, its template says.
#[test]
fn an_instance_with_one_key_of_its_own_keeps_the_others_of_its_template() {
    let tree = "[tree]\nstrategy = \"simple_one_for_one\"\n[[tree.children]]\nid = \"w\"\nrestart = \"temporary\"\n\
                start_ignores = [1]\nstop_takes_ms = 40\n";
    let script = start(1, "root", "id = \"slow\", start_ignores = []")
        + &call(2, "terminate_child", "root/slow")
        + &start(100, "root", "id = \"quick\", stop_takes_ms = 0")
        + &start(200, "root", "id = \"both\", start_fails = [1], start_ignores = []")
        + &start(300, "root", "id = \"third\", start_fails = [9]");
    check(
        &(tree.to_owned() + &script),
        &[
            "1 started root/slow",
            "1 reply start_child root {\"ok\":\"root/slow\"}",
            "42 stopped root/slow shutdown",
            "42 reply terminate_child root/slow ok",
            "100 reply start_child root {\"ok\":null}",
            "200 start_failed root/both scripted",
            "200 reply start_child root {\"error\":\"start_failed\",\"reason\":\"scripted\"}",
            "300 reply start_child root {\"ok\":null}",
        ],
    );
}

#[test]
fn messages_give_the_bounds_that_hold_and_numbers_as_they_are_written() {
    let tree = |line: &str| format!("[tree]\n{line}\n[[tree.children]]\nid = \"a\"\n");
    refused(&tree("intensity = 1000001"), 2, "`intensity` is 1000001, it must lie between 0 and 1000000");
    refused(&tree("intensity = 99999999999999999999"), 2, "between 0 and 1000000");
    refused(&tree("period_s = 1e308"), 2, "`period_s` is 1e308, that is more than 100 years");
    refused(&tree("period_s = -1e308"), 2, "`period_s` is -1e308, it must not be negative");
    refused(&tree("period_s = 1e999"), 2, "`period_s` is 1e999, that is no number");
    refused(&tree("backoff = { multiplier = -1e308 }"), 2, "multiplier is -1e308, it must be at least 1");
    refused(&tree("backoff = { jitter = 1e308 }"), 2, "jitter is 1e308, it must lie between 0 and 1");
    let digits = format!("period_s = {}.0", "9".repeat(300));
    let message = refused(&tree(&digits), 2, "`period_s` is 999999999999999999999999999999.., that is more");
    assert!(message.len() < 300, "{message}");
    refused(&(tree("") + "redelivery_attempts = 1001"), 5, "1 (a dead letter at the first failure) and 1000");
    refused(&(tree("") + "redelivery_attempts = -1"), 5, "1 (a dead letter at the first failure) and 1000");
    refused(&(tree("") + "start_fails = [1, 99999999999]"), 5, "99999999999 is none of 1 to 4294967295");
}

/// A worker is no answer where a supervisor is asked for.
#[test]
fn only_what_fits_is_suggested() {
    let tree = "[tree]\nid = \"top\"\n[[tree.children]]\nid = \"desk1\"\n[[tree.children]]\nid = \"task1\"\ntype = \"supervisor\"\n";
    let message =
        refused(&(tree.to_owned() + &call(1, "count_children", "top/desk")), 11, "no supervisor `top/desk`");
    assert!(message.contains("did you mean `top/task1`?"), "{message}");
    refused(&(tree.to_owned() + &call(1, "terminate_child", "top/tesk1/x")), 11, "did you mean `top/task1`?");
    refused(&(tree.to_owned() + &exit(1, "top/desk", "crash")), 10, "did you mean `top/desk1`?");
}

/// A quarter of the largest file: the limit on its memory is a quarter of what the largest one takes.
#[cfg(target_os = "linux")]
#[test]
fn a_large_scenario_takes_a_small_multiple_of_its_text() {
    let mut events = "[tree]\n[[tree.children]]\nid = \"a\"\n".to_owned();
    while events.len() < 4 << 20 {
        events += &event(7, "child = \"root/a\"\nexit = \"normal\"");
    }
    let ids: Vec<String> = (0..200_000).map(|id| format!("{{id=\"child-{id}\"}}")).collect();
    let one_line = format!("tree={{children=[{}]}}", ids.join(","));
    for (text, kib, expected) in [(&events, 100 << 10, 2), (&one_line, 220 << 10, 200_000)] {
        let path = file(text);
        let limited = format!("ulimit -v {kib}; exec \"$0\" tree simulate \"$1\"");
        let output = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_mycelium")])
            .arg(&path)
            .output()
            .expect("sh runs");
        let _ = std::fs::remove_file(path);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert!(printed >= expected, "{printed} lines");
    }
}

/// A script may ask for a tree many times over; what it asks for is counted before it is made.
#[test]
fn a_script_that_multiplies_its_tree_is_refused() {
    let mut text =
        "[tree]\nstrategy = \"simple_one_for_one\"\n[[tree.children]]\nid = \"w\"\ntype = \"supervisor\"\n"
            .to_owned();
    for id in 0..5_000 {
        writeln!(text, "[[tree.children.children]]\nid = \"c{id}\"").expect("a string");
    }
    let sound = text.lines().count();
    for id in 0..1_000 {
        text += &start(id, "root", &format!("id = \"i{id}\", start_fails = [1]"));
    }
    let output = simulate(&text, &[]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let line: usize =
        message.split("line ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).expect("a line");
    assert!(line > sound && message.contains("more than 4000000 children"), "{message}");
}
