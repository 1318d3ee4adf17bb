//! Layout digests: 64 bits per message version, the same on every machine and in every language.
//!
//! The digest is FNV-1a (64 bits, offset basis `0xcbf29ce484222325`, prime `0x100000001b3`) over a canonical text in
//! UTF-8, whose lines each end with one line feed:
//!
//! ```text
//! mycelium layout 1
//! message NAME
//! FIELD TYPE          (one line per field of that version, in wire order)
//! ```
//!
//! A definition (struct or enum) has a digest of its own, over
//!
//! ```text
//! struct NAME         enum NAME
//! FIELD TYPE ...      variant NAME
//!                     FIELD TYPE ...
//! ```
//!
//! where a unit enum lists only the variants whose `since` is 1. `TYPE` is written as in `contracts.yaml` without
//! spaces but one after `;` (`Vec<u64>`, `[u8; 4]`), and the name of a definition is followed by `#` and its digest
//! as 16 small hexadecimal digits: `Vec<Point#0123456789abcdef>`.
//!
//! So the digest changes with names, types and order of fields and variants, at any depth. It does not change with
//! type id, topic, domain, descriptions, defaults, validation, or what a unit enum gains.

use std::collections::HashMap;
use std::fmt::Write;

use crate::check::graph::{Def, order};
use crate::{Contract, EnumDef, Field, Message, Type};

/// The digests of all definitions of a contract, ready for its messages.
#[derive(Debug, Clone)]
pub struct Digests {
    definitions: HashMap<String, u64>,
}

impl Digests {
    /// Computes them.
    #[must_use]
    pub fn of(contract: &Contract) -> Digests {
        let mut digests = Digests { definitions: HashMap::new() };
        for def in order(contract).ordered {
            let text = match def {
                Def::Struct(def) => {
                    let mut text = format!("struct {}\n", def.name);
                    digests.fields(&def.fields, &mut text);
                    text
                }
                Def::Enum(def) => digests.enum_text(def),
            };
            digests.definitions.insert(def.name().to_owned(), fnv1a(&text));
        }
        digests
    }

    /// The digest of version `version` of a message of this contract.
    ///
    /// Equal digests mean equal names and layout; they do not tell that validation or defaults agree.
    #[must_use]
    pub fn message(&self, message: &Message, version: u16) -> u64 {
        fnv1a(&self.canonical(message, version))
    }

    /// The text that [`Digests::message`] digests, to see what differs between two peers.
    #[must_use]
    pub fn canonical(&self, message: &Message, version: u16) -> String {
        let mut text = format!("mycelium layout 1\nmessage {}\n", message.name);
        self.fields(message.fields_of(version), &mut text);
        text
    }

    fn fields(&self, fields: &[Field], text: &mut String) {
        for field in fields {
            text.push_str(&field.name);
            text.push(' ');
            self.type_text(&field.ty, text);
            text.push('\n');
        }
    }

    fn enum_text(&self, def: &EnumDef) -> String {
        let mut text = format!("enum {}\n", def.name);
        for variant in def.variants.iter().filter(|v| v.since == 1) {
            let _ = writeln!(text, "variant {}", variant.name);
            self.fields(&variant.fields, &mut text);
        }
        text
    }

    fn type_text(&self, ty: &Type, text: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = match ty {
            Type::Array(of, count) => {
                text.push('[');
                self.type_text(of, text);
                write!(text, "; {count}]")
            }
            Type::Vec(of) => {
                text.push_str("Vec<");
                self.type_text(of, text);
                text.write_char('>')
            }
            Type::Option(of) => {
                text.push_str("Option<");
                self.type_text(of, text);
                text.write_char('>')
            }
            Type::Enum(name) | Type::Struct(name) => {
                write!(text, "{name}#{:016x}", self.definitions.get(name).copied().unwrap_or_default())
            }
            simple => write!(text, "{simple}"),
        };
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
