//! From the parser's events to nodes.
//!
//! The text is parsed one expression at a time (a header, or a key with its value), so that no list of the
//! tokens of the whole text is ever kept. The rules for what may be added to which table are those of the
//! TOML specification; the tests compare them with the `toml` crate.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml_parser::decoder::Encoding;
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, Expected, ParseError, Span};

use super::{Document, Kind, NESTING_MAX, NODES_MAX, NONE, Node, ROOT, TOKENS_MAX, TableKind};
use crate::TEXT_BYTES_MAX;
use crate::place::{Mistake, Source};

/// Keys of tables with more entries than this are looked up in a map.
const WALKED_MAX: u32 = 32;

pub(super) fn parse(text: &str) -> Result<Document<'_>, Mistake> {
    if text.len() as u64 > TEXT_BYTES_MAX {
        let cause = format!("the text has {} bytes, a file may have {TEXT_BYTES_MAX}", text.len());
        return Err(Source::new("").mistake(&(0..0), cause));
    }
    let source = toml_parser::Source::new(text);
    let mut builder = Builder::new(text);
    let mut fault: Option<ParseError> = None;
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    for token in source.lex() {
        tokens.push(token);
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        let complete = token.kind() == TokenKind::Newline && depth == 0 || token.kind() == TokenKind::Eof;
        if complete {
            builder.expression(source, &tokens, &mut fault);
            tokens.clear();
        } else if tokens.len() >= TOKENS_MAX {
            let cause = format!(
                "this value has more than {TOKENS_MAX} parts: give its tables [[headers]] of their own"
            );
            fault = Some(error(cause, tokens[0].span()));
        }
        if let Some(fault) = fault {
            return Err(mistake(&builder.document.source, &fault));
        }
    }
    Ok(builder.document)
}

fn error(cause: impl Into<Cow<'static, str>>, at: Span) -> ParseError {
    ParseError::new(cause).with_unexpected(at)
}

/// The parser's fault in its own words.
fn mistake(source: &Source<'_>, fault: &ParseError) -> Mistake {
    let span = fault.unexpected().map_or(0..0, |span| span.start()..span.end());
    let mut cause = fault.description().to_owned();
    // The parser says that a key stands there twice, but not which.
    if cause == DUPLICATE
        && let Some(key) = source.text.get(span.clone())
    {
        cause += &format!(" `{key}`");
    }
    for (number, expected) in fault.expected().unwrap_or_default().iter().enumerate() {
        cause += if number == 0 { ", expected " } else { ", " };
        match expected {
            Expected::Literal("\n") => cause += "newline",
            Expected::Literal("`") => cause += "'`'",
            Expected::Literal(literal) => cause += &format!("`{literal}`"),
            Expected::Description(what) => cause += what,
            _ => cause += "etc",
        }
    }
    source.mistake(&span, cause)
}

const DUPLICATE: &str = "duplicate key";

/// A key as it is written, and what it says.
#[derive(Clone, Debug)]
struct Key<'t> {
    text: Cow<'t, str>,
    span: Span,
    encoding: Option<Encoding>,
}

struct Builder<'t> {
    document: Document<'t>,
    /// The keys of tables that have many.
    wide: BTreeMap<u32, BTreeMap<Cow<'t, str>, u32>>,
    /// The table of the last header.
    current: u32,
    /// The lists and inline tables that are open.
    open: Vec<u32>,
    /// The keys of a header, or those that lead to the next value.
    path: Vec<Key<'t>>,
    /// The beginning of a header that is open.
    header: Option<Span>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let mut builder = Self {
            document: Document { source: Source::new(text), nodes: Vec::new() },
            wide: BTreeMap::new(),
            current: ROOT,
            open: Vec::new(),
            path: Vec::new(),
            header: None,
        };
        builder.document.nodes.push(node(Kind::Table(TableKind::default()), Span::new_unchecked(0, 0)));
        builder
    }

    fn expression(&mut self, source: toml_parser::Source<'t>, tokens: &[Token], error: &mut dyn ErrorSink) {
        self.open.clear();
        self.path.clear();
        self.header = None;
        let mut receiver = ValidateWhitespace::new(self, source);
        parse_document(tokens, &mut receiver, error);
    }

    fn add(&mut self, kind: Kind, span: Span, errors: &mut dyn ErrorSink) -> Option<u32> {
        let number = self.document.nodes.len();
        if number >= NODES_MAX {
            errors.report_error(error(format!("the text has more than {NODES_MAX} values"), span));
            return None;
        }
        self.document.nodes.push(node(kind, span));
        u32::try_from(number).ok()
    }

    fn table_kind(&self, node: u32) -> Option<TableKind> {
        match self.document.node(node).kind {
            Kind::Table(kind) => Some(kind),
            _ => None,
        }
    }

    fn find(&self, table: u32, key: &str) -> Option<u32> {
        match self.wide.get(&table) {
            Some(keys) => keys.get(key).copied(),
            None => self.document.find(table, key),
        }
    }

    /// Puts a node behind the last one of a list or table.
    fn append(&mut self, parent: u32, child: u32) {
        let above = &mut self.document.nodes[parent as usize];
        let last = std::mem::replace(&mut above.last, child);
        above.len += 1;
        if last == NONE {
            above.first = child;
        } else {
            self.document.nodes[last as usize].next = child;
        }
    }

    fn insert(&mut self, table: u32, key: &Key<'t>, value: u32) {
        let node = &mut self.document.nodes[value as usize];
        node.key = packed(key.span);
        node.key_encoding = key.encoding;
        self.append(table, value);
        let len = self.document.node(table).len;
        if let Some(keys) = self.wide.get_mut(&table) {
            keys.insert(key.text.clone(), value);
        } else if len > WALKED_MAX {
            let mut keys = BTreeMap::new();
            let mut at = self.document.node(table).first;
            while at != NONE {
                keys.insert(self.document.key(at), at);
                at = self.document.node(at).next;
            }
            self.wide.insert(table, keys);
        }
    }

    /// The table that a path leads to from `table`; tables that are not there yet are made. `dotted`: the
    /// path is a dotted key, not a header.
    fn descend(
        &mut self,
        table: u32,
        path: &[Key<'t>],
        dotted: bool,
        errors: &mut dyn ErrorSink,
    ) -> Option<u32> {
        let inline = self.table_kind(table)?.inline;
        let mut table = table;
        for key in path {
            let Some(found) = self.find(table, &key.text) else {
                let kind = TableKind { implicit: true, dotted, inline };
                let made = self.add(Kind::Table(kind), key.span, errors)?;
                self.insert(table, key, made);
                table = made;
                continue;
            };
            let node = *self.document.node(found);
            let fault = match node.kind {
                Kind::Array { of_tables: true } => {
                    table = node.last;
                    continue;
                }
                Kind::Table(kind) if kind.inline && !inline => {
                    "cannot extend value of type inline table with a dotted key".into()
                }
                Kind::Table(kind) if dotted && !kind.implicit => DUPLICATE.into(),
                Kind::Table(_) => {
                    table = found;
                    continue;
                }
                _ => {
                    let value = super::Value { document: &self.document, node: found };
                    format!("cannot extend value of type {} with a dotted key", value.type_name())
                }
            };
            errors.report_error(error(fault, key.span));
            return None;
        }
        Some(table)
    }

    /// A value has come: it belongs to the list that is open, or to the key that was read last.
    fn value(&mut self, kind: Kind, span: Span, errors: &mut dyn ErrorSink) -> Option<u32> {
        let container = self.open.last().copied().unwrap_or(self.current);
        let value = self.add(kind, span, errors)?;
        if let Kind::Array { .. } = self.document.node(container).kind {
            self.append(container, value);
            return Some(value);
        }
        let mut path = std::mem::take(&mut self.path);
        let key = path.pop()?;
        let parent = self.descend(container, &path, true, errors)?;
        let closed = !path.is_empty() && self.table_kind(parent).is_some_and(|kind| !kind.implicit);
        if closed || self.find(parent, &key.text).is_some() {
            errors.report_error(error(DUPLICATE, key.span));
            return None;
        }
        self.insert(parent, &key, value);
        Some(value)
    }

    /// Opens a list or an inline table; whether it may be opened.
    fn nest(&mut self, kind: Kind, span: Span, errors: &mut dyn ErrorSink) -> bool {
        if self.open.len() >= NESTING_MAX {
            errors.report_error(too_deep(span));
            return false;
        }
        let value = self.value(kind, span, errors);
        self.open.extend(value);
        value.is_some()
    }

    fn close(&mut self, span: Span) {
        if let Some(node) = self.open.pop() {
            self.document.nodes[node as usize].span.1 = packed(span).1;
        }
    }

    /// A header is complete.
    fn table(&mut self, end: Span, array: bool, errors: &mut dyn ErrorSink) -> Option<()> {
        let span = self.header.take()?.append(end);
        let mut path = std::mem::take(&mut self.path);
        let key = path.pop()?;
        let parent = self.descend(ROOT, &path, false, errors)?;
        let found = self.find(parent, &key.text);
        let kind = found.map(|found| self.document.node(found).kind);
        self.current = match (found, kind) {
            (None, _) if !array => {
                let made = self.add(Kind::Table(TableKind::default()), span, errors)?;
                self.insert(parent, &key, made);
                made
            }
            (Some(found), Some(Kind::Table(kind))) if !array && kind.implicit && !kind.dotted => {
                let node = &mut self.document.nodes[found as usize];
                node.kind = Kind::Table(TableKind::default());
                node.span = packed(span);
                found
            }
            (None, _) | (_, Some(Kind::Array { of_tables: true })) if array => {
                let list = match found {
                    Some(list) => list,
                    None => {
                        let made = self.add(Kind::Array { of_tables: true }, span, errors)?;
                        self.insert(parent, &key, made);
                        made
                    }
                };
                let made = self.add(Kind::Table(TableKind::default()), span, errors)?;
                self.append(list, made);
                made
            }
            _ => {
                errors.report_error(error(DUPLICATE, key.span));
                return None;
            }
        };
        Some(())
    }
}

fn too_deep(at: Span) -> ParseError {
    error(format!("values are nested deeper than {NESTING_MAX}: nest them less"), at)
}

fn packed(span: Span) -> (u32, u32) {
    // Texts are shorter than 4 GiB: `parse` has looked.
    let packed = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (packed(span.start()), packed(span.end()))
}

fn node(kind: Kind, span: Span) -> Node {
    Node {
        key: (0, 0),
        key_encoding: None,
        kind,
        span: packed(span),
        first: NONE,
        last: NONE,
        next: NONE,
        len: 0,
    }
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.header = Some(span);
    }

    fn std_table_close(&mut self, span: Span, errors: &mut dyn ErrorSink) {
        self.table(span, false, errors);
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.header = Some(span);
    }

    fn array_table_close(&mut self, span: Span, errors: &mut dyn ErrorSink) {
        self.table(span, true, errors);
    }

    fn inline_table_open(&mut self, span: Span, errors: &mut dyn ErrorSink) -> bool {
        self.nest(Kind::Table(TableKind { inline: true, ..TableKind::default() }), span, errors)
    }

    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn array_open(&mut self, span: Span, errors: &mut dyn ErrorSink) -> bool {
        self.nest(Kind::Array { of_tables: false }, span, errors)
    }

    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) {
        if self.path.len() >= NESTING_MAX {
            errors.report_error(too_deep(span));
            return;
        }
        let mut text = Cow::Borrowed("");
        self.document.raw(packed(span), encoding).decode_key(&mut text, errors);
        self.path.push(Key { text, span, encoding });
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        let _ = self.document.raw(packed(span), encoding).decode_scalar(&mut text, errors);
        self.value(Kind::Scalar(encoding), span, errors);
    }
}
