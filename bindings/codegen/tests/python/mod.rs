//! The generated Python package against the Rust types: the same verdict on golden vectors, random values and
//! damage, the same values, the same bytes, the same broken rules.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use mycelium_codegen::{Model, python, show};
use mycelium_contract::{Contract, Digests};
use mycelium_random::{Random, seed};

use crate::cases::{self, Case};
use crate::{common, contracts};

/// The line for `check.py`.
fn line(case: &Case, out: &mut String) {
    let Case { message, version, root_len, verdict, bytes, value, again, broken } = case;
    let _ = write!(
        out,
        "{{\"message\": {message:?}, \"version\": {version}, \"root_len\": {root_len}, \"verdict\": {verdict:?}, \"bytes\": {bytes:?}"
    );
    if let Some(value) = value {
        let _ = write!(out, ", \"value\": {value}, \"again\": {again}");
    }
    if let Some(texts) = broken {
        let _ = write!(
            out,
            ", \"broken\": [{}]",
            texts.each_ref().map(|text| show::json_string(text)).join(", ")
        );
    }
    out.push_str("}\n");
}

/// Runs Python 3.11 or newer, which is installed where that can be done.
fn run(arguments: &[&Path]) -> String {
    let python = cases::install("tests/python/install.sh");
    let output = Command::new(python).args(arguments).output().expect("it was found");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn write_package(contract: &Contract, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for file in python(contract) {
        fs::write(folder.join(file.name), file.text).expect("a file");
    }
}

#[test]
fn python_reads_writes_and_validates_as_rust_does() {
    let rng = &mut Random::new(seed());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    for (at, contract) in contracts().iter().enumerate() {
        let (name, model) = (format!("package{at}"), Model::new(contract));
        write_package(contract, &folder.join(&name));
        let mut all = Vec::new();
        for message in &contract.messages {
            cases::of_message(&model, message, rng, &mut all);
        }
        let mut lines = String::new();
        all.iter().for_each(|case| line(case, &mut lines));
        let cases = folder.join(format!("{name}.cases"));
        fs::write(&cases, &lines).expect("a file");
        let script = common::root().join("bindings/codegen/tests/python/check.py");
        let told = run(&[&script, &folder, Path::new(&name), &cases]);
        let digest = format!("digest {:016x}", Digests::of(contract).schema(contract));
        assert!(told.contains(&digest), "{told}");
        assert!(told.starts_with(&format!("{} cases, 0 failed", lines.lines().count())), "{told}");
    }
}
