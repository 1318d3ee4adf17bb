//! The generated Python package against the Rust types: the same verdict on golden vectors, random values and
//! damage, the same values, the same bytes, the same broken rules.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mycelium_codegen::golden::{self, Verdict};
use mycelium_codegen::{Model, encode, python, show};
use mycelium_contract::{Contract, Digests, Message, Value};
use mycelium_mailbox::wire::WireError;
use mycelium_random::{Random, cases, seed};

use crate::{Probe, common, contracts, probe, random};

/// Random values per message.
const CASES: u64 = 200;

/// One case for `check.py`.
struct Case<'a> {
    message: &'a Message,
    bytes: &'a [u8],
    version: u16,
    root_len: u32,
    /// The value that was encoded, if these are its bytes.
    value: Option<String>,
}

impl Case<'_> {
    /// The line with what the Rust type says.
    fn line(&self, out: &mut String) {
        let Self { message, bytes, version, root_len, value } = self;
        let probe = probe(&message.name);
        let verdict = match probe.decode_version(bytes, *version, *root_len) {
            Ok(_) => "ok",
            Err(WireError::Truncated { .. }) => "truncated",
            Err(WireError::Version { .. }) => "version",
            Err(_) => "invalid",
        };
        let _ = write!(
            out,
            "{{\"message\": {:?}, \"version\": {version}, \"root_len\": {root_len}, \"verdict\": {verdict:?}, \"bytes\": {:?}",
            message.name,
            show::hex(bytes)
        );
        if let Some(value) = value {
            let again = *version == message.version;
            let _ = write!(out, ", \"value\": {value}, \"again\": {again}");
        }
        if let Some((of, field, must)) = broken(&*probe, bytes, *version, *root_len) {
            let texts = [of, &field, &must].map(show::json_string);
            let _ = write!(out, ", \"broken\": [{}]", texts.join(", "));
        }
        out.push_str("}\n");
    }
}

/// What `validate()` says: message, field, and what the value must be.
fn broken(
    probe: &dyn Probe,
    bytes: &[u8],
    version: u16,
    root_len: u32,
) -> Option<(&'static str, String, String)> {
    let error = probe.broken(bytes, version, root_len)?;
    let must = error.reason.split_once(", must ").map_or("", |(_, must)| must).to_owned();
    Some((error.message, error.field, must))
}

fn of_message(model: &Model<'_>, message: &Message, rng: &mut Random, out: &mut String) {
    let newest = model.record(&message.fields).layout.size as u32;
    for vector in golden::vectors(model, message).expect("boundary values fit their types") {
        let encoded = &vector.encoded;
        let value = Some(show::json(model, &message.fields, &vector.values));
        let (version, root_len) = (vector.version, encoded.root_len as u32);
        Case { message, bytes: &encoded.bytes, version, root_len, value }.line(out);
    }
    for case in golden::hostile(model, message).expect("boundary values fit their types") {
        assert!(matches!(case.verdict, Verdict::Truncated | Verdict::Invalid));
        let (version, root_len) = (message.version, newest);
        Case { message, bytes: &case.bytes, version, root_len, value: None }.line(out);
    }
    for _ in 0..cases(CASES) {
        let version = 1 + rng.below(u64::from(message.version)) as u16;
        let fields = message.fields_of(version);
        let values: Vec<(String, Value)> = random::fields(model, fields, rng);
        let encoded = encode::message(model, fields, &values).expect("random values fit their types");
        let root_len = encoded.root_len as u32;
        let value = Some(show::json(model, fields, &values));
        Case { message, bytes: &encoded.bytes, version, root_len, value }.line(out);
        let mut bytes = encoded.bytes;
        for mark in &encoded.marks {
            if rng.chance(30) {
                let at = mark.at + rng.index(8).min(bytes.len() - mark.at - 1);
                let before = bytes[at];
                bytes[at] = rng.pick(&[0, 1, 2, 3, 8, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xf0, 0xfc, 0xff]);
                Case { message, bytes: &bytes, version, root_len, value: None }.line(out);
                bytes[at] = before;
            }
        }
        match rng.below(4) {
            0 => bytes.truncate(rng.index(bytes.len() + 1)),
            1 => bytes.extend(rng.bytes(9)),
            2 => drop(bytes.splice(0..0, [0; 8])),
            _ => {}
        }
        let versions = [version, 0, 1, message.version, message.version + 1, u16::MAX];
        let roots = [root_len, 0, root_len + 8, root_len.saturating_sub(4), bytes.len() as u32];
        let (version, root_len) = (rng.pick(&versions), rng.pick(&roots));
        Case { message, bytes: &bytes, version, root_len, value: None }.line(out);
    }
}

/// Python 3.11 or newer, which is installed where that can be done.
fn interpreter() -> PathBuf {
    let script = common::root().join("tests/python/install.sh");
    let installed = Command::new("sh").arg(&script).output().expect("a shell");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    PathBuf::from(String::from_utf8_lossy(&installed.stdout).trim())
}

fn run(arguments: &[&Path]) -> String {
    let output = Command::new(interpreter()).args(arguments).output().expect("it was found");
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
        let mut lines = String::new();
        for message in &contract.messages {
            of_message(&model, message, rng, &mut lines);
        }
        let cases = folder.join(format!("{name}.cases"));
        fs::write(&cases, &lines).expect("a file");
        let script = common::root().join("bindings/codegen/tests/python/check.py");
        let told = run(&[&script, &folder, Path::new(&name), &cases]);
        let digest = format!("digest {:016x}", Digests::of(contract).schema(contract));
        assert!(told.contains(&digest), "{told}");
        assert!(told.starts_with(&format!("{} cases, 0 failed", lines.lines().count())), "{told}");
    }
}
