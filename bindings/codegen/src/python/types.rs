//! Enums, structs and messages as Python classes.

use mycelium_contract::{EnumDef, Field, Message, StructDef, Type, Value};

use super::codec::Codec;
use super::{ClassKind, annotation, field_name, literal, rules};
use crate::Model;
use crate::model::is_bytes;
use crate::source::Source;

/// What an enum brings into the package.
pub(super) fn names_of_enum(def: &EnumDef) -> Vec<String> {
    let mut names = vec![def.name.clone()];
    if !def.is_unit() {
        names.extend(def.variants.iter().map(|variant| format!("{}_{}", def.name, variant.name)));
    }
    names
}

pub(super) fn enumeration(
    model: &Model<'_>,
    def: &EnumDef,
    kind: ClassKind,
    codec: &mut Codec<'_>,
    out: &mut Source,
) {
    gap(out);
    if def.is_unit() {
        out.open(format!("class {}(_enum.IntEnum):", def.name));
        out.docstring(&def.description, &format!("The enum `{}`.", def.name));
        out.line("");
        for (tag, variant) in def.variants.iter().enumerate() {
            out.line(format!("{} = {tag}", variant.name));
        }
        out.dedent();
    } else {
        for variant in &def.variants {
            let name = format!("{}_{}", def.name, variant.name);
            let instead = format!("The variant `{}` of `{}`.", variant.name, def.name);
            class(model, kind, &name, (&variant.description, &instead), &variant.fields, out);
            validate(model, &def.name, &variant.fields, &fit_of(&def.name), out);
            out.dedent();
            gap(out);
        }
        let names: Vec<_> = def.variants.iter().map(|v| format!("{}_{}", def.name, v.name)).collect();
        out.line(format!("{}: _typing.TypeAlias = {}", def.name, union(&names)));
    }
    codec.enumeration(def);
}

/// One of these types, also where there is one alone.
fn union(names: &[String]) -> String {
    format!("_typing.Union[{}]", names.join(", "))
}

pub(super) fn structure(
    model: &Model<'_>,
    def: &StructDef,
    kind: ClassKind,
    codec: &mut Codec<'_>,
    out: &mut Source,
) {
    gap(out);
    let instead = format!("The struct `{}`.", def.name);
    class(model, kind, &def.name, (&def.description, &instead), &def.fields, out);
    validate(model, &def.name, &def.fields, &fit_of(&def.name), out);
    out.dedent();
    codec.structure(&def.name, &def.fields);
}

pub(super) fn message(
    model: &Model<'_>,
    message: &Message,
    kind: ClassKind,
    codec: &mut Codec<'_>,
    out: &mut Source,
) {
    gap(out);
    let name = &message.name;
    let instead = format!("The message `{name}`.");
    class(model, kind, name, (&message.description, &instead), &message.fields, out);
    let record = model.record(&message.fields);
    let typing = if kind == ClassKind::Msgspec { "typing" } else { "_typing" };
    let constant = |out: &mut Source, key: &str, ty: &str, value: String| {
        out.line(format!("{key}: {typing}.ClassVar[{ty}] = {value}"));
    };
    out.line("");
    constant(out, "NAME", "str", literal::text(name));
    constant(out, "TYPE_ID", "int", message.type_id.to_string());
    constant(out, "TOPIC", "str", literal::text(&message.topic));
    constant(out, "VERSION", "int", message.version.to_string());
    constant(out, "ROOT_LEN", "int", record.layout.size.to_string());
    constant(out, "DIGEST", "int", format!("0x{:016X}", model.digest(message, message.version)));
    if record.layout.fixed {
        out.line("# For numpy: numpy.frombuffer(values, dtype=DTYPE).");
        // Checkers know the types of numpy, and not that this dict is one that numpy takes.
        let any = format!("{typing}.Any");
        constant(out, "DTYPE", &any, dtype(model, &message.fields, &record.offsets, record.layout.size));
    }
    out.line("");
    out.open("def encode(self) -> bytes:");
    out.docstring("", "The value as it stands on the wire. Raises EncodeError; does not validate.");
    out.line(format!("return _encode_{name}(self)"));
    out.dedent();
    out.line("");
    out.line("@classmethod");
    out.open(format!(
        "def decode(cls, value: bytes, version: int = {}, root_len: int = {}) -> {name}:",
        message.version, record.layout.size
    ));
    out.docstring("", "The message that stands in these bytes, written with this version and root length: both are in the frame. Raises DecodeError; does not validate.");
    out.line(format!("return _decode_{name}(value, version, root_len)"));
    out.dedent();
    // Bytes have room for values of the right types alone, and are made faster than each field is asked.
    validate(model, name, &message.fields, &format!("_encode_{name}(self)"), out);
    out.dedent();
    codec.message(message);
}

fn gap(out: &mut Source) {
    out.line("");
    out.line("");
}

/// The head of a class and its fields; the class stays open. `about`: its description, and what stands where
/// there is none.
fn class(
    model: &Model<'_>,
    kind: ClassKind,
    name: &str,
    about: (&str, &str),
    fields: &[Field],
    out: &mut Source,
) {
    // Python wants what has no default in front of what has one.
    let first_default = fields.iter().position(|field| field.default.is_some()).unwrap_or(fields.len());
    let is_late = |at: usize, field: &Field| field.default.is_none() && at > first_default;
    match kind {
        ClassKind::Dataclass => {
            out.line("@_dataclass(slots=True)");
            out.open(format!("class {name}:"));
        }
        // Its keywords are those of the whole class.
        ClassKind::Msgspec if fields.iter().enumerate().any(|(at, field)| is_late(at, field)) => {
            out.open(format!("class {name}(_msgspec.Struct, kw_only=True):"));
        }
        ClassKind::Msgspec => out.open(format!("class {name}(_msgspec.Struct):")),
    }
    out.docstring(about.0, about.1);
    if fields.is_empty() {
        return;
    }
    out.line("");
    for (at, field) in fields.iter().enumerate() {
        let start = match &field.default {
            Some(value) => format!(" = {}", default(model, kind, &field.ty, value)),
            None if kind == ClassKind::Dataclass && is_late(at, field) => {
                " = _field(kw_only=True)".to_owned()
            }
            None => String::new(),
        };
        out.line(format!("{}: {}{start}", field_name(field), annotation(&field.ty)));
        if !field.description.trim().is_empty() {
            out.docstring(&field.description, "");
        }
    }
}

fn default(model: &Model<'_>, kind: ClassKind, ty: &Type, value: &Value) -> String {
    let (text, field) = (literal::of(model, ty, value), kind.field());
    if is_shared(model, ty, value) { text } else { format!("{field}(default_factory=lambda: {text})") }
}

/// Whether one value can be the default of all: nobody can change it.
fn is_shared(model: &Model<'_>, ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Option(of), Value::Some(inner)) => is_shared(model, of, inner),
        (Type::Vec(_) | Type::Array(..), Value::List(_)) => is_bytes(ty),
        (Type::Enum(name), _) => model.contract.enum_def(name).is_some_and(EnumDef::is_unit),
        (Type::Struct(_), _) => false,
        _ => true,
    }
}

/// What is checked of a value whose types are looked at by a call of `types`, and of its rules by `_rules`.
/// Code that has looked at the types of a whole value asks `_rules` alone, which looks at none again.
fn validate(model: &Model<'_>, name: &str, fields: &[Field], types: &str, out: &mut Source) {
    out.line("");
    out.open("def validate(self) -> None:");
    out.docstring(
        "",
        "Checks the rules of the contract; raises ValidationError for the first that is broken, EncodeError for what is no value of its type.",
    );
    out.line(types);
    out.line("self._rules()");
    out.dedent();
    out.line("");
    out.open("def _rules(self) -> None:");
    let mut checks = Source { indent: out.indent + 1, ..Source::default() };
    rules::fields(model, name, fields, &mut checks);
    if checks.text.is_empty() {
        out.line("pass");
    } else {
        out.open("try:");
        out.text.push_str(&checks.text);
        out.dedent();
        out.open("except (_wire.ValidationError, _wire.EncodeError):");
        out.line("raise");
        out.dedent();
        // A number of another library may have no order: a comparison with it raises what it likes.
        out.open("except Exception as error:");
        out.line(format!("raise _wire.unruly({}, self, field, error) from None", literal::text(name)));
        out.dedent();
    }
    out.dedent();
}

/// The types of a struct or a variant, which has no bytes of its own.
fn fit_of(name: &str) -> String {
    format!("_wire.fit({}, _fit_{name}, self)", literal::text(name))
}

/// What numpy calls a structured type: no numpy is needed to write it.
fn dtype(model: &Model<'_>, fields: &[Field], offsets: &[u64], size: u64) -> String {
    let names: Vec<_> = fields.iter().map(|field| literal::text(&field_name(field))).collect();
    let formats: Vec<_> = fields.iter().map(|field| format_of(model, &field.ty)).collect();
    let offsets: Vec<_> = offsets.iter().map(u64::to_string).collect();
    record_type(&names, &formats, &offsets, size)
}

fn record_type(names: &[String], formats: &[String], offsets: &[String], size: u64) -> String {
    format!(
        "{{\"names\": [{}], \"formats\": [{}], \"offsets\": [{}], \"itemsize\": {size}}}",
        names.join(", "),
        formats.join(", "),
        offsets.join(", ")
    )
}

fn format_of(model: &Model<'_>, ty: &Type) -> String {
    let simple = match ty {
        Type::Bool => "?",
        Type::U8 => "u1",
        Type::U16 => "<u2",
        Type::U32 => "<u4",
        Type::U64 => "<u8",
        Type::I8 => "i1",
        Type::I16 => "<i2",
        Type::I32 => "<i4",
        Type::I64 | Type::Timestamp => "<i8",
        Type::F32 => "<f4",
        Type::F64 => "<f8",
        Type::U256 | Type::I256 => return "(\"<u8\", (4,))".to_owned(),
        Type::Decimal => {
            let texts = |texts: [&str; 4]| texts.map(|text| format!("\"{text}\""));
            let (names, formats) = (["low", "high", "scale", "negative"], ["<u8", "<u4", "u1", "u1"]);
            return record_type(
                &texts(names),
                &texts(formats),
                &["0", "8", "12", "13"].map(str::to_owned),
                16,
            );
        }
        Type::Array(of, count) => return format!("({}, ({count},))", format_of(model, of)),
        Type::Option(of) => {
            let (names, formats) = (["tag", "value"], ["\"u1\"".to_owned(), format_of(model, of)]);
            let offsets = ["0".to_owned(), model.layout(of).align.to_string()];
            return record_type(&names.map(literal::text), &formats, &offsets, model.layout(ty).size);
        }
        Type::Struct(name) => {
            let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields);
            let record = model.record(fields);
            return dtype(model, fields, &record.offsets, record.layout.size);
        }
        Type::Enum(name) if model.contract.enum_def(name).is_some_and(EnumDef::is_unit) => "u1",
        // A data enum: its bytes.
        _ => return format!("\"V{}\"", model.layout(ty).size),
    };
    format!("\"{simple}\"")
}
