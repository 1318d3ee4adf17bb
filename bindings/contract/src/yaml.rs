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
    /// In decimal digits.
    Int(i128),
    /// In hexadecimal digits behind `0x`, which floats and decimals do not take.
    Hex(i128),
    /// A number with a fraction or an exponent, beyond 64 bits, or `.nan` and `.inf`, which no type takes;
    /// with its text, which loses no digit.
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
            Kind::Int(_) | Kind::Hex(_) => "an integer",
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
        Ok(raw) => {
            let mut report = Report::new(text, file);
            let node = raw.into_node(text, &mut report);
            if report.count() > 0 { Err(report.into_errors()) } else { Ok(node) }
        }
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
        // Else `1e999` would come as the text `.inf`.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
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
        Error::Budget { breach, .. } => (
            Code::LIMIT,
            breached(breach),
            match breach {
                BudgetBreach::Depth { .. } => NEST_LESS,
                BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                    "split the contract into several files"
                }
                _ => "write the values out, or split the contract into several files",
            },
        ),
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
        // Inside an alias the error comes as text, and so does a nest that the scanner meets before the
        // budget does.
        _ if message(error).contains("alias replay limit") => {
            (Code::LIMIT, too_many_aliased(), "write the values out")
        }
        _ if message(error).contains("recursion limit") => (Code::LIMIT, too_deep(), NEST_LESS),
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
        _ => (
            Code::SYNTAX,
            format!("this is not YAML: {}", message(error)),
            syntax_remedy(text, span.at, &message(error)),
        ),
    };
    report.add(code, span, cause, remedy);
}

const NEST_LESS: &str =
    "take some of the `[`, `{` or indented levels away: define a struct for what is inside";

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
fn syntax_remedy(text: &str, at: Pos, said: &str) -> &'static str {
    let line = usize::try_from(at.line).ok().and_then(|n| n.checked_sub(1)).and_then(|n| text.lines().nth(n));
    let line = line.unwrap_or_default();
    if said.contains("`\\u{") {
        "remove this character: it stands for no text"
    } else if said.contains("unexpected character") {
        "put text that begins with this character between quotes"
    } else if said.contains("mapping values are not allowed") {
        "put text that has `: ` in it between quotes, or begin another line with this key"
    } else if line.contains('\t') {
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
    fn into_node(self, text: &str, report: &mut Report<'_>) -> Node {
        let location = self.0.referenced;
        let mut span = span(&location);
        let kind = match self.0.value {
            RawKind::Scalar(kind @ (Kind::Int(_) | Kind::Float(..))) => {
                let written = source(&self.0.defined, text);
                let number = number(kind, written);
                if number.is_none() {
                    let cause =
                        format!("`{}` is a number in a notation that contracts do not have", clip(written));
                    report.add(Code::BAD_NUMBER, span, cause, NOTATION);
                }
                number.unwrap_or(Kind::Null)
            }
            RawKind::Scalar(kind) => kind,
            RawKind::List(list) => {
                Kind::List(list.into_iter().map(|raw| raw.into_node(text, report)).collect())
            }
            RawKind::Map(map) => Kind::Map(
                map.into_iter()
                    .map(|(k, v)| (k.into_node(text, report), v.into_node(text, report)))
                    .collect(),
            ),
        };
        // A mapping or list begins where its first entry does: one mark is enough.
        if matches!(kind, Kind::List(_) | Kind::Map(_)) {
            span.length = 1;
        }
        Node { span, kind }
    }
}

const NOTATION: &str = "write it as JSON does, such as 7, -1, 0.5 or 1e-9, or an integer as 0xff; or put it between quotes if it is text";

/// What the library took for a number, if it is written in a way that no reader takes for another one: as in
/// JSON, or in hexadecimal. `1_0`, `0o17`, `017`, `+1`, `.5` and `5.` are not: YAML's versions and its
/// libraries disagree on them.
fn number(kind: Kind, written: &str) -> Option<Kind> {
    let unsigned = written.strip_prefix('-').unwrap_or(written);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if let Some(hex) = unsigned.strip_prefix("0x") {
        let is_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        return match kind {
            Kind::Int(value) if is_hex => Some(Kind::Hex(value)),
            // Beyond 64 bits; U256 reads the text.
            Kind::Float(value, _) if is_hex => Some(Kind::Float(value, written.to_owned())),
            _ => None,
        };
    }
    // `.nan` or `.inf`.
    if let Kind::Float(value, _) = kind
        && !value.is_finite()
        && !unsigned.contains(|c: char| c.is_ascii_digit())
    {
        return Some(Kind::Float(value, written.to_owned()));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let fits = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits);
    match kind {
        _ if !fits => None,
        Kind::Float(value, _) => Some(Kind::Float(value, written.to_owned())),
        kind => Some(kind),
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
    fn numbers_are_written_as_in_json_or_in_hexadecimal() {
        for (text, kind) in [
            ("0", Kind::Int(0)),
            ("-0", Kind::Int(0)),
            ("10", Kind::Int(10)),
            ("-7", Kind::Int(-7)),
            ("0xfF", Kind::Hex(255)),
            ("-0x10", Kind::Hex(-16)),
            ("1.5", Kind::Float(1.5, "1.5".into())),
            ("1e-9", Kind::Float(1e-9, "1e-9".into())),
            ("-0.0", Kind::Float(-0.0, "-0.0".into())),
            ("1E+2", Kind::Float(100.0, "1E+2".into())),
            ("-1e999", Kind::Float(f64::NEG_INFINITY, "-1e999".into())),
            ("-.inf", Kind::Float(f64::NEG_INFINITY, "-.inf".into())),
        ] {
            assert_eq!(entry(&parse(&format!("a: {text}"), "t").unwrap(), "a").kind, kind, "{text}");
        }
        // What YAML 1.1, YAML 1.2 and Rust have besides: an error, or text, which no number takes.
        for text in [
            "1_0", "_1", "1_", "0o17", "017", "00", "0b11", "+1", "+0x1", "0X1F", "0x1_F", "0x", "1:30",
            ".5", "5.", "+1.5", "1_0.5", "01.5", "1.5e", "1e_5", "1.e5", "١", "0o", "--1", "1 000", "1,000",
        ] {
            match parse(&format!("a: {text}"), "t") {
                Ok(node) => assert!(
                    matches!(entry(&node, "a").kind, Kind::Text(_) | Kind::List(_)),
                    "{text}: {node:?}"
                ),
                Err(errors) => {
                    let error = &errors.list()[0];
                    assert_eq!((errors.list().len(), error.code), (1, Code::BAD_NUMBER), "{text}: {errors}");
                    assert_eq!(error.at, Pos { line: 1, column: 4 }, "{text}: {errors}");
                }
            }
        }
        // The same value through an alias, as a key, in a list; and none that is quoted.
        for text in ["a: &x 1_0\nb: *x", "1_0: a", "a: [1, 0o17]", "a: {b: 017}"] {
            assert_eq!(parse(text, "t").unwrap_err().list()[0].code, Code::BAD_NUMBER, "{text}");
        }
        for text in ["a: &x 10\nb: *x", "a: 10 # ten", "a: 10\r\n", "{a: 10}", "a:\n  10\n", "a: !!int 10"] {
            assert_eq!(entry(&parse(text, "t").unwrap(), "a").kind, Kind::Int(10), "{text}");
        }
        assert_eq!(entry(&parse("a: &x 10\nb: *x", "t").unwrap(), "b").kind, Kind::Int(10));
        for text in ["a: '1_0'", "a: \"0o17\"", "a: |\n  017", "a: v1_0"] {
            assert!(matches!(entry(&parse(text, "t").unwrap(), "a").kind, Kind::Text(_)), "{text}");
        }
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
        assert!(
            matches!(&entry(&node, "f").kind, Kind::Float(value, text) if value.is_nan() && text == ".nan")
        );
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
