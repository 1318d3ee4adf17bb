//! An OCaml library from a contract.

mod codec;
mod literal;
mod rules;
mod types;

use mycelium_contract::{Contract, Def, Digests, Field, Type};

use self::codec::OcamlCodec;
use crate::Model;
use crate::model::is_bytes;
use crate::source::{Source, turns_text, unless_taken};

/// One file of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OcamlFile {
    /// Its name within the library's folder.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// What the generated codecs share.
const RUNTIME: [(&str, &str); 4] = [
    ("mycelium_json.ml", include_str!("ocaml/json.ml")),
    ("mycelium_scalar.ml", include_str!("ocaml/scalar.ml")),
    ("mycelium_wire.ml", include_str!("ocaml/wire.ml")),
    ("mycelium_wire.mli", include_str!("ocaml/wire.mli")),
];

/// The files of an OCaml library with all types of `contract`: records that encode, decode and validate as
/// the types of the other languages do. It needs OCaml 4.13 and dune 2.9, and no other library.
///
/// The library is called as [`ocaml_library`] says.
#[must_use]
pub fn ocaml(contract: &Contract) -> Vec<OcamlFile> {
    let library = ocaml_library(contract);
    let head = head(contract);
    let (interface, code, parts) = modules(contract);
    let mut names: Vec<String> =
        RUNTIME.iter().filter_map(|(name, _)| Some(name.strip_suffix(".ml")?.to_owned())).collect();
    names.push(library.clone());
    names.extend((1..=parts.len()).map(|part| format!("part_{part}")));
    // Named, so that what another contract has left in the folder is left out.
    let dune = format!("; {head}\n(library\n (name {library})\n (modules {}))\n", names.join(" "));
    let file = |name: String, text: String| OcamlFile { name, text };
    let mut files = vec![
        file("dune".to_owned(), dune),
        file(format!("{library}.ml"), format!("(* {head} *)\n\n{code}")),
        file(format!("{library}.mli"), format!("(* {head} *)\n\n{interface}")),
    ];
    let parts = parts.iter().enumerate();
    files.extend(
        parts.map(|(at, text)| file(format!("part_{}.ml", at + 1), format!("(* {head} *)\n\n{text}"))),
    );
    files.extend(RUNTIME.map(|(name, text)| file(name.to_owned(), text.to_owned())));
    files
}

/// What the library of [`ocaml`] is called: `acme_trading_messages` for the contract `acme.trading`. The
/// module that users open is the same with a capital.
#[must_use]
pub fn ocaml_library(contract: &Contract) -> String {
    let id = &contract.schema.id;
    let clean: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    // A module begins with a letter.
    let first = if clean.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "m" };
    format!("{first}{clean}_messages")
}

fn head(contract: &Contract) -> String {
    let schema = &contract.schema;
    format!("Generated from the contract {} version {}: edit that, not this.", schema.id, schema.version)
}

/// Interface and code of the module that users open, and the parts that hold the codecs.
fn modules(contract: &Contract) -> (String, String, Vec<String>) {
    let model = &Model::new(contract);
    let mut codec = OcamlCodec::new(model);
    prelude(contract, &mut codec);
    for def in contract.definitions() {
        match def {
            Def::Enum(def) => types::enumeration(def, &mut codec),
            Def::Struct(def) => types::structure(model, def, &mut codec),
        }
    }
    for message in &contract.messages {
        types::message(model, message, &mut codec);
    }
    codec.interface.line("");
    codec.interface.line("(** All messages, in the order of the contract. *)");
    codec.interface.line("val messages : (module MESSAGE) list");
    codec.main.line("");
    codec.main.open("let messages : (module MESSAGE) list = [");
    for message in &contract.messages {
        codec.main.line(format!("(module {});", message.name));
    }
    codec.main.close("]");
    let parts = codec.finish();
    (codec.interface.text, codec.main.text, parts)
}

/// What stands in front of the types.
fn prelude(contract: &Contract, codec: &mut OcamlCodec<'_>) {
    let schema = &contract.schema;
    codec
        .interface
        .line(format!("(** The messages of the contract {} version {}. *)", schema.id, schema.version));
    let taken = |name: &str| {
        let mut defs = contract.definitions().into_iter().map(Def::name);
        defs.any(|other| other == name) || contract.message(name).is_some()
    };
    let shared = [
        "type error = Mycelium_wire.error = Truncated of string | Version of string | Invalid of string",
        "type violation = Mycelium_wire.violation = { message : string; field : string; reason : string }",
        "type bigstring = Mycelium_wire.bigstring",
        "module type MESSAGE = Mycelium_wire.MESSAGE",
    ];
    for line in shared {
        codec.both("");
        codec.both(line);
    }
    codec.both("");
    // The other names are reserved words of contracts.
    for name in ["Decimal", "I256", "Timestamp", "U256", "Uint64"].into_iter().filter(|name| !taken(name)) {
        codec.both(&format!("module {name} = Mycelium_wire.{name}"));
    }
    codec.both("");
    let digest = format!("0x{:016X}L", Digests::of(contract).schema(contract));
    let constants = [
        ("schema_id", "string", literal::text(&schema.id)),
        ("schema_version", "int", schema.version.to_string()),
        ("schema_digest", "int64", digest),
        ("error_to_string", "error -> string", "Mycelium_wire.error_to_string".to_owned()),
        ("violation_to_string", "violation -> string", "Mycelium_wire.violation_to_string".to_owned()),
    ];
    for (name, ty, value) in constants {
        codec.interface.line(format!("val {name} : {ty}"));
        codec.main.line(format!("let {name} = {value}"));
    }
    codec.interface.line("");
    codec.interface.line("(** What a runtime of the library [mycelium] knows of the contract. *)");
    codec.interface.line("val contract : string");
    codec.main.open("let contract =");
    // In an OCaml literal, a newline behind a backslash and the blanks after it are not there.
    let lines: Vec<_> = contract.table().lines().map(|line| literal::text(&format!("{line}\n"))).collect();
    let lines: Vec<_> = lines.iter().map(|line| &line[1..line.len() - 1]).collect();
    codec.main.line(format!("\"{}\"", lines.join("\\\n   ")));
    codec.main.dedent();
    codec.main.line("");
}

impl Source {
    /// A comment of odoc: the description, or `instead` where there is none.
    fn odoc(&mut self, description: &str, instead: &str, more: &str) {
        let text = if description.trim().is_empty() { instead } else { description.trim() };
        let mut lines: Vec<String> = text.lines().map(comment).collect();
        if !more.is_empty() {
            lines.extend([String::new(), more.to_owned()]);
        }
        let last = lines.len().saturating_sub(1);
        for (at, line) in lines.iter().enumerate() {
            let (begin, end) = (if at == 0 { "(** " } else { "    " }, if at == last { " *)" } else { "" });
            self.line(format!("{begin}{line}{end}").trim_end());
        }
    }
}

/// A line of a comment: OCaml reads strings and comments inside of comments, and odoc has marks of its own.
fn comment(line: &str) -> String {
    let mut out = String::new();
    for c in line.trim().chars().filter(|c| !c.is_control() && !turns_text(*c)) {
        // Replaced first: what takes their place is watched as well.
        let c = match c {
            '{' => '(',
            '}' => ')',
            '"' => '\'',
            other => other,
        };
        match c {
            '*' if out.ends_with('(') => out.push_str(" *"),
            ')' if out.ends_with('*') => out.push_str(" )"),
            '[' | ']' | '@' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

/// Words of OCaml that contracts allow as names of fields; `effect` is one from OCaml 5.3 on.
const KEYWORDS: [&str; 2] = ["effect", "open"];

/// The name of a field in OCaml.
fn field_name(field: &Field) -> String {
    unless_taken(&field.name, &KEYWORDS)
}

/// The OCaml type of a field.
fn type_of(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::U64 => "Mycelium_wire.Uint64.t".to_owned(),
        Type::Timestamp => "Mycelium_wire.Timestamp.t".to_owned(),
        Type::I64 => "int64".to_owned(),
        Type::F32 | Type::F64 => "float".to_owned(),
        Type::Decimal => "Mycelium_wire.Decimal.t".to_owned(),
        Type::U256 => "Mycelium_wire.U256.t".to_owned(),
        Type::I256 => "Mycelium_wire.I256.t".to_owned(),
        Type::String => "string".to_owned(),
        _ if is_bytes(ty) => "bytes".to_owned(),
        Type::Vec(of) | Type::Array(of, _) => format!("{} array", type_of(of)),
        Type::Option(of) => format!("{} option", type_of(of)),
        Type::Enum(name) | Type::Struct(name) => format!("{name}.t"),
        _ => "int".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_mark_of_a_description_ends_or_begins_a_comment() {
        for text in ["{a*} let x = 1", "{*b", "(*c*)", "*}", "**)", "{{*}}"] {
            let comment = super::comment(text);
            assert!(!comment.contains("*)") && !comment.contains("(*"), "{comment}");
        }
    }
}
