//! What a record batch of Arrow says of its body: checked before the reader of arrow takes it for true.

use arrow_ipc::{CompressionType, FieldNode, RecordBatch};
use arrow_schema::{DataType, Field};

use super::LoadError;

/// How much larger LZ4 makes bytes at most.
const LZ4_GROWTH_MAX: i64 = 256;
/// How deep columns may be nested.
const NESTED_MAX: usize = 64;

pub(super) fn broken(reason: impl Into<String>) -> LoadError {
    LoadError::Arrow { reason: reason.into() }
}

fn damaged(what: &str) -> LoadError {
    broken(format!("a batch is damaged: {what}"))
}

/// Checks the rows and the buffers of a batch, and of the columns that are used how long their values are.
pub(super) fn check<'a>(
    batch: &RecordBatch<'_>,
    body: &[u8],
    fields: impl Iterator<Item = &'a Field>,
    used: impl Fn(usize) -> bool,
) -> Result<(), LoadError> {
    let lz4 = match batch.compression().map(|compression| compression.codec()) {
        None => false,
        Some(CompressionType::LZ4_FRAME) => true,
        Some(_) => {
            return Err(broken(
                "it is compressed with zstd; write it with `compression=\"lz4\"`, or with none",
            ));
        }
    };
    let fits = |node: &FieldNode| node.length() >= 0 && (0..=node.length()).contains(&node.null_count());
    if batch.length() < 0 || !batch.nodes().into_iter().flatten().all(fits) {
        return Err(damaged("it has a number of rows that cannot be"));
    }
    let buffers = batch.buffers().into_iter().flatten();
    let lengths: Vec<i64> = buffers.map(|buffer| length(buffer, body, lz4)).collect::<Result<_, _>>()?;
    let mut views = batch.variadicBufferCounts().into_iter().flatten();
    let mut first = 0_usize;
    for (at, field) in fields.enumerate() {
        let typed = if used(at) { values_of(field.data_type()) } else { None };
        if let Some((place, bytes)) = typed {
            let length = lengths.get(first + place).ok_or_else(|| damaged("a column is missing"))?;
            if length % bytes != 0 {
                return Err(damaged("a column ends within a value"));
            }
        }
        first = first.saturating_add(count(field.data_type(), &mut views, 0)?);
    }
    Ok(())
}

/// Bytes of a buffer when it is unpacked.
fn length(buffer: &arrow_ipc::Buffer, body: &[u8], lz4: bool) -> Result<i64, LoadError> {
    let place = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
    let bytes = place.and_then(|(offset, length)| body.get(offset..offset.checked_add(length)?));
    let bytes = bytes.ok_or_else(|| damaged("a column is outside of it"))?;
    if !lz4 || bytes.is_empty() {
        return Ok(bytes.len() as i64);
    }
    let most = (bytes.len() as i64).saturating_mul(LZ4_GROWTH_MAX);
    match bytes.first_chunk().map(|size| i64::from_le_bytes(*size)) {
        // It is not packed after all.
        Some(-1) => Ok(bytes.len() as i64 - 8),
        Some(size) if (0..=most).contains(&size) => Ok(size),
        _ => Err(damaged("it says that it unpacks to what it cannot")),
    }
}

/// Which buffer of a column holds its values or where they end, and bytes of one.
fn values_of(data_type: &DataType) -> Option<(usize, i64)> {
    match data_type {
        DataType::Utf8 => Some((1, 4)),
        DataType::LargeUtf8 => Some((1, 8)),
        DataType::Utf8View => Some((1, 16)),
        DataType::Dictionary(keys, _) => values_of(keys),
        other => other.primitive_width().map(|bytes| (1, bytes as i64)),
    }
}

/// How many buffers a column has.
fn count(
    data_type: &DataType,
    views: &mut impl Iterator<Item = i64>,
    depth: usize,
) -> Result<usize, LoadError> {
    if depth > NESTED_MAX {
        return Err(broken(format!("columns are nested more than {NESTED_MAX} deep")));
    }
    let mut inner = |field: &Field| count(field.data_type(), views, depth + 1);
    Ok(match data_type {
        DataType::Null => 0,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => 3,
        DataType::Utf8View | DataType::BinaryView => {
            let more = views.next().and_then(|more| usize::try_from(more).ok());
            more.and_then(|more| more.checked_add(2))
                .ok_or_else(|| damaged("a column of views is cut off"))?
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::Map(field, _) => 2 + inner(field)?,
        DataType::ListView(field) | DataType::LargeListView(field) => 3 + inner(field)?,
        DataType::FixedSizeList(field, _) => 1 + inner(field)?,
        DataType::RunEndEncoded(ends, values) => inner(ends)? + inner(values)?,
        DataType::Struct(fields) => {
            let mut sum = 1;
            for field in fields {
                sum += inner(field)?;
            }
            sum
        }
        DataType::Union(..) => {
            return Err(broken("it has a column of a union, which is not read: leave it out"));
        }
        _ => 2,
    })
}
