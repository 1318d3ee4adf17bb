//! The functions that put values into bytes and get them out again, one family for each type that is used.
//!
//! Encoding takes two walks in the same order, as in [`crate::encode`]: `out` writes what stands outside of
//! the root and notes where it went, `put` fills the cells. `get` reads a cell and what it leads to.

use std::collections::HashMap;

use mycelium_contract::{EnumDef, Field, Type};

use super::{field_name, literal};
use crate::Model;
use crate::model::is_bytes;
use crate::source::Source;

pub(super) struct OcamlCodec<'a> {
    pub(super) model: &'a Model<'a>,
    /// The numbers of the composed types that have functions.
    numbers: HashMap<Type, usize>,
    /// The module that users open: its interface, and its code, which names what the parts hold.
    pub(super) interface: Source,
    pub(super) main: Source,
    /// The part that is being written, and the texts of those before it.
    pub(super) code: Source,
    parts: Vec<String>,
    /// How many modules the current part has.
    modules: usize,
}

/// Modules of one part. The compiler's stack bounds what one file may hold: some 500 messages overflow 8 MiB.
const MODULES_MAX: usize = 64;

/// What a family of functions does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// `get r at`
    Get,
    /// `out w value`
    Out,
    /// `put w at value`
    Put,
    /// `json out value`
    Json,
}

impl Task {
    fn word(self) -> &'static str {
        match self {
            Task::Get => "get",
            Task::Out => "out",
            Task::Put => "put",
            Task::Json => "json",
        }
    }

    /// What the runtime calls its function for `simple`.
    fn runtime(self, simple: &str) -> String {
        match self {
            Task::Get => format!("W_.{simple}"),
            _ => format!("W_.{}_{simple}", self.word()),
        }
    }
}

impl<'a> OcamlCodec<'a> {
    pub(super) fn new(model: &'a Model<'a>) -> Self {
        let (interface, main, code, parts) = Default::default();
        let mut codec = Self { model, numbers: HashMap::new(), interface, main, code, parts, modules: 0 };
        codec.begin_part();
        codec
    }

    /// No name of a contract has an underscore, so none hides `W_`.
    fn begin_part(&mut self) {
        self.modules = 0;
        self.code.line("[@@@ocaml.warning \"-a\"]");
        self.code.line("");
        self.code.line("module W_ = Mycelium_wire");
        for part in 1..=self.parts.len() {
            self.code.line(format!("open! Part_{part}"));
        }
    }

    /// Names a module that stands in the current part, and begins another part where this one is full.
    pub(super) fn end_module(&mut self, name: &str) {
        self.main.line(format!("module {name} = Part_{}.{name}", self.parts.len() + 1));
        self.modules += 1;
        if self.modules == MODULES_MAX {
            self.parts.push(std::mem::take(&mut self.code).text);
            self.begin_part();
        }
    }

    /// The texts of all parts.
    pub(super) fn finish(&mut self) -> Vec<String> {
        self.parts.push(std::mem::take(&mut self.code).text);
        std::mem::take(&mut self.parts)
    }

    /// A line of interface and code of the module that users open.
    pub(super) fn both(&mut self, line: &str) {
        self.interface.line(line);
        self.main.line(line);
    }

    /// Whether something of the type stands outside of its cell.
    fn is_outside(&self, ty: &Type) -> bool {
        !self.model.layout(ty).fixed
    }

    /// The function for a type; those of composed types are written when they are first asked for.
    pub(super) fn function(&mut self, task: Task, ty: &Type) -> String {
        if task == Task::Out && !self.is_outside(ty) {
            return "W_.no_out".to_owned();
        }
        let simple = match (ty, task) {
            (Type::U64, Task::Json) => "u64",
            (Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32, Task::Json) => "int",
            (Type::Bytes, Task::Json) => "hex",
            _ => match simple(ty) {
                Some(simple) => simple,
                None => return self.composed(task, ty),
            },
        };
        task.runtime(simple)
    }

    fn composed(&mut self, task: Task, ty: &Type) -> String {
        let word = task.word();
        match ty {
            Type::Enum(name) | Type::Struct(name) => format!("{name}.{word}"),
            Type::Vec(_) if is_bytes(ty) && task == Task::Json => "W_.json_blob".to_owned(),
            Type::Vec(_) if is_bytes(ty) => task.runtime("bytes"),
            Type::Array(_, count) if is_bytes(ty) => match task {
                Task::Get => format!("W_.blob {count}"),
                Task::Put => format!("W_.put_blob {count}"),
                _ => "W_.json_blob".to_owned(),
            },
            // A capital: no field has one in its name.
            _ => format!("{word}_T{}", self.number(ty)),
        }
    }

    /// The number of a list, an array or an option. Its functions are partial applications of the runtime's.
    fn number(&mut self, ty: &Type) -> usize {
        if let Some(number) = self.numbers.get(ty) {
            return *number;
        }
        let (Type::Vec(of) | Type::Array(of, _) | Type::Option(of)) = ty else { return 0 };
        let [get, put, out, json] =
            [Task::Get, Task::Put, Task::Out, Task::Json].map(|task| self.function(task, of));
        let layout = self.model.layout(of);
        let (size, align) = (layout.size, layout.align);
        let (get, put, out, json) = match ty {
            Type::Vec(_) => (
                format!("W_.list ({get}) {size} {align}"),
                "W_.put_list".to_owned(),
                format!("W_.out_list ({out}) ({put}) {size} {align}"),
                format!("W_.json_array ({json})"),
            ),
            Type::Array(_, count) => (
                format!("W_.array ({get}) {count} {size}"),
                format!("W_.put_array ({put}) {count} {size}"),
                format!("W_.out_array ({out})"),
                format!("W_.json_array ({json})"),
            ),
            _ => (
                format!("W_.option ({get}) {align}"),
                format!("W_.put_option ({put}) {align}"),
                format!("W_.out_option ({out})"),
                format!("W_.json_option ({json})"),
            ),
        };
        let number = self.numbers.len() + 1;
        self.numbers.insert(ty.clone(), number);
        let is_outside = self.is_outside(ty);
        let code = &mut self.code;
        code.line("");
        code.line(format!("(* {ty} *)"));
        code.line(format!("let get_T{number} r at = {get} r at"));
        code.line(format!("let put_T{number} w at value = {put} w at value"));
        if is_outside {
            code.line(format!("let out_T{number} w value = {out} w value"));
        }
        code.line(format!("let json_T{number} out value = {json} out value"));
        number
    }

    /// Writes the functions of the composed types of these fields, before the module that needs them opens.
    pub(super) fn prepare(&mut self, fields: &[Field]) {
        for field in fields {
            for task in [Task::Get, Task::Out, Task::Put, Task::Json] {
                self.function(task, &field.ty);
            }
        }
    }

    /// Reads the fields, in order, and ends with the record; fields behind them have their defaults.
    pub(super) fn get_fields(&mut self, fields: &[Field], known: usize, offsets: &[u64], constructor: &str) {
        for (at, (field, offset)) in fields.iter().zip(offsets).enumerate().take(known) {
            let get = self.function(Task::Get, &field.ty);
            self.code.line(format!("let v{at} = {get} r (at + {offset}) in"));
        }
        let model = self.model;
        let one = |(at, field): (usize, &Field)| match &field.default {
            Some(value) if at >= known => {
                format!("{} = {}", field_name(field), literal::of(model, &field.ty, value))
            }
            _ => format!("{} = v{at}", field_name(field)),
        };
        let parts: Vec<_> = fields.iter().enumerate().map(one).collect();
        self.code.line(format!("{constructor}{{ {} }}", parts.join("; ")));
    }

    /// Statements that write what the fields of `v` have outside. `notes` says of which field an error tells.
    pub(super) fn out_fields(&mut self, fields: &[Field], notes: bool) {
        for (index, field) in
            fields.iter().enumerate().filter(|(_, field)| !self.model.layout(&field.ty).fixed)
        {
            if notes {
                self.code.line(format!("w.W_.field <- {index};"));
            }
            let out = self.function(Task::Out, &field.ty);
            self.code.line(format!("{out} w v.{};", field_name(field)));
        }
        self.code.line("()");
    }

    pub(super) fn put_fields(&mut self, fields: &[Field], offsets: &[u64], notes: bool) {
        for (index, (field, offset)) in fields.iter().zip(offsets).enumerate() {
            if notes && !always_fits(&field.ty) {
                self.code.line(format!("w.W_.field <- {index};"));
            }
            let put = self.function(Task::Put, &field.ty);
            self.code.line(format!("{put} w (at + {offset}) v.{};", field_name(field)));
        }
        self.code.line("()");
    }

    pub(super) fn json_fields(&mut self, fields: &[Field]) {
        for (index, field) in fields.iter().enumerate() {
            let before = if index == 0 { "{" } else { ", " };
            let key = literal::text(&format!("{before}\"{}\": ", field.name));
            self.code.line(format!("W_.json_text out {key};"));
            let json = self.function(Task::Json, &field.ty);
            self.code.line(format!("{json} out v.{};", field_name(field)));
        }
        self.code.line("W_.json_text out \"}\"");
    }

    /// The functions of a unit enum, inside its module: none of its variants may be taken for another
    /// type's.
    pub(super) fn unit_enum(&mut self, def: &EnumDef) {
        let (name, count) = (literal::text(&def.name), def.variants.len());
        let code = &mut self.code;
        code.open("let get r at = match W_.u8 r at with");
        for (tag, variant) in def.variants.iter().enumerate() {
            code.line(format!("| {tag} -> {}", variant.name));
        }
        code.line(format!("| tag -> W_.bad_tag {name} at tag {count}"));
        code.dedent();
        code.open("let tag = function");
        for (tag, variant) in def.variants.iter().enumerate() {
            code.line(format!("| {} -> {tag}", variant.name));
        }
        code.dedent();
        code.line("let put w at v = W_.put_u8 w at (tag v)");
        code.line("let json out v = W_.json_string out (to_string v)");
    }

    /// The functions of a data enum, inside its module.
    pub(super) fn data_enum(&mut self, def: &EnumDef) {
        let (name, count) = (literal::text(&def.name), def.variants.len());
        let records: Vec<_> =
            def.variants.iter().map(|variant| self.model.variant(variant).offsets).collect();
        self.code.open("let get r at = match W_.u8 r at with");
        for (tag, (variant, offsets)) in def.variants.iter().zip(&records).enumerate() {
            self.code.open(format!("| {tag} ->"));
            match variant.fields.is_empty() {
                true => self.code.line(&variant.name),
                false => {
                    let constructor = format!("{} ", variant.name);
                    self.get_fields(&variant.fields, variant.fields.len(), offsets, &constructor);
                }
            }
            self.code.dedent();
        }
        self.code.line(format!("| tag -> W_.bad_tag {name} at tag {count}"));
        self.code.dedent();
        self.each_variant(def, "let out w = function", |codec, _, fields| codec.out_fields(fields, false));
        self.each_variant(def, "let put w at = function", |codec, tag, fields| {
            codec.code.line(format!("W_.put_u8 w at {tag};"));
            codec.put_fields(fields, &records[tag], false);
        });
        self.each_variant(def, "let json out = function", |codec, tag, fields| {
            let variant = &def.variants[tag].name;
            if fields.is_empty() {
                let text = literal::text(&format!("\"{variant}\""));
                return codec.code.line(format!("W_.json_text out {text}"));
            }
            let text = literal::text(&format!("{{\"{variant}\": "));
            codec.code.line(format!("W_.json_text out {text};"));
            codec.json_fields(fields);
            codec.code.line("; W_.json_text out \"}\"");
        });
    }

    /// A function with a case for each variant, whose fields are those of `v`.
    pub(super) fn each_variant(
        &mut self,
        def: &EnumDef,
        head: &str,
        body: impl Fn(&mut Self, usize, &[Field]),
    ) {
        self.code.open(head);
        for (tag, variant) in def.variants.iter().enumerate() {
            let value = if variant.fields.is_empty() { "" } else { " v" };
            self.code.open(format!("| {}{value} -> (", variant.name));
            body(self, tag, &variant.fields);
            self.code.close(")");
        }
        self.code.dedent();
    }
}

/// The runtime's name of a type that it knows.
fn simple(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::U64 | Type::I64 | Type::Timestamp => "i64",
        Type::Bool => "bool",
        Type::Decimal => "decimal",
        Type::U256 => "u256",
        Type::I256 => "i256",
        Type::String => "string",
        Type::Bytes => "bytes",
        other => number(other)?,
    })
}

/// The runtime's name of a number that views read in place.
pub(super) fn number(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::U64 | Type::I64 | Type::Timestamp => "i64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        _ => return None,
    })
}

/// Whether each value of the OCaml type is one of the contract's.
fn always_fits(ty: &Type) -> bool {
    matches!(
        ty,
        Type::U64
            | Type::I64
            | Type::Timestamp
            | Type::F32
            | Type::F64
            | Type::Bool
            | Type::Decimal
            | Type::U256
            | Type::I256
    )
}
