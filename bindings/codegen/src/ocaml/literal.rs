//! Literals of contract values in OCaml.

use std::fmt::Write;

use mycelium_contract::{Field, Type, Value};

use super::field_name;
use crate::Model;
use crate::encode::narrow;
use crate::model::is_bytes;

/// An OCaml string.
pub(super) fn text(text: &str) -> String {
    of_bytes(text.as_bytes())
}

fn of_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in bytes {
        let _ = match byte {
            b'"' | b'\\' => write!(out, "\\{}", char::from(*byte)),
            b' '..=b'~' => write!(out, "{}", char::from(*byte)),
            other => write!(out, "\\{other:03}"),
        };
    }
    out.push('"');
    out
}

fn wide(limbs: &[u64; 4]) -> String {
    of_bytes(&limbs.map(u64::to_le_bytes).concat())
}

/// An integer of a type; parentheses keep a sign from being an operator.
pub(super) fn integer(ty: &Type, int: i128) -> String {
    match ty {
        // The same 64 bits.
        Type::U64 => format!("0x{int:x}L"),
        Type::I64 | Type::Timestamp => format!("({int}L)"),
        _ => format!("({int})"),
    }
}

/// An expression of type `ty`.
pub(super) fn of(model: &Model<'_>, ty: &Type, value: &Value) -> String {
    match (ty, value) {
        (_, Value::Bool(on)) => on.to_string(),
        (_, Value::Int(int)) => integer(ty, *int),
        (Type::F32, Value::Float(float)) => format!("({:?})", f64::from(narrow(*float))),
        (_, Value::Float(float)) => format!("({float:?})"),
        (_, Value::Decimal(decimal)) => {
            let mantissa = of_bytes(&decimal.mantissa.to_le_bytes()[..12]);
            format!("(W_.decimal_literal {} {mantissa} {})", decimal.negative, decimal.scale)
        }
        (Type::I256, Value::Wide(limbs)) => format!("(W_.i256_literal {})", wide(limbs)),
        (_, Value::Wide(limbs)) => format!("(W_.u256_literal {})", wide(limbs)),
        (_, Value::String(string)) => text(string),
        (_, Value::Bytes(bytes)) => format!("(Stdlib.Bytes.of_string {})", of_bytes(bytes)),
        (Type::Vec(_) | Type::Array(..), Value::List(items)) if is_bytes(ty) => {
            let byte = |item: &Value| if let Value::Int(int) = item { *int as u8 } else { 0 };
            let bytes: Vec<u8> = items.iter().map(byte).collect();
            format!("(Stdlib.Bytes.of_string {})", of_bytes(&bytes))
        }
        (Type::Vec(of_what) | Type::Array(of_what, _), Value::List(items)) => {
            let list: Vec<_> = items.iter().map(|item| of(model, of_what, item)).collect();
            format!("[|{}|]", list.join("; "))
        }
        (Type::Option(of_what), Value::Some(inner)) => format!("(Some {})", of(model, of_what, inner)),
        (Type::Enum(name), Value::Variant(variant, values)) => {
            let def = model.contract.enum_def(name);
            let found = def.and_then(|def| def.variants.iter().find(|other| other.name == *variant));
            match found.map_or(&[][..], |found| &found.fields) {
                [] => format!("{name}.{variant}"),
                fields => format!("({name}.{variant} {{ {} }})", braced(model, fields, values)),
            }
        }
        (Type::Struct(name), Value::Struct(values)) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            format!("({{ {} }} : {name}.t)", braced(model, fields, values))
        }
        _ => "None".to_owned(),
    }
}

fn braced(model: &Model<'_>, fields: &[Field], values: &[(String, Value)]) -> String {
    let one = |(field, (_, value)): (&Field, &(String, Value))| {
        format!("{} = {}", field_name(field), of(model, &field.ty, value))
    };
    fields.iter().zip(values).map(one).collect::<Vec<_>>().join("; ")
}
