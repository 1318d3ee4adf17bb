//! Random values of any type, the same for a seed on every machine.

use mycelium_contract::{DecimalValue, Field, Type, Value};

use crate::Model;

/// Elements of a random list, at most.
const LIST_LEN_MAX: u64 = 5;
/// Characters of a random string, at most. Long enough for a length word of two bytes.
const STRING_LEN_MAX: u64 = 80;
/// How many lists may be nested before they come out empty.
const DEPTH_MAX: u32 = 6;

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose numbers follow from `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }
}

/// Random values for `fields`. They fit the types; the rules of the contract they may break.
pub fn fields(model: &Model<'_>, fields: &[Field], rng: &mut Rng) -> Vec<(String, Value)> {
    record(model, fields, rng, 0)
}

fn record(model: &Model<'_>, fields: &[Field], rng: &mut Rng, depth: u32) -> Vec<(String, Value)> {
    fields.iter().map(|field| (field.name.clone(), value(model, &field.ty, rng, depth))).collect()
}

fn value(model: &Model<'_>, ty: &Type, rng: &mut Rng, depth: u32) -> Value {
    match ty {
        Type::Bool => Value::Bool(rng.below(2) == 1),
        Type::F32 => Value::Float(float(rng, |bits| f64::from(f32::from_bits(bits as u32)))),
        Type::F64 => Value::Float(float(rng, f64::from_bits)),
        Type::Decimal => decimal(rng),
        Type::U256 | Type::I256 => Value::Wide(std::array::from_fn(|_| sparse(rng))),
        Type::String => Value::String(text(rng)),
        Type::Bytes => Value::Bytes((0..rng.below(STRING_LEN_MAX)).map(|_| rng.next_u64() as u8).collect()),
        Type::Array(of, count) => Value::List((0..*count).map(|_| value(model, of, rng, depth)).collect()),
        Type::Vec(of) => {
            let len = if depth >= DEPTH_MAX { 0 } else { rng.below(LIST_LEN_MAX + 1) };
            Value::List((0..len).map(|_| value(model, of, rng, depth + 1)).collect())
        }
        Type::Option(_) if rng.below(3) == 0 => Value::None,
        Type::Option(of) => Value::Some(Box::new(value(model, of, rng, depth))),
        Type::Enum(name) => {
            let variants = model.contract.enum_def(name).map_or(&[][..], |def| &def.variants);
            match variants.get(rng.below(variants.len() as u64) as usize) {
                Some(v) => Value::Variant(v.name.clone(), record(model, &v.fields, rng, depth)),
                None => Value::None,
            }
        }
        Type::Struct(name) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            Value::Struct(record(model, fields, rng, depth))
        }
        integer => {
            let (lo, hi) = integer.int_range().unwrap_or((0, 0));
            let span = (hi - lo) as u128;
            match rng.below(8) {
                0 => Value::Int(lo),
                1 => Value::Int(hi),
                2 => Value::Int(lo.max(0)),
                _ => Value::Int(lo + (u128::from(rng.next_u64()) % (span + 1)) as i128),
            }
        }
    }
}

/// NaN has no payload here, so that what `f32` makes of it is the same on every machine.
fn float(rng: &mut Rng, from_bits: impl Fn(u64) -> f64) -> f64 {
    match rng.below(8) {
        0 => 0.0,
        1 => -0.0,
        2 => f64::INFINITY,
        3 => f64::NAN,
        _ => Some(from_bits(rng.next_u64())).filter(|f| !f.is_nan()).unwrap_or(f64::NAN),
    }
}

/// Often all zeros or all ones, where carries go wrong.
fn sparse(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => 0,
        1 => u64::MAX,
        _ => rng.next_u64(),
    }
}

fn decimal(rng: &mut Rng) -> Value {
    let mantissa = (u128::from(sparse(rng)) | u128::from(sparse(rng)) << 64) & ((1 << 96) - 1);
    let negative = mantissa != 0 && rng.below(2) == 1;
    Value::Decimal(DecimalValue { negative, mantissa, scale: rng.below(29) as u8 })
}

/// Lengths around the limit of inline strings are as likely as long ones.
fn text(rng: &mut Rng) -> String {
    const CHARS: [char; 8] = ['a', 'Z', '0', ' ', '\0', '\u{e9}', '\u{20ac}', '\u{1f344}'];
    let len = if rng.below(2) == 0 { rng.below(11) } else { rng.below(STRING_LEN_MAX) };
    let kinds = if rng.below(2) == 0 { 4 } else { CHARS.len() as u64 };
    (0..len).map(|_| CHARS[rng.below(kinds) as usize]).collect()
}
