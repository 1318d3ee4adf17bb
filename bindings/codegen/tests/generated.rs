//! The generated Rust types against the specification: golden vectors, random values, hostile bytes,
//! evolution.
//!
//! `tests/generated/contracts.rs` is what a user's build script makes of the repository's `contracts.yaml`.
//! It compiles here under the strictest lints that a user's crate may set.
#![forbid(unsafe_code)]
#![deny(missing_docs, warnings)]

mod cases;
mod common;
mod decode;
mod deepest;
mod names;
mod ocaml;
mod python;
mod random;
mod untyped;

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{aligned, root};
use mycelium_codegen::encode::{self, Encoded};
use mycelium_codegen::golden::{self, GoldenError, Verdict};
use mycelium_codegen::{Model, Options, rust, show};
use mycelium_contract::{Contract, Value};
use mycelium_mailbox::wire::{Encoder, Offer, View, Wire, WireError};
use mycelium_mailbox::{Message, ValidationError};
use mycelium_random::{Random, cases, seed};

include!("generated/contracts.rs");

/// Combinations that no sane contract has.
pub mod torture {
    include!("generated/torture.rs");
}

/// Random values per message.
const CASES: u64 = 1_000;

fn read(path: &str) -> Contract {
    Contract::read(&root().join(path)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn contract() -> Contract {
    read("contracts.yaml")
}

/// The contract that users copy, and the one that only these tests know.
fn contracts() -> [Contract; 2] {
    [contract(), read("bindings/codegen/tests/torture.yaml")]
}

fn expect_file(path: &Path, wanted: &str) {
    common::expect_file(path, wanted, "generated");
}

/// What the tests do with a generated type whose name they only know at run time.
trait Probe {
    fn digest(&self) -> u64;
    fn offer(&self) -> Offer<'static>;
    /// Decodes, prints, and encodes again with the current version.
    fn round_trip(&self, bytes: &[u8]) -> Result<(String, Vec<u8>), WireError>;
    fn decode_version(&self, bytes: &[u8], version: u16, root_len: u32) -> Result<String, WireError>;
    fn access(&self, bytes: &[u8]) -> Result<(), WireError>;
    /// The rule that the value breaks, if it is one.
    fn broken(&self, bytes: &[u8], version: u16, root_len: u32) -> Option<ValidationError>;
    fn default(&self) -> String;
}

struct Of<M>(std::marker::PhantomData<M>);

impl<M: Wire + Default + Debug> Probe for Of<M> {
    fn digest(&self) -> u64 {
        M::DIGEST
    }

    fn offer(&self) -> Offer<'static> {
        M::OFFER
    }

    fn round_trip(&self, bytes: &[u8]) -> Result<(String, Vec<u8>), WireError> {
        let message = M::decode(&aligned(bytes))?;
        let mut encoder = Encoder::new();
        Ok((format!("{message:?}"), encoder.encode(&message)?.to_vec()))
    }

    fn decode_version(&self, bytes: &[u8], version: u16, root_len: u32) -> Result<String, WireError> {
        M::decode_version(&aligned(bytes), version, root_len).map(|message| format!("{message:?}"))
    }

    fn broken(&self, bytes: &[u8], version: u16, root_len: u32) -> Option<ValidationError> {
        M::decode_version(&aligned(bytes), version, root_len).ok()?.validate().err()
    }

    fn access(&self, bytes: &[u8]) -> Result<(), WireError> {
        M::access(&aligned(bytes)).map(|_| ())
    }

    fn default(&self) -> String {
        format!("{:?}", M::default())
    }
}

/// A probe for each message of both contracts.
fn probe(name: &str) -> Box<dyn Probe> {
    macro_rules! probes {
        ($($message:path,)*) => {
            match name {
                $(<$message>::NAME => Box::new(Of::<$message>(std::marker::PhantomData)),)*
                other => panic!("{other} is new: {}", common::mend("generated")),
            }
        };
    }
    include!("generated/probes.rs")
}

#[test]
fn the_committed_source_is_up_to_date() {
    for (contract, file) in contracts().iter().zip(["contracts.rs", "torture.rs"]) {
        let source = rust(contract, &Options::default().crate_path("::mycelium_mailbox"));
        expect_file(&root().join("bindings/codegen/tests/generated").join(file), &source);
    }
    let [copied, torture] = contracts();
    let mut probes = String::from("probes!(\n");
    for message in &copied.messages {
        probes.push_str(&format!("    {},\n", message.name));
    }
    for message in &torture.messages {
        probes.push_str(&format!("    torture::{},\n", message.name));
    }
    expect_file(&root().join("bindings/codegen/tests/generated/probes.rs"), &(probes + ")\n"));
}

/// rustdoc says so itself, of all comments of the generated source.
#[test]
fn no_description_becomes_a_test_of_documentation() {
    let source = include_str!("generated/torture.rs").lines().map(str::trim_start);
    let mut items = String::new();
    for (at, line) in source.enumerate() {
        match line.starts_with("///") {
            true => items.push_str(&format!("{line}\n")),
            false => items.push_str(&format!("pub struct Line{at};\n")),
        }
    }
    assert!(items.contains("numbered!();") && items.contains("quoted!();"), "the torture has them");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("descriptions.rs");
    fs::write(&file, items).expect("it can be written");
    let rustdoc = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    let listed = Command::new(rustdoc).arg("--test").arg(&file).args(["--test-args", "--list"]).output();
    let listed = String::from_utf8(listed.expect("rustdoc is there").stdout).expect("it is text");
    assert!(listed.lines().any(|line| line.starts_with("0 tests,")), "{listed}");
}

#[test]
fn the_golden_files_are_up_to_date() {
    let contract = contract();
    let model = Model::new(&contract);
    let folder = root().join("tests/golden");
    let mut wanted: Vec<_> = contract.messages.iter().map(|m| format!("{}.json", m.name)).collect();
    for message in &contract.messages {
        let text = golden::text(&model, message).expect("boundary values fit their types");
        expect_file(&folder.join(format!("{}.json", message.name)), &text);
    }
    wanted.sort();
    let mut found: Vec<_> = fs::read_dir(&folder)
        .expect("the golden folder is there")
        .map(|entry| entry.expect("the folder can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".json"))
        .collect();
    found.sort();
    assert_eq!(found, wanted, "remove golden files whose message is gone");
}

/// Each level of lists doubles a value, and each field of a level multiplies it: such vectors would fill the
/// memory.
#[test]
fn golden_vectors_beyond_bounds_are_refused() {
    let mut text = "schema: {id: a.b, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nstructs:\n  S0: {fields: {x: u8}}\n"
        .to_owned();
    for level in 1..13 {
        let fields: Vec<String> = (0..100).map(|field| format!("f{field}: Vec<S{}>", level - 1)).collect();
        text.push_str(&format!("  S{level}: {{fields: {{{}}}}}\n", fields.join(", ")));
    }
    let fields = |fields: &str| format!("topic: t, domain: d, fields: {{{fields}}}");
    let wide: Vec<String> = (0..32).map(|field| format!("f{field}: '[u8; 256]'")).collect();
    text.push_str(&format!("messages:\n  Deep: {{tlv_type: 1, {}}}\n", fields("x: S12")));
    text.push_str(&format!("  Wide: {{tlv_type: 2, {}}}\n", fields(&wide.join(", "))));
    text.push_str(&format!("  Fine: {{tlv_type: 3, {}}}\n", fields("x: '[u8; 8192]'")));
    let contract = Contract::parse(&text, "t").unwrap_or_else(|errors| panic!("{errors}"));
    let model = Model::new(&contract);
    for (message, parts) in contract.messages.iter().zip([u64::MAX, 32 * 8_192, 8_192]) {
        let text = golden::text(&model, message);
        if parts <= golden::PARTS_MAX {
            assert!(text.is_ok());
        } else {
            let refused = GoldenError::TooLarge { message: message.name.clone(), parts };
            assert_eq!(text, Err(refused.clone()));
            assert_eq!(golden::hostile(&model, message), Err(refused));
        }
    }
}

/// Checks one value both ways: the type prints what the value says, and writes the bytes that were read.
fn check(model: &Model<'_>, name: &str, values: &[(String, Value)], encoded: &Encoded) {
    let message = model.contract.message(name).expect("the message exists");
    let (printed, bytes) = probe(name)
        .round_trip(&encoded.bytes)
        .unwrap_or_else(|error| panic!("{error}\n{}", show::json(model, &message.fields, values)));
    assert_eq!(printed, show::debug(model, name, &message.fields, values));
    assert_eq!(
        show::hex(&bytes),
        show::hex(&encoded.bytes),
        "{name} {}",
        show::json(model, &message.fields, values)
    );
}

#[test]
fn generated_types_agree_with_every_golden_vector() {
    for contract in &contracts() {
        let model = Model::new(contract);
        for message in &contract.messages {
            let vectors = golden::vectors(&model, message).expect("boundary values fit their types");
            for vector in &vectors {
                let encoded = &vector.encoded;
                let seen = probe(&message.name)
                    .decode_version(&encoded.bytes, vector.version, encoded.root_len as u32)
                    .unwrap_or_else(|error| panic!("{}: {error}", vector.name));
                assert_eq!(
                    seen,
                    show::debug(&model, &message.name, &message.fields, &vector.values),
                    "{}",
                    vector.name
                );
                if vector.version == message.version {
                    check(&model, &message.name, &vector.values, encoded);
                }
            }
        }
    }
}

#[test]
fn generated_types_agree_with_random_values() {
    let rng = &mut Random::new(seed());
    for contract in &contracts() {
        let model = Model::new(contract);
        for message in &contract.messages {
            for _ in 0..cases(CASES) {
                let values = random::fields(&model, &message.fields, rng);
                let encoded =
                    encode::message(&model, &message.fields, &values).expect("random values fit their types");
                check(&model, &message.name, &values, &encoded);
            }
        }
    }
}

#[test]
fn hostile_vectors_are_refused_as_they_should() {
    for contract in &contracts() {
        let model = Model::new(contract);
        for message in &contract.messages {
            for case in golden::hostile(&model, message).expect("boundary values fit their types") {
                let place = format!("{}: {}", message.name, case.name);
                match (case.verdict, probe(&message.name).access(&case.bytes)) {
                    (Verdict::Truncated, Err(WireError::Truncated { .. }))
                    | (Verdict::Invalid, Err(WireError::Invalid { .. })) => {}
                    (verdict, got) => panic!("{place}: expected {verdict:?}, got {got:?}"),
                }
            }
        }
    }
}

#[test]
fn random_damage_never_panics() {
    let rng = &mut Random::new(seed());
    for contract in &contracts() {
        let model = Model::new(contract);
        for message in &contract.messages {
            let probe = probe(&message.name);
            for _ in 0..cases(CASES) {
                let values = random::fields(&model, &message.fields, rng);
                let encoded =
                    encode::message(&model, &message.fields, &values).expect("random values fit their types");
                let mut bytes = encoded.bytes;
                for _ in 0..=rng.below(4) {
                    let at = rng.index(bytes.len());
                    bytes[at] = rng.next_u64() as u8;
                }
                bytes.truncate(bytes.len() - (rng.below(2) * rng.below(20)).min(bytes.len() as u64) as usize);
                let version = rng.below(5) as u16;
                let root_len = (encoded.root_len as u64 + rng.below(3) * 8) as u32;
                let _ = probe.round_trip(&bytes);
                let _ = probe.decode_version(&bytes, version, root_len);
            }
        }
    }
}

/// A newer peer appends a field: what we know of the message is read from where it was.
#[test]
fn newer_versions_are_read_through_the_root_length() {
    let contract = contract();
    let model = Model::new(&contract);
    let rng = &mut Random::new(seed());
    let tail = &contract.message("Lists").expect("the message exists").fields;
    for message in &contract.messages {
        let mut fields = message.fields.clone();
        for field in tail {
            let mut field = field.clone();
            field.name = format!("newer_{}", field.name);
            fields.push(field);
        }
        for _ in 0..200 {
            let values = random::fields(&model, &fields, rng);
            let encoded = encode::message(&model, &fields, &values).expect("random values fit their types");
            let seen = probe(&message.name)
                .decode_version(&encoded.bytes, message.version + 1, encoded.root_len as u32)
                .unwrap_or_else(|error| panic!("{error}"));
            let known = &values[..message.fields.len()];
            assert_eq!(seen, show::debug(&model, &message.name, &message.fields, known));
        }
    }
}

#[test]
fn versions_and_root_lengths_that_do_not_fit_are_refused() {
    let bytes = aligned(&[0; 4096]);
    let ours = Evolved::ROOT_LEN;
    for (version, root_len) in
        [(0, ours), (1, 15), (1, ours), (2, 16), (3, ours - 8), (3, ours + 8), (4, ours - 8), (u16::MAX, 0)]
    {
        match Evolved::decode_version(&bytes, version, root_len) {
            Err(WireError::Version { message: "Evolved", ours: 3, got, root_len_got, .. }) => {
                assert_eq!((got, root_len_got), (version, root_len));
            }
            other => panic!("version {version}, root length {root_len}: {other:?}"),
        }
    }
    let short = Evolved::decode_version(&bytes[..64], 4, 65_536);
    assert!(matches!(short, Err(WireError::Truncated { needed: 65_536, got: 64, .. })), "{short:?}");
}

#[test]
fn the_current_version_is_read_in_place_and_an_older_one_rebuilt() {
    let new = Evolved { note: "kept".into(), ..Evolved::new(7, 9) };
    let mut encoder = Encoder::new();
    let bytes = encoder.encode(&new).expect("it is small");
    let View::Archived(seen) = Evolved::view(bytes, 3, Evolved::ROOT_LEN).expect("it is valid") else {
        panic!("the current version was rebuilt");
    };
    assert_eq!((seen.id.to_native(), seen.note.as_str()), (7, "kept"));

    let mut old = [0; 16];
    (old[0], old[8]) = (7, 9);
    let View::Upgraded(seen) = Evolved::view(&aligned(&old), 1, 16).expect("it is valid") else {
        panic!("an older version was read in place");
    };
    assert_eq!(seen, Evolved::new(7, 9));
    assert_eq!((seen.note.as_str(), seen.level, seen.limit), ("none", -7, Some(10)));
}

#[test]
fn the_digests_of_generated_types_are_those_of_the_contract() {
    for contract in &contracts() {
        let model = Model::new(contract);
        for message in &contract.messages {
            let probe = probe(&message.name);
            assert_eq!(probe.digest(), model.digest(message, message.version));
            let offer = probe.offer();
            assert_eq!((offer.name, offer.version), (message.name.as_str(), message.version));
            for layout in offer.layouts {
                assert_eq!(layout.digest, model.layout_digest(message, layout.version));
                assert_eq!(layout.digest == probe.digest(), {
                    layout.version == *Model::versions(message).last().expect("it has a version")
                        && offer.enums.is_empty()
                });
            }
        }
    }
}

#[test]
fn the_worked_example_of_the_specification() {
    let example = torture::Example {
        id: 7,
        venue: "XNAS".into(),
        symbol: "MYCELIUM-1".into(),
        lots: Some(500),
        prices: vec![1.5, -2.0],
    };
    let mut encoder = Encoder::new();
    let hex = show::hex(encoder.encode(&example).expect("it is small"));
    let page = fs::read_to_string(root().join("docs/wire.md")).expect("docs/wire.md is there");
    let packed: String = page.lines().filter(|line| line.starts_with("    ")).map(hex_of_line).collect();
    assert!(packed.contains(&hex), "docs/wire.md shows other bytes than {hex}");
}

/// The hex digits of a line of the specification: what stands before `|`, without blanks.
fn hex_of_line(line: &str) -> String {
    line.split('|').next().unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn misaligned_bytes_are_named_as_such() {
    let buffer = aligned(&[0; 512]);
    let result = Scalars::access(&buffer[1..=Scalars::ROOT_LEN as usize]);
    assert!(matches!(result, Err(WireError::Misaligned { off_by: 1, .. })), "{result:?}");
}

#[test]
fn defaults_are_those_of_the_contract() {
    for message in &contract().messages {
        let printed = probe(&message.name).default();
        assert!(printed.starts_with(&message.name), "{printed}");
    }
    let evolved = Evolved::default();
    assert_eq!((evolved.id, evolved.rate, evolved.live, evolved.grid), (0, 0.5, true, [9; 4]));
    assert_eq!(evolved.amount.to_string(), "12.50");
    assert_eq!(evolved.started.to_string(), "2024-01-31T09:30:00Z");
    assert_eq!((evolved.raw.as_slice(), evolved.colour), (&[0xde, 0xad, 0xbe, 0xef][..], Colour::Green));
    assert_eq!(evolved.shape, Shape::Circle { radius: 1.0 });
}

/// A message of `Rules` that keeps all of them.
fn ruled() -> Rules {
    Rules {
        lot: 100,
        price: "0.01".parse().expect("a decimal"),
        balance: 1u64.into(),
        not_before: mycelium_mailbox::scalar::Timestamp::from_nanos(1_600_000_000_000_000_000),
        currency: "EUR".into(),
        symbol: "ACME".into(),
        key: vec![0; 4],
        weights: vec![0.0],
        codes: [100; 3],
        ..Rules::default()
    }
}

#[test]
fn every_rule_is_checked_and_its_error_names_field_and_value() {
    assert_eq!(ruled().validate(), Ok(()));
    let broken = |change: fn(&mut Rules)| {
        let mut message = ruled();
        change(&mut message);
        message.validate().expect_err("a rule was broken").to_string()
    };
    assert_eq!(broken(|m| m.percent = 101), "Rules.percent is 101, must be at most 100");
    assert_eq!(broken(|m| m.temperature = -273.15), "Rules.temperature is -273.15, must be above -273.15");
    assert_eq!(broken(|m| m.temperature = f32::INFINITY), "Rules.temperature is inf, must be finite");
    assert_eq!(broken(|m| m.ratio = f64::NAN), "Rules.ratio is NaN, must be at least 0.0");
    assert_eq!(broken(|m| m.ratio = 1.0), "Rules.ratio is 1.0, must be below 1.0");
    assert_eq!(broken(|m| m.lot = 150), "Rules.lot is 150, must be a multiple of 100");
    assert_eq!(broken(|m| m.lot = 0), "Rules.lot is 0, must be other than zero");
    assert_eq!(
        broken(|m| m.price = "0.009".parse().expect("a decimal")),
        "Rules.price is 0.009, must be at least 0.01"
    );
    assert_eq!(broken(|m| m.balance = 0u64.into()), "Rules.balance is 0, must be at least 1");
    assert_eq!(broken(|m| m.delta = 1001i64.into()), "Rules.delta is 1001, must be at most 1000");
    assert!(broken(|m| m.not_before = Default::default()).starts_with("Rules.not_before is "));
    assert_eq!(
        broken(|m| m.currency = "GBP".into()),
        "Rules.currency is \"GBP\", must be one of \"EUR\", \"USD\", \"CHF\""
    );
    assert_eq!(broken(|m| m.paint = Colour::Blue), "Rules.paint is Blue, must be one of Red, Green");
    assert_eq!(broken(|m| m.symbol.clear()), "Rules.symbol has length 0, must have at least 1");
    assert_eq!(broken(|m| m.symbol = "A".repeat(13)), "Rules.symbol has length 13, must have at most 12");
    assert_eq!(broken(|m| m.symbol = "\u{e9}".into()), "Rules.symbol is \"\u{e9}\", must be printable ASCII");
    assert_eq!(broken(|m| m.key = vec![1]), "Rules.key has length 1, must have at least 4");
    assert_eq!(broken(|m| m.weights.push(-1.0)), "Rules.weights[1] is -1.0, must be at least 0.0");
    assert_eq!(broken(|m| m.codes[2] = 1000), "Rules.codes[2] is 1000, must be at most 999");
    assert_eq!(broken(|m| m.alias = Some("x".into())), "Rules.alias has length 1, must have at least 2");

    let nested = Lists { people: vec![Person::default()], ..Lists::default() };
    let error: ValidationError = nested.validate().expect_err("the person has no name");
    assert_eq!(error.to_string(), "Lists.people[0].name has length 0, must have at least 1");
}

/// `Growing` is in version 5 and got fields in 1 and 3: 2 is as 1, and 4 as 5.
#[test]
fn what_a_topic_retains_is_what_the_contract_says() {
    use mycelium_mailbox::wire::DeclaredRetention;
    fn key<M: Wire>(message: &M) -> (Option<u64>, u32) {
        match M::RETAIN {
            Some(DeclaredRetention::LastPerKey { key, keys_max }) => (Some(key(message)), keys_max),
            Some(DeclaredRetention::Last(messages)) => (None, messages),
            other => panic!("{other:?}"),
        }
    }
    assert!(Lookup::RETAIN.is_none());
    let evolved = Evolved { id: u64::MAX, ..Evolved::default() };
    assert_eq!(key(&evolved), (Some(u64::MAX), 1_000));
    let tiny = torture::Tiny { one: true };
    assert_eq!(key(&tiny), (None, 1));
    let mixed = |i| key(&torture::Mixed { i, ..torture::Mixed::default() });
    assert_eq!(mixed(-1), (Some(u64::MAX), 16));
    assert_ne!(mixed(1), mixed(2));
    let venue = |venue: &str| {
        let example = torture::Example { venue: venue.to_owned(), ..torture::Example::default() };
        key(&example)
    };
    assert_eq!(venue("XNAS"), (Some(mycelium_mailbox::conflation_key("XNAS")), 65_536));
    assert_ne!(venue("XNAS"), venue("XNYS"));
}

#[test]
fn versions_without_new_fields_share_a_layout() {
    use torture::{Deep, Growing};
    let digest = |version| Growing::layout(version).map(|layout| (layout.version, layout.digest));
    assert_eq!((digest(2), digest(4)), (digest(1), digest(5)));
    assert_ne!(digest(2), digest(3));
    assert_eq!((digest(0), digest(6)), (None, None));
    let contract = &contracts()[1];
    let model = Model::new(contract);
    let message = contract.message("Growing").expect("the message exists");
    let rng = &mut Random::new(seed());
    for version in 1..=5 {
        let fields = message.fields_of(version);
        assert_eq!(digest(version).map(|(_, digest)| digest), Some(model.digest(message, version)));
        for _ in 0..100 {
            let values = random::fields(&model, fields, rng);
            let encoded = encode::message(&model, fields, &values).expect("random values fit their types");
            let seen = Growing::decode_version(&aligned(&encoded.bytes), version, encoded.root_len as u32)
                .unwrap_or_else(|error| panic!("{error}"));
            if version < 3 {
                assert_eq!((seen.field, &seen.model), (3, &[Deep::Plain, Deep::Plain]));
            }
            let printed = show::debug(&model, "Growing", fields, &values);
            assert!(format!("{seen:?}").starts_with(printed.trim_end_matches(" }")), "{printed}");
        }
    }
}
