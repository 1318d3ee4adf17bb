//! Contracts around what is tested, and the check of what is reported.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write;

use mycelium_contract::Contract;

/// A correct contract of one message, with `fields` in it.
pub(crate) fn with_fields(fields: &str) -> String {
    with(
        "",
        &format!(
            "  M:\n    tlv_type: 1\n    topic: t\n    domain: d\n    version: 2\n    fields:\n{}",
            indent(fields, 6)
        ),
    )
}

/// A correct frame around definitions and messages.
pub(crate) fn with(definitions: &str, messages: &str) -> String {
    format!(
        "schema: {{id: a.b, version: 1}}\ndomains: [d]\ntag_ranges: {{d: [1, 99]}}\n{definitions}messages:\n{messages}"
    )
}

/// A correct message.
pub(crate) const GOOD: &str = "  M: {tlv_type: 1, topic: t, domain: d, fields: {x: u8}}\n";

pub(crate) fn indent(text: &str, by: usize) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "{}{line}", " ".repeat(by));
        out
    })
}

/// `expect` holds one ``MYC0010 `text at the place` part of the cause or remedy`` per mistake and line, in
/// the order of the file; nothing else may be reported. A mistake of the file itself has no place, and no
/// text in backticks.
pub(crate) fn check(input: &str, expect: &str) {
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
pub(crate) fn check_fields(rows: &[(&str, &str)]) {
    for (fields, expect) in rows {
        check(&with_fields(fields), expect);
    }
}
