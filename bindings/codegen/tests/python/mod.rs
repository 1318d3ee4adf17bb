//! The generated Python package against the Rust types: the same verdict on golden vectors, random values and
//! damage, the same values, the same bytes, the same broken rules.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mycelium_codegen::{Model, PythonFile, python, python_msgspec, show};
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

/// Runs Python.
fn run(python: &Path, arguments: &[&Path]) -> String {
    let output = Command::new(python).args(arguments).output().expect("it was found");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn write_package(files: Vec<PythonFile>, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for file in files {
        fs::write(folder.join(file.name), file.text).expect("a file");
    }
}

#[test]
fn python_reads_writes_and_validates_as_rust_does() {
    // It is installed where that can be done.
    let interpreter = PathBuf::from(cases::install("tests/python/install.sh", None));
    packages_do_as_rust_does("python", &interpreter, python);
}

/// msgspec is in the environment of the tests of the Python package, which is made once for each target
/// folder.
#[test]
fn python_with_msgspec_reads_writes_and_validates_as_rust_does() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder");
    let venv = target.join("python-venv");
    let interpreter = PathBuf::from(cases::install("tests/python/venv.sh", Some(&venv)));
    packages_do_as_rust_does("python-msgspec", &interpreter, python_msgspec);
}

/// Values of which the wire has not all digits are refused, and no name of a field is in the way.
#[test]
fn python_rounds_nothing_silently() {
    let text = "schema: {id: exact, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nstructs:\n  \
                Inner: {fields: {percent: {type: u8, validation: {max: 100}}}}\n  \
                Ruled:\n    fields:\n      \
                at_least: {type: i64, default: 5, validation: {min: 1}}\n      \
                at_most: {type: f64, default: 0.5, validation: {max: 1.0}}\n      \
                above: {type: Decimal, default: \"5\", validation: {greater_than: \"1\"}}\n      \
                below: {type: U256, default: 5, validation: {less_than: 9}}\n      \
                steps: {type: u32, default: 10, validation: {multiple_of: 5}}\n      \
                not_zero: {type: i8, default: 5, validation: {not_zero: true}}\n      \
                finite: {type: f32, default: 0.5, validation: {finite: true}}\n      \
                one_of: {type: u8, default: 1, validation: {one_of: [1, 2]}}\n      \
                ascii: {type: String, default: a, validation: {ascii: true}}\n      \
                long: {type: String, default: abc, validation: {min_length: 2, max_length: 5}}\n      \
                full: {type: Vec<u64>, default: [1], validation: {not_empty: true}}\n      \
                maybe: {type: Option<f64>, default: 0.5, validation: {finite: true}}\n      \
                prices: {type: Vec<Decimal>, default: [\"1\"], validation: {max_length: 2, each: {min: \"1\"}}}\n  \
                Offset: {fields: {x: u8, side: Side}}\n  \
                Point: {fields: {x: u8, side: Side}}\n  \
                Leaf: {fields: {part: {type: u8, validation: {min: 1}}}}\n  \
                Middle: {fields: {leaf: Leaf}}\n  \
                Outer: {fields: {middle: Middle}}\n\
                enums:\n  \
                Holds: {variants: [Nothing, {Outer: {fields: {outer: Outer}}}]}\n  \
                Side: [Buy, Sell]\n  \
                Colour: [Red, Green]\n  \
                Either:\n    variants:\n      - Nothing\n      - Part: {fields: {part: {type: i64, validation: {min: 1}}}}\n\
                messages:\n  \
                Exact:\n    tlv_type: 1\n    topic: exact\n    domain: d\n    fields:\n      \
                amount: Decimal\n      \
                classmethod: {type: u8, default: 5}\n      \
                single: {type: f32, default: 0.5, validation: {finite: true}}\n      \
                inner: {type: Vec<Inner>, default: []}\n  \
                Holder:\n    tlv_type: 2\n    topic: exact\n    domain: d\n    fields:\n      \
                one: Ruled\n      \
                each: {type: Vec<Ruled>, default: []}\n      \
                either: Either\n  \
                Strict:\n    tlv_type: 4\n    topic: exact\n    domain: d\n    fields:\n      \
                side: {type: Side, default: Buy}\n      \
                whole: {type: u8, default: 1}\n      \
                wide: {type: U256, default: 1}\n      \
                at: {type: Timestamp, default: 1}\n      \
                real: {type: f64, default: 1.0}\n      \
                flag: {type: bool, default: true}\n      \
                text: {type: String, default: a}\n      \
                maybe: {type: Option<Side>, default: Sell}\n      \
                sides: {type: Vec<Side>, default: [Buy]}\n      \
                wholes: {type: Vec<u32>, default: [1]}\n      \
                reals: {type: \"[f32; 2]\", default: 1.0}\n      \
                texts: {type: Vec<String>, default: [a]}\n      \
                point: {type: Point, default: {x: 1, side: Buy}}\n      \
                points: {type: Vec<Point>, default: []}\n  \
                Flat: {tlv_type: 5, topic: exact, domain: d, fields: {side: Side, whole: u8, wide: I256, real: f32, flag: bool}}\n  \
                Raw:\n    tlv_type: 6\n    topic: exact\n    domain: d\n    fields:\n      \
                data: Bytes\n      octets: Vec<u8>\n      pair: \"[u8; 2]\"\n      \
                single: f32\n      singles: \"[f32; 2]\"\n      double: f64\n      amount: Decimal\n  \
                Nested: {tlv_type: 7, topic: exact, domain: d, fields: {holds: Holds, reals: {type: Vec<f64>, default: []}}}\n  \
                Blob:\n    tlv_type: 3\n    topic: exact\n    domain: d\n    fields: {data: Vec<u8>}\n";
    let contract = Contract::parse(text, "exact.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let interpreter = PathBuf::from(cases::install("tests/python/install.sh", None));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-exact");
    write_package(python(&contract), &folder.join("exact"));
    let script = common::root().join("bindings/codegen/tests/python/exact.py");
    assert_eq!(run(&interpreter, &[&script, &folder, Path::new("exact")]), "fine\n");
}

/// Types with the names of codes of numbers take the place of none, and a variant may have a default of an
/// enum that stands below it.
#[test]
fn python_types_may_have_any_name_and_order() {
    let text = "schema: {id: named, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nstructs:\n  \
                B: {fields: {x: u64, y: String}}\n  H: {fields: {x: u64}}\n  I: {fields: {x: u64}}\n  Q: {fields: {x: u8}}\n\
                enums:\n  \
                Part:\n    variants:\n      - Plain: {fields: {side: {type: Side, default: Sell}}}\n  \
                Side: {variants: [Buy, Sell]}\n\
                messages:\n  \
                Named:\n    tlv_type: 1\n    topic: t\n    domain: d\n    fields:\n      \
                b: B\n      h: H\n      i: I\n      q: Q\n      part: Part\n      \
                codes: Option<u8>\n      shorts: \"[u16; 2]\"\n      words: Option<u32>\n      longs: Option<u64>\n";
    let contract = Contract::parse(text, "named.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let interpreter = PathBuf::from(cases::install("tests/python/install.sh", None));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-named");
    write_package(python(&contract), &folder.join("named"));
    let script = "import sys; sys.path.insert(0, sys.argv[1])\nfrom named import *\n\
                  part = Part_Plain()\nassert part.side is Side.Sell\n\
                  one = Named(b=B(x=1, y='y'), h=H(x=2), i=I(x=3), q=Q(x=4), part=part, codes=5, shorts=[6, 7], words=8, longs=9)\n\
                  assert Named.decode(one.encode()) == one\nprint('fine')";
    assert_eq!(run(&interpreter, &[Path::new("-c"), Path::new(script), &folder]), "fine\n");
}

fn packages_do_as_rust_does(folder: &str, interpreter: &Path, make: fn(&Contract) -> Vec<PythonFile>) {
    let rng = &mut Random::new(seed());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    for (at, contract) in contracts().iter().enumerate() {
        let (name, model) = (format!("package{at}"), Model::new(contract));
        write_package(make(contract), &folder.join(&name));
        let mut all = Vec::new();
        for message in &contract.messages {
            cases::of_message(&model, message, rng, &mut all);
        }
        let mut lines = String::new();
        all.iter().for_each(|case| line(case, &mut lines));
        let cases = folder.join(format!("{name}.cases"));
        fs::write(&cases, &lines).expect("a file");
        let script = common::root().join("bindings/codegen/tests/python/check.py");
        let told = run(interpreter, &[&script, &folder, Path::new(&name), &cases]);
        let digest = format!("digest {:016x}", Digests::of(contract).schema(contract));
        assert!(told.contains(&digest), "{told}");
        assert!(told.starts_with(&format!("{} cases, 0 failed", lines.lines().count())), "{told}");
    }
}
