//! Which commands stand behind each task.
//!
//! The order of `test` is the order in which a mistake shows soonest. Each step names its profile and target
//! folder with care: `clippy`, `doc` and `test` share the compiled dependencies of the dev profile, the
//! release tests share theirs with `demo` and `bench`, and only loom and shuttle, whose `--cfg` reaches every
//! crate, build in folders of their own. Steps beside the tests use no folder that the tests build in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::Step;

/// Where the demo writes when no `--out` says otherwise.
const DEMO_OUT: &str = "examples/backtest/out";

/// The grid of the main job.
const DEMO_FLAGS: &[(&str, &str)] = &[
    ("--data", "examples/backtest/data/stocks.csv"),
    ("--symbol", "GOOG"),
    ("--fast", "5..=104"),
    ("--slow", "110..=209"),
    ("--out", DEMO_OUT),
];

/// Crates whose shared structures have loom models, each with the arguments that select them.
const LOOM_CRATES: &[(&str, &str)] = &[("mailbox", "-p mycelium-mailbox --lib")];

/// The arithmetic of contract scalars lies behind features that nothing else switches on.
const SCALARS: &str = "mycelium/rust_decimal,mycelium/ruint,mycelium/jiff,mycelium/chrono";

/// Programs that link the library of another language are behind features: `tests/tests/embedded.rs` builds
/// and runs them where it is.
const HOSTS: &str = "mycelium-embedded/ocaml,mycelium-embedded/python,polyglot/ocaml,polyglot/python";

/// Everything that must pass.
pub(crate) fn test(root: &Path) -> Vec<Step> {
    let mut steps = vec![
        setup(),
        ocaml_setup(),
        Step::cargo("fmt", "fmt --all -- --check"),
        Step::cargo(
            "clippy",
            &format!("clippy --workspace --all-targets --features {SCALARS},{HOSTS} --locked -- -D warnings"),
        ),
        Step::cargo("doc", &format!("doc --workspace --no-deps --features {SCALARS} --locked"))
            .env("RUSTDOCFLAGS", "-D warnings"),
        Step::cargo("compile", "test --workspace --locked --no-run"),
        // These only compute, and run beside the tests, which wait more than they compute. The oracle and the
        // determinism of sweeps take thousands of runs, which are slow without optimisation.
        Step::cargo("release", "test --release --locked -p backtest --test agreement --test oracle").beside(),
        example().beside(),
        shuttle(root).beside(),
    ];
    steps.extend(loom(root).into_iter().map(Step::beside));
    steps.extend([
        Step::cargo("test", "test --workspace --locked --no-fail-fast"),
        Step::cargo("scalars", "test --locked -p mycelium-mailbox --all-features --test scalar_libraries"),
        Step::cargo("scalar-docs", "test --locked -p mycelium-mailbox --all-features --doc scalar"),
    ]);
    steps.push(deny());
    steps.push(restarts());
    steps
}

/// The main job on a corner of its grid, through the same command as the demo.
fn example() -> Step {
    let args = ["--fast", "5..=14", "--slow", "110..=119", "--out", "target/example"].map(str::to_owned);
    demo(&args).named("example")
}

/// A million crashes and restarts, on demand: each run of the tests has twenty thousand.
fn restarts() -> Step {
    Step::cargo(
        "restarts",
        "test --release --locked -p mycelium --test restarts -- --nocapture --test-threads 1",
    )
    .env("MYCELIUM_RESTARTS", "1000000")
    .on_demand()
}

/// The loom models: every schedule with at most two preemptions, which finds nearly all faults in seconds.
pub(crate) fn loom(root: &Path) -> Vec<Step> {
    let target = root.join("target/loom").display().to_string();
    let model = |args: &str| {
        Step::cargo("loom", &format!("test --release --locked {args} loom"))
            .env("RUSTFLAGS", "--cfg loom")
            .env("LOOM_MAX_PREEMPTIONS", "2")
            .env("CARGO_TARGET_DIR", &target)
    };
    LOOM_CRATES.iter().map(|(_, args)| model(args)).collect()
}

/// The models of whole buses and trees: each failure prints the seed that replays its schedule.
pub(crate) fn shuttle(root: &Path) -> Step {
    Step::cargo("shuttle", "test --release --locked --config profile.release.package.mycelium.opt-level=0 -p mycelium --lib shuttle")
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("CARGO_TARGET_DIR", &root.join("target/shuttle").display().to_string())
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
}

/// Licences, bans and sources of all dependencies.
///
/// The layout test holds the same `deny.toml` over `cargo metadata`, so nothing is unguarded where cargo-deny
/// is not installed; advisories need the network and are run by hand (`cargo deny check advisories`).
fn deny() -> Step {
    let step = Step::cargo("deny", "deny --offline check --hide-inclusion-graph bans licenses sources");
    if runs("cargo", &["deny", "--version"]) { step } else { step.on_demand() }
}

/// Installs what the tests need and the machine lacks: the real OTP, which the supervision core is compared
/// with.
pub(crate) fn setup() -> Step {
    Step::program("setup", "sh", "tests/otp/install.sh")
}

/// OCaml and dune, which build scripts of programs that host OCaml run, also for clippy.
pub(crate) fn ocaml_setup() -> Step {
    Step::program("setup-ocaml", "sh", "tests/ocaml/install.sh")
}

/// The Python package as a user gets it: a wheel that pip builds and installs, and its tests.
pub(crate) fn python(root: &Path) -> Step {
    Step::program("python", "sh", "tests/python/wheel.sh").args(&[root.join("target").display().to_string()])
}

/// The OCaml library and its page: the same as the step `test` has.
pub(crate) fn ocaml() -> Step {
    Step::cargo("ocaml", "test --locked -p mycelium-tests --test ocaml")
}

/// The main job in release: ten thousand parameter pairs over the GOOG bars, unless `args` say otherwise.
pub(crate) fn demo(args: &[String]) -> Step {
    let mut all = "run --release --locked -p backtest -- sweep".to_owned();
    for (flag, value) in DEMO_FLAGS {
        if given(args, flag).is_none() {
            all.push_str(&format!(" {flag} {value}"));
        }
    }
    Step::cargo("demo", &all).args(args)
}

/// The folder that `demo` with these arguments writes to.
pub(crate) fn demo_out(root: &Path, args: &[String]) -> PathBuf {
    root.join(given(args, "--out").unwrap_or(DEMO_OUT))
}

/// The value of `--flag value` or `--flag=value` among `args`.
fn given<'a>(args: &'a [String], flag: &str) -> Option<&'a str> {
    args.iter().enumerate().find_map(|(at, arg)| match arg.strip_prefix(flag)? {
        "" => args.get(at + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

/// The comparison with the peers.
pub(crate) fn bench(args: &[String]) -> Step {
    Step::cargo("bench", "run --release --locked -p mycelium-benches --").args(args)
}

/// Links beside other carriers of messages between processes, in a workspace of their own: building it takes
/// minutes, and nobody else needs zenoh or libzmq.
pub(crate) fn peers(args: &[String]) -> Step {
    let cargo = "run --release --locked --manifest-path tests/peers/Cargo.toml --target-dir target/peers --";
    Step::cargo("peers", cargo).args(args)
}

fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_demo_takes_the_callers_flags_instead_of_its_own() {
        let line = demo(&words("--fast=5..=6 --out target/x")).command_line();
        assert_eq!(line.matches("--fast").count(), 1, "{line}");
        assert_eq!(line.matches("--out").count(), 1, "{line}");
        assert!(line.contains("--slow 110..=209"), "{line}");
        assert_eq!(demo_out(Path::new("/r"), &words("--out target/x")), Path::new("/r/target/x"));
        assert_eq!(demo_out(Path::new("/r"), &words("--out=y")), Path::new("/r/y"));
        assert_eq!(demo_out(Path::new("/r"), &[]), Path::new("/r").join(DEMO_OUT));
    }
}
