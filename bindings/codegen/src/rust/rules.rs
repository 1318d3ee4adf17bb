//! `validate()`: the rules of a contract as Rust statements.

use mycelium_contract::{Field, Rule, Type, Value};

use super::{Source, defaults};
use crate::Model;
use crate::model::rules_of_each;
use crate::show;

/// Whether anything has to be checked in this field, in itself or in what it contains.
pub(super) fn has_any(model: &Model<'_>, field: &Field) -> bool {
    can_break(model, &field.ty, &field.validation)
}

/// Whether a value may break one of these rules, or one of the type's own. Where none can, nothing is
/// written: the compiler would warn of a name that is bound and not used.
fn can_break(model: &Model<'_>, ty: &Type, rules: &[Rule]) -> bool {
    let breaks = |rule: &Rule| match (ty, rule) {
        (Type::Vec(of) | Type::Array(of, _), Rule::Each(each)) => can_break(model, of, each),
        _ => !is_kept_by_all(ty, rule),
    };
    match ty {
        Type::Option(of) => can_break(model, of, rules),
        _ => model.has_rules(ty) || rules.iter().any(breaks),
    }
}

/// Statements that return the first broken rule of `fields`. A field is reached as `prefix` and its name:
/// `self.` in a struct, `*` where a pattern has bound references.
pub(super) fn fields(model: &Model<'_>, message: &str, fields: &[Field], prefix: &str, out: &mut Source) {
    for field in fields.iter().filter(|field| has_any(model, field)) {
        let place = Place {
            direct: format!("{prefix}{}", field.name),
            method: if prefix == "*" { field.name.clone() } else { format!("{prefix}{}", field.name) },
            path: format!("{:?}", field.name),
        };
        let mut check = Check { model, message, out };
        check.value(&field.ty, &field.validation, &place, 0);
    }
}

/// Where a value is found.
struct Place {
    /// An expression of the value's type, not to be moved out of: `self.price`, `*item`.
    direct: String,
    /// What methods are called on: `self.price`, `item`.
    method: String,
    /// An expression that names the value in an error.
    path: String,
}

struct Check<'a> {
    model: &'a Model<'a>,
    message: &'a str,
    out: &'a mut Source,
}

impl Check<'_> {
    /// `depth` keeps the names of nested loops apart.
    fn value(&mut self, ty: &Type, rules: &[Rule], place: &Place, depth: usize) {
        if let Type::Option(of) = ty {
            self.out.open(format!("if let Some(value{depth}) = &{} {{", place.direct));
            let inner = Place {
                direct: format!("*value{depth}"),
                method: format!("value{depth}"),
                path: place.path.clone(),
            };
            self.value(of, rules, &inner, depth + 1);
            self.out.close("}");
            return;
        }
        for rule in rules {
            if !matches!(rule, Rule::Each(_)) {
                self.rule(ty, rule, place);
            }
        }
        match ty {
            Type::Vec(of) | Type::Array(of, _) => {
                self.elements(of, rules_of_each(rules), place, depth);
            }
            Type::Struct(_) | Type::Enum(_) if self.model.has_rules(ty) => {
                let (message, method, path) = (self.message, &place.method, &place.path);
                self.out.line(format!("{method}.validate().map_err(|e| e.inside({message}, {path}))?;"));
            }
            _ => {}
        }
    }

    fn elements(&mut self, of: &Type, each: &[Rule], place: &Place, depth: usize) {
        if !can_break(self.model, of, each) {
            return;
        }
        self.out.open(format!("for (at{depth}, item{depth}) in {}.iter().enumerate() {{", place.method));
        let inner = Place {
            direct: format!("*item{depth}"),
            method: format!("item{depth}"),
            path: format!("format!(\"{{}}[{{at{depth}}}]\", {})", place.path),
        };
        self.value(of, each, &inner, depth + 1);
        self.out.close("}");
    }

    fn rule(&mut self, ty: &Type, rule: &Rule, place: &Place) {
        if is_kept_by_all(ty, rule) {
            return;
        }
        let (direct, method) = (&place.direct, &place.method);
        let literal = |value: &Value| defaults::literal(self.model, ty, value);
        let plain = |value: &Value| show::operand(ty, value);
        // NaN breaks every bound, so the condition that must hold is what is negated.
        let (holds, must) = match rule {
            Rule::Min(bound) => {
                (format!("{direct} >= {}", literal(bound)), format!("at least {}", plain(bound)))
            }
            Rule::Max(bound) => {
                (format!("{direct} <= {}", literal(bound)), format!("at most {}", plain(bound)))
            }
            Rule::GreaterThan(bound) => {
                (format!("{direct} > {}", literal(bound)), format!("above {}", plain(bound)))
            }
            Rule::LessThan(bound) => {
                (format!("{direct} < {}", literal(bound)), format!("below {}", plain(bound)))
            }
            Rule::MultipleOf(of) if *ty == Type::Timestamp => {
                (format!("{method}.as_nanos() % {of} == 0"), format!("a multiple of {of} ns"))
            }
            Rule::MultipleOf(of) => (format!("{direct} % {of} == 0"), format!("a multiple of {of}")),
            Rule::NotZero => (format!("{direct} != {}", zero(ty)), "other than zero".to_owned()),
            Rule::Finite => (format!("{method}.is_finite()"), "finite".to_owned()),
            Rule::OneOf(values) => (one_of(self.model, ty, values, place), {
                let list: Vec<_> = values.iter().map(plain).collect();
                format!("one of {}", list.join(", "))
            }),
            Rule::MinLength(min) => {
                return self.length(method, &format!(">= {min}"), &format!("at least {min}"), place);
            }
            Rule::MaxLength(max) => {
                return self.length(method, &format!("<= {max}"), &format!("at most {max}"), place);
            }
            Rule::NotEmpty => return self.length(method, "> 0", "at least 1", place),
            Rule::Ascii => (
                format!("{method}.bytes().all(|b| (0x20..=0x7e).contains(&b))"),
                "printable ASCII".to_owned(),
            ),
            _ => return,
        };
        let message = self.message;
        self.out.open(format!("if !({holds}) {{"));
        self.out.line(format!(
            "return Err(mycelium::ValidationError::broken({message}, {}, &{direct}, {must:?}));",
            place.path
        ));
        self.out.close("}");
    }

    fn length(&mut self, method: &str, condition: &str, must: &str, place: &Place) {
        let message = self.message;
        self.out.open(format!("if !({method}.len() {condition}) {{"));
        self.out.line(format!(
            "return Err(mycelium::ValidationError::broken_length({message}, {}, {method}.len(), {must:?}));",
            place.path
        ));
        self.out.close("}");
    }
}

/// Whether no value of the type breaks the rule: the compiler would warn of the comparison.
fn is_kept_by_all(ty: &Type, rule: &Rule) -> bool {
    match (rule, ty.int_range()) {
        (Rule::Min(Value::Int(bound)), Some((least, _))) => *bound <= least,
        (Rule::Max(Value::Int(bound)), Some((_, most))) => *bound >= most,
        (Rule::MinLength(length), _) => *length == 0,
        _ => false,
    }
}

fn zero(ty: &Type) -> &'static str {
    match ty {
        Type::F32 | Type::F64 => "0.0",
        Type::Decimal => "Decimal::ZERO",
        Type::Timestamp => "Timestamp::from_nanos(0)",
        Type::U256 => "U256::MIN",
        Type::I256 => "I256::from_limbs([0; 4])",
        _ => "0",
    }
}

fn one_of(model: &Model<'_>, ty: &Type, values: &[Value], place: &Place) -> String {
    let list: Vec<_> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => format!("{text:?}"),
            other => defaults::literal(model, ty, other),
        })
        .collect();
    match ty {
        Type::String => format!("[{}].contains(&{}.as_str())", list.join(", "), place.method),
        _ => format!("[{}].contains(&{})", list.join(", "), place.direct),
    }
}

#[cfg(test)]
mod tests {
    use mycelium_contract::Contract;

    use crate::{Options, rust};

    #[test]
    fn a_bound_that_every_value_keeps_is_not_compared_with() {
        let text = "schema: {id: t, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nmessages:\n  \
                    Tick:\n    tlv_type: 1\n    topic: ticks\n    domain: d\n    fields:\n      \
                    full: {type: u8, validation: {min: 0, max: 255}}\n      \
                    whole: {type: i16, validation: {min: -32768, max: 32767}}\n      \
                    half: {type: u8, validation: {min: 0, max: 100}}\n      \
                    each: {type: Vec<u16>, validation: {each: {min: 0}}}\n";
        let contract = Contract::parse(text, "t.yaml").unwrap_or_else(|errors| panic!("{errors}"));
        let source = rust(&contract, &Options::default());
        for field in ["self.full", "self.whole", "self.half >=", "item0 >="] {
            assert!(!source.contains(field), "{field} is in\n{source}");
        }
        assert!(source.contains("self.half <= 100"), "{source}");
    }
}
