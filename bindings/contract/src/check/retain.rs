//! The key `retain` of a message.

use super::keys::{Keys, integer};
use crate::diagnostic::{Report, Span, clip, did_you_mean};
use crate::limits::RETAINED_MAX;
use crate::yaml::{Kind, Node};
use crate::{Code, Contract, Field, Retain, Type};

const FORMS: &str = "write `last`, `{last: 100}`, `{per: instrument}` or `{per: instrument, keys: 1000}`";

/// What the topic of message `name`, which has these fields, retains.
pub(super) fn read(
    keys: &Keys<'_>,
    name: &str,
    fields: &[Field],
    contract: &Contract,
    report: &mut Report<'_>,
) -> Option<Retain> {
    let node = keys.get("retain")?;
    match &node.kind {
        Kind::Text(word) if word == "last" => Some(Retain::Last(1)),
        Kind::Map(map) if !map.is_empty() => {
            let written = keys.get("fields");
            table(node, &Of { name, fields, written, contract }, report)
        }
        Kind::Text(word) => {
            let cause = format!("the topic of `{name}` cannot retain `{}`", clip(word));
            report.add(Code::BAD_RETAIN, node.span, cause, FORMS);
            None
        }
        _ => {
            let cause = format!("`retain` of message `{name}` is {}", node.shape());
            report.add(Code::BAD_RETAIN, node.span, cause, FORMS);
            None
        }
    }
}

/// The message that is retained.
struct Of<'n> {
    name: &'n str,
    /// Those that could be read, of those that are written.
    fields: &'n [Field],
    written: Option<&'n Node>,
    contract: &'n Contract,
}

impl Of<'_> {
    /// Whether such a field is written, and could not be read. That is reported elsewhere.
    fn is_unread(&self, key: &str) -> bool {
        let Some(Kind::Map(written)) = self.written.map(|node| &node.kind) else { return true };
        written.iter().any(|(name, _)| matches!(&name.kind, Kind::Text(name) if name == key))
    }
}

fn table(node: &Node, of: &Of<'_>, report: &mut Report<'_>) -> Option<Retain> {
    let name = of.name;
    let keys = Keys::read(node, "`retain`", node.span, &["last", "per", "keys"], report);
    let count = |key: &str, report: &mut Report<'_>| {
        let node = keys.get(key)?;
        let read = integer(node, &format!("`{key}`"), 1, RETAINED_MAX.into(), Code::BAD_RETAIN, report);
        Some(read.and_then(|count| u32::try_from(count).ok()))
    };
    let (last, most) = (count("last", report), count("keys", report));
    match (last, keys.get("per")) {
        (Some(_), Some(_)) => {
            let cause = format!(
                "the topic of `{name}` retains either the `last` messages, or the last one `per` key"
            );
            report.add(Code::BAD_RETAIN, node.span, cause, "leave one of them out");
            None
        }
        (Some(_), None) if most.is_some() => {
            report.add(Code::BAD_RETAIN, node.span, "`keys` goes with `per`", "leave it out");
            None
        }
        (Some(last), None) => last.map(Retain::Last),
        (None, Some(_)) => {
            let (field, span) = keys.need_text("per", "instrument", report)?;
            let is_key = check_key(of, &field, span, report);
            let keys = most.unwrap_or(Some(RETAINED_MAX))?;
            is_key.then_some(Retain::Per { field, keys })
        }
        (None, None) => {
            // An unknown key was reported.
            if most.is_some() {
                report.add(Code::BAD_RETAIN, node.span, "`keys` goes with `per`", FORMS);
            }
            None
        }
    }
}

/// Whether messages can be told apart by this field; else that is reported.
fn check_key(of: &Of<'_>, key: &str, span: Span, report: &mut Report<'_>) -> bool {
    let Of { name, fields, contract, .. } = *of;
    let Some(field) = fields.iter().find(|field| field.name == key) else {
        if of.is_unread(key) {
            return false;
        }
        let known = fields.iter().map(|field| field.name.as_str()).filter(|_| !report.is_full());
        let remedy = match did_you_mean(key, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name a field of `{name}`"),
        };
        let cause = format!("message `{name}` has no field `{}` to be the key", clip(key));
        report.add(Code::BAD_RETAIN, span, cause, remedy);
        return false;
    };
    let fits = match &field.ty {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => true,
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => true,
        Type::Bool | Type::String => true,
        // One that was not read is reported elsewhere.
        Type::Enum(name) => contract.enum_def(name).is_none_or(crate::EnumDef::is_unit),
        _ => false,
    };
    if !fits {
        let cause =
            format!("`{key}` of message `{name}` is `{}`, by which messages are not told apart", field.ty);
        let remedy = "the key is an integer, a bool, a String or an enum without fields";
        report.add(Code::BAD_RETAIN, span, cause, remedy);
    }
    fits
}
