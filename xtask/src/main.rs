//! Developer commands: `cargo xtask demo`, `cargo xtask test`, `cargo xtask bench`.
//!
//! This crate has no dependencies on purpose: it must be ready a second after a clone.
#![forbid(unsafe_code)]

mod fuzz;
mod lanes;
mod plan;
mod reliability;
mod silence;
mod step;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use step::{Failure, Step};

const USAGE: &str = "\
Developer commands of Mycelium.

    cargo xtask demo [ARGS]        run the main job (10,000 backtests); ARGS go to `backtest sweep`
    cargo xtask test [STEP...]     run everything that must pass, or only the named steps
    cargo xtask test --list        name the steps and the command behind each
    cargo xtask bench [SCENARIO]   compare Mycelium with its peers; raw output goes to target/bench/
    cargo xtask peers [NAME...]    compare links with other carriers between processes: ZeroMQ, iceoryx2, zenoh, NATS
    cargo xtask loom               check the queues under every schedule of two preemptions
    cargo xtask shuttle [ARGS]     explore buses and trees under thousands of random schedules; ARGS go to the tests
    cargo xtask fuzz TARGET [ARGS] throw coverage-guided bytes at a reader until it breaks or you stop it; ARGS go to
                                   libFuzzer, e.g. -max_total_time=600, or a file to try again; without TARGET: names them
    cargo xtask coverage [ARGS]    which share of the lines the tests reach, by crate; ARGS go to `cargo test`
    cargo xtask mutants [ARGS]     change the code in small ways and see whether a test notices; ARGS go to cargo-mutants
    cargo xtask sanitize asan|lsan|tsan [ARGS]
                                   run tests under a sanitizer; ARGS go to `cargo test`
    cargo xtask sanitize asan-python [ARGS]
                                   run the tests of the Python package with AddressSanitizer in its native half
    cargo xtask python             build the Python package with pip, install it into a new environment, and run its tests there
    cargo xtask ocaml              build the OCaml library with dune, and run its tests and the programs of docs/ocaml.md
    cargo xtask setup              install what the tests need and the machine lacks (Erlang/OTP, OCaml)
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let root = workspace_root();
    let outcome = match command.as_str() {
        "demo" => demo(&root, &rest),
        "test" => test(&root, &rest),
        "bench" => plan::bench(&rest).run(&root),
        "peers" => plan::peers(&rest).run(&root),
        "loom" => lanes::run_all(&root, &plan::loom(&root)),
        "shuttle" => plan::shuttle(&root).args(&rest).run(&root),
        "fuzz" => fuzz::run(&root, &rest),
        "coverage" => reliability::coverage(&root, &rest),
        "mutants" => reliability::mutants(&root, &rest),
        "sanitize" => reliability::sanitize(&root, &rest),
        "python" => plan::python(&root).run(&root),
        "ocaml" => plan::ocaml().run(&root),
        "setup" => lanes::run_all(&root, &[plan::setup(), plan::ocaml_setup()]),
        "" | "help" | "-h" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("error: `{other}` is no command of xtask\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the main job in release and says where its report is.
fn demo(root: &Path, args: &[String]) -> Result<(), Failure> {
    plan::demo(args).run(root)?;
    let report = plan::demo_out(root, args).join("report.html");
    if report.is_file() {
        println!("\nReport: {}", report.display());
        Ok(())
    } else {
        Err(Failure::new(format!("error: the job ended well, but wrote no {}", report.display())))
    }
}

/// Runs the steps named, or all of them.
fn test(root: &Path, names: &[String]) -> Result<(), Failure> {
    let steps = plan::test(root);
    if names.iter().any(|name| name == "--list") {
        for step in &steps {
            println!("{:<10} {}", step.name, step.command_line());
        }
        return Ok(());
    }
    for name in names {
        if !steps.iter().any(|step| step.name == name) {
            let known: Vec<&str> = steps.iter().map(|step| step.name).collect();
            return Err(Failure::new(format!(
                "error: `{name}` is no step of `cargo xtask test`; the steps are {}",
                known.join(", ")
            )));
        }
    }
    let chosen = |step: &Step| names.is_empty() && step.default || names.iter().any(|name| name == step.name);
    let chosen: Vec<Step> = steps.into_iter().filter(chosen).collect();
    lanes::run_all(root, &chosen)
}

/// The workspace, found from where this crate was compiled, so that the commands work in any folder of it.
fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
