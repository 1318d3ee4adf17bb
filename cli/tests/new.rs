//! `mycelium new`: what it makes is built, tested and run as its author would, outside this workspace, and
//! with what this workspace has downloaded.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

const MYCELIUM: &str = env!("CARGO_BIN_EXE_mycelium");

/// An empty folder outside the workspace, of this name.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mycelium-new-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn new(folder: &Path, args: &[&str]) -> std::process::Output {
    Command::new(MYCELIUM).arg("new").args(args).current_dir(folder).output().unwrap()
}

/// Makes a project of this template; its folder.
fn made(template: &str, name: &str) -> PathBuf {
    let folder = folder(template);
    let output = new(&folder, &[name, "--template", template]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("cd {name}")), "{output:?}");
    let project = folder.join(name);
    // The versions that this workspace has: others may not be on this machine.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(lock, project.join("Cargo.lock")).unwrap();
    fetch();
    project
}

/// Has all of this workspace's dependencies downloaded, with the features that nothing in it switches on.
/// Where they are there already, it needs no network.
fn fetch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let status =
            Command::new("cargo").args(["fetch", "--locked", "--quiet"]).current_dir(folder).status();
        assert!(status.unwrap().success(), "the dependencies of the workspace cannot be downloaded");
    });
}

/// `cargo` in the project, beside what this workspace has compiled, so that the same is not compiled twice.
fn cargo(project: &Path, args: &[&str]) -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).args(["--quiet", "--offline", "--target-dir"]).arg(target).current_dir(project);
    let debug = std::env::var_os("CARGO_PROFILE_DEV_DEBUG").unwrap_or_else(|| "line-tables-only".into());
    command.env("CARGO_PROFILE_DEV_DEBUG", debug); // as in this workspace
    command
}

/// Its own tests pass, it compiles without a warning, and is formatted.
fn passes_its_tests(project: &Path, tests: usize) {
    let format = Command::new("cargo").args(["fmt", "--check"]).current_dir(project).output().unwrap();
    assert!(format.status.success(), "{}", String::from_utf8_lossy(&format.stdout));
    let output = cargo(project, &["test"]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains(&format!("{tests} passed")), "{out}");
    assert!(!err.contains("warning"), "{err}");
}

#[test]
fn a_library_passes_its_tests() {
    let project = made("library", "my-prices");
    passes_its_tests(&project, 2);
    fs::remove_dir_all(project.parent().unwrap()).unwrap();
}

#[test]
fn a_backtest_passes_its_tests_and_runs_its_thousand() {
    let project = made("backtest", "crossing");
    passes_its_tests(&project, 2);
    let output = cargo(&project, &["run"]).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("1000 of 1000 runs, 0 failed"), "{output:?}");
    fs::remove_dir_all(project.parent().unwrap()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_desk_passes_its_tests_runs_and_ends_in_order_at_a_signal() {
    let project = made("desk", "my_desk");
    passes_its_tests(&project, 3);
    // One part takes its time to end, and nothing ends the program before.
    let venue = project.join("src/venue.rs");
    let text = fs::read_to_string(&venue).unwrap();
    let slow = "impl Venue {
    #[stopping]
    async fn close(&mut self, _: &mycelium::StopReason, ctx: &mut Context<Self>) {
        ctx.sleep(std::time::Duration::from_secs(2)).await;
        println!(\"the venue is closed\");
    }
";
    fs::write(&venue, text.replacen("impl Venue {\n", slow, 1)).unwrap();
    let mut desk = cargo(&project, &["run"]);
    let mut desk = desk.env("DESK_SOCKET", "run/desk.sock").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(desk.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert_eq!(first, "the desk is open; Ctrl-C closes it\n");
    // As its README says.
    let mut tap = Command::new(MYCELIUM);
    tap.args(["tap", "market.quotes", "--connect", "run/desk.sock", "--count", "2"]).current_dir(&project);
    let tapped = tap.output().unwrap();
    assert!(tapped.status.success(), "{tapped:?}");
    assert_eq!(String::from_utf8_lossy(&tapped.stdout).matches("Quote").count(), 2, "{tapped:?}");
    // `cargo run` has become the program.
    let status = Command::new("kill").args(["-INT", &desk.id().to_string()]).status().unwrap();
    assert!(status.success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(desk.wait().unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("the venue is closed\nclosed: "), "{rest}");
    fs::remove_dir_all(project.parent().unwrap()).unwrap();
}

#[test]
fn what_is_there_is_not_overwritten() {
    let folder = folder("there");
    fs::create_dir(folder.join("desk")).unwrap();
    let output = new(&folder, &["desk"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("desk is there already"), "{output:?}");
    assert_eq!(fs::read_dir(folder.join("desk")).unwrap().count(), 0);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_wrong_name_or_source_makes_nothing() {
    let folder = folder("wrong");
    for (args, says) in [
        (["My Desk", "--mycelium", "https://git.example.com/m.git"], "such as `my-desk`"),
        (["desk", "--mycelium", "/nowhere"], "no checkout of Mycelium"),
    ] {
        let output = new(&folder, &args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{output:?}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn another_source_stands_in_the_manifest() {
    let folder = folder("git");
    assert!(new(&folder, &["desk", "--mycelium", "https://git.example.com/m.git"]).status.success());
    let manifest = fs::read_to_string(folder.join("desk/Cargo.toml")).unwrap();
    assert!(manifest.contains(r#"mycelium = { git = "https://git.example.com/m.git" }"#), "{manifest}");
    let container = fs::read_to_string(folder.join("desk/Dockerfile")).unwrap();
    assert!(!container.contains("build-context"), "{container}");
    fs::remove_dir_all(folder).unwrap();
}
