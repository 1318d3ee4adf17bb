//! Invariants over how the text reads: the width of comments, and one thing to a name.

use std::collections::BTreeMap;

use super::Fault;
use super::source::SourceFile;

/// How wide a comment may be, in columns.
const COMMENT_COLUMNS_MAX: usize = 110;

/// Crates whose types have one name each: the folder of each.
const CRATES: &[&str] = &[
    "mailbox/src",
    "supervisor/src",
    "remote/src",
    "actors/src",
    "actors/macros/src",
    "bindings/contract/src",
    "bindings/codegen/src",
    "bindings/hosted/src",
    "bindings/ffi/src",
    "bindings/ocaml/build/src",
    "bindings/ocaml/host/src",
    "bindings/python/src",
    "cli/src",
    "toml/src",
    "xtask/src",
    "examples/backtest/src",
];

/// Files whose types stand in for those of another file, in a model or on another platform.
const STAND_INS: &[&str] =
    &["actors/src/models", "actors/src/rt", "actors/src/sync.rs", "mailbox/src/sync.rs"];

/// Invariant 13: no comment is too wide. Code and pictures in documentation may be, and tables, which cannot
/// be broken.
pub fn check_comments(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !file.path.contains("/generated/")) {
        let mut code = false;
        for (number, line) in file.text.lines().enumerate() {
            let Some(comment) = comment(line) else {
                code = false;
                continue;
            };
            code ^= comment.starts_with("```");
            let exempt = code || comment.starts_with('|') || comment.contains("://") || comment.contains('─');
            let columns = line.chars().count();
            if columns > COMMENT_COLUMNS_MAX && !exempt {
                let what = format!("a comment of {columns} columns; break it at {COMMENT_COLUMNS_MAX}");
                faults.push(Fault::new(13, format!("{}:{}", file.path, number + 1), what));
            }
        }
    }
    faults
}

/// The text of a line that is a comment and nothing else.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

/// Invariant 17: within a crate, no two files call a type by the same name.
pub fn check_names(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for folder in CRATES {
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in files.iter().filter(|file| file.is_rust() && file.is_in(folder)) {
            if STAND_INS.iter().any(|stand_in| file.path.starts_with(stand_in)) {
                continue;
            }
            let code = file.shipped_code();
            for (number, name) in code.lines().enumerate().filter_map(|(n, line)| Some((n, type_name(line)?)))
            {
                named.entry(name.to_owned()).or_default().push(format!("{}:{}", file.path, number + 1));
            }
        }
        for (name, places) in named {
            let files: std::collections::BTreeSet<&str> =
                places.iter().filter_map(|place| place.split(':').next()).collect();
            if files.len() > 1 {
                let others = places[1..].join(", ");
                let what = format!("`{name}` is also at {others}: call each what it is");
                faults.push(Fault::new(17, &places[0], what));
            }
        }
    }
    faults
}

/// The name that a line at the outermost level gives to a type.
fn type_name(line: &str) -> Option<&str> {
    let mut rest = line;
    if let Some(public) = rest.strip_prefix("pub") {
        rest = match public.strip_prefix('(') {
            Some(scoped) => scoped.split_once(") ")?.1,
            None => public.strip_prefix(' ')?,
        };
    }
    let kinds = ["struct ", "enum ", "trait ", "type ", "union ", "unsafe trait "];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
    Some(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_at_the_outermost_level() {
        assert_eq!(type_name("pub(crate) struct Seat<A> {"), Some("Seat"));
        assert_eq!(type_name("pub enum Kind {"), Some("Kind"));
        assert_eq!(type_name("type Backlog = Vec<u8>;"), Some("Backlog"));
        assert_eq!(type_name("    type Error = E;"), None);
        assert_eq!(type_name("public struct"), None);
    }

    #[test]
    fn comments_are_told_from_code() {
        assert_eq!(comment("    /// What."), Some("What."));
        assert_eq!(comment("//! | a |"), Some("| a |"));
        assert_eq!(comment("let a = 1; // one"), None);
    }
}
