//! Literals of contract values in Python, and what a type starts from.

use std::fmt::Write;

use mycelium_contract::{Field, Type, Value};

use crate::Model;
use crate::encode::narrow;
use crate::model::is_bytes;
use crate::show;

/// A Python string.
pub(super) fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            ' '..='~' => write!(out, "{c}"),
            '\0'..='\u{ff}' => write!(out, "\\x{:02x}", u32::from(c)),
            '\u{100}'..='\u{ffff}' => write!(out, "\\u{:04x}", u32::from(c)),
            _ => write!(out, "\\U{:08x}", u32::from(c)),
        };
    }
    out.push('"');
    out
}

/// An expression of type `ty`.
pub(super) fn of(model: &Model<'_>, ty: &Type, value: &Value) -> String {
    match (ty, value) {
        (_, Value::Bool(true)) => "True".to_owned(),
        (_, Value::Bool(false)) => "False".to_owned(),
        (_, Value::Int(int)) => int.to_string(),
        (Type::F32, Value::Float(float)) => format!("{:?}", f64::from(narrow(*float))),
        (_, Value::Float(float)) => format!("{float:?}"),
        (_, Value::Decimal(_)) => format!("Decimal(\"{}\")", show::scalar(ty, value)),
        (_, Value::Wide(_)) => show::scalar(ty, value),
        (_, Value::String(string)) => text(string),
        (_, Value::Bytes(bytes)) => format!("bytes.fromhex(\"{}\")", show::hex(bytes)),
        (Type::Vec(of_what) | Type::Array(of_what, _), Value::List(items)) => {
            let list: Vec<_> = items.iter().map(|item| of(model, of_what, item)).collect();
            let list = format!("[{}]", list.join(", "));
            if is_bytes(ty) { format!("bytes({list})") } else { list }
        }
        (Type::Option(of_what), Value::Some(inner)) => of(model, of_what, inner),
        (Type::Enum(name), Value::Variant(variant, values)) => {
            let def = model.contract.enum_def(name);
            if def.is_some_and(mycelium_contract::EnumDef::is_unit) {
                return format!("{name}.{variant}");
            }
            let found = def.and_then(|def| def.variants.iter().find(|other| other.name == *variant));
            format!(
                "{name}_{variant}({})",
                arguments(model, found.map_or(&[], |found| &found.fields), values)
            )
        }
        (Type::Struct(name), Value::Struct(values)) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            format!("{name}({})", arguments(model, fields, values))
        }
        _ => "None".to_owned(),
    }
}

fn arguments(model: &Model<'_>, fields: &[Field], values: &[(String, Value)]) -> String {
    let one = |(field, (_, value)): (&Field, &(String, Value))| {
        format!("{}={}", super::field_name(field), of(model, &field.ty, value))
    };
    fields.iter().zip(values).map(one).collect::<Vec<_>>().join(", ")
}
