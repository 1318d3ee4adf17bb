//! Arguments of children that are made by name.

mod read;

use std::collections::BTreeMap;
use std::fmt;

use serde_core::de::DeserializeOwned;

use self::read::{ArgumentTable, ReadError};

/// A value for an argument of a child: `3.into()`, `"GOOG".into()`, `vec![1.5, 2.5].into()`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Argument {
    /// No value: a `None` of Rust and of Python.
    Nothing,
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
    List(Vec<Argument>),
    /// Values by name.
    Table(BTreeMap<String, Argument>),
}

/// The arguments of one child, by name: for [`Factories::child_of`](super::Factories::child_of).
///
/// ```
/// use mycelium::tree::Arguments;
///
/// let arguments = Arguments::new().with("symbol", "GOOG").with("window", 20);
/// assert_eq!(arguments.names().collect::<Vec<_>>(), ["symbol", "window"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(BTreeMap<String, Argument>);

impl Arguments {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more. The last one of a name counts.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Argument>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The arguments as a type that says which there are: a struct with `#[derive(Deserialize)]`, and with
    /// `#[serde(deny_unknown_fields)]` if others are a mistake.
    ///
    /// # Errors
    /// [`ArgumentError`]: one is missing, is not known, or has a value of another type.
    ///
    /// ```
    /// use mycelium::tree::Arguments;
    ///
    /// #[derive(serde::Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Windows { fast: u32, slow: u32 }
    ///
    /// let windows: Windows = Arguments::new().with("fast", 5).with("slow", 20).read()?;
    /// assert_eq!((windows.fast, windows.slow), (5, 20));
    ///
    /// let wrong = Arguments::new().with("fast", "five").with("slow", 20).read::<Windows>();
    /// assert_eq!(wrong.err().unwrap().to_string(), "`fast`: invalid type: string \"five\", expected u32");
    /// # Ok::<(), mycelium::tree::ArgumentError>(())
    /// ```
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        T::deserialize(ArgumentTable(&self.0))
            .map_err(|ReadError { argument, cause }| ArgumentError { argument, cause })
    }
}

impl<N: Into<String>, V: Into<Argument>> FromIterator<(N, V)> for Arguments {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(arguments: I) -> Self {
        Self(arguments.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Arguments are not those that a child takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArgumentError {
    /// The argument, if it is one: `slow`, or `rules.limit` and `prices[3]` inside of one.
    pub argument: Option<String>,
    /// The mistake.
    pub cause: String,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.argument {
            Some(argument) => write!(f, "`{argument}`: {}", self.cause),
            None => f.write_str(&self.cause),
        }
    }
}

impl std::error::Error for ArgumentError {}

impl From<bool> for Argument {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<i32> for Argument {
    fn from(value: i32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<u32> for Argument {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::Whole(value)
    }
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Large(value), Self::Whole)
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self::Number(value.into())
    }
}

impl From<f64> for Argument {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Argument {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Argument>> From<Vec<T>> for Argument {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Argument>> From<Option<T>> for Argument {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

impl From<Arguments> for Argument {
    fn from(values: Arguments) -> Self {
        Self::Table(values.0)
    }
}
