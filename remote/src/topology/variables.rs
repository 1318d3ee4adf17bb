//! `${NAME}` and `${NAME:-default}` in texts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use mycelium_toml::{Fields, Mistake, Place, suggestion};

use super::{Given, TEXT_BYTES_MAX, VARIABLES_MAX};

/// The variables of a file, and behind them those of the environment.
pub(super) struct Variables<'g> {
    given: &'g Given<'g>,
    defined: BTreeMap<String, Defined>,
    looked_up: RefCell<BTreeSet<LookedUp>>,
}

/// What a reference came to that the environment was asked for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct LookedUp {
    name: String,
    default: Option<String>,
    value: String,
}

/// A variable that a node has in its own environment.
pub(super) struct OwnVariable {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) place: Place,
}

/// A variable of the file.
struct Defined {
    text: String,
    place: Place,
    value: RefCell<Value>,
}

/// How far a variable has come.
enum Value {
    /// Nobody has asked for it.
    Unknown,
    /// It is being made: whoever asks now asks in a circle.
    Made,
    Known(String),
}

impl<'g> Variables<'g> {
    /// Those that stand in `[variables]`.
    ///
    /// # Errors
    /// They are no texts, a name is none, or they refer to each other in a circle.
    pub(super) fn new(document: &Fields<'_>, given: &'g Given<'g>) -> Result<Self, Mistake> {
        let mut defined = BTreeMap::new();
        let table = document.get("variables");
        for (name, text) in document.texts("variables")? {
            let value = table.and_then(|table| table.get(&name));
            let place = value.map_or(document.place(), mycelium_toml::Value::place);
            if !is_name(&name) {
                let cause = format!(
                    "`{name}` is no name of a variable: take letters, digits and `_`, and no digit first"
                );
                return Err(place.mistake(cause));
            }
            if defined.len() == VARIABLES_MAX {
                return Err(place.mistake(format!("`variables` may have {VARIABLES_MAX} entries")));
            }
            defined.insert(name, Defined { text, place, value: RefCell::new(Value::Unknown) });
        }
        let variables = Self { given, defined, looked_up: RefCell::default() };
        // Also those that nobody asks for: a mistake is one wherever it stands.
        let mut path = Vec::new();
        for name in variables.defined.keys() {
            variables.value(name, &mut path)?;
        }
        Ok(variables)
    }

    /// A text with its variables put in. `key`: what messages call it.
    ///
    /// # Errors
    /// At `place`: a variable is not set, or what should be one is none.
    pub(super) fn put_in(&self, key: &str, text: &str, place: Place) -> Result<String, Mistake> {
        let whole = self.expand(text, place, &mut Vec::new())?;
        if whole.len() > TEXT_BYTES_MAX {
            let cause = format!("`{key}` has {} bytes, it may have {TEXT_BYTES_MAX}", whole.len());
            return Err(place.mistake(cause));
        }
        Ok(whole)
    }

    /// `path`: the variables that are being made, from the outermost on.
    fn expand<'a>(&'a self, text: &str, place: Place, path: &mut Vec<&'a str>) -> Result<String, Mistake> {
        let mut whole = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            whole.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            if let Some(behind) = behind.strip_prefix('$') {
                whole.push('$');
                rest = behind;
            } else if let Some(behind) = behind.strip_prefix('{') {
                let end = behind.find('}').ok_or_else(|| {
                    place.mistake("`${` has no `}` behind it: close it, or write `$$` for a dollar sign")
                })?;
                whole.push_str(&self.reference(&behind[..end], place, path)?);
                rest = &behind[end + 1..];
            } else {
                whole.push('$');
                rest = behind;
            }
            if whole.len() > TEXT_BYTES_MAX {
                return Err(place.mistake(format!(
                    "with its variables put in, this text has more than {TEXT_BYTES_MAX} bytes"
                )));
            }
        }
        whole.push_str(rest);
        Ok(whole)
    }

    /// The value of what stands between the braces.
    fn reference<'a>(
        &'a self,
        written: &str,
        place: Place,
        path: &mut Vec<&'a str>,
    ) -> Result<String, Mistake> {
        let (name, default) = match written.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (written, None),
        };
        if !is_name(name) {
            return Err(place.mistake(format!(
                "`${{{written}}}` is no variable: write ${{NAME}} or ${{NAME:-default}}, or `$$` for a dollar sign"
            )));
        }
        if default.is_some_and(|default| default.contains('$')) {
            return Err(place.mistake(format!(
                "the default of `{name}` has a variable in it: give that one a name in [variables]"
            )));
        }
        if let Some((name, defined)) = self.defined.get_key_value(name) {
            if matches!(*defined.value.borrow(), Value::Made) {
                let from = path.iter().position(|made| made == name).unwrap_or_default();
                let circle: Vec<&str> = path[from..].iter().copied().chain([&**name]).collect();
                return Err(place.mistake(format!(
                    "the variable `{name}` is made of itself ({}): give one of them a text without the others",
                    circle.join(" -> ")
                )));
            }
            return self.value(name, path);
        }
        let Some(value) = or_default((self.given.variable)(name), default) else {
            let hint = suggestion(name, self.defined.keys().map(String::as_str)).unwrap_or_default();
            return Err(place.mistake(format!(
                "the variable `{name}` is not set: set it in the environment or in [variables], or write \
                 ${{{name}:-default}}{hint}"
            )));
        };
        let default = default.map(str::to_owned);
        let looked_up = LookedUp { name: name.to_owned(), default, value: value.clone() };
        self.looked_up.borrow_mut().insert(looked_up);
        Ok(value)
    }

    /// Checks that the process of a node, which reads the file with variables of its own, reads the same.
    ///
    /// # Errors
    /// At one of these: the file asks the environment for it, and would have something else there.
    pub(super) fn agree(&self, own: &[OwnVariable]) -> Result<(), Mistake> {
        let looked_up = self.looked_up.borrow();
        for OwnVariable { name, text, place } in own {
            let differs = |one: &&LookedUp| {
                one.name == *name
                    && or_default(Some(text.clone()), one.default.as_deref()).as_ref() != Some(&one.value)
            };
            if let Some(LookedUp { value, .. }) = looked_up.iter().find(differs) {
                return Err(place.mistake(format!(
                    "this file reads `{name}` from the environment and has \"{value}\", and the process of this \
                     node would read \"{text}\" there, so that they disagree about the rest: give this variable \
                     another name, or define `{name}` in [variables]"
                )));
            }
        }
        Ok(())
    }

    /// The value of a variable of the file.
    fn value<'a>(&'a self, name: &'a str, path: &mut Vec<&'a str>) -> Result<String, Mistake> {
        let Some(defined) = self.defined.get(name) else { return Ok(String::new()) };
        if let Value::Known(value) = &*defined.value.borrow() {
            return Ok(value.clone());
        }
        *defined.value.borrow_mut() = Value::Made;
        path.push(name);
        let value = self.expand(&defined.text, defined.place, path)?;
        path.pop();
        *defined.value.borrow_mut() = Value::Known(value.clone());
        Ok(value)
    }
}

/// What a reference comes to: an empty variable counts as none where there is a default.
fn or_default(value: Option<String>, default: Option<&str>) -> Option<String> {
    match (value, default) {
        (Some(value), None) => Some(value),
        (Some(value), Some(_)) if !value.is_empty() => Some(value),
        (_, default) => default.map(str::to_owned),
    }
}

fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(letters)
}
