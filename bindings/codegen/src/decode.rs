//! Bytes to values by the specification, without rkyv: for tools that have a contract and no types.
//!
//! It reads what `docs/wire.md` describes, of any version, and refuses what a reader must refuse ("Order").
//! It never fails to end: whatever the bytes are, it panics on none of them, makes at most [`PARTS_MAX`]
//! parts of them, and copies no byte twice.
//!
//! Content that lies elsewhere is claimed from the front to the back: each list or text that an offset leads
//! to lies before the object that holds the offset, and behind all that was claimed earlier.

use std::fmt;

use mycelium_contract::{DecimalValue, Field, Message, Type, Value};

use crate::Model;

/// Most numbers, texts, lists and the like of one value.
pub const PARTS_MAX: usize = 1 << 20;

/// The longest text that stands in its cell, in bytes.
const INLINE_MAX: usize = 8;

const TOO_MANY: &str = "it has more than 1,048,576 numbers, texts, lists and the like, the most that is read without \
                        its type: read it in a program, by the type that is generated for it";

/// Bytes are no value of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// What is wrong, and at which byte.
    pub cause: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for DecodeError {}

fn wrong<T>(cause: String) -> Result<T, DecodeError> {
    Err(DecodeError { cause })
}

/// The values of all fields of `message`, in order, of bytes that were written with `version` and whose root
/// is the last `root_len` of them. Fields that version did not have are their defaults.
///
/// # Errors
/// The bytes are no such value.
pub fn message(
    model: &Model<'_>,
    message: &Message,
    version: u16,
    root_len: usize,
    bytes: &[u8],
) -> Result<Vec<(String, Value)>, DecodeError> {
    let fields = message.fields_of(version.min(message.version));
    let record = model.record(fields);
    let own = usize::try_from(record.layout.size).unwrap_or(usize::MAX);
    let fits = if version > message.version { root_len >= own } else { root_len == own };
    let Some(root) = bytes.len().checked_sub(root_len).filter(|_| fits && version > 0) else {
        return wrong(format!(
            "version {version} of `{}` with a root of {root_len} bytes in {}: its own has {own}",
            message.name,
            bytes.len()
        ));
    };
    if record.layout.fixed && version <= message.version && root > 0 {
        return wrong(format!("`{}` is of fixed size, and {root} bytes are too many", message.name));
    }
    let align = record.layout.align as usize;
    if !root.is_multiple_of(align) {
        return wrong(format!("the root starts at byte {root}, which is no multiple of {align}"));
    }
    let mut reader = Reader { model, bytes, left: PARTS_MAX, from: 0, until: root };
    let mut values = reader.fields(fields, &record.offsets, root)?;
    let added = &message.fields[fields.len()..];
    values
        .extend(added.iter().map(|field| (field.name.clone(), field.default.clone().unwrap_or(Value::None))));
    Ok(values)
}

struct Reader<'a> {
    model: &'a Model<'a>,
    bytes: &'a [u8],
    left: usize,
    /// What an offset may lead to.
    from: usize,
    until: usize,
}

impl<'a> Reader<'a> {
    fn fields(
        &mut self,
        fields: &[Field],
        offsets: &[u64],
        at: usize,
    ) -> Result<Vec<(String, Value)>, DecodeError> {
        let each = fields.iter().zip(offsets);
        each.map(|(field, offset)| {
            Ok((field.name.clone(), self.value(&field.ty, at.saturating_add(*offset as usize))?))
        })
        .collect()
    }

    fn value(&mut self, ty: &Type, at: usize) -> Result<Value, DecodeError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| DecodeError { cause: TOO_MANY.to_owned() })?;
        let model = self.model;
        Ok(match ty {
            Type::Bool => match self.array::<1>(at)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [byte] => return wrong(format!("{byte:#04x} at byte {at} is no bool")),
            },
            Type::U8 => Value::Int(u8::from_le_bytes(self.array(at)?).into()),
            Type::U16 => Value::Int(u16::from_le_bytes(self.array(at)?).into()),
            Type::U32 => Value::Int(u32::from_le_bytes(self.array(at)?).into()),
            Type::U64 => Value::Int(u64::from_le_bytes(self.array(at)?).into()),
            Type::I8 => Value::Int(i8::from_le_bytes(self.array(at)?).into()),
            Type::I16 => Value::Int(i16::from_le_bytes(self.array(at)?).into()),
            Type::I32 => Value::Int(i32::from_le_bytes(self.array(at)?).into()),
            Type::I64 | Type::Timestamp => Value::Int(i64::from_le_bytes(self.array(at)?).into()),
            Type::F32 => Value::Float(f32::from_le_bytes(self.array(at)?).into()),
            Type::F64 => Value::Float(f64::from_le_bytes(self.array(at)?)),
            Type::Decimal => self.decimal(at)?,
            Type::U256 | Type::I256 => {
                let limbs: Vec<u64> = (0..4)
                    .map(|limb| Ok(u64::from_le_bytes(self.array(at.saturating_add(limb * 8))?)))
                    .collect::<Result<_, DecodeError>>()?;
                Value::Wide([limbs[0], limbs[1], limbs[2], limbs[3]])
            }
            Type::String => Value::String(self.text(at)?),
            Type::Bytes => Value::Bytes(self.list(&Type::U8, at, |reader, start, count| {
                reader.slice(start, count).map(<[u8]>::to_vec)
            })?),
            Type::Vec(of) => {
                Value::List(self.list(of, at, |reader, start, count| reader.elements(of, start, count))?)
            }
            Type::Array(of, count) => Value::List(self.elements(of, at, *count as usize)?),
            Type::Option(of) => match self.array::<1>(at)? {
                [0] => Value::None,
                [1] => {
                    let inner = at.saturating_add(model.layout(of).align as usize);
                    Value::Some(Box::new(self.value(of, inner)?))
                }
                [tag] => return wrong(format!("{tag:#04x} at byte {at} is no tag of an option")),
            },
            Type::Enum(name) => self.variant(name, at)?,
            Type::Struct(name) => {
                let fields = model.contract.struct_def(name).map_or(&[][..], |def| &def.fields[..]);
                Value::Struct(self.fields(fields, &model.record(fields).offsets, at)?)
            }
            _ => return wrong(format!("nothing is known of the type {ty}")),
        })
    }

    fn variant(&mut self, name: &str, at: usize) -> Result<Value, DecodeError> {
        let [tag] = self.array::<1>(at)?;
        let model = self.model;
        let def = model.contract.enum_def(name);
        let Some(variant) = def.and_then(|def| def.variants.get(usize::from(tag))) else {
            return wrong(format!("{tag:#04x} at byte {at} is no tag of `{name}`"));
        };
        let offsets = model.variant(variant).offsets;
        Ok(Value::Variant(variant.name.clone(), self.fields(&variant.fields, &offsets, at)?))
    }

    fn elements(&mut self, of: &Type, start: usize, count: usize) -> Result<Vec<Value>, DecodeError> {
        let size = self.model.size(of);
        (0..count).map(|index| self.value(of, start.saturating_add(index.saturating_mul(size)))).collect()
    }

    fn decimal(&self, at: usize) -> Result<Value, DecodeError> {
        let [low @ .., scale, sign, a, b] = self.array::<16>(at)?;
        let mut mantissa = [0; 16];
        mantissa[..12].copy_from_slice(&low);
        if scale > 28 || sign > 1 || (a, b) != (0, 0) {
            return wrong(format!(
                "the decimal at byte {at} has scale {scale}, sign {sign} and {a:02x} {b:02x} behind it"
            ));
        }
        let mantissa = u128::from_le_bytes(mantissa);
        if mantissa == 0 && sign == 1 {
            return wrong(format!("the decimal at byte {at} is zero with the sign 1"));
        }
        Ok(Value::Decimal(DecimalValue { negative: sign == 1, mantissa, scale }))
    }

    fn text(&mut self, at: usize) -> Result<String, DecodeError> {
        let cell = self.array::<INLINE_MAX>(at)?;
        let bytes = if cell[0] & 0xc0 == 0x80 {
            let word = u32::from_le_bytes([cell[0], cell[1], cell[2], cell[3]]);
            let len = ((word & 0x3f) | ((word & !0xff) >> 2)) as usize;
            if len <= INLINE_MAX {
                return wrong(format!("the text at byte {at} is elsewhere, though it has {len} bytes"));
            }
            let offset = i32::from_le_bytes([cell[4], cell[5], cell[6], cell[7]]);
            self.elsewhere(at, offset, Some(len), 1, |reader, start| Ok(reader.slice(start, len)?.to_vec()))?
        } else {
            cell.into_iter().take_while(|byte| *byte != 0xff).collect()
        };
        String::from_utf8(bytes).or_else(|_| wrong(format!("the text at byte {at} is not UTF-8")))
    }

    /// Reads a list of `of` whose cell is at `at`, by where its elements begin and how many there are.
    fn list<T>(
        &mut self,
        of: &Type,
        at: usize,
        read: impl FnOnce(&mut Self, usize, usize) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let layout = self.model.layout(of);
        let offset = i32::from_le_bytes(self.array(at)?);
        let count = u32::from_le_bytes(self.array(at.saturating_add(4))?) as usize;
        let len = count.checked_mul(layout.size as usize);
        self.elsewhere(at, offset, len, layout.align as usize, |reader, start| read(reader, start, count))
    }

    /// Reads what the offset in the cell at `cell` leads to: so many bytes, all of them for this cell alone.
    fn elsewhere<T>(
        &mut self,
        cell: usize,
        offset: i32,
        len: Option<usize>,
        align: usize,
        read: impl FnOnce(&mut Self, usize) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let start = cell.checked_add_signed(offset as isize);
        let place = start.zip(len).and_then(|(start, len)| Some((start, start.checked_add(len)?)));
        let Some((start, end)) = place.filter(|(start, end)| *start >= self.from && *end <= self.until)
        else {
            return wrong(format!(
                "the offset at byte {cell} leads to what is not between bytes {} and {}",
                self.from, self.until
            ));
        };
        if !start.is_multiple_of(align) {
            return wrong(format!("the offset at byte {cell} leads to byte {start}, no multiple of {align}"));
        }
        let until = std::mem::replace(&mut self.until, start);
        let value = read(self, start)?;
        (self.from, self.until) = (end, until);
        Ok(value)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(at, N)?);
        Ok(array)
    }

    fn slice(&self, at: usize, len: usize) -> Result<&'a [u8], DecodeError> {
        let found = at.checked_add(len).and_then(|end| self.bytes.get(at..end));
        found.ok_or_else(|| DecodeError {
            cause: format!("{len} bytes at byte {at} are beyond the value, which has {}", self.bytes.len()),
        })
    }
}
