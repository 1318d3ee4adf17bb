//! `mycelium tree simulate`: what it prints for a scenario, and how it refuses a bad one.

mod scenario;

use std::path::Path;
use std::process::Command;

use scenario::{call, check, event, exit, lines, refused, simulate};

/// The tree and the start of the script that the tests share.
const TREE: &str = r#"
[tree]
id = "root"
strategy = "one_for_one"
intensity = 3
period_s = 5

[[tree.children]]
id = "a"
start_fails = [2]
[[tree.children]]
id = "s"
type = "supervisor"
strategy = "rest_for_one"
intensity = 1
period_s = 5
[[tree.children.children]]
id = "b"
[[tree.children.children]]
id = "c"
shutdown = "brutal_kill"
"#;

#[test]
fn a_nested_supervisor_gives_up_and_its_parent_restarts_it() {
    let script = exit(1_000, "root/s/b", "crash") + &exit(2_000, "root/s/c", "kill");
    check(
        &(TREE.to_owned() + &script),
        &[
            "0 started root/a",
            "0 started root/s/b",
            "0 started root/s/c",
            "0 started root/s",
            "1000 exited root/s/b crash",
            "1000 stopped root/s/c killed",
            "1000 started root/s/b",
            "1000 started root/s/c",
            "2000 exited root/s/c killed",
            "2000 gave_up root/s",
            "2000 stopped root/s/b shutdown",
            "2000 exited root/s shutdown",
            "2000 started root/s/b",
            "2000 started root/s/c",
            "2000 started root/s",
        ],
    );
}

#[test]
fn a_start_that_fails_is_tried_again_under_the_intensity() {
    check(
        &(TREE.to_owned() + &exit(7, "root/a", "normal")),
        &[
            "0 started root/a",
            "0 started root/s/b",
            "0 started root/s/c",
            "0 started root/s",
            "7 exited root/a normal",
            "7 start_failed root/a scripted",
            "7 started root/a",
        ],
    );
}

#[test]
fn a_first_start_that_fails_rolls_back_and_ends_the_root() {
    let tree = TREE.replace("id = \"c\"", "id = \"c\"\nstart_fails = [1]");
    check(
        &tree,
        &[
            "0 started root/a",
            "0 started root/s/b",
            "0 start_failed root/s/c scripted",
            "0 stopped root/s/b shutdown",
            "0 start_failed root/s shutdown",
            "0 stopped root/a shutdown",
            "0 root_exited root shutdown",
        ],
    );
}

#[test]
fn backoff_grows_up_to_its_cap_and_starts_anew_after_a_healthy_time() {
    let tree = "[tree]\nintensity = 9\nperiod_s = 60\n\
                backoff = { initial_ms = 100, multiplier = 2.0, cap_ms = 300, reset_after_ms = 5000 }\n\
                [[tree.children]]\nid = \"a\"\n";
    let crashes: String =
        [1_000, 1_200, 1_500, 9_000].iter().map(|at_ms| exit(*at_ms, "root/a", "crash")).collect();
    let waits = |text: &String| text.contains("waiting");
    let seen: Vec<String> = lines(&(tree.to_owned() + &crashes)).into_iter().filter(waits).collect();
    assert_eq!(
        seen,
        [
            "1000 waiting root/a 100",
            "1200 waiting root/a 200",
            "1500 waiting root/a 300",
            "9000 waiting root/a 100"
        ]
    );
}

#[test]
fn a_child_may_have_a_backoff_of_its_own() {
    let tree = r#"
[tree]
intensity = 100
backoff = { initial_ms = 100 }
[[tree.children]]
id = "patient"
[[tree.children]]
id = "hasty"
backoff = { initial_ms = 7, multiplier = 3.0 }
[[tree.children]]
id = "desk"
type = "supervisor"
backoff = { initial_ms = 50 }
own_backoff = { initial_ms = 9 }
[[tree.children.children]]
id = "b"
"#;
    let script = exit(1_000, "root/patient", "crash") + &exit(2_000, "root/hasty", "crash");
    let script = script + &exit(3_000, "root/hasty", "crash") + &exit(4_000, "root/desk", "crash");
    let lines = lines(&(tree.to_owned() + &script + &exit(5_000, "root/desk/b", "crash")));
    let waits: Vec<&String> = lines.iter().filter(|line| line.contains("waiting")).collect();
    let expected = [
        "1000 waiting root/patient 100",
        "2000 waiting root/hasty 7",
        "3000 waiting root/hasty 21",
        "4000 waiting root/desk 9",
        "5000 waiting root/desk/b 50",
    ];
    assert_eq!(waits, expected);
}

#[test]
fn a_tree_that_says_what_its_children_are_can_be_simulated() {
    let tree = r#"
[tree]
[[tree.children]]
id = "a"
actor = "journal"
redelivery_attempts = 3
[[tree.children]]
id = "p"
command = ["python3", "worker.py"]
env = { SYMBOL = "GOOG" }
cwd = "/srv"
source = false
"#;
    check(
        &(tree.to_owned() + &exit(5, "root/p", "crash")),
        &["0 started root/a", "0 started root/p", "5 exited root/p crash", "5 started root/p"],
    );
    refused(&tree.replace("[\"python3\", \"worker.py\"]", "\"python3\""), 9, "must be a list of strings");
    refused(
        &tree.replace("attempts = 3", "attempts = 0"),
        6,
        "between 1 (a dead letter at the first failure)",
    );
}

#[test]
fn a_waiting_child_is_visible_and_its_supervisor_answers_and_stops() {
    let tree = "[tree]\nbackoff = { initial_ms = 500 }\n[[tree.children]]\nid = \"a\"\n";
    let script = exit(10, "root/a", "crash")
        + &call(20, "which_children", "root")
        + &call(30, "restart_child", "root/a")
        + &call(40, "delete_child", "root/a")
        + &exit(50, "root", "shutdown");
    check(
        &(tree.to_owned() + &script),
        &[
            "0 started root/a",
            "10 exited root/a crash",
            "10 waiting root/a 500",
            "20 reply which_children root \
             [{\"id\":\"a\",\"restart_at_ms\":510,\"state\":\"restarting\",\"type\":\"worker\"}]",
            "30 reply restart_child root/a {\"error\":\"restarting\"}",
            "40 reply delete_child root/a {\"error\":\"restarting\"}",
            "50 root_exited root shutdown",
        ],
    );
}

#[test]
fn calls_change_the_tree_and_reply_as_otp_does() {
    let start = |at_ms, child: &str| {
        event(at_ms, &format!("call = \"start_child\"\ntarget = \"root\"\nchild = {{ {child} }}"))
    };
    let script = call(1, "delete_child", "root/a")
        + &call(2, "terminate_child", "root/a")
        + &start(3, "id = \"a\"")
        + &call(4, "delete_child", "root/a")
        + &call(5, "restart_child", "root/a")
        + &start(6, "id = \"a\"")
        + &start(7, "id = \"t\", restart = \"temporary\"")
        + &exit(8, "root/t", "crash")
        + &call(9, "count_children", "root")
        + &start(10, "id = \"z\", significant = true");
    let tree = "[tree]\n[[tree.children]]\nid = \"a\"\n";
    check(
        &(tree.to_owned() + &script),
        &[
            "0 started root/a",
            "1 reply delete_child root/a {\"error\":\"running\"}",
            "2 stopped root/a shutdown",
            "2 reply terminate_child root/a ok",
            "3 reply start_child root {\"error\":\"already_present\"}",
            "4 reply delete_child root/a ok",
            "5 reply restart_child root/a {\"error\":\"not_found\"}",
            "6 started root/a",
            "6 reply start_child root {\"ok\":\"root/a\"}",
            "7 started root/t",
            "7 reply start_child root {\"ok\":\"root/t\"}",
            "8 exited root/t crash",
            "9 reply count_children root {\"active\":1,\"specs\":1,\"supervisors\":0,\"workers\":1}",
            "10 reply start_child root {\"detail\":\"child `z` is significant, but its supervisor has auto_shutdown = \
             \\\"never\\\"; use any_significant or all_significant, or drop `significant`\",\
             \"error\":\"bad_combination\"}",
        ],
    );
}

#[test]
fn significant_children_end_their_supervisor() {
    let tree = "[tree]\nauto_shutdown = \"all_significant\"\n\
                [[tree.children]]\nid = \"a\"\nrestart = \"transient\"\nsignificant = true\n\
                [[tree.children]]\nid = \"b\"\nrestart = \"temporary\"\nsignificant = true\n\
                [[tree.children]]\nid = \"c\"\n";
    let script = exit(1, "root/a", "normal") + &exit(2, "root/b", "crash");
    check(
        &(tree.to_owned() + &script),
        &[
            "0 started root/a",
            "0 started root/b",
            "0 started root/c",
            "1 exited root/a normal",
            "2 exited root/b crash",
            "2 auto_shutdown root",
            "2 stopped root/c shutdown",
            "2 root_exited root shutdown",
        ],
    );
}

#[test]
fn instances_come_and_go_under_simple_one_for_one() {
    let tree =
        "[tree]\nstrategy = \"simple_one_for_one\"\n[[tree.children]]\nid = \"w\"\nrestart = \"transient\"\n";
    let script = call(1, "start_child", "root")
        + &event(2, "call = \"start_child\"\ntarget = \"root\"\nchild = { id = \"mine\" }")
        + &exit(3, "root/w#1", "crash")
        + &call(4, "count_children", "root")
        + &call(5, "terminate_child", "root/mine")
        + &call(6, "terminate_child", "root/w");
    check(
        &(tree.to_owned() + &script),
        &[
            "1 started root/w#1",
            "1 reply start_child root {\"ok\":\"root/w#1\"}",
            "2 started root/mine",
            "2 reply start_child root {\"ok\":\"root/mine\"}",
            "3 exited root/w#1 crash",
            "3 started root/w#1",
            "4 reply count_children root {\"active\":2,\"specs\":1,\"supervisors\":0,\"workers\":2}",
            "5 stopped root/mine shutdown",
            "5 reply terminate_child root/mine ok",
            "6 reply terminate_child root/w {\"error\":\"simple_one_for_one\"}",
        ],
    );
}

#[test]
fn an_instance_may_be_a_supervisor_and_repeat_what_its_template_says() {
    let tree = "[tree]\nstrategy = \"simple_one_for_one\"\n[[tree.children]]\nid = \"w\"\nrestart = \"temporary\"\n\
                type = \"supervisor\"\nstrategy = \"one_for_all\"\n\
                [[tree.children.children]]\nid = \"rx\"\n[[tree.children.children]]\nid = \"tx\"\n";
    let start =
        |child: &str| event(1, &format!("call = \"start_child\"\ntarget = \"root\"\nchild = {{ {child} }}"));
    let script = call(0, "start_child", "root")
        + &start("id = \"mine\", restart = \"temporary\"")
        + &start("type = \"supervisor\"")
        + &exit(2, "root/w#1/tx", "crash")
        + &exit(3, "root/w#1", "crash")
        + &call(4, "terminate_child", "root/w#3/rx");
    check(
        &(tree.to_owned() + &script),
        &[
            "0 started root/w#1/rx",
            "0 started root/w#1/tx",
            "0 started root/w#1",
            "0 reply start_child root {\"ok\":\"root/w#1\"}",
            "1 started root/mine/rx",
            "1 started root/mine/tx",
            "1 started root/mine",
            "1 reply start_child root {\"ok\":\"root/mine\"}",
            "1 started root/w#2/rx",
            "1 started root/w#2/tx",
            "1 started root/w#2",
            "1 reply start_child root {\"ok\":\"root/w#2\"}",
            "2 exited root/w#1/tx crash",
            "2 stopped root/w#1/rx shutdown",
            "2 started root/w#1/rx",
            "2 started root/w#1/tx",
            "3 stopped root/w#1/tx shutdown",
            "3 stopped root/w#1/rx shutdown",
            "3 exited root/w#1 crash",
            "4 reply terminate_child root/w#3/rx {\"error\":\"noproc\"}",
        ],
    );
    let refused_start = |child: &str, cause| refused(&(tree.to_owned() + &start(child)), 16, cause);
    refused_start("restart = \"permanent\", id = \"x\"", "differs from that of the template `w`");
    refused_start("id = \"x\", strategy = \"one_for_one\"", "unknown key `strategy`");
    refused(&(tree.to_owned() + &exit(1, "root/w", "crash")), 14, "instances are `root/w#1`");
    refused(&(tree.to_owned() + &exit(1, "root/w#1/zx", "crash")), 14, "no child `root/w#1/zx`");
    refused(&(tree.to_owned() + &exit(1, "root/", "crash")), 14, "no child `root/`");
}

#[test]
fn a_child_that_does_not_stop_in_time_is_killed() {
    let tree = "[tree]\n[[tree.children]]\nid = \"a\"\nshutdown_ms = 100\nstop_takes_ms = 250\n\
                [[tree.children]]\nid = \"b\"\nstop_takes_ms = 250\n";
    check(
        &(tree.to_owned() + &exit(0, "root", "shutdown")),
        &[
            "0 started root/a",
            "0 started root/b",
            "250 stopped root/b shutdown",
            "350 stopped root/a killed",
            "350 root_exited root shutdown",
        ],
    );
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let tree = "[tree]\nbackoff = { initial_ms = 1000, jitter = 0.5 }\n[[tree.children]]\nid = \"a\"\n";
    let text = tree.to_owned() + &exit(1, "root/a", "crash");
    let run = |seed| simulate(&text, &["--json", "--seed", seed]).stdout;
    assert_eq!(run("1"), run("1"));
    assert_ne!(run("1"), run("2"));
}

#[test]
fn the_time_line_is_readable() {
    let output = simulate(&(TREE.to_owned() + &exit(1_000, "root/s/b", "crash")), &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("      1000 ms  exited        root/s/b                 crash\n"), "{text}");
}

#[test]
fn bad_scenarios_are_refused_with_line_and_cause() {
    let with = |from: &str, to: &str| TREE.replacen(from, to, 1);
    refused("", 1, "`[tree]` is missing");
    refused(&with("intensity = 3", "intensty = 3"), 5, "did you mean `intensity`?");
    refused(&with("intensity = 3", "intensity = -1"), 5, "is -1, it must lie between 0 and 1000000");
    refused(&with("intensity = 3", "intensity = 1000001"), 5, "it must lie between 0 and 1000000");
    refused(&with("intensity = 3", "intensity = \"3\""), 5, "takes whole numbers, not string");
    refused(&with("period_s = 5", "period_s = 0"), 6, "must be greater than zero");
    refused(&with("one_for_one", "one_for_on"), 4, "did you mean `one_for_one`?");
    refused(&with("id = \"s\"", "id = \"a\""), 12, "two children have the id `a`");
    refused(&with("id = \"a\"", "id = \"a/b\""), 9, "without `/`");
    refused(&with("[2]", "[0]"), 10, "counts starts from 1");
    refused(&with("start_fails = [2]", "strategy = \"one_for_one\""), 10, "add type = \"supervisor\"");
    refused(&with("brutal_kill", "brutal"), 21, "must be one of brutal_kill, infinity");
    refused(&with("start_fails = [2]", "significant = true"), 10, "auto_shutdown = \"never\"");
    refused(&with("intensity = 3", "intensity ="), 5, "");
    refused(&with("one_for_one", "simple_one_for_one"), 4, "exactly one child");
    let event = |text: String| TREE.to_owned() + &text;
    refused(&event(exit(1, "root/s/bb", "crash")), 24, "did you mean `root/s/b`?");
    refused(&event(exit(1, "root/a", "crsh")), 25, "did you mean `crash`?");
    refused(&event(call(1, "terminate_chld", "root/a")), 24, "did you mean `terminate_child`?");
    refused(&event(call(1, "count_children", "root/a")), 25, "is a worker, not a supervisor");
    refused(&event(call(1, "terminate_child", "root")), 25, "the root");
    refused(&event(call(1, "terminate_child", "a")), 25, "did you mean `root/a`?");
    refused(&event(exit(1, "s/b", "crash")), 24, "did you mean `root/s/b`?");
    refused(&with("intensity = 3", "id = \"twice\""), 5, "duplicate key `id`");
    refused(&with("[2]", &format!("{:?}", vec![2; 10_001])), 10, "it may have 10000");
    refused(&event("[[events]]\nat_ms = 1\n".to_owned()), 22, "an event needs `child` and `exit`");
    refused(
        &event("[[events]]\nat_ms = -1\nchild = \"root/a\"\nexit = \"crash\"\n".to_owned()),
        23,
        "negative",
    );
}

#[test]
fn a_file_that_cannot_be_read_ends_with_code_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_mycelium"))
        .args(["tree", "simulate", "no-such-scenario.toml"])
        .output()
        .expect("mycelium runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-scenario.toml"));
    refused(b"[tree]\nid = \"\xff\"\n", 2, "the byte 0xff is no UTF-8");
}

/// Files of many editors: a byte order mark, lines that end as on Windows.
#[test]
fn a_mark_at_the_front_and_carriage_returns_do_not_move_the_line_of_a_mistake() {
    let windows = TREE.replace('\n', "\r\n");
    assert_eq!(lines(&windows), lines(TREE));
    refused(&windows.replace("intensity = 3", "intensty = 3"), 5, "did you mean `intensity`?");
    let marked = format!("\u{feff}{TREE}");
    assert_eq!(lines(&marked), lines(TREE));
    refused(&marked.replace("intensity = 3", "intensty = 3"), 5, "did you mean `intensity`?");
}

/// The example runs the same tree live, and holds the same page to what happens there.
#[test]
fn the_live_example_was_foretold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/supervision");
    let read = |name| std::fs::read_to_string(folder.join(name)).expect("the example has it");
    let page = read("README.md");
    let shown = page.lines().take_while(|line| !line.contains("draining")).filter_map(|line| {
        let mut words = line.split_once(" s  ")?.1.split_whitespace();
        let (event, path) = (words.next()?, words.next()?);
        // Nobody is stuck in a simulation: it only restarts.
        (path.starts_with("root/") && event != "stuck").then(|| format!("{event} {path}"))
    });
    let shown: Vec<String> = shown.collect();
    assert!(shown.len() > 25, "the page was not read: {shown:?}");
    let foretold: Vec<String> = lines(&read("tree.toml"))
        .into_iter()
        .map(|line| line.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" "))
        .filter(|line| !line.starts_with("reply"))
        .collect();
    assert_eq!(foretold, shown);
}

/// The tour shows this run; it must be what the command prints.
#[test]
fn the_tour_shows_what_its_scenario_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_mycelium"))
        .args(["tree", "simulate", "examples/tree/outage.toml"])
        .current_dir(&root)
        .output()
        .expect("mycelium runs");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let page = std::fs::read_to_string(root.join("docs/tour.md")).expect("the tour can be read");
    assert!(printed.contains("start_failed") && page.contains(&printed), "docs/tour.md lacks:\n{printed}");
}
