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
const SECTIONS: [&str; 7] = ["Order", "Delivery", "Full queues", "Late subscribers", "Bytes", "Ends", "Time"];

/// A promise names a test of the suite, or says why it has none: that it is not a matter of hosts, or of one
/// alone.
#[test]
fn every_promise_is_in_the_suite_or_says_why_not() {
    let page = page();
    let mut missing = Vec::new();
    for section in SECTIONS {
        let (_, text) = page.split_once(&format!("\n## {section}\n")).unwrap();
        let text = text.split("\n## ").next().unwrap();
        let text = format!("\n{text}");
        let unsaid =
            |text: &str| !text.contains("actors/tests/hosts/") && !text.contains("Not in the suite: ");
        let promises = text.split("\n- ").skip(1).filter(|text| unsaid(text));
        missing.extend(promises.filter_map(|text| text.lines().next()).map(str::to_owned));
    }
    assert!(
        missing.is_empty(),
        "these promises of docs/semantics.md have no test in actors/tests/hosts (see host.rs), and no line \
         `Not in the suite: ..` that says why:\n{}",
        missing.join("\n")
    );
}
