//! What is wrong with a file, and where.

use std::fmt;
use std::ops::Range;

use crate::shown::shown;

/// A longer cause is told without its middle (letters).
const CAUSE_LETTERS_MAX: usize = 1_000;
/// Places are found by counting from the beginning of a block of so many bytes.
const BLOCK_BYTES: usize = 128;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong, and how to mend it. Control characters of the file are written as escapes, so that a
    /// terminal can show it.
    pub cause: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.cause)
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl Place {
    /// A mistake at this place.
    #[must_use]
    pub fn mistake(self, cause: impl Into<String>) -> Mistake {
        Mistake { line: self.line, column: self.column, cause: shortened(&shown(&cause.into())) }
    }
}

/// A text, and what stands before each of its blocks: every child of a tree knows its place, and a tree may
/// stand on one line.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    pub(crate) text: &'t str,
    blocks: Vec<Block>,
}

/// What stands before the first byte of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Ends of lines.
    lines: usize,
    /// The byte at which the line begins that reaches into the block.
    line_start: usize,
    /// Characters.
    letters: usize,
}

impl<'t> Source<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let mut before = Block::default();
        let mut blocks = vec![before];
        for (number, block) in text.as_bytes().chunks(BLOCK_BYTES).enumerate() {
            before.pass(number * BLOCK_BYTES, block);
            blocks.push(before);
        }
        Self { text, blocks }
    }

    /// A mistake at the beginning of `span`.
    pub(crate) fn mistake(&self, span: &Range<usize>, cause: impl Into<String>) -> Mistake {
        self.place(span).mistake(cause)
    }

    /// The beginning of `span`.
    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        let before = self.before(span.start);
        let line_start = self.before(before.line_start);
        Place { line: before.lines + 1, column: before.letters - line_start.letters + 1 }
    }

    /// What stands before a byte.
    fn before(&self, at: usize) -> Block {
        let at = at.min(self.text.len());
        let number = at / BLOCK_BYTES;
        let mut before = self.blocks.get(number).copied().unwrap_or_default();
        let start = number * BLOCK_BYTES;
        before.pass(start, &self.text.as_bytes()[start..at]);
        before
    }
}

impl Block {
    /// Goes on behind `bytes`, which begin at `start`.
    fn pass(&mut self, start: usize, bytes: &[u8]) {
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.letters += bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count();
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            self.line_start = start + end + 1;
        }
    }
}

/// A cause of usual length as it is, a longer one without its middle: files hold texts of any length, and a
/// message says what stands there.
fn shortened(cause: &str) -> String {
    let Some((head, _)) = cause.char_indices().nth(CAUSE_LETTERS_MAX) else { return cause.to_owned() };
    let half = cause.char_indices().nth(CAUSE_LETTERS_MAX / 2).map_or(head, |(at, _)| at);
    let tail = cause.char_indices().rev().nth(CAUSE_LETTERS_MAX / 2).map_or(head, |(at, _)| at);
    format!("{} [..] {}", &cause[..half], &cause[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_of_any_length_is_told_in_few_words() {
        let place = Place { line: 1, column: 1 };
        let most = "é".repeat(CAUSE_LETTERS_MAX);
        assert_eq!(place.mistake(most.as_str()).cause, most);
        let cause = place.mistake(format!("no child `{most}`; did you mean `a`?")).cause;
        assert!(cause.starts_with("no child `é") && cause.ends_with("é`; did you mean `a`?"), "{cause}");
        assert!(cause.chars().count() < CAUSE_LETTERS_MAX + 10, "{cause}");
    }

    #[test]
    fn a_mistake_counts_lines_and_columns_from_one() {
        let source = Source::new("a = 1\nü = 2\n");
        let at = |start| {
            let mistake = source.mistake(&(start..start), "bad");
            (mistake.line, mistake.column)
        };
        assert_eq!([at(0), at(5), at(6), at(11)], [(1, 1), (1, 6), (2, 1), (2, 5)]);
        assert_eq!([at(13), at(99)], [(3, 1), (3, 1)], "the end of the text, and past it");
    }

    /// Against a count from the beginning of the text.
    #[test]
    fn places_in_long_lines_and_across_blocks() {
        let texts = [
            "ü\n".repeat(2_000),
            "aü".repeat(2_000) + "\nb",
            "\n".repeat(BLOCK_BYTES * 2),
            "x".repeat(BLOCK_BYTES),
        ];
        for text in &texts {
            let source = Source::new(text);
            for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
                let before = &text[..at];
                let line_start = before.rfind('\n').map_or(0, |end| end + 1);
                let place = source.place(&(at..at));
                assert_eq!(place.line, before.matches('\n').count() + 1, "{at}");
                assert_eq!(place.column, before[line_start..].chars().count() + 1, "{at}");
            }
        }
    }

    #[test]
    fn what_steers_a_terminal_is_shown_as_an_escape() {
        let cause = Place { line: 1, column: 1 }.mistake("a\u{1b}[2J\u{7}\nb\u{9b}\u{202e}ü`\t`").cause;
        assert_eq!(cause, "a\\u{1b}[2J\\u{7}\\nb\\u{9b}\\u{202e}ü`\\t`");
    }
}
