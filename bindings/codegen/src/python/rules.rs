//! `_rules()`: the rules of a contract as Python statements.

use mycelium_contract::{EnumDef, Field, Rule, Type, Value};

use super::{field_name, literal};
use crate::Model;
use crate::model::rules_of_each;
use crate::show;
use crate::source::Source;

/// Statements that raise for the first broken rule of the fields of `self`.
pub(super) fn fields(model: &Model<'_>, message: &str, fields: &[Field], out: &mut Source) {
    for field in fields {
        if field.validation.is_empty() && !model.has_rules(&field.ty) {
            continue;
        }
        out.line(format!("field = {}", literal::text(&field_name(field))));
        let place =
            PythonPlace { value: format!("self.{}", field_name(field)), path: literal::text(&field.name) };
        PythonCheck { model, message, out }.value(&field.ty, &field.validation, &place, 0);
    }
}

struct PythonPlace {
    /// An expression that gives the value.
    value: String,
    /// An expression that names it in an error.
    path: String,
}

struct PythonCheck<'a> {
    model: &'a Model<'a>,
    message: &'a str,
    out: &'a mut Source,
}

impl PythonCheck<'_> {
    fn value(&mut self, ty: &Type, rules: &[Rule], place: &PythonPlace, depth: usize) {
        if rules.is_empty() && !self.model.has_rules(ty) {
            return;
        }
        if let Type::Option(of) = ty {
            self.out.open(format!("if {} is not None:", place.value));
            self.value(of, rules, place, depth);
            self.out.dedent();
            return;
        }
        for rule in rules {
            self.rule(ty, rule, place);
        }
        match ty {
            Type::Vec(of) | Type::Array(of, _) => {
                let each = rules_of_each(rules);
                if each.is_empty() && !self.model.has_rules(of) {
                    return;
                }
                self.out.open(format!("for at{depth}, item{depth} in enumerate({}):", place.value));
                let inner = PythonPlace {
                    value: format!("item{depth}"),
                    path: format!("{} + f\"[{{at{depth}}}]\"", place.path),
                };
                self.value(of, each, &inner, depth + 1);
                self.out.dedent();
            }
            Type::Enum(name) if self.model.contract.enum_def(name).is_some_and(EnumDef::is_unit) => {}
            Type::Struct(_) | Type::Enum(_) => {
                self.out.open("try:");
                self.out.line(format!("{}._rules()", place.value));
                self.out.dedent();
                self.out.open("except _wire.ValidationError as error:");
                self.out.line(format!(
                    "raise _wire.ValidationError({}, {} + \".\" + error.field, error.reason) from None",
                    literal::text(self.message),
                    place.path
                ));
                self.out.dedent();
                self.out.open("except _wire.EncodeError as error:");
                self.out.line(format!(
                    "raise _wire.below({}, {}, error) from None",
                    literal::text(self.message),
                    place.path
                ));
                self.out.dedent();
            }
            _ => {}
        }
    }

    fn rule(&mut self, ty: &Type, rule: &Rule, place: &PythonPlace) {
        // A value of 32 bits is compared as it is read there.
        let value = match ty {
            Type::F32 => format!("_wire.f32({})", place.value),
            _ => place.value.clone(),
        };
        let bound = |operator: &str, word: &str, bound: &Value| {
            let literal = literal::of(self.model, ty, bound);
            (format!("{value} {operator} {literal}"), format!("{word} {}", show::operand(ty, bound)))
        };
        let (holds, must) = match rule {
            Rule::Min(value) => bound(">=", "at least", value),
            Rule::Max(value) => bound("<=", "at most", value),
            Rule::GreaterThan(value) => bound(">", "above", value),
            Rule::LessThan(value) => bound("<", "below", value),
            Rule::MultipleOf(of) => {
                let unit = if *ty == Type::Timestamp { " ns" } else { "" };
                (format!("{value} % {of} == 0"), format!("a multiple of {of}{unit}"))
            }
            Rule::NotZero => (format!("{value} != 0"), "other than zero".to_owned()),
            Rule::Finite => (format!("{value} - {value} == 0.0"), "finite".to_owned()),
            Rule::OneOf(values) => {
                let list: Vec<_> = values.iter().map(|value| literal::of(self.model, ty, value)).collect();
                let shown: Vec<_> = values.iter().map(|value| show::operand(ty, value)).collect();
                (format!("{value} in ({},)", list.join(", ")), format!("one of {}", shown.join(", ")))
            }
            Rule::MinLength(min) => {
                return self.length(ty, &format!(">= {min}"), &format!("at least {min}"), place);
            }
            Rule::MaxLength(max) => {
                return self.length(ty, &format!("<= {max}"), &format!("at most {max}"), place);
            }
            Rule::NotEmpty => return self.length(ty, "> 0", "at least 1", place),
            Rule::Ascii => {
                (format!("{value}.isascii() and {value}.isprintable()"), "printable ASCII".to_owned())
            }
            _ => return,
        };
        self.out.open(format!("if not ({holds}):"));
        self.out.line(format!(
            "raise _wire.broken({}, {}, {}, {})",
            literal::text(self.message),
            place.path,
            place.value,
            literal::text(&must)
        ));
        self.out.dedent();
    }

    fn length(&mut self, ty: &Type, condition: &str, must: &str, place: &PythonPlace) {
        // The length of a text is that of its bytes.
        let length = match ty {
            Type::String => format!("len({}.encode())", place.value),
            _ => format!("len({})", place.value),
        };
        self.out.open(format!("if not ({length} {condition}):"));
        self.out.line(format!(
            "raise _wire.broken_length({}, {}, {length}, {})",
            literal::text(self.message),
            place.path,
            literal::text(must)
        ));
        self.out.dedent();
    }
}
