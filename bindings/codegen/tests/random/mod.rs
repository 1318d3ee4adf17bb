//! Random values of any type, the same for a seed on every machine.

use mycelium_codegen::Model;
use mycelium_codegen::encode::Encoded;
use mycelium_contract::{DecimalValue, Field, Message, Type, Value};
use mycelium_random::Random;

/// Elements of a random list, at most.
const LIST_LEN_MAX: u64 = 5;
/// Characters of a random string, at most. Long enough for a length word of two bytes.
const STRING_LEN_MAX: usize = 80;
/// How many lists may be nested before they come out empty.
const DEPTH_MAX: u32 = 6;

/// Random values for `fields`. They fit the types; the rules of the contract they may break.
pub(crate) fn fields(model: &Model<'_>, fields: &[Field], random: &mut Random) -> Vec<(String, Value)> {
    record(model, fields, random, 0)
}

/// The bytes of `encoded` with another one at some of its marks: one copy for each mark that is damaged.
pub(crate) fn damaged_at_marks(encoded: &Encoded, random: &mut Random) -> Vec<Vec<u8>> {
    let mut damaged = Vec::new();
    for mark in &encoded.marks {
        if random.chance(30) {
            let mut bytes = encoded.bytes.clone();
            let at = mark.at + random.index(8).min(bytes.len() - mark.at - 1);
            bytes[at] = random.pick(&[0, 1, 2, 3, 8, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xf0, 0xfc, 0xff]);
            damaged.push(bytes);
        }
    }
    damaged
}

/// Cuts `bytes`, lengthens them at either end, or leaves them as they are.
pub(crate) fn cut_or_lengthen(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(4) {
        0 => bytes.truncate(random.index(bytes.len() + 1)),
        1 => bytes.extend(random.bytes(9)),
        2 => drop(bytes.splice(0..0, [0; 8])),
        _ => {}
    }
}

/// A version and a root length that a frame could name for `len` bytes of a message: the right ones, or not.
pub(crate) fn header(
    message: &Message,
    version: u16,
    root_len: u32,
    len: usize,
    random: &mut Random,
) -> (u16, u32) {
    let versions = [version, 0, 1, message.version, message.version + 1, u16::MAX];
    let roots = [root_len, 0, root_len + 8, root_len.saturating_sub(4), len as u32];
    (random.pick(&versions), random.pick(&roots))
}

fn record(model: &Model<'_>, fields: &[Field], random: &mut Random, depth: u32) -> Vec<(String, Value)> {
    fields.iter().map(|field| (field.name.clone(), value(model, &field.ty, random, depth))).collect()
}

fn value(model: &Model<'_>, ty: &Type, random: &mut Random, depth: u32) -> Value {
    match ty {
        Type::Bool => Value::Bool(random.below(2) == 1),
        Type::F32 => Value::Float(float(random, |bits| f64::from(f32::from_bits(bits as u32)))),
        Type::F64 => Value::Float(float(random, f64::from_bits)),
        Type::Decimal => decimal(random),
        Type::U256 | Type::I256 => Value::Wide(std::array::from_fn(|_| sparse(random))),
        Type::String => Value::String(text(random)),
        Type::Bytes => {
            let len = random.index(STRING_LEN_MAX);
            Value::Bytes(random.bytes(len))
        }
        Type::Array(of, count) => Value::List((0..*count).map(|_| value(model, of, random, depth)).collect()),
        Type::Vec(of) => {
            let len = if depth >= DEPTH_MAX { 0 } else { random.below(LIST_LEN_MAX + 1) };
            Value::List((0..len).map(|_| value(model, of, random, depth + 1)).collect())
        }
        Type::Option(_) if random.below(3) == 0 => Value::None,
        Type::Option(of) => Value::Some(Box::new(value(model, of, random, depth))),
        Type::Enum(name) => {
            let variants = &model.contract.enum_def(name).expect("it is defined").variants;
            let variant = &variants[random.index(variants.len())];
            Value::Variant(variant.name.clone(), record(model, &variant.fields, random, depth))
        }
        Type::Struct(name) => {
            let fields = &model.contract.struct_def(name).expect("it is defined").fields;
            Value::Struct(record(model, fields, random, depth))
        }
        integer => {
            let (lo, hi) = integer.int_range().expect("all others are above");
            let span = (hi - lo) as u128;
            match random.below(8) {
                0 => Value::Int(lo),
                1 => Value::Int(hi),
                2 => Value::Int(lo.max(0)),
                _ => Value::Int(lo + (u128::from(random.next_u64()) % (span + 1)) as i128),
            }
        }
    }
}

/// NaN has no payload here, so that what `f32` makes of it is the same on every machine.
fn float(random: &mut Random, from_bits: impl Fn(u64) -> f64) -> f64 {
    match random.below(8) {
        0 => 0.0,
        1 => -0.0,
        2 => f64::INFINITY,
        3 => f64::NAN,
        _ => Some(from_bits(random.next_u64())).filter(|f| !f.is_nan()).unwrap_or(f64::NAN),
    }
}

/// Often all zeros or all ones, where carries go wrong.
fn sparse(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => 0,
        1 => u64::MAX,
        _ => random.next_u64(),
    }
}

fn decimal(random: &mut Random) -> Value {
    let mantissa = (u128::from(sparse(random)) | u128::from(sparse(random)) << 64) & ((1 << 96) - 1);
    let negative = mantissa != 0 && random.below(2) == 1;
    Value::Decimal(DecimalValue { negative, mantissa, scale: random.below(29) as u8 })
}

/// Lengths around the limit of inline strings are as likely as long ones.
fn text(random: &mut Random) -> String {
    const CHARS: [char; 8] = ['a', 'Z', '0', ' ', '\0', '\u{e9}', '\u{20ac}', '\u{1f344}'];
    let len = if random.chance(50) { random.index(11) } else { random.index(STRING_LEN_MAX) };
    let kinds = if random.chance(50) { 4 } else { CHARS.len() };
    (0..len).map(|_| random.pick(&CHARS[..kinds])).collect()
}
