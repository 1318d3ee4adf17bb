//! How large fixed parts may be, and how long what rules demand.

use crate::diagnostic::{Report, Span};
use crate::layout::Layouts;
use crate::limits::{FIXED_BYTES_MAX, VALUE_BYTES_MAX};
use crate::{Code, Contract, Field, Pos, Rule, Type};

/// Reports messages, definitions and elements of lists that are too large to be moved, and lengths that no
/// message can have.
pub(super) fn check(contract: &Contract, report: &mut Report<'_>) {
    let (archived, native) = (Layouts::of(contract), Layouts::in_memory(contract));
    let mut sizes = Sizes { archived, native, report };
    for def in &contract.structs {
        sizes.fixed(&def.name, def.at, sizes.native.definition(&def.name).size);
        sizes.fields(&def.name, &def.fields);
    }
    for def in &contract.enums {
        sizes.fixed(&def.name, def.at, sizes.native.definition(&def.name).size);
        for variant in &def.variants {
            sizes.fields(&variant.name, &variant.fields);
        }
    }
    for message in &contract.messages {
        sizes.fixed(&message.name, message.at, sizes.native.record(&message.fields).layout.size);
        sizes.fields(&message.name, &message.fields);
    }
}

struct Sizes<'a, 'r> {
    archived: Layouts,
    native: Layouts,
    report: &'a mut Report<'r>,
}

impl Sizes<'_, '_> {
    fn fixed(&mut self, name: &str, at: Pos, size: u64) {
        if size > FIXED_BYTES_MAX {
            let cause = format!(
                "the fixed part of `{name}` takes up to {size} bytes in memory, above {FIXED_BYTES_MAX}: it is moved by value"
            );
            self.report.add(Code::LIMIT, span(name, at), cause, "write `Vec<T>` or `Bytes` for large arrays");
        }
    }

    fn fields(&mut self, owner: &str, fields: &[Field]) {
        for field in fields {
            let name = format!("{owner}.{}", field.name);
            self.elements(&name, field, &field.ty);
            self.lengths(&name, field, &field.ty, &field.validation);
        }
    }

    /// Elements of lists are no part of what holds the list, and are moved one by one.
    fn elements(&mut self, name: &str, field: &Field, ty: &Type) {
        match ty {
            Type::Array(of, _) | Type::Option(of) => self.elements(name, field, of),
            Type::Vec(of) => {
                let size = self.native.type_of(of).size;
                if size > FIXED_BYTES_MAX {
                    let cause = format!(
                        "an element of `{name}` takes up to {size} bytes in memory, above {FIXED_BYTES_MAX}: it is moved by value"
                    );
                    let remedy = "write `Vec<T>` or `Bytes` for large arrays in it";
                    self.report.add(Code::LIMIT, span(&field.name, field.at), cause, remedy);
                } else {
                    self.elements(name, field, of);
                }
            }
            _ => {}
        }
    }

    fn lengths(&mut self, name: &str, field: &Field, ty: &Type, rules: &[Rule]) {
        let ty = match ty {
            Type::Option(of) => of,
            other => other,
        };
        let element = match ty {
            Type::Vec(of) => self.archived.type_of(of).size,
            _ => 1,
        };
        for rule in rules {
            match (rule, ty) {
                // Its cell alone takes 8 bytes more.
                (Rule::MinLength(length), _) if u64::from(*length) * element + 8 > VALUE_BYTES_MAX => {
                    let cause = format!(
                        "no `{name}` of length {length} fits into a message of {VALUE_BYTES_MAX} bytes"
                    );
                    let span = span(&field.name, field.at);
                    self.report.add(Code::CONTRADICTION, span, cause, "lower `min_length`");
                }
                (Rule::Each(rules), Type::Vec(of) | Type::Array(of, _)) => {
                    self.lengths(name, field, of, rules);
                }
                _ => {}
            }
        }
    }
}

fn span(name: &str, at: Pos) -> Span {
    Span { at, length: u32::try_from(name.len()).unwrap_or(1) }
}
