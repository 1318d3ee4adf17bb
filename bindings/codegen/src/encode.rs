//! Values to bytes by the specification, without rkyv.
//!
//! This is a second implementation of the layout in `docs/wire.md`: the tests hold the generated Rust types
//! against it, and it writes the golden vectors that other languages are held against.

use std::collections::VecDeque;
use std::fmt;

use mycelium_contract::{Field, Type, Value};

use crate::Model;

/// The longest string that stands in its cell, in bytes.
pub const STRING_INLINE_MAX: usize = 8;

/// A value on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// All bytes; the root is the last `root_len`.
    pub bytes: Vec<u8>,
    /// The length of the root, in bytes.
    pub root_len: usize,
    /// What stands where, for whoever wants to damage it.
    pub marks: Vec<Mark>,
}

/// A place in an encoded value where not every byte will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Position in the value, in bytes.
    pub at: usize,
    /// What stands there.
    pub kind: MarkKind,
}

/// What stands at a [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarkKind {
    /// A byte of 0 or 1.
    Bool,
    /// The tag of an enum or `Option`; the number of tags there are.
    Tag(usize),
    /// The cell of a string whose bytes stand in it; their number.
    StringInline(usize),
    /// The cell of a string whose bytes start at this position.
    StringOutside(usize),
    /// The cell of a list of this many elements.
    List(usize),
    /// A `Decimal`.
    Decimal,
}

/// A value does not fit the type that it was to be encoded as.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EncodeError {
    /// The type.
    pub ty: String,
    /// The value, as Rust prints it.
    pub value: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no value of type {}", self.value, self.ty)
    }
}

impl std::error::Error for EncodeError {}

/// Encodes the values of `fields`, in order, as a message.
///
/// # Errors
/// A value does not fit its field, or there are more or fewer values than fields.
pub fn message(
    model: &Model<'_>,
    fields: &[Field],
    values: &[(String, Value)],
) -> Result<Encoded, EncodeError> {
    let mut writer = Writer { model, bytes: Vec::new(), marks: Vec::new() };
    let mut outside = VecDeque::new();
    writer.lay_out_fields(fields, values, &mut outside)?;
    let record = model.record(fields);
    let (root, root_len) = (writer.align(record.layout.align), record.layout.size as usize);
    writer.bytes.resize(root + root_len, 0);
    writer.place_fields(fields, &record.offsets, values, root, &mut outside);
    Ok(Encoded { bytes: writer.bytes, root_len, marks: writer.marks })
}

/// Encoding takes two walks in the same order. The first writes what stands outside and queues where it went;
/// the second fills the cells and takes the places from the queue.
struct Writer<'a> {
    model: &'a Model<'a>,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl Writer<'_> {
    fn align(&mut self, align: u64) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(align as usize), 0);
        self.bytes.len()
    }

    fn lay_out_fields(
        &mut self,
        fields: &[Field],
        values: &[(String, Value)],
        outside: &mut VecDeque<usize>,
    ) -> Result<(), EncodeError> {
        let named = |(field, (name, _)): (&Field, &(String, Value))| field.name == *name;
        if fields.len() != values.len() || !fields.iter().zip(values).all(named) {
            let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(EncodeError { ty: names.join(", "), value: format!("{values:?}") });
        }
        for (field, (_, value)) in fields.iter().zip(values) {
            self.lay_out(&field.ty, value, outside)?;
        }
        Ok(())
    }

    /// First walk: checks that the value fits, and writes what stands outside.
    fn lay_out(
        &mut self,
        ty: &Type,
        value: &Value,
        outside: &mut VecDeque<usize>,
    ) -> Result<(), EncodeError> {
        let model = self.model;
        let fits = match (ty, value) {
            (Type::Bool, Value::Bool(_))
            | (Type::F32 | Type::F64, Value::Float(_))
            | (Type::Decimal, Value::Decimal(_))
            | (Type::U256 | Type::I256, Value::Wide(_))
            | (Type::Option(_), Value::None) => true,
            (_, Value::Int(int)) => ty.int_range().is_some_and(|(lo, hi)| (lo..=hi).contains(int)),
            (Type::String, Value::String(text)) => {
                if text.len() > STRING_INLINE_MAX {
                    outside.push_back(self.bytes.len());
                    self.bytes.extend_from_slice(text.as_bytes());
                }
                true
            }
            (Type::Bytes, Value::Bytes(bytes)) => {
                outside.push_back(self.bytes.len());
                self.bytes.extend_from_slice(bytes);
                true
            }
            (Type::Vec(of), Value::List(items)) => return self.lay_out_list(of, items, outside),
            (Type::Array(of, count), Value::List(items)) if items.len() == *count as usize => {
                return items.iter().try_for_each(|item| self.lay_out(of, item, outside));
            }
            (Type::Option(of), Value::Some(inner)) => return self.lay_out(of, inner, outside),
            (Type::Enum(name), Value::Variant(variant, values)) => {
                let def = model
                    .contract
                    .enum_def(name)
                    .and_then(|d| d.variants.iter().find(|v| v.name == *variant));
                if let Some(found) = def {
                    return self.lay_out_fields(&found.fields, values, outside);
                }
                false
            }
            (Type::Struct(name), Value::Struct(values)) => {
                if let Some(def) = model.contract.struct_def(name) {
                    return self.lay_out_fields(&def.fields, values, outside);
                }
                false
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(EncodeError { ty: ty.to_string(), value: format!("{value:?}") }) }
    }

    /// What the elements hold outside comes first, then the elements, aligned even if there are none.
    fn lay_out_list(
        &mut self,
        of: &Type,
        items: &[Value],
        outside: &mut VecDeque<usize>,
    ) -> Result<(), EncodeError> {
        let mut inner = VecDeque::new();
        for item in items {
            self.lay_out(of, item, &mut inner)?;
        }
        let (align, size) = (self.model.layout(of).align, self.model.size(of));
        let start = self.align(align);
        self.bytes.resize(start + size * items.len(), 0);
        for (index, item) in items.iter().enumerate() {
            self.place(of, item, start + index * size, &mut inner);
        }
        outside.push_back(start);
        Ok(())
    }

    fn place_fields(
        &mut self,
        fields: &[Field],
        offsets: &[u64],
        values: &[(String, Value)],
        at: usize,
        outside: &mut VecDeque<usize>,
    ) {
        for ((field, offset), (_, value)) in fields.iter().zip(offsets).zip(values) {
            self.place(&field.ty, value, at + *offset as usize, outside);
        }
    }

    /// Second walk: fills the cell at `at`, which is zeroed. The value fits, the first walk has checked it.
    fn place(&mut self, ty: &Type, value: &Value, at: usize, outside: &mut VecDeque<usize>) {
        match (ty, value) {
            (_, Value::Bool(on)) => {
                self.mark(at, MarkKind::Bool);
                self.bytes[at] = u8::from(*on);
            }
            (_, Value::Int(int)) => {
                let size = self.model.size(ty);
                self.put(at, &int.to_le_bytes()[..size]);
            }
            (Type::F32, Value::Float(float)) => self.put(at, &narrow(*float).to_le_bytes()),
            (_, Value::Float(float)) => self.put(at, &float.to_le_bytes()),
            (_, Value::Decimal(decimal)) => {
                self.mark(at, MarkKind::Decimal);
                self.put(at, &decimal.mantissa.to_le_bytes()[..12]);
                self.put(at + 12, &[decimal.scale, u8::from(decimal.negative)]);
            }
            (_, Value::Wide(limbs)) => {
                for (index, limb) in limbs.iter().enumerate() {
                    self.put(at + index * 8, &limb.to_le_bytes());
                }
            }
            (_, Value::String(text)) => self.place_string(text, at, outside),
            (_, Value::Bytes(bytes)) => self.place_list(bytes.len(), at, outside),
            (Type::Array(of, _), Value::List(items)) => {
                let size = self.model.size(of);
                for (index, item) in items.iter().enumerate() {
                    self.place(of, item, at + index * size, outside);
                }
            }
            (_, Value::List(items)) => self.place_list(items.len(), at, outside),
            (_, Value::None) => self.mark(at, MarkKind::Tag(2)),
            (Type::Option(of), Value::Some(inner)) => {
                self.mark(at, MarkKind::Tag(2));
                self.bytes[at] = 1;
                let model = self.model;
                self.place(of, inner, at + model.layout(of).align as usize, outside);
            }
            (Type::Enum(name), Value::Variant(variant, values)) => {
                self.place_enum(name, variant, values, at, outside);
            }
            (Type::Struct(name), Value::Struct(values)) => {
                let model = self.model;
                if let Some(def) = model.contract.struct_def(name) {
                    let record = model.record(&def.fields);
                    self.place_fields(&def.fields, &record.offsets, values, at, outside);
                }
            }
            _ => {}
        }
    }

    fn place_enum(
        &mut self,
        name: &str,
        variant: &str,
        values: &[(String, Value)],
        at: usize,
        outside: &mut VecDeque<usize>,
    ) {
        let model = self.model;
        let Some(def) = model.contract.enum_def(name) else { return };
        let Some((tag, found)) = def.variants.iter().enumerate().find(|(_, v)| v.name == variant) else {
            return;
        };
        self.mark(at, MarkKind::Tag(def.variants.len()));
        self.bytes[at] = tag as u8;
        let record = model.variant(found);
        self.place_fields(&found.fields, &record.offsets, values, at, outside);
    }

    fn place_string(&mut self, text: &str, at: usize, outside: &mut VecDeque<usize>) {
        if text.len() <= STRING_INLINE_MAX {
            self.mark(at, MarkKind::StringInline(text.len()));
            self.put(at, &[0xff; STRING_INLINE_MAX]);
            self.put(at, text.as_bytes());
            return;
        }
        let target = outside.pop_front().unwrap_or_default();
        self.mark(at, MarkKind::StringOutside(target));
        self.put(at, &string_length(text.len() as u32).to_le_bytes());
        self.put(at + 4, &offset(at, target));
    }

    fn place_list(&mut self, len: usize, at: usize, outside: &mut VecDeque<usize>) {
        let target = outside.pop_front().unwrap_or_default();
        self.mark(at, MarkKind::List(len));
        self.put(at, &offset(at, target));
        self.put(at + 4, &(len as u32).to_le_bytes());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn mark(&mut self, at: usize, kind: MarkKind) {
        self.marks.push(Mark { at, kind });
    }
}

/// The length word of a string outside its cell: bits 6 and 7 of the first byte are `10`, which no UTF-8 text
/// starts with.
#[must_use]
pub fn string_length(len: u32) -> u32 {
    (len & 0x3f) | 0x80 | ((len & !0x3f) << 2)
}

/// The closest `f32`; NaN becomes the one quiet NaN without payload.
#[must_use]
pub fn narrow(float: f64) -> f32 {
    if float.is_nan() { f32::NAN } else { float as f32 }
}

fn offset(from: usize, to: usize) -> [u8; 4] {
    (to as i32).wrapping_sub(from as i32).to_le_bytes()
}
