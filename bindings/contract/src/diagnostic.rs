//! Errors as users read them: code, place, the line with a caret, cause and remedy.

use std::fmt;

use crate::{Code, Pos};

/// At most this many mistakes are reported of one file; the rest are counted.
pub const DIAGNOSTICS_MAX: usize = 50;

/// At most this many characters of a source line are shown.
const SHOWN_CHARS_MAX: usize = 120;

/// One mistake in a contract file.
///
/// `Display` writes several lines for a terminal, without colour and without a final line end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// The file as it was named to [`Contract::parse`](crate::Contract::parse).
    pub file: String,
    /// Where it begins. Line 0 when the mistake is the file itself.
    pub at: Pos,
    /// How many characters are meant, at least 1.
    pub length: u32,
    /// The text of that line, without control characters; may be empty.
    pub source: String,
    /// What is wrong.
    pub cause: String,
    /// How to mend it; may be empty.
    pub remedy: String,
}

// By hand and not with `annotate-snippets`: a diagnostic keeps its own line, cut to a bound, and no
// source, which that crate would need; these are its twenty lines.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.cause)?;
        if self.at.line == 0 {
            write!(f, " --> {}", self.file)?;
        } else {
            let number = self.at.line.to_string();
            let gutter = " ".repeat(number.len());
            writeln!(f, "{gutter}--> {}:{}:{}", self.file, self.at.line, self.at.column)?;
            let (shown, caret, marks) = window(&self.source, self.at.column, self.length);
            writeln!(f, "{gutter} |\n{number} | {shown}")?;
            write!(f, "{gutter} | {}{}", " ".repeat(caret), "^".repeat(marks))?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n  = help: {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Cuts a long line around the column; gives the text, the caret's offset in it and the number of carets.
fn window(source: &str, column: u32, length: u32) -> (String, usize, usize) {
    let column = usize::try_from(column.max(1)).unwrap_or(1) - 1;
    let total = source.chars().count();
    let from = if total <= SHOWN_CHARS_MAX { 0 } else { column.saturating_sub(SHOWN_CHARS_MAX / 2) };
    let shown: String = source.chars().skip(from).take(SHOWN_CHARS_MAX).collect();
    let caret = (column - from.min(column)).min(SHOWN_CHARS_MAX);
    let room = shown.chars().count().saturating_sub(caret).max(1);
    (shown, caret, usize::try_from(length.max(1)).unwrap_or(1).min(room))
}

/// All that is wrong with a contract file: at least one [`Diagnostic`], in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    list: Vec<Diagnostic>,
    omitted: usize,
}

impl Errors {
    /// The mistakes, at most [`DIAGNOSTICS_MAX`].
    #[must_use]
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// How many more there are than [`Errors::list`] holds.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// One mistake that concerns the file as a whole.
    pub(crate) fn of_file(code: Code, file: &str, cause: String, remedy: &str) -> Errors {
        Errors::at(code, "", file, Pos::default(), cause, remedy)
    }

    /// One mistake at a place.
    pub(crate) fn at(code: Code, text: &str, file: &str, at: Pos, cause: String, remedy: &str) -> Errors {
        let mut report = Report::new(text, file);
        report.add(code, Span { at, length: 1 }, cause, remedy);
        report.errors
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n\n{} more mistakes are not shown", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// A place in the file with the number of characters meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) at: Pos,
    pub(crate) length: u32,
}

/// Collects mistakes while a file is checked.
pub(crate) struct Report<'a> {
    text: &'a str,
    errors: Errors,
    file: &'a str,
}

impl<'a> Report<'a> {
    pub(crate) fn new(text: &'a str, file: &'a str) -> Self {
        Report { text, file, errors: Errors { list: Vec::new(), omitted: 0 } }
    }

    pub(crate) fn add(
        &mut self,
        code: Code,
        span: Span,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.is_full() {
            self.errors.omitted += 1;
            return;
        }
        let source = match usize::try_from(span.at.line) {
            Ok(line) if line > 0 => self.text.lines().nth(line - 1).unwrap_or_default(),
            _ => "",
        };
        self.errors.list.push(Diagnostic {
            code,
            file: self.file.to_owned(),
            at: span.at,
            length: span.length.max(1),
            source: source.chars().map(printable).collect(),
            cause: cause.into().chars().map(printable).collect(),
            remedy: remedy.into().chars().map(printable).collect(),
        });
    }

    /// What was reported; for a reader that knows that something was.
    pub(crate) fn into_errors(self) -> Errors {
        self.errors
    }

    /// Whether further mistakes are only counted: then nothing should be spent on their wording.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.list.len() == DIAGNOSTICS_MAX
    }

    pub(crate) fn count(&self) -> usize {
        self.errors.list.len() + self.errors.omitted
    }

    /// `Ok(value)` when nothing was reported.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<T, Errors> {
        if self.errors.list.is_empty() {
            return Ok(value);
        }
        self.errors.list.sort_by_key(|d| d.at);
        Err(self.errors)
    }
}

/// A blank for what would move the cursor, hide or reorder text on a terminal.
pub(crate) fn printable(c: char) -> char {
    let invisible = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if invisible || c.is_control() { ' ' } else { c }
}

const CANDIDATE_BYTES_MAX: usize = 256;

/// "did you mean" over the words that would be right here; `None` when none is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = clip(word).to_lowercase();
    let near = word.chars().count().div_ceil(3).max(1);
    // No word in use is longer, and comparing takes the product of both lengths.
    let comparable = |candidate: &&str| candidate.len() <= CANDIDATE_BYTES_MAX;
    let edits = |candidate: &'a str| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate);
    let (edits, nearest) = known.into_iter().filter(comparable).map(edits).min_by_key(|(edits, _)| *edits)?;
    (edits <= near).then_some(nearest)
}

/// At most the first 64 characters: what hostile text may cost in a message.
pub(crate) fn clip(text: &str) -> String {
    const CLIP_CHARS_MAX: usize = 64;
    let mut clipped: String = text.chars().take(CLIP_CHARS_MAX).map(printable).collect();
    if text.chars().nth(CLIP_CHARS_MAX).is_some() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["tlv_type", "topic", "domain", "version"];
        assert_eq!(did_you_mean("tvl_type", keys), Some("tlv_type"));
        assert_eq!(did_you_mean("tlvtype", keys), Some("tlv_type"));
        assert_eq!(did_you_mean("Version", keys), Some("version"));
        assert_eq!(did_you_mean("colour", keys), None);
        assert_eq!(did_you_mean("", keys), None);
    }

    #[test]
    fn the_caret_stands_under_its_column_even_in_a_long_line() {
        let long = format!("{}here", "x".repeat(5000));
        let (shown, caret, marks) = window(&long, 5001, 4);
        assert_eq!(&shown[caret..caret + marks], "here");
        assert_eq!(window("abc", 9, 5).2, 1);
    }
}
