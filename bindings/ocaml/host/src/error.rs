//! Why OCaml does not do something.

use std::fmt;

/// OCaml could not be started, or an actor not be used. The text says what to do; where code of OCaml has
/// raised, it has the exception and its backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OCamlError {
    text: String,
}

impl OCamlError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for OCamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for OCamlError {}
