//! A share of the random trees that are compared with Erlang/OTP goes through a TOML file and the JSON lines
//! of the command: they say the same as the library, which `tests/tests/otp.rs` holds to OTP with the same
//! generator.

#[path = "../../tests/tests/otp/compare.rs"]
#[allow(dead_code)]
mod compare;
#[path = "../../tests/tests/otp/encode.rs"]
mod encode;
#[path = "../../tests/tests/otp/generate.rs"]
#[allow(dead_code)]
mod generate;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use compare::Line;
use mycelium_random::{cases, seeds};
use mycelium_supervisor::sim::{Act, Plan, Scenario, Tree};
use mycelium_supervisor::{Call, ChildSpec, Shutdown};
use serde_json::Value;

const SCENARIOS: u64 = 200;

fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

/// The keys of a supervisor, as an inline table says them.
fn tree_keys(tree: &Tree) -> String {
    let strategy = encode::strategy(tree.flags.strategy);
    let auto = encode::auto_shutdown(tree.flags.auto_shutdown);
    let (intensity, period) = (tree.flags.intensity, ms(tree.flags.period) / 1e3);
    let children: Vec<String> = tree.children.iter().map(child).collect();
    let children = children.join(", ");
    format!(
        "strategy = \"{strategy}\", intensity = {intensity}, period_s = {period}, auto_shutdown = \"{auto}\", \
         children = [{children}]"
    )
}

fn behaviour(plan: &Plan) -> String {
    let mut text = format!("start_fails = {:?}, start_ignores = {:?}", plan.start_fails, plan.start_ignores);
    if plan.tree.is_none() {
        let (start, stop) = (ms(plan.start_takes), ms(plan.stop_takes));
        let _ = write!(text, ", start_takes_ms = {start}, stop_takes_ms = {stop}");
    }
    text
}

fn child(spec: &ChildSpec<Plan>) -> String {
    let restart = encode::restart(spec.restart);
    let shutdown = match spec.shutdown() {
        Shutdown::BrutalKill => "shutdown = \"brutal_kill\"".to_owned(),
        Shutdown::Infinity => "shutdown = \"infinity\"".to_owned(),
        Shutdown::Timeout(time) => format!("shutdown_ms = {}", ms(time)),
    };
    let below = match &spec.start.tree {
        Some(tree) => format!("type = \"supervisor\", {}", tree_keys(tree)),
        None => "type = \"worker\"".to_owned(),
    };
    format!(
        "{{ id = \"{}\", restart = \"{restart}\", {shutdown}, significant = {}, {}, {below} }}",
        spec.id,
        spec.significant,
        behaviour(&spec.start)
    )
}

fn toml(scenario: &Scenario) -> String {
    // Tables of one line each: TOML knows no deeper ones.
    let mut text = format!("tree = {{ id = \"{}\", {} }}\n", scenario.root, tree_keys(&scenario.tree));
    for scripted in &scenario.script {
        let _ = write!(text, "[[events]]\nat_ms = {}\n", ms(scripted.at));
        let (call, target, more) = match &scripted.act {
            Act::Exit { path, exit } => {
                let exit = encode::exit(exit);
                let _ = write!(text, "child = \"{path}\"\nexit = \"{exit}\"\n");
                continue;
            }
            Act::Call { supervisor, target, call } => match call {
                Call::StartChild(spec) => ("start_child", supervisor, format!("child = {}\n", child(spec))),
                Call::StartInstance { id, start } => {
                    let id = id.as_deref().expect("generated instances have names");
                    let more = format!("child = {{ id = \"{id}\", {} }}\n", behaviour(start));
                    ("start_child", supervisor, more)
                }
                Call::TerminateChild(_) => ("terminate_child", target, String::new()),
                Call::RestartChild(_) => ("restart_child", target, String::new()),
                Call::DeleteChild(_) => ("delete_child", target, String::new()),
                Call::WhichChildren => ("which_children", supervisor, String::new()),
                _ => ("count_children", supervisor, String::new()),
            },
            other => panic!("not in a plain scenario: {other:?}"),
        };
        let _ = write!(text, "call = \"{call}\"\ntarget = \"{target}\"\n{more}");
    }
    text
}

/// A result in the words of the library's trace. Of children their ids are left out: a pool's have none
/// there.
fn result(result: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match result {
        Value::String(word) => word.clone(),
        Value::Array(children) => {
            let each =
                children.iter().map(|child| format!("{}:{}", text(&child["state"]), text(&child["type"])));
            sorted(each.collect())
        }
        Value::Object(keys) if keys.contains_key("error") => text(&result["error"]),
        Value::Object(keys) if keys.contains_key("ok") => {
            if result["ok"].is_null() { "ignored" } else { "started" }.to_owned()
        }
        counts => ["specs", "active", "supervisors", "workers"]
            .map(|key| format!("{key}={}", counts[key]))
            .join(" "),
    }
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort();
    words.join(" ")
}

/// What a JSON line says.
fn words(line: &Value) -> Option<(u128, String)> {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let reason = match (text("reason"), line.get("detail")) {
        ("shutdown", Some(_)) => "shutdown_with",
        (word @ ("normal" | "shutdown" | "killed"), _) => word,
        _ => "abnormal",
    };
    let said = match text("event") {
        "started" => format!("started {}", text("child")),
        "start_failed" => format!("start_failed {}", text("child")),
        "exited" | "stopped" => format!("ended {} {reason}", text("child")),
        "gave_up" => format!("gave_up {}", text("child")),
        "root_exited" => format!("root_exited {reason}"),
        "reply" => format!("reply {} {}", text("call"), result(&line["result"])),
        _ => return None,
    };
    Some(((line["at_ms"].as_f64()? * 1e3).round() as u128, said))
}

fn of_library(line: Line) -> Option<(u128, String)> {
    // A call without an answer has no time there.
    let at = line.at?;
    let words: Vec<&str> = line.text.split(' ').collect();
    match words[..] {
        ["reply", call @ "which_children", _, ref children @ ..] => {
            let states = children.iter().filter_map(|child| Some(child.split_once('=')?.1.to_owned()));
            Some((at, format!("reply {call} {}", sorted(states.collect()))))
        }
        ["reply", call, _, ref result @ ..] => Some((at, format!("reply {call} {}", result.join(" ")))),
        _ => Some((at, line.text)),
    }
}

#[test]
fn random_trees_from_files_say_in_json_what_the_library_says() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("otp_words-{}.toml", std::process::id()));
    for seed in seeds(cases(SCENARIOS)) {
        let mut scenario = compare::with_its_end(&generate::plain(seed));
        let whole = scenario.clone();
        // A file may name instances only: a template is no child.
        scenario.script.retain(|scripted| match &scripted.act {
            Act::Exit { path, .. } | Act::Call { target: path, .. } => !encode::is_template(&whole, path),
            _ => true,
        });
        let text = toml(&scenario);
        std::fs::write(&file, &text).expect("the file can be written");
        let output = Command::new(env!("CARGO_BIN_EXE_mycelium"))
            .args(["tree", "simulate", "--json"])
            .arg(&file)
            .output()
            .expect("mycelium runs");
        assert!(output.status.success(), "seed {seed}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("JSON is text");
        let lines: Vec<Value> =
            printed.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
        let unanswered = |line: &&Value| {
            let error = line["result"]["error"].as_str();
            !matches!(error, Some("noproc" | "stopping"))
        };
        let said: Vec<_> = lines.iter().filter(unanswered).filter_map(words).collect();
        let library: Vec<_> = compare::trace(&scenario).into_iter().filter_map(of_library).collect();
        assert_eq!(said, library, "MYCELIUM_SEED={seed} MYCELIUM_CASES=1\n{text}");
    }
    let _ = std::fs::remove_file(file);
}
