//! Rust programs that host other languages: built with the languages' libraries, apart from the workspace,
//! which needs none of them.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All tests of both packages.
const TESTS: [&str; 5] =
    ["python_actors", "python_of_a_process", "python_without_numpy", "ocaml_actors", "killed_and_healed"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The folder of programs of a virtual environment with what the tests need, whose Python has a shared
/// library. It is that of the wheel's tests, if theirs has one.
fn environment(target: &Path) -> PathBuf {
    let script = |name: &str| {
        let mut sh = Command::new("sh");
        sh.arg(root().join("tests/python").join(name));
        sh
    };
    let (any, linked) = (said(&mut script("install.sh")), said(&mut script("shared.sh")));
    let folder = target.join(if any == linked { "python-venv" } else { "python-shared-venv" });
    let python = PathBuf::from(said(script("venv.sh").arg(&folder).env("PYTHON", linked.trim())).trim());
    python.parent().expect("it lies in a folder").to_owned()
}

#[test]
fn rust_programs_host_python_and_ocaml_actors() {
    said(Command::new("sh").arg(root().join("tests/ocaml/install.sh")));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let programs = environment(target);
    // As an active virtual environment.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(programs.clone()).chain(std::env::split_paths(&path))).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut test = Command::new(cargo);
    // They describe this test. The build script of `ring` watches one of them, and `rustls`, which would be
    // compiled again in its place, is not the same twice: the tests of documentation would not find it.
    let of_this_test = |key: &OsString| {
        key.to_str().is_some_and(|key| key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_"))
    };
    for (key, _) in std::env::vars_os().filter(|(key, _)| of_this_test(key)) {
        test.env_remove(key);
    }
    // Of all the workspace, so that its features are those of the workspace's own tests, and what these have
    // compiled is not compiled again. The feature of extension modules would leave Python's symbols out.
    test.args(["test", "--quiet", "--locked", "--workspace"]);
    test.args(["--exclude", "mycelium-wheel", "--exclude", "extension", "--exclude", "mycelium-tests"]);
    test.arg("--features")
        .arg("mycelium-embedded/ocaml,mycelium-embedded/python,polyglot/ocaml,polyglot/python");
    for name in TESTS {
        test.args(["--test", name]);
    }
    test.arg("--target-dir").arg(target).current_dir(root());
    test.env("PATH", path).env("PYO3_PYTHON", programs.join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    let told = said(&mut test);
    let passed = told.split("test result: ok. ").skip(1);
    let passed: usize = passed.filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok()).sum();
    let there = tests_in(&["tests/embedded", "examples/polyglot"]);
    assert_eq!(passed, there, "passed and there: {told}");
}

/// How many tests the sources of these packages have.
fn tests_in(packages: &[&str]) -> usize {
    let mut folders: Vec<PathBuf> = packages
        .iter()
        .flat_map(|package| ["src", "tests"].map(|part| root().join(package).join(part)))
        .collect();
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let starts = |line: &&str| {
                    ["#[test]", "#[tokio::test"].iter().any(|mark| line.trim().starts_with(mark))
                };
                count += text.lines().filter(starts).count();
            }
        }
    }
    count
}
