//! Values at the limits of their types.

use mycelium_contract::{DecimalValue, Field, Type, Value};

use crate::Model;

/// Boundary values of one field, at most: nested types would multiply without end.
const PER_FIELD_MAX: usize = 24;
/// Nested definitions are varied to this depth and plain below.
const DEPTH_MAX: u32 = 2;

/// A value in words.
type Named<T> = (String, T);

/// A plain value, one rich in content, and for each field its boundary values with all others plain.
pub(super) fn of_message(model: &Model<'_>, fields: &[Field]) -> Vec<Named<Vec<(String, Value)>>> {
    let mut all = vec![
        ("plain".to_owned(), record(model, fields, plain)),
        ("rich".to_owned(), record(model, fields, rich)),
    ];
    let base = record(model, fields, plain);
    for (index, field) in fields.iter().enumerate() {
        for (name, value) in limits(model, &field.ty, 0) {
            let mut values = base.clone();
            values[index].1 = value;
            all.push((format!("{} = {name}", field.name), values));
        }
    }
    all
}

type Make = fn(&Model<'_>, &Type) -> Value;

fn record(model: &Model<'_>, fields: &[Field], make: Make) -> Vec<(String, Value)> {
    fields.iter().map(|field| (field.name.clone(), make(model, &field.ty))).collect()
}

/// Zero, empty, absent, the first variant.
fn plain(model: &Model<'_>, ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::F32 | Type::F64 => Value::Float(0.0),
        Type::Decimal => Value::Decimal(DecimalValue { negative: false, mantissa: 0, scale: 0 }),
        Type::U256 | Type::I256 => Value::Wide([0; 4]),
        Type::String => Value::String(String::new()),
        Type::Bytes => Value::Bytes(Vec::new()),
        Type::Array(of, count) => Value::List(vec![plain(model, of); *count as usize]),
        Type::Vec(_) => Value::List(Vec::new()),
        Type::Option(_) => Value::None,
        Type::Enum(_) => variant(model, ty, 0, plain),
        Type::Struct(_) => nested(model, ty, plain),
        _ => Value::Int(0),
    }
}

/// Something of everything: two elements, a string outside its cell, the last variant.
pub(super) fn rich(model: &Model<'_>, ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(true),
        Type::F32 | Type::F64 => Value::Float(-1.5),
        Type::Decimal => Value::Decimal(DecimalValue { negative: true, mantissa: 12_345, scale: 2 }),
        Type::U256 | Type::I256 => Value::Wide([1, 2, 3, 4]),
        Type::String => Value::String("outside its cell".to_owned()),
        Type::Bytes => Value::Bytes(vec![0, 1, 0xfe, 0xff]),
        Type::Array(of, count) => Value::List(vec![rich(model, of); *count as usize]),
        Type::Vec(of) => Value::List(vec![rich(model, of), plain(model, of)]),
        Type::Option(of) => Value::Some(Box::new(rich(model, of))),
        Type::Enum(name) => {
            let last = model.contract.enum_def(name).map_or(1, |def| def.variants.len());
            variant(model, ty, last - 1, rich)
        }
        Type::Struct(_) => nested(model, ty, rich),
        integer => {
            Value::Int(integer.int_range().map_or(0, |(_, hi)| hi.min(i128::from(0x0102_0304_0506_0708i64))))
        }
    }
}

fn variant(model: &Model<'_>, ty: &Type, index: usize, make: Make) -> Value {
    let Type::Enum(name) = ty else { return Value::None };
    match model.contract.enum_def(name).and_then(|def| def.variants.get(index)) {
        Some(found) => Value::Variant(found.name.clone(), record(model, &found.fields, make)),
        None => Value::None,
    }
}

fn nested(model: &Model<'_>, ty: &Type, make: Make) -> Value {
    let Type::Struct(name) = ty else { return Value::None };
    Value::Struct(
        model.contract.struct_def(name).map_or_else(Vec::new, |def| record(model, &def.fields, make)),
    )
}

fn limits(model: &Model<'_>, ty: &Type, depth: u32) -> Vec<Named<Value>> {
    let mut all = match ty {
        Type::Bool => vec![("true".to_owned(), Value::Bool(true))],
        Type::F32 => {
            floats(&[f32::MIN.into(), f32::MAX.into(), f32::MIN_POSITIVE.into(), f32::from_bits(1).into()])
        }
        Type::F64 => floats(&[f64::MIN, f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), f64::EPSILON]),
        Type::Decimal => decimals(),
        Type::U256 => wides(&[[1, 0, 0, 0], [u64::MAX; 4], [0, 0, 0, 1 << 63], [0, 1, 0, 0]]),
        Type::I256 => {
            wides(&[[u64::MAX; 4], [0, 0, 0, 1 << 63], [u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 1]])
        }
        Type::String => strings(),
        Type::Bytes => [1usize, 7, 8, 9, 64]
            .iter()
            .map(|len| (format!("{len} bytes"), Value::Bytes((0..*len).map(|i| (i * 37) as u8).collect())))
            .collect(),
        Type::Vec(of) => lists(model, of, depth),
        Type::Array(of, count) => {
            let mut items = vec![plain(model, of); *count as usize];
            items[*count as usize - 1] = rich(model, of);
            vec![("last element rich".to_owned(), Value::List(items)), ("rich".to_owned(), rich(model, ty))]
        }
        Type::Option(of) => {
            let mut some = vec![("Some(plain)".to_owned(), Value::Some(Box::new(plain(model, of))))];
            some.extend(
                limits(model, of, depth)
                    .into_iter()
                    .map(|(name, v)| (format!("Some({name})"), Value::Some(Box::new(v)))),
            );
            some
        }
        Type::Enum(name) => {
            let variants = model.contract.enum_def(name).map_or(&[][..], |def| &def.variants);
            let each = variants.iter().enumerate().flat_map(|(index, found)| {
                let plain = (found.name.clone(), variant(model, ty, index, plain));
                let rich = (format!("{} rich", found.name), variant(model, ty, index, rich));
                std::iter::once(plain).chain((!found.fields.is_empty()).then_some(rich))
            });
            each.collect()
        }
        Type::Struct(name) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            structs(model, fields, depth)
        }
        integer => integers(integer),
    };
    all.truncate(PER_FIELD_MAX);
    all
}

fn integers(ty: &Type) -> Vec<Named<Value>> {
    let (lo, hi) = ty.int_range().unwrap_or((0, 0));
    let mut all = vec![("maximum".to_owned(), Value::Int(hi)), ("1".to_owned(), Value::Int(1))];
    if lo < 0 {
        all.extend([("minimum".to_owned(), Value::Int(lo)), ("-1".to_owned(), Value::Int(-1))]);
    }
    all
}

fn floats(special: &[f64]) -> Vec<Named<Value>> {
    let common = [-0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    common.iter().chain(special).map(|float| (format!("{float:?}"), Value::Float(*float))).collect()
}

fn decimals() -> Vec<Named<Value>> {
    let largest = (1u128 << 96) - 1;
    [
        ("1", false, 1, 0),
        ("-1.50", true, 150, 2),
        ("0 of scale 28", false, 0, 28),
        ("the largest", false, largest, 0),
        ("the lowest", true, largest, 0),
        ("the closest to zero", false, 1, 28),
        ("2^64", false, 1 << 64, 0),
    ]
    .map(|(name, negative, mantissa, scale)| {
        (name.to_owned(), Value::Decimal(DecimalValue { negative, mantissa, scale }))
    })
    .to_vec()
}

fn wides(limbs: &[[u64; 4]]) -> Vec<Named<Value>> {
    limbs.iter().map(|limbs| (format!("limbs {limbs:x?}"), Value::Wide(*limbs))).collect()
}

/// Around the inline limit of 8 bytes, around the bits that the length word skips, and every length of a
/// character.
fn strings() -> Vec<Named<Value>> {
    let mut all: Vec<_> = [1usize, 7, 8, 9, 63, 64, 65, 255, 256]
        .iter()
        .map(|len| {
            (format!("{len} ASCII bytes"), Value::String("abcdefghij".chars().cycle().take(*len).collect()))
        })
        .collect();
    for (name, text) in [
        ("8 bytes of two-byte characters", "\u{e9}\u{e9}\u{e9}\u{e9}"),
        ("9 bytes of three-byte characters", "\u{20ac}\u{20ac}\u{20ac}"),
        ("8 bytes of four-byte characters", "\u{1f344}\u{1f344}"),
        ("combining and right-to-left characters", "e\u{301} \u{5e9}\u{5dc}\u{5d5}\u{5dd}"),
        ("zero bytes inline", "a\0\0b"),
        ("zero bytes outside", "\0\0\0\0\0\0\0\0\0"),
    ] {
        all.push((name.to_owned(), Value::String(text.to_owned())));
    }
    all
}

fn lists(model: &Model<'_>, of: &Type, depth: u32) -> Vec<Named<Value>> {
    let mut all = vec![
        ("one plain element".to_owned(), Value::List(vec![plain(model, of)])),
        ("three elements".to_owned(), Value::List(vec![rich(model, of), plain(model, of), rich(model, of)])),
    ];
    if depth < DEPTH_MAX {
        let elements: Vec<_> = limits(model, of, depth + 1).into_iter().map(|(_, value)| value).collect();
        all.push(("all limits of the element".to_owned(), Value::List(elements)));
    }
    all
}

fn structs(model: &Model<'_>, fields: &[Field], depth: u32) -> Vec<Named<Value>> {
    let mut all = vec![("rich".to_owned(), Value::Struct(record(model, fields, rich)))];
    if depth >= DEPTH_MAX {
        return all;
    }
    let base = record(model, fields, plain);
    for (index, field) in fields.iter().enumerate() {
        if all.len() >= PER_FIELD_MAX {
            break;
        }
        for (name, value) in limits(model, &field.ty, depth + 1).into_iter().take(4) {
            let mut values = base.clone();
            values[index].1 = value;
            all.push((format!("{} = {name}", field.name), Value::Struct(values)));
        }
    }
    all
}
