//! Literals of contract values, and what a type starts from.

use mycelium_contract::{Field, Type, Value};

use crate::Model;

/// Arrays up to this length implement `Default` and most other traits in the standard library.
const ARRAY_DEFAULT_MAX: u32 = 32;

/// The default of a field: the contract's, or the type's.
pub(super) fn of_field(model: &Model<'_>, field: &Field) -> String {
    match &field.default {
        Some(value) => literal(model, &field.ty, value),
        None => of_type(&field.ty),
    }
}

fn of_type(ty: &Type) -> String {
    match ty {
        Type::Array(of, _) => format!("::std::array::from_fn(|_| {})", of_type(of)),
        _ => "Default::default()".to_owned(),
    }
}

/// Whether `#[derive(Default)]` gives a struct of these fields what the contract says.
pub(super) fn derivable(fields: &[Field]) -> bool {
    fn short(ty: &Type) -> bool {
        match ty {
            Type::Array(of, count) => *count <= ARRAY_DEFAULT_MAX && short(of),
            _ => true,
        }
    }
    fields.iter().all(|field| field.default.is_none() && short(&field.ty))
}

/// A Rust expression of type `ty`.
pub(super) fn literal(model: &Model<'_>, ty: &Type, value: &Value) -> String {
    match (ty, value) {
        (_, Value::Bool(on)) => on.to_string(),
        (Type::Timestamp, Value::Int(int)) => format!("Timestamp::from_nanos({int})"),
        (_, Value::Int(int)) => int.to_string(),
        (Type::F32, Value::Float(float)) => format!("{:?}", *float as f32),
        (_, Value::Float(float)) => format!("{float:?}"),
        (_, Value::Decimal(decimal)) => format!(
            "const {{ Decimal::from_parts({}, {}, {}).expect(\"the contract was checked\") }}",
            decimal.negative, decimal.mantissa, decimal.scale
        ),
        (Type::I256, Value::Wide(limbs)) => format!("I256::from_limbs({limbs:?})"),
        (_, Value::Wide(limbs)) => format!("U256::from_limbs({limbs:?})"),
        (_, Value::String(text)) if text.is_empty() => "String::new()".to_owned(),
        (_, Value::String(text)) => format!("String::from({text:?})"),
        (_, Value::Bytes(bytes)) => format!("vec!{bytes:?}"),
        (Type::Vec(of), Value::List(items)) => format!("vec![{}]", list(model, of, items)),
        (Type::Array(of, _), Value::List(items)) => format!("[{}]", list(model, of, items)),
        (Type::Option(of), Value::Some(inner)) => format!("Some({})", literal(model, of, inner)),
        (Type::Enum(name), Value::Variant(variant, values)) => {
            let def = model
                .contract
                .enum_def(name)
                .and_then(|def| def.variants.iter().find(|v| v.name == *variant));
            let fields = def.map_or(&[][..], |found| &found.fields);
            format!("{}::{variant}{}", super::path(name), braced(model, fields, values))
        }
        (Type::Struct(name), Value::Struct(values)) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            format!("{}{}", super::path(name), braced(model, fields, values))
        }
        _ => "None".to_owned(),
    }
}

fn list(model: &Model<'_>, of: &Type, items: &[Value]) -> String {
    items.iter().map(|item| literal(model, of, item)).collect::<Vec<_>>().join(", ")
}

fn braced(model: &Model<'_>, fields: &[Field], values: &[(String, Value)]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let part = |(field, (name, value)): (&Field, &(String, Value))| {
        format!("{name}: {}", literal(model, &field.ty, value))
    };
    format!(" {{ {} }}", fields.iter().zip(values).map(part).collect::<Vec<_>>().join(", "))
}
