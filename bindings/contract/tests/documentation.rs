//! `docs/contracts.md` against the checker: every code has its section, and every example does what the page
//! says.

use std::path::Path;

use mycelium_contract::{Code, Contract, Rule, Type, Value};

/// What an example leaves out.
const REST: [(&str, &str); 4] = [
    ("schema", "schema: {id: acme.trading, version: 1}\n"),
    ("domains", "domains: [market_data]\n"),
    ("tag_ranges", "tag_ranges: {market_data: [100, 199]}\n"),
    ("messages", "messages:\n  Bar: {tlv_type: 100, topic: bars, domain: market_data, fields: {x: u8}}\n"),
];

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contracts.md");
    std::fs::read_to_string(path).unwrap()
}

/// An example made whole: parts of a file get the other parts, bare fields a message around them.
fn whole(example: &str) -> String {
    let keys: Vec<&str> = example
        .lines()
        .filter(|l| !l.starts_with([' ', '#', '-']))
        .filter_map(|l| l.split_once(':').map(|(key, _)| key))
        .collect();
    let is_part =
        keys.iter().all(|k| REST.iter().any(|(key, _)| key == k) || ["enums", "structs"].contains(k));
    let fields = if keys == ["fields"] {
        example.lines().skip(1).collect::<Vec<_>>()
    } else {
        example.lines().collect()
    };
    if !is_part {
        let fields: String = fields.iter().map(|l| format!("      {l}\n")).collect();
        let rest: String = REST[..3].iter().map(|(_, text)| *text).collect();
        return format!(
            "{rest}messages:\n  Bar:\n    tlv_type: 100\n    topic: bars\n    domain: market_data\n    fields:\n{fields}"
        );
    }
    let rest: String = REST.iter().filter(|(key, _)| !keys.contains(key)).map(|(_, text)| *text).collect();
    format!("{example}{rest}")
}

/// The YAML blocks of a text.
fn examples(text: &str) -> Vec<&str> {
    text.split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect()
}

#[test]
fn every_code_has_a_section_with_an_example_that_shows_it() {
    let page = page();
    let (_, errors) = page.split_once("\n## Errors").unwrap();
    let sections: Vec<&str> = errors.split("\n### ").skip(1).collect();
    let documented: Vec<&str> = sections.iter().map(|s| &s[..7]).collect();
    let codes: Vec<String> = Code::ALL.iter().map(|(code, _)| code.to_string()).collect();
    assert_eq!(documented, codes, "docs/contracts.md lists the codes in their order");
    for section in &sections {
        let code = &section[..7];
        for example in examples(section) {
            let text = whole(example);
            let errors = Contract::parse(&text, "t").expect_err(code);
            let found = errors.list().iter().any(|e| e.code.to_string() == code);
            assert!(found, "the example of {code} gives\n{errors}");
        }
    }
    let shown = sections.iter().filter(|s| !examples(s).is_empty()).count();
    assert_eq!(shown, codes.len() - 2, "only an unreadable file and one in another encoding cannot be shown");
}

#[test]
fn every_other_example_is_correct() {
    let page = page();
    let (correct, _) = page.split_once("\n## Errors").unwrap();
    assert!(examples(correct).len() >= 3);
    for example in examples(correct) {
        let text = whole(example);
        Contract::parse(&text, "t").unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    }
}

#[test]
fn every_type_and_rule_is_named() {
    let page = page();
    for simple in Type::SIMPLE {
        assert!(page.contains(&format!("`{simple}`")), "{simple}");
    }
    let value = || Value::Int(1);
    let rules = [
        Rule::Min(value()),
        Rule::Max(value()),
        Rule::GreaterThan(value()),
        Rule::LessThan(value()),
        Rule::MultipleOf(1),
        Rule::NotZero,
        Rule::Finite,
        Rule::OneOf(Vec::new()),
        Rule::MinLength(1),
        Rule::MaxLength(1),
        Rule::NotEmpty,
        Rule::Ascii,
        Rule::Each(Vec::new()),
    ];
    for rule in rules {
        assert!(page.contains(&format!("`{}: ", rule.key())), "{}", rule.key());
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    use mycelium_contract::limits as l;
    let page = page();
    let grouped = |n: usize| {
        let digits = n.to_string();
        let parts: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap()).collect();
        parts.join(",")
    };
    let rows = [
        format!(
            "| {} MiB, {} YAML values, {} levels",
            l::FILE_BYTES_MAX >> 20,
            grouped(l::YAML_NODES_MAX),
            l::YAML_DEPTH_MAX
        ),
        format!("| {0}; {0}; {1} |", grouped(l::YAML_ALIASES_MAX), grouped(l::YAML_ALIAS_EVENTS_MAX)),
        format!(
            "| {}; {2}; {2}; {1} |",
            grouped(l::MESSAGES_MAX),
            l::DOMAINS_MAX,
            grouped(l::DEFINITIONS_MAX / 2)
        ),
        format!("| {}; {}; {} |", l::FIELDS_MAX, l::VARIANTS_MAX, l::DATA_VARIANTS_MAX),
        format!(
            "| {}; {}; {} bytes |",
            l::NAME_BYTES_MAX,
            grouped(l::DESCRIPTION_BYTES_MAX),
            l::TYPE_BYTES_MAX
        ),
        format!("| {}; {} |", l::TYPE_DEPTH_MAX, l::NESTING_MAX),
        format!("in one another, three for a list or a text | {} |", l::STEPS_MAX),
        format!("| {} |", grouped(l::ARRAY_LENGTH_MAX as usize)),
        format!("| {} bytes in memory |", grouped(l::FIXED_BYTES_MAX as usize)),
        format!("| {} |", grouped(l::DEFAULT_NODES_MAX)),
    ];
    for row in rows {
        assert!(page.contains(&row), "docs/contracts.md lacks `{row}`");
    }
    assert!(page.contains(&format!("1 to {}, unique", l::RESERVED_IDS_FROM - 1)));
}
