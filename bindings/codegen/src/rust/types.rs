//! Enums and nested structs, and what they share with messages.

use mycelium_contract::{EnumDef, Field, StructDef, Type, Variant};

use super::{Source, defaults, rules, type_name};
use crate::Model;

/// Whether a value of this type can be copied by its bytes.
fn is_copy(model: &Model<'_>, ty: &Type) -> bool {
    model.layout(ty).fixed
}

/// `#[derive]` and rkyv's attribute.
fn derives(names: &[&str], archived: &str, out: &mut Source) {
    out.line(format!("#[derive({}, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]", names.join(", ")));
    out.line(format!("#[rkyv(crate = mycelium::rkyv, derive({archived}))]"));
}

/// The struct itself, its `Default`, and the assertions that the compiler lays it out as the contract says.
pub(super) fn record(model: &Model<'_>, name: &str, fields: &[Field], out: &mut Source) {
    let mut names = vec!["Clone", "Debug", "PartialEq"];
    if fields.iter().all(|field| is_copy(model, &field.ty)) {
        names.insert(1, "Copy");
    }
    let derivable = defaults::derivable(fields);
    if derivable {
        names.push("Default");
    }
    derives(&names, "Debug", out);
    if model.record(fields).layout.fixed {
        out.line("#[repr(C)]");
    }
    body("pub ", name, fields, out);
    if !derivable {
        default_impl(model, name, "Self", fields, out);
    }
    assertions(model, name, fields, out);
}

/// An older layout of a message, which is read and never written, and seen by no user.
pub(super) fn older(model: &Model<'_>, name: &str, fields: &[Field], out: &mut Source) {
    out.line("#[derive(rkyv::Archive, rkyv::Deserialize)]");
    out.line("#[rkyv(crate = mycelium::rkyv)]");
    body("", name, fields, out);
    assertions(model, name, fields, out);
}

fn body(public: &str, name: &str, fields: &[Field], out: &mut Source) {
    out.open(format!("{public}struct {name} {{"));
    for field in fields {
        if !public.is_empty() {
            out.doc(&field.description, &format!("The field `{}`.", field.name));
        }
        out.line(format!("{public}{}: {},", field.name, type_name(&field.ty)));
    }
    out.close("}");
}

fn default_impl(model: &Model<'_>, name: &str, start: &str, fields: &[Field], out: &mut Source) {
    out.line("");
    out.open(format!("impl Default for {name} {{"));
    out.open("fn default() -> Self {");
    out.open(format!("{start} {{"));
    for field in fields {
        out.line(format!("{}: {},", field.name, defaults::of_field(model, field)));
    }
    out.close("}");
    out.close("}");
    out.close("}");
}

/// `const` assertions on size, alignment and every offset.
fn assertions(model: &Model<'_>, name: &str, fields: &[Field], out: &mut Source) {
    let record = model.record(fields);
    let shape = record.layout;
    out.line("");
    out.open("const _: () = {");
    out.line(format!("assert!(size_of::<Archived{name}>() == {});", shape.size));
    out.line(format!("assert!(align_of::<Archived{name}>() == {});", shape.align));
    for (field, offset) in fields.iter().zip(record.offsets) {
        out.line(format!("assert!(::std::mem::offset_of!(Archived{name}, {}) == {offset});", field.name));
    }
    out.close("};");
}

pub(super) fn structure(model: &Model<'_>, def: &StructDef, out: &mut Source) {
    out.line("");
    out.doc(&def.description, &format!("The struct `{}`.", def.name));
    record(model, &def.name, &def.fields, out);
    out.line("");
    out.open(format!("impl {} {{", def.name));
    validate_method(model, &def.name, &def.fields, out);
    out.close("}");
}

/// `validate` of a nested type, with the type's own name in the error.
fn validate_method(model: &Model<'_>, name: &str, fields: &[Field], out: &mut Source) {
    out.line("/// Checks the rules of the contract.");
    out.line("///");
    out.line("/// # Errors");
    out.line("/// The first rule that the value breaks.");
    out.open("pub fn validate(&self) -> Result<(), mycelium::ValidationError> {");
    rules::fields(model, &format!("{name:?}"), fields, "self.", out);
    out.line("Ok(())");
    out.close("}");
}

pub(super) fn enumeration(model: &Model<'_>, def: &EnumDef, out: &mut Source) {
    out.line("");
    if def.is_unit() {
        unit_enum(def, out);
    } else {
        data_enum(model, def, out);
    }
    let (name, shape) = (enum_name(def), model.layout(&Type::Enum(def.name.clone())));
    out.line("");
    out.open("const _: () = {");
    out.line(format!("assert!(size_of::<Archived{name}>() == {});", shape.size));
    out.line(format!("assert!(align_of::<Archived{name}>() == {});", shape.align));
    out.close("};");
    if name != def.name {
        let public = &def.name;
        out.line("");
        out.line("#[allow(unused_imports)]");
        out.line(format!("pub use self::{{{name} as {public}, Archived{name} as Archived{public}}};"));
    }
}

/// What an enum is called where it is defined. Its derives open scopes with `Tag`, `ArchivedTag` and a type
/// for each variant, and name it there without a path: one of those names gets a mark that no name of a
/// contract has, and is exported without it.
fn enum_name(def: &EnumDef) -> String {
    let base = def.name.strip_prefix("Archived").unwrap_or(&def.name);
    let mark = if base == "Tag" || base.starts_with("Variant") { "_" } else { "" };
    format!("{}{mark}", def.name)
}

fn unit_enum(def: &EnumDef, out: &mut Source) {
    let all = ["Clone", "Copy", "Debug", "Default", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash"];
    out.doc(&def.description, &format!("The enum `{}`.", def.name));
    derives(&all, "Clone, Copy, Debug, PartialEq, Eq, Hash", out);
    out.line("#[repr(u8)]");
    variants(def, &[], out);
    let name = enum_name(def);
    out.line("");
    out.open(format!("impl {name} {{"));
    out.line("/// All variants, in the order of the contract.");
    let list: Vec<_> = def.variants.iter().map(|v| format!("Self::{}", v.name)).collect();
    out.line(format!("pub const ALL: [Self; {}] = [{}];", list.len(), list.join(", ")));
    out.line("");
    out.line("/// The variant's name in the contract.");
    out.line("#[must_use]");
    out.open("pub const fn name(self) -> &'static str {");
    out.open("match self {");
    for variant in &def.variants {
        out.line(format!("Self::{0} => {0:?},", variant.name));
    }
    out.close("}");
    out.close("}");
    out.close("}");
    out.line("");
    out.open(format!("impl Archived{name} {{"));
    out.line("/// The variant, copied out of the bytes.");
    out.line("#[must_use]");
    out.open(format!("pub const fn to_native(&self) -> {name} {{"));
    out.open("match self {");
    for variant in &def.variants {
        out.line(format!("Self::{0} => {name}::{0},", variant.name));
    }
    out.close("}");
    out.close("}");
    out.close("}");
}

fn data_enum(model: &Model<'_>, def: &EnumDef, out: &mut Source) {
    let mut names = vec!["Clone", "Debug", "PartialEq"];
    if model.layout(&Type::Enum(def.name.clone())).fixed {
        names.insert(1, "Copy");
    }
    let first = def.variants.first();
    let first_is_unit = first.is_none_or(|v| v.fields.is_empty());
    if first_is_unit {
        names.push("Default");
    }
    let hidden = hidden_fields(def);
    if !hidden.is_empty() {
        let arguments: Vec<_> = hidden.iter().map(|name| format!("${name}:ident")).collect();
        out.open("macro_rules! define {");
        out.open(format!("({}) => {{", arguments.join(", ")));
    }
    out.doc(&def.description, &format!("The enum `{}`.", def.name));
    derives(&names, "Debug", out);
    variants(def, &hidden, out);
    if !hidden.is_empty() {
        out.close("};");
        out.close("}");
        out.line("");
        out.line(format!("define!({});", hidden.join(", ")));
    }
    if let Some(first) = first.filter(|_| !first_is_unit) {
        default_impl(model, &enum_name(def), &format!("Self::{}", first.name), &first.fields, out);
    }
    out.line("");
    out.open(format!("impl {} {{", enum_name(def)));
    out.line("/// Checks the rules of the contract.");
    out.line("///");
    out.line("/// # Errors");
    out.line("/// The first rule that the value breaks.");
    out.open("pub fn validate(&self) -> Result<(), mycelium::ValidationError> {");
    check_variants(model, def, out);
    out.line("Ok(())");
    out.close("}");
    out.close("}");
}

/// The rules of the variant that a value is of.
fn check_variants(model: &Model<'_>, def: &EnumDef, out: &mut Source) {
    let has_any = |variant: &&Variant| variant.fields.iter().any(|field| rules::has_any(model, field));
    let checked: Vec<_> = def.variants.iter().filter(has_any).collect();
    if checked.is_empty() {
        return;
    }
    out.open("match self {");
    for variant in &checked {
        let fields = variant.fields.iter().filter(|field| rules::has_any(model, field));
        let names: Vec<_> = fields.map(|field| field.name.as_str()).collect();
        out.open(format!("Self::{} {{ {}, .. }} => {{", variant.name, names.join(", ")));
        rules::fields(model, &format!("{:?}", def.name), &variant.fields, "*", out);
        out.close("}");
    }
    if checked.len() < def.variants.len() {
        out.line("_ => {}");
    }
    out.close("}");
}

/// Fields of variants with the name of an argument that the derived code uses beside them. Given to a macro
/// that makes the enum, they are other names than those which the derives write there.
fn hidden_fields(def: &EnumDef) -> Vec<&'static str> {
    let has = |name: &str| def.variants.iter().flat_map(|v| &v.fields).any(|field| field.name == name);
    ["serializer", "deserializer"].into_iter().filter(|name| has(name)).collect()
}

/// The first variant, where it has no fields, is the default of the enum. Fields that are `hidden` are the
/// arguments of a macro.
fn variants(def: &EnumDef, hidden: &[&str], out: &mut Source) {
    out.open(format!("pub enum {} {{", enum_name(def)));
    for (index, variant) in def.variants.iter().enumerate() {
        out.doc(&variant.description, &format!("The variant `{}`.", variant.name));
        if index == 0 && variant.fields.is_empty() {
            out.line("#[default]");
        }
        if variant.fields.is_empty() {
            out.line(format!("{},", variant.name));
            continue;
        }
        out.open(format!("{} {{", variant.name));
        for field in &variant.fields {
            out.doc(&field.description, &format!("The field `{}`.", field.name));
            let mark = if hidden.contains(&field.name.as_str()) { "$" } else { "" };
            out.line(format!("{mark}{}: {},", field.name, type_name(&field.ty)));
        }
        out.close("},");
    }
    out.close("}");
}
