//! Layout digests: 64 bits per message version, the same on every machine and in every language.
//!
//! A digest is FNV-1a (64 bits, offset basis `0xcbf29ce484222325`, prime `0x100000001b3`) over a canonical
//! text in UTF-8, whose lines each end with one line feed:
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
//! `TYPE` is written as in `contracts.yaml` without spaces but one after `;` (`Vec<u64>`, `[u8; 4]`), and the
//! name of a definition is followed by `#` and its digest as 16 small hexadecimal digits:
//! `Vec<Point#0123456789abcdef>`.
//!
//! A unit enum may gain variants, and old and new peers still talk. So it is listed in two ways: in
//! [`Digests::layout`], which peers compare, with the variants of its first release alone (`since` is 1),
//! while they compare the later ones by name ([`crate::GrownEnums`]); in [`Digests::message`] with all
//! variants: where these are equal, nothing differs.
//!
//! So digests change with names, types and order of fields and variants, at any depth. They do not change
//! with type id, topic, domain, descriptions, defaults or validation, nor with the answer (`reply`): who
//! learns of it later still understands who does not, and what comes back is a message of its own, with a
//! type id and a digest.

use std::collections::HashMap;
use std::fmt::Write;

use crate::check::graph::{Def, order};
use crate::{Contract, EnumDef, Field, Message, StructDef, Type};

/// The digests of all definitions of a contract, ready for its messages.
#[derive(Debug, Clone)]
pub struct Digests {
    /// With the variants of first releases.
    first: HashMap<String, u64>,
    /// With all variants.
    all: HashMap<String, u64>,
}

impl Digests {
    /// Computes them.
    #[must_use]
    pub fn of(contract: &Contract) -> Digests {
        let mut digests = Digests { first: HashMap::new(), all: HashMap::new() };
        for def in order(contract).ordered {
            let name = def.name().to_owned();
            let (first, all) = match def {
                Def::Struct(def) => (struct_digest(def, &digests.first), struct_digest(def, &digests.all)),
                Def::Enum(def) => (
                    enum_digest(def, def.released(), &digests.first),
                    enum_digest(def, def.variants.len(), &digests.all),
                ),
            };
            digests.first.insert(name.clone(), first);
            digests.all.insert(name, all);
        }
        digests
    }

    /// The digest of version `version` of a message of this contract, with all variants of its enums.
    ///
    /// Equal digests mean equal names, layout and tags; they do not tell that validation or defaults agree.
    /// Peers whose digests differ may still talk: see [`Digests::layout`].
    #[must_use]
    pub fn message(&self, message: &Message, version: u16) -> u64 {
        fnv1a(&message_text(message, version, &self.all))
    }

    /// The digest of version `version` of a message of this contract as peers compare it: without what unit
    /// enums have gained since their first release, which [`crate::GrownEnums`] tells.
    #[must_use]
    pub fn layout(&self, message: &Message, version: u16) -> u64 {
        fnv1a(&self.canonical(message, version))
    }

    /// The digest of a contract as a whole: of what [`Digests::message`] says of each message in its current
    /// version, whatever their order in the file. Programs in two languages that were generated from one
    /// contract have the same one.
    #[must_use]
    pub fn schema(&self, contract: &Contract) -> u64 {
        let mut messages: Vec<&Message> = contract.messages.iter().collect();
        messages.sort_by_key(|message| message.type_id);
        let mut text = "mycelium schema 1\n".to_owned();
        for message in messages {
            let _ = writeln!(text, "{} {:016x}", message.type_id, self.message(message, message.version));
        }
        fnv1a(&text)
    }

    /// The text that [`Digests::layout`] digests, to see what differs between two peers.
    #[must_use]
    pub fn canonical(&self, message: &Message, version: u16) -> String {
        message_text(message, version, &self.first)
    }
}

fn message_text(message: &Message, version: u16, known: &HashMap<String, u64>) -> String {
    let mut text = format!("mycelium layout 1\nmessage {}\n", message.name);
    fields_text(message.fields_of(version), known, &mut text);
    text
}

fn struct_digest(def: &StructDef, known: &HashMap<String, u64>) -> u64 {
    let mut text = format!("struct {}\n", def.name);
    fields_text(&def.fields, known, &mut text);
    fnv1a(&text)
}

/// Of the first `count` variants.
fn enum_digest(def: &EnumDef, count: usize, known: &HashMap<String, u64>) -> u64 {
    let mut text = format!("enum {}\n", def.name);
    for variant in &def.variants[..count] {
        let _ = writeln!(text, "variant {}", variant.name);
        fields_text(&variant.fields, known, &mut text);
    }
    fnv1a(&text)
}

fn fields_text(fields: &[Field], known: &HashMap<String, u64>, text: &mut String) {
    for field in fields {
        text.push_str(&field.name);
        text.push(' ');
        type_text(&field.ty, known, text);
        text.push('\n');
    }
}

fn type_text(ty: &Type, known: &HashMap<String, u64>, text: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = match ty {
        Type::Array(of, count) => {
            text.push('[');
            type_text(of, known, text);
            write!(text, "; {count}]")
        }
        Type::Vec(of) => {
            text.push_str("Vec<");
            type_text(of, known, text);
            text.write_char('>')
        }
        Type::Option(of) => {
            text.push_str("Option<");
            type_text(of, known, text);
            text.write_char('>')
        }
        Type::Enum(name) | Type::Struct(name) => {
            write!(text, "{name}#{:016x}", known.get(name).copied().unwrap_or_default())
        }
        simple => write!(text, "{simple}"),
    };
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
