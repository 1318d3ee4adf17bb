//! The table of hosts in `docs/semantics.md` says what the suite knows, and each promise of that page is in
//! the suite or says why not.

use std::fs;
use std::path::Path;

use crate::offers::{DIRECT, ISOLATE, LIVE, ROWS};

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join("docs/semantics.md")).unwrap()
}

#[test]
fn the_page_has_the_table_of_what_each_host_offers() {
    let mut table = String::from("| | live | isolate | direct | |\n|---|---|---|---|---|\n");
    for row in ROWS {
        let [live, isolate, direct] =
            [LIVE, ISOLATE, DIRECT].map(|offers| if (row.of)(&offers) { "yes" } else { "no" });
        table += format!("| {} | {live} | {isolate} | {direct} | {} |\n", row.what, row.note).as_str();
    }
    assert!(
        page().contains(&table),
        "in docs/semantics.md, under `What each host offers`, this should stand:\n\n{table}"
    );
}

/// The sections whose promises are about hosts.
const SECTIONS: [&str; 13] = [
    "Order",
    "Delivery",
    "Full queues",
    "Late subscribers",
    "Bytes",
    "Ends",
    "Pools",
    "Probes",
    "Names",
    "Streams and blocking work",
    "Chance",
    "Time",
    "Calls to the outside",
];

/// Whether this names a body that is run on every host: `actors/tests/hosts/file.rs::name`, or one of
/// `actors/tests/membership`.
fn is_body(named: &str) -> bool {
    let Some((file, name)) = named.split_once("::") else { return false };
    if !["actors/tests/hosts/", "actors/tests/membership/"].iter().any(|folder| file.starts_with(folder)) {
        return false;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let Ok(code) = fs::read_to_string(root.join(file)) else { return false };
    [")", ","].iter().any(|end| code.contains(&format!("conformance!({name}{end}")))
}

/// A promise names a body of the suite, or says why it has none: that it is not a matter of hosts, or of one
/// alone.
#[test]
fn every_promise_is_in_the_suite_or_says_why_not() {
    let page = page();
    let mut missing = Vec::new();
    for section in SECTIONS {
        let (_, text) = page.split_once(&format!("\n## {section}\n")).unwrap();
        let text = text.split("\n## ").next().unwrap();
        let text = format!("\n{text}");
        let unsaid = |text: &str| !text.split('`').any(is_body) && !text.contains("Not in the suite: ");
        let promises = text.split("\n- ").skip(1).filter(|text| unsaid(text));
        missing.extend(promises.filter_map(|text| text.lines().next()).map(str::to_owned));
    }
    assert!(
        missing.is_empty(),
        "these promises of docs/semantics.md have no body in actors/tests/hosts or actors/tests/membership (see host.rs), \
         and no line `Not in the suite: ..` that says why:\n{}",
        missing.join("\n")
    );
}

#[test]
fn a_body_is_told_from_a_test_of_one_host() {
    assert!(is_body("actors/tests/hosts/order.rs::all_events_have_one_order"), "with a host left out");
    assert!(is_body("actors/tests/hosts/policies.rs::drop_oldest_keeps_the_latest"));
    assert!(!is_body("actors/tests/hosts/policies.rs::drop_oldest_keeps"));
    assert!(!is_body("actors/tests/hosts/table.rs::a_body_is_told_from_a_test_of_one_host"));
    assert!(!is_body("actors/tests/blocking.rs::a_thread_that_waits_has_an_error_when_the_pool_is_stopped"));
}
