//! `cargo xtask fuzz`: builds the fuzz targets for libFuzzer, with the compiler that everything else is built
//! with.
//!
//! Needs a C++ compiler, for libFuzzer itself. Findings go to `target/fuzz/findings/`, learnt inputs stay
//! in `target/fuzz/corpus/`.

use std::path::Path;
use std::process::Command;

use crate::step::{Failure, Step};

/// What makes the compiler count edges and report comparisons, which is all that libFuzzer needs.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks --cfg fuzzing";

/// Limits of one input, unless the caller sets others: a reader that takes longer or more is broken.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=65536"];

/// Fuzzes the target that `args` begin with, with the rest of them for libFuzzer.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), Failure> {
    let (name, args) = match args.split_first() {
        Some((name, args)) => (name.as_str(), args),
        None => ("", args),
    };
    let names = names(root)?;
    if !names.iter().any(|known| known == name) {
        let usage = "usage: cargo xtask fuzz TARGET [LIBFUZZER ARGS]";
        let wrong = if name.is_empty() { String::new() } else { format!("error: no fuzz target `{name}`\n") };
        return Err(Failure::new(format!("{wrong}{usage}\nthe targets are {}", names.join(", "))));
    }
    step(root, &host()?, name, args)?.run(root)
}

/// The targets, each a file of its name.
fn names(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = root.join("tests/fuzz/src/targets");
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| Failure::new(format!("error: cannot read {}: {error}", folder.display())))?;
    let files = entries.filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<String> = files.filter(|name| name != "mod").collect();
    names.sort_unstable();
    Ok(names)
}

/// The command behind `fuzz NAME ARGS`.
fn step(root: &Path, host: &str, name: &str, args: &[String]) -> Result<Step, Failure> {
    let target = root.join("target/fuzz");
    let corpus = target.join("corpus").join(name);
    let findings = target.join("findings").join(name);
    for folder in [&corpus, &findings] {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::new(format!("error: cannot make {}: {error}", folder.display())))?;
    }
    let cargo = format!(
        "run --release --locked -p mycelium-fuzz --features libfuzzer --bin mycelium-fuzz --target {host} --"
    );
    // Files are tried again one by one; the corpus is for a search.
    let replay = args.iter().any(|arg| !arg.starts_with('-'));
    let mut all: Vec<String> = LIMITS.map(str::to_owned).into();
    all.push(format!("-artifact_prefix={}/", findings.display()));
    all.extend_from_slice(args);
    if !replay {
        all.push(corpus.display().to_string());
    }
    Ok(Step::cargo("fuzz", &cargo)
        .args(&all)
        .env("MYCELIUM_FUZZ", name)
        .env("MYCELIUM_FUZZ_CORPUS", &corpus.display().to_string())
        .env("RUSTFLAGS", COVERAGE)
        .env("CARGO_TARGET_DIR", &target.display().to_string()))
}

/// The machine's target triple: named, so that build scripts are built without the coverage.
pub(crate) fn host() -> Result<String, Failure> {
    let told = Command::new("rustc").arg("-vV").output();
    let told = told.map_err(|error| Failure::new(format!("error: `rustc -vV` cannot be run: {error}")))?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned);
    host.ok_or_else(|| Failure::new(format!("error: `rustc -vV` names no host:\n{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_tried_again_without_the_corpus() {
        let root = std::env::temp_dir().join(format!("mycelium-xtask-{}", std::process::id()));
        let line = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            step(&root, "host", "frame", &args).expect("folders can be made").command_line()
        };
        let corpus = root.join("target/fuzz/corpus/frame").display().to_string();
        assert!(line(&["-max_total_time=1"]).ends_with(&corpus));
        assert!(line(&["crash-1"]).ends_with("crash-1"));
        assert!(std::fs::remove_dir_all(&root).is_ok());
    }
}
