//! YAML text to a tree of nodes with places. The only module that knows which YAML library is in use.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned};

use crate::diagnostic::{Errors, Report, Span, clip, printable};
use crate::limits::{
    FILE_BYTES_MAX, YAML_ALIAS_EVENTS_MAX, YAML_ALIASES_MAX, YAML_DEPTH_MAX, YAML_NODES_MAX,
};
use crate::{Code, Pos};

/// A YAML value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    /// A number with a fraction or an exponent, or beyond 64 bits; with its text, which loses no digit.
    Float(f64, String),
    Text(String),
    List(Vec<Node>),
    /// Keys are scalars and differ from one another.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// "a list", "text", ... for messages.
    pub(crate) fn shape(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Int(_) => "an integer",
            Kind::Float(..) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads one YAML document.
pub(crate) fn parse(text: &str, file: &str) -> Result<Node, Errors> {
    if text.len() > FILE_BYTES_MAX {
        let cause = format!("the file has {} bytes, above the limit of {FILE_BYTES_MAX}", text.len());
        return Err(Errors::of_file(Code::LIMIT, file, cause, "split the contract into several files"));
    }
    // The library calls a document of comments alone an unexpected end.
    let nothing = text.lines().all(|line| line.trim_start().starts_with('#') || line.trim().is_empty());
    if nothing {
        return Err(empty(text, file));
    }
    match serde_saphyr::from_str_with_options::<Raw>(text, options()) {
        // `---` alone, or `null`.
        Ok(Raw(Spanned { value: RawKind::Scalar(Kind::Null), .. })) => Err(empty(text, file)),
        Ok(raw) => Ok(raw.into_node(text)),
        Err(error) => {
            let mut report = Report::new(text, file);
            explain(&error, text, &mut report);
            Err(report.into_errors())
        }
    }
}

fn empty(text: &str, file: &str) -> Errors {
    let remedy =
        "begin with `schema`, `domains`, `tag_ranges` and `messages`; docs/contracts.md has an example";
    let start = Pos { line: 1, column: 1 };
    Errors::at(Code::EMPTY, text, file, start, "the file holds no contract".into(), remedy)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: YAML_NODES_MAX * 2,
            max_nodes: YAML_NODES_MAX,
            max_depth: YAML_DEPTH_MAX,
            flow_nesting_limit: YAML_DEPTH_MAX + 1,
            max_aliases: YAML_ALIASES_MAX,
            max_anchors: YAML_ALIASES_MAX,
            max_documents: 2,
            max_merge_keys: 0,
            max_total_scalar_bytes: FILE_BYTES_MAX * 2,
            max_recorded_anchor_events: YAML_NODES_MAX,
            max_recorded_anchor_bytes: FILE_BYTES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: YAML_ALIAS_EVENTS_MAX,
            max_replay_stack_depth: YAML_DEPTH_MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // `on`, `off`, `yes` and `no` are text, as in YAML 1.2.
        strict_booleans: true,
        // `!custom` means nothing here.
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Puts the library's error into our words.
fn explain(error: &Error, text: &str, report: &mut Report<'_>) {
    let span = error.location().map_or_else(Span::default, |location| span(&location));
    let (code, cause, remedy) = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map(clip).unwrap_or_default();
            (
                Code::DUPLICATE_KEY,
                format!("the key `{key}` stands twice in this mapping"),
                "remove or rename one of the two",
            )
        }
        Error::Budget { breach, .. } => {
            (Code::LIMIT, breached(breach), "nest less, alias less, or split the contract")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            (Code::LIMIT, too_many_aliased(), "write the values out")
        }
        Error::MergeKeyNotAllowed { .. } => {
            (Code::UNKNOWN_KEY, "merge keys (`<<`) are not part of contracts".into(), "write the keys out")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            (Code::RECURSION, "an alias (`*name`) refers to what contains it".into(), "write the value out")
        }
        Error::MultipleDocuments { .. } => (
            Code::SYNTAX,
            "the file holds more than one YAML document".into(),
            "remove the `---` between them",
        ),
        // Inside an alias the error comes as text, and so does a nest that the scanner meets before the budget does.
        _ if message(error).contains("alias replay limit") => {
            (Code::LIMIT, too_many_aliased(), "write the values out")
        }
        _ if message(error).contains("recursion limit") => (Code::LIMIT, too_deep(), "nest less"),
        _ if message(error).contains("unsupported tag") => (
            Code::SYNTAX,
            format!("{}: contracts have no tags (`!name`)", message(error)),
            "leave the tag out, or put text that begins with `!` between quotes",
        ),
        _ if message(error).contains("unknown anchor") => (
            Code::SYNTAX,
            "an alias (`*name`) refers to no anchor (`&name`) above it".into(),
            "write the value out, or put text that begins with `*` between quotes",
        ),
        _ => (Code::SYNTAX, format!("this is not YAML: {}", message(error)), syntax_remedy(text, span.at)),
    };
    report.add(code, span, cause, remedy);
}

fn too_deep() -> String {
    format!("the file nests deeper than {YAML_DEPTH_MAX} levels")
}

fn too_many_aliased() -> String {
    format!("the aliases (`*name`) expand to more than {YAML_ALIAS_EVENTS_MAX} values")
}

fn breached(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("the file holds more than {YAML_NODES_MAX} values")
        }
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. } => {
            format!("the file holds more than {YAML_ALIASES_MAX} anchors (`&name`) or aliases (`*name`)")
        }
        BudgetBreach::RecordedAnchorEvents { .. } | BudgetBreach::RecordedAnchorBytes { .. } => {
            "the values under anchors (`&name`) are too large".to_owned()
        }
        _ => "the file is beyond a limit of the YAML reader".to_owned(),
    }
}

fn message(error: &Error) -> String {
    let rendered = error.without_snippet().render();
    let first = rendered.lines().next().unwrap_or_default();
    // The library puts the place before or after its message; ours stands elsewhere.
    let first = first.split(" at line ").next().unwrap_or(first);
    clip_long(first.trim_start_matches("error: ").trim_end_matches([':', '.']))
}

fn clip_long(text: &str) -> String {
    text.chars().take(200).map(printable).collect()
}

/// Tabs and unquoted `[`, `*`, `%`, `@` are what goes wrong in practice.
fn syntax_remedy(text: &str, at: Pos) -> &'static str {
    let line = usize::try_from(at.line).ok().and_then(|n| n.checked_sub(1)).and_then(|n| text.lines().nth(n));
    let line = line.unwrap_or_default();
    if line.contains('\t') {
        "indent with spaces; YAML allows no tabs there"
    } else if line.contains("; ") || line.contains('<') {
        "put a type that begins with `[` or stands inside `{}` between quotes: \"[[f64; 2]; 2]\""
    } else {
        "check indentation and quotes of this line and the one above"
    }
}

fn span(location: &Location) -> Span {
    let clamp = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        at: Pos { line: clamp(location.line()), column: clamp(location.column()) },
        length: clamp(location.span().len()),
    }
}

/// What the library gives: the same tree, without the text of long numbers.
struct Raw(Spanned<RawKind>);

enum RawKind {
    Scalar(Kind),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn into_node(self, text: &str) -> Node {
        let location = self.0.referenced;
        let mut span = span(&location);
        let kind = match self.0.value {
            RawKind::Scalar(Kind::Float(value, _)) => {
                Kind::Float(value, source(&self.0.defined, text).to_owned())
            }
            RawKind::Scalar(kind) => kind,
            RawKind::List(list) => Kind::List(list.into_iter().map(|raw| raw.into_node(text)).collect()),
            RawKind::Map(map) => {
                Kind::Map(map.into_iter().map(|(k, v)| (k.into_node(text), v.into_node(text))).collect())
            }
        };
        // A mapping or list begins where its first entry does: one mark is enough.
        if matches!(kind, Kind::List(_) | Kind::Map(_)) {
            span.length = 1;
        }
        Node { span, kind }
    }
}

/// The text of a scalar, as written.
fn source<'a>(location: &Location, text: &'a str) -> &'a str {
    let at = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let span = location.span();
    match (at(span.byte_offset()), at(span.byte_len())) {
        (Some(from), Some(length)) => text.get(from..from.saturating_add(length)).unwrap_or_default().trim(),
        _ => "",
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<RawKind>::deserialize(deserializer).map(Raw)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Kinds)
    }
}

struct Kinds;

impl<'de> Visitor<'de> for Kinds {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Null))
    }

    fn visit_none<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Int(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Int(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Float(value, String::new())))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RawKind, A::Error> {
        let mut list = Vec::new();
        while let Some(raw) = access.next_element()? {
            list.push(raw);
        }
        Ok(RawKind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawKind, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = access.next_entry()? {
            map.push(entry);
        }
        Ok(RawKind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'n>(node: &'n Node, key: &str) -> &'n Node {
        let Kind::Map(map) = &node.kind else { panic!("{node:?}") };
        map.iter().find(|(k, _)| k.kind == Kind::Text(key.into())).map_or_else(|| panic!("{key}"), |(_, v)| v)
    }

    #[test]
    fn scalars_keep_their_kind_and_long_numbers_their_digits() {
        let text = "a: 1\nb: -1\nc: 1.50\nd: '1'\ne: on\nf: .nan\ng: 18446744073709551616\nh: true\ni:\nj: [u8; 4]\nnull: 2\n7: 3\n";
        let node = parse(text, "t").unwrap();
        assert_eq!(entry(&node, "a").kind, Kind::Int(1));
        assert_eq!(entry(&node, "b").kind, Kind::Int(-1));
        assert_eq!(entry(&node, "c").kind, Kind::Float(1.5, "1.50".into()));
        assert_eq!(entry(&node, "d").kind, Kind::Text("1".into()));
        assert_eq!(entry(&node, "e").kind, Kind::Text("on".into()));
        assert_eq!(entry(&node, "f").kind, Kind::Text(".nan".into()));
        assert_eq!(
            entry(&node, "g").kind,
            Kind::Float(18446744073709551616.0, "18446744073709551616".into())
        );
        assert_eq!(entry(&node, "h").kind, Kind::Bool(true));
        assert_eq!(entry(&node, "i").kind, Kind::Null);
        assert!(matches!(&entry(&node, "j").kind, Kind::List(l) if l[0].kind == Kind::Text("u8; 4".into())));
        let Kind::Map(map) = &node.kind else { unreachable!() };
        assert_eq!(map[10].0.kind, Kind::Null);
        assert_eq!(map[11].0.kind, Kind::Int(7));
        assert_eq!(map[3].0.span, Span { at: Pos { line: 4, column: 1 }, length: 1 });
        assert_eq!(map[2].1.span, Span { at: Pos { line: 3, column: 4 }, length: 4 });
    }
}
