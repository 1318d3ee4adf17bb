//! Sizes, alignments and offsets of the archived values, as rkyv 0.8 lays them out with the features
//! `little_endian`, `aligned` and `pointer_width_32`. `tests/layout.rs` compares them with rkyv itself.

use std::collections::HashMap;

use crate::check::graph::{Def, order};
use crate::{Contract, Field, Type};

/// How much room a value takes in the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Bytes, padding at the end included.
    pub size: u64,
    /// A power of two: the address and the position in the archive are multiples of it.
    pub align: u64,
    /// Whether nothing of it lies outside the root: no `String`, `Bytes` or `Vec` anywhere inside.
    pub fixed: bool,
}

/// The layout of a list of fields: a message version, a struct, or one variant with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Of the whole.
    pub layout: Layout,
    /// Bytes from the beginning to each field, in order.
    pub offsets: Vec<u64>,
}

/// The layouts of all definitions of a contract.
#[derive(Debug, Clone)]
pub struct Layouts {
    definitions: HashMap<String, Layout>,
    /// Of a `String`, `Bytes` or `Vec`.
    out_of_line: Layout,
}

/// `ArchivedString` and `ArchivedVec`: two 4-byte halves.
const ARCHIVED_OUT_OF_LINE: Layout = Layout { size: 8, align: 4, fixed: false };
/// `String` and `Vec` of 64-bit machines: pointer, length and capacity.
const NATIVE_OUT_OF_LINE: Layout = Layout { size: 24, align: 8, fixed: false };

impl Layouts {
    /// Computes them.
    #[must_use]
    pub fn of(contract: &Contract) -> Layouts {
        Self::with(contract, ARCHIVED_OUT_OF_LINE)
    }

    /// At most what the generated Rust types take in memory, where texts and lists are larger than on the
    /// wire. A compiler may take less.
    #[must_use]
    pub fn in_memory(contract: &Contract) -> Layouts {
        Self::with(contract, NATIVE_OUT_OF_LINE)
    }

    fn with(contract: &Contract, out_of_line: Layout) -> Layouts {
        let mut layouts = Layouts { definitions: HashMap::new(), out_of_line };
        for def in order(contract).ordered {
            let layout = match def {
                Def::Struct(def) => layouts.record(&def.fields).layout,
                Def::Enum(def) => {
                    // A union: the largest variant, at the strictest alignment.
                    let records = def.variants.iter().map(|v| layouts.tagged(&v.fields).layout);
                    let all = records.fold(scalar(1), |all, one| Layout {
                        size: all.size.max(one.size),
                        align: all.align.max(one.align),
                        fixed: all.fixed && one.fixed,
                    });
                    Layout { size: round_up(all.size, all.align), ..all }
                }
            };
            layouts.definitions.insert(def.name().to_owned(), layout);
        }
        layouts
    }

    /// The layout of a type of this contract.
    #[must_use]
    pub fn type_of(&self, ty: &Type) -> Layout {
        match ty {
            Type::Bool | Type::U8 | Type::I8 => scalar(1),
            Type::U16 | Type::I16 => scalar(2),
            Type::U32 | Type::I32 | Type::F32 => scalar(4),
            Type::U64 | Type::I64 | Type::F64 | Type::Timestamp => scalar(8),
            Type::Decimal => Layout { size: 16, ..scalar(8) },
            Type::U256 | Type::I256 => Layout { size: 32, ..scalar(8) },
            Type::String | Type::Bytes | Type::Vec(_) => self.out_of_line,
            Type::Array(of, count) => {
                let of = self.type_of(of);
                Layout { size: of.size.saturating_mul(u64::from(*count)), ..of }
            }
            Type::Option(of) => sequence([scalar(1), self.type_of(of)].into_iter()).layout,
            Type::Enum(name) | Type::Struct(name) => self.definition(name),
        }
    }

    /// The layout of a struct or enum of this contract, by name; of an unknown name, that of a single byte.
    #[must_use]
    pub fn definition(&self, name: &str) -> Layout {
        self.definitions.get(name).copied().unwrap_or(scalar(1))
    }

    /// The layout of fields one after the other: a struct, or what
    /// [`Message::fields_of`](crate::Message::fields_of) gives.
    #[must_use]
    pub fn record(&self, fields: &[Field]) -> Record {
        sequence(fields.iter().map(|f| self.type_of(&f.ty)))
    }

    /// The layout of one variant of a data enum: its fields after the tag. Offsets count from the tag.
    #[must_use]
    pub fn tagged(&self, fields: &[Field]) -> Record {
        let mut record =
            sequence(std::iter::once(scalar(1)).chain(fields.iter().map(|f| self.type_of(&f.ty))));
        record.offsets.remove(0);
        record
    }
}

const fn scalar(size: u64) -> Layout {
    Layout { size, align: size, fixed: true }
}

/// `repr(C)`: each at the next multiple of its alignment.
fn sequence(parts: impl Iterator<Item = Layout>) -> Record {
    let mut layout = Layout { size: 0, align: 1, fixed: true };
    let mut offsets = Vec::new();
    for part in parts {
        let offset = round_up(layout.size, part.align);
        offsets.push(offset);
        layout.size = offset.saturating_add(part.size);
        layout.align = layout.align.max(part.align);
        layout.fixed &= part.fixed;
    }
    layout.size = round_up(layout.size, layout.align);
    Record { layout, offsets }
}

/// Saturates: what is this large is refused anyway.
fn round_up(size: u64, align: u64) -> u64 {
    size.checked_next_multiple_of(align).unwrap_or(u64::MAX)
}
