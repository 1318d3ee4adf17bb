//! `cargo xtask coverage`, `mutants` and `sanitize`: how well the tests hold what they promise. On demand, because each
//! of them takes from minutes to hours; `docs/reliability.md` has what they found and how to read it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fuzz::host;
use crate::step::{Failure, Step};

/// The least share of lines that the tests run, in percent: of these crates, and of everything.
const COVERED: &[(&str, f64)] = &[("mailbox", 95.0), ("supervisor", 95.0), ("remote", 95.0)];
const COVERED_IN_ALL: f64 = 85.0;

/// What is no code of ours, or no code that ships.
const IGNORED: &str = "(/\\.cargo/|/rustc/|/tests/|/benches/|loom|/build/|^xtask/|/examples/|^examples/)";

/// Packages whose faults would cost most, in the order in which their mutants are tried.
const MUTATED: &[&str] = &["mycelium-supervisor", "mycelium-mailbox"];

/// The sanitizers: their name, the compiler's, and what they run over.
const SANITIZERS: &[(&str, &str, &str)] = &[
    ("asan", "address", "--workspace"),
    ("lsan", "leak", "--workspace"),
    ("tsan", "thread", "-p mycelium-mailbox"),
];

/// Runs the tests with counters in the code, and prints which share of its lines they reached.
///
/// Fails below the limits, and where no `llvm-profdata` of the compiler's LLVM is found. Tests of documentation are not
/// counted, because a stable compiler puts no counters into them.
pub(crate) fn coverage(root: &Path) -> Result<(), Failure> {
    let tools = Tools::find()?;
    let target = root.join("target/coverage");
    let profiles = target.join("profiles");
    // Counts of an earlier build would be counts of other lines.
    let _ = std::fs::remove_dir_all(&profiles);
    let test = |more: &str| {
        Step::cargo("coverage", &format!("test --workspace --tests --locked {more}"))
            .env("RUSTFLAGS", "-Cinstrument-coverage")
            .env("CARGO_TARGET_DIR", &target.display().to_string())
            .env("LLVM_PROFILE_FILE", &profiles.join("%p-%8m.profraw").display().to_string())
    };
    test("").run(root)?;
    let built = test("--no-run --message-format=json").output(root)?;
    let merged = target.join("all.profdata");
    let merge = format!("merge -sparse {} -o {}", profiles.display(), merged.display());
    Step::program("profdata", &tools.profdata, &merge).run(root)?;
    let mut report = Step::program("report", &tools.cov, "report");
    for binary in executables(&built) {
        report = report.args(&["-object".to_owned(), binary]);
    }
    let profile = format!("-instr-profile={}", merged.display());
    let text = report.args(&[profile, format!("-ignore-filename-regex={IGNORED}")]).output(root)?;
    judge(&by_crate(&text))
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

/// Lines and lines that were not reached, by the folder of the crate.
fn by_crate(report: &str) -> BTreeMap<String, (u64, u64)> {
    let mut crates: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in report.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // file, then regions, functions and lines, each with those missed and a share
        let [file, _, _, _, _, _, _, lines, missed, ..] = fields[..] else { continue };
        let (Some((folder, _)), Ok(lines), Ok(missed)) =
            (file.split_once("/src/"), lines.parse::<u64>(), missed.parse::<u64>())
        else {
            continue;
        };
        let sum = crates.entry(folder.to_owned()).or_default();
        *sum = (sum.0 + lines, sum.1 + missed);
    }
    crates
}

/// Prints the shares and holds them to the limits.
fn judge(crates: &BTreeMap<String, (u64, u64)>) -> Result<(), Failure> {
    let share = |(lines, missed): (u64, u64)| 100.0 * (1.0 - missed as f64 / lines.max(1) as f64);
    let all = crates.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    let mut short = Vec::new();
    println!("\n{:<24} {:>7} {:>7} {:>7}  at least", "crate", "lines", "missed", "share");
    for (name, lines) in crates.iter().map(|(name, lines)| (name.as_str(), *lines)).chain([("all", all)]) {
        let limit = COVERED.iter().find(|(limited, _)| *limited == name).map(|(_, limit)| *limit);
        let limit = limit.or((name == "all").then_some(COVERED_IN_ALL));
        let told = limit.map_or(String::new(), |limit| format!("{limit} %"));
        println!("{name:<24} {:>7} {:>7} {:>5.1} %  {told}", lines.0, lines.1, share(lines));
        if limit.is_some_and(|limit| share(lines) < limit) {
            short.push(format!("{name} has {:.1} %", share(lines)));
        }
    }
    if short.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("error: too few lines are reached: {}", short.join(", "))))
    }
}

/// Changes the code in thousands of small ways, one at a time, and says which of them no test notices.
///
/// `args` go to cargo-mutants, and choose the package if they name one: `-p mycelium-supervisor --shard 0/50`.
pub(crate) fn mutants(root: &Path, args: &[String]) -> Result<(), Failure> {
    if said("cargo", &["mutants", "--version"]).is_empty() {
        return Err(Failure::new(
            "error: cargo-mutants is missing: `cargo install --locked cargo-mutants`".to_owned(),
        ));
    }
    mutants_step(args).run(root)
}

fn mutants_step(args: &[String]) -> Step {
    let named =
        args.iter().any(|arg| ["-p", "--package"].contains(&arg.as_str()) || arg.starts_with("--package="));
    let packages = MUTATED.iter().filter(|_| !named).map(|name| format!(" -p {name}")).collect::<String>();
    // One job: most tests have a watchdog, and a starved machine must not look like a caught mutant.
    Step::cargo("mutants", &format!("mutants --jobs 1 --output target/mutants{packages}")).args(args)
}

/// Runs tests under a sanitizer; `args` go to `cargo test`.
pub(crate) fn sanitize(root: &Path, args: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> = SANITIZERS.iter().map(|(name, ..)| *name).collect();
    let known = args.split_first().filter(|(name, _)| names.contains(&name.as_str()));
    let Some((name, args)) = known else {
        let usage = format!("usage: cargo xtask sanitize {} [CARGO TEST ARGS]", names.join("|"));
        return Err(Failure::new(usage));
    };
    sanitize_step(root, &host()?, name, args)?.run(root)
}

fn sanitize_step(root: &Path, host: &str, name: &str, args: &[String]) -> Result<Step, Failure> {
    let Some((name, kind, over)) = SANITIZERS.iter().find(|(known, ..)| *known == name) else {
        return Err(Failure::new(format!("error: no sanitizer `{name}`")));
    };
    let named = args.iter().any(|arg| ["-p", "--package"].contains(&arg.as_str()));
    let over = if named { "" } else { over };
    // The standard library is linked as it comes, without ThreadSanitizer: docs/reliability.md says what that means.
    let mixed = if *kind == "thread" { " -Cunsafe-allow-abi-mismatch=sanitizer" } else { "" };
    let target = root.join("target").join(name);
    let known = |file: &str| format!("suppressions={}", root.join(file).display());
    Ok(Step::cargo("sanitize", &format!("test --locked --tests --target {host} {over}"))
        .args(args)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", &format!("-Zsanitizer={kind}{mixed}"))
        .env("LSAN_OPTIONS", &known("xtask/lsan.supp"))
        .env("TSAN_OPTIONS", &known("xtask/tsan.supp"))
        .env("CARGO_TARGET_DIR", &target.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn shares_are_summed_by_crate_and_held_to_their_limits() {
        let report = "Filename Regions Missed Cover Functions Missed Executed Lines Missed Cover Branches\n\
            ---------\n\
            mailbox/src/fifo.rs 9 1 88.89% 2 0 100.00% 150 3 98.00% 0 0 -\n\
            mailbox/src/topic/core.rs 9 1 88.89% 2 0 100.00% 50 7 86.00% 0 0 -\n\
            actors/macros/src/lib.rs 9 9 0.00% 2 2 0.00% 20 20 0.00% 0 0 -\n\
            TOTAL 1 1 1% 1 1 1% 1 1 1% 0 0 -\n";
        let crates = by_crate(report);
        assert_eq!(crates.get("mailbox"), Some(&(200, 10)));
        assert_eq!(crates.get("actors/macros"), Some(&(20, 20)));
        assert_eq!(crates.len(), 2);
        assert!(judge(&crates).is_ok(), "95 % of mailbox, 86.4 % of all");
        let failure = judge(&by_crate(&report.replace(" 50 7 ", " 50 8 "))).unwrap_err().to_string();
        assert!(failure.contains("mailbox has 94.5 %") && !failure.contains("all"), "{failure}");
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
        let line = |name, args| {
            sanitize_step(Path::new("/r"), "host", name, &words(args)).map(|step| step.command_line())
        };
        assert!(
            line("asan", "")
                .is_ok_and(|line| line.contains("--workspace") && line.contains("-Zsanitizer=address"))
        );
        assert!(line("tsan", "").is_ok_and(|line| line.contains("-p mycelium-mailbox")));
        assert!(line("asan", "-p mycelium-remote").is_ok_and(|line| !line.contains("--workspace")));
        assert!(line("msan", "").is_err());
    }
}
