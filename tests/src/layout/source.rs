//! Reading the tree, and telling code from what merely talks about code.

use std::fs;
use std::io;
use std::path::Path;

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Relative to the workspace, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// The code that ships: comments and literals blanked, and the test module at the end cut off.
    pub fn shipped_code(&self) -> String {
        let code = code_only(&self.text);
        let starts = ["#[cfg(test)]\nmod ", "#[cfg(all(test, not(any(loom, shuttle))))]\nmod "];
        match starts.iter().filter_map(|start| code.find(start)).min() {
            Some(at) => code[..at].to_owned(),
            None => code,
        }
    }

    /// Whether this is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file lies in `folder` or is `folder` itself.
    pub fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Extensions of the files that are read; of templates with `.txt` behind.
const TEXT: &[&str] = &["c", "h", "md", "ml", "mli", "py", "pyi", "rs", "sh", "toml", "yaml"];

/// Folders that hold what was built, not what was written.
const BUILT: &[&str] = &["target", "out", "_build", "node_modules", "__pycache__", "corpus", "artifacts"];

/// Reads every text file below `root`, except hidden folders and those that are built.
///
/// # Errors
/// The first file or folder that cannot be read.
pub fn read_sources(root: &Path) -> io::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if !name.starts_with('.') && !BUILT.contains(&name.as_str()) {
                    open.push(path);
                }
            } else if is_text(&name) {
                let relative = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                files.push(SourceFile { path: relative, text: fs::read_to_string(&path)? });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_text(name: &str) -> bool {
    let ending = name.strip_suffix(".txt").unwrap_or(name).rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| TEXT.contains(&ending))
}

/// Rust text with comments, strings and characters replaced by spaces; lines stay where they are.
pub fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word_before = out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            quoted(rest, 0)
        } else if !word_before && let Some(length) = raw_or_byte_string(rest) {
            length
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of a comment that starts here; comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string whose quote is at `start`, escapes respected.
fn quoted(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at <= start) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"..."`, `r#"..."#`, `b"..."`, `c"..."` and their mixtures; `None` if none starts here.
fn raw_or_byte_string(text: &str) -> Option<usize> {
    let prefix = text.len() - text.trim_start_matches(['b', 'c', 'r']).len();
    let after = &text[prefix..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let raw = text[..prefix].contains('r');
    if prefix == 0 || prefix > 2 || !after[hashes..].starts_with('"') || (hashes > 0 && !raw) {
        return None;
    }
    if !raw {
        return Some(quoted(text, prefix));
    }
    let body = prefix + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[body..].find(&end).map_or(text.len(), |at| body + at + end.len()))
}

/// The length of a character literal, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left_and_lines_stay() {
        let rows = [
            ("a // unsafe\nb", "a          \nb"),
            ("a /* x /* y */ z */ b", "a                   b"),
            ("f(\"un\\\"safe\") ; g", "f(          ) ; g"),
            ("r#\"a\"b\"# + 1", "         + 1"),
            ("bar\"x\"", "bar   "),
            ("b'x' 'a 'static", "b    'a 'static"),
            ("'\\'' '\"' x", "         x"),
            ("b\"\\\"\" x", "      x"),
        ];
        for (text, expected) in rows {
            assert_eq!(code_only(text), expected, "{text}");
        }
    }
}
