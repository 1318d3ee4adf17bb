//! The C examples and the list of misuses, compiled with the system's compiler and run: as they are, with its
//! address sanitizer, and under valgrind, where these are there.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The library that cargo has made beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().find(|folder| folder.join("libmycelium_ffi.so").exists());
    folder.expect("cargo makes libmycelium_ffi.so before its tests").to_owned()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a program of this folder, with every warning as an error.
fn compile(source: &str, name: &str, more: &[&str]) -> PathBuf {
    let library = library();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let compiled = Command::new("cc")
        .args([
            "-std=c11",
            "-D_POSIX_C_SOURCE=200809L",
            "-O1",
            "-g",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-pthread",
        ])
        .args(more)
        .arg("-I")
        .arg(here().join("include"))
        .arg(here().join(source))
        .arg("-L")
        .arg(&library)
        // Before cargo's LD_LIBRARY_PATH, where the library of an older build may lie.
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.display()))
        .args(["-lmycelium_ffi", "-o"])
        .arg(&out)
        .output()
        .expect("a C compiler is needed, which Rust needs as well: install gcc or clang");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    out
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.arg(here().join("examples/ticks.yaml")).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{said}\n{wrong}");
    said.into_owned()
}

/// Runs it as it is, with the sanitizer and under valgrind: what it has said.
fn everywhere(source: &str) -> Vec<String> {
    let name = source.rsplit('/').next().unwrap().trim_end_matches(".c");
    let mut said = Vec::new();
    let plain = compile(source, name, &[]);
    said.push(run(&mut Command::new(&plain)));
    // Contracts live as long as the process.
    let known = here().join("tests/c/leaks");
    if is_there("sanitizer", sanitizes()) {
        let checked = compile(
            source,
            &format!("{name}-asan"),
            &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        );
        let suppressed =
            format!("suppressions={}:print_suppressions=0", known.with_extension("lsan").display());
        // With whole stacks, by which what is known is told from what is not.
        let whole = "fast_unwind_on_malloc=0";
        said.push(run(Command::new(checked).env("ASAN_OPTIONS", whole).env("LSAN_OPTIONS", suppressed)));
    }
    if is_there("valgrind", Command::new("valgrind").arg("--version").output().is_ok()) {
        let suppressed = format!("--suppressions={}", known.with_extension("valgrind").display());
        let mut valgrind = Command::new("valgrind");
        valgrind.args([
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
        ]);
        // One thread at a time runs there: those that wait for others are to give way.
        said.push(run(valgrind.args(["--fair-sched=yes", &suppressed]).arg(plain)));
    }
    said
}

fn is_there(what: &str, is_there: bool) -> bool {
    if !is_there {
        eprintln!("left out: {what} is not there; install it to run this too");
    }
    is_there
}

fn sanitizes() -> bool {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sanitizes");
    let source = out.with_extension("c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-fsanitize=address,undefined"]).arg(source).arg("-o").arg(&out);
    compiler.output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_first_program_publishes_reads_and_is_called() {
    for said in everywhere("examples/first.c") {
        assert_eq!(said, "read 100 ticks, the last one 99\nthe callback has seen 4950\n");
    }
}

#[test]
fn the_program_with_actors_fails_restarts_and_answers() {
    let wanted = "a life begins\na life ends: failed: a price below zero\na life begins\nthe mean of 2 ticks is 35.0\n\
                  a life ends: was shut down\n";
    for said in everywhere("examples/actors.c") {
        assert_eq!(said, wanted);
    }
}

#[test]
fn misuse_is_an_error_that_says_what_to_do_and_never_a_crash() {
    for said in everywhere("tests/c/misuse.c") {
        assert_eq!(said, "all is refused as it should be\n");
    }
}

/// As it is: the checkers take what the threads of the parent had for lost in the child.
#[test]
fn a_child_of_fork_has_an_error_for_what_is_from_before_and_runtimes_of_its_own() {
    let program = compile("tests/c/fork.c", "fork", &["-D_DEFAULT_SOURCE"]);
    assert_eq!(run(&mut Command::new(program)), "parents and children do not disturb each other\n");
}

#[test]
fn the_program_that_counts_costs_runs() {
    let program = compile("tests/c/cost.c", "cost", &[]);
    for what in ["publish", "array", "callback", "empty"] {
        let Output { status, stdout, .. } =
            Command::new(&program).args([what, "2560", "104"]).output().unwrap();
        let said = String::from_utf8_lossy(&stdout);
        assert!(status.success() && said.starts_with(&format!("{what} of 104 bytes: ")), "{said}");
    }
}
