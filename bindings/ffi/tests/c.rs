//! The C examples and the list of misuses, compiled with the system's compiler and run: as they are, with its
//! address sanitizer, and under valgrind, where these are there.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Far more than what is waited for takes, under valgrind too.
const WATCHDOG: Duration = Duration::from_secs(300);

/// The library that cargo has made beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().find(|folder| folder.join("libmycelium_ffi.so").exists());
    folder.expect("cargo makes libmycelium_ffi.so before its tests").to_owned()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a program of this folder, with every warning as an error: once, as a test beside this one may run
/// it already.
fn compile(source: &str, name: &str, more: &[&str]) -> PathBuf {
    static COMPILED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let library = library();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut all = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if all.contains(name) {
        return out;
    }
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
    all.insert(name.to_owned());
    out
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.arg(here().join("examples/ticks.yaml")).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{said}\n{wrong}");
    said.into_owned()
}

/// A program to run as it is, with the sanitizer or under valgrind.
struct Variant {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Variant {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }
}

/// Runs it as it is, with the sanitizer and under valgrind: what it has said.
fn everywhere(source: &str) -> Vec<String> {
    variants(source).iter().map(|variant| run(&mut variant.command())).collect()
}

fn variants(source: &str) -> Vec<Variant> {
    let name = source.rsplit('/').next().unwrap().trim_end_matches(".c");
    let plain = compile(source, name, &[]);
    let mut all = vec![Variant { program: plain.clone(), arguments: Vec::new(), environment: Vec::new() }];
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
        // Counters of `cargo xtask coverage` in the library are leaks of nobody's.
        let counts = std::env::var_os("LLVM_PROFILE_FILE").is_some();
        // With whole stacks, by which what is known is told from what is not.
        let options = format!("fast_unwind_on_malloc=0:detect_leaks={}", u8::from(!counts));
        let environment = vec![("ASAN_OPTIONS", options), ("LSAN_OPTIONS", suppressed)];
        all.push(Variant { program: checked, arguments: Vec::new(), environment });
    }
    if is_there("valgrind", Command::new("valgrind").arg("--version").output().is_ok()) {
        let suppressed = format!("--suppressions={}", known.with_extension("valgrind").display());
        let arguments = [
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
            "--show-leak-kinds=definite",
            // One thread at a time runs there: those that wait for others are to give way.
            "--fair-sched=yes",
            &suppressed,
            plain.to_str().unwrap(),
        ];
        let arguments = arguments.map(str::to_owned).into();
        all.push(Variant { program: "valgrind".into(), arguments, environment: Vec::new() });
    }
    all
}

fn is_there(what: &str, is_there: bool) -> bool {
    if !is_there {
        eprintln!("left out: {what} is not there; install it to run this too");
    }
    is_there
}

fn sanitizes() -> bool {
    static SANITIZES: OnceLock<bool> = OnceLock::new();
    *SANITIZES.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sanitizes");
        let source = out.with_extension("c");
        fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-fsanitize=address,undefined"]).arg(source).arg("-o").arg(&out);
        compiler.output().is_ok_and(|output| output.status.success())
    })
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

/// A folder with the topology of the examples, each `change` made to it; it is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, change: impl Fn(&str) -> String) -> Self {
        // The path of a socket is short.
        let folder = std::env::temp_dir().join(format!("mycelium-ffi-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let example = fs::read_to_string(here().join("examples/desk.toml")).unwrap();
        fs::write(folder.join("desk.toml"), change(&example)).unwrap();
        Self(folder)
    }

    fn start(&self, mut command: Command, services: &[&str]) -> Running {
        command.arg(here().join("examples/ticks.yaml")).arg(self.0.join("desk.toml")).args(services);
        Running::start(&mut command)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that does not outlive its test. What it writes is read at once: it never waits for room in a
/// pipe.
struct Running {
    child: Child,
    said: Receiver<String>,
    wrong: Receiver<String>,
}

/// The lines that come out of a pipe, up to its end.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut pipe, mut line) = (BufReader::new(pipe), Vec::new());
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let _ = sender.send(String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned());
        }
    });
    lines
}

impl Running {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (said, wrong) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, said, wrong }
    }

    fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn has_failed(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some_and(|status| !status.success())
    }

    /// How it has ended, and all that it has said.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let [said, wrong] = [&self.said, &self.wrong].map(|lines| lines.iter().collect::<String>());
        format!("{}: {said}{wrong}", self.child.wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_program_that_writes_more_than_a_pipe_holds_comes_to_its_end() {
    let zeros = "head -c 300000 /dev/zero";
    let mut writes = Running::start(Command::new("sh").args(["-c", &format!("{zeros} >&2; {zeros}")]));
    let begin = Instant::now();
    while !writes.is_over() && begin.elapsed() < WATCHDOG {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(writes.is_over(), "it waits for a reader");
    assert_eq!(writes.end().len(), "exit status: 0: ".len() + 600_000);
}

#[test]
fn two_processes_of_one_topology_exchange_messages_in_order() {
    let folder = Folder::with("linked", str::to_owned);
    for variant in variants("examples/linked.c") {
        let mut feed = folder.start(variant.command(), &["feed"]);
        let mut means = folder.start(variant.command(), &["means"]);
        let begin = Instant::now();
        while !(feed.is_over() && means.is_over()) {
            // One that has failed takes the other with it, which would wait for ever; so does a lost message.
            if feed.has_failed() || means.has_failed() || begin.elapsed() > WATCHDOG {
                let _ = (feed.child.kill(), means.child.kill());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let ended = [feed.end(), means.end()];
        let wanted =
            ["exit status: 0: the mean of 1000 ticks is 499.5\n", "exit status: 0: answered 1000 ticks\n"];
        assert_eq!(ended, wanted);
    }
}

#[test]
fn in_a_monolith_the_same_program_is_one_process() {
    let folder = Folder::with("monolith", |text| text.replace("\"bundled\"", "\"monolith\""));
    for variant in variants("examples/linked.c") {
        let ended = folder.start(variant.command(), &["means", "feed"]).end();
        assert_eq!(ended, "exit status: 0: the mean of 1000 ticks is 499.5\nanswered 1000 ticks\n");
        assert!(!folder.0.join("run").exists(), "it does not listen");
    }
}

#[test]
fn mistakes_of_a_topology_say_where_they_are_and_what_to_do() {
    for said in everywhere("tests/c/topology.c") {
        assert_eq!(said, "each mistake is said with its place\n");
    }
}

/// C programs get SIGPIPE where others have an error.
#[test]
fn a_process_whose_peers_are_killed_in_a_flood_goes_on() {
    let program = compile("tests/c/killed.c", "killed", &[]);
    for kind in ["unix", "shm"] {
        let folder = Folder::with(kind, |text| {
            let desk = "name = \"desk\"";
            // What waits for somebody who is gone is dropped, and is not waited for.
            text.replace(desk, &format!("{desk}\nendpoint.kind = \"{kind}\""))
                + "\n[defaults]\noverflow = \"drop_oldest\"\nhold_ms = 100\n"
        });
        let floods = folder.start(Command::new(&program), &["market", "floods"]);
        for _ in 0..3 {
            let hears = folder.start(Command::new(&program), &["desk", "hears"]);
            let line = hears.said.recv().unwrap_or_default();
            assert_eq!(line, "hears\n", "{kind}: {}", hears.end());
        }
        assert_eq!(floods.end(), "exit status: 0: goes on\n", "{kind}");
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
    for what in ["publish", "publisher", "array", "callback", "empty"] {
        let Output { status, stdout, .. } =
            Command::new(&program).args([what, "2560", "104"]).output().unwrap();
        let said = String::from_utf8_lossy(&stdout);
        assert!(status.success() && said.starts_with(&format!("{what} of 104 bytes: ")), "{said}");
    }
}
