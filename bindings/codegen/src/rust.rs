//! Rust source from a contract.

mod defaults;
mod message;
mod rules;
mod types;

use mycelium_contract::{Contract, Type};

use crate::Model;
use crate::source::{Source, turns_text};

/// How the source is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Path of the crate that generated code refers to: `::mycelium`, or `::mycelium_mailbox` for code that
    /// needs no actors.
    pub crate_path: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { crate_path: "::mycelium".to_owned() }
    }
}

impl Options {
    /// Refers to `path` instead of `::mycelium`.
    #[must_use]
    pub fn crate_path(mut self, path: impl Into<String>) -> Self {
        self.crate_path = path.into();
        self
    }
}

/// The source of one private module with all types of `contract`, and a `pub use` of them: to be included
/// anywhere.
///
/// It needs no dependency but the crate that `options` names, and compiles under `#![forbid(unsafe_code)]`
/// and `#![deny(missing_docs, warnings)]`.
#[must_use]
pub fn rust(contract: &Contract, options: &Options) -> String {
    let model = &Model::new(contract);
    let mut out = Source::default();
    let schema = &contract.schema;
    out.line(format!(
        "// Generated from the contract {} version {}: edit that, not this.",
        schema.id, schema.version
    ));
    out.line("");
    // rkyv's derive documents all but the resolvers of enums; a user's crate may not use every message; older
    // layouts have an underscore in their names.
    out.line("#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]");
    out.line("#[allow(clippy::all, clippy::pedantic, rustdoc::all)]");
    out.line("mod generated_contracts {");
    out.indent += 1;
    out.line("#[allow(unused_imports)]");
    out.line(format!(
        "use {}::{{self as mycelium, rkyv, wire, Message as _, wire::Wire as _}};",
        options.crate_path
    ));
    out.line("#[allow(unused_imports)]");
    out.line("use mycelium::scalar::{Decimal, I256, Timestamp, U256};");
    for def in &contract.enums {
        types::enumeration(model, def, &mut out);
    }
    for def in &contract.structs {
        types::structure(model, def, &mut out);
    }
    for message in &contract.messages {
        message::message(model, message, &mut out);
    }
    table(contract, &mut out);
    out.indent -= 1;
    out.line("}");
    out.line("");
    out.line("#[allow(unused_imports, unreachable_pub)]");
    out.line("pub use self::generated_contracts::*;");
    out.text
}

/// The messages by type and without: no name of a contract has an underscore, and no type is in the way of a
/// constant.
fn table(contract: &Contract, out: &mut Source) {
    out.line("");
    out.line("/// The messages of the contract: see [`CONTRACT`].");
    out.line("#[derive(Clone, Copy, Debug)]");
    out.line("pub struct Contract_;");
    out.line("");
    out.line("/// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.");
    out.line("pub const CONTRACT: Contract_ = Contract_;");
    out.line("");
    out.open("impl Contract_ {");
    out.line("/// What is known of each message without its type, in the order of the contract.");
    out.open("pub const ENTRIES: &'static [wire::Entry] = &[");
    for message in &contract.messages {
        out.line(format!("wire::Entry::of::<{}>(),", message.name));
    }
    out.close("];");
    out.close("}");
    out.line("");
    out.open("impl wire::Messages for Contract_ {");
    out.open("fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {");
    for message in &contract.messages {
        out.line(format!("visitor.typed::<{}>();", message.name));
    }
    out.close("}");
    out.close("}");
}

impl Source {
    /// Documentation: the description, line by line, or `instead` where there is none.
    fn doc(&mut self, description: &str, instead: &str) {
        let text = if description.trim().is_empty() { instead } else { description.trim() };
        for line in text.lines() {
            self.line(format!("/// {}", prose(line)).trim_end());
        }
    }
}

/// A line of a description without what would make a test of documentation: a fence, also in a quote or a
/// list, and spaces behind the mark of a list, which indent code.
fn prose(line: &str) -> String {
    let is_text = |c: &char| (c.is_whitespace() || !c.is_control()) && !turns_text(*c);
    let clean: String = line.chars().filter(is_text).collect();
    let words: Vec<_> = clean.split_whitespace().collect();
    words.join(" ").replace("```", r"\`\`\`").replace("~~~", r"\~\~\~")
}

/// The Rust type of a field.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bytes => "Vec<u8>".to_owned(),
        Type::Array(of, count) => format!("[{}; {count}]", type_name(of)),
        Type::Vec(of) => format!("Vec<{}>", type_name(of)),
        Type::Option(of) => format!("Option<{}>", type_name(of)),
        Type::Enum(name) | Type::Struct(name) => path(name),
        other => other.to_string(),
    }
}

/// How code refers to a type of the contract. rkyv's derives open scopes with types of their own, such as
/// `Tag`: no short name reaches past them.
fn path(name: &str) -> String {
    format!("self::{name}")
}
