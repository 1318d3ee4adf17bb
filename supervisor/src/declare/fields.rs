//! Reading a TOML table key by key, so that every mistake has a line.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Suggestions differ from what was written by at most this many letters.
const TYPOS_MAX: usize = 3;
/// A longer cause is told without its middle (letters).
const CAUSE_LETTERS_MAX: usize = 1_000;
/// The longest time that a file may name: 100 years.
const MILLISECONDS_MAX: f64 = 100.0 * 365.25 * 86_400_000.0;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong, and how to mend it.
    pub cause: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.cause)
    }
}

/// The text that spans point into, and where its lines begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'t> {
    pub(super) text: &'t str,
    lines: &'t [usize],
}

/// Where each line of a text begins, in bytes: what [`Source::new`] asks for.
pub(crate) fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
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
        Mistake { line: self.line, column: self.column, cause: shortened(cause.into()) }
    }
}

impl<'t> Source<'t> {
    /// A text with the beginnings of its lines, which [`line_starts`] finds once: every child of a tree knows its place,
    /// and none of them counts lines.
    pub(crate) fn new(text: &'t str, lines: &'t [usize]) -> Self {
        Self { text, lines }
    }

    /// A mistake at the beginning of `span`.
    pub(crate) fn mistake(self, span: &Range<usize>, cause: impl Into<String>) -> Mistake {
        self.place(span).mistake(cause)
    }

    /// The beginning of `span`.
    pub(crate) fn place(self, span: &Range<usize>) -> Place {
        let at = span.start.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let before = self.lines.get(line - 1).and_then(|start| self.text.get(*start..at));
        let column = before.map_or(0, |text| text.chars().count()) + 1;
        Place { line, column }
    }
}

/// One table, and what messages call it.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'t, 'i> {
    /// The text it comes from.
    pub(crate) source: Source<'t>,
    table: &'t DeTable<'i>,
    /// Where it stands.
    pub(crate) span: Range<usize>,
    what: &'static str,
}

impl<'t, 'i> Fields<'t, 'i> {
    /// A table in which only `known` keys may stand.
    ///
    /// # Errors
    /// It is no table, or another key stands there.
    pub(crate) fn new(
        source: Source<'t>,
        value: &'t Spanned<DeValue<'i>>,
        what: &'static str,
        known: &[&str],
    ) -> Result<Self, Mistake> {
        let DeValue::Table(table) = value.get_ref() else {
            let found = value.get_ref().type_str();
            return Err(source.mistake(&value.span(), format!("{what} must be a table, not {found}")));
        };
        let fields = Self { source, table, span: value.span(), what };
        fields.only(known)?;
        Ok(fields)
    }

    /// The whole document, which messages call `what`.
    ///
    /// # Errors
    /// Another key stands there.
    pub(crate) fn document(
        source: Source<'t>,
        table: &'t Spanned<DeTable<'i>>,
        what: &'static str,
        known: &[&str],
    ) -> Result<Self, Mistake> {
        let fields = Self { source, table: table.get_ref(), span: 0..0, what };
        fields.only(known)?;
        Ok(fields)
    }

    /// Refuses the first key that is not known.
    ///
    /// # Errors
    /// That key, and what may be meant.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Mistake> {
        let unknown = self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref()));
        let Some((key, _)) = unknown.min_by_key(|(key, _)| key.span().start) else { return Ok(()) };
        let hint = suggestion(key.get_ref(), known.iter().copied());
        let hint = hint.unwrap_or_else(|| format!("; known keys: {}", known.join(", ")));
        let cause = format!("unknown key `{}` in {}{hint}", key.get_ref(), self.what);
        Err(self.source.mistake(&key.span(), cause))
    }

    /// The value of `key`, if it stands there.
    pub(crate) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// It is missing.
    pub(crate) fn require(&self, key: &str) -> Result<&'t Spanned<DeValue<'i>>, Mistake> {
        self.get(key).ok_or_else(|| self.missing(key))
    }

    /// The mistake that `key` is missing.
    pub(crate) fn missing(&self, key: &str) -> Mistake {
        self.source.mistake(&self.span, format!("`{key}` is missing in {}", self.what))
    }

    /// A mistake in the value of `key`, or in the table when there is none.
    pub(crate) fn wrong(&self, key: &str, cause: impl Into<String>) -> Mistake {
        let span = self.get(key).map_or(self.span.clone(), Spanned::span);
        self.source.mistake(&span, cause)
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn string(&self, key: &str) -> Result<Option<&'t str>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) => Ok(Some(text)),
            other => Err(self.wrong(key, format!("`{key}` must be a string, not {}", other.type_str()))),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(value) => Ok(Some(*value)),
            other => Err(self.wrong(key, format!("`{key}` must be true or false, not {}", other.type_str()))),
        }
    }

    /// A whole number of at least zero.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn count(&self, key: &str) -> Result<Option<u32>, Mistake> {
        self.get(key).map(|value| count(self.source, key, value)).transpose()
    }

    /// A list of whole numbers; empty if it does not stand there.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn counts(&self, key: &str) -> Result<Vec<u32>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(list) = value.get_ref() else {
            let found = value.get_ref().type_str();
            return Err(
                self.wrong(key, format!("`{key}` must be a list of numbers such as [2], not {found}"))
            );
        };
        list.iter().map(|value| count(self.source, key, value)).collect()
    }

    /// A finite number.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64)
            }
            DeValue::Float(number) => number.as_str().parse().ok(),
            other => {
                return Err(self.wrong(key, format!("`{key}` must be a number, not {}", other.type_str())));
            }
        };
        match number {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong(key, format!("`{key}` is not a number that can be used"))),
        }
    }

    /// A time of at least zero, in units of so many milliseconds.
    ///
    /// # Errors
    /// It is something else, or too long.
    pub(crate) fn time(&self, key: &str, unit_ms: f64) -> Result<Option<Duration>, Mistake> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        if number < 0.0 {
            return Err(self.wrong(key, format!("`{key}` is {number}, it must not be negative")));
        }
        if number * unit_ms > MILLISECONDS_MAX {
            return Err(self.wrong(key, format!("`{key}` is {number}, that is more than 100 years")));
        }
        // Whole nanoseconds, so that 0.1 means 0.1.
        Ok(Some(Duration::from_nanos((number * unit_ms * 1e6).round() as u64)))
    }

    /// One of the words of a list, as the value it stands for.
    ///
    /// # Errors
    /// It is something else; the words are named.
    pub(crate) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        let Some(text) = self.string(key)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*value));
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = suggestion(text, names.iter().copied()).unwrap_or_default();
        Err(self.wrong(key, format!("`{key}` is \"{text}\", it must be one of {}{hint}", names.join(", "))))
    }

    /// A list of texts; `None` if it does not stand there.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn strings(&self, key: &str) -> Result<Option<Vec<String>>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let DeValue::Array(list) = value.get_ref() else {
            let found = value.get_ref().type_str();
            let cause = format!("`{key}` must be a list of strings such as [\"a\", \"b\"], not {found}");
            return Err(self.wrong(key, cause));
        };
        let texts = list.iter().map(|value| text(self.source, &format!("an entry of `{key}`"), value));
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// A table of texts, by name; empty if it does not stand there.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<(String, String)>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let DeValue::Table(table) = value.get_ref() else {
            let found = value.get_ref().type_str();
            let cause = format!("`{key}` must be a table such as {{ NAME = \"value\" }}, not {found}");
            return Err(self.wrong(key, cause));
        };
        let entry = |(name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let what = format!("`{}` in `{key}`", name.get_ref());
            Ok((name.get_ref().to_string(), text(self.source, &what, value)?))
        };
        table.iter().map(entry).collect()
    }

    /// A list of tables; empty if it does not stand there.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn list(&self, key: &str) -> Result<&'t [Spanned<DeValue<'i>>], Mistake> {
        let Some(value) = self.get(key) else { return Ok(&[]) };
        match value.get_ref() {
            DeValue::Array(list) => Ok(list),
            other => {
                Err(self.wrong(key, format!("`{key}` must be a list of tables, not {}", other.type_str())))
            }
        }
    }
}

fn text(source: Source<'_>, what: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Mistake> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        other => {
            let cause = format!("{what} must be a string in quotes, not {}", other.type_str());
            Err(source.mistake(&value.span(), cause))
        }
    }
}

fn count(source: Source<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Result<u32, Mistake> {
    let DeValue::Integer(number) = value.get_ref() else {
        let found = value.get_ref().type_str();
        return Err(source.mistake(&value.span(), format!("`{key}` takes whole numbers, not {found}")));
    };
    u32::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
        let cause = format!("`{key}` is {number}, it must lie between 0 and {}", u32::MAX);
        source.mistake(&value.span(), cause)
    })
}

/// The nearest of `known`, as the end of a message, if one is near. Takes time that grows with the length of all words.
#[must_use]
pub fn suggestion<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let written: Vec<char> = written.chars().collect();
    let allowed = TYPOS_MAX.min(written.len() / 2).max(1);
    let near = known.filter_map(|word| Some((distance(&written, word, allowed)?, word)));
    let (_, nearest) = near.min()?;
    Some(format!("; did you mean `{nearest}`?"))
}

/// How many letters must be added, removed or replaced to turn one word into the other, if that are at most `most`.
fn distance(from: &[char], to: &str, most: usize) -> Option<usize> {
    let to: Vec<char> = to.chars().collect();
    if from.len().abs_diff(to.len()) > most {
        return None;
    }
    let far = most + 1;
    let mut row: Vec<usize> = (0..=to.len()).map(|letters| letters.min(far)).collect();
    for (i, letter) in from.iter().enumerate() {
        // What lies further from the diagonal than `most` costs more than that.
        let (first, end) = (i.saturating_sub(most), (i + far).min(to.len()));
        let mut diagonal = row[first];
        row[first] = if first == 0 { far.min(i + 1) } else { far };
        for j in first..end {
            let replaced = diagonal + usize::from(*letter != to[j]);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1).min(far);
        }
    }
    Some(row[to.len()]).filter(|letters| *letters <= most)
}

/// A cause of usual length as it is, a longer one without its middle: files hold texts of any length, and a message says what
/// stands there.
fn shortened(cause: String) -> String {
    let Some((head, _)) = cause.char_indices().nth(CAUSE_LETTERS_MAX) else { return cause };
    let half = cause.char_indices().nth(CAUSE_LETTERS_MAX / 2).map_or(head, |(at, _)| at);
    let tail = cause.char_indices().rev().nth(CAUSE_LETTERS_MAX / 2).map_or(head, |(at, _)| at);
    format!("{} [..] {}", &cause[..half], &cause[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested() {
        let words = ["intensity", "period_s", "strategy"];
        assert_eq!(suggestion("stratgy", words.into_iter()), Some("; did you mean `strategy`?".to_owned()));
        assert_eq!(suggestion("zzz", words.into_iter()), None);
    }

    #[test]
    fn distances_up_to_a_limit() {
        let near = |from: &str, to: &str, most| distance(&from.chars().collect::<Vec<_>>(), to, most);
        for (from, to, letters) in [
            ("", "", 0),
            ("", "ab", 2),
            ("feed", "feed", 0),
            ("feed", "fed", 1),
            ("fed", "feed", 1),
            ("feed", "fede", 2),
            ("kitten", "sitting", 3),
            ("abcdef", "defabc", 6),
        ] {
            assert_eq!(near(from, to, 9), Some(letters), "{from} {to}");
            assert_eq!(near(from, to, letters), Some(letters), "{from} {to}");
            if letters > 0 {
                assert_eq!(near(from, to, letters - 1), None, "{from} {to}");
            }
        }
    }

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
        let text = "a = 1\nü = 2\n";
        let lines = line_starts(text);
        let at = |start| {
            let mistake = Source::new(text, &lines).mistake(&(start..start), "bad");
            (mistake.line, mistake.column)
        };
        assert_eq!([at(0), at(5), at(6), at(11)], [(1, 1), (1, 6), (2, 1), (2, 5)]);
        assert_eq!([at(13), at(99)], [(3, 1), (3, 1)], "the end of the text, and past it");
    }
}
