//! Cases for the codecs of other languages: values, damaged values, and what the Rust types say of them.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use mycelium_codegen::golden::{self, Verdict};
use mycelium_codegen::{Model, encode, show};
use mycelium_contract::{Message, Value};
use mycelium_mailbox::wire::WireError;
use mycelium_random::{Random, cases};

use crate::{common, probe, random};

/// Random values per message.
const CASES: u64 = 200;

/// Runs a script that installs what is missing, one at a time, since the system's package manager knows one
/// user. Gives what the script prints.
pub(crate) fn install(script: &str, folder: Option<&Path>) -> String {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let installed =
        Command::new("sh").arg(common::root().join(script)).args(folder).output().expect("a shell");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    String::from_utf8_lossy(&installed.stdout).trim().to_owned()
}

/// What the Rust type says of bytes.
pub(crate) struct Case {
    pub(crate) message: String,
    pub(crate) version: u16,
    pub(crate) root_len: u32,
    pub(crate) verdict: &'static str,
    pub(crate) bytes: String,
    /// The value that was encoded as JSON, if these are its bytes.
    pub(crate) value: Option<String>,
    /// Whether the value encodes to the same bytes.
    pub(crate) again: bool,
    /// What `validate()` says: message, field, and what the value must be.
    pub(crate) broken: Option<[String; 3]>,
}

impl Case {
    fn new(message: &Message, bytes: &[u8], version: u16, root_len: u32, value: Option<String>) -> Self {
        let probe = probe(&message.name);
        let verdict = match probe.decode_version(bytes, version, root_len) {
            Ok(_) => "ok",
            Err(WireError::Truncated { .. }) => "truncated",
            Err(WireError::Version { .. }) => "version",
            Err(_) => "invalid",
        };
        let broken = probe.broken(bytes, version, root_len).map(|error| {
            let must = error.reason.split_once(", must ").map_or("", |(_, must)| must);
            [error.message.to_owned(), error.field.clone(), must.to_owned()]
        });
        let again = value.is_some() && version == message.version;
        let (message, bytes) = (message.name.clone(), show::hex(bytes));
        Self { message, version, root_len, verdict, bytes, value, again, broken }
    }
}

/// Values of each version whose layout is of fixed size, with eight bytes too many, and their root lengths.
pub(crate) fn overlong(model: &Model<'_>, message: &Message) -> Vec<(u16, u32, Vec<u8>)> {
    let mut all = Vec::new();
    for version in 1..=message.version {
        let fields = message.fields_of(version);
        if !model.record(fields).layout.fixed {
            continue;
        }
        let values = random::fields(model, fields, &mut Random::new(1));
        let mut bytes = encode::message(model, fields, &values).expect("random values fit").bytes;
        let root_len = bytes.len() as u32;
        bytes.splice(0..0, [0; 8]);
        all.push((version, root_len, bytes));
    }
    all
}

/// Golden vectors, hostile bytes, random values, and random values that were damaged.
pub(crate) fn of_message(model: &Model<'_>, message: &Message, rng: &mut Random, out: &mut Vec<Case>) {
    let newest = model.record(&message.fields).layout.size as u32;
    for vector in golden::vectors(model, message).expect("boundary values fit their types") {
        let encoded = &vector.encoded;
        let value = Some(show::json(model, &message.fields, &vector.values));
        let (version, root_len) = (vector.version, encoded.root_len as u32);
        out.push(Case::new(message, &encoded.bytes, version, root_len, value));
    }
    for case in golden::hostile(model, message).expect("boundary values fit their types") {
        assert!(matches!(case.verdict, Verdict::Truncated | Verdict::Invalid));
        let (version, root_len) = (message.version, newest);
        out.push(Case::new(message, &case.bytes, version, root_len, None));
    }
    for (version, root_len, bytes) in overlong(model, message) {
        let case = Case::new(message, &bytes, version, root_len, None);
        assert_eq!(case.verdict, "invalid", "{} version {version}", message.name);
        out.push(case);
    }
    for _ in 0..cases(CASES) {
        let version = 1 + rng.below(u64::from(message.version)) as u16;
        let fields = message.fields_of(version);
        let values: Vec<(String, Value)> = random::fields(model, fields, rng);
        let encoded = encode::message(model, fields, &values).expect("random values fit their types");
        let root_len = encoded.root_len as u32;
        let value = Some(show::json(model, fields, &values));
        out.push(Case::new(message, &encoded.bytes, version, root_len, value));
        for bytes in random::damaged_at_marks(&encoded, rng) {
            out.push(Case::new(message, &bytes, version, root_len, None));
        }
        let mut bytes = encoded.bytes;
        random::cut_or_lengthen(&mut bytes, rng);
        let (version, root_len) = random::header(message, version, root_len, bytes.len(), rng);
        out.push(Case::new(message, &bytes, version, root_len, None));
    }
}
