//! The functions that put values into bytes and get them out again, one family for each type that is used.
//!
//! Encoding takes two walks in the same order, as in [`crate::encode`]: `out` writes what stands outside of
//! the root and queues where it went, `put` fills the cells. Neighbours that Python's `struct` knows go
//! through it together.

use std::collections::HashMap;
use std::fmt::Write;

use mycelium_contract::{EnumDef, Field, Message, Type};

use super::fit::plain_numbers;
use super::{field_name, literal};
use crate::Model;
use crate::model::is_bytes;
use crate::source::Source;

pub(super) struct Codec<'a> {
    model: &'a Model<'a>,
    /// The numbers of the composed types that have functions.
    numbers: HashMap<Type, usize>,
    /// Formats that `struct` has compiled, by their names.
    formats: HashMap<String, usize>,
    head: Source,
    body: Source,
}

/// A type that is one entry of a format of `struct`.
struct Inline {
    code: String,
    /// From the value to what is packed, and from what was unpacked to the value; `{}` is either.
    pack: String,
    unpack: String,
}

impl<'a> Codec<'a> {
    pub(super) fn new(model: &'a Model<'a>) -> Self {
        let mut head = Source::default();
        // No type's name begins in lower case: one may be called `B`.
        for code in ["b", "B", "h", "H", "i", "I", "q", "Q", "f", "d"] {
            head.line(format!(
                "_get_num_{code}, _put_num_{code} = _wire.number_get({0}), _wire.number_put({0})",
                literal::text(code)
            ));
        }
        let (numbers, formats, body) = Default::default();
        Self { model, numbers, formats, head, body }
    }

    pub(super) fn finish(self) -> String {
        format!("{}{}", self.head.text, self.body.text)
    }

    /// The code of a number for `struct`.
    fn number(ty: &Type) -> Option<&'static str> {
        Some(match ty {
            Type::U8 => "B",
            Type::U16 => "H",
            Type::U32 => "I",
            Type::U64 => "Q",
            Type::I8 => "b",
            Type::I16 => "h",
            Type::I32 => "i",
            Type::I64 | Type::Timestamp => "q",
            Type::F32 => "f",
            Type::F64 => "d",
            _ => return None,
        })
    }

    /// The type as one entry of a format; `at` is where it stands, for errors.
    fn inline(&self, ty: &Type, at: &str) -> Option<Inline> {
        let same = "{}".to_owned();
        if let Some(code) = Self::number(ty) {
            return Some(Inline { code: code.to_owned(), pack: same.clone(), unpack: same });
        }
        let inline = |code: &str, pack: &str, unpack: String| {
            Some(Inline { code: code.to_owned(), pack: pack.to_owned(), unpack })
        };
        match ty {
            Type::Bool => inline(
                "B",
                "1 if {} is True else 0 if {} is False else _wire.truth({})",
                format!("{{}} == 1 if {{}} < 2 else _wire.bad_bool({at}, {{}})"),
            ),
            Type::U256 => inline("32s", "_wire.wide({}, False)", "int.from_bytes({}, \"little\")".to_owned()),
            Type::I256 => inline(
                "32s",
                "_wire.wide({}, True)",
                "int.from_bytes({}, \"little\", signed=True)".to_owned(),
            ),
            Type::Array(_, count) if is_bytes(ty) => {
                inline(&format!("{count}s"), &format!("_wire.blob_of({{}}, {count})"), same)
            }
            Type::Enum(name) => {
                let def = self.model.contract.enum_def(name).filter(|def| def.is_unit())?;
                let (count, shown) = (def.variants.len(), literal::text(name));
                inline(
                    "B",
                    &format!("_tags_{name}[id({{}})]"),
                    format!(
                        "_variants_{name}[{{}}] if {{}} < {count} else _wire.bad_tag({shown}, {at}, {{}}, {count})"
                    ),
                )
            }
            _ => None,
        }
    }

    /// The function `get(r, at)`.
    fn get(&mut self, ty: &Type) -> String {
        self.function("get", ty)
    }

    /// The function `out(value, w, q)`, for a type of which something stands outside.
    fn out(&mut self, ty: &Type) -> Option<String> {
        (!self.model.layout(ty).fixed).then(|| self.function("out", ty))
    }

    /// The function `put(value, w, at, q)`.
    fn put(&mut self, ty: &Type) -> String {
        self.function("put", ty)
    }

    fn function(&mut self, what: &str, ty: &Type) -> String {
        if let Some(code) = Self::number(ty) {
            return format!("_{what}_num_{code}");
        }
        match ty {
            Type::Bool => format!("_wire.{what}_bool"),
            Type::Decimal => format!("_wire.{what}_decimal"),
            Type::U256 => format!("_wire.{what}_u256"),
            Type::I256 => format!("_wire.{what}_i256"),
            Type::String => format!("_wire.{what}_string"),
            Type::Enum(name) | Type::Struct(name) => format!("_{what}_{name}"),
            Type::Bytes => format!("_wire.{what}_bytes"),
            Type::Vec(_) if is_bytes(ty) => format!("_wire.{what}_bytes"),
            composed => format!("_{what}_{}", self.composed(composed)),
        }
    }

    /// The number of a list, an array or an option, whose functions are written when it is first asked for.
    pub(super) fn composed(&mut self, ty: &Type) -> usize {
        if let Some(number) = self.numbers.get(ty) {
            return *number;
        }
        let number = self.numbers.len() + 1;
        self.numbers.insert(ty.clone(), number);
        let mut text = Source::default();
        text.line("");
        text.line("");
        text.line(format!("# {ty}"));
        match ty {
            Type::Vec(of) => self.list(number, of, &mut text),
            Type::Array(of, count) => self.array(number, ty, of, *count, &mut text),
            Type::Option(of) => self.option(number, ty, of, &mut text),
            _ => {}
        }
        self.fit_composed(number, ty, &mut text);
        self.body.text.push_str(&text.text);
        number
    }

    fn list(&mut self, number: usize, of: &Type, text: &mut Source) {
        let layout = self.model.layout(of);
        let (get, out) = if let Some(code) = Self::number(of) {
            let code = literal::text(code);
            (
                format!("_wire.get_numbers(r, at, {code}, {})", layout.size),
                format!("_wire.out_numbers(value, w, q, {code}, {})", layout.size),
            )
        } else {
            let (get, put) = (self.get(of), self.put(of));
            let out = self.out(of).unwrap_or_else(|| "None".to_owned());
            (
                format!("_wire.get_list(r, at, {get}, {}, {})", layout.size, layout.align),
                format!("_wire.out_list(value, w, q, {out}, {put}, {}, {})", layout.size, layout.align),
            )
        };
        function(text, &format!("_get_{number}(r, at)"), [format!("return {get}")]);
        function(text, &format!("_out_{number}(value, w, q)"), [out]);
        text.line(format!("_put_{number} = _wire.put_list"));
    }

    fn array(&mut self, number: usize, ty: &Type, of: &Type, count: u32, text: &mut Source) {
        let size = self.model.size(of);
        let end = size * count as usize;
        if let Some(inline) = self.inline(ty, "at") {
            function(text, &format!("_get_{number}(r, at)"), [format!("return r.buf[at : at + {end}]")]);
            let put = inline.pack.replace("{}", "value");
            function(
                text,
                &format!("_put_{number}(value, w, at, q)"),
                [format!("w[at : at + {end}] = {put}")],
            );
            return;
        }
        let (get, put) = (self.get(of), self.put(of));
        function(
            text,
            &format!("_get_{number}(r, at)"),
            [format!("return [{get}(r, place) for place in range(at, at + {end}, {size})]")],
        );
        if let Some(out) = self.out(of) {
            let body = ["for item in value:".to_owned(), format!("    {out}(item, w, q)")];
            function(text, &format!("_out_{number}(value, w, q)"), body);
        }
        let body = [
            format!("for item in _wire.items(value, {count}):"),
            format!("    {put}(item, w, at, q)"),
            format!("    at += {size}"),
        ];
        function(text, &format!("_put_{number}(value, w, at, q)"), body);
    }

    fn option(&mut self, number: usize, ty: &Type, of: &Type, text: &mut Source) {
        let align = self.model.layout(of).align;
        let (get, put) = (self.get(of), self.put(of));
        let got = format!("return {get}(r, at + {align}) if _wire.get_option_tag(r, at) else None");
        function(text, &format!("_get_{number}(r, at)"), [got]);
        if let Some(out) = self.out(ty).and_then(|_| self.out(of)) {
            let body = ["if value is not None:".to_owned(), format!("    {out}(value, w, q)")];
            function(text, &format!("_out_{number}(value, w, q)"), body);
        }
        let body = [
            "if value is not None:".to_owned(),
            "    w[at] = 1".to_owned(),
            format!("    {put}(value, w, at + {align}, q)"),
        ];
        function(text, &format!("_put_{number}(value, w, at, q)"), body);
    }

    pub(super) fn structure(&mut self, name: &str, fields: &[Field]) {
        let record = self.model.record(fields);
        let mut text = Source::default();
        self.record(name, name, fields, &record.offsets, &mut text);
        if !record.layout.fixed {
            self.record_out(name, fields, &mut text);
        }
        self.fit_record(name, fields, &mut text);
        self.body.text.push_str(&text.text);
    }

    /// `get` and `put` of a record: a struct, a variant, or a version of a message.
    fn record(
        &mut self,
        function_name: &str,
        class: &str,
        fields: &[Field],
        offsets: &[u64],
        text: &mut Source,
    ) {
        let got = self.record_get(class, fields, offsets);
        function(text, &format!("_get_{function_name}(r, at)"), got);
        let mut put = vec![format!("type(value) is {class} or _wire.is_of({class}, value)")];
        put.extend(self.record_put(fields, offsets));
        function(text, &format!("_put_{function_name}(value, w, at, q)"), put);
    }

    fn record_get(&mut self, class: &str, fields: &[Field], offsets: &[u64]) -> Vec<String> {
        let mut lines = Vec::new();
        for run in runs(fields, |field| self.inline(&field.ty, "").is_some()) {
            let first = offsets[run.start];
            if self.inline(&fields[run.start].ty, "").is_none() {
                let get = self.get(&fields[run.start].ty);
                lines.push(format!("v{} = {get}(r, at + {first})", run.start));
                continue;
            }
            let names: Vec<_> = run.clone().map(|at| format!("v{at}")).collect();
            let format = self.format(&fields[run.clone()], &offsets[run.clone()]);
            lines.push(format!("{}, = _format_{format}.unpack_from(r.buf, at + {first})", names.join(", ")));
            for at in run {
                let inline = self.inline(&fields[at].ty, &format!("at + {}", offsets[at]));
                let unpack = inline.map_or_else(|| "{}".to_owned(), |inline| inline.unpack);
                if unpack != "{}" {
                    lines.push(format!("v{at} = {}", unpack.replace("{}", &format!("v{at}"))));
                }
            }
        }
        let by_name = |(at, field): (usize, &Field)| format!("{}=v{at}", field_name(field));
        let arguments: Vec<_> = fields.iter().enumerate().map(by_name).collect();
        lines.push(format!("return {class}({})", arguments.join(", ")));
        lines
    }

    fn record_put(&mut self, fields: &[Field], offsets: &[u64]) -> Vec<String> {
        let packed = fields.iter().filter(|field| self.inline(&field.ty, "").is_some());
        let mut lines = plain_numbers(packed);
        for run in runs(fields, |field| self.inline(&field.ty, "").is_some()) {
            let first = offsets[run.start];
            if self.inline(&fields[run.start].ty, "").is_none() {
                let field = &fields[run.start];
                let put = self.put(&field.ty);
                lines.push(format!("{put}(value.{}, w, at + {first}, q)", field_name(field)));
                continue;
            }
            let packed: Vec<_> = run
                .clone()
                .map(|at| {
                    let pack =
                        self.inline(&fields[at].ty, "").map_or_else(|| "{}".to_owned(), |inline| inline.pack);
                    pack.replace("{}", &format!("value.{}", field_name(&fields[at])))
                })
                .collect();
            let format = self.format(&fields[run.clone()], &offsets[run]);
            lines.push(format!("_format_{format}.pack_into(w, at + {first}, {})", packed.join(", ")));
        }
        if lines.is_empty() {
            lines.push("pass".to_owned());
        }
        lines
    }

    fn record_out(&mut self, name: &str, fields: &[Field], text: &mut Source) {
        let mut lines = Vec::new();
        for field in fields {
            if let Some(out) = self.out(&field.ty) {
                lines.push(format!("{out}(value.{}, w, q)", field_name(field)));
            }
        }
        function(text, &format!("_out_{name}(value, w, q)"), lines);
    }

    /// The number of the compiled format of these neighbours; it begins where the first stands.
    fn format(&mut self, fields: &[Field], offsets: &[u64]) -> usize {
        self.format_up_to(fields, offsets, 0)
    }

    /// The same with padding up to byte `size`.
    fn format_up_to(&mut self, fields: &[Field], offsets: &[u64], size: u64) -> usize {
        let mut format = String::from("<");
        let mut end = offsets.first().copied().unwrap_or_default();
        for (field, offset) in fields.iter().zip(offsets) {
            if *offset > end {
                let _ = write!(format, "{}x", offset - end);
            }
            format.push_str(&self.inline(&field.ty, "").map_or_else(String::new, |inline| inline.code));
            end = offset + self.model.layout(&field.ty).size;
        }
        if size > end {
            let _ = write!(format, "{}x", size - end);
        }
        let next = self.formats.len() + 1;
        let head = &mut self.head;
        *self.formats.entry(format).or_insert_with_key(|format| {
            head.line(format!("_format_{next} = _struct.Struct({})", literal::text(format)));
            next
        })
    }

    pub(super) fn enumeration(&mut self, def: &EnumDef) {
        let name = &def.name;
        let mut text = Source::default();
        if def.is_unit() {
            text.line("");
            text.line("");
            text.line(format!("_variants_{name} = tuple({name})"));
            text.line(format!("_tags_{name} = {{id(variant): variant.value for variant in {name}}}"));
            let ty = Type::Enum(name.clone());
            let inline = self.inline(&ty, "at").map(|inline| (inline.pack, inline.unpack));
            let (pack, unpack) = inline.unwrap_or_default();
            let got = ["tag = r.buf[at]".to_owned(), format!("return {}", unpack.replace("{}", "tag"))];
            function(&mut text, &format!("_get_{name}(r, at)"), got);
            let put = format!("w[at] = {}", pack.replace("{}", "value"));
            function(&mut text, &format!("_put_{name}(value, w, at, q)"), [put]);
        } else {
            self.data_enum(def, &mut text);
        }
        self.fit_enum(def, &mut text);
        self.body.text.push_str(&text.text);
    }

    fn data_enum(&mut self, def: &EnumDef, text: &mut Source) {
        let name = &def.name;
        let fixed = self.model.layout(&Type::Enum(name.clone())).fixed;
        let (mut gets, mut puts, mut outs) = (Vec::new(), Vec::new(), Vec::new());
        for (tag, variant) in def.variants.iter().enumerate() {
            let class = format!("{name}_{}", variant.name);
            let offsets = self.model.variant(variant).offsets;
            self.record(&class, &class, &variant.fields, &offsets, text);
            gets.push(format!("_get_{class}"));
            puts.push(format!("{class}: ({tag}, _put_{class})"));
            if variant.fields.iter().any(|field| !self.model.layout(&field.ty).fixed) {
                self.record_out(&class, &variant.fields, text);
                outs.push(format!("{class}: _out_{class}"));
            }
        }
        text.line("");
        text.line("");
        text.line(format!("_gets_{name} = ({},)", gets.join(", ")));
        text.line(format!("_puts_{name} = {{{}}}", puts.join(", ")));
        let (count, shown) = (def.variants.len(), literal::text(name));
        let got = [
            "tag = r.buf[at]".to_owned(),
            format!(
                "return _gets_{name}[tag](r, at) if tag < {count} else _wire.bad_tag({shown}, at, tag, {count})"
            ),
        ];
        function(text, &format!("_get_{name}(r, at)"), got);
        let put = [
            format!("w[at], put = _wire.variant(_puts_{name}, value, {shown})"),
            "put(value, w, at, q)".to_owned(),
        ];
        function(text, &format!("_put_{name}(value, w, at, q)"), put);
        if !fixed {
            text.line("");
            text.line("");
            text.line(format!("_outs_{name} = {{{}}}", outs.join(", ")));
            let out = [
                format!("out = _outs_{name}.get(type(value))"),
                "if out is not None:".to_owned(),
                "    out(value, w, q)".to_owned(),
            ];
            function(text, &format!("_out_{name}(value, w, q)"), out);
        }
    }

    pub(super) fn message(&mut self, message: &Message) {
        let (model, name) = (self.model, &message.name);
        let record = model.record(&message.fields);
        let mut text = Source::default();
        let versions = Model::versions(message);
        for version in &versions {
            let fields = message.fields_of(*version);
            let got = self.record_get(name, fields, &model.record(fields).offsets);
            function(&mut text, &format!("_get_{name}_{version}(r, at)"), got);
        }
        let put = self.record_put(&message.fields, &record.offsets);
        function(&mut text, &format!("_put_{name}(value, w, at, q)"), put);
        if !record.layout.fixed {
            self.record_out(name, &message.fields, &mut text);
        }
        let layouts: Vec<_> = versions
            .iter()
            .map(|version| {
                let layout = model.record(message.fields_of(*version)).layout;
                let fixed = if layout.fixed { "True" } else { "False" };
                format!("({version}, {}, {}, {fixed})", layout.size, layout.align)
            })
            .collect();
        let gets: Vec<_> = versions.iter().map(|version| format!("_get_{name}_{version}")).collect();
        let fields: Vec<_> = message
            .fields
            .iter()
            .map(|field| {
                let out = self.out(&field.ty).unwrap_or_else(|| "None".to_owned());
                let (put, size) = (self.put(&field.ty), model.size(&field.ty));
                format!("({}, {out}, {put}, {size}),", literal::text(&field_name(field)))
            })
            .collect();
        text.line("");
        text.line("");
        text.line(format!("_layouts_{name} = ({},)", layouts.join(", ")));
        text.line(format!("_gets_{name} = ({},)", gets.join(", ")));
        text.open(format!("_fields_{name} = ("));
        fields.iter().for_each(|field| text.line(field));
        text.close(")");
        self.fit_record(name, &message.fields, &mut text);
        let shown = literal::text(name);
        let mut decode = Vec::new();
        if let Some(fast) = self.flat(message) {
            let (version, root) = (message.version, record.layout.size);
            decode.push(format!("if version == {version} and root_len == {root} and len(value) == {root}:"));
            decode.extend(fast.unpack.iter().map(|line| format!("    {line}")));
            function(&mut text, &format!("_encode_{name}(value)"), encode(name, fast.pack));
        } else {
            let mut lines = vec!["w = bytearray()".to_owned(), "q = _deque()".to_owned()];
            if !record.layout.fixed {
                lines.push(format!("_out_{name}(value, w, q)"));
            }
            lines.extend([
                format!("at = _wire.pad(w, {})", record.layout.align),
                format!("w.extend(bytes({}))", record.layout.size),
                format!("_put_{name}(value, w, at, q)"),
                "return bytes(w)".to_owned(),
            ]);
            function(&mut text, &format!("_encode_{name}(value)"), encode(name, lines));
        }
        decode.push(format!(
            "r, at, layout = _wire.root({shown}, value, version, root_len, _layouts_{name}, {})",
            message.version
        ));
        decode.push(format!("return _gets_{name}[layout](r, at)"));
        function(&mut text, &format!("_decode_{name}(value, version, root_len)"), decode);
        self.body.text.push_str(&text.text);
    }

    /// How a message is packed and unpacked whole, if `struct` knows all of its fields.
    fn flat(&mut self, message: &Message) -> Option<FlatMessage> {
        let fields = &message.fields;
        let record = self.model.record(fields);
        let unpack: Option<Vec<String>> = fields
            .iter()
            .zip(&record.offsets)
            .map(|(field, offset)| Some(self.inline(&field.ty, &offset.to_string())?.unpack))
            .collect();
        let unpack = unpack?;
        let pack: Vec<_> = fields
            .iter()
            .filter_map(|field| {
                let pack = self.inline(&field.ty, "")?.pack;
                Some(pack.replace("{}", &format!("value.{}", field_name(field))))
            })
            .collect();
        let format = self.format_up_to(fields, &record.offsets, record.layout.size);
        let names: Vec<_> = (0..fields.len()).map(|at| format!("v{at}")).collect();
        let mut lines = vec![format!("{}, = _format_{format}.unpack(value)", names.join(", "))];
        for (name, unpack) in names.iter().zip(unpack).filter(|(_, unpack)| unpack != "{}") {
            lines.push(format!("{name} = {}", unpack.replace("{}", name)));
        }
        let by_name = |(field, name): (&Field, &String)| format!("{}={name}", field_name(field));
        let arguments: Vec<_> = match fields.iter().any(|field| field.default.is_some()) {
            true => fields.iter().zip(&names).map(by_name).collect(),
            false => names.clone(),
        };
        lines.push(format!("return {}({})", message.name, arguments.join(", ")));
        let mut whole = plain_numbers(fields.iter());
        whole.push(format!("return _format_{format}.pack({})", pack.join(", ")));
        Some(FlatMessage { pack: whole, unpack: lines })
    }
}

/// A message of numbers and the like.
struct FlatMessage {
    pack: Vec<String>,
    unpack: Vec<String>,
}

/// The body of an encoder: whatever goes wrong, the field is named.
fn encode(name: &str, lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut body = vec!["try:".to_owned()];
    body.extend(lines.into_iter().map(|line| format!("    {line}")));
    body.push("except Exception as error:".to_owned());
    body.push(format!("    raise _wire.why(value, _fit_{name}, _fields_{name}, error) from None"));
    body
}

/// A function of the package, with two lines above it.
fn function(text: &mut Source, head: &str, body: impl IntoIterator<Item = String>) {
    text.line("");
    text.line("");
    text.open(format!("def {head}:"));
    body.into_iter().for_each(|line| text.line(line));
    text.dedent();
}

/// Neighbours that are `inline` together, and each other field alone.
fn runs(fields: &[Field], inline: impl Fn(&Field) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let mut joins = false;
    for (at, field) in fields.iter().enumerate() {
        let is_inline = inline(field);
        match runs.last_mut() {
            Some(run) if joins && is_inline => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
        joins = is_inline;
    }
    runs
}
