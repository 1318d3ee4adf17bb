//! A Python package from a contract.

mod codec;
mod fit;
mod literal;
mod rules;
mod types;

use mycelium_contract::{Contract, Def, Digests, Field, Type};

use self::codec::Codec;
use crate::Model;
use crate::model::is_bytes;
use crate::source::{Source, turns_text, unless_taken};

/// One file of the package.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PythonFile {
    /// Its name within the package's folder.
    pub name: &'static str,
    /// What it holds.
    pub text: String,
}

/// What the generated codecs share.
const RUNTIME: &str = concat!(include_str!("python/wire.py"), "\n\n", include_str!("python/fit.py"));

/// What the package offers of its runtime, unless the contract has a type of that name.
const PUBLIC: [&str; 10] = [
    "DecodeError",
    "EncodeError",
    "InvalidError",
    "TruncatedError",
    "ValidationError",
    "VersionError",
    "from_datetime",
    "from_datetime64",
    "to_datetime",
    "to_datetime64",
];

/// What the classes of a package are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClassKind {
    Dataclass,
    Msgspec,
}

impl ClassKind {
    /// What makes a field.
    fn field(self) -> &'static str {
        match self {
            Self::Dataclass => "_field",
            Self::Msgspec => "_msgspec.field",
        }
    }
}

/// The files of a Python package with all types of `contract`: dataclasses that encode, decode and validate
/// as the types of the other languages do. It needs Python 3.11 and nothing else.
#[must_use]
pub fn python(contract: &Contract) -> Vec<PythonFile> {
    files(contract, ClassKind::Dataclass)
}

/// The same package with classes that are a `msgspec.Struct`, which msgspec writes as JSON and MessagePack.
/// It needs msgspec.
#[must_use]
pub fn python_msgspec(contract: &Contract) -> Vec<PythonFile> {
    files(contract, ClassKind::Msgspec)
}

fn files(contract: &Contract, kind: ClassKind) -> Vec<PythonFile> {
    vec![
        PythonFile { name: "__init__.py", text: package(contract, kind) },
        PythonFile { name: "_wire.py", text: RUNTIME.to_owned() },
        PythonFile { name: "py.typed", text: String::new() },
    ]
}

fn package(contract: &Contract, kind: ClassKind) -> String {
    let model = &Model::new(contract);
    let mut out = Source::default();
    let schema = &contract.schema;
    out.line(format!(
        "# Generated from the contract {} version {}: edit that, not this.",
        schema.id, schema.version
    ));
    // The classes are annotated; the functions below them are not, and no reader calls them.
    out.line("# mypy: ignore-errors");
    out.line("# pyright: basic");
    out.line(format!("\"\"\"The messages of the contract {} version {}.\"\"\"", schema.id, schema.version));
    out.line("");
    out.line("from __future__ import annotations");
    out.line("");
    imports(kind, &mut out);
    out.line("from . import _wire");
    let types = || {
        let enums = contract.enums.iter().map(|def| &def.name);
        let structs = contract.structs.iter().map(|def| &def.name);
        enums.chain(structs).chain(contract.messages.iter().map(|def| &def.name))
    };
    let public: Vec<&str> = PUBLIC.into_iter().filter(|name| !types().any(|other| other == name)).collect();
    out.line(format!("from ._wire import {}", public.join(", ")));
    out.line("");
    out.line(format!("SCHEMA_ID = {}", literal::text(&schema.id)));
    out.line(format!("SCHEMA_VERSION = {}", schema.version));
    out.line(format!("SCHEMA_DIGEST = 0x{:016X}", Digests::of(contract).schema(contract)));
    table(contract, &mut out);
    let mut codec = Codec::new(model);
    // Each behind those that its defaults may name.
    for def in contract.definitions() {
        match def {
            Def::Enum(def) => types::enumeration(model, def, kind, &mut codec, &mut out),
            Def::Struct(def) => types::structure(model, def, kind, &mut codec, &mut out),
        }
    }
    for message in &contract.messages {
        types::message(model, message, kind, &mut codec, &mut out);
    }
    out.line("");
    out.line("");
    out.text.push_str(&codec.finish());
    let messages: Vec<&str> = contract.messages.iter().map(|message| message.name.as_str()).collect();
    out.line("");
    out.line("");
    out.line("# The messages by their type id.");
    out.open("MESSAGES: dict[int, type] = {");
    for message in &contract.messages {
        out.line(format!("{}: {},", message.type_id, message.name));
    }
    out.close("}");
    out.line("");
    out.open("__all__ = [");
    let enums = contract.enums.iter().flat_map(types::names_of_enum);
    let structs = contract.structs.iter().map(|def| def.name.clone());
    let constants =
        ["CONTRACT", "MESSAGES", "SCHEMA_DIGEST", "SCHEMA_ID", "SCHEMA_VERSION"].into_iter().chain(public);
    let all = enums.chain(structs).chain(messages.into_iter().chain(constants).map(str::to_owned));
    for name in all {
        out.line(format!("{},", literal::text(&name)));
    }
    out.close("]");
    out.text
}

/// What the package needs of others.
fn imports(kind: ClassKind, out: &mut Source) {
    for module in ["enum", "struct", "typing"] {
        out.line(format!("import {module} as _{module}"));
    }
    out.line("from collections import deque as _deque");
    if kind == ClassKind::Dataclass {
        out.line("from dataclasses import dataclass as _dataclass, field as _field");
    }
    out.line("from decimal import Decimal");
    out.line("");
    if kind == ClassKind::Msgspec {
        // It knows what is of the class by this very name.
        out.line("import typing");
        out.line("");
        out.line("import msgspec as _msgspec");
        out.line("");
    }
}

/// What a runtime knows of the contract.
fn table(contract: &Contract, out: &mut Source) {
    out.line("");
    out.line("# What a runtime knows of the contract: `mycelium.Runtime(contract=THIS_PACKAGE)`.");
    out.open("CONTRACT = (");
    for line in contract.table().lines() {
        out.line(literal::text(&format!("{line}\n")));
    }
    out.close(")");
}

impl Source {
    /// A docstring: the description, or `instead` where there is none.
    fn docstring(&mut self, description: &str, instead: &str) {
        let text = if description.trim().is_empty() { instead } else { description.trim() };
        let clean = |line: &str| {
            let shown: String = line.chars().filter(|c| !c.is_control() && !turns_text(*c)).collect();
            shown.trim().replace('\\', "\\\\").replace('"', "\\\"")
        };
        let lines: Vec<String> = text.lines().map(clean).collect();
        match &lines[..] {
            [only] => self.line(format!("\"\"\"{only}\"\"\"")),
            lines => {
                self.line(format!("\"\"\"{}", lines.first().map_or("", String::as_str)));
                lines.iter().skip(1).for_each(|line| self.line(line));
                self.line("\"\"\"");
            }
        }
    }
}

/// Names that a class body or the code of a method needs for itself.
const TAKEN: [&str; 9] = ["bool", "bytes", "bytearray", "classmethod", "cls", "float", "int", "list", "str"];

/// The name of a field in Python.
fn field_name(field: &Field) -> String {
    unless_taken(&field.name, &TAKEN)
}

/// The Python type of a field.
fn annotation(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::F32 | Type::F64 => "float".to_owned(),
        Type::Decimal => "Decimal".to_owned(),
        Type::String => "str".to_owned(),
        _ if is_bytes(ty) => "bytes".to_owned(),
        Type::Vec(of) | Type::Array(of, _) => format!("list[{}]", annotation(of)),
        Type::Option(of) => format!("{} | None", annotation(of)),
        Type::Enum(name) | Type::Struct(name) => name.clone(),
        _ => "int".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_the_fields_that_get_a_mark() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contracts.md");
        let page = std::fs::read_to_string(path).expect("it can be read").replace('\n', " ");
        let (last, others) = TAKEN.split_last().expect("there are some");
        let listed = format!("A field called `{}` or `{last}` gets a `_`", others.join("`, `"));
        assert!(page.contains(&listed), "docs/contracts.md lacks: {listed}");
    }
}
