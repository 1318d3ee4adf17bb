//! Whether a value is one of its type, and which part of it is not: a function for each type that is used.
//! `encode()` asks it after a failure, and `validate()` of what has no bytes of its own.

use mycelium_contract::{EnumDef, Field, Type};

use super::codec::Codec;
use super::{field_name, literal};
use crate::model::is_bytes;
use crate::source::Source;

impl Codec<'_> {
    /// The function `fit(value)`, which raises for what is no value of the type.
    pub(super) fn fit(&mut self, ty: &Type) -> String {
        let simple = match ty {
            Type::Enum(name) | Type::Struct(name) => return format!("_fit_{name}"),
            Type::Bytes => "bytes".to_owned(),
            Type::Vec(_) if is_bytes(ty) => "bytes".to_owned(),
            Type::Vec(_) | Type::Array(..) | Type::Option(_) => {
                return format!("_fit_{}", self.composed(ty));
            }
            other => other.to_string().to_lowercase(),
        };
        format!("_wire.fit_{simple}")
    }

    /// The line that makes the function of a list, an array or an option.
    pub(super) fn fit_composed(&mut self, number: usize, ty: &Type, text: &mut Source) {
        let (Type::Vec(of) | Type::Array(of, _) | Type::Option(of)) = ty else { return };
        let (inner, shown) = (self.fit(of), literal::text(&ty.to_string()));
        text.line(match ty {
            Type::Array(_, count) if is_bytes(ty) => {
                format!("_fit_{number} = _wire.fit_blob({count}, {shown})")
            }
            Type::Array(_, count) => format!("_fit_{number} = _wire.fit_list({inner}, {shown}, {count})"),
            Type::Vec(_) => format!("_fit_{number} = _wire.fit_list({inner}, {shown})"),
            _ => format!("_fit_{number} = _wire.fit_option({inner})"),
        });
    }

    /// The line that makes the function of a struct or a message.
    pub(super) fn fit_record(&mut self, name: &str, fields: &[Field], text: &mut Source) {
        let fields = self.fit_fields(fields);
        text.line(format!("_fit_{name} = _wire.fit_record({name}, {fields})"));
    }

    /// The line that makes the function of an enum.
    pub(super) fn fit_enum(&mut self, def: &EnumDef, text: &mut Source) {
        let name = &def.name;
        if def.is_unit() {
            text.line(format!("_fit_{name} = _wire.fit_enum({name})"));
            return;
        }
        let fields: Vec<_> = def
            .variants
            .iter()
            .map(|variant| format!("{name}_{}: {}", variant.name, self.fit_fields(&variant.fields)))
            .collect();
        text.line(format!(
            "_fit_{name} = _wire.fit_variant({}, {{{}}})",
            literal::text(name),
            fields.join(", ")
        ));
    }

    fn fit_fields(&mut self, fields: &[Field]) -> String {
        let each =
            fields.iter().map(|f| format!("({}, {}),", literal::text(&field_name(f)), self.fit(&f.ty)));
        format!("({})", each.collect::<Vec<_>>().join(" "))
    }
}

/// Statements that refuse truth values and members of enums where numbers belong: `struct` takes them for
/// numbers. Numbers of the plain types cost no call.
pub(super) fn plain_numbers<'f>(fields: impl Iterator<Item = &'f Field>) -> Vec<String> {
    let (mut integers, mut floats) = (Vec::new(), Vec::new());
    for field in fields {
        let value = format!("value.{}", field_name(field));
        match &field.ty {
            Type::F32 | Type::F64 => floats.push(value),
            ty if ty.int_range().is_some() => integers.push(value),
            _ => {}
        }
    }
    let all = |values: &[String], of: &str| {
        let types: Vec<_> = values.iter().map(|value| format!("type({value}) is ")).collect();
        (!values.is_empty()).then(|| format!("{}{of}", types.concat()))
    };
    let conditions: Vec<_> = [all(&integers, "int"), all(&floats, "float")].into_iter().flatten().collect();
    if conditions.is_empty() {
        return Vec::new();
    }
    integers.extend(floats);
    vec![
        format!("if not ({}):", conditions.join(" and ")),
        format!("    _wire.numbers({})", integers.join(", ")),
    ]
}
