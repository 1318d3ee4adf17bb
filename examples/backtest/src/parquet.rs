//! Writes results as Apache Parquet: one row group, plain encoding, no compression.
//!
//! The format is a magic number, the pages of each column, a footer in Thrift's compact protocol, the
//! footer's length and the magic number again. Ten required columns of fixed width need no more of it than
//! stands here.

use std::io::{self, Write};

use crate::results::{COLUMNS, Row, figures};

const MAGIC: &[u8; 4] = b"PAR1";

/// Parquet's names for the physical types that are used.
#[derive(Clone, Copy)]
enum Type {
    Int32 = 1,
    Double = 5,
}

/// Thrift's numbers for types in the compact protocol.
#[derive(Clone, Copy)]
enum Thrift {
    I32 = 5,
    I64 = 6,
    Binary = 8,
    List = 9,
    Struct = 12,
}

/// A column chunk that has been written.
struct Chunk {
    name: &'static str,
    kind: Type,
    offset: usize,
    bytes: usize,
}

/// Writes `fast`, `slow` and the statistics; the windows and `n_trades` as 32-bit integers, the rest as
/// doubles.
///
/// # Errors
/// Those of the writer.
pub fn write(rows: &[Row], mut out: impl Write) -> io::Result<()> {
    let mut file = MAGIC.to_vec();
    let mut chunks = Vec::new();
    let int32 =
        |of: &dyn Fn(&Row) -> u32| rows.iter().flat_map(|row| of(row).to_le_bytes()).collect::<Vec<u8>>();
    chunks.push(page(&mut file, "fast", Type::Int32, rows.len(), &int32(&|(pair, _)| pair.fast)));
    chunks.push(page(&mut file, "slow", Type::Int32, rows.len(), &int32(&|(pair, _)| pair.slow)));
    for (at, name) in COLUMNS.into_iter().enumerate() {
        if name == "n_trades" {
            chunks.push(page(&mut file, name, Type::Int32, rows.len(), &int32(&|(_, s)| s.n_trades)));
        } else {
            let values: Vec<u8> = rows.iter().flat_map(|(_, s)| figures(s)[at].to_le_bytes()).collect();
            chunks.push(page(&mut file, name, Type::Double, rows.len(), &values));
        }
    }
    let footer = footer(&chunks, rows.len());
    file.extend_from_slice(&footer);
    file.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    file.extend_from_slice(MAGIC);
    out.write_all(&file)
}

/// Appends one data page: its header, then its values.
fn page(file: &mut Vec<u8>, name: &'static str, kind: Type, rows: usize, values: &[u8]) -> Chunk {
    let offset = file.len();
    let mut header = Compact::default();
    header.i32(1, 0); // type: data page
    header.i32(2, values.len() as i64); // uncompressed size
    header.i32(3, values.len() as i64); // compressed size
    header.begin(5); // data page header
    header.i32(1, rows as i64); // values
    header.i32(2, 0); // encoding: plain
    header.i32(3, 3); // definition levels: RLE; a required column has none
    header.i32(4, 3); // repetition levels: RLE; likewise
    header.end();
    header.end();
    file.extend_from_slice(&header.bytes);
    file.extend_from_slice(values);
    Chunk { name, kind, offset, bytes: file.len() - offset }
}

fn footer(chunks: &[Chunk], rows: usize) -> Vec<u8> {
    let mut meta = Compact::default();
    meta.i32(1, 1); // version
    meta.list(2, chunks.len() + 1, Thrift::Struct); // schema: the root, then the columns
    meta.open();
    meta.binary(4, b"results");
    meta.i32(5, chunks.len() as i64);
    meta.end();
    for chunk in chunks {
        meta.open();
        meta.i32(1, chunk.kind as i64);
        meta.i32(3, 0); // required
        meta.binary(4, chunk.name.as_bytes());
        meta.end();
    }
    meta.i64(3, rows as i64);
    meta.list(4, 1, Thrift::Struct); // row groups
    meta.open();
    meta.list(1, chunks.len(), Thrift::Struct);
    for chunk in chunks {
        meta.open();
        meta.i64(2, chunk.offset as i64); // file offset
        meta.begin(3); // metadata
        meta.i32(1, chunk.kind as i64);
        meta.list(2, 1, Thrift::I32);
        meta.zigzag(0); // encoding: plain
        meta.list(3, 1, Thrift::Binary);
        meta.raw(chunk.name.as_bytes()); // path in schema
        meta.i32(4, 0); // uncompressed
        meta.i64(5, rows as i64);
        meta.i64(6, chunk.bytes as i64);
        meta.i64(7, chunk.bytes as i64);
        meta.i64(9, chunk.offset as i64); // data page offset
        meta.end();
        meta.end();
    }
    meta.i64(2, chunks.iter().map(|chunk| chunk.bytes as i64).sum());
    meta.i64(3, rows as i64);
    meta.end();
    meta.binary(6, b"mycelium backtest");
    meta.end();
    meta.bytes
}

/// A writer of Thrift's compact protocol. Fields of a struct are written in ascending order of their ids, at
/// most 15 apart.
#[derive(Default)]
struct Compact {
    bytes: Vec<u8>,
    last: u8,
    outer: Vec<u8>,
}

impl Compact {
    fn field(&mut self, id: u8, kind: Thrift) {
        self.bytes.push(((id - self.last) << 4) | kind as u8);
        self.last = id;
    }

    fn i32(&mut self, id: u8, value: i64) {
        self.field(id, Thrift::I32);
        self.zigzag(value);
    }

    fn i64(&mut self, id: u8, value: i64) {
        self.field(id, Thrift::I64);
        self.zigzag(value);
    }

    fn binary(&mut self, id: u8, value: &[u8]) {
        self.field(id, Thrift::Binary);
        self.raw(value);
    }

    fn list(&mut self, id: u8, length: usize, of: Thrift) {
        self.field(id, Thrift::List);
        if length < 15 {
            self.bytes.push(((length as u8) << 4) | of as u8);
        } else {
            self.bytes.push(0xf0 | of as u8);
            self.varint(length as u64);
        }
    }

    /// Begins a struct that is a field.
    fn begin(&mut self, id: u8) {
        self.field(id, Thrift::Struct);
        self.open();
    }

    /// Begins a struct that is an element of a list.
    fn open(&mut self) {
        self.outer.push(self.last);
        self.last = 0;
    }

    /// Ends the innermost struct.
    fn end(&mut self) {
        self.bytes.push(0);
        self.last = self.outer.pop().unwrap_or(0);
    }

    fn raw(&mut self, value: &[u8]) {
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    fn zigzag(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}
