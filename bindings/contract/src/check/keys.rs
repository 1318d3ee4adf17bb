//! Reading mappings key by key, so that every unknown and every missing key is named.

use crate::Code;
use crate::diagnostic::{Report, Span, clip, did_you_mean};
use crate::limits::NAME_BYTES_MAX;
use crate::yaml::{Kind, Node};

/// One entry of a mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'n> {
    pub(crate) name: &'n str,
    pub(crate) span: Span,
    pub(crate) value: &'n Node,
}

/// The entries of a mapping whose keys the user chooses. Reports anything else and keys that are no text.
pub(crate) fn entries<'n>(node: &'n Node, what: &str, report: &mut Report<'_>) -> Vec<Entry<'n>> {
    let Kind::Map(map) = &node.kind else {
        let cause = format!("{what} must be a mapping (`key: value` lines), not {}", node.shape());
        let remedy = match node.kind {
            Kind::List(_) => "leave out the `-` (or the `[` and `]`), and write `key: value` lines",
            Kind::Null => "write `key: value` lines below it, further to the right",
            _ => "write `key: value` lines below it, or `{key: value}`",
        };
        report.add(Code::WRONG_SHAPE, node.span, cause, remedy);
        return Vec::new();
    };
    let mut found = Vec::with_capacity(map.len());
    for (key, value) in map {
        if let Kind::Text(name) = &key.kind {
            found.push(Entry { name, span: key.span, value });
        } else {
            let cause = format!("a key of {what} is {} where a name belongs", key.shape());
            report.add(
                Code::BAD_NAME,
                key.span,
                cause,
                "names begin with a letter; `true` and `null` are none",
            );
        }
    }
    found
}

/// A mapping with fixed keys.
pub(crate) struct Keys<'n> {
    what: String,
    span: Span,
    /// Else that was reported, and what is missing in it is no news.
    is_mapping: bool,
    entries: Vec<Entry<'n>>,
}

impl<'n> Keys<'n> {
    /// Reads the mapping and reports keys that are not among `known`. `span` is where a missing key is
    /// reported.
    pub(crate) fn read(
        node: &'n Node,
        what: &str,
        span: Span,
        known: &[&str],
        report: &mut Report<'_>,
    ) -> Self {
        let entries = entries(node, what, report);
        for entry in entries.iter().filter(|e| !known.contains(&e.name)) {
            let remedy = match did_you_mean(entry.name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are: {}", known.join(", ")),
            };
            let cause = format!("unknown key `{}` in {what}", clip(entry.name));
            report.add(Code::UNKNOWN_KEY, entry.span, cause, remedy);
        }
        Keys { what: what.to_owned(), span, is_mapping: matches!(node.kind, Kind::Map(_)), entries }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|e| e.name == name).map(|e| e.value)
    }

    /// As `get`, and reports the key's absence. The remedy shows an example of the key.
    pub(crate) fn need(&self, name: &str, example: &str, report: &mut Report<'_>) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() && self.is_mapping {
            let cause = format!("the key `{name}` is missing in {}", self.what);
            report.add(Code::MISSING_KEY, self.span, cause, format!("add `{name}: {example}`"));
        }
        found
    }

    /// The text under a key that must be there, and its place.
    pub(crate) fn need_text(
        &self,
        name: &str,
        example: &str,
        report: &mut Report<'_>,
    ) -> Option<(String, Span)> {
        let node = self.need(name, example, report)?;
        if node.kind == Kind::Null {
            let cause = format!("`{name}` of {} is empty", self.what);
            report.add(Code::WRONG_SHAPE, node.span, cause, format!("write `{name}: {example}`"));
            return None;
        }
        let before = report.count();
        let text = self.text(name, NAME_BYTES_MAX * 2, report);
        (report.count() == before).then_some((text, node.span))
    }

    /// The text under a key; absent is empty.
    pub(crate) fn text(&self, name: &str, bytes_max: usize, report: &mut Report<'_>) -> String {
        let Some(node) = self.get(name) else { return String::new() };
        match &node.kind {
            Kind::Text(text) if text.len() > bytes_max => {
                let cause = format!("`{name}` of {} has {} bytes, above {bytes_max}", self.what, text.len());
                report.add(Code::LIMIT, node.span, cause, "shorten it");
                String::new()
            }
            Kind::Text(text) => text.trim_end().to_owned(),
            Kind::Null => String::new(),
            _ => {
                let cause = format!("`{name}` of {} must be text, not {}", self.what, node.shape());
                let remedy = match &node.kind {
                    Kind::List(_) | Kind::Map(_) => "write one text, without brackets or braces",
                    _ => "put it between quotes",
                };
                report.add(Code::WRONG_SHAPE, node.span, cause, remedy);
                String::new()
            }
        }
    }
}

/// An integer within `lo..=hi`, or a report under `code`.
pub(crate) fn integer(
    node: &Node,
    what: &str,
    lo: i128,
    hi: i128,
    code: Code,
    report: &mut Report<'_>,
) -> Option<i128> {
    let remedy = format!("write an integer from {lo} to {hi}");
    let (cause, remedy) = match &node.kind {
        Kind::Int(value) | Kind::Hex(value) if (lo..=hi).contains(value) => return Some(*value),
        Kind::Int(value) | Kind::Hex(value) => (format!("{what} is {value}, outside {lo} to {hi}"), remedy),
        other => {
            let quoted = matches!(other, Kind::Text(text) if text.parse::<i128>().is_ok());
            let remedy = if quoted { "leave out the quotes".to_owned() } else { remedy };
            (format!("{what} must be an integer from {lo} to {hi}, not {}", node.shape()), remedy)
        }
    };
    report.add(code, node.span, cause, remedy);
    None
}

/// The remedy where there is too much in one file.
pub(crate) const SPLIT: &str = "split the contract into several files";

/// Reports when there are more than `max` of something, with the remedy for it.
pub(crate) fn at_most(
    count: usize,
    max: usize,
    (what, remedy): (&str, &str),
    span: Span,
    report: &mut Report<'_>,
) -> bool {
    if count > max {
        report.add(Code::LIMIT, span, format!("{count} {what}, above the limit of {max}"), remedy);
    }
    count <= max
}
