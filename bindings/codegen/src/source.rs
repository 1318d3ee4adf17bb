//! Text with indentation, for every language.

use std::fmt::Write;

#[derive(Default)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) indent: usize,
}

impl Source {
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            let _ = write!(self.text, "{:width$}{line}", "", width = self.indent * 4);
        }
        self.text.push('\n');
    }

    /// A line that opens a block; [`Source::close`] or [`Source::dedent`] ends it.
    pub(crate) fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.indent += 1;
    }

    pub(crate) fn close(&mut self, line: &str) {
        self.indent -= 1;
        self.line(line);
    }

    /// Ends a block of a language that has no word for it.
    pub(crate) fn dedent(&mut self) {
        self.indent -= 1;
    }
}

/// Marks that change the direction of text: compilers refuse them in comments.
pub(crate) fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A field's name, with a `_` behind it where the language needs that name itself.
pub(crate) fn unless_taken(name: &str, taken: &[&str]) -> String {
    let mark = if taken.contains(&name) { "_" } else { "" };
    format!("{name}{mark}")
}
