//! Pages name what is there.
#![forbid(unsafe_code)]

use mycelium_tests::layout::{SourceFile, code_only, read_sources, workspace_root};

/// The names in the first column of a page's tables: `Type`, `Type::method` or `#[attribute]`.
fn first_column(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

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
