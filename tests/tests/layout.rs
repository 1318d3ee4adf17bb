//! Holds the invariants of `ARCHITECTURE.md` over the workspace, and proves on bad input that they can fail.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;

use mycelium_tests::layout::{
    DenyList, Dependency, Fault, Graph, INVARIANTS, Kind, Package, SourceFile, check_closures,
    check_comments, check_dependencies, check_docs, check_edges, check_examples, check_glossary, check_links,
    check_log, check_names, check_rooms, check_roots, check_sentences, check_sources, check_text,
    read_sources, room_rows, workspace_root,
};

fn graph() -> Graph {
    Graph::read(&workspace_root()).unwrap()
}

fn sources() -> Vec<SourceFile> {
    let files = read_sources(&workspace_root()).unwrap();
    assert!(files.iter().any(|file| file.path == "tests/tests/layout.rs"), "the tree was not read");
    files
}

fn deny_list() -> DenyList {
    DenyList::parse(&fs::read_to_string(workspace_root().join("deny.toml")).unwrap()).unwrap()
}

#[track_caller]
fn assert_none(faults: &[Fault]) {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "\n{}\n(each invariant is explained in ARCHITECTURE.md)", lines.join("\n"));
}

#[track_caller]
fn assert_broken(faults: &[Fault], invariants: &[u8]) {
    let broken: BTreeSet<u8> = faults.iter().map(|fault| fault.invariant).collect();
    assert_eq!(broken, invariants.iter().copied().collect(), "{faults:#?}");
}

#[test]
fn crates_use_only_what_their_place_allows() {
    assert_none(&check_edges(&graph()));
}

#[test]
fn nothing_forbidden_is_linked_however_indirectly() {
    assert_none(&check_closures(&graph()));
}

#[test]
fn every_dependency_has_an_allowed_licence_and_source() {
    assert_none(&check_dependencies(&graph(), &deny_list()));
}

#[test]
fn no_source_holds_what_its_folder_must_not_know() {
    assert_none(&check_sources(&sources()));
}

#[test]
fn a_log_that_panics_ends_nothing_but_its_line() {
    assert_none(&check_log(&sources()));
}

#[test]
fn canary_a_line_of_the_log_that_is_not_caught_is_found() {
    let rows: &[(&str, &str, usize)] = &[
        ("actors/src/link/x.rs", "caught(|| tracing::warn!(target: TARGET, \"down\"));", 0),
        ("actors/src/link/x.rs", "caught(|| {\n    tracing::warn!(\"down\");\n});", 0),
        ("actors/src/link/x.rs", "// tracing::warn!\nuse tracing::Level;", 0),
        ("actors/src/link/x.rs", "tracing::warn!(target: TARGET, \"down\");", 1),
        ("actors/src/link/x.rs", "let say = || tracing::error!(\"down\");\nfn f() { tracing::info!(); }", 2),
        ("cli/src/x.rs", "tracing::warn!(target: TARGET, \"down\");", 0),
    ];
    for (path, text, expected) in rows {
        let file = SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        let faults = check_log(&[file]);
        assert_eq!(faults.len(), *expected, "{path}: {text}: {faults:?}");
    }
}

#[test]
fn modules_use_only_what_their_room_allows() {
    assert_none(&check_rooms(&sources()));
}

#[test]
fn the_map_of_rooms_in_architecture_is_the_one_that_is_held() {
    let page = std::fs::read_to_string(workspace_root().join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<_> = room_rows().into_iter().filter(|row| !page.contains(row)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md lacks these rows:\n{}", missing.join("\n"));
}

#[test]
fn every_crate_root_forbids_unsafe_code() {
    assert_none(&check_roots(&graph(), &workspace_root(), &sources()));
}

#[test]
fn no_file_is_too_long_and_no_banned_word_is_written() {
    assert_none(&check_text(&sources()));
}

#[test]
fn each_public_async_function_says_how_it_fails_and_what_dropping_it_does() {
    assert_none(&check_docs(&sources()));
}

#[test]
fn canary_an_async_function_that_does_not_say_what_dropping_it_does_is_found() {
    let check =
        |text: &str| check_docs(&[SourceFile { path: "actors/src/reference.rs".into(), text: text.into() }]);
    let whole = "/// Asks.\n/// # Errors\n/// Some.\n/// # Cancel safety\n/// None.\n#[inline]\npub async fn ask<Q>(\n&self,\n) -> Result<Q, E>\n{\n";
    assert_none(&check(whole));
    for section in ["# Errors", "# Cancel safety"] {
        assert_broken(&check(&whole.replace(section, "")), &[16]);
    }
    assert_none(&check("/// # Cancel safety\npub async fn ended(&self) -> StopReason {\n"));
}

#[test]
fn what_users_touch_first_has_an_example() {
    assert_none(&check_examples(&sources()));
}

#[test]
fn canary_an_item_without_an_example_is_found() {
    let mut files = sources();
    let prelude = files.iter_mut().find(|file| file.path == "actors/src/prelude.rs").unwrap();
    prelude.text = prelude.text.replace("pub use crate::{", "pub use crate::{Untold, Unmade, ");
    let text = "/// A thing.\npub struct Untold;\n".to_owned();
    files.push(SourceFile { path: "actors/src/untold.rs".to_owned(), text });
    let faults = check_examples(&files);
    assert_broken(&faults, &[16]);
    assert_eq!(faults.len(), 2, "{faults:#?}");
}

#[test]
fn no_comment_is_too_wide() {
    assert_none(&check_comments(&sources()));
}

#[test]
fn no_two_types_of_a_crate_have_one_name() {
    assert_none(&check_names(&sources()));
}

#[test]
fn the_words_of_the_glossary_are_used_and_no_others_for_the_same() {
    assert_none(&check_glossary(&sources()));
}

#[test]
fn no_sentence_of_a_page_or_of_documentation_begins_with_a_clause() {
    assert_none(&check_sentences(&sources()));
}

#[test]
fn canary_a_second_word_an_unused_one_and_a_clause_are_found() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let page =
        "## Glossary\n| word | what | not |\n|---|---|---|\n| lane, ring | a queue | belt |\n\n## Next\n";
    let whole = [file("ARCHITECTURE.md", page), file("mailbox/src/a.rs", "/// A lane or\n/// a ring.\n")];
    assert_none(&check_glossary(&whole));
    let unused = [file("ARCHITECTURE.md", page), file("mailbox/src/a.rs", "/// A lane.\n")];
    assert_broken(&check_glossary(&unused), &[17]);
    let second = [whole[0].clone(), whole[1].clone(), file("docs/x.md", "Two Belts.\n")];
    assert_broken(&check_glossary(&second), &[17]);
    assert_broken(&check_glossary(&[]), &[17]);
    for (text, faults) in [
        ("- Who waits is woken.\n", 1),
        ("It ends. What waits\nis lost.\n", 1),
        ("# A page\n\nWhoever comes.\n", 1),
        ("| a | What it is |\n", 1),
        ("- **Queues.** Whatever waits is lost.\n", 1),
        ("**Queues** are bounded. Whichever is full waits.\n", 1),
        ("## What is promised\n\nIt says\nWho it is. What is it?\n", 0),
        ("```\nWhat it prints\n```\n", 0),
    ] {
        assert_eq!(check_sentences(&[file("docs/x.md", text)]).len(), faults, "{text:?}");
    }
    for path in ["CONTRIBUTING.md", "examples/tree/README.md", "cli/templates/desk/README.md.txt"] {
        assert_eq!(check_sentences(&[file(path, "It ends. Who waits is woken.\n")]).len(), 1, "{path}");
    }
    for (text, faults) in [
        ("/// What it waits for.\nstruct A;\n", 0),
        ("/// It ends. What waits\n/// is lost.\n", 1),
        ("//! A queue.\n//!\n//! Whoever waits is woken.\n", 1),
        ("/// One.\nstruct A;\n/// What it waits for.\n", 0),
        ("/// One.\n/// # Errors\n/// What is wrong. What waits is lost.\n", 1),
        ("/// It prints:\n/// ```text\n/// Done. What now\n/// ```\n", 0),
        ("// What it waits for.\nlet a = 1;\n", 0),
        ("    // It ends. Whoever waits\n    // is woken.\n", 1),
    ] {
        assert_eq!(check_sentences(&[file("mailbox/src/a.rs", text)]).len(), faults, "{text:?}");
    }
}

#[test]
fn canary_a_wide_comment_and_a_name_of_two_things_are_found() {
    let wide = format!("/// {}\n/// ```text\n/// {}\n/// ```\n", "wide ".repeat(30), "wide ".repeat(30));
    let source = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
    let files = [
        source("actors/src/a.rs", format!("{wide}struct Seat;\n")),
        source("actors/src/b.rs", "pub(crate) enum Seat { A }\nstruct Other;\n".to_owned()),
        source("actors/src/models/c.rs", "struct Other;\n".to_owned()),
        source("mailbox/src/a.rs", "struct Seat;\n".to_owned()),
    ];
    assert_eq!(check_comments(&files).len(), 1, "the wide line that is no code");
    let words = "wide ".repeat(30);
    for (path, text) in [
        ("cli/templates/desk/src/main.rs.txt", format!("// {words}")),
        ("bindings/ocaml/src/mycelium.mli", format!("(** Short,\n{words}*)\nval {words}: int")),
        ("bindings/ocaml/src/stubs.h", format!("/* Short,\n   {words}*/\nint {words};")),
        ("bindings/python/python/mycelium/_a.py", format!("\"\"\"Short,\n{words}\"\"\"\na = 1")),
        ("contracts.yaml", format!("# {words}\na: {words}")),
        ("bindings/ffi/include/mycelium.h", format!("// {words}\n// {words}")),
    ] {
        let expected = usize::from(!path.contains("/include/"));
        assert_eq!(check_comments(&[source(path, text)]).len(), expected, "{path}");
    }
    let faults = check_names(&files);
    assert_broken(&faults, &[17]);
    assert_eq!(faults.len(), 1, "{faults:#?}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    assert_none(&check_links(&workspace_root(), &sources()));
}

#[test]
fn the_architecture_page_lists_every_crate_and_every_invariant() {
    let page = fs::read_to_string(workspace_root().join("ARCHITECTURE.md")).unwrap();
    for package in graph().members() {
        assert!(page.contains(&format!("`{}/`", package.folder)), "the code map lacks `{}/`", package.folder);
    }
    let listed: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("**I")).collect();
    let numbers: Vec<u8> = listed.iter().filter_map(|line| line.split('.').next()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=INVARIANTS).collect::<Vec<u8>>(), "the invariants of ARCHITECTURE.md");
}

// The canaries: each check must find the fault that is put before it.

fn member(name: &str, folder: &str, uses: &[&str]) -> (String, Package) {
    let dependencies =
        uses.iter().map(|id| Dependency { id: (*id).to_owned(), kind: Kind::Normal }).collect();
    let package = Package {
        name: name.to_owned(),
        folder: folder.to_owned(),
        licence: Some("MIT".to_owned()),
        source: None,
        member: true,
        dependencies,
        targets: Vec::new(),
    };
    (name.to_owned(), package)
}

fn foreign(name: &str, licence: Option<&str>, source: &str) -> (String, Package) {
    let (id, package) = member(name, "", &[]);
    let licence = licence.map(str::to_owned);
    (id, Package { member: false, source: Some(source.to_owned()), licence, ..package })
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn core_crates() -> Graph {
    let packages = [
        member("mycelium-mailbox", "mailbox", &[]),
        member("mycelium-supervisor", "supervisor", &[]),
        member("mycelium-remote", "remote", &["mycelium-mailbox"]),
        member("mycelium", "actors", &["mycelium-mailbox", "mycelium-supervisor"]),
    ];
    Graph { packages: packages.into() }
}

#[test]
fn canary_an_arrow_against_the_layers_is_found() {
    assert_none(&check_edges(&core_crates()));
    let mut graph = core_crates();
    graph.packages.extend([member("mycelium-mailbox", "mailbox", &["mycelium"])]);
    assert_broken(&check_edges(&graph), &[1]);
    let mut graph = core_crates();
    graph.packages.extend([member("mycelium-new", "new", &[])]);
    assert_broken(&check_edges(&graph), &[1]);
    let mut graph = core_crates();
    graph.packages.extend([
        foreign("kameo", Some("MIT"), CRATES_IO),
        member("mycelium-remote", "remote", &["mycelium-mailbox", "kameo"]),
    ]);
    assert_broken(&check_edges(&graph), &[6]);
}

#[test]
fn canary_a_forbidden_crate_is_found_behind_another() {
    assert_none(&check_closures(&core_crates()));
    let mut graph = core_crates();
    let (id, mut helper) = foreign("helper", Some("MIT"), CRATES_IO);
    helper.dependencies = vec![Dependency { id: "tokio".to_owned(), kind: Kind::Normal }];
    graph.packages.extend([
        (id, helper),
        foreign("tokio", Some("MIT"), CRATES_IO),
        member("mycelium-mailbox", "mailbox", &["helper"]),
    ]);
    assert_broken(&check_closures(&graph), &[2]);
    // A rule about a crate that is gone guards nothing, which is a fault too.
    assert_broken(&check_closures(&Graph::default()), &[2, 3, 4, 5]);
}

#[test]
fn canary_a_licence_a_source_and_a_ban_are_found() {
    let rows = [
        foreign("viral", Some("GPL-3.0"), CRATES_IO),
        foreign("silent", None, CRATES_IO),
        foreign("elsewhere", Some("MIT"), "git+https://example.org/x"),
        foreign("libp2p", Some("MIT"), CRATES_IO),
    ];
    for row in rows {
        let mut graph = core_crates();
        graph.packages.extend([row]);
        let faults = check_dependencies(&graph, &deny_list());
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}

#[test]
fn canary_each_word_is_found_in_code_and_only_there() {
    let rows: &[(&str, &str, &[u8])] = &[
        ("mailbox/src/x.rs", "use tokio::sync::mpsc;", &[2]),
        ("mailbox/src/x.rs", "// tokio\nconst A: &str = \"tokio\";", &[]),
        ("mailbox/src/x.rs", "#[cfg(test)]\nmod tests { use tokio::main; }", &[]),
        ("mailbox/src/x.rs", "use std::sync::atomic::AtomicU64;", &[9]),
        ("mailbox/src/sync.rs", "use std::sync::atomic::AtomicU64;", &[]),
        ("actors/src/live/x.rs", "tokio::spawn(async {});", &[9]),
        ("actors/src/tree/process.rs", "use tokio::time::timeout;", &[]),
        ("supervisor/src/x.rs", "let now = Instant::now();", &[3]),
        ("remote/src/x.rs", "use mycelium_supervisor::Spec;", &[4]),
        ("actors/src/bus.rs", "use kameo::Actor;", &[6]),
        ("actors/src/x.rs", "unsafe { f() }", &[7]),
        ("actors/tests/x.rs", "unsafe { f() }", &[7]),
        ("actors/tests/x.rs", "unsafe impl GlobalAlloc for A {}", &[7]),
        ("mailbox/src/x.rs", "unsafe { f() }", &[]),
        ("actors/src/x.rs", "static BUSES: Mutex<Vec<u8>> = Mutex::new(Vec::new());", &[10]),
        ("actors/src/x.rs", "pub(crate) static mut N: u64 = 0;", &[10]),
        ("actors/src/x.rs", "fn f(x: &'static str) {} static NAME: &str = \"Mutex\";", &[]),
        ("cli/src/x.rs", "fn sharpe() {}", &[11]),
        ("examples/backtest/src/x.rs", "fn sharpe() {}", &[]),
    ];
    for (path, text, expected) in rows {
        let file = SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        let faults = check_sources(&[file]);
        let broken: Vec<u8> = faults.iter().map(|fault| fault.invariant).collect();
        assert_eq!(broken, *expected, "{path}: {text}: {faults:?}");
    }
}

#[test]
fn canary_a_use_of_a_forbidden_room_is_found_however_it_is_written() {
    let is_broken = |path: &str, text: &str| {
        let mut files = sources();
        files.push(SourceFile { path: format!("actors/src/{path}"), text: text.to_owned() });
        let faults = check_rooms(&files);
        if !faults.is_empty() {
            assert_broken(&faults, &[15]);
        }
        !faults.is_empty()
    };
    for (path, text) in [
        ("live/x.rs", "use crate::isolate::Place;"),
        ("live/x.rs", "use crate::{Actor, Isolate};"),
        ("live/x/y.rs", "fn f() { super::super::super::isolate::g(); }"),
        ("isolate/x.rs", "use crate::MessageBus as Bus;"),
        ("isolate/x.rs", "use crate::{context::Context, sweep::{self, Trial}};"),
        ("isolate/x.rs", "use crate::tree::Child;"),
        ("resilience/x.rs", "use crate::live::Core;"),
        ("tree/x.rs", "use crate::sweep::Sweep;"),
        ("clock/x.rs", "use crate::tree::Tree;"),
        ("newcomer.rs", ""),
    ] {
        assert!(is_broken(path, text), "{path}: {text}");
    }
    for (path, text) in [
        ("live/x.rs", "use crate::{Actor, Context, clock}; // crate::isolate"),
        ("live/x.rs", "#[cfg(test)]\nmod tests { use crate::Isolate; }"),
        ("isolate/tree/x.rs", "use super::super::seat::Seat; use crate::tree::Child;"),
        ("sweep/x.rs", "use crate::Isolate;"),
    ] {
        assert!(!is_broken(path, text), "{path}: {text}");
    }
    assert_broken(&check_rooms(&[]), &[15]);
}

#[test]
fn canary_a_root_without_forbid_a_long_file_a_word_and_a_dead_link_are_found() {
    let root = workspace_root();
    assert_broken(&check_roots(&graph(), &root, &[]), &[8]);
    let file = |path: &str, text: String| [SourceFile { path: path.to_owned(), text }];
    assert_broken(&check_text(&file("cli/src/x.rs", "\n".repeat(601))), &[13]);
    assert_none(&check_text(&file("cli/src/x.rs", "\n".repeat(600))));
    assert_broken(&check_text(&file("cli/src/x.rs", format!("{}!()", "todo"))), &[13]);
    assert_broken(&check_links(&root, &file("docs/x.md", "[a](no-such-page.md)".to_owned())), &[14]);
    assert_none(&check_links(&root, &file("x.md", "[a](Cargo.toml) [b](https://x.org) [c](#d)".to_owned())));
}
