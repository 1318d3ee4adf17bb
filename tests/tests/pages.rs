//! Pages name what is there.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use mycelium_tests::layout::{Graph, SourceFile, code_only, first_column, read_sources, workspace_root};

/// Whether some source declares this name.
fn is_declared(name: &str, code: &[String]) -> bool {
    let name = name.trim_start_matches("#[").trim_end_matches(']');
    name.split("::").all(|part| {
        let kinds = ["fn", "struct", "enum", "trait", "type", "const"];
        kinds.iter().any(|kind| {
            let declared = format!("{kind} {part}");
            let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            code.iter().any(|text| text.split(&declared).skip(1).any(ends))
        })
    })
}

/// The rows of `docs/coming-from.md` whose name is another elsewhere, and that do not say why.
fn without_a_reason(page: &str) -> Vec<&str> {
    let last = |name: &str| name.rsplit("::").next().unwrap_or(name).to_owned();
    let differs = |row: &&str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [here, elsewhere @ .., reason] = &cells[..] else { return true };
        let here = last(here.trim_matches('`'));
        let other = |cell: &&str| *cell != "·" && last(cell.trim_matches('`')) != here;
        elsewhere.iter().any(other) && reason.is_empty()
    };
    page.lines().filter(|line| line.starts_with("| `")).filter(differs).collect()
}

#[test]
fn a_name_that_differs_elsewhere_has_a_reason() {
    let page = std::fs::read_to_string(workspace_root().join("docs/coming-from.md")).unwrap();
    let rows = without_a_reason(&page);
    assert!(rows.is_empty(), "the last column says why:\n{}", rows.join("\n"));
    assert!(without_a_reason("| `A::b` | `B::b` | · | |").is_empty());
    assert_eq!(without_a_reason("| `A::b` | `c` | · | |").len(), 1, "the check would notice");
    assert!(without_a_reason("| `A::b` | `c` | · | older |").is_empty());
}

#[test]
fn what_newcomers_are_told_of_exists() {
    let files = read_sources(&workspace_root()).unwrap();
    let page = &files.iter().find(|file| file.path == "docs/coming-from.md").unwrap().text;
    let shipped =
        |file: &&SourceFile| file.is_rust() && file.path.contains("src/") && !file.path.starts_with("tests/");
    let code: Vec<String> = files.iter().filter(shipped).map(|file| code_only(&file.text)).collect();
    let names = first_column(page);
    assert!(names.len() >= 40, "only {} items are compared", names.len());
    let missing: Vec<&String> = names.iter().filter(|name| !is_declared(name, &code)).collect();
    assert!(missing.is_empty(), "docs/coming-from.md names what is not there: {missing:?}");
    assert!(!is_declared("MessageBus::spwan", &code), "the check would notice");
}

/// The code of a crate of a registry, and its version as the page writes it: up to what a breaking change
/// counts up.
fn of_registry(name: &str, graph: &Graph) -> Option<(String, String)> {
    fn code_of(folder: &Path, code: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                code_of(&entry, code);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                code.push_str(&code_only(&std::fs::read_to_string(entry).unwrap()));
            }
        }
    }
    let (id, package) =
        graph.packages.iter().find(|(_, package)| package.source.is_some() && package.name == name)?;
    let root = package.targets.iter().find(|target| target.root.ends_with("src/lib.rs"))?.root.parent()?;
    let version: Vec<&str> = id.rsplit(['@', '#']).next()?.split('.').collect();
    let mut code = String::new();
    code_of(root, &mut code);
    let version = if version[0] == "0" { version[..2].join(".") } else { version[0].to_owned() };
    Some((code, version))
}

/// Whether a crate's code declares this: an item, a variant, or what it hands on of its macros.
fn declares(code: &str, name: &str) -> bool {
    let is_rest = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let kinds = ["fn ", "struct ", "enum ", "trait ", "type ", "mod ", "macro_rules! ", "! {"];
    let follows =
        |behind: &str| code.split(behind).skip(1).any(|rest| rest.strip_prefix(name).is_some_and(is_rest));
    let is_line = |line: &str| {
        let line = line.trim();
        let variant = line
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['(', ',', '{']) || rest.starts_with(" {"));
        let words = || line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        variant || (line.starts_with("pub use ") && words().any(|word| word == name))
    };
    kinds.into_iter().any(follows) || code.lines().any(is_line)
}

/// The names between backticks in one column of the page's tables.
fn column(page: &str, at: usize) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.trim_matches('|').split('|').nth(at));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn names_of_other_crates_are_those_of_the_versions_that_the_page_says() {
    let page = std::fs::read_to_string(workspace_root().join("docs/coming-from.md")).unwrap();
    let graph = Graph::read(&workspace_root()).unwrap();
    let names = ["kameo", "ractor", "tokio"];
    let crates: BTreeMap<&str, (String, String)> =
        names.map(|name| (name, of_registry(name, &graph).unwrap_or_else(|| panic!("no {name}")))).into();
    for name in names {
        let said = format!("{name} {}", crates[name].1);
        assert!(
            page.contains(&format!("{said} ")) || page.contains(&format!("{said},")),
            "{said}: look again"
        );
    }
    let (mut seen, mut wrong) = (0, Vec::new());
    for (at, own) in [(1, "kameo"), (2, "ractor"), (5, "tokio")] {
        for shown in column(&page, at) {
            let name = shown.trim_start_matches("#[").trim_end_matches([']', '!']);
            // These crates are not linked; the page says their versions.
            if ["kameo_actors::", "tokio_stream::"].iter().any(|other| name.starts_with(other)) {
                continue;
            }
            seen += 1;
            let (of, path) = match name.split_once("::") {
                Some((first, rest)) if crates.contains_key(first) => (first, rest),
                _ => (own, name),
            };
            if !path.split("::").all(|part| declares(&crates[of].0, part)) {
                wrong.push(format!("{of}: {shown}"));
            }
        }
    }
    assert!(seen > 80, "{seen} names were read");
    assert!(wrong.is_empty(), "docs/coming-from.md: {wrong:#?}");
    assert!(!declares(&crates["kameo"].0, "PubSub"), "the check would notice");
    assert!(declares("enum A {\n    Bc(u8),\n}", "Bc") && !declares("let x = A::Bc(1);", "Bc"));
}

/// An event that the code logs: target, level, and its text, if that is always the same.
#[derive(Debug, PartialEq)]
struct Event {
    target: String,
    level: String,
    text: Option<String>,
}

/// The string literals of a piece of code.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2)
}

/// The events that this file logs. `target`: that of its module, where it is a constant there.
fn events_of(text: &str, target: &str) -> Vec<Event> {
    let calls = text.split("tracing::").skip(1).filter_map(|call| {
        let (level, rest) = call.split_once("!(")?;
        let levels = ["error", "warn", "info", "debug", "trace"];
        levels.contains(&level).then(|| (level.to_uppercase(), rest.split(");").next().unwrap_or(rest)))
    });
    let event = |(level, call): (String, &str)| {
        let own = call.trim_start().strip_prefix("target: \"").and_then(|call| call.split('"').next());
        let text = literals(call).filter(|text| text.contains(' ') && !text.contains(['{', '\\'])).last();
        Event { target: own.unwrap_or(target).to_owned(), level, text: text.map(str::to_owned) }
    };
    calls.map(event).collect()
}

fn stands_in(page: &str, Event { target, level, text }: &Event) -> bool {
    let row = format!("| `{target}` | {level} | ");
    // A place that logs at either of two levels has one row, which says so.
    let also = format!("at {level} ");
    page.lines().filter(|line| line.starts_with(&format!("| `{target}` |"))).any(|line| {
        let says = |text: &String| line.contains(&format!("| {text} |"));
        (line.starts_with(&row) || line.contains(&also)) && text.as_ref().is_none_or(says)
    })
}

#[test]
fn what_is_logged_stands_in_the_table_of_events() {
    let files = read_sources(&workspace_root()).unwrap();
    let page = &files.iter().find(|file| file.path == "docs/operations.md").unwrap().text;
    let shipped = |file: &&SourceFile| {
        file.is_rust() && file.path.contains("src/") && !["tests", "examples"].iter().any(|at| file.is_in(at))
    };
    let target_of = |text: &str| {
        let (_, after) = text.split_once("const TARGET: &str = \"")?;
        after.split('"').next().map(str::to_owned)
    };
    let mut events = Vec::new();
    for file in files.iter().filter(shipped) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // Its own, or that of the module that it belongs to.
        let modules = std::iter::successors(Some(folder), |inner| Some(inner.rsplit_once('/')?.0));
        let mut modules =
            modules.filter_map(|of| files.iter().find(|other| other.path == format!("{of}/mod.rs")));
        let of_module = || modules.find_map(|module| target_of(&module.text));
        let target = target_of(&file.text).or_else(of_module).unwrap_or_default();
        // Its literals are needed, which `shipped_code` blanks.
        let shipped = file.text.split("#[cfg(test)]\nmod ").next().unwrap_or(&file.text);
        events.extend(events_of(shipped, &target));
    }
    assert!(events.len() > 30, "only {} events were found", events.len());
    let missing: Vec<&Event> = events.iter().filter(|event| !stands_in(page, event)).collect();
    assert!(missing.is_empty(), "docs/operations.md has no row for {missing:#?}");

    let known = events_of("tracing::warn!(target: TARGET, peer, \"link down\");", "mycelium::link");
    assert!(stands_in(page, &known[0]));
    for unknown in ["tracing::warn!(\"link gone\");", "tracing::trace!(\"link down\");"] {
        assert!(!stands_in(page, &events_of(unknown, "mycelium::link")[0]), "the check would notice");
    }
}

/// Whether `text` has this word.
fn has_word(text: &str, word: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(inner) && !text[at + word.len()..].starts_with(inner))
}

/// Whether some source declares the type, and none of those gives it this member.
fn lacks(of: &str, member: &str, code: &[String]) -> bool {
    let declares = |text: &&String| {
        ["struct", "enum", "trait", "type"].iter().any(|kind| has_word(text, &format!("{kind} {of}")))
    };
    if !code.iter().any(|text| declares(&text)) {
        return false; // of another library
    }
    let is_variant = member.starts_with(char::is_uppercase);
    let has = |text: &&String| match is_variant {
        true => declares(text) && has_word(text, member),
        false => has_word(text, of) && has_word(text, member),
    };
    let is_constant = || code.iter().any(|text| has_word(text, &format!("const {member}")));
    !(code.iter().any(|text| has(&text)) || is_variant && is_constant())
}

/// What stands in backquotes as `Type::member`, also before a list of arguments.
fn members(page: &str) -> Vec<(&str, &str)> {
    let in_code = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = in_code.flat_map(|code| code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')));
    paths
        .filter_map(|path| {
            let (of, member) = path.trim_matches(':').rsplit_once("::")?;
            Some((of.rsplit("::").next()?, member))
        })
        .filter(|(of, member)| of.starts_with(char::is_uppercase) && !["", "default"].contains(member))
        .collect()
}

#[test]
fn each_member_that_a_page_names_is_there() {
    let files = read_sources(&workspace_root()).unwrap();
    let shipped = |file: &&SourceFile| file.is_rust() && file.path.contains("src/");
    let code: Vec<String> = files.iter().filter(shipped).map(|file| code_only(&file.text)).collect();
    // The one says what was there, the other what is there elsewhere.
    let others = ["CHANGELOG.md", "docs/coming-from.md"];
    let pages =
        files.iter().filter(|file| file.path.ends_with(".md") && !others.contains(&file.path.as_str()));
    let missing: Vec<String> = pages
        .flat_map(|page| members(&page.text).into_iter().map(move |named| (page, named)))
        .filter(|(_, (of, member))| lacks(of, member, &code))
        .map(|(page, (of, member))| format!("{}: {of}::{member}", page.path))
        .collect();
    assert!(missing.is_empty(), "pages name what is not there:\n{}", missing.join("\n"));
    assert_eq!(
        members("the `DeadLetterCause::Gone { n }` and `a::B::c(..)`"),
        [("DeadLetterCause", "Gone"), ("B", "c")]
    );
    assert!(lacks("DeadLetterCause", "Gone", &code), "the check would notice");
}
