//! Values as text: JSON for golden vectors, and what Rust's `{:?}` prints for the generated types.

use std::fmt::Write;

use mycelium_contract::{DecimalValue, Field, Type, Value};

use crate::Model;
use crate::encode::narrow;

/// The value of a message as a JSON object, its fields in wire order.
///
/// Integers and finite floats are JSON numbers; `"NaN"`, `"Infinity"` and `"-Infinity"` are strings, as are
/// `Decimal` and 256-bit integers. Bytes are a string of hex digits. A variant without fields is its name,
/// one with fields an object of one key.
#[must_use]
pub fn json(model: &Model<'_>, fields: &[Field], values: &[(String, Value)]) -> String {
    let mut out = String::new();
    json_fields(model, fields, values, &mut out);
    out
}

fn json_fields(model: &Model<'_>, fields: &[Field], values: &[(String, Value)], out: &mut String) {
    out.push('{');
    for (index, (field, (_, value))) in fields.iter().zip(values).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        let _ = write!(out, "{}: ", json_string(&field.name));
        json_value(model, &field.ty, value, out);
    }
    out.push('}');
}

fn json_value(model: &Model<'_>, ty: &Type, value: &Value, out: &mut String) {
    match (ty, value) {
        (_, Value::Bool(on)) => {
            let _ = write!(out, "{on}");
        }
        (_, Value::Int(int)) => {
            let _ = write!(out, "{int}");
        }
        (_, Value::Float(float)) => out.push_str(&json_float(ty, *float)),
        (_, Value::Decimal(decimal)) => {
            let _ = write!(out, "\"{}\"", decimal_text(*decimal));
        }
        (_, Value::Wide(limbs)) => {
            let _ = write!(out, "\"{}\"", wide_text(ty, *limbs));
        }
        (_, Value::String(text)) => out.push_str(&json_string(text)),
        (_, Value::Bytes(bytes)) => {
            let _ = write!(out, "\"{}\"", hex(bytes));
        }
        (Type::Vec(of) | Type::Array(of, _), Value::List(items)) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                json_value(model, of, item, out);
            }
            out.push(']');
        }
        (Type::Option(of), Value::Some(inner)) => json_value(model, of, inner, out),
        (_, Value::Variant(name, values)) if values.is_empty() => out.push_str(&json_string(name)),
        (_, Value::Variant(name, values)) => {
            let _ = write!(out, "{{{}: ", json_string(name));
            json_fields(model, variant_fields(model, ty, name), values, out);
            out.push('}');
        }
        (_, Value::Struct(values)) => json_fields(model, struct_fields(model, ty), values, out),
        _ => out.push_str("null"),
    }
}

/// What `{:?}` prints for the generated struct `name` with these values.
#[must_use]
pub fn debug(model: &Model<'_>, name: &str, fields: &[Field], values: &[(String, Value)]) -> String {
    let mut out = String::new();
    debug_fields(model, name, fields, values, &mut out);
    out
}

fn debug_fields(
    model: &Model<'_>,
    name: &str,
    fields: &[Field],
    values: &[(String, Value)],
    out: &mut String,
) {
    out.push_str(name);
    if values.is_empty() {
        return;
    }
    out.push_str(" { ");
    for (index, (field, (_, value))) in fields.iter().zip(values).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        let _ = write!(out, "{}: ", field.name);
        debug_value(model, &field.ty, value, out);
    }
    out.push_str(" }");
}

fn debug_value(model: &Model<'_>, ty: &Type, value: &Value, out: &mut String) {
    let _ = match (ty, value) {
        (_, Value::Bool(on)) => write!(out, "{on}"),
        (Type::Timestamp, Value::Int(int)) => write!(out, "Timestamp {{ nanos: {int} }}"),
        (_, Value::Int(int)) => write!(out, "{int}"),
        (Type::F32, Value::Float(float)) => write!(out, "{:?}", narrow(*float)),
        (_, Value::Float(float)) => write!(out, "{float:?}"),
        (_, Value::Decimal(decimal)) => write!(out, "{}", decimal_text(*decimal)),
        (_, Value::Wide(limbs)) => write!(out, "{}", wide_text(ty, *limbs)),
        (_, Value::String(text)) => write!(out, "{text:?}"),
        (_, Value::Bytes(bytes)) => write!(out, "{bytes:?}"),
        (Type::Vec(of) | Type::Array(of, _), Value::List(items)) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                debug_value(model, of, item, out);
            }
            write!(out, "]")
        }
        (Type::Option(of), Value::Some(inner)) => {
            out.push_str("Some(");
            debug_value(model, of, inner, out);
            write!(out, ")")
        }
        (_, Value::Variant(name, values)) => {
            debug_fields(model, name, variant_fields(model, ty, name), values, out);
            Ok(())
        }
        (Type::Struct(name), Value::Struct(values)) => {
            debug_fields(model, name, struct_fields(model, ty), values, out);
            Ok(())
        }
        _ => write!(out, "None"),
    };
}

fn variant_fields<'a>(model: &'a Model<'a>, ty: &Type, variant: &str) -> &'a [Field] {
    let Type::Enum(name) = ty else { return &[] };
    let def = model.contract.enum_def(name).and_then(|def| def.variants.iter().find(|v| v.name == variant));
    def.map_or(&[], |found| &found.fields)
}

fn struct_fields<'a>(model: &'a Model<'a>, ty: &Type) -> &'a [Field] {
    let Type::Struct(name) = ty else { return &[] };
    model.contract.struct_def(name).map_or(&[], |def| &def.fields)
}

fn json_float(ty: &Type, float: f64) -> String {
    if float.is_nan() {
        return "\"NaN\"".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }.to_owned();
    }
    if *ty == Type::F32 { format!("{:?}", narrow(float)) } else { format!("{float:?}") }
}

/// A JSON string of ASCII characters only.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        match unit {
            0x22 => out.push_str("\\\""),
            0x5c => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(unit as u8)),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.push('"');
    out
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn decimal_text(decimal: DecimalValue) -> String {
    let scale = usize::from(decimal.scale);
    let digits = format!("{:0width$}", decimal.mantissa, width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if decimal.negative { "-" } else { "" })
}

/// An operand as a reader of the error wants it.
pub(crate) fn operand(ty: &Type, value: &Value) -> String {
    match value {
        Value::Int(int) => int.to_string(),
        Value::Float(float) if *ty == Type::F32 => format!("{:?}", narrow(*float)),
        Value::Float(float) => format!("{float:?}"),
        Value::String(text) => format!("{text:?}"),
        Value::Variant(name, _) => name.clone(),
        other => scalar(ty, other),
    }
}

/// A `Decimal` or 256-bit operand of a rule, as text.
pub(crate) fn scalar(ty: &Type, value: &Value) -> String {
    match value {
        Value::Decimal(decimal) => decimal_text(*decimal),
        Value::Wide(limbs) => wide_text(ty, *limbs),
        other => format!("{other:?}"),
    }
}

/// Decimal digits of four limbs, by repeated division by ten.
fn wide_text(ty: &Type, mut limbs: [u64; 4]) -> String {
    let negative = *ty == Type::I256 && limbs[3] >> 63 == 1;
    if negative {
        let mut carry = true;
        limbs = limbs.map(|limb| {
            let (sum, overflow) = (!limb).overflowing_add(u64::from(carry));
            carry = overflow;
            sum
        });
    }
    let mut digits = Vec::new();
    while limbs != [0; 4] || digits.is_empty() {
        let mut rest = 0u128;
        for limb in limbs.iter_mut().rev() {
            let part = rest << 64 | u128::from(*limb);
            *limb = (part / 10) as u64;
            rest = part % 10;
        }
        digits.push(char::from(b'0' + rest as u8));
    }
    if negative {
        digits.push('-');
    }
    digits.iter().rev().collect()
}
