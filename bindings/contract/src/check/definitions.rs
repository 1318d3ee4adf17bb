//! The keys `enums` and `structs`.

use std::collections::HashMap;

use crate::check::Drafts;
use crate::check::fields::{self, Growth};
use crate::check::keys::{Entry, Keys, SPLIT, at_most, entries, integer};
use crate::check::names::{self, Naming};
use crate::check::types::{Definition, Definitions};
use crate::diagnostic::{Report, Span};
use crate::limits::{DATA_VARIANTS_MAX, DEFINITIONS_MAX, DESCRIPTION_BYTES_MAX, VARIANTS_MAX};
use crate::yaml::{Kind, Node};
use crate::{Code, Contract, EnumDef, StructDef, Variant};

/// The remedy where there are too many variants.
const SECOND_ENUM: &str = "define a second enum for some of them";

/// Names of messages, structs and enums, and what is derived of them: Rust types of one module, so they must
/// differ.
#[derive(Default)]
pub(super) struct Names {
    /// Whose each name is, by the name in small letters: file systems and people tell case apart badly.
    taken: HashMap<String, String>,
}

impl Names {
    pub(super) fn claim(&mut self, entry: &Entry<'_>, what: &str, report: &mut Report<'_>) -> bool {
        if !names::check(entry, Naming::Type, what, report) {
            return false;
        }
        let lower = entry.name.to_lowercase();
        // rkyv derives `ArchivedX` and `XResolver` beside each `X`.
        let all = [format!("archived{lower}"), format!("{lower}resolver"), lower];
        if let Some(other) = all.iter().rev().find_map(|name| self.taken.get(name)) {
            let cause = format!("the name `{}` is taken by, or too near to, {other}", entry.name);
            report.add(Code::NAME_TAKEN, entry.span, cause, format!("give the {what} another name"));
            return false;
        }
        self.taken.extend(all.map(|name| (name, format!("the {what} `{}`", entry.name))));
        true
    }
}

/// The names under `enums` and `structs`, so that types may be used before they are defined.
pub(super) fn definitions(keys: &Keys<'_>, names: &mut Names, report: &mut Report<'_>) -> Definitions {
    let mut definitions = Definitions::new();
    for (key, what, kind) in [("enums", "enum", Definition::Enum), ("structs", "struct", Definition::Struct)]
    {
        let Some(node) = keys.get(key).filter(|n| n.kind != Kind::Null) else { continue };
        let found = entries(node, &format!("`{key}`"), report);
        if !at_most(found.len(), DEFINITIONS_MAX / 2, (key, SPLIT), node.span, report) {
            continue;
        }
        for entry in found.iter().filter(|e| names.claim(e, what, report)).collect::<Vec<_>>() {
            definitions.insert(entry.name.to_owned(), kind);
        }
    }
    definitions
}

/// The entries under a key whose names were accepted. Shape and names were reported by [`definitions`].
fn accepted<'n>(keys: &Keys<'n>, key: &str, definitions: &Definitions, kind: Definition) -> Vec<Entry<'n>> {
    let Some(Node { kind: Kind::Map(map), .. }) = keys.get(key) else { return Vec::new() };
    map.iter()
        .filter_map(|(k, value)| match &k.kind {
            Kind::Text(name) if definitions.get(name) == Some(&kind) => {
                Some(Entry { name, span: k.span, value })
            }
            _ => None,
        })
        .collect()
}

pub(super) fn read_enums<'n>(
    keys: &Keys<'n>,
    definitions: &Definitions,
    contract: &mut Contract,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    for entry in accepted(keys, "enums", definitions, Definition::Enum) {
        let what = format!("enum `{}`", entry.name);
        let (list, description) = if !matches!(entry.value.kind, Kind::Map(_)) {
            (Some(entry.value), String::new())
        } else {
            let inside = Keys::read(entry.value, &what, entry.span, &["description", "variants"], report);
            let description = inside.text("description", DESCRIPTION_BYTES_MAX, report);
            (inside.need("variants", "[Buy, Sell]", report), description)
        };
        let mut def =
            EnumDef { name: entry.name.to_owned(), description, variants: Vec::new(), at: entry.span.at };
        let list = match list {
            Some(Node { kind: Kind::List(list), .. }) if (1..=VARIANTS_MAX).contains(&list.len()) => {
                &list[..]
            }
            Some(node) => {
                let found = match &node.kind {
                    Kind::List(list) => list.len().to_string(),
                    _ => node.shape().to_owned(),
                };
                let cause =
                    format!("the variants of {what} must be a list of 1 to {VARIANTS_MAX}, not {found}");
                let remedy = match &node.kind {
                    Kind::List(list) if !list.is_empty() => SECOND_ENUM,
                    _ => "write them like `[Buy, Sell]`, or `- Buy` lines",
                };
                report.add(Code::WRONG_SHAPE, node.span, cause, remedy);
                &[]
            }
            None => &[],
        };
        for item in list {
            variant(item, &what, definitions, &mut def, contract.enums.len(), drafts, report);
        }
        unit_growth(&def, entry.span, report);
        let with_fields = def.variants.iter().filter(|variant| !variant.fields.is_empty()).count();
        at_most(with_fields, DATA_VARIANTS_MAX, ("variants with fields", SECOND_ENUM), entry.span, report);
        contract.enums.push(def);
    }
}

/// One variant: a name, or `Name: {description, fields, since}`.
fn variant<'n>(
    node: &'n Node,
    what: &str,
    definitions: &Definitions,
    def: &mut EnumDef,
    at: usize,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    let (entry, inside) = match &node.kind {
        Kind::Text(name) => (Entry { name, span: node.span, value: node }, None),
        Kind::Map(map) => match map.as_slice() {
            [(Node { kind: Kind::Text(name), span }, value)] => {
                let inside = (value.kind != Kind::Null).then_some(value);
                (Entry { name, span: *span, value }, inside)
            }
            _ => {
                let remedy = "begin every variant with `- ` on its own line";
                return report.add(
                    Code::WRONG_SHAPE,
                    node.span,
                    format!("a variant of {what} has one name"),
                    remedy,
                );
            }
        },
        _ => {
            let cause = format!("a variant of {what} is a name, not {}", node.shape());
            let remedy = "write a name such as `Buy`: a capital, then letters and digits";
            return report.add(Code::WRONG_SHAPE, node.span, cause, remedy);
        }
    };
    if !names::check(&entry, Naming::Variant, "variant", report) {
        return;
    }
    if def.variants.iter().any(|v| v.name.eq_ignore_ascii_case(entry.name)) {
        let cause = format!("the variant `{}` stands twice in {what}", entry.name);
        return report.add(Code::NAME_TAKEN, entry.span, cause, "remove or rename one");
    }
    let mut made = Variant {
        name: entry.name.to_owned(),
        description: String::new(),
        fields: Vec::new(),
        since: 1,
        at: entry.span.at,
    };
    if let Some(inside) = inside {
        let called = format!("variant `{}`", entry.name);
        let keys = Keys::read(inside, &called, entry.span, &["description", "fields", "since"], report);
        made.description = keys.text("description", DESCRIPTION_BYTES_MAX, report);
        if let Some(node) = keys.get("since")
            && let Some(since) = integer(node, "`since`", 1, u16::MAX.into(), Code::BAD_SINCE, report)
        {
            made.since = u16::try_from(since).unwrap_or(1);
        }
        if let Some(node) = keys.get("fields") {
            let read = fields::read(node, &called, Growth::Variant, definitions, report);
            made.fields = read.iter().map(|d| d.field.clone()).collect();
            drafts.variants.push((at, def.variants.len(), read));
        }
    }
    def.variants.push(made);
}

/// Only unit enums grow, and only at their end.
fn unit_growth(def: &EnumDef, span: Span, report: &mut Report<'_>) {
    if !def.is_unit() && def.variants.iter().any(|v| v.since > 1) {
        let cause = format!("the enum `{}` has variants with fields, so it is frozen: no `since`", def.name);
        report.add(Code::BAD_SINCE, span, cause, "define a new enum for the new version");
    }
    let sorted = def.variants.windows(2).all(|pair| pair[0].since <= pair[1].since);
    if !sorted || def.variants.first().is_some_and(|v| v.since > 1) {
        let cause = format!("the variants of `{}` are not in the order of their `since`, from 1", def.name);
        report.add(Code::BAD_SINCE, span, cause, "new variants go to the end");
    }
}

pub(super) fn read_structs<'n>(
    keys: &Keys<'n>,
    definitions: &Definitions,
    contract: &mut Contract,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    for entry in accepted(keys, "structs", definitions, Definition::Struct) {
        let what = format!("struct `{}`", entry.name);
        let inside = Keys::read(entry.value, &what, entry.span, &["description", "fields"], report);
        let description = inside.text("description", DESCRIPTION_BYTES_MAX, report);
        let read = match inside.need("fields", "{price: f64}", report) {
            Some(node) => fields::read(node, &what, Growth::Struct, definitions, report),
            None => Vec::new(),
        };
        contract.structs.push(StructDef {
            name: entry.name.to_owned(),
            description,
            fields: read.iter().map(|d| d.field.clone()).collect(),
            at: entry.span.at,
        });
        drafts.structs.push(read);
    }
}
