//! Every mistake that a contract can have, one after the other, with all that is said of it: no text is
//! without a place and a remedy. `remedies.txt` is what users read; `MYCELIUM_BLESS=1` writes it anew.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use common::{GOOD, with, with_fields};
use mycelium_contract::{Code, Contract};

/// Whole files.
const FILES: &[&str] = &[
    "",
    "---",
    "- a",
    "just text",
    "schema:\n\tid: x",
    "x: [[u8; 4]; 2]",
    "a: b: c",
    "x: 1\n---\ny: 2",
    "x: !custom 1",
    "x: *gone",
    "x: &x {y: *x}",
    "x: {<<: {a: 1}}",
    "x: 1\nx: 2",
    "x: 0o17",
    "x: \"open",
    "x: @at",
    "x: %percent",
    "x: a\u{0}b",
    "\u{feff}schma: 1",
    "schema: 1",
];

/// What stands in the place of `schema`, `domains` and `tag_ranges`.
const HEADS: &[&str] = &[
    "schema: {id: a, version: 1}\ndomains: [d]",
    "schema: {id: a}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema:\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: 'a b', version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: [a], version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: , version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 0}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: '1'}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: one}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1, vesion: 2}\ndomains: [d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: {d: [1]}\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: [d, d]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: [d, D]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: [d, 7]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: [d, [e]]\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: {d: , true: x}\ntag_ranges: {d: [1, 9]}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: [d, 1, 9]",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: 1-9}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [9, 1]}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1]}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [0, 9]}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: ['1', 9]}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9], dd: [10, 12]}",
    "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9], other: [10, 12]}",
    "schema: {id: a, version: 1}\ndomains: [d, e]\ntag_ranges: {d: [1, 9], e: [9, 12]}",
];

/// What stands under `messages`.
const MESSAGES: &[&str] = &[
    "  {}",
    "  - M",
    "  M:",
    "  m: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}",
    "  Option: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}",
    "  7: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}",
    "  M: {topic: t, domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d}",
    "  M: {tlv_type: 1, topic: t, domain: d, fields: }",
    "  M: {tlv_type: 1, topic: t, domain: d, fields: {}}",
    "  M: {tlv_type: 1, topic: t, domain: d, fields: [x]}",
    "  M: {tlv_type: 1, topic: , domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: [t], domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: 'a b', domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: dd, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: other, fields: {x: u8}}",
    "  M: {tlv_type: '1', topic: t, domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 65280, topic: t, domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 100, topic: t, domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, version: 0, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, topics: t, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, colour: red, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, description: [a], fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, reply: Nn, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, reply: Answer, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, reply: , fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: all, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: 100, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {last: 0}, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {last: 1, per: x}, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {last: 1, keys: 2}, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {keys: 2}, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {per: y}, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {per: far}, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, retain: {per: x}, fields: {x: f64}}",
    "  M: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}\n  N: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}",
    "  M: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}\n  ArchivedM: {tlv_type: 2, topic: t, domain: d, fields: {x: u8}}",
];

/// What stands beside a message that is correct.
const DEFINITIONS: &[&str] = &[
    "enums: [E]\n",
    "enums:\n  E:\n",
    "enums:\n  E: {}\n",
    "enums:\n  E: []\n",
    "enums:\n  E: A\n",
    "enums:\n  e: [A]\n",
    "enums:\n  E: [a]\n",
    "enums:\n  E: [None]\n",
    "enums:\n  E: [A, A]\n",
    "enums:\n  E: [true]\n",
    "enums:\n  E: [7]\n",
    "enums:\n  E: [{A: , B: }]\n",
    "enums:\n  E: [{A: [x]}]\n",
    "enums:\n  E: [{A: {field: {x: u8}}}]\n",
    "enums:\n  E: [A, {B: {since: 0}}]\n",
    "enums:\n  E: [{A: {fields: {variant: u8}}}]\n",
    "enums:\n  E: [{A: {since: 2}}]\n",
    "enums:\n  E: [{A: {fields: {x: u8}}}, {B: {since: 2}}]\n",
    "enums:\n  E: {variants: [A], colour: red}\n",
    "enums:\n  M: [A]\n",
    "structs:\n  S: [x]\n",
    "structs:\n  S: {}\n",
    "structs:\n  S: {fields: {}}\n",
    "structs:\n  S: {fields: {x: {type: u8, since: 2}}}\n",
    "structs:\n  S: {fields: {next: Option<S>}}\n",
    "structs:\n  Self: {fields: {x: u8}}\n",
    "structs:\n  S: {fields: {x: '[[u64; 1024]; 2]'}}\n",
];

/// Fields of a message in its version 2.
const FIELDS: &[&str] = &[
    "x:",
    "x: 7",
    "x: true",
    "x: {default: 1}",
    "x: {type: {a: u8}}",
    "x: {type: u8, defualt: 1}",
    "x: [u8, 4]",
    "x: flaot",
    "x: Wibble",
    "x: int",
    "x: usize",
    "x: HashMap<String, u8>",
    "x: Vec",
    "x: Vec<u8",
    "x: Vec<>",
    "x: u8 u8",
    "x: '[u8]'",
    "x: '[u8; n]'",
    "x: '[u8; 0]'",
    "x: '[u8; 4'",
    "x: Option<Option<u8>>",
    "x: Vec<Vec<Vec<Vec<Vec<Vec<Vec<Vec<u8>>>>>>>>",
    "X: u8",
    "x y: u8",
    "type: u8",
    "encode: u8",
    "x1: u8\nx_1: u8",
    "true: u8",
    "x: {type: u8, since: 0}",
    "x: {type: u8, since: 3, default: 0}",
    "x: u8\ny: {type: u8, since: 2}",
    "x: u8\ny: {type: u8, since: 2, default: 0}\nz: u8",
    "x: {type: u8, since: 2, default: 0}\ny: u8",
    "x: {type: u8, default: 256}",
    "x: {type: u8, default: 1_0}",
    "x: {type: u8, default: text}",
    "x: {type: bool, default: 1}",
    "x: {type: String, default: 7}",
    "x: {type: f64, default: .nan}",
    "x: {type: String, default: 1e999}",
    "x: {type: f64, default: 0xff}",
    "x: {type: f32, default: 1e39}",
    "x: {type: Decimal, default: 1e3}",
    "x: {type: U256, default: -1}",
    "x: {type: Timestamp, default: yesterday}",
    "x: {type: Bytes, default: 7}",
    "x: {type: Bytes, default: abc}",
    "x: {type: Vec<u8>, default: 7}",
    "x: {type: '[u8; 2]', default: [1]}",
    "x: {type: Side, default: Bye}",
    "x: {type: Side, default: Zebra}",
    "x: {type: Side, default: 1}",
    "x: {type: Side, default: {Buy: {}, Sell: {}}}",
    "x: {type: Part, default: Part}",
    "x: {type: Part, default: {Part: 1}}",
    "x: {type: Level, default: 1}",
    "x: {type: Level, default: {price: 1.0}}",
    "x: {type: Level, default: {price: 1.0, size: 1.0, colour: 1}}",
    "x: {type: u8, default: 5, validation: {max: 4}}",
    "x: {type: u8, validation: [max]}",
    "x: {type: u8, validation: {maks: 4}}",
    "x: {type: String, validation: {min: 1}}",
    "x: {type: bool, validation: {min: 1}}",
    "x: {type: f64, validation: {multiple_of: 1}}",
    "x: {type: u8, validation: {finite: true}}",
    "x: {type: f64, validation: {one_of: [1]}}",
    "x: {type: u8, validation: {ascii: true}}",
    "x: {type: u8, validation: {min_length: 1}}",
    "x: {type: u8, validation: {each: {min: 1}}}",
    "x: {type: Vec<u8>, validation: {min: 1}}",
    "x: {type: u8, validation: {max: 256}}",
    "x: {type: u8, validation: {multiple_of: 0}}",
    "x: {type: u8, validation: {not_zero: 1}}",
    "x: {type: u8, validation: {one_of: 1}}",
    "x: {type: u8, validation: {one_of: []}}",
    "x: {type: u8, validation: {one_of: [1, 1]}}",
    "x: {type: u8, validation: {one_of: [1, 7], max: 4}}",
    "x: {type: String, validation: {min_length: -1}}",
    "x: {type: String, validation: {min_length: 5, max_length: 4}}",
    "x: {type: Vec<Vec<u8>>, validation: {each: {each: {min: 1}}}}",
    "x: {type: Vec<u8>, validation: {each: {}}}",
    "x: {type: u8, validation: {min: 5, max: 4}}",
    "x: {type: u8, validation: {min: 5, greater_than: 4}}",
    "x: {type: Vec<u64>, validation: {min_length: 200000000}}",
    "x: '[u64; 2000]'",
    "x: {type: u8, description: {a: b}}",
];

const DEFINED: &str = "enums:\n  Side: [Buy, Sell]\n  Part: [{Part: {fields: {n: u8}}}]\n\
                       structs:\n  Level: {fields: {price: f64, size: f64}}\n";

/// Too many of something: what is said of it, and no text of thousands of lines.
fn floods() -> Vec<(&'static str, String)> {
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let fields = many(257, &|at| format!("f{at}: u8\n"));
    let variants: Vec<String> = (0..257).map(|at| format!("V{at}")).collect();
    let data = many(247, &|at| format!("    - V{at}: {{fields: {{x: u8}}}}\n"));
    let domains: Vec<String> = (0..257).map(|at| format!("d{at}")).collect();
    let values: Vec<String> = (0..257).map(|at| at.to_string()).collect();
    let deep = many(17, &|at| match at {
        0 => "  S0: {fields: {x: u8}}\n".to_owned(),
        at => format!("  S{at}: {{fields: {{x: S{}}}}}\n", at - 1),
    });
    let long = "n".repeat(65);
    let one_of = format!("x: {{type: u16, validation: {{one_of: [{}]}}}}", values.join(", "));
    vec![
        ("257 fields", with_fields(&fields)),
        ("257 variants", with(&format!("enums:\n  E: [{}]\n", variants.join(", ")), GOOD)),
        ("247 variants with fields", with(&format!("enums:\n  E:\n    variants:\n{data}"), GOOD)),
        (
            "257 domains",
            with("", GOOD).replace("domains: [d]", &format!("domains: [d, {}]", domains.join(", "))),
        ),
        ("257 values", with_fields(&one_of)),
        ("17 structs in one another", with(&format!("structs:\n{deep}"), GOOD)),
        ("a name of 65 bytes", with_fields(&format!("{long}: u8"))),
        ("a type of 300 bytes", with_fields(&format!("x: {}", "Vec<".repeat(75)))),
        (
            "a description of 5,000 bytes",
            with_fields(&format!("x: {{type: u8, description: {}}}", "x".repeat(5_000))),
        ),
        ("a default of 1,025 parts", with_fields("x: {type: '[u8; 1025]', default: 0}")),
        ("25 levels", format!("x: {}", "[".repeat(30) + &"]".repeat(30))),
    ]
}

fn inputs() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |shown: &str, text: String| all.push((shown.to_owned(), text));
    FILES.iter().for_each(|text| add(text, (*text).to_owned()));
    HEADS.iter().for_each(|head| add(head, format!("{head}\nmessages:\n{GOOD}")));
    MESSAGES.iter().for_each(|message| add(message, with("", message)));
    DEFINITIONS.iter().for_each(|definitions| add(definitions, with(definitions, GOOD)));
    for fields in FIELDS {
        add(fields, with_fields(fields).replace("messages:\n", &format!("{DEFINED}messages:\n")));
    }
    floods().into_iter().for_each(|(shown, text)| add(shown, text));
    all
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_remedy() {
    let mut told = String::new();
    let mut codes = BTreeSet::new();
    for (shown, text) in inputs() {
        let errors = Contract::parse(&text, "t.yaml").expect_err(&text);
        let visible = shown.replace('\0', "\\0").replace('\u{feff}', "\\u{feff}");
        let _ = writeln!(told, "{}", visible.trim_end());
        for error in errors.list() {
            let Diagnosed { code, cause, remedy } = Diagnosed::of(error);
            assert!(error.at.line > 0, "no place: {error}\n{text}");
            assert!(!remedy.is_empty(), "no remedy: {error}\n{text}");
            let shown = error.to_string();
            assert!(!shown.contains('\u{feff}'), "a mark is shown: {shown}");
            let _ = writeln!(told, "    {code} at {}:{}: {cause}", error.at.line, error.at.column);
            let _ = writeln!(told, "        {remedy}");
            codes.insert(code);
        }
        told.push('\n');
    }
    let unshown: Vec<String> =
        Code::ALL.iter().map(|(code, _)| code.to_string()).filter(|c| !codes.contains(c)).collect();
    assert_eq!(unshown, ["MYC0001", "MYC0002"], "no row shows these");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/remedies.txt");
    if std::env::var_os("MYCELIUM_BLESS").is_some() {
        std::fs::write(&path, &told).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(told.lines()).find(|(a, b)| a != b);
    let mend = "MYCELIUM_BLESS=1 cargo test -p mycelium-contract --test remedies";
    assert!(expected == told, "the texts have changed, first {differs:?}; if that is meant: {mend}");
}

/// What is said of one mistake.
struct Diagnosed {
    code: String,
    cause: String,
    remedy: String,
}

impl Diagnosed {
    fn of(error: &mycelium_contract::Diagnostic) -> Self {
        Self { code: error.code.to_string(), cause: error.cause.clone(), remedy: error.remedy.clone() }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_a_remedy() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let gone = Contract::read(&folder.join("gone.yaml")).expect_err("it is not there");
    assert!(gone.list()[0].remedy.contains("check the path"), "{gone}");
    let is_folder = Contract::read(folder).expect_err("it is a folder");
    assert!(is_folder.list()[0].remedy.contains("name a file in it"), "{is_folder}");
    let bytes = Contract::parse_bytes(b"schema: \xff", "t.yaml").expect_err("it is not UTF-8");
    assert_eq!(bytes.list()[0].remedy, "save it as UTF-8");
}
