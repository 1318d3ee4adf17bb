//! Reading a TOML table key by key, so that every mistake has a line.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::place::{Mistake, Place};
use crate::syntax::{Content, Document, Value};

/// Suggestions differ from what was written by at most this many letters.
const TYPOS_MAX: usize = 3;
/// The longest time that a file may name: 100 years.
const MILLISECONDS_MAX: f64 = 100.0 * 365.25 * 86_400_000.0;

/// One table, and what messages call it.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'t> {
    table: Value<'t>,
    what: &'static str,
}

impl<'t> Fields<'t> {
    /// A table in which only `known` keys may stand.
    ///
    /// # Errors
    /// It is no table, or another key stands there.
    pub fn new(table: Value<'t>, what: &'static str, known: &[&str]) -> Result<Self, Mistake> {
        let fields = Self { table, what };
        let Content::Table(_) = table.content() else {
            return Err(table.mistake(format!("{what} must be a table, not {}", table.type_name())));
        };
        fields.only(known)?;
        Ok(fields)
    }

    /// The whole document, which messages call `what`.
    ///
    /// # Errors
    /// Another key stands there.
    pub fn document(document: &'t Document<'t>, what: &'static str, known: &[&str]) -> Result<Self, Mistake> {
        Self::new(document.root(), what, known)
    }

    /// Refuses the first key that is not known.
    ///
    /// # Errors
    /// That key, and what may be meant.
    fn only(&self, known: &[&str]) -> Result<(), Mistake> {
        let Content::Table(values) = self.table.content() else { return Ok(()) };
        let unknown = values.filter(|value| !known.contains(&&*value.key()));
        let Some(value) = unknown.min_by_key(|value| value.key_span().start) else { return Ok(()) };
        let key = value.key();
        let hint = suggestion(&key, known.iter().copied());
        let hint = hint.unwrap_or_else(|| format!("; known keys: {}", known.join(", ")));
        Err(value.key_mistake(format!("unknown key `{key}` in {}{hint}", self.what)))
    }

    /// The table itself.
    pub fn table(&self) -> Value<'t> {
        self.table
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.table.place()
    }

    /// The value of `key`, if it stands there.
    pub fn get(&self, key: &str) -> Option<Value<'t>> {
        self.table.get(key)
    }

    /// Whether `key` stands there.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// It is missing.
    pub fn require(&self, key: &str) -> Result<Value<'t>, Mistake> {
        self.get(key).ok_or_else(|| self.missing(key))
    }

    /// The mistake that `key` is missing.
    pub fn missing(&self, key: &str) -> Mistake {
        self.table.mistake(format!("`{key}` is missing in {}", self.what))
    }

    /// A mistake in the value of `key`, or in the table when there is none.
    pub fn wrong(&self, key: &str, cause: impl Into<String>) -> Mistake {
        self.get(key).unwrap_or(self.table).mistake(cause)
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub fn string(&self, key: &str) -> Result<Option<Cow<'t, str>>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.content() {
            Content::Text(text) => Ok(Some(text)),
            _ => Err(value.mistake(format!("`{key}` must be a string, not {}", value.type_name()))),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// It is something else.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.content() {
            Content::Boolean(value) => Ok(Some(value)),
            _ => Err(value.mistake(format!("`{key}` must be true or false, not {}", value.type_name()))),
        }
    }

    /// A whole number of `range`. `least_means`: what messages say of the least one.
    ///
    /// # Errors
    /// It is something else.
    pub fn count(
        &self,
        key: &str,
        range: RangeInclusive<u32>,
        least_means: &str,
    ) -> Result<Option<u32>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match whole(key, value)? {
            Some(count) if range.contains(&count) => Ok(Some(count)),
            _ => {
                let (written, least, most) = (value.written(), range.start(), range.end());
                let cause =
                    format!("`{key}` is {written}, it must lie between {least}{least_means} and {most}");
                Err(value.mistake(cause))
            }
        }
    }

    /// A finite number.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = match value.content() {
            Content::Integer(number) => {
                i64::from_str_radix(&number.digits, number.radix).ok().map(|n| n as f64)
            }
            Content::Float(number) => number.digits.parse().ok(),
            _ => return Err(value.mistake(format!("`{key}` must be a number, not {}", value.type_name()))),
        };
        match number {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => {
                Err(value
                    .mistake(format!("`{key}` is {}, that is no number that can be used", value.written())))
            }
        }
    }

    /// A time of at least zero, in units of so many milliseconds.
    ///
    /// # Errors
    /// It is something else, or too long.
    pub fn time(&self, key: &str, unit_ms: f64) -> Result<Option<Duration>, Mistake> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        duration(number, unit_ms).map(Some).map_err(|what| {
            let written = self.get(key).map(Value::written).unwrap_or_default();
            self.wrong(key, format!("`{key}` is {written}, {what}"))
        })
    }

    /// One of the words of a list, as the value it stands for.
    ///
    /// # Errors
    /// It is something else; the words are named.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        let Some(text) = self.string(key)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*value));
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = suggestion(&text, names.iter().copied()).unwrap_or_default();
        Err(self.wrong(key, format!("`{key}` is \"{text}\", it must be one of {}{hint}", names.join(", "))))
    }

    /// A list of texts; `None` if it does not stand there.
    ///
    /// # Errors
    /// It is something else.
    pub fn strings(&self, key: &str) -> Result<Option<Vec<String>>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let Content::Array(values) = value.content() else {
            let found = value.type_name();
            let cause = format!("`{key}` must be a list of strings such as [\"a\", \"b\"], not {found}");
            return Err(value.mistake(cause));
        };
        values.map(|value| text(&format!("an entry of `{key}`"), value)).collect::<Result<_, _>>().map(Some)
    }

    /// A table of texts, by name; empty if it does not stand there.
    ///
    /// # Errors
    /// It is something else.
    pub fn texts(&self, key: &str) -> Result<Vec<(String, String)>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let Content::Table(values) = value.content() else {
            let found = value.type_name();
            return Err(
                value.mistake(format!("`{key}` must be a table such as {{ NAME = \"value\" }}, not {found}"))
            );
        };
        let entry = |value: Value<'t>| {
            let name = value.key();
            Ok((name.clone().into_owned(), text(&format!("`{name}` in `{key}`"), value)?))
        };
        values.map(entry).collect()
    }

    /// A list of at most `most` tables; empty if it does not stand there.
    ///
    /// # Errors
    /// It is something else, or longer.
    pub fn list(&self, key: &str, most: usize) -> Result<impl Iterator<Item = Value<'t>> + use<'t>, Mistake> {
        self.array(key, most, "a list of tables")
    }

    /// The entries of a list of at most `most`; none if it does not stand there. Messages say that it must be
    /// `what`.
    ///
    /// # Errors
    /// It is no list, or a longer one.
    pub fn array(
        &self,
        key: &str,
        most: usize,
        what: &str,
    ) -> Result<impl Iterator<Item = Value<'t>> + use<'t>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None.into_iter().flatten()) };
        match value.content() {
            Content::Array(_) if value.len() > most => {
                Err(value.mistake(format!("`{key}` has {} entries, it may have {most}", value.len())))
            }
            Content::Array(values) => Ok(Some(values).into_iter().flatten()),
            _ => Err(value.mistake(format!("`{key}` must be {what}, not {}", value.type_name()))),
        }
    }
}

fn text(what: &str, value: Value<'_>) -> Result<String, Mistake> {
    match value.content() {
        Content::Text(text) => Ok(text.into_owned()),
        _ => Err(value.mistake(format!("{what} must be a string in quotes, not {}", value.type_name()))),
    }
}

/// A whole number; `None` if it is below 0 or too large.
///
/// # Errors
/// It is something else.
pub fn whole(key: &str, value: Value<'_>) -> Result<Option<u32>, Mistake> {
    let Content::Integer(number) = value.content() else {
        return Err(value.mistake(format!("`{key}` takes whole numbers, not {}", value.type_name())));
    };
    Ok(u32::from_str_radix(&number.digits, number.radix).ok())
}

/// A time of so many units of so many milliseconds.
///
/// # Errors
/// What is wrong with the number: it is below zero, or too large.
pub fn duration(number: f64, unit_ms: f64) -> Result<Duration, &'static str> {
    if number < 0.0 {
        return Err("it must not be negative");
    }
    if number * unit_ms > MILLISECONDS_MAX {
        return Err("that is more than 100 years");
    }
    // Whole nanoseconds, so that 0.1 means 0.1.
    Ok(Duration::from_nanos((number * unit_ms * 1e6).round() as u64))
}

/// The longest word that is compared with others, in bytes.
const WORD_MAX: usize = 128;

/// The nearest of `known`, as the end of a message, if one is near. Takes time that grows with the length of
/// all words.
#[must_use]
pub fn suggestion<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let allowed = TYPOS_MAX.min(written.chars().count() / 2).max(1);
    let comparable = |word: &&str| word.len() <= WORD_MAX && written.len() <= WORD_MAX;
    let typos = |word: &'k str| (strsim::osa_distance(written, word), word);
    let near = known.filter(comparable).map(typos).filter(|(typos, _)| *typos <= allowed);
    let (_, nearest) = near.min()?;
    Some(format!("; did you mean `{nearest}`?"))
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
    fn a_word_of_any_length_is_compared_in_little_time() {
        let long = "x".repeat(1 << 20);
        assert_eq!(suggestion(&long, [long.as_str()].into_iter()), None);
        assert_eq!(suggestion("fede", ["feed"].into_iter()), Some("; did you mean `feed`?".to_owned()));
    }
}
