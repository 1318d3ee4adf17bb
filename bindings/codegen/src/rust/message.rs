//! Messages: the struct, `Message`, `Wire`, and the layouts of older versions.

use mycelium_contract::{Field, Message, Retain, Type};

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
    if let Some(reply) = &message.reply {
        out.line(format!("/// It is answered by a [`{reply}`]."));
    }
    match &message.retain {
        Some(Retain::Last(1)) => out.line("/// A bus with this contract retains the last one."),
        Some(Retain::Last(count)) => {
            out.line(format!("/// A bus with this contract retains the last {count}."));
        }
        Some(Retain::Per { field, .. }) => {
            out.line(format!("/// A bus with this contract retains the last one of each `{field}`."));
        }
        _ => {}
    }
    types::record(model, &message.name, &message.fields, out);
    constructor(model, message, out);
    identity(model, message, out);
    query(message, out);
    let older = older_layouts(message);
    wire(model, message, &older, out);
    for (version, fields) in older {
        let name = older_name(message, version);
        out.line("");
        out.line(format!("/// `{}` as its version {version} was laid out.", message.name));
        types::older(model, &name, fields, out);
    }
}

/// The older layouts: the first version of each, and the fields it had.
fn older_layouts(message: &Message) -> Vec<(u16, &[Field])> {
    let versions = Model::versions(message);
    let older = versions.split_last().map_or(&[][..], |(_, older)| older);
    older.iter().map(|version| (*version, message.fields_of(*version))).collect()
}

/// No name of a contract has an underscore, so none can be the same.
fn older_name(message: &Message, version: u16) -> String {
    format!("{}_V{version}", message.name)
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

/// What ties it to its answer.
fn query(message: &Message, out: &mut Source) {
    let Some(reply) = &message.reply else { return };
    out.line("");
    out.open(format!("impl mycelium::Query for {} {{", message.name));
    out.line(format!("type Reply = {};", super::path(reply)));
    out.close("}");
}

fn wire(model: &Model<'_>, message: &Message, older: &[(u16, &[Field])], out: &mut Source) {
    out.line("");
    out.open(format!("impl wire::Wire for {} {{", message.name));
    if model.record(&message.fields).layout.fixed {
        out.line("const FIXED: bool = true;");
    }
    out.open("const LAYOUTS: &'static [wire::Layout] = &[");
    for version in Model::versions(message) {
        let root = model.record(message.fields_of(version)).layout;
        out.line(format!(
            "wire::Layout {{ version: {version}, root_len: {}, digest: {:#018x} }},",
            root.size,
            model.layout_digest(message, version)
        ));
    }
    out.close("];");
    if let Some(reply) = &message.reply {
        let answer = super::path(reply);
        out.line(format!("const REPLY: Option<u16> = Some(<{answer} as mycelium::Message>::TYPE_ID);"));
    }
    grown_enums(model, message, out);
    retention(message, out);
    if message.version > 1 {
        upgrade(model, message, older, out);
    }
    out.close("}");
}

fn grown_enums(model: &Model<'_>, message: &Message, out: &mut Source) {
    let enums = model.grown_enums(message);
    if enums.is_empty() {
        return;
    }
    out.open("const ENUMS: &'static [wire::GrownEnum<'static>] = &[");
    for def in enums {
        let (name, first) = (&def.name, def.released());
        let variants: Vec<_> = def.variants[first..].iter().map(|v| v.name.as_str()).collect();
        out.line(format!("wire::GrownEnum {{ name: {name:?}, first: {first}, variants: &{variants:?} }},"));
    }
    out.close("];");
}

/// What its topic retains.
fn retention(message: &Message, out: &mut Source) {
    let retain = match &message.retain {
        Some(Retain::Last(messages)) => format!("wire::DeclaredRetention::Last({messages})"),
        Some(Retain::Per { field, keys }) => {
            let is_text = message.field(field).is_some_and(|field| field.ty == Type::String);
            let key = match is_text {
                true => format!("mycelium::conflation_key(message.{field}.as_str())"),
                false => format!("message.{field} as u64"),
            };
            format!("wire::DeclaredRetention::LastPerKey {{ key: |message| {key}, keys_max: {keys} }}")
        }
        _ => return,
    };
    out.line(format!("const RETAIN: Option<wire::DeclaredRetention<Self>> = Some({retain});"));
}

fn upgrade(model: &Model<'_>, message: &Message, older: &[(u16, &[Field])], out: &mut Source) {
    out.line("");
    out.open("fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {");
    out.open("match version {");
    let current = Model::versions(message).last().copied().unwrap_or(1);
    let nexts = older.iter().skip(1).map(|(first, _)| *first).chain([current]);
    for ((first, fields), next) in older.iter().zip(nexts) {
        let versions = range(*first, next);
        out.open(format!("{versions} => {{"));
        out.line(format!(
            "let old: {} = wire::{}(Self::NAME, bytes)?;",
            older_name(message, *first),
            if model.record(fields).layout.fixed { "decode_fixed_layout" } else { "decode_layout" }
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
    if current < message.version {
        // Versions that were raised without a new field have the current layout.
        out.line(format!("{} => Self::decode(bytes),", range(current, message.version)));
    }
    out.line("_ => Err(wire::unknown_version::<Self>(version)),");
    out.close("}");
    out.close("}");
}

/// The versions from `first` to before `next`, as a pattern.
fn range(first: u16, next: u16) -> String {
    if first + 1 == next { first.to_string() } else { format!("{first}..={}", next - 1) }
}
