//! `mycelium tree simulate --json` over the scenarios of `tests/otp/scenarios`, line by line.
//!
//! `tests/tests/otp.rs` holds the same scenarios against the real Erlang/OTP. `MYCELIUM_BLESS=1` writes the
//! lines anew; read the difference before you commit it.

use std::path::{Path, PathBuf};
use std::process::Command;

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/otp/scenarios");
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    paths
}

#[test]
fn each_scenario_prints_its_lines() {
    let scenarios = scenarios();
    assert!(scenarios.len() > 35, "only {} scenarios", scenarios.len());
    for path in scenarios {
        let output = Command::new(env!("CARGO_BIN_EXE_mycelium"))
            .args(["tree", "simulate", "--json"])
            .arg(&path)
            .output()
            .expect("mycelium runs");
        let name = path.display();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("JSON is text");
        let lines = path.with_extension("jsonl");
        if std::env::var_os("MYCELIUM_BLESS").is_some() {
            std::fs::write(&lines, &printed).expect("the lines can be written");
        }
        let expected = std::fs::read_to_string(&lines).expect("each scenario has its lines beside it");
        for (number, (printed, expected)) in printed.lines().zip(expected.lines()).enumerate() {
            assert_eq!(printed, expected, "{name}, line {}", number + 1);
        }
        assert_eq!(printed.lines().count(), expected.lines().count(), "{name}: more or fewer lines");
    }
}
