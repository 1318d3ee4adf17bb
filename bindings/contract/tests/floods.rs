//! Deep, circular and endless contracts: each ends in a clear error, in bounded time and memory.

mod common;

use std::fmt::Write;

use common::{GOOD, check, with};
use mycelium_contract::{Code, Contract, DIAGNOSTICS_MAX, limits};

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
    let of: Vec<String> =
        (0..16).map(|i| if i == 15 { "u8".into() } else { format!("[{}; 8192]", doubling[i + 1]) }).collect();
    let pairs: Vec<(&str, &str)> = (0..16).map(|i| (doubling[i].as_str(), of[i].as_str())).collect();
    let errors = Contract::parse(&structs(&pairs), "t").unwrap_err();
    assert!(errors.list().iter().all(|e| e.code == Code::LIMIT), "{errors}");
}

/// rustc follows a type for 128 steps.
#[test]
fn types_that_no_compiler_would_follow_are_refused() {
    let lists = |of: &str| format!("{}{of}{}", "Vec<".repeat(7), ">".repeat(7));
    let chain = |n: usize, of: &str| {
        let structs: String = (1..n).fold("  S0: {fields: {x: u8}}\n".to_owned(), |mut out, i| {
            let _ = writeln!(out, "  S{i}: {{fields: {{x: {}}}}}", lists(&format!("S{}", i - 1)));
            out
        });
        with(&format!("structs:\n{structs}"), &GOOD.replace("u8", of))
    };
    check(&chain(5, "'Option<[[[[[S4; 1]; 1]; 1]; 1]; 1]>'"), "");
    check(&chain(5, "'Option<[[[[[[S4; 1]; 1]; 1]; 1]; 1]; 1]>'"), "MYC0003 `M` is 97 steps deep, above 96");
    check(&chain(5, "'Vec<[[[[Option<S4>; 1]; 1]; 1]; 1]>'"), "MYC0003 `M` is 98 steps deep");
    check(&chain(5, "u8"), "");
    // What is around it is not told too.
    check(&chain(7, "S6"), "MYC0003 `S5` is 111 steps deep");
    let texts = with("", &GOOD.replace("u8", &lists("String")));
    check(&texts, "");
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
