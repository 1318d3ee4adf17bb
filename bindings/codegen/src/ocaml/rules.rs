//! `validate`: the rules of a contract as OCaml statements.

use mycelium_contract::{EnumDef, Field, Rule, Type, Value};

use super::codec::{OcamlCodec, Task};
use super::{field_name, literal};
use crate::model::{is_bytes, rules_of_each};
use crate::show;

/// Statements that raise for the first broken rule of the fields of `v`.
pub(super) fn fields(codec: &mut OcamlCodec<'_>, fields: &[Field]) {
    for field in fields {
        let place =
            OcamlPlace { value: format!("v.{}", field_name(field)), path: literal::text(&field.name) };
        OcamlCheck { codec }.value(&field.ty, &field.validation, &place, 0);
    }
    codec.code.line("()");
}

struct OcamlPlace {
    /// An expression that gives the value.
    value: String,
    /// An expression that names it in an error.
    path: String,
}

struct OcamlCheck<'a, 'b> {
    codec: &'a mut OcamlCodec<'b>,
}

impl OcamlCheck<'_, '_> {
    fn value(&mut self, ty: &Type, rules: &[Rule], place: &OcamlPlace, depth: usize) {
        if rules.is_empty() && !self.codec.model.has_rules(ty) {
            return;
        }
        if let Type::Option(of) = ty {
            // No pattern: a variant of the enum around it may be called as one of an option's.
            self.codec.code.open(format!("W_.iter_option (fun value{depth} ->"));
            let inner = OcamlPlace { value: format!("value{depth}"), path: place.path.clone() };
            self.value(of, rules, &inner, depth + 1);
            self.codec.code.line("()");
            return self.codec.code.close(&format!(") {};", place.value));
        }
        for rule in rules {
            self.rule(ty, rule, place);
        }
        match ty {
            Type::Vec(of) | Type::Array(of, _) => {
                self.elements(ty, of, rules_of_each(rules), place, depth);
            }
            Type::Enum(name) if self.codec.model.contract.enum_def(name).is_some_and(EnumDef::is_unit) => {}
            Type::Struct(name) | Type::Enum(name) => {
                self.codec
                    .code
                    .line(format!("W_.inside (fun () -> {}) {name}.check {};", place.path, place.value));
            }
            _ => {}
        }
    }

    fn elements(&mut self, ty: &Type, of: &Type, each: &[Rule], place: &OcamlPlace, depth: usize) {
        if each.is_empty() && !self.codec.model.has_rules(of) {
            return;
        }
        let iteri = if is_bytes(ty) { "W_.iteri_bytes" } else { "Stdlib.Array.iteri" };
        self.codec.code.open(format!("{iteri} (fun at{depth} item{depth} ->"));
        let inner = OcamlPlace {
            value: format!("item{depth}"),
            path: format!("(W_.index {} at{depth})", place.path),
        };
        self.value(of, each, &inner, depth + 1);
        self.codec.code.line("()");
        self.codec.code.close(&format!(") {};", place.value));
    }

    fn rule(&mut self, ty: &Type, rule: &Rule, place: &OcamlPlace) {
        let (holds, must) = match rule {
            Rule::Min(value) => (self.compare(ty, place, ">=", value), self.words("at least", ty, value)),
            Rule::Max(value) => (self.compare(ty, place, "<=", value), self.words("at most", ty, value)),
            Rule::GreaterThan(value) => (self.compare(ty, place, ">", value), self.words("above", ty, value)),
            Rule::LessThan(value) => (self.compare(ty, place, "<", value), self.words("below", ty, value)),
            Rule::MultipleOf(of) => {
                let unit = if *ty == Type::Timestamp { " ns" } else { "" };
                (multiple_of(ty, place, *of), format!("a multiple of {of}{unit}"))
            }
            Rule::NotZero => (not_zero(ty, place), "other than zero".to_owned()),
            // A value that becomes infinite in 32 bits is not finite.
            Rule::Finite if *ty == Type::F32 => {
                (format!("W_.single {0} -. W_.single {0} = 0.", place.value), "finite".to_owned())
            }
            Rule::Finite => (format!("{0} -. {0} = 0.", place.value), "finite".to_owned()),
            Rule::OneOf(values) => {
                let list: Vec<_> = values.iter().map(|value| self.compare(ty, place, "=", value)).collect();
                let shown: Vec<_> = values.iter().map(|value| show::operand(ty, value)).collect();
                (list.join(" || "), format!("one of {}", shown.join(", ")))
            }
            Rule::MinLength(min) => {
                return self.length(ty, &format!(">= {min}"), &format!("at least {min}"), place);
            }
            Rule::MaxLength(max) => {
                return self.length(ty, &format!("<= {max}"), &format!("at most {max}"), place);
            }
            Rule::NotEmpty => return self.length(ty, "> 0", "at least 1", place),
            Rule::Ascii => (format!("W_.ascii {}", place.value), "printable ASCII".to_owned()),
            _ => return,
        };
        let json = self.codec.function(Task::Json, ty);
        self.codec.code.line(format!(
            "if not ({holds}) then W_.broken {} ({json}) {} {};",
            place.path,
            place.value,
            literal::text(&must)
        ));
    }

    fn words(&self, word: &str, ty: &Type, value: &Value) -> String {
        format!("{word} {}", show::operand(ty, value))
    }

    fn compare(&self, ty: &Type, place: &OcamlPlace, operator: &str, value: &Value) -> String {
        let literal = literal::of(self.codec.model, ty, value);
        let value = &place.value;
        match ty {
            Type::U64 => format!("Stdlib.Int64.unsigned_compare {value} {literal} {operator} 0"),
            Type::Decimal | Type::U256 | Type::I256 => {
                format!("W_.{ty}.compare {value} {literal} {operator} 0")
            }
            // A value of 32 bits is compared as it is read there.
            Type::F32 => format!("W_.single {value} {operator} {literal}"),
            _ => format!("{value} {operator} {literal}"),
        }
    }

    fn length(&mut self, ty: &Type, condition: &str, must: &str, place: &OcamlPlace) {
        // The length of a text is that of its bytes.
        let of = match ty {
            Type::String => "String",
            _ if is_bytes(ty) => "Bytes",
            _ => "Array",
        };
        let length = format!("Stdlib.{of}.length {}", place.value);
        self.codec.code.line(format!(
            "if not ({length} {condition}) then W_.broken_length {} ({length}) {};",
            place.path,
            literal::text(must)
        ));
    }
}

fn multiple_of(ty: &Type, place: &OcamlPlace, of: i128) -> String {
    let (value, literal) = (&place.value, literal::integer(ty, of));
    match ty {
        Type::U64 => format!("Stdlib.Int64.unsigned_rem {value} {literal} = 0L"),
        Type::I64 | Type::Timestamp => format!("Stdlib.Int64.rem {value} {literal} = 0L"),
        _ => format!("{value} mod {literal} = 0"),
    }
}

fn not_zero(ty: &Type, place: &OcamlPlace) -> String {
    let value = &place.value;
    match ty {
        Type::U64 | Type::I64 | Type::Timestamp => format!("{value} <> 0L"),
        Type::F32 => format!("W_.single {value} <> 0."),
        Type::F64 => format!("{value} <> 0."),
        Type::Decimal | Type::U256 | Type::I256 => format!("W_.{ty}.compare {value} W_.{ty}.zero <> 0"),
        _ => format!("{value} <> 0"),
    }
}
