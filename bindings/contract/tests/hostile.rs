//! Every mistake a contract can hold, one row each: what is written, and the codes and places that must come back.

use std::fmt::Write;

use mycelium_contract::{Code, Contract, DIAGNOSTICS_MAX, limits};

/// A correct contract of one message, with `fields` in it.
fn with_fields(fields: &str) -> String {
    with(
        "",
        &format!(
            "  M:\n    tlv_type: 1\n    topic: t\n    domain: d\n    version: 2\n    fields:\n{}",
            indent(fields, 6)
        ),
    )
}

/// A correct frame around definitions and messages.
fn with(definitions: &str, messages: &str) -> String {
    format!(
        "schema: {{id: a.b, version: 1}}\ndomains: [d]\ntag_ranges: {{d: [1, 99]}}\n{definitions}messages:\n{messages}"
    )
}

const GOOD: &str = "  M: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}\n";

fn indent(text: &str, by: usize) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "{}{line}", " ".repeat(by));
        out
    })
}

/// `expect` holds one ``MYC0010 `text at the place` part of the cause or remedy`` per mistake and line, in the order of
/// the file; nothing else may be reported. A mistake of the file itself has no place, and no text in backticks.
fn check(input: &str, expect: &str) {
    let got = match Contract::parse(input, "t.yaml") {
        Ok(_) => Vec::new(),
        Err(errors) => errors.list().to_vec(),
    };
    let wanted: Vec<&str> = expect.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let shown: Vec<String> = got.iter().map(ToString::to_string).collect();
    let shown = shown.join("\n");
    assert_eq!(got.len(), wanted.len(), "for\n{input}\ngot\n{shown}\n");
    for (got, wanted) in got.iter().zip(wanted) {
        let (code, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
        assert_eq!(code, got.code.to_string(), "for\n{input}\ngot\n{shown}\n");
        let (place, part) = match rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            Some((place, part)) => (Some(place), part.trim()),
            None => (None, rest.trim()),
        };
        assert_eq!(place.is_none(), got.at.line == 0, "a place is missing in `{wanted}`, or in\n{got}");
        if let Some(place) = place {
            let line = input.lines().nth(got.at.line as usize - 1).unwrap_or_default();
            let here: String = line.chars().skip(got.at.column as usize - 1).collect();
            assert!(here.starts_with(place), "`{place}` is not at the caret of\n{got}");
        }
        let said = format!("{} | {}", got.cause, got.remedy);
        assert!(said.contains(part), "`{part}` is missing in\n{got}");
    }
}

/// Rows of fields, written under a message in its version 2.
fn check_fields(rows: &[(&str, &str)]) {
    for (fields, expect) in rows {
        check(&with_fields(fields), expect);
    }
}

#[test]
fn what_is_correct_passes() {
    check(&with("", GOOD), "");
    check_fields(&[
        ("x: u64", ""),
        ("open: f64\nclose: f64", ""),
        ("x: [u8; 4]\ny: '[[u8; 2]; 2]'\nz: Vec<[u8; 4]>\nw: Option<Vec<Option<u8>>>", ""),
        ("x: {type: u64, default: 18446744073709551615}", ""),
        ("x: {type: i64, default: -9223372036854775808}", ""),
        ("x: {type: Decimal, default: 79228162514264337593543950335}", ""),
        ("x: u8\ny: {type: Option<u8>, since: 2}", ""),
        ("x: {type: f64, default: 1, validation: {finite: false}}", ""),
        ("x: &t u64\ny: *t", ""),
    ]);
}

#[test]
fn the_file_as_a_whole() {
    check("", "MYC0006 begin with `schema`");
    check("\n  \n# only a comment\n", "MYC0006");
    check("---\n", "MYC0006 the file holds no contract");
    check("- a\n- b\n", "MYC0007 `-` a list");
    check("just text", "MYC0007 `just text`");
    check("schema: [\n", "MYC0004 `[`");
    check("schema:\n\tid: x\n", "MYC0004 `i` spaces");
    check("a: b: c\n", "MYC0004 `:`");
    check("x: 1\n--- \ny: 2\n", "MYC0004 `y` more than one");
    check(
        "nonsense: 1",
        "MYC0010 `nonsense` the keys here are
         MYC0011 `n` schema
         MYC0011 `n` domains
         MYC0011 `n` tag_ranges
         MYC0011 `n` messages",
    );
    let bytes = Contract::parse_bytes(b"schema: 1\nx: \xff\n", "t").unwrap_err();
    assert_eq!(bytes.list()[0].code, Code::NOT_UTF8);
    assert!(bytes.list()[0].cause.contains("line 2 holds the byte 0xff"));
    let gone = Contract::read(std::path::Path::new("/nowhere/contracts.yaml")).unwrap_err();
    assert_eq!(gone.list()[0].code, Code::UNREADABLE);
    let folder = Contract::read(std::path::Path::new("/")).unwrap_err();
    assert_eq!(folder.list()[0].code, Code::UNREADABLE);
}

#[test]
fn schema_domains_and_ranges() {
    let top = |head: &str| format!("{head}\nmessages:\n{GOOD}");
    check(&top("schema: 1\ndomains: [d]\ntag_ranges: {d: [1, 9]}"), "MYC0007 `1` a mapping");
    check(
        &top("schema: {id: 'a b', version: 0}\ndomains: [d]\ntag_ranges: {d: [1, 9]}"),
        "MYC0012 `'a b'`\nMYC0025 `0`",
    );
    check(
        &top("schema: {id: a, version: 1, vesion: 2}\ndomains: [d]\ntag_ranges: {d: [1, 9]}"),
        "MYC0010 `vesion` did you mean `version`?",
    );
    check(&top("schema: {id: a, version: 1}\ndomains: [d, d]\ntag_ranges: {d: [1, 9]}"), "MYC0014 `d`");
    check(
        &top("schema: {id: a, version: 1}\ndomains: [d, D]\ntag_ranges: {d: [1, 9]}"),
        "MYC0012 `D` write `d`",
    );
    check(&top("schema: {id: a, version: 1}\ndomains: {d: [1]}\ntag_ranges: {d: [1, 9]}"), "MYC0007 `[`");
    check(
        &top("schema: {id: a, version: 1}\ndomains: 7\ntag_ranges: {d: [1, 9]}"),
        "MYC0007 `7`\nMYC0020 `d`\nMYC0020 `d`",
    );
    let ranges = |ranges: &str| {
        with("", GOOD)
            .replace("domains: [d]", "domains: [d, e]")
            .replace("tag_ranges: {d: [1, 99]}", &format!("tag_ranges: {{{ranges}}}"))
    };
    check(&ranges("d: [1, 99], e: [99, 120]"), "MYC0022 `e` `d` (1 to 99) and `e` (99 to 120) overlap");
    check(&ranges("d: [1, 99], f: [100, 120]"), "MYC0020 `f` did you mean `d`?");
    check(&ranges("d: [9, 1]"), "MYC0021 `[`\nMYC0023 `1` `d` has no range");
    check(&ranges("d: [0, 9]"), "MYC0021 `0` 1 to 65279\nMYC0023 `1`");
    check(&ranges("d: [1, 65536]"), "MYC0021 `65536`\nMYC0023 `1`");
    check(&ranges("d: [1, 2, 3]"), "MYC0021 `[`\nMYC0023 `1`");
    check(&ranges("d: 1-99"), "MYC0021 `1-99`\nMYC0023 `1`");
    check(&ranges("e: [1, 99]"), "MYC0023 `1` add `d: [1, 1]`");
}

#[test]
fn messages() {
    let m = |keys: &str| with("", &format!("  M: {{{keys}}}\n"));
    check(&m("tlv_type: 1, topic: t, domain: d"), "MYC0011 `M` fields");
    check(&m("topic: t, domain: d, fields: {x: u8}"), "MYC0011 `M` tlv_type");
    check(&m("tlv_type: 1, domain: d, fields: {x: u8}"), "MYC0011 `M` topic");
    check(&m("tlv_type: 1, topic: t, fields: {x: u8}"), "MYC0011 `M` domain");
    check(&m("tlv_type: 1, topic: t, domain: x, fields: {x: u8}"), "MYC0020 `x` did you mean `d`?");
    check(&m("tlv_type: 100, topic: t, domain: d, fields: {x: u8}"), "MYC0023 `100` range of `d`, 1 to 99");
    check(&m("tlv_type: 0, topic: t, domain: d, fields: {x: u8}"), "MYC0023 `0`");
    check(&m("tlv_type: 70000, topic: t, domain: d, fields: {x: u8}"), "MYC0023 `70000`");
    check(&m("tlv_type: '1', topic: t, domain: d, fields: {x: u8}"), "MYC0023 `'1'` text");
    check(&m("tlv_type: 1, topic: '', domain: d, fields: {x: u8}"), "MYC0026 `''`");
    check(&m("tlv_type: 1, topic: a..b, domain: d, fields: {x: u8}"), "MYC0026 `a..b`");
    check(&m("tlv_type: 1, topic: 7, domain: d, fields: {x: u8}"), "MYC0007 `7` quotes");
    check(&m("tlv_type: 1, topic: t, domain: d, version: 0, fields: {x: u8}"), "MYC0025 `0`");
    check(&m("tlv_type: 1, topic: t, domain: d, version: 1.5, fields: {x: u8}"), "MYC0025 `1.5`");
    check(&m("tlv_type: 1, topic: t, domain: d, fields: {}"), "MYC0007 `{` no field");
    check(&m("tlv_type: 1, topic: t, domain: d, fields: [x]"), "MYC0007 `[` a list");
    check(&m("tlv_type: 1, topic: t, domain: d, description: [], fields: {x: u8}"), "MYC0007 `[`");
    check(
        &m("tlv_type: 1, topics: t, domain: d, fields: {x: u8}"),
        "MYC0011 `M`\nMYC0010 `topics` did you mean `topic`?",
    );
    check(&with("", "  M:\n"), "MYC0007 `:` nothing");
    check(&with("", "  {}\n"), "MYC0006 `{`");
    let two = |a: &str, b: &str, id: u8| {
        let rest = "topic: t, domain: d, fields: {x: u8}";
        with("", &format!("  {a}: {{tlv_type: 1, {rest}}}\n  {b}: {{tlv_type: {id}, {rest}}}\n"))
    };
    check(&two("A", "B", 1), "MYC0024 `B` 2 is free");
    check(&two("A", "A", 2), "MYC0005 `A` `A` stands twice");
    check(&two("Ab", "AB", 2), "MYC0014 `AB`");
    check(&two("A", "ArchivedA", 2), "MYC0014 `ArchivedA`");
    check(&two("AResolver", "A", 2), "MYC0014 `A`");
    check(&two("bar", "B", 2), "MYC0012 `bar` write `Bar`");
    check(&two("market_data_bar", "B", 2), "MYC0012 `market_data_bar` write `MarketDataBar`");
    check(&two("Ärger", "B", 2), "MYC0012 `Ärger`");
    check(&two("true", "B", 2), "MYC0012 `true`");
    for word in ["Self", "None", "Option", "Vec", "String", "Result", "Ok", "Timestamp"] {
        check(&two(word, "B", 2), &format!("MYC0013 `{word}` reserved"));
    }
    check(&with("", &GOOD.replace("x: u8", "<<: {x: u8}")), "MYC0010 `<<` merge");
}

#[test]
fn field_names() {
    for (word, owner) in
        [("type", "Rust"), ("fn", "Rust"), ("self", "Rust"), ("yield", "Rust"), ("class", "Python")]
    {
        check_fields(&[(&format!("{word}: u8"), &format!("MYC0013 `{word}: ` reserved word of {owner}"))]);
    }
    for (word, owner) in
        [("from", "Python"), ("lambda", "Python"), ("end", "OCaml"), ("method", "OCaml"), ("val", "OCaml")]
    {
        check_fields(&[(&format!("{word}: u8"), &format!("MYC0013 `{word}: ` reserved word of {owner}"))]);
    }
    check_fields(&[
        ("validate: u8", "MYC0013 `validate` the generated code"),
        ("Price: u8", "MYC0012 `Price` write `price`"),
        ("lastPrice: u8", "MYC0012 `lastPrice` write `last_price`"),
        ("last-price: u8", "MYC0012 `last-price` write `last_price`"),
        ("_x: u8", "MYC0012 `_x`"),
        ("x_: u8", "MYC0012 `x_` write `x`"),
        ("1: u8", "MYC0012 `1` an integer where a name belongs"),
        ("null: u8", "MYC0012 `null`"),
        ("'': u8", "MYC0012 `''`"),
        ("x1: u8\nx_1: u8", "MYC0014 `x_1` only by `_`"),
        ("x: u8\nx: u8", "MYC0005 `x`"),
    ]);
    let long = "x".repeat(limits::NAME_BYTES_MAX + 1);
    check_fields(&[
        (&format!("{long}: u8"), "MYC0003 `xxxxxxxxxxxxxxxxxxxxxxxx`"),
        (&format!("{}: u8", &long[1..]), ""),
    ]);
}

#[test]
fn types() {
    check_fields(&[
        ("x: U64", "MYC0030 `U64` did you mean `u64`?"),
        ("x: string", "MYC0030 `string` did you mean `String`?"),
        ("x: float", "MYC0030 `float` did you mean `f64`?"),
        ("x: Portfolio", "MYC0030 `Portfolio` define it"),
        ("x: M", "MYC0030 `M`"),
        ("x: usize", "MYC0031 `usize` write `u64`"),
        ("x: char", "MYC0031 `char` String"),
        ("x: HashMap<String, u64>", "MYC0031 `HashMap<String, u64>` `Vec`"),
        ("x: Vec<BTreeMap<u8, u8>>", "MYC0031 `Vec<BTreeMap<u8, u8>>`"),
        ("x: Rc<u8>", "MYC0031 `Rc<u8>`"),
        ("x: u128", "MYC0031 `u128`"),
        ("x: Option<Option<u8>>", "MYC0033 `Option<Option<u8>>`"),
        ("x: Vec<Option<Option<u8>>>", "MYC0033 `Vec<Option<Option<u8>>>`"),
        ("x: Vec", "MYC0032 `Vec` need their type"),
        ("x: Vec<>", "MYC0032 `Vec<>`"),
        ("x: Vec<u8", "MYC0032 `Vec<u8` `>`"),
        ("x: Vec<u8>>", "MYC0032 `Vec<u8>>` left over"),
        ("x: u8 u8", "MYC0032 `u8 u8` left over"),
        ("x: ''", "MYC0032 `''`"),
        ("x:", "MYC0032 `:` nothing"),
        ("x: 7", "MYC0032 `7`"),
        ("x: [u8, 4]", "MYC0032 `[` with `;`"),
        ("x: [u8]", "MYC0032 `[` length"),
        ("x: [u8; n]", "MYC0032 `[` no array length"),
        ("x: [u8; -1]", "MYC0032 `[`"),
        ("x: [u8; 0]", "MYC0035 `[`"),
        ("x: [u8; 65537]", "MYC0035 `[` write `Vec<T>`"),
        ("x: [u8; 18446744073709551615]", "MYC0035 `[`"),
        ("x: [u8; 99999999999999999999999]", "MYC0032 `[`"),
        ("x: [[u8; 4]; 2]", "MYC0004 `;` between quotes"),
        ("x: {}", "MYC0011 `x` type"),
        ("x: {type: u8, defualt: 1}", "MYC0010 `defualt` did you mean `default`?"),
    ]);
    check(&with_fields("x: '[[u8; 65536]; 17]'"), "MYC0003 `M` the fixed part of `M` takes 1114112 bytes");
    let array = format!("x: '{}u8{}'", "[".repeat(7), "; 65536]".repeat(7));
    check(&with_fields(&array), "MYC0003 `M` above 1048576");
    let deep = |n: usize| format!("x: {}u8{}", "Vec<".repeat(n), ">".repeat(n));
    check_fields(&[
        (&deep(limits::TYPE_DEPTH_MAX - 1), ""),
        (&deep(limits::TYPE_DEPTH_MAX), "MYC0003 `Vec<Vec<Vec<Vec<Vec<Vec<` deeper"),
    ]);
    check_fields(&[
        (&deep(60), "MYC0003 `Vec<Vec` 302 bytes"),
        (&deep(10_000), "MYC0003 `Vec<Vec<Vec<Vec<Vec<Vec<`"),
    ]);
}

#[test]
fn defaults() {
    check_fields(&[
        ("x: {type: u8, default: 256}", "MYC0040 `256` it holds 0 to 255"),
        ("x: {type: u8, default: -1}", "MYC0040 `-1`"),
        ("x: {type: u8, default: 1.5}", "MYC0040 `1.5` integer"),
        ("x: {type: u8, default: '1'}", "MYC0040 `'1'`"),
        ("x: {type: u8, default: }", "MYC0040 `:` nothing"),
        ("x: {type: bool, default: yes}", "MYC0040 `yes` true or false"),
        ("x: {type: bool, default: 1}", "MYC0040 `1`"),
        ("x: {type: f64, default: .nan}", "MYC0040 `.nan` finite"),
        ("x: {type: f64, default: .inf}", "MYC0040 `.inf` finite"),
        ("x: {type: f64, default: 1e999}", "MYC0040 `1e999`"),
        ("x: {type: f32, default: 1e300}", "MYC0040 `1e300` too large"),
        ("x: {type: String, default: 7}", "MYC0040 `7` quotes"),
        ("x: {type: Bytes, default: '0xfg'}", "MYC0040 `'0xfg'` hexadecimal"),
        ("x: {type: Bytes, default: '0xé'}", "MYC0040 `'0xé'` hexadecimal"),
        ("x: {type: Timestamp, default: yesterday}", "MYC0040 `yesterday` UTC"),
        ("x: {type: Decimal, default: 1e5}", "MYC0040 `1e5` `1e5` is no Decimal"),
        ("x: {type: U256, default: -1}", "MYC0040 `-1` range"),
        ("x: {type: '[u8; 3]', default: [1, 2]}", "MYC0040 `[` 2 elements where the array has 3"),
        ("x: {type: Vec<u8>, default: [1, 256]}", "MYC0040 `256` 256"),
        ("x: {type: '[u8; 60000]', default: 0}", "MYC0040 `0` more than 1024 parts"),
        ("x: {type: u8, default: 5, validation: {max: 4}}", "MYC0041 `5` its own rule `max`"),
        ("x: {type: f64, default: 0, validation: {greater_than: 0}}", "MYC0041 `0` `greater_than`"),
        ("x: {type: String, default: '', validation: {not_empty: true}}", "MYC0041 `''` `not_empty`"),
        ("x: {type: String, default: 'é', validation: {ascii: true}}", "MYC0041 `'é'` `ascii`"),
        ("x: {type: Option<u8>, default: 5, validation: {one_of: [1, 2]}}", "MYC0041 `5` `one_of`"),
        ("x: {type: Vec<i8>, default: [1, 0], validation: {each: {not_zero: true}}}", "MYC0041 `[` `each`"),
        ("x: {type: I256, default: 1, validation: {max: -1}}", "MYC0041 `1` `max`"),
        ("x: {type: Decimal, default: 0.10, validation: {less_than: 0.1}}", "MYC0041 `0.10` `less_than`"),
    ]);
    let definitions =
        "enums:\n  E: [A, B]\n  D: [{C: {fields: {x: u8}}}, N]\nstructs:\n  P: {fields: {x: u8, y: i8}}\n";
    let field = |field: &str| with(definitions, &GOOD.replace("x: u8", &format!("f: {field}")));
    for good in [
        "{type: E, default: A}",
        "{type: D, default: N}",
        "{type: D, default: {C: {x: 1}}}",
        "{type: P, default: {y: 1, x: 2}}",
    ] {
        check(&field(good), "");
    }
    check(&field("{type: E, default: a}"), "MYC0040 `a` did you mean `A`?");
    check(&field("{type: E, default: Zebra}"), "MYC0040 `Zebra` its variants are: A, B");
    check(&field("{type: E, default: 0}"), "MYC0040 `0`");
    check(&field("{type: D, default: C}"), "MYC0040 `C` write `C: {x: ...}`");
    check(&field("{type: D, default: {C: {}}}"), "MYC0040 `{` `x` of `C` is missing");
    check(&field("{type: D, default: {C: {x: 1}, N: {}}}"), "MYC0040 `{` one variant");
    check(&field("{type: P, default: {x: 1}}"), "MYC0040 `{` `y` of `P` is missing");
    check(&field("{type: P, default: {x: 1, y: 1, z: 1}}"), "MYC0040 `z` its fields are: x, y");
    check(&field("{type: P, default: 7}"), "MYC0040 `7`");
}

#[test]
fn versions_of_fields() {
    check_fields(&[
        ("x: u8\ny: {type: u8, since: 2}", "MYC0042 `y` add `default:`"),
        ("x: u8\ny: {type: u8, since: 3, default: 0}", "MYC0043 `3` raise the message to `version: 3`"),
        ("x: {type: u8, since: 2, default: 0}\ny: u8", "MYC0043 `y` move it up"),
        ("x: {type: u8, since: 0}", "MYC0043 `0`"),
        ("x: {type: u8, since: two}", "MYC0043 `two`"),
    ]);
    let nested = |text: &str| {
        check(&with("structs:\n  P: {fields: {x: {type: u8, since: 2, default: 0}}}\n", GOOD), text);
    };
    nested("MYC0043 `2` frozen");
    let variants = |list: &str, expect: &str| check(&with(&format!("enums:\n  E: {list}\n"), GOOD), expect);
    variants("{variants: [A, B: {since: 2}]}", "");
    variants("{variants: [A: {since: 2}, B]}", "MYC0043 `E` order");
    variants("{variants: [A, B: {since: 2, fields: {x: u8}}]}", "MYC0043 `E` frozen");
}

#[test]
fn definitions() {
    let enums = |text: &str| with(&format!("enums:\n  {text}\n"), GOOD);
    check(&enums("E: []"), "MYC0007 `[`");
    check(&enums("E:"), "MYC0007 `:` a mapping");
    check(&enums("E: {variants: A}"), "MYC0007 `A` list");
    check(&enums("E: [A, A]"), "MYC0014 `A`");
    check(&enums("E: [A, a]"), "MYC0012 `a` write `A`");
    check(&enums("E: [A, 1]"), "MYC0007 `1` an integer");
    check(&enums("E: [A, None]"), "MYC0013 `None`");
    check(&enums("E: [{A: {fields: {x: u8}, B: {}}}]"), "MYC0010 `B`");
    check(&enums("e: [A]"), "MYC0012 `e` write `E`");
    check(&enums("M: [A]"), "MYC0014 `M` the enum `M`");
    let many: Vec<String> = (0..257).map(|n| format!("V{n}")).collect();
    check(&enums(&format!("E: [{}]", many.join(", "))), "MYC0007 `[` 1 to 256");
    check(&enums(&format!("E: [{}]", many[..256].join(", "))), "");
    let structs = |text: &str| with(&format!("structs:\n  {text}\n"), GOOD);
    check(&structs("P: {x: u8}"), "MYC0011 `P` fields\nMYC0010 `x`");
    check(&structs("P: {fields: {}}"), "MYC0007 `{`");
    check(&with("enums:\n  P: [A]\nstructs:\n  P: {fields: {x: u8}}\n", GOOD), "MYC0014 `P`");
    check(&with("enums: 7\n", GOOD), "MYC0007 `7`");
    check(&with("enums:\nstructs:\n", GOOD), "");
}

#[test]
fn recursion_and_depth() {
    let structs = |pairs: &[(&str, &str)]| {
        let list = pairs.iter().fold(String::new(), |mut out, (name, of)| {
            let _ = writeln!(out, "  {name}: {{fields: {{x: '{of}'}}}}");
            out
        });
        with(&format!("structs:\n{list}"), GOOD)
    };
    check(&structs(&[("A", "A")]), "MYC0034 `A` A -> A");
    check(&structs(&[("A", "Vec<Option<A>>")]), "MYC0034 `A` A -> A");
    check(&structs(&[("A", "B"), ("B", "[C; 2]"), ("C", "A"), ("D", "A")]), "MYC0034 `A` A -> B -> C -> A");
    check(&structs(&[("D", "A"), ("A", "B"), ("B", "A")]), "MYC0034 `A` A -> B -> A");
    check(&structs(&[("A", "B"), ("B", "A"), ("C", "D"), ("D", "C")]), "MYC0034 `A`\nMYC0034 `C`");
    let own = with("enums:\n  E: [{A: {fields: {x: S}}}]\nstructs:\n  S: {fields: {x: E}}\n", GOOD);
    check(&own, "MYC0034 `E` E -> S -> E");

    let chain = |n: usize| {
        let names: Vec<String> = (0..=n).map(|i| format!("S{i}")).collect();
        let pairs: Vec<(&str, &str)> = (0..n)
            .map(|i| (names[i].as_str(), if i + 1 == n { "u8" } else { names[i + 1].as_str() }))
            .collect();
        structs(&pairs)
    };
    check(&chain(limits::NESTING_MAX), "");
    check(&chain(limits::NESTING_MAX + 1), "MYC0003 `S0` nests 17 definitions");
    let errors = Contract::parse(&chain(1000), "t").unwrap_err();
    assert_eq!(
        (errors.list().len(), errors.omitted()),
        (DIAGNOSTICS_MAX, 1000 - limits::NESTING_MAX - DIAGNOSTICS_MAX)
    );
    let circle: Vec<String> = (0..1000).map(|i| format!("S{i}")).collect();
    let pairs: Vec<(&str, &str)> =
        (0..1000).map(|i| (circle[i].as_str(), circle[(i + 1) % 1000].as_str())).collect();
    check(&structs(&pairs), "MYC0034 `S0` S0 -> S1 -> S2 -> S3 -> S4 -> ... -> S0");

    // Each doubles the one below: the size overflows a bound, not the machine.
    let doubling: Vec<String> = (0..17).map(|i| format!("S{i}")).collect();
    let of: Vec<String> = (0..16)
        .map(|i| if i == 15 { "u8".into() } else { format!("[{}; 65536]", doubling[i + 1]) })
        .collect();
    let pairs: Vec<(&str, &str)> = (0..16).map(|i| (doubling[i].as_str(), of[i].as_str())).collect();
    let errors = Contract::parse(&structs(&pairs), "t").unwrap_err();
    assert!(errors.list().iter().all(|e| e.code == Code::LIMIT), "{errors}");
}

#[test]
fn rules() {
    let on = |ty: &str, rules: &str| format!("x: {{type: {ty}, validation: {{{rules}}}}}");
    let misfits = [
        ("String", "min: 1"),
        ("bool", "max: 1"),
        ("u8", "finite: true"),
        ("f64", "multiple_of: 2"),
        ("f64", "one_of: [1.0]"),
        ("u8", "not_empty: true"),
        ("u8", "min_length: 1"),
        ("'[u8; 4]'", "max_length: 1"),
        ("Bytes", "ascii: true"),
        ("u8", "each: {min: 1}"),
        ("bool", "not_zero: true"),
        ("Option<String>", "min: 1"),
    ];
    for (ty, rule) in misfits {
        check_fields(&[(&on(ty, rule), &format!("MYC0050 `{rule}` does not fit"))]);
    }
    check_fields(&[
        (&on("Vec<u8>", "max: 1"), "MYC0050 `max` write `each: {max: ...}`"),
        (&on("u8", "mim: 1"), "MYC0010 `mim` did you mean `min`?"),
        ("x: {type: u8, validation: 7}", "MYC0007 `7`"),
        (&on("u8", "min: 300"), "MYC0051 `300` it holds 0 to 255"),
        (&on("u8", "min: x"), "MYC0051 `x`"),
        (&on("f64", "min: .nan"), "MYC0051 `.nan` finite"),
        (&on("i8", "multiple_of: 0"), "MYC0051 `0` above zero"),
        (&on("i8", "multiple_of: -2"), "MYC0051 `-2` above zero"),
        (&on("u8", "one_of: []"), "MYC0051 `[`"),
        (&on("u8", "one_of: 1"), "MYC0051 `1` a list"),
        (&on("u8", "one_of: [1, 1]"), "MYC0051 `1` twice"),
        (&on("String", "one_of: [a, 1]"), "MYC0051 `1`"),
        (&on("String", "min_length: -1"), "MYC0051 `-1`"),
        (&on("String", "max_length: 99999999999"), "MYC0051 `99999999999`"),
        (&on("String", "not_empty: 1"), "MYC0051 `1` true or false"),
        (&on("Vec<u8>", "each: {}"), "MYC0051 `{` holds no rule"),
        (&on("Vec<Vec<u8>>", "each: {each: {min: 1}}"), "MYC0051 `each` inside"),
        (&on("Vec<u8>", "each: {ascii: true}"), "MYC0050 `ascii` does not fit `u8`"),
        (&on("u8", "min: 5, max: 4"), "MYC0052 `{` no value lies between"),
        (&on("u8", "greater_than: 255"), "MYC0052 `{`"),
        (&on("i64", "less_than: -9223372036854775808"), "MYC0052 `{`"),
        (&on("u8", "greater_than: 4, less_than: 5"), "MYC0052 `{`"),
        (&on("f64", "min: 1, less_than: 1"), "MYC0052 `{`"),
        (&on("f64", "min: 1, max: 1"), ""),
        (&on("Decimal", "min: 1.01, max: 1.001"), "MYC0052 `{`"),
        (&on("I256", "min: 1, max: -1"), "MYC0052 `{`"),
        (&on("u8", "min: 5, greater_than: 4"), "MYC0052 `{` on one side"),
        (&on("String", "min_length: 5, max_length: 4"), "MYC0052 `{` at least 5 and at most 4"),
        (&on("String", "not_empty: true, max_length: 0"), "MYC0052 `{`"),
        (&on("u8", "one_of: [1, 9], max: 5"), "MYC0052 `{` `one_of` breaks"),
    ]);
}

#[test]
fn floods_end_in_one_error_each() {
    let code = |text: &str| {
        let errors = Contract::parse(text, "t").unwrap_err();
        (errors.list()[0].code, errors.list().len())
    };
    // 10 MB, whether it makes sense or not.
    assert_eq!(code(&"x".repeat(10 << 20)), (Code::LIMIT, 1));
    assert_eq!(code(&"- a\n".repeat(limits::FILE_BYTES_MAX / 4)), (Code::LIMIT, 1));
    assert_eq!(code(&"[".repeat(100_000)), (Code::LIMIT, 1));
    assert_eq!(code(&"- ".repeat(100_000)), (Code::LIMIT, 1));
    assert_eq!(code(&"{a: ".repeat(100_000)), (Code::LIMIT, 1));
    let nested: String = (0..1000).fold(String::new(), |mut out, i| {
        let _ = writeln!(out, "{}a:", " ".repeat(i));
        out
    });
    assert_eq!(code(&nested), (Code::LIMIT, 1));
    // The alias bomb: nine lists, each of nine of the one before.
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..10 {
        let list = vec![format!("*a{}", n - 1); 9].join(", ");
        let _ = writeln!(bomb, "a{n}: &a{n} [{list}]");
    }
    assert_eq!(code(&bomb), (Code::LIMIT, 1));
    assert_eq!(code("a: &a [*a]\n"), (Code::RECURSION, 1));
    assert_eq!(code("a: *nothing\n"), (Code::SYNTAX, 1));
    let anchors: String = (0..10_000).fold(String::new(), |mut out, i| {
        let _ = writeln!(out, "k{i}: &a{i} x");
        out
    });
    assert_eq!(code(&anchors), (Code::LIMIT, 1));

    // More mistakes than anyone reads: counted, not shown.
    let wrong = (0..1000).fold(String::new(), |mut out, i| {
        let _ = writeln!(out, "      f{i}: nonsense{i}");
        out
    });
    let errors = Contract::parse(&with("", &format!("  M:\n    fields:\n{wrong}")), "t").unwrap_err();
    assert_eq!(errors.list()[0].code, Code::MISSING_KEY);
    assert!(errors.list().len() <= DIAGNOSTICS_MAX);
    let many = (0..200).fold(String::new(), |mut out, i| {
        let _ = writeln!(out, "      f{i}: nonsense{i}");
        out
    });
    let text = with("", &format!("  M:\n    tlv_type: 1\n    topic: t\n    domain: d\n    fields:\n{many}"));
    let errors = Contract::parse(&text, "t").unwrap_err();
    assert_eq!((errors.list().len(), errors.omitted()), (DIAGNOSTICS_MAX, 200 - DIAGNOSTICS_MAX));
    assert!(errors.to_string().ends_with("150 more mistakes are not shown"));
}

#[test]
fn suggestions_are_made_for_what_is_shown_alone() {
    // Each unknown type has a thousand candidates: without a bound, this takes minutes.
    let long = "N".repeat(limits::NAME_BYTES_MAX - 6);
    let structs = (0..1000).fold(String::new(), |mut out, i| {
        let _ = writeln!(out, "  {long}{i}: {{fields: {{x: u8}}}}");
        out
    });
    let messages = (0..200).fold(String::new(), |mut out, i| {
        let fields: String = (0..200).map(|f| format!("f{f}: {long}x, ")).collect();
        let _ = writeln!(
            out,
            "  M{i}: {{tlv_type: 1, topic: t, domain: e, fields: {{{}}}}}",
            fields.trim_end_matches(", ")
        );
        out
    });
    let errors = Contract::parse(&with(&format!("structs:\n{structs}"), &messages), "t").unwrap_err();
    assert_eq!(errors.list().len(), DIAGNOSTICS_MAX);
    assert_eq!(errors.omitted(), 200 * 200 + 200 + 199 - DIAGNOSTICS_MAX);
    assert!(errors.list()[5].remedy.contains("did you mean"), "{}", errors.list()[5]);
}

#[test]
fn the_largest_contract_that_is_allowed_is_read() {
    let messages = (0..limits::MESSAGES_MAX).fold(String::new(), |mut out, i| {
        let _ = writeln!(
            out,
            "  M{i}: {{tlv_type: {}, topic: t, domain: d, fields: {{a: u64, b: f64, c: String}}}}",
            i + 1
        );
        out
    });
    let text = with("", &messages).replace("[1, 99]", "[1, 65279]");
    assert_eq!(Contract::parse(&text, "t").unwrap().messages.len(), limits::MESSAGES_MAX);
    let one_more = format!("{text}  More: {{tlv_type: 65000, topic: t, domain: d, fields: {{a: u8}}}}\n");
    check(&one_more, "MYC0003 `M` 4097 messages, above the limit of 4096");
}

#[test]
fn an_error_shows_its_line_its_column_and_the_way_out() {
    let errors = Contract::parse(&with_fields("price: flaot"), "contracts.yaml").unwrap_err();
    let expect = "error[MYC0030]: unknown type `flaot`
  --> contracts.yaml:11:14
   |
11 |       price: flaot
   |              ^^^^^
  = help: did you mean `f64`?";
    assert_eq!(errors.to_string(), expect);
}
