//! The key `fields`: names and types first, defaults and rules once all definitions are known.

use std::collections::HashSet;

use crate::check::keys::{Entry, Keys, at_most, entries, integer};
use crate::check::names::{self, Naming};
use crate::check::types::{self, Definitions};
use crate::check::{literal, rules};
use crate::diagnostic::{Report, Span};
use crate::limits::{DESCRIPTION_BYTES_MAX, FIELDS_MAX};
use crate::yaml::{Kind, Node};
use crate::{Code, Contract, Field, Type, Value};

/// The remedy where there are too many fields.
const INTO_STRUCT: &str = "put some of them into a struct, and add a field of it";

const KEYS: &[&str] = &["type", "description", "default", "since", "validation"];

/// A field with what is read in the second pass.
pub(crate) struct Draft<'n> {
    pub(crate) field: Field,
    span: Span,
    default: Option<&'n Node>,
    validation: Option<&'n Node>,
}

/// Whether fields may be appended: then how far their `since` may go.
#[derive(Clone, Copy)]
pub(crate) enum Growth {
    /// Structs: never.
    Struct,
    /// Variants: never.
    Variant,
    /// Messages: up to the message's version.
    UpTo(u16),
}

/// Reads the fields of a message, struct or variant (`what`).
pub(crate) fn read<'n>(
    node: &'n Node,
    what: &str,
    growth: Growth,
    defined: &Definitions,
    report: &mut Report<'_>,
) -> Vec<Draft<'n>> {
    let found = entries(node, &format!("`fields` of {what}"), report);
    if let Kind::Map(map) = &node.kind {
        if map.is_empty() {
            report.add(
                Code::WRONG_SHAPE,
                node.span,
                format!("{what} has no field"),
                "add one, such as `at: Timestamp`",
            );
        }
        if !at_most(map.len(), FIELDS_MAX, (&format!("fields in {what}"), INTO_STRUCT), node.span, report) {
            return Vec::new();
        }
    }
    let naming = if let Growth::Variant = growth { Naming::VariantField } else { Naming::Field };
    let mut seen = HashSet::new();
    let mut latest = 1;
    let mut drafts = Vec::with_capacity(found.len());
    for (at, entry) in found.into_iter().enumerate() {
        let named = names::check(&entry, naming, "field", report);
        // `a_1` and `a1` differ here and yet not in every language's generated names.
        if named && !seen.insert(entry.name.replace('_', "")) {
            let cause = format!("the field `{}` differs from another only by `_`", entry.name);
            report.add(Code::NAME_TAKEN, entry.span, cause, "give it another name");
        }
        if let Some(draft) = field(&entry, growth, defined, report) {
            order(&draft, at == 0, &mut latest, report);
            if named {
                drafts.push(draft);
            }
        }
    }
    drafts
}

fn field<'n>(
    entry: &Entry<'n>,
    growth: Growth,
    defined: &Definitions,
    report: &mut Report<'_>,
) -> Option<Draft<'n>> {
    let mut draft = Draft {
        field: Field {
            name: entry.name.to_owned(),
            ty: Type::Bool,
            description: String::new(),
            default: None,
            validation: Vec::new(),
            since: 1,
            at: entry.span.at,
        },
        span: entry.span,
        default: None,
        validation: None,
    };
    let type_node = if matches!(entry.value.kind, Kind::Map(_)) {
        let keys = Keys::read(entry.value, &format!("field `{}`", entry.name), entry.span, KEYS, report);
        draft.field.description = keys.text("description", DESCRIPTION_BYTES_MAX, report);
        draft.default = keys.get("default");
        draft.validation = keys.get("validation");
        if let Some(node) = keys.get("since") {
            draft.field.since = since(node, growth, report)?;
        }
        keys.need("type", "u64", report)?
    } else {
        entry.value
    };
    draft.field.ty = types::read(type_node, defined, report)?;
    Some(draft)
}

fn since(node: &Node, growth: Growth, report: &mut Report<'_>) -> Option<u16> {
    let version = integer(node, "`since`", 1, u16::MAX.into(), Code::BAD_SINCE, report)?;
    let version = u16::try_from(version).ok()?;
    match growth {
        Growth::Struct | Growth::Variant if version > 1 => {
            let remedy = "append the field to the message itself, or define a new type for the new version";
            report.add(
                Code::BAD_SINCE,
                node.span,
                "nested types are frozen: their fields have no `since`",
                remedy,
            );
            None
        }
        Growth::UpTo(highest) if version > highest => {
            let cause = format!("`since: {version}` is above the message's version {highest}");
            report.add(
                Code::BAD_SINCE,
                node.span,
                cause,
                format!("raise the message to `version: {version}`"),
            );
            None
        }
        _ => Some(version),
    }
}

/// `since` may only rise along the list, from 1, and what came later needs a default.
fn order(draft: &Draft<'_>, is_first: bool, latest: &mut u16, report: &mut Report<'_>) {
    let field = &draft.field;
    if is_first && field.since > 1 {
        let (name, since) = (&field.name, field.since);
        let cause =
            format!("`{name}` (since {since}) comes first: a message begins with a field of version 1");
        let remedy = "leave `since` out, or put a field in front that older versions have";
        return report.add(Code::BAD_SINCE, draft.span, cause, remedy);
    }
    if field.since < *latest {
        let cause = format!("`{}` (since {}) stands after a field since {latest}", field.name, field.since);
        report.add(Code::BAD_SINCE, draft.span, cause, "new fields go to the end: move it up");
    }
    *latest = field.since.max(*latest);
    if field.since > 1 && draft.default.is_none() && !matches!(field.ty, Type::Option(_)) {
        let cause = format!("`{}` came with version {} and has no default", field.name, field.since);
        report.add(
            Code::MISSING_DEFAULT,
            draft.span,
            cause,
            "add `default:`, which readers take for older messages",
        );
    }
}

/// The second pass: defaults and rules, when every definition is known and none contains itself.
pub(crate) fn complete(contract: &Contract, draft: Draft<'_>, report: &mut Report<'_>) -> Field {
    let mut field = draft.field;
    if let Some(node) = draft.validation {
        field.validation = rules::read(contract, &field.ty, node, report);
    }
    match draft.default {
        Some(node) => match literal::read(contract, &field.ty, node, !report.is_full()) {
            Ok(value) => {
                if let Some(rule) = rules::broken(&field.ty, &field.validation, &value) {
                    let cause =
                        format!("the default of `{}` breaks its own rule `{}`", field.name, rule.key());
                    report.add(Code::DEFAULT_BREAKS_RULE, node.span, cause, "change the default or the rule");
                }
                field.default = Some(value);
            }
            Err(misfit) => {
                let cause = format!("the default of `{}` does not fit: {}", field.name, misfit.cause);
                report.add(Code::BAD_DEFAULT, misfit.span, cause, misfit.remedy);
            }
        },
        None if field.since > 1 => field.default = Some(Value::None),
        None => {}
    }
    field
}
