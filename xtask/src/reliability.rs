//! `cargo xtask coverage`, `mutants` and `sanitize`: how well the tests hold what they promise. On demand,
//! because each of them takes from minutes to hours; `docs/reliability.md` has what they found and how to
//! read it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fuzz::host;
use crate::step::{Failure, Step};

/// The least share of lines that the tests run, in percent: of these crates, and of everything.
const COVERED: &[(&str, f64)] = &[("mailbox", 95.0), ("supervisor", 95.0), ("remote", 95.0)];
const COVERED_IN_ALL: f64 = 85.0;

/// Folders and files whose lines are not counted: tests, benches, models and what is generated.
const NOT_COUNTED: &[&str] =
    &["/tests/", "/tests.rs", "/kills.rs", "/benches/", "/generated/", "/models/", "/models.rs", "/loom_"];

/// Packages whose faults would cost most, in the order in which their mutants are tried.
const MUTATED: &[&str] = &["mycelium-supervisor", "mycelium-mailbox"];

/// The sanitizers: their name, the compiler's, and what they run over.
const SANITIZERS: &[(&str, &str, &str)] = &[
    ("asan", "address", "--workspace"),
    ("lsan", "leak", "--workspace"),
    ("tsan", "thread", "-p mycelium-mailbox"),
];

/// AddressSanitizer over what a Python that knows nothing of it loads.
const PYTHON: &str = "asan-python";

/// Runs the tests with counters in the code, and prints which share of its lines they reached.
///
/// `args` go to `cargo test`. Packages that they name are tested alone, and only their limits hold then. The
/// lines that no test reached are listed in `target/coverage/missed.txt`.
///
/// Fails below the limits, and where no `llvm-profdata` of the compiler's LLVM is found. Tests of
/// documentation are not counted, because a stable compiler puts no counters into them.
pub(crate) fn coverage(root: &Path, args: &[String]) -> Result<(), Failure> {
    let tools = Tools::find()?;
    let target = root.join("target/coverage");
    let profiles = target.join("profiles");
    // Counts of an earlier build would be counts of other lines.
    let _ = std::fs::remove_dir_all(&profiles);
    coverage_step(&target, args).run(root)?;
    let list = ["--no-run", "--message-format=json"].map(str::to_owned);
    let built = coverage_step(&target, args).args(&list).output(root)?;
    let merged = target.join("all.profdata");
    let merge = ["merge", "-sparse", &text(&profiles), "-o", &text(&merged)].map(str::to_owned);
    Step::program("profdata", &tools.profdata, "").args(&merge).run(root)?;
    let mut export = Step::program("export", &tools.cov, "export -format=lcov");
    for binary in executables(&built) {
        export = export.args(&["-object".to_owned(), binary]);
    }
    let lcov = export.args(&[format!("-instr-profile={}", merged.display())]).output(root)?;
    let source = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_default();
    let lines = lines_of(&lcov, &text(root), source);
    let missed = target.join("missed.txt");
    std::fs::write(&missed, unreached(&lines))
        .map_err(|error| Failure::new(format!("error: {} cannot be written: {error}", missed.display())))?;
    let outcome = judge(&by_crate(&lines), &packages(args));
    println!("\nLines that no test reached: {}", missed.display());
    outcome
}

fn coverage_step(target: &Path, args: &[String]) -> Step {
    let over = if packages(args).is_empty() { "--workspace" } else { "" };
    Step::cargo("coverage", &format!("test {over} --tests --locked"))
        .args(args)
        .env("RUSTFLAGS", "-Cinstrument-coverage")
        .env("CARGO_TARGET_DIR", &text(target))
        // Every process writes a file of its own; those that end by a signal write none.
        .env("LLVM_PROFILE_FILE", &text(&target.join("profiles/%p-%m.profraw")))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The packages that arguments for cargo name.
fn packages(args: &[String]) -> Vec<&str> {
    let after = args.windows(2).filter(|two| ["-p", "--package"].contains(&two[0].as_str()));
    let joined = args.iter().filter_map(|arg| arg.strip_prefix("--package="));
    after.map(|two| two[1].as_str()).chain(joined).collect()
}

/// `llvm-profdata` and `llvm-cov` that read what this compiler writes.
struct Tools {
    profdata: String,
    cov: String,
}

impl Tools {
    fn find() -> Result<Self, Failure> {
        let major = said("rustc", &["-vV"])
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next().map(str::to_owned))
            .unwrap_or_default();
        let folder = format!("{}/lib/rustlib/{}/bin", said("rustc", &["--print", "sysroot"]).trim(), host()?);
        let runs = |name: &String| !said(name, &["--version"]).is_empty();
        let find = |tool: &str| {
            [format!("{folder}/{tool}"), format!("{tool}-{major}")].into_iter().find(runs).ok_or_else(|| {
                Failure::new(format!(
                    "error: no {tool} of LLVM {major}, which this compiler writes for: \
                     `rustup component add llvm-tools`, or `apt-get install llvm-{major}`"
                ))
            })
        };
        Ok(Self { profdata: find("llvm-profdata")?, cov: find("llvm-cov")? })
    }
}

/// What a program writes; nothing if it cannot be run.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// The test binaries and programs that cargo's messages name.
fn executables(messages: &str) -> Vec<String> {
    let named = messages.lines().filter_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split('"').next().map(str::to_owned)
    });
    let mut all: Vec<String> = named.collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// By file, the lines that are counted and whether a test reached them.
type Lines = BTreeMap<String, BTreeMap<usize, bool>>;

/// Reads what `llvm-cov export -format=lcov` writes. `source` gives the text of a file.
fn lines_of(lcov: &str, root: &str, source: impl Fn(&str) -> String) -> Lines {
    let mut all = Lines::new();
    let mut now: Option<(&mut BTreeMap<usize, bool>, usize)> = None;
    for record in lcov.lines() {
        if let Some(path) = record.strip_prefix("SF:") {
            now = path
                .strip_prefix(root)
                .map(|path| path.trim_start_matches('/'))
                .filter(|file| counted(file))
                .map(|file| (all.entry(file.to_owned()).or_default(), first_test_line(&source(file))));
        } else if let (Some((lines, end)), Some(rest)) = (&mut now, record.strip_prefix("DA:")) {
            let mut fields = rest.split(',');
            let number = fields.next().and_then(|number| number.parse::<usize>().ok());
            let (Some(number), Some(count)) = (number, fields.next()) else { continue };
            if number < *end {
                *lines.entry(number).or_default() |= count != "0";
            }
        }
    }
    all
}

fn counted(file: &str) -> bool {
    file.contains("/src/")
        && !file.starts_with("tests/")
        && !NOT_COUNTED.iter().any(|part| file.contains(part))
}

/// Where the unit tests of a file begin, which stand last.
fn first_test_line(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod "));
    tests.map_or(usize::MAX, |index| index + 1)
}

/// Lines that were not reached, as `file:line`.
fn unreached(lines: &Lines) -> String {
    let missed = lines.iter().flat_map(|(file, lines)| {
        lines.iter().filter(|(_, reached)| !**reached).map(move |(number, _)| format!("{file}:{number}\n"))
    });
    missed.collect()
}

/// Lines and lines that were not reached, by the folder of the crate.
fn by_crate(lines: &Lines) -> BTreeMap<String, (u64, u64)> {
    let mut crates: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (file, lines) in lines {
        let Some((folder, _)) = file.split_once("/src/") else { continue };
        let sum = crates.entry(folder.to_owned()).or_default();
        let missed = lines.values().filter(|reached| !**reached).count() as u64;
        *sum = (sum.0 + lines.len() as u64, sum.1 + missed);
    }
    crates
}

/// Prints the shares and holds them to the limits: those of the packages that were named, or all.
fn judge(crates: &BTreeMap<String, (u64, u64)>, named: &[&str]) -> Result<(), Failure> {
    let share = |(lines, missed): (u64, u64)| 100.0 * (1.0 - missed as f64 / lines.max(1) as f64);
    let tested =
        |folder: &str| named.is_empty() || named.iter().any(|name| name.ends_with(&format!("-{folder}")));
    let all = crates.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    let mut short = Vec::new();
    println!("\n{:<24} {:>7} {:>7} {:>8}  at least", "crate", "lines", "missed", "reached");
    for (name, lines) in crates.iter().map(|(name, lines)| (name.as_str(), *lines)).chain([("all", all)]) {
        let limit =
            COVERED.iter().find(|(limited, _)| *limited == name && tested(name)).map(|(_, limit)| *limit);
        let limit = limit.or((name == "all" && named.is_empty()).then_some(COVERED_IN_ALL));
        let told = limit.map_or(String::new(), |limit| format!("{limit} %"));
        println!("{name:<24} {:>7} {:>7} {:>6.1} %  {told}", lines.0, lines.1, share(lines));
        if limit.is_some_and(|limit| share(lines) < limit) {
            short.push(format!("{name} has {:.1} %", share(lines)));
        }
    }
    if crates.is_empty() {
        return Err(Failure::new("error: no line of this workspace was counted".to_owned()));
    }
    if short.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("error: too few lines are reached: {}", short.join(", "))))
    }
}

/// Changes the code in thousands of small ways, one at a time, and says which of them no test notices.
///
/// `args` go to cargo-mutants, and choose the package if they name one: `-p mycelium-supervisor --shard
/// 0/50`.
pub(crate) fn mutants(root: &Path, args: &[String]) -> Result<(), Failure> {
    if said("cargo", &["mutants", "--version"]).is_empty() {
        return Err(Failure::new(
            "error: cargo-mutants is missing: `cargo install --locked cargo-mutants`".to_owned(),
        ));
    }
    mutants_step(args).run(root)
}

fn mutants_step(args: &[String]) -> Step {
    let named = packages(args);
    let packages =
        MUTATED.iter().filter(|_| named.is_empty()).map(|name| format!(" -p {name}")).collect::<String>();
    // One job: most tests have a watchdog, and a starved machine must not look like a caught mutant.
    Step::cargo("mutants", &format!("mutants --jobs 1 --output target/mutants{packages}"))
        .args(args)
        // Much of the time of each mutant goes into linking; nobody debugs one.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
}

/// Runs tests under a sanitizer; `args` go to `cargo test`.
pub(crate) fn sanitize(root: &Path, args: &[String]) -> Result<(), Failure> {
    if let Some((PYTHON, args)) = args.split_first().map(|(name, args)| (name.as_str(), args)) {
        return sanitize_python(root, args);
    }
    let names: Vec<&str> = SANITIZERS.iter().map(|(name, ..)| *name).chain([PYTHON]).collect();
    let known = args.split_first().filter(|(name, _)| names.contains(&name.as_str()));
    let Some((name, args)) = known else {
        let usage = format!("usage: cargo xtask sanitize {} [CARGO TEST ARGS]", names.join("|"));
        return Err(Failure::new(usage));
    };
    let library =
        Path::new(said("rustc", &["--print", "sysroot"]).trim()).join("lib/rustlib/src/rust/library");
    if name == "tsan" && !library.is_dir() {
        return Err(Failure::new(
            "error: the source of the standard library is missing, which ThreadSanitizer builds as well: \
             `rustup component add rust-src`"
                .to_owned(),
        ));
    }
    sanitize_step(root, &host()?, name, args)?.run(root)
}

fn sanitize_step(root: &Path, host: &str, name: &str, args: &[String]) -> Result<Step, Failure> {
    let Some((name, kind, over)) = SANITIZERS.iter().find(|(known, ..)| *known == name) else {
        return Err(Failure::new(format!("error: no sanitizer `{name}`")));
    };
    let over = if packages(args).is_empty() { over } else { "" };
    // What ThreadSanitizer has not built it does not understand: without a standard library of its own it
    // takes for races what locks, channels, the last drop of an `Arc` and the ends of threads order.
    let std = if *kind == "thread" { "-Zbuild-std" } else { "" };
    let step =
        Step::cargo("sanitize", &format!("test --locked --tests --no-fail-fast {std} {over}")).args(args);
    Ok(with_sanitizer(step, kind, host, &root.join("target").join(name))
        .env("LSAN_OPTIONS", &format!("suppressions={}", text(&root.join("xtask/lsan.supp")))))
}

/// Has what cargo compiles bring the sanitizer.
fn with_sanitizer(step: Step, kind: &str, host: &str, target: &Path) -> Step {
    step.env("RUSTC_BOOTSTRAP", "1")
        // Without frame pointers, stacks end in the allocator, and nothing that is known can be named in
        // them.
        .env("RUSTFLAGS", &format!("-Zsanitizer={kind} -Cforce-frame-pointers=yes"))
        // A target that is named leaves build scripts and macros without it. Tests that call cargo inherit
        // it.
        .env("CARGO_BUILD_TARGET", host)
        .env("CARGO_TARGET_DIR", &text(target))
}

/// Runs the tests of the Python package with AddressSanitizer in its native half; `args` go to `cargo test`.
fn sanitize_python(root: &Path, args: &[String]) -> Result<(), Failure> {
    let (host, target) = (host()?, root.join("target/asan"));
    let runtime = shared_runtime(root, &host, &target)?;
    let reports = target.join("python-reports");
    // Those of an earlier run.
    let _ = std::fs::remove_dir_all(&reports);
    std::fs::create_dir_all(&reports)
        .map_err(|error| Failure::new(format!("error: {} cannot be made: {error}", reports.display())))?;
    judged(python_step(&host, &target, &runtime, &reports, args).run(root), &reports)
}

/// A report is a failure though all tests pass: many run Python in a process of its own, and expect some of
/// these to fail.
fn judged(outcome: Result<(), Failure>, reports: &Path) -> Result<(), Failure> {
    let count = std::fs::read_dir(reports).and_then(|entries| entries.map(|entry| entry.map(|_| 1)).sum());
    match count {
        Ok(0) => outcome,
        Ok::<usize, _>(count) => Err(Failure::new(format!(
            "FAILED: reports of AddressSanitizer in {}: {count}",
            reports.display()
        ))),
        // Whether there were any, nobody knows.
        Err(error) => Err(Failure::new(format!(
            "error: the reports of AddressSanitizer in {} cannot be read: {error}",
            reports.display()
        ))),
    }
}

fn python_step(host: &str, target: &Path, runtime: &Path, reports: &Path, args: &[String]) -> Step {
    let step = Step::cargo("sanitize", "test --locked -p mycelium-tests --test python").args(args);
    // Python itself leaves much behind when it ends.
    let options = format!("detect_leaks=0:log_path={}", text(&reports.join("report")));
    with_sanitizer(step, "address", host, target)
        .env("ASAN_OPTIONS", &options)
        .env("MYCELIUM_PRELOAD", &text(runtime))
        // Python's own allocator would hide its objects.
        .env("PYTHONMALLOC", "malloc")
        // What was freed is kept for a while.
        .env("MYCELIUM_MEMORY", "unjudged")
}

/// The sanitizer's runtime as a library that is loaded before a program: the compiler has it only as an
/// archive for programs of its own.
fn shared_runtime(root: &Path, host: &str, target: &Path) -> Result<PathBuf, Failure> {
    let folder =
        Path::new(said("rustc", &["--print", "sysroot"]).trim()).join(format!("lib/rustlib/{host}/lib"));
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let archive = files.into_iter().find(|file| text(file).ends_with("_rt.asan.a")).ok_or_else(|| {
        Failure::new(format!("error: the compiler has no AddressSanitizer in {}", folder.display()))
    })?;
    let (copy, library) = (target.join("runtime.a"), target.join("libruntime.so"));
    std::fs::create_dir_all(target)
        .and_then(|()| std::fs::copy(&archive, &copy))
        .map_err(|error| Failure::new(format!("error: {} cannot be written: {error}", copy.display())))?;
    // It is to begin before all else, which only a program can ask for.
    Step::program("runtime", "ar", "d").args(&[text(&copy), "asan_preinit.cpp.o".to_owned()]).run(root)?;
    // The library of C++ comes along: what it throws is looked for once, at the start.
    Step::program("runtime", "c++", "-shared -Wl,--no-as-needed -Wl,--whole-archive")
        .args(&[text(&copy), "-Wl,--no-whole-archive".to_owned(), "-o".to_owned(), text(&library)])
        .run(root)?;
    Ok(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// A record of lcov: lines from 1, of which the last `missed` were not reached.
    fn record(file: &str, lines: usize, missed: usize) -> String {
        let counts = (1..=lines).map(|line| format!("DA:{line},{}\n", u8::from(line <= lines - missed)));
        format!("SF:/w/{file}\nFN:1,f\n{}LF:1\nend_of_record\n", counts.collect::<String>())
    }

    #[test]
    fn shares_are_summed_by_crate_and_held_to_their_limits() {
        let with = |missed| {
            let files = [("mailbox/src/fifo.rs", 150, 3), ("mailbox/src/topic/core.rs", 50, missed)];
            let lcov: String =
                files.iter().map(|(file, lines, missed)| record(file, *lines, *missed)).collect();
            lines_of(&(lcov + &record("actors/macros/src/lib.rs", 20, 20)), "/w", |_| String::new())
        };
        let crates = by_crate(&with(7));
        assert_eq!(crates.get("mailbox"), Some(&(200, 10)));
        assert_eq!(crates.get("actors/macros"), Some(&(20, 20)));
        assert_eq!(crates.len(), 2);
        assert!(judge(&crates, &[]).is_ok(), "95 % of mailbox, 86.4 % of all");
        let failure = judge(&by_crate(&with(8)), &[]).unwrap_err().to_string();
        assert!(failure.contains("mailbox has 94.5 %") && !failure.contains("all"), "{failure}");
        assert!(judge(&by_crate(&with(8)), &["mycelium-remote"]).is_ok(), "what is not tested has no limit");
        assert!(judge(&by_crate(&with(8)), &["mycelium-mailbox"]).is_err());
        assert!(judge(&by_crate(&Lines::new()), &[]).is_err(), "nothing counted is a fault of the command");
    }

    #[test]
    fn only_lines_that_ship_are_counted_and_those_missed_are_named() {
        let lcov = record("remote/src/frame.rs", 6, 4)
            + &record("remote/tests/frame.rs", 6, 0)
            + &record("tests/random/src/lib.rs", 6, 0)
            + &record("mailbox/src/loom_drops.rs", 6, 0)
            + "SF:/elsewhere/src/lib.rs\nDA:1,1\nend_of_record\n"
            // The same file in another binary, which reached line 3.
            + "SF:/w/remote/src/frame.rs\nDA:3,1\nend_of_record\n";
        let source = |file: &str| {
            assert_eq!(file, "remote/src/frame.rs");
            "1\n2\n3\n4\n#[cfg(test)]\nmod tests {\n}\n".to_owned()
        };
        let lines = lines_of(&lcov, "/w", source);
        assert_eq!(unreached(&lines), "remote/src/frame.rs:4\n");
        assert_eq!(by_crate(&lines).get("remote"), Some(&(4, 1)));
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn binaries_are_taken_from_the_messages_of_cargo() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":\"/t/a\",\"fresh\":true}\n\
            {\"reason\":\"compiler-artifact\",\"executable\":null}\n{\"executable\":\"/t/a\"}\n";
        assert_eq!(executables(messages), ["/t/a"]);
    }

    #[test]
    fn a_package_that_is_named_is_the_only_one() {
        let line = |args| mutants_step(&words(args)).command_line();
        assert!(line("").contains("-p mycelium-supervisor -p mycelium-mailbox"));
        assert!(!line("-p mycelium-remote").contains("mailbox"));
        let line = |args| coverage_step(Path::new("/t"), &words(args)).command_line();
        assert!(line("").contains("test --workspace --tests"));
        assert!(!line("-p mycelium-remote").contains("--workspace"));
        assert_eq!(packages(&words("-p a --package b --package=c -- -p")), ["a", "b", "c"]);
        let line = |name, args| {
            sanitize_step(Path::new("/r"), "host", name, &words(args)).map(|step| step.command_line())
        };
        assert!(
            line("asan", "")
                .is_ok_and(|line| line.contains("--workspace") && line.contains("-Zsanitizer=address"))
        );
        assert!(
            line("tsan", "")
                .is_ok_and(|line| line.contains("-p mycelium-mailbox") && line.contains("-Zbuild-std"))
        );
        assert!(line("asan", "").is_ok_and(|line| !line.contains("-Zbuild-std")));
        assert!(line("asan", "-p mycelium-remote").is_ok_and(|line| !line.contains("--workspace")));
        assert!(line("msan", "").is_err());
    }

    #[test]
    fn the_python_package_is_tested_with_the_runtime_before_it() {
        let path = Path::new;
        let args = words("-- --nocapture");
        let line = python_step("host", path("/t"), path("/t/r.so"), path("/t/found"), &args).command_line();
        for part in [
            "-Zsanitizer=address",
            "CARGO_BUILD_TARGET=host",
            "MYCELIUM_PRELOAD=/t/r.so",
            "PYTHONMALLOC=malloc",
            "log_path=/t/found/report",
            "--test python -- --nocapture",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    #[test]
    fn a_report_of_a_process_that_was_to_fail_is_a_failure() {
        let folder = std::env::temp_dir().join(format!("mycelium-reports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(judged(Ok(()), &folder).is_ok());
        std::fs::write(folder.join("report.1"), "").unwrap();
        let failure = judged(Ok(()), &folder).unwrap_err().to_string();
        assert!(failure.contains("mycelium-reports") && failure.ends_with(": 1"), "{failure}");
        std::fs::remove_dir_all(&folder).unwrap();
        let failure = judged(Ok(()), &folder).unwrap_err().to_string();
        assert!(failure.contains("mycelium-reports") && failure.contains("cannot be read"), "{failure}");
    }
}
