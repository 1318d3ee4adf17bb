//! Damage that every reader must notice.

use mycelium_contract::{Field, Message, Value};

use super::{Hostile, Verdict, boundary};
use crate::Model;
use crate::encode::{self, EncodeError, Encoded, Mark, MarkKind, STRING_INLINE_MAX, string_length};

/// Places of one kind that are damaged, at most: an array of a thousand booleans makes no thousand cases.
const PER_KIND_MAX: usize = 3;

pub(super) fn of_message(model: &Model<'_>, message: &Message) -> Result<Vec<Hostile>, EncodeError> {
    let values: Vec<(String, Value)> =
        message.fields.iter().map(|f| (f.name.clone(), boundary::rich(model, &f.ty))).collect();
    let whole = encode::message(model, &message.fields, &values)?;
    let mut cases = truncations(&whole);
    if model.record(&message.fields).layout.fixed {
        let mut longer = whole.bytes.clone();
        longer.extend([0; 8]);
        cases.push(invalid("8 trailing bytes".to_owned(), longer));
    } else if let Some(field) = message.fields.iter().find(|field| !model.layout(&field.ty).fixed) {
        cases.push(invalid(
            "the root's bytes all 0xff behind the value".to_owned(),
            all_ones(model, &whole, field),
        ));
        cases.retain(|case| !case.bytes.is_empty() || case.verdict == Verdict::Truncated);
    }
    let mut seen: Vec<(std::mem::Discriminant<MarkKind>, usize)> = Vec::new();
    for mark in &whole.marks {
        let kind = std::mem::discriminant(&mark.kind);
        match seen.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) if *count >= PER_KIND_MAX => continue,
            Some((_, count)) => *count += 1,
            None => seen.push((kind, 1)),
        }
        damage(&whole, *mark, &mut cases);
    }
    short_strings(model, message, &mut cases)?;
    Ok(cases)
}

/// The first byte of an inline string that starts no UTF-8 text.
fn short_strings(model: &Model<'_>, message: &Message, cases: &mut Vec<Hostile>) -> Result<(), EncodeError> {
    let plain = boundary::of_message(model, &message.fields);
    for (_, values) in plain.into_iter().take(1) {
        let whole = encode::message(model, &message.fields, &values)?;
        let inline = whole.marks.iter().find(|mark| matches!(mark.kind, MarkKind::StringInline(_)));
        if let Some(mark) = inline {
            cases.push(with(&whole, mark.at, &[0xfe], "an inline string that is no UTF-8"));
            cases.push(with(&whole, mark.at, &[b'a', 0xe9], "an inline string cut inside a character"));
        }
    }
    Ok(())
}

fn truncations(whole: &Encoded) -> Vec<Hostile> {
    let mut cases = Vec::new();
    if whole.root_len > 0 {
        for (name, len) in [("no bytes", 0), ("one byte less than the root", whole.root_len - 1)] {
            let bytes = whole.bytes[whole.bytes.len() - len..].to_vec();
            cases.push(Hostile { name: name.to_owned(), bytes, verdict: Verdict::Truncated });
        }
    }
    cases
}

/// A root of ones: a list in it claims 2^32 - 1 elements. Empty where a string is all that stands outside.
fn all_ones(model: &Model<'_>, whole: &Encoded, field: &Field) -> Vec<u8> {
    use mycelium_contract::Type;
    let _ = model;
    if !matches!(field.ty, Type::Vec(_) | Type::Bytes) {
        return Vec::new();
    }
    let mut bytes = whole.bytes.clone();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(std::iter::repeat_n(0xff, whole.root_len.next_multiple_of(8)));
    bytes
}

fn damage(whole: &Encoded, mark: Mark, cases: &mut Vec<Hostile>) {
    let at = mark.at;
    match mark.kind {
        MarkKind::Bool => cases.push(with(whole, at, &[2], "bool 2")),
        MarkKind::Tag(count) if count < 256 => {
            cases.push(with(whole, at, &[count as u8], &format!("tag {count}")));
            cases.push(with(whole, at, &[0xff], "tag 255"));
        }
        MarkKind::StringOutside(target) => {
            cases.push(with(whole, target, &[0xff], "bytes that are no UTF-8"));
            cases.push(with(whole, at + 4, &i32::MAX.to_le_bytes(), "offset far behind the value"));
            cases.push(with(whole, at + 4, &i32::MIN.to_le_bytes(), "offset far before the value"));
            cases.push(with(whole, at + 4, &0i32.to_le_bytes(), "offset to the cell itself"));
            cases.push(with(whole, at, &string_length((1 << 30) - 1).to_le_bytes(), "length 2^30 - 1"));
            let inline = string_length(STRING_INLINE_MAX as u32);
            cases.push(with(whole, at, &inline.to_le_bytes(), "length 8 outside the cell"));
        }
        MarkKind::List(len) if len > 0 => {
            cases.push(with(whole, at, &i32::MAX.to_le_bytes(), "offset far behind the value"));
            cases.push(with(whole, at, &i32::MIN.to_le_bytes(), "offset far before the value"));
            cases.push(with(whole, at, &0i32.to_le_bytes(), "offset to the cell itself"));
            cases.push(with(whole, at + 4, &u32::MAX.to_le_bytes(), "2^32 - 1 elements"));
            cases.push(with(whole, at + 4, &(1u32 << 28).to_le_bytes(), "2^28 elements"));
        }
        MarkKind::Decimal => {
            cases.push(with(whole, at + 12, &[29], "decimal scale 29"));
            cases.push(with(whole, at + 13, &[2], "decimal sign 2"));
            cases.push(with(whole, at + 14, &[1], "decimal padding"));
            cases.push(with(whole, at, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "decimal of -0"));
        }
        _ => {}
    }
}

fn with(whole: &Encoded, at: usize, patch: &[u8], what: &str) -> Hostile {
    let mut bytes = whole.bytes.clone();
    bytes[at..at + patch.len()].copy_from_slice(patch);
    invalid(format!("{what} at byte {at}"), bytes)
}

fn invalid(name: String, bytes: Vec<u8>) -> Hostile {
    Hostile { name, bytes, verdict: Verdict::Invalid }
}
