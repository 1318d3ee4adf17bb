//! Scripts of dry runs: what each entry does, and what is said of one that makes no sense.

use mycelium_supervisor::declare::{self, Declaration, TREE_BYTES_MAX};
use mycelium_supervisor::sim::{Behaviour, Scenario, SimError, Tree, simulate};
use mycelium_supervisor::{
    BACKOFF_CAP_MAX, Backoff, CHILDREN_MAX, CallError, ChildSpec, ExitReason, Flags, INTENSITY_MAX,
    SpecError, Strategy, check,
};
use std::time::Duration;

/// A tree with a worker, a supervisor with a worker, and a pool.
const TREE: &str = r#"
[tree]
intensity = 9
[[tree.children]]
id = "a"
[[tree.children]]
id = "desk"
type = "supervisor"
[[tree.children.children]]
id = "feed"
[[tree.children]]
id = "pool"
type = "supervisor"
strategy = "simple_one_for_one"
[[tree.children.children]]
id = "w"
restart = "transient"
shutdown_ms = 50
start_takes_ms = 5
"#;

/// What a run of the tree with these events prints.
fn run(events: &str) -> String {
    let scenario = Scenario::parse(&format!("{TREE}{events}")).unwrap_or_else(|mistake| panic!("{mistake}"));
    let mut lines = String::new();
    simulate(&scenario, 0, &mut |line| lines.push_str(&format!("{line:?}\n"))).unwrap();
    lines
}

fn event(rest: &str) -> String {
    format!("[[events]]\nat_ms = 1000\n{rest}\n")
}

#[test]
fn each_call_of_a_script_reaches_its_supervisor() {
    let calls = [
        ("call = \"which_children\"", "which_children"),
        ("call = \"count_children\"\ntarget = \"root/pool\"", "Counts"),
        (
            "call = \"terminate_child\"\ntarget = \"root/desk/feed\"",
            "\"terminate_child\", result: Some(Ok(Ok))",
        ),
        ("call = \"restart_child\"\ntarget = \"root/a\"", "Running"),
        ("call = \"delete_child\"\ntarget = \"root/a\"", "Running"),
        ("call = \"delete_child\"\ntarget = \"root/none\"", "NotFound"),
        ("call = \"start_child\"\ntarget = \"root/desk\"\nchild = { id = \"new\" }", "Started"),
        ("call = \"start_child\"\ntarget = \"root/desk/new\"\nchild = { id = \"new\" }", "root/desk/new"),
        ("call = \"start_child\"\ntarget = \"root\"\nchild = { id = \"a\" }", "AlreadyStarted"),
        ("call = \"start_child\"\ntarget = \"root/pool\"", "root/pool/w#1"),
        (
            "call = \"start_child\"\ntarget = \"root/pool\"\nchild = { id = \"x\", restart = \"transient\" }",
            "root/pool/x",
        ),
        ("call = \"restart_child\"\ntarget = \"root/pool/w\"", "SimpleOneForOne"),
        ("child = \"root/desk\"\nexit = \"kill\"", "Killed"),
        ("child = \"root/desk/feed\"\nexit = \"crash\"", "Exited"),
        ("child = \"root\"\nexit = \"kill\"", "RootExited { reason: Killed }"),
        ("child = \"root\"\nexit = \"normal\"", "RootExited"),
    ];
    for (entry, expected) in calls {
        let lines = run(&event(entry));
        assert!(lines.contains(expected), "{entry}: no {expected:?} in\n{lines}");
    }
}

#[test]
fn a_call_to_a_supervisor_that_does_not_run_has_no_result() {
    let lines = run(&(event("child = \"root/pool\"\nexit = \"normal\"")
        + &event("call = \"terminate_child\"\ntarget = \"root/desk\"")
        + "[[events]]\nat_ms = 1500\ncall = \"count_children\"\ntarget = \"root/desk\"\n"));
    assert!(lines.contains("\"count_children\", result: None"), "{lines}");
}

#[test]
fn an_instance_keeps_of_its_template_what_it_does_not_say() {
    // The first start of `x` fails as its own entry says; the second takes as long as the template says.
    let start =
        |child: &str| event(&format!("call = \"start_child\"\ntarget = \"root/pool\"\nchild = {child}"));
    let lines = run(&start("{ id = \"x\", start_fails = [1] }"));
    assert!(lines.contains("StartFailed"), "{lines}");
    let lines = run(&start("{ id = \"x\", start_ignores = [1] }"));
    assert!(lines.contains("Ignored"), "{lines}");
    let time = |lines: &str| lines.contains("1.005s");
    assert!(
        time(&run(&start("{ id = \"x\", stop_takes_ms = 20 }"))),
        "the start takes what the template says"
    );
    assert!(!time(&run(&start("{ id = \"x\", start_takes_ms = 70 }"))));
    assert!(run(&start("{ id = \"x\", start_takes_ms = 70 }")).contains("1.07s"));
}

#[test]
fn an_event_that_makes_no_sense_is_refused_with_the_remedy() {
    let start = |rest: &str| format!("call = \"start_child\"\n{rest}");
    let pool = |child: &str| start(&format!("target = \"root/pool\"\nchild = {child}"));
    let mistakes: Vec<(String, &str)> = vec![
        (String::new(), "needs `child` and `exit`, or `call` and `target`"),
        ("child = \"root/a\"".into(), "`exit` is missing"),
        ("exit = \"crash\"".into(), "`child` is missing"),
        ("child = \"root/a\"\nexit = \"crash\"\ntarget = \"root/a\"".into(), "`target` goes with `call`"),
        (
            "child = \"root/b\"\nexit = \"crash\"".into(),
            "no child `root/b` in this scenario; did you mean `root/a`?",
        ),
        ("child = \"desk/feed\"\nexit = \"crash\"".into(), "did you mean `root/desk/feed`?"),
        (
            "child = \"root/pool/w\"\nexit = \"crash\"".into(),
            "it is a template, whose instances are `root/pool/w#1`",
        ),
        ("child = \"x\"\nexit = \"crash\"".into(), "paths look like `root/desk/feed`"),
        ("child = \"root/a\"\nexit = \"crsh\"".into(), "did you mean"),
        ("call = \"terminate_child\"".into(), "`target`"),
        ("call = \"terminate_child\"\ntarget = \"root\"".into(), "is the root, which is nobody's child"),
        ("call = \"terminate_child\"\ntarget = \"a\"".into(), "did you mean `root/a`?"),
        (
            "call = \"terminate_child\"\ntarget = \"root/a/x\"".into(),
            "`root/a` is a worker, not a supervisor",
        ),
        ("call = \"terminate_child\"\ntarget = \"root/dusk/x\"".into(), "no supervisor `root/dusk`"),
        (
            "call = \"terminate_child\"\ntarget = \"root/\"".into(),
            "the id `` of a child or a root is not valid",
        ),
        (
            "call = \"delete_child\"\ntarget = \"root/a\"\nexit = \"crash\"".into(),
            "`exit` does not go with this `call`",
        ),
        (
            "call = \"delete_child\"\ntarget = \"root/a\"\nchild = \"root/a\"".into(),
            "its subject is `target`",
        ),
        (
            start("target = \"root\"\nexit = \"crash\"\nchild = { id = \"n\" }"),
            "`exit` does not go with `call`",
        ),
        (start("child = { id = \"n\" }"), "`target`"),
        (start("target = \"root\""), "`child`"),
        (start("target = \"root\"\nchild = \"n\""), "is a specification such as { id = \"a\" }"),
        (start("target = \"root\"\nchild = { restart = \"transient\" }"), "`id`"),
        (start("target = \"root/a\"\nchild = { id = \"n\" }"), "is a worker, not a supervisor"),
        (pool("{ id = \"n/m\" }"), "is not valid"),
        (pool("{ id = \"n\", restart = \"permanent\" }"), "differs from that of the template `w`"),
        (pool("{ id = \"n\", type = \"supervisor\" }"), "leave it out"),
        (pool("{ id = \"n\", shutdown_ms = 51 }"), "`shutdown_ms` differs"),
        (pool("{ id = \"n\", significant = true }"), "`significant` differs"),
        (pool("{ id = \"n\", actor = \"x\" }"), "unknown key `actor` in an instance of simple_one_for_one"),
    ];
    for (entry, expected) in mistakes {
        let text = format!("{TREE}{}", event(&entry));
        let mistake = Scenario::parse(&text).expect_err(&entry).to_string();
        assert!(mistake.contains(expected), "{entry}: no {expected:?} in {mistake}");
        assert!(mistake.starts_with("line "), "{mistake}");
    }
    let mistake =
        Scenario::parse(&format!("{TREE}[[events]]\nchild = \"root/a\"\n")).unwrap_err().to_string();
    assert!(mistake.contains("`at_ms`"), "{mistake}");
}

#[test]
fn a_child_that_makes_no_sense_is_refused_with_the_remedy() {
    let mistakes = [
        ("type = \"supervisor\"\nstart_takes_ms = 1", "a supervisor starts when its children have started"),
        ("type = \"supervisor\"\nactor = \"x\"", "`actor` belongs to a worker"),
        ("strategy = \"one_for_all\"", "`strategy` belongs to a supervisor: add type = \"supervisor\""),
        ("own_backoff = {}", "`own_backoff` belongs to a supervisor"),
        ("actor = \"x\"\nservice = \"y\"", "either `actor` or `service`"),
        ("cwd = \"/\"", "`cwd` goes with `command`"),
        ("command = []", "`command` is empty"),
        ("command = [\"\"]", "`command` is empty"),
        ("command = [\"x\"]\nready_when_told = true", "a process cannot tell"),
        ("restart_when_stuck = true", "goes with `stuck_after_ms`"),
        (
            "service = \"x\"\nredelivery_attempts = 2",
            "is about the messages of an actor: child `c` is a `service`",
        ),
        ("redelivery_attempts = 0", "a dead letter at the first failure"),
        ("start_timeout_ms = 0", "no child starts in no time"),
        ("shutdown = 5", "a time goes into `shutdown_ms`"),
        ("shutdown = \"infinity\"\nshutdown_ms = 5", "not both"),
        ("significant = true", "auto_shutdown = \"never\""),
        ("backoff = { multiplier = 0.5 }", "multiplier is 0.5, it must be at least 1"),
        ("backoff = { jitter = 1.5 }", "jitter is 1.5, it must lie between 0 and 1"),
        ("backoff = { jitter = 1e15 }", "jitter is 1e15, it must"),
        ("backoff = { cap_ms = 86400001 }", "it must not exceed"),
        ("backoff = { initial_ms = 20, cap_ms = 10 }", "initial is 20ms, it must not exceed the cap of 10ms"),
        ("type = \"supervisor\"\nown_backoff = { multiplier = 0.5 }", "backoff is not valid"),
        ("type = \"supervisor\"\nperiod_s = 0", "period is 0ns"),
        (
            "type = \"supervisor\"\nstrategy = \"simple_one_for_one\"",
            "exactly one child as its template, not 0",
        ),
        ("[[tree.children]]\nid = \"c\"", "two children have the id `c`"),
    ];
    for (child, expected) in mistakes {
        let text = format!("[tree]\n[[tree.children]]\nid = \"c\"\n{child}\n");
        for mistake in [Scenario::parse(&text).map(drop), Declaration::parse(&text).map(drop)] {
            let mistake = mistake.expect_err(child).to_string();
            assert!(mistake.contains(expected), "{child}: no {expected:?} in {mistake}");
        }
    }
    let mistake = Declaration::parse("[events]\n").unwrap_err().to_string();
    assert!(mistake.contains("`[tree]` is missing"), "{mistake}");
}

#[test]
fn a_declared_tree_runs_dry_as_its_scenario_does() {
    let declared = Declaration::parse(TREE).unwrap();
    let scenario = Scenario::parse(TREE).unwrap();
    assert_eq!((&*declared.root, &declared.tree.simulated()), (&*scenario.root, &scenario.tree));
    assert_eq!(declare::text(TREE.as_bytes()), Ok(TREE));
    let mistake = declare::text(b"[tree]\nid = \"\xff\"").unwrap_err().to_string();
    assert_eq!(mistake, "line 2, column 7: the byte 0xff is no UTF-8: save the file as UTF-8");
}

#[test]
fn a_tree_that_is_put_together_by_hand_is_the_one_that_is_read() {
    let text = "[tree]\n[[tree.children]]\nid = \"desk\"\ntype = \"supervisor\"\n\
        [[tree.children.children]]\nid = \"feed\"\n";
    let desk = Tree { children: vec![ChildSpec::worker("feed", Behaviour::worker())], ..Tree::default() };
    let root = Tree {
        children: vec![ChildSpec::supervisor("desk", Behaviour::supervisor(desk))],
        ..Tree::default()
    };
    assert_eq!(Scenario::parse(text).unwrap().tree, root);
}

#[test]
fn a_file_is_read_up_to_its_largest_size_and_a_pipe_is_not() {
    let folder = std::env::temp_dir().join(format!("mycelium-scripts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tree.toml");
    std::fs::write(&path, TREE).unwrap();
    assert_eq!(declare::read(&path).unwrap(), TREE.as_bytes());
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(TREE_BYTES_MAX).unwrap();
    assert_eq!(declare::read(&path).unwrap().len() as u64, TREE_BYTES_MAX);
    file.set_len(TREE_BYTES_MAX + 1).unwrap();
    assert!(declare::read(&path).unwrap_err().to_string().contains(&TREE_BYTES_MAX.to_string()));
    assert!(declare::read(&folder.join("none")).is_err());
    #[cfg(unix)]
    if std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().is_ok_and(|s| s.success()) {
        assert!(declare::read(&folder.join("pipe")).unwrap_err().to_string().contains("named pipe"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn errors_of_specifications_and_calls_say_the_value_and_the_remedy() {
    let errors: Vec<(String, &str)> = vec![
        (
            check::<()>(&Flags { intensity: u32::MAX, ..Flags::default() }, &[]).unwrap_err().to_string(),
            "intensity is 4294967295",
        ),
        (
            check::<()>(&Flags { period: Duration::ZERO, ..Flags::default() }, &[]).unwrap_err().to_string(),
            "greater than zero",
        ),
        (SpecError::TooManyChildren { count: 7 }.to_string(), "7 children are too many"),
        (SpecError::SignificantPermanent { id: "a".into() }.to_string(), "make it transient or temporary"),
        (CallError::NotFound.to_string(), "no child has this id"),
        (CallError::Running.to_string(), "terminate it first"),
        (CallError::Restarting.to_string(), "about to be restarted"),
        (CallError::AlreadyPresent.to_string(), "restart or delete it"),
        (CallError::SimpleOneForOne.to_string(), "no such operation on an id"),
        (CallError::NotSimpleOneForOne.to_string(), "only a simple_one_for_one"),
        (CallError::Spec(SpecError::DuplicateId { id: "a".into() }).to_string(), "`a`"),
        (CallError::StartFailed(ExitReason::Abnormal("no route".into())).to_string(), "no route"),
        (CallError::Busy.to_string(), "try again later"),
        (CallError::Stopping.to_string(), "is ending"),
        (SimError::TooManySteps.to_string(), "shorten the script"),
        (SimError::TooDeep { path: "root/a".into() }.to_string(), "root/a: supervisors are nested deeper"),
    ];
    for (error, expected) in errors {
        assert!(error.contains(expected), "no {expected:?} in {error}");
    }
    // One more, and two: the number is looked at before the ids, which are all the same.
    for count in [CHILDREN_MAX + 1, CHILDREN_MAX + 2] {
        let children = vec![ChildSpec::worker("a", ()); count];
        assert_eq!(check(&Flags::default(), &children), Err(SpecError::TooManyChildren { count }));
    }
    let most = vec![ChildSpec::worker("a", ()); CHILDREN_MAX];
    assert_eq!(check(&Flags::default(), &most), Err(SpecError::DuplicateId { id: "a".into() }));
    assert!(check::<()>(&Flags { intensity: INTENSITY_MAX, ..Flags::default() }, &[]).is_ok());
    let pool = Flags { strategy: Strategy::SimpleOneForOne, ..Flags::default() };
    assert_eq!(check::<()>(&pool, &[]), Err(SpecError::SimpleNeedsOneSpec { count: 0 }));
    let twice = [ChildSpec::worker("a", ()), ChildSpec::worker("a", ())];
    assert_eq!(check(&Flags::default(), &twice), Err(SpecError::DuplicateId { id: "a".into() }));
}

#[test]
fn a_backoff_is_good_up_to_its_bounds_and_not_past_them() {
    let good = |change: fn(&mut Backoff)| {
        let mut backoff = Backoff::default();
        change(&mut backoff);
        check::<()>(&Flags { backoff: Some(backoff), ..Flags::default() }, &[]).is_ok()
    };
    assert!(good(|b| b.multiplier = 1.0) && !good(|b| b.multiplier = 0.999));
    assert!(!good(|b| b.multiplier = f64::NAN) && !good(|b| b.multiplier = f64::INFINITY));
    assert!(good(|b| b.jitter = 0.0) && good(|b| b.jitter = 1.0));
    assert!(!good(|b| b.jitter = -0.001) && !good(|b| b.jitter = 1.001) && !good(|b| b.jitter = f64::NAN));
    assert!(good(|b| b.cap = BACKOFF_CAP_MAX));
    assert!(!good(|b| b.cap = BACKOFF_CAP_MAX + Duration::from_nanos(1)));
    assert!(good(|b| b.initial = b.cap) && !good(|b| b.initial = b.cap + Duration::from_nanos(1)));
    let told = |multiplier| {
        let backoff = Some(Backoff { multiplier, ..Backoff::default() });
        check::<()>(&Flags { backoff, ..Flags::default() }, &[]).unwrap_err().to_string()
    };
    assert!(told(-1e300).contains("multiplier is -1e300,"), "{}", told(-1e300));
    assert!(told(-2.5).contains("multiplier is -2.5,"), "{}", told(-2.5));
}

#[test]
fn what_cannot_run_is_refused_before_it_runs() {
    let twice =
        vec![ChildSpec::worker("a", Behaviour::worker()), ChildSpec::worker("a", Behaviour::worker())];
    let tree = Tree { flags: Flags::default(), children: twice };
    let scenario = Scenario { root: "root".into(), tree, script: Vec::new() };
    let error = simulate(&scenario, 0, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "supervisor root: two children have the id `a`; give each child its own");
}

#[test]
fn a_word_that_is_no_shutdown_is_told_from_a_time() {
    for (value, says) in
        [("1000", "a time goes into `shutdown_ms`"), ("\"brutal_kil\"", "did you mean `brutal_kill`?")]
    {
        let text = format!("[tree]\n[[tree.children]]\nid = \"a\"\nshutdown = {value}\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
