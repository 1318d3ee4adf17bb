//! `tests/outside/` as its author would compile and run it: a crate of another workspace, without a network.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_crate_outside_the_workspace_compiles_and_runs() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = tests.join("outside");
    // The versions that this workspace has: others may not be on this machine.
    fs::copy(tests.join("../Cargo.lock"), outside.join("Cargo.lock")).unwrap();
    // Beside what this workspace has compiled, so that the same is not compiled twice.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--offline", "--target-dir"])
        .arg(target)
        .current_dir(&outside)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "", "it warns");
    let lines = String::from_utf8_lossy(&output.stdout);
    assert_eq!(lines, "live, tree and relay, 1 threads\nlive, tree and relay, 2 threads\nisolate\n");
}
