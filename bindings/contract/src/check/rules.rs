//! The key `validation`: reading rules, whether they fit the type and one another, and whether a value keeps
//! them.

use std::cmp::Ordering;

use crate::check::keys::{Entry, Keys};
use crate::check::literal;
use crate::check::satisfy::is_satisfiable;
use crate::diagnostic::{Report, Span};
use crate::limits::{LENGTH_RULE_MAX, ONE_OF_MAX};
use crate::yaml::{Kind, Node};
use crate::{Code, Contract, Rule, Type, Value};

const KEYS: &[&str] = &[
    "min",
    "max",
    "greater_than",
    "less_than",
    "multiple_of",
    "not_zero",
    "finite",
    "one_of",
    "min_length",
    "max_length",
    "not_empty",
    "ascii",
    "each",
];

/// Reads `validation` of a field of type `ty`.
pub(crate) fn read(contract: &Contract, ty: &Type, node: &Node, report: &mut Report<'_>) -> Vec<Rule> {
    // An `Option`'s rules speak of the value inside.
    let ty = inner(ty);
    Keys::read(node, "validation", node.span, KEYS, report);
    let Kind::Map(map) = &node.kind else { return Vec::new() };
    let mut rules = Vec::new();
    for (key, value) in map {
        if let Kind::Text(name) = &key.kind
            && KEYS.contains(&name.as_str())
        {
            let entry = Entry { name, span: key.span, value };
            rules.extend(rule(contract, ty, &entry, report));
        }
    }
    if let Some(cause) = contradiction(ty, &rules) {
        report.add(Code::CONTRADICTION, node.span, cause, "remove or change one of the rules");
    }
    rules
}

fn inner(ty: &Type) -> &Type {
    match ty {
        Type::Option(inner) => inner,
        other => other,
    }
}

fn is_ordered(ty: &Type) -> bool {
    ty.int_range().is_some() || matches!(ty, Type::F32 | Type::F64 | Type::Decimal | Type::U256 | Type::I256)
}

/// Whether the rule called `name` has a meaning on this type, and on which types it has.
fn fits(contract: &Contract, ty: &Type, name: &str) -> Result<(), &'static str> {
    let (fits, on) = match name {
        "min" | "max" | "greater_than" | "less_than" | "not_zero" => {
            (is_ordered(ty), "numbers, Decimal, Timestamp, U256 and I256")
        }
        "multiple_of" => (ty.int_range().is_some(), "integers and Timestamp"),
        "finite" => (matches!(ty, Type::F32 | Type::F64), "f32 and f64"),
        "one_of" => {
            let float = matches!(ty, Type::F32 | Type::F64);
            let unit = matches!(ty, Type::Enum(name) if contract.enum_def(name).is_some_and(crate::EnumDef::is_unit));
            let fits = (is_ordered(ty) && !float) || unit || *ty == Type::String;
            (fits, "integers, Decimal, Timestamp, U256, I256, String and unit enums")
        }
        "min_length" | "max_length" | "not_empty" => {
            (matches!(ty, Type::String | Type::Bytes | Type::Vec(_)), "String, Bytes and Vec")
        }
        "ascii" => (*ty == Type::String, "String"),
        _ => (matches!(ty, Type::Vec(_) | Type::Array(..)), "Vec and arrays"),
    };
    if fits { Ok(()) } else { Err(on) }
}

fn rule(contract: &Contract, ty: &Type, entry: &Entry<'_>, report: &mut Report<'_>) -> Option<Rule> {
    let name = entry.name;
    if let Err(on) = fits(contract, ty, name) {
        let cause = format!("the rule `{name}` does not fit `{ty}`");
        let element = matches!(ty, Type::Vec(_) | Type::Array(..)) && name != "each";
        let remedy = if element {
            format!("`{name}` is for {on}; for every element write `each: {{{name}: ...}}`")
        } else {
            let instead = match name {
                "min" | "max" if matches!(ty, Type::String | Type::Bytes) => {
                    format!("write `{name}_length`")
                }
                _ => "remove it".to_owned(),
            };
            format!("{instead}: `{name}` is for {on}")
        };
        report.add(Code::RULE_MISFIT, entry.span, cause, remedy);
        return None;
    }
    match name {
        "min" => operand(contract, ty, entry.value, report).map(Rule::Min),
        "max" => operand(contract, ty, entry.value, report).map(Rule::Max),
        "greater_than" => operand(contract, ty, entry.value, report).map(Rule::GreaterThan),
        "less_than" => operand(contract, ty, entry.value, report).map(Rule::LessThan),
        "multiple_of" => match operand(contract, ty, entry.value, report)? {
            Value::Int(step) if step > 0 => Some(Rule::MultipleOf(step)),
            _ => wrong(
                entry.value.span,
                "`multiple_of` must be above zero",
                "write a positive integer",
                report,
            ),
        },
        "one_of" => one_of(contract, ty, entry.value, report),
        "min_length" => length(entry, report).map(Rule::MinLength),
        "max_length" => length(entry, report).map(Rule::MaxLength),
        "each" => each(contract, ty, entry, report),
        "not_zero" => flag(entry, report).then_some(Rule::NotZero),
        "finite" => flag(entry, report).then_some(Rule::Finite),
        "not_empty" => flag(entry, report).then_some(Rule::NotEmpty),
        _ => flag(entry, report).then_some(Rule::Ascii),
    }
}

fn wrong<T>(span: Span, cause: &str, remedy: &str, report: &mut Report<'_>) -> Option<T> {
    report.add(Code::BAD_OPERAND, span, cause, remedy);
    None
}

fn operand(contract: &Contract, ty: &Type, node: &Node, report: &mut Report<'_>) -> Option<Value> {
    match literal::read(contract, ty, node, !report.is_full()) {
        Ok(value) => Some(value),
        Err(misfit) => wrong(misfit.span, &misfit.cause, &misfit.remedy, report),
    }
}

fn flag(entry: &Entry<'_>, report: &mut Report<'_>) -> bool {
    if let Kind::Bool(on) = entry.value.kind {
        return on;
    }
    let cause = format!("`{}` is true or false, not {}", entry.name, entry.value.shape());
    report.add(Code::BAD_OPERAND, entry.value.span, cause, format!("write `{}: true`", entry.name));
    false
}

fn length(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<u32> {
    let what = format!("`{}`", entry.name);
    super::keys::integer(entry.value, &what, 0, LENGTH_RULE_MAX.into(), Code::BAD_OPERAND, report)
        .and_then(|n| u32::try_from(n).ok())
}

fn one_of(contract: &Contract, ty: &Type, node: &Node, report: &mut Report<'_>) -> Option<Rule> {
    let Kind::List(list) = &node.kind else {
        return wrong(
            node.span,
            "`one_of` must be a list",
            "write the allowed values between `[` and `]`",
            report,
        );
    };
    if list.is_empty() || list.len() > ONE_OF_MAX {
        let cause = format!("`one_of` takes 1 to {ONE_OF_MAX} values, not {}", list.len());
        let remedy = if list.is_empty() {
            "write the allowed values between `[` and `]`, or remove the rule"
        } else {
            "define a unit enum of the values, or check them in code"
        };
        return wrong(node.span, &cause, remedy, report);
    }
    let mut values: Vec<Value> = Vec::with_capacity(list.len());
    for item in list {
        let value = operand(contract, ty, item, report)?;
        if values.iter().any(|v| compare_equal(ty, v, &value)) {
            return wrong(item.span, "this value stands twice in `one_of`", "remove one", report);
        }
        values.push(value);
    }
    Some(Rule::OneOf(values))
}

fn each(contract: &Contract, ty: &Type, entry: &Entry<'_>, report: &mut Report<'_>) -> Option<Rule> {
    let (Type::Vec(of) | Type::Array(of, _)) = ty else { return None };
    if let Kind::Map(map) = &entry.value.kind
        && let Some((key, _)) = map.iter().find(|(k, _)| matches!(&k.kind, Kind::Text(t) if t == "each"))
    {
        return wrong(
            key.span,
            "`each` cannot stand inside `each`",
            "define a struct for the inner list",
            report,
        );
    }
    let before = report.count();
    let rules = read(contract, of, entry.value, report);
    if rules.is_empty() && report.count() == before {
        return wrong(entry.value.span, "`each` holds no rule", "remove it", report);
    }
    (!rules.is_empty()).then_some(Rule::Each(rules))
}

fn compare_equal(ty: &Type, a: &Value, b: &Value) -> bool {
    literal::compare(ty, a, b) == Some(Ordering::Equal)
}

/// Two rules that leave no value, or say one thing twice.
fn contradiction(ty: &Type, rules: &[Rule]) -> Option<String> {
    let count = |of: fn(&Rule) -> bool| rules.iter().filter(|rule| of(rule)).count();
    if count(|rule| matches!(rule, Rule::Min(_) | Rule::GreaterThan(_))) > 1
        || count(|rule| matches!(rule, Rule::Max(_) | Rule::LessThan(_))) > 1
    {
        return Some("two rules bound the value on one side".to_owned());
    }
    let (mut shortest, mut longest) = (0, LENGTH_RULE_MAX);
    for rule in rules {
        match rule {
            Rule::MinLength(n) => shortest = shortest.max(*n),
            Rule::NotEmpty => shortest = shortest.max(1),
            Rule::MaxLength(n) => longest = *n,
            _ => {}
        }
    }
    if shortest > longest {
        return Some(format!("no length is at least {shortest} and at most {longest}"));
    }
    if is_ordered(ty) && !is_satisfiable(ty, rules) {
        let keys: Vec<String> = rules
            .iter()
            .filter(|rule| !matches!(rule, Rule::OneOf(_)))
            .map(|rule| format!("`{}`", rule.key()))
            .collect();
        return Some(format!("no value of `{ty}` keeps {}", keys.join(" and ")));
    }
    let one_of = rules.iter().find_map(|r| if let Rule::OneOf(values) = r { Some(values) } else { None });
    let others = |r: &&Rule| !matches!(r, Rule::OneOf(_));
    let refused = one_of?.iter().any(|v| rules.iter().filter(others).any(|r| !keeps(ty, r, v)));
    refused.then(|| "a value of `one_of` breaks another rule".to_owned())
}

/// The first of `rules` that `value` breaks.
pub(crate) fn broken<'r>(ty: &Type, rules: &'r [Rule], value: &Value) -> Option<&'r Rule> {
    rules.iter().find(|rule| !keeps(ty, rule, value))
}

fn keeps(ty: &Type, rule: &Rule, value: &Value) -> bool {
    let (ty, value) = match (ty, value) {
        (_, Value::None) => return true,
        (Type::Option(inner), Value::Some(value)) => (&**inner, &**value),
        other => other,
    };
    let order = |operand: &Value| literal::compare(ty, value, operand);
    match rule {
        Rule::Min(bound) => order(bound).is_some_and(Ordering::is_ge),
        Rule::Max(bound) => order(bound).is_some_and(Ordering::is_le),
        Rule::GreaterThan(bound) => order(bound).is_some_and(Ordering::is_gt),
        Rule::LessThan(bound) => order(bound).is_some_and(Ordering::is_lt),
        Rule::MultipleOf(step) => matches!(value, Value::Int(v) if v % step == 0),
        Rule::NotZero => match value {
            Value::Int(v) => *v != 0,
            Value::Float(v) => *v != 0.0,
            Value::Decimal(v) => v.mantissa != 0,
            Value::Wide(limbs) => *limbs != [0; 4],
            _ => true,
        },
        Rule::OneOf(values) => values.iter().any(|v| compare_equal(ty, v, value)),
        Rule::MinLength(n) => length_of(value) >= *n as usize,
        Rule::MaxLength(n) => length_of(value) <= *n as usize,
        Rule::NotEmpty => length_of(value) > 0,
        Rule::Ascii => matches!(value, Value::String(s) if s.bytes().all(|b| (0x20..=0x7e).contains(&b))),
        Rule::Each(rules) => match (ty, value) {
            (Type::Vec(of) | Type::Array(of, _), Value::List(list)) => {
                list.iter().all(|v| broken(of, rules, v).is_none())
            }
            _ => true,
        },
        Rule::Finite => matches!(value, Value::Float(v) if v.is_finite()),
    }
}

fn length_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        _ => 0,
    }
}
