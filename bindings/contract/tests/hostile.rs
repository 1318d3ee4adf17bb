//! Mistakes in the file, its messages and names, one row each: what is written, and what must be said of it.

mod common;

use common::{GOOD, check, check_fields, with, with_fields};
use mycelium_contract::{Code, Contract, limits};

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
    check("", "MYC0006 `` begin with `schema`");
    check("\n  \n# only a comment\n", "MYC0006 ``");
    check("---\n", "MYC0006 `---` the file holds no contract");
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
    check("x: !!python/object 1\n", "MYC0004 `1` leave the tag out");
    check("x: *y\n", "MYC0004 `*` refers to no anchor");
    let cut = "schema: 1\nü: é".as_bytes().split_last().unwrap().1;
    let bytes = Contract::parse_bytes(cut, "t").unwrap_err();
    let bytes = &bytes.list()[0];
    assert_eq!((bytes.code, bytes.at.line, bytes.at.column), (Code::NOT_UTF8, 2, 4));
    assert!(bytes.cause.contains("the byte 0xc3"));
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
    check(&ranges("d: [9, 1]"), "MYC0021 `[`");
    check(&ranges("d: [0, 9]"), "MYC0021 `0` 1 to 65279");
    check(&ranges("d: [1, 65536]"), "MYC0021 `65536`");
    check(&ranges("d: [1, 2, 3]"), "MYC0021 `[`");
    check(&ranges("d: 1-99"), "MYC0021 `1-99`");
    check(&ranges("e: [1, 99]"), "MYC0023 `1` add `d: [1, 1]`");
}

/// Two messages.
fn two(a: &str, b: &str, id: u8) -> String {
    let rest = "topic: t, domain: d, fields: {x: u8}";
    with("", &format!("  {a}: {{tlv_type: 1, {rest}}}\n  {b}: {{tlv_type: {id}, {rest}}}\n"))
}

/// Neither is derived of the other.
#[test]
fn names_of_which_one_name_is_derived_are_refused() {
    for (a, b) in
        [("ArchivedA", "AResolver"), ("ArchivedA", "ArchivedAResolver"), ("AResolver", "ArchivedAResolver")]
    {
        check(&two(a, b, 2), &format!("MYC0014 `{b}`"));
        check(&two(b, a, 2), &format!("MYC0014 `{a}`"));
    }
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
    check(&m("tlv_type: 1, topic: , domain: d, fields: {x: u8}"), "MYC0007 `:` write `topic: market.bars`");
    check(
        &m("tlv_type: 1, topic: t, domain: null, fields: {x: u8}"),
        "MYC0007 `null` `domain` of message `M` is empty",
    );
    check(&m("tlv_type: 1, topic: t, domain: d, fields: {x: !custom u8}"), "MYC0004 `u8` tag");
    check(
        &m("tlv_type: 1, topic: t, domain: d, fields: {? [a, b] : u8}"),
        "MYC0012 `[` a list where a name belongs",
    );
    let odd = m("tlv_type: 1, topic: t, domain: d, fields: {x: Vec<\u{202e}u8>}");
    check(&odd, "MYC0032 `Vec`");
    assert!(
        !Contract::parse(&odd, "t").unwrap_err().to_string().contains('\u{202e}'),
        "it reorders a terminal's text"
    );
    check(&m("tlv_type: 1, topic: t, domain: d, fields: {x: u8}").replace('\n', "\r\n"), "");
    check(&format!("\u{feff}{}", m("tlv_type: 1, topic: t, domain: d, fields: {x: u8}")), "");
    let fields: String = (0..=limits::FIELDS_MAX).map(|i| format!("f{i}: u8, ")).collect();
    check(
        &m(&format!("tlv_type: 1, topic: t, domain: d, fields: {{{}}}", &fields[..fields.len() - 2])),
        "MYC0003 `{` 257 fields",
    );
    check(&with("", "  M:\n"), "MYC0007 `:` nothing");
    check(&with("", "  {}\n"), "MYC0006 `{`");
    check(&two("A", "B", 1), "MYC0024 `B` 2 is free");
    check(&two("A", "A", 2), "MYC0005 `A` `A` stands twice");
    check(&two("Ab", "AB", 2), "MYC0014 `AB`");
    check(&two("A", "ArchivedA", 2), "MYC0014 `ArchivedA`");
    check(&two("AResolver", "A", 2), "MYC0014 `A`");
    check(&two("bar", "B", 2), "MYC0012 `bar` write `Bar`");
    check(&two("market_data_bar", "B", 2), "MYC0012 `market_data_bar` write `MarketDataBar`");
    check(&two("Ärger", "B", 2), "MYC0012 `Ärger`");
    check(&two("true", "B", 2), "MYC0012 `true`");
    for word in
        ["Self", "None", "Option", "Vec", "String", "Result", "Ok", "Timestamp", "CONTRACT", "MESSAGES"]
    {
        check(&two(word, "B", 2), &format!("MYC0013 `{word}` reserved"));
    }
    check(&with("", &GOOD.replace("x: u8", "<<: {x: u8}")), "MYC0010 `<<` merge");
}

#[test]
fn what_topics_retain() {
    let m = |retain: &str| {
        with(
            "enums: {Side: [Buy, Sell], Shape: [A: {fields: {x: u8}}, B]}\nstructs: {Point: {fields: {x: u8}}}\n",
            &format!(
                "  M: {{tlv_type: 1, topic: t, domain: d, retain: {retain}, fields: {{id: u64, name: String, side: Side, shape: Shape, \
                 point: Point, price: f64, old: Option<u8>, flag: bool, low: i8, at: Timestamp}}}}\n"
            ),
        )
    };
    for retain in [
        "last",
        "'last'",
        "{last: 1}",
        "{last: 65536}",
        "{per: id}",
        "{per: name, keys: 1}",
        "{per: side}",
        "{per: flag}",
        "{per: low, keys: 65536}",
    ] {
        check(&m(retain), "");
    }
    for (retain, expect) in [
        ("lst", "MYC0028 `lst` write `last`, `{last: 100}`"),
        ("7", "MYC0028 `7` write `last`"),
        ("null", "MYC0028 `null` write `last`"),
        ("[last]", "MYC0028 `[` write `last`"),
        ("{}", "MYC0028 `{` write `last`"),
        ("{last: 0}", "MYC0028 `0` outside 1 to 65536"),
        ("{last: 65537}", "MYC0028 `65537` outside 1 to 65536"),
        ("{last: many}", "MYC0028 `many` must be an integer"),
        ("{last: 1, per: id}", "MYC0028 `{` leave one of them out"),
        ("{last: 1, keys: 1}", "MYC0028 `{` `keys` goes with `per`"),
        ("{keys: 1}", "MYC0028 `{` `keys` goes with `per`"),
        ("{per: id, keys: 0}", "MYC0028 `0` outside 1 to 65536"),
        ("{per: idd}", "MYC0028 `idd` did you mean `id`?"),
        ("{per: unheard_of}", "MYC0028 `unheard_of` name a field of `M`"),
        ("{per: price}", "MYC0028 `price` the key is an integer, a bool, a String or an enum without fields"),
        ("{per: point}", "MYC0028 `point` is `Point`, by which"),
        ("{per: shape}", "MYC0028 `shape` is `Shape`, by which"),
        ("{per: old}", "MYC0028 `old` is `Option<u8>`, by which"),
        ("{per: at}", "MYC0028 `at` is `Timestamp`, by which"),
        ("{per: [id]}", "MYC0007 `[` must be text"),
        ("{per: null}", "MYC0007 `null` write `per: instrument`"),
        ("{pre: id}", "MYC0010 `pre` did you mean `per`?"),
        ("last, retains: last", "MYC0010 `retains` did you mean `retain`?"),
    ] {
        check(&m(retain), expect);
    }
    // The whole mistake and nothing else, where the key itself could not be read.
    check(&m("{per: id}").replace("id: u64", "id: u65"), "MYC0030 `u65`");
}

#[test]
fn answers() {
    let m = |reply: &str| {
        let rest = "topic: t, domain: d";
        with(
            "enums: {Side: [Buy, Sell]}\nstructs: {Point: {fields: {x: u8}}}\n",
            &format!(
                "  Ask: {{tlv_type: 1, {rest}, reply: {reply}, fields: {{x: u8}}}}\n  Answer: {{tlv_type: 2, {rest}, fields: {{x: u8}}}}\n"
            ),
        )
    };
    for reply in ["Answer", "'Answer'", "Ask"] {
        check(&m(reply), "");
    }
    check(&m("Anwser"), "MYC0027 `Anwser` did you mean `Answer`?");
    check(&m("Quote"), "MYC0027 `Quote` unknown message `Quote` as the answer of `Ask`");
    check(&m("Side"), "MYC0027 `Side` the answer of `Ask`, is an enum and no message");
    check(&m("Point"), "MYC0027 `Point` is a struct and no message");
    check(&m("u64"), "MYC0027 `u64` add it under `messages`");
    check(&m("[Answer]"), "MYC0007 `[` must be text");
    check(&m("7"), "MYC0007 `7`");
    check(&m("null"), "MYC0007 `null` write `reply: Fill`");
    check(&m("Answer, replies: Ask"), "MYC0010 `replies` did you mean `reply`?");
    // The whole mistake and nothing else, where the answer itself could not be read.
    check(&m("Answer").replace("  Answer", "  answer"), "MYC0027 `Answer`\nMYC0012 `answer`");
    let many: String = (0..60)
        .map(|n| {
            format!(
                "  A{n}: {{tlv_type: {}, topic: t, domain: d, reply: Nobody, fields: {{x: u8}}}}\n",
                n + 1
            )
        })
        .collect();
    let errors = Contract::parse(&with("", &many), "t").unwrap_err();
    assert_eq!((errors.list().len(), errors.omitted()), (50, 10));
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
