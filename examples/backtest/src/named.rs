//! Flags that may hold for one asset: `IBM:0.001` beside `0.002` for all others.

use crate::config::ConfigError;

/// A value for all assets, and those that hold for the assets of a name.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    all: Option<T>,
    named: Vec<(String, T)>,
}

impl<T> Named<T> {
    /// Reads what was given for a flag. The text before a `:` is a name if it is one of these: that of a
    /// file, with its ending or without, or a symbol. Otherwise the whole is for all.
    ///
    /// # Errors
    /// What is no value, twice the same name, and a name that nobody has.
    pub(crate) fn read(
        flag: &'static str,
        texts: &[String],
        names: &[String],
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Self, ConfigError> {
        let refuse = |reason| Err(ConfigError { flag, reason });
        let mut values = Self { all: None, named: Vec::new() };
        for text in texts {
            // The longest, as a symbol may have a `:` in it.
            let value_of = |name: &'_ String| text.strip_prefix(name.as_str())?.strip_prefix(':');
            let known = names.iter().filter_map(|name| Some((name, value_of(name)?)));
            let (name, value) = match (known.max_by_key(|(name, _)| name.len()), text.split_once(':')) {
                (Some((name, value)), _) => (Some(name.as_str()), value),
                (None, Some((name, _))) if looks_like_a_name(name) => {
                    return refuse(format!(
                        "is `{text}`, and nothing is called `{name}` here; before the `:` may stand: {}",
                        names.join(", ")
                    ));
                }
                _ => (None, text.as_str()),
            };
            let value = read(value).map_err(|reason| ConfigError { flag, reason })?;
            match name {
                None if values.all.is_some() => {
                    return refuse(format!(
                        "is given twice for all assets; give it once, or with a name before it: `{}:{text}`",
                        names.first().map_or("NAME", String::as_str)
                    ));
                }
                None => values.all = Some(value),
                Some(name) if values.named.iter().any(|(other, _)| other == name) => {
                    return refuse(format!("is given twice for `{name}`"));
                }
                Some(name) => values.named.push((name.to_owned(), value)),
            }
        }
        Ok(values)
    }

    /// The value for one of these names, the first of them that has one, or else that for all.
    pub(crate) fn of(&self, names: &[String]) -> Option<&T> {
        let of = |name: &String| self.named.iter().find(|(other, _)| other == name);
        names.iter().find_map(of).map(|(_, value)| value).or(self.all.as_ref())
    }
}

/// Whether somebody has meant a name: letters and digits, and no format, column or time.
fn looks_like_a_name(text: &str) -> bool {
    let mut letters = text.chars();
    let inside = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | '^' | '/');
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '^') && letters.all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Named<String>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let names = ["ibm.csv", "ibm", "MSFT", "MSFT:US"].map(str::to_owned);
        Named::read("--x", &texts, &names, |text| Ok(text.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_named_wins() {
        let values = read(&["MSFT:1", "2", "ibm:%H:%M"]).expect("sound");
        let of = |names: &[&str]| values.of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["MSFT", "ibm.csv"]).map(String::as_str), Some("1"));
        assert_eq!(of(&["IBM", "ibm"]).map(String::as_str), Some("%H:%M"));
        assert_eq!(of(&["other"]).map(String::as_str), Some("2"));
        let values = read(&["MSFT:US:1", "MSFT:2"]).expect("sound");
        assert_eq!(values.of(&["MSFT:US".to_owned()]).map(String::as_str), Some("1"));
        assert_eq!(values.of(&["MSFT".to_owned()]).map(String::as_str), Some("2"));
        // What is no name is for all.
        for whole in ["09:30-16:00 UTC", "%H:%M", "close=Last:x", ":", "a b:c"] {
            assert_eq!(read(&[whole]).expect("sound").of(&[]).map(String::as_str), Some(whole));
        }
    }

    #[test]
    fn a_name_that_nobody_has_is_refused() {
        for (texts, part) in [
            (&["MSTF:1"][..], "before the `:` may stand: ibm.csv, ibm, MSFT, MSFT:US"),
            (&["1", "2"], "twice for all assets"),
            (&["ibm:1", "ibm:2"], "twice for `ibm`"),
        ] {
            let error = read(texts).expect_err("refused");
            assert!(error.starts_with("--x ") && error.contains(part), "{error}");
        }
    }
}
