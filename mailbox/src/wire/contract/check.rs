//! Whether bytes are a value, by the rules for readers of `docs/wire.md`.
//!
//! Content that lies elsewhere is claimed from the front to the back: each list or text that an offset
//! leads to lies before the object that holds the offset, and behind all that was claimed earlier. So no
//! byte is claimed twice, and the work is bounded by the length.

use super::{Part, Room, Shape, Ty, Untyped};
use crate::scalar::Decimal;
use crate::wire::{WireError, trailing};

/// The longest text that stands in its cell, in bytes.
const INLINE_MAX: usize = 8;

#[inline]
pub(super) fn check(of: &Untyped, bytes: &[u8], version: u16, root_len: u32) -> Result<(), WireError> {
    // The usual case, to which the rest comes too: numbers alone, in the version that is ours.
    let known = of.message;
    if known.trivial
        && let Some(newest) = known.offer.layouts.last()
        && (known.offer.version, newest.root_len) == (version, root_len)
        && bytes.len() == root_len as usize
    {
        return Ok(());
    }
    check_all(of, bytes, version, root_len)
}

#[inline(never)]
fn check_all(of: &Untyped, bytes: &[u8], version: u16, root_len: u32) -> Result<(), WireError> {
    let (known, message) = (of.message, of.message.name);
    let ours = known.offer.version;
    let layout = known.offer.layout(version);
    let wrong = || WireError::Version {
        message,
        ours,
        got: version,
        root_len_expected: layout.map(|layout| layout.root_len),
        root_len_got: root_len,
    };
    let newest = known.offer.layouts.len().checked_sub(1).ok_or_else(wrong)?;
    let (at, start) = if version > ours {
        (newest, known.offer.layouts[newest].root_len <= root_len)
    } else {
        let found = layout.and_then(|layout| known.offer.layouts.iter().position(|other| other == layout));
        (found.ok_or_else(wrong)?, layout.is_some_and(|layout| layout.root_len == root_len))
    };
    if !start {
        return Err(wrong());
    }
    let (needed, root) = (root_len as usize, &known.roots[at]);
    let Some(start) = bytes.len().checked_sub(needed) else {
        return Err(WireError::Truncated { message, needed, got: bytes.len() });
    };
    if root.fixed && version <= ours && start > 0 {
        return Err(trailing(message, start));
    }
    let mut reader = LayoutReader { of, bytes, from: 0, until: start };
    let checked = if start.is_multiple_of(root.align) {
        if known.trivial {
            return Ok(());
        }
        reader.record(&known.fields[..root.fields], start)
    } else {
        Err(format!("the root starts at byte {start}, which is no multiple of {}", root.align))
    };
    checked.map_err(|cause| WireError::Invalid { message, cause })
}

struct LayoutReader<'a> {
    of: &'a Untyped,
    bytes: &'a [u8],
    /// What an offset may lead to.
    from: usize,
    until: usize,
}

type CheckedLayout = Result<(), String>;

impl LayoutReader<'_> {
    fn record(&mut self, parts: &[Part], at: usize) -> CheckedLayout {
        // Numbers are most of what there is, and any bytes are one: no call for each.
        let mut judged = parts.iter().filter(|part| !matches!(part.ty, Ty::Plain(_) | Ty::Wide));
        judged.try_for_each(|part| self.value(&part.ty, at + part.offset))
    }

    fn value(&mut self, ty: &Ty, at: usize) -> CheckedLayout {
        match ty {
            Ty::Plain(_) | Ty::Wide => Ok(()),
            Ty::Bool => match self.byte(at) {
                0 | 1 => Ok(()),
                other => Err(format!("a bool at byte {at} is {other:#04x}")),
            },
            Ty::Decimal => self.decimal(at),
            Ty::String => self.text(at),
            Ty::List(of) => self.list(of, at),
            Ty::Array(of, count) => self.elements(of, at, *count),
            Ty::Option(of) => match self.byte(at) {
                0 => Ok(()),
                1 => self.value(of, at + self.room(of).align),
                other => Err(format!("the tag of an option at byte {at} is {other:#04x}")),
            },
            Ty::Defined(index) => match &self.of.contract.0.definitions[*index].shape {
                Shape::Struct(parts) => self.record(parts, at),
                Shape::Enum(variants) => {
                    let tag = self.byte(at);
                    let Some(parts) = variants.get(usize::from(tag)) else {
                        let name = &self.of.contract.0.definitions[*index].name;
                        return Err(format!(
                            "the tag of {name} at byte {at} is {tag}, of {}",
                            variants.len()
                        ));
                    };
                    self.record(parts, at)
                }
            },
        }
    }

    fn elements(&mut self, of: &Ty, at: usize, count: usize) -> CheckedLayout {
        if of.is_trivial(&self.of.contract.0.definitions) {
            return Ok(());
        }
        let size = self.room(of).size;
        (0..count).try_for_each(|index| self.value(of, at + index * size))
    }

    fn list(&mut self, of: &Ty, at: usize) -> CheckedLayout {
        let Room { size, align, .. } = self.room(of);
        let count = u32::from_le_bytes(self.word(at + 4)) as usize;
        self.elsewhere(at, self.word(at), count.checked_mul(size), align, |reader, start| {
            reader.elements(of, start, count)
        })
    }

    fn text(&mut self, at: usize) -> CheckedLayout {
        if self.byte(at) & 0xc0 != 0x80 {
            let cell = &self.bytes[at..at + INLINE_MAX];
            let len = cell.iter().position(|byte| *byte == 0xff).unwrap_or(INLINE_MAX);
            return utf8(&cell[..len], at);
        }
        let word = u32::from_le_bytes(self.word(at));
        let len = ((word & 0x3f) | ((word & !0xff) >> 2)) as usize;
        if len <= INLINE_MAX {
            return Err(format!("a text at byte {at} lies elsewhere although it has {len} bytes"));
        }
        self.elsewhere(at, self.word(at + 4), Some(len), 1, |reader, start| {
            utf8(&reader.bytes[start..start + len], start)
        })
    }

    fn decimal(&self, at: usize) -> CheckedLayout {
        let zero = self.bytes[at..at + 12].iter().all(|byte| *byte == 0);
        let [scale, negative, a, b] = self.word(at + 12);
        if scale <= Decimal::SCALE_MAX && negative <= 1 && !(negative == 1 && zero) && (a, b) == (0, 0) {
            return Ok(());
        }
        Err(format!(
            "a decimal at byte {at} has scale {scale}, sign {negative} and {a:02x} {b:02x} behind it"
        ))
    }

    /// What the offset in the cell at `cell` leads to: so many bytes, all of them for this cell alone.
    fn elsewhere(
        &mut self,
        cell: usize,
        offset: [u8; 4],
        len: Option<usize>,
        align: usize,
        check: impl FnOnce(&mut Self, usize) -> CheckedLayout,
    ) -> CheckedLayout {
        let offset = i64::from(i32::from_le_bytes(offset));
        let start = i64::try_from(cell).ok().and_then(|cell| usize::try_from(cell + offset).ok());
        let place = start.zip(len).and_then(|(start, len)| Some((start, start.checked_add(len)?)));
        let Some((start, end)) = place.filter(|(start, end)| *start >= self.from && *end <= self.until)
        else {
            return Err(format!(
                "the offset at byte {cell} leads to what is not between bytes {} and {}",
                self.from, self.until
            ));
        };
        if !start.is_multiple_of(align) {
            return Err(format!("the offset at byte {cell} leads to byte {start}, no multiple of {align}"));
        }
        let until = std::mem::replace(&mut self.until, start);
        check(self, start)?;
        (self.from, self.until) = (end, until);
        Ok(())
    }

    fn room(&self, ty: &Ty) -> Room {
        ty.room(&self.of.contract.0.definitions)
    }

    /// Cells lie inside of what was found to be there.
    fn byte(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    fn word(&self, at: usize) -> [u8; 4] {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[at..at + 4]);
        word
    }
}

fn utf8(bytes: &[u8], at: usize) -> CheckedLayout {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(format!("a text at byte {at} is no UTF-8 from its byte {} on", error.valid_up_to()))
        }
    }
}
