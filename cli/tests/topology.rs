//! `mycelium topology`: what it says of a file, and what it runs.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory with a `topology.toml`, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("mycelium-cli-t-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("topology.toml"), text).unwrap();
        Self(folder)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.arg("topology").args(args).current_dir(&self.0);
        command
    }

    /// Its exit code, what it printed and what it complained of; the folder is called `DIR`.
    fn call(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&self.0.display().to_string(), "DIR");
        (status.code(), text(stdout), text(stderr))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

const DESK: &str = r#"
socket_dir = "run"
[deployment]
mode = "bundled"
[[nodes]]
name = "market"
services = ["feed"]
[[nodes]]
name = "trader"
services = ["strategy", "execution"]
[[nodes]]
name = "audit"
endpoint.kind = "tcp"
port = 7003
[[links]]
between = ["market", "trader"]
overflow = "drop_oldest"
capacity = 64
hold_ms = 1500
[[links]]
between = ["trader", "audit"]
linked = false
[topics.ticks]
capacity = 8
"#;

fn some(code: i32, out: &str, err: &str) -> (Option<i32>, String, String) {
    (Some(code), out.to_owned(), err.to_owned())
}

#[test]
fn check_says_that_a_file_is_correct_or_where_it_is_not() {
    let desk = Folder::new(DESK);
    let correct = "topology.toml: correct, mode bundled, 3 nodes, 3 services\n";
    assert_eq!(desk.call(&["check"]), some(0, correct, ""));
    let json = "{\"file\":\"topology.toml\",\"mode\":\"bundled\",\"nodes\":3,\"ok\":true,\"services\":3}\n";
    assert_eq!(desk.call(&["check", "--json"]), some(0, json, ""));
    let (code, _, err) = desk.call(&["check", "none.toml"]);
    assert_eq!((code, err.starts_with("error: cannot read none.toml: ")), (Some(2), true), "{err}");

    let wrong = Folder::new("[deployment]\nmode = \"bundeld\"\n");
    let cause =
        "`mode` is \"bundeld\", it must be one of monolith, bundled, distributed; did you mean `bundled`?";
    let complaint = format!("error: topology.toml: line 2, column 8: {cause}\n");
    assert_eq!(wrong.call(&["check"]), some(1, "", &complaint));
    let (code, out, err) = wrong.call(&["check", "--json"]);
    let mistake: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &*err), (Some(1), ""));
    let expected =
        serde_json::json!({ "file": "topology.toml", "ok": false, "line": 2, "column": 8, "cause": cause });
    assert_eq!(mistake, expected);
}

#[test]
fn check_and_plan_know_the_trees_of_nodes() {
    let desk = Folder::new(
        "[deployment]\nmode = \"monolith\"\n[[nodes]]\nname = \"desk\"\nservices = [\"risk\"]\ntree = \"trees/desk.toml\"\n",
    );
    let missing = "line 6, column 8: cannot read the tree of `desk`, DIR/trees/desk.toml: No such file or directory (os error \
                   2): relative paths begin at the directory of this file";
    assert_eq!(desk.call(&["check"]), some(1, "", &format!("error: topology.toml: {missing}\n")));

    std::fs::create_dir(desk.0.join("trees")).unwrap();
    let tree = |text: &str| std::fs::write(desk.0.join("trees/desk.toml"), text).unwrap();
    tree("[tree]\nstratgy = \"one_for_all\"\n");
    let cause = "unknown key `stratgy` in [tree]; did you mean `strategy`?";
    let complaint = format!("error: DIR/trees/desk.toml: line 2, column 1: {cause} (the tree of `desk`)\n");
    assert_eq!(desk.call(&["check"]), some(1, "", &complaint));
    let (code, out, _) = desk.call(&["check", "--json"]);
    let expected = serde_json::json!({
        "file": "topology.toml", "tree": "DIR/trees/desk.toml", "ok": false, "line": 2, "column": 1, "cause": cause
    });
    assert_eq!((code, serde_json::from_str::<serde_json::Value>(&out).unwrap()), (Some(1), expected));

    tree("[tree]\n[[tree.children]]\nid = \"risks\"\nactor = \"risk\"\n");
    let (code, _, err) = desk.call(&["check"]);
    assert_eq!(code, Some(1));
    assert!(err.ends_with("has no child of this id; did you mean `risks`?\n"), "{err}");

    tree("[tree]\n[[tree.children]]\nid = \"risk\"\nactor = \"risk\"\n");
    assert_eq!(
        desk.call(&["check"]),
        some(0, "topology.toml: correct, mode monolith, 1 node, 1 service\n", "")
    );
    let plan = "mode monolith: 1 process\n\nmonolith: risk\n  tree of desk in DIR/trees/desk.toml\n";
    assert_eq!(desk.call(&["plan"]), some(0, plan, ""));
    let (_, out, _) = desk.call(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
    let trees = serde_json::json!([{ "node": "desk", "file": "DIR/trees/desk.toml" }]);
    assert_eq!(plan["nodes"][0]["trees"], trees);
}

#[test]
fn check_compares_topics_with_contracts() {
    let desk = Folder::new(DESK);
    let contract = |topic: &str| {
        let text = format!(
            "schema: {{id: t, version: 1}}\ndomains: [d]\ntag_ranges: {{d: [1, 9]}}\nmessages:\n  Tick: {{tlv_type: 1, topic: \
             {topic}, domain: d, fields: {{n: u64}}}}\n"
        );
        std::fs::write(desk.0.join("contracts.yaml"), text).unwrap();
    };
    contract("ticks");
    assert_eq!(desk.call(&["check", "--contract", "contracts.yaml"]).0, Some(0));
    contract("tick");
    let (code, _, err) = desk.call(&["check", "--contract", "contracts.yaml"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "error: topology.toml: line 23, column 1: [topics.ticks]: no message of the contracts has this topic; did you mean \
         `tick`?\n"
    );
    // Each file has its object, also one that is not there.
    let args = ["check", "--json", "--contract", "contracts.yaml", "topology.toml", "gone.toml"];
    let (code, out, err) = desk.call(&args);
    assert_eq!((code, err.as_str()), (Some(2), ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["line"], &lines[0]["ok"]), (&23.into(), &false.into()));
    assert_eq!((&lines[1]["file"], &lines[1]["ok"]), (&"gone.toml".into(), &false.into()));
    assert!(lines[1]["cause"].as_str().unwrap().contains("cannot read gone.toml"), "{out}");
}

#[test]
fn plan_says_who_listens_where_who_dials_whom_and_why() {
    let desk = Folder::new(DESK);
    let text = "\
mode bundled: 3 processes

market: feed
  listens at unix DIR/run/market.sock
  dialed by trader at unix DIR/run/market.sock
    because mode is bundled, so both are on one machine; when full drop_oldest, 64 messages wait at most, held for 1.5s
  dials audit at tcp 127.0.0.1:7003
    because mode is bundled, so both are on one machine, and `audit` asks for TCP; `market` has no port

trader: strategy, execution
  listens at unix DIR/run/trader.sock
  dials market at unix DIR/run/market.sock
    because mode is bundled, so both are on one machine; when full drop_oldest, 64 messages wait at most, held for 1.5s

audit: no services
  listens at tcp 127.0.0.1:7003
  dialed by market at tcp 127.0.0.1:7003
    because mode is bundled, so both are on one machine, and `audit` asks for TCP; `market` has no port

trader and audit are not linked: the file says linked = false
";
    assert_eq!(desk.call(&["plan"]), some(0, text, ""));
    let (code, out, _) = desk.call(&["plan", "topology.toml", "strategy", "--json"]);
    assert_eq!(code, Some(0));
    let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
    let node = &plan["nodes"][0];
    assert_eq!((&plan["mode"], &node["node"]), (&"bundled".into(), &"trader".into()));
    assert_eq!(node["links"][0]["endpoint"]["kind"], "unix");
    assert_eq!((&node["links"][0]["dials"], &node["links"][0]["capacity"]), (&true.into(), &64.into()));
    let unknown = desk.call(&["plan", "topology.toml", "stratgy"]);
    let cause =
        "error: topology.toml: the topology has no node and no service `stratgy`; did you mean `strategy`?\n";
    assert_eq!(unknown, some(2, "", cause));
}

#[cfg(unix)]
mod run {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Stdio};

    use super::{Folder, some};

    /// Nodes `a` and `b`, each run by this script of a shell.
    fn two(script: &str) -> Folder {
        Folder::new(&format!(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\ncommand = [\"sh\", \"-c\", '''{script}''']\n[[nodes]]\nname = \
             \"a\"\n[[nodes]]\nname = \"longer\"\nenv = {{ GREETING = \"ciao\" }}\n"
        ))
    }

    /// Ended when the test fails.
    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
                signal(&self.0, "-TERM");
                let _reaped = self.0.wait();
            }
        }
    }

    fn signal(child: &Child, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether this process, which is nobody's child any more, has ended within a minute; else it is killed.
    /// One that is dead stays until somebody reaps it.
    fn ends_soon(number: &str) -> bool {
        let kill = |signal| std::process::Command::new("kill").args([signal, number]).output().unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let is_dead = || if cfg!(target_os = "linux") { stat().contains(") Z ") } else { false };
        let begun = std::time::Instant::now();
        while kill("-0").status.success() && !is_dead() {
            if begun.elapsed() > std::time::Duration::from_secs(60) {
                kill("-9");
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        true
    }

    #[test]
    fn nodes_run_with_their_names_in_front_and_end_in_order_on_ctrl_c() {
        let folder = two(
            "trap \"echo drained; exit 0\" TERM; echo \"$${GREETING:-hello} from $MYCELIUM_NODE in $PWD with $MYCELIUM_TOPOLOGY by $MYCELIUM_PARENT\"; while :; do sleep 0.02; done",
        );
        let mut child = folder.command(&["run"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut child = Killed(child);
        let parent = format!("by {}", child.0.id());
        let mut next = || {
            let line = lines.next().unwrap().unwrap().replace(&folder.0.display().to_string(), "DIR");
            line.replace(&parent, "by ITS PARENT")
        };
        let mut hellos = [next(), next()];
        hellos.sort();
        assert_eq!(
            hellos,
            [
                "a      | hello from a in DIR with DIR/topology.toml by ITS PARENT",
                "longer | ciao from longer in DIR with DIR/topology.toml by ITS PARENT",
            ]
        );
        signal(&child.0, "-INT");
        assert_eq!([next(), next()], ["a      | drained", "longer | drained"]);
        assert_eq!(child.0.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn a_node_that_fails_is_started_again_and_the_run_ends_with_the_last_node() {
        let folder = two("if mkdir $MYCELIUM_NODE.once; then echo fails >&2; exit 7; fi; echo fine");
        let (code, out, err) = folder.call(&["run"]);
        assert_eq!(code, Some(0), "{out}{err}");
        for line in ["a      | fine", "longer | fine"] {
            assert!(out.lines().any(|found| found == line), "{out}");
        }
        assert!(err.lines().any(|line| line == "a      | fails"), "{err}");
        assert!(
            err.contains("longer | -- has ended: failed: the process ended with exit status: 7"),
            "{err}"
        );
        assert!(err.contains("a      | -- starts again in "), "{err}");
    }

    #[test]
    fn one_node_may_be_run_alone_and_a_command_may_be_given() {
        let folder = Folder::new(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\n[[nodes]]\nname = \"b\"\nservices = \
             [\"s\"]\n",
        );
        let cause = "error: topology.toml: line 4: nothing says which program runs `a`: write `command` in [deployment], or \
                     run `mycelium topology run topology.toml -- PROGRAM`\n";
        assert_eq!(folder.call(&["run"]), some(2, "", cause));
        let args = ["run", "topology.toml", "--node", "s", "--", "sh", "-c", "echo $MYCELIUM_NODE runs"];
        assert_eq!(folder.call(&args), some(0, "b | b runs\n", "b | -- has ended: normal\n"));
    }

    #[test]
    fn a_monolith_is_one_process() {
        let folder = Folder::new(
            "[deployment]\nmode = \"monolith\"\ncommand = [\"sh\", \"-c\", \"echo $MYCELIUM_NODE\"]\n[[nodes]]\nname = \"a\"\n\
             [[nodes]]\nname = \"b\"\n",
        );
        assert_eq!(
            folder.call(&["run"]),
            some(0, "monolith | monolith\n", "monolith | -- has ended: normal\n")
        );
    }

    #[test]
    fn a_monolith_has_the_command_and_the_environment_of_its_nodes() {
        let folder = |head: &str, a: &str, b: &str| {
            Folder::new(&format!(
                "[deployment]\nmode = \"monolith\"\n{head}\n[[nodes]]\nname = \"a\"\n{a}\n[[nodes]]\nname = \"b\"\n{b}\n"
            ))
        };
        let own = "command = [\"sh\", \"-c\", \"echo own $A $B\"]";
        let agreed = folder(
            "command = [\"false\"]",
            &format!("{own}\nenv = {{ A = \"1\" }}"),
            &format!("{own}\nenv = {{ B = \"2\" }}"),
        );
        let said = some(0, "monolith | own 1 2\n", "monolith | -- has ended: normal\n");
        assert_eq!(agreed.call(&["run"]), said);
        let mine = ["run", "topology.toml", "--", "echo", "mine"];
        let cause = "error: topology.toml: the file says which program runs each of these nodes: leave out what stands behind \
                     `--`, or take `command` out of the file\n";
        assert_eq!(agreed.call(&mine), some(2, "", cause));
        for (b, of) in [("", "has none"), ("command = [\"other\"]", "has another one")] {
            let cause = format!(
                "error: topology.toml: line 4: `a` has a `command` of its own, and `b` (line 7) {of}, and in a monolith they are \
                 one process: write its `command` in [deployment], or the same one in all nodes\n"
            );
            assert_eq!(folder("", own, b).call(&["run"]), some(2, "", &cause));
        }
        assert_eq!(folder("", own, "").call(&mine).1, "monolith | mine\n");
    }

    #[test]
    fn hangup_and_quit_end_nodes_in_order_as_well() {
        for name in ["-HUP", "-QUIT"] {
            let folder = two("trap \"echo drained; exit 0\" TERM; echo runs; while :; do sleep 0.02; done");
            let mut command = std::process::Command::new("env");
            if cfg!(target_os = "linux") {
                command.arg("--default-signal=HUP,QUIT");
            }
            command.arg(env!("CARGO_BIN_EXE_mycelium")).args(["topology", "run"]).current_dir(&folder.0);
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut child = Killed(child);
            let mut next = || lines.next().unwrap().unwrap();
            let mut first = [next(), next()];
            first.sort();
            assert_eq!(first, ["a      | runs", "longer | runs"]);
            signal(&child.0, name);
            assert_eq!([next(), next()], ["a      | drained", "longer | drained"], "{name}");
            assert_eq!(child.0.wait().unwrap().code(), Some(0), "{name}");
        }
    }

    /// A run that is ended by its first node while it starts the others.
    #[test]
    fn a_signal_that_comes_while_nodes_start_leaves_none_behind() {
        let nodes: String = (0..60).map(|number| format!("[[nodes]]\nname = \"n{number}\"\n")).collect();
        let folder = Folder::new(&format!(
            "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\ncommand = [\"sh\", \"-c\", '''echo $$$$ > \
             $MYCELIUM_NODE.pid; if test $MYCELIUM_NODE = n0; then kill -TERM $PPID; fi; exec sleep 1000''']\n{nodes}"
        ));
        let (code, out, err) = folder.call(&["run"]);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_some_and(|extension| extension == "pid") {
                numbers.push(std::fs::read_to_string(&entry).unwrap().trim().to_owned());
            }
        }
        // One that was killed before it had written its number has left an empty file.
        numbers.retain(|number| !number.is_empty());
        let left = numbers.iter().filter(|number| {
            std::process::Command::new("kill").args(["-9", number]).output().unwrap().status.success()
        });
        assert_eq!((code, left.count()), (Some(0), 0), "{out}{err}");
        assert!(!numbers.is_empty());
    }

    #[test]
    fn a_node_that_fails_for_ever_ends_the_run_with_code_4() {
        let folder = two("test $MYCELIUM_NODE = a && exec sleep 1000; exit 7");
        let (code, out, err) = folder.call(&["run", "--restarts", "2"]);
        assert_eq!(code, Some(4), "{out}{err}");
        assert_eq!(err.matches("longer | -- has ended").count(), 3, "{err}");
        let last =
            "the root supervisor gave up: `topology/longer` failed more often than its intensity allows\n";
        assert!(err.ends_with(last), "{err}");
        let (code, _, err) = folder.call(&["run", "--restarts", "0"]);
        assert_eq!((code, err.matches("longer | -- has ended").count()), (Some(4), 1), "{err}");
    }

    #[test]
    fn a_node_that_does_not_drain_is_code_3_and_a_second_signal_a_code_of_its_own() {
        let end = |script: &str, within: &[&str], signals: &[&str]| {
            let folder = two(script);
            let mut command = folder.command(&[&["run", "--node", "a"][..], within].concat());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut errors = child.stderr.take().unwrap();
            let mut child = Killed(child);
            for name in signals {
                assert!(lines.next().unwrap().unwrap().starts_with('a'), "it is ready for {name}");
                signal(&child.0, name);
            }
            let mut text = String::new();
            std::io::Read::read_to_string(&mut errors, &mut text).unwrap();
            (child.0.wait().unwrap().code(), text)
        };
        // Its own drain was not complete.
        let (code, err) =
            end("trap \"exit 3\" TERM; echo runs; while :; do sleep 0.02; done", &[], &["-TERM"]);
        let line =
            "a | -- was told to end and did not in order: failed: the process ended with exit status: 3\n";
        assert_eq!((code, err.contains(line)), (Some(3), true), "{err}");
        let deaf = "trap \"echo deaf\" TERM; echo runs; while :; do sleep 0.02; done";
        let (code, err) = end(deaf, &["--within", "0.3"], &["-TERM"]);
        assert_eq!((code, err.contains("a | -- was killed\n")), (Some(3), true), "{err}");
        for (second, expected) in [("-INT", 130), ("-TERM", 143)] {
            let (code, err) = end(deaf, &[], &["-TERM", second]);
            assert_eq!(code, Some(expected), "{err}");
            // The second: on a busy machine its end may take too long for the thread that watches.
            assert!(err.contains("stopped at once") || err.contains("does not obey"), "{err}");
        }
    }

    #[test]
    fn a_node_that_was_forced_or_crashed_before_its_turn_has_not_drained() {
        for (script, line) in [
            (
                "trap \"exit 143\" TERM; echo runs; while :; do sleep 0.02; done",
                "a      | -- was told to end and did not in order: failed: the process ended with exit status: 143\n",
            ),
            (
                // The second one crashes while the first takes its time: until the crash was told.
                "trap \"echo > told; while ! test -e crashed; do sleep 0.02; done; exit 0\" TERM; echo runs; \
                 while ! test -e told || test $MYCELIUM_NODE = a; do sleep 0.02; done; exit 7",
                "longer | -- has ended: failed: the process ended with exit status: 7\n",
            ),
        ] {
            let folder = two(script);
            let mut command = folder.command(&["run"]);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let errors = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut child = Killed(child);
            _ = (lines.next().unwrap(), lines.next().unwrap());
            signal(&child.0, "-INT");
            let mut text = String::new();
            for error in errors.map(Result::unwrap) {
                text += &(error + "\n");
                if text.contains("longer | -- has ended") {
                    std::fs::write(folder.0.join("crashed"), "").unwrap();
                }
            }
            assert_eq!((child.0.wait().unwrap().code(), text.contains(line)), (Some(3), true), "{text}");
        }
    }

    /// A pipe with no room, and its end from which nobody reads.
    fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
        use std::io::Write;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU64, Ordering};
        use std::time::Duration;

        let (reader, writer) = std::io::pipe().unwrap();
        let (mut filled, count) = (writer.try_clone().unwrap(), Arc::new(AtomicU64::new(0)));
        let written = Arc::clone(&count);
        // Ends when nobody can read any more.
        std::thread::spawn(move || {
            while filled.write_all(b"x").is_ok() {
                written.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut before = 0;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = count.load(Ordering::SeqCst);
            if now == before && now > 0 {
                return (reader, writer);
            }
            before = now;
        }
    }

    #[test]
    fn a_run_whose_standard_error_is_blocked_obeys_a_second_and_a_third_signal_and_leaves_nobody_behind() {
        for signals in [2, 3] {
            let deaf = "echo $$$$ > $MYCELIUM_NODE.pid; trap \"echo > $MYCELIUM_NODE.deaf\" TERM; echo runs; while :; do sleep 0.02; done";
            let folder = two(deaf);
            let (_nobody_reads, blocked) = full_pipe();
            let mut command = folder.command(&["run"]);
            let mut child = command.stdout(Stdio::piped()).stderr(blocked).spawn().unwrap();
            drop(command);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut child = Killed(child);
            // Both run; then one is told to end, and does not listen.
            _ = (lines.next(), lines.next());
            signal(&child.0, "-TERM");
            // It may not be printed: a shell complains when its `sleep` is told to end.
            while !["a.deaf", "longer.deaf"].iter().any(|name| folder.0.join(name).exists()) {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            for _ in 1..signals {
                signal(&child.0, "-TERM");
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            assert_eq!(child.0.wait().unwrap().code(), Some(143), "after {signals} signals");
            for name in ["a", "longer"] {
                let pid = std::fs::read_to_string(folder.0.join(format!("{name}.pid"))).unwrap();
                assert!(ends_soon(pid.trim()), "{name} was left behind after {signals} signals");
            }
        }
    }

    #[test]
    fn a_path_that_is_no_utf_8_is_refused_where_it_must_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let folder = two("true");
        let odd = std::ffi::OsStr::from_bytes(b"t\xffp.toml");
        std::fs::rename(folder.0.join("topology.toml"), folder.0.join(odd)).unwrap();
        let call = |command: &str| {
            let output = folder.command(&[command]).arg(odd).output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        assert_eq!(call("check"), (Some(0), String::new()));
        assert_eq!(call("plan"), (Some(0), String::new()));
        let (code, err) = call("run");
        assert!(code == Some(2) && err.contains("its path is not UTF-8"), "{err}");
    }

    #[test]
    fn a_variable_that_is_no_utf_8_is_not_its_default() {
        use std::os::unix::ffi::OsStrExt;
        let folder = Folder::new(
            "socket_dir = \"${DIR_OF_TEST:-run}\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\n",
        );
        assert_eq!(folder.call(&["check"]).0, Some(0));
        let odd = std::ffi::OsStr::from_bytes(b"r\xffn");
        let output = folder.command(&["check"]).env("DIR_OF_TEST", odd).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains("`DIR_OF_TEST` is not UTF-8"), "{err}");
    }

    #[test]
    fn a_node_on_localhost_is_not_started_on_each_machine_of_several() {
        let text = |host: &str| {
            format!(
                "socket_dir = \"run\"\n[deployment]\nmode = \"distributed\"\nplaintext = true\ncommand = [\"sh\", \"-c\", \"echo runs\"]\n\
                 [[nodes]]\nname = \"a\"\n[[nodes]]\nname = \"b\"\nhost = \"{host}\"\nport = 1\n"
            )
        };
        let folder = Folder::new(&text("203.0.113.1"));
        let (code, out, err) = folder.call(&["run"]);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        let cause = "`a` is not started: its host is localhost, which each machine is, and other nodes are on machines of \
                     their own; write its `host`, or name it with --node where it belongs\nerror: topology.toml: no node is \
                     on this machine";
        assert!(err.starts_with(cause), "{err}");
        assert_eq!(folder.call(&["run", "--node", "a"]).1, "a | runs\n");
        // All of them on one machine, as to try it out.
        let folder = Folder::new(&text("localhost"));
        let (code, out, err) = folder.call(&["run"]);
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{err}");
        // Who cannot be found may be this one.
        let folder = Folder::new(&text("no-such-host.invalid"));
        let (code, _, err) = folder.call(&["run"]);
        assert_eq!(code, Some(2));
        let cause = "the host `no-such-host.invalid` of `b` cannot be looked up (";
        assert!(err.contains(cause) && err.contains("with --node"), "{err}");
    }

    #[test]
    fn nodes_of_other_machines_are_not_run() {
        let folder = Folder::new(
            "[deployment]\nmode = \"distributed\"\nplaintext = true\ncommand = [\"sh\", \"-c\", \"echo $MYCELIUM_NODE\"]\n[[nodes]]\n\
             name = \"a\"\nhost = \"203.0.113.1\"\nport = 1\n[[nodes]]\nname = \"b\"\nhost = \"203.0.113.2\"\nport = 1\n",
        );
        let cause = "error: topology.toml: no node is on this machine, they are a (203.0.113.1), b (203.0.113.2): name those to \
                     run with --node\n";
        assert_eq!(folder.call(&["run"]), some(2, "", cause));
    }
}
