//! Enums, structs and messages as OCaml modules.

use mycelium_contract::{EnumDef, Field, Message, StructDef, Type};

use super::codec::{self, OcamlCodec};
use super::{comment, field_name, literal, rules, type_of};
use crate::Model;
use crate::source::Source;

pub(super) fn enumeration(def: &EnumDef, codec: &mut OcamlCodec<'_>) {
    def.variants.iter().for_each(|variant| codec.prepare(&variant.fields));
    open(&def.name, &def.description, &format!("The enum {}.", def.name), "", codec);
    let mut lines = Source::default();
    lines.open("type t =");
    for variant in &def.variants {
        let fields = match variant.fields.is_empty() {
            true => String::new(),
            false => format!(" of {{ {} }}", labels(&variant.fields).join("; ")),
        };
        lines.line(format!("| {}{fields}{}", variant.name, trailing(&variant.description)));
    }
    codec.interface.text.push_str(&indented(&lines));
    codec.code.text.push_str(&indented(&lines));
    let names = |codec: &mut OcamlCodec<'_>| {
        codec.code.open("let to_string = function");
        for variant in &def.variants {
            let any = if variant.fields.is_empty() { "" } else { " _" };
            codec.code.line(format!("| {}{any} -> {}", variant.name, literal::text(&variant.name)));
        }
        codec.code.dedent();
    };
    codec.interface.line("");
    codec.interface.line("(** The name of the variant. *)");
    codec.interface.line("val to_string : t -> string");
    names(codec);
    if def.is_unit() {
        codec.interface.line("");
        codec.interface.line("(** All variants, in the order of their tags. *)");
        codec.interface.line("val all : t array");
        let all: Vec<_> = def.variants.iter().map(|variant| variant.name.as_str()).collect();
        codec.code.line(format!("let all = [| {} |]", all.join("; ")));
        codec.unit_enum(def);
    } else {
        codec.data_enum(def);
        codec.each_variant(def, "let check = function", |codec, _, fields| rules::fields(codec, fields));
        validate(&def.name, codec);
    }
    close(&def.name, codec);
}

pub(super) fn structure(model: &Model<'_>, def: &StructDef, codec: &mut OcamlCodec<'_>) {
    codec.prepare(&def.fields);
    open(&def.name, &def.description, &format!("The struct {}.", def.name), "", codec);
    record(&def.fields, codec);
    make(model, &def.fields, codec);
    let offsets = model.record(&def.fields).offsets;
    codec.code.open("let get r at : t =");
    codec.get_fields(&def.fields, def.fields.len(), &offsets, "");
    codec.code.dedent();
    walks(&def.fields, &offsets, false, codec);
    validate(&def.name, codec);
    close(&def.name, codec);
}

pub(super) fn message(model: &Model<'_>, message: &Message, codec: &mut OcamlCodec<'_>) {
    codec.prepare(&message.fields);
    let about = format!(
        "Topic [{}], type id {}, version {}, domain [{}].",
        message.topic, message.type_id, message.version, message.domain
    );
    open(&message.name, &message.description, &format!("The message {}.", message.name), &about, codec);
    record(&message.fields, codec);
    make(model, &message.fields, codec);
    codec.interface.line("");
    codec.interface.line("include MESSAGE with type t := t");
    let versions = Model::versions(message);
    for version in &versions {
        let known = message.fields_of(*version);
        codec.code.open(format!("let get_V{version} r at : t ="));
        codec.get_fields(&message.fields, known.len(), &model.record(known).offsets, "");
        codec.code.dedent();
    }
    codec.code.open("let get layout r at = match layout with");
    for (at, version) in versions.iter().enumerate() {
        let pattern = if at + 1 == versions.len() { "_".to_owned() } else { at.to_string() };
        codec.code.line(format!("| {pattern} -> get_V{version} r at"));
    }
    codec.code.dedent();
    let record = model.record(&message.fields);
    walks(&message.fields, &record.offsets, true, codec);
    identity(model, message, codec);
    if record.layout.fixed {
        views(model, message, &record.offsets, record.layout.size, codec);
    }
    close(&message.name, codec);
}

/// What [`message`] has of `MESSAGE`.
fn identity(model: &Model<'_>, message: &Message, codec: &mut OcamlCodec<'_>) {
    let layout = model.record(&message.fields).layout;
    let layouts: Vec<_> = Model::versions(message)
        .into_iter()
        .map(|version| {
            let layout = model.record(message.fields_of(version)).layout;
            format!("{version}, {}, {}, {}", layout.size, layout.align, layout.fixed)
        })
        .collect();
    let fields: Vec<_> = message.fields.iter().map(|field| literal::text(&field.name)).collect();
    let (size, align, fixed) = (layout.size, layout.align, layout.fixed);
    for (name, value) in [
        ("name", literal::text(&message.name)),
        ("type_id", message.type_id.to_string()),
        ("topic", literal::text(&message.topic)),
        ("version", message.version.to_string()),
        ("root_len", size.to_string()),
        ("fixed", fixed.to_string()),
        ("digest", format!("0x{:016X}L", model.digest(message, message.version))),
        ("layouts", format!("[| {} |]", layouts.join("; "))),
        ("fields", format!("[| {} |]", fields.join("; "))),
    ] {
        codec.code.line(format!("let {name} = {value}"));
    }
    codec.code.line(format!("let encode v = W_.encode name fields {size} {align} fixed out put v"));
    codec.code.line(
        "let decode_version ~version:v ~root_len bytes = W_.decode name layouts version get ~version:v ~root_len bytes",
    );
    codec.code.line("let decode bytes = decode_version ~version ~root_len bytes");
    codec.code.line("let read ~version ~root_len bytes = W_.read (decode_version ~version ~root_len bytes)");
    codec.code.line("let validate v = W_.validate name check v");
    codec.code.line("let to_json v = W_.json json v");
}

/// Reading single fields of a message of fixed size where it stands. No field has a capital in its name, so
/// none is called as what is needed here.
fn views(model: &Model<'_>, message: &Message, offsets: &[u64], size: u64, codec: &mut OcamlCodec<'_>) {
    let loose: Vec<_> =
        message.fields.iter().zip(offsets).filter(|(field, _)| !any_bits(model, &field.ty)).collect();
    let check = if loose.is_empty() { "None" } else { "(Some check_V)" };
    if !loose.is_empty() {
        codec.code.open("let check_V r at =");
        for (field, offset) in loose {
            let get = codec.function(codec::Task::Get, &field.ty);
            codec.code.line(format!("Stdlib.ignore ({get} r (at + {offset}));"));
        }
        codec.code.line("()");
        codec.code.dedent();
    }
    for (function, view, runtime, buffer) in [
        ("check_bytes", "Bytes_view", "View", "bytes"),
        ("check_bigarray", "Bigarray_view", "Big", "bigstring"),
    ] {
        codec.code.line(format!("let {function} b at = W_.{runtime}.check {size} {check} b at"));
        codec.code.open(format!("module {view} = struct"));
        let interface = &mut codec.interface;
        interface.line("");
        interface.line("(** Whether a value of this version stands at this byte. *)");
        interface.line(format!("val {function} : {buffer} -> int -> (unit, error) result"));
        interface.line("");
        interface.line(format!(
            "(** Fields of the value at a byte, which {{!{function}}} has accepted: read where they stand."
        ));
        interface.line(
            "    Anything else gives other numbers or raises [Invalid_argument]; nothing outside is read. *)",
        );
        interface.open(format!("module {view} : sig"));
        for (field, offset) in message.fields.iter().zip(offsets) {
            let name = field_name(field);
            codec.interface.line(format!("val {name} : {buffer} -> int -> {}", type_of(&field.ty)));
            let read = match codec::number(&field.ty) {
                Some(number) => format!("W_.{runtime}.{number}"),
                None => {
                    let get = codec.function(codec::Task::Get, &field.ty);
                    format!("W_.{runtime}.other ({get}) {}", model.size(&field.ty))
                }
            };
            codec.code.line(format!("let[@inline] {name} b at = {read} b (at + {offset})"));
        }
        codec.interface.close("end");
        codec.code.close("end");
    }
}

/// Whether all bytes are a value of the type.
fn any_bits(model: &Model<'_>, ty: &Type) -> bool {
    match ty {
        Type::Bool | Type::Decimal | Type::Enum(_) | Type::Option(_) => false,
        Type::Array(of, _) => any_bits(model, of),
        Type::Struct(name) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            fields.iter().all(|field| any_bits(model, &field.ty))
        }
        _ => true,
    }
}

/// `out`, `put`, `json` and `check` of a record.
fn walks(fields: &[Field], offsets: &[u64], notes: bool, codec: &mut OcamlCodec<'_>) {
    codec.code.open("let out w (v : t) =");
    codec.out_fields(fields, notes);
    codec.code.dedent();
    codec.code.open("let put w at (v : t) =");
    codec.put_fields(fields, offsets, notes);
    codec.code.dedent();
    codec.code.open("let json out (v : t) =");
    codec.json_fields(fields);
    codec.code.dedent();
    codec.code.open("let check (v : t) =");
    rules::fields(codec, fields);
    codec.code.dedent();
}

fn validate(name: &str, codec: &mut OcamlCodec<'_>) {
    codec.interface.line("");
    codec.interface.line("(** Checks the rules of the contract; the error is the first that is broken. *)");
    codec.interface.line("val validate : t -> (unit, violation) result");
    codec.code.line(format!("let validate v = W_.validate {} check v", literal::text(name)));
}

fn open(name: &str, description: &str, instead: &str, more: &str, codec: &mut OcamlCodec<'_>) {
    codec.interface.line("");
    codec.interface.odoc(description, instead, more);
    codec.interface.open(format!("module {name} : sig"));
    codec.code.line("");
    codec.code.open(format!("module {name} = struct"));
}

fn close(name: &str, codec: &mut OcamlCodec<'_>) {
    codec.interface.close("end");
    codec.code.close("end");
    codec.end_module(name);
}

/// The record type of these fields.
fn record(fields: &[Field], codec: &mut OcamlCodec<'_>) {
    let mut lines = Source::default();
    lines.open("type t = {");
    for (field, label) in fields.iter().zip(labels(fields)) {
        lines.line(format!("{label};{}", trailing(&field.description)));
    }
    lines.close("}");
    codec.interface.text.push_str(&indented(&lines));
    codec.code.text.push_str(&indented(&lines));
}

fn labels(fields: &[Field]) -> Vec<String> {
    fields.iter().map(|field| format!("{} : {}", field_name(field), type_of(&field.ty))).collect()
}

/// A description behind what it describes.
fn trailing(description: &str) -> String {
    let text = description.lines().map(comment).collect::<Vec<_>>().join(" ");
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(" (** {text} *)") }
}

fn indented(lines: &Source) -> String {
    lines.text.lines().map(|line| format!("    {line}\n")).collect()
}

/// A function that makes the record, where some fields have defaults and need not be given.
fn make(model: &Model<'_>, fields: &[Field], codec: &mut OcamlCodec<'_>) {
    if fields.iter().all(|field| field.default.is_none()) {
        return;
    }
    let mut types = String::new();
    let mut arguments = String::new();
    for field in fields {
        let (name, ty) = (field_name(field), type_of(&field.ty));
        match &field.default {
            Some(value) => {
                types.push_str(&format!("?{name}:({ty}) -> "));
                arguments.push_str(&format!("?({name} = {}) ", literal::of(model, &field.ty, value)));
            }
            None => {
                types.push_str(&format!("{name}:({ty}) -> "));
                arguments.push_str(&format!("~{name} "));
            }
        }
    }
    let names: Vec<_> = fields.iter().map(field_name).collect();
    codec.interface.line("");
    codec.interface.line("(** The contract's default stands for each optional field that is not given. *)");
    codec.interface.line(format!("val make : {types}unit -> t"));
    codec.code.line(format!("let make {arguments}() : t = {{ {} }}", names.join("; ")));
}
