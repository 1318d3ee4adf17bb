//! Arguments of Rust for `__init__` of Python.

use pyo3::prelude::*;

/// A value for an argument of a Python actor: `3.into()`, `"GOOG".into()`, `vec![1.5, 2.5].into()`.
#[derive(Clone, Debug, PartialEq, IntoPyObject)]
#[non_exhaustive]
pub enum Argument {
    /// `True` or `False`.
    Flag(bool),
    /// An `int`.
    Whole(i64),
    /// A `float`.
    Number(f64),
    /// A `str`.
    Text(String),
    /// A `list`.
    List(Vec<Argument>),
}

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
