//! TOML, read into one list of nodes. The grammar, strings and numbers are the `toml_parser` crate's, and no
//! other module knows that crate.
//!
//! A file declares up to a million children, and most of its tables hold one key: a map for each of them
//! would take fifty times the text. A node takes 36 bytes, and texts stay where they are.

mod build;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::{Raw, Span};

use crate::place::{Mistake, Place, Source};

/// The longest text that is read, in bytes.
pub const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most values and tables of one document.
pub const NODES_MAX: usize = 4_000_000;
/// Most tokens from the key of a value to its end: brackets, keys, spaces, values within.
pub const TOKENS_MAX: usize = 8_000_000;
/// Deepest nesting of tables and lists within a value, and most parts of a dotted key. Supervisors nested as
/// deep as they may be stay below it in any notation.
pub const NESTING_MAX: usize = 160;
/// The longest text that is told as it is written where it stands for a number (letters).
const WRITTEN_LETTERS_MAX: usize = 30;

/// A document whose syntax is right.
#[derive(Debug)]
pub struct Document<'t> {
    source: Source<'t>,
    nodes: Vec<Node>,
}

/// No node.
const NONE: u32 = u32::MAX;
/// The table that the document is.
const ROOT: u32 = 0;

/// A value, with the key that leads to it and the next one in its list or table.
#[derive(Clone, Copy, Debug)]
struct Node {
    key: (u32, u32),
    key_encoding: Option<Encoding>,
    kind: Kind,
    span: (u32, u32),
    first: u32,
    last: u32,
    next: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Scalar(Option<Encoding>),
    /// Whether tables are added to it by `[[headers]]`.
    Array {
        of_tables: bool,
    },
    Table(TableKind),
}

/// How a table came to be, on which it depends what may be added to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct TableKind {
    /// By a key or header of something within it.
    implicit: bool,
    /// By a dotted key.
    dotted: bool,
    /// Within braces.
    inline: bool,
}

const _: () = assert!(size_of::<Node>() <= 40);

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    node: u32,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Content<'d> {
    /// A string, without its quotes and escapes.
    Text(Cow<'d, str>),
    /// A whole number.
    Integer(Number<'d>),
    /// Another number; `inf` and `nan` too.
    Float(Number<'d>),
    /// True or false.
    Boolean(bool),
    /// A date, a time, or both.
    Datetime,
    /// A list.
    Array(Values<'d>),
    /// Values with keys.
    Table(Values<'d>),
}

/// A number as it is written: digits without `_`.
#[derive(Clone, Debug)]
pub struct Number<'d> {
    /// Its digits, with sign, point and exponent if it has them.
    pub digits: Cow<'d, str>,
    /// The base of the digits.
    pub radix: u32,
}

impl<'t> Document<'t> {
    /// Reads a text.
    ///
    /// # Errors
    /// The first fault in its syntax, with its place.
    pub fn parse(text: &'t str) -> Result<Self, Mistake> {
        build::parse(text)
    }

    /// The table that the text is.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value { document: self, node: ROOT }
    }

    fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    fn raw(&self, (start, end): (u32, u32), encoding: Option<Encoding>) -> Raw<'t> {
        let span = start as usize..end as usize;
        let text = self.source.text.get(span.clone()).unwrap_or_default();
        Raw::new_unchecked(text, encoding, Span::new_unchecked(span.start, span.end))
    }

    fn key(&self, node: u32) -> Cow<'t, str> {
        let node = self.node(node);
        let mut key = Cow::Borrowed("");
        self.raw(node.key, node.key_encoding).decode_key(&mut key, &mut ());
        key
    }

    /// The value of a key, by a walk over the table.
    fn find(&self, table: u32, key: &str) -> Option<u32> {
        let mut at = self.node(table).first;
        while at != NONE {
            if self.has_key(at, key) {
                return Some(at);
            }
            at = self.node(at).next;
        }
        None
    }

    fn has_key(&self, node: u32, key: &str) -> bool {
        let Node { key: (start, end), key_encoding, .. } = *self.node(node);
        match key_encoding {
            None => self.source.text.as_bytes().get(start as usize..end as usize) == Some(key.as_bytes()),
            Some(_) => self.key(node) == key,
        }
    }
}

impl<'d> Value<'d> {
    fn raw(self) -> &'d Node {
        self.document.node(self.node)
    }

    /// The key that leads to it; empty in a list.
    pub fn key(self) -> Cow<'d, str> {
        self.document.key(self.node)
    }

    /// A mistake at its key.
    pub fn key_mistake(self, cause: impl Into<String>) -> Mistake {
        self.document.source.mistake(&self.key_span(), cause)
    }

    pub(crate) fn key_span(self) -> Range<usize> {
        let (start, end) = self.raw().key;
        start as usize..end as usize
    }

    /// A mistake at its beginning.
    pub fn mistake(self, cause: impl Into<String>) -> Mistake {
        self.place().mistake(cause)
    }

    /// Where it begins.
    #[must_use]
    pub fn place(self) -> Place {
        let (start, end) = self.raw().span;
        self.document.source.place(&(start as usize..end as usize))
    }

    /// As it stands in the text, if that is short.
    pub fn written(self) -> String {
        let (start, end) = self.raw().span;
        let text = self.document.source.text.get(start as usize..end as usize).unwrap_or_default();
        match text.char_indices().nth(WRITTEN_LETTERS_MAX) {
            None => text.to_owned(),
            Some((cut, _)) => format!("{}..", &text[..cut]),
        }
    }

    /// What it is.
    #[must_use]
    pub fn content(self) -> Content<'d> {
        let node = self.raw();
        let encoding = match node.kind {
            Kind::Array { .. } => return Content::Array(self.values()),
            Kind::Table(_) => return Content::Table(self.values()),
            Kind::Scalar(encoding) => encoding,
        };
        let mut text = Cow::Borrowed("");
        match self.document.raw(node.span, encoding).decode_scalar(&mut text, &mut ()) {
            ScalarKind::String => Content::Text(text),
            ScalarKind::Boolean(value) => Content::Boolean(value),
            ScalarKind::DateTime => Content::Datetime,
            ScalarKind::Float => Content::Float(Number { digits: text, radix: 10 }),
            ScalarKind::Integer(radix) => Content::Integer(Number { digits: text, radix: radix.value() }),
        }
    }

    /// How many values a list or table has.
    pub(crate) fn len(self) -> usize {
        self.raw().len as usize
    }

    fn values(self) -> Values<'d> {
        Values { document: self.document, next: self.raw().first }
    }

    /// What a message calls it.
    pub fn type_name(self) -> &'static str {
        match self.content() {
            Content::Text(_) => "string",
            Content::Integer(_) => "integer",
            Content::Float(_) => "float",
            Content::Boolean(_) => "boolean",
            Content::Datetime => "datetime",
            Content::Array(_) => "array",
            Content::Table(_) => "table",
        }
    }

    /// The value of a key of a table.
    pub fn get(self, key: &str) -> Option<Value<'d>> {
        let Kind::Table(_) = self.raw().kind else { return None };
        let node = self.document.find(self.node, key)?;
        Some(Value { node, ..self })
    }
}

/// The values of a list or table, in the order of the text.
#[derive(Clone, Debug)]
pub struct Values<'d> {
    document: &'d Document<'d>,
    next: u32,
}

impl<'d> Iterator for Values<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        if self.next == NONE {
            return None;
        }
        let value = Value { document: self.document, node: self.next };
        self.next = value.raw().next;
        Some(value)
    }
}
