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

/// What tools write: a header, and the module of a contract that an example shows.
const WRITTEN_BY_TOOLS: &[&str] =
    &["/generated/", "bindings/ffi/include/mycelium.h", "examples/polyglot/python/messages/"];

/// Invariant 13: no comment is too wide, in whatever language. Code and pictures in documentation may be, and
/// tables, which cannot be broken.
pub fn check_comments(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| !WRITTEN_BY_TOOLS.iter().any(|path| file.path.contains(path))) {
        let Some(notation) = notation(&file.path) else { continue };
        let (mut code, mut inside) = (false, Inside::default());
        for (number, line) in file.text.lines().enumerate() {
            let Some(comment) = notation.comment(line, &mut inside) else {
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

/// How a language writes comments.
struct Notation {
    /// Before a comment that ends with its line.
    line: &'static str,
    /// Around one of several lines.
    around: Option<(&'static str, &'static str)>,
}

/// Between which marks a line lies that began before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    Comment,
    /// A text of several lines, which Python marks as it does documentation.
    Text,
}

impl Notation {
    /// The text of a line that is a comment and nothing else.
    fn comment<'a>(&self, line: &'a str, inside: &mut Inside) -> Option<&'a str> {
        let text = line.trim_start();
        if let Some((open, close)) = self.around {
            let was = *inside;
            let opens = was == Inside::Nothing && text.starts_with(open);
            let rest = if opens { &text[open.len()..] } else { text };
            let goes_on = match was {
                Inside::Nothing if opens => !rest.contains(close),
                Inside::Nothing => open == close && text.matches(open).count() % 2 == 1,
                _ => !rest.contains(close),
            };
            *inside = match was {
                _ if !goes_on => Inside::Nothing,
                Inside::Nothing if opens => Inside::Comment,
                Inside::Nothing => Inside::Text,
                was => was,
            };
            if opens || was == Inside::Comment {
                return Some(rest.trim());
            }
            if was == Inside::Text {
                return None;
            }
        }
        let text = text.strip_prefix(self.line).filter(|_| !self.line.is_empty())?;
        Some(text.trim_start_matches(['/', '!']).trim())
    }
}

/// The comments of a file; `None`: it has none.
fn notation(path: &str) -> Option<Notation> {
    let (_, ending) = path.strip_suffix(".txt").unwrap_or(path).rsplit_once('.')?;
    let (line, around) = match ending {
        "rs" => ("//", None),
        "c" | "h" => ("//", Some(("/*", "*/"))),
        "ml" | "mli" => ("", Some(("(*", "*)"))),
        "py" | "pyi" => ("#", Some(("\"\"\"", "\"\"\""))),
        "sh" | "toml" | "yaml" => ("#", None),
        _ => return None,
    };
    Some(Notation { line, around })
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
        let comment = |path: &str, line: &'static str| {
            let mut inside = Inside::default();
            let said = notation(path).and_then(|notation| notation.comment(line, &mut inside));
            (said, inside)
        };
        assert_eq!(comment("a.rs", "    /// What."), (Some("What."), Inside::Nothing));
        assert_eq!(comment("a.rs.txt", "//! | a |"), (Some("| a |"), Inside::Nothing));
        assert_eq!(comment("a.rs", "let a = 1; // one"), (None, Inside::Nothing));
        assert_eq!(comment("a.py", "    # What."), (Some("What."), Inside::Nothing));
        assert_eq!(comment("a.py", "\"\"\"What it is,"), (Some("What it is,"), Inside::Comment));
        assert_eq!(comment("a.py", "\"\"\"What.\"\"\""), (Some("What.\"\"\""), Inside::Nothing));
        assert_eq!(comment("a.mli", "(** What it is,"), (Some("* What it is,"), Inside::Comment));
        assert_eq!(comment("a.c", "/* What. */"), (Some("What. */"), Inside::Nothing));
        assert_eq!(comment("a.ml", "let a = 1 (* one *)"), (None, Inside::Nothing));
        assert_eq!(comment("a.py", "TEXT = \"\"\""), (None, Inside::Text));
        assert_eq!(comment("a.md", "# What"), (None, Inside::Nothing));
    }
}
