//! Compared with the `toml` crate, which reads the same grammar into maps.

use mycelium_random::{Random, seeds};
use toml::de::{DeTable, DeValue};

use super::{Content, Document, NESTING_MAX, NODES_MAX, Value};

/// A document as nested lists, its tables ordered by key.
fn ours(value: Value<'_>) -> String {
    match value.content() {
        Content::Text(text) => format!("{text:?}"),
        Content::Integer(number) => format!("i{}:{}", number.radix, number.digits),
        Content::Float(number) => format!("f{}", number.digits),
        Content::Boolean(value) => value.to_string(),
        Content::Datetime => "datetime".to_owned(),
        Content::Array(values) => {
            assert_eq!(values.clone().count(), value.len());
            format!("[{}]", values.map(ours).collect::<Vec<_>>().join(", "))
        }
        Content::Table(values) => {
            assert_eq!(values.clone().count(), value.len());
            let mut entries: Vec<(String, String)> = values
                .map(|entry| {
                    let key = entry.key();
                    let (start, end) = value.get(&key).expect("a key finds its value").raw().span;
                    assert_eq!((start, end), entry.raw().span, "{key} is found where it stands");
                    (format!("{key:?}"), ours(entry))
                })
                .collect();
            entries.sort();
            let entries = entries.into_iter().map(|(key, value)| format!("{key}: {value}"));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn theirs(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => format!("i{}:{}", number.radix(), number.as_str()),
        DeValue::Float(number) => format!("f{}", number.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "datetime".to_owned(),
        DeValue::Array(list) => {
            format!("[{}]", list.iter().map(|value| theirs(value.get_ref())).collect::<Vec<_>>().join(", "))
        }
        DeValue::Table(table) => table_of_theirs(table),
    }
}

fn table_of_theirs(table: &DeTable<'_>) -> String {
    let mut entries: Vec<(String, String)> =
        table.iter().map(|(key, value)| (format!("{:?}", key.get_ref()), theirs(value.get_ref()))).collect();
    entries.sort();
    let entries = entries.into_iter().map(|(key, value)| format!("{key}: {value}"));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

/// Whether the text is a document; it is one for both or for neither, and the same one.
fn compare(text: &str) -> bool {
    let expected = DeTable::parse(text).map(|table| table_of_theirs(table.get_ref()));
    let read = Document::parse(text);
    match (&read, &expected) {
        (Ok(document), Ok(expected)) => assert_eq!(&ours(document.root()), expected, "{text}"),
        (Err(mistake), Err(_)) => assert!(mistake.line > 0 && !mistake.cause.is_empty(), "{text}"),
        _ => panic!("ours: {:?}\ntheirs: {expected:?}\n{text}", read.map(|document| ours(document.root()))),
    }
    expected.is_ok()
}

#[test]
fn tables_are_made_and_closed_by_the_same_rules() {
    let sound = [
        "",
        "\u{feff}a = 1",
        "a = 1\r\nb = 2",
        "[a]\n[a.b]\nx = 1\n[c]",
        "[a.b]\n[a]\nx = 1",
        "[[a]]\n[[a]]\nx = 1\n[a.b]\ny = 2\n[[a.c]]\n[[a.c]]\nz = 3",
        "a.b.c = 1\na.b.d = 2\na.e = 3",
        "[t]\na.b = 1\n[t.a.c]\nx = 1",
        "a = { b.c = 1, b.d = { x = [1, 2, { y = 3 }] } }",
        "a = [ 1,\n 2, # two\n 3,\n ]",
        "a = {\n b = 1,\n}\n",
        "\"a b\" = 1\n'c.d' = 2\n\"\\u00fc\" = 3\n1.5 = 4\ntrue = 5",
        "a = \"\"\"\nx[\"\"\"\nb = '''[y\n[z]]'''",
        "a = 0x1F\nb = 0o17\nc = 0b1\nd = 1_000\ne = -1.5e+3\nf = inf\ng = -nan\nh = 1979-05-27",
    ];
    let broken = [
        "a = 1\na = 2",
        "[a]\n[a]",
        "[a]\nb = 1\n[a.b]",
        "a = 1\n[[a]]",
        "a = []\n[[a]]",
        "[[a]]\n[a]",
        "[a]\n[[a]]",
        "a = {}\na.b = 1",
        "a = {}\n[a.b]",
        "a = { b = 1, b = 2 }",
        "a = { b = {}, b.c = 1 }",
        "a.b = 1\n[a]",
        "[a.b]\n[a]\nb.c = 1",
        "a = [1\nb = 2",
        "a = {",
        "a = ]",
        "[a",
        "[[a]",
        "a",
        "a = ",
        "= 1",
        "a = 1 b = 2",
        "a = 01",
        "a = 1__0",
        "a = \"\\q\"",
        "a = \"x",
        "a = '''x",
        "# \u{7}",
        "a = 1 \r b",
        "a..b = 1",
        "[]",
    ];
    for text in sound {
        assert!(compare(text), "{text}");
    }
    for text in broken {
        assert!(!compare(text), "{text}");
    }
}

/// Texts of pieces that mean something, put together at random.
#[test]
fn any_text_is_read_as_the_toml_crate_reads_it() {
    const LINES: &[&str] =
        &["[a]", "[a.b]", "[b]", "[[a]]", "[[b]]", "[[a.b]]", "[[b.c]]", "[a.b.c]", "", "# c"];
    const KEYS: &[&str] = &["a", "b", "c", "a.b", "b.c", "a.b.c", "\"a\"", "'b'.c", "\"\\u0061\"", "1.2"];
    const VALUES: &[&str] = &[
        "1",
        "\"x\"",
        "'y'",
        "1.5",
        "true",
        "[]",
        "{}",
        "[1, [2]]",
        "{a = 1}",
        "{a.b = 1, a.c = 2}",
        "x",
        "[{a=1},{}]",
    ];
    const NOISE: &[&str] = &["[", "]", "{", "}", "=", ",", ".", "\n", "\"", "'''", "#", " "];
    let mut sound = 0;
    for seed in seeds(4_000) {
        let mut random = Random::new(seed);
        let mut text = String::new();
        for _ in 0..1 + random.index(7) {
            match random.below(20) {
                0..8 => text += random.pick(LINES),
                8..19 => text += &format!("{} = {}", random.pick(KEYS), random.pick(VALUES)),
                _ => text += random.pick(NOISE),
            }
            text.push('\n');
        }
        if random.chance(10) {
            text.insert_str(random.index(text.len()), random.pick(NOISE));
        }
        sound += usize::from(compare(&text));
    }
    println!("{sound} of them were sound");
}

/// Tables with many keys are looked up in a map; nothing else changes.
#[test]
fn a_table_may_have_many_keys_and_none_of_them_twice() {
    let many: String = (0..1_000).map(|number| format!("k{number} = {number}\n")).collect();
    assert!(compare(&many));
    assert!(compare(&(many.clone() + "[t]\nk1.x = 1\nk1.y = 2\n")));
    for twice in ["k3 = 1", "'k999' = 1", "k40.x = 1", "[k7]", "[[k7]]", "[k7.x]"] {
        assert!(!compare(&format!("{many}{twice}\n")), "{twice}");
    }
}

#[test]
fn what_is_nested_too_deep_is_refused_where_it_stands() {
    let lists = |depth: usize| format!("x = 1\na = {}{}", "[".repeat(depth), "]".repeat(depth));
    let tables = |depth: usize| format!("x = 1\na = {}1{}", "{b=".repeat(depth), "}".repeat(depth));
    let keys = |depth: usize| format!("x = 1\n{} = 1", vec!["a"; depth].join("."));
    let headers = |depth: usize| format!("x = 1\n[[{}]]", vec!["a"; depth].join("."));
    for text in [lists as fn(usize) -> String, tables, keys, headers] {
        assert!(Document::parse(&text(NESTING_MAX)).is_ok());
        for depth in [NESTING_MAX + 1, 10_000] {
            let mistake = Document::parse(&text(depth)).expect_err("too deep");
            assert_eq!(mistake.line, 2, "{mistake}");
            assert!(mistake.column > NESTING_MAX && mistake.cause.contains("deeper than 160"), "{mistake}");
        }
    }
}

#[test]
fn a_text_may_have_so_many_values_and_no_more() {
    // Each line has a hundred of them, and the document is one too.
    let lines = |lines: usize| -> String {
        (0..lines).map(|line| format!("{line}{}=1\n", ".a".repeat(99))).collect()
    };
    assert!(Document::parse(&lines(NODES_MAX / 100 - 1)).is_ok());
    let mistake = Document::parse(&lines(NODES_MAX / 100)).expect_err("too many");
    assert_eq!(
        (mistake.line, mistake.cause.as_str()),
        (NODES_MAX / 100, "the text has more than 4000000 values")
    );
}
