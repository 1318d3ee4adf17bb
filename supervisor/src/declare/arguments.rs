//! Arguments of children, as a file has them.

use std::collections::BTreeMap;

use mycelium_toml::{Content, Fields, Mistake, Number, Place, Value};

/// The arguments of a child, by name.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeclaredArguments {
    /// Where they begin.
    pub place: Place,
    /// Each of them.
    pub values: BTreeMap<String, DeclaredArgument>,
}

/// A value in arguments.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeclaredArgument {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: DeclaredValue,
}

/// What a value in arguments is.
#[derive(Clone, Debug, PartialEq)]
pub enum DeclaredValue {
    /// True or false.
    Flag(bool),
    /// An integer.
    Whole(i64),
    /// An integer above those of `Whole`.
    Large(u64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<DeclaredArgument>),
    /// Values by name.
    Table(BTreeMap<String, DeclaredArgument>),
}

impl DeclaredArguments {
    /// Where the argument of this name begins, such as `fast`, or `rules.limit` and `prices[3]` inside of
    /// one; where they all begin if there is none. A value that is not there has the place of the one around
    /// it.
    #[must_use]
    pub fn place_of(&self, argument: &str) -> Place {
        let mut rest = argument;
        let Some(mut at) = named(&self.values, &mut rest) else { return self.place };
        while let Some(inner) = at.inside(&mut rest) {
            at = inner;
        }
        at.place
    }
}

impl DeclaredArgument {
    /// The value to which the rest of a path leads from here, without its first step.
    fn inside(&self, rest: &mut &str) -> Option<&Self> {
        match &self.value {
            DeclaredValue::Table(values) => {
                *rest = rest.strip_prefix('.')?;
                named(values, rest)
            }
            DeclaredValue::List(values) => {
                let (number, behind) = rest.strip_prefix('[')?.split_once(']')?;
                *rest = behind;
                values.get(number.parse::<usize>().ok()?)
            }
            _ => None,
        }
    }
}

/// The value whose name the path begins with; names may have points in them.
fn named<'v>(
    values: &'v BTreeMap<String, DeclaredArgument>,
    rest: &mut &str,
) -> Option<&'v DeclaredArgument> {
    let step = |name: &str| {
        let behind = rest.strip_prefix(name)?;
        (behind.is_empty() || behind.starts_with(['.', '['])).then_some(behind)
    };
    let found = values.iter().filter_map(|(name, value)| Some((step(name)?, value)));
    let (behind, value) = found.min_by_key(|(behind, _)| behind.len())?;
    *rest = behind;
    Some(value)
}

/// The arguments of a worker, if the file gives it some.
///
/// # Errors
/// They are no table, have a value that is none, or the worker takes none.
pub(super) fn arguments(fields: &Fields<'_>, id: &str) -> Result<Option<DeclaredArguments>, Mistake> {
    const KEY: &str = "arguments";
    let Some(value) = fields.get(KEY) else { return Ok(None) };
    let Content::Table(values) = value.content() else {
        let found = value.type_name();
        return Err(value.mistake(format!("`{KEY}` must be a table such as {{ window = 20 }}, not {found}")));
    };
    if fields.has("command") {
        let cause =
            format!("`{KEY}` are for an actor or a service: those of process `{id}` stand in `command`");
        return Err(fields.wrong(KEY, cause));
    }
    if !fields.has("actor") && !fields.has("service") {
        let cause =
            format!("`{KEY}` go with `actor` or `service`, and child `{id}` has none of them: give it one");
        return Err(fields.wrong(KEY, cause));
    }
    Ok(Some(DeclaredArguments { place: value.place(), values: table(values)? }))
}

fn table<'t>(values: impl Iterator<Item = Value<'t>>) -> Result<BTreeMap<String, DeclaredArgument>, Mistake> {
    values.map(|value| Ok((value.key().into_owned(), argument(value)?))).collect()
}

/// A text nests values no deeper than `NESTING_MAX`.
fn argument(value: Value<'_>) -> Result<DeclaredArgument, Mistake> {
    let found = match value.content() {
        Content::Boolean(flag) => DeclaredValue::Flag(flag),
        Content::Integer(number) => integer(value, &number)?,
        Content::Float(number) => {
            let cause = || value.mistake(format!("{} is no number", value.written()));
            DeclaredValue::Number(number.digits.parse().map_err(|_| cause())?)
        }
        Content::Text(text) => DeclaredValue::Text(text.into_owned()),
        Content::Array(values) => DeclaredValue::List(values.map(argument).collect::<Result<_, _>>()?),
        Content::Table(values) => DeclaredValue::Table(table(values)?),
        Content::Datetime => {
            let text = value.written();
            let cause =
                format!("{text} is a date or a time, which no argument is: write it as a text, \"{text}\"");
            return Err(value.mistake(cause));
        }
    };
    Ok(DeclaredArgument { place: value.place(), value: found })
}

fn integer(value: Value<'_>, number: &Number<'_>) -> Result<DeclaredValue, Mistake> {
    if let Ok(whole) = i64::from_str_radix(&number.digits, number.radix) {
        return Ok(DeclaredValue::Whole(whole));
    }
    let large = u64::from_str_radix(number.digits.trim_start_matches('+'), number.radix);
    large.map(DeclaredValue::Large).map_err(|_| {
        let written = value.written();
        // What has a prefix has no point.
        let number =
            if number.radix == 10 { format!("a number, such as {written}.0, or ") } else { String::new() };
        value.mistake(format!("{written} is no integer of 64 bits: write {number}a text"))
    })
}
