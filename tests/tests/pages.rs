//! Pages name what is there.
#![forbid(unsafe_code)]

use mycelium_tests::layout::{SourceFile, code_only, first_column, read_sources, workspace_root};

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
