//! Messages: the struct, `Message`, `Wire`, and the layouts of older versions.

use mycelium_contract::{Field, Message};

use super::{Source, defaults, rules, type_name, types};
use crate::Model;

pub(super) fn message(model: &Model<'_>, message: &Message, out: &mut Source) {
    out.line("");
    out.doc(&message.description, &format!("The message `{}`.", message.name));
    out.line("///");
    out.line(format!(
        "/// Topic `{}`, type id {}, version {}, domain `{}`.",
        message.topic, message.type_id, message.version, message.domain
    ));
    types::record(model, &message.name, &message.fields, out);
    constructor(model, message, out);
    identity(model, message, out);
    let older = older_layouts(message);
    wire(model, message, &older, out);
    for (version, fields) in older {
        let name = older_name(message, version);
        out.line("");
        out.line(format!("/// `{}` as its version {version} was laid out.", message.name));
        types::record(model, &name, &frozen(fields), out);
    }
}

/// One entry per distinct older layout: its first version, and the fields it had.
fn older_layouts(message: &Message) -> Vec<(u16, &[Field])> {
    let mut found: Vec<(u16, &[Field])> = Vec::new();
    for version in 1..message.version {
        let fields = message.fields_of(version);
        if fields.len() < message.fields.len()
            && found.last().is_none_or(|(_, last)| last.len() < fields.len())
        {
            found.push((version, fields));
        }
    }
    found
}

fn older_name(message: &Message, version: u16) -> String {
    format!("{}Version{version}", message.name)
}

/// Older layouts are only read: their defaults play no part.
fn frozen(fields: &[Field]) -> Vec<Field> {
    let mut fields = fields.to_vec();
    for field in &mut fields {
        field.default = None;
    }
    fields
}

/// `new`, where some fields have defaults and need not be named.
fn constructor(model: &Model<'_>, message: &Message, out: &mut Source) {
    const ARGUMENTS_MAX: usize = 7;
    let required: Vec<_> = message.fields.iter().filter(|field| field.default.is_none()).collect();
    if required.len() == message.fields.len() || required.len() > ARGUMENTS_MAX {
        return;
    }
    let arguments: Vec<_> = required.iter().map(|f| format!("{}: {}", f.name, type_name(&f.ty))).collect();
    out.line("");
    out.open(format!("impl {} {{", message.name));
    out.line("/// A message with the contract's default in every field that has one.");
    out.line("#[must_use]");
    out.open(format!("pub fn new({}) -> Self {{", arguments.join(", ")));
    out.open("Self {");
    for field in &message.fields {
        match &field.default {
            Some(_) => out.line(format!("{}: {},", field.name, defaults::of_field(model, field))),
            None => out.line(format!("{},", field.name)),
        }
    }
    out.close("}");
    out.close("}");
    out.close("}");
}

fn identity(model: &Model<'_>, message: &Message, out: &mut Source) {
    out.line("");
    out.open(format!("impl mycelium::Message for {} {{", message.name));
    out.line(format!("const NAME: &'static str = {:?};", message.name));
    out.line(format!("const TYPE_ID: u16 = {};", message.type_id));
    out.line(format!("const TOPIC: &'static str = {:?};", message.topic));
    out.line(format!("const VERSION: u16 = {};", message.version));
    out.line(format!("const DIGEST: u64 = {:#018x};", model.digest(message, message.version)));
    if message.fields.iter().any(|field| rules::has_any(model, field)) {
        out.line("");
        out.open("fn validate(&self) -> Result<(), mycelium::ValidationError> {");
        rules::fields(model, "Self::NAME", &message.fields, "self.", out);
        out.line("Ok(())");
        out.close("}");
    }
    out.close("}");
}

fn wire(model: &Model<'_>, message: &Message, older: &[(u16, &[Field])], out: &mut Source) {
    out.line("");
    out.open(format!("impl wire::Wire for {} {{", message.name));
    if model.record(&message.fields).layout.fixed {
        out.line("const FIXED: bool = true;");
    }
    out.open("const LAYOUTS: &'static [wire::Layout] = &[");
    for version in 1..=message.version {
        let root = model.record(message.fields_of(version)).layout;
        out.line(format!(
            "wire::Layout {{ version: {version}, root_len: {}, digest: {:#018x} }},",
            root.size,
            model.digest(message, version)
        ));
    }
    out.close("];");
    if message.version > 1 {
        upgrade(model, message, older, out);
    }
    out.close("}");
}

fn upgrade(model: &Model<'_>, message: &Message, older: &[(u16, &[Field])], out: &mut Source) {
    out.line("");
    out.open("fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {");
    out.open("match version {");
    for (index, (first, fields)) in older.iter().enumerate() {
        let last = older.get(index + 1).map_or_else(
            || {
                (1..message.version)
                    .rev()
                    .find(|v| message.fields_of(*v).len() == fields.len())
                    .unwrap_or(*first)
            },
            |(next, _)| next - 1,
        );
        let versions = if last == *first { first.to_string() } else { format!("{first}..={last}") };
        out.open(format!("{versions} => {{"));
        out.line(format!(
            "let old: {} = wire::decode_layout(Self::NAME, bytes)?;",
            older_name(message, *first)
        ));
        out.open("Ok(Self {");
        for (at, field) in message.fields.iter().enumerate() {
            if at < fields.len() {
                out.line(format!("{0}: old.{0},", field.name));
            } else {
                out.line(format!("{}: {},", field.name, defaults::of_field(model, field)));
            }
        }
        out.close("})");
        out.close("}");
    }
    // Versions that were raised without a new field have the current layout.
    let same = (1..message.version).find(|version| message.fields_of(*version).len() == message.fields.len());
    if let Some(first) = same {
        out.line(format!("{first}..={} => Self::decode(bytes),", message.version - 1));
    }
    out.line("_ => Err(wire::unknown_version::<Self>(version)),");
    out.close("}");
    out.close("}");
}
