//! How far the compiler has to follow a type.

use std::collections::HashMap;

use crate::check::graph::Order;
use crate::diagnostic::{Report, Span};
use crate::limits::STEPS_MAX;
use crate::{Code, Contract, Field, Pos, Type};

/// Reports definitions and messages of too many steps, but none for what is in it.
pub(super) fn check(contract: &Contract, order: &Order<'_>, report: &mut Report<'_>) {
    let mut known: HashMap<&str, usize> = HashMap::new();
    for def in &order.ordered {
        let at = contract.enum_def(def.name()).map(|def| def.at);
        let at = at.or_else(|| contract.struct_def(def.name()).map(|def| def.at)).unwrap_or_default();
        let steps = judge(def.name(), at, def.fields(), &known, report);
        known.insert(def.name(), steps);
    }
    for message in &contract.messages {
        judge(&message.name, message.at, message.fields.iter(), &known, report);
    }
}

/// The steps of a record; none where they are too many, so that this is told once.
fn judge<'c>(
    name: &str,
    at: Pos,
    fields: impl Iterator<Item = &'c Field>,
    known: &HashMap<&str, usize>,
    report: &mut Report<'_>,
) -> usize {
    let steps = 1 + fields.map(|field| of(&field.ty, known)).max().unwrap_or_default();
    if steps <= STEPS_MAX {
        return steps;
    }
    let cause = format!(
        "`{name}` is {steps} steps deep, above {STEPS_MAX}: one for each definition, array and option within \
         one another, three for a list or a text"
    );
    let remedy = "nest fewer of them: put the fields of an inner definition into the one around it";
    let span = Span { at, length: u32::try_from(name.len()).unwrap_or(1) };
    report.add(Code::LIMIT, span, cause, remedy);
    0
}

/// What a list takes, as the compiler sees it: `Vec<T>`, `RawVec<T>`, and the mark of `T` in it.
const OF_LIST: usize = 3;

fn of(ty: &Type, known: &HashMap<&str, usize>) -> usize {
    match ty {
        Type::Array(inner, _) | Type::Option(inner) => 1 + of(inner, known),
        Type::Vec(inner) => OF_LIST + of(inner, known),
        Type::String | Type::Bytes => OF_LIST,
        Type::Enum(name) | Type::Struct(name) => known.get(name.as_str()).copied().unwrap_or_default(),
        _ => 0,
    }
}
