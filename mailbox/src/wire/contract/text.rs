//! Types as the table spells them, the room that they take, and how digests spell them.

use std::fmt::Write;

use super::{Definition, Room, Ty};

/// Types nested in the text of one type.
const DEPTH_MAX: usize = 8;
/// Elements of an array.
const ARRAY_MAX: usize = 8_192;

const OUTSIDE: Room = Room { size: 8, align: 4, fixed: false };

impl Ty {
    /// The type that `text` spells; `None` if it spells none that was defined before.
    pub(super) fn parse(text: &str, find: &impl Fn(&str) -> Option<usize>) -> Option<Self> {
        Self::parse_at(text, find, 0)
    }

    fn parse_at(text: &str, find: &impl Fn(&str) -> Option<usize>, depth: usize) -> Option<Self> {
        if depth > DEPTH_MAX {
            return None;
        }
        let inner = |text| Some(Box::new(Self::parse_at(text, find, depth + 1)?));
        if let Some(of) = text.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>')) {
            return Some(Self::List(inner(of)?));
        }
        if let Some(of) = text.strip_prefix("Option<").and_then(|rest| rest.strip_suffix('>')) {
            let of = inner(of)?;
            return (!matches!(*of, Self::Option(_))).then_some(Self::Option(of));
        }
        if let Some(of) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let (of, count) = of.rsplit_once("; ")?;
            let count = count.parse().ok().filter(|count| (1..=ARRAY_MAX).contains(count))?;
            return Some(Self::Array(inner(of)?, count));
        }
        Some(match text {
            "bool" => Self::Bool,
            "u8" | "i8" => Self::Plain(1),
            "u16" | "i16" => Self::Plain(2),
            "u32" | "i32" | "f32" => Self::Plain(4),
            "u64" | "i64" | "f64" | "Timestamp" => Self::Plain(8),
            "Decimal" => Self::Decimal,
            "U256" | "I256" => Self::Wide,
            "String" => Self::String,
            "Bytes" => Self::List(Box::new(Self::Plain(1))),
            name => Self::Defined(find(name)?),
        })
    }

    pub(super) fn room(&self, definitions: &[Definition]) -> Room {
        let scalar = |size, align| Room { size, align, fixed: true };
        match self {
            Self::Plain(size) => scalar(*size, *size),
            Self::Bool => scalar(1, 1),
            Self::Decimal => scalar(16, 8),
            Self::Wide => scalar(32, 8),
            Self::String | Self::List(_) => OUTSIDE,
            Self::Array(of, count) => {
                let of = of.room(definitions);
                Room { size: of.size.saturating_mul(*count), ..of }
            }
            Self::Option(of) => {
                let of = of.room(definitions);
                Room { size: of.size.saturating_add(of.align), ..of }
            }
            Self::Defined(index) => definitions[*index].room,
        }
    }

    /// Whether any bytes are a value.
    pub(super) fn is_trivial(&self, definitions: &[Definition]) -> bool {
        match self {
            Self::Plain(_) | Self::Wide => true,
            Self::Array(of, _) => of.is_trivial(definitions),
            Self::Defined(index) => definitions[*index].trivial,
            _ => false,
        }
    }

    /// The definition that it is made of, if any.
    pub(super) fn definition(&self) -> Option<usize> {
        match self {
            Self::List(of) | Self::Array(of, _) | Self::Option(of) => of.definition(),
            Self::Defined(index) => Some(*index),
            _ => None,
        }
    }
}

/// The text of a type as digests have it: the name of its definition is followed by that one's digest.
pub(super) fn with_digest(text: &str, name: Option<&str>, digest: u64) -> String {
    let Some(name) = name else { return text.to_owned() };
    // A type is made of one definition, and its text holds no other word of that name: `Op` is none in
    // `Option<Op>` but the last.
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_word =
        |at: &usize| !text[..*at].ends_with(of_word) && !text[at + name.len()..].starts_with(of_word);
    let Some(at) = text.match_indices(name).map(|(at, _)| at).find(is_word) else { return text.to_owned() };
    let (before, after) = text.split_at(at + name.len());
    let mut out = before.to_owned();
    let _ = write!(out, "#{digest:016x}");
    out.push_str(after);
    out
}

pub(super) fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
